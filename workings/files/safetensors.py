"""Network files: safetensors, with the architecture as JSON in the header.

Arrays are stored as in memory, so a loaded network's predictions have the same bits.  Nothing is pickled, and
loading executes nothing from the file.  Writes are atomic.  ``docs/file-format.md`` describes the format.
"""

from __future__ import annotations

import dataclasses
import json
import math
import platform
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as pack_tensors

from workings.activations import ACTIVATIONS, Activation, activation_named
from workings.errors import FileError, InputError, WorkingsError, WorkingsWarning, unknown_name
from workings.files.verification import Agreement, Exported, compare, generated_rows, write_verified
from workings.layers import LAYERS, FullyConnected, Layer, number_layers
from workings.losses import LOSSES, Loss
from workings.model.model import Model
from workings.regularizers import REGULARIZERS, Regularizer
from workings.support.arrays import Array
from workings.support.atomic_files import as_path, write_bytes
from workings.support.json_values import JsonObject
from workings.support.keywords import checked_keywords
from workings.training.history import History
from workings.version import __version__

FORMAT = "workings"
VERSION = 1
MOST_HEADER = 100_000_000  # the limit of safetensors itself, in bytes
MOST_UNITS = 10_000_000
PICKLED = "is not read, because a pickle can run code: load it in the program that created it, and pass it to"
OTHER_READERS = {  # how to read other file types
    ".json": "JSON is read by Network.from_json.",
    ".onnx": "ONNX is read by Network.from_onnx.",
    **dict.fromkeys((".pt", ".pth"), f"A PyTorch file {PICKLED} Network.from_torch(module)."),
    **dict.fromkeys(
        (".keras", ".h5"),
        "A Keras file is not read, because it can refer to code: load it with "
        "Keras, and pass it to Network.from_keras(model).",
    ),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), f"A pickle {PICKLED} Network.from_sklearn(estimator)."),
}
MOST_LAYERS = 1000  # limit when reading: the program's length and the time to generate it grow with the layers


OTHER_FORMATS = (".onnx", ".c", ".h", ".json", ".py", ".pt", ".keras")  # `files.save` writes these


@checked_keywords
def save(network: Model, path: str | Path) -> Path:
    """Write a network: architecture, parameters, statistics, classes, preprocessing and history.

    Raises
    ------
    InputError
        If the network has no parameters yet, or if the path has the suffix of another format.
    FileError
        If the file cannot be written; an existing file is unchanged.
    """
    network.check_built()
    if as_path(path).suffix.lower() in OTHER_FORMATS:
        raise InputError(
            f"save writes safetensors files, which {Path(path).name!r} does not look like. For another format, use "
            f"workings.files.save(net, {str(path)!r})."
        )
    tensors = {**network.parameters, **network.statistics}
    return write_file(as_path(path), tensors, description_of(network))


def export(network: Model, path: Path) -> Exported:
    """Write a network, read it back and compare; see ``save``.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        content = save(network, Path(folder) / path.name).read_bytes()
    rows = generated_rows(network)

    def check(folder: Path) -> Agreement:
        again = load(folder / path.name, custom=custom_objects(network))
        return compare("read back", network, rows, again.outputs(rows.X, engine="reference"))

    return write_verified(path, {path.name: content}, check)


def custom_objects(network: Model) -> list[Any]:
    """Return a network's activations and the classes of its parts, for the argument ``custom``."""
    kinds = {type(thing) for thing in (*network.layers, network.loss, *network.regularizers)}
    return [*kinds, *(layer.activation_function for layer in network.layers)]


def description_of(network: Model) -> dict[str, Any]:
    """Return the description stored in a file: the network, the versions of the software, and the history."""
    about = {
        "version": VERSION,
        "written_by": __version__,
        "versions": {"workings": __version__, "numpy": np.__version__, "python": platform.python_version()},
        "network": describe_network(network),
    }
    return about if network.history is None else {**about, "history": network.history.to_json()}


@checked_keywords
def load(path: str | Path, *, custom: Iterable[Activation | type] = ()) -> Model:
    """Read a network that ``save`` or a checkpoint wrote.

    Parameters
    ----------
    path : path
        The file.
    custom : activations and classes
        User-defined activations, layers, losses and regularizers of the network.

    Raises
    ------
    FileError
        For a file that is missing, damaged, not a Workings network, or written by a newer version.
    """
    try:
        tensors, about = read_file(as_path(path))
    except FileError as error:
        hint = OTHER_READERS.get(as_path(path).suffix.lower())
        raise error if hint is None else FileError(f"{error} {hint}") from error
    return network_of(path, about, lambda: tensors, custom)


