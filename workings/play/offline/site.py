"""The site: the playground's page as static files, for any web server; it needs no Python.

The page talks to its backend through one file, ``session.js``.  In the site this file is ``session-static.js`` of this
folder: it composes the network's statements from the library's formulas (``formulas.py``) and runs them in the browser.
"""

from __future__ import annotations

import ast
import base64
import gzip
import importlib.resources
import inspect
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from workings.activations import ACTIVATIONS
from workings.checks.curvature import largest_curvature
from workings.files.safetensors import describe_layer, describe_object
from workings.layers import BatchNorm, Dense, Dropout, Layer
from workings.losses import LOSSES
from workings.optimizers import OPTIMIZERS
from workings.play import play_data, session_settings, tables
from workings.play.code_templates import CODE
from workings.play.lesson_files import Lesson, read_lessons
from workings.play.museum_actions import Exhibits, MistakeSummary
from workings.play.offline.doctor_modules import checks_module, tables_module
from workings.play.offline.formula_catalogue import RATE, Catalogue, Node, catalogue_of
from workings.play.offline.function_modules import functions_module
from workings.play.offline.table_rules import columns_module
from workings.play.one_file import named, one_file
from workings.play.pictures import SIDE, UNIT_SIDE
from workings.play.play_data import FEATURES, GENERATED, PADDING, described
from workings.play.replay import MILLISECONDS, MOST_FRAMES
from workings.play.session import MOST_STEPS
from workings.play.session_settings import REGULARIZERS, SCHEDULES, Settings
from workings.plots import player
from workings.plots.landscapes import margin_of, shares_of, towards_end, with_norms_of
from workings.plots.replays import LAST_FRAME_DURATION
from workings.program.program import STAGE_WORDS
from workings.readings.copying import CopiedCode, rate_expression
from workings.readings.javascript import arrays_text
from workings.readings.javascript.expressions import Expressions
from workings.readings.javascript.names import Names
from workings.schedules import schedule_of
from workings.support.atomic_files import writable_folder, write_bytes
from workings.support.brief import brief
from workings.support.json_values import JsonObject
from workings.version import __version__

STEPS = 98_765  # stands for the number of steps of a schedule
ROWS = 1000  # of each generated data set in the site
TABLES = ("iris", "wine", "breast_cancer", "diabetes", "digits")
IMAGES = 600  # digits in the site
GAMES = 4
OFFERS = {
    "codes": ["library"],
    "files": ["safetensors", "json"],
    "opens": [".safetensors", ".json"],
    "replays": ["html", "gif"],
}
LANDSCAPE_FORMULAS = (largest_curvature, margin_of, with_norms_of, towards_end, shares_of)
FIRST_FILES = (
    "program.js",
    "syntax.js",
    "compact.js",
    "equations.js",
    "entries.js",
    "data.js",
    "training.js",
    "walk.js",
)
LATER_FILES = (
    "inspection.js",
    "paths.js",
    "doctor-session.js",
    "doctor-network.js",
    "python.js",
    "more-arrays.js",
    "random.js",
    "landscape.js",
    "museum.js",
    "files.js",
    "library-code.js",
    "own-table.js",
    "replay.js",
    "gif.js",
)  # loaded when they are needed


