"""Background work of which only the newest matters: what a view shows next.

Not a job: nobody waits for it by name, and a newer question makes an older one pointless. It has
a thread of its own, so that a picture never waits behind a stack.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from calibstudio.imaging.combine_share import PROCESSORS, Turns, available_threads

log = logging.getLogger(__name__)

_LONGEST_REST_S = 0.2


class HeavyTurn:
    """The turn of what takes long for all views: few at a time, and in turn with stacks.

    Parameters
    ----------
    turns
        Where stacks wait for a processor.
    places
        So many at a time.
    """

    def __init__(self, turns: Turns, places: int) -> None:
        self._turns = turns
        self._places = threading.BoundedSemaphore(places)
        self._lock = threading.Lock()
        self._rest_until = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and hold it.

        A picture takes fifty times as long as a band of a stack. While one waits, no other picture
        begins for as long as the last ones took: both get on, each at half the speed.
        """
        with self._places:
            rest = min(self._rest_until - time.monotonic(), _LONGEST_REST_S)
            if rest > 0 and self._turns.waiting:
                threading.Event().wait(rest)
            with self._turns.turn():
                began = time.monotonic()
                try:
                    yield
                finally:
                    now = time.monotonic()
                    with self._lock:
                        self._rest_until = max(self._rest_until, now) + now - began


_HEAVY = HeavyTurn(PROCESSORS, max(1, available_threads() - 1))


class NewestWorker(QObject):
    """Runs one piece of work at a time; what waits is replaced by what is asked later.

    Signals
    -------
    done(object)
        Result of a piece of work that ran, in the GUI thread.
    failed(Exception)
        It raised.
    """

    done = Signal(object)
    failed = Signal(object)
    _ended = Signal(object, object)

    def __init__(self, name: str, parent: QObject | None = None, *, heavy: bool = False) -> None:
        """Make one. ``heavy`` work takes turns with all other, stacks too.

        So a processor is left for the window (see `calibstudio.imaging.combine_share`).
        """
        super().__init__(parent)
        self._heavy = heavy
        # Not with a lower priority: a thread that has to wait for the processor while it holds
        # the interpreter lock makes the window wait with it.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._waiting: Callable[[], Any] | None = None
        self._running = False
        self._closed = False
        self.replaced = 0
        """How many questions were never answered, because a newer one came."""
        self._ended.connect(self._on_ended)

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still to come."""
        with self._lock:
            return self._running or self._waiting is not None

    def ask(self, work: Callable[[], Any]) -> None:
        """Run this next. Called in the GUI thread; `done` or `failed` follows."""
        with self._lock:
            if self._closed:
                return
            if self._waiting is not None:
                self.replaced += 1
            self._waiting = work
            if self._running:
                return
            self._running = True
        self._executor.submit(self._run)

    def close(self) -> None:
        """Forget what waits, and wait for what runs."""
        with self._lock:
            self._closed = True
            self._waiting = None
        self._executor.shutdown(wait=True)

    def _run(self) -> None:
        """Worker thread. Touches no widget, lets no exception escape."""
        while True:
            with self._lock:
                work, self._waiting = self._waiting, None
                if work is None:
                    self._running = False
                    return
            value: Any = None
            error: Exception | None = None
            try:
                with _HEAVY.turn() if self._heavy else nullcontext():
                    value = work()
            except Exception as problem:
                log.warning("a picture could not be made", exc_info=True)
                error = problem
            del work
            try:
                self._ended.emit(value, error)
            except RuntimeError:
                return  # the view is gone
            value = error = None

    @Slot(object, object)
    def _on_ended(self, value: Any, error: Exception | None) -> None:
        if self._closed:
            return
        if error is None:
            self.done.emit(value)
        else:
            self.failed.emit(error)
