"""Reading the beginning of an ONNX graph: from a table's columns to the numbers that its first layer takes.

Scaler, Imputer, OneHotEncoder and LabelEncoder, as scikit-learn's exporter writes them, and the arithmetic that stands
for them elsewhere, here too, are followed from the inputs on.  For each value of the graph there is a list of records
(``files/features.py``), one for each of its columns; what an operator does to it is done to the records.  Where an
operator is none of these, or is set otherwise, the table ends, and the network has to begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from workings.errors import FileError
from workings.files.features import Coded, Feature, Text, one_hot_of
from workings.files.verification import Rows, words_of
from workings.support.arrays import Array
from workings.tables.columns import Columns, NumberColumn

TYPES: dict[int, Any] = {1: np.float32, 11: np.float64, 6: np.int32, 7: np.int64, 8: object}  # of inputs
TEXT, MOST_COLUMNS = 8, 100_000
FEW = 4  # operators that a layer consists of at most
DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
SAME = ("Identity", "Cast", "Flatten", "Reshape")  # that leave columns what they are
Record = Feature | Text


@dataclass(frozen=True)
class Present:
    """Where the columns of a value have no gap: true and false, for the Where that follows."""

    value: str


class Graph(Protocol):
    """What is asked of the graph of a file: its inputs, operators and fixed arrays."""

    source: str

    inputs: list[Any]

    def reached_from_inputs(self) -> Iterator[Any]:
        """Yield the operators that depend on the inputs, in order."""

    def begins_layer(self, nodes: list[Any], name: str) -> bool:
        """Return whether the first of some operators makes a layer of a value."""

    def names_of(self, name: str, count: int) -> list[str]:
        """The names of the columns of an input."""

    def settings(self, node: Any) -> dict[str, Any]:
        """The settings of an operator."""

    def is_constant(self, name: str) -> bool:
        """Return whether a name stands for a fixed array."""

    def constant(self, name: str) -> Array:
        """A fixed array of the file."""

    def count(self, numbers: int) -> None:
        """Note how many numbers were made, and refuse a file that makes many of few."""


@dataclass
class Table:
    """Follows a graph from its inputs to the first layer.

    Attributes
    ----------
    reader : Graph
        The graph of the file.
    values : mapping of str to list of records
        What is known of each value of the graph.
    taken : list of nodes
        The operators that were understood.
    end : str
        The value at which the network begins.
    """

    reader: Graph
    values: dict[str, list[Record]] = field(default_factory=dict)
    present: dict[str, Present] = field(default_factory=dict)
    taken: list[Any] = field(default_factory=list)
    end: str = ""

    def read(self) -> bool:
        """Follow the operators up to the first layer; whether all inputs lead there as numbers."""
        self.values = {value.name: list(self.columns_in(value)) for value in self.reader.inputs}
        nodes = list(self.reader.reached_from_inputs())
        for place, node in enumerate(nodes):
            if self.reader.begins_layer(nodes[place : place + FEW], node.input[0]):
                self.end = node.input[0]
                return self.numbers(self.end) is not None and self.uses_all_inputs(nodes[: place + 1])
            if not self.step(node):
                return False
            self.taken.append(node)
        return False

    def uses_all_inputs(self, nodes: list[Any]) -> bool:
        """Return whether each input is read by one of some operators."""
        return {value.name for value in self.reader.inputs} <= {name for node in nodes for name in node.input}

    def columns_in(self, value: Any) -> list[Record]:
        """The records of an input: its columns as they are, under the names that the file gives them."""
        kind, dims = value.type.tensor_type.elem_type, value.type.tensor_type.shape.dim
        if kind not in TYPES or len(dims) != 2 or not 0 < dims[1].dim_value <= MOST_COLUMNS:
            raise FileError(
                f"{self.reader.source}: the input {value.name!r} should be a table of numbers or of words, with 1 to "
                f"{MOST_COLUMNS:,} columns."
            )
        names = self.reader.names_of(value.name, dims[1].dim_value)
        return [Text(name) if kind == TEXT else NumberColumn(name) for name in names]

    def step(self, node: Any) -> bool:
        """Follow one operator; whether it is one that is understood."""
        if node.domain not in DOMAINS or len(node.output) != 1:
            return False
        follow = FOLLOWED.get(node.op_type)
        records = None if follow is None else follow(self, node)
        if isinstance(records, Present):
            self.present[node.output[0]] = records
        elif records is not None:
            self.reader.count(sum(len(record.values) if isinstance(record, Coded) else 1 for record in records))
            self.values[node.output[0]] = records
        return records is not None

    # -- what operators do -----------------------------------------------------------------------

    def numbers(self, name: str) -> list[Feature] | None:
        """The records of a value that holds numbers alone."""
        found = [record for record in self.values.get(name, ()) if isinstance(record, NumberColumn | Coded)]
        return found if found and len(found) == len(self.values[name]) else None

    def texts(self, name: str) -> list[Text] | None:
        """The records of a value that holds words alone."""
        found = [record for record in self.values.get(name, ()) if isinstance(record, Text)]
        return found if found and len(found) == len(self.values[name]) else None

    def constants(self, name: str, count: int) -> list[float] | None:
        """A fixed number for each of some columns."""
        if not self.reader.is_constant(name):
            return None
        values = self.reader.constant(name)
        if values.dtype.kind not in "fiu" or values.size not in (1, count) or values.shape[:-1] not in ((), (1,)):
            return None
        return [float(value) for value in np.broadcast_to(values.reshape(-1), count)]

    def same(self, node: Any) -> list[Record] | None:
        """An operator that leaves columns what they are."""
        records = self.values.get(node.input[0])
        if records is None or (node.op_type == "Cast" and not self.casts_to_numbers(node)):
            return None
        if node.op_type == "Reshape":
            shape = self.reader.constant(node.input[1]).reshape(-1).tolist()
            return records if shape in ([-1, len(records)], [0, len(records)]) else None
        return records if node.op_type != "Flatten" or self.reader.settings(node).get("axis", 1) == 1 else None

    def casts_to_numbers(self, node: Any) -> bool:
        """Return whether a Cast leaves the numbers what they are: to floats, or true and false to whole numbers."""
        to, records = self.reader.settings(node).get("to"), self.values[node.input[0]]
        return to in (1, 11) or (to in (6, 7) and all(isinstance(record, Coded) for record in records))

    def arithmetic(self, node: Any) -> list[Record] | None:
        """Sub, Div, Mul or Add with a fixed number for each column."""
        turned = node.op_type in ("Mul", "Add") and self.reader.is_constant(node.input[0])
        given, other = (node.input[1], node.input[0]) if turned else (node.input[0], node.input[1])
        records = self.numbers(given)
        numbers = None if records is None else self.constants(other, len(records))
        if records is None or numbers is None:
            return None
        if node.op_type in ("Sub", "Add"):
            sign = 1 if node.op_type == "Sub" else -1
            return [record.scaled(sign * number, 1.0) for record, number in zip(records, numbers, strict=True)]
        divisors = [number if node.op_type == "Div" else 1 / number for number in numbers]
        return [record.scaled(0.0, divisor) for record, divisor in zip(records, divisors, strict=True)]

    def scaler(self, node: Any) -> list[Record] | None:
        """(x - offset) scale."""
        given, records = self.reader.settings(node), self.numbers(node.input[0])
        if records is None:
            return None
        offsets, scales = (
            spread(given.get(name, [usual]), len(records)) for name, usual in (("offset", 0), ("scale", 1))
        )
        return [
            record.scaled(offset, 1 / scale) for record, offset, scale in zip(records, offsets, scales, strict=True)
        ]

    def imputer(self, node: Any) -> list[Record] | None:
        """Gaps filled; a gap is NaN."""
        given, records = self.reader.settings(node), self.numbers(node.input[0])
        values = given.get("imputed_value_floats")
        if records is None or not values or not np.isnan(given.get("replaced_value_float", 0.0)):
            return None
        return filled_with(records, spread(values, len(records)))

    def equal(self, node: Any) -> list[Record] | Present | None:
        """x == x, which is false for gaps; or a code for each category."""
        if node.input[0] == node.input[1]:
            return Present(node.input[0]) if self.numbers(node.input[0]) else None
        records = self.values.get(node.input[0], [])
        if len(records) != 1 or not isinstance(records[0], Coded) or not self.reader.is_constant(node.input[1]):
            return None
        numbers = self.reader.constant(node.input[1])
        if numbers.dtype.kind not in "iuf" or numbers.ndim > 2 or numbers.shape[:-1] not in ((), (1,)):
            return None
        return list(records[0].is_each_of(numbers.reshape(-1).tolist()))

    def where(self, node: Any) -> list[Record] | None:
        """Gaps filled, after x == x."""
        condition, value, other = node.input
        records = self.numbers(value)
        if records is None or self.present.get(condition) != Present(value):
            return None
        fills = self.constants(other, len(records))
        return None if fills is None else filled_with(records, fills)

    def gather(self, node: Any) -> list[Record] | None:
        """Some of the columns."""
        records = self.values.get(node.input[0])
        axis = self.reader.settings(node).get("axis", 0) if node.op_type == "Gather" else 1
        if records is None or axis not in (1, -1) or not self.reader.is_constant(node.input[1]):
            return None
        places = self.reader.constant(node.input[1])
        if places.dtype.kind not in "iu" or places.ndim > 2 or places.shape[:-1] not in ((), (1,)) or not places.size:
            return None
        return [records[place] for place in places.reshape(-1).tolist()]

    def beside(self, node: Any) -> list[Record] | None:
        """Columns side by side."""
        axis = self.reader.settings(node).get("axis", 1)
        if axis not in (1, -1) or any(name not in self.values for name in node.input):
            return None
        self.reader.count(sum(len(self.values[name]) for name in node.input))
        return [record for name in node.input for record in self.values[name]]

    def one_hot(self, node: Any) -> list[Record] | None:
        """One column for each category of words."""
        given, texts = self.reader.settings(node), self.texts(node.input[0])
        words = text_in(given.get("cats_strings", ()))
        if texts is None or len(texts) != 1 or not words or "" in words:
            return None
        return list(one_hot_of(texts[0], words))

    def codes(self, node: Any) -> list[Record] | None:
        """A number for each word; an empty text is a gap, which has the number of what fills it."""
        given, texts = self.reader.settings(node), self.texts(node.input[0])
        words = text_in(given.get("keys_strings", ()))
        numbers = given.get("values_int64s") or given.get("values_floats") or ()
        if texts is None or not words or len(words) != len(numbers):
            return None
        rest = given.get("default_int64", -1) if given.get("values_int64s") else given.get("default_float", -0.0)
        values = {word: float(number) for word, number in zip(words, numbers, strict=True)}
        gap = values.pop("", None)
        fill = next((word for word, number in values.items() if number == gap), None)
        if gap is not None and fill is None:
            return None
        return [Coded(text.name, tuple(values), values, float(rest), fill) for text in texts]

    # -- trying it -------------------------------------------------------------------------------

    def given(self, columns: Columns, rows: Rows) -> tuple[dict[str, Array], Rows]:
        """Rows as the inputs of the file take them, and what these are for the network."""
        table: dict[str, Array] = dict(
            zip((c.name for c in columns.words), words_of(columns, rows.codes).T, strict=True)
        )
        numbers = rows.numbers.copy()
        places = {column.name: index for index, column in enumerate(columns.numbers)}
        inputs = {}
        for value in self.reader.inputs:
            dtype = TYPES[value.type.tensor_type.elem_type]
            made = np.full((len(rows), len(self.values[value.name])), "" if dtype is object else 0, dtype=dtype)
            for i, record in enumerate(self.values[value.name]):
                if record.name in places:
                    made[:, i] = numbers[:, places[record.name]]
                    numbers[:, places[record.name]] = made[:, i]  # in the precision of the input
                elif record.name in table:
                    made[:, i] = table[record.name]
            inputs[value.name] = made
        return inputs, Rows(numbers, rows.codes, columns.features(numbers, rows.codes).astype(rows.X.dtype))

    @property
    def is_single(self) -> bool:
        """Whether some of the columns are computed with in single precision: a Scaler knows no other."""
        kinds = {value.type.tensor_type.elem_type for value in self.reader.inputs}
        return 1 in kinds or any(node.op_type == "Scaler" for node in self.taken)


def spread(values: Sequence[float], count: int) -> list[float]:
    """A number for each of some columns, where one may stand for all."""
    if len(values) not in (1, count):
        raise ValueError(f"{len(values)} numbers for {count} columns")
    return [float(value) for value in (values if len(values) == count else [values[0]] * count)]


def filled_with(records: Sequence[Feature], fills: Sequence[float]) -> list[Record] | None:
    """Columns of numbers with their gaps filled; a NaN fills nothing."""
    if not all(isinstance(record, NumberColumn) for record in records):
        return None
    return [record if np.isnan(fill) else record.filled(fill)  # type: ignore[union-attr]
            for record, fill in zip(records, fills, strict=True)]  # fmt: skip


def text_in(values: Sequence[bytes]) -> list[str]:
    """Texts of a file; refuse what is no text, and what comes twice."""
    words = [value.decode() for value in values]
    if len(set(words)) < len(words):
        raise ValueError("a word comes twice")
    return words


FOLLOWED: Mapping[str, Callable[[Table, Any], list[Record] | Present | None]] = {
    **dict.fromkeys(SAME, Table.same), **dict.fromkeys(("Sub", "Div", "Mul", "Add"), Table.arithmetic),
    "Scaler": Table.scaler, "Imputer": Table.imputer, "Equal": Table.equal, "Where": Table.where,
    "Gather": Table.gather, "ArrayFeatureExtractor": Table.gather, "Concat": Table.beside,
    "OneHotEncoder": Table.one_hot, "LabelEncoder": Table.codes,
}  # fmt: skip
