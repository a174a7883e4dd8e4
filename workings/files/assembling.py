"""Assemble a network from the layers and weights of another library's model.

An importer adds the parts of a model in order: dense products, activations, normalizations.  They become
layers, and the final activation selects the loss: softmax means cross-entropy, sigmoid binary cross-entropy.
A part without a counterpart raises an error with the name that it has in the other library.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from workings.activations import ACTIVATIONS, Activation
from workings.errors import InputError, WorkingsWarning
from workings.files.verification import GeneratedRows, compare, generated_rows
from workings.layers import BatchNorm, Dense, Dropout, Layer, number_layers
from workings.losses import BinaryCrossEntropy, CrossEntropy, Loss, Poisson, SquaredError, loss_named
from workings.model.model import Model
from workings.support.arrays import Array, as_finite

LINKS: dict[str, type[Loss]] = {"softmax": CrossEntropy, "sigmoid": BinaryCrossEntropy, "exp": Poisson}


@dataclass
class NetworkAssembler:
    """Collects layers and weights in order, and builds a network from them.

    Attributes
    ----------
    source : str
        Description of the imported model, for messages: ``"This nn.Sequential"``.
    layers, arrays :
        The layers, and the arrays of each by letter.
    link : str
        The final link, ``"softmax"`` or ``"exp"``; empty if there is none.
    """

    source: str
    layers: list[Layer] = field(default_factory=list)
    arrays: list[dict[str, Array]] = field(default_factory=list)
    link: str = ""

    @property
    def width(self) -> int | None:
        """The output width of the layers so far."""
        widths = [next(iter(arrays.values())).shape[-1] for arrays in self.arrays if arrays]
        return widths[-1] if widths else None

    def refusal(self, what: str, why: str) -> InputError:
        """Return the error for a part that cannot be imported."""
        return InputError(f"{self.source} has {what}, {why}.")

    def check_place(self, what: str, width: int | None) -> None:
        """Raise for a part after the final link, or one that does not fit the width of the previous layer."""
        if self.link:
            raise self.refusal(what, f"which follows a {self.link}; only the last layer can be a {self.link}")
        if width is not None and self.width not in (None, width):
            raise self.refusal(what, f"which takes {width} columns, after a layer with {self.width} outputs")

    def add_dense(self, W: object, b: object = None, what: str = "a dense layer") -> None:
        """Add a dense layer with weights of shape (n_in, units), and biases."""
        weights = checked_array(W, 2, f"{self.source}: the weights of {what}")
        self.check_place(what, weights.shape[0])
        arrays = {"W": weights}
        if b is not None:
            arrays["b"] = checked_array(b, 1, f"{self.source}: the biases of {what}")
            if arrays["b"].shape != weights.shape[1:]:
                raise self.refusal(what, f"whose {weights.shape[1]} units have {arrays['b'].size} biases")
        self.add(Dense(weights.shape[1], bias=b is not None), arrays)

    def add_bias(self, b: object, what: str = "a bias") -> None:
        """Add biases to the last dense layer."""
        last = self.layers[-1] if self.layers else None
        if not isinstance(last, Dense) or last.bias or last.activation_function.name != "identity":
            raise self.refusal(what, "which does not follow a dense layer without biases")
        weights = self.arrays[-1]["W"]
        del self.layers[-1], self.arrays[-1]
        self.add_dense(weights, b, what)

    def add_batch_norm(self, arrays: Mapping[str, object], *, momentum: float, eps: float, what: str) -> None:
        """Add batch normalization: ``gamma``, ``beta``, ``running_mean``, ``running_variance``."""
        found = {
            letter: checked_array(array, 1, f"{self.source}: {letter} of {what}") for letter, array in arrays.items()
        }
        if len({array.size for array in found.values()}) != 1:
            raise self.refusal(what, "whose arrays differ in length")
        self.check_place(what, found["gamma"].size)
        if (found["running_variance"] < 0).any():
            raise self.refusal(what, "which has a negative variance")
        self.add(BatchNorm(momentum=momentum, eps=eps), found)

    def add_dropout(self, rate: float) -> None:
        """Add dropout."""
        self.check_place("a Dropout", None)
        self.add(Dropout(float(rate)), {})

    def add_activation(self, name: str, what: str, **constants: float) -> None:
        """Set the activation of the last layer; ``"softmax"`` and ``"exp"`` are links and end the network."""
        self.check_place(what, None)
        if name in ("softmax", "exp"):
            self.link = name
            return
        record = ACTIVATIONS[name].with_constants(**{letter: float(value) for letter, value in constants.items()})
        last = self.layers[-1] if self.layers else None
        if record.name == "identity":
            return
        if not isinstance(last, Dense | BatchNorm) or last.activation_function.name != "identity":
            raise self.refusal(what, "which does not follow a dense layer or a normalization")
        self.layers[-1] = replace(last, activation=named_if_known(record))

    def add(self, layer: Layer, arrays: Mapping[str, Array]) -> None:
        """Add a layer with its arrays."""
        self.layers.append(layer)
        self.arrays.append(dict(arrays))

    # -- building the network ---------------------------------------------------------------------------

    def network(self, loss: str | Loss | None = None, classes: Iterable[object] | None = None) -> Model:
        """Build the network.

        Raises
        ------
        InputError
            If there are no weights, or the loss has a different link than the model's last activation.
        """
        if not any("W" in arrays for arrays in self.arrays):
            raise InputError(f"{self.source} has no weights to import.")
        chosen, layers = self.loss_and_layers(loss)
        arrays = [array for each in self.arrays for array in each.values()]
        dtype = np.float32 if all(array.dtype == np.float32 for array in arrays) else np.float64
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", WorkingsWarning
            )  # warns about the last activation, which comes from the source
            network = Model(layers, loss=chosen, seed=0, dtype=dtype)
        first = next(next(iter(each.values())) for each in self.arrays if each)
        places = zip(number_layers(layers), self.arrays, strict=True)
        network.place(first.shape[0], {f"{k}{number}": a for (_, number), each in places for k, a in each.items()})
        if classes is not None:
            network.set_classes(labels_of(classes, network, self.source))
        return network

    def loss_and_layers(self, loss: str | Loss | None) -> tuple[Loss, list[Layer]]:
        """Return the loss, and the layers without a last activation that is the loss's link."""
        last = self.layers[-1]
        is_sigmoid = (
            not self.link and isinstance(last, Dense | BatchNorm) and last.activation_function.name == "sigmoid"
        )
        link = "sigmoid" if is_sigmoid else self.link
        chosen = loss_named(loss) if loss is not None else LINKS.get(link, SquaredError)()
        if link and isinstance(chosen, LINKS[link]):
            return chosen, [*self.layers[:-1], replace(last, activation="identity")] if is_sigmoid else self.layers  # type: ignore[call-arg]
        if self.link:
            owner = LINKS[self.link].__name__
            raise InputError(f"{self.source} ends with {self.link}, the link of {owner}, not of {chosen!r}.")
        return chosen, self.layers


