"""The architecture: imports point down, files stay what they are, and nothing heavy comes in by itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workings.formulas import comments_by_line

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "workings"

# From the bottom to the top; a folder stands for all that is in it.  Imports go sideways or down.
GROUPS: dict[str, tuple[str, ...]] = {
    "mathematics": ("version", "errors", "writing", "sparse", "arrays", "formulas", "activations", "losses", "layers",
                    "optimizers", "regularizers", "initializers", "schedules", "metrics", "columns", "separated",
                    "colours"),
    "machine": ("program", "trace", "targets", "network", "engines", "training", "together", "aside", "measuring",
                "lbfgs", "callbacks", "history", "recording"),
    "readings and checks": ("readings", "checks"),
    "doors": ("files", "datasets", "tables", "plots", "sklearn"),
    "houses": ("experiments", "table_models", "table_terms", "cli"),  # doors that open others: they put things together
    "the package": ("", "__main__"),
}  # fmt: skip
LEVEL = {name: level for level, names in enumerate(GROUPS.values()) for name in names}
HEAVY = ("matplotlib", "sklearn", "scipy", "polars", "typer", "rich", "numba", "llvmlite",
         "platformdirs", "torch", "onnx", "onnxruntime", "keras")  # fmt: skip
# What the processor does with numbers, for compiled programs: imported by these alone.
ARITHMETIC = ("engines.elementary", "engines.products", "engines.sharing")
MOST_LINES = 40

SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {path: ast.parse(source) for path, source in SOURCES.items()}
BY_NAME = {".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
           for path in SOURCES}  # fmt: skip
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """The module's name inside the package: ``engines.reference``, and nothing for the package itself."""
    return next(name for name, known in BY_NAME.items() if known == path)


def level_of(module: str) -> int:
    """How high a module stands."""
    return LEVEL[module.split(".")[0]]


def is_for_types(node: ast.AST) -> bool:
    """Whether this is ``if TYPE_CHECKING:``, whose imports do not happen."""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports_in(node: ast.AST, inside: tuple[ast.AST, ...] = ()) -> Iterator[tuple[str, tuple[ast.AST, ...]]]:
    """Every module of the package that is imported, with the classes and functions around the import."""
    for child in ast.iter_child_nodes(node):
        if is_for_types(child):
            continue
        if isinstance(child, ast.Import):
            for alias in child.names:
                if alias.name.split(".")[0] == "workings":
                    yield alias.name.removeprefix("workings").lstrip("."), inside
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are written out in full"
            if (child.module or "").split(".")[0] == "workings":
                yield from ((module, inside) for module in imported_by(child))
        else:
            around = (*inside, child) if isinstance(child, ast.ClassDef | Function) else inside
            yield from imports_in(child, around)


def imported_by(node: ast.ImportFrom) -> Iterator[str]:
    """The modules that ``from workings.x import y`` means: y may be a module or something in x."""
    module = (node.module or "").removeprefix("workings").lstrip(".")
    for alias in node.names:
        inner = f"{module}.{alias.name}".lstrip(".")
        yield inner if inner in BY_NAME else module


def body_of(function: Function) -> list[ast.stmt]:
    """The statements after the docstring."""
    return function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body


def only_hands_over(inside: tuple[ast.AST, ...]) -> bool:
    """Whether this is a method that is one import, and one return of a call of what was imported."""
    if len(inside) != 2 or not isinstance(inside[0], ast.ClassDef) or not isinstance(inside[1], Function):
        return False
    match body_of(inside[1]):
        case [
            ast.ImportFrom(names=[ast.alias(name=name, asname=None)]),
            ast.Return(ast.Call(func=ast.Name(id=called))),
        ]:
            return called == name
    return False


def classes_in(tree: ast.AST) -> Iterator[ast.ClassDef]:
    """The classes of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def functions_in(tree: ast.AST) -> Iterator[Function]:
    """The functions and methods of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


# -- imports --------------------------------------------------------------------------------


def test_every_module_has_its_place() -> None:
    unknown = {name for name in BY_NAME if name.split(".")[0] not in LEVEL}
    assert not unknown, "write them into GROUPS, and into docs and design where they tell the layout"


def test_imports_point_down() -> None:
    wrong = [
        f"{name} imports {imported or 'the package'}"
        for name, path in BY_NAME.items()
        for imported, inside in imports_in(TREES[path])
        if level_of(imported) > level_of(name) and not only_hands_over(inside)
    ]
    assert not wrong


def test_no_door_opens_another() -> None:
    doors = GROUPS["doors"]
    wrong = [
        f"{name} imports {imported}"
        for name, path in BY_NAME.items()
        for imported, _ in imports_in(TREES[path])
        if name.split(".")[0] in doors and imported.split(".")[0] in {*doors} - {name.split(".")[0]}
    ]
    assert not wrong


def test_the_exception_for_methods_that_hand_over_is_a_narrow_one() -> None:
    def around(text: str) -> tuple[ast.AST, ...]:
        (found,) = imports_in(ast.parse(text))
        return found[1]

    good = "class A:\n def save(self):\n  'Write.'\n  from workings.files.safetensors import save\n  return save(self)"
    assert only_hands_over(around(good))
    assert not only_hands_over(around(good.replace("return save(self)", "return 1")))
    assert not only_hands_over(around(good.replace("return save(self)", "x = 1\n  return save(self)")))
    assert not only_hands_over(around(good.replace("return save(self)", "return other(self)")))
    assert not only_hands_over(around("def f():\n from workings.files.safetensors import save\n return save()"))


