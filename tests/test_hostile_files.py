"""Hostile files: whatever arrives as JSON or ONNX is refused by our own error, or makes a network that can be used.

The same is tested of safetensors files in ``test_files.py``, and of damaged files of every format at the end.  Time and
memory are bounded by what the file itself holds; nothing in it is run, and it can name no other file that would be
opened.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from workings import (
    Adam,
    BatchNorm,
    Checkpoint,
    CrossEntropy,
    Dense,
    Dropout,
    FileError,
    Network,
    WorkingsWarning,
    datasets,
    files,
)
from workings.datasets import moons
from workings.errors import WorkingsError
from workings.support.npz import read_npz
from workings.tables import Preprocessing, read_table, write_table
from workings.tables.columns import CategoryColumn, Columns, NumberColumn

X, Y = moons(n=40, seed=0)
HOSTILE = settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate)
)
GONE = object()
ODD: list[Any] = [
    GONE, None, -1, 0, 0.5, 10**12, 10**400, 1e308, True, "", "relu", "float16", [], {}, [1, 2], ["a"], [[[1.0]]],
    {"kind": "Dense"}, float("nan"), float("inf"), "../../etc/passwd",
]  # fmt: skip


def trained() -> Network:
    """A small network with a bit of everything."""
    network = Network(
        [Dense(4), BatchNorm("relu"), Dropout(0.2), Dense(3, "elu"), Dense(2)], loss=CrossEntropy(), seed=0
    )
    network.fit(X, np.array(["lower", "upper"])[Y], optimizer=Adam(1e-2), epochs=2)
    return network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one sound file of each kind."""
    folder = tmp_path_factory.mktemp("sound")
    files.save(trained(), folder / "sound.json")
    plain = Network([Dense(4, "tanh"), Dense(3, "relu", bias=False), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    files.save(table_network(), folder / "sound.table.json")
    if has_onnx():
        files.save(plain, folder / "sound.onnx")
        files.save(trained(), folder / "sound.norm.onnx")
        files.save(table_network(), folder / "sound.table.onnx")
        (folder / "sound.foreign.onnx").write_bytes(foreign_table().SerializeToString())
    return folder


def table_network() -> Network:
    """A network with a table's columns before it, and a target in a unit of its own."""
    numbers = NumberColumn("age", 40.0, 10.0, 38.0), NumberColumn("height", 1.7, 0.1, None)
    words = CategoryColumn("colour", ("blue", "green", "red"), "red"), CategoryColumn("side", ("left", "right"), None)
    columns = Columns((numbers[0], words[0], numbers[1], words[1]), "price", (5.0, 2.0))
    network = Network([Dense(4, "tanh"), BatchNorm(), Dense(1)], loss="SquaredError", seed=0, n_in=columns.width)
    network.preprocessing = columns.stored((), "made for a test")
    return network


def foreign_table() -> Any:
    """An ONNX file with a table's columns before its network, as another library writes it."""
    onnx = pytest.importorskip("onnx")
    helper, arrays = onnx.helper, {"W": np.ones((5, 2), np.float32), "shape": np.array([-1, 3])}
    ml, filling = {"domain": "ai.onnx.ml"}, {"imputed_value_floats": [1.0, 2.0], "replaced_value_float": np.nan}
    nodes = [
        helper.make_node("Imputer", ["amounts"], ["full"], **filling, **ml),
        helper.make_node("Scaler", ["full"], ["scaled"], offset=[1.0, 2.0], scale=[0.5, 3.0], **ml),
        helper.make_node("OneHotEncoder", ["colour"], ["spread"], cats_strings=["red", "blue", "green"], **ml),
        helper.make_node("Reshape", ["spread", "shape"], ["flat"]),
        helper.make_node("Concat", ["scaled", "flat"], ["X"], axis=1),
        helper.make_node("Gemm", ["X", "W"], ["z"]),
        helper.make_node("Softmax", ["z"], ["p"], axis=1),
    ]  # fmt: skip
    given = [
        helper.make_tensor_value_info("amounts", 1, ["n", 2]),
        helper.make_tensor_value_info("colour", 8, ["n", 1]),
    ]
    tensors = [onnx.numpy_helper.from_array(values, name) for name, values in arrays.items()]
    graph = helper.make_graph(nodes, "foreign", given, [helper.make_tensor_value_info("p", 1, ["n", 2])], tensors)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 2)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def has_onnx() -> bool:
    """Whether the package onnx is there."""
    try:
        import onnx  # noqa: F401
    except ImportError:
        return False
    return True


NO_ONNX = pytest.mark.skipif(not has_onnx(), reason="onnx is not installed")
TABLES = ["norm.onnx", "table.onnx", "foreign.onnx"]
ENDS = ["json", "table.json", *(pytest.param(end, marks=NO_ONNX) for end in ("onnx", *TABLES))]


def loads_or_is_refused(path: Path, content: bytes) -> bool:
    """Check that bytes are refused as a file, or make a network that can be used; whether they were refused."""
    path.write_bytes(content)
    try:
        network = files.load(path)
    except FileError:
        return True
    assert network.n_in is not None
    assert np.isfinite(network.theta).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkingsWarning)  # to other statistics, zeros may look like a table's numbers
        assert len(network.predict(np.zeros((3, network.n_in)))) == 3
    assert "Network" in network.summary()
    return False


