"""The one entry: finds the command, runs it, and turns what happened into an exit code."""

from __future__ import annotations

import argparse
import difflib
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, Protocol, cast

from calibstudio import __version__
from calibstudio.cli.frame import (
    Outcome,
    ProgressBar,
    add_common,
    harmless,
    say_problem,
    with_whole_names,
    write_json,
)
from calibstudio.domain.errors import CalibStudioError, Cancelled
from calibstudio.domain.jobs import CancelToken, JobContext, heeding, throttled

log = logging.getLogger(__name__)

EXIT_OK, EXIT_PROBLEMS, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130

COMMANDS = {
    "gui": "open the window (also without any command)",
    "headers": "what frames say about themselves, and where each value came from",
    "groups": "which frames of a folder belong together",
    "stack": "combine files as they are into one image",
    "masters": "build, judge and file every master that a folder allows",
    "plan": "what is missing for my lights, as a capture plan for run",
    "run": "capture and build without a screen, from one file; go on after a stop",
    "requests": "list, add, cancel and carry out calibration requests",
    "nightly": "the whole night's work in one call: due policies, requests, masters, library",
    "qc": "measure and judge frames, sets and masters",
    "library": "list, show, approve and reject masters",
    "rigs": "which devices, optics and site belong together, under a name",
    "discover": "equipment on the network",
    "serve-simulator": "offer the simulated observatory as Alpaca devices to other programs",
    "doctor": "what is installed, what is missing, and the command that mends it",
}


class CommandModule(Protocol):
    """What each module of `calibstudio.cli` that is a command offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its arguments."""
        ...

    def run(self, args: argparse.Namespace, ctx: JobContext) -> Outcome:
        """Do it."""
        ...


class _Parser(argparse.ArgumentParser):
    """Says wrong usage as one sentence and a hint, as every other problem."""

    def error(self, message: str) -> NoReturn:
        say_problem(f"{message[:1].upper()}{message[1:]}.", f"See {self.prog} --help.")
        raise SystemExit(EXIT_USAGE)


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    argv = list(argv) or ["gui"]
    try:
        args, module = _parse(argv)
    except BrokenPipeError:
        return _reader_left()
    except SystemExit as done:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            return _reader_left()
        return done.code if isinstance(done.code, int) else EXIT_USAGE
    from calibstudio.services.logs import start_logging

    log_file = start_logging(args.log_level, to_terminal=args.log_level is not None)
    token = CancelToken()
    _stop_on_signals(token)
    bar = ProgressBar(sys.stderr)
    try:
        with heeding(token):
            outcome = module.run(args, JobContext(token, throttled(bar, per_second=10)))
    except Cancelled:
        bar.close()
        say_problem("Stopped. What was complete is kept.")
        return EXIT_INTERRUPTED
    except CalibStudioError as error:
        bar.close()
        log.warning("%s: %s", args.command, error)
        say_problem(str(error), error.hint)
        return EXIT_USAGE
    except BrokenPipeError:
        return _reader_left()
    except Exception:
        bar.close()
        log.exception("%s: unexpected error", args.command)
        where = f"Details are in {log_file}." if log_file else "Run with --log-level debug."
        say_problem("CalibStudio ran into an error it did not expect.", where)
        return EXIT_PROBLEMS
    bar.close()
    return _deliver(args, outcome)


def _deliver(args: argparse.Namespace, outcome: Outcome) -> int:
    try:
        if args.json:
            write_json(outcome.document)
        elif outcome.text:
            print(harmless(with_whole_names(outcome)), flush=True)
        for problem in outcome.problems:
            say_problem(problem.message, problem.hint)
    except BrokenPipeError:
        return _reader_left()
    return EXIT_PROBLEMS if outcome.problems else EXIT_OK


def _reader_left() -> int:
    """The reader of a pipe went away (``| head``): end quietly, also at interpreter exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    return EXIT_OK


def _parse(argv: list[str]) -> tuple[argparse.Namespace, CommandModule]:
    parser = _Parser(
        prog="calibstudio",
        description="Take, judge, stack and keep calibration frames. Without a command: a window.",
    )
    parser.add_argument("--version", action="version", version=f"CalibStudio {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    argv = _window_when_meant(argv)
    wanted = next((a for a in argv if not a.startswith("-")), None)
    if wanted is not None and wanted not in COMMANDS:
        close = difflib.get_close_matches(wanted, COMMANDS, 1, cutoff=0.7)
        say_problem(
            f"There is no command or folder {wanted!r}.",
            f"Did you mean {close[0]}?" if close else f"There are: {', '.join(COMMANDS)}.",
        )
        raise SystemExit(EXIT_USAGE)
    module: CommandModule | None = None
    for name, text in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=f"{text[:1].upper()}{text[1:]}.")
        add_common(sub)
        if name == wanted:
            file = name.replace("-", "_")
            module = cast(CommandModule, importlib.import_module(f"calibstudio.cli.{file}"))
            module.add_arguments(sub)
    args = parser.parse_args(argv)
    if module is None:
        parser.error("no command was given")
    return args, module


def _window_when_meant(argv: list[str]) -> list[str]:
    """`calibstudio FOLDER` and `calibstudio --rig NAME` mean the window."""
    if any(a in ("-h", "--help", "--version") for a in argv):
        return argv
    first = argv[0]
    return ["gui", *argv] if first.startswith("-") or Path(first).is_dir() else argv


def _stop_on_signals(token: CancelToken) -> None:
    """SIGINT and SIGTERM ask the work to stop; a second SIGINT stops at once."""
    if threading.current_thread() is not threading.main_thread():
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if token.cancelled:
            os._exit(EXIT_INTERRUPTED)
        token.cancel()

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
