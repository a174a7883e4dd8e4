"""Plots of images, and of weights as images or heat maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError
from workings.model.model import Model
from workings.plots.drawing import (
    GREY,
    as_text,
    bare,
    matplotlib_part,
    matrix,
    new_figure,
    panels,
    plot,
    symmetric,
    write_cells,
)
from workings.support.arrays import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_NUMBERED_COLUMNS = 12  # heat maps with more columns have no room for numbers
MIN_PIXELS = 16  # fewer inputs are not treated as an image unless a shape is given


@plot
def images(
    X: ArrayLike, shape: tuple[int, int] | None = None, titles: Sequence[str] | None = None, columns: int = 10
) -> Figure:
    """Plot samples as small images in grey, with high values dark.

    Parameters
    ----------
    X : array of shape (n, height * width) or (n, height, width)
        At most 400 samples.
    shape : (height, width), optional
        Shape of each image; square by default.
    titles : sequence of str, optional
        Title of each image, such as "true 4, pred. 9 (0.99)".
    columns : int
        Number of images per row.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If the pixels do not match the shape, there are too many samples, or the number of titles is wrong.

    Examples
    --------
    >>> figure = images(np.eye(9), titles=[f"pixel {i}" for i in range(9)], columns=3)
    >>> len(figure.axes), figure.axes[8].get_title()
    (9, 'pixel 8')
    """
    pictures = as_pictures(X, shape)
    if len(pictures) > 400:
        raise InputError(f"X has {len(pictures):,} samples; the maximum is 400. Select some, such as X[:50].")
    if titles is not None and len(titles) != len(pictures):
        raise InputError(f"There are {len(titles)} titles for {len(pictures)} images; the numbers must be equal.")
    figure, axes = panels(len(pictures), columns, 0.7 if titles is None else 0.98, 0.7 if titles is None else 1.15)
    highest = float(pictures.max()) or 1.0
    for i, ax in enumerate(axes):
        bare(ax).imshow(pictures[i], cmap="gray_r", vmin=min(0.0, float(pictures.min())), vmax=highest)
        if titles is not None:
            title = as_text(titles[i], keep="\n")
            ax.set_title(title.replace(", ", ",\n") if len(title) > 14 else title, fontsize=8, pad=3)
    return figure


def as_pictures(X: ArrayLike, shape: tuple[int, int] | None) -> Array:
    """Reshape pixels to (n, height, width); without a shape, images are square."""
    array = np.asarray(X)
    if array.ndim == 3:
        shape, array = shape or (array.shape[1], array.shape[2]), array.reshape(len(array), -1)
    array = matrix(array, "X", "an array of shape (n, pixels) or (n, height, width)")
    side = math.isqrt(array.shape[1])
    height, width = shape or (side, side)
    if height * width != array.shape[1]:
        raise InputError(
            f"{array.shape[1]} pixels do not make {height}×{width}: pass shape=(height, width) "
            f"with height · width = {array.shape[1]}."
        )
    return array.reshape(-1, height, width)


@plot
def weights(W: ArrayLike | Model, shape: tuple[int, int] | None = None, *, limit: int = 32) -> Figure:
    """Plot the weights of each unit as an image, orange for positive weights, blue for negative.

    Parameters
    ----------
    W : array of shape (n_in, units), or Model
        For a network, the weights of its first layer.  Without a shape, weights whose ``n_in`` is not a
        square number or is below 16 are plotted as one heat map.
    shape : (height, width), optional
        Shape of the layer's input, such as (28, 28) for 784 inputs.
    limit : int
        Maximum number of units; a unit's index is its column in ``W``.

    Returns
    -------
    Figure
        All panels share one colour scale, with white at zero.

    Raises
    ------
    InputError
        If ``W`` is not two-dimensional or does not match the shape.

    Examples
    --------
    >>> figure = weights(np.random.default_rng(0).normal(size=(16, 3)))
    >>> [ax.get_title() for ax in figure.axes[:3]], figure.axes[3].get_ylabel()
    (['unit 0', 'unit 1', 'unit 2'], 'weight')
    """
    if isinstance(W, Model):
        W = first_weights(W)
    W = matrix(W, "W", "an array of shape (n_in, units)")
    if shape is None and (W.shape[0] < MIN_PIXELS or math.isqrt(W.shape[0]) ** 2 != W.shape[0]):
        return heat_map(W)
    pictures = as_pictures(W[:, :limit].T, shape)
    figure, axes = panels(
        len(pictures), 8 if len(pictures) > 10 else 5, *((1.05, 1.2) if len(pictures) > 8 else (1.5, 1.65))
    )
    scale = symmetric(W[:, :limit])
    for unit, (ax, picture) in enumerate(zip(axes, pictures, strict=True)):
        image = bare(ax).imshow(picture, **scale)
        ax.set_title(f"unit {unit}", fontsize=8, pad=3)
    figure.colorbar(image, ax=axes, label="weight", aspect=30).outline.set_visible(False)
    if W.shape[1] > limit:
        figure.supxlabel(f"the first {limit} of {W.shape[1]} units", fontsize=9, color=GREY)
    return figure


def first_weights(net: Model) -> Array:
    """Return the weights of a network's first layer, in float64."""
    net.check_built()
    return next(array for array in net.parameters.values() if array.ndim == 2).astype(float)


def heat_map(W: Array) -> Figure:
    """Plot a matrix as a heat map, with numbers in the cells if there are at most 100 and they fit."""
    figure = new_figure(min(2.4 + 0.5 * W.shape[1], 8), min(1.2 + 0.36 * W.shape[0], 8))
    ax: Axes = figure.subplots()
    image = ax.imshow(W, aspect="auto", interpolation="nearest", **symmetric(W))
    ax.set_xlabel("unit")
    ax.set_ylabel("input")
    for axis, count in ((ax.xaxis, W.shape[1]), (ax.yaxis, W.shape[0])):
        ticker = matplotlib_part("ticker")
        axis.set_major_locator(ticker.MaxNLocator(integer=True) if count > 8 else ticker.FixedLocator(range(count)))
    if W.size <= 100 and W.shape[1] <= MAX_NUMBERED_COLUMNS:
        strong = np.abs(W) > 0.6 * np.abs(W).max()
        write_cells(ax, [[f"{value:.2f}" for value in row] for row in W], np.where(strong, "white", "black"))
    figure.colorbar(image, ax=ax, label="weight").outline.set_visible(False)
    return figure
