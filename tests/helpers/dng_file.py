"""A small DNG (TIFF with undemosaiced pixels), written tag by tag as the DNG specification says."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

_CODES = {"B": 1, "s": 2, "H": 3, "I": 4, "R": 5, "r": 10}
_COLOURS = {"R": 0, "G": 1, "B": 2}


def dng_file(
    path: Path,
    data: np.ndarray,
    *,
    pattern: str = "RGGB",
    border: tuple[int, int] = (0, 0),
    exposure: tuple[int, int] = (1, 50),
    iso: int = 800,
    taken: str = "2026:03:04 21:30:00",
    zone: str = "+01:00",
    model: str = "Imaginary D1",
    white: int = 16383,
    black: int = 512,
) -> Path:
    """Write uint16 pixels; ``border`` is the number of covered rows above and columns left."""
    ny, nx = data.shape
    top, left = border
    exif = _directory(
        {
            33434: ("R", [exposure]),
            34855: ("H", [iso]),
            36867: ("s", taken),
            **({36881: ("s", zone)} if zone else {}),
            42033: ("s", "12345"),
        },
        8,
    )
    pixels_at = 8 + len(exif)
    raw = data.astype("<u2").tobytes()
    first = _directory(
        {
            254: ("I", [0]),
            256: ("I", [nx]),
            257: ("I", [ny]),
            258: ("H", [16]),
            259: ("H", [1]),
            262: ("H", [32803]),
            271: ("s", "Imaginary"),
            272: ("s", model),
            273: ("I", [pixels_at]),
            277: ("H", [1]),
            278: ("I", [ny]),
            279: ("I", [len(raw)]),
            33421: ("H", [2, 2]),
            33422: ("B", [_COLOURS[c] for c in pattern]),
            34665: ("I", [8]),
            50706: ("B", [1, 4, 0, 0]),
            50708: ("s", model),
            50714: ("H", [black]),
            50717: ("I", [white]),
            50721: ("r", [(1, 1), (0, 1), (0, 1), (0, 1), (1, 1), (0, 1), (0, 1), (0, 1), (1, 1)]),
            50829: ("I", [top, left, ny, nx]),
        },
        pixels_at + len(raw),
    )
    head = b"II*\0" + struct.pack("<I", pixels_at + len(raw))
    path.write_bytes(head + exif + raw + first)
    return path


def _directory(tags: dict[int, tuple[str, object]], at: int) -> bytes:
    """Return a directory that stands at an offset, and its long values behind it."""
    entries, longs = b"", b""
    after = at + 2 + 12 * len(tags) + 4
    for tag, (code, values) in sorted(tags.items()):
        raw, n = _packed(code, values)
        if len(raw) <= 4:
            field = raw.ljust(4, b"\0")
        else:
            field = struct.pack("<I", after + len(longs))
            longs += raw + b"\0" * (len(raw) % 2)
        entries += struct.pack("<HHI", tag, _CODES[code], n) + field
    whole = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0) + longs
    return whole + b"\0" * (len(whole) % 2)


def _packed(code: str, values: object) -> tuple[bytes, int]:
    if code == "s":
        text = str(values).encode() + b"\0"
        return text, len(text)
    assert isinstance(values, list)
    if code in "Rr":
        flat = [n for pair in values for n in pair]
        return struct.pack(f"<{len(flat)}{'I' if code == 'R' else 'i'}", *flat), len(values)
    return struct.pack(f"<{len(values)}{code}", *values), len(values)
