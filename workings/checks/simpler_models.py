"""Checks of the result of a training: whether the network beats simpler models.

The baselines are the best constant prediction and a model without hidden layers.  A network that is not better than
they on the training rows gets a second look: on rows held out of its training, as are the changes that might help.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from workings.checks.comparison import (
    Gain,
    HeldOut,
    as_trained,
    loss_gain,
    most_steps,
    trained_further,
    with_layers,
)
from workings.checks.data import rare_class_finding
from workings.checks.evidence import Case, copied, label_numbers, remade
from workings.checks.findings import Finding, make_finding
from workings.checks.network_design import dense_layers
from workings.checks.training_progress import ending_of, further_steps
from workings.layers import FullyConnected, Layer
from workings.model.model import Model
from workings.optimizers import Adam, Chain, Freeze, Part, RateFactors

# Karpathy 2019 and Goodfellow et al. 2016, section 11.2: always have a baseline.  An accuracy counts as better if it
# is higher by two standard errors.  A network with one hidden unit can lower the loss of a linear model a little, by
# being less confident where that is wrong.  So a network counts as better if its loss is lower by a seventh, or its
# score higher by a hundredth.
STANDARD_ERRORS = 2.0
BETTER_LOSS, BETTER_SCORE = 0.85, 0.01
GOOD_ENOUGH = 0.95  # a linear model's score above which there is little room for improvement
ENOUGH_UNITS = 16  # of a hidden layer, to learn something that is not linear
MANY_UNITS = 32  # hidden units from which a lack of units is not the reason
AGAIN, FEWEST_STEPS = 4, 500  # times as many steps as before, or at least these, when longer training is tried
RARE = 5  # a class with fewer rows need not be predicted


def check_result(case: Case) -> Iterator[Finding]:
    """Check the result of the training, if the network was trained."""
    if case.network.is_fresh:
        return
    yield from check_classes(case)
    yield from check_constant_baseline(case)
    yield from check_linear_baseline(case)


def check_classes(case: Case) -> Iterator[Finding]:
    """Check whether each class is predicted for some rows."""
    if not case.network.targets.has_labels:
        return
    X, y, _ = case.rows
    labels, predicted = label_numbers(y), label_numbers(copied(case.network).measure(X, y, None)[1])
    counts = np.bincount(labels, minlength=int(labels.max()) + 1)
    missed = [label for label in np.flatnonzero(counts >= RARE) if not (predicted == label).any()]
    if missed:
        shown = ", ".join(map(str, missed))
        rows = sum(int(counts[label]) for label in missed)
        measured = f"of {len(labels):,} rows, {rows:,} are of class {shown}, but it is predicted for none."
        own_weights = isinstance(case.recipe.class_weight, Mapping)  # they may be the reason
        if case.is_weighted:
            change = case.code.fit(class_weight="balanced") if own_weights else case.code.longer()
            yield make_finding("class-never-predicted", measured, change)
        else:
            yield rare_class_finding(case, "class-never-predicted", measured)


def check_constant_baseline(case: Case) -> Iterator[Finding]:
    """Check whether the network is better than a constant prediction."""
    (_, y, w), score = case.rows, case.score
    if score == 1 or (case.is_constant and not case.has_labels):  # a constant prediction is right then
        return
    if case.network.targets.has_labels:
        by_class = np.bincount(label_numbers(y), weights=None if w is None else w[:, 0])
        baseline = float(by_class.max() / by_class.sum())
        needed = baseline + STANDARD_ERRORS * np.sqrt(baseline * (1 - baseline) / len(y))
        measured = f"its accuracy is {score:.3f}; always predicting the most frequent class gives {baseline:.3f}."
    else:
        needed, measured = 0.02, f"its R² is {score:.3f}; always predicting the mean gives 0."
    if score <= needed and case.loss_of(copied(case.network)) > 0.9 * case.constant_loss:
        yield from no_better_than_one_answer(case, measured)


def no_better_than_one_answer(case: Case, measured: str) -> Iterator[Finding]:
    """Report a network no better than a constant prediction; advise longer training if held-out rows confirm it."""
    longer = longer_training(case)
    if longer is None or longer.gain.is_better:
        change = case.code.longer() if longer is None else longer.change
        yield make_finding("no-better-than-one-answer", measured, change)
        return
    yield make_finding(
        "no-better-than-one-answer",
        f"{measured} Longer training does not help: {longer.measured}",
        "print(X[:5], y[:5])  # do these columns say anything about the target?",
        "advice",
    )


def check_linear_baseline(case: Case) -> Iterator[Finding]:
    """Check whether a network with hidden layers is better than a model without.

    The training rows raise the question, and held-out rows answer it.
    """
    if len(dense_layers(case.network)) < 2:
        return
    loss, score = case.loss_of(copied(case.network)), case.score
    linear_loss, linear_score = case.linear
    is_better = loss <= BETTER_LOSS * linear_loss or score >= linear_score + BETTER_SCORE
    if is_better or linear_score >= GOOD_ENOUGH:
        return
    measured = (
        f"its loss is {loss:.4g} and its {'accuracy' if case.has_labels else 'R²'} {score:.3f}; a model without hidden "
        f"layers has {linear_loss:.4g} and {linear_score:.3f}."
    )
    before = as_trained(case)
    if before is None:
        return  # without held-out rows, nothing is known of other rows
    linear = without_hidden(case, before)
    for trial in (longer_training(case), more_units(case, before)):
        if trial is not None and trial.gain.is_better and trial.after < BETTER_LOSS * linear.after:
            yield make_finding("no-better-than-linear", f"{measured} {trial.measured}", trial.change)
            return
    if linear.after <= linear.before and not is_cut_short(case):
        severity = "" if linear.gain.is_better else "note"
        yield make_finding("no-better-than-linear", f"{measured} {linear.measured}", linear.change, severity)


class Trial(NamedTuple):
    """A change that was tried on held-out rows."""

    gain: Gain
    before: float
    after: float
    measured: str
    change: str


def trial_of(before: HeldOut, after: HeldOut, what: str, change: str) -> Trial:
    """Return what a change does to the loss of held-out rows, in numbers and words."""
    here, there = float(before.losses.mean()), float(after.losses.mean())
    measured = f"In trials without a quarter of the rows, {what} take the loss on the rows left out from {here:.4g} to "
    return Trial(loss_gain(before, after), here, there, f"{measured}{there:.4g}.", change)


def longer_training(case: Case) -> Trial | None:
    """Try more epochs with Adam's usual learning rate; None if the training cannot be repeated."""
    before, tried = as_trained(case), longer_optimizer(case)
    if before is None:
        return None
    steps = further_steps(case, ending_of(case)) if is_cut_short(case) else many_steps(case)
    after, epochs = trained_further(case, tried, steps), epochs_of(case, steps)
    return trial_of(before, after, f"{epochs} more epochs of Adam", case.code.fit(optimizer=tried, epochs=epochs))


