"""The report of a training on a table: scores, simple models, the columns' effects, single predictions."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from workings.cli.commands import app
from workings.cli.table_effects import contributions, dependences, permutation_importance, places_of
from workings.cli.table_scores import Predictions, score_text
from workings.errors import InputError
from workings.metrics import wilson_interval
from workings.plots.predictions import calibration, partial_dependence, predicted_against_true
from workings.tables.columns import CategoryColumn, Columns, NumberColumn

COLUMNS = Columns(
    (NumberColumn("a", 5.0, 2.0), CategoryColumn("c", ("x", "y")), NumberColumn("b", 0.0, 1.0, 0.0, indicator=True)),
    "t",
    None,
)


def predict(X: np.ndarray) -> np.ndarray:
    return 3 * X[:, 0] + X[:, 1] - X[:, 2] + 0.5 * X[:, 3] * X[:, 0]


def rows(n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    c, gap = rng.integers(0, 2, n), rng.integers(0, 2, n)
    return np.stack([rng.normal(size=n), c == 0, c == 1, rng.normal(size=n) * (1 - gap), gap], axis=1).astype(float)


@given(st.integers(1, 30))
def test_contributions_add_up_to_the_prediction(n: int) -> None:
    X = rows(n + 1)
    mean, added = contributions(COLUMNS, X[0], X[1:], predict)
    assert list(added) == ["a", "c", "b"]
    assert mean + sum(added.values()) == pytest.approx(predict(X[:1])[0], abs=1e-9)
    assert mean == pytest.approx(predict(X[1:]).mean(), abs=1e-9)


def test_a_linear_predictions_contributions_are_its_terms() -> None:
    X = rows(50)
    _, added = contributions(COLUMNS, X[0], X[1:], lambda Z: 2 * Z[:, 0] + 4 * Z[:, 4])
    assert added["a"] == pytest.approx(2 * (X[0, 0] - X[1:, 0].mean()))
    assert added["b"] == pytest.approx(4 * (X[0, 4] - X[1:, 4].mean()))
    assert added["c"] == 0


def test_importance_is_the_fall_of_the_score_and_0_without_effect() -> None:
    X = rows(200)
    y = 3 * X[:, 0] + X[:, 1]

    def score(Z: np.ndarray, t: np.ndarray) -> float:
        return -float(np.abs(3 * Z[:, 0] + Z[:, 1] - t).mean())

    found = permutation_importance(COLUMNS, X, y, score)
    assert list(found) == ["a", "c", "b"]
    assert found["b"] == (0.0, 0.0)
    assert found["a"][0] > found["c"][0] > 0.3
    assert places_of(COLUMNS) == {"a": [0], "c": [1, 2], "b": [3, 4]}


def test_partial_dependence_is_in_the_tables_own_values() -> None:
    X = rows(200)
    number, word = dependences(COLUMNS, X, ["a", "c"], lambda Z: 3 * Z[:, 0] + Z[:, 1])
    slope = np.diff(number.predictions) / np.diff(np.array(number.values, dtype=float))
    np.testing.assert_allclose(slope, 1.5)  # 3 for each standard deviation of 2
    assert sorted(word.values) == ["x", "y"]
    assert word.predictions[word.values.index("x")] - word.predictions[word.values.index("y")] == pytest.approx(1)  # type: ignore[arg-type]
    (marked,) = dependences(COLUMNS, X, ["b"], lambda Z: Z[:, 4])
    assert not marked.predictions.any()  # the mark is not set where there is a value


def test_intervals_hold_the_score_and_shrink_with_the_rows() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for n in (40, 1000):
        true = rng.integers(0, 3, n)
        p = rng.dirichlet([1, 1, 1], n)
        p[np.arange(n), true] += 0.5
        p /= p.sum(axis=1, keepdims=True)
        given_rows = Predictions(true, p.argmax(axis=1), p)
        for name, (low, high) in given_rows.intervals.items():
            assert low <= given_rows.scores[name] <= high
        widths.append(np.subtract(*given_rows.intervals["accuracy"][::-1]))
    assert widths[1] < widths[0] / 2


@pytest.mark.parametrize(("count", "n"), [(0, 30), (30, 30), (27, 30), (1, 1), (500, 1000)])
def test_the_interval_of_an_accuracy_is_wilsons(count: int, n: int) -> None:
    exact = pytest.importorskip("scipy.stats").binomtest(count, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson_interval(count, n, NormalDist().inv_cdf(0.975)), exact, atol=1e-12)


def test_scores_without_an_interval_show_none() -> None:
    true = np.arange(20) % 2
    right = Predictions(true, true, np.eye(2)[true])
    assert right.intervals["accuracy"][0] == pytest.approx(0.839, abs=1e-3)
    assert score_text(1.0, right.intervals["AUC"], 3) == "1"


def test_plots_of_predictions_refuse_what_they_cannot_show() -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        calibration([True, False], [0.5, 1.5])
    with pytest.raises(InputError, match="y_pred must have one dimension"):
        predicted_against_true([1, 2], [1])
    with pytest.raises(InputError, match="2 names"):
        partial_dependence(["a", "b"], [[1]], [[1]])
    line = calibration([False] * 30 + [True] * 30, [0.1] * 30 + [0.9] * 30).lines[1]
    assert (np.diff(line.get_ydata()) >= 0).all()


def train(folder: Path, *options: object) -> tuple[str, str]:
    """What `workings train` prints, and its report as text."""
    done = CliRunner().invoke(app, ["train", str(folder / "t.csv"), "--out", str(folder / "m"), *map(str, options)])
    assert done.exit_code == 0, done.output
    page = (folder / "m" / "report.html").read_text(encoding="utf-8")
    return done.stdout, re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def write_rows(folder: Path, n: int = 125) -> None:
    rng = np.random.default_rng(1)
    size, kind = rng.normal(50, 10, n), rng.choice(["red", "blue"], n)
    price = size * 20 + 300 * (kind == "red") + rng.normal(0, 30, n)
    lines = [
        f"{'' if i % 9 == 0 else f'{size[i]:.2f}'},{kind[i]},{rng.normal():.3f},{price[i]:.1f},"
        f"{'dear' if price[i] > 1100 else 'cheap'}"
        for i in range(n)
    ]
    (folder / "t.csv").write_text("size,kind,noise,price,class\n" + "\n".join(lines) + "\n")


def test_the_report_of_a_classification(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    write_rows(tmp_path)
    told, page = train(tmp_path, "-t", "class", "--drop", "price", "--epochs", 40)
    assert re.search(r"validation +accuracy [\d.]+ \([\d.]+ to [\d.]+\) +AUC .* F1 .* log loss", told)
    assert re.search(r"compare +accuracy of the most frequent class [\d.]+, of linear [\d.]+, of boosted trees", told)
    for words in (
        "Scores on the validation rows", "AUC", "log loss", "boosted trees", "class precision recall F1 rows",
        "Calibration", "Confusion matrix", "Importance of the columns", "Partial dependence", "Why this prediction",
        "of the table: ", "adds to p(dear)", "size: 14 missing values filled", "and a mark", "one-hot, 2 categories",
    ):  # fmt: skip
        assert words in page, words
    assert {"calibration.png", "dependence.png", "confusion.png"} <= {path.name for path in (tmp_path / "m").iterdir()}


def test_the_report_of_a_regression_with_test_rows_and_folds(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    write_rows(tmp_path, 130)
    told, page = train(tmp_path, "-t", "price", "--drop", "class", "--epochs", 40, "--test", 0.2, "--folds", 2)
    assert re.search(r"test +R² -?[\d.]+ \(-?[\d.]+ to [\d.]+\) +MAE .* RMSE", told)
    assert "compare     R² of the mean" in told
    for words in (
        "Scores on the test rows",
        "folds: mean ± spread",
        "the errors of the predictions",
        "adds to the prediction",
    ):
        assert words in page
    assert (tmp_path / "m" / "predictions.png").exists()
