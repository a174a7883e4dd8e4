"""The architecture: imports point down, files stay what they are, and nothing heavy comes in by itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.imports import circles, import_graph, imports_of, modules_in
from workings.support.formulas import comments_by_line

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "workings"

# From the bottom to the top.  A name is a module, or a folder with all that is in it; the most precise name counts.
# "files.*" is what is in the folder: its __init__.py loads any format and returns a Network.
LEVELS: dict[str, tuple[str, ...]] = {
    "support": ("version", "errors", "support"),
    "mathematics": ("activations", "losses", "layers", "optimizers", "regularizers", "initializers", "schedules",
                    "metrics", "derivations"),
    "tables": ("tables",),
    "program": ("program",),
    "lowering": ("lowering",),
    "engines": ("engines",),
    "model": ("model",),
    "training": ("training",),
    "readings and checks": ("readings", "checks"),
    "files and pictures": ("files.*", "plots", "datasets"),
    "playground": ("play",),
    "network": ("network", "table_recipe"),
    "uses of a network": ("sklearn", "museum", "experiments", "cli", "checks.mistakes", "files", "ensemble",
                           "search"),
    "the package": ("", "public", "__main__"),
}  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LEVELS.values()) for name in names}
HEAVY = ("matplotlib", "sklearn", "scipy", "polars", "typer", "rich", "numba", "llvmlite",
         "platformdirs", "jax", "torch", "onnx", "onnxruntime", "keras", "starlette", "uvicorn", "anyio",
         "websockets", "dask", "distributed", "mpi4py")  # fmt: skip
# What the processor does with numbers, for compiled programs: imported by these alone.
ARITHMETIC = ("engines.kernels.vector_math", "engines.kernels.matmul", "engines.kernels.work_sharing")
MOST_LINES = 40
FILES_WITH_ONE_NAME = {"mistakes.py"}  # checks.mistakes is the public name of what the museum's file holds
CLASSES_WITH_ONE_NAME = {"Uniform", "Constant"}  # an initializer and a distribution, an initializer and a schedule
MOST_ANY = 360  # lines of the package with the word Any; lower it when there are fewer

BY_NAME = modules_in(PACKAGE)
SOURCES = {path: path.read_text(encoding="utf-8") for path in BY_NAME.values()}
TREES = {path: ast.parse(source) for path, source in SOURCES.items()}
GRAPH = import_graph(BY_NAME)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def level_of(module: str) -> int:
    """Return the level of a module: its own, or that of the nearest folder that has one."""
    if module in LEVEL:
        return LEVEL[module]
    folder = module.rpartition(".")[0]
    return LEVEL[f"{folder}.*"] if f"{folder}.*" in LEVEL else level_of(folder)


def body_of(function: Function) -> list[ast.stmt]:
    """The statements after the docstring."""
    return function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body


def classes_in(tree: ast.AST) -> Iterator[ast.ClassDef]:
    """The classes of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def functions_in(tree: ast.AST) -> Iterator[Function]:
    """The functions and methods of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


# -- imports --------------------------------------------------------------------------------


def test_every_module_has_its_place() -> None:
    new = {name.split(".")[0] for name in BY_NAME} - {name.removesuffix(".*") for name in LEVEL}
    assert not new, "write them into LEVELS, and into docs/architecture.md"


def test_imports_point_down() -> None:
    """Every import counts, also those in functions and those for types."""
    wrong = [
        f"{name} imports {imported or 'the package'}"
        for name, imports in GRAPH.items()
        for imported in imports
        if level_of(imported) > level_of(name)
    ]
    assert not wrong


def test_no_circle_of_imports() -> None:
    assert circles(GRAPH) == []


def test_circles_and_imports_of_every_kind_are_found() -> None:
    tree = ast.parse(
        "from workings.a import x\ndef f():\n from workings import b\nif TYPE_CHECKING:\n import workings.c.d"
    )
    assert set(imports_of(tree, dict.fromkeys(("", "a", "b", "c", "c.d")))) == {"a", "b", "c.d"}
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"e"}}) == [["a", "b", "c"]]


def test_importing_the_package_brings_nothing_heavy() -> None:
    code = f"import sys, workings; workings.Network; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_extras_are_imported_where_they_are_needed_only() -> None:
    allowed = {
        "cli": {"typer", "rich"},
        "sklearn": {"sklearn"},
        "plots.canvas": {"matplotlib"},
        **{key: {"llvmlite"} for key in ARITHMETIC},
    }
    for name, path in BY_NAME.items():
        for node in TREES[path].body:
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            extras = {module.split(".")[0] for module in modules} & set(HEAVY)
            assert extras <= allowed.get(name, allowed.get(name.split(".")[0], set())), (
                f"{name} imports {extras} as soon as it is imported"
            )


# -- where there is no mathematics ----------------------------------------------------------


@pytest.mark.parametrize("folder", ["engines", "lowering", "readings", "files"])
def test_no_mathematics_in(folder: str) -> None:
    """A formula is written once; whoever runs, tells or keeps it has none of its own."""
    formulas = {
        "exp", "tanh", "log", "sqrt", "maximum", "minimum", "log1p", "expm1", "dot", "matmul", "einsum", "where",
    }  # fmt: skip
    for name, path in BY_NAME.items():
        if name.split(".")[0] != folder or name in ARITHMETIC:
            continue
        for node in ast.walk(TREES[path]):
            assert not isinstance(node, ast.MatMult), f"{name} multiplies matrices"
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np", "numpy", "math"):
                assert node.attr not in formulas, f"{name}, line {node.lineno}: {ast.unparse(node)}"


def test_mathematics_keeps_to_numpy_and_needs_no_machine() -> None:
    known = {"numpy", "workings", *sys.stdlib_module_names}
    for name in (name for name in BY_NAME if level_of(name) <= LEVEL["losses"] and name):
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


def test_types_say_more_than_any() -> None:
    """``Any`` tells the reader nothing, and switches the type checker off."""
    counts = {path: len(re.findall(r"^.*\bAny\b.*$", source, re.MULTILINE)) for path, source in SOURCES.items()}
    most = sorted(counts, key=lambda path: -counts[path])[:5]
    assert sum(counts.values()) <= MOST_ANY, (
        f"{sum(counts.values())} lines say Any, at most {MOST_ANY} may; most are in "
        f"{', '.join(str(path.relative_to(ROOT)) for path in most)}. Say what a value is: object, if it is passed on, "
        "checked by isinstance or formatted; Array, Values, Features (support/arrays.py); Json, JsonObject "
        "(support/json_values.py); a protocol (support/interfaces.py) or a class of another library under "
        "TYPE_CHECKING; a TypedDict or a dataclass for a dict with fixed keys; a TypeVar for what is returned as given."
    )


@pytest.mark.parametrize("name", BY_NAME)
def test_nobody_asks_for_the_class_of_an_optimizer_or_schedule_that_has_an_answer(name: str) -> None:
    """``takes_batches`` and ``monitor`` answer instead, for subclasses and for kinds to come."""
    answering = {"LBFGS": "optimizers", "OnPlateau": "schedules"}
    for node in ast.walk(TREES[BY_NAME[name]]):
        match node:
            case ast.Call(func=ast.Name("isinstance" | "issubclass"), args=[_, kinds]):
                found = {n.id if isinstance(n, ast.Name) else n.attr
                         for n in ast.walk(kinds) if isinstance(n, ast.Name | ast.Attribute)}  # fmt: skip
                wrong = [kind for kind in found & answering.keys() if answering[kind] != name]
                assert not wrong, f"{name}, line {node.lineno}: {wrong[0]}"


@pytest.mark.parametrize("name", BY_NAME)
def test_only_losses_and_targets_compare_kinds_of_targets(name: str) -> None:
    """Other modules ask the loss or the targets, such as ``is_classification``."""
    kinds = {"classes", "labels", "numbers", "counts"}
    for node in ast.walk(TREES[BY_NAME[name]]):
        if isinstance(node, ast.Compare) and name not in ("losses", "model.targets"):
            sides = [n for side in (node.left, *node.comparators) for n in getattr(side, "elts", [side])]
            texts = {n.value for n in sides if isinstance(n, ast.Constant) and isinstance(n.value, str)}
            assert not texts or not texts <= kinds, f"{name}, line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("name", BY_NAME)
def test_no_path_of_somebodys_machine(name: str) -> None:
    somebodys = re.compile(r"""(?<![\w.~/:])/(home|Users|root|work|tmp|mnt|opt|private|var/folders)/|\b[A-Z]:\\""")
    lines = [line for line in SOURCES[BY_NAME[name]].splitlines() if somebodys.search(line)]
    assert not lines


def test_no_name_stands_for_two_things() -> None:
    """No two files have one name, and no two classes; public names that are the field's own are exceptions."""
    files = Counter(path.name for path in SOURCES if path.name != "__init__.py")
    classes = Counter(each.name for tree in TREES.values() for each in classes_in(tree))
    assert {name for name, count in files.items() if count > 1} == FILES_WITH_ONE_NAME
    assert {name for name, count in classes.items() if count > 1} == CLASSES_WITH_ONE_NAME


def test_no_underscore_modules() -> None:
    assert not [name for name in BY_NAME if name != "__main__" and re.search(r"(^|\.)_", name)]


def test_public_names_are_there_and_sorted_out() -> None:
    import workings

    assert len(set(workings.__all__)) == len(workings.__all__)
    assert all(hasattr(workings, name) for name in workings.__all__)
