"""Findings: what the doctor can find, and how a diagnosis reads.

Each kind of finding stands in one table, in the order of urgency: how grave it is, why it matters, how sure
it is where it is found, and which other findings explain it.  A finding that another one explains is left out, so that
people change one thing at a time.  How often each kind is right was measured; docs/doctor.md has the rates.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workings.errors import counted


@dataclass(frozen=True)
class Kind:
    """One thing that can be found.

    ``severity`` is ``"problem"`` or ``"advice"``; ``sure`` says how sure it is where it is found: ``"certain"`` where
    it was read off or computed exactly, ``"likely"`` where a threshold decides, ``"possible"`` where other causes
    look alike.  ``after`` names the findings that explain this one, and with which it is left out.
    """

    name: str
    severity: str
    sure: str
    why: str
    after: tuple[str, ...] = ()


DATA = ("unscaled-inputs", "unscaled-targets", "unrelated-labels")
CODE = ("wrong-gradient", "wrong-shape", "wrong-shares", "overflow", "uphill-update", "frozen-parameter")
START = ("equal-units", "weights-too-large", "weights-too-small", "dead-units", "vanishing-gradient", "no-bend",
         "second-link", "output-range")  # fmt: skip
RATE = ("learning-rate-too-large", "edge-of-stability", "learning-rate-too-small")
CAUSES = (*DATA, *CODE, *START, *RATE, "strong-regularizer")

# fmt: off
KINDS: dict[str, Kind] = {kind.name: kind for kind in (
    # what the program computes
    Kind("wrong-shape", "problem", "certain",
         "Predictions and targets of different shapes are spread over each other, so that every row is compared with "
         "the targets of all rows."),
    Kind("wrong-shares", "problem", "certain",
         "Probabilities of one row must add up to 1; these do not, so they are no probabilities.", ("wrong-shape",)),
    Kind("overflow", "problem", "certain",
         "Large scores make this formula overflow, and from then on every number is nan.",
         ("wrong-shares",)),
    Kind("wrong-gradient", "problem", "certain",
         "Training follows the gradient; where it is not the slope of the objective, it leads somewhere else.",
         ("wrong-shape", "wrong-shares", "overflow", "weights-too-small")),  # sums smaller than a finite difference
    Kind("uphill-update", "problem", "certain",
         "The update goes the way of the gradient, not against it, so every step makes the objective larger.",
         ("wrong-gradient",)),
    Kind("frozen-parameter", "problem", "certain",
         "A parameter that is never updated stays what chance made it.", ("wrong-gradient", "overflow")),
    # what the network is given
    Kind("unscaled-inputs", "problem", "likely",
         "Inputs far from 0 and 1 make the sums large and the objective steep along some directions and flat along "
         "others, so that no learning rate suits all of them."),
    Kind("constant-column", "advice", "certain",
         "A column that is the same in every row says nothing about the target, and acts as a bias of its own size."),
    Kind("unscaled-targets", "problem", "likely",
         "The first error is as large as the targets, so the first steps are too long, and the output has far to go."),
    Kind("class-imbalance", "advice", "certain",
         "Where one class is rare, a network that never predicts it is right most of the time."),
    Kind("sorted-rows", "problem", "certain",
         "Each batch holds rows of one class, so that each step unlearns what the last one learned."),
    Kind("unrelated-labels", "problem", "likely",
         "Rows that are alike have targets that are no more alike than chance makes them: are X and y in one order?",
         ("sorted-rows", "class-imbalance")),
    # how the network is made
    Kind("second-link", "problem", "certain",
         "The loss applies its own softmax or sigmoid; a last layer that squashes its scores before that leaves it "
         "only a narrow range, in which the probabilities never come near 0 and 1."),
    Kind("output-range", "problem", "certain",
         "The last layer's activation cannot give the targets that there are."),
    Kind("no-bend", "problem", "certain",
         "Layers without an activation between them are one straight line, however many they are."),
    Kind("equal-units", "problem", "certain",
         "Units that begin equal get equal gradients and stay equal for ever: the layer is as good as one unit."),
    Kind("weights-too-large", "problem", "likely",
         "Sums that grow from layer to layer saturate the units and make the network sure of itself before it knows "
         "anything.", ("unscaled-inputs",)),
    Kind("weights-too-small", "problem", "likely",
         "A signal that fades from layer to layer hardly reaches the output, and the gradient hardly comes back.",
         ("equal-units",)),
    Kind("dead-units", "problem", "likely",
         "A unit whose slope is 0 for every row gets no gradient and never learns.",
         ("unscaled-inputs", "learning-rate-too-large", "equal-units", "weights-too-large")),
    Kind("saturated-units", "advice", "likely",
         "Where an activation is flat, hardly any gradient comes through.",
         ("unscaled-inputs", "weights-too-large", "learning-rate-too-large")),
    Kind("vanishing-gradient", "problem", "likely",
         "Each layer of flat slopes makes the gradient smaller on its way back; the first layers hardly learn.",
         ("unscaled-inputs", "weights-too-small", "weights-too-large", "equal-units", "dead-units", "saturated-units",
          "learning-rate-too-large")),
    Kind("exploding-gradient", "problem", "likely",
         "A gradient that grows on its way back makes the first layers jump while the last ones creep.",
         ("unscaled-inputs", "weights-too-large")),
    Kind("starting-loss", "advice", "likely",
         "Before it knows anything, a network should do about as well as one fixed answer; this one is surely wrong.",
         (*DATA, *CODE, "weights-too-large", "output-range")),
    Kind("cannot-overfit", "problem", "possible",
         "A network that cannot learn ten rows by heart will not learn the rest: it is too small, or something in it "
         "is wrong.", CAUSES),
    # how it is trained
    Kind("learning-rate-too-large", "problem", "likely",
         "Steps so long overshoot: the objective goes up where shorter steps make it go down.",
         ("unscaled-inputs", "unscaled-targets", "uphill-update", "wrong-gradient", "weights-too-large", "overflow",
          "strong-regularizer")),
    Kind("edge-of-stability", "problem", "certain",
         "Gradient descent settles only where the largest curvature is below 2 / lr; here the objective jumps to and "
         "fro across a valley that is too narrow for the step.",
         ("wrong-gradient", "uphill-update", "wrong-shape")),
    Kind("learning-rate-too-small", "problem", "likely",
         "Steps so short need very many epochs to get anywhere.",
         (*CODE, *DATA, "equal-units", "vanishing-gradient", "dead-units", "weights-too-small", "saturated-units")),
    Kind("not-finite", "problem", "certain",
         "A number overflowed, and everything that depends on it is lost.",
         ("overflow", "learning-rate-too-large", "unscaled-inputs", "unscaled-targets", "weights-too-large",
          "uphill-update", "wrong-gradient")),
    Kind("strong-regularizer", "problem", "likely",
         "The price of the weights outweighs the loss, so that training makes them small and not right.",
         ("wrong-gradient",)),
    Kind("rising-loss", "problem", "likely", "Training is to make the objective smaller, and made it larger.", CAUSES),
    Kind("oscillation", "advice", "possible",
         "The objective goes up and down from epoch to epoch by much of its size: the steps are too long to settle.",
         (*CAUSES, "rising-loss", "sorted-rows")),
    Kind("still-falling", "advice", "likely",
         "The objective was still falling fast when training ended: more epochs would have made it better.",
         (*CODE, *DATA, "learning-rate-too-small", "edge-of-stability", "equal-units", "dead-units",
          "vanishing-gradient", "weights-too-small", "learning-rate-too-large")),
    Kind("overfitting", "advice", "likely",
         "The network got better on the rows that it saw and worse on those that it did not see: it learned by heart.",
         ("wrong-gradient", "unrelated-labels")),
    # what came out
    Kind("class-never-predicted", "advice", "certain",
         "A network that never gives a class has not learned it.",
         (*CAUSES, "class-imbalance", "sorted-rows", "still-falling", "cannot-overfit", "not-finite", "rising-loss")),
    Kind("no-better-than-one-answer", "problem", "certain",
         "The network is no better than giving the same answer for every row.",
         (*CAUSES, "class-imbalance", "sorted-rows", "still-falling", "cannot-overfit", "not-finite", "rising-loss")),
    Kind("no-better-than-linear", "advice", "likely",
         "A model without hidden layers does as well, so the hidden layers bring nothing: too few units, or no need of "
         "them.",
         (*CAUSES, "class-imbalance", "sorted-rows", "still-falling", "cannot-overfit", "not-finite", "rising-loss",
          "no-better-than-one-answer")),
)}
# fmt: on


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes
    ----------
    name : str
        Which kind it is, as in ``"unscaled-inputs"``.
    severity : str
        ``"problem"`` or ``"advice"``.
    measured : str
        What was measured, with its numbers.
    why : str
        Why it matters, in one plain sentence.
    change : str
        The one change to make, as code that runs where ``net``, ``X`` and ``y`` are what was diagnosed.
    sure : str
        ``"certain"``, ``"likely"`` or ``"possible"``.
    """

    name: str
    severity: str
    measured: str
    why: str
    change: str
    sure: str

    def __str__(self) -> str:
        code = "\n".join(f"               {line}" for line in self.change.splitlines())
        return (
            f"{self.severity}: {self.name} ({self.sure})\n    measured:  {self.measured}\n    why:       {self.why}\n"
            f"    change:\n{code}"
        )


