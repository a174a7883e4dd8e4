"""Lessons: a file each, a list of steps with text, settings, a question and what must come out.

A step changes settings, asks for a prediction, trains, and explains what happened.  Its claims, such as an accuracy
of at least 0.95, are tested by running every lesson without a browser.  Teachers add files of their own to a folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from workings.errors import FileError, InputError, unknown_name
from workings.play.session_settings import Settings
from workings.support.json_values import JsonObject
from workings.support.ranges import as_whole_number

FOLDER = Path(__file__).with_name("lessons")
MOST_TRAINED = 20_000  # steps
Part = Mapping[str, Any]


@dataclass(frozen=True)
class LessonStep:
    """One step of a lesson.

    Attributes
    ----------
    text : str
        What the learner reads first.
    settings : mapping
        Settings to change, as in ``Settings.from_json``.
    ask : mapping or None
        ``question``, ``answers``, ``right`` (the number of the right one) and ``because``.
    train : int
        Steps to make after the question.
    open : mapping or None
        What the inspector shows then: ``tab``; or ``unit``, ``weight`` with its index.
    point : str
        A CSS selector of the part of the page to look at.
    claim : mapping
        The range that each measure must be in after training: ``loss``, ``score``, ``val_loss``, ``val_score``;
        ``gradient_ratio``, of the first layer to the last; ``swing``, the largest loss of ten further steps by the
        smallest.  ``finding`` names what the doctor must report, and ``stopped`` says whether training diverged.
    """

    text: str
    settings: Part
    ask: Part | None = None
    train: int = 0
    open: Part | None = None
    point: str = ""
    claim: Part | None = None

    def to_json(self) -> JsonObject:
        """Return the step for the page."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True)
class Lesson:
    """A lesson: a title, a line about its subject, and its steps."""

    name: str
    title: str
    about: str
    steps: tuple[LessonStep, ...]

    def to_json(self) -> JsonObject:
        """Return the lesson for the page."""
        return {**vars(self), "steps": [step.to_json() for step in self.steps]}


def lesson_from(given: object, name: str) -> Lesson:
    """Return a lesson from JSON values.

    Raises
    ------
    InputError
        For a missing text, an unknown name, settings that cannot be, or a question without its answers.
    """
    if not isinstance(given, Mapping) or not {"title", "about", "steps"} <= given.keys():
        raise InputError(f"Lesson {name}: it needs title, about and steps.")
    steps = tuple(step_from(step, f"{name}, step {k}") for k, step in enumerate(given["steps"], start=1))
    if not steps:
        raise InputError(f"Lesson {name} has no steps.")
    return Lesson(name, str(given["title"]), str(given["about"]), steps)


def step_from(given: object, place: str) -> LessonStep:
    """Return a step of a lesson from JSON values; ``place`` says in errors which one it is."""
    known = [f.name for f in fields(LessonStep)]
    if not isinstance(given, Mapping) or not isinstance(given.get("text"), str):
        raise InputError(f"{place}: it needs a text.")
    for name in given:
        if name not in known:
            raise unknown_name(f"part of a step ({place})", name, known)
    step = LessonStep(**{"settings": {}, **given})
    Settings.from_json(step.settings)
    train, ask = as_whole_number(step.train), step.ask
    if train is None or not 0 <= train <= MOST_TRAINED:
        raise InputError(f"{place}: train must be a whole number from 0 to {MOST_TRAINED}, not {step.train!r}.")
    if ask is not None and not {"question", "answers", "right", "because"} <= ask.keys():
        raise InputError(f"{place}: a question needs question, answers, right and because.")
    if ask is not None and as_whole_number(ask["right"]) not in range(len(ask["answers"])):
        raise InputError(f"{place}: right must be the number of one of the answers, counted from 0.")
    return step


def read_lesson(path: Path) -> Lesson:
    """Read a lesson from a file.

    Raises
    ------
    FileError
        For a file that is missing or not JSON.
    InputError
        For JSON that is no lesson.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(f"The lesson {path} cannot be read: {error}.") from error
    return lesson_from(given, path.stem)


def read_lessons(folder: Path = FOLDER) -> dict[str, Lesson]:
    """Read all lessons of a folder, in the order of their names.

    >>> "02-xor" in read_lessons()
    True
    """
    return {path.stem: read_lesson(path) for path in sorted(folder.glob("*.json"))}
