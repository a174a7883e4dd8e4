"""Training on a table: its rows, its network, the settings of ``fit``, and the summary of the result."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workings.activations import activation_named
from workings.cli.table_plan import PLAIN_EPOCHS, Plan, TableSource
from workings.cli.table_splits import RowKinds, Split, named_column, row_kinds, split_rows
from workings.ensemble import Ensemble
from workings.errors import InputError, WorkingsWarning
from workings.layers import Dense, Dropout, Exp, Interpolation, Layer
from workings.losses import Loss, loss_named
from workings.metrics import accuracy, mean_absolute_error, r2
from workings.network import Network
from workings.optimizers import optimizer_named
from workings.readings.script.script_settings import Held
from workings.regularizers import L2
from workings.support.arrays import Array
from workings.table_recipe import Draw, TableFit, TableRecipe, one_network, train_together
from workings.tables import Preprocessing, marks_as_gaps, read_table
from workings.tables.scaling import ROBUST, STANDARD
from workings.tables.target_column import NumberTarget
from workings.tables.wording import reading_notes
from workings.training.callbacks import Callback
from workings.training.early_stopping import EarlyStopping
from workings.training.history import History
from workings.training.recipe import Recipe

if TYPE_CHECKING:
    import polars as pl

Rows = tuple[Array, Array]


@contextmanager
def without_raw_warning() -> Iterator[None]:
    """Leave out the warning that rows look like a table's own numbers: these commands encode the rows themselves."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X looks like a table's own numbers", WorkingsWarning)
        yield


@dataclass(frozen=True)
class TrainedOnTable:
    """A network trained on a table, with its training, validation and test rows.

    Of several networks, ``network`` is the one that they are merged into, and ``history`` is the first one's.
    """

    network: Network
    preprocessing: Preprocessing
    history: History
    training: tuple[Array, Array]
    validation: tuple[Array, Array]
    test: tuple[Array, Array]
    frame: pl.DataFrame
    split: Split
    networks: int = 1
    is_recipe: bool = False

    @property
    def errors(self) -> Array | None:
        """The errors on the validation rows, in the target's unit; none for classes."""
        X, y = self.validation
        if self.preprocessing.classes or not len(X):
            return None
        undo = self.preprocessing.untransform_target
        found: Array = undo(y) - undo(self.network.predict(X))
        return found

    @property
    def held_out(self) -> tuple[str, tuple[Array, Array], Array]:
        """The rows to score the network with: the test rows, or else the validation rows; their name and indices."""
        if len(self.split.test):
            return "test", self.test, self.split.test
        return "validation", self.validation, self.split.validation

    @property
    def summary(self) -> str:
        """The columns, the layers, why the training ended, and the scores."""
        return "\n".join(summary_lines(self))


@dataclass(frozen=True)
class TableTraining:
    """A network or several to train on the same rows of a table, with the encoded rows and their split."""

    fits: tuple[TableFit, ...]
    preprocessing: Preprocessing
    rows: tuple[Array, Array]
    frame: pl.DataFrame
    split: Split
    is_recipe: bool = False

    @property
    def network(self) -> Network:
        """The first network."""
        return self.fits[0].network

    @property
    def recipe(self) -> Recipe:
        """The settings of the training, without the validation rows."""
        return self.fits[0].recipe

    @property
    def training(self) -> Rows:
        """The training rows."""
        return self.taken(self.split.training)

    @property
    def validation(self) -> Rows:
        """The validation rows."""
        return self.taken(self.split.validation)

    @property
    def test(self) -> Rows:
        """The test rows."""
        return self.taken(self.split.test)

    def taken(self, rows: Array) -> Rows:
        """Return some rows."""
        X, y = self.rows
        return X[rows], y[rows]

    def train(self, progress: Callable[[int], Callback], engine: str) -> TrainedOnTable:
        """Train the networks; ``progress(epochs)`` returns a callback that shows the progress of one."""
        shown = [[progress(fit.recipe.epochs)] for fit in self.fits]
        if self.is_recipe:
            (history, *_) = train_together(self.fits, engine, shown.__getitem__)
        else:
            history = self.fits[0].run(engine, shown[0])
        rows = (self.training, self.validation, self.test)
        return TrainedOnTable(
            one_network(self.fits), self.preprocessing, history, *rows, self.frame, self.split,
            len(self.fits), self.is_recipe,
        )  # fmt: skip

    def script(self, file: Path, seed: int) -> str:
        """Return the training as a script that reads the table; see :func:`workings.readings.script.script`."""
        validation = Held(len(self.validation[0]), seed) if len(self.validation[0]) else None
        if self.fits[0].transform is not None:
            raise InputError(
                "--script writes a training on the standardized target, and this one is on its logarithm or its "
                "quantiles: add --transform none."
            )
        return self.network.script(data=file, validation=validation, **self.recipe.arguments())


