"""Messages about what could not be done: shown once, at the top of a page, in the Lab above the curve."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import streamlit as st

from rnnlab.dashboard import visitor
from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.permissions import RefusalError
from rnnlab.dashboard.session import session
from rnnlab.dashboard.text import plain
from rnnlab.hyperparameter import ConfigError
from rnnlab.store.database import StoreError

_FORGOTTEN: Final = (
    "Your browser keeps nothing for this page, perhaps because it is in a frame of another site: after a "
    "reload you can no longer pause or stop the runs that you start here, and the drawings that you keep "
    "are gone. Open it in a tab of its own."
)


@contextmanager
def show_store_errors() -> Iterator[None]:
    """Show an error on the page if the store cannot be read or written in the block."""
    try:
        yield
    except StoreError as error:
        st.error(plain(str(error)), icon=":material/folder_off:")


@contextmanager
def collect_errors() -> Iterator[None]:
    """Collect what could not be done in the block, to be shown when the page is rendered."""
    try:
        yield
    except (ConfigError, RefusalError, StoreError) as error:
        session().problems.append(str(error))


def render_trouble() -> None:
    """Say why nothing can be written at present, if that is so and the page does not begin with it."""
    trouble = app_state().trouble
    if trouble and trouble != app_state().store.notice:
        st.error(plain(trouble), icon=":material/folder_off:")


def render() -> None:
    """Render the messages collected so far, and discard them.

    They are in a container of their own, so that what is below keeps its place among its neighbours. If that
    changed, Streamlit would create the canvas anew, empty.
    """
    with st.container(key="problems"):
        notice = app_state().store.notice
        for problem in [*([notice] if notice else []), *session().problems]:
            st.warning(plain(problem), icon=":material/warning:")
        permissions = app_state().permissions
        if visitor.is_forgotten() and not permissions.read_only and not permissions.shared_control:
            st.info(_FORGOTTEN, icon=":material/no_accounts:")
    session().problems.clear()
