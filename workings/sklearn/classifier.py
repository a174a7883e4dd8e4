"""``MLPClassifier``: labels, class weights and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target, unique_labels

from workings.errors import InputError
from workings.losses import BinaryCrossEntropy, CrossEntropy, Loss, loss_named
from workings.optimizers import LBFGS, Part
from workings.schedules import Schedule
from workings.sklearn.base import MultilayerPerceptron, documented, is_stochastic, store, with_callbacks
from workings.support.arrays import Array
from workings.training.callbacks import Callback


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

    __module__ = "workings.sklearn"  # pickles keep the public path

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
        return self._fit(X, y, sample_weight, one_epoch=True, given=self.validation_set)

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
