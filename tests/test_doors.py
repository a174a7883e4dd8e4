"""Tables from every source: each kind of value gives the same prediction, or an error of our own, from all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workings import SGD, CrossEntropy, Dense, InputError, Network
from workings.tables import Preprocessing, read_table, write_table

pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")

TRAINING = {"a": [1.0, 2.0, 4.0, 3.0], "c": ["007", "7", "A", "7"], "y": ["p", "q", "p", "q"]}


def network() -> Network:
    """A network that was trained on a table."""
    frame = polars.DataFrame(TRAINING)
    encoder = Preprocessing.learn(frame, "y")
    made = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    made.fit(encoder.transform(frame), encoder.targets(frame), optimizer=SGD(0.5), epochs=3)
    made.preprocessing = encoder.to_dict()
    return made


def from_file(table: dict[str, list[Any]], folder: Path, end: str) -> Any:
    """The table, written to a file and read for the network."""
    path = folder / f"t.{end}"
    write_table(polars.DataFrame(table), path)
    return read_table(path, columns=Preprocessing.learn(polars.DataFrame(TRAINING), "y").table_columns)


SOURCES: dict[str, Callable[[dict[str, list[Any]], Path], Any]] = {
    "dict": lambda table, folder: table,
    "pandas": lambda table, folder: pandas.DataFrame(table),
    "polars": lambda table, folder: polars.DataFrame(table),
    "CSV": lambda table, folder: from_file(table, folder, "csv"),
    "Parquet": lambda table, folder: from_file(table, folder, "parquet"),
}
CELLS: dict[str, tuple[dict[str, list[Any]], bool]] = {  # the table, and whether it is predicted
    "plain": ({"a": [1.0, 2.5], "c": ["007", "A"]}, True),
    "one row": ({"a": [1.0], "c": ["A"]}, True),
    "words like numbers": ({"a": [1.0, 2.0], "c": ["007", "7"]}, True),
    "gap in numbers": ({"a": [1.0, None], "c": ["A", "7"]}, False),
    "gap in words": ({"a": [1.0, 2.0], "c": ["A", None]}, False),
    "infinity": ({"a": [1.0, math.inf], "c": ["A", "7"]}, False),
    "unknown category": ({"a": [1.0, 2.0], "c": ["A", "B"]}, False),
    "booleans": ({"a": [True, False], "c": ["A", "7"]}, True),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("cell", CELLS)
def test_each_source_predicts_the_same_or_refuses(cell: str, source: str, tmp_path: Path) -> None:
    table, is_predicted = CELLS[cell]
    made = network()
    if not is_predicted:
        with pytest.raises(InputError, match="row 2"):
            made.predict(SOURCES[source](table, tmp_path))
        return
    encoder = Preprocessing.from_dict(made.preprocessing)
    expected = made.outputs(encoder.transform(table))
    assert np.allclose(made.outputs(SOURCES[source](table, tmp_path)), expected, rtol=0, atol=1e-12)
