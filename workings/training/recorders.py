"""Recorders: callbacks that record parameters, activations and gradients during training.

``Snapshots`` records the parameters; ``Signals`` records statistics of activations and gradients on fixed
rows.  Both record at the start of selected epochs and at the end of training.  The epochs are evenly spaced,
or close together at first and further apart later, because networks learn fastest at first.  The epochs
between them still run in blocks.  All values come from traces of the network.
"""

from __future__ import annotations

import bisect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError, count_of
from workings.program.program import Program
from workings.program.trace import Trace
from workings.support.arrays import Array, as_random, describe
from workings.support.notebook import Readable, preformatted_html
from workings.support.ranges import as_plain, as_whole_number
from workings.training.callbacks import Callback, RunningTraining
from workings.training.history import History, svg_of

if TYPE_CHECKING:
    from workings.model.model import Model

QUANTILES = {"5 %": 0.05, "25 %": 0.25, "50 %": 0.5, "75 %": 0.75, "95 %": 0.95}
SATURATED = 0.05  # a unit is saturated if its activation passes on less than this share of the gradient


def spaced_epochs(epochs: int, count: int = 60) -> list[int]:
    """Choose epochs from 0 to ``epochs``, close together at first and further apart later.

    Parameters
    ----------
    epochs : int
        The last epoch.
    count : int
        The number of epochs to choose; all of them if there are fewer.

    Returns
    -------
    list of int

    Examples
    --------
    >>> spaced_epochs(1000, 8)
    [0, 1, 6, 18, 50, 138, 372, 1000]
    """
    count = max(min(count, epochs + 1), 2)
    chosen = np.maximum(np.geomspace(1, epochs + 1, count).astype(np.int64) - 1, np.arange(count))
    return [*chosen[:-1].tolist(), epochs]


class Recorder(Readable, Callback):
    """Base class of ``Snapshots`` and ``Signals``: choose the epochs to record.

    Parameters
    ----------
    every : int, optional
        Record every ``every`` epochs; by default ``count`` epochs are chosen, closer together at first.
    count : int
        The number of records, if ``every`` is not given.
    """

    only_observes = True
    every_epoch = False
    epochs: list[int]

    def __str__(self) -> str:
        if not self.epochs:
            return f"{type(self).__name__}: nothing recorded; pass it to fit(…, callbacks=[…])"
        span = f"from {self.epochs[0]} to {self.epochs[-1]:,}"
        return f"{type(self).__name__} of {count_of(len(self.epochs), 'epoch')}, {span}"

    def _repr_html_(self) -> str:
        """What was recorded, with curves by record, for a notebook."""
        return preformatted_html(self) + svg_of(self.curves())

    def curves(self) -> dict[str, list[float]]:
        """Return what a notebook draws."""
        return {}

    def __init__(self, *, every: int | None = None, count: int = 60) -> None:
        for name, value, least in (("every", every, 1), ("count", count, 2)):
            number = as_whole_number(value)
            if value is not None and (number is None or number < least):
                raise InputError(f"{name} must be a whole number from {least}, not {describe(value)}.")
        self.every, self.count = as_plain(every), as_plain(count)
        self.reset()

    def reset(self) -> None:
        """Delete all records."""
        self.epochs: list[int] = []
        self.scheduled: list[int] = []

    def on_train_begin(self, training: RunningTraining) -> None:
        self.reset()
        last = training.epochs
        self.scheduled = spaced_epochs(last, self.count) if self.every is None else list(range(0, last, self.every))

    def next_look(self, epoch: int) -> int:
        after = bisect.bisect_left(self.scheduled, epoch)
        return self.scheduled[after] if after < len(self.scheduled) else sys.maxsize

    def on_epoch_begin(self, training: RunningTraining) -> None:
        if self.next_look(training.epoch) == training.epoch:
            self.record_at(training, training.epoch)

    def on_train_end(self, training: RunningTraining) -> None:
        self.record_at(training, training.history.epochs)

    def record_at(self, training: RunningTraining, epoch: int) -> None:
        """Record the network at the start of ``epoch``, or at the end; replace an earlier record of the same epoch."""
        if self.epochs and self.epochs[-1] == epoch:
            self.drop_last()
            del self.epochs[-1]
        self.record(training)
        self.epochs.append(epoch)

    def record(self, training: RunningTraining) -> None:
        """Append a record of the network."""
        raise NotImplementedError

    def drop_last(self) -> None:
        """Delete the last record."""
        raise NotImplementedError


