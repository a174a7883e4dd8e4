"""The JAX engine: runs the statements of a program under ``jax.numpy``, on a GPU, a TPU or the CPU.

The statements stay as they are; only ``np`` stands for ``jax.numpy``.  One ``jit`` around a ``lax.scan`` runs many
steps.  Row orders, dropout masks and learning rates are handed in, as to every engine.  With several devices, the rows
of each batch are spread over them.
"""

from __future__ import annotations

import functools
import importlib.util
import types
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from workings.activations import erf
from workings.engines.contract import Stretch
from workings.engines.reference import source_of
from workings.errors import MissingExtraError, NotCompilableError
from workings.program.program import Program, Statement
from workings.support.arrays import Array, Values
from workings.support.sparse import SparseRows

if TYPE_CHECKING:
    import jax

    Arrays = dict[str, jax.Array]  # by name

LONGEST_CALL = 1024  # steps in a call; Ctrl-C waits for the end of a call
SPARSE = "X is sparse, and JAX needs dense arrays; engine='reference' multiplies sparse rows directly"
SCALARS = ("n", "lr", "t")


def is_installed() -> bool:
    """Whether JAX is installed."""
    return importlib.util.find_spec("jax") is not None


def with_dtype(dtype: DTypeLike) -> AbstractContextManager[object]:
    """Return a context in which JAX keeps float64, if the arrays are float64."""
    import jax

    context: AbstractContextManager[object] = jax.enable_x64(np.dtype(dtype) == np.float64)
    return context


def with_jax_numpy(function: Callable[..., Values]) -> Callable[..., Values]:
    """Return a function in which ``np`` is ``jax.numpy``; ``erf`` is the one of JAX."""
    import jax

    if function is erf:
        of_jax: Callable[..., Values] = jax.scipy.special.erf
        return of_jax
    if not isinstance(function, types.FunctionType):
        return function
    modules = {name: jax.numpy for name, value in function.__globals__.items() if value is np}
    named = {
        name: with_jax_numpy(value)
        for name, value in function.__globals__.items()
        if name in function.__code__.co_names and isinstance(value, types.FunctionType)
    }
    return types.FunctionType(
        function.__code__, {**function.__globals__, **named, **modules}, function.__name__,
        function.__defaults__, function.__closure__,
    )  # fmt: skip


def function_of(program: Program, results: Sequence[str]) -> Callable[..., tuple[jax.Array, ...]]:
    """Make a function of a program, with ``jax.numpy`` as ``np``, that returns some of its values."""
    import jax

    functions = {name: with_jax_numpy(function) for name, function in program.functions.items()}
    namespace: dict[str, Values] = {"np": jax.numpy, **functions, **program.constants}
    exec(compile(source_of(program, f"({', '.join(results)},)"), "<workings: step for JAX>", "exec"), namespace)
    function: Callable[..., tuple[jax.Array, ...]] = namespace["step"]
    return function


@dataclass(frozen=True)
class Segment:
    """Consecutive steps of a stretch that run in one call: batches of one size, with one result to record.

    ``first`` and ``stop`` are the numbers of the first step and of the one after the last, ``size`` the number of rows
    in each batch, and ``slot`` the index at which the last step's values are recorded, -1 for none.
    """

    first: int
    stop: int
    size: int
    slot: int


def segments_of(stretch: Stretch) -> Iterator[Segment]:
    """Split a stretch into segments.

    >>> X = np.zeros((5, 1))
    >>> list(segments_of(Stretch(X, X, [(0, 2), (2, 4), (4, 5)], [0.1] * 3, 1)))
    [Segment(first=0, stop=2, size=2, slot=-1), Segment(first=2, stop=3, size=1, slot=-1)]
    """
    bounds = np.asarray(stretch.batches)
    sizes, steps = bounds[:, 1] - bounds[:, 0], len(bounds)
    slots = np.arange(steps) if stretch.kept_at is None else np.asarray(stretch.kept_at)
    if not stretch.kept:
        slots = np.full(steps, -1)
    first = 0
    for step in range(steps):
        is_last = step + 1 == steps or sizes[step + 1] != sizes[step]
        if is_last or slots[step] >= 0 or step + 1 - first == LONGEST_CALL:
            yield Segment(first, step + 1, int(sizes[step]), int(slots[step]))
            first = step + 1


