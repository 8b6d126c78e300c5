"""Work that goes on after its request was answered: exposures, moves, slews."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from calibstudio.devices.alpaca_server.errors import INVALID_OPERATION, AlpacaError
from calibstudio.domain.errors import CalibStudioError, Cancelled
from calibstudio.domain.jobs import CancelToken

log = logging.getLogger(__name__)


class Background:
    """One thing at a time in a thread of its own. Safe to use from any thread.

    Attributes
    ----------
    error
        Why the last work failed; None when it did not.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._token = CancelToken()
        self._thread: threading.Thread | None = None
        self.error: CalibStudioError | None = None

    @property
    def is_running(self) -> bool:
        """Whether the work is still going on."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def start(self, work: Callable[[CancelToken], None]) -> None:
        """Begin; returns at once. Raises `AlpacaError` when something is still going on."""
        with self._lock:
            if self.is_running:
                raise AlpacaError(INVALID_OPERATION, f"{self._name} is busy.")
            token = self._token = CancelToken()
            self.error = None
            thread = threading.Thread(
                target=self._run, args=(work, token), name=self._name, daemon=True
            )
            self._thread = thread
            thread.start()

    def cancel(self, wait_s: float = 3.0) -> None:
        """Ask for a stop and wait for it. Does nothing when nothing is going on."""
        with self._lock:
            thread, token = self._thread, self._token
        token.cancel()
        if thread is not None and thread is not threading.current_thread():
            thread.join(wait_s)

    def wait(self) -> None:
        """Wait until the work is over, and raise what went wrong in it."""
        thread = self._thread
        if thread is not None:
            thread.join()
        if self.error is not None:
            raise self.error

    def _run(self, work: Callable[[CancelToken], None], token: CancelToken) -> None:
        try:
            work(token)
        except Cancelled:
            log.debug("%s: stopped", self._name)
        except CalibStudioError as error:
            log.warning("%s: %s", self._name, error)
            self.error = error
        except Exception as bug:
            log.exception("%s: unexpected error", self._name)
            self.error = CalibStudioError(f"{self._name} failed: {bug}")