def network_of(
    path: str | Path,
    about: Mapping[str, Any],
    arrays: Callable[[], Mapping[str, Array]],
    custom: Iterable[Activation | type],
) -> Model:
    """Build the network that a file describes, with its arrays.

    Raises
    ------
    FileError
        If description and arrays are inconsistent.
    """
    custom_objects = (custom,) if isinstance(custom, (Activation, type)) else tuple(custom)
    with errors_as_file_error(path), warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkingsWarning)  # warnings were issued when the network was created
        network = network_from(about["network"], custom_objects)
        tensors = arrays()
        n_in = about["network"]["n_in"]
        check_arrays(tensors, expected_shapes(network, n_in), network)
        network.place(n_in, tensors)
        text = about.get("history", about.get("training", {}).get("history"))
        network.set_history(None if text is None else History.from_json(text))
    return network


@contextmanager
def errors_as_file_error(path: str | Path) -> Iterator[None]:
    """Convert any error that an inconsistent description causes to a FileError."""
    try:
        yield
    except FileError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, MemoryError, WorkingsError) as error:
        raise FileError(f"{path} is a Workings file, but its description is inconsistent: {error}") from error


# -- describing a network in JSON, and back -------------------------------------------------


def describe_network(network: Model) -> JsonObject:
    """Return a description of a network without its arrays, as plain JSON values."""
    if network.edits:
        raise InputError(
            f"This network's program was edited ({', '.join(target for target, _ in network.edits)}), and a file does "
            f"not store statements, so loading would restore the original ones. Save the original network."
        )
    classes = network.classes
    return {
        "n_in": network.n_in,
        "dtype": network.dtype.name,
        "layers": [describe_layer(layer) for layer in network.layers],
        "loss": describe_object(network.loss),
        "regularizers": [describe_object(r) for r in network.regularizers],
        "classes": None if classes is None else classes.tolist(),
        "preprocessing": network.preprocessing,
    }


def describe_object(thing: Any) -> JsonObject:
    """Return the class name and the fields of a loss or regularizer."""
    return {"kind": type(thing).__name__, **dataclasses.asdict(thing)}


def describe_layer(layer: Layer) -> JsonObject:
    """Return the class name and the fields of a layer, without initializers, because the file holds the arrays."""
    found: dict[str, Any] = {"kind": type(layer).__name__}
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if field.name == "activation":
            record = activation_named(value)
            value = {"name": record.name, "constants": dict(record.constants)}
        if not (isinstance(layer, FullyConnected) and field.name in ("weights", "biases")):
            found[field.name] = value
    return found


def network_from(about: Mapping[str, Any], custom: tuple[Any, ...]) -> Model:
    """Build a network from its description, without its arrays."""
    if len(about["layers"]) > MOST_LAYERS:
        raise FileError(f"The file describes {len(about['layers']):,} layers; at most {MOST_LAYERS:,} are read.")
    layers = [layer_from(layer, custom) for layer in about["layers"]]
    loss = object_from(about["loss"], {**LOSSES, **classes_by_name(custom, Loss)}, "loss")
    known = {**REGULARIZERS, **classes_by_name(custom, Regularizer)}
    regularizers = [object_from(r, known, "regularizer") for r in about["regularizers"]]
    n_in = about["n_in"]
    if isinstance(n_in, bool) or not isinstance(n_in, int) or not 0 < n_in <= MOST_UNITS:
        raise FileError(f"The file gives {n_in!r} as the number of inputs.")
    network = Model(layers, loss=loss, regularizer=regularizers, seed=0, dtype=about["dtype"])
    if about["classes"] is not None:
        network.set_classes(classes_from(about["classes"], network))
    network.preprocessing = about["preprocessing"]
    return network


def classes_from(values: Any, network: Model) -> Array:
    """Check stored class labels: distinct, of one type, and one for each output."""
    count = network.targets.label_count
    kinds = {type(value) for value in values} if isinstance(values, list) else set()
    if len(kinds) != 1 or not kinds <= {str, int, bool} or len(values) != count or len(set(values)) != count:
        raise FileError(f"The file should have {count} different class labels, whole numbers or text.")
    is_large = kinds == {int} and max(values) > np.iinfo(np.int64).max
    try:
        classes = np.array(values, dtype=np.uint64 if is_large else None)
    except OverflowError:
        raise FileError("The file's class labels are too large.") from None
    if classes.dtype.kind not in "iubU":
        raise FileError("The file's class labels are too large.")
    return classes


