"""Data sets: exclusive or, two-dimensional toy data, and handwritten digits.

Moons and circles are equal to those of scikit-learn to the bit, so results can be compared.
MNIST comes in two sizes: a balanced sample in the package, which works offline, and the full set,
which is read from your own copy or downloaded on request.  ``read_idx`` reads both; it rejects a
file whose length does not match its header.  The result states its source.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from workings.errors import FileError, InputError, MissingExtraError, unknown_name
from workings.support.arrays import Array, RandomSource, as_random, describe
from workings.support.atomic_files import as_path, write_bytes
from workings.support.keywords import checked_keywords

MNIST_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
IDX_LIMIT = 2**31  # bytes: forty times the full MNIST; a few kilobytes of gzip can expand to far more
PIXELS = [f"pixel{i}" for i in range(784)]


@checked_keywords
def xor() -> tuple[Array, Array]:
    """Return exclusive or: 1 if exactly one of the first two columns is 1.

    No straight line separates the classes, so a network needs a hidden layer to learn them.  The
    third column is always 1; it replaces the bias in a network without biases.

    Returns
    -------
    X : array of shape (4, 3), float64
    y : array of shape (4,), float64

    Examples
    --------
    >>> X, y = xor()
    >>> y
    array([0., 0., 1., 1.])
    """
    X = np.array([[0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1]], dtype=np.float64)
    return X, np.array([0, 0, 1, 1], dtype=np.float64)


@checked_keywords
def moons(n: int = 200, noise: float = 0.2, seed: int | RandomSource = 0) -> tuple[Array, Array]:
    """Return two interleaving half circles, equal to ``sklearn.datasets.make_moons`` to the bit.

    Parameters
    ----------
    n : int
        Number of points, at least 2; if it is odd, class 1 has one point more.
    noise : float
        Standard deviation of the Gaussian noise added to both coordinates.
    seed : int, Generator or RandomState
        Random seed or generator.  A number means ``np.random.RandomState(seed)``, as in scikit-learn,
        so the same seed gives the same points.

    Returns
    -------
    X : array of shape (n, 2), float64
    y : array of shape (n,), int64
        0 for the upper moon, 1 for the lower.

    Raises
    ------
    InputError
        If ``n``, ``noise`` or ``seed`` is invalid.

    Examples
    --------
    >>> X, y = moons(200, noise=0.2, seed=0)
    >>> X.shape, np.bincount(y)
    ((200, 2), array([100, 100]))
    """
    upper, lower = (np.linspace(0, np.pi, count) for count in class_sizes(n))
    return shuffle_with_noise(
        np.column_stack([np.cos(upper), np.sin(upper)]),
        np.column_stack([1 - np.cos(lower), 1 - np.sin(lower) - 0.5]),
        noise,
        seed,
    )


@checked_keywords
def circles(
    n: int = 200,
    noise: float = 0.1,
    factor: float = 0.5,
    seed: int | RandomSource = 0,
) -> tuple[Array, Array]:
    """Return two concentric circles, equal to ``sklearn.datasets.make_circles`` to the bit.

    Parameters
    ----------
    n, noise, seed
        As in :func:`moons`.
    factor : float
        Radius of the inner circle, from 0 to below 1; the outer circle has radius 1.

    Returns
    -------
    X : array of shape (n, 2), float64
    y : array of shape (n,), int64
        0 for the outer circle, 1 for the inner.

    Raises
    ------
    InputError
        If an argument is invalid.

    Examples
    --------
    >>> X, y = circles(6, noise=0, factor=0.25)
    >>> sorted(float(r) for r in np.linalg.norm(X, axis=1).round(6))
    [0.25, 0.25, 0.25, 1.0, 1.0, 1.0]
    """
    if not 0 <= factor < 1:
        raise InputError(f"factor, the radius of the inner circle, must be from 0 to below 1, not {factor!r}.")
    outer, inner = (np.linspace(0, 2 * np.pi, count, endpoint=False) for count in class_sizes(n))
    return shuffle_with_noise(
        np.column_stack([np.cos(outer), np.sin(outer)]),
        np.column_stack([np.cos(inner) * factor, np.sin(inner) * factor]),
        noise,
        seed,
    )


@checked_keywords
def spirals(
    n: int = 200,
    noise: float = 0.02,
    turns: float = 1.5,
    seed: int | RandomSource = 0,
) -> tuple[Array, Array]:
    """Return two arms of an Archimedean spiral, rotated by 180° against each other.

    The radius grows from 0.1 to 1 with the angle; the points are evenly spaced along the arm.

    Parameters
    ----------
    n, noise, seed
        As in :func:`moons`.
    turns : float
        Number of turns of each arm around the centre; more turns are harder to learn.

    Returns
    -------
    X : array of shape (n, 2), float64
    y : array of shape (n,), int64

    Raises
    ------
    InputError
        If an argument is invalid.

    Examples
    --------
    >>> X, y = spirals(100, noise=0)
    >>> print(np.linalg.norm(X, axis=1).min().round(6), np.linalg.norm(X, axis=1).max().round(6))
    0.1 1.0
    """
    if not (math.isfinite(turns) and turns > 0):
        raise InputError(f"turns must be a number above 0, not {turns!r}.")
    # radii for equal steps in length, not in angle
    first, second = (np.sqrt(np.linspace(0.01, 1, count)) for count in class_sizes(n))
    return shuffle_with_noise(spiral_arm(first, turns), -spiral_arm(second, turns), noise, seed)


def spiral_arm(r: Array, turns: float) -> Array:
    """Return the points of one spiral arm at the radii ``r``, shape (len(r), 2)."""
    angle = 2 * np.pi * turns * r
    return np.column_stack([r * np.cos(angle), r * np.sin(angle)])


def class_sizes(n: int) -> tuple[int, int]:
    """Return the numbers of points in two classes with ``n`` points in total.

    >>> class_sizes(7)
    (3, 4)
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
        raise InputError(f"n, the number of points, must be a whole number from 2, not {describe(n)}.")
    return int(n) // 2, int(n) - int(n) // 2


