"""The script: run by itself with NumPy alone, it ends with the bits of the reference engine."""

from __future__ import annotations

import builtins
import importlib
import io
import re
import runpy
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.strategies import optimizers, problems
from workings import (
    L2,
    LBFGS,
    SGD,
    Activation,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    Callback,
    CrossEntropy,
    Dense,
    DivergenceError,
    Dropout,
    EarlyStopping,
    InputError,
    Momentum,
    Network,
    Progress,
    SquaredError,
)
from workings.cli.commands import app
from workings.cli.table_plan import Plan, TableSource
from workings.cli.table_training import prepare
from workings.datasets import moons
from workings.errors import ProgramError
from workings.initializers import INITIALIZERS
from workings.readings.copying import CopiedCode
from workings.readings.script import save_script
from workings.readings.script.script_settings import Held
from workings.schedules import Cosine, Exponential, InverseScaling, OnPlateau, Step, WarmUp
from workings.tables import Preprocessing, read_table
from workings.tables.plain_csv import read_columns
from workings.tables.screening import ColumnChoices
from workings.training.fit import train

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


def agrees(network: Network, text: str, history: Any, rows: np.ndarray) -> dict[str, Any]:
    """Run a script and compare it with a network that the reference engine has trained, bit by bit."""
    names = run(text)
    for name, value in {**network.parameters, **network.statistics}.items():
        assert names[name].dtype == value.dtype
        assert names[name].tobytes() == value.tobytes(), name
    columns = {"loss": names["history"], **names.get("measures", {})}
    assert columns.keys() == history.keys() - {"lr"}
    for name, values in columns.items():
        assert np.array(values).tobytes() == np.array(history[name]).tobytes(), name
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
    agrees(networks[0], text, history, X.astype(networks[0].dtype))
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
    agrees(networks[0], text, history, problem.X)


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


# -- what a training is given beside rows -----------------------------------------------------

TANH = [Dense(4, "tanh"), Dense(2)]
HELD = (X[:20] * 1.1, Y[:20])
W = np.random.default_rng(1).uniform(0.2, 2, len(X))
NONE = np.where(np.arange(len(X)) % 7 == 0, 0.0, W)
SMALL: dict[str, Any] = {"optimizer": Adam(0.05), "epochs": 6}


