"""The commands of ``workings``: run, train, sweep, predict, summary, script, explain, doctor and others."""

from __future__ import annotations

import functools
import importlib
import math
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.markup import escape
from rich.progress import Progress

from workings import files
from workings.checks.findings import Diagnosis
from workings.checks.rates import with_rate
from workings.cli import table_models, table_streams
from workings.cli.console import PlainTyper, console, output, plain_errors
from workings.cli.model_description import described_or_loaded
from workings.cli.play import play
from workings.cli.sweep_command import sweep_table
from workings.cli.table_phrasing import TableTerms
from workings.cli.table_plan import PLAIN_OPTIONS, Plan, TableSource
from workings.cli.terminal import (
    ProgressBar,
    curves_table,
    figures_table,
    museum_table,
    progress_bars,
    write_out,
)
from workings.errors import DivergenceError, InputError, ReportError, count_of, unknown_name
from workings.experiments.figures import Figure
from workings.experiments.report import ExperimentSettings
from workings.experiments.tasks import Task
from workings.museum.rooms import show
from workings.network import Network
from workings.optimizers import OPTIMIZER_NAMES, Part, optimizer_named
from workings.readings.languages import LANGUAGES
from workings.readings.script import save_script
from workings.support.atomic_files import writable_folder, write_bytes
from workings.support.escaping import visible
from workings.table_recipe import CLASSIFICATION, REGRESSION
from workings.tables.embedding import EMBEDDINGS
from workings.tables.files import READERS, TextOptions
from workings.tables.preprocessing import treatment_of_gaps
from workings.tables.screening import ColumnChoices
from workings.tables.target_transform import TRANSFORMS
from workings.training.callbacks import Callback
from workings.version import __version__


def path(text: str) -> Path:
    """Return the path in an argument; raise for empty text, which would be the current folder."""
    if not text:
        raise typer.BadParameter("it is empty; name a file.")
    return Path(text)


app = PlainTyper(help="Workings: neural networks that show their workings.", no_args_is_help=True)


NETWORKS = ("xor", "moons", "digits", "mnist")
LARGEST_SEED = 2**32 - 1  # of NumPy's RandomState, which the recipe and the tutorials use
SECONDS = {"s": 1, "m": 60, "h": 3600}

DecimalOption = Annotated[
    str | None, typer.Option(help="CSV: decimal sign, '.' or ',', where a number such as 1,234 has two readings")
]
DelimiterOption = Annotated[
    str | None, typer.Option(help="CSV: character between columns (default: detected from line 1)")
]
EncodingOption = Annotated[str | None, typer.Option(help="CSV: encoding, such as cp1252 (default: UTF-8)")]
SheetOption = Annotated[str | None, typer.Option(help="Excel: name of the sheet, if there are several")]
MissingOption = Annotated[
    str | None,
    typer.Option(
        help="Missing values (empty, NA, null, ?): indicate (fill and mark them; default), fill, or refuse",
        show_default=False,
    ),
]
ImputeOption = Annotated[
    bool,
    typer.Option(help="Same as --missing fill: with the median or the most frequent category, without marks"),
]
DropOption = Annotated[
    list[str] | None, typer.Option(help="Columns to ignore, separated by commas; can be given several times")
]
UseOption = Annotated[
    list[str] | None,
    typer.Option(help="Keep these columns, even if they are identifiers, constant or nearly empty"),
]
MaxCategoriesOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Maximum number of categories per column; rarer ones become zeros (default: 50 for columns with many)",
    ),
]
PlainOption = Annotated[
    bool, typer.Option("--plain", help="Train a plain network: 32 and 16 ReLU units, Adam, early stopping")
]
EpochsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        show_default=False,
        help=f"Number of epochs; plain: the maximum (default: up to {CLASSIFICATION.most_epochs} for classes, "
        f"{REGRESSION.most_epochs} for numbers; plain: 200)",
    ),
]
DatesOption = Annotated[
    str | None,
    typer.Option(help="Order in dates such as 05/01/2024 and 05.01.24: day-first, month-first or year-first"),
]
StreamOption = Annotated[
    bool | None,
    typer.Option(
        "--stream/--no-stream",
        help="Parquet: read the rows in blocks, never all into memory (default: for folders, and files from 512 MB)",
        show_default=False,
    ),
]


@functools.cache
def default_rates() -> str:
    """Return the default learning rate of each optimizer as text."""
    names: dict[float, list[str]] = {}
    for name in OPTIMIZER_NAMES:
        rate = getattr(optimizer_named(name), "lr", None)
        if rate is not None:  # L-BFGS has none
            names.setdefault(rate, []).append(name)
    return "; ".join(f"{rate:g} for {', '.join(group)}" for rate, group in names.items())


def show_version(is_requested: bool) -> None:
    """Print the version and exit."""
    if is_requested:
        output.print(f"workings {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit")
    ] = False,
) -> None:
    """Neural networks that show their workings."""


