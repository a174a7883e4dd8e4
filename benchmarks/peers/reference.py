"""Workings with the reference engine."""

from __future__ import annotations

from benchmarks.jobs import Job
from benchmarks.peers.ours import Fit


def prepare(job: Job) -> Fit:
    """A network that the reference engine trains."""
    return Fit(job, "reference")
