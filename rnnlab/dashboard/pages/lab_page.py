"""The Lab page: status, curve and drawing on one screen."""

from __future__ import annotations

import streamlit as st

from rnnlab.dashboard import visitor
from rnnlab.dashboard.address import read_digit, read_settings, run_on_show
from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.regions import drawing_pad, live, messages, sidebar
from rnnlab.dashboard.session import mark_user_action


def render() -> None:
    """Render the page."""
    mark_user_action()
    app_state().reap()
    visitor.remember_visitor()
    read_settings()
    run = run_on_show(unless_prepared=True)
    read_digit(run)
    with st.sidebar:
        sidebar.render(run)
    # The drawing is last and the others are always there: if its place among its neighbours changed,
    # Streamlit would create the canvas anew, empty.
    with st.container(key="lab"):
        messages.render()
        live.render(run)
        with st.container(key="lab_drawing"):
            drawing_pad.render(run)
