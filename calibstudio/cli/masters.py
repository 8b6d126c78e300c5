"""`calibstudio masters`: build, judge and file every master that folders allow."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstudio.cli.arguments import memory_size
from calibstudio.cli.corrections import (
    add_set_argument,
    no_kind_problem,
    parse_correction,
    with_corrections,
)
from calibstudio.cli.frame import Outcome, Problem, alike
from calibstudio.cli.headers import plain_key
from calibstudio.cli.library_args import (
    LIBRARY_VARIABLE,
    add_library_arguments,
    findings_json,
    findings_text,
    library_named,
    metrics_json,
    what_it_is,
)
from calibstudio.domain.errors import UsageError
from calibstudio.domain.group_notes import listed
from calibstudio.domain.grouping import Grouping
from calibstudio.domain.grouping_rules import UNKNOWN_KIND, grouping_keys
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import kind_word
from calibstudio.domain.paths import whole_path
from calibstudio.domain.quality import Verdict
from calibstudio.domain.verdicts import metric_text
from calibstudio.domain.wording import count, number

if TYPE_CHECKING:
    from calibstudio.domain.recipe import Recipe
    from calibstudio.services.masters import BuiltMaster, MastersReport, SkippedGroup

IN_SHORT = ("level", "noise", "read_noise", "read_noise_adu", "dark_current", "snr", "master_snr")
"""Metrics that the report shows; --json has them all."""
MAX_LISTED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="FOLDER|FILE",
        help="folders to scan, or frames; with --rebuild: where its frames are looked for",
    )
    parser.add_argument(
        "--rebuild",
        type=Path,
        metavar="MASTER",
        help="make this master again in a temporary folder, and say whether it is the same",
    )
    add_library_arguments(parser)
    parser.add_argument(
        "--recipe", default="default", metavar="NAME|FILE", help="how masters are made"
    )
    add_set_argument(parser)
    parser.add_argument(
        "--broken",
        choices=("leave-out", "stop"),
        default="leave-out",
        help="a frame that is cut off or gone while it is read: build the master from the others "
        "and say so, or do not build it (default: leave-out)",
    )
    parser.add_argument(
        "--memory",
        type=memory_size,
        metavar="SIZE",
        help="most memory for pixels, as 2G or 500M (default: as little as does not slow it down)",
    )


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Scan, group, build; a skipped group and a BAD master are problems."""
    if args.rebuild is not None:
        return _rebuild(args, ctx)
    if not args.paths:
        raise UsageError("No folder was named.", hint="Name folders or frames.")
    from calibstudio.services.import_frames import scan_and_group
    from calibstudio.services.library import Library
    from calibstudio.services.master_plan import plan_masters
    from calibstudio.services.masters import build_masters, nothing_built
    from calibstudio.services.rig_limits import limits_here
    from calibstudio.store.recipes import load_recipe

    corrections = [parse_correction(text) for text in args.corrections]
    recipe = load_recipe(args.recipe)
    name, out = library_named(args), None if args.out is None else whole_path(args.out)
    paths = [whole_path(p) for p in args.paths]
    for path in paths:
        if not path.exists() and not path.is_symlink():
            raise UsageError(f"{path} does not exist.", hint="Name folders or frames that do.")
    scanning, building = ctx.split(1, 20)
    ctx.token.check()
    with ExitStack() as stack:
        # A new library is made when there is something to put into it.
        there = Library.is_there(name, out)
        library = stack.enter_context(Library.open(name, out)) if there else None
        grouping, _ = scan_and_group(
            scanning,
            paths,
            library=library,
            tolerances=recipe.tolerances,
            keys=grouping_keys(recipe),
        )
        grouping, problems = with_corrections(grouping, corrections)
        if library is None and not plan_masters(grouping, recipe).groups:
            report = nothing_built(grouping, recipe)
        else:
            made = library or stack.enter_context(Library.open(name, out))
            report = build_masters(
                building,
                grouping,
                grouping.headers,
                made,
                recipe,
                out=out,
                memory_bytes=args.memory,
                stop_at_broken=args.broken == "stop",
                rigs=limits_here(),
            )
            if not there and not report.masters:
                made.discard_if_empty()
    problems += masters_problems(report, _no_frames(grouping, paths))
    return Outcome(masters_document(report), masters_text(report, recipe), problems)


NOTHING = Problem("There is nothing to stack.", "calibstudio groups says what was found.")


def _no_frames(grouping: Grouping, paths: Sequence[Path]) -> Problem:
    """Say why there is nothing to stack: no file, or no frame among the files."""
    if grouping.headers:
        return NOTHING
    where = listed([str(path) for path in paths])
    files = len(grouping.ignored) + len(grouping.ungrouped)
    if not files:
        return Problem(f"There is no file in {where}.", "Name the folder of the frames.")
    none = "is no frame" if files == 1 else "is a frame"
    what = "The one file" if files == 1 else f"None of the {number(files)} files"
    return Problem(f"{what} in {where} {none}.", "calibstudio groups says why of each.")


def masters_document(report: MastersReport) -> dict[str, Any]:
    """What a run built, as JSON carries it."""
    return {
        "masters": [_master(built) for built in report.masters],
        "skipped": [_skipped(entry) for entry in report.skipped],
        "not_stacked": [_skipped(entry) for entry in report.left],
    }