@dataclass(frozen=True)
class LoadedTable:
    """A table with the encoding of its columns, and the columns that a split of its rows respects."""

    frame: pl.DataFrame
    whole: Preprocessing
    kinds: RowKinds

    def training_on(self, split: Split, plan: Plan) -> TableTraining:
        """Create the networks for a split of the rows; test rows contribute only their categories and gaps.

        Numbers are scaled by the training rows of a plain network; by the training and validation rows for the recipe.
        """
        recipe = plan.recipe_for(classification=bool(self.whole.classes))
        scaled_by = split.training if recipe is None else split.known
        preprocessing = self.whole.standardized_on(self.frame[scaled_by])
        if recipe is not None:
            recipe, preprocessing = self.for_target(recipe, preprocessing, split)
        rows = preprocessing.transform(self.frame), preprocessing.targets(self.frame)
        fits = (
            (plain_fit(plan, preprocessing, rows, split),)
            if recipe is None
            else recipe_fits(recipe, plan, preprocessing, rows, split)
        )
        for fit in fits:
            fit.network.preprocessing = preprocessing.to_dict()
        return TableTraining(fits, preprocessing, rows, self.frame, split, recipe is not None)

    def for_target(
        self, recipe: TableRecipe, preprocessing: Preprocessing, split: Split
    ) -> tuple[TableRecipe, Preprocessing]:
        """Return the recipe for the target, and the preprocessing with the target's scale for it."""
        target = preprocessing.target
        if not isinstance(target, NumberTarget):
            return recipe, preprocessing
        y = preprocessing.untransform_target(preprocessing.targets(self.frame[split.known]))
        found, (mean, std) = recipe.for_target(y)
        if found.target != "log":
            return found, preprocessing
        return found, replace(preprocessing, target=replace(target, mean=mean, std=std))

    def within_time(self, split: Split, plan: Plan) -> Plan:
        """Return the plan with as many epochs as its time allows; it trains a network to measure."""
        recipe = plan.recipe_for(classification=bool(self.whole.classes))
        if plan.time is None or recipe is None:
            return plan
        preprocessing = self.whole.standardized_on(self.frame[split.known])
        recipe, preprocessing = self.for_target(recipe, preprocessing, split)
        X, y = preprocessing.transform(self.frame)[split.known], preprocessing.targets(self.frame)[split.known]
        recipe = recipe.for_columns(preprocessing.table_columns)
        found = recipe.within(plan.time, X, y, classes_of(preprocessing), plan.engine, fits=plan.folds + 1)
        return replace(plan, epochs=found.epochs, time=None)


def classes_of(preprocessing: Preprocessing) -> Array | None:
    """Return the classes as an array; None for regression."""
    return np.array(preprocessing.classes) if preprocessing.classes else None


def recipe_fits(
    recipe: TableRecipe, plan: Plan, preprocessing: Preprocessing, rows: Rows, split: Split
) -> tuple[TableFit, ...]:
    """Return the networks of the recipe for tables, and how they are trained."""
    X, y = rows[0][split.known], rows[1][split.known]
    weight = "balanced" if plan.balanced and preprocessing.classes else None
    recipe = recipe.for_columns(preprocessing.table_columns)
    draws = [Draw(split.held_out, seed) for seed in split.seeds]
    return tuple(recipe.fit_of(X, y, draw, classes=classes_of(preprocessing), class_weight=weight) for draw in draws)


def plain_fit(plan: Plan, preprocessing: Preprocessing, rows: Rows, split: Split) -> TableFit:
    """Return the plain network that the plan describes, and how it is trained."""
    X, y = rows
    validation = (X[split.validation], y[split.validation]) if len(split.validation) else None
    recipe = plain_recipe(plan, balanced=plan.balanced and bool(preprocessing.classes))
    training = X[split.training], y[split.training]
    return TableFit(make_network(plan, preprocessing), training, validation, recipe)


def load_table(source: TableSource, plan: Plan) -> LoadedTable:
    """Read a table and learn the encoding of its columns; the column of groups is no feature."""
    choices, reading = source.choices, source.reading
    given = read_table(source.file, **asdict(reading))
    frame = marks_as_gaps(given, source.target) if choices.missing == "fill" else given
    named = () if plan.group in (None, source.target, *choices.use, *choices.drop) else (plan.group,)
    if plan.group is not None:
        named_column(frame, "--group", plan.group, source.target)
    choices = replace(choices, drop=(*choices.drop, *named), scaling=ROBUST if plan.recipe else STANDARD)
    whole = Preprocessing.learn(frame, source.target, task=source.task, decimal=reading.decimal, **asdict(choices))
    notes = [f"{name}: left out, because --group keeps its rows together; `--use {name}` takes it" for name in named]
    whole = replace(whole, notes=(*notes, *whole.notes))
    labels = whole.targets(frame) if whole.classes else None
    return LoadedTable(frame, whole, row_kinds(frame, plan, labels, source.target, choices.dates))


def prepare(source: TableSource, plan: Plan) -> TableTraining:
    """Read a table and create the networks for it."""
    table = load_table(source, plan)
    split = split_rows(table.kinds, plan)
    return table.training_on(split, table.within_time(split, plan))


