"""Checks of a training: whether the objective falls, how it falls, and which learning rate would be better.

They read the history.  Where it is not enough, they train copies of the network from its initial parameters (trials).
Comments give the source of each threshold.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import NamedTuple

import numpy as np

from workings.checks.comparison import as_trained, loss_gain, trained_further
from workings.checks.evidence import MOST_WORK, Case, Refitted, copied, score_of, trace_of
from workings.checks.findings import Finding, make_finding
from workings.checks.network_design import (
    DEAD_AT_END,
    dead_share,
    dead_units_finding,
    dense_layers,
    derivatives_of,
    tolerated_dead_share,
)
from workings.checks.rates import rate_of, twelve_digits, with_constant_rate, with_rate
from workings.checks.stability import LAST, check_stability
from workings.checks.suggested_code import Code
from workings.model.model import Model
from workings.optimizers import SGD, Adam, Chain, Part
from workings.regularizers import Regularizer
from workings.schedules import Constant, WarmUp, monitor_of
from workings.support.arrays import Array

STEPS = 60  # of a trial
# CS231n, "Neural Networks Part 3": updates should be about 1e-3 of the weights; far below, the rate is too low.
SMALLEST_UPDATE = 1e-4
LARGEST_UPDATE = 1e-1  # above it, smaller rates are tried
DECAY = "weight_decay"  # the name of this setting in the parts of an optimizer
LARGEST_DECAY = 0.01  # of a parameter in one step: a hundred steps without gradients would leave a third of it
OVERSHOOT = 1.05  # a trial that ends above this multiple of the first objective overshot
# Prechelt 1998, "Early Stopping - But When?": a generalization loss GL is 100 · (validation loss / its minimum - 1).
GENERALIZATION_LOSS = 25.0
# Prechelt 1998 also measures progress: training continues while a strip of epochs still improves the loss a lot.  Here
# four times as many epochs are tried.  STILL_FALLING is the fraction of the objective that they must go below.  If the
# objective is already below WORTH times the loss of a constant prediction, nothing is tried.
AGAIN, STILL_FALLING, WORTH = 4, 0.7, 0.1
LOWER = 0.9  # of the objective, that shorter steps must reach
GOOD_SCORE = 0.97  # accuracy or R² on the training rows above which more training is not advised
FEWEST_STEPS, MOST_STEPS = 500, 1500
LONGEST = 6000  # steps of a trial, if the training was cut short and had not left a plateau yet
OF_SCHEDULES = ("rate-decayed", "warm-up-unfinished")  # also stated as notes, where they do no harm
SHORT_PATIENCE = 5  # epochs: with at most so many, early stopping cuts a training short
DECAYED, HALF_DECAYED, UNFINISHED = 0.01, 0.1, 0.5  # of the largest learning rate: at the end, half the time, a warm-up


def check_training(case: Case) -> Iterator[Finding]:
    """Check the training, or, before it has run, the training that the settings describe."""
    yield from check_finite(case)
    yield from check_learning_rate(case)
    yield from check_stability(case)
    yield from check_loss_curve(case)
    yield from check_still_falling(case, case.losses)
    yield from check_dead_at_end(case)
    yield from check_regularizer(case)
    yield from check_weight_decay(case)
    yield from check_overfitting(case)


def check_finite(case: Case) -> Iterator[Finding]:
    """Check whether training ended with NaN or infinity."""
    if case.training.stopped.startswith("diverged") or not np.isfinite(case.losses).all():
        used = case.step_optimizer
        optimizer = SGD(0.01) if used is None else with_rate(used, rate_of(used) / 10)
        measured = f"training {case.training.stopped or 'gave a loss that is not finite'}."
        yield make_finding("not-finite", measured, case.code.new_training(optimizer=optimizer))


def check_learning_rate(case: Case) -> Iterator[Finding]:
    """Check whether the learning rate is too large or too small, by trials from the initial parameters."""
    optimizer = case.step_optimizer
    if case.start is None or optimizer is None:
        return
    ratio = update_ratio(case, case.start, optimizer)
    if ratio < SMALLEST_UPDATE:
        yield from check_small_rate(case, case.start, optimizer, ratio)
    elif ratio > LARGEST_UPDATE or has_poor_curve(case):
        yield from check_large_rate(case, case.start, optimizer)


def has_poor_curve(case: Case) -> bool:
    """Whether the loss curve is a reason to try other rates."""
    losses = case.losses
    if len(losses) < 2 or case.training.stopped.startswith("diverged"):
        return True
    return not np.isfinite(losses).all() or final_level(losses) > 0.5 * losses[0] or oscillation_size(losses) > 0.1


def update_ratio(case: Case, network: Model, optimizer: Part) -> float:
    """Return the norm of the first update divided by the norm of the weights: the median of the layers."""
    trace = trace_of(copied(network), case.trial_rows(), optimizer, rate_of(optimizer))
    trained = case.trained_by(optimizer)
    names = [name for _, number in dense_layers(network) if (name := f"W{number}") in trained]
    sizes = {n: max(float(np.linalg.norm(trace[n])), 1e-12) for n in names}
    ratios = [float(np.linalg.norm(trace.after[n] - trace[n])) / sizes[n] for n in names]
    finite = [ratio for ratio in ratios if np.isfinite(ratio)]
    return float(np.median(finite)) if finite else np.inf


def check_large_rate(case: Case, start: Model, optimizer: Part) -> Iterator[Finding]:
    """Check whether the objective rises with this rate and falls with a smaller one."""
    lr, rows = rate_of(optimizer), case.trial_rows()
    first = case.objective_of(copied(start), rows)
    here = final_level(case.trial(start, with_rate(optimizer, lr), STEPS, rows)[1])
    trials = {
        divisor: final_level(case.trial(start, with_rate(optimizer, lr / divisor), STEPS, rows)[1])
        for divisor in (10, 100, 1000, 10_000)
    }
    divisor, lowest = min(trials.items(), key=lambda trial: trial[1])
    overshot = here > max(OVERSHOOT * first, 1.5 * lowest)
    if has_learned(case, lowest):
        return
    if lowest < 0.98 * first and (overshot or stayed_above(case, 1.5 * lowest)):
        end = f"{here:.4g}" if np.isfinite(here) else "a number that is not finite"
        end = end if overshot else f"{final_level(case.losses):.4g} (the median of the last tenth of the epochs)"
        how = f"about {STEPS} steps take" if overshot else f"{len(case.losses)} epochs took"
        yield make_finding(
            "learning-rate-too-large",
            f"{how} the objective from {first:.4g} to {end} with the learning rate {lr:g}; "
            f"about {STEPS} steps with {lr / divisor:g} take it to {lowest:.4g}.",
            case.code.new_training(optimizer=with_rate(optimizer, lr / divisor)),
        )


def has_learned(case: Case, objective: float) -> bool:
    """Whether the training ended far below a constant prediction's loss and below an objective, all the same."""
    return len(case.losses) > 0 and final_level(case.losses) < min(objective, WORTH * case.constant_loss)


