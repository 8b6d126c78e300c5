"""Cards that a master takes over from its frames as they are, where all frames agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from calibstudio.domain.errors import FileProblemError
from calibstudio.store.any_header import find_hdu, read_hdus
from calibstudio.store.fits_cards import CardValue
from calibstudio.store.header_bytes import Hdu
from calibstudio.store.master_cards import Card

FROM_FRAME = (
    "BAYERPAT",
    "XBAYROFF",
    "YBAYROFF",
    "COLORTYP",
    "ROWORDER",
    "FLIPSTAT",
    "OBSERVAT",
    "SITELAT",
    "SITELONG",
    "SITEELEV",
    "OBSGEO-B",
    "OBSGEO-L",
    "OBSGEO-H",
    "DETECTOR",
    "APTDIA",
    "FOCRATIO",
    "TIMESYS",
)
"""What makes the pixels understood, and where they were taken."""
FROM_DETECTOR = (
    "DETECTOR",
    "CCDNAME",
    "DETSEC",
    "CCDSEC",
    "DATASEC",
    "BIASSEC",
    "TRIMSEC",
    "DETSIZE",
    "GAIN",
    "RDNOISE",
    "SATURATE",
)
"""What one of several detectors says about itself."""
SECTIONS = ("DATASEC", "BIASSEC", "TRIMSEC")
"""Cards that speak of a picture that is not trimmed yet."""


def agreeing_cards(paths: Sequence[Path], image: str = "") -> tuple[Card, ...]:
    """Return the cards on which the headers of all frames agree.

    Parameters
    ----------
    paths
        Frames; one that cannot be read is passed over (stacking says it).
    image
        EXTNAME of one of several detectors: its own cards. Empty: the cards of the frame.
    """
    wanted = FROM_DETECTOR if image else FROM_FRAME
    common: dict[str, tuple[CardValue, str]] | None = None
    for path in paths:
        found = _cards_of(path, image, wanted)
        if found is None:
            continue
        if common is None:
            common = dict(found)
        else:
            common = {k: v for k, v in common.items() if k in found and found[k][0] == v[0]}
    return tuple(
        (keyword, value, comment)
        for keyword, (value, comment) in (common or {}).items()
        if value is not None and value != ""
    )


def card_texts(path: Path, keywords: Sequence[str]) -> dict[str, str]:
    """Return what cards of any HDU of a file say, as text, by their name in capitals.

    The first HDU that has a card counts. Logicals are ``T`` and ``F``. A file that cannot be
    read says nothing.
    """
    try:
        hdus = read_hdus(path)
    except (FileProblemError, OSError):
        return {}
    found: dict[str, str] = {}
    for hdu in hdus:
        for keyword in keywords:
            card = hdu.cards.get(keyword.upper())
            if card is not None and card.value is not None:
                text = card.value
                said = "T" if text is True else "F" if text is False else str(text).strip()
                found.setdefault(keyword.upper(), said)
    return found


def _cards_of(
    path: Path, image: str, wanted: Sequence[str]
) -> Mapping[str, tuple[CardValue, str]] | None:
    try:
        hdus = read_hdus(path)
    except (FileProblemError, OSError):
        return None
    return {
        keyword: (card.value, card.comment)
        for keyword in wanted
        for hdu in _where(hdus, image)
        if (card := hdu.cards.get(keyword)) is not None and card.value is not None
    }


def _where(hdus: Sequence[Hdu], image: str) -> list[Hdu]:
    """Return the headers to look in; a later one wins."""
    if image:
        found = find_hdu(hdus, image)
        return [] if found is None else [found]
    first = next((hdu for hdu in hdus if hdu.is_image), None)
    return [hdu for hdu in (first, hdus[0] if hdus else None) if hdu is not None]
