"""Tables: what comes in as a file goes out as the right numbers, or is refused with its place and a remedy."""

import copy
import datetime
import gzip
import json
import math
import os
import re
import sys
import tempfile
import unicodedata
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workings.errors import FileError, InputError, MissingExtraError
from workings.tables import (
    CategoryColumn,
    ClassTarget,
    NumberColumn,
    NumberTarget,
    Preprocessing,
    marks_as_gaps,
    read_table,
    write_table,
)
from workings.tables.cells import date_format
from workings.tables.plain_csv import GAP_MARKS, read_columns

FRUIT = {
    "weight": [150.0, 7.5, 143.0, 6.0],
    "colour": ["red", "green", "green", "red"],
    "sweet": [True, True, False, True],
    "fruit": ["apple", "grape", "apple", "grape"],
}


def fruit(**changes: object) -> pl.DataFrame:
    return pl.DataFrame({**FRUIT, **changes}, strict=False)


def written(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def says(*parts: str) -> str:
    """A pattern for a message in which all parts occur in this order."""
    return "(?s)" + ".*".join(re.escape(part) for part in parts)


# -- reading -------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "T.CSV"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_separator_follows_from_the_header(tmp_path, separator, name, end):
    lines = [["a", "b"], ["1", "red"], ["2", "blue"]]
    content = end.join(separator.join(line) for line in lines) + end
    assert read_table(written(tmp_path, content, name)).to_dict(as_series=False) == {"a": [1, 2], "b": ["red", "blue"]}


def test_types_follow_from_the_whole_file(tmp_path):
    rows = "".join(f"{i},{i},x\n" for i in range(3000))
    frame = read_table(written(tmp_path, f"a,b,c\n{rows}1.5,-2,y\n"))
    assert [frame[name].dtype for name in "abc"] == [pl.Float64, pl.Int64, pl.String]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    assert read_table(written(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n")).columns == ["a", "b"]


def test_blanks_and_quotes_around_names_and_numbers_do_not_matter(tmp_path):
    frame = read_table(written(tmp_path, 'a, b,c\n1, 2,"5"\n3,"",.5\n'))
    assert frame.to_dict(as_series=False) == {"a": [1, 3], "b": [2, None], "c": [5.0, 0.5]}


def test_a_decimal_comma_is_understood_beside_semicolons_only(tmp_path):
    assert read_table(written(tmp_path, "a;b\n1,5;x,y\n2;x\n")).rows() == [(1.5, "x,y"), (2.0, "x")]
    assert read_table(written(tmp_path, 'a,b\n"1,5",x\n2,y\n'))["a"].to_list() == ["1,5", "2"]


@pytest.mark.parametrize(("cells", "read", "unmarked"), [
    (["3,5", "NA", "2"], ["3.5", "NA", "2"], [3.5, None, 2.0]),
    (["-,5", "?", "+1,25e3"], ["-.5", "?", "+1.25e3"], [-0.5, None, 1250.0]),
    ([" 3,5 ", "", "n/a"], ["3.5", None, "n/a"], [3.5, None, None]),
    (["3,5", "2.5", "null"], ["3.5", "2.5", "null"], [3.5, 2.5, None]),
    (["3,5", "nan"], [3.5, math.nan], [3.5, math.nan]),  # text that is a number already
    (["NA", "NA"], ["NA", "NA"], [None, None]),
    (["NA", "1,2,3", "4,5"], ["NA", "1,2,3", "4,5"], [None, "1,2,3", "4,5"]),  # lists
    (["1.234,5", "NA", "2,5"], ["1.234,5", "NA", "2,5"], ["1.234,5", None, "2,5"]),  # thousands are not understood
    (["1,2", "S", "M", "NA"], ["1,2", "S", "M", "NA"], ["1,2", "S", "M", None]),
    (["x,y", "NA"], ["x,y", "NA"], ["x,y", None]),
    (["1,5", "-"], ["1.5", "-"], ["1.5", "-"]),  # a mark that is named, but fills nothing
    ([",", "NA"], [",", "NA"], [",", None]),
], ids=str)  # fmt: skip
def test_decimal_commas_and_marks_in_one_column(tmp_path, cells, read, unmarked):
    frame = read_table(written(tmp_path, "a;b\n" + "".join(f"{cell};1\n" for cell in cells)))
    assert frame["a"].equals(pl.Series("a", read, strict=False))
    assert marks_as_gaps(frame, "b")["a"].equals(pl.Series("a", unmarked, strict=False))
    assert frame["b"].to_list() == [1] * len(cells)


def test_a_slip_among_decimal_commas_is_found(tmp_path):
    frame = read_table(written(tmp_path, "a;y\n1,5;x\n2,5;y\n3;x\n4,O;y\n5;x\nNA;y\n"))
    with pytest.raises(InputError, match=says("'4,O' in row 4 (line 5", "2 of this column's 6")):
        Preprocessing.learn(frame, "y", missing="refuse")
    with pytest.raises(InputError, match=says("'4,O' in row 4 (line 5", "1 of this column's 6")):
        Preprocessing.learn(frame, "y")


@pytest.mark.parametrize(("content", "line"), [
    ("a,y\n1,x\nabc,z\n3,x\n4,z\n5,x\n", 3),
    ("sep=,\na,y\n1,x\nabc,z\n3,x\n4,z\n5,x\n", 4),
    ("sep=,\r\na,y\r\n1,x\r\nabc,z\r\n3,x\r\n4,z\r\n5,x\r\n", 4),
    ("sep=,\ra,y\r1,x\rabc,z\r3,x\r4,z\r5,x\r", 4),
    ('a,y\n1,"x\nx"\nabc,z\n3,"x\nx"\n4,z\n5,z\n', 4),
])  # fmt: skip
def test_messages_name_the_line_of_the_file(tmp_path, content, line):
    frame = read_table(written(tmp_path, content))
    with pytest.raises(InputError, match=says(f"'abc' in row 2 (line {line} of a CSV file)")):
        Preprocessing.learn(frame, "y")
    known = Preprocessing.learn(pl.DataFrame({"a": [1, 2], "y": ["x", "z"]}), "y")
    for columns in (None, known.table_columns):
        with pytest.raises(InputError, match=says(f"'abc' in row 2 (line {line} of a CSV file)")):
            known.transform(read_table(tmp_path / "table.csv", columns=columns))
    short = written(tmp_path, content.replace("abc,z", "abc"), "short.csv")
    with pytest.raises(FileError, match=says(f"1 value in line {line}")):
        read_table(short)


def test_excel_files_are_read_as_their_csv_files(tmp_path):
    openpyxl, _ = pytest.importorskip("openpyxl"), pytest.importorskip("fastexcel")
    book = openpyxl.Workbook()
    day = datetime.datetime(2024, 1, 5)
    rows = [
        ["n", "word", "text number", "code", "day", "y"],
        *([i / 2, "rg"[i % 2], str(i), f"00{i}", day + datetime.timedelta(days=i), "ab"[i % 2]] for i in range(9)),
    ]
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    frame = read_table(tmp_path / "t.xlsx")
    csv = "\n".join(",".join(str(cell.date() if cell.__class__ is datetime.datetime else cell) for cell in row)
                    for row in rows)  # fmt: skip
    theirs = read_table(written(tmp_path, csv + "\n"))
    ours, known = Preprocessing.learn(frame, "y"), Preprocessing.learn(theirs, "y")
    assert ours == known
    assert (ours.transform(frame) == known.transform(theirs)).all()
    assert (
        known.transform(read_table(tmp_path / "t.xlsx", columns=known.table_columns)) == known.transform(theirs)
    ).all()
    book.create_sheet("more").append(["a", "b"])
    book["more"].append([1, 2])
    book.save(tmp_path / "two.xlsx")
    with pytest.raises(InputError, match=says("2 sheets (Sheet, more)", "--sheet")):
        read_table(tmp_path / "two.xlsx")
    assert read_table(tmp_path / "two.xlsx", sheet="more").rows() == [(1, 2)]
    with pytest.raises(InputError, match=says("sheet 'moor'", "Did you mean 'more'?")):
        read_table(tmp_path / "two.xlsx", sheet="moor")
    with pytest.raises(InputError, match=says("no Excel file")):
        read_table(tmp_path / "table.csv", sheet="more")
    with pytest.raises(FileError, match=says("not a readable Excel file")):
        read_table(written(tmp_path, b"PK\x03\x04 damaged", "bad.xlsx"))
    openpyxl.Workbook().save(tmp_path / "empty.xlsx")
    with pytest.raises(FileError, match=says("is empty")):
        read_table(tmp_path / "empty.xlsx")


def test_compressed_csv_files_are_read(tmp_path):
    content = gzip.compress(b"a;b\n1,5;x\n2,5;y\n")
    assert read_table(written(tmp_path, content, "t.csv.gz")).rows() == [(1.5, "x"), (2.5, "y")]
    for damaged in (content[:-9], b"a,b\n1,2\n", content[:15] + b"???" + content[18:]):
        with pytest.raises(FileError, match=says("not a readable .gz file")):
            read_table(written(tmp_path, damaged, "bad.csv.gz"))
    with pytest.raises(FileError, match=says("'.gz'", ".csv, .tsv, .txt, .parquet")):
        write_table(pl.DataFrame({"a": [1]}), tmp_path / "t.gz")


@given(st.lists(st.sampled_from(["1,5", "-2", "NA", "?", "", " 7,25 ", "1e3"]), min_size=1, max_size=12))
def test_decimal_commas_are_read_as_the_printed_script_reads_them(cells):
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), "a;b\n" + "".join(f"{cell};1\n" for cell in cells))
        theirs = read_columns(str(path), ("a",), ("a",))["a"]
        column = marks_as_gaps(read_table(path), "b")["a"]
    ours = [math.nan if value is None else float(value) for value in column.to_list()]
    np.testing.assert_array_equal(ours, theirs)


# -- numbers as text -----------------------------------------------------------------------

FORMATS = [  # cells, decimal sign, thousands separator, unit, numbers
    (["$1.50", "$2", "-$0.25"], (".", "", "$"), [1.5, 2, -0.25]),
    (["45%", "7.5 %", "100%"], (".", "", "%"), [45, 7.5, 100]),
    (["1,163.74", "12", "2,000,000"], (".", ",", ""), [1163.74, 12, 2e6]),
    (["1.234,5", "2", "1.000"], (",", ".", ""), [1234.5, 2, 1000]),
    (["1.234,50 €", "€ 7,00"], (",", ".", "€"), [1234.5, 7]),
    (["1,5", "22,75"], (",", "", ""), [1.5, 22.75]),
    (["1 234,5", "2\u202f000", "7"], (",", " ", ""), [1234.5, 2000, 7]),
    (["1'234.50", "2’000"], (".", "'", ""), [1234.5, 2000]),
    (["12,34,567", "1,00,000", "5"], (".", ",", ""), [1234567, 100000, 5]),
    (["($1,250.00)", "$3.10"], (".", ",", "$"), [-1250, 3.1]),
    (["USD 5", "7 USD", "USD -1.5e3"], (".", "", "USD"), [5, 7, -1500]),
    (["3 kg", "10kg", "2.5 kg"], (".", "", "kg"), [3, 10, 2.5]),
    (["−5", "3"], (".", "", ""), [-5, 3]),
    (["R$ 1.234,50", "R$ 2"], (",", ".", "R$"), [1234.5, 2]),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "form", "numbers"), FORMATS, ids=lambda case: str(case[0]))
