"""How fast and how large the dashboard is: `python -m tests.benchmarks.dashboard`.

Drives the real dashboard in Chromium on MNIST and prints: time to a drawn page, memory of dashboard and
worker, Start to first point, pen-up to redrawn belief idle and while training, bytes of a live update.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import numpy as np
import psutil
from playwright.sync_api import Page

from rnnlab.presets import config_from
from rnnlab.runs import AccuracyPoint, RunState, TestPoint
from rnnlab.store.store import Store
from tests import dashboard
from tests.waiting import wait_for
from tests.weights import random_weights
from tests.workers import workers_of

STROKES_MEASURED: Final = 30

PEN_TIMER: Final = """() => {
  window.penTimes = []
  const picture = () => document.querySelector('.st-key-belief *') && seen()
  const find = (root) => {
    for (const element of root.querySelectorAll('*')) {
      if (element.matches('canvas.picture')) return element
      const inner = element.shadowRoot && find(element.shadowRoot)
      if (inner) return inner
    }
  }
  const seen = () => find(document)?.toDataURL()
  document.addEventListener('mouseup', (event) => {
    if (!event.composedPath()[0].matches?.('canvas.upper-canvas')) return
    const before = picture(), start = performance.now()
    const look = () => (picture() !== before
      ? window.penTimes.push(performance.now() - start)
      : requestAnimationFrame(look))
    requestAnimationFrame(look)
  }, true)
}"""


def megabytes(process: psutil.Process) -> float:
    """Return the resident memory of a process."""
    return float(process.memory_info().rss / 1e6)


def pen_times(page: Page) -> str:
    """Draw strokes and return the times from pen-up to redrawn belief in words."""
    generator = np.random.default_rng(0)
    page.evaluate("window.penTimes = []")
    for count in range(STROKES_MEASURED):
        if count % 3 == 0:
            page.get_by_role("button", name="Clear").click(force=True) if count else None
            page.wait_for_timeout(1500)
        box = page.locator("canvas.upper-canvas").bounding_box()
        assert box is not None
        start, *way = generator.uniform(0.1, 0.9, (4, 2))
        page.mouse.move(box["x"] + start[0] * 280, box["y"] + start[1] * 280)
        page.mouse.down()
        for x, y in way:
            page.mouse.move(box["x"] + x * 280, box["y"] + y * 280, steps=5)
        page.mouse.up()
        wait_for(lambda seen=count: page.evaluate("window.penTimes.length") > seen, "the belief")  # type: ignore[misc]
    times = np.array(page.evaluate("window.penTimes"))
    return f"median {np.median(times):.0f} ms, 95th percentile {np.percentile(times, 95):.0f} ms"


def live_bytes(page: Page, seconds: float) -> float:
    """Return the bytes received from the server per second while watching."""
    received = [0]
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    client.on(
        "Network.webSocketFrameReceived",
        lambda event: received.__setitem__(0, received[0] + len(event["response"]["payloadData"]) * 3 // 4),
    )
    page.wait_for_timeout(seconds * 1000)
    return received[0] / seconds


SESSIONS: Final = 10
"""How many visits are open together while memory is measured."""

SECONDS_MEASURED: Final = 20
"""For how many seconds the cost of live updates is measured."""

MANY_POINTS: Final = 20
"""Points, on all lines of the plot, that no run has when its first ones are seen."""

POINTS_BEFORE: Final = 10_000
"""Points of the long run that is watched live."""


def start_to_first_point(page: Page) -> float:
    """Press Start and return the seconds until the plot shows a point of the new run.

    The run before, if any, must have more points than the new one has when its first ones are seen.
    """
    before = sum(page.evaluate(dashboard.LINE_POINTS)) or float("inf")
    began = time.perf_counter()
    dashboard.start_button(page).click()
    wait_for(lambda: 0 < sum(page.evaluate(dashboard.LINE_POINTS)) < before, "the first point")
    return time.perf_counter() - began


def live_update(page: Page, url: str, home: Path, server: psutil.Process) -> None:
    """Watch a run of 10,000 points that grows by three points a second; print what an update costs."""
    page.goto("about:blank")
    page.wait_for_timeout(3000)
    idle = busy_share(page, server)
    with Store(home) as store:
        run = store.create_run(config_from({"iterations": 200_000}), claimed=True)
        for index in range(POINTS_BEFORE):
            store.reports.add_point(run.id, point(index))
        store.reports.add_test(run.id, TestPoint(1000, 0.9))
        store.files(run.id).make_folder()
        random_weights(run.config.neurons).save(store.files(run.id).weights, 0)
        over = threading.Event()

        def grow() -> None:
            index = POINTS_BEFORE
            while not over.wait(0.3):
                store.reports.add_point(run.id, point(index))
                store.reports.beat(run.id)
                index += 1

        growing = threading.Thread(target=grow)
        growing.start()
        dashboard.ready(page, f"{url}/?run={run.id}")
        page.wait_for_timeout(3000)
        print(
            f"a live update at {POINTS_BEFORE:,} points, once a second for every viewer, "
            f"beyond the {1000 * idle:.1f} ms a second of a server without visitors"
        )
        print(f"  status and curve: {cost_of_watching(page, server, idle)}")
        dashboard.draw(page, "7")
        page.wait_for_timeout(3000)
        print(f"  with the belief about a drawing: {cost_of_watching(page, server, idle)}")
        over.set()
        growing.join()
        store.reports.end_run(run.id, RunState.STOPPED)


def cost_of_watching(page: Page, server: psutil.Process, idle: float) -> str:
    """Return in words what a second of watching costs, beyond what a server without visitors does."""
    received = live_bytes(page, SECONDS_MEASURED)
    busy = busy_share(page, server) - idle
    return f"{1000 * busy:.1f} ms of the server's processor time, {received / 1000:.1f} kB"


def busy_share(page: Page, server: psutil.Process) -> float:
    """Return the share of one processor core that the server uses while the page waits."""
    before = sum(server.cpu_times()[:2])
    page.wait_for_timeout(SECONDS_MEASURED * 1000)
    return float(sum(server.cpu_times()[:2]) - before) / SECONDS_MEASURED


def point(index: int) -> AccuracyPoint:
    """Return a point such as a run could report."""
    return AccuracyPoint(20 * index, 0.9 + 0.1 * ((index * 37) % 100) / 100, 0.1, 0.3 * index)


def stop(page: Page) -> None:
    """Stop the run on show, once it has some points."""
    wait_for(lambda: sum(page.evaluate(dashboard.LINE_POINTS)) > MANY_POINTS, "points")
    page.get_by_role("button", name="Stop").click()
    wait_for(lambda: "stopped" in page.locator(".st-key-status").inner_text(), "the run to stop")


def measure_training(page: Page, home: Path) -> None:
    """Measure a start, and answers, traffic and memory while the run trains; stop it."""
    page.evaluate(PEN_TIMER)
    print(f"Start to first point on the page, cold worker: {start_to_first_point(page):.1f} s")
    wait_for(lambda: list(home.glob("*/weights.npz")), "weights")
    print(f"pen-up to redrawn belief while training: {pen_times(page)}")
    print(f"received by one viewer while training: {live_bytes(page, 10) / 1000:.1f} kB/s")
    print(f"worker memory {megabytes(workers_of(home)[0]):.0f} MB")
    print(f"status line: {json.dumps(page.locator('.st-key-status').inner_text())}")
    stop(page)


def measure_rest(page: Page) -> None:
    """Measure answers while nothing trains, and a start with a worker that waits; stop that run."""
    print(f"pen-up to redrawn belief idle: {pen_times(page)}")
    print(f"Start to first point on the page, warm worker: {start_to_first_point(page):.1f} s")
    stop(page)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, dashboard.browser() as browser:
        environment = {
            "RNNLAB_HOME": folder,
            "RNNLAB_WORKER_IDLE_SECONDS": "60",
        }
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        began = time.perf_counter()
        with dashboard.dashboard(environment) as (url, process):
            answering = time.perf_counter() - began
            dashboard.ready(page, url)
            drawn = time.perf_counter() - began
            print(f"streamlit run to answering {answering:.1f} s, to a drawn page {drawn:.1f} s")
            server = psutil.Process(process.pid)
            measure_training(page, Path(folder))
            measure_rest(page)
            loaded = [entry.path for entry in server.memory_maps() if "tensorflow" in entry.path]
            print(f"dashboard memory {megabytes(server):.0f} MB, TensorFlow inside: {bool(loaded)}")
            live_update(page, url, Path(folder), server)
            pages = [dashboard.ready(browser.new_page(), url) for _ in range(SESSIONS - 1)]
            print(f"dashboard memory with {SESSIONS} sessions open {megabytes(server):.0f} MB")
            for other in [*pages, page]:
                other.close()


if __name__ == "__main__":
    main()
