"""Adopting: a network of other libraries' weights, put together piece by piece.

Whoever reads a foreign model names its pieces in order: a product with weights, an activation, a normalization.  Here
they become layers, and what stands at the end becomes the loss whose link it is: a softmax means cross-entropy, a
sigmoid binary cross-entropy.  What has no place among our layers is refused by the name it has there.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from workings.activations import ACTIVATIONS, Activation
from workings.errors import InputError, WorkingsWarning
from workings.files.verification import Rows, compare, generated_rows
from workings.layers import BatchNorm, Dense, Dropout, Layer, numbered
from workings.losses import BinaryCrossEntropy, CrossEntropy, Loss, Poisson, SquaredError, loss_named
from workings.model.model import Model
from workings.support.arrays import Array, as_finite

LINKS: dict[str, type[Loss]] = {"softmax": CrossEntropy, "sigmoid": BinaryCrossEntropy, "exp": Poisson}


@dataclass
class Pieces:
    """The pieces of a network in their order.

    Attributes
    ----------
    source : str
        What is read, for messages: ``"This nn.Sequential"``.
    layers, arrays :
        The layers, and the arrays of each by letter.
    link : str
        What stood at the end: ``"softmax"`` or ``"exp"``; empty if nothing did.
    """

    source: str
    layers: list[Layer] = field(default_factory=list)
    arrays: list[dict[str, Array]] = field(default_factory=list)
    link: str = ""

    @property
    def width(self) -> int | None:
        """How many columns come out of what there is."""
        widths = [next(iter(arrays.values())).shape[-1] for arrays in self.arrays if arrays]
        return widths[-1] if widths else None

    def refusal(self, what: str, why: str) -> InputError:
        """Say which piece cannot be taken over."""
        return InputError(f"{self.source} has {what}, {why}.")

    def check_place(self, what: str, width: int | None) -> None:
        """Refuse a piece after the end, or one that does not fit what comes before."""
        if self.link:
            raise self.refusal(what, f"which stands after a {self.link}; here a {self.link} can only be the last")
        if width is not None and self.width not in (None, width):
            raise self.refusal(what, f"which takes {width} columns, after a layer that gives {self.width}")

    def dense(self, W: Any, b: Any = None, what: str = "a dense layer") -> None:
        """Add a product with weights of shape (n_in, units), and biases."""
        weights = checked(W, 2, f"{self.source}: the weights of {what}")
        self.check_place(what, weights.shape[0])
        arrays = {"W": weights}
        if b is not None:
            arrays["b"] = checked(b, 1, f"{self.source}: the biases of {what}")
            if arrays["b"].shape != weights.shape[1:]:
                raise self.refusal(what, f"whose {weights.shape[1]} units have {arrays['b'].size} biases")
        self.add(Dense(weights.shape[1], bias=b is not None), arrays)

    def bias(self, b: Any, what: str = "a bias") -> None:
        """Give biases to the product that came last."""
        last = self.layers[-1] if self.layers else None
        if not isinstance(last, Dense) or last.bias or last.bend.name != "identity":
            raise self.refusal(what, "which does not follow a product with weights")
        weights = self.arrays[-1]["W"]
        del self.layers[-1], self.arrays[-1]
        self.dense(weights, b, what)

    def batch_norm(self, arrays: Mapping[str, Any], *, momentum: float, eps: float, what: str) -> None:
        """Add a normalization: ``gamma``, ``beta``, ``running_mean``, ``running_variance``."""
        found = {letter: checked(array, 1, f"{self.source}: {letter} of {what}") for letter, array in arrays.items()}
        if len({array.size for array in found.values()}) != 1:
            raise self.refusal(what, "whose arrays differ in length")
        self.check_place(what, found["gamma"].size)
        if (found["running_variance"] < 0).any():
            raise self.refusal(what, "which has a negative variance")
        self.add(BatchNorm(momentum=momentum, eps=eps), found)

    def dropout(self, rate: float) -> None:
        """Add what is dropped while the network learns."""
        self.check_place("a Dropout", None)
        self.add(Dropout(float(rate)), {})

    def activation(self, name: str, what: str, **constants: float) -> None:
        """Let an activation follow the last layer; ``"softmax"`` and ``"exp"`` are links and end the network."""
        self.check_place(what, None)
        if name in ("softmax", "exp"):
            self.link = name
            return
        record = ACTIVATIONS[name].with_constants(**{letter: float(value) for letter, value in constants.items()})
        last = self.layers[-1] if self.layers else None
        if record.name == "identity":
            return
        if not isinstance(last, Dense | BatchNorm) or last.bend.name != "identity":
            raise self.refusal(what, "which does not follow a dense layer or a normalization")
        self.layers[-1] = replace(last, activation=known_or_own(record))

    def add(self, layer: Layer, arrays: Mapping[str, Array]) -> None:
        """Add a layer with its arrays."""
        self.layers.append(layer)
        self.arrays.append(dict(arrays))

    # -- the whole ---------------------------------------------------------------------------

    def network(self, loss: str | Loss | None = None, classes: Iterable[Any] | None = None) -> Model:
        """The network of these pieces.

        Raises
        ------
        InputError
            If there are no weights, or the loss has another link than what stands at the end.
        """
        if not any("W" in arrays for arrays in self.arrays):
            raise InputError(f"{self.source} has no weights that could be taken over.")
        chosen, layers = self.ending(loss)
        arrays = [array for each in self.arrays for array in each.values()]
        dtype = np.float32 if all(array.dtype == np.float32 for array in arrays) else np.float64
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", WorkingsWarning)  # the last activation is the source's own
            network = Model(layers, loss=chosen, seed=0, dtype=dtype)
        first = next(next(iter(each.values())) for each in self.arrays if each)
        places = zip(numbered(layers), self.arrays, strict=True)
        network.place(first.shape[0], {f"{k}{number}": a for (_, number), each in places for k, a in each.items()})
        network.rng_made = None  # its parameters do not come from a seed
        if classes is not None:
            network.targets = replace(network.targets, classes=labels_of(classes, network, self.source))
        return network

    def ending(self, loss: str | Loss | None) -> tuple[Loss, list[Layer]]:
        """The loss, and the layers without an activation that is the loss's own link."""
        last = self.layers[-1]
        is_sigmoid = not self.link and isinstance(last, Dense | BatchNorm) and last.bend.name == "sigmoid"
        link = "sigmoid" if is_sigmoid else self.link
        chosen = loss_named(loss) if loss is not None else LINKS.get(link, SquaredError)()
        if link and isinstance(chosen, LINKS[link]):
            return chosen, [*self.layers[:-1], replace(last, activation="identity")] if is_sigmoid else self.layers  # type: ignore[call-arg]
        if self.link:
            owner = LINKS[self.link].__name__
            raise InputError(f"{self.source} ends with {self.link}, the link of {owner}, not of {chosen!r}.")
        return chosen, self.layers


