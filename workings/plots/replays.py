"""Replays of a training: the network's predictions at each snapshot, next to the loss curve.

The parameters of each snapshot are loaded into the network, and its predictions are plotted.  The
frames become an animated GIF, or an HTML page with a play button and a slider.
"""

from __future__ import annotations

import base64
import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError, MissingExtraError, count_of, unknown_name
from workings.plots.comparisons import confusion
from workings.plots.drawing import (
    BLUE,
    GREY,
    VERMILION,
    bare,
    legend_columns,
    matplotlib_part,
    new_figure,
    plot,
    symmetric,
    tidy,
)
from workings.plots.layer_signals import has_growing_gaps, set_epoch_axis
from workings.plots.learning_curves import curves
from workings.plots.pixels import as_pictures, first_weights
from workings.plots.planes import check_points, draw_boundary
from workings.plots.player import STYLE, page, player
from workings.support.arrays import Array, describe
from workings.support.atomic_files import as_path, write_bytes
from workings.support.escaping import in_html
from workings.support.keywords import CheckedKeywords, checked_keywords
from workings.training.recorders import Snapshots, restoring

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from PIL.Image import Image

    from workings.model.model import Model

PALETTE_SIZE = 128  # a GIF allows 256 colours; fewer make smaller files
DOTS_PER_INCH = 112
FRAME = "width:100%;height:34rem;border:0"
LAST_FRAME_DURATION = 2000  # milliseconds, before a GIF repeats
if TYPE_CHECKING:
    PathOfSystem = Path
else:
    PathOfSystem = type(Path())  # the class that can be derived from before Python 3.12
Scene = Callable[["Model", "Axes"], object]


class ReplayPath(PathOfSystem):
    """Path of a replay; a notebook displays the replay."""

    def _repr_html_(self) -> str | None:
        """The animation for a notebook, as long as the file exists."""
        if not self.is_file():
            return None
        if self.suffix.lower() == ".gif":
            source = base64.b64encode(self.read_bytes()).decode("ascii")
            return f'<img src="data:image/gif;base64,{source}" alt="Replay of a training" style="max-width:100%">'
        return f'<iframe srcdoc="{in_html(self.read_text(encoding="utf-8"))}" title="Replay" style="{FRAME}"></iframe>'


@dataclass(frozen=True, repr=False)
class Film(CheckedKeywords):
    """The frames of a replay, in order.

    Attributes
    ----------
    pictures : list of images
        Pillow images that share one palette.
    epochs : list of int
        Number of completed epochs at each frame.
    words : str
        Description of the frames.
    milliseconds : int
        Duration of each frame.
    """

    pictures: list[Image]
    epochs: list[int]
    words: str
    milliseconds: int

    def gif(self) -> bytes:
        """Return the bytes of an animated GIF that repeats forever."""
        buffer, first = io.BytesIO(), self.pictures[0]
        durations = [self.milliseconds] * (len(self.pictures) - 1) + [LAST_FRAME_DURATION]
        first.save(
            buffer, "GIF", save_all=True, append_images=self.pictures[1:], duration=durations, loop=0, optimize=False
        )
        return buffer.getvalue()

    def player(self) -> str:
        """Return the HTML of a player with the frames, a button and a slider; see :mod:`workings.plots.player`."""
        frames = [as_png(picture) for picture in self.pictures]
        titles = [f"epoch {epoch:,}" for epoch in self.epochs]
        return player(frames, titles, self.words, self.milliseconds)

    def __repr__(self) -> str:
        return f"Film of {count_of(len(self.pictures), 'frame')}, from epoch {self.epochs[0]} to {self.epochs[-1]:,}"

    def _repr_html_(self) -> str:
        """The player, for a notebook."""
        return f"<style>{STYLE}</style>{self.player()}"

    def page(self) -> str:
        """Return a self-contained HTML page."""
        return page("Replay of a training", self.words, self.player())


