"""Measure how well a network detects that an array holds raw table values instead of standardized ones.

Means and standard deviations come from 70 % of a table's rows.  The other 30 % are passed raw, where a warning is a
hit, and standardized, where it is a false alarm: one row at a time, ten, a hundred, and 50 neighbouring rows of the
table sorted by one of its columns.  Ten random splits of each table.

    python -m tools.raw_rows
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn import datasets

from workings.support.arrays import Array
from workings.tables.columns import Columns, Number, standard

SPLITS, MOST_GROUPS = 10, 60


def tables() -> dict[str, Array]:
    """Return real tables, and synthetic ones with difficult columns."""
    rng, n = np.random.default_rng(0), 2000
    found: dict[str, Array] = {name: getattr(datasets, f"load_{name}")().data for name in
                               ("iris", "wine", "breast_cancer", "digits")}  # fmt: skip
    found["diabetes"] = datasets.load_diabetes(scaled=False).data
    found["diabetes, scaled by its authors"] = datasets.load_diabetes().data
    found["Poisson counts, 95 % zeros"] = rng.poisson(0.05, (n, 20)).astype(float)
    found["sparse uniform, 98 % zeros"] = rng.random((n, 100)) * (rng.random((n, 100)) < 0.02)
    found["binary, 50 % ones"] = (rng.random((n, 10)) < 0.5).astype(float)
    found["binary, 2 % ones"] = (rng.random((n, 10)) < 0.02).astype(float)
    found["one-hot, 8 categories"] = np.eye(8)[rng.integers(0, 8, n)]
    found["years and integer incomes"] = np.stack(
        [rng.integers(1950, 2020, n), np.round(np.exp(rng.normal(10, 1, n)))], axis=1
    )
    found["Student's t, 3 degrees of freedom, 20 ± 7"] = rng.standard_t(3, (n, 6)) * 7 + 20
    found["uniform on [0, 1], all digits"] = rng.random((n, 5))
    found["lognormal, all digits"] = np.exp(rng.normal(0, 2, (n, 6)))
    found["lognormal, two decimals"] = np.round(found["lognormal, all digits"], 2)
    found["Cauchy, all digits"] = rng.standard_cauchy((n, 6))
    found["normal, 1 ± 1, all digits"] = rng.normal(1, 1, (n, 5))
    return found


def columns_of(X: Array) -> Columns:
    """Return the columns that a network stores for a table."""
    means, spreads = X.mean(axis=0).tolist(), X.std(axis=0).tolist()
    pairs = zip(means, spreads, strict=True)
    return Columns(tuple(Number(f"x{i}", mean, std or 1.0, None) for i, (mean, std) in enumerate(pairs)), "y", None)


def groups(X: Array, size: int) -> Iterator[Array]:
    """Yield consecutive groups of ``size`` rows."""
    for start in range(0, min(len(X) - size + 1, MOST_GROUPS * size), size):
        yield X[start : start + size]


def samples(X: Array, rng: np.random.Generator) -> Iterator[tuple[str, Columns, Array]]:
    """Yield the samples of rows of one split, with the columns fitted on the other rows."""
    order = rng.permutation(len(X))
    cut = int(0.7 * len(X))
    columns, rest = columns_of(X[order[:cut]]), X[order[cut:]]
    for size in (1, 10, 100):
        for rows in groups(rest, size):
            yield str(size), columns, rows
    by = rng.integers(X.shape[1])
    for rows in groups(X[np.argsort(X[:, by], kind="stable")], 50):
        yield "sorted", columns, rows


def counted(X: Array) -> dict[str, tuple[float, float]]:
    """Return the rates of false alarms and hits for each kind of sample."""
    found: dict[str, list[tuple[bool, bool]]] = {}
    rng = np.random.default_rng(1)
    for _ in range(SPLITS):
        for kind, columns, rows in samples(X, rng):
            mean, std, _ = columns.arrays.values()
            alarms = columns.look_raw(np.asarray(standard(rows, mean, std))), columns.look_raw(rows)
            found.setdefault(kind, []).append(alarms)
    return {kind: tuple(np.mean(alarms, axis=0).tolist()) for kind, alarms in found.items()}


def main() -> None:
    """Print a table of false alarms and hits in percent."""
    kinds = {"1": "1 row", "10": "10 rows", "100": "100 rows", "sorted": "50, sorted"}
    print("| table | " + " | ".join(kinds.values()) + " |")
    print("|---|" + "---|" * len(kinds))
    for name, X in tables().items():
        shares = counted(X)
        cells = [f"{100 * shares[k][0]:.1f} / {100 * shares[k][1]:.1f}" if k in shares else "" for k in kinds]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
