"""The museum in the playground: exhibits and a game, as plain values for the page.

All networks are trained by ``fit`` with the reference engine, which needs no compilation.
"""

from __future__ import annotations

import random
import warnings
from dataclasses import dataclass, replace

import numpy as np

from workings.checks.findings import Diagnosis, Finding
from workings.errors import InputError, WorkingsWarning, unknown_name
from workings.museum.code_exhibits import code_exhibit
from workings.museum.code_mistakes import CodeMistake
from workings.museum.mistakes import MISTAKES, Mistake, both
from workings.museum.rooms import PIECES, ROOMS, fitted, marked_lines, piece_named, rooms_for
from workings.museum.setups import Setup
from workings.network import Network
from workings.play.museum_actions import MistakeSummary
from workings.play.pictures import picture_of
from workings.play.play_data import PlayData
from workings.program.program import STAGE_WORDS
from workings.support.arrays import Array
from workings.support.json_values import JsonObject
from workings.training.history import History

PLANAR = ("moons", "circles", "spirals", "waves", "hills")  # rooms with two inputs, which can be drawn
PLAYERS = 4  # networks in a game
ROWS_SHOWN = 400


@dataclass(frozen=True)
class Trained:
    """A trained network with its setup and its history."""

    setup: Setup
    network: Network
    history: History

    @classmethod
    def of(cls, setup: Setup) -> Trained:
        """Train a setup with the reference engine."""
        setup = replace(setup, engine="reference")
        return cls(setup, *fitted(setup))

    def diagnosis(self) -> Diagnosis:
        """Return what the doctor finds."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", WorkingsWarning)
            return self.network.diagnose(self.setup.X, self.setup.y, self.history)

    def view(self) -> JsonObject:
        """Return the network for the page: losses, score, statements and picture."""
        program = statements_of(self.network, self.setup)
        return {**view_of(self.network, self.setup, self.history.get("loss", [])), "program": program}


def view_of(network: Network, setup: Setup, losses: list[float]) -> JsonObject:
    """Return a trained network for the page: losses, score and picture."""
    with np.errstate(all="ignore"):
        score = float(network.score(setup.X, setup.y))
    return {
        "losses": [value if np.isfinite(value) else None for value in losses],
        "score": score if np.isfinite(score) else None,
        "is_accuracy": network.loss.is_classification,
        "picture": picture_of(network, play_data(setup)) if setup.X.shape[1] == 2 else None,
    }


def statements_of(network: Network, setup: Setup) -> list[dict[str, str]]:
    """Return the statements of a training step, each with its stage."""
    program = network.program(setup.optimizer)
    return [{"stage": s.stage, "target": s.target, "code": str(s)} for s in program.statements]


def play_data(setup: Setup) -> PlayData:
    """Return the rows of a setup with two columns, to draw them."""
    X, y = np.asarray(setup.X[:ROWS_SHOWN], dtype=np.float64), setup.y[:ROWS_SHOWN]
    loss, classes = setup.parts["loss"], tuple[str, ...]()
    if loss.is_classification:
        names, places = np.unique(setup.y, return_inverse=True)
        classes, y = tuple(str(name) for name in names.tolist()), places[:ROWS_SHOWN]
    columns = ("x1", "x2")
    return PlayData("", "", X, numbers_of(y), columns, classes, columns, len(y))


def numbers_of(y: Array) -> Array:
    """Return targets as one column of float64."""
    return np.asarray(y, dtype=np.float64).reshape(len(y), -1)[:, 0]


@dataclass
class Game:
    """A game: networks, the place of the one with the mistake, and the hints given so far."""

    mistake: Mistake
    place: int
    networks: list[Trained]
    hints: int = 0
    findings: tuple[Finding, ...] | None = None

    @property
    def wrong(self) -> Trained:
        """The network with the mistake."""
        return self.networks[self.place]

    def found(self) -> Finding:
        """Return the doctor's finding that tells the mistake, or its first one."""
        if self.findings is None:
            self.findings = tuple(self.wrong.diagnosis().findings)
        known = (self.mistake.finding, *self.mistake.also)
        return next((finding for finding in self.findings if finding.name in known), self.findings[0])


