"""Verification of exported and imported models: compare predictions on generated rows.

Every export ends with this comparison.  Rows are generated in the model's input columns, the network and the
exported file predict them, and the predictions are compared entry by entry.  Files are moved to their
destination only if they agree; otherwise an error is raised and no file is left.  The relative tolerance is
1e-12 for float64 and 1e-6 for float32, plus a multiple of the rounding error of this network
(``checks/rounding.py``).
"""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from workings.checks.rounding import rounded_outputs
from workings.engines.reference import Runner
from workings.errors import FileError
from workings.model.model import Model
from workings.support.arrays import Array
from workings.support.atomic_files import write_bytes
from workings.support.notebook import Readable
from workings.tables.columns import Columns, columns_in, original
from workings.tables.values import GAP

ROWS, MIN_ROWS = 200, 4  # number of generated rows
MAX_NUMBERS = 2**22  # limit on generated numbers, whatever number of columns a file states
OUTLIER_SPREAD = 10.0  # spread of the last quarter of the rows, in standard deviations
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}  # relative differences due to rounding
ROUNDING_FACTOR = 4  # allowed multiple of the rounding error that was found
MOST_ROUNDING = 1e4  # in tolerances; more is no effect of rounding
GAP_EVERY = 7  # every seventh row has missing values in the columns that are filled
FEW_ROWS, MAX_PRODUCTS = 40, 10**9  # limits for estimating the rounding error
SPECIAL = (np.nan, np.inf, -np.inf)  # numbers that a file must treat as NumPy does
SPECIAL_COLUMNS = 8  # columns that are tried with them
ROUGH = 1e-3  # relative difference of finite predictions for rows with such numbers


@dataclass(frozen=True)
class GeneratedRows:
    """Generated rows, as columns of a table and as encoded inputs.

    Attributes
    ----------
    numbers : array of shape (n, numbers)
        The numeric columns in the table's original units, float64; for a network without a table, X itself.
    codes : array of shape (n, words)
        The category index of each categorical column; -1 for a missing value.
    X : array of shape (n, n_in)
        The same rows as inputs of the network.
    dates : mapping of str to list of str
        The text of each column of dates, of which ``numbers`` holds the parts.
    """

    numbers: Array
    codes: Array
    X: Array
    dates: Mapping[str, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.X)

    def first(self, count: int) -> GeneratedRows:
        """Return the first rows."""
        return GeneratedRows(self.numbers[:count], self.codes[:count], self.X[:count])


