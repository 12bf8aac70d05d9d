"""Standard output that nobody reads any more, that is full, closed, or cannot show a character."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from PIL import Image

from rnnlab import cli
from rnnlab.cli.output import json_line
from rnnlab.model.weights import Weights
from rnnlab.runs import RunState
from rnnlab.store.store import Store
from rnnlab.system.standard_streams import printable
from rnnlab.training.checkpoint import Checkpoint
from tests import dashboard
from tests.commands import TRAIN, add_trained_run, hear_ctrl_c, hearing_ctrl_c, start_command
from tests.systems import needs_signals

pytestmark = [needs_signals, pytest.mark.slow]

needs_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")


def without_reader() -> IO[bytes]:
    """Return the end to write to of a pipe whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "wb")


@pytest.fixture
def trained(store: Store) -> str:
    return add_trained_run(store)


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "empty.png"
    Image.new("L", (40, 40)).save(path)
    return str(path)


def test_a_reader_that_leaves_ends_every_command_quietly(trained: str, picture: str) -> None:
    commands = (
        ["runs"],
        ["runs", "--json"],
        ["evaluate", trained, "--json"],
        ["read", trained, picture],
        ["bench", "--dataset", "digits", "--seconds", "1", "--rounds", "1"],
        ["--help"],
    )
    for arguments in commands:
        with without_reader() as nobody, start_command(*arguments, stdout=nobody) as process:
            _, said = process.communicate()
        assert (process.returncode, said) == (141, ""), arguments


@needs_full_device
def test_full_output_is_said_in_one_sentence(trained: str, tmp_path: Path) -> None:
    export = ["export", trained, str(tmp_path / "network.keras")]
    for arguments in (["runs"], ["evaluate", trained], export, ["--help"]):
        with open("/dev/full", "wb") as full, start_command(*arguments, stdout=full) as process:
            _, said = process.communicate()
        assert (process.returncode, said.count("\n")) == (1, 1), (arguments, said)
        assert "The output could not be written (the disk is full)" in said


def close_output() -> None:
    hear_ctrl_c()
    os.close(1)


def close_everything() -> None:
    close_output()
    os.close(2)


def test_closed_output_is_said_in_one_sentence_or_by_the_status_alone(
    trained: str,
) -> None:
    with start_command("runs", stdout=None, preexec_fn=close_output) as process:
        _, said = process.communicate()
    assert (process.returncode, said.count("\n")) == (1, 1)
    assert "The output could not be written" in said
    with start_command("runs", stdout=None, stderr=None, preexec_fn=close_everything) as process:
        assert process.wait() == 1


def close_errors() -> None:
    hear_ctrl_c()
    os.close(2)


@pytest.mark.parametrize(("close", "status"), [(close_everything, 1), (close_errors, 0)])
def test_the_status_of_a_command_without_output_is_its_own_whatever_a_library_prints_at_the_end(
    trained: str, close: Callable[[], None], status: int
) -> None:
    code = "import atexit, os, sys; from rnnlab.__main__ import main; sys.argv[1:] = ['runs']\n"
    code += "def late():\n"
    code += (
        "    assert os.fstat(2).st_mode == os.stat(os.devnull).st_mode or os._exit(99)  # no pipe of ours\n"
    )
    code += "    sys.stderr.write('late')\n"
    code += "atexit.register(late); sys.exit(main())"
    with hearing_ctrl_c(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=None, preexec_fn=close
    ) as process:
        assert process.wait() == status


@pytest.mark.parametrize("form", [["--json"], []])
def test_a_training_whose_reader_leaves_stops_in_order_and_keeps_what_it_learned(
    store: Store, trained: str, form: list[str]
) -> None:
    with start_command(*TRAIN, "--from", trained, *form) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(4):
            process.stdout.readline()
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (141, "")
    run = store.find("latest")
    assert run.state is RunState.STOPPED
    assert run.step >= 21
    assert Weights.load(store.files(run.id).weights)[1] == run.step
    assert Checkpoint.load(store.files(run.id).checkpoint).step == run.step


