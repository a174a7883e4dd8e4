"""Estimators for tables: numbers, categories and gaps in, nothing to set.

``TableClassifier`` and ``TableRegressor`` encode the columns of a table, train a network with the recipe in
``workings/table_recipe.py``, and keep the parameters of the best epoch on validation rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from workings.errors import InputError, unknown_name
from workings.files.encoded_features import with_scaling_layer
from workings.files.mean_outputs import MeanOutputs
from workings.files.merging import merged
from workings.network import Network
from workings.sklearn.inputs import own_errors, readable_targets
from workings.support.arrays import Array
from workings.support.conversion import refuse_records
from workings.support.keywords import CheckedKeywords, checked_keywords
from workings.support.ranges import as_number, as_whole_number
from workings.support.sparse import is_sparse
from workings.table_recipe import (
    CLASSIFICATION,
    REGRESSION,
    TableRecipe,
    as_inputs,
    first_number,
    train_together,
)
from workings.tables.columns import CategoryColumn, Column, Columns, NumberColumn, column_names, original, standard
from workings.tables.embedding import EMBEDDINGS
from workings.tables.features import gap_category, number_column
from workings.tables.raw_values import numbers_in, unmasked
from workings.tables.scaling import ROBUST
from workings.tables.values import as_list, as_word, is_gap, refuse_unusable

MOST_CATEGORIES = 100  # of a column; rarer ones are encoded as zeros, like unknown ones


class TableEstimator(CheckedKeywords, BaseEstimator):
    """The base of both estimators: it reads tables, trains the networks and merges them into one."""

    columns_: Columns
    networks_: list[Network]
    _is_array: bool
    _network_of_fit: Network | None
    _mean_outputs: MeanOutputs | None

    def __init__(
        self,
        *,
        ensemble: int | None = None,
        time: float | None = None,
        recipe: TableRecipe | None = None,
        embed: str | None = None,
        random_state: object = None,
        engine: str = "auto",
    ) -> None:
        self.ensemble = ensemble
        self.time = time
        self.recipe = recipe
        self.embed = embed
        self.random_state = random_state
        self.engine = engine

    @property
    def network_(self) -> Network:
        """The network that predicts; it takes the table or array that ``fit`` takes.

        Raises
        ------
        InputError
            If an array can be read in two ways: its columns have the same number as the encoded ones.
        """
        check_is_fitted(self)
        if self._network_of_fit is None:
            network = Network.from_model(merged(self.networks_))
            network.preprocessing = self.networks_[0].preprocessing
            is_raw = self._is_array and self.columns_.array_width is None
            self._network_of_fit = network_of_arrays(network, self.columns_, type(self)) if is_raw else network
        return self._network_of_fit

    def _train(
        self,
        X: ArrayLike,
        y: Array,
        classes: Array | None,
        scale: tuple[float, float] | None,
        recipe: TableRecipe,
    ) -> Self:
        """Learn the columns and train the networks."""
        self._check_settings()
        table = self._table(X, reset=True)
        with own_errors():
            check_consistent_length(next(iter(table.values())), y)
        if len(y) < 2:
            raise InputError(f"A table needs at least 2 samples, that is rows, to learn from; it has {len(y)} sample.")
        recipe = recipe if self.ensemble is None else replace(recipe, networks=int(self.ensemble))
        recipe = recipe if self.embed is None else replace(recipe, embed=self.embed)
        self.columns_ = learn_columns(table, "target", scale, recipe.missing)
        self._is_array, self._network_of_fit = not column_names(X), None
        if self._is_array and len(table) != self.columns_.width:
            self.columns_ = replace(self.columns_, array_width=len(table))  # the networks take the same arrays
        seed = first_number(check_random_state(self.random_state))
        rows, recipe = self._encode(table), recipe.for_columns(self.columns_)
        codes = None if classes is None else np.searchsorted(classes, y)
        if self.time is not None:
            recipe = recipe.within(float(self.time), rows, y, classes, self.engine)
        labels = [] if classes is None else classes.tolist()
        fits = [recipe.fit_of(rows, y, draw, classes=classes) for draw in recipe.draws(len(rows), codes, seed)]
        histories = train_together(fits, self.engine)
        self.networks_ = [fit.predictor for fit in fits]
        self._mean_outputs = MeanOutputs(self.networks_)
        for network in self.networks_:
            network.preprocessing = self.columns_.stored(labels, f"trained by {type(self).__name__}")
        if histories[0].engine.startswith("compiled"):
            self._mean_outputs.compile()
        return self

    def _recipe_or(self, usual: TableRecipe) -> TableRecipe:
        """Return the given recipe, or the usual one."""
        return self.recipe if isinstance(self.recipe, TableRecipe) else usual

    def _check_settings(self) -> None:
        """Raise for invalid parameters."""
        count, seconds = as_whole_number(self.ensemble), as_number(self.time)
        if self.ensemble is not None and (count is None or count < 1):
            raise InputError(f"ensemble must be a whole number of at least 1, or None, not {self.ensemble!r}.")
        if self.time is not None and (seconds is None or not seconds > 0):
            raise InputError(f"time must be a number of seconds above 0, or None, not {self.time!r}.")
        if self.embed is not None and self.embed not in EMBEDDINGS:
            raise unknown_name("embedding", self.embed, EMBEDDINGS)
        if self.recipe is not None and not isinstance(self.recipe, TableRecipe):
            raise InputError(f"recipe must be a TableRecipe or None, not {self.recipe!r}.")

    def _table(self, X: Any, *, reset: bool) -> dict[str, object]:
        """Return the columns of a table or of an array by name."""
        if is_sparse(X):
            raise InputError("Sparse input is not supported: convert it with X.toarray().")
        if isinstance(X, Mapping):
            raise InputError("X must be a pandas or polars DataFrame, or an array of shape (n, columns).")
        refuse_records(X, "X")
        names = [str(name) for name in column_names(X)]
        if names:
            if len(set(names)) < len(names):
                raise InputError("X has two columns of one name. Rename one, or leave it out.")
            with own_errors():
                validate_data(self, X, reset=reset, skip_check_array=True)
            return {name: X[given] for name, given in zip(names, column_names(X), strict=True)}
        given = X.to_numpy() if hasattr(X, "to_numpy") else unmasked(X)
        with own_errors():
            array = check_array(given, dtype=None, ensure_all_finite="allow-nan", accept_sparse=False, estimator=self)
            validate_data(self, X, reset=reset, skip_check_array=True)
        known = getattr(self, "feature_names_in_", None)
        names = [f"x{i}" for i in range(array.shape[1])] if known is None else [str(name) for name in known]
        return dict(zip(names, array.T, strict=True))

    def _encode(self, table: Mapping[str, object]) -> Array:
        """Encode columns as the inputs of the networks."""
        return as_inputs(self.columns_.encode(table, unknown="ignore"))

    def _outputs(self, X: ArrayLike) -> Array:
        """Return the outputs of the network, of shape (n, outputs), float64."""
        check_is_fitted(self)
        rows = self._encode(self._table(X, reset=False))
        return self._mean(rows, "reference" if self.engine == "reference" else "auto")

    @property
    def _mean(self) -> MeanOutputs:
        """The mean of the networks, in float64, so that a row's prediction hardly depends on the other rows."""
        if self._mean_outputs is None:
            self._mean_outputs = MeanOutputs(self.networks_)
        return self._mean_outputs

    def __getstate__(self) -> dict[str, object]:
        """Return the state for copy and pickle, without what is made again from the networks."""
        made_again = {"_mean_outputs": None, "_network_of_fit": None}
        state: dict[str, object] = super().__getstate__()
        return {**state, **{name: value for name, value in made_again.items() if name in state}}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.non_deterministic = False
        return tags


