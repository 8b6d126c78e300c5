"""Files appear whole or not at all, and nothing is ever overwritten.

A file is written under a temporary name in its own folder, flushed to the disk, and then given
its name by a step that refuses to replace: a reader sees the old state or the new one, also
after a power cut.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

from calibstudio.domain.errors import WriteProblemError
from calibstudio.domain.jobs import give_way

_NO_LINKS = {
    errno.EPERM,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.ENOTSUP,
    errno.EMLINK,
    errno.EINVAL,
    errno.EACCES,
}
"""What `os.link` says on file systems without hard links (FAT, exFAT, many network shares)."""


_PIECE_BYTES = 4 << 20
_LISTEN_S = 0.05


def publish_file(final: Path, write: Callable[[Path], object]) -> bool:
    """Write a file with ``write(temporary_path)`` and give it its name.

    Returns
    -------
    bool
        True when the file is new; False when a file of this name with the same bytes was there
        already (it is left as it was).

    Raises
    ------
    WriteProblemError
        The name is taken by other content, the disk is full, or there is no right to write.
        Nothing is left behind, whatever is raised.
    """
    temporary: Path | None = None
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(final)
        write(temporary)
        _flush_heeding(temporary)
        return _publish(temporary, final)
    except OSError as error:
        raise write_problem(final, error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):  # published by a rename
                temporary.unlink()


def publish_complete(temporary: Path, final: Path) -> bool:
    """Give a temporary file that is known to be complete its name; see `publish_file`.

    An empty file under that name is what a killed process left on file systems without links: it
    is replaced. The temporary name may still be there afterwards.

    Raises
    ------
    WriteProblemError
        The name is taken by other content, or the disk refuses.
    """
    try:
        flush_to_disk(temporary)
        if final.is_file() and final.stat().st_size == 0:
            temporary.replace(final)
            flush_folder(final.parent)
            return True
        return _publish(temporary, final)
    except OSError as error:
        raise write_problem(final, error) from error


def temporary_beside(final: Path) -> Path:
    """Return a name in the same folder that nobody else uses, hidden, with the ending ``.part``."""
    return final.with_name(f".{final.name[:150]}.{uuid.uuid4().hex[:12]}.part")


def flush_to_disk(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def _flush_heeding(path: Path) -> None:
    """Wait until a file is on the disk, but not through a cancel: a slow disk takes seconds."""
    failed: list[OSError] = []

    def flush() -> None:
        try:
            flush_to_disk(path)
        except OSError as error:
            failed.append(error)

    give_way()
    thread = threading.Thread(target=flush, name="flush", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LISTEN_S)
        give_way()
    if failed:
        raise failed[0]


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk (where the system can do that)."""
    with contextlib.suppress(OSError):  # Windows cannot open folders; some shares cannot sync
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_problem(path: Path, error: OSError) -> WriteProblemError:
    """Say in a sentence why a file could not be written."""
    causes = {
        errno.ENOSPC: ("the disk is full", "Free some space, or choose another folder."),
        errno.EDQUOT: ("the disk quota is used up", "Free some space, or choose another folder."),
        errno.EACCES: ("there is no permission", "Choose a folder that you may write to."),
        errno.EPERM: ("there is no permission", "Choose a folder that you may write to."),
        errno.EROFS: ("the disk is read-only", "Choose another folder."),
        errno.ENAMETOOLONG: ("its name is too long", "Choose a folder with a shorter path."),
        errno.ENOTDIR: ("a file stands where a folder is needed", "Choose another folder."),
    }
    what, hint = causes.get(error.errno or 0, (error.strerror or str(error), "Check the disk."))
    return WriteProblemError(f"{path} could not be written: {what}.", hint=hint)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal; a cancel is heard on the way.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while piece := handle.read(_PIECE_BYTES):
            give_way()
            digest.update(piece)
    return digest.hexdigest()


def _publish(temporary: Path, final: Path) -> bool:
    try:
        try:
            os.link(temporary, final)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _publish_without_links(temporary, final)
    except FileExistsError as error:
        if _same_bytes(temporary, final):
            return False
        raise WriteProblemError(
            f"{final} exists already, with other content. It was left as it is.",
            hint="Move it away, or write to another folder.",
        ) from error
    flush_folder(final.parent)
    return True


def _publish_without_links(temporary: Path, final: Path) -> None:
    """Take the name exclusively with an empty file, then move the content over it."""
    os.close(os.open(final, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        temporary.replace(final)
    except BaseException:
        final.unlink()
        raise


def _same_bytes(one: Path, other: Path) -> bool:
    if not other.is_file() or one.stat().st_size != other.stat().st_size:
        return False
    return sha256_of(one) == sha256_of(other)
