"""Presets: named configurations, and how a configuration is built from one and values from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from rnnlab.config import HYPERPARAMETERS, STOP_RULES, UNCHANGED_DIGITS, Config
from rnnlab.hyperparameter import ConfigError, Value

PRESETS: Mapping[str, Config] = {
    "default": Config(),
    "quick": Config(
        cell="gru",
        neurons=96,
        batch_size=96,
        iterations=2_500,
        learning_rate=0.005,
        warm_up=50,
        clip_norm=1.0,
        averaging=100,
        row_loss_mix=0.4,
        distorted_share=0.6,
        shift=1.0,
        extra_digits="none",
        nonsense=0.0,
    ),
    "best": Config(
        learning_rate=0.003,
        batch_size=176,
        warm_up=200,
        clip_norm=1.0,
        distorted_share=0.7,
        nonsense=0.03,
    ),
    "notebook": Config(
        row_loss_mix=0.0,
        initializers="notebook",
        schedule="constant",
        nonsense=0.0,
        **UNCHANGED_DIGITS,  # type: ignore[arg-type]
    ),
}

FREE: Final = ("seed", "iterations", "dataset", *STOP_RULES)
"""Hyperparameters that may differ from those of a preset: they do not change the method."""

_TEACHING: Mapping[str, Any] = {
    "learning_rate": 0.0008,
    "iterations": 300,
    "warm_up": 0,
    "your_hand": 0.3,
}

PRESET_HELP: Mapping[str, str] = {
    "default": "graded after every row, so that its belief can be trusted at every row; "
    "learns from other people's digits, too",
    "quick": "learns fastest: a smaller network with GRU cells, large steps at first, and their average",
    "best": "reads best: learns more from distorted digits, in larger batches and longer steps",
    "notebook": "the original notebook: graded on the last row only",
}


def config_from(values: Mapping[str, object], preset: str = "default", *, as_options: bool = False) -> Config:
    """Build a configuration from a preset and values from outside.

    Args:
        values: Hyperparameters by name, as texts or numbers; unknown names are ignored.
        preset: A name in `PRESETS`.
        as_options: Whether error sentences call a hyperparameter by its command line option.

    Raises:
        ConfigError: A value cannot be used, or there is no such preset.
    """
    if preset not in PRESETS:
        raise ConfigError(
            f"{'--preset' if as_options else 'preset'} must be one of {', '.join(PRESETS)}, "
            f"not {preset[:40]!r}."
        )
    parsed = {
        name: hyperparameter.parse(values[name], hyperparameter.option if as_options else None)
        for name, hyperparameter in HYPERPARAMETERS.items()
        if name in values
    }
    return replace(PRESETS[preset], **parsed)  # type: ignore[arg-type]


def settings_query(config: Config) -> dict[str, str]:
    """Return a configuration as URL parameters: the nearest preset, and what differs from it.

    `config_from` reads them. The preset is left out if it is `default`, so the default settings need none.
    """
    preset, differing = nearest_preset(config)
    values = {name: str(value) for name, value in differing.items()}
    return ({} if preset == "default" else {"preset": preset}) | values


def nearest_preset(config: Config) -> tuple[str, dict[str, Value]]:
    """Return the preset from which a configuration differs least, and by name the values that differ."""
    values = asdict(config)
    differing = {
        name: {key: value for key, value in values.items() if value != getattr(preset, key)}
        for name, preset in PRESETS.items()
    }
    nearest = min(PRESETS, key=lambda name: len(differing[name]))  # the first of several
    return nearest, differing[nearest]


def teaching_config(config: Config) -> Config:
    """Return the configuration for teaching a network a person's handwriting: a short run from its weights.

    The digits that it was trained on are mixed in, so that it does not forget them. Distortion turns a few
    drawings into many different ones.

    Args:
        config: That of the run that trained the network.
    """
    return replace(
        PRESETS["best"],
        neurons=config.neurons,
        cell=config.cell,
        layers=config.layers,
        reading_order=config.reading_order,
        row_loss_mix=config.row_loss_mix,
        initializers=config.initializers,
        extra_digits=config.extra_digits,
        nonsense=config.nonsense,
        dataset=config.dataset,
        seed=config.seed,
        **_TEACHING,
    )


def preset_of(config: Config) -> str | None:
    """Return the preset that a configuration follows in all but what is `FREE`, or `None`."""
    values = asdict(config)
    for name, preset in PRESETS.items():
        if all(value == getattr(preset, key) for key, value in values.items() if key not in FREE):
            return name
    return None
