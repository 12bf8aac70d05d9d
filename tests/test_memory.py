"""How much memory there is: that of the machine, or what a container may use of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnlab.config import Config
from rnnlab.system import memory
from rnnlab.training import memory_needed

MEGABYTE = 1_000_000


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a container's folder as Linux keeps it (cgroup v2); it may use 900 MB and uses 700."""
    monkeypatch.setattr(
        memory, "_GROUPS", ((str(tmp_path), "memory.max", "memory.current", "inactive_file"),)
    )
    (tmp_path / "memory.max").write_text(f"{900 * MEGABYTE}\n")
    (tmp_path / "memory.current").write_text(f"{700 * MEGABYTE}\n")
    (tmp_path / "memory.stat").write_text(f"anon {400 * MEGABYTE}\ninactive_file {300 * MEGABYTE}\n")
    return tmp_path


def test_a_container_has_what_its_limit_leaves_and_files_in_memory_can_be_let_go(group: Path) -> None:
    assert memory.available_megabytes() == pytest.approx(900 - (700 - 300))
    (group / "memory.current").write_text(f"{1100 * MEGABYTE}\n")
    assert memory.available_megabytes() == pytest.approx(100)


def test_a_container_without_a_limit_has_what_the_machine_has(
    group: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (group / "memory.max").write_text("max\n")
    limited = memory.available_megabytes()
    monkeypatch.setattr(memory, "_GROUPS", ())
    assert limited == pytest.approx(memory.available_megabytes(), rel=0.2)


def test_a_run_too_large_for_its_container_is_refused_with_both_figures(group: Path) -> None:
    (group / "memory.max").write_text(f"{500 * MEGABYTE}\n")
    assert memory_needed.shortage(Config(neurons=8)).startswith(
        "Training 8 neurons with batches of 128 takes about "
    )
    assert "100 MB are left" in memory_needed.shortage(Config(neurons=8))
    enough = 400 + memory_needed.needed_megabytes(Config(neurons=8)) + 1
    (group / "memory.max").write_text(f"{enough * MEGABYTE:.0f}\n")
    assert memory_needed.shortage(Config(neurons=8)) == ""


def test_a_run_of_keras_needs_room_for_tensorflow_and_one_of_numpy_does_not() -> None:
    needed = {asked: memory_needed.needed_megabytes(Config(engine=asked)) for asked in ("keras", "numpy")}
    assert needed["numpy"] < 300
    assert needed["keras"] > needed["numpy"] + 400


def test_kills_for_want_of_memory_are_counted_where_the_system_counts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = tmp_path / "memory.events"
    events.write_text("oom 4\noom_kill 3\n")
    monkeypatch.setattr(memory, "_KILLS", (str(events), str(tmp_path / "missing")))
    assert memory.system_kills() == 3
    assert "was killed" in memory.explain_kill(3)
    events.write_text("oom 5\noom_kill 4\n")
    assert "Memory ran out" in memory.explain_kill(3)
