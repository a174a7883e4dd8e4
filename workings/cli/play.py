"""The command ``workings play``: open the playground in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

from workings.cli.screen import output, plain_errors
from workings.errors import unknown_name
from workings.play.datasets import GENERATED
from workings.play.server import Playground, open_soon
from workings.play.session import Session
from workings.play.settings import Settings


def play(
    what: Annotated[str, typer.Argument(help=f"Data set to begin with: {', '.join(GENERATED)}")] = "moons",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the server (0: a free one)")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser")] = True,
) -> None:
    """Open the playground: build a network in the browser, train it, and see the numbers of every step.

    The server runs on this computer only, until Ctrl-C.
    """
    with plain_errors():
        if what not in GENERATED:
            raise unknown_name("data set", what, GENERATED)
        settings = Settings.from_json({"data": what, "noise": GENERATED[what].noise})
        playground = Playground(lambda: Session(settings), port)
        output.print(f"The playground is at {playground.url} (Ctrl-C ends it)", highlight=False, soft_wrap=True)
        if browser:
            open_soon(playground.url)
        playground.run()
