"""Files: what is saved comes back to the last bit, and whatever is no whole file of ours is refused."""

from __future__ import annotations

import ast
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save_file as save_foreign

import workings
from workings import (
    L1,
    L2,
    LBFGS,
    SGD,
    Activation,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    Callback,
    Checkpoint,
    CrossEntropy,
    Dense,
    Dropout,
    EarlyStopping,
    Exp,
    FileError,
    History,
    Huber,
    InputError,
    Network,
    NTKDense,
    PeriodicEmbedding,
    Poisson,
    Scale,
    SmoothClip,
    SquaredError,
)
from workings.activations import ACTIVATIONS
from workings.datasets import moons
from workings.errors import DivergenceError
from workings.schedules import OnPlateau
from workings.support import atomic_files

ROOT = Path(__file__).resolve().parents[1]
X, Y = moons(n=60, seed=0)
AS_FOUND = (Phase.explicit, Phase.reuse, Phase.generate)  # making an example smaller can take minutes here


def trained(seed: Any = 0, path: Path | None = None) -> Network:
    """A small network with a bit of everything."""
    layers = [Dense(5), BatchNorm("relu"), Dropout(0.2), Dense(4, "elu", bias=False), Dense(2)]
    network = Network(layers, loss=CrossEntropy(), regularizer=[L2(1e-3), L1(1e-4)], seed=seed)
    network.fit(X, np.array(["lower", "upper"])[Y], optimizer=Adam(1e-2), epochs=2)
    if path is not None:
        network.save(path)
    return network


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a file that is as it should be."""
    path = tmp_path_factory.mktemp("whole") / "network.safetensors"
    trained(path=path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path that is written over and over."""
    return tmp_path_factory.mktemp("scratch") / "network.safetensors"


def edited(content: bytes, edit: Callable[[dict[str, Any]], Any]) -> bytes:
    """The same file with another description."""
    header, rest = take_apart(content)
    about = json.loads(header["__metadata__"]["workings"])
    edit(about)
    header["__metadata__"]["workings"] = json.dumps(about)
    return put_together(header, rest)


