"""The report of an experiment: one HTML file that needs nothing else.

Pictures are put into the page and are written beside it as PNG, replays as GIF.  The page asks for nothing from
outside, prints well, and follows the reader's choice of a dark or a light screen.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workings import plots
from workings.experiments.figures import Figure, show_agreement, show_number, write_figures
from workings.network import Network
from workings.plots.player import STYLE as PLAYER_STYLE
from workings.program.program import STAGES, Program, show_shape
from workings.support.atomic_files import write_bytes
from workings.training.callbacks import Callback
from workings.training.recorders import Signals

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #ccc; --soft: #f4f4f2;
  --good: #00664c; --bad: #a33c00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #16181a; --line: #444; --soft: #202326;
  --good: #4fd0a5; --bad: #ff9d5c; } }
* { box-sizing: border-box; }
body { max-width: 52rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1.05rem/1.55 Georgia, "Times New Roman", serif; }
h1, h2, th, figcaption, .lead { font-family: system-ui, sans-serif; }
h1 { line-height: 1.2; margin-bottom: .3rem; } h2 { margin-top: 2.5rem; }
.lead { font-size: 1.1rem; margin-top: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; margin-bottom: 1.2rem; }
.program th, .program td { text-align: left; }
.program td { font-family: Georgia, serif; font-size: .85rem; }
.program td:first-child { font-family: ui-monospace, monospace; font-size: .8rem; min-width: 20rem; }
.program td:nth-child(2) { white-space: nowrap; }
th, td { text-align: right; padding: .3rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: bold; }
figure { margin: 1.5rem 0; } figcaption { font-size: .9rem; margin-top: .4rem; }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
pre { background: var(--soft); padding: .8rem 1rem; overflow-x: auto; font-size: .8rem; line-height: 1.45;
  border-radius: 4px; white-space: pre-wrap; }
@media print { body { max-width: none; font-size: 10pt; }
  figure, table { break-inside: avoid; } }
"""


@dataclass
class Report:
    """A page that grows: text, tables, pictures, code, and the figures that it compares."""

    title: str
    lead: str
    folder: Path
    figures: list[Figure] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Begin a section."""
        self.pieces.append(f"<h2>{html.escape(text)}</h2>")

    def text(self, *paragraphs: str) -> None:
        """Add paragraphs."""
        self.pieces += [f"<p>{html.escape(paragraph)}</p>" for paragraph in paragraphs]

    def code(self, text: object) -> None:
        """Add a program or other text whose lines matter."""
        self.pieces.append(f'<pre tabindex="0">{html.escape(str(text))}</pre>')

    def program(self, program: Program) -> None:
        """Add the statements of a step: what is computed, its shape, and what that means."""
        constants = ", ".join(f"{name} = {value:g}" for name, value in program.constants.items())
        self.text(*([f"Constants: {constants}."] if constants else []))
        for stage in STAGES:
            rows = [(str(s), show_shape(s.shape), s.words) for s in program.stage(stage)]
            if rows:
                self.table([stage, "shape", "in words"], rows, kind="program")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]], kind: str = "figures") -> None:
        """Add a table; the first column holds names."""
        top = "".join(f'<th scope="col">{html.escape(cell)}</th>' if cell else "<td></td>" for cell in head)
        body = "".join(f"<tr>{''.join(table_cell(cell) for cell in row)}</tr>" for row in rows)
        self.pieces.append(
            f'<div class="scroll {kind}" tabindex="0"><table><thead><tr>{top}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def picture(self, drawing: Any, name: str, caption: str) -> None:
        """Add a picture, and write it as PNG; the caption also stands for it where it cannot be seen."""
        plots.save(drawing, self.folder / f"{name}.png")
        words = html.escape(caption)
        image = f'<img src="{plots.as_data_uri(drawing)}" alt="{words}">'
        self.pieces.append(f"<figure>{image}<figcaption>{words}</figcaption></figure>")

    def film(self, film: plots.Film, name: str, caption: str) -> None:
        """Add a replay that can be stopped, and write it as an animated GIF."""
        write_bytes(self.folder / f"{name}.gif", film.gif())
        self.pieces.append(f"<figure>{film.player()}<figcaption>{html.escape(caption)}</figcaption></figure>")

    def signals(self, recorded: Signals, on: str, bends: str) -> None:
        """Add the picture of what went through the layers, ``on`` some rows, with the name of their activations."""
        self.picture(
            plots.signals(recorded),
            "signals",
            f"{on}: above, how the values of each layer are spread, from epoch to epoch; below, how large the "
            f"gradients and the steps were, and how many {bends} let hardly any gradient through.",
        )

    def compare(self, figures: Sequence[Figure]) -> None:
        """Add a table of figures: published, its own code, measured."""
        self.figures += figures
        published = [show_number(f.published, f.digits) for f in figures]
        rows = [
            [
                f.name,
                shown,
                show_number(f.own_code, f.digits),
                show_number(f.measured, f.digits),
                show_agreement(f),
            ]
            for f, shown in zip(figures, published, strict=True)
        ]
        head = ["figure", "published", "its own code", "measured", ""]
        if all(f.published is None for f in figures):  # a column of dashes says nothing
            head, rows = [head[0], *head[2:]], [[row[0], *row[2:]] for row in rows]
        self.table(head, rows)

    def write(self, network: Network) -> None:
        """Write report.html, figures.json and model.safetensors into the folder."""
        page = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(self.title)}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<style>{STYLE}{PLAYER_STYLE}</style></head>"
            f'<body><main><h1>{html.escape(self.title)}</h1><p class="lead">{html.escape(self.lead)}</p>'
            f"{''.join(self.pieces)}</main></body></html>\n"
        )
        write_bytes(self.folder / "report.html", page.encode())
        if self.figures:
            write_figures(self.figures, self.folder / "figures.json")
        network.save(self.folder / "model.safetensors")


def table_cell(cell: object) -> str:
    """One cell; agreement is shown in colour, and in words."""
    kind = {"agrees": ' class="good"', "DIFFERS": ' class="bad"'}.get(str(cell), "")
    return f"<td{kind}>{html.escape(str(cell))}</td>"


@dataclass(frozen=True)
class Settings:
    """How an experiment is to be run.

    Attributes
    ----------
    folder : Path
        Where its results go.
    seed : int or None
        None for the tutorial's own seeds, with which its figures can be compared.
    engine : str
        Which engine runs the steps.
    data : Path or None
        A file or folder with the data, where there is a choice.
    watch : callable
        ``watch("what is trained", epochs)`` gives a callback that shows the progress.
    fetch : bool
        Whether data may be downloaded.
    """

    folder: Path
    seed: int | None = None
    engine: str = "auto"
    data: Path | None = None
    watch: Callable[[str, int], Callback] = lambda what, epochs: Callback()
    fetch: bool = False

    def seed_or(self, usual: int) -> int:
        """The seed that was asked for, or the tutorial's own."""
        return usual if self.seed is None else self.seed
