"""The mistakes of the museum, importable by their public path; see :mod:`workings.museum.mistakes`."""

from workings.museum.mistakes import MISTAKES, Mistake, both, mistake_named, suits

__all__ = ["MISTAKES", "Mistake", "both", "mistake_named", "suits"]
