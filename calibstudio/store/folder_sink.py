"""Where captured frames are kept: by night, kind and filter under the operator's folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from calibstudio.domain.capture import FrameNotes
from calibstudio.domain.equipment import Frame
from calibstudio.domain.errors import FileProblemError, WriteProblemError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.night import night_of
from calibstudio.domain.quality import Verdict
from calibstudio.store.card_writer import history
from calibstudio.store.naming import (
    RAW_PATTERN,
    exposure_word,
    fill_pattern,
    free_name,
    safe_part,
    temperature_word,
    utc_word,
)
from calibstudio.store.publish import publish_file, write_problem
from calibstudio.store.raw_fits import HeaderItem, check_raw, encode_frame, with_cards, write_raw

REJECTED = "rejected"
"""Folder for frames that were not good enough, beside the good ones. Nothing is deleted."""
NAME_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class FolderSink:
    """Writes raw frames under a folder by a name pattern; see `FrameSink`.

    A frame is written under a temporary name, synced, read back, and only then given its name.
    """

    folder: Path
    pattern: str = RAW_PATTERN
    patterns: Mapping[str, str] = field(default_factory=dict)
    """For kinds whose frames have names of their own."""

    def night_folder(self, notes: FrameNotes, at: datetime) -> Path:
        """Return where the frames of this moment's night go."""
        pattern = self.patterns.get(notes.kind, self.pattern)
        first = pattern.replace("\\", "/").split("/")[0]
        if "{night}" not in first or "/" not in pattern:
            return self.folder
        return self.folder / safe_part(_night_word(at, notes))

    def write(self, frame: Frame, notes: FrameNotes, *, aside: bool = False) -> Path:
        """Write one frame and return where it is.

        Raises
        ------
        WriteProblemError
            Disk full, no permission, folder gone, or the file does not read back. Nothing half
            written stays.
        """
        header, data = encode_frame(frame, notes)
        pattern = self.patterns.get(notes.kind, self.pattern)
        wanted = self.folder / fill_pattern(pattern, self.name_values(frame, notes))
        if aside:
            wanted = wanted.parent / REJECTED / wanted.name

        def write(path: Path) -> None:
            write_raw(path, header, data)
            check_raw(path, header, data)

        return _publish_under_free_name(wanted, write)

    def name_values(self, frame: Frame, notes: FrameNotes) -> dict[str, str | None]:
        """Return the fields of the name pattern for a frame."""
        exposure = exposure_word(frame.exposure_s)
        celsius = frame.set_c if frame.set_c is not None else frame.sensor_c
        is_flat = notes.kind is FrameKind.FLAT
        filter_name = notes.filter if is_flat else None
        return {
            "night": _night_word(frame.started_at, notes),
            "kind": str(notes.kind).replace(" ", ""),
            "part": filter_name or f"{exposure}s",
            "filter": filter_name,
            "exposure": exposure,
            "exposure3": f"{frame.exposure_s:.3f}",
            "gain": None if frame.gain is None else str(frame.gain),
            "offset": None if frame.offset is None else str(frame.offset),
            "binning": f"{frame.request.binning}x{frame.request.binning}",
            "temp": None if celsius is None else temperature_word(celsius),
            "utc": utc_word(frame.started_at),
            "stamp": utc_word(frame.started_at).replace("T", "_"),
            "number": f"{notes.number:03d}",
            "camera": notes.observatory.camera.info.name,
            "telescope": notes.observatory.optics.telescope or None,
        }

    def set_aside(self, path: Path, reason: str) -> Path:
        """Move a frame to the ``rejected`` folder beside it, reason in its header.

        Raises
        ------
        FileProblemError, WriteProblemError
            If it cannot be read or written; the frame stays where it was.
        """
        return _move(path, path.parent / REJECTED / path.name, Verdict.BAD, f"Set aside: {reason}")

    def take_back(self, path: Path, reason: str) -> Path:
        """Move a frame out of the ``rejected`` folder.

        Raises
        ------
        FileProblemError, WriteProblemError
            If it cannot be read or written; the frame stays where it was.
        """
        if path.parent.name != REJECTED:
            return path
        return _move(path, path.parent.parent / path.name, Verdict.WARN, f"Kept: {reason}")

    def free_bytes(self) -> int | None:
        """Return the free space where frames go; None when nobody knows."""
        return free_bytes(self.folder)


def _night_word(at: datetime, notes: FrameNotes) -> str:
    return night_of(at, site=notes.observatory.site).isoformat()


def free_bytes(folder: Path) -> int | None:
    """Return the free space of a folder, which need not exist yet; None when nobody knows."""
    for candidate in (folder, *folder.parents):
        try:
            return shutil.disk_usage(candidate).free
        except OSError:
            continue
    return None


def _publish_under_free_name(wanted: Path, write: Callable[[Path], object]) -> Path:
    """Publish under this name, or the next free one where somebody was faster."""
    for _ in range(NAME_ATTEMPTS):
        path = free_name(wanted)
        try:
            if publish_file(path, write):
                return path
        except WriteProblemError as error:
            if not isinstance(error.__cause__, FileExistsError):
                raise
    raise WriteProblemError(
        f"No free name was found for {wanted.name}.", hint="Choose another folder."
    )


def _move(path: Path, target: Path, verdict: Verdict, reason: str) -> Path:
    """Write a frame anew with its reason, then take the old file away."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FileProblemError(
            f"{path.name} cannot be read: {error.strerror}.", hint="Check the disk."
        ) from error
    changes: list[HeaderItem] = [
        ("QCFLAG", str(verdict), "verdict"),
        ("QCREASON", reason, ""),
    ]
    changed = with_cards(raw, changes, [history(reason)])
    new = _publish_under_free_name(target, lambda temporary: temporary.write_bytes(changed))
    try:
        path.unlink()
    except OSError as error:
        raise write_problem(path, error) from error
    return new
