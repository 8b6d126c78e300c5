"""Folders become headers: scanning with progress, a cache, and a reason for every file left out."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from calibstudio.domain.changes import ManualChanges
from calibstudio.domain.equipment import Site
from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.grouping import Grouping, LeftOut
from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.header import FrameHeader, HeaderValue
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.recipe import Tolerances
from calibstudio.domain.regroup import apply_changes
from calibstudio.domain.wording import number
from calibstudio.services.regroup import load_changes
from calibstudio.store.header_bytes import NotAFrameError
from calibstudio.store.header_cache import HeaderCache
from calibstudio.store.headers import (
    finish_header,
    is_for_cache,
    read_header,
    read_raw_header,
)
from calibstudio.store.scan import FoundFile, find_files, has_frame_ending

if TYPE_CHECKING:
    from calibstudio.services.library import Library

log = logging.getLogger(__name__)

BATCH = 256
BATCH_S = 0.3
"""A batch is shown after so many files or seconds, whichever comes first."""

Corrections = Mapping[Path, Mapping[str, HeaderValue]]


@dataclass(frozen=True, slots=True)
class ScanResult:
    """All files of a scan: each a header, or left out with a reason."""

    headers: tuple[FrameHeader, ...]
    """In the order of their paths."""
    ungrouped: tuple[LeftOut, ...]
    """Files that should be frames and cannot be read."""
    ignored: tuple[LeftOut, ...]
    """Files that are no frames."""


def scan(
    ctx: JobContext,
    paths: Sequence[Path],
    *,
    site: Site | None = None,
    corrections: Corrections | None = None,
    on_found: Callable[[list[FrameHeader]], None] | None = None,
    cache: bool = True,
) -> ScanResult:
    """Read the headers of all frames in some folders (and of files named themselves).

    Parameters
    ----------
    ctx
        Progress says ``12 400 of 31 000 files``; a cancel takes effect between files.
    paths
        Folders, entered recursively, and files.
    site
        Where the telescope stands; decides the nights. None: what each header says.
    corrections
        The user's values, by absolute path and JSON word.
    on_found
        Called with every new batch of headers, in this job's thread, while the scan goes on.
    cache
        Whether headers read before may be used, while size and time of the file are the same.

    Raises
    ------
    UsageError
        If a path does not exist.
    Cancelled
        If the job was cancelled.
    """
    ctx.progress(0.0, "Looking for files")
    listing = find_files(ctx, paths)
    known = HeaderCache() if cache else None
    try:
        work = _Scan(ctx, site, corrections or {}, on_found, known, len(listing.files))
        work.run(listing.files)
    finally:
        if known is not None:
            known.close()
    headers = _with_doubles_noted(work.headers, work.digests)
    ungrouped = sorted([*listing.ungrouped, *work.ungrouped], key=lambda item: item.path)
    ignored = sorted([*listing.ignored, *work.ignored], key=lambda item: item.path)
    total = number(len(listing.files))
    ctx.progress(1.0, f"{total} of {total} files")
    return ScanResult(tuple(headers), tuple(ungrouped), tuple(ignored))


class _Scan:
    """One run over a list of files."""

    def __init__(
        self,
        ctx: JobContext,
        site: Site | None,
        corrections: Corrections,
        on_found: Callable[[list[FrameHeader]], None] | None,
        cache: HeaderCache | None,
        total: int,
    ) -> None:
        self._ctx = ctx
        self._site = site
        self._corrections = corrections
        self._on_found = on_found
        self._cache = cache
        self._total = total
        self._total_text = number(total)
        self._done = 0
        self._batch: list[FrameHeader] = []
        self._new: list[tuple[FrameHeader, str]] = []
        self._shown_at = time.monotonic()
        self.headers: list[FrameHeader] = []
        self.digests: dict[Path, str] = {}
        self.ungrouped: list[LeftOut] = []
        self.ignored: list[LeftOut] = []

    def run(self, files: Sequence[FoundFile]) -> None:
        """Read all files, in their order."""
        try:
            for start in range(0, len(files), BATCH):
                part = files[start : start + BATCH]
                cached = {} if self._cache is None else self._cache.look_up(part)
                for file in part:
                    self._one(file, cached.get(file.path))
                self._remember()
            self._show()
        finally:
            self._remember()
        if self._cache is not None:
            self._cache.trim()

    def _one(self, file: FoundFile, cached: tuple[FrameHeader, str] | None) -> None:
        self._ctx.progress(
            self._done / max(1, self._total),
            f"{number(self._done)} of {self._total_text} files",
        )
        self._done += 1
        try:
            header, digest = self._read(file.path) if cached is None else cached
        except NotAFrameError as error:
            left = LeftOut(file.path, _reason(error, file.path))
            (self.ungrouped if has_frame_ending(file.path) else self.ignored).append(left)
            return
        except FileProblemError as error:
            self.ungrouped.append(LeftOut(file.path, _reason(error, file.path)))
            return
        header = finish_header(
            header, site=self._site, corrections=self._corrections.get(file.path)
        )
        self.headers.append(header)
        self.digests[file.path] = digest
        self._batch.append(header)
        if len(self._batch) >= BATCH or time.monotonic() - self._shown_at > BATCH_S:
            self._show()

    def _read(self, path: Path) -> tuple[FrameHeader, str]:
        found = read_raw_header(path, site_zone=None if self._site is None else self._site.timezone)
        digest = hashlib.blake2b(found.first_bytes, digest_size=12).hexdigest()
        if is_for_cache(found.header):
            self._new.append((found.header, digest))
        return found.header, digest

    def _show(self) -> None:
        self._shown_at = time.monotonic()
        if self._batch and self._on_found is not None:
            self._on_found(self._batch)
        self._batch = []

    def _remember(self) -> None:
        if self._cache is not None and self._new:
            self._cache.keep(self._new)
        self._new = []


def _reason(error: FileProblemError, path: Path) -> str:
    """The sentence of a problem; the file's own name is said by the path beside it."""
    sentence = str(error)
    if sentence.startswith(f"{path.name} "):
        sentence = "It " + sentence.removeprefix(f"{path.name} ")
    return f"{sentence} {error.hint}".strip()


