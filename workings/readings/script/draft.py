"""The page: the lines of a script as they are written, and what has to stand above them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from workings.model.model import Model
from workings.program.program import Program
from workings.readings.copying import CopiedCode
from workings.readings.script.settings import Settings
from workings.readings.script.text import WIDTH, fitting
from workings.version import __version__

OWN_NAMES = frozenset((
    "data", "weights", "rng", "classes", "X_all", "y_all", "w_all", "n_all", "epochs", "epoch", "batch_size", "history",
    "order", "start", "rows", "plateau", "follow", "objective", "losses_all", "p_all", "outputs", "predict", "math",
    "print", "range", "len", "float", "features", "table", "read_columns", "measure", "measures", "X_val", "y_val",
    "held", "kept", "counts", "by_class", "early", "watch", "begun", "best", "objectives",
    "labels", "true", "found", "schedule",
))  # fmt: skip
RAW_COLUMNS = (
    "NOTE: the network belongs to a table whose columns are standardized and one-hot encoded. X must hold them as "
    "`Preprocessing.transform` gives them, not as they stand in the table."
)
OWN_TABLE = (
    'It was trained on a table: `predict(table)` takes whatever gives a column by its name, table["…"], with the '
    "columns as they stand there (a dict of lists, a pandas or polars table)."
)
NUMPY_ONLY = (
    "np.random",
    "np.load",
    "np.ascontiguousarray",
    "table[",
)  # what stands in the way of another array module


@dataclass
class Page:
    """A script under way: ``lines`` so far, names that are ``defined``, functions that are ``copied`` above them."""

    settings: Settings
    lines: list[str] = field(default_factory=list)
    defined: set[str] = field(default_factory=set)
    copied: CopiedCode = field(default_factory=CopiedCode)

    @property
    def network(self) -> Model:
        """The network that is told."""
        return self.settings.network

    # -- writing -------------------------------------------------------------------------------

    def section(self, title: str) -> None:
        """Begin a section."""
        self.lines += ["", f"# {'-' * 2} {title} {'-' * (WIDTH - 7 - len(title))}", ""]

    def define(self, line: str) -> None:
        """Begin a function, two empty lines after what comes before."""
        self.lines += ["", line] if self.lines[-1] == "" else ["", "", line]

    def say(self, words: str, indent: str = "") -> None:
        """Write a comment."""
        self.lines += textwrap.wrap(words, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")

    def write(self, *lines: str, indent: str = "") -> None:
        """Write lines of code."""
        self.lines += [fitting(f"{indent}{line}") for line in lines]

    def assign(self, name: str, expression: str, indent: str = "") -> None:
        """Write an assignment."""
        self.write(f"{name} = {expression}", indent=indent)

    def constants(self, program: Program) -> None:
        """The fixed numbers and functions that some statements use, if they are not there yet."""
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
        """The network's precision as code."""
        return f"np.{self.network.dtype.name}"

    @property
    def cast(self) -> str:
        """What turns float64 into the network's precision; empty if that is float64."""
        return "" if self.network.dtype == np.float64 else f".astype({self.dtype})"

    def in_precision(self, expression: str) -> str:
        """An expression in the network's precision."""
        return f"({expression}){self.cast}" if self.cast else expression

    # -- the whole -----------------------------------------------------------------------------

    def whole(self) -> str:
        """The script: what stands above, and the lines."""
        body = "\n".join(self.lines).rstrip("\n")
        above = [*self.docstring(body), *self.imports(body), *self.copies()]
        return "\n".join([*above, body, ""])

    def docstring(self, body: str) -> Iterator[str]:
        """What the script is."""
        settings = self.settings
        trained = "and its training, " if settings.optimizer is not None else ""
        yield f'"""A neural network {trained}with NumPy alone; written by Workings {__version__}.'
        yield ""
        yield from textwrap.wrap(f"Layers {self.what()}.", WIDTH)
        if self.network.preprocessing is not None:
            yield from ["", *textwrap.wrap(RAW_COLUMNS if settings.columns is None else OWN_TABLE, WIDTH)]
        if not any(name in body for name in NUMPY_ONLY):
            yield from ["", "With `import jax.numpy as np` in place of the import below it runs under JAX."]
        yield from ['"""', ""]

    def what(self) -> str:
        """Network and training in a few words."""
        network, settings = self.network, self.settings
        words = f"{', '.join(map(repr, network.layers))}; loss {network.loss!r}"
        words += "".join(f"; {regularizer!r}" for regularizer in network.regularizers)
        if settings.optimizer is not None:
            words += f"; {settings.optimizer!r}, {settings.epochs:,} epochs"
        return words

    def imports(self, body: str) -> Iterator[str]:
        """The modules of the standard library that are used, and NumPy."""
        whole = body + "".join(self.copied.functions.values())
        used = sorted({*self.copied.modules - {"np", "math"}, *(["math"] if "math." in whole else [])})
        yield from [*(f"import {name}" for name in used), *([""] if used else []), "import numpy as np"]

    def copies(self) -> Iterator[str]:
        """The constants and functions that were copied."""
        yield from ["", *self.copied.constants.values()] if self.copied.constants else []
        for text in self.copied.functions.values():
            is_wide = any(len(line) > WIDTH for line in text.splitlines())
            yield from ["", "", *(["# fmt: off"] if is_wide else []), text, *(["# fmt: on"] if is_wide else [])]
        yield from [""] if self.copied.functions else []
