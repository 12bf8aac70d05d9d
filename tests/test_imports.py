"""The house rules: rooms import downwards only, and the two heavy libraries stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rnnlab

PACKAGE = Path(rnnlab.__file__).parent

STANDARD = set(sys.stdlib_module_names)

MAY_IMPORT: dict[str, set[str]] = {
    # Room: what it may import besides the standard library. Every room imports only rooms above it.
    "config": set(),
    "files": {"numpy"},
    "names": set(),
    "changes": {"config"},
    "runs": {"changes", "config"},
    "checkpoint": {"files", "numpy"},
    "drawing": {"numpy", "PIL"},
    "reader": {"files", "numpy"},
    "forms": {"drawing", "numpy", "PIL"},
    "nonsense": {"drawing", "forms", "numpy", "PIL"},
    "hand": {"drawing", "files", "numpy"},
    "datasets": {"drawing", "numpy", "PIL", "keras"},
    "mixing": {"config", "datasets", "forms", "hand", "nonsense", "reader", "numpy"},
    "distortion": {"config", "drawing", "reader", "numpy"},
    "doubt": {"distortion", "reader", "numpy"},
    "batches": {"changes", "config", "distortion", "reader", "numpy"},
    "evaluation": {"reader", "numpy", "threadpoolctl"},
    "cores": {"joblib"},
    "processes": set(),
    "products": {"reader", "numpy", "scipy", "threadpoolctl"},
    "parameters": {"reader", "numpy"},
    "optimizer": {"checkpoint", "parameters", "reader", "numpy"},
    "fast_path": {"products", "reader", "numpy"},
    "data_parallel": {
        "cores",
        "distortion",
        "fast_path",
        "parameters",
        "processes",
        "reader",
        "numpy",
        "threadpoolctl",
    },
    "memory": {"config", "cores", "reader"},
    "fast_network": {
        "batches",
        "checkpoint",
        "config",
        "cores",
        "data_parallel",
        "datasets",
        "distortion",
        "optimizer",
        "parameters",
        "reader",
        "numpy",
    },
    "network": {
        "batches",
        "checkpoint",
        "config",
        "cores",
        "datasets",
        "distortion",
        "optimizer",
        "reader",
        "numpy",
        "keras",
        "tensorflow",
    },
    "networks": {"batches", "checkpoint", "config", "datasets", "fast_network", "network", "reader"},
    "training": {"batches", "changes", "checkpoint", "config", "runs", "datasets", "reader", "networks"},
    "database": {"files"},
    "worker_list": {"database", "runs"},
    "control": {"changes", "config", "database", "runs", "worker_list"},
    "store": {"changes", "config", "control", "database", "names", "runs", "worker_list"},
    "steering": {"files", "runs", "store", "training"},
    "snapshots": {"reader", "runs"},
    "curves": {"runs", "store", "numpy"},
    "figures": {"changes", "config", "runs", "curves", "numpy", "plotly"},
    "evaluation_cache": {"datasets", "evaluation", "reader", "runs", "store"},
    "evaluation_figures": {"evaluation", "figures", "reader", "numpy", "plotly"},
    "execution": {
        "checkpoint",
        "database",
        "datasets",
        "files",
        "hand",
        "memory",
        "mixing",
        "processes",
        "reader",
        "runs",
        "snapshots",
        "store",
        "network",
        "networks",
        "steering",
        "training",
    },
    "worker": {"database", "execution", "store", "network"},
    "throughput": {
        "config",
        "cores",
        "datasets",
        "fast_path",
        "network",
        "networks",
        "parameters",
        "reader",
        "runs",
        "store",
        "training",
        "execution",
        "numpy",
        "threadpoolctl",
        "keras",
    },
    "settings": {"config", "cores", "runs"},
    "launcher": {"cores", "database", "memory", "processes", "store"},
    "views": {
        "changes",
        "config",
        "database",
        "doubt",
        "runs",
        "drawing",
        "reader",
        "datasets",
        "evaluation",
        "evaluation_cache",
        "evaluation_figures",
        "store",
        "snapshots",
        "curves",
        "figures",
        "hand",
        "launcher",
        "memory",
        "settings",
        "numpy",
        "plotly",
        "streamlit",
        "streamlit_drawable_canvas",
    },
    "commands": {
        "config",
        "doubt",
        "runs",
        "drawing",
        "reader",
        "datasets",
        "evaluation",
        "network",
        "store",
        "snapshots",
        "execution",
        "throughput",
        "numpy",
        "rich",
    },
    "__main__": {"commands", "config", "database", "datasets", "reader", "store"},
}


def rooms() -> dict[str, list[Path]]:
    """Return the files of every room."""
    found = {path.stem: [path] for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    return found | {"views": sorted((PACKAGE / "views").rglob("*.py"))}


def imports_of(path: Path) -> set[str]:
    """Return what a file imports: rooms by their name, libraries by theirs."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            found.add(parts[1] if parts[0] == "rnnlab" and len(parts) > 1 else parts[0])
    return found - STANDARD


def test_every_room_is_in_the_table() -> None:
    assert set(rooms()) == set(MAY_IMPORT)


@pytest.mark.parametrize("room", list(MAY_IMPORT))
def test_a_room_imports_only_what_it_may(room: str) -> None:
    imported = set().union(*(imports_of(path) for path in rooms()[room])) - {room}
    assert imported <= MAY_IMPORT[room]


def test_the_table_itself_runs_one_way() -> None:
    order = list(MAY_IMPORT)
    for room, allowed in MAY_IMPORT.items():
        assert all(order.index(other) < order.index(room) for other in allowed & set(order))


def test_keras_is_imported_only_inside_the_download() -> None:
    tree = ast.parse((PACKAGE / "datasets.py").read_text())
    top_level = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert not top_level & {"keras", "tensorflow"}


def test_app_py_imports_only_views_and_is_short() -> None:
    app = PACKAGE.parent / "app.py"
    assert imports_of(app) <= {"streamlit", "views"}
    assert len(app.read_text().splitlines()) < 60


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("rnnlab.worker", ["streamlit", "plotly", "tensorflow"]),
        ("rnnlab.training", ["streamlit", "plotly"]),
        ("rnnlab.__main__", ["streamlit", "tensorflow", "keras"]),
    ],
)
def test_a_process_does_not_load_what_it_does_not_need(module: str, forbidden: list[str]) -> None:
    code = f"import sys, {module}\nprint(*(name for name in {forbidden!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
