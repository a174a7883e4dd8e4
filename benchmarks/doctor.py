"""Detection rates of ``diagnose``: hits on runs with a known mistake, false alarms on healthy runs.

``python -m benchmarks.doctor --only others`` runs the mistakes and tables of ``doctor_others.py``.
``python -m benchmarks.doctor`` trains every mistake on at least three data sets and 23 healthy networks, all with
five seeds, and diagnoses each run.  It writes the rates between the marks in docs/doctor.md.
Thresholds were chosen on seeds from 100 on; the published rates are those of seeds 0 to 4.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import doctor_others
from workings import (
    L2,
    LBFGS,
    SGD,
    AbsoluteError,
    AdaGrad,
    Adam,
    AdamW,
    BatchNorm,
    BinaryCrossEntropy,
    Chain,
    ClipByNorm,
    CrossEntropy,
    Dense,
    Dropout,
    Huber,
    Momentum,
    Nesterov,
    Network,
    Poisson,
    RMSProp,
    SquaredError,
)
from workings.checks.findings import KINDS
from workings.datasets import circles, digits, moons, spirals
from workings.museum.mistakes import MISTAKES, both
from workings.museum.rooms import ROOMS, rooms_for, train
from workings.support.arrays import Array
from workings.tables.columns import standardized

BEGIN, END = "<!-- rates: begin -->", "<!-- rates: end -->"
OTHERS_BEGIN, OTHERS_END = "<!-- others: begin -->", "<!-- others: end -->"
PAGE = Path(__file__).parents[1] / "docs" / "doctor.md"
SEEDS = (0, 1, 2, 3, 4)
Data = tuple[Array, Array]


def table_data(name: str) -> Data:
    """One of scikit-learn's data sets with standardized columns and, for regression, standardized targets."""
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return standardized(X), standardized(y) if y.dtype.kind == "f" else y


def counts(seed: int) -> Data:
    """Poisson counts whose log mean is a nonlinear function of two columns."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (400, 2))
    return X, rng.poisson(np.exp(1 + np.sin(3 * X[:, 0]) + X[:, 1] ** 2)).astype(float)


def two_numbers(seed: int) -> Data:
    """Two regression targets for each row."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 3))
    return X, np.column_stack([np.sin(X[:, 0]) + 0.5 * X[:, 1], np.cos(X[:, 2]) * X[:, 0]])


def three_labels(seed: int) -> Data:
    """Multilabel targets: three labels of 0 or 1 for each row."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 4))
    return X, np.column_stack([X[:, 0] * X[:, 1] > 0, X[:, 1] + X[:, 2] > 0, np.abs(X[:, 3]) > 0.7]).astype(float)


def some_digits(seed: int, rows: int = 700, dtype: Any = np.float64) -> Data:
    """A random subset of scikit-learn's digits, with pixels from 0 to 1."""
    X, y = digits()
    chosen = np.random.default_rng(seed).permutation(len(X))[:rows]
    return (X[chosen] / 16).astype(dtype), y[chosen]


@dataclass(frozen=True)
class Healthy:
    """A network and settings without a mistake."""

    name: str
    data: Callable[[int], Data]
    layers: Sequence[Any]
    loss: Any
    fit: dict[str, Any]
    regularizer: Any = None


