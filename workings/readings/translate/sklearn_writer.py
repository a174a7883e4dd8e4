"""Translation to scikit-learn: ``MLPClassifier`` or ``MLPRegressor``.

The conventions come from the source of scikit-learn 1.9: ``neural_network/_multilayer_perceptron.py``,
``_stochastic_optimizers.py`` and ``_base.py``.  It has one kind of network and three optimizers.  An
unsupported network raises an error.  An unsupported training is translated to the nearest supported one, with
a note.

Its gradient is (p - y) divided by the rows, for every loss; ours has additional factors (2 without half=True,
a mean over outputs).  So the learning rate is multiplied by this factor, and ``alpha`` and ``epsilon`` are
divided by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from workings import optimizers as ours
from workings.errors import InputError
from workings.initializers import GlorotUniformOf
from workings.layers import Dense
from workings.losses import BinaryCrossEntropy, CrossEntropy, Poisson, SquaredError
from workings.readings.translate.formatting import INDENT, call, keywords, plain, wrap_call
from workings.readings.translate.plan import TranslationPlan
from workings.readings.translate.translated_code import Difference
from workings.readings.translate.translation_writer import SMALL_EPS, TranslationWriter, initializers_of
from workings.regularizers import L1, L2, L2PerRow
from workings.schedules import InverseScaling

ACTIVATIONS = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
ESTIMATORS: dict[type, tuple[str, str | None]] = {
    SquaredError: ("MLPRegressor", None),
    Poisson: ("MLPRegressor", '"poisson"'),
    CrossEntropy: ("MLPClassifier", None),
    BinaryCrossEntropy: ("MLPClassifier", None),
}
SHRINKS = 0.2  # scikit-learn's fixed factor of an adaptive rate


def writer(plan: TranslationPlan) -> TranslationWriter:
    """Return the writer for a plan by scikit-learn's solver; adam is the nearest for unsupported optimizers."""
    return WRITERS.get(type(plan.last), AdamSolver)(plan)


