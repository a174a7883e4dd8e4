"""The doctor: what it says of the experiments and of healthy networks, and that its advice can be followed."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workings import (
    L2,
    SGD,
    AbsoluteError,
    Activation,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    Chain,
    ClipByNorm,
    ClipPredictions,
    CrossEntropy,
    Dense,
    Diagnosis,
    DivergenceError,
    Dropout,
    EarlyStopping,
    Freeze,
    Huber,
    InputError,
    Momentum,
    Network,
    NTKDense,
    Poisson,
    Scale,
    SquaredError,
    WorkingsWarning,
)
from workings.checks.curvature import sharpness
from workings.checks.doctor import diagnose_alone
from workings.checks.evidence import Case
from workings.checks.findings import KINDS
from workings.checks.known_training import known_training
from workings.checks.rates import rate_of, with_rate
from workings.checks.simpler_models import check_linear_baseline
from workings.checks.training_progress import check_overfitting
from workings.datasets import circles, mnist, moons
from workings.experiments import mnist as mnist_experiment
from workings.experiments import moons as moons_experiment
from workings.initializers import Normal
from workings.museum.code_mistakes import CODE_MISTAKES
from workings.museum.mistakes import MISTAKES, both
from workings.museum.rooms import ROOMS, rooms_for, train
from workings.regularizers import L2PerRow
from workings.schedules import Cosine, CosineLog, Exponential, FlatCosine, OnPlateau, WarmUp

PAGE = (Path(__file__).parents[1] / "docs" / "doctor.md").read_text(encoding="utf-8")


# -- the experiments ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def edge() -> Diagnosis:
    task = moons_experiment.task()
    history = task.train()
    return task.network.diagnose(task.X, task.y, history)


def test_the_moons_experiment_is_at_the_edge_of_stability(edge):
    assert edge.names == ("edge-of-stability",)
    assert not edge.ok
    assert re.search(r"between 0\.07075\d+ and 0\.0713\d+ from step to step", edge.findings[0].measured)
    ends = re.search(r"curvature is (\S+) at one end and (\S+) at the other", edge.findings[0].measured).groups()
    assert [float(end) for end in ends] == [pytest.approx(171.8, abs=1), pytest.approx(230.9, abs=1)]


def test_the_largest_rate_that_settles_is_just_that(edge):
    rate = float(re.search(r"largest learning rate that settles is (\S+)\.$", edge.findings[0].measured)[1])
    task = moons_experiment.task()
    network = task.network
    settled = network.fit(task.X, task.y, optimizer=SGD(0.95 * rate), epochs=20_000, batch_size=None)
    assert np.ptp(settled["loss"][-50:]) < 1e-7
    network.theta[...] += 1e-6  # on the bottom itself no step leads away
    unsettled = network.fit(task.X, task.y, optimizer=SGD(1.1 * rate), epochs=6000, batch_size=None)
    assert (np.diff(unsettled["loss"][-50:]) > 1e-6).sum() > 15


def test_the_weights_of_the_mnist_design_are_too_large_at_the_start():
    data = mnist_experiment.prepare(mnist("sample"), 0)
    network = mnist_experiment.designed_network(0)
    diagnosis = network.diagnose(data.X[:1000], data.y[:1000], optimizer=SGD(0.1))
    assert diagnosis.names == ("weights-too-large",)
    (gain,) = re.findall(r"√784 · rms\(W1\) is (\S+) at", diagnosis.findings[0].measured)
    assert float(gain) == pytest.approx(np.sqrt(784) * 0.5, rel=0.02)  # 0.5·randn


def numbers() -> tuple[np.ndarray, np.ndarray]:
    room = ROOMS["hills"](7)
    return room.X, room.y


def counts() -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(7).uniform(-1, 1, (300, 2))
    return X, np.random.default_rng(8).poisson(np.exp(1 + X[:, 0] + X[:, 1] ** 2)).astype(float)


@pytest.mark.parametrize(
    ("data", "layers", "loss", "settings"),
    [
        (moons(seed=7), [Dense(8, "tanh"), Dense(2)], CrossEntropy(), {"optimizer": SGD(0.5), "epochs": 2000}),
        (circles(seed=7), [Dense(16), BatchNorm("relu"), Dropout(0.1), Dense(1)], BinaryCrossEntropy(),
         {"optimizer": Adam(0.01), "epochs": 150, "batch_size": 32}),
        (numbers(), [Dense(24, "tanh"), Dense(1)], SquaredError(),
         {"optimizer": Momentum(0.02), "epochs": 200, "batch_size": 32}),
        (counts(), [Dense(16, "tanh"), Dense(1)], Poisson(),
         {"optimizer": Adam(0.01), "epochs": 100, "batch_size": 32}),
    ],
    ids=["moons", "circles", "hills", "counts"],
)  # fmt: skip
def test_of_healthy_networks_it_says_that_nothing_is_wrong(data, layers, loss, settings):
    network = Network(layers, loss=loss, seed=7)
    before = network.build(2).theta.copy()
    assert str(network.diagnose(*data, optimizer=settings["optimizer"])).startswith(
        "The checks found nothing. Checked: "
    )
    assert (network.theta == before).all()
    history = network.fit(*data, **{"batch_size": None, **settings})
    after, state = network.theta.copy(), str(network.rng.bit_generator.state)
    diagnosis = network.diagnose(*data, history)
    assert diagnosis.names == ()
    assert "The checks found nothing" in str(diagnosis)
    assert "ten rows" in str(diagnosis)
    assert (network.theta == after).all()
    assert str(network.rng.bit_generator.state) == state


# -- the museum ------------------------------------------------------------------------------


FIRST_OF_EACH = {mistake.finding: name for name, mistake in reversed(MISTAKES.items())}
# Of these, the ones whose advice is tried in so many trainings that they take seconds; `make test-slow` runs them.
MANY_TRIALS = {
    "deep-sigmoids", "deep-randn", "unfinished-warm-up", "uphill", "constant-column", "unscaled-targets",
    "mean-over-rows", "small-rate", "rate-decayed-away", "narrow-middle", "batches-of-two", "heavy-penalty",
    "range-test-left-on", "no-activation", "numbers-as-classes", "dead-relus", "small-weights", "large-eps",
    "broadcast-targets", "large-rate", "too-many-parameters", "uint8-overflow", "zero-weights", "shuffled-labels",
    "squashed-numbers", "softmax-axis",
}  # fmt: skip


def is_quick(name):
    return FIRST_OF_EACH[MISTAKES[name].finding] == name and name not in MANY_TRIALS


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if is_quick(name) else pytest.mark.slow) for name in MISTAKES],
)
def test_every_mistake_is_found_and_named_and_the_advice_runs(name):
    mistake = MISTAKES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkingsWarning)  # the library warns of some by itself
        wrong = train(both(mistake, ROOMS[rooms_for(mistake)[0]](5))[0])
        assert mistake.is_named_by(wrong.diagnosis), str(wrong.diagnosis)
        for finding in wrong.diagnosis.findings:
            assert finding.severity in (KINDS[finding.name].severity, "advice", "note")
            assert finding.measured in str(wrong.diagnosis)
            once = re.sub(r"epochs=\d+", "epochs=1", finding.change)
            names = {"net": wrong.network, "X": wrong.setup.X, "y": wrong.setup.y}
            try:
                exec(once, names)
            except DivergenceError:  # only where the mistake itself is still there
                assert mistake.place in ("statement", "data", "training")


def test_there_are_at_least_twenty_mistakes_and_each_has_its_source_and_three_rooms():
    assert len(MISTAKES) >= 20
    for mistake in MISTAKES.values():
        assert mistake.finding in KINDS
        assert set(mistake.also) <= KINDS.keys()
        assert len(rooms_for(mistake)) >= 3
        assert len(mistake.source) > 10
        assert mistake.mend
    assert {mistake.place for mistake in MISTAKES.values()} == {"statement", "data", "settings", "training"}


def test_mistakes_of_the_program_change_its_statements_by_syntax():
    def wrong(name: str, room: str) -> dict[str, str]:
        return dict(both(MISTAKES[name], ROOMS[room](0))[0].edits())

    assert wrong("bias-summed-up", "moons")["db1"] == "dz1.sum()"
    assert wrong("softmax-axis", "digits")["p"] == "e / e.sum(axis=0, keepdims=True)"
    assert wrong("slope-of-wrong-argument", "circles")["dz1"] == "da1 * (1 - z1**2)"
    assert wrong("first-layer-frozen", "moons") == {"W1": "W1", "b1": "b1"}
    assert wrong("weights-not-transposed", "moons") == {"da1": "dz2 @ W2"}


def test_the_mistakes_do_harm():
    wrong, right = map(train, both(MISTAKES["forgotten-derivative"], ROOMS["moons"](0)))
    assert wrong.score < right.score - 0.05
    assert right.diagnosis.names == ()


def test_the_page_lists_every_finding_and_every_mistake():
    for name in (*KINDS, *MISTAKES, *CODE_MISTAKES):
        assert re.search(rf"^\| {name} \|", PAGE, re.MULTILINE), name
    for name in KINDS:
        assert len(re.findall(rf"^\| {name} \|", PAGE, re.MULTILINE)) >= 2, f"{name}: what it measures, and its rates"


def test_the_published_rates_are_within_reach():
    (named,) = re.findall(r"found and named in \*\*[\d,]+ \(([\d.]+)%\)", PAGE)
    (alarms,) = re.findall(r"any finding, problem or advice, in \*\*[\d,]+ \(([\d.]+)%\)", PAGE)
    assert float(named) >= 95
    assert float(alarms) <= 2


# -- single findings ------------------------------------------------------------------------


def names_of(network: Network, X: np.ndarray, y: np.ndarray, **settings: object) -> tuple[str, ...]:
    return network.diagnose(X, y, **settings).names


def small(**settings: object) -> Network:
    return Network([Dense(8, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0, **settings)


def test_a_divergence_is_told_with_the_name_that_was_not_finite():
    X, y = moons()
    network = Network([Dense(8, "relu"), Dense(1)], loss=SquaredError(), seed=0)
    with pytest.raises(DivergenceError) as caught:
        network.fit(X, y.astype(float), optimizer=SGD(100.0), epochs=200)
    diagnosis = network.diagnose(X, y.astype(float), caught.value.history)
    assert "learning-rate-too-large" in diagnosis.names
    assert caught.value.name in caught.value.history.stopped


def test_columns_of_zeros_are_let_pass():
    X, y = moons()
    assert names_of(small(), np.column_stack([X, np.zeros(200)]), y) == ()
    assert names_of(small(), np.column_stack([X, np.ones(200)]), y) == ("constant-column",)


def test_of_few_rows_it_says_that_they_can_tell_little():
    X, y = moons()
    network = Network([Dense(4, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    network.fit(X, y, optimizer=SGD(0.5), epochs=20)
    assert "only 1 row, too few for reliable checks" in str(network.diagnose(X[:1], y[:1]))
    assert "too few for reliable checks" not in str(network.diagnose(X, y))


def test_a_second_fit_is_not_taken_for_a_beginning():
    X, y = moons()
    network = small()
    first = network.fit(X, y, optimizer=SGD(0.5), epochs=20, batch_size=None)
    second = network.fit(X, y, optimizer=SGD(0.5), epochs=20, batch_size=None)
    assert first.begun.keys() == network.parameters.keys()
    assert second.begun == {}


def test_labels_may_be_words_and_histories_dicts():
    X, y = moons()
    words = np.array(["left", "right"])[y]
    network = small()
    history = network.fit(X, words, optimizer=SGD(0.5), epochs=1000, batch_size=None)
    assert network.diagnose(X, words, dict(history)).names == ()
    assert network.diagnose(X, words).names == ()


def test_shuffled_labels_are_told_from_hard_ones():
    X, y = moons(noise=0.3)
    assert names_of(small(), X, np.random.default_rng(1).permutation(y)) == ("unrelated-labels",)
    assert names_of(small(), X, y) == ()


@pytest.mark.parametrize("seed", range(5, 9))
def test_a_network_that_has_learned_had_no_rate_too_large(seed):
    X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.0, 1, 1, 0])
    network = Network([Dense(3, "sigmoid"), Dense(1)], loss=SquaredError(), seed=seed)
    history = network.fit(X, y, optimizer=SGD(0.5), batch_size=1, epochs=3000)
    assert network.score(X, y) > 0.99
    assert network.diagnose(X, y, history).ok


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(InputError, match="optimizer must be"):
        small().diagnose(*moons(), optimizer="adam")


def test_without_data_only_program_and_layers_are_looked_at():
    diagnosis = diagnose_alone(small(n_in=2))
    assert diagnosis.ok
    assert "random" in str(diagnosis)
    assert diagnose_alone(small(n_in=2).replacing("dz1", "da1")).names == ("wrong-gradient",)


def test_the_html_of_a_diagnosis_escapes_what_it_shows():
    html = small(n_in=2).replacing("db1", "dz1.sum()").diagnose(*moons())._repr_html_()
    assert "wrong-gradient" in html
    assert "<pre>" in html


# -- what is meant to be so ------------------------------------------------------------------


@pytest.mark.parametrize("names", [("W1", "b1"), ("b1",), ("W2",)])
def test_parameters_frozen_on_purpose_are_no_finding(names):
    X, y = moons()
    network = small()
    history = network.fit(X, y, optimizer=Chain(Freeze(*names), Adam(0.01)), epochs=200, check=True)
    assert history.diagnosis.names == ()
    diagnosis = network.diagnose(X, y, history)
    assert not {"frozen-parameter", "learning-rate-too-small"} & set(diagnosis.names)


def test_a_smaller_rate_keeps_what_is_frozen():
    X, y = moons()
    network = small()
    history = network.fit(X, y, optimizer=Chain(Freeze("W1"), SGD(1e4)), epochs=5, batch_size=None)
    changes = "\n".join(finding.change for finding in network.diagnose(X, y, history))
    assert "Chain(Freeze('W1'), SGD(lr=" in changes


@pytest.mark.slow
def test_class_imbalance_is_not_said_of_classes_that_were_given_weights():
    X, y = moons()
    kept = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:6]]
    X, y = X[kept], y[kept]
    for settings in ({"class_weight": "balanced"}, {"class_weight": {0: 1, 1: 9}}, {"sample_weight": 1 + 8.0 * y}):
        network = small()
        history = network.fit(X, y, optimizer=Adam(0.01), epochs=100, **settings)
        assert "class-imbalance" not in network.diagnose(X, y, history).names
    (finding,) = (f for f in small().diagnose(X, y, optimizer=Adam(0.01)) if f.name == "class-imbalance")
    assert (finding.severity, "class_weight='balanced'" in finding.change) == ("advice", True)
    network = small()
    history = network.fit(X, y, optimizer=Adam(0.01), epochs=100)
    (finding,) = (f for f in network.diagnose(X, y, history) if f.name == "class-imbalance")
    assert (finding.severity, "class weights take" in finding.measured) == ("note", True), "six rows show little"
    after(finding.change, network, X, y)


def test_a_class_that_was_given_no_weight_is_predicted_after_the_advice():
    X, y = moons()
    network = small()
    history = network.fit(X, y, optimizer=Adam(0.01), epochs=100, class_weight={1: 1e-6})
    (finding,) = (f for f in network.diagnose(X, y, history) if f.name == "class-never-predicted")
    assert "class_weight='balanced'" in finding.change
    exec(finding.change, {"net": network, "X": X, "y": y})
    assert network.score(X, y) > 0.8


def test_losses_of_counts_have_no_zero_to_start_near():
    X = np.random.default_rng(7).uniform(-1, 1, (300, 2))
    y = np.random.default_rng(8).poisson(np.exp(0.9 + 0.6 * X[:, 0])).astype(float)  # one answer has about 0
    assert "starting-loss" not in Network([Dense(16, "tanh"), Dense(1)], loss=Poisson(), seed=0).diagnose(X, y).names


@pytest.mark.parametrize("seed", range(6))
def test_dead_units_that_a_network_does_without_are_no_problem(seed):
    X, y = pytest.importorskip("sklearn.datasets").load_iris(return_X_y=True)  # its columns are far from centred
    network = Network([Dense(16, "relu"), Dense(3)], loss=CrossEntropy(), seed=seed)
    history = network.fit(X, y, optimizer=Adam(0.01), epochs=200)
    assert network.score(X, y) > 0.95
    assert "dead-units" not in network.diagnose(X, y, history).names


def test_rows_with_one_answer_are_no_reproach():
    X, y = moons()
    network = small()
    history = network.fit(X, y, optimizer=SGD(0.5), epochs=1000, batch_size=None)
    ones = (y == 1) & (network.predict(X) == 1)
    assert network.diagnose(X[ones], y[ones]).names == ()
    assert network.diagnose(X[ones], y[ones], history).names == ()
    assert network.diagnose(X[ones][:1], y[ones][:1], history).names == ()
    numbers = Network([Dense(8, "tanh"), Dense(1)], loss=SquaredError(), seed=0)
    history = numbers.fit(X[:1], [1.0], optimizer=SGD(0.1), epochs=30)
    assert numbers.diagnose(X[:1], [1.0], history).names == ()


def test_what_is_no_history_of_this_network_is_refused():
    X, y = moons()
    history = small().fit(X, y, optimizer=SGD(0.1), epochs=2)
    for wrong in ("h", [0.7, 0.6], {"loss": 0.7}):
        with pytest.raises(InputError, match="history must be the history that fit returned, or a dict of lists, not"):
            small().diagnose(X, y, wrong)
    other = Network([Dense(9, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    with pytest.raises(InputError, match=r"another network: that one started with W1 \(2, 8\).* has W1 \(2, 9\)"):
        other.diagnose(X, y, history)


# -- what is to be changed -------------------------------------------------------------------


def after(change: str, network: Network, X: np.ndarray, y: np.ndarray) -> dict[str, object]:
    """Run a change where only the network and the data are known."""
    names: dict[str, object] = {"net": network, "X": X, "y": y}
    exec(re.sub(r"epochs=\d+", "epochs=1", change), names)
    return names


def swish(z):
    """z times its sigmoid"""
    return z / (1 + np.exp(-z))


def swish_slope(z, a):
    return (1 + np.exp(-z) * (1 + z)) / (1 + np.exp(-z)) ** 2 + 0 * a


SWISH = Activation("swish", swish, swish_slope)


def test_changes_run_with_activations_of_ones_own_and_keep_what_they_do_not_change():
    X, y = moons()
    layers = [Dense(16, SWISH), BatchNorm(SWISH), Dense(7, "sigmoid"), Dense(2)]
    layers[2] = Dense(7, "tanh", weights=lambda rng, shape: rng.normal(size=shape) * 40)
    network = Network(layers, loss=CrossEntropy(), seed=5, dtype="float32")
    (finding,) = (f for f in network.diagnose(X, y) if f.name == "weights-too-large")
    changed = after(finding.change, network, X, y)["net"]
    assert changed is not network
    assert changed.layers[0].activation_function is SWISH
    assert changed.layers[1] is network.layers[1]
    assert changed.layers[2] == network.layers[2]
    assert changed.dtype == np.float32
    assert changed.rng_made == network.rng_made
    assert "weights-too-large" not in changed.diagnose(X, y).names
    flat = Network([Dense(16, SWISH), Dense(16, SWISH, bias=False), Dense(2, "sigmoid")], loss="SquaredError")
    numbers = X @ np.array([[1.0, 0.5], [0.3, 2.0]]) * 3
    (finding,) = (f for f in flat.diagnose(X, numbers) if f.name == "output-range")
    assert after(finding.change, flat, X, numbers)["net"].layers[:2] == flat.layers[:2]


def test_losses_and_penalties_of_ones_own_are_taken_from_the_network():
    class OwnError(SquaredError):
        pass

    class Price(L2):
        pass

    X, y = moons()
    network = Network([Dense(4, "relu"), Dense(1, "sigmoid")], loss=OwnError(), regularizer=[Price(1e-3), L2(1e-3)])
    (finding,) = (f for f in network.diagnose(X, 5.0 * y) if f.name == "output-range")
    changed = after(finding.change, network, X, 5.0 * y)["net"]
    assert changed.loss is network.loss
    assert changed.regularizers == network.regularizers


def test_changes_of_the_training_keep_its_settings_and_say_what_they_cannot_print():
    X, y = moons()
    network = small()
    history = network.fit(
        X, y, optimizer=SGD(Cosine(300.0, 700)), epochs=100, class_weight={0: 1.0, 1: 2.0}, running_loss=True,
        validation=(X, y), metrics=["accuracy"], callbacks=[EarlyStopping(patience=200)], shuffle=False,
    )  # fmt: skip
    assert history.settings["given"] == ("validation", "metrics", "callbacks", "running_loss")
    (finding,) = (f for f in network.diagnose(X, y, history) if f.name == "learning-rate-too-large")
    assert finding.change.endswith("  # and your validation, metrics, callbacks")
    changed = after(finding.change, network, X, y)["history"].settings
    assert changed["class_weight"] == {0: 1.0, 1: 2.0}
    assert changed["given"] == ("running_loss",)
    assert changed["shuffle"] is False
    assert type(changed["optimizer"].lr) is Cosine
    assert changed["optimizer"].lr.steps == 700
    assert changed["optimizer"].lr.lr < 300


@pytest.mark.parametrize(
    "schedule",
    [
        Cosine(30.0, 700),
        WarmUp(Cosine(30.0, 700, end=0.5), 20),
        WarmUp(3.0, 10),
        Exponential(2.0, factor=0.9),
        OnPlateau(0.5, min_lr=0.01),
    ],
)
def test_another_rate_keeps_the_kind_of_a_schedule(schedule):
    slower = with_rate(Chain(ClipByNorm(1.0), Adam(schedule)), schedule(0) / 100).links[-1].lr
    assert type(slower) is type(schedule)
    np.testing.assert_allclose([slower(t) for t in range(900)], [schedule(t) / 100 for t in range(900)], rtol=1e-9)


def test_a_rate_that_is_a_function_becomes_a_number():
    assert with_rate(SGD(lambda t: 3 / (1 + t)), 0.03) == SGD(0.03)
    X, y = moons()
    network = small()
    history = network.fit(X, y, optimizer=Adam(lambda t: 0.01), epochs=12, batch_size=50)
    (finding,) = (f for f in network.diagnose(X, y, history) if f.name == "still-falling")
    assert after(finding.change, network, X, y)["history"].settings["optimizer"] == Adam(0.01)


def test_scaling_can_be_done_to_new_rows_and_with_columns_that_never_change():
    X, y = moons()
    (finding,) = (f for f in small().diagnose(100 * X, y) if f.name == "unscaled-inputs")
    names = after(finding.change, small(), 100 * X, y)
    np.testing.assert_allclose((100 * X - names["mean"]) / names["spread"], names["X"])
    targets = np.column_stack([100 * X[:, 0], np.full(len(X), 50.0)])
    network = Network([Dense(8, "tanh"), Dense(2)], loss=SquaredError(), seed=0)
    (finding,) = (f for f in network.diagnose(X, targets) if f.name == "unscaled-targets")
    scaled = after(finding.change, network, X, targets)["y"]
    np.testing.assert_allclose(scaled.std(axis=0), [1, 0], atol=1e-9)


def plane(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, 3))
    return X, X @ [1.0, 2.0, 3.0] + 1.5 * rng.normal(size=400)


@pytest.mark.parametrize("units", [4, 64])
def test_what_a_line_does_as_well_needs_no_hidden_layer(units):
    X, y = plane()
    network = Network([Dense(units, "tanh"), Dense(1)], loss=SquaredError(), seed=0)
    history = network.fit(X, y, optimizer=Adam(0.002), epochs=60)
    (finding,) = (f for f in network.diagnose(X, y, history) if f.name == "no-better-than-linear")
    changed = after(finding.change, network, X, y)["net"]
    assert [layer.units for layer in changed.layers] == [1]
    changed.fit(X, y, optimizer=Adam(0.05), epochs=100)
    assert changed.score(X, y) > network.score(X, y) - 0.01


def test_one_unit_where_more_do_better_becomes_sixteen():
    X, y = moons(300, 0.15, seed=0)
    network = Network([Dense(1, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    history = network.fit(X, y, optimizer=Adam(0.02), epochs=100)
    case = Case(network, X, np.eye(2)[y], training=known_training(history), begun=history.begun, columns=dict(history))
    (finding,) = check_linear_baseline(case)
    assert finding.name == "no-better-than-linear"
    assert "Dense(16, 'tanh'), Dense(2" in finding.change.replace('"', "'")


def test_no_better_than_one_answer_leads_to_longer_training_and_not_to_gradients_that_are_right():
    X, y = moons()
    network = small()
    history = network.fit(X, y, optimizer=SGD(lambda t: 1e-2 / (1 + t)), epochs=10)
    (finding,) = (f for f in network.diagnose(X, y, history) if f.name == "no-better-than-one-answer")
    assert "check_gradients" not in finding.change
    names = {"net": network, "X": X, "y": y}
    exec(finding.change, names)
    assert "no-better-than-one-answer" not in network.diagnose(X, y).names


def test_the_epochs_that_are_advised_are_those_that_were_tried():
    X, y = moons()
    network = small()
    history = network.fit(X, y, optimizer=Adam(0.01), epochs=12, batch_size=50)
    (finding,) = (f for f in network.diagnose(X, y, history) if f.name == "still-falling")
    steps = int(re.search(r"about ([\d,]+) steps", finding.measured)[1].replace(",", ""))
    reached = float(re.search(r"take it to (\S+)\. On", finding.measured)[1])
    epochs = int(re.search(r"epochs=(\d+)", finding.change)[1])
    assert epochs * 4 == steps
    exec(finding.change, {"net": network, "X": X, "y": y})
    assert network.objective(X, y) == pytest.approx(reached, rel=0.3), "the trial had three quarters of the rows"


def test_no_change_says_what_is_there_already():
    X, y = plane()
    network = Network([Dense(24, "selu"), Dense(1)], loss=SquaredError(), seed=0)
    same = Network([Dense(24, "selu"), Dense(1)], loss=SquaredError(), seed=0)
    (finding,) = (f for f in network.diagnose(X, 0.01 * y) if f.name == "starting-loss")
    changed = after(finding.change, network, X, 0.01 * y)["net"]
    assert "starting-loss" in same.diagnose(X, 0.01 * y).names
    assert "starting-loss" not in changed.diagnose(X, 0.01 * y).names


def test_layers_with_weights_as_by_default_stay_as_they_are_with_an_activation_of_ones_own():
    X, y = plane()
    network = Network([Dense(24, SWISH), Dense(1)], loss=SquaredError(), seed=0)
    (finding,) = (f for f in network.diagnose(X, 0.01 * y) if f.name == "starting-loss")
    changed = after(finding.change, network, X, 0.01 * y)["net"]
    assert changed.layers[0] is network.layers[0]
    assert "starting-loss" not in changed.diagnose(X, 0.01 * y).names


def test_penalties_become_smaller_whatever_their_factor_is_called():
    X, y = moons()
    network = Network([Dense(8, "tanh"), Dense(2)], loss=CrossEntropy(), regularizer=L2PerRow(500.0), seed=0)
    history = network.fit(X, y, optimizer=SGD(0.1), epochs=100)
    (finding,) = (f for f in network.diagnose(X, y, history) if f.name == "strong-regularizer")
    assert after(finding.change, network, X, y)["net"].regularizers == (L2PerRow(5.0),)


def test_of_shuffled_labels_the_change_shows_rows_and_does_not_shuffle_again(capsys):
    X, y = moons(noise=0.3)
    mixed = np.random.default_rng(1).permutation(y)
    (finding,) = small().diagnose(X, mixed).findings
    names = after(finding.change, small(), X, mixed)
    assert names["X"] is X
    assert names["y"] is mixed
    assert str(mixed[:5]) in capsys.readouterr().out


# -- fit(check=True) ------------------------------------------------------------------------


def test_a_checked_training_warns_of_problems_and_keeps_what_was_found():
    X, y = moons()
    with pytest.warns(WorkingsWarning, match=r"wrong-gradient[\s\S]*summed to one number"):
        history = small(n_in=2).replacing("db1", "dz1.sum()").fit(X, y, optimizer=SGD(0.1), epochs=2, check=True)
    assert history.diagnosis.names == ("wrong-gradient",)


def test_a_checked_training_leads_to_the_same_bits():
    X, y = moons()
    layers = [Dense(8, "relu"), Dropout(0.2), Dense(2)]
    networks = [Network(layers, loss=CrossEntropy(), regularizer=L2(1e-3), seed=3) for _ in range(2)]
    histories = [
        network.fit(X, y, optimizer=Adam(0.01), epochs=5, check=check)
        for network, check in zip(networks, (False, True), strict=True)
    ]
    assert (networks[0].theta == networks[1].theta).all()
    assert histories[0]["loss"] == histories[1]["loss"]
    assert histories[0].diagnosis is None
    assert histories[1].diagnosis.ok


def test_a_bias_before_batch_normalization_is_not_called_frozen() -> None:
    X, y = moons(60, seed=0)
    for seed in range(3):
        net = Network([Dense(8), BatchNorm("relu"), Dense(2)], loss=CrossEntropy(), seed=seed)
        history = net.fit(X, y, optimizer=Adam(0.01), epochs=40)
        assert "frozen-parameter" not in net.diagnose(X, y).names
        assert "frozen-parameter" not in net.diagnose(X, y, history, optimizer=SGD(0.1)).names


# -- weights ---------------------------------------------------------------------------------


def with_wrong_rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moons with sixty wrong labels, which are known to be doubtful and hardly count."""
    X, y = moons(200, noise=0.15, seed=0)
    doubtful = np.random.default_rng(0).permutation(200)[:60]
    weights = np.ones(200)
    y[doubtful], weights[doubtful] = 1 - y[doubtful], 1e-3
    return X, y, weights