def take_apart(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the numbers of a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def put_together(header: dict[str, Any], rest: bytes) -> bytes:
    """A safetensors file of a header and numbers."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + rest


def load_bytes(path: Path, content: bytes, **settings: Any) -> Network:
    """Load what these bytes are as a file."""
    path.write_bytes(content)
    return Network.load(path, **settings)


def refused(path: Path, content: bytes, *says: str) -> None:
    """Check that these bytes are refused as a file, in words that say all of this."""
    with pytest.raises(FileError) as caught:
        load_bytes(path, content)
    for words in says:
        assert words in str(caught.value)


# -- there and back -------------------------------------------------------------------------

letters = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
hidden_layers = st.one_of(
    st.builds(Dense, st.integers(1, 5), st.sampled_from(sorted(ACTIVATIONS)), bias=st.booleans()),
    st.builds(NTKDense, st.integers(1, 5), st.sampled_from(sorted(ACTIVATIONS))),
    st.just(Scale()),
    st.builds(SmoothClip, st.floats(0.1, 10)),
    st.builds(Exp, st.floats(-0.1, 0.1), st.floats(-1, 1)),
    st.builds(PeriodicEmbedding, st.integers(1, 3), phases=st.sampled_from(["random", "quarters"])),
    st.builds(Dropout, st.floats(0, 0.9)),
    st.builds(BatchNorm, st.sampled_from(sorted(ACTIVATIONS)), momentum=st.floats(0.01, 1), eps=st.floats(1e-8, 1e-2)),
)
labels = st.one_of(
    st.lists(st.text(letters, min_size=1, max_size=8), min_size=2, max_size=4, unique=True),
    st.lists(st.integers(-(2**62), 2**62), min_size=2, max_size=4, unique=True),
    st.just([False, True]),
)
regularizers = st.lists(st.one_of(st.builds(L2, st.floats(0, 1)), st.builds(L1, st.floats(0, 1))), max_size=2)


@st.composite
def networks(draw: st.DrawFn) -> tuple[Network, np.ndarray, np.ndarray]:
    """A random network that has been trained a little, and its data."""
    reduction = draw(st.sampled_from(["mean", "sum"]))
    loss = draw(
        st.sampled_from([
            SquaredError(half=draw(st.booleans()), reduction=reduction), Huber(delta=0.7, reduction=reduction),
            CrossEntropy(label_smoothing=draw(st.sampled_from([0.0, 0.1])), reduction=reduction),
            BinaryCrossEntropy(reduction=reduction), Poisson(reduction=reduction),
        ])
    )  # fmt: skip
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    inputs = rng.standard_normal((12, draw(st.integers(1, 4))))
    if isinstance(loss, CrossEntropy):
        known = draw(labels)
        y, units = np.array(known)[np.arange(12) % len(known)], len(known)
    elif isinstance(loss, BinaryCrossEntropy):
        known = draw(labels)[:2]
        y, units = np.array(known)[np.arange(12) % 2], 1
    else:
        units = draw(st.integers(1, 3))
        y = rng.poisson(2.0, (12, units)).astype(float)
        y = y.ravel() if units == 1 else y
    network = Network(
        [*draw(st.lists(hidden_layers, max_size=4)), Dense(units)], loss=loss, regularizer=draw(regularizers), seed=1,
        dtype=draw(st.sampled_from(["float32", "float64"])),
    )  # fmt: skip
    try:
        network.fit(inputs, y, optimizer=SGD(1e-4), epochs=2, batch_size=6)
    except DivergenceError:  # exp(z) of an unlucky network
        reject()
    return network, inputs, y


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=AS_FOUND)
@given(networks())
def test_what_is_saved_comes_back_to_the_last_bit(scratch: Path, made: tuple[Network, np.ndarray, np.ndarray]) -> None:
    network, inputs, y = made
    network.save(scratch)
    again = Network.load(scratch)
    assert again.theta.dtype == network.theta.dtype
    assert again.theta.tobytes() == network.theta.tobytes()
    assert again.statistics.keys() == network.statistics.keys()
    assert again.outputs(inputs).tobytes() == network.outputs(inputs).tobytes()
    predicted = again.predict(inputs)
    assert predicted.dtype == network.predict(inputs).dtype
    assert np.array_equal(predicted, network.predict(inputs))
    assert again.objective(inputs, y) == network.objective(inputs, y)
    assert (again.layers, again.loss, again.regularizers) == (network.layers, network.loss, network.regularizers)
    assert again.summary() == network.summary()
    if network.classes is not None:
        assert again.classes is not None
        assert again.classes.dtype == network.classes.dtype
        assert np.array_equal(again.classes, network.classes)


def test_a_loaded_network_can_be_trained_on(tmp_path: Path) -> None:
    path = tmp_path / "n.safetensors"
    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    network.fit(X, Y, optimizer=SGD(0.1), epochs=3, batch_size=None)
    again = Network.load(network.save(path))
    for each in (network, again):
        each.fit(X, Y, optimizer=Adam(0.1), epochs=5, batch_size=None)
    assert np.array_equal(network.theta, again.theta)


def test_save_gives_its_path_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "one" / "two" / "n.safetensors"
    assert Network([Dense(1)], loss=SquaredError(), seed=0, n_in=2).save(str(path)) == path
    assert path.exists()


def softsign(z: Any) -> Any:
    """is z, scaled into -1..1"""
    return z / (1 + np.abs(z))


def softsign_derivative(z: Any) -> Any:
    """is steepest in the middle"""
    return 1 / (1 + np.abs(z)) ** 2


SOFTSIGN = Activation("softsign", softsign, softsign_derivative)


class Quiet(Dense):
    """A layer of our own, that is as Dense."""


def test_an_activation_of_ones_own_is_passed_as_custom(tmp_path: Path) -> None:
    network = Network([Dense(4, SOFTSIGN), Dense(2)], loss=CrossEntropy(), seed=0)
    network.fit(X, Y, optimizer=SGD(0.1), epochs=2)
    path = network.save(tmp_path / "n.safetensors")
    with pytest.raises(FileError, match=r"'softsign'.*custom=\[softsign\]"):
        Network.load(path)
    assert np.array_equal(Network.load(path, custom=[SOFTSIGN]).predict_proba(X), network.predict_proba(X))


def test_constants_of_an_activation_come_back(tmp_path: Path) -> None:
    steep = ACTIVATIONS["leaky_relu"].with_constants(slope=0.3)
    network = Network([Dense(4, steep), Dense(1)], loss=SquaredError(), seed=0, n_in=2)
    assert np.array_equal(Network.load(network.save(tmp_path / "n")).outputs(X), network.outputs(X))


def test_a_layer_of_ones_own_is_passed_as_custom(tmp_path: Path) -> None:
    path = Network([Quiet(4, "tanh"), Dense(1)], loss=SquaredError(), seed=0, n_in=2).save(tmp_path / "n")
    with pytest.raises(FileError, match=r"Unknown layer 'Quiet'.*custom="):
        Network.load(path)
    assert isinstance(Network.load(path, custom=[Quiet]).layers[0], Quiet)


def test_the_layer_that_asks_for_preprocessing_gets_it_back(tmp_path: Path) -> None:
    network = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=2)
    network.preprocessing = {"mean": [0.1, 2.0], "columns": ["a", "b"]}
    assert Network.load(network.save(tmp_path / "n")).preprocessing == network.preprocessing


# -- writing --------------------------------------------------------------------------------


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here first")
    with pytest.raises(FileError, match=r"Cannot write .*Choose a folder that can be written to"):
        trained(path=tmp_path / "file" / "n.safetensors")
    assert (tmp_path / "file").read_text() == "here first"


@pytest.mark.parametrize(("error", "seen"), [(OSError("the disk is full"), FileError), (KeyboardInterrupt(), None)])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, seen: type[BaseException] | None
) -> None:
    path = tmp_path / "n.safetensors"
    network = trained(path=path)
    before = path.read_bytes()

    def fails(*_: object) -> None:
        raise error

    network.fit(X, np.array(["lower", "upper"])[Y], optimizer=SGD(0.1), epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        with pytest.raises(seen or type(error)):
            network.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["n.safetensors"]
    network.save(path)
    assert path.read_bytes() != before


FROZEN_WHILE_WRITING = """
import os, sys, time
from pathlib import Path
from workings.support import atomic_files

def freeze(*_):
    print("writing", flush=True)
    time.sleep(60)

os.replace = freeze
atomic_files.write_bytes(Path(sys.argv[1]), b"other" * 1000)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_the_next_run_removes_what_a_killed_write_left_and_nothing_else(tmp_path: Path) -> None:
    path, other = tmp_path / "c.st", tmp_path / "c.st.st"
    strangers = [".c.st.notes", ".c.st.12345678.partial.bak", ".c.st.toolong12.partial", "c.st.12345678.partial"]
    for name in strangers:
        (tmp_path / name).write_text("mine")

    def frozen(target: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", FROZEN_WHILE_WRITING, str(target)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        return process

    killed, running, of_another_file = frozen(path), frozen(path), frozen(other)
    for process in (killed, of_another_file):
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert len(list(tmp_path.glob(".*.partial"))) == 3 + 1, "the test wants three that were left, and a stranger"
    atomic_files.CLEARED.discard(path)
    atomic_files.write_bytes(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert len(list(tmp_path.glob(".c.st.????????.partial"))) == 1, "the other run's file stays"
    assert len(list(tmp_path.glob(".c.st.st.????????.partial"))) == 1, "so does that of another file"
    assert all((tmp_path / name).exists() for name in strangers)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    atomic_files.CLEARED.clear()
    for target in (path, other):
        atomic_files.write_bytes(target, b"whole")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([*strangers, path.name, other.name])


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    path = tmp_path / "n.safetensors"
    trained(path=path)
    (tmp_path / "other").write_text("")
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


# -- reading what is no file of ours --------------------------------------------------------


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"Cannot read .*No such file"):
        Network.load(tmp_path / "nowhere")
    with pytest.raises(FileError, match="Cannot read"):
        Network.load(tmp_path)


def test_a_file_cut_short_anywhere(whole: bytes, scratch: Path) -> None:
    lengths = {*range(0, len(whole), 37), *range(12), *range(len(whole) - 12, len(whole))}
    for length in sorted(lengths):
        refused(scratch, whole[:length], str(scratch))


def test_a_file_with_more_at_its_end(whole: bytes, scratch: Path) -> None:
    refused(scratch, whole + b"\0" * 9, "damaged")


def loads_or_is_refused(path: Path, content: bytes) -> None:
    """Check that bytes are refused as a file, or make a network that can be used."""
    try:
        network = load_bytes(path, content)
    except FileError:
        return
    assert network.n_in is not None
    assert np.isfinite(network.theta).all()
    assert len(network.predict(np.zeros((3, network.n_in)))) == 3
    assert "Network" in network.summary()
    assert network.save(path) == path


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=AS_FOUND)
@given(st.data())
def test_bytes_that_are_flipped(whole: bytes, scratch: Path, data: st.DataObject) -> None:
    content = bytearray(whole)
    end = st.sampled_from([len(whole) - 1, int.from_bytes(whole[:8], "little")])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, data.draw(end)))] = data.draw(st.integers(0, 255))
    loads_or_is_refused(scratch, bytes(content))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*path, key))


