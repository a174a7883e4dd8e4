"""The museum in the playground: exhibits have the library's numbers, and the game keeps its secret."""

from __future__ import annotations

import json

import numpy as np
import pytest

from workings.errors import InputError
from workings.museum.code_mistakes import CODE_MISTAKES
from workings.museum.gallery import PLANAR, Gallery, planar_rooms, right_setup
from workings.museum.mistakes import MISTAKES, both
from workings.museum.rooms import PIECES, ROOMS, fitted, rooms_for
from workings.play.messages import answer
from workings.play.museum_actions import MuseumActions
from workings.play.session import Session


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return Gallery()


def test_all_mistakes_are_offered_with_their_data_sets(gallery: Gallery) -> None:
    offered = gallery.mistakes()
    assert [one["name"] for one in offered] == [*MISTAKES, *CODE_MISTAKES]
    assert all(one["rooms"] and one["title"] and one["what"] for one in offered)
    assert {one["place"] for one in offered} == {"statement", "data", "settings", "training", "code"}


@pytest.mark.parametrize(
    ("name", "room"),
    [
        ("sum-for-mean", "circles"),
        pytest.param("leaking-column", "", marks=pytest.mark.slow),
        pytest.param("uphill", "waves", marks=pytest.mark.slow),
    ],
)
def test_an_exhibit_has_the_numbers_of_fit(gallery: Gallery, name: str, room: str) -> None:
    found = gallery.exhibit(name, room)
    json.dumps(found, allow_nan=False)
    for setup, shown in zip(both(MISTAKES[name], ROOMS[found["room"]](0)), found["networks"], strict=True):
        network, history = fitted(setup)
        assert shown["score"] == pytest.approx(network.score(setup.X, setup.y), rel=1e-6)
        finite = [value for value in history["loss"] if np.isfinite(value)]
        assert [value for value in shown["losses"] if value is not None] == pytest.approx(finite, rel=1e-6)
        assert (shown["picture"] is None) == (setup.X.shape[1] != 2)
    wrong, right = ({one["code"] for one in shown["program"]} for shown in found["networks"])
    if MISTAKES[name].place == "statement":
        assert {line["wrong"] for line in found["lines"]} == wrong - right
        assert {line["right"] for line in found["lines"]} == right - wrong


@pytest.mark.slow
def test_every_wrong_statement_is_marked_in_every_room() -> None:
    for mistake in MISTAKES.values():
        for room in rooms_for(mistake) if mistake.place == "statement" else ():
            wrong, right = both(mistake, ROOMS[room](0))
            programs = [setup.network().program(setup.optimizer) for setup in (wrong, right)]
            differing = {
                s.target for s, other in zip(*(p.statements for p in programs), strict=True) if str(s) != str(other)
            }
            assert differing == set(wrong.edits()), (mistake.name, room)


@pytest.mark.parametrize("name", ["gradients-added-up", "divided-by-features", "targets-as-vector"])
def test_an_exhibit_of_own_code_has_both_programs_and_the_gradient_check(gallery: Gallery, name: str) -> None:
    found = gallery.exhibit(name, "")
    json.dumps(found, allow_nan=False)
    mistake = CODE_MISTAKES[name]
    for program, shown in zip((mistake.wrong, mistake.right), found["networks"], strict=True):
        assert "\n".join(one["code"] for one in shown["program"]) + "\n" == program
        assert shown["losses"]
        assert shown["picture"] is not None
    wrong, right = ({one["code"] for one in shown["program"]} for shown in found["networks"])
    assert {line["wrong"] for line in found["lines"]} == wrong - right
    assert {line["right"] for line in found["lines"]} == right - wrong
    (reading,) = gallery.diagnosis(name, "")
    assert all(word in reading["measured"] for word in mistake.words)


def test_the_doctor_finds_the_mistake(gallery: Gallery) -> None:
    found = gallery.diagnosis("sum-for-mean", "")
    assert "wrong-gradient" in [one["name"] for one in found]


@pytest.mark.slow
def test_a_game_has_one_wrong_network_and_tells_when_it_is_found(gallery: Gallery) -> None:
    begun = gallery.begin_game(4)
    game = gallery.game
    assert game is not None
    assert "lines" not in begun
    assert "mistake" not in json.dumps(list(begun))
    assert [bool(one.setup.rewrite) for one in game.networks].count(True) == 1
    for place in range(4):
        if place != game.place:
            assert gallery.guess(place) == {"right": False, "choice": place}
            assert (
                game.networks[place]
                .network.check_gradients(game.networks[place].setup.X[:8], game.networks[place].setup.y[:8])
                .ok
            )
    hints = [gallery.hint() for _ in range(4)]
    assert [hint["more"] for hint in hints] == [True, True, True, False]
    assert game.mistake.title in hints[-1]["hint"]
    found = gallery.guess(game.place)
    assert found["right"]
    assert {line["wrong"] for line in found["lines"]} <= {
        one["code"] for one in begun["networks"][game.place]["program"]
    }
    assert gallery.reveal()["hints"] == 4


def test_games_differ_and_every_wrong_statement_occurs() -> None:
    playable = [m for m in MISTAKES.values() if m.place == "statement"]
    assert all(planar_rooms(m) for m in playable)
    for mistake in playable:
        for room in PLANAR:  # the other networks of a game have no mistake
            assert right_setup(mistake, room, 3).rewrite is None


def test_what_does_not_exist_is_refused(gallery: Gallery) -> None:
    with pytest.raises(InputError, match="Did you mean 'uphill'"):
        gallery.exhibit("uphil", "")
    with pytest.raises(InputError, match="broadcast-targets"):
        gallery.exhibit("broadcast-targets", "moons")
    with pytest.raises(InputError, match="no game yet"):
        Gallery().hint()


def test_without_a_museum_the_session_says_where_it_is() -> None:
    session = Session()
    assert session.hello()["choices"]["museum"] is False
    for message in (
        '{"id": 1, "do": "museum"}',
        '{"id": 1, "do": "game", "seed": 0}',
        '{"id": 1, "do": "game_reveal"}',
    ):
        assert "workings play" in json.loads(answer(session, message))["error"]
    session.exhibits = MuseumActions(Gallery())
    assert len(json.loads(answer(session, '{"id": 1, "do": "museum"}'))["reply"]["mistakes"]) == len(PIECES)
    assert "from 0 to 3" in json.loads(answer(session, '{"id": 1, "do": "game_guess", "choice": 4}'))["error"]
