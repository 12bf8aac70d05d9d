"""Runs the command that the arguments name, and says in one sentence why it could not."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from rnnlab.cli import bench_command, read_commands, serve, sweep_commands, train_commands
from rnnlab.cli.arguments import build_parser
from rnnlab.cli.output import CommandError
from rnnlab.config import Config
from rnnlab.data.errors import DatasetError
from rnnlab.hyperparameter import ConfigError
from rnnlab.model.weights import WeightsError
from rnnlab.presets import config_from
from rnnlab.store.database import StoreError
from rnnlab.store.store import Store, default_home
from rnnlab.system.standard_streams import OutputError, write_error

FAILED: Final = 1
"""Exit status if something failed."""

BAD_ARGUMENTS: Final = 2
"""Exit status if the arguments were wrong."""

READER_LEFT: Final = 141
"""Exit status if whoever read the output has left: that of a program that SIGPIPE ends."""


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
            read_commands.read(
                store,
                arguments.run,
                arguments.images,
                arguments.step,
                arguments.weights,
                as_json=arguments.json,
            )
        case "evaluate":
            read_commands.evaluate(store, arguments.run, arguments.weights, as_json=arguments.json)
        case "export":
            read_commands.export(
                store,
                arguments.run,
                arguments.path,
                arguments.weights,
                every_row=arguments.every_row,
                as_json=arguments.json,
            )
        case "sweep":
            sweep_commands.sweep(store, arguments, config or Config())
        case "bench" if arguments.to:
            bench_command.bench_to(arguments.to, config or Config(), arguments.limit, as_json=arguments.json)
        case "bench":
            what = "growth" if arguments.growth else "grid" if arguments.grid else "one"
            bench_command.bench(
                config or Config(), what, arguments.rounds, arguments.seconds, as_json=arguments.json
            )


def run(argv: Sequence[str]) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 for success, 1 if something failed, 2 for bad arguments, 141 if whoever read the
        output has left.
    """
    parser = build_parser()
    called = parser.prog
    try:
        arguments = parser.parse_args(argv)
        called = f"{parser.prog} {arguments.command}"
        if arguments.command == "dashboard":
            serve.dashboard(arguments.port, arguments.home)
        return _run(arguments, called)
    except OutputError as error:
        if error.reader_left:
            return READER_LEFT
        write_error(f"{called}: {error}")
        return FAILED


def _run(arguments: argparse.Namespace, called: str) -> int:
    """Run a command of the store; return its exit status, or exit if its arguments were wrong."""
    try:
        config = (
            config_from(vars(arguments), arguments.preset, as_options=True) if "preset" in arguments else None
        )
        with Store(_home(arguments)) as store:
            if store.notice:
                write_error(f"{called}: {store.notice}")
            with suppress(StoreError):  # a full disk is no reason not to show what is there
                store.reports.mark_interrupted()
            if "run" in arguments:
                arguments.run = _find(store, arguments.run)
            run_command(arguments, store, config)
    except ConfigError as error:
        write_error(f"{called}: {error}")
        sys.exit(BAD_ARGUMENTS)
    except (CommandError, DatasetError, WeightsError, StoreError) as error:
        write_error(f"{called}: {error}")
        return FAILED
    except MemoryError:
        write_error(f"{called}: There is not enough memory for this; close other programs and try again.")
        return FAILED
    return 0


def _home(arguments: argparse.Namespace) -> Path:
    """Return the folder of runs.

    Raises:
        CommandError: None is named, and the working folder has been removed.
    """
    try:
        return Path(arguments.home or default_home())
    except FileNotFoundError as error:
        raise CommandError(
            "The working folder has been removed; go to another one, or name the folder of runs with --home."
        ) from error


def _find(store: Store, name: str) -> str:
    """Return the id of the run that an argument names.

    Raises:
        ConfigError: There is none, or more than one.
    """
    try:
        return store.find(name).id
    except StoreError as error:
        raise ConfigError(str(error)) from error
