"""The program: the named statements of one training step.

``step.py`` turns a network, a loss and an optimizer into a list of statements in three stages: forward,
backward and update.  Nothing here contains mathematics.  Each statement is the source of a formula, read by
``support/formulas.py``, in which ``writer.py`` replaces the formula's letters by the network's names: ``x @ W
+ b`` becomes ``z1 = X @ W1 + b1``.  Engines run these statements; scripts, worked steps and checks read the
same ones.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Literal, get_args

from workings.errors import ProgramError, unknown_name
from workings.support.notebook import Readable

Stage = Literal["forward", "backward", "update"]
STAGES: tuple[Stage, ...] = get_args(Stage)
STAGE_WORDS: Mapping[str, str] = {
    "forward": "Forward: from the inputs to the objective",
    "backward": "Backward: the gradient of the objective with respect to each value, from last to first",
    "update": "Update: a step against the gradient",
}
Shape = tuple[int | str, ...]


@dataclass(frozen=True, repr=False)
class Statement(Readable):
    """One line of the program: ``target = expression``.

    ``part`` is the layer, loss or optimizer that it belongs to; ``words`` says in one sentence what it does;
    ``shape`` is the shape of its result, with ``"n"`` for the number of rows in the batch.
    """

    target: str
    expression: str
    stage: Stage
    part: str
    words: str
    shape: Shape | None = None

    def __post_init__(self) -> None:
        checked_stage(self.stage)

    @property
    def tree(self) -> ast.expr:
        """The right-hand side as syntax, parsed once; to change it, take a copy."""
        return parse_expression(self.expression)

    @property
    def reads(self) -> frozenset[str]:
        """The names on the right-hand side."""
        return names_read(self.expression)

    def __str__(self) -> str:
        return f"{self.target} = {self.expression}"


@dataclass(frozen=True, repr=False)
class Program(Readable):
    """The statements of one step, and the names that they use.

    Attributes
    ----------
    statements : tuple of Statement
        In the order in which they run.
    parameters, statistics, states, draws : tuple of str
        The names of the trained parameters; of the layers' running statistics; of the optimizer's state,
        which starts at 0; of the random values drawn for each step.
    constants : mapping of str to float
        Fixed numbers such as ``lam`` and ``beta1``.
    functions : mapping of str to object
        Functions that are not straight-line code, which the statements call by name.
    aliases : mapping of str to str
        Standard names without a statement: without an activation, ``a1`` is an alias of ``z1``.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> program = Network([Dense(1)], loss=SquaredError(), n_in=2).program()
    >>> print(program["dW1"], program["dW1"].shape)
    dW1 = X.T @ dz1 (2, 1)
    """

    statements: tuple[Statement, ...]
    parameters: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    draws: tuple[str, ...] = ()
    constants: Mapping[str, float] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., object]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def carried(self) -> tuple[str, ...]:
        """The names whose values are carried from one step to the next."""
        return self.parameters + self.statistics + self.states

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names that must be given (data, parameters …), in the order of their first use."""
        known = {"np", *self.constants, *self.functions, *dir(builtins)}
        needed: dict[str, None] = {}
        for statement in self.statements:
            needed.update(dict.fromkeys(sorted(statement.reads - known)))
            known.add(statement.target)
        return tuple(needed)

    def __iter__(self) -> Iterator[Statement]:
        """Yield the statements in the order in which they run."""
        return iter(self.statements)

    def __getitem__(self, target: str) -> Statement:
        """Return the statement that computes a name; the last one, if several do."""
        name = self.aliases.get(target, target)
        for statement in reversed(self.statements):
            if statement.target == name:
                return statement
        raise unknown_name("name in the program", target, [s.target for s in self.statements])

    def stage(self, name: str) -> tuple[Statement, ...]:
        """Return the statements of one stage: forward, backward or update."""
        stage = checked_stage(name)
        return tuple(s for s in self.statements if s.stage == stage)

    def needed_for(self, *results: str) -> Program:
        """Return the same program without the statements that these results do not need."""
        live, kept = set(results), []
        for statement in reversed(self.statements):
            if statement.target in live:
                live = (live - {statement.target}) | statement.reads
                kept.append(statement)
        return replace(self, statements=tuple(reversed(kept)))

    def only_multiplies(self, name: str) -> bool:
        """Return whether a name occurs only as ``name @ …`` and ``name.T @ …``, which sparse matrices support."""
        nodes = [node for s in self.statements for node in ast.walk(s.tree)]
        first = [node.left for node in nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult)]
        factors = [left.value if isinstance(left, ast.Attribute) and left.attr == "T" else left for left in first]
        uses = sum(isinstance(node, ast.Name) and node.id == name for node in nodes)
        return uses == sum(is_name(factor, name) for factor in factors)

    def without(self, other: Program) -> Program:
        """Return the same program without the statements of another one."""
        return replace(self, statements=tuple(s for s in self.statements if s not in other.statements))

    def followed_by(self, statement: Statement) -> Program:
        """Return the same program with one more statement at its end."""
        return replace(self, statements=(*self.statements, statement))

    def replacing(self, target: str, expression: str) -> Program:
        """Return the same program with another right-hand side for one name, for example to try out a mistake."""
        old = self[target]
        new = replace(old, expression=checked_expression(expression))
        return replace(self, statements=tuple(new if s is old else s for s in self.statements))

    def with_shapes(self, shapes: Mapping[str, Shape]) -> Program:
        """Return the same program with the shape of each result in its statement."""
        return replace(self, statements=tuple(replace(s, shape=shapes.get(s.target)) for s in self.statements))

    def __str__(self) -> str:
        width = min(max((len(str(s)) for s in self.statements), default=0), 60)
        lines = []
        if self.constants:
            lines += ["constants", "  " + ", ".join(f"{k} = {v:g}" for k, v in self.constants.items()), ""]
        for stage, statements in groupby(self.statements, key=lambda s: s.stage):
            lines.append(stage)
            for s in statements:
                lines.append(f"  {s!s:<{width}}  {show_shape(s.shape):<10}  {s.words}".rstrip())
            lines.append("")
        return "\n".join(lines).strip("\n")


