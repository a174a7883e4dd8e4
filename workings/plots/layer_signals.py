"""Plots of activations, gradients and step sizes during training, as recorded by ``Signals``.

A network learns well if its activations neither vanish nor saturate, if its gradients have a
similar size in all layers (Glorot & Bengio 2010), and if each step changes the weights by a small
fraction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workings.errors import InputError, unknown_name
from workings.plots.drawing import (
    BLUE,
    GREY,
    LINES,
    as_text,
    label_ends,
    matplotlib_part,
    new_axes,
    new_figure,
    plot,
    tidy,
)
from workings.support.arrays import describe
from workings.training.recorders import SATURATED, Signals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_LINES = len(LINES)  # by default, so that each line has its own colour
BANDS = "value: median, 50 %, 90 %"


@plot
def signals(recorded: Signals) -> Figure:
    """Plot activations, gradients, step sizes and saturation by epoch.

    Top row: the activations of each layer.  Bottom row: the gradients, the steps, and the share of saturated
    activations.

    Parameters
    ----------
    recorded : Signals
        The recorder, after training.

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
    ['activations a1', 'scores z2', 'gradients', 'steps', 'saturated activations']
    """
    check_recorded(recorded)
    names = choose_layers(recorded)
    figure = new_figure(9.6, 5.6)
    figure.set_layout_engine("constrained", wspace=0.05)  # space for the labels of the lines
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.15), squeeze=False)[:, 0]
    for ax, name in zip(above.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        activations(recorded, name, ax=ax)
        ax.set_ylabel(BANDS if name == names[0] else "")
    left, middle, right = below.subplots(1, 3)
    gradients(recorded, ax=left).set_title("gradients", loc="left", fontsize=10)
    steps(recorded, ax=middle).set_title("steps", loc="left", fontsize=10)
    shut(recorded, ax=right).set_title("saturated activations", loc="left", fontsize=10)
    return figure


@plot
def activations(recorded: Signals, name: str, *, ax: Axes | None = None) -> Axes:
    """Plot the distribution of a layer's activations by epoch.

    The line is the median, the dark band the range from the 25th to the 75th percentile, the light band that
    from the 5th to the 95th.

    Parameters
    ----------
    recorded : Signals
    name : str
        Name of the layer's output in the trace, such as ``"a1"``.
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
    ax = set_epoch_axis(ax or new_axes(4.4, 3.2), recorded.epochs, BANDS)
    for low, high, strength in (("5 %", "95 %", 0.18), ("25 %", "75 %", 0.35)):
        ax.fill_between(recorded.epochs, values[low], values[high], color=BLUE, alpha=strength, linewidth=0)
    ax.plot(recorded.epochs, values["50 %"], color=BLUE, linewidth=1.8)
    ax.set_title(f"{'scores' if name.startswith('z') else 'activations'} {as_text(name)}", loc="left", fontsize=10)
    return ax


@plot
def gradients(recorded: Signals, names: Sequence[str] | None = None, *, ax: Axes | None = None) -> Axes:
    """Plot the gradient norm of each layer's weights by epoch, on a logarithmic scale.

    Parameters
    ----------
    recorded : Signals
    names : sequence of str, optional
        Parameters to plot; by default the weights.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If nothing was recorded under one of the names.
    """
    table = {f"d{name}": column["gradient"] for name, column in choose_parameters(recorded, names).items()}
    return draw_lines(recorded, table, "norm of the gradient", ax)


@plot
def steps(recorded: Signals, names: Sequence[str] | None = None, *, ax: Axes | None = None) -> Axes:
    """Plot the size of a step relative to each layer's weights by epoch, on a logarithmic scale.

    Parameters
    ----------
    recorded : Signals
    names : sequence of str, optional
        Parameters to plot; by default the weights.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If nothing was recorded under one of the names, or the optimizer has no traceable steps (L-BFGS).
    """
    table = {name: column["ratio"] for name, column in choose_parameters(recorded, names).items()}
    return draw_lines(recorded, table, "norm of step / norm of weights", ax)


