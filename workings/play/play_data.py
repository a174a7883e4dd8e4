"""The data of the playground: points in the plane, tables and images, with the inputs that the network gets.

A generated data set has two columns, from which features such as x1² or sin(πx1) are made.  Any other data set is a
table: its columns are the features.  The first rows are for training, the last ones for validation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from workings.datasets import circles, moons, spirals
from workings.errors import InputError, count_of, unknown_name
from workings.play.session_settings import MOST_FEATURES, MOST_ROWS, Settings
from workings.support.arrays import Array
from workings.support.escaping import visible
from workings.support.json_values import JsonObject

Feature = Callable[[Array, Array], Array]
FEATURES: dict[str, Feature] = {
    "x1": lambda x1, x2: x1,
    "x2": lambda x1, x2: x2,
    "x1²": lambda x1, x2: x1**2,
    "x2²": lambda x1, x2: x2**2,
    "x1x2": lambda x1, x2: x1 * x2,
    "sin πx1": lambda x1, x2: np.sin(np.pi * x1),
    "sin πx2": lambda x1, x2: np.sin(np.pi * x2),
}
PADDING = 0.12  # of the range of the points, around the plane


def xor_cloud(n: int, noise: float, seed: int) -> tuple[Array, Array]:
    """Return points of a square: class 1 if the signs of the coordinates differ."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (n, 2))
    points += 0.08 * np.sign(points)  # a gap between the quadrants
    y = (points[:, 0] * points[:, 1] < 0).astype(np.int64)
    return points + noise * 0.5 * rng.standard_normal((n, 2)), y


def gaussians(n: int, noise: float, seed: int) -> tuple[Array, Array]:
    """Return two round clouds."""
    return clouds(np.array([[-0.7, -0.7], [0.7, 0.7]]), n, noise, seed)


def three_blobs(n: int, noise: float, seed: int) -> tuple[Array, Array]:
    """Return three round clouds, one for each class."""
    angle = 2 * np.pi * np.arange(3) / 3 + np.pi / 2
    return clouds(0.8 * np.column_stack([np.cos(angle), np.sin(angle)]), n, noise, seed)


def clouds(centres: Array, n: int, noise: float, seed: int) -> tuple[Array, Array]:
    """Return Gaussian clouds around the given centres."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % len(centres))
    return centres[y] + (0.1 + noise) * rng.standard_normal((n, 2)), y


def plane(n: int, noise: float, seed: int) -> tuple[Array, Array]:
    """Return a regression target that is linear in both coordinates."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 2))
    return X, X[:, 0] + X[:, 1] + noise * rng.standard_normal(n)


