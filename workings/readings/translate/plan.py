"""The plan of a translation: what is to be said in another system, checked, and what comes out of it.

A ``Plan`` holds the network, the optimizer and the batches, and answers what every writer asks: which
parts stand in front of the optimizer, which parameters they act on, how strong the regularizers are.
It refuses what no other system can know, such as an optimizer or an activation of the user's own.  A
``Draft`` collects code and sentences while a writer works; a ``Translation`` is the result.
"""

from __future__ import annotations

import functools
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workings.activations import ACTIVATIONS, Activation
from workings.errors import InputError, unknown_name
from workings.layers import LAYERS, Dense, Layer, numbered
from workings.losses import LOSSES
from workings.optimizers import LBFGS, OPTIMIZERS, ClipByNorm, ClipByValue, Decay, Freeze, Part, checked_optimizer
from workings.readings.copying import Copied, rate_with_settings
from workings.regularizers import L1, L2, REGULARIZERS, L2PerRow
from workings.schedules import Constant, OnPlateau
from workings.support.arrays import describe
from workings.training.training import whole_number

if TYPE_CHECKING:
    from workings.model.model import Model

WIDTH = 88  # columns, as formatters have it
INDENT = "    "
SMALL_EPS = 1e-10  # so small that where it stands does not show
PARTS = (ClipByNorm, ClipByValue, Decay, Freeze)
WEIGHTS = ("draw", "given")


