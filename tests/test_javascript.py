"""The JavaScript module: run by Node, it computes the gradients, predictions and trainings of the reference engine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.strategies import targets_for
from tests.test_escaping import HOSTILE
from workings import (
    LBFGS,
    SGD,
    Activation,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    Chain,
    ClipByNorm,
    ClipByValue,
    CrossEntropy,
    Decay,
    Dense,
    Dropout,
    EarlyStopping,
    Freeze,
    Huber,
    InputError,
    Layer,
    Loss,
    Network,
    Poisson,
    Progress,
    SquaredError,
)
from workings.activations import ACTIVATIONS
from workings.cli.commands import app
from workings.datasets import moons
from workings.engines.reference import Runner
from workings.errors import ProgramError
from workings.layers import (
    LAYERS,
    ClipPredictions,
    Exp,
    GroupedDense,
    Interpolation,
    NTKDense,
    PeriodicEmbedding,
    PiecewiseLinearEncoding,
    Scale,
    SmoothClip,
)
from workings.losses import LOSSES
from workings.optimizers import OPTIMIZERS, Part
from workings.readings.javascript import arrays_text, javascript
from workings.readings.javascript.names import array_functions
from workings.readings.javascript.recorded import record
from workings.regularizers import REGULARIZERS
from workings.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    CosineLog,
    Exponential,
    FlatCosine,
    InverseScaling,
    OnPlateau,
    Step,
    WarmUp,
)
from workings.training.recipe import Recipe

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")
X, Y = moons(n=30, seed=0)

RUNNER = """
import fs from "node:fs";
import * as np from "./arrays.js";
function plain(value) {
  if (np.isArray(value)) return plain(np.tolist(value));
  if (Object.is(value, -0)) return { number: "-0" };
  if (typeof value === "number") return Number.isFinite(value) ? value : { number: String(value) };
  if (typeof value === "bigint") return { integer: String(value) };
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}
const results = [];
for (const { file, code, given } of JSON.parse(fs.readFileSync("cases.json", "utf8"))) {
  try {
    const module = file === null ? null : await import(`./${file}`);
    results.push({ value: plain(new Function("m", "np", "given", code)(module, np, given)) });
  } catch (error) {
    results.push({ error: `${error.name}: ${error.message}` });
  }
}
fs.writeFileSync("results.json", JSON.stringify(results));
"""


@dataclass
class Case:
    """JavaScript code that is run with a module ``m``, the array operations ``np`` and values ``given``."""

    code: str
    text: str | None = None
    given: dict[str, Any] = field(default_factory=dict)


def as_json(value: Any) -> Any:
    """Arrays as nested lists."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {name: as_json(one) for name, one in value.items()}
    return [as_json(one) for one in value] if isinstance(value, (list, tuple)) else value


def numbers_in(found: dict[str, Any]) -> Any:
    """Numbers that JSON cannot hold, as they were written."""
    if found.keys() == {"integer"}:
        return int(found["integer"])
    return float(found["number"].replace("Infinity", "inf")) if found.keys() == {"number"} else found


def run(folder: Path, cases: Sequence[Case]) -> list[Any]:
    """Run cases in one process; an error of JavaScript is returned as an exception."""
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "arrays.js").write_text(arrays_text(), encoding="utf-8")
    (folder / "run.js").write_text(RUNNER, encoding="utf-8")
    written = []
    for place, case in enumerate(cases):
        file = None if case.text is None else f"module{place}.js"
        if file is not None:
            (folder / file).write_text(str(case.text), encoding="utf-8")
        written.append({"file": file, "code": case.code, "given": as_json(case.given)})
    (folder / "cases.json").write_text(json.dumps(written), encoding="utf-8")
    subprocess.run([str(NODE), "run.js"], cwd=folder, check=True, timeout=300)
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"), object_hook=numbers_in)
    return [RuntimeError(result["error"]) if "error" in result else result["value"] for result in results]


def run_one(folder: Path, text: str | None, code: str, **given: Any) -> Any:
    """Run one case; raise its error."""
    (result,) = run(folder, [Case(code, text, given)])
    if isinstance(result, Exception):
        raise result
    return result


# -- gradients and predictions --------------------------------------------------------------


