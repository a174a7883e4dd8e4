"""Pictures of what goes through the layers while a network learns, from what ``Signals`` has recorded.

A network learns well while its activations neither vanish nor pile up at their limits, while its
gradients are of one size from layer to layer (Glorot & Bengio 2010), and while each step changes
the weights by a small part of themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workings.errors import InputError, unknown_name
from workings.plots.drawing import BLUE, GREY, LINES, label_ends, matplotlib_part, new_axes, new_figure, tidy
from workings.support.arrays import describe
from workings.training.recorders import SHUT, Signals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LINES = len(LINES)  # by default: each has its colour, and its name beside its end
BANDS = "value: median, 50 %, 90 %"


def signals(recorded: Signals) -> Figure:
    """Draw what went through the layers: activations, gradients, and how large the steps were.

    Above, the activations of each layer; below, the gradients, the steps, and how much of each layer is shut.

    Parameters
    ----------
    recorded : Signals
        After a training that it looked at.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If nothing was recorded.

    Examples
    --------
    >>> from workings import CrossEntropy, Dense, Network, SGD, Signals
    >>> from workings.datasets import moons
    >>> X, y = moons()
    >>> net, recorded = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0), Signals(X[:100], y[:100])
    >>> history = net.fit(X, y, optimizer=SGD(1.0), epochs=100, batch_size=None, callbacks=[recorded])
    >>> [ax.get_title(loc="left") for ax in signals(recorded).axes]
    ['activations a1', 'scores z2', 'gradients', 'steps', 'activations shut']
    """
    check_recorded(recorded)
    names = chosen_layers(recorded)
    figure = new_figure(9.6, 5.6)
    figure.set_layout_engine("constrained", wspace=0.05)  # room for the names beside the lines
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.15), squeeze=False)[:, 0]
    for ax, name in zip(above.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        activations(recorded, name, ax=ax)
        ax.set_ylabel(BANDS if name == names[0] else "")
    left, middle, right = below.subplots(1, 3)
    gradients(recorded, ax=left).set_title("gradients", loc="left", fontsize=10)
    steps(recorded, ax=middle).set_title("steps", loc="left", fontsize=10)
    shut(recorded, ax=right).set_title("activations shut", loc="left", fontsize=10)
    return figure


def activations(recorded: Signals, name: str, *, ax: Axes | None = None) -> Axes:
    """Draw how the activations of a layer are spread, from epoch to epoch.

    The line is their median, the dark band holds the middle half of them, the light one all but 5 % on each side.

    Parameters
    ----------
    recorded : Signals
    name : str
        The layer's output, as the trace calls it, such as ``"a1"``.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If nothing was recorded under this name.
    """
    check_recorded(recorded)
    if name not in recorded.activations:
        raise unknown_name("layer output", name, recorded.activations)
    values = recorded.activations[name]
    ax = over_epochs(ax or new_axes(4.4, 3.2), recorded.epochs, BANDS)
    for low, high, strength in (("5 %", "95 %", 0.18), ("25 %", "75 %", 0.35)):
        ax.fill_between(recorded.epochs, values[low], values[high], color=BLUE, alpha=strength, linewidth=0)
    ax.plot(recorded.epochs, values["50 %"], color=BLUE, linewidth=1.8)
    ax.set_title(f"{'scores' if name.startswith('z') else 'activations'} {name}", loc="left", fontsize=10)
    return ax


def gradients(recorded: Signals, names: Sequence[str] | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw how large the gradient of each layer's weights was, from epoch to epoch, on a logarithmic scale.

    Parameters
    ----------
    recorded : Signals
    names : sequence of str, optional
        Which parameters; by default the weights.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If nothing was recorded under one of the names.
    """
    table = {name: column["gradient"] for name, column in chosen_parameters(recorded, names).items()}
    return draw_lines(recorded, {f"d{name}": column for name, column in table.items()}, "length of the gradient", ax)


