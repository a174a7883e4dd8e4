"""The server of the playground: the page as files, and one WebSocket for each tab.

It listens on this computer only.  A request must name this computer as its host, so a foreign page cannot reach it
under a name of its own (DNS rebinding); a WebSocket must come from the page itself.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from workings.errors import InputError, MissingExtraError
from workings.play.messages import MOST_BYTES, answer
from workings.play.session import Session
from workings.support.escaping import in_html
from workings.support.ranges import as_whole_number

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send
    from starlette.websockets import WebSocket

PAGE = Path(__file__).with_name("page")
TYPES = {
    ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain",
}  # fmt: skip
HOST = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost")
MOST_TABS = 48
BUSY = 1013  # the WebSocket code for "try again later"
REFUSED = 1008  # the code for a violated policy
MakeSession = Callable[[], Session]


def policy(host: str) -> str:
    """Return the Content-Security-Policy: nothing from elsewhere, and no inline script or style."""
    rules = [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
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
            await self.app(scope, receive, self.with_headers(send, host))

    def with_headers(self, send: Send, host: str) -> Send:
        """Return a function that sends a response with headers for safety."""
        added = {
            "content-security-policy": policy(host),
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


def one_thread() -> Callable[[], AbstractContextManager[object]]:
    """Return a context in which BLAS uses one thread; a small product would wait for a second one."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return contextlib.nullcontext
    controller = ThreadpoolController()
    return functools.partial(controller.limit, limits=1)


def make_app(make_session: MakeSession = Session) -> Starlette:
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
    limit = one_thread()
    tabs: set[WebSocket] = set()

    async def talk(websocket: WebSocket) -> None:
        await serve_tab(websocket, tabs, make_session, limit)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        tabs.clear()

    routes = [WebSocketRoute("/session", talk), Route("/{name:path}", page_files())]
    app = Starlette(routes=routes, middleware=[Middleware(OnlyFromHere)], lifespan=lifespan)
    app.state.tabs = tabs
    return app


def page_files() -> Callable[[Request], Awaitable[Response]]:
    """Return a function that answers requests with the page's files, from memory: reading them takes a thread."""
    from starlette.responses import Response

    paths = [path for path in PAGE.rglob("*") if path.suffix in TYPES]
    files = {path.relative_to(PAGE).as_posix(): (path.read_bytes(), TYPES[path.suffix]) for path in paths}

    async def respond(request: Request) -> Response:
        name = request.path_params["name"] or "index.html"
        if name not in files:
            return Response("There is no such file.", 404, media_type="text/plain")
        content, kind = files[name]
        return Response(content, media_type=kind)

    return respond


async def serve_tab(
    websocket: WebSocket,
    tabs: set[WebSocket],
    make_session: MakeSession,
    limit: Callable[[], AbstractContextManager[object]],
) -> None:
    """Answer the messages of one tab until it is closed; its session ends with it."""
    from anyio.to_thread import run_sync
    from starlette.websockets import WebSocketDisconnect

    def answered(message: str) -> str:
        with limit():
            return answer(session, message)

    await websocket.accept()
    if len(tabs) >= MOST_TABS:
        await websocket.close(BUSY, f"At most {MOST_TABS} tabs can be open.")
        return
    tabs.add(websocket)
    try:
        session = await run_sync(make_session)
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
    if as_whole_number(port) is None or not 0 <= port < 65536:
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

    def __init__(self, make_session: MakeSession = Session, port: int = 0) -> None:
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
