"""Network diagrams: circles for units, lines for weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError
from workings.layers import number_layers
from workings.model.model import Model
from workings.plots.drawing import BLUE, PALE, VERMILION, as_text, bare, class_name, matplotlib_part, new_axes, plot
from workings.support.arrays import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Column = tuple[float, dict[int, float]]


@plot
def network(
    sizes: Sequence[int] | Model,
    weights: Sequence[ArrayLike] | None = None,
    *,
    names: Sequence[str] | None = None,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a diagram of a network of dense layers, with a circle for each unit and a line for each weight.

    Biases are not shown.  A layer with more than 16 units is shown by its first five and its last five units.

    Parameters
    ----------
    sizes : sequence of int, or Model
        Units in each layer, including the inputs, such as [2, 3, 2]; or a network, which provides its sizes,
        weights, activations and the classes of its outputs.
    weights : sequence of arrays of shape (sizes[i], sizes[i + 1]), optional
        Line thickness shows the magnitude of a weight; orange is positive, blue negative.
    names : sequence of str, optional
        Names of the layers.
    inputs, outputs : sequence of str, optional
        Names of the inputs and of the outputs.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If a size is not positive, or names or weights do not match the sizes.

    Examples
    --------
    >>> ax = network([784, 3, 2])
    >>> [text.get_text() for text in ax.texts]
    ['⋮', 'input\\n784', 'hidden\\n3', 'output\\n2']
    >>> from workings import CrossEntropy, Dense, Network
    >>> net = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    >>> [text.get_text() for text in network(net, inputs=["length", "width"]).texts]
    ['length', 'width', 'input\\n2', 'hidden\\n3 tanh', 'output\\n2']
    """
    activations: Sequence[str] = ()
    if isinstance(sizes, Model):
        sizes.check_built()
        activations, outputs = activation_names(sizes), outputs or class_names(sizes)
        sizes, weights = sizes_and_weights(sizes, weights)
    sizes = check_sizes(sizes, names, weights)
    heights = [unit_heights(size) for size in sizes]
    tallest = max(max(h.values()) - min(h.values()) + 1 for h in heights)
    apart = max(4.0, 0.45 * tallest)
    margins = [1.2 + 0.36 * max(len(as_text(label)) for label in labels or [""]) for labels in (inputs, outputs)]
    width, height = apart * (len(sizes) - 1) + sum(margins), tallest + (2.2 if weights is None else 3.2)
    target = bare(ax or new_axes(0.36 * (width + 0.6), 0.36 * height))
    target.set_aspect("equal")
    matrices = [None] * (len(sizes) - 1) if weights is None else [np.asarray(W) for W in weights]
    largest = max((float(np.abs(W).max()) for W in matrices if W is not None), default=0.0) or 1.0
    for i, W in enumerate(matrices):
        draw_weights(target, (i * apart, heights[i]), ((i + 1) * apart, heights[i + 1]), W, largest)
    for i, layer in enumerate(heights):
        draw_units(target, i * apart, layer, sizes[i])
    name_units(target, (0, heights[0]), inputs, "inputs", sizes[0])
    name_units(target, (apart * (len(sizes) - 1), heights[-1]), outputs, "outputs", sizes[-1])
    for i, name in enumerate(names or layer_names(len(sizes))):
        text = f"{as_text(name)}\n{sizes[i]:,} {as_text(activations[i]) if activations else ''}".rstrip()
        target.text(i * apart, -tallest / 2 - 0.4, text, ha="center", va="top", fontsize=9)
    target.set_xlim(-margins[0], apart * (len(sizes) - 1) + margins[1])
    target.set_ylim(-tallest / 2 - 1.7, tallest / 2 + 0.3)
    if weights is not None:
        add_sign_key(target)
    return target


def sizes_and_weights(net: Model, weights: Sequence[ArrayLike] | None) -> tuple[list[int], Sequence[ArrayLike]]:
    """Return the sizes of a network's layers, and the weights between them."""
    if weights is not None:
        raise InputError("A network has its own weights: remove weights=, or pass sizes instead of the network.")
    matrices = [W for _, W in connected_layers(net)]
    return [net.n_in or 0, *(array.shape[1] for array in matrices)], matrices


def connected_layers(net: Model) -> list[tuple[int, Array]]:
    """Return the places of the layers whose units are connected to their inputs, and the weights."""
    found, given = [], {**net.parameters, **net.statistics}
    for place, (layer, number) in enumerate(number_layers(net.layers)):
        letters = (*layer.parameters, *layer.fixed)
        weights = layer.connections({letter: given[f"{letter}{number}"] for letter in letters})
        found += [] if weights is None else [(place, weights)]
    return found


