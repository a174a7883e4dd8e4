"""Exports: what is written runs elsewhere and predicts the same, and what cannot be written is refused by its name."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import math
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.strategies import Problem, problems
from workings import (
    SGD,
    Activation,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    CrossEntropy,
    Dense,
    Dropout,
    FileError,
    InputError,
    Layer,
    MissingExtraError,
    Network,
    Poisson,
    ProgramError,
    SquaredError,
    WorkingsWarning,
    check_gradients,
    files,
)
from workings.activations import ACTIVATIONS
from workings.files import c_loops, onnx_nodes
from workings.files.c import compiler_here
from workings.files.json import text_of
from workings.losses import LOSSES
from workings.tables import Preprocessing
from workings.tables.columns import CategoryColumn, Columns, NumberColumn, columns_in

polars = pytest.importorskip("polars")
needs_c = pytest.mark.skipif(compiler_here() is None, reason="there is no C compiler")
# In float32, one random network in twenty is off by more than 1e-6, by up to 2e-6: exp(z) magnifies a last bit.
NEAR = {"float32": 4e-6, "float64": 1e-12}
FEW = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


RNG = np.random.default_rng(1)
X = RNG.normal(size=(80, 3))


def session(path: Path) -> Any:
    """A file in onnxruntime."""
    runtime = pytest.importorskip("onnxruntime")
    return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def in_precision(network: Network, dtype: str) -> Network:
    """The same network in one of the two precisions."""
    made = Network(network.layers, loss=network.loss, seed=3, dtype=dtype).build(network.n_in or 1)
    rng = np.random.default_rng(0)
    for name, values in made.statistics.items():  # as training leaves them
        made.statistics[name] = (values + rng.uniform(0, 0.5, values.shape)).astype(values.dtype)
    return made


def close(found: Any, expected: Any, dtype: str) -> bool:
    """Whether predictions are equal but for rounding: relative to their own size, and to that of their column."""
    sizes = np.abs(expected) + np.abs(expected).mean(axis=0)
    return bool((np.abs(found - expected) <= NEAR[dtype] * sizes).all())


class Shared:
    """A C export as a library, called row by row: a way of our own, beside the one that the export takes."""

    def __init__(self, network: Network, folder: Path, name: str = "net", **how: Any) -> None:
        self.network = network
        self.exported = files.save(network, folder / f"{name}.c", name=name, **how)
        compiler = compiler_here()
        assert compiler is not None
        flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, "-o", f"{name}.so", f"{name}.c", "-lm"], cwd=folder, check=True)
        self.library = ctypes.CDLL(str(folder / f"{name}.so"))
        self.name = name

    def outputs(self, X: np.ndarray) -> np.ndarray:
        """What the C function gives for each row."""
        call = getattr(self.library, f"{self.name}_outputs")
        p = np.zeros((len(X), self.network.n_out), dtype=self.network.dtype)
        X = np.ascontiguousarray(X, dtype=self.network.dtype)
        for row, room in zip(X, p, strict=True):
            call(row.ctypes.data_as(ctypes.c_void_p), room.ctypes.data_as(ctypes.c_void_p))
        return p


# -- there and back, for random networks ----------------------------------------------------


@FEW
@given(problems(), st.sampled_from(["float32", "float64"]))
def test_any_network_in_onnxruntime(tmp_path_factory: Any, problem: Problem, dtype: str) -> None:
    pytest.importorskip("onnxruntime")
    network = in_precision(problem.network, dtype)
    path = tmp_path_factory.mktemp("onnx") / "n.onnx"
    exported = files.save(network, path)
    assert exported.agreement is not None
    assert exported.agreement.ok
    X = problem.X.astype(dtype)
    run = session(path)
    found = dict(zip([output.name for output in run.get_outputs()], run.run(None, {"X": X}), strict=True))
    if network.targets.kind in ("classes", "labels"):
        assert close(found["probabilities"], network.predict_proba(X), dtype)
        assert (found["label"] == network.predict(X)).all()
    else:
        assert close(found["value"], network.outputs(X, engine="reference"), dtype)


@needs_c
@FEW
@given(problems(), st.sampled_from(["float32", "float64"]))
def test_any_network_in_c(tmp_path_factory: Any, problem: Problem, dtype: str) -> None:
    network = in_precision(problem.network, dtype)
    shared = Shared(network, tmp_path_factory.mktemp("c"))
    assert close(shared.outputs(problem.X), network.outputs(problem.X, engine="reference"), dtype)


@FEW
@given(problems(), st.sampled_from(["float32", "float64"]))
def test_any_network_as_json(tmp_path_factory: Any, problem: Problem, dtype: str) -> None:
    network = in_precision(problem.network, dtype)
    path = tmp_path_factory.mktemp("json") / "n.json"
    files.save(network, path)
    again = Network.from_json(path)
    assert again.theta.tobytes() == network.theta.tobytes()
    assert {k: v.tobytes() for k, v in again.statistics.items()} == {
        k: v.tobytes() for k, v in network.statistics.items()
    }
    assert (again.layers, again.loss, again.dtype) == (network.layers, network.loss, network.dtype)


@pytest.mark.parametrize("end", ["c", "onnx", "py", "pt"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_activation_and_loss(tmp_path: Path, end: str, loss: str) -> None:
    if end == "onnx":
        pytest.importorskip("onnxruntime")
    if end == "pt":
        pytest.importorskip("torch")
    layers: list[Layer] = [layer for name in ACTIVATIONS for layer in (Dense(3, name), Dropout(0.1))]
    network = in_precision(Network([*layers, BatchNorm("tanh"), Dense(2)], loss=loss, n_in=2), "float64")
    if end == "pt" and loss == "Poisson":
        with pytest.raises(ProgramError, match=r"no module for rate"):
            files.save(network, tmp_path / "n.pt")
        return
    exported = files.save(network, tmp_path / f"n.{end}")
    if end != "c" or compiler_here():
        assert exported.agreement is not None
        assert exported.agreement.difference <= 1e-12
        assert exported.agreement.rows == 200


# -- functions of one's own -----------------------------------------------------------------


def softsign(z: Any) -> Any:
    """is z, scaled into -1..1"""
    size = np.abs(z)
    return z / (1 + size)


def softsign_derivative(z: Any) -> Any:
    """is steepest in the middle"""
    return 1 / (1 + np.abs(z)) ** 2


def looped(z: Any) -> Any:
    """is a sine by the first terms of its series"""
    whole, term = 0 * z, z
    for k in (1, 2, 3):
        whole = whole + term
        term = -term * z**2 / ((2 * k) * (2 * k + 1))
    return np.clip(whole, -1.0, 1.0) + np.expm1(np.minimum(z, 0.0)) * np.heaviside(z, 0.5)


def sorted_by_size(z: Any) -> Any:
    """takes all units together"""
    return np.sort(z, axis=1)


def over_rows(z: Any) -> Any:
    """takes the batch together"""
    return z - z.mean(axis=0)


OWN = [Activation("softsign", softsign, softsign_derivative), Activation("looped", looped, softsign_derivative),
       Activation("sine", np.sin, np.cos)]  # fmt: skip


@pytest.mark.parametrize("own", OWN, ids=lambda own: str(own.name))
@pytest.mark.parametrize("end", ["c", "onnx", "json", "py", "safetensors"])
def test_an_activation_of_ones_own(tmp_path: Path, own: Activation, end: str) -> None:
    if end == "onnx":
        pytest.importorskip("onnxruntime")
    if end == "c" and compiler_here() is None:
        pytest.skip("there is no C compiler")
    network = Network([Dense(4, own), Dense(2)], loss=CrossEntropy(), seed=0, n_in=3)
    exported = files.save(network, tmp_path / f"n.{end}")
    assert exported.agreement is not None
    assert exported.agreement.ok


@pytest.mark.parametrize("end", ["c", "onnx"])
@pytest.mark.parametrize("function", [sorted_by_size, over_rows])
def test_what_cannot_be_written_is_named(tmp_path: Path, end: str, function: Any) -> None:
    if end == "onnx":
        pytest.importorskip("onnx")
    network = Network(
        [Dense(4, Activation("own", function, softsign_derivative)), Dense(1)], loss="SquaredError", n_in=3
    )
    language = {"c": "C", "onnx": "ONNX"}[end]
    with pytest.raises(ProgramError, match=rf"^{language} cannot take `.*(np\.sort|mean)"):
        files.save(network, tmp_path / f"n.{end}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("end", ["pt", "keras"])
def test_what_pytorch_and_keras_have_not_is_named(tmp_path: Path, end: str) -> None:
    pytest.importorskip("torch")
    if end == "keras" and not has_keras():
        pytest.skip("Keras is not installed")
    network = Network([Dense(4, OWN[0]), Dense(1)], loss="SquaredError", n_in=3)
    with pytest.raises(ProgramError, match="'softsign'"):
        files.save(network, tmp_path / f"n.{end}")


# -- tables ---------------------------------------------------------------------------------

TARGETS = {
    "words": (np.array(["no", "yes"]), "BinaryCrossEntropy"), "three": (np.array(["p", "q", "r"]), "CrossEntropy"),
    "numbers": (np.array([5, 7]), "CrossEntropy"), "truth": (np.array([False, True]), "CrossEntropy"),
    "amount": (None, "SquaredError"),
}  # fmt: skip


def table(target: str, gaps: bool | str) -> Any:
    """A table with columns of numbers and of words, with gaps or without."""
    rng = np.random.default_rng(4)
    rows = 90
    age, price = rng.normal(50, 10, rows), rng.normal(1e6, 3, rows)
    labels = TARGETS[target][0]
    y = age * 1000 + 5e6 if labels is None else labels[np.arange(rows) % len(labels)]
    frame = polars.DataFrame({
        "age": age, "colour": rng.choice(["red", 'a "green" /* */ ??/', "blåue"], rows),
        "small": rng.normal(1e-3, 1e-4, rows), "price of it": price,
        "side": rng.choice(["left", "right"], rows), "y": y,
    })  # fmt: skip
    some = polars.Series(np.arange(rows) % 9 == 0)
    holes = [polars.when(some).then(None).otherwise(polars.col(name)).alias(name) for name in ("age", "colour")]
    return frame.with_columns(holes) if gaps else frame


def table_model(target: str, gaps: bool | str, dtype: str = "float64") -> tuple[Network, Any, Preprocessing]:
    """A network that was trained on such a table."""
    frame = table(target, gaps)
    missing = gaps if isinstance(gaps, str) else "fill" if gaps else "refuse"
    preprocessing = Preprocessing.learn(frame, "y", missing=missing)
    loss = LOSSES[TARGETS[target][1]]()
    units = len(preprocessing.classes) if loss.target == "classes" else 1
    network = Network([Dense(5, "tanh"), Dense(units)], loss=loss, seed=0, dtype=dtype)
    network.fit(preprocessing.transform(frame), preprocessing.targets(frame), optimizer=Adam(0.03), epochs=15)
    network.preprocessing = preprocessing.to_dict()
    return network, frame, preprocessing


def expected_of(network: Network, frame: Any, preprocessing: Preprocessing) -> np.ndarray:
    """What the library predicts for a table: labels, or numbers in their own unit."""
    predicted = network.predict(preprocessing.transform(frame))
    return predicted if preprocessing.classes else preprocessing.untransform_target(predicted)


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_onnx_takes_the_tables_own_columns(tmp_path: Path, target: str, gaps: bool, dtype: str) -> None:
    pytest.importorskip("onnx")
    network, frame, preprocessing = table_model(target, gaps, dtype)
    path = files.save(network, tmp_path / "n.onnx").paths[0]
    run = session(path)
    numbers = frame.select("age", "small", "price of it").to_numpy().astype(np.float64)
    words = frame.select("colour", "side").fill_null("").to_numpy().astype(object)
    names = [output.name for output in run.get_outputs()]
    found = dict(zip(names, run.run(None, {"columns": numbers, "words": words}), strict=True))
    expected = expected_of(network, frame, preprocessing)
    if preprocessing.classes:
        assert found["label"].tolist() == expected.tolist()
        p = network.predict_proba(preprocessing.transform(frame))
        assert close(found["probabilities"], p, dtype)
    else:
        assert close(found["value"][:, 0], expected, dtype)
    kept = run.get_modelmeta().custom_metadata_map
    assert kept["columns"].split("\n") == ["age", "small", "price of it"]
    assert kept["words"].split("\n") == ["colour", "side"]


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("target", TARGETS)
def test_the_script_takes_the_tables_own_columns(tmp_path: Path, target: str, gaps: bool) -> None:
    network, frame, preprocessing = table_model(target, gaps)
    path = files.save(network, tmp_path / "n.py").paths[0]
    ruff = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))
    assert subprocess.run([ruff, "format", "--diff", "--isolated", path], capture_output=True).returncode == 0
    names = runpy.run_path(str(path))
    expected = expected_of(network, frame, preprocessing)
    for given_table in (frame, frame.to_dict(as_series=False)):
        found = names["predict"](given_table)
        assert found.tolist() == expected.tolist()
    if not gaps:
        wrong = {**frame.to_dict(as_series=False), "colour": ["mauve"] * frame.height}
        with pytest.raises(ValueError, match="colour has a category that was not in the training table"):
            names["predict"](wrong)
        with pytest.raises(ValueError, match="age has a missing or infinite value"):
            names["predict"]({**wrong, "age": [None] * frame.height})


@needs_c
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_c_takes_the_tables_own_columns(tmp_path: Path, target: str, gaps: bool, dtype: str) -> None:
    network, frame, preprocessing = table_model(target, gaps, dtype)
    real = ctypes.c_double if dtype == "float64" else ctypes.c_float
    library = Shared(network, tmp_path).library
    columns = columns_in(network.preprocessing)
    assert columns is not None
    codes = [{word: code for code, word in enumerate(column.categories)} for column in columns.words]
    for name, texts in {"columns": ["age", "small", "price of it"], "categories": ["colour", "side"],
                        "categories_0": [*codes[0]], "categories_1": [*codes[1]]}.items():  # fmt: skip
        assert [text.decode() for text in (ctypes.c_char_p * len(texts)).in_dll(library, f"net_{name}")] == texts
    expected = expected_of(network, frame, preprocessing)
    if not preprocessing.classes:
        library.net_value.restype = ctypes.c_double
    for row, meant in zip(frame.head(20).iter_rows(named=True), expected.tolist(), strict=False):
        numbers = [np.nan if row[column.name] is None else row[column.name] for column in columns.numbers]
        words = [code.get(row[column.name], -1) for code, column in zip(codes, columns.words, strict=True)]
        p = (real * network.n_out)()
        library.net_outputs((ctypes.c_double * 3)(*numbers), (ctypes.c_int * 2)(*words), p)
        if preprocessing.classes:
            assert preprocessing.classes[library.net_label(p)] == meant
        else:
            assert library.net_value(p) == pytest.approx(meant, rel=NEAR[dtype])


def raw_rows(network: Network, frame: Any) -> tuple[np.ndarray, np.ndarray]:
    """A table's columns of numbers, and the place of each word in its column's list; gaps are NaN and -1."""
    columns = columns_in(network.preprocessing)
    assert columns is not None
    numbers = frame.select([column.name for column in columns.numbers]).to_numpy().astype(np.float64)
    codes = [
        [column.categories.index(word) if word in column.categories else -1 for word in frame[column.name].to_list()]
        for column in columns.words
    ]
    return numbers, np.array(codes, dtype=np.int64).T


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_pytorch_takes_the_tables_own_columns(tmp_path: Path, target: str, gaps: bool, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    network, frame, preprocessing = table_model(target, gaps, dtype)
    paths = files.save(network, tmp_path / "n.pt").paths
    written = runpy.run_path(str(paths[2]))
    with torch.no_grad():
        found = written["model"](*map(torch.from_numpy, raw_rows(network, frame))).numpy()
    expected = expected_of(network, frame, preprocessing)
    if preprocessing.classes:
        p = network.outputs(preprocessing.transform(frame), engine="reference")
        assert close(found, p, dtype)
        assert written["classes"] == list(preprocessing.classes)
    else:
        assert close(found[:, 0], expected, dtype)
    assert written["columns"] == ["age", "small", "price of it"]
    state = torch.load(paths[0], weights_only=True)
    columns = columns_in(network.preprocessing)
    assert columns is not None
    assert state["column_mean"].numpy().tolist() == columns.arrays["column_mean"].tolist()
    assert Network.from_torch(written["model"].network).theta.tobytes() == network.theta.tobytes()


KINDS = {
    "numbers": (NumberColumn("a", 3.0, 2.0, None), NumberColumn("b", 1e5, 0.5, 99_999.0)),
    "words": (CategoryColumn("c", ("x", "y", "z"), None), CategoryColumn("d", ("l", "r"), "r")),
    "one": (CategoryColumn("c", ("x", "y", "z"), "x"),),
    "marked gaps": (
        NumberColumn("a", 3.0, 2.0, 1.0, None, True),
        CategoryColumn("c", ("(missing)", "x"), "(missing)"),
        NumberColumn("b", 1e5, 0.5),
        NumberColumn("d", 1.0, 2.0, 7.0, None, True),
    ),
    "a marked gap alone": (NumberColumn("a", 3.0, 2.0, 1.0, None, True),),
}


@pytest.mark.parametrize("end", ["pt", pytest.param("keras", marks=pytest.mark.slow), "onnx", "c", "py"])
@pytest.mark.parametrize("kind", KINDS)
def test_tables_of_numbers_alone_and_of_words_alone(tmp_path: Path, kind: str, end: str) -> None:
    if end in ("pt", "keras"):
        pytest.importorskip("torch")
    if end == "onnx":
        pytest.importorskip("onnxruntime")
    if end == "keras" and not has_keras():
        pytest.skip("Keras is not installed")
    columns = Columns(KINDS[kind], "y", (5.0, 2.0))
    network = Network([Dense(3, "tanh"), Dense(1)], loss="SquaredError", seed=0, n_in=columns.width)
    network.preprocessing = columns.stored((), "")
    exported = files.save(network, tmp_path / f"n.{end}")
    assert exported.agreement is not None or (end == "c" and compiler_here() is None)


KERAS_DRIVER = """
import sys, warnings
warnings.simplefilter("ignore")
import keras
import numpy as np

