"""What a person sees while a run trains, in a real browser; all with one dashboard and one worker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from rnnlab.runs import RunState
from rnnlab.store.store import Store
from tests import dashboard
from tests.waiting import wait_for
from tests.workers import workers_of

SECONDS = 1000.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of runs that all tests here share."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def shared_url(home: Path) -> Iterator[str]:
    """Start the dashboard; its worker lives on from test to test."""
    with dashboard.dashboard({"RNNLAB_HOME": str(home), "RNNLAB_WORKER_IDLE_SECONDS": "100"}) as (address, _):
        yield address
    for worker in workers_of(home):
        worker.kill()


@pytest.fixture
def url(shared_url: str, home: Path) -> Iterator[str]:
    """Return the dashboard's address; what a test has started ends with it."""
    yield shared_url
    with Store(home) as store:
        for run in store.active_runs():
            store.requests.stop(run.id)
        wait_for(lambda: not store.active_runs(), "all runs to end")


def test_the_curve_keeps_its_zoom_and_is_never_made_anew_while_it_grows(page: Page, url: str) -> None:
    dashboard.open_and_start(page, url, 200_000)
    wait_for(lambda: dashboard.curve_points(page) > 2, "a curve")
    page.evaluate("document.querySelector('.rnnlab-plot').marked = true")
    box = page.locator(".rnnlab-plot .nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6, steps=5)
    page.mouse.up()
    axis = "() => document.querySelector('.rnnlab-plot')._fullLayout.xaxis"
    wait_for(lambda: page.evaluate(f"({axis})().autorange") is False, "the zoom")
    zoomed = page.evaluate(f"({axis})().range")
    seen = dashboard.curve_points(page)
    wait_for(lambda: dashboard.curve_points(page) > seen + 5, "the curve to grow")
    assert page.evaluate(f"({axis})().range") == zoomed
    assert page.evaluate("document.querySelector('.rnnlab-plot').marked")
    assert page.locator(".rnnlab-plot").count() == 1


def test_a_refresh_and_a_second_visitor_show_the_same_run_going_on(
    page: Page, url: str, chromium: Browser
) -> None:
    dashboard.open_and_start(page, url, 200_000)
    wait_for(lambda: dashboard.curve_points(page) > 2, "a curve")
    name = page.url.partition("run=")[2]
    seen = dashboard.curve_points(page)
    page.reload()
    wait_for(lambda: dashboard.curve_points(page) >= seen, "the curve after the refresh")
    expect(page.locator(".st-key-status")).to_contain_text(name)
    other = chromium.new_page()
    dashboard.ready(other, url)
    expect(other.locator(".st-key-status")).to_contain_text(name)
    wait_for(lambda: dashboard.curve_points(other) >= seen, "the other visitor's curve")
    other.close()


def test_scrubbing_and_playing_read_the_picture_from_top_to_bottom(page: Page, url: str) -> None:
    dashboard.open_and_start(page, url, 20)
    dashboard.draw(page, "0")  # in one stroke: the answer to a second one would start again at row 28
    wait_for(lambda: dashboard.verdict(page) != "", "a belief")
    row, scrubber = page.locator(".panel .row"), page.get_by_label("Row read so far")
    expect(row).to_have_text("row 28 of 28")
    expect(page.locator(".veil")).to_be_hidden()
    scrubber.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(row).to_have_text("row 25 of 28")
    expect(page.locator(".veil")).to_be_visible()
    page.keyboard.press("Home")
    expect(row).to_have_text("row 1 of 28")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("button.play")).to_contain_text("Pause")
    expect(row).to_have_text("row 28 of 28")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_a_stroke_whose_answer_has_got_lost_is_answered_all_the_same(page: Page, url: str) -> None:
    lost: list[int] = []

    def lose_the_first_answer(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if isinstance(message, bytes) and b'"beliefs"' in message and not lost:
                lost.append(len(message))
                return
            socket.send(message)

        server.on_message(pass_on)

    page.route_web_socket(re.compile("_stcore/stream"), lose_the_first_answer)
    dashboard.open_and_start(page, url, 20)
    expect(page.locator(".st-key-status")).to_contain_text("finished")
    dashboard.draw(page, "0")  # in one stroke; after the end of the run, nothing else renews the belief
    expect(page.locator(".verdict .digit")).not_to_have_text("", timeout=10 * SECONDS)
    assert lost


def shown_step(page: Page) -> int:
    """Return the step that the page shows."""
    words = page.locator(".st-key-status [data-testid=stProgress]").inner_text()
    return int(words.partition("step ")[2].partition(" of")[0].replace(",", ""))


def ask_for_batches_of_64(page: Page) -> None:
    page.get_by_role("button", name="Adjust").click()
    page.locator("[class*=st-key-adjust_batch_size] input").fill("64")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Apply").click()


def train_40_steps_further(page: Page) -> None:
    page.get_by_role("button", name="Train further").click()
    page.get_by_label("more iterations (steps)").fill("40")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Go on").click()


def test_a_run_is_paused_stepped_adjusted_resumed_and_trained_further(
    page: Page, url: str, home: Path
) -> None:
    status = page.locator(".st-key-status")
    dashboard.open_and_start(page, url, 200_000)
    expect(status).to_contain_text("steps/s")

    expect(page.get_by_role("button", name="Pause")).to_be_enabled()
    field = dashboard.control(page, "neurons")
    field.press("p")  # typed, not pressed as a shortcut
    field.press("Escape")
    field.blur()
    page.keyboard.press("p")
    expect(status).to_contain_text("paused")
    expect(page.locator(".st-key-run_step").get_by_role("button")).to_be_enabled()
    paused = shown_step(page)
    page.keyboard.press("n")
    wait_for(lambda: shown_step(page) == paused + 20, "a single step")
    expect(status).to_contain_text("paused")

    ask_for_batches_of_64(page)
    expect(status).to_contain_text("requested: batch size 64")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Resume").click()
    expect(status).to_contain_text("steps/s")
    wait_for(lambda: "batch size 64" in page.locator(".rnnlab-plot").inner_text(), "the mark on the curve")

    page.get_by_role("button", name="Stop").click()
    expect(status).to_contain_text("stopped")
    stopped = shown_step(page)
    train_40_steps_further(page)
    expect(status).to_contain_text("finished")
    assert shown_step(page) == stopped + 40
    with Store(home) as store:
        run = store.runs()[0]
        steps = [point.step for point in store.points(run.id)]
    assert steps == list(range(0, steps[-1] + 1, 20))
    assert [(change.name, change.value) for change in run.changes] == [
        ("batch_size", 64),
        ("iterations", stopped + 40),
    ]


def test_a_run_that_waits_can_be_taken_out_of_the_queue(page: Page, url: str, home: Path) -> None:
    dashboard.open_and_start(page, url, 200_000)
    expect(page.locator(".st-key-status")).to_contain_text("steps/s")
    dashboard.set_number(page, "neurons", 33)  # the same once more would be taken for a double click
    dashboard.start_button(page).click()
    expect(page.locator(".st-key-status")).to_contain_text("waiting for its turn")
    page.get_by_role("button", name="Queue: 1").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator(".st-key-status")).to_contain_text("stopped")
    with Store(home) as store:
        assert [run.state for run in store.runs()[:2]] == [RunState.STOPPED, RunState.TRAINING]


