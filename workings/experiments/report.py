"""The report of an experiment: one self-contained HTML file.

Plots are embedded in the page and also written next to it as PNG files, replays as GIF files.  The page loads
nothing from the network, has print styles, and follows the browser's light or dark mode.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from workings import plots
from workings.errors import ReportError, WorkingsError
from workings.experiments.figures import Figure, show_agreement, show_number, write_figures
from workings.network import Network
from workings.plots.player import STYLE as PLAYER_STYLE
from workings.program.program import STAGES, Program, show_shape
from workings.support.atomic_files import write_bytes
from workings.support.escaping import in_html
from workings.training.callbacks import Callback
from workings.training.recorders import Signals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

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
@media (max-width: 40rem) {
  pre { white-space: pre; }
  .program table, .program thead, .program tbody, .program tr, .program th, .program td { display: block; }
  .program th:not(:first-child) { display: none; } .program th { border: 0; padding: 0; }
  .program tr { border-bottom: 1px solid var(--line); padding: .4rem 0; }
  .program td, .program td:first-child { min-width: 0; padding: .1rem 0; border: 0; overflow-wrap: anywhere; } }
@media print { body { max-width: none; font-size: 10pt; }
  figure, table { break-inside: avoid; } }
"""


@dataclass
class Report:
    """An HTML page built from headings, text, tables, plots and code; it also collects the compared figures."""

    title: str
    lead: str
    folder: Path
    figures: list[Figure] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    problems: list[Exception] = field(default_factory=list)

    @contextmanager
    def of(self, network: Network) -> Iterator[None]:
        """Write the model, then fill the report, then write it; an error of the report does not cost the model.

        Raises
        ------
        ReportError
            After the report was written as far as it was filled.
        """
        network.save(self.model)
        try:
            yield
        except Exception as error:
            self.problems.append(error)
        if self.problems:
            self.text(f"This report is incomplete. {describe(self.problems[0])}")
        try:
            self.write_page()
        except Exception as error:
            self.problems.append(error)
        if self.problems:
            raise ReportError(self.page, self.model, self.problems[0]) from self.problems[0]

    @property
    def model(self) -> Path:
        """The model's file."""
        return self.folder / "model.safetensors"

    @property
    def page(self) -> Path:
        """The report's file."""
        return self.folder / "report.html"

    def heading(self, text: str) -> None:
        """Start a section."""
        self.pieces.append(f"<h2>{in_html(text)}</h2>")

    def text(self, *paragraphs: str) -> None:
        """Add paragraphs."""
        self.pieces += [f"<p>{in_html(paragraph)}</p>" for paragraph in paragraphs]

    def code(self, text: object) -> None:
        """Add preformatted text, such as a program."""
        self.pieces.append(f'<pre tabindex="0">{in_html(str(text))}</pre>')

    def program(self, program: Program) -> None:
        """Add tables of a step's statements, with the shape and the meaning of each result."""
        constants = ", ".join(f"{name} = {value:g}" for name, value in program.constants.items())
        self.text(*([f"Constants: {constants}."] if constants else []))
        for stage in STAGES:
            rows = [(str(s), show_shape(s.shape), s.words) for s in program.stage(stage)]
            if rows:
                self.table([stage, "shape", "meaning"], rows, kind="program")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]], kind: str = "figures") -> None:
        """Add a table whose first column holds names."""
        top = "".join(f'<th scope="col">{in_html(cell)}</th>' if cell else "<td></td>" for cell in head)
        body = "".join(f"<tr>{''.join(table_cell(cell) for cell in row)}</tr>" for row in rows)
        self.pieces.append(
            f'<div class="scroll {kind}" tabindex="0"><table><thead><tr>{top}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def draw_plot(self, draw: Callable[[], MatplotlibFigure | Axes], name: str, caption: str) -> None:
        """Add the plot that a function draws; if that fails, say so in the report and go on."""
        try:
            self.picture(draw(), name, caption)
        except Exception as error:
            self.problems.append(error)
            self.text(f"The plot {name} could not be drawn. {describe(error)}")

    def picture(self, drawing: MatplotlibFigure | Axes, name: str, caption: str) -> None:
        """Add a plot, and write it as a PNG file; the caption is also its alternative text."""
        content = plots.save(drawing, self.folder / f"{name}.png").read_bytes()
        text, data = in_html(caption), base64.b64encode(content).decode("ascii")
        image = f'<img src="data:image/png;base64,{data}" alt="{text}">'
        self.pieces.append(f"<figure>{image}<figcaption>{text}</figcaption></figure>")

    def film(self, film: plots.Film, name: str, caption: str) -> None:
        """Add a replay with controls, and write it as an animated GIF."""
        write_bytes(self.folder / f"{name}.gif", film.gif())
        self.pieces.append(f"<figure>{film.player()}<figcaption>{in_html(caption)}</figcaption></figure>")

    def signals(self, recorded: Signals, rows: str, activation: str) -> None:
        """Add a plot of activations and gradients by epoch; ``rows`` says on which rows they were measured."""
        self.picture(
            plots.signals(recorded),
            "signals",
            f"{rows}, by epoch. Top: distribution of each layer's activations. Bottom: norm of the gradients, size of "
            f"the steps relative to the weights, and share of saturated {activation}.",
        )

    def compare(self, figures: Sequence[Figure]) -> None:
        """Add a table of figures: published, from the tutorial's code, and measured here."""
        self.figures += figures
        rows = [
            [
                f.name,
                show_number(f.published, f.digits),
                show_number(f.own_code, f.digits),
                show_number(f.measured, f.digits),
                show_agreement(f),
            ]
            for f in figures
        ]
        head = ["figure", "published", "tutorial's code", "measured", ""]
        if all(f.published is None for f in figures):  # omit a column that has no values
            head, rows = [head[0], *head[2:]], [[row[0], *row[2:]] for row in rows]
        self.table(head, rows)

    def write(self, network: Network) -> None:
        """Write model.safetensors, report.html and figures.json into the folder."""
        network.save(self.model)
        self.write_page()

    def write_page(self) -> None:
        """Write report.html and figures.json into the folder."""
        page = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{in_html(self.title)}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<style>{STYLE}{PLAYER_STYLE}</style></head>"
            f'<body><main><h1>{in_html(self.title)}</h1><p class="lead">{in_html(self.lead)}</p>'
            f"{''.join(self.pieces)}</main></body></html>\n"
        )
        write_bytes(self.page, page.encode())
        if self.figures:
            write_figures(self.figures, self.folder / "figures.json")


