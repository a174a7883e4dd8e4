"""Tables and images in the playground: scikit-learn's, and your own CSV and Parquet files.

Files are read by ``workings.tables``, with its errors: columns are typed, categories one-hot encoded, numbers
standardized.  An image is a row of pixels.
"""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from workings.datasets import digits, mnist
from workings.errors import InputError, MissingExtraError, WorkingsError
from workings.play.code_templates import CODE
from workings.play.pictures import decoded
from workings.play.play_data import PlayData, check_size
from workings.support.arrays import Array
from workings.support.escaping import visible
from workings.support.json_values import JsonObject

T = TypeVar("T")
MOST_IMAGES = 2000
SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")


def shuffled(data: PlayData) -> PlayData:
    """Return the same data with its rows in a random order, because tables may be sorted."""
    order = np.random.default_rng(0).permutation(len(data.y))
    return replace(data, raw=data.raw[order], y=np.asarray(data.y, dtype=np.float64)[order])


def sklearn_table(name: str) -> PlayData:
    """Return one of scikit-learn's tables, standardized."""
    from workings.tables.columns import standardized  # takes time to import

    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "sklearn") from error
    found = getattr(datasets, f"load_{name}")()
    columns = tuple(str(column) for column in found.feature_names)
    classes = tuple(str(one) for one in found.target_names) if hasattr(found, "target_names") else ()
    y = np.asarray(found.target, dtype=np.float64)
    raw = np.column_stack([standardized(column) for column in np.asarray(found.data, dtype=np.float64).T])
    source = (
        "import numpy as np",
        f"from sklearn.datasets import load_{name}",
        "X, y = load_" + name + "(return_X_y=True)",
        "X = (X - X.mean(axis=0)) / X.std(axis=0)",
        "order = np.random.default_rng(0).permutation(len(y))",
        "X, y = X[order], y[order]" + ("" if classes else "\ny = (y - y.mean()) / y.std()"),
    )
    return shuffled(
        PlayData(
            name,
            f"{len(y)} rows, {len(columns)} columns, of scikit-learn.",
            raw,
            y if classes else standardized(y),
            columns,
            classes,
            columns,
            len(y),
            source=source,
            offered=columns,
        )
    )


def images(name: str, X: Array, y: Array, source: tuple[str, ...]) -> PlayData:
    """Return images with values from 0 to 1 as data."""
    side = round(X.shape[1] ** 0.5)
    pixels = tuple(f"pixel{k}" for k in range(X.shape[1]))
    classes = tuple(str(label) for label in np.unique(y))
    words = f"{len(y):,} handwritten digits of {side}×{side} pixels. Draw your own below."
    return PlayData(name, words, X, y, pixels, classes, pixels, len(y), side, source, offered=pixels)


def load_digits() -> PlayData:
    """Return scikit-learn's digits of 8×8 pixels, in a random order."""
    X, y = digits()
    lines = (
        "import numpy as np",
        "from workings.datasets import digits",
        "X, y = digits()",
        "order = np.random.default_rng(0).permutation(len(y))",
        "X, y = X[order] / 16, y[order]",
    )
    return shuffled(images("digits", X / 16, y, lines))


def load_mnist() -> PlayData:
    """Return a part of MNIST's sample, 28×28 pixels, in a random order."""
    found = mnist("sample")
    chosen = np.random.default_rng(1).permutation(len(found.y_train))[:MOST_IMAGES]
    lines = (
        "import numpy as np",
        "from workings.datasets import mnist",
        "found = mnist('sample')",
        f"chosen = np.random.default_rng(1).permutation(len(found.y_train))[:{MOST_IMAGES}]",
        "order = np.random.default_rng(0).permutation(len(chosen))",
        "X, y = found.X_train[chosen][order] / 255, found.y_train[chosen][order]",
    )
    return shuffled(images("mnist", found.X_train[chosen] / 255.0, found.y_train[chosen], lines))


LOADERS: dict[str, Callable[[], PlayData]] = {
    "iris": lambda: sklearn_table("iris"),
    "wine": lambda: sklearn_table("wine"),
    "breast_cancer": lambda: sklearn_table("breast_cancer"),
    "diabetes": lambda: sklearn_table("diabetes"),
    "digits": load_digits,
    "mnist": load_mnist,
}
WORDS = {
    "iris": "Three kinds of iris, by four measures of their flowers.",
    "wine": "Three growers of wine, by thirteen chemical measures.",
    "breast_cancer": "Benign or malignant, by thirty measures of the nuclei of cells.",
    "diabetes": "Regression: the course of diabetes after a year, by ten measures.",
    "digits": "Handwritten digits of 8×8 pixels.",
    "mnist": "Handwritten digits of 28×28 pixels: MNIST.",
}


def offered() -> list[JsonObject]:
    """Return the tables and images that can be loaded here, for the page."""
    has_sklearn = importlib.util.find_spec("sklearn") is not None
    names = [name for name in LOADERS if has_sklearn or name == "mnist"]
    return [{"name": name, "words": WORDS[name], "noise": 0} for name in names]


def table_columns(name: str, content: str) -> list[str]:
    """Return the columns of a table that was given as base64 text, with only visible characters."""
    return with_file(name, content, lambda path: [visible(column) for column in read(path).columns])


def table_of(name: str, content: str, target: str, impute: bool) -> PlayData:
    """Return a table that was given as base64 text as data; one of its columns is the target."""
    return with_file(name, content, lambda path: table_at(path, target, impute, name))


def with_file(name: str, content: str, use: Callable[[Path], T]) -> T:
    """Write base64 text to a temporary file and use it; errors name the file as the user does."""
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"A table ends in {', '.join(SUFFIXES)}, not as in {name!r}.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table{suffix}"
        path.write_bytes(decoded(content))
        try:
            return use(path)
        except WorkingsError as error:
            raise InputError(str(error).replace(str(path), name)) from error


def read(path: Path) -> Any:
    """Read a table."""
    from workings.tables import read_table

    return read_table(path)


def table_at(path: Path, target: str, impute: bool = False, name: str = "") -> PlayData:
    """Return a table in a file as data; ``name`` is the file in the code that reads it again, if it is not ``path``.

    Raises
    ------
    InputError, FileError
        As :mod:`workings.tables` raises them; and for a table that is too large for the playground.
    """
    from workings.tables import Preprocessing

    frame = read(path)
    named = {visible(column): column for column in frame.columns}  # the page shows these
    learned = Preprocessing.learn(frame, named.get(target, target), impute=impute)
    X, y = learned.transform(frame), learned.targets(frame)
    check_size(X)
    classes: tuple[str, ...] = ()
    if learned.classes:
        labels, y = np.unique(np.asarray(y), return_inverse=True)
        classes = tuple(str(label) for label in labels.tolist())
    columns = tuple(learned.feature_names)
    words = f"{len(y):,} rows, {len(columns)} inputs; {learned.reason}."
    source = CODE["table"].format(
        file=repr(name or str(path)), dropped="", target=repr(named.get(target, target)), impute=impute
    )
    return shuffled(
        PlayData(f"table: {target}", words, X, y, columns, classes, columns, len(y), source=(source,), offered=columns)
    )
