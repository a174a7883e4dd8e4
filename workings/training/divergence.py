"""Divergence: find the first value that is not finite, and advise what to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workings.engines.contract import Stretch
from workings.engines.reference import Tracer
from workings.model.model import Model
from workings.program.program import Program
from workings.support.arrays import Array
from workings.training.batches import one_batch
from workings.training.rows import Rows


@dataclass(frozen=True)
class Divergence:
    """The first value of a training that is not finite.

    Attributes
    ----------
    name : str
        The name of the first value that is not finite; ``"J"`` if it cannot be found.
    step : int
        The step, counted from 1, in or after which the value appeared; 0 before the first step.
    values : mapping of str to array
        The last finite parameters and statistics.
    message : str
        A description of the failure, and advice.
    """

    name: str
    step: int
    values: Mapping[str, Array]
    message: str

    @property
    def moment(self) -> str:
        """The step of the failure, in words."""
        return f"at step {self.step}" if self.step else "before the first step"


def in_steps(program: Program, stretch: Stretch, before: Mapping[str, Array], epoch: int) -> Divergence:
    """Repeat the steps of a stretch one by one, and find the first value that is not finite."""
    values, tracer = dict(before), Tracer(program)
    name: str | None = None
    for index in range(len(stretch.batches)):
        trace = tracer({**values, **one_batch(stretch, index)})
        name = trace.first_not_finite()
        if name is not None:
            break
        values.update(trace.after)
    step = stretch.first_step + index
    is_used = step > 1 or name in program.carried
    what = f"at step {step} (epoch {epoch}), {describe_value(program, name)}"
    return Divergence(name or "J", step, values, f"{what}. {advice(float(stretch.lr[index]), is_used)}")


def between_steps(
    model: Model,
    values: Mapping[str, Array],
    rows: Rows,
    J: float,
    step: int,
    rate: float | None,
    last: Mapping[str, Array],
) -> Divergence:
    """Find the first value that is not finite when J on all rows is not; ``last`` are the last finite parameters."""
    program = model.inference_program(weighted=rows.w is not None)
    tracer, name = Tracer(program), None
    for part in rows.parts():
        data = {"X": part.X, "y": part.y, "w": part.w, "n": len(part.X)}
        name = name or tracer({**values, **data}).first_not_finite()
    when = f"after step {step}" if step else "before the first step"
    what = f"{when} the objective J was {J:g}: {describe_value(program, name)}"
    return Divergence(name or "J", step, last, f"{what}. {advice(rate, is_used=step > 0)}")


def describe_value(program: Program, name: str | None) -> str:
    """Describe the first value that is not finite and the statement that computes it; J if it cannot be found."""
    statement = next((s for s in program.statements if s.target == name), None)
    where = f", in `{statement}` ({statement.part})" if statement else ""
    return f"{name or 'J'} was the first value that was not finite{where}"


def advice(rate: float | None, is_used: bool) -> str:
    """Advise what to change: the learning rate only if a step has been made with it."""
    if is_used and rate is not None:
        return (
            f"The learning rate was {rate:g}: try {rate / 10:g}, scale the inputs to about -1..1, or put "
            "ClipByNorm(1.0) before the optimizer."
        )
    with_rate = "" if rate is None else f" with the learning rate {rate:g}"
    return (
        f"No update had been made yet{with_rate}: scale the inputs and the targets to about -1..1, or begin with "
        "smaller weights."
    )
