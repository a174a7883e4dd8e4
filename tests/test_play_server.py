"""The playground's server: only this computer, only its own page, one session for each tab."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import urllib.request
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra 'play' is not installed")
pytest.importorskip("httpx", reason="httpx is not installed, which the test client needs")
pytest.importorskip("uvicorn", reason="the extra 'play' is not installed")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # newer versions of Starlette prefer the successor of httpx
    from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from workings import BinaryCrossEntropy, Dense, InputError, Network
from workings.datasets import moons
from workings.play.offered import GENERATED_SETS, KNOWN_TABLES
from workings.play.play_data import GENERATED
from workings.play.server import MOST_TABS, PAGE, Playground, make_app
from workings.play.session import Session
from workings.play.session_settings import LayerSettings, Settings
from workings.play.tables import LOADERS

HERE = "http://127.0.0.1:8000"
SMALL = Settings(rows=20, hidden=(LayerSettings(2),))


@pytest.fixture
def client() -> TestClient:
    return TestClient(make_app(lambda: Session(SMALL)), base_url=HERE)


def tab(client: TestClient, origin: str | None = HERE, host: str = "127.0.0.1:8000") -> Any:
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    return client.websocket_connect("ws://127.0.0.1:8000/session", headers=headers)


def ask(socket: Any, do: str, **fields: Any) -> dict[str, Any]:
    socket.send_text(json.dumps({"id": 1, "do": do, **fields}))
    found: dict[str, Any] = json.loads(socket.receive_text())
    return found


def test_the_page_allows_nothing_from_elsewhere(client: TestClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    rules = response.headers["content-security-policy"]
    assert "default-src 'none'" in rules
    assert "unsafe" not in rules
    assert response.headers["x-content-type-options"] == "nosniff"


def test_the_page_is_one_answer_whose_scripts_carry_a_mark_of_this_answer(client: TestClient) -> None:
    """The policy allows no script and no style without the mark, which nobody can guess."""
    marks = set()
    for _ in range(3):
        response = client.get("/")
        found = re.findall(r"'nonce-([^']+)'", response.headers["content-security-policy"])
        assert len(set(found)) == 1
        elements = re.findall(r"<(?:script|style)\b[^>]*>", response.text)
        assert len(elements) == 5
        assert all(f'nonce="{found[0]}"' in element for element in elements)
        assert not re.findall(r'(?:href|src)="(?!data:)', response.text)
        marks.add(found[0])
    assert len(marks) == 3


def test_the_page_names_no_other_host() -> None:
    """No file of the page loads anything from elsewhere; namespaces and licences are names, not addresses."""
    for path in PAGE.rglob("*"):
        if path.suffix in (".js", ".css", ".html") and path.parent.name != "vendor":
            found = re.findall(
                r"""(?:https?:)?//[\w.-]+\.\w+[^\s"'`]*""", re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.M)
            )
            assert not [address for address in found if "www.w3.org" not in address], path


def test_the_page_is_small(client: TestClient) -> None:
    assert len(client.get("/").content) < 250_000


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "10.0.0.5:8000", "[::1].evil", ""])
def test_a_foreign_host_is_refused(client: TestClient, host: str) -> None:
    """A page whose name an attacker has pointed at this computer (DNS rebinding) sends its own name as host."""
    assert client.get("/", headers={"host": host}).status_code == 421
    with pytest.raises(WebSocketDisconnect), tab(client, f"http://{host}", host):
        pass


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "https://127.0.0.1:8000", "http://127.0.0.1:9999", "http://localhost:8000"]
)  # fmt: skip
def test_a_socket_of_a_foreign_page_is_refused(client: TestClient, origin: str | None) -> None:
    with pytest.raises(WebSocketDisconnect), tab(client, origin):
        pass


def test_files_outside_the_page_are_not_served(client: TestClient) -> None:
    for path in ("/../server.py", "/%2e%2e/server.py", "/..%2fserver.py", "/etc/passwd", "/view/../../session.py"):
        assert client.get(path).status_code == 404


def test_each_tab_has_a_session_of_its_own(client: TestClient) -> None:
    with tab(client) as one, tab(client) as other:
        assert ask(one, "advance", steps=5)["reply"]["step"] == 5
        one.send_text("nonsense")
        assert "JSON" in json.loads(one.receive_text())["error"]
        assert ask(other, "frame")["reply"]["step"] == 0
        assert ask(one, "frame")["reply"]["step"] == 5


def test_binary_messages_are_answered_too(client: TestClient) -> None:
    with tab(client) as socket:
        socket.send_bytes(b"\xff\x00")
        assert "error" in json.loads(socket.receive_text())
        socket.send_bytes(b'{"id": 2, "do": "frame"}')
        assert json.loads(socket.receive_text())["id"] == 2


def test_sessions_end_with_their_tabs() -> None:
    app = make_app(lambda: Session(SMALL))
    with TestClient(app, base_url=HERE) as client:
        for _ in range(MOST_TABS + 3):
            with tab(client) as socket:
                assert ask(socket, "frame")["reply"]["step"] == 0
        assert not app.state.tabs


def test_too_many_tabs_are_refused_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workings.play.server.MOST_TABS", 1)
    client = TestClient(make_app(lambda: Session(SMALL)), base_url=HERE)
    with tab(client), tab(client) as second, pytest.raises(WebSocketDisconnect) as refused:
        second.receive_text()
    assert "At most 1" in refused.value.reason


