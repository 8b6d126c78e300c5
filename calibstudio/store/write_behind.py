"""A large file that is filled from several threads: its room is reserved, and the disk kept busy.

What was written lies in the system's memory until it must go to the disk. Left alone, the system
begins seconds later, and whoever flushes the file waits for all of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
import threading
from typing import Any

_CHUNK = 16 << 20
_SYNC_FILE_RANGE_WRITE = 2
_FULL = (errno.ENOSPC, errno.EDQUOT)


def reserve(fd: int, size: int) -> None:
    """Give a file its size, and its room on the disk where the file system can do that.

    Raises
    ------
    OSError
        If the disk has not so much room.
    """
    os.ftruncate(fd, size)
    # Not `os.posix_fallocate`: where the file system cannot do it, the C library writes zeros.
    fallocate = _linux("fallocate64")
    if fallocate is not None and fallocate(fd, 0, ctypes.c_int64(0), ctypes.c_int64(size)) != 0:
        code = ctypes.get_errno()
        if code in _FULL:
            raise OSError(code, os.strerror(code))


class WriteBehind:
    """Has the disk begin to write what a file got, in a thread of its own.

    Asking for it takes time when the disk has much to do already: nobody who computes waits for
    that. Does nothing on systems that cannot be asked.
    """

    def __init__(self, fd: int) -> None:
        self._start_writing = _linux("sync_file_range")
        self._fd = fd
        self._unasked = 0
        self._asked = threading.Event()
        self._closed = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wrote(self, size: int) -> None:
        """Count so many bytes. Safe from several threads."""
        with self._lock:
            self._unasked += size
            if self._unasked < _CHUNK or self._start_writing is None or self._closed:
                return
            self._unasked = 0
            if self._thread is None:
                with contextlib.suppress(OSError):  # Too many files are open: then without.
                    self._begin(os.dup(self._fd))
        self._asked.set()

    def close(self) -> None:
        """End it, without waiting for a slow disk. Safe to call twice."""
        with self._lock:
            self._closed = True
        self._asked.set()

    def _begin(self, fd: int) -> None:
        self._thread = threading.Thread(
            target=self._run, args=(fd,), name="write-behind", daemon=True
        )
        self._thread.start()

    def _run(self, fd: int) -> None:
        """Own thread. The descriptor is its own: the file may be closed while the disk is asked."""
        whole = ctypes.c_int64(0)
        try:
            while self._asked.wait() and not self._closed:
                self._asked.clear()
                self._start_writing(fd, whole, whole, _SYNC_FILE_RANGE_WRITE)
        finally:
            os.close(fd)


def _linux(name: str) -> Any:
    """Return a function of Linux' C library that lets go of the interpreter, or None."""
    if sys.platform != "linux":
        return None
    with contextlib.suppress(OSError, AttributeError):
        return getattr(ctypes.CDLL(None, use_errno=True), name)
    return None
