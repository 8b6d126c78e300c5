"""What a command gives back, and how it reaches the terminal."""

from __future__ import annotations

import argparse
import codecs
import io
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.jobs import Progress, TimeToGo
from calibstudio.domain.wording import count, duration

_FEW = 3
"""So many files with the same reason are named each by itself."""
LEVELS = ("debug", "info", "warning", "error")
"""What ``--log-level`` takes."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that went wrong while the rest went on: a sentence and what to do."""

    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: CalibStudioError) -> Problem:
        """Say a foreseen failure."""
        return cls(str(error), error.hint)


def alike(items: Iterable[tuple[str, str]]) -> list[Problem]:
    """Say what is wrong with things by name, many of one reason in one sentence.

    ``a.fits: It is empty.``, or ``12 files (a.fits, b.fits and others): It is empty.``
    """
    names: dict[str, list[str]] = {}
    for name, reason in items:
        names.setdefault(reason, []).append(name)
    found = []
    for reason, of in names.items():
        if len(of) <= _FEW:
            found += [Problem(f"{name}: {reason}") for name in of]
        else:
            first = ", ".join(of[:2])
            found.append(Problem(f"{count(len(of), 'file')} ({first} and others): {reason}"))
    return found


def add_actions(
    parser: argparse.ArgumentParser, texts: Mapping[str, str]
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Declare the actions of a command (``library show``), each with what all commands take.

    Yields the name and the parser of each action.
    """
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, text in texts.items():
        sub = actions.add_parser(name, help=text, description=f"{text[:1].upper()}{text[1:]}.")
        # Also behind the action; there the default must not undo what stood before it.
        add_common(sub, default=argparse.SUPPRESS)
        yield name, sub


def add_common(parser: argparse.ArgumentParser, **options: Any) -> None:
    """Declare ``--json`` and ``--log-level``."""
    parser.add_argument(
        "--json", action="store_true", help="one JSON document on standard output", **options
    )
    parser.add_argument(
        "--log-level",
        choices=LEVELS,
        help="also write the log to standard error, from this level on",
        **options,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command found or made. Problems make the exit code 1."""

    document: dict[str, Any]
    text: str = ""
    problems: list[Problem] = field(default_factory=list)


def say_problem(message: str, hint: str = "", stream: TextIO | None = None) -> None:
    """Write one problem as one sentence and a hint."""
    stream = stream or sys.stderr
    line = f"calibstudio: {message}".replace("\n", NEWLINE)  # of a file's name
    if hint:
        line += f" {hint}"
    print(harmless(line), file=stream, flush=True)


_CONTROL = {i: f"\\x{i:02x}" for i in (*range(32), *range(127, 160)) if i not in (9, 10)}
_SIMPLER = {
    "\u202f": " ",
    "\u2212": "-",
    "\u2013": "-",
    "\u2026": "...",
    "\u00d7": "x",
    "\u201c": '"',
    "\u201d": '"',
    "\u00b7": "-",
    "\u00b0": " deg ",
}


NEWLINE = "\\x0a"
"""How a newline in the name of a file is shown."""


def with_whole_names(outcome: Outcome) -> str:
    """Return the text of an outcome; a newline in the name of a file does not break its line."""
    text = outcome.text
    for path in _broken_paths(outcome.document):
        for name in (path, Path(path).name):
            text = text.replace(name, name.replace("\n", NEWLINE))
    return text


def _broken_paths(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if "\n" in value and Path(value).is_absolute():
            yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _broken_paths(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _broken_paths(part)


def harmless(text: str) -> str:
    """Show control characters, which file names may hold, instead of sending them to a terminal."""
    return text.translate(_CONTROL)


def show_on_any_terminal() -> None:
    """Let standard output and error take every text, whatever letters they know.

    What they lack is written plainer (a minus for a minus sign), or as an escape.
    """
    codecs.register_error("calibstudio.plainer", _plainer)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="calibstudio.plainer")


def _plainer(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    found = [_SIMPLER.get(c, c).encode("ascii", "backslashreplace") for c in letters]
    return b"".join(found).decode("ascii"), error.end


def write_json(document: dict[str, Any], stream: TextIO | None = None) -> None:
    """Write the one JSON document. NaN is not JSON, so it becomes null."""
    stream = stream or sys.stdout
    is_utf8 = codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name == "utf-8"
    json.dump(_plain(document), stream, ensure_ascii=not is_utf8, indent=1, allow_nan=False)
    stream.write("\n")
    stream.flush()


def _plain(value: Any) -> Any:
    """Replace what JSON does not know: paths, enums and numbers of numpy, NaN."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        # Undecodable bytes of a file name are kept as escapes, so that the document stays UTF-8.
        return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return _plain(str(value))


class ProgressBar:
    """A bar with time to go on a terminal; silent anywhere else."""

    WIDTH = 28

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._shows = stream.isatty()
        self._time_to_go = TimeToGo(clock)
        self._dirty = False

    def __call__(self, progress: Progress) -> None:
        """Draw the bar for this state."""
        if not self._shows:
            return
        filled = round(progress.fraction * self.WIDTH)
        left = self._time_to_go.seconds(progress.fraction)
        to_go = "" if left is None else f" {duration(left)} to go"
        bar = "█" * filled + "░" * (self.WIDTH - filled)
        self._stream.write(f"\r{bar} {progress.fraction:4.0%}{to_go}  {progress.text[:60]}\x1b[K")
        self._stream.flush()
        self._dirty = True

    def close(self) -> None:
        """Remove the bar, so that what follows starts on a clean line."""
        if self._dirty:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._dirty = False
