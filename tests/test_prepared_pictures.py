"""The pictures that are shipped are those that the code draws and prepares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rnnlab.data import prepared_pictures as module
from rnnlab.data.errors import DatasetError
from rnnlab.data.prepared_pictures import DOTS_AND_SCRIBBLES, make, prepared_pictures


def test_the_shipped_pictures_are_drawn_by_this_code_but_for_rounding_of_other_versions() -> None:
    shipped = prepared_pictures()
    drawn = make(0.02)
    assert drawn.keys() == shipped.keys()
    for digit in np.unique(drawn["synthetic_labels"]):
        ours = drawn["synthetic"][drawn["synthetic_labels"] == digit]
        assert_alike(ours, shipped["synthetic"][shipped["synthetic_labels"] == digit])
    for name in ("bundled", "dots_and_scribbles"):
        assert_alike(drawn[name], shipped[name])
    np.testing.assert_array_equal(drawn["bundled_labels"], shipped["bundled_labels"][: len(drawn["bundled"])])


def assert_alike(drawn: module.Pictures, shipped: module.Pictures) -> None:
    """Compare pictures with the first ones of those that are shipped: a pixel may be a little off."""
    assert len(drawn) >= 5
    difference = drawn.astype(int) - shipped[: len(drawn)]
    assert np.abs(difference).mean() < 0.5


def test_they_are_complete_and_cannot_be_changed_by_one_caller_for_all() -> None:
    shipped = prepared_pictures()
    assert {name: len(array) for name, array in shipped.items()} == {
        "bundled": 1797,
        "bundled_labels": 1797,
        "synthetic": 2400,
        "synthetic_labels": 2400,
        "dots_and_scribbles": DOTS_AND_SCRIBBLES,
    }
    for array in shipped.values():
        assert array.dtype == np.uint8
        assert not array.flags.writeable


def test_bundled_digits_are_those_of_scikit_learns_own_reader() -> None:
    from sklearn.datasets import load_digits

    table = module._read_bundle()
    np.testing.assert_array_equal(table[:, :-1], load_digits().data)
    np.testing.assert_array_equal(table[:, -1], load_digits().target)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 and no more"])
def test_a_missing_or_damaged_file_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.setattr(module, "PATH", tmp_path / "prepared_pictures.npz")
    if content is not None:
        module.PATH.write_bytes(content)
    with pytest.raises(DatasetError, match="install RNN Lab again"):
        prepared_pictures.__wrapped__()