def stayed_above(case: Case, objective: float) -> bool:
    """Whether a training with a constant rate ended clearly above an objective."""
    has_constant_rate = isinstance(getattr(case.optimizer, "schedule", None), Constant)
    if case.is_constant or not has_constant_rate or len(case.losses) < 3:
        return False
    return final_level(case.losses) > max(objective, WORTH * case.constant_loss)


def check_small_rate(case: Case, start: Model, optimizer: Part, ratio: float) -> Iterator[Finding]:
    """Check whether a larger rate gains more in a few steps than this one, or than the whole training."""
    lr, rows = rate_of(optimizer), case.trial_rows()
    first = case.objective_of(copied(start), rows)
    here = final_level(case.losses if len(case.losses) else case.trial(start, optimizer, STEPS, rows)[1])
    trials = {
        factor: final_level(case.trial(start, with_rate(optimizer, factor * lr), STEPS, rows)[1])
        for factor in (10, 100, 1000, 10_000, 100_000, 1_000_000)
    }
    factor, lowest = min(trials.items(), key=lambda trial: trial[1])
    if first - lowest > 2 * max(first - here, 0) and first - lowest > 0.02 * first:
        yield make_finding(
            "learning-rate-too-small",
            f"the first update is {ratio:.1e} times the weights; about 1e-3 is usual. {STEPS} steps with {factor:,} "
            f"times the rate take the objective from {first:.4g} to {lowest:.4g}; this rate takes it to {here:.4g}.",
            case.code.fit(optimizer=with_rate(optimizer, factor * lr)),
        )