class JaxEngine:
    """Runs training steps of a program with JAX.

    Raises
    ------
    MissingExtraError
        If JAX is not installed.
    NotCompilableError
        From ``check`` and ``run``, if JAX cannot trace a statement; the message names it.
    """

    name = "jax"

    def __init__(self, program: Program) -> None:
        if not is_installed():
            raise MissingExtraError("jax", "jax")
        self.program, self.inputs = program, program.inputs
        self.objective = ("J",) if any(s.target == "J" for s in program.statements) else ()
        self.step = function_of(program, [*program.carried, *self.objective])
        self.on_device: dict[str, tuple[weakref.ref[Array], jax.Array]] = {}

    @functools.cached_property
    def device(self) -> str:
        """The kind and number of the devices, for example ``cpu`` or ``4 × NVIDIA H200``."""
        import jax

        devices = jax.devices()
        return devices[0].device_kind if len(devices) == 1 else f"{len(devices)} × {devices[0].device_kind}"

    def check(self, stretch: Stretch, values: Mapping[str, Array]) -> None:
        """Trace the first step of a stretch without running it.

        Raises
        ------
        NotCompilableError
            For sparse inputs, and for a statement that JAX cannot trace.
        """
        import jax

        if isinstance(stretch.X, SparseRows):
            raise NotCompilableError(SPARSE)
        start, stop = (int(bound) for bound in np.asarray(stretch.batches)[0])
        rows = {"X": stretch.X, "y": stretch.y, "w": stretch.w, **stretch.draws}
        known = {name: array[: stop - start] for name, array in rows.items() if array is not None}
        known |= {"lr": np.asarray(0.1, stretch.X.dtype), "t": np.asarray(1)} | dict(values)
        with with_dtype(stretch.X.dtype):
            shapes = {name: jax.ShapeDtypeStruct(np.shape(value), value.dtype) for name, value in known.items()}
            for statement in self.program.statements:
                self.check_statement(statement, shapes, stop - start)

    def check_statement(self, statement: Statement, shapes: dict[str, jax.ShapeDtypeStruct], n: int) -> None:
        """Trace one statement, and add the shape of its result to the others."""
        import jax

        one = Program((statement,), constants=self.program.constants, functions=self.program.functions)
        inputs = {name: shapes[name] for name in one.inputs if name != "n"}
        size = {"n": n} if "n" in one.inputs else {}
        function = function_of(one, [statement.target])
        try:
            (shapes[statement.target],) = jax.eval_shape(lambda given: function(**given, **size), inputs)
        except Exception as error:
            reason = str(error).strip().splitlines()[0]
            raise NotCompilableError(f"JAX cannot run `{statement}`: {reason}") from error

    def run(self, stretch: Stretch, values: dict[str, Array]) -> Array:
        """Run the steps and replace ``values``; return the objective J of each step if the program computes it."""
        if isinstance(stretch.X, SparseRows):
            raise NotCompilableError(SPARSE)
        carried, objectives = self.program.carried, []
        with with_dtype(stretch.X.dtype):
            data = {name: self.put(name, array) for name, array in self.rows(stretch).items()}
            state = {name: self.put(name, values[name]) for name in carried}
            for segment in segments_of(stretch):
                state, J = self.scan(data, state, self.by_step(stretch, segment), segment.size)
                objectives.append(J)
                if segment.slot >= 0:
                    for name, kept in stretch.kept.items():
                        kept[segment.slot] = state[name]
            for name in carried:
                values[name] = np.asarray(state[name])
                self.remember(name, values[name], state[name])
            parts = [np.asarray(J, np.float64) for J in objectives] if self.objective else []
        return np.concatenate(parts) if parts else np.empty(0)

    def rows(self, stretch: Stretch) -> dict[str, Array]:
        """Return the data sets from which the batches are selected."""
        rows = {"X": stretch.X, "y": stretch.y, "w": stretch.w}
        return {name: array for name, array in rows.items() if array is not None and name in self.inputs}

    def put(self, name: str, array: Array) -> jax.Array:
        """Move an array to the device, unless the same array is there from the last call."""
        import jax

        known = self.on_device.get(name)
        if known is not None and known[0]() is array:
            return known[1]
        return self.remember(name, array, jax.numpy.asarray(array))

    def remember(self, name: str, array: Array, copy: jax.Array) -> jax.Array:
        """Keep an array's copy on the device as long as the array exists; return the copy."""

        def forget(reference: weakref.ref[Array]) -> None:
            if self.on_device.get(name, (None,))[0] is reference:
                del self.on_device[name]

        self.on_device[name] = (weakref.ref(array, forget), copy)
        return copy

    def by_step(self, stretch: Stretch, segment: Segment) -> dict[str, Array]:
        """Return what differs from step to step: masks, learning rates, step numbers, and which rows.

        The rows are a row of indices for each step; without an order, the first row's position.
        """
        steps = slice(segment.first, segment.stop)
        starts = np.asarray(stretch.batches)[steps, 0]
        positions = starts[:, None] + np.arange(segment.size)
        rows = starts if stretch.order is None else np.asarray(stretch.order)[positions]
        numbers = stretch.first_step + np.arange(segment.first, segment.stop)
        rates = np.asarray(stretch.lr, stretch.X.dtype)[steps]
        draws = {name: drawn[positions] for name, drawn in stretch.draws.items() if name in self.inputs}
        return {"rows": rows.astype(np.int32), "lr": rates, "t": numbers.astype(np.int32), **draws}

    @functools.cached_property
    def scan(self) -> Callable[[Arrays, Arrays, Arrays, int], tuple[Arrays, jax.Array]]:
        """One jitted function that runs the steps of a segment."""
        import jax

        spread = spread_rows()

        def one(data: Arrays, size: int, state: Arrays, given: Arrays) -> tuple[Arrays, tuple[jax.Array, ...]]:
            batch = {name: spread(select(array, given["rows"], size)) for name, array in data.items()}
            batch |= {name: spread(given[name]) for name in given if name not in ("rows", *SCALARS)}
            scalars = {"n": size, "lr": given["lr"], "t": given["t"]}
            named = {**batch, **state, **{name: scalars[name] for name in SCALARS if name in self.inputs}}
            results = self.step(**{name: named[name] for name in self.inputs})
            new = zip(self.program.carried, results, strict=False)  # JAX sorts the names in a dict
            return {name: jax.numpy.asarray(value, state[name].dtype) for name, value in new}, results[len(state) :]

        def run(data: Arrays, state: Arrays, given: Arrays, size: int) -> tuple[Arrays, jax.Array]:
            after, objectives = jax.lax.scan(functools.partial(one, data, size), state, given)
            return after, objectives[0] if self.objective else jax.numpy.empty(0)

        jitted: Callable[..., tuple[Arrays, jax.Array]] = jax.jit(run, static_argnums=3)
        return jitted


