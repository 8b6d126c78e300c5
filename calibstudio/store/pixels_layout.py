"""Where the images of a FITS file lie: structure only, no meaning (that is `store.headers`).

Own parsing, because a stack of a hundred files asks for a hundred layouts and opening one with
astropy takes longer than reading its pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.wording import cut_off
from calibstudio.store.image_names import COLOURS, ImageHdu, fits_image_names, is_colour

BLOCK = 2880
CARD = 80
MOST_HEADER_BLOCKS = 20_000
"""57 MB of header: more is not a header."""
_MOST_PIXELS = 1 << 36
_MOST_HDUS = 1000
BITPIX_BYTES = {8: 1, 16: 2, 32: 4, 64: 8, -32: 4, -64: 8}

ReadAt = Callable[[int, int], bytes]
"""(offset, size) -> bytes, fewer at the end of the file."""

_WANTED = frozenset(
    (
        *("SIMPLE", "XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "GROUPS"),
        *("BSCALE", "BZERO", "BLANK", "EXTNAME", "EXTVER"),
        *("ZIMAGE", "ZBITPIX", "ZNAXIS", "ZBLANK"),
    )
)


@dataclass(frozen=True, slots=True)
class ImageLayout:
    """One HDU that holds an image."""

    index: int
    """HDU number, 0 for the primary."""
    name: str
    """As `image_names` gives it; empty for the primary."""
    extname: str
    """EXTNAME as written."""
    extver: str
    bitpix: int
    axes: tuple[int, ...]
    """NAXIS1, NAXIS2, ... as written."""
    header_offset: int
    data_offset: int
    bscale: float = 1.0
    bzero: float = 0.0
    blank: int | None = None
    compressed: bool = False
    """Stored in tiles in a table (fpack)."""
    channel: int | None = None
    """Of the three colour planes of a compressed picture; plain ones lie one behind the other."""

    def plane(self, file: str) -> tuple[int, int]:
        """Return (ny, nx).

        Raises
        ------
        FileProblemError
            If the image has not two axes (further axes of length 1 are fine).
        """
        where = f"{file}[{self.name}]" if self.name else file
        more = self.axes[2:] if self.channel is None else self.axes[3:]
        if len(self.axes) < 2 or any(n != 1 for n in more):
            size = " × ".join(str(n) for n in self.axes)
            raise FileProblemError(
                f"{where} is no flat picture: its axes are {size}.",
                hint="Only pictures with rows and columns can be used; export one plane.",
            )
        nx, ny = self.axes[:2]
        if nx < 1 or ny < 1:
            raise FileProblemError(
                f"{where} has no pixels: its size is {nx} × {ny}.", hint="Take it again."
            )
        return ny, nx


def walk_images(read_at: ReadAt, size: int, file: str) -> list[ImageLayout]:
    """Return every image of the file, in order.

    Raises
    ------
    FileProblemError
        If the file is empty, is not FITS, its header is broken, or it holds no image.
    """
    if size == 0:
        raise FileProblemError(
            f"{file} is empty (0 bytes).", hint="Copy it again from the camera or the archive."
        )
    start = read_at(0, 16)
    if not start.startswith(b"SIMPLE  ="):
        raise not_fits(start, file)
    found = list(_hdus(read_at, size, file))
    # Spectra and other rows beside a picture are passed over; alone they are refused by name.
    images = [image for image in found if len(image.axes) >= 2] or found
    images = [plane for image in images for plane in _colours(image)]
    if not images:
        raise FileProblemError(
            f"{file} holds a header but no image.", hint="Choose files that hold pictures."
        )
    return _named(images)


def not_fits(start: bytes, file: str) -> FileProblemError:
    """Say that a file whose first bytes are these is no FITS file."""
    return FileProblemError(
        f"{file} is not a FITS file.", hint="It is left out; look at what it really is."
    )


def hdu_end(read_at: ReadAt, offset: int, file: str) -> int:
    """Return where the HDU at this offset ends, padding included.

    Raises
    ------
    FileProblemError
        If its header is broken or has no END.
    """
    cards, data_offset = _read_header(read_at, offset, file, first=True)
    assert cards is not None
    length = _data_bytes(cards, _bitpix(cards, file), _axes(cards, "NAXIS", file), file)
    return data_offset + -(-length // BLOCK) * BLOCK


def find_image(images: list[ImageLayout], image: str, file: str) -> ImageLayout:
    """Return the image of this name; the first for an empty name.

    Raises
    ------
    FileProblemError
        If there is no image of this name.
    """
    if not image:
        return images[0]
    wanted = image.upper()
    for layout in images:
        if wanted == layout.name.upper():
            return layout
    for layout in images:
        if wanted in (layout.extname.upper(), f"HDU{layout.index}"):
            return layout
    names = ", ".join(i.name or "the primary" for i in images)
    raise FileProblemError(
        f"{file} has no image named {image}.", hint=f"It has {names}." if names else ""
    )


def _hdus(read_at: ReadAt, size: int, file: str) -> Iterator[ImageLayout]:
    """Walk over all HDUs; what follows a cut is not there, so it is not listed."""
    offset, index = 0, 0
    while offset < size and index < _MOST_HDUS:
        cards, data_offset = _read_header(read_at, offset, file, first=index == 0)
        if cards is None:
            return
        axes = _axes(cards, "NAXIS", file)
        bitpix = _bitpix(cards, file)
        is_image = index == 0 or _text(cards, "XTENSION").startswith("IMAGE")
        if cards.get("ZIMAGE") == "T":
            yield _compressed(cards, index, offset, data_offset, file)
        elif is_image and cards.get("GROUPS") != "T" and len(axes) >= 1 and math.prod(axes) > 0:
            yield _plain(cards, index, bitpix, axes, offset, data_offset, file)
        length = _data_bytes(cards, bitpix, axes, file)
        offset = data_offset + -(-length // BLOCK) * BLOCK
        index += 1


def _plain(
    cards: dict[str, str],
    index: int,
    bitpix: int,
    axes: tuple[int, ...],
    offset: int,
    data_offset: int,
    file: str,
) -> ImageLayout:
    extname = "" if index == 0 else _text(cards, "EXTNAME")
    return ImageLayout(
        index=index,
        name="",
        extname=extname,
        extver=_text(cards, "EXTVER") or "1",
        bitpix=bitpix,
        axes=axes,
        header_offset=offset,
        data_offset=data_offset,
        bscale=_bscale(cards, file),
        bzero=_number(cards, "BZERO", 0.0, file),
        blank=_integer(cards, "BLANK", file) if "BLANK" in cards and bitpix > 0 else None,
    )


def _compressed(
    cards: dict[str, str], index: int, offset: int, data_offset: int, file: str
) -> ImageLayout:
    name = _text(cards, "EXTNAME")
    bitpix = _bitpix(cards, file, "ZBITPIX")
    blank = next((k for k in ("ZBLANK", "BLANK") if k in cards and bitpix > 0), None)
    return ImageLayout(
        index=index,
        name="",
        extname=name,
        extver=_text(cards, "EXTVER") or "1",
        bitpix=bitpix,
        axes=_axes(cards, "ZNAXIS", file),
        header_offset=offset,
        data_offset=data_offset,
        bscale=_bscale(cards, file),
        bzero=_number(cards, "BZERO", 0.0, file),
        blank=None if blank is None else _integer(cards, blank, file),
        compressed=True,
    )


def _colours(image: ImageLayout) -> list[ImageLayout]:
    """Return the three pictures of a colour image, each for itself; any other image as it is."""
    if not is_colour(image.axes[::-1]):
        return [image]
    if image.compressed:
        return [replace(image, channel=c) for c in range(COLOURS)]
    nx, ny = image.axes[:2]
    plane = BITPIX_BYTES[image.bitpix] * nx * ny
    return [
        replace(image, axes=(nx, ny), data_offset=image.data_offset + c * plane)
        for c in range(COLOURS)
    ]


def _named(images: list[ImageLayout]) -> list[ImageLayout]:
    """Give each image its name, different from the others."""
    hdus = {
        i.index: ImageHdu(
            i.index, i.extname, i.extver, i.compressed,
            sum(other.index == i.index for other in images) == COLOURS,
        )
        for i in images
    }  # fmt: skip
    names = fits_image_names(list(hdus.values()))
    return [replace(image, name=name) for image, name in zip(images, names, strict=True)]


def _read_header(
    read_at: ReadAt, offset: int, file: str, *, first: bool
) -> tuple[dict[str, str] | None, int]:
    """Return the cards that matter, and where the data begins; no cards for junk at the end."""
    cards: dict[str, str] = {}
    for number in range(MOST_HEADER_BLOCKS):
        block = read_at(offset + number * BLOCK, BLOCK)
        if number == 0 and not first and not block.startswith(b"XTENSION"):
            return None, 0
        for i in range(0, len(block) - CARD + 1, CARD):
            key = block[i : i + 8].rstrip()
            if key == b"END":
                return cards, offset + (number + 1) * BLOCK
            word = key.decode("ascii", "replace")
            if word in _WANTED or word.startswith(("NAXIS", "ZNAXIS")):
                value = block[i + 10 : i + CARD].decode("ascii", "replace")
                if block[i + 8 : i + 9] == b"=":
                    cards.setdefault(word, _value(value))
        if len(block) < BLOCK:
            break
    raise FileProblemError(
        f"{file} is cut off in its header: there is no END.", hint="Copy it again."
    )


def _value(text: str) -> str:
    """Return the value of a card without its comment; strings without quotes and padding."""
    text = text.strip()
    if text.startswith("'"):
        end = 1
        while (end := text.find("'", end)) >= 0 and text[end : end + 2] == "''":
            end += 2
        return text[1 : end if end >= 0 else None].replace("''", "'").strip()
    return text.split("/", 1)[0].strip()


def _text(cards: dict[str, str], key: str) -> str:
    return cards.get(key, "").strip()


def _integer(cards: dict[str, str], key: str, file: str) -> int:
    try:
        value = float(cards[key].replace("D", "E"))
        if not value.is_integer():
            raise ValueError(cards[key])
        # int() of the text where it can be: float loses the last digits of a 64-bit BLANK.
        text = cards[key]
        return int(text) if text.lstrip("+-").isdigit() else int(value)
    except (KeyError, ValueError, OverflowError) as error:
        said = f"says {cards[key]!r}" if key in cards else "is missing"
        raise FileProblemError(
            f"{file} is broken: {key} {said} in its header.", hint="Copy it again."
        ) from error


def _number(cards: dict[str, str], key: str, default: float, file: str) -> float:
    try:
        value = float(cards.get(key, str(default)).replace("D", "E") or default)
    except ValueError as error:
        raise FileProblemError(
            f"{file} is broken: {key} says {cards[key]!r} in its header.", hint="Copy it again."
        ) from error
    return value if math.isfinite(value) else default


def _bscale(cards: dict[str, str], file: str) -> float:
    bscale = _number(cards, "BSCALE", 1.0, file)
    if bscale == 0.0:
        raise FileProblemError(
            f"{file} is broken: BSCALE is 0 in its header, every pixel would have one value.",
            hint="Write it again with the program that made it, or correct BSCALE.",
        )
    return bscale


def _bitpix(cards: dict[str, str], file: str, key: str = "BITPIX") -> int:
    bitpix = _integer(cards, key, file)
    if bitpix not in BITPIX_BYTES:
        raise FileProblemError(f"{file} is broken: {key} is {bitpix:.6g}.", hint="Copy it again.")
    return bitpix


def _axes(cards: dict[str, str], key: str, file: str) -> tuple[int, ...]:
    count = _integer(cards, key, file)
    if not 0 <= count <= 999:
        raise FileProblemError(
            f"{file} is broken: {key} is {count} in its header.", hint="Copy it again."
        )
    axes = tuple(_integer(cards, f"{key}{i + 1}", file) for i in range(count))
    if any(n < 0 for n in axes) or math.prod(axes) > _MOST_PIXELS:
        size = " × ".join(f"{n:.10g}" for n in axes)
        raise FileProblemError(
            f"{file} is broken: its header claims a size of {size} pixels.", hint="Copy it again."
        )
    return axes


def _data_bytes(cards: dict[str, str], bitpix: int, axes: tuple[int, ...], file: str) -> int:
    """Return the bytes of the data, without padding (FITS standard 4.0, section 4.4.1 and 6)."""
    if not axes:
        return 0
    pcount = _integer(cards, "PCOUNT", file) if "PCOUNT" in cards else 0
    gcount = _integer(cards, "GCOUNT", file) if "GCOUNT" in cards else 1
    if pcount < 0 or gcount < 0:
        raise FileProblemError(f"{file} is broken: PCOUNT or GCOUNT is negative.")
    if axes[0] == 0 and cards.get("GROUPS") == "T":
        axes = axes[1:]
    return BITPIX_BYTES[bitpix] * gcount * (pcount + math.prod(axes))


def check_complete(layout: ImageLayout, size: int, file: str) -> None:
    """Raise `FileProblemError` when the file ends before the image does."""
    wanted = BITPIX_BYTES[layout.bitpix] * math.prod(layout.axes)
    if not layout.compressed and size < layout.data_offset + wanted:
        raise FileProblemError(
            f"{file} {cut_off(size, layout.data_offset + wanted)}",
            hint="Copy it again; it is left out until then.",
        )
