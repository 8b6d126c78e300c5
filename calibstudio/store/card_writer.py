"""FITS cards from values: fixed format, long strings continued, and both checksums.

For raw frames, which are written while the next exposure waits: no import, no conversion but the
one the standard asks for. Reading is `calibstudio.store.fits_cards`.
"""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

CARD = 80
BLOCK = 2880
_LONGEST_STRING = 68
_GREEK = {"α": "a", "β": "b", "γ": "g", "δ": "d", "λ": "l", "μ": "u", "µ": "u", "′": "'"}

CardValue = str | int | float | bool


def card(keyword: str, value: CardValue, comment: str = "") -> bytes:
    """Return one value as a card of 80 bytes; a long string as several with CONTINUE.

    Numbers and logicals end in column 30, strings begin in column 11 (FITS 4.0, section 4.2).
    The comment is cut where there is no room; the value never is.

    Raises
    ------
    ValueError
        For a keyword that FITS does not allow, or a number that is not finite.
    """
    if not keyword or len(keyword) > 8 or not keyword.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"{keyword!r} is no FITS keyword")
    head = f"{keyword.upper():8}= "
    if isinstance(value, str):
        return _string_cards(head, ascii_text(value), ascii_text(comment))
    text = f"{_number_text(value):>20}"
    return _with_comment(head + text, ascii_text(comment))


def history(text: str, keyword: str = "HISTORY") -> bytes:
    """Return a text as as many HISTORY (or COMMENT) cards as it takes."""
    lines = textwrap.wrap(ascii_text(text), 72) or [""]
    return b"".join(f"{keyword:8}{line}".ljust(CARD).encode("ascii") for line in lines)


def header_block(cards: Iterable[bytes]) -> bytes:
    """Return cards, END and padding as whole blocks of 2880 bytes."""
    data = b"".join(cards) + b"END".ljust(CARD)
    return data + b" " * (-len(data) % BLOCK)


def ascii_text(text: str) -> str:
    """Return a text in the characters that FITS allows, 32 to 126.

    Accents are dropped, the Greek letters of filter names become Latin (``Hα`` is ``Ha``), signs
    of our own wording their plain form, and what is left is written as an escape: two names that
    differ stay different.
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.translate(_PLAIN)
    plain = "".join(_GREEK.get(c, c) for c in text)
    plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    escaped = plain.encode("ascii", "backslashreplace").decode("ascii")
    return "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in escaped)


def data_sum(data: NDArray[np.uint8]) -> int:
    """Return the 32-bit ones' complement sum of bytes (FITS 4.0, section 4.4.2.7).

    The length must be a multiple of 4; words are big-endian.
    """
    total = int(data.view(">u4").sum(dtype=np.uint64))
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def checksum_text(total: int) -> str:
    """Return the 16 characters that make a header and data unit sum to minus zero.

    Notes
    -----
    FITS 4.0, appendix J: each byte of the complement is split into four that sum to it, shifted
    to printable characters that are letters or digits, interleaved and rotated right by one.
    """
    complement = (~total) & 0xFFFFFFFF
    columns: list[list[int]] = []
    for shift in (24, 16, 8, 0):
        byte = (complement >> shift) & 0xFF
        quarter, rest = divmod(byte, 4)
        columns.append(_letters([quarter + 0x30 + (rest if i == 0 else 0) for i in range(4)]))
    text = "".join(chr(columns[k][i]) for i in range(4) for k in range(4))
    return text[-1] + text[:-1]


def with_checksums(cards: list[bytes], data: NDArray[np.uint8]) -> bytes:
    """Return the finished header of a primary HDU with DATASUM and CHECKSUM over both.

    ``cards`` come without either; ``data`` is the data unit as stored, padding included.
    """
    of_data = data_sum(data)
    cards = [*cards, card("DATASUM", str(of_data), "data unit checksum")]
    comment = "HDU checksum"
    blank = header_block([*cards, card("CHECKSUM", "0" * 16, comment)])
    total = data_sum(np.frombuffer(blank, np.uint8)) + of_data
    total = (total & 0xFFFFFFFF) + (total >> 32)
    return header_block([*cards, card("CHECKSUM", checksum_text(total), comment)])


def _letters(four: list[int]) -> list[int]:
    """Move pairs apart until none of the four is punctuation; their sum stays."""
    four = list(four)
    while any(_is_punctuation(c) for c in four):
        for i in (0, 2):
            if _is_punctuation(four[i]) or _is_punctuation(four[i + 1]):
                four[i] += 1
                four[i + 1] -= 1
    return four


def _is_punctuation(code: int) -> bool:
    return 0x3A <= code <= 0x40 or 0x5B <= code <= 0x60


def _number_text(value: int | float) -> str:
    if isinstance(value, bool | np.bool_):
        return "T" if value else "F"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be written into a FITS header")
    text = repr(float(value)).upper()
    if "E" in text and "." not in text:
        text = text.replace("E", ".0E")
    return text


def _string_cards(head: str, text: str, comment: str) -> bytes:
    quoted = text.replace("'", "''")
    if len(quoted) <= _LONGEST_STRING:
        return _with_comment(f"{head}'{quoted:8}'", comment)
    out: list[bytes] = []
    rest = text
    while rest or not out:
        # One place is kept for the ampersand that asks for the next card.
        size = min(len(rest), 66)
        while len(rest[:size].replace("'", "''")) > 66:
            size -= 1
        part, rest = rest[:size].replace("'", "''"), rest[size:]
        start = head if not out else "CONTINUE  "
        out.append(_with_comment(f"{start}'{part}{'&' if rest else ''}'", "" if rest else comment))
    return b"".join(out)


def _with_comment(text: str, comment: str) -> bytes:
    if comment and len(text) < CARD - 4:
        text = f"{text:30} / {comment}"
    return text[:CARD].ljust(CARD).encode("ascii")


_PLAIN: dict[int, Any] = {
    0x202F: " ",
    0x00A0: " ",
    0x2009: " ",
    0x2212: "-",
    0x2013: "-",
    0x2014: "-",
    0x00D7: "x",
    0x00B1: "+/-",
    0x2026: "...",
    0x201C: '"',
    0x201D: '"',
    0x2018: "'",
    0x2019: "'",
    0x00B0: "deg ",
    0x207B: "-",
}
