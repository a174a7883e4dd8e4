"""The command ``workings play``: open the playground in the browser."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from workings.cli.console import PlainTyper, output, plain_errors
from workings.errors import InputError, unknown_name
from workings.play.museum_actions import MuseumActions
from workings.play.offered import GENERATED_SETS, KNOWN_TABLES, MODEL_FILES
from workings.play.server import Playground, open_soon

if TYPE_CHECKING:
    from workings.play.museum_actions import Exhibits
    from workings.play.play_data import PlayData
    from workings.play.session import Session

NAMES = (*GENERATED_SETS, *KNOWN_TABLES)
app = PlainTyper()  # of this command alone; `commands.py` has all
app.callback()(lambda: None)


@app.command()
def play(
    what: Annotated[
        str,
        typer.Argument(help=f"Data set to begin with ({', '.join(NAMES)}), or a model file ({', '.join(MODEL_FILES)})"),
    ] = "moons",
    data: Annotated[Path | None, typer.Option(help="CSV or Parquet file to begin with")] = None,
    target: Annotated[str | None, typer.Option("--target", "-t", help="Column of this file to predict")] = None,
    impute: Annotated[bool, typer.Option(help="Fill missing values of this file")] = False,
    lessons: Annotated[Path | None, typer.Option(help="Folder with your own lessons, one JSON file each")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the server (0: a free one)")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser")] = True,
    static: Annotated[
        Path | None, typer.Option(help="Write the playground to this folder as static files, for any web server")
    ] = None,
    museum: Annotated[bool, typer.Option(help="With --static: train and include the museum of mistakes")] = True,
) -> None:
    """Open the playground: build a network in the browser, train it, and see the numbers of every step.

    The server runs on this computer only, until Ctrl-C.

    With `--static`, no server runs: the page is written as files, for a web server of your own.
    `playground.html` there is the whole page in one file, which opens with a double click.

    Example: `workings play spirals`, `workings play --data customers.csv --target churn`
    """
    with plain_errors():
        if static is not None:
            from workings.museum.gallery import Gallery  # both take time to import
            from workings.play.offline.site import write_site

            if what != "moons" or data is not None:
                raise InputError("Static files hold generated data only: leave out the data and the model.")
            if museum:
                output.print("training the networks of the museum, which takes some minutes …", highlight=False)
            write_site(static, Gallery() if museum else None)
            output.print(f"written  {static / 'index.html'}", highlight=False, soft_wrap=True)
            return
        own = None if data is None else own_table(data, target, impute)
        make = partial(make_session, what, own, lessons)
        ready: list[Callable[[], Session]] = []
        if what not in GENERATED_SETS or own is not None or lessons is not None:
            first = make()
            first.lessons()  # refuses before the server starts
            ready.append(lambda: first)
        playground = Playground(lambda: ready.pop()() if ready else make(), port)
        with playground.ended_by_interrupt():
            if not ready:  # made while the browser loads the page
                ready.append(ThreadPoolExecutor(1).submit(make).result)
            output.print(f"The playground is at {playground.url} (Ctrl-C ends it)", highlight=False, soft_wrap=True)
            if browser:
                open_soon(playground.url)
            playground.run()


def own_table(data: Path, target: str | None, impute: bool) -> PlayData:
    """Read the table of ``--data``."""
    from workings.play.tables import table_at

    if target is None:
        raise InputError(f"Which column of {data} is to be predicted? Name it with --target.")
    return table_at(data, target, impute)


def make_session(what: str, own: PlayData | None, lessons: Path | None) -> Session:
    """Return a session that begins with a data set, a table or a model file, and offers lessons of your own."""
    session = first_session(what, own)
    session.lesson_folder = lessons
    session.exhibits = MuseumActions(cast("Exhibits", Museum()))
    return session


class Museum:
    """The museum, imported when it is opened: the first frame comes sooner."""

    def __getattr__(self, name: str) -> Any:
        from workings.museum.gallery import Gallery

        vars(self).setdefault("gallery", Gallery())
        return getattr(vars(self)["gallery"], name)


def first_session(what: str, own: PlayData | None) -> Session:
    """Return a session that begins with a data set, a table or a model file."""
    from workings.play.exports import reader_of
    from workings.play.session import Session

    if Path(what).suffix.lower() in MODEL_FILES:
        session = Session(own=own)
        session.show_model(reader_of(what)(Path(what)), what)
        return session
    if what not in NAMES:
        raise unknown_name("data set", what, NAMES)
    if own is not None:
        return Session(own=own)
    session = Session()
    session.configure({"data": what})
    return session
