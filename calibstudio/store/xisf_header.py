"""The XML header of an XISF file (XISF 1.0): FITS keywords, properties, geometry.

Read with a parser that knows no entities and no document types, within limits of size and depth,
because a header comes from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, prod
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from calibstudio.domain.errors import FileProblemError
from calibstudio.store.fits_cards import Card, parse_value, unquoted_value
from calibstudio.store.header_words import XISF_PROPERTIES

MAX_XML = 64 * 1024 * 1024
MAX_DEPTH = 64
MAX_TEXT = 4096
MAX_KEYWORDS = 100_000


@dataclass(frozen=True, slots=True)
class XisfImage:
    """One image of the file."""

    name: str
    geometry: tuple[int, ...]
    """(width, height, ..., channels), as XISF writes it."""
    sample_format: str
    image_type: str
    attachment: tuple[int, int] | None
    """(position, bytes) of pixels that lie behind the header; None when they lie in it."""
    cards: Mapping[str, Card]
    history: tuple[str, ...]
    properties: frozenset[str]
    """Keywords in ``cards`` that stand for an XISF property."""
    color_filter_array: str
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of the element: how its pixels are stored (see `store.xisf_block`)."""
    data_attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of the Data element in it, where the pixels lie in the header."""
    data: str = field(default="", repr=False)
    """Their text, where `read_xisf` was asked for it."""

    @property
    def channels(self) -> int:
        """All channels, also those that are no colour (alpha)."""
        return prod(self.geometry[2:])

    @property
    def colours(self) -> int:
        """Channels that are a picture: three of a colour image, one of a grey one."""
        is_rgb = self.attributes.get("colorSpace", "Gray").strip().lower() == "rgb"
        return min(3, self.channels) if is_rgb else 1

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The values that are black and white, for floating point; None for integers.

        Without the attribute (which the standard demands) 0 and 1, as PixInsight writes.
        """
        if not self.sample_format.startswith("Float"):
            return None
        low, _, high = self.attributes.get("bounds", "0:1").partition(":")
        try:
            found = float(low), float(high)
        except ValueError:
            return 0.0, 1.0
        return found if isfinite(found[0]) and isfinite(found[1]) else (0.0, 1.0)

    @property
    def shape(self) -> tuple[int, int] | None:
        """(rows, columns); None where the geometry is not two-dimensional."""
        if len(self.geometry) < 2 or min(self.geometry[:2]) <= 0:
            return None
        return self.geometry[1], self.geometry[0]


@dataclass(frozen=True, slots=True)
class XisfHeader:
    """What an XISF file says about itself."""

    images: tuple[XisfImage, ...]
    first_bytes: bytes = field(repr=False)


class _Refused(Exception):
    """The XML asks for something that no frame needs."""


def image_names(images: Sequence[XisfImage]) -> tuple[str, ...]:
    """Return the names of the pictures of a file, in order, as a user types them.

    ``""`` is the first image; further ones have their own name or number. A colour image is three
    pictures: ``R``, ``G``, ``B``, with its name before them where it is not the first.
    """
    names: list[str] = []
    for number, image in enumerate(images):
        base = "" if number == 0 else image.name or f"image {number + 1}"
        if image.colours < 3:
            names.append(base if base not in names else f"image {number + 1}")
        else:
            names += [f"{base} {c}".strip() for c in "RGB"]
    return tuple(names)


def read_xisf(path: Path, file: BinaryIO, size: int, *, with_data: bool = False) -> XisfHeader:
    """Read the header of an open XISF file.

    Parameters
    ----------
    with_data
        Also keep pixels that lie in the header itself.

    Raises
    ------
    FileProblemError
        If the header is cut off, too large, or no XISF.
    """
    start = file.read(16)
    length = int.from_bytes(start[8:12], "little")
    if len(start) < 16 or length == 0 or 16 + length > size:
        raise FileProblemError(
            f"{path.name} ends inside its header.", hint="Copy or save it again."
        )
    if length > MAX_XML:
        raise FileProblemError(
            f"{path.name} has a header of {length} bytes, which no frame needs.",
            hint="Save it again without embedded data.",
        )
    xml = file.read(length)
    reader = _Reader(with_data=with_data)
    try:
        reader.parse(xml.rstrip(b"\0"))
    except (expat.ExpatError, _Refused, ValueError, LookupError) as error:
        raise FileProblemError(
            f"{path.name} has a header that is no XISF: {error}.", hint="Save it again."
        ) from error
    return XisfHeader(tuple(reader.images), start + xml[:16384])


