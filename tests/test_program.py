"""The program: its lines, its names, what runs is what is shown, and formulas of one's own.

The expected lines of the first test are those of a textbook (and of the moons tutorial), written
here by hand.
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.strategies import Problem, optimizers, problems, smooth_activations
from workings import (
    L1,
    L2,
    SGD,
    Activation,
    Adam,
    AdamW,
    BatchNorm,
    Chain,
    ClipByNorm,
    CrossEntropy,
    Decay,
    Dense,
    Dropout,
    InputError,
    Layer,
    Loss,
    Momentum,
    Network,
    ProgramError,
    Regularizer,
    SquaredError,
)
from workings.activations import ACTIVATIONS
from workings.datasets import moons
from workings.engines.contract import Stretch
from workings.engines.reference import ReferenceEngine, Tracer
from workings.losses import LOSSES
from workings.museum import rewrites
from workings.optimizers import OPTIMIZERS, Optimizer
from workings.program.program import STAGES, Program, Statement, parse_expression
from workings.program.step import inference_program
from workings.support import formulas
from workings.support.arrays import Array

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 3)), RNG.normal(size=8)
CLASSES = np.arange(8) % 2


def small(*layers: Layer, **settings: Any) -> Network:
    """A network of three inputs and one output."""
    return Network([*layers, Dense(1)], **{"loss": SquaredError(), "seed": 0, "n_in": 3, **settings})


def rich() -> Network:
    """A network with every kind of layer."""
    layers = [Dense(6, "relu"), Dropout(0.3), Dense(4), BatchNorm("tanh"), Dropout(0.2), Dense(3, "gelu_tanh")]
    return small(*layers, BatchNorm(), regularizer=[L2(0.01), L1(0.02)])


# What is written

MOONS = """\
z1 = X @ W1 + b1
a1 = np.tanh(z1)
z2 = a1 @ W2 + b2
s = z2 - z2.max(axis=1, keepdims=True)
e = np.exp(s)
p = e / e.sum(axis=1, keepdims=True)
log_p = s - np.log(e.sum(axis=1, keepdims=True))
losses = -(y * log_p).sum(axis=1, keepdims=True)
loss = losses.sum()
J = loss + lam / 2 * (W1**2).sum() + lam / 2 * (W2**2).sum()
dz2 = p - y
dW2 = a1.T @ dz2 + lam * W2
db2 = dz2.sum(axis=0)
da1 = dz2 @ W2.T
dz1 = da1 * (1 - a1**2)
dW1 = X.T @ dz1 + lam * W1
db1 = dz1.sum(axis=0)
W1 = W1 - lr * dW1
b1 = b1 - lr * db1
W2 = W2 - lr * dW2
b2 = b2 - lr * db2"""


def moons_network(n_in: int | None = 2) -> Network:
    """The network of the moons tutorial."""
    layers = [Dense(3, "tanh"), Dense(2)]
    return Network(layers, loss=CrossEntropy(reduction="sum"), regularizer=L2(0.01), seed=0, n_in=n_in)


def test_the_program_of_the_moons_tutorial_is_that_of_a_textbook():
    program = moons_network().program(SGD(0.01))
    assert "\n".join(map(str, program.statements)) == MOONS
    assert program.constants == {"lam": 0.01}
    assert not program.functions
    shapes = {s.target: s.shape for s in program.statements}
    assert shapes["z1"] == shapes["da1"] == ("n", 3)
    assert shapes["p"] == shapes["dz2"] == ("n", 2)
    assert (shapes["losses"], shapes["loss"], shapes["J"]) == (("n", 1), (), ())
    assert (shapes["W1"], shapes["dW2"], shapes["db1"]) == ((2, 3), (3, 2), (3,))


def test_the_printed_program_shows_every_line_with_its_shape_and_its_words():
    program = moons_network().program(SGD(0.01))
    printed = str(program)
    lines = [line.strip() for line in printed.splitlines()]
    for statement in program.statements:
        (line,) = [line for line in lines if line.startswith(f"{statement} ")]
        assert statement.words in line
    assert [line for line in lines if line in STAGES] == list(STAGES)
    assert "lam = 0.01" in printed
    assert "a1 = np.tanh(z1)" in printed
    assert "(n, 3)      tanh maps each value to the interval (-1, 1)." in printed


def test_the_printed_program_shows_every_statement_in_the_order_in_which_it_runs():
    measured = inference_program([Dense(2)], CrossEntropy())
    measured = measured.followed_by(Statement("choice", "p.argmax(axis=1)", "forward", "targets", "The most probable."))
    for program in (measured, measured.followed_by(rich().program()["J"]), rich().program(SGD(0.01))):
        lines = [line.strip() for line in str(program).splitlines()]
        shown = [line.split("  ")[0] for line in lines[lines.index("forward") + 1 :] if line and line not in STAGES]
        assert shown == [str(statement) for statement in program.statements]


def test_a_loop_over_a_program_gives_its_statements():
    program = Network([Dense(2, "tanh"), Dense(1)], loss=SquaredError(), n_in=2).program()
    assert list(program) == list(program.statements)


def test_constants_of_numpy_are_written_as_numbers():
    def program(slope: Any, eps: Any) -> str:
        activation = ACTIVATIONS["leaky_relu"].with_constants(slope=slope)
        return str(small(Dense(2), BatchNorm(activation, eps=eps)).program())

    assert program(np.float32(0.25), np.float64(1e-3)) == program(0.25, 1e-3)
    assert "np.float" not in program(np.float32(0.25), np.float64(1e-3))


def test_a_stage_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match=r"Unknown stage 'inference'\. Known: forward, backward, update"):
        Statement("choice", "p.argmax(axis=1)", "inference", "targets", "")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"Unknown stage 'backwards'\. Did you mean 'backward'"):
        moons_network().program().stage("backwards")


def test_an_expression_is_parsed_once_and_no_reading_changes_its_tree():
    data, labels = moons(20)
    net = moons_network()
    program = net.program(SGD(0.01))
    trees = [statement.tree for statement in program.statements]
    net.explain(data, labels, optimizer=SGD(0.01))
    net.fit(data, labels, optimizer=SGD(0.01), epochs=2, engine="compiled")
    net.script(optimizer=SGD(0.01), epochs=2)
    for change in (function for _, function in inspect.getmembers(rewrites, inspect.isfunction)):
        if [*inspect.signature(change).parameters] == ["program"]:
            change(program)
    for tree, statement in zip(trees, program.statements, strict=True):
        assert statement.tree is tree is parse_expression(statement.expression)
        assert ast.dump(tree) == ast.dump(ast.parse(statement.expression, mode="eval").body)


def test_without_the_input_size_the_program_is_the_same_but_for_the_shapes():
    program = moons_network(n_in=None).program(SGD(0.01))
    assert "\n".join(map(str, program.statements)) == MOONS
    assert all(statement.shape is None for statement in program.statements)


def test_the_trace_has_the_names_of_the_alphabet():
    data, labels = moons(20)
    net = moons_network()
    trace = net.trace(data, labels)
    names = {"X", "y", "W1", "b1", "z1", "a1", "W2", "b2", "z2", "p", "J", "dz2", "dW2", "db2", "da1", "dz1", "dW1"}
    assert names <= set(trace)
    assert trace["a2"] is trace["z2"]
    assert trace["da2"] is trace["dz2"]
    assert {"a2", "da2"} <= set(trace)
    assert len(trace) == len(list(trace)) == len(set(trace))
    for name in net.parameters:
        assert trace[f"d{name}"].shape == trace[name].shape
    with pytest.raises(InputError, match="dz3"):
        trace["dz3"]


def test_a_step_traces_the_values_before_it_and_gives_those_after_it():
    net = small(Dense(4, "tanh"))
    before = {name: value.copy() for name, value in net.parameters.items()}
    trace = net.step(X, Y, SGD(0.5))
    for name, value in before.items():
        np.testing.assert_array_equal(trace[name], value)
        np.testing.assert_array_equal(trace.after[name], net.parameters[name])
        assert not np.array_equal(value, net.parameters[name])


def test_numbers_count_the_layers_of_each_kind():
    net = rich()
    program = net.program(Momentum(0.1))
    assert set(net.parameters) == {"W1", "b1", "W2", "b2", "gamma1", "beta1", "W3", "b3", "gamma2", "beta2", "W4", "b4"}
    assert program.draws == ("mask1", "mask2")
    assert program.statistics == ("running_mean1", "running_variance1", "running_mean2", "running_variance2")
    assert program.states == tuple(f"v_{name}" for name in program.parameters)
    lines = [str(statement) for statement in program.statements]
    for line in (
        "a1_drop = a1 * mask1",
        "z2 = a1_drop @ W2 + b2",
        "mean1 = z2.mean(axis=0)",
        "z2_norm = gamma1 * x_hat1 + beta1",
        "a2 = np.tanh(z2_norm)",
        "a2_drop = a2 * mask2",
        "z3 = a2_drop @ W3 + b3",
        "dgamma1 = (dz2_norm * x_hat1).sum(axis=0)",
        "da1 = da1_drop * mask1",
    ):
        assert line in lines


def test_a_network_may_begin_with_dropout_or_batch_norm():
    net = Network([Dropout(0.5), BatchNorm(), Dense(2, "relu"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=3)
    lines = [str(statement) for statement in net.program().statements]
    assert lines[0] == "X_drop = X * mask1"
    assert "z1 = X_drop_norm @ W1 + b1" in lines
    assert net.check_gradients(X, CLASSES).ok


def every_program() -> list[Any]:
    """Programs that together hold every row of every registry."""
    found = [pytest.param(rich().program(Chain(ClipByNorm(1.0), Decay(0.1), AdamW())), id="rich")]
    for name, kind in LOSSES.items():
        for reduction, weighted in itertools.product(["mean", "sum", "mean of rows"], [False, True]):
            net = Network([Dense(3, "tanh"), Dense(2)], loss=kind(reduction=reduction), regularizer=L1(0.1), n_in=3)
            found.append(pytest.param(net.program(SGD(0.1), weighted=weighted), id=f"{name}-{reduction}-{weighted}"))
    for name in ACTIVATIONS:
        found.append(pytest.param(small(Dense(2, name), BatchNorm(name)).program(SGD(0.1)), id=name))
    for name, kind in OPTIMIZERS.items():
        found.append(pytest.param(small(Dense(2, "tanh")).program(kind(0.1)), id=name))
    return found


@pytest.mark.parametrize("program", every_program())
def test_every_statement_has_words_a_part_a_stage_and_a_shape_and_writes_nothing_in_place(program):
    assert [s.stage for s in program.statements] == sorted((s.stage for s in program.statements), key=STAGES.index)
    for statement in program.statements:
        assert statement.words.strip(" ."), statement
        assert statement.words == statement.words.strip()
        assert statement.words.endswith("."), statement
        assert statement.part
        assert statement.shape is not None
        (line,) = ast.parse(str(statement)).body
        assert isinstance(line, ast.Assign)
        assert isinstance(line.targets[0], ast.Name)
        assert not any(isinstance(node, (ast.NamedExpr, ast.keyword)) and getattr(node, "arg", "") == "out"
                       for node in ast.walk(line))  # fmt: skip
    early = [s.target for s in program.statements if s.stage != "update"]
    assert len(early) == len(set(early))
    assert set(program.functions) <= {"erf"}  # a series with its loop, called by its name


@pytest.mark.parametrize("net", [rich(), moons_network()], ids=["rich", "moons"])
def test_a_step_changes_no_array_that_it_was_given(net):
    program = net.program(Adam())
    rows = 6
    values = {
        "X": RNG.normal(size=(rows, net.n_in)), "y": RNG.normal(size=(rows, net.n_out)), "n": rows, "lr": 0.1, "t": 1,
        **net.draw_masks(rows), **net.start_values(program),
    }  # fmt: skip
    before = {name: np.copy(value) for name, value in values.items()}
    Tracer(program)(values)
    for name, value in values.items():
        np.testing.assert_array_equal(value, before[name])


def test_needed_for_leaves_out_what_is_not_needed():
    net = small(Dense(4, "tanh"))
    program = net.program(SGD(0.1))
    assert "dX" not in {s.target for s in program.statements}
    assert [s.target for s in program.needed_for("p").statements] == ["z1", "a1", "z2", "p"]
    assert {s.target for s in program.needed_for("J").statements} == {"z1", "a1", "z2", "p", "losses", "J"}
    assert "a1" not in {s.target for s in program.needed_for("z1").statements}
    assert program.needed_for("nothing").statements == ()
    rest = program.without(program.needed_for("J"))
    assert "J" not in {s.target for s in rest.statements}
    assert len(rest.statements) + len(program.needed_for("J").statements) == len(program.statements)


def test_replacing_changes_one_line_and_leaves_the_old_program_alone():
    program = small(Dense(4, "tanh")).program()
    wrong = program.replacing("dz1", "da1")
    changed = [(a, b) for a, b in zip(program.statements, wrong.statements, strict=True) if a != b]
    assert [(str(a), str(b)) for a, b in changed] == [("dz1 = da1 * (1 - a1**2)", "dz1 = da1")]
    assert str(program.replacing("da2", "p")["dz2"]) == "dz2 = p"  # by the other name
    with pytest.raises(ProgramError, match="is not an expression"):
        program.replacing("dz1", "da1 *")
    with pytest.raises(InputError, match="Did you mean 'dz1'"):
        program.replacing("dZ1", "da1")
    net = small(Dense(4, "tanh"))
    trace = Tracer(wrong)({"X": X, "y": Y.reshape(-1, 1), "n": len(X), **net.start_values(wrong)})
    np.testing.assert_array_equal(trace["dz1"], trace["da1"])


def test_inputs_are_what_must_be_given():
    program = moons_network().program(SGD(0.1))
    assert set(program.inputs) == {"X", "y", "W1", "b1", "W2", "b2", "lr"}
    assert "mask1" in rich().program().inputs
    assert "w" in small().program(weighted=True).inputs
    inference = inference_program(rich().layers, SquaredError())
    assert "running_mean1" in inference.inputs
    assert not {"mask1", "n"} & set(inference.needed_for("p").inputs)


# What is run is what is written


def test_a_wrong_width_fails_with_the_networks_own_line_in_the_traceback():
    net = moons_network()
    program = net.program(SGD(0.1))
    engine = ReferenceEngine(program)
    stretch = Stretch(X=np.ones((4, 5)), y=np.ones((4, 2)), batches=[(0, 4)], lr=[0.1], first_step=1)
    with pytest.raises(ValueError, match="matmul") as caught:
        engine.run(stretch, net.start_values(program))
    text = "".join(traceback.format_exception(caught.value))
    assert "z1 = X @ W1 + b1" in text
    assert "z2 = a1 @ W2 + b2" not in text


@pytest.mark.parametrize(
    "make",
    [moons_network, lambda: small(Dense(4), BatchNorm("relu")), lambda: small(Dense(4, "tanh"), Dropout(0.5))],
    ids=["moons", "batch norm", "dropout"],
)
@pytest.mark.parametrize("optimizer", [SGD(0.1), Momentum(0.1), Adam(0.01), Chain(ClipByNorm(0.1), Adam())], ids=repr)
def test_fit_on_full_batches_is_repeated_steps_bit_for_bit(make, optimizer):
    fitted, stepped = make(), make()
    data = (X[:, : fitted.n_in], CLASSES if fitted.n_out == 2 else Y)
    history = fitted.fit(*data, optimizer=optimizer, epochs=7, batch_size=None)
    traces = [stepped.step(*data, optimizer) for _ in range(7)]
    np.testing.assert_array_equal(fitted.theta, stepped.theta)
    for name, value in fitted.statistics.items():
        np.testing.assert_array_equal(value, stepped.statistics[name])
    rows = len(X) if fitted.loss.reduction == "sum" else 1
    assert history["loss"] == [trace["J"] / rows for trace in traces]


def test_reading_a_network_does_not_change_what_it_learns():
    def trained(read: Callable[[Network], object]) -> np.ndarray:
        net = small(Dense(4, "tanh"), Dropout(0.5))
        read(net)
        net.fit(X, Y, optimizer=SGD(0.1), epochs=3, batch_size=None)
        return net.theta

    plain = trained(lambda net: None)
    for read in (repr, Network.summary, lambda net: net.objective(X, Y), lambda net: str(net.program(SGD(0.1)))):
        np.testing.assert_array_equal(trained(read), plain)


def test_a_network_can_be_trained_on_after_its_program_was_printed():
    net = small(Dense(4, "tanh"))
    str(net.program(SGD(0.1)))
    history = net.fit(X, Y, optimizer=SGD(0.1), epochs=30, batch_size=None)
    assert history["loss"][-1] < history["loss"][0]


@given(problem=problems(), optimizer=optimizers())
@settings(max_examples=30)
def test_any_network_runs_and_all_its_values_are_finite(problem: Problem, optimizer: Any):
    net = problem.network
    program = net.program(optimizer, weighted=problem.w is not None)
    targets = [s.target for s in program.statements if s.stage != "update"]
    assert len(targets) == len(set(targets))
    for _ in range(2):
        trace = net.step(problem.X, problem.y, optimizer, problem.w)
    for name in trace:
        assert np.isfinite(np.asarray(trace[name], dtype=float)).all(), name
    assert trace.first_not_finite() is None
    assert {str(s) for s in trace.program.statements} == {str(s) for s in program.statements}
    assert net.outputs(problem.X).shape == (len(problem.X), net.n_out)


@given(problem=problems(smooth_activations, dropout=False))
@settings(max_examples=40)
def test_the_order_of_the_rows_of_a_full_batch_does_not_matter(problem: Problem):
    order = np.random.default_rng(len(problem.X)).permutation(len(problem.X))
    weights = None if problem.w is None else problem.w[order]
    first = problem.network.trace(problem.X, problem.y, problem.w)
    second = problem.network.trace(problem.X[order], problem.y[order], weights)
    assert second["J"] == pytest.approx(first["J"], rel=1e-10, abs=1e-10)
    np.testing.assert_allclose(second["p"], first["p"][order], rtol=1e-8, atol=1e-8)
    for name in problem.network.parameters:
        size = 1 + np.abs(first[f"d{name}"]).max()
        np.testing.assert_allclose(second[f"d{name}"], first[f"d{name}"], rtol=0, atol=1e-8 * size)


@given(problem=problems(dropout=False, batch_norm=False))
@settings(max_examples=30)
def test_without_dropout_and_batch_norm_the_objective_is_that_of_the_step(problem: Problem):
    trace = problem.network.trace(problem.X, problem.y, problem.w)
    assert problem.network.objective(problem.X, problem.y, problem.w) == pytest.approx(trace["J"], rel=1e-12)
    np.testing.assert_allclose(problem.network.outputs(problem.X), trace["p"], rtol=1e-12)


# Names that meet


def test_two_layers_may_have_an_activation_with_other_constants():
    steep, flat = (ACTIVATIONS["leaky_relu"].with_constants(slope=slope) for slope in (0.5, 0.1))
    net = small(Dense(5, steep), Dense(4, flat))
    trace = net.trace(X, Y)
    for number, slope in ((1, 0.5), (2, 0.1)):
        z, a = trace[f"z{number}"], trace[f"a{number}"]
        assert (z < 0).any()
        np.testing.assert_allclose(a[z < 0], slope * z[z < 0])
    assert net.check_gradients(X, Y).ok


def test_constants_of_two_parts_with_one_letter_are_told_apart():
    net = small(Dense(2, "tanh"))
    constants = net.program(Chain(Decay(0.1), AdamW(weight_decay=0.3))).constants
    assert sorted(v for k, v in constants.items() if k.startswith("weight_decay")) == [0.1, 0.3]
    # lr = 1: two decays leave (1 - 0.1) · (1 - 0.3) of a parameter whose gradient is 0.
    still = Network([Dense(1, bias=False, weights=[[1.0]])], loss=SquaredError(), n_in=1)
    still.step([[0.0]], [0.0], Chain(Decay(0.1), AdamW(1.0, weight_decay=0.3)))
    assert still.theta.item() == pytest.approx(0.63)


def test_beta1_of_batch_norm_and_beta1_of_adam_are_told_apart():
    net = small(Dense(2), BatchNorm("tanh"))
    program = net.program(Adam())
    assert "beta1" in program.parameters
    assert "beta1" not in program.constants
    assert sorted(program.constants.values()) == sorted([0.9, 0.999, 1e-8])


def test_two_regularizers_of_one_kind_add_up():
    twice, once = (small(Dense(4, "tanh"), regularizer=r) for r in ([L2(0.1), L2(0.2)], L2(0.3)))
    assert twice.objective(X, Y) == pytest.approx(once.objective(X, Y))
    np.testing.assert_allclose(twice.trace(X, Y)["dW1"], once.trace(X, Y)["dW1"])
    assert sorted(twice.program().constants.values()) == [0.1, 0.2]


# An activation of one's own


def softsign(z):
    """shrinks each sum towards -1..1"""
    return z / (1 + np.abs(z))


def softsign_derivative(z):
    return 1 / (1 + np.abs(z)) ** 2


SOFTSIGN = Activation("softsign", softsign, softsign_derivative)


def learns(net: Network, optimizer: Any = None) -> Program:
    """See that a network learns and that its gradients are right; give its program."""
    optimizer = optimizer or SGD(0.05)
    history = net.fit(X, Y, optimizer=optimizer, epochs=40, batch_size=None)
    assert history["loss"][-1] < 0.95 * history["loss"][0]
    report = net.check_gradients(X, Y)
    assert report.ok, report
    return net.program(optimizer)


def test_an_activation_of_ones_own_trains_is_right_and_is_in_the_program():
    program = learns(small(Dense(4, SOFTSIGN)))
    assert str(program["a1"]) == "a1 = z1 / (1 + np.abs(z1))"
    assert program["a1"].words == "softsign shrinks each sum towards -1..1."
    assert "softsign shrinks each sum" in str(program)
    assert not program.functions
    assert Dense(4, SOFTSIGN).activation_function.name == "softsign"


def looped(z):
    """adds up a few powers"""
    total = 0 * z
    for k in range(1, 4):
        total = total + z**k / 10**k
    return total


def looped_derivative(z):
    if np.ndim(z) == 7:
        return z
    return 0.1 + 0.02 * z + 0.003 * z**2


def test_what_is_not_straight_line_code_is_called_by_its_name():
    program = learns(small(Dense(4, Activation("powers", looped, looped_derivative))))
    assert str(program["a1"]) == "a1 = looped(z1)"
    assert str(program["dz1"]) == "dz1 = da1 * looped_derivative(z1)"
    assert program.functions == {"looped": looped, "looped_derivative": looped_derivative}
    assert program["a1"].words == "looped adds up a few powers."


SLOPE = 0.5


def with_a_helper(z):
    # Halfway there.
    half = SLOPE * z
    return softsign(half)


def with_a_helper_derivative(z):
    return SLOPE * softsign_derivative(SLOPE * z)


def test_a_formula_may_call_others_and_use_numbers_from_its_file():
    program = learns(small(Dense(4, Activation("half", with_a_helper, with_a_helper_derivative)), Dense(3, SOFTSIGN)))
    assert str(program["half1"]) == "half1 = 0.5 * z1"
    assert program["half1"].words == "Halfway there."
    assert str(program["a1"]) == "a1 = half1 / (1 + np.abs(half1))"
    assert not program.functions


class Sine:
    """A function that is an object."""

    def __call__(self, z):
        return np.sin(z)


def without_source(text: str) -> Callable[..., Any]:
    """Make a function whose source cannot be had."""
    namespace: dict[str, Any] = {"np": np}
    exec(text, namespace)
    return namespace["f"]


@pytest.mark.parametrize(
    ("function", "derivative"),
    [
        (lambda z: np.sin(z), lambda z: np.cos(z)),
        (without_source("def f(z): return np.sin(z)"), without_source("def f(z): return np.cos(z)")),
        (np.sin, np.cos),
        (functools.partial(np.sin), functools.partial(np.cos)),
        (Sine(), lambda z: np.cos(z)),
    ],
    ids=["lambda", "no source", "of NumPy", "partial", "object"],
)
def test_any_function_of_z_is_an_activation(function, derivative):
    program = learns(small(Dense(4, Activation("sine", function, derivative))))
    assert len(program.functions) == 2
    assert all(statement.words for statement in program.statements)


def test_a_letter_that_means_nothing_is_answered_with_those_that_do():
    def odd(z, q):
        return z * q

    with pytest.raises(ProgramError, match="odd uses the letter 'q'") as caught:
        small(Dense(4, Activation("odd", odd, softsign_derivative)))
    assert "It may use: z." in str(caught.value)
    assert "layer 1" in str(caught.value)
    with pytest.raises(ProgramError, match="<lambda> uses the letter 'q'"):
        small(Dense(4, Activation("odd", lambda z, q: z, softsign_derivative)))


# A loss, a regularizer, an optimizer and a layer of one's own


def log_cosh(p, y, sharpness):
    """is about the size of the error, and rounded at 0"""
    # The error, sharpened.
    error = sharpness * (p - y)
    return np.log(np.cosh(error)) / sharpness


def log_cosh_gradient(error):
    """is a rounded sign"""
    return np.tanh(error)


@dataclass(frozen=True, kw_only=True)
class LogCosh(Loss):
    """The logarithm of the hyperbolic cosine of the error."""

    sharpness: float = 1.0

    value = log_cosh
    gradient = log_cosh_gradient

    @property
    def constants(self) -> dict[str, float]:
        return {"sharpness": self.sharpness}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_loss_of_ones_own(reduction):
    program = learns(small(Dense(4, "tanh"), loss=LogCosh(reduction=reduction, sharpness=2.0)), SGD(0.02))
    assert str(program["error"]) == "error = sharpness * (p - y)"
    assert program["error"].words == "The error, sharpened."
    assert "np.tanh(error)" in program["dz2"].expression


def named_loss(p, y):
    # Twice the usual, under a name that the program uses itself.
    loss = 2 * (p - y) ** 2
    return loss


def named_loss_gradient(p, y):
    return 4 * (p - y)


class NamedLoss(Loss):
    value = named_loss
    gradient = named_loss_gradient


@pytest.mark.parametrize("missing", ["value", "gradient"])
def test_a_loss_without_one_of_its_formulas_is_refused_by_name(missing):
    formulas = {"value": named_loss, "gradient": named_loss_gradient}
    del formulas[missing]
    with pytest.raises(ProgramError, match=f"Half has no {missing}: name a formula for it"):
        type("Half", (Loss,), formulas)().formulas  # noqa: B018


def test_the_own_names_of_a_loss_do_not_meet_those_of_the_program():
    program = learns(small(Dense(4, "tanh"), loss=NamedLoss(), regularizer=L2(0.01)))
    early = [s.target for s in program.statements if s.stage != "update"]
    assert len(early) == len(set(early))


def smooth_size(W, lam3):
    """the sum of its rounded sizes as a price"""
    return lam3 * np.sqrt(W**2 + 1).sum()


def smooth_size_gradient(W, lam3):
    """the price pulls each weight towards 0"""
    return lam3 * W / np.sqrt(W**2 + 1)


@dataclass(frozen=True)
class SmoothL1(Regularizer):
    lam3: float

    penalty = smooth_size
    gradient = smooth_size_gradient


def test_a_regularizer_of_ones_own():
    program = learns(small(Dense(4, "tanh"), regularizer=[SmoothL1(0.05), L2(0.01)]))
    assert program.constants == {"lam3": 0.05, "lam": 0.01}
    assert "lam3 * W1 / np.sqrt(W1**2 + 1)" in program["dW1"].expression
    assert "lam3 * np.sqrt(W1**2 + 1).sum()" in program["J"].expression
    assert "rounded sizes" in program["J"].words


def signed(theta, g, s, lr, keep):
    # The exponential moving average of the gradients.
    s = keep * s + (1 - keep) * g
    # A step of which only the sign counts.
    theta = theta - lr * np.sign(s)
    return theta, s


@dataclass(frozen=True)
class Signum(Optimizer):
    """Steps of one size along the sign of the mean gradient (Bernstein et al. 2018)."""

    keep: float = 0.9

    rules = (signed,)
    state = ("s",)


@pytest.mark.parametrize("optimizer", [Signum(0.01), Chain(ClipByNorm(0.1), Signum(0.01, keep=0.5))], ids=repr)
def test_an_optimizer_of_ones_own(optimizer):
    program = learns(small(Dense(4, "tanh")), optimizer)
    assert str(program["W1"]) == "W1 = W1 - lr * np.sign(s_W1)"
    assert program["W1"].words == "A step of which only the sign counts."
    assert program.states == ("s_W1", "s_b1", "s_W2", "s_b2")
    assert {s.shape for s in program.statements if s.target == "s_W1"} == {(3, 4)}


def returned(theta, g, lr):
    """takes a step downhill"""
    return theta - lr * g


def branched(theta, g, v, lr, momentum):
    if momentum == 0:
        return theta - lr * g, v
    v = momentum * v - lr * g
    return theta + v, v


@dataclass(frozen=True)
class Returned(Optimizer):
    rules = (returned,)


@dataclass(frozen=True)
class Anonymous(Optimizer):
    rules = (lambda theta, g, lr: theta - lr * g,)


@dataclass(frozen=True)
class Branched(Optimizer):
    momentum: float = 0.9

    rules = (branched,)
    state = ("v",)


@pytest.mark.parametrize(
    ("own", "known"),
    [(Returned(0.1), SGD(0.1)), (Anonymous(0.1), SGD(0.1)), (Branched(0.1), Momentum(0.1))],
    ids=["an expression is returned", "a lambda", "a branch"],
)
def test_a_rule_in_another_form_is_the_same_rule(own, known):
    ours, theirs = small(Dense(4, "tanh")), small(Dense(4, "tanh"))
    ours.fit(X, Y, optimizer=own, epochs=10, batch_size=None)
    theirs.fit(X, Y, optimizer=known, epochs=10, batch_size=None)
    np.testing.assert_array_equal(ours.theta, theirs.theta)


def scale(x, g):
    """are the inputs, each by its own factor"""
    return x * g


def scale_backward(x, g, dz):
    # Each factor's gradient, added over the rows.
    dg = (dz * x).sum(axis=0)
    # Each input's gradient.
    dx = dz * g
    return dg, dx


def scale_backward_in_one(x, g, dz):
    return (dz * x).sum(axis=0), dz * g


def scale_backward_looped(x, g, dz):
    dg = 0 * g
    for row in range(len(x)):
        dg = dg + dz[row] * x[row]
    return dg, dz * g


@dataclass(frozen=True)
class Scale(Layer):
    """Each input by its own factor."""

    activation: str | Activation = "identity"
    back: Callable[..., Any] = scale_backward

    @property
    def parameters(self) -> tuple[str, ...]:
        return ("g",)

    @property
    def formulas(self) -> Mapping[str, Callable[..., Any]]:
        return {"forward": scale, "backward": self.back, "inference": scale}

    def shapes(self, n_in: int) -> dict[str, tuple[int, ...]]:
        return {"g": (n_in,)}

    def start(self, rng: Any, n_in: int) -> dict[str, np.ndarray]:
        return {"g": np.linspace(0.5, 1.5, n_in)}


@pytest.mark.parametrize("back", [scale_backward, scale_backward_in_one, scale_backward_looped])
def test_a_layer_of_ones_own(back):
    net = small(Scale(back=back), Dense(4, "tanh"), Scale("sigmoid", back))
    program = learns(net)
    assert list(net.parameters) == ["g1", "W1", "b1", "g2", "W2", "b2"]
    assert str(program.statements[0]) == "X_scale = X * g1"
    assert program["g2"].shape == (4,)
    assert net.outputs(X).shape == (8, 1)


def roll(x):
    """are the inputs, moved on by one column"""
    return np.roll(x, 1, axis=1)


def roll_back(dz):
    for _ in range(1):
        dz = np.roll(dz, -1, axis=1)
    return dz


@dataclass(frozen=True)
class Roll(Layer):
    """Nothing to learn, and a way back that is not straight-line code."""

    formulas = {"forward": roll, "backward": roll_back, "inference": roll}


def test_a_layer_without_parameters_whose_way_back_is_called_by_name():
    program = learns(small(Dense(4, "tanh"), Roll()))
    assert str(program["da1"]) == "da1 = roll_back(da1_roll)"


def weigh(x, W):
    """are the inputs, each by its own weight"""
    return x * W


def weigh_backward(x, W, dz):
    # Each weight's gradient.
    dW = (dz * x).sum(axis=0)
    # Each input's gradient.
    dx = dz * W
    return dW, dx


@dataclass(frozen=True)
class Weigh(Scale):
    """A layer whose parameter has the letter of Dense's."""

    regularized = ("W",)
    parameters = ("W",)
    formulas = {"forward": weigh, "backward": weigh_backward, "inference": weigh}

    def shapes(self, n_in: int) -> dict[str, tuple[int, ...]]:
        return {"W": (n_in,)}

    def start(self, rng: Any, n_in: int) -> dict[str, np.ndarray]:
        return {"W": np.ones(n_in)}


