"""`calibstudio plan`: what lights need, what the library has of it, and a plan for the rest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstudio.cli.frame import Outcome, Problem
from calibstudio.cli.headers import plain_key, table
from calibstudio.cli.library_args import LIBRARY_VARIABLE, library_named
from calibstudio.domain.errors import UsageError
from calibstudio.domain.header import json_value
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import kind_word
from calibstudio.domain.paths import whole_path
from calibstudio.domain.wording import count, duration, file_size

if TYPE_CHECKING:
    from calibstudio.domain.matching import Candidate
    from calibstudio.domain.needs import Choice, Need
    from calibstudio.services.light_plan import Capture, LightPlan

MOST_CANDIDATES = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    parser.add_argument(
        "lights", nargs="+", type=Path, metavar="LIGHTS", help="lights, or folders of them"
    )
    parser.add_argument(
        "--library",
        metavar="URL",
        help=f"folder, sqlite:///FILE or postgresql://...; else ${LIBRARY_VARIABLE}",
    )
    parser.add_argument(
        "--masters", type=Path, metavar="DIR", help="folder of the masters (needed with PostgreSQL)"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--fill", action="store_true", help="take what is missing (usual)")
    which.add_argument("--refresh", action="store_true", help="and what is stale")
    which.add_argument("--rebuild", action="store_true", help="everything, also what is there")
    which.add_argument(
        "--only", action="append", default=[], metavar="ID", help="take this need, and no others"
    )
    parser.add_argument(
        "--out", type=Path, metavar="PLAN.yaml", help="write the plan, for calibstudio run"
    )
    parser.add_argument("--rig", default="", metavar="NAME", help="equipment that the plan names")
    parser.add_argument("--camera", default="", metavar="NAME", help="only lights of this camera")
    parser.add_argument(
        "--recipe", default="default", metavar="NAME|FILE", help="whose tolerances count"
    )
    for option, what in (("--frames", "good frames of a set"), ("--max-age", "days until stale")):
        parser.add_argument(
            option,
            action="append",
            default=[],
            metavar="KIND=N",
            help=f"{what}: bias, dark, flat or dark-flat",
        )


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Scan, compare, and plan; what is missing is the answer, not a problem.

    Raises
    ------
    UsageError, FileProblemError, LibraryError, WriteProblemError
        There are no lights, or library, recipe or an option make no sense, or the plan's name is
        taken.
    """
    from calibstudio.services.library import Library
    from calibstudio.services.light_needs import NeedSettings
    from calibstudio.services.light_plan import plan_from_lights
    from calibstudio.store.recipes import load_recipe

    choice = _choice(args)
    settings = NeedSettings(
        load_recipe(args.recipe),
        frames=_numbers(args.frames, "--frames", least=2),
        max_age_days=_numbers(args.max_age, "--max-age", least=0),
        camera=args.camera,
    )
    name = library_named(args)
    with Library.open(name, args.masters) as library:
        found = plan_from_lights(ctx, [whole_path(p) for p in args.lights], library, settings)
    needs, taken = found.chosen(choice, args.only)
    unknown = [i for i in args.only if i not in {n.id for n in needs}]
    if unknown:
        raise UsageError(
            f"There is no need {unknown[0]}.", hint="Run it without --only: it lists the ids."
        )
    capture = found.capture(choice, args.only, rig=args.rig)
    path = _written(args.out, capture)
    document = _document(found, needs, taken, choice, capture, path)
    return Outcome(document, _text(needs, taken, capture, path, found), _problems(found))


def _choice(args: argparse.Namespace) -> Choice:
    from calibstudio.domain.needs import Choice

    if args.only:
        return Choice.CUSTOM
    if args.rebuild:
        return Choice.REBUILD
    return Choice.REFRESH if args.refresh else Choice.FILL


def _numbers(texts: list[str], option: str, *, least: int) -> dict[str, int]:
    """Read ``dark=30``."""
    from calibstudio.domain.needs import USUAL_FRAMES

    found = {}
    for text in texts:
        word, _, value = text.partition("=")
        kind = word.strip().lower().replace("-", " ")
        if kind not in USUAL_FRAMES or not value.strip().isdigit() or int(value) < least:
            raise UsageError(
                f"{option} {text} is not understood.",
                hint=f"Give for example {option} dark=30.",
            )
        found[str(kind)] = int(value)
    return found


