"""From the first visit to a taught run with the keyboard alone, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rnnlab.runs import RunState
from rnnlab.store.store import Store
from tests import dashboard
from tests.keyboard import draw_a_7, surface, tab_to
from tests.waiting import wait_for
from tests.workers import workers_of


@pytest.fixture
def url(own_home: Path) -> Iterator[str]:
    """Start a dashboard with a home of its own; its workers end with it."""
    environment = {"RNNLAB_HOME": str(own_home), "RNNLAB_WORKER_IDLE_SECONDS": "5"}
    with dashboard.dashboard(environment) as (address, _):
        yield address
    for worker in workers_of(own_home):
        worker.kill()


def wait_for_the_end(page: Page) -> None:
    """Wait until the run on show has finished."""
    expect(page.locator(".st-key-status")).to_contain_text("finished", timeout=100_000)


def teach_a_7(page: Page) -> None:
    """Keep the drawing as a 7 and train on it, with keys."""
    tab_to(page, page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Teach", exact=True))
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-teach_keys")).to_be_visible()
    page.keyboard.press("7")
    train = page.get_by_role("button", name="Train on 1", exact=True)
    expect(train).to_be_enabled()
    tab_to(page, train)
    page.keyboard.press("Enter")


def test_a_person_with_a_keyboard_alone_trains_draws_is_read_and_teaches(
    page: Page, url: str, own_home: Path
) -> None:
    dashboard.ready(page, f"{url}/?dataset=digits&neurons=16&iterations=200")
    tab_to(page, dashboard.start_button(page))
    page.keyboard.press("Enter")
    wait_for(lambda: dashboard.run_on_show(page), "the run in the address")
    first = dashboard.run_on_show(page)
    wait_for_the_end(page)

    tab_to(page, surface(page))
    draw_a_7(page)
    expect(page.locator(".verdict .digit")).to_have_text(re.compile(r"^[\d?]$"))

    teach_a_7(page)
    wait_for(lambda: dashboard.run_on_show(page) not in ("", first), "the taught run in the address")
    wait_for_the_end(page)
    with Store(own_home) as store:
        taught = store.run(dashboard.run_on_show(page))
        assert (taught.parent, taught.state) == (first, RunState.FINISHED)