with np.load("rows.npz") as rows:
    found = keras.saving.load_model("n.keras").predict([rows["columns"], rows["categories"]], verbose=0)
np.save("found.npy", found)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
@pytest.mark.parametrize(("target", "gaps"), [("three", True), ("amount", False), ("words", True)])
def test_keras_takes_the_tables_own_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, target: str, gaps: bool
) -> None:
    if not has_keras() or importlib.util.find_spec(backend) is None:
        pytest.skip(f"Keras or {backend} is not installed")
    monkeypatch.setenv("KERAS_BACKEND", backend)
    network, frame, preprocessing = table_model(target, gaps)
    exported = files.save(network, tmp_path / "n.keras")
    assert exported.agreement is not None
    assert exported.agreement.runtime == f"Keras on {backend}"
    numbers, codes = raw_rows(network, frame)
    np.savez(tmp_path / "rows.npz", columns=numbers, categories=codes)
    subprocess.run([sys.executable, "-c", KERAS_DRIVER], cwd=tmp_path, check=True)
    found = np.load(tmp_path / "found.npy")
    # Keras has rounded the numbers to float32; the price is a million and varies by three.
    rounded = frame.with_columns(polars.col("age", "small", "price of it").cast(polars.Float32).cast(polars.Float64))
    expected = expected_of(network, rounded, preprocessing)
    if preprocessing.classes:
        assert close(found, network.outputs(preprocessing.transform(rounded)), "float32")
    else:
        assert close(found[:, 0], expected, "float32")
    assert "KERAS_BACKEND=torch python n_keras.py" in exported.paths[1].read_text()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_c_gives_each_of_several_numbers_in_its_unit(tmp_path: Path, dtype: str) -> None:
    if compiler_here() is None:
        pytest.skip("needs a C compiler")
    columns = Columns(KINDS["numbers"], "y", (5.0, 2.0))
    network = Network([Dense(3, "tanh"), Dense(2)], loss="SquaredError", seed=0, n_in=columns.width, dtype=dtype)
    network.preprocessing = columns.stored((), "")
    exported = files.save(network, tmp_path / "n.c")
    assert "double n_value(const" in exported.paths[1].read_text()
    assert exported.agreement is not None
    assert exported.agreement.ok


def test_a_preprocessing_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    network = Network([Dense(1)], loss="SquaredError", n_in=2)
    network.preprocessing = {"mean": [0.1, 2.0], "columns": ["a", "b"]}
    for end in ("c", "json", "py"):
        with pytest.raises(InputError, match=r"network\.preprocessing"):
            files.save(network, tmp_path / f"n.{end}")


# -- a table, and rows without names ---------------------------------------------------------


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("target", TARGETS)
def test_a_loaded_network_predicts_a_table_by_its_names(tmp_path: Path, target: str, gaps: bool) -> None:
    pandas = pytest.importorskip("pandas")
    network, frame, preprocessing = table_model(target, gaps)
    again = Network.load(network.save(tmp_path / "n.safetensors"))
    lists = frame.to_dict(as_series=False)
    expected = expected_of(network, frame, preprocessing)
    X, y = preprocessing.transform(frame), preprocessing.targets(frame)
    own = frame["y"].to_numpy() if preprocessing.classes else np.array(lists["y"])
    for table in (frame, lists, pandas.DataFrame(lists), frame.select(sorted(frame.columns))):
        assert again.predict(table).tolist() == expected.tolist()
        assert again.outputs(table).tolist() == again.outputs(X).tolist()
        assert again.score(table, own) == pytest.approx(again.score(X, y), rel=1e-12)
        assert again.objective(table, own) == pytest.approx(again.objective(X, y), rel=1e-12)
    named = pandas.DataFrame(X, columns=list(preprocessing.feature_names))  # X itself, with the names of its columns
    assert again.outputs(named).tolist() == again.outputs(X).tolist()


