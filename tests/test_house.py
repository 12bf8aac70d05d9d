"""The rules of the house: imports run one way, files and functions stay small, names tell files apart."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import rnnlab

PACKAGE = Path(rnnlab.__file__).parent
ROOT = PACKAGE.parent

CODE = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"), ROOT / "app.py"])
MAX_LINES_OF_A_FILE = 400
MAX_LINES_OF_A_FUNCTION = 40


def test_imports_run_one_way() -> None:
    """As `[tool.importlinter]` in pyproject.toml has it: wings, the dashboard's inside, heavy libraries."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    done = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_no_file_is_longer_than_a_few_screens() -> None:
    kinds = ("*.py", "*.js", "*.css", "*.html", "*.md")
    files = [path for kind in kinds for folder in (PACKAGE, ROOT / "tests") for path in folder.rglob(kind)]
    long = {
        path.name: count
        for path in files
        if (count := len(path.read_text().splitlines())) > MAX_LINES_OF_A_FILE
    }
    assert long == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {}
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = node.end_lineno - body[0].lineno + 1 if body else 0
                if lines > MAX_LINES_OF_A_FUNCTION:
                    long[f"{path.name}: {node.name}"] = lines
    assert long == {}


def test_no_two_folders_hold_a_file_of_the_same_name() -> None:
    names = Counter(path.name for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    assert [name for name, count in names.items() if count > 1] == ["__init__.py"]


def test_the_script_of_the_dashboard_is_short() -> None:
    assert len((ROOT / "app.py").read_text().splitlines()) < 60


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("rnnlab.worker.main", ["streamlit", "plotly", "tensorflow"]),
        ("rnnlab.training.loop", ["streamlit", "plotly", "tensorflow"]),
        ("rnnlab.cli.commands", ["streamlit", "tensorflow", "keras", "requests"]),
    ],
)
def test_a_process_does_not_load_what_it_does_not_need(module: str, forbidden: list[str]) -> None:
    code = f"import sys, {module}\nprint(*(name for name in {forbidden!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
