"""Every way to give a model a row: each kind of value predicts the same everywhere, or is refused in own words."""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import importlib
import importlib.util
import json
import math
import runpy
import subprocess
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from workings import SGD, Dense, Network, WorkingsError, files
from workings.files.c import compiler_here
from workings.sklearn import MLPClassifier
from workings.tables import Preprocessing, read_table, write_table
from workings.tables.columns import Columns, columns_in
from workings.tables.values import GAP, UNKNOWN

NAN, INF = math.nan, math.inf
WORDS = ("007", "7", "A")
TRAINING = {
    "age": [20.0, 30.5, None, 50.0, 61.0, 25.0],
    "code": ["007", "7", "A", None, "A", "A"],
    "smoker": [True, False, True, None, True, False],
    "y": ["a", "b", "c", "a", "b", "c"],
}
ROW = {"age": 30.0, "code": "7", "smoker": True}


@dataclass(frozen=True)
class Cell:
    """A kind of value: one column's value in Python and in a CSV file, and what it means.

    ``meaning`` is a number, with NaN for a missing value; a category's number; or None if the value is refused.
    """

    column: str
    value: Any
    text: str
    meaning: float | None

    @property
    def row(self) -> dict[str, Any]:
        """The row that holds the value."""
        return {**ROW, self.column: self.value}

    @property
    def raw(self) -> tuple[list[float], int]:
        """The row as numbers and the category's number, as exported programs take it."""
        meaning = {"age": 30.0, "code": 1, "smoker": 1.0, self.column: self.meaning}
        return [float(meaning["age"]), float(meaning["smoker"])], int(meaning["code"])  # type: ignore[arg-type]


DAY = datetime.date(2024, 1, 5)
CELLS = {
    "a number": Cell("age", 2.5, "2.5", 2.5),
    "a whole number": Cell("age", 7, "7", 7.0),
    "a number as text": Cell("age", "2.5", '"2.5"', 2.5),
    "a number with blanks": Cell("age", " 2.5 ", " 2.5 ", 2.5),
    "a number of true": Cell("age", True, "true", 1.0),
    "a gap": Cell("age", None, "", NAN),
    "blanks": Cell("age", "  ", "  ", NAN),
    "NaN": Cell("age", NAN, "nan", NAN),
    "a mark": Cell("age", "NA", "NA", NAN),
    "infinity": Cell("age", INF, "inf", None),
    "minus infinity": Cell("age", -INF, "-inf", None),
    "too large": Cell("age", 10**400, "1e400", None),
    "text": Cell("age", "old", "old", None),
    "a date": Cell("age", DAY, "2024-01-05", None),
    "a moment": Cell("age", datetime.datetime(2024, 1, 5, 10), "2024-01-05 10:00:00", None),
    "a code": Cell("code", "007", "007", 0),
    "a code of a number": Cell("code", 7, "7", 1),
    "a code of a decimal": Cell("code", 7.0, "7", 1),
    "a word": Cell("code", "A", "A", 2),
    "a word with blanks": Cell("code", " A ", " A ", 2),
    "a gap in words": Cell("code", None, "", GAP),
    "NaN in words": Cell("code", NAN, "nan", GAP),
    "blanks in words": Cell("code", " ", " ", GAP),
    "a mark in words": Cell("code", "NA", "NA", GAP),
    "an unknown word": Cell("code", "B", "B", None),
    "an unknown number": Cell("code", 70, "70", None),
    "true in words": Cell("code", True, "true", None),
    "a date in words": Cell("code", DAY, "2024-01-05", None),
    "true": Cell("smoker", True, "true", 1.0),
    "false": Cell("smoker", False, "false", 0.0),
    "false as text": Cell("smoker", "false", '"false"', 0.0),
    "a number for false": Cell("smoker", 0, "0", 0.0),
    "a gap in true and false": Cell("smoker", None, "", NAN),
    "yes": Cell("smoker", "yes", "yes", None),
}


def formula(network: Network, X: np.ndarray) -> np.ndarray:
    """The probabilities of a network with one hidden layer of tanh."""
    W1, b1, W2, b2 = (network.parameters[name] for name in ("W1", "b1", "W2", "b2"))
    e = np.exp(np.tanh(X @ W1 + b1) @ W2 + b2)
    return np.asarray(e / e.sum(axis=1, keepdims=True))