class TableClassifier(ClassifierMixin, TableEstimator):
    """Classify the rows of a table, with nothing to set: numbers, categories and missing values as they come.

    It trains four small networks with the recipe of RealMLP-TD-S (Holzmüller et al. 2024), and keeps the parameters
    of each one's best epoch on 20 % of the rows, drawn by class.  It merges them into one network, ``network_``, that
    predicts their mean.

    Parameters
    ----------
    ensemble : int or None
        The number of networks; None for the recipe's, which is 4.  Each has validation rows and initial weights of
        its own.
    time : float or None
        About how many seconds ``fit`` may take; it trains fewer epochs then.
    recipe : TableRecipe or None
        Settings that replace entries of ``workings.table_recipe.CLASSIFICATION``.
    embed : str or None
        How to embed the columns: ``"periodic"`` for learned cosines of each number, ``"piecewise"`` for its position in
        bins; either embeds columns of more than 8 categories, too.  None for the recipe's, which embeds none.
    random_state : int, RandomState or None
        The random seed.
    engine : str
        ``"auto"``, ``"reference"`` or ``"compiled"``.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The class labels, sorted.
    network_ : Network
        The network that predicts.  It takes the raw columns: save it, export it, explain it.  After a fit on an array
        of numbers, it is in float64, and a ``BatchNorm`` in front scales them.
    networks_ : list of Network
        The trained networks of which ``network_`` is the mean.  They take a table with column names, or rows that
        ``columns_`` encoded, but no array of raw numbers: ``network_`` takes that.
    columns_ : Columns
        The encoding of the columns.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from workings.sklearn import TableClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 2))
    >>> X[::7, 1] = np.nan
    >>> y = np.where(X[:, 0] > 0, "yes", "no")
    >>> model = TableClassifier(random_state=0).fit(X, y)
    >>> model.predict([[2.0, np.nan], [-2.0, 1.0]])
    array(['yes', 'no'], dtype='<U3')
    """

    classes_: Array

    @checked_keywords
    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from a table ``X`` of n rows, a DataFrame or an array, and n labels ``y``."""
        if y is None:
            raise InputError("This estimator requires y to be passed, but the target y is None.")
        with own_errors("y"):
            labels = column_or_1d(readable_targets(y, "y"), warn=True)
            check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) == 1:
            raise InputError(f"Classifier needs at least two classes in y; it has one class, {self.classes_[0]!r}.")
        known = self.classes_ if self.classes_.dtype.kind in "iubU" else text_classes(self.classes_)
        return self._train(X, known[codes], known, None, self._recipe_or(CLASSIFICATION))

    @checked_keywords
    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probabilities of the classes, of shape (n, n_classes), in the order of ``classes_``."""
        return self._outputs(X)

    @checked_keywords
    def predict(self, X: ArrayLike) -> Array:
        """Return the most probable class of each row."""
        check_is_fitted(self)
        found: Array = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return found


