"""The dashboard behind a proxy, as hosted notebooks and class servers have it: a whole visit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests import dashboard
from tests.proxy import stripping_proxy
from tests.waiting import wait_for
from tests.workers import workers_of

SECONDS = 1000.0


@pytest.fixture
def url(own_home: Path) -> Iterator[str]:
    """Return the address of a dashboard behind a proxy that strips the path."""
    with (
        dashboard.dashboard({"RNNLAB_HOME": str(own_home), "RNNLAB_WORKER_IDLE_SECONDS": "1"}) as (inner, _),
        stripping_proxy(inner, "/user/ann/proxy/8501") as address,
    ):
        yield address
    for worker in workers_of(own_home):
        worker.kill()


def test_behind_a_proxy_that_strips_the_path_a_whole_visit_goes_well(chromium: Browser, url: str) -> None:
    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
    dashboard.open_and_start(page, url.rstrip("/"), 60)
    expect(page.locator(".st-key-status")).to_contain_text("finished", timeout=60 * SECONDS)
    wait_for(lambda: dashboard.curve_points(page) == 3, "the curve")
    dashboard.draw(page, "7")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    page.get_by_role("link", name="Evaluation").click()
    wait_for(lambda: page.locator(".rnnlab-plot .main-svg").count() >= 3, "the figures")
    expect(page).to_have_url(re.compile(rf"^{url}evaluation\?run="))
    page.reload()
    wait_for(lambda: page.locator(".rnnlab-plot .main-svg").count() >= 3, "the figures after a reload")
    page.get_by_role("link", name="Lab").click()
    dashboard.ready_again(page)
    wait_for(lambda: dashboard.curve_points(page) == 3, "the curve again")
    expect(page.locator(".verdict .digit")).not_to_have_text("")
    page.close()
