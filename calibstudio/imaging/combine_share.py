"""What all combinations of this program share: processors band by band, and memory.

A window may stack two groups at once. Each has its own threads, but only so many bands are worked
on at a time as there are processors, first come first served: so two combinations go on side by
side at half the speed each, whichever began first. A band waits while it has been read and before
it is worked on, never while a disk is waited for; so the threads of a slow disk take nothing from
anybody. Memory that nobody was promised is divided in the same way.

Beside a window one processor is left to it, and the pictures and numbers of the live view take
turns with the bands: with one busy thread more, a window waits for a processor in mid repaint.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from calibstudio.domain.jobs import give_way

_ALL_MEMORY = 2 << 30
"""Bytes for all combinations together that were not told how much they may use."""


class Turns:
    """Lets so many in at a time, in the order in which they came."""

    def __init__(self, places: int) -> None:
        self._all = self._places = self._free = places
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    def leave(self, places: int) -> None:
        """Leave so many of all places to others, but never the last one."""
        with self._lock:
            left = max(1, self._all - places)
            # Below 0 while more are in than may be: who comes out leaves the place.
            self._free += left - self._places
            self._places = left
            self._let_in()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a place, and hold it."""
        mine: threading.Event | None = None
        with self._lock:
            if self._free > 0:
                self._free -= 1
            else:
                mine = threading.Event()
                self._waiting.append(mine)
        if mine is not None:
            mine.wait()
        try:
            yield
        finally:
            with self._lock:
                self._free += 1
                self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._free > 0:
            self._free -= 1
            self._waiting.popleft().set()


class Share:
    """Counts the combinations at work, and says how much memory a new one gets."""

    def __init__(self, memory_bytes: int = _ALL_MEMORY) -> None:
        self._lock = threading.Lock()
        self._left = memory_bytes

    @contextmanager
    def memory(self, asked: int | None) -> Iterator[int]:
        """Give what was asked for, or else half of what is left."""
        if asked is not None:
            yield asked
            return
        with self._lock:
            given = self._left // 2
            self._left -= given
        try:
            yield given
        finally:
            with self._lock:
                self._left += given


class Space:
    """Lends so many bytes, in the order in which they are asked for.

    Who wants more than there is gets it when nobody else has any: whether that may be is the
    caller's to say before.
    """

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for some."""
        return len(self._waiting)

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Wait for so many bytes, and hold them; not through a cancel (`heeding`)."""
        wanted, me = min(size, self._size), object()
        with self._changed:
            self._waiting.append(me)
            try:
                while not self._changed.wait_for(
                    lambda: self._waiting[0] is me and self._free >= wanted, timeout=0.1
                ):
                    give_way()
                self._free -= wanted
            finally:
                self._waiting.remove(me)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


def available_threads() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


PROCESSORS = Turns(available_threads())
MEMORY = Share()
FRAMES = Space(200 << 20)
"""For whole frames that are looked at, whoever looks: two of 24 megapixels at a time and more, one
of 61. Where more memory is allowed, more are."""
