"""A switch for the keyboard shortcuts, which the browser remembers; it also says which keys count at all."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st

START: Final = "S"
"""Starts a run."""

PAUSE: Final = "P"
"""Pauses the run on show, or resumes it."""

STEP: Final = "N"
"""Makes a single step in a pause."""

DIGIT_KEYS: Final = tuple("0123456789")
"""Keep the drawing as that digit, while the visitor teaches."""

_HERE = Path(__file__)

_component = st.components.v2.component(
    "rnnlab_shortcut_switch",
    html=_HERE.with_suffix(".html").read_text(encoding="utf-8"),
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=_HERE.with_suffix(".js").read_text(encoding="utf-8"),
)


def shortcut_switch(key: str) -> None:
    """Render the switch; `key` is the widget key of the component."""
    keys = [START, PAUSE, STEP]
    _component(data={"keys": [*keys, *DIGIT_KEYS], "names": ", ".join([*keys, "0 to 9"])}, key=key)
