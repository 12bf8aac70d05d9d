"""Reads something else in place of the drawing: a test digit, or a picture that somebody brings."""

from __future__ import annotations

import numpy as np
import streamlit as st

from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.components.popovers import CLOSES_POPOVER
from rnnlab.dashboard.drawing import BroughtPicture, TestDigit
from rnnlab.dashboard.session import session
from rnnlab.data.datasets import TestSet
from rnnlab.data.errors import DatasetError
from rnnlab.data.image_files import MAX_FILE_BYTES
from rnnlab.digits import DIGITS
from rnnlab.runs import Run
from rnnlab.store.database import StoreError


def render(place: st.delta_generator.DeltaGenerator, run: Run | None) -> None:
    """Render the button, and in its popover the test digits and the field for a file.

    Args:
        place: The container for the button.
        run: The run on show, whose test digits are offered.
    """
    remembered = session()
    popover = place.popover(
        "Another picture" if isinstance(remembered.cover, BroughtPicture) else "Picture",
        icon=":material/photo_camera:",
        help="Read a test digit, or a photo or a file of a digit.",
        # The browser alone knows whether it is open: what the server says of that may come too late.
        key="picture_popover",
    )
    with popover:
        _test_digits(run)
        st.file_uploader(  # on a phone this offers the camera, too
            "Or a picture of one digit, on any paper",
            type="image",
            key=_key(),
            on_change=_take,
            max_upload_size=MAX_FILE_BYTES // 1_000_000,
            help="The digit is found in it, brought to 28 x 28 pixels, and read. "
            "The picture is not kept, and nobody else sees it.",
        )


def _test_digits(run: Run | None) -> None:
    """Render a button for each digit and one for any: each shows another test digit of that kind."""
    run_id = run.id if run else None
    st.markdown("**A test digit**, which the network never learns from. Which one?")
    with st.container(horizontal=True, gap="xsmall"):
        st.button("any", key="test_digit_any", on_click=_show_test_digit, args=(None, run_id))
        for digit in range(DIGITS):
            key = f"test_digit_{digit}"
            st.button(str(digit), key=key, on_click=_show_test_digit, args=(digit, run_id), width=40)


def _show_test_digit(label: int | None, run_id: str | None) -> None:
    """Show a test digit with this label, or with any, instead of the drawing, or why there is none."""
    store, evaluations = app_state().store, app_state().evaluations
    try:
        digits = evaluations.test_set(store.run(run_id) if run_id else None)
        _show(_another(digits, label, session().cover))
    except (DatasetError, StoreError) as error:
        _show(BroughtPicture("No test digit", None, str(error), photo=""))


def _another(digits: TestSet, label: int | None, shown: TestDigit | BroughtPicture | None) -> TestDigit:
    """Return a test digit at random, not the one that is shown if there is a choice.

    Raises:
        DatasetError: None has this label.
    """
    fits = np.ones(len(digits.labels), bool) if label is None else digits.labels == label
    if isinstance(shown, TestDigit) and shown.data == digits.name and fits.sum() > 1:
        fits[shown.index] = False
    if not fits.any():
        raise DatasetError(f"Among the test digits of {digits.title} there is no {label}.")
    index = int(np.random.default_rng().choice(np.flatnonzero(fits)))
    return TestDigit.of(digits, index)


def _key() -> str:
    """Return the widget key of the field for a file, another one each time: it is empty then."""
    return f"{CLOSES_POPOVER}_{session().pictures}"


def _take() -> None:
    """Show the picture that has come, and have it read."""
    file = st.session_state.get(_key())
    if file is not None:
        _show(BroughtPicture.from_file(file.getvalue(), file.name))


def _show(cover: TestDigit | BroughtPicture) -> None:
    """Show something instead of the drawing; the new key of the field for a file closes the popover."""
    session().cover = cover
    session().pictures += 1