class SklearnWriter(TranslationWriter):
    """Writes one plan as code for scikit-learn; there is a subclass for each solver."""

    system = "sklearn"
    name = "scikit-learn"
    generator = "random_state"
    order_of_notes = ("regularizers", "loss", "schedule", "optimizer", "training", "plateau",
                      "parts", "data", "layers", "rows", "start")  # fmt: skip
    solver: ClassVar[str]
    takes_factor: ClassVar[str]  # the settings that compensate for the factor between the losses

    def __init__(self, plan: TranslationPlan) -> None:
        super().__init__(plan)
        self.hidden, self.activation = self.hidden_layers()
        self.estimator, self.loss_name = self.estimator_and_loss()
        loss, self.n_out = plan.network.loss, plan.network.targets.n_out
        self.is_two_classes = isinstance(loss, CrossEntropy) and self.n_out == 2  # scikit-learn has one output then
        self.loses_a_class = not all(plan.label_weights.values())  # if rows of weight 0 are removed
        self.batch_rows, self.is_full_batch = plan.batch_rows, plan.recipe.batch_size is None
        self.adds_up = loss.reduction == "sum"  # then our gradient grows with the rows
        # The factor from scikit-learn's gradient to ours, without the factor for the number of rows.
        self.factor = 2.0 if isinstance(loss, SquaredError) and not loss.half else 1.0
        self.factor /= self.n_out if loss.reduction == "mean" and not loss.is_multiclass else 1
        self.over = "" if self.factor == 1 else f" / {plain(self.factor)!r}"
        self.lam, self.decay = plan.strength(L2), 0.0  # decay that the solver treats as L2
        self.is_l2_per_row = bool(plan.strength(L2PerRow)) and not self.lam  # then it is scikit-learn's alpha

    def imports(self) -> list[str]:
        lines = ["import warnings", "", "import numpy as np", "from sklearn.exceptions import ConvergenceWarning"]
        lines += [f"from sklearn.neural_network import {self.estimator}"]
        if self.plan.recipe.class_weight is not None:
            lines += ["from sklearn.utils.class_weight import compute_sample_weight"]
        return [*lines, ""]

    def model(self) -> list[str]:
        arguments = [*self.loss(), *self.layers(), *keywords(solver=f'"{self.solver}"'), *self.regularizers()]
        arguments += self.settings_of_solver()
        lines = wrap_call(f"model = {call(self.estimator, *arguments)}")
        return [*lines, 'warnings.filterwarnings("ignore", category=ConvergenceWarning)  # train all epochs']

    def settings_of_solver(self) -> list[str]:
        """Write the settings that depend on the solver."""
        plan = self.plan
        lines = [*keywords(batch_size=plan.recipe.batch_size or "len(X)", learning_rate_init=self.rate())]
        lines += [*self.schedule(), *self.optimizer()]
        return [*lines, *keywords(max_iter=plan.recipe.epochs, shuffle=plan.shuffles), *self.plateau()]

    def training(self) -> list[str]:
        return ["model.fit(X, y, sample_weight=sample_weight)" if self.weighs_rows else "model.fit(X, y)"]

    def notes_on_training(self) -> Iterator[str]:
        yield (
            "scikit-learn stops early when the loss has not fallen by tol for n_iter_no_change epochs: tol=0.0 "
            "and n_iter_no_change above max_iter prevent that."
        )
        yield from super().notes_on_training()

    def data(self) -> list[str]:
        kept = [] if self.loses_a_class else self.without_zero_weights()
        return ["y = np.asarray(y)", *self.row_weights(), *kept, ""]

    def row_weights(self) -> list[str]:
        plan = self.plan
        lines = ["sample_weight = np.asarray(sample_weight, dtype=X.dtype)"] if plan.sample_weight else []
        if plan.recipe.class_weight is None:
            return lines
        balance = repr(plan.label_weights) if plan.label_weights else '"balanced"'
        times = "sample_weight * " if plan.sample_weight else ""
        return [*lines, f"sample_weight = {times}compute_sample_weight({balance}, y)"]

    def notes_on_data(self) -> Iterator[str]:
        if self.is_two_classes:
            yield Difference(
                "For two classes scikit-learn has one logistic output where this network has two: the same initial "
                "function, but steps of different length. Dense(1) with BinaryCrossEntropy() is the same network."
            )
        elif self.estimator == "MLPClassifier" and self.n_out != 1:
            yield "Labels may have any type and are sorted; several 0/1 columns are several labels, in both."

    def notes_on_rows(self) -> Iterator[str]:
        plan = self.plan
        if plan.has_weights:
            yield "fit takes sample_weight (from scikit-learn 1.7 on) and divides by the sum of the batch's weights."
        if plan.recipe.class_weight is not None:
            yield "The MLP has no class_weight: compute_sample_weight makes one weight for each row."
        if self.loses_a_class:
            yield Difference(
                "Rows of weight 0 stay in their batches here, so that the estimator knows their class; ours are "
                "removed before batches are made."
            )
        else:
            yield from self.notes_on_weights()
        if plan.validation:
            yield (
                "scikit-learn's MLP takes no validation set: validation_fraction splits rows off X, for early "
                "stopping alone. The training is the same; model.score(X_val, y_val) measures at the end."
            )

    def hidden_layers(self) -> tuple[tuple[int, ...], str]:
        """Return the sizes of the hidden layers, and their one activation."""
        layers = self.plan.network.layers
        for layer in layers:
            if not isinstance(layer, Dense):
                raise InputError(f"scikit-learn's MLP has no {layer!r}: translate to torch or keras.")
            if not layer.bias:
                raise InputError(f"scikit-learn's MLP always has biases: {layer!r} cannot be translated.")
        *hidden, last = [layer for layer in layers if isinstance(layer, Dense)]
        names = list(dict.fromkeys(layer.activation_function.name for layer in hidden)) or ["identity"]
        if last.activation_function.name != "identity":
            raise InputError(f"scikit-learn's MLP cannot set the activation of the last layer, as in {last!r}.")
        if len(names) > 1 or names[0] not in ACTIVATIONS:
            raise InputError(
                f"scikit-learn's MLP has one activation for all hidden layers, one of {', '.join(ACTIVATIONS)} (in "
                f"our names); this network has {', '.join(names)}. Translate to torch or keras."
            )
        return tuple(layer.units for layer in hidden), ACTIVATIONS[names[0]]

    def layers(self) -> list[str]:
        return keywords(hidden_layer_sizes=self.hidden, activation=f'"{self.activation}"')

    def notes_on_layers(self) -> Iterator[str]:
        yield from ()  # unsupported layers raise an error

    @property
    def is_drawn_alike(self) -> bool:
        """Whether initial weights and biases are drawn by scikit-learn's rule, as in our estimators."""
        rules = [rule for layer in self.plan.network.layers for _, rule in initializers_of(layer)]
        factor = 2.0 if self.activation == "logistic" else 6.0
        return all(isinstance(rule, GlorotUniformOf) and rule.factor == factor for rule in rules)

    def start(self) -> list[str]:
        if self.plan.weights == "draw":
            return []
        numbers = [number for _, number in self.plan.layers]
        coefs, intercepts = ([f'weights["{letter}{number}"]' for number in numbers] for letter in "Wb")
        if self.is_two_classes:
            coefs[-1] = f"{coefs[-1]}[:, 1:] - {coefs[-1]}[:, :1]"
            intercepts[-1] = f"{intercepts[-1]}[1:] - {intercepts[-1]}[:1]"
        lines = ["model.set_params(max_iter=1).fit(X, y)"]
        for name, texts in (("coefs_", coefs), ("intercepts_", intercepts)):
            lines += [f"model.{name} = [", *(f"{INDENT}np.array({text}, dtype=X.dtype)," for text in texts), "]"]
        return [*lines, "model.t_ = 0", f"model.set_params(max_iter={self.plan.recipe.epochs}, warm_start=True)"]

    def notes_on_start(self) -> Iterator[str]:
        if self.plan.weights == "given":
            yield "Initial weights are set after a fit of one epoch; warm_start=True lets the next fit start from them."
        elif self.is_drawn_alike:
            yield "Initial weights and biases are drawn by scikit-learn's own rule, from random_state."
        else:
            bound = "√(2 / (n_in + n_out))" if self.activation == "logistic" else "√(6 / (n_in + n_out))"
            yield Difference(
                f"scikit-learn draws weights and biases uniformly from ±{bound} (2 for logistic, 6 for any other "
                "activation); ours are by default He's for the ReLU family, Glorot's for all others, with biases 0: "
                'weights="given" starts from the same weights.'
            )

    def estimator_and_loss(self) -> tuple[str, str | None]:
        """Return the estimator, and the name of its loss where there is a choice."""
        loss = self.plan.network.loss
        if type(loss) not in ESTIMATORS:
            raise InputError(f"scikit-learn's MLP has no {loss!r}: translate to torch or keras.")
        if self.plan.smoothing:
            raise InputError(f"scikit-learn's MLP has no label smoothing: {loss!r} cannot be translated.")
        return ESTIMATORS[type(loss)]

    def loss(self) -> list[str]:
        return keywords(loss=self.loss_name)

    def by_rows(self, value: float, power: int) -> str:
        """Write a number multiplied (power 1) or divided (-1) by the rows of a batch, or unchanged (0)."""
        if power == 0 or value == 0:
            return repr(plain(value))
        sign = "*" if power > 0 else "/"
        if self.plan.has_weights and self.is_full_batch:
            return f"{plain(value)!r} {sign} sample_weight.sum()"
        if self.batch_rows is None:
            return f"{plain(value)!r} {sign} len(X)"
        return repr(plain(value * self.batch_rows**power))

    def notes_on_loss(self) -> Iterator[str]:
        loss, factor = self.plan.network.loss, plain(self.factor)
        into = f"{self.takes_factor} into account."
        if isinstance(loss, SquaredError):
            yield (
                "scikit-learn's squared error has the ½, and its gradient is not divided by the outputs (though its "
                f"loss is): ours is {factor!r} times theirs, and {into}"
            )
        elif self.factor != 1:
            yield f"Our mean is over rows and outputs, theirs over rows: ours is {factor!r} times theirs, and {into}"
        if self.adds_up:
            yield f"scikit-learn's loss is always a mean over rows, ours a sum: ours is n times theirs, and {into}"
            yield from self.notes_on_sum_of_weights("With weights ours is larger by")
        if self.adds_up and self.plan.has_short_batch:
            yield Difference("A sum is smaller in the short last batch of an epoch, which no setting can express.")

    def notes_on_sum_of_weights(self, what: str) -> Iterator[str]:
        """Yield that a setting depends on the weights of each batch."""
        if self.plan.has_weights and not self.is_full_batch:
            yield Difference(
                f"{what} the sum of each batch's weights, which no setting can express: it is exact where that is "
                "the number of rows."
            )

    def regularizers(self) -> list[str]:
        return [f"alpha={self.alpha}"]

    @property
    def alpha(self) -> str:
        """L2 in scikit-learn's convention."""
        if self.is_l2_per_row:
            return repr(plain(self.plan.strength(L2PerRow) / self.factor))
        return self.by_rows(self.lam / self.factor, 0 if self.adds_up else 1)

    def notes_on_regularizers(self) -> Iterator[str]:
        if self.plan.strength(L1):
            yield Difference("scikit-learn's MLP has no L1: it is omitted.")
        if self.is_l2_per_row:
            note = (
                f"L2PerRow's alpha is theirs{self.over}: divided by the rows of each batch; biases are not penalized."
            )
            if not self.adds_up:
                yield from self.notes_on_decay()
            yield Difference(note) if self.adds_up or self.decay else note
            return
        if self.plan.strength(L2PerRow):
            yield Difference("L2PerRow in addition to L2 has no setting: it is omitted.")
        yield from self.notes_on_decay()
        if self.lam:
            yield from self.notes_on_alpha()
        else:
            yield "alpha is 0.0001 by default there; here there is none."

    def notes_on_alpha(self) -> Iterator[str]:
        """Yield how alpha depends on lam."""
        plan, times = self.plan, "" if self.adds_up else " · rows of the batch"
        yield (
            f"alpha is divided by the rows of each batch, L2's lam is not: alpha = lam{times}{self.over} = "
            f"{self.alpha}; biases are not penalized, in both."
        )
        if not self.adds_up:
            yield from self.notes_on_sum_of_weights("With weights alpha is divided by")
        if plan.has_short_batch:
            yield Difference(
                f"The last batch of an epoch has fewer than {plan.batch_rows} rows, where alpha has more weight: "
                "choose a batch_size that divides the number of rows."
            )
        elif plan.rows is None and plan.recipe.batch_size is not None:
            yield "That holds if batch_size divides the number of rows; in a smaller last batch alpha has more weight."

    def rate(self) -> str:
        """Write the learning rate of the first step."""
        return repr(self.plan.first_rate)

    def schedule(self) -> list[str]:
        return []

    def notes_on_schedule(self) -> Iterator[str]:
        if self.plan.has_schedule:
            yield Difference(
                f"scikit-learn has no {type(self.plan.schedule).__name__} (only sgd has schedules, invscaling and "
                f"adaptive, by epochs): the rate stays at its value in the first step, {self.plan.first_rate!r}."
            )

    def plateau(self) -> list[str]:
        return keywords(tol=0.0, n_iter_no_change=self.plan.recipe.epochs + 1)

    def notes_on_plateau(self) -> Iterator[str]:
        if self.plan.plateau:
            yield Difference(f"scikit-learn's {self.solver} has no OnPlateau: the learning rate is constant.")

    def parts(self) -> list[str]:
        return []

    def notes_on_parts(self) -> Iterator[str]:
        for part in self.plan.parts:
            if isinstance(part, (ours.ClipByNorm, ours.ClipByValue, ours.Freeze)):
                yield Difference(f"scikit-learn has no {part!r}: it is omitted.")

    def notes_on_decay(self) -> Iterator[str]:
        """Yield how decoupled weight decay is translated."""
        if self.plan.decays:
            yield Difference(
                f"scikit-learn's {self.solver} has no decoupled decay, and alpha would be scaled by the adaptive step: "
                "it is omitted."
            )


