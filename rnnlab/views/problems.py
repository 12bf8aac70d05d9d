"""What could not be done as it was asked for, said once: on top of a page, on the Lab above the curve."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from rnnlab.config import ConfigError
from rnnlab.database import StoreError
from rnnlab.settings import RefusalError
from rnnlab.views.services import services
from rnnlab.views.session import visit
from rnnlab.views.text import plain


@contextmanager
def said() -> Iterator[None]:
    """Say on the page where the store cannot be read or written meanwhile."""
    try:
        yield
    except StoreError as error:
        st.error(plain(str(error)), icon=":material/folder_off:")


@contextmanager
def noted() -> Iterator[None]:
    """Have what a click could not do be said when the page is drawn."""
    try:
        yield
    except (ConfigError, RefusalError, StoreError) as error:
        visit().problems.append(str(error))


def trouble() -> None:
    """Say why nothing can be written at present, if that is so."""
    if told := services().trouble:
        st.error(plain(told), icon=":material/folder_off:")


def region() -> None:
    """Draw the sentences that have come up, and forget them.

    What comes and goes stands in a box of its own: what is below it would be made anew if its place among its
    neighbours changed, and the canvas would be empty.
    """
    with st.container(key="problems"):
        notice = services().store.notice
        for problem in [*([notice] if notice else []), *visit().problems]:
            st.warning(plain(problem), icon=":material/warning:")
    visit().problems.clear()
