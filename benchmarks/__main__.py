"""``python -m benchmarks``: run the benchmarks, print the tables, write tables and raw figures to files.

Without arguments it runs all sections except the growth curves and the grid: eight workloads, whole processes, cold
starts, many fits, prediction, memory and overhead.  The exit status is 1 if the result of any library differs from the
reference engine's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import cold, curves, grid, machine, many, measure, memory, overhead, predicting, report, whole_process
from benchmarks.peers import DEFAULTS, FILES, OURS
from benchmarks.processes import AVX2, busy_core, say
from benchmarks.workloads import WORKLOADS

SECTIONS = ("steps", "process", "cold", "many", "predict", "memory", "overhead", "curves", "grid")
USUAL = SECTIONS[:-2]
EXAMPLES = """examples:
  python -m benchmarks                           all sections except the growth curves; takes minutes
  python -m benchmarks moons-3 digits-1          two workloads
  python -m benchmarks xor --peers compiled,numpy --rounds 3
  python -m benchmarks --only process            one section
  python -m benchmarks --only curves             the growth curves
  python -m benchmarks --only grid --peer-python jax-0.4.31=old/bin/python
                                                 the grid, also with another version of JAX
  python -m benchmarks --only steps --avx2 --busy
                                                 without AVX-512, with one core busy
"""


def parser() -> argparse.ArgumentParser:
    """Return the argument parser."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure the time per training step of Workings and other libraries, and its lower bound.",
    )  # fmt: skip
    made.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"workloads to measure: {', '.join(WORKLOADS)}")
    made.add_argument("--peers", type=commas, default=list(FILES), metavar="A,B", help=f"libraries: {', '.join(FILES)}")
    made.add_argument("--rounds", type=positive, default=7, help="timings per library (default 7)")
    made.add_argument("--out", type=Path, default=Path("workings-bench"), help="folder for the report")
    made.add_argument("--curves", action="store_true", help="also measure the growth curves")
    made.add_argument("--only", type=commas, default=None, metavar="A,B", help=f"sections: {', '.join(SECTIONS)}")
    made.add_argument("--curve-threads", type=positive, default=1, help="threads for the curves (default 1)")
    made.add_argument("--curve-rounds", type=positive, default=3, help="timings per point of the curves (default 3)")
    made.add_argument("--thin", type=positive, default=1, help="measure only every Nth point of the curves")
    made.add_argument("--cells", type=positive, default=grid.CELLS, help="cells of the grid (default %(default)s)")
    made.add_argument(
        "--again", default="", metavar="TEXT", help="cells of the grid to measure again: text in their name"
    )
    made.add_argument("--peer-python", type=named_path, action="append", default=[], metavar="NAME=PATH",
                      help="an interpreter with another version of JAX, for the grid; may be repeated")  # fmt: skip
    made.add_argument("--avx2", action="store_true", help="restrict all libraries to AVX2 and FMA")
    made.add_argument("--busy", action="store_true", help="keep one core busy meanwhile")
    made.add_argument("--clock", choices=("wall", "cpu"), default="wall",
                      help="seconds to compare in steps and overhead; cpu on a machine with other work")  # fmt: skip
    return made


def commas(text: str) -> list[str]:
    """Split a comma-separated list."""
    return [part.strip() for part in text.split(",") if part.strip()]


def named_path(text: str) -> tuple[str, str]:
    """Split NAME=PATH."""
    name, separator, path = text.partition("=")
    if not separator or not Path(path).exists():
        raise argparse.ArgumentTypeError(f"{text} is not NAME=PATH with the path of an interpreter")
    return name, path


def positive(text: str) -> int:
    """Convert to an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not an integer of at least 1")
    return value


def checked(made: argparse.ArgumentParser, arguments: argparse.Namespace) -> argparse.Namespace:
    """Reject unknown names and fill in defaults that depend on other arguments."""
    kinds = (("workload", arguments.workloads, WORKLOADS), ("library", arguments.peers, FILES))
    for kind, given, known in (*kinds, ("section", arguments.only or [], SECTIONS)):
        for name in given:
            if name not in known:
                made.error(f"unknown {kind} {name!r}; choose from {', '.join(known)}")
    if arguments.only is None:
        arguments.only = ["steps"] if arguments.workloads else list(USUAL)
        arguments.only += ["curves"] if arguments.curves else []
    arguments.workloads = arguments.workloads or list(WORKLOADS)
    return arguments


def sections(
    arguments: argparse.Namespace, folder: Path, results: dict[str, Any]
) -> dict[str, tuple[str, Callable[[], dict[str, Any]]]]:
    """Return, for each section, its key in the results and the function that measures it."""
    peers, rounds = arguments.peers, arguments.rounds
    ours = [name for name in peers if name in OURS]
    few, threads, thin = arguments.curve_rounds, arguments.curve_threads, arguments.thin
    return {
        "steps": ("workloads", lambda: steps(arguments, folder, results)),
        "process": ("process", lambda: whole_process.measure(peers, rounds, folder)),
        "cold": ("cold", lambda: cold.measure(rounds, folder)),
        "many": ("many", lambda: many.measure(rounds)),
        "predict": ("predict", lambda: predicting.measure(peers, rounds, folder)),
        "memory": ("memory", lambda: memory.measure(peers, folder)),
        "overhead": ("overhead", lambda: overhead.measure(ours, rounds, folder, arguments.clock)),
        "curves": ("curves", lambda: curves.measure(peers, few, folder, threads, thin)),
        "grid": ("grid", lambda: grid_of(arguments, folder)),
    }


def steps(arguments: argparse.Namespace, folder: Path, results: dict[str, Any]) -> dict[str, Any]:
    """Measure the selected workloads; write the report after each, because all of them take minutes."""
    found: dict[str, Any] = {}
    for name in arguments.workloads:
        workload, peers = WORKLOADS[name], list(arguments.peers)
        peers += DEFAULTS if "compiled" in peers and workload.batches > 1 else ()
        found[name] = measure.measure(workload, peers, arguments.rounds, folder, arguments.clock)
        report.write({**results, "workloads": found}, arguments.out)
    return found


def grid_of(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure the grid; its lines are in ``grid.jsonl`` beside the report."""
    results = arguments.out / "grid.jsonl"
    pythons = dict(arguments.peer_python)
    return grid.measure(arguments.cells, arguments.rounds, folder, results, pythons, arguments.again)


def main(given: Sequence[str] | None = None) -> int:
    """Measure the selected sections and write the report after each."""
    made = parser()
    arguments = checked(made, made.parse_args(given))
    if arguments.avx2:
        os.environ.update(AVX2)
    results: dict[str, Any] = {"machine": machine.describe(), "rounds": arguments.rounds, "began": time.strftime("%F")}
    results |= {"busy": arguments.busy, "clock": arguments.clock}
    paths: list[Path] = []
    try:
        with tempfile.TemporaryDirectory() as folder, busy_core() if arguments.busy else contextlib.nullcontext():
            for section, (name, run) in sections(arguments, Path(folder), results).items():
                if section in arguments.only:
                    results[name] = run()
                    paths = report.write(results, arguments.out)
    except KeyboardInterrupt:
        say("interrupted; the report contains the completed sections")
        return 130
    print(report.markdown(results))
    say(f"written: {', '.join(map(str, paths))}")
    return 1 if report.failures(results) else 0


if __name__ == "__main__":
    sys.exit(main())
