"""A diverging colour map that is safe for colour-blind readers, used by plots and HTML pages.

Blue is low, white is the middle, orange is high.  The map is distinguishable with red-green colour blindness
and in greyscale.  It interpolates between colours of Okabe and Ito ("Color Universal Design", 2008).
"""

from __future__ import annotations

import numpy as np

from workings.support.arrays import Array

BLUE_TO_ORANGE = ("#053A5C", "#0072B2", "#8CBFDD", "#F7F7F7", "#F0B98A", "#D55E00", "#6B2F00")


def blue_to_orange(steps: int) -> Array:
    """Return the colour map as an array of shape (steps, 3): red, green and blue from 0 to 255.

    >>> blue_to_orange(3).tolist()
    [[5, 58, 92], [247, 247, 247], [107, 47, 0]]
    """
    anchors = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in BLUE_TO_ORANGE], dtype=float)
    along, known = np.linspace(0, 1, steps), np.linspace(0, 1, len(anchors))
    return np.round(np.column_stack([np.interp(along, known, channel) for channel in anchors.T])).astype(np.uint8)
