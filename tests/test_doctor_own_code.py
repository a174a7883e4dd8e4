"""The gradient check of a student's own code: conventions, precision, and the usual mistakes, each by its name."""

from __future__ import annotations

import numpy as np
import pytest

from workings import InputError, check_my_gradients

RNG = np.random.default_rng(2)
N = 6
X, Y = RNG.normal(size=(N, 3)), np.array([[0.0], [1], [1], [0], [1], [0]])
ROWS = {
    "W1": RNG.normal(size=(3, 4)),
    "b1": RNG.normal(size=4),
    "W2": RNG.normal(size=(4, 1)),
    "b2": RNG.normal(size=1),
}
COLUMNS = {"W1": ROWS["W1"].T, "b1": ROWS["b1"].reshape(-1, 1), "W2": ROWS["W2"].T, "b2": ROWS["b2"].reshape(1, 1)}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def forward(p, X, y, log=np.log):
    a = sigmoid(np.tanh(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"])
    return -(y * log(a) + (1 - y) * log(1 - a)).mean()


def backward(p, X, y):
    a1 = np.tanh(X @ p["W1"] + p["b1"])
    d2 = (sigmoid(a1 @ p["W2"] + p["b2"]) - y) / len(X)
    d1 = d2 @ p["W2"].T * (1 - a1**2)
    return {"W1": X.T @ d1, "b1": d1.sum(axis=0), "W2": a1.T @ d2, "b2": d2.sum(axis=0)}


def forward_columns(p, X, y):
    return forward({"W1": p["W1"].T, "b1": p["b1"][:, 0], "W2": p["W2"].T, "b2": p["b2"][:, 0]}, X.T, y.T)


def backward_columns(p, X, y):
    a1 = np.tanh(p["W1"] @ X + p["b1"])
    d2 = (sigmoid(p["W2"] @ a1 + p["b2"]) - y) / X.shape[1]
    d1 = p["W2"].T @ d2 * (1 - a1**2)
    sums = {"b1": d1.sum(axis=1, keepdims=True), "b2": d2.sum(axis=1, keepdims=True)}
    return {"W1": d1 @ X.T, "W2": d2 @ a1.T, **sums}


def check(forward=forward, backward=backward, y=Y):
    return check_my_gradients(forward, backward, ROWS, X, y)


def check_columns(backward=backward_columns):
    return check_my_gradients(forward_columns, backward, COLUMNS, X.T, Y.T)


def changed(own, **changes):
    """Return backward with some gradients changed by functions."""

    def wrong(p, X, y):
        found = own(p, X, y)
        return {**found, **{name: change(found[name]) for name, change in changes.items()}}

    return wrong


def test_right_gradients_pass_in_both_conventions():
    assert check().ok, str(check())
    assert check_columns().ok, str(check_columns())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({name: lambda g: g * N for name in COLUMNS}, "divide by the number of samples"),
        ({"b1": np.sum}, "with axis=1, keepdims=True"),
        ({"b1": np.ravel}, "db1 has shape (4,), but b1 has shape (4, 1): add keepdims=True"),
        ({"b1": lambda g: np.full_like(g, g.sum())}, "sum over the samples, with axis=1, keepdims=True"),
        ({"W1": lambda g: g.T}, "it is transposed"),
    ],
)
def test_mistakes_with_samples_as_columns_are_told_in_these_terms(changes, words):
    report = check_columns(changed(backward_columns, **changes))
    assert not report.ok
    assert words in str(report)
    assert "over the outputs" not in str(report)
    assert "axis=0" not in str(report)


def test_a_backward_that_adds_to_what_was_there_is_refused():
    kept = {name: np.zeros_like(value) for name, value in ROWS.items()}

    def adds(p, X, y):
        for name, gradient in backward(p, X, y).items():
            kept[name] += gradient
        return kept

    with pytest.raises(InputError, match=r"adds to the gradients of the call before.*Begin with zeros"):
        check(backward=adds)
    with pytest.raises(InputError, match="different gradients in each call"):
        check(backward=changed(backward, W1=lambda g: g + RNG.normal(size=g.shape)))


@pytest.mark.parametrize("name", ["X", "y"])
@pytest.mark.parametrize("part", ["forward", "backward"])
def test_functions_that_change_the_data_are_refused(name, part):
    own = {"forward": forward, "backward": backward}[part]

    def changes(p, X, y):
        result = own(p, X, y)
        array = {"X": X, "y": y}[name]
        array -= 0.5
        return result

    before = X.copy(), Y.copy()
    with pytest.raises(InputError, match=f"{part} changed {name}, but it must only read it"):
        check(**{part: changes})
    assert (before[0] == X).all()
    assert (before[1] == Y).all()


