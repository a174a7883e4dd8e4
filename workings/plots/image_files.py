"""Save plots as PNG files, or encode them for an HTML page."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workings.errors import InputError
from workings.plots.drawing import canvas
from workings.support.atomic_files import as_path, write_bytes
from workings.support.keywords import checked_keywords

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@checked_keywords
def save(figure_or_axes: Figure | Axes, path: str | Path) -> Path:
    """Write a plot as a PNG file with 150 dots per inch, atomically.

    Parameters
    ----------
    figure_or_axes : Figure or Axes
        For axes, the whole figure is written.
    path : str or Path
        Must end in ``.png``; missing folders are created.

    Returns
    -------
    Path
        Path of the file.

    Raises
    ------
    InputError
        If the name does not end in ``.png``.
    FileError
        If the file cannot be written; an existing file is then unchanged.

    Examples
    --------
    >>> import tempfile
    >>> from workings.plots.networks import network
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(network([2, 3, 2]), Path(folder) / "pictures" / "network.png").name
    'network.png'
    """
    path = as_path(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"Plots are written as PNG, so the name must end in .png; it is {path.name!r}.")
    write_bytes(path, png(figure_or_axes))
    return path


@checked_keywords
def png(figure_or_axes: Figure | Axes) -> bytes:
    """Return a plot as the bytes of a PNG file."""
    figure: Any = figure_or_axes
    while not hasattr(figure, "savefig"):  # axes belong to a figure or to a subfigure
        figure = figure.figure
    content: bytes = canvas().png_of(figure)
    return content


@checked_keywords
def as_data_uri(figure_or_axes: Figure | Axes) -> str:
    """Return a plot as a data URI for an HTML page: ``<img src="…">``.

    Parameters
    ----------
    figure_or_axes : Figure or Axes

    Returns
    -------
    str
        Starts with ``data:image/png;base64,``.

    Examples
    --------
    >>> from workings.plots.networks import network
    >>> as_data_uri(network([2, 3, 2]))[:30]
    'data:image/png;base64,iVBORw0K'
    """
    return f"data:image/png;base64,{base64.b64encode(png(figure_or_axes)).decode('ascii')}"
