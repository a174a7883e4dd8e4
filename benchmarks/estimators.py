"""``python -m benchmarks.estimators``: time ``fit`` of scikit-learn's and Workings' MLP estimators.

Each estimator has default parameters and is fitted with ten seeds on one thread, on four small data sets and one of
20,000 rows.  The fits of one seed follow each other; compilation is done before and not timed.  Printed are the
median time of a fit, its speedup over scikit-learn, and the mean score on a held-out test set.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn import datasets, neural_network
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from workings.sklearn import MLPClassifier, MLPRegressor

TABLES: dict[str, tuple[str, Callable[..., Any]]] = {
    "digits": ("classifier", datasets.load_digits),
    "breast cancer": ("classifier", datasets.load_breast_cancer),
    "wine": ("classifier", datasets.load_wine),
    "diabetes": ("regressor", datasets.load_diabetes),
    "20,000 x 100": (
        "classifier",
        lambda return_X_y: datasets.make_classification(20_000, 100, n_informative=20, random_state=0),
    ),
}
PEERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "scikit-learn": ({"classifier": neural_network.MLPClassifier, "regressor": neural_network.MLPRegressor}, {}),
    "compiled": ({"classifier": MLPClassifier, "regressor": MLPRegressor}, {"engine": "compiled"}),
    "reference": ({"classifier": MLPClassifier, "regressor": MLPRegressor}, {"engine": "reference"}),
}


def fits(name: str, seeds: int) -> Iterator[tuple[str, float, float]]:
    """Fit each estimator with each seed; yield its name, the seconds and the test score."""
    kind, load = TABLES[name]
    X, y = load(return_X_y=True)
    y = (y - y.mean()) / y.std() if kind == "regressor" else y
    for seed in range(-1, seeds):  # the first only compiles
        rows, held, targets, truth = train_test_split(X, y, random_state=max(seed, 0))
        scaler = StandardScaler().fit(rows)
        for peer, (kinds, settings) in PEERS.items():
            model = kinds[kind](random_state=max(seed, 0), **settings)
            began = time.perf_counter()
            model.fit(scaler.transform(rows), targets)
            seconds = time.perf_counter() - began
            if seed >= 0:
                yield peer, seconds, model.score(scaler.transform(held), truth)


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimators", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="DATASET", help=f"data sets: {', '.join(TABLES)}")
    parser.add_argument("--seeds", type=int, default=10, help="number of random seeds (default 10)")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ["OMP_NUM_THREADS"] = "1"  # Workings' own threads respect it
    threadpool_limits(1)
    print(f"{'data set':<15}{'':<14}{'ms':>9}{'speedup':>8}{'score':>8}{'std':>8}")
    for name in given.tables or TABLES:
        found: dict[str, list[tuple[float, float]]] = {peer: [] for peer in PEERS}
        for peer, seconds, score in fits(name, given.seeds):
            found[peer].append((seconds, score))
        medians = {peer: float(np.median([seconds for seconds, _ in of])) for peer, of in found.items()}
        for peer, of in found.items():
            scores, times = [score for _, score in of], medians["scikit-learn"] / medians[peer]
            line = f"{name:<15}{peer:<14}{1e3 * medians[peer]:>9.1f}{times:>8.2f}"
            print(f"{line}{np.mean(scores):>8.4f}{np.std(scores):>8.4f}", flush=True)


if __name__ == "__main__":
    main()