def test_rows_without_names_that_look_like_a_table_get_a_warning() -> None:
    from sklearn.datasets import load_diabetes, load_iris, load_wine

    for load in (load_iris, load_wine, lambda: load_diabetes(scaled=False)):
        raw = load().data
        frame = polars.DataFrame({f"c{i}": column for i, column in enumerate(raw.T)} | {"y": np.arange(len(raw)) % 2})
        preprocessing = Preprocessing.learn(frame, "y", task="classification")
        network = Network([Dense(2)], loss=CrossEntropy(), seed=0, n_in=raw.shape[1])
        network.preprocessing = preprocessing.to_dict()
        for rows in (raw, raw[:1], raw[40:43]):
            with pytest.warns(WorkingsWarning, match="looks like a table's own numbers"):
                network.predict(rows)
        X = preprocessing.transform(frame)
        for rows in (X, X[:1], X[40:43], np.zeros((2, raw.shape[1]))):
            network.predict(rows)  # warnings are errors here


def test_encoded_rows_in_single_precision_get_no_warning() -> None:
    """A scale of few digits, such as 1.3, makes some encoded numbers round by chance."""
    for seed in (113, *range(20)):
        rng = np.random.default_rng(seed)
        size, width = rng.normal(5, 2, 60).round(3), np.exp(rng.normal(size=60)).round(3)
        rng.choice(["red", "blue", "green"], 60)
        half = rng.permutation(60)
        frame = polars.DataFrame({"size": size, "width": width, "y": size + width})
        preprocessing = Preprocessing.learn(frame[half[:30].tolist()], "y", scaling="robust")
        network = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=2, dtype="float32")
        network.preprocessing = preprocessing.to_dict()
        network.predict(preprocessing.transform(frame[half[30:].tolist()]))  # warnings are errors here


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["rare", "half", "counts", "sparse", "whole", "decimals"])
def test_digits_tell_a_tables_own_rows_from_standardized_ones(kind: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    raw = {
        "rare": rng.random((400, 10)) < 0.02, "half": rng.random((400, 10)) < 0.5,
        "counts": rng.poisson(0.1, (400, 20)), "sparse": rng.random((400, 60)) * (rng.random((400, 60)) < 0.05),
        "whole": rng.integers(0, 2, (400, 3)) * [1, 7, 1000],
        "decimals": np.round(np.exp(rng.normal(0, 2, (400, 6))), 2),
    }[kind].astype(np.float64)  # fmt: skip
    scaler = pytest.importorskip("sklearn.preprocessing").StandardScaler().fit(raw[:300])
    known = zip(scaler.mean_.tolist(), scaler.scale_.tolist(), strict=True)
    columns = Columns(tuple(NumberColumn(f"x{i}", mean, std, None) for i, (mean, std) in enumerate(known)), "y", None)
    X, rows = scaler.transform(raw[300:]).astype(dtype), raw[300:].astype(dtype)
    there = rows.any(axis=1)
    warned = np.array([columns.look_raw(row[None]) for row in rows])
    assert warned[there].mean() > (0.99 if kind != "decimals" or dtype == "float64" else 0.3)
    assert not warned[~there].any()  # nothing but zeros is an average row as well
    assert not np.mean([columns.look_raw(row[None]) for row in X]) > 0.01
    for start in range(0, 100, 10):
        assert columns.look_raw(rows[start : start + 10]) == rows[start : start + 10].any()
        assert not columns.look_raw(X[start : start + 10])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_columns_that_are_taken_as_they_are_tell_nothing(dtype: str) -> None:
    as_it_is, scaled = NumberColumn("a", 0.0, 1.0, None), NumberColumn("b", 20.0, 3.0, None)
    amounts = np.round(np.random.default_rng(0).normal(size=(200, 1)), 3).astype(dtype)
    for rows in (amounts, *amounts):
        assert not Columns((as_it_is,), "y", None).look_raw(rows.reshape(-1, 1))
    raw = np.hstack([amounts, np.full((200, 1), 22.5, dtype)])
    assert Columns((as_it_is, scaled), "y", None).look_raw(raw)
    assert not Columns((as_it_is, scaled), "y", None).look_raw(np.hstack([amounts, (raw[:, 1:] - 20) / 3]))


def test_constant_columns_and_filled_gaps_are_no_sign_of_a_table() -> None:
    columns = Columns((NumberColumn("always", 5**0.5, 1.0, None), NumberColumn("b", 1 / 3, 0.7, None)), "y", None)
    X = np.array([[0.0, 2**-0.5], [0.0, -(3**-0.5)]])
    assert not columns.look_raw(X)
    filled = Columns((NumberColumn("far", 1e5, 0.5, 99_999.0), NumberColumn("b", 1 / 3, 0.7, None)), "y", None)
    X[:, 0] = -2.0  # what fills a gap, standardized; in float32 nothing is left of the digits of the others
    assert not filled.look_raw(X)
    assert not filled.look_raw(X.astype(np.float32))


def test_a_table_that_does_not_fit_is_refused_by_column_and_row() -> None:
    network, frame, _ = table_model("three", gaps=False)
    table = frame.to_dict(as_series=False)
    bad = {
        "lacks 'side', which the model was trained on": {k: v for k, v in table.items() if k != "side"},
        "Text 'old' in row 1 .*'age': this column must hold numbers": {**table, "age": ["old"] * 90},
        "no value in row 3 .*'age'": {**table, "age": [1.0, 2.0, None, *table["age"][3:]]},
        "'up' in row 2 .*'side' was not in .*; known are left, right": {**table, "side": ["left", *["up"] * 89]},
        "no value in row 1 .*'side'": {**table, "side": [None, *table["side"][1:]]},
        "different lengths: 1, 90": {**table, "age": [1.0]},
    }  # fmt: skip
    for words, each in bad.items():
        with pytest.raises(InputError, match=words):
            network.predict(each)


@pytest.mark.parametrize(("end", "reader"), [
    ("json", "from_json"), ("onnx", "from_onnx"), ("pt", "from_torch"), ("keras", "from_keras"),
    ("pkl", "from_sklearn"),
])  # fmt: skip
def test_a_file_of_another_kind_is_told_its_reader(tmp_path: Path, end: str, reader: str) -> None:
    path = tmp_path / f"n.{end}"
    path.write_bytes(b"something else")
    with pytest.raises(FileError, match=rf"n\.{end} .*Network\.{reader}"):
        Network.load(path)
    if end in ("pt", "keras", "pkl"):
        with pytest.raises(FileError, match=rf"must end in one of .*Network\.{reader}"):
            files.load(path)
    if end == "json":
        for content in (b"something else", b"{}"):
            path.write_bytes(content)
            with pytest.raises(FileError, match=r"Network\.from_json reads") as caught:
                Network.from_json(path)
            assert "Network.load" not in str(caught.value)


@needs_c
def test_products_in_float32_are_rounded_with_their_sum(tmp_path: Path) -> None:
    for dtype, has_it in (("float32", True), ("float64", False)):
        network = in_precision(Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), n_in=2), dtype)
        assert ("sum = fmaf(" in files.save(network, tmp_path / "n.c").paths[0].read_text()) == has_it


# -- C --------------------------------------------------------------------------------------


