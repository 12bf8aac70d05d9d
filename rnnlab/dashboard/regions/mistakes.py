"""The gallery: the test digits that a network reads wrong, as thumbnails that open in the Lab."""

from __future__ import annotations

import base64
from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from rnnlab.dashboard import navigation
from rnnlab.dashboard.address import went_back_or_forward
from rnnlab.dashboard.caches import RunEvaluation
from rnnlab.dashboard.components.mistake_gallery import mistake_gallery
from rnnlab.dashboard.drawing import TestDigit
from rnnlab.dashboard.regions import mistake_filter
from rnnlab.dashboard.session import session
from rnnlab.data.preprocessing import encode_png
from rnnlab.data.reading_words import ReadingWords
from rnnlab.digits import SIDE
from rnnlab.model.evaluation import Mistakes

PAGE_SIZE: Final = 120
"""Most thumbnails on a page of the gallery: a message to the browser has some 50 KB then."""

_PAGE_KEY: Final = "mistakes_page"

_FIRST: Final = -1
"""Stands for the first thumbnail, whichever it is."""


def render(found: RunEvaluation) -> None:
    """Render the mistakes of an evaluation, and filters for them."""
    st.header("The digits it gets wrong")
    cover = session().cover
    if went_back_or_forward() and isinstance(cover, TestDigit):
        session().focus_in_gallery(cover.index)
    st.fragment(_gallery)(found)


def show_cell(label: int, read_as: int) -> None:
    """Show one kind of mistake in the gallery, and bring that into view; for callbacks."""
    mistake_filter.choose(label, read_as)
    session().focus_in_gallery(_FIRST)


def _gallery(found: RunEvaluation) -> None:
    """Render the region below its heading; a changed filter reruns this and nothing else."""
    mistakes = found.evaluation.mistakes
    if not len(mistakes):
        st.caption("There are none: it reads every test digit correctly.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        mistake_filter.render()
    chosen = mistake_filter.chosen(mistakes)
    page = _page_to_show(found, chosen)
    places = np.arange(len(chosen)) // PAGE_SIZE + 1
    shown = chosen.where(places == page)
    part = ReadingWords(found.evaluation.reading_order).part
    st.caption(_summary(page, len(shown), len(chosen), part))
    pictures = _png_url(found.test_set.images[shown.indices])
    opened = mistake_gallery(
        shown.to_json(), pictures, found.test_set.title, session().gallery, key="gallery"
    )
    if len(chosen) > PAGE_SIZE:
        _render_pages(int(places[-1]), page)
    if opened is not None and opened in mistakes.indices:
        _open(found, opened)


def _page_to_show(found: RunEvaluation, chosen: Mistakes) -> int:
    """Return the page to show, counted from 1: that of the thumbnail to be in view, else the one turned to.

    Other mistakes than before begin with their first page.
    """
    remembered = session()
    what = found.stamp, chosen.indices.tobytes()
    if remembered.gallery_shows != what:
        remembered.gallery_shows, st.session_state[_PAGE_KEY] = what, 1
    if remembered.gallery.count != remembered.gallery_followed:
        remembered.gallery_followed = remembered.gallery.count
        at = np.flatnonzero(chosen.indices == remembered.gallery.index)
        if len(at):
            st.session_state[_PAGE_KEY] = int(at[0]) // PAGE_SIZE + 1
    return int(st.session_state.get(_PAGE_KEY, 1))


def _render_pages(count: int, page: int) -> None:
    """Render the choice of a page; a new page begins with its first thumbnail."""
    st.pagination(
        count,
        default=page,
        key=_PAGE_KEY,
        on_change=lambda: session().focus_in_gallery(_FIRST),
        persist_state="session",
    )


def _summary(page: int, shown: int, chosen: int, part: str) -> str:
    """Return a sentence on how many mistakes there are, and what to do with them."""
    if not chosen:
        return "It never makes this mistake."
    first = (page - 1) * PAGE_SIZE + 1
    count = (
        f"{first:,} to {first + shown - 1:,} of {chosen:,}, the surest first; more pages are below"
        if shown < chosen
        else f"{chosen:,}, the surest first"
    )
    return f"{count}. Choose one to see in the Lab what the network believes after each {part}."


def _png_url(pictures: NDArray[np.uint8]) -> str:
    """Return pictures, shape (M, 28, 28), below each other in one PNG, as a `data:` URL."""
    png = encode_png(pictures.reshape(-1, SIDE)) if len(pictures) else b""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _open(found: RunEvaluation, index: int) -> None:
    """Show a test digit in the Lab instead of the drawing."""
    session().cover = TestDigit.of(found.test_set, index)
    navigation.LAB.open(session().address)
