"""Every way to give a model a row: each kind of value predicts the same everywhere, or is refused in own words."""

from __future__ import annotations

import contextlib
import csv
import ctypes
import datetime
import importlib
import importlib.util
import json
import math
import re
import runpy
import subprocess
import unicodedata
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from tests import strategies as _profile  # noqa: F401  (Hypothesis' settings)
from workings import SGD, Checkpoint, Dense, InputError, Network, WorkingsError, files
from workings.files.c import compiler_here
from workings.sklearn import MLPClassifier, TableClassifier
from workings.table_recipe import CLASSIFICATION
from workings.tables import Preprocessing, read_table, write_table
from workings.tables.columns import CategoryColumn, Columns, NumberColumn, columns_in
from workings.tables.plain_csv import read_columns
from workings.tables.target_column import ClassTarget
from workings.tables.values import GAP, UNKNOWN

NAN, INF = math.nan, math.inf
WORDS = ("007", "7", "A")
DAY, MOMENT = datetime.date(2023, 5, 17), datetime.datetime(2023, 5, 17, 10)
TRAINING = {
    "age": [20.0, 30.5, None, 50.0, 61.0, 25.0],
    "code": ["007", "7", "A", None, "A", "A"],
    "smoker": [True, False, True, None, True, False],
    "day": [DAY, None, *(datetime.date(2020 + month, month, 3 * month) for month in (1, 2, 3, 4))],
    "y": ["a", "b", "c", "a", "b", "c"],
}
ROW = {"age": 30.0, "code": "7", "smoker": True, "day": datetime.date(2022, 2, 6)}
PLACES = {"age": 0, "code": 2, "smoker": 4, "day": 5}  # of a column in X; of code, the category 7


@dataclass(frozen=True)
class Cell:
    """A kind of value: one column's value in Python and in a CSV file, and what it means.

    ``meaning`` is a number, with NaN for a missing value; a category's number; a date; or None if the value is refused.
    """

    column: str
    value: Any
    text: str
    meaning: Any
    rows: int = 1

    @property
    def row(self) -> dict[str, Any]:
        """The row that holds the value."""
        return {**ROW, self.column: self.value}

    @property
    def columns(self) -> dict[str, list[Any]]:
        """The table, all of whose rows are this one."""
        return {name: [value] * self.rows for name, value in self.row.items()}

    def raw(self, meaning: Any) -> tuple[list[float], int]:
        """The row as numbers and the category's number, as exported programs take it."""
        known = {**ROW, "code": 1, "smoker": 1.0, self.column: meaning}
        day = known["day"]
        missing = not isinstance(day, datetime.date)
        parts = [NAN] * 4 if missing else [day.year, day.month, day.day, day.weekday()]
        return [float(known["age"]), float(known["smoker"]), *map(float, parts)], int(known["code"])


