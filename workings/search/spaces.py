"""Search spaces: the values of each setting, as a list or as a distribution, and the combinations of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

import numpy as np

from workings.errors import InputError
from workings.support.arrays import Array, describe
from workings.support.ranges import as_number

Space = Mapping[str, object]  # the values of each setting: a list of them, or a distribution


class Distribution(Protocol):
    """Something that random values of a setting are drawn from."""

    def draw(self, rng: np.random.Generator) -> object:
        """Draw a value."""


@dataclass(frozen=True)
class Uniform:
    """Numbers between two bounds, each equally probable.

    >>> 0 <= Uniform(0, 0.5).draw(np.random.default_rng(0)) < 0.5
    True
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        check_bounds(self, self.low, self.high)

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a number."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class LogUniform:
    """Numbers between two positive bounds whose logarithms are equally probable: for rates and penalties.

    >>> 1e-4 <= LogUniform(1e-4, 1e-1).draw(np.random.default_rng(0)) <= 1e-1
    True
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        check_bounds(self, self.low, self.high)
        if self.low <= 0:
            raise InputError(f"LogUniform needs bounds above 0, not {self.low!r}: use Uniform, or a higher bound.")

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a number."""
        drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return min(max(drawn, self.low), self.high)


@dataclass(frozen=True)
class WholeNumbers:
    """Whole numbers from ``low`` to ``high``, both included, each equally probable.

    >>> WholeNumbers(4, 64).draw(np.random.default_rng(0)) in range(4, 65)
    True
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        check_bounds(self, self.low, self.high)

    def draw(self, rng: np.random.Generator) -> int:
        """Draw a number."""
        return int(rng.integers(self.low, self.high, endpoint=True))


def check_bounds(owner: object, low: float, high: float) -> None:
    """Raise an error unless the bounds are finite numbers, the lower one first."""
    numbers = as_number(low), as_number(high)
    if None in numbers or not -math.inf < low < high < math.inf:
        raise InputError(
            f"{type(owner).__name__} needs two finite numbers, the lower one first, not {low!r}, {high!r}."
        )


def combinations(space: Space, samples: int | None, seed: int) -> list[dict[str, object]]:
    """Return the combinations of settings to try: all of a grid, or random ones.

    Parameters
    ----------
    space : mapping of str to list or distribution
        A list may also be an array of one dimension, such as ``np.logspace(-3, -1, 5)``.  A distribution is an object
        with ``draw(rng)``, or one of SciPy's with ``rvs(random_state=…)``.
    samples : int or None
        The number of random combinations; None for all combinations of a grid.
    seed : int
        The seed of the random combinations.

    Examples
    --------
    >>> combinations({"units": [4, 8], "lr": [0.1]}, None, 0)
    [{'units': 4, 'lr': 0.1}, {'units': 8, 'lr': 0.1}]
    >>> len(combinations({"lr": LogUniform(0.01, 1.0)}, 5, 0))
    5
    """
    if not isinstance(space, Mapping) or not space:
        raise InputError(f"settings must be a dict such as {{'lr': [0.1, 0.3]}}, not {describe(space)}.")
    space = {name: values.tolist() if is_column(values) else values for name, values in space.items()}
    lists = {name: values for name, values in space.items() if is_list(name, values) and isinstance(values, Sequence)}
    if samples is None:
        if drawn := next((name for name in space if name not in lists), None):
            raise InputError(f"{drawn} is a distribution: say how many combinations to draw, as in samples=32.")
        return [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]
    rng, found = np.random.default_rng(seed), []
    for _ in range(samples):
        found.append({name: drawn_from(values, rng) for name, values in space.items()})
    return without_repetition(found)


def is_column(values: object) -> TypeGuard[Array]:
    """Whether the values of a setting are an array of one dimension."""
    return isinstance(values, np.ndarray) and values.ndim == 1


def is_list(name: str, values: object) -> bool:
    """Whether the values of a setting are a list; raise an error if they are no distribution either."""
    if isinstance(values, Sequence) and not isinstance(values, str) and len(values):
        return True
    if hasattr(values, "draw") or hasattr(values, "rvs"):
        return False
    raise InputError(f"{name} must be a list of values or a distribution such as LogUniform, not {describe(values)}.")


def drawn_from(values: Any, rng: np.random.Generator) -> object:
    """Draw one value of a setting."""
    if hasattr(values, "draw"):
        return values.draw(rng)
    if hasattr(values, "rvs"):
        drawn = values.rvs(random_state=rng)
        return drawn.item() if hasattr(drawn, "item") else drawn
    return values[int(rng.integers(len(values)))]


def without_repetition(found: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    """Return the combinations, each once."""
    return list({repr(one): one for one in found}.values())
