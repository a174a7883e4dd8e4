"""Tasks: the training of an experiment as data: a network, its rows, and the recipe of its training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workings.network import Network
from workings.support.arrays import Array
from workings.training.callbacks import Callback
from workings.training.fit import train
from workings.training.history import History
from workings.training.recipe import Recipe


@dataclass(frozen=True)
class Task:
    """An untrained network, its training data, and the recipe of its training."""

    network: Network
    X: Array
    y: Array
    recipe: Recipe

    def train(self, callbacks: Sequence[Callback] = ()) -> History:
        """Train the network and return the history."""
        return train(self.network, self.X, self.y, replace(self.recipe, callbacks=callbacks))

    @property
    def script_settings(self) -> dict[str, object]:
        """The keywords of ``Network.script`` for a script with this training."""
        recipe = self.recipe
        return {
            "data": (self.X, self.y),
            "optimizer": recipe.optimizer,
            "epochs": recipe.epochs,
            "batch_size": recipe.batch_size,
            "shuffle": recipe.shuffle,
        }
