"""Terms: the doctor's changes in the words of an estimator, as parameters to be set before another ``fit``.

Whoever has an estimator called ``model`` has never called ``Network.fit``; what a change would say of a network and
its training is said here by the parameters that stand for the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from workings.checks.evidence import rate_of, with_rate
from workings.layers import BatchNorm, Dense
from workings.network import Network
from workings.optimizers import Chain, ClipByNorm, Part
from workings.regularizers import L1, L2, L2PerRow
from workings.sklearn.parameters import optimizer_of, solver_of

PENALTIES = {"alpha": L2PerRow, "weight_decay": L2, "l1": L1}
NAMES = {"epochs": "max_iter", "class_weight": "class_weight", "shuffle": "shuffle", "batch_size": "batch_size"}
OF_EACH_LAYER = {"activation": "relu", "dropout": 0.0, "init": None}  # settings that may be lists, as by default


class EstimatorTerms:
    """The terms of an estimator that was fitted with some parameters; see :class:`workings.checks.advice.Terms`."""

    opening = "net = model.network_"

    def __init__(self, parameters: Mapping[str, Any], is_weighted: bool) -> None:
        self.parameters, self.is_weighted = dict(parameters), is_weighted

    def trained(self, changed: Mapping[str, Any]) -> str:
        """Set what stands for settings of ``fit``, and fit anew."""
        told = {NAMES[name]: value for name, value in changed.items() if name in NAMES}
        if "callbacks" in changed:
            told |= {"early_stopping": True}
        if "optimizer" in changed:
            told |= self.of_optimizer(changed["optimizer"])
        return self.code(told)

    def gone_on(self, epochs: int) -> str:
        """Go on from the weights that are there."""
        return f"{self.code({'max_iter': epochs, 'warm_start': True})}  # it goes on from where it is"

    def made(self, network: Network, parts: Sequence[Any], penalties: Sequence[Any]) -> str:
        """Set what stands for layers and penalties, and fit anew."""
        before = {**of_layers(network.layers, self.parameters), **of_penalties(network.regularizers)}
        after = {**of_layers(parts, self.parameters), **of_penalties(penalties)}
        changed = {name: value for name, value in after.items() if value != before[name]}
        if len(parts) < len(network.layers) and "hidden_layer_sizes" in changed:  # lists must be as long as the layers
            lists = {name: usual for name, usual in OF_EACH_LAYER.items() if isinstance(self.parameters[name], list)}
            changed |= lists
        return self.code(changed | first_weights(network.layers, parts, self.parameters))

    def of_optimizer(self, optimizer: Part) -> dict[str, Any]:
        """The parameters that stand for an optimizer: its rate alone, where that is all that changes."""
        own = SimpleNamespace(**self.parameters)
        if "<" in repr(optimizer):  # a function of the step has no code that could be shown
            optimizer = with_rate(optimizer, rate_of(optimizer))
        parts = [part for part in optimizer.parts if own.clip is None or not isinstance(part, ClipByNorm)]
        rate = parts[-1].lr  # type: ignore[attr-defined]
        chosen = Chain(*parts) if len(parts) > 1 else parts[0]
        if own.schedule is not None:
            before: Any = optimizer_of(own)  # L-BFGS takes no schedule
            is_same = type(parts[-1]) is type(before.parts[-1])
            return {"schedule": rate} if is_same and callable(rate) else {"optimizer": chosen, "schedule": None}
        if own.optimizer is None and own.solver != "lbfgs" and not callable(rate):
            own.learning_rate_init = rate
            if solver_of(own) == chosen:
                return {"learning_rate_init": rate}
        return {"optimizer": chosen}

    def code(self, changed: Mapping[str, Any]) -> str:
        """Set parameters, and fit."""
        told = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        setting = f".set_params({told})" if told else ""
        is_weighted = self.is_weighted and self.parameters.get("class_weight") is None
        return f"model{setting}.fit(X, y)" + ("  # and your sample_weight" if is_weighted else "")


def of_layers(layers: Sequence[Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that stand for layers; the last layer is the estimator's own."""
    hidden = layers[:-1]
    sizes = tuple(layer.units for layer in hidden if isinstance(layer, Dense))
    has_norm = any(isinstance(layer, BatchNorm) for layer in hidden)
    bends = [layer.activation for layer in hidden if isinstance(layer, BatchNorm if has_norm else Dense)]
    one = bends[0] if bends and all(bend == bends[0] for bend in bends) else bends
    return {"hidden_layer_sizes": sizes, "activation": one if bends else parameters["activation"],
            "batch_norm": has_norm}  # fmt: skip


def of_penalties(penalties: Sequence[Any]) -> dict[str, Any]:
    """The parameters that stand for penalties, 0 where there is none."""
    prices = {type(penalty): dataclasses.astuple(penalty)[0] for penalty in penalties}
    return {name: prices.get(kind, 0.0) for name, kind in PENALTIES.items()}


def first_weights(before: Sequence[Any], after: Sequence[Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameter that stands for other first weights: as by default, or a last layer of zeros."""
    hidden = sum(isinstance(layer, Dense) for layer in after[:-1])
    if not isinstance(after[-1], (Dense, BatchNorm)):  # code for a last layer that begins with one answer
        return {"init": [*[None] * hidden, "zeros"]}
    had = [layer.weights for layer in before if isinstance(layer, Dense)]
    has = [layer.weights for layer in after if isinstance(layer, Dense)]
    return {"init": None} if parameters["init"] is not None and any(w is None for w in has) and had != has else {}