def test_two_kinds_of_layers_may_have_one_letter():
    net = small(Weigh(), Dense(4, "tanh"), Weigh(), regularizer=L2(0.01))
    learns(net)
    assert len(net.parameters) == 6
    assert net.theta.size == 3 + (3 * 4 + 4) + 4 + (4 + 1)


def test_a_formula_with_a_comprehension_is_called_by_its_name():
    def waves(z):
        return sum(np.sin(z * k) for k in (1, 2))

    def waves_slope(z):
        return sum(k * np.cos(z * k) for k in (1, 2))

    net = small(Dense(4, Activation("waves", waves, waves_slope)))
    learns(net)
    assert str(net.program()["a1"]) == "a1 = waves(z1)"


def test_state_letters_may_have_underscores():
    def amsgrad_like(theta, g, v_max, lr):
        v_max = np.maximum(v_max, g**2)
        theta = theta - lr * g / (np.sqrt(v_max) + 1e-8)
        return theta, v_max

    kind = dataclass(frozen=True)(type("Mine", (Optimizer,), {"rules": (amsgrad_like,), "state": ("v_max",)}))
    program = learns(small(Dense(4, "tanh")), kind(0.02))
    assert program.states == ("v_max_W1", "v_max_b1", "v_max_W2", "v_max_b2")


