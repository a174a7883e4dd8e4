"""The module: the sections of the JavaScript file, from the weights to the training."""

from __future__ import annotations

import ast
import base64
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workings.layers import Dropout, dropout_mask, number_layers
from workings.model.model import Model
from workings.model.targets import more_probable, most_probable, one_hot
from workings.optimizers import Part
from workings.program.program import Program, Shape, Statement
from workings.readings.copying import CopiedCode, inlined_method, rate_expression
from workings.readings.javascript.expressions import Expressions
from workings.readings.javascript.functions import INDENT, copied_lines
from workings.readings.javascript.names import Names, array_functions, file_names, file_text, literal, number
from workings.readings.javascript.recorded import Recorded
from workings.readings.javascript.step_functions import WIDTH, JavaScriptStatementWriter, comment, wrapped
from workings.schedules import Constant, monitor_of
from workings.support.arrays import Array
from workings.tables.columns import CategoryColumn, Column, Columns, columns_in, filled, missing, original, standard
from workings.training.recipe import Recipe
from workings.version import __version__

READABLE = 2_000  # numbers of an array that are written as text; more are written as base64
OWN_NAMES = frozenset((
    "weights", "classes", "targetColumns", "settings", "data", "parameters", "states", "carried", "draws", "encode",
    "decode", "inferenceForward", "inferenceObjective", "forwardAndBackward", "update", "learningRate", "drawMasks",
    "follow", "columns", "inOriginalUnit", "checkedTargets",
))  # fmt: skip
FILES = ("arrays.js", "labels.js", "prediction.js", "gradients.js", "training.js", "tables.js", "columns.js")
PLATEAU = "reduced_on_plateau"