def select(array: jax.Array, rows: jax.Array, size: int) -> jax.Array:
    """Select the rows of a batch by their indices, or ``size`` rows from one position on."""
    import jax

    return array[rows] if rows.ndim else jax.lax.dynamic_slice_in_dim(array, rows, size)


def spread_rows() -> Callable[[jax.Array], jax.Array]:
    """Return a function that spreads the rows of an array over all devices, if the number of rows allows it."""
    import jax

    devices = jax.devices()
    if len(devices) == 1:
        return lambda array: array
    rows = jax.sharding.NamedSharding(
        jax.sharding.Mesh(np.array(devices), ("rows",)), jax.sharding.PartitionSpec("rows")
    )

    def spread(array: jax.Array) -> jax.Array:
        return jax.lax.with_sharding_constraint(array, rows) if len(array) % len(devices) == 0 else array

    return spread


class JaxRunner:
    """A program as a function, run by JAX, that returns some of its values; it selects its inputs itself."""

    def __init__(self, program: Program, results: Sequence[str]) -> None:
        self.multiplies_X = False
        if not is_installed():
            raise MissingExtraError("jax", "jax")
        self.inputs, self.function = program.inputs, function_of(program, results)

    @functools.cached_property
    def jitted(self) -> Callable[[Mapping[str, Values]], tuple[jax.Array, ...]]:
        """The function, compiled by JAX for each number of rows."""
        import jax

        function: Callable[..., tuple[jax.Array, ...]] = jax.jit(lambda inputs: self.function(**inputs))
        return function

    def __call__(self, values: Mapping[str, Values]) -> tuple[Array, ...]:
        if isinstance(values["X"], SparseRows):
            raise NotCompilableError(SPARSE)
        with with_dtype(values["X"].dtype):
            results = self.jitted({name: values[name] for name in self.inputs})
            return tuple(np.asarray(result) for result in results)
