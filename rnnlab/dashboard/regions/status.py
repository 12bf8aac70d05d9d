"""The status above everything else: what is happening right now.

Its height is the same for every state of a run (set in style.css), because the canvas is below it. What needs
more room than a line is said elsewhere.
"""

from __future__ import annotations

import html

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from rnnlab.config_changes import Change
from rnnlab.dashboard.address import render_again
from rnnlab.dashboard.app_state import AppState
from rnnlab.dashboard.charts.training_curve import describe_change
from rnnlab.dashboard.regions import run_buttons, sidebar
from rnnlab.dashboard.session import session
from rnnlab.dashboard.settings_text import ENGINE_NAMES, what_differs
from rnnlab.dashboard.text import BATCH_ACCURACY_HELP, STATE_BADGES, Colour, duration, percent, plain
from rnnlab.data.reading_words import ReadingWords
from rnnlab.runs import Run, RunState


def render(shared: AppState, run: Run) -> None:
    """Render the status of a run."""
    line = _line()
    with line.container(key="status_words"):
        _words(shared, run)
    _accuracies(line, run.batch_accuracy, run.test_accuracy)


def render_before_a_run(shared: AppState) -> None:
    """Render the status before there is any run, or while settings from the address wait for Start."""
    line, current = _line(), shared.store.current_run()
    config = sidebar.config()
    with line.container(key="status_words"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="status_name"):
            words = "No network has been trained yet" if current is None else "These settings are ready"
            st.markdown(f"**{words}**", width="content")
            _link_to_current(current, None)
        _settings(Run("", config, RunState.QUEUED, created=0.0))
        with st.container(horizontal=True, vertical_alignment="center", key="transport"):
            if shared.permissions.read_only:
                st.caption("Watching only.")
            else:
                label = "Start the first run" if current is None else "Start with these settings"
                sidebar.start_button(st.container(), label, key="start_first", wide=False)
        part = ReadingWords(config.reading_order).part
        st.progress(0.0, text=f"It learns to read digits {part} by {part}.")
    _accuracies(line, None, None)


def _line() -> DeltaGenerator:
    """Return the container of the words and the two accuracies."""
    return st.container(horizontal=True, vertical_alignment="center", gap="medium", key="status")


def _accuracies(line: DeltaGenerator, batch: float | None, test: float | None) -> None:
    """Render the two accuracies, from 0 to 1 or `None` before there are any."""
    line.metric(
        "batch accuracy",
        percent(batch),
        width="content",
        help=BATCH_ACCURACY_HELP,
    )
    line.metric(
        "test accuracy",
        percent(test),
        width="content",
        help="Share of all test images read correctly: digits that the network never learns from.",
    )


def _words(shared: AppState, run: Run) -> None:
    """Render name, state, buttons, progress and speed."""
    word, icon, colour = _badge(run)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="status_name"):
        st.markdown(f"**{plain(run.id)}**", width="content")
        st.badge(word, icon=icon, color=colour)
        _link_to_current(shared.store.current_run(), run)
    _settings(run)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="transport"):
        run_buttons.render(shared, run)
    st.progress(min(1.0, run.step / run.iterations), text=_progress_text(shared, run))


def _link_to_current(current: Run | None, on_show: Run | None) -> None:
    """Render a button that shows the run that trains now or, if none is on show, the newest one."""
    if current is None or (on_show and (on_show.id == current.id or not current.state.is_active)):
        return
    label = "Watch live" if current.state.is_active else "Show the last run"
    # Its key has the name of the run: a press must not show another one that has begun meanwhile.
    if st.button(label, icon=":material/visibility:", help=current.id, key=f"watch_{current.id}"):
        session().run_id = current.id
        render_again()


def _settings(run: Run) -> None:
    """Render what a run is trained with in one line; whoever points at it, taps it or tabs to it sees all."""
    text = html.escape(f"preset {what_differs(run)}")
    with st.container(key="status_settings"):
        st.html(f'<p class="rnnlab-settings" tabindex="0">{text}</p>')


def render_how_it_ended(run: Run) -> None:
    """Render the message of a run that has ended, if there is one."""
    if run.state.is_ended and run.message:
        problem = run.state in (RunState.FAILED, RunState.DIVERGED, RunState.INTERRUPTED)
        (st.error if problem else st.info)(plain(run.message))


def _badge(run: Run) -> tuple[str, str, Colour]:
    """Return how the state of a run is shown, or the request that it is about to carry out."""
    if run.stop_requested and run.state.is_active:
        return "stopping", ":material/stop:", "gray"
    if run.is_pausing:
        return "pausing", ":material/pause:", "gray"
    if run.is_going_on:
        return "going on", ":material/play_arrow:", "gray"
    return STATE_BADGES[run.state]


def _progress_text(shared: AppState, run: Run) -> str:
    """Return step, speed and time left in words."""
    steps = f"step {run.step:,} of {run.iterations:,}"
    speed = shared.curves.curve(run.id).steps_per_second()
    if run.requested:
        requested = ", ".join(describe_change(Change(run.step, *item)) for item in run.requested.items())
        return f"{steps}, requested: {requested} {run_buttons.when_it_counts(run)}"
    if run.state is RunState.QUEUED:
        return f"{steps}, {_place_in_queue(shared, run)}"
    if run.state is RunState.PAUSED:
        return f"{steps}, everything is saved until it is resumed"
    if run.state is RunState.PREPARING or (run.message and run.state.is_active):
        return f"{steps}, {plain(run.message)[:1].lower()}{plain(run.message)[1:]} …"
    if run.state is RunState.TRAINING and speed:
        left = (run.iterations - run.step) / speed
        if run.config_now.minutes:
            left = min(left, run.config_now.minutes * 60 - run.seconds)
        return f"{steps}, {speed:,.0f} steps/s{_computed_by(run)}, {duration(left)} left"
    return f"{steps}, {duration(run.seconds)} of training"


def _computed_by(run: Run) -> str:
    """Return in words which engine trains a run on how many cores; empty until known."""
    engine = f" with {ENGINE_NAMES[run.engine]}" if run.engine in ENGINE_NAMES else ""
    return f"{engine} on {run.cores} core{'s' if run.cores != 1 else ''}" if run.cores else engine


def _place_in_queue(shared: AppState, run: Run) -> str:
    """Return in words how many runs come before one that waits."""
    ids = [waiting.id for waiting in shared.store.queue()]
    ahead = ids.index(run.id) if run.id in ids else 0
    return "waiting for its turn" if not ahead else f"waiting behind {ahead} other{'s' if ahead > 1 else ''}"
