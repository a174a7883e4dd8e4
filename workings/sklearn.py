"""scikit-learn's multi-layer perceptrons, with everything that Workings can do.

``MLPClassifier`` and ``MLPRegressor`` have the parameters, attributes and methods of the classes of these names in
``sklearn.neural_network``, with the same meaning: replace the import, and the losses agree to rounding.  Beyond
that they take the parts of this library, as keywords after theirs.  They are a thin door: parameters are kept in
``__init__`` and checked in ``fit``; scikit-learn checks the data; a ``Network`` and a ``Training`` do the work.
``estimator.network_`` is that network, with everything it can be asked.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import html
import math
import numbers
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from workings.activations import Activation
from workings.arrays import Array, describe, working_dtype
from workings.callbacks import Callback
from workings.engines.choice import ENGINES
from workings.engines.reference import Runner
from workings.errors import DivergenceError, InputError, MissingExtraError, unknown_name
from workings.initializers import GlorotUniformOf, InitializerLike
from workings.layers import BatchNorm, Dense, Dropout, Layer, numbered
from workings.losses import BinaryCrossEntropy, CrossEntropy, Formula, Loss, Poisson, SquaredError, loss_named
from workings.network import Network
from workings.optimizers import LBFGS, SGD, AdamEpsilonHat, Chain, ClipByNorm, Momentum, Nesterov, Optimizer, Part
from workings.regularizers import L1, L2, L2PerRow, Regularizer
from workings.schedules import InverseScaling, Schedule
from workings.targets import Targets
from workings.training import Training

try:
    from sklearn.base import (
        BaseEstimator,
        ClassifierMixin,
        ClassNamePrefixFeaturesOutMixin,
        RegressorMixin,
        TransformerMixin,
    )
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import accuracy_score, check_scoring, r2_score
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import LabelBinarizer
    from sklearn.utils import check_random_state, column_or_1d, compute_sample_weight
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import type_of_target, unique_labels
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise MissingExtraError("scikit-learn 1.6 or newer", "sklearn") from error
try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9, which has no callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    def with_callbacks(method: Any) -> Any:
        """Nothing to tear down."""
        return method


SHARED = """
    The parameters up to ``max_fun`` are scikit-learn's; those after it are ours.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, or int
        How many units each hidden layer has.
    activation : {"identity", "logistic", "tanh", "relu"}, any of ours, an Activation, or a list of them
        The activation of the hidden layers; a list has one for each.
    solver : {"lbfgs", "sgd", "adam"}
        What makes the steps.  "lbfgs" takes all rows at once and suits small data.
    alpha : float
        The L2 penalty: alpha/2 · ΣW², divided by the rows of the batch (or by the sum of their weights).
    batch_size : int or "auto"
        Rows in a step; "auto" is 200, or all rows where there are fewer.  "lbfgs" takes all.
    learning_rate : {"constant", "invscaling", "adaptive"}
        For "sgd".  "invscaling": after each epoch, learning_rate_init / (rows seen + 1)^power_t.  "adaptive": a fifth
        of it, each time that training would otherwise end, down to 1e-6.
    learning_rate_init : float
        The learning rate, for "sgd" and "adam".
    power_t : float
        The power in "invscaling".
    max_iter : int
        Epochs at the most; for "lbfgs", iterations.
    shuffle : bool
        Whether the rows come in a new order in each epoch.
    random_state : int, RandomState or None
        Where first weights, the rows put aside, orders and dropout masks come from, in scikit-learn's own sequence.
    tol : float
        By how much the loss (or, with early stopping, the score) must get better to count; for "lbfgs", the largest
        entry of the gradient at which it ends.
    verbose : bool or int
        Whether to print the loss of each epoch.
    warm_start : bool
        Whether ``fit`` goes on from the parameters that are there.
    momentum : float
        The share of the last step that is kept, for "sgd".
    nesterovs_momentum : bool
        Whether it is Nesterov's momentum.
    early_stopping : bool
        Whether to put rows aside, to end when the score on them gets no better, and to keep the best parameters.
    validation_fraction : float
        The share of the rows that early stopping puts aside.
    beta_1, beta_2, epsilon : float
        Adam's constants.
    n_iter_no_change : int or inf
        How many epochs without getting better by ``tol`` are borne.
    max_fun : int
        How often "lbfgs" may compute the loss.
    dropout : float or list of float
        The share of each hidden layer's outputs that is set to 0 while training.
    batch_norm : bool
        Whether each hidden layer is normalized over the batch, before its activation.
    l1 : float
        Adds l1 · Σ|W| to the loss.
    weight_decay : float
        Adds weight_decay/2 · ΣW² to the loss, whatever the size of the batch: PyTorch's convention, not ``alpha``'s.
    clip : float or None
        Shortens the gradient of all parameters together to this length where it is longer.
    optimizer : Optimizer, Chain, LBFGS or None
        One of ours, in place of ``solver`` and its constants.
    schedule : Schedule or None
        A learning rate that changes from step to step, for every solver but "lbfgs", which has none.
    validation_set : (X, y), float or None
        Rows to measure on after each epoch, or the share of the rows to put aside.
    scoring : str, callable or None
        What early stopping follows: any scorer of scikit-learn; by default the accuracy or R².
    callbacks : sequence of Callback
        Ours.  Those of scikit-learn 1.9 are set with ``set_callbacks``.
    init : initializer, its name, an array, a list of them, or None
        The first weights; a list has one for each layer, the last one too.  Biases then begin at 0.  None draws
        weights and biases as scikit-learn does.
    dtype : float32, float64 or None
        What to compute in; None takes X's.
    engine : {"auto", "reference", "compiled"}
        NumPy, or machine code through Numba; "auto" compiles where the work is worth it.

    Attributes
    ----------
    network_ : Network
        The network itself: ``script``, ``equations``, ``check_gradients``, ``save`` …
    coefs_, intercepts_ : list of arrays
        Weights of shape (n_in, n_out) and biases of each layer.  Arrays that are put in their place are used.
    loss_, best_loss_ : float
        The last loss, and the lowest; ``best_loss_`` is None with early stopping.
    loss_curve_, validation_loss_curve_ : list of float
        The loss of each epoch; that on the rows put aside or given, or None.
    validation_scores_, best_validation_score_ : list of float and float, or None
        The scores of early stopping.
    n_iter_, t_ : int
        Epochs of the last fit; rows seen in all.
    history_ : History
        All that was recorded in the last fit, which engine ran, and why training ended.
    n_features_in_, n_layers_, n_outputs_ : int
    feature_names_in_ : array of str
        The names of the columns, where X has them.
    out_activation_ : str
        "softmax", "logistic", "identity" or "exp"."""


def documented(kind: Any) -> Any:
    """Put what both estimators share into a class's documentation, where it says ``{shared}``."""
    kind.__doc__ = kind.__doc__.replace("{shared}", SHARED.strip())
    return kind


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
    if not isinstance(given["callbacks"], (list, tuple)):
        raise InputError(f"callbacks is a list, such as [EarlyStopping()], not {describe(given['callbacks'])}.")
    if given["clip"] is not None and not (is_number(given["clip"]) and 0 < given["clip"] < math.inf):
        raise InputError(f"clip must be a positive number or None, not {describe(given['clip'])}.")


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