def write_site(folder: Path, exhibits: Exhibits | None = None) -> list[Path]:
    """Write the playground as static files; return their paths.

    ``index.html`` is for web servers; ``modules.bin`` holds the modules of its first picture, compressed.
    ``playground.html`` is the same page in one file, which needs no server.

    Parameters
    ----------
    folder : path
    exhibits : Exhibits or None
        The museum to train and to put into the site; None leaves it out.

    Raises
    ------
    FileError
        If the folder is not writable.
    """
    writable_folder(folder)
    page = importlib.resources.files("workings.play") / "page"
    here = importlib.resources.files("workings.play.offline")
    contents: dict[str, bytes] = {}
    with importlib.resources.as_file(page) as root:
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            contents[path.relative_to(root).as_posix()] = path.read_bytes()
    contents |= {name: (here / name).read_bytes() for name in (*FIRST_FILES, *LATER_FILES)}
    contents["session.js"] = (here / "session-static.js").read_bytes()
    contents |= {"arrays.js": arrays_text().encode(), "formulas.js": formulas_module().encode()}
    contents["settings.js"] = settings_module(exhibits).encode()
    contents["columns.js"] = columns_module().encode()
    about = "Directions and curvature of the loss landscape."
    contents["landscape-formulas.js"] = functions_module(about, LANDSCAPE_FORMULAS).encode()
    contents["replay-page.js"] = replay_module().encode()
    page_text = contents["index.html"].decode()
    contents |= start_of(page_text, (here / "start.js").read_text(encoding="utf-8"))
    museum = {} if exhibits is None else museum_modules(exhibits)
    contents |= {f"data-{name}.js": module_of(generated(name)) for name in GENERATED}
    contents |= {f"data-{name}.js": module_of(table(name)) for name in available()}
    contents["lessons.js"] = lessons_module().encode()
    contents |= {"doctor-checks.js": checks_module().encode(), "doctor-tables.js": tables_module().encode()}
    contents |= {f"museum/{name}.js": module.encode() for name, module in museum.items()}
    contents["playground.html"] = one_file(contents)
    contents["modules.bin"] = packed_modules({name: contents[name].decode() for name in first_modules(page_text)})
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(folder / name, content)
    return [folder / name for name in contents]


def first_modules(page: str) -> list[str]:
    """Return the modules of the first picture: those that the page lists, and those of the session."""
    listed = re.findall(r'<link rel="modulepreload" href="([^"]+)">', page)
    data = f"data-{Settings().data}.js"
    return ["main.js", *listed, *FIRST_FILES, "arrays.js", "formulas.js", "settings.js", data]


def start_of(page: str, script: str) -> dict[str, bytes]:
    """Return the page for web servers, and the script that loads its modules; opened as a file, it asks for none."""
    modules = [name for name in first_modules(page) if name != "main.js"]
    plain = re.sub(r"  (?:<!--.*?-->|<link rel=\"modulepreload\".*?>)\n", "", page)
    plain = re.sub(r"<script\b[^>]*></script>", '<script src="start.js"></script>', plain)
    listed = f"const MODULES = {json.dumps(modules)};\n"
    return {"index.html": plain.encode(), "start.js": (listed + script).encode()}


def packed_modules(modules: dict[str, str]) -> bytes:
    """Return modules as one compressed file, which ``start.js`` unpacks; they name each other as in one file."""
    codes = {name: named(name, code) for name, code in modules.items()}
    return gzip.compress(json.dumps(codes, ensure_ascii=False).encode(), mtime=0)


def formulas_module() -> str:
    """Return the module with all formulas."""
    found, lines = catalogue_of(REGULARIZERS, {name: schedule_texts(name) for name in SCHEDULES})
    found["features"] = features()
    names = [line.split()[1].split("(")[0] for line in lines if line.startswith(("function ", "const "))]
    rates = [f"  {json.dumps(name)}: (t, lr, steps) => {schedule_code(name)}," for name in SCHEDULES]
    return "\n".join([
        "// The formulas of the library as syntax, written from their Python source; see `program.js`.",
        'import * as np from "./arrays.js";', 'import { catalogueOf } from "./compact.js";', *lines, "",
        f"export const functions = {{ {', '.join(names)} }};", "",
        "// The learning rate of step t, counted from 0.", "export const rates = {", *rates, "};", "",
        f"export const catalogue = catalogueOf({plain_json(found)});", "",
    ])  # fmt: skip


