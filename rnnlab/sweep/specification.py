"""What a sweep is to do: chosen once, before its first trial, and kept with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

from rnnlab.config import HYPERPARAMETERS, STOP_RULES, Config
from rnnlab.data.datasets import VALIDATION
from rnnlab.hyperparameter import ConfigError, Value, parse_json
from rnnlab.sweep.search_space import Dimension, size_of_grid
from rnnlab.sweep.targets import Target

STRATEGIES: Final = {
    "grid": "every combination of the values, each once",
    "random": "values at random",
    "model": "values near those that have done well so far (a Parzen estimator, TPE), at first at random",
}
"""How the values of a trial can be chosen."""

TRIALS: Final = 12
"""How many trials a sweep makes if nobody says."""

MAX_TRIALS: Final = 1000
"""Most trials of a sweep."""

MAX_SEEDS: Final = 20
"""Most seeds of a trial."""

_VERSION: Final = 1
"""Version of what is written; another one is not read."""


@dataclass(frozen=True)
class Specification:
    """What a sweep is to do. Use `specify` if values come from outside.

    Attributes:
        config: The hyperparameters of every trial, but for those that vary.
        dimensions: Those that vary.
        trials: How many trials to make.
        seeds: How many runs a trial has, each from a random seed of its own.
        target: What is to be as good as possible; the value of a trial is the mean over its seeds.
        strategy: How values are chosen, one of `STRATEGIES`.
        prune: Whether trials end early that do worse than most others did at the same point.
    """

    config: Config
    dimensions: tuple[Dimension, ...]
    trials: int
    seeds: int
    target: Target
    strategy: str
    prune: bool

    def config_of(self, params: Mapping[str, Value], seed: int) -> Config:
        """Return the hyperparameters of a run of a trial.

        Args:
            params: The values of those that vary.
            seed: Which of its seeds, counted from 0.
        """
        changed = {name: HYPERPARAMETERS[name].parse(value) for name, value in params.items()}
        return replace(self.config, **changed, seed=self.config.seed + seed)  # type: ignore[arg-type]

    def to_json(self) -> str:
        """Return it as one JSON object."""
        return json.dumps(
            {
                "version": _VERSION,
                "config": asdict(self.config),
                "vary": [dimension.to_json() for dimension in self.dimensions],
                "trials": self.trials,
                "seeds": self.seeds,
                "target": str(self.target),
                "strategy": self.strategy,
                "prune": self.prune,
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` has returned.

        Raises:
            ConfigError: It is damaged, or was written by another version.
        """
        given = parse_json(text)
        version = given.get("version") if isinstance(given, dict) else None
        if not isinstance(version, int):
            raise ConfigError("its specification is damaged")
        if version != _VERSION:
            raise ConfigError(f"it was written by {'a newer' if version > _VERSION else 'an older'} RNN Lab")
        try:
            return cls(
                config=Config.from_json(json.dumps(given["config"])),
                dimensions=tuple(Dimension.from_json(each) for each in given["vary"]),
                trials=_count(given["trials"], MAX_TRIALS),
                seeds=_count(given["seeds"], MAX_SEEDS),
                target=Target.parse(given["target"]),
                strategy=_strategy(given["strategy"]),
                prune=given["prune"] is True,
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ConfigError("its specification is damaged") from error


def _count(value: Any, most: int) -> int:
    if not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError
    return value


def _strategy(value: Any) -> str:
    if value not in STRATEGIES:
        raise ConfigError(f"The strategy of a sweep must be one of {', '.join(STRATEGIES)}.")
    return str(value)


def specify(
    config: Config,
    vary: Sequence[Dimension],
    *,
    trials: int | None = None,
    seeds: int = 1,
    target: Target | None = None,
    strategy: str = "model",
    prune: bool = False,
) -> Specification:
    """Return the specification of a sweep, after checking that it can be carried out.

    Args:
        config: The hyperparameters of every trial, but for those that vary; of its data set, the validation
            part is used.
        vary: What varies.
        trials: How many trials to make, 1 to `MAX_TRIALS`; by default `TRIALS`, or all of a grid.
        seeds: How many seeds each trial has, 1 to `MAX_SEEDS`.
        target: What is to be as good as possible; by default the accuracy.
        strategy: One of `STRATEGIES`.
        prune: Whether hopeless trials end early.

    Raises:
        ConfigError: There is nothing to vary, something twice, or too much.
    """
    names = [dimension.name for dimension in vary]
    if not names:
        raise ConfigError("A sweep needs something to vary, such as learning_rate=0.0003:0.03.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{HYPERPARAMETERS[twice[0]].label} is varied twice; name it once.")
    target = target or Target()
    last_seed = int(HYPERPARAMETERS["seed"].maximum or 0)
    if not 1 <= seeds <= MAX_SEEDS or config.seed + seeds - 1 > last_seed:
        raise ConfigError(
            f"A trial has 1 to {MAX_SEEDS} seeds, the last one at most {last_seed:,}; not {seeds:,} from "
            f"{config.seed:,} on."
        )
    rules: dict[str, Value] = dict.fromkeys(STOP_RULES, 0)
    if target.kind == "seconds":
        rules["stop_at"] = target.number / 100
    dataset = VALIDATION.get(config.dataset, config.dataset)
    return Specification(
        config=replace(config, dataset=dataset, **rules),  # type: ignore[arg-type]
        dimensions=tuple(vary),
        trials=_trials(vary, trials, _strategy(strategy)),
        seeds=seeds,
        target=target,
        strategy=strategy,
        prune=prune,
    )


def _trials(vary: Sequence[Dimension], trials: int | None, strategy: str) -> int:
    """Return how many trials to make.

    Raises:
        ConfigError: They are too many, or too few for a grid.
    """
    if trials is not None and not 1 <= trials <= MAX_TRIALS:
        raise ConfigError(f"A sweep has 1 to {MAX_TRIALS:,} trials, not {trials:,}.")
    if strategy != "grid":
        return trials or TRIALS
    size = size_of_grid(vary)
    if size > (trials or MAX_TRIALS):
        raise ConfigError(
            f"This grid has {size:,} trials, more than the {trials or MAX_TRIALS:,} "
            f"{'allowed' if trials is None else 'asked for'}; vary fewer values, or choose another strategy, "
            "such as random."
        )
    return size
