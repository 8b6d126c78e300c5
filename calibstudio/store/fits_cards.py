"""FITS cards from header bytes: fast, own, and forgiving, because real writers are careless.

Most folders hold thousands of files that share one card layout. The layout (the keyword
columns of all cards) is therefore understood once and remembered; what remains for each file is
to cut out the wanted values, and equal cards are parsed once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

CARD = 80
BLOCK = 2880

CardValue = str | int | float | bool | None
"""A value as the card says it. ``None``: the keyword is there without a value."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eEdD][+-]?[0-9]+)?")
_QUOTED = re.compile(r"\s*'((?:[^']|'')*)'?")
_HIERARCH = re.compile(r"HIERARCH\s+([^=]+?)\s*=(.*)", re.DOTALL)
_KEYWORD = re.compile(rb"[ -~]{8}")


@dataclass(frozen=True, slots=True)
class Card:
    """One keyword's value and the words behind the slash."""

    value: CardValue
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Cards:
    """The cards of one header, by upper-case keyword; of doubles the first with a value."""

    by_keyword: Mapping[str, Card]
    history: tuple[str, ...] = ()
    ended: bool = True
    """Whether there was an END card."""
    n_bytes: int = 0
    """Length of the header on disk, padding included."""

    def get(self, keyword: str) -> CardValue:
        """The value; None when the keyword is absent or empty."""
        card = self.by_keyword.get(keyword)
        return None if card is None else card.value

    def comment(self, keyword: str) -> str:
        """The comment of a card, empty when there is none."""
        card = self.by_keyword.get(keyword)
        return "" if card is None else card.comment


EMPTY = Cards(MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class _Layout:
    """What is where in headers that share their keyword columns."""

    plain: tuple[tuple[str, int], ...]
    """Keyword and offset of its card; the first of doubles first."""
    continued: tuple[tuple[str, tuple[int, ...]], ...]
    """Keyword and offsets of its card and the CONTINUE cards behind it."""
    hierarch: tuple[int, ...]
    history: tuple[int, ...]


def parse_cards(
    header: bytes, wanted: frozenset[str] | None = None, *, ended: bool = True
) -> Cards:
    """Read the cards of one header.

    Parameters
    ----------
    header
        Cards of 80 bytes without the END card and what follows it.
    wanted
        Keywords to read; None for all. HIERARCH and HISTORY cards are always read.
    ended
        Whether an END card was found behind them.
    """
    header = header[: len(header) // CARD * CARD]
    # Eight strided cuts give the keyword columns of all cards; the ninth tells `= ` from text.
    columns = b"".join([header[k::CARD] for k in range(9)])
    layout = _layout(columns, wanted)
    found: dict[str, Card] = {}
    for keyword, at in layout.plain:
        card = _card(header[at + 9 : at + CARD])
        if keyword not in found or (found[keyword].value is None and card.value is not None):
            found[keyword] = card
    for keyword, offsets in layout.continued:
        found[keyword] = _long_string([header[at : at + CARD] for at in offsets])
    for at in layout.hierarch:
        named = _hierarch(header[at : at + CARD])
        if named is not None:
            found.setdefault(*named)
    history = tuple(_text(header[at + 8 : at + CARD]).strip() for at in layout.history)
    size = -(-(len(header) + CARD) // BLOCK) * BLOCK
    return Cards(found, history, ended, size)


def header_length(data: bytes, start: int = 0) -> tuple[int, bool] | None:
    """Find where the cards end.

    Returns
    -------
    (bytes of cards before END, True), or (bytes of cards, False) where something that is no card
    comes without an END, or None when more data is needed.
    """
    at = start
    while True:
        at = data.find(b"END", at)
        if at < 0:
            break
        if at % CARD == 0 and not data[at + 3 : at + CARD].strip(b" \0"):
            bad = _first_bad_card(data[:at])
            return (at, True) if bad is None else (bad, False)
        at += 3
    bad = _first_bad_card(data)
    return None if bad is None else (bad, False)


def _first_bad_card(data: bytes) -> int | None:
    """Offset of the first complete card whose keyword cannot be one; None when all can."""
    for at in range(0, len(data) - CARD + 1, CARD):
        if not _KEYWORD.fullmatch(data, at, at + 8):
            return at
    return None


@lru_cache(maxsize=512)
def _layout(columns: bytes, wanted: frozenset[str] | None) -> _Layout:
    """Understand the keyword columns of a header once."""
    n = len(columns) // 9
    plain: list[tuple[str, int]] = []
    continued: dict[int, list[int]] = {}
    hierarch: list[int] = []
    history: list[int] = []
    last = -1
    for i in range(n):
        keyword = _text(columns[i : 8 * n : n]).strip(" \0").upper()
        has_value = columns[8 * n + i : 8 * n + i + 1] == b"="
        at = i * CARD
        if keyword == "CONTINUE":
            if last >= 0:
                continued.setdefault(last, [last * CARD]).append(at)
            continue
        last = -1
        if keyword == "HIERARCH":
            hierarch.append(at)
        elif keyword == "HISTORY":
            history.append(at)
        elif has_value and keyword and (wanted is None or keyword in wanted):
            plain.append((keyword, at))
            last = i
    starts = {at * CARD for at in continued}
    names = {at: keyword for keyword, at in plain}
    return _Layout(
        tuple((k, at) for k, at in plain if at not in starts),
        tuple((names[offsets[0]], tuple(offsets)) for offsets in continued.values()),
        tuple(hierarch),
        tuple(history),
    )


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
        return raw.decode("ascii")
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def iter_text_cards(text: str) -> Iterator[bytes]:
    """Turn a printed header (one card a line) into 80-byte cards; END is left out."""
    for line in text.splitlines():
        if line.strip() != "END":
            yield line.encode("utf-8")[:CARD].ljust(CARD)
