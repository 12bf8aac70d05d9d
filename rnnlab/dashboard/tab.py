"""What a tab keeps through a reload, a sleep and a restarted server: its drawings, its pen, its settings.

The session of a visitor lives in the memory of the dashboard and ends with it, or some minutes after the
browser was last heard. The tab has a copy of what took work, and hands it to the next session.
"""

from __future__ import annotations

import base64
import binascii
import math
from contextlib import suppress
from typing import Any, Final

import streamlit as st

from rnnlab.config import HYPERPARAMETERS
from rnnlab.dashboard import address
from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.components.tab_memory import TabMemory, found, tab_memory
from rnnlab.dashboard.drawing import ClearedDrawing
from rnnlab.dashboard.session import PEN_KEY, PEN_WIDTHS, session
from rnnlab.store.database import StoreError

_PAGE_KEY: Final = "tab_page"

_SETTINGS: Final = ("preset", *HYPERPARAMETERS)
"""URL parameters that are settings."""

_ON_SHOW: Final = ("run", address.DIGIT)
"""URL parameters that say what is on show."""

_PNG_URL: Final = "data:image/png;base64,"

_MAX_POINTS: Final = 100_000
"""Most numbers that the strokes of a drawing may have; somebody who fills the canvas draws some thousands."""


def keep_page(key: str = _PAGE_KEY, *, is_history: bool = True) -> None:
    """Keep address and settings; if an earlier session of this tab is gone, ask for what it has kept.

    Args:
        key: Widget key, if a part of the page that is updated by itself changes the address.
        is_history: Whether another run on this page makes an entry in the browser's history.
    """
    remembered = session()
    query = {name: value for name, value in remembered.address.items() if name not in _ON_SHOW}
    query |= {name: remembered.address[name] for name in _ON_SHOW if name in remembered.address}  # last
    memory = _memory({} if remembered.settings is None else {"settings": remembered.settings})
    memory["page"] = {
        "query": query,
        "names": [*_SETTINGS, *_ON_SHOW],
        "asked": st.query_params.get("run"),
        "is_history": is_history,
    }
    tab_memory(memory, key=key, on_found=lambda: _take_over(key))


def keep_drawing() -> None:
    """Keep pen, drawing, and the drawing that was cleared."""
    drawing = session().drawing
    kept: dict[str, Any] | None = None
    if drawing.strokes and drawing.seen:
        picture = _PNG_URL + base64.b64encode(drawing.seen).decode("ascii")
        kept = {"picture": picture, "strokes": drawing.strokes}
    cleared = drawing.cleared and {"strokes": drawing.cleared.strokes, "kept": drawing.cleared.kept}
    values = {"drawing": kept, "cleared": cleared, "pen": st.session_state.get(PEN_KEY)}
    with st.container(key="kept_drawing"):
        tab_memory(_memory(values), key="tab_drawing")


def _memory(values: dict[str, Any]) -> TabMemory:
    """Return what the tab is to keep of these values."""
    remembered = session()
    return {"session": remembered.name, "has_taken_over": remembered.has_taken_over, "values": values}


def _take_over(key: str) -> None:
    """Take over what the tab has kept for an earlier session. What cannot be used is ignored."""
    remembered = session()
    if remembered.has_taken_over:
        return
    remembered.has_taken_over = True
    sent = found(key)
    there, values = _part(sent, "address"), _part(sent, "values")
    _take_over_address(_texts(there), _texts(_part(values, "settings")))
    pen, drawing = values.get("pen"), _part(values, "drawing")
    if isinstance(pen, int) and PEN_WIDTHS[0] <= pen <= PEN_WIDTHS[-1]:
        st.session_state[PEN_KEY] = pen
    picture, strokes = _picture_of(drawing), _strokes_of(drawing)
    if picture and strokes and not remembered.drawing.is_known:
        remembered.drawing.restore(picture, strokes)
    cleared = _part(values, "cleared")
    if (strokes := _strokes_of(cleared)) and not remembered.drawing.cleared:
        # Only a drawing of the visitor's own set can be taken out of it again, whatever id the browser sends.
        remembered.drawing.cleared = ClearedDrawing(strokes, kept=_texts(cleared).get("kept", ""))


def _take_over_address(there: dict[str, str], kept: dict[str, str]) -> None:
    """Take over run and settings, unless another address with settings was opened in the tab.

    Args:
        there: The URL parameters in the browser. The request that began this session may have had older ones.
        kept: The settings that the tab has kept.
    """
    opened = {name: there[name] for name in _SETTINGS if name in there}
    if kept and (not opened or opened == kept):
        session().url_read = True
        address.take_settings(kept)
    with suppress(StoreError):
        if "run" in there:
            session().run_id = app_state().store.find(there["run"]).id
        if address.DIGIT in there:
            address.show_digit(address.run_on_show(), there[address.DIGIT])


def _part(value: object, name: str) -> dict[str, Any]:
    """Return a part of what a browser sent, or an empty one."""
    part = value.get(name) if isinstance(value, dict) else None
    return part if isinstance(part, dict) else {}


def _texts(values: dict[str, Any]) -> dict[str, str]:
    """Return those values that are texts."""
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _picture_of(drawing: dict[str, Any]) -> bytes | None:
    """Return the picture of a kept drawing, or `None`."""
    url = drawing.get("picture")
    if not isinstance(url, str) or not url.startswith(_PNG_URL):
        return None
    try:
        return base64.b64decode(url.removeprefix(_PNG_URL), validate=True)
    except binascii.Error:
        return None


def _strokes_of(drawing: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the strokes of a kept drawing, or none if the canvas could not draw them all.

    Other objects of Fabric.js are refused: some load pictures from addresses, which a drawing never needs.
    """
    strokes = drawing.get("strokes")
    if not isinstance(strokes, list) or not all(_is_stroke(stroke) for stroke in strokes):
        return []
    count = sum(len(command) for stroke in strokes for command in stroke["path"])
    return strokes if count <= _MAX_POINTS else []


def _is_stroke(value: object) -> bool:
    """Return whether a value is a path of Fabric.js: `type`, `path` and plain properties."""
    if not isinstance(value, dict) or str(value.get("type")).lower() != "path":
        return False
    path, others = value.get("path"), [value[name] for name in value if name != "path"]
    return isinstance(path, list) and all(map(_is_command, path)) and all(map(_is_plain, others))


def _is_command(value: object) -> bool:
    """Return whether a value is a command of a path, such as `["L", 10.5, 20]`."""
    if not isinstance(value, list) or not value or value[0] not in ("M", "L", "Q", "C", "Z"):
        return False
    return all(isinstance(number, (int, float)) and math.isfinite(number) for number in value[1:])


def _is_plain(value: object) -> bool:
    """Return whether a value is a text, a number, a truth value or nothing."""
    return value is None or isinstance(value, (str, int, float))
