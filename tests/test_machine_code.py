"""Machine code: which problems share it, and how it is cached."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite")
from tests.strategies import optimizers, problems, smooth_activations
from tests.test_compiled import PROBLEMS, targets
from workings import L1, L2, SGD, Activation, Adam, CrossEntropy, Dense, Momentum, Nesterov, Network, SquaredError
from workings.datasets import moons
from workings.engines.compiled import cache, machine_code
from workings.engines.compiled.outlining import Uses, canonical, is_strided_copy, written_by_iteration
from workings.engines.compiled.specialization import generate, size_of, source_for, with_odd_stride
from workings.engines.compiled.structure import structure_of
from workings.engines.contract import CACHE_LINE, Stretch

X, Y = moons(n=60, seed=0)


# -- which problems share a source -------------------------------------------------------------


def problem(layers: list[Any], loss: Any, optimizer: Any, regularizer: Any = ()) -> tuple[Any, Any]:
    """The program of a step, and the sizes of a small problem."""
    network = Network(layers, loss=loss, regularizer=list(regularizer), seed=0)
    y = targets(type(loss).__name__, 40, np.random.default_rng(0))
    rows, encoded, _ = network.prepare(np.random.default_rng(0).normal(size=(40, 3)), y, None)
    program = network.step_program(optimizer)
    draws = network.draw_masks(40, np.random.default_rng(0))
    stretch = Stretch(rows, encoded, [(0, 20), (20, 40)], [0.1, 0.1], 1, None, None, draws)
    return program, size_of(stretch, network.start_values(program))


# -- loops whose iterations are independent ---------------------------------------------------


@pytest.mark.parametrize(
    ("body", "written"),
    [
        ("a[i] = b[i + 1]", {"a"}),
        ("a[0, i] = 2 * a[1, i]; c[j, i] += a[0, i]", {"a", "c"}),
        ("a[i, 0] += b[j]; total += a[i, 1]", {"a"}),
        ("total += a[i]", set()),
        ("a[i] = a[i - 1]", None),  # what the iteration before has written
        ("a[j] += b[i]", None),  # a sum in memory
        ("a[0, i] = a[i, 0]", None),  # another iteration writes a[0, 1]; this one may read it as a[i, 0]
        ("a[2 * i] = b[i]", None),
        ("part = a[j]; part[i] = b[i]", None),  # parts of one array may be equal
        ("a[i] = b[i]; store(a)", None),  # a call may write anything
    ],
)
def test_a_loop_is_independent_if_each_iteration_has_its_own_entries(body: str, written: set[str] | None) -> None:
    loop = ast.parse(f"for i in range(n): {body}").body[0]
    assert isinstance(loop, ast.For)
    assert written_by_iteration(loop) == written


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a[j, i] = b[i, j]", False),
        ("a[i, j] = b[j, i]", True),
        ("a[i, j] = b[row, i]", True),
        ("a[i, j] = 2 * b[j, i]", False),
        ("a[i] = b[i, j]", False),
        ("a[j, j] = b[j, j]", False),
        ("a[i, j] += b[j, i]", False),
        ("a[i, j] = b[j, i]; c[j] = b[j, i]", False),
    ],
)
def test_a_loop_that_copies_to_distant_places_is_not_vectorized(body: str, expected: bool) -> None:
    loop = ast.parse(f"for i in range(n): {body}").body[0]
    assert isinstance(loop, ast.For)
    assert is_strided_copy(loop) == expected


def test_loops_are_equal_if_only_their_names_differ() -> None:
    def text(code: str, free: list[str], written: set[str]) -> str:
        loop = ast.parse(code).body[0]
        assert isinstance(loop, ast.For)
        return canonical(loop, free, written)

    first = text("for k in range(n): x = a[k]; a[k] = x - rate * b[k]", ["n", "a", "rate", "b"], {"k", "x"})
    assert first == text("for j in range(m): y = c[j]; c[j] = y - s * d[j]", ["m", "c", "s", "d"], {"j", "y"})
    assert first != text("for j in range(m): y = c[j]; d[j] = y - s * c[j]", ["m", "c", "s", "d"], {"j", "y"})
    assert first != text("for j in range(m): y = c[j]; c[j] = y + s * d[j]", ["m", "c", "s", "d"], {"j", "y"})


SUMS = """
import numpy as np
from workings.engines.kernels.language import flat


