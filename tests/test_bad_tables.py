"""Badly made tables: each fault alone and in pairs either trains rightly or is refused with all faults and options.

A fault is a column that is added to a good table, or a way to write the file.  The expected words are those that a user
reads: a note on what was done, or the error with the option that settles it.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars
import pytest

from workings.cli import table_models
from workings.cli.table_doctor import leak_lines
from workings.cli.table_plan import Plan, TableSource
from workings.cli.table_training import load_table, prepare
from workings.errors import FileError, InputError, WorkingsError
from workings.tables import Preprocessing, plain_csv, read_table
from workings.tables.files import TextOptions
from workings.tables.screening import ColumnChoices
from workings.tables.wording import reading_notes
from workings.training.callbacks import Callback

N = 120
RNG = np.random.default_rng(0)
SIZE = RNG.normal(50, 10, N).round(2)
KIND = RNG.choice(["red", "green", "blue"], N).tolist()
LABEL = np.where(SIZE + RNG.normal(0, 5, N) > 50, "yes", "no").tolist()
PLAN = Plan(hidden="4", activation="relu", loss="auto", optimizer="adam", lr=None, epochs=1, batch_size=32,
            validation=0.2, patience=5, l2=0.0, dropout=0.0, balanced=False, seed=0, engine="reference",
            recipe=True)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """A column with a fault, and what is said of it; ``settled`` are the choices that settle a refusal."""

    cell: Callable[[int], object]
    words: tuple[str, ...]
    is_refused: bool = False
    choices: ColumnChoices = field(default_factory=ColumnChoices)
    reading: TextOptions = field(default_factory=TextOptions)
    width: int | None = None  # columns of X that it becomes


DROP = ColumnChoices(drop=("bad",))
OLD = [f"{1 + i % 28}.{1 + i % 12}.{2000 + i % 20}" for i in range(N)]
FAULTS = {
    "gaps in numbers": Fault(lambda i: "" if i % 7 == 0 else i % 11, ("bad: 18 missing values filled",), width=2),
    "NA in numbers": Fault(lambda i: "NA" if i % 7 == 0 else i / 11, ("bad: 18 missing values filled",), width=2),
    "gaps in words": Fault(lambda i: "" if i % 7 == 0 else "rg"[i % 2], ("bad: 18 missing values read as a category",)),
    "#N/A in numbers": Fault(lambda i: "#N/A" if i % 3 == 0 else i / 11, ("bad: 40 missing values filled",), width=2),
    "<NA> in numbers": Fault(lambda i: "<NA>" if i % 3 == 0 else i / 11, ("bad: 40 missing values filled",), width=2),
    "? in words": Fault(lambda i: "?" if i % 7 == 0 else "rg"[i % 2], ("bad: '?' is read as a category",), width=3),
    "row numbers": Fault(lambda i: i + 1, ("bad: left out, whole numbers that only number", "--use bad"), width=0),
    "customer numbers": Fault(lambda i: 7000 - 3 * i, ("bad: left out, whole numbers", "--use bad"), width=0),
    "names": Fault(lambda i: f"person {i}", ("bad: left out, text that names the rows", "--use bad"), width=0),
    "e-mails, some twice": Fault(lambda i: f"p{i * 5 // 6}@x.org", ("bad: left out, text that names",), width=0),
    "one value": Fault(lambda i: "kg", ("bad: left out, the same value in every row", "--use bad"), width=0),
    "one number": Fault(lambda i: 3.5, ("bad: left out, the same value in every row",), width=0),
    "nearly empty": Fault(lambda i: "x" if i < 2 else "", ("bad: left out, 98.3 % of its values are",), width=0),
    "empty": Fault(lambda i: "", ("bad: left out, no values at all",), width=0),
    "ISO dates": Fault(lambda i: f"20{10 + i % 9}-0{1 + i % 9}-{10 + i % 19}", ("bad: dates, taken apart",), width=4),
    "dates with points": Fault(lambda i: OLD[i], ("bad: dates, taken apart into year, month, day, weekday",), width=4),
    "dates and times": Fault(lambda i: f"2024-05-{10 + i % 19}T0{i % 9}:30", ("day, weekday, hour",), width=3),
    "times": Fault(lambda i: f"{i % 24}:{10 + i % 49}", ("bad: dates, taken apart into hour, minute",), width=2),
    "dates with gaps": Fault(lambda i: "" if i % 8 == 0 else OLD[i], ("bad: 15 missing values filled",), width=5),
    "day or month": Fault(lambda i: f"0{1 + i % 9}/0{1 + i % 7}/2024", ("column 'bad'", "--dates day-first"), True,
                          ColumnChoices(dates="month-first")),
    "no date among dates": Fault(lambda i: "31.2.2024" if i == 5 else OLD[i],
                                 ("'31.2.2024' in column 'bad'", "--drop bad"), True, DROP),
    "a typing error": Fault(lambda i: "1O" if i == 5 else i, ("'1O' in row 6 (line 7", "'bad'", "leave the cell empty"),
                            True, DROP),
    "infinity": Fault(lambda i: "inf" if i == 5 else i / 3, ("inf in row 6", "'bad' is not finite"), True, DROP),
    "money": Fault(lambda i: f"${i * 37 % 90}.50", ("bad: read as money ($)",), width=1),
    "percent": Fault(lambda i: f"{i * 37 % 90} %", ("bad: read as percent",), width=1),
    "thousands": Fault(lambda i: f"{i * 37 % 90 + 10},000.5", ("bad: read as numbers, thousands separator",), width=1),
    "thousands or decimals": Fault(lambda i: f"{i * 37 % 90 + 10},125", ("'bad' can be read as", "--decimal"), True,
                                   reading=TextOptions(decimal=".")),
    "two units": Fault(lambda i: f"{i} {['kg', 'lb'][i % 2]}", ("'bad' holds numbers with different units", "--drop"),
                       True, DROP),
    "two decimal signs": Fault(lambda i: ["1.234,5", "1,234.5"][i % 2], ("'bad' holds numbers with different decimal",
                                                                        "--drop"), True, DROP),
    "yes and no": Fault(lambda i: ["yes", "no"][i % 2], (), width=2),
    "ja and nein": Fault(lambda i: ["ja", "nein"][i * i % 3 % 2], (), width=2),
    "true and false": Fault(lambda i: ["true", "false"][i % 2], (), width=1),
    "True and False": Fault(lambda i: ["True", "False"][i % 2], (), width=1),
    "codes with zeros": Fault(lambda i: f"00{i % 5}", (), width=5),
    "many words": Fault(lambda i: f"city {i % 4 if i < 30 else i}", ("bad: the 50 most frequent of 94 categories",),
                        width=50),
    "blanks": Fault(lambda i: f"  {i % 7} ", (), width=1),
    "errors of a spreadsheet": Fault(lambda i: ["#DIV/0!", "#REF!"][i % 2] if i % 5 == 0 else i / 11,
                                     ("bad: 24 missing values filled",), width=2),
    "an error in words": Fault(lambda i: "#VALUE!" if i % 7 == 0 else "rg"[i % 2],
                               ("bad: '#VALUE!' is read as a category",), width=3),
    "dates in two formats": Fault(lambda i: OLD[i] if i % 2 else f"2024-0{1 + i % 9}-{10 + i % 19}",
                                  ("'bad' holds dates in different formats, such as '2024-01-10'", "--drop bad"), True,
                                  DROP),
    "days and months mixed": Fault(lambda i: f"{13 + i % 9}/01/2024" if i % 2 else f"01/{13 + i % 9}/2024",
                                   ("'bad' holds dates in different formats", "--drop bad"), True, DROP),
    "times with AM and PM": Fault(lambda i: f"{1 + i % 12}:{10 + i % 49} {'AP'[i // 7 % 2]}M",
                                  ("bad: dates, taken apart into hour, minute",), width=2),
    "long texts": Fault(lambda i: f"{i} and {'so on ' * 40}", ("bad: left out, text", "so on so…'"), width=0),
    "words in two spellings": Fault(lambda i: ["Red", "red ", "blue"][i % 3], ("'Red' and 'red' are different",),
                                    width=3),
    "like numbers": Fault(lambda i: f"{i % 30}h 5m", ("bad: 30 categories that begin like numbers, such as '0h 5m'",),
                          width=30),
    "words among numbers": Fault(lambda i: "unknown" if i % 3 == 0 else i % 9,
                                 ("bad: read as categories, because 40 of 120 values are no numbers, such as 'unk",)),
    "a leak": Fault(lambda i: f"{LABEL[i]} indeed", ("problem: bad alone gives the target", "--drop bad"), width=2),
}  # fmt: skip


def lines_of(columns: dict[str, Sequence[object]], delimiter: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> str:
    """The table as CSV text."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=quoting)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def table_with(*names: str) -> dict[str, Sequence[object]]:
    """The good table with a column for each fault: bad, bad2."""
    added = {
        "bad" if place == 0 else f"bad{place + 1}": [FAULTS[name].cell(i) for i in range(N)]
        for place, name in enumerate(names)
    }
    return {"size": SIZE.tolist(), **added, "kind": KIND, "y": LABEL}