CELLS = {
    "a number": Cell("age", 2.5, "2.5", 2.5),
    "no rows": Cell("age", 2.5, "2.5", 2.5, rows=0),
    "three rows": Cell("age", 2.5, "2.5", 2.5, rows=3),
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
    "a date": Cell("age", DAY, "2023-05-17", None),
    "a moment": Cell("age", MOMENT, "2023-05-17 10:00:00", None),
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
    "infinity in words": Cell("code", INF, "inf", None),
    "true in words": Cell("code", True, "true", None),
    "a date in words": Cell("code", DAY, "2023-05-17", None),
    "true": Cell("smoker", True, "true", 1.0),
    "false": Cell("smoker", False, "false", 0.0),
    "false as text": Cell("smoker", "false", '"false"', 0.0),
    "a number for false": Cell("smoker", 0, "0", 0.0),
    "a gap in true and false": Cell("smoker", None, "", NAN),
    "NaN in true and false": Cell("smoker", NAN, "nan", NAN),
    "infinity in true and false": Cell("smoker", INF, "inf", None),
    "a date in true and false": Cell("smoker", DAY, "2023-05-17", None),
    "yes": Cell("smoker", "yes", "yes", None),
    "a day": Cell("day", DAY, "2023-05-17", DAY),
    "a day as text": Cell("day", "2023-05-17", '"2023-05-17"', DAY),
    "a day with blanks": Cell("day", " 2023-05-17 ", " 2023-05-17 ", DAY),
    "a moment of a day": Cell("day", MOMENT, "2023-05-17 10:00:00", DAY),
    "a gap in days": Cell("day", None, "", NAN),
    "NaN in days": Cell("day", NAN, "nan", NAN),
    "blanks in days": Cell("day", " ", " ", NAN),
    "a mark in days": Cell("day", "NA", "NA", NAN),
    "infinity in days": Cell("day", INF, "inf", None),
    "a number in days": Cell("day", 2023.5, "2023.5", None),
    "true in days": Cell("day", True, "true", None),
    "a word in days": Cell("day", "today", "today", None),
    "a day in another order": Cell("day", "17.05.2023", "17.05.2023", None),
    "a day with a short year": Cell("day", "17.05.23", "17.05.23", None),
    "a day with a month's name": Cell("day", "17 May 2023", "17 May 2023", None),
    "a day that does not exist": Cell("day", "2023-02-30", "2023-02-30", None),
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

    def features(self, cell: Cell, meaning: Any) -> np.ndarray:
        """X of the rows."""
        numbers, code = cell.raw(meaning)
        X = self.columns.features(np.array([numbers]), np.array([[code]]))
        return np.repeat(X, cell.rows, axis=0)

    def means(self, cell: Cell, meaning: Any) -> np.ndarray:
        """The probabilities of the rows."""
        return formula(self.network, self.features(cell, meaning))

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


def csv_file(folder: Path, cell: Cell) -> Path:
    """The rows as a CSV file."""
    texts = {"age": "30.0", "code": "7", "smoker": "true", "day": "2022-02-06", cell.column: cell.text}
    path = folder / "row.csv"
    path.write_text(",".join(texts) + "\n" + (",".join(texts.values()) + "\n") * cell.rows)
    return path


def parquet_table(model: Model, cell: Cell) -> Any:
    """The rows as they are read from a Parquet file, which holds all cells of the same types."""
    frame = polars_table(cell)
    alike = [other for other in CELLS.values() if other.rows and polars_table(other).schema == frame.schema]
    name = "-".join(map(str, frame.dtypes))

    def read() -> Any:
        path = model.folder / "rows.parquet"
        write_table(polars.concat([polars_table(other)[:1] for other in alike]) if cell.rows else frame, path)
        return read_table(path)

    found = model.cached(name, read)
    place = next((place for place, other in enumerate(alike) if other is cell), 0)
    return found[[place] * cell.rows] if cell.rows else found


def small_columns(cell: Cell) -> dict[str, list[Any]]:
    """The rows as columns; an integer that tables cannot hold is text."""
    return {
        name: [str(value) if isinstance(value, int) and value > 2**64 else value for value in values]
        for name, values in cell.columns.items()
    }


def polars_table(cell: Cell) -> Any:
    """The rows as a polars table."""
    return polars.DataFrame(small_columns(cell), strict=False)


def arrow_table(cell: Cell) -> Any:
    """The rows as an Arrow table."""
    return pytest.importorskip("pyarrow").table(small_columns(cell))


def restored(model: Model, end: str) -> Network:
    """The network from a file."""
    path = model.folder / f"model{end}"
    if end == ".json":
        files.save(model.network, path)
        return Network.from_json(path)
    model.network.save(path)
    return Network.load(path)


TABLES: dict[str, Callable[[Model, Cell], Any]] = {
    "CSV": lambda model, cell: read_table(csv_file(model.folder, cell)),
    "CSV with the model's types": lambda model, cell: read_table(
        csv_file(model.folder, cell), columns=model.network.preprocessing
    ),
    "Parquet": parquet_table,
    "dict": lambda model, cell: cell.columns,
    "pandas": lambda model, cell: pandas.DataFrame(small_columns(cell), index=[7] * cell.rows),
    "pandas of objects": lambda model, cell: pandas.DataFrame(cell.columns, dtype=object),
    "polars": lambda model, cell: polars_table(cell),
    "Arrow": lambda model, cell: arrow_table(cell),
}


def of_table(model: Model, cell: Cell) -> np.ndarray | None:
    """What a table's rows mean; None if they are refused."""
    return None if cell.meaning is None or not cell.rows else model.means(cell, cell.meaning)


# -- doors of numbers -----------------------------------------------------------------------


def array_of(model: Model, cell: Cell) -> np.ndarray:
    """The value among encoded ones."""
    X = np.repeat(model.features(Cell("age", 30.0, "", 30.0), 30.0), cell.rows, axis=0).astype(object)
    X[:, PLACES[cell.column]] = cell.value
    return X


def of_array(model: Model, cell: Cell) -> np.ndarray | None:
    """What numbers in an array mean; None for what is no finite number."""
    value = cell.value
    is_number = isinstance(value, (bool, int, float)) and -1e308 < value < 1e308
    return formula(model.network, array_of(model, cell).astype(float)) if is_number and cell.rows else None


def number_of(cell: Cell) -> Any:
    """The value as exported programs take it: a number, NaN for a missing one; a date; or a category's number."""
    if cell.column == "code":
        return {None: GAP, **{word: code for code, word in enumerate(WORDS)}}.get(cell.value, UNKNOWN)
    return NAN if cell.value is None else cell.value


def is_held(cell: Cell) -> bool:
    """Whether an exported program's types can hold the value."""
    if cell.column == "code":
        return isinstance(cell.value, str | None)
    if cell.column == "day":
        return isinstance(cell.value, datetime.date | None)
    return isinstance(cell.value, float | int | None) and cell.value != 10**400


def of_export(model: Model, cell: Cell) -> np.ndarray | None:
    """What an exported program computes; it cannot raise an error: an unknown category gives NaN."""
    given = number_of(cell)
    return np.full((cell.rows, 3), NAN) if given == UNKNOWN else model.means(cell, given)


def from_c(model: Model, cell: Cell) -> np.ndarray:
    """Probabilities of the C export."""
    if compiler_here() is None:
        pytest.skip("there is no C compiler")
    library = model.cached("library", model.shared_library)
    numbers, code = cell.raw(number_of(cell))
    code = len(WORDS) if code == UNKNOWN else code  # beyond the categories: none of them
    p = (ctypes.c_double * 3)()
    library.net_outputs((ctypes.c_double * len(numbers))(*numbers), (ctypes.c_int * 1)(code), p)
    return np.array([list(p)] * cell.rows).reshape(-1, 3)


def from_onnx(model: Model, cell: Cell) -> np.ndarray:
    """Probabilities of the ONNX export."""
    numbers, _ = cell.raw(number_of(cell))
    word = (cell.value or "") if cell.column == "code" else "7"
    given = {
        "columns": np.array([numbers] * cell.rows).reshape(-1, len(numbers)),
        "words": np.array([[word]] * cell.rows, dtype=object).reshape(-1, 1),
    }
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
    return np.asarray(script["outputs"](script["features"](cell.columns)))


# Scripts take a column's own values, and refuse other spellings of them.
SPELLINGS = (
    "blanks", "a mark", "a code of a decimal", "a mark in words", "false as text", "blanks in days", "a mark in days"
)  # fmt: skip


def of_script(model: Model, cell: Cell) -> np.ndarray | None:
    """What the exported Python script computes; None if it refuses the value."""
    is_refused = cell.meaning is None or any(cell is CELLS[kind] for kind in SPELLINGS)
    return None if is_refused else model.means(cell, cell.meaning)


@dataclass(frozen=True)
class Door:
    """A way to predict, what it should give (None: an error), and which values its types can hold."""

    predict: Callable[[Model, Cell], np.ndarray]
    expected: Callable[[Model, Cell], np.ndarray | None]
    takes: Callable[[Cell], bool] = lambda cell: True


def table_door(table: Callable[[Model, Cell], Any], end: str | None = None) -> Door:
    """The network, or the one in a file, with a table."""

    def predict(model: Model, cell: Cell) -> np.ndarray:
        network = model.network if end is None else model.cached(end, lambda: restored(model, end))
        return np.asarray(network.predict_proba(table(model, cell)))

    return Door(predict, of_table)


DOORS = {
    **{name: table_door(table) for name, table in TABLES.items()},
    "JSON": table_door(TABLES["dict"], ".json"),
    "safetensors": table_door(TABLES["dict"], ".safetensors"),
    "arrays": Door(lambda model, cell: model.network.predict_proba(array_of(model, cell)), of_array),
    "estimator": Door(
        lambda model, cell: model.cached("sklearn", lambda: model.estimator).predict_proba(array_of(model, cell)),
        of_array,
    ),
    "C": Door(from_c, of_export, is_held),
    "ONNX": Door(from_onnx, of_export, is_held),
    "Python": Door(from_script, of_script),
}


@pytest.mark.parametrize(
    ("door", "kind"), [(door, kind) for door in DOORS for kind, cell in CELLS.items() if DOORS[door].takes(cell)]
)
@pytest.mark.filterwarnings("ignore:X looks like a table")
def test_a_value_means_the_same_at_every_door_or_is_refused(model: Model, door: str, kind: str) -> None:
    cell = CELLS[kind]
    expected = DOORS[door].expected(model, cell)
    if expected is None:
        own = ValueError if door == "Python" else WorkingsError
        words = rf"\b{cell.column}\b|^X " if cell.rows else r"no rows|at least one row"
        with pytest.raises(own, match=words):
            DOORS[door].predict(model, cell)
    else:
        found = DOORS[door].predict(model, cell)
        assert found.shape == (cell.rows, 3)
        assert found == pytest.approx(expected, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    "value", [5, 5.0, True, np.float64(5), datetime.time(10), "10:00", "2023-13-01", b"", [], "today"]
)
def test_days_that_are_none_are_refused_and_never_read_as_0(model: Model, value: Any) -> None:
    table = table_of([(30.0, "7", True, value)])
    with pytest.raises(ValueError, match="The column day must hold dates"):
        script_of(model)["features"](table)
    with pytest.raises(WorkingsError, match=r"column 'day': this column must hold dates"):
        model.network.predict(table)


@pytest.mark.parametrize("values", [
    np.array(["2024-01-05"], dtype="M8[D]"), np.array([5], dtype="m8[D]"), np.array([30.0 + 1j]),
    pandas.Series(pandas.to_datetime(["2024-01-05"])), [DAY], [{}], ["2024-01-05"],
])  # fmt: skip
def test_a_script_refuses_columns_that_are_no_numbers(model: Model, values: Any) -> None:
    with pytest.raises(ValueError, match="age must hold numbers"):
        script_of(model)["features"]({**{name: [value] for name, value in ROW.items()}, "age": values})


# -- columns to learn from -----------------------------------------------------------------

# Texts of a column, and what they are: numbers, categories, dates, which estimators refuse, or refused words.
LEARNED: dict[str, tuple[list[str], str]] = {
    "numbers": (["1", "2.5", "-3"], "numbers"),
    "numbers with blanks": ([" 1 ", "2.5", "3\u00a0"], "numbers"),
    "numbers and a mark": (["1", "NA", "3"], "numbers"),
    "exponents": (["1E5", "2e-3", "+.5"], "numbers"),
    "digits of another script": (["١", "٢", "٣٥"], "numbers"),
    "a minus of typography": (["\u22125", "3", "4"], "numbers"),
    "money": (["$1.50", "$2", "$1,163.74"], "numbers"),
    "percent": (["45%", "5 %", "7%"], "numbers"),
    "commas": (["1.234,5", "2.345,6", "7,5"], "numbers"),
    "narrow blanks": (["1\u202f234,5", "2\u202f000,5", "7,5"], "numbers"),
    "accounting": (["(5.5)", "3", "(1)"], "numbers"),
    "true and false": (["true", "FALSE", "True"], "numbers"),
    "true, false and a mark": (["true", "false", "NA"], "numbers"),
    "true, false and numbers": (["true", "0", "1"], "numbers"),
    "codes": (["007", "7", "12"], "categories"),
    "long codes": (["1" * 39, "1" * 38 + "2", "1" * 38 + "3"], "categories"),
    "words": (["red", "7", "true"], "categories"),
    "few sizes": (["2K", "4K", "8K"], "categories"),
    "ranges": (["10-20", "20-30", "30-40"], "categories"),
    "versions": (["1.10.3", "1.10.12", "1.2.3"], "categories"),
    "dates": (["2024-01-05", "2024-02-06", "2023-03-07"], "dates"),
    "dates with points": (["05.01.2024", "06.02.2024", "31.03.2023"], "dates"),
    "dates with short years": (["05.01.94", "06.02.94", "31.03.93"], "dates"),
    "dates with names of months": (["5 Jan 2024", "6 Feb 2024", "7 Mar 2023"], "dates"),
    "times": (["7:30", "8:45", "23:59"], "dates"),
    "two readings": (["1,234", "5,678", "2,345"], "can be read as"),
    "two units": (["$1", "€2", "€3"], "different units"),
    "a suffix": (["1.5M", "2M", "300k"], "a suffix"),
    "money with a suffix": (["$15K", "$2 mio.", "$3 bn"], "a suffix"),
    "a typing error": (["1", "2", "3", "4", "5", "x"], "x"),
    "an error of Excel": (["1", "2", "3", "4", "5", "#DIV/0!"], "numbers"),
    "a limit": (["1", "2", "3", "4", "5", "<5"], "<5"),
    "infinity": (["1", "inf", "2"], "not finite"),
    "too large": (["1", "1e400", "2"], "not finite"),
}
PLAIN = ("numbers", "numbers with blanks", "exponents", "digits of another script", "infinity", "too large")
READINGS = ("CSV", "polars", "pandas estimator", "polars estimator", "estimator of objects")


def learned_kinds(reading: str, texts: list[str], folder: Path) -> set[str]:
    """What a door learns a column as."""
    return {kind_of(column) for column in learned_columns(reading, texts, folder)}


def learned_columns(reading: str, texts: list[str], folder: Path) -> list[NumberColumn | CategoryColumn]:
    """The columns that a door learns from a column of these texts."""
    values = [texts[row % len(texts)] for row in range(24)]
    table = {"column": values, "other": [row * 37 % 11 for row in range(24)], "y": ["p", "q"] * 12}
    if reading.endswith(("estimator", "objects")):
        frame: Any = pandas.DataFrame(table).drop(columns="y")
        frame = polars.from_pandas(frame) if reading.startswith("polars") else frame
        recipe = replace(CLASSIFICATION, hidden=(2,), epochs=1)
        estimator = TableClassifier(recipe=recipe, random_state=0, engine="reference")
        columns = estimator.fit(frame.to_numpy(dtype=object) if "objects" in reading else frame, table["y"]).columns_
    else:
        found = polars.DataFrame(table)
        if reading != "polars":
            path = folder / "learn.csv"
            write_table(found, path)
            found = read_table(path)
        columns = Preprocessing.learn(found, "y").table_columns
    return [column for column in columns.columns if column.source in ("column", "x0")]


def kind_of(column: NumberColumn | CategoryColumn) -> str:
    """What a column holds."""
    if isinstance(column, CategoryColumn):
        return "categories"
    return "numbers" if column.date is None else "dates"


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("kind", LEARNED)
@pytest.mark.filterwarnings("ignore:X looks like a table")
def test_a_column_is_learned_as_the_same_by_every_door(reading: str, kind: str, tmp_path: Path) -> None:
    texts, expected = LEARNED[kind]
    if reading == "polars" and kind in PLAIN:
        expected = "categories"  # the table's type says that they are words
    if "estimator" in reading and expected == "dates":
        with pytest.raises(InputError, match=r"dates or times, such as .*categories: `astype"):
            learned_kinds(reading, texts, tmp_path)
    elif expected in ("numbers", "categories", "dates"):
        assert learned_kinds(reading, texts, tmp_path) == {expected}
    else:
        with pytest.raises(InputError, match=re.escape(expected)):
            learned_kinds(reading, texts, tmp_path)


SPELLED = {
    "café": ["cafe\u0301", " café "],
    "Å": ["A\u030a", "\u212b"],
    "가": ["\u1100\u1161", "\xa0가"],
    "nai\u0308ve": ["naïve"],
}


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("word", SPELLED)
@pytest.mark.filterwarnings("ignore:X looks like a table")
def test_characters_in_parts_are_the_same_category(reading: str, word: str, tmp_path: Path) -> None:
    plain = unicodedata.normalize("NFC", word)
    for other in SPELLED[word]:
        (column,) = learned_columns(reading, [word, other, "tea"], tmp_path)
        assert isinstance(column, CategoryColumn)
        assert column.categories == tuple(sorted(["tea", plain]))
        place = column.categories.index(plain)
        assert column.read([word, other, "tea", plain]).tolist() == [place, place, 1 - place, place]
        path = tmp_path / "words.csv"
        path.write_text(f"column\n{word}\n{other}\ntea\n")
        assert read_columns(str(path), ())["column"] == [plain, plain, "tea"]
        known = CategoryColumn("column", (other,))  # of an imported model: the text itself goes first
        assert known.read([other]).tolist() == [0]
        for label in (word, other.strip()):  # a model's own label is kept
            assert ClassTarget("y", (label,)).encode(polars.Series("y", [word, other])).tolist() == [label] * 2


@pytest.mark.parametrize("values", [
    [pandas.Period("2024-01")] * 24, [1j, 2] * 12, [datetime.timedelta(1)] * 24, [10**400, 1] * 12, [[1], [2]] * 12,
], ids=str)  # fmt: skip
def test_estimators_refuse_values_that_are_neither_numbers_nor_words(values: list[Any]) -> None:
    table = pandas.DataFrame({"column": pandas.Series(values, dtype=object), "other": range(24)})
    with pytest.raises(InputError, match=r"[Cc]olumn 'column'"):
        TableClassifier(random_state=0).fit(table, ["p", "q"] * 12)


@pytest.mark.parametrize("hidden", [-9999.0, 5.0, INF])
def test_masked_values_are_gaps_for_the_table_estimators(hidden: float) -> None:
    data, mask = np.arange(48.0).reshape(24, 2) % 7, np.zeros((24, 2), dtype=bool)
    mask[3, 0] = mask[20, 1] = True
    recipe = replace(CLASSIFICATION, hidden=(2,), epochs=2)
    expected = None
    for X in (np.where(mask, NAN, data), *(np.ma.array(np.where(mask, hidden, data), mask=mask),)):
        for rows in (X, list(X)):
            estimator = TableClassifier(recipe=recipe, random_state=0, engine="reference").fit(rows, ["p", "q"] * 12)
            found = estimator.predict_proba(rows)
            expected = found if expected is None else expected
            np.testing.assert_array_equal(found, expected)


# -- no rows, and any values -----------------------------------------------------------------


def test_tables_of_no_rows_are_refused_everywhere(model: Model) -> None:
    empty: dict[str, list[Any]] = {name: [] for name in ROW}
    path = model.folder / "empty.csv"
    path.write_text(",".join(ROW) + "\n")
    write_table(polars.DataFrame(empty), model.folder / "empty.parquet")
    doors = [
        lambda: read_table(path),
        lambda: read_table(model.folder / "empty.parquet"),
        *(lambda table=table: model.network.predict(table)
          for table in (empty, pandas.DataFrame(empty), polars.DataFrame(empty), np.zeros((0, 9)))),
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


def table_of(rows: list[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """The columns of some rows."""
    return {name: [row[place] for row in rows] for place, name in enumerate(ROW)}


def predicted(network: Network, table: Any) -> np.ndarray | None:
    """The probabilities of a table; None if it is refused in own words.  ``table`` may be a function that reads one."""
    try:
        p = network.predict_proba(table() if callable(table) else table)
    except WorkingsError:
        return None
    assert np.isfinite(p).all()
    return np.asarray(p)


def agree(first: np.ndarray | None, second: np.ndarray | None) -> bool:
    """Whether two doors give the same predictions, or refuse both."""
    if first is None or second is None:
        return first is second
    return np.allclose(first, second, rtol=1e-12)


@given(st.lists(st.tuples(values, values, values, values), max_size=4))
def test_any_values_in_a_table_raise_own_errors_only(model: Model, rows: list[tuple[Any, ...]]) -> None:
    table = table_of(rows)
    objects = pandas.DataFrame({name: pandas.Series(column, dtype=object) for name, column in table.items()})
    found = predicted(model.network, table)
    assert found is None or found.shape == (len(rows), 3)
    assert agree(predicted(model.cached(".json", lambda: restored(model, ".json")), table), found)
    assert agree(predicted(model.network, objects), found)


cells = st.one_of(
    st.sampled_from(["", "7", "007", "A", " A ", "NA", "nan", "true", "2.5", "1e3", "-0", "inf", "2023-05-17", '"']),
    st.floats(allow_infinity=False).map(str),
    st.dates().map(str),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=4),
)
good = st.tuples(
    st.one_of(st.floats(-1e6, 1e6).map(str), st.sampled_from(["", " 7 ", "NA", "true"])),
    st.sampled_from([*WORDS, "", " A ", "NA"]),
    st.sampled_from(["true", "false", "", "1", "0"]),
    st.one_of(st.dates().map(str), st.sampled_from(["", "NA", "2023-05-17 10:00"])),
)


@given(st.lists(st.one_of(good, st.tuples(cells, cells, cells, cells)), max_size=4))
def test_any_text_in_a_csv_file_means_what_it_means_in_python(model: Model, rows: list[tuple[str, ...]]) -> None:
    path = model.folder / "any.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([tuple(ROW), *rows])
    found = predicted(model.network, lambda: table_of(rows))
    with_types = predicted(model.network, lambda: read_table(path, columns=model.network.preprocessing))
    assert agree(with_types, found)
    alone = predicted(model.network, lambda: read_table(path))
    assert alone is None or agree(alone, found)


@settings(max_examples=8)
@given(st.lists(st.one_of(good, st.tuples(cells, cells, cells, cells)), max_size=4))
def test_any_text_in_a_parquet_file_means_what_it_means_in_python(model: Model, rows: list[tuple[str, ...]]) -> None:
    path = model.folder / "any.parquet"
    write_table(polars.DataFrame(table_of(rows), schema=dict.fromkeys(ROW, polars.String)), path)
    found = predicted(model.network, lambda: table_of(rows))
    assert agree(predicted(model.network, lambda: read_table(path)), found)


numbers = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([NAN, INF, -INF, 0.0, -0.0]))


@given(st.lists(st.tuples(*[numbers] * 6, st.integers(-1, 2)), min_size=1, max_size=20))
def test_any_numbers_give_the_same_in_exports(model: Model, rows: list[tuple[Any, ...]]) -> None:
    numbers, codes = np.array([row[:6] for row in rows]), np.array([row[6:] for row in rows])
    with np.errstate(invalid="ignore"):
        expected = formula(model.network, model.columns.features(numbers, codes))
    words = np.array([["" if code == GAP else WORDS[code]] for code in codes[:, 0]], dtype=object)
    given_rows = {"columns": numbers, "words": words}
    (p,) = model.cached("session", model.onnx_session).run(["probabilities"], given_rows)
    assert np.allclose(p, expected, rtol=1e-9, equal_nan=True)
    if compiler_here() is None:
        pytest.skip("there is no C compiler")
    library, outputs = model.cached("library", model.shared_library), (ctypes.c_double * 3)()
    for row, of_row in zip(rows, expected, strict=True):
        library.net_outputs((ctypes.c_double * 6)(*row[:6]), (ctypes.c_int * 1)(row[6]), outputs)
        assert np.allclose(list(outputs), of_row, rtol=1e-9, equal_nan=True)


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


@pytest.mark.parametrize("given_name", [None, 3, b"t.csv", "", "https://example.com/t.csv", Path("s3://bucket/t.csv")])
def test_what_names_no_file_is_refused_by_every_reader_and_writer(model: Model, given_name: Any) -> None:
    for act in (
        read_table, Network.load, Network.from_json, Network.from_onnx, files.load, Checkpoint, model.network.save,
        lambda path: write_table(polars.DataFrame({"a": [1]}), path), lambda path: files.save(model.network, path),
    ):  # fmt: skip
        with pytest.raises(InputError, match=r"named by text or a path|name of a file is empty|Download the file"):
            act(given_name)
