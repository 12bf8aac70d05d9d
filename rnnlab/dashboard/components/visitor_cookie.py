"""The cookie by which a browser is known, and its copy in the browser's storage; JavaScript sets both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import streamlit as st

_KEY: Final = "lasting_cookie"

_component = st.components.v2.component(
    "rnnlab_visitor", html="", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def set_visitor_cookie(
    secret: str, *, is_answered: bool, on_known: Callable[[object], None], on_forgotten: Callable[[], None]
) -> None:
    """Have the browser keep the secret by which it is known, for a year.

    Args:
        secret: Hexadecimal digits that this browser alone knows.
        is_answered: Whether one of the two has been called before.
        on_known: Called with another secret, as the browser sends it, if its storage has one.
        on_forgotten: Called if the browser keeps the secret neither as a cookie nor in its storage.
    """
    _component(
        data={"secret": secret, "is_answered": is_answered},
        key=_KEY,
        on_known_change=lambda: on_known((st.session_state.get(_KEY) or {}).get("known")),
        on_forgotten_change=on_forgotten,
    )
