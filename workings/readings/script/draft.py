"""The draft of a script: its lines, and the imports and functions that precede them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from workings.model.model import Model
from workings.program.program import Program
from workings.readings.copying import CopiedCode
from workings.readings.script.script_settings import ScriptSettings
from workings.readings.script.text import INDENT, WIDTH, with_fmt_skip
from workings.support.brief import brief
from workings.support.escaping import visible
from workings.version import __version__

RESERVED_NAMES = frozenset((
    "data", "weights", "rng", "classes", "X_all", "y_all", "w_all", "n_all", "epochs", "epoch", "batch_size", "history",
    "order", "start", "rows", "plateau", "follow", "objective", "losses_all", "p_all", "outputs", "predict", "math",
    "print", "range", "len", "float", "features", "table", "read_columns", "measure", "measures", "X_val", "y_val",
    "held", "kept", "counts", "by_class", "watched", "best_value", "best_epoch", "is_first", "begun", "best",
    "objectives",
    "labels", "true", "found", "schedule",
))  # fmt: skip
ENCODED_NOTE = (
    "NOTE: the network was trained on a table whose columns were standardized and one-hot encoded. X must be encoded "
    "by `Preprocessing.transform`; it cannot hold the table's original values."
)
TABLE_NOTE = (
    'It was trained on a table: `predict(table)` takes any object that returns a column by its name, table["…"], such '
    "as a dict of lists, or a pandas or polars table."
)
TRAINING_IDEA = (
    "Training repeats three things for each batch of rows. Forward: from X to the objective J, which is small if p is "
    "near the targets y. Backward: the gradient of J with respect to each parameter, by the chain rule. Update: a step "
    "of each parameter against its gradient. The sections below stand in the order in which they run."
)
NOT_IN_JAX = (
    "np.random",
    "np.load",
    "np.ascontiguousarray",
    "table[",
)  # names that other array modules do not support


@dataclass
class ScriptDraft:
    """A script under construction: its ``lines``, the constants ``defined`` so far, and ``copied`` functions."""

    settings: ScriptSettings
    lines: list[str] = field(default_factory=list)
    defined: set[str] = field(default_factory=set)
    copied: CopiedCode = field(default_factory=CopiedCode)

    @property
    def network(self) -> Model:
        """The network of the script."""
        return self.settings.network

    # -- writing -------------------------------------------------------------------------------

    def section(self, title: str) -> None:
        """Begin a section with a heading."""
        self.lines += ["", f"# {'-' * 2} {title} {'-' * (WIDTH - 7 - len(title))}", ""]

    def define(self, line: str) -> None:
        """Begin a function after two empty lines."""
        self.lines += ["", line] if self.lines[-1] == "" else ["", "", line]

    def comment(self, words: str, indent: str = "") -> None:
        """Write a comment."""
        self.lines += textwrap.wrap(
            visible(words, keep="\n"), WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
        )

    def write(self, *lines: str, indent: str = "") -> None:
        """Write lines of code."""
        self.lines += [with_fmt_skip(f"{indent}{line}") for line in lines]

    def assign(self, name: str, expression: str, indent: str = "") -> None:
        """Write an assignment."""
        self.write(f"{name} = {expression}", indent=indent)

    def constants(self, program: Program) -> None:
        """Write the constants and copy the functions that some statements use, unless they exist already."""
        used = {name for statement in program.statements for name in statement.reads}
        new = [name for name in program.constants if name in used - self.defined]
        self.lines += [f"{name} = {program.constants[name]!r}" for name in new]
        self.defined.update(new)
        for name, function in program.functions.items():
            if name in used:
                self.copied.add(name, function)

    # -- precision -----------------------------------------------------------------------------

    @property
    def dtype(self) -> str:
        """The network's dtype as code."""
        return f"np.{self.network.dtype.name}"

    @property
    def cast(self) -> str:
        """Code that casts float64 to the network's dtype; empty for float64."""
        return "" if self.network.dtype == np.float64 else f".astype({self.dtype})"

    def in_precision(self, expression: str) -> str:
        """Return an expression cast to the network's dtype."""
        return f"({expression}){self.cast}" if self.cast else expression

    # -- the complete script -----------------------------------------------------------------------------

    def text(self) -> str:
        """Return the script."""
        body = "\n".join(self.lines).rstrip("\n")
        above = [*self.docstring(body), *self.imports(body), *self.copies()]
        return "\n".join([*above, body, ""])

    def docstring(self, body: str) -> Iterator[str]:
        """Yield the module docstring."""
        settings = self.settings
        trained = "and its training, " if settings.optimizer is not None else ""
        yield f'"""A neural network {trained}with NumPy alone; written by Workings {__version__}.'
        yield ""
        yield from textwrap.wrap(f"Layers {self.summary()}.", WIDTH)
        yield from self.idea()
        if self.network.preprocessing is not None:
            yield from ["", *textwrap.wrap(ENCODED_NOTE if settings.columns is None else TABLE_NOTE, WIDTH)]
        if not any(name in body for name in NOT_IN_JAX):
            yield from ["", "To run it with JAX, replace the import below by `import jax.numpy as np`."]
        yield from ['"""', ""]

    def idea(self) -> Iterator[str]:
        """Yield a description of the network, before the numbers of the data."""
        program = self.network.inference_program()
        yield from ["", "From rows X, the network computes its prediction p:", ""]
        yield from (f"{INDENT}{statement}" for statement in program.needed_for("p").statements)
        if self.settings.optimizer is not None:
            yield from ["", *textwrap.wrap(TRAINING_IDEA, WIDTH)]

    def summary(self) -> str:
        """Summarize the network and its training."""
        network, settings = self.network, self.settings
        words = f"{', '.join(map(brief, network.layers))}; loss {brief(network.loss)}"
        words += "".join(f"; {brief(regularizer)}" for regularizer in network.regularizers)
        if settings.optimizer is not None:
            words += f"; {brief(settings.optimizer)}, {settings.recipe.epochs:,} epochs"
        return words

    def imports(self, body: str) -> Iterator[str]:
        """Yield the imports: modules of the standard library that are used, and NumPy."""
        whole = body + "".join(self.copied.functions.values())
        used = sorted({*self.copied.modules - {"np", "math"}, *(["math"] if "math." in whole else [])})
        yield from [*(f"import {name}" for name in used), *([""] if used else []), "import numpy as np"]

    def copies(self) -> Iterator[str]:
        """Yield the copied constants and functions."""
        yield from ["", *self.copied.constants.values()] if self.copied.constants else []
        for text in self.copied.functions.values():
            is_wide = any(len(line) > WIDTH for line in text.splitlines())
            yield from ["", "", *(["# fmt: off"] if is_wide else []), text, *(["# fmt: on"] if is_wide else [])]
        yield from [""] if self.copied.functions else []
