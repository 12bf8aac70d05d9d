"""A run begins at once if the digits that it learns from were unpacked and mixed for a run before."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest

from rnnlab.config import Config
from rnnlab.data import datasets, training_set
from rnnlab.data.datasets import Dataset
from rnnlab.data.digits_cache import DigitsCache
from rnnlab.data.mnist_files import PARTS
from rnnlab.data.training_set import load_training_set
from rnnlab.presets import config_from
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from rnnlab.worker.job import execute
from tests.mnist import Arrays, write_idx_files
from tests.workers import SHORT


@pytest.fixture
def cache(tmp_path: Path) -> DigitsCache:
    return DigitsCache(tmp_path / "digits.cache")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of the data sets that are loaded from their own files from now on."""
    names: list[str] = []
    load = datasets.load

    def counted(name: str, *arguments: Callable[..., object]) -> Dataset:
        names.append(name)
        return load(name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(training_set, "load", counted)
    return names


def parts(digits: Dataset) -> Arrays:
    return {name: getattr(digits, name) for name in PARTS}


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> Path:
    """Return a folder with somebody's own digits in MNIST's form."""
    folder = write_idx_files(tmp_path / "own", parts(digits))
    monkeypatch.setenv("RNNLAB_MNIST_DIR", str(folder))
    return folder


CONFIG = config_from({"nonsense": 0.1})


def assert_same(found: Dataset, expected: Dataset) -> None:
    for mine, theirs in zip(astuple(found), astuple(expected), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.usefixtures("own_folder")
def test_the_second_run_gets_the_same_digits_without_reading_them_again(
    cache: DigitsCache, loads: list[str]
) -> None:
    first = load_training_set(CONFIG, cache=cache)
    second = load_training_set(CONFIG, cache=cache)
    assert loads == ["mnist"]
    assert_same(second, first)
    assert second.name.startswith("own-")


@pytest.mark.usefixtures("own_folder")
@pytest.mark.parametrize("other", [{"nonsense": 0.2}, {"extra_digits": "none"}, {"dataset": "validation"}])
def test_another_mixture_is_not_taken_for_it(
    cache: DigitsCache, loads: list[str], other: dict[str, object]
) -> None:
    load_training_set(CONFIG, cache=cache)
    found = load_training_set(config_from({"nonsense": 0.1, **other}), cache=cache)
    assert len(loads) == 2
    assert_same(found, load_training_set(config_from({"nonsense": 0.1, **other})))


def test_other_files_in_the_same_place_are_read_anew(
    cache: DigitsCache, own_folder: Path, digits: Dataset
) -> None:
    load_training_set(CONFIG, cache=cache)
    fewer = {name: array[:300] for name, array in parts(digits).items()}
    write_idx_files(own_folder, fewer)
    assert_same(load_training_set(CONFIG, cache=cache), load_training_set(CONFIG))


def damage(path: Path, change: Callable[[bytearray], object]) -> None:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


@pytest.mark.usefixtures("own_folder")
@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.clear(),
        lambda content: content.__delitem__(slice(100_000, None)),
        lambda content: content.__setitem__(500_000, content[500_000] ^ 1),
        lambda content: content.__setitem__(slice(0, 4), b"\xff\xff\xff\xff"),
        lambda content: content.__setitem__(6, 0),
        lambda content: content.extend(b"more"),
    ],
)
def test_a_damaged_file_is_made_anew(
    cache: DigitsCache, loads: list[str], tmp_path: Path, change: Callable[[bytearray], object]
) -> None:
    expected = load_training_set(CONFIG, cache=cache)
    damage(tmp_path / "digits.cache", change)
    assert_same(load_training_set(CONFIG, cache=cache), expected)
    assert len(loads) == 2
    assert_same(load_training_set(CONFIG, cache=cache), expected)
    assert len(loads) == 2


@pytest.mark.usefixtures("own_folder")
@pytest.mark.parametrize("head", ["[]", "null", "7", "[" * 9_000, "{", '{"counts": [1]}', "\u00e9"])
def test_a_head_that_says_something_else_is_a_damaged_file(
    cache: DigitsCache, tmp_path: Path, head: str
) -> None:
    text = head.encode()
    (tmp_path / "digits.cache").write_bytes(len(text).to_bytes(4, "little") + text + bytes(100))
    assert cache.get("a key") is None
    assert_same(load_training_set(CONFIG, cache=cache), load_training_set(CONFIG))


@pytest.mark.usefixtures("own_folder")
@pytest.mark.parametrize("counts", ["[1e999, 1]", "[1]", '["a", 1]', "null", "[-1, 2]"])
def test_counts_that_cannot_be_are_damage_too(cache: DigitsCache, tmp_path: Path, counts: str) -> None:
    text = f'{{"key": "a key", "checksum": {zlib.crc32(bytes(100))}, "counts": {counts}}}'.encode()
    (tmp_path / "digits.cache").write_bytes(len(text).to_bytes(4, "little") + text + bytes(100))
    assert cache.get("a key") is None


@pytest.mark.usefixtures("own_folder")
def test_where_no_file_can_be_kept_the_digits_are_read_every_time(loads: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = DigitsCache(tmp_path / "file" / "digits.cache")
    for _ in range(2):
        load_training_set(CONFIG, cache=cache)
    assert len(loads) == 2


def test_the_bundled_digits_need_no_copy(cache: DigitsCache, tmp_path: Path) -> None:
    load_training_set(Config(dataset="digits"), cache=cache)
    assert not (tmp_path / "digits.cache").exists()


@pytest.mark.usefixtures("own_folder")
def test_a_run_trains_on_digits_that_are_kept_as_on_those_that_are_read(store: Store) -> None:
    losses = []
    for _ in range(2):
        run = store.create_run(replace(SHORT, dataset="mnist"), claimed=True)
        assert execute(store, run) is RunState.FINISHED
        losses.append([point.loss for point in store.points(run.id)])
    assert losses[0] == losses[1]
    assert (store.home / "digits.cache").exists()
