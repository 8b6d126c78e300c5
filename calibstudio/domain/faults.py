"""What can be put out of order on request, so that people and tests see what happens then.

Only a simulated observatory offers it (`Observatory.faults`). A fault has a word, which is the
same on the command line, over the network and in the window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Protocol

from calibstudio.domain.errors import UsageError
from calibstudio.domain.wording import EN_DASH, number, significant

FULL_DISK = "full-disk"
"""The one fault that no device has: it is met where frames are written."""


@dataclass(frozen=True, slots=True)
class FaultValue:
    """A number that belongs to a fault."""

    name: str
    unit: str
    default: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class FaultKind:
    """Something that can be out of order."""

    word: str
    title: str
    effect: str
    """What happens then, as a sentence."""
    values: tuple[FaultValue, ...] = ()

    def checked(self, values: Sequence[float]) -> tuple[float, ...]:
        """Return all its values, defaults in place of those that are missing.

        Raises
        ------
        UsageError
            There are too many, or one is out of its range.
        """
        if len(values) > len(self.values):
            takes = ", ".join(v.name for v in self.values) or "no number"
            raise UsageError(f"The fault “{self.word}” takes {takes}.")
        given = (*values, *(v.default for v in self.values[len(values) :]))
        for kind, value in zip(self.values, given, strict=True):
            if not isfinite(value) or not kind.lowest <= value <= kind.highest:
                raise UsageError(
                    f"The fault “{self.word}” cannot have {kind.name} {significant(value)}.",
                    hint=f"Choose {number(kind.lowest)} {EN_DASH} {number(kind.highest)}.",
                )
        return given


class FaultDesk(Protocol):
    """Where faults are made and mended. Safe to use from any thread."""

    @property
    def kinds(self) -> tuple[FaultKind, ...]:
        """All that can be out of order."""
        ...

    def active(self) -> Mapping[str, tuple[float, ...]]:
        """Return the words of all faults there are now, with their values."""
        ...

    def make(self, word: str, values: Sequence[float] = ()) -> None:
        """Put something out of order, or change its values. Raises `UsageError`."""
        ...

    def mend(self, word: str) -> None:
        """Put one thing in order. Raises `UsageError` for a word that nobody knows."""
        ...

    def mend_all(self) -> None:
        """Put everything in order."""
        ...


def parse_fault(text: str, kinds: Sequence[FaultKind]) -> tuple[str, tuple[float, ...]]:
    """Read a fault as it is typed: ``word``, ``word:number`` or ``word:number,number``.

    Raises
    ------
    UsageError
        Nobody knows the word, or the numbers do not fit it.
    """
    word, _, rest = text.strip().partition(":")
    kind = kind_of(word.strip().lower(), kinds)
    try:
        values = [float(part) for part in rest.split(",")] if rest.strip() else []
    except ValueError as error:
        raise UsageError(
            f"“{rest}” is not a number for the fault “{kind.word}”.",
            hint=f"Type it as {spelling(kind)}.",
        ) from error
    return kind.word, kind.checked(values)


def is_out_of_order(desk: FaultDesk | None, word: str) -> bool:
    """Return whether there is this fault now; never where there are no faults to be had."""
    return desk is not None and word in desk.active()


def kind_of(word: str, kinds: Sequence[FaultKind]) -> FaultKind:
    """Return the fault of this word. Raises `UsageError`."""
    for kind in kinds:
        if kind.word == word:
            return kind
    known = ", ".join(kind.word for kind in kinds)
    raise UsageError(f"There is no fault “{word}”.", hint=f"Choose one of {known}.")


def spelling(kind: FaultKind) -> str:
    """Return how a fault is typed, with an example of its numbers: ``light-leak:5``."""
    numbers = ",".join(significant(v.default) for v in kind.values)
    return f"{kind.word}:{numbers}" if numbers else kind.word