def named_if_known(record: Activation) -> str | Activation:
    """Return an activation's name if its constants are the defaults, else the activation."""
    return record.name if record == ACTIVATIONS[record.name] else record


def checked_array(values: object, ndim: int, what: str) -> Array:
    """Return weights as a float32 or float64 array; raise unless they are finite numbers."""
    array = np.asarray(values)
    if array.ndim != ndim or 0 in array.shape:
        raise InputError(f"{what} have shape {array.shape}; they should have {ndim} dimensions.")
    if array.dtype.kind not in "fiu":
        raise InputError(f"{what} have type {array.dtype}; they should be numbers.")
    return as_finite(array, np.float32 if array.dtype == np.float32 else np.float64, what)


def labels_of(classes: Iterable[object], network: Model, source: str) -> Array:
    """Check the labels of the outputs: distinct text, whole numbers or booleans, one for each output."""
    array = np.array(list(classes))
    if array.dtype.kind == "f" and (array == np.rint(array)).all():
        array = array.astype(np.int64)
    count = network.targets.label_count
    if array.dtype.kind not in "iubU" or array.shape != (count,) or len(set(array.tolist())) != count:
        raise InputError(
            f"{source} has the labels {array.tolist()!r:.80}; there should be {count} different ones, text or whole "
            f"numbers."
        )
    return array


def check_agreement(network: Model, source: str, predict: Callable[[Array], object]) -> Model:
    """Compare an imported network with its source on generated rows; return the network.

    Raises
    ------
    InputError
        If they differ.
    """
    rows = generated_rows(network)
    return check_agreement_on(network, source, rows, predict(rows.X))


def check_agreement_on(
    network: Model,
    source: str,
    rows: GeneratedRows,
    predicted: object,
    scale: tuple[float, float] | None = None,
    rounding: float = 0.0,
) -> Model:
    """Compare an imported network with its source's predictions for given rows, using ``compare``; return the network.

    Raises
    ------
    InputError
        If they differ.
    """
    found = np.asarray(predicted)
    if found.ndim == 1:
        found = found[:, None]
    if found.shape[1] == 2 and network.n_out == 1:
        found = found[:, 1:]
    agreement = compare(source, network, rows, found, scale=scale, rounding=rounding)
    if not agreement.ok:
        raise InputError(
            f"{agreement}. The model contains an operation that was not recognized, so it was not imported."
        )
    return network
