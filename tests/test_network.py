"""The network: its words, its parameters as views, and the step for a loop of one's own."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import inspect
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workings.model.chunks
from workings import (
    L2,
    LBFGS,
    SGD,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    Callback,
    Chain,
    Checkpoint,
    ClipByNorm,
    CrossEntropy,
    Dense,
    Dropout,
    EarlyStopping,
    Ensemble,
    History,
    Huber,
    InputError,
    Momentum,
    Network,
    SquaredError,
    WorkingsWarning,
    files,
    plots,
    tables,
)
from workings.datasets import circles, moons
from workings.errors import KeywordError
from workings.metrics import accuracy, mean_absolute_error, mean_squared_error, r2
from workings.optimizers import Decay, Freeze
from workings.schedules import Cosine, Exponential, OnPlateau, Step, WarmUp
from workings.training.recipe import Recipe
from workings.training.recorders import Snapshots
from workings.training.training_data import prepare

X, Y = moons(n=50, seed=1)


def small(seed: Any = 0, **settings: Any) -> Network:
    """The network of the moons."""
    return Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=seed, **settings)


# -- words ----------------------------------------------------------------------------------


def test_the_summary_tells_layers_shapes_and_counts() -> None:
    network = Network([Dense(8, "relu"), BatchNorm(), Dropout(0.5), Dense(3, bias=False)], loss=CrossEntropy(), n_in=4,
                      seed=0, regularizer=L2(0.5))  # fmt: skip
    lines = network.summary().splitlines()
    assert "CrossEntropy" in lines[0]
    assert "L2(lam=0.5)" in lines[0]
    assert "float64" in lines[0]
    for line, (layer, shapes, count) in zip(
        lines[1:5],
        [("Dense(8, 'relu')", "(n, 4) -> (n, 8)", 40), ("BatchNorm", "(n, 8) -> (n, 8)", 16),
         ("Dropout", "(n, 8) -> (n, 8)", 0), ("Dense(3", "(n, 8) -> (n, 3)", 24)], strict=True,
    ):  # fmt: skip
        assert layer in line
        assert shapes in line
        assert line.endswith(f" {count}")
    assert lines[5].endswith(" 80")
    assert network.theta.size == 80


def test_the_summary_does_not_invent_what_it_cannot_know() -> None:
    lines = small().summary().splitlines()
    assert "(n, ?) -> (n, 3)" in lines[1]
    assert lines[1].endswith("?")
    assert "(n, 3) -> (n, 2)" in lines[2]
    assert lines[2].endswith(" 8")
    assert lines[-1].endswith("?")


def test_the_summary_of_a_large_network_has_commas() -> None:
    assert "785,000" in Network([Dense(1000)], loss=CrossEntropy(), n_in=784, seed=0).summary()


def test_the_repr_can_be_run() -> None:
    layers = [Dense(3, "tanh"), BatchNorm("relu"), Dropout(0.25), Dense(1, bias=False)]
    network = Network(layers, loss=SquaredError(half=True), regularizer=L2(0.5))
    again = eval(repr(network), vars(workings))
    assert (again.layers, again.loss, again.regularizers) == (network.layers, network.loss, network.regularizers)


# -- attributes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["layers", "loss", "regularizers", "rng", "n_in", "n_out", "dtype", "parameters", "statistics", "targets",
     "classes", "history", "edits", "is_fresh", "theta"],
)  # fmt: skip
def test_attributes_are_read_only(name: str) -> None:
    network = small(n_in=2)
    before = getattr(network, name)
    with pytest.raises(AttributeError):
        setattr(network, name, before)


# -- parameters -----------------------------------------------------------------------------


def test_parameters_are_views_of_theta() -> None:
    network = small(n_in=2)
    before = network.predict_proba(X)
    assert list(network.parameters) == ["W1", "b1", "W2", "b2"]
    assert {name: p.shape for name, p in network.parameters.items()} == {
        "W1": (2, 3), "b1": (3,), "W2": (3, 2), "b2": (2,),
    }  # fmt: skip
    assert all(np.shares_memory(p, network.theta) for p in network.parameters.values())
    network.parameters["W1"][...] = 0
    assert (network.theta[:6] == 0).all()
    assert not np.array_equal(network.predict_proba(X), before)
    network.theta[...] = 0
    assert np.array_equal(network.predict_proba(X), np.full((50, 2), 0.5))


def test_parameters_stay_views_after_training_and_stepping() -> None:
    network = small()
    network.fit(X, Y, optimizer=Adam(), epochs=2)
    network.step(X, Y, Adam())
    assert all(np.shares_memory(p, network.theta) for p in network.parameters.values())
    assert np.array_equal(np.concatenate([p.ravel() for p in network.parameters.values()]), network.theta)


def test_input_size_given_or_from_data() -> None:
    given, found = small(n_in=2), small()
    assert given.theta.size == 17
    assert found.theta.size == 0
    assert found.n_in is None
    for each in (given, found):
        each.step(X, Y, SGD(0.1))
    assert found.n_in == 2
    assert np.array_equal(given.theta, found.theta)


def test_width_of_the_output_where_the_last_layer_keeps_it() -> None:
    network = Network([Dense(3), BatchNorm()], loss=SquaredError(), seed=0)
    assert network.n_out == 3
    assert network.outputs.__self__ is network
    network.fit(X, np.zeros((50, 3)), optimizer=SGD(0.1), epochs=1)
    assert network.predict(X).shape == (50, 3)


def test_seeds_of_every_kind() -> None:
    assert np.array_equal(small(3, n_in=2).theta, small(np.random.default_rng(3), n_in=2).theta)
    assert np.array_equal(small(np.int64(3), n_in=2).theta, small(3, n_in=2).theta)
    old, same = (small(np.random.RandomState(3), n_in=2) for _ in range(2))
    assert np.array_equal(old.theta, same.theta)
    assert not np.array_equal(old.theta, small(4, n_in=2).theta)
    assert not np.array_equal(small(None, n_in=2).theta, small(None, n_in=2).theta)


def test_nothing_draws_from_global_state() -> None:
    np.random.seed(0)
    before = copy.deepcopy(np.random.get_state())
    small().fit(X, Y, optimizer=Adam(), epochs=1, validation=0.2)
    after = np.random.get_state()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_given_first_values_are_used_and_not_touched() -> None:
    W = np.arange(6.0).reshape(2, 3)
    network = Network([Dense(3, weights=W, biases="constant"), Dense(1)], loss=SquaredError(), seed=0, n_in=2)
    assert np.array_equal(network.parameters["W1"], W)
    network.fit(X, X[:, 0], optimizer=SGD(0.1), epochs=1)
    assert np.array_equal(W, np.arange(6.0).reshape(2, 3))


# -- many rows ------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropy(reduction="sum")], ids=["mean", "sum"])
def test_rows_taken_in_chunks_make_no_difference(loss: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network([Dense(4), BatchNorm("tanh"), Dense(2)], loss=loss, regularizer=L2(0.1), seed=0)
    network.fit(X, Y, optimizer=SGD(0.1), epochs=2)
    w = np.linspace(0.1, 2, 50)
    J, weighted, p = network.objective(X, Y), network.objective(X, Y, w), network.outputs(X)
    monkeypatch.setattr(workings.model.chunks, "CHUNK", 1)
    for rows in (1, 7, 50):
        monkeypatch.setattr(workings.model.chunks, "FEWEST_ROWS", rows)
        np.testing.assert_allclose(network.objective(X, Y), J, rtol=1e-13)
        np.testing.assert_allclose(network.objective(X, Y, w), weighted, rtol=1e-13)
        np.testing.assert_allclose(network.outputs(X), p, rtol=1e-13)
        assert network.predict(X).shape == (50,)


def test_the_order_of_rows_goes_through() -> None:
    network = small(n_in=2)
    order = np.random.default_rng(0).permutation(50)
    np.testing.assert_allclose(network.predict_proba(X[order]), network.predict_proba(X)[order], rtol=1e-13)
    np.testing.assert_allclose(network.objective(X[order], Y[order]), network.objective(X, Y), rtol=1e-13)


# -- the step and its trace -----------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [SGD(0.1), Momentum(0.1), Adam(0.01), Chain(ClipByNorm(0.1), Adam(0.01))])
def test_a_loop_of_steps_equals_fit(optimizer: Any) -> None:
    fitted, stepped = small(), small()
    fitted.fit(X, Y, optimizer=optimizer, epochs=7, batch_size=None)
    for _ in range(7):
        stepped.step(X, Y, optimizer)
    assert fitted.theta.tobytes() == stepped.theta.tobytes()


def test_another_optimizer_begins_with_a_state_of_its_own() -> None:
    one, other = small(), small()
    one.step(X, Y, Adam(0.5))
    other.step(X, Y, Adam(0.5))
    other.theta[...] = one.theta
    one.step(X, Y, Momentum(0.1))
    other.step(X, Y, SGD(0.1))
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-14)


def test_the_trace_has_the_names_of_the_alphabet() -> None:
    network = small()
    trace = network.trace(X, Y)
    wanted = {"X", "y", "n", "W1", "b1", "z1", "a1", "W2", "b2", "z2", "a2", "p", "losses", "J",
              "dz2", "dW2", "db2", "da1", "dz1", "dW1", "db1"}  # fmt: skip
    assert wanted <= set(trace)
    for name in ("W1", "b1", "z1", "a1", "W2", "b2", "z2"):
        assert np.shape(trace[f"d{name}"]) == np.shape(trace[name])
    assert trace["n"] == 50
    assert trace["p"].shape == (50, 2)
    assert np.shape(trace["J"]) == ()
    assert float(trace["J"]) == pytest.approx(network.objective(X, Y), rel=1e-13)
    np.testing.assert_allclose(trace["p"].sum(axis=1), 1, rtol=1e-13)


def test_a_trace_updates_nothing_and_a_step_tells_before_and_after() -> None:
    network = small(n_in=2)
    before = network.theta.copy()
    network.trace(X, Y)
    assert np.array_equal(network.theta, before)
    W1 = network.parameters["W1"].copy()
    trace = network.step(X, Y, SGD(0.1))
    assert np.array_equal(trace["W1"], W1)
    assert np.array_equal(trace.after["W1"], network.parameters["W1"])
    np.testing.assert_allclose(trace.after["W1"], W1 - 0.1 * trace["dW1"], rtol=1e-13)


def test_traces_and_programs_leave_the_chance_of_training_alone() -> None:
    looked_at, alone = (
        Network([Dense(20), Dropout(0.5), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2) for _ in range(2)
    )
    first = looked_at.trace(X, Y)["mask1"]
    assert set(np.unique(first)) == {0, 2}
    assert np.array_equal(first, looked_at.trace(X, Y)["mask1"])
    looked_at.program(SGD(0.1))
    looked_at.predict(X)
    for network in (looked_at, alone):
        network.fit(X, Y, optimizer=SGD(0.1), epochs=2)
    assert looked_at.theta.tobytes() == alone.theta.tobytes()


def test_steps_draw_new_masks() -> None:
    network = Network([Dense(20), Dropout(0.5), Dense(2)], loss=CrossEntropy(), seed=0)
    assert not np.array_equal(network.step(X, Y, SGD(0.1))["mask1"], network.step(X, Y, SGD(0.1))["mask1"])


def test_the_program_has_shapes_once_the_input_is_known() -> None:
    program = small(n_in=2).program(SGD(0.1))
    assert program["z1"].shape == ("n", 3)
    assert program["dW1"].shape == (2, 3)
    assert program["J"].shape == ()
    assert [s.target for s in program.stage("update")] == ["W1", "b1", "W2", "b2"]
    assert str(program["z1"]) == "z1 = X @ W1 + b1"


# -- predictions ----------------------------------------------------------------------------


def test_scores_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, r2_score

    w = np.linspace(0.1, 2, 50)
    network = small()
    network.fit(X, Y, optimizer=SGD(1.0), epochs=20)
    assert network.score(X, Y) == pytest.approx(accuracy_score(Y, network.predict(X)), rel=1e-14)
    assert network.score(X, Y, w) == pytest.approx(accuracy_score(Y, network.predict(X), sample_weight=w), rel=1e-14)
    numbers = Network([Dense(3, "tanh"), Dense(2)], loss=SquaredError(), seed=0)
    numbers.fit(X, X[:, ::-1], optimizer=SGD(0.1), epochs=20)
    assert numbers.score(X, X[:, ::-1]) == pytest.approx(r2_score(X[:, ::-1], numbers.predict(X)), rel=1e-12)
    assert numbers.score(X, X[:, ::-1], w) == pytest.approx(
        r2_score(X[:, ::-1], numbers.predict(X), sample_weight=w), rel=1e-12
    )


def test_one_hot_targets_score_as_labels_do() -> None:
    network = small()
    network.fit(X, Y, optimizer=SGD(1.0), epochs=5)
    assert network.score(X, np.eye(2)[Y]) == network.score(X, Y)
    assert network.objective(X, np.eye(2)[Y]) == network.objective(X, Y)


def test_probabilities_of_one_output_have_two_columns() -> None:
    network = Network([Dense(3, "tanh"), Dense(1)], loss=BinaryCrossEntropy(), seed=0)
    network.fit(X, np.array(["no", "yes"])[Y], optimizer=SGD(1.0), epochs=50)
    probabilities = network.predict_proba(X)
    assert probabilities.shape == (50, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert network.classes is not None
    assert np.array_equal(network.classes[probabilities.argmax(axis=1)], network.predict(X))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_a_copy_is_a_network_of_its_own(copied):
    network = Network([Dense(4, "tanh"), BatchNorm(), Dense(2)], loss=CrossEntropy(), seed=0)
    network.fit(X, Y, optimizer=SGD(0.1), epochs=2)
    again = copied(network)
    assert (again.predict_proba(X) == network.predict_proba(X)).all()
    before = network.theta.copy()
    again.fit(X, Y, optimizer=SGD(0.1), epochs=2)
    assert (network.theta == before).all()
    again.parameters["W1"][0, 0] = 7.0
    assert again.theta[0] == 7.0


def test_writing_to_a_parameter_writes_into_theta():
    network = Network([Dense(2, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    network.parameters["W1"] = np.arange(4.0).reshape(2, 2)
    assert network.theta[:4].tolist() == [0, 1, 2, 3]
    with pytest.raises(InputError, match=r"W1 has shape \(2, 2\); the new value has \(4,\)"):
        network.parameters["W1"] = np.arange(4.0)
    with pytest.raises(KeyError, match="Did you mean 'W1'"):
        network.parameters["w1"]


# -- the methods that other modules implement -------------------------------------------------


@pytest.mark.parametrize(("method", "module", "function"), [
    ("check_gradients", "checks.gradients", "check_gradients"), ("diagnose", "checks.doctor", "diagnose"),
    ("explain", "readings.explain", "explain"), ("equations", "readings.equations", "equations"),
    ("script", "readings.script", "script"), ("translate", "readings.translate.systems", "translate"),
    ("save", "files.safetensors", "save"), ("load", "files.safetensors", "load"), ("from_json", "files.json", "load"),
    ("from_onnx", "files.onnx_import", "load"), ("from_sklearn", "files.sklearn", "from_sklearn"),
    ("from_torch", "files.torch", "from_torch"), ("from_keras", "files.keras", "from_keras"),
])  # fmt: skip
def test_a_method_has_the_signature_of_its_function(method: str, module: str, function: str) -> None:
    def told(parameters: Any) -> list[tuple[str, Any, Any]]:
        return [(parameter.name, parameter.kind, parameter.default) for parameter in parameters]

    known = inspect.signature(getattr(importlib.import_module(f"workings.{module}"), function)).parameters.values()
    own = list(inspect.signature(getattr(Network, method)).parameters.values())
    is_static = inspect.ismethod(getattr(Network, method))  # a class method, whose function takes no network
    own = [one for one in own if one.name != "language"]  # the method chooses among the functions
    assert told(own if is_static else own[1:]) == told(list(known) if is_static else list(known)[1:])


def test_fit_names_every_setting_of_a_recipe() -> None:
    of_fit = inspect.signature(Network.fit).parameters
    of_recipe = inspect.signature(Recipe).parameters
    assert [name for name in of_fit if name in of_recipe] == list(of_recipe)
    assert {name: of_fit[name].default for name in of_recipe} == {name: p.default for name, p in of_recipe.items()}


# -- the validation share -------------------------------------------------------------------


def held_out(labels: Any, share: float, loss: Any = "CrossEntropy", **settings: Any) -> np.ndarray:
    """Return the numbers of the rows that ``fit`` holds out; X is the row's number."""
    y = np.asarray(labels)
    n_out = y.shape[1] if y.ndim > 1 else len(np.unique(y)) if loss == "CrossEntropy" else 1
    recipe = Recipe(SGD(0.1), 1, validation=share, **settings)
    network = Network([Dense(n_out)], loss=loss, seed=0)
    data = prepare(network, np.arange(len(y))[:, None] + 1.0, y, recipe)
    assert data.validation is not None
    found = np.concatenate([data.rows.X, data.validation.X])[:, 0] - 1
    kept = np.arange(len(y)) if "sample_weight" not in settings else np.flatnonzero(settings["sample_weight"])
    assert sorted(found) == kept.tolist()
    return data.validation.X[:, 0].astype(int) - 1


