"""The case: a network, its data, and what is known of its training, as the doctor's checks need them.

Nothing here changes the network that was brought: whatever is tried out, is tried on copies.  The copies
know their targets as numbers, whatever labels people have.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np

from workings.activations import ACTIVATIONS
from workings.checks.advice import Terms
from workings.errors import DivergenceError, WorkingsWarning
from workings.layers import BatchNorm, Dense, Layer
from workings.metrics import accuracy, r2
from workings.model.model import Model
from workings.model.targets import more_probable, most_probable
from workings.optimizers import LBFGS, Adam, Chain, Part
from workings.program.trace import Trace
from workings.support.arrays import Array, as_random
from workings.tables.columns import standardized
from workings.training.fit import train
from workings.training.history import History
from workings.training.recipe import Recipe
from workings.training.rows import Rows

MOST_ROWS = 1000  # that are measured; more would say the same
ROWS_BY_HEART = 10
RATES = ("lr", "then", "end", "min_lr")  # the settings of schedules that are rates, or schedules themselves


class Code(str):
    """A piece of code: shown as it is."""

    __repr__ = str.__str__


@dataclass(frozen=True, eq=False)
class Case:
    """What is diagnosed: ``X`` of shape (n, n_in) and ``y`` of shape (n, n_out), as the program takes them.

    ``w`` of shape (n, 1) are the weights of rows and labels together, if there are any; ``settings`` are those of
    ``fit``, as far as they are known; ``columns`` are those of the history.
    """

    network: Model
    X: Array
    y: Array
    w: Array | None = None
    columns: Mapping[str, Sequence[float]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    stopped: str = ""
    begun: Mapping[str, Array] = field(default_factory=dict)

    # -- what is known ---------------------------------------------------------------------

    @property
    def optimizer(self) -> Part | LBFGS | None:
        """The optimizer, if it is known."""
        found: Part | LBFGS | None = self.settings.get("optimizer")
        return found

    @property
    def batch_size(self) -> int:
        """Rows in a step; all of them, where nothing else is known."""
        return min(int(self.settings.get("batch_size") or len(self.X)), len(self.X))

    @property
    def is_full_batch(self) -> bool:
        """Whether each step takes all rows."""
        return self.batch_size == len(self.X)

    @property
    def losses(self) -> Array:
        """The objective of each epoch, if there is a history."""
        return np.asarray(self.columns.get("loss", ()), dtype=np.float64)

    @property
    def has_labels(self) -> bool:
        """Whether the targets are labels."""
        return self.network.loss.target in ("classes", "labels")

    @property
    def is_constant(self) -> bool:
        """Whether the targets are the same in every row, as those of one row are: then one answer is right."""
        return not np.ptp(self.y, axis=0).any()

    @property
    def is_weighted(self) -> bool:
        """Whether rows or labels were given weights."""
        is_told = self.settings.get("class_weight") is not None or "sample_weight" in self.settings.get("given", ())
        return is_told or self.w is not None

    def trained_by(self, optimizer: Part) -> Sequence[str]:
        """The parameters that an optimizer does not leave out on purpose."""
        names: Sequence[str] = tuple(self.network.parameters)
        for part in optimizer.parts:
            names = part.chosen(names)
        return names

    @functools.cached_property
    def score(self) -> float:
        """Accuracy or R² of the network as it is, on the rows that are measured."""
        return score_of(copied(self.network), self.rows)

    @functools.cached_property
    def start(self) -> Model | None:
        """A copy of the network as training began with it; None where that is not known."""
        if not self.begun:
            return copied(self.network) if self.network.is_fresh else None
        network = copied(self.network)
        network.keep({**network.parameters, **network.statistics, **self.begun})
        return network

    @property
    def all_rows(self) -> Rows:
        """All rows with their weights."""
        return Rows(self.X, self.y, self.w)

    @functools.cached_property
    def rows(self) -> Rows:
        """Some rows, drawn at random where there are many."""
        return self.all_rows.some(MOST_ROWS)

    @functools.cached_property
    def few(self) -> Rows:
        """Ten rows, of as many classes as there are."""
        if not self.has_labels or self.network.n_out > ROWS_BY_HEART:
            return self.all_rows.some(ROWS_BY_HEART)
        order = np.random.default_rng(0).permutation(len(self.X))
        labels = label_numbers(self.y)[order]
        by_class = [order[labels == label] for label in np.unique(labels)]
        most = max(map(len, by_class))
        turn = [rows[i] for i in range(most) for rows in by_class if i < len(rows)]
        return self.all_rows.taken(np.array(turn[:ROWS_BY_HEART]))

    @functools.cached_property
    def first_trace(self) -> Trace | None:
        """Every value of the first step, before the update."""
        return None if self.start is None else trace_of(self.start, self.rows)

    @functools.cached_property
    def one_answer(self) -> float:
        """The loss of the best fixed answer: log K for K classes of equal size, the variance for numbers."""
        rows = self.rows._replace(X=np.zeros((len(self.rows.X), 1)))
        return self.loss_of(trained_without_hidden(self.network, rows), rows)

    @functools.cached_property
    def linear(self) -> tuple[float, float]:
        """The loss and the score of a model without hidden layers on the same rows."""
        rows = self.rows._replace(X=standardized(self.rows.X.astype(np.float64)))
        model = trained_without_hidden(self.network, rows)
        return self.loss_of(model, rows), score_of(model, rows)

    def loss_of(self, network: Model, rows: Rows | None = None) -> float:
        """The loss per row, without regularization, on the rows that are measured or on others."""
        bare = copied(network).without(regularizers=True)
        return self.objective_of(bare, self.rows if rows is None else rows)

    # -- trying out ------------------------------------------------------------------------

    def trial(self, network: Model, optimizer: Part, steps: int, rows: Rows) -> tuple[Model, Array]:
        """Train a copy for about so many steps, as ``fit`` would; give it, and the objective of each epoch.

        Where the numbers end, the objectives do with infinity.
        """
        tried, n = copied(network), len(rows.X)
        batch = min(self.batch_size, n)
        epochs = max(steps * batch // n, 2)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", WorkingsWarning)
                history = trained(tried, rows, Recipe(optimizer, epochs, batch))
        except DivergenceError as error:
            losses = error.history["loss"] if isinstance(error.history, History) and len(error.history) else []
            return tried, np.array([*losses, np.inf])
        return tried, np.array([*history["loss"], self.objective_of(tried, rows)])

    def objective_of(self, network: Model, rows: Rows) -> float:
        """The objective per row, as a history records it."""
        X, y, w = (None if array is None else array.astype(network.dtype) for array in rows)
        return network.measure(X, y, w)[0] / network.loss.divisor(len(rows.X))  # type: ignore[arg-type]

    def trial_rows(self) -> Rows:
        """The rows for trials: a sum over rows needs all of them, a mean does with fewer."""
        if self.network.loss.reduction == "sum" or not self.is_full_batch:
            return self.all_rows.some(max(MOST_ROWS, 4 * self.batch_size))
        return self.rows

    # -- code for people -------------------------------------------------------------------

    @property
    def terms(self) -> Terms | None:
        """The words of those who brought the network, where they did not call ``Network.fit``."""
        found: Terms | None = self.settings.get("terms")
        return found

    @property
    def opening(self) -> str:
        """Code that makes ``net`` for those who have none of that name."""
        return str(self.settings.get("opening", "")) if self.terms is None else self.terms.opening

    def fit_code(self, **changed: Any) -> str:
        """The training as a line of code, with some settings changed."""
        if self.terms is not None:
            return self.terms.trained(changed)
        told = {"optimizer": Adam(), "epochs": 200, **self.known_settings, **changed}
        others = [name for name in self.settings.get("given", ()) if name != "running_loss"]
        if "<" in repr(told["optimizer"]):  # a function of the step has no code that could be shown
            told["optimizer"] = with_rate(told["optimizer"], rate_of(told["optimizer"]))
            others.append("schedule")
        comment = f"  # and your {', '.join(others)}" if others else ""
        return f"history = net.fit(X, y, {', '.join(f'{name}={value!r}' for name, value in told.items())}){comment}"

    @property
    def known_settings(self) -> dict[str, Any]:
        """The settings of ``fit`` that are known and have code: those that are not as by default."""
        told = {name: self.settings[name] for name in ("optimizer", "epochs", "batch_size") if name in self.settings}
        if "batch_size" in told and self.is_full_batch:
            told["batch_size"] = None
        if not self.settings.get("shuffle", True) and not self.is_full_batch:
            told["shuffle"] = False
        if self.settings.get("class_weight") is not None:
            told["class_weight"] = self.settings["class_weight"]
        if "running_loss" in self.settings.get("given", ()):
            told["running_loss"] = True
        return told

    @property
    def present_code(self) -> tuple[str, ...]:
        """The network and its training as they are: changes must say something else."""
        return (self.network_code(), self.fit_code()) if "optimizer" in self.settings else (self.network_code(),)

    def gone_on_code(self, epochs: int) -> str:
        """So many epochs more, as a line of code."""
        if self.terms is not None:
            return self.terms.gone_on(epochs)
        return f"{self.fit_code(epochs=epochs)}  # it goes on from where it is"

    def longer_code(self, times: int = 5) -> str:
        """The training with a usual learning rate, and for more epochs."""
        before = self.optimizer.links[:-1] if isinstance(self.optimizer, Chain) else ()
        optimizer = Chain(*before, Adam(1e-2)) if before else Adam(1e-2)
        epochs = max(times * int(self.settings.get("epochs", 0)), 200)
        return self.fit_code(optimizer=optimizer, epochs=epochs)

    def network_code(self, layers: Sequence[Any] | None = None, regularizers: Sequence[Any] | None = None) -> str:
        """The network as a line of code, with other layers."""
        network = self.network
        parts = network.layers if layers is None else layers
        prices = network.regularizers if regularizers is None else regularizers
        said = None if self.terms is None else self.terms.made(network, parts, prices)
        if said is not None:
            return said
        told, penalties = [self.layer_code(layer) for layer in parts], [self.penalty_code(r) for r in prices]
        loss = repr(network.loss) if of_the_library(network.loss) else "net.loss"
        penalty = f", regularizer=[{', '.join(penalties)}]" if penalties else ""
        dtype = f', dtype="{network.dtype}"' if network.dtype_given or network.dtype == np.float32 else ""
        return f"net = Network([{', '.join(told)}], loss={loss}{penalty}, seed={seed_code(network)}{dtype})"

    def layer_code(self, layer: Any) -> str:
        """A layer as code; what its text would not say is taken from the network that is there."""
        layers = self.network.layers
        kept = [i for i, own in enumerate(layers) if own is layer]
        if kept and not says_all(layer):
            return f"net.layers[{kept[0]}]"
        if isinstance(layer, Dense) and not is_named(layer):
            place = next(i for i, own in enumerate(layers) if own.bend is layer.bend)
            bias = "" if layer.bias else ", bias=False"
            return f"Dense({layer.units}, net.layers[{place}].activation{bias})"
        return repr(layer)

    def penalty_code(self, regularizer: Any) -> str:
        """A regularizer as code."""
        kept = [i for i, own in enumerate(self.network.regularizers) if own is regularizer]
        return f"net.regularizers[{kept[0]}]" if kept and not of_the_library(regularizer) else repr(regularizer)


def of_the_library(thing: object) -> bool:
    """Whether the name of its class is one that people can import from here."""
    return type(thing).__module__.split(".")[0] == "workings"


def is_named(layer: Layer) -> bool:
    """Whether the layer's activation is the library's one of that name."""
    return ACTIVATIONS.get(layer.bend.name) == layer.bend


def says_all(layer: Any) -> bool:
    """Whether a layer like this one can be made from its text."""
    if not of_the_library(layer) or not is_named(layer):
        return False
    if isinstance(layer, Dense):
        return layer.weights is None and layer.biases is None
    return not isinstance(layer, BatchNorm) or layer == BatchNorm(layer.activation)


def seed_code(network: Model) -> str:
    """The network's seed as code; 0 where it is not known."""
    made = network.rng_made or "0"
    return made.removeprefix("np.random.default_rng(").removesuffix(")") if "default_rng" in made else made