def test_what_is_being_adjusted_stays_while_a_waiting_run_begins_and_is_stopped(
    page: Page, url: str, home: Path
) -> None:
    status = page.locator(".st-key-status")
    dashboard.open_and_start(page, url, 200_000)
    expect(status).to_contain_text("steps/s")
    dashboard.set_number(page, "neurons", 33)
    dashboard.start_button(page).click()
    expect(status).to_contain_text("waiting for its turn")
    page.get_by_role("button", name="Adjust").click()
    field = page.locator("[class*=st-key-adjust_batch_size] input")
    field.press_sequentially("7")
    typed = field.input_value()
    with Store(home) as store:
        waiting, first = store.runs()[:2]
        store.requests.stop(first.id)
        expect(status).to_contain_text("steps/s")
        assert field.input_value() == typed
        store.requests.stop(waiting.id)
        expect(status).to_contain_text("stopped")
    assert field.input_value() == typed
    assert "7" in typed


def test_a_click_right_after_a_stroke_loses_nothing_of_the_drawing(page: Page, url: str) -> None:
    shown: set[bytes] = set()

    def note(message: str | bytes) -> None:
        if isinstance(
            message, bytes
        ):  # each drawing that the canvas is to show instead of its own has a number
            shown.update(re.findall(rb'"revision": ?(\d+)', message))

    page.on("websocket", lambda socket: socket.on("framereceived", note))
    dashboard.ready(page, f"{url}/?dataset=digits")
    undo, guide = page.get_by_role("button", name="Undo"), page.get_by_role("link", name="Guide")
    dashboard.draw_stroke(page, "4", 0)
    expect(undo).to_be_enabled()
    one_stroke = dashboard.drawn_ink(page)
    before = set(shown)
    dashboard.draw_stroke(page, "4", 1)
    dashboard.click_at_once(page, undo)
    wait_for(lambda: dashboard.drawn_ink(page) == one_stroke and shown > before, "one stroke to be undone")

    dashboard.draw_stroke(page, "4", 1)
    dashboard.click_at_once(page, guide)
    expect(page.get_by_role("heading", name="What happens here")).to_be_visible()
    page.get_by_role("link", name="Lab").click()
    dashboard.ready_again(page)
    wait_for(lambda: dashboard.drawn_ink(page) > one_stroke * 1.2, "the whole drawing")


