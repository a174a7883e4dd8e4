"""The kinds of findings that the doctor can report, and the text of a diagnosis.

One table, ``KINDS``, holds every kind in the order of urgency: its severity, why it matters, how certain it is, and
which other findings explain it.  A finding that another one explains is left out, so that users change one thing at a
time.  How often each kind is right was measured; docs/doctor.md has the rates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workings.errors import count_of
from workings.support.escaping import in_html
from workings.support.notebook import Readable


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    ``severity`` is ``"problem"``, ``"advice"`` or ``"note"``.  A note states a fact that is worth knowing and no reason
    to change the network; a single finding can be milder than its kind.  ``sure`` is ``"certain"`` if the finding is
    read from the settings or computed exactly, ``"likely"`` if a threshold decides, ``"possible"`` if other causes look
    the same.
    ``explained_by`` names the findings that explain this one; it is left out if one of them is reported.
    """

    name: str
    severity: str
    sure: str
    why: str
    explained_by: tuple[str, ...] = ()


DATA = ("missing-value-code", "unscaled-inputs", "unscaled-targets")
CODE = ("wrong-gradient", "wrong-shape", "wrong-shares", "overflow", "uphill-update", "frozen-parameter")
START = ("equal-units", "weights-too-large", "weights-too-small", "dead-units", "vanishing-gradient", "no-bend",
         "second-link", "output-range")  # fmt: skip
RATE = ("learning-rate-too-large", "edge-of-stability", "learning-rate-too-small")
SPLIT = ("validation-scale", "validation-columns", "validation-targets")
SETTINGS = ("strong-dropout", "small-batches", "narrow-layer", "large-eps", "large-momentum", "rate-decayed",
            "warm-up-unfinished", "patience-too-short")  # fmt: skip
CAUSES = (*DATA, *CODE, *START, *RATE, "strong-regularizer", *SETTINGS)