def told(source: TableSource) -> str:
    """What is said of a table that trains: notes and problems; the network trains for an epoch."""
    trained = prepare(source, PLAN).train(lambda _: Callback(), "reference")
    assert np.isfinite(trained.history["loss"]).all()
    return "\n".join([*notes_of(trained.preprocessing), *leak_lines(trained)])


def notes_of(preprocessing: Preprocessing) -> list[str]:
    """The notes of the reading of a table."""
    return [*reading_notes(preprocessing.table_columns), *preprocessing.notes]


def read(path: Path, content: str | bytes, **given: object) -> TableSource:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return replace(TableSource(path, "y"), **given)  # type: ignore[arg-type]


def for_second(text: str, place: int) -> str:
    """The words for the second faulty column."""
    return text if place == 0 else text.replace("bad", "bad2")


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone_trains_or_is_refused_with_the_option(name, tmp_path):
    fault = FAULTS[name]
    source = read(tmp_path / "t.csv", lines_of(table_with(name)))
    if fault.is_refused:
        with pytest.raises(InputError) as caught:
            load_table(source, PLAN)
        for words in fault.words:
            assert words in str(caught.value)
        source = replace(source, choices=fault.choices, reading=fault.reading)
        told(source)
        return
    found = told(source)
    for words in fault.words:
        assert words in found
    if fault.width is not None:
        columns = load_table(source, PLAN).whole.columns
        assert sum(column.width for column in columns if column.source == "bad") == fault.width
    if not fault.words:
        assert not found


