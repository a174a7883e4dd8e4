"""Translate modules of Python to JavaScript: functions, generators and records, as the doctor's checks have them.

The formulas of a network are straight-line code (``formula_catalogue.py``).  The doctor's checks are whole modules, so
this translation takes more of Python.  Operators, methods and formats become calls of ``python.js``, which has Python's
rules; calls of NumPy go to ``more-arrays.js``.  What has no counterpart raises an error that names it.

Names are resolved as Python does: a function is translated together with all functions, classes and constants of
``within`` that it uses.  ``given`` maps what JavaScript has already, such as the network, to its name there.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from workings.errors import NotCompilableError
from workings.readings.javascript.names import KEYWORDS, literal

OPERATORS = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.FloorDiv: "floor_divide",
    ast.Mod: "remainder", ast.Pow: "power", ast.MatMult: "matmul", ast.BitAnd: "both", ast.BitOr: "either",
    ast.BitXor: "differ",
}  # fmt: skip
COMPARISONS = {ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater", ast.GtE: "greater_equal", ast.Eq: "equal",
               ast.NotEq: "not_equal"}  # fmt: skip
BUILTINS = (
    "abs", "all", "any", "bool", "callable", "dict", "enumerate", "float", "frozenset", "getattr", "hasattr", "int",
    "isinstance", "iter", "len", "list", "map", "max", "min", "next", "range", "repr", "reversed", "round", "set",
    "sorted", "str", "sum", "tuple", "type", "zip",
)  # fmt: skip
TYPES = ("bool", "int", "float", "str", "list", "tuple", "dict", "Mapping", "Sequence", "type")
LIBRARY = {
    "replace": "$.replaced",
    "asdict": "$.asdict",
    "fields": "$.fields",
    "is_dataclass": "$.is_dataclass",
    "Mapping": '"Mapping"',
}
SHARED = frozenset((
    "all", "any", "append", "argmax", "argmin", "argsort", "astype", "copy", "get", "index", "isdisjoint", "items",
    "join", "keys", "max", "mean", "min", "ravel", "remove", "removeprefix", "replace", "reshape", "setdefault",
    "splitlines", "startswith", "removesuffix", "std", "strip", "rstrip", "sum", "tolist", "values", "var",
    "view", "partial", "lower",
))  # fmt: skip  # methods of arrays, texts, lists and dicts
ATTRIBUTES = frozenset(("shape", "T", "size", "ndim", "dtype"))
SILENT = ("warnings.catch_warnings", "np.errstate")  # contexts that JavaScript does not need: it gives no warnings
PROPERTIES = ("property", "functools.cached_property")
LEFT_OUT = ("functools.cache", "cache", "functools.lru_cache", "checked_keywords")  # decorators that change no result


@dataclass(frozen=True)
class Thing:
    """A top-level definition: the module and the name in it."""

    module: str
    name: str


@cache
def tree_of(module: str) -> ast.Module:
    """Return the syntax of a module."""
    return ast.parse(inspect.getsource(sys.modules.get(module) or importlib.import_module(module)))


@cache
def definitions(module: str) -> dict[str, ast.stmt]:
    """Return the top-level definitions and imports of a module by name."""
    found: dict[str, ast.stmt] = {}
    for node in tree_of(module).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found[name] = node
            case ast.Assign(targets=targets):
                found |= {
                    name.id: node for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
                }
            case ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = node
            case ast.ImportFrom(names=names) | ast.Import(names=names):
                found |= {alias.asname or alias.name: node for alias in names}
    return found


def origin(module: str, name: str) -> Thing | None:
    """Return where a global name of a module is defined; None for a name of Python itself."""
    node = definitions(module).get(name)
    match node:
        case None:
            return None
        case ast.ImportFrom(module=str() as source, names=names):
            original = next(alias.name for alias in names if name in (alias.asname, alias.name))
            return origin(source, original) if source.split(".")[0] == "workings" else Thing(source, original)
        case ast.Import():
            return Thing(name, "")
    return Thing(module, name)


@dataclass
class ModuleTranslation:
    """Collects definitions with all that they use, in the order in which JavaScript needs them.

    Attributes
    ----------
    within : tuple of str
        The beginnings of the names of the modules that are translated.
    given : mapping of str to str
        What JavaScript has already: a definition, written as ``module.name``, and its name there.
    """

    within: tuple[str, ...]
    given: Mapping[str, str]
    texts: dict[Thing, list[str]] = field(default_factory=dict)
    names: dict[str, Thing] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def add(self, thing: Thing) -> str:
        """Translate a definition, if it is not there yet; return its name in JavaScript."""
        known = self.given.get(f"{thing.module}.{thing.name}")
        if known is not None:
            self.used.add(known)
            return known
        name = self.name_of(thing)
        if thing in self.texts:
            return name
        value = getattr(importlib.import_module(thing.module), thing.name, None)
        if isinstance(value, (bool, int, float, str)):
            self.texts[thing] = [f"const {name} = {literal(value)};"]
            return name
        if not thing.module.startswith(self.within):
            raise NotCompilableError(f"{thing.module}.{thing.name} has no counterpart in JavaScript.")
        self.texts[thing] = []
        node = definitions(thing.module)[thing.name]
        writer = Writer(self, thing.module, name)
        match node:
            case ast.FunctionDef():
                lines = writer.function(node, name)
            case ast.ClassDef():
                lines = writer.record(node, name)
            case ast.AnnAssign(value=ast.expr() as value) | ast.Assign(value=value):
                lines = [f"const {name} = {writer.expression(value)};"]
            case _:
                raise NotCompilableError(f"`{ast.unparse(node)}` has no counterpart in JavaScript.")
        del self.texts[thing]
        self.texts[thing] = lines  # after what it uses
        return name

    def name_of(self, thing: Thing) -> str:
        """Return the name of a definition: its own, or one with its module, if another one has this name."""
        name = thing.name + "_" * (thing.name in KEYWORDS)
        if self.names.setdefault(name, thing) == thing:
            return name
        longer = f"{name}_of_{thing.module.rsplit('.', 1)[-1]}"
        self.names[longer] = thing
        return longer

    def lines(self) -> list[str]:
        """Return all lines: constants after what they use, functions and classes with their first line of words."""
        return [line for lines in self.texts.values() for line in (*lines, "")]


def parameters_of(node: ast.FunctionDef) -> list[str]:
    """Return the names of all parameters in order; that of ``**`` is the last."""
    arguments = node.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return [*names, *([arguments.kwarg.arg] if arguments.kwarg else [])]


def fields_of(node: ast.ClassDef) -> dict[str, ast.expr | None]:
    """Return the fields of a record with their defaults."""
    return {
        one.target.id: one.value
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    }


def stored(node: ast.AST) -> Iterator[str]:
    """Yield the names that code assigns, except those of inner functions and comprehensions."""
    for inner in ast.iter_child_nodes(node):
        match inner:
            case ast.FunctionDef() | ast.Lambda():
                continue
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.comprehension(iter=values, ifs=ifs):
                for part in (values, *ifs):
                    yield from stored(ast.Expr(part))
                continue
        yield from stored(inner)


def words_of(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """Return the first line of a docstring as a comment."""
    words = (ast.get_docstring(node) or "").split("\n")[0].replace("*/", "")
    return [f"/** {words} */"] if words else []


@dataclass
class Writer:
    """Writes one definition."""

    translation: ModuleTranslation
    module: str
    where: str
    local: set[str] = field(default_factory=set)

    def refusal(self, node: ast.AST) -> NotCompilableError:
        """Return the error for code that has no counterpart."""
        code = " ".join(ast.unparse(node).split("\n")[:2])
        return NotCompilableError(f"JavaScript cannot take `{code}` of {self.where}.")

    # -- definitions -----------------------------------------------------------------------

    def function(self, node: ast.FunctionDef, name: str, head: str = "function") -> list[str]:
        """Return the lines of a function, a generator, or a method without its ``self``."""
        if node.args.vararg or any(called(mark) not in (*LEFT_OUT, *PROPERTIES) for mark in node.decorator_list):
            raise self.refusal(node)
        names = parameters_of(node)
        inner = Writer(self.translation, self.module, node.name, {*self.local, *names})
        is_method = head != "function"
        own = names[1:] if is_method and names[:1] == ["self"] else names
        defaults = dict(zip(reversed([a.arg for a in node.args.args]), reversed(node.args.defaults), strict=False))
        defaults |= {
            a.arg: d for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is not None
        }
        texts = [
            f"{safe(one)} = {self.expression(defaults[one])}"
            if one in defaults
            else f"{safe(one)} = new Map()"
            if node.args.kwarg and one == node.args.kwarg.arg
            else safe(one)
            for one in own
        ]
        assigned = sorted({*stored(ast.Module(node.body, []))} - {*names})
        inner.local |= {*assigned, *(one.name for one in node.body if isinstance(one, ast.FunctionDef))}
        star = "*" if is_generator(node) else ""
        opening = f"{head}{star} {name}" if head == "function" else f"{head}{star}{name}"
        body = ["const self = this;"] if own != names else []
        body += [f"let {', '.join(map(safe, assigned))};"] if assigned else []
        for statement in node.body:
            body += inner.statement(statement)
        return [*words_of(node), f"{opening}({', '.join(texts)}) {{", *indented(body), "}"]

    def record(self, node: ast.ClassDef, name: str) -> list[str]:
        """Return a dataclass or a named tuple as a class."""
        defaults = fields_of(node)
        lines = [f"static fields = {literal(list(defaults))};"]
        given = {one: self.default(value) for one, value in defaults.items() if value is not None}
        lines.append(f"static defaults = {{ {', '.join(f'{k}: () => {v}' for k, v in given.items())} }};")
        for one in node.body:
            if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
                lines += self.method(one)
        return [*words_of(node), f"class {name} extends $.Record {{", *indented(lines), "}"]

    def default(self, value: ast.expr) -> str:
        """Return the default of a field."""
        match value:
            case ast.Call(func=ast.Name(id="field"), keywords=[ast.keyword(arg="default_factory", value=made)]):
                return "new Map()" if isinstance(made, ast.Name) and made.id == "dict" else self.call_of(made)
        return self.expression(value)

    def call_of(self, made: ast.expr) -> str:
        """Return the call of what makes a default."""
        return f"({self.expression(made)})()" if isinstance(made, ast.Lambda) else f"$.made({self.expression(made)})"

    def method(self, node: ast.FunctionDef) -> list[str]:
        """Return a method or a property."""
        marks = {ast.unparse(mark) for mark in node.decorator_list}
        if "functools.cached_property" in marks:
            lines = self.function(node, node.name, "get ")
            name = literal(node.name)
            return [*lines[:2], f"  return $.remembered(this, {name}, () => {{", *indented(lines[2:-1]), "  });", "}"]
        return self.function(node, safe(node.name), "get " if "property" in marks else "")

    # -- statements ------------------------------------------------------------------------

    def block(self, statements: Sequence[ast.stmt]) -> list[str]:
        """Return the indented lines of a block."""
        return indented([line for statement in statements for line in self.statement(statement)])

    def statement(self, node: ast.stmt) -> list[str]:
        """Return the lines of one statement."""
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.Assert():
                return []
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="warnings")))):
                return []  # JavaScript gives no warnings
            case ast.Expr(value=ast.Yield(value=ast.expr() as value)):
                return [f"yield {self.expression(value)};"]
            case ast.Expr(value=ast.YieldFrom(value=value)):
                return [f"yield* $.iter({self.expression(value)});"]
            case ast.Expr(value=value):
                return [f"{self.expression(value)};"]
            case ast.Return(value=value):
                return ["return null;" if value is None else f"return {self.expression(value)};"]
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                return [self.assignment(target, self.expression(value))]
            case ast.Assign(targets=[ast.Name(id=name) as first, *others], value=value):
                lines = [self.assignment(first, self.expression(value))]
                return [*lines, *(self.assignment(target, safe(name)) for target in others)]
            case ast.AugAssign(target=target, op=op, value=value):
                plain = ast.parse(ast.unparse(target), mode="eval").body
                return [self.assignment(target, self.binary(op, self.expression(plain), self.expression(value)))]
            case ast.Break():
                return ["break;"]
            case ast.Continue():
                return ["continue;"]
        return self.compound(node)

    def compound(self, node: ast.stmt) -> list[str]:
        """Return the lines of a statement with a block."""
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                rest = ["} else {", *self.block(orelse), "}"] if orelse else ["}"]
                return [f"if ({self.truth(test)}) {{", *self.block(body), *rest]
            case ast.For(target=target, iter=values, body=body, orelse=[]):
                head = f"for ({self.pattern(target)} of {self.iterated(values)}) {{"
                return [head, *self.block(body), "}"]
            case ast.While(test=test, body=body, orelse=[]):
                return [f"while ({self.truth(test)}) {{", *self.block(body), "}"]
            case ast.With(items=items, body=body) if all(called(one.context_expr) in SILENT for one in items):
                return [line for statement in body for line in self.statement(statement)]
            case ast.FunctionDef():
                return self.inner_function(node)
            case ast.Try(
                body=body,
                handlers=[ast.ExceptHandler(type=ast.Name() as kind, name=name, body=handled)],
                orelse=[],
                finalbody=[],
            ):
                caught = name or "error"
                inner = Writer(self.translation, self.module, self.where, {*self.local, caught})
                check = f"if (!({caught} instanceof {self.expression(kind)})) throw {caught};"
                return ["try {", *self.block(body), f"}} catch ({caught}) {{", f"  {check}", *inner.block(handled), "}"]
        raise self.refusal(node)

    def inner_function(self, node: ast.FunctionDef) -> list[str]:
        """Return a function inside another one; one with ``functools.cache`` remembers its result."""
        name = safe(node.name)
        if not node.decorator_list:
            return self.function(node, name)
        opening, *body, _ = self.function(node, "")[len(words_of(node)) :]
        return [f"const {name} = $.once({opening}", *body, "});"]

    def assignment(self, target: ast.expr, value: str) -> str:
        """Return an assignment to a name, an entry, or several names."""
        match target:
            case ast.Name(id=name):
                return f"{safe(name)} = {value};"
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                stars = [place for place, part in enumerate(parts) if isinstance(part, ast.Starred)]
                if stars and stars[0] < len(parts) - 1:
                    value = f"$.gathered({value}, {stars[0]}, {len(parts) - 1 - stars[0]})"
                    parts = [part.value if isinstance(part, ast.Starred) else part for part in parts]
                return f"[{', '.join(map(self.pattern, parts))}] = $.list({value});"
            case ast.Subscript(value=owner, slice=place):
                return f"$.put({self.expression(owner)}, {self.place(place)}, {value});"
        raise self.refusal(target)

    def pattern(self, target: ast.expr) -> str:
        """Return a target of an assignment as a pattern."""
        match target:
            case ast.Name(id=name):
                return safe(name)
            case ast.Starred(value=value):
                return f"...{self.pattern(value)}"
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return f"[{', '.join(map(self.pattern, parts))}]"
        raise self.refusal(target)

    # -- expressions -----------------------------------------------------------------------

    def truth(self, node: ast.expr) -> str:
        """Return an expression as a condition."""
        match node:
            case ast.Compare(ops=[ast.Is() | ast.IsNot()]):
                return self.expression(node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"!({self.truth(operand)})"
        return f"$.truth({self.expression(node)})"

    def iterated(self, node: ast.expr) -> str:
        """Return an expression as something that a loop takes."""
        return f"$.iter({self.expression(node)})"

    def expressions(self, nodes: Sequence[ast.expr]) -> str:
        """Return expressions in a row."""
        return ", ".join(
            f"...$.iter({self.expression(one.value)})" if isinstance(one, ast.Starred) else self.expression(one)
            for one in nodes
        )

    def expression(self, node: ast.expr) -> str:
        """Return an expression."""
        match node:
            case ast.Constant(value=value):
                return self.constant(node, value)
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(op, self.expression(left), self.expression(right))
            case ast.UnaryOp(op=ast.Not()):
                return self.truth(node)
            case ast.UnaryOp(op=op, operand=operand):
                function = {ast.USub: "negative", ast.UAdd: "positive", ast.Invert: "inverted"}[type(op)]
                return f"$.{function}({self.expression(operand)})"
            case ast.BoolOp(op=op, values=[first, *rest]):
                other = self.expression(rest[0] if len(rest) == 1 else ast.BoolOp(op, rest))
                return f"$.{'and' if isinstance(op, ast.And) else 'or'}({self.expression(first)}, () => {other})"
            case ast.Compare():
                return self.comparison(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return f"({self.truth(test)} ? {self.expression(body)} : {self.expression(orelse)})"
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return f"[{self.expressions(parts)}]"
            case ast.Set(elts=parts):
                return f"new Set([{self.expressions(parts)}])"
            case ast.Dict(keys=keys, values=values):
                pairs = [
                    f"...$.items({self.expression(value)})"
                    if key is None
                    else f"[{self.expression(key)}, {self.expression(value)}]"
                    for key, value in zip(keys, values, strict=True)
                ]
                return f"new Map([{', '.join(pairs)}])"
        return self.composed(node)

    def composed(self, node: ast.expr) -> str:
        """Return a text, an attribute, an entry, a call or a comprehension."""
        match node:
            case ast.JoinedStr(values=parts):
                return f"({' + '.join(map(self.piece, parts))})" if parts else '""'
            case ast.Attribute(value=owner, attr=name):
                return self.attribute(owner, name)
            case ast.Subscript(value=owner, slice=place):
                return f"$.item({self.expression(owner)}, {self.place(place)})"
            case ast.Call():
                return self.call(node)
            case ast.NamedExpr(target=ast.Name(id=name), value=value):
                return f"({safe(name)} = {self.expression(value)})"
            case ast.Lambda(
                args=ast.arguments(vararg=None, kwonlyargs=[], kwarg=None, defaults=[]) as arguments, body=body
            ):
                names = [one.arg for one in arguments.args]
                inner = Writer(self.translation, self.module, self.where, {*self.local, *names})
                return f"(({', '.join(map(safe, names))}) => {inner.expression(body)})"
            case ast.ListComp(elt=element, generators=loops):
                return f"[...{self.loop(element, loops)}]"
            case ast.SetComp(elt=element, generators=loops):
                return f"new Set({self.loop(element, loops)})"
            case ast.GeneratorExp(elt=element, generators=loops):
                return self.loop(element, loops)
            case ast.DictComp(key=key, value=value, generators=loops):
                return f"new Map({self.loop(ast.Tuple([key, value]), loops)})"
        raise self.refusal(node)

    def loop(self, element: ast.expr, loops: Sequence[ast.comprehension]) -> str:
        """Return a comprehension as a generator."""
        first, *_ = loops
        names = {one.id for loop in loops for one in ast.walk(loop.target) if isinstance(one, ast.Name)}
        inner = Writer(self.translation, self.module, self.where, {*self.local, *names})
        text = f"yield {inner.expression(element)};"
        for loop in reversed(loops):
            tests = "".join(f"if ({inner.truth(test)}) " for test in loop.ifs)
            values = "$values" if loop is first else inner.iterated(loop.iter)
            text = f"for (const {inner.pattern(loop.target)} of {values}) {tests}{text}"
        return f"(function* ($values) {{ {text} }})({self.iterated(first.iter)})"

    def constant(self, node: ast.Constant, value: object) -> str:
        """Return a constant."""
        if isinstance(value, (complex, bytes)) or value is Ellipsis:
            raise self.refusal(node)
        return literal(value)

    def name(self, node: ast.expr, name: str) -> str:
        """Return a name: a local one, a definition of a module, or a function of Python."""
        if name in self.local:
            return safe(name)
        found = origin(self.module, name)
        if found is not None:
            if found.name in LIBRARY and not found.module.startswith("workings"):
                return LIBRARY[found.name]
            return self.translation.add(found)
        if name in BUILTINS:
            return f"$.{name}"
        raise self.refusal(node)

    def binary(self, op: ast.operator, left: str, right: str) -> str:
        """Return an operation."""
        return f"$.{OPERATORS[type(op)]}({left}, {right})"

    def comparison(self, node: ast.Compare) -> str:
        """Return a comparison; of several in a chain, all must hold."""
        sides = [node.left, *node.comparators]
        pieces = [
            self.one_comparison(op, left, right) for op, left, right in zip(node.ops, sides, sides[1:], strict=False)
        ]
        return pieces[0] if len(pieces) == 1 else f"({' && '.join(f'$.truth({piece})' for piece in pieces)})"

    def one_comparison(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> str:
        """Return a comparison of two values."""
        one, other = self.expression(left), self.expression(right)
        match op:
            case ast.Is():
                return f"$.same({one}, {other})"
            case ast.IsNot():
                return f"!$.same({one}, {other})"
            case ast.In():
                return f"$.contains({other}, {one})"
            case ast.NotIn():
                return f"!$.contains({other}, {one})"
        return f"$.{COMPARISONS[type(op)]}({one}, {other})"

    def piece(self, node: ast.expr) -> str:
        """Return a piece of a formatted text."""
        match node:
            case ast.Constant(value=str() as text):
                return literal(text)
            case ast.FormattedValue(value=value, conversion=conversion, format_spec=spec):
                given = [self.format_of(spec)] if isinstance(spec, ast.JoinedStr) else []
                if conversion > 0:
                    given = [*(given or ['""']), literal(chr(conversion))]
                return f"$.format({', '.join([self.expression(value), *given])})"
        raise self.refusal(node)

    def format_of(self, spec: ast.JoinedStr) -> str:
        """Return a format specification."""
        return " + ".join(map(self.piece, spec.values))

    def attribute(self, owner: ast.expr, name: str) -> str:
        """Return an attribute of an array, a record, or a constant of NumPy."""
        if self.is_module(owner, "numpy"):
            return f"np.{safe(name)}"
        if name in ATTRIBUTES:
            return f"$.{name}({self.expression(owner)})"
        if name == "__name__" and isinstance(owner, ast.Call):
            return f"$.class_name({self.expression(owner.args[0])})"
        if self.method_parameters(name) is not None:
            return f'$.bound({self.expression(owner)}, "{name}")'
        return f"{self.expression(owner)}.{safe(name)}"

    def is_module(self, node: ast.expr, name: str) -> bool:
        """Whether an expression is a module of this name."""
        if not isinstance(node, ast.Name) or node.id in self.local:
            return False
        return (node.id == "np" and name == "numpy") or node.id == name

    def place(self, node: ast.expr) -> str:
        """Return an index."""
        match node:
            case ast.Tuple(elts=parts):
                return f"$.places({', '.join(map(self.place, parts))})"
            case ast.Slice(lower=lower, upper=upper, step=step):
                ends = ["null" if end is None else self.expression(end) for end in (lower, upper, step)]
                return f"$.slice({', '.join(ends)})"
        return self.expression(node)

    # -- calls -----------------------------------------------------------------------------

    def call(self, node: ast.Call) -> str:
        """Return a call."""
        match node.func:
            case ast.Attribute(value=ast.Attribute(value=owner, attr=middle), attr=name) if self.is_module(
                owner, "numpy"
            ):
                return f"np.{middle}.{name}({self.passed(node)})"
            case ast.Attribute(value=owner, attr=name) if self.is_module(owner, "numpy"):
                return f"np.{safe(name)}({self.passed(node)})"
            case ast.Attribute(value=ast.Name(id="functools" | "itertools" | "re"), attr=name):
                return f"$.{name}({self.passed(node)})"
            case ast.Attribute(value=owner, attr=name) if name in SHARED:
                rest = f", {self.passed(node)}" if node.args or node.keywords else ""
                return f'$.call({self.expression(owner)}, "{name}"{rest})'
            case ast.Attribute(value=owner, attr=name):
                return f"{self.expression(owner)}.{safe(name)}({self.passed(node, self.method_parameters(name))})"
            case ast.Call(func=ast.Name(id="type")):
                return f"{self.expression(node.func)}.of({self.passed(node)})"
            case ast.Name(id="isinstance"):
                return f"$.isinstance({self.expression(node.args[0])}, {self.kinds(node.args[1])})"
            case ast.Name(id=name) if name not in self.local and (found := origin(self.module, name)) is not None:
                return self.call_of_definition(node, found)
            case ast.Name(id="zip" | "sorted" | "max" | "min"):
                node.keywords = [one for one in node.keywords if one.arg != "strict"]
        return f"{self.expression(node.func)}({self.passed(node)})"

    def call_of_definition(self, node: ast.Call, found: Thing) -> str:
        """Return a call of a function or class that a module defines."""
        name = self.name(node.func, found.name) if found.name in LIBRARY else self.expression(node.func)
        defined = definitions(found.module).get(found.name) if found.module.startswith("workings") else None
        match defined:
            case ast.FunctionDef():
                passed = self.passed(node, defined)
                return f"{name}({passed})"
            case ast.ClassDef():
                is_given = f"{found.module}.{found.name}" in self.translation.given
                return f"{name}.of({self.passed(node, None if is_given else list(fields_of(defined)))})"
        return f"{name}({self.passed(node)})"

    def method_parameters(self, name: str) -> ast.FunctionDef | None:
        """Return the method of this name, if a translated class has it."""
        for thing in self.translation.texts:
            node = definitions(thing.module).get(thing.name)
            for one in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(one, ast.FunctionDef) and one.name == name and not one.decorator_list:
                    return one
        return None

    def passed(self, node: ast.Call, of: ast.FunctionDef | list[str] | None = None) -> str:
        """Return arguments: in the order of the parameters, if these are known; others with their names at the end."""
        if not node.keywords:
            return self.expressions(node.args)
        named = [one for one in node.keywords if one.arg is not None]
        spread = [f"...$.object({self.expression(one.value)})" for one in node.keywords if one.arg is None]
        if of is None or (isinstance(of, list) and spread):
            pairs = [f"{one.arg}: {self.expression(one.value)}" for one in named]
            return ", ".join(
                filter(None, (self.expressions(node.args), f"$.named({{ {', '.join([*spread, *pairs])} }})"))
            )
        names = of if isinstance(of, list) else parameters_of(of)
        names = names[1:] if names[:1] == ["self"] else names
        rest = of.args.kwarg.arg if isinstance(of, ast.FunctionDef) and of.args.kwarg else None
        values = {one.arg: self.expression(one.value) for one in named}
        places = [name for name in names if name != rest][len(node.args) :]
        extra = [f"{k}: {v}" for k, v in values.items() if k not in names]
        if spread and not rest:
            pairs = [f"{name}: {value}" for name, value in values.items()]
            given = f"...$.in_order({literal(places)}, {{ {', '.join([*spread, *pairs])} }})"
            return ", ".join(filter(None, (self.expressions(node.args), given)))
        texts = [values.get(str(name), "undefined") for name in places]
        if rest:
            texts.append(f"$.dict({{ {', '.join([*spread, *extra])} }})")
        while texts and texts[-1] == "undefined":
            texts.pop()
        return ", ".join(filter(None, (self.expressions(node.args), *texts)))

    def kinds(self, node: ast.expr) -> str:
        """Return the classes of ``isinstance``."""
        match node:
            case ast.Tuple(elts=parts):
                return f"[{', '.join(map(self.kinds, parts))}]"
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return f"[{self.kinds(left)}, {self.kinds(right)}]"
            case ast.Attribute(attr="ndarray"):
                return '"ndarray"'
            case ast.Name(id=name) if name in TYPES:
                return f'"{name}"'
        return self.expression(node)


def called(node: ast.expr) -> str:
    """Return the name of what code calls or uses as a decorator."""
    return ast.unparse(node.func if isinstance(node, ast.Call) else node)


def is_generator(node: ast.FunctionDef) -> bool:
    """Whether a function yields."""
    inner = [one for one in ast.walk(node) if isinstance(one, (ast.FunctionDef, ast.Lambda)) and one is not node]
    hidden = {id(part) for one in inner for part in ast.walk(one)}
    return any(isinstance(one, (ast.Yield, ast.YieldFrom)) and id(one) not in hidden for one in ast.walk(node))


def safe(name: str) -> str:
    """Return a name that JavaScript does not reserve."""
    return f"{name}_" if name in KEYWORDS and name not in ("of",) else name


def indented(lines: Sequence[str]) -> list[str]:
    """Return lines with an indent."""
    return [f"  {line}" for line in lines]
