"""The reference engine: the program's statements, run as they are written, with NumPy.

It defines what is true; another engine may only be faster.  The statements are compiled as one
function whose source is known to Python, so that a debugger steps through the network's own lines
and a traceback shows the line that failed.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from workings.engines.contract import Stretch
from workings.errors import ProgramError
from workings.program.program import Program
from workings.program.trace import Trace
from workings.support.arrays import Array
from workings.support.sparse import dense


def source_of(program: Program, results: str, name: str = "step") -> str:
    """Write the program as a Python function that takes its inputs by name."""
    lines = [f"def {name}({', '.join(['*', *program.inputs])}):"]
    stage = ""
    for statement in program.statements:
        if statement.stage != stage:
            stage = statement.stage
            lines.append(f"    # {stage}")
        lines.append(f"    {statement}")
    return "\n".join([*lines, f"    return {results}", ""])


def compiled(program: Program, results: str, title: str) -> Callable[..., Any]:
    """Compile the program as a function; its source can be stepped through and shown in tracebacks."""
    source = source_of(program, results)
    filename = f"<workings: {title} {abs(hash(source)):x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {"np": np, **program.functions, **program.constants}
    exec(compile(source, filename, "exec"), namespace)
    function: Callable[..., Any] = namespace["step"]
    return function


def inputs_of(program: Program, values: Mapping[str, Any]) -> dict[str, Any]:
    """Pick out what a program needs.

    Raises
    ------
    ProgramError
        If a statement uses a name that nothing computes.
    """
    missing = [name for name in program.inputs if name not in values]
    if missing:
        statement = next(s for s in program.statements if missing[0] in s.reads)
        raise ProgramError(f"`{statement}` uses the name {missing[0]!r}, which nothing before it computes.")
    return {name: values[name] for name in program.inputs}


def as_taken(X: Any, is_multiplied: bool) -> Any:
    """The inputs as a program can take them: what is sparse is made dense unless it is only multiplied."""
    return X if is_multiplied else dense(X)


class Runner:
    """A program as a function of its inputs: call it with more than it needs, it takes its own."""

    def __init__(self, program: Program, results: Sequence[str], title: str) -> None:
        self.program, self.inputs, self.multiplies_X = program, program.inputs, program.only_multiplies("X")
        self.function = compiled(program, f"({', '.join(results)},)", title)

    def __call__(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        if not all(name in values for name in self.inputs):
            inputs_of(self.program, values)
        given = {name: values[name] for name in self.inputs}
        if "X" in given:
            given["X"] = as_taken(given["X"], self.multiplies_X)
        with np.errstate(all="ignore"):  # numbers that are not finite are found and reported by name
            result: tuple[Any, ...] = self.function(**given)
        return result


class Tracer:
    """A program that keeps every value it names: call it with its inputs for a Trace."""

    def __init__(self, program: Program) -> None:
        self.program, self.multiplies_X = program, program.only_multiplies("X")
        self.function = compiled(program, "dict(locals())", "trace")

    def __call__(self, values: Mapping[str, Any]) -> Trace:
        before = inputs_of(self.program, values)
        if "X" in before:
            before["X"] = as_taken(before["X"], self.multiplies_X)
        with np.errstate(all="ignore"):
            after = self.function(**before)
        return Trace(self.program, before, after)


class ReferenceEngine:
    """Runs each step as one call of the compiled program.

    Raises
    ------
    ValueError
        From NumPy, with the network's own line in the traceback, where shapes do not fit.
    """

    name = "reference"

    def __init__(self, program: Program) -> None:
        self.program, self.multiplies_X = program, program.only_multiplies("X")
        self.inputs = frozenset(program.inputs)
        self.objective = ("J",) if any(s.target == "J" for s in program.statements) else ()
        self.step = compiled(program, f"({', '.join([*program.carried, *self.objective])},)", "step")

    def run(self, stretch: Stretch, values: dict[str, Array]) -> list[float]:
        """Run the steps, put the new values in place of the old ones, give each step's J if it is in the program."""
        data = {"X": stretch.X, "y": stretch.y}
        if stretch.w is not None:
            data["w"] = stretch.w
        if stretch.order is not None:
            data = {name: array[stretch.order] for name, array in data.items()}
        data.update(stretch.draws)
        scalars = [name for name in ("n", "lr", "t") if name in self.inputs]
        objectives: list[float] = []
        # Numbers of Python: NumPy's own would turn float32 arrays into float64.
        batches, rates = np.asarray(stretch.batches).tolist(), np.asarray(stretch.lr).tolist()
        with np.errstate(all="ignore"):
            for index, ((start, stop), lr) in enumerate(zip(batches, rates, strict=True)):
                batch: dict[str, Any] = {name: array[start:stop] for name, array in data.items()}
                batch["X"] = as_taken(batch["X"], self.multiplies_X)
                known = {"n": stop - start, "lr": lr, "t": stretch.first_step + index}
                batch.update((name, known[name]) for name in scalars)
                results = self.step(**batch, **values)
                values.update(zip(self.program.carried, results, strict=False))
                objectives += results[len(self.program.carried) :]
                place = index if stretch.kept_at is None else int(stretch.kept_at[index])
                for name, kept in stretch.kept.items() if place >= 0 else ():
                    kept[place] = values[name]
        return [float(J) for J in objectives]
