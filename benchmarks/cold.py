"""Cold starts: the first fits of new processes with an empty cache of machine code.

Each process imports a library and fits twice, then once more with a new network or estimator.  It reports the CPU
seconds of each fit; its parent measures the CPU and wall seconds of the whole process.  Peers take turns, pinned to one
core.  ``search`` is a grid search over eight ``hidden_layer_sizes`` with three folds.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.jobs import ROOT, make
from benchmarks.measure import rotated, spread
from benchmarks.processes import environment, pinning, say
from benchmarks.workloads import WORKLOADS

TIMED = """
import json, sys, time

def timed(fits):
    seconds = []
    for fit in fits:
        began = time.process_time()
        fit()
        seconds.append(time.process_time() - began)
    print(json.dumps(dict(zip(("first", "second", "another"), seconds))))
"""
ESTIMATOR = """
from sklearn import datasets
from {module} import {kind}
X, y = datasets.load_{data}(return_X_y=True)
one, another = {kind}(random_state=0, {settings}), {kind}(random_state=1, {settings})
import warnings
warnings.simplefilter("ignore")
timed([lambda: one.fit(X, y), lambda: one.fit(X, y), lambda: another.fit(X, y)])
"""
SEARCH = """
from sklearn import datasets
from sklearn.model_selection import GridSearchCV
from {module} import {kind}
X, y = datasets.load_{data}(return_X_y=True)
import warnings
warnings.simplefilter("ignore")
sizes = [(50,), (100,), (200,), (50, 25), (100, 50), (200, 100), (64, 32, 16), (100, 50, 25)]
search = GridSearchCV({kind}(random_state=0, {settings}), {{"hidden_layer_sizes": sizes}}, cv=3)
timed([lambda: search.fit(X, y)])
"""
NETWORK = """
from benchmarks.jobs import load
from benchmarks.peers.ours import network_of, optimizer_of
job = load({file!r})
one, another, work = network_of(job), network_of(job), job.workload

def fit(network):
    rows = min(len(job.X), 4 * work.batch_rows)
    how = {{"optimizer": optimizer_of(work), "epochs": 2, "batch_size": work.batch, "engine": {engine!r}}}
    network.fit(job.X[:rows], job.y[:rows], **how)

timed([lambda: fit(one), lambda: fit(one), lambda: fit(another)])
"""
MODULES = {"auto": "workings.sklearn", "scikit-learn": "sklearn.neural_network"}
DATA = {
    "digits": "MLPClassifier",
    "breast_cancer": "MLPClassifier",
    "wine": "MLPClassifier",
    "diabetes": "MLPRegressor",
}
OF_DIGITS = {"digits (100,), 50 epochs": "(100,)", "digits (100, 50), 50 epochs": "(100, 50)"}
FIGURES = ("first", "second", "another", "cpu", "wall")


def cases(folder: Path) -> dict[str, dict[str, str]]:
    """Return the scripts of each case, by peer."""
    found: dict[str, dict[str, str]] = {}
    settings = {data: (data, kind, "") for data, kind in DATA.items()}
    settings |= {
        name: ("digits", "MLPClassifier", f"max_iter=50, hidden_layer_sizes={sizes}")
        for name, sizes in OF_DIGITS.items()
    }
    for name, (data, kind, more) in settings.items():
        fields = {"data": data, "kind": kind, "settings": more}
        found[name] = {peer: ESTIMATOR.format(module=module, **fields) for peer, module in MODULES.items()}
    fields = {"data": "digits", "kind": "MLPClassifier", "settings": "max_iter=30"}
    found["search"] = {peer: SEARCH.format(module=module, **fields) for peer, module in MODULES.items()}
    for name, workload in WORKLOADS.items():
        file = str(make(workload).save(folder / f"{name}.npz"))
        found[name] = {engine: NETWORK.format(file=file, engine=engine) for engine in ("compiled", "reference")}
    return found


def run(script: str) -> dict[str, float]:
    """Run a process with an empty cache; return its figures."""
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", TIMED + script], stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env={**environment(1), "WORKINGS_CACHE": cache}, preexec_fn=pinning(1),
        )  # fmt: skip
        assert process.stdout is not None
        with process.stdout:
            words = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"a process failed:\n{script}")
    figures: dict[str, float] = json.loads(words)
    return {**figures, "cpu": usage.ru_utime + usage.ru_stime, "wall": time.perf_counter() - began}


def measure(rounds: int, folder: Path, only: Sequence[str] = ()) -> dict[str, Any]:
    """Measure all cases, or some of them; return the spread of each figure."""
    results: dict[str, Any] = {}
    has_sklearn = importlib.util.find_spec("sklearn") is not None
    for name, scripts in cases(folder).items():
        if (only and name not in only) or ("auto" in scripts and not has_sklearn):
            continue
        say(f"cold starts: {name}")
        found: dict[str, list[dict[str, float]]] = {peer: [] for peer in scripts}
        for turn in range(rounds):
            for peer in rotated(list(scripts), turn):
                found[peer].append(run(scripts[peer]))
        results[name] = {
            peer: {figure: spread([one[figure] for one in each]) for figure in FIGURES if figure in each[0]}
            for peer, each in found.items()
        }
    return results
