"""A session: the data, the network and the run of one tab, and what the page can ask of it.

Each public method is an action of the page (see ``messages.py``) and returns plain values for JSON.  A session needs
no socket and no browser.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from workings.errors import InputError, unknown_name
from workings.model.model import Model
from workings.play import settings as limits
from workings.play.datasets import GENERATED, PlayData, described, generate, training_rows
from workings.play.inspection import Inspection, checked_entry
from workings.play.pictures import SIDE, UNIT_SIDE, Maps, Plane, encoded, signed_bytes, single, thinned
from workings.play.run import Run
from workings.play.settings import AUTOMATIC, Settings
from workings.play.walk import Walk, number
from workings.training.rows import Rows
from workings.version import __version__

MOST_STEPS = 1000  # in one message
MOST_WORK = 4e9  # multiplications in one message
KEEPS_WEIGHTS = ("lr", "schedule", "schedule_steps", "optimizer", "batch_size", "regularizer", "lam")
OF_DATA = ("data", "rows", "noise", "data_seed", "held_out", "features")


def structure(settings: Settings) -> tuple[object, ...]:
    """Return what decides the shapes and the meaning of the parameters."""
    return settings.data, settings.features, settings.hidden, settings.loss


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
        self.own, self.row = own, 0
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

    def load_data(self, settings: Settings) -> PlayData:
        """Return the data set that the settings name."""
        if self.own is not None and settings.data == self.own.name:
            training = training_rows(len(self.own.y), settings.held_out)
            return replace(self.own, training=training).with_features(settings.features)
        if settings.data not in GENERATED:
            own = [] if self.own is None else [self.own.name]
            raise unknown_name("data set", settings.data[:80], [*GENERATED, *own])
        return generate(settings).with_features(settings.features)

    def make_model(self, settings: Settings, data: PlayData) -> Model:
        """Return a new network with its initial weights."""
        if not data.classes and settings.make_loss(data.usual_loss).is_classification:
            raise InputError(f"{settings.loss} needs classes, and {data.name} has numbers: choose SquaredError.")
        loss = settings.make_loss(data.usual_loss)
        outputs = len(data.classes) if loss.is_multiclass else 1
        if len(data.classes) > 2 and outputs == 1:
            raise InputError(f"{type(loss).__name__} has one output; for {len(data.classes)} classes use CrossEntropy.")
        model = Model(
            settings.layers(outputs), loss=loss, regularizer=settings.make_regularizer(), seed=settings.seed,
            n_in=len(data.features),
        )  # fmt: skip
        if self.given is not None and self.given[0] == structure(settings):
            model.place(len(data.features), {**self.given[1].parameters, **self.given[1].statistics})
        return model

    def begin(self, settings: Settings) -> None:
        """Begin with new data, new weights and a new run; nothing changes if the settings are refused."""
        data = self.load_data(settings)
        model = self.make_model(settings, data)
        X = data.inputs(data.raw)
        features, targets, _ = model.prepare(X, data.y)
        model.learn_labels(data.y)
        rows = Rows(features, targets)
        training, rest = rows.taken(slice(0, data.training)), rows.taken(slice(data.training, None))
        run = Run(
            model, training, rest if len(rest.X) else None, settings.make_optimizer(), settings.batch_size
        )  # fmt: skip
        axes = self.axes if data.columns == self.columns else (0, 1)
        self.settings = replace(settings, features=data.features)
        self.data, self.run, self.plane = data, run, Plane.of(data, axes)
        self.axes, self.columns = axes, data.columns
        self.after_new_model()

    def after_new_model(self) -> None:
        """Prepare what depends on the network: heat maps, and no walk."""
        self.maps = Maps(self.run.model, self.plane)
        self.row, self.walk = min(self.row, self.data.training - 1), None

    def change_training(self, settings: Settings) -> None:
        """Change the training and keep the weights."""
        run, model = self.run, self.run.model
        changed = Model(
            model.layers, loss=model.loss, regularizer=settings.make_regularizer(), seed=model.rng,
        )  # fmt: skip
        changed.place(model.n_in or 1, {**model.parameters, **model.statistics})
        changed.targets = model.targets
        run.model = changed
        run.set_training(settings.make_optimizer(), settings.batch_size)
        run.record()
        self.settings = settings
        self.after_new_model()

    # -- actions: settings -------------------------------------------------------------------

    def hello(self) -> dict[str, Any]:
        """Return what the page needs to know first: the names to choose from, and the state."""
        own = [] if self.own is None else [{"name": self.own.name, "words": self.own.words, "noise": 0}]
        return {
            "version": __version__,
            "choices": {**limits.choices(), "data": [*described(), *own], "most_steps": MOST_STEPS},
            **self.view(),
        }

    def configure(self, settings: Any) -> dict[str, Any]:
        """Change some settings; weights are kept if only the training changes."""
        given = Settings.from_json(settings, self.settings)
        if isinstance(settings, dict) and given.data != self.settings.data:
            given = self.for_other_data(given, settings)
        changed = {name for name, value in vars(given).items() if value != getattr(self.settings, name)}
        if changed - set(KEEPS_WEIGHTS):
            self.begin(given)
        elif changed:
            self.change_training(given)
        return self.view()

    def for_other_data(self, given: Settings, asked: dict[str, Any]) -> Settings:
        """Return settings with the usual noise, features and loss of another data set, unless they were asked for."""
        kind = GENERATED.get(given.data)
        if kind is not None and "noise" not in asked:
            given = replace(given, noise=kind.noise)
        if "features" not in asked:
            usual = self.own.features if self.own is not None and kind is None else ("x1", "x2")
            given = replace(given, features=usual)
        return given if "loss" in asked else replace(given, loss=AUTOMATIC)

    def reset(self) -> dict[str, Any]:
        """Return to the initial weights."""
        self.begin(self.settings)
        return self.view()

    def view(self) -> dict[str, Any]:
        """Return everything that the page shows: settings, data, network, and the present frame."""
        return {
            "settings": self.settings.to_json(),
            "data": self.data_view(),
            "network": self.network_view(),
            "frame": self.frame(),
        }

    def data_view(self) -> dict[str, Any]:
        """Return the data for the page: points, labels, names, and the ends of the plane."""
        data, plane = self.data, self.plane
        return {
            "name": data.name, "words": data.words, "columns": list(data.columns), "classes": list(data.classes),
            "features": list(data.features), "offered": list(data.offered), "training": data.training,
            "rows": len(data.y), "axes": list(plane.axes), "low": plane.low.tolist(), "high": plane.high.tolist(),
            "points": encoded(data.raw[:, list(plane.axes)].astype(np.float32)),
            "targets": encoded(data.y.astype(np.float32)), "image_side": data.side,
            "target_range": list(self.scale()),
        }  # fmt: skip

    def network_view(self) -> dict[str, Any]:
        """Return the structure of the network for the drawing."""
        model = self.run.model
        widths = [layer.units for layer in self.settings.hidden]
        return {
            "inputs": list(self.data.features),
            "hidden": [{"units": units, "W": f"W{k}"} for k, units in enumerate(widths, start=1)],
            "outputs": self.output_names(),
            "loss": repr(model.loss),
            "parameters": int(model.theta.size),
            "description": model.summary(),
            "side": SIDE,
            "unit_side": UNIT_SIDE,
            "input_maps": encoded(signed_bytes(thinned(self.plane.inputs))),
        }

    def output_names(self) -> list[str]:
        """Return the names of the outputs."""
        if self.run.model.n_out == len(self.data.classes):
            return list(self.data.classes)
        return ["p"] * self.run.model.n_out

    def scale(self) -> tuple[float, float]:
        """Return the ends of the scale of predictions: 0 and 1 for classes, the range of the targets for numbers."""
        if self.data.classes:
            return 0.0, 1.0
        return float(self.data.y.min()), float(self.data.y.max())

    # -- actions: training -------------------------------------------------------------------

    def frame(self) -> dict[str, Any]:
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
            "step": run.state.step, "epoch": run.epoch, "batch": run.batch, "batches": len(run.batches),
            "measured": [number(value) for value in run.course[here].measured], "latest": last.step, "moment": here,
            "weights": weights, "maps": self.maps.draw(*self.scale()), "course": encoded(course),
            "moments": len(run.course), "rate": run.rate.at(run.state.step), "stopped": run.stopped,
        }  # fmt: skip

    def advance(self, steps: int) -> dict[str, Any]:
        """Make some steps, fewer if they are large; return the new frame."""
        work = float(self.run.model.theta.size) * float(self.run.batches.bounds[0, 1]) * 6
        allowed = max(int(MOST_WORK / max(work, 1)), 1)
        self.leave_walk()
        self.run.advance(min(steps, allowed, MOST_STEPS))
        return self.frame()

    def epoch(self) -> dict[str, Any]:
        """Make the steps to the end of this epoch; return the new frame."""
        return self.advance(self.run.steps_to_epoch())

    def travel(self, moment: int) -> dict[str, Any]:
        """Return to a moment of the run; training continues from there."""
        if moment >= len(self.run.course):
            raise InputError(f"The run has {len(self.run.course)} moments, counted from 0; there is no {moment}.")
        self.leave_walk()
        self.run.go_to(moment)
        return self.frame()

    # -- actions: inspection -----------------------------------------------------------------

    def choose_row(self, row: int) -> dict[str, Any]:
        """Choose the training row that equations show."""
        if row >= self.data.training:
            raise InputError(f"There are {self.data.training} training rows, counted from 0; there is no row {row}.")
        self.row, self.walk = row, None
        return {"row": row, **self.row_view()}

    def row_view(self) -> dict[str, Any]:
        """Return the inputs, the target and the prediction of the chosen row."""
        x = self.run.training.X[[self.row]]
        p = self.run.model.outputs(np.asarray(x), engine="reference")[0]
        label = self.data.y[self.row]
        target = self.data.classes[int(label)] if self.data.classes else float(label)
        return {"inputs": np.asarray(x)[0].tolist(), "target": target, "prediction": [number(v) for v in p.tolist()]}

    def statement(self, index: int, unit: int) -> dict[str, Any]:
        """Return one statement of the next step, with its numbers; no weight changes."""
        if self.walk is None or self.walk.step != self.run.state.step or self.walk.runner.unit != unit:
            self.walk = Walk(self.run, self.row_in_batch(), unit)
        if index >= len(self.walk.statements):
            raise InputError(f"The step has {len(self.walk.statements)} statements; there is no statement {index}.")
        return self.walk.describe(index)

    def row_in_batch(self) -> int:
        """Return the position of the chosen row in the next batch; 0 if it is not in it."""
        X = np.asarray(self.run.peek()["X"])
        same = np.flatnonzero((np.asarray(self.run.training.X[[self.row]]) == X).all(axis=1))
        return int(same[0]) if len(same) else 0

    def leave_walk(self) -> None:
        """Forget the statements that were run ahead."""
        self.walk = None

    def weight(self, name: str, index: list[int]) -> dict[str, Any]:
        """Return everything about one weight: gradient, objective as its function, its course, and its paths."""
        return self.inspection().weight(checked_entry(self.run, name, index))

    def set_weight(self, name: str, index: list[int], value: float, final: bool) -> dict[str, Any]:
        """Set one weight; return the new frame and the gradient.  ``final`` ends a drag and records the moment."""
        entry = checked_entry(self.run, name, index)
        self.leave_walk()
        self.run.set_entry(name, entry.index, value)
        self.run.course[-1:] = [] if self.run.course[-1].step == self.run.state.step else self.run.course[-1:]
        self.run.record()
        found = {"frame": self.frame(), "weight": self.inspection().weight_now(entry)}
        return {**found, "details": self.weight(name, index)} if final else found

    def unit(self, layer: int, unit: int) -> dict[str, Any]:
        """Return the statements of one unit, with the numbers of the chosen row."""
        return {**self.inspection().unit(layer, unit), **self.row_view()}

    def loss(self) -> dict[str, Any]:
        """Return the statements of the loss, with the numbers of the chosen row."""
        return {**self.inspection().loss(), **self.row_view()}

    def inspection(self) -> Inspection:
        """Return the values of all training rows, to inspect."""
        return Inspection(self.run, self.row)
