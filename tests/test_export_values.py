"""Exported files treat every number and every label as NumPy does: NaN, infinities, ties, huge and odd labels."""

from __future__ import annotations

import ctypes
import runpy
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workings import SGD, Activation, CrossEntropy, Dense, FileError, InputError, Network, ProgramError, files
from workings.activations import ACTIVATIONS
from workings.engines.reference import Runner
from workings.files.c import FLAGS, CProgram, compiler_here
from workings.files.c_loops import C_CHARACTERS
from workings.files.onnx import OnnxExport
from workings.files.verification import (
    allowed_difference,
    check_special,
    generated_rows,
    largest_difference,
    special_rows,
)
from workings.losses import LOSSES
from workings.readings.script import save_script, script
from workings.tables.columns import CategoryColumn, Columns, NumberColumn

needs_c = pytest.mark.skipif(compiler_here() is None, reason="there is no C compiler")
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 100.0, -100.0, 1e4, -1e4]
DTYPES = ["float32", "float64"]


class Library:
    """Several networks as one C library, which is compiled once."""

    def __init__(self, folder: Path, networks: dict[str, Network], **how: bool) -> None:
        self.networks = networks
        for name, network in networks.items():
            program = CProgram(network, name, name, how.get("int8", False))
            (folder / f"{name}.c").write_text(program.source())
            (folder / f"{name}.h").write_text(program.header())
        (folder / "all.c").write_text("".join(f'#include "{name}.c"\n' for name in networks))
        command = [str(compiler_here()), *FLAGS, "-shared", "-fPIC", "-o", "all.so", "all.c", "-lm"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[:2000]
        self.library = ctypes.CDLL(str(folder / "all.so"))

    def outputs(self, name: str, *columns: np.ndarray) -> np.ndarray:
        """The outputs for rows: X, or the numbers and the codes of a table's columns."""
        network = self.networks[name]
        p = np.zeros((len(columns[0]), network.n_out), dtype=network.dtype)
        for row, place in enumerate(p):
            given = [np.ascontiguousarray(array[row]).ctypes.data_as(ctypes.c_void_p) for array in columns]
            getattr(self.library, f"{name}_outputs")(*given, place.ctypes.data_as(ctypes.c_void_p))
        return p

    def labels(self, name: str, p: np.ndarray) -> list[int]:
        """The index of the label that is chosen for each row of outputs."""
        rows = [np.ascontiguousarray(row, dtype=self.networks[name].dtype) for row in p]
        return [getattr(self.library, f"{name}_label")(row.ctypes.data_as(ctypes.c_void_p)) for row in rows]


def reference(network: Network, X: np.ndarray) -> np.ndarray:
    """The outputs by NumPy, without the checks of ``outputs``."""
    values = {**network.parameters, **network.statistics, "X": X, "n": len(X)}
    return np.asarray(Runner(network.inference.needed_for("p"), ["p"], "reference")(values)[0])


def in_onnxruntime(network: Network, X: np.ndarray) -> list[np.ndarray]:
    """The outputs of a network's ONNX graph."""
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    content = OnnxExport(network).model_proto().SerializeToString()
    found: list[np.ndarray] = runtime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, {"X": X})
    return found


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether numbers are equal but for rounding, and NaN and infinite at the same places."""
    return bool(np.isclose(found, expected, rtol=1e-5, atol=1e-30, equal_nan=True).all())


# -- NaN and infinity -----------------------------------------------------------------------


def flat(z: Any) -> Any:
    """is 0"""
    return 0 * z


def larger(z: Any) -> Any:
    """is at least 1/2"""
    return np.maximum(z, 0.5)


def larger_turned(z: Any) -> Any:
    """is at least 1/2"""
    return np.maximum(0.5, z)


def smaller(z: Any) -> Any:
    """is at most 1/2"""
    return np.minimum(z, 0.5)


def smaller_turned(z: Any) -> Any:
    """is at most 1/2"""
    return np.minimum(0.5, z)


def clipped(z: Any) -> Any:
    """is between -1 and 1"""
    return np.clip(z, -1.0, 1.0)


def stepped(z: Any) -> Any:
    """is a step"""
    return np.heaviside(z, 0.25)


def truth(z: Any) -> Any:
    """is 2 where z is not 0"""
    return np.where(z, 2.0, 3.0)


def compared(z: Any) -> Any:
    """counts comparisons"""
    return (z > 0) * 1.0 + (z >= 0) * 2.0 + (z < 1) * 4.0 + (z <= 1) * 8.0 + (z == z) * 16.0 + (z != z) * 32.0


def rooted(z: Any) -> Any:
    """is the square root as a power"""
    return z**0.5


def powers(z: Any) -> Any:
    """is a sum of powers"""
    return z**2 + z**3


OWN = [larger, larger_turned, smaller, smaller_turned, clipped, stepped, truth, compared, rooted, powers]
FUNCTIONS = ["exp", "expm1", "log", "log1p", "tanh", "sqrt", "abs", "sin", "cos", "sign", "square", "reciprocal",
             "floor", "ceil"]  # fmt: skip
EVERY_ACTIVATION = {
    **ACTIVATIONS,
    **{function.__name__: Activation(function.__name__, function, flat) for function in OWN},
    **{f"np_{name}": Activation(name, getattr(np, name), flat) for name in FUNCTIONS},
}


def network_with(activation: Activation, dtype: str) -> Network:
    """A network whose output is an activation of its input."""
    one = np.ones((1, 1))
    layers = [Dense(1, activation, weights=one), Dense(1, weights=one)]
    return Network(layers, loss="SquaredError", seed=0, dtype=dtype).build(1)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """All activations in C."""
    networks = {
        f"{name}_{dtype}": network_with(activation, dtype)
        for name, activation in EVERY_ACTIVATION.items()
        for dtype in DTYPES
    }
    return Library(tmp_path_factory.mktemp("compiled"), networks)


@needs_c
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EVERY_ACTIVATION)
def test_c_computes_nan_and_infinity_as_numpy(compiled: Library, name: str, dtype: str) -> None:
    X = np.array(SPECIAL, dtype=dtype)[:, None]
    expected = reference(compiled.networks[f"{name}_{dtype}"], X)
    assert same(compiled.outputs(f"{name}_{dtype}", X), expected)
    if name in ACTIVATIONS:
        assert np.isnan(expected[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EVERY_ACTIVATION)
def test_onnx_computes_nan_and_infinity_as_numpy(name: str, dtype: str) -> None:
    network, X = network_with(EVERY_ACTIVATION[name], dtype), np.array(SPECIAL, dtype=dtype)[:, None]
    assert same(in_onnxruntime(network, X)[0], reference(network, X))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*ACTIVATIONS, "clipped", "stepped", "compared"])
def test_the_script_computes_nan_and_infinity_as_numpy(tmp_path: Path, name: str, dtype: str) -> None:
    network, X = network_with(EVERY_ACTIVATION[name], dtype), np.array(SPECIAL, dtype=dtype)[:, None]
    (tmp_path / "net.py").write_text(script(network))
    with np.errstate(all="ignore"):
        found = runpy.run_path(str(tmp_path / "net.py"))["outputs"](X)
    assert found.tobytes() == reference(network, X).tobytes()


def linked(loss: str, dtype: str) -> Network:
    """A network whose three z are its inputs times a large number, infinite where X is large."""
    network = Network([Dense(3)], loss=loss, seed=0, dtype=dtype).build(3)
    network.parameters["W1"][...] = np.eye(3) * large(dtype)
    return network


def large(dtype: str) -> float:
    """A number whose square is infinite."""
    return 1e20 if dtype == "float32" else 1e200


def rows_of(dtype: str) -> np.ndarray:
    """Rows whose z are 0, 1, infinities and NaN, in all combinations."""
    values = np.array([0.0, 1 / large(dtype), large(dtype), -large(dtype), np.nan], dtype=dtype)
    return np.array(np.meshgrid(values, values, values)).reshape(3, -1).T.copy()


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """All losses in C."""
    networks = {f"{loss}_{dtype}": linked(loss, dtype) for loss in LOSSES for dtype in DTYPES}
    return Library(tmp_path_factory.mktemp("losses"), networks)


@needs_c
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_link_treats_infinite_z_as_numpy(losses: Library, loss: str, dtype: str) -> None:
    network, X = losses.networks[f"{loss}_{dtype}"], rows_of(dtype)
    expected = reference(network, X)
    assert same(losses.outputs(f"{loss}_{dtype}", X), expected)
    found = in_onnxruntime(network, X)
    assert same(found[-1], expected)
    if len(found) > 1:
        assert found[0].tolist() == network.targets.decode(expected).tolist()


@needs_c
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_class_is_chosen_as_by_numpy(losses: Library, dtype: str) -> None:
    values = [0.0, 0.25, 0.5, np.nan, np.inf, -np.inf]
    p = np.array(np.meshgrid(values, values, values)).reshape(3, -1).T
    assert losses.labels(f"CrossEntropy_{dtype}", p) == p.argmax(axis=1).tolist()  # of ties, the first


def table_network(fill: bool) -> Network:
    """A network of a table with one column of numbers and one of words."""
    age = NumberColumn("age", 40.0, 10.0, 38.0 if fill else None)
    colour = CategoryColumn("colour", ("blue", "green", "red"), "green" if fill else None)
    network = Network([Dense(4, "relu"), Dense(2)], loss=CrossEntropy(), seed=0).build(4)
    network.preprocessing = Columns((age, colour), "kind", None).stored(["bad", "ok"], "made for a test")
    return network


@needs_c
@pytest.mark.parametrize("fill", [False, True])
def test_a_gap_in_a_table_is_no_sure_answer(tmp_path: Path, fill: bool) -> None:
    network = table_network(fill)
    library = Library(tmp_path, {"net": network})
    numbers = np.array([[np.nan], [30.0], [30.0], [30.0], [30.0]])
    codes = np.array([[0], [-1], [-2], [3], [1]], dtype=np.int32)
    p = library.outputs("net", numbers, codes)
    words = np.array([["blue"], [""], ["mauve"], ["puce"], ["green"]], dtype=object)
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    content = OnnxExport(network).model_proto().SerializeToString()
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    of_onnx = session.run(["probabilities"], {"columns": numbers, "words": words})[0]
    expected = np.full((5, 2), np.nan)
    expected[4] = network.predict_proba({"age": [30], "colour": ["green"]})
    if fill:
        expected[:2] = network.predict_proba({"age": [None, 30], "colour": ["blue", None]})
    assert same(p, expected)
    assert same(of_onnx, expected)


def test_a_file_that_loses_nan_is_refused() -> None:
    network = Network([Dense(3, "relu"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    rows = special_rows(network)
    p = reference(network, rows.X)
    check_special("gcc", network, rows, p)
    for value in (0.0, np.inf):
        with pytest.raises(FileError, match=r"gcc does not treat .* as NumPy does: for X = \[nan, "):
            check_special("gcc", network, rows, np.where(np.isnan(p), value, p))


@needs_c
def test_the_self_test_does_not_let_nan_pass(tmp_path: Path) -> None:
    network = Network([Dense(2, "tanh", biases=np.array([0.5, 0.25])), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    source = files.save(network, tmp_path / "n.c").paths[0]
    text = source.read_text()
    assert "0.5, 0.25" in text
    source.write_text(text.replace("0.5, 0.25", "NAN, 0.25", 1))
    command = [str(compiler_here()), *FLAGS, "-DN_SELF_TEST", "-o", "test", "n.c", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "test"], check=False).returncode == 10


@needs_c
@pytest.mark.parametrize("fails", ["always", "without arguments"])
def test_a_program_that_the_system_terminates_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    kill = "raise(SIGKILL);" if fails == "always" else "if (count == 1) raise(SIGKILL);"
    main = f"int main(int count, char **words) {{ {kill} return !count || !words; }}"
    (tmp_path / "bad.c").write_text(f"#include <signal.h>\n{main}\n")
    compiler = tmp_path / "bad-compiler"
    compiler.write_text(f'#!/bin/sh\nexec "{compiler_here()}" -o driver "{tmp_path}/bad.c"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    network = Network([Dense(1)], loss="SquaredError", seed=0, n_in=2)
    with pytest.raises(FileError, match=r"n\.c was terminated by the system"):
        files.save(network, tmp_path / "n.c")
    assert not (tmp_path / "n.c").exists()


# -- labels ---------------------------------------------------------------------------------

LABELS = {
    "bytes": np.array([3, 200], dtype=np.uint8), "shorts": np.array([-300, 300], dtype=np.int16),
    "extremes": np.array([-(2**63), 2**63 - 1]), "long": np.array([2**40, 2**40 + 1]),
    "negative": np.array([-5, -1]), "unsigned": np.array([7, 2**64 - 1], dtype=np.uint64),
    "booleans": np.array([False, True]), "floats": np.array([1.0, 2.0], dtype=np.float32),
    "float extremes": np.array([1 - 2.0**53, 2.0**53 - 1]), "objects": np.array(["b", "a"], dtype=object),
    "words": np.array(["", "ä"]), "quotes": np.array(['"', "'"]), "both quotes": np.array(["it's \"so\"", "\\"]),
    "trigraphs": np.array(["??/", "??'"]), "lines": np.array(["a\nb", "a\r\n\tb"]), "spaces": np.array([" a", "a  b "]),
    "signs": np.array(["*/", "/*"]), "octal": np.array(["\x017", "\x7f8"]), "emoji": np.array(["😀", "\u2028"]),
    "marks": np.array(["\u202eab", "%s%n"]), "huge": np.array(["x" * 5000, "x" * 5001]),
    "number-like": np.array(["007", "7"]), "nan": np.array(["nan", "None"]),
}  # fmt: skip


def labelled(labels: np.ndarray, loss: str) -> tuple[Network, np.ndarray]:
    """A network that was trained on these two labels, and rows."""
    X = np.random.default_rng(0).normal(size=(12, 2))
    network = Network([Dense(2 if loss == "CrossEntropy" else 1)], loss=loss, seed=0)
    network.fit(X, labels[(X[:, 0] > 0).astype(int)], optimizer=SGD(0.5), epochs=30)
    return network, X


def test_only_printable_bytes_stand_in_the_c_source_as_they_are() -> None:
    plain = [byte for byte in range(256) if C_CHARACTERS[byte] == chr(byte)]
    assert plain == [byte for byte in range(ord(" "), ord("~") + 1) if chr(byte) not in '"\\?']
    assert C_CHARACTERS[0x1F] == "\\037"
    assert C_CHARACTERS[0x7F] == "\\177"


@needs_c
def test_labels_of_every_kind_in_c(tmp_path: Path) -> None:
    networks = {name.replace("-", " ").replace(" ", "_"): labelled(y, "CrossEntropy")[0] for name, y in LABELS.items()}
    library = Library(tmp_path, networks).library
    for name, network in networks.items():
        assert network.classes is not None
        kind = network.classes.dtype.kind
        entry = {"U": ctypes.c_char_p, "u": ctypes.c_ulonglong}.get(kind, ctypes.c_longlong)
        found = list((entry * 2).in_dll(library, f"{name}_labels"))
        texts = [text.decode() if isinstance(text, bytes) else text for text in found]
        assert texts == network.classes.tolist()
    assert "1099511627776LL" in (tmp_path / "long.c").read_text()


@pytest.mark.parametrize("loss", ["CrossEntropy", "BinaryCrossEntropy"])
@pytest.mark.parametrize("end", ["onnx", "py", "json", "safetensors"])
@pytest.mark.parametrize("name", LABELS)
def test_labels_of_every_kind_come_back(tmp_path: Path, name: str, end: str, loss: str) -> None:
    network, X = labelled(LABELS[name], loss)
    expected = network.predict(X).tolist()
    assert set(expected) == set(LABELS[name].tolist())
    if end == "onnx":
        found = in_onnxruntime(network, X)[0].tolist()
        assert files.save(network, tmp_path / "n.onnx").agreement.ok  # type: ignore[union-attr]
    elif end == "py":
        (tmp_path / "n.py").write_text(script(network), encoding="utf-8")
        found = runpy.run_path(str(tmp_path / "n.py"))["predict"](X).tolist()
    else:
        found = files.load(files.save(network, tmp_path / f"n.{end}").paths[0]).predict(X).tolist()
    assert found == expected


@pytest.mark.parametrize("name", LABELS)
def test_a_training_script_holds_labels_of_every_kind(tmp_path: Path, name: str) -> None:
    X = np.random.default_rng(0).normal(size=(12, 2))
    y = LABELS[name][(X[:, 0] > 0).astype(int)]
    how: dict[str, Any] = {"optimizer": SGD(0.5), "epochs": 30, "batch_size": None}
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0)
    text = script(network, data=(X, y), validation=(X[:3], y[:3]), **how)
    network.fit(X, y, **how)
    (tmp_path / "n.py").write_text(text, encoding="utf-8")
    assert runpy.run_path(str(tmp_path / "n.py"))["predict"](X).tolist() == network.predict(X).tolist()


@pytest.mark.parametrize(("end", "text"), [("c", "a\0b"), ("c", "\ud800"), ("json", "\ud800"), ("onnx", "\ud800")])
def test_labels_that_a_format_cannot_hold_are_refused(tmp_path: Path, end: str, text: str) -> None:
    network, _ = labelled(np.array([text, "b"]), "CrossEntropy")
    with pytest.raises(InputError, match=r"cannot (take|hold) the text"):
        files.save(network, tmp_path / f"n.{end}")
    assert not list(tmp_path.iterdir())


# -- names ----------------------------------------------------------------------------------


def sign(z: Any) -> Any:
    """is not the sign"""
    return 0.1 * z


def label(double: Any) -> Any:
    """has names that C has otherwise"""
    bool, double_, nullptr = double / 2, double / 3, np.sign(double)
    return sign(bool) + double_ + nullptr


def outputs(z: Any) -> Any:
    """has the name of the file's own function"""
    return label(z) + np.maximum(z, 1)


