"""Import ONNX graphs that this or another library exported.

The graph is followed from its input.  Gemm, MatMul with Add, and BatchNormalization become layers.  Operators
between two layers must form an activation, as a single operator or as an equivalent sequence that some
exporters write.  Operators before the first layer may be a table's preprocessing (``onnx_import_columns.py``).
Operators after the last layer compute labels; only their label names are read.  Finally, the imported
operators are run by the reference implementation of the package onnx and compared with the network.  Nothing
else in a file is run, and no other file is opened.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workings.activations import ACTIVATIONS
from workings.errors import FileError, MissingExtraError, WorkingsError
from workings.files.assembling import NetworkAssembler, check_agreement_on
from workings.files.encoded_features import Feature, features_of, with_preprocessing
from workings.files.onnx_import_columns import COLUMN_OPERATORS, ColumnReader
from workings.files.onnx_nodes import NodeWriter, OnnxGraph, Tensor
from workings.files.safetensors import MOST_LAYERS
from workings.files.verification import GeneratedRows, generated_rows, largest_difference
from workings.layers import Dense
from workings.losses import BinaryCrossEntropy, CrossEntropy, Loss, Poisson, SquaredError
from workings.model.model import Model
from workings.program.step import inference_program
from workings.support.arrays import Array
from workings.support.atomic_files import as_path
from workings.support.keywords import checked_keywords
from workings.tables.columns import Columns, NumberColumn, columns_in

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

    from workings.program.program import Program


MOST_BYTES = 500_000_000  # limit on the file size
MOST_NODES = 10_000
MIN_NUMBERS = 10_000  # numbers that may always be expanded from a file
FLOATS = {1: np.float32, 11: np.float64}  # ONNX's numbers of the types
TENSOR_TYPES = {*FLOATS, 6, 7, 8, 9}  # floats, int32, int64, text, booleans
LAYERS = ("Gemm", "MatMul", "BatchNormalization")
BATCH_NORM_OPERATORS = ("Sub", "Div", "Mul", "Add")  # how this library exports a BatchNorm
PASS_THROUGH = ("Identity", "Cast", "Dropout", "Flatten")  # no effect on predictions
# Operators that convert outputs to labels or reshape them.
OUTPUT_OPERATORS = {
    "ArgMax", "ArrayFeatureExtractor", "Cast", "Concat", "Equal", "Gather", "Greater", "GreaterOrEqual", "Identity",
    "LabelEncoder", "Less", "Not", "Reshape", "Squeeze", "Sub", "Unsqueeze", "Where", "ZipMap",
}  # fmt: skip
REASON = "imported from an ONNX file"
Found = tuple[str, Mapping[str, float]]


@checked_keywords
def load(path: str | Path, *, loss: str | Loss | None = None, classes: Iterable[object] | None = None) -> Model:
    """Import an ONNX file as a network.

    Parameters
    ----------
    path : path
        A graph of Gemm, MatMul, Add, BatchNormalization and activations.  It may start
        with preprocessing of a table's columns: filling, scaling and one-hot encoding.
    loss : Loss or None
        By default the loss that belongs to the last activation: CrossEntropy for Softmax, BinaryCrossEntropy
        for Sigmoid, SquaredError for any other.
    classes : list or None
        The labels of the outputs; by default those in the file.

    Raises
    ------
    FileError
        For a file that is missing, damaged or too large, and for an unsupported graph; the message names the
        operator.
    MissingExtraError
        If the package onnx is not installed.
    """
    path = as_path(path)
    model = parse_onnx(path)
    with errors_as_file_error(path):
        reader = OnnxReader(model, str(path), most=path.stat().st_size)
        reader.read()
        labels = classes if classes is not None else reader.labels()
        network = reader.assembler.network(loss)
        if labels is not None and network.targets.has_labels:
            network = reader.assembler.network(loss, labels)
        bare = reader.assembler.network("SquaredError") if reader.lacks_link(network) else network
        reader.check(reader.with_preprocessing(bare))
        return reader.with_preprocessing(network)


def parse_onnx(path: Path) -> ModelProto:
    """Parse a file; raise unless it is an ONNX model."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("onnx", "onnx") from error
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FileError(f"{path} has {path.stat().st_size:,} bytes; at most {MOST_BYTES:,} are read.")
        content = path.read_bytes()
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror or error}.") from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # a damaged file can raise any exception
        raise FileError(f"{path} is not an ONNX file, or is truncated.") from error
    if not model.graph.node:
        raise FileError(f"{path} is not an ONNX file, or has no operators.")
    return model


