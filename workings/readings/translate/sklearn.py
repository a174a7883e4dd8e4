"""scikit-learn: a network and its training as ``MLPClassifier`` or ``MLPRegressor``.

The conventions are those of scikit-learn 1.9's own source: ``neural_network/_multilayer_perceptron.py``,
``_stochastic_optimizers.py`` and ``_base.py``.  It has one kind of network and three optimizers.  A network that it
cannot have is an error; a training that it cannot have is told as near as it goes, with a sentence that says so.

Its gradient is (p - y) over the rows, whatever the loss; ours has factors of its own (a 2 without ½, a mean over
outputs).  So the rate takes that factor, and ``alpha`` and ``epsilon`` are divided by it.
"""

from __future__ import annotations

from typing import Any

from workings import initializers as first
from workings.errors import InputError
from workings.layers import Dense
from workings.losses import BinaryCrossEntropy, CrossEntropy, Poisson, SquaredError
from workings.optimizers import (
    LBFGS,
    SGD,
    AdaGrad,
    Adam,
    AdamEpsilonHat,
    AdamW,
    ClipByNorm,
    ClipByValue,
    Decay,
    Freeze,
    Momentum,
    Nesterov,
    RMSProp,
)
from workings.readings.translate.plan import (
    INDENT,
    SMALL_EPS,
    Draft,
    Plan,
    Translation,
    broken,
    call,
    plain,
    starts,
)
from workings.regularizers import L1, L2, L2PerRow
from workings.schedules import InverseScaling, OnPlateau

ACTIVATIONS = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
ESTIMATORS: dict[type, tuple[str, str | None]] = {
    SquaredError: ("MLPRegressor", None),
    Poisson: ("MLPRegressor", '"poisson"'),
    CrossEntropy: ("MLPClassifier", None),
    BinaryCrossEntropy: ("MLPClassifier", None),
}
SOLVERS: dict[type, str] = {SGD: "sgd", Momentum: "sgd", Nesterov: "sgd", LBFGS: "lbfgs"}
SHRINKS = 0.2  # what an adaptive rate is multiplied by there, always


def write(plan: Plan) -> Translation:
    """Translate a plan."""
    return Writer(plan).translation()


