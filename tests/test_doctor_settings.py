"""The doctor's checks of the split and of settings, and what is none of its business."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from workings import (
    SGD,
    Adam,
    BatchNorm,
    CrossEntropy,
    Dense,
    Dropout,
    EarlyStopping,
    History,
    Momentum,
    Network,
    SquaredError,
    WorkingsWarning,
)
from workings.checks.doctor import checks_for, prepared_rows
from workings.checks.evidence import Case
from workings.checks.findings import KINDS, make_finding, most_urgent_first
from workings.checks.known_training import known_training
from workings.checks.split import check_split, on_another_scale
from workings.checks.training_progress import check_still_falling
from workings.checks.unusual_settings import check_settings
from workings.datasets import digits, moons, spirals
from workings.schedules import Cosine, Exponential, WarmUp
from workings.tables.columns import standardized

Data = tuple[np.ndarray, np.ndarray]


def table(n: int, seed: int) -> Data:
    """Four columns with distributions of their own, and a target that depends on them."""
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [rng.normal(size=n), rng.exponential(size=n) - 1, rng.uniform(-1.7, 1.7, n), rng.normal(size=n)]
    )
    return X, np.sin(X[:, 0]) + X[:, 1] - 0.5 * X[:, 2] ** 2 + 0.1 * rng.normal(size=n)


def classes(n: int, seed: int) -> Data:
    X, y = table(n, seed)
    return X, np.searchsorted([-0.8, 0.5], y)


def case_of(network: Network, X: np.ndarray, y: np.ndarray, history: History) -> Case:
    training = known_training(history)
    rows = prepared_rows(network, X, y, training.recipe)
    return Case(network, *rows, columns=dict(history), training=training, begun=history.begun,
                validation=history.validation)  # fmt: skip


def trained(X: np.ndarray, y: np.ndarray, layers: list[object] | None = None, **settings: object) -> Case:
    outputs = len(np.unique(y)) if y.dtype.kind != "f" else 1
    loss = CrossEntropy() if outputs > 1 else SquaredError()
    hidden = [Dense(16, "tanh")] if layers is None else layers
    network = Network([*hidden, Dense(outputs)], loss=loss, seed=0)
    told = {"optimizer": Adam(0.02), "epochs": 30, "engine": "reference", **settings}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkingsWarning)
        return case_of(network, X, y, network.fit(X, y, **told))


def split_findings(train: Data, validation: Data) -> tuple[str, ...]:
    found = most_urgent_first(check_split(trained(*train, validation=validation)))
    for finding in found:  # the network itself is right: following the advice must not take rows from it
        assert "second.fit(X, y" in finding.change
        assert "validation=0.2" in finding.change
    return tuple(finding.name for finding in found)


# -- the split -------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [table, classes])
def test_rows_of_one_distribution_have_no_finding(data):
    assert split_findings(data(200, 0), data(80, 1)) == ()
    assert split_findings(data(200, 0), data(15, 2)) == ()


@pytest.mark.parametrize(
    "wrong",
    [lambda X: 10 * X + 5, lambda X: X / 255, lambda X: X * [1, 1, 100, 1], lambda X: X - [8, 0, 0, 0]],
    ids=["raw", "divided", "one column", "not centred"],
)
@pytest.mark.parametrize("data", [table, classes])
def test_validation_rows_on_another_scale_are_found(data, wrong):
    X, y = data(80, 1)
    assert split_findings(data(200, 0), (wrong(X), y)) == ("validation-scale",)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda X: X * [1, 2.54, 2.54, 1],
        np.sign,
        lambda X: np.column_stack([X[:, :3], np.zeros(len(X))]),
        lambda X: (X - X.min(axis=0)) / np.ptp(X, axis=0),
    ],
    ids=["inches", "signs", "a constant", "from 0 to 1"],
)
def test_validation_rows_that_were_prepared_in_another_way_are_found(wrong):
    X, y = table(150, 1)
    assert split_findings(table(200, 0), (wrong(X), y)) == ("validation-scale",)


def test_heavy_tails_are_no_other_scale():
    for seed in range(40):
        a, b = np.split(np.exp(2 * np.random.default_rng(seed).normal(size=250)), [200])
        assert not on_another_scale(a, b)


@pytest.mark.parametrize("numbers", [[1, 2, 0], [1, 0, 2], [2, 1, 0], [2, 0, 1]])
def test_classes_that_are_numbered_in_another_order_are_found(numbers):
    X, y = classes(80, 1)
    assert "validation-targets" in split_findings(classes(200, 0), (X, np.array(numbers)[y]))


def test_other_targets_do_not_look_like_another_order_of_the_columns():
    Z, z = table(80, 1)
    for targets in ((z - z.min()) / np.ptp(z), 40 * z, z - 9):
        assert split_findings(table(200, 0), (Z, targets)) == ("validation-targets",)


def test_exchanged_halves_of_many_columns_are_found():
    (X, y), (Z, z) = table(300, 0), table(120, 1)
    rng = np.random.default_rng(5)
    X, Z = np.column_stack([X, rng.normal(size=(300, 12))]), np.column_stack([Z, rng.normal(size=(120, 12))])
    assert split_findings((X, y), (np.roll(Z, 8, axis=1), z)) == ("validation-columns",)


@pytest.mark.parametrize("order", [[3, 2, 1, 0], [1, 0, 2, 3], [1, 2, 3, 0], [2, 1, 0, 3]])
def test_columns_in_another_order_are_found(order):
    X, y = table(80, 1)
    train = table(200, 0)
    assert split_findings(train, (X[:, order], y)) == ("validation-columns",)


def test_other_targets_are_found():
    X, y = table(300, 0)
    by_target = np.argsort(y)
    first, last = by_target[:220], by_target[220:]
    assert "validation-targets" in split_findings((X[first], y[first]), (X[last], y[last]))
    Z, z = table(80, 1)
    assert split_findings((X, y), (Z, 50 * z + 200)) == ("validation-targets",)
    c = classes(300, 0)[1]
    last = by_target[200:]
    assert "validation-targets" in split_findings((X, c), (X[last] + 1e-9, c[last]))


def test_rows_in_both_sets_are_found():
    X, y = table(200, 0)
    Z, z = table(80, 1)
    assert split_findings((X, y), (np.vstack([Z, X[:20]]), np.concatenate([z, y[:20]]))) == ("shared-rows",)
    assert split_findings((X, y), (X, y)) == ("shared-rows",)
    assert split_findings((X, y), (X + 1e-5 * np.random.default_rng(0).normal(size=X.shape), y)) == ("shared-rows",)
    grid = np.random.default_rng(0).integers(0, 3, (300, 3)).astype(float)
    assert (
        split_findings((grid[:200], (grid.sum(axis=1) > 2)[:200] * 1), (grid[200:], (grid.sum(axis=1) > 2)[200:] * 1))
        == ()
    )


def test_callbacks_need_validation_rows_that_are_right():
    X, y = table(200, 0)
    Z, z = table(80, 1)
    case = trained(X, y, validation=(10 * Z, z), callbacks=[EarlyStopping(patience=5)])
    (finding,) = (f for f in check_split(case) if f.name == "validation-scale")
    assert "net.fit(X, y" in finding.change
    assert "second" not in finding.change


@pytest.mark.parametrize("seed", range(2))
def test_one_outlier_is_no_other_scale(seed):
    """As in the table midwest, where one county has ten times the people of the next."""
    X, y = table(200, seed)
    Z, z = table(80, seed + 100)
    for value in (200.0, -3000.0):
        held = Z.copy()
        held[3, 0] = value
        assert split_findings((X, y), (held, z)) == ()
        train = X.copy()
        train[3, 0] = value
        assert split_findings((train, y), (Z, z)) == ()
    assert split_findings((X, y), (10 * held, z)) == ("validation-scale",)


def test_people_alike_are_not_shared_rows():
    """Rows drawn from a population in which some are equal have twins in both sets, as in the table birthwt."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        population = rng.normal(size=(4000, 4))
        people = population[rng.integers(0, 4000, 180)]
        y = people.sum(axis=1)
        train, held = (people[:120], y[:120]), (people[120:], y[120:])
        assert "shared-rows" not in split_findings(train, held)
        copies = np.vstack([held[0], people[:20]]), np.append(held[1], y[:20])
        assert "shared-rows" in split_findings(train, copies)


