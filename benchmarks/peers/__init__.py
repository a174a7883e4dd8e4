"""The peers: the same training, implemented for each library as a careful user would.

Each file is one peer and has ``prepare(job)``, which returns a ``Peer`` of the contract or raises ``MissingError``
if its library is not installed.  ``OURS`` are the engines of Workings, ``OTHERS`` the other libraries.
"""

from __future__ import annotations

import importlib

from benchmarks.jobs import Job
from benchmarks.peers.contract import Peer

FILES = {
    "compiled": "compiled",
    "reference": "reference",
    "numpy": "numpy_loop",
    "torch": "torch_eager",
    "sklearn": "sklearn_mlp",
    "jax-step": "jax_step",
    "jax-loop": "jax_loop",
}
DEFAULTS = {"compiled-default": "compiled_default"}  # also measured with "compiled", on workloads of several batches
KERNELS = {"blas": "compiled_blas", "blas-shared": "compiled_blas_shared"}  # for benchmarks/kernels.py alone
OURS = ("compiled", "compiled-default", "reference")
OTHERS = tuple(name for name in FILES if name not in OURS)


def prepare(name: str, job: Job) -> Peer:
    """Prepare a peer for a job."""
    peer: Peer = importlib.import_module(f"benchmarks.peers.{(FILES | DEFAULTS | KERNELS)[name]}").prepare(job)
    return peer
