"""JAX as in most scripts: one compiled step in a Python loop."""

from __future__ import annotations

from benchmarks.jobs import Job
from benchmarks.peers.jax_network import JaxNetwork


class CompiledStep(JaxNetwork):
    """Call the compiled step for each step; the new state reuses the old one's memory (donation)."""

    def compile(self) -> None:
        self.compiled_step = self.jax.jit(self.step, donate_argnums=0)

    def run(self, steps: int) -> None:
        for _ in range(self.workload.steps_of(steps)):
            self.state = self.compiled_step(self.state, self.X, self.Y)
        self.jax.block_until_ready(self.state)


def prepare(job: Job) -> CompiledStep:
    """Return the prepared training."""
    return CompiledStep(job)