@needs_c
def test_weights_as_bytes(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    network = Network([Dense(24, "relu"), Dense(10)], loss=CrossEntropy(), seed=0)
    network.fit(X / 16, y, optimizer=Adam(), epochs=10)
    whole = Shared(network, tmp_path, "whole")
    small = Shared(network, tmp_path, "small", int8=True)
    p, rounded, expected = (f(X[:300] / 16) for f in (whole.outputs, small.outputs, network.predict_proba))
    assert close(p, expected, "float64")
    away = np.abs(rounded - expected).max()
    assert 1e-6 < away < 0.2
    assert (rounded.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.97
    assert [note.split(":")[0] for note in small.exported.notes] == ["int8", "int8"]
    assert "largest difference of p on 200 generated rows" in small.exported.notes[0]
    assert "% of the labels change" in small.exported.notes[1]
    text = (tmp_path / "small.c").read_text()
    assert "static const signed char small_W1[64][24]" in text
    assert "double small_W1[" not in text


@needs_c
@pytest.mark.parametrize("layers", [[Dense(3, "tanh"), Dense(1)], [Dense(1, "tanh"), Dense(1)], [Dense(1)]])
def test_weights_as_bytes_of_a_single_output(layers: list[Dense], tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(50, 4))
    network = Network(layers, loss="SquaredError", seed=0)
    network.fit(X, X[:, 0], optimizer=SGD(0.1), epochs=20)
    small = Shared(network, tmp_path, "small", int8=True)
    assert np.abs(small.outputs(X)[:, 0] - network.predict(X)).max() < 0.1


@needs_c
def test_the_self_test_counts_rows_that_come_out_otherwise(tmp_path: Path) -> None:
    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    source = files.save(network, tmp_path / "n.c").paths[0]
    compiler = str(compiler_here())

    def mismatches(text: str) -> int:
        source.write_text(text)
        command = [compiler, "-std=c99", "-DN_SELF_TEST", "-o", "test", "n.c", "-lm"]
        subprocess.run(command, cwd=tmp_path, check=True)
        return subprocess.run([tmp_path / "test"], check=False).returncode

    text = source.read_text()
    assert mismatches(text) == 0
    assert mismatches(text.replace("tanh(", "sin(")) == 10
    assert mismatches(text.replace("tanh(", "0.0 / 0.0 * tanh(")) == 10


@needs_c
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [(["self-test"], -11, "terminated by the system"), (["self-test"], 3, "for 3 of 10 rows"),
     ([], -11, "terminated by the system"), ([], 1, "terminated by the system")],
)  # fmt: skip
def test_a_self_test_that_does_not_end_well_is_told(
    arguments: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[Any], **settings: Any) -> Any:
        if Path(command[0]).name == "driver" and command[1:] == arguments:
            return subprocess.CompletedProcess(command, code, stdout="")
        return actual(command, **settings)

    actual = subprocess.run
    monkeypatch.setattr(subprocess, "run", run)
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    with pytest.raises(FileError, match=words):
        files.save(network, tmp_path / "n.c")


@needs_c
def test_c_chooses_the_first_of_equal_classes(tmp_path: Path) -> None:
    network = Network([Dense(3, weights="zeros"), Dense(3, weights="zeros")], loss=CrossEntropy(), seed=0)
    network.fit(np.eye(3), ["a", "b", "c"], optimizer=SGD(0.1), epochs=1)
    network.set_values({name: np.zeros_like(array) for name, array in network.parameters.items()})
    assert set(network.predict(np.eye(3))) == {"a"}
    choose = Shared(network, tmp_path).library.net_label  # its rows, with their labels, are compared, too
    nan = math.nan
    for p, best in ([1, 1, 1], 0), ([0, 2, 2], 1), ([1, nan, 2], 1), ([nan, 1, nan], 0), ([0, nan, nan], 1):
        assert choose((ctypes.c_double * 3)(*p)) == best


@needs_c
def test_c_allocates_nothing_and_includes_nothing_but_math(tmp_path: Path) -> None:
    network = Network([Dense(3, "gelu"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    source, header = files.save(network, tmp_path / "n.c").paths
    text = source.read_text() + header.read_text()
    assert [line for line in text.splitlines() if "#include" in line] == ["#include <math.h>", '#include "n.h"']
    assert "alloc" not in text


def test_names_in_c(tmp_path: Path) -> None:
    network = Network([Dense(1)], loss="SquaredError", seed=0, n_in=2)
    files.save(network, tmp_path / "2 moons.c")
    assert "void net_2_moons_outputs(" in (tmp_path / "2 moons.h").read_text()
    files.save(network, tmp_path / "double.c")
    assert "void net_double_outputs(" in (tmp_path / "double.h").read_text()
    files.save(network, tmp_path / "n.c", name="mine")
    assert "void mine_outputs(const double X[2], double p[1]);" in (tmp_path / "n.h").read_text()
    for name in ("two words", "1st", "double", ""):
        with pytest.raises(InputError, match="not a valid C name"):
            files.save(network, tmp_path / "n.c", name=name)


def test_names_and_labels_at_the_limits_of_c(tmp_path: Path) -> None:
    def network(labels: Any) -> Network:
        made = Network([Dense(2)], loss=CrossEntropy(), seed=0)
        made.fit(np.eye(2), labels, optimizer=SGD(0.1), epochs=1)
        return made

    with pytest.raises(InputError, match="ends at the character"):
        files.save(network(["\0a", "b"]), tmp_path / "n.c")
    with pytest.raises(InputError, match="C's own headers"):
        files.save(network(["a", "b"]), tmp_path / "Math.c")
    for largest, kind in ((2**63 - 1, "const long long"), (2**63, "const unsigned long long")):
        files.save(network(np.array([1, largest], dtype=np.uint64)), tmp_path / "n.c")
        assert f"{kind} n_labels[2]" in (tmp_path / "n.h").read_text()


@needs_c
def test_labels_of_any_text_stand_in_c(tmp_path: Path) -> None:
    labels = ['a "quoted" \\ word', "*/ end", "zweifach ß", "??/ and\nlines"]
    network = Network([Dense(4)], loss=CrossEntropy(), seed=0)
    rng = np.random.default_rng(0)
    network.fit(rng.normal(size=(8, 2)), np.array(labels)[np.arange(8) % 4], optimizer=SGD(0.1), epochs=1)
    library = Shared(network, tmp_path).library
    texts = (ctypes.c_char_p * 4).in_dll(library, "net_labels")
    assert [text.decode() for text in texts] == sorted(labels)


@pytest.mark.parametrize("end", ["py", "pt", "json", "onnx", "c"])
def test_labels_are_text_and_never_code(tmp_path: Path, end: str) -> None:
    if end in ("pt", "onnx"):
        pytest.importorskip({"pt": "torch", "onnx": "onnx"}[end])
    evil = 'open("ran", "w")'
    labels = [f'"""\n{evil}\n"""', f'", {evil}, "', f"', {evil}, '", "it's", "*/ exit(1); /*", f"{{{evil}}}\\"]
    network = Network([Dense(6)], loss=CrossEntropy(), seed=0)
    network.fit(RNG.normal(size=(12, 2)), np.array(labels)[np.arange(12) % 6], optimizer=SGD(0.1), epochs=1)
    exported = files.save(network, tmp_path / f"n.{end}")
    assert exported.agreement is None or exported.agreement.ok
    if end == "py":
        names = runpy.run_path(str(tmp_path / "n.py"))
        assert names["classes"].tolist() == sorted(labels)
    if end == "pt":
        assert runpy.run_path(str(tmp_path / "n_torch.py"))["classes"] == sorted(labels)
    assert not [path for folder in (tmp_path, Path.cwd()) for path in folder.glob("ran")]


@pytest.mark.parametrize("change", ["mean", "fill", "name", "kind", "categories", "target"])
def test_a_preprocessing_from_a_file_is_checked(tmp_path: Path, change: str) -> None:
    network, _, _ = table_model("amount", gaps=True)
    assert network.preprocessing is not None
    stored = json.loads(json.dumps(network.preprocessing))
    place = stored["target"] if change == "target" else stored["columns"][1 if change == "categories" else 0]
    place["mean" if change == "target" else change] = {"no": "such thing"}
    network.preprocessing = stored
    with pytest.raises(InputError, match=r"network\.preprocessing"):
        files.save(network, tmp_path / "n.py")
    assert not list(tmp_path.iterdir())


# -- a file that predicts something else ----------------------------------------------------


@pytest.mark.parametrize("end", ["c", "onnx"])
def test_a_mismatch_is_an_error_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    if end == "onnx":
        pytest.importorskip("onnxruntime")
    if end == "c" and compiler_here() is None:
        pytest.skip("there is no C compiler")
    path = tmp_path / f"n.{end}"
    path.write_text("here first")
    monkeypatch.setitem(c_loops.C_FUNCTIONS, "tanh", "sin")
    monkeypatch.setitem(onnx_nodes.ONNX_OPERATORS, "tanh", "Sin")
    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    with pytest.raises(FileError, match="bug in Workings"):
        files.save(network, path)
    assert [each.name for each in tmp_path.iterdir()] == [f"n.{end}"]
    assert path.read_text() == "here first"


def test_unknown_ends_and_things_that_are_no_models(tmp_path: Path) -> None:
    network = Network([Dense(1)], loss="SquaredError", seed=0, n_in=2)
    with pytest.raises(FileError, match=r"ends in '\.h5'.*\.onnx"):
        files.save(network, tmp_path / "n.h5")
    with pytest.raises(FileError, match=r"ends in '\.pt'.*\.json"):
        files.load(tmp_path / "n.pt")
    with pytest.raises(InputError, match="not list"):
        files.save([1], tmp_path / "n.c")
    with pytest.raises(InputError, match=r"int8= is not a setting for .*n\.json.*Known: none"):
        files.save(network, tmp_path / "n.json", int8=True)
    with pytest.raises(InputError, match=r"bits= is not a setting .*Known: name, int8"):
        files.save(network, tmp_path / "n.c", bits=4)
    estimator = type("Fitted", (), {"network_": network})()
    assert files.save(estimator, tmp_path / "n.json").paths == (tmp_path / "n.json",)
    with pytest.raises(InputError, match="no parameters yet"):
        files.save(Network([Dense(1)], loss="SquaredError"), tmp_path / "n.c")


@pytest.mark.parametrize(("module", "end"), [("onnx", "onnx"), ("torch", "pt")])
def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, end: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    network = Network([Dense(1)], loss="SquaredError", seed=0, n_in=2)
    with pytest.raises(MissingExtraError, match=rf"pip install '\.\[{module}\]'"):
        files.save(network, tmp_path / f"n.{end}")
    if module == "onnx":
        with pytest.raises(MissingExtraError, match=r"pip install '\.\[onnx\]'"):
            Network.from_onnx(tmp_path / "n.onnx")


def test_without_a_runtime_the_file_is_written_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr("workings.files.c.compiler_here", lambda: None)
    network = Network([Dense(1)], loss="SquaredError", seed=0, n_in=2)
    for end in ("onnx", "c"):
        exported = files.save(network, tmp_path / f"n.{end}")
        assert exported.agreement is None
        assert "not verified" in str(exported)
        assert all(path.exists() for path in exported.paths)


# -- JSON and safetensors -------------------------------------------------------------------


def test_json_is_readable_and_complete() -> None:
    network = Network([Dense(2, "tanh"), Dense(1)], loss="SquaredError", seed=0, n_in=3)
    text = text_of(network)
    about = json.loads(text)
    assert about["prediction"] == ["z1 = X @ W1 + b1", "a1 = np.tanh(z1)", "z2 = a1 @ W2 + b2", "p = z2"]
    assert about["arrays"]["W1"]["shape"] == [3, 2]
    assert about["network"]["layers"][0]["activation"]["name"] == "tanh"
    row = f"[{', '.join(map(repr, network.parameters['W1'][0].tolist()))}]"
    assert row in text


@pytest.mark.parametrize("end", ["json", "safetensors"])
def test_history_and_versions_are_in_the_file(tmp_path: Path, end: str) -> None:
    network = Network([Dense(2, "tanh"), Dense(1)], loss="SquaredError", seed=0, n_in=1)
    assert network.history is None
    X = np.linspace(-1, 1, 20)[:, None]
    history = network.fit(X, X[:, 0] ** 2, optimizer=Adam(), epochs=7)
    again = files.load(files.save(network, tmp_path / f"n.{end}").paths[0])
    assert again.history is not None
    assert dict(again.history) == dict(history)
    assert again.history.stopped == "all 7 epochs done"
    if end == "json":
        versions = json.loads((tmp_path / "n.json").read_text())["versions"]
        assert versions["numpy"] == np.__version__


# -- the command ----------------------------------------------------------------------------


def test_the_command(tmp_path: Path) -> None:
    pytest.importorskip("typer")
    from typer.testing import CliRunner

    from workings.cli.commands import app

    network, _, _ = table_model("three", gaps=False)
    model = network.save(tmp_path / "model.safetensors")
    run = CliRunner().invoke
    done = run(app, ["export", str(model), str(tmp_path / "m.c"), "--name", "fruit", "--int8"])
    assert done.exit_code == 0
    assert "m.h" in done.stdout
    assert "int8: largest difference" in done.stdout
    done = run(app, ["export", str(model), str(tmp_path / "m.json")])
    assert "agrees with the network: read back, 200 generated rows" in done.stdout
    done = run(app, ["export", str(tmp_path / "m.json"), str(tmp_path / "m.py")])
    assert "agrees with the network: Python" in done.stdout
    done = run(app, ["export", str(model), str(tmp_path / "other.json"), "--int8"])
    assert done.exit_code != 0
    assert not (tmp_path / "other.json").exists()


# -- from other libraries -------------------------------------------------------------------


def goes_on(network: Network, X: np.ndarray, folder: Path) -> None:
    """Check that what was taken over can be explained, scripted, checked and exported."""
    y = network.predict(X)
    if network.targets.kind == "classes" and network.classes is None:
        y = np.arange(len(X)) % network.n_out
    if network.targets.kind == "numbers":
        y = y + 0.5
    assert check_gradients(network, X, y)
    assert "W1" in str(network.explain(X[:4], y[:4]))
    if len(np.unique(y)) > 1:  # the doctor needs something to tell apart
        assert "the program" in str(network.diagnose(X, y))
    names: dict[str, Any] = {}
    exec(network.script(), names)
    assert names["outputs"](X.astype(network.dtype)).tolist() == network.outputs(X, engine="reference").tolist()
    if compiler_here():
        exported = files.save(network, folder / "taken.c")
        assert exported.agreement is not None


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("y", ["two", "three", "numbers", "several"])
def test_scikit_learns_classifiers(tmp_path: Path, dtype: str, activation: str, y: str) -> None:
    sklearn = pytest.importorskip("sklearn.neural_network")
    targets = {
        "two": np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)],
        "three": np.array(["a", "b", "c"])[RNG.integers(0, 3, 80)],
        "numbers": RNG.integers(4, 7, 80) * 1.0, "several": RNG.integers(0, 2, (80, 3)),
    }[y]  # fmt: skip
    rows = X.astype(dtype)
    theirs = sklearn.MLPClassifier((5, 4), activation=activation, max_iter=15, random_state=0).fit(rows, targets)
    ours = Network.from_sklearn(theirs)
    assert ours.dtype == dtype
    assert close(ours.predict_proba(rows), theirs.predict_proba(rows), dtype)
    assert (ours.predict(rows) == theirs.predict(rows)).all()
    if activation == "tanh":
        goes_on(ours, rows, tmp_path)
        pytest.importorskip("onnx")
        path = files.save(ours, tmp_path / "n.onnx").paths[0]
        found = session(path).run(["probabilities"], {"X": rows})[0]
        assert close(found, theirs.predict_proba(rows), dtype)


def pandas_table(rows: int = 120) -> Any:
    """A table with gaps, whole numbers that are categories, a rare category and a column that is of no use."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    table = pandas.DataFrame({
        "age": rng.normal(50, 10, rows), "colour": rng.choice(["red", "green", "blue"], rows, p=[0.8, 0.17, 0.03]),
        "year": rng.integers(1990, 2020, rows), "doors": rng.choice([4, 10, 2], rows), "junk": ["z"] * rows,
    })  # fmt: skip
    table.loc[::7, "age"] = np.nan
    table.loc[::9, "colour"] = np.nan
    return table


def encoders() -> dict[str, Any]:
    """The ways in which a column of words with gaps can be encoded."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

    usual, gone = SimpleImputer(strategy="most_frequent"), SimpleImputer(strategy="constant", fill_value="gone")
    return {
        "one-hot": make_pipeline(usual, OneHotEncoder()),
        "dropped": make_pipeline(usual, OneHotEncoder(drop="first")),
        "binary": make_pipeline(usual, OneHotEncoder(drop="if_binary", handle_unknown="ignore")),
        "rare": make_pipeline(usual, OneHotEncoder(min_frequency=10)),
        "rare and unknown": make_pipeline(usual, OneHotEncoder(max_categories=2, handle_unknown="infrequent_if_exist")),
        "a word for gaps": make_pipeline(gone, OneHotEncoder(categories=[["red", "gone", "green", "blue"]])),
        "an unknown word for gaps": make_pipeline(
            gone, OneHotEncoder(categories=[["red", "blue"]], handle_unknown="ignore")),
        "scaled": make_pipeline(usual, OneHotEncoder(sparse_output=False), StandardScaler()),
        "ordinal": make_pipeline(usual, OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                                 MinMaxScaler((-1, 1))),
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ours", [False, True])
@pytest.mark.parametrize("encoder", encoders())
def test_pipelines_of_tables(tmp_path: Path, encoder: str, ours: bool) -> None:
    pytest.importorskip("onnx")
    from sklearn import compose, impute, neural_network, pipeline, preprocessing

    from workings import sklearn as workings_sklearn

    table = pandas_table()
    y = np.array(["no", "yes", "why"])[np.arange(len(table)) % 3]
    numbers = pipeline.make_pipeline(impute.SimpleImputer(strategy="median"), preprocessing.StandardScaler())
    columns = compose.ColumnTransformer([
        ("w", encoders()[encoder], ["colour"]), ("n", numbers, ["year", "age"]),
        ("d", preprocessing.OneHotEncoder(), ["doors"]),
    ])  # fmt: skip
    kind = workings_sklearn.MLPClassifier if ours else neural_network.MLPClassifier
    theirs = pipeline.make_pipeline(columns, preprocessing.MaxAbsScaler(), kind((4,), max_iter=8, random_state=0))
    theirs.fit(table, y)
    network = Network.from_sklearn(theirs)
    found = columns_in(network.preprocessing)
    assert found is not None
    assert {column.name for column in found.columns} == {"age", "colour", "year", "doors"}
    expected = theirs.predict_proba(table)
    frame = polars.DataFrame({name: [None if v != v else v for v in table[name].tolist()] for name in table})
    if encoder != "an unknown word for gaps":
        rows = Preprocessing.from_dict(network.preprocessing).transform(frame)
        assert np.allclose(network.predict_proba(rows), expected, rtol=1e-12, atol=1e-15)
        assert network.predict(rows).tolist() == theirs.predict(table).tolist()
    run = session(files.save(theirs, tmp_path / "n.onnx").paths[0])
    given = {
        "columns": table[[column.name for column in found.numbers]].to_numpy().astype(np.float64),
        "words": table[[column.name for column in found.words]].astype(object).fillna("").astype(str).to_numpy(object),
    }
    assert np.allclose(run.run(["probabilities"], given)[0], expected, rtol=1e-12, atol=1e-15)
    assert run.run(["label"], given)[0].tolist() == theirs.predict(table).tolist()
    again = Network.load(files.save(theirs, tmp_path / "n.safetensors").paths[0])
    assert (columns_in(again.preprocessing), again.theta.tobytes()) == (found, network.theta.tobytes())
    assert again.classes is not None
    assert again.classes.tolist() == theirs.classes_.tolist()
    for end in ("c", "py", "json"):
        exported = files.save(theirs, tmp_path / f"n.{end}")
        assert exported.agreement is not None or compiler_here() is None


def scalers() -> dict[str, Any]:
    """The ways in which numbers can be scaled."""
    from sklearn import preprocessing as known
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    return {
        "standard": known.StandardScaler(), "no mean": known.StandardScaler(with_mean=False),
        "no std": known.StandardScaler(with_std=False), "min max": known.MinMaxScaler((-3, 7)),
        "max": known.MaxAbsScaler(), "robust": known.RobustScaler(), "nothing": "passthrough",
        "several": make_pipeline(known.MinMaxScaler(), SimpleImputer(), known.StandardScaler()),
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("transformer", ["standard", "min max", "robust"])
def test_several_targets_with_scales_of_their_own_go_into_the_last_layer(tmp_path: Path, transformer: str) -> None:
    compose, neural_network = pytest.importorskip("sklearn.compose"), pytest.importorskip("sklearn.neural_network")
    rows = np.random.default_rng(0).normal(size=(80, 3))
    y = np.column_stack([1e4 + 30 * rows[:, 0], rows[:, 1] / 50])
    last = neural_network.MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0)
    theirs = compose.TransformedTargetRegressor(last, transformer=scalers()[transformer]).fit(rows, y)
    network = Network.from_sklearn(theirs)
    np.testing.assert_allclose(network.predict(rows), theirs.predict(rows), rtol=1e-12)
    for end in ("c", "onnx", "py"):
        agreement = files.save(theirs, tmp_path / f"n.{end}").agreement
        assert agreement is None or agreement.ok


def test_standardizing_in_another_precision_is_near_and_another_mean_is_not() -> None:
    columns = Columns(KINDS["numbers"], "y", None)
    numbers = np.random.default_rng(0).normal(size=(50, 2)) * [2.0, 0.5] + [3.0, 1e5]
    numbers[::7, 1] = np.nan
    numbers = numbers.astype(np.float32).astype(np.float64)
    codes = np.zeros((50, 0), dtype=np.int64)
    X = columns.features(numbers, codes, np.float32)
    assert columns.is_near(X, numbers, codes, np.float32)
    assert not columns.is_near(X[:, :1], numbers, codes, np.float32)
    exact = columns.features(numbers, codes)
    assert columns.is_near(exact, numbers, codes, np.float64)
    assert not columns.is_near(exact + np.array([1e-5, 0.0]), numbers, codes, np.float32)
    assert not columns.is_near(exact * np.array([1.0, 1.2]), numbers, codes, np.float32)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("scaler", scalers())
@pytest.mark.parametrize("target", [None, "StandardScaler", "MinMaxScaler"])
def test_pipelines_of_numbers_and_scaled_targets(tmp_path: Path, scaler: str, target: str | None) -> None:
    from sklearn import compose, neural_network, pipeline, preprocessing

    rows = 50 + 7 * X
    y = 1000 + 300 * X[:, 0]
    steps = pipeline.Pipeline([
        ("scale", scalers()[scaler]),
        ("net", neural_network.MLPRegressor(hidden_layer_sizes=(4,), max_iter=8, random_state=0)),
    ])  # fmt: skip
    whole = (
        steps
        if target is None
        else compose.TransformedTargetRegressor(steps, transformer=getattr(preprocessing, target)())
    )
    whole.fit(rows, y)
    network = Network.from_sklearn(whole)
    table = polars.DataFrame(dict(zip(("x0", "x1", "x2"), rows.T, strict=True)))
    read = Preprocessing.from_dict(network.preprocessing)
    found = read.untransform_target(network.predict(read.transform(table)))
    assert np.allclose(found, whole.predict(rows), rtol=1e-11)
    for end in ("c", "py", "json"):
        exported = files.save(whole, tmp_path / f"n.{end}")
        assert exported.agreement is not None or compiler_here() is None


@pytest.mark.filterwarnings("ignore")
def test_names_of_columns_are_kept_and_searches_are_opened(tmp_path: Path) -> None:
    from sklearn import model_selection, neural_network, pipeline, preprocessing

    from workings.sklearn import MLPClassifier

    table = pandas_table()[["year", "doors"]]
    y = np.arange(len(table)) % 2
    for kind in (neural_network.MLPClassifier, MLPClassifier):
        named = kind((3,), max_iter=3).fit(table, y)
        columns = columns_in(Network.from_sklearn(named).preprocessing)
        assert columns is not None
        assert columns.names == ("year", "doors")
        files.save(named, tmp_path / "n.json")
        assert columns_in(Network.from_json(tmp_path / "n.json").preprocessing) == columns
    steps = pipeline.make_pipeline(preprocessing.StandardScaler(), neural_network.MLPClassifier((3,), max_iter=3))
    search = model_selection.GridSearchCV(steps, {"mlpclassifier__alpha": [0.1, 0.2]}, cv=2).fit(table, y)
    assert np.array_equal(Network.from_sklearn(search).theta, Network.from_sklearn(search.best_estimator_).theta)


class Doubled:
    """A step of one's own."""

    def fit(self, X: Any, y: Any = None) -> Doubled:
        """Learn nothing."""
        return self

    def transform(self, X: Any) -> Any:
        """Double."""
        return 2 * X


@pytest.mark.filterwarnings("ignore")
def test_steps_that_cannot_be_taken_over() -> None:
    from sklearn import compose, decomposition, impute, neural_network, pipeline, preprocessing

    def refused(*steps: Any, table: Any = X, match: str) -> None:
        theirs = pipeline.make_pipeline(*steps, neural_network.MLPClassifier((3,), max_iter=2))
        theirs.fit(table, np.arange(len(table)) % 2)
        with pytest.raises(InputError, match=match):
            Network.from_sklearn(theirs)

    table = pandas_table()
    words, numbers = table[["colour"]].fillna("red"), table[["year", "doors"]]
    holes = np.where(np.arange(240).reshape(80, 3) % 11 == 0, np.nan, X)
    refused(
        decomposition.PCA(),
        match=r"step 'pca', PCA, which is not supported.*StandardScaler, MinMaxScaler.*pipeline\[-1\]",
    )
    refused(Doubled(), match="step 'doubled', Doubled, which is not supported")
    refused(preprocessing.FunctionTransformer(np.tanh), match="which calls a Python function")
    refused(preprocessing.MinMaxScaler(clip=True), match="which clips values")
    refused(impute.SimpleImputer(add_indicator=True), table=holes, match="adds indicator columns")
    refused(
        preprocessing.OneHotEncoder(drop=["red"], max_categories=2), table=words, match="drops a category and combines"
    )
    refused(preprocessing.OneHotEncoder(), table=table[["colour"]], match="missing values of 'colour' as a category")
    refused(preprocessing.StandardScaler(), preprocessing.OneHotEncoder(), table=numbers, match="after another step")
    twice = [("a", preprocessing.StandardScaler(), ["year"]), ("b", "passthrough", ["year", "doors"])]
    refused(compose.ColumnTransformer(twice), table=numbers, match="uses the column 'year' 2 times")
    unfitted = pipeline.make_pipeline(preprocessing.StandardScaler(), neural_network.MLPClassifier())
    with pytest.raises(InputError, match="fit"):
        Network.from_sklearn(unfitted)
    fitted = pipeline.make_pipeline(preprocessing.StandardScaler(), decomposition.PCA()).fit(X)
    with pytest.raises(InputError, match=r"This PCA is not a network.*Pipeline"):
        Network.from_sklearn(fitted)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("outputs", [1, 2])
def test_scikit_learns_regressors(tmp_path: Path, outputs: int) -> None:
    sklearn = pytest.importorskip("sklearn.neural_network")
    y = X[:, 0] if outputs == 1 else X[:, :2]
    theirs = sklearn.MLPRegressor(hidden_layer_sizes=(6,), max_iter=15, random_state=0).fit(X, y)
    ours = Network.from_sklearn(theirs)
    assert np.allclose(ours.predict(X), theirs.predict(X), rtol=1e-12, atol=1e-14)
    goes_on(ours, X, tmp_path)


def test_scikit_learns_that_cannot_be_taken_over() -> None:
    sklearn = pytest.importorskip("sklearn.neural_network")
    from sklearn import linear_model

    with pytest.raises(InputError, match="call fit first"):
        Network.from_sklearn(sklearn.MLPClassifier())
    with pytest.raises(InputError, match=r"LogisticRegression is not a network: .*takes a fitted MLPClassifier"):
        Network.from_sklearn(linear_model.LogisticRegression())
    with pytest.raises(InputError, match="no coefs_"):
        Network.from_sklearn("a text")


def sequential(*modules: Any) -> Any:
    """An nn.Sequential."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return torch.nn.Sequential(*modules)


def test_pytorchs_sequential(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    activations = [nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.SiLU(), nn.SELU(), nn.GELU(), nn.GELU(approximate="tanh"),
             nn.Softplus(threshold=40), nn.Hardtanh(), nn.LeakyReLU(0.3), nn.ELU(0.7), nn.Identity()]  # fmt: skip
    inner = [module for activation in activations for module in (nn.Linear(4, 4), activation)]
    module = sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4), nn.Dropout(0.2), nn.Sequential(*inner),
                        nn.Linear(4, 3), nn.Softmax(dim=1)).double()  # fmt: skip
    for _ in range(3):  # running statistics that are not those of the beginning
        module(torch.randn(16, 3, dtype=torch.float64))
    ours = Network.from_torch(module, classes=["a", "b", "c"])
    assert module.training
    assert [layer.activation_function.name for layer in ours.layers if isinstance(layer, Dense)][1:-2] == [
        "relu", "tanh", "sigmoid", "silu", "selu", "gelu", "gelu_tanh", "softplus", "hard_tanh", "leaky_relu", "elu",
    ]  # fmt: skip
    module.eval()
    with torch.no_grad():
        expected = module(torch.from_numpy(X)).numpy()
    assert close(ours.predict_proba(X), expected, "float64")
    goes_on(ours, X, tmp_path)


def test_pytorch_there_and_back(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    network = Network(
        [Dense(5, "gelu"), BatchNorm("relu"), Dropout(0.2), Dense(3)], loss=CrossEntropy(), seed=0, n_in=3
    )
    network.fit(X, np.arange(80) % 3, optimizer=Adam(), epochs=3)
    paths = files.save(network, tmp_path / "n.pt").paths
    assert [path.name for path in paths] == ["n.pt", "n_torch.safetensors", "n_torch.py"]
    from safetensors.torch import load_file

    state, same = torch.load(paths[0], weights_only=True), load_file(paths[1])
    assert state.keys() == same.keys()
    assert all(torch.equal(state[name], same[name]) for name in state)
    again = Network.from_torch(runpy.run_path(str(paths[2]))["model"])
    assert again.theta.tobytes() == network.theta.tobytes()
    assert again.layers == network.layers


def test_scores_without_a_link_are_taken_over_with_the_loss() -> None:
    torch = pytest.importorskip("torch")
    module = sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).double()
    assert Network.from_torch(module).loss == SquaredError()
    ours = Network.from_torch(module, loss="CrossEntropy", classes=["x", "y"])
    with torch.no_grad():
        expected = torch.softmax(module(torch.from_numpy(X)), dim=1).numpy()
    assert close(ours.predict_proba(X), expected, "float64")
    one = sequential(torch.nn.Linear(3, 1), torch.nn.Sigmoid())
    assert Network.from_torch(one).loss == BinaryCrossEntropy()
    with pytest.raises(InputError, match="softmax, the link of CrossEntropy, not of Poisson"):
        Network.from_torch(sequential(torch.nn.Linear(3, 2), torch.nn.Softmax(dim=1)), loss=Poisson())


def test_modules_that_cannot_be_taken_over() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Own(nn.Module):
        """A module of one's own."""

        def forward(self, x: Any) -> Any:
            """Double."""
            return 2 * x

    class Twice(nn.Linear):
        """Linear by name of its family, but not in what it does."""

        def forward(self, x: Any) -> Any:
            """Double."""
            return 2 * super().forward(x)

    bad = {
        "Conv1d at '0'": nn.Conv1d(1, 1, 1), "does not follow": nn.ReLU(), "Own is not a module of torch.nn": Own(),
        "Twice is not a module of torch.nn": Twice(3, 2),
        "takes 5 columns": nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 2)),
        "Hardtanh at '0.1', with settings": nn.Sequential(nn.Linear(3, 4), nn.Hardtanh(-2, 2)),
        "no weights": nn.Sequential(nn.Dropout(0.1)),
        "no running statistics": nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2, track_running_stats=False)),
    }  # fmt: skip
    for words, module in bad.items():
        with pytest.raises(InputError, match=words if "statistics" not in words else "running statistics"):
            Network.from_torch(sequential(module))


