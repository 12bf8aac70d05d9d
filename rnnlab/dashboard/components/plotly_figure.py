"""A Plotly figure that is updated in place: no flicker, and zoom and pan are kept.

`st.plotly_chart` makes a new chart for every new figure, so a growing curve would flicker. This component
passes the figure to Plotly's own `Plotly.react` instead. The JavaScript comes with the installed `plotly`
package, so nothing is fetched from the internet.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly
import streamlit as st
import streamlit.components.v1

_HERE = Path(__file__).parent

# Declared only so that Streamlit serves Plotly's JavaScript under /component/<name>/.
_served = streamlit.components.v1.declare_component(
    "plotly_javascript", path=Path(plotly.__file__).parent / "package_data"
)

_component = st.components.v2.component(
    "rnnlab_plot",
    html='<div class="rnnlab-plot-trouble" role="status"></div><div class="rnnlab-plot"></div>',
    css=(_HERE / "plotly_figure.css").read_text(encoding="utf-8"),
    js=(_HERE / "plotly_figure.js").read_text(encoding="utf-8"),
    isolate_styles=False,  # Plotly puts its style sheet into the document, which a shadow root would keep out
)

_TROUBLE = (
    "This plot cannot be drawn yet, because a file that it needs (plotly.min.js) did not arrive from the "
    "server; the page keeps trying, so check the connection if it takes long."
)


def plot(
    figure: dict[str, Any],
    *,
    key: str,
    description: str,
    on_click: Callable[[str, str], None] | None = None,
) -> None:
    """Render a figure, or update the one that was rendered under the same key.

    Args:
        figure: The JSON form of the figure; its `uirevision` says whether zoom and pan are kept.
        key: Widget key of the component.
        description: What the figure shows, for people who cannot see it.
        on_click: Called with x and y, as texts, of a point that was clicked; by default clicks do nothing.
    """

    def click() -> None:
        point = (st.session_state.get(key) or {}).get("clicked")
        if on_click and isinstance(point, dict):
            on_click(str(point.get("x")), str(point.get("y")))

    _component(
        data={
            "figure": figure,
            "source": f"component/{_served.name}/plotly.min.js?v={plotly.__version__}",
            "description": description,
            "trouble": _TROUBLE,
            "answers_clicks": on_click is not None,
        },
        key=key,
        on_clicked_change=click,
        height=int(figure["layout"]["height"]),
    )
