"""What a run learns from: a data set, and mixed into it digits from elsewhere, nonsense and a hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnlab.config import Config
from rnnlab.datasets import Dataset, DatasetError, bundled_digits, load
from rnnlab.forms import draw_forms
from rnnlab.hand import Hand
from rnnlab.nonsense import draw_nonsense
from rnnlab.reader import NO_DIGIT

_BUNDLED_COPIES: Final = 4
"""How often each bundled digit is mixed into other training digits, which far outnumber them."""

_FORMS_COPIES: Final = 4
"""The same of the digits drawn by rule."""

_NONSENSE: Final = 800
"""Pictures of no digit that are drawn at most; where more are wanted, they come again."""


def training_data(
    config: Config, hand: Hand | None = None, progress: Callable[[str], None] = lambda _: None
) -> Dataset:
    """Load what a configuration trains on: its data set, and mixed into it what else it asks for.

    Args:
        config: The hyperparameters.
        hand: The drawings of `your_hand`.
        progress: Told in a few words what is going on.

    Raises:
        DatasetError: As for `load`; or there are no drawings where the configuration asks for some.
    """
    examples = hand.examples() if hand and config.your_hand else None
    if config.your_hand and (examples is None or not len(examples[0])):
        raise DatasetError("Your hand has no drawings to learn from; draw a digit and name it first.")
    data = load(config.dataset, progress)
    if config.extra_digits != "none" or config.nonsense:
        progress("Drawing extra digits")
    data = with_nonsense(with_extra_digits(data, config.extra_digits), config.nonsense)
    return with_share(data, *examples, config.your_hand) if examples is not None else data


def with_extra_digits(data: Dataset, extra_digits: str) -> Dataset:
    """Return a data set with digits from elsewhere, several copies of each, mixed into those to learn from.

    Args:
        data: The data set.
        extra_digits: `none`, `bundled` (scikit-learn's digits) or `forms` (these and `forms.draw_forms`).
    """
    if extra_digits == "none":
        return data
    bundled = bundled_digits()
    images, labels = [bundled.train_images] * _BUNDLED_COPIES, [bundled.train_labels] * _BUNDLED_COPIES
    if extra_digits == "forms":
        drawn = draw_forms()
        images, labels = images + [drawn[0]] * _FORMS_COPIES, labels + [drawn[1]] * _FORMS_COPIES
    return replace(
        data,
        train_images=np.concatenate([data.train_images, *images]),
        train_labels=np.concatenate([data.train_labels, *labels]),
    )


def with_nonsense(data: Dataset, share: float) -> Dataset:
    """Return a data set in which a share of the images to learn from are no digits, labelled `NO_DIGIT`."""
    if not share:
        return data
    wanted = round(len(data.train_images) * share / (1.0 - share))
    drawn = draw_nonsense(data.train_images, min(wanted, _NONSENSE))
    return with_share(data, drawn, np.full(len(drawn), NO_DIGIT, np.uint8), share)


def with_share(data: Dataset, images: NDArray[np.uint8], labels: NDArray[np.uint8], share: float) -> Dataset:
    """Return a data set in which images from elsewhere are a share of those to learn from.

    Args:
        data: The data set.
        images: At least one, shape (N, 28, 28); they come as often as they must.
        labels: Their labels, shape (N,).
        share: From 0 to below 1.
    """
    count = round(len(data.train_images) * share / (1.0 - share))
    chosen = np.arange(count) % len(images)
    return replace(
        data,
        train_images=np.concatenate([data.train_images, images[chosen]]),
        train_labels=np.concatenate([data.train_labels, labels[chosen]]),
    )
