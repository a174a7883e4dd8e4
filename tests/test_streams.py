"""Rows on disk: trained, predicted and scored in blocks, with the bits of the same rows in memory."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workings import (
    L2,
    LBFGS,
    SGD,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    Callback,
    Checkpoint,
    CrossEntropy,
    Dense,
    DivergenceError,
    Dropout,
    EarlyStopping,
    Ensemble,
    FileError,
    InputError,
    L2PerRow,
    Network,
    RowStream,
    SquaredError,
    Workers,
    fit_many,
)
from workings.engines.compiled.engine import is_installed
from workings.metrics import METRICS
from workings.support import row_stream
from workings.tables import stream
from workings.training import training as training_module
from workings.training.batches import Batches
from workings.training.recipe import Recipe
from workings.training.rows import Rows
from workings.training.shuffling import shuffled_windows
from workings.training.training_data import prepare

needs_llvm = pytest.mark.skipif(not is_installed(), reason="llvmlite is not installed")
rng = np.random.default_rng(0)
N = 300
X = rng.normal(size=(N, 4))
Y = X @ rng.normal(size=4) + 0.1 * rng.normal(size=N)
LABELS = np.where(Y > 0, "high", "low")
SIZES = {"window": 70, "block": 13}  # no multiple of the batch size, or of each other


class Source:
    """The least that a source of rows has: a length and slices."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows
        self.read = list[tuple[int, int]]()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> Any:
        assert isinstance(rows, slice)
        self.read.append((rows.start, rows.stop))
        return self.rows[rows]


def network(loss: Any = None, units: int = 1, **settings: Any) -> Network:
    """Return a network with dropout, so that orders and masks are drawn in turn."""
    return Network([Dense(3, "tanh"), Dropout(0.1), Dense(units)], loss=loss or SquaredError(), seed=3, **settings)


def fit(net: Network, X: Any, y: Any, **settings: Any) -> Network:
    """Train a network for some epochs."""
    net.fit(X, y, **{"optimizer": Adam(0.01), "epochs": 3, "batch_size": 16, "engine": "reference", **settings})
    return net


class SameOrder(Batches):
    """Batches of rows in memory in the orders of rows on disk."""

    def next_order(self) -> Any:
        seed = int.from_bytes(self.model.rng.bytes(16), "little")
        windows = shuffled_windows(RowStream(X, **SIZES).starts, N, SIZES["window"], seed)
        lying = (np.concatenate([np.arange(block.start, block.stop) for block in window.blocks]) for window in windows)
        again = shuffled_windows(RowStream(X, **SIZES).starts, N, SIZES["window"], seed)
        return np.concatenate([rows[window.order] for rows, window in zip(lying, again, strict=True)])


