"""A process is its machine or container, its number there, and when it began."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rnnlab.system import process_identity
from rnnlab.system.process_identity import ProcessIdentity, identify, is_alive, own_identity
from tests.elsewhere import another_machine, in_a_container
from tests.waiting import wait_for

SAY_WHO = (
    "from rnnlab.system.process_identity import own_identity; print(own_identity(), flush=True); input()"
)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """Start a process that says who it is and waits."""
    command = [sys.executable, "-c", SAY_WHO]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def said_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_process_and_the_one_that_started_it_agree_on_who_it_is(child: subprocess.Popen[str]) -> None:
    assert said_by(child) == str(identify(child.pid)) != own_identity()


def test_a_process_is_alive_until_it_ends_even_if_nobody_has_reaped_it(child: subprocess.Popen[str]) -> None:
    identity = said_by(child)
    assert is_alive(own_identity())
    assert is_alive(identity)
    child.kill()
    wait_for(lambda: is_alive(identity) is False, "the process to be known as dead")
    child.wait()
    assert is_alive(identity) is False


def test_another_process_of_the_same_number_is_another_one(child: subprocess.Popen[str]) -> None:
    known = ProcessIdentity.parse(said_by(child))
    assert known is not None
    assert known.began is not None
    assert is_alive(str(known._replace(began=known.began - 0.01))) is False


def test_a_clock_that_is_set_changes_nobody(child: subprocess.Popen[str]) -> None:
    identity = said_by(child)
    code = (
        "import sys, time, psutil; now = time.time\n"
        "time.time = lambda: now() - 3600\n"
        "boot = psutil.boot_time() + 3600\n"
        "psutil._psplatform.boot_time = psutil.boot_time = lambda: boot\n"
        "from rnnlab.system.process_identity import is_alive; print(is_alive(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, identity], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_of_a_process_of_another_machine_nothing_can_be_told() -> None:
    here = own_identity()
    with another_machine():
        assert is_alive(here) is None
        assert own_identity() != here
    assert own_identity() == here


@pytest.mark.parametrize("text", ["", "nonsense", "a b c", "a 1 later", "a 1 2 3"])
def test_a_text_that_is_no_identity_tells_nothing(text: str) -> None:
    assert is_alive(text) is None


def test_a_container_knows_nothing_of_processes_outside_nor_are_its_own_known_there() -> None:
    code = (
        "import sys; from rnnlab.system.process_identity import is_alive, own_identity\n"
        "print(is_alive(sys.argv[1]), is_alive(own_identity()))\n"
        "print(own_identity(), flush=True); input()"
    )
    command = in_a_container(sys.executable, "-c", code, own_identity())
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert said_by(process) == "None True"
        assert is_alive(said_by(process)) is None
        process.kill()


def test_a_container_that_sees_the_process_list_of_another_one_reads_nothing_into_it() -> None:
    code = (
        "from rnnlab.system.process_identity import ProcessIdentity, identify, is_alive, own_identity, os\n"
        "print(is_alive(own_identity()), is_alive(str(identify(os.getpid())._replace(number=4_000_000))))"
    )
    command = [
        part for part in in_a_container(sys.executable, "-c", code, own_identity()) if part != "--mount-proc"
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None False"


def test_what_cannot_be_looked_at_is_not_called_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = own_identity()
    for error in (psutil.AccessDenied, psutil.NoSuchProcess):  # the latter if Linux hides it (`hidepid`)

        def hidden(number: int, error: type[psutil.Error] = error) -> psutil.Process:
            raise error(number)

        monkeypatch.setattr(psutil, "Process", hidden)
        assert is_alive(identity) is None


def test_nobody_is_sent_a_signal_to_see_whether_they_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows, signal 0 interrupts."""
    monkeypatch.delattr(os, "kill")
    monkeypatch.delattr(os, "getpriority")
    monkeypatch.setattr(psutil, "pid_exists", lambda number: number == os.getpid())
    assert is_alive(own_identity())
    assert process_identity._number_is_taken(os.getpid())
    assert is_alive(str(identify(os.getpid())._replace(number=4_000_000))) is False


def test_without_a_boot_id_the_machine_is_known_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process_identity, "_BOOT_ID", tmp_path / "missing")
    monkeypatch.setattr("platform.node", lambda: "Ann's Mac.local")
    process_identity.this_machine.cache_clear()
    machine = process_identity.this_machine()
    process_identity.this_machine.cache_clear()
    assert machine.startswith("Ann'sMac.local/")
    assert " " not in machine