def settings_module(exhibits: Exhibits | None = None) -> str:
    """Return the module with the names to choose from, and the first settings."""
    usual = Settings().to_json()
    known = [one for one in tables.offered() if one["name"] in available()]
    choices = {
        **session_settings.choices(),
        "data": [*described(), *known],
        "optimizers": list(OPTIMIZERS),  # without L-BFGS, whose steps SciPy makes
        "optimizers_of_python": [name for name in session_settings.UPDATE_METHODS if name not in OPTIMIZERS],
        "defaults": usual,
        "most_steps": MOST_STEPS,
        "is_static": True,
        "offers": OFFERS,
        "museum": exhibits is not None,
    }
    found = {
        "version": __version__,
        "choices": choices,
        "first": usual,
        "stageWords": dict(STAGE_WORDS),
        "templates": templates(),
        "code": CODE,
        "side": SIDE,
        "unitSide": UNIT_SIDE,
        "padding": PADDING,
        "limits": {
            "rows": session_settings.MOST_ROWS,
            "features": session_settings.MOST_FEATURES,
            "classes": session_settings.MOST_UNITS,
        },
        "tables": dict.fromkeys(available(), True),
        "generated": dict.fromkeys(GENERATED, True),
        "museum": {"mistakes": [] if exhibits is None else shown_mistakes(exhibits), "games": GAMES},
    }
    lines = [f"export const {name} = {plain_json(value)};" for name, value in found.items()]
    return "\n".join(["// Settings of the playground, written from Python.", *lines, ""])


def replay_module() -> str:
    """Return the module with the templates of a replay's page, and with its numbers of frames and milliseconds."""
    film = {"most_frames": MOST_FRAMES, "milliseconds": MILLISECONDS, "last_milliseconds": LAST_FRAME_DURATION}
    found = {"page": player.PAGE, "player": player.PLAYER, "script": player.SCRIPT, "film": film}
    found["style"] = player.PAGE_STYLE + player.STYLE
    lines = [f"export const {name} = {plain_json(value)};" for name, value in found.items()]
    return "\n".join(["// The page of a replay, written from Python.", *lines, ""])


def lessons_module() -> str:
    """Return the module with all lessons that need no Python."""
    found = [lesson.to_json() for lesson in read_lessons().values() if is_offered(lesson)]
    return f"// The lessons.\nexport const lessons = {plain_json(found)};\n"


def module_of(data: JsonObject) -> bytes:
    """Return the module with one data set."""
    return f"// A data set, written from Python.\nexport const set = {plain_json(data)};\n".encode()


def templates() -> dict[str, Any]:
    """Return how files describe layers, activations and losses with their usual settings."""
    layers: tuple[Layer, ...] = (Dense(1), BatchNorm(), Dropout(0.5))
    return {
        "layers": {type(layer).__name__: describe_layer(layer) for layer in layers},
        "activations": {name: describe_layer(Dense(1, name))["activation"] for name in ACTIVATIONS},
        "losses": {name: describe_object(kind()) for name, kind in LOSSES.items()},
    }


def is_offered(lesson: Lesson) -> bool:
    """Whether all data sets of a lesson are in the site."""
    known = (*GENERATED, *available())
    return all(step.settings.get("data", "moons") in known for step in lesson.steps)


def available() -> list[str]:
    """Return the tables and images of the site; they come with scikit-learn, if it is installed."""
    offered = {one["name"] for one in tables.offered()}
    return [name for name in TABLES if name in offered]


def table(name: str) -> JsonObject:
    """Return a table or images; of many images, the first ones."""
    data = tables.LOADERS[name]()
    rows, scale = (IMAGES, 16) if data.side else (len(data.y), 1)
    return {
        "words": data.words.replace(f"{len(data.y):,}", f"{min(rows, len(data.y)):,}"),
        "columns": data.columns,
        "classes": data.classes,
        "side": data.side,
        "scale": scale,
        "source": [*data.source, *([f"X, y = X[:{rows}], y[:{rows}]"] if rows < len(data.y) else [])],
        "raw": packed(scale * data.raw[:rows]),
        "y": data.y[:rows].tolist(),
    }


# -- the museum -----------------------------------------------------------------------------


def shown_mistakes(exhibits: Exhibits) -> list[MistakeSummary]:
    """Return all mistakes, each with the one data set that the site has of it."""
    return [{**mistake, "rooms": mistake["rooms"][:1]} for mistake in exhibits.mistakes()]


