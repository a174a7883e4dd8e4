"""JAX with the whole training compiled as one loop, including the selection of batches."""

from __future__ import annotations

from typing import Any

from benchmarks.jobs import Job
from benchmarks.peers.jax_network import JaxNetwork


class CompiledLoop(JaxNetwork):
    """Run all steps in one call; their number is an argument, so that it is compiled once."""

    def compile(self) -> None:
        self.compiled_loop = self.jax.jit(self.loop, donate_argnums=0)

    def loop(self, state: Any, X: Any, Y: Any, steps: Any) -> Any:
        """Run a number of steps."""
        return self.jax.lax.fori_loop(0, steps, lambda _, state: self.step(state, X, Y), state)

    def run(self, steps: int) -> None:
        self.state = self.compiled_loop(self.state, self.X, self.Y, self.workload.steps_of(steps))
        self.jax.block_until_ready(self.state)


def prepare(job: Job) -> CompiledLoop:
    """Return the prepared training."""
    return CompiledLoop(job)
