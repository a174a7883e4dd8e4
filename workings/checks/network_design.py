"""Checks before training: whether the network is built so that it can learn.

They read the layers, and the initial parameters through the trace of one step: does the signal reach the output, and
the gradient the first layer?  The last check trains the network to overfit ten rows.  Comments give the source of each
threshold.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from workings.checks.comparison import as_trained, loss_gain, with_layers
from workings.checks.evidence import (
    Case,
    copied,
    remade,
    rms,
    score_of,
    trace_of,
    without_dropout_and_penalties,
)
from workings.checks.findings import Finding, make_finding
from workings.checks.suggested_code import Code
from workings.layers import BatchNorm, Dense, FullyConnected, Layer, number_layers
from workings.model.model import Model
from workings.optimizers import Adam
from workings.support.arrays import Array

# He et al. 2015, eq. 10: with fan_in · Var(W) = 2 the signal of ReLU layers keeps its size; LeCun's and Glorot's
# rules give 1 to 2 for layers of equal width.  So √fan_in · rms(W) is about 1 to 1.4 for usual initial weights.
LARGEST_GAIN = 3.5
SMALLEST_GAIN = 0.1
# Karpathy 2019, "A Recipe for Training Neural Networks": verify that the loss starts at -log(1/K).
LARGEST_START = 5.0  # times the loss of the constant prediction
LARGEST_START_FOR_NUMBERS = 8.0  # likewise; a few rows with unusual inputs raise the squared error of first outputs
# CS231n, "Neural Networks Part 1": with a learning rate too high, "as much as 40 %" of the units can be dead.
DEAD_SHARE = 0.4
DEAD_AT_END = 0.7  # of a layer: above those 40 %, because units also die in a training that goes well
HEALTHY = 0.95  # accuracy or R² from which a trained network evidently does not need its dead units …
NEARLY_ALL = 0.9  # … up to this share of a layer
# Glorot & Bengio 2010 on saturated units.  Here: a derivative below a tenth of its maximum, for most values.
FLAT = 0.1
FLAT_SHARE = 0.6
# Glorot & Bengio 2010, section 4.2: gradients should keep their variance from layer to layer.
VANISHED = 1e-2  # the first layer's gradient divided by the last hidden layer's (root mean squares)
EXPLODED = 30.0  # with usual initial weights it is at most 7, even in twelve layers of eight units
ALIKE = 0.2  # standard deviations: rows whose inputs are this close count as alike
OVERFITTED = 0.9  # accuracy (R² for numbers) on ten rows from which they count as overfitted


def check_network(case: Case) -> Iterator[Finding]:
    """Check whether the network can learn: its layers, and its initial parameters if they are known."""
    yield from check_last_activation(case)
    yield from check_output_range(case)
    yield from check_hidden_activations(case)
    if case.start is not None:
        yield from check_equal_units(case)
        yield from check_gains(case, case.start)
        yield from check_units(case)
        yield from check_gradient_sizes(case)
        yield from check_starting_loss(case, case.start)


def check_last_activation(case: Case) -> Iterator[Finding]:
    """Check that the last layer has no activation if the loss applies its own."""
    last, loss = case.network.layers[-1], case.network.loss
    if not loss.takes_any_number and last.activation_function.name != "identity":
        yield make_finding(
            "second-link",
            f"the last layer is {last!r}, and {type(loss).__name__} applies its own activation after it.",
            case.code.of_network([*case.network.layers[:-1], Dense(case.network.n_out)]),
        )


def check_output_range(case: Case) -> Iterator[Finding]:
    """Check that the targets lie in the range of the last layer's activation."""
    activation = case.network.layers[-1].activation_function
    if not case.network.loss.takes_any_number or activation.name == "identity":
        return
    outputs = activation(np.linspace(-1000.0, 1000.0, 2001))
    low, high = float(np.min(outputs)), float(np.max(outputs))
    slack = 0.05 * float(np.ptp(case.y))
    if case.y.min() < low - slack or case.y.max() > high + slack:
        values = f"from {low:.3g} to {high:.3g}" if high < 900 else f"of {low:.3g} or more"
        yield make_finding(
            "output-range",
            f"the targets range from {case.y.min():.3g} to {case.y.max():.3g}, but {activation.name} gives values "
            f"{values}.",
            case.code.of_network([*case.network.layers[:-1], Dense(case.network.n_out)]),
        )


