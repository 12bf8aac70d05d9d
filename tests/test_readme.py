"""What the README promises is what the project does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest

from rnnlab.cli.arguments import build_parser
from rnnlab.presets import PRESETS
from tests.dashboard import free_port, wait_until_it_answers

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Return the lines of the README's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_the_first_two_commands_run_the_dashboard_and_pass_the_tests() -> None:
    dashboard, tests = commands()[:2]
    assert dashboard.endswith("streamlit run app.py")
    assert tests.endswith("python -m pytest")


def test_powershell_gets_the_same_two_commands() -> None:
    (block,) = re.findall(r"```powershell\n(.*?)```", README, re.DOTALL)
    changes = {"python3 ": "python ", ".venv/bin/": ".venv\\Scripts\\", " && ": "; "}
    for command, given in zip(commands()[:2], block.splitlines(), strict=True):
        for here, there in changes.items():
            command = command.replace(here, there)  # noqa: PLW2901
        assert given == command


def test_ci_runs_the_test_command_exactly_as_the_readme_gives_it() -> None:
    assert commands()[1] in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_picture_and_file_it_links_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert any(link.endswith(".png") for link in links)
    for link in links:
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_every_command_of_the_command_line_is_described() -> None:
    parser = build_parser()
    (choices,) = (action.choices for action in parser._actions if action.choices)
    for name in choices:
        assert f"python -m rnnlab {name}" in README


def test_every_preset_is_described() -> None:
    for name in PRESETS:
        assert f"`{name}`" in README


def test_it_stays_short_and_every_wing_is_in_its_table_of_eight_rows() -> None:
    assert len(README.splitlines()) < 180
    table = README.partition("| wing |")[2].partition("\n\n")[0]
    assert len(table.splitlines()) == 2 + 8
    for folder in (ROOT / "rnnlab").iterdir():
        if (folder / "__init__.py").exists():
            assert f"`rnnlab/{folder.name}/`" in table


@pytest.mark.parametrize(
    "document", [".github/CONTRIBUTING.md", "CHANGELOG.md", "tests/benchmarks/RESULTS.md"]
)
def test_every_file_that_a_document_names_is_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for name in re.findall(r"`((?:rnnlab|tests)/[\w/.]+\.(?:py|js|css|md))`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"python -m (tests\.benchmarks\.[a-z_]+)", text):
        assert (ROOT / f"{name.replace('.', '/')}.py").exists(), name


@pytest.mark.slow
def test_the_command_and_the_variables_of_the_container_let_others_in(tmp_path: Path) -> None:
    container = README.partition("```dockerfile")[2].partition("```")[0]
    (variables,) = re.findall(r"(?m)^ENV (.*)$", container)
    (command,) = re.findall(r'(?m)^CMD \["streamlit", (.*)\]$', container)
    given = dict(pair.split("=") for pair in variables.split())
    (volume,) = re.findall(r"(?m)^VOLUME (.*)$", container)
    assert given["HOME"] == volume
    assert given["RNNLAB_HOME"].startswith(f"{volume}/")
    assert f":{volume} " in next(line for line in commands() if line.startswith("docker"))
    given |= {"HOME": str(tmp_path), "RNNLAB_HOME": str(tmp_path / "runs")}
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "streamlit", *json.loads(f"[{command}]")],
        cwd=ROOT,
        env=os.environ | given | {"STREAMLIT_SERVER_PORT": str(port), "STREAMLIT_SERVER_HEADLESS": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_until_it_answers(f"http://127.0.0.1:{port}")
            served = psutil.Process(process.pid).net_connections()
            (open_to,) = (end.laddr.ip for end in served if end.status == psutil.CONN_LISTEN)
            assert ip_address(open_to).is_unspecified
        finally:
            process.terminate()


def test_the_pythons_it_names_are_those_of_the_package() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert package["requires-python"] == ">=3.11,<3.14"
    assert "Python 3.11, 3.12 or 3.13" in README


def test_the_workflow_runs_the_tests_on_every_system_and_with_every_python_named() -> None:
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    assert "system: [ubuntu-latest, windows-latest, macos-latest]" in workflow
    assert 'python: ["3.11", "3.12", "3.13"]' in workflow
    assert commands()[1].rpartition("/")[2] in workflow  # python -m pytest
    assert "-r requirements.txt -r tests/requirements.txt" in workflow
    assert "workflow" not in README.lower()  # nobody has seen it pass yet


def test_the_changelog_is_kept_as_a_changelog() -> None:
    headings = re.findall(r"(?m)^##+ (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    for heading in headings:
        assert re.fullmatch(
            r"\[Unreleased\]|\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}|"
            r"Added|Changed|Deprecated|Removed|Fixed|Security",
            heading,
        )
    assert headings[0] == "[Unreleased]"


def test_the_pinned_versions_are_those_the_tests_run_with() -> None:
    frozen = subprocess.run(
        [sys.executable, "-m", "pip", "freeze"], capture_output=True, text=True, check=True
    ).stdout.lower()
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        requirement = line.partition(" ;")[0].strip().lower()
        name = requirement.partition("==")[0]
        if name in ("streamlit", "tensorflow", "plotly", "keras", "streamlit-drawable-canvas", "pillow"):
            assert requirement in frozen.splitlines()


def test_the_top_level_holds_only_what_belongs_there() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    if not listed:
        pytest.skip("this is no git checkout")
    top = {name.split("/")[0] for name in listed.splitlines()}
    visible = {name for name in top if not name.startswith(".")}
    assert visible == {
        *("requirements.txt", "README.md", "app.py", "rnnlab", "tests"),
        *("pyproject.toml", "LICENSE", "CHANGELOG.md"),
    }
