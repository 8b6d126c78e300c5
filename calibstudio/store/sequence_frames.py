"""Frames of a sequence on disk, found by their headers: what its journal may have missed.

A frame gets its name when it is complete; the journal learns of it a moment later. When the
process is killed in between, the header (sequence, step, number, index) says what the frame is.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from calibstudio.domain.capture import FrameResult
from calibstudio.domain.errors import WriteProblemError
from calibstudio.domain.kinds import IMAGETYP, FrameKind
from calibstudio.domain.quality import Verdict
from calibstudio.store.card_writer import data_sum
from calibstudio.store.fits_cards import BLOCK, CARD, Cards
from calibstudio.store.folder_sink import REJECTED
from calibstudio.store.publish import flush_folder, publish_complete

MOST_BLOCKS = 40
GIVEN_UP_S = 2.0
"""A header is written within milliseconds; a file without one that long is nobody's."""
_NIGHT = re.compile(r"\d{4}-\d{2}-\d{2}")
_PART = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{12}\.part")
_STAMPED = re.compile(r".+_\d{8}T\d{6}_\d{3,}\.fits")
"""Names of frames as we give them: with the moment and a number."""
_KINDS = {text: kind for kind, text in IMAGETYP.items()}


@dataclass(frozen=True, slots=True)
class FrameOnDisk:
    """A frame that says it belongs to a sequence."""

    result: FrameResult
    """As far as its header tells."""
    data_sum: str
    """Checksum of its pixels: two frames with the same one are copies."""

    @property
    def path(self) -> Path:
        """Where it is."""
        assert self.result.path is not None
        return self.result.path


def frames_on_disk(root: Path, night: Path, sequence_id: str) -> list[FrameOnDisk]:
    """Return the frames of a sequence, by index.

    Parameters
    ----------
    root
        The frames' folder.
    night
        Folder of the sequence's journal; with a folder for each night, this one and those of
        later nights are looked through.
    sequence_id
        What their headers say.
    """
    found = []
    for path in _files(root, night, (".fits", ".fit", ".fts")):
        cards = read_cards(path)
        if cards is not None and cards.value("CSSEQID") == sequence_id:
            frame = _frame(path, cards)
            if frame is not None:
                found.append(frame)
    return sorted(found, key=lambda f: (f.result.index, str(f.path)))


def settle_parts(root: Path, journal: Path, sequence_id: str) -> None:
    """Finish what a killed process left half done, or take it away.

    A temporary file of the sequence that is complete (both checksums agree) gets its name; one
    that is torn is removed, and so is one of the journal itself. Files of others are left alone;
    one that does not say whose it is yet may be theirs, and goes when nobody writes it.

    Raises
    ------
    WriteProblemError
        If the disk refuses.
    """
    for part in list(_files(root, journal.parent, ".part")):
        match = _PART.fullmatch(part.name)
        if match is None:
            continue
        final = part.with_name(match["name"])
        cards = read_cards(part)
        is_headless = cards is None and _STAMPED.fullmatch(final.name) is not None
        if final == journal or (is_headless and _is_given_up(part)):
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            continue
        if cards is None or cards.value("CSSEQID") != sequence_id:
            continue
        try:
            is_published = final.exists() and part.samefile(final)
            if not is_published and _is_complete(part):
                publish_complete(part, final)
            part.unlink(missing_ok=True)
            flush_folder(part.parent)
        except (OSError, WriteProblemError):
            continue  # it may be looked at again; nothing depends on it


def _is_given_up(part: Path) -> bool:
    """Whether a file that has no header yet stays so: its process was killed before it came."""
    try:
        before = part.stat()
        age_s = time.time() - before.st_mtime
        if 0 <= age_s < GIVEN_UP_S:
            time.sleep(GIVEN_UP_S - age_s)
        after = part.stat()
    except OSError:
        return False
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    return same and read_cards(part) is None


def read_cards(path: Path) -> Cards | None:
    """Return the header of a file as we write it; None when it has none."""
    blocks: list[bytes] = []
    try:
        with path.open("rb") as handle:
            for _ in range(MOST_BLOCKS):
                block = handle.read(BLOCK)
                if len(block) < BLOCK or (not blocks and not block.startswith(b"SIMPLE")):
                    return None
                blocks.append(block)
                for at in range(0, BLOCK, CARD):
                    if block[at : at + 8] == b"END     ":
                        header = b"".join(blocks)[: (len(blocks) - 1) * BLOCK + at]
                        return Cards(header)
    except OSError:
        return None
    return None


def _is_complete(path: Path) -> bool:
    """Whether the checksum of a whole file agrees: it was written to its end."""
    data = path.read_bytes()
    if not data or len(data) % BLOCK:
        return False
    return data_sum(np.frombuffer(data, np.uint8)) in (0, 0xFFFFFFFF)


def _files(root: Path, night: Path, ending: str | tuple[str, ...]) -> Iterator[Path]:
    for folder in _folders(root, night):
        for parent, _, names in os.walk(folder):
            for name in sorted(names):
                if name.lower().endswith(ending):
                    yield Path(parent, name)


def _folders(root: Path, night: Path) -> Iterable[Path]:
    """The night's folder and those after it; the whole folder where nights have none."""
    if night == root or not _NIGHT.fullmatch(night.name):
        return [root]
    try:
        names = sorted(p.name for p in root.iterdir() if p.is_dir())
    except OSError:
        return [night]
    return [root / n for n in names if _NIGHT.fullmatch(n) and n >= night.name]


def _frame(path: Path, cards: Cards) -> FrameOnDisk | None:
    kind = _KINDS.get(str(cards.value("IMAGETYP")))
    index, number = cards.value("CSINDEX"), cards.value("CSNUMBER")
    if kind is None or not isinstance(index, int) or not isinstance(number, int):
        return None
    aside = path.parent.name == REJECTED
    verdict = cards.value("QCFLAG")
    known = Verdict(verdict) if verdict in set(Verdict) else Verdict.GOOD
    filter_name = cards.value("FILTER")
    step_id = str(cards.value("CSSTEP") or "")
    result = FrameResult(
        index=index,
        step_id=step_id,
        kind=kind,
        number=number,
        taken_at=_moment(cards.value("DATE-OBS")),
        exposure_s=_number(cards.value("EXPTIME")) or 0.0,
        accepted=not aside,
        verdict=known,
        reason=str(cards.value("QCREASON") or ""),
        filter=str(filter_name) if filter_name and kind is FrameKind.FLAT else None,
        level_adu=_number(cards.value("CSLEVEL")),
        brightness=_whole(cards.value("CSPANEL")),
        sensor_c=_number(cards.value("CCD-TEMP")),
        sensor_before_c=_number(cards.value("CSTEMP0")),
        path=path,
        kept_aside=aside,
        is_search=bool(cards.value("CSSEARCH")),
    )
    return FrameOnDisk(result, str(cards.value("DATASUM") or ""))


def _moment(text: object) -> datetime:
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _number(value: object) -> float | None:
    ok = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if ok else None  # type: ignore[arg-type]


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
