"""The estimators, against scikit-learn: its classes, its checks, its own tests of them, its tools around them.

Where no engine is the point, the reference engine is asked for, so that nothing is compiled.
"""

from __future__ import annotations

import copy
import inspect
import itertools
import math
import os
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import joblib
import numpy as np
import pandas
import polars
import pytest
import sklearn
import sklearn.metrics
from scipy import sparse
from sklearn import neural_network
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_iris, make_multilabel_classification, make_regression
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, VotingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss, mean_poisson_deviance
from sklearn.model_selection import GridSearchCV, cross_validate, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from workings import (
    L2,
    LBFGS,
    SGD,
    Activation,
    Adam,
    AdamEpsilonHat,
    BinaryCrossEntropy,
    Callback,
    Chain,
    Checkpoint,
    ClipByValue,
    CrossEntropy,
    Dense,
    EarlyStopping,
    Huber,
    InputError,
    Network,
    Poisson,
    RMSProp,
    SquaredError,
)
from workings.datasets import moons
from workings.engines.compiled.engine import is_installed
from workings.schedules import Cosine, OnPlateau, Step
from workings.sklearn import MLPClassifier, MLPRegressor

ROOT = Path(__file__).resolve().parents[1]
KINDS = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
SMALL = {"hidden_layer_sizes": (12, 7), "batch_size": 32, "max_iter": 25, "random_state": 0}
OURS = {**SMALL, "engine": "reference"}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_IRIS = StandardScaler().fit_transform(X_IRIS)
NAMES = np.array(["setosa", "versicolor", "virginica"], dtype=object)[Y_IRIS]
X_REG, Y_REG = make_regression(120, 8, n_targets=3, noise=3, random_state=0)
Y_REG = Y_REG / Y_REG.std(axis=0)
X_LABELS, Y_LABELS = make_multilabel_classification(80, random_state=0)
COUNTS = np.round(3 * np.abs(Y_REG))

# A name for each kind of targets: class, inputs, targets, settings.
PROBLEMS = {
    "classes": ("MLPClassifier", X_IRIS, NAMES, {}),
    "two classes": ("MLPClassifier", X_IRIS[50:], NAMES[50:], {}),
    "labels": ("MLPClassifier", X_LABELS, Y_LABELS, {}),
    "numbers": ("MLPRegressor", X_REG, Y_REG[:, 0], {}),
    "rows of numbers": ("MLPRegressor", X_REG, Y_REG, {}),
    "counts": ("MLPRegressor", X_REG / 5, COUNTS[:, 0], {"loss": "poisson"}),
    "rows of counts": ("MLPRegressor", X_REG / 5, COUNTS, {"loss": "poisson"}),
}
SETTINGS = {
    "adam": {},
    "adam, large epsilon": {"epsilon": 0.01, "beta_1": 0.8, "beta_2": 0.99},
    "sgd": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.01},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.01},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.01},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1, "power_t": 0.3},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 2, "tol": 0.05,
                 "learning_rate_init": 0.01},
    "lbfgs": {"solver": "lbfgs", "max_iter": 15},
    "early stopping": {"early_stopping": True, "activation": "logistic", "validation_fraction": 0.2},
    "one batch": {"batch_size": 200, "activation": "tanh", "alpha": 0.1},
    "in order": {"shuffle": False, "activation": "identity"},
    "no hidden layer": {"hidden_layer_sizes": (), "activation": "logistic"},
}  # fmt: skip


def both(kind, X, y, fit=None, **settings):
    """scikit-learn's estimator and ours, fitted alike; what warns in one warns in the other."""
    settings = {**SMALL, **settings}
    theirs = getattr(neural_network, kind)(**settings)
    ours = KINDS[kind](**settings, engine="reference")
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        return theirs.fit(X, y, **(fit or {})), ours.fit(X, y, **(fit or {}))


def assert_same(theirs, ours, X, rtol=1e-9):
    """Weights, losses, counts and predictions are the same to rounding."""
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(theirs, name), getattr(ours, name), strict=True):
            np.testing.assert_allclose(b, a, rtol=rtol, atol=rtol)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
        expected = getattr(theirs, name, None)
        if expected is not None:
            np.testing.assert_allclose(getattr(ours, name), expected, rtol=rtol, err_msg=name)
    expected, found = theirs.predict(X), ours.predict(X)
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=max(rtol, 1e-6), atol=max(rtol / 100, 1e-9))
    else:
        assert (found == expected).all()
    if hasattr(theirs, "predict_proba"):
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6, atol=1e-9)


# -- the same numbers -----------------------------------------------------------------------


# With several outputs scikit-learn's gradient is wrong for L-BFGS: a test of its own compares with ridge regression.
PAIRS = [pair for pair in itertools.product(PROBLEMS, SETTINGS) if pair != ("rows of numbers", "lbfgs")]
WEIGHTED = [pair for pair in PAIRS if pair[1] in ("adam", "invscaling", "lbfgs", "early stopping")]


@pytest.mark.parametrize(("problem", "setting"), PAIRS)
def test_the_same_network_as_scikit_learns(problem, setting):
    kind, X, y, own = PROBLEMS[problem]
    theirs, ours = both(kind, X, y, **{**own, **SETTINGS[setting]})
    # A line search makes more of rounding than a step does.
    assert_same(theirs, ours, X, rtol=1e-6 if setting == "lbfgs" else 1e-9)


@pytest.mark.parametrize(("problem", "setting"), WEIGHTED)
def test_sample_weights_count_as_they_do_there(problem, setting):
    kind, X, y, own = PROBLEMS[problem]
    w = np.random.default_rng(0).integers(0, 4, len(X)) / 2
    theirs, ours = both(kind, X, y, {"sample_weight": w}, **{**own, **SETTINGS[setting]})
    assert_same(theirs, ours, X, rtol=1e-6 if setting == "lbfgs" else 1e-9)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("problem", ["classes", "rows of numbers"])
def test_partial_fit_goes_on_as_there(problem, solver):
    kind, X, y, own = PROBLEMS[problem]
    settings = {**SMALL, **own, "solver": solver, "learning_rate": "invscaling", "learning_rate_init": 0.01}
    theirs, ours = getattr(neural_network, kind)(**settings), KINDS[kind](**settings)
    for call in range(6):
        classes = {"classes": np.unique(y)} if kind == "MLPClassifier" and call == 0 else {}
        for estimator in (theirs, ours):
            estimator.partial_fit(X[call::2], y[call::2], **classes)
    assert_same(theirs, ours, X)


@pytest.mark.parametrize("setting", ["adam", "invscaling", "lbfgs"])
def test_a_warm_start_goes_on_as_there(setting):
    theirs, ours = both("MLPClassifier", X_IRIS, NAMES, **SETTINGS[setting], warm_start=True)
    for estimator in (theirs, ours):
        estimator.set_params(alpha=0.5).fit(X_IRIS, NAMES)
    assert_same(theirs, ours, X_IRIS, rtol=1e-5 if setting == "lbfgs" else 1e-9)
    with pytest.raises(InputError, match="Use warm_start=False"):
        ours.set_params(hidden_layer_sizes=(3,)).fit(X_IRIS, NAMES)


def test_a_warm_start_that_gets_no_better_keeps_the_best():
    model = MLPClassifier(**OURS, early_stopping=True, warm_start=True, validation_set=(X_IRIS[::3], NAMES[::3]))
    model.set_params(learning_rate_init=0.02).fit(X_IRIS, NAMES)
    best = model.best_validation_score_
    model.set_params(learning_rate_init=1e-9, max_iter=2).fit(X_IRIS, NAMES)
    assert model.best_validation_score_ == best == model.score(X_IRIS[::3], NAMES[::3])


@pytest.mark.parametrize("shared", [True, False])
def test_one_source_of_random_numbers_for_several_fits(shared):
    found = []
    for kind in (neural_network.MLPRegressor, MLPRegressor):
        source = np.random.RandomState(3)
        for more in (
            {"batch_size": 16},
            {"batch_size": 120},
            {"solver": "lbfgs"},
            {},
        ):  # a single batch draws orders too
            model = kind(random_state=source if shared else 3, max_iter=3, **more)
            found.append(model.fit(X_REG, Y_REG[:, 0]).coefs_[0])
    for theirs, ours in zip(found[:4], found[4:], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_without_a_random_state_numpys_own_is_used():
    found = []
    for kind in (neural_network.MLPRegressor, MLPRegressor):
        np.random.seed(5)
        found.append(kind(max_iter=3, batch_size=50).fit(X_REG, Y_REG[:, 0]).coefs_[0])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)


@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_array])
def test_sparse_inputs_and_labels(container):
    X = np.where(np.abs(X_LABELS) > 3, X_LABELS, 0)
    plain = MLPClassifier(**OURS).fit(X, Y_LABELS)
    model = MLPClassifier(**OURS).fit(container(X), sparse.csr_matrix(Y_LABELS))
    np.testing.assert_array_equal(model.predict_proba(container(X)), plain.predict_proba(X))
    np.testing.assert_array_equal(model.transform(container(X)), plain.transform(X))
    model.partial_fit(container(X), Y_LABELS)


def test_float32_stays_float32():
    theirs, ours = both("MLPRegressor", X_REG.astype(np.float32), Y_REG)
    assert {a.dtype for a in (*ours.coefs_, *ours.intercepts_, ours.predict(X_REG))} == {np.dtype(np.float32)}
    assert_same(theirs, ours, X_REG.astype(np.float32), rtol=1e-3)
    assert MLPRegressor(dtype="float32", max_iter=1).fit(X_REG, Y_REG).coefs_[0].dtype == np.float32


