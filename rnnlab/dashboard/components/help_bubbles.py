"""Has the help of a button go when the button is pressed."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "rnnlab_help_bubbles", html="", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def help_bubbles(key: str) -> None:
    """Render the component, which shows nothing; `key` is its widget key."""
    _component(data=None, key=key)
