"""Rewrites: a right statement made wrong, by its syntax.

A mistake in a program is not a formula written down a second time but a change of the right one: a factor left out, an
axis exchanged, a sign turned.  So it can be made in any network's program.  Each function here takes a program and
gives the wrong right-hand sides by name; where a program has no such place, it gives none.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping

from workings.program.program import Program, Statement, names_in, text_of

Edits = Mapping[str, str]
Rewrite = Callable[[Program], Edits]


def parsed(statement: Statement) -> ast.expr:
    """Return the right-hand side as a tree that may be changed."""
    return copy.deepcopy(statement.tree)


def each(
    program: Program, stage: str, wanted: Callable[[Statement], bool], change: Callable[[ast.expr], ast.expr]
) -> Edits:
    """Change the statements of a stage that are wanted; those that come out the same are left out."""
    changed = {s.target: text_of(change(parsed(s))) for s in program.stage(stage) if wanted(s)}
    return {target: text for target, text in changed.items() if text != program[target].expression}


class Sums(ast.NodeTransformer):
    """Gives every call of ``.sum`` other keywords."""

    def __init__(self, keywords: Callable[[list[ast.keyword]], list[ast.keyword]]) -> None:
        self.keywords = keywords

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "sum":
            return ast.Call(node.func, node.args, self.keywords(node.keywords))
        return node


class Names(ast.NodeTransformer):
    """Puts other expressions in the place of names."""

    def __init__(self, **others: str) -> None:
        self.others = others

    def visit_Name(self, node: ast.Name) -> ast.expr:
        text = self.others.get(node.id)
        return node if text is None else ast.parse(text, mode="eval").body


def bias_sums_without_axis(program: Program) -> Edits:
    """``db1 = dz1.sum(axis=0)`` becomes ``dz1.sum()``: one number for all biases."""
    biases = {f"d{name}" for name in program.parameters if name.startswith("b")}
    return each(program, "backward", lambda s: s.target in biases, Sums(lambda _: []).visit)


def softmax_over_rows(program: Program) -> Edits:
    """``e / e.sum(axis=1, …)`` becomes ``e / e.sum(axis=0, …)``, and the same in the loss."""
    over = [ast.keyword("axis", ast.Constant(0)), ast.keyword("keepdims", ast.Constant(True))]
    return each(program, "forward", lambda s: "e.sum(" in s.expression, Sums(lambda _: over).visit)


def slopes(program: Program) -> list[tuple[Statement, ast.BinOp]]:
    """The statements ``dz = da * slope``, from the last layer to the first."""
    places = []
    for statement in program.stage("backward"):
        tree = parsed(statement)
        comes_back = isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Mult) and text_of(tree.left)[:2] == "da"
        if statement.target.startswith("dz") and comes_back:
            places.append((statement, tree))
    return places  # type: ignore[return-value]


def no_slopes(program: Program) -> Edits:
    """``dz1 = da1 * (1 - a1**2)`` becomes ``da1``: the activation's derivative is forgotten."""
    return {statement.target: text_of(tree.left) for statement, tree in slopes(program)}


def activation_for_slope(program: Program) -> Edits:
    """``dz1 = da1 * (1 - a1**2)`` becomes ``da1 * a1``: the function is taken for its derivative."""
    return {s.target: f"{text_of(tree.left)} * {text_of(tree.left)[1:]}" for s, tree in slopes(program)}


def slope_of_sum(program: Program) -> Edits:
    """``dz1 = da1 * (1 - a1**2)`` becomes ``da1 * (1 - z1**2)``: a derivative in terms of a is given z."""
    found = {}
    for statement, tree in slopes(program):
        a, z = text_of(tree.left)[1:], statement.target[1:]
        found[statement.target] = text_of(ast.BinOp(tree.left, ast.Mult(), Names(**{a: z}).visit(tree.right)))
    return {target: text for target, text in found.items() if text != program[target].expression}


def sum_for_mean(program: Program) -> Edits:
    """``dz2 = (p - y) / n`` becomes ``p - y``: the loss is a mean, its gradient a sum."""
    first = program.stage("backward")[0]
    tree = parsed(first)
    is_divided = isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Div)
    return {first.target: text_of(tree.left)} if is_divided else {}  # type: ignore[attr-defined]


