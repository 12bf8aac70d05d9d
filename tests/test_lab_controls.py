"""Start, settings that are ready, those of the run on show, the queue, Adjust, and help, in Chromium.

The test is the worker: what is started waits until the test ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from rnnlab.config import Config
from rnnlab.dashboard.regions.run_buttons import when_it_counts
from rnnlab.presets import config_from
from rnnlab.runs import Run, RunState
from rnnlab.store.store import Store
from tests import dashboard
from tests.slow_page import SlowPage
from tests.waiting import wait_for

DESK, PHONE = (1280, 720), (390, 844)

NOTES_POPOVERS = """() => {
  window.hasOpened = false
  const look = () => { window.hasOpened ||= document.querySelector('[data-testid=stPopoverBody]') !== null }
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true })
}"""

PRESSES_WHILE_BUSY = """() => {
  const inTime = window.setTimeout  // a browser that is busy is late with what it should do at once
  window.setTimeout = (act, delay, ...given) => inTime(act, delay || 1500, ...given)
  document.querySelector('.st-key-start button').click()
  window.setTimeout = inTime
}"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store with a run of somebody that has ended, and a worker that does nothing."""
    home = tmp_path_factory.mktemp("home")
    dashboard.add_ended_run(home)
    with Store(home, clock=lambda: time.time() + 3600) as opened:
        opened.workers.beat("test")
        (ended,) = opened.runs()
        opened.files(ended.id).checkpoint.touch()
        yield opened


@pytest.fixture(scope="module")
def url(store: Store) -> Iterator[str]:
    environment = {
        "RNNLAB_HOME": str(store.home),
        "RNNLAB_TRAIN_AT_ONCE": "1",
        "RNNLAB_MAX_ITERATIONS": "30000",
    }
    with dashboard.dashboard(environment) as (address, _):
        yield address


@pytest.fixture(autouse=True)
def empty_queue(store: Store) -> Iterator[None]:
    yield
    for run in store.queue():
        store.requests.stop(run.id)


@contextmanager
def visit(chromium: Browser, size: tuple[int, int], address: str) -> Iterator[Page]:
    """Open the Lab as somebody new, with a window of this size; a phone has a screen to touch."""
    width, height = size
    context = chromium.new_context(viewport={"width": width, "height": height}, has_touch=size == PHONE)
    try:
        yield dashboard.ready(context.new_page(), address)
    finally:
        context.close()


def status_of(page: Page) -> Locator:
    return page.locator(".st-key-status")


def open_sidebar(page: Page) -> None:
    page.get_by_test_id("stExpandSidebarButton").tap()
    expect(dashboard.start_button(page)).to_be_in_viewport(ratio=1)


def expect_started(page: Page, store: Store, known: int) -> None:
    """Check that one more run is waiting, and that its status can be seen, not covered by the sidebar."""
    wait_for(lambda: len(store.queue()) == known + 1, "a run in the queue")
    status = page.locator(".st-key-status_words")
    expect(status).to_contain_text(store.queue()[-1].id)
    expect(status).to_be_in_viewport(ratio=1)
    wait_for(lambda: is_uncovered(page, ".st-key-status_words"), "the status to be uncovered")


def is_uncovered(page: Page, selector: str) -> bool:
    """Return whether nothing lies over the left end of a part of the page."""
    return bool(
        page.locator(selector).first.evaluate(
            """(part) => {
              const { left, top, height } = part.getBoundingClientRect()
              return part.contains(document.elementFromPoint(left + 2, top + height / 2))
            }"""
        )
    )