def test_rows_that_hardly_count_are_hardly_counted():
    X, y, weights = with_wrong_rows()
    network = small()
    history = network.fit(X, y, optimizer=SGD(0.5), epochs=2000, batch_size=None, sample_weight=weights)
    assert network.diagnose(X, y, history).names == ()
    known = {"optimizer": SGD(0.5), "sample_weight": weights}
    assert network.diagnose(X, y, dict(history), **known).names == ()


def test_rows_that_do_not_count_are_not_looked_at():
    X, y = moons()
    far, counts = np.vstack([X, [[1e4, 1e4]]]), np.append(np.ones(200), 0.0)
    network = small()
    history = network.fit(far, np.append(y, 0), optimizer=SGD(0.5), epochs=1000, batch_size=None, sample_weight=counts)
    assert network.diagnose(far, np.append(y, 0), history).names == ()
    assert "unscaled-inputs" in network.diagnose(far, np.append(y, 0)).names


@pytest.mark.parametrize("weights", [{0: 6, 1: 2}, "balanced"])
def test_trials_weigh_the_labels_as_the_training_did(weights):
    X, y = moons()
    X, y = X[(y == 1) | (np.arange(200) % 4 == 0)], y[(y == 1) | (np.arange(200) % 4 == 0)]
    network = small()
    history = network.fit(X, y, optimizer=Adam(0.01), epochs=12, batch_size=25, class_weight=weights)
    (finding,) = (f for f in network.diagnose(X, y, history) if f.name == "still-falling")
    now, reached = map(float, re.search(r"objective to (\S+), .* take it to (\S+)\. On", finding.measured).groups())
    by_label = {0: 6, 1: 2} if isinstance(weights, dict) else {k: len(y) / (2 * (y == k).sum()) for k in (0, 1)}
    by_row = np.array([by_label[label] for label in y])
    assert now == pytest.approx(network.objective(X, y, by_row), rel=0.2), "the trial had three quarters of the rows"
    exec(finding.change, {"net": network, "X": X, "y": y})
    assert network.objective(X, y, by_row) == pytest.approx(reached, rel=0.5)


