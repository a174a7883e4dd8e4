"""JSON: a network as text that people and other programs can read, and read back to the last bit.

It holds the same description as a network file (``docs/file-format.md``), each array with its name and shape as
nested lists, and the statements of a prediction, so that whoever reads it knows what to compute.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workings.activations import Activation
from workings.errors import FileError
from workings.files.safetensors import checked_about, description_of, network_of, own_things, plain
from workings.files.verification import Exported, compare, deliver, generated_rows
from workings.model.model import Model
from workings.support.arrays import Array

FORMAT = "workings network"
READ = "Network.from_json reads what `workings export MODEL model.json` or files.save(network, 'model.json') wrote."
MOST_BYTES = 1_000_000_000  # of a file that is read


def export(network: Model, path: Path) -> Exported:
    """Write a network as JSON, read it back and compare.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    rows = generated_rows(network)

    def check(folder: Path) -> Any:
        again = load(folder / path.name, custom=own_things(network))
        return compare("read back", network, rows, again.outputs(rows.X, engine="reference"), again.predict(rows.X)
                       if network.targets.kind in ("classes", "labels") else None)  # fmt: skip

    return deliver(path, {path.name: text_of(network).encode()}, check)


def text_of(network: Model) -> str:
    """The whole file."""
    arrays = {**network.parameters, **network.statistics}
    about = description_of(network)
    history = {} if network.history is None else {"history": json.loads(about.pop("history"))}
    whole = {
        "format": FORMAT,
        **about,
        **history,
        "prediction": [str(statement) for statement in network.inference.needed_for("p").statements],
        "arrays": {name: {"shape": list(array.shape), "values": array.tolist()} for name, array in arrays.items()},
    }
    return one_line_for_each_row(json.dumps(whole, indent=2, default=plain, ensure_ascii=False)) + "\n"


def one_line_for_each_row(text: str) -> str:
    """Write lists that hold only numbers on one line.

    >>> print(one_line_for_each_row(json.dumps([[1.0, -2.5], ["a"]], indent=2)))
    [
      [1.0, -2.5],
      [
        "a"
      ]
    ]
    """
    numbers = re.compile(r"\[\s*(-?[\d.eE+-]+(?:,\s*-?[\d.eE+-]+)*)\s*\]")
    return numbers.sub(lambda found: f"[{', '.join(found[1].replace(',', ' ').split())}]", text)


def load(path: str | Path, *, custom: Iterable[Activation | type] = ()) -> Model:
    """Read a network that was written as JSON.

    Parameters
    ----------
    path : path
        The file.
    custom : activations and classes
        Your own activations, layers, losses and regularizers that the network was made with.

    Raises
    ------
    FileError
        For a file that is missing, damaged, foreign, too large, or written by a newer version.
    """
    about = checked_about(parsed(Path(path)), path)
    history = {"history": json.dumps(about["history"])} if "history" in about else {}
    return network_of(path, {**about, **history}, lambda: arrays_in(about), custom)


def parsed(path: Path) -> Any:
    """The content of a file, as far as it is JSON of ours."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FileError(f"{path} has {path.stat().st_size:,} bytes; at most {MOST_BYTES:,} are read.")
        about = json.loads(path.read_text(encoding="utf-8"))
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} is no JSON, or is cut short: {str(error)[:100]}. {READ}") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise FileError(f'{path} is JSON, but no Workings network: it has no "format": "{FORMAT}". {READ}')
    return about


def arrays_in(about: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays, each of the shape that it says it has and of the network's type."""
    dtype = {"float32": np.float32, "float64": np.float64}[about["network"]["dtype"]]
    found: dict[str, Array] = {}
    for name, stored in about["arrays"].items():
        with np.errstate(over="ignore"):
            array = np.array(stored["values"], dtype=dtype)
        if list(array.shape) != stored["shape"] or not all_numbers(stored["values"]):
            raise FileError(f"The array {name!r} has shape {array.shape}; it says it has {stored['shape']!r}.")
        found[name] = array
    return found


def all_numbers(values: Any) -> bool:
    """Return whether there is nothing but numbers in nested lists: no text, no true and false."""
    if isinstance(values, list):
        return all(all_numbers(value) for value in values)
    return isinstance(values, (int, float)) and not isinstance(values, bool)
