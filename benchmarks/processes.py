"""Child processes: each peer has one of its own, with its number of threads set before any import.

A child runs ``benchmarks.worker``, reads commands as lines of JSON and answers in the same way, so that warm
processes can be timed in turn, round after round.  With one thread it is also pinned to one core, because some
libraries start threads regardless of their settings.  All children can be restricted to AVX2, and one core can be
kept busy meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from benchmarks.jobs import ROOT
from benchmarks.peers.contract import MissingError

VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
# What Workings, XLA, PyTorch, oneDNN, MKL, OpenBLAS and NumPy read to use no instructions beyond AVX2 and FMA.
AVX2 = {
    "WORKINGS_CPU_FEATURES": "-avx512f", "XLA_FLAGS": "--xla_cpu_max_isa=AVX2", "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}  # fmt: skip
SPIN = "while True: pass"
ONE_THREAD_OF_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


class ChildError(Exception):
    """Error in a child process; the message is its traceback."""


def environment(threads: int) -> dict[str, str]:
    """Return environment variables that limit a process to a number of threads."""
    fixed = dict.fromkeys(VARIABLES, str(threads)) | {"JAX_PLATFORMS": "cpu", "PYTHONHASHSEED": "0"}
    if threads == 1:
        fixed["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {ONE_THREAD_OF_XLA}".strip()
    return {**os.environ, **fixed}


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy; it is one that children with one thread do not use, if there are two."""
    core = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    pin = None if core is None else lambda: os.sched_setaffinity(0, [core])
    process = subprocess.Popen([sys.executable, "-c", SPIN], preexec_fn=pin, start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def pinning(threads: int) -> Callable[[], None] | None:
    """Return a function that pins a new process to a number of cores, or None if the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0), reverse=True)[:threads]
    return lambda: os.sched_setaffinity(0, cores)


class Child:
    """A worker process that executes commands; ``python`` is another interpreter, with other versions of a library."""

    def __init__(self, threads: int, python: str = sys.executable) -> None:
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment(threads),
            preexec_fn=pinning(threads), start_new_session=True,
        )  # fmt: skip

    def ask(self, do: str, **arguments: Any) -> Any:
        """Send a command and return its answer.

        Raises
        ------
        MissingError
            If the child lacks a library.
        ChildError
            If the command failed or the child is gone.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise ChildError("the worker process is gone") from error
        return answer_of(self.process.stdout.readline())

    def call(self, function: str, **arguments: Any) -> Any:
        """Call a function, named as ``module:function``, in the child process."""
        return self.ask("call", function=function, arguments=arguments)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close(patience=5.0 if error is None else 0.1)

    def close(self, patience: float) -> None:
        """End the process by closing its input; kill it after ``patience`` seconds."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def answer_of(line: str) -> Any:
    """Decode an answer of a child process."""
    if not line:
        raise ChildError("the worker process ended without an answer")
    found = json.loads(line)
    if "missing" in found:
        raise MissingError(found["missing"])
    if "error" in found:
        raise ChildError(found["error"])
    return found["answer"]


def in_threads(threads: int) -> str:
    """Format a number of threads."""
    return f"{threads} thread" if threads == 1 else f"{threads} threads"


def say(text: str) -> None:
    """Print progress to standard error."""
    print(text, file=sys.stderr, flush=True)
