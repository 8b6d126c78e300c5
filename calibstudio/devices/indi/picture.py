"""The picture that an INDI camera sends: a FITS file in a BLOB."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import ExposureFailedError

_CARD, _BLOCK = 80, 2880
_MOST_CARDS = 10_000
_RAW = "Choose a raw format of 16 bits in the driver, and FITS as its transfer format."


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels, and what the driver wrote about them."""

    data: NDArray[np.uint16]
    """(ny, nx), row 0 first on the sensor, read-only."""
    cards: dict[str, str]
    """Values of the header as written, strings without quotes."""

    def number(self, key: str) -> float | None:
        """Return a card as a number; None when it is not there or is none."""
        try:
            found = float(self.cards[key])
        except (KeyError, ValueError):
            return None
        return found if np.isfinite(found) else None


def read_picture(name: str, blob: bytes, ending: str, shape: tuple[int, int]) -> Picture:
    """Read the picture out of a BLOB.

    Parameters
    ----------
    name
        What the camera is called.
    ending
        The format of the BLOB, ``.fits`` or ``.fits.z``.
    shape
        (ny, nx) that was asked for and read back.

    Raises
    ------
    ExposureFailedError
        It is no FITS picture of that shape with whole values from 0 to 65535.
    """
    if ending.endswith(".z"):
        blob, ending = _inflate(name, blob, shape), ending[:-2]
    if ending.lower() not in (".fits", ".fit", ".fts") or not blob.startswith(b"SIMPLE  ="):
        raise ExposureFailedError(
            f"{name} sent a picture in a format that is not FITS ({ending or 'unknown'}).",
            hint=_RAW,
        )
    cards, start = _header(name, blob)
    got = tuple(_whole(name, cards, f"NAXIS{axis}") for axis in (2, 1))
    if _whole(name, cards, "NAXIS") != 2:
        raise ExposureFailedError(f"{name} sent a developed colour picture.", hint=_RAW)
    if got != shape:
        raise ExposureFailedError(
            f"{name} sent {got[1]} × {got[0]} pixels; {shape[1]} × {shape[0]} were asked for.",
            hint="Choose the full frame, or sizes that are multiples of 8.",
        )
    data = _pixels(name, blob, start, cards, shape)
    if cards.get("ROWORDER") == "BOTTOM-UP":
        data = np.ascontiguousarray(data[::-1])
    data.flags.writeable = False
    return Picture(data, cards)


def digest(data: NDArray[np.uint16]) -> int:
    """Return a checksum of the pixels."""
    return zlib.crc32(np.ascontiguousarray(data).data)


def _pixels(
    name: str, blob: bytes, start: int, cards: dict[str, str], shape: tuple[int, int]
) -> NDArray[np.uint16]:
    bits, zero = _whole(name, cards, "BITPIX"), float(cards.get("BZERO", "0"))
    kinds = {8: ("u1", 0.0), 16: (">u2", 32768.0), 32: (">i4", 0.0)}
    if bits not in kinds or float(cards.get("BSCALE", "1")) != 1.0:
        raise ExposureFailedError(f"{name} sent values that are no raw counts.", hint=_RAW)
    kind, usual_zero = kinds[bits]
    n = shape[0] * shape[1]
    if len(blob) < start + n * abs(bits) // 8:
        raise ExposureFailedError(
            f"{name} sent a picture that ends too soon.", hint="It can be taken again."
        )
    raw = np.frombuffer(blob, kind, n, start).reshape(shape)
    if bits == 16 and zero == usual_zero:
        # Signed values with an offset of 32768: only the first bit differs.
        return (raw ^ np.uint16(0x8000)).astype(np.uint16)
    if bits == 8 and zero == 0.0:
        return raw.astype(np.uint16)
    signed = raw.view(">i2") if bits == 16 else raw
    values = signed.astype(np.int64) + int(zero)
    if values.min() < 0 or values.max() > 65_535:
        raise ExposureFailedError(
            f"{name} sent values from {values.min()} to {values.max()}; raw frames have 0 to "
            "65535.",
            hint=_RAW,
        )
    return values.astype(np.uint16)


def _header(name: str, blob: bytes) -> tuple[dict[str, str], int]:
    """Return the cards, and where the pixels begin."""
    cards: dict[str, str] = {}
    for i in range(min(_MOST_CARDS, len(blob) // _CARD)):
        card = blob[i * _CARD : (i + 1) * _CARD].decode("ascii", "replace")
        key = card[:8].rstrip()
        if key == "END":
            return cards, -(-(i + 1) * _CARD // _BLOCK) * _BLOCK
        if card[8:10] == "= ":
            cards.setdefault(key, _value(card[10:]))
    raise ExposureFailedError(
        f"{name} sent a picture whose header has no end.", hint="It can be taken again."
    )


def _value(text: str) -> str:
    text = text.strip()
    if text.startswith("'"):
        end = text.find("'", 1)
        return text[1 : end if end > 0 else None].rstrip()
    return text.partition("/")[0].strip()


def _whole(name: str, cards: dict[str, str], key: str) -> int:
    try:
        return int(cards[key])
    except (KeyError, ValueError):
        raise ExposureFailedError(
            f"{name} sent a picture without a usable {key}.", hint="It can be taken again."
        ) from None


def _inflate(name: str, blob: bytes, shape: tuple[int, int]) -> bytes:
    """Undo the driver's compression, but never into more than such a picture can be."""
    most = 4 * shape[0] * shape[1] + 100 * _BLOCK
    try:
        return zlib.decompressobj().decompress(blob, most)
    except zlib.error as error:
        raise ExposureFailedError(
            f"{name} sent a compressed picture that is broken ({error}).",
            hint="It can be taken again.",
        ) from error
