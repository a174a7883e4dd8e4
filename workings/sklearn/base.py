"""The base class of both estimators: validate data, train a network, and predict with it.

``MultilayerPerceptron`` has everything that ``MLPClassifier`` and ``MLPRegressor`` share.  The subclasses
encode targets, decode predictions and choose the loss.
"""

from __future__ import annotations

import copy
import math
import numbers
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from workings.engines.reference import Runner
from workings.errors import DivergenceError, InputError, MissingExtraError
from workings.layers import Dense, number_layers
from workings.losses import Loss
from workings.model.chunks import in_chunks
from workings.model.targets import targets_of
from workings.network import Network
from workings.sklearn.fitting import Convergence, EstimatorTraining, ScikitLearnCallbacks, Scores
from workings.sklearn.hyperparameters import (
    OUTPUT_ACTIVATIONS,
    Hyperparameters,
    check_parameters,
    is_number,
    layers_of,
    loss_matching_gradient,
    optimizer_of,
    regularizers_of,
    share_runners,
    uses_lbfgs,
)
from workings.sklearn.inputs import class_weights, own_errors, readable_targets, validate_inputs, validated_weights
from workings.sklearn.phrasing import EstimatorTerms
from workings.sklearn.validation_split import split_rows
from workings.support.arrays import Array, Features, as_features, describe, working_dtype
from workings.support.escaping import in_html
from workings.support.keywords import CheckedKeywords, checked_keywords
from workings.support.sparse import SparseRows, dense
from workings.training.batches import State
from workings.training.callbacks import Callback
from workings.training.loop import run
from workings.training.recipe import Recipe
from workings.training.rows import Rows
from workings.training.training_data import TrainingData

try:
    from sklearn.base import (
        BaseEstimator,
        ClassifierMixin,
        ClassNamePrefixFeaturesOutMixin,
        RegressorMixin,
        TransformerMixin,
    )
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils import check_array, check_random_state, column_or_1d
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise MissingExtraError("scikit-learn 1.6 or newer", "sklearn") from error

FRAMES = 5  # stack frames from a warning in a method that _fit calls to the caller of fit
try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as untyped_with_callbacks

    FRAMES += 1  # the wrapper of with_callbacks
except ImportError:  # scikit-learn before 1.9 has no callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """An empty mixin."""

    def untyped_with_callbacks(method: object) -> object:
        """Return the method unchanged."""
        return method


P = ParamSpec("P")
T = TypeVar("T")


