"""scikit-learn: import a fitted MLPClassifier or MLPRegressor, alone or at the end of a Pipeline.

Weights, activation, classes and link are imported.  Settings of the training, such as the optimizer and
``alpha``, are not, because predictions do not need them.  The steps of a Pipeline, and the names of a table's
columns, become the network's ``preprocessing`` (``pipelines.py``).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from workings.errors import InputError
from workings.files.assembling import NetworkAssembler, check_agreement
from workings.files.pipelines import WRAPPERS, from_pipeline, is_of
from workings.losses import Loss
from workings.model.model import Model

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

# fmt: off
CALLED = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu", "softmax": "softmax",
          "exp": "exp"}
# fmt: on
TAKEN = (
    "a fitted MLPClassifier or MLPRegressor, scikit-learn's or this library's, or a Pipeline, a search or a "
    "TransformedTargetRegressor with one at its end"
)


def from_sklearn(estimator: BaseEstimator, *, loss: str | Loss | None = None) -> Model:
    """Import a fitted estimator as a network; the two are compared on generated rows.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, or a Pipeline, search or TransformedTargetRegressor that ends with one
        A fitted estimator.  For an estimator of this library, its network is returned.  The steps before it,
        and the names of the columns it was fitted with, become the network's ``preprocessing``.
    loss : Loss or None
        The loss for further training; by default it follows from the last activation.

    Raises
    ------
    InputError
        If it is not fitted, has no MLP at its end, has an unsupported step, or predicts different values.
    """
    if is_of(estimator, WRAPPERS) or hasattr(estimator, "feature_names_in_"):
        return from_pipeline(estimator, lambda last: network_of(last, loss))
    return network_of(estimator, loss)


def network_of(estimator: BaseEstimator, loss: str | Loss | None) -> Model:
    """Import an MLP without preprocessing."""
    if isinstance(getattr(estimator, "network_", None), Model):
        own: Model = estimator.network_
        return own
    source = f"This {type(estimator).__name__}"
    check_kind(estimator, source)
    assembler = NetworkAssembler(source)
    activations = [estimator.activation] * (len(estimator.coefs_) - 1) + [estimator.out_activation_]
    for number, (W, b, activation) in enumerate(
        zip(estimator.coefs_, estimator.intercepts_, activations, strict=True), start=1
    ):
        if activation not in CALLED:
            raise InputError(f"{source} has the activation {activation!r}; known are {', '.join(CALLED)}.")
        assembler.add_dense(W, b, f"coefs_[{number - 1}]")
        assembler.add_activation(CALLED[activation], f"the activation {activation!r}")
    labels = getattr(estimator, "classes_", None)
    is_multilabel = labels is not None and assembler.link != "softmax" and assembler.width != 1
    network = assembler.network(loss, None if is_multilabel else labels)
    unnamed = copy.copy(estimator)  # generated rows have no column names, which scikit-learn would warn about
    vars(unnamed).pop("feature_names_in_", None)
    predict = unnamed.predict_proba if hasattr(unnamed, "predict_proba") else unnamed.predict
    return check_agreement(network, source, predict)


def check_kind(estimator: object, source: str) -> None:
    """Raise unless an estimator is a fitted MLP."""
    if all(hasattr(estimator, name) for name in ("coefs_", "intercepts_", "out_activation_")):
        return
    if type(estimator).__name__ in ("MLPClassifier", "MLPRegressor"):
        raise InputError(f"{source} is not fitted, so it has no weights: call fit first.")
    raise InputError(
        f"{source} is not a network: it has no coefs_, intercepts_ and out_activation_. "
        f"Network.from_sklearn takes {TAKEN}."
    )
