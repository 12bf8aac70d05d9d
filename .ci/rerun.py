"""Run the tests that have just failed once more, each alone; print which pass then, fail if one does not.

A test that passes alone is unstable: that is a defect of the test or of the product, but not one that should
keep everything else from landing. It is printed as `unstable: NAME`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FAILED = Path(".pytest_cache/v/cache/lastfailed")


def passes_alone(name: str) -> bool:
    """Run one test in a process of its own, and nothing beside it."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-q", name]
    return subprocess.run(command, check=False).returncode == 0


def main() -> int:
    """Return the exit status: 0 if all that failed pass now."""
    names = list(json.loads(FAILED.read_text(encoding="utf-8"))) if FAILED.exists() else []
    if not names:
        print("The tests could not be run, or it is not known which have failed.")
        return 1
    unstable = [name for name in names if passes_alone(name)]
    for name in names:
        print(f"{'unstable' if name in unstable else 'failed twice'}: {name}", flush=True)
    return 0 if len(unstable) == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