SHARED = """
    The parameters up to ``max_fun`` mean what they mean in scikit-learn.  The parameters after it are additions of
    Workings.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, or int
        The number of units of each hidden layer.
    activation : str, Activation, or a list of these
        The activation of the hidden layers; a list has one for each layer.  Names are "identity", "logistic",
        "tanh", "relu", or another activation of Workings.
    solver : {"lbfgs", "sgd", "adam"}
        The optimizer.  "lbfgs" uses the full batch and suits small data sets.
    alpha : float
        The L2 penalty: alpha/2 · ΣW², divided by the rows of the batch (or by the sum of their sample
        weights).
    batch_size : int or "auto"
        The number of rows in a mini-batch; "auto" is the smaller of 200 and the number of rows.  Not used by
        "lbfgs".
    learning_rate : {"constant", "invscaling", "adaptive"}
        The schedule for "sgd".  "invscaling": after each epoch, learning_rate_init / (rows seen + 1)^power_t.
        "adaptive": divided by five each time that training would otherwise stop, down to 1e-6.
    learning_rate_init : float
        The initial learning rate, for "sgd" and "adam".
    power_t : float
        The exponent of "invscaling".
    max_iter : int
        The maximum number of epochs; for "lbfgs", of iterations.
    shuffle : bool
        Whether to shuffle the rows in each epoch.
    random_state : int, RandomState or None
        The seed of initial weights, validation split, shuffling and dropout masks.  Numbers are drawn in the
        same sequence as scikit-learn's.
    tol : float
        The smallest improvement of the loss (with early stopping, of the score) that counts.  For "lbfgs",
        training stops when the largest entry of the gradient is at most this.
    verbose : bool or int
        Whether to print the loss of each epoch.
    warm_start : bool
        Whether ``fit`` continues from the existing weights.
    momentum : float
        The momentum of "sgd".
    nesterovs_momentum : bool
        Whether to use Nesterov's momentum.
    early_stopping : bool
        Whether to hold out validation rows, stop when their score stops improving, and restore the best
        weights.
    validation_fraction : float
        The fraction of the rows that early stopping holds out, as scikit-learn draws them: by class if there are
        two classes.
    beta_1, beta_2, epsilon : float
        The constants of Adam.
    n_iter_no_change : int or inf
        The number of epochs without an improvement of at least ``tol`` after which training stops.
    max_fun : int
        The maximum number of loss evaluations of "lbfgs".
    dropout : float or list of float
        The dropout rate of the hidden layers; a list has one for each layer.
    batch_norm : bool
        Whether to apply batch normalization before each hidden layer's activation.  A single row has no
        variance: if the last batch would have one row, that row joins the batch before it.
    l1 : float
        The L1 penalty: l1 · Σ|W|.
    weight_decay : float
        The L2 penalty weight_decay/2 · ΣW², not divided by the rows of the batch: PyTorch's convention.
    clip : float or None
        The maximum norm of the gradient of all parameters together; larger gradients are scaled down.
    optimizer : Optimizer, Chain, LBFGS or None
        An optimizer of Workings, which replaces ``solver`` and its constants.
    schedule : Schedule or None
        The learning rate as a function of the step, for every solver but "lbfgs".
    validation_set : (X, y), (X, y, sample_weight), float or None
        Rows to evaluate after each epoch, or the fraction of the rows to hold out, drawn by class; a class of one
        row stays in the training set.  ``fit`` also accepts such
        rows as X_val and y_val, which a pipeline can transform.
    scoring : str, callable or None
        The score that early stopping monitors: any scorer of scikit-learn; None is the accuracy or R².
        Without early stopping the score is recorded after each epoch, and a ``validation_set`` is required.
    callbacks : sequence of Callback
        Callbacks of Workings.  Those of scikit-learn 1.9 are set with ``set_callbacks``.
    init : initializer, its name, an array, a list of these, or None
        The initial weights; a list has one for each layer, including the output layer.  Biases then start at
        0.  None draws weights and biases as scikit-learn does.
    dtype : float32, float64 or None
        The floating-point type of the computation; None takes X's.
    engine : {"auto", "reference", "compiled", "jax"}
        NumPy, machine code, or JAX on whatever device it finds; "auto" compiles when that pays off.

    Attributes
    ----------
    network_ : Network
        The trained network, with ``script``, ``equations``, ``check_gradients``, ``save`` …
    coefs_, intercepts_ : list of arrays
        The weights, of shape (n_in, n_out), and the biases of each layer.  If an array is replaced, the new
        one is used.
    loss_, best_loss_ : float
        The last and the lowest loss; ``best_loss_`` is None with early stopping.
    loss_curve_, validation_loss_curve_ : list of float
        The training loss and the validation loss of each epoch; the second is None without validation rows.
    validation_scores_, best_validation_score_ : list of float and float, or None
        The validation scores of early stopping or of ``scoring``.
    n_iter_, t_ : int
        The number of epochs of the last fit, and of rows seen in all.
    history_ : History
        The record of the last fit, with the engine that ran and the reason why training stopped.
    n_features_in_, n_layers_, n_outputs_ : int
    feature_names_in_ : array of str
        The names of the columns, if X has names.
    out_activation_ : str
        "softmax", "logistic", "identity" or "exp"."""


def add_shared_documentation(cls: type) -> object:
    """Replace ``{shared}`` in a class's docstring by the parameters and attributes of both estimators."""
    cls.__doc__ = (cls.__doc__ or "").replace("{shared}", SHARED.strip())
    return cls


def is_stochastic(estimator: Hyperparameters) -> bool:
    """Whether the solver uses mini-batches; an estimator has ``partial_fit`` only then."""
    if uses_lbfgs(estimator):
        raise AttributeError("partial_fit is only available for solvers with mini-batches, not for L-BFGS.")
    return True


