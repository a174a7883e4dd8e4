"""Statements before and after the network: from a table's columns to X, and from p to labels and values.

They are written as the program's are, from the source of the formulas; so whoever can write the program in another
language can write these.
"""

from __future__ import annotations

from workings.model.model import Model
from workings.model.targets import both_labels, more_probable, most_probable
from workings.program.program import Program, Statement
from workings.program.writer import told
from workings.tables.columns import Columns, filled, original, standard


def before(columns: Columns) -> Program:
    """What makes ``numbers`` of the table's own ``columns`` of numbers, all at once."""
    x = told(filled, x="columns", fill="column_fill") if columns.have_fills else "columns"
    expression = told(standard, x=x, mean="column_mean", std="column_std")
    return Program((statement("numbers", expression, "Each column less its mean, in standard deviations."),))


def after(network: Model, columns: Columns | None) -> Program:
    """What makes ``best`` or ``chosen`` and ``probabilities``, or ``value``, of the outputs ``p``."""
    targets = network.targets
    if targets.kind == "classes":
        return Program((statement("best", told(most_probable, p="p"), "The column of the largest probability."),))
    if targets.kind == "labels":
        chosen = statement("chosen", told(more_probable, p="p"), "Whether the second label is the more probable one.")
        both = statement("probabilities", told(both_labels, p="p"), "The probabilities of both labels.")
        return Program((chosen, both) if targets.n_out == 1 else (chosen,))
    if columns is None or columns.scale is None:
        return Program(())
    mean, std = map(repr, columns.scale)
    expression = told(original, p="p", mean=mean, std=std)
    return Program((statement("value", expression, "The prediction in the target's own unit."),))


def statement(target: str, expression: str, words: str) -> Statement:
    """One statement that belongs to no layer."""
    return Statement(target, expression, "forward", "the table", words)