@app.command()
def run(
    experiment: Annotated[str, typer.Argument(help=f"Tutorial network: {', '.join(NETWORKS)}, or all")],
    out: Annotated[Path, typer.Option(help="Output folder; each experiment gets a subfolder")] = Path("workings-runs"),
    data: Annotated[
        Path | None, typer.Option(help="mnist only: Kaggle's train.csv, or a folder with the four IDX files")
    ] = None,
    fetch: Annotated[
        bool, typer.Option(help="mnist only: let scikit-learn download the full set from openml.org")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=LARGEST_SEED,
            help="Random seed (default: the tutorial's own; figures are compared only with the tutorial's seed)",
        ),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="Engine: auto, reference (NumPy), compiled (machine code) or jax (GPU)")
    ] = "auto",
) -> None:
    """Train the networks of four tutorials; write a report with plots, and compare with published results.

    Exit code 1: at least one measured figure differs from its reference, or a report could not be completed.
    """
    found: dict[str, list[Figure]] = {}
    problems: list[ReportError] = []
    with plain_errors(), progress_bars() as progress:
        if experiment not in (*NETWORKS, "all"):
            raise unknown_name("experiment", experiment, (*NETWORKS, "all"))
        names = NETWORKS if experiment == "all" else [experiment]
        if "mnist" not in names and (data is not None or fetch):
            raise InputError(f"--{'fetch' if fetch else 'data'} is only for mnist, not for {experiment}: leave it out.")
        for name in names:
            writable_folder(out / name)
        for name in names:
            show = functools.partial(progress_bar, progress, name)
            settings = ExperimentSettings(out / name, seed, engine, data, show, fetch)
            began = time.monotonic()
            try:
                found[name] = importlib.import_module(f"workings.experiments.{name}").run(settings)
            except ReportError as error:
                problems.append(error)
            if name in found and not console.is_terminal:
                console.print(summary_of_run(name, found[name], time.monotonic() - began), highlight=False)
    for name, figures in found.items():
        output.print(figures_table(name, figures), "")
    for name in found:
        output.print(f"report  {out / name / 'report.html'}", highlight=False, soft_wrap=True)
    differing = [
        f"{name}: {figure.name}" for name, figures in found.items() for figure in figures if figure.agrees is False
    ]
    if differing:
        console.print(f"{len(differing)} figures differ: {'; '.join(differing)}", style="bold red", highlight=False)
    for problem in problems:
        console.print("error:", problem, highlight=False, soft_wrap=True)
    if differing or problems:
        raise typer.Exit(1)


def summary_of_run(name: str, figures: Sequence[Figure], seconds: float) -> str:
    """Return the line that reports the end of an experiment where no progress bar is shown.

    >>> summary_of_run("xor", [Figure("cost", 0.5, None, 0.5), Figure("rows", None, None, 4.0)], 2.04)
    'xor: done in 2.0 s, 1 of 1 compared figure agrees'
    """
    compared = [figure.agrees for figure in figures if figure.agrees is not None]
    verb = "agrees" if len(compared) == 1 else "agree"
    return f"{name}: done in {seconds:.1f} s, {sum(compared)} of {count_of(len(compared), 'compared figure')} {verb}"


