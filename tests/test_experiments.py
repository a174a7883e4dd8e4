"""The four experiments: what can be checked quickly; the long runs are `make run` and `make test-slow`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workings import SGD, Snapshots, plots
from workings.checks.curvature import gradient_at, sharpness
from workings.datasets import Mnist, missing_files, mnist, moons, write_idx
from workings.experiments import digits, xor
from workings.experiments import mnist as mnist_experiment
from workings.experiments import moons as moons_experiment
from workings.experiments.figures import Figure
from workings.experiments.report import ExperimentSettings, Report
from workings.files.safetensors import load


def full_mnist() -> Path | None:
    """The folder with all of MNIST, if there is one."""
    beside = Path(__file__).parents[2] / "shared" / "mnist"
    for folder in (Path(os.environ.get("WORKINGS_DATA") or beside), beside):
        if folder.is_dir() and not missing_files(folder):
            return folder
    return None


def test_a_figure_agrees_with_the_code_and_else_with_the_post():
    assert Figure("x", 1.0, 2.0, 2.0004, 1e-3).agrees
    assert Figure("x", 1.0, 2.0, 1.0, 1e-3).agrees is False
    assert Figure("x", 1.0, None, 1.0).agrees
    assert Figure("x", None, None, 1.0).agrees is None
    assert Figure("x", 1.0, 1.0, 5.0, compare=False).agrees is None


def test_the_real_exclusive_or_is_learned_too(tmp_path):
    figures = xor.run(ExperimentSettings(tmp_path))
    assert all(figure.agrees for figure in figures)
    assert "targets are not exclusive or" in (tmp_path / "report.html").read_text()


def test_the_first_moons_losses_and_the_first_passes():
    X, y = moons(200, 0.2, seed=0)
    network = moons_experiment.make_network(3, seed=0)
    history = network.fit(X, y, optimizer=SGD(0.01), epochs=1002, batch_size=None)
    assert history["loss"][1] == pytest.approx(0.432387, abs=5e-7)
    assert history["loss"][1001] == pytest.approx(0.068947, abs=5e-7)


def test_sharpness_is_the_largest_eigenvalue_of_the_hessian():
    X, y = moons(50, 0.2, seed=0)
    network = moons_experiment.make_network(2, seed=0)
    network.fit(X, y, optimizer=SGD(0.01), epochs=20, batch_size=None)
    theta, h = network.theta.copy(), 1e-5
    columns = [
        (gradient_at(network, theta + h * e, X, y)
         - gradient_at(network, theta - h * e, X, y)) / (2 * h)
        for e in np.eye(theta.size)
    ]  # fmt: skip
    network.theta[...] = theta
    largest = np.abs(np.linalg.eigvalsh(np.array(columns))).max()
    assert sharpness(network, X, y, rounds=200) == pytest.approx(largest, rel=1e-3)
    assert (network.theta == theta).all()


def test_digits_with_the_first_seed_is_the_mended_code(tmp_path):
    _, history = digits.train(ExperimentSettings(tmp_path), digits.Variant(), digits.split(0), 0, "")
    assert history["val_accuracy"][-1] == pytest.approx(
        354 / 360
    )  # what the tutorial's code, mended, gives with this seed
    assert history.epochs == 10


def small_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the runs short; their figures are not checked."""
    monkeypatch.setattr(mnist_experiment, "PASSES", 20)
    monkeypatch.setattr(mnist_experiment, "EPOCHS", 2)


def test_mnist_writes_its_report_with_rows_for_its_kind_of_input(tmp_path, monkeypatch):
    small_mnist(monkeypatch)
    monkeypatch.delenv("WORKINGS_DATA", raising=False)
    figures = mnist_experiment.run(ExperimentSettings(tmp_path))
    assert {figure.agrees for figure in figures} == {None}
    assert all("sample" in figure.name for figure in figures)
    assert {path.stem for path in tmp_path.glob("*.png")} == {
        "samples", "as-designed", "improved", "confusion", "weights", "wrong", "landscape", "signals",
    }  # fmt: skip
    assert load(tmp_path / "model.safetensors").n_in == 784
    assert len(json.loads((tmp_path / "figures.json").read_text())) == 5


def test_mnist_from_kaggles_csv_and_from_idx_files(tmp_path, monkeypatch):
    sample = mnist("sample")
    rows = 1500
    header = "label," + ",".join(f"pixel{i}" for i in range(784))
    table = np.column_stack([sample.y_train[:rows], sample.X_train[:rows]])
    np.savetxt(tmp_path / "train.csv", table, fmt="%d", delimiter=",", header=header, comments="")
    (data,) = mnist_experiment.load(ExperimentSettings(tmp_path, data=tmp_path / "train.csv"))
    assert (data.X.shape, data.X_dev.shape, data.X.dtype) == ((500, 784), (1000, 784), np.float32)
    assert "train.csv" in data.source

    parts = {"train": (sample.X_train[:rows], sample.y_train[:rows]), "t10k": (sample.X_test, sample.y_test)}
    for part, (images, labels) in parts.items():
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", images.reshape(-1, 28, 28))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels.astype(np.uint8))
    found = Mnist(*(sample.X_train[:rows], sample.y_train[:rows], sample.X_test, sample.y_test), source="x", full=False)
    prepared = mnist_experiment.prepare(found, 0)
    assert prepared.X.min() == 0
    assert prepared.X.max() == 1
    assert len(prepared.X_test) == len(sample.X_test)


def test_a_replay_is_part_of_the_report_and_stands_beside_it(tmp_path):
    X, y = moons(50, 0.2, seed=0)
    network, snapshots = moons_experiment.make_network(2, seed=0), Snapshots(count=3)
    network.fit(X, y, optimizer=SGD(0.01), epochs=20, batch_size=None, callbacks=[snapshots])
    report = Report("Moons", "A few passes.", tmp_path)
    report.film(plots.film(network, X, y, snapshots), "replay", "Three <moments>.")
    report.write(network)
    page = (tmp_path / "report.html").read_text()
    with Image.open(tmp_path / "replay.gif") as gif:
        assert gif.n_frames == 3
    assert page.count('class="replay"') == 1
    assert "Three &lt;moments&gt;." in page
    assert ".replay" in page.split("</style>")[0]


@pytest.mark.slow
def test_improved_mnist_reaches_96_percent_on_the_full_test_set(tmp_path):
    folder = full_mnist()
    if folder is None:
        pytest.skip("the full MNIST is not here: set WORKINGS_DATA to the folder with the four IDX files")
    (data, *_) = mnist_experiment.load(ExperimentSettings(tmp_path, data=folder))
    network, *_ = mnist_experiment.train_improved(ExperimentSettings(tmp_path), data)
    assert len(data.X_test) == 10_000
    assert network.score(data.X_test, data.y_test) >= 0.96


@pytest.mark.slow
@pytest.mark.parametrize("experiment", [moons_experiment, digits])
def test_every_figure_agrees(experiment, tmp_path):
    figures = experiment.run(ExperimentSettings(tmp_path))
    assert [figure.name for figure in figures if figure.agrees is False] == []
    assert any(figure.agrees for figure in figures)
