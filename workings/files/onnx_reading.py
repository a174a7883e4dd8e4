"""Reading ONNX: a network of a graph that this library wrote, or another one.

The graph is followed from its input: Gemm, MatMul with Add, and BatchNormalization become layers, and what stands
between two of them must be an activation, as one operator or as the several that some exporters write for it.  What
comes before the first layer may be a table's preprocessing (``onnx_columns.py``).  What follows the last layer makes
labels and is only looked through for their names.  In the end the operators that were taken over are run by the
reference of the package onnx and compared with the network; nothing else in a file is run, and no other file is opened.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from workings.activations import ACTIVATIONS
from workings.errors import FileError, MissingExtraError, WorkingsError
from workings.files.assembling import Pieces, check_rows
from workings.files.features import Feature, features_of, with_table
from workings.files.onnx_columns import FOLLOWED, Table
from workings.files.onnx_nodes import Graph, Nodes, Tensor
from workings.files.safetensors import MOST_LAYERS
from workings.files.verification import Rows, generated_rows, largest_difference
from workings.layers import Dense
from workings.losses import BinaryCrossEntropy, CrossEntropy, Loss, Poisson, SquaredError
from workings.model.model import Model
from workings.program.program import inference_program
from workings.support.arrays import Array
from workings.tables.columns import Columns, NumberColumn, columns_in

MOST_BYTES = 500_000_000  # of a file that is read
MOST_NODES = 10_000
FEWEST = 10_000  # numbers that are read in any case
FLOATS = {1: np.float32, 11: np.float64}  # ONNX's numbers for the types
READ = {*FLOATS, 6, 7, 8, 9}  # floats, whole numbers of 32 and 64 bits, text, true and false
LAYERS = ("Gemm", "MatMul", "BatchNormalization")
NORM = ("Sub", "Div", "Mul", "Add")  # as which this library writes a BatchNorm
PASSING = ("Identity", "Cast", "Dropout", "Flatten")  # what changes nothing in a prediction
# What makes labels of outputs, or gives them another form.
TAIL = {
    "ArgMax", "ArrayFeatureExtractor", "Cast", "Concat", "Equal", "Gather", "Greater", "GreaterOrEqual", "Identity",
    "LabelEncoder", "Less", "Not", "Reshape", "Squeeze", "Sub", "Unsqueeze", "Where", "ZipMap",
}  # fmt: skip
REASON = "taken over from an ONNX file"
Found = tuple[str, Mapping[str, float]]


def load(path: str | Path, *, loss: str | Loss | None = None, classes: Any = None) -> Model:
    """Make a network of an ONNX file.

    Parameters
    ----------
    path : path
        A graph of Gemm, MatMul, Add, BatchNormalization and activations.  Before them a table's columns may be
        filled, scaled, and spread over categories.
    loss : Loss or None
        By default what the end belongs to: Softmax to CrossEntropy, Sigmoid to BinaryCrossEntropy, anything else to
        SquaredError.
    classes : list or None
        The labels behind the outputs; by default those that the file names.

    Raises
    ------
    FileError
        For a file that is missing, damaged or too large, and for a graph that is no such network; the message names
        the operator.
    MissingExtraError
        If the package onnx is not installed.
    """
    path = Path(path)
    model = parsed(path)
    with understood(path):
        reader = Reader(model, str(path), most=path.stat().st_size)
        reader.read()
        labels = classes if classes is not None else reader.labels()
        network = reader.pieces.network(loss)
        if labels is not None and network.targets.has_labels:
            network = reader.pieces.network(loss, labels)
        bare = reader.pieces.network("SquaredError") if reader.ends_bare(network) else network
        reader.check(reader.with_table(bare))
        return reader.with_table(network)


def parsed(path: Path) -> Any:
    """The content of a file, as far as it is ONNX."""
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
    except Exception as error:  # damage can surface as anything
        raise FileError(f"{path} is no ONNX file, or is cut short.") from error
    if not model.graph.node:
        raise FileError(f"{path} is no ONNX file, or has no operators.")
    return model


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Whatever a graph that is no network leads to, it is a FileError."""
    wrong = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, MemoryError, RuntimeError)
    try:
        yield
    except FileError:
        raise
    except WorkingsError as error:
        raise FileError(f"{path} is an ONNX file, but no network of ours: {error}") from error
    except wrong as error:
        raise FileError(f"{path} is an ONNX file, but does not hold together: {str(error)[:200]}") from error


