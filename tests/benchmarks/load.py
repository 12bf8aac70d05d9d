"""Many people at the same time: `python -m tests.benchmarks.load [--viewers 100] [--people 40] [--turns 3]`.

Drives the real dashboard over its own protocol (`tests/viewer.py`) beside a worker that trains `default`.
Prints, in one run:

- the training speed alone, and while everybody watches;
- the lag of points: from when the worker has stored a point until it, or a newer one, has reached a viewer;
- the time of a processor that the dashboard needs for one update of one viewer;
- the time from pen up to the belief while many draw at the same time, just after the viewers have left;
- the memory of the dashboard as visits come and go.

`--share 0.6` lets dashboard and worker run for 60 % of the time only, to measure on a fast machine what a
slower one would do. Whatever does not come within a minute is counted, and the benchmark goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import itertools
import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from rnnlab.config import Config
from rnnlab.runs import Run
from rnnlab.store.store import Store
from rnnlab.worker.launcher import LocalLauncher
from tests import dashboard
from tests.benchmarks.slower import slower
from tests.pens import png
from tests.viewer import Viewer
from tests.waiting import wait_for
from tests.workers import workers_of

_ARRIVALS = 0.1
"""Seconds between the arrivals of two viewers."""


class Lab(NamedTuple):
    """A dashboard, its process, and its runs."""

    url: str
    server: psutil.Process
    store: Store


def percentile(values: list[float], share: float) -> float:
    """Return a percentile, one of the values; NaN if there are none."""
    return float(np.percentile(values, share, method="higher")) if values else float("nan")


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
    if len(steps) < 2:
        return float("nan")
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


async def come(url: str, run: Run, count: int, pause: float = 0.0) -> list[Viewer]:
    """Return that many viewers of a run, who have come one after the other."""
    crowd = []
    for _ in range(count):
        crowd.append(viewer := Viewer(url, f"run={run.id}"))
        await viewer.__aenter__()
        await asyncio.sleep(pause)
    return crowd


async def go(crowd: list[Viewer]) -> None:
    """Let viewers leave; print what went wrong on their pages."""
    for problem in {problem for viewer in crowd for problem in viewer.problems}:
        print(f"  {problem}")
    for viewer in crowd:
        await viewer.__aexit__()


def seconds_of(server: psutil.Process) -> float:
    """Return the time that a process has had a processor."""
    times = server.cpu_times()
    return float(times.user + times.system)


async def watch(lab: Lab, run: Run, viewers: int, seconds: float) -> None:
    """Let many watch a live run; print lags, speeds and what an update costs."""
    clock = Clock(lab.store, run)
    follower = asyncio.create_task(clock.follow())
    start = time.monotonic()
    await asyncio.sleep(min(30.0, seconds))
    alone = speed_between(lab.store, run, start, time.monotonic(), clock)
    crowd = await come(lab.url, run, viewers, _ARRIVALS)
    await asyncio.sleep(5)
    first, used = time.monotonic(), seconds_of(lab.server)
    known = sum(viewer.updates for viewer in crowd)
    await asyncio.sleep(seconds)
    used = seconds_of(lab.server) - used
    updates = sum(viewer.updates for viewer in crowd) - known
    last = time.monotonic() - 5  # what is stored later has no time to arrive
    beside = speed_between(lab.store, run, first, last, clock)
    follower.cancel()
    every = [lag for viewer in crowd for lag in lags(viewer, clock, first, last)]
    problems = [problem for viewer in crowd for problem in viewer.problems]
    lost = sum(lag == float("inf") for lag in every)
    print(
        f"{viewers} viewers, {seconds:.0f} s: lag of a point {percentile(every, 50):.2f} s (median), "
        f"{percentile(every, 95):.2f} s (95th percentile); {lost} updates lost, {len(problems)} errors; "
        f"{updates / viewers / seconds:.2f} updates/s each, "
        f"{used / max(1, updates) * 1000:.1f} ms of a processor for one"
    )
    print(f"training {alone:.1f} steps/s alone, {beside:.1f} beside them: {beside / alone:.0%}", flush=True)
    await go(crowd)


def _can_draw(viewer: Viewer) -> bool:
    return {"canvas", "belief"} <= viewer.components.keys()


async def draw(url: str, run: Run, people: int, rounds: int) -> None:
    """Let many draw at the same time; print how long the answers take."""
    pictures = [png(digit) for digit in "70"]
    crowd = await come(url, run, people)
    for viewer in crowd:
        with suppress(TimeoutError):
            await viewer.until(functools.partial(_can_draw, viewer))
    replies = []

    async def one(viewer: Viewer, stroke: int) -> None:
        known, start = len(viewer.answers), time.monotonic()
        try:
            await viewer.draw(pictures[stroke % 2], [{"type": "path", "stroke": str(stroke)}])
            replies.append(await viewer.answered(known) - start)
        except TimeoutError:
            replies.append(float("inf"))

    ready = [viewer for viewer in crowd if _can_draw(viewer)]
    for stroke in range(rounds):
        await asyncio.gather(*(one(viewer, stroke) for viewer in ready))
        await asyncio.sleep(1.0)
    problems = [problem for viewer in crowd for problem in viewer.problems]
    print(
        f"{len(ready)} of {people} people drawing at once: reply {percentile(replies, 50):.2f} s (median), "
        f"{percentile(replies, 95):.2f} s (95th percentile) of {len(replies)}; "
        f"{sum(map(math.isinf, replies))} without an answer, {len(problems)} errors",
        flush=True,
    )
    await go(crowd)


async def visit(url: str, server: psutil.Process, visits: int) -> None:
    """Let visitors come and go; print the memory of the dashboard from time to time."""
    for number in itertools.count(1):
        async with Viewer(url) as viewer:
            with suppress(TimeoutError):
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


def pids_of(*processes: psutil.Process) -> list[int]:
    """Return the numbers of processes and of all that they have started."""
    return [each.pid for process in processes for each in (process, *process.children(recursive=True))]


def main() -> None:
    """Do what the options say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, default=100, help="none: only what follows")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--people", type=int, default=40, help="who draw at once")
    parser.add_argument("--turns", type=int, default=3, help="how often these come, draw and leave")
    parser.add_argument("--visits", type=int, default=500)
    parser.add_argument("--share", type=float, default=1.0, help="of the time that dashboard and worker run")
    arguments = parser.parse_args()
    home = tempfile.mkdtemp()
    with (
        dashboard.dashboard({"RNNLAB_HOME": home}) as (url, process),
        Store(Path(home)) as store,
    ):
        server = psutil.Process(process.pid)
        with training(store) as run, slower(pids_of(server, *workers_of(store.home)), arguments.share):
            if arguments.viewers:
                asyncio.run(watch(Lab(url, server, store), run, arguments.viewers, arguments.seconds))
            for _ in range(arguments.turns):
                asyncio.run(draw(url, run, arguments.people, rounds=10))
        asyncio.run(visit(url, server, arguments.visits))


if __name__ == "__main__":
    main()