def train(a, b):
    for i in range(1, a.shape[1]):
        a[0, i] = a[0, i - 1] + a[0, i]
    for i in range(a.shape[1]):
        a[1, i] = a[0, i] + b[i]
    all_of_b = flat(b)
    for i in range(1, b.shape[0]):
        b[i] = all_of_b[i - 1] + 1.0
"""


def test_loops_that_depend_on_the_iteration_before_are_translated_as_they_stand() -> None:
    a, b = np.ones((2, 1000)), np.zeros(1000)
    machine_code.MachineCode(SUMS, "train")(a, b)()
    assert a[0].tolist() == list(range(1, 1001))
    assert a[1].tolist() == a[0].tolist()
    assert b.tolist() == list(range(1000))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 7, 8, 64, 100, 256, 512, 1000, 4096])
def test_columns_lie_an_odd_number_of_cache_lines_apart(rows: int, dtype: str) -> None:
    stride = with_odd_stride(rows, dtype)
    lines, rest = divmod(stride * np.dtype(dtype).itemsize, CACHE_LINE)
    assert (lines % 2, rest) == (1, 0)
    assert rows <= stride < rows + 2 * CACHE_LINE


@pytest.mark.parametrize("number", range(len(PROBLEMS)))
def test_a_source_depends_on_the_structure_alone(number: int) -> None:
    how = PROBLEMS[number]
    regularizer = how["regularizer"] if isinstance(how["regularizer"], list) else [how["regularizer"]]
    program, size = problem(how["layers"], how["loss"], how["optimizer"], regularizer)
    assert source_for(structure_of(program), size) == generate(program, size)
    assert source_for(structure_of(program), size) is source_for(structure_of(program), size)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(problems(smooth_activations, batch_norm=False), optimizers()), min_size=2, max_size=4))
def test_equal_structures_have_equal_sources(drawn: list[Any]) -> None:
    seen: dict[Any, Any] = {}
    for one, optimizer in drawn:
        network = one.network
        program = network.step_program(optimizer, weighted=one.w is not None)
        features, encoded, w = network.prepare(one.X, one.y, one.w)
        bounds = [(0, len(features))]
        draws = network.draw_masks(len(features), np.random.default_rng(0))
        stretch = Stretch(features, encoded, bounds, [0.1], 1, None, w, draws)
        size = size_of(stretch, network.start_values(program))
        key = structure_of(program), size
        assert seen.setdefault(key, generate(program, size)) == generate(program, size) == source_for(*key)


def scaled(factor: float) -> Any:
    """An activation whose function calls one that is no formula, with a constant from outside."""

    def weighted_powers(z: np.ndarray) -> np.ndarray:
        total = 0 * z
        for power in (1, 2):
            total = total + factor * z / power
        return total

    def slope(z: np.ndarray) -> np.ndarray:
        total = 0 * z
        for power in (1, 2):
            total = total + factor / power
        return total

    return Activation("weighted_powers", weighted_powers, slope)


def test_what_a_function_reads_from_outside_is_part_of_the_structure() -> None:
    structures = []
    for factor in (0.5, 0.25, 0.5):
        program, size = problem([Dense(3, scaled(factor)), Dense(3)], CrossEntropy(), SGD(0.1))
        assert program.functions
        structures.append(structure_of(program))
        assert source_for(structures[-1], size) == generate(program, size)
    assert structures[0] != structures[1]
    assert structures[0] == structures[2]


def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The list to which each compilation adds the source."""
    found: list[str] = []
    load = machine_code.code_of

    def noted(text: str, *arguments: Any) -> bytes:
        found.append(text)
        return load(text, *arguments)

    monkeypatch.setattr(machine_code, "code_of", noted)
    return found


