"""The report: tables in Markdown and all raw figures in JSON.

Both files are written under a temporary name and then renamed, so that an interrupted run leaves the last
complete report.  This module measures nothing; a figure that was not measured is not in a table.
"""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.curves import CLIFF
from benchmarks.grid import FACTORS, KNOWN_ROWS, losses
from benchmarks.overhead import LIMIT
from benchmarks.peers import OURS
from benchmarks.processes import in_threads
from workings.support.atomic_files import write_bytes

MEMORY = ("bare", "warm", "data", "peak", "beyond")
PICTURES = {"curves": "benchmarks.picture", "grid": "benchmarks.grid_picture"}  # the module that plots a section
MARKS = {True: "yes", False: "**NO**", None: "–"}


def write(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write bench.md, bench.json, and the plots of the sections that have one."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "bench.md", folder / "bench.json"]
    write_bytes(paths[0], markdown(results).encode())
    write_bytes(paths[1], (json.dumps(results, indent=1) + "\n").encode())
    paths += [picture(name, results[name], folder) for name in PICTURES if name in results]
    return [path for path in paths if path.exists()]


def picture(name: str, found: dict[str, Any], folder: Path) -> Path:
    """Plot a section if Matplotlib is installed; return the path of the image."""
    path = folder / f"{name}.png"
    with contextlib.suppress(ImportError):
        importlib.import_module(PICTURES[name]).draw(found, folder / f"{name}-new.png").replace(path)
    return path


def markdown(results: dict[str, Any]) -> str:
    """Return the whole report; its last section lists the failures."""
    lines = ["# Benchmarks", "", *machine(results["machine"], results["rounds"])]
    for name, section in SECTIONS.items():
        if name in results:
            lines += ["", *section(results[name])]
    bad = failures(results)
    lines += ["", "## Checks", "", *(f"- **{text}**" for text in bad)] if bad else ["", "All results agree."]
    return "\n".join([*lines, ""])


def machine(found: dict[str, Any], rounds: int) -> list[str]:
    """Return the machine and the versions of the libraries."""
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items() if number)
    kinds = [[str(value) for key, value in found.items() if key != "num_threads"] for found in found["libraries"]]
    blas = "; ".join(map(" ".join, kinds))
    features = f" ({', '.join(found['features'])})" if found["features"] else ""
    features += f", restricted with {found['restricted']}" if found["restricted"] else ""
    return [
        f"{found['processor']}, {found['cores']} cores{features}; {found['system']}.",
        f"{found['python']}; {versions}" + (f"; {blas}." if blas else "."),
        f"Medians of {rounds} rounds, quartiles in parentheses. The libraries take turns in each round.",
    ]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table with the first column aligned left and the others right."""
    marks = [":--", *["--:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)]


def amount(value: float) -> str:
    """Format a number to three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def scaled(found: dict[str, Any], unit: float) -> str:
    """Format a median with its quartiles."""
    if "median" not in found:
        return "–"
    return f"{amount(found['median'] / unit)} ({amount(found['low'] / unit)}–{amount(found['high'] / unit)})"


def remarks(found: dict[str, Any]) -> str:
    """Return why a library has no figure, or how its computation differs."""
    if "failed" in found:
        return f"failed: {found['failed']}"
    return str(found.get("missing") or found.get("note") or "")


def speed(median: float, found: dict[str, Any]) -> str:
    """Format the speedup over the fastest other library; a dash if there is none."""
    best = found["peers"].get(found["best"] or "", {}).get("median")
    return f"{amount(best / median)}×" if best else "–"


def verdict(name: str, found: dict[str, Any]) -> str:
    """Say whether the compiled engine reaches its target speedup."""
    faster, target = found["faster"].get(name), found.get("target")
    if name != "compiled" or faster is None or target is None:
        return "–"
    return f"{target:g}× {'reached' if faster >= target else '**not reached**'}"


def workloads(results: dict[str, Any]) -> list[str]:
    """Return the summary of both engines, then one table per workload."""
    lines = ["## Training", "", *summary(results), "", *notes()]
    for name, found in results.items():
        lines += ["", f"### {name}", "", *workload(found)]
    return lines


def notes() -> list[str]:
    """Explain how to read the tables."""
    return [
        "The time of Workings (engines `compiled` and `reference`) is a whole call of `fit` divided by its steps,",
        "including checks and history; with several batches, the history records the running loss, as scikit-learn",
        "does; `compiled-default` computes the loss of all rows before each epoch.",
        "*Speedup*: relative to the fastest other library. *Lower bound*: multiplications at the speed of a",
        "large matrix product, bytes beyond the caches at the speed of reading memory, and exponentials at NumPy's",
        "speed, all measured in this run. *Same*: parameters agree with the reference engine's after some steps.",
    ]


