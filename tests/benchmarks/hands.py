"""How well real handwriting is read: `python -m tests.benchmarks.hands RUN`; `--teach` teaches it.

Pen drawings by 30 writers who are not in MNIST, drawn as on the canvas of the page. Prints accuracy,
confusion, and how the error falls without the least sure drawings. With `--teach` the network
of the run is taught 20 drawings of each writer, two of each digit, as the page does it, and reads the other
drawings of that writer.

The drawings are the training part of "Pen-Based Recognition of Handwritten Digits" (Alpaydin and Alimoglu,
1998), in UNIPEN text; they are read from the folder `RNNLAB_PEN_DIR`, by default `../shared/pen-digits`. They
serve to measure only; no network that is saved is trained on them.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rnnlab.config import Config
from rnnlab.data import preprocessing
from rnnlab.data.datasets import Dataset
from rnnlab.data.training_set import load_training_set, with_fraction
from rnnlab.digits import DIGITS
from rnnlab.model.reader import Reader
from rnnlab.model.uncertainty import augmented_confidence
from rnnlab.model.weights import Weights
from rnnlab.presets import teaching_config
from rnnlab.store.store import Store, default_home
from rnnlab.training.backend import create_network
from rnnlab.training.batches import Batches

FILE = "pendigits-train.unipen.gz"
CANVAS = 280
_FINER = 2
"""Lines are drawn this many times larger, then reduced: Pillow's own have no soft edges."""


@dataclass(frozen=True)
class PenDigit:
    """One digit as a pen wrote it.

    Attributes:
        label: The digit.
        writer: Number of the person.
        strokes: Points of each stroke, shape (points, 2), x to the right and y downwards.
    """

    label: int
    writer: int
    strokes: list[NDArray[np.float64]]


def folder() -> Path:
    """Return where the pen drawings lie."""
    return Path(os.environ.get("RNNLAB_PEN_DIR", "../shared/pen-digits"))


def pen_digits(path: Path | None = None) -> list[PenDigit]:
    """Read all drawings."""
    digits: list[PenDigit] = []
    with gzip.open(path or folder() / FILE, "rt") as lines:
        for line in lines:
            words = line.split()
            if not words:
                continue
            if words[0] == ".COMMENT" and len(words) == 4 and all(word.isdigit() for word in words[1:]):
                digits.append(PenDigit(int(words[1]), int(words[2]), []))
            elif words[0] == ".PEN_DOWN":
                points: list[tuple[float, float]] = []
            elif words[0] == ".PEN_UP":
                digits[-1].strokes.append(np.array(points))
            elif words[0].lstrip("-").isdigit():
                points.append((float(words[0]), -float(words[1])))
    return digits


@dataclass(frozen=True)
class PenStyle:
    """How a digit is drawn on the canvas.

    Attributes:
        pen: Width of the pen in pixels.
        height: Height of the drawn digit in pixels, the pen's width included.
        turn: Angle by which it is turned, in degrees.
        place: Where it is in the room that the canvas leaves, 0 to 1 across and down.
    """

    pen: float
    height: float
    turn: float
    place: tuple[float, float]


def random_style(generator: np.random.Generator) -> PenStyle:
    """Return a random style, of those that the measurement is about."""
    return PenStyle(
        pen=generator.uniform(12, 24),
        height=generator.uniform(100, 260),
        turn=generator.uniform(-10, 10),
        place=(generator.uniform(), generator.uniform()),
    )


def render(digit: PenDigit, style: PenStyle) -> NDArray[np.uint8]:
    """Draw a digit: grey levels, shape (280, 280), white on black."""
    turn = np.deg2rad(style.turn)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    strokes = [stroke @ matrix.T for stroke in digit.strokes]
    points = np.concatenate(strokes)
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    room = CANVAS - 4 - style.pen
    scale = min(
        (style.height - style.pen) / max(extent[1], 1), room / max(extent[0], 1), room / max(extent[1], 1)
    )
    offset = style.pen / 2 + 2 + np.array(style.place) * (room - extent * scale)
    image = Image.new("L", (CANVAS * _FINER, CANVAS * _FINER))
    brush, radius = ImageDraw.Draw(image), style.pen * _FINER / 2
    for stroke in strokes:
        path = [tuple(point) for point in ((stroke - low) * scale + offset) * _FINER]
        if len(path) > 1:
            brush.line(path, fill=255, width=round(2 * radius))
        for x, y in path:
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.reduce(_FINER))


def _none(_: NDArray[np.float32]) -> float:
    return 0.0


