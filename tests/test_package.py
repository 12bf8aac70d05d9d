"""The package as people install it: what is in the wheel, and that it works outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from rnnlab.cli import serve
from rnnlab.cli.serve import streamlit_options
from tests import dashboard
from tests.viewer import Viewer, run_async

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy: a build leaves traces in the sources."""
    sources = tmp_path_factory.mktemp("sources")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    shutil.copytree(ROOT / "rnnlab", sources / "rnnlab", ignore=shutil.ignore_patterns("__pycache__"))
    built = tmp_path_factory.mktemp("wheel")
    # Without isolation nothing is fetched: setuptools is among the requirements.
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(built),
    ]
    subprocess.run([*command, str(sources)], check=True, capture_output=True)
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a folder of its own; its dependencies are those of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        str(folder),
    ]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True)
    return folder


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("rnnlab/")}
    files = (path for path in (ROOT / "rnnlab").rglob("*") if path.is_file())
    expected = {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}
    assert packed == expected
    assert "rnnlab/py.typed" in packed
    assert {Path(name).suffix for name in packed} >= {".js", ".css", ".html", ".md", ".svg", ".toml"}


@pytest.mark.slow
def test_the_wheel_names_its_licence_its_command_and_the_pythons_it_is_for(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (information,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = archive.read(f"{information}/METADATA").decode()
        scripts = archive.read(f"{information}/entry_points.txt").decode()
        assert "MIT License" in archive.read(f"{information}/licenses/LICENSE").decode()
    assert "License-Expression: MIT" in metadata
    assert "rnnlab = rnnlab.__main__:main" in scripts
    assert "Requires-Python: <3.14,>=3.11" in metadata


def run_installed(installed: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command that the wheel installs, from some other folder."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, str(installed / "bin" / "rnnlab"), *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_installed_command_lists_runs_and_is_called_by_its_name(installed: Path, tmp_path: Path) -> None:
    listed = run_installed(installed, "runs", cwd=tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "There is no run yet" in listed.stdout
    refused = run_installed(installed, "dashboard", "--port", "many", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("rnnlab dashboard: argument --port: must be a whole number from 1 to")


async def visit(url: str) -> None:
    """Open the page and wait until it is shown without an error."""
    async with Viewer(url) as viewer:
        await viewer.finished()
        assert viewer.problems == []
        assert "Start" in viewer.buttons
        assert viewer.navigations == [["Lab", "Evaluation", "Runs", "Guide"]]


@pytest.mark.slow
def test_the_installed_dashboard_starts_in_a_folder_that_is_not_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    port, home = dashboard.free_port(), tmp_path / "own runs"
    environment = os.environ | {"PYTHONPATH": str(installed), "STREAMLIT_SERVER_HEADLESS": "true"}
    command = [sys.executable, str(installed / "bin" / "rnnlab"), "dashboard"]
    arguments = ["--port", str(port), "--home", str(home)]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [*command, *arguments], cwd=tmp_path, env=environment, stdout=log, stderr=log
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            dashboard.wait_until_it_answers(url)
            run_async(visit(url))
            assert (home / "runs.sqlite3").exists()
        finally:
            process.terminate()


def test_without_a_home_folder_the_dashboard_has_that_of_its_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    started: list[dict[str, str]] = []

    def become(_program: str, _command: list[str], environment: dict[str, str]) -> None:
        started.append(environment)
        raise SystemExit

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(os, "execve", become)
    with pytest.raises(SystemExit):
        serve.dashboard(None, tmp_path / "runs")
    assert started[0]["HOME"] == started[0]["RNNLAB_HOME"] == str(tmp_path / "runs")


def test_the_installed_dashboard_has_the_options_of_the_checkout() -> None:
    packed = ROOT / "rnnlab" / "dashboard" / "entry" / "streamlit.toml"
    assert packed.read_text() == (ROOT / ".streamlit" / "config.toml").read_text()
    options = dict(streamlit_options())
    assert options["STREAMLIT_SERVER_ADDRESS"] == "localhost"
    assert options["STREAMLIT_BROWSER_GATHER_USAGE_STATS"] == "false"
    assert options["STREAMLIT_GLOBAL_MIN_CACHED_MESSAGE_SIZE"] == "1000000000.0"
    assert options["STREAMLIT_THEME_LIGHT_SIDEBAR_BACKGROUND_COLOR"] == "#F4F7FA"
    assert len(options) == sum(1 for _ in _leaves(tomllib.loads(packed.read_text())))


def _leaves(options: dict[str, object]) -> list[object]:
    """Return the values of nested options."""
    found: list[object] = []
    for value in options.values():
        found += _leaves(value) if isinstance(value, dict) else [value]
    return found
