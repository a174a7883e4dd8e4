"""Measure how good the tests are: ``make mutants``.

A mutant is the package with one small fault: another operator, a comparison the other way round, a number plus one, a
loop that never runs.  The tests kill a mutant if one of them fails.  cosmic-ray makes the mutants; this script draws
some of them, runs the tests of the changed module, and prints how many were killed, and which survived.

Usage: ``python tools/mutants.py [--mutants 200] [--seed 0] [--only mathematics …] [--results FILE] [--again]``

Each mutant runs in a copy of the repository, one at a time: the nearest tests first, and if they pass, all other test
files that import the module.  Quick tests run before slow ones.  Mutants are left out if they change annotations only,
or replace ``==`` by ``is``.

Each result is a line of the results file.  A run that was stopped goes on from there; delete the file to start again.
``--again`` runs the survivors again, after tests were added.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import importlib
import itertools
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tools.quick import tests_of_module

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("workings", "tests", "docs", "examples", "tools", "conftest.py", "pyproject.toml", "README.md")

# What is mutated: files and folders of the package, by the name of their row in the table.
PARTS: dict[str, tuple[str, ...]] = {
    "mathematics": ("activations.py", "losses.py", "layers.py", "optimizers.py", "regularizers.py", "initializers.py",
                    "schedules.py", "metrics.py"),
    "program": ("program",),
    "model": ("model",),
    "training": ("training",),
    "safetensors and checkpoints": ("files/safetensors.py", "files/checkpoints.py"),
    "table preprocessing": ("tables/columns.py", "tables/preprocessing.py", "tables/features.py",
                            "tables/target_column.py"),
    "C writer": ("files/c.py", "files/c_loops.py"),
}  # fmt: skip
NEAREST = 5  # the tests that run first: the doctests of the module and the nearest test files
SECONDS = 300  # of processor time for these tests; sound code takes less than half of it
FURTHER_SECONDS = 600  # of processor time for the other test files that import the module, if those found nothing
QUICK = 0.2  # seconds of a test that runs before the slow ones
RESULTS = ROOT / "workings-bench" / "mutants.jsonl"
TEST_SECONDS = Path("seconds.json")  # in the copy: how long each test took
FAILED = Path("failed.txt")  # in the copy: the test that failed
ENDINGS = {0: "survived", 5: "survived", -signal.SIGXCPU: "killed by the time", -signal.SIGKILL: "killed by the time"}
PRELOADED = ("numpy", "scipy.optimize", "scipy.sparse", "safetensors.numpy", "pandas", "polars",
             "sklearn.base", "sklearn.neural_network", "sklearn.pipeline", "onnx", "onnxruntime")  # fmt: skip
OPERATORS_LEFT_OUT = re.compile(r"/Variable|Operator_(Eq|NotEq|Lt|LtE|Gt|GtE)_Is(Not)?$")


@dataclass(frozen=True)
class Mutant:
    """One change of a file: cosmic-ray's operator, and which of the places where it applies."""

    part: str
    file: str
    line: int
    operator: str
    occurrence: int

    def source(self, before: str) -> str | None:
        """Return the changed source; None if the change makes no difference."""
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        after: str | None = mutate_code(before, get_operator(self.operator)(), self.occurrence)
        return None if after is None or same_code(before, after) else after


def same_code(before: str, after: str) -> bool:
    """Whether two sources differ in annotations only; a source that Python refuses counts as the same."""
    try:
        return ast.dump(without_annotations(before)) == ast.dump(without_annotations(after))
    except SyntaxError:
        return True


