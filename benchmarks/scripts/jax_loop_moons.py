"""Two moons with JAX, the whole loop compiled."""

import sys

import jax
import jax.numpy as jnp
import numpy as np

Parameters = dict[str, jax.Array]
jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
data = np.load(sys.argv[1])
X, y = jnp.asarray(data["X"]), jnp.asarray(data["y"])
rng = np.random.default_rng(0)
parameters = {
    "W1": jnp.asarray(rng.standard_normal((2, 3)) / np.sqrt(2)), "b1": jnp.zeros(3),
    "W2": jnp.asarray(rng.standard_normal((3, 2)) / np.sqrt(3)), "b2": jnp.zeros(2),
}  # fmt: skip


def outputs(p: Parameters, X: jax.Array) -> jax.Array:
    """The last layer."""
    return jnp.tanh(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]


def objective(p: Parameters, X: jax.Array, y: jax.Array) -> jax.Array:
    """Cross-entropy, and the price on weights."""
    losses = -jnp.take_along_axis(jax.nn.log_softmax(outputs(p, X)), y[:, None], axis=1)
    return losses.sum() + 0.005 * ((p["W1"] ** 2).sum() + (p["W2"] ** 2).sum())


def step(p: Parameters, X: jax.Array, y: jax.Array) -> Parameters:
    """One step downhill."""
    gradients = jax.grad(objective)(p, X, y)
    return {name: p[name] - 0.01 * gradients[name] for name in p}


@jax.jit
def train(p: Parameters, X: jax.Array, y: jax.Array, passes: int) -> Parameters:
    """All steps in one compiled loop."""
    trained: Parameters = jax.lax.fori_loop(0, passes, lambda _, p: step(p, X, y), p)
    return trained


parameters = train(parameters, X, y, int(sys.argv[2]))
print(float((outputs(parameters, X).argmax(axis=1) == y).mean()))
