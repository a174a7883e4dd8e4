"""Network files: safetensors, with the architecture as JSON in the header.

The numbers lie in the file as they are in memory, so predictions are equal to the last bit; nothing
is pickled and nothing in a file is ever executed.  Files are written to a temporary name and
renamed, so there is a whole file or none.  ``docs/file-format.md`` describes the format.
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
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as pack_tensors

from workings.activations import ACTIVATIONS, Activation, activation_named
from workings.arrays import Array, put_state, state_of
from workings.errors import FileError, InputError, WorkingsError, WorkingsWarning, unknown_name
from workings.files.agreement import Agreement, Exported, compare, deliver, generated_rows
from workings.history import History
from workings.layers import LAYERS, Dense, Layer, numbered
from workings.losses import LOSSES, Loss
from workings.network import Network
from workings.optimizers import LBFGS
from workings.regularizers import REGULARIZERS, Regularizer
from workings.version import __version__
from workings.writing import write_bytes

if TYPE_CHECKING:
    from workings.training import Training

FORMAT = "workings"
VERSION = 1
MOST_HEADER = 100_000_000  # bytes of header that safetensors itself allows
MOST_UNITS = 10_000_000
PICKLED = "is not read here, because a pickle can run code: load it where it was made, and hand it over to"
OTHER_READERS = {  # what reads files of other kinds
    ".json": "JSON is read by Network.from_json.",
    ".onnx": "ONNX is read by Network.from_onnx.",
    **dict.fromkeys((".pt", ".pth"), f"A file of PyTorch {PICKLED} Network.from_torch(module)."),
    **dict.fromkeys((".keras", ".h5"), "A file of Keras is not read here, because it can name code: load it with "
                    "Keras, and hand it over to Network.from_keras(model)."),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), f"It {PICKLED} Network.from_sklearn(estimator)."),
}  # fmt: skip
MOST_LAYERS = 1000  # of a network that is read: the program's length, and the time to write it, grow with them


def save(network: Network, path: str | Path) -> Path:
    """Write a network: architecture, parameters, statistics, classes and preprocessing.

    Raises
    ------
    InputError
        If the network has no parameters yet.
    FileError
        If the file cannot be written; nothing half-written is left.
    """
    network.check_built()
    tensors = {**network.parameters, **network.statistics}
    return write_file(Path(path), tensors, description_of(network))


def export(network: Network, path: Path) -> Exported:
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
        again = load(folder / path.name, custom=own_things(network))
        return compare("read back", network, rows, again.outputs(rows.X, engine="reference"))

    return deliver(path, {path.name: content}, check)


def own_things(network: Network) -> list[Any]:
    """The activations and classes that a network was made with, as ``custom`` wants them."""
    kinds = {type(thing) for thing in (*network.layers, network.loss, *network.regularizers)}
    return [*kinds, *(layer.bend for layer in network.layers)]


def description_of(network: Network) -> dict[str, Any]:
    """All that a file says about a network: what it is, the versions it was made with, how it was trained."""
    about = {
        "version": VERSION,
        "written_by": __version__,
        "versions": {"workings": __version__, "numpy": np.__version__, "python": platform.python_version()},
        "network": describe_network(network),
    }
    return about if network.history is None else {**about, "history": network.history.to_json()}


def load(path: str | Path, *, custom: Iterable[Activation | type] = ()) -> Network:
    """Read a network that ``save`` or a checkpoint wrote.

    Parameters
    ----------
    path : path
        The file.
    custom : activations and classes
        Your own activations, layers, losses and regularizers that the network was made with.

    Raises
    ------
    FileError
        For a file that is missing, damaged, foreign, or written by a newer version.
    """
    try:
        tensors, about = read_file(Path(path))
    except FileError as error:
        hint = OTHER_READERS.get(Path(path).suffix.lower())
        raise error if hint is None else FileError(f"{error} {hint}") from error
    return network_of(path, about, lambda: tensors, custom)


def network_of(
    path: str | Path, about: Mapping[str, Any], arrays: Callable[[], Mapping[str, Array]],
    custom: Iterable[Activation | type],
) -> Network:  # fmt: skip
    """Make the network that a file describes, with its arrays.

    Raises
    ------
    FileError
        If description and arrays do not hold together.
    """
    own_things = (custom,) if isinstance(custom, (Activation, type)) else tuple(custom)
    with holding_together(path), warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkingsWarning)  # was given when the network was made
        network = network_from(about["network"], own_things)
        tensors = arrays()
        check_arrays(tensors, expected_shapes(network), network)
        network.build(network.n_in or 1)
        network.keep(tensors)
        text = about.get("history", about.get("training", {}).get("history"))
        network.history = None if text is None else History.from_json(text)
    return network


@contextmanager
def holding_together(path: str | Path) -> Iterator[None]:
    """Whatever a description that contradicts itself leads to, it is a FileError."""
    try:
        yield
    except FileError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, MemoryError, WorkingsError) as error:
        raise FileError(f"{path} is a Workings file, but its description does not hold together: {error}") from error


# -- describing a network in JSON, and back -------------------------------------------------


def describe_network(network: Network) -> dict[str, Any]:
    """Everything about a network but its arrays, as plain JSON values."""
    if network.edits:
        raise InputError(
            f"This network's program was edited ({', '.join(target for target, _ in network.edits)}), and a file holds "
            f"no statements: whoever reads it would get the right ones. Save the network from which it was made."
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


def describe_object(thing: Any) -> dict[str, Any]:
    """The class and the fields of a description."""
    return {"kind": type(thing).__name__, **dataclasses.asdict(thing)}


def describe_layer(layer: Layer) -> dict[str, Any]:
    """The class and the fields of a layer; first values are left out, because the arrays are there."""
    found: dict[str, Any] = {"kind": type(layer).__name__}
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if field.name == "activation":
            record = activation_named(value)
            value = {"name": record.name, "constants": dict(record.constants)}
        if not (isinstance(layer, Dense) and field.name in ("weights", "biases")):
            found[field.name] = value
    return found


def network_from(about: Mapping[str, Any], custom: tuple[Any, ...]) -> Network:
    """Make the network that a description tells of, without its arrays."""
    if len(about["layers"]) > MOST_LAYERS:
        raise FileError(f"The file describes {len(about['layers']):,} layers; at most {MOST_LAYERS:,} are read.")
    layers = [layer_from(layer, custom) for layer in about["layers"]]
    loss = object_from(about["loss"], {**LOSSES, **own(custom, Loss)}, "loss")
    known = {**REGULARIZERS, **own(custom, Regularizer)}
    regularizers = [object_from(r, known, "regularizer") for r in about["regularizers"]]
    n_in = about["n_in"]
    if isinstance(n_in, bool) or not isinstance(n_in, int) or not 0 < n_in <= MOST_UNITS:
        raise FileError(f"The file gives {n_in!r} as the number of inputs.")
    network = Network(layers, loss=loss, regularizer=regularizers, seed=0, dtype=about["dtype"])
    network.n_in, network.rng_made = n_in, None  # its parameters do not come from a seed
    if about["classes"] is not None:
        network.targets = dataclasses.replace(network.targets, classes=classes_from(about["classes"], network))
    network.preprocessing = about["preprocessing"]
    return network


def classes_from(values: Any, network: Network) -> Array:
    """The labels behind the outputs, if they are as many as these, of one kind, and all different."""
    count = network.n_out if network.loss.target == "classes" else 2
    kinds = {type(value) for value in values} if isinstance(values, list) else set()
    if len(kinds) != 1 or not kinds <= {str, int, bool} or len(values) != count or len(set(values)) != count:
        raise FileError(f"The file should have {count} different class labels, whole numbers or text.")
    classes = np.array(values)
    if classes.dtype.kind not in "iubU":
        raise FileError("The file's class labels are too large.")
    return classes


def layer_from(about: Mapping[str, Any], custom: tuple[Any, ...]) -> Layer:
    """Make one layer of its description."""
    fields = dict(about)
    if "activation" in fields:
        wanted = fields["activation"]
        known = {**ACTIVATIONS, **{a.name: a for a in custom if isinstance(a, Activation)}}
        if wanted["name"] not in known:
            raise FileError(
                f"The network uses an activation of its own, {wanted['name']!r}: pass it with the path, "
                f"custom=[{wanted['name']}]."
            )
        record = known[wanted["name"]].with_constants(**wanted["constants"])
        fields["activation"] = record.name if record == ACTIVATIONS.get(record.name) else record
    layer: Layer = object_from(fields, {**LAYERS, **own(custom, Layer)}, "layer")
    if isinstance(layer, Dense) and layer.units > MOST_UNITS:
        raise FileError(f"The file asks for a layer of {layer.units} units.")
    return layer


def object_from(about: Mapping[str, Any], known: Mapping[str, type], what: str) -> Any:
    """Make a layer, loss or regularizer of its class and fields."""
    fields = dict(about)
    kind = fields.pop("kind")
    if kind not in known:
        raise FileError(f"{unknown_name(what, kind, known)} If it is your own, pass it with the path, custom=[…].")
    return known[kind](**fields)


def own(custom: tuple[Any, ...], base: type) -> dict[str, type]:
    """The user's own classes of one kind by name."""
    return {kind.__name__: kind for kind in custom if isinstance(kind, type) and issubclass(kind, base)}


