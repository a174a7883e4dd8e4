"""Train many networks together: k networks of one structure in one compiled call.

Each training runs as it would alone, up to the steps of its next epochs.  There it waits, until all others wait too.
The steps of all that share a compiled engine then run in one call, one network after the other, by the same machine
code as alone.  So every network ends with the same bits as after ``fit``.  What is saved is Python's work for each
fit: the program, the checks and the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from numpy.typing import ArrayLike

from workings.errors import DivergenceError, InputError, count_of
from workings.metrics import Metric
from workings.model.model import Model
from workings.optimizers import LBFGS, Part
from workings.support.arrays import describe
from workings.support.interruption import Effect, Interruption
from workings.support.json_values import JsonObject
from workings.support.keywords import checked_keywords
from workings.training.callbacks import Callback
from workings.training.fit import train, undoing
from workings.training.history import History
from workings.training.loop import run_until_end
from workings.training.recipe import Labels, Recipe, Validation
from workings.training.step_runners import MOST_TOGETHER, PendingSteps, Waiting, run_pending
from workings.training.training import Training
from workings.training.training_data import TrainingData, prepare

T = TypeVar("T")
CallbacksOf = Sequence[Callback] | Callable[[int], Sequence[Callback]]


@checked_keywords
def fit_many(
    networks: Sequence[Model],
    X: ArrayLike,
    y: ArrayLike,
    *,
    optimizer: Part | LBFGS | Sequence[Part | LBFGS],
    epochs: int,
    batch_size: int | None = 32,
    shuffle: bool = True,
    validation: Validation = None,
    sample_weight: ArrayLike | None = None,
    class_weight: Labels = None,
    metrics: Sequence[str] | dict[str, Metric] = (),
    callbacks: CallbacksOf = (),
    running_loss: bool = False,
    engine: str = "auto",
) -> list[History]:
    """Train several networks on the same data, and return the history of each.

    Each network has the same parameters afterwards, bit for bit, as if it alone had been trained with ``fit`` on the
    engine that its history names.  Networks that have the same layers, apart from their widths, and the same loss run
    in one compiled call.  They may differ in their seeds, widths and penalties, and in the optimizer's learning rate.

    Parameters
    ----------
    networks : sequence of Network
        Each with a random generator of its own.
    X, y, epochs, batch_size, shuffle, validation, sample_weight, class_weight, metrics, running_loss :
        As in :meth:`workings.Network.fit`, for every network.
    optimizer : optimizer or sequence of them
        One for all networks, or one for each.
    callbacks : function of the network's index, or sequence of Callback
        A function, such as ``lambda index: [EarlyStopping()]``, returns the callbacks of one network.  With a sequence,
        all networks use the same callbacks; they are then trained one after the other.
    engine : str
        As in ``fit``; ``"auto"`` compiles if that pays off for all networks together.

    Returns
    -------
    list of History
        ``history.engine`` says whether the network was trained together with others, and ``history.seconds`` is the
        time until it was done.

    Raises
    ------
    InputError
        For networks, data or settings that cannot be used; no network is changed then.
    DivergenceError
        If a network diverges, after all others are trained; it then has its best finite parameters.
    KeyboardInterrupt
        For Ctrl-C pressed twice.  One Ctrl-C ends all trainings at the end of a recorded epoch.

    Examples
    --------
    >>> from workings import Dense, Network, SGD
    >>> networks = [Network([Dense(2, "tanh"), Dense(1)], loss="SquaredError", seed=seed) for seed in range(3)]
    >>> histories = fit_many(networks, [[0.0], [1.0]], [1.0, 3.0], optimizer=SGD(0.1), epochs=5)
    >>> [history.epochs for history in histories]
    [5, 5, 5]
    """
    models = checked_networks(networks)
    optimizers = one_for_each(optimizer, models)
    of_each = callbacks if callable(callbacks) else lambda index: callbacks
    settings = (epochs, batch_size, shuffle, validation, sample_weight, class_weight, metrics)
    recipes = [
        Recipe(own, *settings, callbacks=of_each(index), running_loss=running_loss)
        for index, own in enumerate(optimizers)
    ]
    errors = train_many(models, X, y, recipes, engine=engine)
    if errors:
        raise errors[min(errors)]
    return [model.history for model in models]


def checked_networks(networks: object) -> list[Model]:
    """Return networks as a list; raise an error if they are none, or if one occurs twice."""
    if isinstance(networks, Model) or not isinstance(networks, Sequence) or not networks:
        raise InputError(f"networks must be a list such as [Network(…), Network(…)], not {describe(networks)}.")
    for index, network in enumerate(networks):
        if not isinstance(network, Model):
            raise InputError(f"networks[{index}] is {describe(network)}, which is not a network.")
        if any(network is other for other in networks[:index]):
            raise InputError(f"networks[{index}] occurs twice: make a network for each training.")
    return list(networks)


def one_for_each(optimizer: object, models: Sequence[Model]) -> list[Any]:
    """Return an optimizer for each network."""
    if not isinstance(optimizer, (list, tuple)):
        return [optimizer] * len(models)
    if len(optimizer) != len(models):
        raise InputError(f"optimizer has {len(optimizer)} entries, but there are {len(models)} networks.")
    return list(optimizer)


def train_many(
    models: Sequence[Model],
    X: ArrayLike,
    y: ArrayLike,
    recipes: Sequence[Recipe],
    *,
    engine: str = "auto",
    fits: int | None = None,
) -> dict[int, Exception]:
    """Train models with their recipes on the same data; return the errors of those that failed, by their number.

    ``fits`` is the number of fits for which the program is compiled, if there are more; see :func:`fit_many`.

    Raises
    ------
    InputError
        If a check fails; no model is changed then.
    """
    why = why_apart(models, recipes)
    if why:
        return train_each(models, X, y, recipes, engine, why)
    rows = SharedRows(X, y)
    return make_and_run(
        models,
        lambda: [
            Training(model, rows.prepared(model, recipe), recipe, engine=engine, fits=fits or len(models))
            for model, recipe in zip(models, recipes, strict=True)
        ],
    )


def make_and_run(models: Sequence[Model], make: Callable[[], Sequence[Training]]) -> dict[int, Exception]:
    """Make the trainings of some models and run them; return the errors of those that failed, by their number.

    If making one raises an error, no model is changed.
    """
    undos = [undoing(model) for model in models]
    try:
        trainings = make()
    except BaseException:
        with Interruption():  # a second Ctrl-C waits until this is done
            for undo in undos:
                undo()
        raise
    return run_many(trainings)


class SharedRows:
    """The rows of several trainings, checked and encoded once for all networks for which they are the same."""

    def __init__(self, X: ArrayLike, y: ArrayLike) -> None:
        self.X, self.y = X, y
        self.known: dict[object, TrainingData] = {}
        self.preprocessing: JsonObject | None = None

    def prepared(self, model: Model, recipe: Recipe) -> TrainingData:
        """Check and encode the rows for a model, and build it, as ``prepare`` does."""
        is_drawn = isinstance(recipe.validation, float)  # by the model's own random generator
        if is_drawn or model.preprocessing is not None or model.classes is not None:
            return prepare(model, self.X, self.y, recipe)
        given = (recipe.validation, recipe.sample_weight, recipe.class_weight)
        key = (model.n_in, model.dtype, model.dtype_given, type(model.targets), model.n_out, *map(id, given))
        if key not in self.known:
            self.known[key] = prepare(model, self.X, self.y, recipe)
            self.preprocessing = model.preprocessing  # of a table on disk, which the first model learned
        elif model.n_in is None:
            rows = self.known[key].rows
            model.build(rows.X.shape[1], rows.X.dtype)
        model.preprocessing = self.preprocessing
        return self.known[key]


def train_each(
    models: Sequence[Model], X: ArrayLike, y: ArrayLike, recipes: Sequence[Recipe], engine: str, why: str
) -> dict[int, Exception]:
    """Train models one after the other; return the errors of those that diverged."""
    errors: dict[int, Exception] = {}
    for number, (model, recipe) in enumerate(zip(models, recipes, strict=True)):
        try:
            add_words(train(model, X, y, recipe, engine=engine), why)
        except DivergenceError as error:
            errors[number] = error
    return errors


def why_apart(models: Sequence[Model], recipes: Sequence[Recipe]) -> str:
    """Return why networks must be trained one after the other; empty if they can be trained together."""
    if len({id(model.rng) for model in models}) < len(models):
        return "one by one: the networks draw from the same random generator"
    callbacks = [callback for recipe in recipes for callback in recipe.callbacks]
    if len(set(map(id, callbacks))) < len(callbacks):
        return "one by one: the networks share callbacks"
    return ""


def add_words(history: History, how: str) -> None:
    """Add words about how a network was trained to the engine in its history."""
    history.engine += f", {how}"


def run_many(trainings: Sequence[Training]) -> dict[int, Exception]:
    """Run trainings, some at a time; return the errors of those that failed, by their number."""
    errors: dict[int, Exception] = {}
    with Interruption() as interruption:
        for first in range(0, len(trainings), MOST_TOGETHER):
            some = trainings[first : first + MOST_TOGETHER]
            for training in some:
                if training.waits and len(some) > 1:
                    add_words(training.history, f"together with {count_of(len(some) - 1, 'other')}")
            found = TogetherRun(some, interruption).errors
            errors |= {first + number: error for number, error in found.items()}
        if interruption.count > 1:
            raise KeyboardInterrupt
    return errors


class TogetherRun:
    """Runs trainings together until all are done.

    Attributes
    ----------
    going : dict of int to generator
        The trainings that are not done.
    errors : dict of int to Exception
        The errors of the trainings that failed.
    """

    def __init__(self, trainings: Sequence[Training], interruption: Interruption) -> None:
        self.errors: dict[int, Exception] = {}
        self.interruption = interruption
        # While a training waits, others run, so that Ctrl-C takes effect by the common one: in the steps of all.
        self.own = [Interruption() if training.waits else interruption for training in trainings]
        self.going: dict[int, Waiting[None]] = {
            number: run_until_end(training, own)
            for number, (training, own) in enumerate(zip(trainings, self.own, strict=True))
        }
        self.run()

    def run(self) -> None:
        """Let all trainings continue, then run the steps for which they wait, until all are done."""
        answers: dict[int, Any] = dict.fromkeys(self.going)
        while self.going:
            asked = {number: self.proceed(number, answers[number]) for number in list(self.going)}
            pending = {number: steps for number, steps in asked.items() if steps is not None}
            try:
                with self.interruption.taking_effect(Effect.AT_ONCE):
                    answers = dict(zip(pending, run_pending(list(pending.values())), strict=True))
            except BaseException as error:
                self.end_all(error)

    def proceed(self, number: int, answer: Any) -> PendingSteps | None:
        """Let a training continue; return the steps that it waits for, or None if it is done."""
        try:
            return self.going[number].send(answer)
        except StopIteration:
            pass
        except Exception as error:
            self.errors[number] = error
        del self.going[number]
        return None

    def end_all(self, error: BaseException) -> None:
        """End all trainings, as after Ctrl-C or an error in a step."""
        self.interruption.effect = Effect.NEVER  # a second Ctrl-C waits until the parameters are copied
        for number in list(self.going):
            self.own[number].count = self.interruption.count
            try:
                self.going[number].throw(error)
            except StopIteration:
                pass
            except Exception as caught:
                self.errors[number] = caught
            del self.going[number]
        self.interruption.effect = Effect.LATER
