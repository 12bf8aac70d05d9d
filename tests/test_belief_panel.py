"""The belief panel in a real browser: what it shows and says while a picture is being read."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests import dashboard
from tests.waiting import wait_for

# What the browser shows of the belief map: for each row, whether anything is drawn there.
SHOWN_ROWS = """(map) => Array.from({ length: 28 }, (_, row) => {
  const pixel = map.getContext('2d').getImageData(3, Math.floor((row + 0.5) * map.height / 28), 1, 1)
  return pixel.data[3] > 0
})"""

NOTE_TEXTS = """(element) => {
  window.noted = []
  new MutationObserver(() => window.noted.push(element.textContent)).observe(element, { childList: true })
}"""


@pytest.fixture
def url(url_of_an_ended_run: str) -> str:
    """Return the address of a dashboard on a run that has ended."""
    return url_of_an_ended_run


@pytest.fixture
def digit(page: Page, url: str) -> Page:
    """Return the Lab on a projector, with a test digit."""
    page.set_viewport_size({"width": 1280, "height": 720})
    dashboard.ready(page, f"{url}/?digit=3")
    expect(page.locator(".verdict .outcome")).to_have_text(re.compile("^(right|wrong): "))
    return page


def shown_rows(page: Page) -> int:
    """Return how many rows of the belief map are shown; none below them may be."""
    shown = page.locator(".map canvas").evaluate(SHOWN_ROWS)
    assert shown == sorted(shown, reverse=True)
    return sum(shown)


def words(page: Page) -> str:
    """Return all words of the verdict."""
    return " ".join(page.locator(".verdict").inner_text().split())


def expect_hidden_from(page: Page, row: int) -> None:
    """Check that nothing is shown of what is believed after a row, and nothing of the picture below it."""
    expect(page.locator(".panel .row")).to_have_text(f"row {row} of 28")
    assert shown_rows(page) == row
    expect(page.locator(".mark")).to_be_hidden()
    expect(page.locator(".veil")).to_have_css("background-color", "rgb(90, 90, 90)")
    assert not re.search("right|wrong|decided", words(page))


def test_the_end_is_hidden_until_the_picture_is_read_and_is_then_said_once(digit: Page) -> None:
    page, whole = digit, words(digit)
    assert shown_rows(page) == 28
    expect(page.locator(".mark")).to_be_visible()
    live = page.locator(".panel [aria-live], .panel [role=status], .panel output")
    expect(live).to_have_count(1)
    expect(live).to_have_text(re.compile("^(right|wrong): .* %"))
    at_the_end = live.text_content()
    live.evaluate(NOTE_TEXTS)

    page.get_by_label("Row read so far").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect_hidden_from(page, 25)
    assert re.fullmatch(r"(\d) so far: \1, \d+\.\d % sure after row 25 of 28", words(page))
    page.keyboard.press("Home")
    expect_hidden_from(page, 0)
    assert words(page) == "? Which digit is it? Nothing is read yet: press Play."
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".verdict .sure")).to_have_text(re.compile("^so far: "))
    expect(page.locator(".panel .row")).to_have_text("row 28 of 28")
    wait_for(lambda: words(page) == whole, "the whole verdict")
    assert page.evaluate("window.noted") == ["", at_the_end]
    assert shown_rows(page) == 28


def test_a_class_can_guess_before_it_sees_how_a_test_digit_is_read(digit: Page) -> None:
    page = digit
    page.get_by_role("button", name="Guess first").click()
    expect_hidden_from(page, 0)
    page.get_by_role("button", name="Play").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".note")).to_contain_text(", mistake ")
    first = page.locator(".note").text_content() or ""
    expect_hidden_from(page, 0)
    page.keyboard.press("Enter")
    expect(page.locator(".verdict .outcome")).to_have_text(re.compile("^wrong: "))
    page.get_by_role("button", name="Guess first").click()
    expect(page.locator(".verdict .outcome")).to_have_text(re.compile("^wrong: "))
    page.keyboard.press("ArrowRight")
    expect(page.locator(".note")).not_to_have_text(first)
    expect(page.locator(".verdict .outcome")).to_have_text(re.compile("^wrong: "))

    page.get_by_role("button", name="Back to my drawing").click()
    expect(page.get_by_role("button", name="Guess first")).to_be_hidden()
    dashboard.draw(page, "0")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    page.get_by_label("Row read so far").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".verdict .sure")).to_have_text(re.compile("^so far: "))
    assert shown_rows(page) == 27


def test_on_a_projector_rows_and_digits_can_be_read_from_afar(digit: Page) -> None:
    for labels in (".rows span", ".bar .name"):
        for label in digit.locator(labels).all():
            expect(label).to_have_css("font-size", "17px")
    outcome = digit.locator(".verdict .outcome")
    expect(outcome).to_have_css("font-size", "24px")
    words_box, canvas = digit.locator(".verdict .words").bounding_box(), digit.locator(".slot").bounding_box()
    assert words_box is not None
    assert canvas is not None
    assert words_box["y"] + words_box["height"] <= canvas["y"] + 1
