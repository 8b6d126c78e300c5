"""What the names of a file and its folders say: it fills gaps, and never overrules a header."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from pathlib import PurePath

from calibstudio.domain.kinds import FrameKind
from calibstudio.store.camera_raw import CAMERA_RAW

_BETWEEN = frozenset({"for", "of", "the"})

FOLDERS = 3
"""So many folders above the file are asked, the nearest first."""

_SPLIT = re.compile(r"[^A-Za-z0-9+.\-]+|(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])-(?=[A-Za-z])")
_BIAS = frozenset({"BIAS", "BIASES", "SUPERBIAS", "ZERO", "ZEROS", "BIASFRAME"})
_DARK = frozenset({"DARK", "DARKS", "DARKFRAME", "SUPERDARK"})
_FLAT = frozenset(
    [
        "FLAT",
        "FLATS",
        "SKYFLAT",
        "SKYFLATS",
        "DOMEFLAT",
        "DOMEFLATS",
        "FLATFIELD",
        "TWILIGHT",
        "SUPERFLAT",
    ]
)
_DARK_FLAT = frozenset({"DARKFLAT", "DARKFLATS", "FLATDARK", "FLATDARKS"})
_LIGHT = frozenset({"LIGHT", "LIGHTS", "LIGHTFRAME"})
_NUMBERED = re.compile(r"^([A-Za-z]+?)[-_.]?\d*$")

_SEP = r"(?:^|[_\s,;()\[\]-])"
_END = r"(?=$|[_\s,;()\[\]-]|\.(?!\d))"
_EXPOSURE = re.compile(
    rf"{_SEP}(?:(?:exp|exposure|exptime)[_-]?)?(\d+(?:\.\d+)?)\s?(s|sec|secs|ms){_END}", re.I
)
_EXPOSURE_KEY = re.compile(rf"{_SEP}(?:exposure|exptime)[_-](\d+(?:\.\d+)?){_END}", re.I)
_GAIN = re.compile(rf"{_SEP}gain[_-]?(\d+(?:\.\d+)?){_END}", re.I)
_OFFSET = re.compile(rf"{_SEP}offset[_-]?(\d+){_END}", re.I)
_TEMP = re.compile(rf"(?:^|[_\s,;()\[\]])(-?\d+(?:\.\d+)?)\s?°?C{_END}")
_BIN = re.compile(rf"{_SEP}(?:b|bin|binning)[_-]?(\d)(?:x(\d))?{_END}|{_SEP}(\d)x(\d){_END}", re.I)
_FILTER_KEY = re.compile(rf"{_SEP}filter[_-]([A-Za-z0-9+]+){_END}", re.I)
_TOKENS = re.compile(r"[_\s,;()\[\]]+")
_DATE = re.compile(r"(?<!\d)(20\d\d)-(\d\d)-(\d\d)(?!\d)")
_STAMP = re.compile(
    r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)"
    r"(?:[T_ -](\d\d)[-_.:h](\d\d)(?:[-_.:m](\d\d)s?)?"
    r"|T(\d\d)(\d\d)(\d\d)?|[_ -](\d\d)(\d\d)(\d\d))(?:[.,]\d+)?(Z|UT)?(?![A-Za-z0-9])",
    re.I,
)
"""A date with a time of day. Four digits after ``_`` are a number; six, or any after ``T``, are a
time."""
_CLOCK = re.compile(r"(\d\d)[_-](\d\d)[_-](\d\d)(?:[.,]\d+)?(Z|UT)?(?![A-Za-z0-9])", re.I)
"""A time of day that begins a name, as SharpCap writes it in a folder that holds the date."""
_COLOURS = frozenset({"red", "green", "blue"})
"""Filters whose names are ordinary words: believed in the place of a filter only."""
_PARTS = frozenset({"slit", "arm", "lamp", "led", "channel", "camera", "cam", "grism", "grating"})
"""What else may be red or blue: parts of an instrument."""
_BESIDE = re.compile(
    r"\d+(?:\.\d+)?(?:s|sec|secs|ms|c)|(?:b|bin|binning|g|gain)?\d+(?:x\d+)?|filter|20\d{6}", re.I
)
"""What stands beside a filter in a name, beside the kind: exposure, temperature, number, date."""
_FILTERS = {
    word.lower()
    for word in [
        "Ha",
        "Halpha",
        "H-alpha",
        "OIII",
        "O3",
        "SII",
        "S2",
        "Hb",
        "Hbeta",
        "H-beta",
        "NII",
        "Lum",
        "Luminance",
        "Red",
        "Green",
        "Blue",
        "HaOIII",
        "UHC",
        "L-eXtreme",
        "L-Ultimate",
        "L-Pro",
        "L-eNhance",
        "Sloan-g",
        "Sloan-r",
        "Sloan-i",
        "IRCUT",
    ]
}


@dataclass(frozen=True, slots=True)
class PathWords:
    """What names say. ``None``: they do not."""

    kind: str | None = None
    is_master: bool = False
    exposure_s: float | None = None
    gain: float | None = None
    offset: float | None = None
    temp_c: float | None = None
    binning: tuple[int, int] | None = None
    filter: str | None = None
    day: date | None = None
    """A date written in a name; whether it is the night's or the morning's is not known."""
    moment: datetime | None = None
    """A date with a time of day: with zone UTC where the name says so, else without a zone."""
    clock: time | None = None
    """A time of day that begins a name without a date; with zone UTC where the name says so."""
    kind_in: str = ""
    """``file name`` or ``folder``: where the kind was found."""
    filter_in: str = ""

    @property
    def has_values(self) -> bool:
        """Whether more than kind and temperature is said."""
        return not (
            self.exposure_s is None
            and self.gain is None
            and self.offset is None
            and self.binning is None
            and self.filter is None
        )


def read_path(path: PurePath) -> PathWords:
    """Read the words of a file's name and of the folders just above it."""
    stem = _stem(path.name)
    of_file = _name_words(stem)
    of_folders = _folder_words(path.parent)
    own_kind = of_file.kind is not None
    own_filter = of_file.filter is not None
    moment = of_file.moment or (None if of_file.day else of_folders.moment)
    clock = of_file.clock or of_folders.clock
    if moment is None and of_file.day is None and of_folders.day is not None and clock is not None:
        # The date of a folder and the time of a name are one moment.
        moment = datetime.combine(of_folders.day, clock)
    return PathWords(
        kind=of_file.kind if own_kind else of_folders.kind,
        is_master=stem.lower().startswith("master") or (not own_kind and of_folders.is_master),
        exposure_s=_first(of_file.exposure_s, of_folders.exposure_s),
        gain=_first(of_file.gain, of_folders.gain),
        offset=_first(of_file.offset, of_folders.offset),
        temp_c=_first(of_file.temp_c, of_folders.temp_c),
        binning=of_file.binning or of_folders.binning,
        filter=of_file.filter if own_filter else of_folders.filter,
        day=of_file.day or of_folders.day,
        moment=moment,
        kind_in="file name" if own_kind else "folder",
        filter_in="file name" if own_filter else "folder",
    )


