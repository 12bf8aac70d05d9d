"""Controls that the page sets, too: a click that was on its way brings back none of the values of before.

With each click a browser sends the values of all controls. What it sends before it has heard that the page
has set one of them (a preset was chosen, the field beside a slider was filled in) would set that one back. So
a control has a value of its own in the state of the session, and its widget gets another key each time the
page sets it: what comes for an older key does not count.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from rnnlab.dashboard.session import session


def control_key(name: str) -> str:
    """Return the key of the sidebar's control of a hyperparameter."""
    return f"control_{name}"


def widget_key(key: str) -> str:
    """Return the key of a control's widget at present, which begins with the control's."""
    count = session().set_controls.get(key, 0)
    return f"{key}_{count}" if count else key


def value(key: str, default: Any) -> Any:
    """Return the value of a control; before it has one, the default."""
    return st.session_state.get(_value_key(key), default)


def set_value(key: str, to: object) -> None:
    """Set a control from now on, unless it shows that value already."""
    st.session_state[_value_key(key)] = to
    if st.session_state.get(widget_key(key), to) != to:
        session().set_controls[key] = session().set_controls.get(key, 0) + 1


def receive(key: str) -> None:
    """Take over what the visitor has set a control to; the callback of its widget."""
    if widget_key(key) in st.session_state:
        st.session_state[_value_key(key)] = st.session_state[widget_key(key)]


def _value_key(key: str) -> str:
    return f"{key}_value"
