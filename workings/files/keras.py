"""Keras: export a network as a ``.keras`` file with the code of its ``Sequential``, and import a Sequential.

A model in memory is read with methods that every Keras version has: ``layers``, ``get_config()``,
``get_weights()``. Keras files are not read, because their configuration can refer to code.
"""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workings.activations import ACTIVATIONS, Activation
from workings.errors import FileError, InputError, MissingExtraError, ProgramError
from workings.files.assembling import NetworkAssembler, check_agreement
from workings.files.verification import (
    Exported,
    as_float32,
    compare,
    generated_rows,
    model_inputs,
    target_scale,
    with_float32_numbers,
    write_verified,
)
from workings.layers import BatchNorm, Dense, Dropout, number_layers
from workings.losses import BinaryCrossEntropy, CrossEntropy, Loss
from workings.model.model import Model
from workings.readings.script import save_arrays
from workings.readings.translate.keras_writer import ACTIVATION_LAYERS
from workings.readings.translate.keras_writer import ACTIVATIONS as NAMED
from workings.support.arrays import Array
from workings.tables.columns import CategoryColumn, Columns, columns_in, standard
from workings.tables.values import GAP
from workings.version import __version__

if TYPE_CHECKING:
    import keras

NAMES = {  # Keras's name -> Workings' name
    **{theirs: ours for ours, theirs in NAMED.items()},
    **{name: name for name in ("elu", "softmax")},
    "linear": "identity",
    "swish": "silu",
    "exponential": "exp",
}
IN_FLOAT32 = "Keras always multiplies matrices in float32, so the model was exported and compared in float32."
ABOUT = """\
Keras runs on TensorFlow unless the variable KERAS_BACKEND names another backend, before Keras is imported:

    KERAS_BACKEND=torch python {name}_keras.py

with "torch" or "jax", or os.environ["KERAS_BACKEND"] = "torch" above the first import of keras in Python."""
OWN_COLUMNS = """\
The model takes the columns of a table. `columns`: the numeric columns in their original units, of shape (n, columns);
a missing value is NaN. `categories`: the index of the category in each categorical column's list, of shape
(n, categorical columns); -1 is a missing value, and any other number is an unknown category. These, and a
missing value in a column without imputation, give NaN predictions; in a column whose encoder has
handle_unknown="ignore", they become zeros. Keras rounds its inputs to float32."""
BACKENDS = ("torch", "jax", "tensorflow")  # in order of preference, unless KERAS_BACKEND is set
DRIVER = """
import runpy, sys
import numpy as np

name, rows = sys.argv[1], list(np.load("rows.npz").values())
model = runpy.run_path(f"{name}_keras.py")["model"]
model.save(f"{name}.keras")
import keras
np.save("found.npy", keras.saving.load_model(f"{name}.keras").predict(rows if len(rows) > 1 else rows[0], verbose=0))
"""


# -- writing ---------------------------------------------------------------------------------


def export(network: Model, path: Path) -> Exported:
    """Write ``NAME.keras``, and ``NAME_keras.py`` with ``NAME_keras.npz``, which create the same; run and compare.

    Raises
    ------
    MissingExtraError
        If Keras or a backend is not installed.
    ProgramError
        For an activation or layer without a Keras counterpart; the message names it.
    FileError
        If the model's predictions differ.
    """
    environment = keras_environment()
    network = as_float32(network)
    columns, rows = columns_in(network.preprocessing), generated_rows(network)
    rows = rows if columns is None else with_float32_numbers(columns, rows)
    weights = io.BytesIO()
    np.savez(weights, *weights_of(network))
    code = {f"{path.stem}_keras.py": code_of(network, path).encode(), f"{path.stem}_keras.npz": weights.getvalue()}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in code.items():
            Path(folder, name).write_bytes(content)
        save_arrays(Path(folder, "rows.npz"), model_inputs(network, rows))
        command = [sys.executable, "-c", DRIVER, path.stem]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FileError(f"{path.stem}_keras.py does not run: {done.stderr[-500:]}")
        model, p = Path(folder, f"{path.stem}.keras").read_bytes(), np.load(Path(folder, "found.npy"))
    agreement = compare(f"Keras on {environment['KERAS_BACKEND']}", network, rows, p, scale=target_scale(network))
    return write_verified(path, {path.name: model, **code}, lambda _: agreement, (IN_FLOAT32,))


