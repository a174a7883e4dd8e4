"""``python -m benchmarks``: measure, print the tables, write them and the raw figures.

Without arguments it measures everything but the growth curves: eight workloads, whole processes, predictions,
memory and overhead.  It ends with status 1 if any peer came to another result than the reference engine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import curves, machine, measure, memory, overhead, predicting, report, whole_process
from benchmarks.peers import FILES, OURS
from benchmarks.processes import say
from benchmarks.workloads import WORKLOADS

SECTIONS = ("steps", "process", "predict", "memory", "overhead", "curves")
EXAMPLES = """examples:
  python -m benchmarks                           everything but the curves; takes minutes
  python -m benchmarks moons-3 digits-1          two workloads
  python -m benchmarks xor --peers compiled,numpy --rounds 3
  python -m benchmarks --only process            one section
  python -m benchmarks --only curves             the growth curves
"""


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Time per training step, ours against other libraries and the limit of the machine.",
    )  # fmt: skip
    made.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"which trainings: {', '.join(WORKLOADS)}")
    made.add_argument("--peers", type=commas, default=list(FILES), metavar="A,B", help=f"of {', '.join(FILES)}")
    made.add_argument("--rounds", type=positive, default=7, help="how often each peer is timed (default 7)")
    made.add_argument("--out", type=Path, default=Path("workings-bench"), help="folder for the report")
    made.add_argument("--curves", action="store_true", help="measure the growth curves too")
    made.add_argument("--only", type=commas, default=None, metavar="A,B", help=f"sections: {', '.join(SECTIONS)}")
    made.add_argument("--curve-threads", type=positive, default=1, help="threads for the curves (default 1)")
    made.add_argument("--curve-rounds", type=positive, default=3, help="rounds for the curves (default 3)")
    made.add_argument("--thin", type=positive, default=1, help="take only every so many points of the curves")
    return made


def commas(text: str) -> list[str]:
    """Split a list at its commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def positive(text: str) -> int:
    """A whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return value


def checked(made: argparse.ArgumentParser, arguments: argparse.Namespace) -> argparse.Namespace:
    """Refuse unknown names; fill in what follows from the others."""
    kinds = (("workload", arguments.workloads, WORKLOADS), ("peer", arguments.peers, FILES))
    for kind, given, known in (*kinds, ("section", arguments.only or [], SECTIONS)):
        for name in given:
            if name not in known:
                made.error(f"there is no {kind} {name!r}; choose from {', '.join(known)}")
    if arguments.only is None:
        arguments.only = ["steps"] if arguments.workloads else list(SECTIONS[:-1])
        arguments.only += ["curves"] if arguments.curves else []
    arguments.workloads = arguments.workloads or list(WORKLOADS)
    return arguments


def sections(
    arguments: argparse.Namespace, folder: Path, results: dict[str, Any]
) -> dict[str, tuple[str, Callable[[], dict[str, Any]]]]:
    """What each section is called in the results, and what measures it."""
    peers, rounds = arguments.peers, arguments.rounds
    ours = [name for name in peers if name in OURS]
    few, threads, thin = arguments.curve_rounds, arguments.curve_threads, arguments.thin
    return {
        "steps": ("workloads", lambda: steps(arguments, folder, results)),
        "process": ("process", lambda: whole_process.measure(peers, rounds, folder)),
        "predict": ("predict", lambda: predicting.measure(peers, rounds, folder)),
        "memory": ("memory", lambda: memory.measure(peers, folder)),
        "overhead": ("overhead", lambda: overhead.measure(ours, rounds, folder)),
        "curves": ("curves", lambda: curves.measure(peers, few, folder, threads, thin)),
    }


def steps(arguments: argparse.Namespace, folder: Path, results: dict[str, Any]) -> dict[str, Any]:
    """All workloads that were asked for; the report is written after each, because together they take minutes."""
    found: dict[str, Any] = {}
    for name in arguments.workloads:
        found[name] = measure.measure(WORKLOADS[name], arguments.peers, arguments.rounds, folder)
        report.write({**results, "workloads": found}, arguments.out)
    return found


def main(given: Sequence[str] | None = None) -> int:
    """Measure what is asked for, and write the report after each section."""
    made = parser()
    arguments = checked(made, made.parse_args(given))
    results: dict[str, Any] = {"machine": machine.describe(), "rounds": arguments.rounds, "began": time.strftime("%F")}
    paths: list[Path] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            for section, (name, run) in sections(arguments, Path(folder), results).items():
                if section in arguments.only:
                    results[name] = run()
                    paths = report.write(results, arguments.out)
    except KeyboardInterrupt:
        say("ended early; the report holds what was complete")
        return 130
    print(report.markdown(results))
    say(f"written: {', '.join(map(str, paths))}")
    return 1 if report.failures(results) else 0


if __name__ == "__main__":
    sys.exit(main())
