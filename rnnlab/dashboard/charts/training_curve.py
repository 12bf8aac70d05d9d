"""The training curve as a Plotly figure: first the data of its lines, then the figure.

Plotly checks every property of a figure, which takes too long for a live update. So the figure is made once
for every choice of its switches, and the newest lines are put into its JSON form.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from rnnlab.config_changes import Change
from rnnlab.dashboard.charts.curve_data import Curve, downsample, moving_average
from rnnlab.dashboard.settings_text import describe_setting
from rnnlab.runs import Run, TestPoint

# From the palette of Okabe and Ito, which people with any kind of colour vision can tell apart.
BATCH_COLOUR: Final = "#56B4E9"
SMOOTHED_COLOUR: Final = "#0072B2"
TEST_COLOUR: Final = "#D55E00"
LOSS_COLOUR: Final = "#009E73"


@dataclass(frozen=True)
class Line:
    """One line of a figure: x and y, both of shape (N,)."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]


@dataclass(frozen=True)
class CurveLines:
    """The lines of the training curve; accuracies from 0 to 1, loss in nats.

    Attributes:
        batch: Accuracy on each batch just trained on.
        smoothed: Mean of the last `window` batch accuracies.
        test: Accuracy on the whole test set.
        loss: Mean of the last `window` losses.
        window: Number of readings in a mean.
    """

    batch: Line
    smoothed: Line
    test: Line
    loss: Line
    window: int


def curve_lines(curve: Curve, tests: list[TestPoint], window: int) -> CurveLines:
    """Return the lines of the training curve, each with at most about 600 points.

    Args:
        curve: All points of the run.
        tests: Its accuracies on the test set.
        window: How many readings the smoothed lines take the mean of, at least 1.
    """

    def line(values: NDArray[np.float64]) -> Line:
        chosen = downsample(values)
        return _line(curve.steps[chosen], values[chosen])

    test_accuracies = np.array([t.accuracy for t in tests])
    chosen_tests = downsample(test_accuracies)
    return CurveLines(
        batch=line(curve.accuracy),
        smoothed=line(moving_average(curve.accuracy, window)),
        test=_line(np.array([t.step for t in tests])[chosen_tests], test_accuracies[chosen_tests]),
        loss=line(moving_average(curve.loss, window)),
        window=window,
    )


def _line(x: NDArray[Any], y: NDArray[np.float64]) -> Line:
    """Return a line in `float32`: half of what is sent, and far finer than a pixel."""
    return Line(x.astype(np.float32), y.astype(np.float32))


def training_curve_figure(lines: CurveLines, run_id: str, *, with_loss: bool, close_up: bool) -> go.Figure:
    """Render the training curve.

    Args:
        lines: The lines to show.
        run_id: The run; zoom and pan are kept as long as it stays the same.
        with_loss: Whether to show the loss in a panel of its own below.
        close_up: Whether the accuracy axis begins at 90 %.
    """
    rows = {"rows": 2, "row_heights": [0.66, 0.34]} if with_loss else {"rows": 1}
    figure = make_subplots(shared_xaxes=True, vertical_spacing=0.06, **rows)
    for trace in _accuracy_traces(lines):
        figure.add_trace(trace, row=1, col=1)
    accuracy_range = [0.9, 1.002] if close_up else [0, 1.02]
    figure.update_yaxes(title="accuracy", tickformat=".0%", range=accuracy_range, row=1, col=1)
    if with_loss:
        figure.add_trace(_loss_trace(lines), row=2, col=1)
        figure.update_yaxes(title="loss (nats)", rangemode="tozero", row=2, col=1)
    figure.update_yaxes(automargin=True, title_standoff=6)
    figure.update_xaxes(automargin=True, title_standoff=6, tickformat=",", rangemode="tozero")
    figure.update_xaxes(title="training step", row=2 if with_loss else 1, col=1)
    figure.update_layout(
        template="none",
        uirevision=_revision(run_id, with_loss=with_loss, close_up=close_up),
        height=430,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        hovermode="closest",
    )
    return figure


@lru_cache(maxsize=64)
def _figure_json(window: int, *, with_loss: bool, close_up: bool) -> dict[str, Any]:
    """Return the JSON form of the training curve, with lines that have no points."""
    nothing = _line(np.empty(0), np.empty(0))
    lines = CurveLines(nothing, nothing, nothing, nothing, window)
    figure = training_curve_figure(lines, "", with_loss=with_loss, close_up=close_up)
    values: dict[str, Any] = figure.to_plotly_json()
    return values


