"""Try many settings of a network on a table, and train the best again: the command ``workings sweep``."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workings import plots
from workings.cli.table_plan import Plan, TableSource
from workings.cli.table_splits import split_rows
from workings.cli.table_training import (
    TableTraining,
    TrainedOnTable,
    format_score,
    load_table,
    make_network,
    plain_recipe,
    prepare,
    without_raw_warning,
)
from workings.errors import InputError
from workings.network import Network
from workings.search.spaces import LogUniform, Uniform, WholeNumbers
from workings.search.sweep import Sweep, sweep
from workings.support.ranges import as_number
from workings.tables import Preprocessing
from workings.training.callbacks import Callback

BETWEEN = ".."  # between the bounds of a range
LAYERS = "x"  # between the units of the layers of one network
MODEL, RECIPE, PICTURE = "model.safetensors", "recipe.safetensors", "sweep.png"  # files in the output folder
WHOLE = ("batch_size", "hidden", "seeds")  # settings whose ranges hold whole numbers
LOGARITHMIC = ("lr", "l2")  # ranges in which logarithms are equally probable


@dataclass(frozen=True)
class TableNetworks:
    """A function that makes the network of a table for some settings; it can be sent to another process."""

    plan: Plan
    preprocessing: Preprocessing
    balanced: bool

    def __call__(self, seed: int, **settings: Any) -> tuple[Network, dict[str, Any]]:
        """Return a new network, and the settings of its training."""
        if "hidden" in settings:  # a range gives numbers
            settings["hidden"] = str(settings["hidden"])
        plan = replace(self.plan, seed=seed, **settings)
        network = make_network(plan, self.preprocessing)
        network.preprocessing = self.preprocessing.to_dict()
        return network, plain_recipe(plan, balanced=self.balanced).arguments()


def space_of(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of each setting from the text of the options.

    >>> space_of({"hidden": "16,32x16", "lr": "1e-3..1e-1", "activation": "relu,tanh"})
    {'hidden': ['16', '32,16'], 'lr': LogUniform(low=0.001, high=0.1), 'activation': ['relu', 'tanh']}
    """
    return {name: values_of(name, text) for name, text in options.items()}


def values_of(name: str, text: str) -> Any:
    """Return the values of one setting: a list, or a distribution for a range such as 1e-3..1e-1."""
    if BETWEEN in text:
        if name in ("activation", "optimizer"):
            raise InputError(f"{option(name)} takes names separated by commas, not {text!r}.")
        low, high = (number(name, part) for part in text.split(BETWEEN, 1))
        if name == "seeds" and low > high:
            raise InputError(f"{option(name)} needs the lower number first, not {text!r}.")
        if name == "seeds":
            return list(range(low, high + 1))
        if name in WHOLE:
            return WholeNumbers(low, high)
        return LogUniform(low, high) if name in LOGARITHMIC else Uniform(low, high)
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise InputError(f"{option(name)} needs values separated by commas, or a range such as 1e-3..1e-1.")
    if name == "hidden":
        return [part.replace(LAYERS, ",") for part in parts]
    if name in ("activation", "optimizer"):
        return parts
    numbers = [number(name, part) for part in parts]
    return [value or None for value in numbers] if name == "batch_size" else numbers  # 0 is a full batch


def number(name: str, text: str) -> Any:
    """Return a number of an option; for the batch size and the seeds, a whole one."""
    try:
        return int(text) if name in WHOLE else as_number(float(text))
    except ValueError as error:
        kind = "whole numbers" if name in WHOLE else "numbers"
        raise InputError(f"{option(name)} takes {kind}, not {text!r}.") from error


def option(name: str) -> str:
    """Return the option of a setting."""
    return f"--{name.replace('_', '-')}"


@without_raw_warning()
def sweep_table(
    source: TableSource,
    plan: Plan,
    options: Mapping[str, str],
    folder: Path,
    *,
    seeds: str,
    samples: int | None,
    halving: int | None,
    jobs: int,
    with_recipe: bool,
    progress: Callable[[str], None],
) -> str:
    """Run a sweep on a table; write the results, a picture of them and the best network; return a summary."""
    space, tried = space_of(options), values_of("seeds", seeds)
    for values in space.get("hidden", ()) if isinstance(space.get("hidden"), list) else ():
        _ = replace(plan, hidden=values).units  # an error before the table is read
    if samples is None and any(not isinstance(values, list) for values in space.values()):
        samples = 32
    if source.file.is_dir():
        raise InputError(
            f"'{source.file}' is a folder, but a sweep reads one file into memory. Write it with "
            'polars.read_parquet("folder").write_parquet("table.parquet").'
        )
    training = prepare(source, plan)
    if not len(training.validation[0]):
        raise InputError("A sweep ranks its fits by validation rows: give --validation a fraction above 0.")
    make = TableNetworks(plan, training.preprocessing, training.recipe.class_weight == "balanced")
    for name, values in space.items():
        for value in values if isinstance(values, list) else (values.low, values.high):
            make(plan.seed, **{name: value})  # an error before the first fit
    with ProcessPoolExecutor(jobs) if jobs > 1 else nullcontext() as executor:
        results = sweep(
            make, space, *training.training, samples=samples, halving=halving, seed=plan.seed,
            seeds=tried, validation=training.validation, executor=executor,
            folder=folder / "fits", engine=plan.engine, progress=progress,
        )  # fmt: skip
    best = train_best(results, training, folder)
    files = [f"model   {folder / MODEL}", f"picture {folder / PICTURE}", f"fits    {folder / 'fits'}"]
    compared = []
    if with_recipe:
        progress("training the recipe for tables, to compare")
        compared = ["", *compare_recipe(source, plan, best, folder)]
        files.append(f"recipe  {folder / RECIPE}")
    return "\n".join([results.to_table(), "", best.summary, *compared, "", *files])


def train_best(results: Sweep, training: TableTraining, folder: Path) -> TrainedOnTable:
    """Train the best network again and write it, with a picture of all results."""
    network, settings = results.network()
    engine = results.best.engine.split()[0]  # so that the bits are equal to the sweep's
    history = network.fit(*training.training, validation=training.validation, engine=engine, **settings)
    network.save(folder / MODEL)
    plots.save(results.plot(), folder / PICTURE)
    rows = (training.training, training.validation, training.test)
    return TrainedOnTable(network, training.preprocessing, history, *rows, training.frame, training.split)


def compare_recipe(source: TableSource, plan: Plan, best: TrainedOnTable, folder: Path) -> list[str]:
    """Train the recipe for tables with the same validation rows, and write it; return lines that compare the scores."""
    plan = replace(plan, recipe=True, epochs=None)
    table = load_table(source, plan)
    split = replace(best.split, seeds=split_rows(table.kinds, plan).seeds)
    recipe = table.training_on(split, plan).train(lambda epochs: Callback(), plan.engine)
    recipe.network.save(folder / RECIPE)
    score = format_score(recipe.network, recipe.preprocessing, *recipe.validation, recipe.training[1])
    ours, theirs = best.network.score(*best.validation), recipe.network.score(*recipe.validation)
    verdict = "The two scores are equal."
    if ours != theirs:
        verdict = "The best network of the sweep is better." if ours > theirs else "The recipe is better."
    command = shlex.join(["workings", "train", str(source.file), "--target", source.target, *source.options()])
    return [f"recipe for tables, on the same validation rows: {score}", f"{verdict} `{command}` trains the recipe."]
