"""Training: the loop does what its words say, to the last bit where it can."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.utils.class_weight import compute_sample_weight

import workings.training.batches
from tests.interrupting import interrupted
from workings import (
    L2,
    LBFGS,
    SGD,
    Activation,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    Callback,
    Chain,
    Checkpoint,
    ClipByNorm,
    CrossEntropy,
    Dense,
    DivergenceError,
    Dropout,
    EarlyStopping,
    InputError,
    Momentum,
    Network,
    Progress,
    SquaredError,
)
from workings.activations import ACTIVATIONS
from workings.datasets import moons
from workings.errors import WorkingsWarning
from workings.metrics import METRICS
from workings.optimizers import Optimizer
from workings.schedules import Cosine, Exponential, InverseScaling, OnPlateau, Step, WarmUp
from workings.training.divergence import describe_value

X, Y = moons(n=50, seed=0)
X_VAL, Y_VAL = moons(n=30, seed=1)
WORDS = np.array(["lower", "upper"])


def plain(seed: Any = 0, loss: Any = None, **settings: Any) -> Network:
    """A network in which nothing is left to chance but the first weights and the orders."""
    return Network([Dense(4, "tanh"), Dense(2)], loss=loss or CrossEntropy(), seed=seed, **settings)


def lively(seed: Any = 0, **settings: Any) -> Network:
    """A network with dropout and batch statistics."""
    layers = [Dense(6), BatchNorm("tanh"), Dropout(0.3), Dense(2)]
    return Network(layers, loss=CrossEntropy(), regularizer=L2(1e-3), seed=seed, **settings)


def bits(network: Network) -> bytes:
    """All numbers of a network."""
    return network.theta.tobytes() + b"".join(a.tobytes() for a in network.statistics.values())


class Call(Callback):
    """Calls a function at the end of each epoch."""

    def __init__(self, function: Callable[[Any], object]) -> None:
        self.function = function

    def on_epoch_end(self, training: Any) -> None:
        self.function(training)


# -- the same numbers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "seed", [7, np.random.default_rng, np.random.RandomState], ids=["int", "Generator", "RandomState"]
)
def test_two_runs_with_one_seed_give_the_same_bits(seed: Any) -> None:
    runs = []
    for _ in range(2):
        network = lively(seed(7) if callable(seed) else seed)
        history = network.fit(X, Y, optimizer=Adam(0.01), epochs=5, batch_size=8, validation=0.2)
        runs.append((bits(network), dict(history)))
    assert runs[0] == runs[1]


def test_another_seed_gives_other_numbers() -> None:
    one, other = lively(1), lively(2)
    for network in (one, other):
        network.fit(X, Y, optimizer=SGD(0.1), epochs=1)
    assert bits(one) != bits(other)


def test_full_batches_equal_steps() -> None:
    fitted, stepped = lively(), lively()
    fitted.fit(X, Y, optimizer=Adam(0.01), epochs=6, batch_size=None)
    optimizer = Adam(0.01)
    for _ in range(6):
        stepped.step(X, Y, optimizer)
    assert bits(fitted) == bits(stepped)


@pytest.mark.parametrize("optimizer", [SGD(0.1), Adam(Exponential(0.05, 0.99)), Chain(ClipByNorm(0.1), Momentum(0.1))])
def test_mini_batches_equal_a_loop_of_steps_in_the_same_order(optimizer: Any) -> None:
    fitted, stepped = plain(np.random.default_rng(3)), plain(np.random.default_rng(3))
    fitted.fit(X, Y, optimizer=optimizer, epochs=3, batch_size=8)
    stepped.build(2)
    for _ in range(3):
        order = stepped.rng.permutation(50)
        for start in range(0, 50, 8):
            rows = order[start : start + 8]
            stepped.step(X[rows], Y[rows], optimizer)
    assert bits(fitted) == bits(stepped)


def test_mini_batches_in_order_equal_a_loop_of_steps_with_weights() -> None:
    w = np.linspace(0.5, 2, 50)
    fitted, stepped = plain(), plain()
    fitted.fit(X, Y, optimizer=Adam(0.01), epochs=2, batch_size=20, shuffle=False, sample_weight=w)
    optimizer = Adam(0.01)
    for _ in range(2):
        for start in (0, 20, 40):
            rows = slice(start, start + 20)
            stepped.step(X[rows], Y[rows], optimizer, w[rows])
    assert bits(fitted) == bits(stepped)


def orders_seen(shuffle: bool, rows: int = 24, batch_size: int = 4, epochs: int = 3) -> np.ndarray:
    """Which row was used at which place of which epoch.

    Each row holds its own number, the weight is 1 and hardly moves, and the activation notes what it is given.
    """
    seen: list[np.ndarray] = []

    def noting(z: Any) -> Any:
        if len(z) == batch_size:
            seen.append(np.rint(z[:, 0]).astype(int))
        return 0 * z + z

    noted = Activation("noted", noting, lambda z: np.ones_like(z))
    network = Network([Dense(1, noted, weights=[[1.0]], bias=False)], loss=SquaredError(), seed=5)
    numbers = np.arange(rows, dtype=float)
    network.fit(
        numbers.reshape(-1, 1), numbers, optimizer=SGD(1e-12), epochs=epochs, batch_size=batch_size, shuffle=shuffle
    )
    return np.concatenate(seen).reshape(epochs, rows)


def test_shuffled_epochs_see_every_row_once_in_orders_that_differ() -> None:
    orders = orders_seen(shuffle=True)
    for order in orders:
        assert sorted(order.tolist()) == list(range(24))
        assert order.tolist() != list(range(24))
    assert len({tuple(order) for order in orders.tolist()}) == 3


def test_shuffling_mixes_rows_and_not_only_whole_batches() -> None:
    batches = [{frozenset(batch) for batch in order.reshape(-1, 4).tolist()} for order in orders_seen(shuffle=True)]
    in_order = {frozenset(range(start, start + 4)) for start in range(0, 24, 4)}
    assert not batches[0] & in_order
    assert len(batches[0] & batches[1]) <= 1
    assert len(batches[1] & batches[2]) <= 1


def test_without_shuffling_rows_come_as_they_stand() -> None:
    assert (orders_seen(shuffle=False) == np.arange(24)).all()


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_stretches_of_any_length_give_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, shuffle: bool, weighted: bool
) -> None:
    w = np.linspace(0.5, 2, 50) if weighted else None
    results = []
    for at_a_time in (2**22, 40, 1):
        monkeypatch.setattr(workings.training.batches, "NUMBERS_AT_A_TIME", at_a_time)
        network = lively()
        history = network.fit(X, Y, optimizer=Adam(Exponential(0.05, 0.9)), epochs=3, batch_size=8, shuffle=shuffle,
                              sample_weight=w)  # fmt: skip
        results.append((bits(network), dict(history)))
    assert results[0] == results[1] == results[2]


# -- the history ----------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_first_loss_is_the_objective_at_the_start(batch_size: int | None, reduction: str, weighted: bool) -> None:
    network = plain(loss=CrossEntropy(reduction=reduction), regularizer=L2(0.1), n_in=2)
    w = np.linspace(0.5, 2, 50) if weighted else None
    start = network.objective(X, Y, w)
    history = network.fit(X, Y, optimizer=SGD(1e-3), epochs=2, batch_size=batch_size, sample_weight=w,
                          validation=(X_VAL, Y_VAL))  # fmt: skip
    samples = 50 if reduction == "sum" else 1
    assert history["loss"][0] == pytest.approx(start / samples, rel=1e-13)
    samples = 30 if reduction == "sum" else 1
    assert history["val_loss"][-1] == pytest.approx(network.objective(X_VAL, Y_VAL) / samples, rel=1e-13)
    assert history["val_accuracy"][-1] == pytest.approx(network.score(X_VAL, Y_VAL), rel=1e-13)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_running_loss_is_scikit_learns() -> None:
    settings = {"solver": "sgd", "momentum": 0, "alpha": 0, "batch_size": 16, "shuffle": False, "warm_start": True}
    theirs = MLPClassifier((4,), "tanh", learning_rate_init=0.3, max_iter=1, random_state=0, **settings).fit(X, Y)
    layers = [
        Dense(W.shape[1], activation, weights=W.copy(), biases=b.copy())
        for W, b, activation in zip(theirs.coefs_, theirs.intercepts_, ("tanh", "identity"), strict=True)
    ]
    ours = Network(layers, loss=BinaryCrossEntropy())
    history = ours.fit(X, Y, optimizer=SGD(0.3), epochs=3, batch_size=16, shuffle=False, running_loss=True)
    theirs.set_params(max_iter=3).fit(X, Y)
    np.testing.assert_allclose(history["loss"], theirs.loss_curve_[1:], rtol=1e-12)


def test_the_running_loss_of_a_sum_is_per_sample() -> None:
    losses = [
        plain(loss=CrossEntropy(reduction=reduction)).fit(
            X, Y, optimizer=SGD(lr), epochs=1, batch_size=25, shuffle=False, running_loss=True
        )["loss"]
        for reduction, lr in (("mean", 0.3), ("sum", 0.3 / 25))
    ]
    np.testing.assert_allclose(*losses, rtol=1e-12)


def test_the_loss_is_measured_at_the_parameters_that_an_epoch_begins_with() -> None:
    network = plain(n_in=2)
    begins = [network.objective(X, Y)]
    note = Call(lambda training: begins.append(training.network.objective(X, Y)))
    history = network.fit(X, Y, optimizer=Adam(0.01), epochs=4, batch_size=7, callbacks=[note])
    np.testing.assert_allclose(history["loss"], begins[:-1], rtol=1e-13)


def test_a_share_for_validation_is_held_out_and_drawn() -> None:
    rows = np.arange(50.0).reshape(-1, 1)
    held: list[np.ndarray] = []
    used: list[np.ndarray] = []

    def note(training: Any) -> None:
        held.append(np.sort(training.validation.X.ravel()))
        used.append(np.sort(training.X.ravel()))

    for seed in (0, 0, 1):
        network = Network([Dense(1)], loss=SquaredError(), seed=seed)
        network.fit(rows / 50, rows.ravel(), optimizer=SGD(1e-3), epochs=1, validation=0.3, callbacks=[Call(note)])
    assert [len(h) for h in held] == [15] * 3
    for h, u in zip(held, used, strict=True):
        assert np.array_equal(np.sort(np.concatenate([h, u])), np.arange(50) / 50)
    assert np.array_equal(held[0], held[1])
    assert not np.array_equal(held[0], held[2])
    assert not np.array_equal(held[0], np.arange(35, 50) / 50)


def test_metrics_are_columns() -> None:
    network = plain()
    history = network.fit(
        X, WORDS[Y], optimizer=SGD(0.5), epochs=3, validation=(X_VAL, WORDS[Y_VAL]),
        metrics={"accuracy": METRICS["accuracy"], "uppers": lambda true, predicted: np.mean(predicted == "upper")},
    )  # fmt: skip
    assert set(history) == {"loss", "lr", "accuracy", "uppers", "val_loss", "val_accuracy", "val_uppers"}
    assert history["accuracy"][-1] == network.score(X, WORDS[Y])
    assert history["val_accuracy"][-1] == network.score(X_VAL, WORDS[Y_VAL])
    assert history["val_uppers"][-1] == np.mean(network.predict(X_VAL) == "upper")
    assert all(len(values) == 3 for values in history.values())


def test_metrics_of_numbers() -> None:
    network = Network([Dense(4, "tanh"), Dense(2)], loss=SquaredError(), seed=0)
    history = network.fit(X, X[:, ::-1], optimizer=SGD(0.1), epochs=3, validation=(X_VAL, X_VAL[:, ::-1]),
                          metrics=["mean_absolute_error", "mean_squared_error"])  # fmt: skip
    expected = {"loss", "lr", "mean_absolute_error", "mean_squared_error"}
    expected |= {"val_loss", "val_r2", "val_mean_absolute_error", "val_mean_squared_error"}
    assert set(history) == expected
    assert history["val_mean_squared_error"][-1] == pytest.approx(network.objective(X_VAL, X_VAL[:, ::-1]), rel=1e-13)
    assert history["val_r2"][-1] == pytest.approx(network.score(X_VAL, X_VAL[:, ::-1]), rel=1e-13)


def test_the_history_tells_how_it_ended_and_what_ran() -> None:
    history = plain().fit(X, Y, optimizer=SGD(0.1), epochs=3)
    assert history.stopped == "all 3 epochs done"
    assert history.engine.startswith("reference")
    assert history.seconds > 0


# -- schedules ------------------------------------------------------------------------------

SCHEDULES = [Step(0.1, every=3), Exponential(0.1, 0.9), InverseScaling(0.1), Cosine(0.1, steps=20),
             WarmUp(Cosine(0.1, steps=20), steps=5)]  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES, ids=[type(schedule).__name__ for schedule in SCHEDULES])
def test_schedules_are_followed_step_by_step(schedule: Any) -> None:
    history = plain().fit(X, Y, optimizer=SGD(schedule), epochs=4, batch_size=10)
    assert history["lr"] == [schedule(4), schedule(9), schedule(14), schedule(19)]
    one = plain().fit(X, Y, optimizer=SGD(schedule), epochs=6, batch_size=None)
    assert one["lr"] == [schedule(t) for t in range(6)]


def test_the_rate_of_a_schedule_is_the_rate_of_the_step() -> None:
    schedule = WarmUp(Exponential(0.3, 0.8), steps=3)
    followed, by_hand = plain(), plain()
    followed.fit(X, Y, optimizer=SGD(schedule), epochs=6, batch_size=None)
    for t in range(6):
        by_hand.step(X, Y, SGD(schedule(t)))
    assert bits(followed) == bits(by_hand)


def test_on_plateau_lowers_the_rate_when_nothing_gets_better() -> None:
    def watched(true: Any, predicted: Any) -> float:
        return next(values)

    values = iter([9.0, 8.0, 7.0, *[8.0] * 7])
    history = plain().fit(
        X, Y, optimizer=SGD(OnPlateau(0.1, factor=0.5, patience=2, monitor="watched", min_lr=0.03)), epochs=10,
        metrics={"watched": watched},
    )  # fmt: skip
    assert history["lr"] == [0.1] * 6 + [0.05] * 3 + [0.03]


# -- weights --------------------------------------------------------------------------------


def steps_of(network: Network, X: Any, y: Any, **settings: Any) -> np.ndarray:
    """Where ten full-batch steps lead to."""
    network.fit(X, y, optimizer=Momentum(0.3), epochs=10, batch_size=None, **settings)
    return network.theta


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kind", [CrossEntropy, BinaryCrossEntropy, SquaredError])
def test_weight_0_takes_a_row_out_and_weight_2_doubles_it(reduction: str, kind: Any) -> None:
    def network() -> Network:
        units = 2 if kind is CrossEntropy else 1
        return Network([Dense(4, "tanh"), Dense(units)], loss=kind(reduction=reduction), seed=0, regularizer=L2(0.01))

    rate = {"mean": Momentum(0.3), "sum": Momentum(0.003)}[reduction]

    def fitted(X: Any, y: Any, w: Any = None) -> np.ndarray:
        trained = network()
        trained.fit(X, y, optimizer=rate, epochs=10, batch_size=None, sample_weight=w)
        return trained.theta

    w = np.ones(50)
    w[[3, 10, 49]] = 0
    np.testing.assert_allclose(fitted(X, Y, w), fitted(X[w > 0], Y[w > 0]), rtol=0, atol=1e-12)
    w = np.ones(50)
    w[[3, 10, 49]] = 2
    twice = np.repeat(np.arange(50), w.astype(int))
    np.testing.assert_allclose(fitted(X, Y, w), fitted(X[twice], Y[twice]), rtol=0, atol=1e-12)


def test_all_weights_alike_change_a_mean_not_at_all() -> None:
    one, other = steps_of(plain(), X, Y), steps_of(plain(), X, Y, sample_weight=np.full(50, 3.0))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


UNEVEN = np.flatnonzero((Y == 0) | (np.arange(50) % 4 == 0))


@pytest.mark.parametrize("labels", [np.array([0, 1]), WORDS, np.array([-3, 8]), np.array([False, True])], ids=str)
@pytest.mark.parametrize("one_output", [True, False])
def test_class_weights_equal_sample_weights(labels: np.ndarray, one_output: bool) -> None:
    X_uneven, y = X[UNEVEN], labels[Y[UNEVEN]]

    def network() -> Network:
        loss: Any = BinaryCrossEntropy() if one_output else CrossEntropy()
        return Network([Dense(4, "tanh"), Dense(1 if one_output else 2)], loss=loss, seed=0)

    by_dict = {labels[0].item(): 0.5, labels[1].item(): 3.0}
    given = np.linspace(1, 2, len(y))
    for class_weight in (by_dict, "balanced", {labels[1].item(): 3.0}):
        expected = compute_sample_weight(class_weight, y)
        np.testing.assert_allclose(
            steps_of(network(), X_uneven, y, class_weight=class_weight),
            steps_of(network(), X_uneven, y, sample_weight=expected), rtol=0, atol=1e-12,
        )  # fmt: skip
        np.testing.assert_allclose(
            steps_of(network(), X_uneven, y, class_weight=class_weight, sample_weight=given),
            steps_of(network(), X_uneven, y, sample_weight=expected * given), rtol=0, atol=1e-12,
        )  # fmt: skip


# -- early stopping -------------------------------------------------------------------------

MONITORS: dict[str, Any] = {
    "val_loss": "val_loss",
    "val_accuracy": "val_accuracy",
    "loss": "loss",
    "function": lambda network: network.objective(X_VAL, Y_VAL),
}
SETTINGS: dict[str, Any] = {"optimizer": SGD(4.0), "batch_size": 8, "validation": (X_VAL, Y_VAL)}


def best_of(monitor: str, optimizer: Any = None, epochs: int = 30, **settings: Any) -> tuple[list[bytes], list[float]]:
    """The parameters of each epoch of a run without early stopping, and what they are worth (low is good)."""
    network = plain(n_in=2)
    before, after = [bits(network)], []
    note = Call(lambda training: (before.append(bits(network)), after.append(MONITORS["function"](network))))
    history = network.fit(X, Y, epochs=epochs, callbacks=[note],
                          **{**SETTINGS, **({"optimizer": optimizer} if optimizer else {}), **settings})  # fmt: skip
    if monitor == "loss":
        return before[:-1], history["loss"]
    worth = {"val_loss": history["val_loss"], "val_accuracy": [-v for v in history["val_accuracy"]], "function": after}
    return before[1:], worth[monitor]


class Interrupt(Callback):
    """Presses Ctrl-C at the end of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, training: Any) -> None:
        if training.epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("monitor", MONITORS)
