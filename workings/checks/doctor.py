"""The doctor: what is wrong with a network, its data and its training, and the one change to make.

It looks in the order in which things go wrong: the program, the data, the network as it began, the training, the
result.  Whatever is tried out is tried on copies.  How often each finding is right, and how often it is a false
alarm, was measured with famous mistakes (``mistakes.py``) and with healthy networks: docs/doctor.md has the rates.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workings.checks.advice import with_imports
from workings.checks.after import check_result
from workings.checks.before import check_network, check_ten_rows
from workings.checks.data import check_data
from workings.checks.during import check_training
from workings.checks.evidence import Case
from workings.checks.findings import Diagnosis, Finding, sorted_out
from workings.checks.statements import check_program
from workings.errors import InputError, WorkingsWarning, counted
from workings.model.model import Model
from workings.model.targets import more_probable
from workings.optimizers import checked_optimizer
from workings.support.arrays import describe
from workings.support.sparse import dense
from workings.training.data import combined_weights
from workings.training.history import History
from workings.training.rows import Rows
from workings.training.training import Training

Check = Callable[[Case], Iterator[Finding]]
FEWEST_ROWS = 10  # below which the reader is told that there are few


def diagnose(
    network: Model,
    X: ArrayLike,
    y: ArrayLike,
    history: History | Mapping[str, Sequence[float]] | None = None,
    *,
    optimizer: Any = None,
    batch_size: int | None = None,
    sample_weight: ArrayLike | None = None,
    class_weight: Mapping[Any, float] | str | None = None,
) -> Diagnosis:
    """Say what is wrong with a network, its data and its training, and what to change.

    Parameters
    ----------
    network : Model
        Not changed (but for being built, if it was not): whatever is tried out, is tried on copies.
    X, y : arrays of shape (n, n_in) and (n,) or (n, n_out)
        The rows that it learned from, or is to learn from.
    history : History or dict of lists, optional
        What ``fit`` gave; it also knows the settings and the first parameters.  Without it, a network that was not
        trained is looked at as it is, and of a trained one only the data, the program and the result.
    optimizer : optimizer, optional
        With which it was or is to be trained, where the history does not say.
    batch_size : int, optional
        Likewise.
    sample_weight : array of shape (n,), optional
        Likewise; what is tried out is trained and measured with them, too.
    class_weight : dict or "balanced", optional
        Likewise.

    Returns
    -------
    Diagnosis
        Its ``findings``, the most urgent first; ``str`` of it is for people.

    Raises
    ------
    InputError
        For data that cannot be used, for a history that is of another network, or none at all, and where the history
        has weights for other rows.

    Examples
    --------
    >>> from workings import SGD, CrossEntropy, Dense, Network
    >>> from workings.datasets import moons
    >>> X, y = moons()
    >>> net = Network([Dense(8, "tanh", weights="zeros"), Dense(2, weights="zeros")], loss=CrossEntropy())
    >>> diagnosis = diagnose(net, X, y, optimizer=SGD(0.5))
    >>> diagnosis.ok, diagnosis.names
    (False, ('equal-units',))
    """
    if not is_history(history):
        raise InputError(f"history must be what fit gave, or a dict of lists, not {describe(history)}.")
    known = history if isinstance(history, History) else None
    settings = {} if known is None else dict(known.settings)
    told = {"batch_size": batch_size, "sample_weight": sample_weight, "class_weight": class_weight,
            "optimizer": None if optimizer is None else checked_optimizer(optimizer)}  # fmt: skip
    settings |= {name: value for name, value in told.items() if value is not None}
    case = Case(
        network, *weighed(network, X, y, settings), columns={} if history is None else dict(history),
        settings=settings, stopped="" if known is None else known.stopped,
        begun={} if known is None else fitting(known.begun, network),
    )  # fmt: skip
    return examined(case, looks_for(case))


def weighed(network: Model, X: ArrayLike, y: ArrayLike, settings: Mapping[str, Any]) -> Rows:
    """The rows as the program takes them, with their weights; those that count nothing are left out, as by ``fit``."""
    w = settings.get("sample_weight")
    if w is not None and np.shape(w) != np.shape(X)[:1]:
        raise InputError(
            f"The training had weights for {len(w):,} rows, and X has {np.shape(X)[0]:,}: give the rows that it "
            "learned from, or sample_weight= for these."
        )
    features, targets, by_row = network.prepare(X, y, w)
    weights = combined_weights(by_row, settings.get("class_weight"), targets, network.targets.learn(y))
    rows = Rows(dense(features), targets, weights)
    return rows if weights is None else rows.taken(weights[:, 0] > 0)


def diagnose_alone(network: Model, rows: int = 200) -> Diagnosis:
    """Look at a network for which there are no data: at its program and its layers, with rows drawn at random.

    Its own predictions serve as targets, so nothing is said of what it has learned.

    Examples
    --------
    >>> from workings import CrossEntropy, Dense, Network
    >>> print(diagnose_alone(Network([Dense(8), Dense(2)], loss=CrossEntropy(), n_in=3, seed=0)).names)
    ('no-bend',)
    """
    network.check_built()
    X = np.random.default_rng(0).standard_normal((rows, network.n_in or 1)).astype(network.dtype)
    p = network.outputs(X)
    y = {"classes": p == p.max(axis=1, keepdims=True), "labels": more_probable(p), "counts": np.round(p)}.get(
        network.loss.target, p
    )
    case = Case(network, X, y.astype(network.dtype))
    return examined(case, {"the program, with rows drawn at random": check_program, "the layers": check_network})


def is_history(history: object) -> bool:
    """Whether it is a history, none, or lists of numbers by name."""
    if not isinstance(history, Mapping):
        return history is None
    return all(isinstance(name, str) and np.ndim(values) == 1 for name, values in history.items())


def fitting(begun: Mapping[str, Any], network: Model) -> Mapping[str, Any]:
    """The first parameters, which must be those of a network of these shapes."""
    shapes = {name: value.shape for name, value in {**network.parameters, **network.statistics}.items()}
    began = {name: value.shape for name, value in begun.items()}
    if began and began != shapes:
        raise InputError(
            f"This history is of another network: it began with {shown_shapes(began)}, and this network has "
            f"{shown_shapes(shapes)}. Give the history of its own training, or none."
        )
    return begun


def shown_shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Names with their shapes."""
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "no parameters yet"