def check_hidden_activations(case: Case) -> Iterator[Finding]:
    """Check that dense layers have activations between them."""
    *hidden, last = case.network.layers
    pairs = itertools.pairwise(case.network.layers)
    linear = [a for a, b in pairs if is_linear_dense(a) and isinstance(b, FullyConnected)]
    if linear and not any(layer.activation_function.name != "identity" for layer in hidden):
        nonlinear = [
            remade(layer, activation="relu") if isinstance(layer, FullyConnected) else layer for layer in hidden
        ]
        measured = f"{len(linear) + 1} dense layers follow each other, and no hidden layer has an activation."
        before = as_trained(case)
        harms = before is not None and loss_gain(before, with_layers(case, [*nonlinear, last])).mean < 0
        if harms:
            measured += " With activations, the loss of held-out rows is higher: a linear function is enough here."
        yield make_finding("no-bend", measured, case.code.of_network([last] if harms else [*nonlinear, last]))


def is_linear_dense(layer: Layer) -> bool:
    """Whether a layer is dense without an activation."""
    return isinstance(layer, FullyConnected) and layer.activation_function.name == "identity"


def dense_layers(network: Model) -> list[tuple[FullyConnected, str]]:
    """Return the fully connected layers, each with its number."""
    return [(layer, number) for layer, number in number_layers(network.layers) if isinstance(layer, FullyConnected)]


def dense_layer(case: Case, number: str) -> FullyConnected:
    """Return the fully connected layer with this number."""
    return next(layer for layer, n in dense_layers(case.network) if n == number)


def check_equal_units(case: Case) -> Iterator[Finding]:
    """Check whether the units of a hidden layer start equal and get equal gradients."""
    trace = case.first_trace
    assert trace is not None
    for layer, number in dense_layers(case.network)[:-1]:
        values = [np.asarray(trace[f"{letter}{number}"]) for letter in ("W", "z", "dW")]
        if layer.units > 1 and all(value.ndim == 2 and all_columns_equal(value) for value in values):
            yield make_finding(
                "equal-units",
                f"the {layer.units} units of {layer!r} have the same pre-activation for every row and get the same "
                f"gradient.",
                with_default_weights(case),
            )
            return


def all_columns_equal(values: Array) -> bool:
    """Whether all columns are equal, up to rounding."""
    tolerance = 1e-6 if values.dtype == np.float32 else 1e-12
    return bool(np.ptp(values, axis=1).max(initial=0) <= tolerance * max(float(np.abs(values).max(initial=0)), 1e-30))


def check_gains(case: Case, start: Model) -> Iterator[Finding]:
    """Check whether the initial weights keep the size of the signal."""
    gains = []
    for layer, number in dense_layers(start):
        W = layer.effective_weights(start.parameters[f"W{number}"])
        gains.append((float(np.sqrt(len(W)) * rms(W)), number, len(W)))
    gain, number, fan_in = max(gains)
    if gain > LARGEST_GAIN:
        trace = case.first_trace
        assert trace is not None
        yield make_finding(
            "weights-too-large",
            f"√{fan_in} · rms(W{number}) is {gain:.3g} at the start; He initialization gives 1.41. The pre-activations "
            f"z{number} have standard deviation {float(np.std(trace[f'z{number}'])):.3g}, and the loss is "
            f"{case.loss_of(start):.4g}; a constant prediction has {case.constant_loss:.3g}.",
            with_default_weights(case),
        )
    gain, number, fan_in = min(gains)
    if 0 < gain < SMALLEST_GAIN:
        yield make_finding(
            "weights-too-small",
            f"√{fan_in} · rms(W{number}) is {gain:.3g} at the start; He initialization gives 1.41.",
            with_default_weights(case),
        )


def with_default_weights(case: Case) -> str:
    """Return code for the network with the default initial weights."""
    code = case.code.of_network([remade(x) if isinstance(x, FullyConnected) else x for x in case.network.layers])
    return f"{code}  # with new initial weights" if code in case.code.present else code


