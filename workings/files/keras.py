"""Keras: a network as a ``.keras`` file with the code of its ``Sequential``, and a network of a Sequential's weights.

A model that is alive is read by what every Keras version answers: ``layers``, ``get_config()``, ``get_weights()``.
Files of Keras are not read, because their settings can name code.
"""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from workings.activations import ACTIVATIONS, Activation
from workings.arrays import Array
from workings.errors import FileError, InputError, MissingExtraError, ProgramError
from workings.files.adopting import Pieces, check_agreement
from workings.files.agreement import Exported, compare, deliver, generated_rows, in_float32
from workings.layers import BatchNorm, Dense, Dropout, numbered
from workings.losses import BinaryCrossEntropy, CrossEntropy, Loss
from workings.network import Network
from workings.readings.script.page import RAW_COLUMNS
from workings.readings.translate.keras import ACTIVATIONS as NAMED
from workings.readings.translate.keras import BENDS
from workings.version import __version__

NAMES = {  # Keras's -> ours
    **{theirs: ours for ours, theirs in NAMED.items()},
    **{name: name for name in ("elu", "softmax")},
    "linear": "identity",
    "swish": "silu",
    "exponential": "exp",
}
IN_FLOAT32 = "Keras multiplies matrices in float32, whatever it is given: the model was written and compared in it."
BACKENDS = ("torch", "jax", "tensorflow")  # in this order, unless KERAS_BACKEND says which
DRIVER = """
import runpy, sys
import numpy as np

name, X = sys.argv[1], np.load("rows.npy")
model = runpy.run_path(f"{name}_keras.py")["model"]
model.save(f"{name}.keras")
import keras
np.save("found.npy", keras.saving.load_model(f"{name}.keras").predict(X, verbose=0))
"""


# -- writing ---------------------------------------------------------------------------------


def export(network: Network, path: Path) -> Exported:
    """Write ``NAME.keras``, and ``NAME_keras.py`` with ``NAME_keras.npz``, which make the same; run and compare.

    Raises
    ------
    MissingExtraError
        If Keras or a backend for it is not installed.
    ProgramError
        For an activation or layer that Keras has not; the message names it.
    FileError
        If the model predicts something else.
    """
    environment = keras_environment()
    network = in_float32(network)
    rows = generated_rows(network)
    weights = io.BytesIO()
    np.savez(weights, *weights_of(network))
    code = {f"{path.stem}_keras.py": code_of(network, path).encode(), f"{path.stem}_keras.npz": weights.getvalue()}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in code.items():
            Path(folder, name).write_bytes(content)
        np.save(Path(folder, "rows.npy"), rows.X)
        command = [sys.executable, "-c", DRIVER, path.stem]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FileError(f"{path.stem}_keras.py does not run: {done.stderr[-500:]}")
        model, p = Path(folder, f"{path.stem}.keras").read_bytes(), np.load(Path(folder, "found.npy"))
    agreement = compare(f"Keras on {environment['KERAS_BACKEND']}", network, rows, p)
    notes = (IN_FLOAT32, RAW_COLUMNS) if network.preprocessing is not None else (IN_FLOAT32,)
    return deliver(path, {path.name: model, **code}, lambda _: agreement, notes)


def keras_environment() -> dict[str, str]:
    """The variables with which Keras finds a backend that is installed."""
    chosen = os.environ.get("KERAS_BACKEND") or next(filter(importlib.util.find_spec, BACKENDS), "")
    if importlib.util.find_spec("keras") is None or not chosen:
        raise MissingExtraError("Keras with PyTorch", "keras")
    return {**os.environ, "KERAS_BACKEND": chosen}


def code_of(network: Network, path: Path) -> str:
    """The Python file that makes the model and gives it its weights."""
    lines = ",\n".join(f"    {line}" for line in layer_lines(network))
    words = [f'"""A neural network for Keras; written by Workings {__version__}.', ""]
    words += [f"Its outputs are the predictions p of {network.loss!r}: the last layer applies that loss's link."]
    words += ["", RAW_COLUMNS] if network.preprocessing is not None else []
    return "\n".join([
        *words, '"""', "", "from pathlib import Path", "", "import keras", "import numpy as np",
        "from keras import layers", "",
        *([] if network.classes is None else [f"classes = {network.classes.tolist()!r}"]),
        f"model = keras.Sequential([\n    keras.Input(({network.n_in},)),\n{lines},\n])",
        f"with np.load(Path(__file__).with_name({f'{path.stem}_keras.npz'!r})) as weights:",
        '    model.set_weights([weights[f"arr_{i}"] for i in range(len(weights.files))])', "",
    ])  # fmt: skip


def layer_lines(network: Network) -> Iterator[str]:
    """Each layer as code."""
    for layer in network.layers:
        if isinstance(layer, Dense):
            yield f"layers.Dense({layer.units}{'' if layer.bias else ', use_bias=False'})"
        elif isinstance(layer, BatchNorm):
            yield f"layers.BatchNormalization(epsilon={layer.eps!r}, momentum={1 - layer.momentum!r})"
        elif isinstance(layer, Dropout):
            yield f"layers.Dropout({layer.rate!r})"
        else:
            raise ProgramError(f"Keras has no layer for {layer!r}: write the network as ONNX or C instead.")
        if layer.bend.name != "identity":
            yield bend_line(layer.bend)
    links = {CrossEntropy.link: "softmax", BinaryCrossEntropy.link: "sigmoid"}
    link = type(network.loss).link
    if link in links:
        yield f'layers.Activation("{links[link]}")'
    elif link is not Loss.link:
        raise ProgramError(f"Keras has no layer for {link.__name__}, the link of {network.loss!r}: write ONNX or C.")


