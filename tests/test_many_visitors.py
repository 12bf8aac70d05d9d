"""Real dashboards that are killed, started twice, reloaded and crowded, driven over their own protocol."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from rnnlab.runs import AccuracyPoint, Run, RunState
from rnnlab.store.store import Store
from rnnlab.worker.launcher import LocalLauncher
from tests import dashboard
from tests.pens import png
from tests.systems import needs_signals
from tests.viewer import Viewer, run_async
from tests.waiting import wait_for
from tests.weights import random_weights
from tests.workers import LONG, start, wait_for_points, wait_until, workers_of

DIGIT = png("7"), [{"type": "path"}]
"""A drawing as the canvas sends it: picture and strokes."""

PACE = 0.75
"""Seconds after which the dashboard counts again how many watch, in `hurried.py`."""

TINY = "dataset=digits&iterations=40&neurons=8&batch_size=8&nonsense=0"


pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_workers_left(own_home: Path) -> Iterator[None]:
    """Kill the workers that a test has left."""
    yield
    for worker in workers_of(own_home):
        worker.kill()


def environment(home: Path) -> dict[str, str]:
    return {"RNNLAB_HOME": str(home), "RNNLAB_WORKER_IDLE_SECONDS": "1"}


async def sees_it_grow(url: str, run: Run) -> None:
    """Make sure that a visitor who comes now sees the run continue."""
    async with Viewer(url, f"run={run.id}") as viewer:
        await viewer.until(lambda: viewer.newest >= 0)
        seen = viewer.newest
        await viewer.until(lambda: viewer.newest > seen)
        assert viewer.problems == []


@needs_signals
def test_training_goes_on_without_its_dashboard_and_the_next_one_finds_it(
    store: Store, launcher: LocalLauncher
) -> None:
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 1)
    for how in (signal.SIGKILL, signal.SIGINT):
        with dashboard.dashboard(environment(store.home)) as (url, process):
            run_async(sees_it_grow(url, run))
            process.send_signal(how)
            process.wait(timeout=20)
            seen = len(store.points(run.id))
            wait_for_points(store, run, seen + 2)
    assert len(workers_of(store.home)) == 1


async def press_buttons(viewer: Viewer, pressed: list[str]) -> None:
    """Press the buttons of the run on show, over and over; note which."""
    while True:
        for label in ("Pause", "Step", "Resume"):
            if label in viewer.buttons:
                await viewer.click(label)
                pressed.append(label)
            await asyncio.sleep(0.05)


async def kill_dashboard(home: Path, run: Run, when: str, seconds: float, pressed: list[str]) -> None:
    """Start a dashboard and kill it some seconds after it was started, answered or showed the buttons."""
    url, process = dashboard.launch(environment(home))
    if when == "started":
        await asyncio.sleep(seconds)
    else:
        await asyncio.to_thread(dashboard.wait_until_it_answers, url)
        async with Viewer(url, f"run={run.id}") as viewer:
            if when == "answered":
                await asyncio.sleep(seconds)
            else:
                await viewer.until(lambda: "Stop" in viewer.buttons)
                with suppress(TimeoutError):
                    await asyncio.wait_for(press_buttons(viewer, pressed), seconds)
            process.kill()
    process.kill()
    await asyncio.to_thread(process.wait)


def test_dashboards_killed_at_ten_random_moments_leave_the_run_as_it_is(
    store: Store, launcher: LocalLauncher
) -> None:
    chance = random.Random(0)  # noqa: S311
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 1)
    pressed: list[str] = []

    async def kill_five() -> None:
        kinds = ("started", "answered", "drawn", "drawn", "drawn")
        kills = (kill_dashboard(store.home, run, kind, chance.uniform(0.1, 1.5), pressed) for kind in kinds)
        await asyncio.gather(*kills)

    for _ in range(2):
        run_async(kill_five())
        with Store(store.home) as again:
            assert again.notice == ""
            assert again.run(run.id).state in (RunState.TRAINING, RunState.PAUSED)
    assert set(pressed) == {"Pause", "Step", "Resume"}
    assert len(workers_of(store.home)) == 1
    store.requests.resume(run.id)
    wait_for_points(store, run, len(store.points(run.id)) + 2)
    steps = [point.step for point in store.points(run.id)]
    assert steps == list(range(0, steps[-1] + 1, 20))


def test_two_dashboards_on_one_store_show_and_control_the_same_run(store: Store) -> None:
    async def visit_both(first: str, second: str) -> None:
        async with Viewer(first, TINY.replace("40", "200000")) as one, Viewer(second) as other:
            await one.finished()
            await one.click("Start")
            await one.until(lambda: one.newest > 0 and "Pause" in one.buttons)
            await other.until(lambda: other.newest > 0)
            assert len(store.runs()) == 1
            await one.click("Pause")
            await one.until(lambda: store.runs()[0].state is RunState.PAUSED)
            assert one.problems == other.problems == []

    with (
        dashboard.dashboard(environment(store.home)) as (first, _),
        dashboard.dashboard(environment(store.home)) as (second, _),
    ):
        run_async(visit_both(first, second))
        assert len(workers_of(store.home)) == 1


def test_a_hundred_refreshes_start_nothing_and_show_the_run_each_time(
    store: Store, launcher: LocalLauncher
) -> None:
    run = start(store, launcher, LONG)
    wait_for_points(store, run, 1)

    async def refresh(url: str) -> None:
        for _ in range(100):
            async with Viewer(url, f"run={run.id}") as viewer:
                await viewer.until(lambda viewer=viewer: viewer.newest >= 0)  # type: ignore[misc]
                assert viewer.problems == []
                assert viewer.references == 0  # a browser may have dropped what they refer to

    with dashboard.dashboard(environment(store.home)) as (url, _):
        run_async(refresh(url))
    assert [each.id for each in store.runs()] == [run.id]
    assert store.run(run.id).state is RunState.TRAINING
    assert len(workers_of(store.home)) == 1


def test_twenty_sessions_that_press_start_at_once_get_a_run_each_and_one_worker(store: Store) -> None:
    async def press_at_once(url: str) -> None:
        async with AsyncExitStack() as stack:
            crowd = [await stack.enter_async_context(Viewer(url, TINY)) for _ in range(20)]
            for viewer in crowd:
                await viewer.until(lambda viewer=viewer: "Start" in viewer.buttons)  # type: ignore[misc]
            await asyncio.gather(*(viewer.click("Start") for viewer in crowd))
            await crowd[0].until(lambda: len(store.runs()) == 20)
            assert len(workers_of(store.home)) <= 1
            assert [problem for viewer in crowd for problem in viewer.problems] == []

    with dashboard.dashboard(environment(store.home)) as (url, _):
        run_async(press_at_once(url))
        for run in store.runs():
            wait_until(store, run, RunState.FINISHED)
            assert [point.step for point in store.points(run.id)] == [0, 20]
    assert len(store.runs()) == 20


def under_way(store: Store) -> Run:
    """Return a run that this process trains, as far as a page can tell."""
    run = store.create_run(LONG, claimed=True)
    store.reports.add_point(run.id, AccuracyPoint(0, 0.1, 2.3, 0.0))
    return store.run(run.id)


def test_the_pace_of_curve_and_belief_follows_the_number_of_those_who_watch(store: Store) -> None:
    run = under_way(store)

    async def watch(url: str) -> None:
        async with Viewer(url, f"run={run.id}") as viewer:
            await viewer.until(lambda: "canvas" in viewer.components)
            await viewer.draw(*DIGIT)
            await viewer.until(lambda: viewer.intervals == [PACE, PACE, 1.0, 1.0])  # curve and belief
            async with Viewer(url, f"run={run.id}"):
                await viewer.until(lambda: viewer.intervals == [PACE, PACE, 2.0, 2.0])
            assert viewer.problems == []

    with dashboard.dashboard(environment(store.home), "tests/hurried.py") as (url, _):
        run_async(watch(url))


def test_nobody_gets_an_update_before_the_stroke_of_another_is_answered(store: Store) -> None:
    run = under_way(store)
    random_weights(8).save(store.files(run.id).weights, step=1)

    async def watch(url: str) -> None:
        async with Viewer(url, f"run={run.id}") as drawing, Viewer(url, f"run={run.id}") as watching:
            for viewer in (drawing, watching):
                await viewer.until(lambda viewer=viewer: "canvas" in viewer.components)  # type: ignore[misc]
            (store.home / "hold").touch()
            await drawing.draw(*DIGIT)
            await watching.until((store.home / "held").exists)
            before = watching.updates
            await asyncio.sleep(3)  # in which there would be three updates
            assert watching.updates <= before + 1  # one may have been on its way
            assert drawing.answers == []
            (store.home / "hold").unlink()
            await drawing.answered(0)
            await watching.until(lambda: watching.updates > before + 1)

    with dashboard.dashboard(environment(store.home), "tests/hurried.py") as (url, _):
        run_async(watch(url))


def test_the_page_says_within_ten_seconds_that_a_worker_is_gone_and_resumes_its_run(
    store: Store, launcher: LocalLauncher
) -> None:
    run = start(store, launcher, LONG)
    wait_for(store.files(run.id).checkpoint.exists, "a checkpoint")

    async def watch(url: str) -> None:
        async with Viewer(url, f"run={run.id}") as viewer:
            await viewer.until(lambda: viewer.newest >= 0)
            workers_of(store.home)[0].kill()
            await viewer.until(lambda: any("is saved" in problem for problem in viewer.problems), seconds=10)
            await viewer.until(lambda: "Resume" in viewer.buttons, seconds=10)
            seen = viewer.newest
            await viewer.click("Resume")
            await viewer.until(lambda: viewer.newest > seen + 100)

    with dashboard.dashboard(environment(store.home)) as (url, _):
        run_async(watch(url))