def test_a_format_that_fits_every_number_is_recognized_and_kept(tmp_path, cells, form, numbers):
    header, separator = ("a\ty\n", "\t")
    path = written(tmp_path, header + "".join(f"{cell}{separator}{row % 2}\n" for row, cell in enumerate(cells)))
    learned = Preprocessing.learn(read_table(path), "y", task="classification")
    (column,) = learned.columns
    assert (column.form.decimal, column.form.thousands, column.form.unit) == form
    assert column.mean == pytest.approx(np.mean(numbers))
    again = Preprocessing.from_dict(json.loads(json.dumps(learned.to_dict())))
    assert again == learned
    X = (np.array(numbers) - column.mean)[:, None] / column.std
    doors = {
        "read for the model": read_table(path, columns=again.table_columns),
        "read": read_table(path),
        "dict": {"a": cells},
        "polars": pl.DataFrame({"a": cells}),
        "numbers": {"a": numbers},
    }
    for name, table in doors.items():
        np.testing.assert_allclose(again.transform(table), X, err_msg=name)
    for row, cell in enumerate(cells):  # each row alone
        np.testing.assert_allclose(again.transform({"a": [cell]}), X[row : row + 1])
    theirs = read_columns(str(path), ("a",), (), (("a", *form),))
    np.testing.assert_array_equal(theirs["a"], numbers)


@pytest.mark.parametrize(("cells", "form", "numbers"), FORMATS, ids=lambda case: str(case[0]))
def test_a_target_in_a_format_of_its_own_is_a_number(tmp_path, cells, form, numbers):
    table = pl.DataFrame({"a": range(len(cells)), "y": cells})
    learned = Preprocessing.learn(table, "y")
    assert learned.task == "regression"
    assert learned.target.form.describe() in learned.reason
    again = Preprocessing.from_dict(json.loads(json.dumps(learned.to_dict())))
    np.testing.assert_allclose(again.untransform_target(again.targets(table)), numbers)
    path = written(tmp_path, "a\ty\n" + "".join(f"{row}\t{cell}\n" for row, cell in enumerate(cells)))
    for frame in (read_table(path), read_table(path, columns=again.table_columns)):
        np.testing.assert_allclose(again.untransform_target(again.targets(frame)), numbers)


def test_forty_prices_are_a_regression():
    prices = [f"${row}.{row:02}" for row in range(1, 41)]
    assert Preprocessing.learn(pl.DataFrame({"a": range(40), "y": prices}), "y").target.mean == pytest.approx(20.705)


@pytest.mark.parametrize("cells", [["1,234", "5,678"], ["$1.234", "$2"], ["12.345%"], ["1,234", "2", "100"]], ids=str)
def test_two_readings_are_refused_until_the_decimal_sign_is_named(cells):
    table = pl.DataFrame({"a": [*cells, *cells], "y": ["x", "z"] * len(cells)})
    with pytest.raises(InputError, match=says(cells[0], "'a'", "can be read as", "--decimal")):
        Preprocessing.learn(table, "y")
    means = {sign: Preprocessing.learn(table, "y", decimal=sign).columns[0].mean for sign in ".,"}
    assert max(means.values()) > 10 * min(means.values())


def test_points_beside_semicolons_are_refused_until_the_decimal_sign_is_named(tmp_path):
    path = written(tmp_path, "a;y\n1.234;x\n5.678;z\n")
    with pytest.raises(InputError, match=says("'1.234'", "'a'", "as 1.234 or as 1234", "--decimal")):
        Preprocessing.learn(read_table(path), "y")
    for sign, first in ((",", 1234.0), (".", 1.234)):
        learned = Preprocessing.learn(read_table(path, decimal=sign), "y", decimal=sign)
        column = learned.columns[0]
        assert column.mean == pytest.approx({",": 3456.0, ".": 3.456}[sign])
        plain = Preprocessing((NumberColumn("a"),), learned.target, "")
        with pytest.raises(InputError, match="--decimal"):
            read_table(path, columns=plain.table_columns)
        assert plain.transform(read_table(path, columns=plain.table_columns, decimal=sign))[0, 0] == first
    mixed = written(tmp_path, "a;y\n1.234;x\n5.6;z\n")
    assert read_table(mixed)["a"].to_list() == [1.234, 5.6]


@pytest.mark.parametrize(("cells", "parts"), [
    (["$5", "€6", "$7"], ["'a'", "different units", "'$5' and '€6'"]),
    (["1", "2", "35%"], ["'a'", "different units", "'1' and '35%'"]),
    (["1,5", "2.5", "3"], ["'a'", "different decimal signs", "'1,5' and '2.5'"]),
    (["1.234,5", "1,234.5"], ["'a'", "different decimal signs"]),
    (["$1", "$2", "$3", "$4", "free"], ["'free' in row 5", "1 of this column's 5"]),
    (["1 kg", "500 g"], ["different units", "'1 kg' and '500 g'"]),
], ids=str)  # fmt: skip
def test_numbers_without_one_reading_are_refused(cells, parts):
    with pytest.raises(InputError, match=says(*parts)):
        Preprocessing.learn(pl.DataFrame({"a": cells, "y": [0, 1, 0, 1, 0][: len(cells)]}), "y")


def test_text_that_only_resembles_numbers_stays_text():
    for cells in (
        ["1.2.3", "1.2.4"],
        ["10.0.0.1", "10.0.0.2"],
        ["A1", "A2"],
        ["Q1", "Q2"],
        ["1st", "2nd"],
        ["1-2", "3"],
    ):
        table = pl.DataFrame({"a": cells, "y": ["x", "z"]})
        assert isinstance(Preprocessing.learn(table, "y").columns[0], CategoryColumn)


def test_a_cell_in_another_format_than_in_training_is_refused():
    learned = Preprocessing.learn(pl.DataFrame({"a": ["$1.50", "$2.00"], "y": ["x", "z"]}), "y")
    for cell in ("2.00", "€2.00", "$2,00", "free", "$1,234.00", "$"):
        with pytest.raises(InputError, match=says(repr(cell), "row 1", "'a'", "money ($)", "as in training")):
            learned.transform({"a": [cell]})


def test_the_first_line_names_the_separator(tmp_path):
    for first in ("sep=;", '"sep=;"', "SEP=;"):
        for end in ("\n", "\r\n", "\r"):
            path = written(tmp_path, end.join([first, "a;b", "1,5;x", "2;y", ""]))
            assert read_table(path).rows() == [(1.5, "x"), (2.0, "y")]
            assert read_columns(str(path), ("a",)) == {"a": [1.5, 2.0], "b": ["x", "y"]}
    assert read_table(written(tmp_path, "sep=|\na|b\n1|2\n")).rows() == [(1, 2)]


def test_carriage_returns_alone_end_lines(tmp_path):
    path = written(tmp_path, "a,b\r1,x\r2,y\r")
    assert read_table(path).rows() == [(1, "x"), (2, "y")]
    assert read_columns(str(path), ("a",)) == {"a": [1.0, 2.0], "b": ["x", "y"]}


def test_digits_of_other_scripts_are_numbers(tmp_path):
    for cells in (["١٢", "٣", "٤٥"], ["१२", "३", "४५"], ["１２", "３", "４５"], ["12", "٣", "45"]):
        frame = read_table(written(tmp_path, "a,b\n" + "".join(f"{cell},x\n" for cell in cells)))
        assert frame["a"].to_list() == [12, 3, 45]
    assert Preprocessing.learn(pl.DataFrame({"a": ["١٢٫٥", "٣"], "y": ["x", "z"]}), "y").columns[0].mean == 7.75


