"""Before training: is the network made so that it can learn?

Its layers are looked at as they are written, and its first parameters by one trace: does the signal come through, and
the gradient back?  Last, it is to learn ten rows by heart.  Where a threshold decides, its source stands beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from workings.checks.evidence import (
    Case,
    Code,
    remade,
    rms,
    score_of,
    trace_of,
    undisturbed,
)
from workings.checks.findings import Finding, found
from workings.layers import BatchNorm, Dense, Layer, numbered
from workings.model.model import Model
from workings.optimizers import Adam
from workings.support.arrays import Array

# He et al. 2015, eq. 10: with fan_in · Var(W) = 2 the signal of ReLU layers keeps its size; LeCun's and Glorot's
# rules give 1 to 2 for layers of one width.  So √fan_in · rms(W) is about 1 to 1.4 where weights are right.
LARGEST_GAIN = 3.5
SMALLEST_GAIN = 0.1
# Karpathy 2019, "A Recipe for Training Neural Networks": verify that the loss starts at -log(1/K).
LARGEST_START = 5.0  # times the loss of the best fixed answer
# CS231n, "Neural Networks Part 1": with a learning rate too high, "as much as 40 %" of the units can be dead.
DEAD_SHARE = 0.4
DEAD_AT_END = 0.7  # of a layer: above those 40 %, because training itself puts units to rest
HEALTHY = 0.95  # accuracy or R² of a trained network that manages without its dead units …
NEARLY_ALL = 0.9  # … up to this share of a layer
# Glorot & Bengio 2010: saturated units are flat; here a slope below a tenth of the steepest, for most values.
FLAT = 0.1
FLAT_SHARE = 0.6
# Glorot & Bengio 2010, section 4.2: gradients should keep their variance from layer to layer.
VANISHED = 1e-2  # the first layer's gradient by the last hidden layer's (root mean squares)
EXPLODED = 30.0  # with usual first weights it is at most 7, even in twelve layers of eight units
BY_HEART = 0.9  # of ten rows right (R² for numbers) is learning them by heart


def check_network(case: Case) -> Iterator[Finding]:
    """Is the network made so that it can learn?  The first parameters are asked where they are known."""
    yield from check_link(case)
    yield from check_range(case)
    yield from check_bends(case)
    if case.start is not None:
        yield from check_equal_units(case)
        yield from check_gains(case, case.start)
        yield from check_units(case)
        yield from check_way_back(case)
        yield from check_starting_loss(case, case.start)


def check_link(case: Case) -> Iterator[Finding]:
    """Does the last layer bend what the loss bends again?"""
    last, loss = case.network.layers[-1], case.network.loss
    if loss.target != "numbers" and last.bend.name != "identity":
        yield found(
            "second-link",
            f"the last layer is {last!r}, and {type(loss).__name__} applies its own after it.",
            case.network_code([*case.network.layers[:-1], Dense(case.network.n_out)]),
        )


def check_range(case: Case) -> Iterator[Finding]:
    """Can the last layer's activation give the targets?"""
    bend = case.network.layers[-1].bend
    if case.network.loss.target != "numbers" or bend.name == "identity":
        return
    reach = bend(np.linspace(-1000.0, 1000.0, 2001))
    low, high = float(np.min(reach)), float(np.max(reach))
    slack = 0.05 * float(np.ptp(case.y))
    if case.y.min() < low - slack or case.y.max() > high + slack:
        ends = f"{low:.3g} to {high:.3g}" if high < 900 else f"{low:.3g} upwards"
        yield found(
            "output-range",
            f"targets go from {case.y.min():.3g} to {case.y.max():.3g}, but {bend.name} gives {ends}.",
            case.network_code([*case.network.layers[:-1], Dense(case.network.n_out)]),
        )


def check_bends(case: Case) -> Iterator[Finding]:
    """Is there a bend between any two dense layers?"""
    layers = case.network.layers
    straight = [i for i, (a, b) in enumerate(itertools.pairwise(layers)) if is_straight(a) and isinstance(b, Dense)]
    if straight and not any(layer.bend.name != "identity" for layer in layers[:-1]):
        bent = [remade(x, activation="relu") if isinstance(x, Dense) and i < len(layers) - 1 else x
                for i, x in enumerate(layers)]  # fmt: skip
        yield found(
            "no-bend",
            f"{len(straight) + 1} dense layers follow each other, and no hidden layer has an activation.",
            case.network_code(bent),
        )