@pytest.mark.parametrize("form", [["--json"], []])
@pytest.mark.parametrize("prepare", [close_output, close_everything])
def test_a_training_without_output_stops_in_order(
    store: Store, trained: str, form: list[str], prepare: Callable[[], None]
) -> None:
    options: dict[str, Any] = {"stdout": None, "stderr": subprocess.PIPE, "preexec_fn": prepare}
    with start_command(*TRAIN, "--from", trained, *form, **options) as process:
        _, said = process.communicate()
    assert process.returncode == 1
    assert said.count("\n") == (1 if prepare is close_output else 0)
    assert store.find("latest").state is RunState.STOPPED
    with start_command("resume", "latest", *form, **options) as process:
        process.communicate()
    assert process.returncode == 1
    assert store.find("latest").state is RunState.STOPPED


@needs_full_device
def test_a_training_whose_output_is_full_stops_in_order(store: Store, trained: str) -> None:
    for form in (["--json"], []):
        with (
            open("/dev/full", "wb") as full,
            start_command(*TRAIN, "--from", trained, *form, stdout=full) as p,
        ):
            _, said = p.communicate()
        assert (p.returncode, said.count("\n")) == (1, 1)
        assert "The output could not be written (the disk is full)" in said
        assert store.find("latest").state is RunState.STOPPED


def test_a_dashboard_whose_output_nobody_reads_serves_on() -> None:
    port = dashboard.free_port()
    environment = os.environ | {"STREAMLIT_SERVER_HEADLESS": "true"}
    with (
        without_reader() as nobody,
        start_command(
            "dashboard", "--port", str(port), stdout=nobody, stderr=nobody, env=environment
        ) as process,
    ):
        try:
            dashboard.wait_until_it_answers(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


def test_names_that_the_terminal_cannot_show_are_shown_by_their_codes(trained: str, tmp_path: Path) -> None:
    names = [os.fsencode(tmp_path / name) for name in ("\xfc.png", "a\x1b[31m\nb.png")]
    names.append(os.fsencode(tmp_path) + b"/\xff.png")
    for name in names:
        with open(name, "wb") as file:
            Image.new("L", (40, 40)).save(file, "PNG")
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    arguments: list[Any] = ["read", trained, *names]
    with start_command(*arguments, env=environment) as process:
        out, said = process.communicate()
    assert (process.returncode, said) == (0, "")
    shown = [line.partition(": ")[0].rpartition("/")[2] for line in out.splitlines()]
    assert shown == ["\\xfc.png", "a\\x1b[31m\\nb.png", "\\udcff.png"]
    with start_command(*arguments, "--json", env=environment) as process:
        out, said = process.communicate()
    read = [json.loads(line)["image"].rpartition("/")[2] for line in out.splitlines()]
    assert read == ["\xfc.png", "a\x1b[31m\nb.png", "\\udcff.png"]


def test_json_has_no_numbers_and_characters_that_json_does_not_have() -> None:
    line = json_line(
        a=math.nan, b=[math.inf, 1.5, np.float64("-inf")], c={"d": (math.nan, 2)}, e="\udcffx", f=None
    )
    assert json.loads(line) == {
        "a": None,
        "b": [None, 1.5, None],
        "c": {"d": [None, 2]},
        "e": "\\udcffx",
        "f": None,
    }
    assert "NaN" not in line
    assert "Infinity" not in line


def test_all_json_of_the_command_line_is_written_in_one_place() -> None:
    folder = Path(cli.__file__).parent
    writers = [path.name for path in folder.glob("*.py") if "json.dump" in path.read_text(encoding="utf-8")]
    assert writers == ["output.py"]


def test_what_is_shown_of_an_endless_word_is_its_two_ends() -> None:
    assert printable("no " + "9" * 5000 + " here") == "no " + "9" * 100 + "..." + "9" * 20 + " here"
    assert printable("/a/" + "b" * 250) == "/a/" + "b" * 250
    assert printable("10\u00a0% of \u00fc\n") == "10\u00a0% of \u00fc\\n"
