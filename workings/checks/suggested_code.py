"""The code of suggested changes: the network and its training, with other settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workings.activations import ACTIVATIONS
from workings.checks.change_code import Terms
from workings.checks.known_training import KnownTraining
from workings.checks.rates import rate_of, with_rate
from workings.layers import BatchNorm, FullyConnected, Layer
from workings.model.model import Model
from workings.optimizers import Adam, Chain, Part
from workings.regularizers import Regularizer


class Code(str):
    """A piece of code, whose ``repr`` is the code itself."""

    __repr__ = str.__str__


@dataclass(frozen=True, eq=False)
class SuggestedCode:
    """Writes a network and its training as code, with other settings, layers or penalties."""

    network: Model
    training: KnownTraining
    is_full_batch: bool

    @property
    def terms(self) -> Terms | None:
        """The terms of the interface in use, if it is not ``Network``."""
        return self.training.terms

    @property
    def opening(self) -> str:
        """Code that assigns ``net``, for interfaces without an object of this name."""
        return self.training.opening if self.terms is None else self.terms.opening

    def new_training(self, **changed: object) -> str:
        """Write a training from new initial parameters, with some settings changed.

        A network whose statements were edited goes on from its parameters: code cannot make it again.
        """
        if self.terms is not None or self.network.edits:
            return self.fit(**changed)
        return f"{self.of_network()}\n{self.fit(**changed)}"

    def fit(self, **changed: object) -> str:
        """Write the training as a line of code, with some settings changed."""
        if self.terms is not None:
            return self.terms.trained(changed)
        settings: dict[str, Any] = {
            "optimizer": self.training.recipe.optimizer,
            "epochs": self.training.recipe.epochs,
            **self.known_settings,
            **changed,
        }
        others = [name for name in self.training.given if name != "running_loss"]
        if "<" in repr(settings["optimizer"]):  # a schedule that is a function cannot be printed as code
            settings["optimizer"] = with_rate(settings["optimizer"], rate_of(settings["optimizer"]))
            others.append("schedule")
        comment = f"  # and your {', '.join(others)}" if others else ""
        arguments = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        return f"history = net.fit(X, y, {arguments}){comment}"

    @property
    def known_settings(self) -> dict[str, object]:
        """The known settings of ``fit`` that differ from the defaults and can be printed as code."""
        recipe, known = self.training.recipe, self.training.known
        settings: dict[str, object] = {name: getattr(recipe, name) for name in ("optimizer", "epochs") if name in known}
        if "batch_size" in known:
            settings["batch_size"] = None if self.is_full_batch else recipe.batch_size
        if not recipe.shuffle and not self.is_full_batch:
            settings["shuffle"] = False
        if recipe.class_weight is not None:
            settings["class_weight"] = recipe.class_weight
        if "running_loss" in self.training.given:
            settings["running_loss"] = True
        return settings

    @property
    def present(self) -> tuple[str, ...]:
        """The code of the network and its training as they are; a change must differ from it."""
        return (self.of_network(), self.fit()) if self.training.has_optimizer else (self.of_network(),)

    def more_epochs(self, epochs: int) -> str:
        """Write code for a number of further epochs."""
        if self.terms is not None:
            return self.terms.more_epochs(epochs, self.training.recipe.epochs)
        return f"{self.fit(epochs=epochs)}  # continues from the current parameters"

    def more_epochs_with(self, optimizer: Part, epochs: int) -> str:
        """Write code for further epochs with another optimizer; where that trains anew, for all epochs together."""
        before = 0 if self.terms is None else self.training.recipe.epochs
        return self.fit(optimizer=optimizer, epochs=before + epochs)

    def longer(self, times: int = 5) -> str:
        """Write code for a training with the usual learning rate and more epochs."""
        last = self.training.recipe.optimizer if self.training.has_optimizer else None
        before = last.links[:-1] if isinstance(last, Chain) else ()
        optimizer = Chain(*before, Adam(1e-2)) if before else Adam(1e-2)
        epochs = max(times * self.training.recipe.epochs if "epochs" in self.training.known else 0, 200)
        return self.fit(optimizer=optimizer, epochs=epochs)

    def of_network(
        self, layers: Sequence[Layer | Code] | None = None, regularizers: Sequence[Regularizer] | None = None
    ) -> str:
        """Write the network as a line of code, with other layers or regularizers."""
        network = self.network
        parts = network.layers if layers is None else layers
        penalties = network.regularizers if regularizers is None else regularizers
        in_terms = None if self.terms is None else self.terms.changed_network(network, parts, penalties)
        if in_terms is not None:
            return in_terms
        layer_codes = ", ".join(self.of_layer(layer) for layer in parts)
        penalty_codes = ", ".join(self.of_penalty(penalty) for penalty in penalties)
        loss = repr(network.loss) if of_the_library(network.loss) else "net.loss"
        penalty = f", regularizer=[{penalty_codes}]" if penalties else ""
        dtype = f', dtype="{network.dtype}"' if network.dtype_given or network.dtype == np.float32 else ""
        return f"net = Network([{layer_codes}], loss={loss}{penalty}, seed={seed_code(network)}{dtype})"

    def with_loss(self, loss: str, n_out: int, of_estimator: str) -> str:
        """Write the network with another loss and number of outputs; an estimator is changed as ``of_estimator`` says.

        Its last layer has no activation.
        """
        if self.terms is not None:
            return f"# {of_estimator}"
        layer_codes = ", ".join([*map(self.of_layer, self.network.layers[:-1]), f"Dense({n_out})"])
        return f"net = Network([{layer_codes}], loss={loss}, seed={seed_code(self.network)})"

    def of_layer(self, layer: Layer | Code) -> str:
        """Write a layer as code; refer to a layer of ``net`` if its ``repr`` does not define it completely."""
        layers = self.network.layers
        kept = [i for i, own in enumerate(layers) if own is layer]
        if kept and not says_all(layer):
            return f"net.layers[{kept[0]}]"
        if isinstance(layer, FullyConnected) and not is_named(layer):
            place = next(i for i, own in enumerate(layers) if own.activation_function is layer.activation_function)
            bias = "" if layer.bias else ", bias=False"
            return f"{type(layer).__name__}({layer.units}, net.layers[{place}].activation{bias})"
        return repr(layer)

    def of_penalty(self, regularizer: object) -> str:
        """Write a regularizer as code."""
        kept = [i for i, own in enumerate(self.network.regularizers) if own is regularizer]
        return f"net.regularizers[{kept[0]}]" if kept and not of_the_library(regularizer) else repr(regularizer)


def of_the_library(thing: object) -> bool:
    """Whether the class of an object belongs to this library, so that users can import it."""
    return type(thing).__module__.split(".")[0] == "workings"


def is_named(layer: Layer) -> bool:
    """Whether the layer's activation is a registered one, which its name identifies."""
    return ACTIVATIONS.get(layer.activation_function.name) == layer.activation_function


def says_all(layer: Layer | Code) -> bool:
    """Whether the ``repr`` of a layer defines it completely."""
    if isinstance(layer, str) or not of_the_library(layer) or not is_named(layer):
        return False
    if isinstance(layer, FullyConnected):
        return layer.weights is None and layer.biases is None
    return not isinstance(layer, BatchNorm) or layer == BatchNorm(layer.activation)


def seed_code(network: Model) -> str:
    """Write the network's seed as code; 0 if it is not known."""
    made = network.rng_made or "0"
    return made.removeprefix("np.random.default_rng(").removesuffix(")") if "default_rng" in made else made