@plot
def shut(recorded: Signals, *, ax: Axes | None = None) -> Axes:
    """Plot the percentage of each layer's activations whose derivative is below 0.05.

    Such an activation is saturated, as a tanh near 1, or inactive, as a ReLU below 0.

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
    names = [name for name in choose_layers(recorded, MAX_LINES) if name.startswith("a")]
    table = {name: [100 * share for share in recorded.activations[name]["shut"]] for name in names}
    ax = ax or new_axes(4.4, 3.2)
    ax.set_ylim(-3, 103)
    return draw_lines(recorded, table, f"% with derivative below {SATURATED:g}", ax, log=False)


def check_recorded(recorded: Signals) -> None:
    """Raise an error for anything but ``Signals``, and for signals without recorded values."""
    if not isinstance(recorded, Signals):
        raise InputError(f"This plot needs Signals(X, y) recorded during fit, not {describe(recorded)}.")
    if not recorded.epochs:
        raise InputError("Nothing has been recorded: pass the signals to fit(..., callbacks=[signals]).")


def choose_layers(recorded: Signals, most: int = 4) -> list[str]:
    """Return the names of at most ``most`` layers, evenly spaced from the first to the last."""
    names = list(recorded.activations)
    return [names[i] for i in np.unique(np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int))]


def choose_parameters(recorded: Signals, names: Sequence[str] | None) -> Mapping[str, dict[str, list[float]]]:
    """Return the recorded values of the named parameters, or of the weights (the first and the last if many)."""
    check_recorded(recorded)
    if names is None:
        found = [name for name in recorded.parameters if name.startswith("W")] or list(recorded.parameters)
        names = found if len(found) <= MAX_LINES else [*found[: MAX_LINES // 2], *found[-MAX_LINES // 2 :]]
    for name in names:
        if name not in recorded.parameters:
            raise unknown_name("parameter", name, recorded.parameters)
    return {name: recorded.parameters[name] for name in names}


def set_epoch_axis(ax: Axes, epochs: Sequence[int], ylabel: str) -> Axes:
    """Label the axes; use a logarithmic scale that includes 0 if the gaps between the epochs grow."""
    tidy(ax, "epoch", ylabel)
    if has_growing_gaps(epochs):
        ax.set_xscale("symlog", linthresh=1, linscale=0.4)
        ax.set_xticks([0, *(10**k for k in range(len(str(epochs[-1]))))])
        ax.xaxis.set_minor_locator(matplotlib_part("ticker").NullLocator())
        ax.set_xlim(-0.05, 1.05 * epochs[-1])
    else:
        ax.xaxis.set_major_locator(matplotlib_part("ticker").MaxNLocator(5, integer=True))
    return ax


def has_growing_gaps(epochs: Sequence[int]) -> bool:
    """Whether the gaps between the epochs grow.

    >>> has_growing_gaps([0, 10, 20, 25]), has_growing_gaps([0, 1, 5, 30])
    (False, True)
    """
    gaps = np.diff(epochs)
    return len(gaps) > 1 and bool(gaps.max() > 3 * gaps[0])


def draw_lines(
    recorded: Signals, table: Mapping[str, Sequence[float]], ylabel: str, ax: Axes | None, *, log: bool = True
) -> Axes:
    """Plot one line per name, labelled at its end; a logarithmic scale omits values that are not positive."""
    epochs = np.array(recorded.epochs)
    ax = set_epoch_axis(ax or new_axes(4.4, 3.2), recorded.epochs, ylabel)
    if log:
        ax.set_yscale("log")
    ends = []
    for i, (name, column) in enumerate(table.items()):
        values, colour = np.array(column), LINES[i % len(LINES)]
        valid = np.isfinite(values) & ((values > 0) | (not log))
        if valid.any():
            ax.plot(epochs[valid], values[valid], color=colour, linewidth=1.6)
            ends.append((float(epochs[valid][-1]), float(values[valid][-1]), colour, as_text(name)))
    if not ends:
        ax.text(0.5, 0.5, "no values to plot", transform=ax.transAxes, ha="center", color=GREY)
    label_ends(ax, ends)
    return ax