# One file in five is enough for `make test`; the others come with `make test-slow`.
SHARES = pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
GONE = object()
FEW_ODD_VALUES: list[Any] = [GONE, None, -1, 0.5, 10**400, "", [], {}]
ODD_VALUES = [*FEW_ODD_VALUES, True, 0, 3, 10**12, 1e308, float("nan"), float("inf"), "relu", "float32", "<U3", "|O",
              [1, 2], ["a"], {"kind": "Dense"}]  # fmt: skip


def changes(whole: bytes, part: str, odd_values: list[Any]) -> Iterator[tuple[str, bytes]]:
    """A file for each place of a part of the description, and each odd value that may stand there instead."""
    about = json.loads(take_apart(whole)[0]["__metadata__"]["workings"])
    for path in list(places(about[part])):
        for value in odd_values:

            def edit(found: dict[str, Any], path: tuple[Any, ...] = path, value: Any = value) -> None:
                inner: Any = found[part]
                for key in path[:-1]:
                    inner = inner[key]
                if value is GONE:
                    del inner[path[-1]]
                else:
                    inner[path[-1]] = value

            words = "gone" if value is GONE else repr(value)[:20]
            yield f"{'.'.join(map(str, path))} = {words}", edited(whole, edit)


def surprises(path: Path, files: Iterator[tuple[str, bytes]], check: Callable[[Path, bytes], None]) -> list[str]:
    """What files lead to, where it is anything but a refusal or a sound result: one example for each place."""
    found: dict[str, str] = {}
    for words, content in files:
        try:
            check(path, content)
        except Exception as error:
            found.setdefault(words.split(" = ")[0], f"{words}: {type(error).__name__} {error}"[:150])
    return list(found.values())


