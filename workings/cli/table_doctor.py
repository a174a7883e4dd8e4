"""The doctor for tables: findings in the table's own columns and commands, leaks, and drift."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from workings.checks.contents import LARGEST_SKEWNESS
from workings.checks.findings import Diagnosis, Finding, make_finding, most_urgent_first
from workings.cli.table_effects import places_of
from workings.cli.table_phrasing import TableTerms
from workings.cli.table_training import TrainedOnTable
from workings.layers import Exp, Interpolation
from workings.metrics import accuracy, r2, ranks
from workings.support.arrays import Array
from workings.tables.columns import Columns, NumberColumn, original
from workings.tables.target_transform import skewness

FOLDS, MOST_ROWS, LEAST_ROWS = 5, 2000, 40
LEAK_OF_CLASSES, LEAK_OF_NUMBERS = 0.98, 0.999  # share of the errors of a constant that one column alone avoids
COLUMN_OF_X = re.compile(r"column (\d+) of X")
IN_TABLE = ("target-leak", "identifier-column", "missing-value-code")


def single_column_score(x: Array, y: Array, *, is_label: bool) -> float:
    """Return how well one column alone predicts the target of held-out rows: 1 is perfect, 0 is a constant.

    A held-out row gets the most frequent label of the nearest value, or the mean target of the two nearest values.

    >>> x = np.arange(100.0)
    >>> single_column_score(x, 3 * x + 1, is_label=False) > 0.99
    True
    """
    order = np.random.default_rng(0).permutation(len(x))[:MOST_ROWS]
    x, y = x[order], y[order]
    predicted = np.empty_like(y)
    for fold in range(FOLDS):
        held = np.arange(len(x)) % FOLDS == fold
        values, place = np.unique(x[~held], return_inverse=True)
        if is_label:
            counts = np.zeros((len(values), int(y.max()) + 1))
            np.add.at(counts, (place, y[~held]), 1)
            middle = (values[1:] + values[:-1]) / 2
            predicted[held] = counts.argmax(axis=1)[np.searchsorted(middle, x[held])]
        else:
            means = np.bincount(place, y[~held]) / np.bincount(place)
            predicted[held] = np.interp(x[held], values, means)
    if not is_label:
        return r2(y, predicted)
    usual = float(np.bincount(y).max() / len(y))
    return (accuracy(y, predicted) - usual) / (1 - usual) if usual < 1 else 0.0


def leaks(columns: Columns, X: Array, y: Array, classes: Sequence[object]) -> dict[str, float]:
    """Return the columns that alone give the target, with their score on held-out rows; none if there is one column.

    Of numbers, the ranks are predicted, so that any increasing function of the target is found.
    """
    places = places_of(columns)
    if len(X) < LEAST_ROWS or len(places) < 2:
        return {}
    target = np.searchsorted(np.array(classes), y) if len(classes) else ranks(y)
    # A copy misses the rank of a held-out row by about one: 20 / n² of the variance of n ranks.
    least = LEAK_OF_CLASSES if len(classes) else min(LEAK_OF_NUMBERS, 1 - 20 / min(len(y), MOST_ROWS) ** 2)
    is_category = {column.source: not isinstance(column, NumberColumn) for column in columns.columns}
    found = {}
    for name, here in places.items():
        values = [X[:, here].argmax(axis=1).astype(float)] if is_category[name] else list(X[:, here].T)
        score = max(single_column_score(x, target, is_label=len(classes) > 0) for x in values)
        if score >= least:
            found[name] = score
    return found


def leak_lines(trained: TrainedOnTable) -> list[str]:
    """Return a line for each column that alone gives the target, for the summary of a training."""
    found = leaks(trained.preprocessing.table_columns, *trained.training, trained.preprocessing.classes)
    return [
        f"problem: {name} alone gives the target of held-out rows (score {score:.3f} of 1). If it is known only after "
        f"the target: `--drop {name}`"
        for name, score in found.items()
    ]


# -- findings in the table's terms -----------------------------------------------------------------


def in_tables_terms(diagnosis: Diagnosis, trained: TrainedOnTable, terms: TableTerms) -> Diagnosis:
    """Return a diagnosis whose findings name the table's columns and the commands that change them."""
    columns = trained.preprocessing.table_columns
    found = [
        in_terms(finding, columns, trained, terms) for finding in diagnosis.findings if finding.name != "skewed-targets"
    ]
    found += skewed_target(trained, terms)
    X, y = trained.training
    leaking = leaks(columns, X, y, trained.preprocessing.classes)
    if leaking:
        listed = ", ".join(f"{name!r} (score {score:.3f})" for name, score in leaking.items())
        measured = (
            f"each of these columns alone gives the target of held-out rows: {listed}; 1 is perfect, 0 is the best "
            f"constant. Is it known before the target is?"
        )
        finding = make_finding("target-leak", measured, terms.command(drop=list(leaking)))
        found = [*(each for each in found if each.name != "target-leak"), replace(finding, severity="problem")]
    return Diagnosis(most_urgent_first(found), diagnosis.looked_at)


