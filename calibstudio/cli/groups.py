"""`calibstudio groups`: scan folders, and say which frames belong together."""

from __future__ import annotations

import argparse
from collections.abc import Set
from pathlib import Path
from typing import Any

from calibstudio.cli.corrections import (
    add_set_argument,
    how_to_answer,
    no_kind_problem,
    parse_correction,
    with_corrections,
)
from calibstudio.cli.frame import Outcome, alike
from calibstudio.cli.headers import plain_key, table
from calibstudio.domain.group_titles import group_titles
from calibstudio.domain.grouping import Grouping, LeftOut
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.paths import whole_path
from calibstudio.domain.wording import count

MAX_LISTED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="folders to scan")
    add_set_argument(parser)


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Scan and group."""
    from calibstudio.services.import_frames import scan_and_group

    corrections = [parse_correction(text) for text in args.corrections]
    grouping, unreadable = scan_and_group(ctx, [whole_path(p) for p in args.folders])
    grouping, problems = with_corrections(grouping, corrections)
    document = {
        "groups": [
            {
                "id": group.id,
                "kind": group.kind,
                "key": plain_key(group.key),
                "frames": [str(path) for path in group.frames],
                "notes": list(group.notes),
            }
            for group in grouping.groups
        ],
        "ungrouped": _left_out(grouping.ungrouped),
        "ignored": _left_out(grouping.ignored),
    }
    problems += alike((i.path.name, i.reason) for i in unreadable)
    films = [i for i in grouping.ungrouped if _is_film(grouping, i)]
    problems += alike((i.path.name, i.reason) for i in films)
    unreadable = (*unreadable, *films)
    no_kind = _of_unknown_kind(grouping, {i.path for i in unreadable})
    if no_kind:
        problems.append(no_kind_problem(no_kind))
    told = {*no_kind, *(item.path for item in unreadable)}
    return Outcome(document, _text(grouping, told), problems)


def _is_film(grouping: Grouping, item: LeftOut) -> bool:
    header = grouping.headers.get(item.path)
    return header is not None and header.exposures > 1 and not header.damage


def _of_unknown_kind(grouping: Grouping, known: Set[Path]) -> list[Path]:
    """Return pictures left out because nothing says what they are, but for those known.

    Masters, calibrated frames and those set aside when they were taken are left out by intent.
    """
    found = []
    for item in grouping.ungrouped:
        header = grouping.headers.get(item.path)
        if header is None or header.kind is not None or header.is_master or header.calibrated:
            continue
        if header.images and header.shape is not None and item.path not in known:
            found.append(item.path)
    return found


def _left_out(items: tuple[LeftOut, ...]) -> list[dict[str, Any]]:
    return [{"path": str(item.path), "reason": item.reason} for item in items]


def _text(grouping: Grouping, told: Set[Path]) -> str:
    """Say groups and what is in none; problems in ``told`` are said by themselves."""
    titles = group_titles(grouping.groups)
    lines: list[str] = []
    width = max((len(t) for t in titles.values()), default=0)
    for group in grouping.groups:
        frames = count(len(group.frames), "frame")
        lines.append(f"{titles[group.id].ljust(width)}  {frames.rjust(10)}  {group.id}")
        lines += [f"    {note}" for note in group.notes]
    if not grouping.groups:
        lines.append("No groups: there are no raw frames of a known kind.")
    if answers := how_to_answer(grouping):
        lines += ["", "To answer, here and in masters (… stands for the value):"]
        lines += [f"  {answer}" for answer in answers[:MAX_LISTED]]
    by_intent = [item for item in grouping.ungrouped if item.path not in told]
    for name, items in (("Not grouped", by_intent), ("Ignored", grouping.ignored)):
        if not items:
            continue
        lines += ["", f"{name}: {count(len(items), 'file')}"]
        lines += table([(item.path.name, item.reason) for item in items[:MAX_LISTED]])
        if len(items) > MAX_LISTED:
            lines.append(f"  and {len(items) - MAX_LISTED} more (--json lists all)")
    return "\n".join(lines)
