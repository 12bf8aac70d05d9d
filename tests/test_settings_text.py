"""What a run was trained with, in words: its preset, what differs, and what tells runs apart."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from rnnlab.config import HYPERPARAMETERS, Config
from rnnlab.config_changes import Change
from rnnlab.dashboard.settings_text import what_differs, what_tells_apart
from rnnlab.presets import PRESETS, config_from, teaching_config
from rnnlab.runs import Run, RunState


def run_with(config: Config, *changes: Change, name: str = "calm-otter-3f9a") -> Run:
    return Run(name, config, RunState.TRAINING, created=0.0, changes=changes)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_run_with_the_settings_of_a_preset_is_called_by_it_alone(preset: str) -> None:
    assert what_differs(run_with(PRESETS[preset])) == preset


@pytest.mark.parametrize(
    ("values", "preset", "text"),
    [
        ({"learning_rate": 0.01, "neurons": 64}, "default", "default, learning rate 0.01, 64 neurons"),
        ({"learning_rate": 0.01, "iterations": 3000}, "notebook",
         "notebook, learning rate 0.01, 3,000 iterations"),
        ({"seed": 7, "initializers": "notebook"}, "best", "best, random seed 7, first weights: notebook"),
        ({"bending": 0, "dataset": "digits"}, "default", "default, bending 0, data set: digits"),
    ],
)  # fmt: skip
def test_what_differs_from_the_nearest_preset_is_named(
    values: dict[str, object], preset: str, text: str
) -> None:
    assert what_differs(run_with(config_from(values, preset))) == text


def test_changes_during_the_run_are_told_with_the_values_of_before() -> None:
    once = run_with(Config(neurons=64), Change(4021, "learning_rate", 0.01))
    assert what_differs(once) == "default, learning rate 0.01 (0.001 until step 4,021), 64 neurons"
    again = replace(once, changes=(*once.changes, Change(6000, "learning_rate", 0.001)))
    assert "learning rate 0.001 (0.001 until step 4,021, 0.01 until step 6,000)" in what_differs(again)
    longer = run_with(Config(), Change(20_000, "iterations", 25_000))
    assert what_differs(longer) == "default, 25,000 iterations (20,000 until step 20,000)"


def test_a_change_before_the_first_step_or_to_the_same_value_is_no_change_of_a_value() -> None:
    assert what_differs(run_with(Config(), Change(0, "batch_size", 64))) == "default, batch size 64"
    twice = (Change(40, "batch_size", 64), Change(40, "batch_size", 32), Change(60, "batch_size", 32))
    assert what_differs(run_with(Config(), *twice)) == "default, batch size 32 (128 until step 40)"


def test_three_learning_rates_are_three_texts_that_differ_and_say_nothing_else() -> None:
    runs = [
        run_with(Config(learning_rate=rate, neurons=64), name=f"r{rate}") for rate in (0.001, 0.003, 0.01)
    ]
    assert what_tells_apart(runs) == {
        "r0.001": "learning rate 0.001",
        "r0.003": "learning rate 0.003",
        "r0.01": "learning rate 0.01",
    }


def test_runs_that_differ_in_much_are_told_by_preset_and_difference() -> None:
    runs = [
        run_with(PRESETS["default"], name="a"),
        run_with(PRESETS["notebook"], name="b"),
        run_with(config_from({"learning_rate": 0.01}, "notebook"), name="c"),
    ]
    assert what_tells_apart(runs) == {"a": "default", "b": "notebook", "c": "notebook, learning rate 0.01"}


def test_runs_with_the_same_settings_and_a_run_alone_are_told_by_all_that_differs_from_their_preset() -> None:
    same = [run_with(Config(neurons=64), name=name) for name in "ab"]
    assert what_tells_apart(same) == {"a": "default, 64 neurons", "b": "default, 64 neurons"}
    assert what_tells_apart(same[:1]) == {"a": "default, 64 neurons"}
    assert what_tells_apart([]) == {}


def test_runs_with_other_settings_or_changes_never_have_the_same_text() -> None:
    chance = random.Random(5)  # noqa: S311
    for _ in range(60):
        configs = {teaching_config(Config()), *PRESETS.values()}
        for _ in range(chance.randint(1, 6)):
            name, h = chance.choice(list(HYPERPARAMETERS.items()))
            value = chance.choice(list(h.choices)) if h.choices else chance.choice([h.minimum, h.maximum])
            configs.add(config_from({name: value}, chance.choice(list(PRESETS))))
        chosen = chance.sample(sorted(configs, key=str), chance.randint(2, len(configs)))
        runs = [run_with(config, name=f"r{index}") for index, config in enumerate(chosen)]
        runs.append(replace(runs[0], id="changed", changes=(Change(40, "batch_size", 48),)))
        texts = what_tells_apart(runs)
        assert len(set(texts.values())) == len(runs), texts