def progress_bar(progress: Progress, name: str, what: str, epochs: int, *, keep_result: bool = False) -> Callback:
    """Return a callback that shows a progress bar for one training."""
    task = progress.add_task(visible(f"{name}: {what}"), total=epochs, visible=False, metrics="")
    return ProgressBar(progress, task, epochs // 200, keep_result=keep_result)


@app.command()
def train(
    file: Annotated[Path, typer.Argument(parser=path, help="CSV, Excel or Parquet file with one sample per row")],
    context: typer.Context,
    target: Annotated[str, typer.Option("--target", "-t", help="Column to predict")],
    out: Annotated[
        Path | None,
        typer.Option(help="Output folder for the model and the report (default: workings-runs/FILE-TARGET)"),
    ] = None,
    plain: PlainOption = False,
    time: Annotated[
        str | None,
        typer.Option(help="Recipe only: about how long to train, such as 60s or 5m (default: all its epochs)"),
    ] = None,
    ensemble: Annotated[
        int | None,
        typer.Option(min=1, help="Recipe only: number of networks, merged into one (default: 4; with --script 1)"),
    ] = None,
    embed: Annotated[
        str | None,
        typer.Option(help=f"Recipe only: embedding of the columns ({' or '.join(EMBEDDINGS)}; default: none)"),
    ] = None,
    transform: Annotated[
        str,
        typer.Option(
            help="Recipe only: transform of a numeric target (none, log or quantile; auto: log if positive and skewed)"
        ),
    ] = "auto",
    hidden: Annotated[
        str, typer.Option(help="Plain: units of each hidden layer, separated by commas (empty: no hidden layers)")
    ] = "32,16",
    activation: Annotated[str, typer.Option(help="Plain: activation function of the hidden layers")] = "relu",
    loss: Annotated[
        str, typer.Option(help="Plain: loss, or auto: CrossEntropy for classification, SquaredError for regression")
    ] = "auto",
    optimizer: Annotated[str, typer.Option(help=f"Plain: optimizer ({', '.join(OPTIMIZER_NAMES)})")] = "adam",
    lr: Annotated[float | None, typer.Option(help=f"Plain: learning rate (default: {default_rates()})")] = None,
    epochs: EpochsOption = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=0, help="Plain: batch size, in rows (0: full batch; default: 32, for lbfgs the full batch)"),
    ] = None,
    validation: Annotated[float, typer.Option(help="Fraction of the rows used for validation (0: none)")] = 0.2,
    test: Annotated[
        float, typer.Option(help="Fraction of the rows used only to score the trained network (0: none)")
    ] = 0.0,
    group: Annotated[
        str | None,
        typer.Option(
            help="Column of groups, such as patients: rows of a group stay together; the column is no feature"
        ),
    ] = None,
    time_order: Annotated[
        str | None, typer.Option(help="Column of times: the latest rows become test and validation rows")
    ] = None,
    folds: Annotated[
        int, typer.Option(help="Number of folds of a cross-validation, whose predictions are written (0: none)")
    ] = 0,
    patience: Annotated[
        int,
        typer.Option(min=0, help="Plain: epochs without a better validation loss before training ends"),
    ] = 20,
    l2: Annotated[float, typer.Option(min=0, help="Plain: L2 penalty λ, as in λ/2 · sum of the squared weights")] = 0.0,
    dropout: Annotated[float, typer.Option(min=0, help="Plain: dropout rate of each hidden layer, below 1")] = 0.0,
    balanced: Annotated[bool, typer.Option(help="Weight classes inversely to their frequency")] = False,
    missing: MissingOption = None,
    impute: ImputeOption = False,
    drop: DropOption = None,
    use: UseOption = None,
    max_categories: MaxCategoriesOption = None,
    dates: DatesOption = None,
    task: Annotated[str, typer.Option(help="Task: auto, classification or regression")] = "auto",
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Random seed")] = 0,
    engine: Annotated[
        str, typer.Option(help="Engine: auto, reference (NumPy), compiled (machine code) or jax (GPU)")
    ] = "auto",
    script: Annotated[
        Path | None, typer.Option(help="Also write the training as a Python script that needs only NumPy")
    ] = None,
    stream: StreamOption = None,
    decimal: DecimalOption = None,
    delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    sheet: SheetOption = None,
) -> None:
    """Train a network on a table; write the model and a report.

    By default, the recipe for tables chooses the network and its training (see docs/tables.md). An option that
    is marked "Plain" trains a plain network instead, which these options describe; `--plain` does so with their
    defaults.

    Exit code 1: the model was written, but its report could not be completed.

    Example: `workings train flowers.csv --target species --script training.py`
    """
    plan = Plan(
        hidden=hidden,
        activation=activation,
        loss=loss,
        optimizer=optimizer,
        lr=lr,
        epochs=epochs,
        batch_size=32 if batch_size is None else batch_size or None,
        validation=validation or None,
        patience=patience,
        l2=l2,
        dropout=dropout,
        balanced=balanced,
        seed=seed,
        engine=engine,
        test=test,
        group=group,
        time_order=time_order,
        folds=folds,
        recipe=not (plain or given_plain_options(context)),
        ensemble=1 if script is not None and ensemble is None else ensemble,
        embed=embed,
        transform=transform,
    )
    stem = re.sub(r"[^\w.-]+", "_", f"{file.stem}-{target}")
    folder = out or Path("workings-runs") / stem
    with plain_errors():
        refuse_for_lbfgs(optimizer, lr, batch_size)
        plan = with_recipe_options(plan, time, context)
        if folds < 0 or folds == 1:
            raise InputError(f"--folds is 0 for none, or at least 2, not {folds}.")
        choices = column_choices(missing, impute, drop, use, max_categories, dates)
        reading = TextOptions(decimal, delimiter, encoding, sheet)
        train_and_report(TableSource(file, target, task, choices, reading), plan, folder, script, stream)


