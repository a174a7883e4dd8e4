"""Edited networks, the museum on the command line, and the gradient check for people's own code."""

from __future__ import annotations

import copy
import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from workings import (
    SGD,
    Adam,
    BinaryCrossEntropy,
    CrossEntropy,
    Dense,
    InputError,
    Network,
    ProgramError,
    SquaredError,
    check_my_gradients,
)
from workings.cli.commands import app
from workings.datasets import moons
from workings.museum.code_mistakes import BY_COLUMNS, BY_ROWS, CODE_MISTAKES, NUMBERS
from workings.museum.mistakes import MISTAKES
from workings.museum.rooms import ROOMS, rooms_for, show

X, Y = moons()
FLOWERS = Path(__file__).parents[1] / "examples" / "flowers.csv"


def tanh_network() -> Network:
    return Network([Dense(6, "tanh"), Dense(2)], loss=CrossEntropy(), n_in=2, seed=0)


# -- a network whose program was edited -------------------------------------------------------


def test_the_copy_does_everything_with_the_edit_and_the_network_stays():
    network = tanh_network()
    wrong = network.replacing("dz1", "da1")
    assert str(wrong.program()["dz1"]) == "dz1 = da1"
    assert str(network.program()["dz1"]) == "dz1 = da1 * (1 - a1**2)"
    assert (wrong.trace(X, Y)["dz1"] == wrong.trace(X, Y)["da1"]).all()
    assert network.check_gradients(X[:10], Y[:10]).ok
    assert not wrong.check_gradients(X[:10], Y[:10]).ok
    assert "with dz1 = da1" in repr(wrong)
    assert (wrong.theta == network.theta).all()


def test_an_edit_of_the_forward_pass_changes_predictions_and_objective():
    network = tanh_network()
    wrong = network.replacing("z2", "z1 @ W2 + b2")
    assert not np.allclose(wrong.predict_proba(X), network.predict_proba(X))
    assert wrong.objective(X, Y) == pytest.approx(float(wrong.trace(X, Y)["J"]), rel=1e-12)


@pytest.mark.parametrize("target", ["dz1", "db1", "W1"])
@pytest.mark.parametrize("batch_size", [None, 32])
def test_both_engines_train_an_edited_network_alike(target, batch_size):
    pytest.importorskip("llvmlite")
    edit = {"dz1": "da1", "db1": "dz1.sum()", "W1": "W1 + lr * dW1"}[target]
    results = []
    for engine in ("reference", "compiled"):
        network = tanh_network().replacing(target, edit)
        history = network.fit(X, Y, optimizer=SGD(0.1), epochs=6, batch_size=batch_size, engine=engine)
        results.append((network.theta, history["loss"]))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-9)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-9)
    right = tanh_network()
    right.fit(X, Y, optimizer=SGD(0.1), epochs=6, batch_size=batch_size)
    assert not np.allclose(right.theta, results[0][0], rtol=1e-6)


def test_copies_pickles_and_scripts_keep_the_edit():
    wrong = tanh_network().replacing("db1", "dz1.sum()")
    for other in (copy.deepcopy(wrong), pickle.loads(pickle.dumps(wrong))):
        assert other.edits == (("db1", "dz1.sum()"),)
        assert str(other.program()["db1"]) == "db1 = dz1.sum()"
    assert "db1 = dz1.sum()" in wrong.script(optimizer=SGD(0.1), epochs=2, data=(X[:20], Y[:20]))


def test_what_cannot_be_edited_is_refused():
    with pytest.raises(InputError, match="Did you mean 'dz1'"):
        tanh_network().replacing("dz11", "da1")
    with pytest.raises(ProgramError, match="not an expression"):
        tanh_network().replacing("dz1", "da1 *")
    with pytest.raises(InputError, match="no parameters yet"):
        Network([Dense(2)], loss=CrossEntropy()).replacing("dz1", "p")
    with pytest.raises(ProgramError, match="nothing"):
        tanh_network().replacing("dz1", "da1 * slope1").trace(X, Y)


def test_an_edited_network_is_not_saved(tmp_path):
    with pytest.raises(InputError, match="a file does not store statements"):
        tanh_network().replacing("dz1", "da1").save(tmp_path / "wrong.safetensors")
    assert not list(tmp_path.iterdir())


