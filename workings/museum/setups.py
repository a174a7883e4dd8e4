"""Setups: a training before it begins, and the ways in which the museum changes one.

A setup holds what a training needs, as data, so that the same one can be made twice: with a mistake and without.  Each
way here changes one thing of it and gives another setup; the registry in ``mistakes.py`` puts names to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workings.checks.curvature import sharpness
from workings.checks.evidence import rate_of, rms, with_rate
from workings.errors import InputError
from workings.initializers import Normal
from workings.layers import Dense, Layer
from workings.museum.rewrites import Rewrite
from workings.network import Network
from workings.optimizers import SGD, Chain, ClipByNorm, Part
from workings.regularizers import L2
from workings.schedules import Exponential
from workings.support.arrays import Array
from workings.training.early_stopping import EarlyStopping


@dataclass(frozen=True, eq=False)
class Setup:
    """A training before it begins: layers and loss, data, and the settings of ``fit``.

    ``parts`` are the arguments of ``Network`` but for the layers; ``edits`` are statements that are replaced.
    """

    layers: tuple[Layer, ...]
    parts: Mapping[str, Any]
    X: Array
    y: Array
    settings: Mapping[str, Any]
    rewrite: Rewrite | None = None

    @property
    def right_network(self) -> Network:
        """The network without edits."""
        network = Network(list(self.layers), **self.parts)
        return network.build(self.X.shape[1], self.X.dtype)

    def network(self) -> Network:
        """The network as it is to be trained."""
        network = self.right_network
        for target, expression in self.edits().items():
            network = network.replacing(target, expression)
        return network

    def edits(self) -> Mapping[str, str]:
        """The wrong right-hand sides by name.

        Raises
        ------
        InputError
            If the program has no place for the mistake.
        """
        if self.rewrite is None:
            return {}
        found = self.rewrite(self.right_network.program(self.settings["optimizer"]))
        if not found:
            raise InputError("The program of this network has no place for this mistake.")
        return found


def same(setup: Setup) -> Setup:
    """Change nothing."""
    return setup


# -- how things are made wrong ---------------------------------------------------------------


def edited(rewrite: Rewrite) -> Callable[[Setup], Setup]:
    """Replace statements of the program."""
    return lambda setup: replace(setup, rewrite=rewrite)


def with_data(X: Callable[[Array], Array] = np.copy, y: Callable[[Array], Array] = np.copy) -> Callable[[Setup], Setup]:
    """Change inputs or targets."""
    return lambda setup: replace(setup, X=X(setup.X), y=y(setup.y))


def with_settings(**changed: Any) -> Callable[[Setup], Setup]:
    """Change settings of ``fit``."""
    return lambda setup: replace(setup, settings={**setup.settings, **changed})


def with_hidden(**changed: Any) -> Callable[[Setup], Setup]:
    """Change the hidden layers."""

    def change(setup: Setup) -> Setup:
        hidden = tuple(replace(x, **changed) if isinstance(x, Dense) else x for x in setup.layers[:-1])
        return replace(setup, layers=(*hidden, setup.layers[-1]))

    return change


def with_all(**changed: Any) -> Callable[[Setup], Setup]:
    """Change all dense layers."""
    return lambda setup: replace(
        setup, layers=tuple(replace(x, **changed) if isinstance(x, Dense) else x for x in setup.layers)
    )


def with_last(**changed: Any) -> Callable[[Setup], Setup]:
    """Change the last layer."""
    return lambda setup: replace(setup, layers=(*setup.layers[:-1], replace(setup.layers[-1], **changed)))


def with_penalty(lam: float) -> Callable[[Setup], Setup]:
    """Give the network an L2 regularizer."""
    return lambda setup: replace(setup, parts={**setup.parts, "regularizer": L2(lam)})


def one_unit(setup: Setup) -> Setup:
    """One hidden unit in place of all."""
    return replace(setup, layers=(replace(setup.layers[0], units=1), setup.layers[-1]))  # type: ignore[call-arg]


def eight_sigmoids(setup: Setup) -> Setup:
    """Eight hidden layers of sigmoids."""
    return replace(setup, layers=(*(Dense(16, "sigmoid") for _ in range(8)), setup.layers[-1]))


def square_hidden(setup: Setup) -> Setup:
    """Two hidden layers of one size, so that the weights between them are square."""
    return replace(setup, layers=(*(replace(setup.layers[0], units=12) for _ in range(2)), setup.layers[-1]))  # type: ignore[call-arg]


def tanh_hidden(setup: Setup) -> Setup:
    """Hidden layers of tanh, whose slope is written with a."""
    return with_hidden(activation="tanh", weights=None)(setup)


def rate(factor: float) -> Callable[[Setup], Setup]:
    """Another learning rate."""

    def change(setup: Setup) -> Setup:
        optimizer = setup.settings["optimizer"]
        settings = {**setup.settings, "optimizer": with_rate(optimizer, factor * optimizer.lr)}
        return replace(setup, settings=settings)

    return change


def leaky_hidden(setup: Setup) -> Setup:
    """Hidden layers of leaky ReLU, whose units neither die nor saturate."""
    return with_hidden(activation="leaky_relu", weights=None)(setup)


def one_hidden(setup: Setup) -> Setup:
    """One hidden layer of tanh."""
    return tanh_hidden(replace(setup, layers=(setup.layers[0], setup.layers[-1])))


def narrow_and_deep(setup: Setup) -> Setup:
    """Twelve hidden layers of eight units."""
    return replace(setup, layers=(*(Dense(8, "leaky_relu") for _ in range(12)), setup.layers[-1]))


def clipped_descent(setup: Setup) -> Setup:
    """Plain full-batch gradient descent with clipped gradients and units that do not die."""
    settings = {**setup.settings, "optimizer": Chain(ClipByNorm(1.0), SGD(0.03)), "batch_size": None, "epochs": 300}
    return leaky_hidden(replace(setup, settings=settings))


def stochastic_descent(setup: Setup) -> Setup:
    """Plain gradient descent in batches."""
    return replace(setup, settings={**setup.settings, "optimizer": SGD(0.1)})


def free_descent(setup: Setup) -> Setup:
    """The same without clipping, and for longer."""
    clipped = clipped_descent(setup)
    return replace(clipped, settings={**clipped.settings, "optimizer": SGD(0.03), "epochs": 600})


def priced_descent(setup: Setup) -> Setup:
    """Plain full-batch gradient descent of a small network whose weights have a price: there is a lowest point."""
    settings = {**setup.settings, "optimizer": SGD(0.1), "batch_size": None, "epochs": 8000}
    return with_penalty(0.01)(replace(setup, layers=(Dense(4, "tanh"), setup.layers[-1]), settings=settings))


def at_the_edge(setup: Setup) -> Setup:
    """A learning rate a tenth above 2 / curvature, as the curvature is where a smaller rate settles."""
    network = setup.right_network
    network.fit(setup.X, setup.y, **{**setup.settings, "epochs": 20_000})
    curvature = sharpness(network, setup.X, setup.y)
    return replace(setup, settings={**setup.settings, "optimizer": SGD(2.2 / curvature)})


def growing_rate(setup: Setup) -> Setup:
    """A learning rate that is divided by 0.97 at each step."""
    optimizer = setup.settings["optimizer"]
    grown: Part = SGD(Exponential(rate_of(optimizer), factor=1 / 0.97))
    if isinstance(optimizer, Chain):
        grown = Chain(*optimizer.links[:-1], grown)
    return replace(setup, settings={**setup.settings, "optimizer": grown})


def plain_descent(setup: Setup) -> Setup:
    """Train with plain full-batch gradient descent, whose steps are as long as the gradient says."""
    settings = {**setup.settings, "optimizer": SGD(0.3), "batch_size": None, "epochs": 300}
    return replace(setup, settings=settings)


def large_scores(setup: Setup) -> Setup:
    """A last layer with weights so large that scores reach a thousand."""
    return with_last(weights=Normal(600.0))(setup)


def ordered(setup: Setup) -> Setup:
    """Rows sorted by their class, small batches, no shuffling."""
    order = np.argsort(setup.y, kind="stable")
    settings = {**setup.settings, "shuffle": False, "batch_size": 16, "optimizer": SGD(0.3), "epochs": 60}
    return replace(setup, X=setup.X[order], y=setup.y[order], settings=settings)


def shuffled_ordered(setup: Setup) -> Setup:
    """The same, shuffled."""
    return replace(ordered(setup), settings={**ordered(setup).settings, "shuffle": True})


def unordered(setup: Setup) -> Setup:
    """The same, not shuffled."""
    return replace(setup, settings={**setup.settings, "shuffle": False})


def rare_class(setup: Setup) -> Setup:
    """Keep three rows in a hundred of class 1, and few epochs, so that it goes unseen."""
    ones = np.flatnonzero(setup.y == 1)
    kept = np.sort(np.concatenate([np.flatnonzero(setup.y != 1), ones[: max(len(ones) * 3 // 100, 2)]]))
    return replace(setup, X=setup.X[kept], y=setup.y[kept])


def by_heart(setup: Setup) -> Setup:
    """Forty rows, many units, many epochs; the other rows to validate on."""
    order = np.random.default_rng(0).permutation(len(setup.X))
    few, rest = order[:40], order[40:340]
    noisy = setup.y.copy()
    if setup.y.dtype.kind == "f":
        noisy = setup.y + np.random.default_rng(1).normal(size=len(setup.y))
    else:
        wrong = order[:8]
        noisy[wrong] = (setup.y[wrong] + 1) % (setup.y.max() + 1)
    settings = {**setup.settings, "validation": (setup.X[rest], setup.y[rest]), "epochs": 1500, "batch_size": None}
    wide = tuple(replace(x, units=64) for x in setup.layers[:-1])  # type: ignore[call-arg]
    return replace(setup, layers=(*wide, setup.layers[-1]), X=setup.X[few], y=noisy[few], settings=settings)


def stopped_in_time(setup: Setup) -> Setup:
    """The same, stopped when the validation loss rises, with the best parameters put back."""
    return replace(setup, settings={**setup.settings, "callbacks": [EarlyStopping(patience=30)]})


def in_another_order(y: Array) -> Array:
    """The same targets for other rows."""
    return np.random.default_rng(0).permutation(y)


def of_spread_twelve(X: Array) -> Array:
    """The largest column with a root mean square of 12, and all others with it."""
    return np.asarray(12 / rms(X, axis=0).max() * X)


def with_year(X: Array) -> Array:
    """A column that is 2024 in every row."""
    return np.column_stack([X, np.full(len(X), 2024.0)])


def one_large_column(X: Array) -> Array:
    """The column that varies most in thousandths: metres among kilometres."""
    factors = np.ones(X.shape[1])
    factors[X.std(axis=0).argmax()] = 1000
    scaled: Array = factors * X
    return scaled