def train_and_report(source: TableSource, plan: Plan, folder: Path, script: Path | None, stream: bool | None) -> None:
    """Train on a table and print the summary; exit with 1 if the report could not be completed."""
    trainer = table_streams.train if table_streams.is_streamed(source.file, stream) else table_models.train
    with progress_bars() as progress:
        bar = functools.partial(progress_bar, progress, source.file.name, "training", keep_result=True)
        text, problem = trainer(source, plan, folder, bar, script)
    output.print(text, highlight=False, soft_wrap=True, markup=False)
    if problem is not None:
        console.print("error:", problem, highlight=False, soft_wrap=True)
        raise typer.Exit(1)


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(parser=path, help="CSV, Excel or Parquet file with one sample per row")],
    target: Annotated[str, typer.Option("--target", "-t", help="Column to predict")],
    out: Annotated[
        Path | None, typer.Option(help="Output folder (default: workings-sweeps/FILE-TARGET); results in it are kept")
    ] = None,
    hidden: Annotated[
        str, typer.Option(help="Networks to try, separated by commas; several hidden layers as 32x16")
    ] = "16,32,64,32x16",
    lr: Annotated[str, typer.Option(help="Learning rates: values such as 0.01,0.1, or a range 1e-3..1e-1")] = "",
    l2: Annotated[str, typer.Option(help="L2 penalties: values or a range")] = "",
    dropout: Annotated[str, typer.Option(help="Dropout rates: values or a range")] = "",
    activation: Annotated[str, typer.Option(help="Activations of the hidden layers")] = "relu",
    optimizer: Annotated[str, typer.Option(help=f"Optimizers: {', '.join(OPTIMIZER_NAMES[:-1])}")] = "adam",
    batch_size: Annotated[str, typer.Option(help="Batch sizes: values or a range")] = "32",
    samples: Annotated[
        int | None,
        typer.Option(min=1, help="Number of random combinations (default: all; 32 if there is a range)"),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Random seeds with which each combination is trained")] = "0",
    halving: Annotated[
        int | None, typer.Option(min=2, help="Successive halving: keep the best 1/N, train N times as long, and so on")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Number of processes")] = 1,
    recipe: Annotated[
        bool, typer.Option(help="Also train the recipe for tables, which `workings train` uses, and compare the scores")
    ] = True,
    loss: Annotated[str, typer.Option(help="Loss, or auto")] = "auto",
    epochs: Annotated[int, typer.Option(min=1, help="Maximum number of epochs")] = 200,
    validation: Annotated[float, typer.Option(help="Fraction of the rows used for validation")] = 0.2,
    patience: Annotated[
        int, typer.Option(min=0, help="Early stopping: epochs without a better validation loss before training ends")
    ] = 20,
    balanced: Annotated[bool, typer.Option(help="Weight classes inversely to their frequency")] = False,
    missing: MissingOption = None,
    impute: ImputeOption = False,
    drop: DropOption = None,
    use: UseOption = None,
    max_categories: MaxCategoriesOption = None,
    dates: DatesOption = None,
    task: Annotated[str, typer.Option(help="Task: auto, classification or regression")] = "auto",
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the validation rows and of random combinations")
    ] = 0,
    engine: Annotated[str, typer.Option(help="Engine: auto, reference (NumPy) or compiled (machine code)")] = "auto",
    decimal: DecimalOption = None,
    delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    sheet: SheetOption = None,
) -> None:
    """Train networks with many settings on a table; rank them, and train the best again.

    A sweep that was interrupted continues with the same command.

    Example: `workings sweep flowers.csv --target species --hidden 8,32x16 --lr 1e-3..1e-1 --jobs 2`
    """
    plan = Plan(
        hidden="",
        activation="relu",
        loss=loss,
        optimizer="adam",
        lr=None,
        epochs=epochs,
        batch_size=32,
        validation=validation or None,
        patience=patience,
        l2=0.0,
        dropout=0.0,
        balanced=balanced,
        seed=seed,
        engine=engine,
    )
    options = {
        "hidden": hidden,
        "activation": activation,
        "optimizer": optimizer,
        "batch_size": batch_size,
        "lr": lr,
        "l2": l2,
        "dropout": dropout,
    }
    stem = re.sub(r"[^\w.-]+", "_", f"{file.stem}-{target}")
    with plain_errors():
        choices = column_choices(missing, impute, drop, use, max_categories, dates)
        source = TableSource(file, target, task, choices, TextOptions(decimal, delimiter, encoding, sheet))
        text = sweep_table(
            source, plan, {name: text for name, text in options.items() if text},
            out or Path("workings-sweeps") / stem, seeds=seeds, samples=samples, halving=halving, jobs=jobs,
            with_recipe=recipe,
            progress=lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True),
        )  # fmt: skip
        output.print(text, highlight=False, soft_wrap=True, markup=False)


def given_plain_options(context: typer.Context) -> list[str]:
    """Return the given options that describe a plain network."""
    sources = {name: context.get_parameter_source(name) for name in PLAIN_OPTIONS if name in context.params}
    return [
        f"--{name.replace('_', '-')}" for name, source in sources.items() if source and source.name == "COMMANDLINE"
    ]


def with_recipe_options(plan: Plan, time: str | None, context: typer.Context) -> Plan:
    """Return a plan with the time to train; raise for options of the recipe that a plain network does not have."""
    found = [] if time is None else ["--time"]
    found += ["--ensemble"] if (plan.ensemble or 1) > 1 else []
    found += ["--embed"] if plan.embed else []
    found += ["--transform"] if plan.transform != "auto" else []
    if plan.embed is not None and plan.embed not in EMBEDDINGS:
        raise unknown_name("embedding", plan.embed, EMBEDDINGS)
    if plan.transform not in TRANSFORMS:
        raise unknown_name("transform of the target", plan.transform, TRANSFORMS)
    if found and not plan.recipe:
        reason = ", ".join(given_plain_options(context)) or "--plain"
        verb = "work" if len(found) > 1 else "works"
        raise InputError(
            f"{' and '.join(found)} {verb} only with the recipe for tables, but {reason} trains a plain network: leave "
            f"out one of the two."
        )
    return plan if time is None else replace(plan, time=seconds_of(time))


def seconds_of(text: str) -> float:
    """Return a time such as 90, 60s, 1.5m or 1h in seconds.

    >>> seconds_of("60s"), seconds_of("1.5m"), seconds_of("90")
    (60.0, 90.0, 90.0)
    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in SECONDS else (text, "s")
    try:
        seconds = float(number) * SECONDS[unit]
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InputError(f"--time is a time above 0, such as 60s, 5m or 1h, not {text!r}.")
    return seconds


def refuse_for_lbfgs(optimizer: str, lr: float | None, batch_size: int | None = None) -> None:
    """Raise for options that L-BFGS does not use: SciPy chooses its steps, each on all rows."""
    if optimizer.lower() == "lbfgs":
        refuse("--lr", lr, "L-BFGS chooses the length of its steps itself")
        refuse("--batch-size", batch_size or None, "each step of L-BFGS uses all rows")


def column_names(options: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names in options that each hold one or more column names, separated by commas."""
    return tuple(name for names in options or () for name in names.split(","))


