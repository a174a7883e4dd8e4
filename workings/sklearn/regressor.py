"""``MLPRegressor``: numbers and counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from workings.errors import InputError
from workings.losses import Loss, Poisson, SquaredError, loss_named
from workings.optimizers import LBFGS, Part
from workings.schedules import Schedule
from workings.sklearn.base import MultilayerPerceptron, documented, is_stochastic, store, with_callbacks
from workings.sklearn.parameters import ScikitLearnsSquaredError
from workings.support.arrays import Array
from workings.training.callbacks import Callback


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

    __module__ = "workings.sklearn"  # pickles keep the public path

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
        if isinstance(self.loss, (int, Sequence)) and not isinstance(self.loss, str):
            raise InputError(
                f"The first argument is loss, as in scikit-learn, and it is {self.loss!r}: write "
                f"hidden_layer_sizes={self.loss!r}."
            )
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
        return self._fit(X, y, sample_weight, one_epoch=True, given=self.validation_set)
