"""The playground without a server: the browser composes the same statements as Python, and trains with them."""

from __future__ import annotations

import base64
import functools
import http.server
import io
import json
import random
import re
import shutil
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from workings import Dense, Huber, Network
from workings.activations import ACTIVATIONS
from workings.checks.curvature import sharpness
from workings.cli.commands import app
from workings.engines.reference import Runner
from workings.files.safetensors import load
from workings.losses import LOSSES
from workings.model.model import Model
from workings.optimizers import OPTIMIZERS
from workings.play import session as python_session
from workings.play.exports import exported, opened
from workings.play.messages import ACTIONS
from workings.play.offline.site import FIRST_FILES, IMAGES, ROWS, TABLES, available, schedule_code, write_site
from workings.play.play_data import GENERATED
from workings.play.session_settings import REGULARIZERS, SCHEDULES, LayerSettings, Settings
from workings.play.tables import LOADERS, table_at
from workings.plots.landscapes import axis_around, losses_over, principal_directions
from workings.program.program import Program
from workings.program.step import inference_program, step_program
from workings.readings.influence import influence

NODE = shutil.which("node")


class SilentHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files, without a log."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")


def site_in(folder: Path) -> Path:
    """Write the static files into a folder, so that Node can run them; return the folder."""
    write_site(folder)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The static files."""
    return site_in(tmp_path_factory.mktemp("site"))


def run(site: Path, code: str, **given: Any) -> Any:
    """Run JavaScript in the folder of the site; ``result`` is returned."""
    (site / "given.json").write_text(json.dumps(given))
    start = 'import fs from "node:fs";\nconst given = JSON.parse(fs.readFileSync("given.json", "utf8"));\nlet result;\n'
    (site / "run.js").write_text(f'{start}{code}\nfs.writeFileSync("result.json", JSON.stringify(result));\n')
    done = subprocess.run([str(NODE), "run.js"], cwd=site, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads((site / "result.json").read_text())


# -- statements -------------------------------------------------------------------------------


def random_settings(chance: random.Random) -> Settings:
    """Settings with zero to four hidden layers."""
    hidden = tuple(
        LayerSettings(
            chance.randint(1, 6), chance.choice(sorted(ACTIVATIONS)), chance.choice([0.0, 0.3]), chance.random() < 0.3
        )
        for _ in range(chance.randint(0, 4))
    )
    return Settings(
        hidden=hidden, loss=chance.choice(sorted(LOSSES)), optimizer=chance.choice(sorted(OPTIMIZERS)),
        schedule=chance.choice(SCHEDULES), regularizer=chance.choice(["", *REGULARIZERS]), lam=0.001,
    )  # fmt: skip


def programs_of(settings: Settings) -> list[Program]:
    """A step, its forward and backward pass, and a prediction."""
    parts = settings.layers(2), settings.make_loss(""), [r for r in [settings.make_regularizer()] if r is not None]
    return [step_program(*parts, settings.make_optimizer()), step_program(*parts), inference_program(*parts)]


COMPOSE = """
import { described } from "./training.js";
import { stepProgram, inferenceProgram } from "./program.js";
result = given.settings.map((settings) => {
  const network = described(settings, 2, settings.loss);
  const programs = [stepProgram(network), stepProgram({ ...network, optimizer: null }), inferenceProgram(network)];
  const [{ parameters, states, statistics, draws, constants }] = programs;
  return { names: [parameters, states, statistics, draws, constants],
    statements: programs.map(({ statements }) => statements.map((s) => [s.target, s.code, s.stage, s.part, s.words])) };
});
"""


def check_statements(site: Path, count: int) -> None:
    """Compare all statements, their words, parts and names with those of Python."""
    chance = random.Random(0)
    settings = [random_settings(chance) for _ in range(count)]
    found = run(site, COMPOSE, settings=[one.to_json() for one in settings])
    for one, composed in zip(settings, found, strict=True):
        programs = programs_of(one)
        for program, statements in zip(programs, composed["statements"], strict=True):
            assert statements == [[s.target, s.expression, s.stage, s.part, s.words] for s in program.statements]
        step = programs[0]
        names = [list(step.parameters), list(step.states), list(step.statistics), list(step.draws), step.constants]
        assert composed["names"] == names


def test_the_browser_composes_the_statements_of_python(site):
    check_statements(site, 10)


@pytest.mark.slow
def test_the_browser_composes_the_statements_of_100_networks(site):
    check_statements(site, 100)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_learning_rates_are_those_of_python(schedule, site):
    settings = Settings(lr=0.3, schedule=schedule, schedule_steps=7)
    rate = settings.make_optimizer().schedule
    code = 'import { rates } from "./formulas.js";\nresult = [0, 1, 6, 7, 20].map((t) => rates[given.name](t, 0.3, 7));'
    np.testing.assert_allclose(run(site, code, name=schedule), [rate(t) for t in (0, 1, 6, 7, 20)], rtol=1e-12)
    assert not re.search(r"\d{5}", schedule_code(schedule))


# -- training ---------------------------------------------------------------------------------


SESSION = """
import * as np from "./arrays.js";
import { Session } from "./session.js";
import { entryTree } from "./entries.js";
import { valueOf } from "./syntax.js";
import { loadData } from "./data.js";
import { generated } from "./settings.js";
await Promise.all(Object.keys(generated).map(loadData));
const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
"""


def test_the_data_are_those_of_python(site):
    """With the noise that is asked for, for every generated set; they are stored in float32."""
    code = f"""{SESSION}
    import {{ makeData }} from "./data.js";
    import {{ first }} from "./settings.js";
    result = given.names.map((name) => {{
      const {{ raw, y }} = makeData({{ ...first, data: name, noise: 0.3, rows: {ROWS} }});
      return np.tolist(raw).map((row, k) => [...row, y[k]]);
    }});"""
    for name, rows in zip(GENERATED, run(site, code, names=list(GENERATED)), strict=True):
        X, y = GENERATED[name].make(ROWS, 0.3, 0)
        expected = np.column_stack([X, y])
        found, wanted = (np.array(sorted(np.round(one, 4).tolist())) for one in (np.array(rows), expected))
        np.testing.assert_allclose(found, wanted, atol=2e-4)


@pytest.mark.parametrize("place", range(3))
def test_steps_are_those_of_the_reference_engine(place, site):
    """Each step, with its masks, and the objective, the score and a heat map afterwards."""
    settings = random_settings(random.Random(place))
    settings = replace(settings, data="blobs", loss="CrossEntropy", batch_size=40)
    code = f"""{SESSION}
    const session = new Session(given.settings);
    const trained = session.run, list = (values) => Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, np.isArray(value) ? np.tolist(value) : value]));
    const start = list(trained.values), steps = [];
    for (let step = 0; step < 3; step += 1) {{
      const inputs = list(trained.peek());
      session.advance({{ steps: 1 }});
      steps.push({{ inputs, after: list(trained.values) }});
    }}
    result = {{ start, steps, stopped: trained.stopped, measured: session.frame().measured,
      X: np.tolist(trained.rows.X), y: np.tolist(trained.rows.y) }};"""
    found = run(site, code, settings=settings.to_json())
    assert found["stopped"] == ""
    model = Model(
        settings.layers(3), loss=settings.make_loss(""), regularizer=settings.make_regularizer(), seed=0, n_in=2
    )  # fmt: skip
    program = model.step_program(settings.make_optimizer())
    runner = Runner(program, list(program.carried), "step")
    for step in found["steps"]:
        given = {name: np.array(value) if isinstance(value, list) else value for name, value in step["inputs"].items()}
        for name, value in zip(program.carried, runner(given), strict=True):
            np.testing.assert_allclose(step["after"][name], value, rtol=1e-9, atol=1e-11, err_msg=name)
    last = {name: np.array(value) for name, value in found["steps"][-1]["after"].items()}
    model.set_values(last)
    J, p = model.measure(np.array(found["X"]), np.array(found["y"]), None)
    assert found["measured"][0] == pytest.approx(J, rel=1e-9)
    assert found["measured"][1] == pytest.approx(model.targets.score(np.array(found["y"]), p, None), rel=1e-9)


def test_initial_weights_have_the_spread_of_python(site):
    settings = Settings(hidden=(LayerSettings(64, "relu"), LayerSettings(64, "tanh"), LayerSettings(64, "selu")))
    code = f"""{SESSION}
    const {{ values }} = new Session(given.settings).run;
    result = Object.fromEntries(["W2", "W3"].map((name) => [name, np.tolist(values[name])]));"""
    found = run(site, code, settings=settings.to_json())
    model = Model(settings.layers(1), loss="BinaryCrossEntropy", seed=0, n_in=2)
    for name, value in found.items():
        assert np.std(value) == pytest.approx(model.parameters[name].std(), rel=0.05)
        assert abs(np.mean(value)) < 0.01
    assert np.abs(found["W2"]).max() <= np.sqrt(6 / 128)


def test_a_session_answers_what_the_page_asks(site):
    """Travel, drag, inspection and refusals."""
    code = f"""{SESSION}
    const session = new Session(), seen = {{}};
    const hello = session.hello();
    seen.hello = Object.keys(hello);
    const before = session.advance({{ steps: 40 }}), later = session.advance({{ steps: 40 }});
    const back = session.travel({{ moment: 1 }});
    seen.travel = [before.step, later.step, back.step, back.weights.W1.data === before.weights.W1.data];
    const again = session.advance({{ steps: 40 }});
    seen.again = again.weights.W1.data === later.weights.W1.data;
    const weight = await session.weight({{ name: "W1", index: [0, 2] }});
    seen.weight = [weight.gradient, weight.slope, weight.J, weight.profile.J.length];
    const dragged = await session.set_weight({{ name: "W1", index: [0, 2], value: 1.5, final: true }});
    seen.dragged = [dragged.weight.value, dragged.details.entry, floats(dragged.frame.weights.W1.data)[2]];
    const outline = session.statement({{ index: 0, unit: 0 }}).outline;
    const all = outline.map((_, index) => session.statement({{ index, unit: 0 }}));
    const worth = ({{ tree }}, {{ index, index_shown: place }}) =>
      valueOf(entryTree(tree, place, session.walk.moments[index]), {{}});
    seen.statements = all.map((one, k) => [one.target, one.agrees, one.slope !== "", one.equation, one.entry, one.value,
      worth(session.walk.program.statements[k], one)]);
    seen.back = JSON.stringify(session.statement({{ index: 3, unit: 0 }})) === JSON.stringify(all[3]);
    seen.unit = (await session.unit({{ layer: 2, unit: 1 }})).statements.map((one) => one.target);
    seen.loss = (await session.loss()).statements.map((one) => one.target);
    seen.row = session.choose_row({{ row: 5 }});
    seen.configured = session.configure({{ settings: {{ data: "blobs", optimizer: "SGD" }} }}).network.outputs;
    const refusal = (settings) => {{
      try {{ session.configure({{ settings }}); return ""; }} catch (error) {{ return error.message; }}
    }};
    const drawn = session.add_point({{ x: 0.1, y: 0.2, target: 2 }});
    seen.drawn = [drawn.settings.data, drawn.data.rows, drawn.sets.at(-1).name, session.restart().step];
    seen.refused = given.refused.map(refusal);
    const alone = new Session(), pair = new Session();
    alone.advance({{ steps: 9 }});
    pair.advance({{ steps: 9 }});
    pair.keep();
    pair.configure({{ settings: {{ lr: 0.3 }} }});
    const both = pair.advance({{ steps: 5 }}), single = alone.advance({{ steps: 5 }});
    seen.pair = [both.other.weights.W1.data === single.weights.W1.data, both.weights.W1.data === single.weights.W1.data,
      pair.travel({{ moment: 1 }}).other.step, pair.swap().settings.lr, pair.other.settings.lr,
      pair.configure({{ settings: {{ data: "blobs" }} }}).frame.other.step, pair.other.data.name,
      pair.end_comparison().other];
    result = seen;"""
    refused = [{"loss": "Nothing"}, {"lr": -1}, {"data": "__proto__"}, {"features": []}, {"wrong": 1},
               {"data": "plane", "loss": "CrossEntropy"}]  # fmt: skip
    found = run(site, code, refused=refused)
    assert found["hello"] == ["version", "choices", "settings", "sets", "data", "network", "frame", "other"]
    assert found["travel"] == [40, 80, 40, True]
    assert found["again"]
    gradient, slope, _, points = found["weight"]
    assert slope == pytest.approx(gradient, rel=1e-6)
    assert points == 61
    assert found["dragged"] == [1.5, "W1[0,2]", 1.5]
    targets = [target for target, *_ in found["statements"]]
    assert targets[0] == "z1"
    assert all(agrees for _, agrees, *_ in found["statements"])
    assert sum(has_slope for _, _, has_slope, *_ in found["statements"]) >= 8
    for *_, equation, entry, shown, evaluated in found["statements"]:
        ElementTree.fromstring(equation)
        ElementTree.fromstring(entry)
        assert evaluated == pytest.approx(shown, rel=1e-9, abs=1e-12)
    assert found["unit"] == ["z2", "a2"]
    assert found["loss"][-1] == "J"
    assert found["row"]["row"] == 5
    assert len(found["configured"]) == 3
    assert found["back"]
    assert found["drawn"] == ["your points", 301, "your points", 0]
    assert all(found["refused"])
    assert found["pair"] == [True, False, 9, 0.03, 0.3, 0, "blobs", None]


@pytest.mark.parametrize("name", TABLES)
def test_tables_and_digits_are_those_of_python(name, site):
    """They are loaded when they are chosen; the network learns them, and a drawing has its activations."""
    if name not in available():
        pytest.skip("the extra 'sklearn' is not installed")
    code = f"""{SESSION}
    await loadData(given.name);
    const session = new Session(), settings = {{ data: given.name, hidden: [{{ units: 5 }}] }};
    const view = session.configure({{ settings }});
    const {{ data }} = view, {{ X }} = session.run.rows, before = session.frame().measured[0];
    result = {{
      data: {{ ...data, points: "", targets: "" }}, X: np.tolist(np.take(X, [0, 1, 2])), y: session.data.y,
      losses: [before, session.advance({{ steps: 200 }}).measured[0]],
    }};
    if (data.image_side) result.drawn = session.draw({{ pixels: Array(64).fill(0.5) }});
    else result.axes = session.choose_axes({{ first: 2, second: 1 }}).data.axes;
    try {{ session.add_point({{ x: 0, y: 0, target: 0 }}); }} catch (error) {{ result.refused = error.message; }}"""
    found = run(site, code, name=name)
    data = LOADERS[name]()
    count = len(found["y"])
    assert found["y"] == data.y[:count].tolist()
    assert found["data"]["columns"] == list(data.columns)
    assert found["data"]["classes"] == list(data.classes)
    assert np.array(found["X"]) == pytest.approx(data.inputs(data.raw)[:3], rel=1e-6, abs=1e-7)
    assert found["losses"][1] < 0.8 * found["losses"][0]
    assert "plane" in found["refused"]
    if data.side:
        assert count == IMAGES
        assert sum(found["drawn"]["output"]) == pytest.approx(1)
        assert len(found["drawn"]["units"][0]) == 5
    else:
        assert (count, found["axes"]) == (len(data.y), [2, 1])
    assert (site / f"data-{name}.js").stat().st_size < 250_000


@pytest.mark.parametrize("is_normed", [False, True])
def test_paths_are_those_of_python(is_normed, site):
    """Each path with what it adds to the gradient; all together are the gradient."""
    hidden = (LayerSettings(3, "tanh", 0.0, is_normed), LayerSettings(2, "relu", 0.3), LayerSettings(2, "gelu"))
    settings = Settings(hidden=hidden, data="blobs", loss="CrossEntropy", regularizer="L2", lam=0.1, rows=20)
    code = f"""{SESSION}
    import {{ Inspection }} from "./inspection.js";
    const session = new Session(given.settings), {{ given: values }} = await session.inspection();
    const list = Object.entries(values).map(([name, value]) => [name, np.isArray(value) ? np.tolist(value) : value]);
    const {{ why }} = await session.weight({{ name: "W1", index: [1, 2] }});
    result = {{ values: Object.fromEntries(list), why }};"""
    found = run(site, code, settings=settings.to_json())
    program = step_program(settings.layers(3), settings.make_loss(""), [REGULARIZERS["L2"](0.1)])
    values = {name: np.array(value) if isinstance(value, list) else value for name, value in found["values"].items()}
    expected = influence(program, values, "W1[1,2]", None)
    assert found["why"]["total"] == pytest.approx(expected.gradient, rel=1e-9)
    assert found["why"]["penalty"] == pytest.approx(expected.penalty, rel=1e-9)
    paths = {str(path).rpartition(":")[0]: path.adds for path in expected.paths}
    for path in found["why"]["paths"]:
        assert path["adds"] == pytest.approx(paths[path["path"]], rel=1e-8, abs=1e-15)
    assert len(found["why"]["paths"]) + found["why"]["more"] == sum(adds != 0 for adds in paths.values())


def test_the_session_has_the_actions_of_the_server(site):
    found = run(site, f"{SESSION}\nresult = [...Session.actions].filter((name) => name in Session.prototype);")
    assert sorted(found) == sorted(ACTIONS)


# -- landscape, files and code -----------------------------------------------------------------

SMALL = Settings(rows=60, hidden=(LayerSettings(3, "tanh"), LayerSettings(2, "relu", 0.0, True)), batch_size=0)


def python_model(settings: Settings, found: dict[str, Any], outputs: int) -> Model:
    """The model of a session in the browser, with its values."""
    model = Model(
        settings.layers(outputs), loss=settings.make_loss(""), regularizer=settings.make_regularizer(), seed=0, n_in=2
    )  # fmt: skip
    arrays = {name: np.array(found["values"][name]) for name in (*model.parameters, *model.statistics)}
    return model.place(2, arrays)


@pytest.mark.parametrize("directions", ["path", "random"])
def test_the_landscape_has_the_numbers_of_the_library(directions, site):
    settings = replace(SMALL, loss="BinaryCrossEntropy", regularizer="L2", lam=0.01)
    code = f"""{SESSION}
    import {{ Objective }} from "./landscape.js";
    const session = new Session(given.settings);
    for (let k = 0; k < 6; k += 1) session.advance({{ steps: 10 }});
    session.travel({{ moment: 5 }});
    const {{ run: trained }} = session, objective = new Objective(trained);
    const found = await session.landscape({{ directions: given.directions }});
    const list = Object.entries(trained.values).map(([name, value]) => [name, np.tolist(value)]);
    result = {{ ...found, losses: Array.from(floats(found.losses)), values: Object.fromEntries(list),
      X: np.tolist(trained.rows.X), y: np.tolist(trained.rows.y),
      thetas: trained.course.slice(0, 6).map((moment) => objective.vectorOf(moment.values)) }};"""
    found = run(site, code, settings=settings.to_json(), directions=directions)
    model = python_model(settings, found, 1)
    X, y = np.array(found["X"]), np.array(found["y"])[:, 0]
    alphas, betas = np.array(found["alphas"]), np.array(found["betas"])
    assert 0 in alphas
    assert 0 in betas
    assert found["J"] == pytest.approx(model.objective(X, y), rel=1e-9)
    assert found["curvature"] == pytest.approx(sharpness(model, X, y), rel=1e-2)
    assert found["limit"] == pytest.approx(2 / 0.03)
    losses = np.array(found["losses"]).reshape(len(alphas), len(betas))
    if directions == "path":
        end, axes, path, shares = principal_directions(np.array(found["thetas"]))
        assert np.array(found["path"]) == pytest.approx(path, rel=1e-6, abs=1e-9)
        assert found["shares"] == pytest.approx(shares, rel=1e-6)
        for k, axis in enumerate((alphas, betas)):
            assert axis == pytest.approx(axis_around(path[:, k], len(axis), float(np.ptp(path))), abs=1e-9)
        expected = losses_over(model, X, y, end, axes, alphas[::5], betas[::5])
        assert losses[::5, ::5] == pytest.approx(expected, rel=1e-5)
    else:
        assert losses[len(alphas) // 2, len(betas) // 2] == pytest.approx(found["J"], rel=1e-6)
        assert losses.std() > 0


@pytest.mark.parametrize("kind", ["safetensors", "json"])
def test_files_are_those_of_the_library(kind, site):
    """A file of the browser is read in Python, one of Python in the browser: the same bits."""
    settings = replace(
        SMALL, data="blobs", loss="CrossEntropy", regularizer="L2", lam=0.01,
        hidden=(LayerSettings(3, "selu"), LayerSettings(2, "relu", 0.25, True)),
    )  # fmt: skip
    own = python_session.Session(settings)
    own.advance(steps=7)
    (file,) = own.export(kind=kind)["files"]
    code = f"""{SESSION}
    const session = new Session(given.settings), other = new Session({{ ...given.settings, hidden: [] }});
    const list = (values) => Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, np.tolist(value)]));
    session.advance({{ steps: 9 }});
    const [written] = (await session.export({{ kind: given.kind }})).files;
    const view = await other.open_model({{ name: "network." + given.kind, content: given.content }});
    const opened = list(other.run.parameters), frame = view.frame.measured;
    other.advance({{ steps: 3 }});
    other.reset();
    result = {{ written, values: list(session.run.values), settings: view.settings, opened,
      again: list(other.run.parameters) }};"""
    found = run(site, code, settings=settings.to_json(), kind=kind, content=file["content"])
    again, m = opened(f"network.{kind}", found["written"]["content"]), own.run.model
    for name, value in {**again.parameters, **again.statistics}.items():
        assert np.array_equal(value, found["values"][name])
    assert (again.layers, again.loss, again.regularizers) == (m.layers, m.loss, m.regularizers)
    assert again.classes.tolist() == [0, 1, 2]
    assert Settings.from_json(found["settings"]).hidden == settings.hidden
    assert found["opened"] == found["again"] == {n: v.tolist() for n, v in own.run.model.parameters.items()}


def test_files_that_do_not_fit_are_refused_and_change_nothing(site):
    """Damaged bytes, other formats and numbers of inputs, layers that the page cannot show, arrays that do not fit."""
    networks = [
        Network([Dense(2, "tanh", bias=False), Dense(1)], loss="BinaryCrossEntropy", n_in=2),
        Network([Dense(2, "tanh"), Dense(1)], loss="BinaryCrossEntropy", n_in=3),
        Network([Dense(2, "tanh"), Dense(2)], loss="BinaryCrossEntropy", n_in=2),
        Network([Dense(2, "tanh"), Dense(1)], loss=Huber(delta=3.0), n_in=2),
        Network([Dense(2, "tanh"), Dense(1, "tanh")], loss="SquaredError", n_in=2),
    ]  # fmt: skip
    contents = [exported(net, "json")[0]["content"] for net in networks]
    contents += [base64.b64encode(text).decode() for text in (b"", b"{", b"[]", b"null", b'{"format": "other"}')]
    contents += [base64.b64encode(exports_damaged).decode() for exports_damaged in damaged(networks[2])]
    code = f"""{SESSION}
    const session = new Session(), before = JSON.stringify(session.view());
    const opening = async (name, content) => {{
      try {{ await session.open_model({{ name, content }}); return "opened"; }} catch (error) {{
        const isSame = JSON.stringify(session.view()) === before;
        return isSame ? `${{error.constructor.name}}: ${{error.message}}` : "changed"; }}
    }};
    result = [];
    for (const content of given.contents) {{
      for (const name of ["n.json", "n.safetensors", "n.onnx"]) result.push(await opening(name, content));
    }}"""
    found = run(site, code, contents=contents)
    assert all(one.startswith("Error: ") and "n." in one for one in found), found


def damaged(network: Any) -> list[bytes]:
    """Return safetensors files with a part missing."""
    (file,) = exported(network, "safetensors")
    content = base64.b64decode(file["content"])
    return [content[:6], content[:40], content[:-8], b"\xff" * 8 + content[8:]]


@pytest.mark.parametrize(
    "changes", [{}, {"data": "plane", "optimizer": "SGD", "schedule": "cosine", "held_out": 0}, {"data": "iris"}, None]
)
def test_the_library_code_is_that_of_python(changes, site):
    """The same text for the same settings; drawn points are in the code."""
    if changes == {"data": "iris"} and "iris" not in available():
        pytest.skip("the extra 'sklearn' is not installed")
    wanted = {
        "hidden": [{"units": 3, "dropout": 0.5, "batch_norm": True}],
        "regularizer": "L1",
        "batch_size": 0,
        **(changes or {}),
    }
    code = f"""{SESSION}
    await loadData(given.wanted.data);
    const session = new Session();
    session.configure({{ settings: given.wanted }});
    if (given.draws) session.add_point({{ x: 0.1, y: 0.2, target: 1 }});
    result = {{ text: (await session.code({{ kind: "library" }})).text, X: np.tolist(session.run.rows.X) }};"""
    found = run(site, code, wanted=wanted, draws=changes is None)
    if changes is None:
        space: dict[str, Any] = {}
        exec(found["text"].replace("epochs=100", "epochs=1, engine='reference'"), space)
        assert np.allclose(space["X"][: len(found["X"])], found["X"])
    else:
        own = python_session.Session()
        own.configure(wanted)
        assert found["text"] == own.code(kind="library")["text"]


# -- tables of your own ------------------------------------------------------------------------


def csv_of(columns: dict[str, Any], separator: str = ",") -> str:
    """A delimited text; the columns are cycled to 60 rows."""
    rows = [separator.join(str(values[k % len(values)]) for values in columns.values()) for k in range(60)]
    return "\n".join([separator.join(columns), *rows, ""])


NUMBERS = {"age": [31, 20, 44, 18, 25, 60, 37], "pay": ["2e3", "+1500.5", "-3", ".5", "7."]}
SMALL_NUMBERS = {"b": [1, 2, 5, 8], "y": [0, 1]}
OWN_TABLES = {
    "texts as classes": (csv_of({**NUMBERS, "y": ["no", "yes", '"a ""b"", c"']}), False),
    "whole numbers as classes": (csv_of({**NUMBERS, "y": [3, 10, 3, 7]}), False),
    "numbers": (csv_of({**NUMBERS, "y": [1.5, 2.25, 3, 8, 13.5, 21, 4, 5, 6, 7, 9]}), False),
    "many whole numbers": (csv_of({**NUMBERS, "y": list(range(100, 160, 2))[::-1]}), False),
    "gaps that are filled": (csv_of({"a": [3, "", 4, 1, 1, "NA"], "b": [1, 2.5, 9, 4], "y": ["u", "v", "v"]}), True),
    "semicolons and decimal commas": (csv_of({"a": ["1,5", "2,25", "-0,75"], **SMALL_NUMBERS}, ";"), False),
    "tabs and a numbered row": (csv_of({"n": range(60), "a": [1, 4, 2], **SMALL_NUMBERS}, "\t"), False),
    "a constant column": (csv_of({"c": [7], "a": [1, 4, 2], **SMALL_NUMBERS}).replace("\n", "\r\n"), False),
    "texts": (csv_of({"c": [" red", "Blue", "red", "10 %"], **SMALL_NUMBERS}), False),
    "texts alone, and a target with a leading zero": (csv_of({"c": ["u", "v", "w"], "y": ["007", "7"]}), False),
    "texts with gaps": (csv_of({"c": ["red", "NA", "", "blue", "red"], **SMALL_NUMBERS}), False),
    "texts with gaps that are filled": (csv_of({"c": ["red", "(missing)", "", "red"], **SMALL_NUMBERS}), True),
    "the word for gaps as a category": (csv_of({"c": ["(missing)", "", "b"], **SMALL_NUMBERS}), False),
    "gaps that are marked": (csv_of({"a": [3, "", 4, 1, "?"], "k": [5, ""], "b": [1, 2, 9], "y": ["u", "v"]}), False),
    "true and false": (csv_of({"c": ["true", "false", "false"], "d": ["TRUE", 0, "?"], "y": ["true", "false"]}), False),
    "codes with leading zeros": (csv_of({"c": ["007", "12", "7"], **SMALL_NUMBERS}), False),
    "identifiers": (csv_of({"customer_id": [k * 7 % 61 for k in range(60)], "no": [f"n{k}" for k in range(60)],
                            "year": range(1950, 2010), **SMALL_NUMBERS}), False),
    "many texts": (csv_of({"c": [*(f"n{k}" for k in range(55)), *["n1"] * 5], **SMALL_NUMBERS}), False),
    "a column that is nearly empty": (csv_of({"e": [*[""] * 59, 3], "a": [1, 4, 2], **SMALL_NUMBERS}), False),
    "no other column is left": (csv_of({"id": range(60), "c": [7], "y": [0, 1]}), False),
    "a constant column alone": (csv_of({"c": ["k"], "e": [""], "y": [0, 1]}), False),
    "names with markup": (csv_of({"<b>": [1, 4, 2], "__proto__": [1, 2, 5, 8], "y": ["<i>", "b"]}), False),
}  # fmt: skip
OPEN = """
const open = (name, text, target, impute) =>
  session.open_table({ name, content: Buffer.from(text).toString("base64"), target, impute });
