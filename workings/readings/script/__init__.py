"""Generate a Python script that trains a network with NumPy alone.

The generator contains no formulas.  The statements of the script come from the program; initializers and
schedules are inlined from their source with their settings; functions that are not straight-line code are
copied.  So the script ends with the same bits as the reference engine, on the same machine with the same
NumPy version.  Each file of this folder writes one section: the data (``data_section.py``), the initial
weights (``first_weights.py``), the training loop (``training_section.py``), metrics after each epoch
(``evaluation_section.py``), and predictions (``prediction_section.py``).  ``draft.py`` collects the lines.
"""

from __future__ import annotations

import copy
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError
from workings.metrics import Metric
from workings.optimizers import Part
from workings.readings.script.data_section import write_data, write_random_split
from workings.readings.script.draft import ScriptDraft
from workings.readings.script.first_weights import write_parameters
from workings.readings.script.prediction_section import write_predicting
from workings.readings.script.script_settings import MOST_INLINE, Held, ScriptSettings, arrays_of, both
from workings.readings.script.training_section import write_training
from workings.support.arrays import Array
from workings.support.atomic_files import as_path, write_bytes
from workings.support.notebook import Text
from workings.training.callbacks import Callback
from workings.training.recipe import Labels, Recipe

if TYPE_CHECKING:
    from workings.model.model import Model


def script(
    network: Model,
    *,
    optimizer: Part | None = None,
    epochs: int = 100,
    batch_size: int | None = 32,
    shuffle: bool = True,
    weights: str = "seed",
    data: object = None,
    data_file: str | None = None,
    validation: tuple[ArrayLike, ArrayLike] | float | Held | None = None,
    sample_weight: ArrayLike | None = None,
    class_weight: Labels = None,
    metrics: Sequence[str] | Mapping[str, Metric] = (),
    callbacks: Sequence[Callback] = (),
    running_loss: bool = False,
) -> str:
    """Return a Python script that trains a network and predicts, with NumPy alone.

    Parameters
    ----------
    optimizer : optimizer or None
        Without one, the script only predicts, with the network's current parameters.
    epochs, batch_size, shuffle, validation, sample_weight, class_weight, metrics, callbacks, running_loss :
        As for ``fit``; the script ends with the same bits as ``fit(..., engine="reference")``.  Of the
        callbacks, ``EarlyStopping`` is supported, and those that only observe, such as ``Progress``, are left
        out.  For a table, ``validation`` may also be ``Held(rows, seed)``, the rows that ``workings train``
        draws.
    weights : str
        ``"seed"``: the script draws the same initial weights as the network, also if the network has been
        trained.  ``"inline"``: the script contains the network's current parameters.  A path that ends in
        ``.npz``: the script reads them from that file, which ``np.savez(path, **net.parameters,
        **net.statistics)`` writes; ``"file"`` is short for ``"weights.npz"``.
    data : (X, y), path, or None
        Arrays, which the script contains, or an ``.npz`` file with ``X`` and ``y``; for a network that was
        trained on a table, a CSV file with the table's columns.  By default ``data.npz``, or ``data.csv``.
    data_file : str or None
        For arrays: the ``.npz`` file from which the script reads them.

    Returns
    -------
    str
        The script. After it has run, ``history`` holds the losses, ``measures`` the other columns of the
        history by name, each parameter is a variable with its name, and ``X`` and ``y`` are all training rows.

    Raises
    ------
    InputError
        For settings that a script does not support.
    ProgramError
        For a function without available source.

    Examples
    --------
    >>> from workings import Dense, Network, SGD, SquaredError
    >>> net = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=1)
    >>> text = net.script(optimizer=SGD(0.1), epochs=3, batch_size=None, data=([[1.0], [2.0]], [2.0, 4.0]))
    >>> print(text[text.index("    # layer 1") :].split("\\n\\n")[0])
        # layer 1: Dense(1)
        # z1 is each unit's weighted sum of its inputs plus its bias.
        z1 = X @ W1 + b1  # (n, 1)
    """
    arrays = arrays_of(data) if network.n_in is None else None
    if arrays is not None:
        network = copy.deepcopy(network)
        network.prepare(*arrays)  # sets the number of columns
    training = (
        None
        if optimizer is None
        else Recipe(
            optimizer,
            epochs,
            batch_size,
            shuffle,
            validation,
            sample_weight,
            class_weight,
            metrics,
            callbacks,
            running_loss,
        )
    )
    return Text(write_sections(ScriptSettings(network, training, weights, data, data_file)))


def write_sections(settings: ScriptSettings) -> str:
    """Write all sections of a script."""
    draft = ScriptDraft(settings)
    if settings.optimizer is None:
        write_parameters(draft, "inline" if settings.weights == "seed" else settings.weights)
        write_predicting(draft)
        return draft.text()
    write_data(draft)
    write_parameters(draft, settings.weights)
    write_random_split(draft)
    write_training(draft, settings.optimizer)
    write_predicting(draft)
    draft.section("Result")
    draft.lines += ['print(f"loss at the beginning {history[0]:.6g}, at the last epoch {history[-1]:.6g}")']
    return draft.text()


def save_script(network: Model, path: str | Path, *, data: object = None, **settings: Any) -> list[Path]:
    """Write a script to a file; large data or weights are written to ``.npz`` files in the same folder.

    Returns
    -------
    list of Path
        The written files, the script first.

    Raises
    ------
    InputError, ProgramError
        As ``script`` does, and for a name such as numbers.py, which hides a module of the standard library.
    FileError
        If the folder is not writable.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> net = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=1)
    >>> [path.name for path in save_script(net, "line.py")]
    ['line.py']
    """
    path = as_path(path)
    check_script_name(path)
    written = [path]
    values = {**network.parameters, **network.statistics}
    drawn = settings.get("optimizer") is not None and settings.get("weights", "seed") == "seed"
    if not drawn and sum(value.size for value in values.values()) > MOST_INLINE:
        written.append(save_arrays(path.with_name(f"{path.stem}-weights.npz"), values))
        settings["weights"] = written[-1].name
    arrays = data_arrays(data, settings)
    if sum(array.size for array in arrays.values()) > MOST_INLINE:
        written.append(save_arrays(path.with_name(f"{path.stem}-data.npz"), arrays))
        settings["data_file"] = written[-1].name
    write_bytes(path, script(network, data=data, **settings).encode())
    return written


def check_script_name(path: Path) -> None:
    """Raise for the name of a module that Python or NumPy would import in place of its own."""
    if path.stem.lower() in {*sys.stdlib_module_names, "numpy"}:
        raise InputError(
            f"{path.name!r} has the name of a module that Python or NumPy imports: it would import the script instead. "
            f"Choose another name, such as 'my_{path.stem}.py'."
        )


def data_arrays(data: object, settings: Mapping[str, object]) -> dict[str, Array]:
    """Return the data arrays of a script by name; empty if it reads its rows from a file."""
    if data is None or isinstance(data, (str, Path)):
        return {}
    held, w = settings.get("validation"), settings.get("sample_weight")
    found = dict(zip(("X", "y"), both(data), strict=True))
    found |= dict(zip(("X_val", "y_val"), both(held), strict=True)) if isinstance(held, tuple) else {}
    return found | ({} if w is None else {"w": np.asarray(w)})


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> Path:
    """Write arrays to an ``.npz`` file."""
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    write_bytes(path, content.getvalue())
    return path
