"""PyTorch: a network and its training as ``nn.Sequential``, ``torch.optim`` and a loop.

The conventions are those of PyTorch 2.13's own source: ``optim/sgd.py``, ``adam.py``, ``adamw.py``, ``rmsprop.py``,
``adagrad.py``, ``lr_scheduler.py``; ``nn/init.py``, ``nn/modules/linear.py``, ``batchnorm.py``, ``loss.py``;
``nn/utils/clip_grad.py``.  A loop of one's own can do whatever a setting cannot, so that here nearly everything
has its equal: a penalty becomes a part of the loss, a decay a line before the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workings import initializers as first
from workings.activations import Activation
from workings.errors import InputError
from workings.layers import BatchNorm, Dense, Dropout, Layer, numbered
from workings.losses import AbsoluteError, BinaryCrossEntropy, CrossEntropy, Huber, Loss, Poisson, SquaredError
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
    Draft,
    Plan,
    Translation,
    broken,
    call,
    counterpart,
    listing,
    starts,
)
from workings.regularizers import L1, L2, L2PerRow
from workings.schedules import Cosine, OnPlateau

if TYPE_CHECKING:
    from workings.model.model import Model

NAME = "PyTorch"
INNER = 2 * INDENT


def reduction(loss: Loss) -> str:
    """PyTorch's word for how one number is made of many; the mean of rows is a sum that is divided later."""
    return '"mean"' if loss.reduction == "mean" else '"sum"'