@dataclass
class Problem:
    """A network with a batch of rows and masks."""

    network: Network
    X: np.ndarray
    y: np.ndarray
    w: np.ndarray | None
    masks: dict[str, np.ndarray]

    def case(self) -> Case:
        text = javascript(
            self.network, optimizer=SGD(0.1), batch_size=None, sample_weight=self.w, weights="inline",
            arrays="./arrays.js",
        )  # fmt: skip
        code = (
            "const { X, y, w, masks } = given;"
            "return { gradients: m.gradients(X, y, { w: w ?? undefined, masks }), p: m.outputs(X), "
            "predicted: m.predict(X), J: m.objective(X, y, { w: w ?? undefined }) };"
        )
        return Case(code, text, {"X": self.X, "y": self.y, "w": self.w, "masks": self.masks})

    def values(self) -> dict[str, Any]:
        network = self.network
        encoded = network.targets.encode(self.y, np.float64)
        found = {**network.parameters, **network.statistics, "X": self.X, "y": encoded, "n": len(self.X), **self.masks}
        return found if self.w is None else {**found, "w": self.w[:, None]}

    def gradients(self) -> dict[str, Any]:
        """The objective and gradients of the reference engine."""
        program = self.network.program(weighted=self.w is not None)
        names = ["J", *(f"d{name}" for name in program.parameters)]
        return dict(zip(names, Runner(program, names, "gradients")(self.values()), strict=True))

    def objective(self) -> float:
        """The objective of the reference engine in inference mode."""
        program = self.network.inference_program(weighted=self.w is not None)
        return float(Runner(program, ["J"], "objective")(self.values())[0])


def random_layers(rng: np.random.Generator, place: int) -> Iterator[Layer]:
    """One to four layers; the first activation is chosen in turn."""
    names = sorted(ACTIVATIONS)
    layer: Layer = Dense(int(rng.integers(1, 6)), names[place % len(names)], bias=bool(rng.integers(4)))
    width = layer.width(1)
    yield layer
    for _ in range(rng.integers(0, 4)):
        layer = random_layer(rng, names[rng.integers(len(names))], width)
        width = layer.width(width)
        yield layer


def random_layer(rng: np.random.Generator, activation: str, width: int) -> Layer:
    """A layer of any kind for this number of inputs."""
    units = int(rng.integers(1, 6))
    edges = [sorted(rng.normal(size=int(rng.choice([0, 2, 4])))) for _ in range(width)]
    kinds: list[Layer] = [
        Dense(units, activation), Dropout(0.3), BatchNorm(activation), NTKDense(units, activation), Scale(),
        SmoothClip(), ClipPredictions(-2, 3), Exp(0.1, -0.2),
        Interpolation([-1, 0.1, 2], [0, 1, 0.5]) if width == 1 else Scale(),
        PeriodicEmbedding(2, std=0.5), PiecewiseLinearEncoding(edges),
        GroupedDense([(width, units)] if width == 1 else [(1, 2), (width - 1, 1)], activation),
    ]  # fmt: skip
    return kinds[rng.integers(len(kinds))]


def random_loss(rng: np.random.Generator, place: int) -> Loss:
    """A loss chosen in turn, with random settings."""
    kind = LOSSES[sorted(LOSSES)[place % len(LOSSES)]]
    reduction = ["mean", "sum", "mean of rows"][rng.integers(3)]
    settings: dict[type[Loss], dict[str, Any]] = {
        CrossEntropy: {"label_smoothing": [0.0, 0.1][rng.integers(2)]},
        SquaredError: {"half": bool(rng.integers(2))},
        Huber: {"delta": float(rng.uniform(0.1, 3))},
        Poisson: {"deviance": bool(rng.integers(2))},
    }
    return kind(reduction=reduction, **settings.get(kind, {}))


def random_problem(place: int) -> Problem:
    """A random network with rows, weighted or not."""
    rng = np.random.default_rng(place)
    loss = random_loss(rng, place)
    n_in, rows = int(rng.integers(1, 5)), int(rng.integers(3, 9))
    n_out = int(rng.integers(2, 4)) if loss.target == "classes" else int(rng.integers(1, 4))
    penalties = [kind(0.02) for kind in REGULARIZERS.values() if rng.integers(3) == 0]
    layers = [*random_layers(rng, place), Dense(n_out, bias=bool(rng.integers(4)))]
    network = Network(layers, loss=loss, regularizer=penalties, seed=place, n_in=n_in)
    y = targets_for(loss, rng, rows, n_out)
    network.learn_labels(y)
    weights = rng.uniform(0.1, 2, size=rows) if rng.integers(2) else None
    return Problem(network, rng.normal(size=(rows, n_in)), y, weights, network.draw_masks(rows))


def check_problems(folder: Path, problems: Sequence[Problem]) -> None:
    """Compare gradients, predictions and objectives with those of the reference engine."""
    for problem, found in zip(problems, run(folder, [problem.case() for problem in problems]), strict=True):
        assert not isinstance(found, Exception), found
        expected = problem.gradients()
        largest = max(np.abs(value).max() for name, value in expected.items() if name != "J")
        for name, value in expected.items():
            # A bias before a BatchNorm has the gradient 0: what is there is rounding, relative to all gradients.
            atol = max(1e-12 * np.abs(value).max(), 1e-14 * largest)
            np.testing.assert_allclose(found["gradients"][name], value, rtol=0, atol=atol, err_msg=name)
        p = problem.network.outputs(problem.X, engine="reference")
        np.testing.assert_allclose(found["p"], p, rtol=1e-12, atol=1e-14)
        assert found["J"] == pytest.approx(problem.objective(), rel=1e-12)
        check_predictions(problem, found["predicted"])


