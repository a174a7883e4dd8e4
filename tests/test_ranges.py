"""Ranges: every number among the settings has one, it is kept, and numbers of NumPy are as good as Python's."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from workings import InputError
from workings.initializers import INITIALIZERS, GlorotUniformOf
from workings.layers import LAYERS
from workings.losses import LOSSES
from workings.optimizers import LBFGS, OPTIMIZERS, ClipByNorm, ClipByValue, Decay, Optimizer
from workings.regularizers import REGULARIZERS
from workings.schedules import SCHEDULES, Schedule
from workings.support.ranges import Range, as_number

KINDS: list[Any] = [
    *OPTIMIZERS.values(), Decay, ClipByValue, ClipByNorm, LBFGS, *LAYERS.values(), *LOSSES.values(),
    *REGULARIZERS.values(), *INITIALIZERS.values(), GlorotUniformOf, *SCHEDULES.values(),
]  # fmt: skip
NUMBERS = [(kind, f) for kind in KINDS for f in dataclasses.fields(kind) if f.type in ("float", "int", "int | None")]
RANGED = [(kind, f) for kind, f in NUMBERS if f.name != "lr"]
IDS = [f"{kind.__name__}.{f.name}" for kind, f in RANGED]
REQUIRED = {"lr": 0.1, "then": 0.1, "units": 3, "lam": 0.1, "lam1": 0.1, "alpha": 0.1, "every": 2, "steps": 5,
            "factor": 0.5, "fans": 4, "low": -1.0, "high": 1.0}  # fmt: skip


def made(kind: Any, **settings: Any) -> Any:
    """Make one of a kind, with some settings."""
    names = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING and f.init]
    return kind(**{name: REQUIRED[name] for name in names if name in REQUIRED} | settings)


@pytest.mark.parametrize(("kind", "field"), RANGED, ids=IDS)
def test_every_number_has_a_range_that_is_kept(kind: Any, field: Any) -> None:
    allowed: Range = field.metadata["range"]
    assert allowed.whole == field.type.startswith("int")
    wrong = [True, np.True_, "1", math.nan, math.inf, 10**400, np.zeros(1), 1 + 0j]
    wrong += [bound - 1 for bound in (allowed.at_least, allowed.above) if bound > -math.inf]
    wrong += [bound + 1 for bound in (allowed.at_most, allowed.below) if bound < math.inf]
    wrong += [bound for bound in (allowed.above, allowed.below) if abs(bound) < math.inf]
    wrong += [2.0] if allowed.whole else []
    for value in wrong:
        with pytest.raises(InputError, match=f"{kind.__name__}'s {field.name} must be {allowed.words}"):
            made(kind, **{field.name: value})


@pytest.mark.parametrize(("kind", "field"), RANGED, ids=IDS)
def test_numbers_of_numpy_are_stored_as_those_of_python(kind: Any, field: Any) -> None:
    whole = field.metadata["range"].whole
    for value in (np.int64(3), np.int8(3), np.uint16(3)) if whole else (np.float64(0.5), np.float32(0.5)):
        one = made(kind, **{field.name: value})
        assert type(getattr(one, field.name)) is (int if whole else float)
        assert one == made(kind, **{field.name: value.item()})
        assert repr(one) == repr(made(kind, **{field.name: value.item()}))


@pytest.mark.parametrize("kind", [k for k in KINDS if issubclass(k, (Optimizer, Schedule))])
def test_learning_rates_of_numpy_too(kind: Any) -> None:
    assert repr(made(kind, lr=np.float64(0.1))) == repr(made(kind, lr=0.1))


def test_a_field_of_ones_own_is_a_number_of_at_least_0_unless_it_says_otherwise() -> None:
    @dataclasses.dataclass(frozen=True)
    class Own(Optimizer):
        rho: float = 2.0
        shift: float = dataclasses.field(default=-1.0, metadata={"range": Range()})

    assert Own(0.1).constants == {"rho": 2.0, "shift": -1.0}
    with pytest.raises(InputError, match=r"Own's rho must be a number of at least 0, not -1\.0"):
        Own(0.1, rho=-1.0)


def test_the_words_of_a_range() -> None:
    words = {
        Range(): "a finite number", Range(above=0): "a positive number", Range(at_least=0): "a number of at least 0",
        Range(at_least=0, below=1): "a number of at least 0 and below 1",
        Range(above=0, at_most=1): "a number above 0 and at most 1",
        Range(at_least=1, whole=True): "a whole number of at least 1",
        Range(at_least=1, whole=True, optional=True): "a whole number of at least 1, or None",
    }  # fmt: skip
    assert {allowed: allowed.words for allowed in words} == words
    assert Range(optional=True).holds(None)
    assert not Range().holds(None)


def test_whole_numbers_stay_whole() -> None:
    assert type(as_number(3)) is int
    assert type(as_number(np.float64(3))) is float
