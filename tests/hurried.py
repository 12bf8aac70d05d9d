"""The dashboard for tests of a crowd: two regions are one, its slow timer is fast, and strokes can be held.

While there is a file `hold` in the folder of runs, no stroke is answered; a file `held` then says that one
waits.
"""

from __future__ import annotations

import runpy
import time
from pathlib import Path

import streamlit as st

from rnnlab.dashboard import pacing
from rnnlab.dashboard.regions import drawing_pad, live
from rnnlab.dashboard.session import canvas_key
from rnnlab.runs import Run
from rnnlab.store.store import default_home

PACE_INTERVAL = 0.75


def hold_strokes() -> None:
    """Let strokes wait for as long as the file is there."""
    draw = drawing_pad._render

    def held(run: Run | None) -> None:
        hold = default_home() / "hold"
        if hold.exists() and (st.session_state.get(canvas_key()) or {}).get("drawing"):
            hold.with_name("held").touch()
            while hold.exists():
                time.sleep(0.02)
        draw(run)

    drawing_pad._render = held


if live.PACE_INTERVAL != PACE_INTERVAL:  # the script runs for every visitor, but the modules exist once
    live.PACE_INTERVAL = PACE_INTERVAL  # type: ignore[misc]
    live.UPDATES_PER_SECOND = 2  # type: ignore[misc]
    pacing.MAX_WAIT = 60.0  # type: ignore[misc]
    hold_strokes()
runpy.run_path(str(Path(__file__).parents[1] / "app.py"), run_name="__main__")