def check_arrays(tensors: Mapping[str, Array], expected: Mapping[str, tuple[int, ...]], network: Network) -> None:
    """Refuse a file in which an array is missing, or of another shape or type, or not finite."""
    for name, shape in expected.items():
        if name not in tensors:
            raise FileError(f"The file has no array {name!r} of shape {shape}.")
        if tensors[name].shape != shape or tensors[name].dtype != network.dtype:
            found = f"{tensors[name].shape} and type {tensors[name].dtype}"
            raise FileError(f"The array {name!r} has shape {found}; it should have {shape} and {network.dtype}.")
        if not np.isfinite(tensors[name]).all():
            raise FileError(f"The array {name!r} holds numbers that are not finite.")


def expected_shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """The shape of each array that a network needs, found without drawing numbers."""
    shapes: dict[str, tuple[int, ...]] = {}
    width = network.n_in or 1
    for layer, number in numbered(network.layers):
        shapes |= {f"{letter}{number}": shape for letter, shape in layer.shapes(width).items()}
        width = layer.width(width)
    return shapes


# -- checkpoints ---------------------------------------------------------------------------


def save_checkpoint(training: Training, path: Path) -> None:
    """Write the network and all that a run needs to go on: state, order of chance, history."""
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
    about = {key: value for key, value in description_of(network).items() if key != "history"}  # the run has its own
    run = {
        "epoch": training.epoch, "step": training.step, "plateau": training.plateau, "stopped": training.stopped,
        "optimizer": repr(training.optimizer), "data": training.fingerprint, "random": random_state(network.rng),
        "history": training.history.to_json(), "callbacks": remembered,
    }  # fmt: skip
    write_file(path, tensors, {**about, "training": run})


