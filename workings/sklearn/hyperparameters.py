"""Parameters of the estimators: check them, and translate them into layers, regularizers and optimizers.

Only this module translates scikit-learn's names and conventions into Workings'.  A convention that
Workings did not have is a formula of its own, such as ``L2PerRow``.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

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
    UpdateMethod,
    checked_optimizer,
)
from workings.regularizers import L1, L2, L2PerRow, Regularizer
from workings.schedules import LearningRateSchedule
from workings.support.arrays import describe

# -- checking parameters --------------------------------------------------------------------

# The allowed interval: lower bound, upper bound, whether each of them is included.
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
# Positive whole numbers, with the other value that is allowed.
COUNTS: dict[str, float | str | None] = {
    "max_iter": None,
    "max_fun": None,
    "n_iter_no_change": math.inf,
    "batch_size": "auto",
}
CHOICES: dict[str, Sequence[str]] = {
    "solver": ("lbfgs", "sgd", "adam"),
    "learning_rate": ("constant", "invscaling", "adaptive"),
    "engine": ENGINES,
}
SWITCHES = ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping", "batch_norm")


class Hyperparameters(Protocol):
    """The hyperparameters of an estimator from which its network and its optimizer are made."""

    hidden_layer_sizes: int | Sequence[int]
    activation: str | Activation | Sequence[str | Activation]
    solver: str
    alpha: float
    l1: float
    weight_decay: float
    learning_rate_init: float
    tol: float
    max_fun: int
    beta_1: float
    beta_2: float
    epsilon: float
    momentum: float
    nesterovs_momentum: bool
    dropout: float | Sequence[float]
    batch_norm: bool
    clip: float | None
    optimizer: Part | LBFGS | None
    schedule: LearningRateSchedule | None
    init: InitializerLike | Sequence[InitializerLike]


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check the parameters of an estimator.

    Raises
    ------
    InputError
        If a parameter has a wrong value; the message has the value and the allowed ones.
    """
    for name, choices in CHOICES.items():
        if parameters[name] not in choices:
            raise unknown_name(name, parameters[name], choices)
    for name in RANGES:
        check_range(name, parameters[name])
    for name in SWITCHES:
        if not isinstance(parameters[name], (bool, np.bool_)):
            raise InputError(f"{name} must be True or False, not {describe(parameters[name])}.")
    for name, other in COUNTS.items():
        value = parameters[name]
        if not is_positive_integer(value) and (other is None or not np.array_equal(value, other)):
            alternative = "" if other is None else f" or {other!r}"
            raise InputError(f"{name} must be a positive whole number{alternative}, not {describe(value)}.")
    check_class_weight(parameters.get("class_weight"))
    callbacks, clip = parameters["callbacks"], parameters["clip"]
    if not isinstance(callbacks, (list, tuple)):
        raise InputError(f"callbacks must be a list, such as [EarlyStopping()], not {describe(callbacks)}.")
    if clip is not None and not (is_number(clip) and 0 < clip < math.inf):
        raise InputError(f"clip must be a positive number or None, not {describe(clip)}.")


def check_range(name: str, value: Any) -> None:
    """Check that a parameter is a number in its interval."""
    low, high, with_low, with_high = RANGES[name]
    is_inside = is_number(value) and low <= value <= high
    if not is_inside or (value == low and not with_low) or (value == high and not with_high):
        interval = f"{'[' if with_low else '('}{low}, {high}{']' if with_high else ')'}"
        raise InputError(f"{name} must be a number in {interval}, not {describe(value)}.")


def check_class_weight(class_weight: object) -> None:
    """Check the type of ``class_weight``; for multilabel targets it may be a list of dicts."""
    is_balanced = isinstance(class_weight, str) and class_weight == "balanced"
    if not (class_weight is None or is_balanced or isinstance(class_weight, (Mapping, list))):
        raise InputError(
            f'class_weight must be None, "balanced" or a dict of label to weight, not {describe(class_weight)}.'
        )
    for weight in class_weight.values() if isinstance(class_weight, Mapping) else ():
        if isinstance(weight, (str, bytes)):
            raise InputError(f"class_weight must contain finite numbers of at least 0, not {class_weight!r}.")


