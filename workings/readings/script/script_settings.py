"""Settings of a script, validated before it is written.

They are the arguments of ``fit`` and the source of the rows: arrays in the script, an ``.npz`` file, or the
file of a table.
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
from workings.optimizers import Part
from workings.support.arrays import Array, as_features, describe
from workings.support.conversion import as_array
from workings.support.npz import read_npz
from workings.support.sparse import dense, is_sparse
from workings.tables.columns import Columns, columns_in
from workings.tables.plain_csv import read_columns
from workings.training.callbacks import Callback
from workings.training.class_weights import combined_weights
from workings.training.early_stopping import EarlyStopping
from workings.training.history import not_recorded
from workings.training.recipe import Recipe

if TYPE_CHECKING:
    from workings.model.model import Model

MOST_INLINE = 20_000  # numbers that are written into a script
TABLES = (".csv", ".tsv", ".txt")  # how the names of tables end


@dataclass(frozen=True)
class Held:
    """Rows of a table that are held out for validation, drawn with a separate seed, as ``workings train`` does.

    Attributes
    ----------
    rows : int
        The number of rows.
    seed : int
        The seed for drawing them.
    """

    rows: int
    seed: int


@dataclass(frozen=True, eq=False)
class ScriptSettings:
    """The validated settings of a script."""

    network: Model
    training: Recipe | None = None
    weights: str = "seed"
    data: Any = None
    data_file: str | None = None

    def __post_init__(self) -> None:
        if self.training is not None and not self.training.optimizer.takes_batches:
            raise InputError("SciPy computes the steps of L-BFGS, so a script with NumPy alone cannot use it.")
        if self.weights not in ("seed", "inline", "file") and not self.weights.endswith(".npz"):
            raise InputError(
                f'weights must be "seed", "inline", "file" or a path that ends in .npz, not {self.weights!r}.'
            )
        if self.network.n_in is None:
            raise InputError(
                "The number of columns of X is unknown: pass data=(X, y) or an existing .npz file, or call fit first."
            )
        if self.weights == "seed" and self.training is not None and self.network.rng_made is None:
            raise InputError('The network has no seed, or was loaded from a file: use weights="inline".')
        if self.training is not None:
            self.check_training()

    @property
    def recipe(self) -> Recipe:
        """The settings of the training that the script is to write."""
        assert self.training is not None
        return self.training

    @property
    def optimizer(self) -> Part | None:
        """The optimizer; None for a script that only predicts."""
        return None if self.training is None else self.training.optimizer  # type: ignore[return-value]

    def check_training(self) -> None:
        """Raise for settings that ``fit`` or scripts do not support."""
        self.check_table()
        self.check_validation()
        self.check_class_weight()
        known = ["loss", *self.measures]
        monitor = self.recipe.optimizer.monitor
        if monitor is not None and monitor not in known:
            raise not_recorded("OnPlateau", monitor, known)
        early = self.early
        if early is not None and early.monitor not in known:
            raise not_recorded("EarlyStopping", str(early.monitor), known)
        if early is not None and early.higher_is_better is None:
            raise InputError(f"Is a higher or a lower {early.monitor} better? Set higher_is_better=True or False.")

    # -- where the rows come from --------------------------------------------------------------

    @property
    def path(self) -> str | None:
        """The file from which the script reads its rows; None if it contains them."""
        if isinstance(self.data, (str, Path)):
            return str(self.data)
        if self.data is not None:
            return self.data_file
        return "data.npz" if self.network.preprocessing is None else "data.csv"

    @property
    def is_table(self) -> bool:
        """Whether the rows come from a table's file."""
        is_file = self.data is None or isinstance(self.data, (str, Path))
        return is_file and Path(self.path or "").suffix.lower() in (*TABLES, ".parquet")

    @property
    def columns(self) -> Columns | None:
        """The table's columns, if the script uses them for training or prediction."""
        if self.optimizer is not None and not self.is_table:
            return None
        return columns_in(self.network.preprocessing)

    def check_table(self) -> None:
        """Raise for a table that a script cannot read, or that does not fit the network."""
        if not self.is_table:
            return
        if self.columns is None:
            raise InputError(
                f"{self.path} is a table, but the network was not trained on one. "
                "Pass data=(X, y), or set network.preprocessing to the result of Preprocessing.to_dict()."
            )
        if Path(self.path or "").suffix.lower() == ".parquet":
            raise InputError(f"A script with NumPy alone cannot read {self.path}: write the table as CSV.")
        wanted = [column.source for column in self.columns.columns] + [self.columns.target]
        absent = [name for name in wanted if self.table is not None and name not in self.table]
        if absent:
            raise InputError(f"{self.path} has no column {', '.join(map(repr, absent))}, which the network needs.")

    @functools.cached_property
    def table(self) -> Mapping[str, Sequence[object]] | None:
        """The columns of the table's file as text; None if the file does not exist."""
        return read_columns(self.path or "", ()) if self.is_table and Path(self.path or "").exists() else None

    @functools.cached_property
    def arrays(self) -> tuple[Array, Array] | None:
        """X and y; None if they are not available yet."""
        if self.is_table:
            return None
        found = arrays_of(self.data)
        if found is None:
            return None
        X, y = found
        features, _, _ = copy.deepcopy(self.network).prepare(X, y)  # validates as fit does
        return dense(features), y

    @property
    def targets(self) -> Targets:
        """The network's targets, with their labels if known."""
        targets, stored = self.network.targets, self.network.preprocessing
        if self.arrays is not None:
            return targets.learn(self.arrays[1])
        if targets.classes is None and self.is_table and targets.has_labels and stored is not None:
            return targets.learn(np.array(stored["target"].get("classes", ())))
        return targets

    # -- validation and weights -------------------------------------------------------------------

    def check_validation(self) -> None:
        """Raise for an invalid validation setting."""
        given = self.recipe.validation
        if given is None or isinstance(given, tuple):
            return
        if isinstance(given, Held) and not self.is_table:
            raise InputError("Held rows are only for tables: use (X_val, y_val) or a share of the rows.")
        is_share = isinstance(given, float) and 0 < given < 1
        if not (is_share or isinstance(given, Held)):
            what = "(X, y), a share between 0 and 1, or Held rows of a table"
            raise InputError(f"validation must be {what}, not {describe(given)}.")
        rows = self.n_used if is_share else self.n_given
        if rows is not None and not 0 < (self.n_held or 0) < rows:
            raise InputError(f"validation={given!r} of {rows} rows leaves {self.n_held} for validation.")

    def check_class_weight(self) -> None:
        """Raise for class weights that ``fit`` does not accept."""
        targets = self.targets
        if self.recipe.class_weight is None or (targets.has_labels and targets.classes is None):
            return
        one_of_each = np.empty((0, 1)) if targets.classes is None else targets.encode(targets.classes, float)
        combined_weights(None, self.recipe.class_weight, one_of_each, targets)

    @functools.cached_property
    def validation_arrays(self) -> tuple[Array, Array] | None:
        """X and y for validation, if given as arrays."""
        if not isinstance(self.recipe.validation, tuple):
            return None
        X, y = both(self.recipe.validation)
        features = as_features(X, self.network.dtype, self.network.n_in, "validation X")
        self.targets.encode(y, self.network.dtype)  # validates as fit does
        return dense(features), y

    @functools.cached_property
    def row_weights(self) -> Array | None:
        """The sample weights as a column, if given."""
        if self.recipe.sample_weight is None:
            return None
        rows = np.empty((np.size(self.recipe.sample_weight), 0)) if self.arrays is None else self.arrays[0]
        return as_weights(self.recipe.sample_weight, rows, self.network.dtype)

    @property
    def is_weighted(self) -> bool:
        """Whether there are sample weights or class weights."""
        return self.recipe.sample_weight is not None or self.recipe.class_weight is not None

    @property
    def leaves_out(self) -> bool:
        """Whether rows may have weight 0, which training leaves out."""
        by_label = self.recipe.class_weight if isinstance(self.recipe.class_weight, Mapping) else {}
        return 0 in by_label.values() or (self.row_weights is not None and not self.row_weights.all())

    @property
    def n_given(self) -> int | None:
        """The number of rows; None if unknown."""
        if self.table is not None:
            return len(next(iter(self.table.values())))
        return None if self.arrays is None else len(self.arrays[0])

    @property
    def n_held(self) -> int | None:
        """The number of validation rows; None if unknown."""
        if isinstance(self.recipe.validation, Held):
            return self.recipe.validation.rows
        if isinstance(self.recipe.validation, float):
            return None if self.n_used is None else round(self.n_used * self.recipe.validation)
        return 0 if self.validation_arrays is None else len(self.validation_arrays[0])

    @property
    def n_rows(self) -> int | None:
        """The number of training rows; None if unknown."""
        is_split = isinstance(self.recipe.validation, (float, Held))
        return None if self.n_used is None else self.n_used - ((self.n_held or 0) if is_split else 0)

    @functools.cached_property
    def n_used(self) -> int | None:
        """The number of rows with nonzero weight, for training and validation; None if unknown."""
        if not self.leaves_out or self.n_given is None:
            return self.n_given
        if self.arrays is None:
            raise InputError("The rows of weight 0 are only known when the script runs: remove them from the data.")
        y = self.targets.encode(self.arrays[1], self.network.dtype)
        w = combined_weights(self.row_weights, self.recipe.class_weight, y, self.targets)
        return len(y) if w is None else int(np.count_nonzero(w))

    # -- training ---------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether each step uses all rows."""
        size, rows = self.recipe.batch_size, self.n_rows
        return size is None or (rows is not None and rows <= size)

    @property
    def is_random(self) -> bool:
        """Whether training draws random numbers."""
        is_split = isinstance(self.recipe.validation, float)
        is_shuffled = self.recipe.shuffle and not self.is_full
        return is_split or is_shuffled or any(layer.draws for layer in self.network.layers)

    @functools.cached_property
    def chosen_metrics(self) -> Mapping[str, Metric]:
        """The metrics by name."""
        return self.recipe.chosen_metrics

    @property
    def validation_metrics(self) -> Mapping[str, Metric]:
        """The metrics on the validation rows, besides the loss."""
        if self.recipe.validation is None:
            return {}
        usual = self.network.targets.metric
        return {usual: METRICS[usual], **self.chosen_metrics}

    @property
    def measures(self) -> tuple[str, ...]:
        """The columns of the history, besides the loss and the learning rate."""
        held = ["val_loss"] if self.recipe.validation is not None else []
        return (*self.chosen_metrics, *held, *(f"val_{name}" for name in self.validation_metrics))

    @functools.cached_property
    def early(self) -> EarlyStopping | None:
        """The EarlyStopping callback; other callbacks that act on the training raise an error."""
        found = [c for c in self.recipe.callbacks if not has_no_effect_on_training(c)]
        for callback in found:
            if type(callback) is not EarlyStopping or not isinstance(callback.monitor, str):
                raise InputError(
                    f"A script does not support {type(callback).__name__}. Of the callbacks that change the training, "
                    "it supports EarlyStopping that monitors a column of the history."
                )
        if len(found) > 1:
            raise InputError("A script supports only one EarlyStopping; remove the others.")
        return found[0] if found else None  # type: ignore[return-value]


def has_no_effect_on_training(callback: Callback) -> bool:
    """Return whether a callback does not change the training."""
    return callback.only_observes or not (callback.every_epoch or callback.looks_back)


def arrays_of(data: object) -> tuple[Array, Array] | None:
    """Return X and y of ``data``, from its file if it is one; None for a table, and if there is no file yet.

    Raises
    ------
    FileError
        For a file that is not an ``.npz`` file with X and y.
    """
    if data is None or (isinstance(data, (str, Path)) and Path(data).suffix.lower() in (*TABLES, ".parquet")):
        return None
    if not isinstance(data, (str, Path)):
        return both(data)
    if not Path(data).exists():
        return None
    return read_npz(Path(data))


def both(data: object) -> tuple[Array, Array]:
    """Return X and y of ``data=(X, y)`` as arrays."""
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise InputError(f"data must be (X, y) or the path of an .npz file, not {describe(data)}.")
    X, y = data
    return X.toarray() if is_sparse(X) else as_array(X, "X"), as_array(y, "y")