@pytest.mark.parametrize("ending", ["stopped early", "all epochs done", "interrupted"])
def test_the_best_parameters_are_put_back_however_training_ended(monitor: str, ending: str) -> None:
    parameters, worth = best_of(monitor)
    patience = 3 if ending == "stopped early" else 100
    stopping = EarlyStopping(MONITORS[monitor], patience=patience)
    more = [Interrupt(20)] if ending == "interrupted" else []
    network = plain(n_in=2)
    history = network.fit(X, Y, epochs=30, callbacks=[stopping, *more], **SETTINGS)
    if ending == "stopped early":
        assert history.epochs < 30, "the test wants a run that stops early"
        assert "was not better for 3 epochs" in history.stopped
    assert history.epochs == {"all epochs done": 30, "interrupted": 21}.get(ending, history.epochs)
    best = int(np.argmin(worth[: history.epochs]))
    assert stopping.best_epoch == best
    assert bits(network) == parameters[best]
    assert bits(network) != parameters[history.epochs - 1] or best == history.epochs - 1
    if ending == "stopped early":
        assert history.epochs == best + 1 + 3
        assert f"best at epoch {best}" in history.stopped


def test_patience_is_counted_in_epochs_without_a_better_value() -> None:
    values = iter([5.0, 4.0, 4.5, 4.2, 3.9, 4.0, 4.0, 4.0, 1.0, 1.0])
    stopping = EarlyStopping(lambda network: next(values), patience=3)
    history = plain().fit(X, Y, optimizer=SGD(0.1), epochs=10, callbacks=[stopping])
    assert (history.epochs, stopping.best_epoch, stopping.best) == (8, 4, 3.9)