# -- the same bits --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "settings"),
    [
        ("reference", {}),
        ("reference", {"batch_size": 1}),
        ("reference", {"batch_size": 100}),
        ("reference", {"sample_weight": np.arange(N) + 1.0}),
        pytest.param("compiled", {}, marks=needs_llvm),
        pytest.param("compiled", {"batch_size": 1}, marks=[needs_llvm, pytest.mark.slow]),
        pytest.param("compiled", {"sample_weight": np.arange(N) + 1.0}, marks=[needs_llvm, pytest.mark.slow]),
    ],
)
def test_the_same_orders_give_the_same_bits_as_in_memory(
    engine: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    streamed = fit(network(regularizer=L2(1e-3)), RowStream(X, **SIZES), Y, engine=engine, **settings)
    monkeypatch.setattr(training_module, "Batches", SameOrder)
    if settings.get("batch_size") == 100:  # a window holds a whole batch at least
        monkeypatch.setitem(SIZES, "window", 100)
    expected = fit(network(regularizer=L2(1e-3)), X, Y, engine=engine, **settings)
    np.testing.assert_array_equal(streamed.theta, expected.theta)
    assert streamed.rng.random() == expected.rng.random()


@pytest.mark.parametrize("shuffle", [False, True])
def test_rows_in_one_window_train_as_in_memory(shuffle: bool) -> None:
    streamed = fit(network(), RowStream(X, window=N, block=7), RowStream(Y, block=5), shuffle=shuffle)
    np.testing.assert_array_equal(streamed.theta, fit(network(), X, Y, shuffle=shuffle).theta)


def test_unshuffled_windows_train_as_in_memory() -> None:
    streamed = fit(network(), RowStream(X, **SIZES), Y, shuffle=False)
    np.testing.assert_array_equal(streamed.theta, fit(network(), X, Y, shuffle=False).theta)


def test_each_row_is_used_once_in_an_epoch_and_orders_differ() -> None:
    def orders(seed: int) -> list[int]:
        used = []
        for window in shuffled_windows(np.arange(0, N, 13), N, 70, seed):
            rows = np.concatenate([np.arange(block.start, block.stop) for block in window.blocks])
            used += rows[window.order].tolist()
        return used

    assert sorted(orders(0)) == list(range(N))
    assert orders(0) == orders(0) != orders(1)


@pytest.mark.parametrize(
    ("classes", "n", "block", "most"), [(10, 10_000, 10, 1_000), (3, 9_973, 7, 700), (2, 500, 50, 120)]
)
def test_windows_of_a_sorted_file_are_like_the_whole_file(classes: int, n: int, block: int, most: int) -> None:
    labels = np.sort(np.arange(n) % classes)
    for seed in range(5):
        sizes, blocks = [], 0
        for window in shuffled_windows(np.arange(0, n, block), n, most, seed):
            rows = np.concatenate([np.arange(one.start, one.stop) for one in window.blocks])
            share = np.bincount(labels[rows], minlength=classes) / len(rows) - 1 / classes
            assert np.abs(share).max() <= 1.5 * block / len(rows) + 1e-9
            sizes.append(len(window.blocks))
            blocks += len(window.blocks)
            assert len(rows) <= most
        assert blocks == -(-n // block)
        assert max(sizes) - min(sizes) <= 1


def test_row_groups_of_different_sizes_are_each_in_one_window() -> None:
    starts = np.array([0, 5, 5, 300, 310, 900])
    used = [block.start for window in shuffled_windows(starts, 1000, 100, 0) for block in window.blocks]
    assert sorted(used) == starts.tolist()


def test_batch_norm_masks_and_weights_of_classes_behave_as_in_memory() -> None:
    layers = [Dense(3, "relu"), BatchNorm(), Dropout(0.2), Dense(2)]
    settings = {"class_weight": "balanced", "sample_weight": np.linspace(0.5, 2, N), "metrics": ["accuracy"]}
    on_disk = fit(Network(layers, loss=CrossEntropy(), seed=0), RowStream(X, window=N), LABELS, **settings)
    expected = fit(Network(layers, loss=CrossEntropy(), seed=0), X, LABELS, **settings)
    np.testing.assert_array_equal(on_disk.theta, expected.theta)
    assert on_disk.classes.tolist() == ["high", "low"]
    assert on_disk.history is not None
    assert expected.history is not None
    for name, column in expected.history.items():
        np.testing.assert_allclose(on_disk.history[name], column, rtol=1e-14)


# -- what is measured -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "running_loss", "penalty"),
    [
        ("reference", False, L2(0.1)),
        ("reference", False, L2PerRow(0.1)),
        ("reference", True, None),
        pytest.param("compiled", False, L2(0.1), marks=needs_llvm),
    ],
)
def test_the_history_is_that_of_rows_in_memory(
    engine: str, running_loss: bool, penalty: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_stream, "PART_BYTES", 1000)  # several parts
    given: dict[str, Any] = {"engine": engine, "running_loss": running_loss, "metrics": ["r2", "mean_squared_error"]}
    held = (X[:50], Y[:50])
    expected = fit(network(regularizer=penalty), X, Y, validation=held, **given).history
    held_on_disk = (RowStream(held[0]), held[1])
    found = fit(network(regularizer=penalty), RowStream(X, window=N), Y, validation=held_on_disk, **given).history
    assert found is not None
    assert expected is not None
    assert found.keys() == expected.keys()
    for name, column in expected.items():
        np.testing.assert_allclose(found[name], column, rtol=1e-12)


@pytest.mark.parametrize(("loss", "units", "y"), [(SquaredError(reduction="sum"), 1, Y), (CrossEntropy(), 2, LABELS),
                                                  (BinaryCrossEntropy(), 1, LABELS)])  # fmt: skip
def test_outputs_predictions_scores_and_objectives(
    loss: Any, units: int, y: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_stream, "PART_BYTES", 1000)
    net = fit(network(loss, units, regularizer=L2(0.1)), X, y, optimizer=SGD(1e-4))
    rows, w = RowStream(Source(X), block=17), np.linspace(0, 1, N)
    np.testing.assert_array_equal(net.outputs(rows), net.outputs(X))
    np.testing.assert_array_equal(net.predict(rows), net.predict(X))
    assert net.score(rows, y) == net.score(X, y)
    assert net.score(rows, Source(y), w) == pytest.approx(net.score(X, y, w))
    assert net.objective(rows, Source(y)) == pytest.approx(net.objective(X, y), rel=1e-13)
    assert net.objective(rows, y, w) == pytest.approx(net.objective(X, y, w), rel=1e-13)


def test_callbacks_and_early_stopping_behave() -> None:
    seen = []

    class Seen(Callback):
        def on_epoch_end(self, training: Any) -> None:
            seen.append((training.epoch, len(training.X), training.history["val_loss"][-1]))

    settings = {"epochs": 50, "optimizer": SGD(0.3), "validation": (X[:40], Y[:40])}
    net = fit(
        network(), RowStream(X, **SIZES), Y, callbacks=[EarlyStopping("val_loss", patience=2), Seen()], **settings
    )
    assert net.history is not None
    assert len(seen) == net.history.epochs < 50
    assert net.objective(X[:40], Y[:40]) == pytest.approx(min(net.history["val_loss"]))


def test_divergence_on_disk_is_reported_as_in_memory() -> None:
    net = network()
    with pytest.raises(DivergenceError, match="was the first value that was not finite"):
        fit(net, RowStream(1e150 * X, **SIZES), 1e150 * Y, optimizer=SGD(1e9))
    assert np.isfinite(net.theta).all()


def test_a_validation_share_is_drawn_from_each_block() -> None:
    numbered = np.column_stack([np.arange(N), X])
    stream, settings = RowStream(numbered, **SIZES), Recipe(Adam(), epochs=1, validation=0.3, sample_weight=Y**2 + 1)
    data = prepare(network(), stream, np.arange(N), settings)
    rows, held = data.rows, data.validation
    assert held is not None
    assert rows.w is not None
    trained, validated = rows.X[0:210][:, 0], held.X[0:90][:, 0]
    assert sorted([*trained, *validated]) == list(range(N))
    np.testing.assert_array_equal(rows.y[0:210][:, 0], trained)
    np.testing.assert_array_equal(held.y[5:90][:, 0], validated[5:])
    np.testing.assert_allclose(rows.w[20:70][:, 0], Y[trained[20:70].astype(int)] ** 2 + 1)
    in_blocks = np.bincount(validated.astype(int) // 13)
    assert in_blocks[:-1].min() >= 3
    assert in_blocks.max() <= 5
    net = fit(network(), RowStream(X, **SIZES), Y, validation=0.3, epochs=30)
    assert net.history is not None
    assert net.history["val_loss"][-1] < net.history["val_loss"][0]


# -- sources --------------------------------------------------------------------------------


def test_a_large_memory_map_is_streamed_and_a_small_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "X.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    in_memory = fit(network(), mapped, Y)
    settings = Recipe(Adam(), epochs=1)
    assert isinstance(prepare(network(), mapped, Y, settings).rows.X, np.ndarray)
    monkeypatch.setattr(row_stream, "READ_AT_ONCE", 1000)
    assert isinstance(prepare(network(), mapped, Y, settings).rows.X, RowStream)
    streamed = fit(network(), mapped, Y)
    assert streamed.dtype == np.float32
    np.testing.assert_array_equal(streamed.theta, in_memory.theta)  # they fit into one window
    np.testing.assert_array_equal(streamed.outputs(mapped), in_memory.outputs(np.asarray(mapped)))


@pytest.mark.parametrize(
    "make", [Source, lambda rows: Source(rows.tolist()), lambda rows: np.asarray(rows, np.float32)]
)
def test_any_object_with_a_length_and_slices_is_a_source(make: Callable[[Any], Any]) -> None:
    net = fit(network(), make(X), make(Y))
    np.testing.assert_allclose(net.theta, fit(network(), X, Y).theta, rtol=1e-4)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, tuple[Any, Any]]:
    """Return the paths of files with the rows, as ``fit`` takes them."""
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    np.savez(tmp_path / "rows.npz", X=X, y=Y)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", Y)
    table = polars.DataFrame({f"x{j}": X[:, j] for j in range(4)} | {"price": Y})
    table.write_parquet(tmp_path / "rows.parquet", row_group_size=50)
    (tmp_path / "folder").mkdir()
    table[:100].write_parquet(tmp_path / "folder" / "1.parquet")
    table[100:].write_parquet(tmp_path / "folder" / "2.parquet")
    return {
        "npz": (tmp_path / "rows.npz", "y"),
        "npy": (str(tmp_path / "X.npy"), tmp_path / "y.npy"),
        "npy and array": (tmp_path / "X.npy", Y),
        "parquet": (str(tmp_path / "rows.parquet"), "price"),
        "folder": (tmp_path / "folder", "price"),
    }


@pytest.mark.parametrize("kind", ["npz", "npy", "npy and array", "parquet", "folder"])
def test_data_may_be_given_as_a_path(kind: str, files: dict[str, tuple[Any, Any]]) -> None:
    paths, net = files[kind], fit(network(), *files[kind], validation=files[kind])
    if kind in ("parquet", "folder"):
        data = stream(*paths)
        assert net.preprocessing == data.preprocessing.to_dict()
        rows, y = data.X.array(), data.y.array()
        predicted = data.preprocessing.untransform_target(net.predict(rows))
    else:
        rows, y, predicted = X, Y, net.predict(X)
    np.testing.assert_array_equal(net.theta, fit(network(), rows, y, validation=(rows, y)).theta)
    np.testing.assert_array_equal(net.outputs(paths[0]), net.outputs(rows))
    np.testing.assert_allclose(net.predict(paths[0]), predicted, rtol=1e-12)
    assert net.score(*paths) == net.score(rows, y)
    assert net.objective(*paths) == net.objective(rows, y)
    fit(net, *paths)  # a known table goes on with its encoding


def test_targets_and_weights_may_be_paths_beside_arrays_and_streams(tmp_path: Path) -> None:
    w = np.linspace(1.0, 2.0, len(X))
    np.save(tmp_path / "y.npy", Y)
    np.save(tmp_path / "w.npy", w)
    expected = fit(network(), X, Y, sample_weight=w)
    for rows in (X, RowStream(X, window=len(X))):
        net = fit(network(), rows, tmp_path / "y.npy", sample_weight=str(tmp_path / "w.npy"))
        np.testing.assert_array_equal(net.theta, expected.theta)
        for measure in (net.score, net.objective):
            on_disk = measure(rows, tmp_path / "y.npy", sample_weight=tmp_path / "w.npy")
            assert on_disk == pytest.approx(measure(X, Y, sample_weight=w), rel=1e-12)
    with pytest.raises(InputError, match=r"sample_weight must be an array or a \.npy file, not 'balanced'"):
        fit(network(), X, Y, sample_weight="balanced")
    with pytest.raises(InputError, match=r"y must be an array or a second \.npy file, not 'price'"):
        net.score(X, "price")
    with pytest.raises(InputError, match=r"Open a file first, as with np\.load"):
        RowStream(str(tmp_path / "y.npy"))


@pytest.mark.parametrize("kind", ["npz", "npy", "parquet"])
def test_an_ensemble_is_trained_and_measured_on_files(kind: str, files: dict[str, tuple[Any, Any]]) -> None:
    X_path, y_path = files[kind]

    def made(seed: int) -> Network:
        return Network([Dense(3, "tanh"), Dense(1)], loss="SquaredError", seed=seed)

    ensemble = Ensemble([made(seed) for seed in range(2)])
    ensemble.fit(X_path, y_path, optimizer=Adam(0.01), epochs=2, engine="reference")
    for seed, net in enumerate(ensemble):
        alone = made(seed)
        alone.fit(X_path, y_path, optimizer=Adam(0.01), epochs=2, engine="reference")
        np.testing.assert_array_equal(net.theta, alone.theta)
        assert net.preprocessing == alone.preprocessing
    np.testing.assert_allclose(ensemble.predict(X_path), np.mean([net.predict(X_path) for net in ensemble], axis=0))
    assert Ensemble(ensemble[:1]).score(X_path, y_path) == pytest.approx(ensemble[0].score(X_path, y_path))


@pytest.mark.parametrize(
    ("kind", "X_given", "y_given", "message"),
    [
        ("npy", None, "price", r"y must be an array or a second .npy file, not 'price'"),
        ("npz", None, "price", r'y must be "y", not'),
        ("parquet", None, "cost", "Unknown target column 'cost'"),
        ("parquet", None, Y, "y must be the name of its target column"),
        ("npy", "none.npy", Y, "none.npy does not exist"),
        ("npy", "rows.csv", "price", r"only .npy, .npz and .parquet files"),
        ("npy", "no name", Y, r"only .npy, .npz and .parquet files"),
    ],
)
def test_other_paths_are_refused(
    kind: str, X_given: Any, y_given: Any, message: str, files: dict[str, tuple[Any, Any]]
) -> None:
    net = network()
    with pytest.raises((InputError, FileError), match=message):
        fit(net, X_given or files[kind][0], y_given)
    assert net.n_in is None
    assert net.preprocessing is None


def test_a_network_for_arrays_or_another_target_refuses_tables(files: dict[str, tuple[Any, Any]]) -> None:
    net = fit(network(), X, Y)
    for call in (net.predict, net.outputs):
        with pytest.raises(InputError, match="was not trained on one"):
            call(files["parquet"][0])
    with pytest.raises(InputError, match="was not trained on one"):
        fit(net, *files["parquet"])
    net = fit(network(), *files["parquet"])
    with pytest.raises(InputError, match="target column 'price', not 'x0'"):
        net.score(files["parquet"][0], "x0")
    with pytest.raises(InputError, match="This operation opens no files"):
        net.trace(str(files["npy"][0]), Y)


@pytest.mark.parametrize("kind", ["zarr", "h5py", pytest.param("dask.array", marks=pytest.mark.slow)])
def test_arrays_of_other_libraries_are_read_in_their_chunks(kind: str, tmp_path: Path) -> None:
    library = pytest.importorskip(kind, reason=f"{kind} is not installed")
    if kind == "zarr":
        rows = library.open(str(tmp_path / "X.zarr"), mode="w", shape=X.shape, chunks=(50, 4), dtype="f8")
        rows[:] = X
    elif kind == "h5py":
        rows = library.File(tmp_path / "X.h5", "w").create_dataset("X", data=X, chunks=(50, 4))
    else:
        rows = library.from_array(X, chunks=(50, 4))
    stream = RowStream(rows, window=100)
    assert all(start % 50 == 0 for start in stream.starts)
    np.testing.assert_array_equal(fit(network(), rows, Y).theta, fit(network(), X, Y).theta)
    np.testing.assert_array_equal(
        fit(network(), RowStream(rows, **SIZES), Y).theta, fit(network(), RowStream(X, **SIZES), Y).theta
    )


def test_only_slices_are_read_and_each_row_once_in_an_epoch() -> None:
    source = Source(X)
    fit(network(), RowStream(source, **SIZES), Y, epochs=1, running_loss=True)
    read = sorted(source.read[1:])  # the first row says what the rows are
    assert read == [(start, min(start + 13, N)) for start in range(0, N, 13)]


# -- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": None}, "A full batch needs all 300 rows in memory, and X is on disk"),
        ({"batch_size": 400}, "A full batch needs"),
        ({"optimizer": LBFGS(), "batch_size": None}, "L-BFGS needs all rows in memory"),
        ({"validation": 0.001}, "A validation share of 0.001 of 300 rows leaves 0 to validate on"),
        ({"validation": "some"}, r"validation must be \(X, y\) or a share between 0 and 1"),
        ({"workers": Workers()}, "workers= cannot be combined with a stream of rows"),
        ({"check": True}, "check=True examines all rows in memory"),
        ({"sample_weight": np.arange(N)}, "sample_weight has 0 at row 0. Rows on disk cannot be left out"),
        ({"sample_weight": np.ones(3)}, "X has 300 rows but sample_weight has 3"),
        ({"class_weight": "balanced"}, "class_weight needs targets that are labels"),
        ({"validation": (RowStream(X[:, :2]), Y)}, "validation X has 2 columns"),
    ],
)
def test_what_needs_all_rows_is_refused_and_changes_nothing(settings: dict[str, Any], message: str) -> None:
    net = network(n_in=4)
    before, drawn = net.theta.copy(), net.rng.bit_generator.state
    with pytest.raises(InputError, match=message):
        fit(net, RowStream(X, **SIZES), Y, **settings)
    np.testing.assert_array_equal(net.theta, before)
    assert net.rng.bit_generator.state == drawn