@contextmanager
def errors_as_file_error(path: Path) -> Iterator[None]:
    """Convert any error that an invalid or unsupported graph causes to a FileError."""
    wrong = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, MemoryError, RuntimeError)
    try:
        yield
    except FileError:
        raise
    except WorkingsError as error:
        raise FileError(f"{path} is an ONNX file, but cannot be imported: {error}") from error
    except wrong as error:
        raise FileError(f"{path} is an ONNX file, but inconsistent: {str(error)[:200]}") from error


@dataclass
class OnnxReader:
    """Reads one graph.

    Attributes
    ----------
    model : ModelProto
    source : str
        The file, for messages.
    most, used : int
        The limit on numbers expanded from the file's arrays, and their count so far.  An array may be used
        several times, but a small file must not expand to a large network.
    current : str
        The value up to which the graph has been read.
    table : ColumnReader or None
        The preprocessing before the network.
    scale : (mean, std) or None
        Converts predictions to the target's original unit.
    nodes_read : list of nodes
        The imported operators.
    remaining_nodes : list of nodes
        The operators after the network.
    """

    model: ModelProto
    source: str
    most: int = 0
    used: int = 0
    current: str = ""
    table: ColumnReader | None = None
    scale: tuple[float, float] | None = None
    nodes_read: list[NodeProto] = field(default_factory=list)
    remaining_nodes: list[NodeProto] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.assembler, self.graph = NetworkAssembler(self.source), self.model.graph
        if len(self.graph.node) > MOST_NODES:
            raise FileError(f"{self.source} has {len(self.graph.node):,} operators; at most {MOST_NODES:,} are read.")
        self.tensors = {tensor.name: tensor for tensor in self.graph.initializer}
        for node in self.graph.node:
            if node.op_type == "Constant":
                self.tensors.update((node.output[0], a.t) for a in node.attribute if a.name == "value")
        self.renamed = {
            node.output[0]: node.input[0]
            for node in self.graph.node
            if node.op_type == "Identity" and node.input[0] in self.tensors
        }
        self.producers = {name: node for node in self.graph.node for name in node.output}
        self.inputs = [value for value in self.graph.input if value.name not in self.tensors]

    # -- following the graph -----------------------------------------------------------------

    def read(self) -> None:
        """Read the operators in order, from the inputs to the outputs."""
        self.current = self.find_start()
        nodes = list(reachable(self.graph.node, self.current))
        while nodes:
            node = nodes[0]
            if node.op_type in PASS_THROUGH and node.input[0] == self.current:
                count = self.pass_through(node)
            elif node.op_type in LAYERS or self.starts_batch_norm(nodes, self.current):
                count = self.layer(nodes)
            else:
                count = self.activation(nodes)
            if not count:
                break
            self.nodes_read += nodes[:count]
            self.current = nodes[count - 1].output[0]
            nodes = nodes[count:]
        nodes = nodes[self.read_target_scale(nodes) :]
        self.remaining_nodes = nodes
        if {node.op_type for node in nodes} - OUTPUT_OPERATORS:
            others = sorted({node.op_type for node in nodes} - OUTPUT_OPERATORS - {nodes[0].op_type})
            raise FileError(
                f"{self.source} has {', '.join([nodes[0].op_type, *others])}, where a layer or an activation is "
                f"expected."
            )

    def find_start(self) -> str:
        """Return the input of the first layer: the only input of the graph, or the result of preprocessing."""
        if len(self.inputs) == 1:
            name = str(self.inputs[0].name)
            nodes = itertools.dropwhile(lambda node: node.op_type in PASS_THROUGH, reachable(self.graph.node, name))
            first = next(nodes, None)
            if first is None or first.op_type in LAYERS or first.op_type not in COLUMN_OPERATORS:
                return name
        table = ColumnReader(self)
        if table.read():
            self.table, self.nodes_read = table, table.nodes_read
            return table.end
        if len(self.inputs) == 1:
            return str(self.inputs[0].name)
        raise FileError(
            f"{self.source} takes {len(self.inputs)} inputs; supported are one of shape (n, columns), or the "
            f"columns of a table, which are filled, scaled and one-hot encoded."
        )

    def nodes_after_inputs(self) -> Iterator[NodeProto]:
        """Return the operators that depend on the inputs."""
        return reachable(self.graph.node, *(value.name for value in self.inputs))

    def starts_layer(self, nodes: list[NodeProto], name: str) -> bool:
        """Return whether the first of some operators starts a layer whose input is ``name``."""
        node = nodes[0]
        return (node.op_type in LAYERS and node.input[0] == name) or self.starts_batch_norm(nodes, name)

    def starts_batch_norm(self, nodes: list[NodeProto], name: str) -> bool:
        """Return whether some operators start with a BatchNorm in the form that this library exports."""
        four = nodes[: len(BATCH_NORM_OPERATORS)]
        if tuple(node.op_type for node in four) != BATCH_NORM_OPERATORS or four[0].input[0] != name:
            return False
        root = self.producers.get(four[1].input[1])
        inner = self.producers.get(root.input[0]) if root is not None and root.op_type == "Sqrt" else None
        return inner is not None and inner.op_type == "Add" and all(map(self.is_constant, inner.input))

    def batch_norm(self, nodes: list[NodeProto], what: str) -> int:
        """Read a BatchNorm of four operators, and two that compute its divisor."""
        less, divided, times, more = nodes[: len(BATCH_NORM_OPERATORS)]
        root = self.producers[divided.input[1]]
        inner = self.producers[root.input[0]]
        given = [less.output[0], divided.output[0], times.output[0]]
        known = [
            next((name for name in node.input if name != before), "")
            for node, before in zip((divided, times, more), given, strict=True)
        ]
        if [divided.input[0], known[0]] != [given[0], root.output[0]] or given[1] not in times.input:
            raise FileError(f"{self.source}: {what} is inconsistent.")
        mean, gamma, beta = (self.constant(name) for name in (less.input[1], known[1], known[2]))
        variance, eps = sorted(map(self.constant, inner.input), key=lambda array: -array.size)
        arrays = {"gamma": gamma, "beta": beta, "running_mean": mean, "running_variance": variance}
        usual = shortest_float(eps.item()) if eps.dtype == np.float32 else eps.item()
        self.assembler.add_batch_norm(arrays, momentum=0.1, eps=usual, what=what)
        self.nodes_read += [inner, root]
        return len(BATCH_NORM_OPERATORS)

    def read_target_scale(self, nodes: list[NodeProto]) -> int:
        """Read the scaling to the target's original unit, p * std + mean; return the number of operators."""
        start = int(bool(nodes) and nodes[0].op_type == "Cast" and self.pass_through(nodes[0]))
        following = nodes[start : start + 2]
        if self.assembler.link or tuple(node.op_type for node in following) != ("Mul", "Add"):
            return 0
        current, numbers = nodes[0].output[0] if start else self.current, []
        for node in following:
            other = next((name for name in node.input if name != current), "")
            if current not in node.input or not self.is_constant(other) or self.constant(other).size != 1:
                return 0
            numbers.append(float(self.constant(other).reshape(())))
            current = node.output[0]
        self.scale = (numbers[1], numbers[0])
        self.nodes_read += nodes[: start + 2]
        self.current = current
        return start + 2

    def count(self, numbers: int) -> None:
        """Count numbers that are expanded from the file; raise if a small file expands to too many."""
        self.used += numbers
        if self.used > max(self.most, MIN_NUMBERS):
            raise FileError(f"{self.source} expands to too many numbers: {self.used:,}.")

    def settings(self, node: NodeProto) -> dict[str, Any]:
        """Return the attributes of an operator."""
        return attributes(node)

    def constant(self, name: str) -> Array:
        """Return a constant of the file."""
        from onnx import TensorProto, numpy_helper

        name = self.renamed.get(name, name)
        if name not in self.tensors:
            raise FileError(f"{self.source}: {name!r} must be an array stored in the file.")
        tensor = self.tensors[name]
        if tensor.data_location == TensorProto.EXTERNAL:
            raise FileError(f"{self.source} stores {name!r} in another file, which is not opened.")
        if tensor.data_type not in TENSOR_TYPES:
            raise FileError(f"{self.source}: {name!r} has the type {tensor.data_type}, which is not supported.")
        if any(size < 0 for size in tensor.dims):
            raise FileError(f"{self.source}: {name!r} has the shape {tuple(tensor.dims)}.")
        array: Array = numpy_helper.to_array(tensor)
        self.count(array.size)
        return array

    def is_constant(self, name: str) -> bool:
        """Return whether a name refers to a constant."""
        return self.renamed.get(name, name) in self.tensors

    def pass_through(self, node: NodeProto) -> int:
        """Read an operator without effect on predictions; return the number of operators, 1 or 0."""
        if node.op_type == "Cast" and attributes(node).get("to") not in FLOATS:
            return 0
        if node.op_type == "Flatten" and attributes(node).get("axis", 1) != 1:
            return 0
        return 1

    def layer(self, nodes: list[NodeProto]) -> int:
        """Read a layer; return the number of operators."""
        node = nodes[0]
        if len(self.assembler.layers) >= MOST_LAYERS:
            raise FileError(f"{self.source} has more than {MOST_LAYERS:,} layers.")
        what = f"{node.op_type} {node.name!r}"
        if node.input[0] != self.current or node.domain not in ("", "ai.onnx"):
            raise FileError(f"{self.source}: {what} does not read the result of the operator before it.")
        if node.op_type == "Gemm":
            return self.gemm(node, what)
        if node.op_type in BATCH_NORM_OPERATORS:
            return self.batch_norm(nodes, what)
        if node.op_type == "BatchNormalization":
            letters = ("gamma", "beta", "running_mean", "running_variance")
            arrays = {letter: self.constant(name) for letter, name in zip(letters, node.input[1:], strict=True)}
            eps = attributes(node).get("epsilon", 1e-5)
            self.assembler.add_batch_norm(arrays, momentum=0.1, eps=eps, what=what)
            return 1
        self.assembler.add_dense(self.constant(node.input[1]), None, what)
        return 1 + self.add_bias(nodes[1:2], node)

    def gemm(self, node: NodeProto, what: str) -> int:
        """Read a Gemm: alpha X W + beta b."""
        given = attributes(node)
        if given.get("transA", 0):
            raise FileError(f"{self.source}: {what} transposes its input.")
        W = self.constant(node.input[1])
        W = W * np.array(given.get("alpha", 1.0), W.dtype)
        W = W.T if given.get("transB", 0) else W
        b = None
        if len(node.input) > 2 and node.input[2]:
            b = self.constant(node.input[2]) * np.array(given.get("beta", 1.0), W.dtype)
            b = self.bias_vector(b, W.shape[-1])
        self.assembler.add_dense(W, b, what)
        return 1

    def bias_vector(self, b: Array, units: int) -> Array:
        """Return biases in shape (units,), from any shape in the file."""
        if b.size not in (1, units) or b.shape[:-1] not in ((), (1,)):
            raise FileError(f"{self.source} adds an array of shape {b.shape} to a layer of {units} units.")
        return np.full(units, b.reshape(-1)[0], b.dtype) if b.size == 1 else b.reshape(units)

    def add_bias(self, following: list[NodeProto], product: NodeProto) -> int:
        """Read the biases of a product from a following Add, if there is one; return the number of operators."""
        if not following or following[0].op_type != "Add" or product.output[0] not in following[0].input:
            return 0
        other = next((name for name in following[0].input if name != product.output[0]), "")
        if not self.is_constant(other):
            return 0
        self.assembler.add_bias(
            self.bias_vector(self.constant(other), self.assembler.width or 1), f"Add {following[0].name!r}"
        )
        return 1

    def activation(self, nodes: list[NodeProto]) -> int:
        """Read an activation; return the number of operators, 0 if there is none."""
        kinds = tuple(node.op_type for node in nodes[: longest_pattern()])
        for length in range(len(kinds), 0, -1):
            found = patterns().get(kinds[:length])
            if found is None or self.current not in nodes[0].input:
                continue
            meant = found(self, nodes[:length])
            if meant is not None:
                self.assembler.add_activation(meant[0], f"{' and '.join(kinds[:length])}", **meant[1])
                return length
        return 0

    # -- outputs ----------------------------------------------------------------------

    def labels(self) -> list[object] | None:
        """Return the labels of the outputs in the file; None if it has none."""
        for node in self.remaining_nodes:
            given = attributes(node)
            for key in ("classlabels_strings", "classlabels_int64s"):
                if given.get(key):
                    return [label.decode() if isinstance(label, bytes) else label for label in given[key]]
        for node in self.remaining_nodes:
            if node.op_type in ("ArrayFeatureExtractor", "Gather") and self.is_constant(node.input[0]):
                values = self.constant(node.input[0])
                return [v.decode() if isinstance(v, bytes) else v for v in values.reshape(-1).tolist()]
        return None

    def lacks_link(self, network: Model) -> bool:
        """Return whether the file's outputs are scores without the loss's link."""
        last = network.layers[-1]
        is_whole = bool(self.assembler.link) or last != self.assembler.layers[-1]
        return type(network.loss).link is not Loss.link and not is_whole

    # -- preprocessing of a table ------------------------------------------------------------------------------

    @property
    def properties(self) -> dict[str, str]:
        """The file's metadata."""
        return {entry.key: entry.value for entry in self.model.metadata_props}

    def names_of(self, name: str, count: int) -> list[str]:
        """Return the column names of an input: from the file's metadata if their number matches, else generated."""
        names = self.properties.get(name, "").split("\n")
        if len(names) == len(set(names)) == count and all(each.strip() for each in names):
            return names
        return [name] if count == 1 else [f"{name}{index}" for index in range(count)]

    def with_preprocessing(self, network: Model) -> Model:
        """Return the network with preprocessing, if the file takes a table."""
        if self.table is None and self.scale is None:
            return network
        if self.table is None:
            names = self.names_of(self.inputs[0].name, network.n_in or 1)
            features: list[Feature] = [NumberColumn(name) for name in names]
        else:
            features = self.table.features(self.end_of_table) or []
        self.count(network.theta.size)
        target = self.properties.get("target", "").strip() or "target"
        return with_preprocessing(network, features, self.source, target=target, scale=self.scale, reason=REASON)

    @property
    def end_of_table(self) -> str:
        """The result of the preprocessing; empty without a table."""
        return self.table.end if self.table is not None else ""

    # -- verification ----------------------------------------------------------------------------

    def check(self, network: Model) -> None:
        """Compare the network with the imported operators, on generated rows.

        Raises
        ------
        InputError
            If they differ.
        """
        columns, rows, rounding = columns_in(network.preprocessing), generated_rows(network), 0.0
        if columns is None or self.table is None:
            dtype = FLOATS.get(self.inputs[0].type.tensor_type.elem_type, np.float32)
            given = {self.inputs[0].name: rows.X.astype(dtype)}
        else:
            given, rows = self.table.file_inputs(columns, rows)
            if self.table.uses_float32:
                rows, rounding = self.float32_rows(network, columns, rows, given)
        check_agreement_on(network, self.source, rows, self.outputs(given), scale=self.scale, rounding=rounding)

    def float32_rows(
        self, network: Model, columns: Columns, rows: GeneratedRows, given: dict[str, Array]
    ) -> tuple[GeneratedRows, float]:
        """Return rows with X as the file computes it in float32, and the additional tolerance for rounding.

        If categories were folded into the first layer's weights, the file's X differs from the network's.
        Then the rows are unchanged, and the tolerance is the effect of float32 rounding on the network's
        outputs.
        """
        assert self.table is not None
        if self.table.features(self.table.end) == features_of(columns):
            X = self.outputs(given, self.table.end)
            if columns.is_near(X, rows.numbers, rows.codes, np.float32):
                return replace(rows, X=X.astype(rows.X.dtype)), 0.0
            raise FileError(f"{self.source} contains preprocessing that was not recognized.")
        single = columns.features(rows.numbers, rows.codes, np.float32)
        effect = largest_difference(network.outputs(single), network.outputs(rows.X))
        return rows, max(effect, float(np.finfo(np.float32).eps))

    def outputs(self, given: dict[str, Array], name: str = "") -> Array:
        """Run the imported operators with the reference implementation of onnx; return the outputs or a named value."""
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        names = {name for node in self.nodes_read for name in node.input if self.is_constant(name)}
        fixed = [helper.make_node("Identity", [self.renamed[name]], [name]) for name in names if name in self.renamed]
        kept = {self.renamed.get(name, name) for name in names}
        tensors = [with_name(self.tensors[name], name) for name in kept]
        output = helper.make_value_info(name or self.current, helper.make_tensor_type_proto(1, None))
        graph = helper.make_graph([*fixed, *self.nodes_read], "taken", self.inputs, [output], tensors)
        model = helper.make_model(graph, opset_imports=self.model.opset_import)
        with np.errstate(all="ignore"):
            (found,) = ReferenceEvaluator(model).run(None, given)
        return np.asarray(found)


