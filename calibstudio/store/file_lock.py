"""A lock on an open file that the system takes back when the process ends, however it ends."""

from __future__ import annotations

import sys

_FAR = 1 << 30
"""Windows locks bytes: one that no file of ours reaches, so that reading is not hindered."""


if sys.platform == "win32":
    import msvcrt
    import os

    def locked(handle: int) -> bool:
        """Lock an open file for this handle; False when somebody else has it."""
        at = os.lseek(handle, 0, os.SEEK_CUR)
        try:
            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(handle, at, os.SEEK_SET)
        return True

else:
    import fcntl

    def locked(handle: int) -> bool:
        """Lock an open file for this handle; False when somebody else has it.

        A file system without locks (some network shares) lets everybody through.
        """
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True
