"""What the images of a FITS file are called: one rule for headers, pixels and masters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageHdu:
    """What a name follows from."""

    index: int
    """HDU number, 0 for the primary."""
    extname: str
    extver: str = "1"
    is_packed: bool = False
    """A compressed image, which lies in a table."""
    colour: bool = False
    """Three planes, one of each colour."""


COLOURS = 3


def is_colour(shape: Sequence[int]) -> bool:
    """Whether an image of shape (..., planes, ny, nx) is three colour planes of one shot."""
    return len(shape) >= 3 and shape[-3] == COLOURS and all(n == 1 for n in shape[:-3])


def fits_image_names(hdus: Sequence[ImageHdu]) -> tuple[str, ...]:
    """Return the names of the image HDUs as a user types them, each different from the others.

    ``""`` is the primary (also what fpack made of it), ``SCI`` an extension, ``SCI,2`` one whose
    name repeats, ``HDU3`` one without a name or whose name and version repeat. A colour image is
    three: ``R``, ``G``, ``B``, with its name before them where it has one.
    """
    plain = [_plain_name(hdu) for hdu in hdus]
    counted = [name.upper() for name in plain]
    names: list[str] = []
    seen: set[str] = set()
    for hdu, name in zip(hdus, plain, strict=True):
        if name and counted.count(name.upper()) > 1:
            name = f"{name},{hdu.extver}"
        if name.upper() in seen:
            name = f"HDU{hdu.index}"
        seen.add(name.upper())
        names += [f"{name} {c}".strip() for c in "RGB"] if hdu.colour else [name]
    return tuple(names)


def _plain_name(hdu: ImageHdu) -> str:
    # fpack calls what was the primary so; it stays the primary.
    was_primary = hdu.is_packed and hdu.index == 1 and hdu.extname in ("", "COMPRESSED_IMAGE")
    return "" if hdu.index == 0 or was_primary else hdu.extname or f"HDU{hdu.index}"
