"""The reference engine: runs the statements of a program with NumPy, exactly as they are printed.

It defines the correct results; another engine may only be faster.  The statements become one Python function with
registered source, so that a debugger steps through the statements and a traceback shows the one that failed.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from workings.engines.contract import Stretch
from workings.errors import ProgramError
from workings.program.program import Program
from workings.program.trace import Trace
from workings.support.arrays import Array, Values
from workings.support.sparse import SparseRows, dense


def source_of(program: Program, results: str, name: str = "step") -> str:
    """Write the program as a Python function whose keyword arguments are its inputs."""
    lines = [f"def {name}({', '.join(['*', *program.inputs])}):"]
    stage = ""
    for statement in program.statements:
        if statement.stage != stage:
            stage = statement.stage
            lines.append(f"    # {stage}")
        lines.append(f"    {statement}")
    return "\n".join([*lines, f"    return {results}", ""])


def compile_program(program: Program, results: str, title: str) -> Callable[..., Values]:
    """Make a function of a program; debuggers and tracebacks show its source."""
    source = source_of(program, results)
    filename = f"<workings: {title} {abs(hash(source)):x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Values] = {"np": np, **program.functions, **program.constants}
    exec(compile(source, filename, "exec"), namespace)
    function: Callable[..., Values] = namespace["step"]
    return function


def inputs_of(program: Program, values: Mapping[str, Values]) -> dict[str, Values]:
    """Select the inputs of a program from values by name.

    Raises
    ------
    ProgramError
        If a statement uses a name that is not computed before it.
    """
    missing = [name for name in program.inputs if name not in values]
    if missing:
        statement = next(s for s in program.statements if missing[0] in s.reads)
        raise ProgramError(f"`{statement}` uses the name {missing[0]!r}, which no statement before it computes.")
    return {name: values[name] for name in program.inputs}


def dense_unless_multiplied(X: Array | SparseRows, is_multiplied: bool) -> Array | SparseRows:
    """Make sparse rows dense, unless the program only multiplies them."""
    return X if is_multiplied else dense(X)


class Runner:
    """A program as a function that returns some of its values; it selects its inputs from the values that it gets."""

    def __init__(self, program: Program, results: Sequence[str], title: str) -> None:
        self.program, self.inputs, self.multiplies_X = program, program.inputs, program.only_multiplies("X")
        self.function = compile_program(program, f"({', '.join(results)},)", title)

    def __call__(self, values: Mapping[str, Values]) -> tuple[Values, ...]:
        if not all(name in values for name in self.inputs):
            inputs_of(self.program, values)
        inputs = {name: values[name] for name in self.inputs}
        if "X" in inputs:
            inputs["X"] = dense_unless_multiplied(inputs["X"], self.multiplies_X)
        with np.errstate(all="ignore"):  # numbers that are not finite are detected and reported by name
            result: tuple[Values, ...] = self.function(**inputs)
        return result


class Tracer:
    """A program as a function that returns a trace: every value by name."""

    def __init__(self, program: Program) -> None:
        self.program, self.multiplies_X = program, program.only_multiplies("X")
        self.function = compile_program(program, "dict(locals())", "trace")

    def __call__(self, values: Mapping[str, object]) -> Trace:
        before = inputs_of(self.program, values)
        if "X" in before:
            before["X"] = dense_unless_multiplied(before["X"], self.multiplies_X)
        with np.errstate(all="ignore"):
            after = self.function(**before)
        return Trace(self.program, before, after)


class ReferenceEngine:
    """Runs each step as one call of a Python function.

    Raises
    ------
    ValueError
        From NumPy, if shapes do not match; the traceback shows the statement.
    """

    name = "reference"

    def __init__(self, program: Program) -> None:
        self.program, self.multiplies_X = program, program.only_multiplies("X")
        self.inputs = frozenset(program.inputs)
        self.objective = ("J",) if any(s.target == "J" for s in program.statements) else ()
        self.step = compile_program(program, f"({', '.join([*program.carried, *self.objective])},)", "step")

    def run(self, stretch: Stretch, values: dict[str, Array]) -> list[float]:
        """Run the steps and replace ``values``; return the objective J of each step if the program computes it."""
        data = {"X": stretch.X, "y": stretch.y}
        if stretch.w is not None:
            data["w"] = stretch.w
        if stretch.order is not None:
            data = {name: array[stretch.order] for name, array in data.items()}
        data.update(stretch.draws)
        data = {name: array for name, array in data.items() if name in self.inputs}  # edits may leave some out
        scalars = [name for name in ("n", "lr", "t") if name in self.inputs]
        objectives: list[float] = []
        # Python numbers, because NumPy's own would turn float32 arrays into float64.
        batches, rates = np.asarray(stretch.batches).tolist(), np.asarray(stretch.lr).tolist()
        with np.errstate(all="ignore"):
            for index, ((start, stop), lr) in enumerate(zip(batches, rates, strict=True)):
                batch: dict[str, Values] = {name: array[start:stop] for name, array in data.items()}
                if "X" in batch:
                    batch["X"] = dense_unless_multiplied(batch["X"], self.multiplies_X)
                step_scalars = {"n": stop - start, "lr": lr, "t": stretch.first_step + index}
                batch.update((name, step_scalars[name]) for name in scalars)
                results = self.step(**batch, **values)
                values.update(zip(self.program.carried, results, strict=False))
                objectives += results[len(self.program.carried) :]
                slot = index if stretch.kept_at is None else int(stretch.kept_at[index])
                for name, kept in stretch.kept.items() if slot >= 0 else ():
                    kept[slot] = values[name]
        return [float(J) for J in objectives]
