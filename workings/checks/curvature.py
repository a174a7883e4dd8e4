"""The sharpness of the objective: its largest curvature, the largest eigenvalue of its Hessian.

Gradient descent with a learning rate lr is stable only where the sharpness is below 2 / lr, and full-batch training
tends to reach this limit (Cohen et al. 2021, "Gradient descent on neural networks typically occurs at the edge of
stability").  The curvature is computed from the gradients of the program.
"""

from __future__ import annotations

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
    here = network.theta.copy()
    direction = np.random.default_rng(0).standard_normal(here.size)
    largest = 0.0
    with restoring(network):
        for _ in range(rounds):
            direction /= max(float(np.linalg.norm(direction)), 1e-300)
            step = 1e-4 * direction
            up, down = (gradient_at(network, theta, X, y, sample_weight) for theta in (here + step, here - step))
            change = up - down
            largest, direction = float(change @ direction) / 2e-4, change
    return largest


def gradient_at(network: Model, theta: Array, X: Array, y: Array, w: Array | None = None) -> Array:
    """Return the gradient of all parameters as one vector, at other parameters, which it writes into the network."""
    network.theta[...] = theta
    trace = network.trace(X, y, w)
    return np.concatenate([np.ravel(trace[f"d{name}"]) for name in network.parameters])