def test_on_a_phone_start_closes_the_sidebar_and_the_run_is_seen_or_why_there_is_none(
    chromium: Browser, url: str, store: Store
) -> None:
    with visit(chromium, PHONE, url) as page:
        page.get_by_test_id("stMain").evaluate("(main) => { main.scrollTop = 600 }")
        open_sidebar(page)
        dashboard.start_button(page).tap()
        expect_started(page, store, known=0)

        open_sidebar(page)
        dashboard.set_number(page, "neurons", 16)
        dashboard.start_button(page).press("Enter")
        expect_started(page, store, known=1)
        assert page.evaluate("document.activeElement.closest('.st-key-lab_status') !== null")

        open_sidebar(page)
        dashboard.set_number(page, "iterations (steps)", 100_000)
        dashboard.start_button(page).tap()
        expect(page.get_by_text("trains at most 30,000 iterations")).to_be_in_viewport(ratio=1)
        wait_for(lambda: is_uncovered(page, ".st-key-problems [role=alert]"), "the sentence to be uncovered")
        assert len(store.queue()) == 2

        page.get_by_test_id("stExpandSidebarButton").tap()
        page.get_by_role("link", name="Guide").tap()  # closes it, too
        page.get_by_test_id("stExpandSidebarButton").tap()
        page.get_by_role("link", name="Lab").tap()
        page.get_by_test_id("stExpandSidebarButton").tap()  # what was answered before closes nothing
        expect(dashboard.start_button(page)).to_be_in_viewport(ratio=1)


def test_on_a_desk_the_sidebar_stays_open_and_a_refusal_is_seen(
    chromium: Browser, url: str, store: Store
) -> None:
    with visit(chromium, DESK, url) as page:
        dashboard.start_button(page).click()
        expect_started(page, store, known=0)
        expect(dashboard.start_button(page)).to_be_in_viewport(ratio=1)
        dashboard.set_number(page, "iterations (steps)", 100_000)
        dashboard.start_button(page).click()
        expect(page.get_by_text("trains at most 30,000 iterations")).to_be_in_viewport(ratio=1)
        expect(dashboard.start_button(page)).to_be_in_viewport(ratio=1)


def test_a_press_while_the_page_is_busy_counts_once(chromium: Browser, url: str, store: Store) -> None:
    with visit(chromium, DESK, url) as page:
        dashboard.start_button(page).click()
        expect_started(page, store, known=0)  # from here on the page asks for news every moment
        dashboard.set_number(page, "iterations (steps)", 100_000)
        page.evaluate(PRESSES_WHILE_BUSY)
        refused = page.locator(".st-key-problems").get_by_text("trains at most 30,000 iterations")
        expect(refused.first).to_be_in_viewport(ratio=1)
        dashboard.set_number(page, "iterations (steps)", 3_000)
        expect(refused).to_have_count(0)
        assert len(store.queue()) == 1


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_a_prepared_address_shows_no_run_and_its_start_begins_with_its_settings(
    chromium: Browser, url: str, store: Store, size: tuple[int, int]
) -> None:
    ended = store.runs()[-1].id
    with visit(chromium, size, f"{url}/?preset=notebook&learning_rate=0.01") as page:
        status = status_of(page)
        expect(status).to_contain_text("These settings are ready")
        expect(page.locator(".rnnlab-settings")).to_have_text("preset notebook, learning rate 0.01")
        expect(page.locator(".st-key-preset input")).to_have_value("notebook, changed")
        expect(status).not_to_contain_text(ended)
        dashboard.ready(page, page.url)
        expect(status).to_contain_text("These settings are ready")
        page.get_by_role("button", name="Start with these settings").click()
        expect_started(page, store, known=0)
        assert store.queue()[0].config == config_from({"learning_rate": 0.01}, "notebook")
        expect(page.locator(".rnnlab-settings")).to_have_text("preset notebook, learning rate 0.01")
        store.requests.stop(store.queue()[0].id)
    with visit(chromium, size, f"{url}/?neurons=64") as page:
        page.get_by_role("button", name="Show the last run").click()
        expect(page.locator(".rnnlab-settings")).not_to_have_text("preset default, 64 neurons")
        expect(status_of(page)).to_contain_text("stopped")
    with visit(chromium, size, f"{url}/?neurons=64&run={ended}") as page:
        expect(status_of(page)).to_contain_text(ended)


def test_best_says_that_it_needs_more_steps(chromium: Browser, url: str) -> None:
    with visit(chromium, DESK, f"{url}/?preset=best&iterations=300") as page:
        said = page.get_by_text("best needs about 20,000 steps")
        expect(said).to_be_in_viewport(ratio=1)
        expect(dashboard.start_button(page)).to_be_in_viewport(ratio=1)
        dashboard.set_number(page, "iterations (steps)", 20_000)
        expect(said).to_be_hidden()