class Gallery:
    """The museum for one tab of the playground.

    Examples
    --------
    >>> found = Gallery().exhibit("uphill", "moons")
    >>> found["lines"][0]
    {'wrong': 'W1 = W1 + lr * m_hat_W1 / (np.sqrt(v_hat_W1) + eps)', 'right': 'W1 = W1 - lr * m_hat_W1 / ...'}
    """

    def __init__(self) -> None:
        self.game: Game | None = None

    def mistakes(self) -> list[MistakeSummary]:
        """Return all mistakes: name, title, description, place and data sets."""
        return [
            {"name": m.name, "title": m.title, "what": m.what, "place": m.place, "rooms": rooms_for(m)}
            for m in PIECES.values()
        ]

    def exhibit(self, name: str, room: str) -> JsonObject:
        """Return a mistake beside the right network: lines, programs, losses and pictures.

        Raises
        ------
        InputError
            If the mistake or the data set does not exist, or they do not suit.
        """
        mistake = piece_named(name)
        room = suitable_room(mistake, room)
        if isinstance(mistake, CodeMistake):
            lines, networks = code_views(mistake, room)
        else:
            wrong, right = both(mistake, ROOMS[room](0))
            lines, networks = lines_of(mistake, wrong), [Trained.of(setup).view() for setup in (wrong, right)]
        return {
            "name": name,
            "title": mistake.title,
            "what": mistake.what,
            "source": mistake.source,
            "mend": mistake.mend,
            "place": mistake.place,
            "room": room,
            "rooms": rooms_for(mistake),
            "lines": lines,
            "networks": networks,
        }

    def diagnosis(self, name: str, room: str) -> list[JsonObject]:
        """Return what the doctor finds in the network with the mistake, or what the gradient check says of the code."""
        mistake = piece_named(name)
        room = suitable_room(mistake, room)
        if isinstance(mistake, CodeMistake):
            return [reading_of(mistake, room)]
        wrong, _ = both(mistake, ROOMS[room](0))
        return [
            {
                "name": f.name,
                "severity": f.severity,
                "sure": f.sure,
                "measured": f.measured,
                "why": f.why,
                "code": f.change,
            }
            for f in Trained.of(wrong).diagnosis().findings
        ]

    # -- the game ----------------------------------------------------------------------------

    def begin_game(self, seed: int) -> JsonObject:
        """Train four networks, of which one has a wrong statement; return them without saying which.

        They learn different data with different losses, so the right statements differ, too.
        """
        chance = random.Random(seed)
        mistake = chance.choice([m for m in MISTAKES.values() if m.place == "statement" and planar_rooms(m)])
        own = chance.choice(planar_rooms(mistake))
        others = chance.sample([room for room in PLANAR if room != own], PLAYERS - 1)
        place = chance.randrange(PLAYERS)
        wrong, _ = both(mistake, ROOMS[own](seed))
        setups = [right_setup(mistake, room, seed) for room in others]
        setups.insert(place, wrong)
        self.game = Game(mistake, place, [Trained.of(setup) for setup in setups])
        return {"networks": [network.view() for network in self.game.networks], "seed": seed}

    def running(self) -> Game:
        """Return the game.

        Raises
        ------
        InputError
            If there is none.
        """
        if self.game is None:
            raise InputError("There is no game yet; begin one.")
        return self.game

    def hint(self) -> JsonObject:
        """Return the next hint: the stage of the statement, what the doctor measures, why, and the name."""
        game = self.running()
        game.hints = min(game.hints + 1, 4)
        if game.hints == 1:
            target = next(iter(game.wrong.setup.edits()))
            stage = game.wrong.network.program(game.wrong.setup.optimizer)[target].stage
            return {"hint": f"One statement is wrong, of this stage: {STAGE_WORDS[stage]}.", "more": True}
        if game.hints == 4:
            return {"hint": f"It is: {game.mistake.title}.", "more": False}
        finding = game.found()
        return {"hint": f"The doctor: {finding.measured if game.hints == 2 else finding.why}", "more": True}

    def guess(self, choice: int) -> JsonObject:
        """Return whether a network of the game has the mistake; the right choice ends the game."""
        game = self.running()
        return self.reveal() if choice == game.place else {"right": False, "choice": choice}

    def reveal(self) -> JsonObject:
        """Return which network of the game has the mistake, and which line it is."""
        game = self.running()
        return {
            "right": True,
            "choice": game.place,
            "title": game.mistake.title,
            "what": game.mistake.what,
            "mend": game.mistake.mend,
            "lines": lines_of(game.mistake, game.wrong.setup),
            "hints": game.hints,
        }


def suitable_room(mistake: Mistake | CodeMistake, room: str) -> str:
    """Return the room, or the first that suits the mistake if it is empty."""
    suitable = rooms_for(mistake)
    if room and room not in suitable:
        raise unknown_name(f"data set for {mistake.name}", room, suitable)
    return room or suitable[0]


def code_views(mistake: CodeMistake, room: str) -> tuple[list[dict[str, str]], list[JsonObject]]:
    """Return the wrong lines with the right ones, and both trainings, of a mistake in your own code."""
    setup = ROOMS[room](0)
    shown = code_exhibit(mistake, room, setup.X, setup.y, 0)
    lines = dict(shown.lines)
    views = []
    for run in (shown.wrong, shown.right):
        program = [{"stage": "", "target": "", "code": line} for line in run.program.splitlines()]
        views.append({**view_of(run.network, setup, run.losses), "program": program})
    whole = [line for line in shown.wrong.program.splitlines() if line.strip() in lines]
    return [{"wrong": line, "right": line.replace(line.strip(), lines[line.strip()])} for line in whole], views


def reading_of(mistake: CodeMistake, room: str) -> JsonObject:
    """Return what the gradient check says of your own code, as the page shows a finding."""
    setup = ROOMS[room](0)
    run = code_exhibit(mistake, room, setup.X, setup.y, 0).wrong
    return {
        "name": "gradient-check",
        "severity": "note" if run.is_right else "problem",
        "sure": "certain",
        "measured": " ".join(run.explanations),
        "why": mistake.what,
        "code": "\n".join(right for _, right in mistake.lines),
    }


def lines_of(mistake: Mistake, wrong: Setup) -> list[dict[str, str]]:
    """Return the wrong lines with the right ones."""
    return [{"wrong": one, "right": other} for one, other in marked_lines(mistake, wrong)]


def planar_rooms(mistake: Mistake) -> list[str]:
    """Return the rooms with two inputs in which a mistake can be shown."""
    return [room for room in rooms_for(mistake) if room in PLANAR]


def right_setup(mistake: Mistake, room: str, seed: int) -> Setup:
    """Return the right setup of a room, prepared as for the mistake if it suits."""
    setup = ROOMS[room](seed)
    return both(mistake, setup)[1] if room in rooms_for(mistake) else setup
