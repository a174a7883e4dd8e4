"""The worked step: a published example, and every printed number computed again by readers that know no program."""

from __future__ import annotations

import ast
import base64
import functools
import io
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.strategies import optimizers, problems, smooth_activations
from tests.test_equations import Reader
from workings import (
    LBFGS,
    SGD,
    Adam,
    BatchNorm,
    Chain,
    CrossEntropy,
    Dense,
    Dropout,
    Freeze,
    InputError,
    Network,
    SquaredError,
)
from workings.datasets import moons
from workings.optimizers import Optimizer
from workings.readings.equations import LATEX_GREEK, EquationWriter, LatexNotation
from workings.readings.explain import Explanation, explain
from workings.readings.mathml import MathmlNotation
from workings.schedules import OnPlateau

# Mazur, "A Step by Step Backpropagation Example", 2015.
MAZUR_X, MAZUR_Y = [[0.05, 0.10]], [[0.01, 0.99]]
MAZUR_STEP = Chain(Freeze("b1", "b2"), SGD(0.5))
CALLS = {"max": max, "min": min, "sum": sum}


def mazur() -> Network:
    hidden = Dense(2, "sigmoid", weights=[[0.15, 0.25], [0.20, 0.30]], biases=[0.35, 0.35])
    output = Dense(2, "sigmoid", weights=[[0.40, 0.50], [0.45, 0.55]], biases=[0.60, 0.60])
    return Network([hidden, output], loss=SquaredError(half=True, reduction="sum"))


def of_problem(problem: Any, **more: Any) -> Any:
    return problem.network.explain(problem.X, problem.y, sample_weight=problem.w, **more)


# -- a published example ---------------------------------------------------------------------


def test_the_figures_of_a_well_known_example() -> None:
    step = mazur().explain(MAZUR_X, MAZUR_Y, optimizer=MAZUR_STEP)
    assert f"{step.before:.9f}" == "0.298371109"
    assert f"{step['z1'].entry:.4f}" == "0.3775"
    assert f"{step['a1'].entry:.9f}" == "0.593269992"
    assert f"{step['dW2'].entry:.9f}" == "0.082167041"
    assert f"{step['dW1'].entry:.9f}" == "0.000438568"
    assert [f"{w:.9f}" for w in step["W2"].value.T.ravel()] == [
        "0.358916480",
        "0.408666186",
        "0.511301270",
        "0.561370121",
    ]
    assert [f"{w:.9f}" for w in step["W1"].value.T.ravel()] == [
        "0.149780716",
        "0.199561432",
        "0.249751144",
        "0.299502287",
    ]
    # The post prints 0.291027924; its own new weights give 0.291027774.
    assert step.after == pytest.approx(0.291027924, abs=2e-7)
    assert f"{step.after:.9f}" == "0.291027774"
    assert "0.05 · 0.15 + 0.1 · 0.2 + 0.35" in str(step)


def test_ten_thousand_passes_of_the_example() -> None:
    net = mazur()
    net.fit(MAZUR_X, MAZUR_Y, optimizer=MAZUR_STEP, epochs=9_999, batch_size=None)
    assert f"{net.objective(MAZUR_X, MAZUR_Y):.10f}" == "0.0000351085"
    assert net.parameters["b1"].tolist() == [0.35, 0.35]


# -- what is printed is what runs ------------------------------------------------------------


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(problems(smooth_activations), optimizers(), st.integers(0, 3))
def test_every_entry_that_is_written_out_is_what_the_statement_gave(problem: Any, optimizer: Any, unit: int) -> None:
    widest = max(layer.width(problem.network.n_in) for layer in problem.network.layers)
    step = of_problem(problem, optimizer=optimizer, unit=unit % widest, row=len(problem.X) - 1)
    latex = EquationWriter(step.program, LatexNotation("alphabet", 17))
    for worked in step.steps:
        if worked.numbers is None or "var(" in ast.unparse(worked.numbers):  # of many rows not all are written
            continue
        value = eval(ast.unparse(worked.numbers), {"np": np, **CALLS, **step.program.functions})
        scale = max(float(np.abs(worked.value).max()), 1e-9)
        assert value == pytest.approx(worked.entry, rel=1e-9, abs=1e-9 * scale), worked.statement
        printed = latex.piece(worked.numbers).text
        if "more" not in printed and r"\operatorname" not in printed:
            assert Reader(printed, {}, dict(step.program.functions)).all() == pytest.approx(
                worked.entry, rel=1e-9, abs=1e-9 * scale
            ), printed
        if worked.slopes is not None:
            assert worked.slopes.agrees, (worked.statement, worked.slopes)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(problems(), optimizers())
