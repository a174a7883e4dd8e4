"""The gradient check: it compares the gradients of the backward pass with finite differences of the objective.

First it takes central differences along random directions of each parameter, in float64.  If one differs from the
gradient, it checks the entries one by one, with smaller steps, because a kink (as of ReLU) may lie within the step.
Only then it reports a mismatch, and says which mistake typically causes it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from workings.engines.reference import Runner
from workings.layers import number_layers
from workings.program.program import Program
from workings.support.arrays import Array, Values, as_random
from workings.support.keywords import checked_keywords
from workings.support.notebook import Readable
from workings.support.sparse import dense

if TYPE_CHECKING:
    from workings.model.model import Model

STEPS = (1e-5, 1e-6, 1e-7)  # of the finite differences
MOST_ENTRIES = 200  # of a parameter that are checked one by one


@dataclass(frozen=True)
class Arithmetic:
    """The precision of an objective: the steps of the finite differences, and its relative rounding error."""

    steps: tuple[float, ...]
    rounding: float


DOUBLE = Arithmetic(STEPS, 1e-14)
# An objective in float32 is rounded to 6e-8 of its value, or several times this after a sum.  The error of a central
# difference is least for steps of about the cube root of this (Press et al. 2007, "Numerical Recipes", section 5.7).
SINGLE = Arithmetic((1e-2, 3e-3, 1e-3), 5e-7)


@dataclass(frozen=True)
class ParameterCheck:
    """The result of the gradient check for one parameter.

    ``analytic`` holds the gradient and ``numeric`` the finite differences of the entries that were checked one by one
    (all of them, or a random sample of a large parameter), ``values`` the entries themselves, and ``places`` their
    indices.  All are empty if the random directions agreed.  ``corners`` counts the entries at a kink.
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
    tolerance: float = 1e-5

    @property
    def worst(self) -> int:
        """The position in ``places`` of the entry with the largest difference."""
        return int(np.argmax(np.abs(self.analytic - self.numeric)))

    @property
    def ratio(self) -> float | None:
        """The gradient divided by the finite difference, if it is the same for all entries."""
        top = float(np.abs(self.numeric).max(initial=0))
        if top == 0:
            return None
        factor = float(self.analytic @ self.numeric / (self.numeric @ self.numeric))
        limit = 10 * self.tolerance * max(abs(factor), 1e-3) * top
        same = np.abs(self.analytic - factor * self.numeric).max() <= limit
        return factor if same else None


@dataclass(frozen=True, repr=False)
class GradientReport(Readable):
    """The result of a gradient check: true if all gradients are right, else its text explains the mismatch."""

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
            corners = f"  ({check.corners} entries at a kink, where any subgradient is right)" if check.corners else ""
            lines.append(f"{check.name:<11} {check.error:>9.1e}  {'ok' if check.ok else 'WRONG'}{corners}")
            if not check.ok and check.places:
                i = check.worst
                index = ", ".join(map(str, check.places[i]))
                lines.append(
                    f"            worst entry {check.name}[{index}]: gradient {check.analytic[i]:.6g}, "
                    f"finite difference {check.numeric[i]:.6g}"
                )
        return "\n".join([*lines, *self.reading])


@checked_keywords
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
        It is not changed, except that it is built if it was not.
    X, y : arrays of shape (n, n_in) and (n,) or (n, n_out)
        A few rows are enough.
    program : Program or None
        Another program to check instead of the network's own.
    tolerance : float
        The largest accepted relative error.
    directions : int
        The number of random directions for each parameter.

    Returns
    -------
    GradientReport
        True if all gradients are right; print it to read what is wrong.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> net = Network([Dense(3, "tanh"), Dense(1)], loss=SquaredError(), seed=0)
    >>> report = check_gradients(net, [[0.5, 1.0], [1.0, -1.0]], [1.0, 0.0])
    >>> report.ok
    True
    >>> wrong = net.program().replacing("db1", "dz1.sum()")
    >>> print(check_gradients(net, [[0.5, 1.0], [1.0, -1.0]], [1.0, 0.0], program=wrong).reading[0])
    db1 has shape (), but b1 has shape (3,): it was summed to one number; sum over the rows only, with axis=0.
    """
    network = network.built_for(X, y)
    features, targets, w = network.prepare(X, y, sample_weight)
    program = program or network.program(weighted=w is not None)
    values = in_float64(
        {
            "X": dense(features),
            "y": targets,
            "w": w,
            "n": len(features),
            **network.draw_masks(len(features), as_random(0)),
            **network.start_values(program),
        }
    )
    names = tuple(program.parameters)
    objective = Runner(program.needed_for("J"), ["J"], "objective")
    gradients = Runner(program, [f"d{name}" for name in names], "gradients")
    checks = check_parameters(
        lambda changed: float(objective(changed)[0]),
        lambda changed: dict(zip(names, map(np.asarray, gradients(changed)), strict=True)),
        values,
        names,
        tolerance,
        directions,
    )
    return GradientReport(tuple(checks), tuple(explain_mismatch(checks, program, len(features), network)))


def in_float64(values: Mapping[str, Values]) -> dict[str, Values]:
    """Convert all arrays to float64; leave other values as they are."""
    return {k: v.astype(np.float64) if isinstance(v, np.ndarray) else v for k, v in values.items()}


# From a direction and a step size: the backward and the forward difference, and their rounding error.
Differences = Callable[[Array, float], tuple[float, float, float]]


def slope_along(objective: Runner, values: dict[str, Values], name: str) -> Differences:
    """Return a function that computes finite differences of a program's objective along directions of a parameter."""
    return finite_differences(lambda changed: float(objective(changed)[0]), values, name)