def f1(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """the harmonic mean of precision and recall"""
    both = [(t, p) for t, p in zip(y_true, y_pred, strict=True) if t == 1 or p == 1]
    return 2 * sum(t == p for t, p in both) / max(sum(y_true) + sum(y_pred), 1)


GIVEN: dict[str, dict[str, Any]] = {
    "validation": {"validation": HELD},
    "share": {"validation": 0.3},
    "share of words": {"validation": 0.3, "y": np.array(["b", "a"])[Y]},
    "metrics": {"metrics": ["accuracy", "mean_squared_error"], "validation": HELD},
    "metrics of the training rows": {"metrics": ["accuracy"]},
    "metric of one's own": {"metrics": {"f1": f1}, "validation": 0.2},
    "row weights": {"sample_weight": W},
    "row weights, some 0": {"sample_weight": NONE, "metrics": ["accuracy"]},
    "row weights and validation": {"sample_weight": W, "validation": 0.3, "metrics": ["accuracy"]},
    "balanced": {"class_weight": "balanced", "X": X[:40], "y": Y[:40]},
    "class weights": {"class_weight": {0: 1, 1: 2.5}, "validation": HELD},
    "class without weight": {"class_weight": {"a": 0, "b": 2, "c": 1}, "layers": [Dense(4, "tanh"), Dense(3)],
                             "y": np.array(["a", "b", "c"])[np.arange(50) % 3]},
    "both weights": {"class_weight": "balanced", "sample_weight": NONE},
    "running loss": {"running_loss": True},
    "running loss, summed": {"running_loss": True, "loss": CrossEntropy(reduction="sum"), "sample_weight": W},
    "summed": {"loss": CrossEntropy(reduction="sum"), "validation": HELD, "metrics": ["accuracy"]},
    "one precision": {"dtype": "float32", "validation": 0.2, "sample_weight": W, "metrics": ["accuracy"]},
    "two labels": {"loss": BinaryCrossEntropy(), "layers": [Dense(4, "tanh"), Dense(1)], "class_weight": "balanced",
                   "validation": 0.3},
    "numbers": {"loss": SquaredError(), "layers": [Dense(4, "tanh"), Dense(1)], "y": X[:, 0] ** 2, "validation": 0.3,
                "metrics": ["r2", "mean_squared_error", "mean_absolute_error"]},
    "share without the rows of weight 0": {"sample_weight": NONE, "validation": 0.3, "metrics": ["accuracy"]},
    "share of the other classes": {"class_weight": {"a": 0}, "y": np.array(["a", "b", "c"])[np.arange(50) % 3],
                                   "layers": [Dense(4, "tanh"), Dense(3)], "validation": 0.25},
    "share with a class of one row": {"y": np.append(Y[1:], 2), "layers": [Dense(3)], "validation": 0.4},
    "share of one-hot rows": {"y": np.eye(2)[Y], "validation": 0.3},
    "share of several labels": {"y": np.stack([Y, 1 - Y], axis=1), "loss": BinaryCrossEntropy(), "validation": 0.3},
    "two numbers": {"loss": SquaredError(), "y": X**2, "validation": (X, X**2), "metrics": ["mean_absolute_error"]},
    "statistics and masks": {"layers": [Dense(4), BatchNorm("relu"), Dropout(0.2), Dense(2)], "validation": 0.3,
                             "callbacks": [EarlyStopping(patience=2)], "regularizer": L2(0.01)},
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("batch_size", [None, 16])
def test_whatever_a_training_is_given(name: str, batch_size: int | None) -> None:
    compare(**{"layers": TANH, **SMALL, "batch_size": batch_size, **GIVEN[name]})


RATE = OnPlateau(0.5, factor=0.5, patience=0, min_delta=0.01)


@pytest.mark.parametrize("monitor", ["loss", "val_loss", "val_accuracy", "accuracy"])
@pytest.mark.parametrize("batch_size", [None, 16])
def test_a_rate_that_follows_what_is_measured(monitor: str, batch_size: int | None) -> None:
    rate = replace(RATE, monitor=monitor)
    text = compare(TANH, optimizer=SGD(rate), epochs=12, batch_size=batch_size, validation=0.3, metrics=["accuracy"])
    rates = []
    exec(
        text.replace("    plateau = follow", "    rates.append(lr)\n    plateau = follow"),
        {"rates": rates, "print": str},
    )
    assert len(set(rates)) > 1, "the rate must have changed, or nothing was compared"


@pytest.mark.parametrize("monitor", ["loss", "val_loss", "val_accuracy", "accuracy"])
@pytest.mark.parametrize("batch_size", [None, 16])
def test_a_training_that_ends_early(monitor: str, batch_size: int | None) -> None:
    early = EarlyStopping(monitor, patience=3, min_delta=0.004)
    how: dict[str, Any] = {"optimizer": Momentum(0.3), "epochs": 60, "batch_size": batch_size, "validation": 0.3}
    text = compare(TANH, callbacks=[early, Progress(stream=io.StringIO())], metrics=["accuracy"], **how)
    assert 0 <= early.best_epoch < 59 - 3
    assert "break" in text


def test_early_stopping_puts_the_best_parameters_back_when_all_epochs_are_done() -> None:
    early = EarlyStopping("val_loss", patience=50)
    compare([Dense(1)], SquaredError(), y=X[:, 0], optimizer=SGD(0.9), epochs=8, batch_size=8, validation=0.3,
            callbacks=[early])  # fmt: skip
    assert early.best_epoch < 7


def test_rows_to_validate_on_and_weights_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("workings.readings.script.MOST_INLINE", 30)
    networks = [Network(TANH, loss=CrossEntropy(), seed=1, n_in=2) for _ in range(2)]
    how: dict[str, Any] = {**SMALL, "validation": HELD, "sample_weight": W}
    path, file = save_script(networks[0], "far.py", data=(X, Y), **how)
    assert file.name == "far-data.npz"
    text = path.read_text(encoding="utf-8")
    agrees(networks[1], text, networks[1].fit(X, Y, engine="reference", **how), X)
    assert "np.array([[" not in text


@settings(max_examples=40)
@given(problems(), st.booleans(), st.booleans(), st.sampled_from([None, 3]), st.integers(0, 2**32))
def test_any_network_with_validation_and_weights(
    problem: Any, weighted: bool, running: bool, batch_size: int | None, seed: int
) -> None:
    made = problem.network
    networks = [Network(made.layers, loss=made.loss, regularizer=made.regularizers, seed=seed) for _ in range(2)]
    weights = np.linspace(0.5, 2, len(problem.X)) if weighted else None
    how: dict[str, Any] = {"optimizer": Adam(0.01), "epochs": 4, "batch_size": batch_size, "sample_weight": weights,
                           "validation": (problem.X * 0.9, problem.y), "running_loss": running,
                           "callbacks": [EarlyStopping(patience=1)]}  # fmt: skip
    try:
        history = networks[0].fit(problem.X, problem.y, engine="reference", **how)
    except (DivergenceError, InputError):
        reject()
    text = networks[1].build(problem.X.shape[1]).script(data=(problem.X, problem.y), **how)
    agrees(networks[0], text, history, problem.X)


@pytest.mark.parametrize("made", [np.random.RandomState(3), np.random.Generator(np.random.MT19937(3))])
def test_what_is_drawn_goes_on_from_any_source(made: Any) -> None:
    network = Network([Dense(3, "tanh"), Dropout(0.2), Dense(2)], loss=CrossEntropy(), seed=made, n_in=2)
    how: dict[str, Any] = {"optimizer": Momentum(0.1), "epochs": 3, "batch_size": 16}
    text = network.script(weights="inline", data=(X, Y), **how)
    agrees(network, text, network.fit(X, Y, engine="reference", **how), X)


# -- tables -----------------------------------------------------------------------------------


def table_text(separator: str = ",", gaps: str = "", seed: int = 0) -> str:
    """A table of all that a column may hold: numbers, fractions, words, truth, quotes, and gaps if asked for."""
    rng, decimal = np.random.default_rng(seed), "," if separator == ";" else "."
    lines = [separator.join(['"size"', " weight", "colour", "sweet", "kind", "grade", "price", "ripe"])]
    for row in range(90):
        size, weight, price = int(rng.integers(1, 900)), rng.normal() * 7, rng.normal() * 300
        cells = [
            str(size),
            repr(weight),
            [" red", '"light, ""blue"""', "green"][row % 3],
            ["true", "false"][row % 2],
            ["apple", "pear", "fig"][rng.integers(3)],
            str(rng.choice([3, 5])),
            f"{price:.2f}",
            str(price > 0).lower(),
        ]
        cells = [cell.replace(".", decimal) for cell in cells]
        for column in (0, 1, 2):
            cells[column] = gaps if gaps != "" and rng.random() < 0.1 else cells[column]
            cells[column] = "" if gaps != "" and rng.random() < 0.1 else cells[column]
        lines.append(separator.join(cells))
    return "\n".join(lines) + "\n"


def trained_both(folder: Path, text: str, target: str, *options: str) -> tuple[Network, dict[str, np.ndarray]]:
    """Train on a table by the command line, and by the script that it writes, run in a Python of its own."""
    (folder / "fruit.csv").write_bytes(text.encode("utf-8-sig" if "\t" in text else "utf-8"))
    command = ["train", "fruit.csv", "--target", target, "--out", "out", "--script", "run.py", "--engine", "reference",
               "--epochs", "12", "--hidden", "7", "--seed", "4", *options]  # fmt: skip
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    network = Network.load("out/model.safetensors")
    names = "".join(f"{name}={name}, " for name in network.parameters)
    keep = f"\nnp.savez('found.npz', {names}predicted=predict(table))\n"
    script = Path("run.py").read_text(encoding="utf-8")
    assert not re.search(r"import (?!csv$|io$|math$|re$|unicodedata$|numpy as np$)", script, re.MULTILINE)
    Path("kept.py").write_text(script + keep, encoding="utf-8")
    subprocess.run([sys.executable, "-I", "kept.py"], check=True, capture_output=True)
    with np.load("found.npz") as found:
        return network, dict(found)


@pytest.mark.parametrize("target", ["kind", "grade", "ripe", "price"])
@pytest.mark.parametrize(("separator", "gaps"), [(",", ""), (";", " "), (",", "NA"), ("\t", "?")])
def test_the_training_on_a_table(
    target: str, separator: str, gaps: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--impute"] if gaps else []
    network, found = trained_both(tmp_path, table_text(separator, gaps), target, *options)
    for name, value in network.parameters.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-12)
    assert CliRunner().invoke(app, ["predict", "out/model.safetensors", "fruit.csv", "--out", "p.csv"]).exit_code == 0
    predicted = read_table("p.csv")["prediction"].to_numpy()
    if target == "price":
        np.testing.assert_allclose(found["predicted"], predicted, rtol=1e-9)
    else:
        assert (found["predicted"] == predicted).all()


@pytest.mark.parametrize(
    "options",
    [("--balanced", "--batch-size", "0"), ("--validation", "0"), ("--dropout", "0.2", "--l2", "0.01", "--drop", "size"),
     ("--patience", "0", "--lr", "0.3", "--optimizer", "momentum"), ("--loss", "BinaryCrossEntropy")],
)  # fmt: skip
def test_the_training_on_a_table_with_other_settings(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network, found = trained_both(tmp_path, table_text(), "grade", *options)
    for name, value in network.parameters.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-12)


def own_network(path: Path, **settings: Any) -> tuple[Network, np.ndarray, np.ndarray]:
    """A network that belongs to a table, with the table's X and y."""
    frame = read_table(path)
    preprocessing = Preprocessing.learn(frame, "kind")
    network = Network(
        [Dense(5, "tanh"), Dense(3)], loss=CrossEntropy(), seed=2, n_in=preprocessing.n_features, **settings
    )
    network.preprocessing = preprocessing.to_dict()
    return network, preprocessing.transform(frame), preprocessing.targets(frame)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_table_with_settings_of_fit(dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.csv"
    path.write_text(table_text(), encoding="utf-8")
    how: dict[str, Any] = {**SMALL, "validation": 0.25, "sample_weight": np.linspace(1, 2, 90), "metrics": ["accuracy"]}
    network, X, y = own_network(path, dtype=dtype)
    text = network.script(data=path, **how)
    history = network.fit(X, y, engine="reference", **how)
    names = {"__name__": "script", "print": str}
    exec(text, names)
    for name, value in network.parameters.items():
        assert names[name].tobytes() == value.tobytes()
    assert names["measures"]["val_loss"] == history["val_loss"]
    monkeypatch.chdir(tmp_path)
    other, _, _ = own_network(path, dtype=dtype)
    assert 'read_columns("data.csv"' in other.script(**how), "the table is what it looks for by itself"


def test_what_is_no_table_of_the_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fruit.csv"
    path.write_text(table_text().replace("colour", "color"), encoding="utf-8")
    network, _, _ = own_network(path)
    path.write_text(table_text(), encoding="utf-8")
    with pytest.raises(InputError, match="has no column 'color'"):
        network.script(optimizer=SGD(0.1), data=path)
    with pytest.raises(InputError, match="write the table as CSV"):
        network.script(optimizer=SGD(0.1), data="fruit.parquet")
    with pytest.raises(InputError, match="was not trained on one"):
        Network(TANH, loss=CrossEntropy(), seed=0, n_in=2).script(optimizer=SGD(0.1), data=path)
    with pytest.raises(InputError, match="Held rows are only for tables"):
        Network(TANH, loss=CrossEntropy(), seed=0, n_in=2).script(
            optimizer=SGD(0.1), data=(X, Y), validation=Held(5, 0)
        )
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        app, ["train", "fruit.csv", "--target", "kind", "--script", "run.py", "--optimizer", "lbfgs", "--out", "out"]
    )
    assert done.exit_code == 2
    assert "SciPy" in done.output
    assert not Path("out/model.safetensors").exists(), "it is said before the training"


def test_the_table_of_a_script_is_read_as_tables_are(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    rng = np.random.default_rng(0)
    values = [
        *(rng.normal(size=200) * 10.0 ** rng.integers(-300, 300, 200)).tolist(),
        0.1,
        1e22,
        5e-324,
        123456789012345678.0,
    ]
    path.write_text("a,b\n" + "".join(f"{value!r}, x\n" for value in values), encoding="utf-8")
    columns = read_columns(str(path), ("a",))
    assert (np.array(columns["a"]) == read_table(path)["a"].to_numpy()).all()
    assert columns["b"] == ["x"] * len(values)


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


@dataclass(frozen=True)
class Stairs:
    """A schedule of one's own that is more than one expression."""

    first: float
    least: float

    def __call__(self, t: int) -> float:
        rate = self.first
        for _ in range(t // 5):
            rate = rate / 3
        return max(rate, self.least)


@pytest.mark.parametrize("rate", [Stairs(0.9, 0.02), WarmUp(Stairs(0.9, 0.02), steps=3)])
def test_a_schedule_of_ones_own(rate: Any) -> None:
    text = compare([Dense(3, "tanh"), Dense(2)], optimizer=SGD(rate), epochs=5, batch_size=10)
    assert "def schedule(t):" in text


@pytest.mark.parametrize("labels", [["b", "a"], [3, 7], [False, True]])
@pytest.mark.parametrize("loss", ["classes", "labels"])
def test_labels(labels: list[Any], loss: str) -> None:
    y = np.array(labels)[Y]
    last, kind = (2, CrossEntropy()) if loss == "classes" else (1, BinaryCrossEntropy())
    compare([Dense(3, "tanh"), Dense(last)], kind, y=y, optimizer=Adam(), epochs=3, batch_size=16)


def test_more_rows_than_are_measured_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workings.model.chunks.CHUNK", 1024)
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
        agrees(network, text, history, X)


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
                               **task.script_settings)  # fmt: skip
    monkeypatch.chdir(tmp_path)
    again = importlib.import_module(f"workings.experiments.{name}").task()
    history = train(again.network, again.X, again.y, again.recipe, engine="reference")
    agrees(again.network, path.read_text(encoding="utf-8"), history, task.X)
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
    with pytest.raises(InputError, match="too many weights for a script"):
        network.script(weights="inline")


def test_a_network_from_a_random_state() -> None:
    networks = [Network([Dense(2)], loss=CrossEntropy(), seed=np.random.RandomState(7), n_in=2) for _ in range(2)]
    how: dict[str, Any] = {"optimizer": SGD(0.1), "epochs": 3, "batch_size": 16}
    text = networks[0].script(data=(X, Y), **how)
    assert "rng = np.random.RandomState(7)" in text
    agrees(networks[1], text, networks[1].fit(X, Y, engine="reference", **how), X)


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
    own, table = {"optimizer": Adam(0.01), "epochs": 2}, tmp_path / "fruit.csv"
    table.write_text(table_text(gaps="NA"), encoding="utf-8")
    plan = Plan(hidden="32,16", activation="relu", loss="auto", optimizer="adam", lr=None, epochs=2, batch_size=32,
                validation=0.2, patience=5, l2=0.1, dropout=0.2, balanced=True, seed=0, engine="reference")  # fmt: skip
    early, rate = [EarlyStopping("accuracy", patience=3)], OnPlateau(0.1, monitor="val_f1")
    texts = [
        prepare(TableSource(table, "kind", choices=ColumnChoices("fill")), plan).script(table, 0),
        prepare(TableSource(table, "price"), plan).script(table, 0),
        network.script(data=(X, Y), validation=0.2, callbacks=early, metrics=["accuracy"], **own),
        network.script(data=(X, Y), validation=HELD, metrics={"f1": f1}, **{**own, "optimizer": SGD(rate)}),
        network.script(data=(X, Y), sample_weight=NONE, running_loss=True, **own),
    ]
    for number, text in enumerate(texts):
        files.append(tmp_path / f"given{number}.py")
        files[-1].write_text(text, encoding="utf-8")
    network.learn_labels(np.array(["a", "b"])[Y])
    files.append(tmp_path / "predict.py")
    files[-1].write_text(network.script(weights="inline"), encoding="utf-8")
    for command in (["format", "--diff"], ["check", "--ignore", "PLR0124"]):  # a gap differs from itself
        done = subprocess.run(
            [RUFF, *command, "--isolated", *map(str, files)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("counts", [(40, 40, 40), (90, 20, 10), (117, 2, 1)])
def test_validation_rows_of_a_table_are_drawn_by_class(tmp_path: Path, counts: tuple[int, int, int]) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(["a", "b", "c"], counts))
    table = tmp_path / "t.csv"
    table.write_text("x,y\n" + "".join(f"{i % 7},{label}\n" for i, label in enumerate(labels)), encoding="utf-8")
    plan = Plan(hidden="4", activation="relu", loss="auto", optimizer="adam", lr=None, epochs=1, batch_size=32,
                validation=0.25, patience=5, l2=0, dropout=0, balanced=False, seed=0, engine="reference")  # fmt: skip
    training = prepare(TableSource(table, "y"), plan)
    X, y = training.validation
    drawn = (y[:, None] == np.array(["a", "b", "c"])).sum(axis=0)
    assert drawn.sum() == 30
    assert (np.abs(drawn - np.array(counts) / 4) < 1).all()
    (tmp_path / "t.py").write_text(training.script(table, 0), encoding="utf-8")
    found = runpy.run_path(str(tmp_path / "t.py"))
    assert np.array_equal(np.asarray(found["y_val"]).sum(axis=0), drawn)
    assert np.array_equal(found["X_val"], X)


class Watcher(Callback):
    """A callback of one's own, which might do anything."""

    def on_epoch_end(self, training: Any) -> None:
        training.set_rate(0.01)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"optimizer": LBFGS()}, "SciPy"), ({"optimizer": SGD(0.1), "epochs": 0}, "epochs must be"),
        ({"optimizer": SGD(0.1), "batch_size": 1.5}, "batch_size must be"), ({"weights": "none"}, "weights must be"),
        ({"optimizer": SGD(0.1), "data": (np.zeros((20000, 2)), np.zeros(20000))}, "too many for a script"),
        ({"optimizer": SGD(0.1), "data": "nowhere.npz"}, "labels in y are unknown"),
        ({"optimizer": SGD(OnPlateau(0.1, monitor="val_loss")), "data": (X, Y)}, "only loss. Give validation="),
        ({"optimizer": SGD(lambda t: 0.1), "data": (X, Y)}, "not a plain function"),
        ({"optimizer": SGD(0.1), "data": (X, Y), "callbacks": [Watcher()]}, "does not support Watcher"),
        ({"optimizer": SGD(0.1), "data": (X, Y), "callbacks": [EarlyStopping(len)]}, "monitors a column"),
        ({"optimizer": SGD(0.1), "data": (X, Y), "callbacks": [EarlyStopping("loss")] * 2}, "only one EarlyStopping"),
        ({"optimizer": SGD(0.1), "data": (X, Y), "callbacks": [EarlyStopping()]}, "only loss. Give validation="),
        ({"optimizer": SGD(0.1), "data": (X, Y), "metrics": ["recall"]}, "recall"),
        ({"optimizer": SGD(0.1), "data": (X, Y), "metrics": {"f1": lambda y, p: 0.0}}, "not a plain function"),
        ({"optimizer": SGD(0.1), "data": (X, Y), "validation": 3}, "validation must be"),
        ({"optimizer": SGD(0.1), "data": (X, Y), "validation": 0.001}, "leaves 0 for validation"),
        ({"optimizer": SGD(0.1), "data": (X, Y), "class_weight": {7: 2}}, "label in class_weight"),
        ({"optimizer": SGD(0.1), "data": (X, Y), "class_weight": "even"}, "class_weight must be"),
        ({"optimizer": SGD(0.1), "data": (X, Y), "sample_weight": [1, 2]}, "sample_weight has shape"),
        ({"optimizer": "adam"}, "must be an optimizer"), ({"optimizer": SGD(0.1), "data": X}, "data must be"),
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
    with pytest.raises(InputError, match="number of columns"):
        Network([Dense(2)], loss=CrossEntropy(), seed=0).script(optimizer=SGD(0.1))
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0)
    text = network.script(optimizer=SGD(0.1), epochs=3, data=(X, Y))
    assert network.n_in is None, "it is left as it was"
    agrees(network, text, network.fit(X, Y, optimizer=SGD(0.1), epochs=3, engine="reference"), X)


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
    with pytest.raises(InputError, match="'history' is a reserved name"):
        network.script(optimizer=SGD(0.1), data=(X, Y))


def test_settings_that_are_numbers_of_numpy() -> None:
    rate = Cosine(np.float64(0.1), steps=10)
    for lr in (np.float64(0.1), rate):
        compare([Dense(3, "tanh"), Dense(2)], optimizer=SGD(lr), epochs=3, batch_size=None, dtype="float32")


def test_two_things_of_one_name_are_refused() -> None:
    copied = CopiedCode()
    copied.add("scale", 2.0)
    with pytest.raises(ProgramError, match="named 'scale'"):
        copied.add("scale", 3.0)


@pytest.mark.parametrize("weighted", [False, True])
def test_after_the_loop_the_data_are_all_rows(weighted: bool) -> None:
    weights = np.arange(1.0, len(X) + 1) if weighted else None
    text = compare([Dense(3, "tanh"), Dense(2)], optimizer=SGD(0.1), epochs=2, batch_size=7, sample_weight=weights)
    found = run(text)
    assert found["X"].shape == X.shape
    assert found["y"].shape == (len(X), 2)
    assert found["n"] == len(X)
    assert not weighted or found["w"].shape == (len(X), 1)


@pytest.mark.parametrize("layers", [[Dense(2)], [Dense(3, "relu"), Dropout(0.1), Dense(2)], [BatchNorm(), Dense(2)]])
def test_the_idea_stands_before_the_data(layers: list[Any]) -> None:
    network = Network(layers, loss=CrossEntropy(), seed=0)
    text = network.script(optimizer=SGD(0.1), epochs=1, data=(X, Y))
    words = text[: text.index("import numpy")]
    for statement in network.build(X.shape[1]).inference_program().needed_for("p").statements:
        assert f"    {statement}\n" in words
    assert "Training repeats three things" in words
    assert text.index("Training repeats") < text.index("# -- Data") < text.index("X = np.array")


@pytest.mark.parametrize(
    ("values", "kept", "last"),
    [
        ([3.0, 2.0, 2.5, 1.0, 1.5, 1.4, 1.3], 3, 6), ([3.0, 2.0, 2.0, 2.0, 2.0], 1, 4), ([1.0, 2.0, 3.0, 4.0], 0, 3),
        ([np.nan, np.nan, 5.0, np.nan, 6.0, 7.0], 2, 5), ([np.nan] * 6, 0, 3), ([np.inf, np.inf, 1.0, 2.0], 2, 3),
    ],
)  # fmt: skip
def test_early_stopping_of_a_script_is_that_of_the_library(values: list[float], kept: int, last: int) -> None:
    early = EarlyStopping("val_loss", patience=3)
    text = network_script_with(early)
    begin = next(line for line in text.splitlines() if line.startswith("best_value"))
    loop = text[text.index('    watched = measures["val_loss"]') : text.index("# Restore the parameters")]
    code = "import math\n" + begin + "\nfor epoch in range(len(values)):\n"
    code += loop.replace('measures["val_loss"][-1]', "values[epoch]").replace("(W1, b1)", "epoch")
    names: dict[str, Any] = {"values": values}
    exec(code, names)
    assert (names["best"], names["epoch"]) == (kept, last)
    state = early.follow((np.inf, -1, 0), 0, values)
    assert (state[1], state[1] + state[2]) == (kept, last)


def network_script_with(early: EarlyStopping) -> str:
    """A script with early stopping."""
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    return network.script(optimizer=SGD(0.1), data=(X, Y), validation=0.2, callbacks=[early])


def test_early_stopping_is_readable() -> None:
    text = network_script_with(EarlyStopping("val_loss", patience=4, min_delta=0.01))
    assert "def watch" not in text
    assert "if epoch == 0 or is_first or watched < best_value - 0.01:" in text
    assert "elif epoch - best_epoch >= 4:\n        break" in text
    assert "stop after 4 epochs without a better one" in re.sub(r"\n\s+# ", " ", text)
