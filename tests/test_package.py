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
from typing import Any, assert_type

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from numpy.typing import NDArray

from workings import SGD, Callback, CrossEntropy, Dense, EarlyStopping, Ensemble, History, Network, Program
from workings import Checkpoint, Signals, Snapshots, Trace, files, fit_many, plots, sweep, tables
from workings.datasets import moons
from workings.errors import WorkingsError
from workings.search.fits import FitResult
from workings.sklearn import MLPClassifier, MLPRegressor
from workings.training.callbacks import RunningTraining


class Stop(Callback):
    """Stop at a small loss."""

    def __init__(self, below: float) -> None:
        self.below = below

    def on_epoch_end(self, training: RunningTraining) -> None:
        if assert_type(training.history["loss"][-1], float) < self.below:
            training.stop("a small loss")


def made(units: int, lr: float, seed: int) -> tuple[Network, dict[str, Any]]:
    """Make a network of a sweep."""
    layers = [Dense(units, "tanh"), Dense(2)]
    return Network(layers, loss=CrossEntropy(), seed=seed), {"optimizer": SGD(lr), "epochs": 3}


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


X, y = moons(40)
net, history = train([Dense(3, "tanh"), Dense(2)], Path("m.safetensors"))
assert_type(net.score(X, y), float)
assert_type(net.parameters["W1"], NDArray[Any])
assert_type(net.program(), Program)
assert_type(net.trace(X, y), Trace)
assert_type(files.load(files.save(net, "m.json").paths[0]), Network)
assert_type(plots.confusion(y, net.predict(X)), Axes)

estimator = assert_type(MLPClassifier((3,), tol=1.0, random_state=0).fit(X, y), MLPClassifier)
assert_type(estimator.partial_fit(X, y), MLPClassifier)
assert_type(estimator.predict(X), NDArray[Any])
assert_type(estimator.network_, Network)
assert_type(estimator.loss_curve_, list[float])
assert_type(MLPRegressor("squared_error", (3,), solver="lbfgs").fit(X, X[:, 0]), MLPRegressor)

networks = [Network([Dense(2)], loss=CrossEntropy(), seed=seed) for seed in range(2)]
assert_type(fit_many(networks, X, y, optimizer=SGD(0.1), epochs=1, callbacks=[]), list[History])
ensemble = Ensemble(networks)
assert_type(ensemble[0], Network)
assert_type(ensemble[:1], tuple[Network, ...])
assert_type(ensemble.predict(X), NDArray[Any])
networks[0].fit(X, y, optimizer=SGD(0.1), epochs=2, callbacks=[Checkpoint("run.safetensors", resume=True)])

results = sweep(made, {"units": [2], "lr": [0.1, 0.2]}, X, y)
assert_type(results[0], FitResult)
assert_type(results.best.val_loss, float)

pl.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]}).write_csv("t.csv")
table = assert_type(tables.read_table("t.csv"), pl.DataFrame)
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
    left_out = {"torch", "keras", "bench", "tables", "dev", "mpi"}  # they are large, or bring a system library
    assert set(project["optional-dependencies"]) - left_out == set(EXTRAS) - {""}
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
