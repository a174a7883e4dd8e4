"""The script: a network and its training as one file that needs NumPy alone.

It has no mathematics of its own.  The statements are those of the program, initializers and schedules are taken
from their source with their settings in place of the letters, and what is not straight-line code is copied whole.
So it ends with the same bits as the reference engine, on the same machine with the same NumPy.
"""

from __future__ import annotations

import copy
import functools
import inspect
import io
import textwrap
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workings.arrays import Array, describe
from workings.columns import Columns, Number, Words, columns_in, filled, original, standard
from workings.errors import InputError
from workings.initializers import Given, initializer_of
from workings.layers import Dense, Dropout, dropout_mask, numbered
from workings.optimizers import LBFGS, Part
from workings.program import STAGE_WORDS, Program, Statement, show_shape, text_of, told
from workings.readings.copying import Copied, method_with_settings, rate_with_settings, with_settings
from workings.schedules import Constant, OnPlateau
from workings.sparse import dense
from workings.targets import more_probable, most_probable, one_hot
from workings.training import checked_optimizer
from workings.version import __version__
from workings.writing import write_bytes

if TYPE_CHECKING:
    from workings.network import Network

WIDTH = 88  # columns, as formatters have it
INDENT = "    "
MOST_INLINE = 20_000  # numbers that are written into a script
OWN_NAMES = frozenset((
    "data", "weights", "rng", "classes", "X_all", "y_all", "n_all", "epochs", "epoch", "batch_size", "history", "order",
    "start", "rows", "plateau", "follow", "objective", "losses_all", "outputs", "predict", "math", "print", "range",
    "len", "float", "features",
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


def script(
    network: Network,
    *,
    optimizer: Part | None = None,
    epochs: int = 100,
    batch_size: int | None = 32,
    shuffle: bool = True,
    weights: str = "seed",
    data: Any = None,
    data_file: str | None = None,
) -> str:
    """Write a network and its training as one Python file that needs NumPy alone.

    Parameters
    ----------
    optimizer : optimizer or None
        Without one, the script only predicts, with the network's parameters as they are.
    epochs, batch_size, shuffle :
        As for ``fit``; the script ends with the same bits as ``fit(..., engine="reference")``.
    weights : str
        ``"seed"``: first weights are drawn as the network draws them, so the script begins where the network
        began, trained or not.  ``"inline"``: the network's parameters
        as they are stand in the script.  A path that ends in ``.npz``: they are read from that file, which
        ``np.savez(path, **net.parameters, **net.statistics)`` writes; ``"file"`` is short for ``"weights.npz"``.
    data : (X, y), path, or None
        Arrays, which are written into the script, or an ``.npz`` file that holds ``X`` and ``y``; by default
        ``data.npz``.
    data_file : str or None
        For arrays: the ``.npz`` file in which the script is to find them.

    Returns
    -------
    str
        The script. When it has run, ``history`` holds the losses, and each parameter stands under its name.

    Raises
    ------
    InputError
        For settings that a script cannot have.
    ProgramError
        For a function whose source cannot be had.

    Examples
    --------
    >>> from workings import Dense, Network, SGD, SquaredError
    >>> net = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=1)
    >>> text = net.script(optimizer=SGD(0.1), epochs=3, batch_size=None, data=([[1.0], [2.0]], [2.0, 4.0]))
    >>> print(text[text.index("    # layer 1") :].split("\\n\\n")[0])
        # layer 1: Dense(1, 'identity')
        # z1 is each unit's weighted sum of its inputs, plus its bias.
        z1 = X @ W1 + b1  # (n, 1)
    """
    if network.n_in is None and data is not None and not isinstance(data, (str, Path)):
        network = copy.deepcopy(network)
        network.prepare(*both(data))  # finds the number of columns
    settings = Settings(network, optimizer, epochs, batch_size, shuffle, weights, data, data_file)
    return ScriptWriter(settings).written()


def save_script(network: Network, path: str | Path, *, data: Any = None, **settings: Any) -> list[Path]:
    """Write a script to a file; data or weights that are too many to stand in it go to ``.npz`` files beside it.

    Returns
    -------
    list of Path
        What was written, the script first.

    Raises
    ------
    InputError, ProgramError
        As ``script`` does.
    FileError
        If the folder cannot be written to.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> net = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=1)
    >>> [path.name for path in save_script(net, "line.py")]
    ['line.py']
    """
    path = Path(path)
    written = [path]
    values = {**network.parameters, **network.statistics}
    drawn = settings.get("optimizer") is not None and settings.get("weights", "seed") == "seed"
    if not drawn and sum(value.size for value in values.values()) > MOST_INLINE:
        written.append(save_arrays(path.with_name(f"{path.stem}-weights.npz"), values))
        settings["weights"] = written[-1].name
    if data is not None and sum(np.size(array) for array in data) > MOST_INLINE:
        written.append(save_arrays(path.with_name(f"{path.stem}-data.npz"), dict(zip("Xy", data, strict=True))))
        settings["data_file"] = written[-1].name
    write_bytes(path, script(network, data=data, **settings).encode())
    return written


def both(data: Any) -> tuple[Array, Array]:
    """X and y of ``data=(X, y)``."""
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise InputError(f"data is (X, y) or the path of an .npz file, not {describe(data)}.")
    return np.asarray(data[0]), np.asarray(data[1])


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> Path:
    """Write arrays to an ``.npz`` file."""
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    write_bytes(path, content.getvalue())
    return path


@dataclass(frozen=True)
class Settings:
    """What a script is to do, checked."""

    network: Network
    optimizer: Part | None
    epochs: int
    batch_size: int | None
    shuffle: bool
    weights: str
    data: Any
    data_file: str | None

    def __post_init__(self) -> None:
        if self.optimizer is not None and isinstance(checked_optimizer(self.optimizer), LBFGS):
            raise InputError("SciPy makes the steps of L-BFGS: no script with NumPy alone can do that.")
        for name, value in (("epochs", self.epochs), ("batch_size", self.batch_size)):
            is_whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            if not is_whole and not (name == "batch_size" and value is None):
                raise InputError(f"{name} must be a whole number from 1, not {describe(value)}.")
        if self.weights not in ("seed", "inline", "file") and not self.weights.endswith(".npz"):
            raise InputError(f'weights is "seed", "inline", "file" or a path that ends in .npz, not {self.weights!r}.')
        if self.network.n_in is None:
            raise InputError("The network does not know how many columns X has: give data=(X, y), or call fit first.")
        if self.weights == "seed" and self.optimizer is not None and self.network.rng_made is None:
            raise InputError('The network has no seed, or comes from a file: use weights="inline".')

    @functools.cached_property
    def arrays(self) -> tuple[Array, Array] | None:
        """X and y, where they are at hand."""
        if isinstance(self.data, (str, Path)) or self.data is None:
            if self.data is None or not Path(self.data).exists():
                return None
            with np.load(self.data) as file:
                X, y = file["X"], file["y"]
        else:
            X, y = both(self.data)
        features, _, _ = copy.deepcopy(self.network).prepare(X, y)  # refuses what fit refuses
        return dense(features), y

    @property
    def path(self) -> str | None:
        """The file that the script reads its data from; None if they stand in it."""
        if isinstance(self.data, (str, Path)) or self.data is None:
            return str(self.data or "data.npz")
        return self.data_file

    @property
    def is_full(self) -> bool:
        """Whether each step takes all rows."""
        return self.batch_size is None or (self.arrays is not None and len(self.arrays[0]) <= self.batch_size)

    @property
    def is_random(self) -> bool:
        """Whether anything is drawn while the network learns."""
        return (self.shuffle and not self.is_full) or any(layer.draws for layer in self.network.layers)


@dataclass
class ScriptWriter:
    """Writes the sections of a script."""

    settings: Settings
    lines: list[str] = field(default_factory=list)
    defined: set[str] = field(default_factory=set)
    copied: Copied = field(default_factory=Copied)

    @property
    def network(self) -> Network:
        """The network that is told."""
        return self.settings.network

    def written(self) -> str:
        """The whole script."""
        if self.settings.optimizer is None:
            self.parameters("inline" if self.settings.weights == "seed" else self.settings.weights)
            self.predicting()
        else:
            self.data()
            self.parameters(self.settings.weights)
            self.training(self.settings.optimizer)
            self.predicting()
            self.section("Result")
            self.lines += ['print(f"loss at the beginning {history[0]:.6g}, at the last epoch {history[-1]:.6g}")']
        body = "\n".join(self.lines).rstrip("\n")
        return "\n".join([*self.header(body), body, ""])

    def header(self, body: str) -> list[str]:
        """The first lines, and what stands above all else."""
        network, settings = self.network, self.settings
        layers = ", ".join(map(repr, network.layers))
        what = f"layers {layers}; loss {network.loss!r}"
        what += "".join(f"; {regularizer!r}" for regularizer in network.regularizers)
        if settings.optimizer is not None:
            what += f"; {settings.optimizer!r}, {settings.epochs:,} epochs"
        trained = "and its training, " if settings.optimizer is not None else ""
        lines = [f'"""A neural network {trained}with NumPy alone; written by Workings {__version__}.', ""]
        lines += textwrap.wrap(f"{what[0].upper()}{what[1:]}.", WIDTH)
        if network.preprocessing is not None:
            lines += ["", *textwrap.wrap(RAW_COLUMNS if self.columns is None else OWN_TABLE, WIDTH)]
        if not any(name in body for name in NUMPY_ONLY):
            lines += ["", "With `import jax.numpy as np` in place of the import below it runs under JAX."]
        lines += ['"""', ""]
        uses_math = "math." in body + "".join(self.copied.functions.values())
        lines += [*(["import math", ""] if uses_math else []), "import numpy as np"]
        for text in self.copied.constants.values():
            lines += ["", text] if text is next(iter(self.copied.constants.values())) else [text]
        for text in self.copied.functions.values():
            is_wide = any(len(line) > WIDTH for line in text.splitlines())
            lines += ["", "", *(["# fmt: off"] if is_wide else []), text, *(["# fmt: on"] if is_wide else [])]
        return [*lines, *([""] if self.copied.functions else [])]

    def section(self, title: str) -> None:
        """Begin a section."""
        self.lines += ["", f"# {'-' * 2} {title} {'-' * (WIDTH - 7 - len(title))}", ""]

    def define(self, line: str) -> None:
        """Begin a function, two empty lines after what comes before."""
        self.lines += ["", line] if self.lines[-1] == "" else ["", "", line]

    def say(self, words: str, indent: str = "") -> None:
        """Write a comment."""
        self.lines += textwrap.wrap(words, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")

    # -- data ----------------------------------------------------------------------------------

    def data(self) -> None:
        """Where X and y come from, and how labels become numbers."""
        settings, network = self.settings, self.network
        self.section("Data")
        dtype = f"np.{network.dtype.name}"
        if settings.path is not None:
            self.say("Rows are samples: X has a column for each input, y what is to be predicted.")
            self.say("The file is looked for in the folder in which the script is run.")
            self.lines += [f'with np.load("{settings.path}") as data:', f'{INDENT}X, y = data["X"], data["y"]']
            self.lines += [f"X = np.ascontiguousarray(X, dtype={dtype})"]
        else:
            assert settings.arrays is not None
            X, y = settings.arrays
            if X.size + y.size > MOST_INLINE:
                raise InputError(
                    f"X and y hold {X.size + y.size:,} numbers, too many to stand in a script. Write them to a file, "
                    'np.savez("data.npz", X=X, y=y), and say data="data.npz".'
                )
            self.say("Rows are samples: X has a column for each input, y what is to be predicted.")
            self.lines += ["# fmt: off", f"X = np.array({rows_of(X)}, dtype={dtype})", f"y = np.array({rows_of(y)})"]
            self.lines += ["# fmt: on"]
        self.targets(dtype)

    def targets(self, dtype: str) -> None:
        """Targets as the program wants them: a row for each sample, a column for each output."""
        network, arrays = self.network, self.settings.arrays
        targets, y = network.targets, None if arrays is None else arrays[1]
        if targets.has_labels and (y is None or y.ndim == 1):
            known = targets if y is None else targets.learn(y)
            if known.classes is None:
                raise InputError(
                    "Which labels y holds is not known: give data=(X, y), write the data file first, or call fit."
                )
            self.say("One column for each class, 1 where it is the row's." if targets.kind == "classes" else
                     "One column: 1 for the second of the two labels.")  # fmt: skip
            columns = "classes" if targets.kind == "classes" else "classes[1:]"
            self.lines += [fitting(labels_line(known.classes))]
            self.lines += [f"y = ({told(one_hot, labels='y', classes=columns)}).astype({dtype})"]
        else:
            self.lines += [f"y = np.ascontiguousarray(y, dtype={dtype}).reshape(len(X), {network.n_out})"]
        if not self.settings.is_full:
            self.lines += ["X_all, y_all = X, y"]

    # -- parameters ----------------------------------------------------------------------------

    def parameters(self, weights: str) -> None:
        """The first value of each parameter and statistic."""
        network = self.network
        self.section("First weights" if self.settings.optimizer is not None else "Weights")
        if weights == "seed":
            self.lines += [f"rng = {network.rng_made}"]
            width = network.n_in or 1
            for layer, number in numbered(network.layers):
                self.drawn(layer, number, width)
                width = layer.width(width)
            return
        values = {**network.parameters, **network.statistics}
        if weights == "inline":
            if sum(value.size for value in values.values()) > MOST_INLINE:
                raise InputError('So many weights cannot stand in a script: use weights="file".')
            self.lines += ["# fmt: off"]
            dtype = f", dtype=np.{network.dtype.name}" if self.cast else ""
            self.lines += [f"{name} = np.array({rows_of(value)}{dtype})" for name, value in values.items()]
            self.lines += ["# fmt: on"]
        else:
            self.lines += [f'with np.load("{"weights.npz" if weights == "file" else weights}") as weights:']
            self.lines += [f'{INDENT}{name} = weights["{name}"]' for name in values]
        if self.settings.optimizer is not None and self.settings.is_random:
            self.random_state()

    def random_state(self) -> None:
        """The source of random numbers, as it is now."""
        rng = self.network.rng
        if not isinstance(rng, np.random.Generator):
            raise InputError("Orders and masks come from a RandomState: give the network a whole number as seed.")
        state = repr(rng.bit_generator.state).replace("'", '"')
        self.say("Orders and masks go on from where the network's source of random numbers stands.")
        self.lines += [f"rng = np.random.Generator(np.random.{type(rng.bit_generator).__name__}())"]
        self.lines += ["# fmt: off", f"rng.bit_generator.state = {state}", "# fmt: on"]

    @property
    def cast(self) -> str:
        """What turns float64 into the network's precision; empty if that is float64."""
        return "" if self.network.dtype == np.float64 else f".astype(np.{self.network.dtype.name})"

    def in_precision(self, expression: str) -> str:
        """An expression in the network's precision."""
        return f"({expression}){self.cast}" if self.cast else expression

    def drawn(self, layer: Any, number: str, width: int) -> None:
        """How a layer's first values are drawn."""
        start = layer.start(np.random.default_rng(0), width)
        first = {"W": "weights", "b": "biases"} if isinstance(layer, Dense) else {}
        for letter, value in start.items():
            name = f"{letter}{number}"
            if letter in first:
                default = layer.bend.initializer if letter == "W" else "zeros"
                initializer = initializer_of(getattr(layer, first[letter]), default)
                words, text = self.initial(initializer, value.shape)
                self.say(f"{name}: {words}" if words else f"{name}, of shape {show_shape(value.shape)}.")
            elif value.size and (value == value.flat[0]).all():
                text = f"np.full({value.shape!r}, {float(value.flat[0])!r})"
            else:
                raise InputError(f'How {layer!r} draws its first values cannot be told: use weights="inline".')
            self.lines += self.assigned(name, self.in_precision(text))

    def initial(self, initializer: Any, shape: tuple[int, ...]) -> tuple[str, str]:
        """What an initializer does, in words and as an expression."""
        if isinstance(initializer, Given):
            return "given numbers.", f"np.array({initializer.values.tolist()!r})"
        if isinstance(initializer, types.FunctionType):
            self.copied.add(initializer.__name__, initializer)
            return (inspect.getdoc(initializer) or "").split("\n")[0], f"{initializer.__name__}(rng, {shape!r})"
        expression = with_settings(initializer, rng="rng", shape=repr(shape))
        if expression is None:
            raise InputError(f'How {initializer!r} draws cannot be told in one line: use weights="inline".')
        words = (type(initializer).__doc__ or "").split("\n")[0]
        return "" if words.startswith(type(initializer).__name__) else words, text_of(expression)

    # -- training ------------------------------------------------------------------------------

    def training(self, optimizer: Part) -> None:
        """The loop."""
        network, settings = self.network, self.settings
        program = network.program(optimizer)
        self.refuse_own_names(program)
        inside = program if settings.is_full else program.needed_for(*program.carried)
        if not settings.is_full:
            self.objective()
        schedule: Any = optimizer.schedule  # type: ignore[attr-defined]
        counts = "t" in inside.inputs or not isinstance(schedule, (Constant, OnPlateau))
        self.section("Training")
        self.constants(program)
        self.states(program)
        self.before_the_loop(schedule, counts)
        self.lines += ["for epoch in range(epochs):"]
        indent = INDENT if settings.is_full else self.batches()
        self.lines += [f"{indent}t = t + 1"] if counts else []
        if isinstance(schedule, OnPlateau):
            self.lines += [f'{indent}lr = plateau.get("lr", {float(schedule.lr)!r})']
        elif not isinstance(schedule, Constant):
            self.lines += self.assigned("lr", self.rate(schedule), indent)
        self.masks(indent)
        self.statements(inside, indent)
        if settings.is_full:
            self.lines += ["", f"{INDENT}history.append({self.per_row('J', 'n')})"]
        if isinstance(schedule, OnPlateau):
            self.lines += [f"{INDENT}plateau = follow(plateau, history[-1])"]

    def before_the_loop(self, schedule: Any, counts: bool) -> None:
        """The settings, and what begins at nothing."""
        settings = self.settings
        if isinstance(schedule, OnPlateau):
            self.plateau(schedule)
        rows = ["n = len(X)"] if settings.is_full else [f"batch_size = {settings.batch_size}", "n_all = len(X_all)"]
        self.lines += [f"epochs = {settings.epochs}", *rows]
        self.lines += [f"lr = {float(schedule.lr)!r}"] if isinstance(schedule, Constant) else []
        self.lines += ["t = 0  # steps that have been made"] if counts else []
        self.lines += ["history = []", ""]

    def refuse_own_names(self, program: Program) -> None:
        """See to it that the program and the script do not use one name for two things."""
        both = OWN_NAMES & {*(s.target for s in program.statements), *program.functions, *program.constants}
        if both:
            raise InputError(f"{min(both)!r} is a name that the script uses itself: call yours something else.")

    def batches(self) -> str:
        """The beginning of an epoch of several batches; give how far its steps are set in."""
        self.say("The objective on all rows, at the parameters that the epoch begins with.", INDENT)
        self.lines += [f"{INDENT}history.append({self.per_row('objective(X_all, y_all)', 'n_all')})"]
        self.lines += [f"{INDENT}order = rng.permutation(n_all)"] if self.settings.shuffle else []
        self.lines += [f"{INDENT}for start in range(0, n_all, batch_size):"]
        inner, rows = 2 * INDENT, "start : start + batch_size"
        if self.settings.shuffle:
            self.lines += [f"{inner}rows = order[{rows}]"]
            rows = "rows"
        self.lines += [f"{inner}X, y = X_all[{rows}], y_all[{rows}]", f"{inner}n = len(X)"]
        return inner

    def per_row(self, objective: str, rows: str) -> str:
        """An objective for the history, which is per row."""
        return f"float({objective}) / {rows}" if self.network.loss.reduction == "sum" else f"float({objective})"

    def constants(self, program: Program) -> None:
        """The fixed numbers and functions that some statements use, if they are not there yet."""
        used = {name for statement in program.statements for name in statement.reads}
        new = [name for name in program.constants if name in used - self.defined]
        self.lines += [f"{name} = {program.constants[name]!r}" for name in new]
        self.defined.update(new)
        for name, function in program.functions.items():
            if name in used:
                self.copied.add(name, function)

    def states(self, program: Program) -> None:
        """The optimizer's state, which begins at 0."""
        if program.states:
            self.say("What the optimizer remembers begins at 0.")
        for name in program.states:
            parameter = next(p for p in program.parameters if name.endswith(f"_{p}"))
            self.lines += [f"{name} = np.zeros_like({parameter})"]

    def rate(self, schedule: Any) -> str:
        """The learning rate of step t, counted from 1."""
        return rate_with_settings(schedule, self.copied, "(t - 1)")

    def plateau(self, schedule: OnPlateau) -> None:
        """The rate that falls when the loss does."""
        if schedule.monitor != "loss":
            raise InputError(f"OnPlateau looks at {schedule.monitor!r}, which a script does not measure.")
        self.copied.functions["follow"] = method_with_settings(schedule, "follow")
        self.lines += ["plateau = {}"]

    def masks(self, indent: str) -> None:
        """What is drawn anew for each step."""
        width = self.network.n_in or 1
        for layer, number in numbered(self.network.layers):
            if type(layer).draw is Dropout.draw:
                rate = repr(layer.rate)  # type: ignore[attr-defined]
                mask = told(dropout_mask, u=f"rng.random((n, {width}))", rate=rate)
                self.lines += self.assigned(f"mask{number}", self.in_precision(mask), indent)
            elif layer.draws:
                raise InputError(f"What {layer!r} draws for each step cannot be told in a script.")
            width = layer.width(width)

    def statements(self, program: Program, indent: str) -> None:
        """The statements, with what each does and what shape it gives."""
        stage = part = ""
        said: set[tuple[str, str]] = set()  # the update's words are the same for each parameter
        for statement in program.statements:
            if statement.stage != stage:
                stage = statement.stage
                self.lines += [] if self.lines[-1].endswith(":") else [""]
                self.say(f"{STAGE_WORDS[stage]}.", indent)
            if statement.part != part:
                part = statement.part
                self.lines += [""]
                self.say(part, indent)
            if statement.words and (statement.part, statement.words) not in said:
                self.say(statement.words, indent)
            if statement.stage == "update":
                said.add((statement.part, statement.words))
            self.lines += self.with_shape(statement, indent)

    def with_shape(self, statement: Statement, indent: str) -> list[str]:
        """A statement and the shape of its result."""
        shape = show_shape(statement.shape)
        lines = self.assigned(statement.target, statement.expression, indent)
        longer = f"{lines[0]}  # {shape}"
        return [longer] if shape and len(longer) <= WIDTH else lines

    def assigned(self, name: str, expression: str, indent: str = "") -> list[str]:
        """An assignment."""
        return [fitting(f"{indent}{name} = {expression}")]

    def objective(self) -> None:
        """A function that measures the objective as the history does: some rows after the other."""
        network = self.network
        program = network.inference_program()
        first = program.needed_for("losses")
        rest = program.without(program.needed_for("p", "losses")).needed_for("J")
        self.section("The objective on all rows")
        self.constants(program)
        rows, arrays = network.rows_in_chunk, self.settings.arrays
        in_one_piece = arrays is not None and len(arrays[0]) <= rows
        pieces = "" if in_one_piece else f", {rows:,} rows at a time"
        self.define("def objective(X, y):")
        self.lines += [f'{INDENT}"""The objective J with nothing left to chance{pieces}."""', f"{INDENT}n = len(X)"]
        if in_one_piece:
            for statement in first.statements:
                self.lines += self.assigned(statement.target, statement.expression, INDENT)
        else:
            self.in_pieces(first, rows)
        for statement in rest.statements:
            self.lines += self.assigned(statement.target, statement.expression, INDENT)
        self.lines += [f"{INDENT}return J", ""]

    def in_pieces(self, program: Program, rows: int) -> None:
        """The losses of some rows after the other."""
        stop = f"start : start + {rows}"
        self.lines += [f"{INDENT}X_all, y_all, losses_all = X, y, []", f"{INDENT}for start in range(0, n, {rows}):"]
        self.lines += [f"{2 * INDENT}X, y = X_all[{stop}], y_all[{stop}]"]
        for statement in program.statements:
            self.lines += self.assigned(statement.target, statement.expression, 2 * INDENT)
        self.lines += [f"{2 * INDENT}losses_all.append(losses)"]
        self.lines += [f"{INDENT}X, y, losses = X_all, y_all, np.concatenate(losses_all)"]

    # -- predicting ----------------------------------------------------------------------------

    def predicting(self) -> None:
        """Functions that predict: the outputs p, and what people want of them."""
        network = self.network
        program = network.inference_program().needed_for("p")
        self.section("Predicting")
        self.constants(program)
        targets = network.targets
        if targets.has_labels and targets.classes is not None and self.settings.optimizer is None:
            self.lines += [fitting(labels_line(targets.classes))]
        if self.columns is not None:
            self.table(self.columns)
        elif network.preprocessing is not None:
            self.say(RAW_COLUMNS)
        self.define("def outputs(X):")
        self.lines += [f'{INDENT}"""The outputs p for rows X of shape (n, {network.n_in}): (n, {network.n_out})."""']
        for statement in program.statements:
            self.lines += self.with_shape(statement, INDENT)
        given = "X" if self.columns is None else "table"
        self.lines += [f"{INDENT}return p", "", "", f"def predict({given}):", *self.decoding(), ""]

    @property
    def columns(self) -> Columns | None:
        """The table that a script which only predicts takes."""
        return columns_in(self.network.preprocessing) if self.settings.optimizer is None else None

    def table(self, columns: Columns) -> None:
        """A function that makes X of a table's own columns."""
        self.define("def features(table):")
        self.lines += [
            f'{INDENT}"""X for a table: each column as the network was trained on it."""',
            f"{INDENT}parts = []",
        ]
        for column in columns.columns:
            lines = word_lines(column) if isinstance(column, Words) else number_lines(column)
            self.lines += [fitting(f"{INDENT}{line}") for line in lines]
        whole = self.in_precision("np.column_stack(parts)")
        self.lines += [f"{INDENT}return {whole}"]

    def decoding(self) -> list[str]:
        """How outputs become labels, or numbers of shape (n,) or (n, n_out)."""
        targets = self.network.targets
        is_known = targets.classes is not None or self.settings.optimizer is not None
        classes = "classes" if targets.has_labels and is_known and "classes = " in "\n".join(self.lines) else ""
        X = "X" if self.settings.optimizer is not None else "np.asarray(X)"  # a table of pandas, say
        given, p = ("rows X", f"outputs({X})") if self.columns is None else ("a table", "outputs(features(table))")
        words, value = "numbers", p + ("[:, 0]" if targets.n_out == 1 else "")
        if self.columns is not None and self.columns.scale is not None:
            mean, std = map(repr, self.columns.scale)
            value = told(original, p=f"{value}.astype(float)" if self.cast else value, mean=mean, std=std)
        if targets.kind == "classes":
            words, value = "the most probable label", told(most_probable, p=p)
        elif targets.kind == "labels":
            words, value = "the more probable label", f"({told(more_probable, p=value)}).astype(int)"
        value = f"{classes}[{value}]" if classes else value
        return [f'{INDENT}"""What is predicted for {given}: {words}."""', f"{INDENT}return {value}"]


def labels_line(classes: Array) -> str:
    """The labels behind the outputs as code, whatever text they are.

    >>> print(labels_line(np.array(["a", 'say "b"'])))
    classes = np.array(["a", 'say "b"'])
    """
    labels = [quoted(label) if isinstance(label, str) else repr(label) for label in classes.tolist()]
    return f"classes = np.array([{', '.join(labels)}])"


def number_lines(column: Number) -> list[str]:
    """How a column of numbers becomes one of X."""
    name = quoted(column.name)
    lines = [f"x = np.asarray(table[{name}], dtype=float)"]
    if column.fill is not None:
        lines += [f"x = {told(filled, x='x', fill=repr(column.fill))}  # a gap is filled"]
    lines += ["if not np.isfinite(x).all():"]
    wrong = f"The column {column.name} has a gap or an infinite number."
    return [
        *lines,
        f"{INDENT}raise ValueError({quoted(wrong)})",
        f"parts.append({told(standard, x='x', mean=repr(column.mean), std=repr(column.std))})",
    ]


def word_lines(column: Words) -> list[str]:
    """How a column of words becomes one of X for each category."""
    name, gap = quoted(column.name), quoted(column.fill or "")
    lines = [f"known = np.array([{', '.join(map(quoted, column.categories))}])"]
    lines += [f"words = [{gap} if w is None or w != w else str(w).strip() or {gap} for w in table[{name}]]"]
    one_for_each = told(one_hot, labels="np.array(words)", classes="known")
    lines += [f"part = {one_for_each}", "if not part.any(axis=1).all():"]
    wrong = f"The column {column.name} has a category that was not in the training table."
    return [*lines, f"{INDENT}raise ValueError({quoted(wrong)})", "parts.append(part)"]


def quoted(text: str) -> str:
    """Text as code, in double quotes wherever formatters want them.

    >>> print(quoted("red"), quoted('a "b"'))
    "red" 'a "b"'
    """
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain.startswith("'") and '"' not in text else plain


def rows_of(array: Array) -> str:
    """An array as nested lists, a row on each line."""
    values = array.tolist()
    if array.ndim < 2:
        return "\n    ".join(textwrap.wrap(repr(values), WIDTH - 4)).replace("'", '"')
    return "[\n    " + ",\n    ".join(map(repr, values)) + ",\n]"


def fitting(line: str) -> str:
    """A line that formatters leave as it is."""
    is_long = len(line) > WIDTH and not line.lstrip().startswith(("#", '"""', "def ", "for ", "if "))
    return f"{line}  # fmt: skip" if is_long else line
