"""The state of a model: layers, loss, parameters and class labels, and the methods that change them.

Other modules read the attributes, but change them only with the methods here.  The parameters are named views
of one flat vector, ``theta``.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, TypedDict

import numpy as np
from numpy.typing import DTypeLike

from workings.errors import InputError, ProgramError, WorkingsWarning
from workings.layers import Dropout, Layer, number_layers
from workings.losses import Loss, loss_named
from workings.model.parameters import Parameters
from workings.model.runners import runners_for
from workings.model.targets import Targets, targets_of
from workings.optimizers import Part
from workings.program.program import Program
from workings.regularizers import Regularizer
from workings.support.arrays import Array, RandomSource, as_random, describe, how_made, working_dtype
from workings.support.callers import frames_to_caller
from workings.support.keywords import CheckedKeywords, checked_keywords
from workings.support.ranges import as_whole_number

MOST_PARAMETERS = 2**40  # of a layer: 8 TB


def refuse_too_large(layer: Layer, n_in: int) -> None:
    """Raise for a layer that no machine can hold."""
    count = sum(math.prod(shape) for shape in layer.shapes(n_in).values())
    if count > MOST_PARAMETERS:
        raise InputError(
            f"{layer!r} with {n_in} inputs would have more than {MOST_PARAMETERS:,} parameters. Correct its units or "
            f"n_in."
        )


class StepState(TypedDict, total=False):
    """What ``Model.step`` keeps between its calls: an optimizer, how many steps it made, and its state by name."""

    optimizer: Part
    t: int
    values: dict[str, Array]


class ModelState(CheckedKeywords):
    """Layers, loss and regularizers, parameters and statistics, class labels, and the random generator."""

    def __init__(
        self,
        layers: Sequence[Layer],
        *,
        loss: Loss | str,
        regularizer: Regularizer | Sequence[Regularizer] | None = None,
        seed: int | RandomSource | None = None,
        n_in: int | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self._layers = checked_layers(layers)
        self._loss = loss_named(loss)
        self._regularizers = checked_regularizers(regularizer)
        self._rng = as_random(seed)
        self.rng_made = how_made(seed)  # how the seed was given, for the script export
        warn_of_two_activations(self.layers[-1], self.loss)
        self._n_in: int | None = None
        self.dtype_given = dtype is not None
        self._dtype = working_dtype(None, dtype)
        self._parameters = Parameters({}, np.zeros(0))
        self._statistics: dict[str, Array] = {}
        self.state: StepState = {}
        self.preprocessing: dict[str, Any] | None = None
        self._history: object = None  # History of the last training
        self._targets = targets_of(self.loss.target, self.n_out)
        self._edits: tuple[tuple[str, str], ...] = ()
        self._is_fresh = False  # whether the parameters are still the initial ones
        self.runners: dict[object, object] = runners_for(self.layers, self.loss, self.regularizers)
        if n_in is not None:
            self.build(n_in)

    # -- attributes, read-only -------------------------------------------------------------

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, from first to last."""
        return self._layers

    @property
    def loss(self) -> Loss:
        """The loss that training minimizes."""
        return self._loss

    @property
    def regularizers(self) -> tuple[Regularizer, ...]:
        """The penalties that are added to the loss."""
        return self._regularizers

    @property
    def rng(self) -> RandomSource:
        """The random generator of initial parameters, row orders and dropout masks."""
        return self._rng

    @property
    def n_in(self) -> int | None:
        """The number of columns of X; None before the parameters are drawn."""
        return self._n_in

    @property
    def dtype(self) -> np.dtype[Any]:
        """The precision of the parameters: float32 or float64."""
        return self._dtype

    @property
    def parameters(self) -> Parameters:
        """The parameters by name, such as ``W1``: views of ``theta``, whose entries may be changed."""
        return self._parameters

    @property
    def statistics(self) -> dict[str, Array]:
        """The running means and variances of BatchNorm layers, and the fixed arrays of other layers, by name."""
        return self._statistics

    @property
    def fixed_names(self) -> tuple[str, ...]:
        """The names of the arrays among ``statistics`` that training does not change."""
        return tuple(f"{letter}{number}" for layer, number in number_layers(self.layers) for letter in layer.fixed)

    @property
    def targets(self) -> Targets:
        """How targets are encoded and predictions decoded."""
        return self._targets

    @property
    def history(self) -> Any:
        """The history of the last training; None before the first."""
        return self._history

    @property
    def edits(self) -> tuple[tuple[str, str], ...]:
        """The statements that ``replacing`` changed: pairs of a name and an expression."""
        return self._edits

    @property
    def is_fresh(self) -> bool:
        """Whether the parameters are still the initial ones."""
        return self._is_fresh

    @property
    def n_out(self) -> int:
        """The number of outputs."""
        width = self.n_in or 1
        for layer in self.layers:
            width = layer.width(width)
        return width

    @property
    def theta(self) -> Array:
        """All parameters as one flat vector; ``parameters`` has named views of it."""
        return self.parameters.theta

    @property
    def classes(self) -> Array | None:
        """The class labels of the outputs; None before they are known."""
        return self.targets.classes

    # -- building ---------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, object]:
        """Return the state for copy and pickle, without compiled programs; these are recreated when needed."""
        return {**self.__dict__, "runners": {}}

    @checked_keywords
    def build(self, n_in: int, dtype: DTypeLike | None = None) -> Self:
        """Draw the initial parameters for inputs with ``n_in`` columns; return the network."""
        columns = as_whole_number(n_in)
        if columns is None or columns < 1:
            raise InputError(f"n_in must be a whole number from 1, not {describe(n_in)}.")
        self._dtype = self.dtype if self.dtype_given else working_dtype(None, dtype)
        drawn: dict[str, Array] = {}
        width = columns
        for layer, number in number_layers(self.layers):
            refuse_too_large(layer, width)
            drawn |= {f"{letter}{number}": array for letter, array in layer.start(self.rng, width).items()}
            width = layer.width(width)
        made = self.rng_made
        self.place(columns, drawn)
        self.rng_made, self._is_fresh = made, True
        return self

    def place(self, n_in: int, arrays: Mapping[str, Array]) -> Self:
        """Build the model for ``n_in`` inputs with given parameters and statistics; return the model.

        The arrays have the names and shapes that ``build`` would draw; they are copied in the model's
        precision.
        """
        self._n_in = n_in
        numbered = list(number_layers(self.layers))
        names = [f"{letter}{number}" for layer, number in numbered for letter in layer.parameters]
        theta = np.concatenate([np.ravel(arrays[name]) for name in names]).astype(self.dtype)
        self._parameters = Parameters({name: arrays[name].shape for name in names}, theta)
        untrained = [f"{letter}{number}" for layer, number in numbered for letter in layer.untrained]
        self._statistics = {name: arrays[name].astype(self.dtype) for name in untrained}
        self.rng_made = None  # the parameters do not come from a seed
        self.state, self._is_fresh = {}, False
        return self

    # -- changes in place ------------------------------------------------------------------

    def set_targets(self, targets: Targets) -> None:
        """Replace the encoder of targets, for example after new class labels were learned."""
        self._targets = targets

    def set_classes(self, classes: Array | None) -> None:
        """Replace the class labels; None if targets are numbers already."""
        self._targets = replace(self._targets, classes=classes)

    def set_loss(self, loss: Loss) -> None:
        """Replace the loss by one with the same kind of targets."""
        self._loss, self.runners = loss, {}

    def share_runners(self, runners: dict[object, object]) -> None:
        """Use a cache of compiled programs that networks with the same description share."""
        self.runners = runners

    def set_random_generator(self, rng: RandomSource) -> None:
        """Replace the random generator."""
        self._rng = rng

    def start_training(self) -> None:
        """Note that the parameters are no longer the initial ones."""
        self._is_fresh = False

    def set_history(self, history: object) -> None:
        """Store the history of a training."""
        self._history = history

    def set_values(self, values: Mapping[str, Array], *, is_fresh: bool = False) -> None:
        """Copy parameters and statistics by name into the model; ``is_fresh`` says whether they are initial ones."""
        self._is_fresh = is_fresh
        for name, view in self.parameters.views.items():
            view[...] = values[name]
        for name in self.statistics:
            self.statistics[name] = np.array(values[name])

    # -- modified copies -------------------------------------------------------------------

    @checked_keywords
    def astype(self, dtype: DTypeLike) -> Self:
        """Return a copy with parameters and statistics of another dtype.

        >>> from workings import Dense, Network
        >>> Network([Dense(1)], loss="SquaredError", n_in=2, seed=0).astype("float32").theta.dtype
        dtype('float32')
        """
        copied = copy.deepcopy(self)
        copied._dtype, copied.runners = np.dtype(dtype), {}
        copied._parameters = Parameters(self.parameters.shapes, self.theta.astype(dtype))
        copied._statistics = {name: value.astype(dtype) for name, value in self.statistics.items()}
        return copied

    @checked_keywords
    def without(self, *, regularizers: bool = False, dropout: bool = False, edited_updates: bool = False) -> Self:
        """Return a copy without regularizers, dropout layers, or edits of the update.

        >>> from workings import Dense, Dropout, Network
        >>> Network([Dropout(0.5), Dense(1)], loss="SquaredError", n_in=2).without(dropout=True).layers
        (Dense(1, 'identity'),)
        """
        copied = copy.deepcopy(self)
        copied.runners = {}
        if regularizers:
            copied._regularizers = ()
        if dropout:
            copied._layers = tuple(layer for layer in copied.layers if not isinstance(layer, Dropout))
        if edited_updates:
            copied._edits = tuple(edit for edit in copied.edits if edit[0] not in copied.parameters)
        return copied

    def with_layers(self, layers: Sequence[Layer]) -> Self:
        """Return a copy with other layers, without parameters; ``place`` gives it some."""
        copied = copy.deepcopy(self)
        copied._layers, copied.runners = tuple(layers), {}
        return copied

    def with_classes(self, classes: Array | None) -> Self:
        """Return a copy with other class labels; None if targets are numbers already."""
        copied = copy.deepcopy(self)
        copied.set_classes(classes)
        return copied

    # -- for training ----------------------------------------------------------------------

    def start_values(self, program: Program) -> dict[str, Array]:
        """Return copies of parameters and statistics, and the optimizer's state at 0, by name."""
        values = {name: array.copy() for name, array in {**self.parameters, **self.statistics}.items()}
        for name in program.states:
            values[name] = np.zeros_like(next(view for p, view in self.parameters.items() if name.endswith(f"_{p}")))
        return values

    def draw_masks(self, n: int, rng: RandomSource | None = None) -> dict[str, Array]:
        """Draw the dropout masks of all layers for ``n`` rows, by default from the model's random generator."""
        drawn: dict[str, Array] = {}
        width = self.n_in or 1
        for layer, number in number_layers(self.layers):
            for letter, array in layer.draw(rng or self.rng, n, width).items():
                drawn[f"{letter}{number}"] = array.astype(self.dtype)
            width = layer.width(width)
        return drawn


