"""The drawings that a visitor has kept to teach a network with: how many there are, and which."""

from __future__ import annotations

import base64
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.session import mark_user_action, session
from rnnlab.dashboard.text import plain
from rnnlab.dashboard.visitor import visitor
from rnnlab.data.hand import Hand
from rnnlab.data.labelled_drawings import LabelledDrawing, LabelledDrawingError
from rnnlab.data.preprocessing import encode_png
from rnnlab.digits import with_article

GOOD_START: Final = 20
"""Drawings that make a good start: two of each digit."""

_MAX_SHOWN: Final = 60
"""Most drawings in the list; older ones appear when newer ones are removed."""


def hand() -> Hand:
    """Return the drawings that this visitor teaches with."""
    store, permissions = app_state().store, app_state().permissions
    return Hand(
        store.labelled_drawings(visitor()), store.labelled_drawings(), bool(permissions.shared_drawings)
    )


def progress() -> str:
    """Return in words how many drawings are kept, and how many more are worth the effort."""
    kept, _ = hand().counts()
    if kept >= GOOD_START:
        return f"{kept} kept, enough to train on."
    return f"{kept} kept; {GOOD_START - kept} more are worth it."


def render(place: DeltaGenerator) -> None:
    """Render a button, and in its popover the drawings.

    While it is closed it is empty: to show the drawings, each is read anew. Another label would close it.

    Args:
        place: The container for the button.
    """
    popover = place.popover(
        "Kept",
        icon=":material/photo_library:",
        help="Look at the drawings that are kept, or remove some.",
        key="drawings",
        on_change=mark_user_action,
    )
    if popover.open:
        with popover:
            try:
                _lists()
            except LabelledDrawingError as error:
                st.caption(plain(str(error)))


def _lists() -> None:
    """Render the drawings that the visitor may remove, and those that everybody shares."""
    _heading()
    found, room = hand(), _MAX_SHOWN
    for drawings in found.changeable:
        shown = drawings.drawings(room)
        room -= len(shown)
        _list(shown, can_be_removed=True)
    for drawings in found.fixed:
        if shown := drawings.drawings(_MAX_SHOWN):
            st.caption("Shared: every network that is taught here learns from these, too. They stay.")
            _list(shown, can_be_removed=False)


def _heading() -> None:
    """Render a line on what is below, or on what was removed; its height is the same."""
    removed = session().removed
    kept, _ = hand().counts()
    with st.container(horizontal=True, vertical_alignment="center", key="drawings_heading"):
        if removed:
            st.caption(f"{with_article(removed.label).capitalize()} was removed.", width="content")
        elif not kept:
            st.caption("None yet. Two drawings of each digit make a good start.")
        else:
            whose = "Everybody's" if app_state().permissions.shared_drawings else "Yours"
            older = f", without the {kept - _MAX_SHOWN:,} oldest" if kept > _MAX_SHOWN else ""
            st.caption(f"{whose}, newest first{older}", width="content")
        if removed:
            st.button("Undo", icon=":material/undo:", key="undo_removal", on_click=_bring_back)


def _list(drawings: list[LabelledDrawing], *, can_be_removed: bool) -> None:
    """Render drawings, each with its digit or with a button that removes it."""
    if not drawings:
        return
    with st.container(horizontal=True, gap="small", height=220 if len(drawings) > 8 else "content"):
        for drawing in drawings:
            with st.container(width=64, gap=None):
                st.image(_as_url(drawing), width=56)
                if not can_be_removed:
                    st.caption(str(drawing.label))
                    continue
                st.button(
                    str(drawing.label),
                    icon=":material/close:",
                    key=f"remove_{drawing.id}",
                    on_click=_remove,
                    args=(drawing,),
                    help=f"Remove this {drawing.label}",
                )


def _as_url(drawing: LabelledDrawing) -> str:
    """Return the picture itself as an address: one of the server's might be gone before a browser asks."""
    return f"data:image/png;base64,{base64.b64encode(encode_png(drawing.picture)).decode('ascii')}"


def _remove(drawing: LabelledDrawing) -> None:
    """Remove a drawing; it can be brought back."""
    mark_user_action()
    session().removed = hand().remove(drawing.id) or session().removed


def _bring_back() -> None:
    """Bring back the drawing that was removed last."""
    mark_user_action()
    remembered = session()
    removed, remembered.removed = remembered.removed, None
    if removed:
        try:
            removed.restore()
        except LabelledDrawingError as error:
            remembered.removed = removed
            remembered.problems.append(str(error))
