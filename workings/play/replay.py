"""A replay of a run as a file: its moments as an animated GIF, or as an HTML page with a player.

The frames are drawn by the scenes of :mod:`workings.plots.replays`, beside the loss by step.
"""

from __future__ import annotations

import base64
import copy
from typing import TYPE_CHECKING

import numpy as np

from workings.errors import InputError, unknown_name
from workings.play.play_data import PlayData
from workings.play.run import Moment, Run
from workings.plots.drawing import BLUE, VERMILION, new_figure, tidy
from workings.plots.player import page, player
from workings.plots.replays import (
    Film,
    as_picture,
    as_png,
    choose_scene,
    figure_halves,
    fix_layout,
    format_score,
    with_one_palette,
)
from workings.training.recorders import Snapshots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

KINDS = ("html", "gif")
MOST_FRAMES, MOST_ROWS, MILLISECONDS = 40, 1000, 120


def replay(run: Run, data: PlayData, kind: str) -> dict[str, str]:
    """Return a file that replays a run so far: its name, and its content as base64 text.

    Raises
    ------
    InputError
        For another kind of file, and for a run without steps.
    MissingExtraError
        If matplotlib is not installed.
    """
    if kind not in KINDS:
        raise unknown_name("kind of replay", kind, KINDS)
    moments = chosen(run)
    if len(moments) < 2:
        raise InputError("There is nothing to replay yet: make some steps first.")
    film = film_of(run, data, moments)
    if kind == "gif":
        content = film.gif()
    else:
        titles = [f"step {moment.step:,}" for moment in moments]
        frames = player([as_png(picture) for picture in film.pictures], titles, film.words, MILLISECONDS)
        content = page("Replay of a training", film.words, frames).encode()
    return {"name": f"replay.{kind}", "content": base64.b64encode(content).decode("ascii")}


def chosen(run: Run) -> list[Moment]:
    """Return the moments up to the present one, at most ``MOST_FRAMES`` of them."""
    moments = [moment for moment in run.course if moment.step <= run.state.step]
    places = np.unique(np.linspace(0, len(moments) - 1, min(len(moments), MOST_FRAMES)).round().astype(int))
    return [moments[place] for place in places]


def film_of(run: Run, data: PlayData, moments: list[Moment]) -> Film:
    """Draw a frame for each moment."""
    net = copy.deepcopy(run.model)
    count = min(data.training, MOST_ROWS)
    X, y = data.inputs(data.raw)[:count], data.y[:count]
    snapshots = Snapshots(count=len(moments))
    names = (*net.parameters, *net.statistics)
    snapshots.names, snapshots.epochs = tuple(net.parameters), [moment.step for moment in moments]
    snapshots.values = [{name: moment.values[name] for name in names} for moment in moments]
    scene, words = choose_scene(net, X, y, snapshots, "auto")
    figure = new_figure(7.5, 3.3)
    halves = figure_halves(figure)
    left, right = (half.subplots() for half in halves)
    line = draw_losses(right, run)
    pictures = []
    for index, moment in enumerate(moments):
        net.set_values(snapshots.values[index])
        left.clear()
        scene(net, left)
        left.set_title(f"step {moment.step:,}: {format_score(net, X, y)}", loc="left", fontsize=10)
        line.set_xdata([moment.step, moment.step])
        if index == 0:
            fix_layout(figure, halves[0], left)
        pictures.append(as_picture(figure))
    return Film(with_one_palette(pictures), snapshots.epochs, words, MILLISECONDS)


def draw_losses(ax: Axes, run: Run) -> Line2D:
    """Plot both losses by step; return the line that marks a step."""
    tidy(ax, "step", "").set_title("loss", loc="left", fontsize=10)
    course = [moment for moment in run.course if moment.step <= run.state.step]
    steps = [moment.step for moment in course]
    ax.plot(steps, [moment.measured[0] for moment in course], color=BLUE, label="training")
    if run.validation is not None:
        held = [moment.measured[2] for moment in course]
        ax.plot(steps, held, color=VERMILION, linestyle="--", label="validation")
    ax.legend(frameon=False, fontsize=9)
    return ax.axvline(0, color="#777777", linewidth=1.2)
