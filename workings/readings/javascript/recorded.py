"""Random numbers of a training: the row orders and dropout masks that ``fit`` would draw, to hand to other programs."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError
from workings.model.model import Model
from workings.support.arrays import Array
from workings.support.sparse import dense
from workings.training.batches import Batches, batch_bounds
from workings.training.recipe import Recipe
from workings.training.training_data import TrainingData, prepare


@dataclass(frozen=True)
class Recorded:
    """The random values that a training draws, and its data.

    Attributes
    ----------
    X, y : arrays of shape (n, n_in) and (n, n_out)
        The training rows, and their targets as the program takes them.
    w : array of shape (n,) or None
        The weights of the rows.
    order : list of arrays of shape (n,)
        The row order of each epoch; empty without shuffling.
    masks : list of dict
        The dropout masks of each step, by name; empty without dropout.
    """

    X: Array
    y: Array
    w: Array | None
    order: list[Array] = field(default_factory=list)
    masks: list[dict[str, Array]] = field(default_factory=list)


def record(network: Model, X: ArrayLike, y: ArrayLike, recipe: Recipe) -> Recorded:
    """Return the data, row orders and dropout masks with which ``fit`` would train; the network does not change.

    Parameters
    ----------
    network : Model
        In the state in which the training begins: its random generator draws the orders and masks.
    X, y : arrays of shape (n, n_in) and (n,) or (n, n_out)
    recipe : Recipe
        The settings of the training.

    Raises
    ------
    InputError
        For data that ``fit`` would refuse.

    Examples
    --------
    >>> from workings import SGD, Dense, Network
    >>> net = Network([Dense(1)], loss="SquaredError", seed=0, n_in=1)
    >>> found = record(net, [[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0], Recipe(SGD(0.1), epochs=2, batch_size=2))
    >>> len(found.order), len(found.masks)
    (2, 0)
    """
    model = copy.deepcopy(network)
    data: TrainingData = prepare(model, X, y, recipe)
    rows = data.rows
    bounds = batch_bounds(len(rows.X), recipe.batch_size or len(rows.X))
    batches = Batches(model, rows, bounds, recipe.shuffle and len(bounds) > 1)
    order: list[Array] = []
    masks: list[dict[str, Array]] = []
    for _ in range(recipe.epochs if batches.is_drawn else 0):
        epoch_order, epoch_masks = batches.draw(bounds)
        order += [] if epoch_order is None else [epoch_order]
        steps = [{name: array[start:stop] for name, array in epoch_masks.items()} for start, stop in bounds.tolist()]
        masks += steps if epoch_masks else []
    return Recorded(dense(rows.X), rows.y, None if rows.w is None else rows.w[:, 0], order, masks)


def as_seeded(network: Model) -> Model:
    """Return a copy of a network as its seed made it: with its first parameters, before it drew anything else.

    Raises
    ------
    InputError
        If the seed is unknown, or an initializer needs more than the seed.
    """
    if network.is_fresh:
        return network
    made = re.fullmatch(r"np\.random\.(default_rng|RandomState)\((\d+)\)", network.rng_made or "")
    if made is None or network.n_in is None:
        raise InputError('The network has no seed, or was loaded from a file: use weights="inline".')
    copied = copy.deepcopy(network)
    generator: Any = getattr(np.random, made[1])(int(made[2]))
    copied.set_random_generator(generator)
    return copied.build(network.n_in)
