"""Shows what came of a press in the sidebar, which on a phone lies over the page: closes it there."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "rnnlab_sidebar_answer", html="", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def sidebar_answer(page: str, answered: int, *, is_refused: bool, key: str) -> None:
    """Close the sidebar, if it lies over the page, once another page or the answer to Start is there.

    Args:
        page: The path of the page on show.
        answered: How many presses of Start have been answered during the visit.
        is_refused: Whether the last of them started nothing, so that the page says why.
        key: Widget key of the component.
    """
    _component(data={"page": page, "answered": answered, "is_refused": is_refused}, key=key)
