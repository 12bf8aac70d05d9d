"""The buttons of the run on show: pause, resume, step, stop, train further, adjust; and the queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

import streamlit as st

from rnnlab.config import HYPERPARAMETERS
from rnnlab.config_changes import CHANGEABLE
from rnnlab.dashboard.app_state import AppState, app_state
from rnnlab.dashboard.components.shortcut_switch import PAUSE, STEP
from rnnlab.dashboard.components.shown_part import is_shown
from rnnlab.dashboard.permissions import Permissions, RefusalError
from rnnlab.dashboard.regions import messages
from rnnlab.dashboard.regions.sidebar import hyperparameter_control, value_at_press
from rnnlab.dashboard.session import mark_user_action, session
from rnnlab.dashboard.settings_text import describe_setting, what_tells_apart
from rnnlab.dashboard.text import plain
from rnnlab.dashboard.visitor import visitor
from rnnlab.hyperparameter import ConfigError, Value
from rnnlab.runs import REPORT_EVERY, Run, RunState
from rnnlab.training.memory_needed import shortage

_MORE_STEPS = 5_000
"""Further steps offered by default for a run that has made all its steps."""

ADJUST_KEY = "adjust_is_shown"
"""Widget key of the component that knows whether what Adjust contains is on show."""

_IN_REACH = tuple(name for name in CHANGEABLE if name != "iterations")
"""Hyperparameters under Adjust; iterations are added under Train further."""


def render(shared: AppState, run: Run) -> None:
    """Render the buttons that make sense for a run as it is now."""
    if not shared.permissions.may_change(run, visitor()):
        reason = (
            "Watching only"
            if shared.permissions.read_only
            else "Started by somebody else or in another browser, so it cannot be changed here"
        )
        st.caption(f"{reason}.")
        return
    has_checkpoint = shared.store.files(run.id).checkpoint.exists()
    # Everything has a fixed place, even if empty: a popover that moves is closed, and its input is lost.
    # They rest for a moment after Start: the second click of a double click would be on one of them.
    is_resting = session().has_just_started and session().run_id == run.id and run.state.is_active
    for button in buttons_for(run, has_checkpoint=has_checkpoint):
        _button(replace(button, disabled=button.disabled or is_resting), run) if button else st.empty()
    if run.state.can_train_further and has_checkpoint:
        _further(run, shared.permissions)
    else:
        st.empty()
    if can_be_adjusted(run, has_checkpoint=has_checkpoint):
        _adjust(run)
    else:
        st.empty()
    _queue(shared)


@dataclass(frozen=True)
class Button:
    """A button that sends a request to a run.

    Attributes:
        label: What is written on it.
        icon: Its icon, as Material Symbols name it.
        request: The name of a method of `RunRequests`.
        help: What it does, in a sentence.
        disabled: Whether it cannot be pressed now.
        shortcut: The key on the keyboard that also presses it, if any.
        requeues: Whether the request puts a run that has ended into the queue again, like a new run.
    """

    label: str
    icon: str
    request: str
    help: str
    disabled: bool = False
    shortcut: str | None = None
    requeues: bool = False


_PAUSE = Button(
    "Pause", "pause", "pause", "Waits after the next report and saves everything as it is.", shortcut=PAUSE
)
_RESUME = Button(
    "Resume", "play_arrow", "resume", "Continues exactly where it was.", shortcut=PAUSE, requeues=True
)
_STEP = Button(
    "Step",
    "skip_next",
    "step",
    "In a pause: trains 20 iterations, one report, and pauses again.",
    shortcut=STEP,
)
_STOP = Button("Stop", "stop", "stop", "Ends the run on show within 20 steps and keeps what it has learned.")


def buttons_for(run: Run, *, has_checkpoint: bool) -> tuple[Button | None, Button | None, Button | None]:
    """Return the buttons that make sense for a run: pause or resume, step, stop; `None` for none.

    Args:
        run: The run.
        has_checkpoint: Whether it has a checkpoint to resume from. A run that has hardly begun starts again
            without one.
    """
    pauses = run.state is RunState.PAUSED or run.is_pausing
    first = step = stop = None
    if run.state in (RunState.PREPARING, RunState.TRAINING) and not pauses:
        first = replace(_PAUSE, disabled=run.stop_requested)
    elif pauses or (run.state.can_resume and (has_checkpoint or run.step <= 1)):
        first = replace(_RESUME, disabled=run.stop_requested and run.state.is_active)
    if run.state.is_active:
        step = replace(_STEP, disabled=run.stop_requested or not pauses)
        stop = replace(_STOP, disabled=run.stop_requested)
    return first, step, stop


def can_be_adjusted(run: Run, *, has_checkpoint: bool) -> bool:
    """Return whether hyperparameters can be changed: the run is active, or could be continued."""
    can_go_on = run.state.can_resume or run.state.can_train_further
    return run.state.is_active or (can_go_on and has_checkpoint)


def _button(button: Button, run: Run) -> None:
    """Render a button."""
    st.button(
        button.label,
        icon=f":material/{button.icon}:",
        key=f"run_{button.label.lower()}",
        help=button.help,
        disabled=button.disabled,
        shortcut=button.shortcut,
        on_click=_ask,
        args=(getattr(app_state().store.requests, button.request), run.id, button.requeues),
    )


def _ask(request: Callable[[str], None], run_id: str, requeues: bool = False) -> None:
    """Send a request to a run; if that is not possible, the page says why.

    Args:
        request: Sends the request, given the run's id.
        run_id: The run.
        requeues: Whether the request puts a run that has ended into the queue again, like a new run.
    """
    shared = app_state()
    mark_user_action()
    with messages.collect_errors(), shared.start_lock if requeues else nullcontext():
        run = shared.store.run(run_id)
        if not shared.permissions.may_change(run, visitor()):
            return
        if requeues and run.state.is_ended:
            refusal = shared.permissions.queue_refusal(shared.store.active_runs(), visitor())
            if refusal:
                raise RefusalError(refusal)
        request(run_id)
        shared.launcher.wake()


def _further(run: Run, permissions: Permissions) -> None:
    """Render the popover that gives a run that has ended more iterations."""
    left = run.iterations - run.step
    with st.popover("Train further", icon=":material/fast_forward:", help="Continues the same run."):
        room = min(int(HYPERPARAMETERS["iterations"].maximum or 0), permissions.max_iterations) - run.step
        least = min(REPORT_EVERY, left) if left > 0 else REPORT_EVERY
        if room < least:
            st.caption("This run has as many iterations as a run may have.")
            return
        if rule := run.spent_rule:
            setting = describe_setting(rule, getattr(run.config_now, rule))
            st.caption(
                f"What ended it, **{setting}**, no longer counts then. Adjust can give it another value."
            )
        key = f"further_{run.id}_{run.step}"
        st.number_input(
            "more iterations (steps)",
            least,
            room,
            min(room, left if left > 0 else _MORE_STEPS),
            step=1000,
            key=key,
        )
        st.button(
            "Go on",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_ask,
            # The number that comes with the press, which may be newer than the rendered one.
            args=(
                lambda run_id: app_state().store.requests.train_further(run_id, int(st.session_state[key])),
                run.id,
                True,
            ),
        )


def _adjust(run: Run) -> None:
    """Render the popover that changes hyperparameters of a run that has begun.

    While it is closed it is empty: its controls would be a quarter of what an update of the page costs.
    """
    popover = st.popover(
        "Adjust",
        icon=":material/tune:",
        help="Another learning rate or batch size, or when it is to end.",
        key="adjust",
    )
    with popover:
        if not is_shown(ADJUST_KEY, mark_user_action):
            return
    shown = {name: run.requested.get(name, getattr(run.config_now, name)) for name in _IN_REACH}
    # New keys after every change, whoever made it, so that the controls show the new values.
    turn = f"{run.id}_{len(run.changes)}_{session().adjusted}_{sorted(run.requested.items())}"
    keys = {name: f"adjust_{name}_{turn}" for name in shown}
    with popover:
        st.caption(f"Counts {when_it_counts(run)}.")
        values = {
            name: hyperparameter_control(HYPERPARAMETERS[name], keys[name], value)
            for name, value in shown.items()
        }
        st.button(
            "Apply",
            type="primary",
            icon=":material/check:",
            key="adjust_apply",
            disabled=values == shown,
            on_click=_ask,
            args=(lambda run_id: _change(run_id, _new_values(shown, keys)), run.id),
        )


def _new_values(shown: Mapping[str, Value], keys: Mapping[str, str]) -> dict[str, Value]:
    """Return the values that come with a press, which may be newer than the rendered ones, if they differ.

    Raises:
        ConfigError: One is no value of its hyperparameter.
    """
    values = {name: value_at_press(HYPERPARAMETERS[name], key) for name, key in keys.items()}
    return {name: value for name, value in values.items() if value != shown[name]}


def when_it_counts(run: Run) -> str:
    """Return from when on a change of hyperparameters counts, in words."""
    if run.state.can_train_further:
        return "when it is trained further"
    if run.state.can_resume and not run.is_going_on:
        return "when it is resumed"
    return "as soon as it begins" if run.state is RunState.QUEUED else "from the next report on"


def _change(run_id: str, values: Mapping[str, Value]) -> None:
    """Ask for other hyperparameters, if there is enough memory for them.

    Raises:
        ConfigError: There is not enough memory, or a value cannot be used.
    """
    store = app_state().store
    run = store.run(run_id)
    if short := shortage(replace(run.config_now, **values), instead_of=run.config_now):  # type: ignore[arg-type]
        raise ConfigError(short)
    store.requests.change(run_id, values)
    session().adjusted += 1


def _queue(shared: AppState) -> None:
    """Render the runs that wait for their turn, each with a button that removes it."""
    waiting = shared.store.queue()
    if not waiting:
        return
    settings = what_tells_apart(waiting)
    with st.popover(f"Queue: {len(waiting)}", icon=":material/hourglass_empty:", help="Runs that wait."):
        for place, run in enumerate(waiting, start=1):
            with st.container(horizontal=True, vertical_alignment="center"):
                text = f"{place}\\. **{plain(run.id)}**: {plain(settings[run.id])}"
                st.markdown(text, width="content")
                if not shared.permissions.may_change(run, visitor()):
                    continue
                st.button(
                    "Remove",
                    icon=":material/close:",
                    key=f"unqueue_{run.id}",
                    on_click=_ask,
                    args=(shared.store.requests.stop, run.id),
                    help=f"Takes {run.id} out of the queue; what it has learned is kept.",
                )