def test_small_gains_do_not_count() -> None:
    values = iter([5.0, 4.99, 4.98, 4.97, 4.0])
    stopping = EarlyStopping(lambda network: next(values), patience=3, min_delta=0.1)
    history = plain().fit(X, Y, optimizer=SGD(0.1), epochs=5, callbacks=[stopping])
    assert (history.epochs, stopping.best_epoch) == (4, 0)


def test_a_value_that_is_no_number_is_not_the_best() -> None:
    values = iter([np.nan, 3.0, 2.0, 2.5, np.nan])
    stopping = EarlyStopping(lambda network: next(values), patience=9)
    plain().fit(X, Y, optimizer=SGD(0.1), epochs=5, callbacks=[stopping])
    assert (stopping.best_epoch, stopping.best) == (2, 2.0)


def test_what_is_monitored_may_be_any_callable() -> None:
    class Worth:
        def __call__(self, network: Network) -> float:
            return 1.0

    history = plain().fit(X, Y, optimizer=SGD(0.1), epochs=9, callbacks=[EarlyStopping(Worth(), patience=2)])
    assert history.epochs == 3
    assert "not better for 2 epochs" in history.stopped


def test_one_early_stopping_can_be_used_for_two_runs() -> None:
    stopping, results = EarlyStopping(patience=2), []
    for _ in range(2):
        network = plain()
        network.fit(X, Y, epochs=12, callbacks=[stopping], **SETTINGS)
        results.append(bits(network))
    assert results[0] == results[1]


