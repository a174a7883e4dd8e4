"""The doctor: what it says of the experiments and of healthy networks, and that its advice can be followed."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import workings
from workings import (
    L2,
    SGD,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    CrossEntropy,
    Dense,
    Diagnosis,
    DivergenceError,
    Dropout,
    InputError,
    Momentum,
    Network,
    Poisson,
    SquaredError,
    WorkingsWarning,
)
from workings.checks.doctor import diagnose_alone
from workings.checks.findings import KINDS
from workings.checks.mistakes import MISTAKES, both
from workings.datasets import circles, mnist, moons
from workings.experiments import mnist as mnist_experiment
from workings.experiments import moons as moons_experiment
from workings.experiments.museum import ROOMS, rooms_for, train

PAGE = (Path(__file__).parents[1] / "docs" / "doctor.md").read_text(encoding="utf-8")


# -- the experiments ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def edge() -> Diagnosis:
    task = moons_experiment.task()
    history = task.network.fit(task.X, task.y, **task.settings)
    return task.network.diagnose(task.X, task.y, history)


def test_the_moons_experiment_is_at_the_edge_of_stability(edge):
    assert edge.names == ("edge-of-stability",)
    assert not edge.ok
    assert re.search(r"between 0\.07075\d+ and 0\.0713\d+ from step to step", edge.findings[0].measured)


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
    assert str(network.diagnose(*data, optimizer=settings["optimizer"])).startswith("Nothing is wrong. Looked at: ")
    assert (network.theta == before).all()
    history = network.fit(*data, **{"batch_size": None, **settings})
    after, state = network.theta.copy(), str(network.rng.bit_generator.state)
    diagnosis = network.diagnose(*data, history)
    assert diagnosis.names == ()
    assert "Nothing is wrong" in str(diagnosis)
    assert "ten rows" in str(diagnosis)
    assert (network.theta == after).all()
    assert str(network.rng.bit_generator.state) == state


# -- the museum ------------------------------------------------------------------------------


FIRST_OF_EACH = {mistake.finding: name for name, mistake in reversed(MISTAKES.items())}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if FIRST_OF_EACH[mistake.finding] == name else pytest.mark.slow)
        for name, mistake in MISTAKES.items()
    ],
)
def test_every_mistake_is_found_and_named_and_the_advice_runs(name):
    mistake = MISTAKES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkingsWarning)  # the library warns of some by itself
        wrong = train(both(mistake, ROOMS[rooms_for(mistake)[0]](5))[0])
        assert mistake.is_named_by(wrong.diagnosis), str(wrong.diagnosis)
        for finding in wrong.diagnosis.findings:
            assert finding.severity == KINDS[finding.name].severity
            assert finding.measured in str(wrong.diagnosis)
            once = re.sub(r"epochs=\d+", "epochs=1", finding.change)
            names = {**vars(workings), "np": np, "net": wrong.network, "X": wrong.setup.X, "y": wrong.setup.y}
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
    for name in (*KINDS, *MISTAKES):
        assert re.search(rf"^\| {name} \|", PAGE, re.MULTILINE), name
    for name in KINDS:
        assert len(re.findall(rf"^\| {name} \|", PAGE, re.MULTILINE)) >= 2, f"{name}: what it measures, and its rates"


def test_the_published_rates_are_within_reach():
    (named,) = re.findall(r"found and named \*\*[\d,]+ \(([\d.]+)%\)", PAGE)
    (alarms,) = re.findall(r"\*\*[\d,]+ \(([\d.]+)%\)\*\* had any finding", PAGE)
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
