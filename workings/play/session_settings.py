"""The settings of a playground session: data, network and training, checked once, as plain JSON values.

``Settings`` is what the page sends, what a link holds and what a lesson sets.  Its limits keep a session small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from workings.activations import ACTIVATIONS
from workings.errors import InputError, unknown_name
from workings.layers import BatchNorm, Dense, Dropout, Layer
from workings.losses import LOSSES, Loss
from workings.optimizers import LBFGS, OPTIMIZERS, Optimizer
from workings.regularizers import L1, L2, Regularizer
from workings.schedules import Cosine, Exponential, LearningRateSchedule, Step, WarmUp
from workings.support.arrays import describe
from workings.support.json_values import JsonObject
from workings.support.ranges import Range, check_fields

UPDATE_METHODS = (*OPTIMIZERS, "LBFGS")
MOST_LAYERS, MOST_UNITS, MOST_ROWS = 8, 64, 20_000
MOST_FEATURES = 64  # columns of a table, after encoding
MOST_NAMES = 784  # names in a list of features: the pixels of an image
REGULARIZERS: dict[str, type[Regularizer]] = {"L2": L2, "L1": L1}
SCHEDULES = ("constant", "step", "exponential", "cosine", "warm-up")
AUTOMATIC = "auto"


def between(low: float, high: float, *, whole: bool = False) -> dict[str, Range]:
    """Return the metadata of a field with a range that the page shows as a slider."""
    return {"range": Range(at_least=low, at_most=high, whole=whole)}


@dataclass(frozen=True)
class LayerSettings:
    """One hidden layer: units, activation, and what follows it.

    >>> LayerSettings(4, "relu", dropout=0.5).layers()
    [Dense(4, 'relu'), Dropout(rate=0.5)]
    """

    units: int = field(default=4, metadata=between(1, MOST_UNITS, whole=True))
    activation: str = "tanh"
    dropout: float = field(default=0.0, metadata=between(0, 0.9))
    batch_norm: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        checked_name("activation", self.activation, ACTIVATIONS)
        checked_switch("batch_norm", self.batch_norm)

    def layers(self) -> list[Layer]:
        """Return the library's layers: a Dense, perhaps BatchNorm and Dropout."""
        first: list[Layer] = [Dense(self.units, self.activation)]
        if self.batch_norm:
            first = [Dense(self.units), BatchNorm(self.activation)]
        return [*first, *([Dropout(self.dropout)] if self.dropout else [])]


@dataclass(frozen=True)
class Settings:
    """All settings of a session.

    Attributes
    ----------
    data : str
        The name of a data set.
    rows, noise, data_seed : int, float, int
        Number of points, amount of noise and random seed of the data; only generated data use them.
    held_out : float
        The fraction of the rows used for validation.
    features : tuple of str
        The names of the inputs that the network gets.
    hidden : tuple of LayerSettings
        The hidden layers.
    loss : str
        A loss by name, or "auto": the usual loss for the targets.
    optimizer, lr, schedule : str, float, str
        The optimizer, its learning rate, and how the rate changes over ``schedule_steps`` steps.
    regularizer, lam : str, float
        "L2", "L1" or "", and its strength.
    batch_size : int
        Rows in a step; 0 for the full batch.
    seed : int
        Random seed of the initial weights, the row order and the dropout masks.

    Examples
    --------
    >>> Settings.from_json({"data": "xor", "hidden": [{"units": 3}]}).hidden[0].units
    3
    """

    data: str = "moons"
    rows: int = field(default=300, metadata=between(10, 2000, whole=True))
    noise: float = field(default=0.2, metadata=between(0, 1))
    data_seed: int = field(default=0, metadata=between(0, 9999, whole=True))
    held_out: float = field(default=0.3, metadata=between(0, 0.9))
    features: tuple[str, ...] = ("x1", "x2")
    hidden: tuple[LayerSettings, ...] = field(default_factory=lambda: (LayerSettings(6), LayerSettings(4)))
    loss: str = AUTOMATIC
    optimizer: str = "Adam"
    lr: float = field(default=0.03, metadata={"range": Range(above=0, at_most=100)})
    schedule: str = "constant"
    schedule_steps: int = field(default=500, metadata=between(1, 100_000, whole=True))
    regularizer: str = ""
    lam: float = field(default=0.001, metadata=between(0, 10))
    batch_size: int = field(default=30, metadata=between(0, MOST_ROWS, whole=True))
    seed: int = field(default=0, metadata=between(0, 9999, whole=True))

    def __post_init__(self) -> None:
        check_fields(self)
        if not isinstance(self.data, str):
            raise InputError(f"The data set must be a name, not {describe(self.data)}.")
        if self.loss != AUTOMATIC:
            checked_name("loss", self.loss, LOSSES)
        checked_name("optimizer", self.optimizer, UPDATE_METHODS)
        checked_name("schedule", self.schedule, SCHEDULES)
        checked_name("regularizer", self.regularizer, ("", *REGULARIZERS))
        if len(self.hidden) > MOST_LAYERS:
            raise InputError(f"A network of the playground has at most {MOST_LAYERS} hidden layers.")

    @classmethod
    def from_json(cls, given: object, base: Settings | None = None) -> Settings:
        """Return settings from JSON values; what is not given is as in ``base``.

        Raises
        ------
        InputError
            For an unknown name, a wrong type, or a value out of range.
        """
        if not isinstance(given, Mapping):
            raise InputError(f"Settings are an object with names and values, not {describe(given)}.")
        known = {f.name: f for f in fields(cls)}
        for name in given:
            if name not in known:
                raise unknown_name("setting", name, known)
        changes: dict[str, Any] = {name: converted(name, value) for name, value in given.items()}
        return replace(base or cls(), **changes)

    def to_json(self) -> JsonObject:
        """Return the settings as plain JSON values."""
        return asdict(self)

    def layers(self, outputs: int) -> list[Layer]:
        """Return the library's layers for a number of outputs."""
        return [layer for each in self.hidden for layer in each.layers()] + [Dense(outputs)]

    def make_optimizer(self) -> Optimizer | LBFGS:
        """Return the optimizer with its learning rate.

        >>> Settings(optimizer="SGD", lr=0.5, schedule="cosine").make_optimizer()
        SGD(lr=Cosine(lr=0.5, steps=500, end=0.0))
        """
        return OPTIMIZERS[self.optimizer](self.rate()) if self.optimizer in OPTIMIZERS else LBFGS()

    def rate(self) -> float | LearningRateSchedule:
        """Return the learning rate, or its schedule."""
        lr, steps = self.lr, self.schedule_steps
        match self.schedule:
            case "step":
                return Step(lr, every=steps)
            case "exponential":
                return Exponential(lr, factor=0.5 ** (1 / steps))
            case "cosine":
                return Cosine(lr, steps=steps)
            case "warm-up":
                return WarmUp(lr, steps=steps)
        return lr

    def make_regularizer(self) -> Regularizer | None:
        """Return the regularizer; None for none."""
        return REGULARIZERS[self.regularizer](self.lam) if self.regularizer and self.lam else None

    def make_loss(self, usual: str) -> Loss:
        """Return the loss; ``usual`` is the name of the loss that "auto" stands for."""
        return LOSSES[usual if self.loss == AUTOMATIC else self.loss]()