def plain_recipe(plan: Plan, *, balanced: bool) -> Recipe:
    """Return the settings of the training of a plain network, without the validation rows."""
    optimizer = optimizer_named(plan.optimizer, plan.lr)
    return Recipe(
        optimizer,
        plan.epochs or PLAIN_EPOCHS,
        plan.batch_size if optimizer.takes_batches else None,
        callbacks=[EarlyStopping("val_loss", patience=plan.patience)] if plan.validation else [],
        class_weight="balanced" if balanced else None,
    )


def make_network(plan: Plan, preprocessing: Preprocessing) -> Network:
    """Create the network of a plan, with the number of outputs that the target needs."""
    loss = choose_loss(plan.loss, preprocessing)
    activation_named(plan.activation)
    layers: list[Layer] = []
    for units in plan.units:
        layers.append(Dense(units, plan.activation))
        layers += [Dropout(plan.dropout)] if plan.dropout else []
    outputs = len(preprocessing.classes) if loss.is_multiclass else 1
    network = Network(
        [*layers, Dense(outputs)],
        loss=loss,
        regularizer=L2(plan.l2) if plan.l2 else None,
        seed=plan.seed,
        n_in=preprocessing.n_features,
    )
    if preprocessing.classes:  # of the whole table: a rare class may occur only in the validation rows
        network.set_classes(np.array(preprocessing.classes))
    return network


def choose_loss(name: str, preprocessing: Preprocessing) -> Loss:
    """Return the loss that ``--loss`` names, or raise an error if it does not suit the target."""
    classification = preprocessing.task == "classification"
    loss = loss_named(("CrossEntropy" if classification else "SquaredError") if name == "auto" else name)
    if classification != loss.is_classification:
        kind = "classification" if classification else "regression"
        suitable = "CrossEntropy" if classification else "SquaredError, AbsoluteError or Huber"
        raise InputError(f"--loss {name} does not suit {kind}: choose {suitable}.")
    if loss.is_classification and not loss.is_multiclass and len(preprocessing.classes) != 2:
        raise InputError(
            f"--loss {name} is for two classes; the target has {len(preprocessing.classes)}: use CrossEntropy."
        )
    if loss.takes_counts:
        raise InputError(
            "--loss Poisson is not available for tables, because their targets are standardized: use SquaredError."
        )
    return loss


def summary_lines(trained: TrainedOnTable) -> list[str]:
    """Return the lines of a training's summary."""
    network, preprocessing, history = trained.network, trained.preprocessing, trained.history
    lines = [
        preprocessing.reason,
        preprocessing.describe(),
        *reading_notes(preprocessing.table_columns),
        *preprocessing.notes,
        "",
        *recipe_lines(trained),
        network.summary(),
        "",
        f"training ended: {history.stopped}",
    ]
    parts = {"training": trained.training, "validation": trained.validation, "test": trained.test}
    for name, (X, y) in parts.items():
        if len(X):
            score = format_score(trained.network, preprocessing, X, y, trained.training[1])
            lines.append(f"{name:<11} {len(X):>7,} rows   {score}")
    return lines


def recipe_lines(trained: TrainedOnTable) -> list[str]:
    """Return a line about the recipe for tables; none for a plain network."""
    if not trained.is_recipe:
        return []
    count = "" if trained.networks == 1 else f", {trained.networks} networks merged into one"
    kept = ", the best epoch on validation rows is kept" if has_validation(trained.history) else ""
    what = {Exp: ", logarithm of the target", Interpolation: ", quantiles of the target"}
    transform = what.get(type(trained.network.layers[-1]), "")
    line = (
        f"Recipe for tables{count}: {trained.history.epochs} epochs{kept}{transform}; `--plain` trains a plain network"
    )
    return [line]


def has_validation(history: History) -> bool:
    """Return whether a training had validation rows."""
    return "val_loss" in history


def format_score(network: Network, preprocessing: Preprocessing, X: Array, y: Array, y_train: Array) -> str:
    """Return the score as text, next to the score of a baseline that predicts the same for every row."""
    if preprocessing.task == "classification":
        labels, counts = np.unique(y_train, return_counts=True)
        most_frequent = labels[counts.argmax()]
        baseline = accuracy(y, np.full_like(y, most_frequent))
        return f"accuracy {network.score(X, y):.4f}   (baseline, always {str(most_frequent)!r}: {baseline:.4f})"
    p = network.predict(X)
    error = mean_absolute_error(preprocessing.untransform_target(y), preprocessing.untransform_target(p))
    return f"R² {r2(y, p):.4f}   mean absolute error {error:.6g}   (baseline, always the mean: R² 0)"


def predicted_frame(network: Network | Ensemble, preprocessing: Preprocessing, X: Array) -> pl.DataFrame:
    """Return the predictions of some rows as a table: labels with probabilities, or numbers."""
    if preprocessing.task == "classification":
        return preprocessing.predictions_frame(network.predict(X), network.predict_proba(X))
    return preprocessing.predictions_frame(preprocessing.untransform_target(network.predict(X)))
