"""The switch that has a run read with the weights of its best test, not with its newest ones."""

from __future__ import annotations

import streamlit as st

from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.session import mark_user_action, session
from rnnlab.dashboard.text import percent
from rnnlab.runs import Run

_HELP = (
    "A run keeps the weights with which it read the test set best. Those of its last step may read a little "
    "worse. It goes on learning from its last ones."
)


def render(run: Run, newest: int | None) -> None:
    """Render the switch, if there are weights of a best test and they are not the newest ones.

    Args:
        run: The run on show.
        newest: The step of its newest weights, or `None` if these cannot be read.
    """
    best = app_state().store.files(run.id).best.newest()
    if best is None or best[1] == newest:
        return
    _, step = best
    accuracies = {test.step: test.accuracy for test in app_state().store.tests(run.id)}
    read = f", {percent(accuracies[step], 2)} of the test set" if step in accuracies else ""
    key = f"best_of_{run.id}"

    def choose() -> None:
        session().best_of = run.id if st.session_state[key] else ""
        mark_user_action()

    st.toggle(
        f"Best weights: step {step:,}{read}",
        is_on(run),
        key=key,
        on_change=choose,
        persist_state="session",
        help=_HELP,
    )


def is_on(run: Run) -> bool:
    """Return whether the visitor wants the run to read with its best weights."""
    return session().best_of == run.id
