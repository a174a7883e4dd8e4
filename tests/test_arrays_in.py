"""Arrays and tables from Python: no value is changed in silence, and bad ones raise errors that name their place."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest

from workings import SGD, CrossEntropy, Dense, InputError, Network
from workings.tables import Preprocessing

pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")

ROWS = 20
X = np.random.default_rng(0).normal(size=(ROWS, 2))
Y = np.arange(ROWS) % 2
ONE = [1.0] * ROWS


def masked(values: np.ndarray, place: Any) -> Any:
    """The values with one of them masked."""
    mask = np.zeros(values.shape, dtype=bool)
    mask[place] = True
    return np.ma.array(values, mask=mask)


def trained(X: Any = X, y: Any = Y, **settings: Any) -> Network:
    """A network that was trained for one epoch."""
    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    network.fit(X, y, optimizer=SGD(0.1), epochs=1, **settings)
    return network


BAD_X = {
    "masked": (masked(X, (3, 1)), "masked value at row 3, column 1"),
    "masked rows": ([np.ma.masked_equal([1.0, -9.0], -9.0)] * ROWS, "masked value at row 0, column 1"),
    "datetime64": (X.astype("datetime64[s]"), "holds dates or times"),
    "timedelta64": (X.astype("timedelta64[s]"), "holds dates or times"),
    "complex": (X + 1j, "has type complex128"),
    "pd.NA": (pandas.DataFrame({"a": pandas.array([1, None] * 10, dtype="Int64"), "b": 1.0}), "nan at row 1"),
    "nullable booleans": (
        pandas.DataFrame({"a": pandas.array([True, None] * 10, dtype="boolean"), "b": 1.0}), "at row 1, column 0",
    ),
    "categories with a gap": (pandas.DataFrame({"a": pandas.Categorical([1, None] * 10), "b": 1.0}), "nan at row 1"),
    "pandas dates": (pandas.DataFrame({"a": pandas.to_datetime(["2020-01-01"] * ROWS), "b": 1.0}), "column 'a'"),
    "polars dates": (polars.DataFrame({"a": [datetime.date(2020, 1, 1)] * ROWS, "b": ONE}), "column 'a': date"),
    "polars durations": (polars.DataFrame({"a": [datetime.timedelta(1)] * ROWS, "b": ONE}), "column 'a': duration"),
    "polars gap": (polars.DataFrame({"a": [1.0, None] * 10, "b": ONE}), "nan at row 1, column 0"),
    "lists": (polars.DataFrame({"a": [[1.0]] * ROWS, "b": ONE}), "column 'a' of type list"),
    "structs": (polars.DataFrame({"a": [{"q": 1.0}] * ROWS, "b": ONE}), "column 'a' of type struct"),
    "LazyFrame": (polars.DataFrame(X).lazy(), "Call its collect"),
    "no rows": (X[:0], "at least one row"),
    "table of no rows": (pandas.DataFrame(X)[:0], "at least one row"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_X)
def test_bad_x_is_refused_in_fit_predict_and_validation(kind: str) -> None:
    values, says = BAD_X[kind]
    acts = [lambda: trained(values), lambda: trained().predict(values), lambda: trained(validation=(values, Y))]
    for act in acts:
        with pytest.raises(InputError, match=says):
            act()


BAD_Y = {
    "masked": (masked(Y, 5), "masked value at row 5"),
    "datetime64": (Y.astype("datetime64[s]"), "holds dates or times"),
    "timedelta64": (Y.astype("timedelta64[s]"), "holds dates or times"),
    "complex": (Y + 1j, "has type complex128"),
    "pd.NA among words": (pandas.Series(["a", "b", pandas.NA, "a"] * 5), "at row 2"),
    "pd.NA among numbers": (pandas.Series(pandas.array([1, 0, None, 1] * 5, dtype="Int64")), "at row 2"),
    "nullable booleans": (pandas.Series([True, False, None, True] * 5, dtype="boolean"), "at row 2"),
    "NaN among words": (["a", float("nan"), "b", "a"] * 5, "nan at row 1"),
    "LazyFrame": (polars.DataFrame({"y": Y}).lazy(), "Call its collect"),
}


@pytest.mark.parametrize("kind", BAD_Y)
def test_bad_y_is_refused_in_fit_score_and_validation(kind: str) -> None:
    values, says = BAD_Y[kind]
    acts = [lambda: trained(y=values), lambda: trained().score(X, values), lambda: trained(validation=(X, values))]
    for act in acts:
        with pytest.raises(InputError, match=says):
            act()


ENDS_WITH_0 = ["a\0", "a", "b", "c\0d"] * 5  # NumPy would make the first two equal
TEXTS = {
    "list": ENDS_WITH_0, "tuple": tuple(ENDS_WITH_0), "objects": np.array(ENDS_WITH_0, dtype=object),
    "pandas": pandas.Series(ENDS_WITH_0), "nullable": pandas.Series(ENDS_WITH_0, dtype="string"),
    "categories": pandas.Categorical(ENDS_WITH_0), "polars": polars.Series(ENDS_WITH_0),
    "polars categories": polars.Series(ENDS_WITH_0, dtype=polars.Categorical),
    "StringDType": np.array(ENDS_WITH_0, dtype=np.dtypes.StringDType()),
}  # fmt: skip


@pytest.mark.parametrize("kind", TEXTS)
def test_labels_that_numpy_would_make_equal_are_refused(kind: str) -> None:
    sklearn = pytest.importorskip("workings.sklearn")
    network = Network([Dense(4)], loss=CrossEntropy(), seed=0)
    estimators = [sklearn.MLPClassifier(max_iter=1), sklearn.TableClassifier()]
    acts = [lambda: network.objective(X, TEXTS[kind]), *(lambda one=one: one.fit(X, TEXTS[kind]) for one in estimators)]
    for act in acts:
        with pytest.raises(InputError, match=r"the text 'a\\x00' at row 0\. NumPy drops"):
            act()
    assert Network([Dense(2)], loss=CrossEntropy(), seed=0).score(X, ["a\0b", "c"] * 10) >= 0


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (masked(np.ones(ROWS), 7), "masked value at row 7"),
        (np.ones(ROWS).astype("timedelta64[s]"), "holds dates or times"),
        (np.ones(ROWS) + 1j, "has type complex128"),
        (pandas.Series(pandas.array([1, None] * 10, dtype="Int64")), "nan at row 1"),
        (polars.Series([1.0, None] * 10), "nan at row 1"),
    ],
)
def test_bad_weights_are_refused(weights: Any, says: str) -> None:
    for act in (lambda: trained(sample_weight=weights), lambda: trained().score(X, Y, weights)):
        with pytest.raises(InputError, match=says):
            act()


@pytest.mark.parametrize(
    "values",
    [
        np.ma.array(X), X.tolist(), pandas.DataFrame(X, index=np.arange(ROWS)[::-1] * 7), polars.DataFrame(X),
        pandas.DataFrame(X).astype("Float64"), pandas.DataFrame(X, columns=["a", "a"]),
    ],
)  # fmt: skip
def test_the_same_numbers_train_the_same_network(values: Any) -> None:
    assert np.array_equal(trained(values).theta, trained().theta)
    assert np.array_equal(trained().predict(values), trained().predict(X))


@pytest.mark.parametrize("kind", ["masked", "masked rows", "datetime64", "timedelta64", "lists", "LazyFrame"])
def test_estimators_refuse_what_a_conversion_would_change(kind: str) -> None:
    pytest.importorskip("sklearn")
    from workings.sklearn import MLPClassifier

    with pytest.raises(InputError, match=BAD_X[kind][1]):
        MLPClassifier(max_iter=1).fit(BAD_X[kind][0], Y)


@pytest.mark.parametrize("impute", [False, True])
def test_missing_values_of_every_library_are_read_alike(impute: bool) -> None:
    known = {"a": [1.0, 2.0, 4.0, 3.0], "c": ["u", "v", "u", "v"], "y": [1, 0, 1, 0]}
    encoder = Preprocessing.learn(polars.DataFrame(known), "y", impute=impute)
    if impute:
        encoder = Preprocessing.learn(polars.DataFrame({**known, "c": ["u", "v", "u", None]}), "y", impute=True)
    tables = [
        pandas.DataFrame({"a": pandas.array([1, None], dtype="Int64"), "c": ["u", pandas.NA]}),
        pandas.DataFrame({"a": [1, pandas.NA], "c": pandas.array(["u", None], dtype="string")}),
        polars.DataFrame({"a": [1.0, None], "c": ["u", None]}),
        {"a": [1.0, float("nan")], "c": ["u", None]},
        {"a": np.ma.array([1.0, -9999.0], mask=[False, True]), "c": ["u", None]},
    ]
    for table in tables:
        if impute:
            assert np.array_equal(encoder.transform(table), encoder.transform({"a": [1, 2.5], "c": ["u", "u"]}))
        else:
            with pytest.raises(InputError, match="There is no value in row 2"):
                encoder.transform(table)


@pytest.mark.parametrize("name", ["TableClassifier", "TableRegressor"])
@pytest.mark.parametrize(
    ("table", "y", "says"),
    [
        (X, Y[:-1], "one row for each sample"),
        (X[:0], Y, "one row for each sample|sample"),
        (X, [None, *Y[1:]], "None at row 0"),
        (X, masked(Y, 5), "masked value at row 5"),
        (X, Y.astype("datetime64[D]"), "holds dates or times"),
        (X, polars.DataFrame({"y": Y}).lazy(), "LazyFrame"),
        (X, 1, "1d array"),
    ],
)
def test_estimators_of_tables_refuse_targets_in_own_words(name: str, table: Any, y: Any, says: str) -> None:
    estimator = getattr(pytest.importorskip("workings.sklearn"), name)()
    with pytest.raises(InputError, match=says):
        estimator.fit(table, y)


@pytest.mark.parametrize("y", [[1e308, -1e308] * 10, [1.7e308] * 20])
def test_a_target_whose_spread_is_too_large_is_refused(y: Any) -> None:
    with pytest.raises(InputError, match="their spread is too large"):
        pytest.importorskip("workings.sklearn").TableRegressor().fit(X, y)


RANGES = [
    ([1e308] * ROWS, None),
    ([5e-324] * ROWS, None),
    ([1e-300] + [5e-320] * 19, None),
    ([1e-40] * ROWS, "float32"),
]


@pytest.mark.parametrize(("weights", "dtype"), RANGES)
def test_weights_that_overflow_or_vanish_are_refused_for_what_they_are(weights: Any, dtype: str | None) -> None:
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0, dtype=dtype)
    with pytest.raises(InputError, match="Only their ratios matter"):
        network.fit(X, Y, optimizer=SGD(0.1), epochs=1, sample_weight=weights)
    estimator = pytest.importorskip("workings.sklearn").MLPClassifier((2,), max_iter=1, batch_size=1)
    with pytest.raises(InputError, match="Only their ratios matter"):
        estimator.fit(X.astype(dtype or "float64"), Y, sample_weight=weights)