def test_no_module_imports_itself_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for name, path in BY_NAME.items():
        at_once = [m for m, inside in imports_in(TREES[path]) if not any(isinstance(i, Function) for i in inside)]
        graph[name] = set(at_once)
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_importing_the_package_brings_nothing_heavy() -> None:
    code = f"import sys, workings; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_extras_are_imported_where_they_are_needed_only() -> None:
    allowed = {"cli": {"typer", "rich"}, "sklearn": {"sklearn"}, **{key: {"numba", "llvmlite"} for key in ARITHMETIC}}
    for name, path in BY_NAME.items():
        for node in TREES[path].body:
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            extras = {module.split(".")[0] for module in modules} & set(HEAVY)
            assert extras <= allowed.get(name, allowed.get(name.split(".")[0], set())), (
                f"{name} imports {extras} as soon as it is imported"
            )


# -- where there is no mathematics ----------------------------------------------------------


@pytest.mark.parametrize("folder", ["engines", "readings", "files"])
def test_no_mathematics_in(folder: str) -> None:
    """A formula is written once; whoever runs, tells or keeps it has none of its own."""
    formulas = {
        "exp",
        "tanh",
        "log",
        "sqrt",
        "maximum",
        "minimum",
        "log1p",
        "expm1",
        "dot",
        "matmul",
        "einsum",
        "where",
    }
    for name, path in BY_NAME.items():
        if name.split(".")[0] != folder or name in ARITHMETIC:
            continue
        for node in ast.walk(TREES[path]):
            assert not isinstance(node, ast.MatMult), f"{name} multiplies matrices"
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np", "numpy", "math"):
                assert node.attr not in formulas, f"{name}, line {node.lineno}: {ast.unparse(node)}"


def test_mathematics_keeps_to_numpy_and_needs_no_machine() -> None:
    known = {"numpy", "workings", *sys.stdlib_module_names}
    for name in GROUPS["mathematics"]:
        for node in ast.walk(TREES[BY_NAME[name]]):
            if isinstance(node, ast.ImportFrom | ast.Import):
                modules = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                for module in modules:
                    assert (module or "").split(".")[0] in known, f"{name}: {module}"


# -- words and lengths ----------------------------------------------------------------------


@pytest.mark.parametrize("name", BY_NAME)
def test_every_module_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(TREES[BY_NAME[name]]), f"workings/{name.replace('.', '/')} has no docstring"


def has_words(node: Function, source: str) -> bool:
    """Whether a function has a docstring or, as formulas may, a comment above its first line."""
    return bool(ast.get_docstring(node)) or node.body[0].lineno - 1 in comments_by_line(source)


CLASSES = {node.name: node for tree in TREES.values() for node in classes_in(tree)}


def is_told_above(method: str, owner: ast.ClassDef) -> bool:
    """Whether a class that this one is made of, or one from elsewhere, has the words for a method."""
    for base in owner.bases:
        above = CLASSES.get(ast.unparse(base).split("[")[0].split(".")[-1])
        if above is None:  # from the standard library or an extra, which has its own documentation
            return True
        found = [f for f in above.body if isinstance(f, Function) and f.name == method and ast.get_docstring(f)]
        if found or is_told_above(method, above):
            return True
    return False


@pytest.mark.parametrize("name", BY_NAME)
def test_every_public_thing_says_what_it_is(name: str) -> None:
    path, silent = BY_NAME[name], []
    for node in TREES[path].body:
        if isinstance(node, Function) and not node.name.startswith("_") and not has_words(node, SOURCES[path]):
            silent.append(node.name)
    for owner in classes_in(TREES[path]):
        if not ast.get_docstring(owner):
            silent.append(owner.name)
        for node in owner.body:
            if isinstance(node, Function) and not node.name.startswith("_") and not ast.get_docstring(node):
                silent += [] if is_told_above(node.name, owner) else [f"{owner.name}.{node.name}"]
    assert not silent, f"no words for {', '.join(silent)}"


@pytest.mark.parametrize("name", BY_NAME)
def test_no_function_is_long(name: str) -> None:
    long = [
        f"{node.name} ({length} lines)"
        for node in functions_in(TREES[BY_NAME[name]])
        if body_of(node)
        and (length := (node.body[-1].end_lineno or 0) - body_of(node)[0].lineno + 1) > MOST_LINES
    ]  # fmt: skip
    assert not long


@pytest.mark.parametrize("name", BY_NAME)
def test_no_path_of_somebodys_machine(name: str) -> None:
    somebodys = re.compile(r"""(?<![\w.~/:])/(home|Users|root|work|tmp|mnt|opt|private|var/folders)/|\b[A-Z]:\\""")
    lines = [line for line in SOURCES[BY_NAME[name]].splitlines() if somebodys.search(line)]
    assert not lines


def test_no_underscore_modules() -> None:
    assert not [name for name in BY_NAME if name != "__main__" and re.search(r"(^|\.)_", name)]


def test_public_names_are_there_and_sorted_out() -> None:
    import workings

    assert len(set(workings.__all__)) == len(workings.__all__)
    assert all(hasattr(workings, name) for name in workings.__all__)
