"""Aside: what may be done beside the training, on a second processor.

Small networks are trained by one thread.  Where another processor is idle, what has been learned so far is measured on
it, while training goes on; where none is, it is measured in between.  The numbers are the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from workings.engines.kernels.threads import threads, work_alone

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

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

    def task(self, function: Callable[..., T], *given: Any) -> Task[T]:
        """Have something done, after what was handed in before."""
        if self.executor is None:
            from concurrent.futures import ThreadPoolExecutor

            self.executor = ThreadPoolExecutor(1, "workings", initializer=work_alone)
        return Task(function, *given, future=self.executor.submit(after_a_moment, function, *given))


class Task(Generic[T]):
    """Something to be done: aside, if a future says so, or where its result is asked for."""

    def __init__(self, function: Callable[..., T], *given: Any, future: Future[T] | None = None) -> None:
        self.function, self.given, self.future = function, given, future

    def result(self) -> T:
        """What comes out; done now, if it has not been begun aside."""
        if self.future is None or self.future.cancel():
            return self.function(*self.given)
        return self.future.result()


def after_a_moment(function: Callable[..., T], *given: Any) -> T:
    """Do something when the thread that asked for it has had time to turn to something else."""
    time.sleep(HEAD_START)
    return function(*given)
