"""The gradient check: is the backward pass the derivative of the forward pass?

The objective is measured a little to both sides along random directions of each parameter, in
float64, and the slope is compared with the gradient.  Where they differ, it is measured again entry
by entry, with smaller steps, because a corner (as of ReLU) may lie between; only then is it a
mismatch, and the report says what kind of mistake looks like that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from workings.engines.reference import Runner
from workings.layers import numbered
from workings.program.program import Program
from workings.support.arrays import Array, as_random
from workings.support.sparse import dense

if TYPE_CHECKING:
    from workings.model.model import Model

STEPS = (1e-5, 1e-6, 1e-7)
MOST_ENTRIES = 200  # of one parameter that are measured one by one


@dataclass(frozen=True)
class ParameterCheck:
    """What was found for one parameter.

    ``analytic`` and ``numeric`` hold the two gradients for the entries that were measured one by one
    (all of them, or a random choice of a large parameter), ``values`` the entries themselves, and
    ``places`` says which; all are empty where the random directions agreed.
    """

    name: str
    ok: bool
    error: float
    corners: int = 0
    shape: tuple[int, ...] = ()
    expected_shape: tuple[int, ...] = ()
    analytic: Array = field(default_factory=lambda: np.zeros(0))
    numeric: Array = field(default_factory=lambda: np.zeros(0))
    values: Array = field(default_factory=lambda: np.zeros(0))
    places: tuple[tuple[int, ...], ...] = ()

    @property
    def worst(self) -> int:
        """The position in ``places`` of the entry with the largest difference."""
        return int(np.argmax(np.abs(self.analytic - self.numeric)))

    @property
    def ratio(self) -> float | None:
        """The factor between the two gradients, if it is the same for all entries."""
        top = float(np.abs(self.numeric).max(initial=0))
        if top == 0:
            return None
        factor = float(self.analytic @ self.numeric / (self.numeric @ self.numeric))
        same = np.abs(self.analytic - factor * self.numeric).max() <= 1e-4 * max(abs(factor), 1e-3) * top
        return factor if same else None


@dataclass(frozen=True)
class GradientReport:
    """The result of a gradient check: true if all gradients are right; its text says why not."""

    checks: tuple[ParameterCheck, ...]
    reading: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every gradient agrees with the finite differences."""
        return all(check.ok for check in self.checks)

    @property
    def worst(self) -> ParameterCheck:
        """The parameter with the largest relative error."""
        return max(self.checks, key=lambda check: check.error)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        head = "All gradients agree with finite differences." if self.ok else "Gradients and finite differences differ."
        lines = [head, "parameter   largest relative error"]
        for check in self.checks:
            corners = (
                f"  ({check.corners} entries on a corner, where any slope between is right)" if check.corners else ""
            )
            lines.append(f"{check.name:<11} {check.error:>9.1e}  {'ok' if check.ok else 'WRONG'}{corners}")
            if not check.ok and check.places:
                i = check.worst
                place = ", ".join(map(str, check.places[i]))
                lines.append(
                    f"            worst entry {check.name}[{place}]: gradient {check.analytic[i]:.6g}, "
                    f"finite difference {check.numeric[i]:.6g}"
                )
        return "\n".join([*lines, *self.reading])


