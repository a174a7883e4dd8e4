"""Read which module of the package imports which, and find circles.

    python -m tools.imports            # number of modules and imports, and every circle
    python -m tools.imports --of training.loop    # what one module imports, and what imports it

Every import counts: those inside functions and those for types alone, too.  A circle is a set of modules that all
reach one another (a strongly connected component).
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "workings"
Graph = dict[str, set[str]]


def modules_in(package: Path = PACKAGE) -> dict[str, Path]:
    """Return the path of each module by its name in the package: ``engines.reference``; ``""`` is the package."""
    names = {path: ".".join(path.relative_to(package).with_suffix("").parts) for path in sorted(package.rglob("*.py"))}
    return {name.removesuffix("__init__").rstrip("."): path for path, name in names.items()}


def imports_of(tree: ast.AST, modules: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules of the package that a module imports anywhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            full = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            full = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in full:
            root, _, inner = name.partition(".")
            if root == "workings":
                yield inner if inner in modules else inner.rpartition(".")[0]


def import_graph(modules: Mapping[str, Path]) -> Graph:
    """Return what each module imports."""
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in modules.items()}
    return {name: set(imports_of(tree, modules)) - {name} for name, tree in trees.items()}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the sets of modules that import one another in a circle, the largest first."""
    reached = {name: reachable(graph, name) for name in graph}
    found = {tuple(sorted(other for other in reached[name] if name in reached[other])) for name in graph}
    return sorted((list(names) for names in found if len(names) > 1), key=len, reverse=True)


def reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """Return all modules that a module imports, directly or through others."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in graph.get(waiting.pop(), ()):
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return seen


def main() -> None:
    """Print the counts and the circles, or the neighbours of one module."""
    parser = argparse.ArgumentParser(description="Read which module of the package imports which, and find circles.")
    parser.add_argument("--of", metavar="MODULE", help="show what one module imports, and what imports it")
    chosen = parser.parse_args().of
    graph = import_graph(modules_in())
    if chosen is not None:
        print("imports:    ", ", ".join(sorted(graph[chosen])) or "nothing")
        print("imported by:", ", ".join(sorted(name for name in graph if chosen in graph[name])) or "nothing")
        return
    print(f"{len(graph)} modules, {sum(map(len, graph.values()))} imports of one by another")
    found = circles(graph)
    print(f"{len(found)} circles" + (f", of {', '.join(str(len(names)) for names in found)} modules" if found else ""))
    for names in found:
        print(f"  {', '.join(names)}")


if __name__ == "__main__":
    main()
