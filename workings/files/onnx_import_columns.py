"""Read the preprocessing at the beginning of an ONNX graph, from a table's columns to the first layer.

Supported are Scaler, Imputer, OneHotEncoder and LabelEncoder, as scikit-learn's exporter writes them, and
equivalent arithmetic, as other exporters and this library write it.  Each value of the graph is described by
a list of feature records (``files/encoded_features.py``), one per column, and each operator is applied to the
records.  The preprocessing ends at the first other operator, where the network must begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from workings.errors import FileError
from workings.files.encoded_features import EncodedFeature, Feature, GapFeature, NumericFeature, TextFeature, one_hot_of
from workings.files.verification import GeneratedRows, category_texts
from workings.support.arrays import Array
from workings.tables.columns import Columns, NumberColumn

if TYPE_CHECKING:
    from onnx import NodeProto, ValueInfoProto


TYPES: dict[int, type[Any]] = {
    1: np.float32,
    11: np.float64,
    6: np.int32,
    7: np.int64,
    8: object,
}  # ONNX type of inputs
TEXT, MOST_COLUMNS = 8, 100_000
MAX_LAYER_NODES = 4
DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
IDENTITY_OPERATORS = ("Identity", "Cast", "Flatten", "Reshape")  # operators that do not change columns
Record = Feature | TextFeature


@dataclass(frozen=True)
class NonMissing:
    """The mask of non-missing entries of a value, for a following Where operator."""

    value: str


@dataclass(frozen=True)
class KnownText:
    """The mask of the known categories of a column, for a following Where operator."""

    column: str


Mask = NonMissing | KnownText


class GraphReader(Protocol):
    """Interface to the graph of a file: its inputs, operators and constants."""

    source: str

    inputs: list[ValueInfoProto]

    def nodes_after_inputs(self) -> Iterator[NodeProto]:
        """Yield the operators that depend on the inputs, in order."""

    def starts_layer(self, nodes: list[NodeProto], name: str) -> bool:
        """Return whether the first of some operators starts a layer whose input is ``name``."""

    def names_of(self, name: str, count: int) -> list[str]:
        """Return the column names of an input."""

    def settings(self, node: NodeProto) -> dict[str, Any]:
        """Return the attributes of an operator."""

    def is_constant(self, name: str) -> bool:
        """Return whether a name refers to a constant."""

    def constant(self, name: str) -> Array:
        """Return a constant of the file."""

    def count(self, numbers: int) -> None:
        """Count numbers that are expanded from the file; raise if a small file expands to too many."""


@dataclass
class ColumnReader:
    """Reads a graph's preprocessing, from the inputs to the first layer.

    Attributes
    ----------
    reader : GraphReader
        The graph of the file.
    values : mapping of str to list of records
        The feature records of each value of the graph.
    nodes_read : list of nodes
        The operators that were read.
    end : str
        The input of the first layer.
    """

    reader: GraphReader
    values: dict[str, list[Record]] = field(default_factory=dict)
    masks: dict[str, Mask] = field(default_factory=dict)
    nodes_read: list[NodeProto] = field(default_factory=list)
    end: str = ""

    def read(self) -> bool:
        """Read the operators up to the first layer; return whether all inputs reach it as numbers."""
        self.values = {value.name: list(self.columns_in(value)) for value in self.reader.inputs}
        nodes = list(self.reader.nodes_after_inputs())
        for place, node in enumerate(nodes):
            if self.reader.starts_layer(nodes[place : place + MAX_LAYER_NODES], node.input[0]):
                self.end = node.input[0]
                return self.features(self.end) is not None and self.uses_all_inputs(nodes[: place + 1])
            if not self.step(node):
                return False
            self.nodes_read.append(node)
        return False

    def uses_all_inputs(self, nodes: list[NodeProto]) -> bool:
        """Return whether some operators use all inputs of the graph."""
        return {value.name for value in self.reader.inputs} <= {name for node in nodes for name in node.input}

    def columns_in(self, value: ValueInfoProto) -> list[Record]:
        """Return the records of an input: its unchanged columns, with the names from the file."""
        kind, dims = value.type.tensor_type.elem_type, value.type.tensor_type.shape.dim
        if kind not in TYPES or len(dims) != 2 or not 0 < dims[1].dim_value <= MOST_COLUMNS:
            raise FileError(
                f"{self.reader.source}: the input {value.name!r} should be a table of numbers or of words, with 1 to "
                f"{MOST_COLUMNS:,} columns."
            )
        names = self.reader.names_of(value.name, dims[1].dim_value)
        return [TextFeature(name) if kind == TEXT else NumberColumn(name) for name in names]

    def step(self, node: NodeProto) -> bool:
        """Read one operator; return whether it is supported."""
        if node.domain not in DOMAINS or len(node.output) != 1:
            return False
        follow = COLUMN_OPERATORS.get(node.op_type)
        records = None if follow is None else follow(self, node)
        if isinstance(records, Mask):
            self.masks[node.output[0]] = records
        elif records is not None:
            self.reader.count(
                sum(len(record.values) if isinstance(record, EncodedFeature) else 1 for record in records)
            )
            self.values[node.output[0]] = records
        return records is not None

    # -- operators -----------------------------------------------------------------------

    def numbers(self, name: str) -> list[NumericFeature] | None:
        """Return the records of a value if all are numbers or encoded categories, else None."""
        found = [record for record in self.values.get(name, ()) if isinstance(record, NumberColumn | EncodedFeature)]
        return found if found and len(found) == len(self.values[name]) else None

    def features(self, name: str) -> list[Feature] | None:
        """Return the records of a value if none is text without an encoding, else None."""
        found = [record for record in self.values.get(name, ()) if not isinstance(record, TextFeature)]
        return found if found and len(found) == len(self.values[name]) else None

    def texts(self, name: str) -> list[TextFeature] | None:
        """Return the records of a value if all are text, else None."""
        found = [record for record in self.values.get(name, ()) if isinstance(record, TextFeature)]
        return found if found and len(found) == len(self.values[name]) else None

    def constants(self, name: str, count: int) -> list[float] | None:
        """Return a constant as one number per column; None if it is not one."""
        if not self.reader.is_constant(name):
            return None
        values = self.reader.constant(name)
        if values.dtype.kind not in "fiu" or values.size not in (1, count) or values.shape[:-1] not in ((), (1,)):
            return None
        return [float(value) for value in np.broadcast_to(values.reshape(-1), count)]

    def pass_through(self, node: NodeProto) -> list[Record] | None:
        """Read an operator that does not change columns."""
        records = self.values.get(node.input[0])
        if records is None or (node.op_type == "Cast" and not self.casts_to_numbers(node)):
            return None
        if node.op_type == "Reshape":
            shape = self.reader.constant(node.input[1]).reshape(-1).tolist()
            return records if shape in ([-1, len(records)], [0, len(records)]) else None
        return records if node.op_type != "Flatten" or self.reader.settings(node).get("axis", 1) == 1 else None

    def casts_to_numbers(self, node: NodeProto) -> bool:
        """Return whether a Cast preserves the numbers: to floats, or booleans to integers."""
        to, records = self.reader.settings(node).get("to"), self.values[node.input[0]]
        return to in (1, 11) or (to in (6, 7) and all(isinstance(record, EncodedFeature) for record in records))

    def arithmetic(self, node: NodeProto) -> list[Record] | None:
        """Read a Sub, Div, Mul or Add with a constant per column."""
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

    def scaler(self, node: NodeProto) -> list[Record] | None:
        """Read a Scaler: (x - offset) * scale."""
        given, records = self.reader.settings(node), self.numbers(node.input[0])
        if records is None:
            return None
        offsets, scales = (
            broadcast(given.get(name, [usual]), len(records)) for name, usual in (("offset", 0), ("scale", 1))
        )
        return [
            record.scaled(offset, 1 / scale) for record, offset, scale in zip(records, offsets, scales, strict=True)
        ]

    def imputer(self, node: NodeProto) -> list[Record] | None:
        """Read an Imputer for NaN."""
        given, records = self.reader.settings(node), self.numbers(node.input[0])
        values = given.get("imputed_value_floats")
        if records is None or not values or not np.isnan(given.get("replaced_value_float", 0.0)):
            return None
        return filled_with(records, broadcast(values, len(records)))

    def equal(self, node: NodeProto) -> list[Record] | NonMissing | None:
        """Read x == x, which is false for NaN, or a comparison with category codes."""
        if node.input[0] == node.input[1]:
            return NonMissing(node.input[0]) if self.numbers(node.input[0]) else None
        records = self.values.get(node.input[0], [])
        if (
            len(records) != 1
            or not isinstance(records[0], EncodedFeature)
            or not self.reader.is_constant(node.input[1])
        ):
            return None
        numbers = self.reader.constant(node.input[1])
        if numbers.dtype.kind not in "iuf" or numbers.ndim > 2 or numbers.shape[:-1] not in ((), (1,)):
            return None
        return list(records[0].indicators(numbers.reshape(-1).tolist()))

    def where(self, node: NodeProto) -> list[Record] | None:
        """Read a Where that fills or marks missing values, after x == x, or that makes unknown categories NaN."""
        condition, value, other = node.input
        records, mask = self.numbers(value), self.masks.get(condition)
        if records is None and isinstance(mask, NonMissing):
            return self.gap_features(mask, value, other)
        fills = None if records is None else self.constants(other, len(records))
        if records is None or fills is None or mask is None:
            return None
        if mask == NonMissing(value):
            return filled_with(records, fills)
        are_encoded = all(isinstance(record, EncodedFeature) for record in records)
        is_of_column = are_encoded and all(mask == KnownText(record.name) for record in records)
        return list(records) if is_of_column and np.isnan(fills).all() else None

    def gap_features(self, mask: NonMissing, present: str, absent: str) -> list[Record] | None:
        """Read a Where that is 0 where a value is present, and 1 where it is missing."""
        records = self.numbers(mask.value) or []
        values = self.constants(present, len(records)), self.constants(absent, len(records))
        is_indicator = values == ([0.0] * len(records), [1.0] * len(records))
        are_raw = all(isinstance(record, NumberColumn) for record in records)
        return [GapFeature(record.name) for record in records] if is_indicator and are_raw else None

    def at_least(self, node: NodeProto) -> KnownText | None:
        """Read a comparison that is true for the codes of a column's known categories, and false for others."""
        records, numbers = self.numbers(node.input[0]), self.constants(node.input[1], 1)
        if records is None or numbers is None or len(records) != 1 or not isinstance(records[0], EncodedFeature):
            return None
        code = records[0]
        is_mask = code.rest < numbers[0] <= min(code.values.values()) and set(code.values) == set(code.words)
        return KnownText(code.name) if is_mask else None

    def gather(self, node: NodeProto) -> list[Record] | None:
        """Read a selection of columns."""
        records = self.values.get(node.input[0])
        axis = self.reader.settings(node).get("axis", 0) if node.op_type == "Gather" else 1
        if records is None or axis not in (1, -1) or not self.reader.is_constant(node.input[1]):
            return None
        places = self.reader.constant(node.input[1])
        if places.dtype.kind not in "iu" or places.ndim > 2 or places.shape[:-1] not in ((), (1,)) or not places.size:
            return None
        return [records[place] for place in places.reshape(-1).tolist()]

    def concatenate(self, node: NodeProto) -> list[Record] | None:
        """Read a concatenation of columns."""
        axis = self.reader.settings(node).get("axis", 1)
        if axis not in (1, -1) or any(name not in self.values for name in node.input):
            return None
        self.reader.count(sum(len(self.values[name]) for name in node.input))
        return [record for name in node.input for record in self.values[name]]

    def one_hot(self, node: NodeProto) -> list[Record] | None:
        """Read a OneHotEncoder for text."""
        given, texts = self.reader.settings(node), self.texts(node.input[0])
        words = unique_texts(given.get("cats_strings", ()))
        if texts is None or len(texts) != 1 or not words or "" in words:
            return None
        return list(one_hot_of(texts[0], words))

    def label_encoder(self, node: NodeProto) -> list[Record] | None:
        """Read a LabelEncoder from text to numbers; empty text is a missing value, encoded like its fill category."""
        given, texts = self.reader.settings(node), self.texts(node.input[0])
        words = unique_texts(given.get("keys_strings", ()))
        numbers = given.get("values_int64s") or given.get("values_floats") or ()
        if texts is None or not words or len(words) != len(numbers):
            return None
        rest = given.get("default_int64", -1) if given.get("values_int64s") else given.get("default_float", -0.0)
        values = {word: float(number) for word, number in zip(words, numbers, strict=True)}
        gap = values.get("")
        fill = next((word for word, number in values.items() if word and number == gap), None)
        if fill is not None:
            del values[""]  # else empty text is a category
        return [EncodedFeature(text.name, tuple(values), values, float(rest), fill) for text in texts]

    # -- verification -------------------------------------------------------------------------------

    def file_inputs(self, columns: Columns, rows: GeneratedRows) -> tuple[dict[str, Array], GeneratedRows]:
        """Return rows as inputs of the file, and the same rows as the network gets them after rounding."""
        table: dict[str, Array] = dict(
            zip((c.name for c in columns.words), category_texts(columns, rows.codes).T, strict=True)
        )
        numbers = rows.numbers.copy()
        places = {column.name: index for index, column in enumerate(columns.numbers)}
        inputs = {}
        for value in self.reader.inputs:
            dtype = TYPES[value.type.tensor_type.elem_type]
            made = np.full((len(rows), len(self.values[value.name])), "" if dtype is object else 0, dtype=dtype)
            for i, record in enumerate(self.values[value.name]):
                if record.name in places:
                    with np.errstate(over="ignore"):  # a damaged file may state any scale
                        made[:, i] = numbers[:, places[record.name]]
                    numbers[:, places[record.name]] = made[:, i]  # round to the precision of the input
                elif record.name in table:
                    made[:, i] = table[record.name]
            inputs[value.name] = made
        return inputs, GeneratedRows(numbers, rows.codes, columns.features(numbers, rows.codes).astype(rows.X.dtype))

    @property
    def uses_float32(self) -> bool:
        """Whether some columns are computed in float32: always with a Scaler."""
        kinds = {value.type.tensor_type.elem_type for value in self.reader.inputs}
        return 1 in kinds or any(node.op_type == "Scaler" for node in self.nodes_read)