@dataclass(frozen=True)
class Translation:
    """A network's training in another system: code that runs there, and how the conventions differ.

    Attributes
    ----------
    system : str
        ``"torch"``, ``"keras"`` or ``"sklearn"``.
    code : str
        The code alone.  It needs arrays ``X`` and ``y``, and with ``weights="given"`` a mapping ``weights``
        of names to arrays; afterwards ``model`` is the trained model.
    notes : tuple of str
        One sentence for each difference of convention, with the equal setting.
    differences : tuple of str
        Those of the notes that name what no setting makes equal; nothing where the weights stay equal.

    Examples
    --------
    >>> from workings import Dense, Network, SGD, SquaredError
    >>> told = Network([Dense(1)], loss=SquaredError()).translate("torch", optimizer=SGD(0.1))
    >>> told.is_equal, [line for line in told.code.splitlines() if line.startswith("optimizer")]
    (True, ['optimizer = torch.optim.SGD(model.parameters(), lr=0.1)'])
    """

    system: str
    code: str
    notes: tuple[str, ...]
    differences: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether the same weights and orders lead to the same weights, but for rounding."""
        return not self.differences

    def __str__(self) -> str:
        lines: list[str] = []
        for note in self.notes:
            mark = "NOT EQUAL: " if note in self.differences else ""
            lines += textwrap.wrap(mark + note, WIDTH, initial_indent="# - ", subsequent_indent="#   ")
        return "\n".join([*lines, "", self.code])


@dataclass
class Draft:
    """What a writer collects: sentences, and those of them that name what stays different."""

    notes: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def note(self, sentence: str, *, equal: bool = True) -> None:
        """Say a sentence, once; ``equal=False`` where the other system cannot do the same."""
        if sentence not in self.notes:
            self.notes.append(sentence)
            self.differences += [] if equal else [sentence]

    def translation(self, system: str, lines: Iterable[str]) -> Translation:
        """The result."""
        return Translation(system, "\n".join(lines) + "\n", tuple(self.notes), tuple(self.differences))


@dataclass(frozen=True)
class Plan:
    """What is to be translated, checked.

    Raises
    ------
    InputError
        For settings that cannot be used, and for what is the user's own and has no counterpart elsewhere.
    """

    network: Model
    optimizer: Part | LBFGS
    epochs: int = 100
    batch_size: int | None = 32
    rows: int | None = None
    shuffle: bool = True
    weights: str = "draw"
    sample_weight: bool = False
    class_weight: Mapping[Any, float] | str | None = None
    validation: bool = False

    def __post_init__(self) -> None:
        checked_optimizer(self.optimizer)
        whole_number(self.epochs, "epochs")
        for name, value in (("batch_size", self.batch_size), ("rows", self.rows)):
            if value is not None:
                whole_number(value, name)
        if self.weights not in WEIGHTS:
            raise unknown_name("kind of weights", self.weights, WEIGHTS)
        self.check_switches()
        self.check_class_weight()
        network = self.network
        refuse_own("layer", network.layers, LAYERS.values())
        refuse_own("loss", [network.loss], LOSSES.values())
        refuse_own("regularizer", network.regularizers, REGULARIZERS.values())
        refuse_own("part of an optimizer", self.parts, (*OPTIMIZERS.values(), *PARTS, LBFGS))
        for layer in network.layers:
            refuse_own_activation(layer.bend)

    def check_switches(self) -> None:
        """Refuse arrays where the question is whether there are any: the code takes them by their names."""
        for name, given in (("sample_weight", "sample_weight"), ("validation", "X_val and y_val")):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise InputError(f"{name} is True or False here, not {describe(value)}: the code is given {given}.")

    def check_class_weight(self) -> None:
        """Refuse class weights that ``fit`` refuses, as far as the labels are known."""
        given, targets = self.class_weight, self.network.targets
        if given is None:
            return
        if not targets.has_labels:
            raise InputError("class_weight needs targets that are labels, one for each row.")
        if not isinstance(given, Mapping):
            if given != "balanced":
                raise InputError(
                    f'class_weight must be None, "balanced" or a dict of label to weight, not {describe(given)}.'
                )
            return
        for label, value in given.items():
            if targets.classes is not None and label not in targets.classes.tolist():
                raise unknown_name("label in class_weight", str(label), map(str, targets.classes.tolist()))
            if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value < math.inf:
                raise InputError(f"class_weight must hold numbers from 0; for {label!r} it has {describe(value)}.")

    # -- what rows count, and on which is measured ------------------------------------------

    @property
    def has_weights(self) -> bool:
        """Whether rows count differently."""
        return self.sample_weight or self.class_weight is not None

    @property
    def of_class(self) -> dict[Any, float]:
        """The weights of labels, as plain Python; nothing where there are none or they are to be balanced."""
        given = self.class_weight if isinstance(self.class_weight, Mapping) else {}
        return {label.item() if isinstance(label, np.generic) else label: float(w) for label, w in given.items()}

    @property
    def class_weights(self) -> list[float] | None:
        """One weight for each class, where they are all that rows are weighed by; None where they are not."""
        targets = self.network.targets
        known = range(targets.n_out if targets.kind == "classes" else 2) if targets.classes is None else targets.classes
        labels = np.asarray(known).tolist()
        is_all = bool(self.of_class) and not self.sample_weight and set(self.of_class) <= set(labels)
        found = [self.of_class.get(label, 1.0) for label in labels]
        return found if is_all and all(found) else None

    def row_weights(self) -> list[str]:
        """The lines that make one weight of each row, of sample weights and the weights of labels."""
        lines = ["sample_weight = np.asarray(sample_weight, dtype=X.dtype)"] if self.sample_weight else []
        if self.class_weight is None:
            return lines
        if self.of_class:
            lines += [f"of_class = {self.of_class!r}  # others count 1"]
            lines += [
                "by_class = np.array([of_class.get(label, 1.0) for label in np.asarray(y).tolist()], dtype=X.dtype)"
            ]
        else:
            lines += ["_, places, counts = np.unique(y, return_inverse=True, return_counts=True)"]
            lines += ["by_class = (len(places) / len(counts) / counts)[places].astype(X.dtype)"]
        return [*lines, f"sample_weight = by_class{' * sample_weight' if self.sample_weight else ''}"]

    def left_out(self) -> list[str]:
        """The lines that leave out rows of weight 0, as we do, so that batches are the same."""
        if not self.sample_weight and all(self.of_class.values()):
            return []
        return ["kept = sample_weight > 0", "X, y, sample_weight = X[kept], np.asarray(y)[kept], sample_weight[kept]"]

    def tell_weights(self, draft: Draft) -> None:
        """What is the same everywhere about weights and validation."""
        if self.sample_weight or not all(self.of_class.values()):
            draft.note("Rows of weight 0 are left out before batches are made, as ours are.")
        if self.class_weight == "balanced":
            draft.note('"balanced" gives each class rows / (classes · rows of the class), in both.')

    def labels_as_numbers(self) -> list[str]:
        """The lines that make class numbers from 0 of labels; none where targets are no labels."""
        targets, names = self.network.targets, ["y", *(["y_val"] if self.validation else [])]
        if not targets.has_labels:
            return []
        if targets.classes is not None:
            labels = self.classes
            return [] if labels is None else [f"{name} = np.searchsorted({labels!r}, {name})" for name in names]
        count = targets.n_out if targets.kind == "classes" else 2
        lines = [f"if not set(np.ravel(y).tolist()) <= set(range({count})):  # labels of another kind, in their order"]
        lines += [f"{INDENT}labels, y = np.unique(y, return_inverse=True)"]
        return [*lines, *(f"{INDENT}{name} = np.searchsorted(labels, {name})" for name in names[1:])]

    # -- the optimizer ---------------------------------------------------------------------

    @property
    def parts(self) -> Sequence[Any]:
        """The parts of the optimizer in order, the optimizer proper last."""
        return [self.optimizer] if isinstance(self.optimizer, LBFGS) else self.optimizer.parts

    @property
    def last(self) -> Any:
        """The optimizer proper."""
        return self.parts[-1]

    @property
    def settings(self) -> dict[str, float]:
        """The optimizer's constants, as plain numbers."""
        return {letter: float(value) for letter, value in self.last.constants.items()}

    def has(self, kind: type) -> bool:
        """Whether a part of a kind is in the chain."""
        return any(type(part) is kind for part in self.parts)

    @functools.cached_property
    def steps(self) -> list[tuple[Any, list[str]]]:
        """Each part with the names of the parameters that it acts on."""
        names, found = list(self.trained), []
        for part in self.parts:
            names = list(part.chosen(names)) if isinstance(part, Part) else names
            found.append((part, names))
        return found

    # -- the learning rate -----------------------------------------------------------------

    @property
    def schedule(self) -> Any:
        """The learning rate as a function of the step."""
        return self.last.schedule

    @property
    def has_schedule(self) -> bool:
        """Whether the rate changes by itself; one that waits for a plateau counts apart."""
        return not isinstance(self.last, LBFGS) and not isinstance(self.schedule, (Constant, OnPlateau))

    @property
    def first_rate(self) -> float:
        """The learning rate of the first step."""
        return float(self.schedule(0))

    def rate_function(self) -> list[str]:
        """The schedule as a function ``rate(t)`` of the step, from its own source."""
        copied = Copied()
        returned = rate_with_settings(self.schedule, copied, "t")
        lines = [*copied.constants.values()]
        lines += [line for text in copied.functions.values() for line in (*text.splitlines(), "", "")]
        lines += ["def rate(t):  # the learning rate of each step, counted from 0", f"{INDENT}return {returned}"]
        return [*lines, "", ""]

    def imports(self, *more: str) -> list[str]:
        """The lines that import what the code needs."""
        needs_math = self.has_schedule and "math." in "".join(self.rate_function())
        return ["import math", "", *more] if needs_math else list(more)

    # -- the network -----------------------------------------------------------------------

    @functools.cached_property
    def layers(self) -> list[tuple[Layer, str]]:
        """The layers with the numbers in their parameters' names."""
        return list(numbered(self.network.layers))

    @property
    def trained(self) -> list[str]:
        """The names of all parameters."""
        return [f"{letter}{number}" for layer, number in self.layers for letter in layer.parameters]

    @property
    def regularized(self) -> list[str]:
        """The names of the parameters that regularizers act on."""
        return [f"{letter}{number}" for layer, number in self.layers for letter in layer.regularized]

    def strength(self, kind: type[L1 | L2 | L2PerRow]) -> float:
        """How strong the regularizers of a kind are together."""
        return plain(sum(sum(r.constants.values()) for r in self.network.regularizers if type(r) is kind))

    @property
    def batch_rows(self) -> int | None:
        """The rows of a full step, if they are known."""
        known = [size for size in (self.batch_size, self.rows) if size is not None]
        return min(known) if known else None

    @property
    def has_short_batch(self) -> bool:
        """Whether the last batch of an epoch is known to be smaller than the others."""
        return self.rows is not None and self.batch_rows is not None and self.rows % self.batch_rows > 0

    @property
    def classes(self) -> list[Any] | None:
        """Labels that are not the numbers from 0, once the network knows them."""
        labels = None if self.network.classes is None else self.network.classes.tolist()
        return None if labels == list(range(len(labels or []))) else labels

    @property
    def columns(self) -> str:
        """The number of columns of X, as code."""
        return "X.shape[1]" if self.network.n_in is None else str(self.network.n_in)

    def given(self) -> list[str]:
        """What the code is to be given, as comments."""
        n_out = self.network.targets.n_out
        one = self.network.targets.has_labels or n_out == 1
        lines = [
            f"# Given: X of shape (n, {self.network.n_in or 'n_in'}), y of shape {'(n,)' if one else f'(n, {n_out})'}"
        ]
        if self.weights == "given":
            lines += ["# and weights, as np.load reads what np.savez(path, **net.parameters, **net.statistics) wrote."]
        lines += ["# and sample_weight of shape (n,)."] if self.sample_weight else []
        lines += ["# and X_val and y_val, to measure on."] if self.validation else []
        names = ["X", *(["X_val"] if self.validation else [])]
        return [*lines, *(f"{name} = np.asarray({name}, dtype=np.{self.network.dtype})" for name in names)]