"""


@pytest.mark.parametrize("what", OWN_TABLES)
def test_a_table_is_read_as_by_python(what, site, tmp_path):
    """The same columns, classes and standardized numbers, in another order of the rows."""
    text, is_filled = OWN_TABLES[what]
    path = tmp_path / "mine.csv"
    path.write_bytes(text.encode())
    data = table_at(path, "y", is_filled)
    code = f"""{SESSION}
    const session = new Session();
    {OPEN}
    const {{ columns }} = await open("mine.csv", given.text, "", false);
    const view = await open("mine.csv", given.text, "y", given.isFilled), {{ X }} = session.run.rows;
    const before = session.frame().measured[0], after = session.advance({{ steps: 100 }}).measured[0];
    session.configure({{ settings: {{ data: "xor" }} }});
    const back = session.configure({{ settings: {{ data: view.data.name }} }});
    const code = (await session.code({{ kind: "library" }})).text;
    result = {{ columns, name: back.data.name, names: view.data.columns, classes: view.data.classes, code,
      words: view.data.words, rows: np.tolist(session.data.raw).map((row, k) => [...row, session.data.y[k]]),
      loss: [before, after], sets: back.sets.at(-1).name, weights: session.run.parameters.W1.shape }};"""
    found = run(site, code, text=text, isFilled=is_filled)
    assert found["columns"][-1] == "y"
    assert found["name"] == found["sets"] == data.name == "table: y"
    assert (tuple(found["names"]), tuple(found["classes"])) == (data.columns, data.classes)
    expected = np.column_stack([data.raw, data.y]).tolist()
    mine, theirs = (np.array(sorted(np.round(rows, 9).tolist())) for rows in (found["rows"], expected))
    np.testing.assert_allclose(mine, theirs, atol=1e-8)
    assert found["loss"][1] < found["loss"][0]
    used = [column for column in text.splitlines()[0].replace(";", ",").replace("\t", ",").split(",") if column != "y"]
    left = [column for column in used if not any(re.split("=| is missing", one)[0] == column for one in data.columns)]
    listed = re.findall(r"(?:; without |\), )([^ ]+) \(", found["words"])
    assert listed == left
    monkey = f"import os; os.chdir({str(tmp_path)!r})\n"
    space: dict[str, Any] = {}
    exec(monkey + found["code"].replace("epochs=100", "epochs=1, engine='reference'"), space)
    assert np.shape(space["X"]) == data.raw.shape


REFUSED_TABLES = [
    ("a.parquet", "a,y\n1,2\n", "", "Parquet"),
    ("a.csv", "", "", "one column"),
    ("a.csv", "a\n1\n2\n", "", "one column"),
    ("a.csv", "a,y\n1,2\n3\n", "", "Row 3 of a.csv has 1 cells"),
    ("a.csv", "a,a\n1,2\n", "", "two columns"),
    ("a.csv", ",y\n1,2\n", "", "no name"),
    ("a.csv", 'a,y\n"1,2\n3,4\n', "", "quotation mark"),
    ("a.csv", 'a,y\n"1"x,2\n', "", "quotation mark"),
    ("a.csv", "a,y\n1,2\n", "z", "no column z"),
    ("a.csv", "a,y\n1,2\n", "y", "1 rows"),
    ("a.csv", "a,y\n1,2\n3,2\n", "y", "the same value"),
    ("a.csv", "a,y\n1,2\nx,3\n4,3\n5,6\n6,7\n", "y", "Text “x” in row 2 of column a"),
    ("a.csv", "a,y\n1,2\n3,x\n4,3\n5,6\n6,7\n", "y", "Text “x” in row 2 of column y"),
    ("a.csv", "a,y\n1,2024-01-02\n2,2024-03-04\n", "y", "dates or numbers in another notation"),
    ("a.csv", "a,y\n$1.50,2\n$2,3\n", "y", "no column to learn from"),
    ("a.csv", "a,y\n1,2\n4,\n", "y", "missing in row 2"),
    ("a.csv", "a,y\n2024-01-02,2\n2024-01-03,3\n", "y", "no column to learn from"),
    ("a.csv", "a,y\n1e308,2\n-1e308,3\n2,4\n", "y", "too large"),
    ("a.csv", "a,y\n" + "".join(f"{k % 7},q{k}\n" for k in range(60)), "y", "too many for classes"),
    ("a.csv", "\n".join(",".join(cell * 80) for cell in (["c"], ["1"], ["2"])), "c", "two columns"),
    ("a.csv", "\n".join(",".join(f"{k}{n}" for n in range(80)) for k in (1, 2, 3)), "13", "at most 64"),
    ("a.csv", "a,y\n" + "1,2\n2,3\n" * 10_001, "y", "20002 rows"),
]  # fmt: skip


def test_a_table_that_cannot_be_read_is_refused_and_changes_nothing(site):
    code = f"""{SESSION}
    const session = new Session(), before = JSON.stringify(session.view());
    {OPEN}
    result = [];
    for (const [name, text, target] of given.tables) {{
      let refused = "";
      try {{ await open(name, text, target, false); }} catch (error) {{ refused = error.message; }}
      result.push([refused, JSON.stringify(session.view()) === before]);
    }}"""
    found = run(site, code, tables=[case[:3] for case in REFUSED_TABLES])
    for (refused, is_same), (*_, words) in zip(found, REFUSED_TABLES, strict=True):
        assert words in refused
        assert is_same


# -- the museum --------------------------------------------------------------------------------


class SmallMuseum:
    """Two mistakes, with few and quick answers."""

    def mistakes(self) -> list[dict[str, Any]]:
        shared = {"what": "What.", "place": "statement", "rooms": ["moons", "hills"]}
        return [{"name": name, "title": name.title(), **shared} for name in ("one", "two")]

    def exhibit(self, name: str, room: str) -> dict[str, Any]:
        return {"name": name, "title": name.title(), "room": room, "rooms": ["moons", "hills"], "networks": [],
                "what": "</script>"}  # fmt: skip

    def diagnosis(self, name: str, room: str) -> list[dict[str, Any]]:
        return [{"name": f"{name} in {room}", "measured": "</script>"}]

    def begin_game(self, seed: int) -> dict[str, Any]:
        self.hints, self.seed = 0, seed
        return {"networks": [{"losses": [seed, k]} for k in range(4)], "seed": seed}

    def hint(self) -> dict[str, Any]:
        self.hints += 1
        return {"hint": f"hint {self.hints}", "more": self.hints < 4}

    def guess(self, choice: int) -> dict[str, Any]:
        raise NotImplementedError

    def reveal(self) -> dict[str, Any]:
        return {"right": True, "choice": self.seed % 4, "hints": self.hints}


def test_the_museum_is_what_python_wrote(tmp_path):
    write_site(tmp_path, SmallMuseum())
    (tmp_path / "package.json").write_text('{"type": "module"}')
    code = f"""{SESSION}
    const session = new Session(), rooms = (await session.museum()).mistakes.map((one) => one.rooms);
    const seen = [session.hello().choices.museum, rooms];
    const refusal = async (ask) => {{ try {{ await ask(); return ""; }} catch (error) {{ return error.message; }} }};
    const name = "__proto__";
    seen.push(await refusal(() => session.game_hint()), await refusal(() => session.exhibit({{ name, room: "" }})));
    const shown = await session.exhibit({{ name: "two", room: "" }}), {{ room }} = shown;
    seen.push([room, shown.rooms], (await session.exhibit_doctor({{ name: "two", room }})).findings[0].name);
    const game = await session.game({{ seed: 5 }});
    seen.push([game.seed, game.networks[2].losses], session.game_guess({{ choice: 0 }}));
    for (let k = 0; k < 5; k += 1) seen.push(session.game_hint());
    seen.push(session.game_guess({{ choice: 1 }}));
    result = seen;"""
    found = run(tmp_path, code)
    assert found[:2] == [True, [["moons"], ["moons"]]]
    assert found[2] == "There is no game yet; begin one."
    assert "Unknown mistake" in found[3]
    assert found[4] == ["moons", ["moons"]]
    assert found[5] == "two in moons"
    assert found[6:8] == [[5, [1, 2]], {"right": False, "choice": 0}]
    assert [one["more"] for one in found[8:13]] == [True, True, True, False, False]
    assert found[13] == {"right": True, "choice": 1, "hints": 4}
    assert b"</script>" not in (tmp_path / "museum" / "two.js").read_bytes()


def test_a_site_without_museum_says_so(site):
    found = run(
        site,
        f"""{SESSION}
    const session = new Session();
    result = [session.hello().choices.museum];
    try {{ await session.museum(); }} catch (error) {{ result.push(error.message); }}""",
    )
    assert found[0] is False
    assert "museum" in found[1]


def test_the_site_offers_what_it_can_do(site):
    code = f"{SESSION}\nconst {{ choices }} = new Session().hello();"
    found = run(site, f"{code}\nresult = [choices.optimizers, choices.optimizers_of_python];")
    assert found == [list(OPTIMIZERS), ["LBFGS"]]


def test_the_site_is_small_and_complete(site):
    files = [path for path in site.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg")]
    names = (*FIRST_FILES, "arrays.js", "formulas.js", "session.js")
    own = [site / name for name in names]
    assert sum(path.stat().st_size for path in own) < 250_000
    assert all((site / f"data-{name}.js").stat().st_size < 40_000 for name in GENERATED)
    for path in files:
        for imported in re.findall(r'from "(\./[^"]+|\.\./[^"]+)"', path.read_text(encoding="utf-8")):
            assert (path.parent / imported).exists(), f"{path.name} imports {imported}"


def test_the_page_opens_as_a_file(site):
    """A double click on index.html opens the page in one file: it trains, and its modules are in it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed")
    problems: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
        tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(Path(request.url.split("#")[0]).suffix))
        tab.goto((site / "index.html").as_uri() + "#" + quote(json.dumps({"data": "xor"})))
        tab.wait_for_selector("[data-testid=loss]")
        assert tab.url.startswith((site / "playground.html").as_uri())
        assert asked.count(".html") == 2
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("request", lambda it: None if it.url.startswith("data:") else problems.append(it.url))
        tab.keyboard.press("e")
        playwright.expect(tab.get_by_test_id("epoch")).to_have_text("1")
        if "iris" in available():  # a module that is loaded when it is needed
            tab.click(".switches button:text-is('iris')")
            playwright.expect(tab.locator(".card.data")).to_contain_text("150 rows")
        tab.click("#tab-taking")
        tab.get_by_role("button", name="Copy link").click()
        assert tab.url.startswith((site / "playground.html").as_uri() + "#")
        browser.close()
    assert problems == []