class FakeLayer:
    """What every version of Keras answers for a layer."""

    def __init__(self, weights: list[np.ndarray], **settings: Any) -> None:
        self.weights, self.settings = weights, settings

    def get_config(self) -> dict[str, Any]:
        """The settings."""
        return self.settings

    def get_weights(self) -> list[np.ndarray]:
        """The arrays."""
        return self.weights


def keras_model(*layers: tuple[str, list[np.ndarray], dict[str, Any]]) -> Any:
    """A stand-in for a Sequential whose layers have these class names."""
    made = [type(kind, (FakeLayer,), {})(weights, **settings) for kind, weights, settings in layers]
    return type("Sequential", (), {"layers": made})()


def test_kerass_sequential_by_what_it_answers() -> None:
    W, V, b = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2)), RNG.normal(size=4)
    norm = {"momentum": 0.99, "epsilon": 1e-3, "center": False, "scale": True}
    model = keras_model(
        ("Dense", [W, b], {"activation": "linear"}),
        ("BatchNormalization", [b + 3, 0.1 * b, b**2], norm),
        ("LeakyReLU", [], {"negative_slope": 0.2}), ("Dropout", [], {"rate": 0.5}),
        ("Dense", [V], {"activation": "softmax", "use_bias": False}),
    )  # fmt: skip
    ours = Network.from_keras(model, classes=["a", "b"])
    normed = (X @ W + b - 0.1 * b) / np.sqrt(b**2 + 1e-3) * (b + 3)
    z = np.where(normed > 0, normed, 0.2 * normed) @ V
    e = np.exp(z - z.max(axis=1, keepdims=True))
    assert close(ours.predict_proba(X), e / e.sum(axis=1, keepdims=True), "float64")
    (batch_norm,) = [layer for layer in ours.layers if isinstance(layer, BatchNorm)]
    assert batch_norm.momentum == pytest.approx(0.01)
    for layer in (("Conv2D", [], {"name": "c"}), ("Dense", [W], {"name": "d", "activation": "hard_silu"}),
                  ("ReLU", [], {"max_value": 6.0})):  # fmt: skip
        with pytest.raises(InputError, match=layer[0]):
            Network.from_keras(keras_model(layer))
    with pytest.raises(InputError, match="not a Sequential"):
        Network.from_keras(object())