Objective = Callable[[Mapping[str, Values]], float]
Gradients = Callable[[Mapping[str, Values]], Mapping[str, Array]]


def finite_differences(
    objective: Objective, values: Mapping[str, Values], name: str, arithmetic: Arithmetic = DOUBLE
) -> Differences:
    """Return a function that computes finite differences of an objective along directions of a parameter."""
    start = values[name]
    middle = objective(values)

    def measure(direction: Array, h: float) -> tuple[float, float, float]:
        up = objective({**values, name: start + h * direction})
        down = objective({**values, name: start - h * direction})
        return (middle - down) / h, (up - middle) / h, arithmetic.rounding * max(abs(middle), abs(up), 1e-3) / h

    return measure


def check_parameters(
    objective: Objective,
    gradients: Gradients,
    values: Mapping[str, Values],
    names: Sequence[str],
    tolerance: float,
    directions: int,
    arithmetic: Arithmetic = DOUBLE,
) -> list[ParameterCheck]:
    """Check the gradient of each parameter; where it is at a kink, also at values close by, where there is none."""
    rng = np.random.default_rng(0)
    here = gradients(values)

    @functools.cache
    def close_by() -> tuple[Mapping[str, object], Mapping[str, Array]]:
        draws = np.random.default_rng(1)
        moved = {**values, **{name: moved_slightly(values[name], draws) for name in names}}
        return moved, gradients(moved)

    def at_close_values(name: str) -> tuple[Array, Differences]:
        moved, there = close_by()
        return np.asarray(there[name]), finite_differences(objective, moved, name, arithmetic)

    return [
        check_parameter(
            name,
            here[name],
            values[name],
            finite_differences(objective, values, name, arithmetic),
            functools.partial(at_close_values, name),
            tolerance,
            directions,
            rng,
            arithmetic.steps,
        )
        for name in names
    ]


def moved_slightly(value: Array, rng: np.random.Generator) -> Array:
    """Return a parameter moved by about a thousandth in a random direction, away from a kink that it lies on."""
    size = max(float(np.abs(value).max(initial=0)), 1.0)
    return value + 1e-3 * size * rng.standard_normal(value.shape)


def check_parameter(
    name: str,
    gradient: Array,
    value: Array,
    measure: Differences,
    close_by: Callable[[], tuple[Array, Differences]],
    tolerance: float,
    directions: int,
    rng: np.random.Generator,
    steps: Sequence[float] = STEPS,
) -> ParameterCheck:
    """Check the gradient of one parameter: first along random directions, then entry by entry if they disagree."""
    if gradient.shape != value.shape:
        return ParameterCheck(name, False, np.inf, shape=gradient.shape, expected_shape=value.shape)
    errors = []
    for _ in range(directions):
        direction = rng.standard_normal(value.shape)
        direction /= np.linalg.norm(direction)
        left, right, noise = measure(direction, steps[0])
        with np.errstate(invalid="ignore", over="ignore"):  # a gradient that is not finite has an infinite error
            slope = float((gradient * direction).sum())
        errors.append(relative_error(slope, (left + right) / 2, noise / tolerance))
    if max(errors) <= tolerance:
        return ParameterCheck(name, True, max(errors))
    return check_entries(name, gradient, value, measure, close_by, tolerance, rng, steps)