@pytest.mark.parametrize("digits", [20, 39, 45])
def test_very_long_whole_numbers(tmp_path, digits):
    apart = [int("12" + "0" * (digits - 2)) * factor // 4 for factor in (1, 2, 3)]
    frame = read_table(written(tmp_path, "a,y\n" + "".join(f"{value},x\n" for value in apart)))
    assert frame["a"].to_list() == [float(value) for value in apart]
    near = [10 ** (digits - 1) + row for row in range(3)]
    frame = read_table(written(tmp_path, "a,y\n" + "".join(f"{value},x\n" for value in near)))
    assert frame["a"].to_list() == [str(value) for value in near], "float64 cannot tell them apart: they are codes"


def test_the_encoding_and_the_delimiter_can_be_named(tmp_path):
    path = written(tmp_path, "name|a\nMüller|1\n".encode("cp1252"))
    assert read_table(path, encoding="cp1252", delimiter="|").rows() == [("Müller", 1)]
    assert read_table(written(tmp_path, "name,a\nMüller,1\n".encode("utf-16"))).rows() == [("Müller", 1)]
    for option, value in {"encoding": "klingon", "delimiter": ";;", "decimal": "'"}.items():
        with pytest.raises(InputError, match=re.escape(value)):
            read_table(path, **{option: value})


def test_quoted_values_may_hold_separators_quotes_and_line_ends(tmp_path):
    frame = read_table(written(tmp_path, 'a,b\n"x,y","5"" pipe"\n"two\nlines",z\n'))
    assert frame.rows() == [("x,y", '5" pipe'), ("two\nlines", "z")]


def test_empty_lines_at_the_end_are_not_rows(tmp_path):
    assert read_table(written(tmp_path, "a,b\n1,2\n\n\n")).height == 1
    assert read_table(written(tmp_path, "a,b\n1,2")).height == 1


def test_an_empty_line_in_a_single_column_is_a_gap(tmp_path):
    assert read_table(written(tmp_path, "a\n1\n\n3\n"))["a"].to_list() == [1, None, 3]


def test_csv_and_parquet_give_the_same_arrays(tmp_path):
    write_table(fruit(), tmp_path / "t.csv")
    write_table(fruit(), tmp_path / "t.parquet")
    from_csv, from_parquet = (read_table(tmp_path / name) for name in ("t.csv", "t.parquet"))
    one, other = (Preprocessing.learn(frame, "fruit") for frame in (from_csv, from_parquet))
    assert one == other
    assert one.transform(from_csv).tobytes() == other.transform(from_parquet).tobytes()
    assert one.targets(from_csv).tolist() == other.targets(from_parquet).tolist()


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ["'", "table.csv' is empty", "column names"]),
        ("\n\n", ["is empty"]),
        (b"\xef\xbb\xbf", ["is empty"]),
        ("\na,b\n1,2\n", ["first line", "empty"]),
        ("a,b\n1,2\n3\n", ["1 value in line 3", "2 column names", "Give every line"]),
        ("a,b\n1,2\n3,4,5\n", ["3 values in line 3", "2 column names", "quotes"]),
        ("a,b\n1,2\n\n3,4\n", ["0 values in line 3"]),
        ('a,b\n"two\nlines",2\n3\n', ["1 value in line 4"]),
        ('a,b\n"1,2\n3,4\n', ["not readable", "line 3", "quotes"]),
        ('"a,b\n' + 50_000 * "1,2\n", ["not readable in its first line", "quotes"]),
        ('a,b\n1,"x"y\n', ["not readable", "line 2", "quotes"]),
        ('a,b\n1,5" pipe\nx,y\n', ["not a readable CSV", "Check its quotes"]),
        ("a,b\r1,2\n3,4\r", ["rows", "line ends"]),
        ("a,b\n1,2\n3,é\n".encode("latin-1"), ["not UTF-8", "0xe9", "line 3", "CSV UTF-8"]),
        ("a,b\n1,2\n3,é\n".encode("latin-1"), ["line 3", "--encoding cp1252", 'encoding="cp1252"']),
        ("a,b\n1,2\n".encode("utf-16")[:-1], ["not UTF-16", "line"]),
    ],
)
def test_a_csv_file_that_cannot_be_read_says_where_and_why(tmp_path, content, parts):
    with pytest.raises(FileError, match=says(*parts)):
        read_table(written(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("a,b,a\n1,2,3\n", ["two columns named 'a'", "Rename one"]),
        (",b\nx,2\n", ["Column 1", "no name", "index=False"]),
        ("a,b,\n1,2,3\n", ["Column 3", "no name"]),
        ("a,b\n", ["column names (a, b) but no rows"]),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path, content, parts):
    with pytest.raises(InputError, match=says(*parts)):
        read_table(written(tmp_path, content))


def test_a_missing_file_and_an_unknown_kind_are_named(tmp_path):
    with pytest.raises(FileError, match=says("There is no file", "none.csv", "Check")):
        read_table(tmp_path / "none.csv")
    with pytest.raises(FileError, match=says("table.docx' ends in '.docx'", ".csv, .tsv, .txt, .csv.gz", "CSV")):
        read_table(written(tmp_path, "a\n1\n", "table.docx"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileError, match=says("folder.csv' cannot be read")):
        read_table(tmp_path / "folder.csv")


@pytest.mark.parametrize("keep", [1, 4, 11, 100, -1])
def test_a_damaged_parquet_file_is_refused(tmp_path, keep):
    write_table(fruit(), tmp_path / "t.parquet")
    content = (tmp_path / "t.parquet").read_bytes()
    with pytest.raises(FileError, match=says("not a readable Parquet file")):
        read_table(written(tmp_path, content[:keep], "t.parquet"))
    with pytest.raises(FileError, match=says("is empty")):
        read_table(written(tmp_path, b"", "t.parquet"))


def test_a_parquet_file_without_rows_is_refused(tmp_path):
    write_table(fruit().clear(), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=says("no rows")):
        read_table(tmp_path / "t.parquet")


def test_without_polars_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError, match=says("polars", ".[cli]")):
        read_table(written(tmp_path, "a,b\n1,2\n"))


# -- writing -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t.parquet"])
def test_what_is_written_is_read_back_and_nothing_else_is_left(tmp_path, name):
    write_table(fruit().head(1), tmp_path / name)
    write_table(fruit(), tmp_path / name)
    assert read_table(tmp_path / name).equals(fruit())
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_tsv_file_has_tabs(tmp_path):
    write_table(pl.DataFrame({"a": [1], "b": [2]}), tmp_path / "t.tsv")
    assert (tmp_path / "t.tsv").read_text() == "a\tb\n1\t2\n"


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = written(tmp_path, "old\n1\n")
    with pytest.raises(FileError, match=says("table.csv' cannot hold this table", "another file type")):
        write_table(pl.DataFrame({"a": [[1, 2]]}), path)
    assert path.read_text() == "old\n1\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_replacement_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def refuse(source: object, target: object) -> None:
        raise PermissionError("not allowed")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(FileError, match=says("Cannot write", "not allowed")):
        write_table(fruit(), tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_made_and_one_that_is_a_file_is_named(tmp_path):
    write_table(fruit(), tmp_path / "none" / "t.csv")
    assert (tmp_path / "none" / "t.csv").exists()
    with pytest.raises(FileError, match=says("Cannot write", "Choose a folder")):
        write_table(fruit(), written(tmp_path, "x") / "t.csv")
    with pytest.raises(FileError, match=says("'.xls'", ".parquet")):
        write_table(fruit(), tmp_path / "t.xls")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_stays_as_it_is(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match=says("cannot be written")):
        write_table(fruit(), tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


# -- what becomes of the columns -----------------------------------------------------------


def test_a_table_worked_by_hand():
    """Weights 1, 3, 5, 3: mean 3, variance (4 + 0 + 4 + 0) / 4 = 2.  One of four is true: mean 1/4, variance 3/16."""
    frame = pl.DataFrame(
        {"w": [1, 3, 5, 3], "c": ["b", "a", "b", "c"], "t": [True, False, False, False], "y": ["n", "m", "n", "m"]}
    )
    preprocessing = Preprocessing.learn(frame, "y")
    assert preprocessing.feature_names == ("w", "c=a", "c=b", "c=c", "t")
    assert preprocessing.n_features == 5
    high, low = 0.75 / math.sqrt(3 / 16), -0.25 / math.sqrt(3 / 16)
    expected = [
        [-math.sqrt(2), 0, 1, 0, high],
        [0, 1, 0, 0, low],
        [math.sqrt(2), 0, 1, 0, low],
        [0, 0, 0, 1, low],
    ]
    X = preprocessing.transform(frame)
    assert X.dtype == np.float64
    np.testing.assert_allclose(X, expected, rtol=1e-15)
    assert preprocessing.classes == ("m", "n")
    assert preprocessing.targets(frame).tolist() == ["n", "m", "n", "m"]


def test_scikit_learn_gives_the_same():
    sklearn = pytest.importorskip("sklearn.preprocessing")
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.normal(5, 3, 90), "c": rng.choice(["x", "y", "z"], 90), "y": rng.normal(size=90)})
    X = Preprocessing.learn(frame, "y").transform(frame)
    np.testing.assert_allclose(X[:, :1], sklearn.StandardScaler().fit_transform(frame["a"].to_numpy()[:, None]))
    np.testing.assert_array_equal(
        X[:, 1:], sklearn.OneHotEncoder(sparse_output=False).fit_transform(frame["c"].to_numpy()[:, None])
    )


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30).filter(lambda values: np.std(values) > 1e-3))
def test_standardized_columns_have_mean_0_and_standard_deviation_1(values):
    frame = pl.DataFrame({"a": values, "y": [float(i) for i in range(len(values))]})
    X = Preprocessing.learn(frame, "y").transform(frame)
    assert abs(X.mean()) < 1e-8
    assert abs(X.std() - 1) < 1e-8


