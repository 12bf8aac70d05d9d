"""The command line: `rnnlab`, or `python -m rnnlab`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from rnnlab.cli import bench_command, read_commands, serve, train_commands
from rnnlab.cli.output import CommandError
from rnnlab.config import HYPERPARAMETERS, Config, ConfigError
from rnnlab.data.errors import DatasetError
from rnnlab.model.weights import WeightsError
from rnnlab.presets import PRESET_HELP, PRESETS, config_from
from rnnlab.store.database import StoreError
from rnnlab.store.store import Store, default_home


class OneLineParser(argparse.ArgumentParser):
    """A parser whose error messages are one line."""

    def error(self, message: str) -> NoReturn:
        """Print what was wrong and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def _program() -> str:
    """Return how this program was called."""
    return "rnnlab" if Path(sys.argv[0]).stem == "rnnlab" else "python -m rnnlab"


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = OneLineParser(prog=_program(), description=__doc__, allow_abbrev=False)
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
        help="start from the newest weights of this run, which must have the same number of neurons",
    )
    resume = add("resume", "continue a run that was interrupted, paused or stopped, or has finished")
    add_run_argument(resume)
    resume.add_argument("--iterations", type=positive, help="how many more (default: those that are left)")
    add("runs", "list the runs")
    add_dashboard(subparsers)
    read = add("read", "read pictures of a digit: drawings, scans, photographs")
    add_read_options(read)
    add_run_argument(add("evaluate", "read the whole test set"))
    export = add("export", "save a run as a standard .keras file")
    add_run_argument(export)
    export.add_argument("path", type=keras_path, metavar="PATH", help="the file to write; ends in .keras")
    export.add_argument("--every-row", action="store_true", help="answer after every row, not after the last")
    bench = add("bench", "measure training throughput here: RNN Lab, plain Keras, PyTorch if installed")
    add_bench_options(bench)
    return parser


def add_read_options(read: argparse.ArgumentParser) -> None:
    """Add the options of `read`."""
    files = "a PNG, JPEG, GIF, BMP, TIFF or WebP file, or a pattern such as *.png"
    add_run_argument(read)
    read.add_argument("images", nargs="+", metavar="IMAGE", help=files)
    read.add_argument("--step", type=non_negative, help="use the weights saved at or before this step")


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


def non_negative(text: str) -> int:
    """Read a whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number from 0, not {text[:40]!r}")
    return int(text)


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text[:40]!r}")
    return int(text)


def port_number(text: str) -> int:
    """Read a port number, 1 to 65535."""
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 65535, not {text[:40]!r}")
    return int(text)


def keras_path(text: str) -> Path:
    """Read a path that ends in `.keras`, in a folder that exists."""
    path = Path(text)
    if path.suffix != ".keras" or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"must end in .keras and lie in a folder that exists, not {text[:200]!r}"
        )
    return path


def run_command(arguments: argparse.Namespace, store: Store, config: Config | None) -> None:
    """Run the command that the arguments name."""
    match arguments.command:
        case "train":
            parent = getattr(arguments, "run", None)
            train_commands.train(store, config or Config(), parent, as_json=arguments.json)
        case "resume":
            train_commands.resume(store, arguments.run, arguments.iterations, as_json=arguments.json)
        case "runs":
            train_commands.runs(store, as_json=arguments.json)
        case "read":
            read_commands.read(store, arguments.run, arguments.images, arguments.step, as_json=arguments.json)
        case "evaluate":
            read_commands.evaluate(store, arguments.run, as_json=arguments.json)
        case "export":
            read_commands.export(
                store, arguments.run, arguments.path, every_row=arguments.every_row, as_json=arguments.json
            )
        case "bench":
            what = "growth" if arguments.growth else "grid" if arguments.grid else "one"
            bench_command.bench(
                config or Config(), what, arguments.rounds, arguments.seconds, as_json=arguments.json
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 for success, 1 if something failed, 2 for bad arguments.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.command == "dashboard":
        serve.dashboard(arguments.port, arguments.home)
    try:
        config = (
            config_from(vars(arguments), arguments.preset, as_options=True) if "preset" in arguments else None
        )
        with Store(arguments.home or default_home()) as store:
            if store.notice:
                print(f"{parser.prog} {arguments.command}: {store.notice}", file=sys.stderr)
            with suppress(StoreError):  # a full disk is no reason not to show what is there
                store.reports.mark_interrupted()
            if "run" in arguments:
                arguments.run = store.find(arguments.run).id
            try:
                run_command(arguments, store, config)
            except (CommandError, DatasetError, WeightsError, StoreError) as error:
                print(f"{parser.prog} {arguments.command}: {error}", file=sys.stderr)
                return 1
    except (ConfigError, StoreError) as error:
        parser.exit(2, f"{parser.prog} {arguments.command}: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
