"""The worked step in words: notes on functions, derivations, headings, counting, and where values come from."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workings as w
from workings.activations import ACTIVATIONS
from workings.datasets import moons
from workings.derivations import DERIVATIONS, derivation_of
from workings.losses import LOSSES
from workings.readings.explain import Explanation
from workings.schedules import Cosine
from workings.support.brief import brief
from workings.support.formulas import letters_of

X, Y = moons()


def step(layers: list[Any], loss: Any, y: Any = None, rows: int = 6, **more: Any) -> Explanation:
    """One step on a few rows."""
    names = ("regularizer", "seed")
    net = w.Network(layers, loss=loss, **{"seed": 0, **{name: more.pop(name) for name in names if name in more}})
    explanation = net.explain(X[:rows], Y[:rows] if y is None else np.asarray(y)[:rows], **more)
    assert isinstance(explanation, Explanation)
    return explanation


# -- derivations -----------------------------------------------------------------------------


@pytest.mark.parametrize("formulas", DERIVATIONS, ids=lambda formulas: formulas[1].__name__)
def test_every_derivative_of_a_derivation_agrees_with_finite_differences(formulas):
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(5, 3)), rng.dirichlet(np.ones(3), 5)
    values = {"z": z, "p": formulas[0](z), "y": y}

    def evaluated(function: Any, **changed: Any) -> Any:
        known = {**values, **changed}
        return function(*(known[letter] for letter in letters_of(function, known)))

    for line in DERIVATIONS[formulas][0]:
        if line.of is None:
            continue
        by, h = values[line.by], 1e-6
        for place in np.ndindex(by.shape):
            nudge = np.zeros(by.shape)
            nudge[place] = h
            up, down = (evaluated(line.of, **{line.by: moved}).sum() for moved in (by + nudge, by - nudge))
            exact = np.broadcast_to(evaluated(line.formula), by.shape)[place]
            assert (up - down) / (2 * h) == pytest.approx(exact, rel=1e-6, abs=1e-8), line.words


CASES: dict[str, tuple[Any, Any, Any]] = {
    "softmax": ([w.Dense(3, "tanh"), w.Dense(2)], w.CrossEntropy(), None),
    "sum": ([w.Dense(2)], w.CrossEntropy(reduction="sum"), None),
    "smoothed": ([w.Dense(2)], w.CrossEntropy(label_smoothing=0.2), None),
    "sigmoid": ([w.Dense(3, "relu"), w.Dense(1)], w.BinaryCrossEntropy(), None),
    "squared": ([w.Dense(2)], w.SquaredError(), X),
    "half": ([w.Dense(1)], w.SquaredError(half=True, reduction="sum"), X[:, 0]),
    "counts": ([w.Dense(1)], w.Poisson(), np.arange(len(X)) % 4),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_each_line_of_a_derivation_is_the_value_of_the_program(name, weighted):
    layers, loss, y = CASES[name]
    weights = np.arange(1.0, 7.0) if weighted else None
    explanation = step(layers, loss, y, row=2, sample_weight=weights)
    assert all(line.agrees and line.is_finite for line in explanation.derivation)
    last = explanation.derivation[-1]
    gradient = explanation.program.stage("backward")[0].target
    assert last.equals == gradient
    assert last.entry == pytest.approx(explanation[gradient].entry, rel=1e-12)
    text = re.sub(r"\s+", " ", str(explanation))
    assert text.count("Why ∂J/∂z") == 1
    assert 4 <= len(explanation.derivation) <= 5
    assert f"as {gradient}[2,0] of the program" in text


def test_a_wrong_gradient_is_not_what_the_derivation_gives():
    net = w.Network([w.Dense(2)], loss=w.CrossEntropy(), seed=0, n_in=2).replacing("dz1", "(p + y) / n")
    explanation = net.explain(X[:4], Y[:4])
    assert [line.agrees for line in explanation.derivation] == [True] * 4 + [False]
    assert "THE PROGRAM'S dz1 DIFFERS" in str(explanation)


def test_a_derivation_that_overflows_says_so_and_one_that_is_missing_is_left_out():
    large = step([w.Dense(2, weights=[[5000.0, 0], [0, 1]])], w.CrossEntropy())
    assert "leaves the range of numbers" in str(large)
    assert "DIFFERS" not in str(large)
    assert step([w.Dense(1)], w.Huber(), X[:, 0]).derivation == ()

    class Mine(w.CrossEntropy):
        value = staticmethod(lambda z, y: (z * y).sum(axis=1, keepdims=True))

    assert derivation_of(Mine()) == ((), "")


# -- notes -----------------------------------------------------------------------------------

WORDS = {
    "sigmoid": ("a1", "max(z1, -88) replaces values below -88 by -88, so that exp cannot overflow"),
    "silu": ("s1", "max(z1, -88) replaces values below -88"),
    "softplus": ("a1", "log1p(x) is log(1 + x)"), "mish": ("e1", "min(z1, 20) replaces values above 20 by 20"),
    "elu": ("a1", "expm1(x) is exp(x) - 1"), "selu": ("a1", "min(z1, 0) replaces values above 0 by 0"),
    "leaky_relu": ("dz1", "heaviside(z1, 0) is a step: 0 where z1 is negative"), "gelu": ("a1", "error function"),
}  # fmt: skip


@pytest.mark.parametrize("name", WORDS)
def test_a_line_says_what_a_function_is_for_where_it_occurs(name):
    target, words = WORDS[name]
    explanation = step([w.Dense(3, name), w.Dense(2)], w.CrossEntropy())
    assert any(words in note for note in explanation[target].notes)
    assert words in re.sub(r"\s+", " ", str(explanation))


def test_unusual_functions_of_all_parts_have_a_note():
    """Walk the registries: each of these functions is explained wherever it stands."""
    programs = [
        w.Network([w.Dense(2, name), w.Dense(1)], loss="SquaredError", n_in=2).program() for name in ACTIVATIONS
    ]
    programs += [w.Network([w.Dense(2)], loss=kind(), n_in=2).program() for kind in LOSSES.values()]
    programs += [w.Network([w.Dense(2)], loss=w.Poisson(deviance=True), n_in=2).program(w.Adam())]
    from workings.readings.notes import function_notes

    for program in programs:
        for statement in program.statements:
            notes = " ".join(function_notes(statement))
            for function in ("log1p", "expm1", "heaviside", "sign", "erf"):
                assert f"{function}(" not in statement.expression or function in notes, statement
            limited = re.search(r"np\.exp(m1)?\([^()]*np\.(maximum|minimum)", statement.expression)
            assert limited is None or "cannot overflow" in notes, statement


@pytest.mark.parametrize(("rate", "kept"), [(0.4, "1.66667"), (0.5, "2"), (0.2, "1.25")])
def test_the_mask_says_where_it_and_its_number_come_from(rate, kept):
    explanation = step([w.Dense(3, "tanh"), w.Dropout(rate), w.Dense(2)], w.CrossEntropy())
    words = explanation.origins["mask1"]
    assert f"mask1 = (u >= {rate}) / (1 - {rate})" in words
    assert f"1 / (1 - {rate}) = {kept}" in words
    assert words in re.sub(r"\s+", " ", str(explanation))


def test_why_the_gradient_of_a_bias_before_batch_normalization_is_0():
    layers = [w.Dense(3), w.BatchNorm("relu"), w.Dense(4), w.Dense(3), w.BatchNorm(), w.Dense(2)]
    explanation = step(layers, w.CrossEntropy())
    for name in ("db1", "db2", "db3"):
        assert any("batch normalization subtracts the mean" in note for note in explanation[name].notes), name
    assert not explanation["db4"].notes
    without = step([w.Dense(3, "tanh"), w.BatchNorm(), w.Dense(2)], w.CrossEntropy())
    assert not without["db1"].notes


# -- words -----------------------------------------------------------------------------------


def test_losses_of_outputs_are_not_called_those_of_rows():
    assert step([w.Dense(2)], w.SquaredError(), X)["losses"].statement.words.startswith("Each output's loss")
    assert step([w.Dense(1)], w.BinaryCrossEntropy())["losses"].statement.words.startswith("Each output's loss")
    assert step([w.Dense(1)], w.Huber(), X[:, 0])["losses"].statement.words.startswith("Each output's loss")
    assert step([w.Dense(2)], w.CrossEntropy())["losses"].statement.words.startswith("Each row's loss")


def test_label_smoothing_and_weights_in_true_words():
    smoothed = step([w.Dense(2)], w.CrossEntropy(label_smoothing=0.1))
    assert "is the sum over the classes of target times -log p" in smoothed["losses"].statement.words
    assert "1 - smoothing of each target stays" in smoothed["y_smooth"].statement.words
    text = str(step([w.Dense(3, "tanh"), w.Dense(2)], w.CrossEntropy(), sample_weight=np.ones(6)))
    assert "by their weights" not in text
    assert "gradient times weight" in text


def test_an_update_is_an_assignment_and_a_finite_difference_is_with_respect_to_a_value():
    explanation = step([w.Dense(3, "tanh"), w.BatchNorm(), w.Dense(2)], w.CrossEntropy(), optimizer=w.SGD(0.1))
    text = str(explanation)
    assert "  W₁ ← W₁ - η ∂J/∂W₁" in text
    assert "W₁[0,0] ← W₁[0,0] - η ∂J/∂W₁[0,0]" in text
    assert "W₁ = W₁" not in text
    assert "running_mean₁ ←" in text
    assert r"W_{1} &\gets W_{1} - \eta" in explanation.latex
    assert "←</mo>" in explanation.html
    assert "finite difference of J with respect to z2[0,0]" in text
    assert "finite difference of J at" not in text + explanation.html + explanation.latex


def test_headings_have_no_default_arguments_and_no_second_way_of_counting():
    explanation = step([w.Dense(3, "tanh"), w.Dropout(0.4), w.Dense(2)], w.CrossEntropy(), optimizer=w.Adam(0.01))
    lines = str(explanation).splitlines()
    for heading in ("Dense(3, 'tanh') with W1 and b1", "Dropout(rate=0.4) with mask1", "Dense(2) with W2 and b2",
                    "loss: CrossEntropy()", "optimizer: Adam(lr=0.01)"):  # fmt: skip
        assert heading in lines
    for shown in (str(explanation), explanation.html, explanation.latex):
        assert not re.search(r"layer \d", shown)
        assert "reduction=" not in shown
        assert "beta1=" not in shown
        assert "count from 0" in re.sub(r"\s+", " ", shown)


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (w.CrossEntropy(label_smoothing=0.1), "CrossEntropy(label_smoothing=0.1)"),
        (w.Dense(3, bias=False), "Dense(3, bias=False)"), (w.BatchNorm(), "BatchNorm()"),
        (w.Chain(w.Freeze("b1"), w.ClipByNorm(1.0), w.AdamW(0.1)),
         "Chain(Freeze('b1'), ClipByNorm(max_norm=1.0), AdamW(lr=0.1))"),
        (w.SGD(Cosine(0.1, steps=10)), "SGD(lr=Cosine(lr=0.1, steps=10))"),
        (w.Huber(delta=2.0), "Huber(delta=2.0)"), ("text", "'text'"), (len, "<built-in function len>"),
    ],
)  # fmt: skip
def test_brief_code_leaves_defaults_out(thing, text):
    assert brief(thing) == text


# -- rows ------------------------------------------------------------------------------------


def test_four_to_eight_rows_are_shown_at_first():
    few = str(step([w.Dense(9)], w.CrossEntropy(), np.arange(8) % 9, rows=8))
    assert "      z1[7]" in few
    assert "more rows" not in few
    many = step([w.Dense(3)], w.CrossEntropy(), np.arange(40) % 3, rows=40, row=17)
    assert re.findall(r"\n      z1\[(\d+)\]", str(many)) == ["0", "1", "2", "3", "4", "17"]
    assert "(34 more rows)" in str(many)


# -- the page --------------------------------------------------------------------------------


def digits_step(**more: Any) -> Explanation:
    """A step on images of 8 by 8 pixels."""
    pixels, labels = np.random.default_rng(0).integers(0, 17, (20, 64)).astype(float), np.arange(20) % 10
    net = w.Network([w.Dense(12, "relu"), w.Dense(10)], loss=w.CrossEntropy(), seed=0)
    explanation = net.explain(pixels, labels, **more)
    assert isinstance(explanation, Explanation)
    return explanation


def rows_of_tables(page: str, name: str) -> list[list[str]]:
    """The row headings of the tables of an array, in order."""
    tables = re.findall(rf"<caption><span>{name} .*?</table>", page)
    return [re.findall(r'<th scope="row">(\d+)</th>', table) for table in tables]


def test_the_page_shows_six_rows_and_the_others_on_request():
    page = step([w.Dense(3)], w.CrossEntropy(), np.arange(40) % 3, rows=40, row=17).html
    first, others = rows_of_tables(page, "z1")
    assert first == ["0", "1", "2", "3", "4", "17"]
    assert sorted(map(int, first + others)) == list(range(40))
    assert "<details><summary>the other 34 rows of z1</summary>" in page
    assert rows_of_tables(step([w.Dense(3)], w.CrossEntropy(), np.arange(8) % 3, rows=8).html, "z1") == [
        list("01234567")
    ]


def test_every_number_shows_the_statement_and_the_factors_that_it_comes_from():
    explanation = step([w.Dense(3, "tanh"), w.Dense(2)], w.CrossEntropy(), optimizer=w.SGD(0.1))
    page = explanation.html
    cells = re.findall(r'<td tabindex="0"( data-at="[^"]*")?( data-from="[^"]*")?>([^<]*)(.*?)</td>', page)
    assert len(cells) > 100
    assert page.count("<td tabindex") == page.count('<span class="from">') == len(cells)
    found = {at[10:-1]: (of[12:-1], rest) for at, of, _, rest in cells if at}
    names, text = found["z1[2,1]"]
    assert names.split() == ["X[2,0]", "W1[0,1]", "X[2,1]", "W1[1,1]", "b1[1]"] or set(names.split()) == {
        "X[2,0]", "W1[0,1]", "X[2,1]", "W1[1,1]", "b1[1]"}  # fmt: skip
    assert "z1 = X @ W1 + b1" in text
    assert f"z1[2,1] = {explanation['z1'].value[2, 1]:.6g}" in text
    assert set(names.split()) <= set(found), "each factor can be lit"
    assert "A parameter: its value before this step." in found["W1[0,1]"][1]
    for at, (names, _) in found.items():
        assert set(names.split()) <= set(found), at


def test_the_numbers_that_a_cell_shows_give_its_value():
    explanation = step([w.Dense(3, "sigmoid"), w.Dense(2)], w.SquaredError(), X)
    for worked in explanation.steps:
        for index in np.ndindex(np.shape(worked.value)):
            form = worked.entries.entry(worked.statement.expression, index, numbers=True)
            value = eval(ast.unparse(form), {"np": np, "max": max, "sum": sum})
            assert value == pytest.approx(float(np.asarray(worked.value)[index]), rel=1e-9, abs=1e-12)


def test_the_drawing_has_the_written_out_path_lit():
    explanation = step([w.Dense(3, "tanh"), w.Dropout(0.4), w.Dense(2)], w.CrossEntropy(), rows=6, row=3, unit=1)
    svg = re.search(r"<svg.*?</svg>", explanation.html, re.S)
    assert svg is not None
    lit = re.findall(r'<a href="#(\w+)" class="lit" data-at="([^"]*)"', svg[0])
    row, column = explanation["dW1"].index
    assert [at for _, at in lit] == [f"X[3,{row}]", "a1_drop[3,1]", "p[3,1]"]
    assert column == 1
    assert svg[0].count('class="lit plus"') + svg[0].count('class="lit minus"') == 2
    assert f'<article id="{lit[1][0]}"' in explanation.html
    assert f"p[3,1] = {explanation['p'].value[3, 1]:.6g}, computed by p = " in svg[0]


@pytest.mark.parametrize("layers", [[w.Dense(1)], [w.NTKDense(12, "relu"), w.BatchNorm(), w.Dense(2)],
                                    [w.SmoothClip(), w.Scale(), w.Dense(3, bias=False), w.Dense(2)]])  # fmt: skip
def test_other_networks_are_drawn_too(layers):
    svg = re.search(
        r"<svg.*?</svg>", step(layers, w.SquaredError(), X if layers[-1].units == 2 else X[:, 0]).html, re.S
    )
    assert svg is not None
    dense = sum(hasattr(layer, "units") for layer in layers)
    assert svg[0].count('class="lit" data-at') == dense + 1


def test_a_derivation_has_the_unit_of_the_last_layer_which_may_have_fewer():
    explanation = step([w.Dense(3, "tanh"), w.Dense(1)], w.BinaryCrossEntropy(), Y, row=4, unit=2)
    for shown in (explanation.html, explanation.latex, str(explanation)):
        assert "With the numbers of row 4, unit 0:" in shown
        assert "row 4, unit 2:" not in shown


@pytest.mark.parametrize("loss", [w.SquaredError(), w.SquaredError(half=True)])
def test_a_derivation_does_not_write_a_number_twice(loss):
    explanation = step([w.Dense(2)], loss, X)
    assert explanation.html.count("<mn>1</mn></mrow></mtd></mtr></mtable>") <= 1
    assert not re.search(r"= 1\n +here: 1", str(explanation))
    assert "&= 1 \\\\\n&= 1" not in explanation.latex


@pytest.mark.parametrize(("first", "line"), [(0, None), (1, "class of each output: 0: 1, 1: 2")])
def test_classes_that_are_their_own_indices_are_not_listed(first, line):
    net = w.Network([w.Dense(2)], loss=w.CrossEntropy(), seed=0)
    net.fit(X, Y + first, optimizer=w.SGD(0.1), epochs=1)
    listed = [text for text in net.explain(X[:6], Y[:6] + first).about if text.startswith("class of each output")]
    assert listed == [line] * (line is not None)


def test_images_are_images():
    page = digits_step(row=7).html
    assert page.count('alt="row 7 of X as 8 × 8 pixels') == 1
    assert 'alt="unit 0 of W1 as 8 × 8 pixels' in page
    assert 'alt="unit 0 of dW1 as 8 × 8 pixels' in page
    assert "<image href=" in page
    assert "14 more of X as images" in page
    assert digits_step().image == (8, 8)
    assert step([w.Dense(2)], w.CrossEntropy()).image is None
    wide = w.Network([w.Dense(2)], loss=w.CrossEntropy(), seed=0).explain(np.ones((4, 784)), Y[:4])
    assert wide.image == (28, 28)
    assert "row 0 of X as 28 × 28 pixels" in wide.html


def test_long_pages_say_which_rows_they_leave_out():
    net = w.Network([w.Dense(9, "tanh"), w.Dense(2)], loss=w.CrossEntropy(), seed=0)
    page = net.explain(np.tile(X, (2, 1)), np.tile(Y, 2)).html
    assert "The other 394 rows of z1 are too many for this page: explain fewer rows" in page
    assert "<details><summary>the other 394 rows of X" in page


@pytest.mark.slow
def test_numbers_can_be_reached_with_the_keyboard(tmp_path: Path) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright with Chromium")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium")
    path = step([w.Dense(3, "tanh"), w.Dense(2)], w.CrossEntropy()).save(tmp_path / "step.html")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width in (400, 1200):
            tab = browser.new_page(viewport={"width": width, "height": 800})
            tab.goto(path.as_uri())
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            drawing, page = tab.locator("svg a").last.bounding_box(), tab.locator("main").bounding_box()
            assert drawing["x"] + drawing["width"] <= page["x"] + page["width"], "J is seen without scrolling"
            caption = tab.locator("caption span", has_text="losses").first.bounding_box()
            assert caption["height"] < 60, "a caption is as wide as its words, not as its table"
            tab.locator('td[data-at="z1[0,0]"]').focus()
            tab.keyboard.press("ArrowRight")
            tab.keyboard.press("ArrowDown")
            shown = tab.locator("td:focus > .from")
            assert shown.is_visible()
            assert "z1[1,1] =" in shown.inner_text()
            assert tab.locator(".factor").count() >= 5
            box = shown.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            tab.keyboard.press("Escape")
            assert not shown.is_visible()
            tab.locator('math [data-entry="W1[0,0]"]').first.focus()
            tab.keyboard.press("ArrowRight")
            assert "X[0,1] =" in tab.locator(".from.open").inner_text()
            assert tab.locator('td.factor[data-at="X[0,1]"]').count() == 1
            tab.evaluate("document.activeElement.blur()")
            assert tab.locator(".from.open").count() == 0
            tab.locator('math [data-entry="z1[0,0]"]').first.hover()
            assert "z1 = X @ W1 + b1" in tab.locator(".from.open").inner_text()
            tab.locator('td[data-at="a1[2,1]"]').hover()
            assert "a1 = np.tanh(z1)" in tab.locator("td:hover > .from").inner_text()
            tab.close()
        browser.close()


# -- LaTeX -----------------------------------------------------------------------------------


def documents() -> dict[str, str]:
    """LaTeX of steps with every activation, loss and kind of part, and with names from data."""
    found = {name: step([w.Dense(2, name), w.Dense(2)], w.CrossEntropy(), optimizer=w.SGD(0.1)).latex
             for name in ACTIVATIONS}  # fmt: skip
    for name, (layers, loss, y) in CASES.items():
        found[f"loss {name}"] = step(layers, loss, y).latex
    net = w.Network([w.Dense(2)], loss=w.CrossEntropy(), seed=0)
    names = np.array(["猫 & ねこ", "größer ≥ 5 €", "α_β^2", "50 % → #1", "naïve « ł » ß"])
    net = w.Network([w.Dense(5)], loss=w.CrossEntropy(), seed=0)
    found["names"] = net.explain(X[:5], names).latex
    found["influence"] = net.explain(X[:5], names, why="W1[0,0]").latex
    return found


def test_latex_has_only_characters_that_it_knows():
    for name, text in documents().items():
        declared = {chr(int(code, 16)) for code in re.findall(r"DeclareUnicodeCharacter\{(\w+)\}", text)}
        body = text[text.index(r"\begin{document}") :]
        assert {c for c in body if ord(c) > 126} <= declared, name
        assert body.count("{") - body.count(r"\{") == body.count("}") - body.count(r"\}"), name


@pytest.mark.slow
def test_latex_compiles(tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("needs pdflatex")
    for name, text in documents().items():
        path = tmp_path / f"{name.replace(' ', '-')}.tex"
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", path.name],
                              cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)  # fmt: skip
        assert done.returncode == 0, (name, [line for line in done.stdout.splitlines() if line.startswith("!")])


def test_numbers_of_an_equation_know_which_entry_they_are():
    explanation = step([w.Dense(3, "tanh"), w.Dense(2)], w.CrossEntropy(), row=2, unit=1)
    article = re.search(r'<article id="s0".*?</article>', explanation.html, re.S)
    assert article is not None
    equation = article[0][: article[0].index("<table")]
    found = re.findall(r'<mrow data-entry="([^"]*)">(?:<mo[^>]*>−</mo>)?<mn>([^<]*)</mn>', equation)
    assert [place for place, _ in found] == ["X[2,0]", "W1[0,1]", "X[2,1]", "W1[1,1]", "b1[1]"]
    for place, text in found:
        name, index = place[:-1].split("[")
        value = np.asarray(explanation.given[name])[tuple(map(int, index.split(",")))]
        assert f"{abs(float(value)):.6g}" == text
