"""What is said about how far an image was read, in every reading order, also on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from rnnlab.__main__ import main
from rnnlab.data.datasets import Dataset
from rnnlab.data.reading_order import row_order
from rnnlab.data.reading_words import ReadingWords
from rnnlab.model.answer import answer
from rnnlab.model.architecture import READING_ORDERS, Architecture
from rnnlab.model.evaluation import evaluate
from rnnlab.model.reader import Reader, decided_at, first_ink_rows
from rnnlab.presets import config_from
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from tests.pens import draw_digit
from tests.weights import random_weights_of, with_read_out

FIRST_INK = {"down": 5, "up": 9, "right": 11, "left": 15}
"""The step at which a picture with ink in rows 5 to 20 and columns 11 to 14 first shows any."""

WORDS = {
    "down": ("decided before the first ink (row 5)", "decided at row 23 of 28"),
    "up": ("decided before the first ink (9th row read)", "decided after 23 of 28 rows"),
    "right": ("decided before the first ink (11th column read)", "decided after 23 of 28 columns"),
    "left": ("decided before the first ink (15th column read)", "decided after 23 of 28 columns"),
}


def stubborn(reading_order: str) -> Reader:
    """Return a network that takes everything for a 7, whatever it has read."""
    weights = random_weights_of(Architecture(neurons=8, reading_order=reading_order))
    bias = np.eye(10, dtype=np.float32)[7] * 9
    return Reader(with_read_out(weights, 0 * weights.output_kernel, bias))


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """Return a picture with ink in rows 5 to 20 and columns 11 to 14."""
    made = np.zeros((28, 28), np.uint8)
    made[4:20, 10:14] = 255
    return made


def trained(store: Store, reading_order: str) -> None:
    """Add a run that has ended, with weights that read in an order."""
    run = store.create_run(config_from({"dataset": "digits", "reading_order": reading_order}), claimed=True)
    weights = random_weights_of(Architecture(reading_order=reading_order), scale=2.0)
    weights.save(store.files(run.id).make_folder() / "weights.npz", 60)
    store.reports.end_run(run.id, RunState.FINISHED, step=60)


@pytest.mark.parametrize("order", list(WORDS))
def test_an_answer_counts_what_was_read_in_the_order_of_the_network(
    picture: NDArray[np.uint8], order: str
) -> None:
    said = answer(stubborn(order), picture)
    assert (said.reading_order, said.decided_at, said.first_ink_row) == (order, 1, FIRST_INK[order])
    assert (said.decision, ReadingWords(order).decision(23, FIRST_INK[order])) == WORDS[order]


def test_the_first_ink_of_shuffled_rows_is_in_the_first_of_them_that_has_any(
    picture: NDArray[np.uint8],
) -> None:
    (step,) = first_ink_rows(picture[None], "shuffled")
    inked = picture[row_order("shuffled")].max(axis=1) > 0
    assert inked[step - 1]
    assert not inked[: step - 1].any()
    assert ReadingWords("shuffled").decision(3, 2) == "decided after 3 of 28 rows"


@pytest.mark.parametrize("order", READING_ORDERS)
def test_an_evaluation_compares_decisions_with_the_first_ink_in_the_same_order(
    digits: Dataset, order: str
) -> None:
    reader, images = (
        Reader(random_weights_of(Architecture(neurons=8, reading_order=order))),
        digits.test_images,
    )
    result = evaluate(reader, images, digits.test_labels)
    beliefs = reader.read(images).beliefs
    decided = np.array([decided_at(belief) for belief in beliefs])
    assert result.decided_before_ink == (decided < first_ink_rows(images, order)).sum()
    assert (result.reading_order, result.to_json()["reading_order"]) == (order, order)


def test_small_numbers_are_said_as_people_say_them() -> None:
    words = ReadingWords("left")
    said = [words.decision(1, first) for first in (2, 3, 12, 21)]
    assert [re.findall(r"(\w+) column read", each) for each in said] == [["2nd"], ["3rd"], ["12th"], ["21st"]]
    assert [words.count(1), words.count(2), ReadingWords().count(2)] == ["1 column", "2 columns", "row 2"]


@pytest.mark.parametrize(("order", "parts"), [("left", "columns"), ("shuffled", "rows")])
def test_the_command_line_says_what_is_read_and_in_which_order(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], order: str, parts: str
) -> None:
    trained(store, order)
    file = tmp_path / "seven.png"
    Image.fromarray(draw_digit("7")).save(file)
    assert main(["read", "latest", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reading_order"] == order
    assert main(["read", "latest", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f" of 28 {parts}" in lines[0] or "first ink" in lines[0] or "not sure" in lines[0]
    assert lines[1].split()[0] == parts.removesuffix("s")
    places = [int(re.findall(r"\d+", line)[0]) for line in lines[2:]]
    assert places == (row_order(order) + 1).tolist()
    main(["evaluate", "latest"])
    assert re.search(rf"50% after \d+ {parts[:-1]}s?, 90% after \d+ {parts}", capsys.readouterr().out)


def test_the_picture_that_the_command_line_prints_is_read_line_by_line(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(store, "right")
    file = tmp_path / "one.png"
    Image.fromarray(np.pad(np.full((200, 30), 255, np.uint8), ((40, 40), (125, 125)))).save(file)
    main(["read", "latest", str(file)])
    lines = capsys.readouterr().out.splitlines()[2:]
    inked = [place for place, line in enumerate(lines, start=1) if "@" in line]
    assert 1 <= len(inked) <= 5  # the columns of an upright stroke: few lines, full from end to end
    assert all(line.count("@") > 15 for line in lines if line.count("@") > 1)
