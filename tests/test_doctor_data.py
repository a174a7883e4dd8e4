"""The doctor's checks of data: leaks, identifiers, codes, overflow, duplicates, noise, and what is none of these."""

from __future__ import annotations

import numpy as np
import pytest

from workings import SGD, BinaryCrossEntropy, CrossEntropy, Dense, Huber, Network, Poisson, SquaredError
from workings.checks.contents import check_contents
from workings.checks.data import check_class_balance, check_row_order
from workings.checks.doctor import prepared_rows
from workings.checks.evidence import Case
from workings.checks.known_training import known_training
from workings.checks.measures import missing_code
from workings.datasets import digits, moons
from workings.tables.columns import standardized

RNG = np.random.default_rng(3)


def case_of(X: np.ndarray, y: np.ndarray, loss: object = None, **settings: object) -> Case:
    y = np.asarray(y)
    outputs = y.shape[1] if y.ndim == 2 else len(np.unique(y)) if y.dtype.kind != "f" and loss is None else 1
    loss = loss or (SquaredError() if y.dtype.kind == "f" else CrossEntropy())
    network = Network([Dense(4, "tanh"), Dense(outputs)], loss=loss, seed=0).built_for(X, y)
    network.learn_labels(y)
    training = known_training(**settings)
    return Case(network, *prepared_rows(network, X, y, training.recipe), training=training)


def found(X: np.ndarray, y: np.ndarray, loss: object = None) -> list[str]:
    return [finding.name for finding in check_contents(case_of(X, y, loss))]