class Snapshots(Recorder):
    """Record the parameters at selected epochs, for plots of the loss landscape and replays.

    The last snapshot is the network at the end of training; with ``EarlyStopping``, its best epoch.

    Parameters
    ----------
    every : int, optional
        Record every ``every`` epochs; by default ``count`` epochs are chosen, closer together at first.
    count : int
        The number of records, if ``every`` is not given.

    Attributes
    ----------
    epochs : list of int
        The number of epochs done at each snapshot.
    values : list of dict
        The parameters and running statistics by name, for each snapshot.
    history : History
        The history of the training.

    Examples
    --------
    >>> from workings import Dense, Network, SGD, Snapshots
    >>> net, snapshots = Network([Dense(1)], loss="SquaredError", seed=0), Snapshots(every=20)
    >>> history = net.fit([[0.0], [1.0]], [1.0, 3.0], optimizer=SGD(0.1), epochs=50, callbacks=[snapshots])
    >>> snapshots.epochs, snapshots.thetas.shape
    ([0, 20, 40, 50], (4, 2))
    """

    def curves(self) -> dict[str, list[float]]:
        """Return the losses of the training."""
        return {name: values for name, values in self.history.items() if "loss" in name}

    def reset(self) -> None:
        super().reset()
        self.values: list[dict[str, Array]] = []
        self.names: tuple[str, ...] = ()
        self.history = History()

    def record(self, training: RunningTraining) -> None:
        network = training.network
        self.history, self.names = training.history, tuple(network.parameters)
        self.values.append({name: np.array(v) for name, v in {**network.parameters, **network.statistics}.items()})

    def drop_last(self) -> None:
        del self.values[-1]

    @property
    def thetas(self) -> Array:
        """All parameters of each snapshot as one flat vector, of shape (snapshots, parameters)."""
        return np.array([np.concatenate([values[name].ravel() for name in self.names]) for values in self.values])

    def check(self, network: Model) -> None:
        """Raise an error unless there are at least two snapshots, and they fit the network.

        Raises
        ------
        InputError
            If there are fewer than two, or if their shapes differ from the network's.
        """
        if len(self.values) < 2:
            raise InputError(
                f"There are {len(self.values)} snapshots, but two are needed: use fit(..., callbacks=[snapshots])."
            )
        own = {name: array.shape for name, array in {**network.parameters, **network.statistics}.items()}
        theirs = {name: array.shape for name, array in self.values[0].items()}
        if own != theirs:
            raise InputError(f"The snapshots are of a network with {theirs}, but this one has {own}.")

    def state(self) -> dict[str, Any]:
        if not self.values:
            return {}
        return {"epochs": np.array(self.epochs)} | {
            f"each {name}": np.array([values[name] for values in self.values]) for name in self.values[0]
        }

    def restore(self, state: dict[str, Any]) -> None:
        arrays = {name.removeprefix("each "): array for name, array in state.items() if name.startswith("each ")}
        self.epochs = [int(epoch) for epoch in state.get("epochs", ())]
        self.values = [{name: array[i] for name, array in arrays.items()} for i in range(len(self.epochs))]


class Signals(Recorder):
    """Record statistics of activations, gradients and parameter updates of each layer on fixed rows.

    All values come from traces of the network: one of the forward and backward pass, and one of the step that
    the optimizer would take with these rows as its batch.  With L-BFGS, which chooses its own steps, no
    updates are recorded.

    Parameters
    ----------
    X : array of shape (n, n_in)
        The rows to run the network on, about 100; they need not be training rows.
    y : array of shape (n,) or (n, n_out)
    every : int, optional
        Record every ``every`` epochs; by default ``count`` epochs are chosen, closer together at first.
    count : int
        The number of records, if ``every`` is not given.

    Attributes
    ----------
    epochs : list of int
        The number of epochs done at each record.
    activations : dict of dict of list
        For the output of each layer with parameters, by its name in the trace (``"a1"``): the ``mean``, the
        ``spread`` (standard deviation), the quantiles ``5 %`` … ``95 %``, the share of ``zeros``, and the
        share that is ``shut`` (saturated): its activation passes on less than a twentieth of the gradient.
    parameters : dict of dict of list
        For each parameter, by name (``"W1"``): its ``norm``, the norms of its ``gradient`` and of the ``update``,
        and the ``ratio`` of update to parameter.

    Examples
    --------
    >>> from workings import CrossEntropy, Dense, Network, SGD, Signals
    >>> from workings.datasets import moons
    >>> X, y = moons()
    >>> net = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    >>> signals = Signals(X[:100], y[:100], every=50)
    >>> history = net.fit(X, y, optimizer=SGD(1.0), epochs=100, batch_size=None, callbacks=[signals])
    >>> signals.epochs, list(signals.activations), list(signals.parameters)
    ([0, 50, 100], ['a1', 'z2'], ['W1', 'b1', 'W2', 'b2'])
    >>> signals.parameters["W1"]["gradient"][0] > signals.parameters["W1"]["gradient"][-1]
    True
    """

    def curves(self) -> dict[str, list[float]]:
        """Return the gradient norm of each layer's weights."""
        return {f"d{name}": column["gradient"] for name, column in self.parameters.items() if name[0] == "W"}

    def __init__(self, X: ArrayLike, y: ArrayLike, *, every: int | None = None, count: int = 60) -> None:
        super().__init__(every=every, count=count)
        self.X, self.y = X, y

    def reset(self) -> None:
        super().reset()
        self.activations: dict[str, dict[str, list[float]]] = {}
        self.parameters: dict[str, dict[str, list[float]]] = {}

    def record(self, training: RunningTraining) -> None:
        network = training.network
        trace, step = network.trace(self.X, self.y), self.next_step(training)
        self.activations = {
            name: append_row(self.activations.get(name), activation_statistics(trace, name, slope_names))
            for name, slope_names in layer_outputs(network, trace.program).items()
        }
        self.parameters = {
            name: append_row(self.parameters.get(name), parameter_statistics(trace, step, name))
            for name in network.parameters
        }

    def next_step(self, training: RunningTraining) -> Trace | None:
        """Return the trace of the next step, with these rows as its batch; None for L-BFGS."""
        optimizer, network = training.optimizer, training.network
        if not optimizer.takes_batches:
            return None
        tracer = network.tracer(optimizer, False)
        X, y, _ = network.prepare(self.X, self.y)
        values = network.step_values(tracer.program, X, y, None, network.draw_masks(len(X), as_random(0)))
        states = {name: training.values[name] for name in tracer.program.states}
        return tracer({**values, **states, "lr": training.rate(training.step), "t": training.step + 1})

    def drop_last(self) -> None:
        for table in (*self.activations.values(), *self.parameters.values()):
            for column in table.values():
                del column[-1]

    def state(self) -> dict[str, Any]:
        kinds = {"activations": self.activations, "parameters": self.parameters}
        columns = {
            f"{kind}.{name}.{what}": np.array(column)
            for kind, tables in kinds.items()
            for name, table in tables.items()
            for what, column in table.items()
        }
        return {"epochs": np.array(self.epochs, dtype=np.int64), **columns}

    def restore(self, state: dict[str, Any]) -> None:
        self.epochs = [int(epoch) for epoch in state["epochs"]]
        for key in state.keys() - {"epochs"}:
            kind, name, what = key.split(".")
            getattr(self, kind).setdefault(name, {})[what] = [float(value) for value in state[key]]


