"""Many people at the same time: `python -m tests.benchmarks.load [--viewers 50] [--seconds 300] [--turns 3]`.

Drives the real dashboard over its own protocol (`tests/viewer.py`) beside a worker that trains `default`.
Prints, in one run:

- the training speed alone, and while everybody watches;
- the lag of points: from when the worker has stored a point until it, or a newer one, has reached a viewer;
- the time from pen up to the belief while many draw at the same time, just after the viewers have left;
- the memory of the dashboard as visits come and go.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import itertools
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from rnnlab.config import Config
from rnnlab.runs import Run
from rnnlab.store.store import Store
from rnnlab.worker.launcher import LocalLauncher
from tests import dashboard
from tests.pens import png
from tests.viewer import Viewer
from tests.waiting import wait_for
from tests.workers import workers_of

_ARRIVALS = 0.1
"""Seconds between the arrivals of two viewers."""


def percentile(values: list[float], share: float) -> float:
    """Return a percentile; NaN if there are no values."""
    return float(np.percentile(values, share)) if values else float("nan")


class Clock:
    """Notes when each point of a run appears in the store."""

    def __init__(self, store: Store, run: Run) -> None:
        self._store, self._run = store, run
        self.stored: dict[int, float] = {}

    async def follow(self) -> None:
        """Look for new points until cancelled."""
        while True:
            for point in self._store.points(self._run.id, after=max(self.stored, default=-1)):
                self.stored[point.step] = time.monotonic()
            await asyncio.sleep(0.02)


def speed_between(store: Store, run: Run, first: float, last: float, clock: Clock) -> float:
    """Return the steps per second of a run between two moments."""
    steps = [step for step, moment in clock.stored.items() if first <= moment <= last]
    moments = [clock.stored[step] for step in (min(steps), max(steps))]
    return (max(steps) - min(steps)) / (moments[1] - moments[0])


def lags(viewer: Viewer, clock: Clock, first: float, last: float) -> list[float]:
    """Return how long each point stored between two moments took to reach a viewer."""
    arrivals = sorted(viewer.seen.items())
    found, place = [], 0
    for step, stored in sorted(clock.stored.items()):
        if not first <= stored <= last:
            continue
        while place < len(arrivals) and arrivals[place][0] < step:
            place += 1
        if place < len(arrivals):
            found.append(max(0.0, arrivals[place][1] - stored))
        else:
            found.append(float("inf"))
    return found


async def watch(url: str, run: Run, viewers: int, seconds: float, store: Store) -> None:
    """Let many watch a live run; print lags and speeds."""
    clock = Clock(store, run)
    follower = asyncio.create_task(clock.follow())
    start = time.monotonic()
    await asyncio.sleep(min(30.0, seconds))
    alone = speed_between(store, run, start, time.monotonic(), clock)
    crowd = [Viewer(url, f"run={run.id}") for _ in range(viewers)]
    for viewer in crowd:
        await viewer.__aenter__()
        await asyncio.sleep(_ARRIVALS)
    await asyncio.sleep(5)
    first = time.monotonic()
    await asyncio.sleep(seconds)
    last = time.monotonic() - 5  # what is stored later has no time to arrive
    beside = speed_between(store, run, first, last, clock)
    follower.cancel()
    every = [lag for viewer in crowd for lag in lags(viewer, clock, first, last)]
    problems = [problem for viewer in crowd for problem in viewer.problems]
    lost = sum(lag == float("inf") for lag in every)
    updates = sum(viewer.updates for viewer in crowd) / viewers / (time.monotonic() - first)
    print(
        f"{viewers} viewers, {seconds:.0f} s: lag of a point {percentile(every, 50):.2f} s (median), "
        f"{percentile(every, 95):.2f} s (95th percentile); {lost} updates lost, {len(problems)} errors; "
        f"about {updates:.2f} updates/s each"
    )
    print(f"training {alone:.1f} steps/s alone, {beside:.1f} beside them: {beside / alone:.0%}", flush=True)
    for problem in set(problems):
        print(f"  {problem}")
    for viewer in crowd:
        await viewer.__aexit__()


def _has_canvas(viewer: Viewer) -> bool:
    return "canvas" in viewer.components


async def draw(url: str, run: Run, people: int, rounds: int) -> None:
    """Let many draw at the same time; print how long the answers take."""
    pictures = [png(digit) for digit in "70"]
    crowd = [Viewer(url, f"run={run.id}") for _ in range(people)]
    for viewer in crowd:
        await viewer.__aenter__()
        await viewer.until(functools.partial(_has_canvas, viewer))
    replies = []

    async def one(viewer: Viewer, stroke: int) -> None:
        known, start = len(viewer.answers), time.monotonic()
        await viewer.draw(pictures[stroke % 2], [{"type": "path", "stroke": str(stroke)}])
        replies.append(await viewer.answered(known) - start)

    for stroke in range(rounds):
        await asyncio.gather(*(one(viewer, stroke) for viewer in crowd))
        await asyncio.sleep(1.0)
    problems = [problem for viewer in crowd for problem in viewer.problems]
    print(
        f"{people} people drawing at once: reply {percentile(replies, 50):.2f} s (median), "
        f"{percentile(replies, 95):.2f} s (95th percentile) of {len(replies)}; {len(problems)} errors",
        flush=True,
    )
    for viewer in crowd:
        await viewer.__aexit__()


async def visit(url: str, server: psutil.Process, visits: int) -> None:
    """Let visitors come and go; print the memory of the dashboard from time to time."""
    for number in itertools.count(1):
        async with Viewer(url) as viewer:
            await viewer.finished()
        if number % 100 == 0:
            await asyncio.sleep(2)
            print(f"{number} visits: {server.memory_full_info().uss / 1e6:.0f} MB", flush=True)
        if number >= visits:
            return


@contextmanager
def training(store: Store) -> Iterator[Run]:
    """Have a worker train `default` for as long as it is wanted."""
    run = store.create_run(Config(iterations=200_000))
    LocalLauncher(store).wake()
    wait_for(lambda: len(store.points(run.id)) > 5, "training to begin")
    try:
        yield run
    finally:
        store.requests.stop(run.id)
        wait_for(lambda: store.run(run.id).state.is_ended, "training to end")
        for worker in workers_of(store.home):
            worker.kill()


def main() -> None:
    """Do what the options say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, default=50, help="none: only what follows")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--people", type=int, default=20, help="who draw at once")
    parser.add_argument("--turns", type=int, default=3, help="how often these come, draw and leave")
    parser.add_argument("--visits", type=int, default=500)
    arguments = parser.parse_args()
    home = tempfile.mkdtemp()
    with (
        dashboard.dashboard({"RNNLAB_HOME": home, "RNNLAB_WARM_WORKER": "0"}) as (url, process),
        Store(Path(home)) as store,
    ):
        server = psutil.Process(process.pid)
        with training(store) as run:
            if arguments.viewers:
                asyncio.run(watch(url, run, arguments.viewers, arguments.seconds, store))
            for _ in range(arguments.turns):
                asyncio.run(draw(url, run, arguments.people, rounds=10))
        asyncio.run(visit(url, server, arguments.visits))


if __name__ == "__main__":
    main()
