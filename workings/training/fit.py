"""Fit: check data and settings, then train; the model is unchanged if a check fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from numpy.typing import ArrayLike

from workings.errors import DivergenceError, InputError
from workings.model.model import Model
from workings.support.arrays import put_state, state_of
from workings.support.interruption import Interruption
from workings.training.history import History
from workings.training.loop import run
from workings.training.parallel.parallel_settings import with_files
from workings.training.recipe import Recipe
from workings.training.training import FirstLook, Training
from workings.training.training_data import prepare

CHECK_ON_DISK = (
    "check=True examines all rows in memory, and X is on disk. Check some of them instead: "
    "net.diagnose(X[:10000], y[:10000])."
)


def train(
    model: Model,
    X: ArrayLike,
    y: ArrayLike,
    recipe: Recipe,
    *,
    engine: str = "auto",
    first_look: FirstLook | None = None,
) -> History:
    """Train a model and return the history; see :meth:`workings.Network.fit`.

    Parameters
    ----------
    model : Model
    X, y : arrays of shape (n, n_in) and (n,) or (n, n_out)
    recipe : Recipe
        The settings.
    engine : str
        ``"auto"``, ``"reference"`` or ``"compiled"``.
    first_look : callable or None
        Called with the training before its first step; its result becomes ``history.diagnosis``.

    Examples
    --------
    >>> from workings import Dense, SGD
    >>> model = Model([Dense(1)], loss="SquaredError", seed=0)
    >>> train(model, [[0.0], [1.0]], [1.0, 3.0], Recipe(SGD(0.1), epochs=3)).epochs
    3
    """
    undo, training = undoing(model), None
    recipe = replace(recipe, workers=with_files(recipe.workers, X, y))
    try:
        data = prepare(model, X, y, recipe)
        if first_look is not None and data.has_streams:
            raise InputError(CHECK_ON_DISK)
        training = Training(model, data, recipe, engine=engine, first_look=first_look)
        return run(training)
    except BaseException as error:
        has_begun = training is not None and (training.step or training.history.epochs)
        if not has_begun and not isinstance(error, DivergenceError):  # which keeps the last finite parameters
            with Interruption():  # a second Ctrl-C waits until this is done
                undo()
        raise


def undoing(model: Model) -> Callable[[], None]:
    """Return a function that restores the model and its random generator as they are now."""
    attributes = {**model.__dict__, "runners": dict(model.runners), "statistics": dict(model.statistics)}
    theta, generator = model.theta.copy(), state_of(model.rng)

    def undo() -> None:
        model.__dict__.clear()
        model.__dict__.update(attributes)
        model.theta[...] = theta
        put_state(model.rng, generator)

    return undo
