"""Tables on disk: columns learned in one pass, encoded and trained in blocks as in memory."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workings import Adam, Dense, FileError, InputError, Network
from workings.tables import Preprocessing, stream
from workings.tables.column_statistics import Moments

polars = pytest.importorskip("polars", reason="polars is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")

N = 400
rng = np.random.default_rng(0)
TABLE = polars.DataFrame(
    {
        "weight": rng.normal(1e6, 3, N),
        "count": rng.integers(0, 50, N),
        "colour": rng.choice(["red", "green", "blue"], N),
        "ripe": rng.choice([True, False], N),
        "day": [datetime.date(2020, 1, 1) + datetime.timedelta(days=int(day)) for day in rng.integers(0, 900, N)],
        "label": np.where(rng.random(N) < 0.5, "yes", "no"),
    }
).with_columns(price=polars.col("weight") + polars.col("count"))
HOLES = TABLE.with_columns(
    count=polars.when(polars.col("count") < 5).then(None).otherwise(polars.col("count")),
    colour=polars.when(polars.col("colour") == "red").then(None).otherwise(polars.col("colour")),
)


def written(folder: Path, table: Any, rows: int = 70) -> Path:
    """Write a table as two Parquet files with row groups of some rows."""
    half = table.height // 3
    table[:half].write_parquet(folder / "part-1.parquet", row_group_size=rows)
    table[half:].write_parquet(folder / "part-2.parquet", row_group_size=rows)
    return folder


def trained(X: Any, y: Any, outputs: int) -> Network:
    """Train a network for some epochs."""
    loss = "SquaredError" if outputs == 1 else "CrossEntropy"
    net = Network([Dense(4, "tanh"), Dense(outputs)], loss=loss, seed=0)
    net.fit(X, y, optimizer=Adam(0.01), epochs=2, engine="reference")
    return net


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.floats(-1e6, 1e6)), min_size=1))
def test_merged_moments_are_those_of_all_numbers(parts: list[list[float]]) -> None:
    merged = Moments()
    for part in parts:
        merged = merged.merged(Moments.of(np.array(part)))
    x = np.concatenate([np.array(part, dtype=np.float64) for part in parts])
    assert merged.count == len(x)
    if len(x):
        assert merged.mean == pytest.approx(x.mean(), rel=1e-12, abs=1e-6)
        assert merged.std == pytest.approx(x.std(), rel=1e-9, abs=1e-6)
        assert (merged.low, merged.high) == (x.min(), x.max())


@pytest.mark.parametrize("target", ["price", "label"])
def test_one_pass_learns_what_learn_does_in_memory(target: str, tmp_path: Path) -> None:
    data, expected = stream(written(tmp_path, TABLE), target), Preprocessing.learn(TABLE, target)
    assert data.preprocessing.feature_names == expected.feature_names
    assert data.preprocessing.reason == expected.reason
    assert data.preprocessing.classes == expected.classes
    for ours, theirs in zip(data.preprocessing.table_columns.numbers, expected.table_columns.numbers, strict=True):
        assert ours.mean == pytest.approx(theirs.mean, rel=1e-14)
        assert ours.std == pytest.approx(theirs.std, rel=1e-11)
    assert Preprocessing.from_dict(data.preprocessing.to_dict()).feature_names == expected.feature_names


@pytest.mark.parametrize(("target", "outputs"), [("price", 1), ("label", 2)])
def test_the_table_trains_as_its_encoded_rows_in_memory(target: str, outputs: int, tmp_path: Path) -> None:
    data = stream(written(tmp_path, HOLES), target)
    X, y = data.preprocessing.transform(HOLES), data.preprocessing.targets(HOLES)
    assert data.y is not None
    assert len(data) == N
    net = trained(data.X, data.y, outputs)
    np.testing.assert_array_equal(net.theta, trained(X, y, outputs).theta)
    assert net.score(data.X, data.y) == net.score(X, y)
    again = stream(tmp_path, preprocessing=data.preprocessing.to_dict(), dtype="float32")
    assert again.X.dtype == np.float32
    np.testing.assert_allclose(net.outputs(again.X), net.outputs(X), rtol=1e-4, atol=1e-5)


def test_gaps_are_filled_and_noted(tmp_path: Path) -> None:
    path = written(tmp_path, HOLES)
    known = stream(path, "price").preprocessing
    count = next(column for column in known.table_columns.numbers if column.name == "count")
    values = HOLES["count"].drop_nulls().to_numpy()
    assert count.fill == pytest.approx(values.mean())
    assert count.std == pytest.approx(HOLES["count"].fill_null(values.mean()).to_numpy().std())
    assert count.indicator
    assert "colour=(missing)" in known.feature_names
    assert any(note.startswith("count: ") and "filled with the mean" in note for note in known.notes)
    with pytest.raises(InputError, match="Missing in all"):
        stream(path, "price", missing="refuse")


def test_columns_that_say_nothing_are_left_out_with_a_note(tmp_path: Path) -> None:
    table = TABLE.with_columns(
        id=polars.int_range(N), constant=polars.lit(1.0), name=polars.Series([f"n{row}" for row in range(N)])
    )
    known = stream(written(tmp_path, table), "price").preprocessing
    assert {note.split(":")[0] for note in known.notes} == {"id", "constant", "name"}
    assert "id" in stream(tmp_path, "price", use=["id"]).preprocessing.feature_names
    assert stream(tmp_path, "price", drop=["day", "name"], max_categories=2).preprocessing.feature_names == (
        "weight", "count", *(f"colour={word}" for word in kept(TABLE["colour"], 2)), "ripe",
        *(name for name in ("label=no", "label=yes")),
    )  # fmt: skip


def kept(column: Any, most: int) -> list[str]:
    """Return the most frequent texts of a column, sorted."""
    counts = column.value_counts(sort=True)
    return sorted(counts[column.name].to_list()[:most])


def test_arrow_datasets_of_other_formats(tmp_path: Path) -> None:
    datasets = pytest.importorskip("pyarrow.dataset")
    TABLE.write_ipc(tmp_path / "a.arrow")
    data = stream(datasets.dataset(tmp_path, format="ipc"), "price")
    assert data.preprocessing.feature_names == Preprocessing.learn(TABLE, "price").feature_names


@pytest.mark.parametrize(
    ("column", "other", "common"),
    [
        ("size", polars.Float64, "float"),
        ("size", polars.Int16, "whole"),
        ("size", polars.Null, "missing"),
        ("colour", polars.Categorical, "text"),
    ],
)
def test_types_that_differ_between_files_become_one(column: str, other: Any, common: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    table = polars.DataFrame(
        {"size": [3, 1, 4, 1, 5, 9], "colour": ["red", "blue", "red", "red", "blue", "blue"], "y": [1.5, 2, 3, 4, 5, 6]}
    )
    halves = table[:3], table[3:].with_columns(polars.col(column).cast(other, strict=False))
    for number, half in enumerate(halves):
        half.write_parquet(tmp_path / f"{number}.parquet")
    data = stream(tmp_path, "y")
    whole = Preprocessing.learn(table, "y")
    assert data.preprocessing.feature_names[:1] == whole.feature_names[:1]
    if common != "missing":
        np.testing.assert_allclose(data.X[:], whole.transform(table))


def test_types_with_nothing_in_common_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for number, values in enumerate(([1, 2], ["a", "b"])):
        polars.DataFrame({"size": values, "y": [1.5, 2.5]}).write_parquet(tmp_path / f"{number}.parquet")
    with pytest.raises(FileError, match=r"different types of column 'size': large_string in .*, int64 in others"):
        stream(tmp_path, "y")


def test_columns_in_the_names_of_folders_are_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("pyarrow.dataset")
    folder = tmp_path / "run=3" / "table"  # the names of folders above the table are no columns
    for place, part in TABLE.partition_by("colour", as_dict=True).items():
        (folder / f"colour={place[0]}").mkdir(parents=True)
        part.drop("colour").write_parquet(folder / f"colour={place[0]}" / "rows.parquet")
    for source in (folder, datasets.dataset(folder, partitioning="hive")):
        names = stream(source, "price").preprocessing.feature_names
        assert sorted(names) == sorted(Preprocessing.learn(TABLE, "price").feature_names)


def test_files_of_unfinished_writes_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, TABLE)
    (tmp_path / "_temporary").mkdir()
    for name in ("_temporary/part.parquet", ".part.parquet", "_SUCCESS"):
        (tmp_path / name).write_bytes(b"")
    assert len(stream(path, "price")) == len(TABLE)


@pytest.mark.parametrize("change", ["removed", "cut", "other rows", "other columns"])
def test_a_file_that_changes_while_it_is_read_is_an_error_of_the_file(change: str, tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    TABLE.write_parquet(path, row_group_size=50)
    data = stream(path, "price")
    if change == "removed":
        path.unlink()
    elif change == "cut":
        path.write_bytes(path.read_bytes()[:300])
    elif change == "other rows":
        TABLE[:20].reverse().write_parquet(path)
    else:
        TABLE.select("price").write_parquet(path)
    with pytest.raises(
        FileError, match=r"^'[^']+table\.parquet' cannot be read: .*do not change it while it is in use"
    ):
        data.X[:]


def test_filtered_datasets_are_refused_with_a_way_out(tmp_path: Path) -> None:
    datasets = pytest.importorskip("pyarrow.dataset")
    table = datasets.dataset(written(tmp_path, TABLE), format="parquet")
    with pytest.raises(FileError, match=r"The dataset is filtered.*write_dataset"):
        stream(table.filter(datasets.field("weight") > 0), "price")


def test_what_cannot_be_read_is_refused_in_our_own_words(tmp_path: Path) -> None:
    path = written(tmp_path, TABLE)
    with pytest.raises(FileError, match="There is no file"):
        stream(tmp_path / "none.parquet", "price")
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FileError, match=r"is no Parquet file. Tables on disk are Parquet files: polars.scan_csv"):
        stream(tmp_path / "a.csv", "b")
    with pytest.raises(InputError, match=r"Unknown target column 'prize'\. Did you mean 'price'"):
        stream(path, "prize")
    with pytest.raises(InputError, match="target is missing"):
        stream(path)
    with pytest.raises(InputError, match=r"not ndarray\. For arrays on disk, see RowStream"):
        stream(np.zeros((3, 2)), "a")
    TABLE.drop("day").write_parquet(tmp_path / "part-3.parquet")
    with pytest.raises(FileError, match=r"^'[^']+' has files with different columns: .* Write all files .*columns\.$"):
        stream(path, "price")
    (tmp_path / "part-1.parquet").write_bytes(b"PAR1 broken PAR1")
    with pytest.raises(FileError, match="is not readable as Parquet"):
        stream(path, "price")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("price", None, r"There is no value in row 61 .*Training needs the target of every row.*counted from row 134"),
        ("weight", np.inf, "The value inf in row 61 .*, column 'weight' is not finite"),
    ],
)
def test_wrong_values_are_named_with_their_rows(column: str, value: Any, message: str, tmp_path: Path) -> None:
    table = TABLE.with_row_index("row").with_columns(
        polars.when(polars.col("row") == 193).then(value).otherwise(polars.col(column)).alias(column)
    )
    with pytest.raises(InputError, match=message):
        stream(written(tmp_path, table.drop("row")), "price")


def test_constant_targets_and_too_many_classes_are_refused(tmp_path: Path) -> None:
    table = TABLE.with_columns(same=polars.lit("a"), zero=polars.lit(0.0))
    path = written(tmp_path, table)
    with pytest.raises(InputError, match="has one class, 'a'"):
        stream(path, "same")
    with pytest.raises(InputError, match="is 0 in every row"):
        stream(path, "zero", task="regression")
    with pytest.raises(InputError, match="holds no numbers"):
        stream(path, "label", task="regression")


# -- the command line -----------------------------------------------------------------------


def run(*words: Any) -> str:
    """Run the command ``workings``; return what it prints."""
    testing = pytest.importorskip("typer.testing", reason="typer is not installed")
    from workings.cli.commands import app

    done = testing.CliRunner().invoke(app, list(map(str, words)))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return str(done.output)


@pytest.mark.parametrize(("target", "suffix"), [("price", ".csv"), ("label", ".parquet")])
def test_the_command_trains_and_predicts_in_blocks(target: str, suffix: str, tmp_path: Path) -> None:
    table = written(tmp_path / "table", HOLES) if (tmp_path / "table").mkdir() is None else None
    model = tmp_path / "run" / "model.safetensors"
    text = run("train", table, "-t", target, "--out", model.parent, "--epochs", 3, "--drop", "day")
    assert "is streamed: 400 rows in 6 blocks" in text
    assert "20% of the rows of each block" in text
    out = tmp_path / f"predictions{suffix}"
    text = run("predict", model, table, "--out", out)
    assert f"400 predictions written to {out}" in text
    assert f"score on the target column '{target}'" in text
    read = polars.read_csv if suffix == ".csv" else polars.read_parquet
    found, net = read(out), Network.load(model)
    expected = net.predict(HOLES)
    if target == "price":
        np.testing.assert_allclose(found["prediction"].to_numpy(), expected)
    else:
        assert found["prediction"].to_list() == expected.tolist()
        assert found.columns == ["prediction", "p(no)", "p(yes)"]


def test_the_command_refuses_what_needs_all_rows(tmp_path: Path) -> None:
    table = tmp_path / "table.parquet"
    TABLE.write_parquet(table)
    assert "cannot have --test and --folds" in run(
        "train", table, "-t", "price", "--stream", "--test", 0.2, "--folds", 3
    )
    assert "cannot have --script" in run("train", table, "-t", "price", "--stream", "--script", tmp_path / "a.py")
    csv = tmp_path / "table.csv"
    csv.write_text("a,y\n1,2\n")
    assert "is no Parquet file" in run("train", csv, "-t", "y", "--stream")
    assert "need a file: name one with --out" in run("predict", tmp_path / "none", table, "--stream")
