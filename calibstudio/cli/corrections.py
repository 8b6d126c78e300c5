"""Values that headers lack or say wrongly, said on the command line: ``--set``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from calibstudio.cli.frame import Problem
from calibstudio.domain.errors import UsageError
from calibstudio.domain.grouping import Grouping
from calibstudio.domain.header import HeaderValue
from calibstudio.domain.set_option import set_option
from calibstudio.domain.wording import count

Correction = tuple[str, str, HeaderValue]
"""Pattern of the files, JSON word, value."""

_SET = re.compile(r"(?P<glob>.+):(?P<word>[A-Za-z_]+)=(?P<value>.*)", re.DOTALL)


def add_set_argument(parser: argparse.ArgumentParser) -> None:
    """Declare ``--set``."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="corrections",
        metavar="GLOB:KEY=VALUE",
        help="say or correct a header value of the files that match, for this run: "
        "'*flat*:kind=flat', 'dark_*:gain=100'; files stay as they are",
    )


def parse_correction(text: str) -> Correction:
    """Read ``GLOB:KEY=VALUE``.

    Raises
    ------
    UsageError
        If it is none, or the value cannot be read.
    """
    from calibstudio.domain.header_edit import value_from_text

    match = _SET.fullmatch(text)
    if match is None:
        raise UsageError(f"--set {text} is not understood.", hint="Write it as '*flat*:kind=flat'.")
    word = match["word"].lower()
    return match["glob"], word, value_from_text(word, match["value"])


def with_corrections(
    grouping: Grouping, corrections: Sequence[Correction]
) -> tuple[Grouping, list[Problem]]:
    """Lay the corrections over what is grouped; a pattern that fits no file is a problem.

    They come after those that the library keeps, so that this run's word counts.
    """
    from calibstudio.domain.regroup import corrected

    problems = []
    for glob, word, value in corrections:
        fitting = [
            path
            for path in grouping.headers
            if fnmatchcase(path.name, glob) or fnmatchcase(str(path), glob)
        ]
        if fitting:
            grouping = corrected(grouping, fitting, {word: value}, why="--set")
        else:
            problems.append(Problem(f"--set {glob} fits no file.", "Put the pattern in quotes."))
    return grouping, problems


def how_to_answer(grouping: Grouping) -> list[str]:
    """Say how the questions of groups are answered, those with the same answer together."""
    from calibstudio.domain.offers import offers

    offered = {offer.group_id: offer.values for offer in offers(grouping)}
    asking: dict[str, tuple[dict[str, HeaderValue], list[Path]]] = {}
    for group in grouping.groups:
        values = {**dict.fromkeys(group.asked, "…"), **offered.get(group.id, {})}
        if values:
            _, frames = asking.setdefault(repr(sorted(values.items())), (values, []))
            frames += group.frames
    return [set_option(frames, grouping.headers, values) for values, frames in asking.values()]


def no_kind_problem(paths: Sequence[Path]) -> Problem:
    """Name what says no kind once, however many there are, with how to say it."""
    first = paths[0].name
    how = set_option(paths[:1], paths, {"kind": "dark"})
    others = " and others" if len(paths) > 1 else ""
    doing = "do" if len(paths) > 1 else "does"
    return Problem(
        f"{count(len(paths), 'file')} ({first}{others}) {doing} not say of which kind, neither "
        "in the header nor in the name.",
        f"Say it with {how}; * and ? stand for any letters.",
    )
