"""Masters as XISF (1.0, monolithic), for programs that prefer it: PixInsight above all.

One image in single precision, uncompressed, with its SHA-1 and every card of the FITS header. The
bounds say what is black and white: 0 and 65535 for ADU, so that the master stands on the scale of
16-bit frames there; for a flat 0 and the next power of two above its brightest pixel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from calibstudio import __version__
from calibstudio.store.fits_cards import Card, CardValue
from calibstudio.store.publish import publish_file

_ALIGN = 4096
_STRUCTURE = frozenset(
    ("SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "BSCALE", "BZERO")
)
_SUMS = frozenset(("CHECKSUM", "DATASUM"))


def write_xisf(
    path: Path,
    image: NDArray[np.float32],
    cards: Iterable[tuple[str, Card]],
    *,
    image_type: str,
    is_ratio: bool,
    made: datetime | None,
) -> bool:
    """Write one image; False when the same file is there already.

    Parameters
    ----------
    image
        Shape (ny, nx), ADU, or a ratio.
    cards
        Of the FITS header, in order; what speaks of its structure is left out.
    image_type
        XISF's word: ``MasterBias``, ``MasterDark``, ``MasterFlat``.
    made
        What stands as the time of creation, which XISF demands: the last observation, so that the
        same master gives the same bytes.

    Raises
    ------
    WriteProblemError
        It cannot be written, or the name is taken by other content.
    """
    ny, nx = image.shape
    raw = np.ascontiguousarray(image, dtype="<f4")
    digest = hashlib.sha1(raw.tobytes(), usedforsecurity=False).hexdigest()
    said = "".join(
        f"<FITSKeyword name={quoteattr(k)} value={quoteattr(_text(c.value))} "
        f"comment={quoteattr(_clean(c.comment))}/>"
        for k, c in cards
        if not k.startswith("NAXIS") and k not in _STRUCTURE | _SUMS
    )
    moment = (made or datetime(1970, 1, 1, tzinfo=UTC)).astimezone(UTC)
    # The place stands in the header that it follows: found when both agree.
    start = _ALIGN
    while True:
        attributes = {
            "geometry": f"{nx}:{ny}:1",
            "sampleFormat": "Float32",
            "bounds": f"0:{_white(image, is_ratio=is_ratio):g}",
            "colorSpace": "Gray",
            **({"imageType": image_type} if image_type else {}),
            "checksum": f"sha-1:{digest}",
            "location": f"attachment:{start}:{raw.nbytes}",
        }
        written = " ".join(f"{k}={quoteattr(v)}" for k, v in attributes.items())
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<xisf version="1.0" xmlns="http://www.pixinsight.com/xisf">'
            f"<Image {written}>{said}</Image><Metadata>"
            f'<Property id="XISF:CreationTime" type="TimePoint" '
            f'value="{moment.isoformat(timespec="seconds")[:-6]}Z"/>'
            '<Property id="XISF:CreatorApplication" type="String">'
            f"CalibStudio {__version__}</Property></Metadata></xisf>"
        ).encode()
        needed = -(-(16 + len(xml)) // _ALIGN) * _ALIGN
        if needed <= start:
            break
        start = needed
    head = b"XISF0100" + len(xml).to_bytes(4, "little") + bytes(4) + xml

    def fill(part: Path) -> None:
        with part.open("wb") as file:
            file.write(head.ljust(start, b"\0"))
            file.write(raw.data)

    return publish_file(path, fill)


def _white(image: NDArray[np.float32], *, is_ratio: bool) -> float:
    if not is_ratio:
        return 65535.0
    brightest = float(np.nanmax(image, initial=1.0))
    return float(2.0 ** np.ceil(np.log2(max(brightest, 1.0) * 1.000001)))


def _text(value: CardValue) -> str:
    """Write a value as a FITS card has it: strings in quotes."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, str):
        return "'" + _clean(value).replace("'", "''") + "'"
    return "" if value is None else repr(value)


def _clean(text: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(c if c.isprintable() else " " for c in text)
