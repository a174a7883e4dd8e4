"""What the estimators' parameters mean: which are refused, and which parts of a network the others stand for.

scikit-learn's names and conventions are put into this library's layers, losses, regularizers and optimizers here, and
nowhere else.  Where a convention of theirs was not one of ours, it is a formula of its own: ``L2PerRow``, say.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workings.activations import Activation
from workings.engines.choice import ENGINES
from workings.errors import InputError, unknown_name
from workings.initializers import GlorotUniformOf, InitializerLike
from workings.layers import BatchNorm, Dense, Dropout, Layer
from workings.losses import Formula, Loss, SquaredError
from workings.network import Network
from workings.optimizers import (
    LBFGS,
    SGD,
    AdamEpsilonHat,
    Chain,
    ClipByNorm,
    Momentum,
    Nesterov,
    Optimizer,
    Part,
    checked_optimizer,
)
from workings.regularizers import L1, L2, L2PerRow, Regularizer
from workings.support.arrays import describe

# -- checking parameters --------------------------------------------------------------------

# What numbers may be: from, to, whether each end belongs to it.
RANGES: dict[str, tuple[float, float, bool, bool]] = {
    "alpha": (0, math.inf, True, False),
    "learning_rate_init": (0, math.inf, False, False),
    "power_t": (0, math.inf, True, False),
    "tol": (0, math.inf, True, False),
    "momentum": (0, 1, True, True),
    "validation_fraction": (0, 1, True, False),
    "beta_1": (0, 1, True, False),
    "beta_2": (0, 1, True, False),
    "epsilon": (0, math.inf, False, False),
    "l1": (0, math.inf, True, False),
    "weight_decay": (0, math.inf, True, False),
}
CHOICES: dict[str, Sequence[str]] = {
    "solver": ("lbfgs", "sgd", "adam"),
    "learning_rate": ("constant", "invscaling", "adaptive"),
    "engine": ENGINES,
}
SWITCHES = ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping", "batch_norm")


def check_parameters(given: Mapping[str, Any]) -> None:
    """Refuse parameters that mean nothing.

    Raises
    ------
    InputError
        With what arrived, and what it may be.
    """
    for name, choices in CHOICES.items():
        if given[name] not in choices:
            raise unknown_name(name, given[name], choices)
    for name, (low, high, with_low, with_high) in RANGES.items():
        value = given[name]
        is_in = is_number(value) and low <= value <= high and (value > low or with_low) and (value < high or with_high)
        if not is_in:
            ends = f"{'[' if with_low else '('}{low}, {high}{']' if with_high else ')'}"
            raise InputError(f"{name} must be a number in {ends}, not {describe(value)}.")
    for name in SWITCHES:
        if not isinstance(given[name], (bool, np.bool_)):
            raise InputError(f"{name} must be True or False, not {describe(given[name])}.")
    for name, other in (("max_iter", None), ("max_fun", None), ("n_iter_no_change", math.inf), ("batch_size", "auto")):
        if not is_whole(given[name]) and (other is None or not np.array_equal(given[name], other)):
            more = "" if other is None else f" or {other!r}"
            raise InputError(f"{name} must be a whole number from 1{more}, not {describe(given[name])}.")
    check_class_weight(given.get("class_weight"))
    if not isinstance(given["callbacks"], (list, tuple)):
        raise InputError(f"callbacks is a list, such as [EarlyStopping()], not {describe(given['callbacks'])}.")
    if given["clip"] is not None and not (is_number(given["clip"]) and 0 < given["clip"] < math.inf):
        raise InputError(f"clip must be a positive number or None, not {describe(given['clip'])}.")


def check_class_weight(given: Any) -> None:
    """Refuse what says nothing about labels; several labels a row have a list of dicts, as in scikit-learn."""
    is_balanced = isinstance(given, str) and given == "balanced"
    if not (given is None or is_balanced or isinstance(given, (Mapping, list))):
        raise InputError(f'class_weight must be None, "balanced" or a dict of label to weight, not {describe(given)}.')


def is_number(value: Any) -> bool:
    """Whether this is a number, and no truth value."""
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def is_whole(value: Any) -> bool:
    """Whether this is a whole number from 1."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= 1


# -- from parameters to the parts of a network ----------------------------------------------

THEIR_ACTIVATIONS = {"logistic": "sigmoid"}
OUTPUTS = {"classes": "softmax", "labels": "logistic", "counts": "exp", "numbers": "identity"}


@dataclass(frozen=True)
class ScikitLearnsSquaredError(SquaredError):
    """Half the mean over rows and outputs, with the gradient of the sum over outputs.

    With several outputs the two do not fit each other (its issue 8349).  Its stochastic solvers step along this
    gradient and report this loss, so both are needed to do as they do.
    """

    half: bool = True

    def reduce(self, weights: bool) -> tuple[Formula, Formula]:
        return super().reduce(weights)[0], followed(self).reduce(weights)[1]


def followed(loss: Loss) -> Loss:
    """The loss whose gradient was followed: this one, but for scikit-learn's of several outputs."""
    if isinstance(loss, ScikitLearnsSquaredError):
        return SquaredError(half=True, reduction="mean of rows")
    return loss


@functools.lru_cache(maxsize=32)
def shared_runners(layers: tuple[Layer, ...], loss: Loss, regularizers: tuple[Regularizer, ...]) -> dict[Any, Any]:
    """What networks of the same description compile, which is the same for all of them."""
    return {}


