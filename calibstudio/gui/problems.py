"""The one way a problem reaches the user.

Foreseen failures become a banner or a toast with their hint; unexpected ones a dialog with
details to copy; a cancel says nothing. Whoever shows them listens to the reporter's signals.
"""

from __future__ import annotations

import faulthandler
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from PySide6.QtCore import (
    QMessageLogContext,
    QObject,
    QtMsgType,
    Signal,
    Slot,
    qInstallMessageHandler,
)

from calibstudio.domain.errors import CalibStudioError, Cancelled

log = logging.getLogger(__name__)
qt_log = logging.getLogger("calibstudio.qt")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is said about an error."""

    message: str
    hint: str = ""
    details: str = ""
    unexpected: bool = False


def describe(error: BaseException) -> Problem | None:
    """Turn an exception into words; ``None`` if there is nothing to say."""
    if isinstance(error, Cancelled | KeyboardInterrupt):
        return None
    details = "".join(traceback.format_exception(error))
    if isinstance(error, CalibStudioError):
        return Problem(str(error), error.hint, details)
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return Problem(
            f"{error.strerror}{where}.", "Look at the disk and its permissions.", details
        )
    return Problem(
        "CalibStudio ran into an error it did not expect.",
        "Frames already saved are not affected. Copy the details and send them to us.",
        details,
        unexpected=True,
    )


class ProblemReporter(QObject):
    """Says problems, whoever meets them.

    Signals
    -------
    foreseen(Problem)
        To be shown as a toast that stays until read.
    unexpected(Problem)
        To be shown as a dialog with details to copy.
    """

    foreseen = Signal(object)
    unexpected = Signal(object)
    _from_anywhere = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._from_anywhere.connect(self.report)

    @Slot(object)
    def report(self, error: object) -> None:
        """Say an exception, or a `Problem`. Cancelled says nothing. For the GUI thread."""
        problem = describe(error) if isinstance(error, BaseException) else error
        if not isinstance(problem, Problem):
            return
        if problem.unexpected:
            log.error("%s\n%s", problem.message, problem.details)
            self.unexpected.emit(problem)
        else:
            log.info("said: %s %s", problem.message, problem.hint)
            self.foreseen.emit(problem)

    def report_from_thread(self, error: BaseException) -> None:
        """Say an exception from any thread."""
        self._from_anywhere.emit(error)


def catch_everything(reporter: ProblemReporter) -> Callable[[], None]:
    """Send whatever nobody caught to the reporter, and Qt's messages to the log.

    Returns
    -------
    callable
        Puts the former hooks back.
    """
    before = sys.excepthook, threading.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            before[0](kind, error, trace)
            return
        reporter.report_from_thread(error)

    def thread_hook(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            reporter.report_from_thread(args.exc_value)

    sys.excepthook, threading.excepthook = hook, thread_hook
    former = qInstallMessageHandler(_log_qt)

    def undo() -> None:
        sys.excepthook, threading.excepthook = before
        qInstallMessageHandler(former)

    return undo


_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}
_HARMLESS = (
    "This plugin does not support propagateSizeHints",
    "This plugin does not support raise",
)


def _log_qt(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    if not message.startswith(_HARMLESS):
        qt_log.log(_LEVELS.get(kind, logging.WARNING), "%s", message)


_crash_file: IO[str] | None = None


def watch_for_crashes(folder: Path) -> str:
    """Let a crash of native code write where it happened; return what the last start left there.

    The file is ``crash.txt`` in this folder. A folder that cannot be written costs only this.
    """
    global _crash_file
    path = folder / "crash.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        left = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        _crash_file = path.open("w", encoding="utf-8")
    except OSError as error:
        log.warning("No crash file in %s: %s", folder, error)
        return ""
    faulthandler.enable(_crash_file)
    return left


def stop_watching_for_crashes() -> None:
    """Close the crash file of `watch_for_crashes`."""
    global _crash_file
    if _crash_file is not None:
        faulthandler.disable()
        _crash_file.close()
        _crash_file = None
