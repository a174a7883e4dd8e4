"""Fits of a search: a pure function of settings, seed and data, which any process can run.

A worker gets some fits, trains their networks together, and writes one file for each result.  Nothing else passes
between workers, so a search that was cut short continues where it ended.
"""

from __future__ import annotations

import functools
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError, WorkingsError, first_line
from workings.model.data_files import is_path, is_table, memory_map, opened_array
from workings.model.targets import checked_labels
from workings.network import Network
from workings.support.arrays import Array, Features, describe, same_length
from workings.support.atomic_files import write_bytes
from workings.support.npz import read_npz
from workings.training.fit_many import train_many
from workings.training.recipe import Recipe, Validation
from workings.training.training_data import stratified

FORMAT = "workings fit 1"
MOST_BYTES = 2**20  # of a file with a result
Make = Callable[..., tuple[Network, dict[str, Any]]]  # of settings and a seed; returns settings of ``fit``, too
RowsAndTargets = tuple[Features, Features]


@dataclass(frozen=True)
class Fit:
    """One fit of a search: its settings, the seed, and the share of the epochs that it runs.

    ``key`` identifies it, together with the data and the function that makes the network.
    """

    key: str
    settings: Mapping[str, object]
    seed: int
    share: float = 1.0


@dataclass(frozen=True)
class FitResult:
    """The result of one fit.

    Attributes
    ----------
    key : str
        The key of the fit.
    settings : dict
        Its settings.
    seed, epochs : int
        The seed, and the number of epochs that ran.
    loss, val_loss : float
        The loss without penalties, on the training rows and on the validation rows; NaN after an error.
    val_score : float
        The accuracy, or R², on the validation rows; NaN after an error.
    stopped, engine, error : str
        Why training ended, the engine that ran, and the error if there was one.
    seconds : float
        The time of the group in which it ran.
    """

    key: str
    settings: dict[str, object]
    seed: int
    epochs: int = 0
    loss: float = math.nan
    val_loss: float = math.nan
    val_score: float = math.nan
    stopped: str = ""
    engine: str = ""
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class SweepData:
    """The rows of a search: arrays, or the paths of files that each worker reads.

    ``validation`` is the share of the rows that are held out, and ``seed`` draws them.
    """

    X: ArrayLike | Path
    y: ArrayLike | None = None
    validation: Validation = 0.2
    seed: int = 0

    def rows(self) -> tuple[RowsAndTargets, RowsAndTargets]:
        """Return the training rows and the validation rows.

        Raises
        ------
        InputError
            If the validation share is not between 0 and 1.
        FileError
            If the file cannot be read.
        """
        X, y = rows_at(self.X, self.y)
        if isinstance(self.validation, tuple):
            return (X, y), self.validation
        rows, targets = as_rows(X), np.asarray(y)
        same_length(rows, targets)
        held_out = held_out_rows(targets, self.validation, self.seed)
        kept = np.setdiff1d(np.arange(len(targets)), held_out)
        return (rows[kept], targets[kept]), (rows[held_out], targets[held_out])


def as_rows(X: object) -> Features:
    """Return rows as something whose rows can be chosen: an array, or a sparse matrix."""
    return X.tocsr() if hasattr(X, "tocsr") else np.asarray(X)


@functools.lru_cache(maxsize=1)
def rows_of_file(path: str, changed: int) -> tuple[Array, Array]:
    """Return the rows of a file, which a worker reads once; ``changed`` is when the file was written."""
    return read_npz(Path(path))


def rows_at(path: object, y: object) -> RowsAndTargets:
    """Return the rows of files; arrays are unchanged."""
    if not is_path(path) and y is not None:
        return path, opened_array(y, "y")
    if not is_path(path):
        raise InputError(f"Without y, X is the path of an .npz file with X and y, not {describe(path)}.")
    kind = Path(path).suffix.lower()
    if is_table(path):
        raise InputError(
            f"{os.fspath(path)!r} is a table. `workings sweep` tries settings on a table; sweep() takes arrays, such "
            "as X and y of workings.tables.stream(path, target)."
        )
    if kind == ".npy" or (y is not None and y != "y"):
        return memory_map(path), opened_array(y, "y")
    exists = Path(path).exists()  # reading a missing file gives a clear error
    return rows_of_file(str(path), Path(path).stat().st_mtime_ns if exists else 0)