class Model:
    """A network of a table, and all of its exports; each is compiled or read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        frame = polars.DataFrame(TRAINING)
        preprocessing = Preprocessing.learn(frame, "y", impute=True)
        network = Network([Dense(3, "tanh"), Dense(3)], loss="CrossEntropy", seed=0)
        network.fit(preprocessing.transform(frame), preprocessing.targets(frame), optimizer=SGD(0.5), epochs=5)
        network.preprocessing = json.loads(json.dumps(preprocessing.to_dict()))
        self.network = network
        columns = columns_in(network.preprocessing)
        assert columns is not None
        self.columns: Columns = columns

    def cached(self, name: str, make: Callable[[], Any]) -> Any:
        """What ``make`` made on the first call."""
        if name not in vars(self):
            vars(self)[name] = make()
        return vars(self)[name]

    def features(self, cell: Cell) -> np.ndarray:
        """X of the row."""
        numbers, code = cell.raw
        return self.columns.features(np.array([numbers]), np.array([[code]]))

    @property
    def estimator(self) -> MLPClassifier:
        """An estimator with the weights of the network."""
        X = self.columns.encode({name: values for name, values in TRAINING.items() if name != "y"})
        estimator = MLPClassifier((3,), activation="tanh", max_iter=1, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            estimator.fit(X, TRAINING["y"])
        for number in (1, 2):
            estimator.coefs_[number - 1][...] = self.network.parameters[f"W{number}"]
            estimator.intercepts_[number - 1][...] = self.network.parameters[f"b{number}"]
        return estimator

    def shared_library(self) -> Any:
        """The C export as a library."""
        files.save(self.network, self.folder / "net.c", name="net")
        flags = ["-std=c99", "-shared", "-fPIC"]
        subprocess.run([compiler_here() or "", *flags, "-o", "net.so", "net.c", "-lm"], cwd=self.folder, check=True)
        return ctypes.CDLL(str(self.folder / "net.so"))

    def onnx_session(self) -> Any:
        """The ONNX export in onnxruntime."""
        runtime = pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
        path = files.save(self.network, self.folder / "net.onnx").paths[0]
        return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """One model for all tests."""
    return Model(tmp_path_factory.mktemp("doors"))


# -- doors of tables ------------------------------------------------------------------------


def columns_of(row: dict[str, Any]) -> dict[str, list[Any]]:
    """A row as columns of one value."""
    return {name: [value] for name, value in row.items()}


def csv_file(model: Model, cell: Cell) -> Path:
    """The row as a CSV file."""
    texts = {"age": "30.0", "code": "7", "smoker": "true", cell.column: cell.text}
    path = model.folder / "row.csv"
    path.write_text(",".join(texts) + "\n" + ",".join(texts.values()) + "\n")
    return path


def parquet_file(model: Model, cell: Cell) -> Path:
    """The row as a Parquet file."""
    path = model.folder / "row.parquet"
    write_table(polars_table(cell), path)
    return path


def small_columns(cell: Cell) -> dict[str, list[Any]]:
    """The row as columns; an integer that tables cannot hold is text."""
    row = {name: str(value) if isinstance(value, int) and value > 2**64 else value for name, value in cell.row.items()}
    return columns_of(row)


def polars_table(cell: Cell) -> Any:
    """The row as a polars table."""
    return polars.DataFrame(small_columns(cell), strict=False)


def arrow_table(cell: Cell) -> Any:
    """The row as an Arrow table."""
    return pytest.importorskip("pyarrow").table(small_columns(cell))


def restored(model: Model, end: str) -> Network:
    """The network from a file."""
    path = model.folder / f"model{end}"
    if end == ".json":
        files.save(model.network, path)
        return Network.from_json(path)
    model.network.save(path)
    return Network.load(path)


TABLES: dict[str, Callable[[Model, Cell], np.ndarray]] = {
    "CSV": lambda model, cell: model.network.predict_proba(read_table(csv_file(model, cell))),
    "CSV with the model's types": lambda model, cell: model.network.predict_proba(
        read_table(csv_file(model, cell), columns=model.network.preprocessing)
    ),
    "Parquet": lambda model, cell: model.network.predict_proba(read_table(parquet_file(model, cell))),
    "dict": lambda model, cell: model.network.predict_proba(columns_of(cell.row)),
    "pandas": lambda model, cell: model.network.predict_proba(pandas.DataFrame(small_columns(cell), index=[7])),
    "pandas of objects": lambda model, cell: model.network.predict_proba(
        pandas.DataFrame(columns_of(cell.row), dtype=object)
    ),
    "polars": lambda model, cell: model.network.predict_proba(polars_table(cell)),
    "Arrow": lambda model, cell: model.network.predict_proba(arrow_table(cell)),
    "JSON": lambda model, cell: model.cached("json", lambda: restored(model, ".json")).predict_proba(
        columns_of(cell.row)
    ),
    "safetensors": lambda model, cell: model.cached("tensors", lambda: restored(model, ".safetensors")).predict_proba(
        columns_of(cell.row)
    ),
}


@pytest.mark.parametrize("door", TABLES)
@pytest.mark.parametrize("kind", CELLS)
def test_a_value_means_the_same_in_every_table(model: Model, kind: str, door: str) -> None:
    cell = CELLS[kind]
    if cell.meaning is None:
        with pytest.raises(WorkingsError, match=rf"column '{cell.column}'"):
            TABLES[door](model, cell)
    else:
        expected = formula(model.network, model.features(cell))
        assert TABLES[door](model, cell) == pytest.approx(expected, rel=1e-12)


# -- doors of numbers -----------------------------------------------------------------------


def from_c(model: Model, cell: Cell) -> np.ndarray:
    """Probabilities of the C export."""
    if compiler_here() is None:
        pytest.skip("there is no C compiler")
    library = model.cached("library", model.shared_library)
    numbers, code = cell.raw
    code = len(WORDS) if code == UNKNOWN else code  # beyond the categories: none of them
    p = (ctypes.c_double * 3)()
    library.net_outputs((ctypes.c_double * 2)(*numbers), (ctypes.c_int * 1)(code), p)
    return np.array([list(p)])


def from_onnx(model: Model, cell: Cell) -> np.ndarray:
    """Probabilities of the ONNX export."""
    numbers, code = cell.raw
    word = {GAP: "", UNKNOWN: "B"}.get(code, WORDS[code])
    given = {"columns": np.array([numbers]), "words": np.array([[word]], dtype=object)}
    (p,) = model.cached("session", model.onnx_session).run(["probabilities"], given)
    return np.asarray(p)


def script_of(model: Model) -> dict[str, Any]:
    """The exported Python script."""
    path = model.folder / "script.py"
    script: dict[str, Any] = model.cached(
        "script", lambda: runpy.run_path(str(files.save(model.network, path).paths[0]))
    )
    return script


def from_script(model: Model, cell: Cell) -> np.ndarray:
    """Probabilities of the exported Python script."""
    script = script_of(model)
    return np.asarray(script["outputs"](script["features"](columns_of(cell.row))))


NUMBERS: dict[str, Callable[[Model, Cell], np.ndarray]] = {
    "arrays": lambda model, cell: model.network.predict_proba(model.features(cell)),
    "estimator": lambda model, cell: model.cached("sklearn", lambda: model.estimator).predict_proba(
        model.features(cell)
    ),
    "C": from_c,
    "ONNX": from_onnx,
}
PLAIN = {
    "one row": Cell("age", 2.5, "2.5", 2.5),
    "a gap": Cell("age", None, "", NAN),
    "false": Cell("smoker", False, "false", 0.0),
    "a code": Cell("code", "007", "007", 0),
    "a gap in words": Cell("code", None, "", GAP),
    "a gap in true and false": Cell("smoker", None, "", NAN),
    "an unknown word": Cell("code", "B", "B", UNKNOWN),
}


@pytest.mark.parametrize("door", NUMBERS)
@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.filterwarnings("ignore:X looks like a table")
def test_a_value_means_the_same_in_arrays_and_exports(model: Model, kind: str, door: str) -> None:
    expected = formula(model.network, model.features(PLAIN[kind]))
    if kind == "an unknown word" and door in ("C", "ONNX"):  # they cannot raise an error
        expected = np.full((1, 3), NAN)
    assert NUMBERS[door](model, PLAIN[kind]) == pytest.approx(expected, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("door", ["C", "ONNX"])
@pytest.mark.parametrize("value", [INF, -INF])
def test_exports_that_cannot_raise_an_error_treat_infinity_as_numpy_does(model: Model, door: str, value: float) -> None:
    cell = Cell("age", value, "inf", value)
    expected = formula(model.network, model.features(cell))
    assert NUMBERS[door](model, cell) == pytest.approx(expected, rel=1e-12, nan_ok=True)


# Scripts take a column's own values, and refuse other spellings of them.
SPELLINGS = ("blanks", "a mark", "a code of a decimal", "a mark in words", "false as text")


@pytest.mark.parametrize("kind", CELLS)
def test_a_value_means_the_same_in_a_script_or_is_refused(model: Model, kind: str) -> None:
    cell = CELLS[kind]
    if cell.meaning is None or kind in SPELLINGS:
        with pytest.raises(ValueError, match=cell.column):
            from_script(model, cell)
    else:
        expected = formula(model.network, model.features(cell))
        assert from_script(model, cell) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("door", ["arrays", "estimator"])
@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_arrays_with_values_that_are_not_finite_are_refused(model: Model, door: str, value: float) -> None:
    X = model.features(PLAIN["one row"])
    X[0, 0] = value
    estimator = model.cached("sklearn", lambda: model.estimator)
    predict = model.network.predict_proba if door == "arrays" else estimator.predict_proba
    with pytest.raises(ValueError, match=r"X (has|contains)"):
        predict(X)


@pytest.mark.parametrize("values", [
    np.array(["2024-01-05"], dtype="M8[D]"), np.array([5], dtype="m8[D]"), np.array([30.0 + 1j]),
    pandas.Series(pandas.to_datetime(["2024-01-05"])), [DAY], [{}], ["2024-01-05"],
])  # fmt: skip
def test_a_script_refuses_columns_that_are_no_numbers(model: Model, values: Any) -> None:
    with pytest.raises(ValueError, match="age must hold numbers"):
        script_of(model)["features"]({**columns_of(ROW), "age": values})


# -- no rows, and any values -----------------------------------------------------------------


def test_tables_of_no_rows_are_refused_everywhere(model: Model) -> None:
    empty: dict[str, list[Any]] = {name: [] for name in ROW}
    path = model.folder / "empty.csv"
    path.write_text("age,code,smoker\n")
    write_table(polars.DataFrame(empty), model.folder / "empty.parquet")
    doors = [
        lambda: read_table(path),
        lambda: read_table(model.folder / "empty.parquet"),
        *(lambda table=table: model.network.predict(table)
          for table in (empty, pandas.DataFrame(empty), polars.DataFrame(empty), np.zeros((0, 5)))),
        *(lambda table=table: Preprocessing.learn(table, "y") for table in (polars.DataFrame(TRAINING).clear(),)),
    ]  # fmt: skip
    if importlib.util.find_spec("pyarrow"):
        doors.append(lambda: model.network.predict(importlib.import_module("pyarrow").table(empty)))
    for door in doors:
        with pytest.raises(WorkingsError, match=r"no rows|at least one row"):
            door()


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=3),
    st.dates(), st.datetimes(), st.timedeltas(), st.complex_numbers(), st.decimals(),
    st.sampled_from(["7", "A", " 2 ", "NA", pandas.NA, pandas.NaT, np.ma.masked, np.datetime64("NaT")]),
    st.lists(st.integers(), max_size=2),
)  # fmt: skip


@given(st.lists(st.tuples(values, values, values), max_size=4))
def test_any_values_in_a_table_raise_own_errors_only(model: Model, rows: list[tuple[Any, Any, Any]]) -> None:
    table: dict[str, Any] = {name: [row[place] for row in rows] for place, name in enumerate(ROW)}
    objects = {name: pandas.Series(column, dtype=object) for name, column in table.items()}
    for given_table in (table, pandas.DataFrame(objects)):
        try:
            p = model.network.predict_proba(given_table)
        except WorkingsError:
            continue
        assert p.shape == (len(rows), 3)
        assert np.isfinite(p).all()


@given(st.lists(values, min_size=2, max_size=5), st.sampled_from(["list", "objects", "pandas"]))
def test_any_labels_and_inputs_raise_own_errors_only(column: list[Any], kind: str) -> None:
    made = np.empty(len(column), dtype=object)
    made[:] = column
    y = {"list": column, "objects": made, "pandas": pandas.Series(made)}[kind]
    X = np.arange(2.0 * len(column)).reshape(-1, 2)
    network = Network([Dense(2)], loss="CrossEntropy", seed=0, n_in=2)
    for act in (
        lambda: network.objective(X, y),
        lambda: network.score(X, y),
        lambda: network.objective(X, [0, 1] * len(X), y),
        lambda: network.predict([[value, 1.0] for value in column]),
        lambda: Network([Dense(1)], loss="SquaredError", n_in=2).objective(X, y),
    ):
        with contextlib.suppress(WorkingsError):
            act()
