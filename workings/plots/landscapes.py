"""Plots of the loss landscape: the loss over a plane through parameter space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError
from workings.plots.drawing import VERMILION, matplotlib_part, matrix, new_axes, plot, tidy, vector
from workings.support.arrays import Array, Values
from workings.support.keywords import CheckedKeywords, checked_keywords
from workings.training.recorders import Snapshots, restoring

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize

    from workings.model.model import Model


@plot
def landscape(
    losses: ArrayLike, alphas: ArrayLike, betas: ArrayLike, path: ArrayLike | None = None, ax: Axes | None = None
) -> Axes:
    """Plot the loss over a plane through parameter space, with contour lines.

    Parameters
    ----------
    losses : array of shape (A, B)
        ``losses[i, j]`` is the loss at ``alphas[i]``, ``betas[j]``; contour levels are evenly spaced
        in its logarithm.  Values that are not finite are left empty.
    alphas : array of shape (A,)
        Distances along the first direction.
    betas : array of shape (B,)
        Distances along the second direction.
    path : array of shape (steps, 2), optional
        Path of the training, in the same coordinates.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the shapes do not match.

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
    target.locator_params(nbins=7)
    levels, norm = contour_levels(float(grid.min()), float(grid.max()))
    contours = target.contourf(alphas, betas, grid.T, levels=levels, norm=norm, cmap="cividis")
    target.contour(alphas, betas, grid.T, levels=levels[1:-1:2], colors="white", linewidths=0.4, alpha=0.6)
    bar = target.figure.colorbar(contours, ax=target, label="loss", ticks=round_levels(levels), format="%.4g")
    bar.minorticks_off()
    bar.outline.set_visible(False)
    if path is not None:
        draw_path(target, matrix(path, "path", "an array of shape (steps, 2)"))
    return target


def contour_levels(low: float, high: float) -> tuple[Array, Normalize]:
    """Return 25 levels, evenly spaced in the logarithm, or linearly if the loss is not positive or nearly constant."""
    colors = matplotlib_part("colors")
    if low <= 0 or high < 1.01 * low:
        high = max(high, low + 1e-9 + 1e-9 * abs(low))
        return np.linspace(low, high, 25), colors.Normalize(low, high)
    return np.geomspace(low, high, 25), colors.LogNorm(low, high)


def round_levels(levels: Array) -> Array:
    """Return ticks for the colour bar: 1, 2, 5, 10 … if at least three are in range, else every fourth level."""
    if levels[0] <= 0:
        return levels[::4]
    ticks = matplotlib_part("ticker").LogLocator(subs=(1, 2, 5)).tick_values(levels[0], levels[-1])
    inside: Array = ticks[(ticks >= levels[0]) & (ticks <= levels[-1])]
    return inside if len(inside) >= 3 else levels[::4]


def draw_path(ax: Axes, path: Array) -> None:
    """Plot the path of the training, and mark its start and its end."""
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
        above = text == "end" or path[1:2, 1].sum() <= point[1]  # away from the line
        ax.annotate(
            text, tuple(point), (8, 6 if above else -14), textcoords="offset points", fontsize=10, path_effects=rim
        )
    ax.set(xlim=limits[0], ylim=limits[1])


@dataclass(frozen=True, repr=False)
class LossPlane(CheckedKeywords):
    """The loss over a plane through parameter space.

    Attributes
    ----------
    losses : array of shape (A, B)
        The network's objective at ``alphas[i]``, ``betas[j]``; (0, 0) is the end of the training.
    alphas, betas : array of shape (A,) and (B,)
        Distances along the two directions; both arrays contain 0.
    path : array of shape (snapshots, 2) or None
        Path of the training, in the same coordinates.
    shares : (float, float) or None
        Fraction of variance of each direction: its part of the squared distances of all snapshots from the
        end.
    """

    losses: Array
    alphas: Array
    betas: Array
    path: Array | None = None
    shares: tuple[float, float] | None = None

    def __repr__(self) -> str:
        rows, columns = self.losses.shape
        low, high = float(np.nanmin(self.losses)), float(np.nanmax(self.losses))
        return f"Loss at {rows} × {columns} points of a plane: from {low:.6g} to {high:.6g}"

    def draw(self, ax: Axes | None = None) -> Axes:
        """Plot the loss, and the path of the training."""
        drawn = landscape(self.losses, self.alphas, self.betas, self.path, ax)
        if self.shares is not None:
            first, second = (f"{100 * share:.0f} %" if share >= 0.01 else "under 1 %" for share in self.shares)
            drawn.set(xlabel=f"direction 1 ({first} of the variance)", ylabel=f"direction 2 ({second})")
        return drawn

    def _repr_png_(self) -> object:
        """The plot for a notebook."""
        drawn: Any = self.draw()
        return drawn._repr_png_()


