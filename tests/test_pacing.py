"""Who goes first if many watch and draw at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from rnnlab.dashboard import pacing
from rnnlab.dashboard.pacing import MAX_WAIT, Pacing
from tests.waiting import wait_for


@pytest.fixture
def traffic() -> Pacing:
    return Pacing()


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """Another visitor's thread."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let updates wait for strokes longer than any test takes."""
    monkeypatch.setattr(pacing, "MAX_WAIT", 30.0)


@pytest.fixture
def answered() -> Iterator[threading.Event]:
    """Return an event that answers the stroke when it is set, at the latest at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def stroke(traffic: Pacing, elsewhere: ThreadPoolExecutor, answered: threading.Event) -> Future[float]:
    """Begin a stroke in another thread, which ends it on request; return the time at which it ended."""
    begun = threading.Event()

    def answer() -> float:
        with traffic.stroke():
            begun.set()
            answered.wait(30)
            return time.monotonic()

    future = elsewhere.submit(answer)
    wait_for(begun.is_set, "the stroke")
    return future


@pytest.mark.usefixtures("patient")
def test_an_update_waits_until_the_strokes_of_others_are_answered(
    traffic: Pacing, stroke: Future[float], answered: threading.Event
) -> None:
    threading.Timer(0.05, answered.set).start()
    traffic.yield_to_strokes()
    assert time.monotonic() >= stroke.result()


def test_an_update_does_not_wait_for_ever_where_somebody_always_draws(
    traffic: Pacing, stroke: Future[float]
) -> None:
    start = time.monotonic()
    traffic.yield_to_strokes()
    assert time.monotonic() - start >= MAX_WAIT * 0.9
    assert not stroke.done()


@pytest.mark.usefixtures("patient")
def test_the_answer_to_a_stroke_waits_neither_for_itself_nor_for_others(
    traffic: Pacing, stroke: Future[float]
) -> None:
    with traffic.stroke():
        traffic.yield_to_strokes()
    assert not stroke.done()


@pytest.mark.usefixtures("patient")
def test_a_stroke_that_cannot_be_answered_holds_up_nobody(
    traffic: Pacing, elsewhere: ThreadPoolExecutor
) -> None:
    def fail() -> None:
        with traffic.stroke():
            raise OSError("no answer")

    assert isinstance(elsewhere.submit(fail).exception(), OSError)
    start = time.monotonic()
    traffic.yield_to_strokes()
    assert time.monotonic() - start < 30.0


def test_regions_are_counted_once_each_and_only_while_they_are_watched(
    traffic: Pacing, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("rnnlab.dashboard.pacing.time.monotonic", lambda: now)
    assert [traffic.watch(name) for name in ("curve of a", "belief of a", "curve of b")] == [1, 2, 3]
    assert traffic.watch("curve of a") == 3
    now += 9.0
    assert traffic.watch("curve of b") == 3
    now += 2.0
    assert traffic.watch("curve of b") == 1