def check_predictions(problem: Problem, found: Any) -> None:
    """Compare labels exactly, and numbers up to rounding."""
    expected = problem.network.predict(problem.X)
    if problem.network.targets.is_classification:
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@needs_node
def test_gradients_and_predictions_equal_those_of_the_reference_engine(tmp_path):
    check_problems(tmp_path, [random_problem(place) for place in range(10)])


@needs_node
@pytest.mark.slow
def test_gradients_and_predictions_equal_those_of_100_random_networks(tmp_path):
    problems = [random_problem(place) for place in range(100)]
    layers = [layer for problem in problems for layer in problem.network.layers]
    assert {type(layer).__name__ for layer in layers} == LAYERS.keys()
    assert {layer.activation_function.name for layer in layers} == ACTIVATIONS.keys()
    assert {type(problem.network.loss).__name__ for problem in problems} == LOSSES.keys()
    check_problems(tmp_path, problems)


# -- training ---------------------------------------------------------------------------------


def rate(t):
    """is a learning rate with a branch"""
    if t < 3:
        return 0.1
    return 0.1 / t


TRAININGS: dict[str, tuple[Part, dict[str, Any]]] = {
    **{name: (kind(0.02), {}) for name, kind in OPTIMIZERS.items()},
    "clipped by norm": (Chain(ClipByNorm(0.1), Decay(0.03), Adam(0.01)), {"batch_size": 8, "shuffle": False}),
    "clipped by value": (Chain(ClipByValue(0.01), SGD(0.5)), {"batch_size": None}),
    "frozen": (Chain(Freeze("b1", "W2"), Adam(0.01)), {"running_loss": True}),
    "Constant": (SGD(Constant(0.1)), {}),
    "Step": (SGD(Step(0.1, every=3)), {}),
    "Exponential": (SGD(Exponential(0.1, factor=0.9)), {}),
    "InverseScaling": (SGD(InverseScaling(0.1, power=0.7, scale=3)), {}),
    "Cosine": (SGD(Cosine(0.1, steps=7, end=0.01)), {}),
    "CosineLog": (SGD(CosineLog(0.1, steps=7)), {}),
    "FlatCosine": (SGD(FlatCosine(0.1, steps=7)), {}),
    "WarmUp": (SGD(WarmUp(Cosine(0.1, steps=7), steps=4)), {}),
    "OnPlateau": (SGD(OnPlateau(0.5, patience=0, min_delta=0.1, min_lr=0.1)), {}),
    "own schedule": (SGD(rate), {}),
    "weights of rows": (Adam(0.01), {"sample_weight": np.linspace(0, 2, len(X)), "class_weight": "balanced"}),
}


def network_to_train() -> Network:
    """A network with every kind of layer."""
    layers = [Dense(4, "tanh"), Dropout(0.2), Dense(3, "gelu"), BatchNorm("relu"), Dense(2)]
    return Network(layers, loss=CrossEntropy(label_smoothing=0.1), regularizer=REGULARIZERS["L2"](0.01), seed=0)


WITH_ALL_LAYERS = ("AdamW", "Nesterov", "clipped by norm", "weights of rows")


def small_network() -> Network:
    """A network whose module is short."""
    return Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)


def check_training(network: Network, history: Any, found: Any) -> None:
    """Compare the values and the history of a training with those of the reference engine."""
    assert not isinstance(found, Exception), found
    np.testing.assert_allclose(found["history"]["loss"], history["loss"], rtol=1e-9)
    np.testing.assert_allclose(found["history"]["lr"], history["lr"], rtol=1e-12)
    for name, value in {**network.parameters, **network.statistics}.items():
        np.testing.assert_allclose(found["values"][name], value, rtol=1e-9, atol=1e-10, err_msg=name)


@needs_node
def test_trainings_equal_those_of_the_reference_engine(tmp_path):
    """With every optimizer, clipping, decay, schedule and layer; orders and masks are those of ``fit``."""
    assert {*OPTIMIZERS, *SCHEDULES} <= TRAININGS.keys()
    trained, cases = [], []
    for name, (optimizer, settings) in TRAININGS.items():
        settings = {"epochs": 4, "batch_size": 8, **settings}
        network = network_to_train() if name in WITH_ALL_LAYERS else small_network()
        text = network.build(2).script(language="javascript", optimizer=optimizer, data=(X, Y), **settings)
        cases.append(Case("const { values, history } = m.train(); return { values, history };", text))
        trained.append((network, network.fit(X, Y, optimizer=optimizer, engine="reference", **settings)))
    for (network, history), found in zip(trained, run(tmp_path, cases), strict=True):
        check_training(network, history, found)


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_long_trainings_equal_those_of_the_reference_engine(loss, tmp_path):
    kind = LOSSES[loss]()
    rng = np.random.default_rng(0)
    rows, n_out = rng.normal(size=(60, 3)), 2
    y = targets_for(kind, rng, 60, n_out)
    network = Network([Dense(5, "tanh"), Dropout(0.1), Dense(n_out)], loss=kind, seed=1, n_in=3)
    settings: dict[str, Any] = {"optimizer": Adam(0.01), "epochs": 50, "batch_size": 16}
    text = network.script(language="javascript", data=(rows, y), **settings)
    found = run_one(tmp_path, text, "const { values, history } = m.train(); return { values, history };")
    check_training(network, network.fit(rows, y, engine="reference", **settings), found)