def check_gradients(
    network: Model,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    program: Program | None = None,
    tolerance: float = 1e-5,
    directions: int = 2,
) -> GradientReport:
    """Compare the network's gradients with central differences, in float64.

    Parameters
    ----------
    network : Model
        It is not changed (but for being built, if it was not).
    X, y : arrays of shape (n, n_in) and (n,) or (n, n_out)
        A few rows are enough.
    program : Program or None
        Another program to be checked in place of the network's own.
    tolerance : float
        The relative error that is still right.
    directions : int
        How many random directions are tried for each parameter before entries are.

    Returns
    -------
    GradientReport

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> net = Network([Dense(3, "tanh"), Dense(1)], loss=SquaredError(), seed=0)
    >>> report = check_gradients(net, [[0.5, 1.0], [1.0, -1.0]], [1.0, 0.0])
    >>> report.ok
    True
    >>> wrong = net.program().replacing("db1", "dz1.sum()")
    >>> print(check_gradients(net, [[0.5, 1.0], [1.0, -1.0]], [1.0, 0.0], program=wrong).reading[0])
    db1 has shape (), but b1 has (3,): it was summed to one number; sum over the rows only, with axis=0.
    """
    features, targets, w = network.prepare(X, y, sample_weight)
    program = program or network.program(weighted=w is not None)
    values = doubled({
        "X": dense(features), "y": targets, "w": w, "n": len(features),
        **network.draw(len(features), as_random(0)), **network.start_values(program),
    })  # fmt: skip
    objective = Runner(program.needed_for("J"), ["J"], "objective")
    gradients = Runner(program, [f"d{name}" for name in program.parameters], "gradients")(values)
    rng = np.random.default_rng(0)
    checks = []
    for name, gradient in zip(program.parameters, gradients, strict=True):
        along = slope_along(objective, values, name)
        checks.append(check_parameter(name, np.asarray(gradient), values[name], along, tolerance, directions, rng))
    return GradientReport(tuple(checks), tuple(read_mismatch(checks, program, len(features), network)))


def doubled(values: Mapping[str, Any]) -> dict[str, Any]:
    """All arrays in float64."""
    return {k: v.astype(np.float64) if isinstance(v, np.ndarray) else v for k, v in values.items()}


Slopes = Callable[[Array, float], tuple[float, float, float]]


def slope_along(objective: Runner, values: dict[str, Any], name: str) -> Slopes:
    """Measure the slope of a program's objective along a direction of one parameter."""
    return measured_along(lambda changed: float(objective(changed)[0]), values, name)


def measured_along(objective: Callable[[Mapping[str, Any]], float], values: Mapping[str, Any], name: str) -> Slopes:
    """Measure a function's slope along a direction of one parameter: left, right, and rounding noise."""
    start = values[name]
    middle = objective(values)

    def measure(direction: Array, h: float) -> tuple[float, float, float]:
        up = objective({**values, name: start + h * direction})
        down = objective({**values, name: start - h * direction})
        return (middle - down) / h, (up - middle) / h, 1e-14 * max(abs(middle), abs(up), 1e-3) / h

    return measure


def check_parameter(
    name: str, gradient: Array, value: Array, measure: Slopes, tolerance: float, directions: int,
    rng: np.random.Generator,
) -> ParameterCheck:  # fmt: skip
    """Check one parameter: along random directions first, entry by entry if they do not agree."""
    if gradient.shape != value.shape:
        return ParameterCheck(name, False, np.inf, shape=gradient.shape, expected_shape=value.shape)
    errors = []
    for _ in range(directions):
        direction = rng.standard_normal(value.shape)
        direction /= np.linalg.norm(direction)
        left, right, noise = measure(direction, STEPS[0])
        with np.errstate(invalid="ignore", over="ignore"):  # a gradient that is not finite is an infinite error
            along = float((gradient * direction).sum())
        errors.append(relative_error(along, (left + right) / 2, noise / tolerance))
    if max(errors) <= tolerance:
        return ParameterCheck(name, True, max(errors))
    return check_entries(name, gradient, value, measure, tolerance, rng)


def check_entries(
    name: str, gradient: Array, value: Array, measure: Slopes, tolerance: float, rng: np.random.Generator
) -> ParameterCheck:
    """Measure the slope for single entries, and tell a corner from a mistake."""
    chosen = rng.permutation(value.size)[:MOST_ENTRIES]
    places = [tuple(int(i) for i in np.unravel_index(index, value.shape)) for index in np.sort(chosen)]
    # An entry that is tiny beside the others is judged against them, not against itself.
    floor = 1e-4 * float(np.abs(gradient).max(initial=0))
    numeric, errors, corners = [], [], 0
    for place in places:
        direction = np.zeros(value.shape)
        direction[place] = 1.0
        slope, error, corner = check_entry(float(gradient[place]), direction, measure, tolerance, floor)
        numeric.append(slope)
        errors.append(error)
        corners += corner
    analytic = np.array([gradient[place] for place in places])
    return ParameterCheck(
        name, max(errors) <= tolerance, max(errors), corners, analytic=analytic, numeric=np.array(numeric),
        places=tuple(places), values=np.array([value[place] for place in places]),
    )  # fmt: skip


