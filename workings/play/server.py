"""The server of the playground: the page as files, and one WebSocket for each tab.

It listens on this computer only.  A request must name this computer as its host, so a foreign page cannot reach it
under a name of its own (DNS rebinding); a WebSocket must come from the page itself.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import signal
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from workings.errors import InputError, MissingExtraError
from workings.play.offered import MOST_BYTES
from workings.play.one_file import one_file
from workings.support.escaping import in_html

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send
    from starlette.websockets import WebSocket

    from workings.play.session import Session

PAGE = Path(__file__).with_name("page")
TYPES = {
    ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain",
}  # fmt: skip
HOST = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost")
MOST_TABS = 48
NONCE = "mark-of-this-answer"  # stands for the mark in the page; each answer gets a new one
BUSY = 1013  # the WebSocket code for "try again later"
REFUSED = 1008  # the code for a violated policy
MakeSession = Callable[[], "Session"]


def policy(host: str, nonce: str) -> str:
    """Return the Content-Security-Policy: nothing from elsewhere, and no script or style without the page's mark."""
    rules = [
        "default-src 'none'",
        f"script-src 'nonce-{nonce}'",
        f"style-src 'nonce-{nonce}'",
        "img-src 'self' data: blob:",
        f"connect-src 'self' ws://{host}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors http://localhost:* http://127.0.0.1:*",
    ]
    return "; ".join(rules)


def header(scope: Scope, name: bytes) -> str:
    """Return a header of a request as text; empty without one."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def is_this_computer(host: str) -> bool:
    """Return whether a host, with or without port, is this computer.

    >>> is_this_computer("127.0.0.1:8000"), is_this_computer("evil.example:8000"), is_this_computer("127.0.0.1.nip.io")
    (True, False, False)
    """
    name, _, port = host.partition(":")
    return name in NAMES and (not port or port.isdecimal())


class OnlyFromHere:
    """Refuses requests with a foreign host, and WebSockets of a foreign page; adds headers for safety."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        host = header(scope, b"host")
        is_allowed = is_this_computer(host)
        if scope["type"] == "websocket":
            if is_allowed and header(scope, b"origin") == f"http://{host}":
                await self.app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": REFUSED})
        elif not is_allowed:
            await send({"type": "http.response.start", "status": 421, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"This server answers requests to 127.0.0.1 only."})
        else:
            await self.app(scope, receive, self.with_headers(send))

    def with_headers(self, send: Send) -> Send:
        """Return a function that sends a response with headers for safety."""
        added = {
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "same-origin",
            "cache-control": "no-cache",
        }

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                pairs = [(key.encode(), value.encode()) for key, value in added.items()]
                message = {**message, "headers": [*message["headers"], *pairs]}
            await send(message)

        return sending


@functools.cache
def one_thread() -> Callable[[], AbstractContextManager[object]]:
    """Return a context in which BLAS uses one thread; a small product would wait for a second one."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return contextlib.nullcontext
    controller = ThreadpoolController()
    return functools.partial(controller.limit, limits=1)


def new_session() -> Session:
    """Return a session; NumPy and the library are imported with the first one."""
    from workings.play.session import Session

    return Session()


def make_app(make_session: MakeSession = new_session) -> Starlette:
    """Return the application; each WebSocket gets a session of its own.

    Raises
    ------
    MissingExtraError
        If Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.routing import Route, WebSocketRoute
    except ImportError as error:
        raise MissingExtraError("starlette", "play") from error
    tabs: set[WebSocket] = set()

    async def talk(websocket: WebSocket) -> None:
        await serve_tab(websocket, tabs, make_session)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        tabs.clear()

    routes = [WebSocketRoute("/session", talk), Route("/{name:path}", page_files())]
    app = Starlette(routes=routes, middleware=[Middleware(OnlyFromHere)], lifespan=lifespan)
    app.state.tabs = tabs
    return app


