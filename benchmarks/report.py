"""The report: tables in Markdown for people, and every raw figure in JSON.

Both files are written under a temporary name and then renamed, so that a run that is ended leaves the last
complete report.  Nothing in here measures; a figure that was not measured is not in a table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.curves import CLIFF
from benchmarks.peers import OURS
from benchmarks.processes import in_threads
from workings.support.atomic_files import write_bytes

MEMORY = ("bare", "warm", "data", "peak", "beyond")
MARKS = {True: "yes", False: "**NO**", None: "–"}


def write(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write bench.md and bench.json, and the picture of the curves where there are any."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "bench.md", folder / "bench.json"]
    write_bytes(paths[0], markdown(results).encode())
    write_bytes(paths[1], (json.dumps(results, indent=1) + "\n").encode())
    if "curves" in results:
        paths.append(picture(results["curves"], folder))
    return [path for path in paths if path.exists()]


def picture(found: dict[str, Any], folder: Path) -> Path:
    """Draw the curves, if matplotlib is there."""
    try:
        from benchmarks.picture import draw

        path = draw(found, folder / "curves-new.png")
    except ImportError:
        return folder / "curves.png"
    return path.replace(folder / "curves.png")


def markdown(results: dict[str, Any]) -> str:
    """The whole report; its last section says what failed."""
    lines = ["# Benchmarks", "", *machine(results["machine"], results["rounds"])]
    for name, section in SECTIONS.items():
        if name in results:
            lines += ["", *section(results[name])]
    bad = failures(results)
    lines += ["", "## Checks", "", *(f"- **{text}**" for text in bad)] if bad else ["", "All results agreed."]
    return "\n".join([*lines, ""])


def machine(found: dict[str, Any], rounds: int) -> list[str]:
    """What was measured on, and with."""
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items() if number)
    kinds = [[str(value) for key, value in found.items() if key != "num_threads"] for found in found["libraries"]]
    blas = "; ".join(map(" ".join, kinds))
    features = f" ({', '.join(found['features'])})" if found["features"] else ""
    return [
        f"{found['processor']}, {found['cores']} cores{features}; {found['system']}.",
        f"{found['python']}; {versions}" + (f"; {blas}." if blas else "."),
        f"Medians of {rounds} rounds in which the peers take turns; in brackets the quartiles.",
    ]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table; the first column to the left, the others to the right."""
    marks = [":--", *["--:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)]


def amount(value: float) -> str:
    """Three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def scaled(found: dict[str, Any], unit: float) -> str:
    """A median with its quartiles."""
    if "median" not in found:
        return "–"
    return f"{amount(found['median'] / unit)} ({amount(found['low'] / unit)}–{amount(found['high'] / unit)})"


def remarks(found: dict[str, Any]) -> str:
    """Why a peer has no figure, or where it computes something else."""
    if "failed" in found:
        return f"failed: {found['failed']}"
    return str(found.get("missing") or found.get("note") or "")


def speed(median: float, found: dict[str, Any]) -> str:
    """How many times as fast as the best peer; empty where there is none."""
    best = found["peers"].get(found["best"] or "", {}).get("median")
    return f"{amount(best / median)}×" if best else "–"


def verdict(name: str, found: dict[str, Any]) -> str:
    """Whether ours is as fast as is demanded."""
    faster, target = found["faster"].get(name), found.get("target")
    if name != "compiled" or faster is None or target is None:
        return "–"
    return f"{target:g}× {'reached' if faster >= target else '**not reached**'}"


def workloads(results: dict[str, Any]) -> list[str]:
    """One summary of ours, then one table for each workload."""
    lines = ["## Training", "", *summary(results), "", *notes()]
    for name, found in results.items():
        lines += ["", f"### {name}", "", *workload(found)]
    return lines


def notes() -> list[str]:
    """How to read the tables."""
    return [
        "Ours is a whole call of `fit`, divided by its steps, with its checks and its history; with several batches",
        "the history is asked for the running loss, as scikit-learn has it. *Limit*: multiplications at the speed of",
        "a large matrix product, bytes beyond the caches at the speed of reading memory, exponentials at the speed of",
        "NumPy's, all measured in this run. *Same*: parameters agree with the reference engine's after some steps.",
    ]


def summary(results: dict[str, Any]) -> list[str]:
    """Each of ours against the best peer and the limit."""
    rows = [
        [name, engine, scaled(ours, 1e-6), str(found["best"] or "–"), speed(ours["median"], found),
         verdict(engine, found), f"{amount(ours['median'] / found['limit']['seconds'])}×"]
        for name, found in results.items()
        for engine in OURS
        if "median" in (ours := found["peers"].get(engine, {}))
    ]  # fmt: skip
    head = ["workload", "engine", "µs a step", "best peer", "times as fast", "demanded", "of the limit"]
    return table(head, rows)


def workload(found: dict[str, Any]) -> list[str]:
    """One workload: all peers, the check, the limit."""
    limit, check = found["limit"], found["check"]
    rows = [
        [name, scaled(peer, 1e-6), speed(peer["median"], found) if "median" in peer else "–",
         f"{amount(peer['median'] / limit['seconds'])}×" if "median" in peer else "–",
         MARKS[peer.get("same")], remarks(peer)]
        for name, peer in found["peers"].items()
    ]  # fmt: skip
    parts = ", ".join(f"{name} {amount(1e6 * limit[name])}" for name in ("arithmetic", "memory", "functions"))
    return [
        f"{found['about']}; {found['source']}; {in_threads(found['threads'])}."
        f" Limit {amount(1e6 * limit['seconds'])} µs ({parts}). Compared after {check['steps']} steps in"
        f" {check['dtype']}, to {check['tolerance']:g} of the largest entry.",
        "",
        *table(["peer", "µs a step", "of the best peer's speed", "of the limit", "same", "remark"], rows),
    ]


def process(found: dict[str, Any]) -> list[str]:
    """Whole processes."""
    rows = [
        [name, scaled(peer, 1.0), speed(peer["median"], found) if "median" in peer else "–",
         f"{peer['right']:.3f}" if "right" in peer else "–", remarks(peer)]
        for name, peer in found["peers"].items()
    ]  # fmt: skip
    return [
        f"## Whole processes: two moons, {found['passes']:,} passes",
        "",
        f"From the start of `python -c` to its end, {in_threads(found['threads'])}, disk caches warm. Demanded of "
        f"the compiled engine: under {found['limit']:g} s.",
        "",
        *table(["peer", "seconds", "of the best peer's speed", "rows right", "remark"], rows),
    ]


def predict(results: dict[str, Any]) -> list[str]:
    """Predictions of large tables."""
    lines = ["## Predicting", "", "All rows at once, as a user calls it; memory is the peak beyond the result."]
    for case, found in results.items():
        rows = [
            [name, scaled(peer, 1e-3), speed(peer["median"], found) if "median" in peer else "–",
             f"{peer['beyond'] / 1e6:.1f}" if "beyond" in peer else "–", MARKS[peer.get("same")], remarks(peer)]
            for name, peer in found["peers"].items()
        ]  # fmt: skip
        head = ["peer", "ms", "of the best peer's speed", "MB beyond", "same", "remark"]
        lines += [
            "",
            f"### {case}: {found['rows']:,} rows, {in_threads(found['threads'])}",
            "",
            *table(head, rows),
        ]
    return lines


def memory(found: dict[str, Any]) -> list[str]:
    """The memory of the mnist workload."""
    rows = [
        [name, *(f"{peer[key] / 1e6:.0f}" if key in peer else "–" for key in MEMORY), remarks(peer)]
        for name, peer in found["peers"].items()
    ]  # fmt: skip
    return [
        "## Memory of the mnist workload",
        "",
        f"{found['source']}; {found['steps']} steps; MB. *Bare*: the process with its imports; *warm*: its peak "
        f"after a tiny training; *beyond*: the peak less bare and data. Demanded of ours: at most "
        f"{found['limit'] / 1e6:.0f} beyond.",
        "",
        *table(["peer", *MEMORY, "remark"], rows),
    ]


def overhead(results: dict[str, Any]) -> list[str]:
    """What callbacks and the like cost."""
    done = {name: found for name, found in results.items() if "variants" in found}
    kinds = list(next(iter(done.values()))["variants"]) if done else []
    rows = [
        [name, scaled(found["variants"]["bare"], 1e-6),
         *(f"{100 * found['variants'][kind]['cost']:+.1f} %" for kind in kinds[1:]),
         f"{100 * found['validation work']:.1f} %"]
        for name, found in done.items()
    ]  # fmt: skip
    missing = [f"- {name}: {remarks(found)}" for name, found in results.items() if name not in done]
    return [
        "## Overhead",
        "",
        "On top of the bare `fit`, by the medians of each round's ratios. The last column is the share of a pass's "
        "multiplications that predicting the validation rows (a tenth of the rows, after each pass) needs in any case.",
        "",
        *table(["workload, engine, processors", "bare, µs a step", *kinds[1:], "work of validation"], rows),
        *missing,
    ]


def curves(found: dict[str, Any]) -> list[str]:
    """The worst points of the growth curves."""
    rows = [
        [axis, name, f"{cliff['ratio']:.2f} at {cliff['n']:,}" if cliff else "–",
         MARKS[cliff["ratio"] <= CLIFF] if cliff else "–"]
        for axis, panel in found["axes"].items()
        for name, cliff in panel["cliffs"].items()
    ]  # fmt: skip
    return [
        "## Growth",
        "",
        f"Base case: {found['base']}; {in_threads(found['threads'])}; medians of {found['rounds']} rounds. The point "
        f"that is slowest against what its two neighbours suggest; at most {CLIFF} is demanded of ours. A slow peer is "
        "left out of the largest sizes.",
        "",
        "![Time of a step against width, depth, batch and rows](curves.png)",
        "",
        *table(["axis", "peer", "worst point", "smooth"], rows),
        *(f"- {name}: {remarks(why)}" for name, why in found["missing"].items()),
    ]


SECTIONS = {
    "workloads": workloads, "process": process, "predict": predict, "memory": memory, "overhead": overhead,
    "curves": curves,
}  # fmt: skip


def failures(results: dict[str, Any]) -> list[str]:
    """What must make the run fail: results that do not agree, and peers that broke down."""
    groups = {
        **results.get("workloads", {}),
        **{f"predict {case}": found for case, found in results.get("predict", {}).items()},
        **({"whole processes": results["process"]} if "process" in results else {}),
        **({"memory": results["memory"]} if "memory" in results else {}),
        **({"overhead": {"peers": results["overhead"]}} if "overhead" in results else {}),
    }
    return [
        f"{group}: {name} {remarks(peer) if 'failed' in peer else 'did not come to the same result'}"
        for group, found in groups.items()
        for name, peer in found["peers"].items()
        if "failed" in peer or peer.get("same") is False
    ]