@checked_keywords
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
    """Write the replay of a training as an animated GIF, or as an HTML page with a play button and a slider.

    The left panel shows the network's predictions at each snapshot, the right panel its loss up to that
    epoch.

    Parameters
    ----------
    net : Model
        Its parameters are restored afterwards.
    X, y : array
        The rows to predict.
    snapshots : Snapshots
        Recorded during the training of this network.
    path : str or Path
        Must end in ``.gif`` or ``.html``; missing folders are created.
    show : str or callable
        Content of the left panel: ``"boundary"`` (classification, two inputs), ``"confusion"``
        (classification), ``"weights"`` of the first layer, ``"predictions"`` (regression), or a function
        ``show(net, ax)`` that draws into empty axes.  ``"auto"`` selects boundary, confusion or predictions,
        whichever suits the network.
    milliseconds : int
        Duration of each frame.

    Returns
    -------
    Path
        Path of the file.

    Raises
    ------
    InputError
        If the name has another extension, the snapshots belong to another network, or ``show`` does not suit
        it.
    FileError
        If the file cannot be written; an existing file is then unchanged.

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
    path = as_path(path)
    if path.suffix.lower() not in (".gif", ".html"):
        raise InputError(
            f"A replay is a GIF or an HTML page, so the name must end in .gif or .html; it is {path.name!r}."
        )
    frames = film(net, X, y, snapshots, show=show, milliseconds=milliseconds)
    write_bytes(path, frames.gif() if path.suffix.lower() == ".gif" else frames.page().encode())
    return ReplayPath(path)


@plot
def film(
    net: Model,
    X: ArrayLike,
    y: ArrayLike,
    snapshots: Snapshots,
    *,
    show: str | Scene = "auto",
    milliseconds: int = 120,
) -> Film:
    """Draw the frames of a replay, for a GIF or an HTML page.

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
            f"A replay takes (net, X, y, snapshots, path); the argument snapshots is {describe(snapshots)}."
        )
    snapshots.check(net)
    if milliseconds < 20:
        raise InputError(f"milliseconds must be 20 or more, not {milliseconds}: browsers do not show shorter frames.")
    scene, words = choose_scene(net, X, y, snapshots, show)
    pictures = []
    figure = new_figure(7.5, 3.3)
    halves = figure_halves(figure)
    left, right = (half.subplots() for half in halves)
    move_to = draw_loss_curve(right, snapshots)
    with restoring(net):
        for index, (epoch, values) in enumerate(zip(snapshots.epochs, snapshots.values, strict=True)):
            net.set_values(values)
            left.clear()
            scene(net, left)
            left.set_title(f"epoch {epoch:,}: {format_score(net, X, y)}", loc="left", fontsize=10)
            move_to(epoch)
            if index == 0:
                fix_layout(figure, halves[0], left)
            pictures.append(as_picture(figure))
    return Film(with_one_palette(pictures), list(snapshots.epochs), words, milliseconds)


def format_score(net: Model, X: ArrayLike, y: ArrayLike) -> str:
    """Return the network's score on some rows as text."""
    kind = "accuracy" if net.targets.is_classification else "R²"
    return f"{kind} {net.score(X, y):.3f}"


def draw_loss_curve(ax: Axes, snapshots: Snapshots) -> Callable[[int], None]:
    """Plot the loss by epoch; return a function that fades the curve after a given epoch."""
    history = {name: values for name, values in snapshots.history.items() if name in ("loss", "val_loss")}
    if not history:
        raise InputError("The snapshots have no loss history: record them with fit(..., callbacks=[snapshots]).")
    values = np.array([value for column in history.values() for value in column], dtype=float)
    values = values[np.isfinite(values)]
    curves(history, log=bool(values.size and values.min() > 0 and values.max() > 30 * values.min()), ax=ax)
    if has_growing_gaps(snapshots.epochs):
        set_epoch_axis(ax, snapshots.epochs, "loss")
    ax.set_title("loss", loc="left", fontsize=10)
    ax.set_ylabel("")
    line = ax.axvline(0, color=GREY, linewidth=1.2, zorder=2.4)
    cover = ax.axvspan(0, 1, facecolor=(1, 1, 1, 0.75), linewidth=0, zorder=2.4)

    def move_to(epoch: int) -> None:
        line.set_xdata([epoch, epoch])
        cover.set(x=epoch, width=ax.get_xlim()[1] - epoch)

    return move_to


def figure_halves(figure: Figure) -> tuple[SubFigure, SubFigure]:
    """Divide a figure into a left and a right half."""
    left, right = np.asarray(figure.subfigures(1, 2)).ravel()
    return left, right


