"""ONNX: export a network as a graph for other runtimes.

The exported graph consists of the program's statements, preceded by a table's preprocessing and followed by
the labels; the number of rows is dynamic.  It uses operator set 13 (2020), which all current runtimes
support.  ``onnx_import.py`` imports graphs that other libraries export.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workings.errors import InputError, MissingExtraError, NotCompilableError
from workings.files.onnx_import import load
from workings.files.onnx_nodes import NodeWriter, OnnxGraph, Tensor
from workings.files.table_statements import input_statements, output_statements
from workings.files.verification import (
    Agreement,
    Exported,
    GeneratedRows,
    category_texts,
    check_special,
    compare,
    generated_rows,
    special_rows,
    target_scale,
    write_verified,
)
from workings.model.model import Model
from workings.support.arrays import Array
from workings.tables.columns import CategoryColumn, Columns, columns_in
from workings.version import __version__

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto
    from onnxruntime import InferenceSession

OPSET, OPSET_ML, IR_VERSION = 13, 2, 7
__all__ = ["export", "load"]


def export(network: Model, path: Path) -> Exported:
    """Write a network as ONNX; if onnxruntime is installed, run the file and compare.

    The input is ``X``, in the network's dtype.  For a network that was trained on a table, the inputs are
    ``columns``, its numeric columns in their original units (float64), and ``words``, its categorical columns
    as text.  The outputs are ``label`` and ``probabilities``, or ``value``.

    Raises
    ------
    MissingExtraError
        If the package onnx is not installed.
    NotCompilableError
        For a statement without ONNX operators; the message names it.
    InputError
        For a column that has empty text as a category and fills missing values with another one.
    FileError
        If the file's predictions differ.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("onnx", "onnx") from error
    content = OnnxExport(network).model_proto().SerializeToString()
    rows = generated_rows(network)
    return write_verified(path, {path.name: content}, lambda folder: run(network, folder / path.name, rows))


