"""Sweeps: train networks with many settings, on any executor, and rank them by their scores on validation rows.

The combinations of settings come from ``spaces.py``; ``fits.py`` runs them in groups, whose networks are trained
together.  This file submits the groups, gathers the results and shows them.
"""

from __future__ import annotations

import functools
import hashlib
import math
import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from numpy.typing import ArrayLike

from workings.engines.choice import ENGINES
from workings.errors import InputError, WorkersError, WorkingsError, count_of, unknown_name
from workings.network import Network
from workings.search.fits import Fit, FitResult, Make, SweepData, as_rows, read, run_fits
from workings.search.spaces import Space, combinations
from workings.support.arrays import describe
from workings.support.atomic_files import writable_folder
from workings.support.identity import identity
from workings.support.keywords import checked_keywords
from workings.support.notebook import preformatted_html
from workings.support.ranges import as_whole_number
from workings.training.recipe import Validation
from workings.training.step_runners import MOST_TOGETHER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workings.support.interfaces import Executor, Future

MONITORS = {"val_loss": False, "val_score": True}  # whether a higher value is better
Progress = Callable[[str], object]


class Sweep(Sequence[FitResult]):
    """The results of a sweep, the best first.

    Attributes
    ----------
    results : tuple of FitResult
        The best first; those with errors last.
    monitor : str
        ``"val_loss"`` or ``"val_score"``, by which they are ranked.
    """

    def __init__(self, results: Sequence[FitResult], monitor: str, make: Make) -> None:
        self.results, self.monitor, self.make = tuple(ranked(results, monitor)), monitor, make

    def __len__(self) -> int:
        return len(self.results)

    @overload
    def __getitem__(self, index: int) -> FitResult: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[FitResult, ...]: ...
    def __getitem__(self, index: int | slice) -> FitResult | tuple[FitResult, ...]:
        return self.results[index]

    def __iter__(self) -> Iterator[FitResult]:
        return iter(self.results)

    @property
    def best(self) -> FitResult:
        """The best result.

        Raises
        ------
        InputError
            If every fit failed; the message has the first error.
        """
        if self.results[0].error:
            raise InputError(f"Every fit of the sweep failed, first with: {self.results[0].error}")
        return self.results[0]

    def network(self, result: FitResult | None = None) -> tuple[Network, dict[str, Any]]:
        """Return a new network with the settings of a result, by default the best, and the settings of its ``fit``."""
        chosen = self.best if result is None else result
        network, settings = self.make(**chosen.settings, seed=chosen.seed)
        return network, settings

    def to_table(self, most: int = 20) -> str:
        """Return the best results as a plain text table."""
        rows = [(*shown(result), *map(text_of, result.settings.values())) for result in self.results[:most]]
        names = [str(name) for name in (self.results[0].settings if self.results else ())]
        table = [("val_loss", "val_score", "epochs", "seed", *names), *rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]
        errors = [f"  {result.error}" if result.error else "" for result in self.results[:most]]
        lines = [line + error for line, error in zip(lines, ["", *errors], strict=True)]
        more = len(self.results) - most
        return "\n".join([*lines, *([f"… and {count_of(more, 'more result')}"] if more > 0 else [])])

    def plot(self) -> Figure:
        """Draw the scores against each setting that differs, one panel for each."""
        from workings.plots.sweeps import sweep

        good = [result for result in self.results if not result.error]
        names = list(good[0].settings) if good else []
        chosen = [name for name in names if len({repr(result.settings[name]) for result in good}) > 1] or names
        settings = [{name: result.settings[name] for name in chosen} for result in good]
        return sweep(settings, [getattr(result, self.monitor) for result in good], self.monitor)

    def __repr__(self) -> str:
        return f"Sweep of {count_of(len(self), 'fit')}\n{self.to_table()}"

    def _repr_html_(self) -> str:
        """The table, for a notebook."""
        return preformatted_html(repr(self))


def ranked(results: Sequence[FitResult], monitor: str) -> list[FitResult]:
    """Sort results, the best first, those with errors last."""
    sign = -1 if MONITORS[monitor] else 1

    def place(result: FitResult) -> tuple[bool, float]:
        value = getattr(result, monitor)
        return bool(result.error) or math.isnan(value), 0.0 if math.isnan(value) else sign * value

    return sorted(results, key=place)


def shown(result: FitResult) -> tuple[str, str, str, str]:
    """Return the columns of a table for a result, without its settings."""
    return f"{result.val_loss:.5g}", f"{result.val_score:.4f}", str(result.epochs), str(result.seed)


