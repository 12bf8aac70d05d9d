"""`read *.png` where the shell leaves the pattern to the program, as those of Windows do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from rnnlab.__main__ import main
from tests.dashboard import add_ended_run
from tests.pens import draw_digit


@pytest.fixture
def folder(tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of pictures, in which the test works; there is a run to read them with."""
    add_ended_run(own_home)
    folder = tmp_path / "pictures"
    (folder / "more.png").mkdir(parents=True)  # a folder is no picture
    for name in ("b.png", "a.png", "c.txt", "[ab].png"):
        Image.fromarray(draw_digit("7")).save(folder / name, "PNG")
    monkeypatch.chdir(folder)
    return folder


def test_a_pattern_stands_for_all_files_that_match_unless_a_file_has_that_very_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(*images: str) -> list[str]:
        assert main(["read", "latest", *images, "--json"]) == 0
        answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert all("digit" in answer for answer in answers)
        return [answer["image"] for answer in answers]

    assert read("*.png") == ["[ab].png", "a.png", "b.png"]
    assert read("?.png", "c.txt", str(folder / "a*")) == ["a.png", "b.png", "c.txt", str(folder / "a.png")]
    assert read("[ab].png") == ["[ab].png"]
    (folder / "[ab].png").unlink()
    assert read("[ab].png") == ["a.png", "b.png"]


def test_a_pattern_that_matches_nothing_is_told_in_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["read", "latest", "nothing-*.png", "a.png", "--json"]) == 1
    out, err = capsys.readouterr()
    nothing, good = map(json.loads, out.splitlines())
    assert nothing["image"] == "nothing-*.png"
    assert "No file matches" in nothing["error"]
    assert "digit" in good
    assert err.count("\n") == 1
