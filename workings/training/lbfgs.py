"""L-BFGS: steps that SciPy chooses.

For full batches, where the objective is one smooth function of all parameters.  The program gives the
objective and its gradient; SciPy's L-BFGS-B finds the way; each of its iterations is an epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from workings.engines.reference import Runner
from workings.errors import InputError, MissingExtraError
from workings.optimizers import LBFGS
from workings.support.arrays import Array

if TYPE_CHECKING:
    from workings.training.training import Training


def minimize(training: Training, settings: LBFGS) -> Any:
    """Let SciPy's L-BFGS-B find the parameters, and give its result; each of its iterations is an epoch.

    Raises
    ------
    InputError
        For layers whose output changes by chance or with the batch.
    """
    try:
        from scipy import optimize
    except ImportError as error:
        raise MissingExtraError("SciPy", "sklearn") from error
    network = training.network
    if any(layer.draws or layer.statistics for layer in network.layers) or len(training.batches) > 1:
        raise InputError("L-BFGS needs a full batch (batch_size=None) and a network without Dropout and BatchNorm.")
    objective = flat_objective(training)
    latest = [objective(network.theta.astype(np.float64))[0]]
    if not np.isfinite(latest[0]):
        training.lost_between_steps(latest[0], training.values)

    def after(intermediate_result: Any) -> None:
        training.good = training.values
        move_to(training, intermediate_result.x)
        training.finish_epoch(latest[-1])
        training.tell("on_epoch_end")
        latest.append(float(intermediate_result.fun))
        training.epoch += 1
        if training.stopped:
            raise StopIteration
        training.tell("on_epoch_begin")

    options = in_scipys_words(settings, training.epochs)
    start = network.theta.astype(np.float64)
    training.tell("on_epoch_begin")
    result = optimize.minimize(objective, start, jac=True, method="L-BFGS-B", callback=after, options=options)
    move_to(training, result.x)
    training.stopped = training.stopped or f"L-BFGS ended after {training.epoch} iterations: {result.message}"
    return result


def in_scipys_words(settings: LBFGS, epochs: int) -> dict[str, Any]:
    """The settings under SciPy's names."""
    most = settings.evaluations or 25 * epochs
    return {"maxiter": epochs, "maxfun": most, "maxcor": settings.memory, "gtol": settings.tolerance,
            "ftol": settings.improvement}  # fmt: skip


def flat_objective(training: Training) -> Callable[[Array], tuple[float, Array]]:
    """The objective and its gradient as functions of one flat vector, in float64."""
    network, program = training.network, training.program
    run = Runner(program, ["J", *(f"d{name}" for name in program.parameters)], "L-BFGS")
    data = {"X": training.X, "y": training.y, "w": training.w, "n": len(training.X)}

    def objective(theta: Array) -> tuple[float, Array]:
        network.theta[...] = theta
        J, *gradients = run({**data, **network.parameters})
        return float(J), np.concatenate([np.ravel(g) for g in gradients]).astype(np.float64)

    return objective


def move_to(training: Training, theta: Array) -> None:
    """Put the network, and the values that are kept when training is interrupted, at other parameters."""
    training.network.theta[...] = theta
    training.values = {name: view.copy() for name, view in training.network.parameters.items()}