WORDS = st.text(st.characters(categories=["L"]), min_size=1, max_size=4).filter(
    lambda word: word.lower() not in ("true", "inf", *GAP_MARKS)  # which are read as numbers or as missing values
)


@given(st.lists(WORDS, min_size=2, max_size=30))
def test_one_hot_rows_add_up_to_1_and_tell_the_category(words):
    frame = pl.DataFrame({"c": words, "y": [float(i) for i in range(len(words))]})
    preprocessing = Preprocessing.learn(frame, "y")
    X = preprocessing.transform(frame)
    assert X.sum(axis=1).tolist() == [1.0] * len(words)
    known = [f"c={unicodedata.normalize('NFC', word)}" for word in words]
    assert [preprocessing.feature_names[i] for i in X.argmax(axis=1)] == known


@given(st.permutations(range(4)))
def test_shuffled_rows_give_shuffled_arrays(order):
    preprocessing = Preprocessing.learn(fruit(), "fruit")
    shuffled = fruit()[list(order)]
    assert (preprocessing.transform(shuffled) == preprocessing.transform(fruit())[list(order)]).all()


@pytest.mark.parametrize("value", [0.1, 0.0, -1e300, 7])
def test_a_constant_column_becomes_zeros(value):
    frame = fruit(weight=[value] * 4)
    preprocessing = Preprocessing.learn(frame, "fruit", use=["weight"])
    assert preprocessing.columns[0] == NumberColumn("weight", float(value), 1.0)
    assert preprocessing.transform(frame)[:, 0].tolist() == [0.0] * 4


def test_columns_of_every_numeric_type_are_numbers():
    types = [pl.Int8, pl.UInt64, pl.Int128, pl.Float32, pl.Decimal(10, 2)]
    frame = pl.DataFrame({str(dtype): pl.Series([1, 2, 4], dtype=dtype) for dtype in types} | {"y": [0.5, 1.5, 2.5]})
    X = Preprocessing.learn(frame, "y").transform(frame)
    assert (np.ptp(X, axis=1) == 0).all()


def test_categorical_and_enum_columns_are_categories():
    plain = fruit().select("colour", "fruit")
    for dtype in (pl.Categorical, pl.Enum(["red", "green", "blue", "apple", "grape"])):
        frame = plain.with_columns(pl.all().cast(dtype))
        preprocessing = Preprocessing.learn(frame, "fruit")
        assert preprocessing == Preprocessing.learn(plain, "fruit")
        assert (preprocessing.transform(frame) == preprocessing.transform(plain)).all()
        assert preprocessing.targets(frame).tolist() == FRUIT["fruit"]


def test_text_that_is_all_numbers_stays_text_when_the_file_says_text():
    frame = fruit(colour=["1", "2", "1", "2"])
    assert Preprocessing.learn(frame, "fruit").feature_names[1:3] == ("colour=1", "colour=2")
    as_numbers = frame.with_columns(pl.col("colour").cast(pl.Int64))
    preprocessing = Preprocessing.learn(frame, "fruit")
    assert (preprocessing.transform(as_numbers) == preprocessing.transform(frame)).all()


def test_dropped_columns_are_left_out():
    preprocessing = Preprocessing.learn(fruit(), "fruit", drop=["colour", "sweet"])
    assert preprocessing.feature_names == ("weight",)
    assert Preprocessing.learn(fruit(), "fruit", drop="colour").feature_names == ("weight", "sweet")


def test_describe_says_it_in_one_line():
    assert Preprocessing.learn(fruit(), "fruit").describe() == (
        "2 numeric columns standardized, 1 category one-hot encoded (2 values); "
        "target 'fruit': classification, 2 classes (apple, grape)"
    )
    filled = Preprocessing.learn(fruit(), "weight", impute=True, drop=["sweet"])
    assert filled.describe() == (
        "2 categories one-hot encoded (4 values), gaps filled; "
        "target 'weight': regression, standardized (76.62 ± 69.92)"
    )


# -- what is refused -----------------------------------------------------------------------

TRAINING_ERRORS = [
    (
        "gap",
        {"weight": [1.0, None, 2.0, None]},
        ["row 2 (line 3", "'weight'", "in all: 2", "--missing refuse", "median"],
    ),
    ("nan", {"weight": [1.0, 2.0, math.nan, 4.0]}, ["row 3 (line 4", "'weight'", "in all: 1"]),
    ("empty text", {"colour": ["red", "", "red", " "]}, ["row 2", "'colour'", "in all: 2 (colour: 2)", "category"]),
    (
        "gaps in two columns",
        {"sweet": [None, True, True, None], "colour": [None, "a", "a", "a"]},
        ["'colour'", "in all: 3 (colour: 1, sweet: 2)"],
    ),
    ("infinity", {"weight": [1.0, 2.0, 3.0, -math.inf]}, ["-inf in row 4 (line 5", "'weight'", "not finite"]),
    ("too large", {"weight": [1e308, 1e308, 1e308, 0.0]}, ["'weight'", "1e+308", "Rescale"]),
    ("missing target", {"fruit": ["a", None, "b", "a"]}, ["row 2 (line 3", "'fruit'", "in all: 1", "target"]),
    ("empty target", {"fruit": ["a", "b", "", "a"]}, ["row 3", "'fruit'"]),
    ("one class", {"fruit": ["a"] * 4}, ["'fruit'", "only one class, 'a', in 4 rows"]),
    ("one class of numbers", {"fruit": [3] * 4}, ["only one class, 3"]),
    ("one number", {"fruit": [1.5] * 4}, ["'fruit' is 1.5 in 4 rows", "nothing to predict"]),
    ("infinite target", {"fruit": [1.5, math.inf, 2.5, 3.5]}, ["inf in row 2", "'fruit'"]),
    ("duration", {"sweet": pl.Series([1, 2, 3, 4], dtype=pl.Duration)}, ["'sweet'", "dates or times", "Leave it out"]),
    (
        "day or month",
        {"sweet": ["05/01/2024", "05/02/2024"] * 2},
        ["'05/01/2024' in column 'sweet'", "--dates day-first"],
    ),
    ("text as target", {"fruit": ["31.12.2024", "1.1.2024"] * 2}, ["The target 'fruit' holds dates", "'31.12.2024'"]),
    ("list", {"sweet": pl.Series([[1, 2]] * 4)}, ["'sweet'", "List(Int64)", "Leave it out"]),
    ("record", {"sweet": [{"a": 1}] * 4}, ["'sweet'", "Struct", "Leave it out"]),
    ("bytes", {"sweet": [b"a"] * 4}, ["'sweet'", "Binary"]),
    ("date as target", {"fruit": pl.Series(["2020-01-01"] * 4).str.to_date()}, ["'fruit'", "dates"]),
]


@pytest.mark.parametrize(("changes", "parts"), [case[1:] for case in TRAINING_ERRORS], ids=lambda case: None)
def test_what_cannot_be_learned_is_refused_with_its_place(changes, parts):
    with pytest.raises(InputError, match=says(*parts)):
        Preprocessing.learn(fruit(**changes), "fruit", missing="refuse")


DATES = {  # the cells, and the first row's parts
    "iso": (["2024-01-05", "2023-02-16", "2025-03-07"], "year month day weekday", (2024, 1, 5, 4)),
    "iso times": (["2024-01-05 10:30", "2024-02-06 11:45"], "month day weekday hour minute", (1, 5, 4, 10, 30)),
    "iso T": (["2024-01-05T10:30:00", "2024-02-06T11:30:07"], "month day weekday hour", (1, 5, 4, 10)),
    "UTC": (["2024-01-05T10:00:00Z", "2024-02-06T11:00:00Z"], "month day weekday hour", (1, 5, 4, 10)),
    "zones": (["2024-01-05T10:00:00+02:00", "2024-02-06T10:00:00+01:00"], "month day weekday hour", (1, 5, 4, 8)),
    "points": (["05.01.2024", "31.12.2024"], "month day weekday", (1, 5, 4)),
    "points and times": (["5.1.2024 7:30", "31.12.2024 17:30"], "month day weekday hour", (1, 5, 4, 7)),
    "day first": (["05/01/2024", "31/12/2024"], "month day weekday", (1, 5, 4)),
    "month first": (["05/01/2024", "12/31/2024"], "month day weekday", (5, 1, 2)),
    "slashes": (["2024/01/05", "2024/12/31"], "month day weekday", (1, 5, 4)),
    "times": (["10:30", "7:45"], "hour minute", (10, 30)),
    "marks": (["05.01.2024", "NA", "31.12.2024"], "month day weekday", (1, 5, 4)),
}