class SgdSolver(SklearnWriter):
    """Gradient descent, with or without momentum: only this solver has schedules."""

    solver = "sgd"
    takes_factor = "the rate and alpha take it"

    def __init__(self, plan: TranslationPlan) -> None:
        super().__init__(plan)
        self.decay = plain(sum(plan.decays))
        self.lam += self.decay
        # It changes after each epoch, which equals a step in full-batch training.
        self.is_inverse_scaling = isinstance(plan.schedule, InverseScaling) and self.is_full_batch

    def optimizer(self) -> list[str]:
        last = self.plan.last
        if isinstance(last, ours.SGD):
            return keywords(momentum=0.0, nesterovs_momentum=False)
        return keywords(momentum=last.momentum, nesterovs_momentum=isinstance(last, ours.Nesterov))

    def notes_on_optimizer(self) -> Iterator[str]:
        if isinstance(self.plan.last, ours.SGD):
            yield "sgd has momentum 0.9 by default; SGD has none."
        else:
            yield "The velocity includes the learning rate, v = momentum · v - lr · g, in both."
            yield "sgd uses Nesterov momentum by default; nesterovs_momentum selects it, in the same form as ours."

    def rate(self) -> str:
        return self.by_rows(self.plan.first_rate * self.factor, int(self.adds_up))

    def schedule(self) -> list[str]:
        if not self.is_inverse_scaling:
            return []
        return keywords(learning_rate='"invscaling"', power_t=self.plan.schedule.power)

    def notes_on_schedule(self) -> Iterator[str]:
        if not self.is_inverse_scaling:
            yield from super().notes_on_schedule()
            return
        yield (
            "invscaling divides by (1 + rows seen)^power_t after each epoch: it is InverseScaling with scale = 1 / "
            "rows and one batch."
        )
        scale, rows = self.plan.schedule.scale, self.plan.rows
        if rows is None or abs(scale * rows - 1) >= 1e-12:  # except for rounding
            yield Difference(f"Here scale is {scale!r}, which is not known to be 1 / rows: the rates differ.")

    def plateau(self) -> list[str]:
        plateau = self.plan.plateau
        if plateau is None:
            return super().plateau()
        return keywords(tol=plateau.min_delta, n_iter_no_change=plateau.patience, learning_rate='"adaptive"')

    def notes_on_plateau(self) -> Iterator[str]:
        if self.plan.plateau:
            yield Difference(
                f"adaptive is nearest to OnPlateau: it multiplies by {SHRINKS} (OnPlateau: "
                f"{self.plan.plateau.factor!r}), compares with the best loss so far, and its loss is the mean "
                "over the batches."
            )

    def notes_on_decay(self) -> Iterator[str]:
        if self.plan.decays:
            yield Difference(
                "scikit-learn has no decoupled decay: alpha is similar, but excludes biases and goes through the "
                "velocity."
            )