# -- the loss curve ---------------------------------------------------------------------------


def final_level(losses: Array) -> float:
    """Return the median of the last tenth of a series; infinity if it ended with NaN or infinity."""
    if not len(losses) or not np.isfinite(losses[-1]):
        return np.inf
    return float(np.median(losses[-max(len(losses) // 10, 1) :]))


def oscillation_size(losses: Array) -> float:
    """Return the median rise in the last epochs, relative to the loss; 0 if it rarely rises."""
    last = losses[-min(LAST, max(len(losses) // 3, 2)) :]
    rises = np.diff(last)
    rises = rises[rises > 0]
    return float(np.median(rises) / max(abs(np.median(last)), 1e-12)) if len(rises) > len(last) / 4 else 0.0


def check_loss_curve(case: Case) -> Iterator[Finding]:
    """Check whether the objective rises or oscillates."""
    losses = case.losses
    if len(losses) < 3 or not np.isfinite(losses).all():
        return
    slower = slower_optimizer(case)
    if final_level(losses) > OVERSHOOT * losses[0]:
        yield make_finding(
            "rising-loss",
            f"the objective was {losses[0]:.4g} in the first epoch and {final_level(losses):.4g} in the last ones.",
            case.code.new_training(optimizer=slower),
        )
    if len(losses) < 10 or oscillation_size(losses) <= 0.3 or final_level(losses) <= 0.05 * losses[0]:
        return
    if shorter_steps_help(case, slower):
        yield make_finding(
            "oscillation",
            f"the objective often rose in the last epochs; the median rise was {oscillation_size(losses):.0%}.",
            case.code.new_training(optimizer=slower),
        )


def shorter_steps_help(case: Case, slower: Part) -> bool:
    """Whether as many shorter steps lead to a lower objective; True if the training cannot be repeated.

    Dropout and small batches make the recorded objective rise and fall by themselves.
    """
    steps = case.steps_done
    if case.start is None or not steps or steps * case.batch_size * case.network.theta.size > MOST_WORK:
        return True
    tried = case.trial(case.start, slower, steps, case.all_rows)[0]
    here, there = (case.objective_of(network, case.all_rows) for network in (copied(case.network), tried))
    return there < LOWER * here


def slower_optimizer(case: Case) -> Part:
    """Return the same optimizer with a tenth of the learning rate."""
    optimizer = case.step_optimizer
    return SGD(0.01) if optimizer is None else with_rate(optimizer, rate_of(optimizer) / 10)


def check_still_falling(case: Case, losses: Array) -> Iterator[Finding]:
    """Check whether more epochs would still lower the objective a lot, and the loss of held-out rows too.

    Copies are trained again without a fold of the rows, first as the network was, then for more epochs.
    """
    ending = ending_of(case)
    if ending is None or not np.isfinite(losses).all() or case.is_constant:
        return
    if not is_good_enough(case) and case.refitted is not None:
        for tried, steps in attempts(case, ending):
            found = going_on(case, case.refitted, tried, steps)
            if found is not None:
                yield found
                return
    if ending.finding in OF_SCHEDULES:
        known = "The network has learned its rows all the same." if is_good_enough(case) else "No trial does better."
        show = "print(net.history['lr'][-1])  # the last learning rate"
        yield make_finding(ending.finding, f"{ending.measured}{known}", show, "note")


def is_good_enough(case: Case) -> bool:
    """Whether the network has learned its rows so well that more training is not tried."""
    network = copied(case.network)
    return (
        case.objective_of(network, case.all_rows) < WORTH * case.constant_loss
        or score_of(network, case.all_rows) >= GOOD_SCORE
    )


def going_on(case: Case, refitted: Refitted, ending: Ending, steps: int) -> Finding | None:
    """Return the finding if further steps lower the objective a lot, and the loss of held-out rows beyond chance."""
    before = case.objective_of(refitted.network, refitted.kept)
    after = final_level(case.trial(refitted.network, ending.continued_by, steps, refitted.kept)[1])
    if after >= STILL_FALLING * before:
        return None
    before_more = as_trained(case)
    assert before_more is not None
    after_more = trained_further(case, ending.continued_by, steps)
    if not loss_gain(before_more, after_more).is_better:
        return None
    epochs = max(steps * case.batch_size // len(case.X), 2)
    return make_finding(
        ending.finding,
        f"{ending.measured}in trials without a quarter of the rows, {len(case.losses)} epochs take the objective to "
        f"{before:.4g}, and {epochs:,} more, about {steps:,} steps{ending.how}, take it to {after:.4g}. On the "
        f"rows left out, the loss falls from {before_more.losses.mean():.4g} to {after_more.losses.mean():.4g}.",
        ending.change(epochs),
    )


def attempts(case: Case, ending: Ending) -> Iterator[tuple[Ending, int]]:
    """Yield how the training may go on, with the number of steps.

    A training that was cut short on a plateau may need more steps, or another optimizer, to leave it.
    """
    steps = further_steps(case, None)
    yield ending, steps
    if not ending.is_cut_short:
        return
    longer = further_steps(case, ending)
    if longer > steps:
        yield ending, longer
    if not case.stopped_early:
        before = case.optimizer.links[:-1] if isinstance(case.optimizer, Chain) else ()
        adam: Part = Chain(*before, Adam(1e-2)) if before else Adam(1e-2)
        change = functools.partial(trained_with, case, adam)
        yield ending._replace(continued_by=adam, how=" of Adam with a rate of 0.01", change=change), longer


def trained_with(case: Case, optimizer: Part, epochs: int) -> str:
    """Return code for further epochs with another optimizer."""
    return case.code.more_epochs_with(optimizer, epochs)


def further_steps(case: Case, ending: Ending | None) -> int:
    """Return the number of further steps of a trial, which takes seconds at most.

    It is some times as many as before.  If the training was cut short, it is as many as were planned.
    """
    steps, most = max(AGAIN * case.steps_done, FEWEST_STEPS), MOST_STEPS
    if ending is not None and ending.is_cut_short:
        steps, most = max(steps, case.steps_planned), LONGEST
    return min(steps, most, MOST_WORK // (case.batch_size * case.network.theta.size))


class Ending(NamedTuple):
    """How a training ended, and how it may go on.

    Attributes
    ----------
    finding : str
        The finding, if going on helps.
    measured : str
        What the history says about it.
    continued_by : Part
        The optimizer of the further steps.
    how : str
        The difference to the training's own optimizer, in words.
    change : callable
        Returns the code for a number of epochs.
    is_cut_short : bool
        Whether a setting ended the training, or made its last steps useless.
    """

    finding: str
    measured: str
    continued_by: Part
    how: str
    change: Callable[[int], str]
    is_cut_short: bool = True


def ending_of(case: Case) -> Ending | None:
    """Return how the training ended; None if it is not known, or if it was interrupted or diverged."""
    optimizer, done = case.step_optimizer, case.steps_done
    if optimizer is None or not done:
        return None
    if case.stopped_early:
        return None if case.code.terms is not None else end_by_patience(case, with_constant_rate(optimizer, done))
    if not case.training.stopped.startswith("all"):
        return None
    rates = np.asarray(case.columns.get("lr") or [rate_of(optimizer)])
    peak = rate_after_warm_up(optimizer, done)
    if rates[-1] < DECAYED * rates.max() and np.median(rates) < HALF_DECAYED * rates.max():
        steady = with_fixed_rate(optimizer, float(rates.max()))
        return end_by_schedule(case, "rate-decayed", decayed(case, rates), steady, " with this rate")
    if rates[-1] < UNFINISHED * peak:
        measured = f"the last learning rate was {rates[-1]:.3g}; the schedule rises to {peak:.3g}. "
        warm = with_fixed_rate(optimizer, peak)
        return end_by_schedule(case, "warm-up-unfinished", measured, warm, " with that rate")
    if monitor_of(getattr(optimizer.parts[-1], "lr", None)) is not None:
        optimizer = with_fixed_rate(optimizer, float(rates[-1]))
    return end_of_epochs(case, with_constant_rate(optimizer, done))  # a schedule must not begin anew


def end_by_patience(case: Case, optimizer: Part) -> Ending:
    """Return the end of a training that early stopping ended."""
    callbacks = Code("[EarlyStopping(patience=30)]")
    return Ending(
        "patience-too-short",
        f"training stopped after {len(case.losses)} epochs: {case.training.stopped}. ",
        optimizer,
        "",
        lambda n: case.code.new_training(epochs=max(5 * n, case.recipe.epochs), validation=0.2, callbacks=callbacks),
        patience_of(case) <= SHORT_PATIENCE,
    )


def decayed(case: Case, rates: Array) -> str:
    """Say where the learning rate decayed to nothing."""
    below = int((rates >= DECAYED * rates.max()).mean() * len(case.losses))
    return f"from epoch {below} of {len(case.losses)} on, the learning rate is below a hundredth of {rates.max():.3g}. "


def end_by_schedule(case: Case, finding: str, measured: str, optimizer: Part, how: str) -> Ending:
    """Return the end of a training whose schedule made its last steps useless; another rate continues it."""
    return Ending(finding, measured, optimizer, how, lambda epochs: case.code.more_epochs_with(optimizer, epochs))


def end_of_epochs(case: Case, optimizer: Part) -> Ending:
    """Return the end of a training that ran all its epochs."""

    def code(epochs: int) -> str:
        if optimizer is case.optimizer:
            return case.code.more_epochs(epochs)
        return case.code.more_epochs_with(optimizer, epochs)

    return Ending("still-falling", "", optimizer, "", code, is_cut_short=False)


def patience_of(case: Case) -> int:
    """Return the number of epochs without progress that ended the training."""
    found = re.search(r"was not better for (\d+) epoch", case.training.stopped)
    return int(found[1]) if found else 0


def with_fixed_rate(optimizer: Part, rate: float) -> Part:
    """Return the same optimizer with a number as its learning rate."""
    if isinstance(optimizer, Chain):
        return Chain(*optimizer.links[:-1], with_fixed_rate(optimizer.links[-1], rate))
    return replace(optimizer, lr=twelve_digits(rate))  # type: ignore[call-arg]


def rate_after_warm_up(optimizer: Part, done: int) -> float:
    """Return the highest learning rate after ``done`` steps, if it begins with a warm-up; else 0."""
    schedule = getattr(optimizer.parts[-1], "lr", None)
    return max(schedule(times * done) for times in (2, 5, 20, 100)) if isinstance(schedule, WarmUp) else 0.0


def check_dead_at_end(case: Case) -> Iterator[Finding]:
    """Check whether units are dead after training."""
    if case.network.is_fresh:
        return
    for number, derivatives, largest in derivatives_of(case, copied(case.network)):
        if dead_share(derivatives, largest) > tolerated_dead_share(case, DEAD_AT_END):
            yield dead_units_finding(case, number, dead_share(derivatives, largest), "at the end")


def check_regularizer(case: Case) -> Iterator[Finding]:
    """Check whether the regularization penalty outweighs the loss."""
    if not case.network.regularizers or case.network.is_fresh or len(case.losses) < 2:
        return
    network = copied(case.network)
    J, loss = case.objective_of(network, case.rows), case.loss_of(network)
    shrunk = [
        name
        for name in network.parameters
        if name.startswith("W")
        and case.begun
        and np.linalg.norm(network.parameters[name]) < 0.1 * np.linalg.norm(case.begun[name])
    ]
    if (J - loss > loss or shrunk) and loss > 0.8 * case.constant_loss:
        effect = (
            f"the norm of {', '.join(shrunk)} fell to less than a tenth"
            if shrunk
            else f"the penalty is {J - loss:.4g} of J = {J:.4g}"
        )
        yield make_finding(
            "strong-regularizer",
            f"{effect}, and the loss {loss:.4g} is hardly below the {case.constant_loss:.4g} of a constant prediction.",
            case.code.of_network(regularizers=[with_weaker_penalty(r) for r in network.regularizers]),
        )


def with_weaker_penalty(regularizer: Regularizer) -> Regularizer:
    """Return the same regularizer with a hundredth of its penalty; its fields are the factors of its penalties."""
    factors = {f.name: getattr(regularizer, f.name) for f in fields(regularizer)}
    weaker = {name: twelve_digits(0.01 * value) for name, value in factors.items() if isinstance(value, (int, float))}
    return replace(regularizer, **weaker)


def check_weight_decay(case: Case) -> Iterator[Finding]:
    """Check whether decoupled weight decay is so strong that the network does not learn, by a trial with less."""
    optimizer = case.step_optimizer
    if case.start is None or case.network.is_fresh or optimizer is None:
        return
    decay = rate_of(optimizer) * sum(getattr(part, DECAY, 0.0) for part in optimizer.parts)
    if decay < LARGEST_DECAY or case.loss_of(copied(case.network)) < 0.8 * case.constant_loss:
        return
    weaker, rows = with_less_decay(optimizer), case.trial_rows()
    here, there = (final_level(case.trial(case.start, o, AGAIN * STEPS, rows)[1]) for o in (optimizer, weaker))
    if there < STILL_FALLING * here:
        yield make_finding(
            "strong-regularizer",
            f"the weight decay takes {decay:.0%} off every parameter in each step. After about {AGAIN * STEPS} steps "
            f"the objective is {here:.4g}; with a hundredth of the decay it is {there:.4g}.",
            case.code.new_training(optimizer=weaker),
        )


def with_less_decay(optimizer: Part) -> Part:
    """Return the same optimizer with a hundredth of its weight decay."""
    if isinstance(optimizer, Chain):
        return Chain(*map(with_less_decay, optimizer.links))
    if not hasattr(optimizer, DECAY):
        return optimizer
    return replace(optimizer, **{DECAY: twelve_digits(0.01 * getattr(optimizer, DECAY))})


def check_overfitting(case: Case) -> Iterator[Finding]:
    """Check whether the validation loss rose again while the objective fell."""
    val_loss = np.asarray(case.columns.get("val_loss", ()), dtype=np.float64)
    if len(val_loss) < 5 or not np.isfinite(val_loss).all() or val_loss.min() <= 0:
        return
    if not case.training.stopped.startswith("all"):
        return
    best, end = int(val_loss.argmin()), min(final_level(val_loss), case.kept_validation_loss)
    rise = 100 * (end / val_loss.min() - 1)
    has_fallen = final_level(case.losses) < case.losses[best]
    if rise > GENERALIZATION_LOSS and has_fallen and case.losses[-1] < 0.5 * end:
        yield make_finding(
            "overfitting",
            f"the validation loss was {val_loss.min():.4g} after epoch {best} and {end:.4g} at the end, {rise:.0f} % "
            f"higher. Meanwhile the objective fell from {case.losses[best]:.4g} to {case.losses[-1]:.4g}.",
            case.code.new_training(validation=0.2, callbacks=Code("[EarlyStopping(patience=10)]")),
        )
