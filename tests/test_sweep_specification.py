"""What a sweep is to do: checked before it begins, and kept with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rnnlab.config import Config
from rnnlab.hyperparameter import ConfigError
from rnnlab.presets import config_from
from rnnlab.store.database import StoreError
from rnnlab.sweep.sweep_files import SweepFiles, create_sweep, find_sweep, sweep_names
from rnnlab.sweep.targets import Target
from tests.sweeps import plan

NEURONS = "neurons=8,16"


@pytest.mark.parametrize(
    ("asked", "used"),
    [
        ("mnist", "validation"),
        ("validation", "validation"),
        ("digits", "digits_validation"),
        ("digits_validation", "digits_validation"),
    ],
)
def test_trials_are_judged_by_the_validation_part_never_by_the_test_set(asked: str, used: str) -> None:
    assert plan(NEURONS, config=config_from({"dataset": asked})).config.dataset == used


def test_a_sweep_after_seconds_ends_its_runs_there_and_no_other_sweep_ends_any_early() -> None:
    hurried = config_from({"dataset": "digits", "stop_at": 0.5, "patience": 3, "minutes": 1})
    by_seconds = plan(NEURONS, config=hurried, target="seconds:97").config
    assert (by_seconds.stop_at, by_seconds.patience, by_seconds.minutes) == (0.97, 0, 0)
    assert plan(NEURONS, config=hurried).config.stop_at == 0


def test_a_grid_has_all_its_trials_and_other_strategies_twelve_if_nobody_says() -> None:
    sides = [NEURONS, "learning_rate=0.001:0.1:3", "cell=lstm,gru"]
    assert plan(*sides, strategy="grid").trials == 12
    assert plan("neurons=8:64:4", strategy="grid", trials=20).trials == 4
    assert plan(*sides, strategy="model").trials == plan(*sides).trials == 12


def test_every_seed_of_a_trial_has_a_configuration_of_its_own() -> None:
    config = plan(NEURONS, config=config_from({"dataset": "digits", "seed": 5}), seeds=3)
    configs = [config.config_of({"neurons": 16}, seed) for seed in range(3)]
    assert [(each.neurons, each.seed) for each in configs] == [(16, 5), (16, 6), (16, 7)]


@pytest.mark.parametrize(
    ("vary", "others", "said"),
    [
        ([], {}, "A sweep needs something to vary"),
        ([NEURONS, NEURONS], {}, "neurons is varied twice"),
        ([NEURONS], {"trials": 1001}, "A sweep has 1 to 1,000 trials, not 1,001"),
        ([NEURONS], {"seeds": 21}, "A trial has 1 to 20 seeds"),
        ([NEURONS], {"seeds": 2, "config": Config(seed=2**31 - 1)}, "A trial has 1 to 20 seeds"),
        ([NEURONS], {"strategy": "luck"}, "The strategy of a sweep must be one of grid, random, model"),
        (
            ["neurons=8:512:60", "rotation=0:45:60"],
            {"strategy": "grid"},
            "This grid has 3,600 trials, more than",
        ),
        ([NEURONS], {"strategy": "grid", "trials": 1}, "This grid has 2 trials, more than the 1 asked for"),
    ],
)
def test_what_cannot_be_carried_out_is_said_in_one_sentence(
    vary: list[str], others: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        plan(*vary, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["", "speed", "seconds", "seconds:0", "seconds:101", "row:0", "row:29", "row:1.5"]
)
def test_a_target_that_there_is_not_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(ConfigError, match=r"must be accuracy, seconds:97 .* or row:14"):
        Target.parse(text)


@pytest.mark.parametrize("text", ["accuracy", "seconds:97.5", "row:14"])
def test_a_target_is_written_as_it_is_read(text: str) -> None:
    assert str(Target.parse(text)) == text


def test_a_specification_is_read_back_as_it_was(tmp_path: Path) -> None:
    specification = plan(
        NEURONS, "learning_rate=0.0003:0.03:7", seeds=2, target="row:14", strategy="model", prune=True
    )
    files = create_sweep(tmp_path, specification)
    assert files.read_specification() == specification
    assert list(sweep_names(tmp_path)) == [files.name]
    for name in (files.name, files.name[:-3], "latest"):
        assert find_sweep(tmp_path, name).folder == files.folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "it was written by a newer RNN Lab"),
        ({"version": 0}, "it was written by an older RNN Lab"),
        ({"version": None}, "its specification is damaged"),
        ({"trials": "many"}, "its specification is damaged"),
        ({"trials": 10**9}, "its specification is damaged"),
        ({"vary": [{"name": "brain", "values": [1, 2]}]}, "its specification is damaged"),
        ({"config": {"neurons": -1}}, "its specification is damaged"),
    ],
)
def test_a_damaged_sweep_or_one_of_another_version_is_named_and_left_alone(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    files = create_sweep(tmp_path, plan(NEURONS))
    text = json.dumps(json.loads(files.specification.read_text()) | change)
    files.specification.write_text(text)
    with pytest.raises(StoreError, match=said):
        files.read_specification()
    assert files.specification.read_text() == text


def test_names_that_fit_no_sweep_or_several_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no sweep called 'latest'"):
        find_sweep(tmp_path, "latest")
    for name in ("calm-otter-0001", "calm-otter-0002"):
        (tmp_path / "sweeps" / name).mkdir(parents=True)
    with pytest.raises(StoreError, match="2 sweeps begin with 'calm'"):
        find_sweep(tmp_path, "calm")
    with pytest.raises(StoreError, match="There is no sweep called"):
        find_sweep(tmp_path, "../calm-otter-0001")
    with pytest.raises(StoreError, match="There is no sweep called"):
        SweepFiles(tmp_path, "../calm-otter-0001")
