"""Fingers, palms and pens on the canvas, in a real browser: every stroke arrives, and nothing else does."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests import dashboard
from tests.fingers import Fingers, stroke_on
from tests.waiting import wait_for


@pytest.fixture
def url(url_of_an_ended_run: str) -> str:
    return url_of_an_ended_run


@pytest.fixture
def touched(chromium: Browser, url: str) -> Iterator[Page]:
    """Return the Lab in a browser with a touch screen."""
    context = chromium.new_context(viewport={"width": 1000, "height": 1000}, has_touch=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield dashboard.ready(page, url)
    context.close()
    assert errors == []


def place_of_the_palm(page: Page) -> tuple[float, float]:
    """Return a place on the canvas on which a hand rests while it draws."""
    box = page.locator("canvas.upper-canvas").bounding_box()
    assert box is not None
    return box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.93


def expect_ink(page: Page, ink: int) -> None:
    """Wait until so many pixels of the canvas are white, or nearly so many."""
    wait_for(lambda: dashboard.drawn_ink(page) == pytest.approx(ink, rel=0.02), f"{ink} white pixels")


def arrived(page: Page) -> int:
    """Take the strokes back one by one; return how many the server knew of."""
    undo, clear = (page.get_by_role("button", name=name) for name in ("Undo", "Clear"))
    expect(clear).to_be_enabled()
    count = 0
    while clear.is_enabled():
        ink = dashboard.drawn_ink(page)
        undo.click()
        wait_for(lambda ink=ink: dashboard.drawn_ink(page) < ink, "one stroke less")  # type: ignore[misc]
        count += 1
        if dashboard.drawn_ink(page) == 0:
            expect(clear).to_be_disabled()
    return count


@pytest.fixture
def ink_of_a_4(touched: Page) -> tuple[int, int]:
    """Return how much ink the first stroke of a 4 leaves, and the whole 4, each drawn alone and slowly."""
    fingers, undo = Fingers(touched), touched.get_by_role("button", name="Undo")
    fingers.draw(stroke_on(touched, "4", 0))
    expect(undo).to_be_enabled()
    first = dashboard.drawn_ink(touched)
    fingers.draw(stroke_on(touched, "4", 1))
    whole = wait_for(lambda: (ink := dashboard.drawn_ink(touched)) > first and ink, "the second stroke")
    assert arrived(touched) == 2
    return first, whole


def test_every_stroke_arrives_whole_whatever_else_touches_the_canvas(
    touched: Page, ink_of_a_4: tuple[int, int]
) -> None:
    fingers, palm = Fingers(touched), place_of_the_palm(touched)
    strokes = [stroke_on(touched, "4", index) for index in (0, 1)]

    def expect_a_4(how: str) -> None:
        expect_ink(touched, ink_of_a_4[1])
        assert arrived(touched) == 2, how

    for stroke in strokes:
        fingers.draw(stroke)
    expect_a_4("two quick strokes")

    fingers.down(7, palm)
    for stroke in strokes:
        fingers.draw(stroke)
    fingers.up(7)
    expect_a_4("a palm rests on the canvas all the while")

    fingers.draw(strokes[0], finger=1)
    fingers.down(1, strokes[1][0])
    for place in strokes[1][1:]:
        fingers.move(_1=place)
    fingers.down(7, palm)
    fingers.up(1)
    fingers.up(7)
    expect_a_4("a palm comes down during a stroke")

    for finger in (0, 1):
        fingers.down(finger, strokes[finger][0])
    for place, other in zip(strokes[0][1:], strokes[1][1:] * 3, strict=False):
        fingers.move(_0=place, _1=other)
    fingers.move(_1=strokes[1][-1])
    fingers.up(1)
    fingers.up(0)
    expect_a_4("two fingers together")

    fingers.draw(strokes[0])
    fingers.draw_with_pen(strokes[1])
    expect_a_4("a pen right after a finger")


def test_the_hand_that_holds_a_pen_draws_nothing(touched: Page, ink_of_a_4: tuple[int, int]) -> None:
    fingers, (x, y) = Fingers(touched), place_of_the_palm(touched)
    fingers.down(7, (x, y))
    fingers.move(_7=(x - 60, y))
    fingers.draw_with_pen(stroke_on(touched, "4", 0))
    fingers.up(7)
    fingers.draw([(x, y), (x - 90, y)])
    fingers.draw_with_pen(stroke_on(touched, "4", 1))
    expect_ink(touched, ink_of_a_4[1])
    assert arrived(touched) == 2


def test_a_stroke_whose_finger_the_system_takes_away_stays_and_so_does_the_next_one(
    touched: Page, ink_of_a_4: tuple[int, int]
) -> None:
    fingers, strokes = Fingers(touched), [stroke_on(touched, "4", index) for index in (0, 1)]
    fingers.down(0, strokes[0][0])
    for place in strokes[0][1:]:
        fingers.move(_0=place)
    fingers.taken_away()
    expect_ink(touched, ink_of_a_4[0])
    fingers.down(0, place_of_the_palm(touched))
    fingers.taken_away()  # a palm that the system has recognised
    fingers.draw(strokes[1], finger=5)
    expect_ink(touched, ink_of_a_4[1])
    assert arrived(touched) == 2


def test_a_tap_is_a_dot(touched: Page) -> None:
    fingers = Fingers(touched)
    fingers.draw([stroke_on(touched, "1", 0)[0]])
    wait_for(lambda: 200 < dashboard.drawn_ink(touched) < 400, "a dot")
    assert arrived(touched) == 1


def test_strokes_that_end_or_begin_before_the_answer_to_clear_comes_stay(chromium: Browser, url: str) -> None:
    held: list[str | bytes] = []
    sockets: list[WebSocketRoute] = []
    is_holding = False

    def hold_answers(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server().on_message(
            lambda message: held.append(message) if is_holding else socket.send(message)
        )

    page = chromium.new_page(has_touch=True)
    page.route_web_socket(re.compile("_stcore/stream"), hold_answers)
    dashboard.ready(page, url)
    fingers, clear = Fingers(page), page.get_by_role("button", name="Clear")
    first, second = (stroke_on(page, "4", index) for index in (0, 1))
    fingers.draw(first)
    expect(clear).to_be_enabled()
    ink_of_the_first = dashboard.drawn_ink(page)
    fingers.draw(stroke_on(page, "0", 0), finger=1)
    wait_for(lambda: dashboard.drawn_ink(page) > ink_of_the_first * 1.5, "a 0 on top of it")

    is_holding = True
    clear.tap()
    fingers.draw(first)
    fingers.down(0, second[0])
    for place in second[1:9]:
        fingers.move(_0=place)
    is_holding = False
    for message in held:
        sockets[0].send(message)
    wait_for(lambda: 0 < dashboard.drawn_ink(page) <= ink_of_the_first * 1.02, "the answer to Clear")
    for place in second[9:]:
        fingers.move(_0=place)
    fingers.up(0)
    ink = wait_for(lambda: (now := dashboard.drawn_ink(page)) > ink_of_the_first * 1.1 and now, "the second")
    assert arrived(page) == 2
    for stroke in (first, second):
        fingers.draw(stroke)
    expect_ink(page, ink)
    page.close()
