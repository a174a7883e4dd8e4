"""Pictures as files, and as texts that a page can hold."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workings.errors import InputError
from workings.plots.drawing import DPI
from workings.support.atomic_files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def save(figure_or_axes: Figure | Axes, path: str | Path) -> Path:
    """Write a picture as a PNG file of 150 dots per inch, whole or not at all.

    Parameters
    ----------
    figure_or_axes : Figure or Axes
        Of axes, the whole figure is written.
    path : str or Path
        Must end in ``.png``; folders that are missing are made.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    InputError
        If the name does not end in ``.png``.
    FileError
        If the file cannot be written; what was there before is left as it was.

    Examples
    --------
    >>> import tempfile
    >>> from workings.plots.networks import network
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(network([2, 3, 2]), Path(folder) / "pictures" / "network.png").name
    'network.png'
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"Pictures are written as PNG, so the name must end in .png; it is {path.name!r}.")
    write_bytes(path, png(figure_or_axes))
    return path


def png(figure_or_axes: Figure | Axes) -> bytes:
    """Give a picture as the bytes of a PNG file."""
    figure: Any = figure_or_axes
    while not hasattr(figure, "savefig"):  # axes lie in a figure, perhaps in one of its parts
        figure = figure.figure
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def as_data_uri(figure_or_axes: Figure | Axes) -> str:
    """Give a picture as a text that an HTML page can hold: ``<img src="…">``.

    Parameters
    ----------
    figure_or_axes : Figure or Axes

    Returns
    -------
    str
        Begins with ``data:image/png;base64,``.

    Examples
    --------
    >>> from workings.plots.networks import network
    >>> as_data_uri(network([2, 3, 2]))[:30]
    'data:image/png;base64,iVBORw0K'
    """
    return f"data:image/png;base64,{base64.b64encode(png(figure_or_axes)).decode('ascii')}"