def test_the_best_parameters_are_put_back_after_divergence() -> None:
    class Rising:
        """A rate that gets out of hand."""

        def __call__(self, t: int) -> float:
            return 0.05 if t < 60 else 1e150

    network = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=2)
    noted: list[tuple[float, bytes]] = []
    note = Call(lambda training: noted.append((training.history["val_loss"][-1], bits(network))))
    with pytest.raises(DivergenceError) as caught:
        network.fit(X, X[:, 0], optimizer=SGD(Rising()), epochs=90, batch_size=5, validation=(X_VAL, X_VAL[:, 0]),
                    callbacks=[EarlyStopping(patience=90), note])  # fmt: skip
    assert caught.value.history is not None
    assert len(caught.value.history["loss"]) == len(noted) >= 6  # type: ignore[index]
    assert bits(network) == min(noted)[1]


@pytest.mark.parametrize("monitor", ["loss", "val_loss"])
def test_early_stopping_with_l_bfgs_keeps_the_best(monitor: str) -> None:
    network = plain(n_in=2)
    history = network.fit(X, Y, optimizer=LBFGS(), epochs=25, batch_size=None, validation=(X_VAL, Y_VAL),
                          callbacks=[EarlyStopping(monitor, patience=100)])  # fmt: skip
    best = min(history[monitor])
    measured = network.objective(X, Y) if monitor == "loss" else network.objective(X_VAL, Y_VAL)
    assert measured <= best * (1 + 1e-12)


# -- Ctrl-C ---------------------------------------------------------------------------------


def test_an_interruption_in_a_callback_keeps_what_was_learned() -> None:
    stopped, short = plain(), plain()
    history = stopped.fit(X, Y, optimizer=Adam(0.05), epochs=50, batch_size=8, callbacks=[Interrupt(4)])
    short.fit(X, Y, optimizer=Adam(0.05), epochs=5, batch_size=8)
    assert history.epochs == 5
    assert history.stopped == "interrupted in epoch 4"
    assert bits(stopped) == bits(short)


def test_an_interruption_in_the_middle_of_an_epoch_keeps_the_last_whole_epoch() -> None:
    calls = [0]

    def pressing(z: Any) -> Any:
        if len(z) == 10:
            calls[0] += 1
        if calls[0] == 13:
            raise KeyboardInterrupt
        return np.tanh(z)

    def tanh(z: Any) -> Any:
        return np.tanh(z)

    def slope(a: Any) -> Any:
        return 1 - a**2

    def network(function: Any) -> Network:
        layers = [Dense(4, Activation("pressed", function, slope)), Dense(2)]
        return Network(layers, loss=CrossEntropy(), seed=0)

    interrupted, by_hand = network(pressing), network(tanh)
    history = interrupted.fit(X, Y, optimizer=SGD(0.1), epochs=9, batch_size=10, shuffle=False)
    assert history.epochs == 2
    assert history.stopped == "interrupted in epoch 2"
    for t in range(10):
        rows = slice(10 * (t % 5), 10 * (t % 5) + 10)
        by_hand.step(X[rows], Y[rows], SGD(0.1))
    assert np.isfinite(interrupted.theta).all()
    np.testing.assert_allclose(interrupted.theta, by_hand.theta, rtol=1e-12)


