"""The recipe for tables: which network to train on a table, and how, with nothing to set.

It is RealMLP-TD-S (Holzmüller, Grinsztajn, Steinwart 2024, "Better by default", appendix A): robust scaling and
``SmoothClip``, a learned ``Scale`` of the columns, three hidden layers in NTK parametrization, Adam with the schedule
``CosineLog`` and ``RateFactors``, label smoothing, and the parameters of the best epoch on validation rows.
``TD_S_CLASSIFICATION`` and ``TD_S_REGRESSION`` are its two forms as published, one network with 256 units a layer.

``CLASSIFICATION`` and ``REGRESSION``, the defaults, train four networks with 64 units a layer instead, and merge them
into one network that predicts their mean.  On the tables for development this is more accurate and faster to train.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from workings.errors import unknown_name
from workings.files.merging import merged
from workings.layers import (
    ClipPredictions,
    Dense,
    Exp,
    Interpolation,
    Layer,
    NTKDense,
    Scale,
    SmoothClip,
    number_layers,
)
from workings.losses import CrossEntropy, SquaredError
from workings.network import Network
from workings.optimizers import Adam, Chain, RateFactors
from workings.schedules import Constant, CosineLog, Schedule
from workings.support.arrays import Array, RandomSource
from workings.support.keywords import CheckedKeywords
from workings.support.ranges import check_fields, number, whole_number
from workings.tables.columns import Columns
from workings.tables.embedding import EMBEDDINGS, RATE, InputBlock, embedding_layers, input_blocks
from workings.tables.screening import MISSING
from workings.tables.target_transform import (
    TRANSFORMS,
    LogTransform,
    QuantileTransform,
    TargetTransform,
    chosen_transform,
    target_scale,
    transform_of,
)
from workings.training.callbacks import Callback
from workings.training.early_stopping import EarlyStopping
from workings.training.fit import train
from workings.training.fit_many import make_and_run
from workings.training.history import History
from workings.training.recipe import Recipe
from workings.training.training import Training
from workings.training.training_data import prepare, stratified

FEWEST_ROWS = 10  # with fewer rows, all are training rows
LAST_OF_EQUALS = -1e-12  # an epoch that is as good as the best so far replaces it
FEW_EPOCHS = 5  # whose time is measured
FLOAT32 = np.finfo(np.float32)


@dataclass(frozen=True)
class TableFit:
    """A network to train on the rows of a table: its training and validation rows, and the recipe of its training."""

    network: Network
    training: tuple[Array, Array]
    validation: tuple[Array, Array] | None
    recipe: Recipe
    transform: TargetTransform | None = None  # of the targets that the network is trained on

    @property
    def predictor(self) -> Network:
        """The network, whose last layer undoes the transform of the target."""
        return with_inverse(self.network, self.transform)

    def run(self, engine: str = "auto", callbacks: Sequence[Callback] = ()) -> History:
        """Train the network, with further callbacks."""
        return train(self.network, *self.training, self.with_callbacks(callbacks), engine=engine)

    def with_callbacks(self, callbacks: Sequence[Callback]) -> Recipe:
        """Return the recipe of the training with the validation rows and further callbacks."""
        return replace(self.recipe, validation=self.validation, callbacks=(*callbacks, *self.recipe.callbacks))


class RecipeTraining(Training):
    """A training of the recipe for tables.

    It compiles for shorter trainings than ``Network.fit``.  The estimated saving does not count how long NumPy takes
    for SELU and Mish; and one compiled program, kept on disk, serves the fits of most tables.
    """

    worth_compiling: ClassVar[float] = 0.25


def train_together(
    fits: Sequence[TableFit], engine: str = "auto", progress: Callable[[int], Sequence[Callback]] = lambda place: ()
) -> list[History]:
    """Train the networks of the recipe; ``progress(place)`` returns further callbacks of one.

    Raises
    ------
    DivergenceError
        If a network diverges, after all others are trained.
    """
    recipes = [fit.with_callbacks(progress(place)) for place, fit in enumerate(fits)]

    def make() -> list[RecipeTraining]:
        return [
            RecipeTraining(
                fit.network, prepare(fit.network, *fit.training, recipe), recipe, engine=engine, fits=len(fits)
            )
            for fit, recipe in zip(fits, recipes, strict=True)
        ]

    errors = make_and_run([fit.network for fit in fits], make)
    if errors:
        raise errors[min(errors)]
    return [history for fit in fits if (history := fit.network.history) is not None]


def one_network(fits: Sequence[TableFit]) -> Network:
    """Return one network that predicts the mean of the trained networks; see ``workings.files.merging``.

    With a transform of the target, it is the mean of the transformed predictions.
    """
    return with_inverse(Network.from_model(merged([fit.network for fit in fits])), fits[0].transform)


def with_inverse(network: Network, transform: TargetTransform | None) -> Network:
    """Return a network followed by the inverse of a transform of its target; without one, the network itself."""
    if transform is None:
        return network
    found = network.with_layers([*network.layers, transform.inverse])
    last = list(number_layers(found.layers))[-1][1]
    start = transform.inverse.start(np.random.default_rng(0), 1)
    added = {f"{letter}{last}": array for letter, array in start.items()}
    assert network.n_in is not None
    return found.place(network.n_in, {**network.parameters, **network.statistics, **added})


def without_inverse(network: Network, y: Array) -> tuple[Network, Array]:
    """Return the network that was trained, and the targets ``y`` as it learned them: the opposite of ``with_inverse``.

    A network whose last layer is no inverse, or cannot give these targets, is returned as it is.
    """
    last = network.layers[-1]
    transform: TargetTransform | None = None
    if isinstance(last, Exp) and last.factor > 0 and y.min() > 0:
        transform = LogTransform(last.shift, last.factor)
    elif isinstance(last, Interpolation):
        transform = QuantileTransform(tuple(last.inputs), tuple(last.outputs))
    if transform is None or network.n_in is None:
        return network, y
    inner = network.with_layers(network.layers[:-1])
    return inner.place(network.n_in, {**network.parameters, **network.statistics}), transform.apply(y)


@dataclass(frozen=True)
class Draw:
    """The random choices in the training of a network: the indices of its validation rows, and its seed."""

    held_out: Array
    seed: int


def first_number(state: np.random.RandomState) -> int:
    """Return the seed of the draws of a recipe, which is the first number of a random state.

    >>> first_number(np.random.RandomState(0))
    209652396
    """
    return int(state.randint(2**31 - 1))


def as_inputs(X: Array) -> Array:
    """Return encoded rows of a table as float32, with the largest finite numbers in place of larger ones."""
    with np.errstate(over="ignore"):
        clipped: Array = np.clip(X.astype(np.float32), FLOAT32.min, FLOAT32.max)
    return clipped


@dataclass(frozen=True)
class TableRecipe(CheckedKeywords):
    """The settings of the recipe.

    Parameters
    ----------
    activation : str
        The activation of the hidden layers.
    lr : float
        The highest learning rate.
    hidden : sequence of int
        The number of units of each hidden layer.
    networks : int
        The number of networks whose mean is the prediction.
    label_smoothing : float
        For classification: see ``CrossEntropy``.
    clip, scale, ntk, cycles, zeros : bool
        Whether to use ``SmoothClip``, ``Scale``, ``NTKDense``, ``CosineLog``, and a last layer that starts at 0.
    scale_rate, bias_rate : float
        The factors of the learning rate for ``Scale`` and for biases.
    beta2 : float
        The constant of Adam.
    batch_size : int
        The number of rows in a batch, about; batches are nearly equal.
    epochs : int or None
        The number of epochs; None for ``most_epochs``, or as many as ``most_steps`` allows, see ``epochs_for``.
    most_epochs, fewest_epochs, most_steps : int
        With many rows, an epoch has many steps, so fewer epochs suffice.
    validation : float
        The share of rows that choose the best epoch.
    own_validation : bool
        Whether each network has validation rows of its own, so that together they learn from all rows; otherwise all
        have the same, which then can score their mean, as ``workings train`` does.
    missing : str
        For the estimators: ``"fill"`` only fills missing values, with the median or with zeros.  ``"indicate"`` also
        marks missing numbers in a column of their own and makes missing categories a category of their own, where the
        training table has some, as ``workings train`` does by default.
    embed : str or None
        How to embed the columns: ``"periodic"``, ``"piecewise"``, or None for not at all; see ``embedding_layers``.
    target : str
        For regression: ``"log"`` or ``"quantile"`` transforms the target, ``"none"`` only standardizes it.
        ``"auto"`` takes the logarithm of positive, skewed targets; see ``chosen_transform``.
    blocks : tuple of InputBlock
        The columns to embed, from ``for_columns``.

    Examples
    --------
    >>> CLASSIFICATION.layers(outputs=3)[:3]
    [SmoothClip(limit=3.0), Scale(), NTKDense(64, 'selu')]
    """

    activation: str
    lr: float = field(metadata=number(above=0))
    hidden: Sequence[int] = (64, 64, 64)
    networks: int = field(default=4, metadata=whole_number(at_least=1))
    label_smoothing: float = field(default=0.1, metadata=number(at_least=0, below=1))
    clip: bool = True
    scale: bool = True
    ntk: bool = True
    cycles: bool = True
    zeros: bool = True
    scale_rate: float = field(default=6.0, metadata=number(above=0))
    bias_rate: float = field(default=0.1, metadata=number(above=0))
    beta2: float = field(default=0.95, metadata=number(at_least=0, below=1))
    batch_size: int = field(default=256, metadata=whole_number(at_least=1))
    epochs: int | None = field(default=None, metadata=whole_number(at_least=1, optional=True))
    most_epochs: int = field(default=256, metadata=whole_number(at_least=1))
    fewest_epochs: int = field(default=32, metadata=whole_number(at_least=1))
    most_steps: int = field(default=800, metadata=whole_number(at_least=1))
    validation: float = field(default=0.2, metadata=number(at_least=0, below=1))
    own_validation: bool = True
    missing: str = "fill"
    embed: str | None = None
    target: str = "auto"
    blocks: tuple[InputBlock, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        if self.embed is not None and self.embed not in EMBEDDINGS:
            raise unknown_name("embedding", self.embed, EMBEDDINGS)
        if self.target not in TRANSFORMS:
            raise unknown_name("transform of the target", self.target, TRANSFORMS)
        if self.missing not in MISSING[:2]:
            raise unknown_name("treatment of missing values", self.missing, MISSING[:2])

    def for_target(self, y: Array) -> tuple[TableRecipe, tuple[float, float]]:
        """Return the recipe for numbers ``y``, and the mean and the spread with which they are standardized."""
        chosen = chosen_transform(self.target, y)
        return replace(self, target=chosen), target_scale(chosen, y)

    def for_columns(self, columns: Columns) -> TableRecipe:
        """Return the recipe for a table with these columns."""
        return replace(self, blocks=input_blocks(columns))

    def embedding(self, X: Array) -> list[Layer]:
        """Return the layers that embed the columns; ``X`` are the encoded training rows."""
        return embedding_layers(self.embed, self.blocks, X) if self.embed else []

    def layers(
        self, outputs: int, bounds: tuple[float, float] | None = None, embedding: Sequence[Layer] = ()
    ) -> list[Layer]:
        """Return the layers for a number of outputs; ``bounds`` limit the targets, for regression."""
        kind = NTKDense if self.ntk else Dense
        start: dict[str, Any] = {"weights": "zeros", "biases": "zeros"} if self.zeros else {}
        return [
            *([SmoothClip()] if self.clip else []),
            *embedding,
            *([Scale()] if self.scale else []),
            *(kind(units, self.activation) for units in self.hidden),
            kind(outputs, **start),
            *([ClipPredictions(*bounds)] if bounds else []),
        ]

    def optimizer(self, steps: int, embedding: Sequence[Layer] = ()) -> Chain:
        """Return the optimizer of a training of this many steps."""
        schedule: Schedule = CosineLog(self.lr, steps) if self.cycles else Constant(self.lr)
        factors = {letter: RATE for layer in embedding for letter in layer.parameters}
        factors |= {"s": self.scale_rate} if self.scale else {}
        return Chain(RateFactors(**factors, b=self.bias_rate), Adam(schedule, beta2=self.beta2))

    def batches(self, rows: int) -> tuple[int, int]:
        """Return the batch size and the number of batches of an epoch.

        >>> CLASSIFICATION.batches(600), CLASSIFICATION.batches(100)
        ((300, 2), (100, 1))
        """
        count = max(1, round(rows / self.batch_size))
        size = -(-rows // count)
        return size, -(-rows // size)

    def epochs_for(self, rows: int) -> int:
        """Return the number of epochs for a number of training rows.

        >>> [REGRESSION.epochs_for(rows) for rows in (800, 4000, 100_000)]
        [128, 40, 32]
        """
        if self.epochs is not None:
            return self.epochs
        _, count = self.batches(rows)
        return min(self.most_epochs, max(self.most_steps // count, self.fewest_epochs))

    def network(
        self,
        y: Array,
        classes: Array | None,
        seed: int | RandomSource | None,
        n_in: int,
        embedding: Sequence[Layer] = (),
    ) -> Network:
        """Return an untrained network for targets ``y``: labels, or standardized float32 numbers without classes."""
        if classes is None:
            bounds = (float(y.min()), float(y.max()))
            return Network(
                self.layers(1, bounds, embedding), loss=SquaredError(), seed=seed, n_in=n_in, dtype="float32"
            )
        loss = CrossEntropy(label_smoothing=self.label_smoothing)
        network = Network(self.layers(len(classes), None, embedding), loss=loss, seed=seed, n_in=n_in, dtype="float32")
        network.set_classes(classes)  # a rare class may occur in validation rows alone
        return network

    def training_recipe(
        self,
        rows: int,
        *,
        is_validated: bool,
        classification: bool,
        class_weight: str | None = None,
        embedding: Sequence[Layer] = (),
    ) -> Recipe:
        """Return the settings of a training with a number of rows, without the validation rows."""
        (size, count), epochs = self.batches(rows), self.epochs_for(rows)
        monitor = "val_accuracy" if classification else "val_loss"
        best = EarlyStopping(monitor, patience=epochs, min_delta=LAST_OF_EQUALS)
        return Recipe(
            self.optimizer(epochs * count, embedding),
            epochs,
            size,
            callbacks=[best] if is_validated else [],
            class_weight=class_weight,
            running_loss=True,  # no forward pass over all training rows after each epoch
        )

    def fit_of(
        self, X: Array, y: Array, draw: Draw, *, classes: Array | None = None, class_weight: str | None = None
    ) -> TableFit:
        """Return the network for the encoded rows of a table, and how it is trained.

        This is the one way from a table to a network of the recipe: the estimators and the command line call it.

        Parameters
        ----------
        X : array of shape (n, n_in)
            The rows, from ``Columns.encode``.
        y : array of shape (n,)
            Labels, or numbers that are standardized over all n rows, as ``for_target`` says.
        draw : Draw
            The validation rows and the seed, from ``draws``.
        classes : array of shape (classes,), optional
            The sorted labels; none for regression.
        class_weight : str, optional
            As for ``fit``.
        """
        X, transform = as_inputs(X), None if classes is not None else transform_of(self.target, y)
        y = y if transform is None else transform.apply(y)
        y = y if classes is not None else y.astype(np.float32)
        is_kept = np.ones(len(X), dtype=bool)
        is_kept[draw.held_out] = False
        embedding = self.embedding(X)
        network = self.network(y, classes, draw.seed, X.shape[1], embedding)
        is_validated = len(draw.held_out) > 0
        recipe = self.training_recipe(
            int(is_kept.sum()),
            is_validated=is_validated,
            classification=classes is not None,
            class_weight=class_weight,
            embedding=embedding,
        )
        validation = (X[draw.held_out], y[draw.held_out]) if is_validated else None
        return TableFit(network, (X[is_kept], y[is_kept]), validation, recipe, transform)

    def draws(self, n: int, codes: Array | None, seed: int) -> Iterator[Draw]:
        """Draw the validation rows and the seed of each network; ``codes`` number the classes of the n rows.

        >>> [len(one.held_out) for one in CLASSIFICATION.draws(10, None, seed=0)]
        [2, 2, 2, 2]
        """
        rng = np.random.default_rng(seed)
        for place in range(self.networks):
            if place == 0 or self.own_validation:
                rows = self.validation_rows(n, codes, rng)
            yield Draw(rows, int(rng.integers(2**31)))

    def validation_rows(self, n: int, codes: Array | None, rng: np.random.Generator) -> Array:
        """Draw the indices of the validation rows, by class if ``codes`` number the classes of the rows."""
        if n < FEWEST_ROWS or not self.validation:
            return np.zeros(0, dtype=np.int64)
        rows, order = max(1, round(n * self.validation)), rng.permutation(n)
        if codes is not None:
            order = stratified(order, codes, rows)
        found: Array = np.sort(order[:rows])
        return found

    def within(
        self, seconds: float, X: Array, y: Array, classes: Array | None, engine: str, fits: int = 1
    ) -> TableRecipe:
        """Return the recipe with as many epochs as fit into a time, from 8 to its usual number; it trains to measure.

        The time is for a number of fits, each of all networks.
        """
        nothing = Draw(np.zeros(0, dtype=np.int64), 0)
        began, engine = time.perf_counter(), self.engine_for(X, y, classes, engine)
        short, few = replace(self, epochs=1), replace(self, epochs=FEW_EPOCHS)
        short.fit_of(X, y, nothing, classes=classes).run(engine)  # which also compiles
        compiled = time.perf_counter()
        few.fit_of(X, y, nothing, classes=classes).run(engine)
        ended = time.perf_counter()
        left = (seconds - (ended - began)) / (fits * self.networks)
        epochs = int(left / (1.1 * (ended - compiled) / FEW_EPOCHS))
        usual = self.epochs_for(round(len(X) * (1 - self.validation)))
        return replace(self, epochs=min(max(epochs, 8), usual))

    def engine_for(self, X: Array, y: Array, classes: Array | None, engine: str) -> str:
        """Return the name of the engine that trains all epochs of all networks on some rows."""
        fit = self.fit_of(X, y, Draw(np.zeros(0, dtype=np.int64), 0), classes=classes)
        data = prepare(fit.network, *fit.training, fit.recipe)
        training = RecipeTraining(fit.network, data, fit.recipe, engine=engine, fits=self.networks)
        return training.history.engine.split()[0]


CLASSIFICATION = TableRecipe("selu", 0.04, most_epochs=64)
REGRESSION = TableRecipe("mish", 0.07, most_epochs=128, most_steps=640)
TD_S_CLASSIFICATION = TableRecipe("selu", 0.04, hidden=(256, 256, 256), networks=1, epochs=256)
TD_S_REGRESSION = TableRecipe("mish", 0.07, hidden=(256, 256, 256), networks=1, epochs=256, target="none")