def text_of(value: object) -> str:
    """Return a value of a setting as text."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@checked_keywords
def sweep(
    make: Make,
    settings: Space,
    X: ArrayLike | Path,
    y: ArrayLike | None = None,
    *,
    samples: int | None = None,
    seeds: Sequence[int] = (0,),
    seed: int = 0,
    validation: Validation = 0.2,
    monitor: str = "val_loss",
    halving: int | None = None,
    executor: Executor | None = None,
    folder: str | Path | None = None,
    together: int = MOST_TOGETHER,
    engine: str = "auto",
    progress: Progress | None = None,
) -> Sweep:
    """Train a network for each combination of settings, and rank them by their scores on validation rows.

    Parameters
    ----------
    make : function
        ``make(**settings, seed=…)`` returns a new network and a dict with the settings of its ``fit``.
    settings : dict of str to list or distribution
        The values of each setting, such as ``{"units": [8, 32], "lr": LogUniform(1e-3, 1e-1)}``.
    X, y : arrays of shape (n, n_in) and (n,) or (n, n_out)
        The data; or their paths, so that each worker reads the files: two ``.npy`` files, or as X alone an ``.npz``
        file with X and y.
    samples : int or None
        The number of random combinations; None for all combinations of lists.
    seeds : sequence of int
        Whole numbers from 0.  Each combination is trained with each of these seeds.
    seed : int
        The seed of random combinations and of the validation rows.
    validation : float or (X, y)
        The validation rows, equal for all fits: a share of the rows, or given.
    monitor : str
        ``"val_loss"`` (without penalties) or ``"val_score"`` (accuracy or R²).
    halving : int or None
        Successive halving: train all for a few epochs, then the best ``1 / halving`` of them for ``halving`` times as
        many, and so on, up to all epochs.
    executor : Executor or None
        What runs the fits: an executor of ``concurrent.futures`` or loky, or a client of Dask.  None: this process.
    folder : path or None
        Each result is written to a file here; a sweep with equal arguments reads them and runs only the others.
    together : int
        The number of fits in one task, whose networks are trained together.
    engine : str
        As in ``fit``; ``"auto"`` counts all fits.
    progress : callable or None
        Called with a line of text when a task is done; for example ``print``.

    Returns
    -------
    Sweep
        A fit that failed has its error in its result.

    Raises
    ------
    InputError
        For invalid arguments, or if ``make`` cannot be sent to another process.

    Examples
    --------
    >>> from workings import CrossEntropy, Dense, SGD
    >>> from workings.datasets import moons
    >>> def make(units, lr, seed):
    ...     network = Network([Dense(units, "tanh"), Dense(2)], loss=CrossEntropy(), seed=seed)
    ...     return network, {"optimizer": SGD(lr), "epochs": 20}
    >>> results = sweep(make, {"units": [2, 4], "lr": [0.01, 0.3]}, *moons(60))
    >>> results.best.settings["lr"]
    0.3
    """
    check_settings(make, monitor, halving, together, samples, engine)
    check_executor(executor)
    seeds = checked_seeds(seeds)
    data = SweepData(X, y, validation, seed)
    data.rows()  # wrong data is refused before any fit
    found = combinations(settings, samples, seed)
    run = SweepRun(make, data, engine, together, executor, Path(folder) if folder else None, monitor, progress)
    fits = [Fit("", one, own) for one in found for own in seeds]
    results = run.all(fits) if halving is None else run.halving(fits, halving)
    return Sweep(results, monitor, make)


def check_settings(
    make: object, monitor: object, halving: object, together: object, samples: object, engine: object
) -> None:
    """Raise an error for settings of a sweep that cannot be used."""
    if not callable(make):
        raise InputError(f"make must be a function that returns a network and settings, not {describe(make)}.")
    if monitor not in MONITORS:
        raise unknown_name("monitor", monitor, MONITORS)
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    for name, value, least in (("halving", halving, 2), ("together", together, 1), ("samples", samples, 1)):
        number = 1 if value is None else as_whole_number(value)
        if value is not None and (number is None or number < least):
            raise InputError(f"{name} must be a whole number from {least}, not {describe(value)}.")


def check_executor(executor: object) -> None:
    """Raise an error unless an executor has a method ``submit``."""
    if executor is not None and (isinstance(executor, type) or not callable(getattr(executor, "submit", None))):
        raise InputError(
            "executor must be an object with a method submit, such as ProcessPoolExecutor(2) of concurrent.futures, "
            f"not {describe(executor)}."
        )


def checked_seeds(seeds: object) -> list[int]:
    """Return the seeds, each once; raise an error unless they are whole numbers from 0."""
    given = list(seeds) if isinstance(seeds, Iterable) and not isinstance(seeds, str) else []
    numbers = [number for number in map(as_whole_number, given) if number is not None and number >= 0]
    if not given or len(numbers) < len(given):
        raise InputError(f"seeds must be whole numbers from 0, such as [0, 1, 2] or range(3), not {describe(seeds)}.")
    return list(dict.fromkeys(numbers))


class SweepRun:
    """Runs the fits of a sweep: reads the results that exist, submits the others, and gathers what comes back."""

    def __init__(
        self,
        make: Make,
        data: SweepData,
        engine: str,
        together: int,
        executor: Executor | None,
        folder: Path | None,
        monitor: str,
        progress: Progress | None,
    ) -> None:
        self.make, self.data, self.engine, self.together = make, data, engine, together
        self.executor, self.folder, self.monitor, self.progress = executor, folder, monitor, progress
        if folder is not None:
            writable_folder(folder)

    def all(self, fits: Sequence[Fit], before: Sequence[FitResult] = ()) -> list[FitResult]:
        """Run fits, and return their results in order."""
        named = [replace(fit, key=self.key(fit, number)) for number, fit in enumerate(fits)]
        results = {fit.key: known for fit in named if (known := self.known(fit)) is not None}
        missing = [fit for fit in named if fit.key not in results]
        groups = [missing[first : first + self.together] for first in range(0, len(missing), self.together)]
        for found in self.results_of(groups, len(named)):
            results |= {result.key: result for result in found}
            self.report(len(results), len(named), [*before, *results.values()])
        return [replace(results[fit.key], settings=dict(fit.settings)) for fit in named]

    def halving(self, fits: Sequence[Fit], factor: int) -> list[FitResult]:
        """Run all fits for a few epochs, and the best of them for more and more epochs; return all last results."""
        rounds, ended = int(math.log(len(fits), factor)), list[FitResult]()
        for number in range(rounds, -1, -1):
            found = self.all([replace(fit, share=float(factor) ** -number) for fit in fits], ended)
            order = ranked(found, self.monitor)
            kept = order[: max(len(order) // factor, 1)] if number else order
            ended += [result for result in order if result not in kept] if number else order
            chosen = {result.key for result in kept}
            fits = [fit for fit, result in zip(fits, found, strict=True) if result.key in chosen]
        return ended

    def key(self, fit: Fit, number: int) -> str:
        """Return the key of a fit: a hash of all that its result depends on; without a folder, its number."""
        if self.folder is None:
            return str(number)
        text = f"{identity([dict(fit.settings), fit.seed, fit.share])} {self.identity}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @functools.cached_property
    def identity(self) -> str:
        """A text that says which function makes the networks, on which data."""
        rows = self.data.rows()
        return identity([self.make, self.engine, *[as_rows(one) for both in rows for one in both]])

    def known(self, fit: Fit) -> FitResult | None:
        """Return the result of a fit that an earlier sweep has written."""
        return None if self.folder is None else read(fit.key, self.folder)

    def results_of(self, groups: Sequence[Sequence[Fit]], total: int) -> Iterator[list[FitResult]]:
        """Yield the results of each group, as they are done."""
        folder = "" if self.folder is None else str(self.folder)
        if self.executor is None:
            for group in groups:
                yield run_fits(self.make, group, self.data, self.engine, total, folder)
            return
        done: queue.SimpleQueue[Future[list[FitResult]]] = queue.SimpleQueue()
        futures = []
        try:
            for group in groups:
                task = (run_fits, self.make, group, self.data, self.engine, total, folder)
                futures.append(self.executor.submit(*task))
                futures[-1].add_done_callback(done.put)
            for _ in futures:
                yield result_of(done.get())
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    def report(self, done: int, total: int, results: Sequence[FitResult]) -> None:
        """Report progress with the best so far."""
        if self.progress is None:
            return
        best = ranked(results, self.monitor)[0]
        values = ", ".join(f"{name}={text_of(value)}" for name, value in best.settings.items())
        failed = sum(bool(result.error) for result in results)
        errors = f", {count_of(failed, 'error')}" if failed else ""
        reached = f"best {self.monitor} {getattr(best, self.monitor):.5g}: {values}"
        self.progress(f"{done} of {count_of(total, 'fit')}{errors}; {reached}")


def result_of(future: Future[list[FitResult]]) -> list[FitResult]:
    """Return the results of a task; explain the errors of executors."""
    try:
        return future.result()
    except WorkingsError:
        raise
    except Exception as error:
        if "pickle" in f"{type(error).__name__} {error}".lower():
            raise InputError(
                f"make cannot be sent to another process: define it in a module, not in a session or in a function. "
                f"({error})"
            ) from error
        if isinstance(error, BrokenExecutor):
            raise WorkersError(
                "A process of the executor was lost, for example because memory ran out. Start a new executor, and the "
                "sweep again. With folder=, it continues with the fits that have no result yet."
            ) from error
        raise