@needs_node
def test_orders_and_masks_can_be_handed_in(tmp_path):
    network = network_to_train().build(2)
    recipe = Recipe(Adam(0.01), epochs=3, batch_size=10)
    recorded = record(network, X, Y, recipe)
    text = network.script(language="javascript", optimizer=recipe.optimizer, epochs=100, batch_size=10)
    code = (
        "const seen = [];"
        "const { order, masks, X, y } = given;"
        "const handed = { X, y, epochs: 3, order: (epoch) => order[epoch], masks: (step) => masks[step] };"
        "const { values, history } = m.train({ ...handed, onEpoch: ({ epoch }) => { seen.push(epoch); } });"
        "const stopped = m.train({ ...handed, order, masks, onEpoch: ({ epoch }) => epoch < 2 }).history.loss;"
        "const whole = []; for (const one of m.epochs({ ...handed })) whole.push(one.loss);"
        "const validated = m.train({ ...handed, validation: { X, y } }).history.val_loss;"
        "return { values, history, seen, stopped, whole, validated };"
    )
    given = {"order": recorded.order, "masks": recorded.masks, "X": X, "y": Y}
    found = run_one(tmp_path, text, code, **given)
    history = network.fit(
        X, Y, optimizer=recipe.optimizer, epochs=3, batch_size=10, validation=(X, Y), engine="reference"
    )
    check_training(network, history, found)
    assert found["seen"] == [1, 2, 3]
    assert found["stopped"] == found["history"]["loss"][:2]
    assert found["whole"] == found["history"]["loss"]
    np.testing.assert_allclose(found["validated"], history["val_loss"], rtol=1e-9)


@needs_node
def test_a_training_draws_its_own_orders_and_masks(tmp_path):
    """Without orders and masks they are random, by a function that may be handed in."""
    text = network_to_train().build(2).script(language="javascript", optimizer=Adam(0.05), epochs=60, batch_size=10)
    code = (
        "let state = 1; const random = () => (state = (state * 16807) % 2147483647) / 2147483647;"
        "const { values, history } = m.train({ ...given, random });"
        "const orders = [0, 1, 2].map(() => np.permutation(20, random));"
        "const { mask1 } = m.drawMasks(500, random);"
        "const right = m.predict(given.X, values).filter((label, row) => label === given.y[row]).length;"
        "return { right, orders, share: np.mean(np.equal(mask1, 0)), other: np.max(mask1) };"
    )
    found = run_one(tmp_path, text, code, X=X, y=Y)
    assert found["right"] >= 25
    assert all(sorted(order) == list(range(20)) for order in found["orders"])
    assert found["orders"][0] != found["orders"][1]
    assert found["share"] == pytest.approx(0.2, abs=0.03)
    assert found["other"] == 1.25


@needs_node
def test_one_step_and_its_trace(tmp_path):
    network = network_to_train().build(2)
    masks = network.draw_masks(5)
    rows, targets = X[:5], np.eye(2)[Y[:5]]
    text = network.script(language="javascript", optimizer=Adam(0.1), weights="inline")
    code = (
        "const { X, y, masks } = given;"
        "const { values, J, trace } = m.step(m.start(), { X: np.array(X), y: np.array(y), lr: 0.1, t: 1, masks });"
        "return { values, J, trace, gradients: m.gradients(X, y, { masks }), whole: m.trace(X, y, { masks }) };"
    )
    found = run_one(tmp_path, text, code, X=rows, y=targets, masks=masks)
    program = network.program(Adam(0.1))
    names = [statement.target for statement in program.statements]
    values = {**network.start_values(program), **masks, "X": rows, "y": targets, "n": 5, "lr": 0.1, "t": 1}
    expected = dict(zip(names, Runner(program, names, "step")(values), strict=True))
    assert found["trace"].keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found["trace"][name], value, rtol=1e-9, atol=1e-12, err_msg=name)
    assert found["values"].keys() == set(program.carried)
    assert found["whole"].keys() == {s.target for s in program.statements if s.stage != "update"}
    np.testing.assert_allclose(found["gradients"]["dW1"], expected["dW1"], rtol=1e-9)


