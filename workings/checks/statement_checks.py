"""Checks of the program: whether its statements compute what they should.

They run the statements and test properties that hold for every network: the shapes, probabilities that add up to 1,
finite values for large logits, gradients that agree with finite differences, and an update that lowers the objective.
No formula is repeated here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workings.checks.evidence import Case, copied, given, trace_of
from workings.checks.findings import Finding, make_finding
from workings.checks.gradients import check_gradients
from workings.checks.rates import with_rate
from workings.layers import FullyConnected, number_layers
from workings.optimizers import SGD

LARGE_LOGIT = 1000.0  # far beyond 709, where exp overflows in float64
# The gradient of a bias before batch normalization consists of rounding errors, which may be too small to change it.
ROUNDING = 1e-5  # of the largest gradient, also in float32


def check_program(case: Case) -> Iterator[Finding]:
    """Check the statements of the program."""
    yield from check_shapes(case)
    yield from check_probabilities(case)
    yield from check_large_logits(case)
    yield from check_gradient_statements(case)
    yield from check_update(case)


def check_shapes(case: Case) -> Iterator[Finding]:
    """Check that there is a row of losses for each row of targets."""
    rows = case.all_rows.some(7)
    y, trace = rows.y, trace_of(copied(case.network), rows)
    losses = np.shape(trace["losses"])
    if losses not in (y.shape, (len(y), 1)):
        yield make_finding(
            "wrong-shape",
            f"for {len(y)} rows, p has shape {np.shape(trace['p'])} and y {y.shape}, but the losses have shape "
            f"{losses} in `{trace.program['losses']}`.",
            "y = np.ravel(y) if net.n_out == 1 else y  # one target for each output",
        )


def check_probabilities(case: Case) -> Iterator[Finding]:
    """Check that the probabilities of each row add up to 1."""
    if not case.network.targets.is_multiclass:
        return
    X, y, _ = case.all_rows.some(50)
    p = copied(case.start or case.network).measure(X, y, None)[1].astype(np.float64)
    sums = p.sum(axis=1)
    if np.isfinite(sums).all() and np.abs(sums - 1).max() > 1e-3:
        statement = case.network.inference["p"]
        columns = p.sum(axis=0)
        axis = " The columns do: the softmax runs over the rows." if np.allclose(columns, 1, atol=1e-3) else ""
        yield make_finding(
            "wrong-shares",
            f"the probabilities of a row add up to between {sums.min():.4g} and {sums.max():.4g} in "
            f"`{statement}`.{axis}",
            case.code.of_network() + "  # the library's statements, with one sum for each row",
        )


def check_large_logits(case: Case) -> Iterator[Finding]:
    """Check that probabilities and losses are finite for large logits."""
    last = next((layer, n) for layer, n in reversed(list(number_layers(case.network.layers))) if layer.parameters)
    if not isinstance(last[0], FullyConnected):
        return
    rows = case.all_rows.some(50)
    network = copied(case.start or case.network)
    largest = np.abs(np.asarray(trace_of(network, rows)[f"z{last[1]}"], dtype=np.float64)).max(initial=0)
    if not 0 < largest < np.inf:
        return
    for letter in last[0].parameters:
        network.parameters[f"{letter}{last[1]}"] *= max(LARGE_LOGIT / largest, 1.0)
    trace = trace_of(network, rows)
    name = trace.first_not_finite()
    if name in {s.target for s in trace.program.stage("forward")}:
        statement = trace.program[name or "J"]
        yield make_finding(
            "overflow",
            f"with logits of ±{LARGE_LOGIT:g}, {name} is not finite in `{statement}` ({statement.part}).",
            case.code.of_network() + "  # the library's statements, which first subtract each row's largest logit",
        )


def check_gradient_statements(case: Case) -> Iterator[Finding]:
    """Check that the gradients agree with finite differences."""
    network = copied(case.start or case.network)
    report = check_gradients(network, **given(case.ten_rows, network))
    if not report.ok:
        wrong = [check.name for check in report.checks if not check.ok]
        yield make_finding(
            "wrong-gradient",
            f"{len(wrong)} of {len(report.checks)} parameters have wrong gradients ({', '.join(wrong)}). "
            + " ".join(report.reading),
            "print(net.check_gradients(X[:10], y[:10]))",
        )


def check_update(case: Case) -> Iterator[Finding]:
    """Check that an update changes every parameter with a gradient, and moves against the gradient."""
    network = copied(case.start or case.network)
    optimizer = case.step_optimizer or SGD(0.1)
    trace = trace_of(network, case.ten_rows, with_rate(optimizer, 1e-3), 1e-3)
    updates = {name: trace.after[name] - trace[name] for name in case.trained_by(optimizer)}
    gradients = {name: np.asarray(trace[f"d{name}"]) for name in updates}
    largest = max((float(np.abs(gradient).max(initial=0)) for gradient in gradients.values()), default=0.0)
    not_zero = [name for name, gradient in gradients.items() if np.abs(gradient).max(initial=0) > ROUNDING * largest]
    frozen = [name for name in not_zero if not updates[name].any()]
    if frozen:
        yield make_finding(
            "frozen-parameter",
            f"`{trace.program[frozen[0]]}` leaves {', '.join(frozen)} unchanged after a step with a gradient of up to "
            f"{np.abs(gradients[frozen[0]]).max():.3g}.",
            case.code.of_network() + "  # the library's statements, which update every parameter",
        )
    fitting = [name for name in updates if gradients[name].shape == updates[name].shape]
    product = sum(float((updates[name] * gradients[name]).sum()) for name in fitting)
    if product > 0:
        name = next(iter(updates))
        yield make_finding(
            "uphill-update",
            f"`{trace.program[name]}` moves along the gradient: the inner product of update and gradient is "
            f"{product:.3g}, above 0.",
            case.code.of_network() + "  # the library's statements, which move against the gradient",
        )
