"""The classifier: class labels and class weights in, labels and probabilities out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import type_of_target, unique_labels

from workings.activations import Activation
from workings.errors import InputError
from workings.initializers import InitializerLike
from workings.losses import BinaryCrossEntropy, CrossEntropy, Loss, loss_named
from workings.model.targets import check_exact
from workings.optimizers import LBFGS, Part
from workings.schedules import Schedule
from workings.sklearn.base import (
    MultilayerPerceptron,
    add_shared_documentation,
    if_stochastic,
    set_parameters,
    with_callbacks,
)
from workings.sklearn.inputs import own_errors, readable_targets
from workings.support.arrays import Array
from workings.support.keywords import checked_keywords
from workings.training.callbacks import Callback


@add_shared_documentation
class MLPClassifier(ClassifierMixin, MultilayerPerceptron):
    """Multi-layer perceptron classifier: scikit-learn's, with the additions of Workings.

    {shared}
    classes_ : array of shape (n_classes,)
        The class labels, sorted.

    Notes
    -----
    ``loss`` (keyword-only) is "log_loss" or any loss of Workings.  ``CrossEntropy(label_smoothing=0.1)`` has
    one output per class.  ``BinaryCrossEntropy()`` and regression losses, such as ``SquaredError()``, have
    one sigmoid per class; with two classes, one for the second class.  ``class_weight`` is a dict of label to
    weight, or "balanced".

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

    classes_: Array

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Activation | Sequence[str | Activation] = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
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
        class_weight: str | Mapping[Any, float] | Sequence[Mapping[Any, float]] | None = None,
        dropout: float | Sequence[float] = 0.0,
        batch_norm: bool = False,
        l1: float = 0.0,
        weight_decay: float = 0.0,
        clip: float | None = None,
        optimizer: Part | LBFGS | None = None,
        schedule: Schedule | None = None,
        validation_set: tuple[object, ...] | float | None = None,
        scoring: str | Callable[..., float] | None = None,
        callbacks: Sequence[Callback] = (),
        init: InitializerLike | Sequence[InitializerLike] = None,
        dtype: DTypeLike | None = None,
        engine: str = "auto",
    ) -> None:
        set_parameters(self, locals())

    def _check_targets(self, y: Any, first: bool, one_epoch: bool) -> None:
        """Learn the classes, or check that the classes of y are known."""
        check_labels(y)
        if not hasattr(self, "classes_") or not (self.warm_start or one_epoch):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
            return
        labels = unique_labels(y)
        if self.warm_start and set(labels) != set(self.classes_):
            raise InputError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {labels}"
            )
        if len(np.setdiff1d(labels, self.classes_, assume_unique=True)):
            raise InputError(
                f"`y` has classes not in `self.classes_`. `y` has {labels}, `self.classes_` has {self.classes_}."
            )

    def _encode(self, y: object) -> Array:
        columns: Array = self._label_binarizer.transform(y)
        if columns.shape[1] == 1 and self._make_loss(1).is_multiclass:
            return np.hstack([1 - columns, columns])
        return columns

    def _decode(self, p: Array) -> Array:
        labels: Array = self._label_binarizer.inverse_transform(self._columns(p))
        return labels

    def _has_one_label_per_row(self) -> bool:
        return not self._label_binarizer.y_type_.startswith("multilabel")

    def _predicts_like_network(self) -> bool:
        loss, is_multiclass = self._network.loss, self._label_binarizer.y_type_ == "multiclass"
        return loss.is_multiclass or (loss.is_classification and not is_multiclass)

    def _columns(self, p: Array) -> Array:
        """Return outputs in the encoding of ``LabelBinarizer``, which has one column for two classes."""
        binary = self._label_binarizer.y_type_ == "binary" or len(self.classes_) == 1
        return p[:, -1] if binary else p

    def _make_loss(self, n_out: int) -> Loss:
        y_type = self._label_binarizer.y_type_
        if isinstance(self.loss, str) and self.loss == "log_loss":
            if y_type == "multiclass":
                return CrossEntropy()
            return BinaryCrossEntropy() if n_out == 1 else BinaryCrossEntropy(reduction="mean of rows")
        loss = loss_named(self.loss)
        advice = "use 'log_loss', BinaryCrossEntropy() or SquaredError(half=True)."
        if loss.takes_counts:
            raise InputError(f"loss={loss!r} is for counts: {advice}")
        if loss.is_multiclass and y_type.startswith("multilabel"):
            raise InputError(f"loss={loss!r} is for one class per row, but y has several labels: {advice}")
        return loss

    @if_stochastic
    @with_callbacks
    @checked_keywords
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on the given rows; the first call requires ``classes``.

        Parameters
        ----------
        X, y, sample_weight
            As in ``fit``.
        classes : array of shape (n_classes,) or None
            The labels of all calls.

        Returns
        -------
        self
        """
        y = readable_targets(y, "y")
        if not hasattr(self, "classes_"):
            if classes is None:
                raise InputError("classes must be passed on the first call to partial_fit.")
            with own_errors("classes"):
                is_multilabel = type_of_target(y).startswith("multilabel")
                binarizer = LabelBinarizer().fit(y if is_multilabel else classes)
                self._label_binarizer, self.classes_ = binarizer, unique_labels(classes)
        elif classes is not None and not np.array_equal(self.classes_, classes_in(classes)):
            raise InputError(f"classes={classes!r} differs from the classes of the previous calls: {self.classes_}.")
        return self._fit(X, y, sample_weight, one_epoch=True, validation_set=self.validation_set)

    @checked_keywords
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy; for multilabel targets, the fraction of rows with all labels right.

        Parameters
        ----------
        X, y, sample_weight
            As in ``fit``.
        """
        from sklearn.metrics import accuracy_score  # takes time to import

        return self._scored(accuracy_score, X, y, sample_weight)

    @checked_keywords
    def predict_proba(self, X: ArrayLike) -> Array:
        """Return probabilities of shape (n, n_classes), in the order of ``classes_``.

        For multilabel targets, the probability of each label.  Sigmoid outputs of a multiclass problem are
        divided by their sum.
        """
        columns = self._columns(self._outputs(X))
        if columns.ndim == 1:
            return np.stack([1 - columns, columns], axis=1)
        if not self._network.loss.is_multiclass and self._label_binarizer.y_type_ == "multiclass":
            return np.asarray(columns / columns.sum(axis=1, keepdims=True))
        return columns

    @checked_keywords
    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Return the logarithms of the probabilities."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def classes_in(classes: object) -> Array:
    """Return the sorted labels."""
    with own_errors("classes"):
        found: Array = unique_labels(classes)
        return found


def check_labels(y: Array) -> None:
    """Refuse labels of several types, and floats so large that whole numbers next to each other are equal."""
    if y.dtype.kind == "O":
        kinds = {type(label.item() if isinstance(label, np.generic) else label) for label in y.flat}
        if len(kinds) > 1:
            names = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise InputError(f"Unknown label type: y has labels of type {names}. Use numbers only, or text only.")
    elif y.dtype.kind == "f":
        check_exact(y)
