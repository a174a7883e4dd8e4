"""Plot the growth curves: four panels with logarithmic axes, each line labelled at its end.

The colours are Okabe and Ito's colour-blind-safe palette; markers differ too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.curves import LABELS
from benchmarks.processes import in_threads

# name in the table: colour, marker, line width
LOOKS = {
    "compiled": ("#D55E00", "o", 2.2),
    "reference": ("#E69F00", "s", 1.4),
    "jax-loop": ("#0072B2", "^", 1.4),
    "torch": ("#009E73", "D", 1.4),
}
APART = 0.055  # least distance of labels, relative to the axis


def draw(found: dict[str, Any], path: Path) -> Path:
    """Plot all curves and write the image."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), layout="constrained")
    for axes, (axis, panel) in zip(figure.subplots(2, 2).flat, found["axes"].items(), strict=True):
        draw_panel(axes, axis, panel["curves"])
    figure.suptitle(f"Time of a training step; {found['base']}; {in_threads(found['threads'])}", fontsize=10)
    figure.savefig(path, dpi=130)
    return path


def draw_panel(axes: Any, axis: str, curves: dict[str, Any]) -> None:
    """Plot one panel."""
    axes.set(xscale="log", yscale="log", xlabel=LABELS[axis], ylabel="µs per step")
    for name, curve in curves.items():
        color, marker, width = LOOKS[name]
        n, low, high = ([point[key] for point in curve] for key in ("n", "low", "high"))
        axes.plot(n, [1e6 * p["median"] for p in curve], marker=marker, ms=4, lw=width, color=color)
        axes.fill_between(n, [1e6 * s for s in low], [1e6 * s for s in high], color=color, alpha=0.2, lw=0)
    if axis == "depth":  # too few decades for ticks at powers of ten
        sizes = [point["n"] for point in next(iter(curves.values()))]
        axes.set_xticks(sizes, [str(n) for n in sizes])
        axes.minorticks_off()
    axes.grid(alpha=0.25, which="major")
    axes.spines[["top", "right"]].set_visible(False)
    label_ends(axes, curves)


def label_ends(axes: Any, curves: dict[str, Any]) -> None:
    """Write each name at the end of its line, moved apart if lines end close together."""
    ends = sorted((1e6 * curve[-1]["median"], curve[-1]["n"], name) for name, curve in curves.items() if curve)
    lowest: dict[int, float] = {}  # where the next label may stand, for each place at which lines end
    for seconds, n, name in ends:
        x, y = axes.transAxes.inverted().transform(axes.transData.transform((n, seconds)))
        y = max(y, lowest.get(n, -1.0))
        lowest[n] = y + APART
        axes.text(x + 0.02, y, name, transform=axes.transAxes, color=LOOKS[name][0], va="center", fontsize=9)