def with_callbacks(method: Callable[P, T]) -> Callable[P, T]:
    """Let a method call scikit-learn's callbacks; its types stay."""
    decorated: Callable[P, T] = untyped_with_callbacks(method)
    return decorated


def if_stochastic(method: Callable[P, T]) -> Callable[P, T]:
    """Offer a method only if the solver uses mini-batches; its types stay."""
    decorated: Callable[P, T] = available_if(is_stochastic)(method)
    return decorated


class MultilayerPerceptron(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    CheckedKeywords,
    BaseEstimator,
):
    """The base class of both estimators."""

    best_loss_: Any
    loss_curve_: list[float]
    validation_loss_curve_: Any

    # -- defined by the subclasses

    def _check_targets(self, y: object, first: bool, one_epoch: bool) -> None:
        """Learn the classes from y, or compare y with the known classes."""

    def _encode(self, y: object) -> Array:
        """Return targets as an array with one column per output."""
        raise NotImplementedError

    def _decode(self, p: Array) -> Array:
        """Return predictions in the form of y."""
        raise NotImplementedError

    def _make_loss(self, n_out: int) -> Loss:
        """Return the loss that the parameter ``loss`` selects."""
        raise NotImplementedError

    def _predicts_like_network(self) -> bool:
        """Whether the network's ``predict`` makes the same predictions as the estimator's."""
        return True

    # -- fitting

    @with_callbacks
    @checked_keywords
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train on X and y, from new weights unless ``warm_start``.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, n_in)
            Inputs; rows are samples.  A large sparse matrix is not converted to an array.
        y : array of shape (n,) or (n, n_outputs)
            Class labels, or numbers.
        sample_weight : array of shape (n,) or None
            The weight of each row, from 0.  Rows of weight 0 stay in their batches, as in scikit-learn; a
            batch of such rows alone is left out.
        X_val, y_val : arrays of shape (n_val, n_in) and (n_val,) or (n_val, n_outputs), or None
            Rows to evaluate after each epoch, like ``validation_set=(X_val, y_val)``.  A
            ``Pipeline(..., transform_input=["X_val"])`` transforms them like X.
        sample_weight_val : array of shape (n_val,) or None
            The weight of each of these rows in the validation loss and score.

        Returns
        -------
        self
        """
        validation_set = self._validation_argument(X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, one_epoch=False, validation_set=validation_set)

    def _validation_argument(self, X_val: object, y_val: object, sample_weight_val: object) -> object:
        """Return the validation rows passed to ``fit``, or else the parameter ``validation_set``."""
        values = {"X_val": X_val, "y_val": y_val}
        missing = [name for name, value in values.items() if value is None]
        if len(missing) == 1:
            (present,) = set(values) - set(missing)
            raise InputError(f"{present} is provided, but {missing[0]} was not provided: pass both.")
        if missing and sample_weight_val is not None:
            raise InputError("sample_weight_val is provided, but X_val and y_val were not provided.")
        if missing:
            return self.validation_set
        if self.validation_set is not None:
            raise InputError("Both X_val and validation_set are given: use only one of them.")
        return X_val, y_val, sample_weight_val

    def _fit(
        self,
        X: object,
        y: object,
        sample_weight: ArrayLike | None,
        *,
        one_epoch: bool,
        validation_set: object,
    ) -> Self:
        """Validate parameters and data, train, and store the results."""
        check_parameters(self.get_params(deep=False))
        if one_epoch and self.early_stopping:
            raise InputError("partial_fit does not support early_stopping=True: it does not see all rows.")
        first = not hasattr(self, "coefs_") or not (self.warm_start or one_epoch)
        context = self._callback_context()
        rows = self._validate_rows(X, y, sample_weight, first, one_epoch)
        rng = check_random_state(self.random_state)
        self._initialize(rows, rng, first)
        callbacks: list[Callback] = []
        if not one_epoch and context is not None:
            callbacks = self._sklearn_callbacks(context, X, y, rows.weights)
        train, validation = self._split(rows, rng, validation_set)
        training = self._make_training(train, validation, one_epoch, callbacks)
        weights = rows.weights  # of all rows: diagnose is called with all rows, too
        terms = EstimatorTerms(self.get_params(deep=False), weights is not None)
        training.history.settings["sample_weight"] = weights
        training.history.terms = terms
        self._run(training, one_epoch)
        return self

    def _callback_context(self) -> object:
        """Return the context of scikit-learn's callbacks; None before scikit-learn 1.9."""
        if not hasattr(self, "_init_callback_context"):
            return None
        return self._init_callback_context(max_subtasks=self.max_iter)

    def _sklearn_callbacks(self, context: object, X: object, y: object, weights: Array | None) -> list[Callback]:
        """Return the callback that calls the callbacks of ``set_callbacks``, if there are any."""
        return [ScikitLearnCallbacks(self, context, X, y, weights)] if getattr(self, "_skl_callbacks", []) else []

    def _validate_rows(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None,
        first: bool,
        one_epoch: bool,
    ) -> Rows:
        """Validate the training data, encode the targets, and multiply sample weights by class weights."""
        with own_errors("y"):
            X, y = validate_inputs(
                self,
                X,
                y,
                reset=first,
                accept_sparse=["csr", "csc"],
                dtype=(np.float64, np.float32),
                multi_output=True,
                y_numeric=isinstance(self, RegressorMixin),
            )
            y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
            self._check_targets(y, first, one_epoch)
        w = None if sample_weight is None else validated_weights(sample_weight, X)
        X = as_features(X, working_dtype(X, self.dtype))
        if getattr(self, "class_weight", None) is not None:
            if one_epoch and isinstance(self.class_weight, str):
                raise InputError("partial_fit does not see all labels: class_weight must be a dict, not 'balanced'.")
            by_class = class_weights(self.class_weight, self.classes_, y)
            w = by_class if w is None else by_class * w
            if not w.any():
                raise InputError("Every row has weight 0, by class_weight: give some rows a weight above 0.")
        targets = self._encode(y).astype(X.dtype)
        return Rows(X, targets, None if w is None else w.reshape(-1, 1).astype(X.dtype))

    def _initialize(self, rows: Rows, rng: np.random.RandomState, first: bool) -> None:
        """Make the network, with new or existing weights, and initialize the fitted attributes."""
        n_in, n_out = rows.X.shape[1], rows.y.shape[1]
        loss = self._make_loss(n_out)
        has_sigmoid = loss.takes_any_number and isinstance(self, ClassifierMixin)
        network = Network(
            layers_of(self, n_in, n_out, "sigmoid" if has_sigmoid else "identity"),
            loss=loss,
            regularizer=regularizers_of(self),
            dtype=rows.X.dtype,
            seed=rng if first else np.random.RandomState(0),
        )
        share_runners(network)
        network.build(n_in)
        share_runners(network)
        if not first:
            self._copy_weights_to(network)
        network.set_random_generator(rng)
        self._set_network(network)
        self.n_layers_ = len(self.coefs_) + 1
        self.n_outputs_ = n_out
        self.out_activation_ = "logistic" if has_sigmoid else OUTPUT_ACTIVATIONS[loss.target]
        self._initialize_curves(first)

    def _initialize_curves(self, first: bool) -> None:
        """Initialize the attributes that training updates; a warm start keeps those that exist."""
        self.n_iter_ = 0
        self.loss_ = math.nan
        initial: dict[str, Any] = {
            "t_": 0,
            "loss_curve_": [],
            "best_loss_": math.inf,
            "validation_scores_": None,
            "best_validation_score_": None,
            "validation_loss_curve_": None,
            "_no_improvement_count": 0,
        }
        if self._stops_early() or self.scoring is not None:
            initial |= {"validation_scores_": [], "best_validation_score_": -math.inf}
        if self._stops_early():
            initial |= {"best_loss_": None, "_best": {}}
        for name, value in initial.items():
            if first or getattr(self, name, None) is None:
                setattr(self, name, value)

    def _stops_early(self) -> bool:
        """Whether a validation score decides when to stop; L-BFGS has its own criterion."""
        return bool(self.early_stopping) and not uses_lbfgs(self)

    def _copy_weights_to(self, network: Network) -> None:
        """Copy the existing weights and statistics into a new network."""
        previous = getattr(self, "_network", network)
        values: dict[str, Any] = {**previous.parameters, **previous.statistics}
        values |= dict(self._weights(network))
        shapes = {name: array.shape for name, array in {**network.parameters, **network.statistics}.items()}
        if shapes != {name: np.shape(values.get(name, ())) for name in shapes}:
            existing = [np.shape(W) for W in self.coefs_]
            required = [shape for shape in shapes.values() if len(shape) == 2]
            raise InputError(
                f"The existing weights have shapes {existing}, but the parameters require {required}. "
                f"Use warm_start=False to start from new weights."
            )
        network.set_values(values)

    def _weights(self, network: Network) -> list[tuple[str, object]]:
        """Return the arrays in ``coefs_`` and ``intercepts_`` with their names in a network."""
        named: list[tuple[str, Any]] = []
        for number, W, b in zip(dense_numbers(network), self.coefs_, self.intercepts_, strict=False):
            named += [(f"W{number}", W), (f"b{number}", b)]
        return named

    def _set_network(self, network: Network) -> None:
        """Use a network, and its arrays as ``coefs_`` and ``intercepts_``."""
        self._network = network
        self.coefs_ = [network.parameters[f"W{number}"] for number in dense_numbers(network)]
        self.intercepts_ = [network.parameters[f"b{number}"] for number in dense_numbers(network)]

    def _make_training(
        self, rows: Rows, validation: Rows | None, one_epoch: bool, sklearn_callbacks: list[Callback]
    ) -> EstimatorTraining:
        """Return the training, with the optimizer and all callbacks."""
        optimizer = optimizer_of(self)
        batch_size = self._batch_size(len(rows.X)) if optimizer.takes_batches else None
        score = None if validation is None else self._validation_score(validation)
        callbacks = list(self.callbacks)
        if optimizer.takes_batches:
            callbacks.append(Convergence(self, score if self._stops_early() else None))
        if callable(score) and not self._stops_early():
            callbacks.append(Scores(self, score))
        callbacks += sklearn_callbacks
        if validation is not None:
            self.validation_loss_curve_ = self.validation_loss_curve_ or []
        data = TrainingData(rows, validation, self._network.targets)
        recipe = Recipe(
            optimizer,
            epochs=1 if one_epoch else int(self.max_iter),
            batch_size=batch_size,
            shuffle=bool(self.shuffle),
            validation=validation,
            sample_weight=rows.w,
            callbacks=callbacks,
            running_loss=True,
        )
        return EstimatorTraining(self._network, data, recipe, engine=self.engine)

    def _batch_size(self, n: int) -> int:
        """Return the number of rows in a mini-batch."""
        if isinstance(self.batch_size, str):
            return min(200, n)
        if self.batch_size > n:
            warnings.warn(
                f"batch_size={self.batch_size} is larger than the number of rows, {n}: using the full batch.",
                stacklevel=FRAMES + 1,
            )
        return min(int(self.batch_size), n)

    def _split(self, rows: Rows, rng: np.random.RandomState, validation_set: Any) -> tuple[Rows, Rows | None]:
        """Return the rows to train on and the validation rows, if there are any."""
        if isinstance(validation_set, (tuple, list)) and len(validation_set) in (2, 3):
            return rows, self._validate_validation_rows(rows, *validation_set)
        if validation_set is not None and not (is_number(validation_set) and 0 < validation_set < 1):
            raise InputError(
                f"validation_set must be (X, y) or a fraction between 0 and 1, not {describe(validation_set)}."
            )
        if validation_set is None and not self._stops_early():
            if self.scoring is not None:
                raise InputError(
                    f"scoring={self.scoring!r} requires validation rows: pass validation_set=(X, y) or a "
                    f"fraction of the rows, such as validation_set=0.1."
                )
            return rows, None
        fraction = self.validation_fraction if validation_set is None else validation_set
        as_scikit_learn = validation_set is None
        by_class = self._has_one_label_per_row() and not (as_scikit_learn and self.n_outputs_ > 1)
        return split_rows(rows, fraction, rng, self.classes_ if by_class else None, as_scikit_learn=as_scikit_learn)

    def _has_one_label_per_row(self) -> bool:
        """Whether each row of y has exactly one label."""
        return False

    def _validate_validation_rows(self, rows: Rows, X: Any, y: Any, sample_weight: Any = None) -> Rows:
        """Validate and encode validation rows like the training rows."""
        try:
            X = validate_inputs(self, X, accept_sparse=["csr", "csc"], reset=False)
        except ValueError as error:
            raise InputError(
                f"In the validation set: {error} A Pipeline does not transform validation_set. In a "
                f"pipeline, use a fraction of the rows, such as validation_set=0.2, or pass X_val and y_val to "
                f'its fit, with transform_input=["X_val"].'
            ) from error
        w = None if sample_weight is None else validated_weights(sample_weight, X).reshape(-1, 1)
        X = as_features(X, rows.X.dtype)
        X = X if isinstance(rows.X, SparseRows) else dense(X)  # one engine runs on both
        y = check_array(np.asarray(readable_targets(y, "y_val")), ensure_2d=False, dtype=None, input_name="y_val")
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        if isinstance(self, ClassifierMixin) and len(unknown := np.setdiff1d(y, self.classes_)):
            raise InputError(f"The validation set has labels that are not in y: {unknown[:5].tolist()}.")
        columns = self._encode(y)
        if columns.shape != (len(X), rows.y.shape[1]):
            raise InputError(
                f"The validation set has X with {len(X)} rows and y of shape {y.shape}. Both must have the "
                f"same number of rows, and y as many outputs as the training targets."
            )
        return Rows(X, columns.astype(rows.X.dtype), None if w is None else w.astype(rows.X.dtype))

    def _validation_score(self, validation: Rows) -> str | Callable[[], float] | None:
        """Return the score that early stopping monitors or ``scoring`` records.

        It is the name of a column of the history or a function.
        """
        if not self._stops_early() and self.scoring is None:
            return None
        from sklearn.metrics import accuracy_score, check_scoring, r2_score  # takes time to import

        is_classifier = isinstance(self, ClassifierMixin)
        if self.scoring is None and validation.w is None and self._predicts_like_network():
            return "val_accuracy" if is_classifier else "val_r2"
        y = self._decode(validation.y)
        weights = {} if validation.w is None else {"sample_weight": validation.weights}
        if self.scoring is None:
            score = accuracy_score if is_classifier else r2_score
            return lambda: float(score(y, self._decode(self._network.outputs(validation.X)), **weights))
        scorer = check_scoring(self, scoring=self.scoring)
        X = validation.X.matrix if isinstance(validation.X, SparseRows) else validation.X

        def score_without_feature_names() -> float:
            estimator = copy.copy(self)
            estimator.__dict__.pop("feature_names_in_", None)  # X is an array, which has no names
            return float(scorer(estimator, X, y, **weights))

        return score_without_feature_names

    def _run(self, training: EstimatorTraining, one_epoch: bool) -> None:
        """Train, store the results, and warn if training did not converge."""
        if one_epoch:
            self._restore_optimizer_state(training)
        try:
            run(training)
        except DivergenceError as error:
            self._handle_divergence(error)
        finally:
            self._store_results(training)
        is_lbfgs = not training.optimizer.takes_batches
        if is_lbfgs:
            self._store_lbfgs_results(training)
        if training.history.stopped.startswith("interrupted"):
            warnings.warn(f"Training was {training.history.stopped}.", stacklevel=FRAMES)
        elif not (is_lbfgs or one_epoch or training.stopped) and self.n_iter_ == self.max_iter:
            warn_not_converged(
                f"training reached max_iter={self.max_iter} before {self.n_iter_no_change} epochs "
                f"(n_iter_no_change) without an improvement of tol={self.tol:g}"
            )

    def _restore_optimizer_state(self, training: EstimatorTraining) -> None:
        """Continue with the optimizer's state of the last call, if it fits the parameters."""
        state = getattr(self, "_optimizer_state", None)
        if not state:
            return
        shapes = {name: training.values[name].shape for name in training.program.states}
        if {name: array.shape for name, array in state["values"].items()} == shapes:
            training.state = State({**training.values, **state["values"]}, state["step"])
            training.learning_rate.plateau = dict(state["plateau"])

    def _handle_divergence(self, error: DivergenceError) -> None:
        """Warn if early stopping has restored the best weights; otherwise raise an error."""
        if not self._stops_early():
            raise InputError(
                "Solver produced non-finite parameter weights. The input data may contain large values "
                f"and need to be preprocessed. {error}"
            ) from error
        self.n_iter_ += 1
        self.loss_ = math.nan
        self.loss_curve_.append(self.loss_)
        self.validation_scores_.append(math.nan)
        what = f"training diverged; the best weights were restored. {error.args[0].rstrip('.')}"
        warn_not_converged(what, FRAMES + 2, "a smaller learning rate")

    def _store_results(self, training: EstimatorTraining) -> None:
        """Store the history and the optimizer's state, and prepare the network for use on its own."""
        network = self._network
        self.history_ = training.history
        states = {name: training.values[name] for name in training.program.states}
        self._optimizer_state = {"step": training.step, "plateau": training.learning_rate.plateau, "values": states}
        self._draw_unused_orders(training)
        network.set_loss(loss_matching_gradient(network.loss))
        share_runners(network)
        classes = getattr(self, "classes_", None)
        labels = None
        if network.targets.has_labels and classes is not None and len(classes) > 1:
            labels = np.array(classes.tolist())
            if labels.dtype.kind == "f" and (labels == labels.round()).all():
                labels = labels.astype(np.int64)  # files store labels as integers or text
        network.set_targets(targets_of(network.loss.target, network.n_out, labels))

    def _draw_unused_orders(self, training: EstimatorTraining) -> None:
        """Draw the row orders that a full batch does not need: scikit-learn draws them, too.

        A ``RandomState`` that others draw from afterwards is then in the same state.
        """
        is_full_batch = self.shuffle and not training.batches.shuffle and training.optimizer.takes_batches
        if is_full_batch and not isinstance(self.random_state, numbers.Integral):
            for _ in range(self.n_iter_):
                training.network.rng.permutation(len(training.X))

    def _store_lbfgs_results(self, training: EstimatorTraining) -> None:
        """Store the losses of L-BFGS, and warn if it did not converge."""
        result = training.result
        if result is None:
            self.n_iter_ = training.history.epochs
            self.loss_ = training.network.measure(training.X, training.y, training.w)[0]
        else:
            self.n_iter_ = min(int(result.nit), int(self.max_iter))
            self.loss_ = float(result.fun)
        losses = training.history["loss"] if training.history.epochs else []  # before each iteration
        curve = [*losses[1:], self.loss_][: max(self.n_iter_, 1)]  # after each iteration
        self.loss_curve_ += curve
        self.best_loss_ = min([self.best_loss_, *curve])
        if "val_loss" in training.history:
            self.validation_loss_curve_ += training.history["val_loss"]
        if self.verbose:
            for number, loss in enumerate(curve, start=1):
                print(f"Iteration {number}, loss = {loss:.8f}")
        if result is not None and result.status != 0:
            limit = "max_fun" if result.nfev >= self.max_fun else "max_iter"
            what = f"L-BFGS stopped after {self.n_iter_} iterations: {result.message}"
            warn_not_converged(what, FRAMES + 2, f"a larger {limit}")

    # -- predicting

    @property
    def network_(self) -> Network:
        """The network, with the weights and biases in ``coefs_`` and ``intercepts_``."""
        if not hasattr(self, "_network"):
            raise AttributeError(f"This {type(self).__name__} has no network yet: call fit first.")
        network: Network = self._network
        for name, array in self._weights(network):
            if array is not network.parameters[name]:
                network.parameters[name][...] = array
        return network

    def _validate_inputs(self, X: Any) -> Features:
        """Check that the estimator is fitted, and return validated inputs."""
        check_is_fitted(self)
        X = validate_inputs(self, X, accept_sparse=["csr", "csc"], reset=False)
        return as_features(X, self._network.dtype)

    def _scored(self, score: Callable[..., float], X: Any, y: Any, sample_weight: Any, **settings: Any) -> float:
        """Return a score of scikit-learn for the predictions of X, after validating y and the weights."""
        predicted = self.predict(X)
        y = readable_targets(y, "y")
        w = None if sample_weight is None else validated_weights(sample_weight, predicted)
        with own_errors("y"):
            return float(score(y, predicted, sample_weight=w, **settings))

    def _outputs(self, X: Any) -> Array:
        """Return the outputs of the network, ``p``."""
        engine = "reference" if self.engine == "reference" else "auto"
        X = self._validate_inputs(X)
        return self.network_.outputs(X, engine=engine)

    @checked_keywords
    def predict(self, X: ArrayLike) -> Array:
        """Predict labels of shape (n,) or (n, n_labels), or numbers of shape (n,) or (n, n_outputs)."""
        return self._decode(self._outputs(X))

    @checked_keywords
    def transform(self, X: ArrayLike) -> Array:
        """Return the outputs of the last hidden layer, of shape (n, units); without hidden layers, X."""
        X = self._validate_inputs(X)
        return last_hidden_outputs(self.network_, X)

    @property
    def _n_features_out(self) -> int:
        """The number of columns that ``transform`` returns."""
        return int(self.coefs_[-1].shape[0])

    # -- copies and display

    def _snapshot(self) -> dict[str, object]:
        """Return attributes with which a copy of the estimator predicts with the current weights."""
        network = copy.deepcopy(self.network_)
        network.set_loss(self._network.loss)
        network.share_runners(self._network.runners)
        twin = copy.copy(self)
        twin._set_network(network)
        return {"_network": network, "coefs_": twin.coefs_, "intercepts_": twin.intercepts_}

    def __getstate__(self) -> object:
        if "_network" in vars(self):
            self._network = self.network_  # copies replaced weights into the network
        return super().__getstate__()

    def __setstate__(self, state: object) -> None:
        super().__setstate__(state)
        if "_network" in vars(self):
            self._set_network(self._network)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _html_repr(self) -> str:
        """Return scikit-learn's diagram and, after ``fit``, a drawing of the network."""
        estimator = super()._html_repr()
        if not hasattr(self, "_network"):
            return str(estimator)
        from workings.readings.diagram import diagram

        summary = in_html(self.network_.summary())
        return f"<div>{estimator}{diagram(self.network_)}<pre>{summary}</pre></div>"