def activation_names(net: Model) -> list[str]:
    """Return the name of each layer's activation, empty for the inputs and for identity."""
    names: list[str] = []
    connected = [place for place, _ in connected_layers(net)]
    for place, layer in enumerate(net.layers):  # or the activation belongs to a layer after it (BatchNorm)
        if place in connected:
            names.append("")
        if names and layer.activation_function.name != "identity":
            names[-1] = layer.activation_function.name
    return ["", *names]


def class_names(net: Model) -> list[str] | None:
    """Return the class of each output, or None if outputs and classes do not correspond."""
    if net.classes is None or len(net.classes) != net.n_out:
        return None
    return [f"class {class_name(label)}" if not isinstance(label, str) else label for label in net.classes.tolist()]


def name_units(ax: Axes, column: Column, names: Sequence[str] | None, what: str, size: int) -> None:
    """Label the inputs on their left, or the outputs on their right."""
    if names is None:
        return
    if len(names) != size:
        raise InputError(f"There are {len(names)} names for {size} {what}; the numbers must be equal.")
    side, ha = (-0.55, "right") if what == "inputs" else (0.55, "left")
    for unit, y in column[1].items():
        ax.text(column[0] + side, y, as_text(names[unit]), ha=ha, va="center", fontsize=9)


def check_sizes(sizes: Sequence[int], names: Sequence[str] | None, weights: Sequence[ArrayLike] | None) -> list[int]:
    """Return the sizes as integers; raise an error for invalid sizes, and for names or weights that do not match."""
    if len(sizes) < 2 or any(size < 1 or size != int(size) for size in sizes):
        raise InputError(f"sizes must be two or more whole numbers above 0, such as [2, 3, 2], not {list(sizes)}.")
    if names is not None and len(names) != len(sizes):
        raise InputError(f"There are {len(names)} names for {len(sizes)} layers (the inputs count as one).")
    expected = list(pairwise(sizes))
    shapes = expected if weights is None else [np.shape(W) for W in weights]
    if shapes != expected:
        raise InputError(f"The weights have the shapes {shapes}, but the sizes {list(sizes)} need {expected}.")
    return [int(size) for size in sizes]


def layer_names(count: int) -> list[str]:
    """Return the default names of the layers.

    >>> layer_names(4)
    ['input', 'hidden 1', 'hidden 2', 'output']
    """
    hidden = ["hidden"] if count == 3 else [f"hidden {i}" for i in range(1, count - 1)]
    return ["input", *hidden, "output"]


def unit_heights(size: int) -> dict[int, float]:
    """Return the vertical position of each unit that is shown, the first at the top, centred at 0.

    >>> unit_heights(3)
    {0: 1.0, 1: 0.0, 2: -1.0}
    >>> list(unit_heights(784))
    [0, 1, 2, 3, 4, 779, 780, 781, 782, 783]
    """
    if size <= 16:
        return {unit: (size - 1) / 2 - unit for unit in range(size)}
    top = {unit: 5.0 - unit for unit in range(5)}
    return top | {size - 5 + i: -1.0 - i for i in range(5)}


def draw_weights(ax: Axes, left: Column, right: Column, W: Array | None, largest: float) -> None:
    """Draw the lines between two layers, the largest weights on top."""
    pairs = [(i, j) for i in left[1] for j in right[1]]
    values = np.zeros(len(pairs)) if W is None else np.array([W[pair] for pair in pairs]) / largest
    order = np.argsort(np.abs(values))
    lines = [((left[0], left[1][pairs[i][0]]), (right[0], right[1][pairs[i][1]])) for i in order]
    strength = np.abs(values[order])
    style: dict[str, Any] = {"colors": PALE, "linewidths": 0.6}
    if W is not None:
        style = {"colors": np.where(values[order] < 0, BLUE, VERMILION), "linewidths": 0.15 + 2.6 * strength}
    ax.add_collection(matplotlib_part("collections").LineCollection(lines, zorder=1, **style))


def draw_units(ax: Axes, x: float, layer: dict[int, float], size: int) -> None:
    """Draw a layer as a column of circles, with an ellipsis for omitted units."""
    circle = matplotlib_part("patches").Circle
    for y in layer.values():
        ax.add_patch(circle((x, y), 0.34, facecolor="white", edgecolor="black", linewidth=1, zorder=2))
    if len(layer) < size:
        ax.text(x, 0, "⋮", ha="center", va="center", fontsize=15)


def add_sign_key(ax: Axes) -> None:
    """Add a legend of the colours below the network."""
    line = matplotlib_part("lines").Line2D
    handles = [line([], [], color=VERMILION, lw=2, label="positive"), line([], [], color=BLUE, lw=2, label="negative")]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, frameon=False, fontsize=9)
