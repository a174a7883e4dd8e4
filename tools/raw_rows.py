"""Count how often rows that a network of a table is given without names are taken for the table's own.

A network takes them standardized.  Means and deviations are those of 70 % of a table's rows; the other 30 % are handed
over as they are, of which a warning is a hit, and standardized, of which it is a false alarm: one row at a time, ten,
a hundred, and fifty neighbours of a table that is sorted by one of its columns.  Ten splits of each table.

    python -m tools.raw_rows
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn import datasets

from workings.columns import Columns, Number, standard
from workings.support.arrays import Array

SPLITS, MOST_GROUPS = 10, 60


def tables() -> dict[str, Array]:
    """Real tables, and made-up ones with columns that are awkward."""
    rng, n = np.random.default_rng(0), 2000
    found: dict[str, Array] = {name: getattr(datasets, f"load_{name}")().data for name in
                               ("iris", "wine", "breast_cancer", "digits")}  # fmt: skip
    found["diabetes"] = datasets.load_diabetes(scaled=False).data
    found["diabetes, scaled by its authors"] = datasets.load_diabetes().data
    found["counts, 95 % zeros"] = rng.poisson(0.05, (n, 20)).astype(float)
    found["weights of words, 98 % zeros"] = rng.random((n, 100)) * (rng.random((n, 100)) < 0.02)
    found["yes and no, 50 %"] = (rng.random((n, 10)) < 0.5).astype(float)
    found["yes and no, 2 %"] = (rng.random((n, 10)) < 0.02).astype(float)
    found["one of 8 as numbers"] = np.eye(8)[rng.integers(0, 8, n)]
    found["years, and incomes in whole numbers"] = np.stack(
        [rng.integers(1950, 2020, n), np.round(np.exp(rng.normal(10, 1, n)))], axis=1
    )
    found["Student's t, 3 degrees, 20 ± 7"] = rng.standard_t(3, (n, 6)) * 7 + 20
    found["shares from 0 to 1, all digits"] = rng.random((n, 5))
    found["lognormal, all digits"] = np.exp(rng.normal(0, 2, (n, 6)))
    found["lognormal, two decimals"] = np.round(found["lognormal, all digits"], 2)
    found["Cauchy, all digits"] = rng.standard_cauchy((n, 6))
    found["normal, 1 ± 1, all digits"] = rng.normal(1, 1, (n, 5))
    return found


def columns_of(X: Array) -> Columns:
    """What a network remembers of such a table."""
    means, spreads = X.mean(axis=0).tolist(), X.std(axis=0).tolist()
    pairs = zip(means, spreads, strict=True)
    return Columns(tuple(Number(f"x{i}", mean, std or 1.0, None) for i, (mean, std) in enumerate(pairs)), "y", None)


def groups(X: Array, size: int) -> Iterator[Array]:
    """Rows in their order, so many at a time."""
    for start in range(0, min(len(X) - size + 1, MOST_GROUPS * size), size):
        yield X[start : start + size]


def samples(X: Array, rng: np.random.Generator) -> Iterator[tuple[str, Columns, Array]]:
    """Each sample of rows of one split, with what was learned from the others."""
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
    """The share of false alarms and of hits for each kind of sample."""
    found: dict[str, list[tuple[bool, bool]]] = {}
    rng = np.random.default_rng(1)
    for _ in range(SPLITS):
        for kind, columns, rows in samples(X, rng):
            mean, std, _ = columns.arrays.values()
            alarms = columns.look_raw(np.asarray(standard(rows, mean, std))), columns.look_raw(rows)
            found.setdefault(kind, []).append(alarms)
    return {kind: tuple(np.mean(alarms, axis=0).tolist()) for kind, alarms in found.items()}


def main() -> None:
    """Print a table: false alarms and hits in percent."""
    kinds = ("1", "10", "100", "sorted")
    print("| table | " + " | ".join("sorted, 50" if kind == "sorted" else kind for kind in kinds) + " |")
    print("|---|" + "---|" * len(kinds))
    for name, X in tables().items():
        shares = counted(X)
        cells = [f"{100 * shares[k][0]:.1f} / {100 * shares[k][1]:.1f}" if k in shares else "" for k in kinds]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
