"""Sparse inputs: the numbers of dense ones, in the memory of sparse ones."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import make_scorer, roc_auc_score

from workings import (
    LBFGS,
    SGD,
    Adam,
    BatchNorm,
    CrossEntropy,
    Dense,
    Dropout,
    EarlyStopping,
    InputError,
    Network,
    SquaredError,
)
from workings.engines.compiled.engine import is_installed
from workings.errors import NotCompilableError
from workings.network import Network as NetworkClass
from workings.program.program import Program
from workings.sklearn import MLPClassifier, MLPRegressor
from workings.support.sparse import DENSE_AT_MOST, DENSE_AT_ONCE, SparseRows

N, N_IN = 600, 8000  # as an array 38 MB: more than is made dense at once
WORDS = sparse.random(N, N_IN, density=2e-3, format="csr", random_state=np.random.default_rng(0))
BLOCKS = [np.asarray(WORDS[:, part : part + 2000].sum(axis=1)).ravel() for part in (0, 2000, 4000)]
KINDS = np.array(["a", "b", "c"])[np.argmax(BLOCKS, axis=0)]
NUMBERS = np.asarray(WORDS[:, :800].sum(axis=1)).ravel()
SETTINGS = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0, "engine": "reference"}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def same(found, expected):
    """Equal to rounding: sums are in another order."""
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_what_is_small_is_made_dense_and_what_is_large_is_not():
    network = Network([Dense(3)], loss=CrossEntropy(), seed=0)
    assert isinstance(network.prepare(WORDS[:100], KINDS[:100])[0], np.ndarray)
    assert isinstance(network.prepare(WORDS, KINDS)[0], SparseRows)
    assert WORDS[:100].shape[0] * N_IN * 8 <= DENSE_AT_ONCE < N * N_IN * 8 <= DENSE_AT_MOST


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"solver": "sgd", "learning_rate_init": 0.1, "batch_size": 64},
        {"solver": "lbfgs"},
        {"batch_size": N},
        {"early_stopping": True},
        {"early_stopping": True, "scoring": "neg_log_loss"},
        {"dropout": 0.3, "batch_norm": True, "validation_set": 0.25, "solver": "sgd"},
        {"shuffle": False, "class_weight": "balanced"},
        {"hidden_layer_sizes": ()},
    ],
    ids=str,
)
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_an_estimator_learns_the_same(more, container):
    settings = {**SETTINGS, **more}
    plain = MLPClassifier(**settings).fit(WORDS.toarray(), KINDS)
    model = MLPClassifier(**settings).fit(container(WORDS), KINDS)
    same(model.loss_curve_, plain.loss_curve_)
    same(model.predict_proba(container(WORDS)), plain.predict_proba(WORDS.toarray()))
    same(model.transform(container(WORDS)), plain.transform(WORDS.toarray()))
    if model.validation_loss_curve_:
        same(model.validation_loss_curve_, plain.validation_loss_curve_)
    if model.validation_scores_:
        same(model.validation_scores_, plain.validation_scores_)


def test_it_learns_the_same_as_scikit_learns():
    settings = {name: value for name, value in SETTINGS.items() if name != "engine"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = neural_network.MLPRegressor(**settings, early_stopping=True).fit(WORDS, NUMBERS)
    ours = MLPRegressor(**SETTINGS, early_stopping=True).fit(WORDS, NUMBERS)
    same(ours.loss_curve_, theirs.loss_curve_)
    same(ours.validation_scores_, theirs.validation_scores_)
    same(ours.predict(WORDS), theirs.predict(WORDS))


def test_partial_fit_sample_weights_and_a_sparse_validation_set():
    weights = np.random.default_rng(0).uniform(0, 2, N)
    found = []
    for X in (WORDS, WORDS.toarray()):
        model = MLPRegressor(**SETTINGS, validation_set=(X[:50], NUMBERS[:50])).fit(X, NUMBERS, weights)
        model.partial_fit(X, NUMBERS)
        found.append(np.concatenate([model.coefs_[0].ravel(), model.validation_loss_curve_, model.predict(X)]))
    same(*found)


def test_a_scorer_is_given_a_matrix_that_it_can_use():
    scorer = make_scorer(roc_auc_score, response_method="predict_proba")
    y = KINDS == "a"
    found = [
        MLPClassifier(**SETTINGS, early_stopping=True, scoring=scorer).fit(X, y).validation_scores_
        for X in (WORDS, WORDS.toarray())
    ]
    same(*found)


LAYERS = {
    "multiplied": [Dense(5, "tanh"), Dense(3)],
    "dropped out": [Dropout(0.1), Dense(5, "tanh"), Dense(3)],
    "normalized": [BatchNorm(), Dense(5, "tanh"), Dense(3)],
}


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_a_network_learns_the_same_whatever_it_does_with_its_inputs(layers):
    found = []
    weights = np.arange(N) % 3 + 0.0  # a third of the rows is left out
    for X in (WORDS, WORDS.toarray()):
        network = Network(layers, loss=CrossEntropy(), seed=0)
        settings = {"optimizer": Adam(0.01), "epochs": 3, "batch_size": 100, "metrics": ["accuracy"]}
        history = network.fit(
            X, KINDS, **settings, validation=0.2, sample_weight=weights, callbacks=[EarlyStopping()], engine="reference"
        )
        trace = network.trace(X, KINDS)
        found.append(
            np.concatenate([
                history["loss"], history["val_loss"], history["val_accuracy"], network.predict_proba(X).ravel(),
                [network.objective(X, KINDS), network.score(X, KINDS)], trace["dW1"].ravel(),
            ])
        )  # fmt: skip
        assert network.check_gradients(X[:50], KINDS[:50]).ok
    same(*found)


def test_full_batches_and_lbfgs():
    for optimizer in (SGD(0.5), LBFGS()):
        histories = []
        for X in (WORDS, WORDS.toarray()):
            network = Network([Dense(4, "tanh"), Dense(1)], loss=SquaredError(), seed=0)
            settings = {"optimizer": optimizer, "epochs": 5, "batch_size": None, "engine": "reference"}
            histories.append(network.fit(X, NUMBERS, **settings, validation=(X[:20], NUMBERS[:20])))
        same(histories[0]["loss"], histories[1]["loss"])
        same(histories[0]["val_loss"], histories[1]["val_loss"])


def test_validation_rows_may_be_sparse_where_training_rows_are_not():
    network = Network([Dense(3)], loss=CrossEntropy(), seed=0)
    history = network.fit(
        WORDS.toarray()[:50], KINDS[:50], optimizer=SGD(0.1), epochs=30, batch_size=None, validation=(WORDS, KINDS)
    )
    assert history["val_loss"][-1] == pytest.approx(network.objective(WORDS.toarray(), KINDS), rel=1e-9)


@pytest.mark.skipif(not is_installed(), reason="llvmlite is not installed")
def test_the_compiled_engine_says_why_it_does_not_take_it():
    network = Network([Dense(3)], loss=CrossEntropy(), seed=0, n_in=WORDS.shape[1])
    with pytest.raises(NotCompilableError, match="X is sparse"):
        network.fit(WORDS, KINDS, optimizer=SGD(0.1), epochs=1, engine="compiled")
    model = MLPClassifier((50,), max_iter=10, batch_size=10).fit(WORDS, KINDS)
    assert model.history_.engine.startswith("reference (X is sparse")
    with pytest.raises(NotCompilableError, match="X is sparse"):
        network.predict(WORDS, engine="compiled")


def test_eight_gigabytes_fit_into_a_hundred_megabytes():
    n, n_in = 10_000, 100_000
    X = sparse.random(n, n_in, density=1e-4, format="csr", random_state=np.random.default_rng(0))
    y = np.asarray(X[:, : n_in // 2].sum(axis=1) > X[:, n_in // 2 :].sum(axis=1)).ravel()
    settings = {"hidden_layer_sizes": (4,), "random_state": 0, "engine": "auto"}
    tracemalloc.start()
    try:
        model = MLPClassifier(**settings, max_iter=2, early_stopping=True, validation_fraction=0.5).fit(X, y)
        chances = model.predict_proba(X)
        assert tracemalloc.get_traced_memory()[1] < 100e6
        limited = Network([Dropout(0.2), Dense(2)], loss=CrossEntropy(), seed=0)  # whose inputs must be made dense
        limited.fit(X[:1000], y[:1000], optimizer=SGD(0.1), epochs=1, batch_size=20, validation=(X, y))
        assert tracemalloc.get_traced_memory()[1] < 200e6
    finally:
        tracemalloc.stop()
    assert chances.shape == (n, 2)
    np.testing.assert_allclose(chances[:50], model.predict_proba(X[:50].toarray()), rtol=1e-9)


def test_what_needs_an_array_that_is_too_large_says_so():
    X = sparse.csr_array((3000, 100_000))
    X = X + sparse.eye_array(3000, 100_000)
    network = Network([BatchNorm(), Dense(1)], loss=SquaredError(), seed=0)
    with pytest.raises(InputError, match=r"array of 2\.2 GB.*smaller batch_size"):
        network.fit(X, np.ones(3000), optimizer=SGD(0.1), epochs=1, batch_size=None)
    with pytest.raises(InputError, match=r"X\[:100\]"):
        network.diagnose(X, np.ones(3000))


def test_what_cannot_be_used_is_refused_as_it_is_in_arrays():
    network = Network([Dense(1)], loss=SquaredError(), n_in=4, seed=0)
    holes = sparse.csr_array(([1.0, np.nan], ([0, 2], [1, 3])), shape=(3, 4))
    for wrong, message in (
        (holes, "nan at row 2, column 3"),
        (sparse.csr_array((3, 5)), "has 5 columns"),
        (sparse.csr_array((3, 4), dtype=complex), "must hold numbers"),
        (sparse.coo_array(np.ones(4)), "rows are samples"),
    ):
        with pytest.raises(InputError, match=message):
            network.predict(wrong)


def test_float32_stays_float32():
    network = Network([Dense(3, "relu"), Dense(3)], loss=CrossEntropy(), seed=0)
    network.fit(WORDS.astype(np.float32), KINDS, optimizer=Adam(), epochs=1)
    assert network.dtype == network.predict_proba(WORDS).dtype == np.float32


def test_only_products_are_left_sparse():
    def program(layers) -> Program:
        return NetworkClass(layers, loss="SquaredError", n_in=2).program(Adam())

    assert program([Dense(3, "tanh"), Dense(1)]).only_multiplies("X")
    assert not program([Dropout(0.1), Dense(1)]).only_multiplies("X")
    assert not program([Dense(1)]).replacing("dW1", "dz1.T @ X").only_multiplies("X")
    assert not program([Dense(1)]).replacing("dW1", "np.dot(X.T, dz1)").only_multiplies("X")


def test_scipy_is_not_imported_by_itself():
    code = "import sys; from workings.support.sparse import is_sparse; print(is_sparse(3), 'scipy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]
