"""The buttons of the run on show: pause, resume, step, stop, train further, adjust; and the queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace

import streamlit as st

from rnnlab import memory
from rnnlab.changes import CHANGEABLE
from rnnlab.config import HYPERPARAMETERS, ConfigError, Value
from rnnlab.runs import REPORT_EVERY, Run, RunState
from rnnlab.settings import RefusalError, Settings
from rnnlab.views import problems
from rnnlab.views.controls import hyperparameter_control
from rnnlab.views.services import Services, services
from rnnlab.views.session import ask, visit
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
    control, state = shared.store.control, run.state
    has_checkpoint = shared.store.checkpoint_path(run.id).exists()
    can_go_on = has_checkpoint or run.step <= 1  # without one, a run that has hardly begun begins anew
    pauses, stopping = state is RunState.PAUSED or run.is_pausing, run.stop_requested
    # Everything has a place of its own, empty or not: what moves is closed, and what was typed is lost.
    if state in (RunState.PREPARING, RunState.TRAINING) and not pauses:
        _button("Pause", "pause", control.pause, run, disabled=stopping, shortcut="P")
    elif pauses or (state.can_resume and can_go_on):
        _button("Resume", "play_arrow", control.resume, run, disabled=stopping, shortcut="P")
    else:
        st.empty()
    if state.is_active:
        _button("Step", "skip_next", control.step, run, disabled=stopping or not pauses, shortcut="N")
        _button("Stop", "stop", control.stop, run, disabled=stopping)
    else:
        st.empty()
        st.empty()
    if state.can_train_further and has_checkpoint:
        _further(run, shared.settings)
    else:
        st.empty()
    if state.is_active or ((state.can_resume or state.can_train_further) and has_checkpoint):
        _adjust(run)
    else:
        st.empty()
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
        args=(wish, run.id, label == "Resume"),
    )


def _ask(wish: Callable[[str], None], run_id: str, queues: bool = False) -> None:
    """Ask something of a run; what cannot be is said on the page.

    Args:
        wish: Does it.
        run_id: The run.
        queues: Whether a run that has ended then waits again, as a new one would.
    """
    shared = services()
    ask()
    with problems.noted(), shared.placing if queues else nullcontext():
        run = shared.store.run(run_id)
        if not shared.settings.may_control(run, visitor()):
            return
        if queues and run.state.is_ended:
            refusal = shared.settings.no_place(shared.store.active_runs(), visitor())
            if refusal:
                raise RefusalError(refusal)
        wish(run_id)
        shared.launcher.wake()


def _further(run: Run, settings: Settings) -> None:
    """Draw what gives a run that has ended more iterations."""
    left = run.iterations - run.step
    with st.popover("Train further", icon=":material/fast_forward:", help="Goes on with the same run."):
        room = min(int(HYPERPARAMETERS["iterations"].maximum or 0), settings.max_iterations) - run.step
        least = min(REPORT_EVERY, left) if left > 0 else REPORT_EVERY
        if room < least:
            st.caption("This run has as many iterations as a run may have.")
            return
        more = st.number_input(
            "more iterations (steps)",
            least,
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
            args=(lambda run_id: services().store.control.train_further(run_id, int(more)), run.id, True),
        )


def _adjust(run: Run) -> None:
    """Draw what changes learning rate and batch size of a run that has begun."""
    shown = {name: run.requested.get(name, getattr(run.config_now, name)) for name in _IN_REACH}
    with st.popover("Adjust", icon=":material/tune:", help="Other values from the next report on."):
        values = {
            name: hyperparameter_control(
                HYPERPARAMETERS[name],
                # A new one after every change, whoever made it: the controls show what is, not what was.
                key=f"adjust_{name}_{run.id}_{len(run.changes)}_{visit().adjusted}_{sorted(run.requested.items())}",
                value=value,
            )
            for name, value in shown.items()
        }
        new = {name: value for name, value in values.items() if value != shown[name]}
        st.button(
            "Apply",
            type="primary",
            icon=":material/check:",
            key="adjust_apply",
            disabled=not new,
            on_click=_ask,
            args=(lambda run_id: _change(run_id, new), run.id),
        )


def _change(run_id: str, values: Mapping[str, Value]) -> None:
    """Ask for other hyperparameters, if what they take more fits into the memory there is.

    Raises:
        ConfigError: It does not, or a value cannot be used.
    """
    store = services().store
    run = store.run(run_id)
    if short := memory.shortage(replace(run.config_now, **values), instead_of=run.config_now):  # type: ignore[arg-type]
        raise ConfigError(short)
    store.control.change(run_id, values)
    visit().adjusted += 1


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