def test_an_interruption_of_l_bfgs_keeps_the_last_iteration() -> None:
    network, short = plain(), plain()
    history = network.fit(X, Y, optimizer=LBFGS(), epochs=50, batch_size=None, callbacks=[Interrupt(4)])
    short.fit(X, Y, optimizer=LBFGS(), epochs=5, batch_size=None)
    assert history.epochs == 5
    np.testing.assert_allclose(network.theta, short.theta, rtol=1e-12)


INTERRUPTED = """
from workings import SGD, Callback, CrossEntropy, Dense, EarlyStopping, Network
from workings.datasets import moons

class Tell(Callback):
    def on_epoch_end(self, training):
        if training.epoch == 20:
            print("under way", flush=True)

X, y = moons(seed=0)
network = Network([Dense(8, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
callbacks = [EarlyStopping(patience=10**7), Tell()]
history = network.fit(
    X, y, optimizer=SGD(1.0), epochs=10**7, validation=0.2, callbacks=callbacks, engine="reference"
)
print(history.stopped.startswith("interrupted"), history.epochs > 20, network.score(X, y) > 0.8, flush=True)
"""


def test_ctrl_c_ends_training_and_keeps_what_was_learned() -> None:
    assert interrupted(INTERRUPTED) == ["True", "True", "True"]


@pytest.mark.parametrize("batch_size", [None, 20])
def test_single_precision_stays_single(batch_size: int | None) -> None:
    X, y = moons(n=60, seed=0)
    network = Network([Dense(3, "tanh"), BatchNorm(), Dense(2)], loss=CrossEntropy(), seed=0, dtype="float32")
    network.fit(X, y, optimizer=SGD(0.1), epochs=2, batch_size=batch_size, engine="reference")
    assert {array.dtype.name for array in network.statistics.values()} == {"float32"}


@pytest.mark.parametrize("refused", [
    {"validation": 2.0}, {"validation": (X[:, :1], Y)}, {"class_weight": {7: 1.0}}, {"sample_weight": [1.0]},
    {"metrics": ["speed"]}, {"batch_size": 0}, {"engine": "slow"}, {"optimizer": "adam"}, {"epochs": 1.5},
    {"validation": 0.0001}, {"optimizer": LBFGS(), "engine": "compiled"}, {"optimizer": LBFGS()},
    {"sample_weight": np.zeros(len(X))}, {"callbacks": [EarlyStopping()]}, {"callbacks": [EarlyStopping("foo")]},
    {"optimizer": SGD(OnPlateau(0.1, monitor="val_loss"))}, {"metrics": {"m": 3}}, {"callbacks": [print]},
])  # fmt: skip
def test_a_refused_fit_leaves_the_network_as_it_was(refused: dict[str, Any]) -> None:
    def network() -> Network:
        return Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)

    tried, other = network(), network()
    settings = {"optimizer": SGD(0.1), "epochs": 3, "batch_size": 10, **refused}
    with pytest.raises(InputError):
        tried.fit(X, Y, **settings)
    assert (tried.n_in, tried.classes, tried.history, len(tried.parameters)) == (None, None, None, 0)
    for each in (tried, other):
        each.fit(X, Y, optimizer=SGD(0.1), epochs=3, batch_size=10, validation=0.2)
    assert tried.theta.tobytes() == other.theta.tobytes(), "not even its random generator"


def test_a_refused_fit_keeps_what_was_learned_before() -> None:
    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    history = network.fit(X, Y, optimizer=SGD(0.1), epochs=3, batch_size=10)
    before = network.theta.tobytes()
    with pytest.raises(InputError):
        network.fit(X, Y, optimizer=SGD(0.1), epochs=3, validation=0.00001)
    assert network.theta.tobytes() == before
    assert network.history is history


def test_progress_counts_the_iterations_of_l_bfgs() -> None:
    stream = io.StringIO()
    history = plain().fit(
        X, Y, optimizer=LBFGS(), epochs=5, batch_size=None, callbacks=[Progress(every=0, stream=stream)]
    )
    assert stream.getvalue().split("\r")[-1].startswith(f"epoch {history.epochs}/5 ")


def test_parameters_of_other_epochs_are_refused() -> None:
    asked: list[int] = []

    def ask(training: Any) -> None:
        assert training.parameters_at(training.epoch)["W1"].shape == (2, 2)
        for epoch in (training.epoch - 2, training.epoch + 1):
            with pytest.raises(InputError, match=f"not the parameters of epoch {epoch}"):
                training.parameters_at(epoch)
            asked.append(epoch)

    Network([Dense(2)], loss=CrossEntropy(), seed=0).fit(X, Y, optimizer=SGD(0.1), epochs=3, callbacks=[Call(ask)])
    assert asked == [-2, 1, -1, 2, 0, 3]


def no_number(t: int) -> Any:
    return np.nan if t == 3 else 0.1


def failing(y_true: Any, y_pred: Any) -> float:
    raise ValueError("not today")


