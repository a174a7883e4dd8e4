"""Python: a network as one script that predicts with NumPy alone.

It is the script of ``readings/script/`` without training: the program's own statements under ``outputs(X)``, and
``predict``, which takes a table's own columns where the network was trained on a table.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from workings.errors import FileError
from workings.files.verification import Agreement, Exported, Rows, compare, deliver, generated_rows, words_of
from workings.model.model import Model
from workings.readings.script import save_arrays, save_script
from workings.support.arrays import Array
from workings.tables.columns import columns_in

DRIVER = """
import runpy, sys
import numpy as np

script = runpy.run_path(sys.argv[1])
with np.load("rows.npz") as file:
    X, given = file["X"], {name: file[name] for name in file if name != "X"}
table = {str(name): given[f"column{i}"] for i, name in enumerate(given.pop("names"))}
X = script["features"](table) if table else X
np.savez("found.npz", p=script["outputs"](X), label=script["predict"](table or X))
"""


def export(network: Model, path: Path) -> Exported:
    """Write the predicting script, run it in a Python of its own, and compare.

    Weights that are too many to stand in it go to ``NAME-weights.npz`` beside it, which is looked for in the folder
    in which the script is run.

    Raises
    ------
    ProgramError
        For a function whose source cannot be had.
    FileError
        If the script predicts something else.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = save_script(network, Path(folder) / path.name)
        contents = {each.name: each.read_bytes() for each in written}
    rows = generated_rows(network)
    return deliver(path, contents, lambda folder: run(network, folder, path.name, rows))


def run(network: Model, folder: Path, name: str, rows: Rows) -> Agreement:
    """Run a script and compare what it gives."""
    save_arrays(folder / "rows.npz", {"X": rows.X, **table_of(network, rows)})
    command = [sys.executable, "-c", DRIVER, name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FileError(f"{name} does not run, which is a fault of Workings: {done.stderr[-500:]}")
    with np.load(folder / "found.npz") as found:
        p, predicted = found["p"], found["label"]
    is_label = network.targets.kind in ("classes", "labels")
    return compare(f"Python with NumPy {np.__version__}", network, rows, p, predicted if is_label else None)


def table_of(network: Model, rows: Rows) -> dict[str, Array]:
    """The columns of a table, by their place, and their names."""
    columns = columns_in(network.preprocessing)
    if columns is None:
        return {"names": np.array([], dtype=str)}
    words = words_of(columns, rows.codes)
    arrays = {column.name: rows.numbers[:, i] for i, column in enumerate(columns.numbers)}
    arrays |= {column.name: words[:, i].astype(str) for i, column in enumerate(columns.words)}
    found: dict[str, Array] = {f"column{i}": array for i, array in enumerate(arrays.values())}
    return {"names": np.array(list(arrays)), **found}