@SHARES
def test_descriptions_with_another_value_somewhere(whole: bytes, scratch: Path, every: int) -> None:
    files = itertools.islice(changes(whole, "network", ODD_VALUES), 0, None, every)
    found = surprises(scratch, files, loads_or_is_refused)
    assert not found, "\n".join(found)


def test_a_safetensors_file_of_another_program(tmp_path: Path) -> None:
    save_foreign({"weight": np.zeros((2, 3))}, tmp_path / "n")
    with pytest.raises(FileError, match=r"not a Workings network.*Network\.save writes"):
        Network.load(tmp_path / "n")
    save_foreign({"weight": np.zeros((2, 3))}, tmp_path / "n", metadata={"format": "pt"})
    with pytest.raises(FileError, match="not a Workings network"):
        Network.load(tmp_path / "n")


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"just a few words", b"a longer text, " * 100, b"\xff" * 64, b"PK\x03\x04" * 9, b"\0" * 64]
)
def test_what_is_no_safetensors_file(scratch: Path, content: bytes) -> None:
    refused(scratch, content, str(scratch), "not a")


def test_a_header_that_is_nested_without_end(scratch: Path) -> None:
    deep = b"[" * 200_000
    refused(scratch, len(deep).to_bytes(8, "little") + deep, "not a Workings network")


def test_a_file_of_a_newer_version(whole: bytes, scratch: Path) -> None:
    newer = edited(whole, lambda about: about.update(version=99))
    refused(scratch, newer, "format version 99", "reads up to 1", "git pull and pip install .")


@pytest.mark.parametrize("version", [0, -1, 1.5, "1", None, True, [1]])
def test_versions_that_are_none(whole: bytes, scratch: Path, version: Any) -> None:
    refused(scratch, edited(whole, lambda about: about.update(version=version)), "version of its format")


# One edit of the description each, and what the error has to say.
# fmt: off
DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no layers":          (lambda n: n.update(layers=[]),                       "layers"),
    "unknown layer":      (lambda n: n["layers"][0].update(kind="Dence"),       "Did you mean 'Dense'?"),
    "unknown loss":       (lambda n: n["loss"].update(kind="Hinge"),            "Unknown loss 'Hinge'"),
    "unknown price":      (lambda n: n["regularizers"][0].update(kind="L3"),    "Unknown regularizer 'L3'"),
    "unknown activation": (lambda n: n["layers"][0]["activation"].update(name="relux"), "'relux'"),
    "units of a text":    (lambda n: n["layers"][0].update(units="5"),          "units"),
    "absurd units":       (lambda n: n["layers"][0].update(units=10**12),       "1000000000000"),
    "negative units":     (lambda n: n["layers"][0].update(units=-5),           "-5"),
    "negative inputs":    (lambda n: n.update(n_in=-2),                         "-2"),
    "no inputs":          (lambda n: n.update(n_in=0),                          "number of inputs"),
    "absurd inputs":      (lambda n: n.update(n_in=10**12),                     "1000000000000"),
    "many inputs":        (lambda n: n.update(n_in=10**7),                      "W1"),
    "another type":       (lambda n: n.update(dtype="float32"),                 "float32"),
    "a type of none":     (lambda n: n.update(dtype="int8"),                    "int8"),
    "classes too few":    (lambda n: n.update(classes=["a"]),                     "class"),
    "classes too many":   (lambda n: n.update(classes=["a", "b", "c"]),           "class"),
    "classes twice":      (lambda n: n.update(classes=["a", "a"]),                "class"),
    "classes in rows":    (lambda n: n.update(classes=[["a", "b"]]),              "class"),
    "classes of objects": (lambda n: n.update(classes=[{}, None]),                "class"),
    "classes of two kinds": (lambda n: n.update(classes=["a", 1]),                 "class"),
    "something missing":  (lambda n: n.pop("loss"),                             "loss"),
    "one field more":     (lambda n: n["loss"].update(strength=3),              "strength"),
}
# fmt: on


