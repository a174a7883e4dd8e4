"""Train on a Parquet file that does not fit into memory, and predict its rows, block by block."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from workings.cli.table_models import load_model, load_preprocessing
from workings.cli.table_plan import Plan, TableSource
from workings.cli.table_training import make_network, plain_recipe, predicted_frame
from workings.errors import FileError, InputError, count_of
from workings.network import Network
from workings.support.atomic_files import replaced_file, writable_folder
from workings.support.row_stream import RowStream, read_ahead
from workings.tables.preprocessing import Preprocessing
from workings.tables.stream import TableStream, stream
from workings.tables.wording import reading_notes
from workings.training.callbacks import Callback
from workings.training.fit import train as train_network
from workings.training.history import History

if TYPE_CHECKING:
    import polars as pl

STREAMED_FROM = 2**29  # bytes of a Parquet file from which it is streamed


def is_streamed(file: Path, requested: bool | None) -> bool:
    """Return whether a table is streamed: as requested, or because it is a folder or a large Parquet file.

    >>> is_streamed(Path("none.csv"), None), is_streamed(Path("none.csv"), True)
    (False, True)
    """
    if requested is not None:
        return requested
    is_parquet = file.suffix.lower() == ".parquet" and file.is_file()
    return file.is_dir() or (is_parquet and file.stat().st_size >= STREAMED_FROM)


def train(
    source: TableSource, plan: Plan, folder: Path, progress: Callable[[int], Callback], script: Path | None = None
) -> tuple[str, None]:
    """Train on a table on disk and write the model; return a summary for the terminal, as ``table_models.train``."""
    refuse_in_stream(source, plan, script)
    choices, model = source.choices, writable_folder(folder) / "model.safetensors"
    data = stream(
        source.file,
        source.target,
        task=source.task,
        missing=choices.missing,
        drop=choices.drop,
        use=choices.use,
        max_categories=choices.max_categories,
    )
    known, network = data.preprocessing, make_network(plan, data.preprocessing)
    network.preprocessing = known.to_dict()
    recipe = plain_recipe(plan, balanced=plan.balanced and bool(known.classes))
    callbacks = (progress(recipe.epochs), *recipe.callbacks)
    assert data.y is not None  # the target was learned
    recipe = replace(recipe, validation=plan.validation, running_loss=True, callbacks=callbacks)
    history = train_network(network, data.X, data.y, recipe, engine=plan.engine)
    network.save(model)
    lines = [
        f"{source.file} is streamed: {len(data):,} rows in {count_of(len(data.X.starts), 'block')}",
        "The network is the plain one (`--plain`): the recipe for tables needs all rows in memory.",
        known.reason,
        known.describe(),
        *reading_notes(known.table_columns),
        *known.notes,
        "",
        network.summary(),
        "",
        *result_lines(history, plan),
        "",
        f"model   {model}",
        "report  none: it needs all rows in memory",
        f"next    {shlex.join(['workings', 'predict', str(model), str(source.file), '--out', 'predictions.csv'])}",
    ]
    return "\n".join(lines), None


def refuse_in_stream(source: TableSource, plan: Plan, script: Path | None) -> None:
    """Raise for options that need all rows in memory."""
    given = {
        "--script": script,
        "--test": plan.test,
        "--group": plan.group,
        "--time-order": plan.time_order,
        "--folds": plan.folds,
        "--dates": source.choices.dates,
        "--time": plan.time,
        "--ensemble": (plan.ensemble or 1) > 1,
        "--embed": plan.embed,
        "--transform": plan.transform != "auto",
    }
    refused = [option for option, value in given.items() if value]
    if refused:
        raise InputError(f"A streamed table cannot have {' and '.join(refused)}: leave it out, or use --no-stream.")


def refuse_in_prediction(keep: Sequence[str], intervals: float | None, why: object) -> None:
    """Raise for options of a prediction that need all rows in memory."""
    given = {"--keep": keep or None, "--intervals": intervals, "--why": why}
    refused = [option for option, value in given.items() if value is not None]
    if refused:
        raise InputError(f"A streamed table cannot have {' and '.join(refused)}: leave it out, or use --no-stream.")


def result_lines(history: History, plan: Plan) -> list[str]:
    """Return why the training ended, and the best losses and scores."""
    lines = [f"training ended: {history.stopped}"]
    if plan.validation is None:
        return [*lines, f"training    loss {history['loss'][-1]:.6g} (mean of the last epoch's batches)"]
    best = min(range(history.epochs), key=lambda epoch: history["val_loss"][epoch])
    scores = {name.removeprefix("val_"): column[best] for name, column in history.items() if name.startswith("val_")}
    texts = [f"{'R²' if name == 'r2' else name} {value:.4f}" for name, value in scores.items()]
    return [
        *lines,
        f"validation  {'   '.join(texts)}   (epoch {best}; {plan.validation:.0%} of the rows of each block)",
    ]


def predict(model: Path, file: Path, out: Path | None, unknown: str = "error") -> list[str]:
    """Predict the rows of a table on disk, and write the predictions block by block; return lines for the terminal."""
    if out is None:
        raise InputError("The predictions of a streamed table need a file: name one with --out.")
    network = load_model(model)
    if network.preprocessing is None:
        raise InputError(f"{model} was not trained on a table and has no column names.")
    known = load_preprocessing(network)
    data = stream(file, preprocessing=known, unknown=unknown)
    write_frames(out, predicted_frames(network, known, data.X))
    return [f"{len(data):,} predictions written to {out}", *score_lines(network, known, data)]


def predicted_frames(network: Network, known: Preprocessing, X: RowStream) -> Iterator[pl.DataFrame]:
    """Yield the predictions of each part of the rows as a table."""
    for rows in read_ahead(map(X.__getitem__, X.parts())):
        yield predicted_frame(network, known, rows)


def score_lines(network: Network, known: Preprocessing, data: TableStream) -> list[str]:
    """Return the score as text, if the table has a target column with values that can be scored."""
    if data.y is None or not (network.n_out == 1 or network.targets.has_labels):
        return []
    try:
        score = network.score(data.X, data.y)
    except InputError as error:
        return [f"no score on the target column {known.target.name!r}: {error}"]
    metric = "accuracy" if known.classes else "R²"
    return [f"score on the target column {known.target.name!r}: {metric} {score:.4f} ({count_of(len(data), 'row')})"]


def write_frames(path: Path, frames: Iterator[pl.DataFrame]) -> None:
    """Write tables one after the other as one CSV or Parquet file; the write is atomic."""
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise FileError(f"'{path}' ends in {path.suffix!r}, but predictions are a file in .csv or .parquet.")
    writable_folder(path.parent)
    with replaced_file(path) as file:
        (write_csv if path.suffix.lower() == ".csv" else write_parquet)(file, frames)


def write_csv(file: IO[bytes], frames: Iterator[pl.DataFrame]) -> None:
    """Write tables as CSV, with one line of names."""
    for number, frame in enumerate(frames):
        frame.write_csv(file, include_header=number == 0)


def write_parquet(file: IO[bytes], frames: Iterator[pl.DataFrame]) -> None:
    """Write tables as Parquet, each as a row group."""
    from pyarrow import parquet

    writer: Any = None
    try:
        for frame in frames:
            table = frame.to_arrow()
            writer = writer or parquet.ParquetWriter(file, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
