"""Ranges: every number among the settings has one, it is kept, and numbers of NumPy are as good as Python's."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from workings import Dense, InputError, Network
from workings.initializers import INITIALIZERS, GlorotUniformOf
from workings.layers import LAYERS, NTKDense
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


SWITCHES = [(kind, f) for kind in KINDS for f in dataclasses.fields(kind) if f.type == "bool" and kind is not NTKDense]


@pytest.mark.parametrize(("kind", "field"), SWITCHES, ids=[f"{kind.__name__}.{f.name}" for kind, f in SWITCHES])
def test_every_switch_is_true_or_false(kind: Any, field: Any) -> None:
    for value in (True, False, np.True_, np.False_, np.array(False)):
        given = getattr(made(kind, **{field.name: value}), field.name)
        assert given is bool(value)
    for value in ("no", "False", "", None, 1, 0, 0.0, math.nan, [], {}, np.zeros(1), np.ma.masked, object()):
        with pytest.raises(InputError, match=f"{kind.__name__}'s {field.name} must be True or False, not "):
            made(kind, **{field.name: value})


@pytest.mark.parametrize(("kind", "field"), RANGED, ids=IDS)
def test_a_masked_value_is_no_number(kind: Any, field: Any) -> None:
    for value in (np.ma.masked, np.ma.array(3, mask=True), np.ma.array(0.5, mask=True)):
        with pytest.raises(InputError, match=f"{kind.__name__}'s {field.name} must be"):
            made(kind, **{field.name: value})


@pytest.mark.parametrize(("units", "n_in"), [(2, 2**70), (2**70, 2), (10**7, 10**7), (1, 10**13), (2**999, 2**999)])
def test_a_layer_that_no_machine_holds_is_refused(units: int, n_in: int) -> None:
    with pytest.raises(InputError, match="inputs would have more than 1,099,511,627,776 parameters"):
        Network([Dense(units)], loss="SquaredError", n_in=n_in)


# The ranges and defaults, written down a second time: a limit that is wrong by one would otherwise be seen by no test.
ALLOWED = {
    "Step.every": "a whole x >= 1", "Step.factor": "x > 0", "Exponential.factor": "x > 0",
    "InverseScaling.power": "x >= 0", "InverseScaling.scale": "x > 0", "Cosine.steps": "a whole x >= 1",
    "Cosine.end": "x >= 0", "CosineLog.steps": "a whole x >= 1", "CosineLog.cycles": "a whole x >= 1",
    "FlatCosine.steps": "a whole x >= 1", "FlatCosine.flat": "0 <= x < 1",
    "WarmUp.steps": "a whole x >= 1", "OnPlateau.factor": "x > 0", "OnPlateau.patience": "a whole x >= 0",
    "OnPlateau.min_delta": "x >= 0", "OnPlateau.min_lr": "x >= 0", "Momentum.momentum": "0 <= x < 1",
    "Nesterov.momentum": "0 <= x < 1", "AdaGrad.eps": "x >= 0", "RMSProp.rho": "0 <= x < 1", "RMSProp.eps": "x >= 0",
    "Adam.beta1": "0 <= x < 1", "Adam.beta2": "0 <= x < 1", "Adam.eps": "x >= 0",
    "AdamEpsilonHat.beta1": "0 <= x < 1", "AdamEpsilonHat.beta2": "0 <= x < 1", "AdamEpsilonHat.eps": "x >= 0",
    "AdamW.beta1": "0 <= x < 1", "AdamW.beta2": "0 <= x < 1", "AdamW.eps": "x >= 0", "AdamW.weight_decay": "x >= 0",
    "Decay.weight_decay": "x >= 0", "ClipByValue.limit": "x > 0", "ClipByNorm.max_norm": "x > 0",
    "LBFGS.memory": "a whole x >= 1", "LBFGS.tolerance": "x >= 0", "LBFGS.improvement": "x >= 0",
    "LBFGS.evaluations": "a whole x >= 1, or None", "Normal.std": "any x", "Uniform.low": "any x",
    "Uniform.high": "any x", "Constant.value": "any x", "GlorotUniformOf.fans": "a whole x >= 1",
    "GlorotUniformOf.factor": "x >= 0", "Dense.units": "a whole x >= 1", "NTKDense.units": "a whole x >= 1",
    "Exp.factor": "any x", "Exp.shift": "any x", "SmoothClip.limit": "x > 0",
    "PeriodicEmbedding.frequencies": "a whole x >= 1", "PeriodicEmbedding.std": "x > 0",
    "PeriodicEmbedding.repeats": "a whole x >= 1", "ClipPredictions.low": "any x", "ClipPredictions.high": "any x",
    "Dropout.rate": "0 <= x < 1", "BatchNorm.momentum": "0 < x <= 1", "BatchNorm.eps": "0 < x <= 1",
    "Huber.delta": "x > 0", "CrossEntropy.label_smoothing": "0 <= x < 1", "L2.lam": "x >= 0", "L1.lam1": "x >= 0",
    "L2PerRow.alpha": "x >= 0",
}  # fmt: skip
DEFAULTS = {
    "Momentum.momentum": 0.9, "Nesterov.momentum": 0.9, "AdaGrad.eps": 1e-10, "RMSProp.rho": 0.9, "RMSProp.eps": 1e-8,
    "Adam.beta1": 0.9, "Adam.beta2": 0.999, "Adam.eps": 1e-8, "AdamEpsilonHat.beta1": 0.9,
    "AdamEpsilonHat.beta2": 0.999, "AdamEpsilonHat.eps": 1e-8, "AdamW.beta1": 0.9, "AdamW.beta2": 0.999,
    "AdamW.eps": 1e-8, "AdamW.weight_decay": 0.01, "Decay.weight_decay": 0.01, "ClipByValue.limit": 1,
    "ClipByNorm.max_norm": 1, "LBFGS.memory": 10, "LBFGS.tolerance": 1e-8, "LBFGS.improvement": 0,
    "LBFGS.evaluations": None, "Exp.factor": 1, "Exp.shift": 0, "SmoothClip.limit": 3,
    "PeriodicEmbedding.frequencies": 16,
    "PeriodicEmbedding.std": 0.1, "PeriodicEmbedding.repeats": 1, "Dropout.rate": 0.5, "BatchNorm.momentum": 0.1,
    "BatchNorm.eps": 1e-5, "Huber.delta": 1, "CrossEntropy.label_smoothing": 0, "Normal.std": 0.01,
    "Uniform.low": -0.05, "Uniform.high": 0.05, "Constant.value": 0, "GlorotUniformOf.factor": 6, "Step.factor": 0.5,
    "InverseScaling.power": 0.5, "InverseScaling.scale": 1, "Cosine.end": 0, "CosineLog.cycles": 4,
    "FlatCosine.flat": 0.5, "OnPlateau.factor": 0.1, "OnPlateau.patience": 10, "OnPlateau.min_delta": 1e-4,
    "OnPlateau.min_lr": 0,
}  # fmt: skip
EDGES = (-1, 0, 1, -1e-9, 1e-9, 0.5, 1 - 1e-9, 1 + 1e-9, 2, None)
REFUSED_BY_OTHER_RULES = {"Cosine.end": 0.1, "OnPlateau.factor": 1, "OnPlateau.min_lr": 0.1, "Uniform.low": 1,
                          "ClipPredictions.low": 1}  # fmt: skip


def is_allowed(value: Any, rule: str) -> bool:
    """Read a rule such as ``0 <= x < 1`` as it is written."""
    if value is None:
        return rule.endswith("or None")
    if rule == "any x":
        return True
    bounds = rule.removeprefix("a whole ").removesuffix(", or None")
    return (isinstance(value, int) or not rule.startswith("a whole")) and bool(eval(bounds, {"x": value}))


def test_every_range_is_in_the_table() -> None:
    assert set(IDS) == set(ALLOWED)


def test_the_defaults_are_those_of_the_table() -> None:
    given = ((kind, field) for kind, field in RANGED if field.default is not dataclasses.MISSING)
    assert {f"{kind.__name__}.{field.name}": field.default for kind, field in given} == DEFAULTS


@pytest.mark.parametrize(("kind", "field"), RANGED, ids=IDS)
def test_every_range_is_the_one_of_the_table(kind: Any, field: Any) -> None:
    setting = f"{kind.__name__}.{field.name}"
    for value in EDGES:
        if is_allowed(value, ALLOWED[setting]):
            if value is None or value < REFUSED_BY_OTHER_RULES.get(setting, math.inf):
                made(kind, **{field.name: value})
        else:
            with pytest.raises(InputError, match=f"{setting.replace('.', chr(39) + 's ')} must be"):
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
