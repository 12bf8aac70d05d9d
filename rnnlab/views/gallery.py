"""The gallery: the test digits that a network reads wrong, as thumbnails to be opened in the Lab."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from rnnlab.drawing import SIDE, png_of
from rnnlab.evaluation_cache import RunEvaluation
from rnnlab.reader import DIGITS
from rnnlab.views import lab
from rnnlab.views.session import Specimen, visit

MOST_SHOWN: Final = 120
"""Thumbnails at once; the filters lead to all others."""

_ANY: Final = "any digit"

_HERE = Path(__file__).parent

_component = st.components.v2.component(
    "rnnlab_gallery",
    html=(_HERE / "gallery.html").read_text(encoding="utf-8"),
    css=(_HERE / "gallery.css").read_text(encoding="utf-8"),
    js=(_HERE / "gallery.js").read_text(encoding="utf-8"),
)


def region(found: RunEvaluation) -> None:
    """Draw the mistakes and their filters.

    Args:
        found: The evaluation that they come from.
    """
    st.subheader("The digits it gets wrong")
    st.fragment(_gallery)(found)


def _gallery(found: RunEvaluation) -> None:
    """Draw the region below its heading; a changed filter reruns this and nothing else."""
    mistakes = found.evaluation.mistakes
    if not len(mistakes):
        st.caption("There are none: it reads every test digit correctly.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label, read_as = _filter("is a", "mistake_is"), _filter("read as", "mistake_read_as")
    chosen = mistakes.where(_matches(mistakes.labels, label) & _matches(mistakes.read_as, read_as))
    shown = chosen.where(np.arange(len(chosen)) < MOST_SHOWN)
    st.caption(_summary(len(shown), len(chosen)))
    opened = _component(
        data={
            "mistakes": shown.to_json(),
            "pictures": _png_url(found.test_set.images[shown.indices]),
            "title": found.test_set.title,
        },
        key="gallery",
        on_opened_change=lambda: None,
    ).opened
    if opened in mistakes.indices.tolist():
        _open(found, int(opened))


def _filter(label: str, key: str) -> str:
    """Draw the choice of one digit or any, and return it."""
    options = [_ANY, *(str(digit) for digit in range(DIGITS))]
    return str(st.selectbox(label, options, key=key, width=140, persist_state="session"))


def _matches(digits: NDArray[np.int64], wanted: str) -> NDArray[np.bool_]:
    """Return which digits a filter lets through, shape (M,)."""
    return np.ones(len(digits), bool) if wanted == _ANY else digits == int(wanted)


def _summary(shown: int, chosen: int) -> str:
    """Say how many there are, and what can be done with them."""
    if not chosen:
        return "It never makes this mistake."
    count = f"The {shown:,} surest of {chosen:,}" if shown < chosen else f"{chosen:,}, the surest first"
    return f"{count}. Choose one to see in the Lab what the network believes after each row."


def _png_url(pictures: NDArray[np.uint8]) -> str:
    """Return pictures, shape (M, 28, 28), below each other in one PNG, as a `data:` URL."""
    png = png_of(pictures.reshape(-1, SIDE)) if len(pictures) else b""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _open(found: RunEvaluation, index: int) -> None:
    """Show a test digit in the Lab, in the place of the drawing."""
    test_set = found.test_set
    visit().specimen = Specimen(
        picture=test_set.images[index].copy(),  # a view would keep the whole test set in memory
        index=index,
        label=int(test_set.labels[index]),
        title=test_set.title,
    )
    st.switch_page(lab.as_page())
