"""Workings with the compiled engine."""

from __future__ import annotations

from benchmarks.jobs import Job
from benchmarks.peers.ours import Fit


def prepare(job: Job) -> Fit:
    """A network that the compiled engine trains."""
    return Fit(job, "compiled")