def describe(error: Exception) -> str:
    """Return an error as text, with its class if it is not one of our own errors."""
    return str(error) if isinstance(error, WorkingsError) else f"{type(error).__name__}: {error}"


def table_cell(cell: object) -> str:
    """Return one table cell; cells that state agreement are also coloured."""
    kind = {"agrees": ' class="good"', "DIFFERS": ' class="bad"'}.get(str(cell).partition(" within ")[0], "")
    return f"<td{kind}>{in_html(str(cell))}</td>"


@dataclass(frozen=True)
class ExperimentSettings:
    """Settings of an experiment.

    Attributes
    ----------
    folder : Path
        Output folder.
    seed : int or None
        Random seed; None for the tutorial's own seed, with which figures can be compared.
    engine : str
        Engine that runs the training steps: ``"auto"``, ``"reference"`` or ``"compiled"``.
    data : Path or None
        File or folder with the data; only MNIST uses it.
    progress : callable
        ``progress(description, epochs)`` returns a callback that shows the progress of one training.
    fetch : bool
        Whether data may be downloaded.
    """

    folder: Path
    seed: int | None = None
    engine: str = "auto"
    data: Path | None = None
    progress: Callable[[str, int], Callback] = lambda what, epochs: Callback()
    fetch: bool = False

    def seed_or(self, default: int) -> int:
        """Return the seed, or the tutorial's own seed if none was given."""
        return default if self.seed is None else self.seed