def converted(name: str, value: object) -> object:
    """Convert the JSON value of a setting: lists become tuples, and objects become layers."""
    if name == "features":
        if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
            raise InputError(f"features must be a list of names, not {describe(value)}.")
        return tuple(dict.fromkeys(value[:MOST_NAMES]))
    if name == "hidden":
        if not isinstance(value, (list, tuple)) or len(value) > MOST_LAYERS:
            raise InputError(f"hidden must be a list of at most {MOST_LAYERS} layers, not {describe(value)}.")
        return tuple(layer_from_json(one) for one in value)
    return value


def layer_from_json(given: object) -> LayerSettings:
    """Return a hidden layer from JSON values."""
    if isinstance(given, LayerSettings):
        return given
    if not isinstance(given, Mapping):
        raise InputError(f"A layer is an object such as {{'units': 4}}, not {describe(given)}.")
    known = [f.name for f in fields(LayerSettings)]
    for name in given:
        if name not in known:
            raise unknown_name("setting of a layer", name, known)
    return LayerSettings(**given)


def checked_name(kind: str, name: object, known: Any) -> None:
    """Raise an error if a name is not in a registry."""
    if not isinstance(name, str):
        raise InputError(f"The {kind} must be a name, not {describe(name)}.")
    if name not in known:
        raise unknown_name(kind, name[:80], known)


def checked_switch(name: str, value: object) -> None:
    """Raise an error if a value is not true or false."""
    if not isinstance(value, bool):
        raise InputError(f"{name} must be true or false, not {describe(value)}.")


def ranges(kind: type) -> dict[str, dict[str, float]]:
    """Return the ranges of the numeric settings, for sliders.

    >>> ranges(LayerSettings)["units"]
    {'low': 1, 'high': 64, 'whole': True}
    """
    found = {}
    for each in fields(kind):
        allowed = each.metadata.get("range")
        if allowed is not None:
            low = max(allowed.at_least, allowed.above)
            found[each.name] = {"low": low, "high": allowed.at_most, "whole": allowed.whole}
    return found


def choices() -> JsonObject:
    """Return all names that a setting may have, and the ranges of numbers, for the page."""
    return {
        "activations": list(ACTIVATIONS),
        "losses": [AUTOMATIC, *LOSSES],
        "optimizers": list(UPDATE_METHODS),
        "schedules": list(SCHEDULES),
        "regularizers": ["", *REGULARIZERS],
        "ranges": ranges(Settings),
        "layer_ranges": ranges(LayerSettings),
        "most_layers": MOST_LAYERS,
    }
