"""The mathematics by itself: each formula against SciPy, scikit-learn, differences and numbers worked by hand.

The tests walk the registries.  A table here that lacks a new row's name says, by failing, that the
row still needs an oracle.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import scipy.special
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import numbers, reductions, rows_of, targets_for
from workings import SGD, Chain, ClipByNorm, ClipByValue, CrossEntropy, Decay, Dense, InputError, Network, SquaredError
from workings.activations import ACTIVATIONS, activation_named, erf, sigmoid
from workings.engines.reference import source_of
from workings.initializers import INITIALIZERS, Given, initializer_of
from workings.losses import LOSSES, BinaryCrossEntropy, Huber, Loss, Poisson, log_softmax, loss_named, softmax
from workings.metrics import METRICS, accuracy, r2
from workings.optimizers import LBFGS, OPTIMIZERS, optimizer_named
from workings.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    CosineLog,
    Exponential,
    FlatCosine,
    InverseScaling,
    OnPlateau,
    Step,
    WarmUp,
)

WIDE = np.concatenate([np.linspace(-1000, 1000, 4001), np.linspace(-3, 3, 601), [0.0, -0.0]])
KINKS = (-1.0, 0.0, 1.0)

# Activations


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_finite_up_to_1000_and_keeps_shape_and_type(name, dtype):
    activation, z = ACTIVATIONS[name], WIDE.astype(dtype).reshape(2, -1)
    before = z.copy()
    a, slope = activation(z), activation.slope(z)
    assert a.shape == slope.shape == z.shape
    assert a.dtype == (a * slope).dtype == dtype
    assert np.isfinite(a).all()
    assert np.isfinite(slope).all()
    np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_the_same_for_a_number_and_for_an_array(name):
    activation = ACTIVATIONS[name]
    some = WIDE[::37]
    # The last bit may differ, because NumPy has other code for whole arrays.
    close = {"rtol": 1e-14, "atol": 1e-15}
    np.testing.assert_allclose([activation(float(z)) for z in some], activation(some), **close)
    np.testing.assert_allclose([activation.slope(float(z)) for z in some], activation.slope(some), **close)


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(z=numbers(-30, 30).filter(lambda z: all(abs(z - kink) > 1e-3 for kink in KINKS)))
@settings(max_examples=60)
def test_a_derivative_is_the_slope_of_its_function(name, z):
    activation, h = ACTIVATIONS[name], 1e-5
    assert float(activation.slope(z)) == pytest.approx(
        (activation(z + h) - activation(z - h)) / (2 * h), rel=1e-7, abs=1e-8
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_says_in_words_what_it_is(name):
    activation = ACTIVATIONS[name]
    assert activation.name == name
    assert activation.function.__doc__
    assert activation.derivative.__doc__
    assert activation.initializer in INITIALIZERS
    assert activation_named(name) is activation_named(activation) is activation


def test_the_error_function_is_scipys_to_the_last_digits():
    x = np.concatenate([np.linspace(-7, 7, 20001), np.geomspace(1e-300, 1e3, 5000), [0.0]])
    np.testing.assert_allclose(erf(x), scipy.special.erf(x), rtol=0, atol=1e-15)


def test_the_sigmoid_is_scipys():
    np.testing.assert_allclose(sigmoid(WIDE), scipy.special.expit(WIDE), rtol=1e-14, atol=1e-38)


def test_an_unknown_activation_or_constant_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match="Did you mean 'relu'"):
        activation_named("rellu")
    with pytest.raises(InputError, match="not 3"):
        activation_named(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="slope"):
        ACTIVATIONS["leaky_relu"].with_constants(alpha=1.0)


# Losses


def scored(loss: Loss, z: np.ndarray) -> Network:
    """A network that hands its inputs on as the last layer's z."""
    return Network([Dense(z.shape[1], weights=np.eye(z.shape[1]))], loss=loss, n_in=z.shape[1], dtype=z.dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_and_its_gradient_are_finite_for_scores_up_to_1000(name, reduction, dtype):
    loss = LOSSES[name](reduction=reduction)
    values = np.array([-1000, -90, -1, 0, 1, 90, 1000], dtype=dtype)
    z = np.array(np.meshgrid(values, values), dtype=dtype).reshape(2, -1).T.copy()
    y = targets_for(loss, np.random.default_rng(0), len(z), 2)
    net = scored(loss, z)
    trace = net.trace(z, y)
    for known in trace:
        assert np.isfinite(trace[known]).all(), known
    assert trace["p"].dtype == trace["J"].dtype == trace["dW1"].dtype == dtype
    # The engine keeps NumPy quiet; here the same lines run with every overflow an error.
    program = net.program()
    namespace: dict[str, Any] = {"np": np, **program.functions, **program.constants}
    exec(source_of(program, "J"), namespace)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        J = namespace["step"](**{given: trace[given] for given in program.inputs})
    assert trace["J"] == J


@given(z=rows_of(4), shift=numbers(-1000, 1000))
def test_softmax_rows_are_positive_add_up_to_1_and_do_not_feel_a_shift(z, shift):
    p = softmax(z)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(softmax(z + shift), p, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(p, scipy.special.softmax(z, axis=1), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(log_softmax(z), scipy.special.log_softmax(z, axis=1), rtol=1e-12, atol=1e-12)


@given(z=rows_of(3, largest=15))
def test_cross_entropy_is_scikit_learns_log_loss(z):
    y = np.arange(len(z)) % 3
    theirs = sklearn.metrics.log_loss(y, scipy.special.softmax(z, axis=1), labels=[0, 1, 2])
    assert scored(CrossEntropy(), z).objective(z, y) == pytest.approx(theirs, rel=1e-7, abs=1e-12)


@given(z=rows_of(1, largest=15))
def test_binary_cross_entropy_is_scikit_learns_log_loss(z):
    y = np.arange(len(z)) % 2
    theirs = sklearn.metrics.log_loss(y, scipy.special.expit(z[:, 0]), labels=[0, 1])
    assert scored(BinaryCrossEntropy(), z).objective(z, y) == pytest.approx(theirs, rel=1e-6, abs=1e-12)


@given(z=rows_of(2), delta=numbers(0.01, 100))
def test_huber_is_scipys(z, delta):
    y = targets_for(Huber(), np.random.default_rng(0), len(z), 2)
    theirs = scipy.special.huber(delta, z - y).mean()
    assert scored(Huber(delta=delta), z).objective(z, y) == pytest.approx(theirs, rel=1e-10, abs=1e-300)


@given(z=rows_of(2))
def test_squared_and_absolute_error_are_scikit_learns(z):
    y = np.random.default_rng(0).normal(size=z.shape)
    for loss, theirs in (("SquaredError", "mean_squared_error"), ("AbsoluteError", "mean_absolute_error")):
        expected = getattr(sklearn.metrics, theirs)(y, z)
        assert scored(loss_named(loss), z).objective(z, y) == pytest.approx(expected, rel=1e-10)


@given(z=rows_of(1, largest=10))
def test_differences_of_poisson_losses_are_half_those_of_scikit_learns_deviance(z):
    y = np.random.default_rng(0).poisson(2.0, size=len(z)).astype(float)
    net, other = scored(Poisson(), z), z + 0.5
    ours = net.objective(other, y) - net.objective(z, y)
    theirs = [sklearn.metrics.mean_poisson_deviance(y, np.exp(score[:, 0])) for score in (other, z)]
    assert ours == pytest.approx((theirs[0] - theirs[1]) / 2, rel=1e-9, abs=1e-9)


@given(data=st.data(), reduction=reductions)
@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=20)
def test_reductions_and_weights(name, reduction, data):
    loss = LOSSES[name](reduction=reduction)
    z = data.draw(rows_of(3, largest=5))
    y = targets_for(loss, np.random.default_rng(len(z)), len(z), 3)
    net = scored(loss, z)
    count = len(z) if loss.target == "classes" else z.size
    total = scored(LOSSES[name](reduction="sum"), z).objective(z, y)
    mean = scored(LOSSES[name](reduction="mean"), z).objective(z, y)
    assert total == pytest.approx(count * mean, rel=1e-12)

    plain, ones = net.trace(z, y), net.trace(z, y, np.ones(len(z)))
    w = np.array([2, *[1] * (len(z) - 1)])
    doubled, weighted = net.trace(z.repeat(w, axis=0), y.repeat(w, axis=0)), net.trace(z, y, w)
    for known in ("J", "dW1", "db1"):
        np.testing.assert_allclose(ones[known], plain[known], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(weighted[known], doubled[known], rtol=1e-12, atol=1e-12)
    assert net.objective(z, y, w) == pytest.approx(weighted["J"], rel=1e-12)


def test_a_row_of_weight_0_does_not_count():
    z, y = np.array([[1.0, 2.0], [-3.0, 5.0]]), np.array([0, 1])
    net = scored(CrossEntropy(), z)
    assert net.objective(z, y, [1.0, 0.0]) == net.objective(z[:1], y[:1])


def test_numbers_worked_by_hand_for_the_squared_error():
    # Errors 1, -2, 3, 0: squares 1, 4, 9, 0; sum 14, mean 3.5, half of the sum 7.
    z, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 4.0], [0.0, 4.0]])
    expected = {("mean", False): 3.5, ("sum", False): 14, ("mean", True): 1.75, ("sum", True): 7,
                ("mean of rows", False): 7, ("mean of rows", True): 3.5}  # fmt: skip
    for (reduction, half), J in expected.items():
        assert scored(SquaredError(reduction=reduction, half=half), z).objective(z, y) == J
    weighted = {"mean": (5 + 3 * 9) / 8, "sum": 5 + 3 * 9, "mean of rows": (5 + 3 * 9) / 4}  # rows of 5 and 9
    for reduction, J in weighted.items():
        assert scored(SquaredError(reduction=reduction), z).objective(z, y, [1.0, 3.0]) == J