def layer_from(about: Mapping[str, Any], custom: tuple[Any, ...]) -> Layer:
    """Build one layer from its description."""
    fields = dict(about)
    if "activation" in fields:
        wanted = fields["activation"]
        known = {**ACTIVATIONS, **{a.name: a for a in custom if isinstance(a, Activation)}}
        if wanted["name"] not in known:
            raise FileError(
                f"The network uses the user-defined activation {wanted['name']!r}: pass it with the path, "
                f"custom=[{wanted['name']}]."
            )
        record = known[wanted["name"]].with_constants(**wanted["constants"])
        fields["activation"] = record.name if record == ACTIVATIONS.get(record.name) else record
    layer: Layer = object_from(fields, {**LAYERS, **classes_by_name(custom, Layer)}, "layer")
    if isinstance(layer, FullyConnected) and layer.units > MOST_UNITS:
        raise FileError(f"The file describes a layer of {layer.units} units.")
    return layer


def object_from(about: Mapping[str, Any], known: Mapping[str, type], what: str) -> Any:
    """Build a layer, loss or regularizer from its class name and fields."""
    fields = dict(about)
    kind = fields.pop("kind")
    if kind not in known:
        raise FileError(f"{unknown_name(what, kind, known)} If it is user-defined, pass it with the path, custom=[…].")
    return known[kind](**fields)


def classes_by_name(custom: tuple[object, ...], base: type) -> dict[str, type]:
    """Return the user-defined classes of one kind by name."""
    return {kind.__name__: kind for kind in custom if isinstance(kind, type) and issubclass(kind, base)}


def check_arrays(tensors: Mapping[str, Array], expected: Mapping[str, tuple[int, ...]], network: Model) -> None:
    """Raise if an array is missing, has a wrong shape or dtype, or is not finite."""
    for name, shape in expected.items():
        if name not in tensors:
            raise FileError(f"The file has no array {name!r} of shape {shape}.")
        if tensors[name].shape != shape or tensors[name].dtype != network.dtype:
            found = f"{tensors[name].shape} and type {tensors[name].dtype}"
            raise FileError(f"The array {name!r} has shape {found}; it should have {shape} and {network.dtype}.")
        if not np.isfinite(tensors[name]).all():
            raise FileError(f"The array {name!r} holds numbers that are not finite.")


def expected_shapes(network: Model, n_in: int | None = None) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array of a network with ``n_in`` inputs, without drawing initial values."""
    shapes: dict[str, tuple[int, ...]] = {}
    width = n_in or network.n_in or 1
    for layer, number in number_layers(network.layers):
        shapes |= {f"{letter}{number}": shape for letter, shape in layer.shapes(width).items()}
        width = layer.width(width)
    return shapes


# -- bytes ---------------------------------------------------------------------------------


def write_file(path: Path, tensors: Mapping[str, Array], about: Mapping[str, object]) -> Path:
    """Write arrays and their description atomically."""
    text = json.dumps(about, default=plain)
    content = pack_tensors({name: np.ascontiguousarray(a) for name, a in tensors.items()}, {FORMAT: text})
    write_bytes(path, content)
    return path


def plain(value: object) -> Any:
    """Convert NumPy scalars to Python numbers for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise InputError(f"{value!r} cannot be written to a file.")


def read_file(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read arrays and their description; raise for any other file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror or error}.") from error
    about = description_in(content, path)
    try:
        tensors = parse_tensors(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} is damaged or truncated: {error}. Write or copy it again.") from error
    return tensors, about


def description_in(content: bytes, path: Path) -> dict[str, object]:
    """Read the description from the header of a safetensors file.

    The safetensors library does not return the header when it parses bytes, so the eight bytes of the
    header's length and its JSON are parsed here.
    """
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(len(content) - 8, MOST_HEADER):
        raise FileError(f"{path} is not a safetensors file, or is truncated: it has {len(content):,} bytes.")
    try:
        header = json.loads(content[8 : 8 + length])
        text = header["__metadata__"][FORMAT]
        about = json.loads(text)
        about["version"]  # raises if the description has no version
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileError(
            f"{path} is not a Workings network: it has no Workings description in its header. "
            "Network.save writes files that Network.load can read."
        ) from error
    return checked_about(about, path)


def checked_about(about: Mapping[str, object], path: str | Path) -> dict[str, object]:
    """Raise for an unsupported format version, or a description without a network."""
    version = about.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version < math.inf:
        raise FileError(f"{path} has {version!r} as the version of its format.")
    if version > VERSION:
        raise FileError(
            f"{path} has format version {version}; this Workings reads up to {VERSION}. Upgrade: git pull "
            "and pip install . in the folder of the repository."
        )
    if not isinstance(about.get("network"), dict):
        raise FileError(f"{path} describes no network.")
    return dict(about)