def reachable(nodes: Iterable[NodeProto], *starts: str) -> Iterator[NodeProto]:
    """Yield the operators that depend on some values."""
    live = {*starts}
    for node in nodes:
        if live & set(node.input):
            live |= set(node.output)
            yield node


def with_name(tensor: TensorProto, name: str) -> TensorProto:
    """Return a tensor with a name; the tensor of a Constant node has none."""
    from onnx import TensorProto

    known = TensorProto()
    known.CopyFrom(tensor)
    known.name = name
    return known


def attributes(node: NodeProto) -> dict[str, Any]:
    """Return the attributes of an operator."""
    from onnx import helper

    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


# -- activations -----------------------------------------------------------------------------


def simple(name: str) -> Callable[[OnnxReader, list[NodeProto]], Found]:
    """Return a reader for an activation without constants."""
    return lambda reader, nodes: (name, {})


def with_constants_from(
    name: str, usual: Mapping[str, tuple[str, float]]
) -> Callable[[OnnxReader, list[NodeProto]], Found]:
    """Return a reader for an activation whose constants are attributes: our name -> (ONNX name, default)."""

    def found(reader: OnnxReader, nodes: list[NodeProto]) -> Found:
        given = attributes(nodes[0])
        return name, {ours: shortest_float(given.get(theirs, default)) for ours, (theirs, default) in usual.items()}

    return found