def layers_of(estimator: Any, n_in: int, n_out: int, last: str) -> list[Layer]:
    """The layers, with the first values that scikit-learn would draw, or those that ``init`` asks for."""
    sizes = sizes_of(estimator)
    bends = for_each(estimator.activation, "activation", len(sizes), "hidden layers", (str, Activation))
    bends = [THEIR_ACTIVATIONS.get(bend, bend) if isinstance(bend, str) else bend for bend in bends]
    same = last if isinstance(estimator.activation, (list, tuple)) else estimator.activation
    rates = for_each(estimator.dropout, "dropout", len(sizes), "hidden layers", (float, int))
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
    chosen = estimator.optimizer if estimator.optimizer is not None else solver_of(estimator)
    if isinstance(chosen, LBFGS):
        if estimator.schedule is not None or estimator.clip is not None:
            raise InputError("L-BFGS chooses its steps itself: leave schedule and clip out, or take another solver.")
        return chosen
    if not isinstance(chosen, Part) or not hasattr(chosen, "schedule"):
        raise InputError(f"optimizer must be one such as SGD(0.1), Adam() or LBFGS(), not {describe(chosen)}.")
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


# -- training -------------------------------------------------------------------------------


@dataclass
class Rows:
    """Checked data: inputs, one column for each output, a weight for each row or None."""

    X: Array
    y: Array
    w: Array | None = None

    @property
    def weights(self) -> Array | None:
        """The weights as people give them."""
        return None if self.w is None else self.w[:, 0]


class EstimatorTraining(Training):
    """A training on data that scikit-learn has checked, in its orders, with rows of weight 0 kept in their batches.

    It compiles sooner than ``Network.fit``: an estimator is fitted again and again, in folds, searches and other
    sizes of its layers, all of which the same compiled program serves.
    """

    worth_compiling: ClassVar[float] = 0.03
    order: Array | None = None

    def set_data(self, X: Any, y: Any, sample_weight: Any, class_weight: Any, validation: Any) -> None:
        self.X, self.y, self.w = X, y, sample_weight
        self.targets, self.validation = self.network.targets, validation

    def next_order(self) -> Array:
        """Put the order of the epoch before into a new order, as scikit-learn does."""
        drawn = super().next_order()
        self.order = drawn if self.order is None else self.order[drawn]
        return self.order