def test_other_operations_take_few_rows_and_refuse_many(monkeypatch: pytest.MonkeyPatch) -> None:
    net = fit(network(), X, Y)
    assert net.trace(RowStream(X), Y)["J"] == net.trace(X, Y)["J"]
    monkeypatch.setattr(row_stream, "READ_AT_ONCE", 1000)
    for method in (net.trace, net.diagnose, net.explain, net.check_gradients):
        with pytest.raises(InputError, match=r"X has 300 rows on disk, .* Pass fewer rows, such as X\[:10000\]"):
            method(RowStream(X), Y)


@pytest.mark.parametrize(
    ("rows", "y", "message"),
    [
        (np.where(np.arange(N)[:, None] == 200, np.nan, X), Y,
         r"X has nan at row 5, column 0\. .* \(Rows are counted from row 195\.\)"),
        (X, Source(np.where(np.arange(N) == 200, np.inf, Y)),
         r"y has inf at row 5\. .* \(Rows are counted from row 195\.\)"),
        (X.astype(str), Y, "X has type <U32, but it must hold numbers"),
        (X[:, 0], Y, r"X has shape \(300,\), but rows are samples"),
        (X, Y[:-1], "X has 300 rows but y has 299"),
        (X, np.stack([Y, Y], 1), r"y has shape .*, 2\), but targets must have shape \(n,\)"),
    ],
)  # fmt: skip
def test_wrong_values_are_named_with_their_rows(rows: Any, y: Any, message: str) -> None:
    net = network(n_in=4)
    before = net.theta.copy()
    with pytest.raises(InputError, match=message):
        fit(net, RowStream(rows, **SIZES), y, running_loss=True)
    np.testing.assert_array_equal(net.theta, before)


