"""The validated input of a translation: a network and the settings of its training.

A ``TranslationPlan`` provides what every writer needs: which parts of an optimizer chain act on which
parameters, the strength of the regularizers, whether rows have weights.  It raises an error for user-defined
parts, such as an activation or an optimizer, because no other system can contain them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workings.activations import ACTIVATIONS, Activation
from workings.errors import InputError, unknown_name
from workings.layers import LAYERS, Layer, number_layers
from workings.losses import LOSSES
from workings.optimizers import (
    LBFGS,
    OPTIMIZERS,
    AdamW,
    ClipByNorm,
    ClipByValue,
    Decay,
    Freeze,
    UpdateMethod,
)
from workings.readings.translate.formatting import plain
from workings.regularizers import L1, L2, REGULARIZERS, L2PerRow
from workings.schedules import Constant, OnPlateau
from workings.support.arrays import describe
from workings.training.recipe import Recipe, whole_number

if TYPE_CHECKING:
    from workings.model.model import Model

PARTS = (ClipByNorm, ClipByValue, Decay, Freeze)
WEIGHTS = ("draw", "given")


@dataclass(frozen=True)
class TranslationPlan:
    """A network and the recipe of its training; arrays, such as sample weights, are names in the generated code.

    Raises
    ------
    InputError
        For invalid settings, and for user-defined parts, which have no counterpart in other systems.
    """

    network: Model
    recipe: Recipe
    rows: int | None = None
    weights: str = "draw"
    sample_weight: bool = False
    validation: bool = False

    def __post_init__(self) -> None:
        if self.rows is not None:
            whole_number(self.rows, "rows")
        if self.weights not in WEIGHTS:
            raise unknown_name("kind of weights", self.weights, WEIGHTS)
        self.check_switches()
        self.check_class_weight()
        network = self.network
        refuse_own("layer", network.layers, LAYERS.values())
        refuse_own("loss", [network.loss], LOSSES.values())
        refuse_own("regularizer", network.regularizers, REGULARIZERS.values())
        refuse_own("part of an optimizer", self.parts, (*OPTIMIZERS.values(), *PARTS, LBFGS))
        for layer in network.layers:
            refuse_own_activation(layer.activation_function)

    def check_switches(self) -> None:
        """Raise for arrays where True or False is expected; the generated code takes the arrays by name."""
        for name, given in (("sample_weight", "sample_weight"), ("validation", "X_val and y_val")):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise InputError(
                    f"{name} must be True or False, not {describe(value)}: the generated code uses {given}."
                )

    def check_class_weight(self) -> None:
        """Raise for class weights without labels, or with an unknown label, as ``fit`` does."""
        given, targets = self.recipe.class_weight, self.network.targets
        if given is None:
            return
        if not targets.has_labels:
            raise InputError("class_weight needs targets that are labels, one for each row.")
        labels = [] if targets.classes is None else targets.classes.tolist()
        for label in given if labels and isinstance(given, Mapping) else ():
            if label not in labels:
                raise unknown_name("label in class_weight", label, labels)

    @property
    def has_weights(self) -> bool:
        """Whether rows have different weights."""
        return self.sample_weight or self.recipe.class_weight is not None

    @property
    def label_weights(self) -> dict[object, float]:
        """The weights of labels, as plain Python; empty if there are none or they are ``"balanced"``."""
        given = self.recipe.class_weight
        return {label: float(weight) for label, weight in given.items()} if isinstance(given, Mapping) else {}

    @property
    def n_classes(self) -> int:
        """The number of labels."""
        return self.network.targets.label_count

    @property
    def class_weights(self) -> list[float] | None:
        """One weight for each class, if row weights come from class weights alone and none is 0; else None."""
        classes = self.network.targets.classes
        labels = list(range(self.n_classes)) if classes is None else classes.tolist()
        if not self.label_weights or self.sample_weight or not set(self.label_weights) <= set(labels):
            return None
        weights = [self.label_weights.get(label, 1.0) for label in labels]
        return weights if all(weights) else None

    @property
    def parts(self) -> Sequence[UpdateMethod]:
        """The parts of the optimizer chain in order; the last is the optimizer itself."""
        return self.recipe.optimizer.parts

    @property
    def last(self) -> Any:  # whose constants the writers read, after they asked for its kind
        """The optimizer at the end of the chain."""
        return self.parts[-1]

    def has(self, *kinds: type) -> bool:
        """Return whether a part of one of these kinds is in the chain."""
        return any(type(part) in kinds for part in self.parts)

    @property
    def decays(self) -> list[float]:
        """The factors of decoupled weight decay, of all parts that have one."""
        return [float(part.weight_decay) for part in self.parts if isinstance(part, (Decay, AdamW))]

    @functools.cached_property
    def steps(self) -> list[tuple[UpdateMethod, list[str]]]:
        """Each part with the names of the parameters that it acts on."""
        names, found = self.parameter_names, []
        for part in self.parts:
            names = list(part.chosen(names))
            found.append((part, names))
        return found

    @property
    def schedule(self) -> Any:
        """The learning rate as a function of the step; None for L-BFGS, which has none."""
        return self.recipe.optimizer.schedule

    @property
    def plateau(self) -> OnPlateau | None:
        """The schedule, if it is an OnPlateau."""
        return None if self.recipe.optimizer.monitor is None else self.schedule

    @property
    def has_schedule(self) -> bool:
        """Whether the rate is a function of the step that changes."""
        return not (self.schedule is None or self.plateau or isinstance(self.schedule, Constant))

    @property
    def first_rate(self) -> float:
        """The learning rate of the first step."""
        return float(self.schedule(0))

    @functools.cached_property
    def layers(self) -> list[tuple[Layer, str]]:
        """The layers with the numbers in their parameters' names."""
        return list(number_layers(self.network.layers))

    @property
    def parameter_names(self) -> list[str]:
        """The names of all parameters."""
        return [f"{letter}{number}" for layer, number in self.layers for letter in layer.parameters]

    @property
    def regularized_names(self) -> list[str]:
        """The names of the parameters that regularizers act on."""
        return [f"{letter}{number}" for layer, number in self.layers for letter in layer.regularized]

    def strength(self, kind: type[L1 | L2 | L2PerRow]) -> float:
        """Return the sum of the constants of all regularizers of a kind."""
        return plain(sum(sum(r.constants.values()) for r in self.network.regularizers if type(r) is kind))

    @property
    def has_half(self) -> bool:
        """Whether the loss has a factor ½."""
        return bool(getattr(self.network.loss, "half", False))

    @property
    def smoothing(self) -> float:
        """The share of label smoothing."""
        return float(getattr(self.network.loss, "label_smoothing", 0))

    @property
    def shuffles(self) -> bool:
        """Whether the order of the rows matters and is drawn in each epoch."""
        return self.recipe.shuffle and self.recipe.batch_size is not None

    @property
    def batch_rows(self) -> int | None:
        """The rows of a full batch, if they are known."""
        known = [size for size in (self.recipe.batch_size, self.rows) if size is not None]
        return min(known) if known else None

    @property
    def has_short_batch(self) -> bool:
        """Whether the last batch of an epoch is known to be smaller than the others."""
        return self.rows is not None and self.batch_rows is not None and self.rows % self.batch_rows > 0


def refuse_own(kind: str, things: Iterable[object], known: Iterable[type]) -> None:
    """Raise for objects of user-defined classes, which other systems cannot contain."""
    kinds = tuple(known)
    for thing in things:
        if type(thing) not in kinds:
            names = ", ".join(k.__name__ for k in kinds)
            raise InputError(
                f"{thing!r} is a user-defined {kind}, which other systems do not have: it cannot be translated. "
                f"Supported: {names}."
            )


def refuse_own_activation(activation: Activation) -> None:
    """Raise for a user-defined activation, or constants that other systems do not support."""
    known = ACTIVATIONS.get(activation.name)
    if known is None or (known.function, known.derivative) != (activation.function, activation.derivative):
        raise InputError(
            f"The activation {activation.name!r} is user-defined, so other systems do not have it: it cannot be "
            f"translated. Supported: {', '.join(ACTIVATIONS)}."
        )
    if activation.name == "selu" and activation.constants != known.constants:
        raise InputError("Other systems support SELU only with its default constants: these cannot be translated.")