@functools.cache
def pictures(*, bring_strokes_to_width: bool = True) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return all drawings as the network sees them, shape (N, 28, 28), and their digits, shape (N,).

    Args:
        bring_strokes_to_width: Whether strokes are brought to the width of MNIST's, as the page does it.
    """
    digits = pen_digits()
    generator = np.random.default_rng(0)
    width = (
        nullcontext() if bring_strokes_to_width else patch.object(preprocessing, "_missing_thickness", _none)
    )
    with width:
        prepared = [preprocessing.prepare(render(digit, random_style(generator))) for digit in digits]
    seen = [picture.picture for picture in prepared if picture is not None]
    assert len(seen) == len(digits)
    return np.stack(seen), np.array([digit.label for digit in digits], np.uint8)


@dataclass(frozen=True)
class Doubt:
    """How well drawings are read, and whether the network knows when it may be wrong.

    Attributes:
        accuracy: Share read correctly.
        error_of_the_sure: Share read wrong without the 2 % that the network is least sure of.
        confusion: How many drawings of each digit (first index) are read as each digit, shape (10, 10).
    """

    accuracy: float
    error_of_the_sure: float
    confusion: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Share read wrong."""
        return 1.0 - self.accuracy


def doubt(reader: Reader, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Doubt:
    """Read drawings."""
    beliefs = reader.read(images).beliefs[:, -1]
    read = beliefs.argmax(axis=1)
    sure = np.argsort(augmented_confidence(reader, images, beliefs))[round(0.02 * len(labels)) :]
    confusion = np.zeros((DIGITS, DIGITS), np.int64)
    np.add.at(confusion, (labels, read), 1)
    return Doubt(float((read == labels).mean()), float((read != labels)[sure].mean()), confusion)


def teach(weights: Weights, config: Config) -> None:
    """Teach the network each writer's hand and print what that changes for the writer's other drawings."""
    lesson = teaching_config(config)
    images, labels = pictures()
    writers = np.array([digit.writer for digit in pen_digits()])
    plain = load_training_set(lesson_without_hand(lesson))
    before, mnist = Reader(weights), accuracy(Reader(weights), plain.test_images, plain.test_labels)
    wrong = before.read(images).beliefs[:, -1].argmax(axis=1) != labels
    generator = np.random.default_rng(0)
    totals, changes = np.zeros(3), []
    print("writer  drawings  wrong before  wrong after  MNIST, points")
    for writer in sorted(set(writers.tolist())):
        own = np.flatnonzero(writers == writer)
        kept = np.concatenate([generator.permutation(own[labels[own] == d])[:2] for d in range(DIGITS)])
        others = np.setdiff1d(own, kept)
        taught = Reader(lesson_for(weights, lesson, plain, images[kept], labels[kept]))
        after = taught.read(images[others]).beliefs[:, -1].argmax(axis=1) != labels[others]
        changes.append(100 * (accuracy(taught, plain.test_images, plain.test_labels) - mnist))
        counts = np.array([len(others), wrong[others].sum(), after.sum()])
        totals += counts
        print(f"{writer:>6}{counts[0]:>10}{counts[1]:>14}{counts[2]:>13}{changes[-1]:>15.2f}", flush=True)
    print(
        f"all: error {totals[1] / totals[0]:.2%} before, {totals[2] / totals[0]:.2%} after "
        f"({totals[2] / totals[1]:.2f} of it); MNIST {np.mean(changes):+.2f} points on average, "
        f"{min(changes):+.2f} at worst"
    )


def lesson_without_hand(lesson: Config) -> Config:
    """Return the configuration of the training digits that the drawings are mixed with."""
    return Config(dataset=lesson.dataset, extra_digits=lesson.extra_digits, nonsense=lesson.nonsense)


def lesson_for(
    weights: Weights, lesson: Config, plain: Dataset, images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> Weights:
    """Return the weights after the lesson with some drawings."""
    data = with_fraction(plain, images, labels, lesson.your_hand)
    with create_network(lesson, data, weights) as network:
        network.train(Batches(lesson, len(data.train_images)).between(0, lesson.iterations))
        return network.weights()


def accuracy(reader: Reader, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
    """Return the share of images read correctly."""
    return float((reader.read(images).beliefs[:, -1].argmax(axis=1) == labels).mean())


def main() -> None:
    """Do what the options say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", metavar="RUN", help="an id, a unique beginning of one, or latest")
    parser.add_argument("--home", type=Path, default=default_home(), help="folder of runs")
    parser.add_argument("--teach", action="store_true", help="teach it each writer's hand")
    arguments = parser.parse_args()
    with Store(arguments.home) as store:
        run = store.find(arguments.run)
        weights, _ = Weights.load(store.files(run.id).weights)
    if arguments.teach:
        teach(weights, run.config)
        return
    for name, wide in (("as the page prepares them", True), ("strokes as thick as they were drawn", False)):
        found = doubt(Reader(weights), *pictures(bring_strokes_to_width=wide))
        print(
            f"{run.id}, {name}: {found.accuracy:.2%} of {found.confusion.sum():,}; error {found.error:.2%}, "
            f"without the least sure 2 % {found.error_of_the_sure:.2%}"
        )
        print("digit (row) read as (column)")
        print("   " + "".join(f"{digit:>6}" for digit in range(DIGITS)))
        for digit, counts in enumerate(found.confusion):
            print(f"{digit:>3}" + "".join(f"{count:>6,}" for count in counts))


if __name__ == "__main__":
    main()
