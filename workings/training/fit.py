"""Fit: check data and settings, then train; the model is unchanged if a check fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from numpy.typing import ArrayLike

from workings.model.model import Model
from workings.support.arrays import put_state, state_of
from workings.training.data import prepare
from workings.training.history import History
from workings.training.loop import run
from workings.training.recipe import Recipe
from workings.training.training import FirstLook, Training


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
    with unchanged_on_error(model):
        training = Training(model, prepare(model, X, y, recipe), recipe, engine=engine, first_look=first_look)
    return run(training)


@contextmanager
def unchanged_on_error(model: Model) -> Iterator[None]:
    """Restore a model and its random generator if the block raises an error."""
    before, generator = {**model.__dict__, "runners": dict(model.runners)}, state_of(model.rng)
    try:
        yield
    except BaseException:
        model.__dict__.clear()
        model.__dict__.update(before)
        put_state(model.rng, generator)
        raise
