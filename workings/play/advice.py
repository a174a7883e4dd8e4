"""The doctor in the playground: its findings, each with the change of settings that it recommends.

The findings come from ``net.diagnose``.  A finding whose change is a setting of the playground gets a button; the
words of the button are made from the change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from workings.checks.doctor import diagnose
from workings.checks.findings import Finding
from workings.play.play_data import PlayData
from workings.play.run import Run
from workings.play.session_settings import MOST_UNITS, Settings
from workings.support.json_values import JsonObject

Change = dict[str, Any]
NAMES = {"lr": "learning rate", "lam": "λ", "regularizer": "penalty", "hidden": "hidden layers", "rows": "points"}


def slower(settings: Settings) -> Change:
    """Return a smaller learning rate."""
    return {"lr": rounded(settings.lr / 10)}


def faster(settings: Settings) -> Change:
    """Return a larger learning rate."""
    return {"lr": rounded(settings.lr * 10)}


def rounded(value: float) -> float:
    """Return a number with two significant digits.

    >>> rounded(0.0333)
    0.033
    """
    return float(f"{value:.2g}")


def activated(name: str) -> Callable[[Settings], Change]:
    """Return a function that gives all hidden layers one activation."""

    def change(settings: Settings) -> Change:
        return {"hidden": [asdict(replace(layer, activation=name)) for layer in settings.hidden]}

    return change


def more_units(settings: Settings) -> Change:
    """Return twice as many hidden units, or a first hidden layer."""
    if not settings.hidden:
        return {"hidden": [{"units": 6}]}
    wider = [replace(layer, units=min(2 * layer.units, MOST_UNITS)) for layer in settings.hidden]
    return {"hidden": [asdict(layer) for layer in wider]}


def more_penalty(settings: Settings) -> Change:
    """Return an L2 penalty, or a stronger one."""
    return {
        "regularizer": settings.regularizer or "L2",
        "lam": rounded(settings.lam * (10 if settings.regularizer else 1)),
    }


def less_penalty(settings: Settings) -> Change:
    """Return a weaker penalty."""
    return {"lam": rounded(settings.lam / 10)}


def balanced_start(settings: Settings) -> Change:
    """Return another random seed of the initial weights."""
    return {"seed": (settings.seed + 1) % 10_000}


REMEDIES: dict[str, Callable[[Settings], Change]] = {
    "learning-rate-too-large": slower, "edge-of-stability": slower, "oscillation": slower, "not-finite": slower,
    "rising-loss": slower, "learning-rate-too-small": faster, "no-bend": activated("tanh"),
    "dead-units": activated("leaky_relu"), "saturated-units": activated("relu"),
    "vanishing-gradient": activated("relu"), "exploding-gradient": activated("tanh"), "cannot-overfit": more_units,
    "no-better-than-linear": more_units, "overfitting": more_penalty, "strong-regularizer": less_penalty,
    "equal-units": balanced_start,
}  # fmt: skip


def advice_on(run: Run, data: PlayData, settings: Settings) -> JsonObject:
    """Return the doctor's findings for a run, and what it checked, for the page."""
    X, y = data.inputs(data.raw)[: data.training], data.y[: data.training]
    diagnosis = diagnose(
        run.model, X, y, history_of(run), optimizer=run.optimizer, batch_size=settings.batch_size or None
    )
    return {
        "heading": diagnosis.heading,
        "findings": [described(finding, settings) for finding in diagnosis.findings],
        "checked": list(diagnosis.looked_at),
    }


def history_of(run: Run) -> dict[str, list[float]] | None:
    """Return the losses of the moments of a run; None if there are too few for a judgement."""
    if len(run.course) < 3 or not all(np.isfinite(moment.measured[0]) for moment in run.course):
        return None
    columns = {"loss": [moment.measured[0] for moment in run.course]}
    if run.validation is not None:
        columns["val_loss"] = [moment.measured[2] for moment in run.course]
    return columns


def described(finding: Finding, settings: Settings) -> JsonObject:
    """Return one finding for the page, with the change of settings and its words."""
    remedy = REMEDIES.get(finding.name)
    change = None if remedy is None else remedy(settings)
    return {
        "name": finding.name,
        "severity": finding.severity,
        "measured": finding.measured,
        "why": finding.why,
        "code": finding.change,
        "sure": finding.sure,
        "change": change,
        "button": "" if change is None else words_of(change),
    }


def words_of(change: Change) -> str:
    """Return a change of settings in words.

    >>> words_of({"lr": 0.01}), words_of({"hidden": [{"units": 4, "activation": "relu"}]})
    ('Set the learning rate to 0.01', 'Set the hidden layers to 4 relu')
    """
    texts = [f"the {NAMES.get(name, name)} to {value_text(value)}" for name, value in change.items()]
    return f"Set {' and '.join(texts)}"


def value_text(value: object) -> str:
    """Return the value of a setting as text."""
    if isinstance(value, list):
        return ", ".join(f"{one['units']} {one.get('activation', '')}".strip() for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