@needs_node
def test_training_that_diverges_names_the_first_value(tmp_path):
    network = Network([Dense(1)], loss="SquaredError", n_in=1, seed=0)
    text = network.script(language="javascript", optimizer=SGD(1e200), epochs=5, batch_size=None)
    with pytest.raises(RuntimeError, match=r"training diverged: in step 2, \w+ is not finite"):
        run_one(tmp_path, text, "return m.train({ X: [[1], [2]], y: [3, 4] });")


# -- array operations -------------------------------------------------------------------------


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, -2.5, 3.0, -3.7, 1e-300, 1e300, 40.0, -745.5, np.inf, -np.inf, np.nan]
IN_NUMPY = {"variance": "var", "total": "", "transpose": "", "len": "", "item": "", "column": "", "array": ""}
REDUCED = ("sum", "mean", "variance", "std", "prod", "max", "min", "argmax", "argmin", "any", "all", "count_nonzero")


def compared(name: str, found: Any, expected: Any) -> None:
    """Compare with NumPy, with NaN and infinities in the same places."""
    np.testing.assert_allclose(np.array(found, dtype=float), np.asarray(expected, dtype=float), 1e-14, 0, err_msg=name)


def elementwise() -> dict[str, int]:
    """The functions of each entry, with their number of arguments."""
    other = {*REDUCED, *IN_NUMPY, "full", "matmul", "reshape", "hstack", "take", "truth", "range", "uniform", "size",
             "permutation", "shape", "ndarray", "isArray", "from_base64", "tolist", "as_column",
             "full_like"}  # fmt: skip
    return {name: arity[0] for name, arity in array_functions().items() if name not in other}


@needs_node
def test_array_functions_equal_those_of_numpy(tmp_path):
    names = elementwise()
    grid = {1: [SPECIAL], 2: np.repeat(SPECIAL, len(SPECIAL)), 3: []}
    pairs = np.array([(a, b) for a in SPECIAL for b in SPECIAL])
    triples = np.array([(a, b, c) for a in SPECIAL for b in (-1.0, np.nan, 0.5) for c in (np.inf, 2.0)])
    arguments = {1: [np.array(SPECIAL)], 2: list(pairs.T), 3: list(triples.T)}
    texts = {count: [[str(x).replace("inf", "Infinity") for x in column] for column in columns]
             for count, columns in arguments.items()}  # fmt: skip
    assert grid[1]
    code = (
        "const read = (list) => np.array(list.map((text) => (text === 'nan' ? NaN : Number(text))));"
        "return Object.fromEntries(Object.entries(given.names).map("
        "([name, count]) => [name, np[name](...given.texts[count].map(read))]));"
    )
    found = run_one(tmp_path, None, code, names=names, texts=texts)
    assert len(found) > 45
    with np.errstate(all="ignore"):
        for name, count in names.items():
            compared(name, found[name], getattr(np, name)(*arguments[count]))


@needs_node
def test_sums_shapes_and_products_equal_those_of_numpy(tmp_path):
    rng = np.random.default_rng(0)
    table, row, special = rng.normal(size=(7, 300)), rng.normal(size=300), np.array([[1.0, np.nan], [np.inf, 2.0]])
    axes: list[dict[str, Any]] = [{}, {"axis": 0}, {"axis": 1}, {"axis": -1}, {"axis": 1, "keepdims": True},
                                  {"axis": 0, "keepdims": True}, {"keepdims": True}]  # fmt: skip
    code = (
        "const special = np.array([[1, NaN], [Infinity, 2]]), table = np.array(given.table), row = np.array(given.row);"
        "const of = (a, axes) => given.names.map((name) => axes.map((along) => np[name](a, along)));"
        "return { table: of(table, given.axes), row: of(row, [{}, { axis: 0 }]), special: of(special, given.axes),"
        " products: [np.matmul(table, np.transpose(table)), np.matmul(table, row), np.matmul(row, row),"
        " np.matmul(row, np.transpose(table)), np.matmul(special, special)],"
        " sums: [np.add(table, row), np.add(table, np.column(table, 1).data.length), np.add(row, row),"
        " np.multiply(np.as_column(np.column(table, 2)), row), np.take(table, [3, 3, 0]), np.item(table, -1),"
        " np.reshape(table, -1, 3), np.hstack([table, np.as_column(np.column(table, 0))])] };"
    )
    found = run_one(tmp_path, None, code, table=table, row=row, names=REDUCED, axes=axes)
    with np.errstate(all="ignore"):
        for array, kinds, key in ((table, axes, "table"), (row, axes[:2], "row"), (special, axes, "special")):
            for name, results in zip(REDUCED, found[key], strict=True):
                for along, result in zip(kinds, results, strict=True):
                    expected = getattr(np, IN_NUMPY.get(name, name))(array, **along)
                    np.testing.assert_allclose(np.array(result, float), np.asarray(expected, float), 1e-12, 1e-13, name)
    with np.errstate(all="ignore"):
        products = [table @ table.T, table @ row, row @ row, row @ table.T, special @ special]
    column = table[:, 2]
    sums = [table + row, table + 7, row + row, column[:, None] * row, table[[3, 3, 0]], table[-1],
            table.reshape(-1, 3), np.hstack([table, table[:, :1]])]  # fmt: skip
    for result, expected in zip([*found["products"], *found["sums"]], [*products, *sums], strict=True):
        np.testing.assert_allclose(np.array(result, float), expected, rtol=1e-12, atol=1e-12)