@dataclass
class Reader:
    """Follows one graph.

    Attributes
    ----------
    model : ModelProto
    source : str
        The file, for messages.
    most, used : int
        How many numbers may be made of the file's arrays, and how many have been: each may be used several times,
        but a small file must not become a large network.
    current : str
        The value that has been understood so far.
    table : Table or None
        What was understood of a table's columns before the network.
    scale : (mean, std) or None
        What turns predictions into the target's own unit.
    taken : list of nodes
        The operators that were taken over.
    rest : list of nodes
        Those after the network.
    """

    model: Any
    source: str
    most: int = 0
    used: int = 0
    current: str = ""
    table: Table | None = None
    scale: tuple[float, float] | None = None
    taken: list[Any] = field(default_factory=list)
    rest: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pieces, self.graph = Pieces(self.source), self.model.graph
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
        self.makers = {name: node for node in self.graph.node for name in node.output}
        self.inputs = [value for value in self.graph.input if value.name not in self.tensors]

    # -- following the graph -----------------------------------------------------------------

    def read(self) -> None:
        """Take over one operator after the other, from the inputs on."""
        self.current = self.beginning()
        nodes = list(reached(self.graph.node, self.current))
        while nodes:
            node = nodes[0]
            if node.op_type in PASSING and node.input[0] == self.current:
                count = self.passing(node)
            elif node.op_type in LAYERS or self.is_norm(nodes, self.current):
                count = self.layer(nodes)
            else:
                count = self.activation(nodes)
            if not count:
                break
            self.taken += nodes[:count]
            self.current = nodes[count - 1].output[0]
            nodes = nodes[count:]
        nodes = nodes[self.own_unit(nodes) :]
        self.rest = nodes
        if {node.op_type for node in nodes} - TAIL:
            others = sorted({node.op_type for node in nodes} - TAIL - {nodes[0].op_type})
            raise FileError(
                f"{self.source} has {', '.join([nodes[0].op_type, *others])}, where a network here has a layer or an "
                f"activation."
            )

    def beginning(self) -> str:
        """The value at which the network begins: the one input, or what a table's columns become."""
        if len(self.inputs) == 1:
            name = str(self.inputs[0].name)
            nodes = itertools.dropwhile(lambda node: node.op_type in PASSING, reached(self.graph.node, name))
            first = next(nodes, None)
            if first is None or first.op_type in LAYERS or first.op_type not in FOLLOWED:
                return name
        table = Table(self)
        if table.read():
            self.table, self.taken = table, table.taken
            return table.end
        if len(self.inputs) == 1:
            return str(self.inputs[0].name)
        raise FileError(
            f"{self.source} takes {len(self.inputs)} inputs; a network here takes one, of shape (n, columns), or the "
            f"columns of a table, which are filled, scaled and spread over categories."
        )

    def reached_from_inputs(self) -> Iterator[Any]:
        """The operators that something of the inputs reaches."""
        return reached(self.graph.node, *(value.name for value in self.inputs))

    def begins_layer(self, nodes: list[Any], name: str) -> bool:
        """Return whether the first of some operators makes a layer of a value."""
        node = nodes[0]
        return (node.op_type in LAYERS and node.input[0] == name) or self.is_norm(nodes, name)

    def is_norm(self, nodes: list[Any], name: str) -> bool:
        """Return whether a BatchNorm begins here as this library writes it: four operators, and a Sqrt for the divisor."""
        four = nodes[: len(NORM)]
        if tuple(node.op_type for node in four) != NORM or four[0].input[0] != name:
            return False
        root = self.makers.get(four[1].input[1])
        inner = self.makers.get(root.input[0]) if root is not None and root.op_type == "Sqrt" else None
        return inner is not None and inner.op_type == "Add" and all(map(self.is_constant, inner.input))

    def norm(self, nodes: list[Any], what: str) -> int:
        """A BatchNorm of four operators, and of two that make its divisor."""
        less, divided, times, more = nodes[: len(NORM)]
        root = self.makers[divided.input[1]]
        inner = self.makers[root.input[0]]
        given = [less.output[0], divided.output[0], times.output[0]]
        known = [next((name for name in node.input if name != before), "")
                 for node, before in zip((divided, times, more), given, strict=True)]  # fmt: skip
        if [divided.input[0], known[0]] != [given[0], root.output[0]] or given[1] not in times.input:
            raise FileError(f"{self.source}: {what} does not hold together.")
        mean, gamma, beta = (self.constant(name) for name in (less.input[1], known[1], known[2]))
        variance, eps = sorted(map(self.constant, inner.input), key=lambda array: -array.size)
        arrays = {"gamma": gamma, "beta": beta, "running_mean": mean, "running_variance": variance}
        usual = short(eps.item()) if eps.dtype == np.float32 else eps.item()
        self.pieces.batch_norm(arrays, momentum=0.1, eps=usual, what=what)
        self.taken += [inner, root]
        return len(NORM)

    def own_unit(self, nodes: list[Any]) -> int:
        """What turns predictions into the target's own unit, p * std + mean; how many operators that takes."""
        start = int(bool(nodes) and nodes[0].op_type == "Cast" and self.passing(nodes[0]))
        following = nodes[start : start + 2]
        if self.pieces.link or tuple(node.op_type for node in following) != ("Mul", "Add"):
            return 0
        current, numbers = nodes[0].output[0] if start else self.current, []
        for node in following:
            other = next((name for name in node.input if name != current), "")
            if current not in node.input or not self.is_constant(other) or self.constant(other).size != 1:
                return 0
            numbers.append(float(self.constant(other).reshape(())))
            current = node.output[0]
        self.scale = (numbers[1], numbers[0])
        self.taken += nodes[: start + 2]
        self.current = current
        return start + 2

    def count(self, numbers: int) -> None:
        """Note how many numbers were made, and refuse a file that makes many of few."""
        self.used += numbers
        if self.used > max(self.most, FEWEST):
            raise FileError(f"{self.source} uses its arrays again and again, {self.used:,} numbers in all.")

    def settings(self, node: Any) -> dict[str, Any]:
        """The settings of an operator."""
        return attributes(node)

    def constant(self, name: str) -> Array:
        """A fixed array of the file."""
        from onnx import TensorProto, numpy_helper

        name = self.renamed.get(name, name)
        if name not in self.tensors:
            raise FileError(f"{self.source}: {name!r} should be an array that stands in the file.")
        tensor = self.tensors[name]
        if tensor.data_location == TensorProto.EXTERNAL:
            raise FileError(f"{self.source} keeps {name!r} in another file, which is not opened.")
        if tensor.data_type not in READ:
            raise FileError(f"{self.source}: {name!r} has the type {tensor.data_type}, which is not read.")
        if any(size < 0 for size in tensor.dims):
            raise FileError(f"{self.source}: {name!r} has the shape {tuple(tensor.dims)}.")
        array: Array = numpy_helper.to_array(tensor)
        self.count(array.size)
        return array

    def is_constant(self, name: str) -> bool:
        """Return whether a name stands for a fixed array."""
        return self.renamed.get(name, name) in self.tensors

    def passing(self, node: Any) -> int:
        """What changes nothing."""
        if node.op_type == "Cast" and attributes(node).get("to") not in FLOATS:
            return 0
        if node.op_type == "Flatten" and attributes(node).get("axis", 1) != 1:
            return 0
        return 1

    def layer(self, nodes: list[Any]) -> int:
        """A layer; give how many operators it took."""
        node = nodes[0]
        if len(self.pieces.layers) >= MOST_LAYERS:
            raise FileError(f"{self.source} has more than {MOST_LAYERS:,} layers.")
        if node.input[0] != self.current or node.domain not in ("", "ai.onnx"):
            raise FileError(f"{self.source}: {node.op_type} {node.name!r} does not follow what comes before it.")
        what = f"{node.op_type} {node.name!r}"
        if node.op_type == "Gemm":
            return self.gemm(node, what)
        if node.op_type in NORM:
            return self.norm(nodes, what)
        if node.op_type == "BatchNormalization":
            letters = ("gamma", "beta", "running_mean", "running_variance")
            arrays = {letter: self.constant(name) for letter, name in zip(letters, node.input[1:], strict=True)}
            eps = attributes(node).get("epsilon", 1e-5)
            self.pieces.batch_norm(arrays, momentum=0.1, eps=eps, what=what)
            return 1
        self.pieces.dense(self.constant(node.input[1]), None, what)
        return 1 + self.added(nodes[1:2], node)

    def gemm(self, node: Any, what: str) -> int:
        """alpha X W + beta b."""
        given = attributes(node)
        if given.get("transA", 0):
            raise FileError(f"{self.source}: {what} turns its rows into columns.")
        W = self.constant(node.input[1])
        W = W * np.array(given.get("alpha", 1.0), W.dtype)
        W = W.T if given.get("transB", 0) else W
        b = None
        if len(node.input) > 2 and node.input[2]:
            b = self.constant(node.input[2]) * np.array(given.get("beta", 1.0), W.dtype)
            b = self.spread(b, W.shape[-1])
        self.pieces.dense(W, b, what)
        return 1

    def spread(self, b: Array, units: int) -> Array:
        """Biases of shape (units,), however they stand in the file."""
        if b.size not in (1, units) or b.shape[:-1] not in ((), (1,)):
            raise FileError(f"{self.source} adds an array of shape {b.shape} to a layer of {units} units.")
        return np.full(units, b.reshape(-1)[0], b.dtype) if b.size == 1 else b.reshape(units)

    def added(self, following: list[Any], product: Any) -> int:
        """The Add that gives a product its biases, if one follows."""
        if not following or following[0].op_type != "Add" or product.output[0] not in following[0].input:
            return 0
        other = next((name for name in following[0].input if name != product.output[0]), "")
        if not self.is_constant(other):
            return 0
        self.pieces.bias(self.spread(self.constant(other), self.pieces.width or 1), f"Add {following[0].name!r}")
        return 1

    def activation(self, nodes: list[Any]) -> int:
        """An activation; give how many operators it took, 0 where there is none."""
        kinds = tuple(node.op_type for node in nodes[: longest_pattern()])
        for length in range(len(kinds), 0, -1):
            found = patterns().get(kinds[:length])
            if found is None or self.current not in nodes[0].input:
                continue
            meant = found(self, nodes[:length])
            if meant is not None:
                self.pieces.activation(meant[0], f"{' and '.join(kinds[:length])}", **meant[1])
                return length
        return 0

    # -- what comes after ----------------------------------------------------------------------

    def labels(self) -> list[Any] | None:
        """The labels that the file names for its outputs."""
        for node in self.rest:
            given = attributes(node)
            for key in ("classlabels_strings", "classlabels_int64s"):
                if given.get(key):
                    return [label.decode() if isinstance(label, bytes) else label for label in given[key]]
        for node in self.rest:
            if node.op_type in ("ArrayFeatureExtractor", "Gather") and self.is_constant(node.input[0]):
                values = self.constant(node.input[0])
                return [v.decode() if isinstance(v, bytes) else v for v in values.reshape(-1).tolist()]
        return None

    def ends_bare(self, network: Model) -> bool:
        """Return whether the file gives scores to which the loss's own link is still to be applied."""
        last = network.layers[-1]
        is_whole = bool(self.pieces.link) or last != self.pieces.layers[-1]
        return type(network.loss).link is not Loss.link and not is_whole

    # -- a table ------------------------------------------------------------------------------

    @property
    def properties(self) -> dict[str, str]:
        """What the file says about itself."""
        return {entry.key: entry.value for entry in self.model.metadata_props}

    def names_of(self, name: str, count: int) -> list[str]:
        """The names of the columns of an input: those in the file's metadata, if they are as many."""
        names = self.properties.get(name, "").split("\n")
        if len(names) == len(set(names)) == count and all(each.strip() for each in names):
            return names
        return [name] if count == 1 else [f"{name}{index}" for index in range(count)]

    def with_table(self, network: Model) -> Model:
        """The network with the columns of the table before it, if the file takes a table."""
        if self.table is None and self.scale is None:
            return network
        if self.table is None:
            names = self.names_of(self.inputs[0].name, network.n_in or 1)
            features: list[Feature] = [NumberColumn(name) for name in names]
        else:
            features = self.table.numbers(self.current_of_table) or []
        self.count(network.theta.size)
        target = self.properties.get("target", "").strip() or "target"
        return with_table(network, features, self.source, target=target, scale=self.scale, reason=REASON)

    @property
    def current_of_table(self) -> str:
        """The value that the table ends with."""
        return self.table.end if self.table is not None else ""

    # -- the proof ----------------------------------------------------------------------------

    def check(self, network: Model) -> None:
        """Compare the network with what the operators that were taken over give, on generated rows.

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
            given, rows = self.table.given(columns, rows)
            if self.table.is_single:
                rows, rounding = self.in_single(network, columns, rows, given)
        check_rows(network, self.source, rows, self.outputs(given), scale=self.scale, rounding=rounding)

    def in_single(self, network: Model, columns: Columns, rows: Rows, given: dict[str, Array]) -> tuple[Rows, float]:
        """Rows with X as the file makes it in single precision, which need no other room for rounding.

        Where categories have gone into the first weights, X is another one; what single precision does to ours is
        then the room that is needed.
        """
        assert self.table is not None
        if self.table.numbers(self.table.end) == features_of(columns):
            X = self.outputs(given, self.table.end)
            if columns.is_near(X, rows.numbers, rows.codes, np.float32):
                return replace(rows, X=X.astype(rows.X.dtype)), 0.0
            raise FileError(f"{self.source} does something to its columns that was not understood.")
        single = columns.features(rows.numbers, rows.codes, np.float32)
        effect = largest_difference(network.outputs(single), network.outputs(rows.X))
        return rows, max(effect, float(np.finfo(np.float32).eps))

    def outputs(self, given: dict[str, Array], name: str = "") -> Array:
        """What the operators that were taken over give, or a value among them, by the reference of the package onnx."""
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        names = {name for node in self.taken for name in node.input if self.is_constant(name)}
        fixed = [helper.make_node("Identity", [self.renamed[name]], [name]) for name in names if name in self.renamed]
        kept = {self.renamed.get(name, name) for name in names}
        tensors = [renamed(self.tensors[name], name) for name in kept]
        output = helper.make_value_info(name or self.current, helper.make_tensor_type_proto(1, None))
        graph = helper.make_graph([*fixed, *self.taken], "taken", self.inputs, [output], tensors)
        model = helper.make_model(graph, opset_imports=self.model.opset_import)
        with np.errstate(all="ignore"):
            (found,) = ReferenceEvaluator(model).run(None, given)
        return np.asarray(found)


def reached(nodes: Iterable[Any], *starts: str) -> Iterator[Any]:
    """The operators that something of some values reaches."""
    live = {*starts}
    for node in nodes:
        if live & set(node.input):
            live |= set(node.output)
            yield node


def renamed(tensor: Any, name: str) -> Any:
    """A tensor under the name by which it is known: that of a Constant has none."""
    from onnx import TensorProto

    known = TensorProto()
    known.CopyFrom(tensor)
    known.name = name
    return known


def attributes(node: Any) -> dict[str, Any]:
    """The settings of an operator."""
    from onnx import helper

    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


# -- activations -----------------------------------------------------------------------------


def alone(name: str) -> Callable[[Reader, list[Any]], Found]:
    """An activation without settings."""
    return lambda reader, nodes: (name, {})


def with_setting(name: str, usual: Mapping[str, tuple[str, float]]) -> Callable[[Reader, list[Any]], Found]:
    """An activation whose constants are attributes: ours -> (theirs, what it is by default)."""

    def found(reader: Reader, nodes: list[Any]) -> Found:
        given = attributes(nodes[0])
        return name, {ours: short(given.get(theirs, default)) for ours, (theirs, default) in usual.items()}

    return found


def short(value: float) -> float:
    """A number of float32 as a person wrote it: 0.01, not 0.009999999776."""
    return float(str(np.float32(value)))


def selu(reader: Reader, nodes: list[Any]) -> Found | None:
    """SELU, whose constants are in float32 what ours are."""
    constants = ACTIVATIONS["selu"].constants
    given = attributes(nodes[0])
    same = all(np.float32(given.get(theirs, constants[ours])) == np.float32(constants[ours])
               for ours, theirs in (("alpha", "alpha"), ("scale", "gamma")))  # fmt: skip
    return ("selu", {}) if same else None


def gelu(reader: Reader, nodes: list[Any]) -> Found:
    """Exact or by the tanh."""
    return ("gelu_tanh" if attributes(nodes[0]).get("approximate") == b"tanh" else "gelu"), {}


def clip(reader: Reader, nodes: list[Any]) -> Found | None:
    """Only from -1 to 1."""
    node, given = nodes[0], attributes(nodes[0])
    if len(node.input) == 3 and all(map(reader.is_constant, node.input[1:])):
        low, high = (float(reader.constant(name).reshape(())) for name in node.input[1:])
    else:
        low, high = given.get("min", 0.0), given.get("max", 0.0)
    return ("hard_tanh", {}) if (low, high) == (-1.0, 1.0) else None


def softmax(reader: Reader, nodes: list[Any]) -> Found | None:
    """Only over the columns."""
    return ("softmax", {}) if attributes(nodes[0]).get("axis", -1) in (-1, 1) else None


@functools.cache
def patterns() -> dict[tuple[str, ...], Callable[[Reader, list[Any]], Found | None]]:
    """The operators that each activation may be: as one, as several, and as this library writes it itself."""
    as_written = {written_as(name): alone(name) for name in ACTIVATIONS if name != "identity"}
    links = {written_as_link(loss): alone(name) for name, loss in
             (("softmax", CrossEntropy()), ("sigmoid", BinaryCrossEntropy()), ("exp", Poisson()))}  # fmt: skip
    erf = [
        ("Div", "Erf", "Add", "Mul", "Mul"),
        ("Mul", "Erf", "Add", "Mul", "Mul"),
        ("Mul", "Div", "Erf", "Add", "Mul"),
    ]
    return {
        **as_written, **links, **{kinds: alone("gelu") for kinds in erf},
        ("Relu",): alone("relu"), ("Tanh",): alone("tanh"), ("Sigmoid",): alone("sigmoid"),
        ("Softplus",): alone("softplus"), ("Softplus", "Greater", "Where"): alone("softplus"),
        ("Sigmoid", "Mul"): alone("silu"), ("Swish",): alone("silu"), ("Gelu",): gelu, ("Clip",): clip, ("Selu",): selu,
        ("LeakyRelu",): with_setting("leaky_relu", {"slope": ("alpha", 0.01)}),
        ("Elu",): with_setting("elu", {"alpha": ("alpha", 1.0)}), ("Softmax",): softmax,
    }  # fmt: skip


def longest_pattern() -> int:
    """The length of the longest."""
    return max(map(len, patterns()))


def written_as(name: str) -> tuple[str, ...]:
    """The operators as which this library writes an activation."""
    program = inference_program([Dense(1, name)], SquaredError())
    return kinds_of(program.needed_for("a1"), "z1")


def written_as_link(loss: Loss) -> tuple[str, ...]:
    """The operators as which this library writes the link of a loss."""
    return kinds_of(inference_program([Dense(2)], loss).needed_for("p"), "z1")


def kinds_of(program: Any, z: str) -> tuple[str, ...]:
    """The operators of all statements after ``z``."""
    graph = Graph(np.float64)
    rest = program.without(program.needed_for(z))
    Nodes(graph, rest, {z: Tensor(z)}).write()
    return tuple(node.op_type for node in reached(graph.nodes, z))