@plot
def landscape_of(
    net: Model,
    X: ArrayLike,
    y: ArrayLike,
    snapshots: Snapshots | None = None,
    *,
    steps: int = 31,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Plot the loss landscape of a network, with the path that the training took.

    With snapshots, the plane is spanned by the first two principal components of the training path, centred
    at its end.  Without snapshots, it is spanned by two random directions from the current parameters, in
    which the weights of each unit are scaled to the norm of the unit's own weights.

    Parameters
    ----------
    net : Model
        Its parameters are restored afterwards.
    X, y : array
        The rows on which the objective is computed; a thousand rows are enough for a plot.
    snapshots : Snapshots, optional
        Recorded during the training of this network.
    steps : int
        Number of grid points in each direction.
    seed : int
        Random seed of the random directions.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the snapshots belong to another network or are all equal, or the network has only one parameter.

    Examples
    --------
    >>> from workings import CrossEntropy, Dense, Network, SGD, Snapshots
    >>> from workings.datasets import moons
    >>> X, y = moons()
    >>> net, snapshots = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0), Snapshots(count=20)
    >>> history = net.fit(X, y, optimizer=SGD(1.0), epochs=200, batch_size=None, callbacks=[snapshots])
    >>> [text.get_text() for text in landscape_of(net, X, y, snapshots, steps=9).texts]
    ['start', 'end']

    Source: Li et al., "Visualizing the loss landscape of neural nets", 2018, sections 4 and 7.
    """
    plane = loss_plane(net, X, y, snapshots, steps=steps, seed=seed)
    return plane.draw(ax)


@checked_keywords
def loss_plane(
    net: Model, X: ArrayLike, y: ArrayLike, snapshots: Snapshots | None = None, *, steps: int = 31, seed: int = 0
) -> LossPlane:
    """Compute the loss landscape that ``landscape_of`` plots.

    Parameters
    ----------
    net, X, y, snapshots, steps, seed
        As for :func:`landscape_of`.

    Returns
    -------
    LossPlane

    Raises
    ------
    InputError
        As :func:`landscape_of`.

    Examples
    --------
    >>> from workings import Dense, Network
    >>> net = Network([Dense(1)], loss="SquaredError", seed=0, n_in=1)
    >>> found = loss_plane(net, [[1.0], [2.0]], [1.0, 3.0], steps=3)
    >>> found.losses.shape, bool(found.losses[1, 1] == net.objective([[1.0], [2.0]], [1.0, 3.0]))
    ((3, 3), True)
    """
    net.check_built()
    if net.theta.size < 2 or steps < 3:
        raise InputError(
            f"A plane needs at least two parameters and three steps; there are {net.theta.size} parameters, "
            f"and steps={steps}."
        )
    if snapshots is None:
        around = np.linspace(-1, 1, steps)
        around[steps // 2] = 0
        end, directions = net.theta.astype(float), random_directions(net, seed)
        return LossPlane(losses_over(net, X, y, end, directions, around, around), around, around)
    snapshots.check(net)
    end, directions, path, shares = principal_directions(snapshots.thetas.astype(float))
    alphas, betas = (axis_around(path[:, k], steps, float(np.ptp(path))) for k in (0, 1))
    losses = losses_over(net, X, y, end, directions, alphas, betas)
    return LossPlane(losses, alphas, betas, path, shares)


def principal_directions(thetas: Array) -> tuple[Array, Array, Array, tuple[float, float]]:
    """Return the end of a path, its first two principal directions, the path in these coordinates, and their shares."""
    end = thetas[-1]
    if not (thetas != end).any():
        raise InputError("All snapshots are equal: the training changed no parameter, so there is no path to plot.")
    _, spread, directions = np.linalg.svd(thetas - end, full_matrices=False)
    first, second = shares_of(spread)[:2]
    directions = towards_end(directions[:2], thetas[0] - end)
    return end, directions, (thetas - end) @ directions.T, (float(first), float(second))


def shares_of(spread: Array) -> Values:
    """are the shares of directions in the squared distances from the end, from their singular values"""
    return spread**2 / (spread**2).sum()


def towards_end(directions: Array, start: Array) -> Values:
    """are directions with their signs so that the path starts to the left of and below its end"""
    return np.where(start @ directions.T > 0, -1, 1)[:, None] * directions


def with_norms_of(weights: Array, direction: Array) -> Values:
    """is a direction in which the weights into each unit have the norm of the unit's own weights"""
    return direction / np.sqrt(np.square(direction).sum(axis=0)) * np.sqrt(np.square(weights).sum(axis=0))


def random_directions(net: Model, seed: int) -> Array:
    """Draw two random directions; each unit's weights have the norm of the network's, and biases do not change."""
    rng, directions = np.random.default_rng(seed), []
    for _ in range(2):
        parts = []
        for array in net.parameters.values():
            is_bias = array.ndim == 1
            direction = np.zeros(array.shape) if is_bias else with_norms_of(array, rng.standard_normal(array.shape))
            parts.append(np.ravel(direction))
        directions.append(np.concatenate(parts))
    return np.array(directions)


def axis_around(values: Array, steps: int, default_length: float) -> Array:
    """Return evenly spaced points over the range of some values, with a margin; the point closest to 0 becomes 0.

    If all values are equal, as for a straight path, the axis has the length ``default_length``.
    """
    margin = margin_of(float(np.ptp(values)), default_length)
    axis = np.linspace(values.min() - margin, values.max() + margin, steps)
    axis[np.abs(axis).argmin()] = 0
    return axis


def margin_of(length: float, default_length: float) -> float:
    """is the margin at both ends of an axis"""
    return 0.3 * length if length > 1e-9 * default_length else 0.5 * default_length


def losses_over(
    net: Model, X: ArrayLike, y: ArrayLike, end: Array, directions: Array, alphas: Array, betas: Array
) -> Array:
    """Compute the network's objective at every grid point of the plane."""
    losses = np.empty((len(alphas), len(betas)))
    with restoring(net):
        for i, j in np.ndindex(losses.shape):
            net.theta[...] = end + alphas[i] * directions[0] + betas[j] * directions[1]
            losses[i, j] = net.objective(X, y)
    return losses
