"""The line above everything else: what is happening right now."""

from __future__ import annotations

import streamlit as st

from rnnlab.runs import Run, RunState
from rnnlab.store import StoreError
from rnnlab.views.services import Services, services
from rnnlab.views.session import visit
from rnnlab.views.text import STATE_BADGES, duration, percent, plain

STARTING_INTERVAL = 0.3
"""Seconds between two looks for the first point of a run."""

LIVE_INTERVAL = 1.0
"""Seconds between two updates of what a training run shows."""

IDLE_INTERVAL = 3.0
"""Seconds between two looks for a run that someone else has started."""

_RECENT = 5
"""Readings whose mean is shown as the batch accuracy: a single batch jumps too much to read."""


def live_interval(run: Run) -> float | None:
    """Return the seconds between two updates of what a run shows, or `None` where it will not change."""
    if not run.state.is_active:
        return None
    return LIVE_INTERVAL if run.has_begun else STARTING_INTERVAL


def region(run: Run | None) -> None:
    """Draw the status of a run and keep it up to date.

    Args:
        run: The run on show, or `None` before there is any.
    """
    interval = (live_interval(run) if run is not None else None) or IDLE_INTERVAL
    st.fragment(_status, run_every=interval)(run)


def _status(drawn: Run | None) -> None:
    """Draw the newest state of the run; redraw the whole page where more than that has changed."""
    shared = services()
    shared.reap()
    run = _newest(shared, drawn)
    if _page_is_outdated(drawn, run):
        st.rerun()
    if run is None:
        return
    line = st.container(horizontal=True, vertical_alignment="center", gap="medium", key="status")
    with line.container(key="status_words"):
        _words(shared, run)
    curve = shared.curves.curve(run.id)
    recent = float(curve.accuracy[-_RECENT:].mean()) if len(curve.accuracy) else None
    line.metric(
        "batch accuracy",
        percent(recent),
        width="content",
        help=f"Share of the last {_RECENT} reported batches read correctly.",
    )
    line.metric(
        "test accuracy",
        percent(run.test_accuracy),
        width="content",
        help="Share of all test images read correctly: digits that the network never learns from.",
    )


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
    return run.id, run.state.is_active, run.has_begun, run.stop_requested, run.data


def _words(shared: Services, run: Run) -> None:
    """Draw name, state, progress and speed."""
    word, icon, colour = STATE_BADGES[run.state]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{plain(run.id)}**", width="content")
        st.badge(word, icon=icon, color=colour)
        if run.stop_requested and run.state.is_active:
            st.badge("stopping", icon=":material/stop:", color="gray")
        current = shared.store.current_run()
        elsewhere = current is not None and current.id != run.id and current.state.is_active
        if current and elsewhere and st.button(f"Watch {current.id} live", icon=":material/visibility:"):
            visit().run_id = current.id
            st.rerun()
    st.progress(min(1.0, run.step / run.config.iterations), text=_progress_text(shared, run))
    if run.state.is_ended and run.message:
        problem = run.state in (RunState.FAILED, RunState.DIVERGED, RunState.INTERRUPTED)
        (st.error if problem else st.info)(plain(run.message))


def _progress_text(shared: Services, run: Run) -> str:
    """Return step, speed and time left in words."""
    steps = f"step {run.step:,} of {run.config.iterations:,}"
    speed = shared.curves.curve(run.id).steps_per_second()
    if run.state is RunState.QUEUED:
        return f"{steps}, waiting for its turn"
    if run.state is RunState.PREPARING or (run.message and run.state.is_active):
        return f"{steps}, {plain(run.message)[:1].lower()}{plain(run.message)[1:]} …"
    if run.state is RunState.TRAINING and speed:
        left = duration((run.config.iterations - run.step) / speed)
        cores = f" on {run.cores} core{'s' if run.cores != 1 else ''}" if run.cores else ""
        return f"{steps}, {speed:,.0f} steps/s{cores}, {left} left"
    return f"{steps}, {duration(run.seconds)} of training"