def bend_line(bend: Activation) -> str:
    """The layer of an activation."""
    known = ACTIVATIONS.get(bend.name)
    is_usual = known is not None and known.function is bend.function and (bend.name != "selu" or bend == known)
    if is_usual and bend.name in NAMED:
        return f'layers.Activation("{NAMED[bend.name]}")'
    if is_usual and "lambda" not in BENDS.get(bend.name, "lambda"):  # which a file of Keras cannot hold
        return BENDS[bend.name].format(**bend.constants)
    raise ProgramError(f"Keras has no activation {bend.name!r}: write the network as ONNX or C instead.")


def weights_of(network: Network) -> list[Array]:
    """The arrays in the order of Keras."""
    arrays = {**network.parameters, **network.statistics}
    order = {Dense: ("W", "b"), BatchNorm: ("gamma", "beta", "running_mean", "running_variance")}
    return [
        arrays[f"{letter}{number}"]
        for layer, number in numbered(network.layers)
        for letter in order.get(type(layer), ())
        if f"{letter}{number}" in arrays
    ]


# -- reading ---------------------------------------------------------------------------------


def from_keras(model: Any, *, loss: str | Loss | None = None, classes: Any = None) -> Network:
    """Make a network of a Keras Sequential; the two are compared on generated rows.

    Parameters
    ----------
    model : keras.Sequential
        Of Dense, BatchNormalization, Dropout and activations that we have.
    loss : Loss or None
        By default what the end belongs to, as for PyTorch.
    classes : list or None
        The labels behind the outputs.

    Raises
    ------
    InputError
        For a layer that we have not; the message names it.
    """
    source = f"This Keras {type(model).__name__}"
    if type(model).__name__ != "Sequential" or not hasattr(model, "layers"):
        raise InputError(f"{source} is no Sequential: only a list of layers, one after the other, can be taken over.")
    pieces = Pieces(source)
    for layer in model.layers:
        take(pieces, layer, type(layer).__name__, dict(layer.get_config()), list(layer.get_weights()))
    network = pieces.network(loss, classes)
    if not hasattr(model, "predict") or (not pieces.link and type(network.loss).link is not Loss.link
                                         and network.layers == tuple(pieces.layers)):  # fmt: skip
        return network
    check_agreement(in_float32(network), source, lambda X: model.predict(X, verbose=0))
    return network


def take(pieces: Pieces, layer: Any, kind: str, settings: dict[str, Any], weights: list[Array]) -> None:
    """Take one layer over."""
    what = f"the layer {settings.get('name', kind)!r} ({kind})"
    if kind == "Dense":
        pieces.dense(weights[0], weights[1] if len(weights) > 1 else None, what)
        bend(pieces, settings.get("activation", "linear"), what)
    elif kind == "BatchNormalization":
        take_norm(pieces, settings, weights, what)
    elif kind == "Activation":
        bend(pieces, settings.get("activation"), what)
    elif kind in ("LeakyReLU", "ELU"):
        names = {"LeakyReLU": ("leaky_relu", "slope", 0.3), "ELU": ("elu", "alpha", 1.0)}
        name, letter, usual = names[kind]
        pieces.activation(name, what, **{letter: settings.get("negative_slope", settings.get("alpha", usual))})
    elif kind in ("ReLU", "Softmax"):
        others = [settings.get(name) for name in ("max_value", "negative_slope", "threshold")]
        if any(others) or settings.get("axis", -1) not in (-1, 1):
            raise pieces.refusal(what, "with settings that no activation here has")
        pieces.activation(kind.lower(), what)
    elif kind == "Dropout":
        pieces.dropout(settings["rate"])
    elif kind not in ("InputLayer", "Flatten"):
        raise pieces.refusal(
            what, "which is none of Dense, BatchNormalization, Dropout, Activation, ReLU, LeakyReLU, ELU"
        )


def bend(pieces: Pieces, name: Any, what: str) -> None:
    """Take an activation over by the name it has in Keras."""
    if name == "leaky_relu":
        pieces.activation(name, what, slope=0.2)  # what Keras means by the name
        return
    if not isinstance(name, str) or name not in NAMES:
        raise pieces.refusal(what, f"with the activation {name!r:.60}; known are leaky_relu, {', '.join(NAMES)}")
    pieces.activation(NAMES[name], what)


def take_norm(pieces: Pieces, settings: dict[str, Any], weights: list[Array], what: str) -> None:
    """Take a BatchNormalization over; its momentum is what stays, ours what moves."""
    order = [name for name, key in (("gamma", "scale"), ("beta", "center")) if settings.get(key, True)]
    arrays = dict(zip([*order, "running_mean", "running_variance"], weights, strict=True))
    mean = np.asarray(arrays["running_mean"])
    arrays = {"gamma": np.ones_like(mean), "beta": np.zeros_like(mean), **arrays}
    pieces.batch_norm(arrays, momentum=1 - settings["momentum"], eps=settings["epsilon"], what=what)
