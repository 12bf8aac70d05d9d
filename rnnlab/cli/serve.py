"""The command `dashboard`: starts the same pages as `streamlit run app.py`, from any folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import rnnlab
from rnnlab.store.store import default_home
from rnnlab.system.processes import module_command

_ENTRY: Final = Path(rnnlab.__file__).parent / "dashboard" / "entry"


def dashboard(port: int | None, home: Path | None) -> NoReturn:
    """Turn this process into Streamlit's server for the dashboard.

    Args:
        port: The port it listens on; by default Streamlit chooses: 8501 or the next free one.
        home: The folder of runs; by default `RNNLAB_HOME`, or `runs/`.
    """
    command = module_command("rnnlab.cli.streamlit_server", "run", str(_ENTRY / "streamlit_app.py"))
    if port is not None:
        command += ["--server.port", str(port)]
    environment = dict(streamlit_options()) | os.environ
    if home is not None:
        environment["RNNLAB_HOME"] = str(home.absolute())
    try:
        Path.home()
    except RuntimeError:  # as for an unknown user of a container: without a home, Streamlit does not start
        environment["HOME"] = str(home.absolute() if home is not None else default_home())
    if sys.platform == "win32":  # a process cannot become another one there
        with suppress(KeyboardInterrupt):  # Ctrl-C reaches the server by itself
            sys.exit(subprocess.call(command, env=environment))
        sys.exit(0)
    os.execve(command[0], command, environment)  # noqa: S606 no shell is wanted


def streamlit_options() -> Iterator[tuple[str, str]]:
    """Yield the dashboard's Streamlit options as environment variables: name and value."""
    options = tomllib.loads((_ENTRY / "streamlit.toml").read_text(encoding="utf-8"))
    yield from _variables("STREAMLIT", options)


def _variables(prefix: str, options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield nested options as variables: `theme.light.textColor` as `STREAMLIT_THEME_LIGHT_TEXT_COLOR`."""
    for name, value in options.items():
        variable = f"{prefix}_{re.sub(r'(?<=[a-z])(?=[A-Z])', '_', name).upper()}"
        if isinstance(value, dict):
            yield from _variables(variable, value)
        else:
            yield variable, str(value).lower() if isinstance(value, bool) else str(value)
