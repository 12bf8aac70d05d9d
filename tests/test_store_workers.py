"""Which background workers live, and how many there may be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rnnlab.config import Config
from rnnlab.store.heartbeats import HEARTBEAT_GRACE
from rnnlab.store.store import Store
from tests.elsewhere import Clock, another_machine


def test_only_one_worker_is_made_room_for_however_many_ask(own_home: Path) -> None:
    with Store(own_home) as store:
        assert store.workers.reserve(1) is None
        store.create_run(Config())

        def ask(_: int) -> str | None:
            with Store(own_home) as other:
                return other.workers.reserve(1)

        with ThreadPoolExecutor(8) as pool:
            answers = [answer for answer in pool.map(ask, range(20)) if answer]
        assert len(answers) == 1


def test_a_worker_that_never_came_up_makes_room_for_another(own_home: Path) -> None:
    clock = Clock()
    with Store(own_home, clock, clock) as store:
        store.create_run(Config())
        assert store.workers.reserve(1)
        assert store.workers.reserve(1) is None
        clock.now += HEARTBEAT_GRACE + 1
        assert store.workers.reserve(1)


def test_a_worker_elsewhere_that_was_taken_for_dead_comes_back_on_the_list_and_may_leave(
    own_home: Path,
) -> None:
    clock = Clock()
    with Store(own_home, clock, clock) as store:
        store.create_run(Config())
        worker = store.workers.reserve(1)
        assert worker
        with another_machine():
            store.workers.beat(worker)
        assert store.workers.reserve(1) is None
        clock.now += 3600
        other = store.workers.reserve(1)
        assert other
        store.workers.dismiss(other)
        with another_machine():
            store.workers.beat(worker)
        assert store.workers.reserve(1) is None
        store.reports.claim()
        assert store.workers.release(worker)


def test_a_worker_keeps_its_place_as_long_as_its_process_is_there(own_home: Path) -> None:
    clock = Clock()
    with Store(own_home, clock, clock) as store:
        store.create_run(Config())
        worker = store.workers.reserve(1)
        assert worker
        store.workers.beat(worker)
        clock.now += 100 * HEARTBEAT_GRACE
        assert store.workers.reserve(1) is None


def test_a_worker_does_not_leave_while_a_run_waits(store: Store) -> None:
    store.create_run(Config())
    worker = store.workers.reserve(1)
    assert worker
    assert not store.workers.release(worker)
    store.reports.claim()
    assert store.workers.release(worker)