@pytest.mark.parametrize("seed", range(20))
def test_validation_rows_are_drawn_by_class_as_often_as_scikit_learn_draws_them(seed: int) -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    rng = np.random.default_rng(seed)
    names = np.array(["a", "b", "c", "d"])[: rng.integers(2, 5)]
    y = rng.permutation(np.concatenate([names, names, rng.choice(names, 60, p=rng.dirichlet(np.ones(len(names))))]))
    share = round(rng.uniform(0.15, 0.85), 2)
    rows = round(len(y) * share)
    ours = y[held_out(y, share)]
    theirs = selection.train_test_split(y, test_size=rows, stratify=y, random_state=seed)[1]
    for name in names:  # remainders that are equal are broken by chance in scikit-learn
        assert abs((ours == name).sum() - (theirs == name).sum()) <= 1
        assert abs((ours == name).sum() - rows * (y == name).mean()) < 1
    remainders = [rows * (y == name).sum() % len(y) for name in names]
    if len(set(remainders)) == len(names):
        assert [(ours == name).sum() for name in names] == [(theirs == name).sum() for name in names]


@pytest.mark.parametrize(("labels", "loss"), [
    ([0] * 90 + [1] * 10, "CrossEntropy"), (["no"] * 90 + ["yes"] * 10, "BinaryCrossEntropy"),
    ([True] * 90 + [False] * 10, "CrossEntropy"), (np.eye(2)[[0] * 90 + [1] * 10], "CrossEntropy"),
])  # fmt: skip
def test_every_kind_of_labels_is_drawn_by_class(labels: Any, loss: str) -> None:
    assert (held_out(labels, 0.2, loss) >= 90).sum() == 2


