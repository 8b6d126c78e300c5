"""Progress and cancel, without Qt: what every long function is handed first."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise

from calibstudio.domain.errors import Cancelled


class CancelToken:
    """Asks work to stop. Safe to use from any thread; cannot be unset."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask for a stop. Returns at once."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether a stop was asked for."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if a stop was asked for."""
        if self._event.is_set():
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Sleep, but not through a cancel.

        Raises
        ------
        Cancelled
            As soon as the token is set.
        """
        if self._event.wait(max(0.0, seconds)):
            raise Cancelled


_HEEDED: ContextVar[CancelToken | None] = ContextVar("heeded", default=None)


@contextmanager
def heeding(token: CancelToken | None) -> Iterator[None]:
    """Let `give_way` listen to this token in the code that is called from here, in this thread.

    Work on pixels is many layers below the job that asked for it, and each of its steps may take
    a second; they listen without being handed the token. None: what is begun here is finished.
    """
    before = _HEEDED.set(token)
    try:
        yield
    finally:
        _HEEDED.reset(before)


def give_way() -> None:
    """Stop here if the job that this is done for was asked to; called between pieces of an image.

    Raises
    ------
    Cancelled
        If the token of the innermost `heeding` is set.
    """
    token = _HEEDED.get()
    if token is not None:
        token.check()


def import_giving_way(*names: str) -> None:
    """Import large modules and hear a cancel meanwhile; from a slow disk they take seconds.

    Raises
    ------
    Cancelled
        As `give_way`; the import goes on by itself and harms nobody.
    """
    failed: list[BaseException] = []

    def load() -> None:
        try:
            for name in names:
                importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001 - raised where it was asked for
            failed.append(error)

    give_way()
    if all(name in sys.modules for name in names):
        return
    if _HEEDED.get() is None:
        load()
    else:
        thread = threading.Thread(target=load, name="import", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.05)
            give_way()
    if failed:
        raise failed[0]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: ``fraction`` from 0 to 1, ``text`` what it does now."""

    fraction: float
    text: str = ""


class JobContext:
    """Handed to every job as its first argument; knows nothing of Qt.

    A job that is made of parts gives each part its own slice with `split`,
    so that a part always counts from 0 to 1 and never knows its place in the whole.
    """

    def __init__(
        self,
        token: CancelToken | None = None,
        report: Callable[[Progress], None] | None = None,
        *,
        span: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.token = token if token is not None else CancelToken()
        self._report = report
        self._start, self._end = span

    def progress(self, fraction: float, text: str = "") -> None:
        """Report progress, and stop here if a cancel was asked for.

        Raises
        ------
        Cancelled
            If the token is set and ``fraction`` is below 1 (what is done is done).
        """
        fraction = min(max(fraction, 0.0), 1.0)
        if fraction < 1.0:
            self.token.check()
        if self._report is not None:
            self._report(Progress(self._start + fraction * (self._end - self._start), text))

    def split(self, *weights: float) -> list[JobContext]:
        """Return one context for each part, sized in proportion to its weight."""
        total = sum(weights) or 1.0
        edges = [self._start]
        for weight in weights:
            edges.append(edges[-1] + weight / total * (self._end - self._start))
        return [JobContext(self.token, self._report, span=span) for span in pairwise(edges)]


def throttled(
    report: Callable[[Progress], None],
    *,
    per_second: float = 20.0,
    clock: Callable[[], float] = time.monotonic,
) -> Callable[[Progress], None]:
    """Return ``report`` called so many times a second at most; the last (1.0) always passes."""
    last = -1e9

    def call(progress: Progress) -> None:
        nonlocal last
        now = clock()
        if progress.fraction >= 1.0 or now - last >= 1.0 / per_second:
            last = now
            report(progress)

    return call


class TimeToGo:
    """Estimates the seconds left of a job from its progress; `None` until it is worth saying."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()

    def seconds(self, fraction: float) -> float | None:
        """Seconds left at this fraction, or `None` in the first second and before 2 %."""
        elapsed = self._clock() - self._started
        if fraction < 0.02 or elapsed < 1.0:
            return None
        return elapsed * (1.0 - fraction) / fraction
