"""An exhibit of the museum: a mistake, the wrong and the right lines, and a training with and without it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from workings import plots
from workings.support.atomic_files import writable_folder
from workings.support.notebook import Readable, preformatted_html
from workings.training.history import svg_of


class Shown(Protocol):
    """The texts of a mistake."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def mend(self) -> str: ...


class FinishedRun(Protocol):
    """A finished or diverged training."""

    @property
    def losses(self) -> list[float]:
        """The objective by epoch."""

    @property
    def score(self) -> float: ...


class Exhibit(Readable):
    """A mistake, trained next to the correct network.

    Attributes
    ----------
    mistake : Mistake or CodeMistake
        The mistake.
    room : str
        The data set.
    wrong, right : ExhibitRun or CodeRun
        The trainings with the mistake and without it.
    """

    mistake: Shown
    room: str
    wrong: FinishedRun
    right: FinishedRun
    heading = "Diagnosis"  # of the text of the check

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Pairs of the wrong line and the right line."""
        raise NotImplementedError

    @property
    def told(self) -> str:
        """The text of the check that finds the mistake."""
        raise NotImplementedError

    @property
    def found(self) -> str:
        """What the check finds, in short."""
        raise NotImplementedError

    @property
    def is_named(self) -> bool:
        """Whether the check identifies the mistake."""
        raise NotImplementedError

    def __str__(self) -> str:
        lines = [f"wrong  {wrong}\nright  {right}" for wrong, right in self.lines]
        scores = f"score  {self.wrong.score:.4f} with the mistake, {self.right.score:.4f} without it"
        return "\n".join([f"{self.mistake}", "", *lines, "", f"on {self.room}", scores, self.found])

    def _repr_html_(self) -> str:
        """The mistake, and both loss curves, for a notebook."""
        return preformatted_html(self) + svg_of({"with it": self.wrong.losses, "without": self.right.losses})

    def draw(self, folder: Path) -> Path:
        """Write a plot of both loss curves."""
        writable_folder(folder)
        columns = {"loss with the mistake": self.wrong.losses, "loss without it": self.right.losses}
        curves: dict[str, list[float | None]] = {name: [*values] for name, values in columns.items() if values}
        longest = max(map(len, curves.values()))
        curves = {name: values + [None] * (longest - len(values)) for name, values in curves.items()}
        is_log = all(value is None or value > 0 for values in curves.values() for value in values)
        axes = plots.curves(curves, log=is_log)
        axes.set_ylabel("objective")
        axes.set_title(f"{self.mistake.title}, on {self.room}", loc="left")
        return plots.save(axes, folder / f"{self.mistake.name}-{self.room}.png")
