"""Figures that a notebook displays, on white paper, in fonts that have all their characters.

``drawing.new_figure`` imports this module, so Matplotlib is imported with the first plot.  The colours of the
plots are chosen for white paper; a dark style of the user's does not apply to them.
"""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from matplotlib import font_manager, rc_context, rcParams, rcParamsDefault
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Text

from workings.errors import WorkingsWarning
from workings.support.escaping import JOINERS

if TYPE_CHECKING:
    from matplotlib.artist import Artist

PRINT_DPI, SCREEN_DPI = 150, 100
PAPER_KEYS = (
    "figure.facecolor", "figure.edgecolor", "savefig.facecolor", "savefig.edgecolor", "axes.facecolor",
    "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "text.color", "xtick.color", "xtick.labelcolor",
    "ytick.color", "ytick.labelcolor", "legend.facecolor", "legend.edgecolor", "legend.labelcolor", "grid.color",
    "lines.color", "patch.edgecolor", "text.usetex",
)  # fmt: skip
DEFAULTS: Any = rcParamsDefault
ON_PAPER: Any = {key: DEFAULTS[key] for key in PAPER_KEYS}
# Families with many scripts come first; after them, all other fonts are searched.
WIDE_FAMILIES = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Source Han Sans SC", "PingFang SC",
    "Hiragino Sans", "Hiragino Sans GB", "Microsoft YaHei", "Yu Gothic", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Droid Sans Fallback", "Malgun Gothic", "Arial Unicode MS",
)  # fmt: skip


class ShownFigure(Figure):
    """A figure with a picture for notebooks."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw the figure, after a font was found for each text."""
        with rc_context(ON_PAPER):
            fit_fonts(self)
            super().draw(renderer)

    def savefig(self, *arguments: Any, **settings: Any) -> None:
        """Write the figure to a file, on white paper."""
        with rc_context(ON_PAPER):
            super().savefig(*arguments, **settings)

    def add_subplot(self, *arguments: object, **settings: object) -> Axes:
        """Add axes; a notebook displays them like the figure."""
        if "projection" not in settings:
            settings.setdefault("axes_class", ShownAxes)
        axes: Axes = super().add_subplot(*arguments, **settings)
        return axes

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the picture for a notebook, sharper than the screen, with its size on the screen."""
        width, height = (round(float(inches) * SCREEN_DPI) for inches in self.get_size_inches())
        return png_of(self), {"width": width, "height": height}


class ShownAxes(Axes):
    """Axes that a notebook displays as the picture of their figure."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]] | None:
        """Return the picture of the figure for a notebook."""
        figure = self.figure
        while figure is not None and not isinstance(figure, Figure):
            figure = figure.figure  # a subfigure belongs to a figure
        return figure._repr_png_() if isinstance(figure, ShownFigure) else None


def png_of(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PRINT_DPI)
    return buffer.getvalue()


def fit_fonts(artist: Artist) -> None:
    """Give each text fonts that have its characters."""
    for text in artist.findobj(Text):
        words = text.get_text()
        families = tuple(text.get_fontfamily())
        found = {} if words.isascii() else {family_with(c): c for c in words if not is_drawn(families, c)}
        more = [family for family in found if family is not None]
        if more:
            text.set_fontfamily([*families, *more])


def drawable(words: str) -> str:
    """Return a text that some installed font can draw: escapes replace other characters, with a warning."""
    if words.isascii():
        return words
    families = tuple(rcParams["font.family"])
    lost = dict.fromkeys(c for c in words if not is_drawn(families, c) and family_with(c) is None)
    if lost:
        warnings.warn(no_font(lost), WorkingsWarning, stacklevel=4)
    return "".join(escape(c) if c in lost else c for c in words)


def is_drawn(families: tuple[str, ...], character: str) -> bool:
    """Whether font families can draw a character; spaces and joiners need no glyph."""
    return character.isspace() or character in JOINERS or has(families, character)


def escape(character: str) -> str:
    """Return a character as an escape, as in a Python string."""
    return character.encode("unicode_escape").decode()


def no_font(characters: Iterable[str]) -> str:
    """Return the warning about characters that no font has."""
    return (
        f"No installed font has {' '.join(characters)}: the plot shows escapes such as "
        f"{escape(next(iter(characters)))}. Install a font for this script, such as Noto Sans CJK for Chinese, "
        "Japanese and Korean."
    )


@functools.lru_cache(4096)
def has(families: tuple[str, ...], character: str) -> bool:
    """Whether one of the font families has a character."""
    paths = (font_manager.findfont(font_manager.FontProperties(family=[family])) for family in families)
    return any(ord(character) in characters_of(str(path)) for path in paths)


@functools.lru_cache(4096)
def family_with(character: str) -> str | None:
    """Return an installed font family that has a character."""
    for look_for_new in (False, True):
        if look_for_new:
            add_new_fonts()
        fonts = sorted(
            {(font.name, str(font.fname)) for font in font_manager.fontManager.ttflist if is_real(font)},
            key=lambda font: (WIDE_FAMILIES.index(font[0]) if font[0] in WIDE_FAMILIES else len(WIDE_FAMILIES), font),
        )
        found = next((name for name, path in fonts if ord(character) in characters_of(path)), None)
        if found is not None:
            return found
    return None


def is_real(font: font_manager.FontEntry) -> bool:
    """Whether a font is upright and draws characters: Matplotlib's last resort draws boxes."""
    return font.style == "normal" and not font.name.startswith("Last Resort")


@functools.cache
def add_new_fonts() -> None:
    """Add fonts that were installed after Matplotlib had made its list."""
    known = {str(font.fname) for font in font_manager.fontManager.ttflist}
    for path in set(font_manager.findSystemFonts()) - known:
        with contextlib.suppress(OSError, RuntimeError):
            font_manager.fontManager.addfont(path)


@functools.lru_cache(512)
def characters_of(path: str) -> frozenset[int]:
    """Return the code points of a font file; none if it cannot be drawn at any size, as a font of bitmaps."""
    try:
        font = font_manager.get_font(path)
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(font.get_charmap()) if font.scalable else frozenset()
