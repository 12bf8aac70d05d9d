"""Which of a network's mistakes a visitor looks at: all, or those that take one digit for another."""

from __future__ import annotations

from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from rnnlab.dashboard import controls
from rnnlab.digits import DIGITS
from rnnlab.model.evaluation import Mistakes

ANY: Final = "any digit"
"""The choice that lets all digits through."""

LABEL_KEY: Final = "mistake_is"
READ_AS_KEY: Final = "mistake_read_as"


def render() -> None:
    """Render the two choices."""
    _choice("is a", LABEL_KEY)
    _choice("read as", READ_AS_KEY)


def _choice(label: str, key: str) -> None:
    """Render the choice of one digit or any."""
    options = [ANY, *(str(digit) for digit in range(DIGITS))]
    now = controls.value(key, ANY)
    controls.set_value(key, now)
    st.selectbox(
        label,
        options,
        options.index(now),
        key=controls.widget_key(key),
        on_change=controls.receive,
        args=(key,),
        width=140,
        persist_state="session",
    )


def choose(label: int, read_as: int) -> None:
    """Let only those mistakes through that take one digit for a certain other one; for callbacks."""
    controls.set_value(LABEL_KEY, str(label))
    controls.set_value(READ_AS_KEY, str(read_as))


def chosen(mistakes: Mistakes) -> Mistakes:
    """Return the mistakes that are let through, the surest first."""
    return mistakes.where(_matches(mistakes.labels, LABEL_KEY) & _matches(mistakes.read_as, READ_AS_KEY))


def _matches(digits: NDArray[np.int64], key: str) -> NDArray[np.bool_]:
    """Return which digits a choice lets through, shape (M,)."""
    wanted = controls.value(key, ANY)
    return np.ones(len(digits), bool) if wanted == ANY else digits == int(wanted)