def fix_layout(figure: Figure, half: SubFigure, left: Axes) -> None:
    """Add the legend, compute the layout once, and keep it for all frames."""
    handles, names = left.get_legend_handles_labels()
    if handles:
        half.legend(
            handles, names, loc="outside lower left", ncols=legend_columns(half, names), frameon=False, fontsize=9
        )
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def as_picture(figure: Figure) -> Image:
    """Render a figure as a Pillow image."""
    canvas = matplotlib_part("backends.backend_agg").FigureCanvasAgg(figure)
    figure.set_dpi(DOTS_PER_INCH)
    canvas.draw()
    picture: Image = pillow().fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    return picture


def pillow() -> ModuleType:
    """Import Pillow, a dependency of matplotlib."""
    try:
        return importlib.import_module("PIL.Image")
    except ImportError as error:
        raise MissingExtraError("Pillow", "plots") from error


def with_one_palette(pictures: list[Image]) -> list[Image]:
    """Reduce all frames to one palette, so that unchanged areas need no space in a GIF."""
    width, height = pictures[0].size
    sampled = [pictures[i] for i in np.unique(np.linspace(0, len(pictures) - 1, 6).round().astype(int))]
    sheet = pillow().new("RGB", (width, height * len(sampled)))
    for row, picture in enumerate(sampled):
        sheet.paste(picture, (0, row * height))
    palette = palette_with_white(sheet.quantize(PALETTE_SIZE, dither=pillow().Dither.NONE))
    return [picture.quantize(palette=palette, dither=pillow().Dither.NONE) for picture in pictures]


def palette_with_white(sheet: Image) -> Image:
    """Return the palette of an image, with nearly white colours set to white: Pillow's quantization is coarse."""
    colours = np.array(sheet.getpalette()).reshape(-1, 3)
    colours[colours.min(axis=1) > 244] = 255
    palette: Image = pillow().new("P", (1, 1))
    palette.putpalette(colours.ravel().tolist())
    return palette


def as_png(picture: Image) -> bytes:
    """Return an image as the bytes of a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


# Scenes: functions that draw the left panel of a frame


def choose_scene(
    net: Model,
    X: ArrayLike,
    y: ArrayLike,
    snapshots: Snapshots,
    show: str | Scene,
) -> tuple[Scene, str]:
    """Return the function that draws the left panel, and a description of the replay."""
    if callable(show):
        return show, "Replay of a training, by epoch."
    scenes = {
        "boundary": boundary_scene,
        "confusion": confusion_scene,
        "weights": weights_scene,
        "predictions": predictions_scene,
    }
    classes = net.targets.is_classification
    if show == "auto":
        show = ("boundary" if net.n_in == 2 else "confusion") if classes else "predictions"
    if show not in scenes:
        raise unknown_name("scene", show, scenes)
    if (show in ("boundary", "confusion") and not classes) or (show == "predictions" and classes):
        raise InputError(f"show={show!r} does not suit a network whose targets are {net.loss.target}.")
    return scenes[show](net, np.asarray(X), np.asarray(y), snapshots)


def boundary_scene(net: Model, X: Array, y: Array, snapshots: Snapshots) -> tuple[Scene, str]:
    """Show the decision boundary over two inputs."""
    X, y = check_points(X, y)

    def draw(net: Model, ax: Axes) -> None:
        draw_boundary(tidy(ax, "$x_1$", "$x_2$"), net, X, y, steps=100, size=16)

    return draw, "Decision boundary and loss by epoch."


def confusion_scene(net: Model, X: Array, y: Array, snapshots: Snapshots) -> tuple[Scene, str]:
    """Show the confusion matrix."""

    def draw(net: Model, ax: Axes) -> None:
        confusion(y, net.predict(X), ax=ax)

    return draw, "Confusion matrix and loss by epoch."


def weights_scene(net: Model, X: Array, y: Array, snapshots: Snapshots) -> tuple[Scene, str]:
    """Show the weights of up to 25 units of the first layer, as images or as one heat map."""
    name = next(name for name, array in net.parameters.items() if array.ndim == 2)
    scale = symmetric(np.array([values[name] for values in snapshots.values], dtype=float))

    def draw(net: Model, ax: Axes) -> None:
        bare(ax).imshow(mosaic(first_weights(net)), interpolation="nearest", **scale)
        ax.set_xlabel(f"weights {name}: orange positive, blue negative")

    return draw, "Weights of the first layer (orange positive, blue negative) and loss by epoch."


def mosaic(W: Array, most: int = 25) -> Array:
    """Arrange the weights of up to ``most`` units as square images in a grid; return other weights unchanged.

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
    """Show the predictions against the input if there is only one, else against the targets."""
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

    return draw, "Predictions and loss by epoch."
