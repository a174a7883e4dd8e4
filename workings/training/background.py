"""Background thread: evaluate the network on a second processor while training continues.

Small networks are trained by one thread.  If another processor is idle, the parameters of past epochs are
evaluated there while training continues.  If none is idle, the training thread evaluates them itself.  The
results are the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from workings.engines.kernels.threads import threads, work_alone

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

START_DELAY = 2e-4  # seconds until a task starts: by then the training thread runs machine code without Python
T = TypeVar("T")


class BackgroundThread:
    """A second thread for a training; use it as a context manager."""

    running: ClassVar[set[BackgroundThread]] = set()  # of all trainings in this process; they share the processors
    executor: Executor | None = None

    def __enter__(self) -> BackgroundThread:
        BackgroundThread.running.add(self)  # without a lock, which an exception at a wrong moment would not release
        return self

    def __exit__(self, *error: object) -> None:
        BackgroundThread.running.discard(self)
        if self.executor is not None:
            self.executor.shutdown(wait=False, cancel_futures=True)

    @property
    def is_free(self) -> bool:
        """Whether there are two processors for each running training."""
        return threads() >= 2 * len(BackgroundThread.running)

    def task(self, function: Callable[..., T], *arguments: object) -> BackgroundTask[T]:
        """Queue a function call on the background thread; tasks run in the order of queuing."""
        if self.executor is None:
            from concurrent.futures import ThreadPoolExecutor

            self.executor = ThreadPoolExecutor(1, "workings", initializer=work_alone)
        return BackgroundTask(function, *arguments, future=self.executor.submit(run_delayed, function, *arguments))


class BackgroundTask(Generic[T]):
    """A function call that runs on the background thread, or when its result is requested.

    Without a future, it runs in the thread that calls ``result``.
    """

    def __init__(self, function: Callable[..., T], *arguments: object, future: Future[T] | None = None) -> None:
        self.function, self.arguments, self.future = function, arguments, future

    def result(self) -> T:
        """Return the result; run the function here if the background thread has not started it."""
        if self.future is None or self.future.cancel():
            return self.function(*self.arguments)
        return self.future.result()


def run_delayed(function: Callable[..., T], *arguments: object) -> T:
    """Call a function after a short delay, so that the training thread can return to machine code first."""
    time.sleep(START_DELAY)
    return function(*arguments)
