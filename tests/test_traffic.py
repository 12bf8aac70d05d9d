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


def answering(traffic: Traffic, elsewhere: ThreadPoolExecutor, answered: threading.Event) -> Future[float]:
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


def test_an_update_waits_until_the_strokes_of_others_are_answered(
    traffic: Traffic, elsewhere: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PATIENCE", 30.0)
    answered = threading.Event()
    stroke = answering(traffic, elsewhere, answered)
    threading.Timer(0.05, answered.set).start()
    traffic.give_way()
    assert time.monotonic() >= stroke.result()


def test_an_update_does_not_wait_for_ever_where_somebody_always_draws(
    traffic: Traffic, elsewhere: ThreadPoolExecutor
) -> None:
    answered = threading.Event()
    stroke = answering(traffic, elsewhere, answered)
    start = time.monotonic()
    traffic.give_way()
    assert time.monotonic() - start >= PATIENCE * 0.9
    assert not stroke.done()
    answered.set()


def test_the_answer_to_a_stroke_waits_neither_for_itself_nor_for_others(
    traffic: Traffic, elsewhere: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PATIENCE", 30.0)
    answered = threading.Event()
    stroke = answering(traffic, elsewhere, answered)
    with traffic.stroke():
        traffic.give_way()
    assert not stroke.done()
    answered.set()


def test_a_stroke_that_cannot_be_answered_holds_up_nobody(
    traffic: Traffic, elsewhere: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PATIENCE", 30.0)

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
