"""What follows a run while it trains: the status line and the curve, redrawn together.

Whatever a region shows, redrawing it costs the server about the same, so there is one for both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from rnnlab.database import StoreError
from rnnlab.runs import Run
from rnnlab.views import curve, problems, status
from rnnlab.views.services import Services, services
from rnnlab.views.session import give_way, visit
from rnnlab.views.traffic import TRAFFIC

STARTING_INTERVAL: Final = 0.3
"""Seconds between two looks for the first point of a run."""

LIVE_INTERVAL: Final = 1.0
"""Seconds between two updates of what a training run shows."""

IDLE_INTERVAL: Final = 3.0
"""Seconds between two looks for a run that someone else has started."""

PACE_INTERVAL: Final = 20.5
"""Seconds between two looks for how much is watched."""

UPDATES_PER_SECOND: Final = 17
"""Regions that have an update a second; where there are more, each has one less often.

An update costs the server 10 to 20 ms, and training is to keep most of the processor.
"""


def live_interval(run: Run | None, regions: int = 1) -> float | None:
    """Return the seconds between two updates of what a run shows, or `None` where it will not change.

    Args:
        run: The run.
        regions: How many are kept up to date, of all visitors.
    """
    if run is None or not run.state.is_active:
        return None
    if not run.has_begun and regions <= UPDATES_PER_SECOND * STARTING_INTERVAL:
        return STARTING_INTERVAL
    return LIVE_INTERVAL * -(-regions // UPDATES_PER_SECOND)


def region(run: Run | None) -> None:
    """Draw status and curve of a run and keep them up to date.

    Args:
        run: The run on show, or `None` before there is any.
    """
    keep_up_to_date(_live, run, "curve", otherwise=IDLE_INTERVAL)


def keep_up_to_date(
    draw: Callable[[Run | None], None],
    run: Run | None,
    region: str,
    *,
    changes: bool = True,
    otherwise: float | None = None,
) -> None:
    """Draw a region of the page, and draw it again as often as the number of those who watch allows.

    A page keeps one timer for each fragment and takes over a new interval where the fragment is declared
    again. So there is a second, slow one around it, which costs one more update now and then; to have the
    whole page drawn anew for it would cost many, and when a class comes or goes somebody's pen is on the
    canvas.

    Args:
        draw: Draws the region for a run.
        run: The run on show, or `None` before there is any.
        region: Its name on the page.
        changes: Whether what it shows changes while the run trains.
        otherwise: Seconds between two updates where it does not; by default there are none.
    """
    live = changes and run is not None and run.state.is_active
    name = f"{region} of {visit().name}" if live else None
    st.fragment(_paced, run_every=PACE_INTERVAL if live else None)(draw, run, name, otherwise)


def _paced(
    draw: Callable[[Run | None], None], run: Run | None, name: str | None, otherwise: float | None
) -> None:
    """Declare a region with the interval that is right now; its name is `None` where it is not live."""
    interval = live_interval(run, TRAFFIC.keep_up(name)) if name else otherwise
    st.fragment(_update, run_every=interval)(draw, run, name)


def _update(draw: Callable[[Run | None], None], run: Run | None, name: str | None) -> None:
    """Draw a region, after the strokes of others."""
    if name:
        TRAFFIC.keep_up(name)
    give_way()
    draw(run)


def _live(drawn: Run | None) -> None:
    """Draw the newest state of the run; redraw the whole page where more than that has changed.

    Args:
        drawn: The run as the rest of the page was drawn for it.
    """
    top, messages, below = (st.container(key=f"lab_{area}") for area in ("status", "messages", "curve"))
    # What cannot be read meanwhile is said where it moves nothing but the curve, too.
    with messages, problems.said():
        shared = services()
        shared.reap()
        run = _newest(shared, drawn)
        if visit().problems or _page_is_outdated(drawn, run):
            st.rerun()
        with top:
            status.draw(shared, run) if run else status.draw_none(shared)
        problems.trouble()
        if run:
            status.say_how_it_ended(run)
        with below:
            curve.draw(shared, run) if run else curve.draw_none()


def _newest(shared: Services, drawn: Run | None) -> Run | None:
    """Return the run as the store knows it now."""
    if drawn is None:
        return shared.store.current_run()
    try:
        return shared.store.run(drawn.id)
    except StoreError:
        return None


def _page_is_outdated(drawn: Run | None, run: Run | None) -> bool:
    """Return whether the rest of the page was drawn for another run or another state of it."""
    if drawn is None or run is None:
        return drawn is not run
    return _looks_of(drawn) != _looks_of(run)


def _looks_of(run: Run) -> tuple[object, ...]:
    """Return what decides how the rest of the page looks."""
    return run.id, run.state.is_active, run.has_begun, run.data
