"""The pen for people without a mouse: a surface on the canvas on which the arrow keys draw."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_HERE = Path(__file__)

_component = st.components.v2.component(
    "rnnlab_key_pen",
    html=_HERE.with_suffix(".html").read_text(encoding="utf-8"),
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=_HERE.with_suffix(".js").read_text(encoding="utf-8"),
)


def key_pen(pen_width: int, *, is_covered: bool, key: str) -> None:
    """Render the surface, which takes the focus but no pointer.

    Args:
        pen_width: Width of the pen, in pixels of the canvas.
        is_covered: Whether something else is shown instead of the drawing; then nothing can be drawn.
        key: Widget key of the component.
    """
    _component(data={"pen_width": pen_width, "is_covered": is_covered}, key=key)