def test_what_a_run_is_trained_with_is_told_in_one_line_and_all_of_it_when_asked(
    chromium: Browser, url: str, store: Store
) -> None:
    settings = {"learning_rate": 0.01, "neurons": 64, "batch_size": 64, "rotation": 5, "row_loss_mix": 1}
    run = store.create_run(config_from(settings))
    for size in (DESK, PHONE):
        with visit(chromium, size, f"{url}/?run={run.id}") as page:
            line = page.locator(".rnnlab-settings")
            expect(line).to_have_text(
                "preset default, learning rate 0.01, batch size 64, 64 neurons, row loss mix 1, rotation 5"
            )
            assert line.evaluate("(line) => line.scrollWidth > line.clientWidth")
            dashboard.note_places(page)
            line.tap() if size == PHONE else line.hover()
            expect(line).to_have_css("white-space", "normal")
            assert line.evaluate("(line) => line.scrollWidth <= line.clientWidth")
            page.mouse.move(0, 0)
            line.focus()
            expect(line).to_have_css("white-space", "normal")
            line.blur()
            expect(line).to_have_css("white-space", "nowrap")
            assert dashboard.canvas_moves(page) == 0


def test_the_queue_names_what_tells_its_runs_apart(chromium: Browser, url: str, store: Store) -> None:
    runs = [store.create_run(Config(learning_rate=rate)) for rate in (0.001, 0.003, 0.01)]
    with visit(chromium, PHONE, url) as page:
        page.get_by_role("button", name="Queue: 3").tap()
        for run, rate in zip(runs, ("0.001", "0.003", "0.01"), strict=True):
            expect(page.get_by_text(f"{run.id}: learning rate {rate}", exact=False)).to_be_in_viewport(
                ratio=1
            )


@pytest.fixture
def slow_page(chromium: Browser, url: str) -> Iterator[SlowPage]:
    page = chromium.new_page()
    slow = SlowPage(page, f"{url}/?dataset=digits")
    yield slow
    slow.end()
    page.close()


def type_neurons(page: Page) -> None:
    dashboard.control(page, "neurons").fill("16")
    dashboard.control(page, "neurons").press("Enter")


def type_learning_rate(page: Page) -> None:
    page.get_by_label("learning rate, exact").fill("0.0123")
    page.get_by_label("learning rate, exact").press("Enter")


def move_slider(page: Page) -> None:
    page.get_by_test_id("stSidebar").get_by_role("slider").first.press("ArrowRight")


def choose_preset(page: Page) -> None:
    page.get_by_label("preset", exact=True).click()
    page.get_by_role("option", name="notebook").click()


@pytest.mark.parametrize("is_handled", [True, False])
@pytest.mark.parametrize(
    ("change", "settings"),
    [
        (type_neurons, {"neurons": 16}),
        (type_learning_rate, {"learning_rate": 0.0123}),
        (move_slider, {"learning_rate": 0.002}),
        (choose_preset, {"preset": "notebook"}),
    ],
)
def test_a_press_before_the_page_has_answered_starts_what_was_just_chosen(
    slow_page: SlowPage,
    store: Store,
    change: Callable[[Page], None],
    settings: dict[str, Any],
    is_handled: bool,
) -> None:
    named = dict(settings)
    wanted = config_from({"dataset": "digits", **named}, named.pop("preset", "default"))
    known, page = len(store.queue()), slow_page.page
    change(page)
    if is_handled:
        wait_for(slow_page.has_answered, "the answer, which the browser has not got")
    dashboard.start_button(page).click()
    wait_for(lambda: page.evaluate("true") and len(store.queue()) > known, "the run")
    assert store.queue()[-1].config == wanted


