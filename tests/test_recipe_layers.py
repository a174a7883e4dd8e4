"""The layers and optimizer parts of the recipe for tables: ``Scale``, ``NTKDense``, ``RateFactors``, ``CosineLog``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workings import (
    SGD,
    Adam,
    BatchNorm,
    Chain,
    CrossEntropy,
    Decay,
    Dense,
    Dropout,
    Freeze,
    InputError,
    Network,
    NTKDense,
    RateFactors,
    Scale,
    SquaredError,
)
from workings.files import load, save
from workings.files.folding import folded
from workings.layers import Layer
from workings.schedules import CosineLog

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4))
CLASSES = np.arange(30) % 3


def recipe(*hidden: Layer, **settings: Any) -> Network:
    layers = [Scale(), *(hidden or (NTKDense(5, "mish"),)), NTKDense(3, weights="zeros", biases="zeros")]
    return Network(layers, loss=CrossEntropy(label_smoothing=0.1), seed=0, n_in=4, **settings)


def test_ntk_divides_by_the_root_of_the_fan_in() -> None:
    layer = NTKDense(2, weights=[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]], biases=[0.5, -0.5])
    net = Network([layer], loss=SquaredError(), n_in=4)
    assert net.predict(np.ones((1, 4))).tolist() == [[8.5, 9.5]]


def test_ntk_starts_at_a_standard_normal_distribution_whatever_the_width() -> None:
    for width in (3, 300):
        start = NTKDense(200).start(np.random.default_rng(1), width)
        assert start["W"].std() == pytest.approx(1, abs=0.1)
        assert start["b"].std() == pytest.approx(1, abs=0.2)


def test_ntk_needs_a_bias() -> None:
    with pytest.raises(InputError, match="use Dense"):
        NTKDense(3, bias=False)


def test_a_scale_takes_all_engines_to_the_same_weights() -> None:
    found = []
    optimizer = Chain(RateFactors(s=6, b=0.1), Adam(CosineLog(0.04, steps=30), beta2=0.95))
    for engine in ("reference", "compiled"):
        net = recipe()
        net.fit(X, CLASSES, optimizer=optimizer, epochs=10, batch_size=10, engine=engine)
        found.append(net.theta)
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-10)
    assert (found[0][:4] != 1).all()


def moved(optimizer: Any) -> dict[str, np.ndarray]:
    """How far one step moves each parameter of a small network."""
    net = Network([Scale(), Dense(2), BatchNorm("tanh"), NTKDense(2)], loss=SquaredError(), seed=1, n_in=4)
    before = {name: value.copy() for name, value in net.parameters.items()}
    net.step(X, X[:, :2], optimizer)
    return {name: net.parameters[name] - value for name, value in before.items()}


def test_a_rate_factor_multiplies_the_step_of_its_kind_alone() -> None:
    plain, changed = moved(SGD(0.1)), moved(Chain(RateFactors(b=0.1, s=6, beta=2), SGD(0.1)))
    factors = {"s1": 6, "W1": 1, "b1": 0.1, "gamma1": 1, "beta1": 2, "W2": 1, "b2": 0.1}
    for name, factor in factors.items():
        np.testing.assert_allclose(changed[name], factor * plain[name], rtol=1e-9, atol=1e-17, err_msg=name)


def test_rate_factors_multiply_and_act_only_on_later_parts() -> None:
    twice = moved(Chain(RateFactors(W=2), RateFactors(W=3), SGD(0.1)))
    np.testing.assert_allclose(twice["W2"], 6 * moved(SGD(0.1))["W2"])
    before = moved(Chain(Decay(0.5), RateFactors(W=2), SGD(0.1)))
    after = moved(Chain(RateFactors(W=2), Decay(0.5), SGD(0.1)))
    assert np.any(before["W1"] != after["W1"])


def test_the_program_names_the_rates() -> None:
    program = recipe().program(Chain(RateFactors(s=6, b=0.1), SGD(0.1)))
    lines = [str(statement) for statement in program.statements if statement.stage == "update"]
    assert lines[:4] == ["lr_s = lr * 6", "lr_b = lr * 0.1", "s1 = s1 - lr_s * ds1", "W1 = W1 - lr * dW1"]


@pytest.mark.parametrize("factors", [{}, {"b": 0}, {"b": -1}, {"b": "1"}, {"b": float("nan")}, {"b": float("inf")}])
def test_factors_that_are_refused(factors: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"factor"):
        RateFactors(**factors)


def test_a_kind_that_no_parameter_has_is_refused() -> None:
    with pytest.raises(InputError, match="kind of parameter"):
        recipe().fit(X, CLASSES, optimizer=Chain(RateFactors(gamma=2), SGD(0.1)), epochs=1)
    frozen = Chain(Freeze("s1"), RateFactors(s=2), SGD(0.1))
    with pytest.raises(InputError, match="kind of parameter"):
        recipe().fit(X, CLASSES, optimizer=frozen, epochs=1)


def test_names_of_parameters_are_never_those_of_intermediate_values() -> None:
    net = Network([Dense(3, "silu"), Scale(), Dense(2, "mish"), NTKDense(1)], loss=SquaredError(), n_in=4, seed=0)
    assert net.check_gradients(X, X[:, 0]).ok
    targets = [statement.target for statement in net.program(SGD(0.1)).statements]
    assert len(targets) == len(set(targets))


STACKS = {
    "recipe": [],
    "a scale at the end": [NTKDense(3, "selu"), Scale()],
    "dropout between": [Dropout(0.3), Scale(), Dropout(0.1), Dense(3, "tanh", bias=False)],
    "batch norm between": [Scale(), BatchNorm("tanh"), Scale(), Dense(3)],
}


@pytest.mark.parametrize("name", STACKS)
def test_a_folded_network_predicts_the_same_without_ntk(name: str) -> None:
    net = recipe(*STACKS[name])
    net.fit(X, CLASSES, optimizer=Adam(0.05), epochs=3)
    plain = folded(net)
    assert not any(isinstance(layer, NTKDense) for layer in plain.layers)
    np.testing.assert_allclose(plain.predict_proba(X), net.predict_proba(X), rtol=1e-12)
    assert folded(plain) is plain or any(isinstance(layer, Scale) for layer in plain.layers)


@pytest.mark.parametrize("suffix", [".onnx", ".c", ".py", ".json", ".safetensors"])
def test_the_recipe_is_exported(suffix: str, tmp_path: Path) -> None:
    if suffix == ".onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    net = recipe()
    net.fit(X, CLASSES, optimizer=Adam(0.05), epochs=3)
    assert save(net, tmp_path / f"net{suffix}").paths
    if suffix in (".json", ".safetensors", ".onnx"):
        again = load(tmp_path / f"net{suffix}")
        np.testing.assert_allclose(again.predict_proba(X), net.predict_proba(X), rtol=1e-12)


def test_the_script_of_a_recipe_trains_the_same() -> None:
    net = recipe()
    optimizer = Chain(RateFactors(s=6, b=0.1), Adam(CosineLog(0.04, steps=9), beta2=0.95))
    code = net.script(optimizer=optimizer, epochs=3, batch_size=10, data=(X, CLASSES))
    assert "rng.standard_normal((4, 5))" in code
    assert "lr_s = lr * 6" in code
