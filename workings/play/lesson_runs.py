"""Run lessons without a browser, to test that their claims come true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workings.errors import unknown_name
from workings.play.lesson_files import LessonStep, Part
from workings.play.session import MOST_STEPS, Session
from workings.support.ranges import as_number

MEASURES = ("loss", "score", "val_loss", "val_score")


def take(session: Session, step: LessonStep) -> list[str]:
    """Take a step of a lesson without a browser; return the claims that do not hold, in words."""
    if step.settings:
        session.configure(dict(step.settings))
    left = step.train
    while left > 0 and not session.run.stopped:
        session.advance(steps=min(left, MOST_STEPS))
        left -= MOST_STEPS
    show(session, step.open or {})
    return failed_claims(session, step.claim or {})


def show(session: Session, opened: Part) -> None:
    """Request the views that a step opens, to check that they exist."""
    actions: dict[str, Callable[[Any], Any]] = {
        "unit": lambda place: session.unit(*place),
        "weight": lambda place: session.weight(*place),
        "statement": lambda index: session.statement(index, 0),
        "tab": lambda tab: None,
        "loss": lambda yes: session.loss(),
    }
    for name, value in opened.items():
        if name not in actions:
            raise unknown_name("thing to open", name, actions)
        actions[name](value)


def gradient_ratio(session: Session) -> float:
    """Return the root mean square of the first layer's weight gradients, divided by the last layer's."""
    gradients = session.inspection().weight_gradients()
    first, *_, last = [float(np.sqrt(np.mean(gradient**2))) for gradient in gradients]
    return first / last


def swing(session: Session) -> float:
    """Return the largest loss of the next ten steps, divided by the smallest; the session stays as it is."""
    run = session.run.copy()
    losses = []
    for _ in range(10):
        run.advance(1)
        losses.append(run.measure()[0])
    return max(losses) / min(losses)


FURTHER: dict[str, Callable[[Session], float]] = {"gradient_ratio": gradient_ratio, "swing": swing}


def failed_claims(session: Session, claim: Part) -> list[str]:
    """Return the claims that do not hold for a session, in words."""
    frame: Any = session.frame()
    measured: dict[str, Any] = dict(zip(MEASURES, frame["measured"], strict=True))
    measured |= {name: measure(session) for name, measure in FURTHER.items() if name in claim}
    failed = []
    for name, wanted in claim.items():
        if name in measured:
            low, high = wanted
            value = as_number(measured[name])
            if value is None or not low <= value <= high:
                failed.append(f"{name} is {value}, not from {low} to {high}")
        elif name == "stopped":
            if bool(session.run.stopped) != wanted:
                failed.append(f"stopped: {session.run.stopped!r}")
        elif name == "finding":
            advice: Any = session.doctor()
            found = [one["name"] for one in advice["findings"]]
            if wanted not in found:
                failed.append(f"the doctor finds {found}, not {wanted}")
        else:
            raise unknown_name("claim", name, (*MEASURES, *FURTHER, "stopped", "finding"))
    return failed