class Writer:
    """Writes one plan as code for scikit-learn."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.draft = plan, Draft()
        self.hidden, self.activation = self.layers()
        self.estimator, self.loss = self.named_loss()
        self.solver = SOLVERS.get(type(plan.last), "adam")

    def translation(self) -> Translation:
        """The code and the sentences."""
        plan = self.plan
        lines = ["import warnings", "", "import numpy as np", "from sklearn.exceptions import ConvergenceWarning"]
        lines += [f"from sklearn.neural_network import {self.estimator}"]
        by_class = plan.class_weight is not None
        lines += ["from sklearn.utils.class_weight import compute_sample_weight"] if by_class else []
        lines += ["", *plan.given(), "y = np.asarray(y)", *self.row_weights(), ""]
        lines += broken(f"model = {call(self.estimator, **self.settings())}")
        lines += ['warnings.filterwarnings("ignore", category=ConvergenceWarning)  # all epochs are wanted']
        self.tell_data()
        self.tell_rows()
        fit = "model.fit(X, y, sample_weight=sample_weight)" if plan.has_weights else "model.fit(X, y)"
        return self.draft.translation("sklearn", [*lines, *self.start(), fit])

    def row_weights(self) -> list[str]:
        """One weight for each row."""
        plan = self.plan
        lines = ["sample_weight = np.asarray(sample_weight, dtype=X.dtype)"] if plan.sample_weight else []
        if plan.class_weight is not None:
            balance = repr(plan.of_class) if plan.of_class else '"balanced"'
            times = "sample_weight * " if plan.sample_weight else ""
            lines += [f"sample_weight = {times}compute_sample_weight({balance}, y)"]
        return lines if self.loses_a_class else [*lines, *(plan.left_out() if plan.has_weights else [])]

    @property
    def loses_a_class(self) -> bool:
        """Whether a class would be unknown to the estimator if its rows, of weight 0, were left out."""
        return not all(self.plan.of_class.values())

    def tell_rows(self) -> None:
        """What becomes of weights and of validation rows."""
        plan, note = self.plan, self.draft.note
        if plan.has_weights:
            note("fit takes sample_weight (from scikit-learn 1.7 on) and divides by the sum of the batch's weights.")
        if plan.class_weight is not None:
            note("The MLP has no class_weight: compute_sample_weight makes one weight for each row of it.")
        if self.loses_a_class:
            note(
                "Rows of weight 0 stay in their batches here, so that the estimator knows their class; ours are left "
                "out before batches are made.",
                equal=False,
            )
        else:
            plan.tell_weights(self.draft)
        if plan.validation:
            note(
                "scikit-learn's MLP measures on no rows of yours: validation_fraction puts rows of X aside, for early "
                "stopping alone. What is trained is the same; model.score(X_val, y_val) measures at the end."
            )

    def tell_weighted(self, what: str) -> None:
        """Say where a setting depends on the weights of each batch."""
        if self.plan.has_weights and self.plan.batch_size is not None and self.solver != "lbfgs":
            self.draft.note(
                f"{what} the sum of each batch's weights, which no setting says: it is right where that is the rows.",
                equal=False,
            )

    # -- the network -----------------------------------------------------------------------

    def layers(self) -> tuple[tuple[int, ...], str]:
        """The sizes of the hidden layers, and their one activation."""
        layers = self.plan.network.layers
        for layer in layers:
            if not isinstance(layer, Dense):
                raise InputError(f"scikit-learn's MLP has no {layer!r}: translate to torch or keras.")
            if not layer.bias:
                raise InputError(f"scikit-learn's MLP always has biases: {layer!r} cannot be translated.")
        *hidden, last = [layer for layer in layers if isinstance(layer, Dense)]
        names = list(dict.fromkeys(layer.bend.name for layer in hidden)) or ["identity"]
        if last.bend.name != "identity":
            raise InputError(f"scikit-learn's MLP has no activation of one's own after the last layer, as in {last!r}.")
        if len(names) > 1 or names[0] not in ACTIVATIONS:
            raise InputError(
                f"scikit-learn's MLP has one activation for all hidden layers, one of {', '.join(ACTIVATIONS)} (in "
                f"our names); this network has {', '.join(names)}. Translate to torch or keras."
            )
        return tuple(layer.units for layer in hidden), ACTIVATIONS[names[0]]

    def named_loss(self) -> tuple[str, str | None]:
        """The estimator, and the name of its loss where there is a choice."""
        loss = self.plan.network.loss
        if type(loss) not in ESTIMATORS:
            raise InputError(f"scikit-learn's MLP has no {loss!r}: translate to torch or keras.")
        if getattr(loss, "label_smoothing", 0):
            raise InputError(f"scikit-learn's MLP takes labels and smooths none: {loss!r} cannot be translated.")
        return ESTIMATORS[type(loss)]

    @property
    def n_out(self) -> int:
        """The number of outputs."""
        return self.plan.network.targets.n_out

    @property
    def is_two_classes(self) -> bool:
        """Whether the network has two outputs where scikit-learn has one."""
        return isinstance(self.plan.network.loss, CrossEntropy) and self.n_out == 2

    # -- the factor between the gradients --------------------------------------------------

    @property
    def factor(self) -> float:
        """What their gradient is multiplied by to be ours, but for the rows."""
        loss = self.plan.network.loss
        doubled = 2.0 if isinstance(loss, SquaredError) and not loss.half else 1.0
        is_mean_over_outputs = loss.reduction == "mean" and loss.target != "classes"
        return doubled / self.n_out if is_mean_over_outputs else doubled

    @property
    def adds_up(self) -> bool:
        """Whether our loss is a sum, so that its gradient grows with the rows."""
        return self.plan.network.loss.reduction == "sum"

    def by_rows(self, value: float, power: int) -> str:
        """A number times, or divided by, the rows of a batch; or as it is."""
        rows = self.plan.batch_rows
        if power == 0 or value == 0:
            return repr(plain(value))
        if self.plan.has_weights and self.plan.batch_size is None:
            return f"{plain(value)!r} {'*' if power > 0 else '/'} sample_weight.sum()"
        if rows is None:
            return f"{plain(value)!r} {'*' if power > 0 else '/'} len(X)"
        return repr(plain(value * rows**power))

    # -- the settings ----------------------------------------------------------------------

    def settings(self) -> dict[str, object]:
        """All settings of the estimator."""
        plan = self.plan
        found: dict[str, object] = {"loss": self.loss, "hidden_layer_sizes": self.hidden}
        found |= {"activation": f'"{self.activation}"', "solver": f'"{self.solver}"', "alpha": self.alpha()}
        if self.solver == "lbfgs":
            return found | self.lbfgs()
        found |= {"batch_size": plan.batch_size or "len(X)"} | self.rate() | self.optimizer()
        shuffle = plan.shuffle and plan.batch_size is not None
        found |= {"max_iter": plan.epochs, "shuffle": shuffle, "tol": 0.0, "n_iter_no_change": plan.epochs + 1}
        self.draft.note(
            "scikit-learn ends by itself when the loss has not fallen by tol for n_iter_no_change epochs: tol=0.0 "
            "and more epochs than there are keep it from that."
        )
        if shuffle:
            self.draft.note("The orders are drawn from random_state; shuffle=False takes the rows as they stand.")
        found |= self.adaptive()
        self.tell_parts()
        return found

    def alpha(self) -> str:
        """L2 in their convention."""
        lam, note = self.plan.strength(L2), self.draft.note
        if self.plan.strength(L1):
            note("scikit-learn's MLP has no L1: it is left out.", equal=False)
        if self.plan.strength(L2PerRow) and not lam:
            return self.alpha_per_row()
        if self.plan.strength(L2PerRow):
            note("L2PerRow beside L2 has no setting of its own: it is left out.", equal=False)
        lam += self.decay()
        told = self.by_rows(lam / self.factor, 0 if self.adds_up else 1)
        if self.solver == "lbfgs" and self.plan.has_weights and not self.adds_up and lam:
            told = f"{plain(lam / self.factor)!r} * sample_weight.sum()"
        elif self.solver == "lbfgs" and not self.adds_up and lam:
            told = (
                repr(plain(lam / self.factor * self.plan.rows))
                if self.plan.rows
                else f"{plain(lam / self.factor)!r} * len(X)"
            )
        if not lam:
            note("alpha is 0.0001 by default there; here there is none.")
            return told
        self.tell_alpha(told)
        return told

    def tell_alpha(self, told: str) -> None:
        """What alpha has to do with lam."""
        note = self.draft.note
        times = "" if self.adds_up else " · rows of the batch"
        over = "" if self.factor == 1 else f" / {plain(self.factor)!r}"
        note(
            f"alpha is divided by the rows of each batch, L2's lam is not: alpha = lam{times}{over} = {told}; biases "
            "are free, in both."
        )
        if not self.adds_up:
            self.tell_weighted("With weights alpha is divided by")
        if self.plan.has_short_batch:
            note(
                f"The last batch of an epoch has fewer than {self.plan.batch_rows} rows, where alpha weighs more: "
                "choose a batch_size that divides the rows.",
                equal=False,
            )
        elif self.plan.rows is None and self.plan.batch_size is not None:
            note("That holds where batch_size divides the rows; in a smaller last batch alpha weighs more.")

    def alpha_per_row(self) -> str:
        """L2PerRow, which is their alpha."""
        alpha, note = self.plan.strength(L2PerRow) / self.factor, self.draft.note
        over = "" if self.factor == 1 else f" / {plain(self.factor)!r}"
        is_equal = not self.adds_up and not self.decay()
        note(f"L2PerRow's alpha is theirs{over}: divided by the rows of each batch, biases are free.", equal=is_equal)
        return repr(plain(alpha))

    def decay(self) -> float:
        """Decoupled decay as the nearest L2."""
        decays = [float(part.weight_decay) for part in self.plan.parts if type(part) in (Decay, AdamW)]
        if not decays:
            return 0.0
        if self.solver == "sgd":
            self.draft.note(
                "scikit-learn has no decoupled decay: alpha does nearly the same, but leaves biases alone and goes "
                "through the velocity.",
                equal=False,
            )
            return plain(sum(decays))
        self.draft.note(
            "scikit-learn's adam has no decoupled decay, and alpha would go through its root: it is left out.",
            equal=False,
        )
        return 0.0

    def rate(self) -> dict[str, object]:
        """The learning rate."""
        rate, scales = self.plan.first_rate, self.solver == "sgd"
        told = self.by_rows(rate * self.factor, int(self.adds_up)) if scales else repr(rate)
        self.tell_loss()
        return {"learning_rate_init": told} | self.schedule()

    def schedule(self) -> dict[str, object]:
        """The schedule, which only sgd has."""
        plan, note = self.plan, self.draft.note
        schedule = plan.schedule
        if not plan.has_schedule:
            return {}
        if self.solver == "sgd" and isinstance(schedule, InverseScaling) and plan.batch_size is None:
            note(
                "invscaling divides by (1 + rows seen)^power_t after each epoch: it is InverseScaling with scale = 1 "
                "/ rows and one batch."
            )
            is_equal = plan.rows is not None and abs(schedule.scale * plan.rows - 1) < 1e-12  # but for rounding
            if not is_equal:
                note(
                    f"Here scale is {schedule.scale!r}, which is not known to be 1 / rows: the rates differ.",
                    equal=False,
                )
            return {"learning_rate": '"invscaling"', "power_t": schedule.power}
        note(
            f"scikit-learn has no {type(schedule).__name__} (only sgd has schedules, invscaling and adaptive, by "
            f"epochs): the rate stays at that of the first step, {plan.first_rate!r}.",
            equal=False,
        )
        return {}

    def adaptive(self) -> dict[str, object]:
        """A rate that waits for a plateau."""
        schedule = self.plan.schedule
        if not isinstance(schedule, OnPlateau):
            return {}
        if self.solver != "sgd":
            self.draft.note("scikit-learn's adam has no OnPlateau: the rate stays.", equal=False)
            return {}
        self.draft.note(
            f"adaptive is the nearest to OnPlateau: it multiplies by {SHRINKS} (OnPlateau: {schedule.factor!r}), "
            "compares with the least loss of all, and its loss is the mean of what the batches met.",
            equal=False,
        )
        return {"learning_rate": '"adaptive"', "tol": schedule.min_delta, "n_iter_no_change": schedule.patience}

    def optimizer(self) -> dict[str, object]:
        """The constants of the optimizer."""
        last, kind, note = self.plan.last, type(self.plan.last), self.draft.note
        if kind is SGD:
            note("sgd has momentum 0.9 by default; SGD has none.")
            return {"momentum": 0.0, "nesterovs_momentum": False}
        if kind in (Momentum, Nesterov):
            note("The velocity holds the rate, v = momentum · v - lr · g, in both.")
            note("sgd is Nesterov's by default; nesterovs_momentum says which, and its form is ours.")
            return {"momentum": last.momentum, "nesterovs_momentum": kind is Nesterov}
        if kind in (Adam, AdamEpsilonHat, AdamW):
            return self.adam(last)
        note(
            f"scikit-learn has no {kind.__name__}, only sgd, adam and lbfgs: adam with the same rate is the nearest.",
            equal=False,
        )
        return self.root_alone(last)

    def root_alone(self, last: Any) -> dict[str, object]:
        """Adam without its running mean, as near as it comes to RMSProp; for AdaGrad, as it is."""
        if isinstance(last, RMSProp):
            return {
                "beta_1": 0.0,
                "beta_2": last.rho,
                "epsilon": self.by_rows(last.eps / self.factor, -int(self.adds_up)),
            }
        assert isinstance(last, AdaGrad)
        return {"epsilon": self.by_rows(last.eps / self.factor, -int(self.adds_up))}

    def adam(self, last: Any) -> dict[str, object]:
        """Adam, whose epsilon stands elsewhere."""
        eps, hat = last.eps, "Their epsilon is the paper's ε̂, beside √v before its bias is corrected"
        if isinstance(last, AdamEpsilonHat):
            self.draft.note(f"{hat}, as here.")
        else:
            ratio, is_small = plain((1 - last.beta2) ** -0.5), eps <= SMALL_EPS
            no_constant = "no constant makes it equal (AdamEpsilonHat is the same), and a smaller eps makes less of it."
            self.draft.note(
                f"{hat}, which is our eps / √(1 - β₂ᵗ) in step t, {ratio:.3g} times as large in the first; "
                + ("it is too small to show." if is_small else no_constant),
                equal=is_small,
            )
        told = self.by_rows(eps / self.factor, -int(self.adds_up))
        return {"beta_1": last.beta1, "beta_2": last.beta2, "epsilon": told}

    def lbfgs(self) -> dict[str, object]:
        """L-BFGS, which SciPy runs in both."""
        last = self.plan.last
        self.draft.note(
            "Both hand L-BFGS-B to SciPy, but scikit-learn leaves SciPy's memory of 10 steps and its end at a small "
            f"fall of the loss (ftol); ours has memory={last.memory} and ends by the gradient alone: the way is the "
            "same, where it ends is not.",
            equal=False,
        )
        tolerance = last.tolerance / self.factor
        tol = repr(plain(tolerance)) if not self.adds_up else f"{plain(tolerance)!r} / len(X)"
        self.tell_loss()
        return {"max_iter": self.plan.epochs, "max_fun": 25 * self.plan.epochs, "tol": tol}

    # -- the first weights -----------------------------------------------------------------

    @property
    def is_drawn_alike(self) -> bool:
        """Whether first weights and biases are drawn as scikit-learn draws them, as those of our estimators are."""
        layers = [layer for layer in self.plan.network.layers if isinstance(layer, Dense)]
        makes = [first.initializer_of(given, default) for layer in layers for _, given, default in starts(layer)]
        factor = 2.0 if self.activation == "logistic" else 6.0
        return all(isinstance(how, first.GlorotUniformOf) and how.factor == factor for how in makes)

    def start(self) -> list[str]:
        """The first weights, where they are given: scikit-learn takes them from an earlier fit."""
        if self.plan.weights == "draw" and self.is_drawn_alike:
            self.draft.note("First weights and biases are drawn by scikit-learn's own rule, from random_state.")
            return []
        if self.plan.weights == "draw":
            bound = "√(2 / (n_in + n_out))" if self.activation == "logistic" else "√(6 / (n_in + n_out))"
            self.draft.note(
                f"scikit-learn draws weights and biases evenly from ±{bound}, whatever the activation but for "
                "logistic's 2; ours are by default He's for the ReLU family, Glorot's for all others, with biases 0: "
                'weights="given" starts from the same.',
                equal=False,
            )
            return []
        self.draft.note(
            "First weights are set after a fit of one epoch; warm_start=True lets the next fit begin with them."
        )
        numbers = [number for layer, number in self.plan.layers]
        coefs, intercepts = ([f'weights["{letter}{number}"]' for number in numbers] for letter in "Wb")
        if self.is_two_classes:
            coefs[-1] = f"{coefs[-1]}[:, 1:] - {coefs[-1]}[:, :1]"
            intercepts[-1] = f"{intercepts[-1]}[1:] - {intercepts[-1]}[:1]"
        copied = [[f"{INDENT}np.array({text}, dtype=X.dtype)," for text in texts] for texts in (coefs, intercepts)]
        return [
            "model.set_params(max_iter=1).fit(X, y)",
            "model.coefs_ = [", *copied[0], "]", "model.intercepts_ = [", *copied[1], "]",
            "model.t_ = 0",
            f"model.set_params(max_iter={self.plan.epochs}, warm_start=True)",
        ]  # fmt: skip

    # -- the sentences ---------------------------------------------------------------------

    def tell_loss(self) -> None:
        """The conventions of the loss."""
        loss, note = self.plan.network.loss, self.draft.note
        factor = plain(self.factor)
        takers = {"sgd": "the rate and alpha take it", "lbfgs": "alpha and tol take it"}
        into = f"{takers.get(self.solver, 'epsilon and alpha take it, as adam steps alike otherwise')} into account."
        if isinstance(loss, SquaredError):
            note(
                "scikit-learn's squared error has the ½, and its gradient is not divided by the outputs (though its "
                f"loss is): ours is {factor!r} times theirs, and {into}"
            )
        elif self.factor != 1:
            note(f"Our mean is over rows and outputs, theirs over rows: ours is {factor!r} times theirs, and {into}")
        if self.adds_up:
            note(f"scikit-learn's loss is always a mean over rows, ours a sum: ours is n times theirs, and {into}")
            self.tell_weighted("With weights ours is larger by")
            if self.plan.has_short_batch:
                note(
                    "In the smaller last batch of an epoch a sum weighs less, which no setting of theirs says.",
                    equal=False,
                )
        if self.solver == "lbfgs" and isinstance(loss, SquaredError) and self.n_out > 1:
            note("With several outputs their lbfgs gets a gradient that is not the loss's own.", equal=False)

    def tell_parts(self) -> None:
        """The parts of a chain that scikit-learn does not have."""
        for part in self.plan.parts:
            if type(part) in (ClipByNorm, ClipByValue, Freeze):
                self.draft.note(f"scikit-learn has no {part!r}: it is left out.", equal=False)

    def tell_data(self) -> None:
        """What targets mean there."""
        if self.is_two_classes:
            self.draft.note(
                "For two classes scikit-learn has one logistic output where this network has two: the same function "
                "to begin with, but steps of another length. Dense(1) with BinaryCrossEntropy() is the same network.",
                equal=False,
            )
        elif self.estimator == "MLPClassifier" and self.n_out != 1:
            self.draft.note(
                "Labels may be of any kind and are put in order; several 0/1 columns are several labels, in both."
            )