def check_entry(
    gradient: float, direction: Array, measure: Slopes, tolerance: float, floor: float
) -> tuple[float, float, bool]:
    """The slope of one entry, the gradient's relative error, and whether it lies on a corner."""
    found = []
    for h in STEPS:
        left, right, noise = measure(direction, h)
        slope = (left + right) / 2
        found.append((relative_error(gradient, slope, floor + noise / tolerance), slope))
        if found[-1][0] <= tolerance:
            return slope, found[-1][0], False
        low, high = min(left, right), max(left, right)
    is_corner = high - low > 1e-3 * max(abs(low), abs(high)) + 10 * noise
    if is_corner and low - 10 * noise <= gradient <= high + 10 * noise:
        return gradient, 0.0, True
    error, slope = min(found)
    return slope, error, False


def relative_error(gradient: float, slope: float, floor: float) -> float:
    """How far two slopes are apart, in relation to the larger one and to what rounding can do."""
    if not (np.isfinite(gradient) and np.isfinite(slope)):
        return np.inf
    return abs(gradient - slope) / (max(abs(gradient), abs(slope)) + floor + 1e-300)


def read_mismatch(checks: list[ParameterCheck], program: Program, n: int, network: Model) -> list[str]:
    """Say what kind of mistake the mismatches of a network's program look like."""
    wrong = [check for check in checks if not check.ok]
    regularized = regularized_in(network)
    found = read_numbers(checks, n, network.n_out, regularized)
    if found or not wrong:
        return found
    if all(check.name[0] in "b" for check in wrong):
        return [f"Only biases are wrong ({names_of(wrong)}): look at how their gradients are summed over the rows."]
    if len(wrong) < len(checks):
        return [read_place(wrong, checks, program)]
    return ["All gradients are wrong: look at the gradient of the loss, where the way back begins."]


def read_numbers(
    checks: list[ParameterCheck], n: int, n_out: int, regularized: Collection[str] | None = None
) -> list[str]:
    """Say what the shapes and numbers of mismatches look like, whoever computed them.

    ``regularized`` names the parameters that a regularizer acts on; None where that is not known.
    """
    wrong = [check for check in checks if not check.ok]
    found = [read_shape(check, n) for check in wrong if check.shape != check.expected_shape]
    measured = [check for check in wrong if check.places]
    for check in [check for check in measured if not np.isfinite(check.analytic).all()]:
        found.append(f"d{check.name} holds numbers that are not finite: look for a division by 0 or an overflow.")
        measured.remove(check)
    if not measured:
        return found
    found += read_factor(measured, set(regularized or ()), n, n_out)
    known = [check.name for check in measured] if regularized is None and not found else regularized or ()
    return found + [text for c in measured if (text := read_entries(c) or (read_penalty(c) if c.name in known else ""))]


def regularized_in(network: Model) -> set[str]:
    """The names of the parameters that a regularizer acts on."""
    if not network.regularizers:
        return set()
    return {f"{letter}{number}" for layer, number in numbered(network.layers) for letter in layer.regularized}


def read_factor(wrong: list[ParameterCheck], regularized: set[str], n: int, n_out: int) -> list[str]:
    """Say what a factor that is the same in all wrong gradients looks like.

    A parameter that a regularizer acts on has a gradient of two parts, of which only one may be wrong.
    """
    judged = [check for check in wrong if check.name not in regularized] or wrong
    ratios = [check.ratio for check in judged]
    first = ratios[0]
    if first is None or any(ratio is None or abs(ratio - first) > 1e-3 * max(abs(first), 1e-3) for ratio in ratios):
        return []
    return [f"{names_of(judged)}: the gradient is {first:.4g} times the slope: {read_ratio(first, n, n_out)}."]


