"""Export and import of models; the suffix of the path selects the format.

``save`` and ``load`` delegate to the module of the format in this folder, such as ``onnx.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workings.errors import FileError, InputError
from workings.network import Network
from workings.support.atomic_files import as_path
from workings.support.keywords import checked_keywords

if TYPE_CHECKING:
    from workings.files.verification import Exported
    from workings.model.model import Model

WRITERS = (".safetensors", ".onnx", ".c", ".json", ".py", ".pt", ".keras")
PREDICTING = (".onnx", ".c", ".pt", ".keras")  # the formats that hold a prediction alone, and no training
SETTINGS = {".c": ("name", "int8")}  # other formats have no settings
READERS = (".safetensors", ".json", ".onnx")


@checked_keywords
def save(model: object, path: str | Path, **settings: object) -> Exported:
    """Write a model in the format of the path's suffix, run the written file, and compare its predictions.

    Parameters
    ----------
    model : Network, Ensemble, an estimator with a ``network_``, or what ``Network.from_sklearn`` takes
        A network with parameters, or a fitted MLP or Pipeline of scikit-learn.  An ``Ensemble`` is written as one
        network; see ``Ensemble.merged``.
    path : path
        Ends in .safetensors, .onnx, .c (with a header next to it), .json, .py, .pt (PyTorch) or .keras.
    **settings :
        ``name`` and ``int8`` for C.

    Returns
    -------
    Exported
        The written files, and how well their predictions agree with the network's; print it for a summary.

    Raises
    ------
    InputError
        For an object that is not a model, a model without parameters, and an unknown setting.
    FileError
        For an unknown suffix, a folder that is not writable, and predictions that differ; no file is written
        then.
    ProgramError
        For a function that the format cannot express; the message names it.
    MissingExtraError
        If the package that writes the format is not installed.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> net = Network([Dense(3, "tanh"), Dense(1)], loss=SquaredError(), seed=0, n_in=2)
    >>> [path.name for path in save(net, "line.json").paths]
    ['line.json']
    """
    network = network_of(model)
    network.check_built()
    known = SETTINGS.get(as_path(path).suffix.lower(), ())
    for name in settings:
        if name not in known:
            raise InputError(f"{name}= is not a setting for '{path}'. Known: {', '.join(known) or 'none'}.")
    try:
        return writer_for(as_path(path))(for_format(network, as_path(path)), as_path(path), **settings)
    except UnicodeEncodeError as error:
        raise InputError(
            f"'{path}' cannot hold the text {error.object[:40]!a}: it has half of a character (a lone surrogate) in a "
            f"label or a column. Replace that text."
        ) from error


def for_format(network: Model, path: Path) -> Model:
    """Return the network to write: for formats that only predict, one of fewer kinds of layers."""
    from workings.files.folding import folded

    return folded(network) if path.suffix.lower() in PREDICTING else network


def network_of(model: Any) -> Model:
    """Return the network of a model: the model itself, an estimator's network, or one converted from scikit-learn."""
    family = type(model).__module__.partition(".")[0]
    if hasattr(model, "merged"):  # an ensemble
        merged: Model = model.merged()
        return merged
    if hasattr(model, "networks_"):  # an estimator for tables; its network has the columns already
        of_table: Model = model.network_
        return of_table
    if family == "sklearn" or hasattr(model, "feature_names_in_"):
        from workings.files.sklearn import from_sklearn

        return from_sklearn(model)
    network: Model = getattr(model, "network_", model)
    if not hasattr(network, "inference"):
        raise InputError(
            f"A model is a Network, a fitted estimator with a network_, or one that Network.from_sklearn takes, not "
            f"{type(model).__name__}." + (" Fit it first." if family == "workings" else "")
        )
    return network


@checked_keywords
def load(path: str | Path, **settings: object) -> Network:
    """Read a network from a .safetensors, .json or .onnx file.

    Raises
    ------
    FileError
        For a file that is missing, damaged, not a supported network or of an unknown type.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> net = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=2)
    >>> load(save(net, "line.json").paths[0])
    Network([Dense(1, 'identity')], loss=SquaredError(reduction='mean', half=False))
    """
    return Network.from_model(reader_for(as_path(path))(path, **settings))


def writer_for(path: Path) -> Callable[..., Exported]:
    """Return the function that writes a format; its module is imported on first use."""
    export: Callable[..., Exported]
    match path.suffix.lower():
        case ".safetensors":
            from workings.files.safetensors import export
        case ".onnx":
            from workings.files.onnx import export
        case ".c":
            from workings.files.c import export
        case ".json":
            from workings.files.json import export
        case ".py":
            from workings.files.python import export
        case ".pt":
            from workings.files.torch import export
        case ".keras":
            from workings.files.keras import export
        case _:
            raise unknown_end(path, WRITERS)
    return export


def reader_for(path: Path) -> Callable[..., Model]:
    """Return the function that reads a format."""
    load: Callable[..., Model]
    match path.suffix.lower():
        case ".safetensors":
            from workings.files.safetensors import load
        case ".json":
            from workings.files.json import load
        case ".onnx":
            from workings.files.onnx_import import load
        case _:
            raise unknown_end(path, READERS)
    return load


def unknown_end(path: Path, known: tuple[str, ...]) -> FileError:
    """Return the error for an unsupported suffix."""
    from workings.files.safetensors import OTHER_READERS

    hint = f" {OTHER_READERS[path.suffix.lower()]}" if path.suffix.lower() in OTHER_READERS else ""
    return FileError(f"'{path}' ends in {path.suffix!r}; it must end in one of {', '.join(known)}.{hint}")