def test_the_compiled_engine_leads_to_the_same_network():
    pytest.importorskip("llvmlite")
    # Read-only data, as joblib hands them to its workers.
    X, y = X_IRIS.copy(), NAMES
    X.setflags(write=False)
    theirs, _ = both("MLPClassifier", X, y)
    compiled = MLPClassifier(**SMALL, engine="compiled").fit(X, y)
    assert compiled.history_.engine.startswith("compiled")
    assert_same(theirs, compiled, X)


@pytest.mark.slow  # compiles
def test_epochs_that_are_run_together_lead_to_the_same_network():
    pytest.importorskip("llvmlite")
    settings = {"batch_size": "auto", "early_stopping": True, "n_iter_no_change": 4, "learning_rate_init": 0.05}
    theirs, _ = both("MLPClassifier", X_IRIS, NAMES, **{**settings, "max_iter": 100})
    compiled = MLPClassifier(**{**SMALL, **settings, "max_iter": 100}, engine="compiled").fit(X_IRIS, NAMES)
    assert theirs.n_iter_ < 100
    assert_same(theirs, compiled, X_IRIS)


def test_what_is_worth_compiling_is_compiled_with_batches_too():
    if not is_installed():
        pytest.skip("needs llvmlite")
    engines = [MLPClassifier(max_iter=n, random_state=0).fit(X_IRIS, Y_IRIS).history_.engine for n in (1, 4000)]
    assert [engine.split()[0] for engine in engines] == ["reference", "compiled"]


def test_lbfgs_follows_the_right_gradient_with_several_outputs():
    # Without hidden layers: ridge regression, whose penalty counts once for each output of a mean.
    settings = {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 20.0, "tol": 1e-9, "max_iter": 2000}
    ours, ridge = MLPRegressor(**settings, random_state=0), Ridge(alpha=20.0 * Y_REG.shape[1])
    ours.fit(X_REG, Y_REG)
    ridge.fit(X_REG, Y_REG)
    np.testing.assert_allclose(ours.predict(X_REG), ridge.predict(X_REG), atol=1e-4)
    theirs = neural_network.MLPRegressor(**settings, random_state=0).fit(X_REG, Y_REG)
    assert theirs.loss_ > ours.loss_ * 1.01
    assert ours.network_.check_gradients(X_REG, Y_REG).ok


def test_the_poisson_loss_is_half_the_deviance():
    _, ours = both("MLPRegressor", X_REG / 5, COUNTS[:, 0], loss="poisson", solver="lbfgs", alpha=0.0)
    deviance = mean_poisson_deviance(COUNTS[:, 0], ours.predict(X_REG / 5))
    assert ours.loss_ == pytest.approx(deviance / 2, rel=1e-9)
    with pytest.raises(InputError, match="must not be negative"):
        MLPRegressor("poisson").fit(X_REG, -COUNTS)


# -- the same interface ---------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_parameters_have_the_same_places_and_defaults(name):
    theirs = inspect.signature(getattr(neural_network, name).__init__).parameters
    ours = inspect.signature(KINDS[name].__init__).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    for parameter, known in theirs.items():
        assert (ours[parameter].default, ours[parameter].kind) == (known.default, known.kind), parameter
    assert all(ours[more].kind is inspect.Parameter.KEYWORD_ONLY for more in list(ours)[len(theirs) :])
    assert not set(getattr(neural_network, name)().get_params()) - set(KINDS[name]().get_params())


@pytest.mark.parametrize("name", KINDS)
def test_methods_and_attributes_have_the_same_names(name):
    kind, X, y, own = PROBLEMS["classes" if name == "MLPClassifier" else "numbers"]
    for setting in ("adam", "early stopping", "lbfgs"):
        theirs, ours = both(kind, pandas.DataFrame(X).add_prefix("x"), y, **own, **SETTINGS[setting])
        assert {n for n in dir(theirs) if not n.startswith("_")} <= set(dir(ours)) | {"partial_fit"}
        assert hasattr(ours, "partial_fit") == (setting != "lbfgs")
        assert (theirs.feature_names_in_ == ours.feature_names_in_).all()
        assert ours.loss == theirs.loss


def test_both_have_the_same_shared_parameters_and_one_text():
    ours = [inspect.signature(kind.__init__).parameters for kind in KINDS.values()]
    shared = set(ours[0]) & set(ours[1])
    assert all(ours[0][name].default == ours[1][name].default for name in shared - {"loss"})
    for name in shared - {"self", "loss"}:
        for kind in KINDS.values():
            assert re.search(rf"\b{name}\b", kind.__doc__), name


@pytest.mark.parametrize("name", KINDS)
def test_fit_takes_what_theirs_takes_and_validation_rows_as_their_boosting_does(name):
    boosting = HistGradientBoostingClassifier if name == "MLPClassifier" else HistGradientBoostingRegressor
    theirs = inspect.signature(boosting.fit).parameters
    ours = inspect.signature(KINDS[name].fit).parameters
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]
    assert list(inspect.signature(getattr(neural_network, name).fit).parameters) == list(ours)[:4]


@parametrize_with_checks(
    [MLPClassifier(max_iter=100, engine="reference"), MLPRegressor(max_iter=100, engine="reference")]
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        MLPClassifier(),
        MLPRegressor(solver="sgd"),
        MLPClassifier((20, 10), ["tanh", "gelu"], l1=1e-4, clip=1.0, weight_decay=1e-3, optimizer=Adam(0.01)),
        MLPRegressor(Huber(), (20,), init="he_normal", schedule=Step(0.01, every=50)),
    ]
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks_with_more_settings(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore")
def test_weights_are_repeated_rows():
    from sklearn.utils import estimator_checks

    for kind in (MLPClassifier, MLPRegressor):
        estimator_checks.check_sample_weight_equivalence_on_dense_data(kind.__name__, kind(solver="lbfgs"))


def test_tags_are_theirs_and_that_of_a_transformer():
    for name, kind in KINDS.items():
        theirs, ours = get_tags(getattr(neural_network, name)()), get_tags(kind())
        assert ours.transformer_tags is not None
        ours.transformer_tags = None
        assert ours == theirs


# -- scikit-learn's own tests ---------------------------------------------------------------

EXCEPTION = re.compile(r"^\| `(test_\w+)` \|", re.MULTILINE)
TAKE_LONG = "n_iter_no_change or partial_fit_classification or warm_start or lbfgs_ or multioutput or early_stopping"


@pytest.mark.parametrize("chosen", [
    pytest.param(f"not ({TAKE_LONG})", id="most"), pytest.param("test", id="all", marks=pytest.mark.slow)
])  # fmt: skip
def test_scikit_learns_own_tests(chosen, tmp_path):
    """All pass but those that docs/scikit-learn.md lists, and those all fail."""
    source = (Path(neural_network.__file__).parent / "tests" / "test_mlp.py").read_text(encoding="utf-8")
    line = "from sklearn.neural_network import MLPClassifier, MLPRegressor\n"
    assert source.count(line) == 1
    assert source.count("neural_network") == 2  # there, and in its docstring
    (tmp_path / "test_mlp.py").write_text(
        source.replace(line, line.replace("sklearn.neural_network", "workings.sklearn"))
    )
    (tmp_path / "conftest.py").write_text("from sklearn.conftest import *\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=found.xml", "-k", chosen]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    cases = list(ElementTree.parse(tmp_path / "found.xml").getroot().iter("testcase"))
    failed = {case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None}
    run = {case.get("name") for case in cases}
    listed = set(EXCEPTION.findall((ROOT / "docs" / "scikit-learn.md").read_text(encoding="utf-8")))
    assert listed <= {name.split("[")[0] for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)}
    assert len(run) > 30, done.stdout
    assert failed == listed & run, done.stdout[-5000:]


# -- beyond ---------------------------------------------------------------------------------


def softsign(z):
    return z / (1 + np.abs(z))


def slope(z):
    return 1 / (1 + np.abs(z)) ** 2


SOFTSIGN = Activation("softsign", softsign, slope)
BEYOND = {
    "an activation of ours": {"activation": "gelu"},
    "one of the user's": {"activation": SOFTSIGN},
    "one for each layer": {"activation": ["elu", SOFTSIGN]},
    "dropout": {"dropout": 0.2},
    "dropout of one layer": {"dropout": [0.0, 0.2]},
    "batch norm": {"batch_norm": True, "dropout": 0.1},
    "l1": {"l1": 1e-3},
    "weight decay": {"weight_decay": 0.01},
    "clip": {"clip": 0.5},
    "optimizer": {"optimizer": RMSProp(0.01)},
    "chain": {"optimizer": Chain(ClipByValue(0.1), SGD(0.1)), "clip": 1.0},
    "L-BFGS": {"optimizer": LBFGS(memory=5)},
    "schedule": {"schedule": Cosine(0.01, steps=100)},
    "schedule of sgd": {"solver": "sgd", "schedule": Step(0.1, every=20)},
    "plateau": {"schedule": OnPlateau(0.01, patience=2)},
    "initializer": {"init": "he_normal"},
    "initializer of each layer": {"init": ["he_normal", "lecun_uniform", np.zeros((7, 3))]},
    "label smoothing": {"loss": CrossEntropy(label_smoothing=0.1)},
    "sigmoids": {"loss": "BinaryCrossEntropy"},
    "squares": {"loss": SquaredError(half=True)},
    "class weight": {"class_weight": "balanced"},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "validation share with lbfgs": {"solver": "lbfgs", "validation_set": 0.2},
    "own score": {"early_stopping": True, "scoring": "neg_log_loss"},
}