def remade(layer: Dense, units: int | None = None, activation: Any = None) -> Dense:
    """A dense layer with other units or another activation, and with first weights as they are by default."""
    changed = Dense(units or layer.units, activation or layer.activation, bias=layer.bias)
    is_same = changed == layer and layer.weights is None and layer.biases is None
    return layer if is_same else changed


def copied(network: Model) -> Model:
    """A copy to try things out on; it takes its targets as numbers."""
    return network.with_classes(None)


def undisturbed(network: Model) -> Model:
    """A copy without dropout and regularizers, where its program was not edited, to be trained with another optimizer.

    Edits of the update are left out: they belong to the optimizer whose statements they replace.
    """
    found = copied(network)
    found.edits = tuple((target, text) for target, text in found.edits if target not in found.parameters)
    return found if found.edits else found.without(regularizers=True, dropout=True)


def plain(network: Model, y: Array) -> Array:
    """Targets as ``fit`` takes them."""
    return y[:, 0] if y.shape[1] == 1 and network.loss.target != "classes" else y


def rms(values: Array, axis: int | None = None) -> Any:
    """The root mean square: the size of an entry, by and large."""
    return np.sqrt(np.square(values, dtype=np.float64).mean(axis=axis))


def label_numbers(y: Array) -> Array:
    """The class of each row, as a number."""
    return np.asarray(most_probable(y) if y.shape[1] > 1 else more_probable(y)[:, 0], dtype=np.int64)


