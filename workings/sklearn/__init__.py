"""scikit-learn's multi-layer perceptrons, with everything that Workings can do.

``MLPClassifier`` and ``MLPRegressor`` have the parameters, attributes and methods of the classes of these names in
``sklearn.neural_network``, with the same meaning: replace the import, and the losses agree to rounding.  Beyond
that they take the parts of this library, as keywords after theirs.  They are a thin door: parameters are kept in
``__init__`` and checked in ``fit``; scikit-learn checks the data; a ``Network`` and a ``Training`` do the work.
``estimator.network_`` is that network, with everything it can be asked.  ``parameters.py`` has what the parameters
mean, ``fitting.py`` how training is followed.
"""

from __future__ import annotations

import sys

from workings.sklearn import phrasing
from workings.sklearn.base import MultilayerPerceptron  # first: it names the extra that is missing
from workings.sklearn.classifier import MLPClassifier
from workings.sklearn.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "MultilayerPerceptron"]

sys.modules[f"{__name__}.terms"] = phrasing  # its former name, which pickles of fitted estimators hold
