"""Data: where X and y come from, how labels become numbers, which rows are held out, and how much each row counts."""

from __future__ import annotations

import numpy as np

from workings.errors import InputError
from workings.model.targets import balanced, most_probable, one_hot, second_label
from workings.program.program import told
from workings.readings.script.draft import Page
from workings.readings.script.prediction_section import table_function
from workings.readings.script.settings import MOST_INLINE, Held
from workings.readings.script.text import INDENT, labels_line, names_told, quoted, rows_of
from workings.support.arrays import Array
from workings.tables.columns import Columns, drawn_rows, standard
from workings.tables.plain_csv import read_columns

SPLIT = ("X_val, y_val = X[held], y[held]", "X, y = X[kept], y[kept]")


def write_data(page: Page) -> None:
    """The rows, as the program wants them, and which of them are for validation."""
    settings = page.settings
    page.section("Data")
    if settings.is_table and settings.columns is not None:
        read_table(page, settings.columns)
    elif settings.path is not None:
        read_file(page, settings.path)
    else:
        write_arrays(page)
    write_targets(page)
    write_held(page)
    write_weights(page)
    if not (isinstance(settings.validation, float) or settings.leaves_out):
        keep_all(page)


# -- where they come from ------------------------------------------------------------------------


def read_table(page: Page, columns: Columns) -> None:
    """Read the table's file, and make X and y of its columns."""
    target = columns.target
    is_number = not page.settings.targets.has_labels or not is_text(page.settings.targets.classes)
    numbers = tuple(c.name for c in columns.numbers) + ((target,) if is_number else ())
    filled = any(column.fill is not None for column in columns.columns)
    marked = tuple(column.name for column in columns.columns) if filled else ()
    page.copied.add("read_columns", read_columns)
    page.say("The file is looked for in the folder in which the script is run.")
    given = [quoted(str(page.settings.path)), names_told(numbers), *([names_told(marked)] if filled else [])]
    page.assign("table", f"read_columns({', '.join(given)})")
    table_function(page, columns)
    page.lines += ["", ""]
    page.say("Rows are samples: X has a column for each input, y what is to be predicted.")
    page.write(
        f"X = np.ascontiguousarray(features(table), dtype={page.dtype})", f"y = np.array(table[{quoted(target)}])"
    )
    if columns.scale is not None:
        mean, std = map(repr, columns.scale)
        page.assign("y", told(standard, x="y", mean=mean, std=std))
    write_more(page)


def is_text(classes: Array | None) -> bool:
    """Return whether labels are words."""
    return classes is not None and classes.dtype.kind == "U"


def read_file(page: Page, path: str) -> None:
    """Read an ``.npz`` file."""
    settings, names = page.settings, ["X", "y"]
    if settings.data_file is not None:  # which holds all that was given
        names += ["X_val", "y_val"] if settings.validation_arrays is not None else []
        names += ["w"] if settings.row_weights is not None else []
    page.say("Rows are samples: X has a column for each input, y what is to be predicted.")
    page.say("The file is looked for in the folder in which the script is run.")
    page.lines += [f'with np.load("{path}") as data:']
    pairs = [names[:2], *([names[2:4]] if "X_val" in names else []), *([["w"]] if "w" in names else [])]
    page.lines += [f"{INDENT}{', '.join(pair)} = {', '.join(f'data[{quoted(n)}]' for n in pair)}" for pair in pairs]
    for name in (name for name in names if name[0] == "X"):
        page.lines += [f"{name} = np.ascontiguousarray({name}, dtype={page.dtype})"]
    if settings.data_file is None:
        write_more(page)


def write_arrays(page: Page) -> None:
    """Write X and y into the script."""
    assert page.settings.arrays is not None
    X, y = page.settings.arrays
    if X.size + y.size > MOST_INLINE:
        raise InputError(
            f"X and y hold {X.size + y.size:,} numbers, too many to stand in a script. Write them to a file, "
            'np.savez("data.npz", X=X, y=y), and say data="data.npz".'
        )
    page.say("Rows are samples: X has a column for each input, y what is to be predicted.")
    page.lines += ["# fmt: off", f"X = np.array({rows_of(X)}, dtype={page.dtype})", f"y = np.array({rows_of(y)})"]
    page.lines += ["# fmt: on"]
    write_more(page)


def write_more(page: Page) -> None:
    """Write the rows to validate on, and the weights of rows, into the script."""
    held, w = page.settings.validation_arrays, page.settings.row_weights
    more = {} if held is None else {"X_val": held[0], "y_val": held[1]}
    more |= {} if w is None else {"w": w[:, 0]}
    if sum(array.size for array in more.values()) > MOST_INLINE:
        raise InputError(
            "The rows to validate on, or the weights of rows, are too many to stand in a script: "
            "`workings.readings.script.save_script` with data=(X, y) writes files for them."
        )
    page.lines += ["# fmt: off"] if more else []
    for name, array in more.items():
        dtype = "" if name == "y_val" else f", dtype={page.dtype}"
        page.lines += [f"{name} = np.array({rows_of(array)}{dtype})"]
    page.lines += ["# fmt: on"] if more else []


