"""``TableClassifier`` and ``TableRegressor``: raw columns in, predictions out."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from workings import InputError, Network
from workings.files import load, save
from workings.sklearn import TableClassifier, TableRegressor
from workings.table_recipe import (
    CLASSIFICATION,
    REGRESSION,
    TD_S_CLASSIFICATION,
    TD_S_REGRESSION,
    TableRecipe,
    train_together,
)
from workings.tables.columns import CategoryColumn, NumberColumn

SMALL = {"hidden": (16, 16), "epochs": 60}
TINY = {"hidden": (4,), "epochs": 2}
MARKED = {"missing": "indicate"}
RNG = np.random.default_rng(3)
N = 120
TABLE = pd.DataFrame({
    "size": RNG.normal(size=N), "price": np.exp(RNG.normal(size=N) * 3), "same": 1.0,
    "colour": RNG.choice(["red", "blue", "green"], N), "flag": RNG.random(N) > 0.5,
    "grade": pd.Categorical(RNG.choice(["a", "b"], N)),
})  # fmt: skip
TABLE.loc[::9, "size"] = np.nan
TABLE.loc[::7, "colour"] = None
LABELS = np.where((TABLE["size"].fillna(0) > 0) ^ (TABLE["colour"] == "red"), "yes", "no")
AMOUNTS = 50 + 3 * TABLE["size"].fillna(0).to_numpy() + 5 * (TABLE["colour"] == "red").to_numpy()


def classifier(**settings: Any) -> TableClassifier:
    recipe = replace(CLASSIFICATION, **settings.pop("recipe", SMALL))
    return TableClassifier(recipe=recipe, random_state=0, engine="reference", **settings)


def regressor(**settings: Any) -> TableRegressor:
    recipe = replace(REGRESSION, **settings.pop("recipe", SMALL))
    return TableRegressor(recipe=recipe, random_state=0, engine="reference", **settings)


@pytest.mark.slow
@parametrize_with_checks([classifier(recipe={"hidden": (32, 32)}), regressor(recipe={"hidden": (32, 32)})])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_numbers_categories_and_gaps_as_they_come() -> None:
    model = classifier(recipe={**SMALL, **MARKED}).fit(TABLE, LABELS)
    assert model.score(TABLE, LABELS) > 0.9
    columns = {column.name: column for column in model.columns_.columns}
    assert list(columns) == ["size", "price", "colour", "flag", "grade"], "a constant column is left out"
    gap = "(missing)"
    assert columns["colour"] == CategoryColumn("colour", (gap, "blue", "green", "red"), gap, "zeros")
    assert columns["size"].fill == pytest.approx(TABLE["size"].median())
    assert columns["size"].names == ("size", "size is missing")
    assert columns["price"].names == ("price",), "there is nothing to mark"
    assert isinstance(columns["flag"], NumberColumn)
    assert columns["grade"].categories == ("a", "b")
    p = model.predict_proba(TABLE)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    assert model.classes_.tolist() == ["no", "yes"]


def test_gaps_may_only_be_filled_and_may_be_new_in_a_later_table() -> None:
    model = classifier(recipe=TINY).fit(TABLE, LABELS)
    columns = {column.name: column for column in model.columns_.columns}
    assert columns["colour"] == CategoryColumn("colour", ("blue", "green", "red"), None, "zeros")
    assert columns["size"].names == ("size",)
    marked = classifier(recipe={**TINY, **MARKED}).fit(TABLE, LABELS)
    later = TABLE.head(3).assign(price=np.nan, grade=None, size=np.nan, colour=None)
    for each in (model, marked):
        assert np.isfinite(each.predict_proba(later)).all()
    known = marked._encode(marked._table(later, reset=False))
    assert known[0, marked.columns_.names.index("size is missing")] == 1
    assert known[0, marked.columns_.names.index("colour=(missing)")] == 1
    with pytest.raises(InputError, match="missing values"):
        replace(CLASSIFICATION, missing="refuse")


def test_a_column_that_varies_only_in_its_gaps_is_used() -> None:
    table = TABLE[["size"]].assign(known=[1.0, np.nan] * (N // 2), word=["x", None] * (N // 2), same="x")
    names = classifier(recipe={**TINY, **MARKED}).fit(table, LABELS).columns_.names
    assert "known is missing" in names
    assert "word=(missing)" in names
    assert not any(name.startswith("same") for name in names)


def test_unknown_categories_and_outliers_are_predicted() -> None:
    model = regressor().fit(TABLE, AMOUNTS)
    other = TABLE.head(4).copy()
    other["colour"], other["size"] = ["pink", None, "RED", "red"], [1e300, -1e300, np.nan, 0.0]
    found = model.predict(other)
    assert np.isfinite(found).all()
    assert AMOUNTS.min() - 1e-4 <= found.min() <= found.max() <= AMOUNTS.max() + 1e-4
    assert model.score(TABLE, AMOUNTS) > 0.9


def test_a_polars_table_and_an_array_of_objects_are_the_same() -> None:
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    plain = TABLE[["size", "colour"]]
    ours = classifier(recipe=TINY).fit(plain, LABELS).predict_proba(plain)
    frame = polars.from_pandas(plain)
    np.testing.assert_array_equal(classifier(recipe=TINY).fit(frame, LABELS).predict_proba(frame), ours)
    array = plain.to_numpy(dtype=object)
    np.testing.assert_array_equal(classifier(recipe=TINY).fit(array, LABELS).predict_proba(array), ours)


def test_an_ensemble_is_the_mean_of_its_networks() -> None:
    model = classifier(recipe=TINY, ensemble=3).fit(TABLE, LABELS)
    assert len(model.networks_) == 3
    rows = model._encode(model._table(TABLE, reset=False))
    scores = np.mean([np.log(network.predict_proba(rows)) for network in model.networks_], axis=0)
    mean = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(TABLE), mean, rtol=1e-5)
    raw = {name: TABLE[name] for name in TABLE.columns}
    np.testing.assert_allclose(model.network_.predict_proba(raw), model.predict_proba(TABLE), rtol=1e-5)
    one_by_one = np.concatenate([model.predict_proba(TABLE[place : place + 1]) for place in range(9)])
    np.testing.assert_allclose(one_by_one, model.predict_proba(TABLE)[:9], rtol=1e-12)


def test_networks_that_are_trained_together_are_as_if_alone() -> None:
    rows = classifier(recipe=TINY).fit(TABLE, LABELS)
    X, recipe = rows._encode(rows._table(TABLE, reset=False)), replace(CLASSIFICATION, **TINY)
    draws = list(recipe.draws(N, np.searchsorted(rows.classes_, LABELS), seed=1))
    fits = [recipe.fit_of(X, LABELS, draw, classes=rows.classes_) for draw in draws]
    assert [history.epochs for history in train_together(fits, "reference")] == [2] * 4
    for fit, draw in zip(fits, draws, strict=True):
        alone = recipe.fit_of(X, LABELS, draw, classes=rows.classes_)
        alone.run("reference")
        np.testing.assert_array_equal(fit.network.theta, alone.network.theta)


def test_validation_rows_are_each_networks_own_or_all_networks() -> None:
    codes = np.arange(50) % 2
    own = [draw.held_out.tolist() for draw in CLASSIFICATION.draws(50, codes, seed=0)]
    same = [draw.held_out.tolist() for draw in replace(CLASSIFICATION, own_validation=False).draws(50, codes, seed=0)]
    assert own[0] == same[0]
    assert own[0] != own[1]
    assert same == [same[0]] * 4


def test_many_rows_are_compiled() -> None:
    pytest.importorskip("llvmlite")
    X, y = RNG.normal(size=(1600, 3)).astype(np.float32), RNG.integers(0, 2, 1600)
    assert CLASSIFICATION.engine_for(X, y, np.arange(2), "auto") == "compiled"
    assert CLASSIFICATION.engine_for(X[:60], y[:60], np.arange(2), "auto") == "reference"


def test_less_time_is_fewer_epochs() -> None:
    model = TableRegressor(time=0.05, random_state=0, engine="reference").fit(TABLE, AMOUNTS)
    assert 8 <= model.network_.history.epochs < REGRESSION.epochs_for(N)


@pytest.mark.parametrize(
    ("recipe", "epochs"),
    [(CLASSIFICATION, [64, 64, 64, 50, 32]), (REGRESSION, [128, 128, 53, 40, 32]),
     (replace(REGRESSION, epochs=256), [256] * 5), (replace(CLASSIFICATION, epochs=3), [3] * 5),
     (TD_S_CLASSIFICATION, [256] * 5), (TD_S_REGRESSION, [256] * 5),
     (replace(REGRESSION, fewest_epochs=1), [128, 128, 53, 40, 1])],
)  # fmt: skip
def test_many_rows_are_fewer_epochs_unless_their_number_is_given(recipe: TableRecipe, epochs: list[int]) -> None:
    rows = (40, 1000, 3200, 4000, 200_000)
    assert [recipe.epochs_for(n) for n in rows] == epochs
    settings = recipe.training_recipe(3200, is_validated=True, classification=False)
    assert settings.epochs == epochs[2]
    assert settings.optimizer == recipe.optimizer(epochs[2] * recipe.batches(3200)[1])


def test_predictions_of_many_rows_and_of_one_agree() -> None:
    """Many rows run compiled code, in the same precision."""
    pytest.importorskip("llvmlite")
    model = classifier(recipe=TINY).fit(TABLE, LABELS).set_params(engine="auto")
    model._mean.compile()
    many = pd.concat([TABLE] * 5, ignore_index=True)
    found = model.predict_proba(many)
    np.testing.assert_allclose(found[:N], model.predict_proba(TABLE), rtol=1e-12)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(many), found)


def test_validation_rows_have_each_class_in_proportion() -> None:
    codes = np.repeat([0, 1, 2], [100, 50, 5])
    rows = CLASSIFICATION.validation_rows(155, codes, np.random.default_rng(0))
    assert np.bincount(codes[rows]).tolist() == [20, 10, 1]
    assert not len(CLASSIFICATION.validation_rows(9, None, np.random.default_rng(0)))


def test_two_fits_with_one_seed_are_equal_and_another_seed_differs() -> None:
    one, two = (classifier(recipe=TINY).fit(TABLE, LABELS).predict_proba(TABLE) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    other = classifier(recipe=TINY).set_params(random_state=1).fit(TABLE, LABELS).predict_proba(TABLE)
    assert (one != other).any()


def test_scikit_learns_tools_and_pickle() -> None:
    search = GridSearchCV(make_pipeline(FunctionTransformer(), classifier(recipe=TINY)),
                          {"tableclassifier__ensemble": [1, 2]}, cv=2)  # fmt: skip
    assert search.fit(TABLE, LABELS).predict(TABLE).shape == (N,)
    assert len(cross_val_score(regressor(recipe=TINY), TABLE, AMOUNTS, cv=2)) == 2
    model = regressor(recipe=TINY).fit(TABLE, AMOUNTS)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(TABLE), model.predict(TABLE))


PLAIN = RNG.uniform(size=(N, 2))  # looks scaled, and is not
WITH_GAPS = np.where(np.arange(2 * N).reshape(N, 2) % 9, PLAIN, np.nan)
ARRAYS: dict[str, Any] = {
    "numbers": PLAIN, "list": PLAIN.tolist(), "integers": RNG.integers(0, 9, (N, 3)), "one column": PLAIN[:, :1],
    "large means": PLAIN + np.array([0, 1e9]), "gaps": WITH_GAPS, "constant": np.column_stack([np.ones(N), PLAIN]),
    "numbered columns": pd.DataFrame(PLAIN),
    "words": np.column_stack([TABLE["grade"].astype(object), PLAIN[:, 0]]), "only words": TABLE[["grade"]].to_numpy(),
}  # fmt: skip


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("make", [classifier, regressor])
def test_its_network_takes_the_arrays_that_it_takes(make: Any, kind: str, tmp_path: Path) -> None:
    X = ARRAYS[kind]
    model = make(recipe=TINY).fit(X, LABELS if make is classifier else AMOUNTS)
    is_classifier = make is classifier
    expected = model.predict_proba(X) if is_classifier else model.predict(X)
    save(model, tmp_path / "model.json")
    for network in (model.network_, Network.load(model.network_.save(tmp_path / "n.safetensors")),
                    Network.from_json(tmp_path / "model.json")):  # fmt: skip
        found = network.predict_proba(X) if is_classifier else network.predict(X)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        first = network.predict_proba(X[:1]) if is_classifier else network.predict(X[:1])
        np.testing.assert_allclose(first, expected[:1], rtol=1e-5)
    columns = np.asarray(X, dtype=object).T
    by_name = {f"x{place}": list(values) for place, values in enumerate(columns)}
    np.testing.assert_array_equal(model.network_.predict(by_name), model.network_.predict(X))
    assert pickle.loads(pickle.dumps(model)).network_.preprocessing == model.network_.preprocessing


def test_an_array_that_its_network_could_read_in_two_ways_is_refused() -> None:
    X = np.column_stack([np.ones(N), WITH_GAPS[:, 0]])  # one column is left out, another becomes two
    model = classifier(recipe={**TINY, **MARKED}).fit(X, LABELS)
    assert model.predict(X).shape == (N,)
    with pytest.raises(InputError, match=r"could not tell them apart\. Fit it on a table with column names"):
        _ = model.network_


@pytest.mark.parametrize("suffix", [".onnx", ".c", ".safetensors", ".json"])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_it_is_exported_with_its_raw_columns(make: Any, suffix: str, tmp_path: Path) -> None:
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    model = make(recipe=TINY).fit(TABLE, LABELS if make is classifier else AMOUNTS)
    exported = save(model, tmp_path / f"model{suffix}")
    assert exported.paths
    if suffix in (".safetensors", ".json"):
        again = load(tmp_path / f"model{suffix}")
        assert isinstance(again, Network)
        raw = {name: TABLE[name] for name in TABLE.columns}
        assert again.preprocessing == model.network_.preprocessing
        np.testing.assert_array_equal(again.predict(raw), model.network_.predict(raw))


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"ensemble": 0}, "ensemble"), ({"ensemble": 1.5}, "ensemble"), ({"time": -1}, "time"), ({"time": "60s"}, "time"),
     ({"recipe": "best"}, "TableRecipe")],
)  # fmt: skip
def test_settings_that_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        TableClassifier(**settings).fit(TABLE, LABELS)


def test_tables_that_are_refused() -> None:
    dates = TABLE.assign(day=pd.Timestamp("2024-01-05"))
    with pytest.raises(InputError, match="dates"):
        classifier().fit(dates, LABELS)
    with pytest.raises(InputError, match="two columns"):
        classifier().fit(pd.concat([TABLE, TABLE], axis=1), LABELS)
    with pytest.raises(InputError, match="finite"):
        classifier().fit(TABLE.assign(size=np.inf), LABELS)
    with pytest.raises(InputError, match="DataFrame"):
        classifier().fit({"size": [1, 2]}, [0, 1])
    with pytest.raises(ValueError, match="NaN"):
        regressor().fit(TABLE, np.full(N, np.nan))
    with pytest.raises(ValueError, match="feature names"):
        classifier(recipe=TINY).fit(TABLE, LABELS).predict(TABLE.drop(columns="size"))


@pytest.mark.parametrize("labels", [[1.0, 2.0], [True, False], [3, 7], ["a", "b"]])
def test_labels_of_every_type_come_back(labels: list[Any]) -> None:
    y = np.array(labels)[(np.arange(N) % 2)]
    found = classifier(recipe=TINY).fit(TABLE, y).predict(TABLE)
    assert found.dtype == y.dtype
    assert set(found.tolist()) <= set(labels)


def test_each_trick_can_be_left_out() -> None:
    for name in ("clip", "scale", "ntk", "cycles", "zeros"):
        recipe = replace(CLASSIFICATION, **TINY, **{name: False})
        assert isinstance(recipe, TableRecipe)
        assert TableClassifier(recipe=recipe, random_state=0, engine="reference").fit(TABLE, LABELS).network_