def test_a_class_of_one_row_stays_in_the_training_set() -> None:
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert 99 not in held_out([0] * 50 + [1] * 49 + [2], share)


def test_many_classes_of_one_row_do_not_take_the_rows_of_the_others() -> None:
    labels = np.concatenate([np.zeros(50, int), np.arange(1, 51)])
    held = held_out(labels, 0.5)
    assert (len(held), (labels[held] == 0).sum()) == (50, 25)


def test_numbers_and_several_labels_are_drawn_from_all_rows() -> None:
    y = np.repeat([0.0, 1.0], [90, 10])
    drawn = Network([Dense(1)], loss="SquaredError", seed=0, n_in=1).rng.permutation(100)[:20]
    assert held_out(y, 0.2, "SquaredError").tolist() == drawn.tolist()
    drawn = Network([Dense(2)], loss="BinaryCrossEntropy", seed=0, n_in=1).rng.permutation(100)[:20]
    assert held_out(np.stack([y, y], 1), 0.2, "BinaryCrossEntropy").tolist() == drawn.tolist()


@pytest.mark.parametrize("settings", [{}, {"class_weight": {0: 2.0}}])
def test_rows_of_weight_0_are_neither_trained_on_nor_validated_on(settings: dict[str, Any]) -> None:
    w = np.arange(50) % 3.0
    how = {"optimizer": Adam(0.05), "epochs": 4, "batch_size": 7, "validation": 0.3, "engine": "reference"}
    given, without = small(), small()
    history = given.fit(X, Y, sample_weight=w, **how, **settings)
    kept = w > 0
    other = without.fit(X[kept], Y[kept], sample_weight=w[kept], **how, **settings)
    assert given.theta.tobytes() == without.theta.tobytes()
    assert dict(history) == dict(other)


