"""The way from a test digit read wrong to the Lab and back to one's own drawing, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import dashboard
from tests.waiting import wait_for


@pytest.fixture
def url(url_of_an_ended_run: str) -> str:
    """Return the address of a dashboard on a run that has ended."""
    return url_of_an_ended_run


def test_a_digit_read_wrong_covers_the_drawing_which_comes_back_unchanged(page: Page, url: str) -> None:
    dashboard.ready(page, url)
    dashboard.draw(page, "0")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    ink = dashboard.drawn_ink(page)
    place = page.locator(".st-key-canvas").bounding_box()

    page.get_by_role("link", name="Evaluation").click()
    mistake = page.get_by_role("button", name=re.compile("^test digit .* sure$")).first
    words = re.search(
        r"test digit (\S+) of .*: a (\d), read as (\d)", mistake.get_attribute("aria-label") or ""
    )
    assert words is not None
    mistake.focus()
    page.keyboard.press("Enter")
    dashboard.ready_again(page)
    expect(page.locator(".verdict .caption")).to_have_text(
        f"Test digit {words[1]} of the bundled digits: a {words[2]}"
    )
    expect(page.locator(".verdict .digit")).to_have_text(words[3])
    expect(page.locator(".cover")).to_be_visible()
    wait_for(lambda: dashboard.drawn_ink(page) == pytest.approx(ink, rel=0.02), "the drawing below it")
    ink = dashboard.drawn_ink(page)
    canvas = page.locator("canvas.upper-canvas")
    canvas.evaluate("(canvas) => { canvas.marked = true }")
    assert page.locator(".st-key-canvas").bounding_box() == place

    dashboard.draw(page, "1")
    page.get_by_label("Row read so far").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".panel .row")).to_have_text("row 27 of 28")
    expect(page.locator(".veil")).to_be_visible()
    page.get_by_role("button", name="Back to my drawing").click()
    expect(page.locator(".cover")).to_be_hidden()
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    assert dashboard.drawn_ink(page) == ink > 1000
    assert canvas.evaluate("(canvas) => canvas.marked")
    assert page.locator(".st-key-canvas").bounding_box() == place


def test_on_a_phone_the_evaluation_stacks_up_without_scrolling_sideways(chromium: Browser, url: str) -> None:
    phone = chromium.new_page(viewport={"width": 390, "height": 844})
    phone.goto(f"{url}/evaluation")
    phone.locator("button.mistake").first.wait_for()
    wait_for(lambda: phone.locator(".rnnlab-plot .main-svg").count() >= 3, "the three figures")
    tops = []
    for place in phone.locator(".rnnlab-plot, .st-key-gallery").all():
        box = place.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 390
        tops.append(box["y"])
    assert len(tops) == 4
    assert tops == sorted(tops)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.close()