class _Open:
    """An image while its element is open."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self.attributes = attributes
        self.cards: dict[str, Card] = {}
        self.history: list[str] = []
        self.properties: set[str] = set()
        self.cfa = ""
        self.data_attributes: dict[str, str] = {}
        self.data: list[str] = []


class _Reader:
    """Collects what is wanted from a stream of XML events."""

    def __init__(self, *, with_data: bool) -> None:
        self.images: list[XisfImage] = []
        self._with_data = with_data
        self._in_data = False
        self._image: _Open | None = None
        self._depth = 0
        self._keywords = 0
        self._property = ""
        self._text = ""
        self._shared: dict[str, Card] = {}

    def parse(self, xml: bytes) -> None:
        parser = expat.ParserCreate("UTF-8")  # whatever it declares: XISF is UTF-8
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.buffer_text = True
        parser.Parse(xml, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Refused("it is nested too deep")
        name = name.rpartition(":")[2]
        if name == "Image" and self._image is None:
            self._image = _Open(attributes)
        elif name == "FITSKeyword" and self._image is not None:
            self._keyword(attributes)
        elif name == "ColorFilterArray" and self._image is not None:
            self._image.cfa = attributes.get("pattern", "")
        elif name == "Data" and self._image is not None and not self._property:
            self._image.data_attributes = attributes
            self._in_data = True
        elif name == "Property":
            self._property = attributes.get("id", "")
            self._text = attributes.get("value", "")

    def _end(self, name: str) -> None:
        self._depth -= 1
        name = name.rpartition(":")[2]
        if name == "Property":
            self._keep_property()
        elif name == "Data":
            self._in_data = False
        elif name == "Image" and self._image is not None:
            self.images.append(_finished(self._image))
            self._image = None

    def _characters(self, data: str) -> None:
        if self._property:
            if len(self._text) < MAX_TEXT:
                self._text += data[:MAX_TEXT]
        elif self._with_data and self._image is not None and (self._in_data or self._is_inline()):
            self._image.data.append(data)

    def _is_inline(self) -> bool:
        return self._image is not None and self._image.attributes.get("location", "").startswith(
            "inline:"
        )

    def _keyword(self, attributes: Mapping[str, str]) -> None:
        self._keywords += 1
        if self._keywords > MAX_KEYWORDS or self._image is None:
            raise _Refused("it has too many keywords")
        keyword = attributes.get("name", "").strip().upper()
        value = attributes.get("value", "").strip()
        comment = attributes.get("comment", "").strip()
        if keyword == "HISTORY":
            self._image.history.append(comment or value.strip("'"))
        elif keyword:
            parsed = parse_value(value).value if value[:1] == "'" else unquoted_value(value)
            if keyword not in self._image.cards or self._image.cards[keyword].value is None:
                self._image.cards[keyword] = Card(parsed, comment)

    def _keep_property(self) -> None:
        keyword = XISF_PROPERTIES.get(self._property)
        if keyword is not None and self._text.strip():
            card = Card(unquoted_value(self._text.strip()), "")
            if self._image is None:
                self._shared.setdefault(keyword, card)
            elif keyword not in self._image.cards:
                self._image.cards[keyword] = card
                self._image.properties.add(keyword)
        self._property = self._text = ""


def _refuse(*_: object) -> None:
    raise _Refused("it declares entities or a document type")


def _finished(image: _Open) -> XisfImage:
    attributes = image.attributes
    if attributes.get("imageType") and "IMAGETYP" not in image.cards:
        image.cards["IMAGETYP"] = Card(attributes["imageType"])
    sizes = attributes.get("geometry", "").split(":")
    geometry = tuple(int(n) for n in sizes) if all(_is_count(n) for n in sizes) else ()
    where = attributes.get("location", "").split(":")
    attachment = None
    if where[0] == "attachment" and len(where) == 3 and all(_is_count(n) for n in where[1:]):
        attachment = int(where[1]), int(where[2])
    return XisfImage(
        attributes.get("id", ""),
        geometry,
        attributes.get("sampleFormat", ""),
        attributes.get("imageType", ""),
        attachment,
        image.cards,
        tuple(image.history),
        frozenset(image.properties),
        image.cfa,
        attributes,
        image.data_attributes,
        "".join(image.data),
    )


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16
