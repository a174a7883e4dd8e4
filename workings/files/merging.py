"""One network with the mean prediction of several: for one file, one explanation and one prediction.

The hidden units of all networks stand side by side.  From the second hidden layer on, the weights form blocks: a unit
has the weight 0 for the units of other networks.  The last layer computes the mean of the networks' outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from workings.errors import InputError
from workings.files.folding import folded
from workings.layers import (
    ClipPredictions,
    Dense,
    Dropout,
    Exp,
    Interpolation,
    Layer,
    PeriodicEmbedding,
    PiecewiseLinearEncoding,
    SmoothClip,
    block_diagonal,
    mean_of,
    mean_weights,
    number_layers,
    side_by_side,
)
from workings.model.model import Model
from workings.support.arrays import Array

WITHOUT_PARAMETERS = (SmoothClip, PiecewiseLinearEncoding, Dropout, ClipPredictions, Exp, Interpolation)


def merged(networks: Sequence[Model]) -> Model:
    """Return one network that predicts the mean of the networks' outputs before the loss's function.

    For numbers with ``SquaredError``, that is the mean of the predicted numbers; for classes, the softmax of the mean
    of the scores z.  ``ClipPredictions``, ``Exp`` and ``Interpolation`` act on the mean.

    Parameters
    ----------
    networks : sequence of Model
        Networks with the same layers, apart from their parameters: ``Dense``, ``NTKDense``, ``GroupedDense``,
        ``Scale``, ``SmoothClip``, ``PiecewiseLinearEncoding``, ``Dropout``, ``ClipPredictions``, and
        ``PeriodicEmbedding`` before all layers with weights.

    Returns
    -------
    Model
        A network of ``Dense`` layers, k times as wide for k networks; of one network, that network.

    Raises
    ------
    InputError
        If a network has no parameters, other layers, or statements that were changed by hand, or if layers or losses
        differ.

    Examples
    --------
    >>> from workings import Network
    >>> networks = [Network([Dense(8, "tanh"), Dense(2)], loss="CrossEntropy", n_in=3, seed=k) for k in range(4)]
    >>> merged(networks).layers
    (Dense(32, 'tanh'), Dense(2, 'identity'))
    """
    if len(networks) == 1:
        return networks[0]
    for network in networks:
        network.check_built()
    parts = [folded(network) for network in networks]
    check_alike(parts)
    first, k = parts[0], len(parts)
    last = max(place for place, layer in enumerate(first.layers) if isinstance(layer, Dense))
    layers = [widened(layer, k) if place < last else layer for place, layer in enumerate(first.layers)]
    found = first.with_layers(layers)
    assert first.n_in is not None
    return found.place(first.n_in, merged_parameters(parts))


def check_alike(networks: Sequence[Model]) -> None:
    """Raise for networks that cannot be merged."""
    first = networks[0]
    places = [place for place, layer in enumerate(first.layers) if isinstance(layer, PeriodicEmbedding)]
    if places and any(isinstance(layer, (Dense, PeriodicEmbedding)) for layer in first.layers[: places[-1]]):
        raise InputError("Networks can be merged into one only with one PeriodicEmbedding, before the first weights.")
    for network in networks:
        if network.edits:
            raise InputError("A network whose statements were changed by hand cannot be merged with others.")
        for layer in network.layers:
            if not isinstance(layer, (Dense, PeriodicEmbedding, *WITHOUT_PARAMETERS)):
                raise InputError(f"Networks with {layer!r} cannot be merged into one.")
        if (network.layers, network.loss, network.dtype) != (first.layers, first.loss, first.dtype):
            raise InputError(
                f"Only networks with the same layers, loss and precision can be merged into one, not {first!r} and "
                f"{network!r}."
            )


def widened(layer: Layer, k: int) -> Layer:
    """Return a hidden layer or an embedding with the units of k networks."""
    if isinstance(layer, PeriodicEmbedding):
        return replace(layer, repeats=k * layer.repeats)
    return Dense(k * layer.units, layer.activation, bias=layer.bias) if isinstance(layer, Dense) else layer


def merged_parameters(networks: Sequence[Model]) -> dict[str, Array]:
    """Return the arrays of the merged network, by name."""
    found = embedding_arrays(networks)
    has_own_inputs = any(isinstance(layer, PeriodicEmbedding) for layer in networks[0].layers)
    numbers = [number for layer, number in number_layers(networks[0].layers) if isinstance(layer, Dense)]
    for number in numbers:
        is_first, is_last = number == numbers[0] and not has_own_inputs, number == numbers[-1]
        of_weights: Callable[..., Array] = (
            (mean_of if is_first else mean_weights) if is_last else side_by_side if is_first else block_diagonal
        )
        for name, merge in ((f"W{number}", of_weights), (f"b{number}", mean_of if is_last else side_by_side)):
            if name in networks[0].parameters:
                found[name] = merge(*(network.parameters[name] for network in networks))
    return found


def embedding_arrays(networks: Sequence[Model]) -> dict[str, Array]:
    """Return the arrays of layers with fixed arrays: side by side, or one for all if they have no parameters."""
    found = {}
    arrays = [{**network.parameters, **network.statistics} for network in networks]
    for layer, number in number_layers(networks[0].layers):
        if layer.fixed:
            for name in (f"{letter}{number}" for letter in (*layer.parameters, *layer.fixed)):
                found[name] = side_by_side(*(own[name] for own in arrays)) if layer.parameters else arrays[0][name]
    return found
