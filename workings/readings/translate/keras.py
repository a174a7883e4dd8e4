"""Keras: a network and its training as ``keras.Sequential``, ``compile`` and ``fit``.

The conventions are those of Keras 3.15's own source: ``optimizers/base_optimizer.py``, ``sgd.py``, ``adam.py``,
``rmsprop.py``, ``adagrad.py``; ``losses/losses.py``; ``initializers/random_initializers.py``;
``layers/normalization/batch_normalization.py``; ``regularizers/regularizers.py``;
``callbacks/reduce_lr_on_plateau.py``.  The code keeps to the settings that ``compile`` and ``fit`` have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workings import initializers as first
from workings.activations import Activation
from workings.errors import InputError
from workings.layers import BatchNorm, Dense, Dropout, Layer
from workings.losses import AbsoluteError, BinaryCrossEntropy, CrossEntropy, Huber, Poisson, SquaredError
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
    WIDTH,
    Draft,
    Plan,
    Translation,
    broken,
    call,
    counterpart,
    plain,
    starts,
)
from workings.regularizers import L1, L2, L2PerRow
from workings.schedules import OnPlateau

NAME = "Keras"

# fmt: off
ACTIVATIONS = {  # those that a Dense layer takes by name
    "sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu", "selu": "selu", "gelu": "gelu", "silu": "silu",
    "softplus": "softplus", "hard_tanh": "hard_tanh",
}
BENDS = {  # those with a number of their own, as layers
    "leaky_relu": "keras.layers.LeakyReLU(negative_slope={slope})", "elu": "keras.layers.ELU(alpha={alpha})",
    "gelu_tanh": "keras.layers.Activation(lambda z: keras.activations.gelu(z, approximate=True))",
}
# fmt: on


def smoothed(share: float) -> str:
    """The loss that smooths labels, and takes one-hot rows."""
    return f"CategoricalCrossentropy(from_logits=True, label_smoothing={share!r})"


def scaled(scale: float, mode: str, distribution: str) -> str:
    """An initializer whose variance depends on the fans."""
    return f'keras.initializers.VarianceScaling({scale!r}, "{mode}", "{distribution}")'


# fmt: off
LOSSES: dict[type, Any] = {
    SquaredError:       lambda loss: "MeanSquaredError()",
    AbsoluteError:      lambda loss: "MeanAbsoluteError()",
    Huber:              lambda loss: f"Huber(delta={loss.delta!r})",
    CrossEntropy:       lambda loss: smoothed(loss.label_smoothing) if loss.label_smoothing
                                     else "SparseCategoricalCrossentropy(from_logits=True)",
    BinaryCrossEntropy: lambda loss: "BinaryCrossentropy(from_logits=True)",
    Poisson:            lambda loss: "Poisson()",
}

INITIALIZERS: dict[type, Any] = {
    first.Normal:        lambda i: f"keras.initializers.RandomNormal(0.0, {i.std!r})",
    first.Uniform:       lambda i: f"keras.initializers.RandomUniform({i.low!r}, {i.high!r})",
    first.GlorotNormal:  lambda i: scaled(1.0, "fan_avg", "untruncated_normal"),
    first.GlorotUniform: lambda i: scaled(1.0, "fan_avg", "uniform"),
    first.HeNormal:      lambda i: scaled(2.0, "fan_in", "untruncated_normal"),
    first.HeUniform:     lambda i: scaled(2.0, "fan_in", "uniform"),
    first.LeCunNormal:   lambda i: scaled(1.0, "fan_in", "untruncated_normal"),
    first.LeCunUniform:  lambda i: scaled(1.0, "fan_in", "uniform"),
    first.GlorotUniformOf: lambda i: f"keras.initializers.RandomUniform(-(({i.factor!r} / {i.fans}) ** 0.5), "
                                     f"({i.factor!r} / {i.fans}) ** 0.5)",
    first.Zeros:         lambda i: '"zeros"',
    first.Constant:      lambda i: f"keras.initializers.Constant({float(i.value)!r})",
}
OPTIMIZERS: dict[type, Any] = {
    SGD:      lambda o: {"": "SGD"},
    Momentum: lambda o: {"": "SGD", "momentum": float(o.momentum)},
    Nesterov: lambda o: {"": "SGD", "momentum": float(o.momentum), "nesterov": True},
    AdaGrad:  lambda o: {"": "Adagrad", "initial_accumulator_value": 0.0, "epsilon": plain(o.eps**2)},
    RMSProp:  lambda o: {"": "RMSprop", "rho": o.rho, "epsilon": plain(o.eps**2)},
    Adam:     lambda o: {"": "Adam", "beta_1": o.beta1, "beta_2": o.beta2, "epsilon": o.eps},
    AdamEpsilonHat: lambda o: {"": "Adam", "beta_1": o.beta1, "beta_2": o.beta2, "epsilon": o.eps},
    AdamW:    lambda o: {"": "AdamW", "beta_1": o.beta1, "beta_2": o.beta2, "epsilon": o.eps},
}
# fmt: on
ATTRIBUTES = {"W": "kernel", "b": "bias", "gamma": "gamma", "beta": "beta"}


@dataclass(frozen=True)
class Sequential:
    """``keras.Sequential`` for a network: the text of each layer, and where each of our arrays lives in it."""

    layers: tuple[str, ...]
    arrays: dict[int, tuple[str, ...]]  # by the index in model.layers, the names in the order of set_weights
    places: dict[str, str]  # "W1": "model.layers[0].kernel"


def write(plan: Plan) -> Translation:
    """Translate a plan."""
    return Writer(plan).translation()


class Writer:
    """Writes one plan as code for Keras."""

    def __init__(self, plan: Plan) -> None:
        if isinstance(plan.last, LBFGS):
            raise InputError(
                "Keras has no L-BFGS: an optimizer there is given one gradient for each batch, and L-BFGS asks for the "
                "objective several times in a step. Translate another optimizer, or translate to torch or sklearn."
            )
        self.plan, self.draft = plan, Draft()
        self.model = self.sequential()

    def translation(self) -> Translation:
        """The code and the sentences."""
        plan = self.plan
        lines = plan.imports("import keras", "import numpy as np", "")
        dtype = plan.network.dtype
        lines += [f'keras.config.set_floatx("{dtype}")', f'keras.config.set_dtype_policy("{dtype}")']
        self.draft.note(
            f"Keras computes in float32 unless told; set_floatx makes the rate {dtype} and set_dtype_policy the "
            "layers, even where some were made before."
        )
        lines += [*plan.given(), *self.row_weights(), *plan.labels_as_numbers()]
        lines += plan.left_out() if self.weighs_rows else []
        lines += [line for name in self.target_names for line in self.targets(*name)]
        lines += ["", "model = keras.Sequential(["]
        lines += [f"{INDENT}keras.Input(({plan.columns},)),"]
        for text in self.model.layers:
            *lines_before, end = broken(text, INDENT)
            lines += [*lines_before, f"{end},"]
        lines += ["])", *self.start(), *self.frozen(), ""]
        lines += ["", *plan.rate_function()] if plan.has_schedule else []
        lines += [*broken(f"optimizer = {self.optimizer()}"), *self.callback(), *self.compiled(), *self.fitted()]
        self.tell_layers()
        self.tell_rows()
        return self.draft.translation("keras", lines)

    # -- what rows count, and on which is measured -------------------------------------------

    @property
    def weighs_rows(self) -> bool:
        """Whether each row is given a weight; class_weight does it where there is nothing else."""
        return self.plan.has_weights and self.plan.class_weights is None

    def row_weights(self) -> list[str]:
        """One weight for each row, where it is needed."""
        return self.plan.row_weights() if self.weighs_rows else []

    @property
    def target_names(self) -> list[tuple[str, str]]:
        """The targets and the inputs that they belong to."""
        return [("y", "X"), ("y_val", "X_val")] if self.plan.validation else [("y", "X")]

    def tell_rows(self) -> None:
        """What becomes of weights and of validation rows."""
        plan, note = self.plan, self.draft.note
        if plan.has_weights and plan.network.loss.reduction == "mean":
            note(
                "Keras's usual mean divides weighted losses by the number of rows; mean_with_sample_weight divides by "
                "the sum of their weights, as ours does."
            )
        if plan.has_weights and not self.weighs_rows:
            note("class_weight is by class numbers from 0; it may not stand beside sample_weight.")
        plan.tell_weights(self.draft)
        if plan.validation:
            self.tell_validation()

    def tell_validation(self) -> None:
        """How far Keras's val_loss is ours."""
        note = self.draft.note
        note("Keras's val_loss has the penalties in it and weighs no rows, as ours.")
        if self.plan.network.loss.reduction == "sum":
            note("Our val_loss is for each row; Keras's is a sum over the rows of each batch.")
        if self.per_row:
            note("L2PerRow is divided by the validation rows in ours; Keras's penalty is that of the training.")

    # -- the model -------------------------------------------------------------------------

    def sequential(self) -> Sequential:
        """The layers; an activation with a number of its own is a layer of its own."""
        layers: list[str] = []
        arrays: dict[int, tuple[str, ...]] = {}
        places: dict[str, str] = {}
        for position, (layer, number) in enumerate(self.plan.layers):
            is_last = position == len(self.plan.layers) - 1
            letters = (*layer.parameters, *layer.statistics)
            if letters:
                arrays[len(layers)] = tuple(f"{letter}{number}" for letter in letters)
            for letter in layer.parameters:
                places[f"{letter}{number}"] = f"model.layers[{len(layers)}].{ATTRIBUTES[letter]}"
            layers += self.layer(layer, is_last)
        return Sequential(tuple(layers), arrays, places)

    def layer(self, layer: Layer, is_last: bool) -> list[str]:
        """A layer, and its activation where that is a layer of its own."""
        if isinstance(layer, Dense):
            name = ACTIVATIONS.get(layer.bend.name)
            name = "exponential" if is_last and isinstance(self.plan.network.loss, Poisson) else name
            return [self.dense(layer, name), *([] if name else self.bend(layer.bend))]
        if isinstance(layer, Dropout):
            return [f"keras.layers.Dropout({layer.rate!r})"]
        if isinstance(layer, BatchNorm):
            momentum, name = plain(1 - layer.momentum), layer.bend.name
            told = f"keras.layers.BatchNormalization(momentum={momentum!r}, epsilon={layer.eps!r})"
            bend = [f'keras.layers.Activation("{ACTIVATIONS[name]}")'] if name in ACTIVATIONS else self.bend(layer.bend)
            return [told, *bend]
        raise InputError(f"Keras has no layer for {layer!r}: it cannot be translated.")

    def dense(self, layer: Dense, activation: str | None) -> str:
        """A Dense layer."""
        settings: dict[str, object] = {"activation": activation and f'"{activation}"'}
        if not layer.bias:
            settings["use_bias"] = False
        if self.plan.weights == "draw":
            names = {"W": "kernel_initializer", "b": "bias_initializer"}
            for letter, given, default in starts(layer):
                how = first.initializer_of(given, default)
                told = counterpart(how, INITIALIZERS, 'the first values (give weights="given" instead)', NAME)
                settings[names[letter]] = None if (letter, told) == ("b", '"zeros"') else told
        lam, lam1 = plain(self.plan.strength(L2) + self.per_row), self.plan.strength(L1)
        if lam or lam1:
            penalty = {"l1": lam1 or None, "l2": plain(lam / 2) or None}
            settings["kernel_regularizer"] = call("keras.regularizers.L1L2", **penalty)
        told = call("", **settings)[1:-1]
        return f"keras.layers.Dense({layer.units}{', ' if told else ''}{told})"

    @property
    def per_row(self) -> float:
        """What L2PerRow comes to with the rows of a full batch."""
        alpha = self.plan.strength(L2PerRow)
        if alpha and self.plan.batch_rows is None:
            raise InputError("L2PerRow is divided by the rows of a batch: say how many there are (rows=…).")
        return plain(alpha / (self.plan.batch_rows or 1))

    def bend(self, activation: Activation) -> list[str]:
        """An activation as a layer."""
        if activation.name == "identity":
            return []
        if activation.name not in BENDS:
            raise InputError(f"Keras has no layer for the activation {activation.name!r}: it cannot be translated.")
        return [BENDS[activation.name].format(**activation.constants)]

    def targets(self, y: str, X: str) -> list[str]:
        """The targets as Keras wants them."""
        network = self.plan.network
        loss, n_out = network.loss, network.targets.n_out
        if loss.target == "classes":
            self.draft.note(
                "SparseCategoricalCrossentropy takes class numbers from 0, CategoricalCrossentropy one-hot rows (and "
                "it alone smooths labels); ours takes either, and labels of any kind."
            )
            hot = bool(getattr(loss, "label_smoothing", 0))
            return [f"{y} = keras.utils.to_categorical({y}, {n_out})" if hot else f"{y} = np.asarray({y})"]
        return [f"{y} = np.asarray({y}).astype(X.dtype).reshape(len({X}), {n_out})"]

    def start(self) -> list[str]:
        """The first weights, where they are given."""
        if self.plan.weights == "given":
            lists = {
                index: ", ".join(f'weights["{name}"]' for name in names) for index, names in self.model.arrays.items()
            }
            return [line for index, told in lists.items() for line in set_weights(index, told)]
        self.draft.note(
            "Keras draws weights by Glorot's uniform rule for every activation, and its HeNormal and LecunNormal are "
            "cut off at two standard deviations; ours are by default He's for the ReLU family, LeCun's for SELU, and "
            "not cut off: VarianceScaling says so."
        )
        return []

    def frozen(self) -> list[str]:
        """What is not to be trained."""
        names = [name for name in self.plan.trained if name not in self.plan.steps[-1][1]]
        if names:
            self.draft.note("What is frozen is marked as not trainable.")
            kinds = [type(part) for part, _ in self.plan.steps]
            if any(kind in (ClipByNorm, Decay) for kind in kinds[: kinds.index(Freeze)]):
                self.draft.note(
                    "Parts before Freeze still act on what is frozen; Keras leaves it out of the norm and of the "
                    "decay.",
                    equal=False,
                )
        return [f"{self.model.places[name]}.trainable = False" for name in names]

    # -- the optimizer ---------------------------------------------------------------------

    def optimizer(self) -> str:
        """The call that makes the optimizer, with clipping and decay in it."""
        plan = self.plan
        settings = dict(counterpart(plan.last, OPTIMIZERS, "the optimizer", NAME))
        kind = settings.pop("")
        settings |= self.decay() | self.clipping()
        self.tell_optimizer()
        return call(f"keras.optimizers.{kind}", learning_rate=plan.first_rate, **settings)

    def decay(self) -> dict[str, object]:
        """The decoupled decay."""
        decays = [float(part.weight_decay) for part in self.plan.parts if type(part) in (Decay, AdamW)]
        if not decays:
            return {}
        self.draft.note(
            "weight_decay is decoupled in every Keras optimizer, SGD too: each parameter, biases too, shrinks by "
            "learning_rate · weight_decay before the step; it is not L2."
        )
        if len(decays) > 1:
            self.draft.note("Keras decays once: the decays are added, which leaves out their product.", equal=False)
        return {"weight_decay": plain(sum(decays))}

    def clipping(self) -> dict[str, object]:
        """The one way of clipping that an optimizer may have."""
        clips = [part for part in self.plan.parts if type(part) in (ClipByNorm, ClipByValue)]
        if len(clips) > 1:
            self.draft.note(f"A Keras optimizer clips in one way only: {clips[1:]!r} is left out.", equal=False)
        for clip in clips[:1]:
            if isinstance(clip, ClipByNorm):
                self.draft.note(
                    "clipnorm clips each array by itself; global_clipnorm clips all together, as ClipByNorm does."
                )
                return {"global_clipnorm": float(clip.max_norm)}
            self.draft.note("clipvalue cuts each entry off, as ClipByValue does.")
            return {"clipvalue": float(clip.limit)}
        return {}

    def tell_optimizer(self) -> None:
        """The conventions of the optimizer itself."""
        kind, settings, note = type(self.plan.last), self.plan.settings, self.draft.note
        eps = settings.get("eps", 0.0)
        if kind in (Momentum, Nesterov):
            note("The velocity holds the rate, v = momentum · v - lr · g, in both, so schedules act alike.")
            if kind is Nesterov:
                note("nesterov=True steps by momentum · v - lr · g, in both.")
        if kind in (Adam, AdamW):
            note(
                "Keras's epsilon is the paper's ε̂, beside √v before its bias is corrected, which is our eps / √(1 - "
                f"β₂ᵗ) in step t, {(1 - settings['beta2']) ** -0.5:.3g} times as large in the first: a callback sets "
                "it before every batch, and run_eagerly keeps it from being a constant of a compiled step."
            )
        if kind is AdamEpsilonHat:
            note("Keras's epsilon is the paper's ε̂, beside √v before its bias is corrected, as here.")
        if kind in (RMSProp, AdaGrad):
            is_small = eps <= SMALL_EPS
            note(
                f"Keras adds epsilon inside the root, ours stands outside: epsilon={plain(eps**2)!r} = eps² is equal "
                "where gradients are 0 or large; "
                + (
                    "it is too small to show."
                    if is_small
                    else "in between no constant is, and a smaller eps makes less of it."
                ),
                equal=is_small,
            )
        if kind is AdaGrad:
            note("Keras's accumulator begins at 0.1, ours at 0: initial_accumulator_value=0.0.")

    def callback(self) -> list[str]:
        """What sets the rate while training runs."""
        schedule, note = self.plan.schedule, self.draft.note
        lines = self.follower() if self.sets_every_step else []
        if self.plan.has_schedule:
            note("Our schedules count steps, not epochs: a callback sets the rate before every batch.")
        if isinstance(schedule, OnPlateau):
            self.tell_plateau(schedule)
            settings = {"monitor": '"loss"', "mode": '"min"', "factor": schedule.factor}
            more = {"patience": schedule.patience + 1, "min_delta": schedule.min_delta, "min_lr": schedule.min_lr}
            lines += broken(f"plateau = {call('keras.callbacks.ReduceLROnPlateau', **settings, **more)}")
        return lines

    @property
    def has_epsilon(self) -> bool:
        """Whether epsilon changes from step to step."""
        return type(self.plan.last) in (Adam, AdamW)

    @property
    def sets_every_step(self) -> bool:
        """Whether something is set before every batch."""
        return self.plan.has_schedule or self.has_epsilon

    def follower(self) -> list[str]:
        """A callback that sets the rate and epsilon before every batch."""
        inner = 2 * INDENT
        lines = ["", "", "class EveryStep(keras.callbacks.Callback):", f"{INDENT}step = 0", ""]
        lines += [f"{INDENT}def on_train_batch_begin(self, batch, logs=None):"]
        if self.plan.has_schedule:
            lines += [f"{inner}self.model.optimizer.learning_rate = rate(self.step)"]
        lines += [f"{inner}self.step += 1"]
        if self.has_epsilon:
            eps, beta2 = self.plan.settings["eps"], self.plan.settings["beta2"]
            lines += [f"{inner}self.model.optimizer.epsilon = {eps!r} * (1 - {beta2!r}**self.step) ** 0.5"]
        return [*lines, "", ""]

    def tell_plateau(self, schedule: OnPlateau) -> None:
        """What ReduceLROnPlateau does otherwise."""
        self.draft.note(
            "ReduceLROnPlateau acts when it has waited patience epochs, ours when one more: "
            f"patience={schedule.patience + 1}."
        )
        if schedule.monitor != "loss":
            self.draft.note(
                f"OnPlateau looks at {schedule.monitor!r}; the code looks at the training loss.", equal=False
            )
        if self.plan.batch_size is not None:
            self.draft.note(
                "Keras's loss of an epoch is the mean of what its batches met; ours is that of all rows when the "
                "epoch begins.",
                equal=False,
            )

    # -- the loss and the call -------------------------------------------------------------

    def compiled(self) -> list[str]:
        """The call of compile."""
        loss, n_out = self.plan.network.loss, self.plan.network.targets.n_out
        told = counterpart(loss, LOSSES, "the loss", NAME)
        factor = 0.5 if getattr(loss, "half", False) else 1.0
        if loss.reduction != "mean" and loss.target != "classes":
            factor *= n_out
        if loss.reduction == "sum":
            told = with_reduction(told, "sum")
        elif self.plan.has_weights:
            told = with_reduction(told, "mean_with_sample_weight")
        self.tell_loss(factor)
        settings = {
            "optimizer": "optimizer",
            "loss": f"keras.losses.{told}",
            "loss_weights": factor if factor != 1 else None,
            "run_eagerly": True if self.has_epsilon else None,
        }
        return broken(call("model.compile", **settings))

    def tell_reduction(self, factor: float) -> None:
        """How the loss makes one number of many."""
        loss, note, n_out = self.plan.network.loss, self.draft.note, self.plan.network.targets.n_out
        over = "rows" if loss.target == "classes" else "rows and outputs"
        if loss.reduction == "mean":
            note(f"Keras's losses are means over {over} (sum_over_batch_size), as ours.")
        elif loss.reduction == "mean of rows":
            note(
                f"Keras's losses are means over {over}; ours adds up the outputs of each row: loss_weights={factor!r} "
                f"has that."
            )
        elif loss.target == "classes":
            note('reduction="sum" adds up the rows, in both: the step grows with batch_size.')
        else:
            note(
                f'Keras\'s reduction="sum" adds up the rows, but takes the mean over outputs: the loss is taken '
                f"{n_out} times."
            )

    def tell_loss(self, factor: float) -> None:
        """What the loss is in Keras, and what becomes of the regularizers."""
        loss, note = self.plan.network.loss, self.draft.note
        self.tell_reduction(factor)
        if getattr(loss, "half", False):
            note(f"MeanSquaredError has no ½: loss_weights={factor!r} has it.")
        elif isinstance(loss, SquaredError):
            note("MeanSquaredError has no ½, as ours has none without half=True.")
        if isinstance(loss, Poisson):
            note(
                "Keras's Poisson takes the rate, not its logarithm, and adds 1e-7 to it inside the logarithm: the "
                "last layer is exponential, and gradients differ by about 1e-7 · y / p.",
                equal=False,
            )
        elif loss.target != "numbers":
            note(
                "from_logits=True: the loss applies softmax or sigmoid itself, as ours does, so the model ends "
                "without it."
            )
        self.tell_penalties()

    def tell_penalties(self) -> None:
        """What becomes of the regularizers."""
        note = self.draft.note
        lam, lam1 = plain(self.plan.strength(L2) + self.per_row), self.plan.strength(L1)
        if self.per_row:
            note(
                f"L2PerRow is divided by the rows of each batch, Keras's l2 is not: with {self.plan.batch_rows} rows "
                f"lam is {self.per_row!r}.",
                equal=self.plan.rows is not None and not self.plan.has_short_batch and not self.plan.has_weights,
            )
        if lam:
            note(
                f"regularizers.L2(l2) adds l2 · Σ W² without the ½: l2={plain(lam / 2)!r} is lam / 2; weights only, "
                "as ours."
            )
        if lam1:
            note(f"regularizers.L1({lam1!r}) adds l1 · Σ |W| for weights only, as ours.")

    def fitted(self) -> list[str]:
        """The call of fit."""
        plan = self.plan
        size = plan.batch_size or "len(X)"
        callbacks = ["EveryStep()"] if self.sets_every_step else []
        callbacks += ["plateau"] if isinstance(plan.schedule, OnPlateau) else []
        follow = f"[{', '.join(callbacks)}]" if callbacks else None
        shuffle = plan.shuffle and plan.batch_size is not None
        if shuffle:
            self.draft.note(
                "The orders are drawn from Keras's own generator; shuffle=False takes the rows as they stand."
            )
        settings: dict[str, object] = {"epochs": plan.epochs, "batch_size": size, "shuffle": shuffle}
        settings |= {"verbose": 0, "callbacks": follow}
        settings |= self.rows_of_fit()
        return broken(f"history = {call('model.fit', **settings)}".replace("fit(", "fit(X, y, "))

    def rows_of_fit(self) -> dict[str, object]:
        """What fit is told of weights and validation rows."""
        by_class = None if self.weighs_rows else self.plan.class_weights
        return {
            "sample_weight": "sample_weight" if self.weighs_rows else None,
            "class_weight": None if by_class is None else dict(enumerate(by_class)),
            "validation_data": "(X_val, y_val)" if self.plan.validation else None,
        }

    def tell_layers(self) -> None:
        """The conventions of the layers."""
        for layer, _ in self.plan.layers:
            if isinstance(layer, BatchNorm):
                self.draft.note(
                    "BatchNormalization's momentum is the old value's share (its default 0.99), ours the new "
                    f"batch's: {plain(1 - layer.momentum)!r} = 1 - {layer.momentum!r}; its epsilon is 0.001 by "
                    f"default, ours {layer.eps!r}."
                )
                self.draft.note(
                    "Keras's moving variance is the biased one, ours is made unbiased by n / (n - 1): trained "
                    "weights are equal, but predictions with the running values differ a little.",
                    equal=False,
                )
            if isinstance(layer, Dropout):
                self.draft.note("Dropout's number is the share that is dropped, and what stays is enlarged, in both.")
                if layer.rate:
                    self.draft.note("What is dropped is drawn from Keras's own generator.", equal=False)
            if isinstance(layer, (Dense, BatchNorm)) and layer.bend.name == "leaky_relu":
                self.draft.note(
                    "Keras's leaky ReLU has slope 0.2 (0.3 as a layer) by default, ours "
                    f"{layer.bend.constants['slope']}."
                )


def with_reduction(told: str, reduction: str) -> str:
    """The call of a loss with a word for how one number is made of many.

    >>> with_reduction("Huber(delta=1.0)", "sum")
    'Huber(delta=1.0, reduction="sum")'
    """
    return f'{told[:-1]}{"" if told.endswith("()") else ", "}reduction="{reduction}")'


def set_weights(index: int, told: str) -> list[str]:
    """The call that sets the weights of one layer."""
    line = f"model.layers[{index}].set_weights([{told}])"
    if len(line) <= WIDTH:
        return [line]
    return [f"model.layers[{index}].set_weights([", *(f"{INDENT}{part}," for part in told.split(", ")), "])"]
