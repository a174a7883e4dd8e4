"""History: the losses and metrics of each epoch.

A mapping of names to lists with one entry for each epoch.  ``loss`` is the objective per sample at the
parameters at the start of the epoch; with ``fit(running_loss=True)``, it is the mean of the losses of the
epoch's batches.  ``val_loss`` and the metrics are measured after the epoch; ``lr`` is the learning rate of
its last step.  A history can be printed as a table, stored as JSON, and drawn.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from workings.errors import FileError, InputError, nearest, unknown_name
from workings.metrics import METRICS
from workings.support.arrays import Array
from workings.support.escaping import in_html
from workings.support.keywords import checked_keywords
from workings.training.rows import Rows


class History(Mapping[str, list[float]]):
    """The losses and metrics of each epoch, and how training ended.

    Attributes
    ----------
    engine : str
        The engine that ran, and the reason for choosing it.
    stopped : str
        Why training ended: all epochs done, stopped early, interrupted …
    seconds : float
        The duration of training.
    settings : dict
        The optimizer and other settings of ``fit``; under ``"given"``, the names of the settings that are not
        stored themselves (validation, callbacks …).  Not stored in JSON.
    begun : dict of str to array
        The initial parameters and statistics, if the network was new.  Not stored in JSON.
    validation : Rows or None
        The validation rows, a random sample of 1,000 if there are more.  Not stored in JSON.
    diagnosis : Diagnosis or None
        The findings of ``fit(check=True)`` before the first step.
    terms : Terms or None
        How the doctor writes its suggestions, if an estimator or the command line trained the network.  Not stored in
        JSON.
    opening : str
        Code that assigns ``net``, for suggestions that need it.  Not stored in JSON.

    Examples
    --------
    >>> history = History()
    >>> history.add(loss=0.7, lr=0.1); history.add(loss=0.4, lr=0.1)
    >>> history["loss"], len(history["lr"])
    ([0.7, 0.4], 2)
    >>> print(history.to_table())
    epoch      loss        lr
        0       0.7       0.1
        1       0.4       0.1
    """

    def __init__(self, columns: Mapping[str, list[float]] | None = None) -> None:
        self.columns: dict[str, list[float]] = {name: list(values) for name, values in (columns or {}).items()}
        self.engine = ""
        self.stopped = ""
        self.seconds = 0.0
        self.settings: dict[str, Any] = {}  # see ``Recipe.summary``
        self.begun: dict[str, Array] = {}
        self.validation: Rows | None = None
        self.diagnosis: object = None
        self.terms: Any = None
        self.opening = ""

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.columns:
            raise unknown_history(name, self.columns)
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def epochs(self) -> int:
        """The number of recorded epochs."""
        return max((len(values) for values in self.columns.values()), default=0)

    def add(self, **values: float) -> None:
        """Record one epoch."""
        for name, value in values.items():
            self.columns.setdefault(name, []).append(float(value))

    def add_many(self, **values: list[float]) -> None:
        """Record several epochs, one for each entry of the lists."""
        for name, several in values.items():
            self.columns.setdefault(name, []).extend(several)

    def forget_after(self, epochs: int) -> None:
        """Delete all but the first ``epochs`` epochs."""
        for values in self.columns.values():
            del values[epochs:]

    @checked_keywords
    def to_table(self, every: int = 1) -> str:
        """Return one row for every ``every`` epochs, and for the last, as a plain text table."""
        rows = [e for e in range(self.epochs) if e % every == 0 or e == self.epochs - 1]
        head = "epoch" + "".join(f" {name:>{max(9, len(name))}}" for name in self.columns)
        lines = [
            f"{e:>5}" + "".join(f" {show(v, e):>{max(9, len(name))}}" for name, v in self.columns.items()) for e in rows
        ]
        return "\n".join([head, *lines])

    @checked_keywords
    def to_json(self) -> str:
        """Return the history as JSON, for ``from_json``."""
        return json.dumps(
            {"columns": self.columns, "engine": self.engine, "stopped": self.stopped, "seconds": self.seconds}
        )

    @classmethod
    @checked_keywords
    def from_json(cls, text: str) -> History:
        """Return the history that ``to_json`` wrote as JSON.

        Raises
        ------
        FileError
            If the text is not the JSON of a history.
        """
        try:
            found = json.loads(text)
            history = cls({str(k): [float(x) for x in v] for k, v in found["columns"].items()})
            history.engine, history.stopped = str(found["engine"]), str(found["stopped"])
            history.seconds = float(found["seconds"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise FileError(f"This is not the JSON of a history: {error}") from error
        return history

    def __repr__(self) -> str:
        if not self.epochs:
            return "History of 0 epochs"
        last = ", ".join(f"{name} {values[-1]:.6g}" for name, values in self.columns.items() if values)
        return f"History of {self.epochs} epochs ({self.stopped or 'running'}): {last}"

    def _repr_html_(self) -> str:
        """Return a plot of the losses for a notebook."""
        drawn = {name: values for name, values in self.columns.items() if "loss" in name}
        return f"<p>{in_html(repr(self))}</p>{svg_of(drawn)}"


def unknown_history(name: str, columns: Mapping[str, object]) -> KeyError:
    """Return a KeyError, as a dict raises it, with the nearest name in its message."""
    if not columns:
        return KeyError(
            f"No epoch is recorded yet, so the history has no column {name!r}: ask when an epoch has ended."
        )
    return KeyError(str(unknown_name("column of the history", name, columns)))


def show(values: list[float], epoch: int) -> str:
    """Return one cell of a table; empty if the column has no such epoch."""
    return f"{values[epoch]:.6g}" if epoch < len(values) else ""


def svg_of(curves: Mapping[str, list[float]], width: int = 480, height: int = 160) -> str:
    """Draw curves on a common scale as a small SVG image."""
    finite = [v for values in curves.values() for v in values if math.isfinite(v)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    span = high / 2 - low / 2 or 1.0  # halves, because the difference of two numbers may overflow
    pieces: list[str] = []
    for (name, values), (colour, dash) in zip(curves.items(), (("#0072b2", ""), ("#d55e00", "6 3")) * 4, strict=False):
        step = (width - 130) / max(len(values) - 1, 1)
        every = max(len(values) // 1000, 1)
        points = " ".join(
            f"{50 + i * step:.1f},{10 + (height - 30) * ((high / 2 - v / 2) / span):.1f}"
            for i, v in list(enumerate(values))[::every] if math.isfinite(v)
        )  # fmt: skip
        y = 20 + 16 * len(pieces) // 2
        pieces.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-dasharray="{dash}"/>')
        pieces.append(f'<text x="{width - 75}" y="{y}" fill="{colour}">{in_html(name)}</text>')
    axis = f'<text x="2" y="14" fill="#1a1a1a">{high:.3g}</text>'
    axis += f'<text x="2" y="{height - 16}" fill="#1a1a1a">{low:.3g}</text>'
    return (
        f'<svg width="{width}" height="{height}" role="img" aria-label="losses by epoch" font-family="sans-serif" '
        f'style="background:#fff;border-radius:4px" font-size="12">{axis}{"".join(pieces)}</svg>'
    )


def not_recorded(
    owner: str, monitor: str, recorded: Iterable[str], validation: str = "validation", metrics: str = "metrics"
) -> InputError:
    """Return the error for a monitor without a column in the history: which columns exist, and which setting adds it.

    ``validation`` and ``metrics`` are the names of these settings in the message; empty if they cannot be
    set.

    >>> print(not_recorded("OnPlateau", "val_loss", ["loss", "lr"]))
    OnPlateau monitors 'val_loss', but the history has only loss, lr. Give validation=(X_val, y_val) or validation=0.2.
    """
    columns, metric = list(recorded), monitor.removeprefix("val_")
    needs = []
    if metric != monitor and "val_loss" not in columns and validation:
        needs.append(f"{validation}=(X_val, y_val) or {validation}=0.2")
    if metric in METRICS and metrics and not (needs and metric in ("accuracy", "r2")):  # validation adds these two
        needs.append(f"{metrics}=[{metric!r}]")
    change = f" Give {', and '.join(needs)}." if needs else nearest(monitor, columns)
    return InputError(f"{owner} monitors {monitor!r}, but the history has only {', '.join(columns)}.{change}")