@pytest.mark.parametrize("setting", BEYOND)
def test_beyond(setting):
    settings = {**OURS, "learning_rate_init": 0.01, **BEYOND[setting]}
    model = MLPClassifier(**settings).fit(X_IRIS, NAMES)
    assert model.score(X_IRIS, NAMES) > 0.9
    assert len(model.loss_curve_) == model.n_iter_ > 0
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    np.testing.assert_allclose(model.predict_proba(X_IRIS).sum(axis=1), 1)
    network = model.network_
    assert (network.outputs(X_IRIS).argmax(axis=1) == Y_IRIS).mean() == model.score(X_IRIS, NAMES)
    y = NAMES[:20] if network.loss.target == "classes" else np.eye(3)[Y_IRIS[:20]]
    assert network.check_gradients(X_IRIS[:20], y).ok
    assert "import numpy as np" in network.script()
    if "softsign" not in repr(network):  # functions of this module are pickled by their name
        assert (pickle.loads(pickle.dumps(model)).predict(X_IRIS) == model.predict(X_IRIS)).all()
    assert (clone(model).fit(X_IRIS, NAMES).predict(X_IRIS) == model.predict(X_IRIS)).all()


@pytest.mark.parametrize("loss", ["huber", Huber(delta=0.5), SquaredError(), Poisson()])
def test_losses_of_the_regressor(loss):
    y = COUNTS if isinstance(loss, Poisson) else Y_REG
    model = MLPRegressor(loss, **{**OURS, "learning_rate_init": 0.01}).fit(X_REG / 5, y)
    assert model.loss_curve_[-1] < model.loss_curve_[0] / 1.5
    assert model.network_.check_gradients(X_REG[:20], y[:20]).ok
    np.testing.assert_array_equal(model.network_.predict(X_REG), model.predict(X_REG))


def test_penalties_add_up_to_the_loss_in_both_conventions():
    settings = {**OURS, "solver": "lbfgs", "max_iter": 5, "alpha": 0.3, "weight_decay": 0.02, "l1": 0.01}
    model = MLPClassifier(**settings).fit(X_IRIS, NAMES)
    squares, sizes = (sum(f(W).sum() for W in model.coefs_) for f in (np.square, np.abs))
    penalties = (0.3 / len(X_IRIS) + 0.02) / 2 * squares + 0.01 * sizes
    assert model.loss_ == pytest.approx(log_loss(NAMES, model.predict_proba(X_IRIS)) + penalties, rel=1e-9)
    alike = MLPClassifier(**{**OURS, "batch_size": 50, "alpha": 0.0, "weight_decay": 0.1}).fit(X_IRIS, NAMES)
    theirs = neural_network.MLPClassifier(**{**SMALL, "batch_size": 50, "alpha": 5.0}).fit(X_IRIS, NAMES)
    np.testing.assert_allclose(alike.coefs_[0], theirs.coefs_[0], rtol=1e-8)


def test_class_weights_are_sample_weights():
    by_class = {"setosa": 2.0, "versicolor": 0.5}
    w = np.array([by_class.get(name, 1.0) for name in NAMES])
    found = [
        MLPClassifier(**OURS, class_weight=by_class).fit(X_IRIS, NAMES),
        MLPClassifier(**OURS).fit(X_IRIS, NAMES, sample_weight=w),
        neural_network.MLPClassifier(**SMALL).fit(X_IRIS, NAMES, sample_weight=w),
    ]
    for other in found[1:]:
        np.testing.assert_allclose(found[0].coefs_[1], other.coefs_[1], rtol=1e-8)
    parts = [MLPClassifier(**OURS, class_weight=by_class), MLPClassifier(**OURS)]
    for rows in (slice(100, 150), slice(50, 150), slice(0, 150)):  # rows of one label, which has no weight of its own
        parts[0].partial_fit(X_IRIS[rows], NAMES[rows], classes=np.unique(NAMES))
        parts[1].partial_fit(X_IRIS[rows], NAMES[rows], w[rows], classes=np.unique(NAMES))
    np.testing.assert_array_equal(parts[0].coefs_[1], parts[1].coefs_[1])
    with pytest.raises(InputError, match="partial_fit does not see all labels"):
        MLPClassifier(class_weight="balanced").partial_fit(X_IRIS, NAMES, classes=np.unique(NAMES))


def test_a_validation_set_has_its_curve_and_stops_what_overfits():
    held = (X_IRIS[::3], NAMES[::3])
    rest = np.arange(len(X_IRIS)) % 3 != 0
    settings = {**OURS, "max_iter": 60, "validation_set": held, "alpha": 0.0, "learning_rate_init": 0.02}
    model = MLPClassifier(**settings, tol=0.0, n_iter_no_change=60).fit(X_IRIS[rest], NAMES[rest])
    assert len(model.validation_loss_curve_) == 60
    assert model.validation_loss_curve_[-1] == pytest.approx(log_loss(held[1], model.predict_proba(held[0])), rel=1e-9)
    early = MLPClassifier(**settings, early_stopping=True, n_iter_no_change=3).fit(X_IRIS[rest], NAMES[rest])
    assert early.n_iter_ < 60
    assert max(early.validation_scores_) == early.best_validation_score_ == early.score(*held)


@pytest.mark.parametrize(("solver", "engine"), [("adam", "reference"), ("adam", "compiled"), ("lbfgs", "reference")])
def test_validation_rows_count_by_their_weights(solver, engine):
    if engine == "compiled" and not is_installed():
        pytest.skip("needs llvmlite")
    held, w = (X_IRIS[::3], NAMES[::3]), np.linspace(0, 3, 50)
    settings = {**OURS, "engine": engine, "solver": solver, "max_iter": 7, "scoring": "accuracy", "alpha": 0.0}
    model = MLPClassifier(**settings)
    model.fit(X_IRIS, NAMES, X_val=held[0], y_val=held[1], sample_weight_val=w)
    weighted = log_loss(held[1], model.predict_proba(held[0]), sample_weight=w)
    assert model.validation_loss_curve_[-1] == pytest.approx(weighted, rel=1e-9)
    assert model.validation_scores_[-1] == pytest.approx(model.score(*held, sample_weight=w), rel=1e-12)
    told = MLPClassifier(**settings, validation_set=(*held, w)).fit(X_IRIS, NAMES)
    assert told.validation_loss_curve_ == model.validation_loss_curve_
    plain = MLPClassifier(**settings, validation_set=held).fit(X_IRIS, NAMES)
    np.testing.assert_array_equal(plain.coefs_[0], model.coefs_[0])
    assert plain.validation_loss_curve_[-1] != pytest.approx(weighted, rel=1e-3)


def test_any_scorer_stops_and_its_best_epoch_stays():
    seen = []

    def scorer(estimator, X, y):
        assert estimator.classes_.tolist() == ["setosa", "versicolor", "virginica"]
        seen.append(-log_loss(y, estimator.predict_proba(X)))
        return seen[-1]

    frame = pandas.DataFrame(X_IRIS, columns=["a", "b", "c", "d"])
    model = MLPClassifier(**OURS, early_stopping=True, scoring=scorer, validation_set=(frame[::3], NAMES[::3]))
    model.fit(frame, NAMES)
    assert model.validation_scores_ == seen
    assert -log_loss(NAMES[::3], model.predict_proba(frame[::3])) == pytest.approx(max(seen))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_scorer_without_early_stopping_only_looks(solver):
    held = (X_IRIS[::3], NAMES[::3])
    settings = {**OURS, "solver": solver, "validation_set": held}
    plain = MLPClassifier(**settings).fit(X_IRIS, NAMES)
    model = MLPClassifier(**settings, scoring="neg_log_loss").fit(X_IRIS, NAMES)
    np.testing.assert_array_equal(model.coefs_[0], plain.coefs_[0])
    assert plain.validation_scores_ is None
    assert len(model.validation_scores_) == model.n_iter_ == len(model.loss_curve_)
    assert model.validation_scores_[-1] == pytest.approx(-log_loss(held[1], model.predict_proba(held[0])))
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_loss_ is not None
    going_on = model.set_params(warm_start=True, max_iter=3).fit(X_IRIS, NAMES)
    assert len(going_on.validation_scores_) == len(going_on.loss_curve_)


def test_divergence_is_an_error_where_a_scorer_only_looks():
    settings = {"validation_set": 0.2, "scoring": "accuracy", "solver": "sgd", "learning_rate_init": 1e300}
    with pytest.raises(InputError, match="non-finite"):
        MLPClassifier(**OURS, **settings).fit(X_IRIS, NAMES)


