"""What a browser tab keeps by itself: its address, and values in its session storage.

Session storage belongs to one tab and to the page's own origin, and ends with the tab. Only JavaScript in the
browser can read and write it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import streamlit as st

_component = st.components.v2.component(
    "rnnlab_tab", html="", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


class PageAddress(TypedDict):
    """What the address of a page says.

    Attributes:
        query: The URL parameters.
        names: All parameters that are the lab's own; those that are not in `query` are removed.
        asked: The run that the URL named when the page was asked for, or `None`.
        is_history: Whether another run makes an entry in the browser's history, to which Back returns.
    """

    query: dict[str, str]
    names: list[str]
    asked: str | None
    is_history: bool


class TabMemory(TypedDict):
    """What a tab is to keep.

    Attributes:
        session: The name of the session that renders this; what was kept for another is handed over first.
        has_taken_over: Whether this session has what was handed over to it.
        values: What to keep, by name; what was kept under other names stays.
        page: What the address says. Only a part of the page that has one asks for what was kept.
    """

    session: str
    has_taken_over: bool
    values: dict[str, Any]
    page: NotRequired[PageAddress]


def tab_memory(memory: TabMemory, *, key: str, on_found: Callable[[], None] = lambda: None) -> None:
    """Have the tab keep something.

    Args:
        memory: What to keep.
        key: Widget key of the component.
        on_found: Called if the tab has kept something for a session that is gone; `found` returns it.
    """
    _component(data=memory, key=key, on_found_change=on_found)


def found(key: str) -> object:
    """Return what the component has just handed over, as a browser sent it: `address` and `values`."""
    return (st.session_state.get(key) or {}).get("found")
