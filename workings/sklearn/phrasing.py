"""Suggested changes of a diagnosis, phrased as parameters of an estimator.

``Network.diagnose`` suggests changes as code.  For an estimator called ``model``, a change is a call of
``set_params`` and ``fit`` instead of ``Network.fit``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from workings.layers import BatchNorm, Dense, Layer
from workings.model.model import Model
from workings.optimizers import Chain, ClipByNorm, Part
from workings.regularizers import L1, L2, L2PerRow, Regularizer
from workings.sklearn.hyperparameters import optimizer_of, solver_of

PENALTIES = {"alpha": L2PerRow, "weight_decay": L2, "l1": L1}
# Settings of Network.fit, with the parameters for them.
NAMES = {
    "epochs": "max_iter",
    "class_weight": "class_weight",
    "shuffle": "shuffle",
    "batch_size": "batch_size",
}
# Parameters that may be lists with one entry per layer, with their defaults.
LAYER_DEFAULTS = {"activation": "relu", "dropout": 0.0, "init": None}


class EstimatorTerms:
    """The phrasing for an estimator with some parameters; see :class:`workings.checks.change_code.Terms`."""

    opening = "net = model.network_"

    def __init__(self, parameters: Mapping[str, object], is_weighted: bool) -> None:
        self.parameters = dict(parameters)
        self.is_weighted = is_weighted

    def trained(self, changed: Mapping[str, Any]) -> str:
        """Return code that fits again with other settings of ``Network.fit``."""
        parameters = {NAMES[name]: value for name, value in changed.items() if name in NAMES}
        if "callbacks" in changed:
            parameters |= {"early_stopping": True}
        if "optimizer" in changed:
            parameters |= self.optimizer_parameters(changed["optimizer"])
        return self.code(parameters)

    def more_epochs(self, epochs: int, before: int) -> str:
        """Return code that continues training from the current weights."""
        return f"{self.code({'max_iter': epochs, 'warm_start': True})}  # continues from the current weights"

    def changed_network(self, network: Model, parts: Sequence[Layer | str], penalties: Sequence[Regularizer]) -> str:
        """Return code that fits again with other layers and regularizers."""
        before = layer_parameters(network.layers, self.parameters) | penalty_parameters(network.regularizers)
        after = layer_parameters(parts, self.parameters) | penalty_parameters(penalties)
        changed = {name: value for name, value in after.items() if value != before[name]}
        if len(parts) < len(network.layers) and "hidden_layer_sizes" in changed:
            for name, default in LAYER_DEFAULTS.items():
                if isinstance(self.parameters[name], list):  # with one entry per layer: now too many
                    changed[name] = default
        return self.code(changed | init_parameter(network.layers, parts, self.parameters))

    def optimizer_parameters(self, optimizer: Part) -> dict[str, object]:
        """Return the parameters for an optimizer: only the learning rate, if nothing else differs."""
        estimator: Any = SimpleNamespace(**self.parameters)  # with the attributes of Hyperparameters
        if "<" in repr(optimizer):  # a custom schedule, whose repr is not code
            from workings.checks.rates import rate_of, with_rate

            optimizer = with_rate(optimizer, rate_of(optimizer))
        parts = list(optimizer.parts)
        if estimator.clip is not None:  # which adds a ClipByNorm
            parts = [part for part in parts if not isinstance(part, ClipByNorm)]
        rate = getattr(parts[-1], "lr", None)
        chosen = Chain(*parts) if len(parts) > 1 else parts[0]
        if estimator.schedule is not None:
            before = cast(Part, optimizer_of(estimator))  # not L-BFGS, which does not support schedules
            if type(parts[-1]) is type(before.parts[-1]) and callable(rate):
                return {"schedule": rate}
            return {"optimizer": chosen, "schedule": None}
        if estimator.optimizer is None and estimator.solver != "lbfgs" and not callable(rate):
            estimator.learning_rate_init = rate
            if solver_of(estimator) == chosen:
                return {"learning_rate_init": rate}
        return {"optimizer": chosen}

    def code(self, changed: Mapping[str, object]) -> str:
        """Return code that sets parameters and fits."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        set_params = f".set_params({arguments})" if arguments else ""
        needs_weights = self.is_weighted and self.parameters.get("class_weight") is None
        return f"model{set_params}.fit(X, y)" + ("  # and your sample_weight" if needs_weights else "")


def layer_parameters(layers: Sequence[Layer | str], parameters: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters for layers; the estimator adds the last one itself."""
    hidden = layers[:-1]
    has_norm = any(isinstance(layer, BatchNorm) for layer in hidden)
    kind = BatchNorm if has_norm else Dense
    activations = [layer.activation for layer in hidden if isinstance(layer, kind)]
    activation: Any = activations
    if not activations:
        activation = parameters["activation"]
    elif all(other == activations[0] for other in activations):
        activation = activations[0]
    return {
        "hidden_layer_sizes": tuple(layer.units for layer in hidden if isinstance(layer, Dense)),
        "activation": activation,
        "batch_norm": has_norm,
    }


def penalty_parameters(penalties: Sequence[Regularizer]) -> dict[str, float]:
    """Return the parameters for regularizers; 0 for each that is not there."""
    strengths = {type(penalty): dataclasses.astuple(penalty)[0] for penalty in penalties}
    return {name: strengths.get(kind, 0.0) for name, kind in PENALTIES.items()}


def init_parameter(
    before: Sequence[Layer | str],
    after: Sequence[Layer | str],
    parameters: Mapping[str, object],
) -> dict[str, object]:
    """Return ``init`` if the initial weights change: the default, or zeros in the last layer."""
    if not isinstance(after[-1], (Dense, BatchNorm)):  # code for a last layer with a constant initial output
        hidden = sum(isinstance(layer, Dense) for layer in after[:-1])
        return {"init": [*[None] * hidden, "zeros"]}
    weights_before = [layer.weights for layer in before if isinstance(layer, Dense)]
    weights_after = [layer.weights for layer in after if isinstance(layer, Dense)]
    has_default = any(weights is None for weights in weights_after)
    is_changed = parameters["init"] is not None and has_default and weights_before != weights_after
    return {"init": None} if is_changed else {}
