"""Patience with devices that stop answering: wait, try again, longer each time, then ask.

The operator is told all along. What is tried again must be harmless to do twice: reading a state,
turning to a filter, setting a lamp. An exposure is begun anew and never counted twice, because a
frame counts only when it has arrived.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isinf
from typing import TypeVar

from calibstudio.domain.capture import ActivityKind, QuestionKind
from calibstudio.domain.errors import (
    CalibStudioError,
    DeviceBusyError,
    DeviceUnreachableError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.services.capture_run import FAILURE_ANSWERS, SequenceRun, SequenceStopped

T = TypeVar("T")

RECONNECTS = 5
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 60.0
LISTEN_S = 0.5
"""How often, in real seconds, a wait looks whether the operator wants to stop."""


def back_off_s(attempt: int) -> float:
    """Return how long to wait before a try, counted from 1: 5, 10, 20, 40, 60 s."""
    return float(min(FIRST_WAIT_S * 2 ** (attempt - 1), LONGEST_WAIT_S))


class Patience:
    """Does things with devices for a sequence."""

    def __init__(self, run: SequenceRun) -> None:
        self._run = run

    def persist(self, device: str, action: Callable[[], T], *, said: str = "") -> T:
        """Do something with a device; where it does not answer, wait and do it again.

        Parameters
        ----------
        device
            How it is called at the beginning of a sentence: ``Filter wheel``.
        said
            What is said while waiting, in place of ``Filter wheel stopped answering.``

        Raises
        ------
        StepEnded
            The operator skips the step.
        SequenceStopped, Cancelled
        CalibStudioError
            Of any other kind, as the device raised it.
        """
        said = said or f"{device} stopped answering."
        attempt = 0
        while True:
            try:
                return action()
            except (DeviceUnreachableError, DeviceBusyError) as error:
                attempt += 1
                if attempt > RECONNECTS:
                    self.ask(error)
                    attempt = 0
                    continue
                self._wait(said, attempt)

    def until_back(self, error: CalibStudioError, said: str, probe: Callable[[], object]) -> None:
        """Wait until a device answers again, after it was lost with this error."""
        attempt = 0
        while True:
            attempt += 1
            if attempt > RECONNECTS:
                self.ask(error)
                attempt = 1
            self._wait(said, attempt)
            try:
                probe()
            except (DeviceUnreachableError, DeviceBusyError):
                continue
            return

    def ask(self, error: CalibStudioError) -> None:
        """Pause with the error until the operator says retry, skip or stop."""
        self._run.ask(QuestionKind.FAILURE, str(error), error.hint, FAILURE_ANSWERS)

    def _wait(self, said: str, attempt: int) -> None:
        """Tell, and wait; a stop that is asked for ends it."""
        run = self._run
        run.note(said)
        seconds = back_off_s(attempt)
        text = f"{said} Reconnecting, try {attempt} of {RECONNECTS}."
        run.activity(ActivityKind.RECONNECTING, text, seconds)
        speed = run.around.observatory.clock.speed
        piece = seconds if isinf(speed) else LISTEN_S * max(speed, 1.0)
        while seconds > 0:
            if run.around.control.stopping:
                raise SequenceStopped
            run.around.sleep(min(piece, seconds))
            seconds -= piece


@contextmanager
def time_limit(seconds: float | None) -> Iterator[CancelToken]:
    """Give a token that cancels itself after so many real seconds; never without a limit."""
    token = CancelToken()
    if seconds is None:
        yield token
        return
    timer = threading.Timer(seconds, token.cancel)
    timer.daemon = True
    timer.start()
    try:
        yield token
    finally:
        timer.cancel()
