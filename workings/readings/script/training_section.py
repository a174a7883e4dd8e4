"""The training section of a script: the loop with the statements of the program."""

from __future__ import annotations

from typing import Any

from workings.errors import InputError
from workings.layers import Dropout, dropout_mask, number_layers
from workings.optimizers import Part
from workings.program.program import STAGE_WORDS, Program
from workings.program.writer import formula_code
from workings.readings.copying import inlined_method, rate_expression
from workings.readings.notes import function_notes
from workings.readings.script.draft import RESERVED_NAMES, ScriptDraft
from workings.readings.script.evaluation_section import (
    begin_early_stopping,
    column,
    learned_names,
    needs_objective,
    objective_of_all,
    per_row,
    write_best,
    write_early_stopping,
    write_functions,
    write_measures,
)
from workings.readings.script.prediction_section import with_shape
from workings.readings.script.text import INDENT, string_literal
from workings.schedules import Constant, monitor_of


def write_training(draft: ScriptDraft, optimizer: Part) -> None:
    """Write the training loop."""
    settings = draft.settings
    program = draft.network.program(optimizer, weighted=settings.is_weighted)
    check_names(program)
    inside = program.needed_for(*program.carried) if needs_objective(settings) else program
    write_functions(draft)
    schedule = optimizer.schedule
    counts = "t" in inside.inputs or (optimizer.monitor is None and not isinstance(schedule, Constant))
    draft.section("Training")
    draft.constants(program)
    write_states(draft, program)
    before_the_loop(draft, schedule, counts)
    draft.lines += ["for epoch in range(epochs):"]
    begin_epoch(draft)
    indent = INDENT if settings.is_full else write_batches(draft)
    draft.lines += [f"{indent}t = t + 1"] if counts else []
    write_rate(draft, schedule, indent)
    write_masks(draft, indent)
    write_steps(draft, inside, indent)
    end_epoch(draft, schedule, indent)


def check_names(program: Program) -> None:
    """Raise if the program uses a name that the script reserves."""
    both = RESERVED_NAMES & {*(s.target for s in program.statements), *program.functions, *program.constants}
    if both:
        raise InputError(f"{min(both)!r} is a reserved name in scripts: rename yours.")


def write_states(draft: ScriptDraft, program: Program) -> None:
    """Write the optimizer's state, which is initially 0."""
    if program.states:
        draft.comment("The optimizer's state is initially 0.")
    for name in program.states:
        parameter = next(p for p in program.parameters if name.endswith(f"_{p}"))
        draft.lines += [f"{name} = np.zeros_like({parameter})"]


def before_the_loop(draft: ScriptDraft, schedule: object, counts: bool) -> None:
    """Write the settings and initial values before the loop."""
    settings = draft.settings
    if monitor_of(schedule) is not None:
        draft.copied.functions["follow"] = inlined_method(schedule, "follow")
        draft.lines += ["plateau = {}"]
    if settings.early is not None:
        begin_early_stopping(draft)
    rows = ["n = len(X)"] if settings.is_full else [f"batch_size = {settings.recipe.batch_size}", "n_all = len(X_all)"]
    draft.lines += [f"epochs = {settings.recipe.epochs}", *rows]
    draft.lines += [f"lr = {float(schedule.lr)!r}"] if isinstance(schedule, Constant) else []
    draft.lines += ["t = 0  # number of steps so far"] if counts else []
    draft.lines += ["history = []"]
    if settings.measures:
        draft.assign("measures", f"{{{', '.join(f'{string_literal(name)}: []' for name in settings.measures)}}}")
    draft.lines += [""]


def begin_epoch(draft: ScriptDraft) -> None:
    """Write the beginning of an epoch: its objective, and parameters to restore."""
    settings = draft.settings
    if settings.early is not None and settings.early.monitor == "loss":
        draft.assign("begun", learned_names(draft), INDENT)
    if needs_objective(settings):
        draft.comment("The objective on all rows, with the parameters at the beginning of the epoch.", INDENT)
        draft.lines += [f"{INDENT}history.append({per_row(draft, objective_of_all(draft), 'n_all')})"]
    elif not settings.is_full:
        draft.lines += [f"{INDENT}objectives = []"]