def column_choices(
    missing: str | None,
    impute: bool,
    drop: Sequence[str] | None,
    use: Sequence[str] | None,
    max_categories: int | None,
    dates: str | None,
) -> ColumnChoices:
    """Return the options of a table's columns as one object."""
    gaps = treatment_of_gaps(impute, missing)
    return ColumnChoices(gaps, column_names(drop), column_names(use), max_categories, dates)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(parser=path, help="Model file, as written by `workings train`")],
    file: Annotated[
        Path, typer.Argument(parser=path, help="CSV, Excel or Parquet file with the columns the model was trained on")
    ],
    out: Annotated[
        Path | None, typer.Option(help="CSV or Parquet file for the predictions (default: standard output)")
    ] = None,
    unknown: Annotated[
        str,
        typer.Option(help="Categories not seen in training: error, or ignore (encoded as all zeros)"),
    ] = "error",
    keep: Annotated[
        list[str] | None, typer.Option(help="Columns of the table to copy before the predictions, separated by commas")
    ] = None,
    intervals: Annotated[
        float | None,
        typer.Option(help="Regression: also write lower and upper, between which this share of the values should lie"),
    ] = None,
    why: Annotated[
        int | None,
        typer.Option(
            min=1,
            show_default=False,
            help="Row, from 1: print what each of its columns adds to the prediction, in place of the predictions",
        ),
    ] = None,
    decimal: DecimalOption = None,
    delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    sheet: SheetOption = None,
    stream: StreamOption = None,
) -> None:
    """Predict each row of a table: labels with probabilities, or numbers.

    Example: `workings predict workings-runs/flowers-species/model.safetensors new.csv --out predictions.csv`
    """
    with plain_errors():
        reading = TextOptions(decimal, delimiter, encoding, sheet)
        chosen = column_names(keep)
        if table_streams.is_streamed(file, stream):
            table_streams.refuse_in_prediction(chosen, intervals, why)
            output.print("\n".join(table_streams.predict(model, file, out, unknown)), highlight=False, soft_wrap=True)
            return
        predictions, lines, reasons = table_models.predict(model, file, out, unknown, reading, chosen, intervals, why)
        for line in lines:
            console.print(line, highlight=False, markup=False)
        if reasons:
            output.print("\n".join(reasons), highlight=False, markup=False, soft_wrap=True)
        if out is None and why is not None:
            return
        if out is None:
            write_out(predictions.write_csv())
        else:
            output.print(f"{predictions.height:,} predictions written to {out}", highlight=False, soft_wrap=True)


@app.command()
def summary(
    model: Annotated[Path, typer.Argument(parser=path, help="Model file")],
    program: Annotated[bool, typer.Option(help="Also show every statement of a training step")] = False,
) -> None:
    """Show a model's layers with their shapes and parameter counts, its classes, and the columns it needs."""
    with plain_errors():
        network = table_models.load_model(model)
        lines = [network.summary()]
        if network.classes is not None:
            lines.append(f"classes: {', '.join(map(str, network.classes.tolist()))}")
        if network.preprocessing is not None:
            preprocessing = table_models.load_preprocessing(network)
            lines += [preprocessing.describe(), *table_models.column_lines(preprocessing)]
        if program:
            lines += ["", str(network.program())]
        output.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def load_task(experiment: str, seed: int | None) -> Task:
    """Return the untrained network, the data and the settings of an experiment."""
    task: Task = importlib.import_module(f"workings.experiments.{experiment}").task(seed)
    return task


@app.command()
def explain(
    what: Annotated[str, typer.Argument(help=f"Experiment ({', '.join(NETWORKS)}) or model file")],
    rows: Annotated[
        Path | None,
        typer.Argument(help="Model only: table with the model's columns, or .npz file with arrays X and y"),
    ] = None,
    row: Annotated[
        int | None,
        typer.Option(min=0, help="Index of the row to show in numbers, from 0"),
    ] = None,
    unit: Annotated[int, typer.Option(min=0, help="Index of the unit to show in each layer, from 0")] = 0,
    batch: Annotated[
        int,
        typer.Option(
            min=0,
            show_default=False,
            help="Batch size, in rows (default: the experiment's, at most 256; 8 for a model)",
        ),
    ] = 0,
    why: Annotated[
        str | None, typer.Option(help="Trace how one weight, such as W1[0,2], affects the loss along every path")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write an HTML page to this file")] = None,
    tex: Annotated[Path | None, typer.Option(help="Write a LaTeX document to this file")] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(help=f"Optimizer: {', '.join(OPTIMIZER_NAMES)} (default: the experiment's; sgd for a model)"),
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help=f"Learning rate (default: the experiment's; for a model {default_rates()})")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=LARGEST_SEED, help="Experiment only: random seed (default: the tutorial's)")
    ] = None,
) -> None:
    """Show one training step in equations, shapes and numbers; check each gradient by finite differences.

    For an experiment, the step starts from the initial weights; for a model, from its saved weights.

    Example: `workings explain moons --html moons.html`
    """
    with plain_errors():
        is_experiment = what in NETWORKS
        if is_experiment:
            refuse("ROWS", rows, "an experiment has its own rows")
            network, X, y, batch, step_optimizer = experiment_step(what, seed, batch, optimizer, lr)
        else:
            refuse("--seed", seed, "a model file has its weights already")
            network = load_network(what)
            X, y = table_models.load_rows(network, rows)
            batch, step_optimizer = batch or 8, optimizer_named(optimizer or "sgd", lr)
        if row is not None and row >= len(X):
            raise InputError(f"There is no row {row}: the data have {len(X):,} rows, counted from 0.")
        indices = batch_rows(len(X), batch, row, spread=not is_experiment)
        at = None if row is None else indices.index(row)
        explanation = network.explain(X[indices], y[indices], row=at, unit=unit, optimizer=step_optimizer, why=why)
        console.print(f"the step uses {format_rows(indices)} of {len(X):,}", highlight=False)
        for path in (html, tex):
            if path is not None:
                output.print(f"written  {explanation.save(path)}", highlight=False, soft_wrap=True)
        if html is None and tex is None:
            output.print(str(explanation), highlight=False, markup=False, soft_wrap=True)


