"""How far back the error reaches, as a map below the training curve: rows by training steps."""

from __future__ import annotations

import base64
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from rnnlab.digits import ROWS
from rnnlab.store.error_history import ErrorReaches

MAX_COLUMNS: Final = 240
"""Most steps shown: more than a screen can tell apart, few enough to send every second."""

FAINTEST: Final = -4.0
"""Common logarithm of the share that is shown as nothing: a ten-thousandth."""

STRONGEST: Final = 1.0
"""Common logarithm of the share that has the brightest colour: ten times."""

_TICKS: Final = {-4: "1/10,000", -3: "1/1,000", -2: "1/100", -1: "1/10", 0: "as much", 1: "10 times"}


def reach_trace() -> go.Heatmap:
    """Return the map without any step."""
    return go.Heatmap(
        x=[],
        y=list(range(1, ROWS + 1)),
        z=[],
        zmin=FAINTEST,
        zmax=STRONGEST,
        colorscale="Cividis",
        colorbar={
            "title": {"text": "of what reaches<br>the last row", "side": "top"},
            "tickvals": list(_TICKS),
            "ticktext": list(_TICKS.values()),
            "thickness": 12,
        },
        hovertemplate="step %{x:,}, row %{y}: 10<sup>%{z:.1f}</sup> of the last row's<extra></extra>",
    )


def reach_values(reaches: ErrorReaches) -> dict[str, Any]:
    """Return what is to be put into the JSON form of `reach_trace`: steps and values."""
    chosen = _thinned(len(reaches.steps))
    if not len(chosen):
        return {}
    shares = np.clip(shares_of_last(reaches.norms[chosen]), 10.0**FAINTEST, None)
    return {
        "x": _packed(reaches.steps[chosen].astype(np.float32)),
        "z": _packed(np.log10(shares).T.astype(np.float32)) | {"shape": f"{ROWS}, {len(chosen)}"},
    }


def shares_of_last(norms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return norms, shape (N, 28), as shares of those at the last row."""
    return np.asarray(norms / np.maximum(norms[:, -1:], np.finfo(np.float32).tiny), np.float32)


def describe_reach(reaches: ErrorReaches) -> str:
    """Return the newest column of the map in words, for people who cannot see it; empty if there is none."""
    if not len(reaches.steps):
        return ""
    share = float(shares_of_last(reaches.norms[-1:])[0, 0])
    return (
        f" How far back the error reaches: at step {reaches.steps[-1]:,}, {share:.2g} times as much reaches "
        "the first row as the last."
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