def maximum(z: Any) -> Any:
    """is not NumPy's maximum"""
    return 0.1 * outputs(z) + np.maximum(z, 2) + np.tanh(z)


def fabs(z: Any) -> Any:
    """has the name of a function of C"""
    return maximum(z) + np.abs(z)


@needs_c
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["net", "int_", "class"])
def test_names_of_a_users_functions_do_not_meet_those_of_c(tmp_path: Path, name: str, dtype: str) -> None:
    functions = [sign, label, outputs, maximum, fabs]
    layers = [Dense(2, Activation(function.__name__, function, flat)) for function in functions]
    network = Network([*layers, Dense(2)], loss="SquaredError", seed=0, dtype=dtype).build(2)
    X = np.random.default_rng(0).normal(size=(20, 2)).astype(dtype)
    library = Library(tmp_path, {name: network})
    assert np.allclose(library.outputs(name, X), reference(network, X), rtol=1e-4 if dtype == "float32" else 1e-10)
    assert files.save(network, tmp_path / "own.onnx").agreement.ok  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["int", "double", "bool", "main", "while", "nullptr", "x", "9a", "a-b", ""])
def test_keywords_are_no_names_in_c(tmp_path: Path, name: str) -> None:
    network = Network([Dense(1)], loss="SquaredError", seed=0, n_in=2)
    with pytest.raises(InputError, match="not a valid C name"):
        files.save(network, tmp_path / "n.c", name=name)
    assert CProgram(network, "net_for", "for", False).header().count("void net_for_outputs(") == 1


