"""How far back the error reaches, as a map below the training curve: what was read, by training steps."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from rnnlab.data.reading_words import ReadingWords
from rnnlab.digits import ROWS
from rnnlab.store.error_history import ErrorReaches

MAX_COLUMNS: Final = 240
"""Most steps shown: more than a screen can tell apart, few enough to send every second."""

FAINTEST: Final = -4.0
"""Common logarithm of the share that is shown as nothing: a ten-thousandth."""

STRONGEST: Final = 1.0
"""Common logarithm of the share that has the brightest colour: ten times."""

_MAP_WIDTH: Final = 0.82
"""Share of the figure's width for the map; the rest is for the scale, so that the buttons do not cover it."""

_TICKS: Final = {-4: "1/10000", -3: "1/1000", -2: "1/100", -1: "1/10", 0: "1", 1: "10"}


_SCALE: Final = {
    "tickvals": list(_TICKS),
    "ticktext": list(_TICKS.values()),
    "thickness": 10,
    "outlinewidth": 0,
    "xpad": 4,
    "x": _MAP_WIDTH,
}
"""The scale of the colours, right of the map."""


def error_reach_figure(words: ReadingWords) -> go.Figure:
    """Return the map without any step, of a network that reads in the order of these words."""
    figure = go.Figure(
        go.Heatmap(
            x=[],
            y=list(range(1, ROWS + 1)),
            z=[],
            zmin=FAINTEST,
            zmax=STRONGEST,
            colorscale="Cividis",
            colorbar=_SCALE,
            hovertemplate=f"step %{{x:,}}, {words.at('%{y}')}: 10<sup>%{{z:.1f}}</sup> of the last "
            f"{words.part}'s<extra></extra>",
        )
    )
    figure.update_yaxes(
        title=f"{words.parts} read",
        range=[ROWS + 0.5, 0.5],
        tickvals=[1, 7, 14, 21, 28],
        automargin=True,
        title_standoff=6,
    )
    figure.update_xaxes(
        domain=[0, _MAP_WIDTH], title="training step", tickformat=",", automargin=True, title_standoff=6
    )
    figure.update_layout(
        template="none",
        height=260,
        margin={"l": 10, "r": 44, "t": 30, "b": 10},
        title={
            "text": f"gradient, as a share of the last {words.part}'s",
            "x": 0,
            "xref": "paper",
            "font": {"size": 14},
        },
    )
    return figure


@lru_cache(maxsize=8)
def _figure_json(words: ReadingWords) -> dict[str, Any]:
    """Return the JSON form of the map without any step."""
    values: dict[str, Any] = error_reach_figure(words).to_plotly_json()
    return values


@lru_cache(maxsize=16)
def error_reach_json(reaches: ErrorReaches, run_id: str, reading_order: str = "down") -> dict[str, Any]:
    """Return the JSON form of the map, made once for all who look at it; callers must not change it.

    Args:
        reaches: How far back the error reached, at one report at least.
        run_id: The run; zoom and pan are kept as long as it stays the same.
        reading_order: In which order it reads.
    """
    figure = _figure_json(ReadingWords(reading_order))
    chosen = _thinned(len(reaches.steps))
    shares = np.clip(shares_of_last(reaches.norms[chosen]), 10.0**FAINTEST, None)
    values = {
        "x": _packed(reaches.steps[chosen].astype(np.float32)),
        "z": _packed(np.log10(shares).T.astype(np.float32)) | {"shape": f"{ROWS}, {len(chosen)}"},
    }
    return {"data": [{**figure["data"][0], **values}], "layout": {**figure["layout"], "uirevision": run_id}}


def shares_of_last(norms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return norms, shape (N, 28), as shares of those at the last row."""
    return np.asarray(norms / np.maximum(norms[:, -1:], np.finfo(np.float32).tiny), np.float32)


def describe_reach(reaches: ErrorReaches, reading_order: str = "down") -> str:
    """Return the newest column of the map in words, for people who cannot see it."""
    share = float(shares_of_last(reaches.norms[-1:])[0, 0])
    return (
        f"How far back the error reaches: at step {reaches.steps[-1]:,}, {share:.2g} times as much reaches "
        f"the first {ReadingWords(reading_order).part} as the last."
    )


def _thinned(count: int) -> NDArray[np.int64]:
    """Return which of so many steps are shown: each, or each second, fourth, … one, and the newest."""
    stretch = 1
    while count // stretch > MAX_COLUMNS:
        stretch *= 2
    return np.unique(np.append(np.arange(0, count, stretch), np.arange(max(0, count - 1), count)))


def _packed(values: NDArray[np.float32]) -> dict[str, str]:
    """Return numbers in Plotly's own packed form."""
    packed = np.ascontiguousarray(values).tobytes()
    return {"dtype": "f4", "bdata": base64.b64encode(packed).decode("ascii")}