@pytest.mark.parametrize("damage", DAMAGES)
def test_descriptions_that_do_not_hold_together(whole: bytes, scratch: Path, damage: str) -> None:
    edit, says = DAMAGES[damage]
    refused(scratch, edited(whole, lambda about: edit(about["network"])), says)


@pytest.mark.parametrize("about", [[], "network", 3, None, {"version": 1}, {"version": 1, "network": []}])
def test_descriptions_that_are_none(whole: bytes, scratch: Path, about: Any) -> None:
    header, rest = take_apart(whole)
    header["__metadata__"]["workings"] = json.dumps(about)
    refused(scratch, put_together(header, rest), str(scratch))


def with_arrays(path: Path, content: bytes, **changed: np.ndarray | None) -> bytes:
    """The same file with other arrays; None takes one out."""
    arrays = {**load_tensors(content), **changed}
    metadata = take_apart(content)[0]["__metadata__"]
    save_foreign({name: a for name, a in arrays.items() if a is not None}, path, metadata=metadata)
    return path.read_bytes()


def test_arrays_that_do_not_fit(whole: bytes, scratch: Path) -> None:
    W1 = load_tensors(whole)["W1"]
    assert W1.shape == (2, 5)
    refused(scratch, with_arrays(scratch, whole, W1=None), "no array 'W1'", "(2, 5)")
    refused(scratch, with_arrays(scratch, whole, running_mean1=None), "no array 'running_mean1'")
    refused(scratch, with_arrays(scratch, whole, W1=W1.T.copy()), "'W1'", "(5, 2)", "(2, 5)")
    refused(scratch, with_arrays(scratch, whole, W1=W1.astype(np.float32)), "'W1'", "float32", "float64")
    refused(scratch, with_arrays(scratch, whole, W1=W1.astype(np.int64)), "'W1'", "int64", "float64")
    for bad in (np.nan, np.inf):
        refused(scratch, with_arrays(scratch, whole, W1=np.where(W1[0, 0] == W1, bad, W1)), "'W1'", "not finite")


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F8_E5M2", "BOOL", "U64", "F16", "I8", "F4", "nonsense", 7])
def test_arrays_of_other_types_in_the_header(whole: bytes, scratch: Path, dtype: Any) -> None:
    header, rest = take_apart(whole)
    header["W1"]["dtype"] = dtype
    refused(scratch, put_together(header, rest))
    narrow = {"BF16": 2, "F16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "BOOL": 1, "I8": 1}
    if dtype in narrow:
        header["W1"]["shape"][0] *= 8 // narrow[dtype]
        refused(scratch, put_together(header, rest), "W1" if dtype in ("F16", "BOOL", "I8") else str(scratch))


def test_nothing_is_pickled_and_nothing_in_a_file_is_run() -> None:
    for path in (ROOT / "workings" / "files").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
                assert not names & {"pickle", "marshal", "shelve", "dill", "joblib", "importlib"}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__", "getattr_static"), path


# -- the documentation ----------------------------------------------------------------------


def test_the_documented_way_to_read_a_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "file-format.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in text.split("```python\n")[1:]]
    assert len(blocks) >= 2
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "file-format.md", "exec"), space)


def keys_in(value: Any) -> set[str]:
    """All keys in a JSON value."""
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in keys_in(item)}
    return {key for item in value for key in keys_in(item)} if isinstance(value, list) else set()


def test_every_key_that_is_written_is_documented(tmp_path: Path) -> None:
    path = tmp_path / "c"
    network = Network([Dense(2, "elu"), BatchNorm(), Dropout(0.1), Dense(2)], loss=CrossEntropy(), seed=0)
    network.fit(X, Y, optimizer=Adam(), epochs=1, validation=0.2, callbacks=[EarlyStopping(), Checkpoint(path)])
    header, _ = take_apart(path.read_bytes())
    about = json.loads(header["__metadata__"]["workings"])
    text = (ROOT / "docs" / "file-format.md").read_text(encoding="utf-8")
    keys = set(about) | set(about["network"]) | set(about["training"]) | keys_in(about["network"]["layers"])
    missing = {key for key in keys - {"alpha"} if f"`{key}`" not in text}
    assert not missing
    for name in header:
        kind = name.split(".")[0].rstrip("0123456789")
        assert kind == "__metadata__" or f"`{kind}" in text, name


# -- checkpoints ----------------------------------------------------------------------------


class Crash(Callback):
    """Ends the process, as far as a test can, after an epoch."""

    def __init__(self, after: int) -> None:
        self.after = after

    def on_epoch_end(self, training: Any) -> None:
        if training.epoch == self.after:
            raise RuntimeError("the power is gone")


SEEDS: dict[str, Callable[[], Any]] = {
    "int": lambda: 5,
    "Generator": lambda: np.random.default_rng(5),
    "MT19937": lambda: np.random.Generator(np.random.MT19937(5)),
    "Philox": lambda: np.random.Generator(np.random.Philox(5)),
    "SFC64": lambda: np.random.Generator(np.random.SFC64(5)),
    "RandomState": lambda: np.random.RandomState(5),
}


def everything(seed: Any) -> Network:
    """A network with all that a run has to remember."""
    layers = [Dense(6), BatchNorm("tanh"), Dropout(0.3), Dense(2)]
    return Network(layers, loss=CrossEntropy(), regularizer=L2(1e-3), seed=seed)


def run(network: Network, *callbacks: Callback, epochs: int = 9, patience: int = 3) -> Any:
    """A training with Adam, a plateau, shuffled batches, drawn validation rows and early stopping."""
    return network.fit(
        X, Y, optimizer=Adam(OnPlateau(0.05, factor=0.5, patience=1, monitor="val_loss")), epochs=epochs, batch_size=16,
        validation=0.2, metrics=["accuracy"], callbacks=[EarlyStopping("val_loss", patience=patience), *callbacks],
    )  # fmt: skip


def same(one: Network, other: Network) -> bool:
    """Whether two networks have the same numbers to the last bit."""
    return one.theta.tobytes() == other.theta.tobytes() and all(
        np.array_equal(one.statistics[name], other.statistics[name]) for name in one.statistics
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("every", "after"), [(1, 0), (1, 4), (3, 4), (2, 6)])
def test_a_run_that_crashed_goes_on_to_the_same_bits(tmp_path: Path, seed: str, every: int, after: int) -> None:
    path = tmp_path / "run.safetensors"
    whole, crashed, resumed = (everything(SEEDS[seed]()) for _ in range(3))
    expected = run(whole, patience=20)
    with pytest.raises(RuntimeError, match="power"):
        run(crashed, Checkpoint(path, every=every), Crash(after), patience=20)
    history = run(resumed, Checkpoint(path, every=every, resume=True), Crash(-1), patience=20)
    assert dict(history) == dict(expected)
    assert history.stopped == expected.stopped
    assert same(whole, resumed)
    assert resumed.rng.random() == whole.rng.random()


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_place_of_the_checkpoint_in_the_list_does_not_matter(tmp_path: Path, place: str) -> None:
    path = tmp_path / "run.safetensors"

    def go(network: Network, *more: Callback, resume: bool = False) -> Any:
        callbacks: list[Callback] = [EarlyStopping("val_loss", patience=3)]
        callbacks.insert(0 if place == "before" else 1, Checkpoint(path, resume=resume))
        return network.fit(X, Y, optimizer=SGD(5.0), epochs=40, batch_size=16, validation=0.2,
                           callbacks=[*callbacks, *more])  # fmt: skip

    whole, crashed, resumed = (everything(5) for _ in range(3))
    expected = go(whole)
    assert 4 < expected.epochs < 40, "the test wants a run that stops early"
    with pytest.raises(RuntimeError, match="power"):
        go(crashed, Crash(expected.epochs - 3))
    history = go(resumed, Crash(-1), resume=True)
    assert dict(history) == dict(expected)
    assert same(whole, resumed)


def test_a_run_that_had_ended_has_nothing_left_to_do(tmp_path: Path) -> None:
    done, again = everything(5), everything(5)
    path = tmp_path / "done"
    first = run(done, Checkpoint(path))
    second = run(again, Checkpoint(path, resume=True))
    assert dict(first) == dict(second)
    assert same(done, again)


def test_a_run_that_had_stopped_early_stays_stopped(tmp_path: Path) -> None:
    def go(network: Network) -> Any:
        return network.fit(X, Y, optimizer=SGD(5.0), epochs=40, batch_size=16, validation=0.2,
                           callbacks=[EarlyStopping(patience=2), Checkpoint(tmp_path / "c", resume=True)])  # fmt: skip

    done, again = everything(5), everything(5)
    first = go(done)
    assert first.epochs < 40, "the test wants a run that stops early"
    second = go(again)
    assert dict(first) == dict(second)
    assert second.stopped == first.stopped
    assert same(done, again)


def test_a_run_can_be_made_longer(tmp_path: Path) -> None:
    whole, short = everything(5), everything(5)
    expected = run(whole, epochs=7, patience=20)
    run(short, Checkpoint(tmp_path / "c"), epochs=3, patience=20)
    longer = everything(5)
    history = run(longer, Checkpoint(tmp_path / "c", resume=True), epochs=7, patience=20)
    assert dict(history) == dict(expected)
    assert same(whole, longer)


def test_resume_with_no_file_begins_anew(tmp_path: Path) -> None:
    one, other = everything(5), everything(5)
    expected = run(one)
    history = run(other, Checkpoint(tmp_path / "none-yet", resume=True))
    assert dict(history) == dict(expected)
    assert (tmp_path / "none-yet").exists()


def test_a_checkpoint_is_a_network_file_too(tmp_path: Path) -> None:
    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    network.fit(X, Y, optimizer=Adam(), epochs=3, callbacks=[Checkpoint(tmp_path / "c", every=2)])
    assert np.array_equal(Network.load(tmp_path / "c").predict_proba(X), network.predict_proba(X))


def test_metrics_of_any_number_type_can_be_kept(tmp_path: Path) -> None:
    network = Network([Dense(1)], loss=SquaredError(), seed=0)
    small, worst = X.astype(np.float32), {"worst": lambda true, predicted: np.abs(true - predicted).max()}
    history = network.fit(
        small, small[:, 0], optimizer=SGD(0.1), epochs=2, metrics=worst, callbacks=[Checkpoint(tmp_path / "c")]
    )
    assert dict(History.from_json(history.to_json())) == dict(history)


def other(activation: str = "tanh", units: int = 3, loss: Any = None, **settings: Any) -> Network:
    """A network that differs in one thing."""
    return Network([Dense(units, activation), Dense(2)], loss=loss or CrossEntropy(), **{"seed": 0, **settings})


OTHER_RUNS: dict[str, tuple[Callable[[], Network], Any]] = {
    "layers": (lambda: other(units=4), Adam()),
    "activation": (lambda: other("relu"), Adam()),
    "loss": (lambda: other(loss=CrossEntropy(reduction="sum")), Adam()),
    "regularizer": (lambda: other(regularizer=L2(1)), Adam()),
    "dtype": (lambda: other(dtype="float32"), Adam()),
    "seed's kind": (lambda: other(seed=np.random.RandomState(0)), Adam()),
    "optimizer": (other, SGD(0.1)),
    "settings": (other, Adam(0.5)),
}


@pytest.mark.parametrize("difference", OTHER_RUNS)
def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path, difference: str) -> None:
    path = tmp_path / "c"
    first = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    first.fit(X, Y, optimizer=Adam(), epochs=1, callbacks=[Checkpoint(path)])
    make, optimizer = OTHER_RUNS[difference]
    with pytest.raises(FileError, match=f"{path}.*Move the file to start again"):
        make().fit(X, Y, optimizer=optimizer, epochs=2, callbacks=[Checkpoint(path, resume=True)])


