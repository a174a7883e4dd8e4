"""What is known of a training: its settings as a recipe, how it ended, and how suggestions for it are written."""

from __future__ import annotations

from dataclasses import dataclass, fields

from workings.checks.change_code import Terms
from workings.optimizers import Adam
from workings.training.history import History
from workings.training.recipe import Recipe

ASSUMED = Recipe(Adam(), epochs=200, batch_size=None)


@dataclass(frozen=True, eq=False)
class KnownTraining:
    """What is known of a training.

    ``recipe`` holds its settings, and usual values for settings that are not known; ``known`` has the names of the
    known ones.  ``given`` has the names of settings that ``fit`` got and whose values the history does not keep, such
    as callbacks.  ``terms`` is None for trainings by ``Network.fit``; ``opening`` is code that assigns ``net``.
    """

    recipe: Recipe = ASSUMED
    known: frozenset[str] = frozenset()
    given: tuple[str, ...] = ()
    stopped: str = ""
    terms: Terms | None = None
    opening: str = ""

    @property
    def has_optimizer(self) -> bool:
        """Whether the optimizer is known."""
        return "optimizer" in self.known


def known_training(history: History | None = None, **arguments: object) -> KnownTraining:
    """Return what a history and arguments of ``fit`` tell of a training; an argument of None tells nothing.

    Raises
    ------
    InputError
        For an invalid setting.

    Examples
    --------
    >>> from workings import SGD
    >>> known = known_training(optimizer=SGD(0.1), batch_size=None)
    >>> known.recipe.optimizer, sorted(known.known)
    (SGD(lr=0.1), ['optimizer'])
    """
    history = History() if history is None else history
    names = {field.name for field in fields(Recipe)}
    told = {name: value for name, value in history.settings.items() if name in names}
    told |= {name: value for name, value in arguments.items() if value is not None}
    defaults = {"optimizer": ASSUMED.optimizer, "epochs": ASSUMED.epochs, "batch_size": ASSUMED.batch_size}
    return KnownTraining(
        Recipe(**{**defaults, **told}),
        frozenset(told),
        tuple(history.settings.get("given", ())),
        history.stopped,
        history.terms,
        history.opening,
    )