def shuffle_with_noise(first: Array, second: Array, noise: float, seed: int | RandomSource) -> tuple[Array, Array]:
    """Shuffle two classes of points and add noise; the random numbers are drawn in scikit-learn's order."""
    if not (math.isfinite(noise) and noise >= 0):
        raise InputError(f"noise, a standard deviation, must be a number from 0, not {noise!r}.")
    random = random_state(seed)
    order = np.arange(len(first) + len(second))
    random.shuffle(order)
    X, y = np.vstack([first, second])[order], np.repeat([0, 1], [len(first), len(second)])[order]
    return X + random.normal(scale=noise, size=X.shape), y


def random_state(seed: int | RandomSource) -> RandomSource:
    """Return a ``RandomState`` for a number, as scikit-learn does, or the generator that was passed."""
    source = as_random(seed)
    if source is seed:
        return source
    if not isinstance(seed, (int, np.integer)) or seed >= 2**32:
        raise InputError(
            f"seed must be a whole number from 0 to 2**32 - 1 or a random generator, not {describe(seed)}."
        )
    return np.random.RandomState(seed)


@checked_keywords
def digits() -> tuple[Array, Array]:
    """Return scikit-learn's 1,797 handwritten digits of 8×8 pixels.

    Returns
    -------
    X : array of shape (1797, 64), float64
        Grey values from 0 to 16.
    y : array of shape (1797,), int64

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.

    Examples
    --------
    >>> X, y = digits()
    >>> X.shape, float(X.max()), y[:5]
    ((1797, 64), 16.0, array([0, 1, 2, 3, 4]))
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "sklearn") from error
    X, y = load_digits(return_X_y=True)
    return np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Mnist:
    """The MNIST data: handwritten digits of 28×28 pixels, with their source.

    Parameters
    ----------
    X_train, X_test : array of shape (n, 784), uint8
        Grey values from 0 (background) to 255 (ink), row by row.
    y_train, y_test : array of shape (n,), int64
        The digits.
    source : str
        Description of the source.
    full : bool
        True for the full MNIST (60,000 + 10,000 images), False for the sample.

    Examples
    --------
    >>> mnist("sample")
    Mnist(source='the sample in the package (7,500 + 1,700, equally many of each digit)', full=False)
    """

    X_train: Array = field(repr=False)
    y_train: Array = field(repr=False)
    X_test: Array = field(repr=False)
    y_test: Array = field(repr=False)
    source: str
    full: bool


@checked_keywords
def mnist(which: str = "auto", fetch: bool = False) -> Mnist:
    """Load MNIST: the full set if it is available, else a balanced sample from the package.

    Parameters
    ----------
    which : {"auto", "full", "sample"}
        "full" reads the four IDX files (plain or .gz) in the folder that the environment variable
        ``WORKINGS_DATA`` names.  "sample" reads 7,500 + 1,700 images from the package.  "auto" reads
        the full set if ``WORKINGS_DATA`` holds it, else the sample; ``source`` says which one.
    fetch : bool
        Allow scikit-learn to download the full set (openml.org, about 15 MB, stored in scikit-learn's
        cache) if ``WORKINGS_DATA`` does not hold it.  Without ``fetch``, nothing is downloaded.

    Returns
    -------
    Mnist

    Raises
    ------
    FileError
        If the full set is required and missing, its download fails, or one of its files is damaged.
    MissingExtraError
        If ``fetch`` needs scikit-learn and it is not installed.

    Examples
    --------
    >>> data = mnist("sample")
    >>> data.X_train.shape, data.X_test.shape, np.bincount(data.y_test)[:3]
    ((7500, 784), (1700, 784), array([170, 170, 170]))

    Source: LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition", 1998.
    """
    if which not in ("auto", "full", "sample"):
        raise unknown_name("MNIST", which, ("auto", "full", "sample"))
    if which == "sample":
        return sample()
    folder = os.environ.get("WORKINGS_DATA", "")
    if folder and not missing_files(Path(folder)):
        return full_set(Path(folder))
    if fetch:
        return fetch_full_set()
    if which == "full":
        raise FileError(full_set_missing(folder))
    return sample(f"; WORKINGS_DATA={folder} does not hold the full set" if folder else "")


def full_set_missing(folder: str) -> str:
    """Return the message that says which files are missing, and the two ways to get them."""
    if folder:
        reason = f"WORKINGS_DATA={folder} has no {', '.join(missing_files(Path(folder)))}"
    else:
        reason = "the environment variable WORKINGS_DATA is not set"
    return (
        f"The full MNIST was not found: {reason}. Either set WORKINGS_DATA to a folder with the four files "
        f'{", ".join(MNIST_FILES)} (plain or .gz), or allow the download with mnist("full", fetch=True), '
        f'which needs scikit-learn. mnist("sample") needs neither.'
    )


def idx_file(folder: Path, name: str) -> Path:
    """Return the path of an IDX file, plain or with .gz."""
    return folder / name if (folder / name).is_file() else folder / f"{name}.gz"


def missing_files(folder: Path) -> list[str]:
    """Return the names of the four MNIST files that are missing in a folder."""
    return [name for name in MNIST_FILES if not idx_file(folder, name).is_file()]


def sample(remark: str = "") -> Mnist:
    """Read the sample from the package."""
    parts = read_parts(Path(__file__).with_name("data"))
    sizes = f"{len(parts[0]):,} + {len(parts[2]):,}"
    return Mnist(*parts, source=f"the sample in the package ({sizes}, equally many of each digit){remark}", full=False)


def full_set(folder: Path) -> Mnist:
    """Read the full set from a folder; raise an error if the folder holds only a part of it."""
    parts = read_parts(folder)
    if (len(parts[0]), len(parts[2])) != (60_000, 10_000):
        raise FileError(
            f"{folder} holds {len(parts[0]):,} training and {len(parts[2]):,} test images, but the full MNIST has "
            f'60,000 and 10,000. Put the full files there, or use mnist("sample").'
        )
    return Mnist(*parts, source=f"the full set (60,000 + 10,000), IDX files in {folder}", full=True)


def read_parts(folder: Path) -> tuple[Array, Array, Array, Array]:
    """Read the four files: training images, training labels, test images, test labels."""
    images, labels, test_images, test_labels = (idx_file(folder, name) for name in MNIST_FILES)
    return *read_pair(images, labels), *read_pair(test_images, test_labels)


def read_pair(images: Path, labels: Path) -> tuple[Array, Array]:
    """Read images and their labels; raise an error if they do not match."""
    X, y = read_idx(images), read_idx(labels)
    if X.dtype != np.uint8 or X.shape[1:] != (28, 28):
        raise FileError(f"{images} holds {describe(X)}; MNIST images have the shape (n, 28, 28) and type uint8.")
    if y.dtype != np.uint8 or y.shape != X.shape[:1] or y.max() > 9:
        raise FileError(
            f"{labels} holds {describe(y)}; for {len(X):,} images there must be as many labels from 0 to 9."
        )
    return X.reshape(len(X), 784), y.astype(np.int64)


def fetch_full_set() -> Mnist:
    """Get the full set through scikit-learn, from openml.org or from scikit-learn's cache."""
    try:
        from sklearn.datasets import fetch_openml
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "sklearn") from error
    try:
        X, y = fetch_openml("mnist_784", version=1, as_frame=False, parser="liac-arff", return_X_y=True, n_retries=1)
    except (OSError, ValueError) as error:
        raise FileError(
            f"MNIST could not be downloaded from openml.org ({error}). Check the network connection, or set "
            f"WORKINGS_DATA to a folder with {', '.join(MNIST_FILES)} (plain or .gz)."
        ) from error
    X, y = np.ascontiguousarray(X, dtype=np.uint8), np.asarray(y).astype(np.int64)
    source = "the full set (60,000 + 10,000), fetched from openml.org by scikit-learn"
    return Mnist(X[:60_000], y[:60_000], X[60_000:], y[60_000:], source=source, full=True)


