"""The pen: collects strokes of fingers, pens and mouse in the browser and hands them to the canvas.

It has nothing to show. What it does, and why the canvas needs it, stands in its JavaScript.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from rnnlab.dashboard.session import mark_user_action

_component = st.components.v2.component(
    "rnnlab_pen_input", html="", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def pen_input(pen_width: int, key: str) -> None:
    """Collect strokes for the canvas.

    Args:
        pen_width: Width of the pen, in pixels of the canvas.
        key: Widget key of the component.
    """
    # It asks again if an answer was lost. It is enough that this part of the page then runs again.
    _component(data={"pen_width": pen_width}, key=key, on_again_change=mark_user_action)