@lru_cache(maxsize=16)
def training_curve_json(
    curve: Curve,
    tests: tuple[TestPoint, ...],
    run_id: str,
    window: int,
    *,
    with_loss: bool,
    close_up: bool,
    changes: tuple[Change, ...] = (),
    end: tuple[int, str] | None = None,
) -> dict[str, Any]:
    """Return the JSON form of the figure, made once for all who look at it; callers must not change it.

    Args:
        curve: All points of the run.
        tests: Its accuracies on the test set.
        run_id: The run.
        window: How many readings the smoothed lines take the mean of, at least 1.
        with_loss: Whether to show the loss in a panel of its own below.
        close_up: Whether the accuracy axis begins at 90 %.
        changes: Changes to the hyperparameters during the run, each marked with its value.
        end: The step at which a rule ended the run, and which one in words; `None` if none did.
    """
    lines = curve_lines(curve, list(tests), window)
    figure = _figure_json(window, with_loss=with_loss, close_up=close_up)
    shown = (lines.batch, lines.smoothed, lines.test, lines.loss)
    traces = [
        {**trace, "x": _packed(line.x), "y": _packed(line.y), "mode": _mode(trace["mode"], line)}
        for trace, line in zip(figure["data"], shown, strict=False)
    ]
    traces[2]["marker"] = {**traces[2]["marker"], "size": _marker_size(lines)}
    layout = {**figure["layout"], "uirevision": _revision(run_id, with_loss=with_loss, close_up=close_up)}
    return {"data": traces, "layout": layout | (_marks(changes, end) if changes or end else {})}


def describe_change(change: Change) -> str:
    """Return a change in words, such as `learning rate 0.01`."""
    return describe_setting(change.name, change.value)


def describe_end(run: Run) -> str:
    """Return which rule ended a run, such as `ended: patience 10`; empty if none did."""
    rule = run.ended_by
    return f"ended: {describe_setting(rule, getattr(run.config_now, rule))}" if rule else ""


def _marks(changes: tuple[Change, ...], end: tuple[int, str] | None) -> dict[str, Any]:
    """Return the part of a layout that marks steps: a line at each, and in words beside it what happened.

    Changes have a dotted line; the end, which has no room on its right, a dashed one.
    """
    by_step: dict[int, list[str]] = {}
    for change in changes:
        by_step.setdefault(change.step, []).append(describe_change(change))
    marks = [_mark(step, ", ".join(texts), "dot", "left") for step, texts in by_step.items()]
    marks += [_mark(*end, "dash", "right")] if end else []
    return {"shapes": [line for line, _ in marks], "annotations": [words for _, words in marks]}


def _mark(step: int, text: str, dash: str, side: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a line across the curve at a step, and the words beside it; `side` is where their anchor is."""
    line = {"color": "#888888", "width": 1.5, "dash": dash}
    across = {"type": "line", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "x0": step, "x1": step}
    words = {"xref": "x", "yref": "paper", "x": step, "y": 0.02, "xanchor": side, "yanchor": "bottom"}
    return {**across, "line": line}, {**words, "text": text, "textangle": -90, "showarrow": False}


def _packed(values: NDArray[np.float32]) -> dict[str, str] | list[float]:
    """Return numbers in Plotly's own packed form, which is a third as long as their digits."""
    if not len(values):
        return []  # Plotly has no packed form for no numbers
    return {"dtype": "f4", "bdata": base64.b64encode(values.tobytes()).decode("ascii")}


def _mode(mode: str, line: Line) -> str:
    """Return how a line is shown: with a mark if it has only one point, which would be invisible."""
    return "lines+markers" if len(line.x) == 1 else mode


def _revision(run_id: str, *, with_loss: bool, close_up: bool) -> str:
    """Return a text that stays the same as long as zoom and pan are to be kept."""
    return f"{run_id} {with_loss} {close_up}"


def _marker_size(lines: CurveLines) -> float:
    """Return the size of the test marks: smaller if there are many, so that they do not cover the lines."""
    return min(9.0, max(2.5, 360 / max(1, len(lines.test.x))))


def _mean_of(lines: CurveLines) -> str:
    """Return the name of the smoothed lines."""
    return f"mean of {lines.window} readings"


def _accuracy_traces(lines: CurveLines) -> list[go.Scatter]:
    """Return the three lines of the accuracy panel; width and dashes tell them apart without colour, too."""
    return [
        go.Scatter(
            x=lines.batch.x,
            y=lines.batch.y,
            name="each batch",
            mode="lines",
            line={"color": BATCH_COLOUR, "width": 1},
            opacity=0.55,
            hovertemplate="step %{x:,}: %{y:.1%} of the batch<extra></extra>",
        ),
        go.Scatter(
            x=lines.smoothed.x,
            y=lines.smoothed.y,
            name=_mean_of(lines),
            mode="lines",
            line={"color": SMOOTHED_COLOUR, "width": 3},
            hovertemplate=f"step %{{x:,}}: %{{y:.1%}}, {_mean_of(lines)}<extra></extra>",
        ),
        go.Scatter(
            x=lines.test.x,
            y=lines.test.y,
            name="test set",
            mode="lines+markers",
            line={"color": TEST_COLOUR, "width": 1.5, "dash": "dot"},
            marker={"symbol": "diamond", "size": _marker_size(lines)},
            hovertemplate="step %{x:,}: %{y:.2%} of the test set<extra></extra>",
        ),
    ]


def _loss_trace(lines: CurveLines) -> go.Scatter:
    """Return the line of the loss panel."""
    return go.Scatter(
        x=lines.loss.x,
        y=lines.loss.y,
        name=f"loss, {_mean_of(lines)}",
        mode="lines",
        line={"color": LOSS_COLOUR, "width": 2, "dash": "dash"},
        hovertemplate="step %{x:,}: loss %{y:.3f} nats<extra></extra>",
    )
