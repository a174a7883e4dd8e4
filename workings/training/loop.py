"""The training loop: epoch after epoch, run the steps, record the epoch, call the callbacks.

If a value is not finite, training stops with an error that names the first such value.  Ctrl-C stops training and
keeps the current parameters.
"""

from __future__ import annotations

import time

import numpy as np

from workings.engines.contract import Stretch
from workings.optimizers import LBFGS
from workings.support.arrays import Array
from workings.training import divergence
from workings.training.batches import State
from workings.training.epoch_blocks import Block
from workings.training.history import History
from workings.training.lbfgs import flat_objective, minimize
from workings.training.steps import epoch_of_one, is_finite
from workings.training.training import Training


def run(training: Training) -> History:
    """Train until all epochs are done or training is stopped, and return the history."""
    network, optimizer, began = training.network, training.optimizer, time.perf_counter()
    network.is_fresh = False
    try:
        training.notify("on_train_begin")
        if optimizer.takes_batches:
            with training.blocks.background:
                run_epochs(training)
        else:
            run_lbfgs(training, optimizer)
        training.history.stopped = training.stopped or f"all {training.epochs} epochs done"
    except KeyboardInterrupt:
        network.keep(training.values)
        training.history.stopped = f"interrupted in epoch {training.epoch}"
    finally:
        training.history.seconds = time.perf_counter() - began
        network.history = training.history
        training.notify("on_train_end")
    return training.history


def run_epochs(training: Training) -> None:
    """Continue from the current epoch to the last, or until a callback stops the training."""
    done = training.epoch
    while done < training.epochs:
        if training.stopped:
            return
        training.epoch, training.block = done, Block(1, training.state, training.state)
        training.notify("on_epoch_begin")
        several = epochs_at_once(training)
        block = training.blocks.run(training.state, several) if several > 1 else None
        training.accept(run_epoch(training) if block is None else block)
        training.notify("on_epoch_end")
        done = training.epoch + 1
    training.check_end()


def epochs_at_once(training: Training) -> int:
    """Return how many epochs can run before the next one that a callback needs; at most all but the last."""
    epoch, callbacks = training.epoch, training.callbacks
    to_come = [callback.fewest_to_come() for callback in callbacks if callback.looks_back]
    most = training.blocks.next_epochs(to_come[0] if to_come else None)
    return min(most, training.epochs - epoch - 1, *(callback.next_look(epoch + 1) - epoch for callback in callbacks))


def run_epoch(training: Training) -> Block:
    """Run the steps of one epoch and measure it."""
    evaluation, batches, before = training.evaluation, training.batches, training.state
    loss = training.objective_now() if evaluation.passes_for_loss else None
    began, position, state = time.perf_counter(), batches.position(), before.copy()
    try:
        _, kept, outputs = training.blocks.buffers_for(1, state)
        stretches = batches.stretches(1, state, training.learning_rate, kept, outputs)
        objectives = np.concatenate([run_stretch(training, state, stretch) for stretch in stretches])
        training.network.keep(state.values)
        columns = recorded(training, state, batches.mean_objective(objectives) if loss is None else loss)
    except KeyboardInterrupt:  # the steps that were made are kept
        training.state = state
        raise
    training.blocks.adapt(1, time.perf_counter() - began)
    return Block(1, before, state, position, columns=columns)


def run_stretch(training: Training, state: State, stretch: Stretch) -> Array:
    """Run the steps of a stretch; raise an error that names the first value that is not finite, if there is one."""
    before = dict(state.values)
    objectives = training.steps.advance(state, stretch)
    if not is_finite(objectives, state):
        training.fail(divergence.in_steps(training.program, stretch, before, training.epoch))
    return objectives


def recorded(training: Training, state: State, objective: float) -> dict[str, list[float]]:
    """Return the columns of the history for an epoch, from its objective and the state after it."""
    evaluation = training.evaluation
    measured = evaluation.columns(epoch_of_one(training.network, state.values))
    columns = {"loss": objective / evaluation.divisor, **{name: found[0] for name, found in measured.items()}}
    if training.learning_rate.schedule is not None:
        columns["lr"] = state.lr
    return {name: [float(value)] for name, value in columns.items()}


def run_lbfgs(training: Training, settings: LBFGS) -> None:
    """Let SciPy choose the steps; each of its iterations is an epoch."""
    network = training.network
    objective = flat_objective(network, training.program, training.rows)
    start = network.theta.astype(np.float64)
    latest = objective(start)[0]
    if not np.isfinite(latest):
        training.fail_between_steps(latest, training.values)

    def move_to(theta: Array) -> State:
        """Set the parameters of the network."""
        network.theta[...] = theta
        return State({name: view.copy() for name, view in network.parameters.items()})

    def after(theta: Array, objective_there: float) -> bool:
        """Record an iteration; return whether to stop."""
        nonlocal latest
        state = move_to(theta)
        training.accept(Block(1, training.state, state, columns=recorded(training, state, latest)))
        training.notify("on_epoch_end")
        latest = objective_there
        training.epoch += 1
        if not training.stopped:
            training.notify("on_epoch_begin")
        return bool(training.stopped)

    training.notify("on_epoch_begin")
    result = minimize(objective, start, settings, training.epochs, after)
    training.state, training.result = move_to(result.x), result
    ended = f"L-BFGS ended after {training.epoch} iterations: {result.message}"
    training.stopped = training.stopped or ended