# -- ONNX files of others --------------------------------------------------------------------


class Foreign:
    """Builds an ONNX file as other libraries write them."""

    def __init__(self) -> None:
        self.onnx = pytest.importorskip("onnx")
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []
        self.current = "input"

    def fixed(self, values: Any) -> str:
        """A fixed array; its name."""
        name = f"fixed{len(self.arrays)}"
        self.arrays.append(self.onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind: str, *inputs: str, **settings: Any) -> str:
        """One operator; the name of its result."""
        name = f"value{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], **settings))
        return name

    def then(self, kind: str, *others: Any, **settings: Any) -> Foreign:
        """One operator after what there is, with fixed arrays."""
        self.current = self.node(kind, self.current, *map(self.fixed, others), **settings)
        return self

    def written(self, path: Path, output: str = "", opset: int = 20) -> Path:
        """The file."""
        helper = self.onnx.helper
        given = helper.make_tensor_value_info("input", 1, ["batch", 3])
        result = helper.make_value_info(output or self.current, helper.make_tensor_type_proto(1, None))
        graph = helper.make_graph(self.nodes, "foreign", [given], [result], self.arrays)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
        path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())
        return path


def numbers(*shape: int) -> np.ndarray:
    """Weights in float32, of a size that training gives them."""
    return (0.4 * RNG.normal(size=shape)).astype(np.float32)