def experiment_step(
    name: str, seed: int | None, batch: int, optimizer: str | None, lr: float | None
) -> tuple[Network, Any, Any, int, Any]:
    """Return what one step of an experiment needs: network, X, y, batch size and optimizer."""
    task = load_task(name, seed)
    batch = batch or min(task.recipe.batch_size or 256, 256)
    if optimizer is not None:
        return task.network, task.X, task.y, batch, optimizer_named(optimizer, lr)
    usual = cast(Part, task.recipe.optimizer)  # no experiment uses L-BFGS
    return task.network, task.X, task.y, batch, usual if lr is None else with_rate(usual, lr)


def batch_rows(n: int, batch: int, row: int | None, *, spread: bool) -> list[int]:
    """Return the indices of the rows in a step: the batch that holds ``row``, or rows spread evenly over the data.

    >>> batch_rows(100, 4, None, spread=True), batch_rows(100, 4, 9, spread=True)
    ([0, 33, 66, 99], [8, 9, 10, 11])
    """
    if spread and row is None and n > batch:
        return [round(k * (n - 1) / max(batch - 1, 1)) for k in range(batch)]
    start = (row or 0) // batch * batch
    return list(range(start, min(start + batch, n)))


def format_rows(indices: Sequence[int]) -> str:
    """Format row indices as a range or a list.

    >>> format_rows([3, 4, 5]), format_rows([0, 33])
    ('rows 3 to 5', 'rows 0, 33')
    """
    if list(indices) == list(range(indices[0], indices[-1] + 1)):
        return f"rows {indices[0]} to {indices[-1]}"
    return f"rows {', '.join(map(str, indices))}"


def refuse(name: str, value: object, reason: str) -> None:
    """Raise an error if an argument that would have no effect was given."""
    if value is not None:
        raise InputError(f"{name} is {value!s}, but {reason}: leave it out.")


def load_network(what: str) -> Network:
    """Load a model file; raise a helpful error for a table, or for a misspelt experiment."""
    if Path(what).suffix.lower() in READERS:
        raise InputError(f"{what} is a table: train a model first (workings train), then pass its model.safetensors.")
    if not Path(what).exists() and not Path(what).suffix:
        raise unknown_name("experiment or model file", what, NETWORKS)
    return table_models.load_model(Path(what))


@app.command()
def script(
    what: Annotated[str, typer.Argument(help=f"Model file or experiment ({', '.join(NETWORKS)})")],
    out: Annotated[Path | None, typer.Option(help="File to write (default: standard output)")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=LARGEST_SEED, help="Experiment only: random seed (default: the tutorial's)")
    ] = None,
    language: Annotated[
        str,
        typer.Option(help=f"Language of the script: {' or '.join(LANGUAGES)}; JavaScript gets no rows"),
    ] = "python",
) -> None:
    """Write a network as one Python script that needs only NumPy, or as one JavaScript module.

    The script of an experiment contains its training. The script of a model only predicts; if the model was trained on
    a table, it takes the table's columns. Large data and weights are written to files next to the script.

    Example: `workings script moons --out moons.py`
    """
    with plain_errors():
        settings: dict[str, Any] = {}
        if what in NETWORKS:
            task = load_task(what, seed)
            network = task.network.build(task.X.shape[1], task.X.dtype)
            settings = task.script_settings
        else:
            refuse("--seed", seed, "a model file has its weights already")
            network = load_network(what)
        if language != "python":
            settings.pop("data", None)
            write_script(network.script(language=language, **settings), out)
            return
        if out is None:
            write_out(network.script(**settings))
            return
        for path in save_script(network, out, **settings):
            output.print(f"written  {path}", highlight=False, soft_wrap=True)


def write_script(text: str, out: Path | None) -> None:
    """Write a script that is one file, or print it."""
    if out is None:
        write_out(text)
        return
    write_bytes(out, text.encode())
    output.print(f"written  {out}", highlight=False, soft_wrap=True)


