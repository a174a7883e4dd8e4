"""The replay of a training: what the network said at each snapshot, beside its curve.

The network is put into the state of one snapshot after the other, and what it says then is drawn
with the functions that draw it at any other time.  The pictures become an animated GIF, or a page
that can be stopped and gone through by hand.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError, MissingExtraError, unknown_name
from workings.plots.comparisons import confusion
from workings.plots.courses import curves
from workings.plots.drawing import BLUE, GREY, VERMILION, bare, matplotlib_part, new_figure, symmetric, tidy
from workings.plots.layers import is_spreading, over_epochs
from workings.plots.pixels import as_pictures, first_weights
from workings.plots.planes import draw_boundary, plane
from workings.plots.player import page, player
from workings.support.arrays import Array, describe
from workings.support.atomic_files import write_bytes
from workings.training.recorders import Snapshots, restored

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from workings.model.model import Model

COLOURS_OF_FILM = 128  # a GIF may have 256; fewer make smaller files
DOTS_PER_INCH = 112
LAST = 2000  # milliseconds that the end is shown in a GIF, before it begins again
Scene = Callable[["Model", "Axes"], object]


@dataclass(frozen=True)
class Film:
    """The pictures of a training, in order.

    Attributes
    ----------
    pictures : list of images
        Pillow's, with one palette for all of them.
    epochs : list of int
        How many epochs had been done at each of them.
    words : str
        What is seen in them.
    milliseconds : int
        How long each is shown.
    """

    pictures: list[Any]
    epochs: list[int]
    words: str
    milliseconds: int

    def gif(self) -> bytes:
        """Give the bytes of an animated GIF that begins again and again."""
        buffer, first = io.BytesIO(), self.pictures[0]
        durations = [self.milliseconds] * (len(self.pictures) - 1) + [LAST]
        first.save(
            buffer, "GIF", save_all=True, append_images=self.pictures[1:], duration=durations, loop=0, optimize=False
        )
        return buffer.getvalue()

    def player(self) -> str:
        """Give a part of a page with the pictures, a button and a slider; see :mod:`workings.plots.player`."""
        return player(
            [as_png(picture) for picture in self.pictures], [f"epoch {epoch:,}" for epoch in self.epochs], self.words,
            self.milliseconds,
        )  # fmt: skip

    def page(self) -> str:
        """Give a page of its own that asks for nothing from outside."""
        return page("Replay of a training", self.words, self.player())


def replay(
    net: Model,
    X: ArrayLike,
    y: ArrayLike,
    snapshots: Snapshots,
    path: str | Path,
    *,
    show: str | Scene = "auto",
    milliseconds: int = 120,
) -> Path:
    """Write the replay of a training as an animated GIF, or as an HTML page with a button and a slider.

    On the left stands what the network said at each snapshot, on the right how far its curve had got.

    Parameters
    ----------
    net : Model
        It is as before afterwards.
    X, y : array
        The rows about which the network is asked.
    snapshots : Snapshots
        From the training of this network.
    path : str or Path
        Must end in ``.gif`` or ``.html``; folders that are missing are made.
    show : str or callable
        ``"boundary"`` (two inputs and classes), ``"confusion"`` (classes), ``"weights"`` of the first layer,
        ``"predictions"`` (numbers), or a function ``show(net, ax)`` that draws into empty axes.  By default the first
        of these that fits.
    milliseconds : int
        How long each picture is shown.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    InputError
        If the name ends otherwise, the snapshots are of another network, or what is to be shown does not fit it.
    FileError
        If the file cannot be written; what was there before is left as it was.

    Examples
    --------
    >>> import tempfile
    >>> from workings import CrossEntropy, Dense, Network, SGD, Snapshots
    >>> from workings.datasets import moons
    >>> X, y = moons()
    >>> net, snapshots = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0), Snapshots(count=3)
    >>> history = net.fit(X, y, optimizer=SGD(1.0), epochs=200, batch_size=None, callbacks=[snapshots])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replay(net, X, y, snapshots, Path(folder) / "moons.gif").name
    'moons.gif'
    """
    path = Path(path)
    if path.suffix.lower() not in (".gif", ".html"):
        raise InputError(f"A replay is a GIF or a page, so the name must end in .gif or .html; it is {path.name!r}.")
    made = film(net, X, y, snapshots, show=show, milliseconds=milliseconds)
    write_bytes(path, made.gif() if path.suffix.lower() == ".gif" else made.page().encode())
    return path


def film(
    net: Model,
    X: ArrayLike,
    y: ArrayLike,
    snapshots: Snapshots,
    *,
    show: str | Scene = "auto",
    milliseconds: int = 120,
) -> Film:
    """Draw the pictures of a replay, from which both a GIF and a page can be made.

    Parameters
    ----------
    net, X, y, snapshots, show, milliseconds
        As for :func:`replay`.

    Returns
    -------
    Film

    Raises
    ------
    InputError
        As :func:`replay`.
    """
    if not isinstance(snapshots, Snapshots):
        raise InputError(
            f"A replay takes (net, X, y, snapshots, path); in the place of snapshots is {describe(snapshots)}."
        )
    snapshots.check(net)
    if milliseconds < 20:
        raise InputError(f"milliseconds must be 20 or more, not {milliseconds}: browsers show no picture for less.")
    scene, words = chosen_scene(net, X, y, snapshots, show)
    pictures = []
    figure = new_figure(7.5, 3.3)
    left, right = figure.subplots(1, 2)
    move_to = draw_course(right, snapshots)
    with restored(net):
        for index, (epoch, values) in enumerate(zip(snapshots.epochs, snapshots.values, strict=True)):
            net.keep(values)
            left.clear()
            scene(net, left)
            left.set_title(f"epoch {epoch:,}: {told_score(net, X, y)}", loc="left", fontsize=10)
            move_to(epoch)
            if index == 0:
                finish_first(figure, left)
            pictures.append(as_picture(figure))
    return Film(with_one_palette(pictures), list(snapshots.epochs), words, milliseconds)


def told_score(net: Model, X: ArrayLike, y: ArrayLike) -> str:
    """Say how good the network is on some rows."""
    kind = "R²" if net.loss.target not in ("classes", "labels") else "accuracy"
    return f"{kind} {net.score(X, y):.3f}"


def draw_course(ax: Axes, snapshots: Snapshots) -> Callable[[int], None]:
    """Draw the loss by epoch; give the function that lays a veil over what comes after an epoch."""
    history = {name: values for name, values in snapshots.history.items() if name in ("loss", "val_loss")}
    if not history:
        raise InputError("The snapshots have no history with a loss: take them with fit(..., callbacks=[snapshots]).")
    values = np.array([value for column in history.values() for value in column], dtype=float)
    values = values[np.isfinite(values)]
    curves(history, log=bool(values.size and values.min() > 0 and values.max() > 30 * values.min()), ax=ax)
    if is_spreading(snapshots.epochs):
        over_epochs(ax, snapshots.epochs, "loss")
    ax.set_title("loss", loc="left", fontsize=10)
    ax.set_ylabel("")
    line = ax.axvline(0, color=GREY, linewidth=1.2, zorder=2.4)
    veil = ax.axvspan(0, 1, facecolor=(1, 1, 1, 0.75), linewidth=0, zorder=2.4)

    def move_to(epoch: int) -> None:
        line.set_xdata([epoch, epoch])
        veil.set(x=epoch, width=ax.get_xlim()[1] - epoch)

    return move_to


def finish_first(figure: Figure, left: Axes) -> None:
    """Arrange the figure once: all pictures are to have their parts in the same places."""
    handles, names = left.get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside lower left", ncols=5, frameon=False, fontsize=9)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def as_picture(figure: Figure) -> Any:
    """Give a figure as an image of Pillow."""
    canvas = matplotlib_part("backends.backend_agg").FigureCanvasAgg(figure)
    figure.set_dpi(DOTS_PER_INCH)
    canvas.draw()
    return pillow().fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def pillow() -> Any:
    """Import Pillow, which comes with matplotlib."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("Pillow", "plots") from error
    return Image


