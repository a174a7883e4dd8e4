"""The data sets of a tab: generated ones, scikit-learn's, the user's tables, and points that were drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from workings.errors import InputError, unknown_name
from workings.play import tables
from workings.play.play_data import GENERATED, PlayData, described, generate, training_rows
from workings.play.session_settings import AUTOMATIC, Settings
from workings.play.tables import LOADERS
from workings.support.json_values import JsonObject

MOST_POINTS = 5000
DRAWN = "your points"


class DataSets:
    """The data sets that a tab can choose from, by name.

    Parameters
    ----------
    own : PlayData or None
        A data set of the user.

    Examples
    --------
    >>> DataSets().load(Settings(data="moons")).columns
    ('x1', 'x2')
    """

    def __init__(self, own: PlayData | None = None) -> None:
        self.loaded: dict[str, PlayData] = {} if own is None else {own.name: own}

    def load(self, settings: Settings) -> PlayData:
        """Return the data set that the settings name, with their features."""
        if settings.data in GENERATED:
            return generate(settings).with_features(settings.features)
        data = self.named(settings.data)
        training = training_rows(len(data.y), settings.held_out)
        return replace(data, training=training).with_features(settings.features)

    def named(self, name: str) -> PlayData:
        """Return a table, images or drawn points by name; scikit-learn's data sets are loaded when they are needed."""
        if name not in self.loaded and name in LOADERS:
            self.loaded[name] = LOADERS[name]()
        if name not in self.loaded:
            raise unknown_name("data set", name[:80], [*GENERATED, *LOADERS, *self.loaded])
        return self.loaded[name]

    def offered(self) -> list[JsonObject]:
        """Return all data sets that can be chosen."""
        known = [*described(), *tables.offered()]
        own = [data for name, data in self.loaded.items() if name not in LOADERS]
        of_user: list[JsonObject] = [{"name": data.name, "words": data.words, "noise": 0, "own": True} for data in own]
        return [*known, *of_user]

    def usual_settings(self, given: Settings, asked: JsonObject) -> Settings:
        """Return settings with their data set's defaults for noise, features and loss, unless these were asked for."""
        kind = GENERATED.get(given.data)
        if kind is not None and "noise" not in asked:
            given = replace(given, noise=kind.noise)
        if "features" not in asked:
            given = replace(given, features=self.named(given.data).features if kind is None else ("x1", "x2"))
        return given if "loss" in asked else replace(given, loss=AUTOMATIC)

    def add_point(self, data: PlayData, x: float, y: float, target: float) -> str:
        """Make a data set of the given one and one more point; return its name."""
        most = max(len(data.classes) - 1, 0)
        if data.columns != ("x1", "x2"):
            raise InputError("Points can be added to data in the plane only.")
        if data.classes and target not in range(most + 1):
            raise InputError(f"The class of a point is a number from 0 to {most}, not {target:g}.")
        if len(data.y) >= MOST_POINTS:
            raise InputError(f"The playground takes at most {MOST_POINTS:,} points.")
        raw, targets = np.vstack([[x, y], data.raw]), np.concatenate([[target], data.y])
        words = "Points that you have drawn."
        self.loaded[DRAWN] = replace(data, name=DRAWN, words=words, raw=raw, y=targets, source=())
        return DRAWN

    @contextmanager
    def adding(self, data: PlayData) -> Iterator[None]:
        """Add a data set; it is taken out again if the block fails."""
        before = dict(self.loaded)
        self.loaded[data.name] = data
        try:
            yield
        except BaseException:
            self.loaded.clear()
            self.loaded.update(before)
            raise
