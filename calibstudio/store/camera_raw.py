"""Raw files of photographic cameras (CR2, CR3, NEF, ARW, DNG and others), through LibRaw.

What is taken is what the sensor gave: the undemosaiced values of the visible area. Black level,
white balance and curves for the eye are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from calibstudio.domain.errors import FileProblemError
from calibstudio.store.camera_exif import CameraFacts, ReadAt, read_facts
from calibstudio.store.fits_cards import Card

CAMERA_RAW = frozenset(
    (
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc"),
        *(".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl"),
        *(".sr2", ".srf", ".srw", ".x3f"),
    )
)
"""Endings of raw files, lower case. Some are plain TIFF inside, and only the ending tells."""
_STARTS = (
    (0, b"FUJIFILMCCD-RAW"),
    (4, b"ftypcrx "),
    (6, b"HEAPCCDR"),
    (8, b"CR\x02"),
    (0, b"IIRO"),
    (0, b"IIRS"),
    (0, b"MMOR"),
    (0, b"IIU\0"),
    (0, b"FOVb"),
    (0, b"\0MRM"),
)
_NOT_RAW = (b"SIMPLE  =", b"XISF0100", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")


def is_camera_raw(path: Path, start: bytes) -> bool:
    """Whether a file is a camera's raw file, by its first 16 bytes, else by its ending."""
    if any(start[at : at + len(word)] == word for at, word in _STARTS):
        return True
    return path.suffix.lower() in CAMERA_RAW and not start.startswith(_NOT_RAW)


@dataclass(frozen=True, slots=True)
class CameraRaw:
    """What a raw file says about its picture."""

    shape: tuple[int, int]
    """(ny, nx) of the visible area."""
    raw_shape: tuple[int, int]
    """With the covered borders."""
    bayer: str
    """2x2 pattern of the visible area; empty where the colours do not repeat so."""
    white_adu: int
    black_adu: tuple[int, ...]
    """By colour."""
    facts: CameraFacts
    exposure_s: float | None
    iso: float | None
    local: datetime | None

    def cards(self) -> Mapping[str, Card]:
        """Return what FITS would say."""
        facts = self.facts
        found: dict[str, Any] = {
            "INSTRUME": facts.camera,
            "SERIALNO": facts.serial,
            "EXPTIME": self.exposure_s,
            "ISOSPEED": self.iso,
            "XBINNING": 1,
            "YBINNING": 1,
            "BAYERPAT": self.bayer,
            "SATURATE": self.white_adu or None,
            "FOCALLEN": facts.focal_mm,
        }
        if facts.utc is not None:
            found["DATE-OBS"] = facts.utc.isoformat(timespec="milliseconds")[:-6]
        elif self.local is not None:
            found["DATE-LOC"] = self.local.isoformat(timespec="milliseconds")
        return {k: Card(v) for k, v in found.items() if v is not None and v != ""}

    def notes(self) -> tuple[str, ...]:
        """Return what a user should know, one sentence each."""
        levels = sorted({n for n in self.black_adu if n})
        notes = []
        if levels:
            said = " to ".join(str(n) for n in dict.fromkeys((levels[0], levels[-1])))
            notes.append(f"The camera's black level is {said} ADU; it is left in the pixels.")
        if not self.bayer:
            notes.append("Its colours do not repeat in 2x2 pixels: it is treated as mono.")
        if self.facts.utc is None and self.local is not None:
            notes.append("The camera does not say its time zone (DATE-LOC is its clock).")
        return tuple(notes)


def describe_raw(path: Path, read_at: ReadAt, size: int) -> CameraRaw:
    """Read what a raw file says, without its pixels.

    Raises
    ------
    FileProblemError
        If LibRaw does not know it, or it is damaged.
    """
    if size == 0:
        raise FileProblemError(f"{path.name} is empty.", hint="Copy or take it again.")
    facts = read_facts(read_at, size)
    with opened(path) as raw:
        sizes = raw.sizes
        exposure, iso, local = facts.exposure_s, facts.iso, facts.local
        if exposure is None or iso is None or local is None:
            # Asked last: LibRaw unpacks the whole picture before it tells.
            other = raw.other
            exposure = exposure or _sane(other.shutter_speed)
            iso, local = iso or _sane(other.iso_speed), local or _clock(other.timestamp)
        return CameraRaw(
            (int(sizes.height), int(sizes.width)),
            (int(sizes.raw_height), int(sizes.raw_width)),
            *_sensor(raw, (facts.camera, iso, sizes)),
            facts,
            exposure,
            iso,
            local,
        )


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a raw file with LibRaw; all that it may say against it becomes a sentence.

    Raises
    ------
    FileProblemError
        If it is unknown or damaged.
    """
    import rawpy

    try:
        # Not `rawpy.imread`: it would decode the pixels at once.
        with rawpy.RawPy() as raw:
            raw.open_file(str(path))
            yield raw
    except rawpy.LibRawFileUnsupportedError as error:
        raise FileProblemError(
            f"{path} is no raw file that LibRaw knows.",
            hint="Copy it again, or convert it to DNG or FITS.",
        ) from error
    except (rawpy.LibRawError, MemoryError, OSError, ValueError, AttributeError) as error:
        raise FileProblemError(
            f"{path} cannot be decoded: {_reason(error)}.", hint="Copy it again from the camera."
        ) from error


def _reason(error: BaseException) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return (text or "it is damaged").strip().rstrip(".").lower()


_Sensor = tuple[str, int, tuple[int, ...]]
"""Colours, white level, black levels."""
_SENSORS: dict[tuple[object, ...], _Sensor] = {}


def _sensor(raw: Any, key: tuple[object, ...]) -> _Sensor:
    """Return what LibRaw tells only after it has decoded all pixels.

    It is the same for all frames of one camera, speed and size, so only the first is decoded.
    """
    known = _SENSORS.get(key) if key[0] else None
    if known is None:
        bayer = _bayer(raw, raw.sizes)
        black = tuple(int(n) for n in raw.black_level_per_channel or ())
        known = bayer, int(raw.white_level or 0), black
        if len(_SENSORS) > 1000:
            _SENSORS.clear()
        _SENSORS[key] = known
    return known


def _bayer(raw: Any, sizes: Any) -> str:
    """Return the colours of the first 2x2 visible pixels; empty for other sensors."""
    pattern = raw.raw_pattern
    if pattern is None or pattern.shape != (2, 2):
        return ""
    names = raw.color_desc.decode("ascii", "replace")
    top, left = int(sizes.top_margin), int(sizes.left_margin)
    cell = "".join(names[raw.raw_color(top + y, left + x)] for y in (0, 1) for x in (0, 1))
    return cell if sorted(cell) == ["B", "G", "G", "R"] else ""


def _sane(value: float) -> float | None:
    return float(value) if 0 < value < 1e7 else None


def _clock(moment: object) -> datetime | None:
    if not isinstance(moment, datetime) or moment.year < 1990:
        return None
    return moment.replace(tzinfo=None)
