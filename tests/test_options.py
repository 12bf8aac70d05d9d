"""What the command line refuses before it does anything: bad values, unknown commands, impossible files."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnlab.__main__ import main
from rnnlab.config import HYPERPARAMETERS


@pytest.mark.parametrize("name", list(HYPERPARAMETERS))
def test_a_bad_value_is_refused_with_status_2_and_the_option_and_its_bounds(
    name: str, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hyperparameter = HYPERPARAMETERS[name]
    with pytest.raises(SystemExit) as caught:
        main(["train", f"{hyperparameter.option}=-7e9"])
    out, err = capsys.readouterr()
    assert caught.value.code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert f"{hyperparameter.option} must be {hyperparameter.bounds}" in err
    assert not own_home.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--preset", "best of all"], "--preset must be one of default, best, notebook"),
        (["train", "--neuron", "8"], "unrecognized arguments"),
        (["fly"], "COMMAND"),
        ([], "COMMAND"),
        (["evaluate", "nope"], "There is no run called 'nope'"),
        (["read", "latest", "x.png"], "There is no run yet"),
        (["read", "latest"], "IMAGE"),
        (["read", "latest", "x.png", "--step", "-1"], "--step"),
        (["export", "latest", "model.h5"], "must end in .keras"),
        (["export", "latest", "/no/such/folder/model.keras"], "folder that exists"),
    ],
)
def test_bad_arguments_are_refused_with_status_2_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    out, err = capsys.readouterr()
    assert (caught.value.code, out, err.count("\n")) == (2, "", 1)
    assert said in err
