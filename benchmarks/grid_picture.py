"""Plot the grid: every cell as a dot, by rows and speedup, in a panel for its activation and its hidden layers.

Dots below the line of equal speed are red.  Filled dots are double precision, circles SGD, squares Adam.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.grid import FACTORS

FASTER, SLOWER = "#0072B2", "#D62728"
MARKERS = {"sgd": "o", "adam": "s"}
APART = 1.06  # factor between the dots of neighbouring widths at the same number of rows


def draw(found: Mapping[str, Any], path: Path) -> Path:
    """Plot all cells and write the image."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), layout="constrained")
    depths, activations = FACTORS["layers"], FACTORS["hidden"]
    panels = figure.subplots(len(depths), len(activations), sharex=True, sharey=True)
    for depth, row in zip(depths, panels, strict=True):
        for activation, axes in zip(activations, row, strict=True):
            draw_panel(axes, cells_of(found, depth, activation))
            axes.set_title(f"{activation}, {depth} hidden layer{'s' if depth > 1 else ''}", fontsize=9)
    figure.supxlabel("rows in a step (dots of wider layers lie further to the right)", fontsize=9)
    figure.supylabel("time of the fastest other library / time of Workings", fontsize=9)
    figure.suptitle(
        "● double, ○ single precision; circles SGD, squares Adam; red: another library is faster", fontsize=9
    )
    figure.savefig(path, dpi=110)
    return path


def cells_of(found: Mapping[str, Any], depth: int, activation: str) -> list[Any]:
    """Return the measured cells with a number of hidden layers and an activation."""
    return [
        line
        for line in found.values()
        if line["ratio"] and line["workload"]["hidden"] == activation and len(line["workload"]["sizes"]) == depth + 2
    ]


def draw_panel(axes: Any, lines: list[Any]) -> None:
    """Plot one panel."""
    axes.set(xscale="log", yscale="log")
    axes.axhline(1, color="grey", lw=0.8)
    for line in lines:
        work, speedup = line["workload"], line["ratio"]["speedup"]
        color = FASTER if speedup >= 1 else SLOWER
        face = color if work["dtype"] == "float64" else "none"
        x = work["rows"] * APART ** (max(work["sizes"][1:-1]).bit_length() - 5)
        axes.plot(x, speedup, MARKERS[work["optimizer"]], ms=5, mec=color, mfc=face)
    axes.set_yticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
    axes.grid(alpha=0.25, which="major")
    axes.spines[["top", "right"]].set_visible(False)