def test_one_row_with_a_weight_cannot_be_split() -> None:
    only = np.eye(1, 50, 7)[0]
    with pytest.raises(InputError, match="of 1 row with a weight above 0 leaves 0 to validate on"):
        small().fit(X, Y, optimizer=SGD(0.1), epochs=1, sample_weight=only, validation=0.5)


def test_a_trained_network_may_be_trained_on_rows_of_one_class() -> None:
    network = small()
    network.fit(X, Y, optimizer=SGD(0.1), epochs=1)
    before = network.predict_proba(X)[:, 1].mean()
    network.fit(X[Y == 1], Y[Y == 1], optimizer=SGD(0.1), epochs=3)
    assert network.predict_proba(X)[:, 1].mean() > before
    with pytest.raises(InputError, match="only one class"):
        small().fit(X[Y == 1], Y[Y == 1], optimizer=SGD(0.1), epochs=3)


@pytest.mark.parametrize("ask", [
    lambda network: network.score(X, Y), lambda network: network.objective(X, Y), lambda network: network.trace(X, Y),
    lambda network: network.check_gradients(X, Y), lambda network: network.explain(X, Y, optimizer=SGD(0.1)),
    lambda network: network.diagnose(X, Y), lambda network: network.explain(X, Y, why="W1[0,0]"),
])  # fmt: skip
@pytest.mark.parametrize("generator", [lambda: 0, lambda: np.random.RandomState(0), lambda: np.random.default_rng(3)])
def test_a_question_does_not_change_a_network_without_parameters(ask: Any, generator: Any) -> None:
    asked, other = small(generator()), small(generator())
    ask(asked)
    assert (asked.n_in, len(asked.parameters), asked.classes) == (None, 0, None)
    for each in (asked, other):
        each.fit(X, Y, optimizer=SGD(0.1), epochs=1)
    assert asked.theta.tobytes() == other.theta.tobytes()