class Convergence(Callback):
    """Records each epoch in the estimator, and ends or slows training by scikit-learn's rules.

    For early stopping it ``follows`` a column of the history, or a function that gives the score; however training
    ends, the best parameters are then put back.
    """

    looks_back = True

    def __init__(self, estimator: Any, follows: str | Callable[[], float] | None) -> None:
        self.estimator, self.follows = estimator, follows
        self.rate = "constant" if estimator.schedule is not None or estimator.optimizer is not None else "adam"
        if self.rate == "adam" and estimator.solver == "sgd":
            self.rate = estimator.learning_rate
        self.every_epoch = callable(follows) or self.rate in ("invscaling", "adaptive")

    def on_epoch_end(self, training: Training) -> None:
        for index, epoch in enumerate(training.ran, start=-len(training.ran)):
            self.record(training, index, epoch)
            if self.rate == "invscaling":
                rule = InverseScaling(float(self.estimator.learning_rate_init), power=float(self.estimator.power_t))
                training.set_rate(rule(self.estimator.t_))
            if self.estimator._no_improvement_count > self.estimator.n_iter_no_change and self.ends(training, epoch):
                break

    def record(self, training: Training, index: int, epoch: int) -> None:
        """Write one epoch into the estimator's attributes."""
        own = self.estimator
        own.n_iter_, own.t_ = own.n_iter_ + 1, own.t_ + len(training.X)
        own.loss_ = training.history["loss"][index]
        own.loss_curve_.append(own.loss_)
        if own.verbose:
            print(f"Iteration {own.n_iter_}, loss = {own.loss_:.8f}")
        if "val_loss" in training.history:
            own.validation_loss_curve_.append(training.history["val_loss"][index])
        if self.follows is None:
            self.count(own.loss_ > own.best_loss_ - own.tol)
            own.best_loss_ = min(own.best_loss_, own.loss_)
            return
        score = self.follows() if callable(self.follows) else training.history[self.follows][index]
        own.validation_scores_.append(score)
        if own.verbose:
            print(f"Validation score: {score:f}")
        self.count(score < own.best_validation_score_ + own.tol)
        if score > own.best_validation_score_:
            own.best_validation_score_, own._best = score, training.parameters_at(epoch)

    def on_train_end(self, training: Training) -> None:
        if self.follows is not None and self.estimator._best:
            training.network.keep(self.estimator._best)

    def count(self, no_better: bool) -> None:
        """Count the epochs that were no better."""
        self.estimator._no_improvement_count = self.estimator._no_improvement_count + 1 if no_better else 0

    def ends(self, training: Training, epoch: int) -> bool:
        """End training after an epoch, or go on with a fifth of the rate; say whether it is the end."""
        own, what = self.estimator, "loss" if self.follows is None else "score"
        why = f"The {what} was not better by tol={own.tol:g} for {own.n_iter_no_change} epochs."
        ending = self.rate != "adaptive" or training.rate(training.step) <= 1e-6
        if ending:
            training.stop(why, epoch)
        else:
            training.set_rate(training.rate(training.step) / 5)
            own._no_improvement_count = 0
        if own.verbose:
            print(f"{why} {'Stopping.' if ending else f'The learning rate is {training.rate(training.step):g} now.'}")
        return ending


class Told(Callback):
    """Tells the callbacks of scikit-learn 1.9 of each epoch, and ends training if one of them asks for it."""

    def __init__(self, estimator: Any, context: Any, X: Any, y: Any, weights: Array | None) -> None:
        self.estimator, self.context = estimator, context
        self.data = {"X": X, "y": y, "metadata": None if weights is None else {"sample_weight": weights}}
        self.task: Any = None

    def on_train_begin(self, training: Training) -> None:
        self.context.call_on_fit_task_begin(**self.told())

    def on_epoch_begin(self, training: Training) -> None:
        if training.epoch < training.epochs:  # L-BFGS begins one more than there are
            self.task = self.context.subcontext(task_name="epoch")
            self.task.call_on_fit_task_begin(**self.told())

    def on_epoch_end(self, training: Training) -> None:
        task, self.task = self.task, None
        if task.call_on_fit_task_end(**self.told()):
            training.stop("a callback of scikit-learn asked for it")

    def on_train_end(self, training: Training) -> None:
        if self.task is not None:
            self.task.call_on_fit_task_end(estimator=self.estimator)
        self.context.call_on_fit_task_end(**self.told())

    def told(self) -> dict[str, Any]:
        """What a callback may ask for."""
        return {"estimator": self.estimator, "reconstruction_attributes": self.estimator._snapshot, **self.data}


# -- the estimators -------------------------------------------------------------------------


def takes_all_rows(estimator: Any) -> bool:
    """Whether L-BFGS makes the steps."""
    given = estimator.optimizer
    return isinstance(given, LBFGS) or (given is None and estimator.solver == "lbfgs")


def is_stochastic(estimator: Any) -> bool:
    """Whether training goes batch by batch, so that ``partial_fit`` has a meaning."""
    if takes_all_rows(estimator):
        raise AttributeError("partial_fit is for solvers that take batches, 'sgd' and 'adam'; L-BFGS takes all rows.")
    return True


