"""Ctrl-C during a training: when it takes effect, and what it leaves whole.

The first Ctrl-C ends the training.  It stops steps at once, and waits for the end of anything that must not
be left half done, such as a callback.  The second one raises ``KeyboardInterrupt`` at once, also in a
callback; it waits only while parameters are copied back.  Ctrl-C reaches the main thread alone, so a training
in another thread has no handler.

If several processes train one network, Ctrl-C in one of them ends all at the same step.
"""

from __future__ import annotations

import enum
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Effect(enum.Enum):
    """When Ctrl-C takes effect."""

    AT_ONCE = "at once"  # KeyboardInterrupt is raised wherever Python is
    LATER = "later"  # the first Ctrl-C waits for the next check; the second takes effect at once
    NEVER = "never"  # any Ctrl-C waits


class Interruption:
    """Handles Ctrl-C while it is used as a context manager; the previous handler is restored at the end.

    If the program has a handler of its own, that handler stays, and may raise ``KeyboardInterrupt`` anywhere.

    Attributes
    ----------
    count : int
        How often Ctrl-C was pressed.
    effect : Effect
        When the next Ctrl-C takes effect.
    total : callable
        Returns the number of times that Ctrl-C was pressed in all processes, given that in this one.  If it is set, all
        processes check at the same places, and nothing else raises KeyboardInterrupt at the first Ctrl-C.
    """

    def __init__(self) -> None:
        self.count, self.effect = 0, Effect.LATER
        self.total: Callable[[int], int] | None = None
        self.previous: Any = None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread() and is_replaceable(signal.getsignal(signal.SIGINT)):
            self.previous = signal.signal(signal.SIGINT, self.handle)
        return self

    def __exit__(self, *error: object) -> None:
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal of Ctrl-C."""
        self.count += 1
        is_first = self.count == 1
        if self.effect is Effect.AT_ONCE or (self.effect is Effect.LATER and not is_first):
            self.effect = Effect.LATER
            raise KeyboardInterrupt

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed, in this process or in another of the training."""
        if self.count if self.total is None else self.total(self.count):
            raise KeyboardInterrupt

    @contextmanager
    def taking_effect(self, effect: Effect) -> Iterator[None]:
        """Set when Ctrl-C takes effect in a block.  An earlier Ctrl-C takes effect when the block begins or ends."""
        before = self.effect
        try:
            self.check()
            is_shared = self.total is not None and effect is Effect.AT_ONCE
            self.effect = Effect.LATER if is_shared else effect
            yield
            self.effect = before
            self.check()
        finally:
            self.effect = before


@contextmanager
def interrupted_afterwards() -> Iterator[None]:
    """Let Ctrl-C wait for the end of a block, such as the import of a package that is unusable if it is cut short."""
    interruption = Interruption()
    interruption.effect = Effect.NEVER
    try:
        with interruption:
            yield
    finally:
        for _ in range(interruption.count):
            signal.raise_signal(signal.SIGINT)


def is_replaceable(handler: object) -> bool:
    """Whether a handler is Python's own, or belongs to a training whose callback runs this one."""
    return handler is signal.default_int_handler or isinstance(getattr(handler, "__self__", None), Interruption)