PAIRS = list(itertools.combinations(FAULTS, 2))[::13]


@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
def test_two_faults_are_settled_or_named_in_one_message(pair, tmp_path):
    source = read(tmp_path / "t.csv", lines_of(table_with(*pair)))
    faults = [FAULTS[name] for name in pair]
    if any(fault.is_refused for fault in faults):
        with pytest.raises(InputError) as caught:
            load_table(source, PLAN)
        message = str(caught.value)
        for place, fault in enumerate(faults):
            for words in fault.words if fault.is_refused else ():
                assert for_second(words, place) in message
        assert message.startswith("2 problems:") is all(fault.is_refused for fault in faults)
        return
    found = "\n".join(notes_of(load_table(source, PLAN).whole)) if "a leak" not in pair else told(source)
    for place, fault in enumerate(faults):
        for words in fault.words:
            assert for_second(words, place) in found


GOOD = table_with()
COMMAS = {**GOOD, "size": [str(size).replace(".", ",") for size in SIZE.tolist()]}
UMLAUTS = {**GOOD, "kind": [kind.replace("red", "röt") for kind in KIND]}
FILES: dict[str, str | bytes] = {  # ways to write the file that are read as they are
    "sep=;": "sep=;\n" + lines_of(COMMAS, ";"),
    "sep=| and carriage returns": ("sep=|\n" + lines_of(GOOD, "|")).replace("\n", "\r"),
    "semicolons and decimal commas": lines_of(COMMAS, ";"),
    "tabs": lines_of(GOOD, "\t"),
    "a byte order mark": b"\xef\xbb\xbf" + lines_of(GOOD).encode(),
    "UTF-16": lines_of(GOOD).encode("utf-16"),
    "Windows' line ends": lines_of(GOOD).replace("\n", "\r\n"),
    "old Macs' line ends": lines_of(GOOD).replace("\n", "\r"),
    "empty lines at the end": lines_of(GOOD) + "\n\n\n",
    "quotes around all": lines_of(GOOD, quoting=csv.QUOTE_ALL),
    "a comma at the end of each line": lines_of(GOOD).replace("\n", ",\n"),
    "empty columns beside the table": lines_of(GOOD, ";")
    .replace("\n", ";;;\n")
    .replace("kind", "kind;")
    .replace("red", "red;")
    .replace("blue", "blue;")
    .replace("green", "green;"),
    "blanks after commas": lines_of(GOOD).replace(",", ", "),
}
REFUSED: dict[str, tuple[str | bytes, tuple[str, ...], TextOptions | None]] = {  # and what settles it
    "another encoding": (lines_of(UMLAUTS).encode("cp1252"), ("--encoding cp1252",), TextOptions(encoding="cp1252")),
    "another delimiter": (lines_of(GOOD, "|"), ("--delimiter '|'",), TextOptions(delimiter="|")),
    "UTF-16 without a mark": (
        lines_of(GOOD).encode("utf-16-le"),
        ("--encoding utf-16-le",),
        TextOptions(encoding="utf-16-le"),
    ),
    "UTF-16 of big endian without a mark": (
        lines_of(GOOD).encode("utf-16-be"),
        ("looks like UTF-16",),
        TextOptions(encoding="utf-16-be"),
    ),
    **{
        f"{kind} to predict": (lines_of({**GOOD, "y": [write(row) for row in range(N)]}), (words,), None)
        for kind, write, words in (
            ("prices in thousands", lambda row: f"{row % 40}.5k", "begin like numbers, such as '0.5k' and '1.5k'"),
            ("prices in millions", lambda row: f"${row % 40}.5M", "use `--task classification`"),
            (
                "dates with short years",
                lambda row: f"{1 + row % 28:02}.01.24",
                "holds dates or times, such as '01.01.24'",
            ),
            ("minutes and seconds", lambda row: f"{row % 60}:{row % 50:02}:77", "begin like numbers"),
            ("limits", lambda row: f"< {row % 50}", "Write them as plain numbers"),
        )
    },
    **{
        f"{kind} as a column": (lines_of({**GOOD, "bad": [write(row) for row in range(N)]}), (words, "--use bad"), None)
        for kind, write, words in (
            ("prices in millions", lambda row: f"{row % 30}.5M", "a suffix, such as '0.5M', '1.5M'"),
            ("money in millions", lambda row: f"${row % 9}.5M", "a suffix, such as '$0.5M', '$1.5M'"),
            ("different money", lambda row: f"${row}.25M", "a suffix, such as '$0.25M', '$1.25M'"),
            ("different suffixes", lambda row: f"{row % 7}.5{'kMB'[row % 3]}", "'0.5k', '1.5M'"),
            ("some suffixes", lambda row: f"{row % 7}.5" + "k" * (row % 2), "Write them in full"),
            ("suffixes and marks", lambda row: "NA" if row % 5 == 0 else f"{row % 40}k", "as categories"),
            ("names of currencies", lambda row: f"USD {row % 7}.2bn", "'USD 0.2bn', 'USD 1.2bn'"),
            ("negative money", lambda row: f"(€{row % 8}.2k)", "'(€0.2k)', '(€1.2k)'"),
        )
    },
    "a label that ends with the character 0": (
        lines_of({**GOOD, "y": [f"{label}\0" if row < 5 else label for row, label in enumerate(LABEL)]}),
        ("The target 'y' has the text", "NumPy drops the character", "row 0"),
        None,
    ),
    "names again": (
        lines_of(GOOD).replace("\n", "\nsize,kind,y\n", 3)[len("size,kind,y\n") :],
        ("repeats its column names in lines 3, 5",),
        None,
    ),
    "quotes inside values": (
        "sep=;\n" + lines_of({**GOOD, "kind": ["red", '5" pipe', "blue"] * 40}, ";").replace('"5"" pipe"', '5" pipe'),
        ("line 4 has one inside a value", "Double it there"),
        None,
    ),
    "a title": ("Sales of 2024\n" + lines_of(GOOD), ("3 values in line 2", "If line 1 is a title"), None),
    "no names": (lines_of(GOOD).split("\n", 1)[1], ("Unknown target column 'y'", "Add a line with names"), None),
    "numbers of two readings with gaps": (
        lines_of({**GOOD, "y": ["", "1,234", "5"] * 40}),
        ("2 problems", "no value in row 1", "--decimal"),
        None,
    ),
    "prices with gaps": (
        lines_of({**GOOD, "y": ["" if row == 3 else f"{row % 40}.5k" for row in range(N)]}),
        ("2 problems", "no value in row 4", "begin like numbers"),
        None,
    ),
    "dates with gaps to predict": (
        lines_of({**GOOD, "y": ["", *OLD[1:]]}),
        ("2 problems", "no value in row 1", "holds dates"),
        None,
    ),
    "a short line": (lines_of(GOOD) + "1,red\n", ("2 values in line 122", "3 column names"), None),
    "a short line after sep=": ("sep=,\n" + lines_of(GOOD) + "1,red\n", ("2 values in line 123",), None),
    "a long line": (lines_of(GOOD) + "1,red,yes,7\n", ("4 values in line 122",), None),
    "an open quote": (lines_of(GOOD) + '1,"red,yes\n', ("line 122", "quotes"), None),
    "a name twice": (lines_of(GOOD).replace("kind", "size", 1), ("two columns named 'size'",), None),
    "no name": (lines_of(GOOD).replace("kind", "", 1), ("Column 2", "has no name"), None),
    "no rows": ("size,kind,y\n", ("no rows",), None),
    "nothing": ("", ("is empty",), None),
    "a gap in the target": (lines_of(GOOD) + "1,red,\n", ("no value in row 121", "'y'", "target of every row"), None),
    "one class": (lines_of({**GOOD, "y": ["yes"] * N}), ("only one class, 'yes'",), None),
    "dates to predict": (lines_of({**GOOD, "y": OLD}), ("The target 'y' holds dates",), None),
    "names to predict": (lines_of({**GOOD, "y": [f"p{i}" for i in range(N)]}), ("120 different values",), None),
}