def test_a_validation_score_below_a_constant_prediction_is_found():
    X, y = table(200, 0)
    Z, z = table(80, 1)
    case = trained(X, y, validation=(Z, np.random.default_rng(0).permutation(z)))
    (finding,) = check_split(case)
    assert "on the validation rows; always predicting its mean gives 0" in finding.measured
    network = case.network
    history = network.fit(X, y, optimizer=SGD(1e-6), epochs=1, validation=(40 * Z + 300, z))
    diagnosis = network.diagnose(X, y, history)
    assert "validation-scale" in diagnosis.names
    assert not diagnosis.ok


def test_a_share_of_the_rows_is_not_compared_with_itself():
    X, y = classes(200, 0)
    case = trained(np.vstack([X, X[:30]]), np.concatenate([y, y[:30]]), validation=0.3)
    assert case.recipe.validation == 0.3
    assert list(check_split(case)) == []
    assert "the validation rows" in checks_for(case)
    assert "the validation rows" not in checks_for(trained(X, y))


def test_the_history_keeps_at_most_a_thousand_validation_rows():
    X, y = table(1300, 0)
    history = Network([Dense(1)], loss=SquaredError(), seed=0).fit(
        X[:50], y[:50], optimizer=SGD(0.1), epochs=1, validation=(X, y)
    )
    assert history.validation is not None
    assert history.validation.X.shape == (1000, 4)
    assert History.from_json(history.to_json()).validation is None


