"""Files of every kind with damage of every kind: each is read, or refused in a sentence, in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import KINDS, Kind, fuzz, is_one_sentence

COUNT = 3_000
PICTURES = [name for name in KINDS if name in ("png", "jpeg", "gif", "bmp", "tiff", "webp", "drawing")]
OTHERS = [name for name in KINDS if name not in PICTURES]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, memory cannot be limited so")
@pytest.mark.parametrize("names", [PICTURES, OTHERS], ids=["pictures", "others"])
def test_thousands_of_damaged_files_of_each_kind_are_read_or_refused_in_a_sentence(names: list[str]) -> None:
    command = [sys.executable, "-m", "tests.fuzz", *names, "--count", str(COUNT)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == names
    assert done.stderr == ""


def make(folder: Path) -> list[Path]:
    (folder / "file").write_bytes(bytes(range(100)))
    return [folder / "file"]


def test_what_is_found_is_found_again() -> None:
    seen: list[bytes] = []

    def read(path: Path) -> None:
        seen.append(path.read_bytes())
        if len(seen[-1]) > 400:
            raise KeyError("too long")

    for _ in range(2):
        with pytest.raises(AssertionError, match=r"some, seed 5, number \d+: KeyError"):
            fuzz(Kind(make, read, ValueError), "some", 200, seed=5)
    assert seen[: len(seen) // 2] == seen[len(seen) // 2 :]
    assert len(set(seen)) > 3


@pytest.mark.parametrize(
    "text", ["", "No.", "Two\nlines.", "No full stop", "Too long." * 100, "\x1b[31mRed."]
)
def test_an_error_that_is_no_sentence_counts_as_a_fault(text: str) -> None:
    def read(path: Path) -> None:
        if path.read_bytes() != bytes(range(100)):
            raise ValueError(text)

    assert not is_one_sentence(text)
    with pytest.raises(AssertionError, match="some, seed 0, number 0"):
        fuzz(Kind(make, read, ValueError), "some", 200, seed=0)