def test_a_source_that_gives_no_slices_or_wrong_ones_is_refused() -> None:
    class OneByOne(Source):
        def __getitem__(self, row: Any) -> Any:
            return self.rows[int(row)]

    class Short(Source):
        def __getitem__(self, rows: slice) -> Any:
            return self.rows[rows][:2]

    with pytest.raises(InputError, match=r"X \(OneByOne\) gives no rows in slices: \[0:1\] raised TypeError"):
        fit(network(), OneByOne(X), Y)
    with pytest.raises(InputError, match=r"X\[0:300\] has 2 rows, but 300 were asked for"):
        fit(network(), Short(X), Y)
    with pytest.raises(InputError, match="X has no rows"):
        fit(network(), Source(X[:0]), Y)
    with pytest.raises(InputError, match="block is a number of rows from 1, not 0"):
        RowStream(X, block=0)


@pytest.mark.parametrize("source", ["abc", b"abc", {"a": 1}, {1, 2}, 3, None, iter([1.0])])
def test_what_is_no_source_of_rows_is_refused_as_a_stream(source: Any) -> None:
    with pytest.raises(InputError, match=r"X \(\w+\) (gives no rows in slices|has no length)"):
        RowStream(source)


def test_bytes_as_labels_are_refused_with_a_way_out() -> None:
    labels = np.array([b"no", b"yes"], dtype=object)[np.arange(len(X)) % 2]
    for rows in (X, RowStream(X)):
        with pytest.raises(InputError, match=r"labels of type bytes.* Decode bytes first, as with y\.asstr\(\)"):
            fit(network(CrossEntropy(), 2), rows, labels)


