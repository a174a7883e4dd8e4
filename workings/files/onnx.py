"""ONNX: a network as a graph that many runtimes read, and a network of such a graph.

The graph is the program's own statements, node by node, with a table's preprocessing before them and the labels after
them; rows are a dimension of any length.  Operator set 13 (2020) is used, which every runtime in use has.  What is
read the other way are graphs of Gemm, MatMul, Add, BatchNormalization and activations, as other libraries write them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from workings.errors import MissingExtraError
from workings.files.onnx_nodes import Graph, Nodes, Tensor
from workings.files.onnx_reading import load
from workings.files.statements import after, before
from workings.files.verification import Agreement, Exported, Rows, compare, deliver, generated_rows, scale_of, words_of
from workings.model.model import Model
from workings.support.arrays import Array
from workings.tables.columns import CategoryColumn, Columns, columns_in
from workings.version import __version__

OPSET, OPSET_ML, IR_VERSION = 13, 2, 7
__all__ = ["export", "load"]


def export(network: Model, path: Path) -> Exported:
    """Write a network as ONNX; where onnxruntime is installed, run it and compare.

    The inputs are ``X``, of the network's type; of a network that was trained on a table ``columns``, its columns of
    numbers in their own units (float64), and ``words``, its columns of words.  The outputs are ``label`` and
    ``probabilities``, or ``value``.

    Raises
    ------
    MissingExtraError
        If the package onnx is not installed.
    NotCompilableError
        For a statement that ONNX has no operators for; the message names it.
    FileError
        If what was written predicts something else.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("onnx", "onnx") from error
    content = Export(network).written().SerializeToString()
    rows = generated_rows(network)
    return deliver(path, {path.name: content}, lambda folder: run(network, folder / path.name, rows))


