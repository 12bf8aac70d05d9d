"""What a person does, in a real browser, on the real dashboard with real training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rnnlab.runs import RunState
from rnnlab.store.store import Store
from tests import dashboard
from tests.waiting import wait_for
from tests.workers import workers_of

SECONDS = 1000.0


@pytest.fixture
def url(own_home: Path) -> Iterator[str]:
    """Start a dashboard with a home of its own; its workers end with it."""
    with dashboard.dashboard({"RNNLAB_HOME": str(own_home), "RNNLAB_WORKER_IDLE_SECONDS": "1"}) as (
        address,
        _,
    ):
        yield address
    for worker in workers_of(own_home):
        worker.kill()


@pytest.mark.usefixtures("mnist_folder", "every_core")
def test_a_person_starts_a_run_on_mnist_sees_it_learn_draws_a_7_and_is_read(
    page: Page, url: str, own_home: Path
) -> None:
    dashboard.ready(page, f"{url}/?neurons=64")
    expect(page.get_by_text("No network has been trained yet")).to_be_visible()
    dashboard.set_number(page, "iterations (steps)", 600)
    dashboard.start_button(page).click()
    expect(page).to_have_url(re.compile(r"[?&]run=[a-z]+-[a-z]+-[0-9a-f]{4}$"))
    expect(page.locator(".st-key-status")).to_contain_text("training", timeout=60 * SECONDS)

    first = wait_for(lambda: dashboard.curve_points(page), "a point of the curve")
    wait_for(lambda: dashboard.curve_points(page) > first, "the curve to grow")
    accuracy = page.locator("[data-testid=stMetricValue]").first
    expect(accuracy).to_contain_text("%")
    before = float(accuracy.inner_text().split()[0])

    dashboard.draw(page, "7")
    wait_for(lambda: dashboard.verdict(page) != "", "a first belief")
    expect(page.locator(".st-key-status")).to_contain_text("finished", timeout=90 * SECONDS)
    expect(page.locator(".verdict .digit")).to_have_text("7")
    expect(page.locator(".verdict .decided")).to_have_text(re.compile(r"decided at row \d+ of 28"))
    wait_for(lambda: dashboard.curve_points(page) == 30, "the whole curve")
    assert float(accuracy.inner_text().split()[0]) > max(before, 75)  # a third of the digits is distorted
    with Store(own_home) as store:
        assert store.runs()[0].state is RunState.FINISHED