def hills(n: int, noise: float, seed: int) -> tuple[Array, Array]:
    """Return a regression target with two hills and a valley."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 2))
    tops = ((1.0, (-0.4, -0.4)), (0.8, (0.5, 0.4)), (-0.9, (-0.4, 0.55)))
    y = sum(height * np.exp(-8 * ((X - top) ** 2).sum(axis=1)) for height, top in tops)
    return X, y + noise * rng.standard_normal(n)


@dataclass(frozen=True)
class Generated:
    """A generated data set: its function, its usual noise, and whether the targets are classes."""

    make: Callable[[int, float, int], tuple[Array, Array]]
    noise: float
    words: str
    is_classes: bool = True


GENERATED: dict[str, Generated] = {
    "moons": Generated(lambda n, noise, seed: moons(n, noise, seed=seed), 0.2, "Two interleaving half circles."),
    "circles": Generated(lambda n, noise, seed: circles(n, noise, seed=seed), 0.1, "A circle inside another one."),
    "xor": Generated(xor_cloud, 0.1, "Exclusive or: no straight line separates the classes."),
    "spirals": Generated(
        lambda n, noise, seed: spirals(n, noise, turns=1.0, seed=seed), 0.02, "Two spiral arms: the hardest set."
    ),
    "gaussians": Generated(gaussians, 0.3, "Two round clouds: one straight line is enough."),
    "blobs": Generated(three_blobs, 0.15, "Three classes: one output for each."),
    "plane": Generated(plane, 0.1, "Regression: the target is x1 + x2.", False),
    "hills": Generated(hills, 0.05, "Regression: two hills and a valley.", False),
}


@dataclass(frozen=True, eq=False)
class PlayData:
    """Rows with their targets, and how to make inputs of them; all names get only visible characters.

    Attributes
    ----------
    name, words : str
    raw : array of shape (n, columns)
        The columns of the data.
    y : array of shape (n,)
        Class numbers, or numbers to predict.
    columns, classes : tuple of str
        Names of the columns, and of the classes (empty for a regression).
    features : tuple of str
        The names of the inputs that the network gets.
    training : int
        The number of training rows, which come first.
    side : int
        Width of an image in pixels; 0 if rows are no images.
    source : tuple of str
        Lines of code that make ``X`` and ``y``; empty for a generated set.
    offered : tuple of str
        The names of all features.
    """

    name: str
    words: str
    raw: Array
    y: Array
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    features: tuple[str, ...]
    training: int
    side: int = 0
    source: tuple[str, ...] = ()
    offered: tuple[str, ...] = field(default=tuple(FEATURES))

    def __post_init__(self) -> None:
        for name in ("name", "words"):
            object.__setattr__(self, name, visible(getattr(self, name)))
        for names in ("columns", "classes", "features", "offered"):
            object.__setattr__(self, names, tuple(map(visible, getattr(self, names))))

    @property
    def outputs(self) -> int:
        """The number of outputs with one for each class; 1 for a regression."""
        return max(len(self.classes), 1)

    @property
    def usual_loss(self) -> str:
        """The name of the usual loss for these targets."""
        return "SquaredError" if not self.classes else "BinaryCrossEntropy" if self.outputs == 2 else "CrossEntropy"

    def inputs(self, raw: Array) -> Array:
        """Return the inputs of the network for rows of the data's columns, of shape (n, features)."""
        if self.offered != tuple(FEATURES):
            places = [self.columns.index(name) for name in self.features]
            return raw[:, places]
        return np.column_stack([FEATURES[name](raw[:, 0], raw[:, 1]) for name in self.features])

    def with_features(self, names: tuple[str, ...]) -> PlayData:
        """Return the same data with other features.

        Raises
        ------
        InputError
            If there is no feature, or an unknown one.
        """
        for name in names:
            if name not in self.offered:
                raise unknown_name("feature", name[:80], self.offered)
        if not names:
            raise InputError("The network needs at least one feature: switch one on.")
        return replace(self, features=tuple(name for name in self.offered if name in names))


def generate(settings: Settings) -> PlayData:
    """Make the generated data set that the settings describe.

    >>> data = generate(Settings(rows=100, held_out=0.25))
    >>> data.raw.shape, data.training, data.classes
    ((100, 2), 75, ('0', '1'))
    """
    kind = GENERATED[settings.data]
    raw, y = kind.make(settings.rows, settings.noise, settings.data_seed)
    return points(settings.data, kind.words, raw, y, settings.held_out, kind.is_classes)


def points(name: str, words: str, raw: Array, y: Array, held_out: float, is_classes: bool) -> PlayData:
    """Return points of the plane as data."""
    classes = tuple(str(label) for label in np.unique(y)) if is_classes else ()
    return PlayData(name, words, raw, y, ("x1", "x2"), classes, ("x1", "x2"), training_rows(len(y), held_out))


def training_rows(rows: int, held_out: float) -> int:
    """Return how many of the rows are for training: all but the held-out fraction, at least two.

    >>> training_rows(100, 0.3), training_rows(3, 0.9)
    (70, 2)
    """
    return max(rows - round(rows * held_out), min(rows, 2))


def check_size(X: Array) -> None:
    """Raise an error for a table that is too large for a session."""
    if len(X) > MOST_ROWS:
        raise InputError(
            f"The table has {count_of(len(X), 'row')}; the playground takes at most {MOST_ROWS:,}. "
            "Take a random part of it, or use `workings train`."
        )
    if X.shape[1] > MOST_FEATURES:
        raise InputError(
            f"The table has {count_of(X.shape[1], 'column')} after encoding; the playground takes at most "
            f"{MOST_FEATURES}. Leave some out, or use `workings train`."
        )


def described() -> list[JsonObject]:
    """Return the generated data sets for the page: name, words and usual noise."""
    return [{"name": name, "words": kind.words, "noise": kind.noise} for name, kind in GENERATED.items()]
