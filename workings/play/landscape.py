"""The loss landscape of a run: the loss over a plane through parameter space, and the edge of stability.

``workings.plots.loss_plane`` computes the plane, ``workings.checks.curvature`` the largest curvature.
"""

from __future__ import annotations

import copy

import numpy as np

from workings.checks.curvature import sharpness
from workings.errors import InputError, unknown_name
from workings.model.model import Model
from workings.play.pictures import encoded, number, single
from workings.play.play_data import PlayData
from workings.play.run import Run
from workings.plots.landscapes import LossPlane, axis_around, loss_plane, losses_over, principal_directions
from workings.support.arrays import Array
from workings.support.json_values import JsonObject

POINTS, FEWEST_POINTS = 27, 9  # along each side
MOST_ROWS = 1000
MOST_WORK = 6e8  # multiplications
DIRECTIONS = ("path", "random")


def landscape(run: Run, data: PlayData, directions: str) -> JsonObject:
    """Return the loss around the present parameters, with the path of the run, for the page.

    Parameters
    ----------
    directions : str
        ``"path"``: the first two principal directions of the run so far.  ``"random"``: two random directions, in
        which the weights of each unit have the norm of the unit's own weights (Li et al. 2018).

    Raises
    ------
    InputError
        For other directions, and for the path of a run without steps.
    """
    if directions not in DIRECTIONS:
        raise unknown_name("directions", directions, DIRECTIONS)
    model = copy.deepcopy(run.model)
    count = min(data.training, MOST_ROWS)
    X, y = data.inputs(data.raw)[:count], data.y[:count]
    with np.errstate(all="ignore"):
        plane = plane_along(run, model, X, y) if directions == "path" else around(run, model, X, y)
    return {
        "directions": directions,
        "step": run.state.step,
        "losses": encoded(single(plane.losses)),
        "alphas": plane.alphas.tolist(),
        "betas": plane.betas.tolist(),
        "path": None if plane.path is None else plane.path.tolist(),
        "shares": None if plane.shares is None else list(plane.shares),
        "J": number(model.objective(X, y)),
        "rows": count,
        **edge(run, model, X, y),
    }


def points(run: Run, rows: int) -> int:
    """Return how many points along each side the limit of work allows; an odd number."""
    most = int(np.sqrt(MOST_WORK / max(2.0 * run.model.theta.size * rows, 1.0)))
    return int(np.clip(most, FEWEST_POINTS, POINTS)) // 2 * 2 + 1


def around(run: Run, model: Model, X: Array, y: Array) -> LossPlane:
    """Return the plane of two random directions."""
    return loss_plane(model, X, y, steps=points(run, len(X)))


def plane_along(run: Run, model: Model, X: Array, y: Array) -> LossPlane:
    """Return the plane of the first two principal directions of the run so far."""
    moments = [moment for moment in run.course if moment.step <= run.state.step]
    thetas = np.array([np.concatenate([np.ravel(m.values[name]) for name in model.parameters]) for m in moments])
    if len(thetas) < 2 or not (thetas != thetas[-1]).any():
        raise InputError("The run has no path yet: make some steps, or choose random directions.")
    end, directions, path, shares = principal_directions(thetas)
    if len(directions) < 2:
        raise InputError("A plane needs at least two parameters.")
    steps = points(run, len(X))
    alphas, betas = (axis_around(path[:, k], steps, float(np.ptp(path))) for k in (0, 1))
    return LossPlane(losses_over(model, X, y, end, directions, alphas, betas), alphas, betas, path, shares)


def edge(run: Run, model: Model, X: Array, y: Array) -> JsonObject:
    """Return the largest curvature, and the limit 2 / learning rate; no curvature of an objective with dropout."""
    rate = run.learning_rate()
    is_random = any(layer.draws for layer in model.layers)
    curvature = None if is_random else number(sharpness(model, X, y))
    return {"curvature": curvature, "limit": number(2 / rate) if rate > 0 else None, "rate": rate}
