"""The buttons of the run on show: pause, resume, step, stop, train further, adjust; and the queue."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from rnnlab.changes import CHANGEABLE
from rnnlab.config import HYPERPARAMETERS, ConfigError
from rnnlab.database import StoreError
from rnnlab.runs import REPORT_EVERY, Run, RunState
from rnnlab.settings import Settings
from rnnlab.views.controls import hyperparameter_control
from rnnlab.views.services import Services, services
from rnnlab.views.session import visit
from rnnlab.views.text import plain
from rnnlab.views.visitor import visitor

_MORE_STEPS = 5_000
"""Offered to a run that has made all its steps."""

_IN_REACH = tuple(name for name in CHANGEABLE if name != "iterations")
"""Hyperparameters that are changed by hand; iterations are added by training further."""


def draw(shared: Services, run: Run) -> None:
    """Draw the buttons that make sense for a run now.

    Args:
        shared: What all visitors share.
        run: As the store knows it now.
    """
    if not shared.settings.may_control(run, visitor()):
        mine = (
            "Watching only"
            if shared.settings.read_only
            else "Started by somebody else, or in another browser, which controls it"
        )
        st.caption(f"{mine}.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="transport"):
        control, state = shared.store.control, run.state
        has_checkpoint = shared.store.checkpoint_path(run.id).exists()
        pauses, stopping = state is RunState.PAUSED or run.is_pausing, run.stop_requested
        if state in (RunState.PREPARING, RunState.TRAINING) and not pauses:
            _button("Pause", "pause", control.pause, run, disabled=stopping, shortcut="P")
        if pauses or (state.can_resume and has_checkpoint):
            _button("Resume", "play_arrow", control.resume, run, disabled=stopping, shortcut="P")
        if state.is_active:
            _button("Step", "skip_next", control.step, run, disabled=stopping or not pauses, shortcut="N")
            _button("Stop", "stop", control.stop, run, disabled=stopping)
        if state.can_train_further and has_checkpoint:
            _further(run, shared.settings)
        if state.is_active or has_checkpoint:
            _adjust(run)
        _queue(shared)


_HELP = {
    "Pause": "Waits after the next report and keeps everything as it is.",
    "Resume": "Goes on exactly where it was.",
    "Step": "In a pause: trains 20 iterations, one report, and pauses again.",
    "Stop": "Ends the run on show within 20 steps and keeps what it has learned.",
}


def _button(
    label: str,
    icon: str,
    wish: Callable[[str], None],
    run: Run,
    *,
    disabled: bool,
    shortcut: str | None = None,
) -> None:
    """Draw a button that asks something of a run."""
    st.button(
        label,
        icon=f":material/{icon}:",
        key=f"run_{label.lower()}",
        help=_HELP[label],
        disabled=disabled,
        shortcut=shortcut,
        on_click=_ask,
        args=(wish, run.id),
    )


def _ask(wish: Callable[[str], None], run_id: str) -> None:
    """Ask something of a run; what cannot be is said on the page."""
    shared = services()
    try:
        if shared.settings.may_control(shared.store.run(run_id), visitor()):
            wish(run_id)
    except (ConfigError, StoreError) as error:
        visit().problems.append(str(error))
    shared.launcher.wake()


def _further(run: Run, settings: Settings) -> None:
    """Draw what gives a run that has ended more iterations."""
    left = run.iterations - run.step
    with st.popover("Train further", icon=":material/fast_forward:", help="Goes on with the same run."):
        room = min(int(HYPERPARAMETERS["iterations"].maximum or 0), settings.max_iterations) - run.step
        if room < REPORT_EVERY:
            st.caption("This run has as many iterations as a run may have.")
            return
        more = st.number_input(
            "more iterations (steps)",
            REPORT_EVERY,
            room,
            min(room, left if left > 0 else _MORE_STEPS),
            step=1000,
            key=f"further_{run.id}_{run.step}",
        )
        st.button(
            "Go on",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_ask,
            args=(lambda run_id: services().store.control.train_further(run_id, int(more)), run.id),
        )


def _adjust(run: Run) -> None:
    """Draw what changes learning rate and batch size of a run that has begun."""
    with st.popover("Adjust", icon=":material/tune:", help="Other values from the next report on."):
        values = {
            name: hyperparameter_control(
                HYPERPARAMETERS[name],
                key=f"adjust_{name}_{run.id}",
                value=run.requested.get(name, getattr(run.config_now, name)),
            )
            for name in _IN_REACH
        }
        new = {name: value for name, value in values.items() if value != getattr(run.config_now, name)}
        st.button(
            "Apply",
            type="primary",
            icon=":material/check:",
            key="adjust_apply",
            disabled=not new or new == dict(run.requested),
            on_click=_ask,
            args=(lambda run_id: services().store.control.change(run_id, new), run.id),
        )


def _queue(shared: Services) -> None:
    """Draw the runs that wait for their turn, each with a button that removes it."""
    waiting = shared.store.queue()
    if not waiting:
        return
    with st.popover(f"Queue: {len(waiting)}", icon=":material/hourglass_empty:", help="Runs that wait."):
        for place, run in enumerate(waiting, start=1):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"{place}\\. **{plain(run.id)}**", width="content")
                if not shared.settings.may_control(run, visitor()):
                    continue
                st.button(
                    "Remove",
                    icon=":material/close:",
                    key=f"unqueue_{run.id}",
                    on_click=_ask,
                    args=(shared.store.control.stop, run.id),
                    help=f"Takes {run.id} out of the queue; what it has learned is kept.",
                )
