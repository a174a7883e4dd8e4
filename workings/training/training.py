"""Training: the loop around the step.

It cuts the data into batches, draws orders and masks from the network's seed, asks the schedule for
the learning rate, hands stretches of steps to an engine, records each epoch, and lets the callbacks
look on.  A run that meets a number that is not finite stops and says where it came from; Ctrl-C ends
a run and keeps what was learned.
"""

from __future__ import annotations

import functools
import math
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from workings.engines.choice import ENGINES, WORTH_COMPILING, choose
from workings.engines.compiled.engine import CompiledEngine
from workings.engines.contract import Engine, Stretch
from workings.engines.reference import ReferenceEngine, Tracer
from workings.errors import DivergenceError, InputError, NotCompilableError, unknown_name
from workings.metrics import METRICS, Metric
from workings.model.model import Model
from workings.model.targets import Targets, balanced, most_probable, second_label
from workings.optimizers import LBFGS, Part, checked_optimizer
from workings.program.program import Program
from workings.schedules import Constant, OnPlateau, positive_rate
from workings.support.arrays import Array, as_features, as_random, describe, put_state, same_length, state_of
from workings.support.sparse import SparseRows, dense
from workings.training.background import Aside
from workings.training.callbacks import Callback
from workings.training.epoch_blocks import Together
from workings.training.evaluation import Measuring, Rows
from workings.training.history import History, not_recorded
from workings.training.lbfgs import minimize

NUMBERS_AT_A_TIME = 2**22  # of X, and of masks, that are put in order and drawn at a time (32 MB in float64)
Validation = tuple[ArrayLike, ArrayLike] | float | None
Labels = Mapping[Any, float] | str | None
FirstLook = Callable[["Training"], Any]  # examines a training before its first step; gives its diagnosis


class Moment(NamedTuple):
    """All that steps change, at some time."""

    values: dict[str, Array]
    step: int
    lr: float
    order: Array | None
    generator: Any


def fit(
    network: Model,
    X: ArrayLike,
    y: ArrayLike,
    *,
    optimizer: Part | LBFGS,
    epochs: int,
    batch_size: int | None = 32,
    shuffle: bool = True,
    validation: Validation = None,
    sample_weight: ArrayLike | None = None,
    class_weight: Labels = None,
    metrics: Sequence[str] | Mapping[str, Metric] = (),
    callbacks: Sequence[Callback] = (),
    running_loss: bool = False,
    engine: str = "auto",
    first_look: FirstLook | None = None,
) -> History:
    """Train a model and give the history; see :meth:`workings.Network.fit`."""
    return Training(
        network, X, y, optimizer=optimizer, epochs=epochs, batch_size=batch_size, shuffle=shuffle,
        validation=validation, sample_weight=sample_weight, class_weight=class_weight, metrics=metrics,
        callbacks=callbacks, running_loss=running_loss, engine=engine, first_look=first_look,
    ).run()  # fmt: skip


