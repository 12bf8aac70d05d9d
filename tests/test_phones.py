"""The drawing region on phones, upright and lying, with normal and large text: each part can be seen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import dashboard
from tests.fingers import Fingers, stroke_on
from tests.waiting import wait_for

UPRIGHT = ((390, 844), (360, 740), (320, 568))
PHONES = (*UPRIGHT, *((height, width) for width, height in UPRIGHT))
PERCENT_OF_TEXT = (100, 200)

# Boxes of the parts; of words, those of their letters.
PARTS = """() => {
  const box = (part) => {
    const { left, right, top, bottom, width, height } = part.getBoundingClientRect()
    return { left, right, top, bottom, width, height }
  }
  const letters = (part) => {
    const range = document.createRange()
    range.selectNodeContents(part)
    return box(range)
  }
  const host = [...document.querySelectorAll('.st-key-belief *')].find((part) => part.shadowRoot)
  const all = (selector) => [...host.shadowRoot.querySelectorAll(selector)]
  const canvas = [...document.querySelectorAll('.st-key-canvas *')].find((part) => part.shadowRoot)
  const main = document.querySelector('[data-testid=stMain]')
  const isShown = (part) => part.textContent && getComputedStyle(part).visibility !== 'hidden'
  return {
    canvas: [box(canvas.shadowRoot.querySelector('.upper-canvas'))],
    map: [box(host.shadowRoot.querySelector('.map canvas'))],
    row_numbers: all('.rows span').map(letters),
    bars: all('.bar .column').map(box),
    digits: all('.bar .name').map(letters),
    shares: all('.bar .share').filter(isShown).map(letters),
    page: { left: main.getBoundingClientRect().left, width: main.clientWidth, needs: main.scrollWidth },
    window: { below_header: innerHeight - document.querySelector('[data-testid=stHeader]').offsetHeight },
    text: parseFloat(getComputedStyle(document.documentElement).fontSize),
  }
}"""

AT_REST = "() => !document.getAnimations().some((each) => each instanceof CSSTransition)"


@pytest.fixture
def url(url_of_an_ended_run: str) -> str:
    return url_of_an_ended_run


@pytest.fixture
def phone(chromium: Browser, url: str) -> Iterator[Page]:
    """Return the Lab on a phone."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    yield dashboard.ready(context.new_page(), url)
    context.close()


def hold(page: Page, size: tuple[int, int], percent_of_text: int) -> None:
    """Hold the phone so, and set the size of text in its browser; wait until the page has followed."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    text = {"standard": 16 * percent_of_text // 100}
    page.context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": text})
    wait_for(lambda: page.evaluate(PARTS)["text"] == text["standard"], "text of that size")
    page.wait_for_function(AT_REST)  # the sidebar takes its new width little by little
    page.evaluate(dashboard.TWO_FRAMES)


def draw_a_4(page: Page) -> int:
    """Draw a 4 with a finger on a blank canvas; return how many pixels of the canvas are white then."""
    page.locator("canvas.upper-canvas").evaluate("(canvas) => canvas.scrollIntoView({ block: 'end' })")
    fingers = Fingers(page)
    fingers.draw(stroke_on(page, "4", 0))
    first = wait_for(lambda: dashboard.drawn_ink(page), "a stroke")
    fingers.draw(stroke_on(page, "4", 1))
    ink = wait_for(lambda: (now := dashboard.drawn_ink(page)) > first and now, "another stroke")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    return ink


def check_parts(parts: dict[str, Any], held: str) -> None:
    """Check that all parts are on the page, large enough, and apart from each other."""
    page = parts["page"]
    right_end = page["left"] + page["width"]
    for name in ("canvas", "map", "row_numbers", "bars", "digits", "shares"):
        assert parts[name], f"{held}: no {name}"
        for box in parts[name]:
            assert page["left"] <= box["left"] < box["right"] <= right_end, f"{held}: {name}"
    assert page["needs"] <= page["width"], held
    (canvas,), (belief_map,) = parts["canvas"], parts["map"]
    assert belief_map["width"] >= 100, held
    assert 200 <= canvas["width"] == canvas["height"] <= parts["window"]["below_header"], held
    assert canvas["right"] <= belief_map["left"] or canvas["bottom"] <= belief_map["top"], held
    assert all(box["left"] >= belief_map["right"] for box in parts["row_numbers"]), held
    by_row = sorted(parts["row_numbers"], key=lambda box: float(box["top"]))
    assert all(upper["bottom"] <= lower["top"] + 1 for upper, lower in pairwise(by_row)), held
    for left, right in pairwise(parts["digits"]):  # with a gap, so that they can be told apart
        assert right["left"] - left["right"] >= 0.2 * left["width"], held
        assert left["height"] >= 18, held
    assert len(parts["bars"]) == len(parts["digits"]) == 10, held
    for digit, bar in zip(parts["digits"], parts["bars"], strict=True):
        assert bar["left"] - 3 <= (digit["left"] + digit["right"]) / 2 <= bar["right"] + 3, held
    assert parts["bars"][0]["left"] >= belief_map["left"] - 1, held
    assert parts["bars"][9]["right"] <= belief_map["right"] + 1, held


def test_each_part_is_in_view_however_a_phone_is_held_and_with_large_text(phone: Page) -> None:
    inks = [draw_a_4(phone)]
    for size, percent in product(PHONES, PERCENT_OF_TEXT):
        hold(phone, size, percent)
        check_parts(phone.evaluate(PARTS), f"{size[0]} x {size[1]}, text of {percent} %")
    phone.get_by_role("button", name="Clear").tap()
    wait_for(lambda: dashboard.drawn_ink(phone) == 0, "a blank canvas")
    inks.append(draw_a_4(phone))  # on a canvas that is shown smaller
    assert inks[1] == pytest.approx(inks[0], rel=0.03)