def test_the_command_writes_the_site(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["play", "--static", "site", "--no-museum"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "site" / "index.html").exists()
    assert not (tmp_path / "site" / "museum").exists()
    refused = CliRunner().invoke(app, ["play", "spirals", "--static", "site"])
    assert "generated data only" in " ".join(refused.output.split())


def check_replays(tab: Any) -> None:
    """A replay has a frame for each moment up to the present one, as a page and as a GIF."""
    moments = int(tab.locator("input[type=range]").last.get_attribute("max")) + 1
    files = {}
    for kind, title in (("html", "HTML page"), ("gif", "animated GIF")):
        with tab.expect_download() as download:
            tab.get_by_role("button", name=title).click()
        assert download.value.suggested_filename == f"replay.{kind}"
        files[kind] = Path(download.value.path()).read_bytes()
    film = json.loads(re.search(r'class="film">(.*?)</script>', files["html"].decode())[1])
    assert len(film["pictures"]) == len(film["titles"]) == moments
    assert film["titles"][0] == "step 0"
    assert "{" not in re.sub(r"<(script|style).*?</\1>", "", files["html"].decode(), flags=re.DOTALL)
    images = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    with (
        images.open(io.BytesIO(files["gif"])) as gif,
        images.open(io.BytesIO(base64.b64decode(film["pictures"][-1]))) as png,
    ):
        assert gif.n_frames == moments
        gif.seek(moments - 1)
        difference = np.abs(np.asarray(gif.convert("RGB"), int) - np.asarray(png.convert("RGB"), int))
        assert (difference.shape[:2], difference.mean() < 2) == ((370, 840), True)


def test_the_page_runs_without_a_server(site):
    """In a real browser, from static files: it trains, and asks nothing of another host."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed")
    handler = functools.partial(SilentHandler, directory=str(site))
    problems: list[str] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, playwright.sync_playwright() as started:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
        tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on(
            "request",
            lambda request: problems.append(request.url) if not request.url.startswith((url, f"blob:{url}")) else None,
        )
        asked: list[str] = []
        sizes: list[int] = []
        tab.on("request", lambda request: asked.append(request.url.removeprefix(url)))
        tab.on("response", lambda it: sizes.append(len(it.body())) if it.url.startswith(url) else None)
        tab.goto(url)
        tab.wait_for_selector("[data-testid=loss]")
        tab.wait_for_selector(".panel math")
        assert {name for name in asked if not name.startswith("blob:")} == {
            "", "start.js", "modules.bin", "icon.svg", "theme.css", "layout.css", "controls.css",
        }  # fmt: skip
        assert sum(sizes) < 250_000  # without compression by the server
        before = float(tab.inner_text("[data-testid=loss]"))
        tab.keyboard.press("Escape")
        for _ in range(12):
            tab.click("[aria-label='One epoch']")
        tab.wait_for_function("Number(document.querySelector('[data-testid=epoch]').textContent) >= 10")
        after = float(tab.inner_text("[data-testid=loss]"))
        tab.click("#tab-doctor")
        tab.wait_for_selector(".panel :text('The checks found nothing.')")
        tab.click("#tab-taking")
        tab.wait_for_selector(".panel :text('pip install')")
        with tab.expect_download() as download:
            tab.click("text=safetensors")
        assert load(download.value.path()).n_in == 2
        check_replays(tab)
        assert tab.locator("[name=optimizer] option[disabled]").inner_text() == "LBFGS: needs Python"
        tab.click("#tab-landscape")
        tab.wait_for_selector("canvas[data-land]")
        if "digits" in available():
            tab.click(".switches button:text-is('digits')")
            tab.wait_for_selector("canvas[data-pad]")
            tab.click("[aria-label='One epoch']")
            tab.wait_for_function("document.querySelector('.bars .share').textContent.endsWith('%')")
        packed = {"strings.js", "settings.js", "arrays.js", "vendor/lit-html.js"}
        assert not packed & set(asked)  # modules that are loaded later share those of the first picture
        assert problems == []
        tab.route("**/modules.bin", lambda route: route.abort())  # a server or a browser that does not allow it
        tab.goto(url + "#again")
        tab.reload()
        tab.wait_for_selector("[data-testid=loss]")
        assert packed <= set(asked)
        browser.close()
        server.shutdown()
    assert after < before
