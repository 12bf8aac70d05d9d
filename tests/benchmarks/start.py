"""From the click on Start to the first point on the page: `python -m tests.benchmarks.start [engine]`.

Ten runs with the default settings, each with a worker's process of its own, then ten with one that waits for
them; a real dashboard in a real browser. The first run of a home, which unpacks the digits, is told apart.
Run it on an idle machine. Prints medians and extremes in seconds, and what the worker takes of the memory.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from playwright.sync_api import Page

from rnnlab.cli.machine import machine
from tests import dashboard
from tests.benchmarks.dashboard import start_to_first_point, stop
from tests.benchmarks.endurance import megabytes
from tests.waiting import wait_for
from tests.workers import workers_of

RUNS: Final = 10


def summary(seconds: list[float]) -> str:
    """Return median and extremes in words."""
    return f"median {median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


def measure(page: Page, home: Path, *, waiting: bool) -> list[float]:
    """Start and stop runs; return the seconds to the first point of each."""
    seconds = []
    for _ in range(RUNS):
        page.wait_for_timeout(1500)  # nothing of the run before is under way any more
        seconds.append(start_to_first_point(page))
        stop(page)
        if not waiting:
            wait_for(lambda: not workers_of(home), "the worker to end")
    return seconds


def main(engine: str = "auto") -> None:
    """Measure and print."""
    print(machine())
    for waiting in (False, True):
        with tempfile.TemporaryDirectory() as folder, dashboard.browser() as browser:
            home = Path(folder)
            environment = {"RNNLAB_HOME": folder, "RNNLAB_WORKER_IDLE_SECONDS": "60" if waiting else "0"}
            page = browser.new_page(viewport={"width": 1440, "height": 1000})
            with dashboard.dashboard(environment) as (url, _):
                dashboard.ready(page, f"{url}/?engine={engine}")
                first = start_to_first_point(page)
                own, helpers = megabytes(workers_of(home)[0])
                stop(page)
                kind = "a waiting worker" if waiting else "a worker of its own"
                later = summary(measure(page, home, waiting=waiting))
                print(f"{kind}: first of all {first:.2f} s, then {later}")
                print(f"    worker {own:.0f} MB, its helpers {helpers:.0f} MB")
                page.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
