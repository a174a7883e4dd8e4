"""Products of matrices in tiles, by one thread and by several, against NumPy's."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")
from workings.engines.compiled import machine_code
from workings.engines.kernels import threads as team
from workings.engines.kernels import work_sharing

# Rows, terms and columns: single ones, edges of tiles and vectors, more than one panel, more than one stretch of terms.
SIZES = [(1, 1, 1), (12, 8, 16), (13, 7, 17), (5, 300, 33), (61, 3, 300), (70, 600, 9)]


SOURCE = """
from workings.engines.kernels.work_sharing import product

def run(state, workspaces, A, flip_a, B, flip_b, C, m, k, n, scale, adds):
    product(state, workspaces, A, flip_a, B, flip_b, C, m, k, n, scale, adds)
"""
product = machine_code.MachineCode(SOURCE, "run")


def numbers(shape: tuple[int, int], flipped: bool, dtype: str, seed: int) -> Any:
    """A matrix, kept with rows for columns if flipped."""
    rows, columns = shape[::-1] if flipped else shape
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(dtype)


def computed(
    A: Any, flip_a: bool, B: Any, flip_b: bool, C: Any, shape: tuple[int, int, int], scale: float, adds: bool
) -> Any:
    """The product by the threads."""
    C, (m, k, n) = C.copy(), shape
    with team.Team(C.dtype, m * k * n) as (state, workspaces):
        product(state, workspaces, A, int(flip_a), B, int(flip_b), C, m, k, n, scale, int(adds))()
    return C


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("flip_a", [False, True])
@pytest.mark.parametrize("flip_b", [False, True])
def test_products_are_numpys(flip_a: bool, flip_b: bool, dtype: str) -> None:
    for m, k, n in SIZES:
        A, B = numbers((m, k), flip_a, dtype, 0), numbers((k, n), flip_b, dtype, 1)
        exact = (A.T if flip_a else A).astype(float) @ (B.T if flip_b else B).astype(float)
        size = abs(A.T if flip_a else A).astype(float) @ abs(B.T if flip_b else B).astype(float)
        for scale, adds in ((1.0, False), (-0.5, True)):
            C = np.full((m, n), 3, dtype)
            found = computed(A, flip_a, B, flip_b, C, (m, k, n), scale, adds)
            error = abs(found - (scale * exact + (3 if adds else 0)))
            assert (error <= 2 * np.finfo(dtype).eps * np.sqrt(k) * (size + 3)).all(), (m, k, n, scale, adds)


def test_nothing_but_the_product_is_written() -> None:
    A, B, C = numbers((20, 30), False, "float64", 0), numbers((30, 40), False, "float64", 1), np.full((20, 40), np.nan)
    found = computed(A, False, B, False, C, (17, 30, 35), 1.0, False)
    assert np.isfinite(found[:17, :35]).all()
    assert np.isnan(found[17:]).all()
    assert np.isnan(found[:, 35:]).all()


@pytest.mark.parametrize(("flip_a", "flip_b", "shape"), [(False, False, (90, 300, 400)), (True, True, (700, 200, 20))])
def test_threads_leave_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, flip_a: bool, flip_b: bool, shape: tuple[int, int, int]
) -> None:
    m, k, n = shape
    A, B, C = numbers((m, k), flip_a, "float32", 0), numbers((k, n), flip_b, "float32", 1), np.ones((m, n), "float32")
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(team, "threads", lambda threads=threads: threads)
        found += [computed(A, flip_a, B, flip_b, C, shape, 0.1, True).tobytes() for _ in range(20)]
    assert len(set(found)) == 1


def test_helpers_take_part() -> None:
    """A helper alone computes a product."""
    crew = team.Team("float64", 10**9)
    state, workspaces = crew.state, crew.workspaces
    A, B, C = numbers((90, 80), False, "float64", 0), numbers((80, 70), False, "float64", 1), np.zeros((90, 70))
    at = [(array.ctypes.data, array.strides[0] // 8) for array in (A, B, C)]
    description = [*at[0], 0, *at[1], 0, *at[2], 90, 70, 80, 0, 1]
    state[team.PRODUCT : team.PRODUCT + len(description)] = description
    state[[team.JOB_COUNT, team.TICKETS, team.IS_OPEN]], workspaces[0, -1] = (3, 3 * work_sharing.MOST_JOBS, 1), 1.0
    arguments = np.array([state.ctypes.data, 0])
    help_out = machine_code.FUNCTION(crew.help_function)
    help_out(arguments.ctypes.data)  # returns when it has waited for more in vain
    assert state[team.JOBS_DONE] == 3
    np.testing.assert_allclose(C, A @ B, rtol=1e-12)


def test_a_team_has_as_many_threads_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert team.threads() == 1
    assert team.Team("float64", 10**9).size == 1
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert team.threads() == len(os.sched_getaffinity(0))
    assert team.Team("float64", 1000).size == 1, "small products are not shared"
