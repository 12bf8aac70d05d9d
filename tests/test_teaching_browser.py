"""Teaching by tapping and by keys, on a desk and on phones, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from rnnlab.data.labelled_drawings import LabelledDrawings
from rnnlab.presets import teaching_config
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from tests import dashboard
from tests.fingers import Fingers, stroke_on
from tests.pens import STROKES
from tests.slow_page import SlowPage
from tests.test_labelled_drawings import png
from tests.test_phones import UPRIGHT, hold
from tests.waiting import wait_for
from tests.weights import random_weights

DRAW_AND_TAP = """([strokes, digit]) => {
  const hosts = [...document.querySelectorAll('.st-key-canvas *')].filter((host) => host.shadowRoot)
  const layer = hosts.map((host) => host.shadowRoot.querySelector('.upper-canvas')).find(Boolean)
  const box = layer.getBoundingClientRect()
  const fire = (type, [x, y]) => layer.dispatchEvent(new PointerEvent(type, {
    clientX: box.left + x * box.width, clientY: box.top + y * box.height,
    pointerId: 7, pointerType: 'touch', isPrimary: true, bubbles: true, composed: true, cancelable: true,
  }))
  for (const stroke of strokes) {
    fire('pointerdown', stroke[0])
    for (const point of stroke.slice(1)) fire('pointermove', point)
    fire('pointerup', stroke.at(-1))
  }
  if (digit) document.querySelector(`.st-key-teach_${digit} button`).click()
}"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of runs of the dashboard: a run that has ended, one taught by it, and a newer one."""
    folder = tmp_path_factory.mktemp("home")
    dashboard.add_ended_run(folder)
    with Store(folder) as store:
        (parent,) = store.runs()
        store.labelled_drawings("teacher").add(png("7"), 7)
        run = store.create_run(
            teaching_config(parent.config), claimed=True, parent=parent.id, owner="teacher"
        )
        store.files(run.id).copy_labelled_drawings(run.owner)
        random_weights(seed=3).save(store.files(run.id).weights, 300)
        store.reports.end_run(run.id, RunState.FINISHED, step=300)
    dashboard.add_ended_run(folder)
    return folder


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    """Start one dashboard for the tests of this file."""
    with dashboard.dashboard({"RNNLAB_HOME": str(home)}) as (address, _):
        yield address


def labels(home: Path) -> list[str]:
    """Return the digits of each visitor's drawings, oldest first, as texts such as `47`."""
    sets = [LabelledDrawings(folder).drawings() for folder in (home / "hands").iterdir()]
    return sorted("".join(str(each.label) for each in reversed(drawings)) for drawings in sets)


def key(page: Page, digit: str) -> Locator:
    """Return the button of a digit."""
    return page.locator(f".st-key-teach_{digit} button:visible")


def tool(page: Page, name: str) -> Locator:
    """Return a button above the canvas, by the name of its key."""
    return page.locator(f".st-key-{name} button:visible")


def settled(page: Page, url: str) -> Page:
    """Open the Lab and wait until its beginning is over, during which Streamlit may lose an answer."""
    dashboard.ready(page, url)
    page.locator("[data-test-script-state=notRunning]").wait_for(state="attached")
    return page


def teach(page: Page, url: str) -> Page:
    """Open the Lab and begin to teach."""
    settled(page, url)
    tool(page, "teach").click()
    expect(key(page, "0")).to_be_visible()
    return page


def expect_blank(page: Page, words: str) -> None:
    """Wait until the canvas is blank and the page says something."""
    expect(page.locator(".verdict .hint")).to_contain_text(words)
    wait_for(lambda: dashboard.drawn_ink(page) == 0, "a blank canvas")


def test_two_gestures_keep_a_drawing_and_each_can_be_undone(page: Page, url: str, home: Path) -> None:
    before = len(labels(home))
    settled(page, url)
    dashboard.note_places(page)
    tool(page, "teach").click()
    expect(page.locator(".verdict .hint")).to_contain_text("Draw a digit, then tap which it is. 0 kept;")
    for count, digit in enumerate("417", start=1):
        dashboard.draw(page, digit)
        key(page, digit).click()
        expect_blank(
            page, f"Kept as a {digit}. Undo brings it back. {count} kept; {20 - count} more are worth it."
        )
    dashboard.draw(page, "3")
    page.keyboard.press("3")
    expect_blank(page, "Kept as a 3. Undo brings it back. 4 kept; 16 more are worth it.")
    assert "4173" in labels(home)
    assert len(labels(home)) == before + 1

    tool(page, "undo").click()
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    wait_for(lambda: dashboard.drawn_ink(page) > 1000, "the drawing that was kept")
    expect(tool(page, "teach_start")).to_contain_text("Train on 3")
    assert "417" in labels(home)
    key(page, "8").click()
    expect_blank(page, "Kept as an 8.")
    assert "4178" in labels(home)

    page.get_by_test_id("stPopoverButton").filter(has_text="Kept", visible=True).click()
    page.locator("[class*=st-key-remove_1-] button:visible").click()
    expect(page.get_by_text("A 1 was removed.")).to_be_visible()
    assert "478" in labels(home)
    tool(page, "undo_removal").click()
    expect(page.get_by_text("Yours, newest first")).to_be_visible()
    assert "4178" in labels(home)
    page.keyboard.press("Escape")
    tool(page, "teach_done").click()
    expect(page.locator(".st-key-pen_width")).to_be_visible()
    assert dashboard.canvas_moves(page) <= 1


