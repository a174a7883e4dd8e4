"""Plots of data, training and networks, in print quality.

Each function draws one plot and returns its axes, or its figure if the plot has several panels;
``ax=`` draws into existing axes.  The functions take arrays, and any model with ``predict_proba``
or ``predict``.  All colours are safe for red-green colour blindness; classes also differ in marker.
The functions do not use pyplot, so no window opens and no figure stays open: ``save`` writes a
file, and a notebook displays a figure at the end of a cell.
"""

from workings.plots.comparisons import bars, confusion
from workings.plots.image_files import as_data_uri, png, save
from workings.plots.landscapes import LossPlane, landscape, landscape_of, loss_plane
from workings.plots.layer_signals import activations, gradients, shut, signals, steps
from workings.plots.learning_curves import curves, orbit
from workings.plots.networks import network
from workings.plots.pixels import images, weights
from workings.plots.planes import boundaries, boundary, units
from workings.plots.replays import Film, film, replay
from workings.plots.sweeps import sweep

__all__ = [
    "Film",
    "LossPlane",
    "activations",
    "as_data_uri",
    "bars",
    "boundaries",
    "boundary",
    "confusion",
    "curves",
    "film",
    "gradients",
    "images",
    "landscape",
    "landscape_of",
    "loss_plane",
    "network",
    "orbit",
    "png",
    "replay",
    "save",
    "shut",
    "signals",
    "steps",
    "sweep",
    "units",
    "weights",
]
