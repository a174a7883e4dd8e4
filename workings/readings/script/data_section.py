"""The data section of a script: read X and y, encode labels, hold out validation rows, compute sample weights."""

from __future__ import annotations

from collections.abc import Mapping

from workings.errors import InputError
from workings.model.targets import LabelTargets, balanced, most_probable, one_hot, second_label
from workings.program.writer import formula_code
from workings.readings.script.draft import ScriptDraft
from workings.readings.script.prediction_section import table_function
from workings.readings.script.script_settings import MOST_INLINE, Held
from workings.readings.script.text import INDENT, labels_line, names_tuple, rows_of, string_literal, unsigned
from workings.support.arrays import Array
from workings.tables.columns import CategoryColumn, Column, Columns, shuffled_rows, standard
from workings.tables.plain_csv import read_columns, unmarked
from workings.training.class_weights import weights_by_class
from workings.training.training_data import stratified

SPLIT = ("X_val, y_val = X[held], y[held]", "X, y = X[kept], y[kept]")


def write_data(draft: ScriptDraft) -> None:
    """Write the data section."""
    settings = draft.settings
    draft.section("Data")
    if settings.is_table and settings.columns is not None:
        read_table(draft, settings.columns)
    elif settings.path is not None:
        read_file(draft, settings.path)
    else:
        write_arrays(draft)
    write_targets(draft)
    write_table_split(draft)
    write_weights(draft)
    if not (isinstance(settings.recipe.validation, float) or settings.leaves_out):
        name_all_rows(draft)


# -- sources ------------------------------------------------------------------------


def read_table(draft: ScriptDraft, columns: Columns) -> None:
    """Write code that reads a table's file and encodes its columns as X and y."""
    target = columns.target
    is_number = not draft.settings.targets.has_labels or not is_text(draft.settings.targets.classes)
    numbers = tuple(c.name for c in columns.numbers if c.date is None) + ((target,) if is_number else ())
    filled = any(column.fill is not None for column in columns.columns)
    sources = dict.fromkeys(column.source for column in columns.columns if not is_mark_known(column))
    marked = tuple(sources) if filled else ()
    draft.copied.add("read_columns", read_columns)
    draft.comment("The file is read from the current folder.")
    given = [string_literal(str(draft.settings.path)), names_tuple(numbers)]
    given += [names_tuple(marked)] if filled else []
    forms = {column.name: column.form for column in columns.numbers} | {target: columns.target_form}
    formats = [names_tuple((name, form.decimal, form.thousands, form.unit)) for name, form in forms.items() if form]
    if formats:
        draft.comment("Some numbers are written with another decimal sign, a thousands separator or a unit.")
        given.append(f"formats=({', '.join(formats)},)")
    draft.assign("table", f"read_columns({', '.join(given)})")
    table_function(draft, columns)
    draft.lines += ["", ""]
    draft.comment("Rows are samples: X has a column for each input, y holds the targets.")
    draft.write(
        f"X = np.ascontiguousarray(features(table), dtype={draft.dtype})",
        f"y = np.array(table[{string_literal(target)}])",
    )
    if columns.scale is not None:
        mean, std = map(repr, columns.scale)
        draft.assign("y", formula_code(standard, x="y", mean=mean, std=std))
    write_extra_arrays(draft)


def is_mark_known(column: Column) -> bool:
    """Return whether a marker of missing values, such as NA, is a category of a column."""
    return isinstance(column, CategoryColumn) and any(not unmarked(category) for category in column.categories)


def is_text(classes: Array | None) -> bool:
    """Return whether labels are text."""
    return classes is not None and classes.dtype.kind == "U"


