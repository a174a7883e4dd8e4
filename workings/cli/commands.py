"""The commands of ``workings``: run, train, predict, summary, script, explain, doctor, museum, translate, export."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from workings import files
from workings.checks.evidence import with_rate
from workings.checks.findings import Diagnosis
from workings.cli import table_models
from workings.cli.described import described_or_loaded
from workings.cli.screen import Bar, bars, console, curves_table, figures_table, museum_table, output, plain_errors
from workings.cli.table_phrasing import TableTerms
from workings.cli.table_plan import Plan
from workings.errors import DivergenceError, InputError, unknown_name
from workings.experiments.figures import Figure
from workings.experiments.report import Settings
from workings.experiments.tasks import Task
from workings.museum.rooms import show
from workings.network import Network
from workings.optimizers import OPTIMIZER_NAMES, optimizer_named
from workings.readings.script import save_script
from workings.support.atomic_files import writable_folder
from workings.training.callbacks import Callback
from workings.version import __version__

app = typer.Typer(
    help="Workings: neural networks that show their workings.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_show_locals=False, rich_markup_mode="markdown",
)  # fmt: skip


NETWORKS = ("xor", "moons", "digits", "mnist")


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        output.print(f"workings {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Neural networks that show their workings."""


@app.command()
def run(
    experiment: Annotated[str, typer.Argument(help=f"Which experiment: {', '.join(NETWORKS)}; or all of them: all.")],
    out: Annotated[Path, typer.Option(help="Where the results go; each experiment gets a folder.")] = Path(
        "workings-runs"
    ),
    data: Annotated[
        Path | None, typer.Option(help="For mnist: Kaggle's train.csv, or a folder with the four IDX files.")
    ] = None,
    fetch: Annotated[
        bool, typer.Option(help="For mnist: let scikit-learn download the full set from openml.org.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Another seed; figures are compared only with the tutorials' own seeds.")
    ] = None,
    engine: Annotated[str, typer.Option(help="auto, reference (NumPy) or compiled (Numba).")] = "auto",
) -> None:
    """Train the tutorials' networks; write pictures, a report and the figures published / own code / measured.

    Exits with 1 if a figure does not agree.
    """
    found: dict[str, list[Figure]] = {}
    with plain_errors(), bars() as progress:
        if experiment not in (*NETWORKS, "all"):
            raise unknown_name("experiment", experiment, (*NETWORKS, "all"))
        names = NETWORKS if experiment == "all" else [experiment]
        for name in names:
            writable_folder(out / name)
        for name in names:
            settings = Settings(out / name, seed, engine, data, functools.partial(bar, progress, name), fetch)
            found[name] = importlib.import_module(f"workings.experiments.{name}").run(settings)
    for name, figures in found.items():
        output.print(figures_table(name, figures), "")
    for name in found:
        output.print(f"{name:<8} {out / name / 'report.html'}", highlight=False, soft_wrap=True)
    wrong = [
        f"{name}: {figure.name}" for name, figures in found.items() for figure in figures if figure.agrees is False
    ]
    if wrong:
        console.print(f"[bold red]{len(wrong)} figures do not agree:[/] {'; '.join(wrong)}")
        raise typer.Exit(1)


