"""The interface of translation writers: the methods that every system implements, and the order of the code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from workings.errors import InputError
from workings.initializers import Initializer
from workings.layers import Dense, Layer
from workings.losses import SquaredError
from workings.readings.copying import CopiedCode, rate_expression
from workings.readings.translate.formatting import INDENT
from workings.readings.translate.plan import TranslationPlan
from workings.readings.translate.translated_code import Difference, Translation

SMALL_EPS = 1e-10  # so small that its position in the formula does not matter


class TranslationWriter(ABC):
    """Writes one plan as code for one system.

    Each topic has two methods.  The first returns code, in the form that the system needs: lines, terms of
    the objective, modules, or arguments of a call.  The second, ``notes_on_…``, yields notes on different
    conventions; a ``Difference`` if no setting is equal.  Neither changes the plan.
    """

    system: ClassVar[str]  # as in ``net.translate(system)``
    name: ClassVar[str]  # the system's name in texts
    generator: ClassVar[str]  # what draws orders and dropout masks
    order_of_notes: ClassVar[tuple[str, ...]]  # the topics, in the order of the system's code

    def __init__(self, plan: TranslationPlan) -> None:
        self.plan = plan
        self.weighs_rows = plan.has_weights  # whether the code has one weight for each row
        self.has_zero_weights = plan.sample_weight or not all(plan.label_weights.values())
        self.mean_over = "rows" if plan.network.loss.is_multiclass else "rows and outputs"

    def translation(self) -> Translation:
        """Write the code and the notes, without duplicates."""
        code = [*self.imports(), *self.convert_inputs(), *self.data(), *self.model(), *self.start(), *self.training()]
        found = [note for question in self.order_of_notes for note in getattr(self, f"notes_on_{question}")()]
        notes = tuple(dict.fromkeys(found))
        differences = tuple(str(note) for note in notes if isinstance(note, Difference))
        return Translation(self.system, "\n".join(code) + "\n", tuple(map(str, notes)), differences)

    # -- topics: code ---------------------------------------------------------------

    @abstractmethod
    def imports(self) -> list[str]:
        """Import what the code needs."""

    @abstractmethod
    def data(self) -> list[str]:
        """Convert inputs, targets and row weights to what the system takes."""

    @abstractmethod
    def model(self) -> list[str]:
        """Build the model from its layers."""

    @abstractmethod
    def start(self) -> list[str]:
        """Set the initial weights."""

    @abstractmethod
    def training(self) -> list[str]:
        """Train the model, with the loss, the optimizer and the schedule."""

    @abstractmethod
    def layers(self) -> list[str]:
        """Write the layers and their activations."""

    @abstractmethod
    def loss(self) -> list[str]:
        """Write the loss and its reduction."""

    @abstractmethod
    def regularizers(self) -> list[str]:
        """Write the regularizers."""

    @abstractmethod
    def optimizer(self) -> list[str]:
        """Write the optimizer with its constants."""

    @abstractmethod
    def schedule(self) -> list[str]:
        """Write a learning rate that is a function of the step."""

    @abstractmethod
    def plateau(self) -> list[str]:
        """Write a learning rate schedule that reduces on a plateau of the loss."""

    @abstractmethod
    def parts(self) -> list[str]:
        """Write the parts before the optimizer: clipping, weight decay, freezing."""

    # -- topics: notes --------------------------------------------------------------

    @abstractmethod
    def notes_on_data(self) -> Iterator[str]:
        """Yield the conventions of targets and data types."""

    @abstractmethod
    def notes_on_rows(self) -> Iterator[str]:
        """Yield how row weights, class weights and validation rows are translated."""

    @abstractmethod
    def notes_on_layers(self) -> Iterator[str]:
        """Yield the conventions of layers and activations."""

    @abstractmethod
    def notes_on_start(self) -> Iterator[str]:
        """Yield how initial weights are drawn or set."""

    @abstractmethod
    def notes_on_loss(self) -> Iterator[str]:
        """Yield the conventions of the loss and its reduction."""

    @abstractmethod
    def notes_on_regularizers(self) -> Iterator[str]:
        """Yield how the regularizers are translated."""

    @abstractmethod
    def notes_on_optimizer(self) -> Iterator[str]:
        """Yield the conventions of the optimizer."""

    @abstractmethod
    def notes_on_schedule(self) -> Iterator[str]:
        """Yield how the learning rate enters the step, and when it changes."""

    @abstractmethod
    def notes_on_plateau(self) -> Iterator[str]:
        """Yield when the system reduces the rate on a plateau."""

    @abstractmethod
    def notes_on_parts(self) -> Iterator[str]:
        """Yield how clipping, weight decay and freezing are translated."""

    def notes_on_training(self) -> Iterator[str]:
        """Yield which generator draws the row orders."""
        if self.plan.shuffles:
            yield f"Row orders are drawn from {self.generator}; with shuffle=False the rows keep their order."

    # -- shared by several systems ----------------------------------------------------

    def counterpart(self, kind: object, table: Mapping[type, Callable[..., object]], what: str) -> Any:
        """Look up the system's counterpart of an object by its type.

        Raises
        ------
        InputError
            If it has no counterpart.
        """
        if type(kind) not in table:
            raise InputError(f"{self.name} has no counterpart for {what} {kind!r}: it cannot be translated.")
        return table[type(kind)](kind)

    def initializer(self, initializer: Initializer, table: Mapping[type, Callable[..., object]]) -> str:
        """Look up the system's initializer."""
        return str(self.counterpart(initializer, table, 'the initializer (use weights="given" instead)'))

    def convert_inputs(self) -> list[str]:
        """Describe the inputs of the code in comments, and convert them."""
        network, plan = self.plan.network, self.plan
        n_out = network.targets.n_out
        shape = "(n,)" if network.targets.has_labels or n_out == 1 else f"(n, {n_out})"
        lines = [f"# Given: X of shape (n, {network.n_in or 'n_in'}), y of shape {shape}"]
        if plan.weights == "given":
            saved = "np.savez(path, **net.parameters, **net.statistics)"
            lines += [f"# and weights, as np.load reads what {saved} wrote."]
        if plan.sample_weight:
            lines += ["# and sample_weight of shape (n,)."]
        if plan.validation:
            lines += ["# and X_val and y_val for validation."]
        names = ["X", "X_val"] if plan.validation else ["X"]
        return [*lines, *(f"{name} = np.asarray({name}, dtype=np.{network.dtype})" for name in names)]

    def row_weights(self) -> list[str]:
        """Compute one weight for each row from sample weights and class weights."""
        plan = self.plan
        if not self.weighs_rows:
            return []
        lines = ["sample_weight = np.asarray(sample_weight, dtype=X.dtype)"] if plan.sample_weight else []
        if plan.recipe.class_weight is None:
            return lines
        if plan.label_weights:
            each = "of_class.get(label, 1.0) for label in np.asarray(y).tolist()"
            lines += [f"of_class = {plan.label_weights!r}  # others count 1"]
            lines += [f"by_class = np.array([{each}], dtype=X.dtype)"]
        else:
            lines += ["_, places, counts = np.unique(y, return_inverse=True, return_counts=True)"]
            lines += ["by_class = (len(places) / len(counts) / counts)[places].astype(X.dtype)"]
        return [*lines, f"sample_weight = by_class{' * sample_weight' if plan.sample_weight else ''}"]

    def without_zero_weights(self) -> list[str]:
        """Remove rows of weight 0, as we do, so that the batches are the same."""
        if not self.weighs_rows or not self.has_zero_weights:
            return []
        return ["kept = sample_weight > 0", "X, y, sample_weight = X[kept], np.asarray(y)[kept], sample_weight[kept]"]

    def notes_on_weights(self) -> Iterator[str]:
        """Yield notes on weights that hold for every system."""
        if self.has_zero_weights:
            yield "Rows of weight 0 are removed before batches are made, as ours are."
        if self.plan.recipe.class_weight == "balanced":
            yield '"balanced" gives each class the weight rows / (classes · rows of the class), in both.'

    def class_numbers(self) -> list[str]:
        """Convert labels to class numbers from 0; empty if targets are not labels."""
        network, plan = self.plan.network, self.plan
        if not network.targets.has_labels:
            return []
        names = ["y", "y_val"] if plan.validation else ["y"]
        if network.targets.classes is None:
            is_number = f"set(np.ravel(y).tolist()) <= set(range({plan.n_classes}))"
            lines = [f"if not {is_number}:  # labels of another kind, in their order"]
            lines += [f"{INDENT}labels, y = np.unique(y, return_inverse=True)"]
            return [*lines, *(f"{INDENT}{name} = np.searchsorted(labels, {name})" for name in names[1:])]
        labels = [] if network.classes is None else network.classes.tolist()
        if labels == list(range(len(labels))):
            return []
        return [f"{name} = np.searchsorted({labels!r}, {name})" for name in names]

    def rate_function(self) -> list[str]:
        """Write the schedule as a function ``rate(t)`` of the step, from its source."""
        if not self.plan.has_schedule:
            return []
        copied = CopiedCode()
        returned = rate_expression(self.plan.schedule, copied, "t")
        lines = [*copied.constants.values()]
        lines += [line for text in copied.functions.values() for line in (*text.splitlines(), "", "")]
        lines += ["def rate(t):  # the learning rate of each step, counted from 0", f"{INDENT}return {returned}"]
        return [*lines, "", ""]

    def imports_of_schedule(self) -> list[str]:
        """Write the imports that the schedule needs."""
        return ["import math", ""] if "math." in "".join(self.rate_function()) else []

    def notes_on_no_half(self, name: str) -> Iterator[str]:
        """Yield that neither loss has a factor ½."""
        if isinstance(self.plan.network.loss, SquaredError) and not self.plan.has_half:
            yield f"{name} has no factor ½, like ours without half=True."

    def notes_on_dropout(self, rate: float) -> Iterator[str]:
        """Yield the meaning of the dropout rate, and which generator draws the masks."""
        yield "Dropout's rate is the share of dropped units, and the others are scaled up, in both."
        if rate:
            yield Difference(f"Dropout masks are drawn from {self.generator}.")


def initializers_of(layer: Layer) -> list[tuple[str, Initializer]]:
    """Return each parameter of a Dense layer with its initializer; empty for other layers."""
    return list(layer.initializers.items()) if isinstance(layer, Dense) else []
