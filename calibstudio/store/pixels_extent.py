"""How far a packed file is worth unpacking: to the end of its last picture, by its own headers.

A few megabytes can unpack to as many gigabytes as somebody likes. What is unpacked is therefore
followed header by header, and refused as soon as it claims, or turns out to be, no picture.
"""

from __future__ import annotations

import os

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.wording import file_size
from calibstudio.store.header_bytes import SER, XISF
from calibstudio.store.pixels_layout import (
    BLOCK,
    MOST_HEADER_BLOCKS,
    hdu_end,
    not_fits,
)

MOST_UNPACKED = 4 << 30
"""A thousand megapixels in 32 bits: more is no picture but a trap."""
_MOST_BEHIND = 64 << 20
"""Bytes behind the last picture that are passed over in silence."""


def most_in_memory() -> int:
    """Return how many bytes one picture may take: a quarter of this computer's memory."""
    if not hasattr(os, "sysconf"):
        return MOST_UNPACKED
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4


class Extent:
    """Follows what is being unpacked: FITS by its headers, XISF and films by their size."""

    def __init__(self, file: str, most: int) -> None:
        self._file, self._most = file, most
        self._there = 0
        self._offset = 0
        """Where the next header begins."""
        self._head = bytearray()
        """What there is of it."""
        self._enough = BLOCK
        """How much of it must be there before it is looked at."""
        self._ended = False
        self._is_other = False
        """XISF or a film: there is no walking along it, only an end to patience."""

    def add(self, part: bytes) -> None:
        """Look at what was unpacked next.

        Raises
        ------
        FileProblemError
            If it is no frame, its headers claim more than may be, or far more comes than they say.
        """
        of_data = max(0, self._offset - self._there)
        if self._there == 0 and part.startswith((XISF, SER)):
            self._is_other = True
        self._there += len(part)
        if self._is_other:
            if self._there > self._most:
                raise self._too_much(self._there)
            return
        if not self._ended:
            self._head += part[of_data:]
            while len(self._head) >= self._enough and not self._ended:
                self._look()
        if self._ended and self._there > self._offset + _MOST_BEHIND:
            raise FileProblemError(
                f"{self._file} unpacks to far more than the picture that its header describes.",
                hint="Leave it out, or copy it again.",
            )

    def _look(self) -> None:
        """Go behind the header at hand and its data, where it is whole."""
        head = self._head
        if self._offset == 0 and not head.startswith(b"SIMPLE  ="):
            raise not_fits(bytes(head[:BLOCK]), self._file)
        if self._offset and not head.startswith(b"XTENSION"):
            self._ended = True
            head.clear()
            return
        try:
            end = hdu_end(lambda at, size: bytes(head[at : at + size]), 0, self._file)
        except FileProblemError:
            # Without END so far: look again when there is twice as much.
            if len(head) > MOST_HEADER_BLOCKS * BLOCK:
                raise
            self._enough = 2 * len(head)
            return
        self._offset += end
        if self._offset > self._most:
            raise self._too_much(self._offset)
        del head[:end]
        self._enough = BLOCK

    def _too_much(self, size: int) -> FileProblemError:
        return FileProblemError(
            f"{self._file} would unpack to {file_size(size)}, which is no picture.",
            hint="Leave it out, or copy it again.",
        )
