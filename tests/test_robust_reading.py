"""A digit drawn in many ways is read the same, and non-digits are doubted: by a network trained here."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from rnnlab.data.preprocessing import prepare
from rnnlab.data.training_set import load_training_set
from rnnlab.model.reader import Reader
from rnnlab.model.uncertainty import CONFIDENCE_THRESHOLD, augmented_confidence
from rnnlab.presets import config_from
from rnnlab.training.backend import create_network
from rnnlab.training.batches import Batches
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
    """Return a network that has learned for some seconds what `default` learns."""
    values = {"neurons": 64, "iterations": 900, "learning_rate": 0.005, "nonsense": 0.05}
    config = config_from(values)
    data = load_training_set(config)
    with create_network(config, data) as network:
        network.train(Batches(config, len(data.train_images)).between(0, config.iterations))
        yield Reader(network.weights())


def belief(reader: Reader, canvas: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the belief of the network after the last row, shape (10,)."""
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


CONTINENTAL: dict[str, tuple[int, list[Path]]] = {
    "a 7 with a bar": (7, [[(0.2, 0.1), (0.8, 0.1), (0.45, 0.95)], [(0.3, 0.55), (0.8, 0.5)]]),
    "a 7 with a bar and a hook": (
        7,
        [[(0.15, 0.25), (0.2, 0.1), (0.8, 0.12), (0.4, 0.95)], [(0.25, 0.52), (0.75, 0.52)]],
    ),
    "a 1 with a flag": (1, [[(0.25, 0.4), (0.6, 0.05), (0.55, 0.95)]]),
    "a 1 with a flag and a foot": (
        1,
        [[(0.3, 0.35), (0.55, 0.05), (0.55, 0.95)], [(0.3, 0.95), (0.8, 0.95)]],
    ),
    "a 9 with a curled tail": (
        9,
        [
            [
                *[(0.7, 0.25), (0.5, 0.08), (0.3, 0.25), (0.45, 0.42), (0.7, 0.28)],
                *[(0.72, 0.6), (0.6, 0.9), (0.35, 0.95), (0.2, 0.8)],
            ]
        ],
    ),
}


@pytest.mark.parametrize("form", list(CONTINENTAL))
def test_forms_that_mnist_hardly_has_are_read(reader: Reader, form: str) -> None:
    digit, strokes = CONTINENTAL[form]
    for pen in (14, 20):
        assert int(belief(reader, draw_strokes(strokes, pen=pen)).argmax()) == digit


def to_columns(left: str, right: str) -> list[Path]:
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
    "3 and 7": to_columns("3", "7"),
    "2 and 5": to_columns("2", "5"),
    "0 and 8": to_columns("0", "8"),
}


@pytest.mark.parametrize("name", list(NONSENSE))
def test_what_is_no_digit_is_doubted(reader: Reader, name: str) -> None:
    prepared = prepare(draw_strokes(NONSENSE[name]))
    assert prepared is not None
    beliefs = reader.read(prepared.picture[None]).beliefs[:, -1]
    assert beliefs.max() < CONFIDENCE_THRESHOLD
    assert augmented_confidence(reader, prepared.picture[None], beliefs)[0] < CONFIDENCE_THRESHOLD