def test_mathml_says_what_latex_says(problem: Any, optimizer: Any) -> None:
    program = problem.network.program(optimizer, weighted=problem.w is not None)
    mathml, latex = EquationWriter(program, MathmlNotation()), EquationWriter(program, LatexNotation())
    for statement in program.statements:
        tree = ElementTree.fromstring(f"<mrow>{mathml.equation(statement)}</mrow>")
        assert squeezed(as_latex(tree)) == squeezed(latex.equation(statement)), statement


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(problems(), optimizers())
def test_the_steps_are_those_of_training(problem: Any, optimizer: Any) -> None:
    step = of_problem(problem, optimizer=optimizer)
    network = problem.network
    network.draw_masks = lambda n, rng=None, draw=network.draw_masks: draw(
        n, np.random.default_rng(0)
    )  # the masks of traces
    before = network.theta.copy()
    trace = network.step(problem.X, problem.y, optimizer, problem.w)
    after = {name: trace.after[name] for name in network.parameters}
    assert all((step[name].value == after[name]).all() for name in network.parameters)
    assert step.before == trace["J"]
    network.theta[:] = before


def squeezed(text: str) -> str:
    """Without what differs only in the way of writing: spaces, and where braces stand."""
    text = text.replace(r"\,", "").replace(r"\left", "").replace(r"\right", "")
    return re.sub(r"[\s{}]", "", text)


SIGNS = {"−": "-", "·": r"\cdot", "⊙": r"\odot", "⊤": r"\top", "∑": r"\sum", "≥": r"\ge", "≤": r"\le", "≠": r"\ne",
         "←": r"\gets", "\u2061": "", "mean": r"\operatorname{mean}", "var": r"\operatorname{var}",
         "max": r"\max"}  # fmt: skip