def derivatives_of(case: Case, network: Model) -> Iterator[tuple[str, Array, float]]:
    """Yield the number of each hidden dense layer with an activation.

    With it come the absolute values of the activation's derivative, of shape (rows, units), and their maximum over
    all pre-activations.
    """
    trace = trace_of(network, case.rows)
    for layer, number in dense_layers(network)[:-1]:
        activation = layer.activation_function
        if activation.name != "identity":
            largest = float(np.max(np.abs(activation.slope(np.linspace(-4.0, 4.0, 801)))))
            yield number, np.abs(np.asarray(activation.slope(trace[f"z{number}"]), dtype=np.float64)), largest


def dead_share(derivatives: Array, largest: float) -> float:
    """Return the share of units whose derivative is practically 0 for every row."""
    return float((derivatives.max(axis=0) < 1e-6 * largest).mean())


def check_units(case: Case) -> Iterator[Finding]:
    """Check whether units are dead or saturated at the start."""
    assert case.start is not None
    for number, derivatives, largest in derivatives_of(case, case.start):
        layer = dense_layer(case, number)
        dead, flat = dead_share(derivatives, largest), float((derivatives < FLAT * largest).mean())
        if dead > tolerated_dead_share(case, DEAD_SHARE):
            yield dead_units_finding(case, number, dead, "at the start")
        elif flat > FLAT_SHARE and layer.activation_function.name not in ("relu", "leaky_relu"):
            yield make_finding(
                "saturated-units",
                f"for {flat:.0%} of the values of {layer!r}, the activation's derivative is below a tenth of its "
                f"maximum.",
                case.code.of_network(with_activation(case, number, "relu")),
            )


def tolerated_dead_share(case: Case, usual: float) -> float:
    """Return the share of dead units that is accepted: a larger one if the network learned well all the same."""
    return NEARLY_ALL if not case.network.is_fresh and case.score >= HEALTHY else usual


def dead_units_finding(case: Case, number: str, share: float, when: str) -> Finding:
    """Make the finding that units of a layer are dead."""
    return make_finding(
        "dead-units",
        f"{share:.0%} of the units of {dense_layer(case, number)!r} (W{number}) have derivative 0 for every row "
        f"{when}.",
        case.code.of_network(with_activation(case, number, "leaky_relu")),
    )


def with_activation(case: Case, number: str, activation: str) -> list[Layer]:
    """Return the layers, that with this number with another activation."""
    return [
        remade(layer, activation=activation) if n == number and isinstance(layer, FullyConnected) else layer
        for layer, n in number_layers(case.network.layers)
    ]


def check_gradient_sizes(case: Case) -> Iterator[Finding]:
    """Check whether the gradient keeps its size in the backward pass."""
    trace, dense = case.first_trace, dense_layers(case.network)
    assert trace is not None
    sizes = [float(rms(trace[f"dz{number}"])) for _, number in dense[:-1]]
    if len(sizes) < 2 or not np.isfinite(sizes).all() or sizes[-1] == 0:
        return
    ratio = sizes[0] / sizes[-1]
    shown = ", ".join(f"dz{number} {size:.2g}" for (_, number), size in zip(dense, sizes, strict=False))
    if ratio < VANISHED:
        yield make_finding(
            "vanishing-gradient",
            f"from the last hidden layer to the first, the gradient shrinks to {ratio:.2g} of its size: {shown}.",
            with_relu_or_batch_norm(case),
        )
    elif ratio > EXPLODED:
        yield make_finding(
            "exploding-gradient",
            f"from the last hidden layer to the first, the gradient grows by a factor of {ratio:,.0f}: {shown}.",
            with_relu_or_batch_norm(case),
        )


def with_relu_or_batch_norm(case: Case) -> str:
    """Return code for the network with ReLU, or with batch normalization if it has ReLU already."""
    *hidden, last = case.network.layers
    code = case.code.of_network(
        [*(remade(x, activation="relu") if isinstance(x, FullyConnected) else x for x in hidden), last]
    )
    if code not in case.code.present:
        return code
    pairs = [(Dense(x.units), BatchNorm(x.activation)) if isinstance(x, FullyConnected) else (x,) for x in hidden]
    return case.code.of_network([*itertools.chain(*pairs), last])


