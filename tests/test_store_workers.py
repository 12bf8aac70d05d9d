"""Which background workers live, and how many there may be."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from rnnlab.config import Config
from rnnlab.store.store import Store
from rnnlab.store.workers import HEARTBEAT_GRACE
from rnnlab.system import processes
from rnnlab.system.processes import process_is_alive


class Clock:
    """A clock that moves only on request."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


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
    with Store(own_home, clock) as store:
        store.create_run(Config())
        assert store.workers.reserve(1)
        clock.now += HEARTBEAT_GRACE + 1
        assert store.workers.reserve(1)


def test_a_worker_that_was_taken_for_dead_comes_back_on_the_list_and_may_leave(own_home: Path) -> None:
    clock = Clock()
    with Store(own_home, clock) as store:
        store.create_run(Config())
        worker = store.workers.reserve(1)
        assert worker
        store.workers.beat(worker)
        clock.now += 3600
        other = store.workers.reserve(1)
        assert other
        store.workers.dismiss(other)
        store.workers.beat(worker)
        assert store.workers.reserve(1) is None
        store.reports.claim()
        assert store.workers.release(worker)


def test_a_slow_worker_keeps_its_place_as_long_as_its_process_is_there(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(processes, "process_age", lambda _: 3600.0)
    with Store(own_home, clock) as store:
        store.create_run(Config())
        worker = store.workers.reserve(1)
        assert worker
        store.workers.beat(worker)
        clock.now += HEARTBEAT_GRACE + 5
        assert store.workers.reserve(1) is None


def test_a_worker_does_not_leave_while_a_run_waits(store: Store) -> None:
    store.create_run(Config())
    worker = store.workers.reserve(1)
    assert worker
    assert not store.workers.release(worker)
    store.reports.claim()
    assert store.workers.release(worker)


def test_a_process_is_alive_until_it_ends_even_if_nobody_has_reaped_it() -> None:
    assert process_is_alive(os.getpid())
    process = subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not process_is_alive(process.pid)
    process.communicate()


def test_a_process_that_began_after_the_last_sign_of_life_is_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert process_is_alive(process.pid)
        assert process_is_alive(process.pid, silence=1.0)
        assert not process_is_alive(process.pid, silence=10.0 + 60.0)
        monkeypatch.setattr(
            processes, "process_age", lambda _: -1e6
        )  # as in some containers: it says nothing
        assert process_is_alive(process.pid, silence=70.0)
        process.communicate()
    assert not process_is_alive(process.pid)


def test_what_cannot_be_looked_at_counts_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(number: int) -> psutil.Process:
        raise psutil.AccessDenied(number)

    monkeypatch.setattr(psutil, "Process", hidden)
    assert process_is_alive(os.getpid(), silence=1e6)
