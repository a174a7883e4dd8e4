"""Count the tests of each promise in docs/testing.md: ``make promises``.

Usage: ``python tools/promises.py [--count] [--slow] [--write] [WORD …]``

- Without options, run the tests of all promises and print how many passed.  Words select promises that contain them.
- ``--count`` only counts the tests, ``--slow`` runs the slow ones, too, and prints what they counted themselves.
- ``--write`` also replaces the table in docs/testing.md.

A test counts for each promise that it belongs to.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "testing.md"
BEGIN, END = "<!-- counts: made by make promises -->", "<!-- end of counts -->"
BITS = "bits|bit_for_bit|last_bit|same_numbers"

# Each promise with the files of its tests, and what the names of the tests contain.
PROMISES: dict[str, tuple[tuple[str, ...], str]] = {
    "same seed, same bits": (("training", "compiled", "products", "program", "doctor"), BITS),
    "both engines agree": (("compiled", "products"), ""),
    "scripts repeat the training": (("script", "examples"), ""),
    "resumed runs end with the same bits": (("files", "recording"), "checkpoint|run|kill"),
    "other runs do not resume": (("checkpoint_settings",), ""),
    "Ctrl-C and kills leave whole epochs": (("interruptions",), ""),
    "saved models come back": (("files", "exports"), "back|again|agree|bits"),
    "damaged and hostile files are refused": (("hostile_files", "files", "tables", "datasets"),
                                              "damaged|cut_short|flipped|refused|absurd|odd|wires|hostile|of_any_kind"),
    "errors are of `workings.errors` and say what to change": (("bad_input", "ranges", "network", "columns"), ""),
    "gradients are right": (("gradients", "mathematics"), ""),
    "agreement with PyTorch": (("torch",), ""),
    "translated code trains the same": (("translate",), ""),
    "agreement with scikit-learn": (("sklearn",), ""),
    "exports predict the same": (("exports",), ""),
    "the code keeps to its rules": (("architecture", "language"), ""),
}  # fmt: skip


@dataclass
class Counts:
    """A pytest plugin that counts tests by promise.

    Attributes
    ----------
    tests, passed, failed : Counter
        The numbers of tests by promise.
    properties : Counter
        The sums of the numbers that tests recorded with ``record_property``.
    """

    tests: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    properties: Counter[str] = field(default_factory=Counter)

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        """Keep the tests of promises, and count them."""
        chosen = [item for item in items if promises_of(item.nodeid)]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen

    def pytest_collection_finish(self, session: Any) -> None:
        """Count the tests that were collected."""
        self.tests.update(promise for item in session.items for promise in promises_of(item.nodeid))

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Count a result."""
        is_over = report.when == "call" or report.outcome != "passed"
        if is_over and report.outcome != "skipped":
            outcomes = self.passed if report.outcome == "passed" else self.failed
            outcomes.update(promises_of(report.nodeid))
            self.properties.update({name: int(number) for name, number in report.user_properties})


def promises_of(test: str) -> list[str]:
    """Return the promises that a test belongs to, by its identifier."""
    path, _, name = test.partition("::")
    stem = Path(path).stem.removeprefix("test_")
    return [promise for promise, (files, words) in PROMISES.items() if stem in files and re.search(words, name)]


def table(counts: Counts, *, ran: bool) -> str:
    """Return the counts as a Markdown table."""
    lines = (
        ["| promise | tests | passed | failed |", "|---|---:|---:|---:|"]
        if ran
        else ["| promise | tests |", "|---|---:|"]
    )
    for promise, tests in ((promise, counts.tests[promise]) for promise in PROMISES):
        outcomes = f" {counts.passed[promise]:,} | {counts.failed[promise]:,} |" if ran else ""
        lines.append(f"| {promise} | {tests:,} |{outcomes}")
    return "\n".join([*lines, *("", *(f"- {name}: {number:,}" for name, number in counts.properties.items()))]).rstrip()


def written(page: str, counts: str) -> str:
    """Return a page with new counts between its marks."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{counts}\n\n{END}{rest.partition(END)[2]}"


def main(arguments: list[str]) -> int:
    """Run or count the tests; return pytest's exit status."""
    parser = argparse.ArgumentParser(description="Count the tests of each promise in docs/testing.md.")
    for option in ("--count", "--slow", "--write"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args(arguments)
    for promise in [name for name in PROMISES if options.words and not any(word in name for word in options.words)]:
        del PROMISES[promise]
    files = dict.fromkeys(f"tests/test_{name}.py" for names, _ in PROMISES.values() for name in names)
    counts = Counts()
    only = [] if options.slow else ["-m", "not slow"]
    status = pytest.main([*only, *(["--collect-only", "-qq"] if options.count else []), *files], plugins=[counts])
    found = table(counts, ran=not options.count)
    print(f"\n{found}")
    if options.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