def test_a_checkpoint_for_other_data_or_callbacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c"

    def go(X: Any, *callbacks: Callback) -> Any:
        network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
        return network.fit(X, Y, optimizer=Adam(), epochs=2, callbacks=[*callbacks, Checkpoint(path, resume=True)])

    go(X)
    with pytest.raises(FileError, match="Move the file to start again"):
        go(np.ones((60, 3)))
    with pytest.raises(FileError, match="Move the file to start again"):
        go(X, EarlyStopping("loss"))


def test_a_network_file_is_no_checkpoint(tmp_path: Path) -> None:
    trained(path=tmp_path / "n")
    with pytest.raises(FileError, match="not a checkpoint: it has no training state to resume from"):
        run(everything(0), Checkpoint(tmp_path / "n", resume=True))


def test_settings_of_checkpoint() -> None:
    for every in (0, -1, 1.5, True):
        with pytest.raises(InputError, match="every must be a whole number of epochs from 1"):
            Checkpoint("never-written", every=every)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a checkpoint that is as it should be."""
    path = tmp_path_factory.mktemp("whole") / "c"
    run(everything(5), Checkpoint(path), epochs=2)
    return path.read_bytes()


def goes_on_or_is_refused(path: Path, content: bytes) -> None:
    """Check that bytes are refused as a checkpoint, or that the run goes on from them."""
    path.write_bytes(content)
    network = everything(5)
    try:
        run(network, Checkpoint(path, resume=True), epochs=2)
    except FileError:
        return
    assert np.isfinite(network.theta).all()


@SHARES
def test_a_damaged_checkpoint_is_refused(checkpoint: bytes, scratch: Path, every: int) -> None:
    files = itertools.islice(changes(checkpoint, "training", FEW_ODD_VALUES), 0, None, every)
    found = surprises(scratch, files, goes_on_or_is_refused)
    assert not found, "\n".join(found)


@SHARES
def test_a_checkpoint_whose_arrays_do_not_fit(checkpoint: bytes, scratch: Path, every: int) -> None:
    files = [
        (f"{name} = {words}", with_arrays(scratch, checkpoint, **{name: instead}))
        for name, array in load_tensors(checkpoint).items()
        for words, instead in {"gone": None, "of another shape": np.zeros((7, 7)), "nan": array * np.nan}.items()
    ]
    found = surprises(scratch, iter(files[::every]), goes_on_or_is_refused)
    assert not found, "\n".join(found)


def test_l_bfgs_says_at_the_beginning_that_it_cannot_resume(tmp_path: Path) -> None:
    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)

    def go(**settings: Any) -> Any:
        callbacks = [Checkpoint(tmp_path / "c", **settings)]
        return network.fit(X, Y, optimizer=LBFGS(), epochs=3, batch_size=None, callbacks=callbacks)

    with pytest.raises(InputError, match=r"L-BFGS cannot resume.*without resume=True"):
        go(resume=True)
    assert network.history is None
    assert not (tmp_path / "c").exists()
    assert go().epochs == 3
    assert Network.load(tmp_path / "c").score(X, Y) == network.score(X, Y)


KILLED = """
import sys, time
import numpy as np
from workings import Adam, BatchNorm, Callback, Checkpoint, CrossEntropy, Dense, Dropout, EarlyStopping, Network
from workings.datasets import moons
from workings.schedules import OnPlateau