@pytest.mark.parametrize("end", ENDS)
def test_a_file_cut_short_anywhere(folder: Path, tmp_path: Path, end: str) -> None:
    whole = (folder / f"sound.{end}").read_bytes()
    path = tmp_path / f"n.{end}"
    assert not loads_or_is_refused(path, whole)
    lengths = sorted({*range(0, len(whole) - 2, max(len(whole) // 60, 1)), *range(12)})
    refused = [loads_or_is_refused(path, whole[:length]) for length in lengths]
    assert all(refused)


@pytest.mark.parametrize("end", ENDS)
@HOSTILE
@given(data=st.data())
def test_bytes_that_are_flipped(folder: Path, end: str, data: st.DataObject) -> None:
    content = bytearray((folder / f"sound.{end}").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    loads_or_is_refused(folder / f"flipped.{end}", bytes(content))


@pytest.mark.parametrize("end", ENDS)
@HOSTILE
@given(content=st.binary(max_size=300))
def test_bytes_of_any_kind(folder: Path, end: str, content: bytes) -> None:
    assert loads_or_is_refused(folder / f"any.{end}", content)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "content", [b"", b"\0", b"{}", b"[]", b"null", b"\xff" * 64, b"[" * 100_000, b"PK\x03\x04" * 9]
)
def test_what_is_no_such_file(tmp_path: Path, end: str, content: bytes) -> None:
    assert loads_or_is_refused(tmp_path / f"n.{end}", content)


@pytest.mark.parametrize("end", ENDS)
def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path, end: str) -> None:
    with pytest.raises(FileError, match="Cannot read"):
        files.load(tmp_path / f"nowhere.{end}")
    (tmp_path / f"folder.{end}").mkdir()
    with pytest.raises(FileError, match="Cannot read"):
        files.load(tmp_path / f"folder.{end}")


# -- JSON -----------------------------------------------------------------------------------


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value; of a long list the first two."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*path, key))


def changed(about: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The same with another value somewhere."""
    about = copy.deepcopy(about)
    inner = about
    for key in path[:-1]:
        inner = inner[key]
    if value is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return about


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_json_with_another_value_somewhere(folder: Path, tmp_path: Path, every: int) -> None:
    about = json.loads((folder / "sound.json").read_text())
    surprises = []
    cases = [(path, value) for path in places(about) for value in ODD]
    for path, value in cases[::every]:
        try:
            loads_or_is_refused(tmp_path / "n.json", json.dumps(changed(about, path, value)).encode())
        except Exception as error:
            surprises.append(f"{path} = {value!r:.20}: {type(error).__name__} {error}"[:200])
    assert not surprises, "\n".join(surprises)


def test_json_with_weights_that_are_no_numbers(folder: Path, tmp_path: Path) -> None:
    about = json.loads((folder / "sound.json").read_text())
    for value in (float("nan"), float("inf"), 1e999, True, "1.0", None, [1.0]):
        path = ("arrays", "W1", "values", 0, 0)
        assert loads_or_is_refused(tmp_path / "n.json", json.dumps(changed(about, path, value)).encode())


def test_json_of_a_newer_version(folder: Path, tmp_path: Path) -> None:
    about = {**json.loads((folder / "sound.json").read_text()), "version": 2}
    (tmp_path / "n.json").write_text(json.dumps(about))
    with pytest.raises(FileError, match=r"format version 2.*Upgrade"):
        Network.from_json(tmp_path / "n.json")


# -- ONNX -----------------------------------------------------------------------------------


def sound_model(folder: Path) -> Any:
    """The sound ONNX file as a message."""
    onnx = pytest.importorskip("onnx")
    return onnx.load_model_from_string((folder / "sound.onnx").read_bytes())


def arrays_of(model: Any) -> dict[str, Any]:
    """The arrays of a model by name."""
    return {tensor.name: tensor for tensor in model.graph.initializer}


@pytest.mark.parametrize("dims", [[-1, 4], [2**62, 2**62], [2**31, 4], [0, 4], [], [8], [4, 2], [2, 4, 1]])
def test_onnx_with_absurd_sizes(folder: Path, tmp_path: Path, dims: list[int]) -> None:
    model = sound_model(folder)
    del arrays_of(model)["W1"].dims[:]
    arrays_of(model)["W1"].dims.extend(dims)
    assert loads_or_is_refused(tmp_path / "n.onnx", model.SerializeToString())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_onnx_with_weights_that_are_not_finite(folder: Path, tmp_path: Path, value: float) -> None:
    model = sound_model(folder)
    W = np.frombuffer(arrays_of(model)["W1"].raw_data).copy()
    W[3] = value
    arrays_of(model)["W1"].raw_data = W.tobytes()
    assert loads_or_is_refused(tmp_path / "n.onnx", model.SerializeToString())


@pytest.mark.parametrize("kind", [0, 2, 6, 7, 8, 9, 10, 14, 16, 21, 99])
def test_onnx_with_other_types(folder: Path, tmp_path: Path, kind: int) -> None:
    model = sound_model(folder)
    arrays_of(model)["W1"].data_type = kind
    assert loads_or_is_refused(tmp_path / "n.onnx", model.SerializeToString())


def test_onnx_that_names_another_file(folder: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    (tmp_path / "secret").write_bytes(np.zeros(8).tobytes())
    model = sound_model(folder)
    W = arrays_of(model)["W1"]
    W.ClearField("raw_data")
    W.data_location = onnx.TensorProto.EXTERNAL
    W.external_data.add(key="location", value="secret")
    (tmp_path / "n.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(FileError, match=r"'W1' in another file, which is not opened"):
        Network.from_onnx(tmp_path / "n.onnx")


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_onnx_with_other_operators_and_wires(folder: Path, tmp_path: Path, every: int) -> None:
    kinds = ["Relu", "Gemm", "MatMul", "Add", "Loop", "If", "Expand", "ConstantOfShape", "BatchNormalization", "Clip",
             "Softmax", "Cast", "Identity", "Selu", "NoSuchThing", ""]  # fmt: skip
    count = len(sound_model(folder).graph.node)
    changes = [(place, kind, wire) for place in range(count) for kind in kinds for wire in ("", "X", "W1", "nowhere")]
    for place, kind, wire in changes[::every]:
        model = sound_model(folder)
        node = model.graph.node[place]
        node.op_type = kind
        if wire and node.input:
            node.input[len(node.input) - 1] = wire
        loads_or_is_refused(tmp_path / "n.onnx", model.SerializeToString())


@pytest.mark.parametrize("every", [29, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("end", [pytest.param(end, marks=NO_ONNX) for end in TABLES])
def test_tables_and_norms_with_other_operators_and_wires(folder: Path, tmp_path: Path, end: str, every: int) -> None:
    onnx = pytest.importorskip("onnx")
    content = (folder / f"sound.{end}").read_bytes()
    model = onnx.load_model_from_string(content)
    kinds = ["Scaler", "Imputer", "OneHotEncoder", "LabelEncoder", "Gather", "Concat", "Reshape", "Equal", "Where",
             "Sub", "Div", "Mul", "Add", "Sqrt", "MatMul", "BatchNormalization", "Cast", "Loop"]  # fmt: skip
    wires = ["", "columns", "words", "amounts", "colour", "W", "W1", "column_mean", "nowhere"]
    wires += [name for node in model.graph.node for name in node.output][:9]
    changes = [(place, kind, wire) for place in range(len(model.graph.node)) for kind in kinds for wire in wires]
    for place, kind, wire in changes[::every]:
        model = onnx.load_model_from_string(content)
        node = model.graph.node[place]
        node.op_type = kind
        if wire and node.input:
            node.input[place % len(node.input)] = wire
        loads_or_is_refused(tmp_path / "n.onnx", model.SerializeToString())


ODD_SETTINGS: list[tuple[str, Any]] = [
    ("axis", 7), ("axis", -9), ("axis", 0), ("to", 8), ("to", 9999), ("offset", [1.0]), ("offset", [np.nan, 0.0]),
    ("scale", [0.0, 1.0]), ("scale", [1.0] * 1000), ("scale", [np.inf, 1.0]), ("scale", [-1.0, 1.0]),
    ("imputed_value_floats", []), ("imputed_value_floats", [np.inf, 1.0]), ("replaced_value_float", 0.0),
    ("cats_strings", [b"\xff"]), ("cats_strings", ["red", "red", "red"]), ("cats_strings", ["a"] * 10_000),
    ("cats_int64s", [1, 2, 3]), ("keys_strings", ["red", "red"]), ("keys_strings", [""]),
    ("keys_strings", [b"\xfe", b""]), ("values_int64s", [1]),
    ("values_int64s", [2**62, -1, 0, 0]), ("default_int64", 2**62), ("values_floats", [1.0]),
]  # fmt: skip


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("end", [pytest.param(end, marks=NO_ONNX) for end in TABLES])
def test_tables_with_odd_settings(folder: Path, tmp_path: Path, end: str, every: int) -> None:
    onnx = pytest.importorskip("onnx")
    content = (folder / f"sound.{end}").read_bytes()
    count = len(onnx.load_model_from_string(content).graph.node)
    changes = [(place, name, value) for place in range(count) for name, value in ODD_SETTINGS]
    for place, name, value in changes[::every]:
        model = onnx.load_model_from_string(content)
        node = model.graph.node[place]
        kept = [attribute for attribute in node.attribute if attribute.name != name]
        kind = onnx.AttributeProto.FLOATS if value == [] else None
        del node.attribute[:]
        node.attribute.extend([*kept, onnx.helper.make_attribute(name, value, attr_type=kind)])
        loads_or_is_refused(tmp_path / "n.onnx", model.SerializeToString())


@pytest.mark.parametrize("width", [0, -1, 100_001, 2**40, 2**62])
def test_a_table_of_absurd_width(tmp_path: Path, width: int) -> None:
    model = foreign_table()
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = width
    assert loads_or_is_refused(tmp_path / "n.onnx", model.SerializeToString())


def test_a_table_without_a_shape_or_with_inputs_that_lead_nowhere(tmp_path: Path) -> None:
    model = foreign_table()
    model.graph.input.add().CopyFrom(model.graph.input[0])
    model.graph.input[2].name = "other"
    assert loads_or_is_refused(tmp_path / "n.onnx", model.SerializeToString())
    model = foreign_table()
    model.graph.input[0].type.tensor_type.ClearField("shape")
    assert loads_or_is_refused(tmp_path / "n.onnx", model.SerializeToString())
    model = foreign_table()
    model.graph.input[1].type.Clear()
    assert loads_or_is_refused(tmp_path / "n.onnx", model.SerializeToString())


@pytest.mark.parametrize("kind", ["Concat", "Gather", "Equal"])
def test_a_small_table_does_not_become_a_wide_one(tmp_path: Path, kind: str) -> None:
    onnx = pytest.importorskip("onnx")
    model = foreign_table()
    places = onnx.numpy_helper.from_array(np.tile([0, 1, 2, 3, 4], 1000), "places")
    model.graph.initializer.append(places)
    make = onnx.helper.make_node
    nodes, last = list(model.graph.node), "X"
    for number in range(60):
        inputs = {"Concat": [last, last], "Gather": [last, "places"], "Equal": [last, "places"]}[kind]
        settings = {} if kind == "Equal" else {"axis": 1}
        nodes.insert(-2, make(kind, inputs, [f"wide{number}"], **settings))
        last = f"wide{number}"
    nodes[-2].input[0] = last
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    (tmp_path / "n.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(FileError, match=r"too many numbers|has Equal|takes 2 inputs"):
        Network.from_onnx(tmp_path / "n.onnx")


def test_onnx_that_only_looks_like_ours_is_found_out(folder: Path, tmp_path: Path) -> None:
    model = sound_model(folder)
    numbers = [tensor for tensor in model.graph.initializer if tensor.name.startswith("number")]
    assert numbers
    numbers[0].raw_data = np.array(-0.25).tobytes()  # the 0 of max(z, 0)
    (tmp_path / "n.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(FileError, match="does not agree with the network"):
        Network.from_onnx(tmp_path / "n.onnx")


def test_onnx_with_several_inputs_or_none(folder: Path, tmp_path: Path) -> None:
    model = sound_model(folder)
    model.graph.input.add().CopyFrom(model.graph.input[0])
    model.graph.input[1].name = "other"
    assert loads_or_is_refused(tmp_path / "n.onnx", model.SerializeToString())
    del model.graph.input[:]
    assert loads_or_is_refused(tmp_path / "n.onnx", model.SerializeToString())


def test_a_wide_file_needs_little_more_memory_than_it_holds(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    W = numpy_helper.from_array(np.ones((4_000_000, 1), dtype=np.float32), "W")
    given, result = (helper.make_tensor_value_info(name, 1, ["n", None]) for name in "XY")
    graph = helper.make_graph([helper.make_node("MatMul", ["X", "W"], ["Y"])], "wide", [given], [result], [W])
    (tmp_path / "wide.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    code = (
        "import resource, onnx.reference, workings; before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "net = workings.Network.from_onnx('wide.onnx'); after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "print(net.n_in, after - before)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    n_in, grown = map(int, done.stdout.split())
    assert n_in == 4_000_000
    scale = 1024 if sys.platform != "darwin" else 1
    assert grown * scale < 2_000_000_000  # 200 rows of 4 million numbers would be 6.4 GB in float64


def test_a_small_onnx_file_does_not_become_a_large_network(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    W = onnx.numpy_helper.from_array(np.ones((300, 300), dtype=np.float32), "W")
    given, result = (helper.make_tensor_value_info(name, 1, ["n", None]) for name in ("v0", "v5000"))
    nodes = [helper.make_node("Gemm", [f"v{i}", "W"], [f"v{i + 1}"]) for i in range(5000)]
    content = helper.make_model(helper.make_graph(nodes, "long", [given], [result], [W])).SerializeToString()
    (tmp_path / "n.onnx").write_bytes(content)
    with pytest.raises(FileError, match="expands to too many numbers"):
        Network.from_onnx(tmp_path / "n.onnx")


def test_files_with_very_many_layers(folder: Path, tmp_path: Path) -> None:
    about = json.loads((folder / "sound.json").read_text())
    about["network"]["layers"][1:1] = [{"kind": "Dropout", "rate": 0.1}] * 100_000
    (tmp_path / "n.json").write_text(json.dumps(about))
    with pytest.raises(FileError, match=r"100,005 layers; at most 1,000"):
        Network.from_json(tmp_path / "n.json")
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    W = onnx.numpy_helper.from_array(np.ones((1, 1), dtype=np.float32), "W")
    given, result = (helper.make_tensor_value_info(name, 1, ["n", None]) for name in ("v0", "v3000"))
    nodes = [helper.make_node("MatMul", [f"v{i}", "W"], [f"v{i + 1}"]) for i in range(3000)]
    content = helper.make_model(helper.make_graph(nodes, "long", [given], [result], [W])).SerializeToString()
    (tmp_path / "n.onnx").write_bytes(content)
    with pytest.raises(FileError, match=r"more than 1,000 layers"):
        Network.from_onnx(tmp_path / "n.onnx")


# -- every format ------------------------------------------------------------------------------

FILES = int(os.environ.get("WORKINGS_FUZZ", "600"))  # `make fuzz` reads a million
FIRST = int(os.environ.get("WORKINGS_FUZZ_FIRST", "0"))  # the number of the first of them, to go on with a run
# Formats that are slow to read are rarer among the damaged files: one of this many.  Each Parquet file needs a process
# of its own, and each checkpoint a training.
SHARES = {"sound.parquet": 200, "sound.checkpoint": 20}


def small_run(path: Path, epochs: int = 1) -> None:
    """Train a small network, from a checkpoint if there is one."""
    network = Network([Dense(2, "tanh"), BatchNorm(), Dense(2)], loss=CrossEntropy(), seed=0)
    network.fit(X, Y, optimizer=Adam(1e-2), epochs=epochs, callbacks=[Checkpoint(path, resume=True)])


def learn_table(path: Path) -> None:
    """Read a table and learn its columns."""
    Preprocessing.learn(read_table(path), "y")


READERS: dict[str, Callable[[Path], object]] = {
    "sound.safetensors": Network.load,
    "sound.checkpoint": small_run,
    "sound.json": files.load,
    "sound.onnx": files.load,
    "sound-idx3-ubyte": datasets.read_idx,
    "sound-idx3-ubyte.gz": datasets.read_idx,
    "sound.kaggle.csv": datasets.kaggle_csv,
    "sound.csv": learn_table,
    "sound.semicolons.csv": learn_table,
    "sound.npz": read_npz,
    "sound.compressed.npz": read_npz,
    "sound.parquet": learn_table,
}


def write_sound_files(folder: Path) -> dict[str, bytes]:
    """Write one sound file for each reader; return their contents."""
    network = trained()
    network.save(folder / "sound.safetensors")
    files.save(network, folder / "sound.json")
    if has_onnx():
        files.save(network, folder / "sound.onnx")
    small_run(folder / "sound.checkpoint")
    images = np.arange(2 * 9, dtype=np.uint8).reshape(2, 3, 3)
    for name in ("sound-idx3-ubyte", "sound-idx3-ubyte.gz"):
        datasets.write_idx(folder / name, images)
    header = ",".join(["label", *(f"pixel{place}" for place in range(784))])
    pixels = "\n".join(",".join(map(str, [row, *[7 * row] * 784])) for row in range(2))
    (folder / "sound.kaggle.csv").write_text(f"{header}\n{pixels}\n")
    rows = [f"{row},${row}.50,{'red' if row % 3 else 'blue'},{row % 2}" for row in range(12)]
    (folder / "sound.csv").write_text("\n".join(["a,price,colour,y", *rows, ""]))
    rows = [f"{row},5;1.{row:03},25 €;007;{'xz'[row % 2]}" for row in range(12)]
    (folder / "sound.semicolons.csv").write_text("\n".join(["sep=;", "a;price;code;y", *rows, ""]), encoding="utf-8")
    np.savez(folder / "sound.npz", X=X[:5], y=Y[:5])
    np.savez_compressed(folder / "sound.compressed.npz", X=X[:5], y=Y[:5])
    write_table(read_table(folder / "sound.csv"), folder / "sound.parquet")
    return {name: (folder / name).read_bytes() for name in READERS if (folder / name).exists()}


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file: change some bytes, or cut, repeat, move or insert some."""
    parts = bytearray(content)
    first, last = sorted(rng.integers(0, len(parts) + 1, 2).tolist())
    match rng.integers(0, 6):
        case 0:
            del parts[first:]
        case 1:
            del parts[first : first + int(rng.integers(1, 9))]
        case 2:
            parts[first:first] = parts[first : min(last, first + 64)]
        case 3:
            parts[first:first] = rng.integers(0, 256, int(rng.integers(1, 9)), dtype=np.uint8).tobytes()
        case _:
            for place in rng.integers(0, len(parts), int(rng.integers(1, 5))).tolist():
                parts[place] = int(rng.choice([rng.integers(0, 256), 0, 255, parts[place] ^ 1, parts[place] ^ 128]))
    return bytes(parts)


def format_of(number: int, names: list[str]) -> str:
    """Return the name of the sound file that becomes the damaged file of a number."""
    rare = next((name for name, share in SHARES.items() if number % share == 0), None)
    quick = [name for name in names if name not in SHARES]
    return rare or quick[(number + number // 20) % len(quick)]


def test_damaged_files_of_every_format(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    sound = write_sound_files(tmp_path)
    assert len(sound) >= len(READERS) - (not has_onnx())
    (tmp_path / "damaged").mkdir()
    surprises, refused, read = [], 0, Counter[str]()
    for number in range(FIRST, FIRST + FILES):
        name = format_of(number, [*sound])
        read[name] += 1
        content = damaged(sound[name], np.random.default_rng(number))
        path = tmp_path / "damaged" / name
        path.write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", WorkingsWarning)
                READERS[name](path)
        except WorkingsError:
            refused += 1
        except Exception as error:
            surprises.append(f"number {number}, {name}: {type(error).__name__} {error}"[:200])
    record_property("damaged files read", FILES)
    record_property("damaged files refused", refused)
    print(*(f"{number:,} of {name}" for name, number in read.items()), f"{refused:,} refused", sep=", ")
    assert min(read[name] for name in sound) > 0
    assert not surprises, "\n".join(surprises[:50])


def zip_field(content: bytes, signature: bytes, offset: int, value: int) -> bytes:
    """Return an archive with another number in a field of its first entry."""
    place = content.index(signature) + offset
    return content[:place] + value.to_bytes(2, "little") + content[place + 2 :]


@pytest.mark.parametrize(("words", "signature", "offset", "value"), [
    ("compression", b"PK\x01\x02", 10, 99),
    ("compression beside the entry", b"PK\x03\x04", 8, 99),
    ("version", b"PK\x01\x02", 6, 200),
    ("encrypted", b"PK\x01\x02", 8, 1),
    ("patched data", b"PK\x01\x02", 8, 32),
])  # fmt: skip
def test_an_npz_file_of_an_unknown_kind_is_refused(
    tmp_path: Path, words: str, signature: bytes, offset: int, value: int
) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, X=X[:5], y=Y[:5])
    path.write_bytes(zip_field(path.read_bytes(), signature, offset, value))
    with contextlib.suppress(FileError):  # zipfile reads some of them
        assert len(read_npz(path)[0]) == 5
    net = Network([Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    with contextlib.suppress(FileError):
        net.script(optimizer=Adam(), epochs=1, data=path)


def test_a_parquet_file_that_ends_polars_leaves_this_process_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + b"\0" * 40 + b"PAR1")
    monkeypatch.setattr("workings.tables.files.READ_PARQUET", "import os; os.abort()")
    with pytest.raises(FileError, match="not a readable Parquet file: polars ended while it read it"):
        read_table(path)
