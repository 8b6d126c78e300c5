"""What a camera wrote beside its raw picture: EXIF in TIFF, JPEG and CR3 files, and Canon's CIFF.

LibRaw decodes the pixels, but the name of the camera, its number and the time zone are not among
what it hands out. Only the few fields that a calibration frame needs are read, within the limits
of the file.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

ReadAt = Callable[[int, int], bytes]
"""(offset, size) -> bytes, fewer at the end of the file."""

_MAKE, _MODEL, _DATE, _EXIF_IFD = 0x010F, 0x0110, 0x0132, 0x8769
_EXPOSURE, _ISO, _TAKEN, _OFFSET, _OFFSET_ANY, _SUBSEC = 33434, 34855, 36867, 36881, 36880, 37521
_FOCAL, _SERIAL = 37386, 42033
_TEXT, _SHORT, _LONG, _RATIONAL = 2, 3, 4, 5
_ITEM = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8}
_MOST_ENTRIES = 2000
_MOST_TEXT = 200
_WHEN = re.compile(r"(\d{4}):(\d\d):(\d\d)[ T](\d\d):(\d\d):(\d\d)")
_ZONE = re.compile(r"([+-])(\d\d):?(\d\d)")
_CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """What the file says; empty or None where it does not."""

    make: str = ""
    model: str = ""
    serial: str = ""
    exposure_s: float | None = None
    iso: float | None = None
    focal_mm: float | None = None
    local: datetime | None = None
    """Clock of the camera when the exposure began, without zone."""
    utc: datetime | None = None
    """The same in UTC, where the camera knows its zone."""

    @property
    def camera(self) -> str:
        """The name: make and model, the make said once."""
        first = self.make.split()[0] if self.make.split() else ""
        if first and first.lower() not in self.model.lower():
            return f"{first.title() if first.isupper() else first} {self.model}".strip()
        return self.model


def read_facts(read_at: ReadAt, size: int) -> CameraFacts:
    """Read what is known; damaged parts are passed over."""
    start = read_at(0, 32)
    try:
        if start[6:14] == b"HEAPCCDR":
            return _from_ciff(read_at, size, start)
        tags: dict[int, Any] = {}
        for base in _tiff_blocks(read_at, size, start):
            for tag, value in _tags(read_at, base):
                tags.setdefault(tag, value)
    except (struct.error, ValueError, IndexError, OverflowError, RecursionError):
        return CameraFacts()
    return _facts(tags)


def _tiff_blocks(read_at: ReadAt, size: int, start: bytes) -> Iterator[int]:
    """Yield where TIFF structures begin."""
    if start[:15] == b"FUJIFILMCCD-RAW":
        jpeg = struct.unpack(">I", read_at(84, 4))[0]
        at = read_at(jpeg, 4096).find(b"Exif\0\0")
        if at >= 0:
            yield jpeg + at + 6
    elif start[4:12] == b"ftypcrx ":
        yield from _canon_boxes(read_at, 0, size)
    elif start[:2] in (b"II", b"MM"):
        yield 0


def _canon_boxes(read_at: ReadAt, start: int, end: int, depth: int = 0) -> Iterator[int]:
    """Yield where the CMT1 and CMT2 boxes of a CR3 file hold their TIFF structures."""
    at, seen = start, 0
    while at + 8 <= end and seen < 200:
        seen += 1
        length, kind = struct.unpack(">I4s", read_at(at, 8))
        if kind in (b"CMT1", b"CMT2"):
            yield at + 8
        elif depth < 3 and kind == b"moov":
            yield from _canon_boxes(read_at, at + 8, min(end, at + length), depth + 1)
        elif depth < 3 and kind == b"uuid" and read_at(at + 8, 16) == _CANON:
            yield from _canon_boxes(read_at, at + 24, min(end, at + length), depth + 1)
        if length < 8:
            return
        at += length


def _tags(read_at: ReadAt, base: int) -> Iterator[tuple[int, Any]]:
    """Yield (tag, value) of the first directory and of the EXIF directory below it."""
    order = {b"II": "<", b"MM": ">"}.get(read_at(base, 2))
    if order is None:
        return
    directories = [struct.unpack(order + "I", read_at(base + 4, 4))[0]]
    done = 0
    while directories and done < 3:
        done += 1
        at = base + directories.pop()
        (count,) = struct.unpack(order + "H", read_at(at, 2))
        table = read_at(at + 2, 12 * min(count, _MOST_ENTRIES))
        for i in range(len(table) // 12):
            tag, kind, n = struct.unpack_from(order + "HHI", table, 12 * i)
            value = _value(read_at, base, order, kind, n, table[12 * i + 8 : 12 * i + 12])
            if tag == _EXIF_IFD and isinstance(value, int):
                directories.append(value)
            elif value is not None:
                yield tag, value


def _value(read_at: ReadAt, base: int, order: str, kind: int, n: int, field: bytes) -> Any:
    """Return the text, or the first number, of a field; None for what is not wanted."""
    length = _ITEM.get(kind, 0) * (min(n, _MOST_TEXT) if kind == _TEXT else 1)
    if not length or n < 1:
        return None
    whole = _ITEM[kind] * n
    raw = field if whole <= 4 else read_at(base + struct.unpack(order + "I", field)[0], length)
    if kind == _TEXT:
        return raw[:length].split(b"\0")[0].decode("utf-8", "replace").strip()
    if kind == _SHORT:
        return struct.unpack(order + "H", raw[:2])[0]
    if kind == _LONG:
        return struct.unpack(order + "I", raw[:4])[0]
    if kind == _RATIONAL:
        above, below = struct.unpack(order + "II", raw[:8])
        return above / below if below else None
    return None


def _facts(tags: dict[int, Any]) -> CameraFacts:
    def text(tag: int) -> str:
        return tags[tag] if isinstance(tags.get(tag), str) else ""

    def number(tag: int) -> float | None:
        value = tags.get(tag)
        return float(value) if isinstance(value, int | float) and value > 0 else None

    local = _when(text(_TAKEN) or text(_DATE), text(_SUBSEC))
    zone = _ZONE.match(text(_OFFSET) or text(_OFFSET_ANY))
    utc = None
    if local is not None and zone is not None:
        ahead = timedelta(hours=int(zone[2]), minutes=int(zone[3]))
        utc = (local - ahead if zone[1] == "+" else local + ahead).replace(tzinfo=UTC)
    return CameraFacts(
        text(_MAKE),
        text(_MODEL),
        text(_SERIAL),
        number(_EXPOSURE),
        # 65535 stands for a speed that the field cannot hold.
        None if number(_ISO) == 65535 else number(_ISO),
        number(_FOCAL),
        local,
        utc,
    )


def _when(text: str, subsec: str) -> datetime | None:
    found = _WHEN.match(text)
    if found is None:
        return None
    part = f"0.{subsec}" if subsec.isascii() and subsec.isdigit() else "0"
    try:
        return datetime(*(int(g) for g in found.groups())) + timedelta(seconds=float(part))  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None


def _from_ciff(read_at: ReadAt, size: int, start: bytes) -> CameraFacts:
    """Read Canon's CIFF (CRW): a heap whose directory stands at its end."""
    order = "<" if start[:2] == b"II" else ">"
    (heap,) = struct.unpack(order + "I", start[2:6])
    found = dict(_ciff(read_at, order, heap, size, 0))
    shot = found.get(0x102A, b"")
    # Exposure and speed in steps of 1/32 of a factor of two (APEX), as dcraw reads them.
    iso, time = struct.unpack(order + "4xH4xh", shot[:12]) if len(shot) >= 12 else (0, 0)
    make, _, model = found.get(0x080A, b"").partition(b"\0")
    serial = found.get(0x180B, b"")
    when = found.get(0x180E, b"")
    local = None
    if len(when) >= 4:
        seconds = struct.unpack(order + "I", when[:4])[0]
        local = datetime(1970, 1, 1) + timedelta(seconds=seconds) if seconds else None
    return CameraFacts(
        make.decode("latin-1").strip(),
        model.split(b"\0")[0].decode("latin-1").strip(),
        str(struct.unpack(order + "I", serial[:4])[0]) if len(serial) >= 4 else "",
        exposure_s=float(f"{2.0 ** (-time / 32):.3g}") if time else None,
        iso=round(50.0 * 2.0 ** (iso / 32 - 4)) if iso else None,
        local=local,
    )


def _ciff(
    read_at: ReadAt, order: str, start: int, end: int, depth: int
) -> Iterator[tuple[int, bytes]]:
    """Yield (tag, bytes) of all small records of a heap."""
    (table,) = struct.unpack(order + "I", read_at(end - 4, 4))
    (count,) = struct.unpack(order + "H", read_at(start + table, 2))
    entries = read_at(start + table + 2, 10 * min(count, _MOST_ENTRIES))
    for i in range(len(entries) // 10):
        tag, length, offset = struct.unpack_from(order + "HII", entries, 10 * i)
        if tag & 0xC000 == 0x4000:
            yield tag & 0x3FFF, entries[10 * i + 2 : 10 * i + 10]
        elif tag & 0x3800 in (0x2800, 0x3000):
            if depth < 4 and start + offset + length <= end:
                yield from _ciff(read_at, order, start + offset, start + offset + length, depth + 1)
        elif length <= 4096:
            yield tag & 0x3FFF, read_at(start + offset, length)
