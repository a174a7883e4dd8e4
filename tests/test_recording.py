"""Recording: snapshots and signals are what the network was, and the run is what it would have been."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workings import (
    LBFGS,
    SGD,
    Adam,
    BatchNorm,
    Callback,
    Checkpoint,
    CrossEntropy,
    Dense,
    DivergenceError,
    Dropout,
    EarlyStopping,
    InputError,
    Network,
    Signals,
    Snapshots,
)
from workings.datasets import moons
from workings.engines.compiled.engine import is_installed
from workings.training.recorders import restoring, spaced_epochs

needs_llvm = pytest.mark.skipif(not is_installed(), reason="llvmlite is not installed")
ENGINES = ["reference", pytest.param("compiled", marks=needs_llvm)]

X, Y = moons(60, 0.2, seed=0)
FULL = {"optimizer": Adam(0.05), "batch_size": None}
BATCHES = {"optimizer": SGD(0.1), "batch_size": 16}


def small(**more):
    return Network([Dense(4, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0, **more)


def noisy():
    return Network([Dense(6, "relu"), BatchNorm("relu"), Dropout(0.3), Dense(2)], loss=CrossEntropy(), seed=0)


# When it looks


@given(st.integers(1, 10**6), st.integers(2, 300))
def test_moments_go_from_the_beginning_to_the_end_in_growing_steps(epochs, count):
    chosen = spaced_epochs(epochs, count)
    gaps = np.diff(chosen)
    assert (chosen[0], chosen[-1]) == (0, epochs)
    assert len(chosen) == min(count, epochs + 1)
    assert (gaps >= 1).all()
    assert (gaps[1:-1] >= gaps[:-2] - 1).all()  # but for rounding


@pytest.mark.parametrize(("every", "expected"), [(10, [0, 10, 20, 25]), (25, [0, 25]), (100, [0, 25])])
def test_it_looks_every_so_many_epochs_and_at_the_end(every, expected):
    snapshots = Snapshots(every=every)
    small().fit(X, Y, epochs=25, callbacks=[snapshots], **FULL)
    assert snapshots.epochs == expected


@pytest.mark.parametrize("wrong", [{"every": 0}, {"every": True}, {"every": 1.5}, {"count": 1}, {"count": "many"}])
def test_when_to_look_must_be_a_whole_number(wrong):
    with pytest.raises(InputError, match=r"must be a whole number from"):
        Snapshots(**wrong)


class Told(Callback):
    every_epoch = False

    def __init__(self):
        self.epochs = []

    def on_epoch_begin(self, training):
        self.epochs.append(training.epoch)


@pytest.mark.parametrize("engine", ENGINES)
def test_epochs_between_two_looks_are_still_run_together(engine, monkeypatch):
    monkeypatch.setattr("workings.training.epoch_blocks.MANY_EPOCHS", 1e9)  # however long they take
    snapshots, told = Snapshots(every=1000), Told()
    small().fit(X, Y, epochs=5000, callbacks=[snapshots, told], engine=engine, **FULL)
    assert snapshots.epochs == [0, 1000, 2000, 3000, 4000, 5000]
    assert len(told.epochs) < 20


# Snapshots


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", [FULL, BATCHES])
@pytest.mark.parametrize("make", [small, noisy])
def test_a_snapshot_is_the_network_of_a_run_that_ends_there(make, how, engine):
    snapshots = Snapshots(count=7)
    network = make()
    history = network.fit(X, Y, epochs=40, callbacks=[snapshots], engine=engine, **how)
    assert snapshots.history is history
    for epoch, values, theta in zip(snapshots.epochs, snapshots.values, snapshots.thetas, strict=True):
        other = make().build(2, X.dtype)
        if epoch:
            other.fit(X, Y, epochs=epoch, engine=engine, **how)
        np.testing.assert_array_equal(theta, other.theta)
        for name, array in {**other.parameters, **other.statistics}.items():
            np.testing.assert_array_equal(values[name], array)
    np.testing.assert_array_equal(snapshots.thetas[-1], network.theta)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", [FULL, BATCHES])
def test_recording_changes_nothing(how, engine):
    alone, watched = noisy(), noisy()
    expected = alone.fit(X, Y, epochs=30, engine=engine, **how)
    recorders = [Snapshots(count=5), Signals(X[:20], Y[:20], every=3)]
    history = watched.fit(X, Y, epochs=30, engine=engine, callbacks=recorders, **how)
    assert history["loss"] == expected["loss"]
    np.testing.assert_array_equal(watched.theta, alone.theta)
    assert watched.rng.random() == alone.rng.random()


def test_a_snapshot_is_a_copy():
    snapshots, network = Snapshots(every=5), small()
    network.fit(X, Y, epochs=10, callbacks=[snapshots], **FULL)
    before = snapshots.thetas
    network.theta[...] = 0
    np.testing.assert_array_equal(snapshots.thetas, before)


@needs_llvm
@pytest.mark.parametrize("batch_size", [None, 16])
def test_with_early_stopping_the_last_snapshot_is_the_best_epoch(batch_size):
    snapshots, network = Snapshots(every=5), small()
    stopping = EarlyStopping("val_loss", patience=3)
    history = network.fit(
        X, Y, optimizer=SGD(20.0), epochs=2000, batch_size=batch_size, callbacks=[snapshots, stopping],
        validation=(X[::3], Y[::3]), engine="compiled",
    )  # fmt: skip
    assert snapshots.epochs[-1] == history.epochs < 2000
    assert snapshots.epochs[:-1] == list(range(0, history.epochs, 5))
    np.testing.assert_array_equal(snapshots.thetas[-1], network.theta)
    losses = [history["val_loss"][-1 - stopping.wait], stopping.best]
    assert losses[0] == losses[1] == pytest.approx(network.objective(X[::3], Y[::3]))


def test_a_second_training_begins_anew():
    snapshots = Snapshots(every=5)
    for epochs in (20, 10):
        small().fit(X, Y, epochs=epochs, callbacks=[snapshots], **FULL)
    assert snapshots.epochs == [0, 5, 10]
    assert len(snapshots.values) == 3


def test_a_training_that_diverges_leaves_what_was_recorded():
    snapshots = Snapshots(every=1)
    network = Network([Dense(4), Dense(1)], loss="SquaredError", seed=0)
    with pytest.raises(DivergenceError):
        network.fit(X, 1e3 * X[:, 0], optimizer=SGD(10.0), epochs=500, batch_size=None, callbacks=[snapshots])
    assert len(snapshots.values) == len(snapshots.epochs) > 2
    assert np.isfinite(snapshots.thetas).all()
    np.testing.assert_array_equal(snapshots.thetas[-1], network.theta)


class Crash(Callback):
    def __init__(self, at):
        self.at = at

    def on_epoch_begin(self, training):
        if training.epoch == self.at:
            raise RuntimeError("power cut")


def test_recording_goes_on_from_a_checkpoint(tmp_path):
    def train(path, at):
        recorders = [Snapshots(every=4), Signals(X[:20], Y[:20], every=3)]
        callbacks = [*recorders, Crash(at), Checkpoint(path, resume=True)]
        noisy().fit(X, Y, epochs=20, callbacks=callbacks, **BATCHES)
        return recorders

    whole = train(tmp_path / "whole.safetensors", None)
    with pytest.raises(RuntimeError, match="power cut"):
        train(tmp_path / "cut.safetensors", 11)
    resumed = train(tmp_path / "cut.safetensors", None)
    for one, other in zip(whole, resumed, strict=True):
        assert one.epochs == other.epochs
    np.testing.assert_array_equal(whole[0].thetas, resumed[0].thetas)
    for kind in ("activations", "parameters"):
        one, other = getattr(whole[1], kind), getattr(resumed[1], kind)
        assert list(one) == list(other)  # in the order of the layers
        np.testing.assert_equal(other, one)


def test_snapshots_of_another_network_are_refused():
    snapshots = Snapshots()
    with pytest.raises(InputError, match=r"There are 0 snapshots.*callbacks=\[snapshots\]"):
        snapshots.check(small(n_in=2))
    small().fit(X, Y, epochs=5, callbacks=[snapshots], **FULL)
    snapshots.check(small(n_in=2))
    with pytest.raises(InputError, match="The snapshots are of a network with"):
        snapshots.check(small(n_in=3))


def test_what_was_changed_is_put_back_even_after_an_error():
    network = noisy()
    network.fit(X, Y, epochs=3, **BATCHES)
    theta, statistics = network.theta.copy(), {name: array.copy() for name, array in network.statistics.items()}

    def spoil():
        with restoring(network):
            network.theta[...] = 7
            network.statistics["running_mean1"][...] = 7
            raise RuntimeError

    with pytest.raises(RuntimeError):
        spoil()
    np.testing.assert_array_equal(network.theta, theta)
    np.testing.assert_array_equal(network.statistics["running_mean1"], statistics["running_mean1"])


# Signals


def test_signals_are_those_of_the_trace_of_a_run_that_ends_there():
    signals, other = Signals(X[:20], Y[:20], every=4), small()
    small().fit(X, Y, epochs=8, callbacks=[signals], **FULL)
    other.fit(X, Y, epochs=4, **FULL)
    trace, at = other.trace(X[:20], Y[:20]), signals.epochs.index(4)
    assert list(signals.activations) == ["a1", "z2"]
    for name, recorded in signals.activations.items():
        assert recorded["mean"][at] == pytest.approx(np.mean(trace[name]), rel=1e-12)
        assert recorded["spread"][at] == pytest.approx(np.std(trace[name]), rel=1e-12)
        assert recorded["50 %"][at] == pytest.approx(np.median(trace[name]), rel=1e-12)
        assert recorded["5 %"][at] < recorded["25 %"][at] < recorded["75 %"][at] < recorded["95 %"][at]
    for name, recorded in signals.parameters.items():
        assert recorded["norm"][at] == pytest.approx(np.linalg.norm(other.parameters[name]), rel=1e-12)
        assert recorded["gradient"][at] == pytest.approx(np.linalg.norm(trace[f"d{name}"]), rel=1e-12)


def test_signals_of_a_moment_are_recorded_once():
    class Fail(Callback):
        def on_epoch_begin(self, training):
            if training.epoch == 2:
                raise ValueError("enough")

    signals, network = Signals(X[:20], Y[:20], every=1), small()
    with pytest.raises(ValueError, match="enough"):
        network.fit(X, Y, epochs=5, callbacks=[signals, Fail()], **FULL)
    assert signals.epochs == [0, 1, 2]
    tables = [*signals.activations.values(), *signals.parameters.values()]
    assert {len(column) for table in tables for column in table.values()} == {3}


@pytest.mark.parametrize("optimizer", [SGD(0.3), Adam(0.05)])
def test_the_recorded_update_is_the_step_that_is_made_next(optimizer):
    signals, snapshots = Signals(X, Y, every=1), Snapshots(every=1)
    small().fit(X, Y, optimizer=optimizer, batch_size=None, epochs=12, callbacks=[signals, snapshots])
    for name, recorded in signals.parameters.items():
        arrays = [values[name] for values in snapshots.values]
        moved = [np.linalg.norm(after - before) for before, after in pairwise(arrays)]
        np.testing.assert_allclose(recorded["update"][:-1], moved, rtol=1e-9)
        sizes = [np.linalg.norm(array) for array in arrays[1:]]
        np.testing.assert_allclose(recorded["ratio"][1:-1], np.array(moved[1:]) / sizes[:-1], rtol=1e-9)


def test_a_relu_is_shut_where_it_is_zero_and_a_saturated_tanh_is_shut_too():
    layers = [Dense(50, "relu"), Dense(50, "tanh", weights=100 * np.eye(50)), Dense(2)]
    signals = Signals(X, Y)
    network = Network(layers, loss=CrossEntropy(), seed=0)
    network.fit(X, Y, optimizer=SGD(1e-9), batch_size=None, epochs=1, callbacks=[signals])
    off, scores = signals.activations["a1"], signals.activations["z3"]
    assert 0.3 < off["zeros"][0] < 0.7
    assert scores["shut"] == [0.0, 0.0]
    trace = network.trace(X, Y)
    on = trace["a1"] > 0.1  # whose tanh is at its limit
    assert (np.abs(trace["a2"][on]) > 0.999).all()
    assert signals.activations["a2"]["shut"][0] >= on.mean()


def test_layers_without_parameters_are_passed_over_and_l_bfgs_has_no_steps():
    signals = Signals(X, Y, every=2)
    noisy().fit(X, Y, epochs=4, callbacks=[signals], **BATCHES)
    assert list(signals.activations) == ["a1", "a1_norm_activated", "z2"]
    assert list(signals.parameters) == ["W1", "b1", "gamma1", "beta1", "W2", "b2"]
    signals = Signals(X, Y, every=2)
    small().fit(X, Y, optimizer=LBFGS(), epochs=4, batch_size=None, callbacks=[signals])
    assert np.isnan(signals.parameters["W1"]["update"]).all()
    assert np.isfinite(signals.parameters["W1"]["gradient"]).all()
    assert len(signals.epochs) == len(signals.parameters["W1"]["norm"])


def test_rows_that_do_not_fit_are_named():
    with pytest.raises(InputError, match="this network takes 2"):
        small().fit(X, Y, epochs=4, callbacks=[Signals(np.zeros((3, 5)), [0, 1, 1])], **FULL)


def test_recorders_say_the_first_and_the_last_epoch() -> None:
    snapshots = Snapshots(count=3)
    snapshots.epochs = [0, 5, 1200]
    assert str(snapshots) == "Snapshots of 3 epochs, from 0 to 1,200"