def test_losses_in_float32_are_checked_as_precisely_as_they_allow():
    def single(p, X, y):
        return forward({name: value.astype(np.float32) for name, value in p.items()}, X.astype(np.float32), y)

    def rounded(p, X, y):
        return np.float32(forward(p, X, y))

    for loss in (single, rounded):
        report = check(forward=loss)
        assert report.ok, str(report)
        assert "computed in float32" in str(report)
        wrong = check(forward=loss, backward=changed(backward, W1=lambda g: 1.05 * g))
        assert not wrong.ok
        assert [c.name for c in wrong.checks if not c.ok] == ["W1"]
    with pytest.raises(InputError, match="about three digits, as in float16"):
        check(forward=lambda p, X, y: np.float16(forward(p, X, y)))
    assert "float32" not in str(check())


def test_two_mistakes_at_once_are_both_named():
    report = check(backward=changed(backward, W2=lambda g: -g, b2=lambda g: -g, W1=lambda g: N * g, b1=lambda g: N * g))
    assert "W2, b2: the gradient is -1 times the derivative: the sign is wrong." in str(report)
    assert "W1, b1: the gradient is 6 times the derivative: a sum where a mean was meant" in str(report)
    report = check(backward=changed(backward, b1=np.sum, W2=lambda g: 2 * g))
    assert "db1 has shape (), but b1 has shape (4,)" in str(report)
    assert "W2: the gradient is 2 times the derivative" in str(report)


def test_broadcasting_inside_a_mean_is_refused():
    def squared(p, X, y):
        return ((np.tanh(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"] - y) ** 2).mean()

    def own(p, X, y):
        return {name: np.zeros_like(value) for name, value in p.items()}

    with pytest.raises(InputError, match=r"compares each prediction with all targets.*y.reshape\(-1, 1\)"):
        check(squared, own, y=Y[:, 0])
    with pytest.raises(InputError, match=r"compares each prediction with all targets.*y\[:, 0\]"):
        check(lambda p, X, y: ((X @ p["W1"][:, 0] - y) ** 2).mean(), own)
    assert not check(squared, own).ok  # with the right shape the gradients are compared


def test_the_pre_activation_in_place_of_the_activation_is_named():
    def wrong(p, X, y):
        found = backward(p, X, y)
        z1 = X @ p["W1"] + p["b1"]
        return {**found, "W2": z1.T @ ((sigmoid(np.tanh(z1) @ p["W2"] + p["b2"]) - y) / len(X))}

    text = str(check(backward=wrong))
    assert "The biases of layer 2 are right, so dz2 is right" in text
    assert "it needs the activation a1, not z1" in text
    shifted = changed(backward, W1=lambda g: g + RNG.normal(size=g.shape) * 0 + np.arange(12).reshape(3, 4))
    assert "dW1 multiplies it with the wrong array: it needs X" in str(check(backward=shifted))


@pytest.mark.parametrize(("log", "words"), [(np.log10, "base-10 logarithm (np.log10)"), (np.log2, "base-2 logarithm")])
def test_another_base_of_the_logarithm_is_named(log, words):
    report = check(forward=lambda p, X, y: forward(p, X, y, log))
    assert not report.ok
    assert words in str(report)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "returned None"),
        ([[1.0, 2.0], [3.0]], "rows of different lengths"),
        (np.ones((3, 4)) * 1j, "complex numbers"),
        ("dW1", "returned 'dW1'"),
        (np.array([["a"] * 4] * 3), "array of real numbers, shaped as W1"),
        ({"W1": 1.0}, "array of real numbers, shaped as W1"),
    ],
)
def test_gradients_that_are_no_arrays_of_real_numbers_are_refused(value, words):
    with pytest.raises(InputError, match="as the gradient of 'W1'") as caught:
        check(backward=changed(backward, W1=lambda g: value))
    assert words in str(caught.value)


def test_ragged_parameters_and_data_are_refused():
    with pytest.raises(InputError, match=r"parameters\['W1'\] must be an array, but its rows have different lengths"):
        check_my_gradients(forward, backward, {**ROWS, "W1": [[1.0], [1.0, 2.0]]}, X, Y)
    with pytest.raises(InputError, match="X must be an array, but its rows have different lengths"):
        check_my_gradients(forward, backward, ROWS, [[1.0], [1.0, 2.0]], Y)


