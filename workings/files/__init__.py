"""Files: one model, several formats; the end of a file's name says which.

``save`` and ``load`` only choose: each format is the module of its name in this folder, and that is where to read on.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workings.errors import FileError, InputError

if TYPE_CHECKING:
    from workings.files.agreement import Exported
    from workings.network import Network

WRITERS = {
    ".safetensors": "safetensors", ".onnx": "onnx", ".c": "c", ".json": "json", ".py": "python", ".pt": "torch",
    ".keras": "keras",
}  # fmt: skip
READERS = {".safetensors": "safetensors", ".onnx": "onnx", ".json": "json"}


def save(model: Any, path: str | Path, **settings: Any) -> Exported:
    """Write a model in the format that the end of the path names, run what was written, and compare predictions.

    Parameters
    ----------
    model : Network, or an estimator with a ``network_``
        A network that knows its parameters.
    path : path
        Ends in .safetensors, .onnx, .c (a header is written beside it), .json, .py, .pt (PyTorch) or .keras.
    **settings :
        ``name`` and ``int8`` for C.

    Returns
    -------
    Exported
        Which files were written, and how well what ran agrees with the network; its text says it in words.

    Raises
    ------
    FileError
        For an unknown end, a folder that cannot be written to, and predictions that differ: no file is left then.
    ProgramError
        For a function that the format has no words for; the message names it.
    MissingExtraError
        If the package that writes the format is not installed.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> net = Network([Dense(3, "tanh"), Dense(1)], loss=SquaredError(), seed=0, n_in=2)
    >>> [path.name for path in save(net, "line.json").paths]
    ['line.json']
    """
    network = getattr(model, "network_", model)
    if not hasattr(network, "inference"):
        raise InputError(f"A model is a Network or a fitted estimator with a network_, not {type(model).__name__}.")
    network.check_built()
    exported: Exported = module_for(Path(path), WRITERS).export(network, Path(path), **settings)
    return exported


def load(path: str | Path, **settings: Any) -> Network:
    """Read a network from a .safetensors, .json or .onnx file.

    Raises
    ------
    FileError
        For a file that is missing, damaged, foreign or of an unknown kind.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> net = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=2)
    >>> load(save(net, "line.json").paths[0])
    Network([Dense(1, 'identity')], loss=SquaredError(reduction='mean', half=False))
    """
    network: Network = module_for(Path(path), READERS).load(path, **settings)
    return network


def module_for(path: Path, known: dict[str, str]) -> Any:
    """The module that knows a format."""
    if path.suffix.lower() not in known:
        raise FileError(f"'{path}' ends in {path.suffix!r}; it must end in one of {', '.join(known)}.")
    return importlib.import_module(f"workings.files.{known[path.suffix.lower()]}")