@pytest.mark.parametrize("name", FILES)
def test_every_way_to_write_a_file_gives_the_same_table(name, tmp_path):
    source = read(tmp_path / "t.csv", FILES[name])
    expected = load_table(read(tmp_path / "good.csv", lines_of(GOOD)), PLAN)
    found = load_table(source, PLAN)
    assert found.whole == expected.whole
    assert (found.whole.transform(found.frame) == expected.whole.transform(expected.frame)).all()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_header_line_may_be_longer_than_a_field_of_the_csv_module(separator, tmp_path):
    names = [f"column number {place}" for place in range(9_000)]
    lines = [names, *([str((row + place) % 7) for place in range(9_000)] for row in range(2))]
    (tmp_path / "wide.csv").write_text("\n".join(map(separator.join, lines)))
    assert read_table(tmp_path / "wide.csv").columns == names
    assert len(plain_csv.read_columns(str(tmp_path / "wide.csv"), tuple(names))) == 9_000


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_read_says_why_and_what_settles_it(name, tmp_path):
    content, parts, settled = REFUSED[name]
    source = read(tmp_path / "t.csv", content)
    with pytest.raises(WorkingsError) as caught:
        load_table(source, PLAN)
    for words in parts:
        assert words in str(caught.value)
    if settled is not None:
        load_table(replace(source, reading=settled), PLAN)