@needs_node
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("np.add(np.array([1, 2]), np.array([1, 2, 3]))", r"the shapes \(2\) and \(3\) do not fit together"),
        ("np.matmul(np.array([[1, 2]]), np.array([[1, 2]]))", r"\(1,2\) and \(1,2\) do not fit together in a product"),
        ("np.array([[1, 2], [3]])", "row 1 has 1 columns; the first has 2"),
        ("np.array([1, null])", "expected numbers, but got null"),
        ("np.array(undefined)", "expected an array or nested lists, but got undefined"),
        ("np.sum(np.array([1]), { axis: 1 })", "there is no axis 1"),
        ("np.max(np.array([]))", "there is no maximum of no entries"),
        ("np.truth(np.array([1, 2]))", "ambiguous"),
        ("np.subtract(np.array([true]), np.array([false]))", "does not subtract booleans"),
        ("np.item(np.array([1, 2]), 2)", "there is no index 2"),
    ],
)
def test_array_functions_refuse_what_numpy_refuses(code, message, tmp_path):
    with pytest.raises(RuntimeError, match=message):
        run_one(tmp_path, None, f"return {code};")


# -- own formulas -----------------------------------------------------------------------------


def wave(z):
    """is a wave"""
    return np.sin(z) ** 3 + 0.5 * np.power(np.abs(z), 1.5)


def wave_derivative(z):
    return 3 * np.sin(z) ** 2 * np.cos(z) + 0.75 * np.sign(z) * np.sqrt(np.abs(z))


COEFFICIENTS = (0.5, 0.25, 0.125)


def polynomial(z):
    """is a polynomial, in Horner's form"""
    total = 0 * z
    for coefficient in COEFFICIENTS:
        total = total * z + coefficient
    return total * z


def polynomial_derivative(z):
    new, power = 0 * z, 1
    for place in range(len(COEFFICIENTS), 0, -1):
        if place > 3 or place < 1:
            break
        new += place * COEFFICIENTS[len(COEFFICIENTS) - place] * power_of(z, place - 1)
    return new if power else -new


def power_of(x, exponent):
    """is a power by repeated products"""
    result, count = np.ones_like(x), 0
    while count < exponent:
        result = result * x
        count += 1
    return result


def squashed(z):
    return sum([np.tanh(z) for _ in range(2)]) / 2


def squashed_derivative(a):
    return 1 - a**2


OWN = {
    "one expression": Activation("wave", wave, wave_derivative),
    "loops and branches": Activation("polynomial", polynomial, polynomial_derivative),
    "a function of NumPy": Activation("sin", np.sin, np.cos),
    "a comprehension": Activation("squashed", squashed, squashed_derivative),
}


@needs_node
def test_own_activations_are_translated(tmp_path):
    rng = np.random.default_rng(0)
    problems = []
    for activation in OWN.values():
        network = Network([Dense(3, activation), Dense(2)], loss="SquaredError", seed=0, n_in=2)
        problems.append(Problem(network, rng.normal(size=(5, 2)), rng.normal(size=(5, 2)), None, {}))
    check_problems(tmp_path, problems)


@needs_node
def test_edited_statements_are_those_of_the_module(tmp_path):
    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    wrong = network.replacing("db1", "dz1.max(axis=0)")
    check_problems(tmp_path, [Problem(wrong, X[:6], Y[:6], None, {})])


@needs_node
def test_names_that_javascript_reserves(tmp_path):
    def new(z, delete):
        let = z * delete
        return let + np.abs(let)

    def new_derivative(z, delete):
        return delete * (1 + np.sign(z))

    activation = Activation("new", new, new_derivative, constants={"delete": 0.5})
    network = Network([Dense(3, activation), Dense(2)], loss="SquaredError", seed=0, n_in=2)
    check_problems(tmp_path, [Problem(network, X[:5], np.eye(2)[Y[:5]], None, {})])


def ranks(z):
    return z.argsort(axis=1)


def printed(z):
    for row in z:
        print(row)
    return z


def opened(z):
    with np.errstate(all="ignore"):
        return 1 / z


def flat(z):
    return 0 * z