def summary(results: dict[str, Any]) -> list[str]:
    """Return both engines against the fastest other library and the lower bound."""
    rows = [
        [name, engine, scaled(ours, 1e-6), str(found["best"] or "–"), speed(ours["median"], found),
         verdict(engine, found), f"{amount(ours['median'] / found['limit']['seconds'])}×"]
        for name, found in results.items()
        for engine in OURS
        if "median" in (ours := found["peers"].get(engine, {}))
    ]  # fmt: skip
    head = ["workload", "engine", "µs per step", "best other library", "speedup", "target", "time / lower bound"]
    return table(head, rows)


def workload(found: dict[str, Any]) -> list[str]:
    """Return the table of one workload: all libraries, the check, the lower bound."""
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
        f" Lower bound {amount(1e6 * limit['seconds'])} µs ({parts}). Parameters compared after {check['steps']} steps"
        f" in {check['dtype']}, to {check['tolerance']:g} of the largest entry.",
        "",
        *table(["library", "µs per step", "speedup", "time / lower bound", "same", "remark"], rows),
    ]


def process(found: dict[str, Any]) -> list[str]:
    """Return the table of whole processes."""
    rows = [
        [name, scaled(peer, 1.0), speed(peer["median"], found) if "median" in peer else "–",
         f"{peer['right']:.3f}" if "right" in peer else "–", remarks(peer)]
        for name, peer in found["peers"].items()
    ]  # fmt: skip
    return [
        f"## Whole processes: two moons, {found['passes']:,} epochs",
        "",
        f"From the start of `python -c` to its end, {in_threads(found['threads'])}, warm disk caches. Target for the "
        f"compiled engine: under {found['limit']:g} s.",
        "",
        *table(["library", "seconds", "speedup", "accuracy", "remark"], rows),
    ]


def many(results: dict[str, Any]) -> list[str]:
    """Return the table of many fits."""
    rows = []
    for name, found in results.items():
        alone, together = found["one by one"]["median"], found["together"]["median"]
        rows.append([name, f"{alone:.2f}", f"{together:.2f}", f"{alone / together:.2f} ×"])
    return [
        "## Many fits",
        "",
        "CPU milliseconds for each fit of a new network, with 32 networks on one core. *Gain*: the throughput of "
        "`fit_many` relative to that of `fit`.",
        "",
        *table(["network and fit", "`fit`, ms", "`fit_many`, ms", "gain"], rows),
    ]


def cold(results: dict[str, Any]) -> list[str]:
    """Return the table of first fits in processes with an empty cache."""
    rows = []
    for case, found in results.items():
        for peer, figures in found.items():
            cells = [f"{figures[name]['median']:.3g}" if name in figures else "–" for name in COLD]
            rows.append([case, peer, *cells])
    return [
        "## Cold starts",
        "",
        "New processes with an empty cache, one thread; medians, in seconds of CPU time except for the last column. "
        "*Another*: the first fit of a new network or estimator of the same structure.",
        "",
        *table(["case", "library or engine", *COLD.values()], rows),
    ]


def predict(results: dict[str, Any]) -> list[str]:
    """Return the tables of prediction on many rows."""
    lines = ["## Prediction", "", "All rows in one call; memory is the peak beyond the result."]
    for case, found in results.items():
        rows = [
            [name, scaled(peer, 1e-3), speed(peer["median"], found) if "median" in peer else "–",
             f"{peer['beyond'] / 1e6:.1f}" if "beyond" in peer else "–", MARKS[peer.get("same")], remarks(peer)]
            for name, peer in found["peers"].items()
        ]  # fmt: skip
        head = ["library", "ms", "speedup", "MB beyond the result", "same", "remark"]
        lines += [
            "",
            f"### {case}: {found['rows']:,} rows, {in_threads(found['threads'])}",
            "",
            *table(head, rows),
        ]
    return lines


def memory(found: dict[str, Any]) -> list[str]:
    """Return the table of memory for the mnist workload."""
    rows = [
        [name, *(f"{peer[key] / 1e6:.0f}" if key in peer else "–" for key in MEMORY), remarks(peer)]
        for name, peer in found["peers"].items()
    ]  # fmt: skip
    return [
        "## Memory of the mnist workload",
        "",
        f"{found['source']}; {found['steps']} steps; MB. *Bare*: the process with its imports; *warm*: its peak "
        f"after a tiny training; *beyond*: the peak minus bare and data. Target for the compiled engine: at most "
        f"{found['limit'] / 1e6:.0f} beyond.",
        "",
        *table(["library", *MEMORY, "remark"], rows),
    ]


def overhead(results: dict[str, Any]) -> list[str]:
    """Return the table of the overhead of validation and callbacks."""
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
        "## Overhead of validation and callbacks",
        "",
        "Additional time relative to a plain `fit`: medians of each round's ratios. Last column: multiplications for "
        "predicting the validation rows (a tenth of the rows, after each epoch), relative to those of an epoch. "
        f"Target: under {100 * LIMIT:g} % in each column, except when all options are combined.",
        "",
        *table(["workload, engine, cores", "plain, µs per step", *kinds[1:], "validation work"], rows),
        *missing,
    ]


