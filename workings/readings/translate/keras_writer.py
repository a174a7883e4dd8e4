"""Translation to Keras: ``keras.Sequential``, ``compile`` and ``fit``.

The conventions come from the source of Keras 3.15: ``optimizers/base_optimizer.py``, ``sgd.py``,
``adam.py``, ``rmsprop.py``, ``adagrad.py``; ``losses/losses.py``; ``initializers/random_initializers.py``;
``layers/normalization/batch_normalization.py``; ``regularizers/regularizers.py``;
``callbacks/reduce_lr_on_plateau.py``.  The code uses only the settings of ``compile`` and ``fit``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from workings import initializers as first
from workings import optimizers as ours
from workings.activations import Activation
from workings.errors import InputError
from workings.layers import BatchNorm, Dense, Dropout, Layer
from workings.losses import AbsoluteError, BinaryCrossEntropy, CrossEntropy, Huber, Poisson, SquaredError
from workings.readings.translate.formatting import INDENT, WIDTH, call, indent_lines, keywords, plain, wrap_call
from workings.readings.translate.plan import TranslationPlan
from workings.readings.translate.translated_code import Difference
from workings.readings.translate.translation_writer import SMALL_EPS, TranslationWriter, initializers_of
from workings.regularizers import L1, L2, L2PerRow

# fmt: off
ACTIVATIONS = {  # activations that a Dense layer takes by name
    "sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu", "selu": "selu", "gelu": "gelu", "silu": "silu",
    "softplus": "softplus", "mish": "mish", "hard_tanh": "hard_tanh",
}
ACTIVATION_LAYERS = {  # activations with constants, as layers
    "leaky_relu": "keras.layers.LeakyReLU(negative_slope={slope})", "elu": "keras.layers.ELU(alpha={alpha})",
    "gelu_tanh": "keras.layers.Activation(lambda z: keras.activations.gelu(z, approximate=True))",
}
# fmt: on


def smoothed_loss(share: float) -> str:
    """Return the loss with label smoothing, which takes one-hot targets."""
    return f"CategoricalCrossentropy(from_logits=True, label_smoothing={share!r})"


def variance_scaling(scale: float, mode: str, distribution: str) -> str:
    """Return an initializer whose variance depends on the fans."""
    return f'keras.initializers.VarianceScaling({scale!r}, "{mode}", "{distribution}")'


# fmt: off
LOSSES: dict[type, Any] = {
    SquaredError:       lambda loss: "MeanSquaredError()",
    AbsoluteError:      lambda loss: "MeanAbsoluteError()",
    Huber:              lambda loss: f"Huber(delta={loss.delta!r})",
    CrossEntropy:       lambda loss: smoothed_loss(loss.label_smoothing) if loss.label_smoothing
                                     else "SparseCategoricalCrossentropy(from_logits=True)",
    BinaryCrossEntropy: lambda loss: "BinaryCrossentropy(from_logits=True)",
    Poisson:            lambda loss: "Poisson()",
}

INITIALIZERS: dict[type, Any] = {
    first.Normal:        lambda i: f"keras.initializers.RandomNormal(0.0, {i.std!r})",
    first.Uniform:       lambda i: f"keras.initializers.RandomUniform({i.low!r}, {i.high!r})",
    first.GlorotNormal:  lambda i: variance_scaling(1.0, "fan_avg", "untruncated_normal"),
    first.GlorotUniform: lambda i: variance_scaling(1.0, "fan_avg", "uniform"),
    first.HeNormal:      lambda i: variance_scaling(2.0, "fan_in", "untruncated_normal"),
    first.HeUniform:     lambda i: variance_scaling(2.0, "fan_in", "uniform"),
    first.LeCunNormal:   lambda i: variance_scaling(1.0, "fan_in", "untruncated_normal"),
    first.LeCunUniform:  lambda i: variance_scaling(1.0, "fan_in", "uniform"),
    first.GlorotUniformOf: lambda i: f"keras.initializers.RandomUniform(-(({i.factor!r} / {i.fans}) ** 0.5), "
                                     f"({i.factor!r} / {i.fans}) ** 0.5)",
    first.Zeros:         lambda i: '"zeros"',
    first.Constant:      lambda i: f"keras.initializers.Constant({float(i.value)!r})",
}
OPTIMIZERS: dict[type, Any] = {  # the name, and the settings without learning_rate
    ours.SGD:      lambda o: ("SGD", {}),
    ours.Momentum: lambda o: ("SGD", {"momentum": float(o.momentum)}),
    ours.Nesterov: lambda o: ("SGD", {"momentum": float(o.momentum), "nesterov": True}),
    ours.AdaGrad:  lambda o: ("Adagrad", {"initial_accumulator_value": 0.0, "epsilon": plain(o.eps**2)}),
    ours.RMSProp:  lambda o: ("RMSprop", {"rho": o.rho, "epsilon": plain(o.eps**2)}),
    ours.Adam:     lambda o: ("Adam", {"beta_1": o.beta1, "beta_2": o.beta2, "epsilon": o.eps}),
    ours.AdamEpsilonHat: lambda o: ("Adam", {"beta_1": o.beta1, "beta_2": o.beta2, "epsilon": o.eps}),
    ours.AdamW:    lambda o: ("AdamW", {"beta_1": o.beta1, "beta_2": o.beta2, "epsilon": o.eps}),
}
# fmt: on
ATTRIBUTES = {"W": "kernel", "b": "bias", "gamma": "gamma", "beta": "beta"}


class KerasWriter(TranslationWriter):
    """Write one plan as code for Keras."""

    system = "keras"
    name = "Keras"
    generator = "Keras's own generator"
    order_of_notes = ("data", "start", "parts", "optimizer", "schedule", "plateau",
                      "loss", "regularizers", "training", "layers", "rows")  # fmt: skip

    def __init__(self, plan: TranslationPlan) -> None:
        if not plan.last.takes_batches:
            raise InputError(
                "Keras has no L-BFGS: a Keras optimizer gets one gradient per batch, and L-BFGS evaluates the "
                "objective several times in a step. Use another optimizer, or translate to torch or sklearn."
            )
        super().__init__(plan)
        self.arrays: dict[int, list[str]] = {}  # index in model.layers -> names in the order of set_weights
        self.places: dict[str, str] = {}  # "W1": "model.layers[0].kernel"
        self.modules = self.layers()  # also fills arrays and places
        network = plan.network
        adds_outputs = network.loss.reduction != "mean" and not network.loss.is_multiclass
        self.loss_factor = (0.5 if plan.has_half else 1.0) * (network.targets.n_out if adds_outputs else 1)
        self.weighs_rows = plan.has_weights and plan.class_weights is None
        self.frozen = [name for name in plan.parameter_names if name not in plan.steps[-1][1]]
        self.clips = [part for part in plan.parts if isinstance(part, (ours.ClipByNorm, ours.ClipByValue))]
        self.sets_epsilon = type(plan.last) in (ours.Adam, ours.AdamW)  # in each step
        self.sets_every_step = plan.has_schedule or self.sets_epsilon

    def imports(self) -> list[str]:
        dtype = self.plan.network.dtype
        lines = [*self.imports_of_schedule(), "import keras", "import numpy as np", ""]
        return [*lines, f'keras.config.set_floatx("{dtype}")', f'keras.config.set_dtype_policy("{dtype}")']

    def training(self) -> list[str]:
        lines = [*self.schedule(), *self.optimizer(), *self.callback_of_steps(), *self.plateau()]
        return [*lines, *self.loss(), *self.fit()]

    def data(self) -> list[str]:
        lines = [*self.row_weights(), *self.class_numbers(), *self.without_zero_weights(), self.targets("y", "X")]
        return [*lines, self.targets("y_val", "X_val")] if self.plan.validation else lines

    def targets(self, y: str, X: str) -> str:
        """Convert targets to what the loss takes."""
        network = self.plan.network
        if not network.loss.is_multiclass:
            return f"{y} = np.asarray({y}).astype(X.dtype).reshape(len({X}), {network.targets.n_out})"
        if self.plan.smoothing:
            return f"{y} = keras.utils.to_categorical({y}, {network.targets.n_out})"
        return f"{y} = np.asarray({y})"

    def notes_on_data(self) -> Iterator[str]:
        network = self.plan.network
        yield (
            f"Keras computes in float32 by default; set_floatx makes the rate {network.dtype} and set_dtype_policy "
            "the layers, even those created before."
        )
        if network.loss.is_multiclass:
            yield (
                "SparseCategoricalCrossentropy takes class numbers from 0, CategoricalCrossentropy one-hot rows (and "
                "it alone smooths labels); ours takes either, and labels of any kind."
            )

    def notes_on_rows(self) -> Iterator[str]:
        plan = self.plan
        if plan.has_weights and plan.network.loss.reduction == "mean":
            yield (
                "Keras's usual mean divides weighted losses by the number of rows; mean_with_sample_weight divides "
                "by the sum of their weights, as ours does."
            )
        if plan.has_weights and not self.weighs_rows:
            yield "class_weight is by class numbers from 0; it cannot be combined with sample_weight."
        yield from self.notes_on_weights()
        if plan.validation:
            yield "Keras's val_loss includes the penalties and uses no row weights, as ours."
        if plan.validation and plan.network.loss.reduction == "sum":
            yield "Our val_loss is for each row; Keras's is a sum over the rows of each batch."
        if plan.validation and self.l2_of_batch:
            yield (
                "In our val_loss, L2PerRow is divided by the number of validation rows; Keras keeps the penalty of the "
                "training."
            )

    def layers(self) -> list[str]:
        texts: list[str] = []
        for position, (layer, number) in enumerate(self.plan.layers, 1):
            code = self.layer(layer, is_last=position == len(self.plan.layers))
            if layer.parameters:
                letters = (*layer.parameters, *layer.statistics)
                self.arrays[len(texts)] = [f"{letter}{number}" for letter in letters]
            for letter in layer.parameters:
                self.places[f"{letter}{number}"] = f"model.layers[{len(texts)}].{ATTRIBUTES[letter]}"
            texts += code
        return texts

    def model(self) -> list[str]:
        columns = self.plan.network.n_in or "X.shape[1]"
        lines = ["", "model = keras.Sequential([", f"{INDENT}keras.Input(({columns},)),"]
        for text in self.modules:
            *before, end = wrap_call(text, INDENT)
            lines += [*before, f"{end},"]
        return [*lines, "])"]

    def layer(self, layer: Layer, *, is_last: bool) -> list[str]:
        """Write a layer; an activation with a constant is a separate layer."""
        match layer:
            case Dense():
                takes_rates = is_last and isinstance(self.plan.network.loss, Poisson)
                name = "exponential" if takes_rates else ACTIVATIONS.get(layer.activation_function.name)
                return [self.dense(layer, name), *([] if name else self.activation_layer(layer.activation_function))]
            case Dropout():
                return [f"keras.layers.Dropout({layer.rate!r})"]
            case BatchNorm():
                settings = {"momentum": plain(1 - layer.momentum), "epsilon": layer.eps}
                name = ACTIVATIONS.get(layer.activation_function.name)
                normalization = call("keras.layers.BatchNormalization", **settings)
                if name:
                    return [normalization, f'keras.layers.Activation("{name}")']
                return [normalization, *self.activation_layer(layer.activation_function)]
        raise InputError(f"Keras has no layer for {layer!r}: it cannot be translated.")

    def activation_layer(self, activation: Activation) -> list[str]:
        """Write an activation as a layer; the identity needs none."""
        if activation.name == "identity":
            return []
        if activation.name not in ACTIVATION_LAYERS:
            raise InputError(f"Keras has no layer for the activation {activation.name!r}: it cannot be translated.")
        return [ACTIVATION_LAYERS[activation.name].format(**activation.constants)]

    def dense(self, layer: Dense, activation: str | None) -> str:
        """Write a Dense layer."""
        settings: dict[str, object] = {"activation": activation and f'"{activation}"'}
        if not layer.bias:
            settings["use_bias"] = False
        if self.plan.weights == "draw":
            names = {"W": "kernel_initializer", "b": "bias_initializer"}
            for letter, how in initializers_of(layer):
                text = self.initializer(how, INITIALIZERS)
                settings[names[letter]] = None if (letter, text) == ("b", '"zeros"') else text
        arguments = [str(layer.units), *keywords(**settings), *self.regularizers()]
        return call("keras.layers.Dense", *arguments)

    def start(self) -> list[str]:
        frozen = [f"{self.places[name]}.trainable = False" for name in self.frozen]
        if self.plan.weights == "draw":
            return [*frozen, ""]
        lines = [line for index, names in self.arrays.items() for line in set_weights(index, names)]
        return [*lines, *frozen, ""]

    def notes_on_start(self) -> Iterator[str]:
        if self.plan.weights == "draw":
            yield (
                "Keras draws weights by Glorot's uniform rule for every activation, and its HeNormal and LecunNormal "
                "are truncated at two standard deviations; ours are by default He's for the ReLU family, LeCun's for "
                "SELU, and not truncated: so the code uses VarianceScaling."
            )

    def notes_on_layers(self) -> Iterator[str]:
        for layer in self.plan.network.layers:
            if isinstance(layer, BatchNorm):
                yield (
                    "BatchNormalization's momentum is the share of the old value (its default 0.99), ours that of the "
                    f"new batch: {plain(1 - layer.momentum)!r} = 1 - {layer.momentum!r}; its epsilon is 0.001 by "
                    f"default, ours {layer.eps!r}."
                )
                yield Difference(
                    "Keras's moving variance is the biased one, ours is made unbiased by n / (n - 1): trained "
                    "weights are equal, but predictions with the running values differ a little."
                )
            if isinstance(layer, Dropout):
                yield from self.notes_on_dropout(layer.rate)
            if layer.activation_function.name == "leaky_relu":
                slope = layer.activation_function.constants["slope"]
                yield f"Keras's leaky ReLU has slope 0.2 (0.3 as a layer) by default, ours {slope}."

    def loss(self) -> list[str]:
        loss, factor = self.plan.network.loss, self.loss_factor
        text = self.counterpart(loss, LOSSES, "the loss")
        if loss.reduction == "sum":
            text = with_reduction(text, "sum")
        elif self.plan.has_weights:
            text = with_reduction(text, "mean_with_sample_weight")
        weights, eager = None if factor == 1 else factor, self.sets_epsilon or None
        settings = {"loss": f"keras.losses.{text}", "loss_weights": weights, "run_eagerly": eager}
        return wrap_call(call("model.compile", optimizer="optimizer", **settings))

    def notes_on_loss(self) -> Iterator[str]:
        loss = self.plan.network.loss
        yield self.note_on_reduction()
        if self.plan.has_half:
            yield f"MeanSquaredError has no factor ½: loss_weights={self.loss_factor!r} adds it."
        yield from self.notes_on_no_half("MeanSquaredError")
        if isinstance(loss, Poisson):
            yield Difference(
                "Keras's Poisson takes the rate, not its logarithm, and adds 1e-7 to it inside the logarithm: the "
                "last layer is exponential, and gradients differ by about 1e-7 · y / p."
            )
        elif not loss.takes_any_number:
            yield (
                "from_logits=True: the loss applies softmax or sigmoid itself, as ours does, so the model ends "
                "without it."
            )

    def note_on_reduction(self) -> str:
        """Describe the reduction of the loss."""
        loss, over = self.plan.network.loss, self.mean_over
        if loss.reduction == "mean":
            return f"Keras's losses are means over {over} (sum_over_batch_size), as ours."
        if loss.reduction == "mean of rows":
            return (
                f"Keras's losses are means over {over}; ours adds up the outputs of each row: "
                f"loss_weights={self.loss_factor!r} corrects that."
            )
        if loss.is_multiclass:
            return 'reduction="sum" adds up the rows, in both: the step grows with batch_size.'
        return (
            'Keras\'s reduction="sum" adds up the rows, but takes the mean over outputs: the loss is multiplied '
            f"by {self.plan.network.targets.n_out}."
        )

    @property
    def l2_of_batch(self) -> float:
        """The strength of L2 that equals L2PerRow in a full batch."""
        alpha = self.plan.strength(L2PerRow)
        if alpha and self.plan.batch_rows is None:
            raise InputError("L2PerRow is divided by the rows of a batch: set their number (rows=…).")
        return plain(alpha / (self.plan.batch_rows or 1))

    @property
    def l2(self) -> float:
        """The strength of L2, including that of L2PerRow."""
        return plain(self.plan.strength(L2) + self.l2_of_batch)

    def regularizers(self) -> list[str]:
        l1, l2 = self.plan.strength(L1) or None, plain(self.l2 / 2) or None
        if not l1 and not self.l2:
            return []
        return keywords(kernel_regularizer=call("keras.regularizers.L1L2", l1=l1, l2=l2))

    def notes_on_regularizers(self) -> Iterator[str]:
        plan, lam1 = self.plan, self.plan.strength(L1)
        if self.l2_of_batch:
            note = (
                f"L2PerRow is divided by the rows of each batch, Keras's l2 is not: with {plan.batch_rows} rows lam "
                f"is {self.l2_of_batch!r}."
            )
            is_equal = plan.rows is not None and not plan.has_short_batch and not plan.has_weights
            yield note if is_equal else Difference(note)
        if self.l2:
            yield (
                f"regularizers.L2(l2) adds l2 · Σ W² without the ½: l2={plain(self.l2 / 2)!r} is lam / 2; weights "
                "only, as ours."
            )
        if lam1:
            yield f"regularizers.L1({lam1!r}) adds l1 · Σ |W| for weights only, as ours."

    def optimizer(self) -> list[str]:
        kind, settings = self.counterpart(self.plan.last, OPTIMIZERS, "the optimizer")
        arguments = [*keywords(learning_rate=self.plan.first_rate, **settings), *self.parts()]
        return wrap_call(f"optimizer = {call(f'keras.optimizers.{kind}', *arguments)}")

    def notes_on_optimizer(self) -> Iterator[str]:
        kind, last = type(self.plan.last), self.plan.last
        if kind in (ours.Momentum, ours.Nesterov):
            yield "The velocity includes the learning rate, v = momentum · v - lr · g, in both, so schedules act alike."
        if kind is ours.Nesterov:
            yield "nesterov=True steps by momentum · v - lr · g, in both."
        if self.sets_epsilon:
            yield (
                "Keras's epsilon is the paper's ε̂, added to √v without bias correction, which is our eps / √(1 - "
                f"β₂ᵗ) in step t, {(1 - last.beta2) ** -0.5:.3g} times as large in the first: a callback sets it "
                "before every batch, and run_eagerly keeps it from being a constant of a compiled step."
            )
        if kind is ours.AdamEpsilonHat:
            yield "Keras's epsilon is the paper's ε̂, added to √v without bias correction, as here."
        if kind in (ours.RMSProp, ours.AdaGrad):
            note = (
                f"Keras adds epsilon inside the root, we outside: epsilon={plain(last.eps**2)!r} = eps² is "
                "equal where gradients are 0 or large; "
            )
            if last.eps <= SMALL_EPS:
                yield f"{note}it is too small to matter."
            else:
                yield Difference(f"{note}in between no constant is equal, and a smaller eps reduces the difference.")
        if kind is ours.AdaGrad:
            yield "Keras's accumulator begins at 0.1, ours at 0: initial_accumulator_value=0.0."

    def parts(self) -> list[str]:
        decays = self.plan.decays
        settings = {"weight_decay": plain(sum(decays))} if decays else {}
        for clip in self.clips[:1]:
            name = "global_clipnorm" if isinstance(clip, ours.ClipByNorm) else "clipvalue"
            settings[name] = float(*clip.constants.values())
        return keywords(**settings)

    def notes_on_parts(self) -> Iterator[str]:
        if self.frozen:
            yield "Frozen parameters are marked as not trainable."
        kinds = [type(part) for part in self.plan.parts]
        if self.frozen and {ours.ClipByNorm, ours.Decay} & set(kinds[: kinds.index(ours.Freeze)]):
            yield Difference(
                "Parts before Freeze still act on frozen parameters; Keras excludes them from the norm and the decay."
            )
        if self.plan.decays:
            yield (
                "weight_decay is decoupled in every Keras optimizer, SGD too: each parameter, biases too, shrinks by "
                "learning_rate · weight_decay before the step; it is not L2."
            )
        if len(self.plan.decays) > 1:
            yield Difference("Keras decays once: the decays are added, which omits their product.")
        if len(self.clips) > 1:
            yield Difference(f"A Keras optimizer supports only one kind of clipping: {self.clips[1:]!r} is omitted.")
        for clip in self.clips[:1]:
            if isinstance(clip, ours.ClipByNorm):
                yield "clipnorm clips each array separately; global_clipnorm clips all together, as ClipByNorm does."
            else:
                yield "clipvalue clips each entry, as ClipByValue does."

    def schedule(self) -> list[str]:
        return ["", *self.rate_function()] if self.plan.has_schedule else []

    def notes_on_schedule(self) -> Iterator[str]:
        if self.plan.has_schedule:
            yield "Our schedules count steps, not epochs: a callback sets the rate before every batch."

    def callback_of_steps(self) -> list[str]:
        """Write a callback that sets the rate and epsilon before every batch."""
        if not self.sets_every_step:
            return []
        last = self.plan.last
        lines = ["self.model.optimizer.learning_rate = rate(self.step)"] if self.plan.has_schedule else []
        lines += ["self.step += 1"]
        if self.sets_epsilon:
            eps, beta2 = float(last.eps), float(last.beta2)
            lines += [f"self.model.optimizer.epsilon = {eps!r} * (1 - {beta2!r}**self.step) ** 0.5"]
        method = ["step = 0", "", "def on_train_batch_begin(self, batch, logs=None):", *indent_lines(lines)]
        return ["", "", "class EveryStep(keras.callbacks.Callback):", *indent_lines(method), "", ""]

    def plateau(self) -> list[str]:
        plateau = self.plan.plateau
        if plateau is None:
            return []
        settings = {"monitor": '"loss"', "mode": '"min"', "factor": plateau.factor, "patience": plateau.patience + 1}
        settings |= {"min_delta": plateau.min_delta, "min_lr": plateau.min_lr}
        return wrap_call(f"plateau = {call('keras.callbacks.ReduceLROnPlateau', **settings)}")

    def notes_on_plateau(self) -> Iterator[str]:
        plateau = self.plan.plateau
        if plateau is None:
            return
        yield (f"ReduceLROnPlateau acts after patience epochs, ours after one more: patience={plateau.patience + 1}.")
        if plateau.monitor != "loss":
            yield Difference(f"OnPlateau monitors {plateau.monitor!r}; the code monitors the training loss.")
        if self.plan.recipe.batch_size is not None:
            yield Difference(
                "Keras's loss of an epoch is the mean over its batches; ours is the loss of all rows at its start."
            )

    def fit(self) -> list[str]:
        """Write the call of fit."""
        plan = self.plan
        callbacks = ["EveryStep()"] if self.sets_every_step else []
        callbacks += ["plateau"] if plan.plateau else []
        settings: dict[str, object] = {
            "epochs": plan.recipe.epochs,
            "batch_size": plan.recipe.batch_size or "len(X)",
            "shuffle": plan.shuffles,
            "verbose": 0,
            "callbacks": f"[{', '.join(callbacks)}]" if callbacks else None,
            "sample_weight": "sample_weight" if self.weighs_rows else None,
            "class_weight": dict(enumerate(plan.class_weights)) if plan.class_weights else None,
            "validation_data": "(X_val, y_val)" if plan.validation else None,
        }
        return wrap_call(f"history = {call('model.fit', 'X', 'y', **settings)}")


def with_reduction(text: str, reduction: str) -> str:
    """Add ``reduction`` to the call of a loss.

    >>> with_reduction("Huber(delta=1.0)", "sum")
    'Huber(delta=1.0, reduction="sum")'
    """
    return f'{text[:-1]}{"" if text.endswith("()") else ", "}reduction="{reduction}")'


def set_weights(index: int, names: Sequence[str]) -> list[str]:
    """Write the call that sets the weights of one layer."""
    arrays = [f'weights["{name}"]' for name in names]
    line = f"model.layers[{index}].set_weights([{', '.join(arrays)}])"
    if len(line) <= WIDTH:
        return [line]
    return [f"model.layers[{index}].set_weights([", *(f"{INDENT}{array}," for array in arrays), "])"]
