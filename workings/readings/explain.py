"""Explain one training step with all its numbers, or how one weight affects the objective.

``explain`` checks the arguments.  :mod:`~workings.readings.worked_step` then runs the statements, or
:mod:`~workings.readings.influence` follows the paths from a weight to the objective.  ``Explanation`` and ``Influence``
are the results.  They are shown as text and LaTeX (:mod:`~workings.readings.text_latex`), or as a page for the
browser (:mod:`~workings.readings.page`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError
from workings.model.model import Model
from workings.model.state import StepState
from workings.optimizers import Part, checked_optimizer
from workings.readings.influence import PathAnalysis, influence
from workings.readings.page import influence_in_notebook, page_of_influence, page_of_step, step_in_notebook
from workings.readings.text_latex import latex_of_influence, latex_of_step, text_of_influence, text_of_step
from workings.readings.worked_step import WorkedStep, work_step
from workings.schedules import rate_at
from workings.support.arrays import Values, as_random, describe
from workings.support.atomic_files import as_path, write_bytes
from workings.support.sparse import dense


class Explanation(WorkedStep):
    """One training step in detail: ``str`` for the terminal, ``.html`` for a page, ``.latex`` for a document."""

    def __str__(self) -> str:
        return text_of_step(self)

    __repr__ = __str__

    @property
    def latex(self) -> str:
        """The step as a LaTeX document that needs only amsmath."""
        return latex_of_step(self)

    @property
    def html(self) -> str:
        """The step as a self-contained HTML page."""
        return page_of_step(self)

    def _repr_html_(self) -> str:
        return step_in_notebook(self)

    def save(self, path: str | Path) -> Path:
        """Write the step to a file: ``.html``, ``.tex`` or ``.txt``.

        Raises
        ------
        InputError
            For another file type.
        FileError
            If the file cannot be written.
        """
        return save_reading(self, path)


class Influence(PathAnalysis):
    """How one entry of a parameter affects the objective: ``str`` for the terminal, ``.html`` for a page."""

    def __str__(self) -> str:
        return text_of_influence(self)

    __repr__ = __str__

    @property
    def latex(self) -> str:
        """The paths as a LaTeX document that needs only amsmath."""
        return latex_of_influence(self)

    @property
    def html(self) -> str:
        """The paths as a self-contained HTML page."""
        return page_of_influence(self)

    def _repr_html_(self) -> str:
        return influence_in_notebook(self)

    def save(self, path: str | Path) -> Path:
        """Write the paths to a file: ``.html``, ``.tex`` or ``.txt``."""
        return save_reading(self, path)


def save_reading(reading: Explanation | Influence, path: str | Path) -> Path:
    """Write an explanation to a file, in the format of its suffix."""
    path = as_path(path)
    kinds = {".html": lambda: reading.html, ".tex": lambda: reading.latex, ".txt": lambda: f"{reading}\n"}
    if path.suffix not in kinds:
        raise InputError(f"The suffix must be one of {', '.join(kinds)}, not as in {path.name!r}.")
    write_bytes(path, kinds[path.suffix]().encode())
    return path


def explain(
    network: Model,
    X: ArrayLike,
    y: ArrayLike,
    *,
    optimizer: Part | None = None,
    row: int | None = None,
    unit: int = 0,
    sample_weight: ArrayLike | None = None,
    why: str | None = None,
) -> Explanation | Influence:
    """Explain one training step: every equation in words, with its shapes and its numbers.

    Parameters, results and errors are those of :meth:`workings.Network.explain`.

    Examples
    --------
    >>> from workings import Dense, Network, SGD, SquaredError
    >>> net = Network([Dense(1, weights=[[2.0], [3.0]])], loss=SquaredError(half=True))
    >>> step = explain(net, [[1.0, 0.5]], [4.0], optimizer=SGD(0.1))
    >>> step["z1"].entry, step["dW1"].entry, round(step.after, 6)
    (3.5, -0.5, 0.075078)
    >>> print(explain(net, [[1.0, 0.5]], [4.0], why="W1[1,0]").paths[0])
    W1[1,0] → z1[·,0] → J: -0.25
    """
    network = network.built_for(X, y)
    features, targets, w = network.prepare(X, y, sample_weight)
    features, n = dense(features), len(features)
    for name, value in (("row", 0 if row is None else row), ("unit", unit)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            raise InputError(f"{name} must be a whole number from 0, not {describe(value)}.")
    if row is not None and row >= n:
        raise InputError(f"There is no row {row}: X has {n} rows, counted from 0.")
    widest = max(layer.width(network.n_in or 1) for layer in network.layers)
    if unit >= widest:
        raise InputError(f"There is no unit {unit}: the widest layer has {widest}, counted from 0.")
    program = network.program(checked(optimizer), weighted=w is not None)
    drawn = network.draw_masks(n, as_random(0))
    values = {**network.step_values(program, features, targets, w, drawn), **next_step(network, optimizer)}
    if why is not None:
        return Influence(**vars(influence(network.program(weighted=w is not None), values, why, row)))
    return Explanation(**vars(work_step(network, program, values, optimizer, int(row or 0), int(unit))))


def checked(optimizer: object) -> Part | None:
    """Return the optimizer; raise for one whose step is not a list of statements, or that needs a history."""
    if optimizer is None:
        return None
    known = checked_optimizer(optimizer)
    if not known.takes_batches:
        raise InputError("SciPy computes the steps of L-BFGS: omit the optimizer to see only the gradients.")
    if known.monitor is not None:
        raise InputError("OnPlateau needs a history, which one step does not have: use a constant learning rate.")
    return known


def next_step(network: Model, optimizer: Part | None) -> dict[str, Values]:
    """Return the learning rate, the step number and the optimizer's state that ``net.step`` would use next."""
    if optimizer is None:
        return {}
    known: StepState = network.state if network.state.get("optimizer") == optimizer else {"t": 0, "values": {}}
    return {**known["values"], "lr": rate_at(optimizer.schedule, known["t"]), "t": known["t"] + 1}