def refuse_own(kind: str, things: Iterable[object], known: Iterable[type]) -> None:
    """Refuse what is not of the library itself: no other system knows what it computes."""
    kinds = tuple(known)
    for thing in things:
        if type(thing) not in kinds:
            names = ", ".join(k.__name__ for k in kinds)
            raise InputError(
                f"{thing!r} is a {kind} of your own, which no other system has: it cannot be translated. Known: "
                f"{names}."
            )


def refuse_own_activation(activation: Activation) -> None:
    """Refuse an activation that is not in the table, or whose constants are fixed elsewhere."""
    known = ACTIVATIONS.get(activation.name)
    if known is None or (known.function, known.derivative) != (activation.function, activation.derivative):
        raise InputError(
            f"The activation {activation.name!r} is your own, which no other system has: it cannot be translated. "
            f"Known: {', '.join(ACTIVATIONS)}."
        )
    if activation.name == "selu" and activation.constants != known.constants:
        raise InputError("Other systems have SELU with its own constants only: it cannot be translated with others.")


def starts(layer: Dense) -> list[tuple[str, Any, str]]:
    """Each parameter of a Dense layer with its initializer and the one it has by default."""
    weights = [("W", layer.weights, layer.bend.initializer)]
    return [*weights, ("b", layer.biases, "zeros")] if layer.bias else weights


