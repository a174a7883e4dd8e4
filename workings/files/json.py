"""JSON: a network as readable text that can be loaded with the same bits.

The file holds the description of a network file (``docs/file-format.md``), each array with its name and shape
as nested lists, and the statements of a prediction, so that other programs know what to compute.
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
from workings.files.safetensors import checked_about, custom_objects, description_of, network_of, plain
from workings.files.verification import Agreement, Exported, compare, generated_rows, write_verified
from workings.model.model import Model
from workings.support.arrays import Array
from workings.support.atomic_files import as_path
from workings.support.keywords import checked_keywords

FORMAT = "workings network"
READ = "Network.from_json reads what `workings export MODEL model.json` or files.save(network, 'model.json') wrote."
MOST_BYTES = 1_000_000_000  # limit on the file size when reading


def export(network: Model, path: Path) -> Exported:
    """Write a network as JSON, read it back and compare.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    rows = generated_rows(network)

    def check(folder: Path) -> Agreement:
        again = load(folder / path.name, custom=custom_objects(network))
        return compare(
            "read back",
            network,
            rows,
            again.outputs(rows.X, engine="reference"),
            again.predict(rows.X) if network.targets.is_classification else None,
        )

    return write_verified(path, {path.name: text_of(network).encode()}, check)


def text_of(network: Model) -> str:
    """Return the content of the file."""
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


@checked_keywords
def load(path: str | Path, *, custom: Iterable[Activation | type] = ()) -> Model:
    """Read a network that was written as JSON.

    Parameters
    ----------
    path : path
        The file.
    custom : activations and classes
        User-defined activations, layers, losses and regularizers of the network.

    Raises
    ------
    FileError
        For a file that is missing, damaged, not a Workings network, too large, or written by a newer version.
    """
    about = checked_about(parse_json(as_path(path)), path)
    history = {"history": json.dumps(about["history"])} if "history" in about else {}
    return network_of(path, {**about, **history}, lambda: arrays_in(about), custom)


def parse_json(path: Path) -> Any:  # whatever the file holds
    """Parse a file; raise unless it is JSON of the expected format."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FileError(f"{path} has {path.stat().st_size:,} bytes; at most {MOST_BYTES:,} are read.")
        about = json.loads(path.read_text(encoding="utf-8"))
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} is not JSON, or is truncated: {str(error)[:100]}. {READ}") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise FileError(f'{path} is JSON, but not a Workings network: it has no "format": "{FORMAT}". {READ}')
    return about


def arrays_in(about: Mapping[str, Any]) -> dict[str, Array]:
    """Return the arrays in the network's dtype; raise if one does not have its stated shape."""
    dtype = {"float32": np.float32, "float64": np.float64}[about["network"]["dtype"]]
    found: dict[str, Array] = {}
    for name, stored in about["arrays"].items():
        with np.errstate(over="ignore"):
            array = np.array(stored["values"], dtype=dtype)
        if list(array.shape) != stored["shape"] or not all_numbers(stored["values"]):
            raise FileError(f"The array {name!r} has shape {array.shape}; its description says {stored['shape']!r}.")
        found[name] = array
    return found


def all_numbers(values: object) -> bool:
    """Return whether nested lists contain only numbers: no text, no booleans."""
    if isinstance(values, list):
        return all(all_numbers(value) for value in values)
    return isinstance(values, (int, float)) and not isinstance(values, bool)