# -- settings --------------------------------------------------------------------------------


def settings_findings(case: Case) -> tuple[str, ...]:
    return tuple(finding.name for finding in check_settings(case))


def test_dropout_that_leaves_hardly_any_unit_is_found():
    X, y = classes(120, 0)
    (finding,) = check_settings(trained(X, y, [Dense(16, "relu"), Dropout(0.95)]))
    assert finding.name == "strong-dropout"
    assert "Dropout(rate=0.5)" in finding.change
    assert settings_findings(trained(X, y, [Dense(16, "relu"), Dropout(0.5)])) == ()


@pytest.mark.slow
def test_dead_units_behind_strong_dropout_or_a_narrow_layer_are_explained():
    X, y = moons(160, 0.15, seed=0)
    for layers, name in (
        ([Dense(32, "relu"), Dropout(0.95)], "strong-dropout"),
        ([Dense(32, "relu"), Dense(1, "relu", biases=np.array([-0.3])), Dense(32, "relu")], "narrow-layer"),
    ):
        case = trained(X, y, layers)
        diagnosis = case.network.diagnose(X, y, case.network.history)
        assert name in diagnosis.names
        assert "dead-units" not in diagnosis.names
        assert "leaky_relu" not in str(diagnosis)


def test_batches_of_a_few_rows_are_too_small_for_batch_normalization():
    X, y = classes(60, 0)
    for size, names in ((2, ("small-batches",)), (4, ("small-batches",)), (16, ())):
        assert settings_findings(trained(X, y, [Dense(8), BatchNorm("relu")], batch_size=size, epochs=2)) == names
    assert settings_findings(trained(X, y, batch_size=2, epochs=2)) == ()


def test_trials_of_batch_normalization_have_no_batch_of_one_row():
    X, y = classes(63, 0)
    case = trained(X, y, [Dense(8), BatchNorm("relu")], batch_size=3, epochs=2)
    assert "small-batches" in case.network.diagnose(X, y, case.network.history).names


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [
        (Adam(0.01, eps=1.0), "large-eps"),
        (Momentum(0.01, momentum=0.9995), "large-momentum"),
        (Adam(0.01, beta1=0.9995), "large-momentum"),
    ],
)
def test_an_optimizer_with_an_unusual_constant_is_found_if_the_usual_one_does_better(optimizer, name):
    X, y = moons(160, 0.15, seed=0) if name == "large-eps" else table(160, 0)
    (finding,) = check_settings(trained(X, y, optimizer=optimizer, epochs=20))
    assert finding.name == name
    assert "with the usual" in finding.measured
    assert settings_findings(trained(X, y, optimizer=Adam(0.01), epochs=20)) == ()
    assert settings_findings(trained(X, y, optimizer=Adam(0.01, eps=1e-6), epochs=20)) == ()


def test_an_unusual_constant_that_does_no_harm_is_no_finding():
    X, y = moons(160, 0.15, seed=0)
    assert settings_findings(trained(X, y, optimizer=Momentum(0.01, momentum=0.995), epochs=60)) == ()


def test_a_narrow_layer_is_found_if_a_wider_one_does_better():
    X, y = moons(160, 0.15, seed=0)
    (finding,) = check_settings(trained(X, y, [Dense(24, "relu"), Dense(1, "relu"), Dense(24, "relu")]))
    assert finding.name == "narrow-layer"
    assert "Dense(24, 'relu')" in finding.change or 'Dense(24, "relu")' in finding.change
    assert settings_findings(trained(X, y, [Dense(24, "relu"), Dense(16, "relu")])) == ()


