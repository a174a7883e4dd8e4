"""A table's columns: the same rows give the same X in every kind of table, each row alone and beside others."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workings import Dense, Network
from workings.cli import table_models
from workings.errors import FileError, InputError
from workings.tables import ClassTarget, NumberTarget, Preprocessing, marks_as_gaps, read_table, write_table
from workings.tables.columns import CategoryColumn, Columns, NumberColumn, columns_in
from workings.tables.features import standardize

pandas = pytest.importorskip("pandas")
NAN = float("nan")


@dataclass(frozen=True)
class Kind:
    """A kind of column: what stands in the training file, in a new one, and how Python holds the latter."""

    training: tuple[str, ...]
    new: tuple[str, ...]
    values: tuple[Any, ...]
    separator: str = ","
    impute: bool = False


KINDS = {
    "numbers": Kind(("1", "2.5", "-3", "4"), ("2.5", "7", "1e3", "-0.25"), (2.5, 7, 1000.0, -0.25)),
    "whole numbers": Kind(("1", "2", "3", "4"), ("4", "1.5", "9"), (4, 1.5, 9)),
    "decimal commas": Kind(("1,5", "2", "-3,25", "4"), ("2,5", "7", "-,5"), (2.5, 7.0, -0.5), ";"),
    "numbers with zeros": Kind(("5", "10.5", "2", "4"), ("05", "010", "7"), (5, 10, 7)),
    "numbers as text": Kind(("1", "2", "3", "4"), ("2", "3.5", "4"), ("2", " 3.5 ", "4")),
    "words": Kind(("red", "blue", "red", "green"), ("blue", "green", " red "), ("blue", "green", " red ")),
    "numbers of true and false": Kind(("true", "false", "true", "true"), ("true", "false"), (True, False)),
    "true and false as text": Kind(("true", "false", "true", "true"), ("true", "False"), ("true", "False")),
    "words of true and false": Kind(("true", "false", "unknown", "true"), ("true", "false"), (True, False)),
    "the words true and false": Kind(("true", "false", "unknown", "true"), ("true", "false"), ("true", "false")),
    "capital words": Kind(("TRUE", "FALSE", "unknown", "TRUE"), ("TRUE", "FALSE"), ("TRUE", "FALSE")),
    "Python's true": Kind(("True", "False", "unknown", "True"), ("True", "False"), (True, False)),
    "codes": Kind(("007", "7", "A", "7"), ("007", "7", "A"), ("007", "7", "A")),
    "codes without letters": Kind(("007", "7", "70", "7"), ("7", "007", "70"), ("7", "007", "70")),
    "codes as numbers": Kind(("3", "7", "A", "7"), ("3", "7"), (3, 7)),
    "codes as decimals": Kind(("3", "7", "A", "7"), ("3", "7"), (3.0, 7.0)),
    "decimals as words": Kind(("1.0", "1", "1.50", "A"), ("1.50", "1.0", "1"), ("1.50", "1.0", "1")),
    "signs and powers": Kind(("+7", "7", "1e3", "A"), ("1e3", "+7", "7"), ("1e3", "+7", "7")),
    "commas in words": Kind(("1,5", "S", "M", "L"), ("1,5", "S"), ("1,5", "S"), ";"),
    "dates": Kind(("2024-01-05", "2024-02-01", "never", "never"), ("2024-02-01", "2024-01-05"),
                  (datetime.date(2024, 2, 1), datetime.date(2024, 1, 5))),
    "dates as text": Kind(("2024-01-05", "2024-02-01", "never", "never"), ("2024-02-01", "never"),
                          ("2024-02-01", "never")),
    "moments": Kind(("2024-01-05 10:00", "2024-01-06 11:30", "never", "never"), ("2024-01-06 11:30",),
                    ("2024-01-06 11:30",)),
    "times": Kind(("08:30", "09:15", "never", "never"), ("09:15", "08:30"), ("09:15", "08:30")),
    "gaps in numbers": Kind(("1", "", "3", "8"), ("2", "", "NA"), (2.0, None, NAN), impute=True),
    "gaps in numbers as text": Kind(("1", "", "3", "8"), ("2", "", "n/a", "?"), ("2", "", "NA", None), impute=True),
    "gaps in true and false": Kind(("true", "", "false", "true"), ("false", "", "NA"), (False, None, None),
                                   impute=True),
    "gaps in words": Kind(("red", "", "blue", "red"), ("blue", "", "NA", "null"), ("blue", None, NAN, "NA"),
                          impute=True),
    "gaps in codes": Kind(("007", "NA", "7", "7"), ("007", "", "7"), ("007", "", "7"), impute=True),
    "gaps beside commas": Kind(("1,5", "NA", "3", "8"), ("2,5", "", "NA"), (2.5, None, NAN), ";", impute=True),
}  # fmt: skip


def written(path: Path, cells: tuple[str, ...], kind: Kind, targets: bool = False) -> Path:
    """A CSV file of the column beside another one, with or without the target."""
    head = ["other", "column", *(["y"] if targets else [])]
    rows = [[str(i), cell, *(["ab"[i % 2]] if targets else [])] for i, cell in enumerate(cells)]
    path.write_text("\n".join(kind.separator.join(row) for row in [head, *rows]) + "\n")
    return path


def model(path: Path, kind: Kind) -> Network:
    """A network for such a table, as `workings train` makes one."""
    frame = read_table(written(path, kind.training, kind, targets=True))
    frame = marks_as_gaps(frame, "y") if kind.impute else frame
    preprocessing = Preprocessing.learn(frame, "y", impute=kind.impute)
    network = Network([Dense(2)], loss="CrossEntropy", seed=0, n_in=preprocessing.n_features)
    network.preprocessing = json.loads(json.dumps(preprocessing.to_dict()))
    return network


def from_file(network: Network, path: Path) -> np.ndarray:
    """X as `workings predict` makes it."""
    preprocessing, frame = table_models.read_rows(network, path)
    return preprocessing.transform(frame)


def tables(values: tuple[Any, ...], first: int = 0) -> Iterator[tuple[str, Any]]:
    """The same rows as tables of every kind."""
    given = {"other": list(range(first, first + len(values))), "column": list(values)}
    yield "dict", given
    yield "pandas", pandas.DataFrame(given)
    yield "pandas of objects", pandas.DataFrame(given).astype(object)
    if len({type(value) for value in values if value is not None} & {str, float}) < 2:  # which it would make text
        yield "polars", polars.DataFrame(given, strict=False)
    yield "arrays", {name: np.array(column, dtype=object) for name, column in given.items()}


@pytest.mark.parametrize("name", KINDS)
def test_every_table_of_the_same_rows_gives_the_same_X(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    network = model(tmp_path / "training.csv", kind)
    new = written(tmp_path / "new.csv", kind.new, kind)
    X = from_file(network, new)
    assert len(X) == len(kind.new)
    assert network.encode_table(read_table(new))[0].tobytes() == X.tobytes()
    assert Preprocessing.from_dict(network.preprocessing).transform(read_table(new)).tobytes() == X.tobytes()
    inner = from_file(network, written(tmp_path / "inner.csv", tuple(cell.strip() for cell in kind.new), kind))
    assert inner.tobytes() == X.tobytes()
    expected = X[: len(kind.values)]
    for what, table in tables(kind.values):
        assert network.encode_table(table)[0].tobytes() == expected.tobytes(), what


@pytest.mark.parametrize("name", KINDS)
def test_a_row_alone_gives_what_it_gives_beside_others(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    network = model(tmp_path / "training.csv", kind)
    X = from_file(network, written(tmp_path / "new.csv", kind.new, kind))
    alone = tmp_path / "alone.csv"
    for row, cell in enumerate(kind.new):
        alone.write_text(f"other{kind.separator}column\n{row}{kind.separator}{cell}\n")
        assert from_file(network, alone).tobytes() == X[row : row + 1].tobytes(), cell
        assert network.encode_table(read_table(alone))[0].tobytes() == X[row : row + 1].tobytes(), cell
    for row, value in enumerate(kind.values):
        for what, table in tables((value,), row):
            assert network.encode_table(table)[0].tobytes() == X[row : row + 1].tobytes(), (what, value)


UNKNOWN = {
    "a word": ("words", "mauve", ["mauve"]),
    "a code without its zeros": ("codes without letters", "0070", ["0070", 700]),
    "a number": ("codes as numbers", "8", ["8", 8, 8.0]),
    "a decimal": ("codes as numbers", "7.5", ["7.5", 7.5]),
    "a code with zeros": ("codes as numbers", "007", ["007"]),
    "true": ("codes", "true", ["true", True]),
    "a date": ("dates", "2025-01-01", ["2025-01-01", datetime.date(2025, 1, 1)]),
    "a mark": ("words", "NA", ["NA"]),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_an_unknown_word_is_refused_by_every_table_or_is_zeros(tmp_path: Path, case: str) -> None:
    name, cell, values = UNKNOWN[case]
    kind = KINDS[name]
    network = model(tmp_path / "training.csv", kind)
    new = written(tmp_path / "new.csv", (kind.new[0], cell), kind)
    given = [read_table(new), *(table for value in values for _, table in tables((kind.new[0], value)))]
    for table in [*given, read_table(new, columns=network.preprocessing)]:
        with pytest.raises(InputError, match=r"The category '.*' in row 2 .*, column 'column' was not in the training"):
            network.predict(table)
    preprocessing, frame = table_models.read_rows(network, new)
    for table in [*given, frame]:
        X = preprocessing.transform(table, unknown="ignore")
        assert not X[1, 1:].any()
        assert X[0, 1:].sum() == 1


REFUSED = {
    "text": ("numbers", "abc", ["abc"], "Text 'abc' in row 2"),
    "a slip": ("numbers", "4_0", ["4_0"], "Text '4_0' in row 2"),
    "a comma": ("numbers", '"1,5"', ["1,5"], "Text '1,5' in row 2"),
    "a gap": ("numbers", "", ["", None, NAN, " "], "no value in row 2"),
    "a gap in words": ("words", "", ["", None, NAN], "no value in row 2"),
    "a mark": ("numbers", "NA", ["NA"], "Text 'NA' in row 2"),
    "an infinity": ("numbers", "inf", ["inf", float("inf")], "inf in row 2"),
    "an infinity beside gaps": ("gaps in numbers", "-inf", [-float("inf")], "-inf in row 2"),
    "text beside gaps": ("gaps in numbers", "abc", ["abc"], "Text 'abc' in row 2"),
    "text beside commas": ("gaps beside commas", "a,c", ["a,c"], "Text 'a,c' in row 2"),
    "a date": ("numbers", "2024-01-05", ["2024-01-05"], "Text '2024-01-05' in row 2"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_by_every_table_with_its_place(tmp_path: Path, case: str) -> None:
    name, cell, values, words = REFUSED[case]
    kind = KINDS[name]
    network = model(tmp_path / "training.csv", kind)
    new = written(tmp_path / "new.csv", (kind.new[0], cell), kind)
    given = [read_table(new), *(table for value in values for _, table in tables((kind.values[0], value)))]
    for table in [*given, read_table(new, columns=network.preprocessing)]:
        with pytest.raises(InputError, match=rf"{words} .*column 'column'"):
            network.predict(table)


@pytest.mark.parametrize("value", [b"red", ["red"], {"a": 1}, (1, 2), np.array([1.0, 2.0])], ids=str)
def test_nested_values_are_refused(value: Any) -> None:
    columns = Columns((NumberColumn("a"), CategoryColumn("b", ("red",), "red")), "y", None)
    column = np.empty(1, dtype=object)
    column[0] = value
    for bad in ({"a": column, "b": ["red"]}, {"a": [1.0], "b": column}):
        for unknown in ("error", "ignore"):
            with pytest.raises(InputError, match=r"holds values of type .* numbers, text or true/false"):
                columns.encode(bad, unknown=unknown)


def test_dates_are_refused_as_numbers() -> None:
    columns = Columns((NumberColumn("a"),), "y", None)
    days = [datetime.date(2024, 1, 5), datetime.date(2024, 2, 1)]
    ranges = np.array(days, dtype="datetime64[ns]")
    for table in ({"a": days}, {"a": ranges}, pandas.DataFrame({"a": ranges}), polars.DataFrame({"a": days}),
                  {"a": ranges - ranges[0]}):  # fmt: skip
        with pytest.raises(InputError, match=r"'a' holds dates or times .*row 1"):
            columns.encode(table)


def test_pandas_own_gaps_and_types_are_understood() -> None:
    columns = Columns((NumberColumn("a", 1.0, 2.0, 5.0), CategoryColumn("b", ("2", "x"), "x")), "y", None)
    expected = columns.encode({"a": [3, None], "b": ["2", None]})
    assert expected.tolist() == [[1.0, 1.0, 0.0], [2.0, 0.0, 1.0]]
    table = pandas.DataFrame({"a": pandas.array([3, None], dtype="Int64"), "b": pandas.array([2, None], dtype="Int64")})
    assert columns.encode(table).tolist() == expected.tolist()
    text = pandas.DataFrame({"a": pandas.Series([3.0, NAN]), "b": pandas.Series(["2", None], dtype="category")})
    assert columns.encode(text).tolist() == expected.tolist()
    moments = pandas.DataFrame({"a": [3.0, NAN], "b": pandas.Series(["2", pandas.NaT], dtype=object)})
    assert columns.encode(moments).tolist() == expected.tolist()


TWO = Columns((NumberColumn("a", 1.0, 2.0, 5.0), CategoryColumn("b", ("2", "2024-01-05", "x"), "x")), "y", None)
MASK = [False, True]


@pytest.mark.parametrize("table", [
    {"a": np.ma.array([3, -9999], mask=MASK), "b": np.ma.array(["2", "?"], mask=MASK)},
    {"a": np.ma.array([3.0, -9999.0], mask=MASK), "b": np.ma.array([2, -9999], mask=MASK)},
    np.ma.array([(3, "2"), (-9999, "?")], mask=[(False, False), (True, True)], dtype=[("a", float), ("b", "U5")]),
    {"a": [3, pandas.NA], "b": ["2", pandas.NA]},
    {"a": pandas.array([3, None], dtype="Float32"), "b": pandas.array(["2", None], dtype="string")},
    pandas.DataFrame({"a": pandas.Categorical([3, None]), "b": pandas.Categorical([2, None])}, index=[7, 7]),
    pandas.DataFrame({"a": [3, None], 0: [1, 2], "b": [2, None]}),
], ids=str)  # fmt: skip
def test_gaps_of_every_library_are_gaps(table: Any) -> None:
    assert TWO.encode(table).tolist() == [[1.0, 1.0, 0.0, 0.0], [2.0, 0.0, 0.0, 1.0]]
    bare = Columns((NumberColumn("a", 1.0, 2.0), CategoryColumn("b", ("2", "x"))), "y", None)
    with pytest.raises(InputError, match=r"no value in row 2 .*Missing in all: 2 \(a: 1, b: 1\)"):
        bare.encode(table)


@pytest.mark.parametrize(("table", "says"), [
    (polars.DataFrame({"a": [1], "b": ["2"]}).lazy(), "LazyFrame, a query that was not run"),
    (pandas.DataFrame([[1, 2, "2"]], columns=["a", "a", "b"]), "two columns named 'a'"),
    (pandas.DataFrame([[1, "x", "2"]], columns=["a", "b", "b"]), "two columns named 'b'"),
    (pandas.DataFrame([[1, "2"]], columns=pandas.MultiIndex.from_tuples([("a", "q"), ("b", "q")])), "lacks 'a', 'b'"),
    ({"a": 1, "b": ["2"]}, "Column 'a' is 1 .*a list with one value for each row"),
    ({"a": [1], "b": "2"}, "Column 'b' is '2' .*a list with one value for each row"),
    ({"a": iter([1]), "b": ["2"]}, "a list with one value for each row"),
    ({"a": [np.timedelta64(3, "D")], "b": ["2"]}, "dates or times"),
    ({"a": np.array([1j]), "b": ["2"]}, "must hold numbers"),
    ({"a": [np.complex64(1)], "b": ["2"]}, "must hold numbers"),
    ({"a": np.array([np.longdouble(10) ** 4000]), "b": ["2"]}, "inf in row 1"),
])  # fmt: skip
def test_tables_that_cannot_be_read_are_refused_in_own_words(table: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        TWO.encode(table)


@pytest.mark.parametrize("unit", ["D", "s", "us", "ns"])
def test_days_of_numpy_are_the_words_of_a_file(unit: str) -> None:
    table = {"a": [3], "b": np.array(["2024-01-05"], dtype=f"datetime64[{unit}]")}
    assert TWO.encode(table).tolist() == [[1.0, 0.0, 1.0, 0.0]]


def test_polars_own_types_are_understood() -> None:
    columns = Columns((NumberColumn("a", 1.0, 2.0, 5.0), CategoryColumn("b", ("2", "x"), "x")), "y", None)
    for dtype in (polars.Int8, polars.UInt64, polars.Int128, polars.Float32, polars.Decimal(10, 2)):
        table = polars.DataFrame({"a": polars.Series([3, None], dtype=dtype), "b": ["2", None]})
        assert columns.encode(table).tolist() == [[1.0, 1.0, 0.0], [2.0, 0.0, 1.0]]
    empty = polars.DataFrame({"a": [None, None], "b": [None, None]})
    assert columns.encode(empty).tolist() == [[2.0, 0.0, 1.0]] * 2
    assert columns.encode({"a": [], "b": []}).shape == (0, 3)
    assert columns.encode(np.array([(3.0, "2")], dtype=[("a", float), ("b", "U5")])).tolist() == [[1.0, 1.0, 0.0]]


@given(st.lists(st.tuples(st.floats(-1e6, 1e6) | st.none(), st.sampled_from(["red", "007", "7", None])), min_size=1,
                max_size=8), st.data())  # fmt: skip
def test_rows_are_encoded_one_by_one(rows: list[tuple[float | None, str | None]], data: st.DataObject) -> None:
    columns = Columns((NumberColumn("a", 3.0, 7.0, 1.0), CategoryColumn("b", ("007", "7", "red"), "7")), "y", None)
    X = columns.encode({"a": [a for a, _ in rows], "b": [b for _, b in rows]})
    some = data.draw(st.permutations(range(len(rows))))[: data.draw(st.integers(1, len(rows)))]
    part = columns.encode({"a": [rows[i][0] for i in some], "b": [rows[i][1] for i in some]})
    assert part.tobytes() == X[some].tobytes()


# -- the text of a file ----------------------------------------------------------------------


def test_a_table_that_was_changed_is_taken_as_it_is_now(tmp_path: Path) -> None:
    network = model(tmp_path / "training.csv", KINDS["codes as numbers"])
    path = written(tmp_path / "new.csv", ("3", "7"), KINDS["codes as numbers"])
    frame = read_table(path)
    three, seven = network.encode_table(frame)[0][:, 1:].tolist()
    assert three != seven
    frame[0, "column"] = 7
    assert network.encode_table(frame)[0][:, 1:].tolist() == [seven, seven]
    assert network.encode_table(read_table(path).reverse())[0][:, 1:].tolist() == [seven, three]
    assert network.encode_table(read_table(path)[1:])[0][:, 1:].tolist() == [seven]
    renamed = read_table(path).rename({"column": "other", "other": "column"})
    with pytest.raises(InputError):
        network.predict(renamed)


def test_zeros_in_front_stay_in_every_table_that_is_made_from_another(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text('code,"quoted",spaced,date,plain\n007,"01", 08 ,2024-01-05,10\n12,"02",9,2024-01-06,0\n')
    frame = read_table(path)
    assert frame.select("code", "quoted", "spaced").rows() == [("007", "01", "08"), ("12", "02", "9")]
    assert frame["plain"].to_list() == [10, 0]
    assert frame["date"].dtype == polars.Date
    write_table(frame, tmp_path / "again.csv")
    assert read_table(tmp_path / "again.csv").equals(frame)
    network = model(tmp_path / "training.csv", KINDS["codes"])
    alone = read_table(written(tmp_path / "one.csv", ("007",), KINDS["codes"]))
    assert network.encode_table(alone.head(1))[0].tolist() == network.encode_table(alone)[0].tolist()
    for text in ("-01", "0.5", "00.5", "1e05", "0"):
        path.write_text(f"a,b\n{text},x\n2,y\n")
        assert read_table(path)["a"].dtype.is_numeric(), text


def test_only_the_columns_of_the_model_are_read(tmp_path: Path) -> None:
    network = model(tmp_path / "training.csv", KINDS["codes"])
    path = tmp_path / "new.csv"
    path.write_text("more,column,other,y\n1,007,5,a\n2,7,6,b\n")
    frame = read_table(path, columns=network.preprocessing)
    assert frame.rows() == [("007", 5, "a"), ("7", 6, "b")]
    assert read_table(path, columns=columns_in(network.preprocessing)).equals(frame)
    write_table(polars.DataFrame({"more": [1], "column": ["7"], "other": [6], "y": ["b"]}), tmp_path / "new.parquet")
    assert read_table(tmp_path / "new.parquet", columns=network.preprocessing).rows() == [("7", 6, "b")]
    path.write_text("column,more\n007,5\n")
    with pytest.raises(InputError, match=r"lacks 'other', .*Its columns: column, more"):
        read_table(path, columns=network.preprocessing)


# -- targets ---------------------------------------------------------------------------------


def test_labels_keep_their_zeros(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "".join(f"{i},{['01', '02', '10'][i % 3]}\n" for i in range(12)))
    preprocessing = Preprocessing.learn(read_table(path), "y")
    assert preprocessing.target == ClassTarget("y", ("01", "02", "10"))
    for rows in ("0,10", "0,10\n1,02"):
        path.write_text(f"a,y\n{rows}\n")
        labels = [row.split(",")[1] for row in rows.split("\n")]
        assert preprocessing.targets(read_table(path)).tolist() == labels
        assert preprocessing.targets(read_table(path, columns=preprocessing.table_columns)).tolist() == labels
    assert preprocessing.predictions_frame(["01", "10"]).write_csv() == "prediction\n01\n10\n"


@pytest.mark.parametrize(("classes", "cells"), [
    ((1, 2, 10), ["01", "10"]), ((1, 2, 10), ["1", "10"]), ((False, True), ["true", "false"]),
    (("TRUE", "never"), ["TRUE", "TRUE"]), (("1.50", "x"), ["1.50", "1.50"]), (("7", "x"), ["7", "x"]),
])  # fmt: skip
def test_labels_are_read_as_the_model_knows_them(tmp_path: Path, classes: tuple[Any, ...], cells: list[str]) -> None:
    preprocessing = Preprocessing((NumberColumn("a"),), ClassTarget("y", classes), "")
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"1,{cell}\n" for cell in cells))
    known = {str(label).lower() if isinstance(label, bool) else str(label): label for label in classes}
    expected = [known[cell if cell in known else cell.lstrip("0")] for cell in cells]
    for frame in (read_table(tmp_path / "t.csv"),
                  read_table(tmp_path / "t.csv", columns=preprocessing.table_columns)):  # fmt: skip
        assert preprocessing.targets(frame).tolist() == expected


def test_numbers_with_zeros_in_front_that_are_too_many_for_words_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("time,y\n" + "".join(f"{i:04},{i:03}\n" for i in range(90)))
    preprocessing = Preprocessing.learn(read_table(path), "y")
    assert preprocessing.columns == (NumberColumn("time", 44.5, float(np.arange(90).std())),)
    assert isinstance(preprocessing.target, NumberTarget)
    X, y = preprocessing.transform(read_table(path)), preprocessing.targets(read_table(path))
    assert X[:, 0].tolist() == y.tolist()
    part = preprocessing.standardized_on(read_table(path)[:10])
    assert part.columns[0].mean == part.target.mean == 4.5
    path.write_text("time,y\n0830,007\n")
    assert preprocessing.transform(read_table(path)).tolist() == preprocessing.transform({"time": [830]}).tolist()
    few = Preprocessing.learn(polars.DataFrame({"a": [1, 2, 3], "y": ["01", "02", "10"]}), "y", task="regression")
    assert few.untransform_target(few.targets(polars.DataFrame({"y": ["02"]}))).tolist() == [2.0]


# -- pandas' index ---------------------------------------------------------------------------


def noise(n: int = 20) -> Any:
    """A table of noise that is sorted by its target, so that the number of a row tells it."""
    return pandas.DataFrame({"a": np.random.default_rng(0).normal(size=n), "y": ["x"] * (n // 2) + ["z"] * (n // 2)})


def indexed(folder: Path) -> dict[str, tuple[Path, str]]:
    """Files into which pandas wrote its index, and the name that this has."""
    table, path = noise(), folder / "plain.csv"
    table.to_csv(path)
    pandas.read_csv(path).to_csv(folder / "again.csv", index=False)
    pandas.read_csv(path).to_csv(folder / "twice.csv")
    table.sample(frac=1, random_state=0).to_csv(folder / "mixed.csv", index_label="Unnamed: 0")
    table.to_csv(folder / "semicolons.csv", sep=";")
    mixed = table.sample(frac=1, random_state=0)  # what pandas writes to Parquet where rows are not numbered in order
    days = pandas.date_range("2024-01-01", periods=len(table))
    for name, index in (("mixed", mixed.index.to_numpy()), ("days", days.to_numpy())):
        columns = {"a": mixed["a"].to_numpy(), "y": mixed["y"].tolist(), "__index_level_0__": index}
        write_table(polars.DataFrame(columns), folder / f"{name}.parquet")
    names = dict.fromkeys(["plain.csv", "again.csv", "mixed.csv", "semicolons.csv"], "'Unnamed: 0'")
    names |= {"twice.csv": "'Unnamed: 0.1', 'Unnamed: 0'"}
    names |= dict.fromkeys(["mixed.parquet", "days.parquet"], "'__index_level_0__'")
    return {name: (folder / name, index) for name, index in names.items()}


def test_pandas_index_is_left_out_and_said(tmp_path: Path) -> None:
    for name, (path, index) in indexed(tmp_path).items():
        preprocessing = Preprocessing.learn(read_table(path), "y")
        assert preprocessing.feature_names == ("a",), name
        assert f"left out: {index}, pandas' index, which only numbers the rows" in preprocessing.reason, name
        assert Preprocessing.learn(read_table(path), "y", drop=index.replace("'", "").split(", ")).reason == (
            "the target 'y' is text with 2 values: classification"
        )


def test_only_pandas_index_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for head, kept in (("id", "id"), ("Unnamed: 1", "Unnamed: 1"), ("Unnamed: 0 x", "Unnamed: 0 x")):
        path.write_text(f"{head},a,y\n" + "".join(f"{i},{i % 3},{'xz'[i % 2]}\n" for i in range(12)))
        assert Preprocessing.learn(read_table(path), "y").feature_names == (kept, "a")
    path.write_text("Unnamed: 0,a,y\n" + "".join(f"{i % 5},{i % 3},{'xz'[i % 2]}\n" for i in range(12)))
    assert Preprocessing.learn(read_table(path), "y").feature_names == ("Unnamed: 0", "a")  # values that come again
    path.write_text(",y\n0,x\n1,z\n")
    with pytest.raises(InputError, match="no column except the target 'y' to learn from; left out: 'Unnamed: 0'"):
        Preprocessing.learn(read_table(path), "y")
    for rows in ("1,5,x\n2,6,z\n", "7,5,x\n2,6,z\n"):  # as of a table's subset
        path.write_text(f",a,y\n{rows}")
        assert Preprocessing.learn(read_table(path), "y").feature_names == ("a",)
        assert "left out: 'Unnamed: 0'" in Preprocessing.learn(read_table(path), "y").reason
    for rows in ("a,5,x\nb,6,z\n", "0,5,x\n0,6,z\n", "0.5,5,x\n2,6,z\n", "-1,5,x\n2,6,z\n", ",5,x\n2,6,z\n"):
        path.write_text(f",a,y\n{rows}")
        with pytest.raises(InputError, match=r"Column 1 .* has no name"):
            read_table(path)


def test_a_table_with_any_index_is_predicted(tmp_path: Path) -> None:
    network = model(tmp_path / "training.csv", KINDS["codes"])
    path = tmp_path / "new.csv"
    for index in ("0", "17", "x"):
        path.write_text(f",other,column\n{index},3,007\n")
        assert from_file(network, path).tolist() == network.encode_table({"other": [3], "column": ["007"]})[0].tolist()


# -- what is stored --------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_what_is_stored_is_read_and_written_unchanged(tmp_path: Path, name: str) -> None:
    stored = model(tmp_path / "training.csv", KINDS[name]).preprocessing
    assert stored is not None
    columns, known = columns_in(stored), Preprocessing.from_dict(stored)
    assert columns == known.table_columns
    assert columns.stored(known.classes, known.reason) == known.to_dict() == stored
    assert [list(column) for column in known.to_dict()["columns"]] == [list(column) for column in stored["columns"]]


def test_a_stored_column_is_one_class() -> None:
    stored = {
        "columns": [
            {"kind": "number", "name": "a", "mean": 1.0, "std": 2.0, "fill": None},
            {"kind": "category", "name": "b", "categories": ["x", "z"], "fill": "x"},
        ],
        "target": {"task": "regression", "name": "y", "mean": 3.0, "std": 4.0}, "reason": "",
    }  # fmt: skip
    columns = columns_in(stored)
    assert columns == Columns((NumberColumn("a", 1.0, 2.0), CategoryColumn("b", ("x", "z"), "x")), "y", (3.0, 4.0))
    assert Preprocessing.from_dict(stored).columns == columns.columns
    stored["columns"][0]["std"] = 0.0
    with pytest.raises(FileError, match="the std of 'a' must be a number above 0"):
        Preprocessing.from_dict(stored)
    with pytest.raises(InputError, match=r"network\.preprocessing"):
        columns_in(stored)


def test_dates_are_found_among_columns_of_every_kind(tmp_path: Path) -> None:
    columns = {
        "day": ("2024-01-05", "", polars.Date), "slash": ("05/01/2024", "06/01/2024", polars.String),
        "blank": (" 2024-01-05", " 2024-01-06", polars.Date), "gap": ("", "2024-02-01", polars.Date),
        "time": ("10:00:00", "11:00:00", polars.String), "moment": ("2024-01-05 10:00", "", polars.Datetime("us")),
        "mixed": ("2024-01-05", "never", polars.String), "word": ("never", "2024-01-05", polars.String),
        "codes": ("1-2", "3-4", polars.String), "whole": ("20240105", "20240106", polars.Int64),
    }  # fmt: skip
    path = tmp_path / "t.csv"
    rows = [[cells[row] for cells in columns.values()] for row in (0, 1)]
    path.write_text("\n".join(",".join(map(str, cells)) for cells in [columns, *rows]) + "\n")
    assert read_table(path).schema == {name: dtype for name, (_, _, dtype) in columns.items()}


def test_a_number_too_far_from_the_mean_is_named_with_its_row() -> None:
    with pytest.raises(InputError, match=r"1\.7e\+308 in row 3, column 'price' is too far from -1\.7e\+308"):
        standardize(np.array([1.0, 2.0, 1.7e308, 3.0]), -1.7e308, 1.0, "price")