@app.command()
def doctor(
    context: typer.Context,
    what: Annotated[
        str, typer.Argument(help=f"Experiment ({', '.join(NETWORKS)}), model file, or CSV, Excel or Parquet file")
    ],
    table: Annotated[
        Path | None, typer.Argument(help="Model only: table with the columns the model was trained on")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", "-t", help="Table only: column to predict")] = None,
    plain: PlainOption = False,
    hidden: Annotated[
        str, typer.Option(help="Plain network: units of each hidden layer, separated by commas")
    ] = "32,16",
    activation: Annotated[str, typer.Option(help="Plain network: activation function of the hidden layers")] = "relu",
    optimizer: Annotated[str, typer.Option(help=f"Plain network: optimizer ({', '.join(OPTIMIZER_NAMES)})")] = "adam",
    lr: Annotated[float | None, typer.Option(help=f"Plain network: learning rate (default: {default_rates()})")] = None,
    epochs: EpochsOption = None,
    missing: MissingOption = None,
    impute: ImputeOption = False,
    drop: DropOption = None,
    use: UseOption = None,
    max_categories: MaxCategoriesOption = None,
    dates: DatesOption = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=LARGEST_SEED, help="Experiment or table: random seed (default: the tutorial's; 0 for a table)"
        ),
    ] = None,
    decimal: DecimalOption = None,
    delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    sheet: SheetOption = None,
) -> None:
    """Diagnose a network, its data and its training; advise one change for each problem.

    `workings doctor moons` trains the network of a tutorial and diagnoses it.

    `workings doctor flowers.csv --target species` trains as `workings train` does and diagnoses the result. Options
    of a plain network, such as --hidden, train one instead of the recipe.

    `workings doctor model.safetensors new.csv` diagnoses a model on the rows of a table. Without a table, it checks
    only the model's program and layers.

    Exit code 1: at least one problem was found. Advice does not count as a problem.
    """
    with plain_errors():
        if what in NETWORKS:
            refuse("TABLE", table, "an experiment has its own rows")
            diagnosis = diagnose_experiment(what, seed)
        elif Path(what).suffix.lower() in files.READERS:
            refuse("--target", target, "a model file stores its target")
            refuse("--seed", seed, "a model file has its weights already")
            reading = TextOptions(decimal, delimiter, encoding, sheet)
            diagnosis = table_models.diagnose_model(Path(what), table, reading)
        elif not Path(what).exists() and not Path(what).suffix:
            raise unknown_name("experiment, model file or table", what, NETWORKS)
        elif target is None:
            raise InputError(f"{what} is read as a table: name the column to predict with --target.")
        else:
            refuse_for_lbfgs(optimizer, lr)
            plan = doctor_plan(hidden, activation, optimizer, lr, epochs, seed or 0)
            plan = replace(plan, recipe=not (plain or given_plain_options(context)))
            choices = column_choices(missing, impute, drop, use, max_categories, dates)
            source = TableSource(Path(what), target, "auto", choices, TextOptions(decimal, delimiter, encoding, sheet))
            diagnosis = diagnose_table(TableTerms(source, plan))
        print_diagnosis(diagnosis)
    if not diagnosis.ok:
        raise typer.Exit(1)


def doctor_plan(
    hidden: str,
    activation: str,
    optimizer: str,
    lr: float | None,
    epochs: int | None,
    seed: int,
) -> Plan:
    """Return the plan of a training to diagnose; everything else has the defaults of ``workings train``."""
    return Plan(
        hidden=hidden,
        activation=activation,
        loss="auto",
        optimizer=optimizer,
        lr=lr,
        epochs=epochs,
        batch_size=32,
        validation=0.2,
        patience=20,
        l2=0.0,
        dropout=0.0,
        balanced=False,
        seed=seed,
        engine="auto",
    )


def diagnose_table(terms: TableTerms) -> Diagnosis:
    """Train a network on a table, print its scores, and diagnose it."""
    with progress_bars() as progress:
        trained = table_models.train_on_table(
            terms.source,
            replace(terms.plan, ensemble=1),
            lambda epochs: progress_bar(progress, str(terms.source.file), "training", epochs),
        )
    output.print(trained.summary, "\n", highlight=False, soft_wrap=True, markup=False)
    return table_models.diagnose_training(trained, terms)


def diagnose_experiment(name: str, seed: int | None) -> Diagnosis:
    """Train the network of a tutorial as the tutorial intended, and diagnose it."""
    module = importlib.import_module(f"workings.experiments.{name}")
    task = getattr(module, "design", module.task)(seed)
    with progress_bars() as progress:
        callback = progress_bar(progress, name, "training", task.recipe.epochs)
        try:
            history = task.train([callback])
        except DivergenceError as error:
            history = error.history
    history.opening = (
        f"from workings.experiments import {name}\n"
        f"task = {name}.{'design' if hasattr(module, 'design') else 'task'}({'' if seed is None else seed})\n"
        f"net, X, y = task.network, task.X, task.y"
    )
    found: Diagnosis = task.network.diagnose(task.X, task.y, history)
    return found


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """Print a diagnosis."""
    output.print(str(diagnosis), highlight=False, soft_wrap=True, markup=False)