def check_entries(
    name: str,
    gradient: Array,
    value: Array,
    measure: Differences,
    close_by: Callable[[], tuple[Array, Differences]],
    tolerance: float,
    rng: np.random.Generator,
    steps: Sequence[float] = STEPS,
) -> ParameterCheck:
    """Check the gradient of one parameter entry by entry, and distinguish kinks from mistakes.

    At a kink, the gradient is a matter of convention.  So there the gradient close by must be right.
    """
    chosen = rng.permutation(value.size)[:MOST_ENTRIES]
    places = [tuple(int(i) for i in np.unravel_index(index, value.shape)) for index in np.sort(chosen)]
    numeric, errors, corners = [], [], 0
    for place in places:
        slope, error, corner = check_entry(gradient, place, measure, tolerance, steps)
        if corner:
            there, measure_there = close_by()
            corners += 1
            error = check_entry(there, place, measure_there, tolerance, steps)[1]
            slope = float(gradient[place]) if error <= tolerance else slope
        numeric.append(slope)
        errors.append(error)
    analytic = np.array([gradient[place] for place in places])
    return ParameterCheck(
        name,
        max(errors) <= tolerance,
        max(errors),
        corners,
        analytic=analytic,
        numeric=np.array(numeric),
        places=tuple(places),
        tolerance=tolerance,
        values=np.array([value[place] for place in places]),
    )


def check_entry(
    gradients: Array,
    place: tuple[int, ...],
    measure: Differences,
    tolerance: float,
    steps: Sequence[float] = STEPS,
) -> tuple[float, float, bool]:
    """Compare one entry of a gradient with finite differences.

    Return the finite difference, the entry's relative error, and whether it differs because of a kink: the slopes to
    the left and to the right differ, by more than rounding and curvature.
    """
    gradient, direction = float(gradients[place]), np.zeros(gradients.shape)
    direction[place] = 1.0
    floor = 1e-4 * float(np.abs(gradients).max(initial=0))  # a tiny entry's error is relative to the largest entry
    attempts, slopes = [], []
    for h in steps:
        left, right, noise = measure(direction, h)
        slope = (left + right) / 2
        error = relative_error(gradient, slope, floor + noise / tolerance)
        if error <= tolerance:
            return slope, error, False
        attempts.append((error, slope))
        slopes.append((left, right, noise))
    error, slope = min(attempts)
    return slope, error, is_kink(slopes, steps)


def is_kink(slopes: Sequence[tuple[float, float, float]], steps: Sequence[float] = STEPS) -> bool:
    """Whether there is a kink, from the left slope, the right slope and their rounding error for each step.

    On a smooth curve, the gap between the slopes shrinks with the step.  At a kink it stays, or it is large compared
    with the slopes even at the smallest step, as where two parabolas of different curvature meet.
    """
    wide, middle = (right - left for left, right, _ in slopes[:2])
    ratio = steps[0] / steps[1]
    limit = (ratio * middle - wide) / (ratio - 1)  # extrapolated to a step of 0
    left, right, noise = slopes[-1]
    stays = abs(limit) > max(10 * slopes[1][2], 0.1 * abs(wide))
    return stays or abs(right - left) > 1e-3 * max(abs(left), abs(right)) + 10 * noise


def relative_error(gradient: float, slope: float, floor: float) -> float:
    """Return the difference of two slopes relative to the larger one plus ``floor``; infinity if one is not finite."""
    if not (np.isfinite(gradient) and np.isfinite(slope)):
        return np.inf
    return abs(gradient - slope) / (max(abs(gradient), abs(slope)) + floor + 1e-300)


# -- explanations of mismatches ----------------------------------------------------------------

ALL_WRONG = "All gradients are wrong: check the gradient of the loss, with which the backward pass starts."


def explain_mismatch(checks: list[ParameterCheck], program: Program, n: int, network: Model) -> list[str]:
    """Explain which mistakes in a network's program typically cause such mismatches."""
    wrong = [check for check in checks if not check.ok]
    regularized = regularized_parameters(network)
    explanations = explain_numbers(checks, n, network.n_out, regularized)
    if explanations or not wrong:
        return explanations
    if all(check.name[0] in "b" for check in wrong):
        return [f"Only biases are wrong ({names_of(wrong)}): check how their gradients are summed over the rows."]
    if len(wrong) < len(checks):
        return [explain_location(wrong, checks, program)]
    return [ALL_WRONG]