def blobs(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Three overlapping clusters in four dimensions."""
    y = np.arange(n) % 3
    return np.random.default_rng(5).normal(size=(n, 4)) + np.eye(4)[y] * 2.2, y


def plane(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(n, 4))
    return X, X @ [1.0, -1.0, 0.5, 0.8] + 0.5 * rng.normal(size=n)


def with_column(X: np.ndarray, column: np.ndarray) -> np.ndarray:
    return np.column_stack([X, column])


@pytest.mark.parametrize(
    "leak",
    [
        lambda y: y,
        lambda y: 7.0 - 3 * y,
        lambda y: y + 0.03 * RNG.normal(size=len(y)),
        lambda y: np.array([5, 1, 9])[y],
        lambda y: (y == 1) * 1.0,
    ],
    ids=["copy", "scaled", "noisy", "renumbered", "one class"],
)
def test_a_column_that_tells_the_class_is_found(leak):
    X, y = blobs()
    assert found(with_column(X, leak(y)), y) == ["target-leak"]
    assert found(X, y) == []


@pytest.mark.parametrize("leak", [np.copy, np.exp, lambda y: -2 * y + 1, lambda y: y + 0.02 * RNG.normal(size=len(y))])
def test_a_column_that_tells_the_number_is_found(leak):
    X, y = plane()
    assert found(with_column(X, leak(y)), y) == ["target-leak"]
    assert found(X, y) == []


def test_a_good_column_beside_other_good_columns_is_no_leak():
    X, y = blobs()
    apart = X + 6 * np.eye(4)[y]
    assert found(apart, (y == 0).astype(int)) == []
    wave = np.linspace(-3, 3, 150)[:, None]
    assert found(wave, np.sin(wave[:, 0])) == []


@pytest.mark.parametrize(
    "number",
    [
        lambda n: np.arange(n),
        lambda n: standardized(np.arange(n)[::-1, None])[:, 0],
        lambda n: np.random.default_rng(0).permutation(n) + 1000,
        lambda n: np.random.default_rng(0).permutation(2 * n)[:n],
        lambda n: np.cumsum(np.random.default_rng(0).integers(1, 90, n)),
    ],
    ids=["index", "standardized", "shuffled", "subset", "rising"],
)
def test_a_column_that_numbers_the_rows_is_found(number):
    X, y = blobs()
    assert found(with_column(X, number(len(X))), y) == ["identifier-column"]
    by_class = np.argsort(y, kind="stable")
    finding = next(iter(check_contents(case_of(with_column(X[by_class], number(len(X))), y[by_class]))))
    assert finding.name == "identifier-column"
    assert "column 4 of X" in finding.measured
    assert finding.change == "X = np.delete(X, 4, axis=1)"


def test_inputs_of_a_curve_are_no_identifiers():
    t = np.linspace(-3, 3, 120)
    assert found(t[:, None], np.sin(t)) == []
    assert found(np.column_stack([t, t**2, t**3]), np.sin(t)) == []
    grid = np.stack(np.meshgrid(np.arange(12), np.arange(12)), axis=-1).reshape(-1, 2)
    assert found(grid, np.sin(grid[:, 0] / 3) * grid[:, 1] / 5) == []


@pytest.mark.parametrize("code", [-999.0, 9999.0, -99.0, 1e6])
def test_a_code_for_missing_values_is_found_and_replaced(code):
    X, y = blobs()
    X[RNG.permutation(len(X))[:12], 2] = code
    (finding,) = check_contents(case_of(X, y))
    assert finding.name == "missing-value-code"
    assert f"column 2 of X is {code:.6g} in 12 of 200 rows" in finding.measured
    names = {"np": np, "X": X.copy(), "y": y}
    exec(finding.change, names)
    assert names["X"].shape == (200, 5)
    assert names["X"][:, 4].sum() == 12
    assert np.abs(names["X"][:, 2]).max() < 10
    assert found(standardized(X), y) == ["missing-value-code"]


@pytest.mark.parametrize("code", [-999.0, 9999.0, 99999.0, 1e7])
def test_a_code_among_the_targets_is_found_and_its_rows_are_left_out(code):
    X, y = plane()
    y[RNG.permutation(len(y))[:8]] = code
    network = Network([Dense(4, "tanh"), Dense(1)], loss=SquaredError(), seed=0)
    (finding,) = network.diagnose(X, y).findings
    assert finding.name == "missing-value-code"
    assert f"the target is {code:.6g} in 8 of 200 rows" in finding.measured
    names = {"X": X, "y": y}
    exec(finding.change, names)
    assert names["X"].shape == (192, X.shape[1])
    assert np.abs(names["y"]).max() < 20
    assert "missing-value-code" not in found(X, np.round(np.abs(plane()[1])))


def test_sizes_that_double_hold_no_code():
    (X, y), rng = blobs(), np.random.default_rng(0)
    for base, power in ((64, 9), (2, 20), (1000, 5)):
        sizes = base * 2.0 ** rng.integers(0, power, len(X))
        sizes *= np.where(sizes < sizes.max(), rng.choice([1.0, 1.5], len(X)), 1.0)  # and sizes in between
        sizes[:4] = base * 2.0**power
        assert found(with_column(X, sizes), y) == []
        assert found(with_column(X, standardized(sizes)), y) == []


@pytest.mark.parametrize(
    ("column", "name"),
    [(lambda y: 95 - 3.0 * y, "target-leak"), (lambda y: np.arange(len(y)) + 5002.0, "identifier-column")],
)
def test_a_column_that_must_go_is_not_to_be_scaled(column, name):
    X, y = blobs()
    network = Network([Dense(8, "tanh"), Dense(int(y.max()) + 1)], loss=CrossEntropy(), seed=0)
    names = network.diagnose(with_column(X, column(y)), y).names
    assert name in names
    assert "unscaled-inputs" not in names
    assert "unscaled-inputs" in network.diagnose(with_column(X, X[:, 0] * 1000 + 5000), y).names


def test_minus_one_is_a_code_only_where_all_else_is_positive():
    X, y = blobs()
    ages = RNG.integers(18, 80, len(X)).astype(float)
    ages[:9] = -1
    assert found(with_column(X, ages), y) == ["missing-value-code"]
    assert found(with_column(X, RNG.integers(-1, 30, len(X)) * 1.0 - 5), y) == []
    assert found(with_column(X, np.where(y == 0, -1.0, 1.0)), y % 2) == []
    outlier = X.copy()
    outlier[0, 0] = 500
    assert found(outlier, y) == []


def test_integers_that_wrapped_around_are_found_and_mended():
    pixels = digits()[0][:300].astype(np.uint8)
    y = digits()[1][:300]
    assert found(pixels, y) == []
    assert found(255 - pixels, y) == []
    for wrong in (pixels - np.uint8(8), pixels - pixels.mean(axis=0).astype(np.uint8), (pixels - np.uint8(3)) / 255):
        (finding,) = check_contents(case_of(wrong, y))
        assert finding.name == "integer-overflow"
        names = {"np": np, "X": wrong.astype(float)}
        exec(finding.change, names)
        assert np.abs(names["X"]).max() < 20
    images = RNG.integers(0, 256, (300, 64), dtype=np.uint8)
    assert found(images, y) == []
    assert found(images.astype(np.int8), y) == ["integer-overflow"]


def test_repeated_rows_are_found_unless_their_values_repeat_by_chance():
    X, y = blobs()
    twice = np.concatenate([np.arange(200), np.arange(30)])
    (finding,) = check_contents(case_of(X[twice], y[twice]))
    assert finding.name == "duplicated-rows"
    assert "30 of 230 rows repeat an earlier row" in finding.measured
    names = {"np": np, "X": X[twice], "y": y[twice]}
    exec(finding.change, names)
    assert (names["X"] == X).all()
    assert (names["y"] == y).all()
    survey = RNG.integers(1, 4, (300, 4)).astype(float)
    assert found(survey, RNG.integers(0, 2, 300)) == []
    nearly = X[twice] + 1e-5 * np.random.default_rng(0).normal(size=(230, X.shape[1]))
    (finding,) = check_contents(case_of(nearly, y[twice]))
    assert finding.name == "duplicated-rows"
    assert "nearly equal" in finding.measured
    names = {"np": np, "X": nearly, "y": y[twice]}
    exec(finding.change, names)
    assert 195 <= len(names["X"]) <= 205
    prices = np.column_stack([survey[:, :2], np.exp(RNG.normal(size=300)), RNG.normal(size=300)])
    assert found(prices, RNG.normal(size=300)) == []
    xor = np.tile([[0.0, 0], [0, 1], [1, 0], [1, 1]], (50, 1))
    assert found(xor, (xor.sum(axis=1) == 1).astype(int)) == []


def test_class_numbers_as_targets_are_found():
    X, y = blobs()
    for targets in (y.astype(float), y + 1.0, y - 1.0, standardized(y[:, None].astype(float))[:, 0]):
        (finding,) = check_contents(case_of(X, targets))
        assert finding.name == "classes-as-numbers"
        assert "Dense(3)], loss=CrossEntropy()" in finding.change
    assert found(X, np.round(3 * plane()[1])) == []
    assert found(X, (y > 0) * 1.0) == []
    assert found(X, y.astype(float), Poisson()) == []


def test_numbers_as_classes_are_found():
    X, y = plane()
    (finding,) = check_contents(case_of(X, np.round(20 * y).astype(int)))
    assert finding.name == "numbers-as-classes"
    assert "Dense(1)], loss=SquaredError()" in finding.change
    people = np.repeat(np.arange(40), 5)
    assert found(RNG.normal(size=(200, 6)) + 3 * RNG.normal(size=(40, 6))[people], people) == []


def test_skewed_targets_are_found_only_with_the_squared_error():
    X, y = plane()
    for targets in (np.exp(y), standardized(np.exp(y)[:, None])[:, 0]):
        (finding,) = check_contents(case_of(X, targets))
        assert finding.name == "skewed-targets"
        names = {"np": np, "y": targets}
        exec(finding.change, names)
        assert abs(((names["y"] - names["y"].mean()) ** 3).mean() / names["y"].std() ** 3) < 1
    assert found(X, np.exp(y), Huber()) == []
    assert found(X, -np.exp(y)) == []
    assert found(X, np.exp(0.2 * y)) == []


@pytest.mark.parametrize("share", [0.1, 0.15, 0.2])
def test_wrong_labels_are_told_from_overlapping_classes(share):
    X, y = moons(400, 0.15, seed=1)
    wrong = np.random.default_rng(1).random(400) < share
    assert found(X, np.where(wrong, 1 - y, y)) == ["label-noise"]
    assert found(X, y) == []
    assert found(*moons(400, 0.3, seed=1)) == []
    assert found(RNG.normal(size=(400, 3)), (RNG.random(400) < 0.1).astype(int)) == []


def test_a_class_of_which_a_third_is_mislabelled_is_found_but_not_overlapping_ones():
    X, y = moons(400, 0.15, seed=1)
    wrong = (y == 1) & (np.random.default_rng(2).random(len(y)) < 1 / 3)
    assert found(X, np.where(wrong, 0, y)) == ["label-noise"]
    for seed in range(8):
        noise = np.random.default_rng(seed).normal(0.0, 2 * X[:, 0].std(), len(X))
        assert "label-noise" not in found(X, (X[:, 0] + noise > X[:, 0].mean()).astype(int))


def test_sizes_that_double_are_no_codes():
    sizes = 2.0 ** np.r_[np.arange(12).repeat(5), [12, 12, 12]]
    assert missing_code(sizes) is None
    assert missing_code((sizes - sizes.mean()) / sizes.std()) is None
    assert missing_code(np.r_[sizes, [1e6, 1e6, 1e6]]) == 1e6


def test_codes_beside_few_other_values_are_found():
    sizes = np.repeat([-1.2, -0.8, 0.1, 1.1, 2.2], 20)
    for code in (999.0, 9999.0, 99999.0, -999.0):
        assert missing_code(np.r_[sizes, [code] * 8]) == code
    assert missing_code(np.r_[20.0 * sizes, [99.0] * 8]) is None
    assert missing_code(np.repeat([1.0, 99.0], 20)) is None
    ages = RNG.permutation(np.arange(18.0, 81).repeat(4))
    assert missing_code(np.r_[ages, [99.0] * 8]) == 99
    assert missing_code(np.r_[ages, [999.0] * 8]) == 999
    assert missing_code(np.r_[RNG.permutation(np.arange(18.0, 98).repeat(4)), [99.0] * 8]) is None
    assert missing_code(np.r_[[10.0, 20, 40, 60, 75] * 8, np.arange(11.0, 40), [99.0] * 4]) is None


def test_a_leak_beside_a_row_number_is_found():
    X, y = plane()
    leaking = np.column_stack([np.arange(len(y)) * 1.0, X, 9 * y + 32])
    assert found(leaking, y) == ["identifier-column", "target-leak"]
    assert found(leaking[:, :-1], y) == ["identifier-column"]


def test_repeated_rows_of_a_table_with_few_values_are_found_by_their_targets():
    X = RNG.integers(0, 3, (200, 4)).astype(float)
    y = X.sum(axis=1) + RNG.normal(size=200)
    chosen = np.random.default_rng(0).integers(0, 200, 200)
    assert found(X[chosen], y[chosen]) == ["duplicated-rows"]
    assert found(X, y) == []


@pytest.mark.parametrize("loss", [SquaredError(), Huber()])
def test_class_numbers_are_found_for_every_loss_of_numbers(loss):
    X = RNG.normal(size=(200, 3))
    y = (X[:, 0] > 0) * 1.0 + (X[:, 1] > 0.5)
    assert "classes-as-numbers" in found(X, y, loss)


def test_a_label_that_never_occurs_does_not_hide_a_rare_one():
    X = RNG.normal(size=(300, 3))
    Y = np.column_stack([RNG.random(300) < 0.4, np.zeros(300), np.arange(300) < 9]).astype(int)
    (finding,) = check_class_balance(case_of(X, Y, BinaryCrossEntropy(), optimizer=SGD(0.1)))
    assert "label 2 occurs in 9 of 300 rows" in finding.measured


def test_a_rare_label_among_several_is_found():
    X = RNG.normal(size=(300, 3))
    Y = (RNG.random((300, 3)) < [0.5, 0.03, 0.3]).astype(int)
    (finding,) = check_class_balance(case_of(X, Y, BinaryCrossEntropy(), optimizer=SGD(0.1)))
    assert finding.name == "class-imbalance"
    assert "label 1 occurs in" in finding.measured
    assert "sample_weight = np.where(y[:, 1] > 0" in finding.change
    assert list(check_class_balance(case_of(X, Y[:, [0, 2]], BinaryCrossEntropy()))) == []


def test_numeric_targets_in_order_need_shuffling():
    X, y = plane()
    order = np.argsort(y)
    settings = {"optimizer": SGD(0.1), "batch_size": 20}
    for chosen in (order, order[::-1]):
        (finding,) = check_row_order(case_of(X[chosen], y[chosen], shuffle=False, **settings))
        assert finding.name == "sorted-rows"
        assert "shuffle=True" in finding.change
    assert list(check_row_order(case_of(X, y, shuffle=False, **settings))) == []
    assert list(check_row_order(case_of(X[order], y[order], shuffle=True, **settings))) == []
    assert list(check_row_order(case_of(X[order], y[order], shuffle=False, optimizer=SGD(0.1)))) == []
    for batch_size in (1, 4, 10, 15):  # small batches differ in random order, too
        settings = {"optimizer": SGD(0.1), "batch_size": batch_size, "shuffle": False}
        assert [f.name for f in check_row_order(case_of(X[order], y[order], **settings))] == ["sorted-rows"]
        assert list(check_row_order(case_of(X, y, **settings))) == []
