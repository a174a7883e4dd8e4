"""Print digests of what the library computes, so that a change of structure can be shown to change no bit.

    python -m tools.digest > before.txt      # at one commit
    python -m tools.digest > after.txt       # at another; equal files mean equal bits

Each line is a name and a SHA-256: of the parameters and histories of random trainings on each engine, of the code of
the scripts of the four tutorials, and of the figures of their experiments.  The trainings are drawn from a fixed seed:
layers, losses, optimizers, regularizers, schedules, callbacks, validation, weights and batch sizes.  Digests depend on
the processor and on the versions of NumPy and llvmlite; compare them on one machine.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import json
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workings import BatchNorm, Chain, ClipByNorm, Dense, DivergenceError, Dropout, EarlyStopping, Network, Signals
from workings.activations import ACTIVATIONS
from workings.experiments.report import ExperimentSettings
from workings.losses import LOSSES
from workings.optimizers import OPTIMIZERS
from workings.regularizers import L1, L2
from workings.schedules import Cosine, OnPlateau

EXPERIMENTS = ("xor", "moons", "digits", "mnist")
STRUCTURES = 40  # compiled once each
VARIANTS = 5  # seeds, data and settings that compile to the same program


def choose(rng: np.random.Generator, options: Any) -> Any:
    """Return one of the options."""
    return options[int(rng.integers(len(options)))]


def random_layers(rng: np.random.Generator, n_out: int) -> list[Any]:
    """Draw one to four layers that end with ``n_out`` outputs."""
    layers: list[Any] = []
    for _ in range(int(rng.integers(0, 4))):
        kind = rng.random()
        if kind < 0.7:
            layers.append(Dense(int(rng.integers(2, 9)), choose(rng, sorted(ACTIVATIONS)), bias=rng.random() < 0.8))
        elif kind < 0.85:
            layers.append(Dropout(0.2))
        else:
            layers.append(BatchNorm("relu"))
    return [*layers, Dense(n_out)]


def random_targets(rng: np.random.Generator, kind: str, rows: int, n_out: int) -> Any:
    """Draw targets of the kind that a loss takes."""
    shape = (rows,) if n_out == 1 else (rows, n_out)
    if kind == "classes":
        return np.arange(rows) % n_out
    if kind == "labels":
        return rng.integers(0, 2, shape).astype(float)
    return rng.poisson(2.0, shape).astype(float) if kind == "counts" else rng.normal(size=shape)


def random_structure(rng: np.random.Generator) -> dict[str, Any]:
    """Draw what decides which program is compiled."""
    loss = choose(rng, sorted(LOSSES))
    n_out = int(rng.integers(2, 4)) if LOSSES[loss].target == "classes" else int(rng.integers(1, 3))
    optimizer = OPTIMIZERS[choose(rng, sorted(OPTIMIZERS))]
    return {
        "layers": random_layers(rng, n_out), "loss": LOSSES[loss](), "n_out": n_out, "n_in": int(rng.integers(1, 6)),
        "regularizer": choose(rng, (None, L2(0.01), [L1(0.001), L2(0.02)])), "optimizer": optimizer,
        "is_clipped": rng.random() < 0.3, "rows": int(rng.integers(20, 60)), "weighted": rng.random() < 0.3,
        "dtype": choose(rng, ("float32", "float64", "float64")),
    }  # fmt: skip


def random_settings(rng: np.random.Generator, structure: Mapping[str, Any], X: Any, y: Any) -> dict[str, Any]:
    """Draw the settings of a training of that structure."""
    rate = choose(rng, (0.01, 0.02, Cosine(0.02, 400), OnPlateau(0.02, monitor="loss", patience=2)))
    optimizer = structure["optimizer"](rate)
    validation = choose(rng, (None, 0.25, (X[:7], y[:7])))
    callbacks: list[Any] = [EarlyStopping("loss" if validation is None else "val_loss", patience=4)]
    return {
        "optimizer": Chain(ClipByNorm(0.5), optimizer) if structure["is_clipped"] else optimizer,
        "epochs": int(rng.integers(3, 15)), "batch_size": choose(rng, (None, 8, 16)), "shuffle": rng.random() < 0.8,
        "validation": validation, "running_loss": rng.random() < 0.3,
        "callbacks": choose(rng, ([], callbacks, [Signals(X[:5], y[:5])], [*callbacks, Signals(X[:5], y[:5])])),
        "sample_weight": rng.uniform(0.1, 2, len(X)) if structure["weighted"] else None,
        "metrics": choose(rng, ((), ("accuracy",) if structure["loss"].target in ("classes", "labels") else ("r2",))),
    }  # fmt: skip


def trainings(structures: int, variants: int) -> Iterator[tuple[Network, Any, Any, dict[str, Any]]]:
    """Yield networks with data and the settings of their training."""
    for number in range(structures):
        structure = random_structure(np.random.default_rng([number, 19]))
        for variant in range(variants):
            rng = np.random.default_rng([number, variant])
            X = rng.normal(size=(structure["rows"], structure["n_in"])).astype(structure["dtype"])
            y = random_targets(rng, structure["loss"].target, len(X), structure["n_out"])
            network = Network(
                structure["layers"], loss=structure["loss"], regularizer=structure["regularizer"], seed=number + variant
            )
            yield network, X, y, random_settings(rng, structure, X, y)


def trained(network: Network, X: Any, y: Any, settings: dict[str, Any], engine: str) -> bytes:
    """Train, and return the bytes of the history, the parameters and the predictions, or the text of the error."""
    try:
        history = network.fit(X, y, engine=engine, **settings)
    except DivergenceError as error:
        return str(error).encode()
    pieces = [repr(dict(history)).encode(), history.stopped.encode(), network.theta.tobytes()]
    return b"".join([*pieces, network.outputs(X, engine="reference").tobytes()])


def digest_of_trainings(engine: str, structures: int, variants: int) -> str:
    """Digest all random trainings on one engine."""
    digest = hashlib.sha256()
    for count, (network, X, y, settings) in enumerate(trainings(structures, variants)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            digest.update(trained(network, X, y, settings, engine))
        if count % variants == 0:
            print(f"{engine}: training {count} of {structures * variants}", file=sys.stderr)
    return digest.hexdigest()


def code_of(script: str) -> str:
    """Return the statements of a script without comments and docstrings, which may be reworded."""
    tree = ast.parse(script)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return ast.unparse(tree)


def digest_of_scripts() -> str:
    """Digest the code of the scripts of the four tutorials."""
    digest = hashlib.sha256()
    for name in EXPERIMENTS:
        task = importlib.import_module(f"workings.experiments.{name}").task()
        network = task.network.build(task.X.shape[1], task.X.dtype)
        file = None if name == "xor" else f"{name}-data.npz"
        text = network.script(data_file=file, **task.script_settings)
        digest.update(code_of(text).encode())
    return digest.hexdigest()


def digest_of_figures(name: str) -> str:
    """Run the experiment of a tutorial and digest what it measures."""
    with tempfile.TemporaryDirectory() as folder:
        figures = importlib.import_module(f"workings.experiments.{name}").run(ExperimentSettings(Path(folder)))
    measured = [repr(figure.measured) for figure in figures]
    return hashlib.sha256(json.dumps(measured).encode()).hexdigest()


def main() -> None:
    """Print all digests."""
    parser = argparse.ArgumentParser(description="Print digests of what the library computes.")
    parser.add_argument(
        "--structures", type=int, default=STRUCTURES, help="structures of networks (default: %(default)s)"
    )
    parser.add_argument("--variants", type=int, default=VARIANTS, help="trainings of each (default: %(default)s)")
    parser.add_argument("--only", choices=("reference", "compiled", "scripts", "figures"), help="one kind of digest")
    given = parser.parse_args()
    for engine in ("reference", "compiled"):
        if given.only in (None, engine):
            print(f"trainings {engine:<10}", digest_of_trainings(engine, given.structures, given.variants))
    if given.only in (None, "scripts"):
        print("scripts of tutorials", digest_of_scripts())
    if given.only in (None, "figures"):
        for name in EXPERIMENTS:
            print(f"figures {name:<12}", digest_of_figures(name))


if __name__ == "__main__":
    main()
