"""Plots of sweeps: the scores against each setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workings.errors import InputError
from workings.plots.drawing import BLUE, GREY, as_text, panels, plot, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_COLUMNS = 3  # panels beside each other
SPREAD = 30  # the ratio of the largest to the smallest number from which an axis is logarithmic


@plot
def sweep(settings: Sequence[Mapping[str, Any]], values: Sequence[float], name: str = "val_loss") -> Figure:
    """Plot a value against each setting, one panel for each setting; the best value is marked.

    Parameters
    ----------
    settings : sequence of mappings
        The settings of each fit.
    values : sequence of float
        What each fit reached.
    name : str
        The name of the values; a higher value is better if it ends in ``score``.

    Raises
    ------
    InputError
        If there are no fits.

    Examples
    --------
    >>> figure = sweep([{"lr": 0.01}, {"lr": 0.1}], [0.5, 0.2])
    >>> figure.axes[0].get_xlabel()
    'lr'
    """
    if not settings or not settings[0]:
        raise InputError("There are no fits to plot.")
    figure, axes = panels(len(settings[0]), MOST_COLUMNS, 3.2, 2.6)
    best = (max if name.endswith("score") else min)(range(len(values)), key=lambda index: values[index])
    for ax, setting in zip(axes, settings[0], strict=True):
        places = [one[setting] for one in settings]
        if all(isinstance(place, (int, float)) and not isinstance(place, bool) for place in places):
            if min(places) > 0 and max(places) > SPREAD * min(places):
                ax.set_xscale("log")
        else:
            places = [as_text(str(place)) for place in places]
        ax.scatter(places, values, s=14, color=GREY)
        ax.scatter([places[best]], [values[best]], s=40, color=BLUE)
        tidy(ax, as_text(setting), as_text(name))
    return figure
