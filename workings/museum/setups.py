"""Setups: the description of a training, and functions that change one.

A setup holds everything that a training needs, so the museum can run the same training with and without a mistake.
Each function here takes a setup and returns a changed one; ``mistakes.py`` combines them into mistakes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workings.checks.curvature import sharpness
from workings.checks.evidence import rms
from workings.checks.rates import rate_of, with_rate
from workings.errors import InputError
from workings.initializers import Normal
from workings.layers import BatchNorm, Dense, Dropout, Layer
from workings.losses import BinaryCrossEntropy, CrossEntropy, SquaredError
from workings.museum.rewrites import Rewrite
from workings.network import Network
from workings.optimizers import SGD, Adam, Chain, ClipByNorm, Part
from workings.regularizers import L2
from workings.schedules import Exponential
from workings.support.arrays import Array
from workings.tables.columns import standardized
from workings.training.early_stopping import EarlyStopping
from workings.training.fit import train
from workings.training.history import History
from workings.training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Setup:
    """The description of a training: layers and loss, data, and the recipe, which holds the settings of ``fit``.

    ``parts`` are the arguments of ``Network`` except the layers; ``rewrite`` replaces statements of the program;
    ``engine`` is passed to ``fit``.
    """

    layers: tuple[Layer, ...]
    parts: Mapping[str, Any]  # arguments of ``Network``
    X: Array
    y: Array
    recipe: Recipe
    rewrite: Rewrite | None = None
    engine: str = "auto"

    @property
    def optimizer(self) -> Part:
        """The optimizer; no setup has L-BFGS, whose steps are not in the program."""
        assert isinstance(self.recipe.optimizer, Part)
        return self.recipe.optimizer

    @property
    def right_network(self) -> Network:
        """The network without replaced statements."""
        network = Network(list(self.layers), **self.parts)
        return network.build(self.X.shape[1], self.X.dtype)

    def network(self) -> Network:
        """Return the network to train, with its statements replaced."""
        network = self.right_network
        for target, expression in self.edits().items():
            network = network.replacing(target, expression)
        return network

    def edits(self) -> Mapping[str, str]:
        """Return the wrong expressions by the name of their target.

        Raises
        ------
        InputError
            If the mistake does not apply to the program.
        """
        if self.rewrite is None:
            return {}
        found = self.rewrite(self.right_network.program(self.optimizer))
        if not found:
            raise InputError("This mistake does not apply to the program of this network.")
        return found

    def fit(self, network: Network) -> History:
        """Train a network with the data and the recipe; return the history."""
        return train(network, self.X, self.y, self.recipe, engine=self.engine)

    def with_recipe(self, **changed: Any) -> Setup:
        """Return the setup with other settings of ``fit``, by name."""
        return replace(self, recipe=replace(self.recipe, **changed))


def unchanged(setup: Setup) -> Setup:
    """Return the setup as it is."""
    return setup


# -- functions that insert a mistake ----------------------------------------------------------


def with_edits(rewrite: Rewrite) -> Callable[[Setup], Setup]:
    """Return a function that replaces statements of the program."""
    return lambda setup: replace(setup, rewrite=rewrite)


def with_data(
    X: Callable[[Array], Array] = np.copy,
    y: Callable[[Array], Array] = np.copy,
) -> Callable[[Setup], Setup]:
    """Return a function that transforms the inputs, the targets, or both."""
    return lambda setup: replace(setup, X=X(setup.X), y=y(setup.y))


def with_settings(**changed: object) -> Callable[[Setup], Setup]:
    """Return a function that changes settings of ``fit``."""
    return lambda setup: setup.with_recipe(**changed)


def with_hidden(**changed: Any) -> Callable[[Setup], Setup]:
    """Return a function that changes fields of the hidden dense layers."""

    def change(setup: Setup) -> Setup:
        hidden = tuple(replace(x, **changed) if isinstance(x, Dense) else x for x in setup.layers[:-1])
        return replace(setup, layers=(*hidden, setup.layers[-1]))

    return change


def with_dense(**changed: Any) -> Callable[[Setup], Setup]:
    """Return a function that changes fields of all dense layers."""
    return lambda setup: replace(
        setup, layers=tuple(replace(x, **changed) if isinstance(x, Dense) else x for x in setup.layers)
    )


def with_last(**changed: object) -> Callable[[Setup], Setup]:
    """Return a function that changes fields of the last layer."""
    return lambda setup: replace(setup, layers=(*setup.layers[:-1], replace(setup.layers[-1], **changed)))


def with_penalty(lam: float) -> Callable[[Setup], Setup]:
    """Return a function that adds an L2 penalty."""
    return lambda setup: replace(setup, parts={**setup.parts, "regularizer": L2(lam)})


def one_unit(setup: Setup) -> Setup:
    """Use one hidden layer with one unit."""
    return replace(setup, layers=(replace(setup.layers[0], units=1), setup.layers[-1]))  # type: ignore[call-arg]


def eight_sigmoids(setup: Setup) -> Setup:
    """Use eight hidden sigmoid layers."""
    return replace(setup, layers=(*(Dense(16, "sigmoid") for _ in range(8)), setup.layers[-1]))


def square_hidden(setup: Setup) -> Setup:
    """Use two hidden layers of equal size, so that the weight matrix between them is square."""
    hidden = [replace(setup.layers[0], units=12) for _ in range(2)]  # type: ignore[call-arg]
    return replace(setup, layers=(*hidden, setup.layers[-1]))


def tanh_hidden(setup: Setup) -> Setup:
    """Use tanh in the hidden layers; its derivative is a formula in the activation a."""
    return with_hidden(activation="tanh", weights=None)(setup)


def with_rate_times(factor: float) -> Callable[[Setup], Setup]:
    """Return a function that multiplies the learning rate by a factor."""

    def change(setup: Setup) -> Setup:
        rate = factor * rate_of(setup.optimizer)
        return setup.with_recipe(optimizer=with_rate(setup.optimizer, rate))

    return change


def leaky_hidden(setup: Setup) -> Setup:
    """Use leaky ReLU in the hidden layers: its units neither die nor saturate."""
    return with_hidden(activation="leaky_relu", weights=None)(setup)


def one_hidden(setup: Setup) -> Setup:
    """Use one hidden tanh layer."""
    return tanh_hidden(replace(setup, layers=(setup.layers[0], setup.layers[-1])))


def narrow_and_deep(setup: Setup) -> Setup:
    """Use twelve hidden layers of eight units."""
    return replace(setup, layers=(*(Dense(8, "leaky_relu") for _ in range(12)), setup.layers[-1]))


def clipped_descent(setup: Setup) -> Setup:
    """Use full-batch gradient descent with clipped gradients, and leaky ReLU."""
    return leaky_hidden(setup.with_recipe(optimizer=Chain(ClipByNorm(1.0), SGD(0.03)), batch_size=None, epochs=300))


def stochastic_descent(setup: Setup) -> Setup:
    """Use stochastic gradient descent in mini-batches."""
    return setup.with_recipe(optimizer=SGD(0.1))


def unclipped_descent(setup: Setup) -> Setup:
    """Use ``clipped_descent`` without clipping, for 600 epochs."""
    return clipped_descent(setup).with_recipe(optimizer=SGD(0.03), epochs=600)


def penalized_descent(setup: Setup) -> Setup:
    """Use full-batch gradient descent on a small network with an L2 penalty, so that the objective has a minimum."""
    small = replace(setup, layers=(Dense(4, "tanh"), setup.layers[-1]))
    return with_penalty(0.01)(small.with_recipe(optimizer=SGD(0.1), batch_size=None, epochs=8000))


def at_the_edge(setup: Setup) -> Setup:
    """Use a learning rate of 2.2 / curvature, with the curvature at the minimum that a smaller rate finds."""
    network = setup.right_network
    setup.with_recipe(epochs=20_000).fit(network)
    curvature = sharpness(network, setup.X, setup.y)
    return setup.with_recipe(optimizer=SGD(2.2 / curvature))


def growing_rate(setup: Setup) -> Setup:
    """Divide the learning rate by 0.97 at each step."""
    optimizer = setup.optimizer
    grown: Part = SGD(Exponential(rate_of(optimizer), factor=1 / 0.97))
    if isinstance(optimizer, Chain):
        grown = Chain(*optimizer.links[:-1], grown)
    return setup.with_recipe(optimizer=grown)


def full_batch_descent(setup: Setup) -> Setup:
    """Use full-batch gradient descent with learning rate 0.3."""
    return setup.with_recipe(optimizer=SGD(0.3), batch_size=None, epochs=300)


def large_scores(setup: Setup) -> Setup:
    """Initialize the last layer with weights so large that scores reach a thousand."""
    return with_last(weights=Normal(600.0))(setup)


def sorted_by_class(setup: Setup) -> Setup:
    """Sort the rows by class; use small batches without shuffling."""
    order = np.argsort(setup.y, kind="stable")
    in_order = replace(setup, X=setup.X[order], y=setup.y[order])
    return in_order.with_recipe(shuffle=False, batch_size=16, optimizer=SGD(0.3), epochs=60)


def sorted_and_shuffled(setup: Setup) -> Setup:
    """Sort the rows by class, but shuffle them in each epoch."""
    return sorted_by_class(setup).with_recipe(shuffle=True)


def without_shuffling(setup: Setup) -> Setup:
    """Train without shuffling."""
    return setup.with_recipe(shuffle=False)


def rare_class(setup: Setup) -> Setup:
    """Keep three in a hundred rows of class 1, but at least two."""
    ones = np.flatnonzero(setup.y == 1)
    kept = np.sort(np.concatenate([np.flatnonzero(setup.y != 1), ones[: max(len(ones) * 3 // 100, 2)]]))
    return replace(setup, X=setup.X[kept], y=setup.y[kept])


def overfitting_data(setup: Setup) -> Setup:
    """Train a wide network for many epochs on forty rows, some with wrong targets; validate on other rows."""
    order = np.random.default_rng(0).permutation(len(setup.X))
    few, rest = order[:40], order[40:340]
    noisy = setup.y.copy()
    if setup.y.dtype.kind == "f":
        noisy = setup.y + np.random.default_rng(1).normal(size=len(setup.y))
    else:
        wrong = order[:8]
        noisy[wrong] = (setup.y[wrong] + 1) % (setup.y.max() + 1)
    wide = tuple(replace(x, units=64) for x in setup.layers[:-1])  # type: ignore[call-arg]
    small = replace(setup, layers=(*wide, setup.layers[-1]), X=setup.X[few], y=noisy[few])
    return small.with_recipe(validation=(setup.X[rest], setup.y[rest]), epochs=1500, batch_size=None)


def with_early_stopping(setup: Setup) -> Setup:
    """Stop when the validation loss increases, and restore the best parameters."""
    return setup.with_recipe(callbacks=[EarlyStopping(patience=30)])


def permuted(y: Array) -> Array:
    """Permute the targets."""
    return np.random.default_rng(0).permutation(y)


def scaled_to_rms_twelve(X: Array) -> Array:
    """Scale all columns by one factor, so that the largest root mean square of a column is 12."""
    return np.asarray(12 / rms(X, axis=0).max() * X)


def with_year(X: Array) -> Array:
    """Add a column that is 2024 in every row."""
    return np.column_stack([X, np.full(len(X), 2024.0)])


def one_large_column(X: Array) -> Array:
    """Multiply the column with the largest standard deviation by 1000, as if it were in metres among kilometres."""
    factors = np.ones(X.shape[1])
    factors[X.std(axis=0).argmax()] = 1000
    scaled: Array = factors * X
    return scaled


def with_targets_as_column(setup: Setup) -> Setup:
    """Add the targets as a column of the inputs."""
    return replace(setup, X=np.column_stack([setup.X, setup.y]))


def with_row_numbers(setup: Setup) -> Setup:
    """Sort the rows by their targets and add the row number, divided by the number of rows, as a column."""
    order = np.argsort(setup.y, kind="stable")
    numbers = np.arange(len(order)) / len(order)
    return replace(setup, X=np.column_stack([numbers, setup.X[order]]), y=setup.y[order])


def with_copied_rows(setup: Setup) -> Setup:
    """Append copies of a third of the rows."""
    rows = np.random.default_rng(0).permutation(len(setup.X))
    both = np.concatenate([rows, rows[: len(rows) // 3]])
    return replace(setup, X=setup.X[both], y=setup.y[both])


def with_missing_code(X: Array) -> Array:
    """Write -999 into a twelfth of the rows, in the column with the largest standard deviation."""
    coded = X.copy()
    coded[np.random.default_rng(0).permutation(len(X))[: len(X) // 12], X.std(axis=0).argmax()] = -999
    return coded


def as_pixels(X: Array) -> Array:
    """Round all columns to whole numbers from 0 to 16 in ``uint8``."""
    unit = (X - X.min(axis=0)) / np.maximum(np.ptp(X, axis=0), 1e-12)
    pixels: Array = np.round(16 * unit).astype(np.uint8)
    return pixels


def pixels_around_zero(setup: Setup) -> Setup:
    """Use pixels from 0 to 16, less 8, divided by 8."""
    return replace(setup, X=(as_pixels(setup.X) - 8.0) / 8)


def overflowing_pixels(setup: Setup) -> Setup:
    """Subtract 8 in ``uint8``, so that 7 becomes 255; divide by 255."""
    pixels = np.round(8 * setup.X + 8).astype(np.uint8)
    return replace(setup, X=(pixels - np.uint8(8)) / 255)


def four_named_classes(setup: Setup) -> Setup:
    """Make four classes from the quarters of the targets, numbered in an order without meaning."""
    quarter = np.searchsorted(np.quantile(setup.y, (0.25, 0.5, 0.75)), setup.y)
    layers = (*setup.layers[:-1], Dense(4))
    return replace(
        setup, y=np.array([2, 0, 3, 1])[quarter], layers=layers, parts={**setup.parts, "loss": CrossEntropy()}
    )


def class_numbers_as_targets(setup: Setup) -> Setup:
    """Predict the class number with one output and the squared error."""
    parts = {**setup.parts, "loss": SquaredError()}
    return replace(setup, y=setup.y.astype(np.float64), layers=(*setup.layers[:-1], Dense(1)), parts=parts)


def rounded_targets_as_classes(setup: Setup) -> Setup:
    """Round the targets to twentieths and make each number a class."""
    y = np.round(20 * setup.y).astype(np.int64)
    layers = (*setup.layers[:-1], Dense(len(np.unique(y))))
    return replace(setup, y=y, layers=layers, parts={**setup.parts, "loss": CrossEntropy()})


def with_wrong_labels(y: Array) -> Array:
    """Replace the labels of about a seventh of the rows by another label."""
    wrong = np.random.default_rng(0).permutation(len(y))[: len(y) // 7]
    noisy = y.copy()
    noisy[wrong] = (y[wrong] + 1) % (y.max() + 1)
    return noisy


def with_one_class_mislabelled(y: Array) -> Array:
    """Replace the labels of about a third of class 1 by the next label."""
    ones = np.flatnonzero(y == 1)
    wrong = np.random.default_rng(0).permutation(ones)[: len(ones) // 3]
    noisy = y.copy()
    noisy[wrong] = (y[wrong] + 1) % (y.max() + 1)
    return noisy


def several_labels(setup: Setup) -> Setup:
    """Give each row two labels of its own: whether it is of class 1, and whether its most varied column is large."""
    column = setup.X[:, setup.X.std(axis=0).argmax()]
    y = np.column_stack([setup.y == 1, column > column.mean()]).astype(int)
    parts = {**setup.parts, "loss": BinaryCrossEntropy()}
    return replace(setup, y=y, layers=(*setup.layers[:-1], Dense(2)), parts=parts)


def rare_label(setup: Setup) -> Setup:
    """Keep three in a hundred of the rows with the first label, but at least two."""
    with_label, without = np.flatnonzero(setup.y[:, 0]), np.flatnonzero(setup.y[:, 0] == 0)
    kept = np.sort(np.concatenate([without, with_label[: max(len(with_label) * 3 // 100, 2)]]))
    return replace(setup, X=setup.X[kept], y=setup.y[kept])


def skewed(y: Array) -> Array:
    """Return targets whose logarithms are the given ones, standardized."""
    targets: Array = standardized(np.exp(2.5 * y))
    return targets


# -- the split and the settings ------------------------------------------------------------------


def with_held_out_rows(setup: Setup) -> Setup:
    """Hold out a quarter of the rows for validation."""
    order = np.random.default_rng(0).permutation(len(setup.X))
    held, kept = order[: len(order) // 4], order[len(order) // 4 :]
    trained = replace(setup, X=setup.X[kept], y=setup.y[kept])
    return trained.with_recipe(validation=(setup.X[held], setup.y[held]))


def with_validation(
    X: Callable[[Array], Array] = np.copy, y: Callable[[Array], Array] = np.copy
) -> Callable[[Setup], Setup]:
    """Return a function that transforms the inputs or the targets of the validation rows."""

    def change(setup: Setup) -> Setup:
        held_X, held_y = setup.recipe.validation
        return setup.with_recipe(validation=(X(held_X), y(held_y)))

    return change


def split_by_target(setup: Setup) -> Setup:
    """Hold out the quarter of the rows with the largest targets."""
    X, y = np.vstack([setup.X, setup.recipe.validation[0]]), np.append(setup.y, setup.recipe.validation[1])
    order = np.argsort(y, kind="stable")
    kept, held = order[: len(setup.y)], order[len(setup.y) :]
    return replace(setup, X=X[kept], y=y[kept]).with_recipe(validation=(X[held], y[held]))


def with_shared_rows(setup: Setup) -> Setup:
    """Add a quarter of the training rows to the validation rows."""
    some = len(setup.X) // 4
    held_X, held_y = setup.recipe.validation
    both = np.vstack([held_X, setup.X[:some]]), np.append(held_y, setup.y[:some])
    return setup.with_recipe(validation=both)


def with_strong_dropout(setup: Setup) -> Setup:
    """Drop 95 % of the units before the last layer."""
    return replace(setup, layers=(*setup.layers[:-1], Dropout(0.95), setup.layers[-1]))


def batch_norm_hidden(setup: Setup) -> Setup:
    """Use batch normalization in one hidden layer, and an even number of rows."""
    even = len(setup.X) // 2 * 2
    layers = (Dense(16), BatchNorm("relu"), setup.layers[-1])
    return replace(setup, layers=layers, X=setup.X[:even], y=setup.y[:even])


def narrow_middle(setup: Setup) -> Setup:
    """Put a layer of one unit before two layers of 32."""
    hidden = [Dense(1, "tanh"), Dense(32, "relu"), Dense(32, "relu")]
    return replace(setup, layers=(*hidden, setup.layers[-1]))


def huge_hidden(setup: Setup) -> Setup:
    """Use two hidden layers of 256 units, for a few epochs."""
    layers = (Dense(256, "relu"), Dense(256, "relu"), setup.layers[-1])
    return replace(setup, layers=layers).with_recipe(epochs=10, optimizer=Adam(0.003))


def without_hidden(setup: Setup) -> Setup:
    """Use only the last layer."""
    return replace(setup, layers=(setup.layers[-1],))


def with_noisy_steps(setup: Setup) -> Setup:
    """Use small batches, and stop early with patience, on a share of the rows."""
    stopping = [EarlyStopping(patience=30)]
    return setup.with_recipe(batch_size=8, epochs=100, optimizer=SGD(0.1), validation=0.2, callbacks=stopping)


def impatient(setup: Setup) -> Setup:
    """Stop at the first epoch that is not better."""
    return setup.with_recipe(callbacks=[EarlyStopping(patience=1)])