@pytest.mark.parametrize("name", DATES)
def test_dates_are_taken_apart_into_numbers_the_same_in_every_later_table(tmp_path, name):
    cells, parts, first = DATES[name]
    rows = "".join(f"{cell},{i % 3},{'xz'[i % 2]}\n" for i, cell in enumerate(cells * 6))
    frame = read_table(written(tmp_path, "when,a,y\n" + rows))
    preprocessing = Preprocessing.learn(frame, "y")
    dates = preprocessing.columns[:-1]
    assert [column.name for column in dates] == [f"when ({part})" for part in parts.split()]
    assert f"when: dates, taken apart into {', '.join(parts.split())}" in preprocessing.notes
    assert [column.read([cells[0]])[0] for column in dates] == list(first)
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing
    assert preprocessing.standardized_on(frame) == preprocessing
    X = preprocessing.transform(frame)
    alone = read_table(written(tmp_path, f"when,a\n{cells[0]},0\n", "one.csv"))
    known = read_table(tmp_path / "one.csv", columns=preprocessing.table_columns)
    for table in (alone, known, {"when": [cells[0]], "a": [0]}):
        assert (preprocessing.transform(table) == X[:1]).all()
    wrong = {"when": ["31.31.2024"], "a": [0]}
    with pytest.raises(
        InputError, match=says("'31.31.2024' in row 1", "'when'", "this column must hold dates such as")
    ):
        preprocessing.transform(wrong)


def test_dates_of_every_library_are_the_same_numbers(tmp_path):
    pandas = pytest.importorskip("pandas")
    days = [
        datetime.datetime(2024, 1, 5, 10, 30),
        datetime.datetime(2023, 12, 31, 7, 45),
        datetime.datetime(2025, 6, 1),
    ]
    frame = pl.DataFrame({"when": days, "a": [1, 2, 3], "y": ["x", "z", "x"]})
    preprocessing = Preprocessing.learn(frame, "y")
    X = preprocessing.transform(frame)
    assert X.shape == (3, 7)
    for when in (
        days, np.array(days, dtype="datetime64[ns]"), pandas.Series(days), [day.isoformat() for day in days],
        pandas.Series(days).dt.tz_localize("UTC"), pl.Series(days),
    ):  # fmt: skip
        assert (preprocessing.transform({"when": when, "a": [1, 2, 3]}) == X).all()
    write_table(frame, tmp_path / "t.parquet")
    assert (preprocessing.transform(read_table(tmp_path / "t.parquet")) == X).all()
    times = pl.DataFrame({"at": [datetime.time(10, 30), datetime.time(7, 45)] * 2, "y": ["x", "z"] * 2})
    assert Preprocessing.learn(times, "y").feature_names == ("at (hour)", "at (minute)")
    gaps = Preprocessing.learn(frame.with_columns(pl.Series("when", [days[0], None, days[2]])), "y")
    assert [name for name in gaps.feature_names if "missing" in name] == ["when (year) is missing"]
    for gap in (None, pandas.NaT, np.datetime64("NaT"), "", "NA"):
        assert gaps.transform({"when": [gap], "a": [1]})[0, 1] == 1
    for value in (17, 2.5, True, [1], b"x"):
        with pytest.raises(InputError, match=says("in row 1", "'when'", "must hold dates")):
            gaps.transform({"when": [value], "a": [1]})


def test_the_order_of_day_and_month_can_be_named(tmp_path):
    frame = read_table(written(tmp_path, "when,a,y\n05/01/2024,1,x\n05/02/2024,2,z\n07/03/2024,2,z\n"))
    for order, month in (("day-first", 1), ("month-first", 5)):
        preprocessing = Preprocessing.learn(frame, "y", dates=order)
        (column,) = (each for each in preprocessing.columns if each.name == "when (month)")
        assert column.read(["05/01/2024"])[0] == month
    with pytest.raises(InputError, match=says("order of dates 'month'", "day-first, month-first")):
        Preprocessing.learn(frame, "y", dates="month")
    stray = fruit(colour=["1.1.2024", "2.1.2024", "31.2.2024", "4.1.2024"])
    assert "colour=31.2.2024" in Preprocessing.learn(stray, "fruit").feature_names  # too few are dates
    many = pl.DataFrame({"d": [f"{i}.1.2024" for i in range(1, 30)] + ["31.2.2024"], "y": range(30)})
    with pytest.raises(InputError, match=says("'31.2.2024' in column 'd' is not a date", "--drop d")):
        Preprocessing.learn(many, "y")


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["05.01.24", "31.12.23"], "day-first"), (["05.01.74", "31.12.73"], None), (["1/5/24", "12/31/23"], None),
        (["5/1/24", "31/12/23"], "day-first"), (["1/5/24", "12/30/23"], "month-first"),
        (["24-01-05", "23-12-31"], "year-first"),
        (["05 Jan 2024", "31 Dec 2023"], None), (["05-JAN-24", "31-DEC-23"], None), (["05JAN2024", "31DEC2023"], None),
        (["January 5, 2024", "December 31, 2023"], None), (["Jan 5 2024", "Dec 31 2023"], "day-first"),
        (["01/05/2024 10:30 AM", "12/31/2023 7:45 PM"], None), (["05. 01. 2024", "31. 12. 2023"], None),
        (["01-05-2024", "12-31-2023"], None), (["05/Jan/2024 10:30:00", "31/Dec/2023 19:45:00"], None),
    ],
    ids=str,
)  # fmt: skip
def test_dates_of_every_spelling_are_taken_apart(texts, order):
    frame = pl.DataFrame({"when": texts, "a": [1, 2], "y": ["x", "z"]})
    preprocessing = Preprocessing.learn(frame, "y", dates=order)
    read = {part.name: part.read(texts).tolist() for part in preprocessing.columns if part.name != "a"}
    assert read["when (month)"] == [1, 12]
    assert read["when (day)"][0] == 5
    assert read["when (year)"] == [1974, 1973] if "74" in texts[0] else [2024, 2023]
    assert ("69 to 99 are read as 1969" in preprocessing.notes[0]) == ("%y" in preprocessing.columns[0].date.form)
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))).columns == preprocessing.columns
    for wrong in ("today", "2024-01-05", "05.13.2024", "5"):
        with pytest.raises(InputError, match=says(repr(wrong), "'when'", "must hold dates such as")):
            preprocessing.transform({"when": [wrong], "a": [1]})


@pytest.mark.parametrize(("texts", "orders"), [
    (["05.01.24", "06.02.24"], ("day", "year")), (["05/01/24", "06/02/24"], ("day", "month")),
    (["05-01-2024", "06-02-2024"], ("day", "month")), (["24-01-25", "24-02-26"], ("day", "year")),
    (["05/01/24 7:30 PM"] * 2, ("day", "month")),
])  # fmt: skip
def test_dates_of_two_readings_name_the_option_that_settles_them(tmp_path, texts, orders):
    frame = pl.DataFrame({"when": texts, "a": [1, 2], "y": ["x", "z"]})
    with pytest.raises(InputError, match=says(*(f"`--dates {order}-first`" for order in orders))):
        Preprocessing.learn(frame, "y")


@pytest.mark.parametrize("words", [
    ["1.10.12", "1.10.3", "1.10.13", "1.10.14", "1.10.15"], ["3.9", "3.10"], ["10.0.0.1", "10.0.0.2"],
    ["May 5", "May 6"],
    ["10-20", "20-30"], ["mark 2", "decree 7"], ["555-12-34", "555-12-35"],
], ids=str)  # fmt: skip
def test_words_with_digits_are_no_dates(words):
    assert date_format(pl.Series("a", words)) is None


@pytest.mark.parametrize("impute", [False, True])
def test_a_word_among_numbers_is_found(tmp_path, impute):
    frame = read_table(written(tmp_path, "a,y\n1,x\n2,y\n3,x\nabc,y\n5,x\n"))
    with pytest.raises(InputError, match=says("'abc' in row 4 (line 5", "'a'", "1 of this column's 5")):
        Preprocessing.learn(frame, "y", impute=impute)


def test_a_mark_for_a_missing_number_is_found_however_often_it_stands(tmp_path):
    frame = read_table(written(tmp_path, "a,y\n1,x\nNA,y\nNA,x\nNA,y\n"))
    with pytest.raises(InputError, match=says("'NA' in row 2 (line 3", "'a'", "3 of", "leave the cell empty")):
        Preprocessing.learn(frame, "y", missing="refuse")


def test_mixed_text_is_a_category():
    frame = fruit(colour=["1", "2", "S", "M"])
    assert Preprocessing.learn(frame, "fruit").feature_names[1:5] == ("colour=1", "colour=2", "colour=M", "colour=S")


def test_a_word_among_the_numbers_of_the_target_is_found():
    frame = pl.DataFrame({"a": [1, 2, 3, 4, 5, 6], "y": ["1.5", "2", "3", "x", "4", "5"]})
    with pytest.raises(InputError, match=says("'x' in row 4", "'y'", "--task classification", 'task="classification"')):
        Preprocessing.learn(frame, "y")
    with pytest.raises(InputError, match=says("'x' in row 4", "'y'", "must hold numbers")):
        Preprocessing.learn(frame, "y", task="regression")
    assert Preprocessing.learn(frame, "y", task="classification").classes == ("1.5", "2", "3", "4", "5", "x")


def test_text_that_names_each_row_is_refused():
    n = 60
    frame = pl.DataFrame({"name": [f"n{i}" for i in range(n)], "a": range(n), "y": [i / 7 for i in range(n)]})
    with pytest.raises(InputError, match=says("'name'", "60 different values", "Choose another target")):
        Preprocessing.learn(frame, "name")
    twice = pl.concat([frame, frame])
    assert Preprocessing.learn(twice, "y").n_features == 61


