"""The regressor: numbers or counts in, predictions of them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.base import RegressorMixin

from workings.activations import Activation
from workings.errors import InputError
from workings.initializers import InitializerLike
from workings.losses import Loss, Poisson, SquaredError, loss_named
from workings.optimizers import LBFGS, Part
from workings.schedules import Schedule
from workings.sklearn.base import (
    MultilayerPerceptron,
    add_shared_documentation,
    if_stochastic,
    set_parameters,
    with_callbacks,
)
from workings.sklearn.hyperparameters import ScikitLearnsSquaredError
from workings.support.arrays import Array, as_finite
from workings.support.conversion import as_array
from workings.support.keywords import checked_keywords
from workings.training.callbacks import Callback


@add_shared_documentation
class MLPRegressor(RegressorMixin, MultilayerPerceptron):
    """Multi-layer perceptron regressor: scikit-learn's, with the additions of Workings.

    {shared}

    Notes
    -----
    ``loss`` (the first argument, as in scikit-learn) is one of these:

    - "squared_error", half the mean of the squared errors;
    - "poisson", half the Poisson deviance, for counts;
    - any loss of Workings for numbers or counts, such as ``Huber()``.

    With several outputs, scikit-learn's "squared_error" reports the mean over outputs, but its stochastic
    solvers follow the gradient of the sum.  Here "sgd" and "adam" do the same; "lbfgs" follows the gradient
    of the reported loss.

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

    def _encode(self, y: Any) -> Array:
        columns = as_finite(as_array(y, "y"), np.float64, "y").reshape(len(y), -1)
        if self._make_loss(columns.shape[1]).takes_counts and (columns < 0).any():
            raise InputError(
                f"loss={self.loss!r} is for counts: y must not be negative; its minimum is {columns.min():g}."
            )
        return columns

    def _decode(self, p: Array) -> Array:
        return p[:, 0] if p.shape[1] == 1 else p

    def _make_loss(self, n_out: int) -> Loss:
        if isinstance(self.loss, str) and self.loss == "poisson":
            return Poisson(deviance=True, reduction="mean of rows")
        if isinstance(self.loss, str) and self.loss == "squared_error":
            is_summed = n_out > 1 and self.optimizer is None and self.solver != "lbfgs"
            return ScikitLearnsSquaredError() if is_summed else SquaredError(half=True)
        if isinstance(self.loss, (int, Sequence)) and not isinstance(self.loss, str):
            raise InputError(
                f"The first argument is loss, as in scikit-learn, but it is {self.loss!r}: write "
                f"hidden_layer_sizes={self.loss!r}."
            )
        loss = loss_named(self.loss)
        if loss.is_classification:
            raise InputError(f"loss={loss!r} is for classes: use MLPClassifier, or a loss for regression.")
        return loss

    @checked_keywords
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R², averaged over the outputs.

        Parameters
        ----------
        X, y, sample_weight
            As in ``fit``.
        """
        from sklearn.metrics import r2_score  # takes time to import

        return self._scored(r2_score, X, y, sample_weight)

    @if_stochastic
    @with_callbacks
    @checked_keywords
    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train for one epoch on the given rows, continuing with the optimizer's state.

        Parameters
        ----------
        X, y, sample_weight
            As in ``fit``.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, one_epoch=True, validation_set=self.validation_set)
