"""Transforms of the target of a table: the logarithm and the quantiles, their choice and their inverse as a layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from workings import Dense, Exp, InputError, Interpolation, Network, SquaredError
from workings.cli.commands import app
from workings.files import load, save
from workings.sklearn import TableRegressor
from workings.table_recipe import REGRESSION, with_inverse, without_inverse
from workings.tables.target_transform import LogTransform, QuantileTransform, chosen_transform

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 2))
PRICES = 1000 * np.exp(1.5 * X[:, 0] + 0.3 * RNG.normal(size=100))
TABLE = pd.DataFrame(X, columns=["size", "age"])
SHORT = replace(REGRESSION, epochs=8, networks=2)


def after(layer: Exp | Interpolation, values: np.ndarray) -> np.ndarray:
    """The outputs of a layer behind an identity."""
    net = Network([Dense(1, weights=[[1.0]]), layer], loss=SquaredError(), n_in=1)
    return net.predict(values[:, None])


@pytest.mark.parametrize("transform", [LogTransform.of(PRICES), QuantileTransform.of(PRICES)], ids=["log", "quantile"])
def test_the_inverse_gives_the_targets_again(transform: LogTransform | QuantileTransform) -> None:
    there = transform.apply(PRICES)
    assert abs(there.mean()) < 0.1
    assert there.std() == pytest.approx(1, abs=0.1)
    assert (np.diff(there[np.argsort(PRICES)]) > 0).all()
    np.testing.assert_allclose(after(transform.inverse, there), PRICES, rtol=1e-9)


def test_an_interpolation_is_that_of_numpy_within_the_points() -> None:
    inputs, outputs = [-1.0, 0.0, 0.5, 3.0], [4.0, 1.0, 1.0, 7.0]
    x = np.linspace(-1, 3, 33)
    np.testing.assert_allclose(after(Interpolation(inputs, outputs), x), np.interp(x, inputs, outputs), atol=1e-12)
    np.testing.assert_allclose(after(Interpolation(inputs, outputs), np.array([-2.0, 4.0])), [7.0, 9.4])


def test_equal_targets_in_a_quantile_transform() -> None:
    y = np.array([0.0] * 60 + [1.0] * 20 + list(np.linspace(2, 500, 20)))
    transform = QuantileTransform.of(y)
    there = transform.apply(y)
    assert np.isfinite(there).all()
    np.testing.assert_allclose(after(transform.inverse, there), y, atol=1e-9)


TARGETS = {
    "prices": (PRICES, "log"),
    "prices in another currency": (1e-6 * PRICES, "log"),
    "prices with a refund": (np.where(np.arange(100) == 3, -1.0, PRICES), "none"),
    "a price of 0": (np.where(np.arange(100) == 3, 0.0, PRICES), "none"),
    "losses": (-PRICES, "none"),
    "one outlier": (np.where(np.arange(100) == 3, 30.0, RNG.normal(10, 0.01, size=100)), "none"),
    "mostly zeros": (np.where(np.arange(100) < 70, 0.0, PRICES), "none"),
    "numbers of a normal distribution": (RNG.normal(50, 10, size=100), "none"),
    "positive and even": (RNG.uniform(1, 2, size=100), "none"),
    "a few rows": (PRICES[:20], "none"),
    "equal": (np.full(100, 3.0), "none"),
    "enormous": (np.where(np.arange(100) == 3, 1e308, -1e308), "none"),
}


@pytest.mark.parametrize("name", TARGETS)
def test_the_transform_is_chosen_by_what_the_target_looks_like(name: str) -> None:
    y, chosen = TARGETS[name]
    assert chosen_transform("auto", y) == chosen


@pytest.mark.parametrize("suffix", [".onnx", ".c", ".py", ".safetensors"])
def test_a_skewed_target_is_predicted_in_its_unit_and_never_negative(suffix: str, tmp_path: Path) -> None:
    if suffix == ".onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    model = TableRegressor(recipe=SHORT, random_state=0).fit(TABLE, PRICES)
    assert isinstance(model.network_.layers[-1], Exp)
    assert model.columns_.scale is not None
    assert model.columns_.scale[0] == 0
    far = pd.DataFrame({"size": [-1e6, 0.0, 1e6, np.nan], "age": [1e6, -1e6, 0.0, 1.0]})
    found = model.predict(far)
    assert (found > 0).all()
    assert found.max() <= PRICES.max() * (1 + 1e-6)
    logs = np.mean([np.log(net.predict(TABLE)) for net in model.networks_], axis=0)
    inner = np.median(PRICES) > PRICES  # others may be clipped
    np.testing.assert_allclose(model.predict(TABLE)[inner], np.exp(logs)[inner], rtol=1e-4)
    assert save(model, tmp_path / f"model{suffix}").paths
    if suffix == ".safetensors":
        np.testing.assert_allclose(load(tmp_path / "model.safetensors").predict(far), found, rtol=1e-4)


def test_a_transform_can_be_set() -> None:
    plain = TableRegressor(recipe=replace(SHORT, target="none"), random_state=0).fit(TABLE, PRICES)
    assert not isinstance(plain.network_.layers[-1], Exp)
    quantile = TableRegressor(recipe=replace(SHORT, target="quantile"), random_state=0).fit(TABLE, -PRICES)
    assert isinstance(quantile.network_.layers[-1], Interpolation)
    assert quantile.score(TABLE, -PRICES) > 0.2
    with pytest.raises(InputError, match="positive target"):
        TableRegressor(recipe=replace(SHORT, target="log")).fit(TABLE, -PRICES)
    with pytest.raises(InputError, match="transform of the target"):
        replace(REGRESSION, target="root")


def test_the_command_says_what_it_did_to_the_target(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    TABLE.assign(price=PRICES).to_csv(file, index=False)
    options = ["train", str(file), "--target", "price", "--epochs", "8", "--ensemble", "2", "--out", str(tmp_path)]
    runner = CliRunner()
    found = runner.invoke(app, options)
    assert found.exit_code == 0, found.output
    assert ", logarithm of the target;" in " ".join(found.output.split())
    net = load(tmp_path / "model.safetensors")
    assert isinstance(net.layers[-1], Exp)
    table = TABLE.assign(size=-9.0)
    assert (net.predict(table) > 0).all()
    plain = runner.invoke(app, [*options, "--transform", "none"])
    assert ", logarithm of the target;" not in " ".join(plain.output.split())
    for more, words in (
        (["--transform", "root"], "transform of the target 'root'"),
        (["--transform", "log", "--plain"], "--transform work only with the recipe"),
        (["--ensemble", "1", "--script", str(tmp_path / "training.py")], "--transform none"),
    ):
        refused = runner.invoke(app, [*options, *more])
        assert refused.exit_code == 2
        assert words in " ".join(refused.output.split())


def test_the_doctor_gets_the_network_that_was_trained() -> None:
    model = TableRegressor(recipe=replace(SHORT, networks=1), random_state=0).fit(TABLE, PRICES)
    (net,) = model.networks_
    inner, learned = without_inverse(net, PRICES / PRICES.std())
    assert not any(isinstance(layer, Exp) for layer in inner.layers)
    rows = model.columns_.encode(TABLE)
    np.testing.assert_allclose(np.exp(learned * net.layers[-1].factor + net.layers[-1].shift) * PRICES.std(), PRICES)
    again = with_inverse(inner, LogTransform(net.layers[-1].shift, net.layers[-1].factor))
    np.testing.assert_array_equal(again.outputs(rows), net.outputs(rows))
    same = without_inverse(net, -PRICES)
    assert same[0] is net
    assert same[1].max() < 0