def looks_for(case: Case) -> dict[str, Check]:
    """What can be looked at, with the words for it."""
    rows = len(case.X)
    few = f" (of {counted(rows, 'row')}, which can tell little)" if rows < FEWEST_ROWS else ""
    looks: dict[str, Check] = {
        "the program (shapes, shares, large scores, gradients, one update)": check_program,
        f"the data{few}": check_data,
        "the network" + ("" if case.start is None else " and its first step"): check_network,
    }
    if case.start is not None:
        looks["ten rows by heart"] = check_ten_rows
    if case.columns or case.optimizer is not None:
        looks["the training"] = check_training
    if not case.network.is_fresh:
        looks["the result beside simpler models"] = check_result
    return looks


def examined(case: Case, looks: Mapping[str, Check]) -> Diagnosis:
    """Do all that is to be looked at; what has no other change than what is there already is left out."""
    with np.errstate(all="ignore"):  # numbers that are not finite are what is looked for
        findings = [finding for look in looks.values() for finding in look(case)]
        findings = [finding for finding in findings if finding.change not in case.present_code]
    findings = [replace(finding, change=with_imports(finding.change, case.opening)) for finding in findings]
    return Diagnosis(sorted_out(findings), tuple(looks))


def check_first_step(training: Training) -> Diagnosis:
    """Look at program, data and network before the first step of a training; warn of problems.

    It warns and does not raise, because some gradients are meant to be no derivatives (those that go straight through
    a step, say); ``warnings.simplefilter("error", WorkingsWarning)`` makes an error of it.
    """
    case = Case(
        training.network, dense(training.X), training.y, settings=training.history.settings,
        begun=training.history.begun, w=training.w,
    )  # fmt: skip
    looks: dict[str, Check] = {"the program": check_program, "the data": check_data, "the first step": check_network}
    diagnosis = examined(case, looks)
    if diagnosis.problems:
        told = "\n\n".join(map(str, diagnosis.problems))
        warnings.warn(f"Before the first step, fit(check=True) found:\n\n{told}", WorkingsWarning, stacklevel=5)
    return diagnosis