def test_the_sharpness_is_that_of_the_weighted_objective():
    network = Network([Dense(1, bias=False)], loss=SquaredError(), n_in=1, seed=0)
    X, y, weights = np.array([[3.0], [1.0]]), np.array([1.0, 1.0]), np.array([3.0, 1.0])
    assert sharpness(network, X, y, sample_weight=weights) == pytest.approx(2 * (3 * 9 + 1) / 4)
    assert sharpness(network, X, y) == pytest.approx(2 * (9 + 1) / 2)


def test_weights_for_other_rows_are_refused():
    X, y, weights = with_wrong_rows()
    network = small()
    history = network.fit(X, y, optimizer=SGD(0.5), epochs=5, sample_weight=weights)
    with pytest.raises(InputError, match="weights for 200 rows, and X has 50"):
        network.diagnose(X[:50], y[:50], history)
    assert network.diagnose(X[:50], y[:50], history, sample_weight=weights[:50]) is not None


# -- advice that would harm ------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_noisy_rows_without_validation_are_not_advised_more_epochs(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 10))
    y = X[:, 0] + 2 * rng.normal(size=200)
    network = Network([Dense(32, "relu"), Dense(1)], loss=SquaredError(), seed=seed)
    history = network.fit(X, y, optimizer=Adam(0.01), epochs=20)
    assert "still-falling" not in network.diagnose(X, y, history).names


