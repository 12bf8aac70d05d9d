"""The dashboard in a frame of another site, where a browser keeps other cookies, fewer, or none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Playwright, expect

from rnnlab.store.store import Store
from tests import dashboard
from tests.waiting import wait_for

NO_COOKIES = "Object.defineProperty(Document.prototype, 'cookie', { get: () => '', set: () => {} });"
NO_STORAGE = """
for (const name of ['localStorage', 'sessionStorage']) {
  Object.defineProperty(window, name, { get: () => { throw new DOMException('forbidden', 'SecurityError') } })
}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    """Start one dashboard for the tests of this file; it trains nothing, runs stay in its queue."""
    environment = {"RNNLAB_HOME": str(home), "RNNLAB_TRAIN_AT_ONCE": "1"}
    with (
        Store(home, clock=lambda: time.time() + 3600) as store,
        dashboard.dashboard(environment) as (address, _),
    ):
        store.workers.beat("test")  # one that counts as alive, so no other one is started
        yield address


@pytest.fixture(params=["as usual", "third-party cookies blocked"])
def browser(request: pytest.FixtureRequest, playwright: Playwright) -> Iterator[Browser]:
    """Return a browser as it comes, and one that blocks the cookies of frames of other sites."""
    flags = [] if request.param == "as usual" else ["--test-third-party-cookie-phaseout"]
    started = dashboard.open_browser(playwright, flags=flags)
    yield started
    started.close()


class Outside(BaseHTTPRequestHandler):
    """Answers with a page that has the dashboard, whose address follows the question mark, in a frame."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        frame = f'<iframe src="{self.path[2:]}" style="width: 100%; height: 950px"></iframe>'
        self.wfile.write(frame.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def outside(url: str) -> Iterator[str]:
    """Return the address of a page of another site, `localhost`, with the dashboard in a frame."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Outside) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}/?{url}/?dataset=digits&neurons=8"
        server.shutdown()
        thread.join()


def framed(browser: Browser, outside: str, script: str = "") -> Page:
    """Open the page of the other site; a script runs first within its frame."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.add_init_script(f"if (window.top !== window) {{ {script} }}")
    page.goto(outside)
    return page


def start(frame: Page | FrameLocator, home: Path) -> str:
    """Start a run in a page, or in a frame of it; return the name of the run."""
    expect(frame.locator(".verdict")).to_be_attached()
    status = frame.locator(".st-key-status")
    with Store(home) as store:
        before = {run.id for run in store.runs()}
        frame.locator(".st-key-start button:visible").click()

        def shown() -> str | None:
            return next((run.id for run in store.runs() if run.id in status.inner_text()), None)

        name = wait_for(lambda: None if (name := shown()) in before else name, "the run")
    expect(frame.locator(".st-key-transport button").first).to_be_visible()
    return name


def test_in_a_frame_of_another_site_a_run_is_still_ones_own_after_a_reload(
    browser: Browser, outside: str, home: Path
) -> None:
    page = framed(browser, outside)
    frame = page.frame_locator("iframe")
    name = start(frame, home)
    expect(frame.get_by_text("Your browser keeps nothing")).to_have_count(0)
    page.goto(f"{outside}&run={name}")
    expect(frame.locator(".st-key-status")).to_contain_text(name)
    expect(frame.locator(".st-key-transport button").first).to_be_visible()
    expect(frame.get_by_text("Started by somebody else")).to_have_count(0)
    page.close()


def test_where_a_frame_may_keep_nothing_the_page_says_so_before_a_run_is_started(
    browser: Browser, outside: str, home: Path
) -> None:
    page = framed(browser, outside, NO_COOKIES + NO_STORAGE)
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("Your browser keeps nothing")).to_be_visible()
    name = start(frame, home)
    page.goto(f"{outside}&run={name}")
    expect(frame.get_by_text("Started by somebody else")).to_be_visible()
    expect(frame.get_by_text("Your browser keeps nothing")).to_be_visible()
    page.close()


def test_a_browser_without_cookies_is_known_by_its_storage(browser: Browser, url: str, home: Path) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.add_init_script(NO_COOKIES)
    dashboard.ready(page, f"{url}/?dataset=digits&neurons=8")
    name = start(page, home)
    page.context.clear_cookies()  # Streamlit's own
    dashboard.ready(page, f"{url}/?run={name}")
    expect(page.locator(".st-key-transport button").first).to_be_visible()
    expect(page.get_by_text("Started by somebody else")).to_have_count(0)
    page.close()