@checked_keywords
def read_idx(path: str | Path) -> Array:
    """Read an array from an IDX file, the format of MNIST, plain or gzipped.

    The first four bytes are 0, 0, the data type and the number of dimensions.  The sizes of the
    dimensions (four bytes each, big-endian) and the data follow.  The function reads no more bytes
    than the header states.

    Parameters
    ----------
    path : str or Path
        The file; gzip is recognized by its first bytes, not by its name.

    Returns
    -------
    array
        Its shape and data type are those in the header.

    Raises
    ------
    FileError
        If the file cannot be read, is not an IDX file, or its length does not match its header.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "three-labels"
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
    ...     read_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    path = as_path(path)
    try:
        with open_plain_or_gzip(path) as file:
            dtype, shape = read_idx_header(file, path)
            numbers = read_exactly(file, dtype.itemsize * math.prod(shape), path)
    except FileError:
        raise
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FileError(f"{path} is damaged: {error}. Download the file again.") from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error
    return np.frombuffer(numbers, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def open_plain_or_gzip(path: Path) -> BufferedIOBase:
    """Open a file for reading, through gzip if it starts with gzip's magic number."""
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if is_gzip else path.open("rb")


def read_idx_header(file: BufferedIOBase, path: Path) -> tuple[np.dtype[np.number], tuple[int, ...]]:
    """Read the data type and the shape; raise an error for other formats, empty arrays and excessive sizes."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in IDX_TYPES or magic[3] == 0:
        raise FileError(
            f"{path} is not an IDX file: it starts with the bytes {list(magic)}; expected 0, 0, a data type "
            f"({', '.join(map(str, IDX_TYPES))}) and the number of dimensions."
        )
    dimensions = file.read(4 * magic[3])
    if len(dimensions) < 4 * magic[3]:
        raise FileError(f"{path} ends within its header of {magic[3]} dimensions. Download the file again.")
    dtype, shape = np.dtype(IDX_TYPES[magic[2]]), tuple(int(size) for size in np.frombuffer(dimensions, ">u4"))
    if not 0 < dtype.itemsize * math.prod(shape) <= IDX_LIMIT:
        raise FileError(f"{path} has a header with the shape {shape}, which is empty or above {IDX_LIMIT:,} bytes.")
    return dtype, shape


def read_exactly(file: BufferedIOBase, size: int, path: Path) -> bytearray:
    """Read the rest of a file; raise an error unless it is exactly ``size`` bytes, after reading at most one more."""
    data = bytearray()
    while block := file.read(min(2**20, size + 1 - len(data))):
        data += block
    if len(data) != size:
        found = f"only {len(data):,}" if len(data) < size else "more"
        raise FileError(
            f"{path} should hold {size:,} bytes of data by its header, but holds {found}. Download the file again."
        )
    return data


@checked_keywords
def kaggle_csv(path: str | Path) -> tuple[Array, Array]:
    """Read ``train.csv`` of Kaggle's "Digit Recognizer": a label and 784 pixels per line.

    Parameters
    ----------
    path : str or Path
        A file whose first line is ``label,pixel0,pixel1,…,pixel783``.

    Returns
    -------
    X : array of shape (n, 784), uint8
    y : array of shape (n,), int64

    Raises
    ------
    FileError
        If the file cannot be read, has other columns, or has values that are not whole numbers from 0 to 255.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "train.csv"
    ...     lines = [",".join(["label", *PIXELS]), ",".join(["7", *["0"] * 784])]
    ...     _ = path.write_text("\\n".join(lines))
    ...     X, y = kaggle_csv(path)
    >>> X.shape, y
    ((1, 784), array([7]))
    """
    path = as_path(path)
    check_kaggle_header(path)
    table = read_whole_numbers(path)
    for column, highest in ((table[:, :1], 9), (table[:, 1:], 255)):
        check_range(column, highest, path)
    return np.ascontiguousarray(table[:, 1:], dtype=np.uint8), table[:, 0].astype(np.int64)


def check_kaggle_header(path: Path) -> None:
    """Raise an error if the first line is not the expected header, or if there is no second line."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            names = [name.strip().strip('"') for name in file.readline(20_000).split(",")]
            empty = not file.readline(20_000).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path} cannot be read as a CSV file: {error}.") from error
    if names != ["label", *PIXELS]:
        hint = " That is Kaggle's test.csv, which has no labels; use train.csv." if names == PIXELS else ""
        raise FileError(
            f"{path} has {len(names)} columns, starting with {', '.join(names[:3])!r}; "
            f"expected 785: label, pixel0, …, pixel783.{hint}"
        )
    if empty:
        raise FileError(f"{path} has a header but no rows.")