def test_adjust_says_when_it_will_count(chromium: Browser, url: str, store: Store) -> None:
    ended = next(run for run in store.runs() if run.state is RunState.FINISHED)
    with visit(chromium, DESK, f"{url}/?run={ended.id}") as page:
        page.get_by_role("button", name="Adjust").click()
        expect(page.get_by_text("Counts when it is trained further.")).to_be_visible()
        batch_size = page.get_by_test_id("stPopoverBody").get_by_label("batch size (images)", exact=True)
        batch_size.fill("64")
        batch_size.press("Enter")
        page.get_by_role("button", name="Apply").click()
        expect(status_of(page)).to_contain_text("requested: batch size 64 when it is trained further")
        store.requests.change(ended.id, {"batch_size": 128})


def test_a_late_answer_does_not_open_adjust_again(chromium: Browser, url: str, store: Store) -> None:
    ended = next(run for run in store.runs() if run.state is RunState.FINISHED)
    page = chromium.new_page()
    slow = SlowPage(page, f"{url}/?run={ended.id}")
    page.get_by_role("button", name="Adjust").click()
    popover = page.get_by_role("dialog", name="Adjust")
    expect(popover).to_be_visible()
    wait_for(lambda: slow.has_answered(in_part=True), "the answer, which the browser has not got")
    page.keyboard.press("Escape")
    expect(popover).to_have_count(0)
    page.evaluate(NOTES_POPOVERS)
    slow.end()
    assert not page.evaluate("window.hasOpened")
    page.close()


def test_adjust_is_empty_while_it_is_closed(chromium: Browser, url: str, store: Store) -> None:
    """Its controls would be a quarter of what an update of the page costs."""
    ended = next(run for run in store.runs() if run.state is RunState.FINISHED)
    page = chromium.new_page()
    slow = SlowPage(page, f"{url}/?run={ended.id}")
    adjust, apply = (page.get_by_role("button", name=name, exact=True) for name in ("Adjust", "Apply"))

    def opens_empty() -> bool:
        page.wait_for_timeout(500)  # for what the server answers to the closing
        slow.hold()
        adjust.click()
        expect(page.get_by_role("dialog", name="Adjust")).to_be_visible()
        is_empty = apply.count() == 0
        slow.end()
        expect(apply).to_be_visible()
        page.keyboard.press("Escape")
        expect(apply).to_have_count(0)
        return is_empty

    assert opens_empty()
    wait_for(opens_empty, "word from the browser that it is closed again")
    page.close()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunState.QUEUED, "as soon as it begins"),
        (RunState.TRAINING, "from the next report on"),
        (RunState.PAUSED, "when it is resumed"),
        (RunState.INTERRUPTED, "when it is resumed"),
        (RunState.STOPPED, "when it is trained further"),
    ],
)
def test_a_change_counts_at_the_next_moment_at_which_the_run_trains(state: RunState, words: str) -> None:
    assert when_it_counts(Run("calm-otter-3f9a", Config(), state, created=0.0, step=20, pause_at=20)) == words


def test_the_help_of_a_button_goes_when_it_is_pressed_and_comes_back(
    chromium: Browser, url: str, store: Store
) -> None:
    store.create_run(Config())
    with visit(chromium, DESK, url) as page:
        bubble = page.get_by_test_id("stTooltipContent").locator("visible=true")
        queue = page.get_by_role("button", name="Queue: 1")
        queue.hover()
        expect(bubble).to_have_text("Runs that wait.")
        queue.click()
        expect(page.get_by_role("button", name="Remove")).to_be_visible()
        expect(bubble).to_have_count(0)
        page.keyboard.press("Escape")
        page.mouse.move(0, 0)
        queue.hover()
        expect(bubble).to_have_text("Runs that wait.")
    with visit(chromium, PHONE, url) as page:
        bubble = page.get_by_test_id("stTooltipContent").locator("visible=true")
        dashboard.draw_stroke(page, "7", 0)
        page.get_by_role("button", name="Undo").tap()
        wait_for(lambda: dashboard.drawn_ink(page) == 0, "a blank canvas")
        expect(bubble).to_have_count(0)
        page.get_by_role("button", name="Help for batch accuracy").tap()
        expect(bubble).to_contain_text("the mean of the last 5 readings")
