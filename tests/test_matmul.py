"""Matrix products, in pieces and in place."""

from __future__ import annotations

import numpy as np
import pytest

from rnnlab.training import matmul
from rnnlab.training.matmul import add_product, multiply


@pytest.mark.parametrize("has_kernel_for_small", [False, True])
@pytest.mark.parametrize(
    ("rows", "inner", "columns"), [(3, 4, 1), (522, 157, 64), (1034, 285, 16), (128, 522, 16)]
)
def test_pieces_make_up_the_whole_product(
    rows: int, inner: int, columns: int, has_kernel_for_small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matmul, "_has_kernel_for_small", lambda: has_kernel_for_small)
    matmul._pieces.cache_clear()
    generator = np.random.default_rng(0)
    left = generator.normal(size=(rows, inner)).astype(np.float32)
    right = generator.normal(size=(inner, columns)).astype(np.float32)
    out = np.full((rows, columns), np.nan, np.float32)
    multiply(left, right, out)
    matmul._pieces.cache_clear()
    np.testing.assert_allclose(out, left @ right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("part", [slice(None), slice(0, 20)])
def test_a_product_is_added_in_place(part: slice) -> None:
    generator = np.random.default_rng(0)
    total = generator.normal(size=(30, 7)).astype(np.float32)
    left = generator.normal(size=(30, 12)).astype(np.float32)
    right = generator.normal(size=(7, 12)).astype(np.float32)
    expected = total.copy()
    expected[part] += left[part] @ right.T
    add_product(total[part], left[part], right)
    np.testing.assert_allclose(total, expected, rtol=1e-5, atol=1e-5)