def in_terms(finding: Finding, columns: Columns, trained: TrainedOnTable, terms: TableTerms) -> Finding:
    """Return a finding about X or y in the table's terms."""
    if finding.name not in IN_TABLE:
        return finding
    names = [name for name, here in places_of(columns).items() for _ in here]
    numbers = list(map(int, COLUMN_OF_X.findall(finding.measured)))
    if not numbers:
        return finding
    measured = COLUMN_OF_X.sub(lambda found: f"column {names[int(found[1])]!r}", finding.measured)
    name = names[numbers[0]]
    if finding.name == "missing-value-code":
        return replace(finding, **code_in_terms(name, numbers[0], columns, trained, terms))
    return replace(finding, measured=measured, change=terms.command(drop=[name]))


def code_in_terms(
    name: str, place: int, columns: Columns, trained: TrainedOnTable, terms: TableTerms
) -> dict[str, str]:
    """Return what was measured and the change for a code that stands for a missing value."""
    (column,) = (each for each, at in zip(columns.numbers, columns.number_places, strict=True) if at == place)
    x = original(trained.training[0][:, place], column.mean, column.std)
    ends = [x.min(), x.max()]
    code = max(ends, key=lambda end: np.abs(x[~np.isclose(x, end)] - end).min())
    rest = x[~np.isclose(x, code)]
    measured = (
        f"column {name!r} is {code:.6g} in {len(x) - len(rest)} of {len(x)} rows; its other values lie between "
        f"{rest.min():.6g} and {rest.max():.6g}."
    )
    file = terms.source.file
    change = (
        "import polars as pl\nfrom workings.tables import read_table, write_table\n"
        f"table = read_table({str(file)!r})  # without the code {code:.6g}, which stands for a missing value\n"
        f"column = pl.when(pl.col({name!r}) != {code:.6g}).then(pl.col({name!r})).alias({name!r})\n"
        f"write_table(table.with_columns(column), {with_ending(file, 'gaps')!r})"
    )
    return {"measured": measured, "change": change}


def skewed_target(trained: TrainedOnTable, terms: TableTerms) -> list[Finding]:
    """Return the finding for a target that its logarithm would make much less skewed, measured in the table's unit.

    There is none for a network that learned a transform of the target.
    """
    if trained.preprocessing.classes or isinstance(trained.network.layers[-1], Exp | Interpolation):
        return []
    values = trained.preprocessing.untransform_target(trained.training[1])
    skew, after = skewness(values), skewness(np.log1p(values - min(values.min(), 0.0)))
    if len(values) < LEAST_ROWS or skew < LARGEST_SKEWNESS or abs(after) > 0.6 * skew:
        return []
    measured = (
        f"the target {trained.preprocessing.target.name!r} has a skewness of {skew:.2f}, and {after:.2f} as a "
        f"logarithm. Half of its values are at most {np.median(values):.6g}, the largest is {values.max():.6g}."
    )
    return [make_finding("skewed-targets", measured, logarithm_code(trained, terms))]


def logarithm_code(trained: TrainedOnTable, terms: TableTerms) -> str:
    """Return code that writes the table with the logarithm of its target, and the command that trains on it."""
    name, file = trained.preprocessing.target.name, terms.source.file
    if terms.plan.recipe and trained.preprocessing.untransform_target(trained.training[1]).min() > 0:
        return terms.command(transform="log")
    values = trained.preprocessing.untransform_target(trained.training[1])
    least = float(values.min())
    shifted = "" if least >= 0 else f" + {-least!r}"
    written = with_ending(file, "log")
    command = replace(terms, source=replace(terms.source, file=Path(written))).command()
    back = f"exp(prediction) - 1{shifted.replace('+', '-')}"
    return (
        "import polars as pl\nfrom workings.tables import read_table, write_table\n"
        f"logarithm = (pl.col({name!r}){shifted}).log1p()\n"
        f"write_table(read_table({str(file)!r}).with_columns(logarithm), {written!r})\n"
        f"# then: {command}  # it predicts logarithms: the number is {back}"
    )


def with_ending(file: Path, ending: str) -> str:
    """Return the name of a CSV file beside another.

    >>> with_ending(Path("prices.xlsx"), "log")
    'prices-log.csv'
    """
    return str(file.with_name(f"{file.name.split('.')[0]}-{ending}.csv"))


def drift_finding(sentences: Sequence[str], model: Path, table: Path) -> list[Finding]:
    """Return the finding for columns that differ from the training table; none without sentences."""
    if not sentences:
        return []
    words = shlex.join(["workings", "train", str(table)])
    fix = f"{words} --target …  # train again with such rows, or check how the columns of {table.name} came about"
    return [make_finding("drift", f"{'; '.join(sentences)} ({model.name}).", fix)]
