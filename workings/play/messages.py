"""The messages between page and session: their schema, and how one is answered.

The page sends ``{"id": 7, "do": "advance", "steps": 10}`` and gets ``{"id": 7, "reply": {...}}``, or
``{"id": 7, "error": "…"}`` with a message in plain words.  The page asks for the next frame when it has drawn the last
one, so nothing piles up, and a closed tab ends its training.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from workings.errors import InputError, WorkingsError, unknown_name
from workings.play.offered import MOST_BYTES
from workings.play.session import MOST_STEPS, Session
from workings.support.arrays import describe
from workings.support.json_values import JsonObject
from workings.support.ranges import as_number, as_whole_number

MOST_PIXELS = 784
OWN_MISTAKE = "The playground has a fault"
MOST_TEXT = 200  # characters of a name
LARGEST = 2**53  # whole numbers that a page can send exactly

Check = Callable[[str, object], Any]


def whole(low: int, high: int = LARGEST) -> Check:
    """Return a check for whole numbers in a range."""

    def check(name: str, value: object) -> int:
        found = as_whole_number(value)
        if found is None or not low <= found <= high:
            raise InputError(f"{name} must be a whole number from {low} to {high}, not {shown(value)}.")
        return found

    return check


def finite(name: str, value: object) -> float:
    """Check a finite number that is not huge."""
    found = as_number(value)
    if found is None or not math.isfinite(found) or abs(found) > 1e6:
        raise InputError(f"{name} must be a number from -1,000,000 to 1,000,000, not {shown(value)}.")
    return float(found)


def text(name: str, value: object) -> str:
    """Check a short text."""
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise InputError(f"{name} must be a text of at most {MOST_TEXT} characters, not {shown(value)}.")
    return value


def long_text(name: str, value: object) -> str:
    """Check a text of any length; the size of the message limits it."""
    if not isinstance(value, str):
        raise InputError(f"{name} must be a text, not {shown(value)}.")
    return value


def switch(name: str, value: object) -> bool:
    """Check true or false."""
    if not isinstance(value, bool):
        raise InputError(f"{name} must be true or false, not {shown(value)}.")
    return value


def places(name: str, value: object) -> list[int]:
    """Check a list of one or two indices."""
    if not isinstance(value, list) or not 1 <= len(value) <= 2:
        raise InputError(f"{name} must be a list of one or two indices, not {shown(value)}.")
    return [whole(0)(name, place) for place in value]


def pixels(name: str, value: object) -> list[float]:
    """Check the grey values of an image, from 0 to 1; an empty list is no image."""
    if not isinstance(value, list) or len(value) > MOST_PIXELS:
        raise InputError(f"{name} must be a list of at most {MOST_PIXELS} numbers, not {shown(value)}.")
    return [min(max(finite(name, one), 0.0), 1.0) for one in value]


def anything(name: str, value: object) -> object:
    """Return a value that the action checks itself."""
    return value


def shown(value: object) -> str:
    """Describe a received value in few words."""
    found = describe(value)
    return found if len(found) <= 80 else f"{found[:80]}…"


@dataclass(frozen=True)
class Action:
    """An action of the page: what it does, the check of each field, and the part of the session that does it."""

    words: str
    fields: Mapping[str, Check]
    part: str = ""


MOST_INDEX = 100_000
ACTIONS: dict[str, Action] = {
    "hello": Action("the names to choose from, and the state", {}),
    "view": Action("settings, data, network and frame", {}),
    "configure": Action("change settings", {"settings": anything}),
    "reset": Action("return to the initial weights", {}),
    "frame": Action("the present frame", {}),
    "advance": Action("make steps", {"steps": whole(1, MOST_STEPS)}),
    "epoch": Action("make the steps to the end of the epoch", {}),
    "travel": Action("return to a moment of the run", {"moment": whole(0, MOST_INDEX)}),
    "keep": Action("keep a copy of the network for comparison", {}),
    "swap": Action("exchange the present network and the kept one", {}),
    "end_comparison": Action("forget the kept network", {}),
    "choose_row": Action("choose the row that equations show", {"row": whole(0, MOST_INDEX)}),
    "statement": Action(
        "one statement of the next step", {"index": whole(0, MOST_INDEX), "unit": whole(0, MOST_INDEX)}
    ),
    "weight": Action("everything about one weight", {"name": text, "index": places}),
    "set_weight": Action("set one weight", {"name": text, "index": places, "value": finite, "final": switch}),
    "unit": Action("the statements of one unit", {"layer": whole(1, 100), "unit": whole(0, MOST_INDEX)}),
    "loss": Action("the statements of the loss", {}),
    "draw": Action("show the network an image", {"pixels": pixels}),
    "choose_axes": Action("choose the columns of the plane", {"first": whole(0, 1000), "second": whole(0, 1000)}),
    "add_point": Action("add a point to the data", {"x": finite, "y": finite, "target": finite}),
    "open_table": Action(
        "take a table as data", {"name": text, "content": long_text, "target": text, "impute": switch}
    ),
    "lessons": Action("all lessons", {}),
    "museum": Action("all mistakes of the museum", {}, "exhibits"),
    "exhibit": Action("a mistake beside the right network", {"name": text, "room": text}, "exhibits"),
    "exhibit_doctor": Action("what the doctor finds in the mistake", {"name": text, "room": text}, "exhibits"),
    "game": Action("begin a game: which network has the mistake?", {"seed": whole(0, MOST_INDEX)}, "exhibits"),
    "game_hint": Action("the next hint of the game", {}, "exhibits"),
    "game_guess": Action("whether a network of the game has the mistake", {"choice": whole(0, 3)}, "exhibits"),
    "game_reveal": Action("which network of the game has the mistake", {}, "exhibits"),
    "doctor": Action("what the doctor finds", {}),
    "landscape": Action("the loss around the present parameters", {"directions": text}),
    "code": Action("network and training as text", {"kind": text}),
    "restart": Action("begin a new run from the present weights", {}),
    "export": Action("the network as files", {"kind": text}),
    "replay": Action("the run so far as an animated file", {"kind": text}),
    "open_model": Action("show the network of a file", {"name": text, "content": long_text}),
}


def answer(session: Session, message: str | bytes) -> str:
    """Answer a message of the page; an invalid message gets an error in plain words.

    >>> answer(Session(), '{"id": 1, "do": "advanse"}')
    '{"id":1,"error":"Unknown action \\'advanse\\'. Did you mean \\'advance\\'? Known: ..."}'
    """
    number: Any = None
    try:
        asked = parsed(message)
        number = asked.get("id") if as_whole_number(asked.get("id")) is not None else None
        reply: JsonObject = {"reply": perform(session, asked)}
    except WorkingsError as error:
        reply = {"error": str(error)}
    except Exception as error:  # a mistake in the playground itself; the tab goes on
        logging.getLogger("workings.play").exception("The playground failed at a message.")
        reply = {"error": f"{OWN_MISTAKE}: {type(error).__name__}. Please report it."}
    return json.dumps({"id": number, **reply}, separators=(",", ":"), allow_nan=False)


def parsed(message: str | bytes) -> JsonObject:
    """Parse a message; raise an error for anything but a JSON object."""
    if len(message) > MOST_BYTES:
        raise InputError(f"A message has at most {MOST_BYTES:,} bytes.")
    try:
        found = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise InputError("A message must be JSON text.") from error
    if not isinstance(found, dict):
        raise InputError(f"A message must be a JSON object, not {shown(found)}.")
    return found


def perform(session: Session, asked: Mapping[str, object]) -> JsonObject:
    """Check the fields of a message and call the method of the session, or of a part of it."""
    name = asked.get("do")
    if not isinstance(name, str) or name not in ACTIONS:
        raise unknown_name("action", name[:40] if isinstance(name, str) else shown(name), ACTIONS)
    action = ACTIONS[name]
    for given in asked:
        if given not in ("id", "do", *action.fields):
            raise unknown_name(f"field of {name}", str(given)[:40], action.fields)
    missing = [field for field in action.fields if field not in asked]
    if missing:
        raise InputError(f"{name} needs {', '.join(missing)}.")
    checked = {field: check(field, asked[field]) for field, check in action.fields.items()}
    with np.errstate(all="ignore"):
        owner = getattr(session, action.part) if action.part else session
        found: JsonObject = getattr(owner, name)(**checked)
    return found
