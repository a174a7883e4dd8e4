"""The words of the playground's page stand in one file, ``strings.js``: no other module of the page has its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import workings.play

PLAY = Path(workings.play.__file__).parent
STRINGS = PLAY / "page" / "strings.js"
PAGE = sorted(path for path in (PLAY / "page").rglob("*.js") if path != STRINGS and path.parent.name != "vendor")
MODULES = (
    "session-static",
    "doctor-session",
    "training",
    "inspection",
    "walk",
    "data",
    "entries",
    "landscape",
    "museum",
    "files",
    "own-table",
    "replay",
)
OFFLINE = [PLAY / "offline" / f"{name}.js" for name in MODULES]
READ = "aria-label|aria-description|aria-roledescription|aria-valuetext|data-hint|title|placeholder|alt"
MARK = "\0"  # stands for an expression in a template
CODES = {
    "Enter",
    "None",
    "no storage",
    "your points",
    "workings network",
}  # keys of the keyboard, marks and names that are compared
BY_VARIABLE = {"hints", "names", "formats"}  # groups whose members are asked for by the name of a setting or a format


def literals(code: str) -> list[tuple[str, str]]:
    """Return the string literals of JavaScript with their tags, those within templates included."""
    found: list[tuple[str, str]] = []
    scanned(code, 0, found)
    return found


def scanned(code: str, at: int, found: list[tuple[str, str]]) -> int:
    """Read code up to the brace that ends it; return where it ends."""
    depth = 0
    while at < len(code):
        rest = code[at:]
        skipped = re.match(r"//.*|/\*(?s:.*?)\*/", rest)
        pattern = re.match(r"/(?:\\.|\[(?:\\.|[^\]])*\]|[^/\n])+/", rest)
        text = re.match(r""""((?:\\.|[^"])*)"|'((?:\\.|[^'])*)'""", rest)
        if skipped:
            at += skipped.end()
        elif pattern and re.search(r"(?:[(,=:\[!&|?{};]|return)\s*$", code[:at]):
            at += pattern.end()
        elif text:
            found.append(("", text[1] or text[2] or ""))
            at += text.end()
        elif code[at] == "`":
            at = template(code, at + 1, found)
        else:
            depth += {"{": 1, "}": -1}.get(code[at], 0)
            at += 1
            if depth < 0:
                return at
    return at


def template(code: str, at: int, found: list[tuple[str, str]]) -> int:
    """Read a template to its end; return the place after it."""
    tag = re.search(r"(\w*)`$", code[:at])
    assert tag
    own = ""
    while code[at] != "`":
        if code.startswith("${", at):
            own, at = own + MARK, scanned(code, at + 2, found)
        else:
            size = 2 if code[at] == "\\" else 1
            own, at = own + code[at : at + size], at + size
    found.append((tag[1], own))
    return at + 1


def words_in(code: str) -> Iterator[str]:
    """Yield the texts of a module that a reader would see or hear."""
    for tag, text in literals(code):
        shown = re.sub(r"<[^>]*>", MARK, text)
        if tag in ("html", "svg"):
            yield from (part for part in shown.split(MARK) if re.search(r"[^\W\d_]", part))
            attributes = re.findall(rf'\s(?:{READ})="([^"]*)"', text)
            yield from (each for each in attributes if re.search(r"[^\W\d_]{2}", each))
        elif (
            text not in CODES
            and text[:1] not in (".", "(")
            and re.search(r"[a-zA-Z]{2,}[.,:;]? [a-z]{2,}|^[A-Z][a-z]+$", shown)
        ):
            yield text


@pytest.mark.parametrize("path", PAGE, ids=lambda path: path.stem)
def test_no_module_of_the_page_has_words_of_its_own(path: Path) -> None:
    assert list(words_in(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", OFFLINE, ids=lambda path: path.stem)
def test_no_session_without_a_server_has_words_of_its_own(path: Path) -> None:
    assert [text for text in words_in(path.read_text(encoding="utf-8")) if " " in text] == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("html`<b>Run</b>`", ["Run"]),
        ("html`<b>${words.run}</b>`", []),
        ('html`<b title="Run it">${words.run}</b>`', ["Run it"]),
        ("html`<b data-hint=${hint}>${isOn ? 'Dark colours' : html`<i>off</i>`}</b>`", ["Dark colours", "off"]),
        ('html`<svg viewBox="0 0 24 24" class="row between"><path d="M4 6l7 6"></path></svg>`', []),
        ("set({ notice: `Opened ${name} at last` })", [f"Opened {MARK} at last"]),
        ("plot(\"Loss\"); does(/[&<>\"']/g, 'Enter')", ["Loss"]),
        ("// A comment with `words` in it\nrun(a / b, '2d');", []),
    ],
)  # fmt: skip
def test_words_are_found(code: str, expected: list[str]) -> None:
    assert sorted(words_in(code)) == sorted(expected)


def groups() -> dict[str, set[str]]:
    """Return the names of each group of ``strings.js``."""
    text = re.sub(r'"(?:\\.|[^"])*"|`[^`]*`|//.*', "''", STRINGS.read_text(encoding="utf-8"))
    found = {}
    for name, body in re.findall(r"^export const (\w+) = ([^;]*);", text, re.M):
        outer = re.sub(r"(?<=.)\{[^{}]*\}", "", re.sub(r"(?<=.)\{[^{}]*\}", "", body[1:-1]))
        found[name] = set(re.findall(r"(\w+):", outer))
    return found


def used(code: str, own: str) -> set[str]:
    """Return the members of a group that a module asks for by name."""
    return set(re.findall(rf"(?<![\w./$]){own}\.(\w+)", code))


def test_every_string_that_is_asked_for_exists_and_is_used() -> None:
    asked: dict[str, set[str]] = {name: set() for name in groups()}
    for path in [*PAGE, *OFFLINE]:
        code = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
        imported = re.search(r'import \{([^}]*)\} from "[./]*strings\.js"', code)
        for each in imported[1].split(",") if imported else []:
            group, _, own = each.strip().partition(" as ")
            asked[group] |= used(code, own or group)
    for name, known in groups().items():
        missing = asked[name] - known - {"map"}
        assert not missing, f"strings.js has no {name}.{missing}"
        unused = set() if name in BY_VARIABLE else known - asked[name]
        assert not unused, f"nothing shows {name}.{unused}"