def _written(out: Path | None, capture: Capture | None) -> Path | None:
    if out is None or capture is None:
        return None
    from calibstudio.services.run_config_write import save_wishes

    path = whole_path(out)
    save_wishes(path, capture.config, capture.plan)
    return path


def _document(
    found: LightPlan,
    needs: tuple[Need, ...],
    taken: frozenset[str],
    choice: Choice,
    capture: Capture | None,
    path: Path | None,
) -> dict[str, Any]:
    cost = None if capture is None else capture.cost.estimate
    gaps = [n for n in needs if n.state.is_gap or n.id in taken]
    return {
        "needed": [_need(n, n.id in taken) for n in gaps],
        "have": [_need(n, False) for n in needs if n not in gaps],
        "seconds": 0.0 if cost is None else round(cost.seconds, 1),
        "bytes": 0 if cost is None else cost.bytes,
        "frames": 0 if cost is None else cost.frames,
        "choice": choice,
        "camera": found.lights.camera,
        "lights": len(found.lights.headers),
        "plan": None if path is None else str(path),
        "steps": [] if capture is None else [_step(s) for s in capture.plan.steps],
        "notes": [] if capture is None else list(capture.notes),
        "skipped": [{"path": str(i.path), "reason": i.reason} for i in found.lights.left_out],
    }


def _step(step: Any) -> dict[str, Any]:
    from calibstudio.domain.plan import step_document

    return step_document(step)


def _need(need: Need, is_taken: bool) -> dict[str, Any]:
    return {
        "id": need.id,
        "kind": kind_word(need.kind, is_master=True),
        "key": plain_key(need.key),
        "lights": need.lights,
        "state": need.state,
        "reason": need.reason,
        "path": None if need.master is None else str(need.master.path),
        "taken": is_taken,
        "frames": need.frames,
        "exposures_s": list(need.exposures_s),
        "follows": list(need.follows),
        "candidates": [_candidate(c) for c in need.candidates[:MOST_CANDIDATES]],
    }


def _candidate(found: Candidate) -> dict[str, Any]:
    return {
        "path": str(found.record.path),
        "accepted": found.accepted,
        "rules": [
            {
                "rule": rule.rule,
                "frame": json_value(rule.frame),
                "master": json_value(rule.master),
                "result": rule.result,
                "detail": rule.detail,
            }
            for rule in found.rules
        ],
    }


def _text(
    needs: tuple[Need, ...],
    taken: frozenset[str],
    capture: Capture | None,
    path: Path | None,
    found: LightPlan,
) -> str:
    lines = [f"{count(len(found.lights.headers), 'light')} of {found.lights.camera}", ""]
    rows = [
        (
            need.state.value,
            f"{need.frames} to take" if need.id in taken and need.can_be_taken else "",
            need.title,
            need.id,
        )
        for need in needs
    ]
    for line, need in zip(table(rows), needs, strict=True):
        lines += [line, f"    {need.reason}"]
    lines.append("")
    if capture is None:
        lines.append("Nothing is to be taken.")
        return "\n".join(lines)
    cost = capture.cost.estimate
    lines.append(
        f"{count(cost.frames, 'frame')} to take, about {duration(cost.seconds)} without cooling, "
        f"{file_size(cost.bytes)}."
    )
    lines += capture.notes
    if path is not None:
        lines.append(f"The plan is in {path}. Carry it out with: calibstudio run {path}")
    return "\n".join(lines)


def _problems(found: LightPlan) -> list[Problem]:
    problems = [Problem(f"{i.path.name}: {i.reason}") for i in found.lights.left_out]
    others = {c: n for c, n in found.lights.cameras.items() if c != found.lights.camera}
    if others and not found.settings.camera:
        said = ", ".join(f"{camera} ({count(n, 'light')})" for camera, n in others.items())
        problems.append(
            Problem(
                f"A plan is for one camera, here {found.lights.camera}; there are also lights of "
                f"{said}.",
                "Plan for them with --camera NAME.",
            )
        )
    return problems