class MultilayerPerceptron(ClassNamePrefixFeaturesOutMixin, TransformerMixin, CallbackSupportMixin, BaseEstimator):
    """What both estimators share: from checked data to a trained network, and back to predictions."""

    best_loss_: Any
    validation_loss_curve_: Any

    # -- what the two kinds answer differently

    def _check_targets(self, y: Any, first: bool, one_epoch: bool) -> None:
        """Learn, or compare, what targets there are."""

    def _encode(self, y: Any) -> Any:
        """Give targets as one column for each output."""
        raise NotImplementedError

    def _decode(self, p: Array) -> Any:
        """Give predictions as people want them."""
        raise NotImplementedError

    def _chosen_loss(self, n_out: int) -> Loss:
        """The loss that is asked for."""
        raise NotImplementedError

    def _is_decoded_alike(self) -> bool:
        """Whether the network itself makes the same of its outputs."""
        return True

    # -- fitting

    @with_callbacks
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:
        """Train on X and y, from new weights unless ``warm_start``.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, n_in)
            Inputs; rows are samples.  A sparse matrix is made dense.
        y : array of shape (n,) or (n, n_outputs)
            Labels, or numbers.
        sample_weight : array of shape (n,) or None
            How much each row counts.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, one_epoch=False)

    def _fit(self, X: Any, y: Any, sample_weight: Any, one_epoch: bool) -> Any:
        """Check everything, train, and keep what was learned."""
        check_parameters(self.get_params(deep=False))
        if one_epoch and self.early_stopping:
            raise InputError("partial_fit does not support early_stopping=True: it does not see all rows.")
        first = not hasattr(self, "coefs_") or not (self.warm_start or one_epoch)
        context = self._context()
        rows = self._checked_rows(X, y, sample_weight, first, one_epoch)
        rng = check_random_state(self.random_state)
        self._start(rows, rng, first)
        told = None if one_epoch or context is None else Told(self, context, X, y, rows.weights)
        training = self._training(rows, rng, one_epoch, told)
        self._run(training, one_epoch)
        return self

    def _context(self) -> Any:
        """Where scikit-learn's callbacks are told of epochs, if there are such callbacks."""
        if not hasattr(self, "_init_callback_context"):
            return None
        return self._init_callback_context(max_subtasks=self.max_iter)

    def _checked_rows(self, X: Any, y: Any, sample_weight: Any, first: bool, one_epoch: bool) -> Rows:
        """Have scikit-learn check the data; encode the targets and combine the weights."""
        types = {"accept_sparse": ["csr", "csc"], "dtype": (np.float64, np.float32), "multi_output": True}
        X, y = validate_data(self, X, y, y_numeric=isinstance(self, RegressorMixin), reset=first, **types)
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        self._check_targets(y, first, one_epoch)
        X = dense(X, working_dtype(X, self.dtype))
        w = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        balance = getattr(self, "class_weight", None)
        if balance is not None:
            if one_epoch and isinstance(balance, str):
                raise InputError("partial_fit does not see all labels: give class_weight as a dict, not 'balanced'.")
            w = compute_sample_weight(balance, y) * (1 if w is None else w)
        return Rows(X, self._encode(y).astype(X.dtype), None if w is None else w.reshape(-1, 1).astype(X.dtype))

    def _start(self, rows: Rows, rng: Any, first: bool) -> None:
        """Make the network, with new weights or those that are there, and the attributes that training fills."""
        n_in, n_out = rows.X.shape[1], rows.y.shape[1]
        loss = self._chosen_loss(n_out)
        by_sigmoid = loss.target == "numbers" and isinstance(self, ClassifierMixin)
        layers = layers_of(self, n_in, n_out, "sigmoid" if by_sigmoid else "identity")
        network = Network(
            layers, loss=loss, regularizer=regularizers_of(self), dtype=rows.X.dtype,
            seed=rng if first else np.random.RandomState(0),
        )  # fmt: skip
        share_runners(network)
        network.build(n_in)
        share_runners(network)
        if not first:
            self._take_over(network)
        network.rng = rng
        self._link(network)
        self.n_layers_, self.out_activation_ = len(self.coefs_) + 1, "logistic" if by_sigmoid else OUTPUTS[loss.target]
        self.n_outputs_ = n_out
        self._start_record(first)

    def _start_record(self, first: bool) -> None:
        """Set the attributes that training fills, or those that are missing."""
        self.n_iter_, self.loss_ = 0, math.nan
        fresh: dict[str, Any] = {"t_": 0, "loss_curve_": [], "best_loss_": math.inf, "_no_improvement_count": 0}
        fresh |= {"validation_scores_": None, "best_validation_score_": None, "validation_loss_curve_": None}
        if self.early_stopping and not takes_all_rows(self):
            fresh |= {"best_loss_": None, "validation_scores_": [], "best_validation_score_": -math.inf, "_best": {}}
        for name, value in fresh.items():
            if first or getattr(self, name, None) is None:
                setattr(self, name, value)

    def _take_over(self, network: Network) -> None:
        """Put the parameters that are there into a new network."""
        known = getattr(self, "_network", network)
        values: dict[str, Any] = {**known.parameters, **known.statistics, **dict(self._weights(network))}
        shapes = {name: array.shape for name, array in {**network.parameters, **network.statistics}.items()}
        if shapes != {name: np.shape(values.get(name, ())) for name in shapes}:
            there = [np.shape(W) for W in self.coefs_]
            raise InputError(
                f"The weights that are there have shapes {there}, but these parameters ask for "
                f"{[shape for shape in shapes.values() if len(shape) == 2]}. Use warm_start=False to begin anew."
            )
        network.keep(values)

    def _weights(self, network: Network) -> list[tuple[str, Any]]:
        """The weights and biases that are there, by their names in a network."""
        of_dense = [number for layer, number in numbered(network.layers) if isinstance(layer, Dense)]
        pairs = zip(of_dense, self.coefs_, self.intercepts_, strict=False)
        return [found for number, W, b in pairs for found in ((f"W{number}", W), (f"b{number}", b))]

    def _link(self, network: Network) -> None:
        """Take a network, whose own arrays are the weights and biases."""
        of_dense = [number for layer, number in numbered(network.layers) if isinstance(layer, Dense)]
        self._network = network
        self.coefs_ = [network.parameters[f"W{number}"] for number in of_dense]
        self.intercepts_ = [network.parameters[f"b{number}"] for number in of_dense]

    def _training(self, rows: Rows, rng: Any, one_epoch: bool, told: Told | None) -> EstimatorTraining:
        """Put rows aside, and everything together."""
        optimizer, shuffle = optimizer_of(self), bool(self.shuffle)
        rows, held = self._hold_out(rows, rng)
        n = len(rows.X)
        size: int | None = None
        if not isinstance(optimizer, LBFGS):
            size = min(200 if isinstance(self.batch_size, str) else int(self.batch_size), n)
            if not isinstance(self.batch_size, str) and self.batch_size > n:
                warnings.warn(f"batch_size={self.batch_size} is more than the {n} rows: all are taken.", stacklevel=4)
        callbacks = list(self.callbacks)
        if not isinstance(optimizer, LBFGS):
            callbacks.append(Convergence(self, self._followed_score(held)))
        if told is not None and getattr(self, "_skl_callbacks", []):
            callbacks.append(told)
        if held is not None:
            self.validation_loss_curve_ = self.validation_loss_curve_ or []
        return EstimatorTraining(
            self._network, rows.X, rows.y, optimizer=optimizer, epochs=1 if one_epoch else int(self.max_iter),
            batch_size=size, shuffle=shuffle, validation=None if held is None else (held.X, held.y),
            sample_weight=rows.w, class_weight=None, metrics=(), callbacks=callbacks, running_loss=True,
            engine=self.engine,
        )  # fmt: skip

    def _hold_out(self, rows: Rows, rng: Any) -> tuple[Rows, Rows | None]:
        """The rows to train on and those to measure on."""
        given = self.validation_set
        if isinstance(given, (tuple, list)) and len(given) == 2:
            X = dense(validate_data(self, given[0], accept_sparse=["csr", "csc"], reset=False), rows.X.dtype)
            y = np.asarray(given[1])
            if isinstance(self, ClassifierMixin) and len(strange := np.setdiff1d(y, self.classes_)):
                raise InputError(f"validation_set has labels that y has not: {strange[:5].tolist()}.")
            columns = self._encode(y)
            if columns.shape != (len(X), rows.y.shape[1]):
                raise InputError(
                    f"validation_set has X of {len(X)} rows and y of shape {y.shape}; it must have as many rows, and "
                    f"targets like those to train on."
                )
            return rows, Rows(X, columns.astype(rows.X.dtype))
        if given is not None and not (is_number(given) and 0 < given < 1):
            raise InputError(f"validation_set must be (X, y) or a share between 0 and 1, not {describe(given)}.")
        early = self.early_stopping and not takes_all_rows(self)
        if given is None and not early:
            return rows, None
        share = self.validation_fraction if given is None else given
        labels = rows.y.astype(bool) if isinstance(self, ClassifierMixin) and self.n_outputs_ == 1 else None
        arrays = [rows.X, rows.y, *([] if rows.w is None else [rows.w])]
        parts = train_test_split(*arrays, random_state=rng, test_size=share, stratify=labels)
        if len(parts[1]) < 2:
            raise InputError(
                f"The validation set is too small: {len(parts[1])} row. Increase 'validation_fraction' or the size of "
                f"your dataset."
            )
        return Rows(*parts[::2]), Rows(*parts[1::2])

    def _followed_score(self, held: Rows | None) -> str | Callable[[], float] | None:
        """What early stopping follows: a column of the history, or a score of this estimator."""
        if not self.early_stopping or held is None:
            return None
        if self.scoring is None and held.w is None and self._is_decoded_alike():
            return "val_accuracy" if isinstance(self, ClassifierMixin) else "val_r2"
        y, scorer = self._decode(held.y), None
        weights = {} if held.w is None else {"sample_weight": held.weights}
        if self.scoring is not None:
            scorer = check_scoring(self, scoring=self.scoring)
        usual = accuracy_score if isinstance(self, ClassifierMixin) else r2_score

        def score() -> float:
            if scorer is None:
                return float(usual(y, self._decode(self._network.outputs(held.X)), **weights))
            unnamed = copy.copy(self)  # which expects no names of columns
            unnamed.__dict__.pop("feature_names_in_", None)
            return float(scorer(unnamed, held.X, y, **weights))

        return score

    def _run(self, training: EstimatorTraining, one_epoch: bool) -> None:
        """Train, and keep what comes of it."""
        begin = getattr(self, "_optimizer_state", None)
        if (
            one_epoch
            and begin
            and {n: v.shape for n, v in begin["values"].items()}
            == {name: training.values[name].shape for name in training.program.states}
        ):
            training.values.update(begin["values"])
            training.step, training.plateau = begin["step"], dict(begin["plateau"])
        try:
            training.run()
        except DivergenceError as error:
            self._diverged(error)
        finally:
            self._finish(training)
        if isinstance(training.optimizer, LBFGS):
            self._finish_lbfgs(training)
        if training.history.stopped.startswith("interrupted"):
            warnings.warn(f"Training was {training.history.stopped}.", stacklevel=4)
        elif (
            not isinstance(training.optimizer, LBFGS)
            and not (one_epoch or training.stopped)
            and self.n_iter_ == self.max_iter
        ):
            warn_of_convergence(f"training was still getting better after max_iter={self.max_iter} epochs")

    def _diverged(self, error: DivergenceError) -> None:
        """With early stopping, the best parameters are back; without, what was learned is nothing to go on from."""
        if self.validation_scores_ is None:
            raise InputError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
                f"preprocessed. {error}"
            ) from error
        self.n_iter_ += 1
        self.loss_ = math.nan
        self.loss_curve_.append(self.loss_)
        self.validation_scores_.append(math.nan)
        warn_of_convergence(f"training diverged; the best parameters are back. {error}")

    def _finish(self, training: EstimatorTraining) -> None:
        """Keep what later calls and people need."""
        network = self._network
        self.history_ = training.history
        states = {name: training.values[name] for name in training.program.states}
        self._optimizer_state = {"step": training.step, "plateau": training.plateau, "values": states}
        if training.shuffle is False and self.shuffle and isinstance(self.random_state, np.random.RandomState):
            for _ in range(self.n_iter_):  # orders that a single batch has no use for, but that scikit-learn draws
                network.rng.permutation(len(training.X))
        network.loss = followed(network.loss)
        share_runners(network)
        classes = getattr(self, "classes_", None)
        has_labels = network.targets.has_labels and classes is not None and len(classes) > 1
        labels = np.array(classes.tolist()) if has_labels and classes is not None else None
        network.targets = Targets(network.loss.target, network.n_out, labels)

    def _finish_lbfgs(self, training: EstimatorTraining) -> None:
        """Keep the losses of L-BFGS, each after its iteration, and warn if it did not end well."""
        result, network = training.result, training.network
        self.n_iter_ = training.history.epochs if result is None else min(int(result.nit), int(self.max_iter))
        self.loss_ = network.measure(training.X, training.y, training.w)[0] if result is None else float(result.fun)
        losses = training.history["loss"] if training.history.epochs else []  # each before its iteration
        curve = [*losses[1:], self.loss_][: max(self.n_iter_, 1)]
        self.loss_curve_ += curve
        self.best_loss_ = min([self.best_loss_, *curve])
        if "val_loss" in training.history:
            self.validation_loss_curve_ += training.history["val_loss"]
        if self.verbose:
            for number, loss in enumerate(curve, start=1):
                print(f"Iteration {number}, loss = {loss:.8f}")
        if result is not None and result.status != 0:
            warn_of_convergence(f"L-BFGS ended after {self.n_iter_} iterations: {result.message}")

    # -- predicting

    @property
    def network_(self) -> Network:
        """The network, with the weights and biases that stand in ``coefs_`` and ``intercepts_``."""
        if not hasattr(self, "_network"):
            raise AttributeError(f"This {type(self).__name__} has no network yet: call fit first.")
        network: Network = self._network
        for name, array in self._weights(network):
            if array is not network.parameters[name]:
                network.parameters[name][...] = array
        return network

    def _inputs(self, X: Any) -> Array:
        """Checked inputs."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        return dense(X, self._network.dtype)

    def _outputs(self, X: Any) -> Array:
        """What the network predicts: ``p``."""
        X, engine = self._inputs(X), "reference" if self.engine == "reference" else "auto"
        return self.network_.outputs(X, engine=engine)

    def predict(self, X: ArrayLike) -> Any:
        """Predict labels of shape (n,) or (n, n_labels), or numbers of shape (n,) or (n, n_outputs)."""
        return self._decode(self._outputs(X))

    def transform(self, X: ArrayLike) -> Array:
        """Give what the last hidden layer makes of X, of shape (n, units); X itself where there is no hidden layer."""
        X = self._inputs(X)
        return last_hidden(self.network_, X)

    @property
    def _n_features_out(self) -> int:
        """How many columns ``transform`` gives."""
        return int(self.coefs_[-1].shape[0])

    # -- copies, and telling

    def _snapshot(self) -> dict[str, Any]:
        """The attributes of a copy that is as if training had ended now."""
        network = copy.deepcopy(self.network_)
        network.runners, network.loss = self._network.runners, self._network.loss
        twin = copy.copy(self)
        twin._link(network)
        return {"_network": network, "coefs_": twin.coefs_, "intercepts_": twin.intercepts_}

    def __getstate__(self) -> Any:
        if "_network" in vars(self):
            self._network = self.network_  # which takes over weights that were put in place of its own
        return super().__getstate__()

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        if "_network" in vars(self):
            self._link(self._network)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _html_repr(self) -> str:
        """scikit-learn's diagram and, once there is one, a drawing of the network."""
        drawn = super()._html_repr()
        if not hasattr(self, "_network"):
            return str(drawn)
        from workings.readings.diagram import diagram

        return f"<div>{drawn}{diagram(self.network_)}<pre>{html.escape(self.network_.summary())}</pre></div>"


