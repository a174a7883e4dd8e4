"""The doctor: it reports problems of a network, its data and its training, each with one change to make.

The checks follow the order in which errors propagate: program, data, initial network, training, result.  Trials run on
copies.  How often each finding is right, and how often it is a false alarm, was measured with known mistakes
(``museum/mistakes.py``) and with healthy networks: docs/doctor.md has the rates.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from workings.checks.change_code import with_imports
from workings.checks.contents import check_contents
from workings.checks.data import check_data
from workings.checks.evidence import Case
from workings.checks.findings import Diagnosis, Finding, most_urgent_first
from workings.checks.known_training import known_training
from workings.checks.network_design import check_network, check_ten_rows
from workings.checks.simpler_models import check_result
from workings.checks.split import check_split
from workings.checks.statement_checks import check_program
from workings.checks.training_progress import check_training
from workings.checks.unusual_settings import check_settings
from workings.errors import InputError, WorkingsWarning, count_of
from workings.model.model import Model, as_weights
from workings.optimizers import LBFGS, Part
from workings.support.arrays import Array, describe
from workings.support.callers import frames_to_caller
from workings.support.conversion import as_array
from workings.support.sparse import dense
from workings.training.class_weights import combined_weights
from workings.training.history import History
from workings.training.recipe import Labels, Recipe
from workings.training.rows import Rows
from workings.training.training import Training

Check = Callable[[Case], Iterator[Finding]]
FEWEST_ROWS = 10  # with fewer rows, the diagnosis says that they are too few


def diagnose(
    network: Model,
    X: ArrayLike,
    y: ArrayLike,
    history: History | Mapping[str, Sequence[float]] | None = None,
    *,
    optimizer: Part | LBFGS | None = None,
    batch_size: int | None = None,
    sample_weight: ArrayLike | None = None,
    class_weight: Labels = None,
) -> Diagnosis:
    """Find problems of a network, its data and its training, and suggest a change for each.

    Parameters
    ----------
    network : Model
        It is not changed, except that it is built if it was not. Trials run on copies.
    X, y : arrays of shape (n, n_in) and (n,) or (n, n_out)
        The training data.
    history : History or dict of lists, optional
        The history that ``fit`` returned; it also holds the settings and the initial parameters. Without it, only the
        program, the data and the result of a trained network are checked.
    optimizer : optimizer, optional
        The optimizer of the training, if the history does not have it.
    batch_size : int, optional
        The batch size of the training, if the history does not have it.
    sample_weight : array of shape (n,), optional
        The weights of the rows, if the history does not have them; trials and measurements use them, too.
    class_weight : dict or "balanced", optional
        The weights of the classes, if the history does not have them.

    Returns
    -------
    Diagnosis
        Its ``findings``, the most urgent first; ``print`` it to read them.

    Raises
    ------
    InputError
        If the data cannot be used, if the history is not a history or belongs to another network, or if it has weights
        for other rows.

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
        raise InputError(f"history must be the history that fit returned, or a dict of lists, not {describe(history)}.")
    network = network.built_for(X, y)
    known = history if isinstance(history, History) else None
    training = known_training(
        known, optimizer=optimizer, batch_size=batch_size, sample_weight=sample_weight, class_weight=class_weight
    )
    case = Case(
        network,
        *prepared_rows(network, X, y, training.recipe),
        columns={} if history is None else dict(history),
        training=training,
        begun={} if known is None else checked_initial_parameters(known.begun, network),
        validation=None if known is None else dense_rows(known.validation),
    )
    return run_checks(case, checks_for(case))


def dense_rows(rows: Rows | None) -> Rows | None:
    """Return rows whose inputs are an array."""
    return None if rows is None else rows._replace(X=dense(rows.X))


def prepared_rows(network: Model, X: ArrayLike, y: ArrayLike, recipe: Recipe) -> Rows:
    """Return the rows as the program takes them, with their weights; without rows of weight 0, as in ``fit``."""
    features, targets, _ = network.prepare(X, y)
    w = recipe.sample_weight
    if w is not None and np.size(w := as_array(w, "sample_weight")) != len(features):
        raise InputError(
            f"The training had weights for {np.size(w):,} rows, and X has {len(features):,}: pass the training rows, "
            "or sample_weight= for these rows."
        )
    by_row = None if w is None else as_weights(w, features, targets.dtype)
    weights = combined_weights(by_row, recipe.class_weight, targets, network.targets.learn(y))
    rows = Rows(dense(features), targets, weights)
    return rows if weights is None else rows.take(weights[:, 0] > 0)


