"""Checkpoints: the callback that writes them during training, and the functions that write and read one.

A checkpoint is a network file (:mod:`workings.files.safetensors`) that also holds the state of the training:
of the optimizer, the random generator, the history, and each callback.  It also says what the settings of the
training are, so that another training does not resume from it.
"""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from workings.activations import activation_named
from workings.errors import FileError, InputError
from workings.files.safetensors import (
    check_arrays,
    description_of,
    errors_as_file_error,
    expected_shapes,
    read_file,
    write_file,
)
from workings.layers import FullyConnected, Layer, number_layers
from workings.schedules import rate_at
from workings.support.arrays import Array, RandomSource, describe, put_state, state_of
from workings.support.atomic_files import as_path, remove_abandoned
from workings.support.identity import identity
from workings.support.ranges import as_whole_number
from workings.training.batches import State
from workings.training.callbacks import Callback, RunningTraining
from workings.training.history import History
from workings.training.training import Training


class Checkpoint(Callback):
    """Write the state of training to a file every few epochs, to resume after a crash; each write is atomic.

    With ``resume=True``, a run that finds the file continues from it and ends with the same bits as an
    uninterrupted run: start the same script again.  The file is a network file, too: ``Network.load`` reads
    it.

    The run must have the same settings as the run that wrote the file; only ``epochs`` may differ, and callbacks
    that only observe.  Functions, such as a learning rate or a metric, are compared by their code and the
    values that they use.

    Parameters
    ----------
    path : path
        Path of the file.
    every : int
        Number of epochs between two writes; the last epoch is always written.
    resume : bool
        Whether to continue from the file if it exists.

    Raises
    ------
    InputError
        From ``fit`` with ``resume=True``: for L-BFGS, whose state is inside SciPy, for a setting that cannot
        be compared, such as a function that uses an open file, and for a learning rate that depends on more
        than the step.
    FileError
        From ``fit``: if the file is not a checkpoint, is damaged, or belongs to a run with other settings.

    Examples
    --------
    >>> Checkpoint("run.safetensors", every=10, resume=True).every
    10
    """

    runs_last = True
    only_observes = True

    def __init__(self, path: str | Path, *, every: int = 1, resume: bool = False) -> None:
        epochs = as_whole_number(every)
        if epochs is None or epochs < 1:
            raise InputError(f"every must be a whole number of epochs from 1, not {every!r}.")
        self.path, self.every, self.resume = as_path(path), epochs, bool(resume)
        self.settings_of_run: dict[str, str] = {}

    def on_train_begin(self, training: RunningTraining) -> None:
        run = cast(Training, training)
        if self.resume and not run.optimizer.takes_batches:
            raise InputError(
                "L-BFGS cannot resume from a checkpoint, because its state is inside SciPy. Use "
                f"Checkpoint({str(self.path)!r}) without resume=True, or another optimizer."
            )
        if self.resume:
            check_learning_rate(run)
        self.settings_of_run = settings_of(run, is_strict=self.resume)
        if run.is_first_process:
            remove_abandoned(self.path)
        if self.resume:
            run.check_processes(self.path.exists(), "whether they see the checkpoint")
        if self.resume and self.path.exists():
            self.read(training)

    def on_epoch_end(self, training: RunningTraining) -> None:
        if (training.epoch + 1) % self.every == 0 or training.epoch + 1 == training.epochs or training.stopped:
            self.write(training)

    def write(self, training: RunningTraining) -> None:
        """Write the checkpoint atomically."""
        if cast(Training, training).is_first_process:
            save_checkpoint(cast(Training, training), self.path, self.settings_of_run)

    def read(self, training: RunningTraining) -> None:
        """Restore the training from the checkpoint."""
        load_checkpoint(cast(Training, training), self.path, self.settings_of_run)