def is_straight(layer: Layer) -> bool:
    """Whether a layer is dense without an activation."""
    return isinstance(layer, Dense) and layer.bend.name == "identity"


def dense_layers(network: Model) -> list[tuple[Dense, str]]:
    """The dense layers with their numbers."""
    return [(layer, number) for layer, number in numbered(network.layers) if isinstance(layer, Dense)]


def check_equal_units(case: Case) -> Iterator[Finding]:
    """Do the units of a hidden layer begin equal, and get equal gradients?"""
    trace = case.first_trace
    assert trace is not None
    for layer, number in dense_layers(case.network)[:-1]:
        values = [np.asarray(trace[f"{letter}{number}"]) for letter in ("W", "z", "dW")]
        if layer.units > 1 and all(value.ndim == 2 and all_columns_equal(value) for value in values):
            yield found(
                "equal-units",
                f"the {layer.units} units of {layer!r} give the same sum for every row and get the same gradient.",
                drawn_anew(case),
            )
            return


def all_columns_equal(values: Array) -> bool:
    """Whether every column is the same, but for rounding."""
    tolerance = 1e-6 if values.dtype == np.float32 else 1e-12
    return bool(np.ptp(values, axis=1).max(initial=0) <= tolerance * max(float(np.abs(values).max(initial=0)), 1e-30))


def check_gains(case: Case, start: Model) -> Iterator[Finding]:
    """Do the first weights keep the size of the signal?"""
    gains = {}
    for layer, number in dense_layers(start):
        W = start.parameters[f"W{number}"]
        gains[repr(layer)] = (float(np.sqrt(len(W)) * rms(W)), number, len(W))
    large = max(gains, key=lambda name: gains[name][0])
    if gains[large][0] > LARGEST_GAIN:
        gain, number, fan_in = gains[large]
        trace = case.first_trace
        assert trace is not None
        yield found(
            "weights-too-large",
            f"√{fan_in} · rms(W{number}) is {gain:.3g} at the start, where He's rule gives 1.41; the sums z{number} "
            f"spread by {float(np.std(trace[f'z{number}'])):.3g}, and the loss is {case.loss_of(start):.4g}, where one "
            f"fixed answer has {case.one_answer:.3g}.",
            drawn_anew(case),
        )
    small = min(gains, key=lambda name: gains[name][0])
    if 0 < gains[small][0] < SMALLEST_GAIN:
        gain, number, fan_in = gains[small]
        yield found(
            "weights-too-small",
            f"√{fan_in} · rms(W{number}) is {gain:.3g} at the start, where He's rule gives 1.41.",
            drawn_anew(case),
        )


def drawn_anew(case: Case) -> str:
    """The network with first weights as they are by default."""
    code = case.network_code([remade(x) if isinstance(x, Dense) else x for x in case.network.layers])
    return f"{code}  # its first weights are drawn anew" if code in case.present_code else code


def slopes_of(case: Case, network: Model) -> Iterator[tuple[Layer, Array, float]]:
    """For each hidden dense layer that bends: its slopes of shape (rows, units), and the steepest there can be."""
    trace = trace_of(network, case.rows)
    for layer, number in dense_layers(network)[:-1]:
        if layer.bend.name != "identity":
            steepest = float(np.max(np.abs(layer.bend.slope(np.linspace(-4.0, 4.0, 801)))))
            yield layer, np.abs(np.asarray(layer.bend.slope(trace[f"z{number}"]), dtype=np.float64)), steepest


def dead_share(slopes: Array, steepest: float) -> float:
    """The share of units whose slope is as good as 0 for every row."""
    return float((slopes.max(axis=0) < 1e-6 * steepest).mean())


def check_units(case: Case) -> Iterator[Finding]:
    """Are units dead or saturated from the start?"""
    assert case.start is not None
    for layer, slopes, steepest in slopes_of(case, case.start):
        dead, flat = dead_share(slopes, steepest), float((slopes < FLAT * steepest).mean())
        if dead > most_dead(case, DEAD_SHARE):
            yield dead_units(case, layer, dead, "at the start")
        elif flat > FLAT_SHARE and layer.bend.name not in ("relu", "leaky_relu"):
            fixed = [
                remade(x, activation="relu") if x == layer and isinstance(x, Dense) else x for x in case.network.layers
            ]
            yield found(
                "saturated-units",
                f"{flat:.0%} of the values of {layer!r} lie where its slope is below a tenth of its steepest.",
                case.network_code(fixed),
            )


