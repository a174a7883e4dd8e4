"""Training many networks together: each ends as it would alone."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from workings import (
    L2,
    LBFGS,
    SGD,
    Adam,
    BatchNorm,
    Callback,
    CrossEntropy,
    Dense,
    DivergenceError,
    Dropout,
    EarlyStopping,
    History,
    InputError,
    Network,
    fit_many,
)
from workings.datasets import moons
from workings.schedules import Cosine, OnPlateau

X, y = moons(60)
ENGINES = ("reference", "compiled")


def network(seed: int = 0, **settings: Any) -> Network:
    """Return a network whose first weights, orders and masks depend on the seed."""
    return Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=seed, **settings)


def same_as_alone(
    make: Sequence[Callable[[], Network]],
    optimizers: Sequence[Any],
    callbacks: Callable[[int], list[Callback]] = lambda index: [],
    **settings: Any,
) -> list[History]:
    """Check that networks that are trained together end as each does alone; return their histories."""
    together, alone = [one() for one in make], [one() for one in make]
    histories = fit_many(together, X, y, optimizer=optimizers, callbacks=callbacks, **settings)
    for index, (one, optimizer, history) in enumerate(zip(alone, optimizers, histories, strict=True)):
        expected = one.fit(X, y, optimizer=optimizer, callbacks=callbacks(index), **settings)
        assert history.columns == expected.columns
        assert history.stopped == expected.stopped
        np.testing.assert_array_equal(together[index].theta, one.theta)
        assert all((together[index].statistics[name] == value).all() for name, value in one.statistics.items())
        assert together[index].rng.random() == one.rng.random()  # the next training draws the same, too
    return histories


@pytest.mark.parametrize("engine", ENGINES)
def test_networks_end_as_alone(engine: str) -> None:
    make = [lambda seed=seed: network(seed, regularizer=L2(0.01 * (seed + 1))) for seed in range(3)]
    histories = same_as_alone(make, [SGD(0.1), SGD(0.3), SGD(Cosine(0.2, steps=30))], epochs=9, engine=engine)
    assert all(history.engine.startswith(engine) for history in histories)
    assert all(("together with 2 others" in history.engine) == (engine == "compiled") for history in histories)


def test_different_structures_and_widths_end_as_alone() -> None:
    layers = ([Dense(3, "tanh"), Dense(2)], [Dense(4, "tanh"), Dense(2)], [Dropout(0.3), Dense(2)])
    layers += ([Dense(3), BatchNorm("relu"), Dense(2)], [Dense(3, "tanh"), Dense(2)])
    make = [lambda one=one, seed=seed: Network(one, loss=CrossEntropy(), seed=seed) for seed, one in enumerate(layers)]
    settings: dict[str, Any] = {"batch_size": None, "validation": 0.2, "metrics": ["accuracy"]}
    same_as_alone(make, [SGD(0.1)] * 4 + [LBFGS()], epochs=3, engine="reference", **settings)
    same_as_alone(make[:2], [SGD(0.1)] * 2, epochs=12, engine="compiled", **settings)


@pytest.mark.parametrize("engine", ENGINES)
def test_each_network_stops_by_itself(engine: str) -> None:
    def callbacks(index: int) -> list[Callback]:
        return [EarlyStopping("val_loss", patience=1 + index)] if index < 2 else []

    histories = same_as_alone(
        [lambda seed=seed: network(seed) for seed in range(3)],
        [SGD(4.0), SGD(3.0), SGD(OnPlateau(1.0, monitor="loss"))], callbacks,
        epochs=40, engine=engine, validation=(X[:20], y[:20]), batch_size=None, metrics=["accuracy"],
    )  # fmt: skip
    assert len({history.epochs for history in histories}) > 1


def test_more_networks_than_train_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workings.training.fit_many.MOST_TOGETHER", 2)
    make = [lambda seed=seed: network(seed) for seed in range(5)]
    histories = same_as_alone(make, [SGD(0.1)] * 5, epochs=4, engine="compiled")
    assert ["together" in history.engine for history in histories] == [True] * 4 + [False]


def test_automatic_choice_counts_all_fits() -> None:
    make = [network(seed) for seed in range(40)]
    histories = fit_many(make, X, y, optimizer=SGD(0.1), epochs=100)
    assert "in each of 40 fits" in histories[0].engine


def test_a_diverging_network_does_not_disturb_the_others() -> None:
    for engine in ENGINES:
        networks, alone = [network(seed, regularizer=L2(0.1)) for seed in range(3)], network(2, regularizer=L2(0.1))
        with pytest.raises(DivergenceError, match="ClipByNorm"):
            fit_many(networks, X, y, optimizer=[SGD(0.1), SGD(1e308), SGD(0.1)], epochs=5, engine=engine)
        alone.fit(X, y, optimizer=SGD(0.1), epochs=5, engine=engine)
        np.testing.assert_array_equal(networks[2].theta, alone.theta)
        assert np.isfinite(networks[1].theta).all()
        assert networks[1].history is not None
        assert networks[1].history.stopped.startswith("diverged")


def test_networks_that_share_something_are_trained_one_by_one() -> None:
    generator, expected = np.random.default_rng(0), np.random.default_rng(0)
    networks, alone = ([network(rng) for _ in range(2)] for rng in (generator, expected))  # type: ignore[arg-type]
    histories = fit_many(networks, X, y, optimizer=SGD(0.1), epochs=2)
    for one, other in zip(networks, alone, strict=True):
        other.fit(X, y, optimizer=SGD(0.1), epochs=2)
        np.testing.assert_array_equal(one.theta, other.theta)
    assert all("one by one: the networks draw from the same random generator" in h.engine for h in histories)
    stopping = EarlyStopping("loss")
    histories = fit_many([network(0), network(1)], X, y, optimizer=SGD(0.1), epochs=2, callbacks=[stopping])
    assert all("one by one: the networks share callbacks" in history.engine for history in histories)


@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_ends_all_at_a_recorded_epoch(engine: str) -> None:
    class Press(Callback):
        def on_epoch_end(self, training: Any) -> None:
            if training.epoch == 3:
                signal.raise_signal(signal.SIGINT)

    networks = [network(seed) for seed in range(3)]
    histories = fit_many(
        networks, X, y, optimizer=SGD(0.1), epochs=50, engine=engine,
        callbacks=lambda index: [Press()] if index == 1 else [],
    )  # fmt: skip
    assert any(history.stopped.startswith("interrupted") for history in histories)
    for seed, (one, history) in enumerate(zip(networks, histories, strict=True)):
        alone = network(seed)
        if history.epochs:
            alone.fit(X, y, optimizer=SGD(0.1), epochs=history.epochs, engine=engine)
            np.testing.assert_array_equal(one.theta, alone.theta)
            assert one.rng.random() == alone.rng.random()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_twice_raises() -> None:
    class Press(Callback):
        def on_epoch_end(self, training: Any) -> None:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit_many([network(0), network(1)], X, y, optimizer=SGD(0.1), epochs=5, callbacks=lambda index: [Press()])


def test_errors_of_one_callback_wait_for_the_others() -> None:
    class Fail(Callback):
        def on_epoch_end(self, training: Any) -> None:
            raise ZeroDivisionError("of a callback")

    networks = [network(0), network(1)]
    with pytest.raises(ZeroDivisionError, match="of a callback"):
        fit_many(networks, X, y, optimizer=SGD(0.1), epochs=2, callbacks=lambda index: [Fail()] if index == 0 else [])
    assert networks[1].history is not None
    assert networks[1].history.epochs == 2


def test_no_network_is_changed_if_a_check_fails() -> None:
    networks = [network(0), network(1), network(2, n_in=3)]
    before = networks[2].theta.copy()
    with pytest.raises(InputError, match="columns"):
        fit_many(networks, X, y, optimizer=SGD(0.1), epochs=2)
    assert [one.n_in for one in networks] == [None, None, 3]
    np.testing.assert_array_equal(networks[2].theta, before)
    assert networks[0].rng.random() == network(0).rng.random()


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        (network(), "networks must be a list"),
        ([], "networks must be a list"),
        ([network(), "net"], r"networks\[1\] is 'net'"),
        ([same := network(), same], "occurs twice"),
    ],
)
def test_networks_are_checked(networks: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_many(networks, X, y, optimizer=SGD(0.1), epochs=1)


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="optimizer has 3 entries, but there are 2 networks"):
        fit_many([network(0), network(1)], X, y, optimizer=[Adam()] * 3, epochs=1)
    with pytest.raises(InputError, match="engine"):
        fit_many([network(0), network(1)], X, y, optimizer=Adam(), epochs=1, engine="gpu")
    with pytest.raises(InputError, match="callback"):
        fit_many([network(0)], X, y, optimizer=Adam(), epochs=1, callbacks=lambda index: ["stop"])  # type: ignore[list-item]