@app.command()
def museum(
    mistake: Annotated[str | None, typer.Argument(help="Mistake to show (default: list all mistakes)")] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Data set: moons, circles, spirals, digits, waves, friedman or hills "
            "(default: the first that suits the mistake)"
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Random seed of the data and the initial weights")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for a plot of both loss curves")] = None,
) -> None:
    """Show a common mistake next to the correct network: the wrong line, the loss, the diagnosis and the fix.

    Example: `workings museum softmax-axis --data moons --out pictures`
    """
    with plain_errors():
        if mistake is None:
            output.print(museum_table())
            output.print(
                "\nworkings museum softmax-axis shows this mistake next to the correct network.",
                highlight=False,
            )
            return
        exhibit = show(mistake, data, seed)
        shown = exhibit.mistake
        lines = [f"wrong  {wrong}\nright  {right}" for wrong, right in exhibit.lines]
        head = f"{shown.title} ({shown.name}), on {exhibit.room}"
        text = [head, "", shown.what, f"Source: {shown.source}.", "", *lines, ""]
        output.print("\n".join(text), highlight=False, soft_wrap=True, markup=False)
        output.print(curves_table(exhibit))
        output.print(f"\n{exhibit.heading}:\n", highlight=False)
        output.print(exhibit.told, highlight=False, soft_wrap=True, markup=False)
        output.print(f"\nHow to fix it: {shown.mend}", highlight=False, soft_wrap=True, markup=False)
        if out is not None:
            output.print(f"plot  {exhibit.draw(out)}", highlight=False, soft_wrap=True)


@app.command()
def translate(
    what: Annotated[str, typer.Argument(help="Model file, or settings in quotation marks, as in the example")],
    to: Annotated[str, typer.Option(help="Target library: sklearn, keras or torch")],
    optimizer: Annotated[
        str | None,
        typer.Option(help=f"Optimizer: {', '.join(OPTIMIZER_NAMES)} (default: from the settings, else adam)"),
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help=f"Learning rate (default: from the settings, else {default_rates()})")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Number of epochs (default: from the settings, else 100)")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=0, help="Batch size, in rows (0: full batch; default: from the settings, else 32)")
    ] = None,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Number of training rows, on which scikit-learn's alpha may depend")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Initial weights: draw (default), or given: the code reads them from a mapping"),
    ] = None,
    sample_weight: Annotated[
        bool | None, typer.Option("--sample-weight", help="Write code that takes sample weights")
    ] = None,
    class_weight: Annotated[
        str | None,
        typer.Option(help="Class weights: balanced; for other weights, write class_weight={'a': 2} in the settings"),
    ] = None,
    validation: Annotated[
        bool | None, typer.Option("--validation", help="Write code that validates on X_val and y_val")
    ] = None,
) -> None:
    """Translate a network and its training to another library, with a comment on each difference in convention.

    A model file does not store how it was trained: give `--optimizer` and `--batch-size`. Options override settings.

    Example: `workings translate "SGD(0.1); L2(1e-4); Dense(9, 'tanh'), Dense(3); CrossEntropy()" --to sklearn`
    """
    with plain_errors():
        network, settings = described_or_loaded(what)
        if optimizer is not None or lr is not None or "optimizer" not in settings:
            settings["optimizer"] = choose_optimizer(settings.get("optimizer"), optimizer, lr)
        options = {
            "epochs": epochs,
            "rows": rows,
            "weights": weights,
            "sample_weight": sample_weight,
            "class_weight": class_weight,
            "validation": validation,
        }
        settings |= {name: value for name, value in options.items() if value is not None}
        settings |= {} if batch_size is None else {"batch_size": batch_size or None}
        output.print(str(network.translate(to, **settings)), highlight=False, markup=False, soft_wrap=True, end="")


def choose_optimizer(from_settings: Any, name: str | None, lr: float | None) -> Any:
    """Return the optimizer of the options, or the optimizer of the settings with another learning rate."""
    if name is not None or from_settings is None:
        return optimizer_named(name or "adam", lr)
    if not hasattr(from_settings, "lr"):
        raise InputError(
            f"--lr goes with --optimizer, or with an optimizer that has a learning rate; {from_settings!r} has none."
        )
    return replace(from_settings, lr=lr)


@app.command()
def export(
    model: Annotated[Path, typer.Argument(parser=path, help="Model file: .safetensors, .json or .onnx")],
    out: Annotated[
        Path,
        typer.Argument(
            help="File to write; its extension sets the format: .onnx, .c, .json, .py, .pt, .keras or .safetensors"
        ),
    ],
    int8: Annotated[
        bool, typer.Option(help="C only: store the weights as int8, and report how the predictions change")
    ] = False,
    name: Annotated[str | None, typer.Option(help="C only: prefix of all names (default: the file's name)")] = None,
) -> None:
    """Export a model to another format, run the exported file, and compare its predictions with the model's.

    If the predictions differ, no file is written.

    Example: `workings export model.safetensors model.c`
    """
    with plain_errors():
        options = {key: value for key, value in (("int8", int8), ("name", name)) if value}
        if options and out.suffix.lower() != ".c":
            raise InputError(f"--{next(iter(options))} is only for C: use a file name that ends in .c.")
        network = table_models.load_model(model)
        with output.status(f"Writing {escape(str(out))}, running it and comparing its predictions …"):
            exported = files.save(network, out, **options)
        output.print(str(exported), highlight=False, markup=False, soft_wrap=True)


app.command()(play)
