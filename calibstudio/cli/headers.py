"""`calibstudio headers`: what frames say about themselves, and where each value came from."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calibstudio.cli.frame import Outcome, Problem
from calibstudio.domain.errors import FileProblemError, UsageError
from calibstudio.domain.group_notes import WORDS
from calibstudio.domain.group_titles import value_text
from calibstudio.domain.header import FrameHeader, json_value
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.paths import whole_path
from calibstudio.domain.wording import number, significant, temperature

_NO_NAME = ("gain", "offset")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="frames to look at")


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Read the headers of the files."""
    from calibstudio.services.import_frames import read_one

    paths = [whole_path(p) for p in args.files]
    for path in paths:
        # A link to nothing, or in a circle, is one file of many that cannot be read.
        if not path.exists() and not path.is_symlink():
            raise UsageError(f"{path} does not exist.", hint="Check the name.")
    documents: list[dict[str, Any]] = []
    texts: list[str] = []
    problems: list[Problem] = []
    for i, path in enumerate(paths):
        ctx.progress(i / len(paths), f"{number(i)} of {number(len(paths))} files")
        try:
            header = read_one(path)
        except FileProblemError as error:
            problems.append(Problem.of(error))
            continue
        if header.damage:
            hint = "Copy or take it again." if header.images else ""
            problems.append(Problem(f"{path.name}: {header.damage}", hint))
        documents.append(_document(header))
        texts.append(_text(header))
    ctx.progress(1.0)
    return Outcome({"files": documents}, "\n\n".join(texts), problems)


def _document(header: FrameHeader) -> dict[str, Any]:
    values = {word: json_value(value) for word, value in header.values().items()}
    return {
        "path": str(header.path),
        "kind": header.kind_word,
        "values": values,
        "origin": {w: o for w, o in header.origin.items() if w in values or w == "kind"},
        "notes": _notes(header),
    }


def _notes(header: FrameHeader) -> list[str]:
    return [*header.notes, *([header.damage] if header.damage else [])]


def _text(header: FrameHeader) -> str:
    """A small table: value, and behind it where it came from."""
    rows = [("kind", header.kind_word or "unknown", header.origin.get("kind", ""))]
    for word, value in header.values().items():
        rows.append((WORDS.get(word, word), _shown(word, value), header.origin.get(word, "")))
    return "\n".join([str(header.path), *table(rows), *(f"  ! {n}" for n in _notes(header))])


def _shown(word: str, value: Any) -> str:
    if word in _NO_NAME or word == "egain_e_per_adu":
        return significant(value)
    if word == "observed_utc":
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if word == "region":
        return ", ".join(str(v) for v in value)
    if word == "binning":
        return "x".join(str(v) for v in value)
    if word.endswith("temp_c"):
        return temperature(value)
    return value_text(word, value)


def table(rows: Sequence[tuple[str, ...]], indent: str = "  ") -> list[str]:
    """Set rows in columns as wide as their widest cell."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        (indent + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]


def plain_key(key: Mapping[str, Any]) -> dict[str, Any]:
    """A group's key as JSON carries it."""
    return {word: json_value(value) for word, value in key.items()}