def save_checkpoint(training: Training, path: Path, settings: Mapping[str, str]) -> None:
    """Write the network, the state of its training, and its settings, as ``settings_of`` returns them."""
    network = training.network
    tensors = {**network.parameters, **network.statistics}
    tensors |= {f"state.{name}": training.values[name] for name in training.program.states}
    tensors |= {f"batches.{name}": array for name, array in training.batches.memory().items()}
    remembered = []
    for index, callback in enumerate(training.callbacks):
        state = callback.state()
        arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        tensors |= {f"callback{index}.{name}": value for name, value in arrays.items()}
        numbers = {name: value for name, value in state.items() if name not in arrays}
        remembered.append({"kind": type(callback).__name__, "state": numbers})
    about = {
        key: value for key, value in description_of(network).items() if key != "history"
    }  # the history is part of ``run``
    run = {
        "epoch": training.epoch,
        "step": training.step,
        "plateau": training.learning_rate.plateau,
        "stopped": training.stopped,
        "settings": dict(settings),
        "random": random_state(network.rng),
        "history": training.history.to_json(),
        "callbacks": remembered,
    }
    write_file(path, tensors, {**about, "training": run})


def load_checkpoint(training: Training, path: Path, settings: Mapping[str, str]) -> None:
    """Restore a training with the given settings from a checkpoint.

    Raises
    ------
    FileError
        If the file is not a checkpoint, is damaged, or belongs to a training with other settings.
    """
    tensors, about = read_file(path)
    if "training" not in about:
        raise FileError(f"{path} is a network file, not a checkpoint: it has no training state to resume from.")
    with errors_as_file_error(path):
        check_same_settings(path, about, settings)
        restore_training(training, tensors, about["training"])


# -- the settings ---------------------------------------------------------------------------


def settings_of(training: Training, *, is_strict: bool) -> dict[str, str]:
    """Return the settings that change the results of a training, as texts that another process can compare.

    Raises
    ------
    InputError
        If ``is_strict``, and a setting cannot be compared; the message names it.
    """
    network, recipe, data = training.network, training.recipe, training.data
    acting = [callback for callback in training.callbacks if not callback.only_observes]
    values: dict[str, object] = {
        "number of inputs": network.n_in,
        "precision": network.dtype.name,
        **{f"layer {number}": comparable_layer(layer) for layer, number in number_layers(network.layers)},
        "loss": network.loss,
        "regularizer": list(network.regularizers),
        "optimizer": training.optimizer,
        "training data or batch size": training.fingerprint,
        "validation data": None if data.validation is None else data.validation.fingerprint(),
        "metrics": recipe.chosen_metrics,
        "running_loss": recipe.running_loss,
        "random generator": random_state(network.rng)["bit_generator"],
        "callbacks": [(type(callback).__name__, callback.settings()) for callback in acting],
        **({} if recipe.workers is None else {"workers": repr(recipe.workers)}),
    }
    return {name: setting_text(name, value, network, is_strict) for name, value in values.items()}


def check_learning_rate(training: Training) -> None:
    """Raise an error if a call of the learning rate changes what the next call returns.

    The function is called twice before its values are compared: it may keep results.

    Raises
    ------
    InputError
        If a call changes a value that the function uses: a resumed run would begin with another value.
    """
    schedule = training.learning_rate.schedule
    texts = []
    for _ in range(2):
        rate_at(schedule, 0)
        texts.append(setting_text("optimizer", schedule, training.network, is_strict=True))
    if texts[0] != texts[1]:
        raise InputError(
            f"Checkpoint(resume=True) cannot resume with the learning rate {describe(schedule)}: each call changes a "
            "value that the next call uses, and a resumed run would start with the first value again. Compute the "
            "rate from the step alone, or leave out resume=True."
        )


def comparable_layer(layer: Layer) -> list[object]:
    """Return the class and the fields of a layer, without initializers, because a checkpoint holds the arrays."""
    initializers = ("weights", "biases") if isinstance(layer, FullyConnected) else ()
    fields = [field.name for field in dataclasses.fields(layer) if field.name not in initializers]
    values = {name: getattr(layer, name) for name in fields}
    if "activation" in values:
        values["activation"] = activation_named(values["activation"])
    return [type(layer), values]


