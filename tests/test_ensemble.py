"""Ensembles: the mean and the spread of several networks, and their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workings import (
    SGD,
    BinaryCrossEntropy,
    CrossEntropy,
    Dense,
    Ensemble,
    FileError,
    InputError,
    Network,
    files,
    fit_many,
)
from workings.datasets import moons
from workings.files.mean_outputs import MeanOutputs
from workings.layers import BatchNorm, ClipPredictions, Dropout, NTKDense, Scale, SmoothClip
from workings.metrics import accuracy, r2

X, y = moons(60)
TEXT = np.array(["no", "yes"])[y]


def networks(loss: Any = None, count: int = 3, **settings: Any) -> list[Network]:
    """Return networks with different seeds."""
    loss = loss or CrossEntropy()
    n_out = 2 if isinstance(loss, CrossEntropy) else 1
    return [Network([Dense(3, "tanh"), Dense(n_out)], loss=loss, seed=seed, **settings) for seed in range(count)]


@pytest.mark.parametrize("loss", [CrossEntropy(), BinaryCrossEntropy()])
def test_classes(loss: Any) -> None:
    ensemble, alone = Ensemble(networks(loss)), networks(loss)
    fitted = ensemble.fit(X, TEXT, optimizer=SGD(0.3), epochs=30)
    assert [history.epochs for history in fitted] == [30] * 3
    fit_many(alone, X, TEXT, optimizer=SGD(0.3), epochs=30)
    each = np.array([network.predict_proba(X) for network in alone])
    np.testing.assert_allclose(ensemble.predict_proba(X), each.sum(axis=0) / 3, rtol=1e-12)
    np.testing.assert_allclose(ensemble.spread(X), np.sqrt(each.var(axis=0)), atol=1e-12)
    assert set(ensemble.predict(X)) <= {"no", "yes"}
    np.testing.assert_array_equal(ensemble.predict(X) == "yes", each.mean(axis=0)[:, 1] > 0.5)
    assert ensemble.score(X, TEXT) == accuracy(TEXT, ensemble.predict(X))
    assert len(ensemble) == 3


def test_numbers() -> None:
    targets, weights = X[:, 0] - X[:, 1], np.linspace(0.5, 1.5, len(X))
    ensemble = Ensemble(networks("SquaredError"))
    ensemble.fit(X, targets, optimizer=SGD(0.05), epochs=20)
    each = np.array([network.predict(X) for network in ensemble])
    np.testing.assert_allclose(ensemble.predict(X), each.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(ensemble.spread(X), each.std(axis=0), atol=1e-12)
    assert ensemble.score(X, targets, weights) == pytest.approx(r2(targets, each.mean(axis=0), weights))


def test_saved_and_loaded(tmp_path: Path) -> None:
    ensemble = Ensemble(networks())
    ensemble.fit(X, TEXT, optimizer=SGD(0.3), epochs=5)
    loaded = Ensemble.load(ensemble.save(tmp_path / "new" / "models"))
    np.testing.assert_array_equal(loaded.predict_proba(X), ensemble.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), ensemble.predict(X))
    assert len(Network.load(tmp_path / "new" / "models" / "network-001.safetensors").layers) == 2


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    ensemble = Ensemble(networks(n_in=2))
    folder = ensemble.save(tmp_path / "models")
    Ensemble(networks(n_in=2, count=2))[1].save(folder / "network-000.safetensors")  # of another save
    with pytest.raises(FileError, match="is not the file that"):
        Ensemble.load(folder)
    (folder / "network-000.safetensors").unlink()
    with pytest.raises(FileError):
        Ensemble.load(folder)
    contents: list[Any] = [[], {}, {"format": "workings ensemble 1", "files": {}}, {"format": 2, "files": {"a": "b"}}]
    contents += [{"format": "workings ensemble 1", "files": {name: "0"}} for name in ("../x.safetensors", "x.pkl")]
    for content in contents:
        (folder / "ensemble.json").write_text(json.dumps(content))
        with pytest.raises(FileError, match="not the list of an ensemble"):
            Ensemble.load(folder)
    with pytest.raises(FileError, match="Cannot read"):
        Ensemble.load(tmp_path / "nowhere")


def test_networks_must_fit_together() -> None:
    with pytest.raises(InputError, match="equal numbers of outputs"):
        Ensemble([*networks(), *networks(BinaryCrossEntropy())])
    with pytest.raises(InputError, match="equal numbers of columns"):
        Ensemble([*networks(n_in=2), *networks(n_in=3)])
    one, other = networks(count=2)
    one.fit(X, y, optimizer=SGD(0.1), epochs=1)
    other.fit(X, TEXT, optimizer=SGD(0.1), epochs=1)
    with pytest.raises(InputError, match="equal class labels"):
        Ensemble([one, other])
    with pytest.raises(InputError, match="must be a list"):
        Ensemble(networks()[0])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no parameters"):
        Ensemble(networks()).save("models")


def test_merged_classes_have_the_mean_scores(tmp_path: Path) -> None:
    ensemble = Ensemble(networks())
    ensemble.fit(X, TEXT, optimizer=SGD(0.3), epochs=5)
    one = ensemble.merged()
    scores = np.mean([np.log(network.predict_proba(X)) for network in ensemble], axis=0)
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(one.predict_proba(X), expected, rtol=1e-12)
    assert one.layers == (Dense(9, "tanh"), Dense(2))
    np.testing.assert_array_equal(Network.load(one.save(tmp_path / "one.safetensors")).predict(X), one.predict(X))
    assert not one.is_fresh


@pytest.mark.parametrize(
    ("layers", "count"),
    [
        ([SmoothClip(), Scale(), NTKDense(5, "selu"), NTKDense(4, "mish"), NTKDense(1)], 3),
        ([Dense(1)], 2), ([Dense(4, "relu", bias=False), Dropout(0.5), Dense(3, "tanh"), Dense(1, bias=False)], 4),
        ([Dense(3, "gelu"), Dense(1)], 1), ([Dense(3, "tanh"), Dense(2)], 2),
    ],
)  # fmt: skip
def test_merged_numbers_are_the_mean(layers: list[Any], count: int) -> None:
    several = [Network(layers, loss="SquaredError", n_in=2, seed=seed) for seed in range(count)]
    one = Ensemble(several).merged()
    np.testing.assert_allclose(one.predict(X), np.mean([network.predict(X) for network in several], axis=0), atol=1e-12)
    np.testing.assert_allclose(MeanOutputs(several)(X), one.outputs(X), atol=1e-12)


def test_a_merged_mean_is_clipped() -> None:
    layers = [Dense(3, "tanh"), Dense(1), ClipPredictions(-0.1, 0.2)]
    several = [Network(layers, loss="SquaredError", n_in=2, seed=seed) for seed in range(3)]
    bare = [network.with_layers(layers[:-1]).place(2, network.parameters) for network in several]
    expected = np.clip(np.mean([network.predict(X) for network in bare], axis=0), -0.1, 0.2)
    np.testing.assert_allclose(Ensemble(several).merged().predict(X), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("loss", "n_out", "last"),
    [("CrossEntropy", 3, []), ("BinaryCrossEntropy", 1, []), ("SquaredError", 2, [ClipPredictions(-0.1, 0.2)])],
)
def test_mean_outputs_are_those_of_the_merged_network(loss: str, n_out: int, last: list[Any]) -> None:
    layers = [SmoothClip(), Scale(), NTKDense(5, "selu"), NTKDense(n_out), *last]
    several = [Network(layers, loss=loss, n_in=2, seed=seed, dtype="float32") for seed in range(3)]
    found, expected = MeanOutputs(several)(X), Ensemble(several).merged().outputs(X)
    assert (found.dtype, found.shape) == (np.float64, expected.shape)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_machine_code_computes_the_mean_outputs_of_any_number_of_rows() -> None:
    pytest.importorskip("llvmlite")
    from workings.engines.compiled import machine_code

    layers = [NTKDense(3, "mish"), NTKDense(3, "tanh"), NTKDense(2)]  # narrow: one block has thousands of rows
    mean = MeanOutputs([Network(layers, loss="CrossEntropy", n_in=2, seed=seed) for seed in range(2)])
    rows = np.random.default_rng(0).normal(size=(20_000, 2))
    expected = mean(rows, "reference")
    with machine_code.only_from_cache():
        np.testing.assert_array_equal(mean(rows[:5]), expected[:5])
    mean.compile()
    with machine_code.only_from_cache():
        for count in (1, 16, 130, 5000, 20_000):
            found = mean.compiled(rows[:count], "compiled")
            assert found is not None
            np.testing.assert_allclose(mean(rows[:count]), expected[:count], rtol=1e-12)


def test_mean_outputs_of_some_rows_are_not_worth_compiling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    from workings.engines.compiled import machine_code

    monkeypatch.setenv("WORKINGS_CACHE", str(tmp_path))
    monkeypatch.setattr(machine_code, "KNOWN", {})  # nothing is in the cache
    monkeypatch.setattr(machine_code.llvm, "object_code", lambda *given: pytest.fail("it compiles"))
    mean = MeanOutputs([Network([Dense(17, "tanh"), Dense(2)], loss="CrossEntropy", n_in=2, seed=0)])
    rows = np.tile(X, (10, 1))
    np.testing.assert_array_equal(mean(rows), mean(rows, "reference"))


@pytest.mark.parametrize("suffix", [".onnx", ".c", ".json"])
def test_an_ensemble_is_exported_as_one_file(suffix: str, tmp_path: Path) -> None:
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    exported = files.save(Ensemble(networks(n_in=2)), tmp_path / f"one{suffix}")
    assert sum(path.suffix == suffix for path in exported.paths) == 1


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ([Dense(3), Dense(1)], [Dense(4), Dense(1)], "the same layers"),
        ([Dense(3, "relu"), Dense(1)], [Dense(3, "tanh"), Dense(1)], "the same layers"),
        ([BatchNorm(), Dense(1)], [BatchNorm(), Dense(1)], "BatchNorm"),
        ([Dense(1), ClipPredictions(0, 1)], [Dense(1), ClipPredictions(0, 2)], "the same layers"),
    ],
)
def test_networks_that_cannot_be_merged(one: list[Any], other: list[Any], words: str) -> None:
    several = [Network(layers, loss="SquaredError", n_in=2) for layers in (one, other)]
    with pytest.raises(InputError, match=words):
        Ensemble(several).merged()
    with pytest.raises(InputError, match="no parameters"):
        Ensemble(networks()).merged()