def read_penalty(check: ParameterCheck) -> str:
    """Say so if the difference is in proportion to the weights or to their signs."""
    if len(check.values) < 2:  # one number is in proportion to any other
        return ""
    difference = check.numeric - check.analytic
    for of_weights, regularizer in ((check.values, "L2"), (np.sign(check.values), "L1")):
        factor = float(difference @ of_weights / max(of_weights @ of_weights, 1e-300))
        if np.allclose(difference, factor * of_weights, rtol=1e-3, atol=1e-4 * np.abs(difference).max(initial=0)):
            what = "W" if regularizer == "L2" else "sign(W)"
            return (
                f"d{check.name} differs by {factor:.4g} · {what}: the {regularizer} regularizer's part of the gradient "
                f"is missing or wrong."
            )
    return ""


def read_shape(check: ParameterCheck, n: int) -> str:
    """Say what a gradient of the wrong shape looks like."""
    text = f"d{check.name} has shape {check.shape}, but {check.name} has {check.expected_shape}"
    if check.shape == check.expected_shape[::-1]:
        return f"{text}: it is transposed; swap the two factors of the product."
    if check.shape in ((), (1,)):
        return f"{text}: it was summed to one number; sum over the rows only, with axis=0."
    if check.shape[:1] == (n,):
        return f"{text}: the rows were not summed; add .sum(axis=0)."
    return f"{text}: they must be equal."


def read_ratio(ratio: float, n: int, n_out: int) -> str:
    """Say what a constant factor between gradient and slope looks like; several meanings are joined by "or"."""
    known = [
        (-1.0, "the sign is wrong"),
        (0.0, "the gradient is not computed at all"),
        (2.0, "a forgotten ½ in the loss, or a 2 too many in its gradient"),
        (0.5, "a forgotten 2: the derivative of a square is twice its root"),
        (float(n), "a sum where a mean was meant: divide by the number of rows"),
        (1 / n, "a mean where a sum was meant: it is divided by the number of rows once too often"),
    ]
    if n_out > 1:
        known += [
            (float(n_out), "the loss is a mean over the outputs, the gradient is not"),
            (1 / n_out, "the gradient is a mean over the outputs, the loss is not"),
            (float(n * n_out), "a sum over rows and outputs where a mean was meant"),
        ]
    fits = [words for factor, words in known if abs(ratio - factor) <= 1e-3 * max(abs(factor), 1e-3)]
    return "; or ".join(fits) or "a constant factor; look for it in the loss and its reduction"


def read_entries(check: ParameterCheck) -> str:
    """Say what one parameter's entries look like: transposed, or all the same."""
    size = int(np.sqrt(len(check.places)))
    if len(check.places[0]) == 2 and size * size == len(check.places) and size > 1:
        analytic, numeric = check.analytic.reshape(size, size), check.numeric.reshape(size, size)
        if np.allclose(analytic.T, numeric, rtol=1e-4, atol=1e-9) and not np.allclose(analytic, numeric, rtol=1e-4):
            return f"d{check.name} is the transpose of what it should be: swap the two factors of the product."
    varied = np.ptp(check.numeric) > 1e-6 * np.abs(check.numeric).max(initial=0)
    if len(check.analytic) > 1 and np.ptp(check.analytic) == 0 and check.analytic[0] != 0 and varied:
        return f"All entries of d{check.name} are equal: it was summed to one number; sum over the rows, with axis=0."
    return ""


def read_place(wrong: list[ParameterCheck], checks: list[ParameterCheck], program: Program) -> str:
    """Say where on the way back the mistake comes in: after the last right gradient, up to the first wrong one."""
    names = [check.name for check in checks]
    bad = {check.name for check in wrong}
    backward = program.stage("backward")
    order = [s.target for s in backward]
    place = {name: order.index(f"d{name}") for name in names}
    first = min(bad, key=lambda name: place[name])
    right = [place[name] for name in names if name not in bad and place[name] < place[first]]
    suspects = [s for s in backward[max(right, default=-1) + 1 : place[first]] if s.target[1:] not in names]
    text = "; ".join(f"`{s}`" for s in [*suspects, backward[place[first]]])
    part = (suspects or [backward[place[first]]])[-1].part
    return (
        f"The gradients of {', '.join(name for name in names if name not in bad)} are right, so the mistake comes in "
        f"with {text}: look first at the derivative in {part}."
    )


def names_of(checks: list[ParameterCheck]) -> str:
    """Join the names of some parameters."""
    return ", ".join(check.name for check in checks)