def healthy_networks() -> list[Healthy]:
    """Return networks with many activations, losses, optimizers, layers and data sets."""
    return [
        Healthy("moons, tanh, SGD full batch", lambda s: moons(200, 0.2, seed=s), [Dense(8, "tanh"), Dense(2)],
                CrossEntropy(), {"optimizer": SGD(0.5), "epochs": 2000, "batch_size": None}),
        Healthy("moons, sigmoid, Nesterov", lambda s: moons(300, 0.15, seed=s), [Dense(12, "sigmoid"), Dense(2)],
                CrossEntropy(), {"optimizer": Nesterov(0.1), "epochs": 600, "batch_size": 32}),
        Healthy("moons, elu, label smoothing", lambda s: moons(300, 0.15, seed=s), [Dense(24, "elu"), Dense(2)],
                CrossEntropy(label_smoothing=0.05), {"optimizer": RMSProp(0.005), "epochs": 150, "batch_size": 32}),
        Healthy("moons, L-BFGS", lambda s: moons(300, 0.15, seed=s), [Dense(8, "tanh"), Dense(2)], CrossEntropy(),
                {"optimizer": LBFGS(), "epochs": 200, "batch_size": None}, L2(1e-3)),
        Healthy("circles, ReLU, Adam", lambda s: circles(300, 0.08, seed=s), [Dense(16, "relu"), Dense(1)],
                BinaryCrossEntropy(), {"optimizer": Adam(0.01), "epochs": 100, "batch_size": 32}),
        Healthy("circles, softplus, AdaGrad", lambda s: circles(300, 0.08, seed=s), [Dense(16, "softplus"), Dense(1)],
                BinaryCrossEntropy(), {"optimizer": AdaGrad(0.1), "epochs": 200, "batch_size": 16}),
        Healthy("spirals, tanh, gradient clipping", lambda s: spirals(400, 0.02, turns=1.0, seed=s),
                [Dense(32, "tanh"), Dense(16, "tanh"), Dense(2)], CrossEntropy(),
                {"optimizer": Chain(ClipByNorm(1.0), Adam(0.01)), "epochs": 150, "batch_size": 32}),
        Healthy("spirals, GELU, AdamW", lambda s: spirals(400, 0.02, turns=1.0, seed=s),
                [Dense(32, "gelu"), Dense(32, "gelu"), Dense(2)], CrossEntropy(),
                {"optimizer": AdamW(0.01), "epochs": 150, "batch_size": 32}),
        Healthy("digits, ReLU, momentum", some_digits, [Dense(32, "relu"), Dense(16, "relu"), Dense(10)],
                CrossEntropy(), {"optimizer": Momentum(0.05), "epochs": 40, "batch_size": 32}),
        Healthy("digits, float32, batch norm", lambda s: some_digits(s, dtype=np.float32),
                [Dense(32), BatchNorm("relu"), Dense(10)], CrossEntropy(),
                {"optimizer": Adam(0.01), "epochs": 30, "batch_size": 50}),
        Healthy("digits, dropout", some_digits, [Dense(64, "relu"), Dropout(0.2), Dense(10)], CrossEntropy(),
                {"optimizer": Adam(0.003), "epochs": 40, "batch_size": 32, "validation": 0.2}),
        Healthy("digits, leaky ReLU, four layers", some_digits,
                [*(Dense(32, "leaky_relu") for _ in range(3)), Dense(10)], CrossEntropy(),
                {"optimizer": Adam(0.002), "epochs": 40, "batch_size": 32}),
        Healthy("iris, tanh", lambda s: table_data("iris"), [Dense(8, "tanh"), Dense(3)], CrossEntropy(),
                {"optimizer": Adam(0.01), "epochs": 150, "batch_size": 16}, L2(1e-3)),
        Healthy("wine, SiLU", lambda s: table_data("wine"), [Dense(12, "silu"), Dense(3)], CrossEntropy(),
                {"optimizer": Adam(0.01), "epochs": 80, "batch_size": 16}),
        Healthy("breast cancer, ReLU, SGD", lambda s: table_data("breast_cancer"), [Dense(16, "relu"), Dense(1)],
                BinaryCrossEntropy(), {"optimizer": SGD(0.1), "epochs": 150, "batch_size": 32}, L2(1e-4)),
        Healthy("diabetes, tanh, L2", lambda s: table_data("diabetes"), [Dense(16, "tanh"), Dense(1)], SquaredError(),
                {"optimizer": Adam(0.01), "epochs": 100, "batch_size": 32, "validation": 0.2}, L2(0.01)),
        Healthy("diabetes, Huber", lambda s: table_data("diabetes"), [Dense(16, "relu"), Dense(1)], Huber(),
                {"optimizer": Adam(0.005), "epochs": 60, "batch_size": 32}),
        Healthy("waves, tanh", lambda s: (ROOMS["waves"](s).X, ROOMS["waves"](s).y),
                [Dense(24, "tanh"), Dense(16, "tanh"), Dense(1)], SquaredError(half=True),
                {"optimizer": Adam(0.01), "epochs": 100, "batch_size": 32}),
        Healthy("hills, absolute error", lambda s: (ROOMS["hills"](s).X, ROOMS["hills"](s).y),
                [Dense(32, "relu"), Dense(16, "relu"), Dense(1)], AbsoluteError(),
                {"optimizer": Adam(0.005), "epochs": 150, "batch_size": 32}),
        Healthy("friedman, SELU, SGD", lambda s: (ROOMS["friedman"](s).X, ROOMS["friedman"](s).y),
                [Dense(24, "selu"), Dense(1)], SquaredError(),
                {"optimizer": SGD(0.02), "epochs": 200, "batch_size": 32}),
        Healthy("counts, Poisson", counts, [Dense(24, "tanh"), Dense(1)], Poisson(),
                {"optimizer": Adam(0.01), "epochs": 120, "batch_size": 32}),
        Healthy("two targets, tanh", two_numbers, [Dense(24, "tanh"), Dense(2)], SquaredError(),
                {"optimizer": Adam(0.01), "epochs": 150, "batch_size": 32}),
        Healthy("multilabel (three labels), ReLU", three_labels, [Dense(24, "relu"), Dense(3)], BinaryCrossEntropy(),
                {"optimizer": Adam(0.01), "epochs": 100, "batch_size": 32}),
    ]  # fmt: skip


