"""The curvature of the objective: how sharp is the valley that training has come to?

Gradient descent with a learning rate lr is stable only where the largest curvature is below 2 / lr, and full-batch
training tends to go just there (Cohen et al. 2021, "Gradient descent on neural networks typically occurs at
the edge of stability").  The curvature is measured with the program's own gradients.
"""

from __future__ import annotations

import numpy as np

from workings.model.model import Model
from workings.support.arrays import Array
from workings.training.recorders import restored


def sharpness(network: Model, X: Array, y: Array, rounds: int = 60, *, sample_weight: Array | None = None) -> float:
    """The largest curvature of the objective: power iteration on differences of gradients.

    Parameters
    ----------
    network : Model
        Left as it is.
    X, y : arrays of shape (n, n_in) and (n,) or (n, n_out)
        The rows of the objective.
    rounds : int
        How often the direction is improved.
    sample_weight : array of shape (n,) or None
        How much each row counts.

    Returns
    -------
    float
        The eigenvalue of largest size of the objective's second derivatives.

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
    with restored(network):
        for _ in range(rounds):
            direction /= max(float(np.linalg.norm(direction)), 1e-300)
            step = 1e-4 * direction
            up, down = (gradient_at(network, theta, X, y, sample_weight) for theta in (here + step, here - step))
            change = up - down
            largest, direction = float(change @ direction) / 2e-4, change
    return largest


def gradient_at(network: Model, theta: Array, X: Array, y: Array, w: Array | None = None) -> Array:
    """The whole gradient as one vector, at other parameters."""
    network.theta[...] = theta
    trace = network.trace(X, y, w)
    return np.concatenate([np.ravel(trace[f"d{name}"]) for name in network.parameters])