# fmt: off
ACTIVATIONS = {
    "sigmoid": "nn.Sigmoid()", "tanh": "nn.Tanh()", "relu": "nn.ReLU()", "leaky_relu": "nn.LeakyReLU({slope})",
    "elu": "nn.ELU({alpha})", "selu": "nn.SELU()", "gelu": "nn.GELU()", "gelu_tanh": 'nn.GELU(approximate="tanh")',
    "silu": "nn.SiLU()", "hard_tanh": "nn.Hardtanh()",
    "softplus": "nn.Softplus(threshold=40)",  # beyond its threshold it is a straight line; at 40 that is exact
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
OPTIMIZERS: dict[type, Any] = {
    SGD:      lambda o: {"": "SGD"},
    Momentum: lambda o: {"": "SGD", "momentum": o.momentum},
    Nesterov: lambda o: {"": "SGD", "momentum": o.momentum, "nesterov": True},
    AdaGrad:  lambda o: {"": "Adagrad", "eps": o.eps},
    RMSProp:  lambda o: {"": "RMSprop", "alpha": o.rho, "eps": o.eps},
    Adam:     lambda o: {"": "Adam", "betas": (o.beta1, o.beta2), "eps": o.eps},
    AdamEpsilonHat: lambda o: {"": "Adam", "betas": (o.beta1, o.beta2), "eps": o.eps},
    AdamW:    lambda o: {"": "AdamW", "betas": (o.beta1, o.beta2), "eps": o.eps, "weight_decay": o.weight_decay},
}
# fmt: on
ATTRIBUTES = {
    "W": "weight",
    "b": "bias",
    "gamma": "weight",
    "beta": "bias",
    "running_mean": "running_mean",
    "running_variance": "running_var",
}


@dataclass(frozen=True)
class Sequential:
    """``nn.Sequential`` for a network: the text of each module, and where each of our arrays lives in it."""

    modules: tuple[str, ...]
    places: dict[str, str]  # "W1": "model[0].weight", which holds W1 transposed


def sequential(network: Model) -> Sequential:
    """Tell a network's layers as modules of ``nn.Sequential``, without the loss's link.

    Raises
    ------
    InputError
        For a layer or an activation that PyTorch does not have.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> told = sequential(Network([Dense(3, "tanh"), Dense(1)], loss=SquaredError(), n_in=2))
    >>> told.modules, told.places["W2"]
    (('nn.Linear(2, 3)', 'nn.Tanh()', 'nn.Linear(3, 1)'), 'model[2].weight')
    """
    modules: list[str] = []
    places: dict[str, str] = {}
    width: int | str = network.n_in or "X.shape[1]"
    for layer, number in numbered(network.layers):
        modules.append(module(layer, width))
        for letter in (*layer.parameters, *layer.statistics):
            places[f"{letter}{number}"] = f"model[{len(modules) - 1}].{ATTRIBUTES[letter]}"
        modules += bend(layer.bend)
        width = layer.units if isinstance(layer, Dense) else width
    return Sequential(tuple(modules), places)


def module(layer: Layer, width: int | str) -> str:
    """A layer, without its activation."""
    if isinstance(layer, Dense):
        return f"nn.Linear({width}, {layer.units}{'' if layer.bias else ', bias=False'})"
    if isinstance(layer, Dropout):
        return f"nn.Dropout({layer.rate!r})"
    if isinstance(layer, BatchNorm):
        return f"nn.BatchNorm1d({width}, eps={layer.eps!r}, momentum={layer.momentum!r})"
    raise InputError(f"PyTorch has no module for {layer!r}: it cannot be translated.")


def bend(activation: Activation) -> list[str]:
    """The module of an activation, none for the identity."""
    if activation.name == "identity":
        return []
    if activation.name not in ACTIVATIONS:
        raise InputError(f"PyTorch has no module for the activation {activation.name!r}: it cannot be translated.")
    return [ACTIVATIONS[activation.name].format(**activation.constants)]


def write(plan: Plan) -> Translation:
    """Translate a plan."""
    return Writer(plan).translation()


class Writer:
    """Writes one plan as code for PyTorch."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.draft, self.model = plan, Draft(), sequential(plan.network)
        self.rate_is_inside = type(plan.last) in (Momentum, Nesterov) and plan.has_schedule
        self.decay = self.absorbed_decay()
        self.lists: dict[str, list[str]] = {}  # of parameters, by the name that the code gives them
        self.in_the_way = self.why_no_weight_decay()
        self.lam_in_groups = bool(plan.strength(L2)) and not self.in_the_way

    @property
    def counts_steps(self) -> bool:
        """Whether something depends on the number of the step."""
        return self.plan.has_schedule or isinstance(self.plan.last, AdamEpsilonHat)

    def why_no_weight_decay(self) -> str:
        """Why L2 cannot be the optimizer's weight_decay; empty where it can."""
        plan = self.plan
        is_lbfgs = isinstance(plan.last, LBFGS)
        reasons = {
            "torch.optim.LBFGS has no weight_decay": is_lbfgs,
            "AdamW's weight_decay does not go through the gradient": plan.has(AdamW) or bool(self.decay),
            "weight_decay is added after clipping, and the penalty's gradient is clipped with the rest": (
                plan.has(ClipByNorm) or plan.has(ClipByValue)
            ),
            "weight_decay would see the weights after their decoupled decay": plan.has(Decay),
            "weight_decay would miss the rate that multiplies the gradient": self.rate_is_inside,
            "what waits for a plateau watches the penalty, too": not is_lbfgs and isinstance(plan.schedule, OnPlateau),
            "the penalty counts in J for frozen weights, too": plan.has(Freeze),
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    def absorbed_decay(self) -> float:
        """The decay that AdamW does itself, where the chain is Decay before Adam."""
        decays = [(part, names) for part, names in self.plan.steps if type(part) is Decay]
        if type(self.plan.last) is Adam and len(decays) == 1 and decays[0][1] == self.plan.steps[-1][1]:
            return float(decays[0][0].weight_decay)
        return 0.0

    def translation(self) -> Translation:
        """The code and the sentences."""
        plan = self.plan
        lines = plan.imports("import numpy as np", "import torch", "from torch import nn", "")
        lines += [*plan.given(), *self.row_weights(), *self.data(), "", "model = nn.Sequential("]
        lines += [f"{INDENT}{text}," for text in self.model.modules]
        lines += [f").to(torch.{plan.network.dtype})", "with torch.no_grad():", *self.start(), ""]
        body = [*self.loss(), *self.validation()]
        body += self.lbfgs() if isinstance(plan.last, LBFGS) else [*self.optimizer(), *self.loop()]
        for name, places in self.lists.items():
            lines += listing(name, places)
        lines += body
        self.tell_layers()
        self.tell_rows()
        return self.draft.translation("torch", lines)

    @property
    def weight_of_classes(self) -> list[float] | None:
        """The loss's own ``weight``, where it is all that rows are weighed by."""
        loss, plan = self.plan.network.loss, self.plan
        is_plain = isinstance(loss, CrossEntropy) and not loss.label_smoothing and not plan.strength(L2PerRow)
        return plan.class_weights if is_plain else None

    @property
    def weighs_rows(self) -> bool:
        """Whether the loss of each row is multiplied by a weight."""
        return self.plan.has_weights and self.weight_of_classes is None

    def row_weights(self) -> list[str]:
        """One weight for each row, where it is needed."""
        return self.plan.row_weights() if self.weighs_rows else []

    def tell_rows(self) -> None:
        """What becomes of weights and of validation rows."""
        note = self.draft.note
        if self.weight_of_classes is not None:
            note(
                "CrossEntropyLoss takes weight, one for each class, and its mean divides by the sum of the rows' "
                "weights, as ours does."
            )
        elif self.weighs_rows:
            note(
                'PyTorch\'s losses take no weights of rows: reduction="none" keeps the losses apart, and their mean is '
                "divided by the sum of the batch's weights, as ours is."
            )
        self.plan.tell_weights(self.draft)
        if self.plan.validation:
            note("Our val_loss has the penalties in it and weighs no rows: so has and does what is measured here.")

    def data(self) -> list[str]:
        """The inputs and targets as tensors."""
        lines = [*self.plan.labels_as_numbers(), *(self.plan.left_out() if self.weighs_rows else [])]
        lines += self.tensors("inputs", "targets", "X", "y")
        lines += ["row_weights = torch.as_tensor(sample_weight).reshape(-1, 1)"] if self.weighs_rows else []
        return lines + (self.tensors("val_inputs", "val_targets", "X_val", "y_val") if self.plan.validation else [])

    def tensors(self, inputs: str, targets: str, X: str, y: str) -> list[str]:
        """Two arrays as tensors."""
        network, target = self.plan.network, self.plan.network.loss.target
        lines = [f"{inputs} = torch.as_tensor({X})"]
        if target == "classes":
            self.draft.note(
                "CrossEntropyLoss takes class numbers from 0 (int64), or a row of probabilities for each sample as "
                "floats; ours also takes labels of any kind."
            )
            return [*lines, f"{targets} = torch.as_tensor(np.asarray({y}), dtype=torch.int64)"]
        shape = f"reshape(len({X}), {network.targets.n_out})"
        return [*lines, f"{targets} = torch.as_tensor(np.asarray({y}), dtype=inputs.dtype).{shape}"]

    def start(self) -> list[str]:
        """The first weights: given, or drawn as ours are."""
        if self.plan.weights == "given":
            self.draft.note("nn.Linear keeps W transposed, as (units, n_in).")
            return [f"{INDENT}{place}.copy_({self.given(name)})" for name, place in self.model.places.items()]
        lines = []
        for layer, number in self.plan.layers:
            if isinstance(layer, Dense):
                makes = [(letter, first.initializer_of(given, default)) for letter, given, default in starts(layer)]
                for letter, how in makes:
                    told = counterpart(how, INITIALIZERS, 'the first values (give weights="given" instead)', NAME)
                    lines.append(f"{INDENT}{told.format(self.model.places[f'{letter}{number}'])}")
        self.draft.note(
            "nn.Linear's own first weights and biases are uniform in ±1/√n_in (kaiming_uniform_ with a=√5); ours are "
            "by default He's for the ReLU family, LeCun's for SELU, Glorot's for all others, with biases 0: so they "
            "are drawn here."
        )
        return lines

    def given(self, name: str) -> str:
        """A given array as a tensor in PyTorch's shape."""
        return f'torch.as_tensor(weights["{name}"]){".T" if name.startswith("W") else ""}'

    # -- the loss --------------------------------------------------------------------------

    def loss(self) -> list[str]:
        """The loss as a function of what the model gives, and what is added to it."""
        told = self.called_loss()
        of_batch = "of_output(model(inputs[rows]), targets[rows])"
        lines = [f"{INDENT}J = {self.half}{of_batch}{self.per_row('targets[rows]')}"]
        if self.weighs_rows:
            told = self.called_loss(one_by_one=True)
            lines = [f"{INDENT}w = row_weights[rows]", f"{INDENT}losses = {of_batch}.reshape(len(w), -1)"]
            lines += [f"{INDENT}J = {self.half}(w * losses).sum(){self.per_weight}"]
        self.tell_loss()
        self.tell_penalties()
        count = "w.sum()" if self.weighs_rows else "len(targets[rows])"
        lines += [f"{INDENT}J = J + {term}" for term in self.penalties(count, with_lam=not self.lam_in_groups)]
        head = [*broken(f"of_output = {told}"), "", "", "def objective(rows):"]
        return [*head, *lines, f"{INDENT}return J", "", ""]

    @property
    def half(self) -> str:
        """The ½ in front of a loss."""
        return "0.5 * " if getattr(self.plan.network.loss, "half", False) else ""

    def per_row(self, targets: str) -> str:
        """The division of a sum by the rows, where PyTorch has no such mean."""
        return f" / len({targets})" if self.plan.network.loss.reduction == "mean of rows" else ""

    @property
    def per_weight(self) -> str:
        """The division of a weighted sum."""
        loss = self.plan.network.loss
        by_outputs = " / losses.shape[1]" if loss.target != "classes" else ""
        return {"sum": "", "mean of rows": " / w.sum()"}.get(loss.reduction, f" / w.sum(){by_outputs}")

    def called_loss(self, *, one_by_one: bool = False, weighs: bool = True) -> str:
        """The call that makes PyTorch's loss."""
        told = str(counterpart(self.plan.network.loss, LOSSES, "the loss", NAME))
        if one_by_one:
            return told.replace(f"reduction={reduction(self.plan.network.loss)}", 'reduction="none"')
        if weighs and self.weight_of_classes is not None:
            weight = f"torch.tensor({self.weight_of_classes!r}, dtype=inputs.dtype)"
            return told.replace("(", f"(weight={weight}, ", 1)
        return told

    def penalties(self, count: str, *, with_lam: bool) -> list[str]:
        """What regularizers add to the objective, as terms; ``count`` is what L2PerRow is divided by."""
        plan, terms = self.plan, []
        for kind, each in ((L2, "W.square().sum()"), (L1, "W.abs().sum()")):
            strength = plan.strength(kind)
            if strength and (with_lam or kind is L1):
                factor = f"{strength!r} / 2" if kind is L2 else repr(strength)
                terms.append(f"{factor} * sum({each} for W in {self.listed(plan.regularized)})")
        if alpha := plan.strength(L2PerRow):
            each = f"sum(W.square().sum() for W in {self.listed(plan.regularized)})"
            terms.append(f"{alpha!r} / 2 / {count} * {each}")
        return terms

    def validation(self) -> list[str]:
        """The objective of the validation rows as a function, and the list that keeps it."""
        if not self.plan.validation:
            return []
        n = "len(val_targets)"
        told = f"{self.called_loss(weighs=False)}(model(val_inputs), val_targets)"
        lines = ["model.eval()", "with torch.no_grad():", f"{INDENT}J = {self.half}{told}{self.per_row('val_targets')}"]
        lines += [f"{INDENT}J = J + {term}" for term in self.penalties(n, with_lam=True)]
        per_row = f" / {n}" if self.plan.network.loss.reduction == "sum" else ""
        lines += ["model.train()", f"return J.item(){per_row}"]
        return ["val_loss = []", "", "", "def objective_of_validation():", *(INDENT + line for line in lines), "", ""]

    def tell_loss(self) -> None:
        """How the loss makes one number of many."""
        loss = self.plan.network.loss
        over = "rows" if loss.target == "classes" else "rows and outputs"
        if loss.reduction == "mean":
            self.draft.note(f'reduction="mean" is a mean over {over}, in both.')
        elif loss.reduction == "mean of rows":
            self.draft.note("The mean of rows, which adds up the outputs of a row, is a sum divided by the rows.")
        else:
            self.draft.note('reduction="sum" adds up all losses of the batch, in both: the step grows with batch_size.')
        if getattr(loss, "half", False):
            self.draft.note("MSELoss has no ½: it stands before the loss here, as half=True has it.")
        elif isinstance(loss, SquaredError):
            self.draft.note("MSELoss has no ½, as ours has none without half=True.")
        if loss.target != "numbers":
            self.draft.note(
                "The loss takes the last layer's sums and applies softmax, sigmoid or exp itself, as ours does: the "
                "model ends without it."
            )
        if getattr(loss, "label_smoothing", 0):
            self.draft.note(
                "label_smoothing is the share spread evenly over all classes, the true one included, in both."
            )

    def tell_penalties(self) -> None:
        """What becomes of the regularizers."""
        lam, lam1 = self.plan.strength(L2), self.plan.strength(L1)
        if lam and self.lam_in_groups:
            self.draft.note(
                f"L2({lam!r}) adds lam/2 · Σ W² for weights only; weight_decay adds weight_decay · θ to the gradient "
                f"of every parameter, biases too: so the weights are a group of their own with weight_decay={lam!r}, "
                "the rest has 0."
            )
        elif lam:
            self.draft.note(f"L2({lam!r}), lam/2 · Σ W² for weights only, stands in the loss: {self.in_the_way}.")
        if alpha := self.plan.strength(L2PerRow):
            self.draft.note(f"L2PerRow({alpha!r}) is divided by the rows of each batch: it stands in the loss.")
        if lam1:
            self.draft.note(f"PyTorch has no setting for L1({lam1!r}): its sum stands in the loss.")

    # -- the optimizer ---------------------------------------------------------------------

    def listed(self, names: Sequence[str], wanted: str = "chosen") -> str:
        """Parameters as an expression: all, or a list that the code gives a name."""
        if list(names) == self.plan.trained:
            return "model.parameters()"
        places = [self.model.places[name] for name in names]
        wanted = "regularized" if list(names) == self.plan.regularized else wanted
        while self.lists.setdefault(wanted, places) != places:
            wanted += "_too"
        return wanted

    def optimizer(self) -> list[str]:
        """The call that makes the optimizer."""
        plan, last = self.plan, self.plan.last
        settings = counterpart(last, OPTIMIZERS, "the optimizer", NAME)
        names, kind = plan.steps[-1][1], settings.pop("")
        if self.decay:
            kind, settings = "AdamW", {**settings, "weight_decay": self.decay}
        lr = 1.0 if self.rate_is_inside else plan.first_rate
        groups = self.groups(names) if self.lam_in_groups else self.listed(names)
        told = call("", lr=lr, **settings)[1:-1]
        line = f"optimizer = torch.optim.{kind}({groups}, {told})"
        self.tell_optimizer()
        head = [] if not plan.has_schedule else plan.rate_function()
        return [*head, *broken(line), *self.plateau()]

    def groups(self, names: Sequence[str]) -> str:
        """Two groups: what is regularized, and the rest."""
        decayed = [name for name in names if name in self.plan.regularized]
        rest = [name for name in names if name not in self.plan.regularized]
        told = [(decayed, self.plan.strength(L2)), (rest, 0.0)]
        return (
            "["
            + ", ".join(
                f'{{"params": {self.listed(group, "others")}, "weight_decay": {lam!r}}}' for group, lam in told if group
            )
            + "]"
        )

    def plateau(self) -> list[str]:
        """The scheduler that waits for a plateau."""
        schedule = self.plan.schedule
        if not isinstance(schedule, OnPlateau):
            return []
        self.draft.note(
            'ReduceLROnPlateau counts relative changes by default: threshold_mode="abs" with threshold=min_delta is '
            "ours."
        )
        if schedule.monitor != "loss":
            self.draft.note(
                f"OnPlateau looks at {schedule.monitor!r}, which this code does not measure: it is given the training "
                "objective.",
                equal=False,
            )
        if type(self.plan.last) in (Momentum, Nesterov):
            self.draft.note(
                "PyTorch keeps lr outside of the velocity, ours inside: after each fall of the rate the next steps "
                "differ.",
                equal=False,
            )
        settings = {"factor": schedule.factor, "patience": schedule.patience, "threshold": schedule.min_delta}
        more = {"threshold_mode": '"abs"', "min_lr": schedule.min_lr, "eps": 0.0}
        return broken(
            f"plateau = {call('torch.optim.lr_scheduler.ReduceLROnPlateau', optimizer='optimizer', **settings, **more)}"
        )

    def tell_optimizer(self) -> None:
        """The conventions of the optimizer itself."""
        last, note = self.plan.last, self.draft.note
        kind = type(last)
        if kind in (Momentum, Nesterov):
            note(
                "SGD's velocity is v = momentum · v + g, without (1 - momentum) and with lr outside; ours is v = "
                "momentum · v - lr · g (Sutskever): the same for a constant lr."
            )
            if kind is Nesterov:
                note("nesterov=True steps by g + momentum · v, which is ours seen from PyTorch's velocity.")
        self.tell_rate()
        if kind in (Adam, AdamW):
            note("eps stands outside the root, beside √v̂ with its bias corrected, in both.")
        if kind is AdamEpsilonHat:
            note(
                "eps stands beside √v̂ with its bias corrected in PyTorch, before that here (the paper's ε̂): it is "
                "set before every step."
            )
        if kind is RMSProp:
            note("RMSprop calls rho alpha (its default is 0.99, ours 0.9); eps stands outside the root, in both.")
        if kind is AdaGrad:
            note("eps stands outside the root and the accumulator begins at 0, in both.")
        if kind is AdamW or self.decay:
            note("Decoupled decay: θ shrinks by lr · weight_decay before the step, biases too, in both.")

    def tell_rate(self) -> None:
        """The conventions of a learning rate that changes."""
        note = self.draft.note
        if self.rate_is_inside:
            note(
                "With a schedule the two velocities differ, so the rate multiplies each gradient before it enters "
                "the velocity, and the optimizer's own lr is 1."
            )
        if self.plan.has_schedule:
            note("Our schedules count steps, not epochs: the rate is set before every batch.")
        if isinstance(self.plan.schedule, Cosine):
            note("CosineAnnealingLR rises again after T_max steps; ours stays at its end.")

    # -- the loop --------------------------------------------------------------------------

    def loop(self) -> list[str]:
        """The loop over epochs and batches."""
        plan = self.plan
        lines = ["step = 0"] if self.counts_steps else []
        lines += [f"for epoch in range({plan.epochs}):", *self.epoch_begins()]
        full = plan.batch_size is None
        if full:
            rows, indent = "slice(None)", INDENT
        else:
            order = "torch.randperm" if plan.shuffle else "torch.arange"
            lines += [f"{INDENT}for rows in {order}(len(inputs)).split({plan.batch_size}):"]
            rows, indent = "rows", INNER
        lines += [indent + line for line in self.step(rows)]
        watched = "J.item()" if full else "measured"
        per_row = " / len(inputs)" if plan.network.loss.reduction == "sum" else ""
        lines += [f"{INDENT}plateau.step({watched}{per_row})"] if isinstance(plan.schedule, OnPlateau) else []
        return [*lines, *(INDENT + line for line in self.measured())]

    def measured(self) -> list[str]:
        """The line that measures on the validation rows."""
        return ["val_loss.append(objective_of_validation())"] if self.plan.validation else []

    def epoch_begins(self) -> list[str]:
        """What OnPlateau wants measured: the objective of all rows where the epoch begins."""
        if not isinstance(self.plan.schedule, OnPlateau) or self.plan.batch_size is None:
            return []
        lines = ["model.eval()", "with torch.no_grad():", f"{INDENT}measured = objective(slice(None)).item()"]
        return [INDENT + line for line in (*lines, "model.train()")]

    def step(self, rows: str) -> list[str]:
        """One step: the rate, the gradients, the parts of the chain, the update."""
        plan, lines = self.plan, []
        if plan.has_schedule:
            lines += ["lr = rate(step)"]
            if not self.rate_is_inside:
                lines += ["for group in optimizer.param_groups:", f'{INDENT}group["lr"] = lr']
        if isinstance(plan.last, AdamEpsilonHat):
            eps, beta2 = plan.settings["eps"], plan.settings["beta2"]
            lines += ["for group in optimizer.param_groups:"]
            lines += [f'{INDENT}group["eps"] = {eps!r} / (1 - {beta2!r} ** (step + 1)) ** 0.5']
        lines += ["model.zero_grad()", f"J = objective({rows})", "J.backward()"]
        for part, names in plan.steps[:-1]:
            lines += self.part(part, names)
        if self.rate_is_inside:
            lines += [f"for parameter in {self.listed(plan.steps[-1][1])}:", f"{INDENT}parameter.grad *= lr"]
        lines += ["optimizer.step()"]
        return [*lines, "step += 1"] if self.counts_steps else lines

    def part(self, part: Any, names: Sequence[str]) -> list[str]:
        """What stands in front of the optimizer."""
        parameters, note = self.listed(names), self.draft.note
        if isinstance(part, ClipByValue):
            note("clip_grad_value_ cuts each entry off, as ClipByValue does.")
            return [f"nn.utils.clip_grad_value_({parameters}, {part.limit!r})"]
        if isinstance(part, ClipByNorm):
            note(
                "clip_grad_norm_ divides by norm + 1e-6, so that it shortens a little too much; here the gradient is "
                "divided by its norm."
            )
            return [
                f"norm = nn.utils.get_total_norm([parameter.grad for parameter in {parameters}])",
                f"if norm > {part.max_norm!r}:",
                f"{INDENT}for parameter in {parameters}:",
                f"{INDENT}{INDENT}parameter.grad *= {part.max_norm!r} / norm",
            ]
        if isinstance(part, Freeze):
            note("What is frozen is not handed to the optimizer, and not to the parts after Freeze.")
            return []
        return self.decoupled(part, parameters)

    def decoupled(self, part: Decay, parameters: str) -> list[str]:
        """Decay that does not go through the gradient."""
        if self.decay:
            return []
        self.draft.note(
            "weight_decay goes through the gradient in every optimizer but AdamW; Decay does not: it is a line "
            "before the step."
        )
        lr = "lr" if self.plan.has_schedule else repr(self.plan.first_rate)
        lr = 'optimizer.param_groups[0]["lr"]' if isinstance(self.plan.schedule, OnPlateau) else lr
        return [
            "with torch.no_grad():",
            f"{INDENT}for parameter in {parameters}:",
            f"{INDENT}{INDENT}parameter -= {lr} * {part.weight_decay!r} * parameter",
        ]

    def lbfgs(self) -> list[str]:
        """L-BFGS, whose line search is another one."""
        last, epochs = self.plan.last, self.plan.epochs
        self.draft.note(
            "Ours is SciPy's L-BFGS-B, whose line search is not PyTorch's: both go down to the same kind of minimum, "
            "by other steps.",
            equal=False,
        )
        settings = {"max_iter": epochs, "history_size": last.memory, "tolerance_grad": last.tolerance}
        line = call("torch.optim.LBFGS", params="model.parameters()", **settings, tolerance_change=0.0,
                    line_search_fn='"strong_wolfe"')  # fmt: skip
        inside = ["optimizer.zero_grad()", "J = objective(slice(None))", "J.backward()", "return J"]
        return [*broken(f"optimizer = {line}"), "", "", "def closure():", *(INDENT + line for line in inside), "", "",
                "optimizer.step(closure)", *self.measured()]  # fmt: skip

    def tell_layers(self) -> None:
        """The conventions of the layers."""
        for layer, _ in self.plan.layers:
            if isinstance(layer, BatchNorm):
                self.draft.note(
                    f"BatchNorm1d's momentum is the new batch's share, as ours ({layer.momentum!r}); eps is "
                    f"{layer.eps!r} and the running variance unbiased, in both."
                )
            if isinstance(layer, Dropout):
                self.draft.note("Dropout's number is the share that is dropped, and what stays is enlarged, in both.")
                if layer.rate:
                    self.draft.note("What is dropped is drawn from PyTorch's own generator.", equal=False)
        if self.plan.shuffle and self.plan.batch_size is not None:
            self.draft.note(
                "The orders are drawn from PyTorch's own generator; shuffle=False takes the rows as they stand."
            )
