"""Write the scripts of the four experiments to docs/scripts; their data, but for xor, come from `workings script`."""

from __future__ import annotations

import importlib
from pathlib import Path

from workings.readings.script import script
from workings.support.atomic_files import write_bytes

FOLDER = Path(__file__).parent.parent / "docs" / "scripts"
NAMES = ("xor", "moons", "digits", "mnist")


def text_of(name: str) -> str:
    """The script of an experiment; four rows stand in it, more come from a file."""
    task = importlib.import_module(f"workings.experiments.{name}").task()
    network = task.network.build(task.X.shape[1], task.X.dtype)
    file = None if name == "xor" else f"{name}-data.npz"
    return script(network, data_file=file, **task.script_settings)


if __name__ == "__main__":
    for name in NAMES:
        write_bytes(FOLDER / f"{name}.py", text_of(name).encode())
