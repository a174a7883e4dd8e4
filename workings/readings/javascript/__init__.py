"""Write a network and its training as one JavaScript module that needs nothing else.

The module contains no formula of its own: it has the statements of the program, translated one by one from their
syntax (``expressions.py``), and functions that are not straight-line code are translated from their source
(``functions.py``).  Array operations with NumPy's names are in ``arrays.js``.  Row orders and dropout masks are handed
in (``recorded.py``), or drawn with ``Math.random``.  ``module.py`` writes the sections of the file.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from numpy.typing import ArrayLike

from workings.errors import InputError
from workings.metrics import Metric
from workings.model.model import Model
from workings.optimizers import Part
from workings.readings.javascript.module import ModuleDraft
from workings.readings.javascript.names import file_text
from workings.readings.javascript.recorded import Recorded, as_seeded, record
from workings.readings.script.script_settings import MOST_INLINE, arrays_of
from workings.support.notebook import Text
from workings.training.callbacks import Callback
from workings.training.recipe import Labels, Recipe

MONITORS = (None, "loss", "val_loss")


def javascript(
    network: Model,
    *,
    optimizer: Part | None = None,
    epochs: int = 100,
    batch_size: int | None = 32,
    shuffle: bool = True,
    weights: str = "seed",
    data: object = None,
    data_file: str | None = None,
    validation: object = None,
    sample_weight: ArrayLike | None = None,
    class_weight: Labels = None,
    metrics: Sequence[str] | Mapping[str, Metric] = (),
    callbacks: Sequence[Callback] = (),
    running_loss: bool = False,
    arrays: str | None = None,
) -> str:
    """Return a JavaScript module that trains a network, computes gradients and predicts.

    Parameters
    ----------
    optimizer : optimizer or None
        Without one, the module does not train, and contains the network's current parameters.
    epochs, batch_size, shuffle, running_loss :
        As for ``fit``; ``train`` in the module takes other values, too.
    weights : str
        ``"seed"``: the initial weights that the network's seed gives, also if the network has been trained.
        ``"inline"``: the network's current parameters.
    data : (X, y), path of an ``.npz`` file, or None
        With data, the module contains the rows, and the row orders and dropout masks that ``fit`` draws; then
        ``train()`` repeats ``fit``.  Without, ``train({ X, y })`` gets them.
    sample_weight, class_weight :
        As for ``fit``; with one of them, the module's functions take weights of rows as ``w``.
    arrays : str or None
        The path from which the module imports ``arrays.js``; by default the module contains it.
    data_file, validation, metrics, callbacks :
        Not supported; callbacks that only observe are left out.  Hand in ``validation`` and ``onEpoch`` to ``train``.

    Returns
    -------
    str
        An ES module: ``predict``, ``outputs``, ``objective``, ``gradients``, ``trace``; with an optimizer also
        ``train``, ``epochs``, ``step`` and ``start``.

    Raises
    ------
    InputError
        For settings that the module does not support.
    NotCompilableError
        For a statement that has no counterpart in JavaScript; the message names it.

    Examples
    --------
    >>> from workings import Dense, Network, SGD
    >>> net = Network([Dense(1)], loss="SquaredError", seed=0, n_in=1)
    >>> text = javascript(net, optimizer=SGD(0.1))
    >>> print(text[text.index("  // z1 is") :].split("\\n\\n")[0])
      // z1 is each unit's weighted sum of its inputs plus its bias.
      const z1 = np.add(np.matmul(X, W1), b1);  // z1 = X @ W1 + b1  (n, 1)
    """
    found = arrays_of(data)
    if data is not None and found is None:
        raise InputError(f"data={str(data)!r} is not an .npz file that exists; a module cannot read a table's file.")
    if found is not None and network.n_in is None:
        network = copy.deepcopy(network)
        network.prepare(*found)  # sets the number of columns
    if network.n_in is None:
        raise InputError("The number of columns of X is unknown: pass data=(X, y), or call fit first.")
    check_weights(weights)
    refuse_unsupported(data_file, validation, metrics)
    if optimizer is None:
        return Text(ModuleDraft(network, arrays=arrays).text())
    recipe = Recipe(
        optimizer,
        epochs,
        batch_size,
        shuffle,
        None,
        sample_weight,
        class_weight,
        (),
        callbacks,
        running_loss,
    )
    check_recipe(recipe)
    start = as_seeded(network) if weights == "seed" else network
    recorded = None
    if found is not None:
        if start.classes is None:
            start = copy.deepcopy(start)
            start.learn_labels(found[1])
        recorded = checked_size(record(start, *found, recipe))
    return Text(ModuleDraft(start, recipe, recorded, arrays).text())


def arrays_text() -> str:
    """Return ``arrays.js``, the array operations that a module with ``arrays="./arrays.js"`` imports.

    >>> arrays_text().splitlines()[0]
    '// Array operations with the names and the rules of NumPy, for arrays of one or two axes.'
    """
    return file_text("arrays.js")


def check_weights(weights: str) -> None:
    """Raise for weights that are not in the module."""
    if weights not in ("seed", "inline"):
        raise InputError(f'For a JavaScript module, weights must be "seed" or "inline", not {weights!r}.')


def refuse_unsupported(data_file: object, validation: object, metrics: object) -> None:
    """Raise for settings that only the Python script supports."""
    if data_file is not None:
        raise InputError("A JavaScript module reads no data file: call train({ X, y }) instead of passing data_file.")
    if validation is not None:
        raise InputError("A JavaScript module has no validation set: call train({ validation: { X, y } }) instead.")
    if metrics:
        raise InputError("A JavaScript module computes no metrics: compute them in train({ onEpoch }).")


def check_recipe(recipe: Recipe) -> None:
    """Raise for a training that a module cannot run."""
    if not recipe.optimizer.takes_batches:
        raise InputError("SciPy computes the steps of L-BFGS, so a JavaScript module cannot use it.")
    for callback in recipe.callbacks:
        if not callback.only_observes and (callback.every_epoch or callback.looks_back):
            raise InputError(
                f"A JavaScript module does not support {type(callback).__name__}: "
                "a function onEpoch, handed to train, ends the training when it returns false."
            )
    if recipe.optimizer.monitor not in MONITORS:
        raise InputError(
            f"A JavaScript module cannot follow {recipe.optimizer.monitor!r}: OnPlateau can monitor loss or val_loss."
        )


def checked_size(recorded: Recorded) -> Recorded:
    """Raise if there are too many numbers for a file."""
    parts = [recorded.X, recorded.y, *recorded.order, *(mask for step in recorded.masks for mask in step.values())]
    size = sum(part.size for part in parts)
    if size > MOST_INLINE:
        raise InputError(
            f"The data with its row orders and dropout masks are {size:,} numbers, too many for a module: leave out "
            "data=, and call train({ X, y, order, masks })."
        )
    return recorded
