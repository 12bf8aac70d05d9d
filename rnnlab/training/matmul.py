"""Matrix products in the forms that OpenBLAS computes fastest. All matrices are `float32`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy
from threadpoolctl import threadpool_info

from rnnlab.digits import FloatArray

SMALL: Final = 900_000
"""Up to this many multiplications, OpenBLAS does not rearrange the matrices first (its limit: a million)."""

_LARGE: Final = 4_000_000
"""With a left matrix of more bytes, pieces no longer stay in the caches."""

_KERNELS_FOR_SMALL: Final = frozenset({"SkylakeX", "Cooperlake", "Sapphirerapids"})
"""Processors, by OpenBLAS' names, for which it has a special kernel for small products."""


def _load_sgemm() -> Callable[..., Any]:
    """Return SciPy's `sgemm` without the rest of `scipy.linalg`.

    That would take half of the time in which a worker starts, and 25 MB in each of its processes.
    """
    name = "scipy.linalg._fblas"
    for suffix in EXTENSION_SUFFIXES:
        path = Path(scipy.__file__).parent / "linalg" / f"_fblas{suffix}"
        if path.is_file() and (spec := importlib.util.spec_from_file_location(name, path)):
            module = importlib.util.module_from_spec(spec)
            ExtensionFileLoader(name, str(path)).exec_module(module)
            return module.sgemm  # type: ignore[no-any-return]
    from scipy.linalg.blas import sgemm

    return sgemm  # type: ignore[no-any-return]


_sgemm: Final = _load_sgemm()


def multiply(left: FloatArray, right: FloatArray, out: FloatArray) -> None:
    """Write the product of two matrices into `out`, in pieces of rows if that is faster.

    Args:
        left: Shape (m, k).
        right: Shape (k, n).
        out: Shape (m, n).
    """
    pieces = _pieces(left.shape[0], left.shape[1], right.shape[1])
    if len(pieces) == 1:
        np.matmul(left, right, out=out)
        return
    for rows in pieces:
        np.matmul(left[rows], right, out=out[rows])


@cache
def _pieces(rows: int, inner: int, columns: int) -> tuple[slice, ...]:
    """Return the rows of each piece."""
    count = -(-rows * inner * columns // SMALL)
    if not _has_kernel_for_small() or rows * inner * 4 > _LARGE or (rows < inner and columns > 32):
        count = 1
    length = -(-rows // max(1, count))
    return tuple(slice(start, min(start + length, rows)) for start in range(0, rows, length))


@cache
def _has_kernel_for_small() -> bool:
    """Return whether numpy's OpenBLAS has a special kernel for small products on this processor."""
    return any(library.get("architecture") in _KERNELS_FOR_SMALL for library in threadpool_info())


def add_product(total: FloatArray, left: FloatArray, right: FloatArray) -> None:
    """Add left right^T to `total`.

    Args:
        total: Shape (m, n), C-contiguous.
        left: Shape (m, k), C-contiguous.
        right: Shape (n, k), C-contiguous.
    """
    # In Fortran's order of numbers: total^T += right left^T.
    _sgemm(1.0, right.T, left.T, 1.0, total.T, trans_a=1, overwrite_c=1)