# fmt: off
KINDS: dict[str, Kind] = {kind.name: kind for kind in (
    # what the program computes
    Kind("wrong-shape", "problem", "certain",
         "Predictions and targets have different shapes, so NumPy broadcasts them: every row is compared with the "
         "targets of all rows."),
    Kind("wrong-shares", "problem", "certain",
         "The probabilities of a row must add up to 1. These do not, so they are not probabilities.",
         ("wrong-shape",)),
    Kind("overflow", "problem", "certain",
         "Large logits make this formula overflow, and from then on every number is NaN.",
         ("wrong-shares",)),
    Kind("wrong-gradient", "problem", "certain",
         "Training follows the gradient. If it is not the derivative of the objective, the updates go in a wrong "
         "direction.",
         # weights that are too small give differences of the objective below the accuracy of finite differences
         ("wrong-shape", "wrong-shares", "overflow", "weights-too-small")),
    Kind("uphill-update", "problem", "certain",
         "The update moves along the gradient instead of against it, so every step increases the objective.",
         ("wrong-gradient",)),
    Kind("frozen-parameter", "problem", "certain",
         "A parameter that is never updated keeps its random initial value.", ("wrong-gradient", "overflow")),
    # the data
    Kind("integer-overflow", "problem", "likely",
         "8-bit integers hold 256 values. A result beyond them wraps around, so that slightly dark pixels become "
         "bright ones."),
    Kind("missing-value-code", "problem", "likely",
         "A code for a missing value is not a measurement. The network takes it for a very large or very small one."),
    Kind("identifier-column", "advice", "likely",
         "The number of a row says nothing about new rows. If the rows are sorted, it tells the target of the old "
         "ones."),
    Kind("target-leak", "advice", "possible",
         "A column that is computed from the target, or known only after it, makes the score look good. It is missing "
         "or different when the network is used."),
    Kind("drift", "advice", "likely",
         "The score of a network holds for rows like its training rows only. Where the rows have changed, its score "
         "may be worse."),
    Kind("duplicated-rows", "advice", "likely",
         "Copies of a row count several times. If one copy is a training row and another a validation row, the "
         "validation score is too good."),
    Kind("classes-as-numbers", "advice", "possible",
         "If the targets are names of classes, their numbers have no order, and the differences between them have no "
         "meaning."),
    Kind("numbers-as-classes", "advice", "likely",
         "A classifier does not know that 20 lies between 19 and 21, and it learns each number from the few rows that "
         "have it."),
    Kind("unscaled-inputs", "problem", "likely",
         "Inputs far from mean 0 and standard deviation 1 give large pre-activations. The objective is then steep in "
         "some directions and flat in others, and no learning rate suits them all.",
         # scaled, a column that must be left out would only do more harm
         ("missing-value-code", "integer-overflow", "target-leak", "identifier-column")),
    Kind("constant-column", "advice", "certain",
         "A column with the same value in every row says nothing about the target; it only acts as another bias."),
    Kind("unscaled-targets", "problem", "likely",
         "The first errors are as large as the targets, so the first steps are too long and the output has far to go."),
    Kind("skewed-targets", "advice", "likely",
         "The squared error mostly follows the few large targets; the many small ones hardly count.",
         ("missing-value-code",)),
    Kind("label-noise", "advice", "possible",
         "If labels are wrong, a network that is trained long enough memorizes them, and the score on such rows says "
         "little.", ("integer-overflow", *CAUSES)),
    Kind("class-imbalance", "advice", "certain",
         "If one class is rare, a network that never predicts it is still right most of the time."),
    Kind("sorted-rows", "problem", "certain",
         "Each batch holds rows with similar targets, so each step undoes what the previous one learned."),
    Kind("unrelated-labels", "advice", "possible",
         "Neither similar rows, nor a linear model, nor this network predicts the targets of other rows better than by "
         "chance. Are X and y in the same order?",
         ("sorted-rows", "class-imbalance", "missing-value-code")),
    # the validation rows
    Kind("validation-columns", "problem", "likely",
         "The network takes a validation column in another position for another quantity."),
    Kind("validation-scale", "problem", "likely",
         "Validation and new rows must be scaled with the mean and the standard deviation of the training rows.",
         ("validation-columns", "validation-targets")),
    Kind("validation-targets", "problem", "likely",
         "The validation score says little if the validation rows have other targets: the rows were sorted before the "
         "split, or only the training targets were scaled.", ("validation-columns",)),
    Kind("shared-rows", "problem", "certain",
         "The network has seen these rows in training, so the validation score is too good."),
    # how the network is built
    Kind("second-link", "problem", "certain",
         "The loss applies its own softmax or sigmoid. An activation before it limits the logits to a narrow range, "
         "so the probabilities cannot come close to 0 and 1."),
    Kind("output-range", "problem", "certain",
         "Some targets lie outside the range of the last layer's activation."),
    Kind("strong-dropout", "problem", "certain",
         "With so few units left in a step, hardly any signal passes, and most weights get no gradient."),
    Kind("small-batches", "problem", "likely",
         "The mean of so few rows differs much from batch to batch. So the network sees other values in training than "
         "in use."),
    Kind("narrow-layer", "problem", "likely",
         "What a narrow layer loses, the layers after it cannot restore.", ("no-bend",)),
    Kind("no-hidden-layer", "advice", "likely",
         "A model without hidden layers computes a linear function of its inputs, and the problem is not linear.",
         ("wrong-gradient", "wrong-shape")),
    Kind("no-bend", "problem", "certain",
         "Dense layers without an activation between them compute a linear function, however many there are."),
    Kind("equal-units", "problem", "certain",
         "Units with equal weights get equal gradients and stay equal: the layer can do no more than a single unit."),
    Kind("weights-too-large", "problem", "likely",
         "Pre-activations that grow from layer to layer saturate the units, and the network makes confident "
         "predictions before it has learned anything.", ("unscaled-inputs",)),
    Kind("weights-too-small", "problem", "likely",
         "The signal shrinks from layer to layer and hardly reaches the output, and hardly any gradient comes back.",
         ("equal-units",)),
    Kind("dead-units", "problem", "likely",
         "A unit whose activation has derivative 0 for every row gets no gradient and never learns.",
         ("unscaled-inputs", "learning-rate-too-large", "equal-units", "weights-too-large", "strong-dropout",
          "narrow-layer")),
    Kind("saturated-units", "advice", "likely",
         "Where an activation is flat, its derivative is close to 0, and hardly any gradient passes.",
         ("unscaled-inputs", "weights-too-large", "learning-rate-too-large")),
    Kind("vanishing-gradient", "problem", "likely",
         "In the backward pass, each layer with small derivatives shrinks the gradient; the first layers hardly "
         "learn.",
         ("unscaled-inputs", "weights-too-small", "weights-too-large", "equal-units", "dead-units", "saturated-units",
          "learning-rate-too-large")),
    Kind("exploding-gradient", "problem", "likely",
         "The gradient grows in the backward pass, so the first layers take large steps while the last ones hardly "
         "move.",
         ("unscaled-inputs", "weights-too-large")),
    Kind("starting-loss", "advice", "likely",
         "Before training, a network should be about as good as a constant prediction. This one is far worse.",
         (*DATA, *CODE, *RATE, "weights-too-large", "output-range", "class-imbalance")),
    Kind("cannot-overfit", "problem", "possible",
         "A network that cannot overfit ten rows will not learn the rest: it is too small, or something in it is "
         "wrong.", CAUSES),
    # how it is trained
    Kind("learning-rate-too-large", "problem", "likely",
         "Steps this long overshoot: the objective rises where shorter steps lower it.",
         (*DATA, "uphill-update", "wrong-gradient", "weights-too-large", "overflow",
          "strong-regularizer", "large-momentum", "small-batches", "strong-dropout")),
    Kind("edge-of-stability", "problem", "certain",
         "Gradient descent converges only where the largest curvature is below 2 / lr. Here the objective oscillates "
         "across a valley that is too narrow for the step.",
         ("wrong-gradient", "uphill-update", "wrong-shape")),
    Kind("large-eps", "problem", "likely",
         "Adam and its relatives divide by the size of the gradient plus eps. With a large eps they divide by eps, and "
         "their steps become tiny.", CODE),
    Kind("large-momentum", "problem", "likely",
         "Momentum m averages about 1 / (1 - m) steps. If these are more than the training has, it starts slowly, "
         "overshoots, and oscillates.", CODE),
    Kind("learning-rate-too-small", "problem", "likely",
         "Steps this short need very many epochs to make progress.",
         (*CODE, *DATA, "equal-units", "vanishing-gradient", "dead-units", "weights-too-small", "saturated-units",
          "large-eps", "warm-up-unfinished")),
    Kind("not-finite", "problem", "certain",
         "A number overflowed, and everything computed from it is NaN or infinite.",
         ("overflow", "learning-rate-too-large", *DATA, "weights-too-large",
          "uphill-update", "wrong-gradient")),
    Kind("strong-regularizer", "problem", "likely",
         "The penalty outweighs the loss, so training makes the weights small instead of the predictions right.",
         ("wrong-gradient",)),
    Kind("rising-loss", "problem", "likely", "Training should lower the objective, but it raised it.", CAUSES),
    Kind("oscillation", "advice", "possible",
         "The objective rises and falls from epoch to epoch by a large part of its value: the steps are too long to "
         "converge.",
         (*CAUSES, "rising-loss", "sorted-rows")),
    Kind("still-falling", "advice", "likely",
         "The objective was still falling fast when training ended, so more epochs would have improved it.",
         (*CODE, *DATA, "learning-rate-too-small", "edge-of-stability", "equal-units", "dead-units",
          "vanishing-gradient", "weights-too-small", "learning-rate-too-large", "not-finite", "rising-loss",
          "overfitting", *SETTINGS)),
    Kind("rate-decayed", "problem", "likely",
         "The learning rate fell so far that the last steps changed hardly anything, before the network had learned.",
         (*CODE, *DATA)),
    Kind("warm-up-unfinished", "problem", "certain",
         "The learning rate was still rising when training ended, so it never reached the rate that was meant.",
         (*CODE, *DATA)),
    Kind("patience-too-short", "advice", "likely",
         "The validation loss of single epochs goes up and down. A short patience takes the first bad epoch for the "
         "end of progress.", (*CODE, *DATA)),
    Kind("more-parameters-than-rows", "advice", "certain",
         "A network with far more parameters than rows can memorize them, and without validation rows this goes "
         "unnoticed.", (*CODE, "overfitting")),
    Kind("overfitting", "advice", "likely",
         "The network got better on the training rows and worse on the validation rows: it memorized the training "
         "rows.",
         ("wrong-gradient", *SPLIT, "validation-below-baseline")),
    Kind("validation-below-baseline", "problem", "certain",
         "The network knows the training rows, and is worse than a constant prediction on the validation rows. So the "
         "two are prepared differently, or the network has only memorized.", (*CODE, *SPLIT)),
    # the result
    Kind("class-never-predicted", "advice", "certain",
         "A network that never predicts a class has not learned it.",
         (*CAUSES, "class-imbalance", "sorted-rows", "still-falling", "cannot-overfit", "not-finite", "rising-loss")),
    Kind("no-better-than-one-answer", "problem", "certain",
         "The network is no better than a constant prediction, the same for every row.",
         (*CAUSES, "class-imbalance", "sorted-rows", "still-falling", "cannot-overfit", "not-finite", "rising-loss")),
    Kind("no-better-than-linear", "advice", "likely",
         "A model without hidden layers does as well. Either there are too few hidden units, or the problem needs "
         "none.",
         (*CAUSES, "class-imbalance", "sorted-rows", "still-falling", "cannot-overfit", "not-finite", "rising-loss",
          "no-better-than-one-answer")),
)}
# fmt: on