def keras_environment() -> dict[str, str]:
    """Return environment variables that select an installed Keras backend."""
    chosen = os.environ.get("KERAS_BACKEND") or next(filter(importlib.util.find_spec, BACKENDS), "")
    if importlib.util.find_spec("keras") is None or not chosen:
        raise MissingExtraError("Keras with PyTorch", "keras")
    return {**os.environ, "KERAS_BACKEND": chosen}


def code_of(network: Model, path: Path) -> str:
    """Return the Python file that creates the model and loads its weights."""
    columns, lines = columns_in(network.preprocessing), ",\n".join(f"    {line}" for line in layer_lines(network))
    words = [f'"""A neural network for Keras; written by Workings {__version__}.', "", ABOUT.format(name=path.stem)]
    words += [] if columns is None else ["", OWN_COLUMNS]
    sequential = f"keras.Sequential([\n    keras.Input(({network.n_in},)),\n{lines},\n])"
    name, before, after = ("model", [], []) if columns is None else ("network", *table_lines(columns))
    imports = "layers" if columns is None else "layers, ops"
    return "\n".join(
        [
            *words,
            '"""',
            "",
            "from pathlib import Path",
            "",
            "import keras",
            "import numpy as np",
            f"from keras import {imports}",
            "",
            *([] if network.classes is None else [f"classes = {network.classes.tolist()!r}"]),
            *before,
            f"{name} = {sequential}",
            f"with np.load(Path(__file__).with_name({f'{path.stem}_keras.npz'!r})) as weights:",
            f'    {name}.set_weights([weights[f"arr_{{i}}"] for i in range(len(weights.files))])',
            *after,
            "",
        ]
    )


def table_lines(columns: Columns) -> tuple[list[str], list[str]]:
    """Return the lines before and after the network that encode a table's columns and scale the output."""
    lines, parts, given = [], [], []
    if columns.numbers:
        given.append("columns")
        lines += number_lines(columns)
    if columns.words:
        given.append("categories")
        lines += [f"words = { {column.name: list(column.categories) for column in columns.words}!r}"]
        lines += [f'categories = keras.Input(({len(columns.words)},), dtype="int32", name="categories")']
    numbers, words = count(), count()
    for column in columns.columns:
        if isinstance(column, CategoryColumn):
            place = next(words)
            lines += [*word_lines(column, place)]
            parts.append(f"part{place}")
        else:
            place = next(numbers)
            parts.append(f"numbers[:, {place}:{place + 1}]")
            gaps = f'ops.cast(ops.isnan(columns[:, {place}:{place + 1}]), "float32")'
            parts += [gaps] if column.indicator else []
    lines += [f"X = layers.Concatenate(axis=1)([{', '.join(parts)}])" if len(parts) > 1 else f"X = {parts[0]}"]
    value = (
        []
        if columns.scale is None
        else [f'p = layers.Rescaling({columns.scale[1]!r}, {columns.scale[0]!r}, dtype="float64")(p)']
    )
    inputs = given[0] if len(given) == 1 else f"[{', '.join(given)}]"
    return lines, ["p = network(X)", *value, f"model = keras.Model({inputs}, p)"]


