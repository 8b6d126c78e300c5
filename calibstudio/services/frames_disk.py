"""The disk that frames go to, as the observatory at hand has it.

A simulated observatory can have a full one on request; everything that writes frames asks here.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from calibstudio.domain.equipment import Observatory
from calibstudio.domain.faults import FULL_DISK, is_out_of_order
from calibstudio.store.folder_sink import free_bytes
from calibstudio.store.publish import write_problem


def free_for(observatory: Observatory, folder: Path) -> int | None:
    """Return the bytes that are free for frames; None when nobody knows."""
    return 0 if is_out_of_order(observatory.faults, FULL_DISK) else free_bytes(folder)


def refuse_when_full(observatory: Observatory, folder: Path) -> None:
    """Do nothing, unless the disk is full on request.

    Raises
    ------
    WriteProblemError
        As a full disk does.
    """
    if is_out_of_order(observatory.faults, FULL_DISK):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise write_problem(folder, full) from full
