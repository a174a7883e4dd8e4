"""The choice of an engine: a pure function of the problem and of the installed packages.

Compiling takes about two seconds for each network structure.  It pays off if the steps are so many or so large that
the compiled engine saves more time than that.
"""

from __future__ import annotations

from collections.abc import Mapping

from workings.engines.compiled.engine import is_installed
from workings.engines.contract import SPARSE
from workings.errors import counted
from workings.program.program import Program
from workings.support.arrays import Array

ENGINES = ("auto", "reference", "compiled")
REQUESTED = "as requested"
SECONDS_PER_STATEMENT = 4e-6  # the reference engine's overhead for a statement
SECONDS_PER_NUMBER = 2e-9  # what it needs more than compiled loops for each unit and row
WORTH_COMPILING = 2.0  # the least saving in seconds


def choose(
    requested: str,
    program: Program,
    values: Mapping[str, Array],
    rows: int,
    steps: int,
    worth_compiling: float = WORTH_COMPILING,
    *,
    is_sparse: bool = False,
) -> tuple[str, str]:
    """Choose an engine; return its name and the reason.

    Parameters
    ----------
    requested : str
        ``"auto"``, ``"reference"`` or ``"compiled"``.
    program : Program
        The program of one step.
    values : mapping of str to array
        The inputs of a step, with the parameters; only their shapes matter.
    rows, steps : int
        The number of rows in a step, and the number of steps.
    worth_compiling : float
        The least saving in seconds for which the compiled engine is chosen.
    is_sparse : bool
        Whether X stays sparse, which compiled code does not support.
    """
    if requested != "auto":
        return requested, REQUESTED
    if is_sparse:
        return "reference", SPARSE
    if not is_installed():
        return "reference", "llvmlite is not installed: pip install 'workings[fast]'"
    work = f"{counted(steps, 'step')} of {counted(rows, 'row')}"
    if estimated_saving(program, values, rows, steps) < worth_compiling:
        return "reference", f"compiling does not pay off for {work}"
    return "compiled", f"compiling pays off for {work}"


def estimated_saving(program: Program, values: Mapping[str, Array], rows: int, steps: int) -> float:
    """Estimate how many seconds the compiled engine saves."""
    widths: int = sum(values[name].shape[-1] for name in program.parameters if values[name].ndim == 2)
    return steps * (SECONDS_PER_STATEMENT * len(program.statements) + SECONDS_PER_NUMBER * rows * widths)
