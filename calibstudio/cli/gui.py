"""`calibstudio gui`: the window."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from calibstudio.cli.frame import Outcome, say_problem
from calibstudio.domain.errors import Cancelled, UsageError
from calibstudio.domain.jobs import JobContext

if TYPE_CHECKING:
    from calibstudio.app import App

log = logging.getLogger(__name__)

EXIT_NO_SCREEN = 69
"""EX_UNAVAILABLE of sysexits."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    parser.add_argument(
        "--rig",
        default="",
        metavar="NAME",
        help="a rig (calibstudio rigs list), or alpaca://HOST:PORT or indi://HOST:PORT",
    )
    parser.add_argument(
        "--library", default="", metavar="URL", help="folder or database URL of the master library"
    )
    parser.add_argument("folder", nargs="?", type=Path, help="frames to look at first")
    parser.add_argument("--smoke", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Open the window and work until it is closed.

    Raises
    ------
    UsageError
        The window cannot be opened here, or the rig or folder does not exist.
    Cancelled
        SIGINT or SIGTERM asked to stop.
    """
    from calibstudio.services.system_check import missing_for_window

    missing = missing_for_window()
    if missing:
        raise UsageError(
            "CalibStudio cannot open its window: " + " ".join(missing),
            hint="See calibstudio doctor.",
        )
    if args.folder is not None and not args.folder.is_dir():
        raise UsageError(f"There is no folder {args.folder}.", hint="Name a folder of frames.")
    from calibstudio.app import Options, build
    from calibstudio.gui.problems import stop_watching_for_crashes, watch_for_crashes
    from calibstudio.services.logs import log_folder

    left = watch_for_crashes(log_folder())
    folder = args.folder.resolve() if args.folder is not None else None
    app = build(Options(rig=args.rig, library=args.library, folder=folder))
    if left.strip():
        log.error("the last start ended with a crash:\n%s", left)
        app.context.toasts.say(
            "CalibStudio ended by a crash last time.", "warn", hint="Details are in its log file."
        )
    _watch_token(app, ctx)
    if args.smoke:
        _leave_after_painting(app)
    app.run()
    interrupted = ctx.token.cancelled
    clean = app.close()
    stop_watching_for_crashes()
    if not clean:
        # Python would wait for threads of the pool, and may crash under those of other libraries.
        if interrupted:
            say_problem("Stopped. What was complete is kept.")
        logging.shutdown()
        sys.stdout.flush()
        os._exit(130 if interrupted else 0)
    if interrupted:
        raise Cancelled
    return Outcome({"closed": True})


def _watch_token(app: App, ctx: JobContext) -> None:
    """Look five times a second whether a signal asked to stop; this also lets Python see it."""
    from PySide6.QtCore import QTimer

    timer = QTimer(app.window)
    timer.setInterval(200)

    def look() -> None:
        if ctx.token.cancelled:
            timer.stop()
            app.window.close_at_once()

    timer.timeout.connect(look)
    timer.start()


def _leave_after_painting(app: App) -> None:
    """End by itself once the workspace is on the screen: for tests of packages."""
    from PySide6.QtCore import QTimer

    app.window.first_painted.connect(lambda: QTimer.singleShot(400, app.window.close_at_once))