def is_cut_short(case: Case) -> bool:
    """Whether a setting of the training ended it early, so that the network may not be what limits the result."""
    ending = ending_of(case)
    return ending is not None and ending.is_cut_short


def many_steps(case: Case) -> int:
    """Return a number of steps that would be enough for most networks, and takes seconds at most."""
    return min(max(AGAIN * case.steps_done, FEWEST_STEPS), most_steps(case))


def epochs_of(case: Case, steps: int) -> int:
    """Return the number of epochs with about as many steps."""
    return max(steps * case.batch_size // len(case.X), 2)


def longer_optimizer(case: Case) -> Part:
    """Return Adam with a usual learning rate, after the parts that change the gradient, such as clipping."""
    return adam_after(case.optimizer.links[:-1] if isinstance(case.optimizer, Chain) else ())


def optimizer_for_other_layers(case: Case) -> Part:
    """Return likewise an optimizer without the parts that name parameters, which other layers may not have."""
    links = case.optimizer.links[:-1] if isinstance(case.optimizer, Chain) else ()
    return adam_after([link for link in links if not isinstance(link, Freeze | RateFactors)])


def adam_after(links: Sequence[Part]) -> Part:
    """Return Adam with a usual learning rate after other parts."""
    return Chain(*links, Adam(1e-2)) if links else Adam(1e-2)


def without_hidden(case: Case, before: HeldOut) -> Trial:
    """Try a model without hidden layers, trained with Adam until it hardly changes."""
    layers, tried, steps = output_layers(case.network), optimizer_for_other_layers(case), many_steps(case)
    code = case.code.of_network(layers)
    if case.code.terms is None:
        code += f"\n{case.code.fit(optimizer=tried, epochs=epochs_of(case, steps))}"
    after = with_layers(case, layers, tried, steps)
    return trial_of(before, after, f"{epochs_of(case, steps)} epochs of Adam without hidden layers", code)


def more_units(case: Case, before: HeldOut) -> Trial | None:
    """Try more units in the hidden layers; None if there are many already."""
    *hidden, last = case.network.layers
    units = sum(layer.units for layer in hidden if isinstance(layer, FullyConnected))
    if units >= MANY_UNITS:
        return None
    widened = (remade(x, max(4 * x.units, ENOUGH_UNITS)) if isinstance(x, FullyConnected) else x for x in hidden)
    wider = [*widened, last]
    return trial_of(before, with_layers(case, wider), "more hidden units", case.code.of_network(wider))


def output_layers(network: Model) -> list[Layer]:
    """Return the layers from the last fully connected one on, which are a model without hidden layers."""
    layers = list(network.layers)
    places = [i for i, layer in enumerate(layers) if isinstance(layer, FullyConnected)]
    return layers[places[-1] :]
