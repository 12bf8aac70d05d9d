"""The real dashboard in a real browser, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Locator, Page, Playwright, expect, sync_playwright

from rnnlab.model.architecture import Architecture
from rnnlab.presets import config_from
from rnnlab.runs import AccuracyPoint, RunState
from rnnlab.store.store import Store
from tests.pens import STROKES
from tests.waiting import wait_for
from tests.weights import random_weights_of

ROOT: Final = Path(__file__).parents[1]

# What Playwright leaves out, which another list of features to leave out replaces; and the list of proposals
# below the address bar, a page of its own in each window that nobody sees, for 0.7 s of processor time.
_LEFT_OUT: Final = (
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"),
    *("HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "OptimizationHints", "PaintHolding"),
    *("ThirdPartyStoragePartitioning", "WebUIOmniboxPopup", "WebUIOmniboxAimPopup"),
)

# The other flags keep Chromium from calling its maker, which fails noisily on machines without internet.
FLAGS: Final = (
    f"--disable-features={','.join(_LEFT_OUT)}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """Return the Chromium of this machine, or `None`."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def free_port() -> int:
    """Return a port on which no program listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Return whether a server answers without an error."""
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(url, timeout=1).status == 200)  # noqa: S310
    return False


def launch(
    environment: dict[str, str], script: str = "app.py", port: int | None = None
) -> tuple[str, subprocess.Popen[bytes]]:
    """Start the dashboard; return its address, which need not answer yet, and its process.

    Args:
        environment: Variables besides those of this process; the log goes to the folder `RNNLAB_HOME`.
        script: The script that Streamlit runs, relative to the root of the project.
        port: The port to listen on, by default a free one.
    """
    port, home = port or free_port(), Path(environment["RNNLAB_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(port)]
    with (home / f"dashboard-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--server.headless", "true", "--server.address", "127.0.0.1"],
            cwd=ROOT,
            env=os.environ | {"PYTHONFAULTHANDLER": "1", "PYTHONPATH": str(ROOT)} | environment,
            stdout=log,
            stderr=log,
        )
    base = environment.get("STREAMLIT_SERVER_BASE_URL_PATH", "")
    return f"http://127.0.0.1:{port}/{base}".rstrip("/"), process


def wait_until_it_answers(url: str) -> None:
    """Wait for a dashboard that has been started."""
    wait_for(lambda: answers(f"{url}/_stcore/health"), "the dashboard")


@contextlib.contextmanager
def dashboard(
    environment: dict[str, str], script: str = "app.py", port: int | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start the dashboard; yield its address and its process. How it went is printed, for a test that fails.

    Args:
        environment: As for `launch`.
        script: As for `launch`.
        port: As for `launch`.
    """
    url, process = launch(environment, script, port)
    with process:
        try:
            wait_until_it_answers(url)
            yield url, process
        finally:
            ended, log = process.poll(), Path(environment["RNNLAB_HOME"]).glob("dashboard-*.log")
            process.terminate()
            print(f"The dashboard {'was at work' if ended is None else f'had ended with status {ended}'}.")
            print(*(file.read_text(errors="replace")[-4000:] for file in log), sep="\n")


def open_browser(playwright: Playwright, *, scrollbars: bool = False, flags: Iterable[str] = ()) -> Browser:
    """Start Chromium without a window, and be patient with what it shows.

    Args:
        playwright: Drives it.
        scrollbars: Whether there are scrollbars that take room, as on most desktops.
        flags: More options of Chromium.
    """
    expect.set_options(timeout=30_000)
    return playwright.chromium.launch(
        executable_path=chromium(),
        args=[*FLAGS, *flags],
        ignore_default_args=["--hide-scrollbars"] if scrollbars else None,
    )


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Offer a browser for the time of the block."""
    with sync_playwright() as playwright:
        started = open_browser(playwright)
        try:
            yield started
        finally:
            started.close()


def errors_of(page: Page) -> list[str]:
    """Return a list to which the errors are added that a page reports in its console from now on."""
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors


def add_ended_run(home: Path, reading_order: str = "down") -> str:
    """Add a run of the bundled digits that has ended, with a point and weights, for pages to show.

    Returns:
        Its id.
    """
    with Store(home) as store:
        config = config_from({"dataset": "digits", "reading_order": reading_order})
        run = store.create_run(config, claimed=True)
        store.reports.add_point(run.id, AccuracyPoint(0, 0.1, 2.3, 0.1))
        store.reports.add_point(run.id, AccuracyPoint(20, 0.2, 2.2, 0.4))
        weights = random_weights_of(Architecture(neurons=16, reading_order=reading_order), scale=2.0)
        weights.save(store.files(run.id).weights, 20)
        store.reports.end_run(run.id, RunState.FINISHED)
        return run.id


def start_button(page: Page) -> Locator:
    """Return the button of the sidebar that starts a run; its name ends with its shortcut."""
    return page.locator(".st-key-start button:visible")


def draw(page: Page, digit: str) -> None:
    """Draw a digit with the mouse, stroke by stroke."""
    for index in range(len(STROKES[digit])):
        draw_stroke(page, digit, index)


def draw_stroke(page: Page, digit: str, index: int) -> None:
    """Draw one stroke of a digit with the mouse, and wait until it is painted."""
    box = page.locator("canvas.upper-canvas").bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in STROKES[digit][index]]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()
    page.evaluate(TWO_FRAMES)


def click_at_once(page: Page, target: Locator) -> None:
    """Click with the mouse without waiting for anything, as a person may right after a stroke."""
    box = target.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def drawn_ink(page: Page) -> int:
    """Return how many pixels of the canvas are white."""
    return int(
        page.locator("canvas.lower-canvas.dc-canvas").evaluate(
            """(canvas) => {
              const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
              let count = 0
              for (let i = 0; i < pixels.length; i += 4) count += pixels[i] > 128
              return count
            }"""
        )
    )


def note_places(page: Page) -> None:
    """Note where the canvas is in every frame that the browser draws from now on."""
    page.locator("canvas.upper-canvas").evaluate(
        """(canvas) => {
          window.places = new Map()
          const note = () => {
            // It is at 0, 0 once another canvas has taken its place.
            const { left, top } = canvas.getBoundingClientRect()
            window.places.set(`${left}, ${top}`, [left, top])
            requestAnimationFrame(note)
          }
          note()
        }"""
    )


def canvas_moves(page: Page) -> float:
    """Return how far apart, in pixels, the places of the canvas since `note_places` are."""
    places = page.evaluate("[...window.places.values()]")
    return float(max(max(ways) - min(ways) for ways in zip(*places, strict=True)))


def ready(page: Page, url: str) -> Page:
    """Open the Lab and wait until it is drawn."""
    page.goto(url)
    return ready_again(page)


def ready_again(page: Page) -> Page:
    """Wait until the Lab is drawn."""
    page.locator("canvas.upper-canvas").wait_for()
    page.locator(".verdict").wait_for()
    page.wait_for_function(HIDDEN_TOOLBAR)
    return page


def control(page: Page, label: str) -> Locator:
    """Return a control by its label; one whose place another has just taken stays, hidden, for a moment."""
    return page.get_by_label(label, exact=True).locator("visible=true")


def set_number(page: Page, label: str, value: int) -> None:
    """Type a number into a control of the sidebar."""
    field = control(page, label)
    field.fill(str(value))
    field.press("Enter")
    expect(field).to_have_value(str(value))


def open_and_start(page: Page, url: str, iterations: int) -> None:
    """Start a run on the bundled digits, with hyperparameters from the URL; wait until the page shows it."""
    ready(page, f"{url}/?dataset=digits&neurons=32&iterations={iterations}")
    start_button(page).click()
    wait_for(lambda: run_on_show(page), "the run in the address")
    expect(page.locator(".st-key-status")).to_contain_text(run_on_show(page))


def run_on_show(page: Page) -> str:
    """Return the name of the run in the page's address; empty if there is none."""
    return str(page.evaluate("new URLSearchParams(location.search).get('run') ?? ''"))


def curve_points(page: Page) -> int:
    """Return how many points the accuracy line has."""
    points = page.evaluate(LINE_POINTS)
    return int(points[0]) if points else 0


def verdict(page: Page) -> str:
    """Return the digit that the page says it reads; may be empty."""
    return page.locator(".verdict .digit").inner_text()


HIDDEN_TOOLBAR: Final = """() => {
  const hosts = [...document.querySelectorAll('.st-key-canvas *')].filter((host) => host.shadowRoot)
  return hosts.some((host) => host.shadowRoot.querySelector('style.rnnlab'))
}"""

# The canvas paints a stroke in the frame after the pen has been lifted.
TWO_FRAMES: Final = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"

LINE_POINTS: Final = """() => {
  const plot = document.querySelector('.rnnlab-plot')
  return plot && plot._fullData ? plot._fullData.map((line) => line.x.length) : []
}"""
