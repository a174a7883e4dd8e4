"""What makes the steps of a run: the reference engine with the optimizer's statements, or SciPy's L-BFGS."""

from __future__ import annotations

import copy

import numpy as np

from workings.engines.contract import Stretch
from workings.engines.reference import ReferenceEngine
from workings.errors import InputError
from workings.model.model import Model
from workings.optimizers import LBFGS
from workings.program.program import Program
from workings.support.arrays import Array
from workings.training.lbfgs import flat_objective, minimize
from workings.training.rows import Rows

FIRST_ITERATIONS = 20  # of the first minimization; each further one has twice as many
NUMBERS_KEPT = 2**20  # numbers in all iterates together: 8 MB


class ProgramSteps:
    """Steps of the program, run by the reference engine."""

    def __init__(self, program: Program) -> None:
        self.engine = ReferenceEngine(program)

    def run(self, stretch: Stretch, values: dict[str, Array]) -> str:
        """Make the steps; return why no further one can be made, which is never known before."""
        self.engine.run(stretch, values)
        return ""


class LBFGSSteps:
    """Iterations of SciPy's L-BFGS, each of which is a step.

    SciPy minimizes in one call, and gives the parameters after each iteration to a callback.  So it runs ahead, and the
    run takes the iterates one by one.  A longer minimization from the same beginning has the same first iterates: when
    all are used, it is repeated with twice as many iterations.  Other parameters, as of a weight that was dragged, are
    a new beginning.  So is the last iterate if more of them would take too much memory.
    """

    def __init__(self, model: Model, program: Program, rows: Rows, settings: LBFGS, batches: int) -> None:
        if batches > 1 or any(layer.draws or layer.statistics for layer in model.layers):
            raise InputError(
                "L-BFGS needs all rows in each step, and a network without Dropout and BatchNorm: choose all rows as "
                "the batch size, and switch both off in all layers."
            )
        self.names, self.settings = program.parameters, settings
        self.shapes = {name: value.shape for name, value in model.parameters.items()}
        self.objective = flat_objective(copy.deepcopy(model), program, rows)
        self.most = max(NUMBERS_KEPT // model.theta.size, FIRST_ITERATIONS)
        self.iterates: list[Array] = []
        self.message = ""

    def run(self, stretch: Stretch, values: dict[str, Array]) -> str:
        """Make a step for each batch; return why no further one can be made, or nothing."""
        for _ in range(len(stretch.batches)):
            here = np.concatenate([np.ravel(values[name]) for name in self.names])
            following = self.after(here)
            if following is None:
                return f"L-BFGS has ended: {self.message}."
            ends = np.cumsum([values[name].size for name in self.names])[:-1]
            for name, part in zip(self.names, np.split(following, ends), strict=True):
                values[name] = part.reshape(self.shapes[name])
        return ""

    def after(self, here: Array) -> Array | None:
        """Return the iterate after some parameters; None if SciPy makes no further one."""
        known = [k for k, iterate in enumerate(self.iterates) if np.array_equal(iterate, here)]
        if not known or (known[-1] + 1 == len(self.iterates) >= self.most):
            self.iterates, self.message, known = [here], "", [0]
        if known[-1] + 1 == len(self.iterates) and not self.message:
            self.look_ahead()
        return self.iterates[known[-1] + 1] if known[-1] + 1 < len(self.iterates) else None

    def look_ahead(self) -> None:
        """Minimize from the first iterate with more iterations than before."""
        start, count = self.iterates[0], min(max(2 * (len(self.iterates) - 1), FIRST_ITERATIONS), self.most)
        found = [start]

        def keep(theta: Array, objective: float) -> bool:
            found.append(theta.copy())
            return False

        result = minimize(self.objective, start, self.settings, count, keep)
        self.iterates = found
        self.message = "" if len(found) > count else self.words(str(result.message))

    def words(self, message: str) -> str:
        """Return why SciPy ended."""
        if "GRADIENT" in message:
            return f"no entry of the gradient is above {self.settings.tolerance:g}"
        if "REDUCTION" in message:
            return "a step no longer lowers the loss"
        return f"SciPy reports {message!r}"