@pytest.mark.parametrize("is_trained", [False, True])
@pytest.mark.parametrize("wrong", [
    {"optimizer": SGD(no_number)}, {"metrics": {"m": failing}}, {"callbacks": ["another run's checkpoint"]},
    {"optimizer": SGD(lambda t: "a")},
])  # fmt: skip
def test_an_error_in_the_first_epoch_leaves_the_network_as_it_was(wrong: Any, is_trained: bool, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    plain().fit(X, Y, optimizer=Adam(), epochs=1, callbacks=[Checkpoint(path)])
    if "callbacks" in wrong:
        wrong = {"callbacks": [Checkpoint(path, resume=True)]}
    tried, other = plain(), plain()
    if is_trained:
        for each in (tried, other):
            each.fit(X, Y, optimizer=SGD(0.1), epochs=2, batch_size=10)
    history = tried.history
    with pytest.raises((ValueError, TypeError, OSError)):
        tried.fit(X, Y, **{"optimizer": SGD(0.1), "epochs": 3, "batch_size": 10, "engine": "reference", **wrong})
    assert (tried.n_in, tried.history) == (other.n_in, history)
    assert tried.theta.tobytes() == other.theta.tobytes()
    for each in (tried, other):
        each.fit(X, Y, optimizer=SGD(0.1), epochs=3, batch_size=10, validation=0.2)
    assert tried.theta.tobytes() == other.theta.tobytes()


def test_a_training_set_without_weight_is_refused() -> None:
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0)
    only_the_first = np.eye(1, len(X))[0]
    with pytest.raises(InputError, match="weight 0"):  # the other label counts nothing, either
        network.fit(X, Y, optimizer=SGD(0.1), epochs=1, sample_weight=only_the_first, class_weight={int(Y[0]): 0.0})


def test_a_validation_set_with_named_columns_is_encoded() -> None:
    from workings.tables.columns import Columns, NumberColumn

    network = Network([Dense(1)], loss="SquaredError", seed=0, n_in=1)
    network.preprocessing = Columns((NumberColumn("a", 10.0, 2.0),), "y", (5.0, 3.0)).stored((), "for a test")
    table, y = {"a": [8.0, 10.0, 12.0, 14.0]}, [2.0, 5.0, 8.0, 11.0]
    history = network.fit(table, y, optimizer=SGD(0.1), epochs=3, batch_size=None, validation=(table, y))
    np.testing.assert_allclose(history["val_loss"][:-1], history["loss"][1:], rtol=1e-12)


# -- callbacks ------------------------------------------------------------------------------


def test_callbacks_are_told_every_moment_in_order() -> None:
    told: list[str] = []

    class Note(Callback):
        def on_train_begin(self, training: Any) -> None:
            told.append("begin")

        def on_epoch_begin(self, training: Any) -> None:
            told.append(f"epoch {training.epoch} of {training.epochs}")

        def on_epoch_end(self, training: Any) -> None:
            told.append(f"after {training.step} steps")
            if training.epoch == 1:
                training.stop("enough")

        def on_train_end(self, training: Any) -> None:
            told.append(training.history.stopped)

    history = plain().fit(X, Y, optimizer=SGD(0.1), epochs=5, batch_size=25, callbacks=[Note()])
    assert told == ["begin", "epoch 0 of 5", "after 2 steps", "epoch 1 of 5", "after 4 steps", "enough"]
    assert (history.epochs, history.stopped) == (2, "enough")


def test_progress_writes_loss_and_rate() -> None:
    stream = io.StringIO()
    history = plain().fit(
        X, Y, optimizer=SGD(0.1), epochs=4, validation=0.2, callbacks=[Progress(every=0, stream=stream)]
    )
    lines = stream.getvalue().replace("\n", "\r").split("\r")
    lines = [line.rstrip() for line in lines if line.strip()]
    assert lines[0].startswith("epoch 1/4")
    assert lines[-1].startswith("epoch 4/4")
    assert f"loss {history['loss'][-1]:.4g}" in lines[-1]
    assert f"val_loss {history['val_loss'][-1]:.4g}" in lines[-1]
    assert lines[-1].endswith("epochs/s")
    assert stream.getvalue().endswith("\n")


def test_progress_does_not_write_too_often() -> None:
    stream = io.StringIO()
    plain().fit(X, Y, optimizer=SGD(0.1), epochs=30, batch_size=None, callbacks=[Progress(every=60, stream=stream)])
    assert stream.getvalue().count("\r") == 2  # the first epoch, and the end


# -- L-BFGS ---------------------------------------------------------------------------------


def test_l_bfgs_comes_lower_than_gradient_descent() -> None:
    quick, slow = plain(), plain()
    quick.fit(X, Y, optimizer=LBFGS(), epochs=60, batch_size=None)
    slow.fit(X, Y, optimizer=SGD(0.5), epochs=60, batch_size=None)
    assert quick.objective(X, Y) < slow.objective(X, Y)


def test_l_bfgs_ends_where_it_is_told_to() -> None:
    full, few, content = plain(), plain(), plain()
    all_of_it = full.fit(X, Y, optimizer=LBFGS(), epochs=60, batch_size=None).epochs
    short = few.fit(X, Y, optimizer=LBFGS(evaluations=8), epochs=60, batch_size=None)
    early = content.fit(X, Y, optimizer=LBFGS(improvement=0.05), epochs=60, batch_size=None)
    assert short.epochs <= 8
    assert 1 < early.epochs < all_of_it
    drops = -np.diff([*early["loss"], content.objective(X, Y)]) / np.maximum(early["loss"], 1)
    assert drops[-1] <= 0.05 < drops[:-1].min()


def test_a_callback_may_set_the_rate() -> None:
    class Halve(Callback):
        def on_epoch_end(self, training: Any) -> None:
            training.set_rate(training.lr / 2)

    history = plain().fit(X, Y, optimizer=SGD(0.1), epochs=4, batch_size=10, callbacks=[Halve()])
    assert history["lr"] == [0.1, 0.05, 0.025, 0.0125]