def read_file(draft: ScriptDraft, path: str) -> None:
    """Write code that reads an ``.npz`` file."""
    settings, names = draft.settings, ["X", "y"]
    if settings.data_file is not None:  # then the file also holds validation data and weights
        names += ["X_val", "y_val"] if settings.validation_arrays is not None else []
        names += ["w"] if settings.row_weights is not None else []
    draft.comment("Rows are samples: X has a column for each input, y holds the targets.")
    draft.comment("The file is read from the current folder.")
    draft.lines += [f'with np.load("{path}") as data:']
    pairs = [names[:2], *([names[2:4]] if "X_val" in names else []), *([["w"]] if "w" in names else [])]
    draft.lines += [
        f"{INDENT}{', '.join(pair)} = {', '.join(f'data[{string_literal(n)}]' for n in pair)}" for pair in pairs
    ]
    for name in (name for name in names if name[0] == "X"):
        draft.lines += [f"{name} = np.ascontiguousarray({name}, dtype={draft.dtype})"]
    if settings.data_file is None:
        write_extra_arrays(draft)


def write_arrays(draft: ScriptDraft) -> None:
    """Write X and y into the script."""
    assert draft.settings.arrays is not None
    X, y = draft.settings.arrays
    if X.size + y.size > MOST_INLINE:
        raise InputError(
            f"X and y hold {X.size + y.size:,} numbers, too many for a script. Write them to a file, "
            'np.savez("data.npz", X=X, y=y), and use data="data.npz".'
        )
    draft.comment("Rows are samples: X has a column for each input, y holds the targets.")
    draft.lines += ["# fmt: off", f"X = np.array({rows_of(X)}, dtype={draft.dtype})"]
    draft.lines += [f"y = np.array({rows_of(y)}{unsigned(y)})", "# fmt: on"]
    write_extra_arrays(draft)


def write_extra_arrays(draft: ScriptDraft) -> None:
    """Write validation data and sample weights into the script."""
    held, w = draft.settings.validation_arrays, draft.settings.row_weights
    more = {} if held is None else {"X_val": held[0], "y_val": held[1]}
    more |= {} if w is None else {"w": w[:, 0]}
    if sum(array.size for array in more.values()) > MOST_INLINE:
        raise InputError(
            "The validation data or sample weights are too large for a script: "
            "`workings.readings.script.save_script` with data=(X, y) writes them to files."
        )
    draft.lines += ["# fmt: off"] if more else []
    for name, array in more.items():
        dtype = unsigned(array) if name == "y_val" else f", dtype={draft.dtype}"
        draft.lines += [f"{name} = np.array({rows_of(array)}{dtype})"]
    draft.lines += ["# fmt: on"] if more else []


# -- inputs of the program -------------------------------------------------------------------


def write_targets(draft: ScriptDraft) -> None:
    """Write code that encodes the targets: a row for each sample, a column for each output."""
    settings = draft.settings
    targets, arrays, dtype = settings.targets, settings.arrays, draft.dtype
    if targets.has_labels and (arrays is None or arrays[1].ndim == 1):
        if targets.classes is None:
            raise InputError("The labels in y are unknown: pass data=(X, y), create the data file first, or call fit.")
        is_one_hot = targets.is_multiclass
        words = "One-hot encoding: one column per class." if is_one_hot else "1 for the second label, 0 for the first."
        draft.comment(words)
        columns = "classes" if is_one_hot else "classes[1:]"
        draft.write(labels_line(targets.classes))
        draft.lines += [f"y = ({formula_code(one_hot, labels='y', classes=columns)}).astype({dtype})"]
    else:
        draft.lines += [f"y = np.ascontiguousarray(y, dtype={dtype}).reshape(len(X), {draft.network.n_out})"]
    if settings.validation_arrays is not None:
        write_validation_targets(draft, settings.validation_arrays[1])