def test_a_taught_run_says_whose_child_it_is_where_it_moves_and_covers_nothing(
    page: Page, url: str, home: Path
) -> None:
    with Store(home) as store:
        (taught,) = [run for run in store.runs() if run.parent]
    dashboard.ready(page, url)
    place = page.locator("canvas.upper-canvas").bounding_box()
    dashboard.ready(page, f"{url}/?run={taught.id}")
    hint = page.locator(".verdict .hint")
    expect(hint).to_contain_text(f"Child of {taught.parent}. Right before → now:")
    expect(hint).to_contain_text(re.compile("[01] → [01] of the 1 drawing it learned from"))
    assert page.locator("canvas.upper-canvas").bounding_box() == place
    for width in (1440, 390, 360, 320):
        page.set_viewport_size({"width": width, "height": 844})
        words, canvas = hint.bounding_box(), page.locator("canvas.upper-canvas").bounding_box()
        assert words is not None
        assert canvas is not None
        assert words["y"] + words["height"] <= canvas["y"] + 1, width
        assert words["x"] + words["width"] <= width, width


def test_clear_can_be_undone_also_after_a_reload(page: Page, url: str) -> None:
    dashboard.ready(page, url)
    dashboard.draw(page, "4")
    expect(tool(page, "clear")).to_be_enabled()
    ink = dashboard.drawn_ink(page)
    for reload in (False, True):
        tool(page, "clear").click()
        expect_blank(page, "Draw a digit from 0 to 9.")
        expect(tool(page, "clear")).to_be_disabled()
        if reload:
            page.reload()
            dashboard.ready_again(page)
            expect(tool(page, "undo")).to_be_enabled()
        tool(page, "undo").click()
        wait_for(lambda: dashboard.drawn_ink(page) == pytest.approx(ink, rel=0.02), "the drawing")
        expect(page.locator(".verdict .digit")).not_to_have_text("")
    tool(page, "undo").click()
    wait_for(lambda: 100 < dashboard.drawn_ink(page) < ink * 0.9, "one stroke less")


def test_a_tap_in_the_moment_of_the_last_stroke_keeps_all_and_the_next_drawing_is_not_lost(
    page: Page, url: str, home: Path
) -> None:
    teach(page, url)
    # One task of the browser: nothing can come sooner after a stroke, and no answer in between.
    page.evaluate(DRAW_AND_TAP, [STROKES["4"], "4"])
    page.evaluate(DRAW_AND_TAP, [STROKES["7"], ""])
    expect(tool(page, "teach_start")).to_contain_text("Train on 1")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    ink = dashboard.drawn_ink(page)
    key(page, "7").click()
    expect_blank(page, "Kept as a 7.")
    assert "47" in labels(home)
    dashboard.draw(page, "7")
    assert dashboard.drawn_ink(page) == pytest.approx(ink, rel=0.05)
    (four,) = [
        drawings[0].picture
        for folder in (home / "hands").iterdir()
        if (drawings := LabelledDrawings(folder).drawings()[::-1]) and len(drawings) == 2
    ]
    assert four[:14].max() > 200
    assert four[14:].max() > 200


