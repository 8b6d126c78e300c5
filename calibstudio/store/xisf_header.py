"""The XML header of an XISF file (XISF 1.0): FITS keywords, properties, geometry.

Read with a parser that knows no entities and no document types, within limits of size and depth,
because a header comes from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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


def read_xisf(path: Path, file: BinaryIO, size: int) -> XisfHeader:
    """Read the header of an open XISF file.

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
    reader = _Reader()
    try:
        reader.parse(xml.rstrip(b"\0"))
    except (expat.ExpatError, _Refused, ValueError) as error:
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


class _Reader:
    """Collects what is wanted from a stream of XML events."""

    def __init__(self) -> None:
        self.images: list[XisfImage] = []
        self._image: _Open | None = None
        self._depth = 0
        self._keywords = 0
        self._property = ""
        self._text = ""
        self._shared: dict[str, Card] = {}

    def parse(self, xml: bytes) -> None:
        parser = expat.ParserCreate()
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
        elif name == "Property":
            self._property = attributes.get("id", "")
            self._text = attributes.get("value", "")

    def _end(self, name: str) -> None:
        self._depth -= 1
        name = name.rpartition(":")[2]
        if name == "Property":
            self._keep_property()
        elif name == "Image" and self._image is not None:
            self.images.append(_finished(self._image))
            self._image = None

    def _characters(self, data: str) -> None:
        if self._property and len(self._text) < MAX_TEXT:
            self._text += data[:MAX_TEXT]

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
    )


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16