class Training:
    """A training under way: what callbacks see.

    Attributes
    ----------
    network : Model
    history : History
    epoch, epochs : int
        The epoch under way, from 0, and how many there are to be.
    ran : range
        The epochs that have been run since callbacks were told of the last; several, where none asks for each.
    step : int
        How many steps have been made.
    stopped : str
        Why training is to end after this epoch; empty while it goes on.
    """

    worth_compiling: ClassVar[float] = WORTH_COMPILING  # seconds that compiled code must save to be taken unasked
    validation_name: ClassVar[str] = "validation"  # what people call it, for error messages
    metrics_name: ClassVar[str] = "metrics"  # likewise; empty where people cannot ask for them
    order: Array | None = None  # of the last epoch's rows, where the next order follows from it
    program: Program
    values: dict[str, Array]
    engine: Engine
    batches: Array
    measuring: Measuring
    aside: Aside
    passes_for_loss: bool

    def __init__(
        self,
        network: Model,
        X: ArrayLike,
        y: ArrayLike,
        *,
        optimizer: Part | LBFGS,
        epochs: int,
        batch_size: int | None,
        shuffle: bool,
        validation: Validation,
        sample_weight: ArrayLike | None,
        class_weight: Labels,
        metrics: Sequence[str] | Mapping[str, Metric],
        callbacks: Sequence[Callback],
        running_loss: bool,
        engine: str,
        first_look: FirstLook | None = None,
    ) -> None:
        """Check everything; the network learns nothing of a training that is refused."""
        self.network, self.optimizer = network, checked_optimizer(optimizer)
        self.epochs = whole_number(epochs, "epochs")
        self.metrics, self.callbacks = chosen_metrics(metrics), checked_callbacks(callbacks)
        self.schedule: Any = getattr(self.optimizer, "schedule", None)
        if engine not in ENGINES:
            raise unknown_name("engine", engine, ENGINES)
        self.set_data(X, y, sample_weight, class_weight, validation)
        self.batch_size = len(self.X) if batch_size is None else whole_number(batch_size, "batch_size")
        self.batches = cut(len(self.X), self.batch_size)
        self.shuffle = shuffle and len(self.batches) > 1
        self.check_batches()
        self.passes_for_loss = len(self.batches) > 1 and not running_loss  # the steps do not give it
        network.targets = self.targets  # nothing is refused any more
        self.history = History()
        self.epoch, self.step, self.stopped, self.lr = 0, 0, "", math.nan
        self.plateau: dict[str, Any] = {}
        self.result: Any = None  # what SciPy says of L-BFGS at its end
        looks = bool(self.metrics) or self.validation is not None
        self.measuring = Measuring(network, self.targets, self.metrics, looks)
        self.aside, self.is_measured_aside = Aside(), False
        self.make_engine(engine)
        deciding = any(c.every_epoch or c.looks_back for c in self.callbacks)  # what only looks on needs no mention
        given = {"validation": self.validation is not None, "sample_weight": sample_weight is not None,
                 "metrics": bool(metrics), "callbacks": deciding, "running_loss": running_loss}  # fmt: skip
        self.note_beginning(batch_size, shuffle, class_weight, sample_weight, given)
        self.history.diagnosis = None if first_look is None else first_look(self)
        self.good = dict(self.values)
        self.together = Together(self)

    def note_beginning(
        self,
        batch_size: int | None,
        shuffle: bool,
        class_weight: Labels,
        sample_weight: ArrayLike | None,
        given: Mapping[str, bool],
    ) -> None:
        """Note the settings and the first parameters in the history, for whoever asks later what went wrong."""
        self.history.settings = {
            "optimizer": self.optimizer, "epochs": self.epochs, "batch_size": batch_size, "shuffle": shuffle,
            "class_weight": class_weight if class_weight is None or isinstance(class_weight, str) else {**class_weight},
            "sample_weight": None if sample_weight is None else np.array(sample_weight),
            "given": tuple(name for name, is_given in given.items() if is_given),
        }  # fmt: skip
        if self.network.is_fresh:
            beginning = {**self.network.parameters, **self.network.statistics}
            self.history.begun = {name: value.copy() for name, value in beginning.items()}

    def set_data(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, class_weight: Labels, validation: Validation
    ) -> None:
        """Check the rows, weigh them, put those for validation aside, and leave out those that count nothing."""
        self.network.targets.check_variety(y)
        self.X, self.y, w = self.network.prepare(X, y, sample_weight)
        self.targets = self.network.targets.learn(y)
        self.w = combined_weights(w, class_weight, self.y, self.targets)
        self.validation: Rows | None = None
        self.set_validation(validation)
        if self.w is not None:
            counted = self.w[:, 0] > 0
            self.X, self.y, self.w = self.X[counted], self.y[counted], self.w[counted]
        self.rows = Rows(self.X, self.y, self.w)

    def set_validation(self, validation: Validation) -> None:
        """Check validation rows, or draw them out of the training rows."""
        if validation is None:
            return
        if isinstance(validation, tuple) and len(validation) == 2:
            features = as_features(validation[0], self.network.dtype, self.network.n_in, "validation X")
            features = features if isinstance(self.X, SparseRows) else dense(features)  # both for one engine
            same_length(features, np.asarray(validation[1]), "validation y")
            try:
                self.validation = Rows(features, self.targets.encode(validation[1], self.network.dtype))
            except InputError as error:
                raise InputError(f"In the validation data, {error}") from error
            return
        n = len(self.X)
        if isinstance(validation, bool) or not isinstance(validation, float) or not 0 < validation < 1:
            raise InputError(f"validation must be (X, y) or a share between 0 and 1, not {describe(validation)}.")
        held = round(n * validation)
        if not 0 < held < n:
            raise InputError(f"A validation share of {validation:g} of {n} rows leaves {held} to validate on.")
        order = self.network.rng.permutation(n)
        out, kept = order[:held], np.sort(order[held:])
        self.validation = Rows(self.X[out], self.y[out])
        self.X, self.y, self.w = self.X[kept], self.y[kept], None if self.w is None else self.w[kept]

    @functools.cached_property
    def fingerprint(self) -> str:
        """A short text that changes with the data and the batches, for checkpoints."""
        crc = 0
        for array in (self.X, self.y, self.w):
            crc = crc if array is None else zlib.crc32(array.tobytes(), crc)
        return f"{len(self.X)} rows in batches of {self.batch_size}, shuffle={self.shuffle}, {crc:08x}"

    def check_batches(self) -> None:
        """Refuse batches that are too small for a layer."""
        smallest = int((self.batches[:, 1] - self.batches[:, 0]).min())
        self.network.check_rows(
            smallest,
            f"with {len(self.X)} rows and batch_size={self.batch_size} the last batch has {smallest}; "
            "choose another batch_size",
        )

    def make_engine(self, wanted: str) -> None:
        """Write the program of a step and make the engine that runs it.

        Steps need no J where the history measures it in a pass of its own.
        """
        network, weighted, without_J = self.network, self.w is not None, self.passes_for_loss
        if isinstance(self.optimizer, LBFGS):  # SciPy makes the steps
            if wanted == "compiled":
                raise InputError("L-BFGS is run by SciPy, which asks for gradients: it cannot be compiled.")
            self.program = network.step_program(weighted=weighted)
            self.values, self.history.engine = network.start_values(self.program), "reference (SciPy makes the steps)"
            return
        key = ("step", *self.optimizer.identity, weighted, without_J)

        def write() -> tuple[Program, Program]:
            program = network.step_program(self.optimizer, weighted=weighted)  # type: ignore[arg-type]
            return program, program.needed_for(*program.carried) if without_J else program

        self.program, steps = network.runner(key, write)
        self.values = network.start_values(self.program)
        rows = min(self.batch_size, len(self.X))
        name, why = choose(
            wanted, steps, self.values, rows, self.epochs * len(self.batches), self.worth_compiling,
            is_sparse=isinstance(self.X, SparseRows),
        )  # fmt: skip
        if name == "compiled":
            try:
                self.engine = self.compiled_engine(key, steps)
            except NotCompilableError as error:
                if wanted == "compiled":
                    raise
                name, why = "reference", str(error)
        if name == "reference":
            self.engine = network.runner((*key, name), lambda: ReferenceEngine(steps))
        self.history.engine = f"{name} ({why})"

    def compiled_engine(self, key: tuple[Any, ...], steps: Program) -> CompiledEngine:
        """The compiled engine for some steps; what is measured is compiled, too.

        Raises
        ------
        NotCompilableError
            If something cannot be compiled.
        """
        outputs = self.chosen_by_steps()
        program = self.measuring.choosing(steps) if outputs else steps
        engine: CompiledEngine = self.network.runner(
            (*key, "compiled", outputs), lambda: CompiledEngine(program, outputs)
        )
        engine.source(self.example(), self.values)
        ours = all(metric in METRICS.values() for metric in self.metrics.values())  # others are called by one thread
        self.is_measured_aside = ours and not engine.shares
        measured = [Rows(self.X, self.y), self.rows, *([] if self.validation is None else [self.validation])]
        self.measuring.compile({rows.w is not None: rows for rows in measured}, self.kept_now())
        return engine

    def chosen_by_steps(self) -> tuple[str, ...]:
        """What compiled steps give for the metrics on the training rows, if they predict as the network does.

        A step with all rows begins with the predictions at the end of the epoch before.
        """
        is_inference = len(self.batches) == 1 and not self.program.draws and not self.network.statistics
        return self.measuring.outputs if self.metrics and is_inference else ()

    def example(self) -> Stretch:
        """A stretch as the engine is going to get them, as far as its structure goes."""
        order = np.zeros(len(self.X), np.int64) if self.shuffle else None
        draws = self.network.draw(1, as_random(0))
        return Stretch(self.X, self.y, self.batches, np.zeros(1), 1, order, self.w, draws)

    def kept_now(self) -> dict[str, Array]:
        """The parameters and statistics of the network as they are, as if kept of one epoch."""
        return {name: self.values[name][None] for name in (*self.network.parameters, *self.network.statistics)}

    # -- the loop --------------------------------------------------------------------------

    def run(self) -> History:
        """Train until all epochs are done, or something ends it."""
        began = time.perf_counter()
        self.network.is_fresh = False
        try:
            self.tell("on_train_begin")
            if isinstance(self.optimizer, LBFGS):
                self.result = minimize(self, self.optimizer)
            else:
                with self.aside:
                    self.run_epochs()
            self.history.stopped = self.stopped or f"all {self.epochs} epochs done"
        except KeyboardInterrupt:
            self.network.keep(self.values)
            self.history.stopped = f"interrupted in epoch {self.epoch}"
        finally:
            self.history.seconds = time.perf_counter() - began
            self.network.history = self.history
            self.tell("on_train_end")
        return self.history

    def run_epochs(self) -> None:
        """Go on from ``self.epoch`` until the last epoch, or until something says stop."""
        done = self.epoch
        while done < self.epochs:
            if self.stopped:
                return
            self.epoch = done
            self.together.begin()
            self.tell("on_epoch_begin")
            looks = (callback.next_look(done + 1) for callback in self.callbacks)
            most = self.epochs - done - 1  # so that the last epoch knows its beginning
            most = min(self.together.next_epochs(), most, *(look - done for look in looks))
            if most < 2 or not self.together.run(most):
                self.run_epoch()
            self.tell("on_epoch_end")
            done = self.epoch + 1
        self.check_end()

    def run_epoch(self) -> None:
        """Run one epoch and record it."""
        loss = self.objective_now() if self.passes_for_loss else None
        began, self.good = time.perf_counter(), dict(self.values)
        _, kept, chosen = self.together.rooms_for(1)
        objectives = np.concatenate([self.run_stretch(stretch) for stretch in self.stretches(1, kept, chosen)])
        self.network.keep(self.values)
        self.finish_epoch(self.mean_objective(objectives) if loss is None else loss)
        self.together.adapt(1, time.perf_counter() - began)

    @property
    def divisor(self) -> float:
        """What the objective is divided by, for the loss that people are told."""
        return self.network.loss.divisor(len(self.X))

    def mean_objectives(self, objectives: Array) -> Array:
        """The objectives that the steps of each epoch met, of shape (epochs, steps), each counted by its rows."""
        if len(self.batches) == 1:
            return objectives[:, 0]
        return np.array([self.mean_objective(of_epoch) for of_epoch in objectives])

    def mean_objective(self, objectives: Array) -> float:
        """The objective that the steps of an epoch met, each counted by its rows."""
        if len(self.batches) == 1 or self.network.loss.reduction == "sum":
            return math.fsum(objectives)
        return math.fsum((self.batches[:, 1] - self.batches[:, 0]) * objectives) / len(self.X)

    @property
    def ran(self) -> range:
        """The epochs that have been run since callbacks were told of the last."""
        return self.together.ran

    def parameters_at(self, epoch: int, *, at_its_end: bool = True) -> dict[str, Array]:
        """A copy of the parameters and statistics at the end, or the beginning, of one of the epochs ``ran``."""
        return self.together.parameters_at(epoch, at_its_end=at_its_end)

    def moment(self) -> Moment:
        """All that steps change, as it is."""
        return Moment(dict(self.values), self.step, self.lr, self.order, self.generator_state())

    def put_back(self, moment: Moment) -> None:
        """Put everything back as it was."""
        self.values, self.step, self.lr, self.order = dict(moment.values), moment.step, moment.lr, moment.order
        self.set_generator(moment.generator)

    def generator_state(self) -> Any:
        """The state of the source of random numbers; None where nothing is drawn."""
        return state_of(self.network.rng) if self.is_drawn else None

    def set_generator(self, state: Any) -> None:
        """Put the source of random numbers back into a state."""
        if state is not None:
            put_state(self.network.rng, state)

    def check_end(self) -> None:
        """Make sure that the last step led to numbers that can be used; large ones must still give an objective."""
        bound = math.sqrt(float(np.finfo(self.X.dtype).max))
        if not all(np.abs(value).max(initial=0) < bound for value in self.values.values()):
            self.objective_now()

    def objective_now(self) -> float:
        """The objective on all training rows, which must be finite."""
        J = float(self.measuring.look(self.rows, self.kept_now())[0][0])
        if not np.isfinite(J):
            self.lost_between_steps(J, self.good)
        return J

    def finish_epoch(self, loss: float) -> None:
        """Record an epoch that began with the objective ``loss``."""
        measured = {name: values[0] for name, values in self.measured(self.kept_now()).items()}
        self.history.add(loss=loss / self.divisor, **measured, **self.rate_now())
        if isinstance(self.schedule, OnPlateau):
            monitor = self.schedule.monitor
            if monitor not in self.history:
                raise self.not_recorded("OnPlateau", monitor)
            self.plateau = self.schedule.follow(self.plateau, self.history[monitor][-1])

    def not_recorded(self, owner: str, monitor: str) -> InputError:
        """Make the error for a monitor that the history has no column for."""
        return not_recorded(owner, monitor, self.history, self.validation_name, self.metrics_name)

    def measured(self, values: Mapping[str, Array], chosen: Array | None = None) -> dict[str, Array]:
        """The metrics on the training rows, loss and metrics on the validation rows, at values of one epoch or several.

        ``chosen`` is what was chosen of the training rows, where it is known.
        """
        found: dict[str, Array] = {}
        if self.metrics:
            chosen = self.measuring.look(self.rows, values)[1] if chosen is None else chosen
            found = self.measuring.metrics_of(self.rows, chosen, self.metrics)
        if self.validation is not None:
            of_validation = self.measuring.measured(self.validation, values, self.measuring.for_validation())
            found |= {f"val_{name}": value for name, value in of_validation.items()}
        return found

    def run_stretch(self, stretch: Stretch) -> Array:
        """Have the engine run some steps; find the culprit if a number is not finite."""
        before = dict(self.values)
        objectives = self.advance(stretch)
        if not self.is_finite(objectives):
            self.diverged(stretch, before)
        return objectives

    def advance(self, stretch: Stretch) -> Array:
        """Have the engine run some steps, whatever they lead to."""
        objectives = np.asarray(self.engine.run(stretch, self.values))
        self.step, self.lr = self.step + len(stretch.batches), float(stretch.lr[-1])
        return objectives

    def is_finite(self, objectives: Array) -> bool:
        """Whether steps with these objectives, or without any, have led to numbers that are finite."""
        return all(np.isfinite(value).all() for value in ([objectives] if len(objectives) else self.values.values()))

    def stretches(self, epochs: int, kept: Mapping[str, Array], chosen: Mapping[str, Array]) -> Iterator[Stretch]:
        """Cut some epochs into stretches of steps, so that what is put in order and drawn fits in memory.

        What each epoch leads to is kept, and what single steps choose is written, where there is room for it.
        """
        for these, which in self.cuts(epochs):
            batches = self.batches[which]
            drawn = [self.drawn(batches) for _ in these] if self.is_drawn else []
            start, stop = int(batches[0, 0]), int(batches[-1, 1])
            bounds = np.tile(batches - start, (len(these), 1))
            if self.shuffle:
                bounds += np.repeat(np.arange(len(these)) * (stop - start), len(batches))[:, None]
            places = np.full((len(these), len(batches)), -1)
            places[:, -1] = np.arange(these.start, these.stop) if stop == len(self.X) else -1
            rows = self.rows if self.shuffle else self.rows.taken(slice(start, stop))
            yield Stretch(
                *rows[:2], bounds, self.rates(len(bounds)), self.step + 1, w=rows.w,
                order=np.concatenate([order for order, _ in drawn]) if self.shuffle else None,
                draws={name: np.concatenate([draws[name] for _, draws in drawn]) for name in self.program.draws},
                kept=kept, kept_at=places.ravel(),
                outputs={name: array[these.start : these.stop] for name, array in chosen.items()},
            )  # fmt: skip

    def cuts(self, epochs: int) -> Iterator[tuple[range, slice]]:
        """Which epochs, and which of their batches, make a stretch: several epochs, or a part of one."""
        steps, most = len(self.batches), max(NUMBERS_AT_A_TIME // (self.numbers_of_row * self.batch_size), 1)
        if not self.is_drawn:
            most, several = steps, epochs
        else:  # masks belong to positions of the order
            several = max(most // steps, 1) if self.shuffle else 1
        for first in range(0, epochs, several):
            for begin in range(0, steps, most):
                yield range(first, min(first + several, epochs)), slice(begin, begin + most)

    @functools.cached_property
    def numbers_of_row(self) -> int:
        """How many numbers a row has, with its masks."""
        return int(self.X.shape[1]) + sum(mask.size for mask in self.network.draw(1, as_random(0)).values())

    @property
    def is_drawn(self) -> bool:
        """Whether anything about the steps is drawn: the order of the rows, or masks."""
        return self.shuffle or bool(self.program.draws)

    def drawn(self, batches: Array) -> tuple[Array | None, dict[str, Array]]:
        """Draw the order of some batches' rows, and their masks, one batch after the other."""
        if self.shuffle and batches[0, 0] == 0:
            self.order = self.next_order()
        order = None if self.order is None else self.order[batches[0, 0] : batches[-1, 1]]
        draws = [self.network.draw(stop - start) for start, stop in batches.tolist()] if self.program.draws else []
        return order, {name: np.concatenate([drawn[name] for drawn in draws]) for name in self.program.draws}

    def next_order(self) -> Array:
        """Draw the order of the rows for an epoch."""
        return self.network.rng.permutation(len(self.X))

    def rate(self, t: int) -> float:
        """The learning rate of step ``t``, from 0."""
        rate = self.plateau.get("lr") if self.plateau else None
        rate = self.schedule(t) if rate is None else rate
        if not 0 <= rate < math.inf:
            raise InputError(f"{self.schedule!r} gives the learning rate {rate!r} at step {t}: it must be positive.")
        return float(rate)

    def rates(self, steps: int) -> Sequence[float] | Array:
        """The learning rates of the next steps."""
        if isinstance(self.schedule, Constant):
            return np.full(steps, self.rate(self.step))
        return [self.rate(self.step + i) for i in range(steps)]

    def rate_now(self) -> dict[str, float]:
        """The learning rate of the last step, for the history."""
        return {} if isinstance(self.optimizer, LBFGS) else {"lr": self.lr}

    def set_rate(self, lr: float) -> None:
        """Take another learning rate from the next step on, whatever the schedule says."""
        self.plateau = {**self.plateau, "lr": positive_rate(lr)}

    def stop(self, reason: str, after: int | None = None) -> None:
        """End training after this epoch, or after one of those ``ran``."""
        self.stopped = reason
        if after is not None:
            self.together.go_back(after)

    def tell(self, moment: str) -> None:
        """Tell every callback what the moment is."""
        for callback in self.callbacks:
            getattr(callback, moment)(self)

    def diverged(self, stretch: Stretch, before: Mapping[str, Array]) -> NoReturn:
        """Run the steps again one by one, find the first name that is not finite, and say so."""
        values, tracer = dict(before), Tracer(self.program)
        for index in range(len(stretch.batches)):
            trace = tracer({**values, **one_batch(stretch, index)})
            name = trace.first_not_finite()
            if name is not None:
                break
            values.update(trace.after)
        step = stretch.first_step + index
        where = f"at step {step} (epoch {self.epoch}), {first_lost(self.program, name)}"
        is_used = step > 1 or name in self.program.carried
        self.fail(name or "J", step, where, values, advice(float(stretch.lr[index]), is_used))

    def lost_between_steps(self, J: float, last: Mapping[str, Array]) -> NoReturn:
        """Find the first name that is not finite on all rows, where J is not, and say so."""
        program = self.network.inference_program(weighted=self.w is not None)
        X, y, w = self.rows
        name = Tracer(program)({**self.values, "X": X, "y": y, "w": w, "n": len(X)}).first_not_finite()
        when = f"after step {self.step}" if self.step else "before the first step"
        rate = None if isinstance(self.optimizer, LBFGS) else self.lr if self.step else self.rate(0)
        what = f"{when} the objective J was {J:g}: {first_lost(program, name)}"
        self.fail(name or "J", self.step, what, last, advice(rate, is_used=self.step > 0))

    def fail(self, name: str, step: int, what: str, last: Mapping[str, Array], change: str) -> NoReturn:
        """Put the last finite parameters back and say where the numbers ended."""
        self.network.keep(last)
        when = f"at step {step}" if step else "before the first step"
        self.history.stopped = f"diverged {when}: {name} was the first that was not finite"
        raise DivergenceError(
            f"Training diverged: {what}. {change} The network has its last finite parameters.",
            name=name, step=step, history=self.history,
        )  # fmt: skip


def first_lost(program: Program, name: str | None) -> str:
    """Which value was the first that was not finite, and where it is computed; J, where that cannot be told."""
    statement = next((s for s in program.statements if s.target == name), None)
    where = f", in `{statement}` ({statement.part})" if statement else ""
    return f"{name or 'J'} was the first value that was not finite{where}"


def advice(rate: float | None, is_used: bool) -> str:
    """What to change: the learning rate only where a step has been made with it."""
    if is_used and rate is not None:
        return (f"The learning rate was {rate:g}: try {rate / 10:g}, scale the inputs to about -1..1, or put "
                "ClipByNorm(1.0) before the optimizer.")  # fmt: skip
    innocent = "" if rate is None else f" with the learning rate that was asked for, {rate:g}"
    return (f"No update had been made yet{innocent}: scale the inputs and the targets to about -1..1, or begin with "
            "smaller weights.")  # fmt: skip


def cut(rows: int, batch_size: int) -> Array:
    """Where the batches begin and end, of shape (batches, 2)."""
    begins = np.arange(0, rows, batch_size)
    return np.column_stack([begins, np.minimum(begins + batch_size, rows)])


def one_batch(stretch: Stretch, index: int) -> dict[str, Any]:
    """What one step of a stretch is given."""
    start, stop = map(int, stretch.batches[index])
    rows = slice(start, stop) if stretch.order is None else stretch.order[start:stop]
    given: dict[str, Any] = {"X": stretch.X[rows], "y": stretch.y[rows], "n": stop - start}
    given["w"] = None if stretch.w is None else stretch.w[rows]
    given |= {name: array[start:stop] for name, array in stretch.draws.items()}
    return given | {"lr": float(stretch.lr[index]), "t": stretch.first_step + index}


def whole_number(value: Any, name: str) -> int:
    """Refuse what is not a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(f"{name} must be a whole number from 1, not {describe(value)}.")
    return int(value)


def checked_callbacks(callbacks: Any) -> tuple[Callback, ...]:
    """Refuse what is not a list of callbacks; put those that may go back first, and checkpoints last.

    So all others see only epochs that stay, and checkpoints see what the others have done.
    """
    if isinstance(callbacks, Callback) or not isinstance(callbacks, Sequence):
        raise InputError(f"callbacks is a list, such as [EarlyStopping()], not {describe(callbacks)}.")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise InputError(
                f"callbacks holds {describe(callback)}, which is no callback: derive it from workings.Callback."
            )
    return tuple(sorted(callbacks, key=lambda callback: callback.runs_last - callback.looks_back))


def chosen_metrics(metrics: Sequence[str] | Mapping[str, Metric]) -> dict[str, Callable[..., float]]:
    """Look metrics up by name."""
    if isinstance(metrics, Mapping):
        for name in ("loss", "lr"):
            if name in metrics:
                raise InputError(f"A metric cannot be called {name!r}: the history has a column of this name.")
        return dict(metrics)
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    for name in names:
        if name not in METRICS:
            raise unknown_name("metric", name, METRICS)
    return {name: METRICS[name] for name in names}


def combined_weights(w: Array | None, class_weight: Labels, encoded: Array, targets: Targets) -> Array | None:
    """One weight for each row, of the sample weights and the class weights."""
    if class_weight is None:
        return w
    if not targets.has_labels or targets.classes is None:
        raise InputError("class_weight needs targets that are labels, one for each row.")
    labels = targets.classes.tolist()
    index = most_probable(encoded) if targets.kind == "classes" else second_label(encoded)
    if class_weight == "balanced":
        by_class = balanced(np.bincount(index, minlength=len(labels)))
    elif isinstance(class_weight, Mapping):
        for label in class_weight:
            if label not in labels:
                raise unknown_name("label in class_weight", label, map(str, labels))
        given = [class_weight.get(label, 1.0) for label in labels]
        numbers = all(isinstance(value, (int, float, np.number)) for value in given)
        by_class = np.array(given, dtype=np.float64) if numbers else np.array([np.nan])
        if not (np.isfinite(by_class).all() and (by_class >= 0).all() and by_class.any()):
            raise InputError(f"class_weight must hold numbers from 0, not all 0; it is {dict(class_weight)!r}.")
    else:
        raise InputError(
            f'class_weight must be None, "balanced" or a dict of label to weight, not {describe(class_weight)}.'
        )
    weights: Array = by_class[index].reshape(-1, 1).astype(encoded.dtype)
    return weights if w is None else weights * w
