"""Workings: neural networks that show their workings."""

import importlib
from typing import TYPE_CHECKING

from workings.version import __version__ as __version__

if TYPE_CHECKING:
    from workings.public import *  # noqa: F403
    from workings.public import __all__ as __all__


def __getattr__(name: str) -> object:
    """Import the public names when the first of them is used; with them come the modules that define them."""
    if not name.startswith("__") or name == "__all__":
        public = importlib.import_module("workings.public")
        if name not in globals() and (name == "__all__" or name in public.__all__):
            globals()[name] = getattr(public, name)
        if name in globals():  # perhaps a module, which has been imported just now
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, and the modules that have been imported."""
    return sorted({*globals(), *importlib.import_module("workings.public").__all__})
