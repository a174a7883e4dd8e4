"""Training: the loop, with the statements of the program inside."""

from __future__ import annotations

from typing import Any

from workings.errors import InputError
from workings.layers import Dropout, dropout_mask, numbered
from workings.optimizers import Part
from workings.program.program import STAGE_WORDS, Program, told
from workings.readings.copying import inlined_method, rate_expression
from workings.readings.script.draft import OWN_NAMES, Page
from workings.readings.script.evaluation_section import (
    begin_early_stopping,
    column,
    everything_learned,
    needs_objective,
    objective_of_all,
    per_row,
    write_best,
    write_early_stopping,
    write_functions,
    write_measures,
)
from workings.readings.script.prediction_section import with_shape
from workings.readings.script.text import INDENT, quoted
from workings.schedules import Constant, OnPlateau


def write_training(page: Page, optimizer: Part) -> None:
    """The loop."""
    settings = page.settings
    program = page.network.program(optimizer, weighted=settings.is_weighted)
    refuse_own_names(program)
    inside = program.needed_for(*program.carried) if needs_objective(settings) else program
    write_functions(page)
    schedule: Any = optimizer.schedule  # type: ignore[attr-defined]
    counts = "t" in inside.inputs or not isinstance(schedule, (Constant, OnPlateau))
    page.section("Training")
    page.constants(program)
    write_states(page, program)
    before_the_loop(page, schedule, counts)
    page.lines += ["for epoch in range(epochs):"]
    begin_epoch(page)
    indent = INDENT if settings.is_full else write_batches(page)
    page.lines += [f"{indent}t = t + 1"] if counts else []
    write_rate(page, schedule, indent)
    write_masks(page, indent)
    write_steps(page, inside, indent)
    end_epoch(page, schedule, indent)


def refuse_own_names(program: Program) -> None:
    """See to it that the program and the script do not use one name for two things."""
    both = OWN_NAMES & {*(s.target for s in program.statements), *program.functions, *program.constants}
    if both:
        raise InputError(f"{min(both)!r} is a name that the script uses itself: call yours something else.")


def write_states(page: Page, program: Program) -> None:
    """The optimizer's state, which begins at 0."""
    if program.states:
        page.say("What the optimizer remembers begins at 0.")
    for name in program.states:
        parameter = next(p for p in program.parameters if name.endswith(f"_{p}"))
        page.lines += [f"{name} = np.zeros_like({parameter})"]


def before_the_loop(page: Page, schedule: Any, counts: bool) -> None:
    """The settings, and what begins at nothing."""
    settings = page.settings
    if isinstance(schedule, OnPlateau):
        page.copied.functions["follow"] = inlined_method(schedule, "follow")
        page.lines += ["plateau = {}"]
    if settings.early is not None:
        begin_early_stopping(page, settings.early)
    rows = ["n = len(X)"] if settings.is_full else [f"batch_size = {settings.batch_size}", "n_all = len(X_all)"]
    page.lines += [f"epochs = {settings.epochs}", *rows]
    page.lines += [f"lr = {float(schedule.lr)!r}"] if isinstance(schedule, Constant) else []
    page.lines += ["t = 0  # steps that have been made"] if counts else []
    page.lines += ["history = []"]
    if settings.measures:
        page.assign("measures", f"{{{', '.join(f'{quoted(name)}: []' for name in settings.measures)}}}")
    page.lines += [""]


def begin_epoch(page: Page) -> None:
    """What is kept of the beginning of an epoch."""
    settings = page.settings
    if settings.early is not None and settings.early.monitor == "loss":
        page.assign("begun", everything_learned(page), INDENT)
    if needs_objective(settings):
        page.say("The objective on all rows, at the parameters that the epoch begins with.", INDENT)
        page.lines += [f"{INDENT}history.append({per_row(page, objective_of_all(page), 'n_all')})"]
    elif not settings.is_full:
        page.lines += [f"{INDENT}objectives = []"]


def write_batches(page: Page) -> str:
    """The loop over the batches; give how far its steps are set in."""
    settings = page.settings
    page.lines += [f"{INDENT}order = rng.permutation(n_all)"] if settings.shuffle else []
    page.lines += [f"{INDENT}for start in range(0, n_all, batch_size):"]
    inner, rows = 2 * INDENT, "start : start + batch_size"
    if settings.shuffle:
        page.lines += [f"{inner}rows = order[{rows}]"]
        rows = "rows"
    names = ["X", "y", *(["w"] if settings.is_weighted else [])]
    page.lines += [f"{inner}{', '.join(names)} = {', '.join(f'{name}_all[{rows}]' for name in names)}"]
    page.lines += [f"{inner}n = len(X)"]
    return inner


def write_rate(page: Page, schedule: Any, indent: str) -> None:
    """The learning rate of the step; t counts the steps from 1."""
    if isinstance(schedule, OnPlateau):
        page.lines += [f'{indent}lr = plateau.get("lr", {float(schedule.lr)!r})']
    elif not isinstance(schedule, Constant):
        page.assign("lr", rate_expression(schedule, page.copied, "(t - 1)"), indent)


def write_masks(page: Page, indent: str) -> None:
    """What is drawn anew for each step."""
    width = page.network.n_in or 1
    for layer, number in numbered(page.network.layers):
        if type(layer).draw is Dropout.draw:
            rate = repr(layer.rate)  # type: ignore[attr-defined]
            mask = told(dropout_mask, u=f"rng.random((n, {width}))", rate=rate)
            page.assign(f"mask{number}", page.in_precision(mask), indent)
        elif layer.draws:
            raise InputError(f"What {layer!r} draws for each step cannot be told in a script.")
        width = layer.width(width)


def write_steps(page: Page, program: Program, indent: str) -> None:
    """The statements, with what each does and what shape it gives."""
    stage = part = ""
    said: set[tuple[str, str]] = set()  # the update's words are the same for each parameter
    for statement in program.statements:
        if statement.stage != stage:
            stage = statement.stage
            page.lines += [] if page.lines[-1].endswith(":") else [""]
            page.say(f"{STAGE_WORDS[stage]}.", indent)
        if statement.part != part:
            part = statement.part
            page.lines += [""]
            page.say(part, indent)
        if statement.words and (statement.part, statement.words) not in said:
            page.say(statement.words, indent)
        if statement.stage == "update":
            said.add((statement.part, statement.words))
        page.lines += with_shape(statement, indent)


def end_epoch(page: Page, schedule: Any, indent: str) -> None:
    """What an epoch leaves in the history, and what follows from it."""
    settings = page.settings
    if settings.is_full:
        page.lines += ["", f"{INDENT}history.append({per_row(page, 'J', 'n')})"]
    elif settings.running_loss:
        write_running_loss(page, indent)
    write_measures(page)
    if isinstance(schedule, OnPlateau):
        page.lines += [f"{INDENT}plateau = follow(plateau, {column(schedule.monitor)})"]
    if settings.early is not None:
        write_early_stopping(page, settings.early)
        write_best(page)


def write_running_loss(page: Page, indent: str) -> None:
    """The mean of what the steps of an epoch met, each counted by its rows."""
    is_sum = page.network.loss.reduction == "sum"
    page.lines += ["", f"{indent}objectives.append({'float(J)' if is_sum else 'n * float(J)'})"]
    page.lines += [f"{INDENT}history.append(math.fsum(objectives) / n_all)"]
