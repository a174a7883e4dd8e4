"""The evaluation section of a script: objective and metrics of each epoch, and early stopping.

Values are computed in the same chunks of rows as in training, so that they have the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from workings.metrics import OF_SEVERAL, Metric
from workings.program.program import Program
from workings.readings.script.draft import ScriptDraft
from workings.readings.script.prediction_section import decoding
from workings.readings.script.script_settings import ScriptSettings
from workings.readings.script.text import INDENT, string_literal
from workings.training.early_stopping import EarlyStopping


def needs_objective(settings: ScriptSettings) -> bool:
    """Return whether the loss of an epoch is computed separately from its steps."""
    return not settings.is_full and not settings.recipe.running_loss


def write_functions(draft: ScriptDraft) -> None:
    """Write the functions for evaluation: the objective for the history, and loss and predictions for metrics."""
    settings = draft.settings
    if needs_objective(settings) and (settings.is_weighted or not settings.measures):
        draft.section("The objective on all rows")
        write_measure(draft, with_p=False)
    if settings.measures:
        draft.section("Evaluation after each epoch")
        write_measure(draft, with_p=True)


def write_measure(draft: ScriptDraft, *, with_p: bool) -> None:
    """Write a function that computes the objective as for the history; with predictions, rows are unweighted."""
    network, weighted = draft.network, draft.settings.is_weighted and not with_p
    program = network.inference_program(weighted=weighted)
    first = program.needed_for(*(["p", "losses"] if with_p else ["losses"]))
    rest = program.without(program.needed_for("p", "losses")).needed_for("J")
    draft.constants(program)
    rows, whole = network.rows_in_chunk, most_rows(draft.settings, with_p)
    in_one_piece = whole is not None and whole <= rows
    pieces = "" if in_one_piece else f", {rows:,} rows at a time"
    name = "measure" if with_p else "objective"
    also = " and the predictions p" if with_p else ""
    draft.define(f"def {name}(X, y{', w' if weighted else ''}):")
    draft.lines += [f'{INDENT}"""Return the objective J{also} in inference mode{pieces}."""']
    asks_n = not in_one_piece or any("n" in s.reads for s in (*first.statements, *rest.statements))
    draft.lines += [f"{INDENT}n = len(X)"] if asks_n else []
    if in_one_piece:
        write_statements(draft, first, INDENT)
    else:
        write_pieces(draft, first, rows, with_p)
    write_statements(draft, rest, INDENT)
    draft.lines += [f"{INDENT}return {'J, p' if with_p else 'J'}", ""]


def most_rows(settings: ScriptSettings, with_p: bool) -> int | None:
    """Return the largest number of rows that are evaluated at once; None if unknown."""
    if settings.n_rows is None or settings.n_held is None:
        return None
    return max(settings.n_rows, settings.n_held) if with_p else settings.n_rows


def write_statements(draft: ScriptDraft, program: Program, indent: str) -> None:
    """Write statements without comments."""
    for statement in program.statements:
        draft.assign(statement.target, statement.expression, indent)


def write_pieces(draft: ScriptDraft, program: Program, rows: int, with_p: bool) -> None:
    """Write code that computes losses, and predictions with ``with_p``, in chunks of rows."""
    stop = f"start : start + {rows}"
    alls, empty = ("losses_all, p_all", "[], []") if with_p else ("losses_all", "[]")
    draft.lines += [f"{INDENT}X_all, y_all, {alls} = X, y, {empty}", f"{INDENT}for start in range(0, n, {rows}):"]
    draft.lines += [f"{2 * INDENT}X, y = X_all[{stop}], y_all[{stop}]"]
    write_statements(draft, program, 2 * INDENT)
    draft.lines += [f"{2 * INDENT}losses_all.append(losses)", *([f"{2 * INDENT}p_all.append(p)"] if with_p else [])]
    draft.lines += [f"{INDENT}X, y, losses = X_all, y_all, np.concatenate(losses_all)"]
    draft.lines += [f"{INDENT}p = np.concatenate(p_all)"] if with_p else []


# -- after each epoch ----------------------------------------------------------------------------


def per_row(draft: ScriptDraft, objective: str, rows: str) -> str:
    """Return an objective as code, divided by the rows if it is a sum, because the history is per row."""
    return f"float({objective}) / {rows}" if draft.network.loss.reduction == "sum" else f"float({objective})"


def objective_of_all(draft: ScriptDraft) -> str:
    """Return the objective on all training rows as code."""
    if draft.settings.is_weighted:
        return "objective(X_all, y_all, w_all)"
    return "measure(X_all, y_all)[0]" if draft.settings.measures else "objective(X_all, y_all)"


def write_measures(draft: ScriptDraft) -> None:
    """Write the evaluation at the end of an epoch."""
    settings = draft.settings
    if not settings.measures:
        return
    everything = "" if settings.is_full else "_all"
    draft.lines += [""]
    draft.comment("Evaluated with the parameters at the end of the epoch.", INDENT)
    if settings.chosen_metrics:
        draft.lines += [f"{INDENT}_, p = measure(X{everything}, y{everything})"]
        write_metrics(draft, settings.chosen_metrics, f"y{everything}")
    if settings.recipe.validation is not None:
        draft.lines += [f"{INDENT}J, p = measure(X_val, y_val)"]
        draft.write(f'measures["val_loss"].append({per_row(draft, "J", "len(X_val)")})', indent=INDENT)
        write_metrics(draft, settings.validation_metrics, "y_val", "val_")


def write_metrics(draft: ScriptDraft, metrics: Mapping[str, Metric], y: str, before: str = "") -> None:
    """Write the metrics of the predictions p."""
    draft.assign("true, found", f"{decoding(draft, y)[1]}, {decoding(draft, 'p')[1]}", INDENT)
    for name, metric in metrics.items():
        several = OF_SEVERAL.get(metric)
        function: Callable[..., object] = several or metric
        draft.copied.add(function.__name__, function)
        value = f"{function.__name__}(true, {'found[None])[0]' if several else 'found)'}"
        draft.write(f"measures[{string_literal(before + name)}].append(float({value}))", indent=INDENT)


def column(monitor: str) -> str:
    """Return the last value of a column of the history as code."""
    return "history[-1]" if monitor == "loss" else f'measures["{monitor}"][-1]'


# -- early stopping -----------------------------------------------------------------------------------


def learned_names(draft: ScriptDraft) -> str:
    """Return a tuple of all parameters and statistics as code."""
    names = (*draft.network.parameters, *draft.network.statistics)
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def write_early_stopping(draft: ScriptDraft, early: EarlyStopping) -> None:
    """Write early stopping: keep the best parameters, and end without improvement for some epochs."""
    draft.lines += [""]
    epochs = "epoch" if early.longest_wait == 1 else "epochs"
    draft.comment(
        f"Early stopping: keep the parameters of the best {early.what} so far, and stop after {early.longest_wait} "
        f"{epochs} without a better one. Any number is better than nan.",
        INDENT,
    )
    draft.assign("watched", column(str(early.monitor)), INDENT)
    draft.lines += [f"{INDENT}is_first = math.isnan(best_value) and not math.isnan(watched)"]
    draft.lines += [f"{INDENT}if epoch == 0 or is_first or {is_better(early)}:"]
    kept = "begun" if early.monitor == "loss" else learned_names(draft)
    draft.lines += [f"{2 * INDENT}best_value, best_epoch = watched, epoch"]
    draft.write(f"best = {kept}", indent=2 * INDENT)
    draft.lines += [f"{INDENT}elif epoch - best_epoch >= {early.longest_wait}:", f"{2 * INDENT}break"]


def begin_early_stopping(draft: ScriptDraft) -> None:
    """Write the initial values of early stopping."""
    draft.copied.modules.update({"math"})
    draft.lines += ["best_value, best_epoch, best = math.nan, 0, None  # for early stopping"]


def is_better(early: EarlyStopping) -> str:
    """Return the condition of an improvement as code."""
    sign, change = (">", "+") if early.higher_is_better else ("<", "-")
    delta = f" {change} {early.min_delta!r}" if early.min_delta else ""
    return f"watched {sign} best_value{delta}"


def write_best(draft: ScriptDraft) -> None:
    """Write code that restores the best parameters."""
    draft.lines += [""]
    draft.comment("Restore the parameters of the best epoch.")
    names = learned_names(draft)
    draft.assign(names[1:-1] if names.count(",") > 1 else names, "best")
