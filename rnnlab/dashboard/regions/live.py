"""The live part of the Lab: the status line and the curve, rendered together while a run trains.

Rendering a region costs the server about the same whatever it shows, so there is one region for both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import streamlit as st

from rnnlab.dashboard.address import render_again
from rnnlab.dashboard.app_state import AppState, app_state
from rnnlab.dashboard.pacing import PACING
from rnnlab.dashboard.regions import live_curve, messages, status
from rnnlab.dashboard.session import session, yield_to_strokes
from rnnlab.runs import Run
from rnnlab.store.database import StoreError

STARTING_INTERVAL: Final = 0.1
"""Seconds between two checks for the first point of a run that was started a moment ago."""

WAITING_INTERVAL: Final = 0.3
"""The same for a run that waits longer, such as for its turn or for a download."""

_A_MOMENT: Final = 3.0
"""Seconds in which a run that begins at once has its first point."""

LIVE_INTERVAL: Final = 1.0
"""Seconds between two updates of a region while its run trains."""

IDLE_INTERVAL: Final = 3.0
"""Seconds between two checks for a run that someone else has started."""

PACE_INTERVAL: Final = 20.5
"""Seconds after which a region counts the watched regions again and adapts its interval."""

UPDATES_PER_SECOND: Final = 25
"""Most updates per second, of all regions together; if there are more regions, each is updated less often.

An update costs the server some 8 ms, and training needs most of the processor.
"""


def live_interval(run: Run | None, regions: int = 1) -> float | None:
    """Return the seconds between two updates of a region that shows a run, or `None` if it will not change.

    Args:
        run: The run on show, or `None` before there is any.
        regions: How many regions are kept up to date, of all visitors.
    """
    if run is None or not run.state.is_active:
        return None
    if not run.has_begun:
        is_new = time.time() - (run.queued or run.created) < _A_MOMENT
        for interval in (STARTING_INTERVAL, WAITING_INTERVAL) if is_new else (WAITING_INTERVAL,):
            if regions <= UPDATES_PER_SECOND * interval:
                return interval
    return LIVE_INTERVAL * -(-regions // UPDATES_PER_SECOND)


@dataclass(frozen=True)
class LiveRegion:
    """A region of the page that is rendered again and again, less often the more people watch.

    Streamlit keeps one timer for each fragment, and changes its interval when the fragment is declared again.
    So a second, slow fragment around this one declares it again, which costs one more update now and then.
    Rendering the whole page for that would cost many updates, and could disturb somebody who is drawing.

    Attributes:
        name: Its name on the page.
        content: Renders what is in it, for a run.
        run: The run on show, or `None` before there is any.
        changes: Whether what it shows changes while the run trains.
        otherwise: Seconds between two updates if nothing changes; by default there are none.
    """

    name: str
    content: Callable[[Run | None], None]
    run: Run | None
    changes: bool = True
    otherwise: float | None = None

    @property
    def is_live(self) -> bool:
        """Whether it is kept up to date with a run that trains."""
        return self.changes and self.run is not None and self.run.state.is_active

    def interval(self) -> float | None:
        """Return the right number of seconds between two updates at present, or `None` for no updates."""
        return live_interval(self.run, self._watch()) if self.is_live else self.otherwise

    def render(self) -> None:
        """Render it now, and from now on at its interval."""
        st.fragment(self._pace, run_every=PACE_INTERVAL if self.is_live else None)()

    def _pace(self) -> None:
        st.fragment(self._update, run_every=self.interval())()

    def _update(self) -> None:
        """Render its content, after the strokes of others have been answered."""
        if self.is_live:
            self._watch()
        yield_to_strokes()
        self.content(self.run)

    def _watch(self) -> int:
        """Count it among the regions that are kept up to date; return how many these are, of all visitors."""
        return PACING.watch(f"{self.name} of {session().name}")


def render(run: Run | None) -> None:
    """Render status, messages and curve of the run on show, if any, and keep them up to date."""
    LiveRegion("curve", _live, run, otherwise=IDLE_INTERVAL).render()


def _live(rendered: Run | None) -> None:
    """Render the newest state of the run; if the rest of the page is outdated, render the whole page again.

    Args:
        rendered: The run as it was when the rest of the page was rendered.
    """
    top, notices, below = (st.container(key=f"lab_{area}") for area in ("status", "messages", "curve"))
    # Store errors also appear among the messages, which move nothing but the curve.
    with notices, messages.show_store_errors():
        shared = app_state()
        shared.reap()
        run = _newest(shared, rendered)
        is_outdated = page_is_outdated(rendered, run, session().run_id)
        if session().problems or (is_outdated and not _is_of(run, rendered)):
            render_again()
        with top:
            status.render(shared, run) if run else status.render_before_a_run(shared)
        messages.render_trouble()
        if run:
            status.render_how_it_ended(run)
        with below:
            live_curve.render(shared, run) if run else live_curve.render_before_a_run()
        if is_outdated:  # what has happened to the run is seen first, and the rest follows
            render_again()


def _newest(shared: AppState, rendered: Run | None) -> Run | None:
    """Return the run as the store knows it now, or `None` if it is not there.

    Raises:
        StoreError: The store cannot be read at present.
    """
    if rendered is None:
        return None if session().awaits_start else shared.store.current_run()
    try:
        return shared.store.run(rendered.id)
    except StoreError:
        shared.store.current_run()  # fails, too, if it is not this run that is the matter
        return None


def page_is_outdated(rendered: Run | None, run: Run | None, wanted: str | None) -> bool:
    """Return whether the rest of the page was rendered for another run or another state of it.

    A rendering of the whole page that is cut short leaves a page that still shows the run of before.

    Args:
        rendered: The run as it was when the rest of the page was rendered.
        run: The run as the store knows it now.
        wanted: The id of the run that the visitor started or chose last, if any.
    """
    if rendered is None or run is None:
        return rendered is not run
    return wanted not in (None, rendered.id) or _looks_of(rendered) != _looks_of(run)


def _is_of(run: Run | None, rendered: Run | None) -> bool:
    """Return whether the page was rendered for this run, and it is the one that the visitor wants to see."""
    return bool(run and rendered and run.id == rendered.id and session().run_id in (None, run.id))


def _looks_of(run: Run) -> tuple[object, ...]:
    """Return the values on which the rest of the page depends.

    What it learns from is known a moment before its first point: that is no reason to render the page twice.
    """
    return run.id, run.state.is_active, run.has_begun, run.has_begun and run.data
