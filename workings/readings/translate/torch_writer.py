"""Translation to PyTorch: ``nn.Sequential``, ``torch.optim`` and a training loop.

The conventions come from the source of PyTorch 2.13: ``optim/sgd.py``, ``adam.py``, ``adamw.py``,
``rmsprop.py``, ``adagrad.py``, ``lr_scheduler.py``; ``nn/init.py``, ``nn/modules/linear.py``,
``batchnorm.py``, ``loss.py``; ``nn/utils/clip_grad.py``.  A user-written loop can express what settings
cannot, so nearly everything has an equal translation: a penalty becomes a term of the loss, a decay a line
before the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workings import initializers as first
from workings import optimizers as ours
from workings.activations import Activation
from workings.errors import InputError
from workings.layers import BatchNorm, Dense, Dropout, Layer, number_layers
from workings.losses import AbsoluteError, BinaryCrossEntropy, CrossEntropy, Huber, Loss, Poisson, SquaredError
from workings.readings.translate.formatting import INDENT, call, indent_lines, listing, wrap_call
from workings.readings.translate.plan import TranslationPlan
from workings.readings.translate.translated_code import Difference
from workings.readings.translate.translation_writer import TranslationWriter, initializers_of
from workings.regularizers import L1, L2, L2PerRow
from workings.schedules import Cosine

if TYPE_CHECKING:
    from workings.model.model import Model


def reduction(loss: Loss) -> str:
    """Return PyTorch's name of a reduction; the mean of rows is a sum that is divided later."""
    return '"mean"' if loss.reduction == "mean" else '"sum"'


# fmt: off
ACTIVATIONS = {
    "sigmoid": "nn.Sigmoid()", "tanh": "nn.Tanh()", "relu": "nn.ReLU()", "leaky_relu": "nn.LeakyReLU({slope})",
    "elu": "nn.ELU({alpha})", "selu": "nn.SELU()", "gelu": "nn.GELU()", "gelu_tanh": 'nn.GELU(approximate="tanh")',
    "silu": "nn.SiLU()", "mish": "nn.Mish()", "hard_tanh": "nn.Hardtanh()",
    "softplus": "nn.Softplus(threshold=40)",  # linear above the threshold, which is exact at 40
}
LOSSES: dict[type, Any] = {
    SquaredError:       lambda loss: call("nn.MSELoss", reduction=reduction(loss)),
    AbsoluteError:      lambda loss: call("nn.L1Loss", reduction=reduction(loss)),
    Huber:              lambda loss: call("nn.HuberLoss", reduction=reduction(loss), delta=loss.delta),
    CrossEntropy:       lambda loss: call("nn.CrossEntropyLoss", reduction=reduction(loss),
                                          label_smoothing=loss.label_smoothing or None),
    BinaryCrossEntropy: lambda loss: call("nn.BCEWithLogitsLoss", reduction=reduction(loss)),
    Poisson:            lambda loss: call("nn.PoissonNLLLoss", reduction=reduction(loss), log_input=True),
}
INITIALIZERS: dict[type, Any] = {
    first.Normal:        lambda i: f"nn.init.normal_({{}}, std={i.std!r})",
    first.Uniform:       lambda i: f"nn.init.uniform_({{}}, {i.low!r}, {i.high!r})",
    first.GlorotNormal:  lambda i: "nn.init.xavier_normal_({})",
    first.GlorotUniform: lambda i: "nn.init.xavier_uniform_({})",
    first.HeNormal:      lambda i: 'nn.init.kaiming_normal_({}, nonlinearity="relu")',
    first.HeUniform:     lambda i: 'nn.init.kaiming_uniform_({}, nonlinearity="relu")',
    first.LeCunNormal:   lambda i: 'nn.init.kaiming_normal_({}, nonlinearity="linear")',
    first.LeCunUniform:  lambda i: 'nn.init.kaiming_uniform_({}, nonlinearity="linear")',
    first.GlorotUniformOf: lambda i: f"nn.init.uniform_({{}}, -(({i.factor!r} / {i.fans}) ** 0.5), "
                                     f"({i.factor!r} / {i.fans}) ** 0.5)",
    first.Zeros:         lambda i: "nn.init.zeros_({})",
    first.Constant:      lambda i: f"nn.init.constant_({{}}, {float(i.value)!r})",
}
OPTIMIZERS: dict[type, Any] = {  # the name, and the settings without lr
    ours.SGD:      lambda o: ("SGD", {}),
    ours.Momentum: lambda o: ("SGD", {"momentum": o.momentum}),
    ours.Nesterov: lambda o: ("SGD", {"momentum": o.momentum, "nesterov": True}),
    ours.AdaGrad:  lambda o: ("Adagrad", {"eps": o.eps}),
    ours.RMSProp:  lambda o: ("RMSprop", {"alpha": o.rho, "eps": o.eps}),
    ours.Adam:     lambda o: ("Adam", {"betas": (o.beta1, o.beta2), "eps": o.eps}),
    ours.AdamEpsilonHat: lambda o: ("Adam", {"betas": (o.beta1, o.beta2), "eps": o.eps}),
    ours.AdamW:    lambda o: ("AdamW", {"betas": (o.beta1, o.beta2), "eps": o.eps, "weight_decay": o.weight_decay}),
}
ATTRIBUTES = {"W": "weight", "b": "bias", "gamma": "weight", "beta": "bias",
              "running_mean": "running_mean", "running_variance": "running_var"}
