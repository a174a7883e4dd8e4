"""The outputs of a merged network, computed by its networks, without the zeros between them.

The result is that of ``merged``, up to rounding.  Each network computes its last layer's z.  The mean of these goes
through the rest of the program: the loss's function, such as the softmax, ``ClipPredictions``, and the inverse
of a transform of the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from workings.engines.choice import choose
from workings.engines.compiled.engine import CompiledEngine, is_installed
from workings.engines.compiled.machine_code import NotCachedError, only_from_cache
from workings.engines.contract import Stretch
from workings.engines.reference import Runner
from workings.errors import NotCompilableError
from workings.files.folding import folded
from workings.files.merging import check_alike
from workings.layers import Dense, number_layers
from workings.model.chunks import in_chunks, pieces
from workings.model.model import Model
from workings.program.program import Program
from workings.support.arrays import Array, as_features

FEWEST_COMPILED = 128  # rows for which a call of compiled code pays off
FEW_ROWS = 128  # that NumPy computes at once, so that all values of a step stay in the processor's cache
MANY_ROWS = 2**14  # more than the rows of a block, so that one machine code serves any number of rows


class MeanOutputs:
    """The mean outputs of networks with the same layers.

    Parameters
    ----------
    networks : sequence of Model
        Networks that ``merged`` accepts.
    dtype : dtype
        The precision of the calculation.

    Raises
    ------
    InputError
        If the networks cannot be merged.

    Examples
    --------
    >>> from workings import Dense, Network
    >>> from workings.files.merging import merged
    >>> networks = [Network([Dense(8, "tanh"), Dense(2)], loss="CrossEntropy", n_in=3, seed=k) for k in range(4)]
    >>> X = np.arange(6.0).reshape(2, 3)
    >>> bool(np.allclose(MeanOutputs(networks)(X), merged(networks).predict_proba(X)))
    True
    """

    def __init__(self, networks: Sequence[Model], dtype: DTypeLike = np.float64) -> None:
        for network in networks:
            network.check_built()
        self.networks = [folded(network).astype(dtype) for network in networks]
        check_alike(self.networks)

    def __call__(self, X: ArrayLike, engine: str = "auto") -> Array:
        """Return the outputs of shape (n, n_out) for inputs of shape (n, n_in).

        With ``engine="auto"``, compiled code runs if there are enough rows, and if its machine code is in this process
        or in the cache, or saves more time than compiling takes.
        """
        first = self.networks[0]
        rows = as_features(X, first.dtype, first.n_in)
        assert isinstance(rows, np.ndarray), "rows of tables are dense"
        z = self.compiled(rows, engine) if engine != "reference" else None
        if z is None:
            run = first.runner((self.z, "reference"), lambda: Runner(self.program, [self.z], "scores"))
            z = np.stack([in_chunks(run, arrays_of(network), FEW_ROWS, X=rows)[0] for network in self.networks])
        rest = first.runner((self.z, "rest"), lambda: Runner(self.rest, ["p"], "outputs"))
        (p,) = rest({**first.statistics, self.z: np.mean(z, axis=0)})
        return np.asarray(p)

    @cached_property
    def z(self) -> str:
        """The name of the last layer's weighted sums."""
        numbers = [number for layer, number in number_layers(self.networks[0].layers) if isinstance(layer, Dense)]
        return f"z{numbers[-1]}"

    @cached_property
    def program(self) -> Program:
        """The program of the last layer's z."""
        return self.networks[0].inference.needed_for(self.z)

    @cached_property
    def rest(self) -> Program:
        """The program of the outputs from the last layer's z."""
        return self.networks[0].inference.without(self.program).needed_for("p")

    def compile(self) -> None:
        """Compile the networks, unless their machine code is in the cache."""
        first = self.networks[0]
        self.compiled(np.zeros((FEWEST_COMPILED, first.n_in or 1), first.dtype), "compiled")

    def compiled(self, rows: Array, engine: str) -> Array | None:
        """Return the z of all networks from compiled code, or None if it does not pay off."""
        first = self.networks[0]
        name, _ = choose(engine, self.program, first.parameters, len(self.networks) * len(rows), 1)
        if name == "compiled":
            try:
                return self.run(rows)
            except NotCompilableError:
                if engine == "compiled":
                    raise
        elif is_installed() and len(rows) >= FEWEST_COMPILED:
            with suppress(NotCachedError, NotCompilableError), only_from_cache():
                return self.run(rows)
        return None

    def run(self, rows: Array) -> Array:
        """Return the z of all networks, of shape (networks, n, n_out), from compiled code: a step for each network."""
        first = self.networks[0]
        compiled = first.runner((self.z, "compiled"), lambda: CompiledEngine(self.program, (self.z,), by_step=True))
        found = [self.run_part(compiled, rows[part]) for part in pieces(len(rows))]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)

    def run_part(self, compiled: CompiledEngine, rows: Array) -> Array:
        """Return the z of all networks for some rows; the same machine code serves any number of rows."""
        steps, n = len(self.networks), len(rows)
        z = np.empty((steps, n, self.networks[0].n_out), rows.dtype)
        sizes = (max(n, MANY_ROWS),)
        stretch = Stretch(rows, z[0], [(0, n)] * steps, [0.0] * steps, 1, outputs={self.z: z}, batch_sizes=sizes)
        compiled.run(stretch, dict(self.stacked))
        return z

    @cached_property
    def stacked(self) -> dict[str, Array]:
        """The arrays of all networks by name, with the networks as their first dimension."""
        several = [arrays_of(network) for network in self.networks]
        return {name: np.stack([arrays[name] for arrays in several]) for name in several[0]}


def arrays_of(network: Model) -> dict[str, Array]:
    """Return the parameters of a network, and the arrays that training does not change, by name."""
    return {**network.parameters, **network.statistics}
