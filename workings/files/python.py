"""Export a network as a Python script that predicts with NumPy alone.

It is the script of ``readings/script/`` without training: ``outputs(X)`` contains the program's statements,
and ``predict`` takes X, or the columns of a table if the network was trained on one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from workings.errors import FileError
from workings.files.verification import (
    Agreement,
    Exported,
    GeneratedRows,
    category_texts,
    compare,
    generated_rows,
    write_verified,
)
from workings.model.model import Model
from workings.readings.script import save_arrays, save_script
from workings.support.arrays import Array
from workings.tables.columns import columns_in
from workings.tables.values import GAP

DRIVER = """
import runpy, sys
import numpy as np

script = runpy.run_path(sys.argv[1])
with np.load("rows.npz") as file:
    X, given = file["X"], {name: file[name] for name in file if name != "X"}
table = {str(name): given[f"column{i}"] for i, name in enumerate(given.pop("names"))}
for i, name in enumerate(table):
    gaps = given.get(f"gaps{i}")
    table[name] = table[name] if gaps is None else np.where(gaps, None, table[name].astype(object))
X = script["features"](table) if table else X
np.savez("found.npz", p=script["outputs"](X), label=script["predict"](table or X))
"""


def export(network: Model, path: Path) -> Exported:
    """Write the prediction script, run it in a separate Python process, and compare.

    Large weights are written to ``NAME-weights.npz`` in the same folder; the script loads it from the current
    folder.

    Raises
    ------
    ProgramError
        For a function without available source.
    FileError
        If the script's predictions differ.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = save_script(network, Path(folder) / path.name)
        contents = {each.name: each.read_bytes() for each in written}
    rows = generated_rows(network)
    return write_verified(path, contents, lambda folder: run(network, folder, path.name, rows))


def run(network: Model, folder: Path, name: str, rows: GeneratedRows) -> Agreement:
    """Run a script and compare its predictions."""
    save_arrays(folder / "rows.npz", {"X": rows.X, **table_of(network, rows)})
    command = [sys.executable, "-c", DRIVER, name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FileError(f"{name} does not run; this is a bug in Workings: {done.stderr[-500:]}")
    with np.load(folder / "found.npz") as found:
        p, predicted = found["p"], found["label"]
    is_label = network.targets.is_classification
    return compare(f"Python with NumPy {np.__version__}", network, rows, p, predicted if is_label else None)


def table_of(network: Model, rows: GeneratedRows) -> dict[str, Array]:
    """Return the columns of generated rows by index, and their names."""
    columns = columns_in(network.preprocessing)
    if columns is None:
        return {"names": np.array([], dtype=str)}
    words = category_texts(columns, rows.codes)
    arrays = {column.name: rows.numbers[:, i] for i, column in enumerate(columns.numbers) if column.date is None}
    arrays |= {name: np.array(texts) for name, texts in rows.dates.items()}
    arrays |= {column.name: words[:, i].astype(str) for i, column in enumerate(columns.words)}
    found: dict[str, Array] = {f"column{i}": array for i, array in enumerate(arrays.values())}
    before = len(arrays) - len(columns.words)
    gaps = {f"gaps{before + i}": rows.codes[:, i] == GAP for i in range(len(columns.words))}
    return {"names": np.array(list(arrays)), **found, **gaps}