def test_a_loss_may_use_the_number_of_rows():
    def by_rows(p, y, n):
        return (p - y) ** 2 * n / n

    def by_rows_gradient(p, y):
        return 2 * (p - y)

    kind = dataclass(frozen=True)(type("ByRows", (Loss,), {"value": by_rows, "gradient": by_rows_gradient}))
    net = small(Dense(4, "tanh"), loss=kind())
    assert net.objective(X, Y) == pytest.approx(small(Dense(4, "tanh")).objective(X, Y))


def closing_bracket_alone(x: Array, W: Array) -> Array:
    # the product
    z = np.dot(
        x,
        W,
    )
    return np.maximum(
        z,
        0,  # a comment
    )


def nested_brackets(x: Array, W: Array) -> tuple[Array, Array]:
    """is a pair"""
    return (
        x
        + (
            W
        ),
        W
    )  # fmt: skip


def in_one_line(x: Array) -> Array: return x + 1  # fmt: skip


def with_a_default(x: Array, a: float = 2.0) -> Array:
    return a * x


@pytest.mark.parametrize(
    "function", [closing_bracket_alone, nested_brackets, in_one_line, with_a_default, lambda x: x + 1, np.sin]
)
def test_the_quick_way_reads_the_same_source(function: Callable[..., Array], monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions whose last lines have no code of their own, and others that are no formulas."""
    names = list("xWaz")
    found = described(function), formulas.letters_of(function, names)
    monkeypatch.setattr(formulas, "lines_of_code", inspect.getsource)
    monkeypatch.setattr(formulas, "required_arguments", by_signature)
    assert found == (described(function), formulas.letters_of(function, names))


def described(function: Callable[..., Array]) -> object:
    """Return what ``read_formula`` finds, as text."""
    formula = formulas.read_formula.__wrapped__(function)
    if formula is None:
        return None
    lines = [(line.name, ast.unparse(line.expression), line.words) for line in formula.lines]
    return formula.letters, lines, list(map(ast.unparse, formula.results)), formula.words


def by_signature(function: Callable[..., Array]) -> list[str]:
    """Return the arguments without defaults, by the function's signature."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind is not p.KEYWORD_ONLY]


def test_an_edited_step_may_leave_the_weights_out() -> None:
    X, y, w = np.random.default_rng(0).normal(size=(12, 3)), np.arange(12) % 2, np.linspace(0.5, 2, 12)
    thetas = []
    for weights in (w, None):
        network = Network([Dense(4, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=3)
        network = network.replacing("dz2", "(p - y) / n")
        settings = {"optimizer": SGD(0.1), "epochs": 2, "batch_size": 5, "engine": "reference"}
        network.fit(X, y, sample_weight=weights, **settings)
        thetas.append(network.theta)
    assert (thetas[0] == thetas[1]).all()
