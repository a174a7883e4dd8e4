"""Expressions: translate the right-hand sides of statements from Python with NumPy to JavaScript.

Arrays are combined by the functions of ``arrays.js``, which have NumPy's names; numbers by JavaScript's own operators.
What has no counterpart there raises an error that names it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from workings.errors import NotCompilableError
from workings.readings.javascript.names import Names, array_functions, literal

OPERATORS: Mapping[type[ast.operator], tuple[str, str]] = {  # the function for arrays, the operator for numbers
    ast.Add: ("add", "+"), ast.Sub: ("subtract", "-"), ast.Mult: ("multiply", "*"), ast.Div: ("divide", "/"),
    ast.Pow: ("power", ""), ast.MatMult: ("matmul", ""), ast.FloorDiv: ("floor_divide", ""),
    ast.Mod: ("remainder", ""), ast.BitAnd: ("logical_and", ""), ast.BitOr: ("logical_or", ""),
}  # fmt: skip
COMPARISONS: Mapping[type[ast.cmpop], tuple[str, str]] = {
    ast.Gt: ("greater", ">"), ast.GtE: ("greater_equal", ">="), ast.Lt: ("less", "<"), ast.LtE: ("less_equal", "<="),
    ast.Eq: ("equal", "==="), ast.NotEq: ("not_equal", "!=="),
}  # fmt: skip
PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}
REDUCTIONS = frozenset((
    "sum", "mean", "variance", "std", "prod", "max", "min", "argmax", "argmin", "any", "all", "count_nonzero",
))  # fmt: skip
RENAMED = {"var": "variance", "absolute": "abs", "fabs": "abs", "amax": "max", "amin": "min", "true_divide": "divide",
           "float64": "positive", "negative": "negative", "rint": "round", "fmod": "", "range": "", "take": "",
           "array": "", "reshape": "", "transpose": "transpose", "fsum": "total", "pow": "power"}  # fmt: skip
METHODS = frozenset(("clip", "reshape", "round"))
BUILTINS = {"abs": "np.abs", "float": "np.positive", "int": "np.trunc", "len": "np.len", "sum": "np.total",
            "range": "np.range", "round": "np.round", "bool": "np.truth", "pow": "np.power", "max": "Math.max",
            "min": "Math.min", "list": "Array.from", "tuple": "Array.from"}  # fmt: skip
CONSTANTS = {"pi": "Math.PI", "e": "Math.E", "inf": "Infinity", "nan": "NaN", "newaxis": "null", "tau": "2 * Math.PI"}


@dataclass
class Expressions:
    """Translates expressions.

    Attributes
    ----------
    names : Names
        The JavaScript name of each Python name.
    known : set of str
        The names that are defined where the expressions stand.
    numbers : set of str
        Those of them that are numbers, not arrays.
    functions : set of str
        The names of functions that the module defines.
    where : str
        What is translated, for error messages.
    """

    names: Names
    known: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)
    functions: Collection[str] = ()
    where: str = ""

    def refusal(self, why: str) -> NotCompilableError:
        """Return the error for code that has no counterpart."""
        return NotCompilableError(f"JavaScript cannot take `{self.where}`: {why}.")

    # -- what is a number --------------------------------------------------------------------

    def is_number(self, node: ast.expr) -> bool:
        """Return whether an expression is surely a number, not an array."""
        match node:
            case ast.Constant(value=int() | float()):
                return True
            case ast.Name(id=name):
                return name in self.numbers
            case ast.BinOp(left=left, op=op, right=right):
                return not isinstance(op, ast.MatMult) and self.is_number(left) and self.is_number(right)
            case ast.UnaryOp(operand=operand):
                return self.is_number(operand)
            case ast.Attribute(attr=name):
                return name == "size" or (is_module(node.value) and name in CONSTANTS)
            case ast.Subscript(value=ast.Attribute(attr="shape")):
                return True
            case ast.Call(func=ast.Attribute(value=owner, attr=name), args=args, keywords=keywords):
                if is_module(owner):
                    return bool(args) and not keywords and all(map(self.is_number, args))
                return RENAMED.get(name, name) in REDUCTIONS and not args and not keywords
        return False

    # -- translation -------------------------------------------------------------------------

    def text(self, node: ast.expr) -> str:
        """Return an expression in JavaScript."""
        match node:
            case ast.Constant(value=value):
                return self.constant(value)
            case ast.Name(id=name):
                return self.name(name)
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(op, left, right)
            case ast.UnaryOp(op=op, operand=operand):
                return self.unary(op, operand)
            case ast.Compare():
                return self.comparison(node)
            case ast.BoolOp(op=op, values=values):
                return self.logical(op, values)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return f"{self.condition(test)} ? {self.operand(body)} : {self.operand(orelse)}"
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return f"[{', '.join(map(self.element, parts))}]"
            case ast.Dict(keys=keys, values=values):
                return self.dictionary(keys, values)
            case ast.Attribute(value=owner, attr=name):
                return self.attribute(owner, name)
            case ast.Subscript(value=value, slice=place):
                return self.subscript(value, place)
            case ast.Call():
                return self.call(node)
            case ast.Lambda() | ast.ListComp() | ast.GeneratorExp():
                return self.inner_function(node)
        raise self.refusal(f"`{ast.unparse(node)}` has no counterpart")

    def operand(self, node: ast.expr) -> str:
        """Return an expression that can stand beside an operator."""
        text = self.text(node)
        is_operation = isinstance(node, (ast.BinOp, ast.Compare, ast.IfExp, ast.BoolOp, ast.UnaryOp, ast.Lambda))
        return f"({text})" if is_operation and not is_one_call(text) else text

    def beside(self, node: ast.expr, operator: str, *, binds_left: bool) -> str:
        """Return an operand in parentheses only if they change the order of operations."""
        inner = OPERATORS.get(type(node.op), ("", ""))[1] if isinstance(node, ast.BinOp) else ""
        if inner and PRECEDENCE[inner] >= PRECEDENCE[operator] + (not binds_left):
            return self.text(node)
        return self.operand(node)

    def condition(self, node: ast.expr) -> str:
        """Return an expression as a condition; an array of several entries raises an error, as in NumPy."""
        if isinstance(node, ast.Compare) and self.is_plain(node):
            return self.text(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"!{self.operand(node.operand) if self.is_test(node.operand) else self.condition(node.operand)}"
        return f"np.truth({self.text(node)})"

    def is_test(self, node: ast.expr) -> bool:
        """Return whether an expression becomes a comparison of numbers."""
        return isinstance(node, ast.Compare) and self.is_plain(node)

    def constant(self, value: object) -> str:
        """Return a constant; large whole numbers are numbers like all others here."""
        if isinstance(value, complex) or value is Ellipsis or isinstance(value, bytes):
            raise self.refusal(f"{value!r} has no counterpart")
        return literal(float(value) if isinstance(value, int) and abs(value) >= 2**53 else value)

    def name(self, name: str) -> str:
        """Return a name that is defined."""
        if name in self.known or name in self.functions:
            return self.names[name]
        raise self.refusal(f"it uses the name {name!r}, which has no counterpart")

    def binary(self, op: ast.operator, left: ast.expr, right: ast.expr) -> str:
        """Return an operation: an operator for two numbers, a function if one may be an array."""
        if type(op) not in OPERATORS:
            raise self.refusal(f"the operator {type(op).__name__} has no counterpart")
        function, operator = OPERATORS[type(op)]
        if operator and self.is_number(left) and self.is_number(right):
            one, other = self.beside(left, operator, binds_left=True), self.beside(right, operator, binds_left=False)
            return f"{one} {operator} {other}"
        return f"np.{function}({self.text(left)}, {self.text(right)})"

    def unary(self, op: ast.unaryop, operand: ast.expr) -> str:
        """Return a sign or a negation."""
        if isinstance(op, ast.Not):
            return f"!np.truth({self.text(operand)})"
        if isinstance(op, ast.Invert):
            return f"np.logical_not({self.text(operand)})"
        if self.is_number(operand):
            sign = "-" if isinstance(op, ast.USub) else "+"
            inner = self.operand(operand)
            return f"{sign}({inner})" if inner.startswith(sign) else f"{sign}{inner}"
        return f"np.{'negative' if isinstance(op, ast.USub) else 'positive'}({self.text(operand)})"

    def is_plain(self, node: ast.Compare) -> bool:
        """Return whether a comparison is one of two numbers, or of a value with None."""
        right = node.comparators[0]
        if len(node.ops) == 1 and isinstance(node.ops[0], (ast.Is, ast.IsNot)):
            return True
        return len(node.ops) == 1 and self.is_number(node.left) and self.is_number(right)

    def comparison(self, node: ast.Compare) -> str:
        """Return a comparison; of several in a chain, all must hold."""
        sides = [node.left, *node.comparators]
        pieces = []
        for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if isinstance(op, (ast.Is, ast.IsNot)):
                pieces.append(
                    f"{self.operand(left)} {'===' if isinstance(op, ast.Is) else '!=='} {self.operand(right)}"
                )
                continue
            if type(op) not in COMPARISONS:
                raise self.refusal(f"`{ast.unparse(node)}` has no counterpart")
            function, operator = COMPARISONS[type(op)]
            if self.is_number(left) and self.is_number(right):
                pieces.append(f"{self.operand(left)} {operator} {self.operand(right)}")
            else:
                pieces.append(f"np.{function}({self.text(left)}, {self.text(right)})")
        return pieces[0] if len(pieces) == 1 else " && ".join(f"np.truth({piece})" for piece in pieces)

    def logical(self, op: ast.boolop, values: list[ast.expr]) -> str:
        """Return ``and`` or ``or``; the result is one of the values, as in Python."""
        first, rest = values[0], values[1:]
        other = self.logical(op, rest) if len(rest) > 1 else self.operand(rest[0])
        other = f"({other})" if len(rest) > 1 else other
        one = self.operand(first)
        chosen = (other, one) if isinstance(op, ast.And) else (one, other)
        return f"{self.condition(first)} ? {chosen[0]} : {chosen[1]}"

    def element(self, node: ast.expr) -> str:
        """Return an element of a list."""
        return f"...{self.operand(node.value)}" if isinstance(node, ast.Starred) else self.text(node)

    def dictionary(self, keys: list[ast.expr | None], values: list[ast.expr]) -> str:
        """Return a dict with names as keys as an object."""
        pieces = []
        for key, value in zip(keys, values, strict=True):
            if key is None:
                pieces.append(f"...{self.operand(value)}")
            elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                pieces.append(f"{literal(key.value)}: {self.text(value)}")
            else:
                raise self.refusal("only text can be a key of a dict")
        return f"{{ {', '.join(pieces)} }}"

    def attribute(self, owner: ast.expr, name: str) -> str:
        """Return an attribute of an array, or a constant or function of NumPy."""
        if is_module(owner):
            if name in CONSTANTS:
                return CONSTANTS[name]
            return f"np.{self.function(name)}"
        if name == "T":
            return f"np.transpose({self.text(owner)})"
        if name in ("size", "shape"):
            return f"np.{name}({self.text(owner)})"
        if name == "ndim":
            return f"np.shape({self.text(owner)}).length"
        raise self.refusal(f"`.{name}` has no counterpart")

    def subscript(self, value: ast.expr, place: ast.expr) -> str:
        """Return one entry, one column, or an array with one axis as a column."""
        whole = "slice(None, None, None)"
        match place:
            case ast.Constant(value=str() as key):
                return f"{self.operand(value)}[{literal(key)}]"
            case ast.Tuple(elts=[ast.Slice(lower=None, upper=None, step=None), ast.Constant(value=None)]):
                return f"np.as_column({self.text(value)})"
            case ast.Tuple(elts=[ast.Slice(lower=None, upper=None, step=None), ast.Constant(value=int()) as column]):
                return f"np.column({self.text(value)}, {self.text(column)})"
            case ast.Slice() | ast.Tuple():
                raise self.refusal(f"the index `[{ast.unparse(place).replace(whole, ':')}]` has no counterpart")
        if isinstance(value, ast.Attribute) and value.attr == "shape" and isinstance(place, ast.Constant):
            return f"{self.text(value)}[{self.text(place)}]"
        if isinstance(place, (ast.Compare, ast.BoolOp)):
            raise self.refusal(f"the index `[{ast.unparse(place)}]` has no counterpart")
        return f"np.item({self.text(value)}, {self.text(place)})"

    # -- calls -------------------------------------------------------------------------------

    def call(self, node: ast.Call) -> str:
        """Return a call of a function of NumPy, of a method, of a builtin or of a function of the module."""
        match node.func:
            case ast.Attribute(value=owner, attr=name) if is_module(owner):
                return self.array_call(RENAMED.get(name, name), node.args, node.keywords, f"np.{name}")
            case ast.Attribute(value=owner, attr="astype"):
                return self.conversion(owner, node)
            case ast.Attribute(value=owner, attr="get"):
                key, *default = [self.text(argument) for argument in node.args]
                return f"({self.operand(owner)}[{key}] ?? {default[0] if default else 'null'})"
            case ast.Attribute(value=owner, attr="copy") if not node.args:
                return f"np.positive({self.text(owner)})"
            case ast.Attribute(value=owner, attr=name) if RENAMED.get(name, name) in REDUCTIONS | METHODS:
                return self.array_call(RENAMED.get(name, name) or name, [owner, *node.args], node.keywords, f".{name}")
            case ast.Name(id=name) if name in self.known or name in self.functions:
                return f"{self.names[name]}({self.arguments(node)})"
            case ast.Name(id="float", ctx=_) if isinstance(node.args[0], ast.Constant):
                return literal(float(node.args[0].value))  # type: ignore[arg-type]
            case ast.Name(id=name) if name in BUILTINS:
                return self.builtin(name, node)
        raise self.refusal(f"`{ast.unparse(node.func)}` has no counterpart")

    def arguments(self, node: ast.Call) -> str:
        """Return positional arguments."""
        if node.keywords:
            raise self.refusal(f"`{ast.unparse(node)}` has arguments with a name")
        return ", ".join(map(self.element, node.args))

    def builtin(self, name: str, node: ast.Call) -> str:
        """Return a call of one of Python's own functions."""
        if name in ("max", "min") and len(node.args) == 1:
            return f"{BUILTINS[name]}(...{self.operand(node.args[0])})"
        if name == "sum" and len(node.args) != 1:
            raise self.refusal("`sum` is supported for one list only")
        return f"{BUILTINS[name]}({self.arguments(node)})"

    def function(self, name: str) -> str:
        """Return the function of ``arrays.js`` for one of NumPy."""
        known = RENAMED.get(name, name)
        if known not in array_functions():
            raise self.refusal(f"np.{name} has no counterpart in arrays.js")
        return known

    def array_call(self, name: str, args: list[ast.expr], keywords: list[ast.keyword], shown: str) -> str:
        """Return a call of a function of ``arrays.js``."""
        if name not in array_functions():
            raise self.refusal(f"{shown} has no counterpart in arrays.js")
        if name in REDUCTIONS:
            return f"np.{name}({self.text(args[0])}{self.along(args[1:], keywords, shown)})"
        if keywords:
            raise self.refusal(f"{shown} with {keywords[0].arg}= has no counterpart")
        fewest, most = array_functions()[name]
        if not fewest <= len(args) <= most:
            raise self.refusal(f"{shown} with {len(args)} arguments has no counterpart")
        return f"np.{name}({', '.join(map(self.element, args))})"

    def along(self, args: list[ast.expr], keywords: list[ast.keyword], shown: str) -> str:
        """Return the axis of a reduction, and whether it is kept."""
        given = dict(zip(("axis",), args, strict=False)) | {str(keyword.arg): keyword.value for keyword in keywords}
        if len(args) > 1 or not given.keys() <= {"axis", "keepdims"}:
            raise self.refusal(f"{shown} is supported with axis and keepdims only")
        if any(isinstance(value, (ast.Tuple, ast.List)) for value in given.values()):
            raise self.refusal(f"{shown} is supported along one axis only")
        return f", {{ {', '.join(f'{name}: {self.text(value)}' for name, value in given.items())} }}" if given else ""

    def conversion(self, owner: ast.expr, node: ast.Call) -> str:
        """Return a conversion to another type: numbers are float64 here, whole numbers are cut off."""
        kind = ast.unparse(node.args[0]).removeprefix("np.") if len(node.args) == 1 and not node.keywords else ""
        kinds = {"positive": ("float", "float64"), "trunc": ("int", "int64", "int32", "intp")}
        for function, names in kinds.items():
            if kind in names:
                return f"np.{function}({self.text(owner)})"
        if kind == "bool":
            return f"np.not_equal({self.text(owner)}, 0)"
        raise self.refusal(f"`{ast.unparse(node)}` has no counterpart")

    # -- functions inside expressions ----------------------------------------------------------

    def inner_function(self, node: ast.Lambda | ast.ListComp | ast.GeneratorExp) -> str:
        """Return a lambda or a comprehension as an arrow function."""
        if isinstance(node, ast.Lambda):
            letters = [argument.arg for argument in node.args.args]
            return f"({', '.join(self.names[letter] for letter in letters)}) => {self.within(letters, node.body)}"
        if len(node.generators) != 1 or node.generators[0].ifs or not isinstance(node.generators[0].target, ast.Name):
            raise self.refusal(f"`{ast.unparse(node)}` has no counterpart")
        letter, values = node.generators[0].target.id, node.generators[0].iter
        return f"{self.operand(values)}.map(({self.names[letter]}) => {self.within([letter], node.elt)})"

    def within(self, letters: list[str], body: ast.expr) -> str:
        """Return the body of an arrow function with these arguments."""
        inner = Expressions(self.names, self.known | {*letters}, self.numbers - {*letters}, self.functions, self.where)
        return inner.operand(body)


def is_module(node: ast.expr) -> bool:
    """Return whether an expression is the module NumPy or math."""
    return isinstance(node, ast.Name) and node.id in ("np", "math")


def is_one_call(text: str) -> bool:
    """Return whether JavaScript code is one call, without operators beside it.

    >>> is_one_call("np.add(a, f(b))"), is_one_call("np.exp(a) + np.exp(b)")
    (True, False)
    """
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if sign == ")" and depth == 0:
            return place == len(text) - 1 and text.startswith("np.")
    return False