class TableRegressor(RegressorMixin, TableEstimator):
    """Predict a number for each row of a table, with nothing to set: see ``TableClassifier``.

    The target is standardized, and predictions stay in the range of the training targets.  Of a positive target with a
    skewness of at least 2, such as prices, the networks learn the logarithm, if that is much less skewed.  Then
    predictions are closer to the median than to the mean.

    Examples
    --------
    >>> import numpy as np
    >>> from workings.sklearn import TableRegressor
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> model = TableRegressor(random_state=0).fit(X, X[:, 0] ** 2)
    >>> bool(np.abs(model.predict([[0.0], [0.5]]) - [0.0, 0.25]).max() < 0.1)
    True
    """

    @checked_keywords
    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from a table ``X`` of n rows, a DataFrame or an array, and n numbers ``y``."""
        if y is None:
            raise InputError("This estimator requires y to be passed, but the target y is None.")
        with own_errors("y"), np.errstate(over="ignore", invalid="ignore"):
            given = column_or_1d(readable_targets(y, "y"), warn=True)
            target = check_array(given, dtype=np.float64, ensure_2d=False, input_name="y")
        with np.errstate(over="ignore", invalid="ignore"):
            recipe, (mean, std) = self._recipe_or(REGRESSION).for_target(target)
        if not np.isfinite([mean, std]).all():
            raise InputError(f"y has numbers from {target.min():g} to {target.max():g}: their spread is too large.")
        return self._train(X, standard(target, mean, std), None, (mean, std), recipe)

    @checked_keywords
    def predict(self, X: ArrayLike) -> Array:
        """Return the predicted number of each row, of shape (n,)."""
        found = self._outputs(X)
        return np.asarray(original(found[:, 0], *self.columns_.scale))  # type: ignore[misc]


def network_of_arrays(network: Network, columns: Columns, kind: type) -> Network:
    """Return a network of float64 that takes arrays of unscaled numbers: a ``BatchNorm`` in front scales them.

    Such an array has as many columns as the encoded rows that ``network`` takes, so they cannot be told apart.
    """
    numbers = [replace(column, indicator=False) for column in columns.numbers]
    if list(columns.columns) != numbers:
        raise InputError(
            f"This {kind.__name__} was fitted on an array, whose {columns.width} columns have the same number as the "
            f"encoded ones, so its network could not tell them apart. Fit it on a table with column names."
        )
    found, features = with_scaling_layer(network.astype(np.float64), numbers, f"This {kind.__name__}")
    assert isinstance(found, Network)
    assert network.preprocessing is not None
    unscaled = [feature.to_dict() for feature in features if isinstance(feature, NumberColumn)]
    found.preprocessing = {**network.preprocessing, "columns": unscaled, "array_width": len(unscaled)}
    return found


def text_classes(classes: Array) -> Array:
    """Return classes as a network stores them: the text of the labels, if it differs, else their numbers.

    >>> text_classes(np.array(["a", "b"], dtype=object)), text_classes(np.array([0.5, 1.0]))
    (array(['a', 'b'], dtype='<U1'), array([0, 1]))
    """
    if all(isinstance(label, str) for label in classes):
        return classes.astype(str)
    return np.arange(len(classes))


def learn_columns(
    table: Mapping[str, object],
    target: str,
    scale: tuple[float, float] | None,
    missing: str,
) -> Columns:
    """Learn the encoding of each column; constant columns are left out, unless all are constant."""
    found = [learn_column(name, values, missing) for name, values in table.items()]
    kept = [column for column, varies in found if varies] or [column for column, _ in found]
    while any(column.name == target for column in kept):
        target += "_"
    return Columns(tuple(kept), target, scale)


def learn_column(name: str, values: object, missing: str) -> tuple[Column, bool]:
    """Learn one column, of numbers or of categories; return it and whether its values differ.

    Later tables may have gaps in any column, so numbers always have a fill value.
    """
    found = numbers_in(values, name)
    if found is None:
        return learn_categories(name, values, missing)
    numbers, form = found
    known = numbers[~np.isnan(numbers)]
    column = number_column(name, numbers, missing=missing, scaling=ROBUST)
    varies = len(known) > 0 and (bool(known.min() < known.max()) or column.indicator)
    return replace(column, fill=column.mean, form=form), varies


def learn_categories(name: str, values: object, missing: str) -> tuple[CategoryColumn, bool]:
    """Learn the most frequent categories of a column; others, and gaps without a category, become zeros."""
    words = []
    given = as_list(values)
    for row, value in enumerate(given):
        if not is_gap(value):
            refuse_unusable(value, row, name)
            words.append(as_word(value))
    counts = Counter(sorted(words))
    chosen = [word for word, _ in counts.most_common(MOST_CATEGORIES)]
    has_gaps = len(words) < len(given)
    gap = gap_category(counts) if has_gaps and missing == "indicate" else None
    chosen += [] if gap is None else [gap]
    return CategoryColumn(name, tuple(sorted(chosen)), gap, "zeros"), len(counts) > 1 or has_gaps
