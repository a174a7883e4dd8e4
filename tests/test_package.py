"""The package: its types for a user's mypy --strict, and its installation with each extra."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from tools.install_matrix import EXTRAS, PYTHONS, oldest_versions
from workings import __version__

ROOT = Path(__file__).resolve().parents[1]
USER = '''
"""A program of a user who checks types."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workings import SGD, Callback, CrossEntropy, Dense, EarlyStopping, History, Network, Signals, Snapshots, plots
from workings.datasets import moons
from workings.errors import WorkingsError
from workings.sklearn import MLPClassifier


class Stop(Callback):
    """Stop at a small loss."""

    def __init__(self, below: float) -> None:
        self.below = below


def train(layers: list[Dense], path: Path) -> tuple[Network, History]:
    """Train, save and load a network."""
    X, y = moons()
    net = Network(layers, loss=CrossEntropy(), seed=0)
    snapshots, signals = Snapshots(count=3), Signals(X[:50], y[:50])
    history = net.fit(X, y, optimizer=SGD(0.5), epochs=5, batch_size=32, validation=0.2,
                      callbacks=[Stop(0.1), EarlyStopping("val_loss", patience=2), snapshots, signals])
    try:
        written: Path = net.save(path)
    except WorkingsError as error:
        raise SystemExit(str(error)) from error
    again: Network = Network.load(written)
    p: NDArray[np.floating] = again.predict_proba(X)
    losses: list[float] = history["loss"]
    text: str = net.summary() + str(net.equations()) + str(net.explain(X[:4], y[:4])) + str(p.shape) + str(losses)
    assert text
    plots.save(plots.boundary(net, X, y), path.with_suffix(".png"))
    plots.replay(net, X, y, snapshots, path.with_suffix(".gif"))
    plots.save(plots.signals(signals), path.with_suffix(".png"))
    return again, history


estimator = MLPClassifier((3,), max_iter=10)
net, history = train([Dense(3, "tanh"), Dense(2)], Path("m.safetensors"))
score: float = net.score(*moons())
'''
WRONG = """
from workings import Dense, Network, SGD, CrossEntropy

net = Network([Dense("three")], loss=CrossEntropy())
net.fit([[1.0]], [0], optimizer=SGD(0.1), epochs="five")
net.no_such_method()
"""


def mypy(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Check a program as a user does, with mypy --strict."""
    pytest.importorskip("mypy")
    (folder / "user.py").write_text(code, encoding="utf-8")
    (folder / "mypy.ini").write_text("[mypy]\nstrict = true\n", encoding="utf-8")
    options = ["--config-file", "mypy.ini", "--cache-dir", str(folder / "cache")]
    return subprocess.run(
        [sys.executable, "-m", "mypy", *options, "user.py"], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_user_s_program_passes_mypy_strict(tmp_path):
    done = mypy(tmp_path, USER)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_user_s_mistakes_are_found_by_mypy(tmp_path):
    done = mypy(tmp_path, WRONG)
    for words in ('"Dense"', "epochs", "no_such_method"):
        assert words in done.stdout, done.stdout


def test_the_user_s_program_runs(tmp_path):
    code = textwrap.dedent(USER)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "m.gif").exists()


def without_typer(argument: str) -> subprocess.CompletedProcess[str]:
    """Run the command as if typer were not installed."""
    code = f"import sys; sys.modules['typer'] = None; sys.argv[1:] = [{argument!r}]\n"
    code += "from workings.cli.main import run\nrun()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_version_needs_no_extra():
    done = without_typer("--version")
    assert done.stdout == f"workings {__version__}\n", done.stderr


def test_a_command_without_its_extra_is_one_line():
    done = without_typer("museum")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "[cli]" in done.stderr


def test_the_matrix_covers_every_extra_and_the_oldest_python():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    too_large = {"torch", "keras", "bench", "tables", "dev"}
    assert set(project["optional-dependencies"]) - too_large == set(EXTRAS) - {""}
    assert project["requires-python"] == f">={PYTHONS[0]}"
    assert "numpy==2.0" in oldest_versions()


def test_the_package_says_that_it_has_types():
    assert (ROOT / "workings" / "py.typed").exists()


@pytest.mark.slow
def test_the_package_installs_with_each_extra_on_the_oldest_python():
    done = subprocess.run(
        [sys.executable, "tools/install_matrix.py", "--pythons", PYTHONS[0]], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
