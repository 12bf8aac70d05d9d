"""The arguments of every command: names, help texts, and checks of what can be checked at once."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from rnnlab.config import HYPERPARAMETERS
from rnnlab.presets import PRESET_HELP, PRESETS
from rnnlab.sweep.specification import STRATEGIES, TRIALS
from rnnlab.system.file_errors import reason_of
from rnnlab.system.standard_streams import write_error, write_output

_LARGEST: Final = 1_000_000_000
"""Largest whole number that any option takes."""

LAST: Final = "last"
"""What `--weights` says for the newest weights of a run."""

BEST: Final = "best"
"""What `--weights` says for the weights of its best test."""

_DESCRIPTION: Final = "The command line of RNN Lab: trains networks that read digits, and reads with them."

_EPILOG: Final = (
    "exit status: 0 for success, also of a training that Ctrl-C has stopped in order; 1 if something failed; "
    "2 for bad arguments; 130 after Ctrl-C; 141 if whoever reads the output has left, as head does"
)


class OneLineParser(argparse.ArgumentParser):
    """A parser whose error messages are one line."""

    def error(self, message: str) -> NoReturn:
        """Print what was wrong and exit with status 2."""
        write_error(f"{self.prog}: {message}")
        sys.exit(2)

    def print_help(self, file: Any = None) -> None:  # noqa: ARG002 there is only one place to print it
        """Print the help; argparse itself would not notice that it cannot be written.

        Raises:
            OutputError: It cannot be written.
        """
        write_output(self.format_help())


def _program() -> str:
    """Return how this program was called."""
    return "rnnlab" if Path(sys.argv[0]).stem == "rnnlab" else "python -m rnnlab"


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = OneLineParser(prog=_program(), description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False)
    common = OneLineParser(add_help=False)
    common.add_argument("--home", type=Path, help="folder of runs (default: RNNLAB_HOME, or runs/)")
    common.add_argument("--json", action="store_true", help="print only JSON, one object per line")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, description: str) -> argparse.ArgumentParser:
        return subparsers.add_parser(
            name, parents=[common], help=description, description=description, allow_abbrev=False
        )

    train = add("train", "train in the foreground")
    add_train_options(train)
    train.add_argument(
        "--from",
        dest="run",
        default=argparse.SUPPRESS,
        metavar="RUN",
        help="start from the newest weights of this run, which must be of the same network",
    )
    resume = add("resume", "continue a run that was interrupted, paused or stopped, or has finished")
    add_run_argument(resume)
    resume.add_argument(
        "--iterations",
        type=positive,
        help="how many more (default: those that are left); a rule that ended the run, such as --patience, "
        "no longer counts",
    )
    add("runs", "list the runs")
    add_dashboard(subparsers)
    read = add("read", "read pictures of a digit: drawings, scans, photographs")
    add_read_options(read)
    evaluate = add("evaluate", "read the whole test set")
    add_run_argument(evaluate)
    add_weights_option(evaluate)
    add_sweep_options(add("sweep", "search for good hyperparameters: many runs, the best of them"))
    add_export_options(add("export", "save a run as a standard .keras file"))
    bench = add("bench", "measure training throughput here: RNN Lab, plain Keras, PyTorch if installed")
    add_bench_options(bench)
    return parser


def add_read_options(read: argparse.ArgumentParser) -> None:
    """Add the options of `read`."""
    files = "a PNG, JPEG, GIF, BMP, TIFF or WebP file, or a pattern such as *.png"
    add_run_argument(read)
    read.add_argument("images", nargs="+", metavar="IMAGE", help=files)
    which = read.add_mutually_exclusive_group()
    which.add_argument("--step", type=non_negative, help="use the weights saved at or before this step")
    add_weights_option(which)


def add_sweep_options(sweep: argparse.ArgumentParser) -> None:
    """Add the options of `sweep`."""
    strategies = "; ".join(f"{name}: {text}" for name, text in STRATEGIES.items())
    sweep.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="what varies, such as neurons=32,64,128 or a range such as learning_rate=0.0003:0.03, which may "
        "end in :log or :linear, and in how many values a grid takes from it",
    )
    sweep.add_argument(
        "--trials", type=positive, help=f"how many trials (default {TRIALS}, or all of a grid)"
    )
    sweep.add_argument("--seeds", type=positive, default=1, help="runs of each trial (default 1)")
    sweep.add_argument(
        "--target", default="accuracy", help="accuracy, seconds:97, row:14; all on the validation digits"
    )
    sweep.add_argument("--strategy", default="model", help=f"{strategies} (default model)")
    sweep.add_argument("--prune", action="store_true", help="end trials early that most others have outdone")
    sweep.add_argument("--resume", metavar="SWEEP", help="go on with a sweep that was interrupted or paused")
    add_train_options(sweep)


def add_export_options(export: argparse.ArgumentParser) -> None:
    """Add the options of `export`."""
    add_run_argument(export)
    export.add_argument("path", type=keras_path, metavar="PATH", help="the file to write; ends in .keras")
    add_weights_option(export)
    export.add_argument("--every-row", action="store_true", help="answer after every row, not after the last")


def add_weights_option(place: Any) -> None:
    """Add the option that chooses which weights of a run are used, to a parser or a group of options."""
    place.add_argument(
        "--weights",
        choices=(LAST, BEST),
        default=LAST,
        help=f"those of its last step, or of its best test on the whole test set (default {LAST})",
    )


def add_dashboard(subparsers: Any) -> None:
    """Add the command that starts the dashboard."""
    text = "start the dashboard in the browser"
    dashboard = subparsers.add_parser("dashboard", help=text, description=text, allow_abbrev=False)
    dashboard.add_argument(
        "--port", type=port_number, help="the port it listens on (default 8501, or the next free one)"
    )
    dashboard.add_argument("--home", type=Path, help="folder of runs (default: RNNLAB_HOME, or runs/)")


def add_bench_options(bench: argparse.ArgumentParser) -> None:
    """Add the options that choose what is measured, and how."""
    add_train_options(bench)
    bench.add_argument(
        "--rounds", type=positive, default=5, help="turns for each library; the median counts (default 5)"
    )
    bench.add_argument("--seconds", type=positive, default=2, help="about how long a turn is (default 2)")
    what = bench.add_mutually_exclusive_group()
    what.add_argument(
        "--grid", action="store_true", help="compare at batch sizes 32 to 512, neurons 32 to 256"
    )
    what.add_argument(
        "--to",
        type=percentage,
        action="append",
        metavar="PERCENT",
        help="measure the seconds until so many test digits are read, of quick, default, Keras and PyTorch",
    )
    bench.add_argument("--limit", type=positive, default=300, help="seconds of each with --to (default 300)")
    what.add_argument("--growth", action="store_true", help="show how the cost of a step grows")


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a run."""
    parser.add_argument("run", metavar="RUN", help="an id, a unique beginning of one, or latest")