def _rebuild(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Make one master again; that it differs, or cannot be made, is a problem."""
    from calibstudio.services.library import Library
    from calibstudio.services.rebuild import rebuild_master

    path = whole_path(args.rebuild)
    folders = [whole_path(p) for p in args.paths]
    for folder in folders:
        if not folder.exists():
            raise UsageError(f"{folder} does not exist.", hint="Name folders or frames that do.")
    named = args.library or os.environ.get(LIBRARY_VARIABLE)
    with ExitStack() as stack:
        library = None
        if named:
            library = stack.enter_context(Library.open(named, args.out, create=False))
        rebuilt = rebuild_master(ctx, path, folders, library=library, memory_bytes=args.memory)
    document = {
        "master": str(rebuilt.path),
        "identical": rebuilt.identical,
        "differences": list(rebuilt.differences),
        "missing": list(rebuilt.missing),
    }
    if rebuilt.identical:
        return Outcome(document, rebuilt.sentence)
    return Outcome(document, problems=[Problem(rebuilt.sentence)])


def _master(built: BuiltMaster) -> dict[str, Any]:
    record = built.record
    return {
        "path": str(record.path),
        "id": record.id,
        "sha256": record.sha256,
        "kind": kind_word(record.kind, is_master=True),
        "key": plain_key(record.key),
        "n_frames": record.n_frames,
        "n_combined": record.n_combined,
        "verdict": record.verdict,
        "metrics": metrics_json(record.assessment.metrics),
        "findings": findings_json(record.assessment.findings),
        "used": _used(built),
        "excluded": [{"path": str(e.path), "reason": e.reason} for e in built.excluded],
        "notes": list(built.notes),
        "new": built.new,
    }


def _used(built: BuiltMaster) -> dict[str, Any]:
    """Masters that were taken out, by kind; a list where there are several of a kind."""
    used: dict[str, Any] = {}
    for record in built.used:
        word = record.kind.replace(" ", "_")
        path = str(record.path)
        if word not in used:
            used[word] = path
        else:
            before = used[word]
            used[word] = [*before, path] if isinstance(before, list) else [before, path]
    return used


def _skipped(entry: SkippedGroup) -> dict[str, Any]:
    plain: dict[str, Any] = {"group": entry.name, "reason": entry.reason}
    if entry.group is not None:
        plain["id"] = entry.group.id
        plain["kind"] = entry.group.kind
        plain["frames"] = [str(path) for path in entry.group.frames]
    if entry.path is not None:
        plain["path"] = str(entry.path)
    return plain


def masters_problems(report: MastersReport, nothing: Problem = NOTHING) -> list[Problem]:
    """What went wrong: skipped groups and files, BAD masters, or that there was nothing."""
    problems: list[Problem] = []
    of_no_kind = [e.path for e in report.skipped if e.path and e.reason == UNKNOWN_KIND]
    problems += alike(
        (entry.path.name if entry.path else entry.name, entry.reason)
        for entry in report.skipped
        if entry.path is None or entry.reason != UNKNOWN_KIND
    )
    if of_no_kind:
        problems.append(no_kind_problem(of_no_kind))
    for built in report.masters:
        finding = built.record.assessment.worst_finding
        if built.record.verdict is Verdict.BAD:
            what = finding.what if finding else "it failed its measurements."
            cure = finding.cure if finding else "Look at it with calibstudio library show."
            problems.append(Problem(f"{built.title} is BAD: {what}", cure))
    if not report.masters and not problems:
        problems.append(nothing)
    return problems


def masters_text(report: MastersReport, recipe: Recipe) -> str:
    """Say what a run built."""
    lines: list[str] = []
    for built in report.masters:
        lines += [*_master_text(built), ""]
    if report.left:
        lines.append(f"Not stacked: {len(report.left)}")
        lines += _entries(report.left)
        lines.append("")
    lines.append(_summary(report, recipe))
    return "\n".join(lines)


def _master_text(built: BuiltMaster) -> list[str]:
    record = built.record
    frames = count(record.n_combined, "frame")
    if record.n_combined != record.n_frames:
        frames = f"{record.n_combined} of {count(record.n_frames, 'frame')}"
    there = "" if built.new else " · was there already"
    kind = kind_word(record.kind, is_master=True)
    lines = [
        f"{record.verdict.value:<4}  {kind[:1].upper()}{kind[1:]} · {what_it_is(record)} · "
        f"{frames} · {record.id}{there}",
        f"      {record.path}",
    ]
    shown = [m for name in IN_SHORT if (m := record.assessment.metric(name)) is not None]
    numbers = [f"{_within(m.label)} {metric_text(m)}" for m in shown if m.value is not None]
    if numbers:
        lines.append(f"      {' · '.join(numbers)}")
    lines += [f"      {note}" for note in built.notes]
    lines += [f"      {e.path.name} was left out. {e.reason}" for e in built.excluded]
    return lines + findings_text(record.assessment, "      ")


def _within(label: str) -> str:
    """A label inside a line: small at the start, unless it is an abbreviation (S/N)."""
    return label if not label[1:2].islower() else label[:1].lower() + label[1:]


def _entries(entries: Sequence[SkippedGroup]) -> list[str]:
    lines = [
        f"      {entry.path.name if entry.path else entry.name}: {entry.reason}"
        for entry in entries[:MAX_LISTED]
    ]
    if len(entries) > MAX_LISTED:
        lines.append(f"      and {len(entries) - MAX_LISTED} more (--json lists all)")
    return lines


def _summary(report: MastersReport, recipe: Recipe) -> str:
    by_verdict = [
        f"{n} {verdict.value}"
        for verdict in Verdict
        if (n := sum(b.record.verdict is verdict for b in report.masters))
    ]
    if not report.masters:
        return f"No master was made. Recipe {recipe.name}."
    known = sum(not b.new for b in report.masters)
    said = f": {', '.join(by_verdict)}" if by_verdict else ""
    already = f" ({known} already there)" if known else ""
    return f"{count(len(report.masters), 'master')}{said}{already}. Recipe {recipe.name}."