GREEK_LATEX = {"η": LATEX_GREEK["lr"], "λ": LATEX_GREEK["lam"], "ε": LATEX_GREEK["eps"], "μ": r"\mu", "∂": r"\partial",
               "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "θ": r"\theta", "ρ": r"\rho"}  # fmt: skip
CALLED = {"tanh", "exp", "log", "max", "min", "sin", "cos", "tan", "sinh", "cosh", "arctan", "arcsin", "arccos"}


def as_latex(node: ElementTree.Element) -> str:
    """Read MathML, and write what it says as LaTeX."""
    parts = [as_latex(child) for child in node]
    match node.tag:
        case "mn":
            return node.text or ""
        case "mi":
            return name_in_latex(node.text or "")
        case "mo":
            return SIGNS.get(node.text or "", node.text or "")
        case "mtext":
            return "_".join(rf"\mathrm{{{word}}}" for word in [(node.text or "").replace("_", r"\_")])
        case "msub" | "munder":
            return f"{parts[0]}_{{{parts[1]}}}"
        case "msup":
            return f"{parts[0]}^{{{parts[1]}}}"
        case "mover":
            return rf"\hat{{{parts[0]}}}"
        case "mfrac":
            return rf"\frac{{{parts[0]}}}{{{parts[1]}}}"
        case "msqrt":
            return rf"\sqrt{{{''.join(parts)}}}"
        case "mtable":
            return "MTABLE".join(parts)
        case "mspace":
            return ""
    if any(child.get("class") == "cases" for child in node):
        (yes, condition), (no, _) = [[as_latex(cell) for cell in line] for line in node.find("mtable")]  # type: ignore[union-attr]
        condition = condition.replace(r"\mathrm{if" + "\u00a0}", "")
        return rf"\begin{{cases}} {yes} & \text{{if }} {condition} \\ {no} & \text{{else}} \end{{cases}}"
    for place, child in enumerate(node):
        if child.tag == "mo" and child.text == "\u2061" and node[place - 1].tag == "mi":
            name = (node[place - 1].text or "").replace("_", r"\_")
            plain = node[place - 1].text in CALLED
            parts[place - 1] = f"\\{name}" if plain else rf"\operatorname{{{name}}}"
    return "".join(parts)


def name_in_latex(text: str) -> str:
    known = GREEK_LATEX.get(text)
    escaped = text.replace("_", r"\_")
    return known or (text if len(text) == 1 else rf"\mathrm{{{escaped}}}")


# -- one weight, path by path ----------------------------------------------------------------


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(problems(), st.integers(0, 1000))
def test_the_ways_of_a_weight_add_up_to_its_gradient(problem: Any, choice: int) -> None:
    network = problem.network
    name = list(network.parameters)[choice % len(network.parameters)]
    shape = network.parameters[name].shape
    index = np.unravel_index(choice % network.parameters[name].size, shape)
    way = of_problem(problem, why=f"{name}[{','.join(map(str, index))}]")
    gradient = float(network.trace(problem.X, problem.y, problem.w)[f"d{name}"][index])
    scale = sum(abs(path.adds) for path in way.paths) + abs(way.penalty)
    assert way.gradient == pytest.approx(gradient, rel=1e-9, abs=1e-12)
    assert way.total == pytest.approx(gradient, rel=1e-9, abs=1e-9 * scale + 1e-12)
    assert way.rest == 0
    rows_apart = not way.mixes and len(problem.X) == 1
    for path in way.paths if rows_apart else ():
        assert np.prod([link.value for link in path.links]) == pytest.approx(path.adds, rel=1e-9, abs=1e-12)


@pytest.mark.slow  # thousands of paths, each with its factors
def test_very_many_ways_are_told_together() -> None:
    rng = np.random.default_rng(0)
    layers = [Dense(3, "tanh"), Dense(70, "tanh"), Dense(70, "tanh"), Dense(2)]
    net = Network(layers, loss=CrossEntropy(), seed=0)
    way = net.explain(rng.normal(size=(3, 4)), [0, 1, 1], why="W1[0,2]")
    assert len(way.paths) == 4096
    assert way.rest != 0
    assert way.total == pytest.approx(way.gradient, rel=1e-9)
    assert "and all others" in str(way)


def test_the_row_that_counts_is_written_out() -> None:
    net = mazur()
    way = net.explain([[0.0, 0.1], [0.05, 0.1]], [[0.01, 0.99], [0.0, 1.0]], why="W1[0,1]")
    assert way.row == 1
    assert np.prod([link.value for link in way.paths[0].links]) == pytest.approx(way.paths[0].adds)
    assert net.explain([[0.0, 0.1]], [[0.01, 0.99]], why="W1[0,1]").paths == ()
    assert "does not affect J" in str(net.explain([[0.0, 0.1]], [[0.01, 0.99]], why="W1[0,1]"))
    assert "does not affect J" in net.explain([[0.0, 0.1]], [[0.01, 0.99]], why="W1[0,1]").html


def test_the_factors_of_a_way_have_the_names_of_the_program() -> None:
    text = str(mazur().explain(MAZUR_X, MAZUR_Y, why="W1[0,1]"))
    for part in ("= X[0,0] = 0.05", "= a₁[0,1] (1 - a₁[0,1])", "= W₂[1,0] = 0.45", "0.000497713", "2 paths"):
        assert part in text
    page = mazur().explain(MAZUR_X, MAZUR_Y, why="W1[0,1]").html
    assert "0.000497713" in page
    assert "<math" in page


# -- what it looks like ----------------------------------------------------------------------


@functools.cache
def long_page() -> str:
    return long_step().html


def long_step(**more: Any) -> Explanation:
    X, y = moons()
    layers = [Dense(30, "leaky_relu"), BatchNorm("relu"), Dropout(0.3), Dense(4, "gelu"), Dense(2)]
    net = Network(layers, loss=CrossEntropy(), seed=0)
    step = net.explain(X, y, row=3, unit=1, optimizer=Adam(0.1), **more)
    assert isinstance(step, Explanation)
    return step


class Nesting(HTMLParser):
    """Sees to it that every tag is closed, in order, and keeps what pictures and links ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.asked: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.asked += [str(value) for key, value in attrs if key in ("src", "href")]
        self.ids += [str(value) for key, value in attrs if key == "id"]
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("kind", ["step", "why", "notebook"])
def test_the_page_is_whole_and_asks_for_nothing(kind: str) -> None:
    if kind == "why":
        page = mazur().explain(MAZUR_X, MAZUR_Y, why="W1[0,1]").html
    else:
        page = long_page() if kind == "step" else long_step()._repr_html_()
    reader = Nesting()
    reader.feed(page)
    assert not reader.open
    assert len(set(reader.ids)) == len(reader.ids)
    assert all(asked.startswith(("data:image/png", "#")) for asked in reader.asked)
    assert {asked[1:] for asked in reader.asked if asked.startswith("#")} <= set(reader.ids)
    assert "http" not in page.replace("http://www.w3.org/1998/Math/MathML", "")
    assert ("<!doctype html>" in page) == (kind != "notebook")


def test_large_arrays_are_pictures_that_say_their_extremes() -> None:
    image = pytest.importorskip("matplotlib.image")
    step = long_step()
    z1 = step["z1"].value
    assert f"z1 (200, 30): from {z1.min():.6g}" in str(step)
    source = re.search(r'src="data:image/png;base64,([^"]+)" alt="Heat map of z1 ', long_page())
    assert source is not None
    picture = image.imread(io.BytesIO(base64.b64decode(source[1])))
    assert picture.shape[:2] == (200, 30)
    high, low = np.unravel_index(z1.argmax(), z1.shape), np.unravel_index(z1.argmin(), z1.shape)
    assert picture[high][0] > picture[high][2]  # more orange than blue
    assert picture[low][2] > picture[low][0]
    assert "row 3 of z1" in long_page()


def test_text_has_six_digits_and_latex_is_a_document(tmp_path: Path) -> None:
    step = long_step()
    assert f"{step['dW1'].entry:.6g}" in str(step)
    assert repr(step) == str(step)
    latex = step.latex
    assert latex.startswith(r"\documentclass")
    assert latex.count(r"\begin{align*}") == latex.count(r"\end{align*}") == len(step.steps) + len(step.derivation)
    for suffix, part in ((".html", "<!doctype"), (".tex", r"\documentclass"), (".txt", "One training step")):
        assert part in step.save(tmp_path / f"step{suffix}").read_text(encoding="utf-8")
    with pytest.raises(InputError, match=r"\.html"):
        step.save(tmp_path / "step.pdf")


def test_the_state_of_an_optimizer_goes_on() -> None:
    X, y = moons()
    net = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    for _ in range(2):
        net.step(X, y, Adam(0.1))
    step = net.explain(X, y, optimizer=Adam(0.1))
    assert step.given["t"] == 3
    assert "m_W1" in step.given
    trace = net.step(X, y, Adam(0.1))
    assert (step["W1"].value == trace.after["W1"]).all()


def test_float32_is_compared_with_its_own_precision() -> None:
    X, y = moons()
    net = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    step = net.explain(X.astype(np.float32), y)
    assert step["dW1"].value.dtype == np.float32
    assert all(worked.slopes.agrees for worked in step.steps if worked.slopes)
    assert step.after is None


def test_a_wrong_gradient_is_seen_beside_its_slope() -> None:
    net = mazur()
    net.build(2)
    step = net.replacing("dW1", "2 * X.T @ dz1").explain(MAZUR_X, MAZUR_Y)
    assert not step["dW1"].slopes.agrees
    assert "DIFFER by" in str(step)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"row": 1}, "no row 1"), ({"unit": 2}, "no unit 2"),
        ({"row": -1}, "row must be"), ({"unit": 1.5}, "unit must be"),
        ({"optimizer": LBFGS()}, "SciPy"), ({"optimizer": SGD(OnPlateau(0.1))}, "OnPlateau"),
        ({"optimizer": "sgd"}, "must be an optimizer"), ({"why": "W1"}, r"W1\[0,0\]"), ({"why": "W9[0,0]"}, "W9"),
        ({"why": "W1[5,0]"}, "no entry"), ({"why": 3}, "not 3"), ({"why": "b1[0,0]"}, "no entry"),
    ],
)  # fmt: skip
def test_what_cannot_be_worked_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        explain(mazur(), MAZUR_X, MAZUR_Y, **more)


# -- freezing --------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["reference", "compiled"])
def test_frozen_parameters_stay_and_the_others_go_their_way(engine: str) -> None:
    if engine == "compiled":
        pytest.importorskip("llvmlite")
    X, y = moons()
    nets = [Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0) for _ in range(2)]
    nets[0].fit(X, y, optimizer=Chain(Freeze("b1"), Adam(0.1)), epochs=5, batch_size=50, engine=engine)
    for _ in range(1):
        start = nets[1].build(2).parameters["b1"].copy()
    assert (nets[0].parameters["b1"] == start).all()
    assert (nets[0].parameters["W1"] != nets[1].parameters["W1"]).all()


def test_freezing_names_what_is_there() -> None:
    net = Network([Dense(2)], loss=CrossEntropy(), n_in=2)
    with pytest.raises(InputError, match="W7"):
        net.program(Chain(Freeze("W7"), SGD(0.1)))
    with pytest.raises(InputError, match="leaves no parameter"):
        net.program(Chain(Freeze("W1", "b1"), SGD(0.1)))
    with pytest.raises(InputError, match="names of parameters"):
        Freeze()


# -- people's own parts -----------------------------------------------------------------------


def shrinking(theta: Any, g: Any, lr: float, t: int) -> Any:
    # The rate becomes smaller from step to step.
    step = lr / t
    theta = theta - step * g
    return theta


@dataclass(frozen=True)
class Shrinking(Optimizer):
    rules = (shrinking,)


def test_a_line_of_an_optimizer_that_gives_one_number_is_worked() -> None:
    step = mazur().explain(MAZUR_X, MAZUR_Y, optimizer=Shrinking(0.5))
    assert step["step_W1"].entry == 0.5
    assert step["step_W1"].index == ()