Job = tuple[str, str, int]


def jobs(seeds: Sequence[int]) -> list[Job]:
    """Return all runs: the mistake or "healthy", the data set or network, the seed."""
    sick = [(name, room, seed) for name, mistake in MISTAKES.items() for room in rooms_for(mistake) for seed in seeds]
    return sick + [("healthy", healthy.name, seed) for healthy in healthy_networks() for seed in seeds]


def run(job: Job) -> dict[str, Any]:
    """Train and diagnose one network."""
    what, where, seed = job
    warnings.simplefilter("ignore")
    if what == "healthy":
        return {**run_healthy(where, seed), "job": job}
    mistake = MISTAKES[what]
    wrong = train(both(mistake, ROOMS[where](seed))[0])
    return {"job": job, "found": list(wrong.diagnosis.names), "named": mistake.is_named_by(wrong.diagnosis),
            "score": wrong.score}  # fmt: skip


def run_healthy(name: str, seed: int) -> dict[str, Any]:
    """Train and diagnose a healthy network."""
    healthy = next(h for h in healthy_networks() if h.name == name)
    X, y = healthy.data(seed)
    network = Network(list(healthy.layers), loss=healthy.loss, regularizer=healthy.regularizer, seed=seed)
    history = network.fit(X, y, **healthy.fit)
    diagnosis = network.diagnose(X, y, history)
    texts = {finding.name: finding.measured for finding in diagnosis.findings}
    return {"found": list(diagnosis.names), "texts": texts, "score": network.score(X, y)}