@pytest.mark.parametrize("name", ["math.c", "stdio.c", "String.c", 'a"b.c', "a\\b.c", "a\nb.c"])
def test_c_files_that_would_hide_a_header_are_refused(tmp_path: Path, name: str) -> None:
    network = Network([Dense(1)], loss="SquaredError", seed=0, n_in=2)
    with pytest.raises(InputError, match="not a usable name for a C file"):
        files.save(network, tmp_path / name)
    assert not list(tmp_path.iterdir())


@needs_c
@pytest.mark.parametrize("name", ["for.c", "int.c", "driver.c", "self-test.c"])
def test_c_files_may_be_called_by_keywords(tmp_path: Path, name: str) -> None:
    network = Network([Dense(1)], loss="SquaredError", seed=0, n_in=2)
    assert files.save(network, tmp_path / name).agreement.ok  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["numbers", "types", "enum", "Random", "numpy", "math", "__future__"])
def test_scripts_that_would_hide_a_module_are_refused(tmp_path: Path, name: str) -> None:
    network = Network([Dense(1)], loss="SquaredError", seed=0, n_in=2)
    for write in (files.save, lambda network, path: save_script(network, path, optimizer=SGD(0.1))):
        with pytest.raises(InputError, match=rf"'{name}\.py' has the name of a module"):
            write(network, tmp_path / f"{name}.py")
    assert not list(tmp_path.iterdir())
    assert files.save(network, tmp_path / "my_numbers.py").agreement.ok  # type: ignore[union-attr]


