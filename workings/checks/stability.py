"""The edge of stability: full-batch gradient descent that jumps across a valley because its steps are too long for it.

Gradient descent settles only where the largest curvature is below 2 / lr; at the edge, the objective goes up and down
from step to step and never to rest (Cohen et al. 2021).  The valley itself is found by going on with a smaller rate;
its curvature says with which rates one could have settled there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from workings.checks.curvature import sharpness
from workings.checks.evidence import Case, copied, given, rate_of
from workings.checks.findings import Finding, found
from workings.errors import DivergenceError
from workings.model.model import Model
from workings.optimizers import SGD
from workings.support.arrays import Array
from workings.training.fit import train
from workings.training.recipe import Recipe

LAST = 60  # epochs that tell whether training has settled
MOST_CURVED = 5000  # parameters above which the curvature takes too long
SETTLING_EPOCHS, MOST_TIMES = 10_000, 6
SETTLED = 1e-5  # of the objective: epochs that bring less are at the bottom


def check_stability(case: Case) -> Iterator[Finding]:
    """Does full-batch gradient descent jump to and fro because its steps are too long for the valley?"""
    if type(case.optimizer) is not SGD or not case.is_full_batch or case.network.theta.size > MOST_CURVED:
        return
    losses = case.losses[-LAST:]
    if len(case.losses) < 2 * LAST or not jumps(losses) or any(layer.draws for layer in case.network.layers):
        return
    lr = rate_of(case.optimizer)
    now = in_doubles(case.network)
    curvature = sharpness(now, **given(case.all_rows, now, np.float64))
    settled = largest_settling_rate(case, lr) if curvature > 1.0 / lr else None
    if settled is None:
        return
    rate, valley, losses_there = settled
    yield found(
        "edge-of-stability",
        f"at the end the objective jumps between {losses.min():.6g} and {losses.max():.6g} from step to step. The "
        f"largest curvature is {curvature:.4g} there, and 2 / lr is {2 / lr:.4g}. With a smaller rate it settles "
        f"beside it at {losses_there:.6g}, where the curvature is {valley:.4g}: the largest learning rate that settles "
        f"is {rate:.4g}.",
        case.fit_code(optimizer=SGD(two_digits(0.95 * rate))),
    )


def jumps(losses: Array) -> bool:
    """Whether a series goes up and down, at least every third time, by more than rounding."""
    changes = np.diff(losses)
    turns = float((changes[1:] * changes[:-1] < 0).mean())
    return turns > 0.5 and float(np.abs(changes).max()) > 1e-6 * float(np.abs(losses).max())


def largest_settling_rate(case: Case, lr: float) -> tuple[float, float, float] | None:
    """Go on with half the rate until it settles; give 2 / curvature, the curvature and the loss of where that is."""
    rows = given(case.all_rows, case.network, np.float64)
    for halvings in range(1, 5):
        network = in_doubles(case.network)
        try:
            losses = gone_on(network, rows, SGD(lr / 2**halvings))
        except DivergenceError:
            continue
        if not jumps(losses[-LAST:]):
            curvature = sharpness(network, **rows)
            return (2 / curvature, curvature, float(losses[-1])) if 0 < curvature < np.inf else None
    return None


def gone_on(network: Model, rows: Mapping[str, Any], optimizer: SGD) -> Array:
    """Train on, for as long as it brings anything; give the objective of the last epochs."""
    for _ in range(MOST_TIMES):
        recipe = Recipe(optimizer, SETTLING_EPOCHS, batch_size=None, sample_weight=rows["sample_weight"])
        losses = np.asarray(train(network, rows["X"], rows["y"], recipe)["loss"])
        if losses[0] - losses[-1] < SETTLED * abs(losses[-1]) or jumps(losses[-LAST:]):
            break
    return losses


def in_doubles(network: Model) -> Model:
    """A copy whose parameters have float64."""
    return copied(network).astype(np.float64)


def two_digits(value: float) -> float:
    """A number with two digits, rounded down."""
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(f"{np.floor(value / unit) * unit:.2g}")
