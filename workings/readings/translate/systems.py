"""The systems by name, and the function that translates a network and its training to one of them.

PyTorch, Keras and scikit-learn mean different things by the same words: ``alpha``, ``weight_decay`` and ``L2``;
``momentum``, ``epsilon``, ``mean``.  A translation is the code that trains the same network there, with one
sentence for each difference that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from workings.errors import unknown_name
from workings.optimizers import LBFGS, Part
from workings.readings.translate import keras, sklearn, torch
from workings.readings.translate.plan import Plan
from workings.readings.translate.translation import Translation
from workings.readings.translate.writer import Writer

if TYPE_CHECKING:
    from workings.model.model import Model

SYSTEMS: dict[str, Callable[[Plan], Writer]] = {
    "sklearn": sklearn.writer,
    "keras": keras.Keras,
    "torch": torch.writer,
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
    class_weight: Mapping[Any, float] | str | None = None,
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
        How many rows the data have, where it is known: scikit-learn's ``alpha`` depends on it.
    weights : str
        ``"draw"``: first weights are drawn as ours are, as far as the system can.  ``"given"``: the code takes
        them from a mapping ``weights``, such as ``net.parameters``.
    sample_weight : bool
        Whether rows have weights: the code takes an array ``sample_weight`` of shape (n,).
    class_weight : dict, "balanced" or None
        As for ``fit``: how much each label counts.
    validation : bool
        Whether the code measures the objective after each epoch on ``X_val`` and ``y_val``, which it is given.

    Returns
    -------
    Translation
        ``str`` is the whole, ``.code`` the code alone, ``.notes`` the sentences; ``.is_equal`` says whether the
        weights stay equal, step by step.

    Raises
    ------
    InputError
        For an unknown system, and for what the system cannot have.

    Examples
    --------
    >>> from workings import L2, Momentum, Dense, Network, SquaredError
    >>> net = Network([Dense(8, "tanh"), Dense(1)], loss=SquaredError(half=True), regularizer=L2(1e-4))
    >>> told = net.translate("sklearn", optimizer=Momentum(0.1), batch_size=50, rows=200)
    >>> [part.strip() for part in told.code.splitlines() if "alpha" in part]
    ['alpha=0.005,']
    """
    name = ALSO_CALLED.get(str(system).lower(), system)
    if name not in SYSTEMS:
        raise unknown_name("system", system, SYSTEMS)
    settings = (epochs, batch_size, rows, shuffle, weights, sample_weight, class_weight, validation)
    return SYSTEMS[name](Plan(network, optimizer, *settings)).translation()
