"""The prediction section of a script: functions for outputs and predictions, from X or a table's columns."""

from __future__ import annotations

from workings.model.targets import more_probable, most_probable, one_hot
from workings.program.program import Statement, show_shape
from workings.program.writer import formula_code
from workings.readings.script.draft import ENCODED_NOTE, ScriptDraft
from workings.readings.script.text import INDENT, WIDTH, labels_line, string_literal, with_fmt_skip
from workings.tables.columns import CategoryColumn, Columns, NumberColumn, filled, missing, original, standard
from workings.tables.dates import date_parts


def write_predicting(draft: ScriptDraft) -> None:
    """Write the functions ``outputs`` and ``predict``."""
    network, settings = draft.network, draft.settings
    program = network.inference_program().needed_for("p")
    draft.section("Prediction")
    draft.constants(program)
    targets = network.targets
    if targets.has_labels and targets.classes is not None and settings.optimizer is None:
        draft.write(labels_line(targets.classes))
    if settings.columns is not None and settings.optimizer is None:
        table_function(draft, settings.columns)
    elif settings.columns is None and network.preprocessing is not None:
        draft.comment(ENCODED_NOTE)
    draft.define("def outputs(X):")
    shapes = f"of shape (n, {network.n_out}), for rows X of shape (n, {network.n_in})"
    draft.lines += [f'{INDENT}"""Return the outputs p, {shapes}."""']
    for statement in program.statements:
        draft.lines += with_shape(statement, INDENT)
    given = "X" if settings.columns is None else "table"
    draft.lines += [f"{INDENT}return p", "", "", f"def predict({given}):", *prediction_lines(draft), ""]


def with_shape(statement: Statement, indent: str) -> list[str]:
    """Return a statement with the shape of its result as a comment."""
    shape = show_shape(statement.shape)
    line = with_fmt_skip(f"{indent}{statement.target} = {statement.expression}")
    longer = f"{line}  # {shape}"
    return [longer if shape and len(longer) <= WIDTH else line]


def prediction_lines(draft: ScriptDraft) -> list[str]:
    """Return the body of ``predict``: labels, or numbers in the target's original unit."""
    settings, columns = draft.settings, draft.settings.columns
    X = "X" if settings.optimizer is not None else "np.asarray(X)"  # accept pandas data frames
    given, p = ("rows X", f"outputs({X})") if columns is None else ("a table", "outputs(features(table))")
    scale = None if columns is None else columns.scale
    words, value = decoding(draft, p, scale)
    return [f'{INDENT}"""Predict {words} for {given}."""', f"{INDENT}return {value}"]


def decoding(draft: ScriptDraft, p: str, scale: tuple[float, float] | None = None) -> tuple[str, str]:
    """Return the conversion of outputs to predictions, in words and as an expression."""
    settings, targets = draft.settings, draft.network.targets
    is_known = targets.classes is not None or settings.optimizer is not None
    classes = "classes" if targets.has_labels and is_known and "classes = " in "\n".join(draft.lines) else ""
    words, value = "numbers", p + ("[:, 0]" if targets.n_out == 1 else "")
    if scale is not None:
        mean, std = map(repr, scale)
        value = formula_code(original, p=f"{value}.astype(float)" if draft.cast else value, mean=mean, std=std)
    if targets.is_multiclass:
        words, value = "the most probable label", formula_code(most_probable, p=p)
    elif targets.is_classification:
        words, value = "the more probable label", f"({formula_code(more_probable, p=value)}).astype(int)"
    return words, f"{classes}[{value}]" if classes else value


# -- preprocessing of a table -----------------------------------------------------------------------


AS_NUMBERS = (
    '"""Return a column as floats; raise an error for text, dates and complex numbers."""',
    "x = np.asarray(column)",
    "try:",
    f'{INDENT}if x.dtype.kind in "mMc":',
    f'{INDENT}{INDENT}raise TypeError(f"it has the type {{x.dtype}}")',
    f"{INDENT}return x.astype(float)",
    "except (TypeError, ValueError, OverflowError) as error:",
    f'{INDENT}raise ValueError(f"The column {{name}} must hold numbers: {{error}}") from error',
)


def table_function(draft: ScriptDraft, columns: Columns) -> None:
    """Write a function that encodes a table's columns as X."""
    if any(column.date is not None for column in columns.numbers):
        draft.copied.add("date_parts", date_parts)
    if any(column.date is None for column in columns.numbers):
        draft.define("def as_numbers(column, name):")
        draft.write(*AS_NUMBERS, indent=INDENT)
    draft.define("def features(table):")
    draft.lines += [
        f'{INDENT}"""Encode the columns of a table as X, as in training."""',
        f"{INDENT}parts = []",
    ]
    for column in columns.columns:
        lines = word_lines(column) if isinstance(column, CategoryColumn) else number_lines(column)
        draft.write(*lines, indent=INDENT)
    whole = draft.in_precision("np.column_stack(parts)")
    draft.lines += [f"{INDENT}return {whole}"]


def number_lines(column: NumberColumn) -> list[str]:
    """Return the lines that encode a numeric column."""
    name = string_literal(column.name)
    lines = [f"x = as_numbers(table[{name}], {name})"]
    if column.date is not None:
        source, part, form = map(string_literal, (column.source, column.date.part, column.date.form))
        lines = [f"x = date_parts(table[{source}], {part}, {form}, {source})"]
    lines += [f"gaps = {formula_code(missing, x='x')}"] if column.indicator else []
    if column.fill is not None:
        lines += [f"x = {formula_code(filled, x='x', fill=repr(column.fill))}  # fill missing values"]
    lines += ["if not np.isfinite(x).all():"]
    wrong = f"The column {column.name} has a missing or infinite value."
    return [
        *lines,
        f"{INDENT}raise ValueError({string_literal(wrong)})",
        f"parts.append({formula_code(standard, x='x', mean=repr(column.mean), std=repr(column.std))})",
        *(["parts.append(gaps)  # 1 where a value is missing"] if column.indicator else []),
    ]


def word_lines(column: CategoryColumn) -> list[str]:
    """Return the lines that one-hot encode a categorical column."""
    name, gap = string_literal(column.name), string_literal(column.fill or "")
    lines = [f"known = np.array([{', '.join(map(string_literal, column.categories))}])"]
    text = "str(w).strip()" if "" in column.categories else f"str(w).strip() or {gap}"
    lines += [f"words = [{gap} if w is None or w != w else {text} for w in table[{name}]]"]
    one_for_each = formula_code(one_hot, labels="np.array(words)", classes="known")
    lines += [f"part = {one_for_each}"]
    if column.unknown == "zeros":
        return [*lines, "parts.append(part)"]
    lines += ["if not part.any(axis=1).all():"]
    wrong = f"The column {column.name} has a category that was not in the training table."
    return [*lines, f"{INDENT}raise ValueError({string_literal(wrong)})", "parts.append(part)"]