def curves(found: dict[str, Any]) -> list[str]:
    """Return the largest jump of each growth curve."""
    rows = [
        [axis, name, f"{cliff['ratio']:.2f} at {cliff['n']:,}" if cliff else "–",
         MARKS[cliff["ratio"] <= CLIFF] if cliff else "–"]
        for axis, panel in found["axes"].items()
        for name, cliff in panel["cliffs"].items()
    ]  # fmt: skip
    return [
        "## Growth",
        "",
        f"Base case: {found['base']}; {in_threads(found['threads'])}; medians of {found['rounds']} rounds. *Largest "
        f"jump*: time relative to the straight line between the neighbouring points; target for Workings: at most "
        f"{CLIFF}. Slow libraries are left out of the largest sizes.",
        "",
        "![Time of a step against width, depth, batch and rows](curves.png)",
        "",
        *table(["axis", "library", "largest jump", "within target"], rows),
        *(f"- {name}: {remarks(why)}" for name, why in found["missing"].items()),
    ]


def grid(found: dict[str, Any]) -> list[str]:
    """Return the spread of the speedups for each level of each factor, the known rows, and the slower cells."""
    rows = [[level, str(len(values)), *map(speedup, quantiles(values))] for level, values in levels_of(found)]
    known = [cell_row(line) for name, line in found.items() if name in {one.name for one in KNOWN_ROWS}]
    slower = [cell_row(line) for _, line in losses(found)]
    head = ["network, rows", "Workings", "fastest other", "its time", "speedup"]
    return [
        "## Grid",
        "",
        "CPU time of a step over all rows, one thread; speedup over the fastest other library of each cell.",
        "",
        "![Speedup of every cell](grid.png)",
        "",
        *table(["cells with", "number", "lowest", "lower quartile", "median", "highest"], rows),
        "",
        *table(head, known),
        "",
        *(
            ["Cells in which another library is faster:", "", *table(head, slower)]
            if slower
            else ["No cell is slower."]
        ),
    ]


def levels_of(found: dict[str, Any]) -> Iterator[tuple[str, list[float]]]:
    """Yield each level of each factor with the speedups of its cells, beginning with all cells."""
    lines = [line for line in found.values() if line["ratio"]]
    yield "all", [line["ratio"]["speedup"] for line in lines]
    for factor, levels in FACTORS.items():
        for level in levels:
            values = [line["ratio"]["speedup"] for line in lines if factor_of(line["workload"], factor) == level]
            if values:
                yield f"{factor} {level}", values


def factor_of(workload: dict[str, Any], factor: str) -> Any:
    """Return the level of a factor in a cell of the grid."""
    sizes = workload["sizes"]
    of_sizes = {"layers": len(sizes) - 2, "width": sizes[1], "inputs": sizes[0], "outputs": sizes[-1]}
    return of_sizes[factor] if factor in of_sizes else workload[factor]


def quantiles(values: Sequence[float]) -> list[float]:
    """Return the lowest, the lower quartile, the median and the highest."""
    return [float(value) for value in np.quantile(values, [0, 0.25, 0.5, 1])]


def speedup(value: float) -> str:
    """Format a speedup."""
    return f"{value:.2f} ×" if value < 10 else f"{value:.0f} ×"


def cell_row(line: dict[str, Any]) -> list[str]:
    """Return the row of a cell of the grid."""
    ratio, peers = line["ratio"], line["peers"]
    if not ratio:
        return [line["name"], "–", "–", "–", "–"]
    best = ratio["best"]
    times = [amount(peers[name]["median"] * 1e6) + " µs" for name in ("compiled", best)]
    return [line["name"], times[0], best, times[1], speedup(ratio["speedup"])]


COLD = {"first": "first fit", "second": "second fit", "another": "another", "cpu": "process", "wall": "process, wall"}
SECTIONS = {
    "workloads": workloads, "process": process, "cold": cold, "many": many, "predict": predict, "memory": memory,
    "overhead": overhead, "curves": curves, "grid": grid,
}  # fmt: skip


def failures(results: dict[str, Any]) -> list[str]:
    """Return the reasons for exit status 1: results that differ and libraries that failed."""
    groups = {
        **results.get("workloads", {}),
        **{f"predict {case}": found for case, found in results.get("predict", {}).items()},
        **({"whole processes": results["process"]} if "process" in results else {}),
        **({"memory": results["memory"]} if "memory" in results else {}),
        **{f"grid {name}": line for name, line in results.get("grid", {}).items()},
        **({"overhead": {"peers": results["overhead"]}} if "overhead" in results else {}),
    }
    return [
        f"{group}: {name} {remarks(peer) if 'failed' in peer else 'result differs from the reference engine'}"
        for group, found in groups.items()
        for name, peer in found["peers"].items()
        if "failed" in peer or peer.get("same") is False
    ]