def test_a_warm_up_goes_on_and_does_not_begin_anew():
    X, y = moons(300, noise=0.1, seed=0)
    network = small()
    history = network.fit(X, y, optimizer=Adam(WarmUp(0.01, steps=60)), epochs=6)
    (finding,) = (f for f in network.diagnose(X, y, history) if f.name == "still-falling")
    assert "Adam(lr=0.01," in finding.change


def linear_with_noise(seed: int, n: int = 200, d: int = 10) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X, b = rng.normal(size=(n, d)), rng.normal(size=d)
    return X, (X @ b / np.linalg.norm(b) + 2.5 * rng.normal(size=n) > 0).astype(int)


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 10))])
def test_weak_labels_are_not_called_unrelated(seed):
    X, y = linear_with_noise(seed)
    network = Network([Dense(8, "relu"), Dense(2)], loss=CrossEntropy(), seed=seed)
    history = network.fit(X, y, optimizer=Adam(0.003), epochs=30)
    assert network.diagnose(X, y, history).ok


@pytest.mark.parametrize("seed", range(5))
def test_wide_rows_are_not_called_unrelated(seed):
    rng = np.random.default_rng(seed)
    X, b = rng.normal(size=(300, 100)), rng.normal(size=100)
    y = (X @ b + 2 * rng.normal(size=300) > 0).astype(int)
    names = Network([Dense(8, "relu"), Dense(2)], loss=CrossEntropy(), seed=seed).diagnose(X, y).names
    assert "unrelated-labels" not in names