def trained(network: Model, rows: Rows, recipe: Recipe) -> History:
    """Train a copy on some rows with the reference engine."""
    data = given(rows, network)
    recipe = replace(recipe, sample_weight=data["sample_weight"])
    return train(network, data["X"], data["y"], recipe, engine="reference")


def given(rows: Rows, network: Model, dtype: Any = None) -> dict[str, Any]:
    """Rows as ``fit`` takes them."""
    w = None if rows.weights is None else rows.weights.astype(dtype or rows.w.dtype)  # type: ignore[union-attr]
    X, y = rows.X.astype(dtype or rows.X.dtype), rows.y.astype(dtype or rows.y.dtype)
    return {"X": X, "y": plain(network, y), "sample_weight": w}


def trace_of(network: Model, rows: Rows, optimizer: Part | None = None, lr: float = 0.0) -> Trace:
    """Every value of one step, for prepared data; dropout masks are the same each time."""
    tracer = network.tracer(optimizer, rows.w is not None)
    values = network.step_values(tracer.program, *rows, network.draw(len(rows.X), as_random(0)))
    return tracer({**values, "lr": lr, "t": 1})


def trained_without_hidden(network: Model, rows: Rows) -> Model:
    """A model without hidden layers for the same targets: what a network must beat.

    For numbers it begins at their mean, with a learning rate in proportion to their spread.
    """
    is_numbers = network.loss.target == "numbers"
    mean = np.average(rows.y, axis=0, weights=rows.weights)
    layer = Dense(network.n_out, weights="zeros", biases=mean if is_numbers else None)
    model = Model([layer], loss=mean_of(network.loss), seed=0, dtype="float64")
    rate = 0.05 * (max(float(rows.y.std()), 1e-12) if is_numbers else 1.0)
    trained(model, rows, Recipe(Adam(rate), epochs=300, batch_size=None))
    return model