def test_poisson_goes_on_as_a_line_from_the_score_60():
    for z in (60.0, 60.5, 63.0):
        assert scored(Poisson(), np.array([[z]])).objective([[z]], [0]) == pytest.approx(math.exp(60) * (z - 59))


@pytest.mark.parametrize("name", LOSSES)
def test_an_unknown_reduction_or_loss_is_answered_with_the_known_ones(name):
    with pytest.raises(InputError, match="Known: mean, sum"):
        LOSSES[name](reduction="average")
    with pytest.raises(InputError, match=name):
        loss_named("none of these")


# Initializers: variances of weights of shape (400, 100), where 2 / (400 + 100) = 0.004 and 2 / 400 = 0.005.

VARIANCES = {
    "normal": 1e-4, "uniform": 0.1**2 / 12, "glorot_normal": 0.004, "glorot_uniform": 0.004, "he_normal": 0.005,
    "he_uniform": 0.005, "lecun_normal": 0.0025, "lecun_uniform": 0.0025, "zeros": 0.0, "constant": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("name", INITIALIZERS)
def test_first_weights_have_the_variance_of_the_paper_and_mean_0(name):
    W = INITIALIZERS[name]()(np.random.default_rng(0), (400, 100))
    assert W.shape == (400, 100)
    assert W.var() == pytest.approx(VARIANCES[name], rel=0.05)
    assert abs(W.mean()) <= 4 * np.sqrt(VARIANCES[name] / W.size)  # four standard errors


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("source", [np.random.default_rng, np.random.RandomState])
def test_a_seed_repeats_its_weights(name, source):
    first, again, other = (INITIALIZERS[name]()(source(seed), (30, 20)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) == (VARIANCES[name] == 0)
    assert INITIALIZERS[name]()(source(1), (7,)).shape == (7,)


@pytest.mark.parametrize("name", [name for name in INITIALIZERS if name.endswith("uniform")])
def test_even_draws_fill_a_range_that_their_variance_implies(name):
    W = INITIALIZERS[name]()(np.random.default_rng(0), (400, 100))
    bound = np.sqrt(3 * VARIANCES[name])  # the variance of -c..c is c² / 3
    assert 0.99 * bound < W.max() < bound
    assert -bound < W.min() < -0.99 * bound


def test_given_weights_are_taken_as_they_are_if_their_shape_fits():
    W = np.arange(6.0).reshape(2, 3)
    taken = initializer_of(W, "zeros")(np.random.default_rng(0), (2, 3))
    np.testing.assert_array_equal(taken, W)
    taken[0, 0] = 9
    assert W[0, 0] == 0
    with pytest.raises(InputError, match=r"\(2, 3\).*\(3, 2\)"):
        Given(W)(np.random.default_rng(0), (3, 2))
    with pytest.raises(InputError, match="finite"):
        initializer_of([np.nan], "zeros")
    with pytest.raises(InputError, match="he_normal"):
        initializer_of("he_norm", "zeros")


# Schedules

# fmt: off
RATES: dict[str, tuple[Any, list[float]]] = {  # the rates of steps 0, 1, 2, 3, 4, worked by hand
    "Constant":       (Constant(0.3),                            [0.3, 0.3, 0.3, 0.3, 0.3]),
    "Step":           (Step(0.8, every=2, factor=0.5),           [0.8, 0.8, 0.4, 0.4, 0.2]),
    "Exponential":    (Exponential(1.0, factor=0.5),             [1.0, 0.5, 0.25, 0.125, 0.0625]),
    "InverseScaling": (InverseScaling(1.2, power=1, scale=2),    [1.2, 0.8, 0.6, 0.48, 0.4]),
    "Cosine":         (Cosine(1.0, steps=4, end=0.2),            [1.0, 0.8828427125, 0.6, 0.3171572875, 0.2]),
    "CosineLog":      (CosineLog(1.0, steps=7, cycles=3),        [0.0, 0.0, 0.9304309704, 0.0, 0.7183546885]),
    "FlatCosine":     (FlatCosine(1.0, steps=4, flat=0.25),      [1.0, 1.0, 0.75, 0.25, 0.0]),
    "WarmUp":         (WarmUp(Exponential(1.0, 0.5), steps=4),   [0.25, 0.25, 0.1875, 0.125, 0.0625]),
    "OnPlateau":      (OnPlateau(0.3),                           [0.3, 0.3, 0.3, 0.3, 0.3]),
}
# fmt: on


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_rates_of_a_schedule(name):
    schedule, rates = RATES[name]
    assert type(schedule) is SCHEDULES[name]
    assert [schedule(t) for t in range(5)] == pytest.approx(rates)
    assert all(isinstance(schedule(t), float) for t in range(5))


@pytest.mark.parametrize("name", SCHEDULES)
def test_training_follows_the_schedule_step_by_step(name):
    schedule, rates = RATES[name]
    net = Network([Dense(1, bias=False, weights=[[0.0]])], loss=SquaredError(half=True))
    history = net.fit(np.ones((3, 1)), np.ones(3), optimizer=SGD(schedule), epochs=5, batch_size=None)
    assert history["lr"] == pytest.approx(rates)
    left = np.prod([1 - rate for rate in rates])  # each step takes lr of the way to 1
    assert net.parameters["W1"].item() == pytest.approx(1 - left)


def test_cosine_ends_where_it_should_and_stays_there():
    schedule = Cosine(0.1, steps=1000, end=0.001)
    assert (schedule(0), schedule(1000), schedule(5000)) == (0.1, 0.001, 0.001)
    falling = [schedule(t) for t in range(1001)]
    assert all(later < earlier for earlier, later in itertools.pairwise(falling))


def test_warm_up_reaches_the_full_rate_with_its_last_step():
    assert [WarmUp(0.8, steps=4)(t) for t in (0, 1, 2, 3, 4, 99)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])
    assert [WarmUp(Step(1.0, every=1), steps=1)(t) for t in range(3)] == [1.0, 0.5, 0.25]


def test_on_plateau_worked_by_hand():
    schedule = OnPlateau(1.0, factor=0.5, patience=2, min_delta=0.1, min_lr=0.3)
    #         first  better  less than 0.1 better: wait 1, 2, 3 > 2   wait 1, 2, 3 > 2      better
    losses = [5.0,   4.0,    3.95, 3.95, 4.2,                        9.0, 9.0, 9.0,        1.0]  # fmt: skip
    rates = [1.0,    1.0,    1.0,  1.0,  0.5,                        0.5, 0.5, 0.3,        0.3]  # fmt: skip
    state: dict[str, Any] = {}
    found = []
    for loss in losses:
        before = dict(state)
        following = schedule.follow(state, loss)
        assert state == before  # the next state is given, the old one is left alone
        state = following
        found.append(state.get("lr", 1.0))
    assert found == rates


def test_training_slows_down_on_a_plateau():
    schedule = OnPlateau(0.5, factor=0.5, patience=1, monitor="val_loss")
    net = Network([Dense(1, bias=False, weights=[[1.0]])], loss=SquaredError())
    X, y = np.ones((2, 1)), np.ones(2)  # already perfect: nothing gets better
    history = net.fit(X, y, optimizer=SGD(schedule), epochs=6, batch_size=None, validation=(X, y))
    assert history["lr"] == [0.5, 0.5, 0.5, 0.25, 0.25, 0.125]
    with pytest.raises(InputError, match="val_loss"):
        net.fit(X, y, optimizer=SGD(schedule), epochs=1, batch_size=None)


@pytest.mark.parametrize("rate", [0, -0.1, np.inf, np.nan, "0.1", True, None])
def test_a_rate_must_be_a_positive_number(rate):
    for make in (SGD, Constant, lambda lr: Step(lr, every=2), OnPlateau, lambda lr: Cosine(lr, steps=3)):
        with pytest.raises(InputError, match="learning rate"):
            make(rate)


# Optimizers

# One weight that begins at 1 with the objective (W - 0.5)² / 2, so g = W - 0.5, and lr = 0.1. The first two steps:
TWO_STEPS = {
    # 1 - 0.1 · 0.5; then 0.95 - 0.1 · 0.45
    "SGD": (0.95, 0.905),
    # v = -0.05; then v = 0.9 · -0.05 - 0.045 = -0.09
    "Momentum": (0.95, 0.86),
    # v = -0.05, 1 + 0.9 v - 0.05; then g = 0.405, v = -0.045 - 0.0405 = -0.0855, 0.905 + 0.9 v - 0.0405
    "Nesterov": (0.905, 0.78755),
    # s = 0.25, 1 - 0.05 / 0.5; then g = 0.4, s = 0.25 + 0.16 = 0.41, 0.9 - 0.04 / 0.640312
    "AdaGrad": (0.9, 0.8375305),
    # s = 0.025, 1 - 0.05 / 0.158114; then g = 0.183772, s = 0.0225 + 0.00337722, 0.683772 - 0.0183772 / 0.160864
    "RMSProp": (0.6837722, 0.5695315),
    # m_hat = 0.5, v_hat = 0.25; then g = 0.4, m = 0.085, m_hat = 0.085 / 0.19 = 0.447368,
    # v = 0.00024975 + 0.00016, v_hat = 0.00040975 / 0.001999 = 0.204977, 0.9 - 0.1 · 0.447368 / 0.452744
    "Adam": (0.9, 0.8011874),
    # The same, but for where eps stands, which is not to be seen here.
    "AdamEpsilonHat": (0.9, 0.8011874),
    # 1 · 0.999 - 0.1; then g = 0.399, 0.899 · 0.999 = 0.898101, m = 0.0849, m_hat = 0.446842,
    # v = 0.00024975 + 0.000159201, v_hat = 0.204578, 0.898101 - 0.1 · 0.446842 / 0.452303
    "AdamW": (0.899, 0.7993083),
}


def one_weight() -> Network:
    """A network whose only weight is 1."""
    return Network([Dense(1, bias=False, weights=[[1.0]])], loss=SquaredError(half=True), n_in=1)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_first_two_steps_of_an_optimizer_worked_by_hand(name):
    net, found = one_weight(), []
    for _ in range(2):
        trace = net.step([[1.0]], [0.5], OPTIMIZERS[name](0.1))
        found.append(trace.after["W1"].item())
    assert found == pytest.approx(TWO_STEPS[name], abs=1e-6)
    assert net.parameters["W1"].item() == found[-1]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (ClipByNorm(1.0), (-0.6, -0.8)),  # (3, 4) has length 5
        (ClipByNorm(2.5), (-1.5, -2.0)),
        (ClipByNorm(10.0), (-3.0, -4.0)),
        (ClipByValue(3.5), (-3.0, -3.5)),
        (ClipByValue(1.0), (-1.0, -1.0)),
    ],
    ids=repr,
)
def test_a_clipped_step_worked_by_hand(before, expected):
    # p = 0 and y = -1, so the gradient of W is X, which is (3, 4).
    net = Network([Dense(1, bias=False, weights="zeros")], loss=SquaredError(half=True), n_in=2)
    net.step([[3.0, 4.0]], [-1.0], Chain(before, SGD(1.0)))
    assert net.theta == pytest.approx(expected)