def explain_numbers(
    checks: list[ParameterCheck],
    n: int,
    n_out: int,
    regularized: Collection[str] | None = None,
    *,
    n_in: int = 0,
    as_columns: bool = False,
) -> list[str]:
    """Explain mismatches by the shapes and numbers of the gradients alone, without a program.

    ``regularized`` names the parameters with a penalty; None if they are not known.  ``as_columns`` says that each
    column of X is a sample, not each row.
    """
    wrong = [check for check in checks if not check.ok]
    explanations = [explain_shape(check, n, as_columns) for check in wrong if check.shape != check.expected_shape]
    measured = [check for check in wrong if check.places]
    for check in [check for check in measured if not np.isfinite(check.analytic).all()]:
        explanations.append(f"d{check.name} has entries that are not finite: look for a division by 0 or an overflow.")
        measured.remove(check)
    if not measured:
        return explanations
    sizes = Sizes(n, n_out, n_in, as_columns)
    explanations += explain_common_factor(measured, set(regularized or ()), sizes)
    penalized = regularized or ()
    if regularized is None and not explanations:
        penalized = [check.name for check in measured]
    for check in measured:
        text = explain_entries(check, as_columns) or (explain_penalty(check) if check.name in penalized else "")
        explanations += [text] if text else []
    return explanations


def regularized_parameters(network: Model) -> set[str]:
    """Return the names of the parameters with a penalty."""
    if not network.regularizers:
        return set()
    return {f"{letter}{number}" for layer, number in number_layers(network.layers) for letter in layer.regularized}


class Sizes(NamedTuple):
    """The numbers of samples, outputs and features; the last is 0 if it is not known."""

    n: int
    n_out: int
    n_in: int = 0
    as_columns: bool = False


def explain_common_factor(wrong: list[ParameterCheck], regularized: set[str], sizes: Sizes) -> list[str]:
    """Explain a factor that all wrong gradients share, or else the factors that some of them share.

    Regularized parameters are left out if there are others: their gradient has two terms, and only one may be wrong.
    """
    judged = [check for check in wrong if check.name not in regularized] or wrong
    groups: list[tuple[float, list[ParameterCheck]]] = []
    for check in judged:
        ratio = check.ratio
        if ratio is None:
            continue
        same = [group for first, group in groups if abs(ratio - first) <= 1e-3 * max(abs(first), 1e-3)]
        if same:
            same[0].append(check)
        else:
            groups.append((ratio, [check]))
    explanations = []
    closeness = max([1e-3, *(10 * check.tolerance for check in wrong)])
    for ratio, group in groups:
        words = explain_factor(ratio, sizes, closeness)
        if (
            len(group) == len(judged) or words != UNKNOWN_FACTOR
        ):  # of one small parameter, any factor may be an accident
            explanations.append(f"{names_of(group)}: the gradient is {ratio:.4g} times the derivative: {words}.")
    return explanations


UNKNOWN_FACTOR = "a constant factor; look for it in the loss and its reduction"


def explain_penalty(check: ParameterCheck) -> str:
    """Explain a difference that is proportional to the weights or to their signs; empty if it is not."""
    if len(check.values) < 2:  # any two numbers are proportional
        return ""
    difference = check.numeric - check.analytic
    for of_weights, regularizer in ((check.values, "L2"), (np.sign(check.values), "L1")):
        factor = float(difference @ of_weights / max(of_weights @ of_weights, 1e-300))
        if np.allclose(difference, factor * of_weights, rtol=1e-3, atol=1e-4 * np.abs(difference).max(initial=0)):
            derivative = "W" if regularizer == "L2" else "sign(W)"
            return (
                f"d{check.name} differs by {factor:.4g} · {derivative}: the gradient of the {regularizer} regularizer "
                f"is missing or wrong."
            )
    return ""


def sum_over_samples(as_columns: bool) -> str:
    """Return the arguments with which NumPy sums over the samples."""
    return "axis=1, keepdims=True" if as_columns else "axis=0"


def explain_shape(check: ParameterCheck, n: int, as_columns: bool = False) -> str:
    """Explain a gradient of the wrong shape."""
    text = f"d{check.name} has shape {check.shape}, but {check.name} has shape {check.expected_shape}"
    if check.shape == check.expected_shape[::-1]:
        return f"{text}: it is transposed; swap the two factors of the product."
    samples, how = "samples" if as_columns else "rows", sum_over_samples(as_columns)
    if check.shape in ((), (1,), (1, 1)):
        return f"{text}: it was summed to one number; sum over the {samples} only, with {how}."
    if [x for x in check.shape if x > 1] == [x for x in check.expected_shape if x > 1]:
        keep = "add keepdims=True to the sum" if len(check.shape) < len(check.expected_shape) else "drop keepdims=True"
        return f"{text}: {keep}."
    if n in (check.shape[-1:] if as_columns else check.shape[:1]):
        return f"{text}: the {samples} were not summed; add .sum({how})."
    return f"{text}: the shapes must be equal."