class AdamSolver(SklearnWriter):
    """Adam, also as the nearest to RMSProp (without the running mean of gradients) and AdaGrad."""

    solver = "adam"
    takes_factor = "epsilon and alpha take it, as adam steps alike otherwise"

    def optimizer(self) -> list[str]:
        last = self.plan.last
        epsilon = self.by_rows(last.eps / self.factor, -int(self.adds_up))
        if isinstance(last, ours.RMSProp):
            return keywords(beta_1=0.0, beta_2=last.rho, epsilon=epsilon)
        if isinstance(last, ours.AdaGrad):
            return keywords(epsilon=epsilon)
        return keywords(beta_1=last.beta1, beta_2=last.beta2, epsilon=epsilon)

    def notes_on_optimizer(self) -> Iterator[str]:
        last, kind = self.plan.last, type(self.plan.last)
        hat = "Their epsilon is the paper's ε̂, added to √v without bias correction"
        if kind is ours.AdamEpsilonHat:
            yield f"{hat}, as here."
        elif kind in (ours.Adam, ours.AdamW):
            ratio = plain((1 - last.beta2) ** -0.5)
            note = f"{hat}, which is our eps / √(1 - β₂ᵗ) in step t, {ratio:.3g} times as large in the first; "
            if last.eps <= SMALL_EPS:
                yield f"{note}it is too small to matter."
            else:
                yield Difference(
                    f"{note}no constant makes it equal (AdamEpsilonHat is the same), and a smaller eps reduces the "
                    "difference."
                )
        else:
            yield Difference(
                f"scikit-learn has no {kind.__name__}, only sgd, adam and lbfgs: adam with the same rate is the "
                "nearest."
            )


