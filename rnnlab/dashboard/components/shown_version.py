"""Knows which version of something a visitor saw when they pressed something; there is nothing to show.

A press may be on its way when the server has rendered the next version, or that one may be.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "rnnlab_shown_version", html="", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def render_version(version: int, key: str) -> None:
    """Render the component after that which has versions; `key` is its widget key."""
    _component(data={"version": version}, key=key, on_version_change=lambda: None)


def shown_version(key: str) -> int | None:
    """Return the version that the browser showed at the last press, or `None` if it has not said so yet."""
    version = (st.session_state.get(key) or {}).get("version")
    return version if isinstance(version, int) else None
