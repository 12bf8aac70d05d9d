"""The Guide page: how everything works, in plain words and pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import streamlit as st

from rnnlab.config import HYPERPARAMETERS
from rnnlab.dashboard.components.drawn_picture import drawn_picture

_HERE: Final = Path(__file__).parent

_PICTURE: Final = re.compile(r"^!\[(?P<meaning>[^\]]+)\]\((?P<file>\w+\.svg)\)$", re.MULTILINE)
"""A picture in the text, by itself: what it shows, in words, and its file."""


@dataclass(frozen=True)
class Section:
    """A section of the guide.

    Attributes:
        title: Its heading.
        text: What stands below, as Markdown.
    """

    title: str
    text: str

    @property
    def anchor(self) -> str:
        """Its name in the address."""
        return re.sub(r"\W+", "-", self.title.lower())

    @classmethod
    def all_of(cls, text: str) -> list[Self]:
        """Return the sections of a text in which each begins with a heading of the second level."""
        parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
        return [cls(title, body) for title, body in zip(parts[1::2], parts[2::2], strict=True)]


def render() -> None:
    """Render the page."""
    st.title("Guide")
    sections = Section.all_of(Path(__file__).with_suffix(".md").read_text(encoding="utf-8"))
    with st.container(width=760):
        with st.container(key="guide_contents"):
            st.markdown("\n".join(f"- [{section.title}](#{section.anchor})" for section in sections))
        for section in sections:
            st.header(section.title, anchor=section.anchor)
            _body(section.text)
        _settings()


def _body(text: str) -> None:
    """Render a section's text with its pictures."""
    begin = 0
    for found in _PICTURE.finditer(text):
        st.markdown(text[begin : found.start()])
        svg = (_HERE / found["file"]).read_text(encoding="utf-8")
        drawn_picture(svg, " ".join(found["meaning"].split()), key=found["file"].removesuffix(".svg"))
        begin = found.end()
    st.markdown(text[begin:])


def _settings() -> None:
    """Render what each setting means."""
    for hyperparameter in HYPERPARAMETERS.values():
        allowed = hyperparameter.bounds if not hyperparameter.choices else "a choice"
        st.markdown(f"**{hyperparameter.label}** ({allowed}): {hyperparameter.help}")
        for text in hyperparameter.choices.values():
            st.markdown(f"- {text}")