def most_dead(case: Case, usual: float) -> float:
    """The share of dead units that passes: a larger one where the network has learned well with the others."""
    return NEARLY_ALL if not case.network.is_fresh and case.score >= HEALTHY else usual


def dead_units(case: Case, layer: Layer, share: float, when: str) -> Finding:
    """The finding of units that no row moves."""
    fixed = [
        remade(x, activation="leaky_relu") if x == layer and isinstance(x, Dense) else x for x in case.network.layers
    ]
    return found(
        "dead-units", f"{share:.0%} of the units of {layer!r} have slope 0 for every row {when}.",
        case.network_code(fixed),
    )  # fmt: skip


def check_way_back(case: Case) -> Iterator[Finding]:
    """Does the gradient keep its size on its way back?"""
    trace, dense = case.first_trace, dense_layers(case.network)
    assert trace is not None
    sizes = [float(rms(trace[f"dz{number}"])) for _, number in dense[:-1]]
    if len(sizes) < 2 or not np.isfinite(sizes).all() or sizes[-1] == 0:
        return
    ratio = sizes[0] / sizes[-1]
    shown = ", ".join(f"dz{number} {size:.2g}" for (_, number), size in zip(dense, sizes, strict=False))
    if ratio < VANISHED:
        yield found(
            "vanishing-gradient", f"from the last hidden layer to the first, the gradient shrinks to {ratio:.2g} of "
            f"its size: {shown}.", steadier(case),
        )  # fmt: skip
    elif ratio > EXPLODED:
        yield found(
            "exploding-gradient", f"from the last hidden layer to the first, the gradient grows {ratio:,.0f} times: "
            f"{shown}.", steadier(case),
        )  # fmt: skip


def steadier(case: Case) -> str:
    """The network with ReLU; where it has that already, with batch normalization."""
    *hidden, last = case.network.layers
    code = case.network_code([*(remade(x, activation="relu") if isinstance(x, Dense) else x for x in hidden), last])
    if code not in case.present_code:
        return code
    pairs = [(Dense(x.units), BatchNorm(x.activation)) if isinstance(x, Dense) else (x,) for x in hidden]
    return case.network_code([*itertools.chain(*pairs), last])


def check_starting_loss(case: Case, start: Model) -> Iterator[Finding]:
    """Is the first loss near that of one fixed answer?  Not asked of counts, where losses have no zero of their own."""
    if case.network.loss.target == "counts" or case.is_constant:
        return
    loss = case.loss_of(start)
    if case.one_answer > 0 and loss > LARGEST_START * case.one_answer:
        known = f" (ln {case.network.n_out} = {np.log(case.network.n_out):.3g})" if case.network.n_out > 1 else ""
        yield found(
            "starting-loss",
            f"the first loss is {loss:.4g}; the best fixed answer has {case.one_answer:.4g}"
            f"{known if case.network.loss.target == 'classes' else ''}.",
            beginning_with_one_answer(case),
        )


def beginning_with_one_answer(case: Case) -> str:
    """The network with usual first weights; where it has them, with a last layer that begins with one answer."""
    *hidden, last = case.network.layers
    usual = case.network_code([remade(x) if isinstance(x, Dense) else x for x in (*hidden, last)])
    if usual not in case.present_code or not isinstance(last, Dense) or last.bend.name != "identity":
        return usual
    mean = ", biases=np.atleast_1d(np.mean(y, axis=0))" if case.network.loss.target == "numbers" and last.bias else ""
    bias = "" if last.bias else ", bias=False"
    return case.network_code([*hidden, Code(f'Dense({last.units}, weights="zeros"{mean}{bias})')])


def check_ten_rows(case: Case) -> Iterator[Finding]:
    """Can the network learn ten rows by heart?  (Karpathy 2019: overfit one batch.)"""
    start = case.start
    if start is None or len(dense_layers(start)) < 2 or case.is_constant:
        return
    network, score = undisturbed(start), -np.inf
    for rate in (0.01, 0.03, 0.003):
        network, _ = case.trial(network, Adam(rate), 400, case.few)
        score = max(score, score_of(network, case.few))
        if score >= BY_HEART:
            return
    what = f"{score:.0%} of them right" if case.has_labels else f"R² {score:.2f} on them"
    wider = [remade(x, 4 * x.units) if isinstance(x, Dense) and x is not case.network.layers[-1] else x
             for x in case.network.layers]  # fmt: skip
    yield found(
        "cannot-overfit",
        f"after 1,200 steps of Adam on {len(case.few.X)} rows alone, the network has {what}.",
        case.network_code(wider),
    )