def page_files() -> Callable[[Request], Awaitable[Response]]:
    """Return a function that answers requests with the page's files, from memory: reading them takes a thread.

    The page itself comes in one answer with all its modules: a browser needs 0.2 s for 36 answers.
    """
    from starlette.responses import Response

    paths = [path for path in PAGE.rglob("*") if path.suffix in TYPES]
    files = {path.relative_to(PAGE).as_posix(): (path.read_bytes(), TYPES[path.suffix]) for path in paths}
    page = one_file({name: content for name, (content, _) in files.items()}, NONCE)

    async def respond(request: Request) -> Response:
        name = request.path_params["name"] or "index.html"
        if name == "index.html":
            nonce = secrets.token_urlsafe(16)
            headers = {"content-security-policy": policy(request.headers["host"], nonce)}
            return Response(page.replace(NONCE.encode(), nonce.encode()), headers=headers, media_type=TYPES[".html"])
        if name not in files:
            return Response("There is no such file.", 404, media_type="text/plain")
        content, kind = files[name]
        return Response(content, media_type=kind)

    return respond


def answers_of(make_session: MakeSession) -> Callable[[str], str]:
    """Make a session; return a function that answers its messages."""
    session = make_session()
    from workings.play.messages import answer

    limit = one_thread()

    def answered(message: str) -> str:
        with limit():
            return answer(session, message)

    return answered


async def serve_tab(websocket: WebSocket, tabs: set[WebSocket], make_session: MakeSession) -> None:
    """Answer the messages of one tab until it is closed; its session ends with it."""
    from anyio.to_thread import run_sync
    from starlette.websockets import WebSocketDisconnect

    await websocket.accept()
    if len(tabs) >= MOST_TABS:
        await websocket.close(BUSY, f"At most {MOST_TABS} tabs can be open.")
        return
    tabs.add(websocket)
    try:
        answered = await run_sync(answers_of, make_session)
        while True:
            received = await websocket.receive()
            if received["type"] == "websocket.disconnect":
                break
            message = received.get("text")
            text = message if message is not None else (received.get("bytes") or b"").decode("utf-8", "replace")
            await websocket.send_text(await run_sync(answered, text))
    except WebSocketDisconnect:
        pass
    finally:
        tabs.discard(websocket)


def free_socket(port: int = 0) -> socket.socket:
    """Return a listening socket of this computer; port 0 takes a free one.

    Raises
    ------
    InputError
        If the port is no number from 0 to 65535, or is in use.
    """
    if type(port) is not int:
        from workings.support.ranges import as_whole_number  # which imports NumPy

        port = -1 if as_whole_number(port) is None else int(port)
    if not 0 <= port < 65536:
        raise InputError(f"port must be a whole number from 0 to 65535, not {port!r}.")
    # With this protocol, asyncio sends each part of an answer at once; without it, a browser waits 40 ms for some.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
        sock.listen()  # so that a browser that is faster than the server waits for it
    except OSError as error:
        sock.close()
        raise InputError(f"Port {port} cannot be used: {error.strerror}. Choose another one, or none.") from error
    return sock


class Playground:
    """A running playground.

    Attributes
    ----------
    url : str
        The address of the page.
    """

    def __init__(self, make_session: MakeSession = new_session, port: int = 0) -> None:
        try:
            import uvicorn
        except ImportError as error:
            raise MissingExtraError("uvicorn", "play") from error
        self.socket = free_socket(port)
        config = uvicorn.Config(
            make_app(make_session), log_level="warning", ws="websockets-sansio", ws_per_message_deflate=False,
            ws_max_size=MOST_BYTES, lifespan="on",
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.url = f"http://{HOST}:{self.socket.getsockname()[1]}/"
        self.thread: threading.Thread | None = None

    @contextmanager
    def ended_by_interrupt(self) -> Iterator[None]:
        """Context manager in which Ctrl-C ends the server, also before it has begun to answer."""

        def end(number: int, frame: object) -> None:
            self.server.should_exit = True

        before = signal.signal(signal.SIGINT, end)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def run(self) -> None:
        """Serve until Ctrl-C."""
        with contextlib.suppress(KeyboardInterrupt):
            self.server.run([self.socket])

    def start(self) -> Self:
        """Serve in a background thread; return the playground."""
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],), daemon=True)
        self.thread.start()
        return self

    def close(self) -> None:
        """End the server and all its sessions."""
        self.server.should_exit = True
        if self.thread is not None:
            self.thread.join(timeout=5)
        self.socket.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *details: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Playground at {self.url}"

    def _repr_html_(self) -> str:
        """The page inside a notebook."""
        address = in_html(self.url)
        return f'<iframe src="{address}" title="Playground" width="100%" height="820" style="border:0"></iframe>'


def open_soon(url: str) -> None:
    """Open the page in the browser; its requests wait in the socket until the server answers them."""
    threading.Thread(target=webbrowser.open, args=[url], daemon=True).start()