class LbfgsSolver(SklearnWriter):
    """L-BFGS, which SciPy runs in both; each step uses all rows."""

    solver = "lbfgs"
    takes_factor = "alpha and tol take it"
    order_of_notes = ("regularizers", "optimizer", "loss", "schedule", "training", "plateau",
                      "parts", "data", "layers", "rows", "start")  # fmt: skip

    def __init__(self, plan: TranslationPlan) -> None:
        super().__init__(plan)
        self.batch_rows, self.is_full_batch = plan.rows, True

    def settings_of_solver(self) -> list[str]:
        return self.optimizer()

    def optimizer(self) -> list[str]:
        tolerance = plain(self.plan.last.tolerance / self.factor)
        tol = f"{tolerance!r} / len(X)" if self.adds_up else repr(tolerance)
        return keywords(max_iter=self.plan.recipe.epochs, max_fun=25 * self.plan.recipe.epochs, tol=tol)

    def notes_on_optimizer(self) -> Iterator[str]:
        yield Difference(
            "Both use SciPy's L-BFGS-B, but scikit-learn keeps SciPy's memory of 10 steps and stops at a small "
            f"decrease of the loss (ftol); ours has memory={self.plan.last.memory} and stops by the gradient alone: "
            "the steps are similar, but training ends at different points."
        )

    def notes_on_loss(self) -> Iterator[str]:
        yield from super().notes_on_loss()
        if isinstance(self.plan.network.loss, SquaredError) and self.n_out > 1:
            yield Difference("With several outputs scikit-learn's lbfgs uses a gradient that does not match its loss.")

    def notes_on_training(self) -> Iterator[str]:
        yield from ()  # the optimizer decides when to stop, and there are no batches


WRITERS: dict[type, type[SklearnWriter]] = dict.fromkeys((ours.SGD, ours.Momentum, ours.Nesterov), SgdSolver)
WRITERS[ours.LBFGS] = LbfgsSolver
