"""The gradient check: right gradients pass, famous mistakes are found and named, corners raise no alarm."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.strategies import Problem, problems, smooth_activations, targets_for
from workings import (
    L1,
    L2,
    SGD,
    AbsoluteError,
    Adam,
    BatchNorm,
    ClipPredictions,
    CrossEntropy,
    Dense,
    Dropout,
    Exp,
    GroupedDense,
    Huber,
    InputError,
    Interpolation,
    Layer,
    Network,
    NTKDense,
    PeriodicEmbedding,
    PiecewiseLinearEncoding,
    Scale,
    SmoothClip,
    SquaredError,
    check_gradients,
    check_my_gradients,
)
from workings.activations import ACTIVATIONS
from workings.initializers import Normal
from workings.layers import LAYERS
from workings.losses import LOSSES
from workings.regularizers import REGULARIZERS

ROWS = 6
X = np.random.default_rng(0).normal(size=(ROWS, 3))
CLASSES = np.arange(ROWS) % 3

# Right gradients

STACKS = {  # for each kind of layer a stack in which it has something before and behind it
    "Dense": lambda activation: [Dense(4, activation), Dense(3, activation)],
    "Dense without bias": lambda activation: [Dense(4, activation, bias=False), Dense(3, "tanh")],
    "NTKDense": lambda activation: [NTKDense(4, activation), NTKDense(3, activation)],
    "Scale": lambda activation: [Scale(), Dense(4, activation), Scale()],
    "SmoothClip": lambda activation: [SmoothClip(1.5), Dense(4, activation), SmoothClip()],
    "PeriodicEmbedding": lambda activation: [
        PeriodicEmbedding(3, columns=[0, 2], std=0.5),
        NTKDense(2, activation),
        PeriodicEmbedding(2, phases="quarters"),
    ],
    "GroupedDense": lambda activation: [
        GroupedDense([(2, 3), (1, 1)], activation),
        GroupedDense([(1, 2), (3, 1)], "tanh"),
    ],
    "PiecewiseLinearEncoding": lambda activation: [
        PiecewiseLinearEncoding([[-1, 0, 1], [], [0, 0.5]]),
        Dense(2, activation),
        PiecewiseLinearEncoding([[-0.5, 0.1], [-2, 2]]),
    ],
    "Exp": lambda activation: [Dense(2, activation), Exp(0.3, -0.5), Dense(2, activation)],
    "Interpolation": lambda activation: [
        Dense(1, activation),
        Interpolation([-0.4, 0.1, 0.3, 2], [0, 1, -1, 3]),
        Dense(2, activation),
    ],
    "ClipPredictions": lambda activation: [Dense(4, activation), ClipPredictions(-50, 50)],
    "Dropout": lambda activation: [Dropout(0.1), Dense(5, activation), Dropout(0.3)],
    "BatchNorm": lambda activation: [Dense(4, activation), BatchNorm(activation), Dense(3, activation)],
}


def pairs_of(*axes: Any) -> Iterator[tuple[Any, ...]]:
    """Thin a product out so that still every two values of two axes meet."""
    met: set[Any] = set()
    for combination in itertools.product(*axes):
        pairs = set(itertools.combinations(enumerate(combination), 2))
        if not pairs <= met:
            met |= pairs
            yield combination


def made(loss: Any, layers: list[Layer], regularizer: Any = None, **settings: Any) -> tuple[Network, np.ndarray]:
    """A network of three inputs and three outputs, with targets."""
    network = Network([*layers, Dense(3)], loss=loss, regularizer=regularizer, seed=1, n_in=3, **settings)
    return network, targets_for(loss, np.random.default_rng(2), ROWS, 3)


def test_every_kind_of_layer_has_a_stack():
    assert STACKS.keys() >= LAYERS.keys()


@pytest.mark.parametrize(
    ("activation", "stack", "loss", "regularizer", "reduction", "weighted"),
    list(pairs_of(ACTIVATIONS, STACKS, LOSSES, [None, *REGULARIZERS], ["mean", "sum", "mean of rows"], [False, True])),
)
def test_all_gradients_agree_with_finite_differences(activation, stack, loss, regularizer, reduction, weighted):
    penalty = None if regularizer is None else REGULARIZERS[regularizer](0.05)
    network, y = made(LOSSES[loss](reduction=reduction), STACKS[stack](activation), penalty)
    report = network.check_gradients(X, y, sample_weight=np.linspace(0.5, 2, ROWS) if weighted else None)
    assert report.ok, str(report)
    assert bool(report)
    assert [check.name for check in report.checks] == list(network.parameters)
    assert report.worst.error <= 1e-5
    assert report.reading == ()


@pytest.mark.parametrize(
    "loss",
    [SquaredError(half=True), Huber(delta=0.3), CrossEntropy(label_smoothing=0.2)],
    ids=repr,
)
def test_settings_of_losses(loss):
    network, y = made(loss, [Dense(4, "tanh")], [L2(0.1), L1(0.05)])
    assert network.check_gradients(X, y).ok


@given(problem=problems(smooth_activations))
@settings(max_examples=25)
def test_gradients_of_any_smooth_network(problem: Problem):
    report = check_gradients(problem.network, problem.X, problem.y, sample_weight=problem.w)
    assert report.ok, str(report)


def test_the_check_after_training():
    network, y = made(CrossEntropy(), [Dense(4, "gelu"), BatchNorm("tanh")], L2(0.01))
    network.fit(X, y, optimizer=SGD(0.5), epochs=50, batch_size=None)
    assert network.check_gradients(X, y).ok


# Mistakes


def classifier(regularizer: Any = None) -> Network:
    """A network whose second layer is square, so that a transposed gradient keeps its shape."""
    layers = [Dense(4, "tanh", biases=Normal(0.5)), Dense(4, "tanh", biases=Normal(0.5)), Dense(3)]
    return Network(layers, loss=CrossEntropy(), regularizer=regularizer, seed=3, n_in=3)


ALL = ("W1", "b1", "W2", "b2", "W3", "b3")
MISTAKES = {
    # what is wrong: (target, expression, the parameters whose gradients it spoils, what the reading must say)
    "derivative dropped, layer 1": ("dz1", "da1", ALL[:2], r"W2, b2, W3, b3.* right.*derivative in layer 1"),
    "derivative dropped, layer 2": ("dz2", "da2", ALL[:4], r"W3, b3.* right.*derivative in layer 2"),
    "derivative of relu for tanh": ("dz2", "da2 * (z2 > 0)", ALL[:4], "derivative in layer 2"),
    "derivative of z, not of a": ("dz1", "da1 * (1 - z1**2)", ALL[:2], "derivative in layer 1"),
    "factor not transposed": ("da1", "dz2 @ W2", ALL[:2], "W2, b2, W3, b3.* right.*(da1|layer 2)"),
    "sign wrong at the loss": ("dz3", "(y - p) / n", ALL, "W1, b1, W2, b2, W3, b3: .*-1 times.*sign is wrong"),
    "sign wrong in a layer": ("dz2", "-da2 * (1 - a2**2)", ALL[:4], "W1, b1, W2, b2: .*-1 times.*sign is wrong"),
    "sign wrong in one gradient": ("dW3", "-(a2.T @ dz3)", ("W3",), "W3: .*-1 times.*sign is wrong"),
    "twice too much": ("dz3", "2 * (p - y) / n", ALL, "2 times.*a 2 too many"),
    "half of it": ("dz3", "0.5 * (p - y) / n", ALL, r"0\.5 times.*a forgotten 2"),
    "sum where mean": ("dz3", "p - y", ALL, "6 times.*sum where a mean was meant: divide by the number of rows"),
    "mean twice": ("dz3", "(p - y) / n / n", ALL, "mean where a sum was meant"),
    "mean over rows and outputs": ("dz3", "(p - y) / y.size", ALL, "mean over the outputs, the loss is not"),
    "a strange factor": ("dz3", "1.7 * (p - y) / n", ALL, r"1\.7 times.*constant factor"),
    "bias summed to one number": ("db2", "dz2.sum()", ("b2",), r"db2 .*shape \(\).*\(4,\).*one number.*axis=0"),
    "bias spread out again": ("db2", "dz2.sum() + 0 * b2", ("b2",), "All entries of db2 are equal.*axis=0"),
    "bias not summed": ("db2", "dz2", ("b2",), r"db2 has shape \(6, 4\).*rows were not summed"),
    "mean of the bias": ("db3", "dz3.mean(axis=0)", ("b3",), "b3.*mean where a sum.*|b3.*summed over the rows"),
    "transposed, square": ("dW2", "dz2.T @ a1", ("W2",), "dW2 is the transpose.*swap the two factors"),
    "transposed, not square": ("dW1", "dz1.T @ X", ("W1",), r"dW1 has shape \(4, 3\).*transposed; swap the two"),
    "not computed": ("dW2", "0 * W2", ("W2",), "W2: .*not computed at all"),
    "not finite": ("dW2", "a1.T @ dz2 / 0", ("W2",), "W2"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found_and_read(mistake):
    target, expression, spoiled, reading = MISTAKES[mistake]
    network = classifier()
    assert network.check_gradients(X, CLASSES).ok
    wrong = network.program().replacing(target, expression)
    report = network.check_gradients(X, CLASSES, program=wrong)
    assert not report.ok
    assert not bool(report)
    assert tuple(check.name for check in report.checks if not check.ok) == spoiled
    assert report.worst.name in spoiled
    text = "\n".join(report.reading)
    assert any(re.search(reading, line) for line in report.reading), text
    assert text in str(report)
    assert "WRONG" in str(report)


@pytest.mark.parametrize(
    ("target", "expression", "spoiled"),
    [
        ("dW2", "a1.T @ dz2", ("W2",)),
        ("dW1", "X.T @ dz1", ("W1",)),
        ("dW3", "a2.T @ dz3 - lam * W3", ("W3",)),
        ("dW3", "a2.T @ dz3 + lam * W3 / n", ("W3",)),
    ],
)
def test_a_missing_or_wrong_penalty_is_read_as_one(target, expression, spoiled):
    network = classifier(L2(0.1))
    report = network.check_gradients(X, CLASSES, program=network.program().replacing(target, expression))
    assert tuple(check.name for check in report.checks if not check.ok) == spoiled
    text = " ".join(report.reading).lower()
    assert spoiled[0].lower() in text
    assert "regulariz" in text or "penalty" in text or "price" in text, text


def test_a_missing_l1_penalty_is_read_as_one():
    network = classifier(L1(0.1))
    report = network.check_gradients(X, CLASSES, program=network.program().replacing("dW2", "a1.T @ dz2"))
    assert tuple(check.name for check in report.checks if not check.ok) == ("W2",)
    text = " ".join(report.reading).lower()
    assert "regulariz" in text or "penalty" in text or "price" in text, text


@pytest.mark.parametrize(
    ("expression", "reading"),
    [("(y - p) / n", "sign is wrong"), ("2 * (p - y) / n", "2 too many"), ("p - y", "sum where a mean")],
)
def test_a_factor_is_read_even_where_a_penalty_is_added(expression, reading):
    network = classifier(L2(0.1))
    report = network.check_gradients(X, CLASSES, program=network.program().replacing("dz3", expression))
    assert not report.ok
    assert reading in "\n".join(report.reading)


def test_the_report_names_the_worst_entry():
    network = classifier()
    program = network.program().replacing("db2", "dz2.sum(axis=0) + np.array([0, 0, 5, 0])")
    report = network.check_gradients(X, CLASSES, program=program)
    assert report.worst.name == "b2"
    assert report.worst.places[report.worst.worst] == (2,)
    assert report.worst.analytic[2] - report.worst.numeric[2] == pytest.approx(5)
    assert "worst entry b2[2]" in str(report)


def test_one_wrong_entry_among_many_is_found():
    layers = [Dense(50, "tanh"), Dense(3)]
    network = Network(layers, loss=CrossEntropy(), seed=0, n_in=3)
    spoil = "np.where(np.arange(150).reshape(50, 3) == 77, 2, 1)"
    program = network.program().replacing("dW2", f"(a1.T @ dz2) * {spoil}")
    report = network.check_gradients(X, CLASSES, program=program)
    assert [check.name for check in report.checks if not check.ok] == ["W2"]
    assert report.worst.places[report.worst.worst] == (25, 2)


def test_a_wrong_batch_norm_is_found():
    network, y = made(CrossEntropy(), [Dense(4), BatchNorm("tanh")])
    spread = "dx_hat1 / np.sqrt(variance1 + 1e-05)"  # mean and variance taken for constants
    report = network.check_gradients(X, y, program=network.program().replacing("dz1", spread))
    assert "W1" in [check.name for check in report.checks if not check.ok]
    assert "layer 2" in "\n".join(report.reading)


# Corners


def corner(*layers: Layer, loss: Any = None, regularizer: Any = None) -> Network:
    return Network([*layers], loss=loss or SquaredError(), regularizer=regularizer, seed=0, n_in=3)


CORNERS = {
    "relu at 0": corner(Dense(4, "relu", weights="zeros"), Dense(1)),
    "leaky relu at 0": corner(Dense(4, "leaky_relu", weights="zeros"), Dense(1)),
    "selu at 0": corner(Dense(4, "selu", weights="zeros"), Dense(1)),
    "hard tanh at 1": corner(Dense(4, "hard_tanh", weights="zeros", biases=np.ones(4)), Dense(1)),
    "L1 of weights 0": corner(Dense(4, "tanh", weights="zeros"), Dense(1), regularizer=L1(0.3)),
    "absolute error of 0": corner(Dense(1, weights="zeros"), loss=AbsoluteError()),
}


@pytest.mark.parametrize("name", CORNERS)
def test_a_corner_raises_no_alarm(name):
    report = CORNERS[name].check_gradients(X, np.zeros(ROWS))
    assert report.ok, str(report)


def test_a_corner_that_changes_the_slope_little_raises_no_alarm():
    network = Network([Dense(1, "relu", weights=[[1.0]]), Dense(1, weights=[[1.0]])], loss=SquaredError())
    assert network.check_gradients([[0.0], [1.0]], [0.001, 3.0]).ok


@pytest.mark.parametrize("seed", range(20))
def test_columns_of_0_and_1_raise_no_alarm(seed):
    rng = np.random.default_rng(seed)
    X, y = (rng.random((10, 4)) < 0.4).astype(float), rng.integers(0, 2, 10)
    network = Network([Dense(8, "relu"), Dense(6, "relu"), Dense(2)], loss=CrossEntropy(), seed=seed)
    assert network.check_gradients(X, y).ok
    wrong = network.program().replacing("dz1", "da1 * 0.99 * (z1 > 0)")
    report = network.check_gradients(X, y, program=wrong)
    assert {check.name for check in report.checks if not check.ok} == {"W1", "b1"}


@pytest.mark.parametrize("seed", range(5))
def test_kinks_after_a_training_raise_no_alarm(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 3))
    network = Network([Dense(8, "relu"), Dense(1)], loss=AbsoluteError(), regularizer=L1(0.01), seed=seed)
    network.fit(X, np.abs(X[:, 0]), optimizer=Adam(0.01), epochs=30, engine="reference")
    assert network.check_gradients(X[:20], np.abs(X[:20, 0])).ok


def test_a_kink_in_own_code_raises_no_alarm():
    def forward(p, X, y):
        return (np.maximum(X @ p["W"] + p["b"], 0).ravel() * y).sum()

    def backward(p, X, y):
        d = y[:, None] * (X @ p["W"] + p["b"] > 0)
        return {"W": X.T @ d, "b": d.sum(axis=0)}

    X, y = np.array([[1.0], [-1.0], [2.0]]), np.array([5.0, -3.0, 1.0])
    parameters = {"W": np.zeros((1, 1)), "b": np.zeros(1)}  # the slopes of W to both sides are 7 and 3, the gradient 0
    assert check_my_gradients(forward, backward, parameters, X, y).ok


def test_the_report_counts_the_entries_on_a_corner():
    report = CORNERS["relu at 0"].check_gradients(X, np.ones(ROWS))
    assert [(check.name, check.corners) for check in report.checks if check.corners] == [("W1", 12), ("b1", 4)]
    assert "(4 entries at a kink, where any subgradient is right)" in str(report)


def test_a_mistake_on_a_corner_is_found_all_the_same():
    network = CORNERS["relu at 0"]
    program = network.program().replacing("db1", "dz1.sum(axis=0) + 100")
    report = network.check_gradients(X, np.ones(ROWS), program=program)
    assert [check.name for check in report.checks if not check.ok] == ["b1"]


def test_corners_near_but_not_at_0_raise_no_alarm():
    network = corner(Dense(4, "relu", weights="zeros", biases=np.array([1e-6, -1e-6, 3e-6, -3e-6])), Dense(1))
    report = network.check_gradients(X, np.ones(ROWS))
    assert report.ok, str(report)


# What the check leaves alone


def test_float32_is_checked_in_float64():
    network, y = made(CrossEntropy(), [Dense(4, "tanh"), Dense(4, "gelu")], L2(0.1), dtype=np.float32)
    before = network.theta.copy()
    report = network.check_gradients(X.astype(np.float32), y)
    assert report.ok, str(report)
    assert report.worst.error < 1e-7  # float32 has no such differences
    assert network.theta.dtype == np.float32
    np.testing.assert_array_equal(network.theta, before)


def test_dropout_masks_are_the_same_for_all_measurements():
    network, y = made(SquaredError(), [Dropout(0.5), Dense(8, "tanh"), Dropout(0.5)])
    for _ in range(5):
        assert network.check_gradients(X, y).ok


def test_sample_weights_are_part_of_what_is_checked():
    network, y = made(CrossEntropy(), [Dense(4, "tanh")])
    w = np.array([0, 1, 2, 0.5, 3, 1.0])
    assert network.check_gradients(X, y, sample_weight=w).ok
    unweighted = network.program(weighted=True).replacing("dz2", "(p - y) / n")
    assert not network.check_gradients(X, y, sample_weight=w, program=unweighted).ok


def test_the_network_is_left_as_it_was():
    layers = [Dense(4), BatchNorm("relu"), Dropout(0.5)]
    (checked, y), (other, _) = made(CrossEntropy(), layers), made(CrossEntropy(), layers)
    views = dict(checked.parameters)
    assert checked.check_gradients(X, y).ok
    assert checked.theta.tobytes() == other.theta.tobytes()
    for name, value in other.statistics.items():
        assert checked.statistics[name].tobytes() == value.tobytes()
    assert all(checked.parameters[name] is view for name, view in views.items())
    for network in (checked, other):
        network.fit(X, y, optimizer=SGD(0.1), epochs=3, batch_size=None)
    assert checked.theta.tobytes() == other.theta.tobytes()


def test_the_check_repeats_itself_and_builds_a_network_that_is_not_built():
    reports = [Network([Dense(3, "tanh"), Dense(3)], loss=CrossEntropy(), seed=0).check_gradients(X, CLASSES)
               for _ in range(2)]  # fmt: skip
    assert reports[0].ok
    assert str(reports[0]) == str(reports[1])


def test_data_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="4 columns"):
        classifier().check_gradients(np.ones((2, 4)), [0, 1])
