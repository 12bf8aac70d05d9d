"""The gallery: the test digits that a network reads wrong, as thumbnails that open in the Lab."""

from __future__ import annotations

import base64
from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from rnnlab.dashboard import navigation
from rnnlab.dashboard.caches import RunEvaluation
from rnnlab.dashboard.components.mistake_gallery import mistake_gallery
from rnnlab.dashboard.session import TestDigit, session
from rnnlab.data.preprocessing import encode_png
from rnnlab.digits import DIGITS, SIDE

MAX_SHOWN: Final = 120
"""Most thumbnails on the page; the filters lead to the others."""

_ANY: Final = "any digit"


def render(found: RunEvaluation) -> None:
    """Render the mistakes of an evaluation, and filters for them."""
    st.subheader("The digits it gets wrong")
    st.fragment(_gallery)(found)


def _gallery(found: RunEvaluation) -> None:
    """Render the region below its heading; a changed filter reruns this and nothing else."""
    mistakes = found.evaluation.mistakes
    if not len(mistakes):
        st.caption("There are none: it reads every test digit correctly.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label, read_as = _filter("is a", "mistake_is"), _filter("read as", "mistake_read_as")
    chosen = mistakes.where(_matches(mistakes.labels, label) & _matches(mistakes.read_as, read_as))
    shown = chosen.where(np.arange(len(chosen)) < MAX_SHOWN)
    st.caption(_summary(len(shown), len(chosen)))
    pictures = _png_url(found.test_set.images[shown.indices])
    opened = mistake_gallery(shown.to_json(), pictures, found.test_set.title, key="gallery")
    if opened is not None and opened in mistakes.indices:
        _open(found, opened)


def _filter(label: str, key: str) -> str:
    """Render the choice of one digit or any, and return it."""
    options = [_ANY, *(str(digit) for digit in range(DIGITS))]
    index = options.index(st.session_state.get(key, _ANY))
    return str(st.selectbox(label, options, index, key=key, width=140, persist_state="session"))


def _matches(digits: NDArray[np.int64], wanted: str) -> NDArray[np.bool_]:
    """Return which digits a filter lets through, shape (M,)."""
    return np.ones(len(digits), bool) if wanted == _ANY else digits == int(wanted)


def _summary(shown: int, chosen: int) -> str:
    """Return a sentence on how many mistakes there are, and what to do with them."""
    if not chosen:
        return "It never makes this mistake."
    count = f"The {shown:,} surest of {chosen:,}" if shown < chosen else f"{chosen:,}, the surest first"
    return f"{count}. Choose one to see in the Lab what the network believes after each row."


def _png_url(pictures: NDArray[np.uint8]) -> str:
    """Return pictures, shape (M, 28, 28), below each other in one PNG, as a `data:` URL."""
    png = encode_png(pictures.reshape(-1, SIDE)) if len(pictures) else b""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _open(found: RunEvaluation, index: int) -> None:
    """Show a test digit in the Lab instead of the drawing."""
    test_set = found.test_set
    session().cover = TestDigit(
        picture=test_set.images[index].copy(),  # a view would keep the whole test set in memory
        index=index,
        label=int(test_set.labels[index]),
        title=test_set.title,
    )
    navigation.LAB.open(session().address)