class Tell(Callback):
    def on_epoch_end(self, training):
        print(training.epoch, flush=True)
        time.sleep(float(sys.argv[2]))

X, y = moons(n=60, seed=0)
network = Network([Dense(6), BatchNorm("tanh"), Dropout(0.3), Dense(2)], loss=CrossEntropy(), seed=5)
history = network.fit(
    X, y, optimizer=Adam(OnPlateau(0.05, factor=0.5, patience=1, monitor="val_loss")), epochs=30, batch_size=16,
    validation=0.2, callbacks=[EarlyStopping(patience=40), Checkpoint(sys.argv[1], resume=True), Tell()],
)
print(network.theta.tobytes().hex(), dict(history))
"""


def test_a_process_that_is_killed_and_started_again_comes_to_the_same_bits(tmp_path: Path) -> None:
    def command(path: Path, pause: float) -> list[str]:
        return [sys.executable, "-c", KILLED, str(path), str(pause)]

    with subprocess.Popen(command(tmp_path / "killed", 0.01), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "7":
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    started_again = subprocess.run(command(tmp_path / "killed", 0), capture_output=True, text=True, check=True)
    at_once = subprocess.run(command(tmp_path / "at-once", 0), capture_output=True, text=True, check=True)
    assert int(started_again.stdout.split()[0]) >= 7  # a checkpoint is written after the others have looked on
    assert started_again.stdout.splitlines()[-1] == at_once.stdout.splitlines()[-1]


def test_the_version_that_wrote_a_file_is_in_it(whole: bytes) -> None:
    assert json.loads(take_apart(whole)[0]["__metadata__"]["workings"])["written_by"] == workings.__version__


@pytest.mark.parametrize("suffix", ["onnx", "c", "json", "py", "pt", "keras"])
def test_save_does_not_write_safetensors_under_another_formats_name(tmp_path, suffix):
    network = Network([Dense(1)], loss=SquaredError(), n_in=2, seed=0)
    with pytest.raises(InputError, match=r"use workings\.files\.save\(net, "):
        network.save(tmp_path / f"net.{suffix}")
    assert not list(tmp_path.iterdir())
