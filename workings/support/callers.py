"""The place in the user's code that a warning is about."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = str(Path(__file__).resolve().parents[1])


def frames_to_caller() -> int:
    """Return the ``stacklevel`` with which ``warnings.warn``, in the calling function, names the user's line.

    That is the nearest line outside this package.
    """
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