def test_a_script_takes_the_number_of_columns_from_its_file(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(12, 3))
    np.savez(tmp_path / "data.npz", X=X, y=X[:, 0])
    how: dict[str, Any] = {"optimizer": SGD(0.1), "epochs": 3}
    unbuilt, built = (Network([Dense(1)], loss="SquaredError", seed=0, n_in=n_in) for n_in in (None, 3))
    text = script(unbuilt, data=str(tmp_path / "data.npz"), **how)
    assert text == script(built, data=str(tmp_path / "data.npz"), **how)
    assert unbuilt.n_in is None
    with pytest.raises(InputError, match="number of columns of X is unknown"):
        script(unbuilt, data="absent.npz", **how)
    for name, content in (("text.npz", b"no archive"), ("empty.npz", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileError, match=r"is not an \.npz file with the arrays X and y"):
            script(unbuilt, data=tmp_path / name, **how)
    np.savez(tmp_path / "other.npz", A=X)
    with pytest.raises(FileError, match=r"is not an \.npz file with the arrays X and y"):
        script(unbuilt, data=tmp_path / "other.npz", **how)


def test_what_onnxruntime_cannot_run_is_refused_in_our_own_words(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    network = Network([Dense(2, Activation("arctan", np.arctan, flat)), Dense(1)], loss="SquaredError", n_in=2)
    with pytest.raises(ProgramError, match=r"onnxruntime cannot run n\.onnx"):
        files.save(network, tmp_path / "n.onnx")


# -- large networks -------------------------------------------------------------------------


@needs_c
def test_large_arrays_are_written_as_their_bytes(tmp_path: Path) -> None:
    networks = {}
    for dtype in DTYPES:
        networks[f"net_{dtype}"] = Network([Dense(101, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0, dtype=dtype)
        networks[f"net_{dtype}"].build(101)
    library = Library(tmp_path, networks)
    for name, network in networks.items():
        X = np.random.default_rng(0).normal(size=(20, 101)).astype(network.dtype)
        near = 1e-4 if network.dtype == np.float32 else 1e-12
        assert np.allclose(library.outputs(name, X), reference(network, X), rtol=near)
        text = (tmp_path / f"{name}.c").read_text()
        assert "__ORDER_LITTLE_ENDIAN__" in text
        assert max(map(len, text.splitlines())) < 4 * 2000 + 10
    (tmp_path / "small").mkdir()
    small = Library(tmp_path / "small", networks, int8=True)
    assert np.allclose(small.outputs("net_float64", X), reference(networks["net_float64"], X), atol=0.1)


def in_order(X: np.ndarray, W: np.ndarray) -> np.ndarray:
    """A product whose sums are rounded after each term."""
    total = np.zeros((len(X), W.shape[1]), dtype=X.dtype)
    for x, w in zip(X.T, W, strict=True):
        total = total + x[:, None] * w
    return total


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n_in", "width"), [(784, 1000), (64, 32), (2000, 50)])
def test_the_tolerance_allows_every_order_of_the_sums(n_in: int, width: int, seed: int) -> None:
    network = Network([Dense(width, "relu"), Dense(width, "relu"), Dense(10)], loss="SquaredError", seed=seed,
                      dtype="float32").build(n_in)  # fmt: skip
    rows, values = generated_rows(network), network.parameters
    allowed = allowed_difference(network, rows.X)
    X = rows.X[::10]
    hidden = np.maximum(in_order(X, values["W1"]) + values["b1"], 0)
    hidden = np.maximum(in_order(hidden, values["W2"]) + values["b2"], 0)
    found = in_order(hidden, values["W3"]) + values["b3"]
    difference = largest_difference(found, reference(network, X))
    assert 0 < difference < allowed < 2e-3


def test_the_tolerance_of_float64_stays_small() -> None:
    network = Network([Dense(300, "relu"), Dense(10)], loss=CrossEntropy(), seed=0, n_in=300)
    assert 1e-12 < allowed_difference(network, generated_rows(network).X) < 3e-12


@needs_c
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_large_network_in_float32_is_exported(tmp_path: Path, seed: int) -> None:
    layers = [Dense(1000, "relu"), Dense(1000, "relu"), Dense(10)]
    network = Network(layers, loss=CrossEntropy(), seed=seed, dtype="float32").build(784)
    assert files.save(network, tmp_path / "n.c").agreement.ok  # type: ignore[union-attr]
