from __future__ import annotations

import json
from dataclasses import fields

import pytest

from rnnlab.config import HYPERPARAMETERS, UNCHANGED_DIGITS, Config
from rnnlab.hyperparameter import ConfigError
from rnnlab.presets import PRESETS, config_from, preset_of, settings_query


def test_every_field_is_declared_with_a_label_and_help() -> None:
    assert list(HYPERPARAMETERS) == [f.name for f in fields(Config)]
    assert all(h.label and h.help.endswith(".") for h in HYPERPARAMETERS.values())


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("learning_rate", 1e-5, 1.0),
        ("batch_size", 8, 1024),
        ("neurons", 8, 512),
        ("iterations", 20, 200_000),
    ],
)
def test_bounds_are_inclusive(name: str, lowest: float, highest: float) -> None:
    for value in (lowest, highest):
        assert getattr(config_from({name: str(value)}), name) == value
    for value in (lowest * 0.99, highest * 1.01):
        with pytest.raises(ConfigError, match="must be"):
            config_from({name: value})


@pytest.mark.parametrize("value", ["", "abc", "nan", "inf", "-inf", "1e999", None, True, [1], "1;2", "12.5"])
def test_a_batch_size_that_is_no_whole_number_is_refused_in_one_sentence(value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        config_from({"batch_size": value})
    assert str(caught.value).startswith("batch size must be a whole number from 8 to 1,024, not ")
    assert "\n" not in str(caught.value)


def test_a_long_value_is_shown_cut_off() -> None:
    with pytest.raises(ConfigError) as caught:
        config_from({"seed": "9" * 10_000})
    assert len(str(caught.value)) < 200


def test_options_are_called_by_their_name_on_the_command_line() -> None:
    with pytest.raises(ConfigError, match=r"^--learning-rate must be a number from 1e-05 to 1, not '5'"):
        config_from({"learning_rate": "5"}, as_options=True)


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ConfigError, match="preset must be one of default, quick, best, notebook"):
        config_from({}, "best of all")


def test_the_notebook_preset_has_the_notebooks_settings() -> None:
    notebook = PRESETS["notebook"]
    assert (notebook.learning_rate, notebook.batch_size, notebook.neurons, notebook.iterations) == (
        0.001,
        128,
        128,
        20_000,
    )
    assert notebook.row_loss_mix == 0
    assert notebook.initializers == "notebook"


def test_json_gives_back_what_it_was_given() -> None:
    config = config_from({"learning_rate": 0.02, "neurons": 64, "dataset": "digits"}, "notebook")
    assert Config.from_json(config.to_json()) == config


def test_json_of_another_version_keeps_what_is_known() -> None:
    values = json.loads(Config(neurons=32).to_json())
    values["from_the_future"] = 1
    del values["row_loss_mix"]
    assert Config.from_json(json.dumps(values)) == Config(neurons=32)


def test_the_url_form_holds_what_differs_from_the_nearest_preset_and_reads_back() -> None:
    config = config_from({"learning_rate": 0.02, "iterations": 400})
    assert settings_query(config) == {"learning_rate": "0.02", "iterations": "400"}
    assert settings_query(config_from({"neurons": 64}, "best")) == {"preset": "best", "neurons": "64"}
    for each in (*PRESETS.values(), config, config_from({"learning_rate": 1e-5, "seed": 3}, "notebook")):
        query = settings_query(each)
        assert config_from(query, query.pop("preset", "default")) == each
    assert settings_query(PRESETS["default"]) == {}


def test_a_run_from_before_schedules_distortion_and_nonsense_is_read_as_it_was_trained() -> None:
    config = Config.from_json('{"learning_rate": 0.002, "neurons": 64}')
    assert config == config_from(
        {**UNCHANGED_DIGITS, "learning_rate": 0.002, "neurons": 64, "schedule": "constant", "nonsense": 0.0}
    )


def test_a_preset_is_recognised_whatever_its_seed_and_length() -> None:
    assert preset_of(config_from({"seed": 5, "iterations": 40}, "notebook")) == "notebook"
    assert preset_of(config_from({"neurons": 64}, "notebook")) is None