def write_batches(draft: ScriptDraft) -> str:
    """Write the loop over the batches; return the indentation of its steps."""
    settings = draft.settings
    draft.lines += [f"{INDENT}order = rng.permutation(n_all)"] if settings.recipe.shuffle else []
    draft.lines += [f"{INDENT}for start in range(0, n_all, batch_size):"]
    inner, rows = 2 * INDENT, "start : start + batch_size"
    if settings.recipe.shuffle:
        draft.lines += [f"{inner}rows = order[{rows}]"]
        rows = "rows"
    names = ["X", "y", *(["w"] if settings.is_weighted else [])]
    draft.lines += [f"{inner}{', '.join(names)} = {', '.join(f'{name}_all[{rows}]' for name in names)}"]
    draft.lines += [f"{inner}n = len(X)"]
    return inner


def write_rate(draft: ScriptDraft, schedule: Any, indent: str) -> None:
    """Write the learning rate of the step; t counts the steps from 1."""
    if monitor_of(schedule) is not None:
        draft.lines += [f'{indent}lr = plateau.get("lr", {float(schedule.lr)!r})']
    elif not isinstance(schedule, Constant):
        draft.assign("lr", rate_expression(schedule, draft.copied, "(t - 1)"), indent)


def write_masks(draft: ScriptDraft, indent: str) -> None:
    """Write the dropout masks, which are drawn in each step."""
    width = draft.network.n_in or 1
    for layer, number in number_layers(draft.network.layers):
        if type(layer).draw is Dropout.draw:
            rate = repr(layer.rate)  # type: ignore[attr-defined]
            mask = formula_code(dropout_mask, u=f"rng.random((n, {width}))", rate=rate)
            draft.assign(f"mask{number}", draft.in_precision(mask), indent)
        elif layer.draws:
            raise InputError(f"A script does not support the random values that {layer!r} draws in each step.")
        width = layer.width(width)


def write_steps(draft: ScriptDraft, program: Program, indent: str) -> None:
    """Write the statements, with an explanation and the shape of the result."""
    stage = part = ""
    said: set[tuple[str, str]] = set()  # the explanations of an update are the same for each parameter
    noted: set[str] = set()
    for statement in program.statements:
        if statement.stage != stage:
            stage = statement.stage
            draft.lines += [] if draft.lines[-1].endswith(":") else [""]
            draft.comment(f"{STAGE_WORDS[stage]}.", indent)
        if statement.part != part:
            part = statement.part
            draft.lines += [""]
            draft.comment(part, indent)
        if statement.words and (statement.part, statement.words) not in said:
            draft.comment(statement.words, indent)
        if statement.stage == "update":
            said.add((statement.part, statement.words))
        for note in function_notes(statement):
            if note not in noted:
                draft.comment(note, indent)
            noted.add(note)
        draft.lines += with_shape(statement, indent)


def end_epoch(draft: ScriptDraft, schedule: Any, indent: str) -> None:
    """Write the end of an epoch: history, evaluation, plateau schedule and early stopping."""
    settings = draft.settings
    if settings.is_full:
        draft.lines += ["", f"{INDENT}history.append({per_row(draft, 'J', 'n')})"]
    elif settings.recipe.running_loss:
        write_running_loss(draft, indent)
    write_measures(draft)
    if monitor_of(schedule) is not None:
        draft.lines += [f"{INDENT}plateau = follow(plateau, {column(schedule.monitor)})"]
    if settings.early is not None:
        write_early_stopping(draft, settings.early)
        write_best(draft)
    if not settings.is_full:
        write_all_rows(draft)


def write_all_rows(draft: ScriptDraft) -> None:
    """Write code after the loop that gives all rows their names again, which the last batch had."""
    names = ["X", "y", *(["w"] if draft.settings.is_weighted else []), "n"]
    draft.lines += [""]
    draft.comment(f"{', '.join(names[:-1])} and {names[-1]} hold the last batch; from here on, they hold all rows.")
    draft.lines += [f"{', '.join(names)} = {', '.join(f'{name}_all' for name in names)}"]


def write_running_loss(draft: ScriptDraft, indent: str) -> None:
    """Write the running loss: the mean over the batches, weighted by their rows."""
    is_sum = draft.network.loss.reduction == "sum"
    draft.lines += ["", f"{indent}objectives.append({'float(J)' if is_sum else 'n * float(J)'})"]
    draft.lines += [f"{INDENT}history.append(math.fsum(objectives) / n_all)"]