def known_factors(sizes: Sizes) -> list[tuple[float, str]]:
    """Return the factors between a gradient and the derivative that have a usual cause, each with this cause."""
    n, n_out, n_in, as_columns = sizes
    rows, of_rows, of_features = ("samples", 1, 0) if as_columns else ("rows", 0, 1)
    known = [
        (-1.0, "the sign is wrong"),
        (0.0, "the gradient is not computed at all"),
        (2.0, "a forgotten ½ in the loss, or a 2 too many in its gradient"),
        (0.5, "a forgotten 2: the derivative of x² is 2x"),
        (np.log(10), "the loss has the base-10 logarithm (np.log10), and p - y belongs to the natural one: use np.log"),
        (np.log(2), "the loss has the base-2 logarithm (np.log2), and p - y belongs to the natural one: use np.log"),
        (1 / np.log(10), "the gradient is divided by ln 10, which belongs to a loss with np.log10"),
        (float(n), f"a sum where a mean was meant: divide by the number of {rows}"),
        (1 / n, f"a mean where a sum was meant: it is divided by the number of {rows} once too often"),
        (float(n * n), f"it is multiplied by the number of {rows}: divide by this number"),
    ]
    if n_out > 1:
        known += [
            (float(n_out), "the loss is a mean over the outputs, the gradient is not"),
            (1 / n_out, "the gradient is a mean over the outputs, the loss is not"),
            (float(n * n_out), f"a sum over {rows} and outputs where a mean was meant"),
        ]
    if n_in:
        words = f"it is divided by the number of features, X.shape[{of_features}] = {n_in}, instead of the number of"
        known.append((n / n_in, f"{words} {rows}, X.shape[{of_rows}] = {n}"))
    return known


OF_THE_LOSS = 7  # the first of the known factors, which do not depend on sizes


def explain_factor(ratio: float, sizes: Sizes, closeness: float = 1e-3) -> str:
    """Explain a constant factor between gradient and finite difference; several explanations are joined by "or".

    A factor without a cause may be the product of two, as of a wrong sign and a forgotten division.

    >>> explain_factor(-10.0, Sizes(10, 1))
    'two mistakes: the sign is wrong; and a sum where a mean was meant: divide by the number of rows'
    """
    known = known_factors(sizes)

    def is_near(factor: float) -> bool:
        return abs(ratio - factor) <= closeness * max(abs(factor), 1e-3)

    fitting = [words for factor, words in known if is_near(factor)]
    if not fitting:
        fitting = [
            f"two mistakes: {words}; and {others}"
            for place, (factor, words) in enumerate(known[:OF_THE_LOSS])
            for other, others in known[place + 1 :]
            if is_near(factor * other) and abs(factor * other - 1) > closeness
        ][:1]
    return "; or ".join(fitting) or UNKNOWN_FACTOR


def explain_entries(check: ParameterCheck, as_columns: bool = False) -> str:
    """Explain a gradient that is transposed or has equal entries; empty if it is neither."""
    size = int(np.sqrt(len(check.places)))
    if len(check.places[0]) == 2 and size * size == len(check.places) and size > 1:
        analytic, numeric = check.analytic.reshape(size, size), check.numeric.reshape(size, size)
        if np.allclose(analytic.T, numeric, rtol=1e-4, atol=1e-9) and not np.allclose(analytic, numeric, rtol=1e-4):
            return f"d{check.name} is the transpose of what it should be: swap the two factors of the product."
    varied = np.ptp(check.numeric) > 1e-6 * np.abs(check.numeric).max(initial=0)
    if len(check.analytic) > 1 and np.ptp(check.analytic) == 0 and check.analytic[0] != 0 and varied:
        what = "samples" if as_columns else "rows"
        how = sum_over_samples(as_columns)
        return f"All entries of d{check.name} are equal: it was summed to one number; sum over the {what}, with {how}."
    return ""


def explain_location(wrong: list[ParameterCheck], checks: list[ParameterCheck], program: Program) -> str:
    """Name the statements of the backward pass after the last right gradient, up to the first wrong one."""
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
        f"The gradients of {', '.join(name for name in names if name not in bad)} are right, so the mistake is in "
        f"{text}: check the derivative in {part} first."
    )


def names_of(checks: list[ParameterCheck]) -> str:
    """Join the names of some parameters."""
    return ", ".join(check.name for check in checks)
