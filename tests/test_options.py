"""What the command line refuses before it does anything: bad values, unknown commands, impossible files."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnlab.__main__ import main
from rnnlab.config import HYPERPARAMETERS

NINES = "9" * 5000


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
        (["train", "--preset", "best of all"], "--preset must be one of default, quick, best, notebook"),
        (["train", "--neuron", "8"], "unrecognized arguments"),
        (["fly"], "COMMAND"),
        ([], "COMMAND"),
        (["evaluate", "nope"], "There is no run called 'nope'"),
        (["read", "latest", "x.png"], "There is no run yet"),
        (["read", "latest"], "IMAGE"),
        (["read", "latest", "x.png", "--step", "-1"], "--step"),
        (["export", "latest", "model.h5"], "must end in .keras"),
        (["export", "latest", "/no/such/folder/model.keras"], "folder that exists"),
        (
            ["export", "latest", "a" * 5000 + ".keras"],
            "cannot be written (File name too long)",
        ),
        (["export", "latest", "a" * 5000 + "/model.keras"], "cannot be written"),
        (["read", "latest", "x.png", "--step", NINES], "--step: must be a whole number from 0 to 1000000000"),
        (["resume", "latest", "--iterations", NINES], "--iterations: must be a whole number from 1"),
        (["bench", "--rounds", NINES], "--rounds: must be a whole number from 1"),
        (["dashboard", "--port", NINES], "--port: must be a whole number from 1 to 65535"),
        (["train", "--neurons", NINES], "--neurons must be a whole number"),
        (["train", "--seed", NINES], "--seed must be a whole number"),
        (["train", "--preset", NINES], "--preset must be one of"),
        (["runs", f"--what={NINES}"], "unrecognized arguments"),
        ([NINES], "invalid choice"),
        (["evaluate", NINES], "There is no run called"),
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
    assert len(err) < 500


def test_a_path_that_is_too_long_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--home", str(tmp_path / ("a" * 5000))]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "(File name too long)" in err
    assert len(err) < 1000


def test_a_working_folder_that_was_removed_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "removed"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("RNNLAB_HOME")
    folder.rmdir()
    assert main(["runs"]) == 1
    assert "The working folder has been removed" in capsys.readouterr().err