def test_a_question_is_answered_for_the_parameters_that_training_begins_with() -> None:
    network = small(None)
    asked = network.objective(X, Y)
    history = network.fit(X, Y, optimizer=SGD(0.1), epochs=1, batch_size=None)
    assert asked == pytest.approx(history["loss"][0], rel=1e-12)


# -- arrays that are read-only, and NumPy's numbers -------------------------------------------


def mapped(network: Network, path: Path) -> Network:
    """Return the network with arrays that joblib maps from a file, as its parallel workers do."""
    joblib = pytest.importorskip("joblib")
    joblib.dump(network, path)
    found: Network = joblib.load(path, mmap_mode="r")
    return found


@pytest.mark.parametrize("optimizer", [SGD(0.1), Adam(), LBFGS()])
@pytest.mark.parametrize("engine", ["reference", "auto"])
def test_a_network_with_read_only_arrays_trains_as_any_other(optimizer: Any, engine: str, tmp_path: Path) -> None:
    layers = [Dense(3, "tanh"), Dense(2)] if isinstance(optimizer, LBFGS) else [Dense(3), BatchNorm("tanh"), Dense(2)]
    networks = [Network(layers, loss=CrossEntropy(), seed=0, n_in=2) for _ in range(2)]
    networks[1] = mapped(networks[1], tmp_path / "network")
    for each in networks:
        each.fit(X, Y, optimizer=optimizer, epochs=3, batch_size=None, engine=engine)
    for each in networks if not isinstance(optimizer, LBFGS) else ():
        each.step(X, Y, optimizer)
    networks[0].parameters["b1"] = networks[1].parameters["b1"] = 0.5
    networks[0].parameters["W1"][0, 0] = networks[1].parameters["W1"][0, 0] = 0.25
    assert networks[0].theta.tobytes() == networks[1].theta.tobytes()
    assert networks[0].predict(X).tolist() == networks[1].predict(X).tolist()


def test_read_only_data_are_taken() -> None:
    arrays = [X.copy(), Y.copy(), np.linspace(0, 1, 50)]
    for array in arrays:
        array.flags.writeable = False
    inputs, labels, w = arrays
    network = small()
    network.fit(inputs, labels, optimizer=Adam(), epochs=2, validation=0.2, sample_weight=w)
    network.step(inputs, labels, SGD(0.1), sample_weight=w)
    assert network.score(inputs, labels, w) >= 0


NUMBERS = [np.float64, np.array, lambda value: np.asarray(value)[()], lambda value: np.float32(value)]
WHOLE_NUMBERS = [np.int64, np.uint8, np.array]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("make", [
    lambda x: SGD(x), lambda x: Adam(x, beta1=x, eps=x), lambda x: ClipByNorm(x), lambda x: Chain(Decay(x), SGD(x)),
    lambda x: Exponential(x, factor=x), lambda x: Step(x, every=2, factor=x), lambda x: WarmUp(x, steps=3),
    lambda x: OnPlateau(x, min_delta=x, min_lr=x), lambda x: Dropout(x), lambda x: BatchNorm(momentum=x),
    lambda x: L2(x), lambda x: Huber(delta=x), lambda x: CrossEntropy(label_smoothing=x), lambda x: LBFGS(tolerance=x),
    lambda x: EarlyStopping(min_delta=x).settings(),
])  # fmt: skip
def test_numbers_of_numpy_become_pythons(make: Any, number: Any) -> None:
    assert repr(make(number(0.5))) == repr(make(0.5))