def test_a_row_that_is_left_over_goes_into_the_batch_before_it():
    torch = pytest.importorskip("torch")
    first = [np.random.default_rng(1).standard_normal(shape) / 3 for shape in ((8, 5), (5, 1))]
    settings = {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.1, "alpha": 0, "shuffle": False, "init": first}
    model = MLPRegressor(hidden_layer_sizes=5, batch_size=16, max_iter=1, batch_norm=True, **settings)
    model.fit(X_REG[:33], Y_REG[:33, 0])
    linear = [torch.nn.Linear(8, 5).double(), torch.nn.Linear(5, 1).double()]
    with torch.no_grad():
        for layer, W in zip(linear, first, strict=True):
            layer.weight.copy_(torch.as_tensor(W.T))
            layer.bias.zero_()
    norm = torch.nn.BatchNorm1d(5).double()
    theirs = torch.nn.Sequential(linear[0], norm, torch.nn.ReLU(), linear[1])
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    X, y = torch.as_tensor(X_REG), torch.as_tensor(Y_REG[:, :1])
    for rows in (slice(0, 16), slice(16, 33)):
        optimizer.zero_grad()
        (0.5 * torch.nn.functional.mse_loss(theirs(X[rows]), y[rows])).backward()
        optimizer.step()
    np.testing.assert_allclose(model.coefs_[0], linear[0].weight.detach().numpy().T, rtol=1e-9)
    np.testing.assert_allclose(model.network_.parameters["gamma1"], norm.weight.detach().numpy(), rtol=1e-9)
    assert len(MLPRegressor(batch_norm=True, max_iter=2, batch_size=100).fit(X_REG[:101], Y_REG[:101]).loss_curve_) == 2
    with pytest.raises(InputError, match="the last batch has 1"):
        MLPRegressor(batch_norm=True, batch_size=1).fit(X_REG, Y_REG)


@pytest.mark.parametrize("loss", ["BinaryCrossEntropy", SquaredError(half=True), CrossEntropy()])
def test_early_stopping_counts_what_the_estimator_predicts(loss):
    settings = {"loss": loss, "early_stopping": True, "validation_set": (X_IRIS[::3], NAMES[::3])}
    model = MLPClassifier(**{**OURS, "learning_rate_init": 0.01}, **settings).fit(X_IRIS, NAMES)
    assert model.best_validation_score_ == model.score(X_IRIS[::3], NAMES[::3]) > 0.8


def test_our_callbacks_look_on():
    class Epochs(Callback):
        seen: list[int] = []

        def on_epoch_end(self, training):
            self.seen.append(training.epoch)

    stopping = EarlyStopping("val_loss", patience=2)
    model = MLPRegressor(**{**OURS, "max_iter": 300}, validation_set=0.25, callbacks=[Epochs(), stopping])
    model.set_params(learning_rate_init=0.02).fit(X_REG, Y_REG)
    assert Epochs.seen == list(range(model.n_iter_))
    assert model.n_iter_ < 300
    assert model.history_.stopped.startswith("val_loss was not better")


def test_a_loss_of_two_classes_may_have_an_output_for_each():
    X, y = X_IRIS[50:], NAMES[50:]
    model = MLPClassifier(**OURS, loss=CrossEntropy()).fit(X, y)
    assert (model.n_outputs_, model.out_activation_, model.predict_proba(X).shape) == (2, "softmax", (100, 2))
    assert (model.predict(X) == model.network_.predict(X)).all()
    with pytest.raises(InputError, match="several labels"):
        MLPClassifier(loss=CrossEntropy()).fit(X_LABELS, Y_LABELS)
    several = MLPClassifier(**OURS, loss=BinaryCrossEntropy()).fit(X_LABELS, Y_LABELS)
    assert several.predict_proba(X_LABELS).shape == Y_LABELS.shape


# -- scikit-learn's callbacks ---------------------------------------------------------------


class Recorder:
    """A callback of scikit-learn's protocol."""

    def __init__(self, most=None):
        self.most, self.calls, self.scores = most, [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.calls.append(f"end {context.task_name}")
        self.scores.append((fitted_estimator, fitted_estimator.score(X, y)))
        return self.most is not None and self.calls.count("end epoch") >= self.most


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks_of_scikit_learn(solver):
    pytest.importorskip("sklearn.callback")
    plain = MLPClassifier(**OURS, solver=solver).fit(X_IRIS, NAMES)
    recorder = Recorder()
    model = MLPClassifier(**OURS, solver=solver).set_callbacks(recorder).fit(X_IRIS, NAMES)
    np.testing.assert_array_equal(plain.coefs_[0], model.coefs_[0])
    assert recorder.calls[:3] == ["setup", "begin fit", "begin epoch"]
    assert recorder.calls[-3:] == ["end epoch", "end fit", "teardown"]
    assert recorder.calls.count("end epoch") == recorder.calls.count("begin epoch") == model.n_iter_
    assert recorder.scores[-1][1] == model.score(X_IRIS, NAMES)
    first = recorder.scores[0]  # a copy, which training does not go on with
    assert first[0].score(X_IRIS, NAMES) == first[1]
    few = MLPClassifier(**OURS, solver=solver).set_callbacks(Recorder(most=4)).fit(X_IRIS, NAMES)
    assert few.n_iter_ == 4


def test_scikit_learns_scoring_monitor_sees_each_epoch():
    callback = pytest.importorskip("sklearn.callback")
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = make_pipeline(StandardScaler(), MLPClassifier(**{**OURS, "max_iter": 4}).set_callbacks(monitor))
    frame = pandas.DataFrame(X_IRIS).add_prefix("x")
    model.set_output(transform="pandas").fit(frame, NAMES)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == 4
    assert rows[-1]["accuracy"] == model.score(frame, NAMES)


# -- doors back -----------------------------------------------------------------------------


def test_the_network_is_a_network():
    model = MLPClassifier(**OURS).fit(X_IRIS, NAMES)
    network = model.network_
    assert isinstance(network, Network)
    assert (network.predict(X_IRIS) == model.predict(X_IRIS)).all()
    assert network.score(X_IRIS, NAMES) == model.score(X_IRIS, NAMES)
    assert "z₁ = X W₁ + b₁" in str(network.equations())
    np.testing.assert_array_equal(model.transform(X_IRIS), network.trace(X_IRIS, NAMES)["a2"])
    model.coefs_[-1] = np.zeros((7, 3))  # as people do with scikit-learn's
    assert set(model.predict(X_IRIS)) == {NAMES[model.intercepts_[-1].argmax() * 50]}
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for twin in copies:
        assert not twin.coefs_[-1].any()
        twin.coefs_[0][...] = 0
        assert not twin.network_.parameters["W1"].any()
    assert model.coefs_[0].any()


def test_a_file_of_the_network_predicts_the_same(tmp_path):
    model = MLPRegressor(**OURS).fit(X_REG, Y_REG)
    path = model.network_.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(Network.load(path).predict(X_REG), model.predict(X_REG))


def test_scripts_predict_and_train_the_same():
    model = MLPClassifier(**{**OURS, "batch_size": 150, "n_iter_no_change": 99}).fit(X_IRIS, NAMES)
    predicting: dict = {}
    exec(model.network_.script(), predicting)
    assert (predicting["predict"](X_IRIS) == model.predict(X_IRIS)).all()
    training: dict = {}
    text = model.network_.script(optimizer=AdamEpsilonHat(1e-3), epochs=25, batch_size=None, data=(X_IRIS, NAMES))
    assert "np.random.RandomState(0)" in text
    exec(text, training)
    theirs, _ = both("MLPClassifier", X_IRIS, NAMES, batch_size=150)
    for W, known, scikit_learns in zip(("W1", "W2", "W3"), model.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(training[W], known, rtol=1e-9)
        np.testing.assert_allclose(training[W], scikit_learns, rtol=1e-9)


def test_pictures_take_estimators():
    from workings import plots

    model = MLPClassifier(**OURS).fit(X_IRIS[:, :2], NAMES)
    assert len(plots.boundary(model, X_IRIS[:, :2], NAMES).collections) > 0
    curves = plots.curves({"loss": model.loss_curve_})
    np.testing.assert_array_equal(curves.lines[0].get_ydata(), model.loss_curve_)


def test_training_from_given_weights():
    known = neural_network.MLPClassifier(**SMALL).fit(X_IRIS, NAMES)
    model = MLPClassifier(**OURS, warm_start=True)
    model.coefs_ = [W.copy() for W in known.coefs_]
    model.intercepts_ = [b.copy() for b in known.intercepts_]
    model.n_features_in_ = 4
    model.fit(X_IRIS, NAMES)
    again = known.set_params(warm_start=True).fit(X_IRIS, NAMES)
    np.testing.assert_allclose(model.coefs_[0], again.coefs_[0], rtol=1e-9)


def test_a_notebook_shows_the_network():
    model = MLPClassifier(**OURS)
    before = model._repr_html_()
    assert "<svg" not in before.replace(before[: before.find("</style>")], "")
    drawn = model.fit(X_IRIS, NAMES)._repr_html_()
    assert "MLPClassifier" in drawn
    assert 'aria-label="Network(' in drawn
    assert drawn.count("<circle") >= 4 + 10 + 7 + 3  # of the layer of 12, ten are drawn
    assert 'aria-label="Network(' in model._repr_mimebundle_()["text/html"]


def test_the_last_hidden_layer_has_names_and_frames():
    model = MLPClassifier(**OURS).fit(X_IRIS, NAMES)
    assert model.get_feature_names_out().tolist() == [f"mlpclassifier{i}" for i in range(7)]
    for frame, kind in (("pandas", pandas.DataFrame), ("polars", polars.DataFrame)):
        found = model.set_output(transform=frame).transform(X_IRIS)
        assert isinstance(found, kind)
        assert list(found.columns) == [f"mlpclassifier{i}" for i in range(7)]


# -- around them ----------------------------------------------------------------------------


def test_in_pipelines_and_searches_on_two_processes():
    table = pandas.DataFrame(X_IRIS, columns=list("abcd")).assign(colour=np.where(X_IRIS[:, 0] > 0, "red", "blue"))
    columns = ColumnTransformer([("n", StandardScaler(), list("abcd")), ("c", OneHotEncoder(), ["colour"])])
    pipeline = make_pipeline(columns, MLPClassifier(**{**OURS, "max_iter": 60, "learning_rate_init": 0.01}))
    grid = {"mlpclassifier__hidden_layer_sizes": [(4,), (8, 8)], "mlpclassifier__dropout": [0.0, 0.1]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(table, NAMES)
    assert search.best_score_ > 0.9
    alone = GridSearchCV(pipeline, grid, cv=3).fit(table, NAMES)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


def test_in_cross_validation_calibration_and_votes():
    model = MLPClassifier(**{**OURS, "max_iter": 40, "learning_rate_init": 0.01})
    scores = cross_validate(model, X_IRIS, NAMES, cv=3, return_train_score=True)
    assert scores["test_score"].mean() > 0.9
    for ensemble in (
        CalibratedClassifierCV(model, cv=3),
        VotingClassifier([("a", model), ("b", model)], voting="soft"),
    ):
        assert ensemble.fit(X_IRIS, NAMES).score(X_IRIS, NAMES) > 0.9


def test_as_a_step_that_hands_its_hidden_layer_on():
    pipeline = make_pipeline(MLPClassifier(**OURS), Ridge())
    assert pipeline.fit(X_IRIS, Y_IRIS).score(X_IRIS, Y_IRIS) > 0.8


@pytest.mark.parametrize("kind", [pandas.DataFrame, polars.DataFrame])
def test_frames_have_names_that_are_checked(kind):
    frame = kind({"a": X_IRIS[:, 0], "b": X_IRIS[:, 1]})
    other = kind({"a": X_IRIS[:, 0], "c": X_IRIS[:, 1]})
    y = (pandas if kind is pandas.DataFrame else polars).Series(NAMES.tolist())
    model = MLPClassifier(**OURS).fit(frame, y)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    plain = MLPClassifier(**OURS).fit(X_IRIS[:, :2], NAMES)
    assert (model.predict(frame) == plain.predict(X_IRIS[:, :2])).all()
    with pytest.raises(ValueError, match="feature names"):
        model.predict(other)


def test_metadata_is_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        w = np.linspace(0, 2, len(X_IRIS))
        model = MLPClassifier(**OURS).set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model).fit(X_IRIS, NAMES, sample_weight=w)
        plain = MLPClassifier(**OURS).fit(StandardScaler().fit_transform(X_IRIS), NAMES, sample_weight=w)
        np.testing.assert_array_equal(pipeline[-1].coefs_[0], plain.coefs_[0])
        MLPClassifier().set_partial_fit_request(classes=True)


def frame_of_flowers(rows):
    """Iris as a frame with columns of unlike scale and one of text."""
    names = np.where(np.arange(150) % 2, "odd", "even")
    frame = pandas.DataFrame({"a": X_IRIS[:, 0] * 100 + 7, "b": X_IRIS[:, 2] / 50, "c": X_IRIS[:, 3], "d": names})
    return frame[rows]


@pytest.mark.parametrize("settings", [
    {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 60, "learning_rate_init": 0.01},
    {"solver": "lbfgs"},
    {"early_stopping": True, "scoring": "neg_log_loss"},
], ids=str)  # fmt: skip
def test_a_pipeline_transforms_the_validation_rows(settings):
    out = np.arange(150) % 3 == 0
    table, held, y, y_held = frame_of_flowers(~out), frame_of_flowers(out), NAMES[~out], NAMES[out]

    def columns():
        return ColumnTransformer([("n", StandardScaler(), ["a", "b", "c"]), ("c", OneHotEncoder(), ["d"])])

    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**{**OURS, **settings}).set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(columns(), model, transform_input=["X_val"])
        pipeline.fit(table, y, X_val=held, y_val=y_held)
    before = columns().fit(table)
    by_hand = MLPClassifier(**{**OURS, **settings}, validation_set=(before.transform(held), y_held))
    by_hand.fit(before.transform(table), y)
    assert pipeline[-1].validation_loss_curve_ == by_hand.validation_loss_curve_
    assert pipeline[-1].validation_scores_ == by_hand.validation_scores_
    for ours, known in zip(pipeline[-1].coefs_, by_hand.coefs_, strict=True):
        np.testing.assert_array_equal(ours, known)
    assert pipeline[-1].validation_loss_curve_[-1] < 1


def test_a_search_hands_validation_rows_to_each_fit():
    out = np.arange(150) % 3 == 0
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**OURS, early_stopping=True).set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline([("scale", StandardScaler()), ("net", model)], transform_input=["X_val"])
        search = GridSearchCV(pipeline, {"net__alpha": [1e-4, 1.0]}, cv=2)
        search.fit(X_IRIS[~out], NAMES[~out], X_val=X_IRIS[out], y_val=NAMES[out])
    best = search.best_estimator_
    assert best[-1].best_validation_score_ == best.score(X_IRIS[out], NAMES[out])


