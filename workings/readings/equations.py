"""Equations: the statements of a program in mathematical notation.

Each statement's expression is read as syntax and written as LaTeX, as MathML (``mathml.py``) or as plain text with
Unicode; nothing is looked up by a formula's name, so what is shown is what runs, for functions of your own too.
``n`` counts rows,
``i`` runs over the rows, ``j`` over the columns; ⊙ multiplies entry by entry; [z > 0] is 1 where it holds, else 0.
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

SUM, PRODUCT, SIGN, POWER, ATOM = range(5)  # how strongly the parts of an expression hold together
NOTATIONS = ("alphabet", "paper")
GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "theta": "θ", "rho": "ρ", "lam": "λ", "lr": "η", "eps": "ε",
    "momentum": "μ",
}  # fmt: skip
LATEX_GREEK = {"lam": r"\lambda", "lr": r"\eta", "eps": r"\varepsilon", "momentum": r"\mu"}
FUNCTIONS = {
    "tanh", "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "arctan", "arcsin", "arccos", "max", "min",
}  # fmt: skip
RENAMED = {"maximum": "max", "minimum": "min"}  # NumPy's name -> the usual one
BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
ABOVE = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
OVER = {None: "", 0: "i", 1: "j", -1: "j"}
COMPARISONS = {ast.Gt: ">", ast.Lt: "<", ast.GtE: "≥", ast.LtE: "≤", ast.Eq: "=", ast.NotEq: "≠"}
IN_LATEX = {"≥": r"\ge", "≤": r"\le", "≠": r"\ne"}


@dataclass(frozen=True)
class Piece:
    """A piece of an equation, and how strongly its parts hold together; a scalar is one number."""

    text: str
    strength: int
    is_scalar: bool = False


def rest_of(count: int, worth: float | None) -> ast.Constant:
    """What is not written out of a long sum: how many terms, and what they are worth together (None among names)."""
    return ast.Constant(worth, kind=f"{count:,} more")


class Plain:
    """Writes equations as plain text with Unicode; numbers with so many significant ``digits``, or all they have."""

    times, dot, entrywise, between_numbers = " ", " ", " ⊙ ", " · "
    plus, minus, equals, negative = " + ", " - ", " = ", "-"

    def __init__(self, digits: int | None = None) -> None:
        self.digits = digits

    def bare(self, text: str) -> str:
        """What a reader sees of a text first, without markup."""
        return text

    def ends_with_number(self, text: str) -> bool:
        """Return whether a number stands at the end, which what follows must not seem to belong to."""
        return text[-1:].isdecimal()

    def symbol(self, letters: str, number: str, hat: bool, of_layer: bool) -> str:
        """A name: its letters, Greek where they are, and its number, which may be that of its layer."""
        return GREEK.get(letters, letters) + ("\u0302" if hat else "") + number.translate(BELOW)

    def marked(self, symbol: str, mark: str) -> str:
        """A value that a further layer has made of another one."""
        return f"{symbol}_{mark}"

    def number(self, value: float) -> Piece:
        """A number."""
        is_whole = float(value).is_integer() and abs(value) < 1e15
        text = repr(int(value) if is_whole else value)
        text = f"{value:.{self.digits}g}" if self.digits and not is_whole else text
        return Piece(text, PRODUCT if text.startswith("-") else ATOM, True)

    def entry(self, symbol: str, index: str) -> str:
        """One entry of an array."""
        return f"{symbol}[{index}]"

    def rest(self, words: str, worth: float | None) -> Piece:
        """What is not written out of a long sum."""
        return Piece(f"[{words}{'' if worth is None else f': {self.number(worth).text}'}]", ATOM, True)

    def gradient(self, of: str) -> str:
        """The derivative of J."""
        return f"∂J/∂{of}"

    def derivative(self, of: str, by: str) -> str:
        """One entry by another one."""
        return f"∂{of}/∂{by}"

    def belongs(self, symbol: str, to: str) -> str:
        """What an optimizer remembers of a parameter."""
        return f"{symbol}[{to}]"

    def words(self, text: str) -> str:
        """A name of several letters."""
        return text

    def group(self, text: str) -> str:
        """In parentheses."""
        return f"({text})"

    def fraction(self, above: Piece, below: Piece) -> Piece:
        """One divided by the other."""
        scalar = above.is_scalar and below.is_scalar
        return Piece(f"{self.held(above, PRODUCT)} / {self.held(below, SIGN)}", PRODUCT, scalar)

    def power(self, base: Piece, exponent: Piece) -> Piece:
        """One to the power of the other."""
        raised = exponent.text.translate(ABOVE) if exponent.text.isdecimal() else f"^{self.held(exponent, ATOM)}"
        held = self.group(base.text) if base.text.startswith("∂") else self.held(base, ATOM)
        return Piece(f"{held}{raised}", POWER, base.is_scalar and exponent.is_scalar)

    def transposed(self, piece: Piece) -> Piece:
        """Rows for columns."""
        return Piece(f"{self.held(piece, ATOM)}ᵀ", POWER)

    def root(self, piece: Piece) -> Piece:
        """The square root."""
        return Piece(f"√({piece.text})", ATOM, piece.is_scalar)

    def size(self, piece: Piece) -> Piece:
        """The absolute value."""
        return Piece(f"|{piece.text}|", ATOM, piece.is_scalar)

    def called(self, name: str, pieces: Iterable[Piece]) -> Piece:
        """A function of something."""
        args = list(pieces)
        return Piece(f"{name}({', '.join(arg.text for arg in args)})", ATOM, all(arg.is_scalar for arg in args))

    def truth(self, left: Piece, sign: str, right: Piece) -> Piece:
        """1 where something holds, else 0."""
        return Piece(f"[{left.text} {sign} {right.text}]", ATOM, left.is_scalar and right.is_scalar)

    def choice(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        """One of two, entry by entry."""
        return Piece(f"({yes.text} if {condition.text.removeprefix('[').removesuffix(']')}, else {no.text})", ATOM)

    def over(self, kind: str, index: str, piece: Piece, scalar: bool) -> Piece:
        """A sum, a mean, a variance or a maximum."""
        sign = {"sum": "Σ", "max": "max", "mean": "mean", "var": "var"}[kind]
        return Piece(f"{sign}{'_' + index if index else ''} {self.held(piece, PRODUCT + 1)}", PRODUCT, scalar)

    def held(self, piece: Piece, strength: int) -> str:
        """A piece, in parentheses where its parts would come apart."""
        return piece.text if piece.strength >= strength else self.group(piece.text)


class Latex(Plain):
    """Writes equations as LaTeX, in the alphabet of the library or with layers as in many papers, W^{[1]}."""

    times, dot, entrywise, between_numbers = r" \, ", r" \, ", r" \odot ", r" \cdot "

    def __init__(self, notation: str = "alphabet", digits: int | None = None) -> None:
        super().__init__(digits)
        self.is_paper = notation == "paper"

    def symbol(self, letters: str, number: str, hat: bool, of_layer: bool) -> str:
        base = LATEX_GREEK.get(letters, f"\\{letters}" if letters in GREEK else letters)
        base = base if len(letters) == 1 or base.startswith("\\") else self.words(letters)
        base = rf"\hat{{{base}}}" if hat else base
        if not number:
            return base
        return f"{base}^{{[{number}]}}" if self.is_paper and of_layer else f"{base}_{{{number}}}"

    def marked(self, symbol: str, mark: str) -> str:
        if "_{" in symbol:
            return f"{symbol.removesuffix('}')},{self.words(mark)}}}"
        return f"{symbol}_{{{self.words(mark)}}}"

    def number(self, value: float) -> Piece:
        plain = super().number(value)
        digits, _, exponent = plain.text.partition("e")
        if not exponent:
            return plain
        power = f"10^{{{int(exponent)}}}"
        return Piece(power, POWER, True) if digits == "1" else Piece(rf"{digits} \cdot {power}", PRODUCT, True)

    def rest(self, words: str, worth: float | None) -> Piece:
        of = "" if worth is None else f": {self.number(worth).text}"
        return Piece(rf"[\text{{{words}}}{of}]", ATOM, True)

    def gradient(self, of: str) -> str:
        if self.is_paper and re.fullmatch(r"z\^\{\[\d+\]\}", of):
            return rf"\delta{of[1:]}"
        return rf"\frac{{\partial J}}{{\partial {of}}}"

    def derivative(self, of: str, by: str) -> str:
        return rf"\frac{{\partial {of}}}{{\partial {by}}}"

    def belongs(self, symbol: str, to: str) -> str:
        return f"{symbol}_{{{to}}}"

    def words(self, text: str) -> str:
        return rf"\mathrm{{{text}}}".replace("_", r"\_")

    def group(self, text: str) -> str:
        return rf"\left( {text} \right)"

    def fraction(self, above: Piece, below: Piece) -> Piece:
        return Piece(rf"\frac{{{above.text}}}{{{below.text}}}", ATOM, above.is_scalar and below.is_scalar)

    def power(self, base: Piece, exponent: Piece) -> Piece:
        return Piece(f"{self.base(base)}^{{{exponent.text}}}", POWER, base.is_scalar and exponent.is_scalar)

    def base(self, piece: Piece) -> str:
        """What gets an exponent: in parentheses if it has one already, or is a fraction."""
        has_one = "^" in piece.text or piece.text.startswith(r"\frac")
        return self.group(piece.text) if has_one and not piece.text.startswith(r"\left(") else self.held(piece, ATOM)

    def transposed(self, piece: Piece) -> Piece:
        return Piece(rf"{self.base(piece)}^{{\top}}", POWER)

    def root(self, piece: Piece) -> Piece:
        return Piece(rf"\sqrt{{{piece.text}}}", ATOM, piece.is_scalar)

    def size(self, piece: Piece) -> Piece:
        return Piece(rf"\left| {piece.text} \right|", ATOM, piece.is_scalar)

    def called(self, name: str, pieces: Iterable[Piece]) -> Piece:
        args = list(pieces)
        head = f"\\{name}" if name in FUNCTIONS else rf"\operatorname{{{name}}}".replace("_", r"\_")
        return Piece(head + self.group(", ".join(arg.text for arg in args)), ATOM, all(arg.is_scalar for arg in args))

    def truth(self, left: Piece, sign: str, right: Piece) -> Piece:
        text = rf"\left[ {left.text} {IN_LATEX.get(sign, sign)} {right.text} \right]"
        return Piece(text, ATOM, left.is_scalar and right.is_scalar)

    def choice(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        holds = condition.text.removeprefix(r"\left[ ").removesuffix(r" \right]")
        return Piece(
            rf"\begin{{cases}} {yes.text} & \text{{if }} {holds} \\ {no.text} & \text{{else}} \end{{cases}}", ATOM
        )

    def over(self, kind: str, index: str, piece: Piece, scalar: bool) -> Piece:
        sign = {"sum": r"\sum", "max": r"\max", "mean": r"\operatorname{mean}", "var": r"\operatorname{var}"}[kind]
        return Piece(f"{sign}{f'_{{{index}}}' if index else ''} {self.held(piece, PRODUCT + 1)}", PRODUCT, scalar)


class Teller:
    """Turns the expressions of a program into equations."""

    def __init__(self, program: Program, writes: Plain) -> None:
        self.program, self.writes = program, writes
        self.known = {*program.inputs, *(statement.target for statement in program.statements), "X", "y"}
        shapes = {statement.target: statement.shape for statement in program.statements}
        self.scalars = {*program.constants, "n", "lr", "t", *(name for name, shape in shapes.items() if shape == ())}

    def equation(self, statement: Statement) -> str:
        """A statement as an equation."""
        return f"{self.name(statement.target)}{self.writes.equals}{self.told(statement.expression)}"

    def told(self, expression: str) -> str:
        """An expression."""
        return self.piece(parse_expression(expression)).text

    def name(self, name: str) -> str:
        """A name of the program: a gradient, something that is remembered of a parameter, or a letter."""
        if name.startswith("d") and name[1:] in self.known:
            return self.writes.gradient(self.name(name[1:]))
        for parameter in self.program.parameters:
            if name.endswith(f"_{parameter}") and name != parameter:
                return self.writes.belongs(self.name(name.removesuffix(f"_{parameter}")), self.name(parameter))
        match = re.fullmatch(r"([A-Za-z_]+?)(_hat)?(\d*)(?:(?<=\d)_([a-z_]+))?", name)
        if match is None:
            return self.writes.words(name)
        letters, hat, number, mark = match.groups()
        symbol = self.writes.symbol(letters, number, bool(hat), name not in self.program.constants)
        return self.writes.marked(symbol, mark) if mark else symbol

    def piece(self, node: ast.expr) -> Piece:
        """A part of an expression."""
        writes = self.writes
        match node:
            case ast.Constant(value=worth, kind=str(words)):
                return writes.rest(words, worth)  # type: ignore[arg-type]
            case ast.Constant(value=value):
                return writes.number(float(value))  # type: ignore[arg-type]
            case ast.Name(id=name):
                return Piece(self.name(name), ATOM, name in self.scalars)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.piece(operand)
                return Piece(f"{writes.negative}{writes.held(inner, PRODUCT)}", SIGN - 1, inner.is_scalar)
            case ast.BinOp(left=left, op=op, right=right):
                return self.combined(op, self.piece(left), self.piece(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
                return writes.truth(self.piece(left), COMPARISONS[type(op)], self.piece(right))
            case ast.Attribute(value=value, attr="T"):
                return writes.transposed(self.piece(value))
            case ast.Attribute(value=value, attr="size"):
                return writes.called("size", [self.as_scalar(value)])
            case ast.Subscript(value=ast.Attribute(value=value, attr="shape"), slice=ast.Constant(value=axis)):
                return writes.called("rows" if axis == 0 else "columns", [self.as_scalar(value)])
            case ast.Subscript(value=ast.Name(id=name), slice=index):
                return Piece(self.entry(name, ast.unparse(index).strip("()").replace(", ", ",")), ATOM, True)
            case ast.Call():
                return self.call(node)
        return Piece(writes.words(ast.unparse(node)), SUM)

    def entry(self, name: str, index: str) -> str:
        """One entry of what a name stands for; of a gradient, the derivative by that entry."""
        if name.startswith("d") and name[1:] in self.known:
            return self.writes.gradient(self.entry(name[1:], index))
        return self.writes.entry(self.name(name), index)

    def as_scalar(self, node: ast.expr) -> Piece:
        """What is asked for its size, which is one number."""
        piece = self.piece(node)
        return Piece(piece.text, piece.strength, True)

    def combined(self, op: ast.operator, a: Piece, b: Piece) -> Piece:
        """Two parts and what stands between them."""
        writes, scalar = self.writes, a.is_scalar and b.is_scalar
        match op:
            case ast.Add():
                return Piece(f"{a.text}{writes.plus}{self.after_sign(b, SUM)}", SUM, scalar)
            case ast.Sub():
                return Piece(f"{a.text}{writes.minus}{self.after_sign(b, PRODUCT)}", SUM, scalar)
            case ast.Div():
                return writes.fraction(a, b)
            case ast.Pow():
                return writes.power(a, b)
            case ast.MatMult():
                return Piece(f"{writes.held(a, PRODUCT)}{writes.times}{writes.held(b, SIGN)}", PRODUCT)
        left, right = writes.held(a, PRODUCT), writes.held(b, SIGN)
        between = writes.dot if a.is_scalar or b.is_scalar else writes.entrywise
        begins = writes.bare(right).removeprefix(r"\left")
        are_numbers = begins[:1].isdecimal() or begins.lstrip("( ")[:1] in ("-", "−")
        if are_numbers or (begins.startswith("(") and writes.ends_with_number(left)):
            between = writes.between_numbers  # two numbers side by side would be one
        return Piece(f"{left}{between}{right}", PRODUCT, scalar)

    def after_sign(self, piece: Piece, strength: int) -> str:
        """A part that comes after a sign, which must not begin with another one."""
        has_sign = self.writes.bare(piece.text).startswith(("-", "−"))
        return self.writes.group(piece.text) if has_sign else self.writes.held(piece, strength)

    def call(self, node: ast.Call) -> Piece:
        """A method such as ``.sum(axis=0)``, a function of NumPy, or another one."""
        match node.func:
            case ast.Attribute(value=ast.Name(id="np"), attr=name):
                return self.numpy(name, node)
            case ast.Attribute(value=inner, attr="sum" | "mean" | "max" | "var" as kind):
                return self.reduction(kind, self.piece(inner), node)
            case ast.Name(id="sum") if isinstance(node.args[0], ast.List):
                parts = [self.piece(element) for element in node.args[0].elts]
                return Piece(self.writes.plus.join(self.writes.held(part, SUM) for part in parts), SUM, True)
        return self.writes.called(ast.unparse(node.func), map(self.piece, node.args))

    def numpy(self, name: str, node: ast.Call) -> Piece:
        """A function of NumPy."""
        pieces = [self.piece(arg) for arg in node.args]
        match name:
            case "sqrt":
                return self.writes.root(pieces[0])
            case "abs":
                return self.writes.size(pieces[0])
            case "where":
                return self.writes.choice(*pieces)
            case "square":
                return self.writes.power(pieces[0], Piece("2", ATOM, True))
            case "sum" | "mean" | "max" | "var":
                return self.reduction(name, pieces[0], node)
        return self.writes.called(RENAMED.get(name, name), pieces)

    def reduction(self, kind: str, piece: Piece, node: ast.Call) -> Piece:
        """A sum, a mean, a variance or a maximum, over rows, columns or all."""
        axes = [ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg == "axis"]
        axis = axes[0] if axes else None
        return self.writes.over(kind, OVER.get(axis, str(axis)), piece, axis is None)


@dataclass(frozen=True)
class Equations:
    """The equations of a network, stage by stage; ``latex``, as plain text by ``str``, and in a notebook.

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
        """Each statement and its LaTeX."""
        teller = Teller(self.program, Latex(self.notation))
        return [(statement, teller.equation(statement)) for statement in self.program.statements]

    def __getitem__(self, target: str) -> str:
        """The LaTeX of the statement that computes a name (of the last one, if several do)."""
        statement = self.program[target]
        return Teller(self.program, Latex(self.notation)).equation(statement)

    @property
    def latex(self) -> str:
        """All equations, aligned at the equals signs."""
        lines = [equation.replace(" = ", " &= ", 1) for _, equation in self.each]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def __str__(self) -> str:
        teller = Teller(self.program, Plain())
        lines: list[str] = []
        for stage in dict.fromkeys(statement.stage for statement in self.program.statements):
            lines += ["", stage] if lines else [stage]
            for statement in self.program.stage(stage):
                lines += [f"  {teller.equation(statement)}"]
        return "\n".join(lines)

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex}\n$$"


def equations(network: Model, optimizer: Part | None = None, *, notation: str = "alphabet") -> Equations:
    """The forward and backward formulas of a network, and with an optimizer its update, as equations.

    Parameters
    ----------
    optimizer : optimizer or None
        Whose update is to be told.
    notation : str
        ``"alphabet"``: W_1, ∂J/∂z_1, as everywhere in the library. ``"paper"``: W^{[1]}, δ^{[1]}, as in many papers.

    Returns
    -------
    Equations
        ``.latex`` is LaTeX in this notation, ``str`` plain text in the alphabet.

    Raises
    ------
    InputError
        For another notation.

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