@pytest.mark.parametrize("whole", WHOLE_NUMBERS)
@pytest.mark.parametrize("make", [
    lambda n: Dense(n), lambda n: Step(0.1, every=n), lambda n: Cosine(0.1, steps=n), lambda n: WarmUp(0.1, steps=n),
    lambda n: OnPlateau(0.1, patience=n), lambda n: LBFGS(memory=n, evaluations=n), lambda n: SGD(n), lambda n: L2(n),
    lambda n: EarlyStopping(patience=n).settings(), lambda n: Checkpoint("run", every=n).every,
    lambda n: Recipe(SGD(0.1), n, n).summary(), lambda n: small(n, n_in=n).theta.tolist(),
    lambda n: Snapshots(every=n, count=n).every, lambda n: Recipe(SGD(1), 1, class_weight={0: n}).summary(),
    lambda n: small(0).build(n).n_in,
])  # fmt: skip
def test_whole_numbers_of_numpy_become_pythons(make: Any, whole: Any) -> None:
    assert repr(make(whole(3))) == repr(make(3))


@pytest.mark.parametrize("refused", [np.bool_(True), np.array([3]), np.float64(2.5), np.array(2.5), "3", np.str_("3")])
def test_what_is_no_whole_number_is_refused(refused: Any) -> None:
    for make in (lambda n: EarlyStopping(patience=n), lambda n: Checkpoint("run", every=n), lambda n: Dense(n),
                 lambda n: Recipe(SGD(0.1), n), lambda n: Step(0.1, every=n), lambda n: small(n_in=n)):  # fmt: skip
        with pytest.raises(InputError, match=r"whole number"):
            make(refused)


@pytest.mark.parametrize("flag", [np.bool_, np.array])
def test_numpys_booleans_and_words_are_saved_as_plain_values(flag: Any, tmp_path: Path) -> None:
    layers = [Dense(np.int64(3), np.str_("tanh"), bias=flag(False)), Dropout(np.float32(0.25)), Dense(np.array(1))]
    network = Network(layers, loss=SquaredError(half=flag(True)), regularizer=L2(np.float32(0.5)), seed=0, n_in=2)
    plain = [Dense(3, "tanh", bias=False), Dropout(0.25), Dense(1)]
    expected = Network(plain, loss=SquaredError(half=True), regularizer=L2(0.5), seed=0, n_in=2)
    assert repr(network) == repr(expected)
    paths = [each.save(tmp_path / f"{number}.safetensors") for number, each in enumerate((network, expected))]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    how: dict[str, Any] = {"optimizer": SGD(np.float32(0.5)), "epochs": np.int32(3), "batch_size": np.array(8)}
    history = network.fit(X, X[:, 0], shuffle=flag(False), running_loss=flag(True), validation=np.float32(0.25), **how)
    other = expected.fit(X, X[:, 0], optimizer=SGD(0.5), epochs=3, batch_size=8, shuffle=False, running_loss=True,
                         validation=0.25)  # fmt: skip
    assert dict(history) == dict(other)
    assert history.settings["shuffle"] is False


# -- names that people know from other libraries ----------------------------------------------