def check_starting_loss(case: Case, start: Model) -> Iterator[Finding]:
    """Check whether the first loss is near a constant prediction's; not for counts, whose loss has no zero."""
    if case.network.loss.takes_counts or case.is_constant:
        return
    loss = case.loss_of(start)
    largest = LARGEST_START if case.has_labels else LARGEST_START_FOR_NUMBERS
    if case.constant_loss > 0 and loss > largest * case.constant_loss:
        known = f" (ln {case.network.n_out} = {np.log(case.network.n_out):.3g})" if case.network.n_out > 1 else ""
        layers, code = starting_at_constant_prediction(case)
        yield make_finding(
            "starting-loss",
            f"the first loss is {loss:.4g}; the best constant prediction has {case.constant_loss:.4g}"
            f"{known if case.network.targets.is_multiclass else ''}.",
            code,
            "" if case.network.is_fresh or helps(case, layers) else "note",
        )


def helps(case: Case, layers: Sequence[Layer]) -> bool:
    """Whether other layers lower the loss of held-out rows beyond chance; False if the training cannot be repeated."""
    before = as_trained(case)
    return before is not None and loss_gain(before, with_layers(case, layers)).is_better


def starting_at_constant_prediction(case: Case) -> tuple[list[Layer], str]:
    """Return layers with default weights, or with a last layer that starts at a constant prediction, and their code."""
    *hidden, last = case.network.layers
    usual = [remade(x) if isinstance(x, FullyConnected) else x for x in (*hidden, last)]
    code = case.code.of_network(usual)
    if (
        code not in case.code.present
        or not isinstance(last, FullyConnected)
        or last.activation_function.name != "identity"
    ):
        return usual, code
    at_mean = case.network.loss.takes_any_number and last.bias
    biases = np.average(case.y, axis=0, weights=case.all_rows.weights) if at_mean else None
    mean = ", biases=np.atleast_1d(np.mean(y, axis=0))" if at_mean else ""
    bias = "" if last.bias else ", bias=False"
    code = case.code.of_network([*hidden, Code(f'Dense({last.units}, weights="zeros"{mean}{bias})')])
    return [*hidden, Dense(last.units, weights="zeros", biases=biases, bias=last.bias)], code


def best_on_alike(case: Case) -> float:
    """Return the R² on the ten rows of the best function that is constant on rows with nearly equal inputs."""
    X, y = case.ten_rows.X.astype(np.float64), case.ten_rows.y.astype(np.float64)
    spread = case.X.std(axis=0)
    steps = np.round((X - X.mean(axis=0)) / np.where(spread > 0, spread, 1) / ALIKE)
    group = np.unique(steps, axis=0, return_inverse=True)[1].ravel()
    means = np.array([y[group == k].mean(axis=0) for k in range(group.max() + 1)])
    return float(1 - ((y - means[group]) ** 2).sum() / max(((y - y.mean(axis=0)) ** 2).sum(), 1e-300))


def check_ten_rows(case: Case) -> Iterator[Finding]:
    """Check whether the network can overfit ten rows (Karpathy 2019: overfit one batch)."""
    start = case.start
    if start is None or len(dense_layers(start)) < 2 or case.is_constant:
        return
    if not case.network.is_fresh and max(case.score, score_of(copied(case.network), case.ten_rows)) >= OVERFITTED:
        return  # it has learned more than ten rows already
    if best_on_alike(case) < OVERFITTED:
        return  # some rows have nearly the same inputs and other targets
    network, score = without_dropout_and_penalties(start), -np.inf
    for rate in (0.01, 0.03, 0.003):
        network, _ = case.trial(network, Adam(rate), 400, case.ten_rows)
        score = max(score, score_of(network, case.ten_rows))
        if score >= OVERFITTED:
            return
    what = f"predicts {score:.0%} of them correctly" if case.has_labels else f"has an R² of {score:.2f} on them"
    *hidden, last = case.network.layers
    wider = [remade(layer, 4 * layer.units) if isinstance(layer, FullyConnected) else layer for layer in hidden]
    yield make_finding(
        "cannot-overfit",
        f"after 1,200 steps of Adam on {len(case.ten_rows.X)} rows alone, the network {what}.",
        case.code.of_network([*wider, last]),
    )
