"""Drop-in replacements for scikit-learn's multi-layer perceptrons, which train a ``Network``.

``MLPClassifier`` and ``MLPRegressor`` have the parameters, attributes and methods of the classes of these
names in ``sklearn.neural_network``, with the same meaning.  Replace the import, and the losses are equal up
to rounding.  Further keyword parameters give access to the losses, optimizers, schedules and callbacks of
Workings.

``TableClassifier`` and ``TableRegressor`` train the recipe for tables, with nothing to set.

``estimator.network_`` is the trained ``Network``.  ``base.py`` has the base class of both, ``parameters.py``
translates parameters into layers and optimizers, and ``fitting.py`` follows scikit-learn's rules for
training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workings.sklearn.base import MultilayerPerceptron  # first: it reports a missing scikit-learn
from workings.sklearn.classifier import MLPClassifier
from workings.sklearn.regressor import MLPRegressor

if TYPE_CHECKING:
    from workings.sklearn.table import TableClassifier, TableRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "MultilayerPerceptron", "TableClassifier", "TableRegressor"]


def __getattr__(name: str) -> object:
    """Import the estimators for tables when they are used: reading tables takes time to import."""
    if name in ("TableClassifier", "TableRegressor"):
        from workings.sklearn import table

        return getattr(table, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
