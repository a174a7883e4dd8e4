"""The worked step in words: notes on functions, derivations, headings, counting, and where values come from."""

from __future__ import annotations

import re
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
    "softplus": ("a1", "log1p(x) is log(1 + x)"), "mish": ("h1", "log1p(x) is log(1 + x)"),
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
