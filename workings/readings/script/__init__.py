"""The script: a network and its training as one file that needs NumPy alone.

It has no mathematics of its own.  The statements are those of the program, initializers and schedules are taken
from their source with their settings in place of the letters, and what is not straight-line code is copied whole.
So it ends with the same bits as the reference engine, on the same machine with the same NumPy.  Each file of this
folder writes one section: where the rows come from (``data_section.py``), the first weights (``first_weights.py``),
the loop (``training_section.py``), what is measured after each epoch (``evaluation_section.py``), and how it predicts
(``prediction_section.py``).  ``draft.py`` collects the lines.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from workings.metrics import Metric
from workings.optimizers import Part
from workings.readings.script.data_section import write_data, write_share
from workings.readings.script.draft import Page
from workings.readings.script.first_weights import write_parameters
from workings.readings.script.prediction_section import write_predicting
from workings.readings.script.settings import MOST_INLINE, Held, Settings, both
from workings.readings.script.training_section import write_training
from workings.support.arrays import Array
from workings.support.atomic_files import write_bytes
from workings.training.callbacks import Callback
from workings.training.recipe import Recipe

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
    data: Any = None,
    data_file: str | None = None,
    validation: tuple[ArrayLike, ArrayLike] | float | Held | None = None,
    sample_weight: ArrayLike | None = None,
    class_weight: Mapping[Any, float] | str | None = None,
    metrics: Sequence[str] | Mapping[str, Metric] = (),
    callbacks: Sequence[Callback] = (),
    running_loss: bool = False,
) -> str:
    """Write a network and its training as one Python file that needs NumPy alone.

    Parameters
    ----------
    optimizer : optimizer or None
        Without one, the script only predicts, with the network's parameters as they are.
    epochs, batch_size, shuffle, validation, sample_weight, class_weight, metrics, callbacks, running_loss :
        As for ``fit``; the script ends with the same bits as ``fit(..., engine="reference")``.  Of the callbacks,
        ``EarlyStopping`` is told; those that only look on, such as ``Progress``, are left out.  For a table,
        ``validation`` may also be ``Held(rows, seed)``, the rows that ``workings train`` draws.
    weights : str
        ``"seed"``: first weights are drawn as the network draws them, so the script begins where the network
        began, trained or not.  ``"inline"``: the network's parameters
        as they are stand in the script.  A path that ends in ``.npz``: they are read from that file, which
        ``np.savez(path, **net.parameters, **net.statistics)`` writes; ``"file"`` is short for ``"weights.npz"``.
    data : (X, y), path, or None
        Arrays, which are written into the script, or an ``.npz`` file that holds ``X`` and ``y``; for a network that
        was trained on a table, a CSV file with the table's own columns.  By default ``data.npz``, or ``data.csv``.
    data_file : str or None
        For arrays: the ``.npz`` file in which the script is to find them.

    Returns
    -------
    str
        The script. When it has run, ``history`` holds the losses, ``measures`` the other columns of the history by
        name, and each parameter stands under its name.

    Raises
    ------
    InputError
        For settings that a script cannot have.
    ProgramError
        For a function whose source cannot be had.

    Examples
    --------
    >>> from workings import Dense, Network, SGD, SquaredError
    >>> net = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=1)
    >>> text = net.script(optimizer=SGD(0.1), epochs=3, batch_size=None, data=([[1.0], [2.0]], [2.0, 4.0]))
    >>> print(text[text.index("    # layer 1") :].split("\\n\\n")[0])
        # layer 1: Dense(1, 'identity')
        # z1 is each unit's weighted sum of its inputs plus its bias.
        z1 = X @ W1 + b1  # (n, 1)
    """
    if network.n_in is None and data is not None and not isinstance(data, (str, Path)):
        network = copy.deepcopy(network)
        network.prepare(*both(data))  # finds the number of columns
    training = None if optimizer is None else Recipe(
        optimizer, epochs, batch_size, shuffle, validation, sample_weight, class_weight, metrics, callbacks,
        running_loss,
    )  # fmt: skip
    return written(Settings(network, training, weights, data, data_file))


def written(settings: Settings) -> str:
    """All sections of a script."""
    page = Page(settings)
    if settings.optimizer is None:
        write_parameters(page, "inline" if settings.weights == "seed" else settings.weights)
        write_predicting(page)
        return page.whole()
    write_data(page)
    write_parameters(page, settings.weights)
    write_share(page)
    write_training(page, settings.optimizer)
    write_predicting(page)
    page.section("Result")
    page.lines += ['print(f"loss at the beginning {history[0]:.6g}, at the last epoch {history[-1]:.6g}")']
    return page.whole()


def save_script(network: Model, path: str | Path, *, data: Any = None, **settings: Any) -> list[Path]:
    """Write a script to a file; data or weights that are too many to stand in it go to ``.npz`` files beside it.

    Returns
    -------
    list of Path
        What was written, the script first.

    Raises
    ------
    InputError, ProgramError
        As ``script`` does.
    FileError
        If the folder cannot be written to.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> net = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=1)
    >>> [path.name for path in save_script(net, "line.py")]
    ['line.py']
    """
    path = Path(path)
    written = [path]
    values = {**network.parameters, **network.statistics}
    drawn = settings.get("optimizer") is not None and settings.get("weights", "seed") == "seed"
    if not drawn and sum(value.size for value in values.values()) > MOST_INLINE:
        written.append(save_arrays(path.with_name(f"{path.stem}-weights.npz"), values))
        settings["weights"] = written[-1].name
    arrays = given_arrays(data, settings)
    if sum(array.size for array in arrays.values()) > MOST_INLINE:
        written.append(save_arrays(path.with_name(f"{path.stem}-data.npz"), arrays))
        settings["data_file"] = written[-1].name
    write_bytes(path, script(network, data=data, **settings).encode())
    return written


def given_arrays(data: Any, settings: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays that a script needs, by the names that they have in it; none where the rows come from a file."""
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
