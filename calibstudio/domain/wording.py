"""How numbers, units and times are written for people, the same on screen and in the terminal."""

from __future__ import annotations

from datetime import datetime

NARROW = "\u202f"
"""Narrow no-break space: before units, and in numbers from 10 000."""
MINUS = "\u2212"
EN_DASH = "\u2013"
TIMES = "\u00d7"
ELLIPSIS = "\u2026"


def number(value: float, decimals: int = 0) -> str:
    """Write a number with a real minus and thin thousands from five digits: ``36 412``."""
    text = f"{abs(value):.{decimals}f}"
    whole, _, rest = text.partition(".")
    if len(whole) > 4:
        whole = f"{int(whole):,}".replace(",", NARROW)
    is_zero = not any(c in "123456789" for c in text)
    sign = MINUS if value < 0 and not is_zero else ""
    return f"{sign}{whole}{'.' + rest if rest else ''}"


def significant(value: float, digits: int = 4) -> str:
    """Write a number with so many significant digits, without exponent where readable."""
    if value == 0:
        return "0"
    if value != value or value in (float("inf"), float("-inf")):
        return "not a number"
    if not 1e-6 <= abs(value) < 1e12:
        return f"{value:.{digits - 1}e}".replace("-", MINUS)
    from math import floor, log10

    decimals = digits - 1 - floor(log10(abs(value)))
    if decimals <= 0:
        return number(value)
    text = number(value, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity(value: float, unit: str, decimals: int = 0) -> str:
    """Write a value with its unit: ``32 098 ADU``, ``−10.0 °C``."""
    return f"{number(value, decimals)}{NARROW}{unit}" if unit else number(value, decimals)


def unit_text(unit: str) -> str:
    """Write the unit of a file (BUNIT) as a person does: ``ADU/s`` for ``adu/s``; others stay."""
    return {"adu": "ADU", "adu/s": "ADU/s"}.get(unit.lower(), unit)


def exposure(seconds: float) -> str:
    """Write an exposure as an operator says it: ``0.2 s``, ``4.12 s``, ``300 s``."""
    if 0 < seconds < 0.001:
        return f"{significant(seconds * 1e6, 3)}{NARROW}µs"
    if 0 < seconds < 0.1:
        return f"{significant(seconds * 1e3, 3)}{NARROW}ms"
    decimals = 3 if seconds < 1 else 2 if seconds < 100 else 1
    text = number(seconds, decimals)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text}{NARROW}s"


def temperature(celsius: float) -> str:
    """Write a temperature: ``−10.0 °C``."""
    return quantity(celsius, "°C", 1)


def duration(seconds: float) -> str:
    """Write how long something takes: ``2.7 s``, ``41 s``, ``15 min 28 s``, ``1 h 52 min``."""
    if seconds < 0:
        seconds = 0.0
    if seconds < 9.95:
        return f"{number(seconds, 1)}{NARROW}s"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    if hours:
        return f"{hours}{NARROW}h {minutes}{NARROW}min"
    if minutes:
        return f"{minutes}{NARROW}min {secs}{NARROW}s" if secs else f"{minutes}{NARROW}min"
    return f"{secs}{NARROW}s"


def file_size(size: float) -> str:
    """Write bytes in decimal units: ``52 MB``, ``13.4 GB``."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            value = size / scale
            return quantity(value, unit, 1 if value < 100 and unit in ("TB", "GB") else 0)
    return quantity(size, "bytes")


def cut_off(there: int, wanted: int) -> str:
    """Say how much of a file is there: ``is cut off: 9 kB of 16 kB are there.``

    In bytes where the sizes would read alike. Both are of the whole file.
    """
    short, whole = file_size(there), file_size(wanted)
    if short == whole:
        short, whole = number(there), quantity(wanted, "bytes")
    return f"is cut off: {short} of {whole} are there."


def count(n: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun: ``1 frame``, ``37 frames``."""
    return f"{number(n)} {one if n == 1 else many if many is not None else one + 's'}"


def utc_clock(moment: datetime) -> str:
    """Write the time of day: ``05:07:45 UTC``. The moment must be in UTC."""
    return f"{moment:%H:%M:%S} UTC"


def size(shape: tuple[int, int]) -> str:
    """Write (rows, columns) as width × height, as cameras are sold: ``6248 × 4176``."""
    return f"{shape[1]} {TIMES} {shape[0]}"
