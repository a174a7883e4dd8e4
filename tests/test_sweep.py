"""Sweeps: many fits with different settings, on any executor, resumed and halved."""

from __future__ import annotations

import importlib.util
import json
import re
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workings
from workings import SGD, CrossEntropy, Dense, FileError, InputError, Network, WorkersError, sweep
from workings.datasets import moons
from workings.search import fits
from workings.search.spaces import LogUniform, Uniform, WholeNumbers, combinations

X, y = moons(60)
GRID = {"units": [2, 4], "lr": [0.01, 0.3]}
BOTH = {**GRID, "lr": [0.01, 0.3, -1.0]}


def make(units: int, lr: float, seed: int, epochs: int = 8) -> tuple[Network, dict[str, Any]]:
    """Return a network and the settings of its training; a negative rate is an error."""
    network = Network([Dense(units, "tanh"), Dense(2)], loss=CrossEntropy(), seed=seed)
    return network, {"optimizer": SGD(lr), "epochs": epochs}


def as_text(results: Any) -> list[str]:
    """Return results without the times that they took."""
    return [repr({**vars(result), "seconds": 0}) for result in results]


def test_results_are_those_of_single_fits() -> None:
    lines: list[str] = []
    results = sweep(make, GRID, X, y, seeds=[0, 1], progress=lines.append, together=3)
    assert len(results) == 8
    assert [result.val_loss for result in results] == sorted(result.val_loss for result in results)
    assert lines[-1].startswith("8 of 8 fits; best val_loss")
    assert lines[0].startswith("3 of 8 fits")
    best = results.best
    (rows, targets), validation = fits.SweepData(X, y).rows()
    network, settings = results.network()
    network.fit(rows, targets, validation=validation, **settings)
    assert network.objective(*validation) == best.val_loss
    assert network.score(*validation) == best.val_score
    assert "lr" in results.to_table(most=3)
    assert "… and 5 more results" in results.to_table(most=3)


def test_higher_scores_are_better() -> None:
    results = sweep(make, GRID, X, y, monitor="val_score")
    assert [result.val_score for result in results] == sorted((r.val_score for r in results), reverse=True)


def test_errors_of_single_fits_are_recorded() -> None:
    results = sweep(make, BOTH, X, y)
    assert [bool(result.error) for result in results] == [False] * 4 + [True] * 2
    assert "InputError: " in results[-1].error
    assert results[-1].settings["lr"] == -1.0
    assert "InputError" in results.to_table()
    failed = sweep(make, {"units": [2], "lr": [-1.0]}, X, y)
    with pytest.raises(InputError, match="Every fit of the sweep failed"):
        assert failed.best

    def unlike(units: int, seed: int) -> Any:
        if units == 3:
            return None
        layers = [Dense(units, "tanh"), Dense(1 if units == 4 else 2)]  # one output is too few for two classes
        return Network(layers, loss=CrossEntropy(), seed=seed), {"optimizer": SGD(0.1), "epochs": 2}

    found = {result.settings["units"]: result.error for result in sweep(unlike, {"units": [2, 3, 4]}, X, y)}
    assert found[2] == ""
    assert "make must return a network" in found[3]
    assert found[4]


def test_a_sweep_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sweep(make, GRID, X, y, folder=tmp_path / "runs", together=2)
    files = sorted((tmp_path / "runs").iterdir())
    assert len(files) == 4
    files[0].unlink()
    files[1].write_text("damaged")
    ran: list[Any] = []
    run = fits.run_fits

    def counting(make: Any, some: Any, *arguments: Any) -> Any:
        ran.extend(some)
        return run(make, some, *arguments)

    monkeypatch.setattr("workings.search.sweep.run_fits", counting)
    again = sweep(make, GRID, X, y, folder=tmp_path / "runs", together=2)
    assert len(ran) == 2
    assert as_text(again) == as_text(first)
    sweep(make, GRID, X, y, folder=tmp_path / "runs")
    assert len(ran) == 2
    for change in ({"seeds": [1]}, {"validation": 0.3}, {"seed": 1}):
        ran.clear()
        sweep(make, GRID, X, y, folder=tmp_path / "runs", **change)  # type: ignore[arg-type]
        assert len(ran) == 4
    ran.clear()
    sweep(make, GRID, X + 1, y, folder=tmp_path / "runs")
    assert len(ran) == 4
    assert json.loads(files[2].read_text())["format"] == "workings fit 1"


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, pytest.param(ProcessPoolExecutor, marks=pytest.mark.slow)])
def test_executors(kind: Any, tmp_path: Path) -> None:
    expected = sweep(make, BOTH, X, y)
    np.savez(tmp_path / "data.npz", X=X, y=y)
    with kind(2) as executor:
        found = sweep(make, BOTH, tmp_path / "data.npz", executor=executor, together=2)
    assert [result.val_loss for result in found][:4] == [result.val_loss for result in expected][:4]
    assert [result.error for result in found] == [result.error for result in expected]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="dask[distributed] is not installed")
@pytest.mark.filterwarnings("ignore")
def test_dask() -> None:
    from distributed import Client

    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        found = sweep(make, GRID, X, y, executor=client, together=2)
    assert [result.val_loss for result in found] == [result.val_loss for result in sweep(make, GRID, X, y)]


@pytest.mark.slow
def test_functions_that_cannot_be_sent() -> None:
    with ProcessPoolExecutor(1) as executor, pytest.raises(InputError, match="define it in a module"):
        sweep(lambda units, seed: make(units, 0.1, seed), {"units": [2]}, X, y, executor=executor)