def number_lines(columns: Columns) -> list[str]:
    """Return the lines that standardize the numeric columns and fill missing values.

    A mean that float32 cannot represent is subtracted in two parts; subtracting the first is exact.
    """
    mean, std, fill = columns.arrays.values()
    near = mean.astype(np.float32).astype(np.float64)
    lines = [
        f"names = {[column.name for column in columns.numbers]!r}",
        f'columns = keras.Input(({len(mean)},), name="columns")',
        "# The mean is subtracted in two parts, because float32 cannot represent it.",
        f"numbers = layers.Rescaling(1.0, {(-near).tolist()!r})(columns)",
        f"numbers = layers.Rescaling({(1 / std).tolist()!r}, {standard(near, mean, std).tolist()!r})(numbers)",
    ]
    if columns.have_fills:
        fills = ", ".join(repr(value) if value == value else "np.nan" for value in standard(fill, mean, std).tolist())
        lines += [f'numbers = ops.where(ops.isnan(numbers), np.array([{fills}], dtype="float32"), numbers)']
    return lines


def word_lines(column: CategoryColumn, place: int) -> list[str]:
    """Return the lines that one-hot encode a categorical column."""
    lines = [f"code = categories[:, {place}:{place + 1}]"]
    if column.fill is not None:
        lines += [f"code = ops.where(ops.equal(code, {GAP}), {column.categories.index(column.fill)}, code)"]
    lines += [f'part{place} = ops.cast(ops.equal(code, np.arange({column.width}, dtype="int32")), "float32")']
    if column.unknown == "error":
        is_known = f"ops.logical_and(ops.greater_equal(code, 0), ops.less(code, {column.width}))"
        lines += [f"part{place} = ops.where({is_known}, part{place}, np.float32(np.nan))"]
    return lines


def layer_lines(network: Model) -> Iterator[str]:
    """Yield the code of each layer."""
    for layer in network.layers:
        if isinstance(layer, Dense):
            yield f"layers.Dense({layer.units}{'' if layer.bias else ', use_bias=False'})"
        elif isinstance(layer, BatchNorm):
            yield f"layers.BatchNormalization(epsilon={layer.eps!r}, momentum={1 - layer.momentum!r})"
        elif isinstance(layer, Dropout):
            yield f"layers.Dropout({layer.rate!r})"
        else:
            raise ProgramError(f"Keras has no layer for {layer!r}: export the network as ONNX or C instead.")
        if layer.activation_function.name != "identity":
            yield activation_line(layer.activation_function)
    links = {CrossEntropy.link: "softmax", BinaryCrossEntropy.link: "sigmoid"}
    link = type(network.loss).link
    if link in links:
        yield f'layers.Activation("{links[link]}")'
    elif link is not Loss.link:
        raise ProgramError(
            f"Keras has no layer for {link.__name__}, the link of {network.loss!r}: export ONNX or C instead."
        )


def activation_line(activation: Activation) -> str:
    """Return the code of an activation layer."""
    known = ACTIVATIONS.get(activation.name)
    is_usual = (
        known is not None
        and known.function is activation.function
        and (activation.name != "selu" or activation == known)
    )
    if is_usual and activation.name in NAMED:
        return f'layers.Activation("{NAMED[activation.name]}")'
    if is_usual and "lambda" not in ACTIVATION_LAYERS.get(
        activation.name, "lambda"
    ):  # a .keras file cannot store a lambda
        return ACTIVATION_LAYERS[activation.name].format(**activation.constants)
    raise ProgramError(f"Keras has no activation {activation.name!r}: export the network as ONNX or C instead.")


def weights_of(network: Model) -> list[Array]:
    """Return the arrays in Keras's order."""
    arrays = {**network.parameters, **network.statistics}
    order = {Dense: ("W", "b"), BatchNorm: ("gamma", "beta", "running_mean", "running_variance")}
    return [
        arrays[f"{letter}{number}"]
        for layer, number in number_layers(network.layers)
        for letter in order.get(type(layer), ())
        if f"{letter}{number}" in arrays
    ]


# -- reading ---------------------------------------------------------------------------------


