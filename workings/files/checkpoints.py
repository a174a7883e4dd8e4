"""Checkpoints: the callback that writes them during training, and the functions that write and read one.

A checkpoint is a network file (:mod:`workings.files.safetensors`) that also holds the state of the training: of the
optimizer, the random generator, the history, and each callback.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from workings.errors import FileError, InputError
from workings.files.safetensors import (
    check_arrays,
    describe_network,
    description_of,
    errors_as_file_error,
    expected_shapes,
    plain,
    read_file,
    write_file,
)
from workings.support.arrays import Array, put_state, state_of
from workings.training.batches import State
from workings.training.callbacks import Callback, RunningTraining
from workings.training.history import History
from workings.training.training import Training


class Checkpoint(Callback):
    """Write the state of training to a file every few epochs, to resume after a crash; each write is atomic.

    With ``resume=True``, a run that finds the file continues from it and ends with the same bits as an uninterrupted
    run: start the same script again.  The file is a network file, too: ``Network.load`` reads it.

    Parameters
    ----------
    path : path
        Path of the file.
    every : int
        Number of epochs between two writes; the last epoch is always written.
    resume : bool
        Whether to continue from the file if it exists.

    Examples
    --------
    >>> Checkpoint("run.safetensors", every=10, resume=True).every
    10
    """

    runs_last = True
    only_observes = True

    def __init__(self, path: str | Path, *, every: int = 1, resume: bool = False) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise InputError(f"every must be a whole number of epochs from 1, not {every!r}.")
        self.path, self.every, self.resume = Path(path), every, resume

    def on_train_begin(self, training: RunningTraining) -> None:
        if self.resume and self.path.exists():
            self.read(training)

    def on_epoch_end(self, training: RunningTraining) -> None:
        if (training.epoch + 1) % self.every == 0 or training.epoch + 1 == training.epochs or training.stopped:
            self.write(training)

    def write(self, training: RunningTraining) -> None:
        """Write the checkpoint atomically."""
        save_checkpoint(cast(Training, training), self.path)

    def read(self, training: RunningTraining) -> None:
        """Restore the training from the checkpoint."""
        load_checkpoint(cast(Training, training), self.path)


def save_checkpoint(training: Training, path: Path) -> None:
    """Write the network and the state of its training: optimizer, random generator, history and callbacks."""
    network = training.network
    tensors = {**network.parameters, **network.statistics}
    tensors |= {f"state.{name}": training.values[name] for name in training.program.states}
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
        "epoch": training.epoch, "step": training.step, "plateau": training.learning_rate.plateau,
        "stopped": training.stopped,
        "optimizer": repr(training.optimizer), "data": training.fingerprint, "random": random_state(network.rng),
        "history": training.history.to_json(), "callbacks": remembered,
    }  # fmt: skip
    write_file(path, tensors, {**about, "training": run})


def load_checkpoint(training: Training, path: Path) -> None:
    """Restore a training from a checkpoint.

    Raises
    ------
    InputError
        For L-BFGS, whose state is inside SciPy.
    FileError
        If the file is not a checkpoint, is damaged, or belongs to a different training.
    """
    if not training.optimizer.takes_batches:
        raise InputError(
            f"L-BFGS cannot resume from {path}, because its state is inside SciPy. Move the file to start again."
        )
    tensors, about = read_file(path)
    if "training" not in about:
        raise FileError(f"{path} is a network file, not a checkpoint: it has no training state to resume from.")
    with errors_as_file_error(path):
        check_same_run(training, path, about)
        restore_training(training, tensors, about["training"])


def check_same_run(training: Training, path: Path, about: Mapping[str, Any]) -> None:
    """Raise if a checkpoint has a different network, optimizer, data, random generator, or list of callbacks."""
    run = about["training"]
    kinds = [type(callback).__name__ for callback in training.callbacks]
    differ = {
        "network": (architecture(about["network"]), architecture(describe_network(training.network))),
        "optimizer": (run["optimizer"], repr(training.optimizer)),
        "data set or batch size": (run["data"], training.fingerprint),
        "random generator": (
            run["random"]["bit_generator"],
            random_state(training.network.rng)["bit_generator"],
        ),
        "list of callbacks": ([callback["kind"] for callback in run["callbacks"]], kinds),
    }
    for what, (theirs, ours) in differ.items():
        if theirs != ours:
            detail = "" if what == "network" else f": {theirs}, not {ours}"
            raise FileError(f"{path} is a checkpoint with a different {what}{detail}. Move the file to start again.")


def architecture(about: Mapping[str, Any]) -> Any:
    """Return a network's description without classes and preprocessing, as read back from JSON."""
    return json.loads(
        json.dumps({k: v for k, v in about.items() if k not in ("classes", "preprocessing")}, default=plain)
    )


def restore_training(training: Training, tensors: Mapping[str, Array], run: Mapping[str, Any]) -> None:
    """Check all contents of a checkpoint, then restore the training from them."""
    network = training.network
    shapes = {f"state.{name}": training.values[name].shape for name in training.program.states}
    check_arrays(tensors, {**expected_shapes(network), **shapes}, network)
    epoch, step, history = int(run["epoch"]), int(run["step"]), History.from_json(run["history"])
    if not 0 <= epoch < history.epochs + 1 or step < 0 or not isinstance(run["plateau"], dict):
        raise FileError("The checkpoint's epoch and step counts are inconsistent.")
    restore_random(network.rng, run["random"])
    for index, (callback, kept) in enumerate(zip(training.callbacks, run["callbacks"], strict=True)):
        prefix = f"callback{index}."
        arrays = {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}
        if arrays.keys() & expected_shapes(network).keys():  # the callback stores a copy of the network's arrays
            check_arrays(arrays, expected_shapes(network), network)
        callback.restore({**kept["state"], **arrays})
    network.keep(tensors)
    states = {name: tensors[f"state.{name}"] for name in training.program.states}
    training.state = State({**network.start_values(training.program), **states}, step)
    history.engine, history.stopped = training.history.engine, ""
    training.epoch, training.stopped, training.history = epoch + 1, str(run["stopped"]), history
    training.learning_rate.plateau = dict(run["plateau"])


def random_state(rng: Any) -> dict[str, Any]:
    """Return the state of a random generator as plain JSON values."""
    plain: dict[str, Any] = json.loads(json.dumps(state_of(rng), default=lambda value: value.tolist()))
    return plain


def restore_random(rng: Any, state: dict[str, Any]) -> None:
    """Restore a random generator from a state."""
    if isinstance(rng, np.random.RandomState):
        state["state"]["key"] = np.array(state["state"]["key"], dtype=np.uint32)
    put_state(rng, state)