def _with_doubles_noted(
    headers: list[FrameHeader], digests: Mapping[Path, str]
) -> list[FrameHeader]:
    """Note frames that look like copies: same size, and the same first blocks.

    The first blocks hold the header with its time and the first pixels, so two frames of a camera
    differ there; a copy is only noted, never left out, because it may be a deliberate one.
    """
    by_look: dict[tuple[int, str], list[int]] = {}
    for i, header in enumerate(headers):
        if header.images:
            by_look.setdefault((header.file_bytes, digests[header.path]), []).append(i)
    for alike in by_look.values():
        first = headers[alike[0]]
        for i in alike[1:]:
            note = f"Looks like a copy of {first.path.name}: same size and same first blocks."
            headers[i] = replace(headers[i], notes=(*headers[i].notes, note))
    return headers


def read_one(
    path: Path,
    *,
    site: Site | None = None,
    corrections: Mapping[str, HeaderValue] | None = None,
) -> FrameHeader:
    """Read the header of one file (see `calibstudio.store.headers.read_header`).

    Raises
    ------
    FileProblemError
        If the file cannot be read.
    """
    return read_header(path, site=site, corrections=corrections)


def scan_and_group(
    ctx: JobContext,
    paths: Sequence[Path],
    *,
    site: Site | None = None,
    changes: ManualChanges | None = None,
    library: Library | None = None,
    tolerances: Tolerances | None = None,
    keys: Mapping[str, tuple[str, ...]] | None = None,
    on_found: Callable[[list[FrameHeader]], None] | None = None,
) -> tuple[Grouping, tuple[LeftOut, ...]]:
    """Scan folders and group what is in them, with the changes made by hand applied again.

    ``changes`` are those of this run; where there are none, those that the ``library`` keeps.

    Returns
    -------
    (grouping, files that should be frames but cannot be read or are damaged)
    """
    found = scan(ctx, paths, site=site, on_found=on_found)
    grouping = group_frames(
        found.headers,
        tolerances,
        left_out=found.ungrouped,
        ignored=found.ignored,
        keys=keys,
    )
    broken = [LeftOut(h.path, h.damage) for h in found.headers if h.damage]
    if not changes and library is not None:
        changes = load_changes(library, found.headers)
    if changes:
        grouping = apply_changes(grouping, changes)
    unreadable = sorted([*found.ungrouped, *broken], key=lambda item: item.path)
    return grouping, tuple(unreadable)