def found(name: str, measured: str, change: str) -> Finding:
    """Make the finding of a kind.

    >>> found("constant-column", "column 3 is 1 in every row.", "X = X[:, X.std(axis=0) > 0]").severity
    'advice'
    """
    kind = KINDS[name]
    return Finding(name, kind.severity, measured, kind.why, change, kind.sure)


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found, the most urgent first, and what it looked at.

    Examples
    --------
    >>> print(Diagnosis((), ("the inputs",)))
    Nothing is wrong. Looked at: the inputs.
    """

    findings: tuple[Finding, ...]
    looked_at: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is no problem; there may be advice."""
        return not self.problems

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that are problems."""
        return tuple(finding for finding in self.findings if finding.severity == "problem")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the findings."""
        return tuple(finding.name for finding in self.findings)

    def __bool__(self) -> bool:
        return self.ok

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    @property
    def heading(self) -> str:
        """How many findings there are, in words."""
        advice = len(self.findings) - len(self.problems)
        if not self.findings:
            return "Nothing is wrong."
        problems = counted(len(self.problems), "problem")
        return f"{problems}, {advice} advice." if self.problems else f"Nothing is wrong; {advice} advice."

    def __str__(self) -> str:
        seen = f"Looked at: {', '.join(self.looked_at)}." if self.looked_at else ""
        if not self.findings:
            return f"{self.heading} {seen}".strip()
        return "\n\n".join([self.heading, *map(str, self.findings), seen]).rstrip()

    def _repr_html_(self) -> str:
        """The findings for a notebook."""
        pieces = [f"<p><strong>{self.heading}</strong> Looked at: {html.escape(', '.join(self.looked_at))}.</p>"]
        for f in self.findings:
            head = f"{html.escape(f.severity)}: {html.escape(f.name)}"
            pieces.append(
                f"<h4>{head} ({f.sure})</h4><p>{html.escape(f.measured)} {html.escape(f.why)}</p>"
                f"<pre>{html.escape(f.change)}</pre>"
            )
        return "".join(pieces)


def sorted_out(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings in order of urgency, one of each kind, without those that others explain."""
    by_name: dict[str, Finding] = {}
    for finding in findings:
        by_name.setdefault(finding.name, finding)
    order = list(KINDS)
    left = [f for f in by_name.values() if not any(cause in by_name for cause in KINDS[f.name].after)]
    return tuple(sorted(left, key=lambda finding: order.index(finding.name)))