def setting_text(name: str, value: object, network: object, is_strict: bool) -> str:
    """Return a setting as text."""
    try:
        return identity(value, {id(network): "the network"}, is_strict=is_strict)
    except InputError as error:
        raise InputError(
            f"Checkpoint(resume=True) cannot compare the {name} with the {name} of another run: {error} Use a function "
            "of numbers, arrays and other functions, or leave out resume=True."
        ) from error


def check_same_settings(path: Path, about: Mapping[str, Any], ours: Mapping[str, str]) -> None:
    """Raise an error that names all settings of a checkpoint that differ from ours."""
    theirs = {str(name): str(text) for name, text in dict(about["training"]["settings"]).items()}
    names = [name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)]
    if not names:
        return
    differ = "; ".join(f"{name}: {theirs.get(name, 'none')}, not {ours.get(name, 'none')}" for name in names)
    hint = " A number after # is a checksum of code and of the values that it uses." if "#" in differ else ""
    version = str(about["versions"]["python"])
    if hint and version.split(".")[:2] != platform.python_version().split(".")[:2]:
        hint += f" Python {version} wrote the file, and this is {platform.python_version()}, which compiles otherwise."
    raise FileError(
        f"{path} is a checkpoint of a training with other settings ({differ}).{hint} Move the file to start again."
    )


# -- the state ------------------------------------------------------------------------------


def restore_training(training: Training, tensors: Mapping[str, Array], run: Mapping[str, Any]) -> None:
    """Check all contents of a checkpoint, then restore the training from them."""
    network = training.network
    shapes = {f"state.{name}": training.values[name].shape for name in training.program.states}
    check_arrays(tensors, {**expected_shapes(network), **shapes}, network)
    epoch, step, history = int(run["epoch"]), int(run["step"]), History.from_json(run["history"])
    if not 0 <= epoch < history.epochs + 1 or step < 0 or not isinstance(run["plateau"], dict):
        raise FileError("The checkpoint's epoch and step counts are inconsistent.")
    restore_random(network.rng, run["random"])
    for callback, index, kept in matching(training.callbacks, run["callbacks"]):
        prefix = f"callback{index}."
        arrays = {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}
        if arrays.keys() & expected_shapes(network).keys():  # the callback stores a copy of the network's arrays
            check_arrays(arrays, expected_shapes(network), network)
        callback.restore({**kept["state"], **arrays})
    batches = {name.removeprefix("batches."): tensors[name] for name in tensors if name.startswith("batches.")}
    training.batches.remember(batches)
    network.set_values(tensors)
    states = {name: tensors[f"state.{name}"] for name in training.program.states}
    training.state = State({**network.start_values(training.program), **states}, step)
    history.engine, history.stopped = training.history.engine, ""
    training.epoch, training.stopped, training.history = epoch + 1, str(run["stopped"]), history
    training.learning_rate.plateau = dict(run["plateau"])


def matching(
    callbacks: Sequence[Callback],
    stored: Sequence[Mapping[str, object]],
) -> Iterator[tuple[Callback, int, Mapping[str, Any]]]:
    """Yield callbacks with the places and contents of their states; callbacks of one class keep their order.

    A callback that only observes may have no stored state, and a stored state may have no callback.
    """
    places = dict(enumerate(stored))
    for callback in callbacks:
        for index, kept in places.items():
            if kept["kind"] == type(callback).__name__:
                yield callback, index, places.pop(index)
                break


def random_state(rng: RandomSource) -> dict[str, Any]:
    """Return the state of a random generator as plain JSON values."""
    plain: dict[str, Any] = json.loads(json.dumps(state_of(rng), default=lambda value: value.tolist()))
    return plain


def restore_random(rng: RandomSource, state: dict[str, Any]) -> None:
    """Restore a random generator from a state."""
    if isinstance(rng, np.random.RandomState):
        state["state"]["key"] = np.array(state["state"]["key"], dtype=np.uint32)
    put_state(rng, state)
