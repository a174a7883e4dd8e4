"""Write out one entry of a statement's result.

``z1 = X @ W1 + b1`` is a statement about arrays; one entry of it is ``z1[0,0] = X[0,0] W1[0,0] + X[0,1]
W1[1,0] + b1[0]``.  The entry is derived from the statement's syntax tree: a matrix product becomes a sum, and
all other operations are kept, with one entry in place of each array.  The leaves are indexed names or
numbers, so the expression can be evaluated again.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Mapping

import numpy as np

from workings.program.program import Program, name, parse_expression
from workings.readings.equations import omitted_terms
from workings.support.arrays import Array, Values

Index = tuple[int, ...]
MOST_TERMS = 6  # longest sum that is written out in full
FEW_TERMS = 3  # largest terms of a longer sum that are written out
REDUCTIONS = ("sum", "mean", "max", "var")


class NoEntryForm(Exception):  # noqa: N818 - control flow, not an error
    """Raised for expressions whose entries cannot be written out, such as functions that are called by name."""


class EntryWriter:
    """Writes out entries of expressions, given the values of their names.

    Parameters
    ----------
    program : Program
        Provides functions and constants.
    values : mapping of str to array or number
        The value of each name when the statement runs.
    """

    def __init__(self, program: Program, values: Mapping[str, object]) -> None:
        self.scope = {"np": np, **program.functions, **program.constants, **values}
        self.known: dict[str, Values] = {}

    def entry(self, expression: str, index: Index, *, numbers: bool) -> ast.expr | None:
        """Write out one entry of an expression, with numbers or with names; None if that is not possible."""
        leaf = self.number if numbers else self.place
        try:
            return EntryExpansion(self, leaf, numbers).of(parse_expression(expression), index)
        except NoEntryForm:
            return None

    def value(self, node: ast.expr) -> Values:
        """Evaluate a part of an expression."""
        text = ast.unparse(node)
        if text not in self.known:
            with np.errstate(all="ignore"):
                self.known[text] = eval(text, dict(self.scope))
        return self.known[text]

    def number(self, letters: str, index: Index) -> ast.expr:
        """Return an entry as a number, which knows its place."""
        value = float(np.asarray(self.scope[letters])[index])
        constant = ast.Constant(abs(value) if value < 0 else value)
        constant.place = f"{letters}[{','.join(map(str, index))}]" if index else letters  # type: ignore[attr-defined]
        return ast.UnaryOp(ast.USub(), constant) if value < 0 else constant

    def place(self, letters: str, index: Index) -> ast.expr:
        """Return an entry as an indexed name."""
        return indexed_name(letters, index)


def indexed_name(letters: str, index: Index) -> ast.expr:
    """Return an indexed name as syntax; a scalar has no index.

    >>> ast.unparse(indexed_name("W1", (0, 2)))
    'W1[0, 2]'
    """
    if not index:
        return name(letters)
    places: list[ast.expr] = [ast.Constant(int(place)) for place in index]
    return ast.Subscript(name(letters), places[0] if len(places) == 1 else ast.Tuple(places, ast.Load()), ast.Load())


class EntryExpansion:
    """Expands an expression for one index of its result."""

    def __init__(self, entries: EntryWriter, leaf: Callable[[str, Index], ast.expr], numbers: bool) -> None:
        self.entries, self.leaf, self.numbers = entries, leaf, numbers

    def of(self, node: ast.expr, index: Index) -> ast.expr:
        """Return the entry of a part of the expression that belongs to an index of the whole."""
        index = self.inside(node, index)
        match node:
            case ast.Constant():
                return node
            case ast.Name(id=letters):
                return self.leaf(letters, index)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return ast.UnaryOp(ast.USub(), self.of(operand, index))
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self.product(left, right, index)
            case ast.BinOp(left=left, op=op, right=right):
                return ast.BinOp(self.of(left, index), op, self.of(right, index))
            case ast.Compare(left=left, ops=ops, comparators=[right]):
                return ast.Compare(self.of(left, index), ops, [self.of(right, index)])
            case ast.Attribute(value=value, attr="T"):
                return self.of(value, index[::-1])
            case ast.Call():
                return self.call(node, index)
            case ast.Attribute(attr="size") | ast.Subscript(value=ast.Attribute(attr="shape")):
                return ast.Constant(int(self.entries.value(node)))
        raise NoEntryForm

    def inside(self, node: ast.expr, index: Index) -> Index:
        """Return the index into a part that is broadcast to the whole: 0 along axes of length 1."""
        shape = np.shape(self.entries.value(node))
        if len(shape) > len(index):
            raise NoEntryForm
        last = index[len(index) - len(shape) :]
        return tuple(0 if size == 1 else place for size, place in zip(shape, last, strict=True))

    def product(self, left: ast.expr, right: ast.expr, index: Index) -> ast.expr:
        """Expand a matrix product to a sum over the shared axis."""
        shared = np.shape(self.entries.value(left))[-1]
        if len(index) != 2:
            raise NoEntryForm
        rows, columns = (index[0],), (index[1],)
        sizes = self.entries.value(left)[index[0]] * self.entries.value(right)[:, index[1]]

        def term(k: int) -> ast.expr:
            return ast.BinOp(self.of(left, (*rows, k)), ast.Mult(), self.of(right, (k, *columns)))

        return self.total(term, sizes, shared)

    def total(self, term: Callable[[int], ast.expr], sizes: Array, count: int) -> ast.expr:
        """Return a sum of ``count`` terms; of a long sum only the largest terms are written out."""
        shown = self.chosen_terms(np.abs(sizes), count, MOST_TERMS)
        whole = term(shown[0])
        for k in shown[1:]:
            whole = add_term(whole, term(k))
        if len(shown) < count:
            worth = float(sizes.sum() - sizes[shown].sum())
            whole = ast.BinOp(whole, ast.Add(), omitted_terms(count - len(shown), worth if self.numbers else None))
        return whole

    def chosen_terms(self, sizes: Array, count: int, most: int) -> list[int]:
        """Return the indices of the terms to write out: all if there are few, else the largest, in order."""
        if count <= most:
            return list(range(count))
        return sorted(int(k) for k in np.argsort(-sizes, kind="stable")[:FEW_TERMS])

    def call(self, node: ast.Call, index: Index) -> ast.expr:
        """Expand an elementwise NumPy function, or a sum, mean, maximum or variance over an axis."""
        match node.func:
            case ast.Attribute(value=ast.Name(id="np"), attr=attr) if attr in REDUCTIONS:
                return self.reduction(attr, node.args[0], node, index)
            case ast.Attribute(value=ast.Name(id="np"), attr="ones_like"):
                return ast.Constant(1)
            case ast.Attribute(value=ast.Name(id="np")) if not node.keywords:
                return ast.Call(node.func, [self.of(argument, index) for argument in node.args], [])
            case ast.Attribute(value=inner, attr=attr) if attr in REDUCTIONS:
                return self.reduction(attr, inner, node, index)
            case ast.Name(id="sum") if isinstance(node.args[0], ast.List):
                parts = [self.of(part, ()) for part in node.args[0].elts]
                return ast.Call(node.func, [ast.List(parts, ast.Load())], [])
        raise NoEntryForm

    def reduction(self, kind: str, inner: ast.expr, node: ast.Call, index: Index) -> ast.expr:
        """Expand a reduction to its terms."""
        values = np.asarray(self.entries.value(inner))
        places = list(reduced_positions(values.shape, axis_of(node), keeps_dimension(node), index))
        sizes = np.array([float(values[place]) for place in places])
        if kind in ("sum", "mean"):
            total = self.total(lambda k: self.of(inner, places[k]), sizes, len(places))
            return total if kind == "sum" else ast.BinOp(total, ast.Div(), ast.Constant(len(places)))
        shown = self.chosen_terms(sizes, len(places), MOST_TERMS)
        arguments: list[ast.expr] = [self.of(inner, places[k]) for k in shown]
        if len(shown) < len(places):
            others = np.delete(sizes, shown)
            worth = float(others.max()) if kind == "max" and self.numbers else None
            arguments.append(omitted_terms(len(others), worth))
        return ast.Call(name(kind), arguments, [])


def axis_of(node: ast.Call) -> int | None:
    """Return the axis of a reduction; None for all axes."""
    given = [keyword.value for keyword in node.keywords if keyword.arg == "axis"]
    return None if not given else ast.literal_eval(given[0])


def keeps_dimension(node: ast.Call) -> bool:
    """Return whether a reduction has ``keepdims=True``."""
    return any(keyword.arg == "keepdims" and ast.literal_eval(keyword.value) for keyword in node.keywords)


def reduced_positions(shape: Index, axis: int | None, kept: bool, index: Index) -> itertools.chain[Index]:
    """Return the indices that a reduction combines for one index of its result.

    >>> list(reduced_positions((2, 3), 1, True, (1, 0)))
    [(1, 0), (1, 1), (1, 2)]
    """
    if axis is None:
        return itertools.chain(np.ndindex(shape))
    axis %= len(shape)
    before, after = index[:axis], index[axis + kept :]
    return itertools.chain((*before, k, *after) for k in range(shape[axis]))


def add_term(whole: ast.expr, term: ast.expr) -> ast.expr:
    """Add a term to a sum; a term that begins with a negative number is subtracted instead."""
    match term:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as size):
            return ast.BinOp(whole, ast.Sub(), size)
        case ast.BinOp(left=ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as size), op=ast.Mult(), right=right):
            return ast.BinOp(whole, ast.Sub(), ast.BinOp(size, ast.Mult(), right))
    return ast.BinOp(whole, ast.Add(), term)
