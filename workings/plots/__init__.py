"""Pictures of data, training and networks, drawn to be printed in a book.

Each function draws one thing and gives back its axes, or its figure where there are several
panels; ``ax=`` draws into axes of your own.  They take arrays, and any model with
``predict_proba`` or ``predict``.  Colours can be told apart by people who cannot tell red from
green; classes differ in marker as well.  Nothing is kept open and no window appears: ``save``
writes a file, and a notebook shows a figure that ends a cell.
"""

from workings.plots.comparisons import bars, confusion
from workings.plots.courses import curves, orbit
from workings.plots.files import as_data_uri, png, save
from workings.plots.landscapes import LossPlane, landscape, landscape_of, loss_plane
from workings.plots.layers import activations, gradients, shut, signals, steps
from workings.plots.networks import network
from workings.plots.pixels import images, weights
from workings.plots.planes import boundaries, boundary, units
from workings.plots.replays import Film, film, replay

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
    "units",
    "weights",
]