def broadcast(values: Sequence[float], count: int) -> list[float]:
    """Return one number per column; a single number is repeated."""
    if len(values) not in (1, count):
        raise ValueError(f"{len(values)} numbers for {count} columns")
    return [float(value) for value in (values if len(values) == count else [values[0]] * count)]


def filled_with(records: Sequence[NumericFeature], fills: Sequence[float]) -> list[Record] | None:
    """Fill missing values of numeric columns; NaN means no fill."""
    if not all(isinstance(record, NumberColumn) for record in records):
        return None
    return [
        record if np.isnan(fill) else record.filled(fill)  # type: ignore[union-attr]
        for record, fill in zip(records, fills, strict=True)
    ]


def unique_texts(values: Sequence[bytes]) -> list[str]:
    """Decode texts of a file; raise for invalid text and duplicates."""
    words = [value.decode() for value in values]
    if len(set(words)) < len(words):
        raise ValueError("a word comes twice")
    return words


COLUMN_OPERATORS: Mapping[str, Callable[[ColumnReader, NodeProto], list[Record] | Mask | None]] = {
    **dict.fromkeys(IDENTITY_OPERATORS, ColumnReader.pass_through),
    **dict.fromkeys(("Sub", "Div", "Mul", "Add"), ColumnReader.arithmetic),
    "Scaler": ColumnReader.scaler,
    "Imputer": ColumnReader.imputer,
    "Equal": ColumnReader.equal,
    "GreaterOrEqual": ColumnReader.at_least,
    "Where": ColumnReader.where,
    "Gather": ColumnReader.gather,
    "ArrayFeatureExtractor": ColumnReader.gather,
    "Concat": ColumnReader.concatenate,
    "OneHotEncoder": ColumnReader.one_hot,
    "LabelEncoder": ColumnReader.label_encoder,
}
