"""The version of Workings."""

__version__ = "0.1.0"
