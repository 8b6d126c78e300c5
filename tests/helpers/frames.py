"""Small FITS and XISF files with the header a test asks for."""

from __future__ import annotations

import struct
from pathlib import Path

CARD, BLOCK = 80, 2880


def card(keyword: str, value: object = None, comment: str = "") -> str:
    """One card as the standard writes it. A ``str`` value that begins with ``=`` is taken as is."""
    if value is None:
        text = f"{keyword:<8}"
    elif isinstance(value, bool):
        text = f"{keyword:<8}= {'T' if value else 'F':>20}"
    elif isinstance(value, str) and value.startswith("="):
        text = f"{keyword:<8}{value}"
    elif isinstance(value, str):
        text = f"{keyword:<8}= '{value.replace(chr(39), chr(39) * 2):<8}'"
    else:
        text = f"{keyword:<8}= {value!s:>20}"
    if comment:
        text += f" / {comment}"
    return text[:CARD].ljust(CARD)


def header_bytes(cards: list[str], *, end: bool = True) -> bytes:
    """Cards, END and padding."""
    raw = b"".join(c.encode("latin-1")[:CARD].ljust(CARD) for c in cards)
    if end:
        raw += b"END".ljust(CARD)
        raw = raw.ljust(-(-len(raw) // BLOCK) * BLOCK)
    return raw


def frame_bytes(
    cards: list[str] | None = None, *, shape: tuple[int, ...] = (4, 6), **values: object
) -> bytes:
    """A whole FITS file of uint16 zeros. Keywords with a hyphen are written with ``__``."""
    sizes = [card(f"NAXIS{i + 1}", n) for i, n in enumerate(reversed(shape))]
    head = [card("SIMPLE", True), card("BITPIX", 16), card("NAXIS", len(shape)), *sizes]
    head += [card("BZERO", 32768), card("BSCALE", 1)]
    head += [card(k.replace("__", "-"), v) for k, v in values.items()]
    head += cards or []
    pixels = 2
    for n in shape:
        pixels *= n
    data = b"\0" * pixels
    return header_bytes(head) + data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\0")


def write_frame(
    path: Path,
    cards: list[str] | None = None,
    *,
    shape: tuple[int, ...] = (4, 6),
    **values: object,
) -> Path:
    """Write `frame_bytes`; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(frame_bytes(cards, shape=shape, **values))
    return path


def write_header_text(path: Path, text: str) -> Path:
    """Write a real header text as a FITS file; the picture is small, the rest is unchanged."""
    cards = [line[:CARD] for line in text.splitlines() if line.strip() and line.strip() != "END"]
    if len(cards) == 1:
        cards = [cards[0][i : i + CARD] for i in range(0, len(cards[0]), CARD)]
    structure = ("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "BZERO", "BSCALE")
    kept = [c for c in cards if c[:8].strip() not in structure]
    return write_frame(path, kept)


def xisf_bytes(xml: str, tail: bytes = b"") -> bytes:
    """An XISF file with this XML header."""
    raw = xml.encode()
    return b"XISF0100" + struct.pack("<II", len(raw), 0) + raw + tail


def xisf_image(keywords: dict[str, str], inner: str = "", **attributes: str) -> str:
    """The XML of one grey image."""
    attributes = {"geometry": "6:4:1", "sampleFormat": "UInt16", **attributes}
    said = " ".join(f'{k}="{v}"' for k, v in attributes.items())
    cards = "".join(
        f'<FITSKeyword name="{k}" value="{v}" comment=""/>' for k, v in keywords.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<xisf version="1.0" xmlns="http://www.pixinsight.com/xisf">'
        f"<Image {said}>{cards}{inner}</Image></xisf>"
    )
