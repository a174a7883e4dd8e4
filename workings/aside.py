"""Aside: what may be done beside the training, on a second processor.

Small networks are trained by one thread.  Where another processor is idle, what has been learned so far is measured on
it, while training goes on; where none is, it is measured in between.  The numbers are the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from workings.engines.team import threads, work_alone

if TYPE_CHECKING:
    from concurrent.futures import Executor

HEAD_START = 2e-4  # seconds in which the thread that trains is back in machine code, where it does not need Python
COUNTING = threading.Lock()
T = TypeVar("T")


class Aside:
    """One more thread for a training, while there is a processor for it; as a context, in which it may be used."""

    trainings: ClassVar[int] = 0  # of this process, which share the processors
    executor: Executor | None = None

    def __enter__(self) -> Aside:
        with COUNTING:
            Aside.trainings += 1
        return self

    def __exit__(self, *error: object) -> None:
        with COUNTING:
            Aside.trainings -= 1
        if self.executor is not None:
            self.executor.shutdown(wait=False, cancel_futures=True)

    @property
    def is_free(self) -> bool:
        """Whether there are two processors for each training."""
        return threads() >= 2 * Aside.trainings

    def do(self, function: Callable[..., T], *given: Any) -> Callable[[], T]:
        """Have something done, after what was handed in before; what comes back waits for it and gives its result."""
        if self.executor is None:
            from concurrent.futures import ThreadPoolExecutor

            self.executor = ThreadPoolExecutor(1, "workings", initializer=work_alone)
        return self.executor.submit(after_a_moment, function, *given).result


def after_a_moment(function: Callable[..., T], *given: Any) -> T:
    """Do something when the thread that asked for it has had time to turn to something else."""
    time.sleep(HEAD_START)
    return function(*given)
