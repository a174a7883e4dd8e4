"""The choice of an engine: a pure function of the problem and of the installed packages.

Compiling takes CPU time, a quarter of a second or more for each network structure.  It pays off if the steps are so
many or so large that the compiled engine saves more than that within one training.  Both are estimates from
measurements (docs/performance.md); what is saved is estimated low, so that a first fit is not slower for compiling.
"""

from __future__ import annotations

from collections.abc import Mapping

from workings.engines.compiled.engine import is_installed
from workings.engines.contract import SPARSE
from workings.errors import count_of
from workings.program.program import Program
from workings.support.arrays import Array

ENGINES = ("auto", "reference", "compiled", "jax")
REQUESTED = "as requested"
SECONDS_PER_STATEMENT = 2.7e-6  # the reference engine's overhead for a statement
SECONDS_PER_NUMBER = 8e-9  # what it needs more than compiled loops for each unit and row
# CPU seconds of compiling: for any program, for each statement, and for each function that is not a formula.
COMPILING, COMPILING_STATEMENT, COMPILING_FUNCTION = 0.1, 0.01, 0.3
WORTH_COMPILING = 1.0  # the least saving, as a multiple of the time that compiling takes


def choose(
    requested: str,
    program: Program,
    values: Mapping[str, Array],
    rows: int,
    steps: int,
    worth_compiling: float = WORTH_COMPILING,
    *,
    is_sparse: bool = False,
    fits: int = 1,
) -> tuple[str, str]:
    """Choose an engine; return its name and the reason.

    Parameters
    ----------
    requested : str
        ``"auto"``, ``"reference"``, ``"compiled"`` or ``"jax"``; ``"auto"`` never chooses JAX.
    program : Program
        The program of one step.
    values : mapping of str to array
        The inputs of a step, with the parameters; only their shapes matter.
    rows, steps : int
        The number of rows in a step, and the number of steps.
    worth_compiling : float
        The least saving for which the compiled engine is chosen, as a multiple of the time that compiling takes.
    is_sparse : bool
        Whether X stays sparse, which compiled code does not support.
    fits : int
        The number of trainings, for which the program is compiled once.
    """
    if requested != "auto":
        return requested, REQUESTED
    if is_sparse:
        return "reference", SPARSE
    if not is_installed():
        return "reference", "llvmlite is not installed: pip install '.[fast]' in the folder of the repository"
    work = f"{count_of(steps, 'step')} of {count_of(rows, 'row')}" + (f" in each of {fits} fits" if fits > 1 else "")
    if estimated_saving(program, values, rows, steps * fits) < worth_compiling * compiling_seconds(program):
        return "reference", f"compiling does not pay off for {work}"
    return "compiled", f"compiling pays off for {work}"


def compiling_seconds(program: Program) -> float:
    """Estimate the CPU seconds of compiling a program that is not in the cache."""
    statements, functions = len(program.statements), len(program.functions)
    return COMPILING + COMPILING_STATEMENT * statements + COMPILING_FUNCTION * functions


def estimated_saving(program: Program, values: Mapping[str, Array], rows: int, steps: int) -> float:
    """Estimate how many seconds the compiled engine saves."""
    widths: int = sum(values[name].shape[-1] for name in program.parameters if values[name].ndim == 2)
    return steps * (SECONDS_PER_STATEMENT * len(program.statements) + SECONDS_PER_NUMBER * rows * widths)