def plain(value: float) -> float:
    """A computed number without the last bits, which are rounding.

    >>> plain(1e-4 * 32)
    0.0032
    """
    return float(f"{value:.15g}")


def listing(name: str, items: Sequence[str]) -> list[str]:
    """A list with a name, on one line or with one item to a line."""
    line = f"{name} = [{', '.join(items)}]"
    return [line] if len(line) <= WIDTH else [f"{name} = [", *(f"{INDENT}{item}," for item in items), "]"]


def counterpart(kind: object, table: Mapping[type, Callable[..., Any]], what: str, system: str) -> Any:
    """What a system calls one of our things, by its type.

    Raises
    ------
    InputError
        If it has no counterpart there.
    """
    if type(kind) not in table:
        raise InputError(f"{system} has no counterpart of {what} {kind!r}: it cannot be translated.")
    return table[type(kind)](kind)


def call(function: str, **settings: object) -> str:
    """A call, as text; settings that are None are left out.

    >>> call("SGD", lr=0.1, momentum=None)
    'SGD(lr=0.1)'
    """
    return f"{function}({', '.join(f'{name}={value}' for name, value in settings.items() if value is not None)})"


def broken(line: str, indent: str = "") -> list[str]:
    """A call that is too long for a line, with one argument to a line, as formatters do."""
    if len(line) + len(indent) <= WIDTH:
        return [indent + line]
    head, rest = line.split("(", 1)
    body, tail = rest.rsplit(")", 1)
    return [f"{indent}{head}(", *(f"{indent}{INDENT}{part}," for part in arguments(body)), f"{indent}){tail}"]


def arguments(text: str) -> list[str]:
    """Split a list of arguments at the commas that stand in no brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