def test_of_too_many_categories_the_most_frequent_are_kept():
    words = [f"n{i % 1001}" for i in range(5000)] + ["n7"] * 9
    preprocessing = Preprocessing.learn(pl.DataFrame({"c": words, "y": [i / 7 for i in range(5009)]}), "y")
    assert (column := preprocessing.columns[0]).width == 50
    assert "n7" in column.categories
    assert preprocessing.notes == (
        "c: the 50 most frequent of 1001 categories are kept, all others are encoded as zeros; `--max-categories` "
        "changes the number",
    )
    X = preprocessing.transform({"c": ["n7", "n1000", "never seen"]})
    assert X.sum(axis=1).tolist() == [1, 0, 0]
    few = Preprocessing.learn(
        pl.DataFrame({"c": ["a", "b", "b", "c", "c", None], "y": range(6)}), "y", max_categories=2
    )
    assert few.columns == (CategoryColumn("c", ("(missing)", "b", "c"), "(missing)", "zeros"),)
    assert few.transform({"c": ["a", None, "c", "NA"]}).tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]]


# -- columns that are left out, and gaps ----------------------------------------------------

MANY = 40  # rows
LEFT_OUT = {  # the values, and what the note says; None for a column that is kept
    "row": (range(MANY), "number the rows, such as 0, 1, 2"),
    "countdown": (range(MANY, 0, -1), "number the rows"),
    "customer": ([1000 + 7 * i for i in range(MANY)], "number the rows"),
    "customer_id": ([i * 7 % 41 for i in range(MANY)], "number the rows"),
    "CustomerID": ([i * 7 % 41 for i in range(MANY)], "number the rows"),
    "name": ([f"n{i}" for i in range(MANY)], "text that names the rows instead of grouping them, such as 'n0', 'n1'"),
    "code": ([f"{i * 7 % 41:04}" for i in range(MANY)], "text that names the rows"),
    "remark": ([f"{i} of many" for i in range(MANY - 9)] + [None] * 9, "text that names the rows"),
    "unit": (["kg"] * MANY, "the same value in every row"),
    "switch": ([True] * MANY, "the same value in every row"),
    "zero": ([0.0] * MANY, "the same value in every row"),
    "blank": ([None] * MANY, "no values at all"),
    "spaces": ([" "] * MANY, "no values at all"),
    "rare": ([1.5, 2.5] + [None] * (MANY - 2), "95 % of its values are missing"),
    "rare word": (["x"] + [""] * (MANY - 1), "97.5 % of its values are missing"),
    "year": (range(1960, 1960 + MANY), None),
    "paid": ([i * 7 % 41 for i in range(MANY)], None),
    "size": ([i / 2 for i in range(MANY)], None),
    "in order with equals": ([i // 2 for i in range(MANY)], None),
    "marked": (["yes"] * 9 + [None] * (MANY - 9), None),
    "price": ([f"${i}.50" for i in range(MANY)], None),
    "class": ([f"c{i % 15}" for i in range(MANY)], None),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_columns_that_say_nothing_about_other_rows_are_left_out_and_a_note_says_so(name):
    values, words = LEFT_OUT[name]
    frame = pl.DataFrame({name: values, "a": [i % 3 for i in range(MANY)], "y": [i * i % 19 / 7 for i in range(MANY)]})
    preprocessing = Preprocessing.learn(frame, "y")
    assert ([column.name for column in preprocessing.columns] == ["a"]) is (words is not None)
    notes = [note for note in preprocessing.notes if "left out" in note]
    if words is None:
        assert not notes
        return
    (note,) = notes
    assert note.startswith(f"{name}: left out, ")
    assert words in note
    assert f"`--use {name}` takes it" in note
    if "values" not in words:
        assert name in [column.name for column in Preprocessing.learn(frame, "y", use=[name]).columns]


def test_short_tables_and_tables_with_nothing_else_are_used_as_they_are():
    short = pl.DataFrame({"id": range(19), "name": [f"n{i}" for i in range(19)], "y": range(19)})
    assert Preprocessing.learn(short, "y", task="regression").n_features == 20
    alone = pl.DataFrame({"x": range(MANY), "unit": [3] * MANY, "y": [i * i / 7 for i in range(MANY)]})
    preprocessing = Preprocessing.learn(alone, "y")
    assert preprocessing.feature_names == ("x",)
    assert preprocessing.notes == (
        "x: whole numbers that only number the rows, such as 0, 1, 2, but used, as no other column is left",
        "unit: left out, the same value in every row; `--use unit` takes it",
    )
    constant = Preprocessing.learn(alone.select("unit", "y"), "y")
    assert constant.transform(alone).tolist() == [[0.0]] * MANY


def test_many_columns_that_are_left_out_share_a_line():
    wide = pl.DataFrame({f"pixel{i}": [0] * 5 for i in range(40)} | {"a": range(5), "y": [0.5, 1, 2, 3, 4]})
    (note,) = Preprocessing.learn(wide, "y").notes
    assert note.startswith("40 columns left out, the same value in every row: pixel0, pixel1")
    assert len(note) < 250


def test_gaps_are_filled_and_marked_by_default():
    frame = pl.DataFrame({
        "age": [20.0, None, 40.0, math.nan, 60.0, 40.0], "kind": ["a", "", "b", None, "b", "b"],
        "cost": ["$1.50", "NA", "$2.50", "$3", "?", "$3"], "full": [1, 2, 3, 4, 5, 6], "y": [0.5, 1.5, 2, 3, 4, 5],
    })  # fmt: skip
    preprocessing = Preprocessing.learn(frame, "y")
    assert preprocessing.feature_names == (
        "age", "age is missing", "kind=(missing)", "kind=a", "kind=b", "cost", "cost is missing", "full",
    )  # fmt: skip
    X = preprocessing.transform(frame)
    assert X[:, 1].tolist() == [0, 1, 0, 1, 0, 0]
    assert X[:, 2].tolist() == [0, 1, 0, 1, 0, 0]
    assert X[:, 6].tolist() == [0, 1, 0, 0, 1, 0]
    ages = np.array([20, 40, 40, 40, 60, 40])
    assert (X[:, 0] == (ages - 40) / ages.std()).all()
    assert preprocessing.notes == (
        "age: 2 missing values filled with the median 40, and marked in a column of their own, 'age is missing'",
        "kind: 2 missing values read as a category of their own, '(missing)'",
        "cost: 2 missing values filled with the median 2.75, and marked in a column of their own, 'cost is missing'",
    )
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing
    later = {"age": [None], "kind": ["NA"], "cost": ["n/a"], "full": [1]}
    assert preprocessing.transform(later)[0, [1, 2, 6]].tolist() == [1, 1, 1]
    with pytest.raises(InputError, match=says("no value in row 1", "'full'", "--impute")):
        preprocessing.transform({**later, "full": [None]})
    filled = Preprocessing.learn(frame, "y", missing="fill")
    assert filled.feature_names == ("age", "kind=a", "kind=b", "cost", "full")
    assert filled == Preprocessing.learn(frame, "y", impute=True)
    with pytest.raises(InputError, match=says("Leave out one of the two")):
        Preprocessing.learn(frame, "y", impute=True, missing="refuse")
    with pytest.raises(InputError, match=says("treatment of missing values 'drop'", "indicate, fill, refuse")):
        Preprocessing.learn(frame, "y", missing="drop")


def test_means_and_medians_of_columns_with_marks_follow_from_the_training_rows():
    frame = pl.DataFrame({"a": ["1", "NA", "3", "8"], "b": [None, None, 1.0, 2.0], "y": [0.5, 1.0, 1.5, 2.0]})
    known = Preprocessing.learn(frame, "y").standardized_on(frame[:2])
    assert known.columns[0].fill == 1.0
    assert known.columns[0].indicator
    assert known.columns[1].fill == 1.5  # the training rows have no value


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(InputError, match=says("target column 'friut'", "Did you mean 'fruit'?", "weight")):
        Preprocessing.learn(fruit(), "friut")
    with pytest.raises(InputError, match=says("column to drop 'color'", "Did you mean 'colour'?")):
        Preprocessing.learn(fruit(), "fruit", drop=["color"])
    with pytest.raises(InputError, match=says("task 'classify'", "Did you mean 'classification'?")):
        Preprocessing.learn(fruit(), "fruit", task="classify")
    with pytest.raises(InputError, match=says("'skip'", "error, ignore")):
        Preprocessing.learn(fruit(), "fruit").transform(fruit(), unknown="skip")


def test_of_a_wide_table_only_the_nearest_names_are_listed():
    wide = pl.DataFrame({f"pixel{i}": [0, 1] for i in range(784)} | {"label": [0, 1]})
    with pytest.raises(InputError, match=says("'lable'", "Did you mean 'label'?", "785 columns")) as caught:
        Preprocessing.learn(wide, "lable")
    assert len(str(caught.value)) < 500


def test_there_must_be_features_and_rows_and_a_table():
    with pytest.raises(InputError, match=says("no column except the target 'fruit'")):
        Preprocessing.learn(fruit().select("fruit"), "fruit")
    with pytest.raises(InputError, match=says("no column except the target")):
        Preprocessing.learn(fruit(), "fruit", drop=["weight", "colour", "sweet"])
    with pytest.raises(InputError, match=says("'fruit' is the target")):
        Preprocessing.learn(fruit(), "fruit", drop=["fruit"])
    with pytest.raises(InputError, match=says("no rows")):
        Preprocessing.learn(fruit().clear(), "fruit")
    with pytest.raises(InputError, match=says("polars.DataFrame, not dict", "from_pandas")):
        Preprocessing.learn(FRUIT, "fruit")  # type: ignore[arg-type]


# -- classification or regression ----------------------------------------------------------


def test_a_regression_of_text_says_that_labels_are_classified():
    frame = pl.DataFrame({"x": [0.5, 1.5, 2.5, 3.5], "kind": ["herb", "tree", "herb", "tree"]})
    with pytest.raises(InputError, match=says("holds text, such as 'herb'", "task classification")):
        Preprocessing.learn(frame, "kind", task="regression")
    with pytest.raises(InputError, match=says("Text '1O' in row 2", "Correct the value")):
        Preprocessing.learn(frame.with_columns(kind=pl.Series(["9", "1O", "11", "12"])), "kind", task="regression")


@pytest.mark.parametrize(
    ("values", "task", "reason"),
    [
        (["a", "b", "c"] * 4, "classification", "the target 'y' is text with 3 values: classification"),
        ([True, False] * 6, "classification", "the target 'y' is true or false: classification"),
        ([0.0, 1.0] * 6, "regression", "the target 'y' is decimal numbers: regression"),
        (
            [0, 1] * 2,
            "classification",
            "the target 'y' is whole numbers with 2 different values in 4 rows: classification",
        ),
        (
            list(range(10)) * 2,
            "classification",
            "the target 'y' is whole numbers with 10 different values in 20 rows: ",
        ),
        (
            list(range(11)) * 4,
            "regression",
            "the target 'y' is whole numbers with 11 different values in 44 rows: regr",
        ),
        (
            list(range(20)) * 21,
            "classification",
            "the target 'y' is whole numbers with 20 different values in 420 rows",
        ),
        (list(range(20)) * 20, "regression", "the target 'y' is whole numbers with 20 different values in 400 rows"),
        (list(range(21)) * 50, "regression", "the target 'y' is whole numbers with 21 different values"),
        (
            [100, 250, 300, 425, 600],
            "regression",
            "the target 'y' is whole numbers with 5 different values in 5 rows: reg",
        ),
    ],
)
def test_the_task_follows_from_the_target_and_says_why(values, task, reason):
    preprocessing = Preprocessing.learn(pl.DataFrame({"a": range(len(values)), "y": values}), "y")
    assert preprocessing.task == task
    assert preprocessing.reason.startswith(reason)


@pytest.mark.parametrize("values", [["b", "a", "b"], [3, -1, 3], [True, False, True]])
def test_classes_stay_what_they_were(values):
    frame = pl.DataFrame({"a": [1.0, 2.0, 3.0], "y": values})
    preprocessing = Preprocessing.learn(frame, "y", task="classification")
    assert preprocessing.classes == tuple(sorted(set(values)))
    assert [type(label) for label in preprocessing.classes] == [type(values[0])] * 2
    assert preprocessing.targets(frame).tolist() == values
    assert preprocessing.reason == "the task classification was requested"


def test_whole_numbers_with_a_decimal_point_can_be_classes():
    frame = pl.DataFrame({"a": [1, 2, 3], "y": [0.0, 1.0, 0.0]})
    preprocessing = Preprocessing.learn(frame, "y", task="classification")
    assert preprocessing.classes == (0, 1)
    assert preprocessing.targets(frame).tolist() == [0, 1, 0]
    with pytest.raises(InputError, match=says("1.5 in row 2 (line 3", "'y'", "--task regression")):
        Preprocessing.learn(pl.DataFrame({"a": [1, 2], "y": [0.0, 1.5]}), "y", task="classification")
    with pytest.raises(InputError, match=says("row 1", "64 bits")):
        Preprocessing.learn(pl.DataFrame({"a": [1, 2], "y": [2**70, 1]}), "y", task="classification")


def test_too_many_classes_are_refused():
    frame = pl.DataFrame({"a": range(2002), "y": [*range(1001)] * 2})
    with pytest.raises(
        InputError, match=says("'y' has 1001 classes", "--task regression", 'task="regression" in Python')
    ):
        Preprocessing.learn(frame, "y", task="classification")


def test_numbers_that_are_nearly_all_different_are_no_classes():
    frame = pl.DataFrame({"a": range(60), "y": [float(i % 40) for i in range(60)]})
    with pytest.raises(InputError, match=says("'y' has 40 different values in 60 rows", "--task regression")):
        Preprocessing.learn(frame, "y", task="classification")


def test_means_of_the_training_rows_only():
    frame = pl.DataFrame({"a": [1.0, 3.0, 100.0], "c": ["x", "y", "z"], "y": [10.0, 20.0, 90.0]})
    preprocessing = Preprocessing.learn(frame, "y").standardized_on(frame[:2])
    np.testing.assert_allclose(preprocessing.transform(frame)[:2, 0], [-1, 1])
    np.testing.assert_allclose(preprocessing.targets(frame)[:2], [-1, 1])
    assert preprocessing.feature_names == ("a", "c=x", "c=y", "c=z")


def test_true_and_false_can_be_predicted_as_numbers():
    preprocessing = Preprocessing.learn(fruit(), "sweet", task="regression")
    assert preprocessing.target == NumberTarget("sweet", 0.75, math.sqrt(3) / 4)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30).filter(lambda values: np.std(values) > 1e-3))
def test_regression_targets_are_standardized_and_turned_back(values):
    frame = pl.DataFrame({"a": range(len(values)), "y": values})
    preprocessing = Preprocessing.learn(frame, "y", task="regression")
    y = preprocessing.targets(frame)
    assert y.shape == (len(values),)
    assert abs(y.mean()) < 1e-8
    assert abs(y.std() - 1) < 1e-8
    np.testing.assert_allclose(preprocessing.untransform_target(y), values, atol=1e-6)
    assert preprocessing.untransform_target(y[:, None]).shape == (len(values), 1)
    assert preprocessing.classes == ()


def test_classes_are_not_turned_back():
    with pytest.raises(InputError, match=says("'fruit' is a class")):
        Preprocessing.learn(fruit(), "fruit").untransform_target([1.0])


# -- later tables --------------------------------------------------------------------------


def test_columns_are_found_by_name_and_others_are_ignored():
    preprocessing = Preprocessing.learn(fruit(), "fruit")
    other = fruit(more=[1, None, 3, 4]).select("more", "sweet", "colour", "weight")
    assert (preprocessing.transform(other) == preprocessing.transform(fruit())).all()


LATER_ERRORS = [
    ({"weight": ["1", "2", "heavy", "3"]}, ["'heavy' in row 3 (line 4", "'weight'", "must hold numbers"]),
    ({"weight": ["1", "2", "3", "4_0"]}, ["'4_0' in row 4", "'weight'", "must hold numbers"]),
    ({"weight": [1.0, None, math.nan, 1.0]}, ["row 2 (line 3", "'weight'", "in all: 2", "train again with --impute"]),
    ({"weight": [1.0, math.inf, 1.0, 1.0]}, ["inf in row 2 (line 3", "'weight'"]),
    ({"weight": pl.Series(["2020-01-01"] * 4).str.to_date()}, ["'weight'", "dates"]),
    (
        {"colour": ["red", "pink", "red", "red"]},
        ["'pink' in row 2 (line 3", "'colour'", "green, red", "--unknown ignore"],
    ),
    ({"colour": ["red", None, "red", ""]}, ["row 2", "'colour'", "in all: 2"]),
    ({"colour": [math.nan, 1.0, 1.0, 1.0]}, ["row 1", "'colour'", "in all: 1"]),
    ({"colour": [1, 2, 3, 4]}, ["'1' in row 1", "'colour'", "green, red"]),
]


@pytest.mark.parametrize(("changes", "parts"), LATER_ERRORS)
def test_what_does_not_fit_the_training_table_is_refused_with_its_place(changes, parts):
    with pytest.raises(InputError, match=says(*parts)):
        Preprocessing.learn(fruit(), "fruit").transform(fruit(**changes))


def test_a_missing_column_is_named_with_those_that_arrived():
    preprocessing = Preprocessing.learn(fruit(), "fruit")
    with pytest.raises(InputError, match=says("lacks 'colour', 'sweet'", "Its columns: weight, fruit")):
        preprocessing.transform(fruit().drop("colour", "sweet"))
    with pytest.raises(InputError, match=says("lacks 'fruit'")):
        preprocessing.targets(fruit().drop("fruit"))


def test_an_unknown_category_can_be_ignored():
    X = Preprocessing.learn(fruit(), "fruit").transform(fruit(colour=["red", "pink", "green", "red"]), unknown="ignore")
    assert X[:, 1:3].tolist() == [[0, 1], [0, 0], [1, 0], [0, 1]]


def test_a_value_too_far_away_is_refused():
    preprocessing = Preprocessing.learn(fruit(weight=[0.0, 1e-300, 0.0, 0.0]), "fruit")
    assert preprocessing.transform(fruit(weight=[1.0] * 4))[0, 0] == 1.0  # a spread that underflows counts as 1
    narrow = Preprocessing((NumberColumn("weight", 0.0, 1e-300),), preprocessing.target, "")
    with pytest.raises(InputError, match=says("1e+10 in row 2", "'weight'", "too far")):
        narrow.transform(fruit(weight=[0.0, 1e10, 0.0, 0.0]))


@pytest.mark.parametrize(
    ("label", "parts"),
    [("kiwi", ["'kiwi' in row 2 (line 3", "'fruit'", "apple, grape"]), (None, ["row 2", "'fruit'", "in all: 1"])],
)
def test_a_label_that_was_not_learned_is_refused(label, parts):
    with pytest.raises(InputError, match=says(*parts)):
        Preprocessing.learn(fruit(), "fruit").targets(fruit(fruit=["apple", label, "grape", "apple"]))


def test_labels_of_text_are_found_in_a_table_where_they_look_like_numbers():
    preprocessing = Preprocessing.learn(fruit(fruit=["1", "x", "2", "x"]), "fruit")
    assert preprocessing.targets(fruit(fruit=[1, 2, 1, 2])).tolist() == ["1", "2", "1", "2"]


def test_gaps_are_filled_as_in_the_training_table():
    frame = fruit(weight=[1.0, 2.0, 9.0, None], colour=["red", "", "green", "red"], sweet=[True, None, True, False])
    preprocessing = Preprocessing.learn(frame, "fruit", impute=True)
    assert [column.fill for column in preprocessing.columns] == [2.0, "red", 1.0]
    filled = fruit(weight=[1.0, 2.0, 9.0, 2.0], colour=["red", "red", "green", "red"], sweet=[True, True, True, False])
    assert (preprocessing.transform(frame) == preprocessing.transform(filled)).all()
    assert abs(preprocessing.transform(frame)[:, 0].mean()) < 1e-15
    empty = filled.with_columns(weight=None, colour=pl.lit(""), sweet=pl.lit(math.nan))
    assert (preprocessing.transform(empty) == preprocessing.transform(filled)[1]).all()
    with pytest.raises(InputError, match=says("row 1", "'fruit'")):
        Preprocessing.learn(fruit(fruit=[None, "a", "b", "a"]), "fruit", impute=True)


def test_of_equally_frequent_categories_the_first_fills():
    frame = fruit(colour=["red", "green", None, None])
    assert Preprocessing.learn(frame, "fruit", impute=True).columns[1] == CategoryColumn(
        "colour", ("green", "red"), "green"
    )


# -- predictions ---------------------------------------------------------------------------


def test_predictions_become_a_table(tmp_path):
    preprocessing = Preprocessing.learn(fruit(), "fruit")
    frame = preprocessing.predictions_frame(np.array(["grape", "apple"]), np.array([[0.25, 0.75], [0.5, 0.5]]))
    assert frame.to_dict(as_series=False) == {
        "prediction": ["grape", "apple"],
        "p(apple)": [0.25, 0.5],
        "p(grape)": [0.75, 0.5],
    }
    write_table(frame, tmp_path / "out.csv")
    assert read_table(tmp_path / "out.csv").equals(frame)


def test_predictions_keep_their_type():
    logical = Preprocessing.learn(fruit(), "sweet")
    assert logical.predictions_frame(np.array([True]), [[0.25, 0.75]]).to_dicts() == [
        {"prediction": True, "p(false)": 0.25, "p(true)": 0.75}
    ]
    numbers = Preprocessing.learn(fruit(), "weight")
    assert numbers.predictions_frame(np.array([[1.5], [2.5]])).to_dicts() == [{"prediction": 1.5}, {"prediction": 2.5}]


def test_predictions_of_another_shape_are_refused():
    preprocessing = Preprocessing.learn(fruit(), "fruit")
    with pytest.raises(InputError, match=says("(2, 2)", "(n,) or (n, 1)")):
        preprocessing.predictions_frame(np.zeros((2, 2)))
    with pytest.raises(InputError, match=says("(2, 3)", "2 classes", "(2, 2)")):
        preprocessing.predictions_frame(["apple", "grape"], np.zeros((2, 3)))
    with pytest.raises(InputError, match=says("A regression has none")):
        Preprocessing.learn(fruit(), "weight").predictions_frame([1.0], np.zeros((1, 0)))


# -- kept in a file ------------------------------------------------------------------------

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(str.strip)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SPREADS = st.floats(min_value=5e-324, allow_infinity=False)
WORDS = st.lists(NAMES, min_size=2, max_size=5, unique=True).map(lambda words: tuple(sorted(words)))
WHOLE = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=5, unique=True).map(
    lambda xs: tuple(sorted(xs))
)
LABELS = st.one_of(WORDS, WHOLE, st.just((False, True)))


