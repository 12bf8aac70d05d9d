"""Keys that press buttons, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, expect

from rnnlab.store.store import Store
from tests import dashboard
from tests.waiting import wait_for
from tests.workers import workers_of

ANOTHER_RUN = "(first) => ![null, first].includes(new URLSearchParams(location.search).get('run'))"


@pytest.fixture
def url(own_home: Path) -> Iterator[str]:
    """Start a dashboard with a home of its own; its workers end with it."""
    with dashboard.dashboard({"RNNLAB_HOME": str(own_home)}) as (address, _):
        yield address
    for worker in workers_of(own_home):
        worker.kill()


def press_and_wait_for_another(page: Page, first: str) -> bool:
    """Press the key of Start; return whether another run is on show then.

    Within 2 s of the last press it counts as an impatient one, so each gets the time to be answered.
    """
    page.keyboard.press("S")
    with suppress(Error):
        page.wait_for_function(ANOTHER_RUN, arg=first, timeout=4_000)
    return dashboard.run_on_show(page) not in ("", first)


def test_shortcuts_count_once_without_modifiers_and_not_if_they_are_switched_off(
    page: Page, url: str, own_home: Path
) -> None:
    dashboard.ready(page, f"{url}/?dataset=digits&neurons=8&iterations=20")
    switch, shown_key = page.get_by_label("keyboard shortcuts S, P, N"), page.locator("kbd:visible").first
    expect(shown_key).to_be_visible()
    switch.uncheck()
    expect(shown_key).to_be_hidden()
    switch.blur()
    page.keyboard.press("s")
    page.reload()
    dashboard.ready_again(page)
    expect(switch).not_to_be_checked()
    expect(shown_key).to_be_hidden()
    page.keyboard.press("s")
    switch.check()
    expect(shown_key).to_be_visible()
    switch.blur()

    for modifier in ("Control", "Alt", "Meta"):
        page.keyboard.press(f"{modifier}+s")
    field = page.get_by_label("learning rate, exact")
    field.press_sequentially("s")
    field.press("Escape")
    field.fill("0.001")
    field.blur()

    with Store(own_home) as store:
        for _ in range(5):
            page.keyboard.down("s")  # from the second time on as a key that is held
        page.keyboard.up("s")
        wait_for(store.runs, "a run")
        expect(page.locator(".st-key-status")).to_contain_text("finished", timeout=60_000)
        first = dashboard.run_on_show(page)

        wait_for(lambda: press_and_wait_for_another(page, first), "the second run")
        assert len(store.runs()) == 2