def dense_numbers(network: Network) -> list[str]:
    """Return the numbers of the dense layers, as in ``W1``."""
    return [number for layer, number in number_layers(network.layers) if isinstance(layer, Dense)]


def last_hidden_outputs(network: Network, X: Features) -> Array:
    """Return the inputs of the last layer: the value in the program that its ``z`` is computed from."""
    program = network.inference
    *_, (_, number) = number_layers(network.layers)
    (name,) = program[f"z{number}"].reads - {*network.parameters, "np"}
    if name == "X":
        return dense(X)
    run = network.runner(("hidden", name), lambda: Runner(program.needed_for(name), [name], "hidden"))
    (outputs,) = in_chunks(run, {**network.parameters, **network.statistics}, network.rows_in_chunk, X=X)
    return outputs


def warn_not_converged(
    what: str, frames: int = FRAMES + 1, change: str = "a larger max_iter or another learning rate"
) -> None:
    """Emit a ``ConvergenceWarning``; ``frames`` counts the stack frames to the caller of ``fit``."""
    warnings.warn(
        f"{what[0].upper()}{what[1:]}. Try {change}, and scale the inputs if needed (StandardScaler).",
        ConvergenceWarning,
        stacklevel=frames,
    )


def set_parameters(estimator: object, arguments: Mapping[str, object]) -> None:
    """Store the arguments of ``__init__`` unchanged, as scikit-learn requires."""
    for name, value in arguments.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)
