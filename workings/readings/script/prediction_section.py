"""Predicting: functions that give the outputs p, and what people want of them, for X or for a table's own columns."""

from __future__ import annotations

from workings.model.targets import more_probable, most_probable, one_hot
from workings.program.program import Statement, show_shape
from workings.program.writer import told
from workings.readings.script.draft import RAW_COLUMNS, Page
from workings.readings.script.text import INDENT, WIDTH, fitting, labels_line, quoted
from workings.tables.columns import CategoryColumn, Columns, NumberColumn, filled, original, standard


def write_predicting(page: Page) -> None:
    """Functions that predict: the outputs p, and what people want of them."""
    network, settings = page.network, page.settings
    program = network.inference_program().needed_for("p")
    page.section("Predicting")
    page.constants(program)
    targets = network.targets
    if targets.has_labels and targets.classes is not None and settings.optimizer is None:
        page.write(labels_line(targets.classes))
    if settings.columns is not None and settings.optimizer is None:
        table_function(page, settings.columns)
    elif settings.columns is None and network.preprocessing is not None:
        page.say(RAW_COLUMNS)
    page.define("def outputs(X):")
    page.lines += [f'{INDENT}"""The outputs p for rows X of shape (n, {network.n_in}): (n, {network.n_out})."""']
    for statement in program.statements:
        page.lines += with_shape(statement, INDENT)
    given = "X" if settings.columns is None else "table"
    page.lines += [f"{INDENT}return p", "", "", f"def predict({given}):", *predicted(page), ""]


def with_shape(statement: Statement, indent: str) -> list[str]:
    """A statement and the shape of its result."""
    shape = show_shape(statement.shape)
    line = fitting(f"{indent}{statement.target} = {statement.expression}")
    longer = f"{line}  # {shape}"
    return [longer if shape and len(longer) <= WIDTH else line]


def predicted(page: Page) -> list[str]:
    """How outputs become labels, or numbers of shape (n,) or (n, n_out) in the target's own unit."""
    settings, columns = page.settings, page.settings.columns
    X = "X" if settings.optimizer is not None else "np.asarray(X)"  # a table of pandas, say
    given, p = ("rows X", f"outputs({X})") if columns is None else ("a table", "outputs(features(table))")
    scale = None if columns is None else columns.scale
    words, value = decoded(page, p, scale)
    return [f'{INDENT}"""What is predicted for {given}: {words}."""', f"{INDENT}return {value}"]


def decoded(page: Page, p: str, scale: tuple[float, float] | None = None) -> tuple[str, str]:
    """What people want of outputs, in words and as an expression."""
    settings, targets = page.settings, page.network.targets
    is_known = targets.classes is not None or settings.optimizer is not None
    classes = "classes" if targets.has_labels and is_known and "classes = " in "\n".join(page.lines) else ""
    words, value = "numbers", p + ("[:, 0]" if targets.n_out == 1 else "")
    if scale is not None:
        mean, std = map(repr, scale)
        value = told(original, p=f"{value}.astype(float)" if page.cast else value, mean=mean, std=std)
    if targets.kind == "classes":
        words, value = "the most probable label", told(most_probable, p=p)
    elif targets.kind == "labels":
        words, value = "the more probable label", f"({told(more_probable, p=value)}).astype(int)"
    return words, f"{classes}[{value}]" if classes else value


# -- a table's own columns -----------------------------------------------------------------------


def table_function(page: Page, columns: Columns) -> None:
    """A function that makes X of a table's own columns."""
    page.define("def features(table):")
    page.lines += [
        f'{INDENT}"""X for a table: each column as the network was trained on it."""',
        f"{INDENT}parts = []",
    ]
    for column in columns.columns:
        lines = word_lines(column) if isinstance(column, CategoryColumn) else number_lines(column)
        page.write(*lines, indent=INDENT)
    whole = page.in_precision("np.column_stack(parts)")
    page.lines += [f"{INDENT}return {whole}"]


def number_lines(column: NumberColumn) -> list[str]:
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


def word_lines(column: CategoryColumn) -> list[str]:
    """How a column of words becomes one of X for each category."""
    name, gap = quoted(column.name), quoted(column.fill or "")
    lines = [f"known = np.array([{', '.join(map(quoted, column.categories))}])"]
    lines += [f"words = [{gap} if w is None or w != w else str(w).strip() or {gap} for w in table[{name}]]"]
    one_for_each = told(one_hot, labels="np.array(words)", classes="known")
    lines += [f"part = {one_for_each}", "if not part.any(axis=1).all():"]
    wrong = f"The column {column.name} has a category that was not in the training table."
    return [*lines, f"{INDENT}raise ValueError({quoted(wrong)})", "parts.append(part)"]
