"""Translate a network and its training to PyTorch, Keras or scikit-learn.

These systems use the same words with different meanings: ``alpha``, ``weight_decay`` and ``L2``;
``momentum``, ``epsilon``, ``mean``.  A translation is code that trains the same network there, with a note on
each relevant difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from workings.errors import unknown_name
from workings.optimizers import LBFGS, Part
from workings.readings.translate import keras_writer, sklearn_writer, torch_writer
from workings.readings.translate.plan import TranslationPlan
from workings.readings.translate.translated_code import Translation
from workings.readings.translate.translation_writer import TranslationWriter
from workings.training.recipe import Labels, Recipe

if TYPE_CHECKING:
    from workings.model.model import Model

SYSTEMS: dict[str, Callable[[TranslationPlan], TranslationWriter]] = {
    "sklearn": sklearn_writer.writer,
    "keras": keras_writer.KerasWriter,
    "torch": torch_writer.writer,
}
ALSO_CALLED = {"pytorch": "torch", "scikit-learn": "sklearn", "scikit": "sklearn"}


def translate(
    network: Model,
    system: str,
    *,
    optimizer: Part | LBFGS,
    epochs: int = 100,
    batch_size: int | None = 32,
    rows: int | None = None,
    shuffle: bool = True,
    weights: str = "draw",
    sample_weight: bool = False,
    class_weight: Labels = None,
    validation: bool = False,
) -> Translation:
    """Translate a network and its training to code for another system.

    Parameters
    ----------
    system : str
        ``"sklearn"``, ``"keras"`` or ``"torch"``.
    optimizer, epochs, batch_size, shuffle :
        As for ``fit``.
    rows : int or None
        The number of rows, if known: scikit-learn's ``alpha`` depends on it.
    weights : str
        ``"draw"``: initial weights are drawn by the same rule, if the system supports it.  ``"given"``: the
        code takes them from a mapping ``weights``, such as ``net.parameters``.
    sample_weight : bool
        Whether rows have weights: the code takes an array ``sample_weight`` of shape (n,).
    class_weight : dict, "balanced" or None
        As for ``fit``: the weight of each label.
    validation : bool
        Whether the code computes the objective on ``X_val`` and ``y_val`` after each epoch.

    Returns
    -------
    Translation
        ``str`` is the code with notes, ``.code`` only the code, ``.notes`` only the notes; ``.is_equal`` is
        True if the weights stay equal in every step.

    Raises
    ------
    InputError
        For an unknown system, and for settings that the system does not support.

    Examples
    --------
    >>> from workings import L2, Momentum, Dense, Network, SquaredError
    >>> net = Network([Dense(8, "tanh"), Dense(1)], loss=SquaredError(half=True), regularizer=L2(1e-4))
    >>> translated = net.translate("sklearn", optimizer=Momentum(0.1), batch_size=50, rows=200)
    >>> [part.strip() for part in translated.code.splitlines() if "alpha" in part]
    ['alpha=0.005,']
    """
    name = ALSO_CALLED.get(str(system).lower(), system)
    if name not in SYSTEMS:
        raise unknown_name("system", system, SYSTEMS)
    recipe = Recipe(optimizer, epochs, batch_size, shuffle, class_weight=class_weight)
    plan = TranslationPlan(network, recipe, rows, weights, sample_weight, validation)
    return SYSTEMS[name](plan).translation()