def rates(results: Sequence[dict[str, Any]]) -> str:
    """Return the tables of docs/doctor.md."""
    sick = [r for r in results if r["job"][0] != "healthy"]
    healthy = [r for r in results if r["job"][0] == "healthy"]
    named = sum(r["named"] for r in sick)
    alarms = [r for r in healthy if r["found"]]
    seeds = sorted({r["job"][2] for r in results})
    named_share, alarm_share = named / max(len(sick), 1), len(alarms) / max(len(healthy), 1)
    networks = len({r["job"][1] for r in healthy})
    lines = [
        f"| runs (seeds {seeds[0]} to {seeds[-1]}) | number | result |", "|---|---|---|",
        f"| with a mistake | {len(sick):,} | found and named in **{named:,} ({named_share:.1%})** |",
        f"| healthy ({networks} networks) | {len(healthy):,} | any finding, problem or advice, in "
        f"**{len(alarms):,} ({alarm_share:.1%})** |",
        "", "### Rates by finding", "",
        "- *Hits*: runs with a mistake that belongs to the finding, and the finding was reported.",
        "- *False alarms*: healthy runs in which the finding was reported.",
        "- *Other mistakes*: reports in runs with a mistake that belongs to another finding. These can be true: a",
        "  wrong gradient, for example, can also kill units.", "",
        "| finding | severity | hits | false alarms | other mistakes |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, kind in KINDS.items():
        own = [r for r in sick if name == MISTAKES[r["job"][0]].finding]
        hits = f"{sum(name in r['found'] for r in own)} of {len(own)}" if own else "no such mistake"
        false = sum(name in r["found"] for r in healthy)
        elsewhere = sum(name in r["found"] for r in sick) - sum(name in r["found"] for r in own)
        lines.append(f"| {name} | {kind.severity} | {hits} | {false} of {len(healthy)} | {elsewhere} |")
    lines += ["", "### Rates by mistake", "", "| mistake | finding | named | otherwise reported |", "|---|---|---|---|"]
    for name, mistake in MISTAKES.items():
        own = [r for r in sick if r["job"][0] == name]
        missed = Counter(", ".join(r["found"]) or "nothing" for r in own if not r["named"])
        lines.append(f"| {name} | {', '.join((mistake.finding, *mistake.also))} | {sum(r['named'] for r in own)} of "
                     f"{len(own)} | {'; '.join(f'{what} ({n})' for what, n in missed.items())} |")  # fmt: skip
    lines += ["", "### Healthy networks", "", "| network | training score | findings |", "|---|---|---|"]
    for one in healthy_networks():
        own = [r for r in healthy if r["job"][1] == one.name]
        told = Counter(name for r in own for name in r["found"])
        score = np.mean([r["score"] for r in own]) if own else float("nan")
        lines.append(f"| {one.name} | {score:.3f} | {', '.join(f'{n} ({k} of {len(own)})' for n, k in told.items())} |")
    return "\n".join(lines)


def write(page: Path, text: str, begin: str = BEGIN, end: str = END) -> None:
    """Replace the tables between the marks of the page."""
    whole = page.read_text(encoding="utf-8")
    before, after = whole.split(begin)[0], whole.split(end)[1]
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def run_others(processes: int | None, path: Path | None) -> None:
    """Run the other mistakes and healthy tables, print each finding, and write the rates between their marks."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        results = []
        for result in pool.imap_unordered(doctor_others.run, doctor_others.jobs()):
            results.append(result)
            print(json.dumps(result), flush=True)
    if path:
        path.write_text(json.dumps(results, indent=1), encoding="utf-8")
    write(PAGE, doctor_others.rates(results), OTHERS_BEGIN, OTHERS_END)


def main() -> None:
    """Run all jobs and update the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.doctor", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS, help="random seeds (default: 0 to 4)")
    parser.add_argument(
        "--only",
        default="",
        metavar="PREFIX",
        help="only mistakes whose name starts with this prefix; 'others' runs benchmarks/doctor_others.py",
    )
    parser.add_argument("--results", type=Path, metavar="FILE", help="also write all results to this JSON file")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="worker processes (default: all cores)")
    given = parser.parse_args()
    if given.only == "others":
        run_others(given.processes, given.results)
        return
    chosen = [job for job in jobs(given.seeds) if job[0].startswith(given.only)]
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        results = list(pool.imap_unordered(run, chosen, chunksize=4))
    results.sort(key=lambda r: chosen.index(tuple(r["job"])))
    if given.results:
        given.results.write_text(json.dumps(results, indent=1), encoding="utf-8")
    for result in results:
        if not result.get("named", not result["found"]):
            print(*result["job"], result["found"], result.get("texts", ""))
    if not given.only and tuple(given.seeds) == SEEDS:
        write(PAGE, rates(results))
    else:
        print(rates(results))


if __name__ == "__main__":
    main()
