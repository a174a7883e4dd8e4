"""Bad input: each mistake is refused with what arrived, what was expected and what to change."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from workings import (
    L2,
    LBFGS,
    SGD,
    Activation,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    Chain,
    ClipByNorm,
    CrossEntropy,
    Dense,
    DivergenceError,
    Dropout,
    EarlyStopping,
    InputError,
    Network,
    Poisson,
    ProgramError,
    SquaredError,
    WorkingsError,
)
from workings.datasets import moons
from workings.schedules import OnPlateau

X, Y = moons(n=40, seed=0)
NUMBERS = X[:, 0] + X[:, 1]


def classifier(units: int = 2, **settings: Any) -> Network:
    """A small network that tells classes apart."""
    return Network([Dense(4, "tanh"), Dense(units)], loss=CrossEntropy(), seed=0, **settings)


def regression(units: int = 1, **settings: Any) -> Network:
    """A small network that predicts numbers."""
    return Network([Dense(4, "tanh"), Dense(units)], loss=SquaredError(), seed=0, **settings)


def binary(units: int = 1) -> Network:
    """A small network with one or more labels of 0 or 1."""
    return Network([Dense(4, "tanh"), Dense(units)], loss=BinaryCrossEntropy(), seed=0)


def fit(network: Network, X: Any = X, y: Any = Y, **settings: Any) -> Any:
    """Train for one epoch, unless told otherwise."""
    return network.fit(X, y, **{"optimizer": SGD(0.1), "epochs": 1, **settings})


def refused(act: Callable[[], object], *says: str, kind: type[WorkingsError] = InputError) -> None:
    """Check that something is refused, in words that say all of this."""
    with pytest.raises(kind) as caught:
        act()
    for words in says:
        assert words in str(caught.value)


def with_value(array: np.ndarray, place: Any, value: Any) -> np.ndarray:
    """A copy with one value changed."""
    changed = np.array(array)
    changed[place] = value
    return changed


# -- numbers that are not finite ------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_x_that_is_not_finite_names_row_and_column(value: float) -> None:
    refused(lambda: fit(classifier(), with_value(X, (7, 1), value)), f"X has {value}", "row 7, column 1", "Remove")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_y_that_is_not_finite_names_its_row(value: float) -> None:
    refused(lambda: fit(regression(), y=with_value(NUMBERS, 5, value)), f"y has {value}", "row 5", "Remove")
    two = np.column_stack([NUMBERS, NUMBERS])
    refused(lambda: fit(regression(2), y=with_value(two, (5, 1), value)), f"y has {value}", "row 5, column 1")
    labels = with_value(Y.astype(float), 5, value)
    refused(lambda: fit(classifier(), y=labels), f"y has {value}", "row 5", "Remove")


def test_x_at_predict_that_is_not_finite() -> None:
    network = classifier(n_in=2)
    refused(lambda: network.predict(with_value(X, (3, 0), math.nan)), "X has nan", "row 3, column 0")


def test_numbers_too_large_for_float32_are_named() -> None:
    large = with_value(X, (2, 0), 1e300)
    refused(lambda: fit(classifier(dtype="float32"), large), "row 2, column 0", "1e+300")


# -- shapes ---------------------------------------------------------------------------------


def test_lengths_that_differ() -> None:
    refused(lambda: fit(classifier(), X, Y[:30]), "X has 40 rows", "y has 30", "one row for each sample")
    refused(lambda: fit(regression(), X[:10], NUMBERS), "X has 10 rows", "y has 40")
    refused(lambda: classifier(n_in=2).score(X, Y[:-1]), "X has 40 rows", "y has 39")
    refused(
        lambda: fit(classifier(), validation=(X[:5], Y[:4])), "X has 5 rows", "validation y has 4", "one row for each"
    )


@pytest.mark.parametrize(
    ("make", "y"),
    [(classifier, Y), (regression, NUMBERS), (binary, Y)],
    ids=["CrossEntropy", "SquaredError", "BinaryCrossEntropy"],
)
def test_a_column_of_targets_against_a_vector(make: Callable[[], Network], y: np.ndarray) -> None:
    refused(lambda: fit(make(), y=y.reshape(-1, 1)), "y has shape (40, 1)", "must have shape (n,)", "y.ravel()")


@pytest.mark.parametrize("make", [regression, binary])
def test_a_vector_of_targets_against_two_outputs(make: Callable[[int], Network]) -> None:
    refused(lambda: fit(make(2)), "y has shape (40,)", "must have shape (n, 2)")


def test_targets_of_too_many_columns() -> None:
    refused(lambda: fit(regression(2), y=np.zeros((40, 3))), "y has shape (40, 3)", "(n, 2)")
    refused(lambda: fit(classifier(), y=np.eye(3)[np.arange(40) % 3]), "y has shape (40, 3)", "(n, 2)")
    refused(lambda: fit(regression(2), y=np.zeros((40, 2, 1))), "y has shape (40, 2, 1)", "(n, 2)")


def test_x_of_one_dimension() -> None:
    says = ("X has shape (40,)", "rows are samples", "X.reshape(1, -1)", "X.reshape(-1, 1)")
    refused(lambda: fit(regression(), X[:, 0], NUMBERS), *says)
    refused(lambda: regression(n_in=2).predict(X[0]), "X has shape (2,)", "X.reshape(1, -1)")


def test_records_and_one_row_of_a_table_say_what_is_meant() -> None:
    records = [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}]
    for act in (regression(n_in=2).predict, lambda X: fit(regression(), X, NUMBERS[:2])):
        for rows in (records, tuple(records), np.array(records)):
            refused(lambda act=act, rows=rows: act(rows), "X is a list of dicts", "pandas.DataFrame(rows)")  # type: ignore[misc]
    pytest.importorskip("sklearn")
    from workings.sklearn import MLPRegressor, TableRegressor

    for estimator in (MLPRegressor(), TableRegressor()):
        refused(lambda estimator=estimator: estimator.fit(records, NUMBERS[:2]), "X is a list of dicts")  # type: ignore[misc]
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(records)
    refused(lambda: regression(n_in=2).predict(table.iloc[0]), "one row or column of a table", "table.iloc[[0]]")
    polars = pytest.importorskip("polars")
    refused(lambda: regression(n_in=2).predict(polars.DataFrame(records)["a"]), "one row or column of a table")


def test_x_of_three_dimensions() -> None:
    refused(lambda: fit(classifier(), X.reshape(40, 2, 1)), "two dimensions (samples, features)", "(40, 2, 1)")
    refused(lambda: fit(classifier(), np.float64(3.0)), "two dimensions", "()")


def test_no_rows_and_no_columns() -> None:
    refused(lambda: fit(classifier(), X[:0], Y[:0]), "X has shape (0, 2)", "at least one row and one column")
    refused(lambda: fit(classifier(), X[:, :0]), "X has shape (40, 0)", "at least one row and one column")
    refused(lambda: classifier(n_in=2).predict(X[:0]), "X has shape (0, 2)", "at least one row")


def test_another_width_at_predict() -> None:
    network = classifier(n_in=2)
    refused(lambda: network.predict(np.zeros((3, 5))), "X has 5 columns", "(3, 5)", "this network takes 2")
    refused(lambda: network.score(np.zeros((3, 1)), Y[:3]), "X has 1 columns", "takes 2")
    refused(lambda: fit(network, validation=(np.zeros((3, 4)), Y[:3])), "validation X has 4 columns", "takes 2")


# -- kinds of values ------------------------------------------------------------------------


def test_text_in_x() -> None:
    refused(lambda: fit(classifier(), X.astype(str)), "X has type <U", "must hold numbers", "Encode text columns")
    mixed = with_value(X.astype(object), (4, 1), "high")
    refused(lambda: fit(classifier(), mixed), "X has 'high' (str)", "row 4, column 1", "must hold numbers")


def test_numbers_in_an_object_array_are_numbers() -> None:
    one, other = classifier(), classifier()
    fit(one, X.astype(object))
    fit(other, X)
    assert np.array_equal(one.theta, other.theta)


def test_a_number_too_large_for_any_float() -> None:
    refused(lambda: fit(classifier(), with_value(X.astype(object), (4, 1), 10**400)), "X has", "row 4, column 1")


def test_complex_x_and_y() -> None:
    refused(lambda: fit(classifier(), X.astype(complex)), "X has type complex128", "must hold numbers")
    refused(lambda: fit(regression(), y=NUMBERS.astype(complex)), "y has type complex128", "must hold numbers")
    refused(lambda: fit(classifier(), y=Y.astype(complex)), "complex", "whole numbers or text")


def test_text_where_numbers_are_predicted() -> None:
    refused(lambda: fit(regression(), y=Y.astype(str)), "y has type <U", "must hold numbers")


def test_float_labels() -> None:
    says = ("y has 0.5 at row 3", "class labels are whole numbers or text", "SquaredError")
    refused(lambda: fit(classifier(), y=with_value(Y.astype(float), 3, 0.5)), *says)
    refused(lambda: fit(binary(), y=with_value(Y.astype(float), 3, 0.5)), *says)


def test_float_labels_that_are_whole_are_labels() -> None:
    network = classifier()
    fit(network, y=Y.astype(float))
    assert set(network.predict(X)) <= {0, 1}


def test_labels_of_mixed_kinds() -> None:
    refused(lambda: fit(classifier(), y=np.array([0, "one"] * 20, dtype=object)), "int, str", "text only")


def test_a_gap_among_text_labels() -> None:
    refused(lambda: fit(classifier(), y=np.array(["yes", "no", None, "no"] * 10, dtype=object)), "y has None at row 2")


def test_probabilities_that_are_none() -> None:
    rows = np.eye(2)[Y]
    refused(lambda: fit(classifier(), y=rows * 2), "y has", "row 0", "from 0 to 1")
    refused(lambda: fit(classifier(), y=rows / 2), "adds up to 0.5", "row 0", "add up to 1")
    refused(lambda: fit(binary(2), y=rows * -1), "row 0", "from 0 to 1")
    rows[3] /= 4
    refused(lambda: fit(classifier(), y=rows), "adds up to 0.25", "row 3", "add up to 1")


def test_booleans_are_the_labels_0_and_1() -> None:
    network = classifier(n_in=2)
    fit(network)
    assert network.objective(X, Y.astype(bool)) == network.objective(X, Y)
    refused(lambda: network.objective(X, np.where(Y, "yes", "no")), "yes")
    named = classifier(n_in=2)
    fit(named, y=np.where(Y, "True", "False"))
    refused(lambda: named.objective(X, Y.astype(bool)), "True", "False")


def test_negative_counts() -> None:
    network = Network([Dense(1)], loss=Poisson(), seed=0)
    refused(lambda: fit(network, y=with_value(Y, 6, -2)), "y has -2", "row 6", "counts, from 0")


# -- labels ---------------------------------------------------------------------------------


def test_a_label_never_seen() -> None:
    network = classifier()
    words = np.array(["cat", "dog"])[Y]
    fit(network, y=words)
    says = ("'cow'", "row 2", "its labels are 'cat', 'dog'", "not in the training data")
    refused(lambda: network.score(X, with_value(words, 2, "cow")), *says)
    numbers = classifier()
    fit(numbers)
    refused(lambda: numbers.score(X, with_value(Y, 2, 7)), "label 7", "row 2", "its labels are 0, 1")
    refused(lambda: fit(classifier(), validation=(X, with_value(Y, 2, 7))), "label 7", "row 2")


def test_more_classes_than_units() -> None:
    says = ("y holds 3 classes (0, 1, 2)", "2 units can tell 2 apart", "Dense(3) with CrossEntropy()")
    refused(lambda: fit(classifier(), y=np.arange(40) % 3), *says)
    one = ("y holds 3 classes", "1 unit can tell 2 apart", "Dense(3) with CrossEntropy()")
    refused(lambda: fit(binary(), y=np.arange(40) % 3), *one)


def test_fewer_text_classes_than_units() -> None:
    words = np.array(["cat", "dog"])[Y]
    refused(lambda: fit(classifier(3), y=words), "y holds 2 classes ('cat', 'dog')", "3 units", "Dense(2)")


@pytest.mark.parametrize("y", [np.zeros(40, int), np.full(40, 7), np.full(40, "cat"), np.full(40, True)])
@pytest.mark.parametrize("make", [classifier, binary])
def test_one_class_only(make: Callable[[], Network], y: np.ndarray) -> None:
    says = ("only one class", repr(y[0].item()), "nothing to tell apart", "Add rows of another class")
    refused(lambda: fit(make(), y=y), *says)


# -- names ----------------------------------------------------------------------------------


def test_unknown_names_suggest_the_nearest() -> None:
    refused(lambda: Dense(3, "rellu"), "Unknown activation 'rellu'", "Did you mean 'relu'?", "tanh")
    refused(lambda: BatchNorm("tahn"), "Unknown activation 'tahn'", "Did you mean 'tanh'?")
    refused(lambda: Network([Dense(1)], loss="CrossEntrpy"), "Unknown loss", "Did you mean 'CrossEntropy'?")
    refused(lambda: Network([Dense(1)], loss="squareerror"), "Unknown loss", "Did you mean 'SquaredError'?")
    refused(lambda: Dense(3, weights="he_norml"), "Unknown initializer", "Did you mean 'he_normal'?")
    refused(lambda: fit(classifier(), metrics=["acuracy"]), "Unknown metric", "Did you mean 'accuracy'?")
    refused(lambda: fit(classifier(), engine="refrence"), "Unknown engine", "Did you mean 'reference'?")
    refused(lambda: CrossEntropy(reduction="avg"), "Unknown reduction 'avg'", "mean, sum")


def test_a_name_in_the_trace_that_is_not_there() -> None:
    refused(lambda: classifier(n_in=2).trace(X, Y)["dz9"], "dz9", "Did you mean")


def test_an_activation_that_is_a_plain_function() -> None:
    refused(lambda: Dense(3, np.tanh), "An activation is a name or an Activation", 'Activation("name", f, df)')  # type: ignore[arg-type]


# -- settings of fit ------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [0, -1, 1.5, True, "10", None])
def test_epochs(epochs: Any) -> None:
    refused(lambda: fit(classifier(), epochs=epochs), "epochs must be a whole number from 1", repr(epochs))


@pytest.mark.parametrize("batch_size", [0, -3, 2.5, True, "all"])
def test_batch_size(batch_size: Any) -> None:
    refused(lambda: fit(classifier(), batch_size=batch_size), "batch_size must be a whole number from 1")


@pytest.mark.parametrize("lr", [0, -0.1, math.nan, math.inf, "0.1", True, None])
def test_learning_rates(lr: Any) -> None:
    refused(lambda: SGD(lr), "A learning rate must be a positive number or a schedule", repr(lr))
    refused(lambda: OnPlateau(lr), "A learning rate must be a positive number")


def test_constants_of_optimizers() -> None:
    refused(lambda: Adam(beta1=1.0), "Adam's beta1 must be a number of at least 0 and below 1", "1.0")
    refused(lambda: Adam(eps=-1e-8), "Adam's eps must be a number of at least 0", "-1e-08")
    refused(lambda: ClipByNorm("1"), "ClipByNorm's max_norm must be a positive number", "'1'")  # type: ignore[arg-type]
    refused(lambda: Chain(SGD(0.1), ClipByNorm(1.0)), "ends with its one optimizer", "Chain(ClipByNorm(1.0), SGD(0.1))")
    refused(lambda: L2(-1.0), "L2's lam must be a number of at least 0", "-1.0")


@pytest.mark.parametrize("optimizer", ["adam", 0.1, None, SGD, ClipByNorm(1.0)])
def test_what_is_no_optimizer(optimizer: Any) -> None:
    says = ("optimizer", "such as SGD(0.1) or Adam()")
    refused(lambda: fit(classifier(), optimizer=optimizer), *says)
    refused(lambda: classifier().step(X, Y, optimizer), *says)


@pytest.mark.parametrize("validation", [1.0, 0.0, -0.2, 1, True, "0.2", (X,), (X, Y, Y), [X, Y], X])
def test_validation_of_the_wrong_form(validation: Any) -> None:
    says = ("validation must be (X, y) or a share between 0 and 1",)
    refused(lambda: fit(classifier(), validation=validation), *says)


def test_a_validation_share_of_nothing() -> None:
    refused(lambda: fit(classifier(), validation=0.001), "0.001 of 40 rows leaves 0 to validate on")


def test_sample_weights() -> None:
    def weights(w: Any) -> Callable[[], object]:
        return lambda: fit(classifier(), sample_weight=w)

    refused(weights(np.ones(39)), "sample_weight has shape (39,)", "must be (40,)")
    refused(weights(np.ones((40, 1))), "sample_weight has shape (40, 1)", "must be (40,)")
    refused(weights(2.0), "sample_weight has shape ()", "must be (40,)")
    refused(weights(with_value(np.ones(40), 3, -0.5)), "0 or more", "-0.5")
    refused(weights(np.zeros(40)), "not all 0")
    refused(weights(with_value(np.ones(40), 3, math.nan)), "sample_weight has nan", "row 3")


def test_class_weights() -> None:
    refused(lambda: fit(regression(), y=NUMBERS, class_weight="balanced"), "class_weight needs", "labels")
    refused(lambda: fit(binary(2), y=np.eye(2)[Y], class_weight={0: 1.0}), "class_weight needs", "labels")
    refused(lambda: fit(classifier(), class_weight={2: 3.0}), "label in class_weight", "2", "Known: 0, 1")
    refused(lambda: fit(classifier(), class_weight={0: -1.0}), "class_weight must hold numbers from 0", "-1.0")
    refused(lambda: fit(classifier(), class_weight={0: math.nan}), "class_weight must hold numbers from 0", "nan")
    refused(lambda: fit(classifier(), class_weight={0: 0, 1: 0}), "not all 0")
    refused(lambda: fit(classifier(), class_weight="even"), 'class_weight must be None, "balanced" or a dict', "'even'")
    refused(lambda: fit(classifier(), class_weight={0: "heavy"}), "class_weight must hold numbers", "'heavy'")


def test_a_last_batch_of_one_row_for_batch_norm() -> None:
    network = Network([Dense(4), BatchNorm("relu"), Dense(2)], loss=CrossEntropy(), seed=0)
    says = ("BatchNorm", "at least 2 rows in every batch", "batch_size=13", "last batch has 1", "another batch_size")
    refused(lambda: fit(network, batch_size=13), *says)


def test_l_bfgs_wants_full_batches_and_no_chance() -> None:
    says = ("L-BFGS needs a full batch (batch_size=None)", "without Dropout and BatchNorm")
    refused(lambda: fit(classifier(), optimizer=LBFGS(), batch_size=10), *says)
    for layer in (Dropout(0.5), BatchNorm()):
        network = Network([Dense(4), layer, Dense(2)], loss=CrossEntropy(), seed=0)
        refused(lambda network=network: fit(network, optimizer=LBFGS(), batch_size=None), *says)  # type: ignore[misc]


def test_settings_of_l_bfgs() -> None:
    refused(lambda: LBFGS(memory=0), "LBFGS's memory must be a whole number of at least 1", "0")
    refused(lambda: LBFGS(evaluations=2.5), "LBFGS's evaluations must be a whole number of at least 1, or None", "2.5")  # type: ignore[arg-type]
    refused(lambda: LBFGS(tolerance=-1.0), "LBFGS's tolerance must be a number of at least 0", "-1")
    refused(lambda: LBFGS(improvement=np.nan), "LBFGS's improvement must be a number of at least 0", "nan")


def test_early_stopping_on_what_is_not_recorded() -> None:
    says = ("EarlyStopping monitors 'val_loss'", "the history has only loss, lr", "validation=0.2")
    refused(lambda: fit(classifier(), callbacks=[EarlyStopping()]), *says)
    refused(lambda: fit(classifier(), callbacks=[EarlyStopping("los")]), "monitors 'los'", "only loss, lr")
    refused(lambda: EarlyStopping(patience=-1), "patience must be a whole number from 0", "-1")
    refused(lambda: EarlyStopping(patience=2.5), "patience must be a whole number from 0", "2.5")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("monitor", "settings", "says"),
    [
        ("val_loss", {}, ("only loss, lr.", "Give validation=(X_val, y_val) or validation=0.2.")),
        ("val_accuracy", {}, ("Give validation=(X_val, y_val) or validation=0.2.",)),
        ("accuracy", {}, ("Give metrics=['accuracy'].",)),
        ("val_mean_squared_error", {}, ("validation=0.2, and metrics=['mean_squared_error'].",)),
        ("val_mean_squared_error", {"validation": 0.5}, ("val_loss", "Give metrics=['mean_squared_error'].")),
        ("val_los", {"validation": 0.5}, ("Did you mean 'val_loss'?",)),
    ],
)
def test_monitors_that_are_not_recorded_say_what_would_record_them(monitor: str, settings: Any, says: Any) -> None:
    watched = {"optimizer": SGD(OnPlateau(0.1, monitor=monitor))}
    refused(lambda: fit(classifier(), **watched, **settings), f"OnPlateau monitors {monitor!r}", *says)
    stopper = EarlyStopping(monitor, higher_is_better=False)
    refused(lambda: fit(classifier(), callbacks=[stopper], **settings), f"EarlyStopping monitors {monitor!r}", *says)


def test_callbacks_that_are_none() -> None:
    refused(lambda: fit(classifier(), callbacks=EarlyStopping("loss")), "callbacks", "[EarlyStopping")
    refused(lambda: fit(classifier(), callbacks=["EarlyStopping"]), "callbacks", "'EarlyStopping'")


# -- divergence -----------------------------------------------------------------------------


def test_a_rate_that_diverges_says_where_and_goes_back_to_better_parameters() -> None:
    network = Network([Dense(1)], loss=SquaredError(), seed=0)
    by_hand = Network([Dense(1)], loss=SquaredError(), seed=0)
    with pytest.raises(DivergenceError) as caught:
        fit(network, 100 * X, NUMBERS, optimizer=SGD(1e6), epochs=200, batch_size=None)
    error = caught.value
    for _ in range(error.step - 1):
        trace = by_hand.step(100 * X, NUMBERS, SGD(1e6))
        assert trace.first_not_finite() is None
    last = by_hand.trace(100 * X, NUMBERS)
    assert error.name == last.first_not_finite()
    statement = next(s for s in last.program.statements if s.target == error.name)
    for words in (f"step {error.step}", error.name, f"`{statement}`", statement.part, "1e+06", "ClipByNorm(1.0)"):
        assert words in str(error)
    start = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=X.shape[1])
    assert np.array_equal(network.theta, start.theta), "the last finite parameters are far worse"
    assert error.history is not None
    assert len(error.history["loss"]) == error.step - 1  # type: ignore[index]
    assert f"step {error.step}" in error.history.stopped  # type: ignore[attr-defined]


def test_the_first_name_that_is_not_finite_is_the_first_in_the_order_of_the_program() -> None:
    network = Network([Dense(2, weights=np.full((2, 2), 1e200)), Dense(1, weights=np.full((2, 1), 1e200))],
                      loss=SquaredError(), seed=0)  # fmt: skip
    with pytest.raises(DivergenceError) as caught:
        fit(network, np.ones((4, 2)), np.ones(4), batch_size=None)
    assert (caught.value.name, caught.value.step) == ("z2", 1)
    assert "z2 = " in str(caught.value)
    assert "layer 2" in str(caught.value)


def test_divergence_in_mini_batches_goes_back_to_better_parameters() -> None:
    network = Network([Dense(1)], loss=SquaredError(), seed=0)
    with pytest.raises(DivergenceError) as caught:
        fit(network, 100 * X, NUMBERS, optimizer=SGD(1e6), batch_size=1, epochs=9, shuffle=False)
    assert 1 < caught.value.step <= 40, "the test wants a divergence within the first epoch"
    start = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=X.shape[1])
    assert np.array_equal(network.theta, start.theta), "the last finite parameters are far worse"


@pytest.mark.parametrize("settings", [
    {"batch_size": None}, {"batch_size": 2}, {"batch_size": 2, "engine": "reference"},
    {"batch_size": None, "optimizer": LBFGS()},
])  # fmt: skip
def test_numbers_that_end_before_the_first_update_are_not_blamed_on_the_rate(settings: Any) -> None:
    first = [np.full((2, 2), 1e200), np.full((2, 1), 1e200)]
    network = Network([Dense(2, weights=first[0]), Dense(1, weights=first[1])], loss=SquaredError(), seed=0)
    with pytest.raises(DivergenceError) as caught:
        fit(network, np.ones((4, 2)), np.ones(4), **{"optimizer": SGD(0.125), **settings})
    told = str(caught.value)
    for words in ("z2 was the first", "`z2 = z1 @ W2 + b2` (layer 2", "No update had been made", "smaller weights"):
        assert words in told
    assert "nan" not in told
    assert "ClipByNorm" not in told
    assert "optimizer" in settings or "with the learning rate 0.125:" in told
    assert caught.value.name == "z2"
    assert caught.value.history is not None
    assert "z2" in caught.value.history.stopped  # type: ignore[attr-defined]
    assert (network.parameters["W1"] == first[0]).all()


def test_a_first_update_that_is_not_finite_is_the_rates() -> None:
    network = Network([Dense(1)], loss=SquaredError(), seed=0)
    with pytest.raises(DivergenceError, match=r"W1 was the first.* learning rate was 1e\+308: try 1e\+307"):
        fit(network, 100 * X, NUMBERS, optimizer=SGD(1e308), batch_size=None)


# -- networks and layers --------------------------------------------------------------------


def test_predict_before_fit() -> None:
    network = classifier()
    for act in (network.predict, network.predict_proba, network.outputs):
        refused(lambda act=act: act(X), "no parameters yet", "call fit first", "n_in=")  # type: ignore[misc]
    refused(lambda: network.save("never-written.safetensors"), "no parameters yet", "call fit first")


def test_probabilities_of_a_network_that_predicts_numbers() -> None:
    refused(lambda: regression(n_in=2).predict_proba(X), "predicts numbers, not probabilities", "use predict")


@pytest.mark.parametrize("layers", [Dense(3), "Dense", 3, [], None, {Dense(3)}])
def test_layers_that_are_no_list(layers: Any) -> None:
    kind = "layers must be a list" if layers != "Dense" else "is not a layer"
    refused(lambda: Network(layers, loss=SquaredError()), kind)


def test_a_layer_that_is_none() -> None:
    layers: Any = [Dense(3), 10]
    refused(lambda: Network(layers, loss=CrossEntropy()), "Layer 2 is 10 (int)", "not a layer", "Dense(10)?")


def test_nothing_to_train() -> None:
    refused(lambda: Network([Dropout(0.1)], loss=SquaredError()), "nothing to train", "Dense", kind=ProgramError)


@pytest.mark.parametrize("units", [0, -1, 2.5, True, "3", None])
def test_units(units: Any) -> None:
    refused(lambda: Dense(units), "Dense's units must be a whole number of at least 1", repr(units))


@pytest.mark.parametrize("rate", [1.0, -0.1, math.nan, "0.5"])
def test_dropout_rates(rate: Any) -> None:
    refused(lambda: Dropout(rate), "Dropout's rate must be a number of at least 0 and below 1", repr(rate))


def test_batch_norm_momentum() -> None:
    refused(lambda: BatchNorm(momentum=0), "BatchNorm's momentum must be a number above 0 and at most 1", "0")


def test_given_weights() -> None:
    wrong = Network([Dense(4, weights=np.zeros((3, 4))), Dense(2)], loss=CrossEntropy(), seed=0)
    refused(lambda: fit(wrong), "(3, 4)", "(2, 4)")
    biases = Network([Dense(4, biases=[0.0, 1.0]), Dense(2)], loss=CrossEntropy(), seed=0)
    refused(lambda: fit(biases), "(2,)", "(4,)")
    refused(lambda: Dense(4, weights=with_value(np.zeros((2, 4)), (0, 1), math.nan)), "finite numbers", "(2, 4)")
    refused(lambda: Dense(4, weights=[["a", "b"]]), "finite numbers")


def test_an_initializer_that_gives_another_shape() -> None:
    network = Network([Dense(4, weights=lambda rng, shape: np.zeros((1, 1))), Dense(2)], loss=CrossEntropy(), seed=0)
    refused(lambda: fit(network), "(1, 1)", "(2, 4)")


@pytest.mark.parametrize("seed", [-1, "a", 1.5, True])
def test_seeds(seed: Any) -> None:
    says = ("seed must be a whole number from 0, a Generator or a RandomState", repr(seed))
    refused(lambda: Network([Dense(1)], loss=SquaredError(), seed=seed), *says)


@pytest.mark.parametrize("dtype", [int, np.float16, complex, "text", "float23"])
def test_dtypes(dtype: Any) -> None:
    refused(lambda: Network([Dense(1)], loss=SquaredError(), dtype=dtype), "dtype must be float32 or float64")


@pytest.mark.parametrize("n_in", [0, -2, 2.5, True, "2"])
def test_n_in(n_in: Any) -> None:
    refused(lambda: regression(n_in=n_in), "n_in must be a whole number from 1", repr(n_in))


def test_a_regularizer_that_is_a_number() -> None:
    refused(lambda: regression(regularizer=[1e-4]), "A regularizer is L2(1e-4)", "0.0001")
    refused(lambda: regression(regularizer=1e-4), "A regularizer is L2(1e-4)", "0.0001")


# -- after a refusal ------------------------------------------------------------------------


def test_a_refused_fit_leaves_the_network_as_it_was() -> None:
    refused_first, fresh = classifier(), classifier()
    words = np.array(["cat", "dog"])[Y]
    refused(lambda: fit(refused_first, np.ones((40, 5)), words[:30]), "X has 40 rows")
    refused(lambda: fit(refused_first, X, np.array(["x", "y"])[Y], sample_weight=np.ones(3)), "sample_weight")
    fit(refused_first, y=words)
    fit(fresh, y=words)
    assert np.array_equal(refused_first.theta, fresh.theta)
    assert refused_first.classes.tolist() == ["cat", "dog"]  # type: ignore[union-attr]


@pytest.mark.parametrize("y", [3, None])
def test_a_single_value_as_y(y: object) -> None:
    refused(lambda: fit(classifier(), X, y), "y is", "one row for each sample")


def test_a_word_as_y_is_read_as_a_path() -> None:
    refused(lambda: fit(classifier(), X, "word"), "y must be an array or a second .npy file, not 'word'")


def test_rows_of_different_lengths() -> None:
    refused(lambda: classifier(n_in=2).predict([[1.0, 2.0], [3.0]]), "rows of different lengths")


def test_softmax_as_an_activation() -> None:
    refused(lambda: Dense(3, "softmax"), "Unknown activation 'softmax'", "CrossEntropy() applies the softmax")


def test_parentheses_that_were_forgotten() -> None:
    refused(lambda: Network([Dense(1)], loss=CrossEntropy), "write CrossEntropy()")  # type: ignore[arg-type]
    X, y = [[0.0], [1.0]], [0.0, 1.0]
    net = Network([Dense(1)], loss="SquaredError", seed=0)
    for optimizer in (SGD, "sgd"):
        refused(lambda optimizer=optimizer: net.fit(X, y, optimizer=optimizer, epochs=1), "Write SGD(…)")


def test_an_activation_is_made_of_functions() -> None:
    refused(lambda: Activation("five", 5, 6), "is a function", "not 5")  # type: ignore[arg-type]


def test_a_name_that_no_step_knows_is_refused_before_training() -> None:
    net = Network([Dense(1)], loss="SquaredError", n_in=1)
    with pytest.raises(ProgramError, match="'foo', which nothing computes"):
        net.replacing("db1", "foo.sum()")
    assert net.replacing("W1", "W1 - lr * dW1 / t").edits