@st.composite
def preprocessings(draw: st.DrawFn) -> Preprocessing:
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    number = st.tuples(FINITE, SPREADS, st.none() | FINITE).map(lambda rest: NumberColumn("", *rest))
    category = WORDS.flatmap(
        lambda words: st.sampled_from([None, *words]).map(lambda fill: CategoryColumn("", words, fill))
    )
    columns = []
    for name in names[1:]:
        column = draw(number | category)
        object.__setattr__(column, "name", name)
        columns.append(column)
    goals = LABELS.map(lambda labels: ClassTarget(names[0], labels)) | st.tuples(FINITE, SPREADS).map(
        lambda pair: NumberTarget(names[0], *pair)
    )
    return Preprocessing(tuple(columns), draw(goals), draw(st.text(st.characters(exclude_categories=["Cs"]))))


@given(preprocessings())
def test_json_keeps_everything_exactly(preprocessing):
    back = Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict(), allow_nan=False)))
    assert back == preprocessing
    assert repr(back) == repr(preprocessing)  # true is not 1, -0.0 is not 0.0


def test_what_was_read_back_gives_the_same_bits():
    preprocessing = Preprocessing.learn(fruit(), "sweet", impute=True)
    back = Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict())))
    assert back.transform(fruit()).tobytes() == preprocessing.transform(fruit()).tobytes()
    assert back.targets(fruit()).dtype == bool


