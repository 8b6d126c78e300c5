"""The newest reading of a device, made in a thread of its own.

Whoever asks waits a moment for a new reading and then takes the last one, if it is not old. A
device that hangs so never holds up those who look at several devices in turn.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from calibstudio.devices.alpaca.failures import silent
from calibstudio.domain.wording import duration

log = logging.getLogger(__name__)
T = TypeVar("T")


class Fresh(Generic[T]):
    """Keeps the newest reading. Safe from any thread.

    Parameters
    ----------
    read
        Asks the device; may take long.
    name
        Says what the device is called, for sentences.
    quick_s
        How long to wait for a new reading where there is a recent one.
    first_s
        How long where there is none.
    recent_s
        How old a reading may be to be given in place of a new one.
    """

    def __init__(
        self,
        read: Callable[[], T],
        name: Callable[[], str],
        *,
        quick_s: float = 0.06,
        first_s: float = 3.0,
        recent_s: float = 5.0,
    ) -> None:
        self._read, self._name = read, name
        self._quick_s, self._first_s, self._recent_s = quick_s, first_s, recent_s
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wanted = self._served = self._epoch = 0
        self._value: T | None = None
        self._error: Exception | None = None
        self._read_at = -1e9
        self._silent_since: float | None = None

    @property
    def last(self) -> T | None:
        """The last reading, however old; None before the first and after `forget`."""
        with self._changed:
            return self._value

    def get(self) -> T:
        """Return a new reading, or a recent one when the device is slow.

        Raises
        ------
        DeviceUnreachableError
            There is none that is recent enough.
        DeviceError
            From the reading itself.
        """
        asked_at = time.monotonic()
        with self._changed:
            self._wanted += 1
            ticket = self._wanted
            if self._silent_since is None:
                self._silent_since = asked_at
            self._start()
            self._changed.notify_all()
            is_recent = self._is_recent(asked_at)
            has_waited = asked_at - self._silent_since > self._first_s
            is_known = is_recent or self._error is not None or has_waited
            limit_s = self._quick_s if is_known else self._first_s
            is_new = self._changed.wait_for(lambda: self._served >= ticket, limit_s)
            if self._error is not None and (is_new or not is_recent):
                raise self._error
            if self._value is not None and (is_new or is_recent):
                return self._value
            waited_s = time.monotonic() - (self._silent_since or asked_at)
        raise silent(self._name(), f"for {duration(waited_s)}")

    def forget(self) -> None:
        """What was read before now does not count any more: something was changed."""
        with self._changed:
            self._epoch += 1
            self._value, self._read_at = None, -1e9

    def _is_recent(self, now: float) -> bool:
        return self._value is not None and now - self._read_at < self._recent_s

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self._work, daemon=True, name=f"status of {self._name()}"
            )
            self._thread.start()

    def _work(self) -> None:
        """Read as long as somebody wants to know."""
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: self._wanted > self._served, 10.0):
                    self._thread = None
                    return
                ticket, epoch = self._wanted, self._epoch
            value: T | None = None
            error: Exception | None = None
            try:
                value = self._read()
            except Exception as problem:  # noqa: BLE001 - handed to whoever asked
                error = problem
            with self._changed:
                if epoch != self._epoch:
                    continue  # something was changed meanwhile: read again
                self._served, self._error = ticket, error
                if error is None:
                    self._value, self._read_at = value, time.monotonic()
                    self._silent_since = self._read_at if self._wanted > ticket else None
                self._changed.notify_all()