# -- what the program is given -------------------------------------------------------------------


def write_targets(page: Page) -> None:
    """Targets as the program wants them: a row for each sample, a column for each output."""
    settings = page.settings
    targets, arrays, dtype = settings.targets, settings.arrays, page.dtype
    if targets.has_labels and (arrays is None or arrays[1].ndim == 1):
        if targets.classes is None:
            raise InputError(
                "Which labels y holds is not known: give data=(X, y), write the data file first, or call fit."
            )
        page.say("One column for each class, 1 where it is the row's." if targets.kind == "classes" else
                 "One column: 1 for the second of the two labels.")  # fmt: skip
        columns = "classes" if targets.kind == "classes" else "classes[1:]"
        page.write(labels_line(targets.classes))
        page.lines += [f"y = ({told(one_hot, labels='y', classes=columns)}).astype({dtype})"]
    else:
        page.lines += [f"y = np.ascontiguousarray(y, dtype={dtype}).reshape(len(X), {page.network.n_out})"]
    if settings.validation_arrays is not None:
        write_validation_targets(page, settings.validation_arrays[1])


def write_validation_targets(page: Page, y: Array) -> None:
    """The targets of the validation rows, likewise."""
    targets = page.settings.targets
    if targets.has_labels and y.ndim == 1:
        columns = "classes" if targets.kind == "classes" else "classes[1:]"
        page.write(f"y_val = ({told(one_hot, labels='y_val', classes=columns)}).astype({page.dtype})")
    else:
        shape = f"len(X_val), {page.network.n_out}"
        page.write(f"y_val = np.ascontiguousarray(y_val, dtype={page.dtype}).reshape({shape})")


def write_held(page: Page) -> None:
    """The rows of a table that are kept for validation."""
    held = page.settings.validation
    if not isinstance(held, Held):
        return
    page.say("Some rows are kept for validation; they are drawn with a seed of their own.")
    page.assign("held", told(drawn_rows, n="len(X)", rows=str(held.rows), seed=str(held.seed)))
    page.write("kept = np.setdiff1d(np.arange(len(X)), held)", *SPLIT)


def write_share(page: Page) -> None:
    """The rows that are drawn from the network's own source of random numbers, after its weights."""
    settings = page.settings
    if isinstance(settings.validation, float):
        page.section("Rows to validate on")
        page.assign("order", "rng.permutation(len(X))")
        rows = f"round(len(X) * {settings.validation!r})"
        page.write(f"held, kept = order[: {rows}], np.sort(order[{rows} :])", *SPLIT)
        page.lines += ["w = w[kept]"] if settings.is_weighted else []
    elif settings.leaves_out:
        page.section("Rows that count")
    if settings.leaves_out:
        page.lines += ["kept = w[:, 0] > 0", "X, y, w = X[kept], y[kept], w[kept]"]
    if isinstance(settings.validation, float) or settings.leaves_out:
        keep_all(page)


def write_weights(page: Page) -> None:
    """How much each row counts: by its own weight, by its label's, or by both."""
    settings = page.settings
    if not settings.is_weighted:
        return
    by_row = settings.row_weights is not None
    page.say("How much each row counts.")
    if by_row:
        page.lines += [f"w = np.ascontiguousarray(w, dtype={page.dtype}).reshape(-1, 1)"]
    if settings.class_weight is None:
        return
    targets, weights = settings.targets, f"(by_class[labels].reshape(-1, 1)).astype({page.dtype})"
    assert targets.classes is not None  # or it was refused
    page.assign("labels", told(most_probable, p="y") if targets.kind == "classes" else told(second_label, y="y"))
    page.assign("by_class", by_class(page, targets.classes))
    page.assign("w", f"{weights} * w" if by_row else weights)


def by_class(page: Page, classes: Array) -> str:
    """The weight of each label."""
    given = page.settings.class_weight
    if given == "balanced":
        page.assign("counts", f"np.bincount(labels, minlength={len(classes)})")
        return told(balanced, counts="counts")
    weights = np.array([given.get(label, 1.0) for label in classes.tolist()], dtype=np.float64)
    return f"np.array({weights.tolist()!r})"


def keep_all(page: Page) -> None:
    """Names for all rows, where a step takes some of them."""
    if page.settings.is_full:
        return
    names = ["X", "y", *(["w"] if page.settings.is_weighted else [])]
    page.lines += [f"{', '.join(f'{name}_all' for name in names)} = {', '.join(names)}"]