def test_decay_worked_by_hand():
    # 1 - 0.1 · 0.2 · 1 = 0.98, then - 0.1 · 0.5: decay does not touch the gradient.
    net = one_weight()
    net.step([[1.0]], [0.5], Chain(Decay(0.2), SGD(0.1)))
    assert net.theta.item() == pytest.approx(0.93)


def test_a_gradient_of_0_moves_nothing():
    for name, kind in OPTIMIZERS.items():
        net = one_weight()
        for _ in range(3):
            net.step([[0.0]], [0.0], Chain(ClipByNorm(1.0), kind(0.1)))
        assert net.theta.item() == (pytest.approx(0.999**3) if name == "AdamW" else 1.0)  # AdamW still decays


def test_optimizers_by_name():
    for name, kind in OPTIMIZERS.items():
        assert type(optimizer_named(name.upper())) is kind
        assert optimizer_named(name, lr=0.25).lr == 0.25
    assert optimizer_named("lbfgs") == LBFGS()
    with pytest.raises(InputError, match="adam"):
        optimizer_named("addam")


def test_settings_that_are_no_optimizer_are_refused():
    for wrong in (lambda: Chain(), lambda: Chain(Decay(0.1)), lambda: Chain(SGD(0.1), SGD(0.1)), lambda: Decay(-1)):
        with pytest.raises(InputError):
            wrong()
    for name in ("Momentum", "Nesterov"):
        with pytest.raises(InputError, match="below 1"):
            OPTIMIZERS[name](0.1, momentum=1.0)


