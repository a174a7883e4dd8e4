"""Processes: each peer lives in one of its own, with its threads fixed before anything is imported.

A child runs ``benchmarks.worker``, reads commands as lines of JSON and answers in the same way, so that
warm processes can be asked in turn, round after round.  With one thread it is also tied to one core:
some libraries start threads whatever their settings say.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from benchmarks.jobs import ROOT
from benchmarks.peers.contract import MissingError

VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
ONE_THREAD_OF_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


class ChildError(Exception):
    """A child failed; the message is its traceback."""


def environment(threads: int) -> dict[str, str]:
    """The environment of a process with so many threads."""
    fixed = dict.fromkeys(VARIABLES, str(threads)) | {"JAX_PLATFORMS": "cpu", "PYTHONHASHSEED": "0"}
    if threads == 1:
        fixed["XLA_FLAGS"] = ONE_THREAD_OF_XLA
    return {**os.environ, **fixed}


def pinning(threads: int) -> Callable[[], None] | None:
    """What ties a new process to so many cores, on systems that can."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0), reverse=True)[:threads]
    return lambda: os.sched_setaffinity(0, cores)


class Child:
    """A worker process; ask it for something and wait for the answer."""

    def __init__(self, threads: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment(threads),
            preexec_fn=pinning(threads), start_new_session=True,
        )  # fmt: skip

    def ask(self, do: str, **arguments: Any) -> Any:
        """Send a command, give its answer.

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
        """Call a function of the benchmarks, named as ``module:function``, in the child."""
        return self.ask("call", function=function, arguments=arguments)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close(patience=5.0 if error is None else 0.1)

    def close(self, patience: float) -> None:
        """End the process: its input ends, and if that does not help in so many seconds, it is killed."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def answer_of(line: str) -> Any:
    """Unpack a line that a child wrote."""
    if not line:
        raise ChildError("the worker process ended without an answer")
    found = json.loads(line)
    if "missing" in found:
        raise MissingError(found["missing"])
    if "error" in found:
        raise ChildError(found["error"])
    return found["answer"]


def in_threads(threads: int) -> str:
    """As tables say it."""
    return f"{threads} thread" if threads == 1 else f"{threads} threads"


def say(text: str) -> None:
    """Tell on standard error what is going on."""
    print(text, file=sys.stderr, flush=True)
