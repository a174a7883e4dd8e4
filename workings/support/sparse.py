"""Sparse inputs: SciPy's sparse matrices as training data.

Word counts and one-hot columns make matrices that do not fit in memory as dense arrays.  Most networks only
multiply X, as in ``X @ W1`` and ``X.T @ dz1``, which SciPy does at the cost of the nonzero entries.  A
network that uses X in another way, such as dropout on the inputs, gets dense batches.  A small sparse matrix
is converted to a dense array immediately, so that every engine can use it.  This module does not import
SciPy: a sparse matrix implies that SciPy is already loaded.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
from numpy.typing import DTypeLike, NDArray

from workings.errors import InputError

if TYPE_CHECKING:
    from workings.support.interfaces import SparseMatrix

# Limits on the size of the dense array in bytes.  Up to DENSE_AT_ONCE (32 MB), a sparse X is converted immediately;
# larger ones are converted in portions of that size.  Above DENSE_AT_MOST (1 GB), nothing is converted.
DENSE_AT_ONCE = 2**25
DENSE_AT_MOST = 2**30


class SparseRows:
    """Rows of a sparse matrix, with the slicing and multiplication of a NumPy array.

    Parameters
    ----------
    matrix : SciPy's sparse matrix or array of shape (n, n_in), in CSR form

    Examples
    --------
    >>> from scipy import sparse
    >>> rows = SparseRows(sparse.csr_array([[0.0, 2.0], [0.0, 0.0], [3.0, 0.0]]))
    >>> len(rows), rows[1:] @ np.ones((2, 1))
    (3, array([[0.],
           [3.]]))
    """

    def __init__(self, matrix: SparseMatrix) -> None:
        self.matrix = matrix

    @property
    def shape(self) -> tuple[int, int]:
        """The shape (n, n_in)."""
        n, n_in = self.matrix.shape
        return int(n), int(n_in)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The dtype of the entries."""
        return self.matrix.dtype

    @property
    def dense_bytes(self) -> int:
        """The size of the dense array in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def T(self) -> SparseMatrix:  # named like NumPy's attribute
        """The transposed matrix."""
        return self.matrix.T

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> SparseRows:
        return SparseRows(self.matrix[rows])

    def __matmul__(self, other: NDArray[np.floating]) -> NDArray[np.floating]:
        return self.matrix @ other

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[np.generic]:
        return self.dense().astype(dtype or self.dtype, copy=False)

    def tobytes(self) -> bytes:
        """Return the matrix's data and structure as bytes, for fingerprints."""
        return b"".join(part.tobytes() for part in (self.matrix.data, self.matrix.indices, self.matrix.indptr))

    def dense(self) -> NDArray[np.floating]:
        """Convert to a dense array.

        Raises
        ------
        InputError
            If it would be larger than 1 GB.
        """
        if self.dense_bytes > DENSE_AT_MOST:
            n, n_in = self.shape
            raise InputError(
                f"{n:,} sparse rows of {n_in:,} columns would be a dense array of {self.dense_bytes / 2**30:.1f} GB, "
                f"which this operation needs. Pass fewer rows, such as X[:100], or train with a smaller batch_size."
            )
        return np.ascontiguousarray(self.matrix.toarray())


def is_sparse(X: object) -> TypeGuard[SparseMatrix]:
    """Return whether an object is a sparse matrix or array of SciPy.

    >>> from scipy import sparse
    >>> is_sparse(sparse.eye_array(3)), is_sparse(np.eye(3))
    (True, False)
    """
    scipy_sparse = sys.modules.get("scipy.sparse")
    return scipy_sparse is not None and bool(scipy_sparse.issparse(X))


def dense(X: NDArray[np.floating] | SparseRows) -> NDArray[np.floating]:
    """Return rows as a dense array."""
    return X.dense() if isinstance(X, SparseRows) else X
