"""Times on the page are those of the person who looks, wherever the dashboard runs and the worker ran."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect

from rnnlab.config import Config
from rnnlab.dashboard.text import log_in_time_zone
from rnnlab.store.store import Store
from rnnlab.worker.reporting import log, run_log
from tests import dashboard

TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.fixture
def url(own_home: Path) -> Iterator[str]:
    """Start a dashboard in New York, on a run that has ended and whose log was written in London."""
    dashboard.add_ended_run(own_home)
    with Store(own_home) as store:
        store.files(store.runs()[0].id).log.write_text("2026-07-01 03:04:05+0100 INFO trained\n")
    environment = {"RNNLAB_HOME": str(own_home), "TZ": "America/New_York"}
    with dashboard.dashboard(environment) as (address, _):
        yield address


def test_the_runs_page_shows_times_in_the_time_zone_of_the_browser(
    chromium: Browser, url: str, own_home: Path
) -> None:
    context = chromium.new_context(
        timezone_id="Asia/Tokyo", locale="de-DE", viewport={"width": 5000, "height": 1000}
    )
    page = context.new_page()
    page.goto(f"{url}/runs")
    table = page.get_by_test_id("stDataFrame")
    with Store(own_home) as store:
        started = datetime.datetime.fromtimestamp(store.runs()[0].created, TOKYO)
    expect(table.locator("td").last).to_have_text(f"{started:%Y-%m-%d %H:%M:%S}+09:00")
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 53)
    page.get_by_text("Log", exact=True).click()
    expect(page.get_by_text("2026-07-01 11:04:05 INFO trained")).to_be_visible()
    context.close()


def test_a_workers_log_tells_its_time_zone(store: Store) -> None:
    run = store.create_run(Config())
    with run_log(store, run):
        log.info("trained")
    line = store.files(run.id).log.read_text()
    time, words = line[:24], line[24:]
    assert words == " INFO trained\n"
    written = datetime.datetime.strptime(time, "%Y-%m-%d %H:%M:%S%z")
    assert abs(datetime.datetime.now(datetime.UTC) - written) < datetime.timedelta(minutes=1)
    assert log_in_time_zone(line, TOKYO) == f"{written.astimezone(TOKYO):%Y-%m-%d %H:%M:%S} INFO trained\n"


def test_a_log_of_before_has_the_times_of_this_machine() -> None:
    here = datetime.datetime(2026, 1, 2, 3, 4, 5).astimezone()
    shown = log_in_time_zone("2026-01-02 03:04:05,678 INFO trained\n  a line of a traceback", TOKYO)
    assert shown == f"{here.astimezone(TOKYO):%Y-%m-%d %H:%M:%S} INFO trained\n  a line of a traceback"


def test_what_only_looks_like_a_time_stays_as_it_is() -> None:
    for line in ("9999-99-99 99:99:99 INFO", "0001-01-01 00:00:00+0000 INFO", "on 2026-01-02 03:04:05 it"):
        assert log_in_time_zone(line, ZoneInfo("America/New_York")) == line
