"""Reads a picture that somebody brings, a photograph or a file, in place of the drawing."""

from __future__ import annotations

from typing import Final

import streamlit as st

from rnnlab.dashboard.session import BroughtPicture, session
from rnnlab.data.image_files import MAX_FILE_BYTES

_KEY: Final = "picture"

_POPOVER_KEY: Final = "picture_popover"


def render(place: st.delta_generator.DeltaGenerator) -> None:
    """Render the button, and in its popover the field for a file; on a phone that offers the camera, too.

    Args:
        place: The container for the button.
    """
    remembered = session()
    popover = place.popover(
        "Another picture" if isinstance(remembered.cover, BroughtPicture) else "Picture",
        icon=":material/photo_camera:",
        help="Read a photo or a file of a digit.",
        key=_POPOVER_KEY,
        on_change="rerun",  # so that it can be closed when a picture has come
    )
    with popover:
        st.file_uploader(
            "A picture of one digit, on any paper",
            type="image",
            key=f"{_KEY}_{remembered.pictures}",
            on_change=_take,
            max_upload_size=MAX_FILE_BYTES // 1_000_000,
            help="The digit is found in it, brought to 28 x 28 pixels, and read. "
            "The picture is not kept, and nobody else sees it.",
        )


def _take() -> None:
    """Show the picture that has come, and have it read."""
    remembered = session()
    file = st.session_state.get(f"{_KEY}_{remembered.pictures}")
    if file is None:
        return
    remembered.cover = BroughtPicture.from_file(file.getvalue(), file.name)
    remembered.pictures += 1
    st.session_state[_POPOVER_KEY] = False
