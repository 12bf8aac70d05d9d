"""Every hyperparameter, declared once: default, bounds, unit, help, validation, JSON and URL forms.

The controls of the dashboard, the options of the command line, the checks of both and all help texts come
from `HYPERPARAMETERS`, which is built from the fields of `Config`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Self

from rnnlab.hyperparameter import ConfigError, Hyperparameter, Value, parse_json

_NETWORK: Final = "the network"
_STEPS: Final = "its steps"
_DIGITS: Final = "the digits it learns from"


def _declare(default: Value, **description: Any) -> Any:
    """Declare a field of `Config` together with everything known about it."""
    return field(default=default, metadata=description)


UNCHANGED_DIGITS: Mapping[str, Value] = {
    "rotation": 0.0,
    "slant": 0.0,
    "scaling": 0.0,
    "shift": 0.0,
    "bending": 0.0,
    "thickness": 0.0,
    "distorted_share": 1.0,
    "extra_digits": "none",
}
"""Hyperparameters of a run that learns from the digits of its data set alone, and as they are."""

_OLD_RUNS: Mapping[str, Value] = {"schedule": "constant", "nonsense": 0.0, **UNCHANGED_DIGITS}
"""How runs were trained before these hyperparameters existed."""


STOP_RULES: Final = ("stop_at", "patience", "minutes")
"""Hyperparameters that can end a run before its last step; each is off at 0."""


@dataclass(frozen=True)
class Config:
    """The hyperparameters of one run. Use `config_from` if values come from outside."""

    learning_rate: float = _declare(
        0.001,
        label="learning rate",
        minimum=1e-5,
        maximum=1.0,
        scale="log",
        help="How far each step moves the weights. "
        "Too small a rate learns slowly, too large a one never settles.",
    )
    batch_size: int = _declare(
        128,
        label="batch size",
        unit="images",
        minimum=8,
        maximum=1024,
        step=8,
        help="How many images the network looks at before each change of its weights.",
    )
    neurons: int = _declare(
        128,
        label="neurons",
        minimum=8,
        maximum=512,
        step=8,
        help="Size of the network's memory: the length of the hidden state of each layer.",
    )
    cell: str = _declare(
        "lstm",
        label="cell",
        choices={
            "lstm": "LSTM",
            "gru": "GRU",
            "simple_rnn": "simple RNN",
        },
        help="What computes the new hidden state from the old one and the next row. An LSTM has a memory "
        "(cell state) with three gates and remembers for long; a GRU has two gates and no memory beside the "
        "hidden state; a simple RNN has no gates and forgets soonest. Each is that of Keras.",
    )
    layers: int = _declare(
        1,
        label="layers",
        minimum=1,
        maximum=3,
        step=1,
        group=_NETWORK,
        help="How many recurrent layers lie one above the other. Each reads the hidden state of that below.",
    )
    reading_order: str = _declare(
        "down",
        label="reading order",
        choices={
            "down": "rows, from the top to the bottom",
            "up": "rows, from the bottom to the top",
            "right": "columns, from the left to the right",
            "left": "columns, from the right to the left",
            "shuffled": "rows, in one fixed random order",
        },
        group=_NETWORK,
        help="In which order the network sees the parts of an image: 28 steps of one row or one column each. "
        "Where other settings speak of rows, they mean what is read at each step.",
    )
    iterations: int = _declare(
        20_000,
        label="iterations",
        unit="steps",
        minimum=20,
        maximum=200_000,
        step=1000,
        help="How many training steps to make. One step reads one batch and changes the weights once.",
    )
    seed: int = _declare(
        0,
        label="random seed",
        minimum=0,
        maximum=2**31 - 1,
        step=1,
        group=_STEPS,
        help="Starting point of the random numbers that set the first weights and the order of the images. "
        "On the same machine with the same number of cores, the same seed gives the same run; with another "
        "number, the curve may differ in the last digits.",
    )
    row_loss_mix: float = _declare(
        0.5,
        label="row loss mix",
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        group=_STEPS,
        help="What the network is graded on: 0 = its belief after the last row only, "
        "1 = its belief after every row equally, 0.5 = half and half.",
    )
    initializers: str = _declare(
        "keras",
        label="first weights (initializers)",
        choices={
            "keras": "Keras' own: scaled to the size of each layer",
            "notebook": "the notebook's: N(0, 1) weights and biases of 0.1 around the LSTM",
        },
        group=_STEPS,
        help="How the weights are chosen at random before the first step.",
    )
    optimizer: str = _declare(
        "adam",
        label="optimizer",
        choices={
            "adam": "Adam: steps of about equal length for every weight, with momentum",
            "sgd": "SGD: plain gradient descent; wants a hundred times Adam's learning rate",
            "momentum": "momentum: SGD that keeps 0.9 of its last step; wants ten times Adam's rate",
            "rmsprop": "RMSprop: steps of about equal length for every weight, without momentum",
        },
        group=_STEPS,
        help="How the gradient of a step moves the weights. Each is that of Keras.",
    )
    engine: str = _declare(
        "auto",
        label="engine",
        choices={
            "auto": "auto: Keras if there is a GPU, otherwise numpy",
            "keras": "Keras: its own layers and optimizer, run by TensorFlow; the reference",
            "numpy": "numpy: written by hand for processors, and several times as fast there",
        },
        group=_STEPS,
        help="Which program computes the steps. Both learn the same from the same seed, but for rounding.",
    )
    schedule: str = _declare(
        "cosine",
        label="learning rate schedule",
        choices={
            "constant": "the same learning rate from the first step to the last",
            "cosine": "falls along half a cosine curve, to zero at the last step",
        },
        group=_STEPS,
        help="How the learning rate changes during training. Steps that get smaller let the weights settle.",
    )
    warm_up: int = _declare(
        0,
        label="warm-up",
        unit="steps",
        minimum=0,
        maximum=10_000,
        step=100,
        group=_STEPS,
        help="How many steps the learning rate takes at the start to rise from near zero to its full value.",
    )
    clip_norm: float = _declare(
        0.0,
        label="gradient clipping",
        minimum=0.0,
        maximum=100.0,
        step=0.1,
        group=_STEPS,
        help="Longest gradient (largest norm) that a step may use; a longer one is shortened to it. 0 = off.",
    )
    averaging: int = _declare(
        0,
        label="weight averaging",
        unit="steps",
        minimum=0,
        maximum=10_000,
        step=100,
        group=_STEPS,
        help="The network reads with its weights averaged over about this many of the last steps. 0 = off.",
    )
    stop_at: float = _declare(
        0.0,
        label="stop at test accuracy",
        minimum=0.0,
        maximum=1.0,
        step=0.005,
        typed=True,
        group=_STEPS,
        help="The run ends as soon as a test reads this share of the test digits right, such as 0.98. "
        "A test reads the whole test set; there is one after about every 128,000 training images. 0 = off.",
    )
    patience: int = _declare(
        0,
        label="patience",
        unit="tests",
        minimum=0,
        maximum=1000,
        step=1,
        group=_STEPS,
        help="The run ends after this many tests in a row that were no better than the best one before them "
        "(early stopping). There is a test after about every 128,000 training images. 0 = off.",
    )
    minutes: float = _declare(
        0.0,
        label="minutes of training",
        minimum=0.0,
        maximum=10_080.0,
        step=1.0,
        typed=True,
        group=_STEPS,
        help="The run ends after so many minutes of training, its tests included. Pauses, and the time "
        "before its first step, do not count. 0 = off.",
    )
    rotation: float = _declare(
        15.0,
        label="rotation",
        unit="degrees",
        minimum=0.0,
        maximum=45.0,
        step=1.0,
        group=_DIGITS,
        help="Training digits are turned at random, by up to this many degrees to either side.",
    )
    slant: float = _declare(
        0.3,
        label="slant",
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        group=_DIGITS,
        help="Training digits are slanted at random: 0.3 means up to 0.3 pixels across for each pixel down.",
    )
    scaling: float = _declare(
        0.1,
        label="scaling",
        minimum=0.0,
        maximum=0.5,
        step=0.05,
        group=_DIGITS,
        help="Width and height of training digits are changed at random: 0.1 means by about a tenth at most.",
    )
    shift: float = _declare(
        0.5,
        label="shift",
        unit="pixels",
        minimum=0.0,
        maximum=4.0,
        step=0.25,
        group=_DIGITS,
        help="Training digits are moved at random, by up to this many pixels in each direction.",
    )
    bending: float = _declare(
        0.8,
        label="bending (elastic distortion)",
        unit="pixels",
        minimum=0.0,
        maximum=3.0,
        step=0.1,
        group=_DIGITS,
        help="Training digits are bent at random by about this many pixels, as if written on a rubber sheet.",
    )
    thickness: float = _declare(
        0.6,
        label="thickness",
        minimum=0.0,
        maximum=1.0,
        step=0.1,
        group=_DIGITS,
        help="Training digits are made thinner or thicker at random: 1 means by up to a pixel on each side.",
    )
    distorted_share: float = _declare(
        0.3,
        label="distorted share",
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        group=_DIGITS,
        help="Share of the training digits that are distorted, and therefore graded on the last row only; "
        "the rest stay as they are.",
    )
    extra_digits: str = _declare(
        "forms",
        label="extra digits",
        choices={
            "none": "none",
            "bundled": "scikit-learn's bundled digits, written by other people",
            "forms": "the bundled digits, and computer-drawn forms of 1, 4, 7 and 9 that MNIST hardly has",
        },
        group=_DIGITS,
        help="Digits from other sources that are mixed into the training digits.",
    )
    nonsense: float = _declare(
        0.02,
        label="nonsense",
        minimum=0.0,
        maximum=0.2,
        step=0.01,
        group=_DIGITS,
        help="Share of training images that show no digit: dots, scribbles, two digits side by side. "
        "The network learns to be unsure about them: to believe one tenth in each digit.",
    )
    your_hand: float = _declare(
        0.0,
        label="your hand",
        minimum=0.0,
        maximum=0.5,
        step=0.05,
        group=_DIGITS,
        help="Share of training images that are your own drawings: those whose right digit you have named.",
    )
    dataset: str = _declare(
        "mnist",
        label="data set",
        choices={
            "mnist": "MNIST, 60,000 digits of 28 x 28 pixels",
            "validation": "MNIST's training digits: 50,000 to learn from, the other 10,000 as the test",
            "digits": "scikit-learn's bundled digits, 1,797 of 8 x 8 pixels, enlarged",
            "digits_validation": "their training digits: 1,198 to learn from, the other 239 as the test",
        },
        group=_DIGITS,
        help="The handwritten digits to learn from.",
    )

    def to_json(self) -> str:
        """Return the configuration as one JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; unknown names are ignored, so older versions can read newer runs.

        Raises:
            ConfigError: It is something else.
        """
        found = parse_json(text)
        if not isinstance(found, dict):
            raise ConfigError("The configuration of the run is damaged; start a new run.")
        values = {**_OLD_RUNS, **found}
        return cls(**{name: h.parse(values[name]) for name, h in HYPERPARAMETERS.items() if name in values})  # type: ignore[arg-type]


_KINDS: Mapping[str, type[int] | type[float] | type[str]] = {"int": int, "float": float, "str": str}

HYPERPARAMETERS: Mapping[str, Hyperparameter] = {
    f.name: Hyperparameter(
        name=f.name, kind=_KINDS[str(f.type)], default=getattr(Config, f.name), **f.metadata
    )
    for f in fields(Config)
}
