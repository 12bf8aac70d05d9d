"""Teach it your hand: draw, tap the digit, and go on with the next; then train on the drawings.

The digits and what belongs to them take the place of the tools above the canvas, so that they cover nothing.
"""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from rnnlab.dashboard.address import render_again
from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.components.shortcut_switch import DIGIT_KEYS
from rnnlab.dashboard.regions import kept_drawings, messages
from rnnlab.dashboard.session import receive_canvas, session
from rnnlab.dashboard.visitor import visitor
from rnnlab.data.labelled_drawings import LabelledDrawingError
from rnnlab.digits import with_article
from rnnlab.presets import teaching_config
from rnnlab.runs import Run


def is_on() -> bool:
    """Return whether the visitor teaches, so that there are digits to tap."""
    remembered = session()
    return remembered.is_teaching and not remembered.cover and not app_state().permissions.read_only


def render_switch(place: DeltaGenerator) -> None:
    """Render the button that begins to teach.

    Args:
        place: The container for the button.
    """
    if not app_state().permissions.read_only:
        place.button(
            "Teach",
            icon=":material/school:",
            help="Draw digits and tap which they are; then train on them.",
            key="teach",
            on_click=_switch,
            args=(True,),
        )


def render(place: DeltaGenerator, run: Run | None) -> None:
    """Render the digits to tap, and what is done with the drawings that are kept.

    Args:
        place: The container of the tools.
        run: The run on show, whose network is taught.
    """
    if session().problems:
        render_again()
    kept_drawings.render(place)
    _train(place, run)
    place.button("Done", key="teach_done", help="Back to the other tools.", on_click=_switch, args=(False,))
    with place.container(horizontal=True, gap=None, key="teach_keys"):
        for digit, key in enumerate(DIGIT_KEYS):
            # Never disabled: a tap right after the first stroke comes before this is rendered again.
            st.button(key, key=f"teach_{digit}", shortcut=key, on_click=_keep, args=(digit,), width="stretch")


def hint() -> str:
    """Return what to say while the canvas is blank."""
    return f"{session().taught or 'Draw a digit, then tap which it is.'} {kept_drawings.progress()}"


def forget(kept: str) -> None:
    """Take a drawing that was just kept out of the set again: it is back on the canvas.

    Args:
        kept: Its id; empty if it was not kept.
    """
    session().taught = ""
    if kept:
        kept_drawings.hand().remove(kept)


def _switch(is_teaching: bool) -> None:
    """Begin or end to teach."""
    session().is_teaching, session().taught = is_teaching, ""


def _keep(digit: int) -> None:
    """Keep the drawing as that digit and clear the canvas; Undo takes both back."""
    receive_canvas()
    remembered = session()
    drawing = remembered.drawing
    if drawing.prepared is None:
        remembered.taught = (
            drawing.problem or remembered.taught or f"Draw {with_article(digit)} first, then tap it."
        )
        drawing.show(drawing.strokes)  # strokes that were drawn since wait for an answer of the canvas
        return
    try:
        kept = kept_drawings.hand().add(drawing.seen or b"", digit)
    except LabelledDrawingError as error:
        remembered.problems.append(str(error))
        drawing.show(drawing.strokes)
        return
    drawing.clear(kept.id)
    remembered.taught = f"Kept as {with_article(digit)}. Undo brings it back."


def _train(place: DeltaGenerator, run: Run | None) -> None:
    """Render the button that trains the network of the run on show with the drawings."""
    kept, others = kept_drawings.hand().counts()
    ready = run is not None and app_state().store.files(run.id).weights.exists()
    clicked = place.button(
        f"Train on {kept + others:,}",
        icon=":material/play_arrow:",
        type="primary" if kept >= kept_drawings.GOOD_START else "secondary",
        key="teach_start",
        disabled=not (ready and kept + others),
        help="A short run of its own: it starts from the weights of the run on show and learns from "
        f"{_whose(kept, others)} and the digits that it knows.",
    )
    if clicked and run is not None:
        with messages.collect_errors():
            _start(run)
        render_again()


def _whose(kept: int, others: int) -> str:
    """Return in words whose drawings a network would learn from."""
    if app_state().permissions.shared_drawings:
        return f"{kept:,} drawings of everybody here"
    return f"{kept:,} drawings of yours" + (f", {others:,} that everybody shares" if others else "")


def _start(run: Run) -> None:
    """Queue a run that starts from this one's weights, and show it.

    Raises:
        RefusalError: It is not allowed.
        StoreError: It is not possible.
    """
    remembered = session()
    remembered.run_id = app_state().start(teaching_config(run.config), visitor(), run.id).id
    _switch(False)