# fmt: on


@dataclass(frozen=True)
class SequentialCode:
    """The code of an ``nn.Sequential``: the text of each module, and the location of each array in it."""

    modules: tuple[str, ...]
    places: dict[str, str]  # "W1": "model[0].weight", which holds W1 transposed


def sequential(network: Model) -> SequentialCode:
    """Write a network's layers as modules of ``nn.Sequential``, without the loss's link.

    Raises
    ------
    InputError
        For a layer or an activation that PyTorch does not have.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> code = sequential(Network([Dense(3, "tanh"), Dense(1)], loss=SquaredError(), n_in=2))
    >>> code.modules, code.places["W2"]
    (('nn.Linear(2, 3)', 'nn.Tanh()', 'nn.Linear(3, 1)'), 'model[2].weight')
    """
    modules: list[str] = []
    places: dict[str, str] = {}
    width: int | str = network.n_in or "X.shape[1]"
    for layer, number in number_layers(network.layers):
        modules.append(module(layer, width))
        for letter in (*layer.parameters, *layer.statistics):
            places[f"{letter}{number}"] = f"model[{len(modules) - 1}].{ATTRIBUTES[letter]}"
        modules += activation_module(layer.activation_function)
        width = layer.units if isinstance(layer, Dense) else width
    return SequentialCode(tuple(modules), places)


def module(layer: Layer, width: int | str) -> str:
    """Write a layer, without its activation."""
    match layer:
        case Dense():
            return f"nn.Linear({width}, {layer.units}{'' if layer.bias else ', bias=False'})"
        case Dropout():
            return f"nn.Dropout({layer.rate!r})"
        case BatchNorm():
            return f"nn.BatchNorm1d({width}, eps={layer.eps!r}, momentum={layer.momentum!r})"
    raise InputError(f"PyTorch has no module for {layer!r}: it cannot be translated.")


def activation_module(activation: Activation) -> list[str]:
    """Write an activation; the identity needs no module."""
    if activation.name == "identity":
        return []
    if activation.name not in ACTIVATIONS:
        raise InputError(f"PyTorch has no module for the activation {activation.name!r}: it cannot be translated.")
    return [ACTIVATIONS[activation.name].format(**activation.constants)]


def writer(plan: TranslationPlan) -> TranslationWriter:
    """Return the writer for a plan; L-BFGS has a different training loop."""
    return WRITERS.get(type(plan.last), TorchWriter)(plan)


