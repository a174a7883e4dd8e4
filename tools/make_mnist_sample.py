"""Draw the balanced MNIST sample that is part of the package.

    python tools/make_mnist_sample.py FOLDER_WITH_THE_FULL_SET [OUT_FOLDER]

Equally many images of each digit are drawn without replacement: those for training from the full
training set, those for testing from the full test set.  The pixels are not changed.  The sizes are
the largest round ones whose four files stay below 1.5 MB.  The same full set gives the same bytes
(gzip's own bytes may differ between versions of zlib; the arrays in them do not).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from workings.datasets import MNIST_FILES, full_set, write_idx
from workings.support.arrays import Array

SEED = 1998  # the year of the paper
TRAIN_PER_DIGIT, TEST_PER_DIGIT = 750, 170
LIMIT = 1_500_000  # bytes
DATA = Path(__file__).resolve().parents[1] / "workings" / "data"


def draw(y: Array, per_digit: int, random: np.random.Generator) -> Array:
    """Give the row numbers of ``per_digit`` samples of each digit, shuffled."""
    chosen = [random.choice(np.flatnonzero(y == digit), per_digit, replace=False) for digit in range(10)]
    return random.permutation(np.concatenate(chosen))


def main(source: Path, target: Path) -> None:
    """Write the four files and say how large they are."""
    full, random = full_set(source), np.random.default_rng(SEED)
    train = draw(full.y_train, TRAIN_PER_DIGIT, random)
    test = draw(full.y_test, TEST_PER_DIGIT, random)
    parts = (full.X_train[train], full.y_train[train], full.X_test[test], full.y_test[test])
    paths = [target / f"{name}.gz" for name in MNIST_FILES]
    for path, values in zip(paths, parts, strict=True):
        write_idx(path, values.astype(np.uint8).reshape(-1, 28, 28) if values.ndim == 2 else values.astype(np.uint8))
    size = sum(path.stat().st_size for path in paths)
    print(f"{len(train):,} + {len(test):,} images in {size:,} bytes")
    if size > LIMIT:
        raise SystemExit(f"That is above {LIMIT:,} bytes: draw fewer.")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else DATA)