def is_number(value: object) -> bool:
    """Whether a value is a real number, not a boolean."""
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def is_positive_integer(value: object) -> bool:
    """Whether a value is a whole number of at least 1, not a boolean."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= 1


# -- from parameters to the parts of a network ----------------------------------------------

ACTIVATION_NAMES = {"logistic": "sigmoid"}  # scikit-learn's name -> Workings' name
OUTPUT_ACTIVATIONS = {"classes": "softmax", "labels": "logistic", "counts": "exp", "numbers": "identity"}


@dataclass(frozen=True)
class ScikitLearnsSquaredError(SquaredError):
    """Half the mean squared error over rows and outputs, with the gradient of the sum over outputs.

    With several outputs, this is not the gradient of this loss (scikit-learn's issue 8349).  Its stochastic
    solvers follow this gradient and report this loss, so equal numbers need both.
    """

    half: bool = True

    def reduce(self, weights: bool) -> tuple[Formula, Formula]:
        return super().reduce(weights)[0], loss_matching_gradient(self).reduce(weights)[1]


def loss_matching_gradient(loss: Loss) -> Loss:
    """Return the loss whose gradient training follows: it differs only for ``ScikitLearnsSquaredError``."""
    if isinstance(loss, ScikitLearnsSquaredError):
        return SquaredError(half=True, reduction="mean of rows")
    return loss


@functools.lru_cache(maxsize=32)
def shared_runners(
    layers: tuple[Layer, ...],
    loss: Loss,
    regularizers: tuple[Regularizer, ...],
) -> dict[object, object]:
    """Return the cache of runners for all networks with this description."""
    return {}


def share_runners(network: Network) -> None:
    """Let a network use the runners of networks with the same description."""
    try:
        network.share_runners(shared_runners(network.layers, network.loss, network.regularizers))
    except TypeError:  # a custom part that is not hashable
        network.share_runners({})


def hidden_sizes_of(estimator: Hyperparameters) -> list[int]:
    """Return the sizes of the hidden layers as a list."""
    value = estimator.hidden_layer_sizes
    sizes = list(value) if np.iterable(value) and not isinstance(value, str) else [value]
    for size in sizes:
        if isinstance(size, numbers.Integral) and not isinstance(size, bool) and size <= 0:
            raise InputError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        if not is_positive_integer(size):
            raise InputError(f"hidden_layer_sizes must contain positive whole numbers, not {describe(size)}.")
    return [int(size) for size in sizes]


def per_layer(value: object, name: str, count: int, layers: str, scalars: tuple[type, ...]) -> list[Any]:
    """Return one setting per layer from a list of them or from one for all layers.

    ``layers`` names the layers in the error message; ``scalars`` are types that are one setting, not a list.
    """
    if value is None or isinstance(value, scalars) or callable(value) or not isinstance(value, Sequence):
        return [value] * count
    if len(value) != count:
        raise InputError(
            f"{name} has {len(value)} entries, but there are {count} {layers}: pass one entry per layer, "
            f"or one value for all."
        )
    return list(value)


def dropout_rates_of(dropout: object, count: int) -> list[float]:
    """Return the dropout rate of each hidden layer."""
    value = dropout.tolist() if isinstance(dropout, np.ndarray) else dropout
    rates = per_layer(value, "dropout", count, "hidden layers", (str, float, int))
    for rate in rates:
        if not (is_number(rate) and 0 <= rate < 1):
            raise InputError(
                f"dropout must be a number in [0, 1), or a list of such numbers, one for each hidden layer, "
                f"not {describe(rate)}."
            )
    return rates


def layers_of(estimator: Hyperparameters, n_in: int, n_out: int, last: str) -> list[Layer]:
    """Return the layers, with the initializers; ``last`` is the activation of the output layer."""
    sizes = hidden_sizes_of(estimator)
    scalars = (str, Activation)
    activations = per_layer(estimator.activation, "activation", len(sizes), "hidden layers", scalars)
    activations = [ACTIVATION_NAMES.get(a, a) if isinstance(a, str) else a for a in activations]
    rates = dropout_rates_of(estimator.dropout, len(sizes))
    weights = per_layer(estimator.init, "init", len(sizes) + 1, "layers, with the last", (str, np.ndarray))
    layers: list[Layer] = []
    for units, activation, rate, W in zip(sizes, activations, rates, weights[:-1], strict=True):
        initial = initial_values(W, activation, n_in + units)
        if estimator.batch_norm:
            layers += [Dense(units, **initial), BatchNorm(activation)]
        else:
            layers.append(Dense(units, activation, **initial))
        if rate:
            layers.append(Dropout(rate))
        n_in = units
    # scikit-learn draws the last layer's weights for the hidden layers' activation.
    activation = estimator.activation if isinstance(estimator.activation, scalars) else last
    return [*layers, Dense(n_out, last, **initial_values(weights[-1], activation, n_in + n_out))]


def initial_values(weights: InitializerLike, activation: str | Activation, fans: int) -> dict[str, Any]:
    """Return the initializers of a layer's weights and biases.

    By default, both are drawn like scikit-learn's: Glorot's bound, with 2 in place of 6 for the sigmoid.
    """
    if weights is not None:
        return {"weights": weights}
    is_sigmoid = getattr(activation, "name", activation) in ("sigmoid", "logistic")
    initializer = GlorotUniformOf(fans, 2.0 if is_sigmoid else 6.0)
    return {"weights": initializer, "biases": initializer}


def regularizers_of(estimator: Hyperparameters) -> list[Regularizer]:
    """Return the regularizers with a strength other than 0."""
    strengths: list[tuple[float, type[Regularizer]]] = [
        (estimator.alpha, L2PerRow),
        (estimator.weight_decay, L2),
        (estimator.l1, L1),
    ]
    return [kind(float(strength)) for strength, kind in strengths if strength]


def optimizer_of(estimator: Hyperparameters) -> Part | LBFGS:
    """Return the parameter ``optimizer``, or else the solver's optimizer, with schedule and gradient clipping."""
    if estimator.optimizer is None:
        optimizer: Part | LBFGS = solver_of(estimator)
    else:
        optimizer = checked_optimizer(estimator.optimizer)
    if not optimizer.takes_batches:
        if estimator.schedule is not None or estimator.clip is not None:
            raise InputError("L-BFGS does not support schedule and clip: remove them, or use another solver.")
        return optimizer
    *before, last = optimizer.parts
    if estimator.schedule is not None:
        last = dataclasses.replace(cast(Optimizer, last), lr=estimator.schedule)
    if estimator.clip is not None:
        before = [ClipByNorm(float(estimator.clip)), *before]
    return Chain(*before, last) if before else last


def solver_of(estimator: Hyperparameters) -> Optimizer | LBFGS:
    """Return the optimizer that corresponds to ``solver`` and its constants."""
    rate = float(estimator.learning_rate_init)
    if estimator.solver == "lbfgs":
        return LBFGS(
            tolerance=float(estimator.tol),
            improvement=1e7 * float(np.finfo(np.float64).eps),  # SciPy's default, which scikit-learn uses
            evaluations=int(estimator.max_fun),
        )
    if estimator.solver == "adam":
        beta_1, beta_2 = float(estimator.beta_1), float(estimator.beta_2)
        return AdamEpsilonHat(rate, beta_1, beta_2, float(estimator.epsilon))
    if estimator.momentum == 0:
        return SGD(rate)
    momentum = min(float(estimator.momentum), math.nextafter(1, 0))  # scikit-learn allows 1
    return Nesterov(rate, momentum) if estimator.nesterovs_momentum else Momentum(rate, momentum)


def uses_lbfgs(estimator: Hyperparameters) -> bool:
    """Whether the optimizer is L-BFGS."""
    optimizer = estimator.optimizer
    if optimizer is None:
        return bool(estimator.solver == "lbfgs")
    return isinstance(optimizer, UpdateMethod) and not optimizer.takes_batches