@pytest.mark.parametrize(
    ("function", "named"), [(ranks, "argsort"), (printed, "print"), (opened, "with np.errstate"), (np.fft.fft, "fft")]
)
def test_what_has_no_counterpart_is_refused_by_name(function, named):
    network = Network([Dense(3, Activation("odd", function, flat)), Dense(1)], loss="SquaredError", n_in=2)
    with pytest.raises(ProgramError, match=re.escape(named)):
        network.script(language="javascript")


# -- labels and tables ------------------------------------------------------------------------


@needs_node
@pytest.mark.parametrize("kind", ["text", "whole numbers", "large numbers", "booleans"])
def test_labels_are_those_of_the_data(kind, tmp_path):
    labels: dict[str, Any] = {
        "text": np.array(sorted(HOSTILE.values())[:3]),
        "whole numbers": np.array([3, 5, 9]),
        "large numbers": np.array([2**60, 2**60 + 1, 2**63 - 1]),
        "booleans": np.array([False, True]),
    }
    known = labels[kind]
    y = known[np.arange(30) % len(known)]
    loss, n_out = (BinaryCrossEntropy(), 1) if kind == "booleans" else (CrossEntropy(), 3)
    network = Network([Dense(3, "tanh"), Dense(n_out)], loss=loss, seed=0, n_in=2)
    network.learn_labels(y)
    text = network.script(language="javascript", weights="inline")
    found = run_one(
        tmp_path,
        text,
        "return { predicted: m.predict(given.X), classes: m.classes, targets: m.encode(m.classes) };",
        X=X,
    )
    assert found["classes"] == known.tolist()
    assert found["predicted"] == network.predict(X).tolist()
    assert found["targets"] == network.targets.encode(known, np.float64).tolist()


@needs_node
def test_texts_from_data_cannot_leave_their_string(tmp_path):
    """Labels, names of columns, categories and activations: no script ends, no code runs."""
    hostile = [
        *HOSTILE.values(),
        "`${globalThis.broken = 1}`",
        "</ScRiPt><script>",
        "<!--",
        "*/ globalThis.broken = 1; /*",
    ]
    names = sorted({*hostile})
    activation = Activation("\n*/ globalThis.broken = 1; // </script>", wave, wave_derivative)
    network = Network([Dense(3, activation), Dense(len(names))], loss=CrossEntropy(), seed=0, n_in=2)
    network.learn_labels(np.array(names))
    text = network.script(language="javascript", weights="inline")
    assert not re.search(r"</script|<!--|<script", text, re.IGNORECASE)
    assert not re.search("[\u2028\u2029\r]", text)
    found = run_one(tmp_path, text, "return { classes: m.classes, broken: globalThis.broken ?? null };")
    assert found == {"classes": network.classes.tolist(), "broken": None}


@needs_node
@pytest.mark.parametrize("impute", [True, False])
def test_a_network_of_a_table_predicts_tables(impute, tmp_path):
    """Gaps are filled; without ``impute``, they are also marked."""
    pytest.importorskip("polars")
    from workings.tables import Preprocessing, read_table

    path = tmp_path / "data.csv"
    rows = [f"{i % 7 if i != 3 else ''},{['a</script>', 'b', 'c'][i % 3]},{i * 1.5}" for i in range(30)]
    path.write_text("\n".join(['"si""ze",kind,price', *rows]), encoding="utf-8")
    frame = read_table(path)
    learned = Preprocessing.learn(frame, "price", impute=impute)
    network = Network([Dense(4, "tanh"), Dense(1)], loss="SquaredError", seed=0, n_in=learned.n_features)
    network.preprocessing = learned.to_dict()
    table = {'si"ze': [1.0, None, 3.0, ""], "kind": ["c", "a</script>", " b ", "b"]}
    text = network.script(language="javascript", weights="inline")
    code = "return { X: m.features(given.table), predicted: m.predictTable(given.table) };"
    found = run_one(tmp_path, text, code, table=table)
    np.testing.assert_allclose(found["X"], network.encode_table(table)[0], rtol=1e-12)
    np.testing.assert_allclose(found["predicted"], network.predict(table), rtol=1e-12)
    for broken, message in (
        ({"kind": ["b"]}, "no column"),
        ({'si"ze': [1.0], "kind": ["d"]}, "unknown category in row 0"),
    ):
        with pytest.raises(RuntimeError, match=message):
            run_one(tmp_path, text, "return m.features(given.table);", table=broken)


