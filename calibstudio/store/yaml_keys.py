"""Typed reading of a configuration: every mistake is collected with its line and key, none guessed.

A `Section` hands out values of its keys; what nobody asked for is reported as unknown, with the
key that was probably meant.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.wording import significant
from calibstudio.store.yaml_file import Entry

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

_NUMBER = re.compile(r"([-+\u2212]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?)\s*(.*)")
SECONDS: Mapping[str, float] = {"": 1, "s": 1, "sec": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6,
                                "min": 60, "h": 3600}  # fmt: skip
CELSIUS: Mapping[str, float] = {"": 1, "c": 1, "°c": 1, "deg": 1}
PLAIN: Mapping[str, float] = {"": 1}
PERCENT: Mapping[str, float] = {"": 1, "%": 1}
MOST_SHOWN = 12


@dataclass(slots=True)
class Mistakes:
    """Everything that is wrong with a file."""

    name: str
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, key: str, what: str) -> None:
        """Note one: ``line 12, flats.level: "half" is no level``."""
        self.found.append((line, f"line {line}, {key}: {what}"))

    def raise_any(self) -> None:
        """Raise everything that was found, in order of lines.

        Raises
        ------
        FileProblemError
            If there is anything.
        """
        if not self.found:
            return
        texts = [text for _, text in sorted(self.found)]
        more = f"; and {len(texts) - MOST_SHOWN} more" if len(texts) > MOST_SHOWN else ""
        raise FileProblemError(
            f"{self.name} cannot be used: {'; '.join(texts[:MOST_SHOWN])}{more}.",
            hint="Mend these lines, or compare with the examples that ship with CalibStudio.",
        )


class Section:
    """The keys of one mapping of a file."""

    def __init__(self, entry: Entry, path: str, mistakes: Mistakes) -> None:
        self.line, self.path, self.mistakes = entry.line, path, mistakes
        self._entries: dict[str, Entry] = {}
        if entry.is_mapping:
            self._entries = dict(entry.value)
        elif entry.value is not None:
            mistakes.add(entry.line, path or "file", "keys with values are needed here")
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def keys(self) -> list[str]:
        """Return the keys that stand in the file."""
        return list(self._entries)

    def entry(self, key: str) -> Entry | None:
        """Return what stands at a key; None where it is absent or empty."""
        self._asked.add(key)
        entry = self._entries.get(key)
        return None if entry is None or entry.value is None else entry

    def line_of(self, key: str) -> int:
        """Return the line of a key, or that of the section."""
        return self._entries[key].line if key in self._entries else self.line

    def name_of(self, key: str) -> str:
        """Return the whole name of a key: ``flats.level``."""
        return f"{self.path}.{key}" if self.path else key

    def wrong(self, key: str, what: str) -> None:
        """Note a mistake at a key."""
        self.mistakes.add(self.line_of(key), self.name_of(key), what)

    def ignore(self, *keys: str) -> None:
        """Let these keys pass."""
        self._asked.update(keys)

    def unknown(self) -> list[str]:
        """Return the keys that nobody has asked for."""
        return [key for key in self._entries if key not in self._asked]

    def refuse_unknown(self, known: Collection[str] = ()) -> None:
        """Note every key that nobody has asked for, with the one that was probably meant."""
        candidates = sorted({*self._asked, *known})
        for key in self.unknown():
            close = difflib.get_close_matches(key, candidates, 1)
            meant = f"; did you mean {close[0]}" if close else ""
            self.wrong(key, f"there is no such key{meant}")

    # Values -------------------------------------------------------------------------------------

    def section(self, key: str) -> Section | None:
        """Return the keys below a key."""
        entry = self.entry(key)
        return None if entry is None else Section(entry, self.name_of(key), self.mistakes)

    def sections(self, key: str) -> list[Section]:
        """Return one section, or each of a list of them."""
        entry = self.entry(key)
        if entry is None:
            return []
        name = self.name_of(key)
        if isinstance(entry.value, list):
            return [Section(e, f"{name}[{i}]", self.mistakes) for i, e in enumerate(entry.value, 1)]
        return [Section(entry, name, self.mistakes)]

    def number(
        self,
        key: str,
        *,
        low: float = -math.inf,
        high: float = math.inf,
        units: Mapping[str, float] = PLAIN,
    ) -> float | None:
        """Return a number inside its limits, in the first of ``units``."""
        return self._one(key, lambda e: self._number(e, self.name_of(key), low, high, units))

    def whole(self, key: str, *, low: int, high: int) -> int | None:
        """Return a whole number inside its limits."""
        value = self.number(key, low=low, high=high)
        if value is None:
            return None
        if value != int(value):
            self.wrong(key, f"{significant(value)} is no whole number")
            return None
        return int(value)

    def numbers(
        self, key: str, *, low: float, high: float, units: Mapping[str, float] = PLAIN
    ) -> tuple[float, ...]:
        """Return a list of numbers; a single one is a list of one."""
        entry = self.entry(key)
        if entry is None:
            return ()
        entries = entry.value if isinstance(entry.value, list) else [entry]
        name = self.name_of(key)
        found = [self._number(e, name, low, high, units) for e in entries]
        return tuple(value for value in found if value is not None)

    def flag(self, key: str) -> bool | None:
        """Return yes or no."""
        entry = self.entry(key)
        if entry is None or isinstance(entry.value, bool):
            return None if entry is None else entry.value
        self.wrong(key, f"“{_shown(entry)}” is neither true nor false")
        return None

    def text(self, key: str) -> str | None:
        """Return a text as it stands there."""
        return self._one(key, lambda e: self._text(e, self.name_of(key)))

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; a single one is a list of one."""
        entry = self.entry(key)
        if entry is None:
            return ()
        entries = entry.value if isinstance(entry.value, list) else [entry]
        found = [self._text(e, self.name_of(key)) for e in entries]
        return tuple(text for text in found if text is not None)

    def choice(self, key: str, kind: type[E]) -> E | None:
        """Return one of the words of an enumeration."""
        text = self.text(key)
        if text is None:
            return None
        words = {str(member): member for member in kind}
        member = words.get(text.strip().lower())
        if member is None:
            self.wrong(key, f"“{text}” is none of {', '.join(words)}")
        return member

    def _one(self, key: str, read: Callable[[Entry], T | None]) -> T | None:
        entry = self.entry(key)
        return None if entry is None else read(entry)

    def _text(self, entry: Entry, name: str) -> str | None:
        if isinstance(entry.value, list | dict):
            self.mistakes.add(entry.line, name, "a single word or number is needed")
            return None
        return entry.raw or str(entry.value)

    def _number(
        self, entry: Entry, name: str, low: float, high: float, units: Mapping[str, float]
    ) -> float | None:
        value = number_of(entry.value, units)
        if value is None or not math.isfinite(value):
            self.mistakes.add(entry.line, name, f"“{_shown(entry)}” is no number{_of(units)}")
            return None
        if not low <= value <= high:
            span = _span(low, high)
            self.mistakes.add(entry.line, name, f"{significant(value)} is not {span}")
            return None
        return value


def number_of(value: Any, units: Mapping[str, float]) -> float | None:
    """Return a value as a number in the first unit; None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    match = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    factor = units.get(match[2].strip().lower())
    if factor is None:
        return None
    return float(match[1].replace("\u2212", "-").replace(",", ".")) * factor


def _shown(entry: Entry) -> str:
    if isinstance(entry.value, list | dict):
        return "…"
    text = entry.raw or str(entry.value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _of(units: Mapping[str, float]) -> str:
    if units is SECONDS:
        return " of seconds"
    return " of °C" if units is CELSIUS else ""


def _span(low: float, high: float) -> str:
    if math.isinf(high):
        return f"{significant(low)} or more"
    return f"from {significant(low)} to {significant(high)}"