def share_runners(network: Network) -> None:
    """Let a network use what networks of its description have compiled."""
    try:
        network.runners = shared_runners(network.layers, network.loss, network.regularizers)
    except TypeError:  # a part of the user's own that cannot be compared
        network.runners = {}


def sizes_of(estimator: Any) -> list[int]:
    """The sizes of the hidden layers, as a list."""
    given = estimator.hidden_layer_sizes
    sizes = list(given) if np.iterable(given) and not isinstance(given, str) else [given]
    for size in sizes:
        if isinstance(size, numbers.Integral) and not isinstance(size, bool) and size <= 0:
            raise InputError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        if not is_whole(size):
            raise InputError(f"hidden_layer_sizes must hold whole numbers from 1, not {describe(size)}.")
    return [int(size) for size in sizes]


def for_each(value: Any, name: str, count: int, layers: str, one: tuple[type, ...]) -> list[Any]:
    """A setting of each layer: the same for all, or as a list gives them."""
    if value is None or isinstance(value, one) or callable(value) or not isinstance(value, Sequence):
        return [value] * count
    if len(value) != count:
        raise InputError(f"{name} has {len(value)} entries, but there are {count} {layers}: give one for each, or one.")
    return list(value)


def rates_of(dropout: Any, count: int) -> list[float]:
    """The share that is dropped after each hidden layer."""
    given = dropout.tolist() if isinstance(dropout, np.ndarray) else dropout
    rates = for_each(given, "dropout", count, "hidden layers", (str, float, int))
    for rate in rates:
        if not (is_number(rate) and 0 <= rate < 1):
            raise InputError(
                f"dropout must be a number from 0 to less than 1, or a list with one for each hidden layer, not "
                f"{describe(rate)}."
            )
    return rates


def layers_of(estimator: Any, n_in: int, n_out: int, last: str) -> list[Layer]:
    """The layers, with the first values that scikit-learn would draw, or those that ``init`` asks for."""
    sizes = sizes_of(estimator)
    bends = for_each(estimator.activation, "activation", len(sizes), "hidden layers", (str, Activation))
    bends = [THEIR_ACTIVATIONS.get(bend, bend) if isinstance(bend, str) else bend for bend in bends]
    same = last if isinstance(estimator.activation, (list, tuple)) else estimator.activation
    rates = rates_of(estimator.dropout, len(sizes))
    first = for_each(estimator.init, "init", len(sizes) + 1, "layers, with the last", (str, np.ndarray))
    layers: list[Layer] = []
    for units, bend, rate, weights in zip(sizes, bends, rates, first[:-1], strict=True):
        starts = starts_of(weights, bend, n_in + units)
        layers += [Dense(units, **starts), BatchNorm(bend)] if estimator.batch_norm else [Dense(units, bend, **starts)]
        layers += [Dropout(rate)] if rate else []
        n_in = units
    return [*layers, Dense(n_out, last, **starts_of(first[-1], same, n_in + n_out))]


def starts_of(weights: InitializerLike, bend: Any, fans: int) -> dict[str, Any]:
    """What a layer's weights and biases begin with; scikit-learn takes Glorot's bound with 2 for the sigmoid, not 6."""
    if weights is not None:
        return {"weights": weights}
    drawn = GlorotUniformOf(fans, 2.0 if getattr(bend, "name", bend) in ("sigmoid", "logistic") else 6.0)
    return {"weights": drawn, "biases": drawn}


def regularizers_of(estimator: Any) -> list[Regularizer]:
    """The penalties that are asked for."""
    wanted: list[tuple[float, type[Regularizer]]] = [
        (estimator.alpha, L2PerRow),
        (estimator.weight_decay, L2),
        (estimator.l1, L1),
    ]
    return [kind(float(number)) for number, kind in wanted if number]  # type: ignore[call-arg]


def optimizer_of(estimator: Any) -> Part | LBFGS:
    """The optimizer: the one given, or the solver; with schedule and clipping."""
    chosen = checked_optimizer(estimator.optimizer) if estimator.optimizer is not None else solver_of(estimator)
    if isinstance(chosen, LBFGS):
        if estimator.schedule is not None or estimator.clip is not None:
            raise InputError("L-BFGS chooses its steps itself: leave schedule and clip out, or take another solver.")
        return chosen
    *before, last = chosen.parts
    if estimator.schedule is not None:
        last = dataclasses.replace(last, lr=estimator.schedule)  # type: ignore[call-arg]
    before = [*([ClipByNorm(float(estimator.clip))] if estimator.clip is not None else []), *before]
    return Chain(*before, last) if before else last


def solver_of(estimator: Any) -> Optimizer | LBFGS:
    """The optimizer that a solver's name and constants stand for."""
    rate = float(estimator.learning_rate_init)
    if estimator.solver == "lbfgs":  # SciPy's own limit, which scikit-learn leaves as it is
        smallest = 1e7 * float(np.finfo(np.float64).eps)
        return LBFGS(tolerance=float(estimator.tol), improvement=smallest, evaluations=int(estimator.max_fun))
    if estimator.solver == "adam":
        return AdamEpsilonHat(rate, float(estimator.beta_1), float(estimator.beta_2), float(estimator.epsilon))
    if estimator.momentum == 0:
        return SGD(rate)
    kept = min(float(estimator.momentum), math.nextafter(1, 0))  # scikit-learn allows 1
    return Nesterov(rate, kept) if estimator.nesterovs_momentum else Momentum(rate, kept)


def takes_all_rows(estimator: Any) -> bool:
    """Whether L-BFGS makes the steps."""
    given = estimator.optimizer
    return isinstance(given, LBFGS) or (given is None and estimator.solver == "lbfgs")
