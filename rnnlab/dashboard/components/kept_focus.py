"""Keeps the focus of somebody who uses keys near where it was if what had it goes."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "rnnlab_kept_focus", html="", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def kept_focus(key: str) -> None:
    """Render the component, which shows nothing; `key` is its widget key."""
    _component(data=None, key=key)
