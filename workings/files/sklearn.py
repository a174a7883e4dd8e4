"""scikit-learn: a network of a fitted MLPClassifier or MLPRegressor.

Weights, activation, classes and the link at the end are taken over; what belongs to the fitting (its optimizer, its
``alpha``) is left behind, because a prediction needs none of it.
"""

from __future__ import annotations

from typing import Any

from workings.errors import InputError
from workings.files.adopting import Pieces, check_agreement
from workings.losses import Loss
from workings.network import Network

# fmt: off
CALLED = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu", "softmax": "softmax",
          "exp": "exp"}
# fmt: on


def from_sklearn(estimator: Any, *, loss: str | Loss | None = None) -> Network:
    """Make a network of a fitted estimator; the two are compared on generated rows.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted.  Of one of this library's own estimators, its network is given.
    loss : Loss or None
        What the network is to be trained with from here on; by default what its last activation belongs to.

    Raises
    ------
    InputError
        If it is not fitted, no MLP, or predicts something else.
    """
    if isinstance(getattr(estimator, "network_", None), Network):
        own: Network = estimator.network_
        return own
    source = f"This {type(estimator).__name__}"
    if not all(hasattr(estimator, name) for name in ("coefs_", "intercepts_", "out_activation_")):
        raise InputError(
            f"{source} has no coefs_, intercepts_ and out_activation_: fit it first, and of a Pipeline take its last "
            f"step, pipeline[-1]."
        )
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
    predict = estimator.predict_proba if hasattr(estimator, "predict_proba") else estimator.predict
    return check_agreement(network, source, predict)