class PenaltySign(ast.NodeTransformer):
    """Turns the sign before what a regularizer adds."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        if isinstance(node.op, ast.Add) and any(name.startswith("lam") for name in names_in(node.right)):
            return ast.BinOp(node.left, ast.Sub(), node.right)
        return node


def penalty_sign(program: Program) -> Edits:
    """``dW1 = X.T @ dz1 + lam * W1`` becomes ``X.T @ dz1 - lam * W1``."""
    return each(program, "backward", lambda s: s.target.startswith("dW"), PenaltySign().visit)


def turned(tree: ast.expr) -> ast.expr:
    """``a - b`` becomes ``a + b``, and the other way round."""
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Sub, ast.Add)):
        return ast.BinOp(tree.left, ast.Add() if isinstance(tree.op, ast.Sub) else ast.Sub(), tree.right)
    return tree


def uphill(program: Program) -> Edits:
    """``W1 = W1 - lr * dW1`` becomes ``W1 + lr * dW1``."""
    return each(program, "update", lambda s: s.target in program.parameters, turned)


def first_layer_frozen(program: Program) -> Edits:
    """``W1 = W1 - lr * dW1`` becomes ``W1 = W1``, and the same for ``b1``."""
    first = {f"{letter}1" for letter in "Wb"}
    return each(program, "update", lambda s: s.target in first, lambda tree: next(
        node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in first
    ))  # fmt: skip


def scores_not_shifted(program: Program) -> Edits:
    """``s = z2 - z2.max(axis=1, keepdims=True)`` becomes ``z2``."""
    return each(
        program, "forward", lambda s: ".max(" in s.expression,
        lambda tree: tree.left if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Sub) else tree,
    )  # fmt: skip


def sum_for_activation(program: Program) -> Edits:
    """``z2 = a1 @ W2 + b2`` becomes ``z1 @ W2 + b2``: the next layer is given the sum before the activation."""
    bent = {
        s.target: f"z{s.target[1:]}" for s in program.stage("forward") if s.target[:1] == "a" and s.target[1:].isdigit()
    }
    return each(
        program, "forward", lambda s: s.target.startswith("z") and bool(s.reads & bent.keys()), Names(**bent).visit
    )


def targets_as_row(program: Program) -> Edits:
    """``(p - y) ** 2`` becomes ``(p - y.T) ** 2``: a column and a row are spread over each other.

    The gradient is that of the spread loss, as automatic differentiation would give it: summed over the columns.
    """
    first = program.stage("backward")[0]
    tree = Names(y="y.T").visit(parsed(first).left)  # type: ignore[attr-defined]
    return {
        "losses": text_of(Names(y="y.T").visit(parsed(program["losses"]))),
        first.target: f"({text_of(tree)}).sum(axis=1, keepdims=True) / n**2",
    }


def transposed_weights(program: Program) -> Edits:
    """``da1 = dz2 @ W2.T`` becomes ``dz2 @ W2``, where W2 is square and both have a meaning."""
    square = {f"W{n}" for n in range(1, 100) if is_square(program, f"dW{n}")}
    return each(
        program, "backward", lambda s: s.target.startswith("da") and bool(s.reads & square),
        lambda tree: ast.BinOp(tree.left, ast.MatMult(), tree.right.value)
        if isinstance(tree, ast.BinOp) and isinstance(tree.right, ast.Attribute) else tree,
    )  # fmt: skip


def is_square(program: Program, target: str) -> bool:
    """Whether a result has as many rows as columns, and more than one."""
    shapes = [s.shape for s in program.statements if s.target == target]
    return bool(shapes) and shapes[0] is not None and len(set(shapes[0])) == 1 and shapes[0][0] != 1


def mean_over_rows(program: Program) -> Edits:
    """``z2 = a1 @ W2 + b2`` is given the mean of ``a1`` over the rows; the way back goes through the mean, too."""
    a = next(s.target for s in program.stage("forward") if s.target[:1] == "a" and s.target[1:].isdigit())
    mean, back = f"({a}.mean(axis=0, keepdims=True) + 0 * {a})", program[f"d{a}"]
    handed_on = [s for s in program.statements if a in s.reads and s.target[:1] == "z"]
    handed_on += [s for s in program.stage("backward") if a in s.reads and s.target[:2] == "dW"]
    found = {s.target: text_of(Names(**{a: mean}).visit(parsed(s))) for s in handed_on}
    return {**found, back.target: f"({back.expression}).mean(axis=0, keepdims=True) + 0 * {a}"}
