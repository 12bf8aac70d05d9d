"""What a run learns from: a data set mixed with extra digits, non-digits and a person's own drawings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import Config
from rnnlab.data.datasets import Dataset, bundled_digits, load
from rnnlab.data.errors import DatasetError
from rnnlab.data.labelled_drawings import LabelledDrawingError, LabelledDrawings
from rnnlab.data.non_digits import make_non_digits
from rnnlab.data.synthetic_digits import SYNTHETIC_DIGITS, make_synthetic_digits
from rnnlab.digits import NO_DIGIT

_BUNDLED_SHARE: Final = 0.096
"""How many bundled digits are mixed in for each training digit: four copies of each in MNIST's 60,000."""

_SYNTHETIC_SHARE: Final = 0.08
"""The same for the digits of `make_synthetic_digits`: two copies of each in MNIST's 60,000.

They are 1, 4, 7 and 9 alone. With more of them, a network would learn that these digits are more frequent
than they are, and believe so before it has seen the first ink.
"""

_MAX_NON_DIGITS: Final = 800
"""How many different pictures of no digit are made at most; if more are needed, they are repeated."""


def load_training_set(
    config: Config,
    hand: LabelledDrawings | None = None,
    progress: Callable[[str], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Dataset:
    """Load the digits that a configuration trains on: its data set, mixed with the others that it asks for.

    `hand` holds the drawings for `your_hand`; `progress` and `stopped` are those of `load`.

    Raises:
        DatasetError: As for `load`; or the configuration asks for drawings, and there are none or they
            cannot be read.
        LoadingStoppedError: As for `load`.
    """
    try:
        examples = hand.examples() if hand and config.your_hand else None
    except LabelledDrawingError as error:
        raise DatasetError(str(error)) from error
    if config.your_hand and (examples is None or not len(examples[0])):
        raise DatasetError(
            "There are no drawings to learn from; draw a digit and name it first (for the command line, one "
            "that everybody shares: RNNLAB_SHARED_DRAWINGS=1)."
        )
    data = load(config.dataset, progress, stopped)
    if config.extra_digits != "none" or config.nonsense:
        progress("Drawing extra digits")
    data = with_non_digits(with_extra_digits(data, config.extra_digits), config.nonsense)
    return with_fraction(data, *examples, config.your_hand) if examples is not None else data


def with_extra_digits(data: Dataset, extra_digits: str) -> Dataset:
    """Return a data set with extra digits mixed into the training digits, in proportion to their number.

    `extra_digits` is `none`, `bundled` (scikit-learn's digits, unless they are the data set) or `forms` (also
    `make_synthetic_digits`).
    """
    count, extra = len(data.train_images), []
    if extra_digits != "none" and data.name != "digits":
        bundled = bundled_digits()
        extra.append(_spread(bundled.train_images, bundled.train_labels, round(_BUNDLED_SHARE * count)))
    if extra_digits == "forms":
        wanted = round(_SYNTHETIC_SHARE * count)
        extra.append(_spread(*make_synthetic_digits(min(1.0, wanted / SYNTHETIC_DIGITS)), wanted))
    return replace(
        data,
        train_images=np.concatenate([data.train_images, *(images for images, _ in extra)]),
        train_labels=np.concatenate([data.train_labels, *(labels for _, labels in extra)]),
    )


def _spread(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], count: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return that many of some images and their labels, each as often as the others or once more."""
    chosen = np.arange(count) * len(images) // max(1, count)
    return images[chosen], labels[chosen]


def with_non_digits(data: Dataset, fraction: float) -> Dataset:
    """Return a data set in which a fraction of the training images are no digits, labelled `NO_DIGIT`."""
    if not fraction:
        return data
    wanted = round(len(data.train_images) * fraction / (1.0 - fraction))
    drawn = make_non_digits(data.train_images, min(wanted, _MAX_NON_DIGITS))
    return with_fraction(data, drawn, np.full(len(drawn), NO_DIGIT, np.uint8), fraction)


def with_fraction(
    data: Dataset, images: NDArray[np.uint8], labels: NDArray[np.uint8], fraction: float
) -> Dataset:
    """Return a data set in which the given images make up a fraction of the training images.

    The images, at least one, have shape (N, 28, 28) and are repeated as often as needed; their labels have
    shape (N,). The fraction is 0 to below 1.
    """
    count = round(len(data.train_images) * fraction / (1.0 - fraction))
    chosen = np.arange(count) % len(images)
    return replace(
        data,
        train_images=np.concatenate([data.train_images, images[chosen]]),
        train_labels=np.concatenate([data.train_labels, labels[chosen]]),
    )