def bar(progress: Progress, name: str, what: str, epochs: int, *, go_on: bool = False) -> Callback:
    """A progress bar for one training."""
    task = progress.add_task(f"{name}: {what}", total=epochs, visible=False, numbers="")
    return Bar(progress, task, epochs // 200, go_on=go_on)


@app.command()
def train(
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file with one row for each sample.")],
    target: Annotated[str, typer.Option(help="The column to be predicted.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the model and the report; by default workings-runs/FILE-TARGET.")
    ] = None,
    hidden: Annotated[
        str, typer.Option(help="Units of the hidden layers, as in 32,16; an empty text for none.")
    ] = "32,16",
    activation: Annotated[str, typer.Option(help="Activation of the hidden layers.")] = "relu",
    loss: Annotated[
        str, typer.Option(help="auto: CrossEntropy for classes, SquaredError for numbers; or a loss.")
    ] = "auto",
    optimizer: Annotated[str, typer.Option(help=f"{', '.join(OPTIMIZER_NAMES)}.")] = "adam",
    lr: Annotated[float | None, typer.Option(help="Learning rate; by default what is usual for the optimizer.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="How often all rows are seen, at most.")] = 200,
    batch_size: Annotated[int, typer.Option(min=0, help="Rows in a step; 0 for all.")] = 32,
    validation: Annotated[float, typer.Option(help="Share of the rows to validate on; 0 for none.")] = 0.2,
    patience: Annotated[
        int, typer.Option(min=0, help="Stop after so many epochs without a better validation loss.")
    ] = 20,
    l2: Annotated[float, typer.Option(min=0, help="L2 regularization: l2/2 · sum of the squared weights.")] = 0.0,
    dropout: Annotated[float, typer.Option(min=0, help="Share of each hidden layer that is dropped.")] = 0.0,
    balanced: Annotated[bool, typer.Option(help="Make all classes count alike.")] = False,
    impute: Annotated[bool, typer.Option(help="Fill gaps (empty, NA, null, ?): medians, usual categories.")] = False,
    drop: Annotated[
        list[str] | None, typer.Option(help="Columns to leave out, as in Name,Cabin; may be given several times.")
    ] = None,
    task: Annotated[str, typer.Option(help="auto, classification or regression.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Where weights and orders come from.")] = 0,
    engine: Annotated[str, typer.Option(help="auto, reference (NumPy) or compiled (Numba).")] = "auto",
    script: Annotated[
        Path | None, typer.Option(help="Also write the training as a Python file that reads the CSV file with NumPy.")
    ] = None,
) -> None:
    """Train a network on a table; write the model and a report.

    Example: `workings train flowers.csv --target species --script training.py`
    """
    plan = Plan(
        hidden=hidden, activation=activation, loss=loss, optimizer=optimizer, lr=lr, epochs=epochs,
        batch_size=batch_size or None, validation=validation or None, patience=patience, l2=l2, dropout=dropout,
        balanced=balanced, seed=seed, engine=engine,
    )  # fmt: skip
    stem = re.sub(r"[^\w.-]+", "_", f"{file.stem}-{target}")
    folder = out or Path("workings-runs") / stem
    with plain_errors():
        with bars() as progress:
            trained = table_models.train(
                file, target, plan, folder, impute=impute, drop=left_out(drop), task=task,
                watch=lambda epochs: bar(progress, file.name, "training", epochs, go_on=True), script=script,
            )  # fmt: skip
        output.print(trained, highlight=False, soft_wrap=True, markup=False)


def left_out(drop: Sequence[str] | None) -> tuple[str, ...]:
    """The columns that are to be left out."""
    return tuple(name for names in drop or () for name in names.split(","))


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A model that `workings train` wrote.")],
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file with the columns that the model was trained on.")],
    out: Annotated[
        Path | None, typer.Option(help="A CSV or Parquet file for the predictions; by default standard output.")
    ] = None,
    unknown: Annotated[
        str, typer.Option(help="What a category not seen in training is: an error, or ignore (all zeros).")
    ] = "error",
) -> None:
    """Predict labels and probabilities, or numbers, for the rows of a table.

    Example: `workings predict workings-runs/flowers-species/model.safetensors new.csv --out predictions.csv`
    """
    with plain_errors():
        predictions, score = table_models.predict(model, file, out, unknown)
        if score:
            console.print(score, highlight=False)
        if out is None:
            typer.echo(predictions.write_csv(), nl=False)
        else:
            output.print(f"{predictions.height:,} predictions written to {out}", highlight=False, soft_wrap=True)


@app.command()
def summary(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    program: Annotated[bool, typer.Option(help="Show every statement of a training step, too.")] = False,
) -> None:
    """Show the layers of a model, their shapes and sizes, and what it expects of a table."""
    with plain_errors():
        network = table_models.model_at(model)
        lines = [network.summary()]
        if network.classes is not None:
            lines.append(f"classes: {', '.join(map(str, network.classes.tolist()))}")
        if network.preprocessing is not None:
            preprocessing = table_models.preprocessing_of(network)
            lines += [preprocessing.describe(), *table_models.columns_of(preprocessing)]
        if program:
            lines += ["", str(network.program())]
        output.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def task_of(experiment: str, seed: int | None) -> Task:
    """What an experiment trains."""
    task: Task = importlib.import_module(f"workings.experiments.{experiment}").task(seed)
    return task


@app.command()
def explain(
    what: Annotated[str, typer.Argument(help="An experiment (xor, moons, digits, mnist), or a model file.")],
    rows: Annotated[
        Path | None, typer.Argument(help="For a model: a table with its columns, or an .npz file that holds X and y.")
    ] = None,
    row: Annotated[
        int | None,
        typer.Option(min=0, help="The row that is written out, counted from 0; with --why the one that counts."),
    ] = None,
    unit: Annotated[int, typer.Option(min=0, help="The unit of each layer that is written out.")] = 0,
    batch: Annotated[
        int,
        typer.Option(
            min=0, show_default=False, help="Rows in the step; by default the experiment's batch (256 at most), or 8."
        ),
    ] = 0,
    why: Annotated[
        str | None, typer.Option(help="One weight, as in W1[0,2]: how it acts on the loss, path by path.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write it as a page for the browser.")] = None,
    tex: Annotated[Path | None, typer.Option(help="Write it as a LaTeX document.")] = None,
    optimizer: Annotated[
        str | None, typer.Option(help="sgd, momentum, adam …; by default the experiment's, or sgd.")
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate; by default what goes with the optimizer.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="For an experiment: another seed.")] = None,
) -> None:
    """Work one training step: each equation in words, shapes and numbers, beside each gradient its finite difference.

    An experiment is shown at its first weights, a model at those it has.

    Example: `workings explain moons --html moons.html`
    """
    chosen: Any
    with plain_errors():
        if what in NETWORKS:
            refuse("rows", rows, "an experiment has its own")
            task = task_of(what, seed)
            network, X, y = task.network, task.X, task.y
            batch = batch or min(task.settings["batch_size"] or 256, 256)
            chosen = task.settings["optimizer"] if optimizer is None else optimizer_named(optimizer, lr)
            chosen = with_rate(chosen, lr) if lr is not None and optimizer is None else chosen
        else:
            network = network_of(what)
            X, y = table_models.rows_for(network, rows)
            batch, chosen = batch or 8, optimizer_named(optimizer or "sgd", lr)
        if row is not None and row >= len(X):
            raise InputError(f"There is no row {row}: there are {len(X):,} rows, counted from 0.")
        places = rows_of_step(len(X), batch, row, spread=what not in NETWORKS)
        at = None if row is None else places.index(row)
        told = network.explain(X[places], y[places], row=at, unit=unit, optimizer=chosen, why=why)
        console.print(f"the step takes {told_rows(places)} of {len(X):,}", highlight=False)
        for path in (html, tex):
            if path is not None:
                output.print(f"written  {told.save(path)}", highlight=False, soft_wrap=True)
        if html is None and tex is None:
            output.print(str(told), highlight=False, markup=False, soft_wrap=True)


def rows_of_step(n: int, batch: int, row: int | None, *, spread: bool) -> list[int]:
    """Which rows a step takes: the batch of the row that was asked for, or rows spread evenly over a table.

    >>> rows_of_step(100, 4, None, spread=True), rows_of_step(100, 4, 9, spread=True)
    ([0, 33, 66, 99], [8, 9, 10, 11])
    """
    if spread and row is None and n > batch:
        return [round(k * (n - 1) / max(batch - 1, 1)) for k in range(batch)]
    start = (row or 0) // batch * batch
    return list(range(start, min(start + batch, n)))


def told_rows(places: Sequence[int]) -> str:
    """Rows in words.

    >>> told_rows([3, 4, 5]), told_rows([0, 33])
    ('rows 3 to 5', 'rows 0, 33')
    """
    if list(places) == list(range(places[0], places[-1] + 1)):
        return f"rows {places[0]} to {places[-1]}"
    return f"rows {', '.join(map(str, places))}"


def refuse(name: str, given: object, why: str) -> None:
    """Refuse an argument that would be of no use."""
    if given is not None:
        raise InputError(f"{given!s} was given for {name}, but {why}.")


def network_of(what: str) -> Network:
    """A model file; an experiment's name that is misspelt, and a table in its place, are told apart."""
    if Path(what).suffix in (".csv", ".parquet"):
        raise InputError(f"{what} is a table: train a model first (workings train), and name its model.safetensors.")
    if not Path(what).exists() and not Path(what).suffix:
        raise unknown_name("experiment or model file", what, NETWORKS)
    return table_models.model_at(Path(what))


@app.command()
def script(
    what: Annotated[str, typer.Argument(help="A model file, or an experiment: xor, moons, digits or mnist.")],
    out: Annotated[
        Path | None, typer.Option(help="A Python file; by default the script goes to standard output.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="For an experiment: another seed.")] = None,
) -> None:
    """Write a network as one Python file that needs NumPy alone: an experiment with its training, or a model.

    The script of a model only predicts; of one that was trained on a table, it takes the table's own columns. Data or
    weights that are too many to stand in it go to files beside it.

    Example: `workings script moons --out moons.py`
    """
    with plain_errors():
        told: dict[str, Any] = {}
        if what in NETWORKS:
            task = task_of(what, seed)
            network = task.network.build(task.X.shape[1], task.X.dtype)
            told = {**task.settings, "data": (task.X, task.y)}
        else:
            network = network_of(what)
        if out is None:
            typer.echo(network.script(**told), nl=False)
            return
        for path in save_script(network, out, **told):
            output.print(f"written  {path}", highlight=False, soft_wrap=True)


@app.command()
def doctor(
    what: Annotated[
        str, typer.Argument(help="An experiment (xor, moons, digits, mnist), a model file, or a CSV or Parquet file.")
    ],
    table: Annotated[
        Path | None, typer.Argument(help="For a model: a table with the columns it was trained on.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="For a table: the column to be predicted.")] = None,
    hidden: Annotated[str, typer.Option(help="For a table: units of the hidden layers, as in 32,16.")] = "32,16",
    activation: Annotated[str, typer.Option(help="For a table: activation of the hidden layers.")] = "relu",
    optimizer: Annotated[str, typer.Option(help="For a table: sgd, momentum, nesterov, adam …")] = "adam",
    lr: Annotated[float | None, typer.Option(help="For a table: the learning rate.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="For a table: how often all rows are seen, at most.")] = 200,
    impute: Annotated[bool, typer.Option(help="For a table: fill gaps.")] = False,
    drop: Annotated[list[str] | None, typer.Option(help="For a table: columns to leave out, as in Name,Cabin.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="For an experiment or a table: another seed.")] = None,
) -> None:
    """Say what is wrong with a network, its data and its training, and the one change to make.

    `workings doctor moons` trains a tutorial's network as the tutorial does and looks at it; `workings doctor
    flowers.csv --target species` trains as `workings train` does; `workings doctor model.safetensors new.csv` looks at
    a model with the rows of a table, and without a table at its program and its layers alone.

    Exits with 1 if there is a problem; advice alone is no problem.
    """
    with plain_errors():
        if what in NETWORKS:
            refuse("the table", table, "an experiment has its own rows")
            diagnosis = diagnosis_of_experiment(what, seed)
        elif Path(what).suffix.lower() in files.READERS:
            refuse("--target", target, "a model knows its target")
            diagnosis = table_models.examine_model(Path(what), table)
        elif not Path(what).exists() and not Path(what).suffix:
            raise unknown_name("experiment, model file or table", what, NETWORKS)
        elif target is None:
            raise InputError(f"{what} is taken for a table: say with --target which column is to be predicted.")
        else:
            plan = Plan(
                hidden=hidden, activation=activation, loss="auto", optimizer=optimizer, lr=lr, epochs=epochs,
                batch_size=32, validation=0.2, patience=20, l2=0.0, dropout=0.0, balanced=False, seed=seed or 0,
                engine="auto",
            )  # fmt: skip
            with bars() as progress:
                found = table_models.fitted(
                    Path(what), target, plan, impute=impute, drop=left_out(drop), task="auto",
                    watch=lambda epochs: bar(progress, what, "training", epochs),
                )  # fmt: skip
            output.print(found.told, "\n", highlight=False, soft_wrap=True, markup=False)
            terms = TableTerms(Path(what), target, plan, impute, left_out(drop))
            diagnosis = table_models.examine(found, terms)
        tell(diagnosis)
    if not diagnosis.ok:
        raise typer.Exit(1)


def diagnosis_of_experiment(name: str, seed: int | None) -> Diagnosis:
    """Train a tutorial's network as the tutorial meant it, and look at it."""
    module = importlib.import_module(f"workings.experiments.{name}")
    task = getattr(module, "design", module.task)(seed)
    with bars() as progress:
        watch = bar(progress, name, "training", task.settings["epochs"])
        try:
            history = task.network.fit(task.X, task.y, **{**task.settings, "callbacks": [watch]})
        except DivergenceError as error:
            history = error.history
    history.settings["opening"] = (
        f"from workings.experiments import {name}\n"
        f"task = {name}.{'design' if hasattr(module, 'design') else 'task'}({'' if seed is None else seed})\n"
        f"net, X, y = task.network, task.X, task.y"
    )
    found: Diagnosis = task.network.diagnose(task.X, task.y, history)
    return found


def tell(diagnosis: Diagnosis) -> None:
    """Print a diagnosis."""
    output.print(str(diagnosis), highlight=False, soft_wrap=True, markup=False)


@app.command()
def museum(
    mistake: Annotated[str | None, typer.Argument(help="Which mistake; without one, all are listed.")] = None,
    data: Annotated[
        str | None,
        typer.Option(help="moons, circles, spirals, digits, waves, friedman or hills; by default one that fits."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Where data and weights come from.")] = 0,
    out: Annotated[Path | None, typer.Option(help="A folder for a picture with both curves.")] = None,
) -> None:
    """Show a famous mistake beside the right network: the wrong line, its curve, what the doctor says, how to mend it.

    Example: `workings museum softmax-axis --data moons --out pictures`
    """
    with plain_errors():
        if mistake is None:
            output.print(museum_table())
            output.print("\nworkings museum softmax-axis shows one beside the right network.", highlight=False)
            return
        exhibit = show(mistake, data, seed)
        shown = exhibit.mistake
        lines = [f"wrong  {wrong}\nright  {right}" for wrong, right in exhibit.lines]
        head = f"{shown.title} ({shown.name}), on {exhibit.room}"
        text = [head, "", shown.what, f"Source: {shown.source}.", "", *lines, ""]
        output.print("\n".join(text), highlight=False, soft_wrap=True, markup=False)
        output.print(curves_table(exhibit))
        output.print("\nWhat the doctor says of it:\n", highlight=False)
        tell(exhibit.wrong.diagnosis)
        output.print(f"\nHow to mend it: {shown.mend}", highlight=False, soft_wrap=True, markup=False)
        if out is not None:
            output.print(f"picture  {exhibit.draw(out)}", highlight=False, soft_wrap=True)


@app.command()
def translate(
    what: Annotated[str, typer.Argument(help="A model file, or settings in quotation marks, as in the example.")],
    to: Annotated[str, typer.Option(help="sklearn, keras or torch.")],
    optimizer: Annotated[
        str | None, typer.Option(help=f"{', '.join(OPTIMIZER_NAMES)}; by default the settings', or adam.")
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate; by default what is usual for the optimizer.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="How often all rows are seen; by default 100.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=0, help="Rows in a step, 0 for all; by default 32.")] = None,
    rows: Annotated[
        int | None, typer.Option(min=1, help="How many rows the data have, on which scikit-learn's alpha may depend.")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="draw (by default), or given: taken from a mapping.")] = None,
    sample_weight: Annotated[
        bool | None, typer.Option("--sample-weight", help="Rows have weights, which the code is given.")
    ] = None,
    class_weight: Annotated[
        str | None, typer.Option(help="balanced; weights of your own stand in the settings, class_weight={'a': 2}.")
    ] = None,
    validation: Annotated[
        bool | None, typer.Option("--validation", help="Measure on X_val and y_val, which the code is given.")
    ] = None,
) -> None:
    """Write a network and its training in another system's conventions, with one sentence for each difference.

    A model file does not say how it was trained: give `--optimizer` and `--batch-size`. Options win over settings.

    Example: `workings translate "SGD(0.1); L2(1e-4); Dense(9, 'tanh'), Dense(3); CrossEntropy()" --to sklearn`
    """
    with plain_errors():
        network, settings = described_or_loaded(what)
        if optimizer is not None or lr is not None or "optimizer" not in settings:
            settings["optimizer"] = chosen_optimizer(settings.get("optimizer"), optimizer, lr)
        options = {"epochs": epochs, "rows": rows, "weights": weights, "sample_weight": sample_weight,
                   "class_weight": class_weight, "validation": validation}  # fmt: skip
        settings |= {name: value for name, value in options.items() if value is not None}
        settings |= {} if batch_size is None else {"batch_size": batch_size or None}
        output.print(str(network.translate(to, **settings)), highlight=False, markup=False, soft_wrap=True, end="")


def chosen_optimizer(described: Any, name: str | None, lr: float | None) -> Any:
    """The optimizer of the options, or the one that settings name with another rate."""
    if name is not None or described is None:
        return optimizer_named(name or "adam", lr)
    if not hasattr(described, "lr"):
        raise InputError(
            f"--lr goes with --optimizer, or with settings that have a rate; {described!r} has none itself."
        )
    return replace(described, lr=lr)


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="A model file: .safetensors, .json or .onnx.")],
    out: Annotated[Path, typer.Argument(help="Ends in .onnx, .c, .json, .py, .pt, .keras or .safetensors.")],
    int8: Annotated[bool, typer.Option(help="For C: weights as bytes; what that costs is said.")] = False,
    name: Annotated[
        str | None, typer.Option(help="For C: what all names begin with; by default the file's name.")
    ] = None,
) -> None:
    """Write a model for other programs, run what was written, and say how well it agrees.

    The end of OUT decides what is written; if it predicts something else, nothing is.

    Example: `workings export model.safetensors model.c`
    """
    with plain_errors():
        given = {key: value for key, value in (("int8", int8), ("name", name)) if value}
        if given and out.suffix.lower() != ".c":
            raise InputError(f"--{next(iter(given))} is for C only: end the file's name in .c.")
        network = table_models.model_at(model)
        exported = files.save(network, out, **given)
        output.print(str(exported), highlight=False, markup=False, soft_wrap=True)