@dataclass(frozen=True, repr=False)
class Finding(Readable):
    """One problem or advice that the doctor reports.

    Attributes
    ----------
    name : str
        The name of its kind, such as ``"unscaled-inputs"``.
    severity : str
        ``"problem"``, ``"advice"``, or ``"note"`` for a fact that is no reason to change the network.
    measured : str
        The evidence: what was measured, with its numbers.
    why : str
        Why it matters.
    change : str
        The one change to make, as code that runs where ``net``, ``X`` and ``y`` are the objects that were diagnosed.
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


def make_finding(name: str, measured: str, change: str, severity: str = "") -> Finding:
    """Make a finding of a kind, with the severity of its kind unless another one is given.

    >>> make_finding("constant-column", "column 3 is 1 in every row.", "X = X[:, X.std(axis=0) > 0]").severity
    'advice'
    """
    kind = KINDS[name]
    return Finding(name, severity or kind.severity, measured, kind.why, change, kind.sure)


@dataclass(frozen=True, repr=False)
class Diagnosis(Readable):
    """The findings of the doctor, the most urgent first, and what it checked.

    Examples
    --------
    >>> print(Diagnosis((), ("the inputs",)))
    The checks found nothing. Checked: the inputs.
    """

    findings: tuple[Finding, ...]
    looked_at: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no finding is a problem; there may be advice and notes."""
        return not self.problems

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that are problems."""
        return tuple(finding for finding in self.findings if finding.severity == "problem")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings that only state a fact."""
        return tuple(finding for finding in self.findings if finding.severity == "note")

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
        """The number of problems, advice and notes, in words."""
        if not self.findings:
            return "The checks found nothing."
        problems = count_of(len(self.problems), "problem") if self.problems else "No problem found"
        advice = f"{len(self.findings) - len(self.problems) - len(self.notes)} advice"
        notes = [count_of(len(self.notes), "note")] if self.notes else []
        return f"{', '.join([problems, advice, *notes])}."

    def __str__(self) -> str:
        checked = f"Checked: {', '.join(self.looked_at)}." if self.looked_at else ""
        if not self.findings:
            return f"{self.heading} {checked}".strip()
        return "\n\n".join([self.heading, *map(str, self.findings), checked]).rstrip()

    def _repr_html_(self) -> str:
        """The findings as HTML, for a notebook."""
        pieces = [f"<p><strong>{self.heading}</strong> Checked: {in_html(', '.join(self.looked_at))}.</p>"]
        for f in self.findings:
            head = f"{in_html(f.severity)}: {in_html(f.name)}"
            pieces.append(
                f"<h4>{head} ({f.sure})</h4><p>{in_html(f.measured)} {in_html(f.why)}</p><pre>{in_html(f.change)}</pre>"
            )
        return "".join(pieces)


def most_urgent_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort the findings by urgency; keep one of each kind, and none that another one explains."""
    by_name: dict[str, Finding] = {}
    for finding in findings:
        by_name.setdefault(finding.name, finding)
    order = list(KINDS)
    # a setting that does no harm explains nothing
    causes = {name for name, f in by_name.items() if f.severity != "note" or name not in SETTINGS}
    unexplained = [f for f in by_name.values() if causes.isdisjoint(KINDS[f.name].explained_by)]
    return tuple(sorted(unexplained, key=lambda finding: order.index(finding.name)))
