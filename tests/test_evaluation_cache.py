"""Evaluations of stored runs: made once for all visitors, and only if there is something new."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rnnlab.dashboard.caches import MAX_EVALUATIONS_CACHED, EvaluationCache
from rnnlab.data.errors import DatasetError
from rnnlab.model.evaluation import evaluate
from rnnlab.model.weights import WeightsError
from rnnlab.presets import config_from
from rnnlab.runs import Run
from rnnlab.store.store import Store
from tests.weights import random_weights


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of images of every evaluation."""
    counts: list[int] = []

    def counted(*arguments: Any) -> Any:
        counts.append(len(arguments[1]))
        return evaluate(*arguments)

    monkeypatch.setattr("rnnlab.dashboard.caches.evaluate", counted)
    return counts


def add_run(store: Store, *, step: int = 20, seed: int = 0) -> Run:
    """Add a run on the bundled digits with weights."""
    run = store.create_run(config_from({"dataset": "digits"}))
    random_weights(8, seed).save(store.files(run.id).make_folder() / "weights.npz", step)
    return run


def test_visitors_who_come_at_the_same_time_share_one_evaluation(store: Store, evaluated: list[int]) -> None:
    run, cache = add_run(store), EvaluationCache(store)
    assert cache.last(run.id) is None
    with ThreadPoolExecutor(4) as visitors:
        found = list(visitors.map(cache.newest, [run] * 4))
    assert evaluated == [360]
    assert found[0] is not None
    assert all(each is found[0] for each in found)
    assert cache.last(run.id) is found[0]
    assert found[0].step == 20


def test_new_weights_are_evaluated_when_asked_for_and_the_last_evaluation_stays_until_then(
    store: Store, evaluated: list[int]
) -> None:
    run, cache = add_run(store), EvaluationCache(store)
    first = cache.newest(run)
    random_weights(8, seed=1).save(store.files(run.id).weights, 40)
    assert cache.last(run.id) is first
    second = cache.newest(run)
    assert second is not None
    assert second.step == 40
    assert len(evaluated) == 2


def test_only_the_runs_looked_at_last_are_kept_and_their_test_set_once(store: Store) -> None:
    cache = EvaluationCache(store)
    runs = [add_run(store, seed=seed) for seed in range(MAX_EVALUATIONS_CACHED + 1)]
    found = [cache.newest(run) for run in runs]
    assert [cache.last(run.id) is not None for run in runs] == [False] + MAX_EVALUATIONS_CACHED * [True]
    assert len({id(each.test_set) for each in found if each}) == 1


def test_without_weights_there_is_no_evaluation(store: Store) -> None:
    assert EvaluationCache(store).newest(store.create_run(config_from({}))) is None


def test_damaged_weights_are_refused_and_the_last_evaluation_stays(store: Store) -> None:
    run, cache = add_run(store), EvaluationCache(store)
    first = cache.newest(run)
    store.files(run.id).weights.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="is damaged"):
        cache.newest(run)
    assert cache.last(run.id) is first


def test_the_data_that_the_run_used_is_read_not_the_data_it_asked_for(
    store: Store, evaluated: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNLAB_MNIST_DIR", str(tmp_path))
    run = store.create_run(config_from({"dataset": "mnist"}))
    random_weights(8).save(store.files(run.id).make_folder() / "weights.npz", 20)
    cache = EvaluationCache(store)
    with pytest.raises(DatasetError, match="is missing"):
        cache.newest(run)
    store.reports.set_data(run.id, "digits", "bundled digits, 1,797 digits", "MNIST could not be downloaded.")
    assert cache.newest(store.run(run.id)) is not None
    assert evaluated == [360]