def with_one_palette(pictures: list[Any]) -> list[Any]:
    """Give all pictures the same few colours, so that what does not move costs nothing."""
    width, height = pictures[0].size
    chosen = [pictures[i] for i in np.unique(np.linspace(0, len(pictures) - 1, 6).round().astype(int))]
    sheet = pillow().new("RGB", (width, height * len(chosen)))
    for row, picture in enumerate(chosen):
        sheet.paste(picture, (0, row * height))
    palette = with_white(sheet.quantize(COLOURS_OF_FILM, dither=pillow().Dither.NONE))
    return [picture.quantize(palette=palette, dither=pillow().Dither.NONE) for picture in pictures]


def with_white(sheet: Any) -> Any:
    """Give the palette of an image with what is nearly white made white: Pillow looks for near colours only roughly."""
    colours = np.array(sheet.getpalette()).reshape(-1, 3)
    colours[colours.min(axis=1) > 244] = 255
    palette = pillow().new("P", (1, 1))
    palette.putpalette(colours.ravel().tolist())
    return palette


def as_png(picture: Any) -> bytes:
    """Give an image as the bytes of a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


# What can be shown


def chosen_scene(net: Model, X: ArrayLike, y: ArrayLike, snapshots: Snapshots, show: str | Scene) -> tuple[Scene, str]:
    """Give the function that draws what the network says, and words for it."""
    if callable(show):
        return show, "Training, from epoch to epoch."
    scenes = {"boundary": boundary_scene, "confusion": confusion_scene, "weights": weights_scene,
              "predictions": predictions_scene}  # fmt: skip
    classes = net.loss.target in ("classes", "labels")
    if show == "auto":
        show = ("boundary" if net.n_in == 2 else "confusion") if classes else "predictions"
    if show not in scenes:
        raise unknown_name("scene", show, scenes)
    if (show in ("boundary", "confusion") and not classes) or (show == "predictions" and classes):
        raise InputError(f"show={show!r} does not fit a network whose targets are {net.loss.target}.")
    return scenes[show](net, np.asarray(X), np.asarray(y), snapshots)


def boundary_scene(net: Model, X: Array, y: Array, snapshots: Snapshots) -> tuple[Scene, str]:
    """Show the boundaries between the classes over the plane."""
    X, y = plane(X, y)

    def draw(net: Model, ax: Axes) -> None:
        draw_boundary(tidy(ax, "$x_1$", "$x_2$"), net, X, y, steps=100, size=16)

    return draw, "How the boundary between the classes moves while the network learns, and its loss by epoch."


def confusion_scene(net: Model, X: Array, y: Array, snapshots: Snapshots) -> tuple[Scene, str]:
    """Show what is taken for what."""

    def draw(net: Model, ax: Axes) -> None:
        confusion(y, net.predict(X), ax=ax)

    return draw, "Which classes are taken for which while the network learns, and its loss by epoch."


def weights_scene(net: Model, X: Array, y: Array, snapshots: Snapshots) -> tuple[Scene, str]:
    """Show the weights of up to 25 units of the first layer, as images or as one heat map."""
    name = next(name for name, array in net.parameters.items() if array.ndim == 2)
    scale = symmetric(np.array([values[name] for values in snapshots.values], dtype=float))

    def draw(net: Model, ax: Axes) -> None:
        bare(ax).imshow(mosaic(first_weights(net)), interpolation="nearest", **scale)
        ax.set_xlabel(f"weights {name}: orange above 0, blue below")

    return draw, "The weights of the first layer while the network learns (orange above 0, blue below), and its loss."


def mosaic(W: Array, most: int = 25) -> Array:
    """Put the weights of some units side by side as squares with gaps; as they are, if they fill no square.

    >>> mosaic(np.ones((4, 3))).shape
    (5, 5)
    """
    side = int(len(W) ** 0.5)
    if side * side != len(W):
        return W
    images = as_pictures(W[:, :most].T, (side, side))
    columns = int(np.ceil(len(images) ** 0.5))
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (side + 1) - 1, columns * (side + 1) - 1), np.nan)
    for i, image in enumerate(images):
        top, left = (i // columns) * (side + 1), (i % columns) * (side + 1)
        sheet[top : top + side, left : left + side] = image
    return sheet


def predictions_scene(net: Model, X: Array, y: Array, snapshots: Snapshots) -> tuple[Scene, str]:
    """Show the predicted numbers: over the input if there is one, else beside the true ones."""
    single = net.n_in == 1 and y.ndim == 1
    at = np.linspace(X.min(), X.max(), 200).reshape(-1, 1) if single else None
    limits = float(y.min()), float(y.max())

    def draw(net: Model, ax: Axes) -> None:
        if at is not None:
            ax.scatter(X[:, 0], y, s=12, color=BLUE, edgecolors="white", linewidths=0.5)
            ax.plot(at[:, 0], net.predict(at), color=VERMILION, linewidth=2)
            tidy(ax, "$x_1$", "y")
        else:
            ax.plot(limits, limits, color=GREY, linewidth=1, zorder=1)
            ax.scatter(y.ravel(), net.predict(X).ravel(), s=12, color=BLUE, edgecolors="white", linewidths=0.5)
            tidy(ax, "true", "predicted")
        margin = 0.15 * (limits[1] - limits[0]) or 1.0
        ax.set_ylim(limits[0] - margin, limits[1] + margin)

    return draw, "What the network predicts while it learns, and its loss by epoch."