@pytest.mark.parametrize(("given", "message"), [
    ({"X_val": X_IRIS}, "X_val is provided, but y_val was not provided"),
    ({"y_val": NAMES}, "y_val is provided, but X_val was not provided"),
    ({"sample_weight_val": np.ones(150)}, "sample_weight_val is provided, but X_val and y_val"),
    ({"X_val": X_IRIS[:9], "y_val": NAMES}, "must have the same number of rows"),
    ({"X_val": X_IRIS[:, :2], "y_val": NAMES}, 'transform_input=["X_val"]'),
    ({"X_val": X_IRIS, "y_val": NAMES, "sample_weight_val": np.ones(3)}, "sample_weight.shape"),
    ({"X_val": X_IRIS, "y_val": NAMES, "sample_weight_val": np.zeros(150)}, "non-zero"),
    ({"X_val": X_IRIS, "y_val": np.full(150, np.nan)}, "y_val contains NaN"),
])  # fmt: skip
def test_validation_rows_that_mean_nothing(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        MLPClassifier(**OURS).fit(X_IRIS, NAMES, **given)


def test_validation_rows_are_given_once():
    with pytest.raises(InputError, match="Both X_val and validation_set are given"):
        MLPClassifier(**OURS, validation_set=0.2).fit(X_IRIS, NAMES, X_val=X_IRIS, y_val=NAMES)


def test_joblib_keeps_a_model_and_training_goes_on(tmp_path):
    model = MLPRegressor(**OURS).fit(X_REG, Y_REG)
    joblib.dump(model, tmp_path / "model.joblib")
    twin = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    np.testing.assert_array_equal(twin.predict(X_REG), model.predict(X_REG))
    for one in (model, twin):
        one.partial_fit(X_REG, Y_REG)
    np.testing.assert_array_equal(twin.coefs_[0], model.coefs_[0])


def test_workers_share_the_processors():
    pytest.importorskip("llvmlite")

    def threads_of_a_worker(_):  # within the test: a worker may import another package that is called tests
        """How many threads BLAS and large products of compiled networks may take here."""
        import numpy
        from threadpoolctl import threadpool_info

        from workings.engines.kernels.threads import threads

        numpy.ones((2, 2)) @ numpy.ones((2, 2))
        return threads(), max((pool["num_threads"] for pool in threadpool_info()), default=1)

    found = joblib.Parallel(n_jobs=2)(joblib.delayed(threads_of_a_worker)(i) for i in range(2))
    each = max(joblib.cpu_count() // 2, 1)
    assert all(ours <= each and theirs <= each for ours, theirs in found)


def test_networks_that_train_in_threads_share_the_processors(monkeypatch):
    pytest.importorskip("llvmlite")
    from workings.engines.kernels import threads as team

    monkeypatch.setattr(team, "threads", lambda: 4)
    with team.Team(np.float64, 2**22) as (_, alone), team.Team(np.float64, 2**22) as (_, second):
        assert (len(alone), len(second)) == (4, 2)
    with team.Team(np.float64, 2**22) as (_, again):
        assert len(again) == 4


# -- what is refused, and what is said ------------------------------------------------------


@pytest.mark.parametrize(("parameters", "message"), [
    ({"alpha": -1}, "alpha must be a number in [0, inf)"),
    ({"momentum": 2}, "momentum must be a number in [0, 1]"),
    ({"solver": "adamm"}, "Did you mean 'adam'?"),
    ({"activation": "rellu"}, "Did you mean 'relu'?"),
    ({"activation": ["relu"]}, "activation has 1 entries, but there are 2 hidden layers"),
    ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes must be > 0"),
    ({"hidden_layer_sizes": "ab"}, "must contain positive whole numbers"),
    ({"max_iter": 1.5}, "max_iter must be a positive whole number"),
    ({"batch_size": 0}, "or 'auto'"),
    ({"shuffle": 1}, "shuffle must be True or False"),
    ({"engine": "gpu"}, "Unknown engine"),
    ({"callbacks": EarlyStopping()}, "callbacks must be a list"),
    ({"clip": 0}, "clip must be a positive number"),
    ({"validation_set": 2}, "validation_set must be (X, y) or a fraction"),
    ({"validation_set": (X_IRIS, ["tulip"] * 150)}, "has labels that are not in y: ['tulip']"),
    ({"validation_set": (X_IRIS, NAMES[:9])}, "must have the same number of rows"),
    ({"loss": "hinge"}, "Unknown loss"),
    ({"loss": Poisson()}, "is for counts"),
    ({"optimizer": "rmsprop"}, "Write RMSProp(…), with parentheses."),
    ({"class_weight": "balance"}, 'class_weight must be None, "balanced" or a dict of label to weight'),
    ({"class_weight": {"tulip": 2.0}}, "class_weight has 'tulip', which is not a label: the labels in y are 'setosa',"),
    ({"validation_set": (X_IRIS[:, :2], NAMES)}, "In the validation set: X has a wrong number of columns"),
    ({"validation_set": (NAMES.reshape(-1, 1), NAMES)}, "In a pipeline, use a fraction of the rows"),
    ({"solver": "lbfgs", "schedule": Step(0.1, every=2)}, "L-BFGS does not support schedule and clip"),
    ({"dtype": "int8"}, "dtype must be float32 or float64"),
    ({"dropout": "0.1"}, "or a list of such numbers, one for each hidden layer, not '0.1' (str)"),
    ({"dropout": [0.1, 1.0]}, "dropout must be a number in [0, 1)"),
    ({"dropout": np.array([0.1])}, "dropout has 1 entries, but there are 2 hidden layers"),
    ({"scoring": "accuracy"}, "scoring='accuracy' requires validation rows"),
    ({"scoring": "accuracy", "solver": "lbfgs", "early_stopping": True}, "pass validation_set=(X, y)"),
    ({"callbacks": [EarlyStopping()]}, "Give validation_set=(X_val, y_val) or validation_set=0.2."),
])  # fmt: skip
def test_parameters_that_mean_nothing(parameters, message):
    with pytest.raises(InputError, match=re.escape(message)):
        MLPClassifier(**{**OURS, **parameters}).fit(X_IRIS, NAMES)


def test_a_regressors_first_argument_is_its_loss():
    with pytest.raises(InputError, match=r"write hidden_layer_sizes=\(16,\)"):
        MLPRegressor((16,)).fit(X_REG, Y_REG)


def test_warnings_of_a_training_that_is_not_done():
    with pytest.warns(ConvergenceWarning, match="max_iter=2") as first:
        MLPClassifier(max_iter=2).fit(X_IRIS, NAMES)
    with pytest.warns(ConvergenceWarning, match="L-BFGS stopped after 2 iterations") as second:
        MLPClassifier(max_iter=2, solver="lbfgs").fit(X_IRIS, NAMES)
    with pytest.warns(ConvergenceWarning, match="Try a larger max_fun"):
        MLPClassifier(max_fun=5, solver="lbfgs").fit(X_IRIS, NAMES)
    with pytest.warns(UserWarning, match="larger than the number of rows, 150") as third:
        MLPClassifier(max_iter=1, batch_size=1000).fit(X_IRIS, NAMES)
    assert {warning.filename for warning in (*first, *second, *third)} == {__file__}  # the line that called fit


@pytest.mark.parametrize("engine", [*(["compiled"] if is_installed() else []), "reference"])
def test_training_that_nothing_ends_but_its_last_epoch(engine):
    ours = MLPClassifier(n_iter_no_change=np.inf, max_iter=40, random_state=0, engine=engine).fit(X_IRIS, NAMES)
    theirs = neural_network.MLPClassifier(n_iter_no_change=np.inf, max_iter=40, random_state=0).fit(X_IRIS, NAMES)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)


def test_a_training_that_diverges():
    with pytest.raises(InputError, match=r"Solver produced non-finite parameter weights.*ClipByNorm"):
        MLPRegressor(solver="sgd", learning_rate_init=1e6, random_state=0).fit(X_REG, Y_REG)
    with pytest.raises(InputError, match="Solver produced non-finite parameter weights"):
        MLPRegressor(solver="lbfgs", early_stopping=True, random_state=0).fit(X_REG, Y_REG * 1e200)
    settings = {"solver": "sgd", "activation": "identity", "learning_rate_init": 1.0, "early_stopping": True}
    with pytest.warns(ConvergenceWarning, match="the best weights were restored"):
        model = MLPRegressor(**settings, random_state=0).fit(X_REG * 20, Y_REG)
    assert math.isnan(model.validation_scores_[-1])
    assert np.isfinite(model.coefs_[0]).all()


def test_ctrl_c_keeps_what_was_learned():
    class Interrupt(Callback):
        def on_epoch_end(self, training):
            if training.epoch == 3:
                raise KeyboardInterrupt

    for solver in ("adam", "lbfgs"):
        with pytest.warns(UserWarning, match="interrupted"):
            model = MLPClassifier(**OURS, solver=solver, callbacks=[Interrupt()]).fit(X_IRIS, NAMES)
        assert model.n_iter_ in (3, 4)
        assert len(model.loss_curve_) == model.n_iter_
        assert model.loss_ == model.loss_curve_[-1]
        assert model.predict(X_IRIS).shape == (150,)


def test_what_is_printed(capsys):
    MLPClassifier(**OURS, verbose=True, early_stopping=True).fit(X_IRIS, NAMES)
    said = capsys.readouterr().out
    assert said.count("Iteration") == said.count("Validation score") > 0
    MLPClassifier(**OURS, verbose=True, solver="lbfgs").fit(X_IRIS, NAMES)
    assert "Iteration 25, loss = " in capsys.readouterr().out


def test_without_scikit_learn_the_extra_is_named():
    code = "import sys; sys.modules['sklearn'] = None\nimport workings.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "MissingExtraError" in done.stderr
    assert "pip install '.[sklearn]'" in done.stderr


def test_a_larger_table_is_learned():
    X, y = load_breast_cancer(return_X_y=True)
    theirs = neural_network.MLPClassifier(max_iter=20, random_state=0)
    ours = MLPClassifier(max_iter=20, random_state=0, engine="reference")
    scores = [make_pipeline(StandardScaler(), model).fit(X, y).score(X, y) for model in (theirs, ours)]
    assert scores[0] == pytest.approx(scores[1], abs=0.005)


def test_defaults_are_scikit_learns_adam_and_penalty():
    network = MLPClassifier(max_iter=1).fit(X_IRIS, NAMES).network_
    assert repr(network.regularizers[0]) == "L2PerRow(alpha=0.0001)"
    assert AdamEpsilonHat(1e-3) != Adam(1e-3)
    assert isinstance(network.layers[0], Dense)
    assert L2(1e-4) not in network.regularizers


def test_float_labels_can_be_saved_and_class_weights_are_checked(tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier((4,), max_iter=3, random_state=0, engine="reference")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y.astype(float))
    assert model.predict(X).dtype == np.float64
    assert (
        Network.load(model.network_.save(tmp_path / "iris.safetensors")).predict(X).tolist()
        == model.predict(X).tolist()
    )
    for wrong in (-1.0, np.nan, np.inf, "2"):
        with pytest.raises(ValueError, match="class_weight must contain"):
            MLPClassifier(class_weight={0: wrong}).fit(X, y)


# -- what the doctor says ---------------------------------------------------------------------


def ill(kind: Any = MLPClassifier, y: Any = None, weights: Any = None, **settings: Any) -> Any:
    X, labels = moons()
    y = np.array(["no", "yes"])[labels] if y is None else y(X)
    model = kind(**{"random_state": 0, "max_iter": 40, **settings})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of training that did not converge
        return model.fit(X, y, weights), X, y


THRICE = Activation("thrice", np.tanh, lambda z, a: 3 * (1 - a**2))


@pytest.mark.parametrize(
    ("finding", "settings", "changed"),
    [
        ("still-falling", {"max_iter": 12}, {"warm_start": True}),
        ("still-falling", {"max_iter": 12, "class_weight": "balanced"}, {"warm_start": True}),
        ("still-falling", {"max_iter": 12, "weights": np.linspace(0.5, 1, 200)}, {"warm_start": True}),
        ("learning-rate-too-large", {"solver": "sgd", "learning_rate_init": 300.0}, {"learning_rate_init": 3.0}),
        ("learning-rate-too-large", {"optimizer": SGD(300.0), "clip": 5.0}, {"optimizer": SGD(3.0)}),
        ("learning-rate-too-large", {"solver": "sgd", "schedule": Cosine(300.0, 700)}, {"schedule": Cosine(0.3, 700)}),
        ("learning-rate-too-small", {"learning_rate_init": 1e-7}, {"learning_rate_init": 0.1}),
        ("no-bend", {"activation": "identity"}, {"activation": "relu"}),
        ("equal-units", {"init": "zeros"}, {"init": None}),
        ("weights-too-small", {"init": "normal", "hidden_layer_sizes": [16] * 9}, {"init": None}),
        ("vanishing-gradient", {"activation": ["logistic"] * 9, "hidden_layer_sizes": [9] * 9}, {"activation": "relu"}),
        ("cannot-overfit", {"hidden_layer_sizes": (1,), "max_iter": 1000}, {"hidden_layer_sizes": (4,)}),
        ("strong-regularizer", {"kind": MLPRegressor, "y": lambda X: X[:, 0], "weight_decay": 500.0, "max_iter": 200},
         {"weight_decay": 5.0}),
        ("starting-loss", {"kind": MLPRegressor, "y": lambda X: 0.01 * X[:, 0], "activation": "selu"},
         {"init": [None, "zeros"]}),
        ("unscaled-targets", {"kind": MLPRegressor, "y": lambda X: 1e3 * X[:, 0]}, {}),
        ("wrong-gradient", {"activation": THRICE}, {}),
    ],
)  # fmt: skip
def test_the_doctor_says_to_an_estimator_which_parameters_to_set(finding, settings, changed, capsys):
    model, X, y = ill(**settings)
    diagnosis = model.network_.diagnose(X, y, model.history_)
    assert finding in diagnosis.names, str(diagnosis)
    for found in diagnosis.findings:
        assert "net.fit" not in found.change
        assert "Network(" not in found.change
        other, names = clone(model), {"X": X, "y": y}
        if "warm_start" in found.change:
            other = model
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(found.change, names | {"model": other if ".fit(" in found.change else model})
        if found.name == finding:
            assert {name: other.get_params()[name] for name in changed} == changed
            assert "fit" not in found.change or other.network_ is not None


def test_what_the_doctor_says_of_a_rate_makes_an_estimator_better():
    model, X, y = ill(solver="sgd", learning_rate_init=300.0)
    before = model.loss_
    (found,) = model.network_.diagnose(X, y, model.history_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(found.change, {"model": model, "X": X, "y": y})
    assert model.loss_ < before / 2
    assert pickle.loads(pickle.dumps(model)).history_["loss"] == model.history_["loss"]


def test_rows_that_are_put_aside_do_not_keep_the_doctor_from_weighted_estimators():
    model, X, y = ill(class_weight={"no": 2.0, "yes": 1.0}, early_stopping=True, max_iter=200)
    assert model.network_.diagnose(X, y, model.history_) is not None


# -- weights of 0, labels and validation rows -----------------------------------------------

HALF = (X_IRIS[50:], NAMES[50:])


@pytest.mark.parametrize("engine", ["reference", "compiled"])
@pytest.mark.parametrize("settings", [
    {}, {"solver": "sgd"}, {"alpha": 0.3, "activation": "tanh"},
    {"max_iter": 30, "n_iter_no_change": 2, "tol": 1.0},
])  # fmt: skip
def test_a_batch_without_weight_is_left_out(settings, engine):
    if engine == "compiled" and not is_installed():
        pytest.skip("needs llvmlite")
    X, y = HALF
    w = np.arange(100) % 3.0
    settings = {**OURS, "max_iter": 3, "batch_size": 1, "shuffle": False, "engine": engine, **settings}
    given = MLPClassifier(**settings).fit(X, y, sample_weight=w)
    without = MLPClassifier(**settings).fit(X[w > 0], y[w > 0], sample_weight=w[w > 0])
    np.testing.assert_array_equal(given.coefs_[0], without.coefs_[0])
    assert given.loss_curve_ == without.loss_curve_
    assert given.history_.engine.startswith(engine)


@pytest.mark.parametrize(("batch_size", "w"), [
    (5, np.repeat([1.0, 0.0, 1.0], [40, 20, 40])), (5, np.repeat([1.0, 0.0], [80, 20])), (7, np.eye(100)[3]),
    (5, np.repeat([0.0, 1.0], [7, 93])), (40, np.repeat([1.0, 0.0], [50, 50])),
])  # fmt: skip
def test_batches_without_weight_may_lie_anywhere(batch_size, w):
    X, y = HALF
    for shuffle in (True, False):
        settings = {**OURS, "batch_size": batch_size, "shuffle": shuffle, "max_iter": 5}
        model = MLPClassifier(**settings).fit(X, y, sample_weight=w)
        assert np.isfinite(model.loss_curve_).all()
        starts = np.arange(0, 100, batch_size)
        counted = sum(w[start : start + batch_size].any() for start in starts)
        assert shuffle or model._optimizer_state["step"] == 5 * counted


def test_a_class_of_weight_0_is_left_out():
    X, y = HALF
    for settings in ({"batch_size": 1}, {"batch_size": 3}, {"solver": "lbfgs"}, {"batch_size": 100}):
        model = MLPClassifier(**{**OURS, "max_iter": 5, **settings}, class_weight={"virginica": 0}).fit(X, y)
        assert np.isfinite(model.loss_curve_).all()
        assert (model.predict_proba(X)[:, 0].mean()) > 0.5
    assert np.isfinite(MLPRegressor(**{**OURS, "batch_size": 1}).fit(X_REG, Y_REG, np.eye(120)[5]).loss_)


@pytest.mark.parametrize(("w", "message"), [
    (np.zeros(100), "non-zero"), (np.full(100, np.nan), "NaN"), (np.full(100, np.inf), "infinity"),
    (np.linspace(-1, 1, 100), "Sample weights must be 0 or more; the smallest is -1"), (["a"] * 100, "hold numbers"),
    (np.ones(99), "sample_weight.shape"), (np.ones((100, 1)), "1D array"), (0.0, "non-zero"),
])  # fmt: skip
def test_weights_that_mean_nothing(w, message):
    for kind, y in ((MLPClassifier, HALF[1]), (MLPRegressor, HALF[0][:, 0])):
        with pytest.raises(InputError, match=message):
            kind(max_iter=1).fit(HALF[0], y, sample_weight=w)


@pytest.mark.parametrize("settings", [{"early_stopping": True, "validation_fraction": 0.5}, {"validation_set": 0.5}])
def test_weights_that_a_split_leaves_without_rows(settings):
    for w, part in ((np.eye(100)[7], "(training|validation)"), (np.eye(100)[8], "(training|validation)")):
        with pytest.raises(InputError, match=f"Every row of the {part} set has weight 0, after 50 of 100 rows"):
            MLPClassifier(**OURS, **settings).fit(*HALF, sample_weight=w)
    with pytest.raises(InputError, match="Every row has weight 0"):
        MLPClassifier(**OURS, class_weight={"virginica": 0, "versicolor": 0}).fit(*HALF)
    w = (HALF[1] == "virginica").astype(float)
    with pytest.raises(InputError, match="Every row has weight 0"):
        MLPClassifier(**OURS, class_weight={"virginica": 0}).fit(*HALF, sample_weight=w)


@pytest.mark.parametrize(("labels", "weights"), [
    (np.array(["1", "2", "3"]), {"1": 5, "2": 1}), (np.array(["1", "01", "1.0"], object), {"01": 5, "1": 2}),
    (np.array(["True", "None", "nan"]), {"nan": 5}), (np.array([1, 2, 3]), {1: 5, 2: 1}),
    (np.array([1.0, 2.0, 3.0]), {1: 5, 2.0: 1}), (np.array([2**53, 2**53 + 1, 2**60]), {2**53 + 1: 5}),
    (np.array([-3, 0, 2], np.int8), {np.int64(-3): np.float32(5)}),
])  # fmt: skip
def test_class_weights_of_any_labels(labels, weights):
    y = labels[Y_IRIS]
    w = np.array([weights.get(label, 1.0) for label in y.tolist()], float)
    told = MLPClassifier(**OURS, class_weight=weights).fit(X_IRIS, y)
    np.testing.assert_array_equal(told.coefs_[0], MLPClassifier(**OURS).fit(X_IRIS, y, sample_weight=w).coefs_[0])
    assert set(told.predict(X_IRIS).tolist()) <= set(labels.tolist())


@pytest.mark.parametrize(("labels", "message"), [
    ([2.0**53, 2.0**53 + 2], "as integers or as text"), ([1e19, 2e19], "as integers or as text"),
    (np.array([2**24, 3], np.float32), "From 16777216, float32"), ([-(2.0**60), 0.0], "as integers or as text"),
    (np.array([1, "1"], object), "labels of type int, str"), (np.array([True, 1], object), "labels of type bool, int"),
])  # fmt: skip
def test_labels_that_are_not_distinct_are_refused(labels, message):
    y = np.asarray(labels)[np.arange(100) % 2]
    with pytest.raises(InputError, match=message):
        MLPClassifier(**OURS).fit(HALF[0], y)
    with pytest.raises(InputError, match=message):
        Network([Dense(2)], loss="CrossEntropy", seed=0).fit(HALF[0], y, optimizer=Adam(), epochs=1)


@pytest.mark.parametrize("names", [NAMES, NAMES[50:]])
def test_a_fraction_of_validation_rows_is_drawn_by_class(names):
    X = np.arange(1.0, len(names) + 1)[:, None]
    seen = []

    def scorer(estimator, X, y):
        seen.append(X[:, 0] - 1)
        return 0.0

    MLPClassifier(**{**OURS, "init": "zeros", "max_iter": 1}, validation_set=0.13, scoring=scorer).fit(X, names)
    rng = np.random.RandomState(0)
    expected = train_test_split(np.arange(len(X)), stratify=names, test_size=0.13, random_state=rng)[1]
    assert seen[0].tolist() == expected.tolist()


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}])
def test_a_class_of_one_row_stays_in_the_training_set(settings):
    y = np.where(np.arange(150) == 77, "one", NAMES)
    settings = {"validation_set": 0.2, **settings}
    model = MLPClassifier(**OURS, **settings).fit(X_IRIS, y)
    assert "one" in model.classes_
    rare = np.where(np.arange(150) == 77, 1, 0)
    assert MLPClassifier(**OURS, **settings).fit(X_IRIS, rare).classes_.tolist() == [0, 1]
    with pytest.raises(InputError, match=r"cannot be drawn by class.*only 1 member"):  # as in scikit-learn
        MLPClassifier(**OURS, early_stopping=True).fit(X_IRIS, rare)
    with pytest.raises(InputError, match="cannot be drawn by class"):
        MLPClassifier(**OURS, validation_set=0.01).fit(X_IRIS, NAMES)


