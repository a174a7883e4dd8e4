"""Workings with the compiled engine, whose own threads share products and rows and call BLAS with one thread each."""

from __future__ import annotations

from benchmarks.jobs import Job
from benchmarks.peers.compiled_blas import fit_with_blas
from benchmarks.peers.contract import library
from benchmarks.peers.ours import Fit


def prepare(job: Job) -> Fit:
    """A network that the compiled engine trains with BLAS in place of its own product."""
    fit = fit_with_blas(job)
    library("threadpoolctl", "threadpoolctl").threadpool_limits(1, "blas")
    fit.reset()
    return fit
