"""Agreement: does what was written predict what the network predicts?

Every export ends here.  Rows are generated in the model's own columns, the network predicts them, what was written
predicts them, and the two are compared entry by entry.  Only files that agree are put in their place; a difference is
an error and leaves nothing behind.  How near is near enough follows from the precision: 1e-12 for float64 and 1e-6
for float32, relative, and beyond that what rounding alone does to this very network.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from workings.engines.reference import Runner
from workings.errors import FileError
from workings.model.model import Model
from workings.support.arrays import Array
from workings.support.atomic_files import write_bytes
from workings.tables.columns import Columns, columns_in, original

ROWS, FEWEST_ROWS = 200, 4  # that are generated
MOST_NUMBERS = 2**22  # in them, however many columns a file says it has
FAR = 10.0  # how far the last quarter of them is spread, in standard deviations
NEAR = {"float32": 1e-6, "float64": 1e-12}  # relative differences that are rounding
ROUNDING = 8  # times its own error of rounding a network may differ besides: sums are taken in other orders
GAP_EVERY = 7  # rows with a gap in each column whose gaps are filled
FEW_ROWS, MOST_PRODUCTS = 40, 10**8  # for which that error is measured; in numbers of that precision products are slow


@dataclass(frozen=True)
class Rows:
    """Generated rows, as a table has them and as the network takes them.

    Attributes
    ----------
    numbers : array of shape (n, numbers)
        The columns of numbers in the table's own units, float64; for a network without a table, X itself.
    codes : array of shape (n, words)
        For each column of words which category it is, counted from 0; -1 for a gap.
    X : array of shape (n, n_in)
        The same as the network takes it.
    """

    numbers: Array
    codes: Array
    X: Array

    def __len__(self) -> int:
        return len(self.X)

    def some(self, count: int) -> Rows:
        """The first rows."""
        return Rows(self.numbers[:count], self.codes[:count], self.X[:count])


@dataclass(frozen=True)
class Agreement:
    """How two predictions of the same rows compare; its text says it in words.

    Attributes
    ----------
    runtime : str
        What ran the file.
    rows : int
    difference : float
        The largest difference of an entry, relative to the larger of that entry and its column's usual size.
    allowed : float
        What that may be.
    labels : int
        Labels that differ although the network was not undecided; 0 where there are no labels.
    of_largest : float
        The largest difference of an entry, relative to the largest entry of all: what is told, not what is judged.
    """

    runtime: str
    rows: int
    difference: float
    allowed: float
    labels: int = 0
    of_largest: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether they agree."""
        return self.difference <= self.allowed and not self.labels

    def __str__(self) -> str:
        if not self.ok:
            return (
                f"{self.runtime} predicts something else: on {self.rows} generated rows the largest relative "
                f"difference is {self.difference:.2g} (allowed: {self.allowed:.1g}), {self.labels} labels differ"
            )
        return (
            f"agrees with the network: {self.runtime}, {self.rows} generated rows, largest relative difference "
            f"{self.difference:.1e}"
        )


@dataclass(frozen=True, repr=False)
class Exported:
    """What was written and what is known about it; printed, or shown at a prompt, it says both."""

    paths: tuple[Path, ...]
    agreement: Agreement | None
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        agreement = str(self.agreement) if self.agreement else "not run: nothing is installed here that could run it"
        return "\n".join([*(f"written  {path}" for path in self.paths), agreement, *self.notes])

    __repr__ = __str__


