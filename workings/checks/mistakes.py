"""The registry of mistakes under its public name; see :mod:`workings.museum.mistakes`."""

from workings.museum.mistakes import MISTAKES, Mistake, both, mistake_named, suits

__all__ = ["MISTAKES", "Mistake", "both", "mistake_named", "suits"]