def read_whole_numbers(path: Path) -> Array:
    """Read the lines below the header as whole numbers, shape (n, 785).

    NumPy needs 1.1 s for 42,000 lines on two cores, Polars 1.4 s; so this uses NumPy.
    """
    try:
        table = np.loadtxt(path, np.int32, delimiter=",", skiprows=1, ndmin=2, quotechar='"', encoding="utf-8-sig")
    except ValueError as error:
        raise not_whole_numbers(path, str(error)) from error
    if table.shape[1] != 785:
        raise not_whole_numbers(path, f"the lines have {table.shape[1]}")
    return table


def not_whole_numbers(path: Path, reason: str) -> FileError:
    """Return the error for a line that does not hold 785 whole numbers."""
    return FileError(
        f"{path} must hold 785 whole numbers in every line, but: {reason}. Download the file from Kaggle again."
    )


def check_range(values: Array, highest: int, path: Path) -> None:
    """Raise an error for numbers outside 0..highest; it names the first line and column."""
    if values.min() < 0 or values.max() > highest:
        row, column = (int(i) for i in np.argwhere((values < 0) | (values > highest))[0])
        name = "label" if highest == 9 else PIXELS[column]
        raise FileError(
            f"{path} has {values[row, column]} in line {row + 2}, column {name}; it must be from 0 to {highest}."
        )


@checked_keywords
def write_idx(path: str | Path, values: Array) -> None:
    """Write a uint8 array as a gzipped IDX file; equal arrays give identical files.

    Parameters
    ----------
    path : str or Path
    values : array of any shape, uint8

    Raises
    ------
    InputError
        If the array is not of type uint8.
    """
    if values.dtype != np.uint8 or values.ndim == 0:
        raise InputError(f"write_idx needs an array of type uint8 with at least one dimension, not {describe(values)}.")
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    write_bytes(as_path(path), gzip.compress(header + values.tobytes(), compresslevel=9, mtime=0))


Maker = Callable[..., tuple[Array, Array]]
DATASETS: dict[str, Maker] = {maker.__name__: maker for maker in (xor, moons, circles, spirals, digits)}
