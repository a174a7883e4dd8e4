"""The part that both estimators share: from checked data to a trained network, and back to predictions."""

from __future__ import annotations

import copy
import html
import math
import numbers
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workings.engines.reference import Runner
from workings.errors import DivergenceError, InputError, MissingExtraError
from workings.layers import Dense, numbered
from workings.losses import Loss
from workings.model.targets import Targets
from workings.network import Network
from workings.optimizers import LBFGS
from workings.sklearn.fitting import Convergence, EstimatorTraining, Scores, Told
from workings.sklearn.parameters import (
    OUTPUTS,
    check_parameters,
    followed,
    is_number,
    layers_of,
    optimizer_of,
    regularizers_of,
    share_runners,
    takes_all_rows,
)
from workings.sklearn.phrasing import EstimatorTerms
from workings.support.arrays import Array, Features, as_features, describe, working_dtype
from workings.support.sparse import SparseRows, dense
from workings.training.evaluation import Rows

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
    from sklearn.utils import check_array, check_random_state, column_or_1d, compute_sample_weight
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise MissingExtraError("scikit-learn 1.6 or newer", "sklearn") from error
FRAMES = 4  # from a warning in what fit calls to whoever called fit
try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as with_callbacks

    FRAMES += 1  # of with_callbacks
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
        Whether each hidden layer is normalized over the batch, before its activation.  A single row has no
        variance: where the last batch would have one row, that row goes into the batch before it.
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
    validation_set : (X, y), (X, y, sample_weight), float or None
        Rows to measure on after each epoch, or the share of the rows to put aside.  ``fit`` takes such rows too, as
        X_val and y_val, which a pipeline can transform.
    scoring : str, callable or None
        What early stopping follows: any scorer of scikit-learn; by default the accuracy or R².  Without early
        stopping it is only measured, after each epoch, and needs a ``validation_set``.
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
        The scores of early stopping, or of ``scoring``.
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
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Any:
        """Train on X and y, from new weights unless ``warm_start``.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, n_in)
            Inputs; rows are samples.  A sparse matrix that is large is multiplied as it is.
        y : array of shape (n,) or (n, n_outputs)
            Labels, or numbers.
        sample_weight : array of shape (n,) or None
            How much each row counts.
        X_val, y_val : arrays of shape (n_val, n_in) and (n_val,) or (n_val, n_outputs), or None
            Rows to measure on after each epoch, as ``validation_set=(X_val, y_val)`` gives them.  A
            ``Pipeline(..., transform_input=["X_val"])`` transforms them as it does X.
        sample_weight_val : array of shape (n_val,) or None
            How much each of these rows counts in the validation loss and score.

        Returns
        -------
        self
        """
        given = self._asked_validation(X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, one_epoch=False, given=given)

    def _asked_validation(self, X_val: Any, y_val: Any, sample_weight_val: Any) -> Any:
        """The rows that ``fit`` is given to measure on, or what ``validation_set`` says."""
        values = {"X_val": X_val, "y_val": y_val}
        missing = [name for name, value in values.items() if value is None]
        if len(missing) == 1:
            (there,) = set(values) - set(missing)
            raise InputError(f"{there} is provided, but {missing[0]} was not provided: give both.")
        if missing and sample_weight_val is not None:
            raise InputError("sample_weight_val is provided, but X_val and y_val, whose rows it weighs, are not.")
        if missing:
            return self.validation_set
        if self.validation_set is not None:
            raise InputError("Both X_val and validation_set are given: leave one of them out.")
        return X_val, y_val, sample_weight_val

    def _fit(self, X: Any, y: Any, sample_weight: Any, one_epoch: bool, given: Any) -> Any:
        """Check everything, train, and keep what was learned; ``given`` says what to validate on."""
        check_parameters(self.get_params(deep=False))
        if one_epoch and self.early_stopping:
            raise InputError("partial_fit does not support early_stopping=True: it does not see all rows.")
        first = not hasattr(self, "coefs_") or not (self.warm_start or one_epoch)
        context = self._context()
        rows = self._checked_rows(X, y, sample_weight, first, one_epoch)
        rng = check_random_state(self.random_state)
        self._start(rows, rng, first)
        told = None if one_epoch or context is None else Told(self, context, X, y, rows.weights)
        training = self._training(*self._hold_out(rows, rng, given), rng, one_epoch, told)
        weights = rows.weights  # of all rows, as whoever asks the doctor has them
        terms = EstimatorTerms(self.get_params(deep=False), weights is not None)
        training.history.settings |= {"terms": terms, "sample_weight": weights}
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
        w = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        X = as_features(X, working_dtype(X, self.dtype))
        balance = getattr(self, "class_weight", None)
        if balance is not None:
            if one_epoch and isinstance(balance, str):
                raise InputError("partial_fit does not see all labels: give class_weight as a dict, not 'balanced'.")
            by_class = compute_sample_weight(self._with_all_labels(balance), y)
            if not (np.isfinite(by_class).all() and (by_class >= 0).all()):
                raise InputError(f"class_weight must hold numbers from 0, not {balance!r}.")
            w = by_class * (1 if w is None else w)
        return Rows(X, self._encode(y).astype(X.dtype), None if w is None else w.reshape(-1, 1).astype(X.dtype))

    def _with_all_labels(self, balance: Any) -> Any:
        """Class weights with 1 for labels that they leave out: a batch need not have rows of those that they name."""
        if not isinstance(balance, Mapping):
            return balance
        labels = self.classes_.tolist()
        strange = [label for label in balance if label not in labels]
        if strange and not all(label in balance for label in labels):
            raise InputError(
                f"class_weight has {strange[0]!r}, which is no label: y has {', '.join(map(repr, labels))}."
            )
        return {label: balance.get(label, 1.0) for label in labels}

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
        if self._stops_early() or self.scoring is not None:
            fresh |= {"validation_scores_": [], "best_validation_score_": -math.inf}
        if self._stops_early():
            fresh |= {"best_loss_": None, "_best": {}}
        for name, value in fresh.items():
            if first or getattr(self, name, None) is None:
                setattr(self, name, value)

    def _stops_early(self) -> bool:
        """Whether a score decides when to end; L-BFGS has an end of its own."""
        return bool(self.early_stopping) and not takes_all_rows(self)

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

    def _training(
        self, rows: Rows, held: Rows | None, rng: Any, one_epoch: bool, told: Told | None
    ) -> EstimatorTraining:
        """Put everything together, with the rows to train on and those to measure on."""
        optimizer, shuffle = optimizer_of(self), bool(self.shuffle)
        n = len(rows.X)
        size: int | None = None
        if not isinstance(optimizer, LBFGS):
            size = min(200 if isinstance(self.batch_size, str) else int(self.batch_size), n)
            if not isinstance(self.batch_size, str) and self.batch_size > n:
                warnings.warn(
                    f"batch_size={self.batch_size} is more than the {n} rows: all are taken.", stacklevel=FRAMES
                )
        callbacks = list(self.callbacks)
        follows = None if held is None else self._followed_score(held)
        if not isinstance(optimizer, LBFGS):
            callbacks.append(Convergence(self, follows if self._stops_early() else None))
        if callable(follows) and not self._stops_early():
            callbacks.append(Scores(self, follows))
        if told is not None and getattr(self, "_skl_callbacks", []):
            callbacks.append(told)
        if held is not None:
            self.validation_loss_curve_ = self.validation_loss_curve_ or []
        return EstimatorTraining(
            self._network, rows.X, rows.y, optimizer=optimizer, epochs=1 if one_epoch else int(self.max_iter),
            batch_size=size, shuffle=shuffle, validation=None if held is None else tuple(held),
            sample_weight=rows.w, class_weight=None, metrics=(), callbacks=callbacks, running_loss=True,
            engine=self.engine,
        )  # fmt: skip

    def _hold_out(self, rows: Rows, rng: Any, given: Any) -> tuple[Rows, Rows | None]:
        """The rows to train on and those to measure on, which ``given`` holds or is the share of."""
        if isinstance(given, (tuple, list)) and len(given) in (2, 3):
            return rows, self._given_rows(rows, *given)
        if given is not None and not (is_number(given) and 0 < given < 1):
            raise InputError(f"validation_set must be (X, y) or a share between 0 and 1, not {describe(given)}.")
        if given is None and not self._stops_early():
            if self.scoring is not None:
                raise InputError(
                    f"scoring={self.scoring!r} is measured on rows that are put aside, and there are none: give "
                    f"validation_set=(X, y) or a share of the rows, such as validation_set=0.1."
                )
            return rows, None
        share = self.validation_fraction if given is None else given
        labels = rows.y.astype(bool) if isinstance(self, ClassifierMixin) and self.n_outputs_ == 1 else None
        kept, held = train_test_split(np.arange(len(rows.X)), random_state=rng, test_size=share, stratify=labels)
        if len(held) < 2:
            raise InputError(
                f"The validation set is too small: {len(held)} row. Increase 'validation_fraction' or the size of "
                f"your dataset."
            )
        return rows.taken(kept), rows.taken(held)

    def _given_rows(self, rows: Rows, X: Any, y: Any, sample_weight: Any = None) -> Rows:
        """The rows to measure on that were given, checked as those to train on are."""
        try:
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        except ValueError as error:
            raise InputError(
                f"In the validation rows: {error} A Pipeline does not transform validation_set: inside of one, give a "
                f"share of the rows, such as validation_set=0.2, or X_val and y_val to its fit, with "
                f'transform_input=["X_val"].'
            ) from error
        w = None if sample_weight is None else _check_sample_weight(sample_weight, X).reshape(-1, 1)
        X = as_features(X, rows.X.dtype)
        X = X if isinstance(rows.X, SparseRows) else dense(X)  # both for one engine
        y = check_array(np.asarray(y), ensure_2d=False, dtype=None, input_name="y_val")
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        if isinstance(self, ClassifierMixin) and len(strange := np.setdiff1d(y, self.classes_)):
            raise InputError(f"The validation rows have labels that y has not: {strange[:5].tolist()}.")
        columns = self._encode(y)
        if columns.shape != (len(X), rows.y.shape[1]):
            raise InputError(
                f"The validation rows have X of {len(X)} rows and y of shape {y.shape}; they must have as many rows, "
                f"and targets like those to train on."
            )
        return Rows(X, columns.astype(rows.X.dtype), None if w is None else w.astype(rows.X.dtype))

    def _followed_score(self, held: Rows) -> str | Callable[[], float] | None:
        """What early stopping follows, or ``scoring`` measures: a column of the history, or the estimator's score."""
        if not self._stops_early() and self.scoring is None:
            return None
        if self.scoring is None and held.w is None and self._is_decoded_alike():
            return "val_accuracy" if isinstance(self, ClassifierMixin) else "val_r2"
        X, y, scorer = held.X, self._decode(held.y), None
        X = X.matrix if isinstance(X, SparseRows) else X
        weights = {} if held.w is None else {"sample_weight": held.weights}
        if self.scoring is not None:
            scorer = check_scoring(self, scoring=self.scoring)
        usual = accuracy_score if isinstance(self, ClassifierMixin) else r2_score

        def score() -> float:
            if scorer is None:
                return float(usual(y, self._decode(self._network.outputs(held.X)), **weights))
            unnamed = copy.copy(self)  # which expects no names of columns
            unnamed.__dict__.pop("feature_names_in_", None)
            return float(scorer(unnamed, X, y, **weights))

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
            warnings.warn(f"Training was {training.history.stopped}.", stacklevel=FRAMES)
        elif (
            not isinstance(training.optimizer, LBFGS)
            and not (one_epoch or training.stopped)
            and self.n_iter_ == self.max_iter
        ):
            patience = f"n_iter_no_change={self.n_iter_no_change} epochs without getting better by tol={self.tol:g}"
            warn_of_convergence(f"training ended with max_iter={self.max_iter}, before it had gone {patience}")

    def _diverged(self, error: DivergenceError) -> None:
        """With early stopping, the best parameters are back; without, what was learned is nothing to go on from."""
        if not self._stops_early():
            raise InputError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
                f"preprocessed. {error}"
            ) from error
        self.n_iter_ += 1
        self.loss_ = math.nan
        self.loss_curve_.append(self.loss_)
        self.validation_scores_.append(math.nan)
        what = f"training diverged; the best parameters are back. {error.args[0].rstrip('.')}"
        warn_of_convergence(what, FRAMES + 2, "a smaller learning rate")

    def _finish(self, training: EstimatorTraining) -> None:
        """Keep what later calls and people need."""
        network = self._network
        self.history_ = training.history
        states = {name: training.values[name] for name in training.program.states}
        self._optimizer_state = {"step": training.step, "plateau": training.plateau, "values": states}
        self._draw_unused_orders(training)
        network.loss = followed(network.loss)
        share_runners(network)
        classes = getattr(self, "classes_", None)
        has_labels = network.targets.has_labels and classes is not None and len(classes) > 1
        labels = np.array(classes.tolist()) if has_labels and classes is not None else None
        if labels is not None and labels.dtype.kind == "f" and (labels == labels.round()).all():
            labels = labels.astype(np.int64)  # files hold whole numbers and text
        network.targets = Targets(network.loss.target, network.n_out, labels)

    def _draw_unused_orders(self, training: EstimatorTraining) -> None:
        """Draw the orders that a single batch has no use for: scikit-learn does, and others may draw after it."""
        is_single = self.shuffle and not training.shuffle and not isinstance(training.optimizer, LBFGS)
        if is_single and not isinstance(self.random_state, numbers.Integral):
            for _ in range(self.n_iter_):
                training.network.rng.permutation(len(training.X))

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
            limit = "max_fun" if result.nfev >= self.max_fun else "max_iter"
            what = f"L-BFGS ended after {self.n_iter_} iterations: {result.message}"
            warn_of_convergence(what, FRAMES + 2, f"a larger {limit}")

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

    def _inputs(self, X: Any) -> Features:
        """Checked inputs."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        return as_features(X, self._network.dtype)

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


def last_hidden(network: Network, X: Features) -> Array:
    """What goes into the last layer, named as the program names it."""
    program = network.inference
    *_, (_, number) = numbered(network.layers)
    (name,) = program[f"z{number}"].reads - {*network.parameters, "np"}
    if name == "X":
        return dense(X)
    run = network.runner(("hidden", name), lambda: Runner(program.needed_for(name), [name], "hidden"))
    (found,) = network.in_chunks(run, {**network.parameters, **network.statistics}, X=X)
    return found


def warn_of_convergence(
    what: str, frames: int = FRAMES + 1, change: str = "a larger max_iter, or another learning rate"
) -> None:
    """Say that training may not be at its end; ``frames`` leads to the line of whoever called ``fit``."""
    warnings.warn(
        f"{what[0].upper()}{what[1:]}. Take {change}, and scale the inputs if they are not (StandardScaler).",
        ConvergenceWarning,
        stacklevel=frames,
    )


def store(estimator: Any, given: Mapping[str, Any]) -> None:
    """Keep the parameters as they are, as scikit-learn wants it."""
    for name, value in given.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)
