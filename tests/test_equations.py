"""Equations: what is printed is read again, by a reader of LaTeX that knows nothing of the program, and computed."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.strategies import optimizers, problems
from workings import Adam, BatchNorm, CrossEntropy, Dense, InputError, Network, SquaredError
from workings.engines.reference import Tracer
from workings.readings.equations import EquationWriter, LatexNotation, PlainNotation
from workings.support.arrays import as_random

FUNCTIONS: dict[str, Any] = {
    "max": lambda *of: functools.reduce(np.maximum, of), "min": np.minimum, "size": np.size,
    "columns": lambda x: x.shape[1], "rows": len,
}  # fmt: skip
COMPARE = {">": np.greater, "<": np.less, r"\ge": np.greater_equal, r"\le": np.less_equal, "=": np.equal}
OVER = {"": None, "i": 0, "j": 1}


class Reader:
    """Reads LaTeX as we write it, and computes it; what a symbol is worth is given."""

    def __init__(self, text: str, values: dict[str, Any], functions: dict[str, Any]) -> None:
        self.text, self.values, self.functions = text, values, functions
        self.symbols = sorted(values, key=len, reverse=True)

    def skip(self) -> None:
        self.text = self.text.lstrip()

    def take(self, word: str) -> bool:
        self.skip()
        if not self.text.startswith(word):
            return False
        self.text = self.text[len(word) :]
        return True

    def need(self, word: str) -> None:
        assert self.take(word), f"expected {word} at {self.text!r}"

    def all(self) -> Any:
        value = self.sum()
        self.skip()
        assert not self.text, f"left over: {self.text!r}"
        return value

    def sum(self) -> Any:
        value = -self.product() if self.take("-") else self.product()
        while True:
            if self.take("+"):
                value = value + self.product()
            elif self.take("-"):
                value = value - self.product()
            else:
                return value

    def product(self) -> Any:
        value = self.power()
        while True:
            if self.take(r"\odot") or self.take(r"\cdot"):
                value = value * self.power()
            elif self.take(r"\,"):
                other = self.power()
                value = value @ other if np.ndim(value) and np.ndim(other) else value * other
            else:
                return value

    def power(self) -> Any:
        value = self.atom()
        while self.take("^{"):
            value = value.T if self.take(r"\top") else value ** self.sum()
            self.need("}")
        return value

    def over(self, kind: str) -> Any:
        index = self.text[2] if self.text.startswith("_{") else ""
        if index:
            self.need(f"_{{{index}}}")
        value, axis = self.power(), OVER[index]
        return getattr(np, kind)(value, axis=axis, keepdims=axis is not None)

    def atom(self) -> Any:
        self.skip()
        for symbol in self.symbols:
            if self.text.startswith(symbol) and not re.match(r"[A-Za-z]", self.text[len(symbol) :]):
                self.need(symbol)
                return self.values[symbol]
        number = re.match(r"\d+(\.\d+)?(e[-+]?\d+)?", self.text)
        if number:
            self.need(number.group())
            return float(number.group())
        if self.take(r"\sum"):
            return self.over("sum")
        if self.text.startswith(r"\max_"):
            self.need(r"\max")
            return self.over("max")
        for kind in ("mean", "var"):
            if self.text.startswith((rf"\operatorname{{{kind}}}_", rf"\operatorname{{{kind}}} ")):
                self.need(rf"\operatorname{{{kind}}}")
                return self.over(kind)
        return self.bracket()

    def bracket(self) -> Any:
        if self.take(r"\left("):
            return self.until(r"\right)")
        if self.take(r"\left|"):
            return np.abs(self.until(r"\right|"))
        if self.take(r"\sqrt{"):
            return np.sqrt(self.until("}"))
        if self.take(r"\frac{"):
            above = self.until("}")
            self.need("{")
            return above / self.until("}")
        if self.take(r"\left["):
            value = self.condition()
            self.need(r"\right]")
            return value * 1.0
        if self.take(r"\begin{cases}"):
            yes = self.until(r"& \text{if }")
            condition = self.condition()
            self.need(r"\\")
            no = self.until(r"& \text{else}")
            self.need(r"\end{cases}")
            return np.where(condition, yes, no)
        return self.function()

    def until(self, end: str) -> Any:
        value = self.sum()
        self.need(end)
        return value

    def condition(self) -> Any:
        left = self.sum()
        sign = next(sign for sign in COMPARE if self.take(sign))
        return COMPARE[sign](left, self.sum())

    def function(self) -> Any:
        match = re.match(r"\\operatorname\{(.+?)\}|\\([a-z]+)", self.text)
        assert match, f"what is {self.text!r}?"
        self.need(match.group())
        name = (match.group(1) or match.group(2)).replace("\\_", "_")
        self.need(r"\left(")
        args = [self.sum()]
        while self.take(","):
            args.append(self.sum())
        self.need(r"\right)")
        function = FUNCTIONS.get(name) or self.functions.get(name) or getattr(np, name)
        return function(*args)


def as_matrix(value: Any) -> Any:
    """A vector as one row, so that rows and columns can be counted."""
    return np.asarray(value, dtype=float)[None] if np.ndim(value) == 1 else np.asarray(value, dtype=float)


def check(network: Network, X: np.ndarray, y: np.ndarray, w: Any, optimizer: Any, notation: str) -> None:
    """Compute each printed equation from what came before, and compare it with the trace."""
    features, targets, weights = network.prepare(X, y, w)
    program = network.program(optimizer, weighted=w is not None)
    values: dict[str, Any] = {"X": features, "y": targets, "w": weights, "n": len(features), "lr": 0.1, "t": 3}
    values |= {**network.start_values(program), **network.draw_masks(len(features), as_random(0)), **program.constants}
    writer = EquationWriter(program, LatexNotation(notation))
    plain = EquationWriter(program, PlainNotation())
    known = {writer.name(name): as_matrix(value) for name, value in values.items() if value is not None}
    assert len({writer.name(s.target) for s in program.statements}) == len({s.target for s in program.statements})
    for number, statement in enumerate(program.statements):
        symbol, sign, right = writer.sides(statement)
        assert writer.equation(statement) == symbol + sign + right
        assert sign == (
            r" \gets " if statement.target in program.carried or statement.target in statement.reads else " = "
        )
        found = Reader(right, known, dict(program.functions)).all()
        so_far = dataclasses.replace(program, statements=program.statements[: number + 1])
        partial = Tracer(so_far)({name: value for name, value in values.items() if value is not None})
        expected = partial.after.get(statement.target, partial[statement.target])
        scale = np.abs(expected).max(initial=1e-9)
        np.testing.assert_allclose(
            np.broadcast_to(np.reshape(found, np.shape(expected)) if np.size(found) == np.size(expected) else found,
                            np.shape(expected)),
            expected, rtol=1e-9, atol=1e-9 * scale, err_msg=f"{statement}: {right}",
        )  # fmt: skip
        assert plain.equation(statement).count("(") == plain.equation(statement).count(")")
        known[symbol] = as_matrix(expected)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(problems(), optimizers(), st.sampled_from(["alphabet", "paper"]))
def test_what_is_printed_is_what_runs(problem: Any, optimizer: Any, notation: str) -> None:
    check(problem.network, problem.X, problem.y, problem.w, optimizer, notation)


def test_a_network_of_the_textbook() -> None:
    network = Network([Dense(3, "sigmoid"), Dense(1)], loss=SquaredError(half=True), n_in=2, seed=0)
    equations = network.equations(notation="paper")
    assert equations["z1"] == r"z^{[1]} = X \, W^{[1]} + b^{[1]}"
    assert equations["dW1"] == r"\frac{\partial J}{\partial W^{[1]}} = X^{\top} \, \delta^{[1]}"
    assert r"\begin{aligned}" in equations.latex
    lines = str(network.equations()).splitlines()
    assert lines[0] == "forward"
    assert "  z₁ = X W₁ + b₁" in lines
    assert "  ∂J/∂W₁ = Xᵀ ∂J/∂z₁" in lines
    assert equations._repr_latex_().startswith("$$")


def test_an_optimizer_and_hats() -> None:
    network = Network([Dense(2), BatchNorm("tanh"), Dense(2)], loss=CrossEntropy(), n_in=2, seed=0)
    text = network.equations(Adam()).latex
    for part in (r"\hat{m}_{W_{1}}", r"\hat{x}_{1}", r"\gamma_{1}", r"\eta", r"\varepsilon"):
        assert part in text


def test_an_optimizers_numbers_are_not_those_of_layers() -> None:
    network = Network([Dense(2)], loss=CrossEntropy(), n_in=2, seed=0)
    assert network.equations(Adam(), notation="paper")["v_W1"].startswith(r"v_{W^{[1]}} \gets \beta_{2} \, v_{W^{[1]}}")
    with pytest.raises(InputError, match="must be an optimizer"):
        network.equations("adam")  # type: ignore[arg-type]


def test_another_notation_is_refused() -> None:
    with pytest.raises(InputError, match="alphabet"):
        Network([Dense(2)], loss=CrossEntropy(), n_in=2).equations(notation="handwriting")