def test_a_running_playground_serves_its_page_and_ends() -> None:
    with Playground() as playground:
        assert playground.url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(playground.url) as response:
            assert b"Workings playground" in response.read()
        assert "<iframe" in playground._repr_html_()
    assert playground.thread is not None
    assert not playground.thread.is_alive()


def test_a_network_opens_its_own_playground() -> None:
    X, y = moons(30)
    net = Network([Dense(2, "tanh"), Dense(1)], loss=BinaryCrossEntropy(), seed=0)
    playground = net.play(X, y, browser=False)
    try:
        assert playground.url in repr(playground)
        assert net.n_in is None  # the playground has a copy
    finally:
        playground.close()


def test_a_port_in_use_is_refused_in_words() -> None:
    with Playground() as playground:
        port = int(playground.url.rsplit(":", 1)[1].strip("/"))
        with pytest.raises(InputError, match=f"Port {port} cannot be used"):
            Playground(port=port)
    with pytest.raises(InputError, match="65535"):
        Playground(port=99999)


def test_everything_of_the_page_is_there() -> None:
    """Every file that a module imports exists, and every module is imported."""
    modules = {path.resolve() for path in PAGE.rglob("*.js")}
    imported = {PAGE / "main.js"}
    for path in modules:
        names = re.findall(r"""(?:from |import\()"(\.[^"]+)\"""", path.read_text())
        imported |= {(path.parent / name).resolve() for name in names}
    assert imported == modules
    assert Path(PAGE / "vendor" / "LICENSE-lit-html.txt").is_file()


def test_the_vendored_file_is_what_npm_gives() -> None:
    """``cd tools/vendor && npm ci && npm run vendor`` gives this file, to the byte; its version is locked there."""
    content = (PAGE / "vendor" / "lit-html.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() == "22115ca1002e4afc0dd2cb208f28d9c71a577a8989d4185028e26b29676e7842"


def test_the_page_loads_the_modules_of_its_first_picture_at_once() -> None:
    """They are all that ``main.js`` imports; other modules are imported by the function that needs them."""
    listed = re.findall(r'<link rel="modulepreload" href="([^"]+)">', (PAGE / "index.html").read_text())
    needed, found = {"main.js"}, ["main.js"]
    for name in found:
        imports = re.findall(r'^import .* from "(\.[^"]+)";', (PAGE / name).read_text(), flags=re.MULTILINE)
        names = [(PAGE / name).parent.joinpath(one).resolve().relative_to(PAGE.resolve()).as_posix() for one in imports]
        found += [one for one in names if one not in needed]
        needed |= {*names}
    assert len(listed) == len(set(listed))
    assert {*listed, "main.js"} == needed


# -- the command ----------------------------------------------------------------------------


def test_the_server_starts_before_numpy_is_imported() -> None:
    """The browser loads the page meanwhile."""
    pytest.importorskip("typer", reason="the extra 'cli' is not installed")
    code = "import sys, workings.cli.play as p; p.Playground(); print([m for m in sys.modules if m == 'numpy'])"
    found = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_names_that_the_command_offers_are_those_of_the_data() -> None:
    assert tuple(GENERATED) == GENERATED_SETS
    assert tuple(LOADERS) == KNOWN_TABLES


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Session]:
    """The sessions that the command would serve; it does not wait for Ctrl-C."""
    sessions: list[Session] = []
    monkeypatch.setattr("workings.cli.play.Playground.run", lambda self: self.close())
    monkeypatch.setattr(
        "workings.cli.play.Playground",
        lambda make, port: sessions.append(make()) or Playground(make, port),  # type: ignore[func-returns-value]
    )
    return sessions


def run_command(*arguments: str) -> Any:
    typer_testing = pytest.importorskip("typer.testing", reason="the extra 'cli' is not installed")
    from workings.cli.commands import app

    return typer_testing.CliRunner().invoke(app, ["play", *arguments, "--no-browser"])


def test_the_command_begins_with_what_it_is_given(served: list[Session], tmp_path: Path) -> None:
    assert run_command("circles").exit_code == 0
    table = tmp_path / "shop.csv"
    table.write_text(
        "age,city,bought\n" + "".join(f"{7 * k % 23},{'ab'[k % 2]},{'no' if k < 9 else 'yes'}\n" for k in range(20))
    )
    assert run_command("--data", str(table), "--target", "bought").exit_code == 0
    X, y = moons(30)
    net = Network([Dense(2, "tanh"), Dense(1)], loss=BinaryCrossEntropy(), seed=0)
    net.trace(X, y)
    net.build(2)
    model = net.save(tmp_path / "model.safetensors")
    assert run_command(str(model)).exit_code == 0
    assert [session.data.name for session in served] == ["circles", "table: bought", "moons"]
    assert (served[2].run.model.theta == net.theta).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("moon",), "Did you mean 'moons'"),
        (("--data", "nowhere.csv", "--target", "y"), "nowhere.csv"),
        (("--data", "nowhere.csv"), "--target"),
        (("nowhere.safetensors",), "nowhere.safetensors"),
    ],
)
def test_the_command_refuses_in_words(served: list[Session], arguments: tuple[str, ...], words: str) -> None:
    result = run_command(*arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert served == []