def foreign_activations(model: Foreign) -> dict[str, Any]:
    """Each activation as other libraries write it: what it is called here, and what writes it."""

    def silu() -> None:
        model.current = model.node("Mul", model.current, model.node("Sigmoid", model.current))

    def gelu() -> None:
        z, half, one = model.current, model.fixed(np.float32(0.5)), model.fixed(np.float32(1))
        root = model.fixed(np.float32(2**0.5))
        erf = model.node("Add", model.node("Erf", model.node("Div", z, root)), one)
        model.current = model.node("Mul", model.node("Mul", z, erf), half)

    def softplus() -> None:
        z = model.current
        smooth = model.node("Softplus", z)
        model.current = model.node("Where", model.node("Greater", z, model.fixed(np.float32(20))), z, smooth)

    def mish() -> None:
        z = model.current
        model.current = model.node("Mul", z, model.node("Tanh", model.node("Softplus", z)))

    return {
        "relu": lambda: model.then("Relu"), "tanh": lambda: model.then("Tanh"), "silu": silu, "gelu": gelu,
        "softplus": softplus, "sigmoid": lambda: model.then("Sigmoid"), "selu": lambda: model.then("Selu"),
        "leaky_relu": lambda: model.then("LeakyRelu", alpha=0.2), "elu": lambda: model.then("Elu", alpha=0.5),
        "hard_tanh": lambda: model.then("Clip", np.float32(-1), np.float32(1)), "mish": mish,
        "gelu_tanh": lambda: model.then("Gelu", approximate="tanh"), "identity": lambda: model.then("Identity"),
    }  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_onnx_files_of_others(tmp_path: Path, name: str) -> None:
    model = Foreign()
    model.then("Cast", to=1).then("Gemm", numbers(5, 3), numbers(5), transB=1, alpha=0.5, beta=2.0)
    model.then("BatchNormalization", numbers(5), numbers(5), numbers(5), numbers(5) ** 2 + 0.1, epsilon=1e-3)
    foreign_activations(model)[name]()
    model.then("Dropout").then("MatMul", numbers(5, 4)).then("Add", numbers(1, 4))
    foreign_activations(model)[name]()
    model.then("MatMul", numbers(4, 3)).then("Softmax", axis=1)
    path = model.written(tmp_path / "n.onnx")
    network = Network.from_onnx(path, classes=["a", "b", "c"])
    rows = X.astype(np.float32)
    expected = session(path).run(None, {"input": rows})[0]
    assert close(network.predict_proba(rows), expected, "float32")
    assert [layer.activation_function.name for layer in network.layers] == ["identity", name, name, "identity"]
    assert network.loss == CrossEntropy()
    if name == "tanh":
        goes_on(network, rows, tmp_path)


@pytest.mark.parametrize("labels", [["north", "south"], [3, 5]])
@pytest.mark.parametrize("zipped", [True, False])
def test_labels_in_onnx_files_of_others(tmp_path: Path, labels: list[Any], zipped: bool) -> None:
    model = Foreign()
    model.then("MatMul", numbers(3, 4)).then("Add", numbers(1, 4)).then("Relu")
    model.then("MatMul", numbers(4, 1)).then("Add", numbers(1, 1)).then("Sigmoid")
    second = model.current
    first = model.node("Sub", model.fixed(np.float32(1)), second)
    both = model.node("Concat", first, second, axis=1)
    if zipped:
        key = "classlabels_strings" if isinstance(labels[0], str) else "classlabels_int64s"
        model.node("ZipMap", both, domain="ai.onnx.ml", **{key: labels})
    else:
        best = model.node("ArgMax", both, axis=1)
        values = np.array(labels, dtype=object if isinstance(labels[0], str) else np.int64)
        model.node("ArrayFeatureExtractor", model.fixed(values), best, domain="ai.onnx.ml")
    network = Network.from_onnx(model.written(tmp_path / "n.onnx", both))
    rows = X.astype(np.float32)
    expected = session(tmp_path / "n.onnx").run([both], {"input": rows})[0]
    assert close(network.predict_proba(rows), expected, "float32")
    assert network.predict(rows).tolist() == [labels[int(p > 0.5)] for p in expected[:, 1]]
    goes_on(network, rows, tmp_path)


def test_operators_that_cannot_be_taken_over(tmp_path: Path) -> None:
    W = numbers(3, 4)
    bad = {
        "Conv": lambda: Foreign().then("MatMul", W).then("Conv", numbers(1, 1, 1)),
        "Gather": lambda: Foreign().then("Gather", np.array([0])).then("MatMul", W[:1]),
        "Mul": lambda: Foreign().then("MatMul", W).then("Mul", numbers(4)).then("MatMul", W.T),
        "scales the column 'input0' by -": lambda: Foreign().then("Mul", -(numbers(3) ** 2)).then("MatMul", W),
        "'input0' 2 times": lambda: Foreign().then("Gather", np.array([0, 0, 1]), axis=1).then("MatMul", W),
        "Relu, which does not follow": lambda: Foreign().then("Relu").then("MatMul", W),
        "transposes its input": lambda: Foreign().then("Gemm", W, transA=1),
        "has Clip": lambda: Foreign().then("MatMul", W).then("Clip", np.float32(0), np.float32(6)).then("MatMul", W.T),
        "follows a softmax": lambda: Foreign().then("MatMul", W).then("Softmax", axis=1).then("MatMul", W.T),
    }  # fmt: skip
    for words, build in bad.items():
        with pytest.raises(FileError, match=words):
            Network.from_onnx(build().written(tmp_path / "n.onnx"))


@pytest.mark.parametrize("name", list(ACTIVATIONS))
@pytest.mark.parametrize("loss", ["CrossEntropy", "BinaryCrossEntropy", "SquaredError", "Poisson"])
def test_our_own_onnx_files_come_back(tmp_path: Path, name: str, loss: str) -> None:
    pytest.importorskip("onnx")
    network = Network([Dense(4, name), Dense(3, name, bias=False), Dense(2)], loss=loss, seed=0, n_in=3)
    again = Network.from_onnx(files.save(network, tmp_path / "n.onnx").paths[0])
    assert again.theta.tobytes() == network.theta.tobytes()
    assert (again.layers, again.loss) == (network.layers, network.loss)


def with_statistics(layers: list[Layer], dtype: str, n_in: int = 3) -> Network:
    """A network with the statistics that training leaves, and parameters that differ from 0 and 1."""
    network = in_precision(Network(layers, loss=CrossEntropy(), seed=0, n_in=n_in), dtype)
    network.theta[:] += np.random.default_rng(1).uniform(0.1, 0.5, network.theta.shape).astype(dtype)
    return network


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_our_own_batch_norms_come_back(tmp_path: Path, name: str, dtype: str) -> None:
    pytest.importorskip("onnx")
    stacks: list[list[Layer]] = [
        [Dense(4), BatchNorm(name), Dense(2)],
        [BatchNorm(name, eps=1e-3), BatchNorm(), Dense(2, bias=False)],
        [Dense(3, name, bias=False), BatchNorm(), BatchNorm(name), Dense(2)],
    ]
    for layers in stacks:
        network = with_statistics(layers, dtype)
        again = Network.from_onnx(files.save(network, tmp_path / "n.onnx").paths[0])
        assert (again.layers, again.loss, again.dtype) == (network.layers, network.loss, network.dtype)
        assert again.theta.tobytes() == network.theta.tobytes()
        assert again.outputs(X, engine="reference").tolist() == network.outputs(X, engine="reference").tolist()


@pytest.mark.parametrize("gaps", [False, True, "indicate"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_our_own_tables_come_back_from_onnx(tmp_path: Path, target: str, gaps: bool, dtype: str) -> None:
    onnx = pytest.importorskip("onnx")
    network, frame, preprocessing = table_model(target, gaps, dtype)
    path = files.save(network, tmp_path / "n.onnx").paths[0]
    again = Network.from_onnx(path)
    assert columns_in(again.preprocessing) == columns_in(network.preprocessing)
    read = Preprocessing.from_dict(again.preprocessing)
    assert (read.columns, read.target) == (preprocessing.columns, preprocessing.target)
    assert expected_of(again, frame, read).tolist() == expected_of(network, frame, preprocessing).tolist()
    assert again.classes is None or again.classes.tolist() == list(preprocessing.classes)
    once_more = files.save(again, tmp_path / "again.onnx")
    assert once_more.agreement is None or once_more.agreement.ok
    # The numbers come from the graph: names are all that is lost without the metadata.
    model = onnx.load(path)
    del model.metadata_props[:]
    (tmp_path / "bare.onnx").write_bytes(model.SerializeToString())
    bare = columns_in(Network.from_onnx(tmp_path / "bare.onnx").preprocessing)
    assert bare is not None
    assert [column.name for column in bare.columns] == ["columns0", "words0", "columns1", "columns2", "words1"]
    known = columns_in(network.preprocessing)
    assert known is not None
    assert {name: array.tolist() for name, array in bare.arrays.items() if name != "column_fill"} == {
        name: array.tolist() for name, array in known.arrays.items() if name != "column_fill"
    }
    assert ([words.categories for words in bare.words], bare.scale) == (
        [words.categories for words in known.words], known.scale)  # fmt: skip


def foreign_table(path: Path, words: str, scaled: str) -> tuple[Path, np.ndarray]:
    """A file of another library that takes a table of two columns of numbers and one of words; and its weights."""
    model = Foreign()
    helper = model.onnx.helper
    mean, std, fill = (np.array(each, np.float32) for each in ([3.0, -1.0], [2.0, 0.5], [2.5, 0.25]))
    model.current = "amounts"
    if scaled == "ml":
        filling = {"imputed_value_floats": fill.tolist(), "replaced_value_float": float("nan")}
        model.then("Imputer", domain="ai.onnx.ml", **filling)
        scale = (1 / std).tolist()
        model.then("Scaler", domain="ai.onnx.ml", offset=mean.tolist(), scale=scale)
    else:
        known = model.node("Equal", "amounts", "amounts")
        model.current = model.node("Where", known, "amounts", model.fixed(fill))
        model.then("Add", -mean).then("Mul", 1 / std)
    left, model.current = model.current, "colour"
    categories = ["red", "blue", "green"]  # in an order of its own
    if words == "one-hot":
        model.then("OneHotEncoder", domain="ai.onnx.ml", cats_strings=categories).then("Reshape", np.array([-1, 3]))
    elif words == "dropped":
        model.then("OneHotEncoder", domain="ai.onnx.ml", cats_strings=categories).then("Reshape", np.array([-1, 3]))
        model.then("Gather", np.array([2, 0]), axis=1)
    else:
        codes = {"keys_strings": categories, "values_int64s": [2, 0, 1], "default_int64": -1}
        model.then("LabelEncoder", domain="ai.onnx.ml", **codes).then("Cast", to=1)
        model.then("Sub", np.array([1.0], np.float32))
    model.current = model.node("Concat", left, model.current, axis=1)
    W = numbers({"one-hot": 5, "dropped": 4, "ordinal": 3}[words], 4)
    model.then("Gemm", W, numbers(4)).then("Tanh").then("MatMul", numbers(4, 2)).then("Softmax", axis=1)
    given = [
        helper.make_tensor_value_info("amounts", 1, ["n", 2]),
        helper.make_tensor_value_info("colour", 8, ["n", 1]),
    ]
    result = helper.make_value_info(model.current, helper.make_tensor_type_proto(1, None))
    graph = helper.make_graph(model.nodes, "foreign", given, [result], model.arrays)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 2)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())
    return path, W


