"""Equations: the statements of a program in mathematical notation.

Each statement is parsed and written as LaTeX, as MathML (``mathml.py``) or as Unicode text.  The equations
are derived from the code that runs, also for user-defined functions, and not from a table of formulas.  ``n``
is the number of rows, ``i`` an index of rows, ``j`` one of columns; ⊙ is the elementwise product; [z > 0] is
1 if true, else 0.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workings.errors import unknown_name
from workings.program.program import Program, Statement, parse_expression

if TYPE_CHECKING:
    from workings.model.model import Model
    from workings.optimizers import Part

SUM, PRODUCT, SIGN, POWER, ATOM = range(5)  # precedence of operators, lowest first
NOTATIONS = ("alphabet", "paper")
GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "theta": "θ", "rho": "ρ", "lam": "λ", "lr": "η", "eps": "ε",
    "momentum": "μ",
}  # fmt: skip
LATEX_GREEK = {"lam": r"\lambda", "lr": r"\eta", "eps": r"\varepsilon", "momentum": r"\mu"}
FUNCTIONS = {
    "tanh", "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "arctan", "arcsin", "arccos", "max", "min",
}  # fmt: skip
USUAL_NAMES = {"maximum": "max", "minimum": "min"}  # NumPy's name -> mathematical name
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
REDUCTION_INDEX = {None: "", 0: "i", 1: "j", -1: "j"}
COMPARISONS = {ast.Gt: ">", ast.Lt: "<", ast.GtE: "≥", ast.LtE: "≤", ast.Eq: "=", ast.NotEq: "≠"}
IN_LATEX = {"≥": r"\ge", "≤": r"\le", "≠": r"\ne"}


@dataclass(frozen=True)
class Piece:
    """A part of an equation with its precedence; ``is_scalar`` if it is a single number."""

    text: str
    precedence: int
    is_scalar: bool = False


def omitted_terms(count: int, worth: float | None) -> ast.Constant:
    """Return a placeholder for the omitted terms of a long sum: their number, and their sum (None in symbolic form)."""
    return ast.Constant(worth, kind=f"{count:,} more")


class PlainNotation:
    """Writes equations as Unicode text; numbers with ``digits`` significant digits, or all of them."""

    times, dot, entrywise, between_numbers = " ", " ", " ⊙ ", " · "
    plus, minus, equals, becomes, negative = " + ", " - ", " = ", " ← ", "-"

    def __init__(self, digits: int | None = None) -> None:
        self.digits = digits

    def plain_text(self, text: str) -> str:
        """Return the beginning of a text as a reader sees it, without markup."""
        return text

    def ends_with_number(self, text: str) -> bool:
        """Return whether a text ends with a number, which must not run into the next one."""
        return text[-1:].isdecimal()

    def symbol(self, letters: str, number: str, hat: bool, of_layer: bool) -> str:
        """Return a symbol from its letters and its number, such as a layer's."""
        return GREEK.get(letters, letters) + ("\u0302" if hat else "") + number.translate(SUBSCRIPTS)

    def with_label(self, symbol: str, mark: str) -> str:
        """Return a symbol with a text label as subscript."""
        return f"{symbol}_{mark}"

    def number(self, value: float) -> Piece:
        """Return a number."""
        is_whole = float(value).is_integer() and abs(value) < 1e15
        text = repr(int(value) if is_whole else value)
        text = f"{value:.{self.digits}g}" if self.digits and not is_whole else text
        return Piece(text, PRODUCT if text.startswith("-") else ATOM, True)

    def placed(self, piece: Piece, place: str) -> Piece:
        """Return a number with the name of the entry that it is, where the format can hold this."""
        return piece

    def entry(self, symbol: str, index: str) -> str:
        """Return one entry of an array."""
        return f"{symbol}[{index}]"

    def omission(self, words: str, worth: float | None) -> Piece:
        """Return the placeholder for omitted terms of a sum."""
        return Piece(f"[{words}{'' if worth is None else f': {self.number(worth).text}'}]", ATOM, True)

    def gradient(self, of: str) -> str:
        """Return the derivative of J with respect to a symbol."""
        return f"∂J/∂{of}"

    def derivative(self, of: str, by: str) -> str:
        """Return the derivative of one entry with respect to another."""
        return f"∂{of}/∂{by}"

    def state(self, symbol: str, to: str) -> str:
        """Return the symbol of an optimizer's state for a parameter."""
        return f"{symbol}[{to}]"

    def identifier(self, text: str) -> str:
        """Return a name of several letters."""
        return text

    def group(self, text: str) -> str:
        """Return a text in parentheses."""
        return f"({text})"

    def fraction(self, above: Piece, below: Piece) -> Piece:
        """Return a quotient."""
        scalar = above.is_scalar and below.is_scalar
        return Piece(f"{self.in_parentheses(above, PRODUCT)} / {self.in_parentheses(below, SIGN)}", PRODUCT, scalar)

    def power(self, base: Piece, exponent: Piece) -> Piece:
        """Return a power."""
        raised = (
            exponent.text.translate(SUPERSCRIPTS)
            if exponent.text.isdecimal()
            else f"^{self.in_parentheses(exponent, ATOM)}"
        )
        held = self.group(base.text) if base.text.startswith("∂") else self.in_parentheses(base, ATOM)
        return Piece(f"{held}{raised}", POWER, base.is_scalar and exponent.is_scalar)

    def transpose(self, piece: Piece) -> Piece:
        """Return a transpose."""
        return Piece(f"{self.in_parentheses(piece, ATOM)}ᵀ", POWER)

    def root(self, piece: Piece) -> Piece:
        """Return a square root."""
        return Piece(f"√({piece.text})", ATOM, piece.is_scalar)

    def absolute(self, piece: Piece) -> Piece:
        """Return an absolute value."""
        return Piece(f"|{piece.text}|", ATOM, piece.is_scalar)

    def call(self, name: str, pieces: Iterable[Piece]) -> Piece:
        """Return a function call."""
        args = list(pieces)
        return Piece(f"{name}({', '.join(arg.text for arg in args)})", ATOM, all(arg.is_scalar for arg in args))

    def indicator(self, left: Piece, sign: str, right: Piece) -> Piece:
        """Return an indicator: 1 where a condition holds, else 0."""
        return Piece(f"[{left.text} {sign} {right.text}]", ATOM, left.is_scalar and right.is_scalar)

    def cases(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        """Return a case distinction."""
        return Piece(f"({yes.text} if {condition.text.removeprefix('[').removesuffix(']')}, else {no.text})", ATOM)

    def reduction(self, kind: str, index: str, piece: Piece, scalar: bool) -> Piece:
        """Return a sum, mean, variance or maximum."""
        sign = {"sum": "Σ", "max": "max", "mean": "mean", "var": "var"}[kind]
        return Piece(f"{sign}{'_' + index if index else ''} {self.in_parentheses(piece, PRODUCT + 1)}", PRODUCT, scalar)

    def in_parentheses(self, piece: Piece, precedence: int) -> str:
        """Return a piece's text, in parentheses if its precedence is lower than ``precedence``."""
        return piece.text if piece.precedence >= precedence else self.group(piece.text)


class LatexNotation(PlainNotation):
    """Writes equations as LaTeX, in the notation of this library, or with W^{[1]} for layers as in many papers."""

    times, dot, entrywise, between_numbers = r" \, ", r" \, ", r" \odot ", r" \cdot "
    becomes = r" \gets "

    def __init__(self, notation: str = "alphabet", digits: int | None = None) -> None:
        super().__init__(digits)
        self.is_paper = notation == "paper"

    def symbol(self, letters: str, number: str, hat: bool, of_layer: bool) -> str:
        base = LATEX_GREEK.get(letters, f"\\{letters}" if letters in GREEK else letters)
        base = base if len(letters) == 1 or base.startswith("\\") else self.identifier(letters)
        base = rf"\hat{{{base}}}" if hat else base
        if not number:
            return base
        return f"{base}^{{[{number}]}}" if self.is_paper and of_layer else f"{base}_{{{number}}}"

    def with_label(self, symbol: str, mark: str) -> str:
        if "_{" in symbol:
            return f"{symbol.removesuffix('}')},{self.identifier(mark)}}}"
        return f"{symbol}_{{{self.identifier(mark)}}}"

    def number(self, value: float) -> Piece:
        plain = super().number(value)
        digits, _, exponent = plain.text.partition("e")
        if not exponent:
            return plain
        power = f"10^{{{int(exponent)}}}"
        return Piece(power, POWER, True) if digits == "1" else Piece(rf"{digits} \cdot {power}", PRODUCT, True)

    def omission(self, words: str, worth: float | None) -> Piece:
        of = "" if worth is None else f": {self.number(worth).text}"
        return Piece(rf"[\text{{{words}}}{of}]", ATOM, True)

    def gradient(self, of: str) -> str:
        if self.is_paper and re.fullmatch(r"z\^\{\[\d+\]\}", of):
            return rf"\delta{of[1:]}"
        return rf"\frac{{\partial J}}{{\partial {of}}}"

    def derivative(self, of: str, by: str) -> str:
        return rf"\frac{{\partial {of}}}{{\partial {by}}}"

    def state(self, symbol: str, to: str) -> str:
        return f"{symbol}_{{{to}}}"

    def identifier(self, text: str) -> str:
        return rf"\mathrm{{{text}}}".replace("_", r"\_")

    def group(self, text: str) -> str:
        return rf"\left( {text} \right)"

    def fraction(self, above: Piece, below: Piece) -> Piece:
        return Piece(rf"\frac{{{above.text}}}{{{below.text}}}", ATOM, above.is_scalar and below.is_scalar)

    def power(self, base: Piece, exponent: Piece) -> Piece:
        return Piece(f"{self.base(base)}^{{{exponent.text}}}", POWER, base.is_scalar and exponent.is_scalar)

    def base(self, piece: Piece) -> str:
        """Return the base of a power, in parentheses if it has an exponent already or is a fraction."""
        has_one = "^" in piece.text or piece.text.startswith(r"\frac")
        return (
            self.group(piece.text)
            if has_one and not piece.text.startswith(r"\left(")
            else self.in_parentheses(piece, ATOM)
        )

    def transpose(self, piece: Piece) -> Piece:
        return Piece(rf"{self.base(piece)}^{{\top}}", POWER)

    def root(self, piece: Piece) -> Piece:
        return Piece(rf"\sqrt{{{piece.text}}}", ATOM, piece.is_scalar)

    def absolute(self, piece: Piece) -> Piece:
        return Piece(rf"\left| {piece.text} \right|", ATOM, piece.is_scalar)

    def call(self, name: str, pieces: Iterable[Piece]) -> Piece:
        args = list(pieces)
        head = f"\\{name}" if name in FUNCTIONS else rf"\operatorname{{{name}}}".replace("_", r"\_")
        return Piece(head + self.group(", ".join(arg.text for arg in args)), ATOM, all(arg.is_scalar for arg in args))

    def indicator(self, left: Piece, sign: str, right: Piece) -> Piece:
        text = rf"\left[ {left.text} {IN_LATEX.get(sign, sign)} {right.text} \right]"
        return Piece(text, ATOM, left.is_scalar and right.is_scalar)

    def cases(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        holds = condition.text.removeprefix(r"\left[ ").removesuffix(r" \right]")
        return Piece(
            rf"\begin{{cases}} {yes.text} & \text{{if }} {holds} \\ {no.text} & \text{{else}} \end{{cases}}", ATOM
        )

    def reduction(self, kind: str, index: str, piece: Piece, scalar: bool) -> Piece:
        sign = {"sum": r"\sum", "max": r"\max", "mean": r"\operatorname{mean}", "var": r"\operatorname{var}"}[kind]
        return Piece(
            f"{sign}{f'_{{{index}}}' if index else ''} {self.in_parentheses(piece, PRODUCT + 1)}", PRODUCT, scalar
        )


class EquationWriter:
    """Converts the statements of a program to equations."""

    def __init__(self, program: Program, notation: PlainNotation) -> None:
        self.program, self.notation = program, notation
        self.known = {*program.inputs, *(statement.target for statement in program.statements), "X", "y"}
        shapes = {statement.target: statement.shape for statement in program.statements}
        self.scalars = {*program.constants, "n", "lr", "t", *(name for name, shape in shapes.items() if shape == ())}

    def equation(self, statement: Statement) -> str:
        """Return a statement as an equation, or with an arrow if it changes the value of a name: W₁ ← W₁ - η ∂J/∂W₁."""
        return "".join(self.sides(statement))

    def aligned(self, statement: Statement) -> str:
        """Return a statement as a line of an aligned LaTeX environment."""
        left, sign, right = self.sides(statement)
        return f"{left} &{sign.lstrip()}{right}"

    def sides(self, statement: Statement) -> tuple[str, str, str]:
        """Return the left side of an equation, its sign and its right side."""
        return self.name(statement.target), self.sign(statement), self.expression(statement.expression)

    def sign(self, statement: Statement) -> str:
        """Return the sign of a statement: an arrow if it changes the value of a name."""
        changes = statement.target in self.program.carried or statement.target in statement.reads
        return self.notation.becomes if changes else self.notation.equals

    def expression(self, expression: str) -> str:
        """Return the equation text of an expression."""
        return self.piece(parse_expression(expression)).text

    def name(self, name: str) -> str:
        """Return the symbol of a name in the program: a gradient, an optimizer state, or a variable."""
        if name.startswith("d") and name[1:] in self.known:
            return self.notation.gradient(self.name(name[1:]))
        for parameter in self.program.parameters:
            if name.endswith(f"_{parameter}") and name != parameter:
                return self.notation.state(self.name(name.removesuffix(f"_{parameter}")), self.name(parameter))
        match = re.fullmatch(r"([A-Za-z_]+?)(_hat)?(\d*)(?:(?<=\d)_([a-z_]+))?", name)
        if match is None:
            return self.notation.identifier(name)
        letters, hat, number, mark = match.groups()
        symbol = self.notation.symbol(letters, number, bool(hat), name not in self.program.constants)
        return self.notation.with_label(symbol, mark) if mark else symbol

    def piece(self, node: ast.expr) -> Piece:
        """Convert an expression to a piece of an equation."""
        notation = self.notation
        match node:
            case ast.Constant(value=worth, kind=str(words)):
                return notation.omission(words, worth)  # type: ignore[arg-type]
            case ast.Constant(value=value):
                return notation.placed(notation.number(float(value)), getattr(node, "place", ""))  # type: ignore[arg-type]
            case ast.Name(id=name):
                return Piece(self.name(name), ATOM, name in self.scalars)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.piece(operand)
                negated = f"{notation.negative}{notation.in_parentheses(inner, PRODUCT)}"
                return Piece(negated, SIGN - 1, inner.is_scalar)
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(op, self.piece(left), self.piece(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
                return notation.indicator(self.piece(left), COMPARISONS[type(op)], self.piece(right))
            case ast.Attribute(value=value, attr="T"):
                return notation.transpose(self.piece(value))
            case ast.Attribute(value=value, attr="size"):
                return notation.call("size", [self.as_scalar(value)])
            case ast.Subscript(value=ast.Attribute(value=value, attr="shape"), slice=ast.Constant(value=axis)):
                return notation.call("rows" if axis == 0 else "columns", [self.as_scalar(value)])
            case ast.Subscript(value=ast.Name(id=name), slice=index):
                return Piece(self.entry(name, ast.unparse(index).strip("()").replace(", ", ",")), ATOM, True)
            case ast.Call():
                return self.call(node)
        return Piece(notation.identifier(ast.unparse(node)), SUM)

    def entry(self, name: str, index: str) -> str:
        """Return one entry of an array; for a gradient, the derivative with respect to that entry."""
        if name.startswith("d") and name[1:] in self.known:
            return self.notation.gradient(self.entry(name[1:], index))
        return self.notation.entry(self.name(name), index)

    def as_scalar(self, node: ast.expr) -> Piece:
        """Convert the argument of ``size`` or ``shape``, whose result is a scalar."""
        piece = self.piece(node)
        return Piece(piece.text, piece.precedence, True)

    def binary(self, op: ast.operator, a: Piece, b: Piece) -> Piece:
        """Return a binary operation."""
        notation, scalar = self.notation, a.is_scalar and b.is_scalar
        match op:
            case ast.Add():
                return Piece(f"{a.text}{notation.plus}{self.operand_after_sign(b, SUM)}", SUM, scalar)
            case ast.Sub():
                return Piece(f"{a.text}{notation.minus}{self.operand_after_sign(b, PRODUCT)}", SUM, scalar)
            case ast.Div():
                return notation.fraction(a, b)
            case ast.Pow():
                return notation.power(a, b)
            case ast.MatMult():
                return Piece(
                    f"{notation.in_parentheses(a, PRODUCT)}{notation.times}{notation.in_parentheses(b, SIGN)}", PRODUCT
                )
        left, right = notation.in_parentheses(a, PRODUCT), notation.in_parentheses(b, SIGN)
        between = notation.dot if a.is_scalar or b.is_scalar else notation.entrywise
        begins = notation.plain_text(right).removeprefix(r"\left")
        are_numbers = begins[:1].isdecimal() or begins.lstrip("( ")[:1] in ("-", "−")
        if are_numbers or (begins.startswith("(") and notation.ends_with_number(left)):
            between = notation.between_numbers  # two adjacent numbers would read as one
        return Piece(f"{left}{between}{right}", PRODUCT, scalar)

    def operand_after_sign(self, piece: Piece, precedence: int) -> str:
        """Return an operand after + or -, in parentheses if it begins with a sign."""
        has_sign = self.notation.plain_text(piece.text).startswith(("-", "−"))
        return self.notation.group(piece.text) if has_sign else self.notation.in_parentheses(piece, precedence)

    def call(self, node: ast.Call) -> Piece:
        """Convert a method call such as ``.sum(axis=0)``, a NumPy function, or another function."""
        match node.func:
            case ast.Attribute(value=ast.Name(id="np"), attr=name):
                return self.numpy_call(name, node)
            case ast.Attribute(value=inner, attr="sum" | "mean" | "max" | "var" as kind):
                return self.reduction(kind, self.piece(inner), node)
            case ast.Name(id="sum") if isinstance(node.args[0], ast.List):
                parts = [self.piece(element) for element in node.args[0].elts]
                return Piece(
                    self.notation.plus.join(self.notation.in_parentheses(part, SUM) for part in parts), SUM, True
                )
        return self.notation.call(ast.unparse(node.func), map(self.piece, node.args))

    def numpy_call(self, name: str, node: ast.Call) -> Piece:
        """Convert a NumPy function."""
        pieces = [self.piece(arg) for arg in node.args]
        match name:
            case "sqrt":
                return self.notation.root(pieces[0])
            case "abs":
                return self.notation.absolute(pieces[0])
            case "where":
                return self.notation.cases(*pieces)
            case "ones_like":
                return self.notation.number(1.0)
            case "square":
                return self.notation.power(pieces[0], Piece("2", ATOM, True))
            case "sum" | "mean" | "max" | "var":
                return self.reduction(name, pieces[0], node)
        return self.notation.call(USUAL_NAMES.get(name, name), pieces)

    def reduction(self, kind: str, piece: Piece, node: ast.Call) -> Piece:
        """Convert a sum, mean, variance or maximum over rows, columns or all entries."""
        axes = [ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg == "axis"]
        axis = axes[0] if axes else None
        return self.notation.reduction(kind, REDUCTION_INDEX.get(axis, str(axis)), piece, axis is None)


@dataclass(frozen=True, repr=False)
class Equations:
    """The equations of a network by stage: ``.latex`` for LaTeX, ``str`` for text; a notebook renders them.

    Attributes
    ----------
    program : Program
    notation : str
        ``"alphabet"`` for W_1, ``"paper"`` for W^{[1]} and δ^{[1]}.
    """

    program: Program
    notation: str = "alphabet"

    @property
    def each(self) -> list[tuple[Statement, str]]:
        """Each statement with its LaTeX."""
        writer = EquationWriter(self.program, LatexNotation(self.notation))
        return [(statement, writer.equation(statement)) for statement in self.program.statements]

    def __getitem__(self, target: str) -> str:
        """Return the LaTeX of the last statement that computes a name."""
        statement = self.program[target]
        return EquationWriter(self.program, LatexNotation(self.notation)).equation(statement)

    @property
    def latex(self) -> str:
        """All equations in LaTeX, aligned at their signs."""
        writer = EquationWriter(self.program, LatexNotation(self.notation))
        lines = [writer.aligned(statement) for statement in self.program.statements]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def __str__(self) -> str:
        writer = EquationWriter(self.program, PlainNotation())
        lines: list[str] = []
        for stage in dict.fromkeys(statement.stage for statement in self.program.statements):
            lines += ["", stage] if lines else [stage]
            for statement in self.program.stage(stage):
                lines += [f"  {writer.equation(statement)}"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex}\n$$"


def equations(network: Model, optimizer: Part | None = None, *, notation: str = "alphabet") -> Equations:
    """Return the forward and backward equations of a network, and the update equations of an optimizer.

    Parameters
    ----------
    optimizer : optimizer or None
        The optimizer whose update is included.
    notation : str
        ``"alphabet"``: W_1, ∂J/∂z_1, as elsewhere in this library. ``"paper"``: W^{[1]}, δ^{[1]}, as in many
        papers.

    Returns
    -------
    Equations
        ``.latex`` is LaTeX in this notation; ``str`` gives Unicode text in the notation of this library.

    Raises
    ------
    InputError
        For an unknown notation.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> net = Network([Dense(2, "tanh"), Dense(1)], loss=SquaredError(), n_in=2)
    >>> equations = net.equations()
    >>> print(str(equations).splitlines()[1], "|", equations["dW1"])
      z₁ = X W₁ + b₁ | \\frac{\\partial J}{\\partial W_{1}} = X^{\\top} \\, \\frac{\\partial J}{\\partial z_{1}}
    """
    if notation not in NOTATIONS:
        raise unknown_name("notation", notation, NOTATIONS)
    return Equations(network.program(optimizer), notation)
