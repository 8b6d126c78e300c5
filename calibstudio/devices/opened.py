"""An observatory of real devices: what was connected, what was not, and letting go of it.

Devices are connected at the same time, each with its own outcome: one that is missing or hangs
does not keep the others from being used.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from calibstudio.domain.equipment import FlatPanel, Observatory
from calibstudio.domain.errors import CalibStudioError, DeviceError, DeviceUnreachableError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.rig import DeviceOutcome

log = logging.getLogger(__name__)
_LOOK_S = 0.1
CLOSE_LIMIT_S = 8.0
"""A device that takes longer to be let go is left alone."""


@dataclass(frozen=True, slots=True)
class OpenedObservatory(Observatory):
    """An observatory of real devices, and which of them could not be connected."""

    outcomes: tuple[DeviceOutcome, ...] = ()
    release: Callable[[], None] | None = None
    """Called last when it is closed, for what the devices share."""

    @property
    def missing(self) -> tuple[DeviceOutcome, ...]:
        """Devices of the rig that are not connected, with the reason."""
        return tuple(o for o in self.outcomes if o.error is not None)

    def close(self) -> None:
        """Make safe: lamp off, then let go of every device.

        All at the same time, so that one that hangs does not keep the others; within
        `CLOSE_LIMIT_S`.
        """
        devices = {
            "panel": lambda: _let_go_of_panel(self.panel),
            "filter wheel": lambda: _closed(self.wheel),
            "mount": lambda: _closed(self.mount),
            "rotator": lambda: _closed(self.rotator),
            "focuser": lambda: _closed(self.focuser),
            "dome": lambda: _closed(self.dome),
            "safety monitor": lambda: _closed(self.safety),
            "camera": lambda: _closed(self.camera),
        }
        threads = [
            threading.Thread(target=act, daemon=True, name=f"letting go of the {word}")
            for word, act in devices.items()
        ]
        ends = time.monotonic() + CLOSE_LIMIT_S
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, ends - time.monotonic()))
            if thread.is_alive():
                log.warning("%s takes too long", thread.name)
        if self.release is not None:
            self.release()


def _let_go_of_panel(panel: FlatPanel | None) -> None:
    if panel is not None and panel.info.has_lamp:
        try:
            panel.set_brightness(0, CancelToken())
        except CalibStudioError as error:
            log.info("the lamp was not switched off: %s", error)
    _closed(panel)


def _closed(device: object) -> None:
    close: Callable[[], None] | None = getattr(device, "close", None)
    if close is not None:
        close()


class Connecting:
    """Connects one device in a thread of its own.

    Parameters
    ----------
    title
        What the device is called in a sentence.
    connect
        Connects it and returns it; raises when it cannot or when the token is set.
    abandon
        Lets go of what ``connect`` may have begun. Raises nothing; may be called twice.
    """

    def __init__(
        self, title: str, connect: Callable[[CancelToken], Any], abandon: Callable[[], None]
    ) -> None:
        self.title, self._connect, self._abandon = title, connect, abandon
        self._token = CancelToken()
        self._done = threading.Event()
        self.device: Any = None
        self.error: CalibStudioError | None = None

    @property
    def outcome(self) -> DeviceOutcome:
        """What became of it."""
        return DeviceOutcome(self.title, self.error)

    def start(self) -> None:
        """Begin; returns at once."""
        name = f"connecting {self.title}"
        threading.Thread(target=self._run, daemon=True, name=name).start()

    def is_done(self) -> bool:
        """Whether it is connected, or failed."""
        return self._done.is_set()

    def give_up(self, error: CalibStudioError | None = None) -> None:
        """Stop connecting; whatever comes of it is closed."""
        self._token.cancel()
        self._abandon()
        self.device, self.error = None, self.error or error

    def _run(self) -> None:
        try:
            device = self._connect(self._token)
        except CalibStudioError as error:
            self._abandon()
            self.error = error
        except Exception:
            self._abandon()
            self.error = self.error or DeviceError(f"{self.title} was not connected.")
            if not self._token.cancelled:
                log.exception("connecting %s failed unexpectedly", self.title)
        else:
            if self._token.cancelled:
                device.close()
            else:
                self.device = device
        self._done.set()


def connect_all(jobs: Sequence[Connecting], token: CancelToken, limit_s: float) -> None:
    """Connect all at the same time; what takes longer than ``limit_s`` is given up.

    Raises
    ------
    Cancelled
        What was connected is let go.
    """
    try:
        for job in jobs:
            job.start()
        _wait(jobs, token, limit_s)
    except BaseException:
        let_go(jobs)
        raise
    for job in jobs:
        if job.error is not None:
            log.warning("%s is missing: %s", job.title, job.error)


def let_go(jobs: Sequence[Connecting]) -> None:
    """Close what was connected, stop what was not yet."""
    for job in jobs:
        if job.device is not None:
            job.device.close()
        else:
            job.give_up()


def _wait(jobs: Sequence[Connecting], token: CancelToken, limit_s: float) -> None:
    ends = time.monotonic() + limit_s
    while not all(job.is_done() for job in jobs):
        token.wait(_LOOK_S if time.monotonic() < ends else 0.0)
        if time.monotonic() > ends:
            for job in jobs:
                if not job.is_done():
                    job.give_up(
                        DeviceUnreachableError(
                            f"{job.title} does not connect.",
                            hint="Check its cable and power, then connect again.",
                        )
                    )
            return
