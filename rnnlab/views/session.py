"""What the page remembers of one visitor, in one typed place."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from rnnlab.drawing import SIDE, DrawingError, Prepared, pixels_of_png, prepare
from rnnlab.views.traffic import TRAFFIC

_KEY = "rnnlab_visit"

CANVAS_KEY = "canvas"
"""Of the canvas component."""


@dataclass
class Drawing:
    """A visitor's drawing, kept while the page changes around it.

    Attributes:
        strokes: The strokes as the canvas describes them (Fabric.js objects).
        mounted: What the canvas was last told to show; telling it something else replaces its drawing.
        revision: Counts what it was told, so that telling it the same again still counts as something else.
        seen: The last picture (PNG) that the canvas sent.
        prepared: The drawing as the network sees it, or `None` for a blank canvas.
        problem: Why the picture cannot be read; empty where it can.
    """

    strokes: list[dict[str, Any]] = field(default_factory=list)
    mounted: dict[str, Any] = field(default_factory=lambda: {"objects": []})
    revision: int = 0
    seen: bytes | None = None
    prepared: Prepared | None = None
    problem: str = ""

    def take_in(self, picture: bytes | None, strokes: list[dict[str, Any]]) -> None:
        """Take what the canvas sent, unless it is what it had sent before.

        Args:
            picture: The canvas as a PNG, or `None` before it has sent any.
            strokes: Its strokes.
        """
        if picture is None or picture == self.seen:
            return
        self.seen, self.strokes = picture, strokes
        try:
            self.prepared, self.problem = prepare(pixels_of_png(picture)), ""
        except DrawingError as error:
            self.prepared, self.problem = None, str(error)

    def show(self, strokes: list[dict[str, Any]]) -> None:
        """Have the canvas show these strokes."""
        self.strokes = strokes
        self.revision += 1
        self.mounted = {"objects": strokes, "revision": self.revision}
        if not strokes:
            self.prepared, self.problem = None, ""


@dataclass(frozen=True, eq=False)
class Specimen:
    """A test digit that is shown in the place of the drawing.

    Attributes:
        picture: `uint8` of shape (28, 28), 0 = background, 255 = ink.
        index: Where it is in its test set, counted from 0.
        label: The digit that it is.
        title: What people call its data set.
    """

    picture: NDArray[np.uint8]
    index: int
    label: int
    title: str

    @property
    def prepared(self) -> Prepared:
        """Itself as a drawing that fills the canvas."""
        return Prepared(self.picture, top=0.0, row_height=1 / SIDE)

    @property
    def caption(self) -> str:
        """What it is, in words."""
        return f"Test digit {self.index:,} of {self.title}: a {self.label}"


@dataclass
class Visit:
    """One visitor's session.

    Attributes:
        name: Of the session, made up.
        page: The page that was shown last, as its path.
        run_id: The run on show, or `None` before there is any.
        address_run_id: The run that the page wrote into the address; another one there is the visitor's wish.
        chosen_run_id: The run chosen in the history.
        drawing: The visitor's drawing.
        specimen: The test digit that covers the drawing, or `None`.
        adjusted: How often this visitor has asked for other hyperparameters of a run under way.
        taught: What came of the last drawing that was named or removed, in words; may be empty.
        url_read: Whether the hyperparameters in the URL have been taken over.
        problems: Sentences about values that could not be used, to be shown.
        asked: Whether the person has just asked for something, and waits for what is drawn next.
    """

    name: str = field(default_factory=lambda: secrets.token_hex(8))
    page: str | None = None
    run_id: str | None = None
    address_run_id: str | None = None
    chosen_run_id: str | None = None
    drawing: Drawing = field(default_factory=Drawing)
    specimen: Specimen | None = None
    adjusted: int = 0
    taught: str = ""
    url_read: bool = False
    problems: list[str] = field(default_factory=list)
    asked: bool = False


def visit() -> Visit:
    """Return what is remembered of this visitor."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Visit()
    remembered: Visit = st.session_state[_KEY]
    return remembered


def ask() -> None:
    """Take note that the person has asked for something; a callback for what has no other."""
    visit().asked = True


def give_way() -> None:
    """Let what others have drawn be answered before this update, unless somebody has asked for it."""
    remembered = visit()
    if not remembered.asked:
        TRAFFIC.give_way()
    remembered.asked = False


def take_in_canvas() -> None:
    """Take in what the canvas has sent, also where it came together with a click elsewhere."""
    state = st.session_state.get(CANVAS_KEY) or {}
    sent = state.get("drawing") or {}
    if sent.get("data"):
        picture = base64.b64decode(sent["data"].partition(",")[2])
        visit().drawing.take_in(picture, sent["raw"].get("objects", []))


def enter_page(path: str) -> None:
    """Note which page is shown; on a change of page the canvas is made anew and gets its drawing back."""
    take_in_canvas()
    remembered = visit()
    if path != remembered.page:
        remembered.page = path
        remembered.drawing.show(remembered.drawing.strokes)