def load_checkpoint(training: Training, path: Path) -> None:
    """Put a run into the state that a checkpoint holds.

    Raises
    ------
    InputError
        For L-BFGS, which keeps its memory in SciPy.
    FileError
        If the file is no checkpoint, is damaged, or is one of another run.
    """
    if isinstance(training.optimizer, LBFGS):
        raise InputError(f"L-BFGS cannot go on from {path}: it keeps its memory in SciPy. Move it away to begin anew.")
    tensors, about = read_file(path)
    if "training" not in about:
        raise FileError(f"{path} is a network file, not a checkpoint: it has nothing to go on from.")
    with holding_together(path):
        check_same_run(training, path, about)
        resume(training, tensors, about["training"])


def check_same_run(training: Training, path: Path, about: Mapping[str, Any]) -> None:
    """Refuse the checkpoint of another network, optimizer, data, kind of seed, or list of callbacks."""
    run = about["training"]
    kinds = [type(callback).__name__ for callback in training.callbacks]
    differ = {
        "network": (architecture(about["network"]), architecture(describe_network(training.network))),
        "optimizer": (run["optimizer"], repr(training.optimizer)),
        "table of data, or was cut into other batches": (run["data"], training.fingerprint),
        "source of random numbers": (
            run["random"]["bit_generator"],
            random_state(training.network.rng)["bit_generator"],
        ),
        "list of callbacks": ([callback["kind"] for callback in run["callbacks"]], kinds),
    }
    for what, (theirs, ours) in differ.items():
        if theirs != ours:
            detail = "" if what == "network" else f": {theirs}, not {ours}"
            raise FileError(f"{path} is the checkpoint of another {what}{detail}. Move it away to begin anew.")