@dataclass
class ModuleDraft:
    """A module under construction.

    Attributes
    ----------
    network : Model
        With the weights that the module contains.
    recipe : Recipe or None
        The settings of the training; None for a module that only predicts.
    recorded : Recorded or None
        The data, row orders and masks that the module contains.
    arrays : str or None
        The path from which the module imports ``arrays.js``; None to contain it.
    """

    network: Model
    recipe: Recipe | None = None
    recorded: Recorded | None = None
    arrays: str | None = None
    copied: CopiedCode = field(default_factory=CopiedCode)

    @functools.cached_property
    def optimizer(self) -> Part | None:
        """The optimizer; None for a module that only predicts."""
        return None if self.recipe is None else self.recipe.optimizer  # type: ignore[return-value]

    @property
    def is_weighted(self) -> bool:
        """Whether rows have weights."""
        recipe = self.recipe
        return recipe is not None and (recipe.sample_weight is not None or recipe.class_weight is not None)

    @functools.cached_property
    def columns(self) -> Columns | None:
        """The columns of the table that the network was trained on; None without a table."""
        return columns_in(self.network.preprocessing)

    # -- programs ------------------------------------------------------------------------------

    @functools.cached_property
    def inference(self) -> Program:
        """The statements of a prediction and its objective."""
        program = self.network.inference_program(weighted=self.is_weighted)
        return program.with_shapes(self.network.shapes(program))

    @functools.cached_property
    def gradients(self) -> Program:
        """The statements of the forward and the backward pass."""
        program = self.network.program(weighted=self.is_weighted)
        if self.optimizer is None:
            return program
        stepped = tuple(s for s in self.whole.statements if s.stage != "update")
        return Program(merged(program.statements, stepped), program.parameters, draws=self.whole.draws)

    @functools.cached_property
    def whole(self) -> Program:
        """The statements of a step."""
        return self.network.program(self.optimizer, weighted=self.is_weighted)

    @functools.cached_property
    def constants(self) -> Mapping[str, float]:
        """The constants that the statements use."""
        programs = (self.inference, self.whole, self.gradients)
        used = {name for program in programs for statement in program.statements for name in statement.reads}
        found = {**self.inference.constants, **self.whole.constants}
        return {name: value for name, value in found.items() if name in used}

    @functools.cached_property
    def functions(self) -> Mapping[str, Callable[..., object]]:
        """The functions that the statements call by name."""
        return {**self.inference.functions, **self.whole.functions}

    @functools.cached_property
    def names(self) -> Names:
        """The JavaScript names."""
        taken = set(OWN_NAMES).union(*map(file_names, FILES))
        shared = [*self.constants, *self.copied.constants, *self.copied.functions]
        return Names(shared, taken)

    @functools.cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shapes of parameters, statistics and results, for comments."""
        values = {**self.network.parameters, **self.network.statistics}
        found: dict[str, Shape] = {name: value.shape for name, value in values.items()}
        for program in (self.inference, self.gradients):
            found |= {s.target: s.shape for s in program.statements if s.shape is not None}
        return found

    # -- the file ------------------------------------------------------------------------------

    def text(self) -> str:
        """Return the module."""
        self.collect()
        sections = [self.header(), self.imports(), self.values(), self.copies(), self.predictions()]
        sections += [self.table()] if self.columns is not None else []
        sections += [self.derivatives()]
        sections += [self.training()] if self.optimizer is not None else []
        sections += [self.bundled()] if self.arrays is None else []
        return "\n".join(line.rstrip() for lines in sections for line in [*lines, ""])

    def collect(self) -> None:
        """Collect the functions that the module needs with all that they use."""
        used = {name for p in (self.inference, self.whole) for s in p.statements for name in s.reads}
        for name, function in self.functions.items():
            if name in used:
                self.copied.add(name, function)
        targets = self.network.targets
        formulas: list[Callable[..., object]] = [one_hot] if targets.has_labels or self.columns is not None else []
        formulas += [most_probable] if targets.is_multiclass else [more_probable] if targets.is_classification else []
        formulas += [standard, filled, missing, original] if self.columns is not None else []
        formulas += [dropout_mask] if any(isinstance(layer, Dropout) for layer in self.network.layers) else []
        for formula in formulas:
            self.copied.add(formula.__name__, formula)
        if self.optimizer is not None:
            self.rate  # noqa: B018 - it may copy functions

    @functools.cached_property
    def rate(self) -> str:
        """The learning rate of step ``t``, counted from 0, as a Python expression; empty if it follows a value."""
        assert self.optimizer is not None
        schedule = self.optimizer.schedule
        if monitor_of(schedule) is not None:
            self.copied.functions[PLATEAU] = inlined_method(schedule, "follow", PLATEAU)
            return ""
        if isinstance(schedule, Constant):
            return repr(float(schedule.lr))
        return rate_expression(schedule, self.copied, "t")

    def header(self) -> list[str]:
        """Return the comment at the top."""
        network, trained = self.network, self.optimizer is not None
        words = f"{', '.join(map(repr, network.layers))}; loss {network.loss!r}"
        words += "".join(f"; {regularizer!r}" for regularizer in network.regularizers)
        words += f"; {self.optimizer!r}" if trained else ""
        what = "A neural network and its training" if trained else "A neural network"
        lines = [f"// {what}, without dependencies; written by Workings {__version__}.", "//"]
        lines += comment(f"Layers {words}.")
        if network.dtype != np.float64:
            lines += comment(
                f"The network computes in {network.dtype}, this module in float64, JavaScript's own numbers."
            )
        names = ["predict", "gradients", *(["train"] if trained else [])]
        lines += ["//", f'//   import {{ {", ".join(names)} }} from "./network.js";']
        if trained:
            lines += [f"//   const {{ values, history }} = train({'' if self.recorded else '{ X, y }'});"]
        return [*lines, f"//   predict(X{', values' if trained else ''});"]

    def imports(self) -> list[str]:
        """Return the array operations under the name np."""
        if self.arrays is not None:
            return [f"import * as np from {literal(self.arrays)};"]
        names = wrapped(f"{', '.join(array_functions())},", INDENT)
        return [
            "// The array operations, with the names of NumPy; they stand at the end of this file.",
            "const np = {",
            *names,
            "};",
        ]

    def bundled(self) -> list[str]:
        """Return the array operations themselves."""
        text = file_text("arrays.js").replace("export function", "function")
        return [heading("Array operations"), "", *text.rstrip("\n").splitlines()]

    # -- values --------------------------------------------------------------------------------

    def values(self) -> list[str]:
        """Return the weights, labels, settings and constants."""
        network = self.network
        entries = {**network.parameters, **network.statistics}
        first = "initial weights" if network.is_fresh else "weights"
        statistics = ", and the running statistics of layers" if network.statistics else ""
        lines = [heading("Weights"), "", f"/** The {first}{statistics}, by name. @type {{Object<string, NDArray>}} */"]
        lines += ["export const weights = {"]
        lines += [INDENT + line for name, value in entries.items() for line in entry(name, array_code(value))]
        lines += ["};", "", *self.labels(), *self.settings()]
        return [*lines, *(f"const {self.names[name]} = {number(value)};" for name, value in self.constants.items())]

    def labels(self) -> list[str]:
        """Return the class labels."""
        targets = self.network.targets
        if not targets.has_labels:
            return []
        classes = np.arange(targets.label_count) if targets.classes is None else targets.classes
        columns = classes if targets.is_multiclass else classes[1:]
        words = "for each column of y" if targets.is_multiclass else "first for y = 0, then for y = 1"
        lines = [f"/** The class labels, {words}. */", f"export const classes = {labels_code(classes)};"]
        return [*lines, f"const targetColumns = {labels_code(columns)};", ""]

    def settings(self) -> list[str]:
        """Return the settings of the training, and the names of values."""
        network, recipe = self.network, self.recipe
        found: dict[str, object] = {"weighted": self.is_weighted, "isSum": network.loss.reduction == "sum"}
        found["fewestRows"] = max(layer.fewest_rows for layer in network.layers)
        if recipe is not None:
            found |= {"epochs": recipe.epochs, "batchSize": recipe.batch_size, "shuffle": bool(recipe.shuffle)}
            found |= {"runningLoss": bool(recipe.running_loss)}
        pairs = [f"{name}: {literal(value)}," for name, value in found.items()]
        draws = [f"{letter}{suffix}" for layer, suffix in number_layers(network.layers) for letter in layer.draws]
        lines = ["/** Settings of the network and of its training. */"]
        lines += ["export const settings = {", *wrapped(" ".join(pairs), INDENT), "};"]
        lines += [*names_code("parameters", list(network.parameters)), *names_code("draws", draws)]
        return [*lines, *self.carried()]

    def carried(self) -> list[str]:
        """Return the names that a step carries to the next one, and the parameter of each optimizer state."""
        if self.optimizer is None:
            return []
        program = self.whole
        owners = {name: next(p for p in program.parameters if name.endswith(f"_{p}")) for name in program.states}
        pairs = " ".join(f"{name}: {literal(owner)}," for name, owner in owners.items())
        return [
            *names_code("carried", list(program.carried)),
            "// The optimizer's state, and the parameter that each belongs to.",
            *(["const states = {", *wrapped(pairs, INDENT), "};"] if pairs else ["const states = {};"]),
        ]

    def copies(self) -> list[str]:
        """Return the functions that statements call by name."""
        lines = copied_lines(self.copied, self.names)
        return (
            [heading("Formulas that the statements call"), *([] if lines[0] == "" else [""]), *lines] if lines else []
        )

    # -- prediction ----------------------------------------------------------------------------

    @functools.cached_property
    def writer(self) -> JavaScriptStatementWriter:
        """The writer of statements."""
        return JavaScriptStatementWriter(self.names, self.constants, self.functions, self.shapes)

    def predictions(self) -> list[str]:
        """Return the functions that predict."""
        first = self.inference.needed_for("p")
        rest = self.inference.without(first)
        lines = [heading("Prediction"), ""]
        lines += self.writer.function("inferenceForward", "The values of a prediction by name.", first)
        words = "The values of the objective J by name, from the values of a prediction."
        lines += ["", *self.writer.function("inferenceObjective", words, rest)]
        encoding = "labels.js" if self.network.targets.has_labels else "numbers.js"
        lines += ["", *self.decoding(), "", *self.template(encoding)]
        return [*lines, "", *self.template("prediction.js")]

    def template(self, name: str) -> list[str]:
        """Return a file of this folder, with the numbers of columns filled in."""
        network = self.network
        text = file_text(name).replace("N_IN", str(network.n_in)).replace("N_OUT", str(network.n_out))
        return text.rstrip("\n").splitlines()

    def decoding(self) -> list[str]:
        """Return the function that converts outputs to predictions."""
        targets = self.network.targets
        if targets.is_multiclass:
            words, value = "the most probable label", "np.take(classes, most_probable(p))"
        elif targets.has_labels:
            words = "the more probable label"
            value = "np.take(classes, np.column(more_probable(p), 0))"
        elif targets.is_classification:
            words, value = (
                "1 for each label that is more probable than not",
                "np.positive(more_probable(p))",
            )
        else:
            words, value = "numbers", "np.column(p, 0)" if targets.n_out == 1 else "p"
        return [
            f"/** Return predictions from outputs p: {words}. */",
            "function decode(p) {",
            f"{INDENT}return {value};",
            "}",
        ]

    def table(self) -> list[str]:
        """Return the functions that encode a table and predict its rows."""
        assert self.columns is not None
        lines = [heading("The table"), "", "const columns = ["]
        lines += [f"{INDENT}{{ {column_code(column)} }}," for column in self.columns.columns]
        scale = self.columns.scale
        value = "p" if scale is None else f"original(p, {number(scale[0])}, {number(scale[1])})"
        return [
            *lines,
            "];",
            "",
            "/** Return predictions in the target's original unit. */",
            "function inOriginalUnit(p) {",
            f"{INDENT}return {value};",
            "}",
            "",
            *self.template("tables.js"),
            "",
            *self.template("columns.js"),
        ]

    # -- training ------------------------------------------------------------------------------

    def derivatives(self) -> list[str]:
        """Return the functions that compute gradients."""
        lines = [heading("Gradients"), ""]
        words = "The values of the forward and the backward pass by name."
        lines += self.writer.function("forwardAndBackward", words, self.gradients)
        return [*lines, "", *self.template("gradients.js")]

    def training(self) -> list[str]:
        """Return the functions that train."""
        update = Program(tuple(s for s in self.whole.statements if s.stage == "update"))
        words = "The values of an update by name, from the values of the backward pass."
        lines = [heading("Training"), "", *self.writer.function("update", words, update), ""]
        lines += [*self.rate_function(), "", *self.mask_function(), ""]
        return [*lines, *self.data(), "", *self.template("training.js")]

    def rate_function(self) -> list[str]:
        """Return the functions of the learning rate: of the step, and after an epoch."""
        assert self.optimizer is not None
        schedule: Any = self.optimizer.schedule
        monitor = monitor_of(schedule)
        if monitor is None:
            functions = [*self.copied.constants, *self.copied.functions]
            tree = ast.parse(self.rate, mode="eval").body
            value = Expressions(self.names, {"t"}, {"t"}, functions, f"lr = {self.rate}").text(tree)
            following = "plateau"
        else:
            value = f"plateau.lr ?? {number(float(schedule.lr))}"
            following = f"{PLATEAU}(plateau, monitored(measured, {literal(monitor)}))"
        return [
            "/** Return the learning rate of a step; t counts the steps from 0. */",
            "function learningRate(t, plateau) {",
            f"{INDENT}return {value};",
            "}",
            "",
            "/** Return the state of the learning rate after an epoch, if it follows a value of the history. */",
            "function follow(plateau, measured) {",
            f"{INDENT}return {following};",
            "}",
        ]

    def mask_function(self) -> list[str]:
        """Return the function that draws dropout masks."""
        width = self.network.n_in or 1
        lines = []
        for layer, suffix in number_layers(self.network.layers):
            if isinstance(layer, Dropout) and type(layer).draw is Dropout.draw:
                call = f"dropout_mask(np.uniform([n, {width}], random), {number(layer.rate)})"
                lines += [f"{2 * INDENT}mask{suffix}: {call},"]
            elif layer.draws:
                said = literal(f"The random values of {layer!r} are not drawn here: hand them in as masks.")
                lines += [f"{2 * INDENT}get {layer.draws[0]}{suffix}() {{ throw new TypeError({said}); }},"]
            width = layer.width(width)
        body = [f"{INDENT}return {{", *lines, f"{INDENT}}};"] if lines else [f"{INDENT}return {{}};"]
        head = ["/** Draw the dropout masks of a step with n rows. */"]
        return [*head, "export function drawMasks(n, random = Math.random) {", *body, "}"]

    def data(self) -> list[str]:
        """Return the data, row orders and masks of the training, if the module contains them."""
        if self.recorded is None:
            return ["// What `train` uses unless it is handed in: nothing.", "const data = {};"]
        found = self.recorded
        lines = ["/** The rows, their targets, and what `fit` draws at random: row orders and dropout masks. */"]
        lines += ["export const data = {"]
        parts = [entry("X", array_code(found.X)), entry("y", array_code(found.y))]
        parts += [] if found.w is None else [entry("w", array_code(found.w))]
        parts += [entry("order", list_code([literal(order.tolist()) for order in found.order]))] if found.order else []
        steps = ["{ " + ", ".join(f"{k}: {array_code(v)}" for k, v in step.items()) + " }" for step in found.masks]
        parts += [entry("masks", list_code(steps))] if steps else []
        return [*lines, *(INDENT + line for part in parts for line in part), "};"]


def merged(some: Iterable[Statement], others: Iterable[Statement]) -> tuple[Statement, ...]:
    """Return the statements of two programs that are parts of one, in its order."""
    result, place = list(some), 0
    for statement in others:
        if statement in result:
            place = result.index(statement) + 1
        else:
            result.insert(place, statement)
            place += 1
    return tuple(result)


def heading(title: str) -> str:
    """Return a heading."""
    return f"// -- {title} {'-' * (88 - len(title))}"


def names_code(name: str, values: list[str]) -> list[str]:
    """Return a constant with a list of names."""
    line = f"const {name} = {literal(values)};"
    if len(line) <= WIDTH:
        return [line]
    return [f"const {name} = [", *wrapped(f"{literal(values)[1:-1]},", INDENT), "];"]


def entry(name: str, value: str) -> list[str]:
    """Return one entry of an object as lines."""
    first, *rest = value.splitlines()
    lines = [f"{name}: {first}", *rest]
    return [*lines[:-1], f"{lines[-1]},"]


def list_code(items: list[str]) -> str:
    """Return code as a list, one item a line."""
    return "[\n" + "\n".join(f"{INDENT}{item}," for item in items) + "\n]"


def array_code(value: Array) -> str:
    """Return an array as code: its rows as text, or, if it is large, its bytes in base64.

    >>> print(array_code(np.array([[0.5, 1.0], [2.0, 3.0]])))
    np.array([
      [0.5, 1],
      [2, 3],
    ])
    """
    value = np.asarray(value, dtype=np.float64)
    if value.size > READABLE or 0 in value.shape:
        text = base64.b64encode(value.astype("<f8").tobytes()).decode()
        return f'np.from_base64({literal(list(value.shape))}, "{text}")'
    if value.ndim == 1:
        return f"np.array({literal(value.tolist())})"
    return f"np.array({list_code([literal(row) for row in value.tolist()])})"


def labels_code(labels: Array) -> str:
    """Return class labels as code."""
    return f"np.array({literal(labels.tolist())})"


def column_code(column: Column) -> str:
    """Return the description of a table's column as the entries of an object."""
    if isinstance(column, CategoryColumn):
        known = list(column.categories)
        found: dict[str, object] = {"categories": known, "fill": column.fill, "unknown": column.unknown}
    else:
        found = {"mean": column.mean, "std": column.std, "fill": column.fill}
        found |= {"indicator": True} if column.indicator else {}
    return ", ".join(f"{name}: {literal(value)}" for name, value in {"name": column.name, **found}.items())
