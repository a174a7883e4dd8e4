"""Functions: translate the source of Python functions that are not straight-line code to JavaScript.

Such a function may have loops, branches, local functions and constants, as an error function with a loop over its
coefficients has.  ``CopiedCode`` collects it with everything that it uses.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection, Iterator

from workings.errors import NotCompilableError
from workings.readings.copying import CopiedCode
from workings.readings.javascript.expressions import OPERATORS, Expressions
from workings.readings.javascript.names import Names
from workings.support.escaping import in_javascript_comment

INDENT = "  "


def copied_lines(copied: CopiedCode, names: Names) -> list[str]:
    """Return copied constants and functions in JavaScript.

    Raises
    ------
    NotCompilableError
        For code that has no counterpart; the message names it.
    """
    known = [*copied.constants, *copied.functions]
    lines: list[str] = []
    for name, text in copied.constants.items():
        assignment = ast.parse(text).body[0]
        assert isinstance(assignment, ast.Assign)
        expressions = Expressions(names, functions=known, where=text)
        lines.append(f"const {names[name]} = {constant(expressions, assignment.value)};")
    for text in copied.functions.values():
        tree = ast.parse(text).body[0]
        assert isinstance(tree, ast.FunctionDef)
        words = inspect.getdoc(copied.values.get(tree.name)) or ast.get_docstring(tree) or ""
        lines += ["", *JavaScriptFunctionWriter(names, known, tree).lines(words)]
    return lines


def constant(expressions: Expressions, value: ast.expr) -> str:
    """Return the value of a copied constant: a number, a text, a list, or a function of NumPy."""
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr="array"), args=[inner]):
            return f"np.array({expressions.text(inner)})"
    return expressions.text(value)


class JavaScriptFunctionWriter:
    """Writes one function."""

    def __init__(self, names: Names, functions: Collection[str], tree: ast.FunctionDef) -> None:
        self.names, self.tree = names, tree
        self.expressions = Expressions(names, functions=functions, where=tree.name)
        self.declared: set[str] = set()

    def lines(self, words: str = "") -> list[str]:
        """Return the lines of the function; the first line of ``words`` explains it."""
        arguments = self.tree.args
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
            raise self.refusal(f"its arguments `{ast.unparse(arguments)}` have no counterpart")
        letters = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
        self.expressions.known |= {*letters, *assigned(self.tree.body), *local_functions(self.tree.body)}
        self.declared = {*letters}
        texts = [self.names[letter] for letter in letters]
        for place, default in enumerate(reversed(arguments.defaults), start=1):
            texts[-place] += f" = {self.expressions.text(default)}"
        hoisted = sorted(inside_blocks(self.tree.body) - self.declared)
        self.declared |= {*hoisted}
        body = [f"let {', '.join(self.names[name] for name in hoisted)};"] if hoisted else []
        for statement in self.tree.body:
            body += self.statement(statement)
        head = f"function {self.names[self.tree.name]}({', '.join(texts)}) {{"
        said = [f"/** {in_javascript_comment(words.splitlines()[0])} */"] if words else []
        return [*said, head, *(INDENT + line for line in body), "}"]

    def refusal(self, why: str) -> NotCompilableError:
        """Return the error for code that has no counterpart."""
        return self.expressions.refusal(why)

    def block(self, statements: list[ast.stmt]) -> list[str]:
        """Return the indented lines of a block."""
        return [INDENT + line for statement in statements for line in self.statement(statement)]

    def statement(self, node: ast.stmt) -> list[str]:
        """Return the lines of one statement."""
        text = self.expressions.text
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                return []
            case ast.Assign(targets=[target], value=value):
                return [self.assignment(target, text(value))]
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value) if type(op) in OPERATORS:
                return [f"{self.names[name]} = {text(ast.BinOp(ast.Name(name), op, value))};"]
            case ast.Return(value=None):
                return ["return null;"]
            case ast.Return(value=ast.expr() as value):
                return [f"return {text(value)};"]
            case ast.If(test=test, body=body, orelse=orelse):
                return self.branch(test, body, orelse)
            case ast.For(target=ast.Name(id=name), iter=values, body=body, orelse=[]):
                head = f"for ({self.names[name]} of {self.expressions.operand(values)}) {{"
                return [head, *self.block(body), "}"]
            case ast.While(test=test, body=body, orelse=[]):
                return [f"while ({self.expressions.condition(test)}) {{", *self.block(body), "}"]
            case ast.Break():
                return ["break;"]
            case ast.Continue():
                return ["continue;"]
            case ast.FunctionDef():
                return JavaScriptFunctionWriter(
                    self.names, {*self.expressions.functions, *self.expressions.known}, node
                ).lines()
        raise self.refusal(f"`{ast.unparse(node).splitlines()[0]}` has no counterpart")

    def branch(self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]) -> list[str]:
        """Return the lines of an ``if``."""
        lines = [f"if ({self.expressions.condition(test)}) {{", *self.block(body)]
        return [*lines, "} else {", *self.block(orelse), "}"] if orelse else [*lines, "}"]

    def assignment(self, target: ast.expr, value: str) -> str:
        """Return an assignment to a name, or to several."""
        match target:
            case ast.Name(id=name):
                declaration = "" if name in self.declared else "let "
                self.declared.add(name)
                return f"{declaration}{self.names[name]} = {value};"
            case ast.Tuple(elts=elements) if all(isinstance(element, ast.Name) for element in elements):
                found = [element.id for element in elements if isinstance(element, ast.Name)]
                new = [name for name in found if name not in self.declared]
                self.declared |= {*found}
                texts = f"[{', '.join(self.names[name] for name in found)}] = {value};"
                if len(new) == len(found):
                    return f"let {texts}"
                return f"let {', '.join(self.names[name] for name in new)}; {texts}" if new else texts
        raise self.refusal(f"an assignment to `{ast.unparse(target)}` has no counterpart")


def stored_names(node: ast.AST) -> Iterator[str]:
    """Yield the names that a piece of code assigns, except in comprehensions and inner functions."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.GeneratorExp)):
            continue
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        yield from stored_names(inner)


def assigned(body: list[ast.stmt]) -> set[str]:
    """Return the names that the statements of a function assign."""
    return {name for node in body for name in stored_names(ast.Module([node], []))}


def local_functions(body: list[ast.stmt]) -> set[str]:
    """Return the names of the functions that are defined inside a function."""
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def inside_blocks(body: list[ast.stmt]) -> set[str]:
    """Return the names that loops and branches assign and no earlier statement of the function assigns."""
    found: set[str] = set()
    before: set[str] = set()
    for node in body:
        if isinstance(node, (ast.If, ast.For, ast.While)):
            found |= assigned([node]) - before
        before |= assigned([node])
    return found