@pytest.mark.slow
def test_a_narrow_layer_that_harms_other_rows_only_is_found():
    X, y = digits()
    X, y = standardized(X[:400]), y[:400]
    for units in (2, 40):
        layers = [Dense(64, "tanh"), Dense(units, "tanh"), Dense(64, "tanh")]
        case = trained(X, y, layers, optimizer=Adam(0.01), epochs=60)
        assert case.score >= 0.97
        found = [finding.measured for finding in check_settings(case) if finding.name == "narrow-layer"]
        assert len(found) == (units == 2)
        assert all("the loss on the rows left out is" in measured for measured in found)


def test_far_more_parameters_than_rows_need_validation():
    X, y = classes(60, 0)
    wide = [Dense(128, "relu"), Dense(64, "relu")]
    (finding,) = check_settings(trained(X, y, wide, epochs=2))
    assert finding.name == "more-parameters-than-rows"
    assert "and no row is held out" in finding.measured
    assert settings_findings(trained(X, y, wide, epochs=2, validation=0.2)) == ()
    assert settings_findings(trained(X, y, epochs=2)) == ()


def test_a_model_without_hidden_layers_is_told_if_a_small_network_does_better():
    X, y = moons(300, 0.15, seed=0)
    (finding,) = check_settings(trained(X, y, []))
    assert finding.name == "no-hidden-layer"
    assert "on rows that were left out" in finding.measured
    X = np.random.default_rng(0).normal(size=(200, 3))
    noisy = (X.sum(axis=1) + np.random.default_rng(1).normal(size=200) > 0).astype(int)
    assert settings_findings(trained(X, noisy, [])) == ()


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [(Adam(Cosine(0.05, steps=30)), "rate-decayed"), (Momentum(WarmUp(0.05, steps=6000)), "warm-up-unfinished")],
)
def test_a_schedule_that_does_no_harm_is_a_note_which_hides_nothing(optimizer, name):
    X = np.random.default_rng(0).normal(size=(120, 2))
    y = (X[:, 0] > 0).astype(int)
    case = trained(X, y, optimizer=optimizer, epochs=60)
    assert case.score >= 0.97
    (finding,) = check_still_falling(case, case.losses)
    assert (finding.name, finding.severity) == (name, "note")
    assert "The network has learned its rows all the same." in finding.measured
    other = make_finding("oscillation", "", "")
    assert [f.name for f in most_urgent_first([finding, other])] == sorted(["oscillation", name], key=list(KINDS).index)
    exec(finding.change, {"net": case.network})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"optimizer": SGD(Exponential(0.3, factor=0.98)), "epochs": 60}, "rate-decayed"),
        ({"optimizer": Adam(0.01), "epochs": 300, "batch_size": 8, "validation": 0.2,
          "callbacks": [EarlyStopping(patience=2)]}, "patience-too-short"),
    ],
)  # fmt: skip
def test_a_training_cut_short_on_a_plateau_is_no_reason_for_other_layers(settings, name):
    X, y = spirals(300, 0.02, turns=1.0, seed=0)
    case = trained(X, y, [Dense(32, "tanh"), Dense(16, "tanh")], **settings)
    assert case.score < 0.8
    assert case.network.diagnose(X, y, case.network.history).names == (name,)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        pytest.param({"optimizer": SGD(Exponential(0.3, factor=0.9)), "epochs": 60}, "rate-decayed",
                     marks=pytest.mark.slow),
        pytest.param({"optimizer": SGD(WarmUp(0.5, steps=20_000)), "epochs": 40}, "warm-up-unfinished",
                     marks=pytest.mark.slow),
        ({"optimizer": SGD(0.3), "epochs": 400, "validation": 0.2, "batch_size": 8,
          "callbacks": [EarlyStopping(patience=1)]}, "patience-too-short"),
    ],
)  # fmt: skip
def test_a_training_that_was_cut_short_is_told_from_one_that_has_converged(settings, name):
    X, y = moons(200, 0.15, seed=0)
    case = trained(X, y, **settings)
    (finding,) = check_still_falling(case, case.losses)
    assert finding.name == name
    assert "On the rows left out, the loss falls" in finding.measured
    diagnosis = case.network.diagnose(X, y, case.network.history)
    assert name in diagnosis.names
    assert "no-better-than-linear" not in diagnosis.names


def test_a_schedule_that_ends_when_the_network_has_learned_is_fine():
    X, y = moons(200, 0.15, seed=0)
    case = trained(X, y, optimizer=Adam(Cosine(0.03, steps=700)), epochs=100)
    assert list(check_still_falling(case, case.losses)) == []
