"""Take a network out of the playground, as code or as a file, and bring one in.

The script is the one of ``net.script``: it begins with the weights that the page shows, and its steps are those that
the page makes next, if both begin a new run there (``Run.restart``).
"""

from __future__ import annotations

import base64
import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workings.errors import InputError, WorkingsError, unknown_name
from workings.model.model import Model
from workings.play.code_templates import CODE
from workings.play.offered import MODEL_FILES
from workings.play.pictures import decoded
from workings.play.play_data import FEATURES, GENERATED, PlayData
from workings.play.run import Run
from workings.play.session_settings import Settings

FORMATS = {"safetensors": "safetensors", "onnx": "onnx", "c": "c", "json": "json", "py": "python"}


def script_of(run: Run, data: PlayData, settings: Settings, epochs: int) -> str:
    """Return a NumPy script that goes on training from the present weights."""
    from workings.readings.script import script  # takes time to import

    if run.rule is None:
        raise InputError("The NumPy script needs an optimizer other than L-BFGS, whose steps SciPy makes.")

    X = data.inputs(data.raw)
    rest = (X[data.training :], data.y[data.training :]) if data.training < len(X) else None
    size = min(settings.batch_size or data.training, data.training)
    return script(
        run.model,
        optimizer=run.rule,
        epochs=epochs,
        batch_size=size,
        shuffle=run.batches.shuffle,
        weights="inline",
        data=(X[: data.training], data.y[: data.training]),
        validation=rest,
    )


def library_code(data: PlayData, run: Run, settings: Settings, epochs: int) -> str:
    """Return Python code that trains the same network from its initial weights with this library."""
    model, parts = run.model, [f"loss={run.model.loss!r}"]
    parts += [f"regularizer={model.regularizers[0]!r}"] if model.regularizers else []
    names = {type(layer).__name__ for layer in model.layers} | {type(model.loss).__name__, "Network"}
    names |= {type(run.optimizer).__name__, *(type(r).__name__ for r in model.regularizers)}
    rate = settings.rate()
    schedule = CODE["schedule"].format(name=type(rate).__name__) if run.rule and callable(rate) else ""
    is_held = data.training < len(data.y)
    return CODE["training"].format(
        names=", ".join(sorted(names)), schedule=schedule, data=data_code(data, settings), layers=list(model.layers),
        parts=", ".join(parts), seed=settings.seed, training=data.training, optimizer=run.optimizer, epochs=epochs,
        batch_size=settings.batch_size or None,
        validation=CODE["validation"].format(training=data.training) if is_held else "",
    )  # fmt: skip


def data_code(data: PlayData, settings: Settings) -> str:
    """Return the code that makes X and y."""
    if data.name in GENERATED:
        return CODE["generated"].format(
            data=repr(settings.data), rows=settings.rows, noise=settings.noise, data_seed=settings.data_seed,
            features=data.features,
        )  # fmt: skip
    made = "\n".join(data.source) or CODE["literal"].format(X=data.raw.tolist(), y=data.y.tolist())
    if data.features == data.columns:
        return made
    if data.offered != tuple(FEATURES):
        return made + CODE["columns"].format(places=[data.columns.index(name) for name in data.features])
    return made + CODE["features"].format(features=data.features)


def latex_of(run: Run) -> str:
    """Return the equations of a step in LaTeX."""
    from workings.readings.equations import equations  # takes time to import

    return equations(run.model, run.rule).latex


def exported(model: Model, kind: str) -> list[dict[str, str]]:
    """Write a model to a file of some format, check it, and return the written files with their content as base64.

    Raises
    ------
    InputError
        For an unknown format.
    MissingExtraError
        If the package that writes the format is not installed.
    """
    if kind not in FORMATS:
        raise unknown_name("format", kind, FORMATS)
    module = importlib.import_module(f"workings.files.{FORMATS[kind]}")
    export: Callable[[Model, Path], Any] = module.export
    with tempfile.TemporaryDirectory() as folder:
        paths = export(model, Path(folder) / f"network.{kind}").paths
        return [{"name": path.name, "content": base64.b64encode(path.read_bytes()).decode("ascii")} for path in paths]


def opened(name: str, content: str) -> Model:
    """Return the model in a file that was given as base64 text.

    Raises
    ------
    InputError, FileError
        For a file that is damaged, or of an unknown format.
    """
    load = reader_of(name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{Path(name).suffix.lower()}"
        path.write_bytes(decoded(content))
        try:
            return load(path)
        except WorkingsError as error:
            raise InputError(str(error).replace(str(path), name)) from error


def reader_of(name: str) -> Callable[[Path], Model]:
    """Return the function that reads a model file with this name."""
    suffix = Path(name).suffix.lower()
    if suffix not in MODEL_FILES:
        raise InputError(f"A model file ends in {', '.join(MODEL_FILES)}, not as in {name!r}.")
    load: Callable[[Path], Model] = importlib.import_module(f"workings.files.{MODEL_FILES[suffix]}").load
    return load
