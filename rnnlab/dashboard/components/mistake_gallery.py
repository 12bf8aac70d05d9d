"""The gallery component: thumbnails of test digits that were read wrong, as buttons."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import streamlit as st

from rnnlab.dashboard.session import GalleryFocus

_HERE = Path(__file__).parent

_component = st.components.v2.component(
    "rnnlab_gallery",
    html=(_HERE / "mistake_gallery.html").read_text(encoding="utf-8"),
    css=(_HERE / "mistake_gallery.css").read_text(encoding="utf-8"),
    js=(_HERE / "mistake_gallery.js").read_text(encoding="utf-8"),
)


def mistake_gallery(
    mistakes: list[dict[str, Any]], pictures: str, title: str, focus: GalleryFocus, *, key: str
) -> int | None:
    """Render the gallery and return the index of the digit that was just chosen, or `None`.

    Args:
        mistakes: The mistakes as `Mistakes.to_json` returns them.
        pictures: Their pictures below each other, as one `data:` URL.
        title: The name of the test set, for people.
        focus: Which thumbnail is to be brought into view.
        key: Widget key of the component.
    """
    # As many decimals as the belief panel has: both are to round to the same percentage.
    rounded = [{**each, "probability": round(each["probability"], 4)} for each in mistakes]
    chosen = _component(
        data={"mistakes": rounded, "pictures": pictures, "title": title, "focus": asdict(focus)},
        key=key,
        on_opened_change=lambda: None,
    ).opened
    return chosen if isinstance(chosen, int) else None