def warn_of_two_activations(last: Layer, loss: Loss) -> None:
    """Warn if the last layer has an activation and the loss applies another one after it."""
    if not loss.takes_any_number and last.activation_function.name != "identity":
        warnings.warn(
            f"The last layer, {last!r}, has an activation, and {type(loss).__name__} applies its own after it: the "
            f"network can hardly learn. Leave the activation out.",
            WorkingsWarning,
            stacklevel=frames_to_caller(),
        )


def checked_layers(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Return layers as a tuple; raise an error if they are not a list of layers."""
    if isinstance(layers, Layer) or not isinstance(layers, Sequence) or not layers:
        raise InputError(f"layers must be a list such as [Dense(32, 'relu'), Dense(10)], not {describe(layers)}.")
    for number, layer in enumerate(layers, start=1):
        if not isinstance(layer, Layer):
            raise InputError(
                f"Layer {number} is {describe(layer)}, which is not a layer; did you mean Dense({layer!r})?"
            )
    if not any(layer.parameters for layer in layers):
        raise ProgramError("No layer has parameters, so there is nothing to train: add a Dense layer.")
    return tuple(layers)


def checked_regularizers(given: Regularizer | Sequence[Regularizer] | None) -> tuple[Regularizer, ...]:
    """Return one, several or no regularizers as a tuple."""
    several = () if given is None else tuple(given) if isinstance(given, (list, tuple)) else (given,)
    for regularizer in several:
        if not isinstance(regularizer, Regularizer):
            raise InputError(f"A regularizer is L2(1e-4) or L1(1e-4), for example, not {describe(regularizer)}.")
    return several
