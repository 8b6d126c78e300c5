"""Names of files and folders that every file system takes, made from words that come from outside.

Filter names, telescope names and object names are typed by people and written by drivers. Here
they lose whatever some system cannot keep: separators, control characters, reserved names,
emoji, leading and trailing dots and spaces, excessive length. A part never becomes a path.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from calibstudio.domain.errors import UsageError

RAW_PATTERN = (
    "{night}/{kind}/{part}/{kind}_{filter}_{exposure}s_g{gain}_{temp}C_{utc}_{number}.fits"
)
"""PRODUCT 5. ``part`` is the filter or the exposure; a field that is unknown goes with its word."""

NAMELESS = "frame"
"""What a file is called of which nothing is known."""
PART_BYTES = 80
"""Longest part made of one word, in UTF-8 bytes; file systems take 255 for the whole name."""
NAME_BYTES = 200
"""Longest name, so that there is room for a temporary ending."""

_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])", re.I)
"""Device names of Windows; they are reserved with any ending, too."""
_JOINERS = frozenset("-_.+,=")
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")
_FIELD = re.compile(r"\{(\w+)\}")


def safe_part(text: str, *, fallback: str = "unknown", max_bytes: int = PART_BYTES) -> str:
    """Return a word as one part of a file name: letters, digits and harmless signs.

    Letters of every script are kept; spaces, separators and everything else become a single
    hyphen. The result is never empty, never ``..``, no device name of any system, never starts
    with a hyphen or dot, and is at most ``max_bytes`` long in UTF-8.
    """
    text = unicodedata.normalize("NFC", text)
    kept = "".join(c if _is_harmless(c) else "-" for c in text)
    kept = re.sub(r"[-\s]*[-\s][-\s]*", "-", kept)
    kept = _cut(re.sub(r"\.{2,}", ".", kept).strip("-. "), max_bytes).strip("-. ")
    if not kept:
        return fallback
    if _RESERVED.fullmatch(kept.partition(".")[0].strip()):
        stem, dot, rest = kept.partition(".")
        return f"{stem}_{dot}{rest}"
    return kept


def exposure_word(seconds: float) -> str:
    """Return an exposure for a name, without exponent: ``300``, ``4.12``, ``0.000032``."""
    if seconds == 0:
        return "0"
    text = f"{seconds:.6g}"
    if "e" in text:
        text = f"{seconds:.9f}" if seconds < 1 else f"{seconds:.0f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def temperature_word(celsius: float) -> str:
    """Return a temperature for a name: ``-10``, ``-12.5``, ``0``."""
    rounded = round(celsius, 1) + 0.0
    return f"{rounded:g}"


def utc_word(moment: datetime) -> str:
    """Return a moment for a name: ``20260417T045208``, UTC."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%S}"


def fill_pattern(pattern: str, values: Mapping[str, str | None]) -> Path:
    """Return the relative path that a pattern gives with these values.

    A value that is None takes the word it stands in with it: ``_g{gain}`` disappears when the
    gain is not known. A folder whose only field is unknown disappears; a file of which nothing
    is known is called ``frame``, so that it is kept all the same.

    Raises
    ------
    UsageError
        If the pattern names a field that does not exist, or no file.
    """
    for name in _FIELD.findall(pattern):
        if name not in values:
            raise UsageError(
                f"The name pattern has no field called {name}.",
                hint=f"Fields are {', '.join(sorted(values))}.",
            )
    *folders, file = pattern.replace("\\", "/").split("/")
    if not file.strip("_"):
        raise UsageError("The name pattern gives no file name.", hint="Use the default pattern.")
    name = _fill_part(file, values) or _fill_part(f"{NAMELESS}{_ending(file)}", values)
    parts = [_fill_part(folder, values) for folder in folders]
    return Path(*(part for part in parts if part), name)


def free_name(path: Path) -> Path:
    """Return this path, or the first of ``name-2``, ``name-3``, ... that does not exist."""
    candidate, count = path, 1
    while candidate.exists() or candidate.is_symlink():
        count += 1
        candidate = path.with_name(f"{path.stem}-{count}{path.suffix}")
    return candidate


def _fill_part(part: str, values: Mapping[str, str | None]) -> str:
    """Fill one folder or file name; its words are what underscores separate."""
    tail = _ending(part)
    stem = part.removesuffix(tail)
    words = [_fill_word(word, values) for word in stem.split("_")]
    name = "_".join(word for word in words if word)
    if not name:
        return ""
    return safe_part(name, max_bytes=NAME_BYTES - len(tail)) + tail


def _ending(part: str) -> str:
    """Return the ending of a name with its dot; nothing where it is a field or not there."""
    _, dot, ending = part.rpartition(".")
    return f".{ending}" if dot and ending and "{" not in ending else ""


def _fill_word(word: str, values: Mapping[str, str | None]) -> str:
    fields = _FIELD.findall(word)
    if any(values[name] is None for name in fields):
        return ""
    return _FIELD.sub(lambda match: _value_word(values[match[1]] or ""), word)


def _value_word(value: str) -> str:
    """Return a value as part of a word; a number keeps its minus."""
    return value if _NUMBER.fullmatch(value) else safe_part(value)


def _is_harmless(c: str) -> bool:
    """Whether every file system keeps this character, and keeps it as it is."""
    return c in _JOINERS or (c.isalnum() and ord(c) < 0x10000 and c.isprintable())


def _cut(text: str, max_bytes: int) -> str:
    """Shorten to so many bytes of UTF-8 without cutting a character in two."""
    return text.encode("utf-8")[:max_bytes].decode("utf-8", "ignore")
