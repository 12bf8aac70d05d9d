"""Runs a module of this copy of the package as a program, whatever lies in the working folder.

Python is to be started with `-P`, and this file by its path. Neither the working folder nor the folder of the
package is on the search path then, so that no `random.py` there is taken for Python's own. The package itself
is found by its place; another copy of it may be installed.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import signal
import sys


def main() -> None:
    """Run the module that the first argument names, with the other arguments."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if os.path.basename(package) not in sys.modules:
        _load_package(package)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _load_package(folder: str) -> None:
    """Load a package from its folder, under the name of the folder."""
    name = os.path.basename(folder)
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} holds no package")
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # end by the signal, as without a handler, but without a traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
