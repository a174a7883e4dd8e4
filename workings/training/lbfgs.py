"""L-BFGS: minimize an objective of all parameters with SciPy, which chooses the steps.

It needs full batches, so that the objective is one smooth function.  The program computes the objective and
its gradient, SciPy's L-BFGS-B chooses the parameters, and each of its iterations counts as an epoch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from workings.engines.reference import Runner
from workings.errors import InputError, MissingExtraError
from workings.model.model import Model
from workings.optimizers import LBFGS
from workings.program.program import Program
from workings.support.arrays import Array
from workings.support.interruption import interrupted_afterwards
from workings.training.rows import Rows

if TYPE_CHECKING:
    from types import ModuleType

    from scipy.optimize import OptimizeResult

Objective = Callable[[Array], tuple[float, Array]]


def minimize(
    objective: Objective, start: Array, settings: LBFGS, iterations: int, after: Callable[[Array, float], bool]
) -> OptimizeResult:
    """Minimize an objective with SciPy's L-BFGS-B and return SciPy's result.

    Parameters
    ----------
    objective : callable
        Returns the objective and its gradient at a flat vector.
    start : array
        The initial vector.
    settings : LBFGS
    iterations : int
        The maximum number of iterations.
    after : callable
        Called after each iteration with the vector and its objective; true ends the minimization.

    Raises
    ------
    MissingExtraError
        If SciPy is not installed.
    """
    optimize = scipy_optimize()

    def callback(intermediate_result: OptimizeResult) -> None:
        if after(intermediate_result.x, float(intermediate_result.fun)):
            raise StopIteration

    options = scipy_options(settings, iterations)
    found: OptimizeResult = optimize.minimize(
        objective, start, jac=True, method="L-BFGS-B", callback=callback, options=options
    )
    return found


def scipy_optimize() -> ModuleType:
    """Return SciPy's module ``optimize``."""
    try:
        with interrupted_afterwards():
            return importlib.import_module("scipy.optimize")
    except ImportError as error:
        raise MissingExtraError("SciPy", "sklearn") from error


def scipy_options(settings: LBFGS, iterations: int) -> dict[str, float]:
    """Return the settings under SciPy's names."""
    return {
        "maxiter": iterations,
        "maxfun": settings.evaluations or 25 * iterations,
        "maxcor": settings.memory,
        "gtol": settings.tolerance,
        "ftol": settings.improvement,
    }


def check_smooth(model: Model, batches: int) -> None:
    """Raise an error if the objective is random or depends on the batch."""
    if any(layer.draws or layer.statistics for layer in model.layers) or batches > 1:
        raise InputError("L-BFGS needs a full batch (batch_size=None) and a network without Dropout and BatchNorm.")


def flat_objective(model: Model, program: Program, rows: Rows) -> Objective:
    """Return the objective and its gradient as a function of one flat vector, in float64."""
    run = Runner(program, ["J", *(f"d{name}" for name in program.parameters)], "L-BFGS")
    data = {"X": rows.X, "y": rows.y, "w": rows.w, "n": len(rows.X)}

    def objective(theta: Array) -> tuple[float, Array]:
        model.theta[...] = theta
        J, *gradients = run({**data, **model.parameters, **model.statistics})
        return float(J), np.concatenate([np.ravel(g) for g in gradients]).astype(np.float64)

    return objective
