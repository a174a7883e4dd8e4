"""The training loop: epoch after epoch, run the steps, record the epoch, call the callbacks.

Without interruptions, errors and several epochs at once, it is::

    for epoch in range(epochs):                          # run_epochs
        for stretch in batches.stretches(...):           # run_epoch
            objectives = steps.advance(state, stretch)   # run_stretch: changes the state
        training.accept(block)                           # replaces the parameters, extends the history
        training.notify("on_epoch_end")

A stretch is a sequence of consecutive batches.  For each of them, ``advance`` runs the program of a step:
forward pass, backward pass and update.

If a value is not finite, training stops with an error that names the first such value.  Ctrl-C stops
training; the network then has the parameters of the last recorded epoch.  The steps of an epoch change copies
only, and ``accept`` replaces the state at the end of the epoch, so nothing needs to be undone when they are
interrupted.
"""

from __future__ import annotations

import time

import numpy as np

from workings.engines.contract import Stretch
from workings.errors import DivergenceError
from workings.optimizers import LBFGS
from workings.support.arrays import Array
from workings.support.interruption import Effect, Interruption
from workings.training import divergence
from workings.training.batches import Position, State
from workings.training.epoch_blocks import Block
from workings.training.history import History
from workings.training.lbfgs import flat_objective, minimize
from workings.training.step_runners import Waiting, completed, epoch_of_one, is_finite
from workings.training.training import Training


def run(training: Training) -> History:
    """Train until all epochs are done or training is stopped, and return the history.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C is pressed twice; the network is at the end of a recorded epoch then, too.
    """
    with Interruption() as interruption:
        training.share(interruption)
        try:
            completed(run_until_end(training, interruption))
        except KeyboardInterrupt:  # a second Ctrl-C in a callback
            interruption.effect = Effect.NEVER
            training.return_to_record()
            raise
        if interruption.count > 1:
            raise KeyboardInterrupt
    return training.history


def run_until_end(training: Training, interruption: Interruption) -> Waiting[None]:
    """Train; after the first Ctrl-C, return to the last recorded epoch."""
    network, began = training.network, time.perf_counter()
    training.begin()
    network.start_training()
    try:
        training.notify("on_train_begin")
        training.remember()
        if training.optimizer.takes_batches:
            with training.blocks.background:
                yield from run_epochs(training, interruption)
        else:
            run_lbfgs(training, training.optimizer, interruption)
        training.history.stopped = training.stopped or f"all {training.epochs} epochs done"
    except KeyboardInterrupt:
        interruption.effect = Effect.NEVER  # first, so that a second Ctrl-C waits until the parameters are copied
        training.return_to_record()
        training.history.stopped = f"interrupted in epoch {training.epoch}"
        interruption.effect = Effect.LATER
    except DivergenceError:
        raise
    except Exception:
        training.return_to_record()
        raise
    finally:
        history = training.history
        history.seconds = time.perf_counter() - began
        network.set_history(history)
        training.notify_end()
        if interruption.count and not history.stopped.startswith("interrupted"):
            history.stopped = f"interrupted in epoch {training.epoch}"


def run_epochs(training: Training, interruption: Interruption) -> Waiting[None]:
    """Continue from the current epoch to the last, or until a callback stops the training."""
    done = training.epoch
    while done < training.epochs and not training.stopped:
        training.epoch, training.block = done, Block(1, training.state, training.state)
        training.notify("on_epoch_begin")
        with interruption.taking_effect(Effect.AT_ONCE):
            block = yield from next_block(training)
        training.accept(block)
        training.notify("on_epoch_end")
        interruption.check()
        done = training.epoch + 1
    with interruption.taking_effect(Effect.AT_ONCE):
        training.check_end()


def next_block(training: Training) -> Waiting[Block]:
    """Run the next epochs: several at once, or one."""
    several, position = epochs_at_once(training), training.begin_drawing()
    block = (yield from training.blocks.run(training.state, several, position)) if several > 1 else None
    return (yield from run_epoch(training, position)) if block is None else block


def epochs_at_once(training: Training) -> int:
    """Return how many epochs can run before the next one that a callback needs; at most all."""
    epoch, callbacks = training.epoch, training.callbacks
    to_come = [callback.fewest_to_come() for callback in callbacks if callback.looks_back]
    most = training.blocks.next_epochs(to_come[0] if to_come else None)
    return min(most, training.epochs - epoch, *(callback.next_look(epoch + 1) - epoch for callback in callbacks))


def run_epoch(training: Training, position: Position) -> Waiting[Block]:
    """Run the steps of one epoch and measure it; ``position`` is the state of the random draws before it."""
    evaluation, batches, before = training.evaluation, training.batches, training.state
    loss = training.objective_now() if evaluation.passes_for_loss else None
    began, state = time.perf_counter(), before.copy()
    _, kept, outputs = training.blocks.buffers_for(1, state)
    found = []
    for stretch in batches.stretches(1, state, training.learning_rate, kept, outputs):
        found.append((yield from run_stretch(training, state, stretch)))
    objectives = np.concatenate(found)
    training.network.set_values(state.values)
    columns = history_columns(training, state, batches.mean_objective(objectives) if loss is None else loss)
    training.blocks.adapt(1, time.perf_counter() - began)
    return Block(1, before, state, position, columns=columns)


def run_stretch(training: Training, state: State, stretch: Stretch) -> Waiting[Array]:
    """Run the steps of a stretch; raise an error that names the first value that is not finite, if there is one."""
    before = dict(state.values)
    objectives = yield from training.steps.advance(state, stretch)
    if not is_finite(objectives, state):
        training.fail(divergence.in_steps(training.program, stretch, before, training.epoch))
    return objectives


def history_columns(training: Training, state: State, objective: float) -> dict[str, list[float]]:
    """Return the columns of the history for an epoch, from its objective and the state after it."""
    evaluation = training.evaluation
    measured = evaluation.columns(epoch_of_one(training.network, state.values))
    columns = {"loss": objective / evaluation.divisor, **{name: found[0] for name, found in measured.items()}}
    if training.learning_rate.schedule is not None:
        columns["lr"] = state.lr
    return {name: [float(value)] for name, value in columns.items()}


def run_lbfgs(training: Training, settings: LBFGS, interruption: Interruption) -> None:
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
        return State({name: array.copy() for name, array in {**network.parameters, **network.statistics}.items()})

    def after(theta: Array, objective_there: float) -> bool:
        """Record an iteration; return whether to stop."""
        nonlocal latest
        state = move_to(theta)
        columns = history_columns(training, state, latest)
        with interruption.taking_effect(Effect.LATER):
            training.accept(Block(1, training.state, state, columns=columns))
            training.notify("on_epoch_end")
            interruption.check()
            latest = objective_there
            training.epoch += 1
            if not training.stopped:
                training.notify("on_epoch_begin")
        return bool(training.stopped)

    training.notify("on_epoch_begin")
    with interruption.taking_effect(Effect.AT_ONCE):
        result = minimize(objective, start, settings, training.epochs, after)
    training.state, training.result = move_to(result.x), result
    ended = f"L-BFGS ended after {training.epoch} iterations: {result.message}"
    training.stopped = training.stopped or ended
