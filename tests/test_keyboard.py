"""What somebody with only a keyboard does in the Lab, in a real browser: draw, undo, read a test digit."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from rnnlab.config import Config
from rnnlab.runs import AccuracyPoint
from rnnlab.store.store import Store
from tests import dashboard
from tests.keyboard import COLUMNS_OF_A_7, MIDDLE, draw_a_7, is_focused, said, surface, tab_to
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


@pytest.fixture(scope="module")
def store_of_a_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store with a run that trains, or so it says; the test is the worker."""
    with Store(tmp_path_factory.mktemp("home"), clock=lambda: time.time() + 3600) as store:
        store.workers.beat("test")
        run = store.create_run(Config(dataset="digits"), claimed=True)
        store.reports.add_point(run.id, AccuracyPoint(20, 0.2, 2.2, 0.4))
        yield store


@pytest.fixture(scope="module")
def url_of_a_run(store_of_a_run: Store) -> Iterator[str]:
    """Start a dashboard on a run that trains."""
    environment = {"RNNLAB_HOME": str(store_of_a_run.home)}
    with dashboard.dashboard(environment) as (address, _):
        yield address


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


def focus_is_in(page: Page, selector: str) -> bool:
    """Return whether something in a part of the page has the focus, and the page is at rest."""
    return (
        is_focused(page.locator(f"{selector} :focus")) and not page.get_by_test_id("stStatusWidget").count()
    )


def press_by_key(page: Page, button: Locator) -> None:
    tab_to(page, button)
    page.keyboard.press("Enter")


def test_the_focus_stays_among_the_tools_when_teaching_begins_and_ends(page: Page, url: str) -> None:
    dashboard.ready(page, url)
    tools = page.locator(".st-key-drawing_tools")
    teach, done = (tools.get_by_role("button", name=name, exact=True) for name in ("Teach", "Done"))
    for _ in range(2):
        press_by_key(page, teach)
        expect(done).to_be_visible()
        expect(teach).to_have_count(0)
        wait_for(lambda: focus_is_in(page, ".st-key-drawing_tools"), "the focus")
        press_by_key(page, done)
        expect(teach).to_be_visible()
        expect(done).to_have_count(0)
        wait_for(lambda: focus_is_in(page, ".st-key-drawing_tools"), "the focus")


def test_the_focus_is_left_alone_after_a_click_and_once_a_person_has_moved_on(page: Page, url: str) -> None:
    dashboard.ready(page, url)
    tools = page.locator(".st-key-drawing_tools")
    teach, done = (tools.get_by_role("button", name=name, exact=True) for name in ("Teach", "Done"))
    tab_to(page, teach)
    teach.click()
    expect(teach).to_have_count(0)
    expect(page.locator("body")).to_be_focused()
    press_by_key(page, done)
    dashboard.start_button(page).focus()
    expect(done).to_have_count(0)
    expect(dashboard.start_button(page)).to_be_focused()


def test_the_focus_goes_to_the_button_that_takes_the_place_of_the_one_pressed(
    page: Page, url_of_a_run: str, store_of_a_run: Store
) -> None:
    dashboard.ready(page, url_of_a_run)
    (run,) = store_of_a_run.runs()
    pause, resume = (page.get_by_role("button", name=re.compile(f"^{name}")) for name in ("Pause", "Resume"))
    for _ in range(2):
        press_by_key(page, pause)
        expect(resume).to_be_focused()
        store_of_a_run.reports.set_paused(run.id)
        expect(page.locator(".st-key-status")).to_contain_text("paused")
        expect(resume).to_be_focused()
        page.keyboard.press("Enter")
        wait_for(lambda: store_of_a_run.run(run.id).is_going_on, "the request")
        store_of_a_run.reports.set_resumed(run.id)
        expect(pause).to_be_focused()


def test_the_focus_stays_with_the_run_that_a_key_has_started(
    page: Page, url_of_a_run: str, store_of_a_run: Store
) -> None:
    dashboard.ready(page, f"{url_of_a_run}/?neurons=64&dataset=digits")
    start = page.get_by_role("button", name="Start with these settings")
    press_by_key(page, start)
    expect(start).to_have_count(0)
    wait_for(lambda: focus_is_in(page, ".st-key-lab_status"), "the focus")
    (queued,) = store_of_a_run.queue()
    store_of_a_run.requests.stop(queued.id)
