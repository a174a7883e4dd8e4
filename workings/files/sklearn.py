"""scikit-learn: a network of a fitted MLPClassifier or MLPRegressor, alone or at the end of a Pipeline.

Weights, activation, classes and the link at the end are taken over; what belongs to the fitting (its optimizer, its
``alpha``) is left behind, because a prediction needs none of it.  The steps of a Pipeline, and the names of a table's
columns, become the network's ``preprocessing`` (``pipelines.py``).
"""

from __future__ import annotations

import copy
from typing import Any

from workings.errors import InputError
from workings.files.assembling import Pieces, check_agreement
from workings.files.pipelines import WRAPPERS, from_pipeline, is_of
from workings.losses import Loss
from workings.model.model import Model

# fmt: off
CALLED = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu", "softmax": "softmax",
          "exp": "exp"}
# fmt: on
TAKEN = (
    "a fitted MLPClassifier or MLPRegressor, scikit-learn's or this library's, or a Pipeline, a search or a "
    "TransformedTargetRegressor with one at its end"
)


def from_sklearn(estimator: Any, *, loss: str | Loss | None = None) -> Model:
    """Make a network of a fitted estimator; the two are compared on generated rows.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, or a Pipeline, search or TransformedTargetRegressor that ends with one
        Fitted.  Of one of this library's own estimators, its network is given.  The steps before it, and the names
        of the columns it was fitted with, become the network's ``preprocessing``.
    loss : Loss or None
        What the network is to be trained with from here on; by default what its last activation belongs to.

    Raises
    ------
    InputError
        If it is not fitted, has no MLP at its end, has a step that cannot be taken over, or predicts something else.
    """
    if is_of(estimator, WRAPPERS) or hasattr(estimator, "feature_names_in_"):
        return from_pipeline(estimator, lambda last: network_of(last, loss))
    return network_of(estimator, loss)


def network_of(estimator: Any, loss: str | Loss | None) -> Model:
    """The network of an estimator alone."""
    if isinstance(getattr(estimator, "network_", None), Model):
        own: Model = estimator.network_
        return own
    source = f"This {type(estimator).__name__}"
    check_kind(estimator, source)
    pieces = Pieces(source)
    bends = [estimator.activation] * (len(estimator.coefs_) - 1) + [estimator.out_activation_]
    for number, (W, b, bend) in enumerate(zip(estimator.coefs_, estimator.intercepts_, bends, strict=True), start=1):
        if bend not in CALLED:
            raise InputError(f"{source} has the activation {bend!r}; known are {', '.join(CALLED)}.")
        pieces.dense(W, b, f"coefs_[{number - 1}]")
        pieces.activation(CALLED[bend], f"the activation {bend!r}")
    labels = getattr(estimator, "classes_", None)
    is_multilabel = labels is not None and pieces.link != "softmax" and pieces.width != 1
    network = pieces.network(loss, None if is_multilabel else labels)
    unnamed = copy.copy(estimator)  # generated rows have no names of columns, of which scikit-learn would warn
    vars(unnamed).pop("feature_names_in_", None)
    predict = unnamed.predict_proba if hasattr(unnamed, "predict_proba") else unnamed.predict
    return check_agreement(network, source, predict)


def check_kind(estimator: Any, source: str) -> None:
    """Refuse what is no MLP, or not fitted."""
    if all(hasattr(estimator, name) for name in ("coefs_", "intercepts_", "out_activation_")):
        return
    if type(estimator).__name__ in ("MLPClassifier", "MLPRegressor"):
        raise InputError(f"{source} is not fitted, so it has no weights: call fit first.")
    raise InputError(
        f"{source} is no network: it has no coefs_, intercepts_ and out_activation_, the weights and biases of layers. "
        f"Network.from_sklearn takes {TAKEN}."
    )
