"""Scores from counts and probabilities: those of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workings.metrics import area_under_roc, confusion_counts, f1_of, log_losses, precision_of, recall_of

metrics = pytest.importorskip("sklearn.metrics")


@given(st.integers(2, 5), st.integers(2, 60), st.integers(0, 10**6))
def test_scores_of_classes_are_scikit_learns(k: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, predicted = rng.integers(0, k, (2, n))
    classes = np.arange(k)
    counts = confusion_counts(true, predicted, classes)
    assert (counts == metrics.confusion_matrix(true, predicted, labels=classes)).all()
    expected = metrics.precision_recall_fscore_support(true, predicted, labels=classes, zero_division=0)
    for ours, theirs in zip((precision_of(counts), recall_of(counts), f1_of(counts)), expected, strict=False):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    several = np.stack([counts, counts.T])
    assert (f1_of(several)[0] == f1_of(counts)).all()
    assert (precision_of(several)[1] == recall_of(several)[0]).all()


@given(st.integers(2, 60), st.integers(0, 10**6))
def test_areas_and_losses_of_probabilities_are_scikit_learns(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([1, 1, 1], n).round(2) + 1e-3  # with ties
    p /= p.sum(axis=1, keepdims=True)
    labels = rng.integers(0, 3, n)
    np.testing.assert_allclose(log_losses(labels, p).mean(), metrics.log_loss(labels, p, labels=[0, 1, 2]), rtol=1e-12)
    positive = labels == 0
    if positive.any() and not positive.all():
        assert area_under_roc(positive, p[:, 0]) == pytest.approx(metrics.roc_auc_score(positive, p[:, 0]), rel=1e-12)
    else:
        assert np.isnan(area_under_roc(positive, p[:, 0]))