class TorchWriter(TranslationWriter):
    """Writes one plan as code for PyTorch, with a loop over epochs and batches."""

    system = "torch"
    name = "PyTorch"
    generator = "PyTorch's own generator"
    order_of_notes = ("data", "start", "loss", "regularizers", "schedule", "optimizer",
                      "plateau", "parts", "layers", "training", "rows")  # fmt: skip

    def __init__(self, plan: TranslationPlan) -> None:
        super().__init__(plan)
        self.sequential = sequential(plan.network)
        self.lists: dict[str, list[str]] = {}  # lists of parameters, by their names in the code
        self.half = "0.5 * " if plan.has_half else ""
        # CrossEntropyLoss has class weights, which are equivalent unless something else depends on the rows.
        depends = plan.smoothing or plan.strength(L2PerRow) or not isinstance(plan.network.loss, CrossEntropy)
        self.loss_weights = None if depends else plan.class_weights
        self.weighs_rows = plan.has_weights and self.loss_weights is None
        self.has_velocity = type(plan.last) in (
            ours.Momentum,
            ours.Nesterov,
        )  # PyTorch's velocity does not include the learning rate
        self.rate_is_inside = self.has_velocity and plan.has_schedule  # then the code multiplies gradients by the rate
        self.measures = ["val_loss.append(objective_of_validation())"] if plan.validation else []
        self.counts_steps = plan.has_schedule or type(plan.last) is ours.AdamEpsilonHat
        self.absorbed_decay = self.decay_of_adamw()
        self.l2_is_weight_decay = bool(plan.strength(L2)) and not self.obstacle_to_weight_decay

    def imports(self) -> list[str]:
        return [*self.imports_of_schedule(), "import numpy as np", "import torch", "from torch import nn", ""]

    def training(self) -> list[str]:
        lines = [*self.loss(), *self.validation(), *self.schedule(), *self.optimizer(), *self.plateau(), *self.loop()]
        lists = [line for name, places in self.lists.items() for line in listing(name, places)]
        return [*lists, *lines]

    def data(self) -> list[str]:
        lines = [*self.row_weights(), *self.class_numbers(), *self.without_zero_weights()]
        lines += self.tensors("inputs", "targets", "X", "y")
        if self.weighs_rows:
            lines += ["row_weights = torch.as_tensor(sample_weight).reshape(-1, 1)"]
        if self.plan.validation:
            lines += self.tensors("val_inputs", "val_targets", "X_val", "y_val")
        return lines

    def tensors(self, inputs: str, targets: str, X: str, y: str) -> list[str]:
        """Convert two arrays to tensors."""
        network, line = self.plan.network, f"{inputs} = torch.as_tensor({X})"
        if network.loss.is_multiclass:
            return [line, f"{targets} = torch.as_tensor(np.asarray({y}), dtype=torch.int64)"]
        shape = f"reshape(len({X}), {network.targets.n_out})"
        return [line, f"{targets} = torch.as_tensor(np.asarray({y}), dtype=inputs.dtype).{shape}"]

    def notes_on_data(self) -> Iterator[str]:
        if self.plan.network.loss.is_multiclass:
            yield (
                "CrossEntropyLoss takes class numbers from 0 (int64), or a row of probabilities for each sample as "
                "floats; ours also takes labels of any kind."
            )

    def notes_on_rows(self) -> Iterator[str]:
        if self.loss_weights is not None:
            yield (
                "CrossEntropyLoss takes weight, one for each class, and its mean divides by the sum of the rows' "
                "weights, as ours does."
            )
        elif self.weighs_rows:
            yield (
                'PyTorch\'s losses take no sample weights: reduction="none" gives one loss for each row, and their '
                "mean is divided by the sum of the batch's weights, as ours is."
            )
        yield from self.notes_on_weights()
        if self.plan.validation:
            yield "Our val_loss includes the penalties and uses no row weights: so does the value measured here."

    def layers(self) -> list[str]:
        return list(self.sequential.modules)

    def model(self) -> list[str]:
        modules = [f"{INDENT}{text}," for text in self.layers()]
        return ["", "model = nn.Sequential(", *modules, f").to(torch.{self.plan.network.dtype})"]

    def start(self) -> list[str]:
        lines, places = [], self.sequential.places
        for layer, number in self.plan.layers if self.plan.weights == "draw" else ():
            for letter, how in initializers_of(layer):
                lines += [self.initializer(how, INITIALIZERS).format(places[f"{letter}{number}"])]
        for name, place in places.items() if self.plan.weights == "given" else ():
            transposed = ".T" if name.startswith("W") else ""
            lines += [f'{place}.copy_(torch.as_tensor(weights["{name}"]){transposed})']
        return ["with torch.no_grad():", *indent_lines(lines), ""]

    def notes_on_start(self) -> Iterator[str]:
        if self.plan.weights == "given":
            yield "nn.Linear keeps W transposed, as (units, n_in)."
        else:
            yield (
                "nn.Linear's own initial weights and biases are uniform in ±1/√n_in (kaiming_uniform_ with a=√5); ours "
                "are by default He's for the ReLU family, LeCun's for SELU, Glorot's for all others, with biases 0: "
                "so they are drawn here."
            )

    def notes_on_layers(self) -> Iterator[str]:
        for layer in self.plan.network.layers:
            if isinstance(layer, BatchNorm):
                yield (
                    f"BatchNorm1d's momentum is the new batch's share, as ours ({layer.momentum!r}); eps is "
                    f"{layer.eps!r} and the running variance unbiased, in both."
                )
            if isinstance(layer, Dropout):
                yield from self.notes_on_dropout(layer.rate)

    def loss(self) -> list[str]:
        loss, of_batch = self.plan.network.loss, "of_output(model(inputs[rows]), targets[rows])"
        if self.weighs_rows:
            call_of_loss = self.call_of_loss(one_by_one=True)
            by_outputs = " / losses.shape[1]" if not loss.is_multiclass else ""
            lines = ["w = row_weights[rows]", f"losses = {of_batch}.reshape(len(w), -1)"]
            by_weight = {"sum": "", "mean of rows": " / w.sum()"}.get(loss.reduction, f" / w.sum(){by_outputs}")
            lines += [f"J = {self.half}(w * losses).sum(){by_weight}"]
        else:
            call_of_loss = self.call_of_loss()
            lines = [f"J = {self.half}{of_batch}{self.per_row('targets[rows]')}"]
        lines += [f"J = J + {term}" for term in self.regularizers()]
        head = [*wrap_call(f"of_output = {call_of_loss}"), "", "", "def objective(rows):"]
        return [*head, *indent_lines([*lines, "return J"]), "", ""]

    def per_row(self, targets: str) -> str:
        """Return a division by the rows for the mean of rows, which PyTorch does not have."""
        return f" / len({targets})" if self.plan.network.loss.reduction == "mean of rows" else ""

    def call_of_loss(self, *, one_by_one: bool = False, weighs: bool = True) -> str:
        """Write the call that makes PyTorch's loss."""
        text = str(self.counterpart(self.plan.network.loss, LOSSES, "the loss"))
        if one_by_one:
            return text.replace(f"reduction={reduction(self.plan.network.loss)}", 'reduction="none"')
        if weighs and self.loss_weights is not None:
            weight = f"torch.tensor({self.loss_weights!r}, dtype=inputs.dtype)"
            return text.replace("(", f"(weight={weight}, ", 1)
        return text

    def validation(self) -> list[str]:
        """Write the objective of the validation rows as a function, and the list that keeps it."""
        if not self.plan.validation:
            return []
        loss = f"{self.call_of_loss(weighs=False)}(model(val_inputs), val_targets)"
        lines = [f"J = {self.half}{loss}{self.per_row('val_targets')}"]
        lines += [f"J = J + {term}" for term in self.penalties("len(val_targets)", with_l2=True)]
        per_row = " / len(val_targets)" if self.plan.network.loss.reduction == "sum" else ""
        lines = ["model.eval()", "with torch.no_grad():", *indent_lines(lines), "model.train()"]
        lines += [f"return J.item(){per_row}"]
        return ["val_loss = []", "", "", "def objective_of_validation():", *indent_lines(lines), "", ""]

    def notes_on_loss(self) -> Iterator[str]:
        loss = self.plan.network.loss
        if loss.reduction == "mean":
            yield f'reduction="mean" is a mean over {self.mean_over}, in both.'
        elif loss.reduction == "mean of rows":
            yield "The mean of rows, which sums over the outputs, is a sum divided by the number of rows."
        else:
            yield 'reduction="sum" adds up all losses of the batch, in both: the step grows with batch_size.'
        if self.plan.has_half:
            yield "MSELoss has no factor ½: with half=True it is a factor of the loss here."
        yield from self.notes_on_no_half("MSELoss")
        if not loss.takes_any_number:
            yield (
                "The loss takes the last layer's weighted sums and applies softmax, sigmoid or exp itself, as ours "
                "does: the model ends without it."
            )
        if self.plan.smoothing:
            yield "label_smoothing is the share spread evenly over all classes, including the true one, in both."

    def regularizers(self) -> list[str]:
        count = "w.sum()" if self.weighs_rows else "len(targets[rows])"
        return self.penalties(count, with_l2=not self.l2_is_weight_decay)

    def penalties(self, count: str, *, with_l2: bool) -> list[str]:
        """Write the regularizers as terms of the objective; ``count`` is what L2PerRow is divided by."""
        lam, lam1, alpha = (self.plan.strength(kind) for kind in (L2, L1, L2PerRow))
        terms = [(lam, f"{lam!r} / 2", "square")] if with_l2 else []
        terms += [(lam1, repr(lam1), "abs"), (alpha, f"{alpha!r} / 2 / {count}", "square")]
        return [
            f"{factor} * sum(W.{function}().sum() for W in {self.parameter_list(self.plan.regularized_names)})"
            for strength, factor, function in terms
            if strength
        ]

    @property
    def obstacle_to_weight_decay(self) -> str:
        """Why L2 cannot be the optimizer's weight_decay; empty where it can."""
        plan = self.plan
        reasons = {
            "AdamW's weight_decay does not go through the gradient": plan.has(ours.AdamW) or self.absorbed_decay > 0,
            "weight_decay is added after clipping, and our clipping includes the penalty's gradient": (
                plan.has(ours.ClipByNorm, ours.ClipByValue)
            ),
            "weight_decay would act on the weights after their decoupled decay": plan.has(ours.Decay),
            "weight_decay would not be multiplied by the rate, as the gradient is": self.rate_is_inside,
            "OnPlateau monitors the objective, which includes the penalty": plan.plateau is not None,
            "J includes the penalty of frozen weights": plan.has(ours.Freeze),
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    def notes_on_regularizers(self) -> Iterator[str]:
        lam, lam1, alpha = (self.plan.strength(kind) for kind in (L2, L1, L2PerRow))
        if self.l2_is_weight_decay:
            yield (
                f"L2({lam!r}) adds lam/2 · Σ W² for weights only; weight_decay adds weight_decay · θ to the gradient "
                f"of every parameter, biases too: so the weights are a separate group with weight_decay={lam!r}, "
                "the rest has 0."
            )
        elif lam:
            obstacle = self.obstacle_to_weight_decay
            yield f"L2({lam!r}), lam/2 · Σ W² for weights only, is a term of the loss: {obstacle}."
        if alpha:
            yield f"L2PerRow({alpha!r}) is divided by the rows of each batch: it is a term of the loss."
        if lam1:
            yield f"PyTorch has no setting for L1({lam1!r}): it is a term of the loss."

    def parameter_list(self, names: Sequence[str], wanted: str = "chosen") -> str:
        """Write parameters as an expression: all, or a named list in the code."""
        if list(names) == self.plan.parameter_names:
            return "model.parameters()"
        places = [self.sequential.places[name] for name in names]
        wanted = "regularized" if list(names) == self.plan.regularized_names else wanted
        while self.lists.setdefault(wanted, places) != places:
            wanted += "_too"
        return wanted

    def optimizer(self) -> list[str]:
        kind, settings = self.counterpart(self.plan.last, OPTIMIZERS, "the optimizer")
        if self.absorbed_decay:
            kind, settings = "AdamW", {**settings, "weight_decay": self.absorbed_decay}
        names = self.plan.steps[-1][1]
        parameters = self.groups(names) if self.l2_is_weight_decay else self.parameter_list(names)
        lr = 1.0 if self.rate_is_inside else self.plan.first_rate
        return wrap_call(f"optimizer = {call(f'torch.optim.{kind}', parameters, lr=lr, **settings)}")

    def groups(self, names: Sequence[str]) -> str:
        """Write two groups of parameters: those that are regularized, and the rest."""
        weights = [name for name in names if name in self.plan.regularized_names]
        others = [name for name in names if name not in self.plan.regularized_names]
        groups = [
            f'{{"params": {self.parameter_list(group, "others")}, "weight_decay": {lam!r}}}'
            for group, lam in ((weights, self.plan.strength(L2)), (others, 0.0))
            if group
        ]
        return f"[{', '.join(groups)}]"

    def decay_of_adamw(self) -> float:
        """Return the decay that AdamW does itself, where the chain is Decay before Adam."""
        decays = [(part, names) for part, names in self.plan.steps if type(part) is ours.Decay]
        if type(self.plan.last) is ours.Adam and len(decays) == 1 and decays[0][1] == self.plan.steps[-1][1]:
            return float(decays[0][0].weight_decay)
        return 0.0

    def notes_on_optimizer(self) -> Iterator[str]:
        kind = type(self.plan.last)
        if kind in (ours.Adam, ours.AdamW):
            yield "eps is outside the root, added to √v̂ with bias correction, in both."
        if kind is ours.AdamEpsilonHat:
            yield (
                "eps is added to √v̂ with bias correction in PyTorch, without it in AdamEpsilonHat (the paper's ε̂): it "
                "is set before every step."
            )
        if kind is ours.RMSProp:
            yield "RMSprop calls rho alpha (its default is 0.99, ours 0.9); eps is outside the root, in both."
        if kind is ours.AdaGrad:
            yield "eps is outside the root and the accumulator begins at 0, in both."
        if kind is ours.AdamW or self.absorbed_decay:
            yield "Decoupled decay: θ shrinks by lr · weight_decay before the step, biases too, in both."

    def schedule(self) -> list[str]:
        return self.rate_function()

    def notes_on_schedule(self) -> Iterator[str]:
        if self.has_velocity:
            yield (
                "SGD's velocity is v = momentum · v + g, without (1 - momentum) and with lr outside; ours is v = "
                "momentum · v - lr · g (Sutskever): the same for a constant lr."
            )
        if type(self.plan.last) is ours.Nesterov:
            yield "nesterov=True steps by g + momentum · v, which is our step in terms of PyTorch's velocity."
        if self.rate_is_inside:
            yield (
                "With a schedule the two velocities differ, so the rate multiplies each gradient before it enters "
                "the velocity, and the optimizer's own lr is 1."
            )
        if self.plan.has_schedule:
            yield "Our schedules count steps, not epochs: the rate is set before every batch."
        if isinstance(self.plan.schedule, Cosine):
            yield "CosineAnnealingLR rises again after T_max steps; ours stays at its end."

    def plateau(self) -> list[str]:
        plateau = self.plan.plateau
        if plateau is None:
            return []
        settings = {"factor": plateau.factor, "patience": plateau.patience, "threshold": plateau.min_delta}
        more = {"threshold_mode": '"abs"', "min_lr": plateau.min_lr, "eps": 0.0}
        scheduler = "torch.optim.lr_scheduler.ReduceLROnPlateau"
        return wrap_call(f"plateau = {call(scheduler, optimizer='optimizer', **settings, **more)}")

    def notes_on_plateau(self) -> Iterator[str]:
        plateau = self.plan.plateau
        if plateau is None:
            return
        yield (
            'ReduceLROnPlateau counts relative changes by default: threshold_mode="abs" with threshold=min_delta is '
            "ours."
        )
        if plateau.monitor != "loss":
            yield Difference(
                f"OnPlateau monitors {plateau.monitor!r}, which this code does not compute: it monitors the training "
                "objective."
            )
        if self.has_velocity:
            yield Difference(
                "PyTorch keeps lr outside of the velocity, we inside: after each reduction of the rate the next "
                "steps differ."
            )

    def loop(self) -> list[str]:
        """Write the loop over epochs and batches."""
        plan, is_full = self.plan, self.plan.recipe.batch_size is None
        step = self.step("slice(None)" if is_full else "rows")
        if not is_full:
            order = "torch.randperm" if plan.recipe.shuffle else "torch.arange"
            step = [f"for rows in {order}(len(inputs)).split({plan.recipe.batch_size}):", *indent_lines(step)]
        if plan.plateau and not is_full:  # it monitors the objective of all rows at the beginning of the epoch
            measured = ["model.eval()", "with torch.no_grad():", f"{INDENT}measured = objective(slice(None)).item()"]
            step = [*measured, "model.train()", *step]
        if plan.plateau:
            per_row = " / len(inputs)" if plan.network.loss.reduction == "sum" else ""
            step += [f"plateau.step({'J.item()' if is_full else 'measured'}{per_row})"]
        counter = ["step = 0"] if self.counts_steps else []
        return [*counter, f"for epoch in range({plan.recipe.epochs}):", *indent_lines([*step, *self.measures])]

    def step(self, rows: str) -> list[str]:
        """Write one step: the rate, the gradients, the parts of the chain, the update."""
        plan = self.plan
        lines = ["lr = rate(step)"] if plan.has_schedule else []
        if plan.has_schedule and not self.rate_is_inside:
            lines += ["for group in optimizer.param_groups:", f'{INDENT}group["lr"] = lr']
        if isinstance(plan.last, ours.AdamEpsilonHat):
            eps, beta2 = map(float, (plan.last.eps, plan.last.beta2))
            lines += ["for group in optimizer.param_groups:"]
            lines += [f'{INDENT}group["eps"] = {eps!r} / (1 - {beta2!r} ** (step + 1)) ** 0.5']
        lines += ["model.zero_grad()", f"J = objective({rows})", "J.backward()", *self.parts()]
        if self.rate_is_inside:
            lines += [f"for parameter in {self.parameter_list(plan.steps[-1][1])}:", f"{INDENT}parameter.grad *= lr"]
        return [*lines, "optimizer.step()", *(["step += 1"] if self.counts_steps else [])]

    def parts(self) -> list[str]:
        return [line for part, names in self.plan.steps[:-1] for line in self.part(part, self.parameter_list(names))]

    def part(self, part: object, parameters: str) -> list[str]:
        """Write one part; freezing is in the list of parameters."""
        match part:
            case ours.ClipByValue():
                return [f"nn.utils.clip_grad_value_({parameters}, {part.limit!r})"]
            case ours.ClipByNorm():
                return [
                    f"norm = nn.utils.get_total_norm([parameter.grad for parameter in {parameters}])",
                    f"if norm > {part.max_norm!r}:",
                    f"{INDENT}for parameter in {parameters}:",
                    f"{INDENT}{INDENT}parameter.grad *= {part.max_norm!r} / norm",
                ]
            case ours.Decay() if not self.absorbed_decay:
                lr = "lr" if self.plan.has_schedule else repr(self.plan.first_rate)
                lr = 'optimizer.param_groups[0]["lr"]' if self.plan.plateau else lr
                return [
                    "with torch.no_grad():",
                    f"{INDENT}for parameter in {parameters}:",
                    f"{INDENT}{INDENT}parameter -= {lr} * {part.weight_decay!r} * parameter",
                ]
        return []

    def notes_on_parts(self) -> Iterator[str]:
        for part in self.plan.parts[:-1]:
            match part:
                case ours.ClipByValue():
                    yield "clip_grad_value_ clips each entry, as ClipByValue does."
                case ours.ClipByNorm():
                    yield (
                        "clip_grad_norm_ divides by norm + 1e-6, which clips slightly too much; here the "
                        "gradient is divided by its norm."
                    )
                case ours.Freeze():
                    yield "Frozen parameters are passed neither to the optimizer nor to the parts after Freeze."
                case ours.Decay() if not self.absorbed_decay:
                    yield (
                        "weight_decay goes through the gradient in every optimizer except AdamW; Decay does not: it "
                        "is a line before the step."
                    )


class TorchLbfgsWriter(TorchWriter):
    """Writes a training by L-BFGS: one call, which evaluates the objective as often as needed."""

    obstacle_to_weight_decay = "torch.optim.LBFGS has no weight_decay"

    def optimizer(self) -> list[str]:
        last = self.plan.last
        settings = {"max_iter": self.plan.recipe.epochs, "history_size": last.memory, "tolerance_grad": last.tolerance}
        settings |= {"tolerance_change": 0.0, "line_search_fn": '"strong_wolfe"'}
        return wrap_call(f"optimizer = {call('torch.optim.LBFGS', params='model.parameters()', **settings)}")

    def loop(self) -> list[str]:
        closure = ["optimizer.zero_grad()", "J = objective(slice(None))", "J.backward()", "return J"]
        closure = ["", "", "def closure():", *indent_lines(closure), "", ""]
        return [*closure, "optimizer.step(closure)", *self.measures]

    def notes_on_optimizer(self) -> Iterator[str]:
        yield Difference(
            "Ours is SciPy's L-BFGS-B, with a different line search: both reach a minimum, but by different steps."
        )


WRITERS: dict[type, type[TorchWriter]] = {ours.LBFGS: TorchLbfgsWriter}