def test_labels_on_disk_are_learned_and_unknown_ones_refused() -> None:
    net = fit(network(CrossEntropy(), 2), RowStream(X, **SIZES), Source(LABELS))
    assert net.classes.tolist() == ["high", "low"]
    with pytest.raises(InputError, match="y has the label 'other' at row 0"):
        fit(net, RowStream(X, **SIZES), np.full(N, "other"))
    with pytest.raises(InputError, match="y holds only one class"):
        fit(network(CrossEntropy(), 2), RowStream(X, **SIZES), np.full(N, "a"))
    with pytest.raises(InputError, match="but class labels are whole numbers or text"):
        fit(network(CrossEntropy(), 2), RowStream(X, **SIZES), Y)


# -- ending early ---------------------------------------------------------------------------


def test_ctrl_c_leaves_whole_epochs_and_no_thread_behind() -> None:
    for delay in (0.03, 0.06, 0.12):
        net, timer = network(), threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
        net.fit(X, Y, optimizer=Adam(0.01), epochs=1)  # so that the signal does not come before the training
        timer.start()
        fit(net, RowStream(Source(X), **SIZES), Y, epochs=10**6)
        timer.join()
        assert net.history is not None
        assert net.history.stopped.startswith("interrupted")
        whole = network()
        whole.fit(X, Y, optimizer=Adam(0.01), epochs=1)
        if net.history.epochs:
            fit(whole, RowStream(X, **SIZES), Y, epochs=net.history.epochs)
        np.testing.assert_array_equal(net.theta, whole.theta)
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("workings reads")]