def dense(X: Any, dtype: Any) -> Array:
    """A matrix, sparse or not, as an array whose rows lie one after the other."""
    return np.ascontiguousarray(X.toarray() if hasattr(X, "toarray") else X, dtype=dtype)


def last_hidden(network: Network, X: Array) -> Array:
    """What goes into the last layer, named as the program names it."""
    program = network.inference
    *_, (_, number) = numbered(network.layers)
    (name,) = program[f"z{number}"].reads - {*network.parameters, "np"}
    if name == "X":
        return X
    run = network.runner(("hidden", name), lambda: Runner(program.needed_for(name), [name], "hidden"))
    (found,) = network.in_chunks(run, {**network.parameters, **network.statistics}, X=X)
    return found


def warn_of_convergence(what: str) -> None:
    """Say that training may not be at its end."""
    warnings.warn(
        f"{what[0].upper()}{what[1:]}. Scale the inputs (StandardScaler), take a larger max_iter, or another "
        f"learning rate.",
        ConvergenceWarning,
        stacklevel=5,
    )


def store(estimator: Any, given: Mapping[str, Any]) -> None:
    """Keep the parameters as they are, as scikit-learn wants it."""
    for name, value in given.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)


@documented
class MLPClassifier(ClassifierMixin, MultilayerPerceptron):
    """A multi-layer perceptron that tells classes apart: scikit-learn's, and more.

    {shared}
    classes_ : array of shape (n_classes,)
        The labels, sorted.

    Notes
    -----
    ``loss`` (a keyword) is "log_loss", or any loss of ours: ``CrossEntropy(label_smoothing=0.1)`` has one output for
    each class, ``BinaryCrossEntropy()`` and losses of numbers, such as ``SquaredError()``, one sigmoid for each class
    (for the second of two).  ``class_weight`` is a dict of label to weight, or "balanced".

    Examples
    --------
    >>> from workings.datasets import moons
    >>> from workings.sklearn import MLPClassifier
    >>> X, y = moons(200, noise=0.2, seed=0)
    >>> model = MLPClassifier((16,), solver="lbfgs", random_state=0).fit(X, y)
    >>> float(model.score(X, y)) > 0.95
    True
    >>> model.transform(X).shape, model.network_.check_gradients(X[:20], y[:20]).ok
    ((200, 16), True)
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        loss: str | Loss = "log_loss",
        class_weight: Any = None,
        dropout: Any = 0.0,
        batch_norm: bool = False,
        l1: float = 0.0,
        weight_decay: float = 0.0,
        clip: float | None = None,
        optimizer: Part | LBFGS | None = None,
        schedule: Schedule | None = None,
        validation_set: Any = None,
        scoring: Any = None,
        callbacks: Sequence[Callback] = (),
        init: Any = None,
        dtype: Any = None,
        engine: str = "auto",
    ) -> None:
        store(self, locals())

    def _check_targets(self, y: Any, first: bool, one_epoch: bool) -> None:
        """Learn the labels, or compare them with those that are known."""
        if not hasattr(self, "classes_") or not (self.warm_start or one_epoch):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
            return
        found = unique_labels(y)
        if self.warm_start and set(found) != set(self.classes_):
            raise InputError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {found}"
            )
        if len(np.setdiff1d(found, self.classes_, assume_unique=True)):
            raise InputError(f"`y` has classes not in `self.classes_`: it has {found}, known are {self.classes_}.")

    def _encode(self, y: Any) -> Any:
        columns = self._label_binarizer.transform(y)
        by_class = columns.shape[1] == 1 and self._chosen_loss(1).target == "classes"
        return np.hstack([1 - columns, columns]) if by_class else columns

    def _decode(self, p: Array) -> Any:
        return self._label_binarizer.inverse_transform(self._columns(p))

    def _is_decoded_alike(self) -> bool:
        kind = self._network.loss.target
        return kind == "classes" or (kind == "labels" and self._label_binarizer.y_type_ != "multiclass")

    def _columns(self, p: Array) -> Array:
        """Predictions as the labels are encoded: one column for two classes."""
        binary = self._label_binarizer.y_type_ == "binary" or len(self.classes_) == 1
        return p[:, -1] if binary else p

    def _chosen_loss(self, n_out: int) -> Loss:
        several = self._label_binarizer.y_type_.startswith("multilabel")
        if isinstance(self.loss, str) and self.loss == "log_loss":
            if self._label_binarizer.y_type_ == "multiclass":
                return CrossEntropy()
            return BinaryCrossEntropy() if n_out == 1 else BinaryCrossEntropy(reduction="mean of rows")
        loss = loss_named(self.loss)
        if loss.target == "counts" or (several and loss.target == "classes"):
            what = (
                "is for counts" if loss.target == "counts" else "has one class for each row, and y has several labels"
            )
            raise InputError(f"loss={loss!r} {what}: take 'log_loss', BinaryCrossEntropy() or SquaredError(half=True).")
        return loss

    @available_if(is_stochastic)
    @with_callbacks
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, classes: ArrayLike | None = None
    ) -> Any:
        """Train for one epoch on these rows; the first call needs all ``classes``.

        Parameters
        ----------
        X, y, sample_weight
            As in ``fit``.
        classes : array of shape (n_classes,) or None
            All labels that are ever to come.

        Returns
        -------
        self
        """
        if not hasattr(self, "classes_"):
            if classes is None:
                raise InputError("classes must be passed on the first call to partial_fit.")
            several = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if several else classes)
            self.classes_ = unique_labels(classes)
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise InputError(f"classes={classes!r} are not those of the calls before: {self.classes_}.")
        return self._fit(X, y, sample_weight, one_epoch=True)

    def predict_proba(self, X: ArrayLike) -> Array:
        """Give probabilities of shape (n, n_classes), in the order of ``classes_``.

        With several labels a row, each label's own.  Sigmoids of several classes are divided by their sum.
        """
        columns = self._columns(self._outputs(X))
        if columns.ndim == 1:
            return np.stack([1 - columns, columns], axis=1)
        if self._network.loss.target != "classes" and self._label_binarizer.y_type_ == "multiclass":
            return np.asarray(columns / columns.sum(axis=1, keepdims=True))
        return columns

    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Give the logarithms of the probabilities."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@documented
class MLPRegressor(RegressorMixin, MultilayerPerceptron):
    """A multi-layer perceptron that predicts numbers: scikit-learn's, and more.

    {shared}

    Notes
    -----
    ``loss`` (the first argument, as in scikit-learn) is "squared_error", half the mean of the squares; "poisson", half
    the Poisson deviance of counts; or any loss of ours for numbers or counts, such as ``Huber()``.  With several
    outputs, scikit-learn's "squared_error" reports a mean over outputs and follows the gradient of a sum.  Its
    stochastic solvers do so here too; "lbfgs" follows the gradient of what it reports.

    Examples
    --------
    >>> import numpy as np
    >>> from workings.sklearn import MLPRegressor
    >>> X = np.linspace(-3, 3, 200).reshape(-1, 1)
    >>> model = MLPRegressor(hidden_layer_sizes=(20,), activation="tanh", solver="lbfgs", random_state=0)
    >>> float(model.fit(X, np.sin(X[:, 0])).score(X, np.sin(X[:, 0]))) > 0.99
    True
    """

    def __init__(
        self,
        loss: str | Loss = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        batch_norm: bool = False,
        l1: float = 0.0,
        weight_decay: float = 0.0,
        clip: float | None = None,
        optimizer: Part | LBFGS | None = None,
        schedule: Schedule | None = None,
        validation_set: Any = None,
        scoring: Any = None,
        callbacks: Sequence[Callback] = (),
        init: Any = None,
        dtype: Any = None,
        engine: str = "auto",
    ) -> None:
        store(self, locals())

    def _encode(self, y: Any) -> Any:
        columns = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        if self._chosen_loss(columns.shape[1]).target == "counts" and (columns < 0).any():
            raise InputError(
                f"loss={self.loss!r} is for counts: y must be 0 or more; the smallest is {columns.min():g}."
            )
        return columns

    def _decode(self, p: Array) -> Any:
        return p[:, 0] if p.shape[1] == 1 else p

    def _chosen_loss(self, n_out: int) -> Loss:
        if isinstance(self.loss, str) and self.loss == "poisson":
            return Poisson(deviance=True, reduction="mean of rows")
        if isinstance(self.loss, str) and self.loss == "squared_error":
            as_theirs = n_out > 1 and self.optimizer is None and self.solver != "lbfgs"
            return ScikitLearnsSquaredError() if as_theirs else SquaredError(half=True)
        loss = loss_named(self.loss)
        if loss.target not in ("numbers", "counts"):
            raise InputError(f"loss={loss!r} is for classes: take MLPClassifier, or a loss for numbers.")
        return loss

    @available_if(is_stochastic)
    @with_callbacks
    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:
        """Train for one epoch on these rows, going on with the optimizer's state.

        Parameters
        ----------
        X, y, sample_weight
            As in ``fit``.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, one_epoch=True)