@dataclass(frozen=True, repr=False)
class Agreement(Readable):
    """Result of comparing two predictions of the same rows; print it for a summary.

    Attributes
    ----------
    runtime : str
        The software that ran the file.
    rows : int
    difference : float
        The largest difference of an entry, relative to the larger of that entry and its column's typical
        size.
    allowed : float
        The tolerance for ``difference``.
    labels : int
        The number of labels that differ and are not near ties; 0 without labels.
    of_largest : float
        The largest difference of an entry, relative to the largest entry; for information only.
    """

    runtime: str
    rows: int
    difference: float
    allowed: float
    labels: int = 0
    of_largest: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the predictions agree."""
        return self.difference <= self.allowed and not self.labels

    def __str__(self) -> str:
        if not self.ok:
            return (
                f"{self.runtime} does not agree with the network: on {self.rows} generated rows the largest relative "
                f"difference is {self.difference:.2g} (allowed: {self.allowed:.1g}), {self.labels} labels differ"
            )
        return (
            f"agrees with the network: {self.runtime}, {self.rows} generated rows, largest relative difference "
            f"{self.difference:.1e}"
        )


@dataclass(frozen=True, repr=False)
class Exported(Readable):
    """The files of an export and the result of their verification; print it for a summary."""

    paths: tuple[Path, ...]
    agreement: Agreement | None
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        agreement = str(self.agreement) if self.agreement else "not verified: no runtime for this format is installed"
        return "\n".join([*(f"written  {path}" for path in self.paths), agreement, *self.notes])


def generated_rows(network: Model, count: int = ROWS) -> GeneratedRows:
    """Generate rows for a model: three quarters typical ones, one quarter outliers."""
    columns, rng = columns_in(network.preprocessing), np.random.default_rng(0)
    count = max(min(count, MAX_NUMBERS // (network.n_in or 1)), MIN_ROWS)
    spread = np.ones((count, 1))
    spread[3 * count // 4 :] = OUTLIER_SPREAD
    if columns is None:
        X = (rng.standard_normal((count, network.n_in or 1)) * spread).astype(network.dtype)
        return GeneratedRows(X.astype(np.float64), np.zeros((count, 0), dtype=np.int64), X)
    arrays = columns.arrays
    drawn = rng.standard_normal((count, len(columns.numbers))) * spread
    numbers = original(drawn, arrays["column_mean"], arrays["column_std"])
    dates = random_dates(columns, count)
    for place, column in enumerate(columns.numbers):
        if column.date is not None:
            numbers[:, place] = column.date.read(dates[column.source], marks=False)
    codes = np.array([rng.integers(0, len(words.categories), count) for words in columns.words], dtype=np.int64)
    codes = codes.reshape(len(columns.words), count).T.copy()
    numbers[::GAP_EVERY, [column.fill is not None for column in columns.numbers]] = np.nan
    codes[::GAP_EVERY, [column.fill is not None for column in columns.words]] = -1
    return GeneratedRows(numbers, codes, columns.features(numbers, codes).astype(network.dtype), dates)


def random_dates(columns: Columns, count: int) -> dict[str, list[str]]:
    """Generate dates for each column of dates, in its format; some are missing if they are filled."""
    rng, found = np.random.default_rng(0), {}
    for column in columns.numbers:
        if column.date is None or column.source in found:
            continue
        minutes = rng.integers(0, 100 * 365 * 24 * 60, count).tolist()
        days = [datetime.datetime(1970, 1, 1) + datetime.timedelta(minutes=each) for each in minutes]
        form = column.date.form
        texts = [day.strftime(form) if form else day.isoformat() for day in days]
        texts[::GAP_EVERY] = [""] * len(texts[::GAP_EVERY]) if column.fill is not None else texts[::GAP_EVERY]
        found[column.source] = texts
    return found


def special_rows(network: Model) -> GeneratedRows:
    """Generate rows with NaN, infinities, and missing and unknown categories, each in one column at a time."""
    rows, columns = generated_rows(network), columns_in(network.preprocessing)
    width = rows.numbers.shape[1]
    cells = [(place, value) for place in range(min(width, SPECIAL_COLUMNS)) for value in SPECIAL]
    words = () if columns is None else columns.words[:SPECIAL_COLUMNS]
    wrong = [(place, word.width) for place, word in enumerate(words)]
    wrong += [(place, GAP) for place, word in enumerate(words) if "" not in word.categories]  # empty text is a gap
    chosen = np.arange(len(cells) + len(wrong)) % len(rows)
    numbers, codes, X = rows.numbers[chosen], rows.codes[chosen], rows.X[chosen]
    for row, (place, value) in enumerate(cells):
        numbers[row, place] = value
    for row, (place, code) in enumerate(wrong, start=len(cells)):
        codes[row, place] = code
    X = numbers.astype(X.dtype) if columns is None else encode_rows(columns, numbers, codes).astype(X.dtype)
    return GeneratedRows(numbers, codes, X)


def encode_rows(columns: Columns, numbers: Array, codes: Array) -> Array:
    """Encode rows as X; a category that is unknown, or missing and not filled, becomes NaN."""
    with np.errstate(invalid="ignore"):
        X = columns.features(numbers, codes)
    starts = np.cumsum([0, *(column.width for column in columns.columns)]).tolist()
    places = [start for start, column in zip(starts, columns.columns, strict=False) if column in columns.words]
    for column, start, code in zip(columns.words, places, codes.T, strict=True):
        is_known = (code >= 0) & (code < column.width) | ((code == GAP) & (column.fill is not None))
        is_refused = ~is_known & (column.unknown == "error")
        X[is_refused, start : start + column.width] = np.nan
    return X


def check_special(
    runtime: str, network: Model, rows: GeneratedRows, p: Array, scale: tuple[float, float] | None = None
) -> None:
    """Raise unless a file's predictions for ``special_rows`` are NaN and infinite where the network's are.

    With ``scale``, the file's predictions are in the target's original unit.

    Raises
    ------
    FileError
        If they differ; the message names the first row.
    """
    program, arrays = network.inference.needed_for("p"), {**network.parameters, **network.statistics}
    expected = np.asarray(Runner(program, ["p"], "special rows")({**arrays, "X": rows.X, "n": len(rows)})[0])
    meant = expected if scale is None else original(expected.astype(np.float64), *scale)
    same = np.isclose(p, meant, rtol=ROUGH, atol=ROUGH * typical_size(meant), equal_nan=True).all(axis=1)
    if not same.all():
        row = int(np.flatnonzero(~same)[0])
        raise FileError(
            f"{runtime} does not treat numbers that are not finite as NumPy does: for X = {rows.X[row].tolist()} it "
            f"gives {p[row].tolist()}, not {meant[row].tolist()}. This is a bug in Workings; please report it."
        )


def typical_size(p: Array) -> float:
    """Return the median absolute value of the finite entries, or 1 if there are none."""
    finite = np.abs(p[np.isfinite(p)])
    return float(np.median(finite)) if finite.size else 1.0


def category_texts(columns: Columns, codes: Array) -> Array:
    """Return category indices as text: empty for a missing value, and an unknown text for an index out of range."""
    found = np.empty(codes.shape, dtype=object)
    for index, column in enumerate(columns.words):
        unknown = max((*column.categories, ""), key=len) + "?"
        found[:, index] = np.array([*column.categories, unknown, ""], dtype=object)[codes[:, index]]
    return found


def with_float32_numbers(columns: Columns, rows: GeneratedRows) -> GeneratedRows:
    """Return the rows with numeric columns rounded to float32."""
    numbers = rows.numbers.astype(np.float32).astype(np.float64)
    return GeneratedRows(numbers, rows.codes, columns.features(numbers, rows.codes).astype(rows.X.dtype))


def model_inputs(network: Model, rows: GeneratedRows) -> dict[str, Array]:
    """Return the inputs of an exported model by name: ``X``, or the ``columns`` and ``categories`` of a table."""
    columns = columns_in(network.preprocessing)
    if columns is None:
        return {"X": rows.X}
    given = {"columns": rows.numbers, "categories": rows.codes}
    return {name: array for name, array in given.items() if array.shape[1]}


def as_float32(network: Model) -> Model:
    """Return the network in float32, for runtimes without float64."""
    return network.astype(np.float32)


def typical_sizes(p: Array) -> Array:
    """Return the median absolute value of each column, or its maximum if the median is 0."""
    sizes = np.median(np.abs(p), axis=0)
    largest = np.abs(p).max(axis=0)
    return np.array([s or m or 1.0 for s, m in zip(sizes.tolist(), largest.tolist(), strict=True)])


def largest_difference(found: Array, expected: Array, sizes: Array | None = None) -> float:
    """Return the largest relative difference of finite entries; infinite if an entry is finite in only one array.

    Each difference is relative to its entry, or to its column's size if that is larger; by default the
    typical size.
    """
    if found.shape != expected.shape:
        return float("inf")
    both = np.isfinite(found) & np.isfinite(expected)
    if (np.isfinite(found) != np.isfinite(expected)).any():
        return float("inf")
    known = np.array(expected, dtype=np.float64)
    known[~both] = 0.0
    away = np.abs(found.astype(np.float64) - known)
    away[~both] = 0.0
    return float((away / np.abs(known).clip(typical_sizes(known) if sizes is None else sizes, None)).max())


def allowed_difference(network: Model, X: Array) -> float:
    """Return the tolerance for a network: its precision's tolerance plus a multiple of its rounding error."""
    near = TOLERANCE[network.dtype.name]
    return near + ROUNDING_FACTOR * min(rounding_error(network, X), MOST_ROUNDING * near)


