"""Outlining: finds the loops of a function that become functions of their own.

Equal loops, such as the optimizer's update of each parameter, are then compiled once, and LLVM's register allocation,
which takes longer than linear time, sees short functions.  A loop can be outlined if no number that it computes is
read outside it: its results are entries of arrays.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

LETTERS = ("i", "j", "k", "l")  # the variables of loops over entries


@dataclass
class Uses:
    """The names that statements read before they write them, and the names that they write."""

    before: dict[str, None] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)

    def visit(self, node: ast.AST) -> Uses:
        """Add the names of a piece of syntax, in the order in which Python evaluates it."""
        match node:
            case ast.Assign(targets=targets, value=value):
                parts: list[ast.AST] = [value, *targets]
            case ast.AugAssign(target=target, value=value):
                parts = [value, as_read(target), target]
            case ast.For(target=target, iter=values, body=body):
                parts = [values, target, *body]
            case ast.Name(id=name, ctx=ast.Store()):
                self.written.add(name)
                return self
            case ast.Name(id=name):
                if name not in self.written:
                    self.before.setdefault(name)
                return self
            case _:
                parts = list(ast.iter_child_nodes(node))
        for part in parts:
            self.visit(part)
        return self


def as_read(target: ast.expr) -> ast.expr:
    """Return the target of ``+=`` as an expression."""
    return ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else target


def loops_of(statements: list[ast.stmt]) -> Iterator[ast.For]:
    """Yield the outermost loops over entries."""
    for statement in statements:
        if isinstance(statement, ast.For) and isinstance(statement.target, ast.Name) and statement.target.id in LETTERS:
            yield statement
            continue
        for inner in ("body", "orelse"):
            yield from loops_of(getattr(statement, inner, []))


def loops_to_outline(function: ast.FunctionDef) -> dict[int, Uses]:
    """Return the loops to outline, by the identity of their syntax."""
    uses = {id(loop): Uses().visit(loop) for loop in loops_of(function.body)}
    outside = reads_outside(function, uses)
    readers = Counter(name for use in uses.values() for name in use.before)
    return {
        number: use
        for number, use in uses.items()
        if use.written.isdisjoint(outside) and not any(readers[name] for name in use.written)
    }


def reads_outside(node: ast.AST, loops: dict[int, Uses]) -> set[str]:
    """Return the names that are read outside some loops."""
    if id(node) in loops:
        return set()
    read = {node.id} if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else set()
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        read.add(node.target.id)
    return read.union(*(reads_outside(child, loops) for child in ast.iter_child_nodes(node)))


def accesses_in(loop: ast.For) -> dict[str, list[ast.Subscript]]:
    """Return the accesses to entries of arrays in a loop, by the name of the array."""
    accesses: dict[str, list[ast.Subscript]] = {}
    for node in ast.walk(loop):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            accesses.setdefault(node.value.id, []).append(node)
    return accesses


def written_by_iteration(loop: ast.For) -> set[str] | None:
    """Return the arrays that a loop writes if no iteration uses an entry that another one writes; else None.

    Every access to such an array has the loop's variable as one of its indices, always the same one: ``a[j, i]`` in a
    loop over ``i``.  This is decided for loops that have assignments only.
    """
    if not all(isinstance(statement, (ast.Assign, ast.AugAssign)) for statement in loop.body):
        return None
    own = {node.id for node in ast.walk(loop) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    if own & accesses_in(loop).keys():
        return None
    written: set[str] = set()
    for name, accesses in accesses_in(loop).items():
        if any(isinstance(access.ctx, ast.Store) for access in accesses):
            axes = [axes_of_variable(access, loop.target) for access in accesses]
            if not set.intersection(*axes):
                return None
            written.add(name)
    return written


def axes_of_variable(access: ast.Subscript, variable: ast.expr) -> set[int]:
    """Return the positions of a variable among the indices of an access."""
    indices = access.slice.elts if isinstance(access.slice, ast.Tuple) else [access.slice]
    return {axis for axis, index in enumerate(indices) if ast.dump(index) == ast.dump(as_read(variable))}


def is_strided_copy(loop: ast.For) -> bool:
    """Whether a loop only copies an array's entries to places that are not next to each other: ``a[j, i] = b[i, j]``.

    Vectors do not make it faster, because each entry of a vector is stored on its own.
    """
    match loop.body:
        case [ast.Assign(targets=[ast.Subscript(slice=ast.Tuple(elts=indices)) as target], value=ast.Subscript())]:
            axes = axes_of_variable(target, loop.target)
            return bool(axes) and len(indices) - 1 not in axes
    return False


def canonical(loop: ast.For, free: Sequence[str], written: set[str]) -> str:
    """Return a text that is equal for loops that differ only in their names."""
    names = {name: f"free{number}" for number, name in enumerate(free)}
    parts: list[str] = []

    def write(node: object) -> None:
        if isinstance(node, ast.Name):
            is_own = node.id in names or node.id in written
            parts.append(names.setdefault(node.id, f"own{len(names)}") if is_own else node.id)
        elif isinstance(node, ast.AST):
            parts.append(f"{type(node).__name__}(")
            for name in node._fields:
                write(getattr(node, name, None))
            parts.append(")")
        elif isinstance(node, list):
            for part in node:
                write(part)
            parts.append(";")
        else:
            parts.append(repr(node))

    write(loop)
    return " ".join(parts)
