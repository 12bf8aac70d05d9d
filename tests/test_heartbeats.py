"""Who counts as dead: here only a process that has ended, elsewhere one that has been silent for long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rnnlab.config import Config
from rnnlab.dashboard.regions.run_buttons import buttons_for
from rnnlab.runs import AccuracyPoint, Run, RunState
from rnnlab.store.heartbeats import CONFIRM_SECONDS, HEARTBEAT_GRACE
from rnnlab.store.reports import RunLostError
from rnnlab.store.store import Store
from tests.elsewhere import Clock, another_machine

ONE_REPORT = AccuracyPoint(0, 0.1, 2.3, 0.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(own_home: Path, clock: Clock) -> Iterator[Store]:
    """Open a store whose time passes only on request."""
    with Store(own_home, clock, clock) as opened:
        yield opened


def trains_elsewhere(store: Store) -> Run:
    """Return a run that a worker of another machine has."""
    with another_machine():
        run = store.create_run(Config(), claimed=True)
        store.reports.add_point(run.id, ONE_REPORT)
    assert store.reports.mark_interrupted() == []
    return run


def test_a_live_process_of_this_machine_is_not_called_dead_however_long_it_is_silent(
    store: Store, clock: Clock
) -> None:
    """It may have been stopped, the laptop may have slept, or somebody has set the clock."""
    run = store.create_run(Config(), claimed=True)
    store.requests.stop(run.id)
    for passed in (20, 3600, -7200):
        clock.now += passed
        assert store.reports.mark_interrupted() == []
    assert store.reports.pending_requests(run.id).stop


def test_a_run_elsewhere_is_interrupted_once_it_has_been_silent_for_long(store: Store, clock: Clock) -> None:
    silent, lively = trains_elsewhere(store), trains_elsewhere(store)
    clock.now += 22  # stopped for twenty seconds
    assert store.reports.mark_interrupted() == []
    with another_machine():
        store.reports.beat(lively.id)
    assert store.reports.mark_interrupted() == []
    clock.now += HEARTBEAT_GRACE - 20
    assert store.reports.mark_interrupted() == [silent.id]
    assert "another machine" in store.run(silent.id).message


def test_a_run_elsewhere_that_only_slept_goes_on_and_follows_what_it_was_asked(
    store: Store, clock: Clock
) -> None:
    run = trains_elsewhere(store)
    store.requests.stop(run.id)
    clock.now += 3600
    assert store.reports.mark_interrupted() == [run.id]
    resume, _, _ = buttons_for(store.run(run.id), has_checkpoint=True)
    assert resume is not None
    assert not resume.disabled
    with another_machine():
        store.reports.add_point(run.id, AccuracyPoint(20, 0.5, 1.0, 1.0))
        assert store.reports.pending_requests(run.id).stop
    assert (store.run(run.id).state, store.run(run.id).ended) == (RunState.TRAINING, None)


def test_a_run_elsewhere_whose_clock_differs_is_alive_as_long_as_its_heartbeat_moves(own_home: Path) -> None:
    steady, behind = Clock(), Clock(1000.0 - 600)
    with Store(own_home, Clock(), steady) as store, Store(own_home, behind, steady) as other:
        with another_machine():
            run = other.create_run(Config(), claimed=True)
        for _ in range(30):
            assert store.reports.mark_interrupted() == []
            for clock in (steady, behind):
                clock.now += 2
            with another_machine():
                other.reports.beat(run.id)
        assert store.reports.mark_interrupted() == []
        steady.now += HEARTBEAT_GRACE - 10
        assert store.reports.mark_interrupted() == []
        steady.now += 20
        assert store.reports.mark_interrupted() == [run.id]


def test_what_was_left_long_ago_is_known_within_seconds(own_home: Path) -> None:
    """As after a restart of the machine or of the container: it is another one then."""
    with Store(own_home, Clock(1000.0)) as store, another_machine():
        run = store.create_run(Config(), claimed=True)
    steady = Clock()
    with Store(own_home, Clock(5000.0), steady) as store:
        assert store.reports.mark_interrupted() == []
        steady.now += CONFIRM_SECONDS
        assert store.reports.mark_interrupted() == [run.id]


def test_the_command_line_which_looks_once_watches_first(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(own_home, Clock(1000.0)) as store, another_machine():
        run = store.create_run(Config(), claimed=True)
    steady = Clock()

    def pass_time(seconds: float) -> None:
        steady.now += seconds

    monkeypatch.setattr("rnnlab.store.reports.time.sleep", pass_time)
    with Store(own_home, Clock(5000.0), steady) as store:
        store.reports.mark_interrupted_surely()
        assert store.run(run.id).state is RunState.INTERRUPTED
    assert steady.now <= 1000 + CONFIRM_SECONDS + 1


def test_a_paused_run_of_a_silent_worker_elsewhere_follows_what_it_was_told_last(
    store: Store, clock: Clock
) -> None:
    for wish, state in (("resume", RunState.QUEUED), ("stop", RunState.STOPPED), ("", RunState.PAUSED)):
        run = trains_elsewhere(store)
        store.requests.pause(run.id)
        with another_machine():
            store.reports.set_paused(run.id)
        if wish:
            getattr(store.requests, wish)(run.id)
        assert store.reports.mark_interrupted() == []
        assert store.run(run.id).state is RunState.PAUSED
        clock.now += 3600
        store.reports.mark_interrupted()
        assert store.run(run.id).state is state
        with another_machine(), pytest.raises(RunLostError):  # it wakes up, and leaves the run alone
            store.reports.pending_requests(run.id)


def test_a_worker_that_has_lost_its_run_changes_nothing_of_it(store: Store, clock: Clock) -> None:
    """Not even if its process has the same number as the one that has the run now."""
    run = trains_elsewhere(store)
    clock.now += 3600
    store.reports.mark_interrupted()
    store.requests.resume(run.id)
    with another_machine(), pytest.raises(RunLostError):
        store.reports.end_run(run.id, RunState.FAILED)
    assert store.run(run.id).state is RunState.QUEUED
    assert store.reports.claim(run.id)
    store.requests.change(run.id, {"learning_rate": 0.01})
    store.requests.pause(run.id)
    before = store.run(run.id)
    reports = store.reports
    with another_machine():
        for act in (
            lambda: reports.add_point(run.id, ONE_REPORT),
            lambda: reports.set_begun(run.id, 0, 1, "numpy"),
            lambda: reports.take_changes(run.id, 0),
            lambda: reports.end_run(run.id, RunState.FINISHED, step=20_000),
        ):
            with pytest.raises(RunLostError):
                act()
        clock.now += 1
        reports.set_message(run.id, "nonsense")
        reports.set_data(run.id, "nonsense", "nonsense", "nonsense")
        reports.set_paused(run.id)
        reports.beat(run.id)
        assert not reports.release(run.id, 20_000)
    assert store.run(run.id) == before
    assert len(store.points(run.id)) == 1
