"""Teach it your hand: label a drawing with the right digit, save it, train on the saved drawings."""

from __future__ import annotations

from typing import Final

import streamlit as st

from rnnlab.dashboard.address import render_again
from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.permissions import RefusalError
from rnnlab.dashboard.session import receive_canvas, session
from rnnlab.dashboard.text import plain
from rnnlab.dashboard.visitor import visitor
from rnnlab.data.labelled_drawings import LabelledDrawing, LabelledDrawingError, LabelledDrawings
from rnnlab.digits import DIGITS
from rnnlab.presets import teaching_config
from rnnlab.runs import Run
from rnnlab.store.database import StoreError

_MAX_SHOWN: Final = 60
"""Most saved drawings in the list; older ones appear when newer ones are removed."""


def render(place: st.delta_generator.DeltaGenerator, run: Run | None) -> None:
    """Render the Teach button, and in its popover all that belongs to teaching.

    Args:
        place: The container for the button.
        run: The run on show, whose network is taught.
    """
    if app_state().permissions.read_only:
        return
    with place.popover("Teach", icon=":material/school:", help="Name the digit you drew, and train on it."):
        _namer()
        try:
            drawings = LabelledDrawings(app_state().store.labelled_drawings_folder).drawings()
        except LabelledDrawingError as error:
            st.caption(plain(str(error)))
            return
        _trainer(run, len(drawings))
        _list(drawings)


def _namer() -> None:
    """Render a button for each digit, which saves the drawing with that label."""
    st.markdown("**Which digit did you draw?** Tap it, and the drawing is saved to learn from.")
    remembered = session()
    nothing = remembered.drawing.prepared is None or remembered.cover is not None
    with st.container(horizontal=True, gap="xsmall"):
        for digit in range(DIGITS):
            st.button(
                str(digit), key=f"teach_{digit}", on_click=_keep, args=(digit,), disabled=nothing, width=40
            )
    if remembered.taught:
        st.caption(plain(remembered.taught))
    elif nothing:
        st.caption("Draw a digit first.")


def _keep(digit: int) -> None:
    """Save the drawing with that label."""
    receive_canvas()
    remembered = session()
    try:
        LabelledDrawings(app_state().store.labelled_drawings_folder).add(
            remembered.drawing.seen or b"", digit
        )
    except LabelledDrawingError as error:
        remembered.taught = str(error)
        return
    remembered.taught = f"Saved as a {digit}. Clear it and draw the next one."


def _trainer(run: Run | None, drawings: int) -> None:
    """Render the button that trains the network of the run on show with the saved drawings."""
    ready = run is not None and app_state().store.files(run.id).weights.exists()
    clicked = st.button(
        f"Train on {drawings} drawing{'s' if drawings != 1 else ''}",
        icon=":material/play_arrow:",
        type="primary",
        key="teach_start",
        disabled=not (ready and drawings),
        help="A short run of its own: it starts from the weights of the run on show and mixes your drawings "
        "with the digits that it has learned from.",
    )
    if clicked and run is not None and _start(run):
        render_again()


def _start(run: Run) -> bool:
    """Queue a run that starts from this one's weights; return whether that was possible."""
    remembered = session()
    try:
        remembered.run_id = app_state().start(teaching_config(run.config), visitor(), run.id).id
    except (RefusalError, StoreError) as error:
        remembered.taught = str(error)
        return False
    remembered.taught = ""
    return True


def _list(drawings: list[LabelledDrawing]) -> None:
    """Render the saved drawings, each with a button that removes it."""
    if not drawings:
        st.caption("No drawing is saved yet. Two drawings of each digit make a good start.")
        return
    older = len(drawings) - _MAX_SHOWN
    st.caption("Your hand, newest first" + (f", without the {older:,} oldest" if older > 0 else ""))
    with st.container(horizontal=True, gap="small", height=200 if len(drawings) > 4 else "content"):
        for drawing in drawings[:_MAX_SHOWN]:
            with st.container(width=64, gap=None):
                st.image(drawing.picture, width=56)
                st.button(
                    str(drawing.label),
                    icon=":material/close:",
                    key=f"remove_{drawing.id}",
                    on_click=_remove,
                    args=(drawing,),
                    help=f"Remove this {drawing.label}",
                )


def _remove(drawing: LabelledDrawing) -> None:
    """Remove a saved drawing."""
    LabelledDrawings(app_state().store.labelled_drawings_folder).remove(drawing.id)
    session().taught = f"A {drawing.label} was removed."
