"""The figures of an evaluation: compared as data, without a browser."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from rnnlab.dashboard.charts.evaluation_charts import (
    commonest_mistakes,
    confusion_json,
    decisions_json,
    mistake_counts,
    rows_json,
)
from rnnlab.data.datasets import Dataset
from rnnlab.model.evaluation import Evaluation, evaluate
from rnnlab.model.reader import Reader
from tests.weights import random_weights


@pytest.fixture(scope="module")
def evaluation(digits: Dataset) -> Evaluation:
    return evaluate(Reader(random_weights(16)), digits.test_images, digits.test_labels)


def test_only_mistakes_are_coloured_and_all_counts_are_written_out() -> None:
    confusion = np.diag(np.full(10, 990))
    confusion[4, 9], confusion[2, 7] = 12, 3
    cells = mistake_counts(confusion)
    assert (cells[4][9], cells[2][7]) == (12, 3)
    assert sum(count is not None for row in cells for count in row) == 2
    colours, mistakes, correct = confusion_json(confusion)["data"]
    assert colours["zmax"] == 12
    written = list(zip(mistakes["y"], mistakes["x"], mistakes["text"], strict=True))
    assert written == [("2", "7", "3"), ("4", "9", "12")]
    assert list(mistakes["textfont"]["color"]) == ["white", "black"]
    assert set(correct["text"]) == {"990"}


def test_the_commonest_mistakes_come_first_and_none_is_made_up() -> None:
    confusion = np.diag(np.full(10, 990))
    assert commonest_mistakes(confusion) == []
    confusion[4, 9], confusion[2, 7] = 12, 3
    assert commonest_mistakes(confusion) == [(4, 9, 12), (2, 7, 3)]
    assert commonest_mistakes(confusion, most=1) == [(4, 9, 12)]


def test_a_network_without_mistakes_or_tests_of_a_digit_can_be_drawn() -> None:
    assert confusion_json(np.zeros((10, 10), np.int64))["data"][0]["zmax"] == 1


def test_the_lines_after_each_row_differ_by_dash_and_mark_as_well_as_by_colour(
    evaluation: Evaluation,
) -> None:
    lines = rows_json(evaluation)["data"]
    assert [line["name"] for line in lines] == ["accuracy", "mean confidence", "calibration error"]
    assert lines[0]["y"] == evaluation.accuracy_by_row.tolist()
    assert lines[0]["x"] == list(range(1, 29))
    for looks in ("dash", "color"):
        assert len({line["line"][looks] for line in lines}) == 3
    assert len({line["marker"]["symbol"] for line in lines}) == 3


def test_the_bars_of_the_decisions_add_up_to_all_images(evaluation: Evaluation) -> None:
    (bars,) = decisions_json(evaluation)["data"]
    assert sum(bars["y"]) == pytest.approx(1)
    assert sum(bars["customdata"]) == 360


@pytest.mark.parametrize(
    ("order", "title", "decided"),
    [
        ("down", "rows read", "decided at row %{x}: "),
        ("shuffled", "rows read", "decided after %{x} of 28 rows: "),
        ("left", "columns read", "decided after %{x} of 28 columns: "),
    ],
)
def test_the_figures_say_what_is_read_and_count_it(
    evaluation: Evaluation, order: str, title: str, decided: str
) -> None:
    read = replace(evaluation, reading_order=order)
    for figure in (rows_json(read), decisions_json(read)):
        assert figure["layout"]["xaxis"]["title"]["text"] == title
    (bars,) = decisions_json(read)["data"]
    assert bars["hovertemplate"].startswith(decided)


def test_every_figure_is_plain_json_and_cannot_be_zoomed(evaluation: Evaluation) -> None:
    for figure in (confusion_json(evaluation.confusion), rows_json(evaluation), decisions_json(evaluation)):
        assert json.loads(json.dumps(figure))["layout"]["height"] > 0
        assert figure["layout"]["xaxis"]["fixedrange"]
        assert figure["layout"]["yaxis"]["fixedrange"]