class Export:
    """One network as a graph."""

    def __init__(self, network: Model) -> None:
        self.network, self.columns = network, columns_in(network.preprocessing)
        self.graph = Graph(network.dtype)

    def written(self) -> Any:
        """The whole model, checked."""
        import onnx
        from onnx import helper

        graph, inputs = self.graph, self.inputs()
        graph.names |= {value.name for value in inputs} | {"label", "probabilities", "value", "p"}
        X = Tensor("X") if self.columns is None else self.assembled(self.columns)
        p = self.predicted(X)
        outputs = self.decided(p)
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
        """What people may want to know of the file: layers, loss, the columns in their order."""
        found = {"layers": ", ".join(map(repr, self.network.layers)), "loss": repr(self.network.loss)}
        if self.columns is not None:
            found["columns"] = "\n".join(column.name for column in self.columns.numbers)
            found["words"] = "\n".join(column.name for column in self.columns.words)
            found["target"] = self.columns.target
        return found

    def inputs(self) -> list[Any]:
        """What the file takes."""
        from onnx import TensorProto, helper

        if self.columns is None:
            kind = helper.np_dtype_to_tensor_dtype(self.network.dtype)
            return [helper.make_tensor_value_info("X", kind, ["n", self.network.n_in])]
        given = [("columns", TensorProto.DOUBLE, len(self.columns.numbers)),
                 ("words", TensorProto.STRING, len(self.columns.words))]  # fmt: skip
        return [helper.make_tensor_value_info(name, kind, ["n", width]) for name, kind, width in given if width]

    def assembled(self, columns: Columns) -> Tensor:
        """X, put together of a table's columns."""
        graph, table = self.graph, Graph(np.float64)
        table.nodes, table.fixed, table.names = graph.nodes, graph.fixed, graph.names
        scaled: list[Tensor] = []
        if columns.numbers:
            program = before(columns)
            read = frozenset().union(*(statement.reads for statement in program.statements))
            known = {"columns": Tensor("columns")}
            known |= {name: table.array(name, values) for name, values in columns.arrays.items() if name in read}
            numbers = Nodes(table, program, known).write()["numbers"]
            scaled = [self.column(numbers, index) for index in range(len(columns.numbers))]
        coded = iter(range(len(columns.words)))
        given = iter(scaled)
        pieces = [
            self.spread(column, self.column(Tensor("words"), next(coded)))
            if isinstance(column, CategoryColumn)
            else next(given)
            for column in columns.columns
        ]
        return graph.cast(graph.node("Concat", pieces, axis=1), self.network.dtype)

    def column(self, tensor: Tensor, index: int) -> Tensor:
        """One column of an array, of shape (n, 1)."""
        return self.graph.node("Gather", [tensor, self.graph.whole(index)], axis=1)

    def spread(self, column: CategoryColumn, words: Tensor) -> Tensor:
        """One column for each category, 1 where it is the row's; an empty text is a gap."""
        keys, codes = list(column.categories), list(range(column.width))
        if column.fill is not None and "" not in keys:
            keys, codes = [*keys, ""], [*codes, column.categories.index(column.fill)]
        code = self.graph.node(
            "LabelEncoder", [words], domain="ai.onnx.ml", keys_strings=keys, values_int64s=codes, default_int64=-1
        )
        is_it = self.graph.node("Equal", [code, self.graph.whole(*range(column.width))])
        return self.graph.cast(is_it, np.float64)

    def predicted(self, X: Tensor) -> Tensor:
        """The network's own statements."""
        network, program = self.network, self.network.inference.needed_for("p")
        arrays = {**network.parameters, **network.statistics}
        known = {"X": X, **{name: self.graph.array(name, np.array(values)) for name, values in arrays.items()}}
        widths = network.shapes(program) | {"X": ("n", network.n_in or 1)}
        return Nodes(self.graph, program, known, widths).write()["p"]

    def decided(self, p: Tensor) -> list[Any]:
        """Labels and probabilities, or values."""
        network, graph = self.network, self.graph
        kind = network.targets.kind
        statements = after(network, self.columns)
        if kind not in ("classes", "labels"):
            return [self.value(p)]
        found = Nodes(graph, statements, {"p": p}).write()
        best = found["best"] if kind == "classes" else graph.cast(found["chosen"], np.int64)
        if network.targets.has_labels and kind == "labels":
            best = graph.node("Squeeze", [best, graph.whole(1)])
        labels = None if not network.targets.has_labels else network.classes
        if labels is not None:
            texts = labels.astype(object) if labels.dtype.kind == "U" else labels
            best = graph.node("Gather", [graph.array("labels", texts), best])
        several = not network.targets.has_labels
        return [
            self.output("label", best, labels, several),
            self.output("probabilities", found.get("probabilities", p)),
        ]

    def value(self, p: Tensor) -> Any:
        """The prediction in the target's own unit."""
        statements = after(self.network, self.columns)
        if not statements.statements:
            return self.output("value", p)
        table = Graph(np.float64)
        table.nodes, table.fixed, table.names = self.graph.nodes, self.graph.fixed, self.graph.names
        return self.output(
            "value", Nodes(table, statements, {"p": table.cast(p, np.float64)}).write()["value"], np.float64
        )

    def output(self, name: str, tensor: Tensor, like: Any = None, wide: bool = True) -> Any:
        """One output under its name."""
        from onnx import TensorProto, helper

        self.graph.nodes.append(helper.make_node("Identity", [tensor.name], [name], name=name))
        if name == "label":
            kinds = {"U": TensorProto.STRING, "b": TensorProto.BOOL}
            kind = TensorProto.INT64 if like is None else kinds.get(like.dtype.kind, TensorProto.INT64)
            return helper.make_tensor_value_info(name, kind, ["n", self.network.n_out] if wide else ["n"])
        width = 2 if name == "probabilities" and self.network.n_out == 1 else self.network.n_out
        dtype = self.network.dtype if like is None else np.dtype(like)
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), ["n", width])


def run(network: Model, path: Path, rows: Rows) -> Agreement | None:
    """Run a file with onnxruntime and compare; None where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    columns = columns_in(network.preprocessing)
    given = {"X": rows.X} if columns is None else {"columns": rows.numbers, "words": words_of(columns, rows.codes)}
    known = {value.name for value in session.get_inputs()}
    names = [value.name for value in session.get_outputs()]
    found = dict(zip(names, session.run(names, {k: v for k, v in given.items() if k in known}), strict=True))
    runtime = f"onnxruntime {onnxruntime.__version__}"
    return compare(runtime, network, rows, outputs_in(network, found), labels_in(network, found), scale_of(network))


def outputs_in(network: Model, found: dict[str, Array]) -> Array:
    """The outputs behind what a file gives: of two labels with one output, the second's probability."""
    if "value" in found:
        return found["value"]
    both = network.targets.kind == "labels" and network.n_out == 1
    return found["probabilities"][:, 1:] if both else found["probabilities"]


def labels_in(network: Model, found: dict[str, Array]) -> Array | None:
    """The labels that a file gives, as the network gives them."""
    if "label" not in found or network.classes is None:
        return found.get("label")
    return np.asarray(found["label"].tolist(), dtype=network.classes.dtype)