@pytest.mark.parametrize("name", ["gaps in numbers", "dates with points", "money", "a typing error", "many words"])
@pytest.mark.parametrize("file", ["sep=;", "UTF-16", "tabs"])
def test_a_fault_in_a_file_of_another_kind_is_handled_alike(name, file, tmp_path):
    delimiter = {"sep=;": ";", "UTF-16": ",", "tabs": "\t"}[file]
    text = lines_of(table_with(name), delimiter)
    content = text.encode("utf-16") if file == "UTF-16" else f"sep={delimiter}\n{text}" if file == "sep=;" else text
    source = read(tmp_path / "t.csv", content, reading=TextOptions(decimal="." if file == "sep=;" else None))
    if FAULTS[name].is_refused:
        with pytest.raises(InputError, match="row 6 .line " + ("8" if file == "sep=;" else "7")):
            load_table(source, PLAN)
        return
    found = told(source)
    for words in FAULTS[name].words:
        assert words in found


@pytest.mark.parametrize(
    ("labels", "classes"),
    [(["Yes", "yes", "no"], ("Yes", "no", "yes")), (["No", "yes", "No"], ("No", "yes")), (["N/A", "b"], ("N/A", "b"))],
)
def test_classes_are_recognized_and_doubtful_ones_are_said(labels, classes, tmp_path):
    table = read_table(read(tmp_path / "t.csv", lines_of({**GOOD, "y": (labels * N)[:N]})).file)
    learned = Preprocessing.learn(table, "y")
    assert learned.classes == classes
    said = "y: 'Yes' and 'yes' are different classes; write them alike if they mean the same"
    assert (said in learned.notes) is ("Yes" in classes)
    assert any("'N/A' is read as a class; if it stands" in note for note in learned.notes) is ("N/A" in classes)