def architecture(about: Mapping[str, Any]) -> Any:
    """A network's description without what training and tables add to it, as JSON gives it back."""
    return json.loads(
        json.dumps({k: v for k, v in about.items() if k not in ("classes", "preprocessing")}, default=plain)
    )


def resume(training: Training, tensors: Mapping[str, Array], run: Mapping[str, Any]) -> None:
    """Take over all that a checkpoint holds, once everything in it has been checked."""
    network = training.network
    states = {f"state.{name}": training.values[name].shape for name in training.program.states}
    check_arrays(tensors, {**expected_shapes(network), **states}, network)
    epoch, step, history = int(run["epoch"]), int(run["step"]), History.from_json(run["history"])
    if not 0 <= epoch < history.epochs + 1 or step < 0 or not isinstance(run["plateau"], dict):
        raise FileError("The checkpoint's counts do not fit each other.")
    restore_random(network.rng, run["random"])
    for index, (callback, kept) in enumerate(zip(training.callbacks, run["callbacks"], strict=True)):
        prefix = f"callback{index}."
        arrays = {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}
        if arrays.keys() & expected_shapes(network).keys():  # a copy of the network's arrays
            check_arrays(arrays, expected_shapes(network), network)
        callback.restore({**kept["state"], **arrays})
    network.keep(tensors)
    training.values.update(network.start_values(training.program))
    training.values.update({name: tensors[f"state.{name}"] for name in training.program.states})
    history.engine, history.stopped = training.history.engine, ""
    training.epoch, training.step, training.stopped = epoch + 1, step, str(run["stopped"])
    training.plateau, training.history = dict(run["plateau"]), history


def random_state(rng: Any) -> dict[str, Any]:
    """The state of a source of random numbers as plain JSON values."""
    plain: dict[str, Any] = json.loads(json.dumps(state_of(rng), default=lambda value: value.tolist()))
    return plain


def restore_random(rng: Any, state: dict[str, Any]) -> None:
    """Put a source of random numbers back into a state."""
    if isinstance(rng, np.random.RandomState):
        state["state"]["key"] = np.array(state["state"]["key"], dtype=np.uint32)
    put_state(rng, state)


# -- bytes ---------------------------------------------------------------------------------


def write_file(path: Path, tensors: Mapping[str, Array], about: Mapping[str, Any]) -> Path:
    """Write arrays and their description in one safe move."""
    text = json.dumps(about, default=plain)
    content = pack_tensors({name: np.ascontiguousarray(a) for name, a in tensors.items()}, {FORMAT: text})
    write_bytes(path, content)
    return path


def plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise InputError(f"{value!r} cannot be written to a file.")


def read_file(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read arrays and their description; refuse whatever is not one of our files."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror or error}.") from error
    about = description_in(content, path)
    try:
        tensors = parse_tensors(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} is damaged or cut short: {error}. Write it anew or fetch it again.") from error
    return tensors, about


def description_in(content: bytes, path: Path) -> dict[str, Any]:
    """Find our JSON in the header of a safetensors file.

    The library that reads the arrays does not hand out the header of bytes, so its eight bytes of
    length and its JSON are read here.
    """
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(len(content) - 8, MOST_HEADER):
        raise FileError(f"{path} is not a safetensors file, or is cut short: it has {len(content):,} bytes.")
    try:
        header = json.loads(content[8 : 8 + length])
        text = header["__metadata__"][FORMAT]
        about = json.loads(text)
        about["version"]  # a table that has one
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileError(
            f"{path} is not a Workings network: it has no Workings description in its header. "
            "Network.save writes files that Network.load can read."
        ) from error
    return checked_about(about, path)


def checked_about(about: Mapping[str, Any], path: str | Path) -> dict[str, Any]:
    """Refuse a description of another version, or of no network."""
    version = about.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version < math.inf:
        raise FileError(f"{path} has {version!r} as the version of its format.")
    if version > VERSION:
        raise FileError(
            f"{path} has format version {version}; this Workings reads up to {VERSION}. Upgrade with: "
            "pip install --upgrade workings"
        )
    if not isinstance(about.get("network"), dict):
        raise FileError(f"{path} describes no network.")
    return dict(about)