def rounding_error(network: Model, X: Array) -> float:
    """Return the largest relative effect of rounding on the predictions for some of the rows; 0 if it is unknown."""
    rows = X[:: max(len(X) // FEW_ROWS, 1)][: max(MAX_PRODUCTS // network.theta.size, 1)]
    try:
        exact, found = rounded_outputs(network, rows)
    except (TypeError, ValueError):  # a user-defined function that does not support such arrays
        return 0.0
    return max(largest_difference(each, exact) for each in found)


def compare(
    runtime: str,
    network: Model,
    rows: GeneratedRows,
    p: Array,
    labels: Array | None = None,
    scale: tuple[float, float] | None = None,
    rounding: float = 0.0,
) -> Agreement:
    """Compare a file's outputs, and labels if it has any, with those of the network.

    With ``scale``, the file's outputs are in the target's original unit.  ``rounding`` is the effect of
    additional rounding before the network.
    """
    expected = network.outputs(rows.X, engine="reference")
    allowed = allowed_difference(network, rows.X) + ROUNDING_FACTOR * rounding
    wrong = 0
    if labels is not None:
        differ = np.asarray(labels != network.targets.decode(expected)).reshape(len(rows), -1).any(axis=1)
        wrong = int((differ & ~near_ties(network, expected, allowed)).sum())
    meant = expected if scale is None else original(expected.astype(np.float64), *scale)
    largest = np.full(meant.shape[1:], np.abs(meant[np.isfinite(meant)]).max(initial=0) or 1.0)
    return Agreement(
        runtime, len(rows), largest_difference(p, meant), allowed, wrong, largest_difference(p, meant, largest)
    )


def target_scale(network: Model) -> tuple[float, float] | None:
    """Return the scale from the network's outputs to the target's original unit; None without one."""
    columns = columns_in(network.preprocessing)
    return None if columns is None else columns.scale


def near_ties(network: Model, p: Array, allowed: float) -> Array:
    """Return a mask of rows whose label rounding can change."""
    if network.targets.is_multiclass:
        best = np.sort(p, axis=1)
        return np.asarray(best[:, -1] - best[:, -2] <= allowed * best[:, -1])
    return np.asarray((np.abs(p - 0.5) <= allowed).any(axis=1))


def write_verified(
    path: Path,
    contents: Mapping[str, bytes],
    check: Callable[[Path], Agreement | None],
    notes: tuple[str, ...] = (),
) -> Exported:
    """Write files to a temporary folder, check them there, and move them to their destination if they agree.

    Raises
    ------
    FileError
        If the predictions differ, or the files cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, content in contents.items():
            Path(folder, name).write_bytes(content)
        agreement = check(Path(folder))
    if agreement is not None and not agreement.ok:
        raise FileError(f"{path} was not written: {agreement}. This is a bug in Workings; please report it.")
    paths = tuple(path.with_name(name) for name in contents)
    for each, content in zip(paths, contents.values(), strict=True):
        write_bytes(each, content)
    return Exported(paths, agreement, notes)