def test_rows_that_the_commands_encode_never_look_raw(tmp_path):
    prices = [f"{1 + row % 9} {row % 10}00,5 %" for row in range(N)]  # whose scaled values have few digits, too
    size = [str(size).replace(".", ",") for size in SIZE.round(0).tolist()]
    table = {"size": size, "kind": KIND, "p": prices, "y": LABEL}
    source = read(tmp_path / "t.csv", lines_of(table, ";"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary, problem = table_models.train(source, PLAN, tmp_path / "out", lambda _: Callback())
        assert problem is None, summary


def test_there_are_more_than_forty_badly_made_tables():
    assert len(FAULTS) + len(FILES) + len(REFUSED) >= 40
    assert len(PAIRS) >= 40


def test_all_faults_at_once_are_one_message(tmp_path):
    refused = [name for name in FAULTS if FAULTS[name].is_refused]
    with pytest.raises(InputError) as caught:
        load_table(read(tmp_path / "t.csv", lines_of(table_with(*refused))), PLAN)
    message = str(caught.value)
    assert message.startswith(f"{len(refused)} problems:")
    assert all(f"'bad{place}'" in message for place in range(2, len(refused) + 1))


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (lambda row: f"{row % 9}.5 g", "number"),
        (lambda row: f"{row % 9}.5m", "number"),
        (lambda row: f"{2 ** (row % 3)}K", "category"),
        (lambda row: f"{row % 15}B", "category"),
        (lambda row: f"{row % 30}-{row % 30 + 10}", "category"),
    ],
)
def test_units_and_few_codes_are_no_suffixes_of_thousands(write: Callable[[int], str], kind: str) -> None:
    table = polars.DataFrame({"x": [write(row) for row in range(N)], "y": LABEL})
    assert Preprocessing.learn(table, "y").columns[0].kind == kind


def test_numbers_with_a_suffix_are_categories_on_request() -> None:
    table = polars.DataFrame({"x": [f"${row % 5}.5M" for row in range(N)], "y": LABEL})
    (column,) = Preprocessing.learn(table, "y", use=["x"]).columns
    assert column.names == tuple(f"x=${million}.5M" for million in range(5))


@pytest.mark.parametrize(("start", "words"), [
    (gzip.compress(b"a,y\n1,p\n", mtime=0), r"gzip.*\.csv\.gz"), (b"PK\x03\x04" + bytes(30), "zip archive or an Excel"),
    (b"PAR1" + bytes(8) + b"PAR1", r"Parquet file.*\.parquet"), (b"BZh91AY", "bzip2"), (b"(\xb5/\xfd\x04", "zstd"),
    (b"%PDF-1.7\n", "PDF"), (b"\xd0\xcf\x11\xe0" + bytes(8), r"\.xls"),
], ids=["gzip", "zip", "parquet", "bzip2", "zstd", "pdf", "xls"])  # fmt: skip
def test_a_file_of_another_kind_says_which_and_how_to_name_it(tmp_path, start, words):
    (tmp_path / "t.csv").write_bytes(start)
    with pytest.raises(FileError, match=f"is no text but .*{words}"):
        read_table(tmp_path / "t.csv")