def known_or_own(record: Activation) -> str | Activation:
    """An activation by its name, where its constants are the usual ones."""
    return record.name if record == ACTIVATIONS[record.name] else record


def checked(values: Any, ndim: int, what: str) -> Array:
    """Weights as an array of float32 or float64, if they are finite numbers."""
    array = np.asarray(values)
    if array.ndim != ndim or 0 in array.shape:
        raise InputError(f"{what} have shape {array.shape}; they should have {ndim} dimensions.")
    if array.dtype.kind not in "fiu":
        raise InputError(f"{what} have type {array.dtype}; they should be numbers.")
    return as_finite(array, np.float32 if array.dtype == np.float32 else np.float64, what)


def labels_of(classes: Iterable[Any], network: Model, source: str) -> Array:
    """The labels behind the outputs: text, whole numbers or true and false, as many as these."""
    array = np.array(list(classes))
    if array.dtype.kind == "f" and (array == np.rint(array)).all():
        array = array.astype(np.int64)
    count = network.n_out if network.targets.kind == "classes" else 2
    if array.dtype.kind not in "iubU" or array.shape != (count,) or len(set(array.tolist())) != count:
        raise InputError(
            f"{source} has the labels {array.tolist()!r:.80}; there should be {count} different ones, text or whole "
            f"numbers."
        )
    return array


def check_agreement(network: Model, source: str, predict: Callable[[Array], Any]) -> Model:
    """Compare a network that was taken over with what its source predicts for generated rows; give it back.

    Raises
    ------
    InputError
        If they differ.
    """
    rows = generated_rows(network)
    return check_rows(network, source, rows, predict(rows.X))


def check_rows(
    network: Model, source: str, rows: Rows, predicted: Any, scale: tuple[float, float] | None = None,
    rounding: float = 0.0,
) -> Model:  # fmt: skip
    """Compare a network that was taken over with what its source predicts for rows, as ``compare`` does; give it back.

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
        raise InputError(f"{agreement}. So it does something that was not understood; nothing was taken over.")
    return network