# -- the command line -------------------------------------------------------------------------


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


def test_the_museum_lists_every_mistake(command):
    done = command("museum")
    assert done.exit_code == 0, done.output
    for name in (*MISTAKES, *CODE_MISTAKES):
        assert name in done.stdout


def test_an_exhibit_shows_both_lines_both_curves_and_the_doctor(command, tmp_path):
    done = command("museum", "sum-for-mean", "--data", "circles", "--out", "pictures")
    assert done.exit_code == 0, done.output
    assert "wrong  dz3 = p - y\n" in done.stdout
    assert "right  dz3 = (p - y) / y.size\n" in done.stdout
    assert "with the mistake" in done.stdout
    assert "a sum where a mean was meant" in done.stdout
    assert "How to fix it" in done.stdout
    picture = tmp_path / "pictures" / "sum-for-mean-circles.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_an_exhibit_of_own_code_shows_the_lines_the_curves_and_the_gradient_check(command, tmp_path):
    done = command("museum", "two-mistakes", "--data", "spirals", "--out", "pictures")
    assert done.exit_code == 0, done.output
    assert "wrong  dW2 = z1.T @ dz2\nright  dW2 = a1.T @ dz2\n" in done.stdout
    assert "with the mistake" in done.stdout
    assert "check_my_gradients:\n\nGradients and finite differences differ." in done.stdout
    assert "it needs the activation a1, not z1" in done.stdout
    assert "How to fix it: Mend the last layer first" in done.stdout
    assert (tmp_path / "pictures" / "two-mistakes-spirals.png").read_bytes().startswith(b"\x89PNG")


def test_unknown_exhibits_are_told_with_the_nearest(command):
    done = command("museum", "softmax")
    assert done.exit_code == 2
    assert "softmax-axis" in done.stderr
    assert "choose waves" in command("museum", "broadcast-targets", "--data", "moons").stderr
    assert command("museum", "uphill", "--data", "mars").exit_code == 2


def test_the_doctor_of_an_experiment_a_table_and_a_model(command, tmp_path):
    done = command("doctor", "xor")
    assert done.exit_code == 0, done.output
    assert "constant-column" in done.stdout  # its third input is always 1
    done = command("doctor", FLOWERS, "--target", "species", "--epochs", "60")
    assert done.exit_code == 0, done.output
    assert "The checks found nothing" in done.stdout or "No problem found, " in done.stdout
    model = tanh_network().save("moons.safetensors")
    assert "random rows" in command("doctor", model).stdout


def test_the_doctor_exits_with_1_where_there_is_a_problem_and_2_where_it_cannot_look(command):
    done = command("doctor", FLOWERS, "--target", "species", "--optimizer", "sgd", "--lr", "1e-7", "--epochs", "5")
    assert done.exit_code == 1, done.output
    assert "learning-rate-too-small" in done.stdout
    assert command("doctor", FLOWERS).exit_code == 2
    assert "--target" in command("doctor", FLOWERS).stderr
    assert command("doctor", "nothing.safetensors").exit_code == 2


# -- gradients of people's own code -----------------------------------------------------------

RNG = np.random.default_rng(0)
PARAMETERS = {
    "W1": RNG.normal(size=(3, 4)), "b1": RNG.normal(size=4), "W2": RNG.normal(size=(4, 2)), "b2": RNG.normal(size=2),
}  # fmt: skip
INPUTS, TARGETS = RNG.normal(size=(7, 3)), RNG.normal(size=(7, 2))


def forward(parameters, X, y):
    h = np.tanh(X @ parameters["W1"] + parameters["b1"])
    return ((h @ parameters["W2"] + parameters["b2"] - y) ** 2).mean()


def backward(parameters, X, y):
    h = np.tanh(X @ parameters["W1"] + parameters["b1"])
    d2 = 2 * (h @ parameters["W2"] + parameters["b2"] - y) / y.size
    d1 = d2 @ parameters["W2"].T * (1 - h**2)
    return {"W1": X.T @ d1, "b1": d1.sum(axis=0), "W2": h.T @ d2, "b2": d2.sum(axis=0)}


