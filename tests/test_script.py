"""The script: run by itself with NumPy alone, it ends with the bits of the reference engine."""

from __future__ import annotations

import builtins
import importlib
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from tests.strategies import optimizers, problems
from workings import (
    L2,
    LBFGS,
    SGD,
    Activation,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    CrossEntropy,
    Dense,
    DivergenceError,
    Dropout,
    InputError,
    Momentum,
    Network,
    SquaredError,
)
from workings.datasets import moons
from workings.errors import ProgramError
from workings.initializers import INITIALIZERS
from workings.readings.copying import Copied
from workings.readings.script import save_script
from workings.schedules import Cosine, Exponential, InverseScaling, OnPlateau, Step, WarmUp

X, Y = moons(n=50, seed=0)
ROOT = Path(__file__).parent.parent
ALLOWED = ("numpy", "math")
RUFF = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))


def run(text: str) -> dict[str, Any]:
    """Run a script that may import NumPy and math, and nothing else."""

    def guarded(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        asks = (globals or {}).get("__name__")
        assert asks != "script" or name.split(".")[0] in ALLOWED, f"the script imports {name}"
        return __import__(name, globals, locals, fromlist, level)

    names = {
        "__name__": "script",
        "__builtins__": {**vars(builtins), "__import__": guarded, "print": lambda text: None},
    }
    with np.errstate(all="ignore"):
        exec(compile(text, "script.py", "exec"), names)
    return names


def agrees(network: Network, text: str, losses: list[float], rows: np.ndarray) -> dict[str, Any]:
    """Run a script and compare it with a network that the reference engine has trained, bit by bit."""
    names = run(text)
    for name, value in {**network.parameters, **network.statistics}.items():
        assert names[name].dtype == value.dtype
        assert names[name].tobytes() == value.tobytes(), name
    assert np.array(names["history"]).tobytes() == np.array(losses).tobytes()
    few = rows[:64]  # as many as the library predicts in one piece
    assert names["outputs"](few).tobytes() == network.outputs(few, engine="reference").tobytes()
    found, expected = names["predict"](few), network.predict(few)
    assert found.shape == expected.shape
    assert (found == expected).all()
    return names


def compare(layers: list[Any], loss: Any = None, X: np.ndarray = X, y: np.ndarray = Y, **how: Any) -> str:
    """Train by the reference engine and by the script."""
    own = {name: how.pop(name) for name in ("dtype", "regularizer") if name in how}
    networks = [Network(layers, loss=loss or CrossEntropy(), seed=5, **own) for _ in range(2)]
    history = networks[0].fit(X, y, engine="reference", **how)
    text = networks[1].build(X.shape[1]).script(data=(X, y), **how)
    agrees(networks[0], text, history["loss"], X.astype(networks[0].dtype))
    return text


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(problems(), optimizers(), st.sampled_from([None, 1, 2, 3]), st.booleans(), st.integers(0, 2**32))
def test_any_network(problem: Any, optimizer: Any, batch_size: int | None, shuffle: bool, seed: int) -> None:
    made = problem.network
    networks = [Network(made.layers, loss=made.loss, regularizer=made.regularizers, seed=seed) for _ in range(2)]
    how: dict[str, Any] = {"optimizer": optimizer, "epochs": 4, "batch_size": batch_size, "shuffle": shuffle}
    try:
        history = networks[0].fit(problem.X, problem.y, engine="reference", **how)
    except (DivergenceError, InputError):  # too few rows for BatchNorm, or labels that do not occur
        reject()
    text = networks[1].build(problem.X.shape[1]).script(data=(problem.X, problem.y), **how)
    agrees(networks[0], text, history["loss"], problem.X)


@pytest.mark.parametrize(
    "rate",
    [
        Step(0.1, every=3), Exponential(0.1, factor=0.9), InverseScaling(0.1), Cosine(0.1, steps=9),
        WarmUp(Cosine(0.3, steps=20), steps=4), OnPlateau(2.0, factor=0.5, patience=1, min_delta=0.05),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("batch_size", [None, 20])
def test_schedules(rate: Any, batch_size: int | None) -> None:
    compare([Dense(3, "tanh"), Dense(2)], optimizer=SGD(rate), epochs=12, batch_size=batch_size)


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_initializers(name: str, dtype: str) -> None:
    layers = [Dense(3, "tanh", weights=name, biases="normal"), BatchNorm("relu"), Dropout(0.2), Dense(2)]
    text = compare(layers, optimizer=Momentum(0.1), epochs=3, batch_size=16, dtype=dtype, regularizer=L2(0.01))
    assert dtype == "float32" or "float32" not in text


def test_numbers_that_are_given() -> None:
    W = np.arange(6.0).reshape(2, 3) / 7
    compare([Dense(3, "sigmoid", weights=W, biases=[1, 2, 3]), Dense(2)], optimizer=SGD(0.1), epochs=3, batch_size=None)


def mine(rng: Any, shape: tuple[int, ...]) -> np.ndarray:
    """a third of a standard normal"""
    return rng.standard_normal(shape) / 3


def halved(t: int) -> float:
    """half as much every ten steps"""
    rate = 0.5
    for _ in range(t // 10):
        rate = rate / 2
    return rate


def test_functions_of_ones_own() -> None:
    text = compare([Dense(3, "gelu", weights=mine), Dense(2)], optimizer=SGD(halved), epochs=5, batch_size=10)
    assert "def halved(t):" in text
    assert "def erf(x):" in text


@pytest.mark.parametrize("labels", [["b", "a"], [3, 7], [False, True]])
@pytest.mark.parametrize("loss", ["classes", "labels"])
def test_labels(labels: list[Any], loss: str) -> None:
    y = np.array(labels)[Y]
    last, kind = (2, CrossEntropy()) if loss == "classes" else (1, BinaryCrossEntropy())
    compare([Dense(3, "tanh"), Dense(last)], kind, y=y, optimizer=Adam(), epochs=3, batch_size=16)


def test_more_rows_than_are_measured_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workings.network.CHUNK", 1024)
    text = compare([Dense(3, "tanh"), Dense(2)], X=np.tile(X, (3, 1)), y=np.tile(Y, 3), optimizer=SGD(0.1), epochs=2)
    assert "64 rows at a time" in text


def test_weights_and_data_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    network = Network([Dense(3, "tanh"), BatchNorm(), Dropout(0.1), Dense(2)], loss=CrossEntropy(), seed=1)
    how: dict[str, Any] = {"optimizer": Adam(0.01), "epochs": 3, "batch_size": 16}
    network.fit(X, Y, **how)
    np.savez("weights.npz", **network.parameters, **network.statistics)
    np.savez("data.npz", X=X, y=Y)
    texts = [network.script(weights=weights, **how) for weights in ("file", "inline")]
    assert all('np.load("data.npz")' in text for text in texts)
    history = network.fit(X, Y, engine="reference", **how)  # goes on from where it is, as the scripts do
    for text in texts:
        agrees(network, text, history["loss"], X)


def test_a_script_that_only_predicts() -> None:
    network = Network([Dense(3, "gelu"), Dense(1)], loss=SquaredError(), seed=1)
    network.fit(X, X[:, 0], optimizer=Adam(0.01), epochs=3)
    text = network.script()
    assert "epoch" not in text
    assert run(text)["outputs"](X).tobytes() == network.outputs(X, engine="reference").tobytes()


@pytest.mark.parametrize(
    "name",
    ["xor", "moons", pytest.param("digits", marks=pytest.mark.slow), pytest.param("mnist", marks=pytest.mark.slow)],
)
def test_scripts_of_the_experiments(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = importlib.import_module(f"workings.experiments.{name}").task()
    path, *files = save_script(task.network.build(task.X.shape[1], task.X.dtype), tmp_path / f"{name}.py",
                               data=(task.X, task.y), **task.settings)  # fmt: skip
    monkeypatch.chdir(tmp_path)
    again = importlib.import_module(f"workings.experiments.{name}").task()
    history = again.network.fit(again.X, again.y, engine="reference", **again.settings)
    agrees(again.network, path.read_text(encoding="utf-8"), history["loss"], task.X)
    assert len(files) == (name in ("digits", "mnist"))


@pytest.mark.parametrize("name", ["xor", "moons", "digits", "mnist"])
def test_the_scripts_in_the_docs_are_those_of_today(name: str) -> None:
    """``python tools/write_scripts.py`` writes them anew."""
    tool = runpy.run_path(str(ROOT / "tools" / "write_scripts.py"))
    assert (ROOT / "docs" / "scripts" / f"{name}.py").read_text(encoding="utf-8") == tool["text_of"](name)


def test_weights_that_are_too_many_go_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network([Dense(300, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=100)
    path, weights = save_script(network, tmp_path / "wide.py")
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(0).normal(size=(5, 100))
    assert run(path.read_text(encoding="utf-8"))["outputs"](rows).tobytes() == network.outputs(rows).tobytes()
    assert weights.name == "wide-weights.npz"
    with pytest.raises(InputError, match="cannot stand in a script"):
        network.script(weights="inline")


def test_a_network_from_a_random_state() -> None:
    networks = [Network([Dense(2)], loss=CrossEntropy(), seed=np.random.RandomState(7), n_in=2) for _ in range(2)]
    how: dict[str, Any] = {"optimizer": SGD(0.1), "epochs": 3, "batch_size": 16}
    text = networks[0].script(data=(X, Y), **how)
    assert "rng = np.random.RandomState(7)" in text
    agrees(networks[1], text, networks[1].fit(X, Y, engine="reference", **how)["loss"], X)


def test_it_runs_under_jax_where_it_says_so() -> None:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    network = Network([Dense(5, "gelu"), BatchNorm("relu"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    how: dict[str, Any] = {"optimizer": Adam(0.01), "epochs": 5, "batch_size": 20, "shuffle": False}
    text = network.script(weights="inline", data=(X, Y), **how)
    assert "jax.numpy" in text
    assert "jax.numpy" not in network.script(data=(X, Y), **how), "first weights are drawn by NumPy"
    names: dict[str, Any] = {}
    exec(text.replace("import numpy as np", "import jax.numpy as np").replace("print", "str"), names)
    history = network.fit(X, Y, engine="reference", **how)
    np.testing.assert_allclose(names["history"], history["loss"], rtol=1e-12)


def test_formatters_leave_it_as_it_is(tmp_path: Path) -> None:
    layers = [Dense(3, "gelu", weights=mine), BatchNorm("selu"), Dropout(0.2), Dense(40, "elu"), Dense(2)]
    files = []
    for number, (batch_size, rate) in enumerate([(None, 0.1), (16, WarmUp(Cosine(0.1, steps=10), steps=3))]):
        network = Network(layers, loss=CrossEntropy(label_smoothing=0.1), regularizer=L2(0.01), seed=0, n_in=2)
        text = network.script(optimizer=Adam(rate), epochs=2, batch_size=batch_size, data=(X, Y))
        files.append(tmp_path / f"script{number}.py")
        files[-1].write_text(text, encoding="utf-8")
    network.learn_labels(np.array(["a", "b"])[Y])
    files.append(tmp_path / "predict.py")
    files[-1].write_text(network.script(weights="inline"), encoding="utf-8")
    for command in (["format", "--diff"], ["check"]):
        done = subprocess.run(
            [RUFF, *command, "--isolated", *map(str, files)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"optimizer": LBFGS()}, "SciPy"), ({"optimizer": SGD(0.1), "epochs": 0}, "epochs must be"),
        ({"optimizer": SGD(0.1), "batch_size": 1.5}, "batch_size must be"), ({"weights": "none"}, "weights is"),
        ({"optimizer": SGD(0.1), "data": (np.zeros((20000, 2)), np.zeros(20000))}, "too many to stand in a script"),
        ({"optimizer": SGD(0.1), "data": "nowhere.npz"}, "Which labels"),
        ({"optimizer": SGD(OnPlateau(0.1, monitor="val_loss")), "data": (X, Y)}, "does not measure"),
        ({"optimizer": SGD(lambda t: 0.1), "data": (X, Y)}, "no plain function"),
        ({"optimizer": "adam"}, "must be an optimizer"), ({"optimizer": SGD(0.1), "data": X}, "data is"),
        ({"optimizer": SGD(0.1), "data": (X[:, :1], Y)}, "columns"),
        ({"optimizer": SGD(0.1), "data": (np.where(X > 1, np.nan, X), Y)}, "nan"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_refused(settings: dict[str, Any], words: str) -> None:
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    with pytest.raises((InputError, ProgramError), match=words):
        network.script(**settings)


def test_a_network_without_seed_or_columns() -> None:
    with pytest.raises(InputError, match="has no seed"):
        Network([Dense(2)], loss=CrossEntropy(), n_in=2).script(optimizer=SGD(0.1), data=(X, Y))
    with pytest.raises(InputError, match="how many columns"):
        Network([Dense(2)], loss=CrossEntropy(), seed=0).script(optimizer=SGD(0.1))
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0)
    text = network.script(optimizer=SGD(0.1), epochs=3, data=(X, Y))
    assert network.n_in is None, "it is left as it was"
    agrees(network, text, network.fit(X, Y, optimizer=SGD(0.1), epochs=3, engine="reference")["loss"], X)
    random = Network([Dense(2)], loss=CrossEntropy(), seed=np.random.RandomState(0), n_in=2)
    with pytest.raises(InputError, match="RandomState"):
        random.script(optimizer=SGD(0.1), weights="inline", data=(X, Y))


def history(z: np.ndarray) -> np.ndarray:
    """is z, in a roundabout way"""
    for _ in range(1):
        z = z + 0
    return z


def history_prime(z: np.ndarray) -> np.ndarray:
    """is 1 everywhere"""
    return np.ones_like(z)


def test_a_name_that_the_script_uses_itself_is_refused() -> None:
    mine = Activation("mine", history, history_prime)
    network = Network([Dense(2, mine), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    with pytest.raises(InputError, match="'history' is a name that the script uses itself"):
        network.script(optimizer=SGD(0.1), data=(X, Y))


def test_settings_that_are_numbers_of_numpy() -> None:
    rate = Cosine(np.float64(0.1), steps=10)
    for lr in (np.float64(0.1), rate):
        compare([Dense(3, "tanh"), Dense(2)], optimizer=SGD(lr), epochs=3, batch_size=None, dtype="float32")


def test_two_things_of_one_name_are_refused() -> None:
    copied = Copied()
    copied.add("scale", 2.0)
    with pytest.raises(ProgramError, match="called 'scale'"):
        copied.add("scale", 3.0)