def layer_outputs(network: Model, program: Program) -> dict[str, tuple[str, str] | None]:
    """Return the output of each layer with parameters, and the gradients after and before its activation, if any.

    Both gradients are found in the program: the gradient before the activation is the target of the layer's
    first backward statement that reads the gradient after it.
    """
    found: dict[str, tuple[str, str] | None] = {}
    last = {s.part: s.target for s in program.stage("forward") if s.part.startswith("layer ")}
    for layer, (part, name) in zip(network.layers, last.items(), strict=True):
        if not layer.parameters:
            continue
        found[name] = None
        if layer.activation_function.name != "identity":
            behind = (s.target for s in program.stage("backward") if s.part == part and f"d{name}" in s.reads)
            found[name] = (f"d{name}", next(behind))
    return found


def activation_statistics(trace: Trace, name: str, slope_names: tuple[str, str] | None) -> dict[str, float]:
    """Return the recorded statistics of a layer's output."""
    values = trace[name]
    quantiles = np.quantile(values, list(QUANTILES.values()))
    shut = 0.0
    if slope_names is not None:
        after, before = (np.abs(trace[slope]) for slope in slope_names)
        shut = float(np.mean(before[after > 0] < SATURATED * after[after > 0])) if (after > 0).any() else 0.0
    found = {"mean": values.mean(), "spread": values.std(), "zeros": np.mean(values == 0), "shut": shut}
    return {key: float(value) for key, value in {**found, **dict(zip(QUANTILES, quantiles, strict=True))}.items()}


def parameter_statistics(trace: Trace, step: Trace | None, name: str) -> dict[str, float]:
    """Return the norms of a parameter, its gradient and its next update, and the ratio of update to parameter."""
    norm, gradient = np.linalg.norm(trace[name]), np.linalg.norm(trace[f"d{name}"])
    update = np.nan if step is None else np.linalg.norm(step.after[name] - step[name])
    ratio = update / norm if norm > 0 else np.nan
    return {"norm": float(norm), "gradient": float(gradient), "update": float(update), "ratio": float(ratio)}


def append_row(table: dict[str, list[float]] | None, row: dict[str, float]) -> dict[str, list[float]]:
    """Append one value to each column; return the columns in the order of the row."""
    columns = {name: [] if table is None else table[name] for name in row}
    for name, value in row.items():
        columns[name].append(value)
    return columns


@contextmanager
def restoring(network: Model) -> Iterator[None]:
    """Restore the network's parameters and statistics at the end of the block, even after an error."""
    before = {name: np.array(array) for name, array in {**network.parameters, **network.statistics}.items()}
    is_fresh = network.is_fresh
    try:
        yield
    finally:
        network.set_values(before, is_fresh=is_fresh)