def test_l_bfgs_records_each_iteration() -> None:
    network = plain(n_in=2)
    start = network.objective(X, Y)
    history = network.fit(X, Y, optimizer=LBFGS(), epochs=20, batch_size=None, validation=(X_VAL, Y_VAL))
    assert history.epochs == 20
    assert history["loss"][0] == pytest.approx(start, rel=1e-13)
    assert history["loss"] == sorted(history["loss"], reverse=True)
    assert history["val_loss"][-1] == pytest.approx(network.objective(X_VAL, Y_VAL), rel=1e-13)
    assert "L-BFGS ended after 20 iterations" in history.stopped


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weighted", [True, False])
def test_l_bfgs_finds_the_coefficients_that_scikit_learn_finds(classes: int, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((120, 4))
    y = (inputs @ rng.standard_normal((4, classes)) + rng.standard_normal((120, classes))).argmax(axis=1)
    w = rng.uniform(0.2, 2, 120) if weighted else np.ones(120)
    C = 0.7
    theirs = LogisticRegression(C=C, tol=1e-12, max_iter=10_000).fit(inputs, y, sample_weight=w)
    if classes == 2:
        network = Network([Dense(1)], loss=BinaryCrossEntropy(), regularizer=L2(1 / (C * w.sum())), seed=0)
    else:
        network = Network([Dense(3)], loss=CrossEntropy(), regularizer=L2(1 / (C * w.sum())), seed=0)
    network.fit(inputs, y, optimizer=LBFGS(), epochs=2000, batch_size=None, sample_weight=w if weighted else None)
    np.testing.assert_allclose(network.parameters["W1"].T, theirs.coef_, rtol=0, atol=1e-4)
    np.testing.assert_allclose(network.predict_proba(inputs), theirs.predict_proba(inputs), rtol=0, atol=1e-4)
    assert np.array_equal(network.predict(inputs), theirs.predict(inputs))


# -- types and labels -----------------------------------------------------------------------


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_float32_stays_float32_everywhere(activation: str) -> None:
    layers = [Dense(4, activation), BatchNorm(), Dropout(0.2), Dense(2)]
    network = Network(layers, loss=CrossEntropy(label_smoothing=0.1), regularizer=L2(1e-3), seed=0)
    small = X.astype(np.float32)
    kept: dict[str, np.dtype[Any]] = {}
    note = Call(lambda training: kept.update({name: v.dtype for name, v in training.values.items()}))
    optimizer = Chain(ClipByNorm(1.0), Adam(Exponential(0.01, 0.99)))
    network.fit(small, Y, optimizer=optimizer, epochs=2, sample_weight=np.linspace(1, 2, 50), callbacks=[note])
    assert set(kept.values()) == {np.dtype(np.float32)}
    assert network.theta.dtype == np.float32
    assert network.predict_proba(X).dtype == np.float32
    trace = network.step(small, Y, optimizer, np.linspace(1, 2, 50))
    wide = [name for name in trace if np.asarray(trace[name]).dtype == np.float64 and name not in ("lr", "t", "n")]
    assert not [name for name in wide if np.ndim(trace[name])]
    assert trace["J"].dtype == np.float32
    assert {v.dtype for v in trace.after.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", [np.float64, np.int32, np.uint8, bool, np.float16])
def test_everything_else_is_worked_on_in_float64(kind: Any) -> None:
    network = plain()
    network.fit((10 * np.abs(X)).astype(kind), Y, optimizer=SGD(0.01), epochs=1)
    assert network.theta.dtype == np.float64
    assert network.predict_proba(X.astype(np.float32)).dtype == np.float64


def test_a_type_that_is_given_is_taken() -> None:
    narrow, wide = plain(dtype="float32"), plain(dtype=np.float64)
    narrow.fit(X, Y, optimizer=SGD(0.1), epochs=1)
    wide.fit(X.astype(np.float32), Y, optimizer=SGD(0.1), epochs=1)
    assert narrow.theta.dtype == np.float32
    assert wide.theta.dtype == np.float64


@pytest.mark.parametrize(
    "labels", [WORDS, np.array([False, True]), np.array([3, 8]), np.array([-1, 1]), np.array(["b", "a"], dtype=object),
               np.array([2, 5], dtype=np.uint8)], ids=str,
)  # fmt: skip
@pytest.mark.parametrize("one_output", [True, False])
def test_labels_of_any_kind_come_back(labels: np.ndarray, one_output: bool) -> None:
    loss: Any = BinaryCrossEntropy() if one_output else CrossEntropy()
    network = Network([Dense(4, "tanh"), Dense(1 if one_output else 2)], loss=loss, seed=0)
    y = labels[Y]
    history = network.fit(X, y, optimizer=SGD(1.0), epochs=100, batch_size=None, validation=(X_VAL, labels[Y_VAL]))
    assert network.classes is not None
    assert network.classes.tolist() == sorted(labels.tolist())
    assert set(network.predict(X).tolist()) == set(labels.tolist())
    assert network.score(X, y) > 0.8
    assert history["val_accuracy"][-1] == network.score(X_VAL, labels[Y_VAL])
    probabilities = network.predict_proba(X)
    assert probabilities.shape == (50, 2)
    assert np.array_equal(network.classes[probabilities.argmax(axis=1)], network.predict(X))


def test_the_words_for_labels_do_not_change_the_numbers() -> None:
    as_numbers, as_words = plain(), plain()
    as_numbers.fit(X, Y, optimizer=SGD(0.1), epochs=3)
    as_words.fit(X, WORDS[Y], optimizer=SGD(0.1), epochs=3)
    assert bits(as_numbers) == bits(as_words)


def test_three_outputs_of_numbers() -> None:
    targets = np.column_stack([X, X.sum(axis=1)])
    network = Network([Dense(3)], loss=SquaredError(), seed=0)
    network.fit(X, targets, optimizer=LBFGS(), epochs=200, batch_size=None)
    assert network.predict(X).shape == (50, 3)
    np.testing.assert_allclose(network.predict(X), targets, atol=1e-4)
    assert network.score(X, targets) == pytest.approx(1, abs=1e-6)


def test_one_output_of_numbers_is_a_vector() -> None:
    network = Network([Dense(1)], loss=SquaredError(), seed=0)
    network.fit(X, X[:, 0], optimizer=SGD(0.1), epochs=2)
    assert network.predict(X).shape == (50,)
    assert network.outputs(X).shape == (50, 1)


def test_several_labels_for_each_row() -> None:
    labels = np.column_stack([X[:, 0] > 0.5, X[:, 1] > 0.2, Y == 1])
    network = Network([Dense(8, "tanh"), Dense(3)], loss=BinaryCrossEntropy(), seed=0)
    network.fit(X, labels, optimizer=LBFGS(), epochs=300, batch_size=None)
    assert network.predict(X).shape == (50, 3)
    assert set(np.unique(network.predict(X))) == {0, 1}
    assert network.predict_proba(X).shape == (50, 3)
    assert network.score(X, labels.astype(int)) > 0.95
    assert network.score(X, labels) == network.score(X, labels.astype(int))


def test_three_classes() -> None:
    y = np.digitize(X[:, 0], [0.0, 1.0])
    network = Network([Dense(8, "tanh"), Dense(3)], loss=CrossEntropy(), seed=0)
    network.fit(X, y, optimizer=LBFGS(), epochs=200, batch_size=None)
    assert network.predict_proba(X).shape == (50, 3)
    assert network.score(X, y) == 1


def test_the_data_of_the_caller_are_not_touched() -> None:
    inputs, targets, w = X.copy(), Y.copy(), np.linspace(0, 1, 50)
    lively().fit(inputs, targets, optimizer=Adam(), epochs=2, validation=0.2, sample_weight=w)
    assert np.array_equal(inputs, X)
    assert np.array_equal(targets, Y)
    assert np.array_equal(w, np.linspace(0, 1, 50))


# -- what once went wrong in silence --------------------------------------------------------


def test_a_last_update_that_ruins_the_network_is_noticed():
    network = Network([Dense(3, "tanh"), Dense(1)], loss=SquaredError(), seed=0, n_in=2)
    start = network.theta.copy()
    with pytest.raises(DivergenceError, match="after step 1 the objective J was inf"):
        network.fit(X, Y, optimizer=SGD(1e200), epochs=1, batch_size=None)
    assert (network.theta == start).all()


def test_an_infinite_objective_of_mini_batches_is_noticed():
    network = Network([Dense(3, "tanh"), Dense(1)], loss=SquaredError(), seed=0)
    with pytest.raises(DivergenceError, match="J"):
        network.fit(X, Y * 1e200, optimizer=SGD(1e-3), epochs=2, batch_size=10)


def test_an_infinite_objective_stops_l_bfgs():
    network = Network([Dense(3, "tanh"), Dense(1)], loss=SquaredError(), seed=0)
    with pytest.raises(DivergenceError, match="before the first step"):
        network.fit(X, Y * 1e200, optimizer=LBFGS(), epochs=2, batch_size=None)


def test_two_optimizers_of_one_name_are_two():
    def stay(theta, g, lr):
        theta = theta - 0 * lr * g
        return theta

    def go(theta, g, lr):
        theta = theta - lr * g
        return theta

    network = small_classifier()
    moved = []
    for rule in (stay, go):
        kind = dataclasses.dataclass(frozen=True)(type("Mine", (Optimizer,), {"rules": (rule,)}))
        before = network.build(2).theta.copy() if not moved else network.theta.copy()
        network.fit(X, Y, optimizer=kind(0.1), epochs=1)
        moved.append(not (network.theta == before).all())
    assert moved == [False, True]


def test_looking_at_a_network_teaches_it_no_labels():
    network = small_classifier()
    network.objective(X, Y)
    network.trace(X, Y)
    network.score(X, Y)
    assert network.classes is None
    words = np.array(["a", "b"])[Y]
    with pytest.raises(InputError):
        network.fit(X, Y, optimizer=SGD(0.1), epochs=1, validation=3)
    network.fit(X, words, optimizer=SGD(0.1), epochs=1)
    assert network.classes.tolist() == ["a", "b"]


def test_an_error_of_ones_own_needs_to_say_which_way_is_better():
    def rmse(y_true, y_pred, w=None):
        return float(np.sqrt(((y_true - y_pred) ** 2).mean()))

    settings = {"optimizer": SGD(0.05), "epochs": 30, "validation": 0.3, "metrics": {"rmse": rmse}}
    network = Network([Dense(1)], loss=SquaredError(), seed=0)
    with pytest.raises(InputError, match="Say higher_is_better"):
        network.fit(X, X[:, 0], callbacks=[EarlyStopping("val_rmse")], **settings)
    stopper = EarlyStopping("val_rmse", higher_is_better=False, patience=30)
    history = Network([Dense(1)], loss=SquaredError(), seed=0).fit(X, X[:, 0], callbacks=[stopper], **settings)
    assert stopper.best_epoch == int(np.argmin(history["val_rmse"]))


def test_on_plateau_knows_that_accuracy_is_to_rise():
    schedule = OnPlateau(0.1, factor=0.5, patience=0, monitor="val_accuracy")
    state = schedule.follow({}, 0.5)
    assert schedule.follow(state, 0.6)["lr"] == 0.1
    assert schedule.follow(state, 0.4)["lr"] == 0.05


def test_a_last_layer_that_has_an_activation_and_a_link_is_warned_of():
    with pytest.warns(WorkingsWarning, match="BinaryCrossEntropy applies its own"):
        Network([Dense(3, "tanh"), Dense(1, "sigmoid")], loss=BinaryCrossEntropy())


def test_a_step_is_not_for_l_bfgs():
    with pytest.raises(InputError, match="use fit"):
        small_classifier().step(X, Y, LBFGS())


def test_a_schedule_that_turns_negative_is_refused():
    with pytest.raises(InputError, match="must be positive"):
        small_classifier().fit(X, Y, optimizer=SGD(lambda t: 0.1 - t), epochs=2)


def small_classifier() -> Network:
    """A small network for two classes."""
    return Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)


def test_a_value_that_is_not_finite_is_named_with_its_statement() -> None:
    program = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=2).inference_program()
    words = "z1 was the first value that was not finite, in `z1 = X @ W1 + b1` (layer 1: Dense(1))"
    assert describe_value(program, "z1") == words
    assert describe_value(program, None) == "J was the first value that was not finite"


def test_early_stopping_looks_at_no_epoch_after_the_one_at_which_it_stops():
    stopping = EarlyStopping("loss", patience=2)
    assert stopping.follow((np.inf, -1, 0), 0, [1.0, 2.0, 3.0, 0.0]) == (1.0, 0, 2)
    assert stopping.follow((1.0, 3, 1), 5, [0.5, 0.6]) == (0.5, 5, 1)


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_the_accuracy_of_labels_in_the_history_is_that_of_score(columns):
    X = np.random.default_rng(0).normal(size=(40, 3))
    y = (X[:, :columns].squeeze() > 0).astype(int)
    net = Network([Dense(columns)], loss=BinaryCrossEntropy(), seed=0)
    history = net.fit(X, y, optimizer=SGD(0.5), epochs=4, metrics=["accuracy"], validation=(X, y), batch_size=10)
    assert history["val_accuracy"][-1] == net.score(X, y) < 1
