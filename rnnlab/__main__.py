"""The command line: `rnnlab`, or `python -m rnnlab`. Its code is in `rnnlab.cli`."""

import os
import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments, for callers in Python. By default, those of this process, which then is the
            command: its signals and streams are taken care of, too.

    Returns:
        The exit status.
    """
    try:
        if argv is None:
            _leave_working_folder()
            from rnnlab.cli import entry

            return entry.run()
        from rnnlab.cli import commands

        return commands.run(argv)
    except KeyboardInterrupt:
        return 130


def _leave_working_folder() -> None:
    """Take the working folder, which `python -m` puts first, off the search path.

    A `random.py` or `numpy.py` there is not the library. This package is found by its place from here on.
    """
    try:
        folder = os.getcwd()
    except OSError:  # it has been removed
        folder = ""
    if not sys.flags.safe_path and sys.path and sys.path[0] in ("", folder):
        del sys.path[0]


if __name__ == "__main__":
    sys.exit(main())
