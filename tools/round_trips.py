"""Measure how closely exported files of random float32 networks reproduce the networks' predictions.

The networks come from the tests' strategies.  Each one's C and ONNX files are run on 200 generated rows.  The largest
difference is given relative to the entry or to the typical size of its column, as exports compare, and relative to
the largest entry of all.  The last line compares each network's own predictions in float32 with those in float64.

    python -m tools.round_trips 150 1
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.strategies import Problem, problems
from tests.test_exports import in_precision
from workings import Network, files
from workings.engines.reference import Runner
from workings.files.verification import TOLERANCE, generated_rows, largest_difference

Measured = dict[str, float]


def rounding(network: Network) -> float:
    """Return the difference of a network's predictions in float32 and float64, on the generated rows."""
    X = generated_rows(network).X
    program = network.inference.needed_for("p")
    values = {name: array.astype(np.float64) for name, array in {**network.parameters, **network.statistics}.items()}
    (exact,) = Runner(program, ["p"], "exact")({**values, "X": X.astype(np.float64), "n": len(X)})
    return largest_difference(network.outputs(X, engine="reference"), exact)


def measured(network: Network) -> Measured:
    """Measure the differences of one network."""
    with tempfile.TemporaryDirectory() as folder:
        done = {end: files.save(network, Path(folder, f"n.{end}")) for end in ("c", "onnx")}
    agreements = {end: each.agreement for end, each in done.items() if each.agreement is not None}
    found = {end: each.difference for end, each in agreements.items()}
    whole = {f"{end}, relative to largest": each.of_largest for end, each in agreements.items()}
    return {**found, **whole, "float32 against float64": rounding(network)}


def all_of(count: int, number: int) -> list[Measured]:
    """Measure the differences of ``count`` random networks."""
    found: list[Measured] = []

    @seed(number)
    @settings(max_examples=count, phases=(Phase.generate,), suppress_health_check=list(HealthCheck), derandomize=False)
    @given(problems())
    def look(problem: Problem) -> None:
        found.append(measured(in_precision(problem.network, "float32")))

    run: Callable[[], None] = look
    run()
    return found


def main(count: int = 150, number: int = 1) -> None:
    """Print how many differences exceed the tolerance, and the largest difference."""
    warnings.simplefilter("ignore")
    found = all_of(count, number)
    for name in found[0]:
        values = np.array([each[name] for each in found])
        far = int((values > TOLERANCE["float32"]).sum())
        print(f"{name:<26} {far:>4} of {len(values)} above {TOLERANCE['float32']:g}, the largest {values.max():.1e}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
