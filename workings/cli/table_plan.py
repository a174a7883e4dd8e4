"""The options of ``workings train`` as two objects: the table with its columns, and the network with its training."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from workings.errors import InputError
from workings.tables.files import TextOptions
from workings.tables.screening import ColumnChoices


@dataclass(frozen=True)
class TableSource:
    """A table's file, its target, and how its text and columns are read."""

    file: Path
    target: str
    task: str = "auto"
    choices: ColumnChoices = field(default_factory=ColumnChoices)
    reading: TextOptions = field(default_factory=TextOptions)

    def options(self) -> list[str]:
        """Return the command line's words for everything but the file and the target."""
        words = [] if self.task == "auto" else ["--task", self.task]
        missing = self.choices.missing
        words += {"indicate": [], "fill": ["--impute"]}.get(missing, ["--missing", missing])
        words += ["--drop", ",".join(self.choices.drop)] if self.choices.drop else []
        words += ["--use", ",".join(self.choices.use)] if self.choices.use else []
        most = self.choices.max_categories
        words += [] if most is None else ["--max-categories", str(most)]
        words += [] if self.choices.dates is None else ["--dates", self.choices.dates]
        return [*words, *reading_options(self.reading)]


def reading_options(reading: TextOptions) -> list[str]:
    """Return the command line's words for how a table's file is read.

    >>> reading_options(TextOptions(decimal=","))
    ['--decimal', ',']
    """
    return [word for name, value in asdict(reading).items() if value is not None for word in (f"--{name}", value)]


@dataclass(frozen=True)
class Plan:
    """Settings of a network and of its training on a table."""

    hidden: str
    activation: str
    loss: str
    optimizer: str
    lr: float | None
    epochs: int
    batch_size: int | None
    validation: float | None
    patience: int
    l2: float
    dropout: float
    balanced: bool
    seed: int
    engine: str
    test: float = 0.0
    group: str | None = None
    time_order: str | None = None
    folds: int = 0

    @property
    def units(self) -> list[int]:
        """The number of units of each hidden layer."""
        try:
            return [int(part) for part in self.hidden.split(",") if part.strip()]
        except ValueError as error:
            raise InputError(
                f"--hidden takes whole numbers separated by commas, such as 32,16, not {self.hidden!r}."
            ) from error
