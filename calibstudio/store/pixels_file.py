"""An open file that is read at places, plain or unpacked, with its errors in words."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import io
import lzma
import os
import stat
import tempfile
import threading
import weakref
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self

from numpy.typing import NDArray

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.jobs import give_way
from calibstudio.store.pixels_extent import MOST_UNPACKED, Extent, most_in_memory

_PACKERS: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_CHUNK = 1 << 20
_PIECE_BYTES = 16 << 20


@dataclass(slots=True)
class UnpackBudget:
    """How much memory unpacked files may take together; what is beyond goes to a folder."""

    folder: Path
    bytes_left: int
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, size: int) -> bool:
        """Use so much memory; False if it is not there."""
        with self._lock:
            if size > self.bytes_left:
                return False
            self.bytes_left -= size
            return True


class PixelFile:
    """A file that is open for positioned reads, from several threads at once.

    Files compressed as a whole (gzip, bzip2, xz, known by their first bytes) are unpacked once.

    Raises
    ------
    FileProblemError
        If it is missing, is no file, may not be read, or cannot be unpacked.
    """

    def __init__(self, path: Path, budget: UnpackBudget | None = None) -> None:
        self.label = str(path)
        """What a sentence calls it."""
        self.size = 0
        """Bytes, after unpacking."""
        self._path: Path | None = path
        self._memory: bytearray | None = None
        self._lock = threading.Lock()
        self._release: weakref.finalize[Any, Any] | None = None
        self._own(_open(path, self.label))
        try:
            self.size = self._status().st_size
            self._unpack(budget)
        except BaseException:
            self.close()
            raise

    @classmethod
    def temporary(cls, content: NDArray[Any], label: str, budget: UnpackBudget) -> Self:
        """Return a file without a name that holds the bytes of an array."""
        self = cls.__new__(cls)
        self.label, self.size = label, content.nbytes
        self._path, self._memory, self._lock = None, None, threading.Lock()
        with _nameless(budget.folder, label) as file:
            try:
                file.write(content.tobytes())
                file.flush()
            except OSError as error:
                raise _no_room(label, budget.folder, error) from error
            self._own(os.dup(file.fileno()))
        return self

    def stream(self) -> Any:
        """Return what astropy opens."""
        if self._memory is not None:
            return io.BytesIO(self._memory)
        if self._path is not None:
            return str(self._path)
        return os.fdopen(os.dup(self._fd), "rb")

    def read_at(self, offset: int, size: int) -> bytes:
        """Return bytes from a place, fewer at the end of the file."""
        if self._memory is not None:
            return bytes(self._memory[offset : offset + size])
        buffer = bytearray(max(0, min(size, self.size - offset)))
        self.read_into(memoryview(buffer), offset)
        return bytes(buffer)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill the buffer from this offset; a cancel is heard between its pieces (`heeding`).

        Raises
        ------
        FileProblemError
            If the file ends before, or cannot be read.
        """
        if self._memory is not None:
            part = memoryview(self._memory)[offset : offset + len(buffer)]
            if len(part) < len(buffer):
                raise self._cut_off()
            buffer[:] = part
            return
        done = 0
        while done < len(buffer):
            give_way()
            try:
                got = self._read_some(buffer[done : done + _PIECE_BYTES], offset + done)
            except OSError as error:
                raise FileProblemError(
                    f"{self.label} cannot be read: {error.strerror or error}.",
                    hint="Check the disk or the network it lies on.",
                ) from error
            if got == 0:
                raise self._cut_off()
            done += got

    @property
    def descriptor(self) -> int | None:
        """The open file; None where it was unpacked into memory, or is opened for every read."""
        return self._fd if self._memory is None and self._release is not None else None

    def close(self) -> None:
        """Close it. Safe to call twice."""
        if self._release is not None:
            self._release()

    def _own(self, fd: int) -> None:
        """Keep a descriptor; -1 opens the file for every read, where too many are open."""
        self._fd = fd
        if fd >= 0:
            if hasattr(os, "posix_fadvise"):
                # Read from front to back, many files in turn: the disk may read further ahead.
                with contextlib.suppress(OSError):
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            self._release = weakref.finalize(self, os.close, fd)

    def _status(self) -> os.stat_result:
        return os.fstat(self._fd) if self._fd >= 0 or self._path is None else self._path.stat()

    def _read_some(self, buffer: memoryview, offset: int) -> int:
        if self._release is None:
            fd = _open(self._path or Path(self.label), self.label)
            if fd < 0:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            try:
                return self._read_from(fd, buffer, offset)
            finally:
                os.close(fd)
        if not self._release.alive:
            raise OSError("it was closed")
        return self._read_from(self._fd, buffer, offset)

    def _read_from(self, fd: int, buffer: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(fd, [buffer], offset)
        with self._lock:  # Windows has no positioned read.
            os.lseek(fd, offset, os.SEEK_SET)
            part = os.read(fd, len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def _cut_off(self) -> FileProblemError:
        return FileProblemError(
            f"{self.label} became shorter while it was read.",
            hint="Another program may be writing it; try again when it is done.",
        )

    def _unpack(self, budget: UnpackBudget | None) -> None:
        opener = next((o for m, o in _PACKERS.items() if self.read_at(0, 6).startswith(m)), None)
        if opener is None:
            return
        memory = bytearray()
        file: BinaryIO | None = None
        try:
            for part in self._unpacked(opener, budget):
                if file is None and budget is not None and not budget.take(len(part)):
                    file = _nameless(budget.folder, self.label)
                    budget.bytes_left += len(memory)
                    _write_part(file, memory, self.label, budget)
                    memory = bytearray()
                if file is None:
                    memory += part
                else:
                    _write_part(file, part, self.label, budget)
            self.close()
            if file is None:
                self._memory, self.size = memory, len(memory)
            else:
                file.flush()
                self._path, self.size = None, file.tell()
                self._own(os.dup(file.fileno()))
        finally:
            if file is not None:
                file.close()

    def _unpacked(self, opener: Any, budget: UnpackBudget | None) -> Iterator[bytes]:
        """Yield the unpacked content part by part, and end what is no picture."""
        most = MOST_UNPACKED if budget is not None else min(MOST_UNPACKED, most_in_memory())
        extent = Extent(self.label, most)
        with open(self.label, "rb") as raw:  # noqa: PTH123 - the label is the path
            try:
                with opener(raw) as stream:
                    while part := stream.read(_CHUNK):
                        extent.add(part)
                        yield part
            except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
                raise FileProblemError(
                    f"{self.label} cannot be unpacked: it is cut off or broken.",
                    hint="Copy it again.",
                ) from error


def _write_part(
    file: BinaryIO, part: bytes | bytearray, label: str, budget: UnpackBudget | None
) -> None:
    try:
        file.write(part)
    except OSError as error:
        folder = budget.folder if budget is not None else Path(tempfile.gettempdir())
        raise _no_room(label, folder, error) from error


def _nameless(folder: Path, label: str) -> BinaryIO:
    try:
        return tempfile.TemporaryFile(dir=folder)
    except OSError as error:
        raise _no_room(label, folder, error) from error


def _no_room(label: str, folder: Path, error: OSError) -> FileProblemError:
    return FileProblemError(
        f"{label} cannot be unpacked into {folder}: {error.strerror or error}.",
        hint="Free some space there, or allow more memory.",
    )


def _open(path: Path, label: str) -> int:
    """Open for reading; -1 where this process has too many files open."""
    try:
        # A pipe or device of that name would block for ever, so look before opening.
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileProblemError(f"{label} is not a file.", hint="Choose FITS files.")
        return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as error:
        raise FileProblemError(
            f"{label} is not there.", hint="It may have been moved or deleted; look again."
        ) from error
    except PermissionError as error:
        raise FileProblemError(
            f"{label} may not be read.", hint="Give yourself permission to read it."
        ) from error
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in (errno.EMFILE, errno.ENFILE):
            return -1
        reason = getattr(error, "strerror", None) or error
        raise FileProblemError(f"{label} cannot be opened: {reason}.", hint="") from error
