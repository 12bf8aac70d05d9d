"""How soon a run obeys: `python -m tests.benchmarks.controls [ROUNDS]`.

Presses the buttons of a run of `default` over the dashboard's own protocol (`tests/viewer.py`) and prints how
many seconds it takes until the page says so, and until the run is in the state asked for.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rnnlab.runs import Run, RunState
from rnnlab.store.store import Store
from tests import dashboard
from tests.benchmarks.load import training
from tests.viewer import Viewer

ROUNDS = 10


async def press(viewer: Viewer, label: str, words: tuple[str, ...], done: Callable[[], bool]) -> list[float]:
    """Press a button; return the seconds until the page has answered and until the run has obeyed."""
    start = time.monotonic()

    def said() -> bool:
        return any(
            sent > start and any(f" {word}]" in text for word in words)
            for text, sent in viewer.texts.copy().items()
        )

    async def seconds_until(condition: Callable[[], bool]) -> float:
        await viewer.until(condition)
        return time.monotonic() - start

    await viewer.click(label)
    return list(await asyncio.gather(seconds_until(said), seconds_until(done)))


async def measure(url: str, run: Run, store: Store, rounds: int) -> None:
    """Press and print."""
    times: dict[str, list[list[float]]] = {"Pause": [], "Step": [], "Resume": [], "Stop": []}

    def is_in(state: RunState) -> Callable[[], bool]:
        return lambda: store.run(run.id).state is state

    def is_at(step: int) -> bool:
        return store.run(run.id).step == step

    async with Viewer(url, f"run={run.id}") as viewer:

        async def drawn(label: str) -> None:
            await viewer.until(lambda: label in viewer.buttons)

        await drawn("Stop")
        for _ in range(rounds):
            await drawn("Pause")
            times["Pause"].append(await press(viewer, "Pause", ("pausing", "paused"), is_in(RunState.PAUSED)))
            await drawn("Step")
            for _ in range(3):
                target = store.run(run.id).step + 20
                times["Step"].append(
                    await press(viewer, "Step", ("going on", "pausing"), functools.partial(is_at, target))
                )
                await viewer.until(is_in(RunState.PAUSED))
            times["Resume"].append(
                await press(viewer, "Resume", ("going on", "training"), is_in(RunState.TRAINING))
            )
            await asyncio.sleep(0.7)
        times["Stop"].append(await press(viewer, "Stop", ("stopping", "stopped"), is_in(RunState.STOPPED)))
    for label, measured in times.items():
        said, done = np.array(measured).T
        print(
            f"{label:<8} page answers {np.median(said):.2f} (median), {said.max():.2f} (longest); "
            f"run follows {np.median(done):.2f}, {done.max():.2f}; {len(said)} times"
        )


def main(rounds: int) -> None:
    """Train, press and print."""
    home = tempfile.mkdtemp()
    with (
        dashboard.dashboard({"RNNLAB_HOME": home}) as (url, _),
        Store(Path(home)) as store,
        training(store) as run,
    ):
        asyncio.run(measure(url, run, store, rounds))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
