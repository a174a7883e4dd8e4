"""Settings: what a script is to do, checked before a line of it is written.

They are the arguments of ``fit``, and where the rows come from: arrays that stand in the script, an ``.npz`` file, or
for a network that belongs to a table, the table's own file.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workings.errors import InputError
from workings.metrics import METRICS, Metric
from workings.model.model import as_weights
from workings.model.targets import Targets
from workings.optimizers import LBFGS, Part, checked_optimizer
from workings.schedules import OnPlateau
from workings.support.arrays import Array, as_features, describe
from workings.support.sparse import dense
from workings.tables.columns import Columns, columns_in
from workings.tables.plain_csv import read_columns
from workings.training.callbacks import Callback, EarlyStopping
from workings.training.history import not_recorded
from workings.training.training import checked_callbacks, chosen_metrics, combined_weights

if TYPE_CHECKING:
    from workings.model.model import Model

MOST_INLINE = 20_000  # numbers that are written into a script
TABLES = (".csv", ".tsv", ".txt")  # how the names of tables end


@dataclass(frozen=True)
class Held:
    """So many rows of a table, drawn by a seed of their own, that are kept for validation, as ``workings train`` does.

    Attributes
    ----------
    rows : int
        How many.
    seed : int
        From which they are drawn.
    """

    rows: int
    seed: int


@dataclass(frozen=True, eq=False)
class Settings:
    """What a script is to do, checked."""

    network: Model
    optimizer: Part | None = None
    epochs: int = 100
    batch_size: int | None = 32
    shuffle: bool = True
    weights: str = "seed"
    data: Any = None
    data_file: str | None = None
    validation: Any = None
    sample_weight: Any = None
    class_weight: Any = None
    metrics: Any = ()
    callbacks: Any = ()
    running_loss: bool = False

    def __post_init__(self) -> None:
        if self.optimizer is not None and isinstance(checked_optimizer(self.optimizer), LBFGS):
            raise InputError("SciPy makes the steps of L-BFGS: no script with NumPy alone can do that.")
        for name, value in (("epochs", self.epochs), ("batch_size", self.batch_size)):
            is_whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            if not is_whole and not (name == "batch_size" and value is None):
                raise InputError(f"{name} must be a whole number from 1, not {describe(value)}.")
        if self.weights not in ("seed", "inline", "file") and not self.weights.endswith(".npz"):
            raise InputError(f'weights is "seed", "inline", "file" or a path that ends in .npz, not {self.weights!r}.')
        if self.network.n_in is None:
            raise InputError("The network does not know how many columns X has: give data=(X, y), or call fit first.")
        if self.weights == "seed" and self.optimizer is not None and self.network.rng_made is None:
            raise InputError('The network has no seed, or comes from a file: use weights="inline".')
        if self.optimizer is not None:
            self.check_training()

    def check_training(self) -> None:
        """Refuse what ``fit`` would refuse, and what no script can tell."""
        self.check_table()
        self.check_validation()
        self.check_class_weight()
        known = ["loss", *self.measures]
        schedule: Any = self.optimizer.schedule  # type: ignore[union-attr]
        if isinstance(schedule, OnPlateau) and schedule.monitor not in known:
            raise not_recorded("OnPlateau", schedule.monitor, known)
        early = self.early
        if early is not None and early.monitor not in known:
            raise not_recorded("EarlyStopping", str(early.monitor), known)
        if early is not None and early.higher_is_better is None:
            raise InputError(f"Is a higher {early.monitor} better, or a lower one? Say higher_is_better=True or False.")

    # -- where the rows come from --------------------------------------------------------------

    @property
    def path(self) -> str | None:
        """The file that the script reads its rows from; None if they stand in it."""
        if isinstance(self.data, (str, Path)):
            return str(self.data)
        if self.data is not None:
            return self.data_file
        return "data.npz" if self.network.preprocessing is None else "data.csv"

    @property
    def is_table(self) -> bool:
        """Whether the rows come from a table with its own columns."""
        is_file = self.data is None or isinstance(self.data, (str, Path))
        return is_file and Path(self.path or "").suffix.lower() in (*TABLES, ".parquet")

    @property
    def columns(self) -> Columns | None:
        """The table's columns, where the script takes them: to train, or to predict."""
        if self.optimizer is not None and not self.is_table:
            return None
        return columns_in(self.network.preprocessing)

    def check_table(self) -> None:
        """Refuse a table that a script cannot read, or that the network does not know."""
        if not self.is_table:
            return
        if self.columns is None:
            raise InputError(
                f"{self.path} is a table, but the network was not trained on one: its columns have no meaning. "
                "Give data=(X, y), or set network.preprocessing to what Preprocessing.to_dict() gives."
            )
        if Path(self.path or "").suffix.lower() == ".parquet":
            raise InputError(f"A script with NumPy alone cannot read {self.path}: write the table as CSV.")
        wanted = [column.name for column in self.columns.columns] + [self.columns.target]
        absent = [name for name in wanted if self.table is not None and name not in self.table]
        if absent:
            raise InputError(f"{self.path} has no column {', '.join(map(repr, absent))}, which the network needs.")

    @functools.cached_property
    def table(self) -> Mapping[str, Sequence[Any]] | None:
        """The table's columns as they stand in the file, if it is there."""
        return read_columns(self.path or "", ()) if self.is_table and Path(self.path or "").exists() else None

    @functools.cached_property
    def arrays(self) -> tuple[Array, Array] | None:
        """X and y, where they are at hand."""
        if self.is_table:
            return None
        if isinstance(self.data, (str, Path)) or self.data is None:
            if not Path(self.path or "").exists() or self.data is None:
                return None
            with np.load(self.data) as file:
                X, y = file["X"], file["y"]
        else:
            X, y = both(self.data)
        features, _, _ = copy.deepcopy(self.network).prepare(X, y)  # refuses what fit refuses
        return dense(features), y

    @property
    def targets(self) -> Targets:
        """The network's targets, with their labels where those are known."""
        targets, stored = self.network.targets, self.network.preprocessing
        if self.arrays is not None:
            return targets.learn(self.arrays[1])
        if targets.classes is None and self.is_table and targets.has_labels and stored is not None:
            return targets.learn(np.array(stored["target"].get("classes", ())))
        return targets

    # -- the rows that count -------------------------------------------------------------------

    def check_validation(self) -> None:
        """Refuse shares and rows that cannot be used."""
        given = self.validation
        if given is None or isinstance(given, tuple):
            return
        if isinstance(given, Held) and not self.is_table:
            raise InputError("Held rows are those of a table: give (X_val, y_val) or a share of the rows.")
        is_share = isinstance(given, float) and 0 < given < 1
        if not (is_share or isinstance(given, Held)):
            what = "(X, y), a share between 0 and 1, or Held rows of a table"
            raise InputError(f"validation is {what}, not {describe(given)}.")
        if self.n_given is not None and not 0 < (self.n_held or 0) < self.n_given:
            raise InputError(f"validation={given!r} of {self.n_given} rows leaves {self.n_held} to validate on.")

    def check_class_weight(self) -> None:
        """Refuse what ``fit`` would refuse, with a row of each class."""
        targets = self.targets
        if self.class_weight is None or (targets.has_labels and targets.classes is None):
            return
        one_of_each = np.empty((0, 1)) if targets.classes is None else targets.encode(targets.classes, float)
        combined_weights(None, self.class_weight, one_of_each, targets)

    @functools.cached_property
    def validation_arrays(self) -> tuple[Array, Array] | None:
        """X and y to validate on, where they are given."""
        if not isinstance(self.validation, tuple):
            return None
        X, y = both(self.validation)
        features = as_features(X, self.network.dtype, self.network.n_in, "validation X")
        self.targets.encode(y, self.network.dtype)  # refuses what fit refuses
        return dense(features), y

    @functools.cached_property
    def row_weights(self) -> Array | None:
        """The sample weights as a column, where they are given."""
        if self.sample_weight is None:
            return None
        rows = np.empty((np.size(self.sample_weight), 0)) if self.arrays is None else self.arrays[0]
        return as_weights(self.sample_weight, rows, self.network.dtype)

    @property
    def is_weighted(self) -> bool:
        """Whether rows or labels have weights."""
        return self.sample_weight is not None or self.class_weight is not None

    @property
    def leaves_out(self) -> bool:
        """Whether some rows may have weight 0, which do not count."""
        by_label = self.class_weight if isinstance(self.class_weight, Mapping) else {}
        return 0 in by_label.values() or (self.row_weights is not None and not self.row_weights.all())

    @property
    def n_given(self) -> int | None:
        """How many rows there are, if that is known."""
        if self.table is not None:
            return len(next(iter(self.table.values())))
        return None if self.arrays is None else len(self.arrays[0])

    @property
    def n_held(self) -> int | None:
        """How many rows there are to validate on, if that is known."""
        if isinstance(self.validation, Held):
            return self.validation.rows
        if isinstance(self.validation, float):
            return None if self.n_given is None else round(self.n_given * self.validation)
        return 0 if self.validation_arrays is None else len(self.validation_arrays[0])

    @property
    def n_rows(self) -> int | None:
        """At most how many rows there are to learn from, if that is known."""
        is_split = isinstance(self.validation, (float, Held))
        return None if self.n_given is None else self.n_given - ((self.n_held or 0) if is_split else 0)

    @functools.cached_property
    def n_counted(self) -> int | None:
        """How many of them have a weight other than 0, if that is known."""
        if not self.leaves_out or self.n_given is None:
            return self.n_rows
        if self.arrays is None or isinstance(self.validation, float):
            raise InputError("Which rows have weight 0 is only known when the script runs: leave them out of the data.")
        y = self.targets.encode(self.arrays[1], self.network.dtype)
        w = combined_weights(self.row_weights, self.class_weight, y, self.targets)
        return len(y) if w is None else int(np.count_nonzero(w))

    # -- how it is trained ---------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether each step takes all rows."""
        return self.batch_size is None or (self.n_counted is not None and self.n_counted <= self.batch_size)

    @property
    def is_random(self) -> bool:
        """Whether anything is drawn while the network learns."""
        is_split = isinstance(self.validation, float)
        return is_split or (self.shuffle and not self.is_full) or any(layer.draws for layer in self.network.layers)

    @functools.cached_property
    def chosen_metrics(self) -> Mapping[str, Metric]:
        """The metrics by name."""
        return chosen_metrics(self.metrics)

    @property
    def validation_metrics(self) -> Mapping[str, Metric]:
        """What is measured on the validation rows beside the loss."""
        if self.validation is None:
            return {}
        usual = "accuracy" if self.network.loss.target in ("classes", "labels") else "r2"
        return {usual: METRICS[usual], **self.chosen_metrics}

    @property
    def measures(self) -> tuple[str, ...]:
        """The columns of the history beside the loss and the rate."""
        held = ["val_loss"] if self.validation is not None else []
        return (*self.chosen_metrics, *held, *(f"val_{name}" for name in self.validation_metrics))

    @functools.cached_property
    def early(self) -> EarlyStopping | None:
        """What may end the training early; other callbacks only look on, or are refused."""
        found = [c for c in checked_callbacks(self.callbacks) if not only_looks_on(c)]
        for callback in found:
            if type(callback) is not EarlyStopping or not isinstance(callback.monitor, str):
                raise InputError(
                    f"What {type(callback).__name__} does cannot be told in a script: of the callbacks that act, "
                    "EarlyStopping with the name of a column of the history can."
                )
        if len(found) > 1:
            raise InputError("A script follows one EarlyStopping; leave the other one out.")
        return found[0] if found else None  # type: ignore[return-value]


def only_looks_on(callback: Callback) -> bool:
    """Return whether a callback leaves the training as it is."""
    return callback.only_observes or not (callback.every_epoch or callback.looks_back)


def both(data: Any) -> tuple[Array, Array]:
    """X and y of ``data=(X, y)``."""
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise InputError(f"data is (X, y) or the path of an .npz file, not {describe(data)}.")
    return np.asarray(data[0]), np.asarray(data[1])
