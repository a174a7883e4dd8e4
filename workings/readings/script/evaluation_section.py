"""Measuring: the objective and the metrics of each epoch, and what follows from them: the rate, and when to end.

All is measured as the training measures it, some rows after the other, so that the numbers have the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workings.metrics import OF_SEVERAL, Metric
from workings.program.program import Program
from workings.readings.copying import inlined_method
from workings.readings.script.draft import Page
from workings.readings.script.prediction_section import decoded
from workings.readings.script.settings import Settings
from workings.readings.script.text import INDENT, quoted
from workings.training.callbacks import EarlyStopping


def needs_objective(settings: Settings) -> bool:
    """Return whether the loss of an epoch is measured apart from its steps."""
    return not settings.is_full and not settings.running_loss


def write_functions(page: Page) -> None:
    """The functions that measure: the objective for the history, and loss and predictions for all else."""
    settings = page.settings
    if needs_objective(settings) and (settings.is_weighted or not settings.measures):
        page.section("The objective on all rows")
        write_measure(page, with_p=False)
    if settings.measures:
        page.section("What is measured after each epoch")
        write_measure(page, with_p=True)


def write_measure(page: Page, *, with_p: bool) -> None:
    """A function that measures as the history does; with the predictions, rows have no weights."""
    network, weighted = page.network, page.settings.is_weighted and not with_p
    program = network.inference_program(weighted=weighted)
    first = program.needed_for(*(["p", "losses"] if with_p else ["losses"]))
    rest = program.without(program.needed_for("p", "losses")).needed_for("J")
    page.constants(program)
    rows, whole = network.rows_in_chunk, most_rows(page.settings, with_p)
    in_one_piece = whole is not None and whole <= rows
    pieces = "" if in_one_piece else f", {rows:,} rows at a time"
    name = "measure" if with_p else "objective"
    also = "and the predictions p, " if with_p else ""
    page.define(f"def {name}(X, y{', w' if weighted else ''}):")
    page.lines += [f'{INDENT}"""The objective J {also}with nothing left to chance{pieces}."""']
    asks_n = not in_one_piece or any("n" in s.reads for s in (*first.statements, *rest.statements))
    page.lines += [f"{INDENT}n = len(X)"] if asks_n else []
    if in_one_piece:
        write_statements(page, first, INDENT)
    else:
        write_pieces(page, first, rows, with_p)
    write_statements(page, rest, INDENT)
    page.lines += [f"{INDENT}return {'J, p' if with_p else 'J'}", ""]


def most_rows(settings: Settings, with_p: bool) -> int | None:
    """How many rows are measured at most, if that is known."""
    if settings.n_rows is None or settings.n_held is None:
        return None
    return max(settings.n_rows, settings.n_held) if with_p else settings.n_rows


def write_statements(page: Page, program: Program, indent: str) -> None:
    """Statements without their words."""
    for statement in program.statements:
        page.assign(statement.target, statement.expression, indent)


def write_pieces(page: Page, program: Program, rows: int, with_p: bool) -> None:
    """The losses, and the predictions if they are wanted, of some rows after the other."""
    stop = f"start : start + {rows}"
    alls, empty = ("losses_all, p_all", "[], []") if with_p else ("losses_all", "[]")
    page.lines += [f"{INDENT}X_all, y_all, {alls} = X, y, {empty}", f"{INDENT}for start in range(0, n, {rows}):"]
    page.lines += [f"{2 * INDENT}X, y = X_all[{stop}], y_all[{stop}]"]
    write_statements(page, program, 2 * INDENT)
    page.lines += [f"{2 * INDENT}losses_all.append(losses)", *([f"{2 * INDENT}p_all.append(p)"] if with_p else [])]
    page.lines += [f"{INDENT}X, y, losses = X_all, y_all, np.concatenate(losses_all)"]
    page.lines += [f"{INDENT}p = np.concatenate(p_all)"] if with_p else []


# -- after each epoch ----------------------------------------------------------------------------


def per_row(page: Page, objective: str, rows: str) -> str:
    """An objective for the history, which is per row."""
    return f"float({objective}) / {rows}" if page.network.loss.reduction == "sum" else f"float({objective})"


def objective_of_all(page: Page) -> str:
    """The objective on all training rows, as code."""
    if page.settings.is_weighted:
        return "objective(X_all, y_all, w_all)"
    return "measure(X_all, y_all)[0]" if page.settings.measures else "objective(X_all, y_all)"


def write_measures(page: Page) -> None:
    """What is measured at the end of an epoch."""
    settings = page.settings
    if not settings.measures:
        return
    everything = "" if settings.is_full else "_all"
    page.lines += [""]
    page.say("Measured with the parameters that the epoch ends with.", INDENT)
    if settings.chosen_metrics:
        page.lines += [f"{INDENT}_, p = measure(X{everything}, y{everything})"]
        write_metrics(page, settings.chosen_metrics, f"y{everything}")
    if settings.validation is not None:
        page.lines += [f"{INDENT}J, p = measure(X_val, y_val)"]
        page.write(f'measures["val_loss"].append({per_row(page, "J", "len(X_val)")})', indent=INDENT)
        write_metrics(page, settings.validation_metrics, "y_val", "val_")


def write_metrics(page: Page, metrics: Mapping[str, Metric], y: str, before: str = "") -> None:
    """Metrics of the predictions p."""
    page.assign("true, found", f"{decoded(page, y)[1]}, {decoded(page, 'p')[1]}", INDENT)
    for name, metric in metrics.items():
        several: Any = OF_SEVERAL.get(metric)
        function: Callable[..., Any] = several or metric
        page.copied.add(function.__name__, function)
        value = f"{function.__name__}(true, {'found[None])[0]' if several else 'found)'}"
        page.write(f"measures[{quoted(before + name)}].append(float({value}))", indent=INDENT)


def column(monitor: str) -> str:
    """The last number of a column of the history, as code."""
    return "history[-1]" if monitor == "loss" else f'measures["{monitor}"][-1]'


# -- when to end -----------------------------------------------------------------------------------


def everything_learned(page: Page) -> str:
    """All parameters and statistics as a tuple."""
    names = (*page.network.parameters, *page.network.statistics)
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def write_early_stopping(page: Page, early: EarlyStopping) -> None:
    """Keep the best parameters, and end the training when it has not got better for some epochs."""
    page.lines += [""]
    page.say(f"Training ends when {early.what} has not got better for {early.patience} epochs.", INDENT)
    page.lines += [f"{INDENT}early = watch(early, epoch, [{column(str(early.monitor))}])"]
    kept = "begun" if early.monitor == "loss" else everything_learned(page)
    page.lines += [f"{INDENT}if early[1] == epoch:"]
    page.write(f"best = {kept}", indent=2 * INDENT)
    page.lines += [f"{INDENT}if early[2] >= {early.longest_wait}:", f"{2 * INDENT}break"]


def write_best(page: Page) -> None:
    """Put the best parameters back."""
    page.lines += [""]
    page.say("The parameters of the best epoch are put back.")
    names = everything_learned(page)
    page.assign(names[1:-1] if names.count(",") > 1 else names, "best")


def begin_early_stopping(page: Page, early: EarlyStopping) -> None:
    """Nothing has been seen yet."""
    page.copied.functions["watch"] = inlined_method(early, "follow", "watch")
    page.copied.modules.update({"math"})
    page.lines += ["early = (math.inf, -1, 0)  # the best value, its epoch, epochs since"]
