"""Pipelines of scikit-learn that are taken over: the network reads the pipeline's own table, and predicts the same."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workings import InputError, Network, files
from workings.tables import read_table

pandas = pytest.importorskip("pandas")
compose, preprocessing = pytest.importorskip("sklearn.compose"), pytest.importorskip("sklearn.preprocessing")
pipelines, impute = pytest.importorskip("sklearn.pipeline"), pytest.importorskip("sklearn.impute")
neural_network = pytest.importorskip("sklearn.neural_network")
ColumnTransformer, OneHotEncoder, OrdinalEncoder, SimpleImputer = (
    compose.ColumnTransformer, preprocessing.OneHotEncoder, preprocessing.OrdinalEncoder, impute.SimpleImputer,
)  # fmt: skip
make_pipeline = pipelines.make_pipeline

pytestmark = pytest.mark.filterwarnings("ignore")
ROWS = 60
CATEGORIES = {
    "floats": np.array([1.0, 2.0, 3.0]), "fractions": np.array([0.5, 1.5, 2.0]), "negative": np.array([-1.0, -0.5]),
    "float32": np.array([0.1, 0.2, 1.0], dtype=np.float32), "large": np.array([1e16, 2e16, 3.0]),
    "integers": np.array([1, 2, 3]), "bytes": np.array([1, 2, 3], dtype=np.int8), "booleans": np.array([True, False]),
    "words": np.array(["a", "b", "c"]), "digits": np.array(["1", "2", "10"]), "zeros": np.array(["007", "7", "A"]),
    "mixed words": np.array(["a", "1.0", "True"]), "blanks": np.array(["a", " a", "b "]),
    "markers": np.array(["NA", "?", "nan"]), "empty": np.array(["", "a", "b"]),
    "integers as objects": np.array([1, 2, 3], dtype=object),
    "booleans as objects": np.array([True, False], dtype=object),
    "numbers as objects": np.array([1.5, 2, 3], dtype=object),
    "dates": np.array(["2024-01-05", "2024-03-01"], dtype="datetime64[ns]"),
    "times": np.array(["2024-01-05T12:30", "2024-03-01"], dtype="datetime64[ns]"),
}  # fmt: skip
ENCODERS = {
    "one-hot": OneHotEncoder(), "first dropped": OneHotEncoder(drop="first"),
    "open": OneHotEncoder(handle_unknown="ignore"),
    "ordinal": OrdinalEncoder(), "open ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
}  # fmt: skip


def column(kind: str) -> Any:
    """A column of a table: one of the categories, or a type that only pandas has."""
    rng = np.random.default_rng(1)
    if kind == "nullable":
        return pandas.array(rng.integers(1, 4, ROWS), dtype="Int64")
    if kind == "categorical":
        return pandas.Categorical(rng.choice(["u", "v"], ROWS))
    return CATEGORIES[kind][rng.integers(0, len(CATEGORIES[kind]), ROWS)]


def fitted(steps: Any, table: Any) -> Any:
    """A pipeline that was fitted on the table."""
    rng = np.random.default_rng(2)
    return make_pipeline(steps, neural_network.MLPClassifier((4,), max_iter=20, random_state=0)).fit(
        table, rng.integers(0, 2, ROWS)
    )


def agree(network: Network, pipeline: Any, table: Any) -> bool:
    """Whether the network predicts the table as the pipeline does."""
    return bool(np.allclose(network.predict_proba(table), pipeline.predict_proba(table), rtol=1e-9, atol=1e-12))


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", [*CATEGORIES, "nullable", "categorical"])
def test_categories_of_every_kind_are_read_from_the_pipelines_own_table(kind: str, encoder: str) -> None:
    table = pandas.DataFrame({"c": column(kind), "x": np.random.default_rng(0).normal(size=ROWS)})
    steps = ColumnTransformer([("e", ENCODERS[encoder], ["c"])], remainder="passthrough")
    pipeline = fitted(steps, table)
    network = Network.from_sklearn(pipeline)
    assert agree(network, pipeline, table)
    assert agree(network, pipeline, table[:1])
    reread = {"c": table["c"].tolist(), "x": table["x"].tolist()}
    assert (network.predict(reread) == pipeline.predict(table)).all()


@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder()])
def test_numbers_are_the_same_category_in_every_type(encoder: Any) -> None:
    whole = pandas.DataFrame({"c": column("integers"), "d": column("floats")})
    pipeline = fitted(encoder, whole)
    network = Network.from_sklearn(pipeline)
    for kinds in (("int8", "int64"), ("float32", "float32"), ("Int64", "Int8"), ("float64", "object")):
        table = whole.astype(dict(zip(("c", "d"), kinds, strict=True)))
        assert agree(network, pipeline, table)
    assert network.predict({"c": [1], "d": [2]}) == network.predict({"c": [1.0], "d": [2.0]})


@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder()])
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_0_is_one_category_whatever_its_sign(encoder: Any, zero: float) -> None:
    table = pandas.DataFrame({"c": np.resize([zero, -1.0, 1.0], ROWS), "d": np.resize([1.0, 2.0], ROWS)})
    pipeline = fitted(encoder, table)
    network = Network.from_sklearn(pipeline)
    for other in (0.0, -0.0):
        changed = table.replace({"c": {0.0: other}})
        assert agree(network, pipeline, changed)
        assert (
            network.predict({"c": [other, np.float32(other), 0], "d": [1, 1, 1]})
            == pipeline.predict(pandas.DataFrame({"c": [0.0] * 3, "d": [1.0] * 3}))
        ).all()


SELECTIONS = {
    "names": ["c", "d"], "indices": [0, 2], "negative indices": [-4, -2], "mask": [True, False, True, False],
    "slice": slice(0, 3, 2), "slice of names": slice(None, "c"), "selector": compose.make_column_selector("[cd]$"),
}  # fmt: skip


@pytest.mark.parametrize("rest", ["passthrough", "drop", preprocessing.StandardScaler()], ids=str)
@pytest.mark.parametrize("selection", SELECTIONS)
def test_columns_are_selected_in_every_way(selection: str, rest: Any) -> None:
    rng = np.random.default_rng(0)
    words, numbers = column("words"), column("floats")
    table = pandas.DataFrame({"c": words, "x": rng.normal(size=ROWS), "d": numbers, "y": rng.normal(size=ROWS)})
    steps = ColumnTransformer([("e", OneHotEncoder(), SELECTIONS[selection])], remainder=rest)
    pipeline = fitted(steps, table)
    assert agree(Network.from_sklearn(pipeline), pipeline, table)


@pytest.mark.parametrize("kind", ["floats", "integers", "words", "nullable"])
@pytest.mark.parametrize("encoder", ["one-hot", "ordinal"])
def test_gaps_are_filled_before_an_encoder(kind: str, encoder: str) -> None:
    values = pandas.Series(column(kind)).astype(object)
    values[::7] = np.nan
    if kind != "words":
        values = values.astype(float)
    table = pandas.DataFrame({"c": values, "x": np.where(np.arange(ROWS) % 5, np.arange(ROWS) / 9, np.nan)})
    steps = ColumnTransformer([
        ("e", make_pipeline(SimpleImputer(strategy="most_frequent"), ENCODERS[encoder]), ["c"]),
        ("n", make_pipeline(SimpleImputer(strategy="median"), preprocessing.FunctionTransformer()), ["x"]),
    ])  # fmt: skip
    pipeline = fitted(steps, table)
    assert agree(Network.from_sklearn(pipeline), pipeline, table)


def test_a_pipeline_on_an_array_is_read_by_its_columns() -> None:
    X = np.column_stack([column("integers"), np.random.default_rng(0).normal(size=ROWS)])
    pipeline = fitted(ColumnTransformer([("e", OneHotEncoder(), [0])], remainder="passthrough"), X)
    network = Network.from_sklearn(pipeline)
    assert (network.predict({"x0": X[:, 0], "x1": X[:, 1]}) == pipeline.predict(X)).all()


def array_with_gaps() -> np.ndarray:
    """An array of two columns of numbers, with a large mean and gaps."""
    X = np.random.default_rng(0).normal([1000.0, -3.0], [1.0, 0.2], (ROWS, 2))
    X[::7, 1] = np.nan
    return X


NUMBERS = np.random.default_rng(0).uniform(size=(ROWS, 2))  # looks scaled, and is not
OBJECTS = np.column_stack([column("words").astype(object), NUMBERS[:, 0]])
Scaler = preprocessing.StandardScaler
ARRAYS: dict[str, tuple[Any, Any]] = {
    "numbers": (Scaler(), NUMBERS),
    "lists": (Scaler(), NUMBERS.tolist()),
    "integers": (preprocessing.MinMaxScaler(), np.random.default_rng(0).integers(0, 99, (ROWS, 3))),
    "single precision": (Scaler(), NUMBERS.astype(np.float32)),
    "numbered columns": (Scaler(), pandas.DataFrame(NUMBERS)),
    "gaps": (make_pipeline(SimpleImputer(), Scaler()), array_with_gaps()),
    "unscaled": ("passthrough", NUMBERS),
    "another order": (ColumnTransformer([("b", Scaler(), [1]), ("a", preprocessing.RobustScaler(), [0])]), NUMBERS),
    "fewer": (ColumnTransformer([("b", Scaler(), [1])]), NUMBERS),
    "words": (OneHotEncoder(), OBJECTS[:, :1]),
    "text": (OneHotEncoder(), OBJECTS[:, :1].astype(str)),
    "words and numbers": (ColumnTransformer([("w", OneHotEncoder(), [0])], remainder=Scaler()), OBJECTS),
    "codes": (OneHotEncoder(drop="first"), column("integers")[:, None]),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_network_takes_the_arrays_that_its_pipeline_takes(tmp_path: Path, kind: str) -> None:
    steps, X = ARRAYS[kind]
    pipeline = fitted(steps, X)
    network = Network.from_sklearn(pipeline)
    if kind == "single precision":
        assert np.allclose(network.predict_proba(X), pipeline.predict_proba(X), rtol=1e-5)
        return
    assert agree(network, pipeline, X)
    assert agree(network, pipeline, X[:1])
    files.save(network, tmp_path / "n.json")
    again = Network.load(network.save(tmp_path / "n.safetensors"))
    assert agree(Network.from_json(tmp_path / "n.json"), pipeline, X)
    assert agree(again, pipeline, X)
    assert again.score(X, pipeline.predict(X)) == 1
    columns = np.asarray(X, dtype=object).T
    by_name = network.predict_proba({f"x{place}": list(values) for place, values in enumerate(columns)})
    assert np.allclose(by_name, pipeline.predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize("steps", [Scaler(), ColumnTransformer([("w", OneHotEncoder(), [0])], remainder=Scaler())])
def test_an_array_gives_predictions_in_the_units_of_a_scaled_target(steps: Any) -> None:
    X = np.column_stack([np.arange(ROWS) % 3, NUMBERS[:, 0]])
    regressor = make_pipeline(steps, neural_network.MLPRegressor(hidden_layer_sizes=(4,), max_iter=20, random_state=0))
    whole = compose.TransformedTargetRegressor(regressor, transformer=Scaler()).fit(X, 1000 + 50 * NUMBERS[:, 0])
    assert np.allclose(Network.from_sklearn(whole).predict(X), whole.predict(X), rtol=1e-9)


def test_an_array_that_can_be_read_in_two_ways_is_refused() -> None:
    one = np.full((ROWS, 1), "a", dtype=object)
    with pytest.raises(InputError, match=r"cannot be told apart\. Fit it on a table with column names"):
        Network.from_sklearn(fitted(OneHotEncoder(), one))


@pytest.mark.parametrize("nothing", [None, "passthrough", pipelines.Pipeline([("a", None), ("b", "passthrough")])])
def test_steps_that_change_nothing_keep_the_names_of_the_columns(nothing: Any) -> None:
    table = pandas.DataFrame(NUMBERS, columns=["a", "b"])
    for steps in ([nothing], [nothing, Scaler()], [pipelines.Pipeline([("n", nothing), ("s", Scaler())]), nothing]):
        pipeline = fitted(pipelines.Pipeline([(f"s{place}", step) for place, step in enumerate(steps)]), table)
        assert agree(Network.from_sklearn(pipeline), pipeline, table)


@pytest.mark.parametrize("words", [(" x", "x ", "x"), ("a", " a", "\ta"), ("b\n", "b", "c")])
def test_blanks_around_categories_are_kept_in_a_csv_file(tmp_path: Path, words: tuple[str, ...]) -> None:
    table = pandas.DataFrame({"c": np.array(words, dtype=object)[np.arange(ROWS) % 3], "x": NUMBERS[:, 0]})
    steps = ColumnTransformer([("e", OneHotEncoder(), ["c"])], remainder="passthrough")
    pipeline = fitted(steps, table)
    network = Network.from_sklearn(pipeline)
    table.to_csv(tmp_path / "t.csv", index=False)
    assert agree(network, pipeline, table)
    for columns in (None, network.preprocessing):
        found = network.predict_proba(read_table(tmp_path / "t.csv", columns=columns))
        assert np.allclose(found, pipeline.predict_proba(table), rtol=1e-9)


@pytest.mark.parametrize("weight", [3.0, 0.25, 1])
def test_weights_of_a_column_transformer_are_taken_over(weight: float) -> None:
    table = pandas.DataFrame({"c": column("words"), "x": NUMBERS[:, 0]})
    parts = [("e", OneHotEncoder(), ["c"]), ("n", Scaler(), ["x"])]
    pipeline = fitted(ColumnTransformer(parts, transformer_weights={"e": weight, "n": 2.0}), table)
    assert agree(Network.from_sklearn(pipeline), pipeline, table)


@pytest.mark.parametrize("weight", [0.0, -1.0, np.inf])
def test_weights_of_a_column_transformer_that_are_not_above_0_are_refused(weight: float) -> None:
    table = pandas.DataFrame({"x": NUMBERS[:, 0]})
    steps = ColumnTransformer([("n", Scaler(), ["x"])], transformer_weights={"n": weight})
    network = neural_network.MLPClassifier((4,), max_iter=20).fit(NUMBERS[:, :1], np.arange(ROWS) % 2)
    pipeline = pipelines.Pipeline([("c", steps.fit(table)), ("n", network)])
    with pytest.raises(InputError, match="which is not above 0"):
        Network.from_sklearn(pipeline)


@pytest.mark.parametrize("end", ["py", "json", "onnx"])
def test_a_pipeline_of_numbers_as_categories_is_exported(tmp_path: Path, end: str) -> None:
    pytest.importorskip("onnxruntime")
    table = pandas.DataFrame({"c": column("floats"), "d": column("empty")})
    exported = files.save(fitted(OneHotEncoder(), table), tmp_path / f"n.{end}")
    assert exported.agreement is not None
    assert exported.agreement.ok


class Picky(OneHotEncoder):
    """An encoder of a user."""


def test_what_cannot_be_taken_over_is_refused_in_our_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pandas.DataFrame({"c": column("words"), "d": column("words")})
    with pytest.raises(InputError, match="Picky, which is not supported"):
        Network.from_sklearn(fitted(Picky(), table))
    pipeline = fitted(OneHotEncoder(), table)
    monkeypatch.setattr("workings.tables.values.spellings", lambda value: ("another",))
    monkeypatch.setattr("workings.tables.values.is_gap", lambda value: False)
    monkeypatch.setattr("workings.files.pipelines.data_frame", lambda values: {"c": [1] * 200, "d": [2] * 200})
    with pytest.raises(InputError, match=r"(?s)has columns that the network would refuse: .*The category"):
        Network.from_sklearn(pipeline)


OPEN = {
    "ignored": OneHotEncoder(handle_unknown="ignore"),
    "rare": OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=2),
    "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "few": OneHotEncoder(categories=[["a", "b"]], handle_unknown="ignore"),
}


@pytest.mark.parametrize("encoder", OPEN)
def test_an_encoder_that_takes_unknown_categories_still_does(tmp_path: Path, encoder: str) -> None:
    table = pandas.DataFrame({"c": column("words")})
    pipeline = fitted(OPEN[encoder], table)
    network = Network.from_sklearn(pipeline)
    strange = pandas.DataFrame({"c": ["a", "mauve", "c", "b"]})
    assert agree(network, pipeline, strange)
    assert agree(Network.load(network.save(tmp_path / "n.safetensors")), pipeline, strange)
    runtime = pytest.importorskip("onnxruntime")
    path = files.save(network, tmp_path / "n.onnx").paths[0]
    run = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = run.run(["probabilities"], {"words": strange[["c"]].to_numpy(object)})[0]
    assert np.allclose(found, pipeline.predict_proba(strange), rtol=1e-9)
    script = runpy.run_path(str(files.save(network, tmp_path / "n.py").paths[0]))
    assert script["predict"](strange).tolist() == pipeline.predict(strange).tolist()
    closed = fitted(OneHotEncoder(), table)
    with pytest.raises(InputError, match="'mauve' in row 2"):
        Network.from_sklearn(closed).predict(strange)