FIT: dict[str, Any] = {"optimizer": SGD(0.1), "epochs": 1}
MEANT: dict[str, tuple[Any, str]] = {
    "moons(n_samples)": (lambda: moons(n_samples=10), "Did you mean 'n'?"),
    "circles(random_state)": (lambda: circles(random_state=1), "Did you mean 'seed'?"),
    "SGD(momentum)": (lambda: SGD(0.1, momentum=0.9), "Use Momentum(lr, momentum=0.9)"),
    "SGD(weight_decay)": (lambda: SGD(0.1, weight_decay=0.1), "Chain(Decay(weight_decay), SGD(lr))"),
    "SGD(clipnorm)": (lambda: SGD(0.1, clipnorm=1.0), "Chain(ClipByNorm(1.0), optimizer)"),
    "Momentum(nesterov)": (lambda: Momentum(0.1, nesterov=True), "Use Nesterov"),
    "Adam(learning_rate)": (lambda: Adam(learning_rate=0.1), "Did you mean 'lr'?"),
    "Adam(beta_1)": (lambda: Adam(beta_1=0.9), "Did you mean 'beta1'?"),
    "Adam(betas)": (lambda: Adam(betas=(0.9, 0.99)), "Did you mean 'beta"),
    "LBFGS(history_size)": (lambda: LBFGS(history_size=5), "Did you mean 'memory'?"),
    "Freeze(names)": (lambda: Freeze(names=["b1"]), "Freeze has no parameter 'names'."),
    "fit(validation_split)": (lambda: small().fit(X, Y, validation_split=0.2, **FIT), "Did you mean 'validation'?"),
    "fit(verbose)": (lambda: small().fit(X, Y, verbose=1, **FIT), "Use callbacks=[Progress()]"),
    "fit(n_epochs)": (lambda: small().fit(X, Y, n_epochs=2), "Did you mean 'epochs'?"),
    "fit(max_iter)": (lambda: small().fit(X, Y, max_iter=2), "Did you mean 'epochs'?"),
    "fit(lr)": (lambda: small().fit(X, Y, lr=0.1, **FIT), "Use lr= of the optimizer"),
    "fit(patience)": (lambda: small().fit(X, Y, patience=3, **FIT), "EarlyStopping(patience=10)"),
    "fit(validation_data)": (lambda: small().fit(X, Y, validation_data=(X, Y), **FIT), "Did you mean 'validation'?"),
    "script(n_epochs)": (lambda: small().script(optimizer=SGD(0.1), n_epochs=2), "Did you mean 'epochs'?"),
    "L2(alpha)": (lambda: L2(alpha=0.1), "Did you mean 'lam'?"),
    "L2(weight_decay)": (lambda: L2(weight_decay=0.1), "Did you mean 'lam'?"),
    "Dense(kernel_initializer)": (lambda: Dense(3, kernel_initializer="zeros"), "Did you mean 'weights'?"),
    "Dense(n_units)": (lambda: Dense(n_units=3), "Did you mean 'units'?"),
    "Dense(use_bias)": (lambda: Dense(3, use_bias=False), "Did you mean 'bias'?"),
    "Dropout(p)": (lambda: Dropout(p=0.3), "Did you mean 'rate'?"),
    "Network(optimizer)": (lambda: small(optimizer="adam"), "Use optimizer= of fit"),
    "Network(random_state)": (lambda: small(random_state=0), "Did you mean 'seed'?"),
    "Huber(epsilon)": (lambda: Huber(epsilon=1.0), "Did you mean 'delta'?"),
    "Cosine(T_max)": (lambda: Cosine(0.1, T_max=5), "Did you mean 'steps'?"),
    "EarlyStopping(n_iter_no_change)": (lambda: EarlyStopping(n_iter_no_change=3), "Did you mean 'patience'?"),
    "EarlyStopping(restore_best_weights)": (lambda: EarlyStopping(restore_best_weights=True), "are always restored"),
    "Checkpoint(save_freq)": (lambda: Checkpoint("run", save_freq=3), "Did you mean 'every'?"),
    "loss": (lambda: Network([Dense(1)], loss="mse"), "Did you mean 'SquaredError'?"),
    "crossentropy": (lambda: Network([Dense(2)], loss="categorical_crossentropy"), "Did you mean 'CrossEntropy'?"),
    "activation": (lambda: Dense(1, "linear"), "called 'identity' here"),
    "initializer": (lambda: Dense(1, weights="xavier_uniform"), "Did you mean 'glorot_uniform'?"),
    "metric": (lambda: Recipe(SGD(0.1), 1, metrics=["mse"]), "Did you mean 'mean_squared_error'?"),
}  # fmt: skip


@pytest.mark.parametrize("name", MEANT)
def test_a_name_of_another_library_is_answered_with_ours(name: str) -> None:
    make, message = MEANT[name]
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)
    assert isinstance(caught.value, TypeError) == ("(" in name), "as Python raises it for an unknown keyword"


def test_signatures_stay_as_they_are_written() -> None:
    assert list(inspect.signature(SGD).parameters) == ["lr"]
    assert list(inspect.signature(Dense).parameters) == ["units", "activation", "bias", "weights", "biases"]
    assert next(iter(inspect.signature(Network).parameters)) == "layers"
    assert list(inspect.signature(Network.fit).parameters)[:4] == ["self", "X", "y", "optimizer"]
    assert Network.fit.__doc__ is not None
    assert Network.fit.__doc__.startswith("Train the network")


def test_classes_of_ones_own_take_their_own_keywords() -> None:
    class Mine(Callback):
        def __init__(self, *, learning_rate: float, **more: Any) -> None:
            self.learning_rate, self.more = learning_rate, more

    class Plain(Callback):
        pass

    assert Mine(learning_rate=3, verbose=1).more == {"verbose": 1}
    with pytest.raises(InputError, match="Plain has no parameter 'verbose'"):
        Plain(verbose=1)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="Plain was called with 1 arguments without a name, but takes no such"):
        Plain(1)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="Mine needs learning_rate"):
        Mine()  # type: ignore[call-arg]


def documented_methods() -> list[Any]:
    """The methods that the documentation calls: each takes a misspelt name, without an object if it needs one."""
    sklearn = importlib.import_module("workings.sklearn")
    classes = (Network, Ensemble, History, sklearn.TableClassifier, sklearn.TableRegressor, sklearn.MLPClassifier)
    folder = Path(__file__).parent.parent
    docs = "".join(page.read_text() for page in [folder / "README.md", *sorted((folder / "docs").glob("*.md"))])
    found = []
    for owner in classes:
        for name in sorted(vars(owner).keys() | {name for base in owner.__mro__[1:3] for name in vars(base)}):
            method = getattr(owner, name)
            is_wrapped = name == "transform"  # by scikit-learn, whose wrapper takes any argument
            if f".{name}(" in docs and not is_wrapped and str(getattr(method, "__module__", "")).startswith("workings"):
                found.append(pytest.param(method, id=f"{owner.__name__}.{name}"))
    return found


@pytest.mark.parametrize("method", documented_methods())
def test_every_documented_method_names_a_misspelt_argument(method: Any) -> None:
    given = () if inspect.ismethod(method) else (None,)
    with pytest.raises(KeywordError, match=r"(?s)'misspelt'|needs"):
        method(*given, misspelt=1)


RECORDS = [
    kind
    for kind in vars(tables).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind is not tables.TableStream
]


@pytest.mark.parametrize(
    "function", [accuracy, r2, mean_squared_error, mean_absolute_error, files.safetensors.load, *RECORDS]
)
def test_functions_and_records_of_tables_name_a_misspelt_argument(function: Any) -> None:
    with pytest.raises(KeywordError, match="'misspelt'"):
        function(misspelt=1)


