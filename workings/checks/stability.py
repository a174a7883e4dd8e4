"""The check for the edge of stability: full-batch gradient descent that oscillates because its steps are too long.

Gradient descent converges only where the largest curvature is below 2 / lr.  At the edge of stability, the objective
rises and falls from step to step and does not converge (Cohen et al. 2021).  The check continues the training with a
smaller rate to find the nearby minimum; the curvature there gives the largest rate that would have converged.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workings.checks.curvature import sharpness
from workings.checks.evidence import Case, FitArguments, copied, given
from workings.checks.findings import Finding, make_finding
from workings.checks.rates import rate_of
from workings.errors import DivergenceError
from workings.model.model import Model
from workings.optimizers import SGD
from workings.support.arrays import Array
from workings.training.fit import train
from workings.training.recipe import Recipe

LAST = 60  # the last epochs, which show whether the training has converged
MOST_PARAMETERS = 5000  # with more parameters, the curvature takes too long
SETTLING_EPOCHS, MOST_TIMES = 10_000, 6
SETTLED = 1e-5  # of the objective: a smaller gain counts as convergence


def check_stability(case: Case) -> Iterator[Finding]:
    """Check whether full-batch gradient descent oscillates because its learning rate is too large."""
    if type(case.optimizer) is not SGD or not case.is_full_batch or case.network.theta.size > MOST_PARAMETERS:
        return
    losses = case.losses[-LAST:]
    if len(case.losses) < 2 * LAST or not oscillates(losses) or any(layer.draws for layer in case.network.layers):
        return
    lr = rate_of(case.optimizer)
    now = copied_in_float64(case.network)
    rows = given(case.all_rows, now, np.float64)
    curvatures = [sharpness(now, **rows), sharpness(after_a_step(now, rows, lr), **rows)]
    settled = largest_settling_rate(case, lr) if max(curvatures) > 1.0 / lr else None
    if settled is None:
        return
    rate, curvature_there, loss_there = settled
    yield make_finding(
        "edge-of-stability",
        f"at the end the objective oscillates between {losses.min():.6g} and {losses.max():.6g} from step to step. The "
        f"largest curvature is {min(curvatures):.4g} at one end and {max(curvatures):.4g} at the other, and 2 / lr is "
        f"{2 / lr:.4g}. With a smaller rate the objective "
        f"settles at {loss_there:.6g}, where the curvature is {curvature_there:.4g}. The largest learning rate that "
        f"settles is {rate:.4g}.",
        case.code.fit(optimizer=SGD(two_digits(0.95 * rate))),
    )


def after_a_step(network: Model, rows: FitArguments, lr: float) -> Model:
    """Return a copy after one more step: an oscillation has two ends, between which each step jumps."""
    moved = copied(network)
    train(moved, rows["X"], rows["y"], Recipe(SGD(lr), 1, batch_size=None, sample_weight=rows["sample_weight"]))
    return moved


def oscillates(losses: Array) -> bool:
    """Whether a series changes direction in more than half of its steps, by more than rounding."""
    changes = np.diff(losses)
    turns = float((changes[1:] * changes[:-1] < 0).mean())
    return turns > 0.5 and float(np.abs(changes).max()) > 1e-6 * float(np.abs(losses).max())


def largest_settling_rate(case: Case, lr: float) -> tuple[float, float, float] | None:
    """Continue with half the rate, and half again, until training converges.

    Return 2 / curvature, the curvature and the loss at the minimum; None if it never converges.
    """
    rows = given(case.all_rows, case.network, np.float64)
    for halvings in range(1, 5):
        network = copied_in_float64(case.network)
        try:
            losses = train_until_settled(network, rows, SGD(lr / 2**halvings))
        except DivergenceError:
            continue
        if not oscillates(losses[-LAST:]):
            curvature = sharpness(network, **rows)
            return (2 / curvature, curvature, float(losses[-1])) if 0 < curvature < np.inf else None
    return None


def train_until_settled(network: Model, rows: FitArguments, optimizer: SGD) -> Array:
    """Train as long as the objective improves; return the objective of the last epochs."""
    for _ in range(MOST_TIMES):
        recipe = Recipe(optimizer, SETTLING_EPOCHS, batch_size=None, sample_weight=rows["sample_weight"])
        losses = np.asarray(train(network, rows["X"], rows["y"], recipe)["loss"])
        if losses[0] - losses[-1] < SETTLED * abs(losses[-1]) or oscillates(losses[-LAST:]):
            break
    return losses


def copied_in_float64(network: Model) -> Model:
    """Return a copy whose parameters are float64."""
    return copied(network).astype(np.float64)


def two_digits(value: float) -> float:
    """Round a number down to two significant digits."""
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(f"{np.floor(value / unit) * unit:.2g}")