def write_validation_targets(draft: ScriptDraft, y: Array) -> None:
    """Write code that encodes the targets of the validation rows."""
    targets = draft.settings.targets
    if targets.has_labels and y.ndim == 1:
        columns = "classes" if targets.is_multiclass else "classes[1:]"
        draft.write(f"y_val = ({formula_code(one_hot, labels='y_val', classes=columns)}).astype({draft.dtype})")
    else:
        shape = f"len(X_val), {draft.network.n_out}"
        draft.write(f"y_val = np.ascontiguousarray(y_val, dtype={draft.dtype}).reshape({shape})")


def write_table_split(draft: ScriptDraft) -> None:
    """Write code that holds out rows of a table for validation."""
    held = draft.settings.recipe.validation
    if not isinstance(held, Held):
        return
    draft.comment("Some rows are held out for validation, drawn with a separate seed.")
    draft.assign("order", formula_code(shuffled_rows, n="len(X)", seed=str(held.seed)))
    write_stratification(draft, str(held.rows))
    draft.write(f"held = np.sort(order[:{held.rows}])", "kept = np.setdiff1d(np.arange(len(X)), held)", *SPLIT)


def write_random_split(draft: ScriptDraft) -> None:
    """Write code that drops rows of weight 0, and draws validation rows with the network's random generator."""
    settings = draft.settings
    if settings.leaves_out:
        draft.section("Rows with nonzero weight")
        draft.lines += ["kept = w[:, 0] > 0", "X, y, w = X[kept], y[kept], w[kept]"]
    if isinstance(settings.recipe.validation, float):
        draft.section("Validation split")
        rows = f"round(len(X) * {settings.recipe.validation!r})"
        draft.assign("order", "rng.permutation(len(X))")
        write_stratification(draft, rows)
        draft.write(f"held, kept = order[: {rows}], np.sort(order[{rows} :])", *SPLIT)
        draft.lines += ["w = w[kept]"] if settings.is_weighted else []
    if isinstance(settings.recipe.validation, float) or settings.leaves_out:
        name_all_rows(draft)


def write_stratification(draft: ScriptDraft, rows: str) -> None:
    """Write code that draws the validation rows from each label in proportion."""
    targets = draft.settings.targets
    if not isinstance(targets, LabelTargets):
        return
    draft.copied.add("stratified", stratified)
    labels = formula_code(most_probable, p="y") if targets.is_multiclass else formula_code(second_label, y="y")
    draft.assign("order", f"stratified(order, {labels}, {rows})")


def write_weights(draft: ScriptDraft) -> None:
    """Write code that computes the weight of each row from sample weights and class weights."""
    settings = draft.settings
    if not settings.is_weighted:
        return
    by_row = settings.row_weights is not None
    draft.comment("The weight of each row.")
    if by_row:
        draft.lines += [f"w = np.ascontiguousarray(w, dtype={draft.dtype}).reshape(-1, 1)"]
    if settings.recipe.class_weight is None:
        return
    targets, weights = settings.targets, f"(by_class[labels].reshape(-1, 1)).astype({draft.dtype})"
    assert targets.classes is not None  # checked before
    draft.assign(
        "labels", formula_code(most_probable, p="y") if targets.is_multiclass else formula_code(second_label, y="y")
    )
    draft.assign("by_class", by_class(draft, targets.classes))
    draft.assign("w", f"{weights} * w" if by_row else weights)


def by_class(draft: ScriptDraft, classes: Array) -> str:
    """Return an expression for the weight of each class."""
    given = draft.settings.recipe.class_weight
    if given == "balanced":
        draft.assign("counts", f"np.bincount(labels, minlength={len(classes)})")
        return formula_code(balanced, counts="counts")
    assert isinstance(given, Mapping)
    return f"np.array({weights_by_class(given, classes.tolist()).tolist()!r})"


def name_all_rows(draft: ScriptDraft) -> None:
    """Write names for all rows, if a step uses a batch of them."""
    if draft.settings.is_full:
        return
    names = ["X", "y", *(["w"] if draft.settings.is_weighted else [])]
    draft.lines += [f"{', '.join(f'{name}_all' for name in names)} = {', '.join(names)}"]
