"""The sharpness of the objective: its largest curvature, the largest eigenvalue of its Hessian.

Gradient descent with a learning rate lr is stable only where the sharpness is below 2 / lr, and full-batch training
tends to reach this limit (Cohen et al. 2021, "Gradient descent on neural networks typically occurs at the edge of
stability").  The curvature is computed from the gradients of the program.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workings.model.model import Model
from workings.support.arrays import Array
from workings.training.recorders import restoring


def sharpness(network: Model, X: Array, y: Array, rounds: int = 60, *, sample_weight: Array | None = None) -> float:
    """Compute the largest curvature of the objective, by power iteration on differences of gradients.

    Parameters
    ----------
    network : Model
        It is not changed.
    X, y : arrays of shape (n, n_in) and (n,) or (n, n_out)
        The rows of the objective.
    rounds : int
        Number of power iterations.
    sample_weight : array of shape (n,) or None
        The weight of each row.

    Returns
    -------
    float
        The eigenvalue of the Hessian with the largest absolute value.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> net = Network([Dense(1, bias=False)], loss=SquaredError(), n_in=1, seed=0)
    >>> round(sharpness(net, np.array([[3.0]]), np.array([1.0])), 3)
    18.0
    """

    def gradient(theta: Array) -> Array:
        return gradient_at(network, theta, X, y, sample_weight)

    here = network.theta.copy()
    with restoring(network):
        start = np.random.default_rng(0).standard_normal(here.size)
        return largest_curvature(gradient, here, start, rounds)


def largest_curvature(gradient: Callable[[Array], Array], here: Array, direction: Array, rounds: int) -> float:
    """is the largest curvature at a point, by power iteration on differences of gradients from a first direction"""
    curvature = 0.0
    for _ in range(rounds):
        direction = direction / max(np.sqrt(direction @ direction), 1e-300)
        change = gradient(here + 1e-4 * direction) - gradient(here - 1e-4 * direction)
        curvature = float(change @ direction) / 2e-4
        direction = change
    return curvature


def gradient_at(network: Model, theta: Array, X: Array, y: Array, w: Array | None = None) -> Array:
    """Return the gradient of all parameters as one vector, at other parameters, which it writes into the network."""
    network.theta[...] = theta
    trace = network.trace(X, y, w)
    return np.concatenate([np.ravel(trace[f"d{name}"]) for name in network.parameters])
