"""What somebody with only a keyboard does in the Lab, in a real browser: draw, undo, read a test digit."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests import dashboard
from tests.keyboard import COLUMNS_OF_A_7, MIDDLE, draw_a_7, said, surface, tab_to
from tests.waiting import wait_for

OVERLAPS = """() => {
  const root = [...document.querySelectorAll('.st-key-key_pen *')].find((part) => part.shadowRoot).shadowRoot
  const panel = [...document.querySelectorAll('.st-key-belief *')].find((part) => part.shadowRoot).shadowRoot
  const help = root.querySelector('.help').getBoundingClientRect()
  const tools = document.querySelectorAll('.st-key-drawing_tools button')
  return [...tools, panel.querySelector('.verdict')].map((other) => other.getBoundingClientRect())
    .filter((box) => box.bottom > help.top + 1 && box.top < help.bottom - 1).length
}"""


@pytest.fixture
def url(url_of_an_ended_run: str) -> str:
    return url_of_an_ended_run


def scrolled(page: Page) -> float:
    """Return how far the page is scrolled, in pixels."""
    return float(page.locator("[data-testid=stMain]").evaluate("(main) => main.scrollTop"))


def draw_a_7_with_the_mouse(page: Page) -> None:
    """Draw the 7 that the keys draw."""
    box = page.locator("canvas.upper-canvas").bounding_box()
    assert box is not None
    corners = [(box["x"] + 10 * x - 5, box["y"] + 10 * y - 5) for x, y in COLUMNS_OF_A_7]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=10)
    page.mouse.up()


def test_keys_draw_what_a_mouse_draws_and_nothing_moves(page: Page, url: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    dashboard.ready(page, url)
    help_line, pen = page.locator(".st-key-key_pen .help"), page.locator(".st-key-key_pen .pen")
    expect(help_line).to_be_hidden()
    expect(pen).to_be_hidden()
    dashboard.note_places(page)
    tab_to(page, surface(page))
    expect(help_line).to_be_visible()
    expect(pen).to_be_visible()
    assert page.evaluate(OVERLAPS) == 0
    expect(said(page)).to_have_text("Pen lifted, column 15, row 15.")
    described = surface(page).evaluate(
        "(part) => part.getRootNode().getElementById(part.getAttribute('aria-describedby')).textContent"
    )
    assert "Space or Enter puts the pen down" in described

    at = scrolled(page)
    draw_a_7(page)
    ink = wait_for(lambda: dashboard.drawn_ink(page), "ink of the stroke")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    expect(surface(page)).to_be_focused()
    assert (dashboard.canvas_moves(page), scrolled(page)) == (0, at)
    page.get_by_role("button", name="Clear").click()
    wait_for(lambda: dashboard.drawn_ink(page) == 0, "a blank canvas")
    draw_a_7_with_the_mouse(page)
    wait_for(lambda: dashboard.drawn_ink(page) == pytest.approx(ink, rel=0.02), "the same 7")


def test_a_stroke_is_seen_while_it_is_drawn_and_can_be_dropped_or_taken_back(page: Page, url: str) -> None:
    dashboard.ready(page, url)
    stroke = page.locator(".st-key-key_pen .stroke")
    tab_to(page, surface(page))
    column, row = draw_a_7(page)
    ink = wait_for(lambda: dashboard.drawn_ink(page), "ink of the stroke")
    page.keyboard.press("ArrowRight")
    expect(said(page)).to_have_text(f"Pen lifted, column {column + 1}, row {row}.")
    page.keyboard.press("Enter")
    expect(said(page)).to_contain_text("Pen down")
    for key in ("Shift+ArrowUp", "ArrowRight"):
        page.keyboard.press(key)
    expect(said(page)).to_have_text(f"Pen down, column {column + 2}, row {row - 5}.")
    expect(stroke).to_have_attribute("points", "145,225 145,175 155,175 155,175")
    expect(stroke).to_be_visible()
    page.keyboard.press("Escape")
    expect(said(page)).to_have_text("Stroke dropped, pen lifted.")
    expect(stroke).to_have_attribute("points", "")
    assert dashboard.drawn_ink(page) == ink

    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    page.keyboard.press("Backspace")
    expect(said(page)).to_have_text("Last stroke taken back.")
    wait_for(lambda: dashboard.drawn_ink(page) == 0, "a blank canvas")
    expect(surface(page)).to_be_focused()


def test_held_keys_go_on_together_diagonally_and_no_farther_than_the_edge(page: Page, url: str) -> None:
    page.set_viewport_size({"width": 900, "height": 420})  # so that the page could scroll
    dashboard.ready(page, url)
    tab_to(page, surface(page))
    at = scrolled(page)
    for _ in range(4):
        page.keyboard.down("ArrowDown")
    page.keyboard.down("ArrowRight")
    page.keyboard.up("ArrowDown")
    page.keyboard.up("ArrowRight")
    expect(said(page)).to_have_text(f"Pen lifted, column {MIDDLE[0] + 1}, row {MIDDLE[1] + 5}.")
    for _ in range(30):
        page.keyboard.down("ArrowLeft")
    expect(said(page)).to_have_text(f"Pen lifted, column 1, row {MIDDLE[1] + 5}.")
    assert scrolled(page) == at

    page.keyboard.up("ArrowLeft")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")  # what has been drawn until then stays
    wait_for(lambda: dashboard.drawn_ink(page), "the stroke that Tab ended")


def test_a_test_digit_is_taken_by_key_and_the_drawing_waits(page: Page, url: str) -> None:
    dashboard.ready(page, url)
    tab_to(page, surface(page))
    draw_a_7(page)
    ink = wait_for(lambda: dashboard.drawn_ink(page), "ink of the stroke")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    picture = page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Picture", exact=True)
    popover, notes = page.get_by_role("dialog", name="Picture"), set()
    tab_to(page, picture, "Shift+Tab")
    for digit in ("3", "3", "8"):
        page.keyboard.press("Enter")
        expect(popover).to_be_focused()
        tab_to(page, popover.get_by_role("button", name=digit, exact=True))
        page.keyboard.press("Enter")
        note, judged = page.locator(".note"), page.locator(".verdict .outcome")
        expect(note).to_have_text(re.compile(r"^Test digit [\d,]+ of the bundled digits"))
        expect(judged).to_have_text(re.compile(rf"an? {digit},"))
        expect(popover).to_be_hidden()
        expect(picture).to_be_focused()
        notes.add(note.inner_text())
    assert len(notes) == 3  # never the same one twice in a row
    expect(surface(page)).to_be_hidden()

    page.keyboard.press("Enter")
    expect(popover).to_be_focused()
    page.keyboard.press("Escape")
    expect(popover).to_be_hidden()
    expect(picture).to_be_focused()
    tab_to(page, page.get_by_role("button", name="Back to my drawing"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".verdict .outcome")).to_have_text("")
    assert dashboard.drawn_ink(page) == ink