def steps(recorded: Signals, names: Sequence[str] | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw by what part of themselves a step would change each layer's weights, on a logarithmic scale.

    Parameters
    ----------
    recorded : Signals
    names : sequence of str, optional
        Which parameters; by default the weights.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If nothing was recorded under one of the names, or the optimizer makes no steps that can be traced (L-BFGS).
    """
    table = {name: column["ratio"] for name, column in chosen_parameters(recorded, names).items()}
    return draw_lines(recorded, table, "length of step / of weights", ax)


def shut(recorded: Signals, *, ax: Axes | None = None) -> Axes:
    """Draw which share of each layer's activations let less than a twentieth of the gradient through.

    They are saturated, as a tanh near 1, or off, as a ReLU below 0.

    Parameters
    ----------
    recorded : Signals
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If nothing was recorded.
    """
    check_recorded(recorded)
    names = [name for name in chosen_layers(recorded, MOST_LINES) if name.startswith("a")]
    table = {name: [100 * share for share in recorded.activations[name]["shut"]] for name in names}
    ax = ax or new_axes(4.4, 3.2)
    ax.set_ylim(-3, 103)
    return draw_lines(recorded, table, f"% with a slope under {SHUT:g}", ax, log=False)


def check_recorded(recorded: Signals) -> None:
    """Refuse what are no signals, and signals that have not been recorded yet."""
    if not isinstance(recorded, Signals):
        raise InputError(f"This is drawn from Signals(X, y) that a fit has recorded, not from {describe(recorded)}.")
    if not recorded.epochs:
        raise InputError("Nothing has been recorded: fit(..., callbacks=[signals]) records it.")


def chosen_layers(recorded: Signals, most: int = 4) -> list[str]:
    """Choose so many layers, evenly from the first to the last."""
    names = list(recorded.activations)
    return [names[i] for i in np.unique(np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int))]


def chosen_parameters(recorded: Signals, names: Sequence[str] | None) -> Mapping[str, dict[str, list[float]]]:
    """Choose parameters: those asked for, or the weights, the first and the last if they are many."""
    check_recorded(recorded)
    if names is None:
        found = [name for name in recorded.parameters if name.startswith("W")] or list(recorded.parameters)
        names = found if len(found) <= MOST_LINES else [*found[: MOST_LINES // 2], *found[-MOST_LINES // 2 :]]
    for name in names:
        if name not in recorded.parameters:
            raise unknown_name("parameter", name, recorded.parameters)
    return {name: recorded.parameters[name] for name in names}


def over_epochs(ax: Axes, epochs: Sequence[int], ylabel: str) -> Axes:
    """Label the axes; epochs that lie ever further apart are drawn on a logarithmic scale that begins with 0."""
    tidy(ax, "epoch", ylabel)
    if is_spreading(epochs):
        ax.set_xscale("symlog", linthresh=1, linscale=0.4)
        ax.set_xticks([0, *(10**k for k in range(len(str(epochs[-1]))))])
        ax.xaxis.set_minor_locator(matplotlib_part("ticker").NullLocator())
        ax.set_xlim(-0.05, 1.05 * epochs[-1])
    else:
        ax.xaxis.set_major_locator(matplotlib_part("ticker").MaxNLocator(5, integer=True))
    return ax


def is_spreading(epochs: Sequence[int]) -> bool:
    """Whether the gaps between the epochs grow.

    >>> is_spreading([0, 10, 20, 25]), is_spreading([0, 1, 5, 30])
    (False, True)
    """
    gaps = np.diff(epochs)
    return len(gaps) > 1 and bool(gaps.max() > 3 * gaps[0])


def draw_lines(
    recorded: Signals, table: Mapping[str, Sequence[float]], ylabel: str, ax: Axes | None, *, log: bool = True
) -> Axes:
    """Draw one line for each name, with its name where it ends; what is not a positive number has no logarithm."""
    epochs = np.array(recorded.epochs)
    ax = over_epochs(ax or new_axes(4.4, 3.2), recorded.epochs, ylabel)
    if log:
        ax.set_yscale("log")
    ends = []
    for i, (name, column) in enumerate(table.items()):
        values, colour = np.array(column), LINES[i % len(LINES)]
        drawn = np.isfinite(values) & ((values > 0) | (not log))
        if drawn.any():
            ax.plot(epochs[drawn], values[drawn], color=colour, linewidth=1.6)
            ends.append((float(epochs[drawn][-1]), float(values[drawn][-1]), colour, name))
    if not ends:
        ax.text(0.5, 0.5, "nothing to draw", transform=ax.transAxes, ha="center", color=GREY)
    label_ends(ax, ends)
    return ax