def test_a_lost_process_is_explained() -> None:
    class Breaks:
        def submit(self, *arguments: Any) -> Any:
            future: Future[Any] = Future()
            future.set_exception(BrokenExecutor("a process died"))
            return future

    with pytest.raises(WorkersError, match=r"Start a new executor.*With folder="):
        sweep(make, GRID, X, y, executor=Breaks())


def test_other_kinds_of_data_and_values(tmp_path: Path) -> None:
    expected = as_text(sweep(make, GRID, X, y))
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    found = sweep(make, GRID, tmp_path / "X.npy", str(tmp_path / "y.npy"), folder=tmp_path / "runs")
    assert as_text([replace(one, key="") for one in found]) == [
        re.sub("'key': '[0-9]'", "'key': ''", one) for one in expected
    ]
    assert as_text(sweep(make, {name: np.array(values) for name, values in GRID.items()}, X, y)) == expected
    assert as_text(sweep(make, GRID, X, y, seeds=np.array([0, 0]))) == expected  # each seed once
    sparse = pytest.importorskip("scipy.sparse")
    for kind in (sparse.csr_array, sparse.csr_matrix, sparse.coo_array):
        assert len(sweep(make, GRID, kind(X), y, folder=tmp_path / "sparse")) == 4


def test_an_error_ends_the_other_tasks() -> None:
    class Fails:
        def submit(self, *arguments: Any) -> Any:
            raise RuntimeError("no workers")

    with pytest.raises(RuntimeError, match="no workers"):
        sweep(make, GRID, X, y, executor=Fails())


def test_successive_halving(tmp_path: Path) -> None:
    rates = {"units": [3], "lr": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 0.0003, 0.0001]}
    results = sweep(make, rates, X, y, halving=3, folder=tmp_path)
    assert sorted(result.epochs for result in results) == [1] * 6 + [3] * 2 + [8]
    assert len(list(tmp_path.iterdir())) == 9 + 3 + 1
    whole = sweep(make, rates, X, y)
    last = next(result for result in results if result.epochs == 8)
    assert last.val_loss in [result.val_loss for result in whole]


def test_combinations() -> None:
    space = {"lr": LogUniform(1e-4, 1e-1), "units": WholeNumbers(2, 4), "momentum": Uniform(0, 1), "kind": ["a", "b"]}
    drawn = combinations(space, 50, 0)
    assert drawn == combinations(space, 50, 0)
    assert drawn != combinations(space, 50, 1)
    assert {one["units"] for one in drawn} == {2, 3, 4}
    assert {one["kind"] for one in drawn} == {"a", "b"}
    assert all(1e-4 <= one["lr"] <= 1e-1 and 0 <= one["momentum"] < 1 for one in drawn)
    assert 10 < sum(one["lr"] < 10**-2.5 for one in drawn) < 40
    assert len(combinations({"kind": ["a", "b"]}, 50, 0)) == 2


def test_distributions_of_scipy() -> None:
    class Frozen:
        def rvs(self, random_state: np.random.Generator) -> Any:
            return np.float64(random_state.uniform())

    (one,) = combinations({"x": Frozen()}, 1, 0)
    assert isinstance(one["x"], float)
    assert 0 <= one["x"] < 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": {"lr": 0.1}}, "lr must be a list of values or a distribution"),
        ({"settings": {"lr": "0.1"}}, "lr must be a list"),
        ({"settings": {"lr": []}}, "lr must be a list"),
        ({"settings": {}}, "settings must be a dict"),
        ({"settings": {"lr": LogUniform(0.1, 1)}}, "samples=32"),
        ({"samples": 0}, "samples must be a whole number from 1"),
        ({"halving": 1}, "halving must be a whole number from 2"),
        ({"together": 0}, "together must be"),
        ({"monitor": "val_los"}, "val_loss"),
        ({"engine": "gpu"}, "engine"),
        ({"validation": None}, "validation must be"),
        ({"validation": 1.5}, "validation must be"),
        ({"make": 3}, "make must be a function"),
        ({"y": y[:5]}, "rows"),
        ({"y": None}, "path of an .npz file"),
        ({"y": "price"}, r"y must be an array or a second \.npy file"),
        ({"X": "table.parquet", "y": "price"}, r"is a table\. `workings sweep`"),
        ({"seeds": 3}, r"seeds must be whole numbers from 0, such as \[0, 1, 2\]"),
        ({"seeds": []}, "seeds must be whole numbers"),
        ({"seeds": [0, -1]}, "seeds must be whole numbers"),
        ({"seeds": [0.5]}, "seeds must be whole numbers"),
        ({"seeds": "12"}, "seeds must be whole numbers"),
        ({"executor": "processes"}, "executor must be an object with a method submit"),
        ({"executor": 4}, "executor must be"),
        ({"executor": ThreadPoolExecutor}, "executor must be"),
    ],
)
def test_arguments_are_checked(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sweep(**{"make": make, "settings": GRID, "X": X, "y": y, **change})


@pytest.mark.parametrize(("kind", "bounds"), [(Uniform, (1, 0)), (LogUniform, (0, 1)), (WholeNumbers, ("a", 2))])
def test_bounds_are_checked(kind: Any, bounds: Any) -> None:
    with pytest.raises(InputError, match=kind.__name__):
        kind(*bounds)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        sweep(make, GRID, tmp_path / "nothing.npz")


def test_plot() -> None:
    pytest.importorskip("matplotlib")
    figure = sweep(make, BOTH, X, y).plot()
    assert [ax.get_xlabel() for ax in figure.axes] == ["units", "lr"]
    assert [ax.get_xscale() for ax in figure.axes] == ["linear", "linear"]
    assert workings.sweep is sweep
