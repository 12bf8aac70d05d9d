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


def test_a_snapshot_is_found_at_or_before_a_step(tmp_path: Path) -> None:
    history = WeightHistory(tmp_path)
    assert history.at_or_before(100) is None
    for step in (0, 20, 40):
        history.maybe_snapshot(random_weights(8), step)
    found = history.at_or_before(39)
    assert found is not None
    assert found.name == "000000020.npz"