def from_keras(
    model: keras.Model,
    *,
    loss: str | Loss | None = None,
    classes: Iterable[object] | None = None,
) -> Model:
    """Import a Keras Sequential as a network; the two are compared on generated rows.

    Parameters
    ----------
    model : keras.Sequential
        A model of Dense, BatchNormalization, Dropout and supported activations.
    loss : Loss or None
        By default the loss that belongs to the last activation, as for PyTorch.
    classes : list or None
        The labels of the outputs.

    Raises
    ------
    InputError
        For an unsupported layer; the message names it.
    """
    source = f"This Keras {type(model).__name__}"
    if type(model).__name__ != "Sequential" or not hasattr(model, "layers"):
        raise InputError(f"{source} is not a Sequential: only a sequence of layers can be imported.")
    assembler = NetworkAssembler(source)
    for layer in model.layers:
        add_layer(assembler, layer, type(layer).__name__, dict(layer.get_config()), list(layer.get_weights()))
    network = assembler.network(loss, classes)
    if not hasattr(model, "predict") or (
        not assembler.link and type(network.loss).link is not Loss.link and network.layers == tuple(assembler.layers)
    ):
        return network
    check_agreement(as_float32(network), source, lambda X: model.predict(X, verbose=0))
    return network


def add_layer(
    assembler: NetworkAssembler, layer: object, kind: str, settings: dict[str, Any], weights: list[Array]
) -> None:
    """Add one Keras layer."""
    what = f"the layer {settings.get('name', kind)!r} ({kind})"
    if kind == "Dense":
        assembler.add_dense(weights[0], weights[1] if len(weights) > 1 else None, what)
        add_activation(assembler, settings.get("activation", "linear"), what)
    elif kind == "BatchNormalization":
        add_batch_norm(assembler, settings, weights, what)
    elif kind == "Activation":
        add_activation(assembler, settings.get("activation"), what)
    elif kind in ("LeakyReLU", "ELU"):
        names = {"LeakyReLU": ("leaky_relu", "slope", 0.3), "ELU": ("elu", "alpha", 1.0)}
        name, letter, usual = names[kind]
        assembler.add_activation(name, what, **{letter: settings.get("negative_slope", settings.get("alpha", usual))})
    elif kind in ("ReLU", "Softmax"):
        others = [settings.get(name) for name in ("max_value", "negative_slope", "threshold")]
        if any(others) or settings.get("axis", -1) not in (-1, 1):
            raise assembler.refusal(what, "with settings that no activation of Workings has")
        assembler.add_activation(kind.lower(), what)
    elif kind == "Dropout":
        assembler.add_dropout(settings["rate"])
    elif kind not in ("InputLayer", "Flatten"):
        raise assembler.refusal(
            what, "which is not one of Dense, BatchNormalization, Dropout, Activation, ReLU, LeakyReLU, ELU"
        )


def add_activation(assembler: NetworkAssembler, name: object, what: str) -> None:
    """Add an activation by its Keras name."""
    if name == "leaky_relu":
        assembler.add_activation(name, what, slope=0.2)  # Keras's default
        return
    if not isinstance(name, str) or name not in NAMES:
        raise assembler.refusal(what, f"with the activation {name!r:.60}; known are leaky_relu, {', '.join(NAMES)}")
    assembler.add_activation(NAMES[name], what)


def add_batch_norm(assembler: NetworkAssembler, settings: dict[str, Any], weights: list[Array], what: str) -> None:
    """Add a BatchNormalization; Keras's momentum is the weight of the old value, Workings' of the new one."""
    order = [name for name, key in (("gamma", "scale"), ("beta", "center")) if settings.get(key, True)]
    arrays = dict(zip([*order, "running_mean", "running_variance"], weights, strict=True))
    mean = np.asarray(arrays["running_mean"])
    arrays = {"gamma": np.ones_like(mean), "beta": np.zeros_like(mean), **arrays}
    assembler.add_batch_norm(arrays, momentum=1 - settings["momentum"], eps=settings["epsilon"], what=what)