@pytest.mark.parametrize("scaled", ["ml", "arithmetic"])
@pytest.mark.parametrize("words", ["one-hot", "dropped", "ordinal"])
def test_tables_in_onnx_files_of_others(tmp_path: Path, words: str, scaled: str) -> None:
    path, _ = foreign_table(tmp_path / "n.onnx", words, scaled)
    network = Network.from_onnx(path, classes=["a", "b"])
    rng = np.random.default_rng(2)
    amounts = (rng.normal(size=(30, 2)) * [2.0, 0.5] + [3.0, -1.0]).astype(np.float32)
    amounts[::4, 0] = np.nan
    colour = np.array(["red", "green", "blue"], dtype=object)[np.arange(30) % 3]
    run = session(path)
    expected = run.run(None, {"amounts": amounts, "colour": colour[:, None]})[0]
    preprocessing = Preprocessing.from_dict(network.preprocessing)
    frame = polars.DataFrame({"amounts0": amounts[:, 0], "amounts1": amounts[:, 1], "colour": colour})
    found = network.predict_proba(preprocessing.transform(frame))
    assert close(found, expected, "float32")
    assert preprocessing.columns[2].categories == ("blue", "green", "red")
    unknown = frame.with_columns(polars.lit("mauve").alias("colour"))
    expected = run.run(None, {"amounts": amounts, "colour": np.full((30, 1), "mauve", dtype=object)})[0]
    assert close(network.predict_proba(preprocessing.transform(unknown, unknown="ignore")), expected, "float32")
    if compiler_here():
        assert files.save(network, tmp_path / "n.c").agreement is not None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["one-hot", "dropped", "ordinal", "scaled"])
def test_pipelines_that_scikit_learns_exporter_writes(tmp_path: Path, kind: str) -> None:
    converter, pandas = pytest.importorskip("skl2onnx"), pytest.importorskip("pandas")
    from sklearn import compose, impute, neural_network, pipeline, preprocessing

    encoders = {"one-hot": preprocessing.OneHotEncoder(handle_unknown="ignore"),
                "dropped": preprocessing.OneHotEncoder(drop="first"), "ordinal": preprocessing.OrdinalEncoder(),
                "scaled": pipeline.make_pipeline(preprocessing.OneHotEncoder(sparse_output=False),
                                                 preprocessing.MinMaxScaler((-1, 2)))}  # fmt: skip
    rng = np.random.default_rng(0)
    frame = {"age": rng.normal(50, 10, 60), "colour": rng.choice(["r", "g", "b"], 60), "height": rng.normal(3, 1, 60)}
    table = pandas.DataFrame(frame)
    steps = compose.ColumnTransformer([
        ("n", pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler()), ["age", "height"]),
        ("w", encoders[kind], ["colour"]),
    ])  # fmt: skip
    theirs = pipeline.make_pipeline(steps, neural_network.MLPClassifier((4,), max_iter=5, random_state=0))
    theirs.fit(table, np.arange(60) % 3)
    (tmp_path / "n.onnx").write_bytes(converter.to_onnx(theirs, table[:1]).SerializeToString())
    network = Network.from_onnx(tmp_path / "n.onnx")
    rows = Preprocessing.from_dict(network.preprocessing).transform(polars.DataFrame(frame))
    # Its imputer and scaler keep their numbers in float32.
    assert close(network.predict_proba(rows), theirs.predict_proba(table), "float32")
    assert network.predict(rows).tolist() == theirs.predict(table).tolist()


@pytest.mark.filterwarnings("ignore")
def test_what_scikit_learns_exporter_writes(tmp_path: Path) -> None:
    converter, sklearn = pytest.importorskip("skl2onnx"), pytest.importorskip("sklearn.neural_network")
    rows = X.astype(np.float32)
    for y in (np.array(["a", "b"])[(X[:, 0] > 0).astype(int)], np.arange(80) % 3, X[:, 0]):
        kind = sklearn.MLPRegressor if y.dtype.kind == "f" else sklearn.MLPClassifier
        theirs = kind(hidden_layer_sizes=(5,), max_iter=10, random_state=0).fit(rows, y)
        (tmp_path / "n.onnx").write_bytes(converter.to_onnx(theirs, rows[:1]).SerializeToString())
        network = Network.from_onnx(tmp_path / "n.onnx")
        assert np.allclose(network.theta, Network.from_sklearn(theirs).theta)
        if y.dtype.kind != "f":
            assert network.predict(rows).tolist() == theirs.predict(rows).tolist()


@pytest.mark.filterwarnings("ignore")
def test_what_pytorchs_exporter_writes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    nn = torch.nn
    module = sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.GELU(), nn.Linear(5, 4), nn.SiLU(), nn.Linear(4, 2),
                        nn.Softmax(dim=1)).eval()  # fmt: skip
    torch.onnx.export(module, (torch.zeros(2, 3),), tmp_path / "n.onnx", dynamo=False)
    network = Network.from_onnx(tmp_path / "n.onnx")
    assert np.allclose(network.theta, Network.from_torch(module).theta)


@pytest.mark.slow
def test_keras_there_and_back(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    if not has_keras():
        pytest.skip("Keras is not installed")
    layers: list[Layer] = [Dense(4, "elu"), BatchNorm("hard_tanh"), Dense(3, "leaky_relu"), Dropout(0.2), Dense(2)]
    network = Network(layers, loss=CrossEntropy(), seed=0, n_in=3)
    exported = files.save(network, tmp_path / "n.keras")
    assert [path.name for path in exported.paths] == ["n.keras", "n_keras.py", "n_keras.npz"]
    code = "; ".join([
        "import sys, warnings", "warnings.simplefilter('ignore')", "import keras", "from workings import Network",
        "model = keras.saving.load_model('n.keras')", "print(repr(Network.from_keras(model).layers))",
    ])  # fmt: skip
    environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == repr(network.layers)


def has_keras() -> bool:
    """Whether Keras is there."""
    return importlib.util.find_spec("keras") is not None


def test_what_is_no_model_is_told_what_to_do() -> None:
    from sklearn import neural_network

    from workings.sklearn import MLPClassifier

    with pytest.raises(InputError, match="Fit it first"):
        files.save(MLPClassifier(), "model.json")
    with pytest.raises(InputError, match=r"MLPClassifier is not fitted.*call fit first"):
        files.save(neural_network.MLPClassifier(), "model.json")


def test_a_script_takes_rows_of_a_pandas_table(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), np.array(["no", "yes"])[rng.integers(0, 2, 30)]
    net = Network([Dense(4, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    net.fit(X, y, optimizer=Adam(0.05), epochs=3)
    names: dict[str, Any] = {}
    exec(net.script(), names)
    assert names["predict"](pandas.DataFrame(X)).tolist() == net.predict(X).tolist()


def test_nothing_in_an_onnx_file_is_unused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    frame = polars.DataFrame({"a": [1.0, 2.0, 3.0, 5.0], "b": ["x", "y", "x", "y"], "c": [0, 1, 0, 1]})
    preprocessing = Preprocessing.learn(frame, "c", task="classification")
    net = Network([Dense(2)], loss=CrossEntropy(), seed=0)
    net.fit(preprocessing.transform(frame), preprocessing.targets(frame), optimizer=Adam(0.05), epochs=3)
    net.preprocessing = preprocessing.to_dict()
    files.save(net, tmp_path / "table.onnx")
    graph = onnx.load(tmp_path / "table.onnx").graph
    used = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= used


# -- categories that are unknown, or empty text -----------------------------------------------


def with_categories(categories: tuple[str, ...], fill: str | None, unknown: str = "error") -> Network:
    """A network of a table with a number and a category."""
    columns = Columns((NumberColumn("x", 0.0, 1.0, None), CategoryColumn("c", categories, fill, unknown)), "y", None)
    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=columns.width)
    network.preprocessing = columns.stored((), "made for a test")
    return network


@pytest.mark.parametrize("unknown", ["error", "zeros"])
@pytest.mark.parametrize("fill", [None, "b"])
def test_pytorch_gives_nan_for_an_unknown_category(tmp_path: Path, fill: str | None, unknown: str) -> None:
    torch = pytest.importorskip("torch")
    network = with_categories(("a", "b"), fill, unknown)
    files.save(network, tmp_path / "net.pt")
    module = runpy.run_path(str(tmp_path / "net_torch.py"))["model"]
    codes, X = torch.tensor([[0], [1], [-1], [2], [-7]]), torch.ones(5, 1, dtype=torch.float64)
    p = module(X, codes).detach().numpy()
    known = network.predict_proba({"x": [1.0, 1.0], "c": ["a", "b"]})
    none = network.outputs([[1.0, 0.0, 0.0]])[0] if unknown == "zeros" else np.full(2, np.nan)
    gap = none if fill is None else known[1]
    assert p == pytest.approx(np.array([*known, gap, none, none]), rel=1e-12, nan_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("unknown", ["error", "zeros"])
def test_keras_gives_nan_for_an_unknown_category(tmp_path: Path, unknown: str) -> None:
    pytest.importorskip("keras")
    network = with_categories(("a", "b"), "b", unknown)
    files.save(network, tmp_path / "net.keras")
    code = (
        "import keras, numpy as np; model = keras.saving.load_model('net.keras'); codes = [[0], [1], [-1], [2], [-7]]; "
    )
    code += "np.save('p.npy', model.predict([np.ones((5, 1)), np.array(codes, dtype='int32')], verbose=0))"
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    a, b = network.predict_proba({"x": [1.0, 1.0], "c": ["a", "b"]})
    none = network.outputs([[1.0, 0.0, 0.0]])[0] if unknown == "zeros" else np.full(2, np.nan)
    assert np.load(tmp_path / "p.npy") == pytest.approx(np.array([a, b, b, none, none]), rel=1e-5, nan_ok=True)


@pytest.mark.parametrize("end", [".py", ".json"])
def test_empty_text_may_be_a_category_beside_gaps(tmp_path: Path, end: str) -> None:
    assert files.save(with_categories(("", "a"), "a"), tmp_path / f"net{end}").agreement


def test_onnx_refuses_empty_text_as_a_category_beside_gaps(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    with pytest.raises(InputError, match="column 'c' has empty text as a category and fills missing values with 'a'"):
        files.save(with_categories(("", "a"), "a"), tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()


@pytest.mark.parametrize("fill", [None, ""])
def test_empty_text_as_a_category_comes_back_from_onnx(tmp_path: Path, fill: str | None) -> None:
    pytest.importorskip("onnx")
    network, table = with_categories(("", "a"), fill), {"x": [1.0, 2.0], "c": ["", "a"]}
    files.save(network, tmp_path / "net.onnx")
    back = Network.from_onnx(tmp_path / "net.onnx")
    assert back.predict_proba(table) == pytest.approx(network.predict_proba(table), rel=1e-12)