def shortest_float(value: float) -> float:
    """Return the shortest decimal that rounds to a float32: 0.01, not 0.009999999776."""
    return float(str(np.float32(value)))


def selu(reader: OnnxReader, nodes: list[NodeProto]) -> Found | None:
    """Read SELU, if its constants equal ours in float32."""
    constants = ACTIVATIONS["selu"].constants
    given = attributes(nodes[0])
    same = all(
        np.float32(given.get(theirs, constants[ours])) == np.float32(constants[ours])
        for ours, theirs in (("alpha", "alpha"), ("scale", "gamma"))
    )
    return ("selu", {}) if same else None


def gelu(reader: OnnxReader, nodes: list[NodeProto]) -> Found:
    """Read GELU, exact or with the tanh approximation."""
    return ("gelu_tanh" if attributes(nodes[0]).get("approximate") == b"tanh" else "gelu"), {}


def clip(reader: OnnxReader, nodes: list[NodeProto]) -> Found | None:
    """Read Clip from -1 to 1, which is hard tanh; None for other limits."""
    node, given = nodes[0], attributes(nodes[0])
    if len(node.input) == 3 and all(map(reader.is_constant, node.input[1:])):
        low, high = (float(reader.constant(name).reshape(())) for name in node.input[1:])
    else:
        low, high = given.get("min", 0.0), given.get("max", 0.0)
    return ("hard_tanh", {}) if (low, high) == (-1.0, 1.0) else None


