"""JAX as most scripts have it: one step compiled, and a loop in Python around it."""

from __future__ import annotations

from benchmarks.jobs import Job
from benchmarks.peers.jax_network import JaxNetwork


class CompiledStep(JaxNetwork):
    """A call of the compiled step for each step; the old state's memory is given to the new one."""

    def compile(self) -> None:
        self.compiled_step = self.jax.jit(self.step, donate_argnums=0)

    def run(self, steps: int) -> None:
        for _ in range(self.workload.steps_of(steps)):
            self.state = self.compiled_step(self.state, self.X, self.Y)
        self.jax.block_until_ready(self.state)


def prepare(job: Job) -> CompiledStep:
    """The compiled step, ready to run."""
    return CompiledStep(job)