def museum_modules(exhibits: Exhibits) -> dict[str, str]:
    """Return a module for each mistake, with the doctor's findings, and for each game, by name."""
    found: dict[str, Any] = {}
    for mistake in shown_mistakes(exhibits):
        name, room = mistake["name"], mistake["rooms"][0]
        shown = {**exhibits.exhibit(name, room), "rooms": [room]}
        found[name] = {"shown": shown, "findings": exhibits.diagnosis(name, room)}
    found |= {f"game-{seed}": {"shown": game(exhibits, seed)} for seed in range(GAMES)}
    return {
        name: "".join(f"export const {what} = {plain_json(value)};\n" for what, value in parts.items())
        for name, parts in found.items()
    }


def game(exhibits: Exhibits, seed: int) -> dict[str, Any]:
    """Return a game with all its hints and its solution."""
    players = exhibits.begin_game(seed)["networks"]
    hints = [exhibits.hint()]
    while hints[-1]["more"]:
        hints.append(exhibits.hint())
    return {"players": players, "hints": hints, "found": exhibits.reveal()}


def plain_json(value: object) -> str:
    """Return a value as JSON that may stand in a page."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")


# -- schedules ------------------------------------------------------------------------------


def schedule(name: str) -> Any:
    """Return a schedule whose settings are marks."""
    return schedule_of(Settings(lr=RATE, schedule=name, schedule_steps=STEPS).rate())


def marks() -> dict[str, str]:
    """Return the text of each mark, and what it stands for."""
    return {repr(0.5 ** (1 / STEPS)): "0.5 ** (1 / steps)", repr(RATE): "lr", repr(STEPS): "steps"}


def schedule_code(name: str) -> str:
    """Return the rate of a schedule in JavaScript, of t, lr and steps.

    >>> schedule_code("step")
    'np.positive(lr * np.power(0.5, np.floor_divide(t, steps)))'
    """
    expression = rate_expression(schedule(name), CopiedCode(), "t")
    translated = Expressions(Names(), {"t"}, {"t"}, (), expression).text(ast.parse(expression, mode="eval").body)
    for mark, meaning in marks().items():
        translated = translated.replace(mark, f"({meaning})" if " " in meaning else meaning)
    return translated


def schedule_texts(name: str) -> dict[str, str]:
    """Return a schedule as Python code, with @ for its rate, # for its steps and % for the factor that follows."""
    if name == "constant":
        return {"brief": "@", "repr": "@"}
    texts = {"brief": brief(schedule(name)), "repr": repr(schedule(name))}
    for mark, sign in zip(marks(), "%@#", strict=True):
        texts = {kind: text.replace(mark, sign) for kind, text in texts.items()}
    return texts


# -- data -----------------------------------------------------------------------------------


def features() -> dict[str, Node]:
    """Return the features that are made of x1 and x2 as syntax, from their source."""
    for statement in ast.parse(inspect.getsource(play_data)).body:
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == "FEATURES":
            table = statement.value
            assert isinstance(table, ast.Dict)
            bodies = [value.body for value in table.values if isinstance(value, ast.Lambda)]
            found = [Catalogue().node(body, standing, {"x1", "x2"}) for body in bodies]
            return dict(zip(FEATURES, found, strict=True))
    raise AssertionError("workings/play/play_data.py has no FEATURES")


def standing(x1: float, x2: float) -> None:
    """Stand for the function whose names the features use."""


def generated(name: str) -> JsonObject:
    """Return a generated data set without noise, and what one unit of noise adds to each number.

    >>> sorted(generated("xor"))
    ['classes', 'noise', 'raw', 'words', 'y', 'yNoise']
    """
    kind = GENERATED[name]
    (clean, y), (noisy, noisy_y) = (kind.make(ROWS, noise, 0) for noise in (0.0, 1.0))
    return {
        "words": kind.words,
        "classes": [str(label) for label in np.unique(y)] if kind.is_classes else [],
        "raw": packed(clean),
        "noise": packed(noisy - clean),
        "y": np.asarray(y, dtype=int).tolist() if kind.is_classes else packed(y),
        "yNoise": "" if kind.is_classes else packed(noisy_y - y),
    }


def packed(array: object) -> str:
    """Return numbers in float32 as base64 text."""
    return base64.b64encode(np.ascontiguousarray(array, dtype="<f4").tobytes()).decode("ascii")
