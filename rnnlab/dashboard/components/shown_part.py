"""Knows whether a part of the page is on show, such as what a popover contains; there is nothing to show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "rnnlab_shown_part", html="", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def is_shown(key: str, on_change: Callable[[], None]) -> bool:
    """Render the component, and return whether it is on show.

    A popover that told the server itself whether it is open would be told by the server, too: an answer that
    comes late would open or close it again.

    Args:
        key: Its widget key.
        on_change: Called when it comes into view, and when it goes.
    """
    return bool(_component(key=key, on_is_shown_change=on_change).is_shown)