def checked_stage(name: str) -> Stage:
    """Return the name of a stage; raise an error for any other name."""
    for stage in STAGES:
        if stage == name:
            return stage
    raise unknown_name("stage", name, STAGES)


def checked_expression(text: str) -> str:
    """Return the text of an expression.

    Raises
    ------
    ProgramError
        If Python cannot parse it as an expression.
    """
    try:
        parse_expression(text)
    except SyntaxError as error:
        raise ProgramError(f"{text!r} is not an expression: {error.msg}.") from error
    return text


@functools.lru_cache(maxsize=1024)
def parse_expression(text: str) -> ast.expr:
    """Parse an expression, each text once.

    All callers share the tree, so none may change it; give a ``NodeTransformer`` a copy.

    >>> parse_expression("X @ W1 + b1") is parse_expression("X @ W1 + b1")
    True
    """
    return ast.parse(text, mode="eval").body


@functools.lru_cache(maxsize=1024)
def names_read(text: str) -> frozenset[str]:
    """Return the names that an expression reads, each text parsed once.

    >>> sorted(names_read("X @ W1 + b1"))
    ['W1', 'X', 'b1']
    """
    return names_in(parse_expression(text))


def show_shape(shape: Shape | None) -> str:
    """Return a shape as text, with n for the number of rows.

    >>> show_shape(("n", 3)), show_shape(()), show_shape(None)
    ('(n, 3)', 'scalar', '')
    """
    if shape is None:
        return ""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})" if shape else "scalar"


def names_in(tree: ast.AST) -> frozenset[str]:
    """Return all names in a piece of syntax."""
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def text_of(expression: ast.expr) -> str:
    """Return an expression as code, with ``a**2`` without spaces, as formatters write it."""
    return re.sub(r"(\w) \*\* (\w)", r"\1**\2", ast.unparse(expression))


def name(text: str) -> ast.Name:
    """Return a name as syntax."""
    return ast.Name(text, ast.Load())


def literal(value: float) -> ast.Constant:
    """Return a number as syntax; a NumPy scalar becomes the equal Python number."""
    return ast.Constant(value.item() if hasattr(value, "item") else value)


def is_name(node: ast.expr, text: str) -> bool:
    """Return whether an expression is only this name."""
    return isinstance(node, ast.Name) and node.id == text


Scope = dict[str, ast.expr]  # the expression that each letter of a formula stands for