def given_twice() -> Any:
    return Dense(3, units=4)  # type: ignore[misc]


INCOMPLETE: dict[str, tuple[Any, str]] = {
    "Dense()": (Dense, "Dense needs units."),
    "SGD()": (SGD, "SGD needs lr. It has: lr."),
    "Network()": (Network, "Network needs layers and loss."),
    "Cosine(0.1)": (lambda: Cosine(0.1), "Cosine needs steps."),
    "Dense(3, …)": (lambda: Dense(3, "relu", True, None), "with 4 arguments without a name, but takes at most 2"),
    "Dense(3, units=4)": (given_twice, "Dense was given 'units' twice: by its place, and by its name."),
    "fit()": (lambda: small().fit(), "fit needs X and y and optimizer and epochs."),
    "fit(X, y)": (lambda: small().fit(X, Y), "fit needs optimizer and epochs."),
    "fit(X, y, optimizer, 3)": (lambda: small().fit(X, Y, SGD(0.1), 3), "takes at most 2 arguments without a name"),
    "predict()": (lambda: small().predict(), "predict needs X."),
    "score(X)": (lambda: small().score(X), "score needs y."),
    "predict(x)": (lambda: small().predict(x=X), "Did you mean 'X'?"),
    "Network.load()": (lambda: Network.load(), "load needs path."),
    "files.save(filepath)": (lambda: files.save(small(), filepath="a.json"), "save needs path."),
    "files.load(filename)": (lambda: files.load(filename="a.json"), "load needs path."),
    "files.load(strict)": (lambda: files.load("a.json", strict=True), "load has no parameter 'strict'."),
    "plots.curves(smooth)": (lambda: plots.curves({"loss": [1.0]}, smooth=1), "curves has no parameter 'smooth'."),
    "plots.boundary(model)": (lambda: plots.boundary(small()), "boundary needs X and y."),
    "plots.save(figure)": (lambda: plots.save("a", filename="b"), "Did you mean 'path'?"),
}  # fmt: skip


# Objects that the library makes and hands to people; the targets of a table and its columns are such objects, too.
RESULTS = {"Diagnosis", "Finding", "History", "Program", "Statement", "Trace", "CategoryColumn", "ClassTarget",
           "LabelsTarget", "NumberColumn", "NumberTarget", "RateFactors"}  # fmt: skip
CALLED = [
    pytest.param(getattr(module, name), id=f"{module.__name__}.{name}")
    for module in (workings, plots, tables)
    for name in module.__all__
    if callable(getattr(module, name)) and name not in RESULTS and not name.endswith(("Error", "Warning"))
]


@pytest.mark.parametrize("public", CALLED)
def test_every_public_call_names_an_unknown_argument(public: Any) -> None:
    with pytest.raises(InputError, match="has no parameter 'no_such_thing'"):
        public(no_such_thing=1)


@pytest.mark.parametrize("name", INCOMPLETE)
def test_a_call_with_wrong_arguments_says_what_is_missing(name: str) -> None:
    make, message = INCOMPLETE[name]
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)
    assert isinstance(caught.value, TypeError)


def test_a_type_error_within_a_call_stays_as_it_is() -> None:
    class Failing(Callback):
        def __init__(self, *, number: int) -> None:
            len(number)  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="has no len") as caught:
        Failing(number=3)
    assert not isinstance(caught.value, InputError)


def test_copies_need_no_arguments() -> None:
    dense = Dense(3, "tanh")
    assert pickle.loads(pickle.dumps(dense)) == copy.deepcopy(dense) == dense == dataclasses.replace(dense, units=3)


def test_a_warning_names_the_line_of_the_user() -> None:
    with pytest.warns(WorkingsWarning, match="applies its own") as caught:
        Network([Dense(2, "sigmoid")], loss=CrossEntropy(), seed=0)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("rate", ["0.1", None, np.array([0.1]), -0.1, float("nan"), float("inf"), True, 1j])
def test_a_schedule_that_returns_no_number_is_refused(rate: Any) -> None:
    with pytest.raises(InputError, match=r"gives the learning rate .* at step 0: it must be positive"):
        small().fit(X, Y, optimizer=SGD(lambda t: rate), epochs=1, engine="reference")
    with pytest.raises(InputError, match="gives the learning rate"):
        small().step(X, Y, SGD(lambda t: rate))


@pytest.mark.parametrize("rate", [np.float32(0.125), np.array(0.125), np.float64(0.125), 0.125])
def test_a_schedule_may_return_numpys_numbers(rate: Any) -> None:
    network, other = small(), small()
    history = network.fit(X, Y, optimizer=SGD(lambda t: rate), epochs=2)
    other.fit(X, Y, optimizer=SGD(0.125), epochs=2)
    assert history["lr"] == [0.125, 0.125]
    assert network.theta.tobytes() == other.theta.tobytes()


def test_the_history_says_that_no_epoch_is_recorded_yet() -> None:
    class Ask(Callback):
        def on_epoch_begin(self, training: Any) -> None:
            training.history["loss"]

    with pytest.raises(KeyError, match="No epoch is recorded yet"):
        small().fit(X, Y, callbacks=[Ask()], **FIT)
