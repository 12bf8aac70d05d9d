"""The pages' names, addresses and icons, so that a page can link to another one without importing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import streamlit as st


@dataclass(frozen=True)
class Destination:
    """A page as links and the sidebar know it.

    Attributes:
        title: Its name in the sidebar.
        icon: Its icon, as Streamlit names it.
        path: Its part of the URL after the dashboard's; empty for the first page.
    """

    title: str
    icon: str
    path: str

    def page(self, render: Callable[[], None]) -> st.Page:
        """Return the page for `st.navigation`; `render` is called to render it."""
        if not self.path:
            return st.Page(render, title=self.title, icon=self.icon, default=True)
        return st.Page(render, title=self.title, icon=self.icon, url_path=self.path)

    def open(self, query: Mapping[str, str]) -> None:
        """Go to the page; the rest of the script does not run.

        Args:
            query: The URL parameters of the page that is left. Without them Streamlit would take them out of
                its URL first, which would be one more entry in the browser's history.
        """
        # Streamlit knows a page by its address.
        st.switch_page(self.page(_rendered_elsewhere), query_params=query)


def _rendered_elsewhere() -> None:
    """Take the place of the function that renders a page; `app.py` passes the real one to Streamlit."""


LAB: Final = Destination("Lab", ":material/science:", "")
EVALUATION: Final = Destination("Evaluation", ":material/fact_check:", "evaluation")
RUNS: Final = Destination("Runs", ":material/list:", "runs")
GUIDE: Final = Destination("Guide", ":material/menu_book:", "guide")