def without_annotations(source: str) -> ast.AST:
    """Return the tree of a source without annotations, which nothing evaluates."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant("")
    return tree


def files_of(part: str) -> list[str]:
    """Return the files of a part, as paths in the repository."""
    places = [ROOT / "workings" / name for name in PARTS[part]]
    files = [file for place in places for file in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]
    return [file.relative_to(ROOT).as_posix() for file in files]


def mutants_of(part: str, file: str) -> dict[tuple[int, int], list[Mutant]]:
    """Return all mutants of a file by their place."""
    from cosmic_ray.ast import Visitor, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    names = [name for name in operator_names() if not OPERATORS_LEFT_OUT.search(name)]
    families: dict[str, list[str]] = defaultdict(list)  # operators that apply to the same places
    for name in names:
        families[re.sub(r"(ReplaceBinary|ReplaceComparison)(Operator_[^_]+)_.*", r"\1\2", name)].append(name)
    operators = [(several, get_operator(several[0])()) for several in families.values()]
    found: dict[tuple[int, int], list[Mutant]] = defaultdict(list)
    count: Counter[str] = Counter()

    class Places(Visitor):  # type: ignore[misc, unused-ignore]
        def visit(self, node: Any) -> Any:
            for several, operator in operators:
                for start, _ in operator.mutation_positions(node):
                    found[start] += [Mutant(part, file, start[0], name, count[name]) for name in several]
                    count.update(several)
            return node

    Places().walk(get_ast((ROOT / file).read_text(encoding="utf-8")))
    return found


def drawn(number: int, seed: int, parts: list[str]) -> Iterator[tuple[Mutant, str]]:
    """Yield mutants, drawn by their places, with the changed sources."""
    chance = random.Random(seed)
    places = [mutants for part in parts for file in files_of(part) for mutants in mutants_of(part, file).values()]
    print(f"{sum(map(len, places)):,} mutants at {len(places):,} places")
    chance.shuffle(places)
    chosen = (chance.choice(mutants) for mutants in places)
    sources = ((mutant, mutant.source((ROOT / mutant.file).read_text(encoding="utf-8"))) for mutant in chosen)
    yield from itertools.islice(((mutant, changed) for mutant, changed in sources if changed is not None), number)


# -- running the tests of a mutant -------------------------------------------------------------


def tests_for(file: str) -> list[str]:
    """Return the tests of a module as ``make quick`` chooses them: its doctests, then test files, the nearest first."""
    return [name for name in dict.fromkeys(tests_of_module(file)) if Path(name).exists()]


def fate(tests: list[str]) -> str:
    """Run the nearest tests of a mutant, and the others if these pass; return "killed", "survived" or why it ended."""
    found = run_tests(tests[:NEAREST], SECONDS)
    if found != "survived" or not tests[NEAREST:]:
        return found
    return "killed" if run_tests(tests[NEAREST:], FURTHER_SECONDS) == "killed" else "survived"


@cache
def passes_in_time(tests: tuple[str, ...]) -> bool:
    """Whether tests pass in the time of a mutant while the code has no fault, with nothing compiled before."""
    place = os.environ["WORKINGS_CACHE"]
    with tempfile.TemporaryDirectory() as empty:
        os.environ["WORKINGS_CACHE"] = empty
        found = run_tests(list(tests), SECONDS)
        os.environ["WORKINGS_CACHE"] = place
    return found == "survived"


class QuickFirst:
    """A pytest plugin that runs quick tests before slow ones; it keeps how long each took, and which one failed."""

    def __init__(self) -> None:
        self.path, self.failed = TEST_SECONDS.resolve(), FAILED.resolve()
        self.seconds: dict[str, float] = json.loads(self.path.read_text("utf-8")) if self.path.exists() else {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Run quick tests first; the tests of a file otherwise keep their order."""
        items.sort(key=lambda item: self.seconds.get(item.nodeid, 0.0) > QUICK)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the time of a test that has passed, and the name of one that has failed."""
        if report.failed:
            self.failed.write_text(report.nodeid, encoding="utf-8")
        elif report.when == "call":
            self.seconds[report.nodeid] = report.duration

    def pytest_sessionfinish(self) -> None:
        """Write the times."""
        self.path.write_text(json.dumps(self.seconds), encoding="utf-8")


def run_tests(tests: list[str], seconds: int) -> str:
    """Run test files in a process of its own; return "killed", "survived" or "killed by the time"."""
    child = os.fork()
    if child == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        status = 3
        with contextlib.suppress(BaseException):
            options = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", *tests]
            status = int(pytest.main(options, plugins=[QuickFirst()]))
        os._exit(status)
    return outcome(child, time.monotonic() + 10 * seconds)


def outcome(child: int, end: float) -> str:
    """Wait for a process of tests, at most until some time."""
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return ENDINGS.get(os.waitstatus_to_exitcode(status), "killed")
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "killed by the time"


def prepare_copy(folder: Path) -> None:
    """Copy the repository, and make it the one that is imported; import other packages once."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    os.chdir(folder)
    os.environ |= {"PYTHONPATH": str(folder), "WORKINGS_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.path[:] = [str(folder), *(path for path in sys.path if path not in ("", str(ROOT)))]
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


class Results:
    """The results of a run: one line of JSON for each mutant, so that a stopped run goes on.

    Parameters
    ----------
    path : Path
        The file; it is read if it exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def known(self, number: int, mutant: Mutant) -> str | None:
        """Return the result of a mutant of an earlier run; None if it was not run.  Other code has other mutants."""
        if number > len(self.lines):
            return None
        line = json.loads(self.lines[number - 1])
        if line["mutant"] != asdict(mutant):
            raise SystemExit(f"{self.path} has results of other code: its mutant {number} differs. Delete the file.")
        return str(line["found"])

    def set(self, number: int, mutant: Mutant, found: str) -> None:
        """Write the result of a mutant, with the test that found it."""
        test = FAILED.read_text(encoding="utf-8") if FAILED.exists() and found == "killed" else ""
        self.lines[number - 1 : number] = [json.dumps({"found": found, "test": test, "mutant": asdict(mutant)})]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("\n".join([*self.lines, ""]), encoding="utf-8")

    def check(self) -> None:
        """Raise an error if one of the tests that found a mutant fails without a mutant, too."""
        tests = sorted({line["test"] for line in map(json.loads, self.lines)} - {""})
        if tests and run_tests(tests, FURTHER_SECONDS) != "survived":
            raise SystemExit(f"Without a mutant, this test fails or takes too long: {FAILED.read_text('utf-8')}")


def report(counts: dict[str, Counter[str]]) -> str:
    """Return the counts by part as a Markdown table."""
    total = sum(counts.values(), Counter[str]())
    lines = ["| part | mutants | killed | rate |", "|---|---:|---:|---:|"]
    for name, outcomes in [*counts.items(), ("**all**", total)]:
        killed = outcomes.total() - outcomes["survived"]
        lines.append(f"| {name} | {outcomes.total()} | {killed} | {killed / max(outcomes.total(), 1):.0%} |")
    return "\n".join(lines)


def difference(file: str, changed: str) -> str:
    """Return the lines that differ."""
    before = (ROOT / file).read_text(encoding="utf-8").splitlines()
    lines = list(difflib.unified_diff(before, changed.splitlines(), lineterm="", n=0))[3:]
    return "\n".join(f"    {line}" for line in lines)


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure how many mutants of the package the tests kill.")
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], help="words of the parts")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of the results; a stopped run goes on")
    parser.add_argument("--again", action="store_true", help="also run the mutants again that no test found before")
    return parser.parse_args(arguments)


def result_of(mutant: Mutant, changed: str, folder: Path) -> str:
    """Put a mutant into the copy, run its tests, and take it out again."""
    tests, path = tests_for(mutant.file), folder / mutant.file
    sound = path.read_text(encoding="utf-8")
    path.write_text(changed, encoding="utf-8")
    FAILED.unlink(missing_ok=True)
    try:
        found = fate(tests)
    finally:
        path.write_text(sound, encoding="utf-8")
    if found == "killed by the time" and not passes_in_time(tuple(tests[:NEAREST])):
        raise SystemExit(f"Without a mutant, these tests fail or take too long: {' '.join(tests[:NEAREST])}")
    return found


def main(arguments: list[str]) -> int:
    """Draw mutants, run their tests, and print the counts and the survivors."""
    options = options_of(arguments)
    parts = [part for part in PARTS if not options.only or any(word in part for word in options.only)]
    results = Results(options.results.resolve())
    counts: dict[str, Counter[str]] = {part: Counter() for part in parts}
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name).resolve()
        prepare_copy(folder)
        for number, (mutant, changed) in enumerate(drawn(options.mutants, options.seed, parts), start=1):
            found = results.known(number, mutant)
            if found is None or (options.again and found == "survived"):
                found = result_of(mutant, changed, folder)
                results.set(number, mutant, found)
            counts[mutant.part][found] += 1
            print(f"{number} {found}: {mutant.file}:{mutant.line} {mutant.operator}", flush=True)
            if found == "survived":
                print(difference(mutant.file, changed), flush=True)
        results.check()
        os.chdir(ROOT)
    print(report(counts))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
