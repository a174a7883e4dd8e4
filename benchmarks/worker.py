"""A worker process that holds one peer and executes commands.

Commands arrive as lines of JSON on standard input; answers go as JSON to the original standard output.  Output of
libraries is redirected to standard error.  Modules are imported only when a command needs them.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.peers.contract import Peer


class Worker:
    """The commands of a worker; each method is one."""

    peer: Peer

    def prepare(self, peer: str, job: str) -> dict[str, Any]:
        """Prepare a peer for the job in a file; return how it differs, and its loaded libraries."""
        from benchmarks.jobs import load
        from benchmarks.machine import libraries
        from benchmarks.peers import prepare

        self.peer = prepare(peer, load(job))
        return {"note": self.peer.note, "libraries": libraries()}

    def steps(self, steps: int) -> float:
        """Return the seconds of a number of steps from the initial parameters."""
        self.peer.reset()
        began = time.perf_counter()
        self.peer.run(steps)
        return time.perf_counter() - began

    def cost(self, steps: int) -> dict[str, float]:
        """Return the seconds of a number of steps, and the processor's seconds in all threads of this process."""
        cpu = time.process_time()
        return {"wall": self.steps(steps), "cpu": time.process_time() - cpu}

    def check(self, steps: int, file: str) -> str:
        """Write the parameters after a number of steps to a file."""
        import numpy as np

        self.peer.reset()
        self.peer.run(steps)
        np.savez(file, **self.peer.parameters())  # type: ignore[arg-type]
        return file

    def predict(self, rows: int, file: str | None = None) -> dict[str, float]:
        """Return the seconds, and the memory beyond the result, for predicting random rows."""
        from benchmarks.predicting import predict

        return predict(self.peer, rows, file)

    def call(self, function: str, arguments: dict[str, Any]) -> Any:
        """Call a function, named as ``module:function``."""
        module, name = function.split(":")
        return getattr(importlib.import_module(module), name)(**arguments)


def answer(worker: Worker, line: str) -> dict[str, Any]:
    """Execute one command."""
    from benchmarks.peers.contract import MissingError

    command = json.loads(line)
    try:
        return {"answer": getattr(worker, command.pop("do"))(**command)}
    except MissingError as error:
        return {"missing": str(error)}
    except Exception:
        return {"error": traceback.format_exc()}


def main() -> None:
    """Answer commands until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker()
    with contextlib.suppress(BrokenPipeError):  # the parent process has ended
        for line in sys.stdin:
            print(json.dumps(answer(worker, line)), file=answers, flush=True)


if __name__ == "__main__":
    main()
