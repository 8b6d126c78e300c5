"""The log file: one rotating file in the platform's folder, for the program and every command."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def log_folder() -> Path:
    """Where the log file is kept on this system. The folder may not exist yet."""
    from platformdirs import user_log_path

    return user_log_path("calibstudio", appauthor=False)


def start_logging(level: str | None = None, *, to_terminal: bool = False) -> Path | None:
    """Send log records to the rotating file, and on request to standard error.

    Returns
    -------
    Path or None
        The log file; None when it cannot be written (the program goes on without).
    """
    root = logging.getLogger("calibstudio")
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(LEVELS.get(level or "info", logging.INFO))
    root.propagate = True
    if to_terminal:
        terminal = logging.StreamHandler(sys.stderr)
        terminal.setFormatter(logging.Formatter(_FORMAT))
        root.addHandler(terminal)
    file = log_folder() / "calibstudio.log"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        rotating = logging.handlers.RotatingFileHandler(
            file, maxBytes=2_000_000, backupCount=4, encoding="utf-8", delay=True
        )
        rotating.setFormatter(logging.Formatter(_FORMAT))
        rotating.stream = rotating._open()
    except OSError as error:
        root.addHandler(logging.NullHandler())
        root.warning("No log file at %s: %s", file, error)
        return None
    root.addHandler(rotating)
    return file