def softmax(reader: OnnxReader, nodes: list[NodeProto]) -> Found | None:
    """Read Softmax over the columns; None for another axis."""
    return ("softmax", {}) if attributes(nodes[0]).get("axis", -1) in (-1, 1) else None


@functools.cache
def patterns() -> dict[tuple[str, ...], Callable[[OnnxReader, list[NodeProto]], Found | None]]:
    """Return the operator sequences of activations: single operators, equivalent sequences, and our own exports."""
    as_written = {operators_of_activation(name): simple(name) for name in ACTIVATIONS if name != "identity"}
    links = {
        operators_of_link(loss): simple(name)
        for name, loss in (("softmax", CrossEntropy()), ("sigmoid", BinaryCrossEntropy()), ("exp", Poisson()))
    }
    erf = [
        ("Div", "Erf", "Add", "Mul", "Mul"),
        ("Mul", "Erf", "Add", "Mul", "Mul"),
        ("Mul", "Div", "Erf", "Add", "Mul"),
    ]
    return {
        **as_written,
        **links,
        **{kinds: simple("gelu") for kinds in erf},
        ("Relu",): simple("relu"),
        ("Tanh",): simple("tanh"),
        ("Sigmoid",): simple("sigmoid"),
        ("Softplus",): simple("softplus"),
        ("Softplus", "Greater", "Where"): simple("softplus"),
        ("Sigmoid", "Mul"): simple("silu"),
        ("Swish",): simple("silu"),
        ("Mish",): simple("mish"),
        ("Softplus", "Tanh", "Mul"): simple("mish"),
        ("Gelu",): gelu,
        ("Clip",): clip,
        ("Selu",): selu,
        ("LeakyRelu",): with_constants_from("leaky_relu", {"slope": ("alpha", 0.01)}),
        ("Elu",): with_constants_from("elu", {"alpha": ("alpha", 1.0)}),
        ("Softmax",): softmax,
    }


def longest_pattern() -> int:
    """Return the length of the longest pattern."""
    return max(map(len, patterns()))


def operators_of_activation(name: str) -> tuple[str, ...]:
    """Return the operators that this library exports for an activation."""
    program = inference_program([Dense(1, name)], SquaredError())
    return operators_after(program.needed_for("a1"), "z1")


def operators_of_link(loss: Loss) -> tuple[str, ...]:
    """Return the operators that this library exports for the link of a loss."""
    return operators_after(inference_program([Dense(2)], loss).needed_for("p"), "z1")


def operators_after(program: Program, z: str) -> tuple[str, ...]:
    """Return the operators of all statements after ``z``."""
    graph = OnnxGraph(np.float64)
    remaining_nodes = program.without(program.needed_for(z))
    NodeWriter(graph, remaining_nodes, {z: Tensor(z)}).write()
    return tuple(node.op_type for node in reachable(graph.nodes, z))