def test_permuted_labels_are_called_unrelated_and_hide_nothing():
    X, y = moons(300, noise=0.1, seed=0)
    y = np.random.default_rng(1).permutation(y)
    network = Network([Dense(8, "tanh", weights="zeros"), Dense(2, weights="zeros")], loss=CrossEntropy(), seed=0)
    diagnosis = network.diagnose(X, y, network.fit(X, y, optimizer=SGD(0.5), epochs=20))
    assert {"equal-units", "unrelated-labels"} <= set(diagnosis.names)
    assert [f.severity for f in diagnosis if f.name == "unrelated-labels"] == ["advice"]


@pytest.mark.parametrize("seed", range(6))
def test_a_solved_network_can_evidently_overfit(seed):
    X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.0, 1, 1, 0])
    network = Network([Dense(3, "sigmoid"), Dense(1, "sigmoid")], loss=SquaredError(), seed=seed)
    history = network.fit(X, y, optimizer=SGD(0.5), epochs=6000, batch_size=1)
    if network.score(X, y) > 0.99:
        assert "cannot-overfit" not in network.diagnose(X, y, history).names


def test_overfitting_is_not_said_where_the_objective_rose():
    X, y = moons(200, noise=0.1, seed=0)
    network = small()
    history = network.fit(X, y, optimizer=SGD(0.5), epochs=20, validation=0.2)
    columns = {"loss": [0.09, 0.1, 0.2, 0.3, 0.5, 0.61], "val_loss": [0.9, 1.0, 1.1, 1.2, 1.3, 1.4]}
    training = replace(known_training(history), stopped="all 6 epochs done")
    case = Case(network, X, np.eye(2)[y], columns=columns, training=training)
    assert not list(check_overfitting(case))