# Metrics

THEIR_METRICS = {
    "accuracy": sklearn.metrics.accuracy_score,
    "r2": sklearn.metrics.r2_score,
    "mean_squared_error": sklearn.metrics.mean_squared_error,
    "mean_absolute_error": sklearn.metrics.mean_absolute_error,
}


@given(data=st.data(), columns=st.sampled_from([None, 1, 3]), weighted=st.booleans())
@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=30)
def test_a_metric_is_scikit_learns(name, data, columns, weighted):
    rows = data.draw(st.integers(2, 8))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    shape = (rows,) if columns is None else (rows, columns)
    true, predicted = (rng.integers(2, size=shape) if name == "accuracy" else rng.normal(size=shape) for _ in "ab")
    w = rng.uniform(0.1, 3, size=rows) if weighted else None
    theirs = THEIR_METRICS[name](true, predicted, sample_weight=w)
    assert METRICS[name](true, predicted, w) == pytest.approx(theirs, rel=1e-12)


def test_accuracy_of_words():
    true, predicted = np.array(["cat", "dog", "dog"]), np.array(["cat", "dog", "cat"])
    assert accuracy(true, predicted) == sklearn.metrics.accuracy_score(true, predicted)


def test_r2_of_targets_that_are_all_equal_is_1_or_0():
    for constant in (0.0, 3.0, 0.1):
        true, weights = np.full(3, constant), np.array([0.1, 0.2, 0.3])
        other = true + np.arange(3)
        assert [r2(true, true), r2(true, other)] == [1, 0]
        assert [r2(true, true, weights), r2(true, other, weights)] == [1, 0]


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_refuses_shapes_that_numpy_would_broadcast(name):
    with pytest.raises(InputError, match=r"\(3,\).*\(3, 1\)"):
        METRICS[name](np.ones(3), np.ones((3, 1)))


@pytest.mark.parametrize("y", [0.0, 0.25, 0.5, 1.0, 1.5, 3.0])
def test_the_poisson_deviance_takes_counts_between_0_and_1(y):
    z, expected = 0.3, math.exp(0.3) - 0.3 * y + (y * math.log(y) - y if y else 0.0)
    assert scored(Poisson(deviance=True), np.array([[z]])).objective([[z]], [y]) == pytest.approx(expected, abs=1e-15)


def test_the_loss_of_an_epoch_is_divided_by_the_rows_only_if_it_is_a_sum():
    ways = ("mean", "sum", "mean of rows")
    assert [SquaredError(reduction=way).divisor(20) for way in ways] == [1, 20, 1]
    assert [SquaredError(reduction=way).merged([1.0, 4.0], [20, 10]) for way in ways] == [2.0, 5.0, 2.0]