class OnnxExport:
    """Builds the ONNX graph of one network."""

    def __init__(self, network: Model) -> None:
        self.network, self.columns = network, columns_in(network.preprocessing)
        self.graph = OnnxGraph(network.dtype)

    def model_proto(self) -> ModelProto:
        """Return the checked ONNX model."""
        import onnx
        from onnx import helper

        graph, inputs = self.graph, self.inputs()
        graph.names |= {value.name for value in inputs} | {"label", "probabilities", "value", "p"}
        X = Tensor("X") if self.columns is None else self.input_tensor(self.columns)
        p = self.prediction(X)
        outputs = self.outputs(p)
        model = helper.make_model(
            helper.make_graph(
                graph.nodes, "network", inputs, outputs,
                [onnx.numpy_helper.from_array(values, name) for name, values in graph.fixed.items()],
            ),
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", OPSET_ML)],
            ir_version=IR_VERSION, producer_name="Workings", producer_version=__version__,
        )  # fmt: skip
        helper.set_model_props(model, self.about())
        onnx.checker.check_model(model, full_check=True)
        return model

    def about(self) -> dict[str, str]:
        """Return the file's metadata: layers, loss, and the columns in their order."""
        found = {"layers": ", ".join(map(repr, self.network.layers)), "loss": repr(self.network.loss)}
        if self.columns is not None:
            found["columns"] = "\n".join(column.name for column in self.columns.numbers)
            found["words"] = "\n".join(column.name for column in self.columns.words)
            found["target"] = self.columns.target
        return found

    def inputs(self) -> list[ValueInfoProto]:
        """Return the graph's inputs."""
        from onnx import TensorProto, helper

        if self.columns is None:
            kind = helper.np_dtype_to_tensor_dtype(self.network.dtype)
            return [helper.make_tensor_value_info("X", kind, ["n", self.network.n_in])]
        given = [
            ("columns", TensorProto.DOUBLE, len(self.columns.numbers)),
            ("words", TensorProto.STRING, len(self.columns.words)),
        ]
        return [helper.make_tensor_value_info(name, kind, ["n", width]) for name, kind, width in given if width]

    def input_tensor(self, columns: Columns) -> Tensor:
        """Add the nodes that encode a table's columns as X."""
        graph, table = self.graph, OnnxGraph(np.float64)
        table.nodes, table.fixed, table.names = graph.nodes, graph.fixed, graph.names
        scaled: list[Tensor] = []
        gaps: list[Tensor] = []
        if columns.numbers:
            program = input_statements(columns)
            read = frozenset().union(*(statement.reads for statement in program.statements))
            known = {"columns": Tensor("columns")}
            known |= {name: table.array(name, values) for name, values in columns.arrays.items() if name in read}
            written = NodeWriter(table, program, known).write()
            scaled = [self.column(written["numbers"], index) for index in range(len(columns.numbers))]
            gaps = [self.column(written["gaps"], i) for i, each in enumerate(columns.numbers) if each.indicator]
        coded, given, marked = iter(range(len(columns.words))), iter(scaled), iter(gaps)
        pieces: list[Tensor] = []
        for column in columns.columns:
            if isinstance(column, CategoryColumn):
                pieces.append(self.one_hot(column, self.column(Tensor("words"), next(coded))))
            else:
                pieces.append(next(given))
                pieces += [next(marked)] if column.indicator else []
        return graph.cast(graph.node("Concat", pieces, axis=1), self.network.dtype)

    def column(self, tensor: Tensor, index: int) -> Tensor:
        """Select one column of an array, of shape (n, 1)."""
        return self.graph.node("Gather", [tensor, self.graph.whole(index)], axis=1)

    def one_hot(self, column: CategoryColumn, words: Tensor) -> Tensor:
        """One-hot encode a categorical column; empty text is a missing value, and refused text becomes NaN."""
        keys, codes = list(column.categories), list(range(column.width))
        if column.fill not in (None, "") and "" in keys:
            raise InputError(
                f"The column {column.name!r} has empty text as a category and fills missing values with "
                f"{column.fill!r}. In ONNX, empty text is a missing value, so both look the same: replace empty text "
                f"by a word before training, or export .py, .c or .json."
            )
        if column.fill is not None and "" not in keys:
            keys, codes = [*keys, ""], [*codes, column.categories.index(column.fill)]
        code = self.graph.node(
            "LabelEncoder", [words], domain="ai.onnx.ml", keys_strings=keys, values_int64s=codes, default_int64=-1
        )
        is_it = self.graph.node("Equal", [code, self.graph.whole(*range(column.width))])
        indicators = self.graph.cast(is_it, np.float64)
        if column.unknown == "zeros":
            return indicators
        is_known = self.graph.node("GreaterOrEqual", [code, self.graph.whole(0)])
        return self.graph.node("Where", [is_known, indicators, self.graph.array("unknown", np.array(np.nan))])

    def prediction(self, X: Tensor) -> Tensor:
        """Add the nodes of the network's statements."""
        network, program = self.network, self.network.inference.needed_for("p")
        arrays = {**network.parameters, **network.statistics}
        known = {"X": X, **{name: self.graph.array(name, np.array(values)) for name, values in arrays.items()}}
        widths = {name: values.shape for name, values in arrays.items()}
        widths |= network.shapes(program) | {"X": ("n", network.n_in or 1)}
        return NodeWriter(self.graph, program, known, widths).write()["p"]

    def outputs(self, p: Tensor) -> list[ValueInfoProto]:
        """Add the outputs: label and probabilities, or value."""
        network, graph = self.network, self.graph
        targets = network.targets
        statements = output_statements(network, self.columns)
        if not targets.is_classification:
            return [self.value(p)]
        found = NodeWriter(graph, statements, {"p": p}).write()
        best = found["best"] if targets.is_multiclass else graph.cast(found["chosen"], np.int64)
        if targets.has_labels and not targets.is_multiclass:
            best = graph.node("Squeeze", [best, graph.whole(1)])
        labels = network.classes if targets.has_labels else None
        if labels is not None:
            best = graph.node("Gather", [graph.array("labels", labels_tensor(labels)), best])
        return [
            self.output("label", best, labels, not targets.has_labels),
            self.output("probabilities", found.get("probabilities", p)),
        ]

    def value(self, p: Tensor) -> ValueInfoProto:
        """Add the output that holds predictions in the target's original unit."""
        statements = output_statements(self.network, self.columns)
        if not statements.statements:
            return self.output("value", p)
        table = OnnxGraph(np.float64)
        table.nodes, table.fixed, table.names = self.graph.nodes, self.graph.fixed, self.graph.names
        return self.output(
            "value", NodeWriter(table, statements, {"p": table.cast(p, np.float64)}).write()["value"], np.float64
        )

    def output(self, name: str, tensor: Tensor, like: Any = None, wide: bool = True) -> ValueInfoProto:
        """Add one named output."""
        from onnx import TensorProto, helper

        self.graph.nodes.append(helper.make_node("Identity", [tensor.name], [name], name=name))
        if name == "label":
            dtype = np.dtype(np.int64) if like is None else labels_tensor(like).dtype
            kind = TensorProto.STRING if dtype.kind == "O" else helper.np_dtype_to_tensor_dtype(dtype)
            return helper.make_tensor_value_info(name, kind, ["n", self.network.n_out] if wide else ["n"])
        width = 2 if name == "probabilities" and self.network.n_out == 1 else self.network.n_out
        dtype = self.network.dtype if like is None else np.dtype(like)
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), ["n", width])


