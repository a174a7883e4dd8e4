"""Statements around the network: from a table's columns to X, and from the outputs p to labels and values.

Like the statements of a program, they are generated from the source of the formulas, so exporters translate
them in the same way.
"""

from __future__ import annotations

from workings.model.model import Model
from workings.model.targets import both_labels, more_probable, most_probable
from workings.program.program import Program, Statement
from workings.program.writer import formula_code
from workings.tables.columns import Columns, filled, missing, original, standard


def input_statements(columns: Columns) -> Program:
    """Return the statements that standardize all numeric ``columns`` to ``numbers``, and mark missing values."""
    x = formula_code(filled, x="columns", fill="column_fill") if columns.have_fills else "columns"
    expression = formula_code(standard, x=x, mean="column_mean", std="column_std")
    scaled = statement("numbers", expression, "Each column minus its mean, divided by its standard deviation.")
    gaps = statement("gaps", formula_code(missing, x="columns"), "1 where a value is missing.")
    return Program((scaled, gaps) if columns.have_indicators else (scaled,))


def output_statements(network: Model, columns: Columns | None) -> Program:
    """Return the statements that compute ``best``, or ``chosen`` and ``probabilities``, or ``value`` from ``p``."""
    targets = network.targets
    if targets.is_multiclass:
        return Program(
            (statement("best", formula_code(most_probable, p="p"), "The column of the largest probability."),)
        )
    if targets.is_classification:
        chosen = statement("chosen", formula_code(more_probable, p="p"), "Whether the second label is more probable.")
        both = statement("probabilities", formula_code(both_labels, p="p"), "The probabilities of both labels.")
        return Program((chosen, both) if targets.n_out == 1 else (chosen,))
    if columns is None or columns.scale is None:
        return Program(())
    mean, std = map(repr, columns.scale)
    expression = formula_code(original, p="p", mean=mean, std=std)
    return Program((statement("value", expression, "The prediction in the target's original unit."),))


def statement(target: str, expression: str, words: str) -> Statement:
    """Return a statement that belongs to no layer."""
    return Statement(target, expression, "forward", "the table", words)