def test_an_answer_that_is_lost_is_asked_for_again(page: Page, url: str, home: Path) -> None:
    is_lost = False

    def lose(browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()
        browser.on_message(server.send)

        def hand_over(message: str | bytes) -> None:
            nonlocal is_lost
            if not is_lost:
                browser.send(message)
            elif isinstance(message, bytes) and "5" in labels(home):
                is_lost = ForwardMsg.FromString(message).WhichOneof("type") != "script_finished"

        server.on_message(hand_over)

    page.route_web_socket(re.compile("_stcore/stream"), lose)
    teach(page, url)
    dashboard.draw(page, "5")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    is_lost = True
    key(page, "5").click()
    expect_blank(page, "Kept as a 5.")
    assert not is_lost
    dashboard.draw(page, "7")
    key(page, "7").click()
    expect_blank(page, "Kept as a 7.")
    assert "57" in labels(home)


def test_another_visitor_neither_sees_nor_removes_the_drawings(
    chromium: Browser, page: Page, url: str, home: Path
) -> None:
    teach(page, url)
    dashboard.draw(page, "0")
    key(page, "0").click()
    expect_blank(page, "1 kept;")
    context = chromium.new_context()
    other = teach(context.new_page(), url)
    expect(other.locator(".verdict .hint")).to_contain_text("0 kept;")
    expect(tool(other, "teach_start")).to_be_disabled()
    other.get_by_test_id("stPopoverButton").filter(has_text="Kept", visible=True).click()
    expect(other.get_by_text("None yet.")).to_be_visible()
    assert other.locator("[class*=st-key-remove_]").count() == 0
    context.close()
    page.reload()
    dashboard.ready_again(page)
    tool(page, "teach").click()
    expect(page.locator(".verdict .hint")).to_contain_text("1 kept;")
    assert "0" in labels(home)
    tool(page, "undo").click()
    expect(tool(page, "teach_start")).to_be_disabled()
    assert "0" not in labels(home)


def test_keys_keep_nothing_while_they_are_off_held_down_with_a_modifier_or_typed_into_a_field(
    page: Page, url: str
) -> None:
    teach(page, url)
    dashboard.draw(page, "7")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    switch = page.get_by_label("keyboard shortcuts S, P, N, 0 to 9")
    switch.uncheck()
    switch.blur()
    page.keyboard.press("7")
    switch.check()
    switch.blur()
    page.keyboard.press("Control+7")
    field = dashboard.control(page, "neurons")
    field.press_sequentially("7")
    field.press("Escape")
    field.blur()
    assert dashboard.drawn_ink(page) > 1000
    page.keyboard.press("7")
    expect_blank(page, "Kept as a 7. Undo brings it back. 1 kept;")


@pytest.fixture
def phone(chromium: Browser, url: str) -> Iterator[Page]:
    """Return the Lab on a phone, while somebody teaches."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = settled(context.new_page(), url)
    dashboard.note_places(page)
    tool(page, "teach").tap()
    expect(key(page, "9")).to_be_visible()
    yield page
    context.close()


def test_the_canvas_stays_however_slowly_tools_come_and_go_on_a_phone(chromium: Browser, url: str) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    slow_page = SlowPage(context.new_page(), url)
    page = slow_page.page
    dashboard.note_places(page)
    for pressed, shown in (("teach", "teach_keys"), ("teach_done", "teach")):
        slow_page.hold()
        tool(page, pressed).tap()
        wait_for(lambda: slow_page.has_answered(in_part=True), "the answer, which the browser has not got")
        slow_page.end_slowly()
        expect(page.locator(f".st-key-{shown}")).to_be_visible()
        assert dashboard.canvas_moves(page) <= 1, pressed
    context.close()


def check_that_the_canvas_stays_when_teaching_ends_and_begins(phone: Page) -> None:
    """Press Done and Teach."""
    place = phone.locator("canvas.upper-canvas").bounding_box()
    tool(phone, "teach_done").tap()
    expect(phone.locator(".st-key-pen_width")).to_be_visible()
    assert phone.locator("canvas.upper-canvas").bounding_box() == place, phone.viewport_size
    tool(phone, "teach").tap()
    expect(key(phone, "9")).to_be_visible()
    assert phone.locator("canvas.upper-canvas").bounding_box() == place, phone.viewport_size


def test_all_digits_are_in_reach_of_a_finger_on_phones_and_cover_nothing(phone: Page) -> None:
    for digit in "70":
        Fingers(phone).draw(stroke_on(phone, digit, 0))
        key(phone, digit).tap()
        expect_blank(phone, f"Kept as a {digit}.")
    assert dashboard.canvas_moves(phone) <= 1
    for size in UPRIGHT:
        for percent in (100, 200):
            hold(phone, size, percent)
            if percent == 100:
                check_that_the_canvas_stays_when_teaching_ends_and_begins(phone)
            keys = [key(phone, str(digit)).bounding_box() for digit in range(10)]
            canvas = phone.locator("canvas.upper-canvas").bounding_box()
            assert canvas is not None
            tools = [
                tool(phone, name).bounding_box() for name in ("undo", "clear", "teach_start", "teach_done")
            ]
            for box in (*keys, *tools, canvas):
                assert box is not None
                assert box["x"] >= 0, size
                assert box["x"] + box["width"] <= size[0], size
            widths = [box["width"] for box in keys if box]
            assert min(widths) >= 24, (size, percent)
            assert min(box["height"] for box in keys if box) >= 40, (size, percent)
            assert all(a["x"] + a["width"] <= b["x"] for a, b in pairwise(keys) if a and b), (size, percent)
            assert all(box["y"] + box["height"] <= canvas["y"] for box in keys if box), size