@pytest.mark.parametrize("loss", [SquaredError(), Huber(), AbsoluteError()])
@pytest.mark.parametrize("last", ["identity", "sigmoid"])
def test_a_model_without_a_table_has_no_frozen_parameter(loss, last):
    for seed in range(3):
        network = Network([Dense(8, "relu"), Dense(1, last)], loss=loss, n_in=4, seed=seed)
        assert "frozen-parameter" not in diagnose_alone(network).names


@pytest.mark.parametrize("units", [16, 17])
def test_equal_layers_do_not_hide_each_other(units):
    X, y = moons(200, noise=0.1, seed=0)
    layers = [Dense(units, "tanh", weights=Normal(4.0)), Dense(16, "tanh"), Dense(2)]
    network = Network(layers, loss=CrossEntropy(), seed=0)
    assert "weights-too-large" in network.diagnose(X, y, network.fit(X, y, optimizer=Adam(0.01), epochs=20)).names


def test_a_class_of_one_row_does_not_stop_the_diagnosis():
    X, _ = moons(80, seed=0)
    y = np.zeros(80, dtype=int)
    y[7] = 1
    network = small()
    history = network.fit(X, y, optimizer=Adam(0.01), epochs=5)
    assert network.diagnose(X, y, history).looked_at


@pytest.mark.parametrize(
    "rate", [CosineLog(0.05, steps=40), lambda t: 0.01 * min(t / 10, 1), FlatCosine(0.01, steps=40), lambda t: 0.0]
)
def test_a_rate_that_begins_with_zero_is_no_error(rate: Any) -> None:
    optimizer = Adam(rate)
    assert rate_of(optimizer) == pytest.approx(rate.lr if hasattr(rate, "lr") else rate(10), rel=0.01)
    assert rate_of(with_rate(optimizer, 0.003)) == pytest.approx(0.003)
    assert rate_of(with_rate(Chain(ClipByNorm(1.0), optimizer), 0.003)) == pytest.approx(0.003)