def held_out_rows(y: Array, share: object, seed: int) -> Array:
    """Return the validation rows: a random share, of each class in proportion if y holds labels."""
    n = len(y)
    if not isinstance(share, float) or not 0 < share < 1 or not 0 < round(n * share) < n:
        raise InputError(f"validation must be (X, y) or a share of the rows between 0 and 1, not {describe(share)}.")
    order = np.random.default_rng(seed).permutation(n)
    if y.ndim == 1 and y.dtype.kind in "biuUO":
        order = stratified(order, np.unique(checked_labels(y), return_inverse=True)[1], round(n * share))
    return np.sort(order[: round(n * share)])


def run_fits(
    make: Make,
    fits: Sequence[Fit],
    data: SweepData,
    engine: str,
    total: int,
    folder: str,
) -> list[FitResult]:
    """Train the networks of some fits together, and write their results; ``total`` is the number of all fits."""
    began, (X, y), validation = time.perf_counter(), *data.rows()
    made = [made_by(make, fit, validation) for fit in fits]
    good = [pair for pair in made if not isinstance(pair, Exception)]
    errors = trained(good, X, y, engine, total)
    results, seconds = [], time.perf_counter() - began
    for fit, pair in zip(fits, made, strict=True):
        problem = pair if isinstance(pair, Exception) else errors.get(id(pair))
        result = FitResult(fit.key, dict(fit.settings), fit.seed, error=words_of(problem), seconds=seconds)
        if not isinstance(pair, Exception):
            result = measured(result, pair[0], (X, y), validation)
        results.append(result)
        if folder:
            write(result, Path(folder))
    return results


def made_by(make: Make, fit: Fit, validation: tuple[object, object]) -> tuple[Network, Recipe] | Exception:
    """Return a new network and the settings of its training, or the error that making them raises."""
    try:
        made = make(**fit.settings, seed=fit.seed)
        if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], Network)):
            raise InputError(f"make must return a network and a dict of settings of fit, not {describe(made)}.")
        network, settings = made
        if "epochs" not in settings or "optimizer" not in settings:
            raise InputError(f"make must return the optimizer and the epochs of fit, not only {', '.join(settings)}.")
        settings = {"validation": validation, **settings}
        settings["epochs"] = (
            max(round(fit.share * settings.get("epochs", 0)), 1) if fit.share < 1 else settings["epochs"]
        )
        return network, Recipe(**settings)
    except Exception as error:  # of a user's function
        return error


def trained(
    pairs: Sequence[tuple[Network, Recipe]], X: ArrayLike, y: ArrayLike, engine: str, total: int
) -> dict[int, Exception]:
    """Train networks together; return the errors by the id of the pair."""
    networks, recipes = [network for network, _ in pairs], [recipe for _, recipe in pairs]
    try:
        found = train_many(networks, X, y, recipes, engine=engine, fits=total) if pairs else {}
    except WorkingsError as error:  # a check refused one of them, before any was trained
        if len(pairs) == 1:
            return {id(pairs[0]): error}
        alone = [trained([pair], X, y, engine, total) for pair in pairs]
        return {key: error for errors in alone for key, error in errors.items()}
    return {id(pairs[number]): error for number, error in found.items()}


def words_of(error: Exception | None) -> str:
    """Return an error as one line."""
    return "" if error is None else f"{type(error).__name__}: {first_line(error)}"


def measured(result: FitResult, network: Network, rows: RowsAndTargets, validation: RowsAndTargets) -> FitResult:
    """Return a result with the scores of the trained network on the training rows and on the validation rows."""
    history = network.history
    about = asdict(result)
    if history is not None:
        about |= {"epochs": history.epochs, "stopped": history.stopped, "engine": history.engine}
    if not result.error:
        plain = network.without(regularizers=True)
        about |= {"loss": plain.objective(*rows), "val_loss": plain.objective(*validation)}
        about["val_score"] = network.score(*validation)
    return FitResult(**about)


# -- files ----------------------------------------------------------------------------------


def write(result: FitResult, folder: Path) -> None:
    """Write a result to a file of its own, as JSON; values that JSON cannot hold are written as text."""
    content = json.dumps({"format": FORMAT, **asdict(result)}, default=repr, indent=2)
    write_bytes(folder / f"{result.key}.json", content.encode())


def read(key: str, folder: Path) -> FitResult | None:
    """Return the result with a key from its file; None if there is none, or if it is damaged."""
    try:
        with open(folder / f"{key}.json", "rb") as file:
            about = json.loads(file.read(MOST_BYTES))
        if about.pop("format") != FORMAT or about["key"] != key:
            return None
        return FitResult(**about)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