def _first(a: float | None, b: float | None) -> float | None:
    return b if a is None else a


@lru_cache(maxsize=4096)
def _folder_words(folder: PurePath) -> PathWords:
    """Merge what the nearest folders say; the nearest wins."""
    merged = PathWords()
    for name in [p for p in (folder, *folder.parents) if p.name][:FOLDERS]:
        words = _name_words(name.name, is_folder=True)
        merged = PathWords(
            kind=merged.kind or words.kind,
            # Only the folder that also says the kind may say that it holds masters.
            is_master=merged.is_master or (merged.kind is None and words.is_master),
            exposure_s=_first(merged.exposure_s, words.exposure_s),
            gain=_first(merged.gain, words.gain),
            offset=_first(merged.offset, words.offset),
            temp_c=_first(merged.temp_c, words.temp_c),
            binning=merged.binning or words.binning,
            filter=merged.filter or words.filter,
            day=merged.day or words.day,
            moment=merged.moment or (None if merged.day else words.moment),
            # A time above the folder with the date is not the time of that date.
            clock=merged.clock or (None if merged.day else words.clock),
        )
    return merged


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What names that differ in their digits only have in common."""

    kind: str | None
    is_master: bool
    patterns: tuple[tuple[str, re.Pattern[str]], ...]
    """Fields with a number in them, and where it is found."""
    has_filter: bool
    has_exposure: bool
    has_binning: bool
    has_day: bool
    has_moment: bool
    has_clock: bool


_DIGITS = re.compile(r"[0-9]+")
_TWO_NUMBERS = re.compile(r"0[T_ -]0", re.I)
_NUMBERED_FILTER = re.compile(rf"{_SEP}[OS]0{_END}", re.I)


def _name_words(name: str, *, is_folder: bool = False) -> PathWords:
    pattern = _pattern(_DIGITS.sub("0", name), is_folder)
    numbers = {field: _number(where, name) for field, where in pattern.patterns}
    return PathWords(
        kind=pattern.kind,
        is_master=pattern.is_master,
        exposure_s=_exposure(name) if pattern.has_exposure else None,
        gain=numbers.get("gain"),
        offset=numbers.get("offset"),
        temp_c=numbers.get("temp_c"),
        binning=_binning(name) if pattern.has_binning else None,
        filter=_filter(name, is_folder) if pattern.has_filter else None,
        day=_day(name) if pattern.has_day else None,
        moment=_moment(name) if pattern.has_moment else None,
        clock=_clock(name) if pattern.has_clock else None,
    )


@lru_cache(maxsize=8192)
def _pattern(skeleton: str, is_folder: bool) -> _Pattern:
    """Understand a name whose runs of digits are each written as 0."""
    kind, is_master = _kind(skeleton, is_folder)
    numbered = (("gain", _GAIN), ("offset", _OFFSET), ("temp_c", _TEMP))
    # Digits are part of some filters' names (O3, S2).
    has_filter = _names_filter(skeleton) or _NUMBERED_FILTER.search(skeleton) is not None
    return _Pattern(
        kind,
        is_master,
        tuple((field, where) for field, where in numbered if where.search(skeleton)),
        has_filter,
        _EXPOSURE.search(skeleton) is not None or _EXPOSURE_KEY.search(skeleton) is not None,
        _BIN.search(skeleton) is not None,
        "0-0-0" in skeleton,
        _TWO_NUMBERS.search(skeleton) is not None,
        skeleton.startswith(("0_0_0", "0-0-0")),
    )


@lru_cache(maxsize=65536)
def _token_kind(token: str) -> str | None:
    word = token.upper()
    if word in _DARK_FLAT:
        return FrameKind.DARK_FLAT
    if word in _BIAS:
        return FrameKind.BIAS
    if word in _DARK:
        return FrameKind.DARK
    if word in _FLAT:
        return FrameKind.FLAT
    if word in _LIGHT:
        return FrameKind.LIGHT
    return None


def _kind(name: str, is_folder: bool) -> tuple[str | None, bool]:
    """The kind that a name says; None where it says none, or several."""
    tokens = [m[1] for t in _SPLIT.split(name) if t and (m := _NUMBERED.match(t.split(".")[0]))]
    is_master = any(t.lower().startswith("master") for t in tokens)
    words = [t.lower().removeprefix("master") for t in tokens if t.lower() not in _BETWEEN]
    kinds = [_token_kind(w) for w in words]
    for (word, kind), following in zip(zip(words, kinds, strict=True), kinds[1:], strict=False):
        # A dark flat is "dark flats" or "flat dark"; "darks and flats" are both.
        if {kind, following} == {FrameKind.DARK, FrameKind.FLAT} and not word.endswith("s"):
            return FrameKind.DARK_FLAT, is_master
    found = {k for k in kinds if k is not None}
    if len(found) == 1:
        return found.pop(), is_master
    # `offset_30` in a file name is a setting; a folder called Offset holds biases.
    if is_folder and not found and words in (["offset"], ["offsets"]):
        return FrameKind.BIAS, is_master
    return None, is_master


def _exposure(name: str) -> float | None:
    match = _EXPOSURE.search(name)
    if match is not None:
        return float(match[1]) / (1000.0 if match[2].lower() == "ms" else 1.0)
    return _number(_EXPOSURE_KEY, name)


def _number(pattern: re.Pattern[str], name: str) -> float | None:
    match = pattern.search(name)
    return None if match is None else float(match[1])


def _binning(name: str) -> tuple[int, int] | None:
    match = _BIN.search(name)
    if match is None:
        return None
    x = int(match[1] or match[3])
    y = int(match[2] or match[4] or x)
    return (x, y) if x and y else None


def _filter(name: str, is_folder: bool) -> str | None:
    match = _FILTER_KEY.search(name)
    if match is not None:
        return str(match[1])
    for token in _TOKENS.split(name):
        if token.lower() in _FILTERS - _COLOURS:
            return token
    parts = [part for token in _TOKENS.split(name) for part in token.split("-") if part]
    for i, part in enumerate(parts):
        word = part.lower()
        if word in _FILTERS and (word not in _COLOURS or _is_filters_place(parts, i, is_folder)):
            return part
    return None


def _names_filter(name: str) -> bool:
    """Whether a name may say a filter: looked at more closely with its digits."""
    tokens = _TOKENS.split(name)
    parts = (part for token in tokens for part in (token, *token.split("-")))
    return _FILTER_KEY.search(name) is not None or any(p.lower() in _FILTERS for p in parts)


def _is_filters_place(parts: list[str], i: int, is_folder: bool) -> bool:
    """Whether a colour stands where names have the filter, and is not that of something else.

    A folder of that name alone, or beside the kind, an exposure, a temperature or a number; not
    beside a part of an instrument: the ``slit_red_1`` of a spectrograph was taken with no filter.
    """
    if len(parts) == 1:
        return is_folder
    beside = [parts[k] for k in (i - 1, i + 1) if 0 <= k < len(parts)]
    if any(word.lower() in _PARTS for word in beside):
        return False
    return any(_token_kind(word) is not None or _BESIDE.fullmatch(word) for word in beside)


def _day(name: str) -> date | None:
    match = _DATE.search(name)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def _moment(name: str) -> datetime | None:
    match = _STAMP.search(name)
    if match is None:
        return None
    year, month, day, *clock, zone = match.groups()
    hour, minute, second = (c or "0" for c in _clock_groups(clock))
    try:
        found = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if zone else found


def _clock(name: str) -> time | None:
    match = _CLOCK.match(name)
    if match is None:
        return None
    try:
        return time(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC if match[4] else None)
    except ValueError:
        return None


def _clock_groups(groups: list[str | None]) -> list[str | None]:
    """Of the three ways to write a time of day, the one that matched."""
    return next((g for g in (groups[0:3], groups[3:6], groups[6:9]) if g[0]), groups[0:3])


def _stem(name: str) -> str:
    """The name without the endings of pictures and compression."""
    while True:
        stem, dot, ending = name.rpartition(".")
        if not dot or ending.lower() not in _ENDINGS:
            return name
        name = stem


_ENDINGS = frozenset(["fit", "fits", "fts", "fz", "gz", "bz2", "xz", "xisf", "ser"]) | {
    ending.removeprefix(".") for ending in CAMERA_RAW
}
