"""Weights that are saved in the course of a run."""

from __future__ import annotations

import itertools
from pathlib import Path

from rnnlab.store.weight_history import WeightHistory
from tests.weights import random_weights


def test_snapshots_stay_within_their_budget_and_thin_out_evenly(tmp_path: Path) -> None:
    weights = random_weights(8)
    weights.save(tmp_path / "one.npz", 0)
    size = (tmp_path / "one.npz").stat().st_size
    history = WeightHistory(tmp_path, budget=10 * size)
    for step in range(0, 2000, 20):
        history.maybe_snapshot(weights, step)
    kept = list(history.paths())
    assert 5 <= len(kept) <= 10
    assert kept[0] == 0
    assert len({later - earlier for earlier, later in itertools.pairwise(kept)}) == 1


def test_what_does_not_look_like_a_snapshot_is_passed_over(tmp_path: Path) -> None:
    history = WeightHistory(tmp_path)
    for step in (0, 20):
        history.maybe_snapshot(random_weights(8), step)
    steps = tmp_path / "steps"
    for name in (
        "000000020 (copy).npz",
        "20.npz",
        "000000020.npz.bak",
        "1_0.npz",
        "٠٠٠٠٠٠٠٤٠.npz",
        "1e9.npz",
    ):
        (steps / name).write_bytes(b"somebody's")
    for step in (40, 60):
        (steps / f"{step:09d}.npz").mkdir()
    assert list(history.paths()) == [0, 20]
    assert history.at_or_before(100) == steps / "000000020.npz"
    again = WeightHistory(tmp_path, budget=1)
    for step in range(40, 200, 20):
        again.maybe_snapshot(random_weights(8), step)
    assert len(again.paths()) <= 4
    assert (steps / "000000020 (copy).npz").read_bytes() == b"somebody's"
    assert (steps / "000000040.npz").is_dir()


def test_a_snapshot_is_found_at_or_before_a_step(tmp_path: Path) -> None:
    history = WeightHistory(tmp_path)
    assert history.at_or_before(100) is None
    for step in (0, 20, 40):
        history.maybe_snapshot(random_weights(8), step)
    found = history.at_or_before(39)
    assert found is not None
    assert found.name == "000000020.npz"