def test_watch_and_the_browsers_back_button_change_between_runs(page: Page, url: str) -> None:
    dashboard.open_and_start(page, url, 20)
    expect(page.locator(".st-key-status")).to_contain_text("finished")
    first = page.url.partition("run=")[2]
    dashboard.set_number(page, "iterations (steps)", 200_000)
    dashboard.start_button(page).click()
    expect(page).not_to_have_url(re.compile(f"run={first}$"))
    second = page.url.partition("run=")[2]
    page.go_back()
    expect(page).to_have_url(re.compile(f"run={first}$"))
    expect(page.locator(".st-key-status")).to_contain_text(first)
    page.get_by_role("button", name="Watch live").click()
    expect(page).to_have_url(re.compile(f"run={second}$"))
    expect(page.locator(".st-key-status")).to_contain_text("training")


def test_a_run_is_opened_and_evaluated_from_the_history(page: Page, url: str) -> None:
    dashboard.open_and_start(page, url, 20)
    expect(page.locator(".st-key-status")).to_contain_text("finished", timeout=60 * SECONDS)
    name = page.url.partition("run=")[2]
    page.get_by_role("link", name="Runs").click()
    table = page.get_by_test_id("stDataFrame")
    expect(table).to_be_visible()
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 53)
    page.get_by_role("button", name="Open in the Lab").click()
    expect(page).to_have_url(re.compile(f"run={name}$"))
    expect(page.locator(".st-key-status")).to_contain_text(name)
    page.get_by_role("link", name="Runs").click()
    page.get_by_role("button", name="Evaluate").click()
    expect(page).to_have_url(re.compile(f"evaluation\\?run={name}$"))
    expect(page.get_by_text("360 test images of the bundled digits")).to_be_visible()


def test_a_run_is_still_ones_own_after_the_browser_was_closed_and_nobody_elses(
    chromium: Browser, url: str
) -> None:
    before = chromium.new_context()
    page = before.new_page()
    dashboard.open_and_start(page, url, 200_000)
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    wait_for(lambda: any(cookie["name"] == "rnnlab_visitor" for cookie in before.cookies()), "the cookie")
    kept = [cookie for cookie in before.cookies() if cookie["expires"] != -1]
    before.close()
    after, other = chromium.new_context(), chromium.new_context()
    after.add_cookies(kept)  # type: ignore[arg-type]
    page = after.new_page()
    dashboard.ready(page, url)
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page = other.new_page()
    dashboard.ready(page, url)
    expect(page.get_by_text("Started by somebody else")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    for context in (after, other):
        context.close()


def test_the_drawing_survives_updates_a_change_of_page_and_is_read_again(page: Page, url: str) -> None:
    dashboard.open_and_start(page, url, 200_000)
    dashboard.draw(page, "7")
    wait_for(lambda: dashboard.verdict(page) != "", "a belief")
    note = page.locator(".panel .note")
    told = note.inner_text()
    expect(note).not_to_have_text(told)
    ink = dashboard.drawn_ink(page)
    assert ink > 1000

    page.get_by_role("link", name="Guide").click()
    expect(page.get_by_role("heading", name="What happens here")).to_be_visible()
    page.get_by_role("link", name="Lab").click()
    dashboard.ready_again(page)
    wait_for(lambda: dashboard.verdict(page) != "", "the belief to be back")
    assert dashboard.drawn_ink(page) == pytest.approx(ink, rel=0.02)

    page.get_by_role("button", name="Undo").click()
    wait_for(lambda: 100 < dashboard.drawn_ink(page) < ink * 0.8, "one stroke less")
    page.get_by_role("button", name="Clear").click()
    wait_for(lambda: dashboard.drawn_ink(page) == 0, "an empty canvas")
    expect(page.locator(".verdict .hint")).to_have_text("Draw a digit from 0 to 9.")