@needs_node
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("m.predict([[1, 2, 3]])", r"X has shape \(1,3\), but this network takes rows of shape \(n, 2\)"),
        ("m.predict([1, 2])", r"X has shape \(2\)"),
        ("m.gradients(given.X, given.y, { masks: {} })", "hand in the random values mask1"),
        ("m.train({ X: given.X, y: given.y.slice(1) })", "X has 30 rows, but y has 29"),
        ("m.train({ X: given.X, y: given.y, order: [[0]] })", "the order of epoch 0 must hold 30 row numbers"),
        ("m.train({ X: given.X, y: given.y.map(() => 7) })", "y has 7 at row 0; the labels are 0, 1"),
        ("m.train({ X: given.X, y: given.y, batchSize: 29 })", "the last batch has 1 rows, but a layer needs 2"),
        ("m.train({ X: given.X, y: given.y, w: given.y })", "written without weights of rows"),
    ],
)
def test_wrong_input_is_refused_in_words(code, message, tmp_path):
    text = network_to_train().build(2).script(language="javascript", optimizer=SGD(0.1), batch_size=10)
    with pytest.raises(RuntimeError, match=message):
        run_one(tmp_path, text, f"return {code};", X=X, y=Y)


# -- the file ---------------------------------------------------------------------------------


def test_the_module_is_small():
    network = Network(
        [Dense(32, "relu"), Dropout(0.2), BatchNorm("gelu"), Dense(32, "selu"), Dense(10)],
        loss=CrossEntropy(), seed=0, n_in=64,
    )  # fmt: skip
    text = network.script(language="javascript", optimizer=Chain(ClipByNorm(1.0), Adam(0.01)))
    assert len(text.encode()) < 250_000
    assert len(arrays_text().encode()) < 25_000


@needs_node
def test_the_seed_gives_the_initial_weights_of_a_trained_network(tmp_path):
    network, other = (Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=7) for _ in range(2))
    network.fit(X, Y, optimizer=SGD(0.1), epochs=2)
    settings: dict[str, Any] = {"language": "javascript", "optimizer": SGD(0.1)}
    first, current = (network.script(**settings, weights=weights) for weights in ("seed", "inline"))
    other.build(2)
    found = run(tmp_path, [Case("return m.weights;", text) for text in (first, current)])
    for name, value in network.parameters.items():
        np.testing.assert_array_equal(found[0][name], other.parameters[name])
        np.testing.assert_array_equal(found[1][name], value)


@needs_node
def test_large_weights_keep_their_bits(tmp_path):
    network = Network([Dense(50), Dense(2)], loss="SquaredError", seed=0, n_in=100)
    text = network.script(language="javascript", weights="inline")
    assert "np.from_base64([100, 50]" in text
    np.testing.assert_array_equal(run_one(tmp_path, text, "return m.weights.W1;"), network.parameters["W1"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"language": "fortran"}, "Unknown language 'fortran'.*Known: python, javascript"),
        ({"language": "Javascript "}, "Did you mean 'javascript'"),
        ({"optimizer": LBFGS()}, "L-BFGS"),
        ({"optimizer": SGD(0.1), "callbacks": [EarlyStopping()]}, "does not support EarlyStopping"),
        ({"optimizer": SGD(0.1), "validation": 0.2}, "validation"),
        ({"optimizer": SGD(0.1), "metrics": ["accuracy"]}, "metrics"),
        ({"optimizer": SGD(0.1), "data_file": "data.npz"}, "data_file"),
        ({"optimizer": SGD(0.1), "data": "table.csv"}, "table.csv"),
        ({"optimizer": SGD(0.1), "weights": "file"}, "weights must be"),
        ({"optimizer": SGD(0.1), "epochs": 0}, "epochs"),
        ({"optimizer": SGD(0.1), "data": (X, Y), "epochs": 1_000, "batch_size": 8}, "numbers, too many for a module"),
        ({"optimizer": SGD(OnPlateau(0.1, monitor="val_accuracy"))}, "cannot follow 'val_accuracy'"),
    ],
)
def test_settings_that_a_module_cannot_have_are_refused_by_name(settings, message):
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    with pytest.raises(InputError, match=message):
        network.script(**{"language": "javascript", **settings})


def test_python_is_the_default():
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    assert network.script() == network.script(language="python")
    assert network.script(language="javascript", optimizer=SGD(0.1), callbacks=[Progress()])
    with pytest.raises(InputError, match="number of columns of X is unknown"):
        Network([Dense(2)], loss=CrossEntropy()).script(language="javascript")


def test_the_command_writes_a_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    network.save("model.safetensors")
    runner = CliRunner()
    result = runner.invoke(app, ["script", "model.safetensors", "--language", "javascript", "--out", "net.mjs"])
    assert result.exit_code == 0, result.output
    loaded = Network.load("model.safetensors")
    assert Path("net.mjs").read_text(encoding="utf-8") == loaded.script(language="javascript")
    printed = runner.invoke(app, ["script", "xor", "--language", "javascript"])
    assert "export function train(" in printed.stdout
    refused = runner.invoke(app, ["script", "xor", "--language", "java"])
    assert refused.exit_code == 2
    assert "Unknown language 'java'" in " ".join(refused.output.split())
