"""Terminal output of the command line: progress bars, error messages and tables."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from workings.cli.console import console
from workings.experiments.figures import Figure, show_agreement, show_number
from workings.museum.exhibits import Exhibit
from workings.museum.rooms import PIECES
from workings.support.escaping import visible_lines
from workings.training.callbacks import Callback, RunningTraining


def write_out(text: str) -> None:
    """Write data or code to standard output: as it is to a file or a pipe, with visible escapes to a terminal."""
    sys.stdout.write(visible_lines(text) if sys.stdout.isatty() else text)  # typer.echo would drop escape sequences


class ProgressBar(Callback):
    """Callback that updates a progress bar with the epoch and the latest metrics.

    Ctrl-C ends the command; with ``keep_result``, it ends only the training, and the command continues.
    """

    only_observes = True
    every_epoch = False

    def __init__(self, progress: Progress, task: TaskID, every: int, *, keep_result: bool = False) -> None:
        self.progress = progress
        self.task = task
        self.every = max(every, 1)
        self.keep_result = keep_result
        self.due = 0

    def on_train_begin(self, training: RunningTraining) -> None:
        self.due = training.epoch
        if console.is_terminal:
            self.progress.start()
        self.progress.reset(self.task)
        self.progress.update(self.task, completed=training.epoch, visible=True)

    def on_epoch_end(self, training: RunningTraining) -> None:
        if training.epoch >= self.due or training.epoch + 1 == training.epochs:
            self.due = training.epoch + self.every
            self.progress.update(self.task, completed=training.epoch + 1, metrics=format_metrics(training))

    def on_train_end(self, training: RunningTraining) -> None:
        self.progress.update(self.task, visible=False)
        if training.history.stopped.startswith("interrupted") and not self.keep_result:
            raise KeyboardInterrupt


def format_metrics(training: RunningTraining) -> str:
    """Return the latest loss and validation metrics as text."""
    names = ("loss", "val_loss", "val_accuracy", "val_r2")
    history = training.history
    return "  ".join(f"{name} {history[name][-1]:.4g}" for name in names if name in history)


class EpochRate(TextColumn):
    """Column of a progress bar: epochs per second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: object) -> object:  # type: ignore[override]
        """Return the rate of one training as text."""
        speed = getattr(task, "finished_speed", None) or getattr(task, "speed", None) or 0.0
        digits = 0 if speed >= 10 else 1
        return "" if not speed or not math.isfinite(speed) else f"{speed:,.{digits}f} epochs/s"


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Context manager that displays progress bars and removes them at the end."""
    progress = Progress(*progress_columns(console.width), console=console, transient=True)
    try:
        yield progress  # a training starts the display: without one, nothing is printed
    finally:
        if progress.live.is_started:
            progress.stop()


def progress_columns(width: int) -> tuple[ProgressColumn, ...]:
    """Return the columns of a progress bar that fit into a terminal of this width: always the bar and the epoch."""
    fixed = BAR + EPOCH + 3  # blanks between columns
    epoch = TextColumn("{task.completed:>6,.0f}/{task.total:,.0f}", table_column=Column(no_wrap=True))
    name_width = 34 if width >= WIDE else max(min(20, width - fixed), 4)
    name = TextColumn("{task.description}", markup=False, table_column=shortened_column(name_width))
    metrics = TextColumn(
        "{task.fields[metrics]}", markup=False, table_column=shortened_column(width - fixed - name_width - 1)
    )
    if width < WIDE:
        return name, BarColumn(bar_width=BAR), epoch, *([metrics] if width > fixed + name_width + 8 else [])
    return name, BarColumn(bar_width=24), epoch, metrics, EpochRate(), TimeRemainingColumn()


def shortened_column(width: int) -> Column:
    """Return a table column of at most this width, which ends longer text with an ellipsis."""
    return Column(no_wrap=True, overflow="ellipsis", max_width=max(width, 1))


WIDE = 140  # the width of a terminal that all parts of a progress bar need
BAR, EPOCH = 12, 14  # the widths of a short bar and of the epoch


def figures_table(name: str, figures: Sequence[Figure]) -> Table:
    """Return the figures of one experiment as a table."""
    table = Table(title=name, title_justify="left", title_style="bold", box=None, padding=(0, 1), pad_edge=False)
    table.add_column("figure", overflow="fold")
    for head in ("published", "tutorial's code", "measured", ""):
        table.add_column(head, justify="right", no_wrap=True)
    for f in figures:
        style = {True: "green", False: "bold red", None: "dim"}[f.agrees]
        agreement = Text(show_agreement(f, "agrees*"), style)
        numbers = (show_number(value, f.digits) for value in (f.published, f.own_code, f.measured))
        table.add_row(f.name, *numbers, agreement)
    if any(f.agrees_with_code_alone for f in figures):
        table.caption = "* agrees with the result of the tutorial's code, which differs from the published figure"
        table.caption_justify = "left"
    return table


EPOCHS_SHOWN = 5  # as many as fit into 80 columns
PLACES = {
    "statement": "statements of the program",
    "data": "data",
    "settings": "settings of the network",
    "training": "training",
    "code": "your own code",
}


def museum_table() -> Table:
    """Return a table of all mistakes with their sources."""
    table = Table(box=None, padding=(0, 1), show_lines=False)
    table.add_column("mistake", style="bold", no_wrap=True)
    table.add_column("description", overflow="fold", ratio=3)
    table.add_column("source", overflow="fold", ratio=2, style="dim")
    place = ""
    for mistake in PIECES.values():
        if mistake.place != place:
            place = mistake.place
            table.add_row(Text(PLACES[place], "underline"), "", "")
        table.add_row(mistake.name, mistake.what, mistake.source)
    return table


def curves_table(exhibit: Exhibit) -> Table:
    """Return a table of the objective with and without the mistake at a few epochs, and the final scores."""
    runs = {"with the mistake": exhibit.wrong, "correct": exhibit.right}
    epochs = max(len(run.losses) for run in runs.values())
    shown = sorted({round(i * (epochs - 1) / max(EPOCHS_SHOWN - 1, 1)) for i in range(EPOCHS_SHOWN)})
    table = Table(box=None, padding=(0, 1))
    table.add_column("objective at epoch", no_wrap=True)
    for epoch in shown:
        table.add_column(f"{epoch:,}", justify="right")
    table.add_column("score", justify="right")
    for name, run in runs.items():
        numbers = [f"{run.losses[epoch]:.4g}" if epoch < len(run.losses) else "-" for epoch in shown]
        table.add_row(name, *numbers, f"{run.score:.3f}")
    return table
