"""A session: the data, the network and the run of one tab, and what the page can ask of it.

Each public method is an action of the page (see ``messages.py``) and returns plain values for JSON.  A session needs
no socket and no browser.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workings.errors import InputError, unknown_name
from workings.model.model import Model
from workings.play import session_settings as limits
from workings.play import tables
from workings.play.data_sets import DataSets
from workings.play.exports import exported, latex_of, library_code, opened, script_of
from workings.play.lesson_files import FOLDER, read_lessons
from workings.play.museum_actions import MuseumActions
from workings.play.pictures import (
    SIDE,
    UNIT_SIDE,
    Maps,
    Plane,
    data_view,
    encoded,
    number,
    scale_of,
    signed_bytes,
    single,
    thinned,
)
from workings.play.play_data import PlayData
from workings.play.play_model import new_model, structure, with_weights_of
from workings.play.run import Run
from workings.play.session_settings import AUTOMATIC, Settings
from workings.play.user_data import settings_of
from workings.support.arrays import Array
from workings.support.json_values import JsonObject
from workings.training.rows import Rows
from workings.version import __version__

if TYPE_CHECKING:  # actions import what only they need, so that the first frame comes soon
    from workings.play.inspection import Entry, Inspection
    from workings.play.walk import Walk

MOST_STEPS = 1000  # in one message
MOST_WORK = 4e9  # multiplications in one message
KEEPS_WEIGHTS = ("lr", "schedule", "schedule_steps", "optimizer", "batch_size", "regularizer", "lam")
OF_ROWS = ("data", "rows", "noise", "data_seed", "held_out")


class Session:
    """The state of one tab.

    Parameters
    ----------
    settings : Settings or None
        The settings to begin with.
    own : PlayData or None
        A data set of the user, offered beside the generated ones.
    model : Model or None
        A network of the user, to begin with.

    Examples
    --------
    >>> session = Session()
    >>> session.advance(steps=5)["step"]
    5
    """

    def __init__(
        self, settings: Settings | None = None, own: PlayData | None = None, model: Model | None = None
    ) -> None:
        self.sets = DataSets(own)
        self.row = 0
        self.drawing: Array | None = None
        self.lesson_folder: Path | None = None
        self.exhibits = MuseumActions()
        self.other: Session | None = None  # the network that is kept for comparison, on the same data
        self.axes: tuple[int, int] = (0, 1)
        self.columns: tuple[str, ...] = ()
        self.walk: Walk | None = None
        self.settings = settings or Settings()
        if own is not None:
            held_out = 0.0 if model is not None else self.settings.held_out
            self.settings = replace(self.settings, data=own.name, features=own.features, held_out=held_out)
        self.given = None if model is None else (structure(self.settings), model)
        self.begin(self.settings)

    # -- beginnings --------------------------------------------------------------------------

    def make_model(self, settings: Settings, data: PlayData) -> Model:
        """Return a new network; it has the weights of the user's one, if the settings still describe that."""
        model = new_model(settings, data)
        if self.given is None or self.given[0] != structure(settings):
            return model
        return with_weights_of(self.given[1], model)

    def begin(self, settings: Settings) -> None:
        """Begin with new data, new weights and a new run; nothing changes if the settings are refused."""
        data = self.sets.load(settings)
        model = self.make_model(settings, data)
        X = data.inputs(data.raw)
        features, targets, _ = model.prepare(X, data.y)
        model.learn_labels(data.y)
        rows = Rows(features, targets)
        training, rest = rows.take(slice(0, data.training)), rows.take(slice(data.training, None))
        run = Run(
            model, training, rest if len(rest.X) else None, settings.make_optimizer(), settings.batch_size
        )  # fmt: skip
        axes = self.axes if data.columns == self.columns else (0, min(1, len(data.columns) - 1))
        self.settings = replace(settings, features=data.features)
        self.data, self.run, self.axes, self.columns = data, run, axes, data.columns
        self.drawing = None
        self.after_new_model()

    def after_new_model(self) -> None:
        """Prepare what depends on the network: heat maps, and no walk."""
        self.plane = None if self.data.side else Plane.of(self.data, self.axes)
        self.maps = Maps(self.run.model, self.plane)
        self.row, self.walk = min(self.row, self.data.training - 1), None

    def change_training(self, settings: Settings) -> None:
        """Change the training and keep the weights."""
        run, model = self.run, self.run.model
        changed = Model(
            model.layers, loss=model.loss, regularizer=settings.make_regularizer(), seed=model.rng,
        )  # fmt: skip
        changed.place(model.n_in or 1, {**model.parameters, **model.statistics})
        changed.set_targets(model.targets)
        run.set_training(changed, settings.make_optimizer(), settings.batch_size)
        run.record()
        self.settings = settings
        self.after_new_model()

    # -- actions: settings -------------------------------------------------------------------

    def hello(self) -> JsonObject:
        """Return what the page needs to know first: the names to choose from, and the state."""
        usual = Settings().to_json()
        return {
            "version": __version__,
            "choices": {
                **limits.choices(),
                "defaults": usual,
                "most_steps": MOST_STEPS,
                "museum": self.exhibits.museum_is_open,
            },
            **self.view(),
        }

    def configure(self, settings: Any) -> JsonObject:
        """Change some settings; weights are kept if only the training changes."""
        given = Settings.from_json(settings, self.settings)
        if isinstance(settings, dict) and given.data != self.settings.data:
            given = self.sets.usual_settings(given, settings)
        if given.optimizer == "LBFGS" != self.settings.optimizer and "batch_size" not in settings:
            given = replace(given, batch_size=0)  # it takes all rows in each step
        changed = {name for name, value in vars(given).items() if value != getattr(self.settings, name)}
        if changed - set(KEEPS_WEIGHTS):
            self.begin_both(given, is_new=bool(changed & set(OF_ROWS)))
        elif changed:
            self.change_training(given)
        return self.view()

    def reset(self) -> JsonObject:
        """Return to the initial weights."""
        self.begin_both(self.settings)
        return self.view()

    def begin_both(self, settings: Settings, is_new: bool = True) -> None:
        """Begin anew; so does the network that is kept for comparison, on the same data."""
        other = copy.copy(self.other)
        if other is not None and is_new:
            same: dict[str, Any] = {name: getattr(settings, name) for name in OF_ROWS}
            if settings.data != self.settings.data:
                same |= {"loss": AUTOMATIC, "features": settings.features}
            other.begin(replace(other.settings, **same))
        elif other is not None:  # one clock: the kept run returns to its beginning, too
            other.begin(other.settings)
        self.begin(settings)
        self.other = other

    def view(self) -> JsonObject:
        """Return everything that the page shows: settings, data, network, and the present frame."""
        return {
            "settings": self.settings.to_json(),
            "sets": self.sets.offered(),
            "data": self.data_view(),
            "network": self.network_view(),
            "frame": self.frame(),
            "other": None if self.other is None else self.other.shown(),
        }

    def shown(self) -> JsonObject:
        """Return settings and network, for the page."""
        return {"settings": self.settings.to_json(), "network": self.network_view()}

    def data_view(self) -> JsonObject:
        """Return the data for the page: points, labels, names, and the ends of the plane."""
        return data_view(self.data, self.plane, self.axes)

    def network_view(self) -> JsonObject:
        """Return the structure of the network for the drawing."""
        model = self.run.model
        widths = [layer.units for layer in self.settings.hidden]
        return {
            "inputs": list(self.data.features),
            "is_image": self.data.side > 0,
            "hidden": [{"units": units, "W": f"W{k}"} for k, units in enumerate(widths, start=1)],
            "outputs": self.output_names(),
            "loss": repr(model.loss),
            "parameters": int(model.theta.size),
            "description": model.summary(),
            "side": SIDE,
            "unit_side": UNIT_SIDE,
            "input_maps": None if self.plane is None else encoded(signed_bytes(thinned(self.plane.inputs))),
        }

    def output_names(self) -> list[str]:
        """Return the names of the outputs."""
        if self.run.model.n_out == len(self.data.classes):
            return list(self.data.classes)
        return ["p"] * self.run.model.n_out

    def scale(self) -> tuple[float, float]:
        """Return the ends of the scale of predictions: 0 and 1 for classes, the range of the targets for numbers."""
        return scale_of(self.data)

    # -- actions: training -------------------------------------------------------------------

    def frame(self) -> JsonObject:
        """Return the present moment: step, measures, weights, heat maps, and the course of the run."""
        run = self.run
        last = run.course[-1]
        here = next((k for k, moment in enumerate(run.course) if moment.step == run.state.step), len(run.course) - 1)
        weights = {
            name: {"shape": list(value.shape), "data": encoded(single(value))}
            for name, value in run.model.parameters.items()
        }
        course = single(np.array([(m.step, *m.measured) for m in run.course], dtype=np.float64))
        return {
            "step": run.state.step,
            "epoch": run.epoch,
            "batch": run.batch,
            "batches": len(run.batches),
            "measured": [number(value) for value in run.course[here].measured],
            "latest": last.step,
            "moment": here,
            "weights": weights,
            "maps": self.maps.draw(*self.scale()),
            "activations": self.activations() if self.data.side else None,
            "course": encoded(course),
            "moments": len(run.course),
            "rate": run.learning_rate(),
            "stopped": run.stopped,
            "other": None if self.other is None else self.other.frame(),
        }

    def advance(self, steps: int) -> JsonObject:
        """Make some steps, fewer if they are large; return the new frame."""
        self.leave_walk()
        runs = [self.run] if self.other is None else [self.run, self.other.run]
        allowed = min(steps, MOST_STEPS, *(int(MOST_WORK / run.work()) for run in runs))
        for run in runs:
            run.advance(max(allowed, 1))
        return self.frame()

    def epoch(self) -> JsonObject:
        """Make the steps to the end of this epoch; return the new frame."""
        return self.advance(self.run.steps_to_epoch())

    def travel(self, moment: int) -> JsonObject:
        """Return to a moment of the run; training continues from there."""
        if moment >= len(self.run.course):
            raise InputError(f"The run has {len(self.run.course)} moments, counted from 0; there is no {moment}.")
        self.leave_walk()
        self.run.go_to(moment)
        if self.other is not None:
            self.other.run.go_near(self.run.state.step)
        return self.frame()

    # -- actions: comparison -----------------------------------------------------------------

    def keep(self) -> JsonObject:
        """Keep a copy of the network and its run, which goes on beside the present one, step by step."""
        other = copy.copy(self)
        other.other, other.run = None, self.run.copy()
        other.after_new_model()
        self.other = other
        return self.view()

    def swap(self) -> JsonObject:
        """Exchange the present network and the kept one."""
        if self.other is None:
            raise InputError("No network is kept for comparison.")
        for name in ("settings", "data", "run", "given"):
            mine, theirs = getattr(self, name), getattr(self.other, name)
            setattr(self, name, theirs)
            setattr(self.other, name, mine)
        self.after_new_model()
        self.other.after_new_model()
        return self.view()

    def end_comparison(self) -> JsonObject:
        """Forget the network that is kept."""
        self.other = None
        return self.view()

    # -- actions: data of your own, and images ------------------------------------------------

    def activations(self) -> JsonObject:
        """Return the values of all units for the drawing, or for the chosen row."""
        pixels = self.data.raw[[self.row]] if self.drawing is None else self.drawing[None, :]
        *hidden, p = self.maps.values_at(self.data.inputs(pixels))
        return {
            "pixels": pixels[0].tolist(),
            "units": [[number(v) for v in layer[0].tolist()] for layer in hidden],
            "output": [number(v) for v in p[0].tolist()],
        }

    def draw(self, pixels: list[float]) -> JsonObject:
        """Show the network an image; an empty one returns to the chosen row."""
        if self.data.side == 0 or len(pixels) not in (0, self.data.side**2):
            raise InputError(f"Only data of images can be drawn, with {self.data.side}×{self.data.side} pixels here.")
        self.drawing = np.array(pixels) if pixels else None
        if self.other is None:
            return self.activations()
        self.other.drawing = self.drawing
        return {**self.activations(), "other": self.other.activations()}

    def choose_axes(self, first: int, second: int) -> JsonObject:
        """Choose the two columns that the plane shows; the others keep their means."""
        if first == second or max(first, second) >= len(self.data.columns):
            raise InputError(f"The axes must be two different columns from 0 to {len(self.data.columns) - 1}.")
        self.axes = (first, second)
        self.after_new_model()
        if self.other is not None:
            self.other.axes = self.axes
            self.other.after_new_model()
        return self.view()

    def add_point(self, x: float, y: float, target: float) -> JsonObject:
        """Add a point to the data in the plane; the weights stay."""
        data = self.sets.add_point(self.data, x, y, target)
        sessions = [self] if self.other is None else [self, self.other]
        begun = [session.on_more_points(data) for session in sessions]
        for session, anew in zip(sessions, begun, strict=True):  # both, or none of them
            vars(session).update({**vars(anew), "other": session.other})
        return self.view()

    def on_more_points(self, data: str) -> Session:
        """Return this session on other rows, with its weights."""
        found, settings = copy.copy(self), replace(self.settings, data=data)
        found.given = (structure(settings), self.run.model)
        found.begin(settings)
        found.given = self.given
        return found

    def open_table(self, name: str, content: str, target: str, impute: bool) -> JsonObject:
        """Take a CSV or Parquet file as data; without a target, return its columns to choose from."""
        if not target:
            return {"columns": tables.table_columns(name, content)}
        data = tables.table_of(name, content, target, impute)
        with self.sets.adding(data):
            self.begin_both(replace(self.settings, data=data.name, features=data.features, loss=AUTOMATIC))
        return self.view()

    def lessons(self) -> JsonObject:
        """Return all lessons."""
        folders = [FOLDER, *([] if self.lesson_folder is None else [self.lesson_folder])]
        return {"lessons": [each.to_json() for folder in folders for each in read_lessons(folder).values()]}

    # -- actions: inspection -----------------------------------------------------------------

    def choose_row(self, row: int) -> JsonObject:
        """Choose the training row that equations show."""
        if row >= self.data.training:
            raise InputError(f"There are {self.data.training} training rows, counted from 0; there is no row {row}.")
        self.row, self.walk = row, None
        if self.other is not None:
            self.other.row = row
        return {"row": row, **self.row_view()}

    def row_view(self) -> JsonObject:
        """Return the inputs, the target and the prediction of the chosen row."""
        x = self.run.training.X[[self.row]]
        p = self.run.model.outputs(np.asarray(x), engine="reference")[0]
        label = self.data.y[self.row]
        target = self.data.classes[int(label)] if self.data.classes else float(label)
        return {"inputs": np.asarray(x)[0].tolist(), "target": target, "prediction": [number(v) for v in p.tolist()]}

    def statement(self, index: int, unit: int) -> JsonObject:
        """Return one statement of the next step, with its numbers; no weight changes."""
        from workings.play.walk import Walk

        if self.walk is None or self.walk.step != self.run.state.step or self.walk.runner.unit != unit:
            self.walk = Walk(self.run, self.place_in_batch()[0], unit)
        if index >= len(self.walk.statements):
            raise InputError(f"The step has {len(self.walk.statements)} statements; there is no statement {index}.")
        place, row = self.place_in_batch()
        return {**self.walk.describe(index), "place": place, "row": row}

    def place_in_batch(self) -> tuple[int, int]:
        """Return the position of the chosen row in the next batch, and the row; the batch's first row without it."""
        X, rows = np.asarray(self.run.peek()["X"]), np.asarray(self.run.training.X)
        same = np.flatnonzero((rows[[self.row]] == X).all(axis=1))
        if len(same):
            return int(same[0]), self.row
        return 0, int(np.flatnonzero((rows == X[0]).all(axis=1))[0])

    def leave_walk(self) -> None:
        """Forget the statements that were run ahead."""
        self.walk = None

    def weight(self, name: str, index: list[int]) -> JsonObject:
        """Return everything about one weight: gradient, objective as its function, its course, and its paths."""
        return self.inspection().weight(self.entry(name, index))

    def entry(self, name: str, index: list[int]) -> Entry:
        """Return an entry of a parameter that exists."""
        from workings.play.inspection import checked_entry

        return checked_entry(self.run, name, index)

    def set_weight(self, name: str, index: list[int], value: float, final: bool) -> JsonObject:
        """Set one weight; return the new frame and the gradient.  ``final`` ends a drag and records the moment."""
        entry = self.entry(name, index)
        self.leave_walk()
        self.run.set_entry(name, entry.index, value)
        self.run.course[-1:] = [] if self.run.course[-1].step == self.run.state.step else self.run.course[-1:]
        self.run.record()
        found: JsonObject = {"frame": self.frame(), "weight": self.inspection().weight_now(entry)}
        return {**found, "details": self.weight(name, index)} if final else found

    def unit(self, layer: int, unit: int) -> JsonObject:
        """Return the statements of one unit, with the numbers of the chosen row."""
        return {**self.inspection().unit(layer, unit), **self.row_view()}

    def loss(self) -> JsonObject:
        """Return the statements of the loss, with the numbers of the chosen row."""
        return {**self.inspection().loss(), **self.row_view()}

    # -- actions: advice, and taking along ---------------------------------------------------

    def doctor(self) -> JsonObject:
        """Return what the doctor finds, each finding with its change of settings."""
        from workings.play.advice import advice_on

        return {**advice_on(self.run, self.data, self.settings), "step": self.run.state.step}

    def landscape(self, directions: str) -> JsonObject:
        """Return the loss around the present parameters, the path of the run, and the edge of stability."""
        from workings.play.landscape import landscape

        return landscape(self.run, self.data, directions)

    def code(self, kind: str) -> JsonObject:
        """Return the network and its training as text: a NumPy script, code for this library, or LaTeX."""
        epochs = max(self.run.epoch, 100)
        makers: dict[str, Callable[[], str]] = {
            "script": lambda: script_of(self.run, self.data, self.settings, epochs),
            "library": lambda: library_code(self.data, self.run, self.settings, epochs),
            "latex": lambda: latex_of(self.run),
        }
        if kind not in makers:
            raise unknown_name("kind of code", kind, makers)
        return {"kind": kind, "text": makers[kind]()}

    def replay(self, kind: str) -> JsonObject:
        """Return a replay of the run so far as a file: an HTML page or an animated GIF."""
        from workings.play.replay import replay

        return {"files": [replay(self.run, self.data, kind)]}

    def restart(self) -> JsonObject:
        """Begin a new run from the present weights, as the script does: the optimizer's state at 0, a new epoch."""
        self.leave_walk()
        self.run.restart()
        return self.frame()

    def export(self, kind: str) -> JsonObject:
        """Return the network as files of some format."""
        return {"files": exported(self.run.model, kind)}

    def open_model(self, name: str, content: str) -> JsonObject:
        """Show the network of a file, on the present data."""
        return self.show_model(opened(name, content), name)

    def show_model(self, model: Model, name: str) -> JsonObject:
        """Show a network on the present data; nothing changes if it does not fit."""
        found = settings_of(model)
        if model.n_in != len(self.data.features):
            raise InputError(
                f"The network in {name!r} has {model.n_in} inputs, and {len(self.data.features)} features are switched "
                f"on: {', '.join(self.data.features[:10])}. Choose data, and features, of which there are as many."
            )
        before = self.given
        settings = replace(
            self.settings, hidden=found.hidden, loss=found.loss, regularizer=found.regularizer, lam=found.lam
        )
        self.given = (structure(settings), model)
        try:
            self.begin_both(settings, is_new=False)
        except BaseException:
            self.given = before
            raise
        return self.view()

    def inspection(self) -> Inspection:
        """Return the values of all training rows, to inspect."""
        from workings.play.inspection import Inspection

        return Inspection(self.run, self.row)
