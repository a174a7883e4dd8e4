"""The options of ``workings train`` as two objects: the table with its columns, and the network with its training.

The network comes from the recipe for tables (``workings/table_recipe.py``), or a plain one, which ``PLAIN_OPTIONS``
describe.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from workings.errors import InputError
from workings.table_recipe import CLASSIFICATION, REGRESSION, TableRecipe, first_number
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


PLAIN_OPTIONS = ("hidden", "activation", "loss", "optimizer", "lr", "batch_size", "l2", "dropout", "patience")
PLAIN_EPOCHS = 200


@dataclass(frozen=True)
class Plan:
    """Settings of a network and of its training on a table.

    With ``recipe``, the options in ``PLAIN_OPTIONS`` have no effect.  ``epochs`` and ``ensemble``, the number of
    networks, may be None, for the usual number.
    """

    hidden: str
    activation: str
    loss: str
    optimizer: str
    lr: float | None
    epochs: int | None
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
    recipe: bool = False
    time: float | None = None
    ensemble: int | None = None
    embed: str | None = None
    transform: str = "auto"

    def recipe_for(self, *, classification: bool) -> TableRecipe | None:
        """Return the recipe for tables with the plan's settings; None for a plain network."""
        if not self.recipe:
            return None
        usual = CLASSIFICATION if classification else REGRESSION
        epochs, networks = self.epochs, self.ensemble or usual.networks
        share = self.validation or 0.0  # of rows that score the mean of all networks, so none is trained on them
        return replace(
            usual,
            epochs=epochs,
            networks=networks,
            validation=share,
            own_validation=False,
            embed=self.embed,
            target=self.transform,
        )

    @property
    def rows_seed(self) -> int:
        """The seed with which the validation rows are drawn."""
        return first_number(np.random.RandomState(self.seed)) if self.recipe else self.seed

    @property
    def units(self) -> list[int]:
        """The number of units of each hidden layer."""
        try:
            return [int(part) for part in self.hidden.split(",")] if self.hidden.strip() else []
        except ValueError as error:
            raise InputError(
                f"--hidden takes whole numbers separated by commas, such as 32,16, not {self.hidden!r}."
            ) from error
