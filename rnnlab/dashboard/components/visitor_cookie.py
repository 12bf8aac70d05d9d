"""The cookie by which a browser is known. Only JavaScript in the browser can set it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "rnnlab_visitor", html="", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def set_visitor_cookie(secret: str) -> None:
    """Have the browser keep the secret by which it is known, for a year.

    Args:
        secret: Hexadecimal digits that this browser alone knows.
    """
    _component(data={"secret": secret}, key="lasting_cookie")