def check(forward=forward, backward=backward, parameters=PARAMETERS):
    return check_my_gradients(forward, backward, parameters, INPUTS, TARGETS)


def test_right_gradients_of_ones_own_pass_and_agree_with_the_library():
    before = {name: value.copy() for name, value in PARAMETERS.items()}
    report = check()
    assert report.ok, str(report)
    assert report.worst.error < 1e-6
    assert all((PARAMETERS[name] == before[name]).all() for name in before)
    layers = [Dense(4, "tanh"), Dense(2)]
    network = Network(layers, loss=SquaredError(), n_in=3)
    for name, value in PARAMETERS.items():
        network.parameters[name] = value
    trace = network.trace(INPUTS, TARGETS)
    for name, gradient in backward(PARAMETERS, INPUTS, TARGETS).items():
        np.testing.assert_allclose(trace[f"d{name}"], gradient, rtol=1e-12)


def with_wrong(name, change):
    return lambda p, X, y: {**backward(p, X, y), name: change(backward(p, X, y)[name])}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda p, X, y: {k: -g for k, g in backward(p, X, y).items()}, "the sign is wrong"),
        (lambda p, X, y: {k: g * len(X) for k, g in backward(p, X, y).items()}, "a sum where a mean was meant"),
        (lambda p, X, y: {k: g / 2 for k, g in backward(p, X, y).items()}, "a forgotten 2"),
        (lambda p, X, y: {k: g * 2 for k, g in backward(p, X, y).items()}, "the loss is a mean over the outputs"),
        (with_wrong("b1", np.sum), "db1 has shape (), but b1 has shape (4,): it was summed to one number"),
        (with_wrong("W1", np.transpose), "it is transposed"),
        (with_wrong("W2", lambda g: g - 0.1 * PARAMETERS["W2"]), "the gradient of the L2 regularizer is missing"),
        (with_wrong("b2", lambda g: np.nan * g), "not finite"),
    ],
)
def test_mistakes_of_ones_own_are_read_as_the_librarys(wrong, words):
    report = check(backward=wrong)
    assert not report.ok
    assert words in str(report)


