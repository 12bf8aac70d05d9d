"""Popovers that work with the keyboard alone; there is nothing to show."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st

CLOSES_POPOVER: Final = "closes_popover"
"""How the widget key of something in a popover begins. If it becomes another one, the popover closes.

Streamlit can close a popover from the server, too, but not one that was opened a moment ago, and an answer
that comes late would open or close it again.
"""

_component = st.components.v2.component(
    "rnnlab_popovers", html="", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def popovers(key: str) -> None:
    """Lead the focus into popovers that a key opens, and close those that have served."""
    _component(key=key)
