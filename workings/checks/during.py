"""During training: does the objective go down, how, and with which learning rate would it?

The history tells how it went; what it cannot tell is tried out on copies that begin where training began.
Where a threshold decides, its source stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np

from workings.checks.before import DEAD_AT_END, dead_share, dead_units, dense_layers, most_dead, slopes_of
from workings.checks.evidence import Case, Code, copied, rate_of, score_of, trace_of, twelve_digits, with_rate
from workings.checks.findings import Finding, found
from workings.checks.stability import LAST, check_stability
from workings.model.model import Model
from workings.optimizers import SGD, Chain, Part
from workings.schedules import Constant
from workings.support.arrays import Array

STEPS = 60  # of a trial
# CS231n, "Neural Networks Part 3": updates should be about 1e-3 of the weights; well below, the rate is too low.
SMALLEST_UPDATE = 1e-4
LARGEST_UPDATE = 1e-1  # above which a rate is tried out
DECAY = "weight_decay"  # the setting of the parts of an update that take off a share of the parameters
LARGEST_DECAY = 0.01  # of a parameter in one step: then a hundred steps leave a third of what gradients do not bring
OVERSHOOT = 1.05  # times the first objective: a trial that ends above it went the wrong way
# Prechelt 1998, "Early Stopping - But When?": a generalization loss GL is 100 · (validation loss / its minimum - 1).
GENERALIZATION_LOSS = 25.0
# Prechelt 1998 also judges progress: training goes on while a strip of epochs still brings much.  Here four times as
# many epochs are tried; what is then left of the objective, and from which share of one fixed answer's it is worth it.
AGAIN, STILL_FALLING, WORTH = 4, 0.7, 0.1
GOOD_SCORE = 0.97  # accuracy or R² on the training rows above which more training is not worth advice
FEWEST_STEPS, MOST_STEPS = 500, 1500
MOST_WORK = 10**9  # rows by parameters by steps, a few seconds


def check_training(case: Case) -> Iterator[Finding]:
    """Everything about how training went, or will go."""
    yield from check_finite(case)
    yield from check_rate(case)
    yield from check_stability(case)
    yield from check_curve(case)
    yield from check_still_falling(case, case.losses)
    yield from check_dying(case)
    yield from check_regularizer(case)
    yield from check_decay(case)
    yield from check_gap(case)


def check_finite(case: Case) -> Iterator[Finding]:
    """Did a number overflow?"""
    if case.stopped.startswith("diverged") or not np.isfinite(case.losses).all():
        lr = rate_of(case.optimizer) if isinstance(case.optimizer, Part) else 0.01
        optimizer = with_rate(case.optimizer, lr / 10) if isinstance(case.optimizer, Part) else SGD(lr)
        yield found("not-finite", f"training {case.stopped or 'gave numbers that are not finite'}.",
                    case.fit_code(optimizer=optimizer))  # fmt: skip


def check_rate(case: Case) -> Iterator[Finding]:
    """Is the learning rate too large, or too small?  It is tried beside others, from where training began."""
    optimizer = case.optimizer
    if case.start is None or not isinstance(optimizer, Part):
        return
    ratio = update_ratio(case, case.start, optimizer)
    if ratio < SMALLEST_UPDATE:
        yield from check_small_rate(case, case.start, optimizer, ratio)
    elif ratio > LARGEST_UPDATE or went_badly(case):
        yield from check_large_rate(case, case.start, optimizer)


def went_badly(case: Case) -> bool:
    """Whether the history gives a reason to try other rates."""
    losses = case.losses
    if len(losses) < 2 or case.stopped.startswith("diverged"):
        return True
    return not np.isfinite(losses).all() or ending(losses) > 0.5 * losses[0] or swing(losses) > 0.1


def update_ratio(case: Case, network: Model, optimizer: Part) -> float:
    """By how much of their size the first step changes the weights (the middle one of the layers)."""
    trace = trace_of(copied(network), case.trial_rows(), optimizer, rate_of(optimizer))
    trained = case.trained_by(optimizer)
    names = [name for _, number in dense_layers(network) if (name := f"W{number}") in trained]
    sizes = {n: max(float(np.linalg.norm(trace[n])), 1e-12) for n in names}
    moves = [float(np.linalg.norm(trace.after[n] - trace[n])) / sizes[n] for n in names]
    finite = [move for move in moves if np.isfinite(move)]
    return float(np.median(finite)) if finite else np.inf


def check_large_rate(case: Case, start: Model, optimizer: Part) -> Iterator[Finding]:
    """Does the objective rise with this rate, and fall with a smaller one?"""
    lr, rows = rate_of(optimizer), case.trial_rows()
    first = case.objective_of(copied(start), rows)
    here = ending(case.trial(start, with_rate(optimizer, lr), STEPS, rows)[1])
    trials = {
        divisor: ending(case.trial(start, with_rate(optimizer, lr / divisor), STEPS, rows)[1])
        for divisor in (10, 100, 1000, 10_000)
    }
    divisor, calm = min(trials.items(), key=lambda trial: trial[1])
    overshot = here > max(OVERSHOOT * first, 1.5 * calm)
    if calm < 0.98 * first and (overshot or stayed_above(case, 1.5 * calm)):
        ended = f"{here:.4g}" if np.isfinite(here) else "with a number that is not finite"
        ended = ended if overshot else f"{ending(case.losses):.4g} (the middle of its last tenth)"
        how = f"about {STEPS} steps take" if overshot else f"{len(case.losses)} epochs took"
        yield found(
            "learning-rate-too-large",
            f"{how} the objective from {first:.4g} to {ended} with the learning rate {lr:g}; "
            f"about {STEPS} steps with {lr / divisor:g} take it to {calm:.4g}.",
            case.fit_code(optimizer=with_rate(optimizer, lr / divisor)),
        )


def stayed_above(case: Case, objective: float) -> bool:
    """Whether all of the training, with a rate that stayed the same, left an objective worth mention above one."""
    is_steady = isinstance(getattr(case.optimizer, "schedule", None), Constant)
    if case.is_constant or not is_steady or len(case.losses) < 3:
        return False
    return ending(case.losses) > max(objective, WORTH * case.one_answer)


def check_small_rate(case: Case, start: Model, optimizer: Part, ratio: float) -> Iterator[Finding]:
    """Does a larger rate bring more in a few steps than this one, or than all of the training?"""
    lr, rows = rate_of(optimizer), case.trial_rows()
    first = case.objective_of(copied(start), rows)
    here = ending(case.losses) if len(case.losses) else ending(case.trial(start, optimizer, STEPS, rows)[1])
    trials = {
        factor: ending(case.trial(start, with_rate(optimizer, factor * lr), STEPS, rows)[1])
        for factor in (10, 100, 1000, 10_000, 100_000, 1_000_000)
    }
    factor, faster = min(trials.items(), key=lambda trial: trial[1])
    if first - faster > 2 * max(first - here, 0) and first - faster > 0.02 * first:
        yield found(
            "learning-rate-too-small",
            f"the first step changes the weights by {ratio:.1e} of their size, where about 1e-3 is usual; {STEPS} "
            f"steps with {factor:,} times the rate bring the objective from {first:.4g} to {faster:.4g}, this rate to "
            f"{here:.4g}.",
            case.fit_code(optimizer=with_rate(optimizer, factor * lr)),
        )


# -- the curve --------------------------------------------------------------------------------


def ending(losses: Array) -> float:
    """Where a series ended: the middle of its last tenth; infinity if it did not end in numbers."""
    if not len(losses) or not np.isfinite(losses[-1]):
        return np.inf
    return float(np.median(losses[-max(len(losses) // 10, 1) :]))


def swing(losses: Array) -> float:
    """How far the last epochs go up, in the middle, by their size."""
    last = losses[-min(LAST, max(len(losses) // 3, 2)) :]
    rises = np.diff(last)
    rises = rises[rises > 0]
    return float(np.median(rises) / max(abs(np.median(last)), 1e-12)) if len(rises) > len(last) / 4 else 0.0


def check_curve(case: Case) -> Iterator[Finding]:
    """Does the objective rise, swing, or still fall at the end?"""
    losses = case.losses
    if len(losses) < 3 or not np.isfinite(losses).all():
        return
    slower = slower_optimizer(case)
    if ending(losses) > OVERSHOOT * losses[0]:
        yield found(
            "rising-loss",
            f"the objective was {losses[0]:.4g} in the first epoch and {ending(losses):.4g} in the last ones.",
            case.fit_code(optimizer=slower),
        )
    if len(losses) >= 10 and swing(losses) > 0.3 and ending(losses) > 0.05 * losses[0]:
        yield found(
            "oscillation",
            f"in the last epochs, half of the times that the objective rose it did so by {swing(losses):.0%} or more.",
            case.fit_code(optimizer=slower),
        )


def slower_optimizer(case: Case) -> Part:
    """The same optimizer with a tenth of the rate."""
    optimizer = case.optimizer
    return with_rate(optimizer, rate_of(optimizer) / 10) if isinstance(optimizer, Part) else SGD(0.01)


def check_still_falling(case: Case, losses: Array) -> Iterator[Finding]:
    """Would as many epochs again bring much?"""
    optimizer = case.optimizer
    if not isinstance(optimizer, Part) or not case.stopped.startswith("all") or not np.isfinite(losses).all():
        return
    if case.is_constant:
        return
    rows = case.all_rows  # all of them: fewer are learned by heart
    now = case.objective_of(copied(case.network), rows)
    if now < WORTH * case.one_answer or score_of(copied(case.network), rows) >= GOOD_SCORE:
        return
    affordable = MOST_WORK // (case.batch_size * case.network.theta.size)
    done = len(losses) * -(-len(case.X) // case.batch_size)
    steps = min(max(AGAIN * done, FEWEST_STEPS), MOST_STEPS, affordable)
    epochs = max(steps * case.batch_size // len(case.X), 2)
    later = ending(case.trial(case.network, optimizer, steps, rows)[1])
    if later < STILL_FALLING * now:
        yield found(
            "still-falling",
            f"{len(losses)} epochs took the objective from {losses[0]:.4g} to {now:.4g}; {epochs:,} more, about "
            f"{steps:,} steps, take it to {later:.4g}.",
            case.gone_on_code(epochs),
        )


def check_dying(case: Case) -> Iterator[Finding]:
    """Have units died in training?"""
    if case.network.is_fresh:
        return
    for layer, slopes, steepest in slopes_of(case, copied(case.network)):
        if dead_share(slopes, steepest) > most_dead(case, DEAD_AT_END):
            yield dead_units(case, layer, dead_share(slopes, steepest), "at the end")


def check_regularizer(case: Case) -> Iterator[Finding]:
    """Does the price of the weights outweigh the loss?"""
    if not case.network.regularizers or case.network.is_fresh or len(case.losses) < 2:
        return
    network = copied(case.network)
    J, loss = case.objective_of(network, case.rows), case.loss_of(network)
    shrunk = [name for name in network.parameters if name.startswith("W") and case.begun
              and np.linalg.norm(network.parameters[name]) < 0.1 * np.linalg.norm(case.begun[name])]  # fmt: skip
    if (J - loss > loss or shrunk) and loss > 0.8 * case.one_answer:
        weaker = [weakened(r) for r in network.regularizers]
        size = (
            f"{', '.join(shrunk)} shrank to less than a tenth" if shrunk else f"of J = {J:.4g}, {J - loss:.4g} is price"
        )
        yield found(
            "strong-regularizer",
            f"{size}, and the loss, {loss:.4g}, is hardly below that of one fixed answer, {case.one_answer:.4g}.",
            case.network_code(regularizers=weaker),
        )


def weakened(regularizer: Any) -> Any:
    """The same regularizer at a hundredth of its price: its fields are the factors of its prices."""
    prices = {f.name: getattr(regularizer, f.name) for f in fields(regularizer)}
    less = {name: twelve_digits(0.01 * price) for name, price in prices.items() if isinstance(price, (int, float))}
    return replace(regularizer, **less)


def check_decay(case: Case) -> Iterator[Finding]:
    """Does decoupled decay take so much off the weights in each step that nothing is learned?  It is tried weaker."""
    optimizer = case.optimizer
    if case.start is None or case.network.is_fresh or not isinstance(optimizer, Part):
        return
    taken = rate_of(optimizer) * sum(getattr(part, DECAY, 0.0) for part in optimizer.parts)
    if taken < LARGEST_DECAY or case.loss_of(copied(case.network)) < 0.8 * case.one_answer:
        return
    weaker, rows = with_less_decay(optimizer), case.trial_rows()
    here, there = (ending(case.trial(case.start, tried, AGAIN * STEPS, rows)[1]) for tried in (optimizer, weaker))
    if there < STILL_FALLING * here:
        yield found(
            "strong-regularizer",
            f"each step takes {taken:.0%} off every parameter; about {AGAIN * STEPS} steps so lead to an objective of "
            f"{here:.4g}, and to one of {there:.4g} where the decay is a hundredth of that.",
            case.fit_code(optimizer=weaker),
        )


def with_less_decay(optimizer: Part) -> Part:
    """The same optimizer with a hundredth of its decay."""
    if isinstance(optimizer, Chain):
        return Chain(*map(with_less_decay, optimizer.links))
    if not hasattr(optimizer, DECAY):
        return optimizer
    return replace(optimizer, **{DECAY: twelve_digits(0.01 * getattr(optimizer, DECAY))})


def check_gap(case: Case) -> Iterator[Finding]:
    """Did the validation loss rise again while the objective fell?"""
    held = np.asarray(case.columns.get("val_loss", ()), dtype=np.float64)
    if len(held) < 5 or not np.isfinite(held).all() or held.min() <= 0 or not case.stopped.startswith("all"):
        return
    best, loss = int(held.argmin()), 100 * (ending(held) / held.min() - 1)
    if loss > GENERALIZATION_LOSS and case.losses[-1] < 0.5 * ending(held):
        yield found(
            "overfitting",
            f"the validation loss was {held.min():.4g} after epoch {best} and {ending(held):.4g} at the end, "
            f"{loss:.0f} % above; the objective fell on, from {case.losses[best]:.4g} to {case.losses[-1]:.4g}.",
            case.fit_code(validation=0.2, callbacks=Code("[EarlyStopping(patience=10)]")),
        )
