"""FITS cards from header bytes: fast, own, and forgiving, because real writers are careless.

Most folders hold thousands of files that share one card layout. The layout (the keyword columns
of all cards) is therefore understood once and remembered; of each file only those values are read
that somebody asks for, and equal cards are parsed once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

CARD = 80
BLOCK = 2880

CardValue = str | int | float | bool | None
"""A value as the card says it. ``None``: the keyword is there without a value."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eEdD][+-]?[0-9]+)?")
_QUOTED = re.compile(r"\s*'((?:[^']|'')*)'?")
_HIERARCH = re.compile(r"HIERARCH\s+([^=]+?)\s*=(.*)", re.DOTALL)
_PRINTABLE = re.compile(rb"[ -~]*")
_KEYWORD = re.compile(rb"[ -~]{8}")


@dataclass(frozen=True, slots=True)
class Card:
    """One keyword's value and the words behind the slash."""

    value: CardValue
    comment: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether the keyword is there without saying anything."""
        return self.value is None or self.value == ""


@dataclass(frozen=True, slots=True)
class _Layout:
    """What is where in headers that share their keyword columns."""

    plain: Mapping[str, tuple[int, ...]]
    """Keyword and the offsets of its cards (more than one: doubles)."""
    continued: Mapping[str, tuple[int, ...]]
    """Keyword and offsets of its card and the CONTINUE cards behind it."""
    hierarch: tuple[int, ...]
    history: tuple[int, ...]


class Cards:
    """The cards of one header, by upper-case keyword; of doubles the first that says something.

    Parameters
    ----------
    header
        Cards of 80 bytes, without the END card and what follows it.
    ended
        Whether an END card was found behind them.
    """

    __slots__ = ("_header", "_hierarch", "_layout", "ended", "n_bytes")

    def __init__(self, header: bytes, *, ended: bool = True) -> None:
        header = header[: len(header) // CARD * CARD]
        self._header = header
        self._layout = _layout(_columns(header))
        self._hierarch: dict[str, Card] | None = None
        self.ended = ended
        self.n_bytes = -(-(len(header) + CARD) // BLOCK) * BLOCK
        """Length of the header on disk, padding included."""

    def get(self, keyword: str) -> Card | None:
        """The card of a keyword; None when it is absent."""
        offsets = self._layout.plain.get(keyword)
        if offsets is not None:
            header = self._header
            card = _card(header[offsets[0] + 9 : offsets[0] + CARD])
            for at in offsets[1:]:
                if not card.is_blank:
                    break
                card = _card(header[at + 9 : at + CARD])
            return card
        offsets = self._layout.continued.get(keyword)
        if offsets is not None:
            return _long_string([self._header[at : at + CARD] for at in offsets])
        return self._of_hierarch().get(keyword) if self._layout.hierarch else None

    def value(self, keyword: str) -> CardValue:
        """The value of a keyword; None when it is absent or says nothing."""
        card = self.get(keyword)
        return None if card is None else card.value

    def keywords(self) -> list[str]:
        """All keywords with a value field."""
        return [*self._layout.plain, *self._layout.continued, *self._of_hierarch()]

    @property
    def history(self) -> tuple[str, ...]:
        """The HISTORY cards, in order."""
        header = self._header
        return tuple(_text(header[at + 8 : at + CARD]).strip() for at in self._layout.history)

    def fingerprint(self, wanted: frozenset[str]) -> bytes:
        """The bytes of all cards of these keywords: equal where every one of them is equal."""
        header = self._header
        slices = _wanted_slices(self._layout, wanted)
        parts = [header[s] for s in slices]
        if self._layout.hierarch:
            parts += [
                repr(item).encode() for item in self._of_hierarch().items() if item[0] in wanted
            ]
        return b"".join(parts)

    def _of_hierarch(self) -> dict[str, Card]:
        if self._hierarch is None:
            self._hierarch = {}
            for at in self._layout.hierarch:
                named = _hierarch(self._header[at : at + CARD])
                if named is not None:
                    self._hierarch.setdefault(*named)
        return self._hierarch


def header_length(data: bytes) -> tuple[int, bool] | None:
    """Find where the cards end.

    Returns
    -------
    (bytes of cards before END, True), or (bytes of cards, False) where something that is no card
    comes without an END, or None when more data is needed.
    """
    at = data.find(b"END")
    while at >= 0:
        if at % CARD == 0 and not data[at + 3 : at + CARD].strip(b" \0"):
            bad = _first_bad_card(data[:at])
            return (at, True) if bad is None else (bad, False)
        at = data.find(b"END", at + 3)
    bad = _first_bad_card(data)
    return None if bad is None else (bad, False)


def _columns(header: bytes) -> bytes:
    """Eight strided cuts: the keyword columns of all cards; the ninth tells ``= `` from text."""
    return b"".join([header[k::CARD] for k in range(9)])


def _first_bad_card(data: bytes) -> int | None:
    """Offset of the first complete card whose keyword cannot be one; None when all can."""
    whole = data[: len(data) // CARD * CARD]
    if _PRINTABLE.fullmatch(_columns(whole)):
        return None
    for at in range(0, len(whole), CARD):
        if not _KEYWORD.fullmatch(whole, at, at + 8):
            return at
    return None


@lru_cache(maxsize=512)
def _layout(columns: bytes) -> _Layout:
    """Understand the keyword columns of a header once."""
    n = len(columns) // 9
    plain: dict[str, tuple[int, ...]] = {}
    continued: dict[str, tuple[int, ...]] = {}
    hierarch: list[int] = []
    history: list[int] = []
    last = ""
    for i in range(n):
        keyword = _text(columns[i : 8 * n : n]).strip(" \0").upper()
        at = i * CARD
        if keyword == "CONTINUE":
            if last in continued:
                continued[last] += (at,)
            elif last:
                continued[last] = (plain.pop(last)[-1], at)
            continue
        last = ""
        if keyword == "HIERARCH":
            hierarch.append(at)
        elif keyword == "HISTORY":
            history.append(at)
        elif keyword and columns[8 * n + i : 8 * n + i + 1] == b"=":
            plain[keyword] = (*plain.get(keyword, ()), at)
            last = keyword
    return _Layout(plain, continued, tuple(hierarch), tuple(history))


_SLICES: dict[tuple[int, int], tuple[_Layout, frozenset[str], list[slice]]] = {}


def _wanted_slices(layout: _Layout, wanted: frozenset[str]) -> list[slice]:
    """Where the wanted cards of a layout lie; neighbours are one slice."""
    key = (id(layout), id(wanted))
    known = _SLICES.get(key)
    if known is not None and known[0] is layout and known[1] is wanted:
        return known[2]
    offsets = sorted(
        at
        for cards in (layout.plain, layout.continued)
        for keyword, ats in cards.items()
        if keyword in wanted
        for at in ats
    )
    slices: list[slice] = []
    for at in offsets:
        if slices and slices[-1].stop == at:
            slices[-1] = slice(slices[-1].start, at + CARD)
        else:
            slices.append(slice(at, at + CARD))
    if len(_SLICES) > 1000:
        _SLICES.clear()
    _SLICES[key] = (layout, wanted, slices)
    return slices


@lru_cache(maxsize=100_000)
def _card(field_bytes: bytes) -> Card:
    """Read the value field of a card: everything behind ``KEYWORD =``."""
    return parse_value(_text(field_bytes))


def parse_value(text: str) -> Card:
    """Read a value field: string, number, logical or nothing, and the comment.

    Accepts what writers get wrong: a missing closing quote, comma decimals, Fortran exponents.
    """
    quoted = _QUOTED.match(text)
    if quoted is not None:
        rest = text[quoted.end() :]
        comment = rest.partition("/")[2].strip()
        return Card(quoted[1].replace("''", "'").strip(" \0"), comment)
    value, _, comment = text.partition("/")
    return Card(unquoted_value(value.strip(" \0")), comment.strip())


def unquoted_value(text: str) -> CardValue:
    """Read a value without quotes: logical, integer, decimal, or the words as they are."""
    if not text:
        return None
    if text in ("T", "F"):
        return text == "T"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text.replace(",", ".").replace("D", "E").replace("d", "e"))
    return text


def _long_string(cards: list[bytes]) -> Card:
    """Join a string and its CONTINUE cards (an ampersand at the end asks for the next)."""
    first = parse_value(_text(cards[0][9:]))
    if not isinstance(first.value, str):
        return first
    text, comments = first.value, [first.comment]
    for card in cards[1:]:
        if not text.endswith("&"):
            break
        part = parse_value(_text(card[8:]))
        text = text[:-1] + (part.value if isinstance(part.value, str) else "")
        comments.append(part.comment)
    return Card(text.removesuffix("&"), " ".join(c for c in comments if c))


@lru_cache(maxsize=20_000)
def _hierarch(card: bytes) -> tuple[str, Card] | None:
    """Read ``HIERARCH ESO DPR TYPE = ...`` as keyword ``ESO DPR TYPE``."""
    match = _HIERARCH.match(_text(card))
    if match is None:
        return None
    return " ".join(match[1].upper().split()), parse_value(match[2])


def _text(raw: bytes) -> str:
    """Decode header bytes: ASCII by the standard, UTF-8 or Latin-1 in the wild."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
