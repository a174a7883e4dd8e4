"""An equivalent network of ``Dense`` layers: ``Scale``, ``NTKDense`` and ``GroupedDense`` matter only in training.

The factors of a ``Scale`` and the root of the fan-in of an ``NTKDense`` are multiplied into the weights.  A
``GroupedDense`` becomes a ``Dense`` with weights of 0 between groups; without an activation, it is multiplied into the
next layer.  Exported files are smaller and faster, and need fewer kinds of layers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from workings.layers import (
    Dense,
    Dropout,
    FullyConnected,
    GroupedDense,
    Layer,
    NTKDense,
    Scale,
    bias_of_both,
    ntk_weights,
    number_layers,
    scaled_weights,
    weights_in_groups,
    weights_of_both,
)
from workings.model.model import Model
from workings.support.arrays import Array


@dataclass
class Folding:
    """The layers of the equivalent network, each with its arrays by letter."""

    layers: list[tuple[Layer, dict[str, Array]]] = field(default_factory=list)
    factors: list[Array] = field(default_factory=list)  # of a Scale that waits for the next weights
    linear: bool = False  # whether the last layer is a GroupedDense without activation

    def add(self, layer: Layer, arrays: dict[str, Array]) -> None:
        """Add a layer of the original network."""
        if isinstance(layer, Scale):
            self.factors.append(arrays["s"])
        elif isinstance(layer, GroupedDense):
            W = self.with_factors(weights_in_groups(arrays["E"], arrays["M"]))
            self.layers.append((Dense(sum(layer.units), layer.activation), {"W": W, "b": arrays["c"]}))
            self.linear = layer.activation_function.name == "identity"
        elif type(layer) in (Dense, NTKDense):
            self.add_dense(*self.dense(layer, arrays))
        else:
            self.linear = False
            if not isinstance(layer, Dropout):  # Dropout does nothing in a prediction, so factors may follow it
                self.add_factors()
            self.layers.append((layer, arrays))

    def dense(self, layer: Layer, arrays: dict[str, Array]) -> tuple[Layer, dict[str, Array]]:
        """Return the equivalent ``Dense`` of a layer and the factors before it."""
        assert isinstance(layer, FullyConnected)
        W = arrays["W"]
        if isinstance(layer, NTKDense):
            layer, W = Dense(layer.units, layer.activation), ntk_weights(W)
        return layer, {**arrays, "W": self.with_factors(W)}

    def with_factors(self, W: Array) -> Array:
        """Return weights times the factors that wait for them."""
        for s in self.factors:
            W = scaled_weights(W, s)
        self.factors = []
        return W

    def add_dense(self, layer: Layer, arrays: dict[str, Array]) -> None:
        """Add a ``Dense`` with its arrays, or multiply the linear layer before it into its weights."""
        if self.linear and "b" in arrays:
            first = self.layers.pop()[1]
            bias = bias_of_both(first["b"], arrays["W"], arrays["b"])
            arrays = {"W": weights_of_both(first["W"], arrays["W"]), "b": bias}
        self.layers.append((layer, arrays))
        self.linear = False

    def add_factors(self) -> None:
        """Add factors that no weights follow as they were."""
        self.layers += [(Scale(), {"s": s}) for s in self.factors]
        self.factors = []


def folded(network: Model) -> Model:
    """Return a network with the same predictions, up to rounding, whose layers are folded.

    A network without them, or with statements that were changed by hand, is returned as it is.

    >>> from workings import Network, SquaredError
    >>> net = Network([Scale(), NTKDense(3, "mish"), NTKDense(1)], loss=SquaredError(), n_in=2, seed=0)
    >>> folded(net).layers
    (Dense(3, 'mish'), Dense(1, 'identity'))
    """
    if network.edits or not any(isinstance(layer, Scale | NTKDense | GroupedDense) for layer in network.layers):
        return network
    network.check_built()
    given = {**network.parameters, **network.statistics}
    folding = Folding()
    for layer, number in number_layers(network.layers):
        letters = (*layer.parameters, *layer.untrained)
        folding.add(layer, {letter: given[f"{letter}{number}"] for letter in letters})
    folding.add_factors()
    found = network.with_layers([layer for layer, _ in folding.layers])
    numbers = [number for _, number in number_layers(found.layers)]
    values = {
        f"{letter}{number}": array
        for number, (_, arrays) in zip(numbers, folding.layers, strict=True)
        for letter, array in arrays.items()
    }
    return found.place(network.n_in or 1, values)
