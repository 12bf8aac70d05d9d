"""An evaluation as Plotly figures: what is read as what, how much must be read, when it is decided.

The axes are fixed: there is nothing to zoom into, and on a phone a finger on a figure must scroll the page.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from rnnlab.dashboard.charts.training_curve import BATCH_COLOUR, LOSS_COLOUR, SMOOTHED_COLOUR, TEST_COLOUR
from rnnlab.data.reading_words import ReadingWords
from rnnlab.digits import DIGITS, ROWS
from rnnlab.model.evaluation import Evaluation

_ROW_NUMBERS: Final = list(range(1, ROWS + 1))
_ROW_TICKS: Final = [1, 7, 14, 21, 28]
_DIGIT_NAMES: Final = [str(digit) for digit in range(DIGITS)]


def mistake_counts(confusion: NDArray[np.int64]) -> list[list[int | None]]:
    """Return how often each digit (first index) is read as each other one; `None` if it never is.

    Args:
        confusion: How often each digit is read as each digit, shape (10, 10).
    """
    off_diagonal = np.where(np.eye(DIGITS, dtype=bool), 0, confusion).tolist()
    return [[count or None for count in counts] for counts in off_diagonal]


def commonest_mistakes(confusion: NDArray[np.int64], most: int = 3) -> list[tuple[int, int, int]]:
    """Return the mistakes made most often: the digit, what it is read as, how often.

    Args:
        confusion: How often each digit is read as each digit, shape (10, 10).
        most: How many mistakes at most.
    """
    counts = np.where(np.eye(DIGITS, dtype=bool), 0, confusion)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    found = ((int(place) // DIGITS, int(place) % DIGITS) for place in order)
    return [
        (label, read_as, int(counts[label, read_as])) for label, read_as in found if counts[label, read_as]
    ]


def confusion_json(confusion: NDArray[np.int64]) -> dict[str, Any]:
    """Return the JSON form of the confusion matrix.

    Only mistakes are coloured: about a hundred times as many digits are read correctly, and on a scale that
    includes those, all mistakes would look the same. All counts are written out.

    Args:
        confusion: How often each digit (first index) is read as each digit (second index), shape (10, 10).
    """
    counts = mistake_counts(confusion)
    figure = go.Figure([_colours_trace(counts), _mistakes_trace(counts), _correct_trace(confusion)])
    axis = {"tickmode": "array", "tickvals": _DIGIT_NAMES, "type": "category", "showgrid": False}
    figure.update_xaxes(title="read as", side="top", **axis)
    figure.update_yaxes(title="is a", autorange="reversed", **axis)
    return _json(figure, height=460)


def _colours_trace(counts: list[list[int | None]]) -> go.Heatmap:
    """Return the coloured cells of the mistakes."""
    return go.Heatmap(
        z=counts,
        x=_DIGIT_NAMES,
        y=_DIGIT_NAMES,
        colorscale="Cividis",
        zmin=0,
        zmax=_largest(counts),
        xgap=1,
        ygap=1,
        showscale=False,
        hoverongaps=False,
        hovertemplate="%{y} read as %{x}: %{z:,} times<extra></extra>",
    )


def _mistakes_trace(counts: list[list[int | None]]) -> go.Scatter:
    """Return the counts of the mistakes: black on the bright half of the colours, white on the dark half."""
    cells = [
        (label, read_as, count)
        for label, row in enumerate(counts)
        for read_as, count in enumerate(row)
        if count
    ]
    half = _largest(counts) / 2
    return go.Scatter(
        x=[str(read_as) for _, read_as, _ in cells],
        y=[str(label) for label, _, _ in cells],
        mode="text",
        text=[str(count) for _, _, count in cells],
        textfont={"color": ["black" if count > half else "white" for _, _, count in cells]},
        hoverinfo="skip",
        showlegend=False,
    )


def _largest(counts: list[list[int | None]]) -> int:
    """Return the largest count, at least 1."""
    return max(count or 1 for row in counts for count in row)


def _correct_trace(confusion: NDArray[np.int64]) -> go.Scatter:
    """Return the counts on the diagonal, in the colour of the page's text."""
    correct = np.diag(confusion)
    shares = correct / np.maximum(1, confusion.sum(axis=1))
    return go.Scatter(
        x=_DIGIT_NAMES,
        y=_DIGIT_NAMES,
        mode="text",
        text=[str(count) for count in correct],
        customdata=shares.tolist(),
        showlegend=False,
        hovertemplate="%{y} read as %{x}: %{text} times, %{customdata:.1%} of all<extra></extra>",
    )


def rows_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return the JSON form of accuracy, confidence and calibration error after each row or column.

    Dashes and marks tell the lines apart without colour, too.
    """
    lines = (
        ("accuracy", evaluation.accuracy_by_row, SMOOTHED_COLOUR, "solid", "circle"),
        ("mean confidence", evaluation.confidence_by_row, TEST_COLOUR, "dash", "diamond-open"),
        ("calibration error", evaluation.calibration_error_by_row, LOSS_COLOUR, "dot", "x-thin-open"),
    )
    traces = [
        go.Scatter(
            x=_ROW_NUMBERS,
            y=values.tolist(),
            name=name,
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 2},
            marker={"symbol": symbol, "size": 7},
            hovertemplate=f"%{{y:.1%}} {name}<extra></extra>",
        )
        for name, values, colour, dash, symbol in lines
    ]
    figure = go.Figure(traces)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    figure.update_layout(
        hovermode="x unified", legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0}
    )
    return _rows_json(figure, ReadingWords(evaluation.reading_order), height=310)


def decisions_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return the JSON form of the bars that show how many digits are decided at each row or column."""
    decisions, words = evaluation.decisions_by_row, ReadingWords(evaluation.reading_order)
    figure = go.Figure(
        go.Bar(
            x=_ROW_NUMBERS,
            y=(decisions / decisions.sum()).tolist(),
            customdata=decisions.tolist(),
            marker={"color": BATCH_COLOUR},
            hovertemplate=f"decided {words.at('%{x}')}: %{{customdata:,}}, %{{y:.1%}} of all<extra></extra>",
        )
    )
    figure.update_yaxes(title="decided here", tickformat=".0%")
    return _rows_json(figure, words, height=210)


def _rows_json(figure: go.Figure, words: ReadingWords, height: int) -> dict[str, Any]:
    """Return the JSON form of a figure with how much of a picture has been read on its horizontal axis."""
    figure.update_xaxes(title=f"{words.parts} read", tickvals=_ROW_TICKS, range=[0.3, ROWS + 0.7])
    return _json(figure, height)


def _json(figure: go.Figure, height: int) -> dict[str, Any]:
    """Return the JSON form of a figure, with the layout that all figures share and a height in pixels."""
    figure.update_xaxes(fixedrange=True, automargin=True, title_standoff=6)
    figure.update_yaxes(fixedrange=True, automargin=True, title_standoff=6)
    figure.update_layout(
        template="none", height=height, margin={"l": 10, "r": 10, "t": 30, "b": 10}, dragmode=False
    )
    values: dict[str, Any] = figure.to_plotly_json()
    return values