def diagnose_alone(network: Model, rows: int = 200) -> Diagnosis:
    """Check a network without data: its program and its layers, with random rows.

    Its own predictions for other rows are the targets, so what it has learned is not checked.

    Examples
    --------
    >>> from workings import CrossEntropy, Dense, Network
    >>> print(diagnose_alone(Network([Dense(8), Dense(2)], loss=CrossEntropy(), n_in=3, seed=0)).names)
    ('no-bend',)
    """
    network.check_built()
    X = np.random.default_rng(0).standard_normal((rows, network.n_in or 1)).astype(network.dtype)
    p = network.outputs(X)[::-1]  # in reverse order; each row's own outputs as targets would give gradients of about 0
    case = Case(network, X, network.targets.predicted_by(p))
    return run_checks(case, {"the program, with random rows": check_program, "the layers": check_network})


def is_history(history: object) -> bool:
    """Whether an object is None, a history, or a dict of lists of numbers."""
    if not isinstance(history, Mapping):
        return history is None
    return all(isinstance(name, str) and np.ndim(values) == 1 for name, values in history.items())


def checked_initial_parameters(begun: Mapping[str, Array], network: Model) -> Mapping[str, Array]:
    """Return the initial parameters of a history; their shapes must fit the network."""
    shapes = {name: value.shape for name, value in {**network.parameters, **network.statistics}.items()}
    initial_shapes = {name: value.shape for name, value in begun.items()}
    if initial_shapes and initial_shapes != shapes:
        raise InputError(
            f"This history belongs to another network: that one started with {shown_shapes(initial_shapes)}, and this "
            f"network has {shown_shapes(shapes)}. Pass the history of this network's training, or none."
        )
    return begun


def shown_shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Write names with their shapes."""
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "no parameters yet"


def checks_for(case: Case) -> dict[str, Check]:
    """Choose the checks that are possible, each with its name in the diagnosis."""
    rows = len(case.X)
    few = f" (only {count_of(rows, 'row')}, too few for reliable checks)" if rows < FEWEST_ROWS else ""
    checks: dict[str, Check] = {
        "the program (shapes, probabilities, large logits, gradients, one update)": check_program,
        f"the data{few}": check_data,
        "what the data holds (codes, identifiers, leaks, duplicates, labels)": check_contents,
        "the network" + ("" if case.start is None else " and its first step"): check_network,
    }
    checks["the settings"] = check_settings
    if case.start is not None:
        checks["overfitting ten rows"] = check_ten_rows
    if case.columns or case.optimizer is not None:
        checks["the training"] = check_training
    if case.validation is not None:
        checks["the validation rows"] = check_split
    if not case.network.is_fresh:
        checks["the result against simpler models"] = check_result
    return checks


def run_checks(case: Case, checks: Mapping[str, Check]) -> Diagnosis:
    """Run the checks; leave out findings whose change would only repeat what is there already."""
    with np.errstate(all="ignore"):  # the checks look for numbers that are not finite
        findings = [finding for check in checks.values() for finding in check(case)]
        findings = [finding for finding in findings if finding.change not in case.code.present]
    findings = [replace(finding, change=with_imports(finding.change, case.code.opening)) for finding in findings]
    return Diagnosis(most_urgent_first(findings), tuple(checks))


def check_first_step(training: Training) -> Diagnosis:
    """Check program, data and network before the first step of a training; warn of problems.

    It does not raise an error, because some gradients deliberately differ from the derivative (straight-through
    estimators, for example).  ``warnings.simplefilter("error", WorkingsWarning)`` turns the warning into an error.
    """
    case = Case(
        training.network,
        dense(training.X),
        training.y,
        training=known_training(training.history),
        begun=training.history.begun,
        w=training.w,
    )
    checks: dict[str, Check] = {
        "the program": check_program,
        "the data": check_data,
        "what the data holds": check_contents,
        "the first step": check_network,
    }
    diagnosis = run_checks(case, checks)
    if diagnosis.problems:
        problems = "\n\n".join(map(str, diagnosis.problems))
        message = f"Before the first step, fit(check=True) found:\n\n{problems}"
        warnings.warn(message, WorkingsWarning, stacklevel=frames_to_caller())
    return diagnosis
