"""Teach it your hand: name the right digit of a drawing, keep it, train the network on what was kept."""

from __future__ import annotations

from typing import Final

import streamlit as st

from rnnlab.config import teaching_config
from rnnlab.database import StoreError
from rnnlab.hand import Hand, HandDrawing, HandError
from rnnlab.reader import DIGITS
from rnnlab.runs import Run
from rnnlab.settings import RefusalError
from rnnlab.views.services import services
from rnnlab.views.session import take_in_canvas, visit
from rnnlab.views.text import plain
from rnnlab.views.visitor import visitor

_MOST_SHOWN: Final = 60
"""Kept drawings that are listed at once; older ones come up as newer ones are removed."""


def region(place: st.delta_generator.DeltaGenerator, run: Run | None) -> None:
    """Draw the button, and behind it all there is to teaching.

    Args:
        place: Where the button stands.
        run: The run on show, whose network is taught.
    """
    if services().settings.read_only:
        return
    with place.popover("Teach", icon=":material/school:", help="Name the digit you drew, and train on it."):
        _namer()
        drawings = Hand(services().store.hand_path).drawings()
        _trainer(run, len(drawings))
        _list(drawings)


def _namer() -> None:
    """Draw a button for each digit, which keeps the drawing under that name."""
    st.markdown("**Which digit did you draw?** Tap it, and the drawing is kept to learn from.")
    remembered = visit()
    nothing = remembered.drawing.prepared is None or remembered.specimen is not None
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
    """Keep the drawing as one of that digit."""
    take_in_canvas()
    remembered = visit()
    try:
        Hand(services().store.hand_path).add(remembered.drawing.seen or b"", digit)
    except HandError as error:
        remembered.taught = str(error)
        return
    remembered.taught = f"Kept as a {digit}. Clear it and draw the next one."


def _trainer(run: Run | None, drawings: int) -> None:
    """Draw the button that trains the network on show on the kept drawings."""
    ready = run is not None and services().store.weights_path(run.id).exists()
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
        st.rerun()


def _start(run: Run) -> bool:
    """Queue a run that goes on from this one's weights; return whether that was possible."""
    remembered = visit()
    try:
        remembered.run_id = services().start(teaching_config(run.config), visitor(), run.id).id
    except (RefusalError, StoreError) as error:
        remembered.taught = str(error)
        return False
    remembered.taught = ""
    return True


def _list(drawings: list[HandDrawing]) -> None:
    """Draw what was kept, each with a button that removes it."""
    if not drawings:
        st.caption("Nothing is kept yet. Two drawings of each digit make a good start.")
        return
    older = len(drawings) - _MOST_SHOWN
    st.caption("Your hand, newest first" + (f", without the {older:,} oldest" if older > 0 else ""))
    with st.container(horizontal=True, gap="small", height=200 if len(drawings) > 4 else "content"):
        for drawing in drawings[:_MOST_SHOWN]:
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


def _remove(drawing: HandDrawing) -> None:
    """Remove a kept drawing."""
    Hand(services().store.hand_path).remove(drawing.id)
    visit().taught = f"A {drawing.label} was removed."
