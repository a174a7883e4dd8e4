"""The exhibits of the museum in the playground.

The museum trains whole networks, so it stands above the playground and is handed to the session that shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypedDict

from workings.errors import InputError
from workings.support.json_values import JsonObject


class MistakeSummary(TypedDict):
    """What the list of the museum shows of a mistake; ``rooms`` are the data sets that it is shown on."""

    name: str
    title: str
    what: str
    place: str
    rooms: list[str]


class Exhibits(Protocol):
    """A museum for one tab; each method returns plain values for JSON."""

    def mistakes(self) -> Sequence[MistakeSummary]:
        """Return all mistakes."""

    def exhibit(self, name: str, room: str) -> JsonObject:
        """Return a mistake beside the right network: lines, programs, losses and pictures."""

    def diagnosis(self, name: str, room: str) -> list[JsonObject]:
        """Return what the doctor finds in the network with the mistake."""

    def begin_game(self, seed: int) -> JsonObject:
        """Train four networks, of which one has a mistake; return them without saying which."""

    def hint(self) -> JsonObject:
        """Return the next hint of the game."""

    def guess(self, choice: int) -> JsonObject:
        """Return whether a network of the game has the mistake."""

    def reveal(self) -> JsonObject:
        """Return which network of the game has the mistake, and which line it is."""


class MuseumActions:
    """The actions of the page that need a museum.

    Parameters
    ----------
    museum : Exhibits or None
        The museum; without it, each action is refused.
    """

    def __init__(self, museum: Exhibits | None = None) -> None:
        self.given = museum

    @property
    def museum_is_open(self) -> bool:
        """Whether there is a museum."""
        return self.given is not None

    @property
    def exhibits(self) -> Exhibits:
        """The museum; without one, an ``InputError``."""
        if self.given is None:
            raise InputError("The museum opens with the command `workings play`.")
        return self.given

    def museum(self) -> dict[str, object]:
        """Return all mistakes of the museum."""
        return {"mistakes": self.exhibits.mistakes()}

    def exhibit(self, name: str, room: str) -> JsonObject:
        """Return a mistake beside the right network, both trained on the data set ``room``."""
        return self.exhibits.exhibit(name, room)

    def exhibit_doctor(self, name: str, room: str) -> JsonObject:
        """Return what the doctor finds in the network with a mistake."""
        return {"findings": self.exhibits.diagnosis(name, room)}

    def game(self, seed: int) -> JsonObject:
        """Begin a game: four networks, of which one has a mistake."""
        return self.exhibits.begin_game(seed)

    def game_hint(self) -> JsonObject:
        """Return the next hint of the game."""
        return self.exhibits.hint()

    def game_guess(self, choice: int) -> JsonObject:
        """Return whether a network of the game has the mistake."""
        return self.exhibits.guess(choice)

    def game_reveal(self) -> JsonObject:
        """Return which network of the game has the mistake."""
        return self.exhibits.reveal()
