"""What a sweep varies: ranges and lists, as people write them."""

from __future__ import annotations

import pytest

from rnnlab.config import HYPERPARAMETERS
from rnnlab.hyperparameter import ConfigError, Value
from rnnlab.sweep.search_space import Dimension, size_of_grid, varying


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("neurons=32,64,128", (32, 64, 128)),
        ("cell=gru, lstm", ("gru", "lstm")),
        ("batch-size=16,32", (16, 32)),
        ("rotation=0,7.5", (0.0, 7.5)),
    ],
)
def test_a_list_has_the_values_of_its_hyperparameter(text: str, values: tuple[Value, ...]) -> None:
    assert Dimension.parse(text).values == Dimension.parse(text).grid() == values


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        ("learning_rate=0.001:0.1:3", (0.001, 0.01, 0.1)),
        ("learning_rate=0.1:0.3:linear:3", (0.1, 0.2, 0.3)),
        ("clip_norm=0.1:10:3:log", (0.1, 1.0, 10.0)),
        ("neurons=32:64", (32, 40, 48, 56, 64)),
        ("neurons=32:48", (32, 40, 48)),
        ("layers=1:3", (1, 2, 3)),
        ("warm_up=0:1000:2", (0, 1000)),
    ],
)
def test_a_grid_takes_values_from_a_range_both_ends_among_them(text: str, grid: tuple[Value, ...]) -> None:
    assert Dimension.parse(text).grid() == grid


def test_a_learning_rate_is_searched_by_ratios_and_neurons_by_differences() -> None:
    assert Dimension.parse("learning_rate=0.0003:0.03").scale == "log"
    assert Dimension.parse("neurons=32:256").scale == "linear"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("neurons=64:32", "The range of neurons is empty"),
        ("neurons=64:64", "The range of neurons is empty"),
        ("learning_rate=0:0.1", "learning rate must be a number from 1e-05 to 1, not '0'"),
        ("clip_norm=0:10:log", "A logarithmic range of gradient clipping cannot begin at 0"),
        ("neurons=8:1000000", "neurons must be a whole number from 8 to 512"),
        ("neurons=32", "neurons to vary needs 2 to 50 different values"),
        ("neurons=32,32", "neurons to vary needs 2 to 50 different values"),
        ("neurons=", "neurons to vary needs 2 to 50 different values"),
        ("cell=lstm:gru", "cell must be one of lstm, gru, simple_rnn"),
        ("neurons=8:64:many", "After its two ends, a range may say log or linear"),
        ("neurons=8:64:1", "After its two ends, a range may say log or linear"),
        ("seed=1,2", "random seed cannot be varied: every trial begins with the seeds"),
        ("dataset=mnist,digits", "data set cannot be varied"),
        ("patience=1:9", "patience cannot be varied"),
        ("neurons", "A hyperparameter to vary is written as"),
        ("brain=1,2", "A hyperparameter to vary is written as"),
    ],
)
def test_what_cannot_be_varied_is_said_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        Dimension.parse(text)
    assert str(error.value).startswith(said)
    assert str(error.value).endswith(".")


@pytest.mark.parametrize("name", varying())
def test_every_hyperparameter_can_vary_over_all_that_it_may_be_and_is_read_back_the_same(name: str) -> None:
    h = HYPERPARAMETERS[name]
    text = ",".join(h.choices) if h.choices else f"{h.minimum}:{h.maximum}"
    dimension = Dimension.parse(f"{name}={text}")
    assert Dimension.from_json(dimension.to_json()) == dimension
    assert [h.parse(value) for value in dimension.grid()] == list(dimension.grid())


def test_the_size_of_a_grid_is_the_product_of_its_sides() -> None:
    sides = ["neurons=8:512:60", "batch_size=8:1024:60", "cell=lstm,gru"]
    assert size_of_grid(Dimension.parse(text) for text in sides) == 60 * 60 * 2
