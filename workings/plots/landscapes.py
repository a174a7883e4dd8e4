"""Pictures of the loss over a plane through the space of all weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from workings.arrays import Array
from workings.errors import InputError
from workings.plots.drawing import VERMILION, matplotlib_part, matrix, new_axes, tidy, vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def landscape(
    losses: ArrayLike, alphas: ArrayLike, betas: ArrayLike, path: ArrayLike | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the loss over a plane through the space of all weights, as a map with contour lines.

    Parameters
    ----------
    losses : array of shape (A, B)
        ``losses[i, j]`` is the loss at ``alphas[i]``, ``betas[j]``; the lines are spaced evenly in
        its logarithm.  Values that are not finite leave a hole.
    alphas : array of shape (A,)
        Distances along the first direction.
    betas : array of shape (B,)
        Distances along the second.
    path : array of shape (steps, 2), optional
        Where training went, in the same two distances.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the shapes do not fit each other.

    Examples
    --------
    >>> along = np.linspace(-1, 1, 21)
    >>> bowl = 0.1 + along[:, None] ** 2 + 3 * along**2
    >>> ax = landscape(bowl, along, along, path=[[1, 1], [0.2, 0.1], [0, 0]])
    >>> [text.get_text() for text in ax.texts]
    ['start', 'end']

    Source: Li et al., "Visualizing the loss landscape of neural nets", 2018.
    """
    alphas, betas = vector(alphas, "alphas"), vector(betas, "betas")
    grid = np.ma.masked_invalid(matrix(losses, "losses", "an array of shape (len(alphas), len(betas))").astype(float))
    if grid.shape != (len(alphas), len(betas)) or min(grid.shape) < 2 or grid.count() == 0:
        raise InputError(
            f"losses has the shape {grid.shape} and {grid.count()} finite values; {len(alphas)} alphas and "
            f"{len(betas)} betas need ({len(alphas)}, {len(betas)}), and at least 2 of each."
        )
    target = tidy(ax or new_axes(5.6, 4.4), "distance along direction 1 (α)", "distance along direction 2 (β)")
    levels, norm = contour_levels(float(grid.min()), float(grid.max()))
    drawn = target.contourf(alphas, betas, grid.T, levels=levels, norm=norm, cmap="cividis")
    target.contour(alphas, betas, grid.T, levels=levels[1:-1:2], colors="white", linewidths=0.4, alpha=0.6)
    bar = target.figure.colorbar(drawn, ax=target, label="loss", ticks=round_levels(levels), format="%.4g")
    bar.minorticks_off()
    bar.outline.set_visible(False)
    if path is not None:
        draw_path(target, matrix(path, "path", "an array of shape (steps, 2)"))
    return target


def contour_levels(low: float, high: float) -> tuple[Array, Any]:
    """Give 25 levels, evenly spaced in the logarithm, or evenly if the loss is not above 0 or hardly differs."""
    colors = matplotlib_part("colors")
    if low <= 0 or high < 1.01 * low:
        high = max(high, low + 1e-9 + 1e-9 * abs(low))
        return np.linspace(low, high, 25), colors.Normalize(low, high)
    return np.geomspace(low, high, 25), colors.LogNorm(low, high)


def round_levels(levels: Array) -> Array:
    """Choose numbers for the colour bar: 1, 2, 5, 10 … if three of them are in it, else some of the levels."""
    if levels[0] <= 0:
        return levels[::4]
    ticks = matplotlib_part("ticker").LogLocator(subs=(1, 2, 5)).tick_values(levels[0], levels[-1])
    inside: Array = ticks[(ticks >= levels[0]) & (ticks <= levels[-1])]
    return inside if len(inside) >= 3 else levels[::4]


def draw_path(ax: Axes, path: Array) -> None:
    """Draw where training went, with its two ends marked."""
    if path.shape[1] != 2:
        raise InputError(f"path must have two columns, the distances α and β; its shape is {path.shape}.")
    rim = [matplotlib_part("patheffects").withStroke(linewidth=3, foreground="white")]
    limits = ax.get_xlim(), ax.get_ylim()
    ax.plot(*path.T, color=VERMILION, linewidth=1.6, path_effects=rim)
    if len(path) <= 60:
        ax.plot(*path.T, color=VERMILION, linestyle="", marker="o", markersize=3.5)
    for text, point, marker in (("start", path[0], "o"), ("end", path[-1], "*")):
        size = 60 if marker == "o" else 150
        ax.scatter(
            point[0], point[1], s=size, marker=marker, color=VERMILION, edgecolors="white", linewidths=1, zorder=3
        )
        above = text == "end" or path[1:2, 1].sum() <= point[1]  # not on the line itself
        ax.annotate(
            text, tuple(point), (8, 6 if above else -14), textcoords="offset points", fontsize=10, path_effects=rim
        )
    ax.set(xlim=limits[0], ylim=limits[1])
