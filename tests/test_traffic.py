"""Who goes first where many watch and draw at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from rnnlab.views import traffic as room
from rnnlab.views.traffic import PATIENCE, Traffic
from tests.waiting import wait_for


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """Another visitor's thread."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have updates wait for strokes longer than any test takes."""
    monkeypatch.setattr(room, "PATIENCE", 30.0)


@pytest.fixture
def answered() -> Iterator[threading.Event]:
    """Say when the stroke is answered; at the end of a test it is, at the latest."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def stroke(traffic: Traffic, elsewhere: ThreadPoolExecutor, answered: threading.Event) -> Future[float]:
    """Have a stroke be answered elsewhere until told; return when it was."""
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
    traffic: Traffic, stroke: Future[float], answered: threading.Event
) -> None:
    threading.Timer(0.05, answered.set).start()
    traffic.give_way()
    assert time.monotonic() >= stroke.result()


def test_an_update_does_not_wait_for_ever_where_somebody_always_draws(
    traffic: Traffic, stroke: Future[float]
) -> None:
    start = time.monotonic()
    traffic.give_way()
    assert time.monotonic() - start >= PATIENCE * 0.9
    assert not stroke.done()


@pytest.mark.usefixtures("patient")
def test_the_answer_to_a_stroke_waits_neither_for_itself_nor_for_others(
    traffic: Traffic, stroke: Future[float]
) -> None:
    with traffic.stroke():
        traffic.give_way()
    assert not stroke.done()


@pytest.mark.usefixtures("patient")
def test_a_stroke_that_cannot_be_answered_holds_up_nobody(
    traffic: Traffic, elsewhere: ThreadPoolExecutor
) -> None:
    def fail() -> None:
        with traffic.stroke():
            raise OSError("no answer")

    assert isinstance(elsewhere.submit(fail).exception(), OSError)
    start = time.monotonic()
    traffic.give_way()
    assert time.monotonic() - start < 30.0


def test_regions_are_counted_once_each_and_only_while_they_are_watched(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("rnnlab.views.traffic.time.monotonic", lambda: now)
    assert [traffic.keep_up(name) for name in ("curve of a", "belief of a", "curve of b")] == [1, 2, 3]
    assert traffic.keep_up("curve of a") == 3
    now += 9.0
    assert traffic.keep_up("curve of b") == 3
    now += 2.0
    assert traffic.keep_up("curve of b") == 1
