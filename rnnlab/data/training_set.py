"""What a run learns from: a data set mixed with extra digits, non-digits and a person's own drawings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import Config
from rnnlab.data.datasets import BUNDLED, Dataset, bundled_digits, load, source_stamps
from rnnlab.data.digits_cache import DigitsCache
from rnnlab.data.errors import DatasetError
from rnnlab.data.labelled_drawings import LabelledDrawingError, LabelledDrawings
from rnnlab.data.non_digits import make_two_digits
from rnnlab.data.prepared_pictures import prepared_pictures
from rnnlab.digits import NO_DIGIT

_BUNDLED_SHARE: Final = 0.096
"""How many bundled digits are mixed in for each training digit: four copies of each in MNIST's 60,000."""

_SYNTHETIC_SHARE: Final = 0.08
"""The same for synthetic digits: two copies of each in MNIST's 60,000.

They are 1, 4, 7 and 9 alone. With more of them, a network would learn that these digits are more frequent
than they are, and believe so before it has seen the first ink.
"""

_MIXTURE: Final = 1
"""Version of what is mixed in and how; every change to it adds one, so that no older mixture is used."""

_MAX_NON_DIGITS: Final = 800
"""How many different pictures of no digit are made at most; if more are needed, they are repeated."""


def load_training_set(
    config: Config,
    hand: LabelledDrawings | None = None,
    progress: Callable[[str], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
    cache: DigitsCache | None = None,
) -> Dataset:
    """Load the digits that a configuration trains on: its data set, mixed with the others that it asks for.

    `hand` holds the drawings for `your_hand`; `progress` and `stopped` are those of `load`; `cache` keeps the
    digits for the next time.

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
    key = _key(config)
    data = cache.get(key) if cache and key else None
    if data is None:
        data = load(config.dataset, progress, stopped)
        if config.extra_digits != "none" or config.nonsense:
            progress("Mixing in other pictures")
        data = with_non_digits(with_extra_digits(data, config.extra_digits), config.nonsense)
        if cache and key and not data.note:
            cache.put(key, data)
    return with_fraction(data, *examples, config.your_hand) if examples is not None else data


def _key(config: Config) -> str:
    """Return what the digits of a configuration follow from, without a person's own drawings.

    It is empty if they are not on this machine, or loaded as fast as a copy of them.
    """
    stamps = source_stamps(config.dataset)
    return stamps and repr((_MIXTURE, config.dataset, config.extra_digits, config.nonsense, stamps))


def with_extra_digits(data: Dataset, extra_digits: str) -> Dataset:
    """Return a data set with extra digits mixed into the training digits, in proportion to their number.

    `extra_digits` is `none`, `bundled` (scikit-learn's digits, unless they are the data set) or `forms` (also
    those of `synthetic_digits`).
    """
    count, extra, pictures = len(data.train_images), [], prepared_pictures()
    if extra_digits != "none" and data.name not in BUNDLED:
        bundled = bundled_digits()
        extra.append(_spread(bundled.train_images, bundled.train_labels, round(_BUNDLED_SHARE * count)))
    if extra_digits == "forms":
        extra.append(
            _spread(pictures["synthetic"], pictures["synthetic_labels"], round(_SYNTHETIC_SHARE * count))
        )
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
    drawn = _non_digits(data, min(max(wanted, 2), _MAX_NON_DIGITS))
    return with_fraction(data, drawn, np.full(len(drawn), NO_DIGIT, np.uint8), fraction)


def _non_digits(data: Dataset, count: int) -> NDArray[np.uint8]:
    """Return some pictures of no digit, half of them two digits of the data set; at least one of each."""
    two = make_two_digits(data.train_images, count // 2)
    return np.concatenate([two, prepared_pictures()["dots_and_scribbles"][: count - count // 2]])


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