def add_train_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for every hyperparameter; `config_from` checks the values."""
    presets = "; ".join(f"{name}: {text}" for name, text in PRESET_HELP.items())
    parser.add_argument("--preset", default="default", help=f"one of {', '.join(PRESETS)} ({presets})")
    for name, hyperparameter in HYPERPARAMETERS.items():
        text = f"{hyperparameter.help} {hyperparameter.bounds}; default {hyperparameter.default}"
        parser.add_argument(
            hyperparameter.option,
            dest=name,
            default=argparse.SUPPRESS,
            metavar="X",
            help=text.replace("%", "%%"),
        )


def percentage(text: str) -> float:
    """Return a share of the test digits in percent, more than 0 and at most 100."""
    value = float(text)
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"must be more than 0 and at most 100, not {text[:40]!r}")
    return value


def non_negative(text: str) -> int:
    """Read a whole number of at least 0."""
    return _whole_number(text, 0, _LARGEST)


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    return _whole_number(text, 1, _LARGEST)


def port_number(text: str) -> int:
    """Read a port number, 1 to 65535."""
    return _whole_number(text, 1, 65_535)


def _whole_number(text: str, minimum: int, maximum: int) -> int:
    """Read a whole number within bounds, however long the text is."""
    number = int(text) if text.isdecimal() and len(text) <= 40 else -1
    if not minimum <= number <= maximum:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from {minimum} to {maximum}, not {text[:40]!r}"
        )
    return number


def keras_path(text: str) -> Path:
    """Read a path that ends in `.keras`, in a folder that exists."""
    path = Path(text)
    try:
        fits = path.suffix == ".keras" and path.parent.is_dir()
        with suppress(FileNotFoundError):
            path.lstat()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot be written ({reason_of(error)}): {text[:200]!r}") from error
    if not fits or path.is_dir():
        raise argparse.ArgumentTypeError(
            f"must end in .keras and lie in a folder that exists, not {text[:200]!r}"
        )
    return path