def test_a_mistake_between_two_layers_is_placed_there():
    def forgotten(p, X, y):
        d2 = 2 * (np.tanh(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"] - y) / y.size
        d1 = d2 @ p["W2"].T
        return {**backward(p, X, y), "W1": X.T @ d1, "b1": d1.sum(axis=0)}

    text = str(check(backward=forgotten))
    assert (
        "W2, b2 are right, W1, b1 are wrong: check the backward pass between them, first the derivative of the "
        "activation." in text
    )

    noise = {name: RNG.normal(size=value.shape) for name, value in PARAMETERS.items()}

    def all_wrong(p, X, y):
        return {name: g + noise[name] for name, g in backward(p, X, y).items()}

    assert "All gradients are wrong" in str(check(backward=all_wrong))


def test_functions_that_cannot_be_checked_are_told_what_to_change():
    def changes(parameters, X, y):
        parameters["W1"] -= 0.1
        return forward(parameters, X, y)

    def square(parameters, X, y):
        return (y[:, 0] - y[:, :1]) ** 2

    with pytest.raises(InputError, match=r"forward changed parameters\['W1'\]"):
        check(forward=changes)
    with pytest.raises(InputError, match=r"forward must return the loss as one number.*\(7, 7\) comes from .*\(n,\)"):
        check(forward=square)
    with pytest.raises(InputError, match="Add the losses up"):
        check(forward=lambda p, X, y: y)
    with pytest.raises(InputError, match="end it with return loss"):
        check(forward=lambda p, X, y: None)
    with pytest.raises(InputError, match=r"returned a dict \(with 'loss', 'a1'\), but it must return only the loss"):
        check(forward=lambda p, X, y: {"loss": forward(p, X, y), "a1": X})
    with pytest.raises(InputError, match="returned 2 values, but it must return only the loss"):
        check(forward=lambda p, X, y: (forward(p, X, y), X))
    with pytest.raises(InputError, match="forward returns nan"):
        check(forward=lambda p, X, y: np.nan)
    with pytest.raises(InputError, match="a different loss in each call"):
        check(forward=lambda p, X, y: float(RNG.random()))
    with pytest.raises(InputError, match="has no 'b2' and has 'db2'"):
        check(backward=lambda p, X, y: {("db2" if k == "b2" else k): g for k, g in backward(p, X, y).items()})
    with pytest.raises(InputError, match="backward must return a dict"):
        check(backward=lambda p, X, y: list(backward(p, X, y).values()))
    with pytest.raises(InputError, match="parameters must be a dict"):
        check(parameters=[PARAMETERS["W1"]])
    with pytest.raises(InputError, match=r"parameters\['W1'\] must hold finite numbers"):
        check(parameters={**PARAMETERS, "W1": PARAMETERS["W1"] * np.inf})


def test_float32_parameters_are_checked_in_float64():
    assert check(parameters={name: value.astype(np.float32) for name, value in PARAMETERS.items()}).ok


# -- your own code in the museum ------------------------------------------------------------


@pytest.mark.parametrize("name", CODE_MISTAKES)
def test_the_gradient_check_names_each_mistake_and_the_code_beside_it_is_right(name):
    mistake = CODE_MISTAKES[name]
    assert name not in MISTAKES
    assert len(rooms_for(mistake)) == 3
    shown = show(name, seed=3)
    assert shown.is_named, shown.told
    assert shown.right.is_right, shown.right.told
    assert shown.right.score > 0.75
    assert shown.right.losses[-1] < 0.5 * shown.right.losses[0]
    assert mistake.title in str(shown)
    assert mistake.words[0] in str(shown)
    assert mistake.wrong != mistake.right
    wrong, right = mistake.wrong.splitlines(), mistake.right.splitlines()
    assert [(a.strip(), b.strip()) for a, b in zip(wrong, right, strict=True) if a != b] == sorted(
        mistake.lines, key=lambda line: mistake.right.index(line[1])
    )


@pytest.mark.parametrize("program", [BY_ROWS, BY_COLUMNS, CODE_MISTAKES["targets-as-vector"].right])
def test_the_right_programs_have_the_gradients_of_the_library(program):
    mistake = next(one for one in CODE_MISTAKES.values() if one.right == program)
    room = ROOMS[mistake.rooms[0]](1)
    kind = SquaredError() if mistake.rooms == NUMBERS else BinaryCrossEntropy()
    network = Network([Dense(8, "tanh"), Dense(1)], loss=kind, seed=1).build(2)
    names: dict[str, object] = {"np": np}
    exec(program, names)
    parameters, data = dict(network.parameters), (room.X, room.y.reshape(-1, 1))
    if mistake.has_samples_as_columns:
        parameters = {name: v.T if v.ndim == 2 else v.reshape(-1, 1) for name, v in parameters.items()}
        data = (room.X.T, room.y.reshape(1, -1))
    gradients = names["backward"](parameters, *data)
    trace = network.trace(room.X, room.y)
    assert names["forward"](parameters, *data) == pytest.approx(float(trace["J"]), rel=1e-12)
    for name, value in network.parameters.items():
        found = gradients[name].T if mistake.has_samples_as_columns else gradients[name]
        np.testing.assert_allclose(found.reshape(value.shape), trace[f"d{name}"], rtol=1e-9, atol=1e-15)


def test_a_mistake_of_own_code_with_an_unknown_line_is_refused():
    mistake = replace(CODE_MISTAKES["log10-for-log"], lines=(("p = 2", "p = 3"),))
    with pytest.raises(InputError, match="must stand once in the program; it stands 0 times"):
        _ = mistake.wrong


# -- the history ------------------------------------------------------------------------------


def test_what_the_doctor_needs_is_in_the_history_and_not_in_its_json():
    network = tanh_network()
    start = network.theta.copy()
    history = network.fit(X, Y, optimizer=Adam(0.01), epochs=2, batch_size=50)
    assert history.settings["optimizer"] == Adam(0.01)
    assert history.settings["batch_size"] == 50
    assert (np.concatenate([history.begun[name].ravel() for name in network.parameters]) == start).all()
    assert set(json.loads(history.to_json())) == {"columns", "engine", "stopped", "seconds"}
    assert re.match("all 2 epochs", history.stopped)