def test_a_backward_that_needs_the_values_of_the_last_forward_is_checked():
    class Net:
        def forward(self, p, X, y):
            self.a1 = np.tanh(X @ p["W1"] + p["b1"])
            self.d2 = (sigmoid(self.a1 @ p["W2"] + p["b2"]) - y) / len(X)
            return forward(p, X, y)

        def backward(self, p, X, y):
            d1 = self.d2 @ p["W2"].T * (1 - self.a1**2)
            return {"W1": X.T @ d1, "b1": d1.sum(axis=0), "W2": self.a1.T @ self.d2, "b2": self.d2.sum(axis=0)}

    net = Net()
    assert check(net.forward, net.backward).ok


def test_the_number_of_features_in_place_of_the_number_of_samples_is_named():
    report = check_columns(changed(backward_columns, **{name: lambda g: g * N / 3 for name in COLUMNS}))
    assert "number of features, X.shape[0] = 3, instead of the number of samples, X.shape[1] = 6" in str(report)
    report = check(backward=changed(backward, **{name: lambda g: g * N / 3 for name in ROWS}))
    assert "number of features, X.shape[1] = 3, instead of the number of rows, X.shape[0] = 6" in str(report)
    report = check(backward=changed(backward, **{name: lambda g: g * N * N for name in ROWS}))
    assert "multiplied by the number of rows: divide by this number" in str(report)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (-N, ("the sign is wrong", "a sum where a mean was meant")),
        (-np.log(10), ("the sign is wrong", "base-10 logarithm")),
        (N * np.log(10), ("base-10 logarithm", "a sum where a mean was meant")),
        (-2, ("the sign is wrong", "a forgotten ½")),
    ],
)
def test_two_mistakes_that_multiply_are_both_named(factor, words):
    text = str(check(backward=changed(backward, **{name: lambda g: factor * g for name in ROWS})))
    assert "two mistakes: " in text
    assert all(word in text for word in words)
    unknown = str(check(backward=changed(backward, **{name: lambda g: 1.37 * g for name in ROWS})))
    assert "look for it in the loss and its reduction" in unknown


def test_a_wrong_product_and_a_missing_derivative_are_both_named():
    def wrong(p, X, y):
        z1 = X @ p["W1"] + p["b1"]
        d2 = (sigmoid(np.tanh(z1) @ p["W2"] + p["b2"]) - y) / len(X)
        d1 = d2 @ p["W2"].T
        return {"W1": X.T @ d1, "b1": d1.sum(axis=0), "W2": z1.T @ d2, "b2": d2.sum(axis=0)}

    text = str(check(backward=wrong))
    assert "dW2 multiplies it with the wrong array: it needs the activation a1, not z1" in text
    assert "b2 is right, W1, b1 are wrong: check the backward pass between them" in text


@pytest.mark.parametrize("reduce", [np.mean, np.sum, lambda x: np.sqrt(np.mean(x)), lambda x: np.median(x)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_broadcasting_is_found_for_every_reduction(reduce, dtype):
    def loss(p, X, y):
        values = np.tanh(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
        return dtype(reduce(((values - y) ** 2).astype(dtype)) + (p["W1"] ** 2).sum())

    def zeros(p, X, y):
        return {name: np.zeros_like(value) for name, value in p.items()}

    targets = X[:, 0] + 0.5 * X[:, 1]
    with pytest.raises(InputError, match=r"all targets.*here with y.reshape\(-1, 1\)"):
        check(loss, zeros, y=targets)
    assert not check(loss, zeros, y=targets.reshape(-1, 1)).ok  # nothing is broadcast here: gradients are compared


def test_broadcasting_is_found_with_samples_as_columns():
    def loss(p, X, y):
        return ((p["W"] @ X + p["b"] - y) ** 2).mean()

    def own(p, X, y):
        d = 2 * (p["W"] @ X + p["b"] - y.reshape(1, -1)) / X.shape[1]
        return {"W": d @ X.T, "b": d.sum(axis=1, keepdims=True)}

    parameters = {"W": np.array([[0.5, -1.0, 2.0]]), "b": np.zeros((1, 1))}
    with pytest.raises(InputError, match=r"all targets.*here with y.reshape\(1, -1\)"):
        check_my_gradients(loss, own, parameters, X.T, X[:, :1])
    assert check_my_gradients(loss, own, parameters, X.T, X[:, :1].T).ok
    assert check_my_gradients(loss, own, parameters, X.T, X[:, 0]).ok


def test_a_constant_factor_of_a_loss_in_float32_is_named():
    def loss(p, X, y):
        return np.float32(forward(p, X, y, np.log10))

    assert "base-10 logarithm" in str(check(forward=loss))
