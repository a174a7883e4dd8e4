"""The JAX engine against the reference engine."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from workings import (
    L1,
    L2,
    LBFGS,
    SGD,
    Activation,
    Adam,
    BatchNorm,
    CrossEntropy,
    Dense,
    Dropout,
    EarlyStopping,
    InputError,
    Network,
    SquaredError,
)
from workings.activations import ACTIVATIONS
from workings.datasets import moons
from workings.engines.choice import choose
from workings.engines.jax import is_installed
from workings.errors import NotCompilableError
from workings.losses import LOSSES
from workings.optimizers import OPTIMIZERS
from workings.schedules import Cosine

pytestmark = pytest.mark.skipif(not is_installed(), reason="JAX is not installed")
X, Y = moons(n=60, seed=0)
AGREES = {"float64": 1e-10, "float32": 1e-4}


def trained(engine: str, layers: list[Any], loss: Any, y: Any = Y, *, dtype: str = "float64", **how: Any) -> Network:
    """Train a network with one of the engines."""
    network = Network(layers, loss=loss, seed=3, dtype=dtype, regularizer=how.pop("regularizer", None))
    network.fit(X, y, engine=engine, **{"epochs": 3, "batch_size": 16, **how})
    return network


def assert_equal(a: Network, b: Network, tolerance: float) -> None:
    """Parameters, statistics and recorded losses agree."""
    for name in a.parameters:
        np.testing.assert_allclose(b.parameters[name], a.parameters[name], rtol=tolerance, atol=tolerance)
    for name in a.statistics:
        np.testing.assert_allclose(b.statistics[name], a.statistics[name], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(b.history["loss"], a.history["loss"], rtol=tolerance)


def compare(layers: Any, loss: Any, y: Any = Y, *, dtype: str = "float64", **how: Any) -> Network:
    """Train with both engines and compare; ``layers`` and ``loss`` are functions that make them."""
    first, second = (trained(engine, layers(), loss(), y, dtype=dtype, **how) for engine in ("reference", "jax"))
    assert_equal(first, second, AGREES[dtype])
    return second


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_training_with_everything(dtype: str) -> None:
    """Dropout, batch normalization, penalties, weights, validation, metrics, a schedule, and a last, smaller batch."""
    network = compare(
        lambda: [Dense(8, "gelu"), BatchNorm(), Dropout(0.2), Dense(2)], CrossEntropy, dtype=dtype,
        optimizer=Adam(Cosine(0.01, steps=16)), regularizer=[L1(0.001), L2(0.01)], validation=0.2, metrics=["accuracy"],
        sample_weight=np.linspace(0.5, 2, 60), epochs=4, callbacks=[EarlyStopping(patience=9)],
    )  # fmt: skip
    assert network.history.engine.startswith("jax (as requested, on ")
    np.testing.assert_allclose(network.outputs(X, engine="jax"), network.outputs(X, engine="reference"), atol=1e-5)


@pytest.fixture
def op_by_op() -> Any:
    """Let JAX run each operation on its own, which needs no compiling of whole programs."""
    import jax

    with jax.disable_jit():
        yield


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_activations(activation: str, op_by_op: None) -> None:
    compare(lambda: [Dense(3, activation), Dense(1)], SquaredError, X[:, 0], optimizer=SGD(0.01), epochs=1)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_losses(name: str, op_by_op: None) -> None:
    kind = LOSSES[name]
    units = 2 if kind is CrossEntropy else 1
    y = Y if "Entropy" in kind.__name__ else np.abs(X[:, 0])
    compare(lambda: [Dense(3, "tanh"), Dense(units)], kind, y, optimizer=SGD(0.01), epochs=1)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_optimizers(name: str, op_by_op: None) -> None:
    compare(lambda: [Dense(3, "tanh"), Dense(2)], CrossEntropy, optimizer=OPTIMIZERS[name](0.01), epochs=1)


def test_a_full_batch_in_the_order_of_the_data() -> None:
    compare(lambda: [Dense(3, "tanh"), Dense(2)], CrossEntropy, optimizer=SGD(0.1), batch_size=None, shuffle=False)


def with_float(z: Any) -> Any:
    """An activation that needs the numbers themselves, which JAX does not have while it traces."""
    return z * float(np.asarray(z).max() > 0)


def test_a_statement_that_cannot_be_traced_is_named_and_nothing_changes() -> None:
    layers = [Dense(3, Activation("mine", with_float, np.ones_like)), Dense(2)]
    network = Network(layers, loss=CrossEntropy(), seed=0)
    with pytest.raises(NotCompilableError, match="JAX cannot run `a1 = "):
        network.fit(X, Y, optimizer=SGD(0.1), epochs=1, engine="jax")
    assert not network.parameters


def test_lbfgs_and_sparse_rows_are_refused() -> None:
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0)
    with pytest.raises(InputError, match="L-BFGS cannot run with engine='jax'"):
        network.fit(X, Y, optimizer=LBFGS(), epochs=1, engine="jax")
    sparse = scipy.sparse.random(60, 2_000_000, density=1e-6, format="csr", random_state=0)
    with pytest.raises(NotCompilableError, match="sparse"):
        network.fit(sparse, Y, optimizer=SGD(0.1), epochs=1, engine="jax")


def test_auto_never_chooses_jax() -> None:
    network = Network([Dense(512, "relu"), Dense(2)], loss=CrossEntropy(), n_in=2, seed=0)
    program = network.program(optimizer=SGD(0.1))
    values = {**network.parameters}
    assert choose("auto", program, values, 10_000, 10_000)[0] != "jax"


@pytest.mark.slow
def test_rows_are_spread_over_several_devices(tmp_path: Path) -> None:
    """With two devices, in a process of its own: the same numbers to rounding."""
    code = """
        import jax, numpy as np
        from workings import SGD, CrossEntropy, Dense, Network
        from workings.datasets import moons
        assert len(jax.devices()) == 2
        X, y = moons(60, seed=0)
        nets = [Network([Dense(4, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0) for _ in range(2)]
        for net, engine in zip(nets, ("reference", "jax")):
            history = net.fit(X, y, optimizer=SGD(0.1), epochs=2, batch_size=16, engine=engine)
        assert "on 2 × cpu" in history.engine, history.engine
        np.testing.assert_allclose(nets[1].parameters["W1"], nets[0].parameters["W1"], rtol=1e-10)
    """
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=True, env=environment, cwd=tmp_path, timeout=300
    )