# -- resuming -------------------------------------------------------------------------------

RUN = """
import os, signal, sys
import numpy as np
from workings import Adam, Callback, Checkpoint, Dense, Dropout, Network, RowStream

class Kill(Callback):
    only_observes = True
    runs_last = True
    def on_epoch_begin(self, training):
        if training.epoch == 3 and sys.argv[2] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)

folder = sys.argv[1]
X, y = (np.load(f"{folder}/{name}.npy", mmap_mode="r") for name in "Xy")
net = Network([Dense(3, "tanh"), Dropout(0.1), Dense(1)], loss="SquaredError", seed=3)
net.fit(RowStream(X, window=70, block=13), RowStream(y), optimizer=Adam(0.01), epochs=6, batch_size=16,
        engine="reference", callbacks=[Checkpoint(f"{folder}/run.safetensors", resume=True), Kill()])
np.save(f"{folder}/theta.npy", net.theta)
"""


def test_a_killed_training_resumes_to_the_same_bits(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", Y)

    def run(how: str) -> int:
        return subprocess.run([sys.executable, "-c", RUN, str(tmp_path), how], env=os.environ, check=False).returncode

    assert run("kill") == -signal.SIGKILL
    assert not (tmp_path / "theta.npy").exists()
    assert run("go on") == 0
    expected = fit(network(), RowStream(X, **SIZES), Y, epochs=6)
    np.testing.assert_array_equal(np.load(tmp_path / "theta.npy"), expected.theta)


def test_a_checkpoint_belongs_to_its_data_and_windows(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    fit(network(), RowStream(X, **SIZES), Y, callbacks=[Checkpoint(path, resume=True)])
    for rows, y in ((RowStream(X, window=80, block=13), Y), (RowStream(X, window=70, block=14), Y),
                    (RowStream(-X, **SIZES), Y), (RowStream(X, **SIZES), -Y)):  # fmt: skip
        with pytest.raises(Exception, match="training data or batch size"):
            fit(network(), rows, y, callbacks=[Checkpoint(path, resume=True)])


def test_metrics_of_ones_own_see_all_rows_and_r2_is_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_stream, "PART_BYTES", 1000)

    def largest_error(y_true: Any, y_pred: Any) -> float:
        return float(np.abs(y_true - y_pred).max())

    settings: dict[str, Any] = {"metrics": {"r2": METRICS["r2"], "largest": largest_error}, "batch_size": 50}
    two = np.column_stack([Y, np.full(N, 2.0)])  # the second output does not vary
    found = fit(network(units=2), RowStream(X, window=N), two, **settings).history
    expected = fit(network(units=2), X, two, **settings).history
    assert found is not None
    assert expected is not None
    for name in ("r2", "largest"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)


@needs_llvm
def test_several_networks_train_on_one_stream() -> None:
    networks = [network(), Network([Dense(5, "tanh"), Dense(1)], loss="SquaredError", seed=1)]
    settings: dict[str, Any] = {"optimizer": Adam(0.01), "epochs": 2, "batch_size": 16}
    fit_many(networks, RowStream(X, **SIZES), Y, engine="compiled", **settings)
    alone = fit(network(), RowStream(X, **SIZES), Y, epochs=2, engine="compiled")
    np.testing.assert_array_equal(networks[0].theta, alone.theta)


def test_a_sample_of_rows_on_disk_reaches_from_the_first_row_to_the_last() -> None:
    column = np.arange(1000)
    sample = Rows(column[:, None], column).some_on_disk(100)
    assert len(sample.y) == 100
    assert (sample.y[0], sample.y[-1]) == (0, 999)
    assert set(np.diff(sample.y)) == {1, 101}
