"""Lessons of the playground: each is taken without a browser, and what it claims comes out."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from workings.errors import FileError, InputError
from workings.play.lesson_files import lesson_from, read_lesson, read_lessons
from workings.play.lesson_runs import failed_claims, take
from workings.play.session import Session

LESSONS = read_lessons()
SLOW = ("07-overfitting", "09-vanishing", "13-dropout", "14-moons-tutorial", "15-digits-tutorial", "11-optimizers")
GIVEN = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in LESSONS]


@pytest.mark.parametrize("name", GIVEN)
def test_a_lesson_shows_what_it_claims(name: str) -> None:
    if "digits" in name and importlib.util.find_spec("sklearn") is None:
        pytest.skip("the extra 'sklearn' is not installed")
    session = Session()
    for step in LESSONS[name].steps:
        assert take(session, step) == []


def test_there_are_lessons_from_one_neuron_to_the_tutorials() -> None:
    assert len(LESSONS) >= 12
    assert len(LESSONS["00-tour"].steps) == 5
    for name, lesson in LESSONS.items():
        assert lesson.title, name
        assert lesson.about.endswith("."), name
        assert any(step.ask for step in lesson.steps), f"{name} asks for no prediction"
        assert any(step.claim for step in lesson.steps), f"{name} claims nothing"


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"settings": {}}, "text"),
        ({"text": "x", "settings": {"lr": 0}}, "lr"),
        ({"text": "x", "train": -1}, "train"),
        ({"text": "x", "tranin": 1}, "Did you mean 'train'"),
        ({"text": "x", "ask": {"question": "?"}}, "answers"),
        ({"text": "x", "ask": {"question": "?", "answers": ["a"], "right": 1, "because": ""}}, "right"),
        (7, "text"),
    ],
)
def test_a_lesson_that_cannot_be_is_refused(step: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        lesson_from({"title": "t", "about": "a.", "steps": [{"text": "fine"}, step]}, "mine")


def test_a_teacher_adds_lessons(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text('{"title": "Mine", "about": "My own.", "steps": [{"text": "Look."}]}')
    session = Session()
    session.lesson_folder = tmp_path
    assert session.lessons()["lessons"][-1]["title"] == "Mine"
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(FileError, match=r"broken\.json"):
        read_lesson(tmp_path / "broken.json")


def test_a_claim_that_does_not_hold_is_named() -> None:
    assert failed_claims(Session(), {"score": [0.99, 1], "stopped": True}) == [
        "score is 0.7095238095238096, not from 0.99 to 1",
        "stopped: ''",
    ]