# -- errors in our words ---------------------------------------------------------------------

X_MOONS, Y_MOONS = moons(60, seed=0)
WITH_GAP = np.where(np.arange(120).reshape(60, 2) == 7, np.nan, X_MOONS)
NOT_NUMBERS: dict[str, tuple[Any, str]] = {
    "complex": (X_MOONS + 1j, "complex numbers, but it must hold real.*Complex data not supported"),
    "complex objects": ((X_MOONS + 1j).astype(object), "X must hold numbers"),
    "a gap": (WITH_GAP, "missing or not finite.*Input X contains NaN"),
    "infinity": (np.where(np.isnan(WITH_GAP), np.inf, X_MOONS), "missing or not finite.*contains infinity"),
    "None": (np.where(np.isnan(WITH_GAP), None, X_MOONS), "missing or not finite"),
    "no rows": (X_MOONS[:0], r"X has no rows.*0 sample\(s\)"),
    "no columns": (X_MOONS[:, :0], r"X has no columns.*0 feature\(s\)"),
    "one dimension": (X_MOONS[:, 0], "one dimension, but rows are samples.*Reshape your data"),
    "three dimensions": (X_MOONS[:, :, None], "wrong number of dimensions"),
    "ragged": ([[1.0, 2.0], [3.0]], "rows of different lengths"),
    "digits": ([["3", "4"]] * 60, r"X has .*'3' \(str\) at row 0, column 0; it must hold numbers"),
    "digits in an array": (X_MOONS.astype(str), "Encode text columns"),
    "digits as objects": (np.where(np.isnan(WITH_GAP), "3", X_MOONS.astype(object)), "at row 3, column 1"),
    "digits in a table": (pandas.DataFrame({"a": ["3"] * 60, "b": ["4"] * 60}), "Encode text columns"),
    "bytes": (X_MOONS.astype("S8"), "it must hold numbers"),
    "two columns of one name": (pandas.DataFrame(X_MOONS, columns=["a", "a"]), "several columns of one name"),
    "names of several types": (pandas.DataFrame(X_MOONS, columns=["a", 1]), "names of X's columns do not fit"),
    "a sparse matrix of complex numbers": (sparse.csr_array(X_MOONS + 1j), "complex numbers"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NOT_NUMBERS)
def test_inputs_that_are_no_numbers_are_refused_in_every_method(kind: str, fitted_on_moons: Any) -> None:
    X, message = NOT_NUMBERS[kind]
    model = fitted_on_moons
    calls = [
        model.predict, model.predict_proba, model.transform, lambda X: model.score(X, Y_MOONS),
        lambda X: clone(model).fit(X, Y_MOONS), lambda X: clone(model).partial_fit(X, Y_MOONS, classes=[0, 1]),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(InputError, match=re.compile(message, re.DOTALL)):
            call(X)


@pytest.fixture(scope="module")
def fitted_on_moons() -> Any:
    """A small classifier of the moons."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MLPClassifier((3,), max_iter=3, random_state=0, engine="reference").fit(X_MOONS, Y_MOONS)


MASK = np.arange(60) == 4
BAD_WEIGHTS: dict[str, tuple[Any, str]] = {
    "masked": (np.ma.masked_array(np.ones(60), MASK), "masked value at row 4"),
    "NaN": (np.where(MASK, np.nan, 1.0), "not finite"),
    "negative": (np.where(MASK, -1.0, 1.0), "0 or more"),
    "zeros": (np.zeros(60), "non-zero"),
    "digits": (["1"] * 60, "must hold numbers"),
    "too few": (np.ones(3), "inconsistent|shape"),
    "dates": (np.zeros(60, dtype="M8[s]"), "dates or times"),
}


@pytest.mark.parametrize("weights", [{}, {"a": 1}, set(), object(), "abc", 1 + 2j])
def test_weights_of_a_type_that_holds_no_numbers_are_named(weights):
    with pytest.raises(InputError, match=r"^sample_weight must hold numbers, not "):
        MLPClassifier((2,)).fit(np.eye(4), [0, 1, 0, 1], sample_weight=weights)


@pytest.mark.parametrize("kind", BAD_WEIGHTS)
def test_a_score_refuses_the_weights_that_fit_refuses(kind: str, fitted_on_moons: Any) -> None:
    w, message = BAD_WEIGHTS[kind]
    regressor = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, engine="reference").fit(X_MOONS, X_MOONS[:, 0])
    for call in (fitted_on_moons.score, clone(fitted_on_moons).fit, lambda X, y, w: regressor.score(X, X[:, 0], w)):
        with pytest.raises(InputError, match=message):
            call(X_MOONS, Y_MOONS, w)


@pytest.mark.parametrize("y", [
    np.ma.masked_array(Y_MOONS, MASK), np.where(MASK, np.nan, Y_MOONS), ["a", 1] * 30, [None, 1] * 30, Y_MOONS[:3],
    Y_MOONS.astype("M8[s]"), Y_MOONS + 1j, X_MOONS[:, 0], "abc", 1, [[1], [1, 2]] * 30,
])  # fmt: skip
def test_a_score_refuses_targets_in_our_words(y: Any, fitted_on_moons: Any) -> None:
    with pytest.raises(InputError):
        fitted_on_moons.score(X_MOONS, y)


def test_scores_are_scikit_learns(fitted_on_moons: Any) -> None:
    w = np.linspace(0, 1, 60)
    expected = sklearn.metrics.accuracy_score(Y_MOONS, fitted_on_moons.predict(X_MOONS), sample_weight=w)
    assert fitted_on_moons.score(X_MOONS, Y_MOONS, w) == expected
    regressor = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, engine="reference").fit(X_REG, Y_REG)
    assert regressor.score(X_REG, Y_REG) == sklearn.metrics.r2_score(Y_REG, regressor.predict(X_REG))


@pytest.mark.parametrize(("call", "message"), [
    (lambda model: MLPClassifier(lr=0.1), "Did you mean 'learning_rate_init'?"),
    (lambda model: MLPClassifier((3,), "relu", "adam"), "takes at most 2 arguments without a name"),
    (lambda model: model.fit(X_MOONS), "fit needs y."),
    (lambda model: model.fit(X_MOONS, Y_MOONS, weights=1), "fit has no parameter 'weights'."),
    (lambda model: model.fit(X_MOONS, Y_MOONS, sample_weights=1), "Did you mean 'sample_weight'?"),
    (lambda model: model.partial_fit(X_MOONS, Y_MOONS, labels=[0]), "partial_fit has no parameter 'labels'."),
    (lambda model: model.predict(), "predict needs X."),
    (lambda model: model.score(X_MOONS, Y_MOONS, sample_weights=1), "Did you mean 'sample_weight'?"),
])  # fmt: skip
def test_wrong_arguments_are_named(call: Any, message: str, fitted_on_moons: Any) -> None:
    with pytest.raises(InputError) as caught:
        call(fitted_on_moons)
    assert message in str(caught.value)


# -- checkpoints and joblib ------------------------------------------------------------------


@pytest.mark.parametrize("settings", [
    {"batch_size": 16}, {"batch_size": 16, "early_stopping": True, "n_iter_no_change": 50},
    {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 2, "learning_rate_init": 0.5},
    {"batch_size": 16, "validation_set": 0.2, "dropout": 0.2, "scoring": "accuracy"},
    {"batch_size": 16, "tol": 0.5, "n_iter_no_change": 6},
])  # fmt: skip
def test_a_resumed_fit_counts_all_epochs(settings: dict[str, Any], tmp_path: Path) -> None:
    def fit(epochs: int, *callbacks: Callback) -> Any:
        same = {"max_iter": epochs, "random_state": 0, "engine": "reference", "callbacks": list(callbacks)}
        return MLPClassifier((5,), **same, **settings).fit(X_MOONS, Y_MOONS)

    path = tmp_path / "run.safetensors"
    fit(5, Checkpoint(path))
    whole, resumed = fit(10), fit(10, Checkpoint(path, resume=True))
    for name in ("n_iter_", "t_", "loss_", "loss_curve_", "best_loss_", "validation_scores_", "validation_loss_curve_"):
        assert getattr(whole, name) == getattr(resumed, name), name
    assert whole.n_iter_ > 5
    assert [W.tobytes() for W in whole.coefs_] == [W.tobytes() for W in resumed.coefs_]
    settings = {**settings, "tol": 0.3}
    with pytest.raises(OSError, match="other settings"):
        fit(10, Checkpoint(path, resume=True))


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_joblib_runs_fits_and_predictions_side_by_side(backend: str, fitted_on_moons: Any) -> None:
    X, y, seeds = X_MOONS, Y_MOONS, range(4)

    def fitted_again(network: Network, seed: int) -> Any:
        own = copy.deepcopy(network)
        own.set_random_generator(np.random.default_rng(seed))
        own.fit(X, y, optimizer=SGD(0.1), epochs=3, batch_size=16, engine="reference")
        return own.theta

    models = [MLPClassifier((3,), max_iter=4, random_state=seed, engine="reference") for seed in seeds]
    alone = [clone(model).fit(X, y) for model in models]
    network = copy.deepcopy(fitted_on_moons.network_)
    with joblib.parallel_backend(backend, n_jobs=2):
        beside = joblib.Parallel()(joblib.delayed(model.fit)(X, y) for model in models)
        found = joblib.Parallel()(joblib.delayed(model.predict_proba)(X) for model in [*alone, network] * 3)
        trained = joblib.Parallel()(joblib.delayed(fitted_again)(network, seed) for seed in seeds)
    for one, other in zip(alone, beside, strict=True):
        assert [W.tobytes() for W in one.coefs_] == [W.tobytes() for W in other.coefs_]
    assert [p.tobytes() for p in found] == [model.predict_proba(X).tobytes() for model in [*alone, network]] * 3
    assert [theta.tobytes() for theta in trained] == [fitted_again(network, seed).tobytes() for seed in seeds]