@pytest.mark.parametrize("batch_size", [None, 20])
def test_rates_penalties_seeds_and_large_widths_need_no_new_code(
    batch_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(width: int, seed: int, penalty: float, optimizer: Any) -> None:
        network = Network([Dense(width, "tanh"), Dense(2)], loss=CrossEntropy(), regularizer=L2(penalty), seed=seed)
        network.fit(X, Y, optimizer=optimizer, epochs=3, batch_size=batch_size, engine="compiled")

    fit(17, 0, 0.1, Momentum(0.1))
    found = compilations(monkeypatch)
    fit(17, 1, 0.2, Momentum(0.3, 0.5))
    fit(40, 2, 0.3, Momentum(0.2))
    assert found == []
    fit(17, 0, 0.1, Adam(0.1))
    assert found != []


def test_equal_loops_are_compiled_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    counts = []
    compile_module = machine_code.module_text

    def counted(*arguments: Any) -> str:
        text = compile_module(*arguments)
        counts.append(text.count("define internal void @loop"))
        return text

    monkeypatch.setattr(machine_code, "module_text", counted)
    monkeypatch.setattr(machine_code, "KNOWN", {})
    monkeypatch.setenv("WORKINGS_CACHE", str(tmp_path))
    for depth in (3, 6):
        network = Network([*(Dense(20, "tanh") for _ in range(depth)), Dense(11)], loss=CrossEntropy(), seed=0)
        how: dict[str, Any] = {"optimizer": Adam(0.1), "epochs": 1, "running_loss": True, "engine": "compiled"}
        network.fit(X, np.arange(60) % 11, batch_size=20, **how)
    assert counts[-1] == counts[-2] > 5, "three more layers bring no new loop"


@pytest.mark.parametrize("optimizer", [Momentum(0.1), Nesterov(0.1), Adam(0.1)])
@pytest.mark.parametrize("widths", [(40,), (40, 32), (40, 40), (40, 32, 50)])
def test_all_parameters_are_updated_by_the_same_loop(widths: tuple[int, ...], optimizer: Any) -> None:
    layers = [*(Dense(width, "tanh") for width in widths), Dense(11)]
    code = ast.parse(generate(*problem(layers, CrossEntropy(), optimizer)).text)
    names = {f"b{k + 1}" for k in range(len(layers))} | {f"W{k + 1}_flat" for k in range(1, len(layers))}
    updates = {}
    for loop in ast.walk(code):
        if isinstance(loop, ast.For) and isinstance(loop.body[-1], ast.Assign):
            name, uses = ast.unparse(loop.body[-1].targets[0]).split("[")[0], Uses().visit(loop)
            updates[name] = canonical(loop, list(uses.before), uses.written)
    assert len({updates[name] for name in names}) == 1


@pytest.mark.parametrize(("activation", "call"), [("gelu", "erf("), ("gelu_tanh", "tanh("), ("silu", "exp(")])
def test_a_slow_function_of_the_same_values_is_computed_once(activation: str, call: str) -> None:
    """The backward pass reads what the forward pass computed."""
    program, size = problem([Dense(20, activation), Dense(2)], SquaredError(), SGD(0.1))
    lines = generate(program, size).text.splitlines()
    assert sum(call in line and "import" not in line for line in lines) == 1


# -- the cache ---------------------------------------------------------------------------------

TRAINING = """
import sys
from workings import SGD, CrossEntropy, Dense, Network, datasets
from workings.engines.compiled import llvm

compiled, code = [], llvm.object_code
llvm.object_code = lambda *arguments: compiled.append(1) or code(*arguments)
X, y = datasets.moons(seed=0)
network = Network([Dense(3, "tanh"), Dense(300, "relu"), Dense(200), Dense(2)], loss=CrossEntropy(), seed=0)
network.fit(X, y, optimizer=SGD(0.1), epochs=3, batch_size=50, engine="compiled")
print(len(compiled), "numba" in sys.modules, network.theta.tobytes().hex())
"""


def started(environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start a process that trains a network."""
    command = [sys.executable, "-c", TRAINING]
    return subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    """How many modules the process compiled, and the bits of its parameters."""
    output, _ = process.communicate()
    assert process.returncode == 0
    compiled, uses_numba, bits = output.split()
    assert uses_numba == "False"
    return int(compiled), bits


def ran(**environment: str) -> tuple[int, str]:
    """Run a process that trains a network."""
    return finished(started(environment))


def test_what_is_kept_gives_the_same_bits_and_what_is_damaged_is_compiled_anew(tmp_path: Path) -> None:
    folder = str(tmp_path)
    first, second = ran(WORKINGS_CACHE=folder), ran(WORKINGS_CACHE=folder)
    files = sorted(tmp_path.glob("*.o"))
    assert first[0] == len(files) > 1
    assert second == (0, first[1])
    content = files[0].read_bytes()
    for damaged in (b"no machine code", content[:-1], content[:-9] + b"?" + content[-8:], b""):
        files[0].write_bytes(damaged)
        assert ran(WORKINGS_CACHE=folder) == (1, first[1])
    files[0].write_bytes(files[1].read_bytes())  # whole, but of another source
    assert ran(WORKINGS_CACHE=folder) == (1, first[1])


def test_two_processes_may_compile_at_once(tmp_path: Path) -> None:
    together = [started({"WORKINGS_CACHE": str(tmp_path)}) for _ in range(2)]
    found = [finished(process) for process in together]
    assert found[0][1] == found[1][1] == ran(WORKINGS_CACHE=str(tmp_path))[1]
    assert not list(tmp_path.glob(".*")), "no temporary file is left"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="the system has no owners of files")
class TestTrust:
    """What is loaded from a cache, and what is not."""

    KEY, CODE = "0" * 64, b"machine code"

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Use an empty cache folder, and no other one."""
        folder = tmp_path / "cache"
        monkeypatch.setattr(cache, "folders", lambda: iter([folder]))
        cache.keep(self.KEY, self.CODE, "source")
        assert cache.find(self.KEY) == self.CODE
        return folder

    def test_only_the_user_can_read_and_write_it(self, folder: Path) -> None:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
        assert (folder / cache.file_name(self.KEY)).with_suffix(".py").read_text() == "source"

    @pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
    def test_a_folder_that_others_can_write_to_is_not_used(self, folder: Path, mode: int) -> None:
        folder.chmod(mode)
        assert cache.find(self.KEY) is None
        cache.keep("1" * 64, self.CODE, "source")
        assert len(list(folder.iterdir())) == 2

    @pytest.mark.parametrize("mode", [0o666, 0o620])
    def test_a_file_that_others_can_write_to_is_not_loaded(self, folder: Path, mode: int) -> None:
        (folder / cache.file_name(self.KEY)).chmod(mode)
        assert cache.find(self.KEY) is None

    def test_what_belongs_to_somebody_else_is_not_loaded(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        other = os.getuid() + 1
        monkeypatch.setattr(os, "getuid", lambda: other)
        assert not cache.is_trusted(folder)
        assert cache.find(self.KEY) is None
        assert cache.read(folder / cache.file_name(self.KEY), self.KEY) is None

    def test_links_are_not_followed(self, folder: Path, tmp_path: Path) -> None:
        path = folder / cache.file_name(self.KEY)
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        assert cache.find(self.KEY) is None
        folder.rename(tmp_path / "renamed")
        folder.symlink_to(tmp_path / "renamed")
        assert not cache.is_trusted(folder)

    def test_the_name_of_a_file_is_not_enough(self, folder: Path) -> None:
        other = "0" * 40 + "1" * 24  # the same file name
        assert cache.file_name(other) == cache.file_name(self.KEY)
        assert cache.find(other) is None

    def test_a_full_disk_only_costs_the_cache(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*arguments: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", full)
        cache.keep("1" * 64, self.CODE, "source")
        assert cache.find("1" * 64) is None
        assert cache.find(self.KEY) == self.CODE
        assert len(list(folder.iterdir())) == 2, "no temporary file is left"

    def test_the_oldest_files_go(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        other = folder / "a user's own file"
        other.write_bytes(bytes(1000))
        keys = [64 * digit for digit in "123456"]
        monkeypatch.setattr(cache, "MOST_BYTES", 3 * (len(cache.recorded(self.KEY, self.CODE)) + len("source")))
        for age, key in enumerate(keys):
            cache.keep(key, self.CODE, "source")
            for file in folder.glob(f"*{key[:32]}*"):
                os.utime(file, (1000 + age, 1000 + age))
        cache.keep(self.KEY, self.CODE, "source")
        assert [key for key in keys if cache.find(key)] == keys[-2:]
        assert other.exists()


def test_without_a_folder_programs_are_compiled_in_each_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    environment = {"WORKINGS_CACHE": str(tmp_path / "file"), "TMPDIR": str(tmp_path), "USER": "ann", "LOGNAME": "ann"}
    first, second = ran(**environment), ran(**environment)
    spare = tmp_path / "workings-ann"
    assert list(spare.glob("*.o")), "a folder for temporary files serves"
    assert (first[0] > 1, second) == (True, (0, first[1]))
    spare.chmod(0o777)
    assert ran(**environment) == first, "other users could have written to it"


SCATTERED = """
import ctypes, sys
from workings import Adam, CrossEntropy, Dense, Network, datasets

X, y = datasets.moons(seed=0)

def fit(width):
    network = Network([Dense(width, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    network.fit(X, y, optimizer=Adam(0.1), epochs=2, engine="compiled")

fit(3)
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

def reserve(size):  # private and anonymous, without memory behind it
    return libc.mmap(None, size, 0, 0x4022, -1, 0)

for size in (2**16, 2**15, 2**14, 2**13, 2**12):
    for _ in range(400):
        reserve(size)
size = 4096 * int(sys.argv[1])
for gap, _ in [(reserve(size), reserve(5 * 2**29)) for _ in range(200)]:
    libc.munmap(gap, size)
for width in (4, 5, 6, 7, 20, 40):
    fit(width)
print("trained")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reserves memory as on Linux")
def test_machine_code_is_loaded_where_free_memory_is_scattered(tmp_path: Path) -> None:
    """Free places of a few pages lie 2.5 GB apart; LLVM's older linker put the parts of one object into several.

    It then aborted about one process in six: the addresses are drawn by the system.
    """
    environment = {**os.environ, "WORKINGS_CACHE": str(tmp_path)}
    for pages in (1, *range(4, 18)):  # the first process compiles, the others only load
        command = [sys.executable, "-c", SCATTERED, str(pages)]
        run = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert run.stdout == "trained\n", run.stderr


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX warns if another test imported it
def test_a_forked_process_uses_and_makes_machine_code() -> None:
    if not hasattr(os, "fork"):
        pytest.skip("the system has no fork")
    bits = [fitted(5)]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"".join([fitted(5), fitted(6)]))
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader, "rb") as file:
        assert file.read() == b"".join([*bits, fitted(6)])


def fitted(units: int) -> bytes:
    """The parameters of a trained network with some units."""
    network = Network([Dense(units, "sigmoid"), Dense(2)], loss=CrossEntropy(), regularizer=L1(0.1), seed=0)
    network.fit(X, Y, optimizer=SGD(0.1), epochs=3, batch_size=20, engine="compiled")
    return network.theta.tobytes()


def test_threads_may_compile_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORKINGS_CACHE", str(tmp_path))
    expected = {units: fitted(units) for units in (3, 4, 7)}
    monkeypatch.setattr(machine_code, "KNOWN", {})
    found: dict[int, bytes] = {}

    def train(number: int) -> None:
        found[number] = fitted((3, 4, 7)[number % 3])

    threads = [threading.Thread(target=train, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: expected[(3, 4, 7)[number % 3]] for number in range(6)}


def test_features_of_the_processor_can_be_left_out(tmp_path: Path) -> None:
    usual, fewer = (
        ran(WORKINGS_CACHE=str(tmp_path)),
        ran(WORKINGS_CACHE=str(tmp_path), WORKINGS_CPU_FEATURES="-avx512f"),
    )
    assert fewer[0] == usual[0], "its machine code is another"
    numbers = [np.frombuffer(bytes.fromhex(bits)) for _, bits in (usual, fewer)]
    np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-9, atol=1e-12)
