"""Rewrites: insert a mistake into a program by changing the syntax tree of a correct statement.

A rewrite drops a factor, exchanges an axis or flips a sign, so it applies to the program of any network.  Each
function here takes a program and returns the wrong expressions by the name of their target; the result is empty if
the rewrite does not apply.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping

from workings.program.program import Program, Statement, names_in, text_of

Edits = Mapping[str, str]
Rewrite = Callable[[Program], Edits]


def copied_tree(statement: Statement) -> ast.expr:
    """Return a copy of the right-hand side's syntax tree."""
    return copy.deepcopy(statement.tree)


def rewrite_stage(
    program: Program, stage: str, selects: Callable[[Statement], bool], change: Callable[[ast.expr], ast.expr]
) -> Edits:
    """Apply ``change`` to the selected statements of a stage; return those that differ afterwards."""
    changed = {s.target: text_of(change(copied_tree(s))) for s in program.stage(stage) if selects(s)}
    return {target: text for target, text in changed.items() if text != program[target].expression}


class ReplaceSumKeywords(ast.NodeTransformer):
    """Replace the keywords of every call of ``.sum``."""

    def __init__(self, keywords: Callable[[list[ast.keyword]], list[ast.keyword]]) -> None:
        self.keywords = keywords

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "sum":
            return ast.Call(node.func, node.args, self.keywords(node.keywords))
        return node


class ReplaceNames(ast.NodeTransformer):
    """Replace names by expressions."""

    def __init__(self, **replacements: str) -> None:
        self.replacements = replacements

    def visit_Name(self, node: ast.Name) -> ast.expr:
        text = self.replacements.get(node.id)
        return node if text is None else ast.parse(text, mode="eval").body


def bias_sums_without_axis(program: Program) -> Edits:
    """Sum the bias gradient to one number: ``db1 = dz1.sum(axis=0)`` becomes ``dz1.sum()``."""
    biases = {f"d{name}" for name in program.parameters if name.startswith("b")}
    return rewrite_stage(program, "backward", lambda s: s.target in biases, ReplaceSumKeywords(lambda _: []).visit)


def softmax_over_rows(program: Program) -> Edits:
    """Normalize softmax over the rows: ``e / e.sum(axis=1, …)`` becomes ``e / e.sum(axis=0, …)``, also in the loss."""
    over = [ast.keyword("axis", ast.Constant(0)), ast.keyword("keepdims", ast.Constant(True))]
    return rewrite_stage(
        program, "forward", lambda s: "e.sum(" in s.expression, ReplaceSumKeywords(lambda _: over).visit
    )


def derivative_statements(program: Program) -> list[tuple[Statement, ast.BinOp]]:
    """Return the statements ``dz = da * derivative``, from the last layer to the first."""
    places = []
    for statement in program.stage("backward"):
        tree = copied_tree(statement)
        is_product = isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Mult) and text_of(tree.left)[:2] == "da"
        if statement.target.startswith("dz") and is_product:
            places.append((statement, tree))
    return places  # type: ignore[return-value]


def no_slopes(program: Program) -> Edits:
    """Omit the activation's derivative: ``dz1 = da1 * (1 - a1**2)`` becomes ``da1``."""
    return {statement.target: text_of(tree.left) for statement, tree in derivative_statements(program)}


def activation_for_slope(program: Program) -> Edits:
    """Use the activation as its own derivative: ``dz1 = da1 * (1 - a1**2)`` becomes ``da1 * a1``."""
    return {s.target: f"{text_of(tree.left)} * {text_of(tree.left)[1:]}" for s, tree in derivative_statements(program)}


def slope_of_sum(program: Program) -> Edits:
    """Evaluate the derivative at z instead of a: ``dz1 = da1 * (1 - a1**2)`` becomes ``da1 * (1 - z1**2)``."""
    found = {}
    for statement, tree in derivative_statements(program):
        a, z = text_of(tree.left)[1:], statement.target[1:]
        found[statement.target] = text_of(ast.BinOp(tree.left, ast.Mult(), ReplaceNames(**{a: z}).visit(tree.right)))
    return {target: text for target, text in found.items() if text != program[target].expression}


def sum_for_mean(program: Program) -> Edits:
    """Sum the gradient of a mean: ``dz2 = (p - y) / n`` becomes ``p - y``."""
    first = program.stage("backward")[0]
    tree = copied_tree(first)
    is_divided = isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Div)
    return {first.target: text_of(tree.left)} if is_divided else {}  # type: ignore[attr-defined]


