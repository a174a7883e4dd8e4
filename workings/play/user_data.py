"""Your own data and networks in the playground: arrays become data, a network becomes settings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workings.activations import ACTIVATIONS
from workings.errors import InputError
from workings.layers import BatchNorm, Dense, Dropout, Layer
from workings.losses import LOSSES
from workings.model.model import Model
from workings.play.play_data import FEATURES, PlayData, check_size
from workings.play.session_settings import REGULARIZERS, LayerSettings, Settings
from workings.support.arrays import as_features
from workings.support.conversion import as_array
from workings.support.sparse import dense

NAME = "your data"
SHOWN = "The playground shows networks of Dense layers, each perhaps with BatchNorm and Dropout after it"


def data_of(X: ArrayLike, y: ArrayLike, is_classification: bool) -> PlayData:
    """Return arrays as data of the playground; the rows are shuffled, because they may be sorted.

    Raises
    ------
    InputError
        For arrays that do not fit, or too many rows or columns.

    Examples
    --------
    >>> data_of([[0.0, 1.0], [1.0, 0.0]], ["no", "yes"], True).classes
    ('no', 'yes')
    """
    features, targets = dense(as_features(X, np.float64)), as_array(y, "y")
    if targets.shape != (len(features),):
        raise InputError(f"y must have one target for each of the {len(features)} rows; its shape is {targets.shape}.")
    check_size(features)
    classes: tuple[str, ...] = ()
    if is_classification:
        labels, targets = np.unique(targets, return_inverse=True)
        classes = tuple(str(label) for label in labels.tolist())
    order = np.random.default_rng(0).permutation(len(features))
    columns = tuple(f"x{k}" for k in range(1, features.shape[1] + 1))
    offered = tuple(FEATURES) if len(columns) == 2 else columns
    source = (
        "import numpy as np",
        "# X and y are the arrays that the playground was opened with.",
        "order = np.random.default_rng(0).permutation(len(y))",
        "X, y = np.asarray(X, dtype=np.float64)[order], np.asarray(y)[order]",
    )
    words = f"{len(features):,} rows of your own, {features.shape[1]} columns."
    return PlayData(
        NAME,
        words,
        features[order],
        np.asarray(targets, dtype=np.float64)[order],
        columns,
        classes,
        columns,
        len(features),
        source=source,
        offered=offered,
    )


def settings_of(model: Model) -> Settings:
    """Return the settings that describe a network.

    Raises
    ------
    InputError
        If the playground cannot show it; the message says why.

    Examples
    --------
    >>> settings_of(Model([Dense(3, "relu"), Dense(1)], loss="SquaredError", n_in=2)).hidden[0].units
    3
    """
    kind = type(model.loss).__name__
    if model.loss != LOSSES.get(kind, type(model.loss))() or model.edits:
        raise InputError(f"The playground knows the losses with their usual settings, and no edits: not {model!r}.")
    *hidden, last = model.layers
    if not isinstance(last, Dense) or last.activation_function.name != "identity" or not last.bias:
        raise InputError(f"{SHOWN}; the last layer must be Dense without activation, not {last!r}.")
    return Settings(hidden=tuple(hidden_layers(hidden)), loss=kind, **penalty(model))


def penalty(model: Model) -> dict[str, Any]:
    """Return the settings of a network's regularizer."""
    if not model.regularizers:
        return {}
    kind = type(model.regularizers[0]).__name__
    if len(model.regularizers) > 1 or kind not in REGULARIZERS:
        raise InputError(f"The playground knows one penalty, L1 or L2, not {model.regularizers!r}.")
    return {"regularizer": kind, "lam": model.regularizers[0].lam}  # type: ignore[attr-defined]


def hidden_layers(layers: list[Layer]) -> list[LayerSettings]:
    """Return layers as settings: each Dense takes the BatchNorm and Dropout after it."""
    found: list[LayerSettings] = []
    rest = list(layers)
    while rest:
        first = rest.pop(0)
        if not isinstance(first, Dense) or not first.bias:
            raise InputError(f"{SHOWN}; {first!r} cannot be shown.")
        activation, batch_norm, dropout = first.activation_function, False, 0.0
        if rest and isinstance(rest[0], BatchNorm) and activation.name == "identity":
            activation, batch_norm = rest.pop(0).activation_function, True
        if rest and isinstance(rest[0], Dropout):
            dropout = rest.pop(0).rate  # type: ignore[attr-defined]
        if ACTIVATIONS.get(activation.name) != activation:
            raise InputError(f"The playground knows the library's activations, not your own {activation.name!r}.")
        found.append(LayerSettings(first.units, activation.name, dropout, batch_norm))
    return found
