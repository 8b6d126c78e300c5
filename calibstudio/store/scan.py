"""Finds the files of folders: recursively, once each, and with a reason for what is left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from calibstudio.domain.errors import UsageError
from calibstudio.domain.grouping import LeftOut
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.wording import count
from calibstudio.store.headers import FRAME_ENDINGS

MAX_DEPTH = 64
BROKEN_LINK = "A link to something that is not there."

NON_FRAMES = frozenset(
    [
        ".txt",
        ".log",
        ".csv",
        ".json",
        ".jsonl",
        ".yaml",
        ".yml",
        ".xml",
        ".md",
        ".html",
        ".htm",
        ".pdf",
        ".ini",
        ".cfg",
        ".conf",
        ".toml",
        ".db",
        ".sqlite",
        ".sqlite-wal",
        ".sqlite-shm",
        ".jsonl",
        ".py",
        ".sh",
        ".bat",
        ".exe",
        ".dll",
        ".js",
        ".css",
        ".zip",
        ".7z",
        ".rar",
        ".tar",
        ".tgz",
        ".jpg",
        ".jpeg",
        ".png",
        ".gif",
        ".bmp",
        ".svg",
        ".webp",
        ".tif",
        ".tiff",
        ".mp4",
        ".avi",
        ".mov",
        ".mp3",
        ".wav",
        ".lnk",
        ".url",
        ".bak",
        ".xosm",
        ".xdrz",
        ".xpsm",
        ".pxiproject",
        ".ssf",
        ".ssc",
        ".seq",
        ".lst",
        ".tmp",
        ".part",
        ".crdownload",
        ".ecsv",
        ".dat",
        ".reg",
        ".region.pmap",
        ".imap",
        ".rmap",
    ]
)
"""Endings of files that are never opened in a scan."""
SYSTEM_NAMES = frozenset({"thumbs.db", "desktop.ini", "$recycle.bin", "system volume information"})


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that may be a frame."""

    path: Path
    size: int
    mtime_ns: int


@dataclass(slots=True)
class Listing:
    """What the folders hold."""

    files: list[FoundFile] = field(default_factory=list)
    ungrouped: list[LeftOut] = field(default_factory=list)
    ignored: list[LeftOut] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: Path
    status: os.stat_result
    is_link: bool
    is_named: bool
    """Named by the user and not found in a folder: never left out by its name."""


def find_files(ctx: JobContext, paths: Sequence[Path]) -> Listing:
    """List the files below some folders, and the files named themselves.

    Links are followed, each folder is entered once, and a file that has several names counts
    once. Hidden files and files whose ending says that they are no frames are listed as ignored.

    Raises
    ------
    UsageError
        If one of the paths does not exist.
    Cancelled
        If the job was cancelled.
    """
    listing = Listing()
    candidates: list[_Candidate] = []
    entered: set[tuple[int, int]] = set()
    for path in paths:
        path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
        try:
            status = path.stat()
        except OSError as error:
            if path.is_symlink():
                # One file of many, as a shell names them.
                listing.ungrouped.append(LeftOut(path, BROKEN_LINK))
                continue
            if not isinstance(error, FileNotFoundError):
                raise UsageError(
                    f"{path} cannot be read ({error.strerror}).", hint="Check its permissions."
                ) from error
            raise UsageError(f"{path} does not exist.", hint="Check the name.") from error
        if stat.S_ISDIR(status.st_mode):
            for candidate in _walk(ctx, path, status, entered, listing):
                candidates.append(candidate)
                if len(candidates) % 500 == 0:
                    ctx.progress(0.0, f"{count(len(candidates), 'file')} found")
        else:
            candidates.append(_Candidate(path, status, path.is_symlink(), True))
    _sort_out(candidates, listing)
    return listing


def _walk(
    ctx: JobContext,
    folder: Path,
    status: os.stat_result,
    entered: set[tuple[int, int]],
    listing: Listing,
    depth: int = 0,
) -> Iterator[_Candidate]:
    """Yield the files below a folder, in the order of their names."""
    ctx.token.check()
    identity = (status.st_dev, status.st_ino)
    if (identity in entered and status.st_ino) or depth > MAX_DEPTH:
        return
    entered.add(identity)
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda e: e.name)
    except OSError as error:
        why = "may not be read by this user" if isinstance(error, PermissionError) else "vanished"
        listing.ungrouped.append(LeftOut(folder, f"This folder {why}."))
        return
    for entry in ordered:
        path = folder / entry.name
        if entry.name.startswith(".") or entry.name.lower() in SYSTEM_NAMES:
            listing.ignored.append(LeftOut(path, "Hidden, or made by the system."))
            continue
        try:
            entry_status = entry.stat()
        except OSError:
            gone = BROKEN_LINK if entry.is_symlink() else "Vanished."
            is_none = path.suffix.lower() in NON_FRAMES
            (listing.ignored if is_none else listing.ungrouped).append(LeftOut(path, gone))
            continue
        if stat.S_ISDIR(entry_status.st_mode):
            yield from _walk(ctx, path, entry_status, entered, listing, depth + 1)
        else:
            yield _Candidate(path, entry_status, entry.is_symlink(), False)


def _sort_out(candidates: list[_Candidate], listing: Listing) -> None:
    """Decide by name and identity which candidates are worth opening."""
    seen: dict[tuple[int, int], Path] = {}
    # Real names go before links, so that a link never hides the file that it points to.
    for candidate in sorted(candidates, key=lambda c: c.is_link):
        path, status = candidate.path, candidate.status
        identity = (status.st_dev, status.st_ino)
        first = seen.get(identity) if status.st_ino else None
        if first is not None:
            if first != path:
                listing.ignored.append(LeftOut(path, f"The same file as {first.name}."))
            continue
        seen[identity] = path
        ending = path.suffix.lower()
        if not stat.S_ISREG(status.st_mode):
            listing.ignored.append(LeftOut(path, "No file, but a device or a pipe."))
        elif ending in NON_FRAMES and not candidate.is_named:
            listing.ignored.append(LeftOut(path, f"A {ending} file is no frame."))
        else:
            listing.files.append(FoundFile(path, status.st_size, status.st_mtime_ns))
    listing.files.sort(key=lambda f: f.path)
    listing.ignored.sort(key=lambda item: item.path)


def has_frame_ending(path: Path) -> bool:
    """Whether a name says that the file is a frame: ``x.fits``, ``x.FIT.gz``, ``x.xisf``."""
    suffixes = [s.lower() for s in path.suffixes[-2:]]
    if not suffixes or suffixes[-1] not in FRAME_ENDINGS:
        return False
    if suffixes[-1] in (".gz", ".bz2", ".xz"):
        return len(suffixes) > 1 and suffixes[0] in FRAME_ENDINGS
    return True