class FlipPenaltySign(ast.NodeTransformer):
    """Subtract the gradient of a penalty instead of adding it."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        if isinstance(node.op, ast.Add) and any(name.startswith("lam") for name in names_in(node.right)):
            return ast.BinOp(node.left, ast.Sub(), node.right)
        return node


def penalty_sign(program: Program) -> Edits:
    """Flip the sign of the penalty: ``dW1 = X.T @ dz1 + lam * W1`` becomes ``X.T @ dz1 - lam * W1``."""
    return rewrite_stage(program, "backward", lambda s: s.target.startswith("dW"), FlipPenaltySign().visit)


def with_flipped_sign(tree: ast.expr) -> ast.expr:
    """Turn ``a - b`` into ``a + b``, and ``a + b`` into ``a - b``."""
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Sub, ast.Add)):
        return ast.BinOp(tree.left, ast.Add() if isinstance(tree.op, ast.Sub) else ast.Sub(), tree.right)
    return tree


def uphill(program: Program) -> Edits:
    """Flip the sign of the update: ``W1 = W1 - lr * dW1`` becomes ``W1 + lr * dW1``."""
    return rewrite_stage(program, "update", lambda s: s.target in program.parameters, with_flipped_sign)


def first_layer_frozen(program: Program) -> Edits:
    """Do not update the first layer: ``W1 = W1 - lr * dW1`` becomes ``W1 = W1``, and the same for ``b1``."""
    first = {f"{letter}1" for letter in "Wb"}

    def parameter_itself(tree: ast.expr) -> ast.expr:
        return next(node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in first)

    return rewrite_stage(program, "update", lambda s: s.target in first, parameter_itself)


def scores_not_shifted(program: Program) -> Edits:
    """Do not subtract the maximum score: ``s = z2 - z2.max(axis=1, keepdims=True)`` becomes ``z2``."""

    def without_maximum(tree: ast.expr) -> ast.expr:
        return tree.left if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Sub) else tree

    return rewrite_stage(program, "forward", lambda s: ".max(" in s.expression, without_maximum)


def sum_for_activation(program: Program) -> Edits:
    """Pass the pre-activation to the next layer: ``z2 = a1 @ W2 + b2`` becomes ``z1 @ W2 + b2``."""
    activations = [s.target for s in program.stage("forward") if s.target[:1] == "a" and s.target[1:].isdigit()]
    replacements = {name: f"z{name[1:]}" for name in activations}

    def reads_activation(statement: Statement) -> bool:
        return statement.target.startswith("z") and bool(statement.reads & replacements.keys())

    return rewrite_stage(program, "forward", reads_activation, ReplaceNames(**replacements).visit)


def targets_as_row(program: Program) -> Edits:
    """Broadcast a column against a row: ``(p - y) ** 2`` becomes ``(p - y.T) ** 2``.

    The gradient belongs to the broadcast loss, summed over the columns, as automatic differentiation would compute it.
    """
    first = program.stage("backward")[0]
    tree = ReplaceNames(y="y.T").visit(copied_tree(first).left)  # type: ignore[attr-defined]
    return {
        "losses": text_of(ReplaceNames(y="y.T").visit(copied_tree(program["losses"]))),
        first.target: f"({text_of(tree)}).sum(axis=1, keepdims=True) / n**2",
    }


def transposed_weights(program: Program) -> Edits:
    """Omit the transpose of a square W2: ``da1 = dz2 @ W2.T`` becomes ``dz2 @ W2``."""
    square = {f"W{n}" for n in range(1, 100) if is_square(program, f"dW{n}")}

    def without_transpose(tree: ast.expr) -> ast.expr:
        if isinstance(tree, ast.BinOp) and isinstance(tree.right, ast.Attribute):
            return ast.BinOp(tree.left, ast.MatMult(), tree.right.value)
        return tree

    def reads_square_weights(statement: Statement) -> bool:
        return statement.target.startswith("da") and bool(statement.reads & square)

    return rewrite_stage(program, "backward", reads_square_weights, without_transpose)


def is_square(program: Program, target: str) -> bool:
    """Whether the shape of a result is (k, k) with k > 1."""
    shapes = [s.shape for s in program.statements if s.target == target]
    return bool(shapes) and shapes[0] is not None and len(set(shapes[0])) == 1 and shapes[0][0] != 1


def mean_over_rows(program: Program) -> Edits:
    """Replace ``a1`` in ``z2 = a1 @ W2 + b2`` by its mean over the rows, with the matching gradient."""
    a = next(s.target for s in program.stage("forward") if s.target[:1] == "a" and s.target[1:].isdigit())
    mean, gradient = f"({a}.mean(axis=0, keepdims=True) + 0 * {a})", program[f"d{a}"]
    readers = [s for s in program.statements if a in s.reads and s.target[:1] == "z"]
    readers += [s for s in program.stage("backward") if a in s.reads and s.target[:2] == "dW"]
    edits = {s.target: text_of(ReplaceNames(**{a: mean}).visit(copied_tree(s))) for s in readers}
    return {**edits, gradient.target: f"({gradient.expression}).mean(axis=0, keepdims=True) + 0 * {a}"}


def pre_activations_in_products(program: Program) -> Edits:
    """Use z1 for a1 in a weight gradient: ``dW2 = a1.T @ dz2`` becomes ``z1.T @ dz2``."""
    computed = {s.target for s in program.stage("forward")}
    swapped = {f"a{n}": f"z{n}" for n in range(1, 100) if {f"a{n}", f"z{n}"} <= computed}

    def is_weight_gradient(statement: Statement) -> bool:
        return statement.target[:2] == "dW"

    return rewrite_stage(program, "backward", is_weight_gradient, ReplaceNames(**swapped).visit)


def base_ten_logarithm(program: Program) -> Edits:
    """Divide the losses by the logarithm of 10, as ``np.log10`` does; the gradient still belongs to ``np.log``."""
    return {"losses": f"({program['losses'].expression}) / np.log(10)"}
