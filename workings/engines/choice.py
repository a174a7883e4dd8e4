"""The choice between the engines: a pure function of the problem and of what is installed.

Compiling takes about two seconds for each structure.  It is worth it where the steps are so many, or so
large, that the compiled engine saves more than that.
"""

from __future__ import annotations

from collections.abc import Mapping

from workings.engines.compiled.engine import is_installed
from workings.engines.compiled.native import is_switched_off
from workings.engines.contract import SPARSE
from workings.errors import counted
from workings.program.program import Program
from workings.support.arrays import Array

ENGINES = ("auto", "reference", "compiled")
ASKED = "as asked"
FOR_A_STATEMENT = 4e-6  # seconds that the reference engine needs for a statement beside its arithmetic
FOR_A_NUMBER = 2e-9  # seconds that it needs more than compiled loops for each number that a row becomes
WORTH_COMPILING = 2.0  # seconds that must be saved


def choose(
    wanted: str,
    program: Program,
    values: Mapping[str, Array],
    rows: int,
    steps: int,
    worth_compiling: float = WORTH_COMPILING,
    *,
    is_sparse: bool = False,
) -> tuple[str, str]:
    """The name of an engine, and why it is taken.

    Parameters
    ----------
    wanted : str
        ``"auto"``, ``"reference"`` or ``"compiled"``.
    program : Program
        One step.
    values : mapping of str to array
        What the step is handed, parameters among it; only their shapes are looked at.
    rows, steps : int
        How many rows a step takes, and how many steps there are to be.
    worth_compiling : float
        The seconds that must be saved for the compiled engine to be taken.
    is_sparse : bool
        Whether X stays sparse, which compiled code does not take.
    """
    if wanted != "auto":
        return wanted, ASKED
    if is_sparse:
        return "reference", SPARSE
    if not is_installed():
        return "reference", "Numba is not installed: pip install 'workings[fast]'"
    if is_switched_off():
        return "reference", "Numba is switched off by NUMBA_DISABLE_JIT"
    if saved(program, values, rows, steps) < worth_compiling:
        return "reference", f"{counted(steps, 'step')} of {counted(rows, 'row')} are too little work to compile it"
    return "compiled", f"{counted(steps, 'step')} of {counted(rows, 'row')} are worth compiling"


def saved(program: Program, values: Mapping[str, Array], rows: int, steps: int) -> float:
    """Seconds that the compiled engine is likely to save."""
    widths: int = sum(values[name].shape[-1] for name in program.parameters if values[name].ndim == 2)
    return steps * (FOR_A_STATEMENT * len(program.statements) + FOR_A_NUMBER * rows * widths)