def run(network: Model, path: Path, rows: GeneratedRows) -> Agreement | None:
    """Run a file with onnxruntime and compare; None if it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes, one for each status
        raise NotCompilableError(f"onnxruntime cannot run {path.name}: {error}") from error
    runtime, special = f"onnxruntime {onnxruntime.__version__}", special_rows(network)
    p = outputs_in(network, outputs_in_onnxruntime(session, network, special))
    check_special(runtime, network, special, p, target_scale(network))
    found = outputs_in_onnxruntime(session, network, rows)
    outputs, labels = outputs_in(network, found), labels_in(network, found)
    return compare(runtime, network, rows, outputs, labels, target_scale(network))


def outputs_in_onnxruntime(session: InferenceSession, network: Model, rows: GeneratedRows) -> dict[str, Array]:
    """Return the outputs of a file in onnxruntime by name."""
    columns = columns_in(network.preprocessing)
    given = (
        {"X": rows.X} if columns is None else {"columns": rows.numbers, "words": category_texts(columns, rows.codes)}
    )
    known = {value.name for value in session.get_inputs()}
    names = [value.name for value in session.get_outputs()]
    found = session.run(names, {name: array for name, array in given.items() if name in known})
    return dict(zip(names, found, strict=True))


def labels_tensor(classes: Array) -> Array:
    """Return labels in a type of ONNX: text as objects, whole numbers in 64 bits, booleans as they are."""
    if classes.dtype.kind == "U":
        return classes.astype(object)
    return classes.astype(f"{classes.dtype.kind}8") if classes.dtype.kind in "iu" else classes


def outputs_in(network: Model, found: dict[str, Array]) -> Array:
    """Return the network outputs from a file's outputs; for binary labels, the second label's probability."""
    if "value" in found:
        return found["value"]
    both = network.targets.has_labels and not network.targets.is_multiclass
    return found["probabilities"][:, 1:] if both else found["probabilities"]


def labels_in(network: Model, found: dict[str, Array]) -> Array | None:
    """Return the labels from a file's outputs, in the network's dtype; None if there are none."""
    if "label" not in found or network.classes is None:
        return found.get("label")
    return np.asarray(found["label"].tolist(), dtype=network.classes.dtype)
