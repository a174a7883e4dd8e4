"""Entry point of the command ``workings``; it names the extra to install if a package is missing."""

from __future__ import annotations

import sys

from workings.errors import MissingExtraError
from workings.version import __version__


def run() -> None:
    """Run the command line; ``--version`` needs no extra."""
    if sys.argv[1:] == ["--version"]:
        print(f"workings {__version__}")
        return
    try:
        if sys.argv[1:2] == ["play"]:  # the page opens sooner without the other commands
            from workings.cli.play import app
        else:
            from workings.cli.commands import app
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("typer", "rich", "click"):
            raise
        print(MissingExtraError(error.name or "typer", "cli"), file=sys.stderr)
        raise SystemExit(1) from error
    app()


if __name__ == "__main__":
    run()