def mean_of(loss: Any) -> Any:
    """The same loss as a mean, so that a learning rate suits any number of rows."""
    return replace(loss, reduction="mean")


def score_of(network: Model, rows: Rows) -> float:
    """Accuracy for labels, R² for numbers, each row by its weight."""
    y, w = rows.y, rows.weights
    p = network.measure(rows.X.astype(network.dtype), y.astype(network.dtype), None)[1]
    if network.loss.target not in ("classes", "labels"):
        return r2(y, p, w)
    if network.loss.target == "labels" and y.shape[1] > 1:
        return accuracy(more_probable(y), more_probable(p), w)
    return accuracy(label_numbers(y), label_numbers(p), w)


def with_rate(optimizer: Part, lr: float) -> Part:
    """The same optimizer with another first learning rate; a schedule keeps its kind, where it can."""
    if isinstance(optimizer, Chain):
        return Chain(*optimizer.links[:-1], with_rate(optimizer.links[-1], lr))
    return replace(optimizer, lr=scaled(optimizer.lr, lr / rate_of(optimizer), lr))  # type: ignore[attr-defined,call-arg]


def scaled(rate: Any, factor: float, otherwise: float) -> Any:
    """A rate or schedule times a factor; a constant rate in place of a function of somebody's own."""
    if factor == 1 and not callable(rate):
        return rate
    if isinstance(rate, (int, float)):
        return twelve_digits(otherwise)
    if not is_dataclass(rate) or isinstance(rate, type) or not 0 < factor < np.inf:
        return otherwise
    held = {f.name: getattr(rate, f.name) for f in fields(rate) if f.name in RATES}
    changed = {n: scaled(v, factor, v * factor if isinstance(v, (int, float)) else otherwise) for n, v in held.items()}
    return replace(rate, **changed) if changed else otherwise


def twelve_digits(value: float) -> float:
    """A number without the last digits, which are rounding."""
    return float(f"{value:.12g}")


def rate_of(optimizer: Part) -> float:
    """The first learning rate of an optimizer."""
    return float(optimizer.schedule(0))  # type: ignore[attr-defined]
