"""The program, questioned by running it: is what it computes what it should be?

Shapes, shares that add up to 1, large scores, gradients against finite differences, one update.  These checks know no
formula: whatever the program says is run, and what must hold of any network is asked of the result.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workings.checks.evidence import Case, copied, given, trace_of, with_rate
from workings.checks.findings import Finding, found
from workings.checks.gradients import check_gradients
from workings.layers import Dense, numbered
from workings.optimizers import SGD, Part

LARGE_SCORE = 1000.0  # far beyond 709, where exp overflows in float64


# A bias before batch normalization has a gradient of rounding alone, which may be too small to move it.
ROUNDING = 1e-5  # of the largest gradient, in float32 too


def check_program(case: Case) -> Iterator[Finding]:
    """Is what the program computes what it should be?"""
    yield from check_shapes(case)
    yield from check_shares(case)
    yield from check_large_scores(case)
    yield from check_slopes(case)
    yield from check_update(case)


def check_shapes(case: Case) -> Iterator[Finding]:
    """Is there a row of losses for each row of targets?"""
    rows = case.all_rows.some(7)
    y, trace = rows.y, trace_of(copied(case.network), rows)
    losses = np.shape(trace["losses"])
    if losses not in (y.shape, (len(y), 1)):
        yield found(
            "wrong-shape",
            f"for {len(y)} rows, p has shape {np.shape(trace['p'])} and y {y.shape}, but the losses have shape "
            f"{losses} in `{trace.program['losses']}`.",
            "y = np.ravel(y) if net.n_out == 1 else y  # one target for each output, and no other shape",
        )


def check_shares(case: Case) -> Iterator[Finding]:
    """Do the probabilities of each row add up to 1?"""
    if case.network.loss.target != "classes":
        return
    X, y, _ = case.all_rows.some(50)
    p = copied(case.start or case.network).measure(X, y, None)[1].astype(np.float64)
    sums = p.sum(axis=1)
    if np.isfinite(sums).all() and np.abs(sums - 1).max() > 1e-3:
        statement = case.network.inference["p"]
        columns = p.sum(axis=0)
        axis = " The columns do: the softmax runs over the rows." if np.allclose(columns, 1, atol=1e-3) else ""
        yield found(
            "wrong-shares",
            f"the probabilities of a row add up to between {sums.min():.4g} and {sums.max():.4g} in "
            f"`{statement}`.{axis}",
            case.network_code() + "  # the library's own statements, with one sum for each row",
        )


def check_large_scores(case: Case) -> Iterator[Finding]:
    """Do probabilities and losses stay finite when scores are large?"""
    last = next((layer, n) for layer, n in reversed(list(numbered(case.network.layers))) if layer.parameters)
    if not isinstance(last[0], Dense):
        return
    rows = case.all_rows.some(50)
    network = copied(case.start or case.network)
    scores = np.abs(np.asarray(trace_of(network, rows)[f"z{last[1]}"], dtype=np.float64)).max(initial=0)
    if not 0 < scores < np.inf:
        return
    for letter in last[0].parameters:
        network.parameters[f"{letter}{last[1]}"] *= max(LARGE_SCORE / scores, 1.0)
    trace = trace_of(network, rows)
    name = trace.first_not_finite()
    if name in {s.target for s in trace.program.stage("forward")}:
        statement = trace.program[name or "J"]
        yield found(
            "overflow",
            f"with scores of ±{LARGE_SCORE:g}, {name} is not finite in `{statement}` ({statement.part}).",
            case.network_code() + "  # the library's own statements, which take off each row's largest score first",
        )


def check_slopes(case: Case) -> Iterator[Finding]:
    """Do the gradients agree with finite differences?"""
    network = copied(case.start or case.network)
    report = check_gradients(network, **given(case.few, network))
    if not report.ok:
        wrong = [check.name for check in report.checks if not check.ok]
        yield found(
            "wrong-gradient",
            f"of {len(report.checks)} parameters, {len(wrong)} have wrong gradients ({', '.join(wrong)}). "
            + " ".join(report.reading),
            "print(net.check_gradients(X[:10], y[:10]))",
        )


def check_update(case: Case) -> Iterator[Finding]:
    """Does an update change every parameter that has a gradient, and does it go downhill?"""
    network = copied(case.start or case.network)
    optimizer: Part = case.optimizer if isinstance(case.optimizer, Part) else SGD(0.1)
    trace = trace_of(network, case.few, with_rate(optimizer, 1e-3), 1e-3)
    moves = {name: trace.after[name] - trace[name] for name in case.trained_by(optimizer)}
    slopes = {name: np.asarray(trace[f"d{name}"]) for name in moves}
    largest = max((float(np.abs(slope).max(initial=0)) for slope in slopes.values()), default=0.0)
    with_slope = [name for name, slope in slopes.items() if np.abs(slope).max(initial=0) > ROUNDING * largest]
    frozen = [name for name in with_slope if not moves[name].any()]
    if frozen:
        yield found(
            "frozen-parameter",
            f"after a step with a gradient of up to {np.abs(slopes[frozen[0]]).max():.3g}, {', '.join(frozen)} "
            f"{'is' if len(frozen) == 1 else 'are'} the same as before in `{trace.program[frozen[0]]}`.",
            case.network_code() + "  # the library's own statements, which update every parameter",
        )
    along = sum(float((moves[name] * slopes[name]).sum()) for name in moves if slopes[name].shape == moves[name].shape)
    if along > 0:
        name = next(iter(moves))
        yield found(
            "uphill-update",
            f"gradient and update point the same way (their product is {along:.3g}) in `{trace.program[name]}`.",
            case.network_code() + "  # the library's own statements, which go downhill",
        )