NUMBER_COLUMN = Preprocessing.learn(fruit(), "fruit").to_dict()
NUMBER_TARGET = Preprocessing.learn(fruit(), "weight").to_dict()
HOSTILE = [
    (["reason"], 3),
    (["reason"], None),
    (["columns"], []),
    (["columns"], {}),
    (["columns"], "abc"),
    (["columns", 0], None),
    (["columns", 0], []),
    (["columns", 0, "kind"], "magic"),
    (["columns", 0, "kind"], ["number"]),
    (["columns", 0, "extra"], 1),
    (["columns", 0, "name"], ""),
    (["columns", 0, "name"], 5),
    (["columns", 0, "name"], "colour"),
    (["columns", 0, "name"], "fruit"),
    (["columns", 0, "mean"], math.nan),
    (["columns", 0, "mean"], math.inf),
    (["columns", 0, "mean"], 10**400),
    (["columns", 0, "mean"], True),
    (["columns", 0, "mean"], "1.5"),
    (["columns", 0, "std"], 0),
    (["columns", 0, "std"], -1.0),
    (["columns", 0, "std"], None),
    (["columns", 0, "fill"], math.nan),
    (["columns", 0, "fill"], "1"),
    (["columns", 1, "categories"], []),
    (["columns", 1, "categories"], ["red", "green"]),
    (["columns", 1, "categories"], ["red", "red"]),
    (["columns", 1, "categories"], ["red", 3]),
    (["columns", 1, "categories"], ["red", " "]),
    (["columns", 1, "categories"], "red"),
    (["columns", 1, "categories"], [f"{i:06}" for i in range(100_001)]),
    (["columns", 1, "fill"], "pink"),
    (["columns", 1, "fill"], ["red"]),
    (["target"], None),
    (["target", "task"], "auto"),
    (["target", "task"], {}),
    (["target", "name"], None),
    (["target", "classes"], ["apple"]),
    (["target", "classes"], []),
    (["target", "classes"], [0, True]),
    (["target", "classes"], ["a", 1]),
    (["target", "classes"], [1, 0]),
    (["target", "classes"], [1.5, 2.5]),
    (["target", "classes"], [[1], [2]]),
    (["target", "classes"], [0, 10**5000]),
    (["target", "classes"], list(range(100_001))),
]


@pytest.mark.parametrize(("keys", "value"), HOSTILE, ids=lambda part: None)
def test_a_damaged_record_is_refused(keys, value):
    stored = copy.deepcopy(NUMBER_COLUMN)
    place = stored
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    with pytest.raises(FileError, match=says("damaged", "must be", "Train and save again")) as caught:
        Preprocessing.from_dict(stored)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("stored", [NUMBER_COLUMN, NUMBER_TARGET], ids=["classes", "numbers"])
def test_every_part_of_a_record_is_needed(stored):
    for path in ([], ["target"], ["columns", 0], ["columns", 1]):
        for key in list(part(stored, path)):
            cut = copy.deepcopy(stored)
            del part(cut, path)[key]
            with pytest.raises(FileError, match=says("damaged")):
                Preprocessing.from_dict(cut)


def part(stored, path):
    for key in path:
        stored = stored[key]
    return stored


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["columns", "target", "reason", "kind", "name"]), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(JSON)
def test_anything_at_all_is_refused_as_a_file_error(stored):
    with pytest.raises(FileError):
        Preprocessing.from_dict(stored)


@given(JSON, st.sampled_from([["columns", 0, "mean"], ["columns", 1, "categories"], ["target", "classes"], ["target"]]))
def test_a_record_with_any_value_in_it_is_read_or_refused(value, keys):
    stored = copy.deepcopy(NUMBER_COLUMN)
    part(stored, keys[:-1])[keys[-1]] = value
    try:
        preprocessing = Preprocessing.from_dict(stored)
    except FileError:
        return
    assert Preprocessing.from_dict(preprocessing.to_dict()) == preprocessing


def test_classes_that_are_true_or_false_are_read_from_text():
    target = ClassTarget("paid", (False, True))
    assert target.encode(pl.Series("paid", ["True", "false", "TRUE"])).tolist() == [True, False, True]
    with pytest.raises(InputError, match="known are False, True"):
        target.encode(pl.Series("paid", ["yes", "no"]))


def test_only_text_classes_and_formatted_numbers_are_read_as_text():
    assert Preprocessing((), ClassTarget("kind", ("a", "b")), "").reads_text
    assert not Preprocessing((), ClassTarget("kind", (1, 2)), "").reads_text
    assert not Preprocessing((), NumberTarget("price", 200.0, 100.0), "").reads_text
