"""Run the tests of what changed, in about a minute: ``make quick``.

Changed files are those that differ from the main branch; on the main branch itself, those that are not committed yet.
For each of them, these tests run, and always ``tests/test_architecture.py``:

- a test file or a Markdown page: itself,
- a module: its doctests, the test files named after it or its folder, and those that ``TESTS`` lists for it.  If there
  are none, the test files that import it.

When the time is up, the remaining tests are skipped and counted; ``make test`` runs everything.  The time begins when
the tests are collected.
"""

from __future__ import annotations

import ast
import functools
import math
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 45.0
MAIN = ("main", "origin/main")
ALWAYS = "tests/test_architecture.py"

# Test files that are not named after the module or folder that they test.
TESTS: dict[str, tuple[str, ...]] = {
    "activations": ("mathematics", "gradients", "program"),
    "losses": ("ranges", "mathematics", "gradients", "program"),
    "layers": ("ranges", "gradients", "program", "mathematics"),
    "optimizers": ("ranges", "mathematics", "program", "training"),
    "regularizers": ("ranges", "gradients", "mathematics"),
    "initializers": ("ranges", "mathematics", "network"),
    "schedules": ("ranges", "mathematics", "training"),
    "metrics": ("mathematics", "training"),
    "formulas": ("program", "equations"),
    "trace": ("program", "network"),
    "program": ("gradients", "equations"),
    "support": ("network", "bad_input", "files"),
    "arrays": ("bad_input", "network"),
    "errors": ("bad_input",),
    "atomic_files": ("files",),
    "identity": ("checkpoint_settings",),
    "interruption": ("interruptions",),
    "lowering": ("compiled", "exports"),
    "engines": ("compiled", "products"),
    "reference": ("program", "network"),
    "model": ("network", "files"),
    "targets": ("network", "bad_input"),
    "training": ("history", "recording"),
    "parallel": ("workers",),
    "exchanges": ("clusters",),
    "rows": ("streams",),
    "shuffling": ("streams",),
    "streamed_batches": ("streams",),
    "streamed_data": ("streams",),
    "step_runners": ("fit_many", "compiled"),
    "early_stopping": ("training", "interruptions"),
    "loop": ("interruptions", "training"),
    "callbacks": ("training", "history"),
    "epoch_blocks": ("recording",),
    "evaluation": ("history",),
    "lbfgs": ("training",),
    "checks": ("gradients", "doctor"),
    "mistakes": ("museum", "doctor"),
    "readings": ("equations", "worked_step"),
    "influence": ("worked_step",),
    "copying": ("script",),
    "columns": ("tables", "files"),
    "preprocessing": ("tables", "columns", "table_streams"),
    "features": ("tables", "columns", "table_streams"),
    "checkpoints": ("checkpoint_settings", "files"),
    "prediction": ("network", "streams"),
    "c": ("exports", "export_values"),
    "c_loops": ("exports", "export_values"),
    "plain_csv": ("tables", "script"),
    "files": ("hostile_files", "exports"),
    "table_models": ("cli",),
    "table_phrasing": ("cli", "doctor"),
    "network": ("training", "bad_input"),
    "colours": ("plots",),
}
EVERYTHING = ("network", "training")  # for a module that nothing above names


def git(*arguments: str) -> str:
    """Return what a git command prints; an empty text if it fails."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def base() -> str:
    """Return the commit to compare with: where this branch left the main branch, or else the last commit."""
    points = (git("merge-base", "HEAD", name) for name in MAIN)
    return next((point for point in points if point and point != git("rev-parse", "HEAD")), "HEAD")


def changed_files() -> list[str]:
    """Return the files that differ from the base and those that git does not know yet, if they still exist."""
    names = git("diff", "--name-only", base()).splitlines()
    names += git("ls-files", "--others", "--exclude-standard").splitlines()
    return [name for name in dict.fromkeys(names) if (ROOT / name).is_file()]


@functools.cache
def imported_by(test: Path) -> set[str]:
    """Return the modules that a test file imports, with those that ``from a import b`` may mean."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return found


def names_of_tests(module: str) -> Iterator[str]:
    """Yield names of test files for a module such as ``workings.readings.script.data_section``, the nearest first."""
    for part in reversed(module.split(".")[1:]):
        yield part
        yield from TESTS.get(part, ())


def names_of_importing_tests(module: str) -> Iterator[str]:
    """Yield names of the test files that import a module."""
    for test in sorted((ROOT / "tests").glob("test_*.py")):
        if module in imported_by(test):
            yield test.stem.removeprefix("test_")


def tests_of_module(path: str) -> Iterator[str]:
    """Yield the tests of a module of the package: its doctests first."""
    yield path
    module = ".".join(PurePosixPath(path).with_suffix("").parts).removesuffix(".__init__")
    found = [name for name in names_of_tests(module) if (ROOT / "tests" / f"test_{name}.py").exists()]
    yield from (f"tests/test_{name}.py" for name in found or list(names_of_importing_tests(module)) or EVERYTHING)


def tests_for(path: str) -> Iterator[str]:
    """Yield what pytest is to run for one changed file."""
    name = PurePosixPath(path)
    if path.startswith("workings/") and name.suffix == ".py":
        yield from tests_of_module(path)
    elif path.startswith("tests/") and name.name.startswith("test_"):
        yield path
    elif name.suffix == ".md" and (path.startswith("docs/") or len(name.parts) == 1):
        yield path
        yield "tests/test_language.py"
    elif name.parts[0] == "tools":
        yield "tests/test_language.py"
    elif name.parts[0] == "examples":
        yield "tests/test_examples.py"


def selection(changed: Iterable[str]) -> list[str]:
    """Return what pytest is to run, without repetitions: changed tests and the nearest tests first."""
    lists = [list(tests_for(path)) for path in changed]
    own = [items[0] for items in lists if items]
    rest = [item for items in lists for item in items[1:]]
    return [item for item in dict.fromkeys([*own, ALWAYS, *rest]) if (ROOT / item).exists()]


class Budget:
    """A pytest plugin that skips tests when the time is up; it begins after the collection."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.end = seconds, math.inf
        self.ran, self.left = 0, 0

    def pytest_collection_finish(self) -> None:
        """Start the clock."""
        self.end = time.monotonic() + self.seconds

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip a test that would begin too late."""
        if time.monotonic() > self.end:
            self.left += 1
            pytest.skip("the time of `make quick` is up")
        self.ran += 1


def main() -> int:
    """Run the selected tests; return pytest's exit status."""
    chosen = selection(changed_files())
    print("quick:", *chosen)
    budget = Budget(SECONDS)
    status = pytest.main(["-m", "not slow", "--maxfail=5", *chosen], plugins=[budget])
    if budget.left:
        print(f"quick: {budget.left} tests were left out after {SECONDS:.0f} seconds; `make test` runs them all.")
    if not budget.ran:
        print("quick: no test ran.")
        return 1
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
