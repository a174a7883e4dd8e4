"""The count of tests by promise: every promise has tests, and the page shows the counts."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools.promises import BEGIN, END, PAGE, PROMISES, Counts, promises_of, table, written

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_has_tests(promise: str) -> None:
    files, words = PROMISES[promise]
    for name in files:
        source = (ROOT / "tests" / f"test_{name}.py").read_text(encoding="utf-8")
        assert any(re.search(words, test) for test in re.findall(r"def (test_\w+)", source)), name


def test_the_page_names_each_promise_with_a_count() -> None:
    counts = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert re.findall(r"^\| ([^|]+) \| +[\d,]+ \|", counts, flags=re.MULTILINE) == list(PROMISES)


def test_results_are_counted_by_promise() -> None:
    counts, name = Counts(), "tests/test_interruptions.py::test_x"
    counts.tests.update(promises_of(name))
    for when, outcome in (("setup", "passed"), ("call", "failed"), ("teardown", "passed")):
        report = SimpleNamespace(when=when, outcome=outcome, nodeid=name, user_properties=[("kills", 50)])
        counts.pytest_runtest_logreport(report)
    assert "| Ctrl-C and kills leave whole epochs | 1 | 0 | 1 |" in table(counts, ran=True)
    assert table(counts, ran=True).endswith("\n- kills: 50")
    assert promises_of("tests/test_files.py::test_settings_of_checkpoint") == ["resumed runs end with the same bits"]
    assert promises_of("tests/test_cli.py::test_x") == []


def test_only_the_counts_of_a_page_are_replaced() -> None:
    page = f"# Page\n\n{BEGIN}\n\nold\n\n{END}\n\nrest\n"
    assert written(page, "new") == page.replace("old", "new")