def generated_rows(network: Model, count: int = ROWS) -> Rows:
    """Rows for a model: most of them usual, the last quarter far out."""
    columns, rng = columns_in(network.preprocessing), np.random.default_rng(0)
    count = max(min(count, MOST_NUMBERS // (network.n_in or 1)), FEWEST_ROWS)
    spread = np.ones((count, 1))
    spread[3 * count // 4 :] = FAR
    if columns is None:
        X = (rng.standard_normal((count, network.n_in or 1)) * spread).astype(network.dtype)
        return Rows(X.astype(np.float64), np.zeros((count, 0), dtype=np.int64), X)
    arrays = columns.arrays
    drawn = rng.standard_normal((count, len(columns.numbers))) * spread
    numbers = original(drawn, arrays["column_mean"], arrays["column_std"])
    codes = np.array([rng.integers(0, len(words.categories), count) for words in columns.words], dtype=np.int64)
    codes = codes.reshape(len(columns.words), count).T.copy()
    numbers[::GAP_EVERY, [column.fill is not None for column in columns.numbers]] = np.nan
    codes[::GAP_EVERY, [column.fill is not None for column in columns.words]] = -1
    return Rows(numbers, codes, columns.features(numbers, codes).astype(network.dtype))


def words_of(columns: Columns, codes: Array) -> Array:
    """The categories themselves, as text; an empty one for a gap."""
    found = np.empty(codes.shape, dtype=object)
    for index, column in enumerate(columns.words):
        found[:, index] = np.array([*column.categories, ""], dtype=object)[codes[:, index]]
    return found


def in_single(columns: Columns, rows: Rows) -> Rows:
    """The same rows for a runtime that takes the columns of numbers in float32."""
    numbers = rows.numbers.astype(np.float32).astype(np.float64)
    return Rows(numbers, rows.codes, columns.features(numbers, rows.codes).astype(rows.X.dtype))


def given_of(network: Model, rows: Rows) -> dict[str, Array]:
    """What an exported model is given by name: ``X``, or the ``columns`` and ``categories`` of a table."""
    columns = columns_in(network.preprocessing)
    if columns is None:
        return {"X": rows.X}
    given = {"columns": rows.numbers, "categories": rows.codes}
    return {name: array for name, array in given.items() if array.shape[1]}


def in_float32(network: Model) -> Model:
    """The same network in float32: what it is for a runtime that has nothing finer."""
    single = copy.deepcopy(network)
    single.dtype_given, single.dtype = True, np.dtype(np.float32)
    single.build(network.n_in or 1)
    single.keep({**network.parameters, **network.statistics})
    single.statistics = {name: array.astype(np.float32) for name, array in network.statistics.items()}
    return single


def usual_sizes(p: Array) -> Array:
    """The usual size of each column's entries: half of them are larger; the largest where most are 0."""
    sizes = np.median(np.abs(p), axis=0)
    largest = np.abs(p).max(axis=0)
    return np.array([s or m or 1.0 for s, m in zip(sizes.tolist(), largest.tolist(), strict=True)])


def largest_difference(found: Array, expected: Array, sizes: Array | None = None) -> float:
    """The largest relative difference, of entries that are numbers in both; infinite if they are so in one only.

    Each is relative to its entry, or to its column's size if that is larger: the usual one, or one that is given.
    """
    if found.shape != expected.shape:
        return float("inf")
    both = np.isfinite(found) & np.isfinite(expected)
    if (both != np.isfinite(expected)).any():
        return float("inf")
    known = np.array(expected, dtype=np.float64)
    known[~both] = 0.0
    away = np.abs(found.astype(np.float64) - known)
    away[~both] = 0.0
    return float((away / np.abs(known).clip(usual_sizes(known) if sizes is None else sizes, None)).max())


def allowed_difference(network: Model, X: Array) -> float:
    """How much a file may differ: the precision's own share, and what rounding does to this network."""
    finer = np.float64 if network.dtype == np.float32 else np.longdouble
    program = network.inference.needed_for("p")
    values = {name: array.astype(finer) for name, array in {**network.parameters, **network.statistics}.items()}
    rows = X[:: max(len(X) // FEW_ROWS, 1)][: max(MOST_PRODUCTS // network.theta.size, 1)]
    try:
        (exact,) = Runner(program, ["p"], "exact")({**values, "X": rows.astype(finer), "n": len(rows)})
    except (TypeError, ValueError):  # a function of the user's that knows no such numbers
        return NEAR[network.dtype.name]
    rounding = largest_difference(network.outputs(rows, engine="reference"), np.asarray(exact, dtype=np.float64))
    near = NEAR[network.dtype.name]
    return near + ROUNDING * rounding if rounding < 1e3 * near else near


def compare(
    runtime: str, network: Model, rows: Rows, p: Array, labels: Array | None = None,
    scale: tuple[float, float] | None = None, rounding: float = 0.0,
) -> Agreement:  # fmt: skip
    """Compare the outputs that a file gives for rows with those of the network, and its labels, if it gives any.

    With a ``scale`` the file gives values in the target's own unit.  ``rounding`` is what else rounding does, before
    the network.
    """
    expected = network.outputs(rows.X, engine="reference")
    allowed = allowed_difference(network, rows.X) + ROUNDING * rounding
    wrong = 0
    if labels is not None:
        differ = np.asarray(labels != network.targets.decode(expected)).reshape(len(rows), -1).any(axis=1)
        wrong = int((differ & ~undecided(network, expected, allowed)).sum())
    meant = expected if scale is None else original(expected.astype(np.float64), *scale)
    largest = np.full(meant.shape[1:], np.abs(meant[np.isfinite(meant)]).max(initial=0) or 1.0)
    return Agreement(
        runtime, len(rows), largest_difference(p, meant), allowed, wrong, largest_difference(p, meant, largest)
    )


def scale_of(network: Model) -> tuple[float, float] | None:
    """What turns the network's predictions into the unit of its table, if it has one."""
    columns = columns_in(network.preprocessing)
    return None if columns is None else columns.scale


def undecided(network: Model, p: Array, allowed: float) -> Array:
    """The rows whose label rounding can tip over."""
    if network.targets.kind == "labels":
        return np.asarray((np.abs(p - 0.5) <= allowed).any(axis=1))
    best = np.sort(p, axis=1)
    return np.asarray(best[:, -1] - best[:, -2] <= allowed * best[:, -1])


def deliver(
    path: Path,
    contents: Mapping[str, bytes],
    check: Callable[[Path], Agreement | None],
    notes: tuple[str, ...] = (),
) -> Exported:
    """Write files to a folder for a moment, have them run there, and put them in their place if they agree.

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
        raise FileError(f"{path} was not written: {agreement}. This is a fault of Workings; please report it.")
    paths = tuple(path.with_name(name) for name in contents)
    for each, content in zip(paths, contents.values(), strict=True):
        write_bytes(each, content)
    return Exported(paths, agreement, notes)
