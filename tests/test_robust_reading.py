"""A digit drawn in many ways is read the same, no digit is doubted: by a small network, trained here."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from rnnlab.batches import Batches
from rnnlab.config import config_from
from rnnlab.doubt import sureness
from rnnlab.drawing import prepare
from rnnlab.mixing import training_data
from rnnlab.networks import new_network
from rnnlab.reader import SURE_FROM, Reader
from tests.pens import STROKES, Path, draw_digit, draw_strokes

WAYS = {
    "large": {"scale": 1.0},
    "small": {"scale": 0.4, "shift": (0.3, 0.3), "pen": 10},
    "upper left": {"scale": 0.5, "pen": 12},
    "lower right": {"scale": 0.5, "shift": (0.5, 0.5), "pen": 12},
    "thin": {"pen": 9},
    "thick": {"pen": 30},
    "leaning right": {"scale": 0.8, "shift": (0.1, 0.1), "slant": 0.2},
    "leaning left": {"scale": 0.8, "shift": (0.1, 0.1), "slant": -0.1},
}


@pytest.fixture(scope="module")
def reader(mnist_folder: pathlib.Path) -> Iterator[Reader]:
    """Return a network that has learned for some seconds what `best` learns."""
    values = {"neurons": 64, "iterations": 700, "learning_rate": 0.005, "nonsense": 0.05}
    config = config_from(values, "best")
    data = training_data(config)
    with new_network(config, data) as network:
        network.train(Batches(config, len(data.train_images)).between(0, config.iterations))
        yield Reader(network.weights())


def belief(reader: Reader, canvas: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what the network believes at the end, shape (10,)."""
    prepared = prepare(canvas)
    assert prepared is not None
    beliefs: NDArray[np.float32] = reader.read(prepared.picture[None]).beliefs[0, -1]
    return beliefs


@pytest.mark.parametrize("digit", sorted(STROKES))
def test_a_digit_is_read_the_same_however_it_is_drawn(reader: Reader, digit: str) -> None:
    beliefs = {name: belief(reader, draw_digit(digit, **way)) for name, way in WAYS.items()}  # type: ignore[arg-type]
    assert {name: int(found.argmax()) for name, found in beliefs.items()} == dict.fromkeys(WAYS, int(digit))
    spread = np.ptp([found[int(digit)] for found in beliefs.values()])
    assert spread < 0.1


def side_by_side(left: str, right: str) -> list[Path]:
    """Return the strokes of two digits on one canvas."""
    return [
        [(0.5 * x + start, 0.5 * y + 0.25) for x, y in stroke]
        for digit, start in ((left, 0.0), (right, 0.5))
        for stroke in STROKES[digit]
    ]


SCRIBBLE: Path = [(0.05 + 0.9 * (i % 2), 0.05 + 0.06 * i) for i in range(16)]
NONSENSE: dict[str, list[Path]] = {
    "a dot": [[(0.5, 0.5), (0.5, 0.5)]],
    "a scribble over the whole canvas": [SCRIBBLE, [(y, x) for x, y in SCRIBBLE]],
    "3 and 7": side_by_side("3", "7"),
    "2 and 5": side_by_side("2", "5"),
    "0 and 8": side_by_side("0", "8"),
}


@pytest.mark.parametrize("name", list(NONSENSE))
def test_what_is_no_digit_is_doubted(reader: Reader, name: str) -> None:
    prepared = prepare(draw_strokes(NONSENSE[name]))
    assert prepared is not None
    beliefs = reader.read(prepared.picture[None]).beliefs[:, -1]
    assert beliefs.max() < SURE_FROM
    assert sureness(reader, prepared.picture[None], beliefs)[0] < SURE_FROM
