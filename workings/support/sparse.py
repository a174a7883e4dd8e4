"""Sparse inputs: matrices of which only the numbers that are not 0 are kept.

Counts of words and columns of zeros and ones make matrices that would not fit in memory as arrays.  A network can
learn from them as they are, because a program hardly ever does more with X than multiply it: ``X @ W1`` and
``X.T @ dz1`` are statements that SciPy's matrices understand, at the cost of the numbers that are not 0.  Where a
program does something else with X, dropout of the inputs say, it is given dense batches.  What is small is made
dense at once, so that any engine can run it.  SciPy is not imported here: whoever has such a matrix has SciPy.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workings.errors import InputError

# Bytes of the dense array.  Up to the first, 32 MB, a sparse X is made dense at once; rows are also made dense in
# portions of so much.  More than the second, 1 GB, is never made dense.
DENSE_AT_ONCE = 2**25
DENSE_AT_MOST = 2**30


class SparseRows:
    """The rows of a sparse matrix, which are cut and multiplied like those of an array.

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

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        n, n_in = self.matrix.shape
        return int(n), int(n_in)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its numbers."""
        found: np.dtype[Any] = self.matrix.dtype
        return found

    @property
    def dense_bytes(self) -> int:
        """How many bytes the dense array would have."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def T(self) -> Any:  # as arrays have it
        """Rows for columns."""
        return self.matrix.T

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | NDArray[Any]) -> SparseRows:
        return SparseRows(self.matrix[rows])

    def __matmul__(self, other: NDArray[Any]) -> NDArray[Any]:
        product: NDArray[Any] = self.matrix @ other
        return product

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.dense().astype(dtype or self.dtype, copy=False)

    def tobytes(self) -> bytes:
        """All that makes the matrix what it is, for fingerprints."""
        return b"".join(part.tobytes() for part in (self.matrix.data, self.matrix.indices, self.matrix.indptr))

    def dense(self) -> NDArray[Any]:
        """Make the array, with its zeros.

        Raises
        ------
        InputError
            If it would be larger than 1 GB.
        """
        if self.dense_bytes > DENSE_AT_MOST:
            n, n_in = self.shape
            raise InputError(
                f"{n:,} sparse rows of {n_in:,} columns would be an array of {self.dense_bytes / 2**30:.1f} GB, and "
                f"this needs the array. Give fewer rows, such as X[:100], or a smaller batch_size to train."
            )
        array: NDArray[Any] = np.ascontiguousarray(self.matrix.toarray())
        return array


def is_sparse(X: object) -> bool:
    """Whether this is a sparse matrix or array of SciPy.

    >>> from scipy import sparse
    >>> is_sparse(sparse.eye_array(3)), is_sparse(np.eye(3))
    (True, False)
    """
    scipys = sys.modules.get("scipy.sparse")
    return scipys is not None and bool(scipys.issparse(X))


def dense(X: NDArray[Any] | SparseRows) -> NDArray[Any]:
    """Give rows as an array, whichever they are."""
    return X.dense() if isinstance(X, SparseRows) else X