@pytest.mark.parametrize("last", [[NTKDense(1)], [NTKDense(1), ClipPredictions(-3.0, 3.0)], [Scale(), NTKDense(1)]])
def test_layers_in_ntk_parametrization_are_read_as_dense_ones(last: list[Any]) -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    net = Network([NTKDense(8, "tanh"), *last], loss=SquaredError(), seed=0)
    history = net.fit(X, X[:, 0], optimizer=Adam(CosineLog(0.05, steps=60)), epochs=30)
    names = net.diagnose(X, X[:, 0], history).names
    assert not {"weights-too-large", "weights-too-small", "no-bend", "second-link"} & set(names)
    large = Network([NTKDense(8, "tanh", weights=Normal(9.0)), *last], loss=SquaredError(), seed=0)
    assert "weights-too-large" in large.diagnose(X, X[:, 0], optimizer=Adam(0.01)).names


def test_a_kept_best_epoch_is_not_called_overfitted() -> None:
    rng = np.random.default_rng(0)
    X, noise = rng.normal(size=(80, 6)), rng.normal(size=80)
    rows, held = (X[:40], (X[:, 0] + noise)[:40]), (X[40:], (X[:, 0] + noise)[40:])
    found = []
    for callbacks in ([], [EarlyStopping(patience=400)]):
        net = Network([Dense(40, "relu"), Dense(1)], loss=SquaredError(), seed=0)
        history = net.fit(*rows, optimizer=Adam(0.01), epochs=300, validation=held, callbacks=callbacks)
        found.append("overfitting" in net.diagnose(*rows, history).names)
    assert found == [True, False]
