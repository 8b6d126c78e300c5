"""`calibstudio nightly`: due policies become requests, these masters; the library is checked."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstudio.cli.frame import Outcome, Problem
from calibstudio.cli.library_args import add_library_arguments, library_named
from calibstudio.cli.requests import (
    add_run_arguments,
    carry_out,
    counted,
    opened,
    queue_outcome,
    request_json,
)
from calibstudio.cli.run import out_in_time
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.wording import count

if TYPE_CHECKING:
    from calibstudio.services.library import Library


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    add_library_arguments(parser)
    parser.add_argument(
        "--policies", type=Path, metavar="FILE", help="default: policies.yaml of the library"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what is due, and do nothing about it"
    )
    add_run_arguments(parser)


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Do the work of a night.

    Raises
    ------
    UsageError, FileProblemError, LibraryError, DeviceError, WriteProblemError
        It cannot begin.
    Cancelled
        What was being taken is queued again.
    """
    from calibstudio.domain.night import night_of
    from calibstudio.services.library import Library
    from calibstudio.services.request_policies import ask_for_due, due_of, policies_of

    name = library_named(args)
    looking, working, checking = ctx.split(1, 20, 1)
    with Library.open(name, args.out) as library, out_in_time(ctx.token):
        policies = policies_of(library, args.policies)
        observatory = opened(args, ctx)
        try:
            now = observatory.clock.now()
            night = night_of(now, site=observatory.site)
            camera = observatory.camera.info.name
            if args.dry_run:
                due = due_of(looking, library, policies, now, night, camera)
                lines = [f"{d.policy.name}: {d.wish.frames} × {d.wish.title}" for d in due]
                found = [{"policy": d.policy.name, **d.wish.as_document()} for d in due]
                text = "\n".join(lines) or "Nothing is due."
                return Outcome({"night": night.isoformat(), "due": found}, text)
            asked = ask_for_due(looking, library, policies, now, night, camera)
            report, problems = carry_out(args, working, library, name, observatory)
        finally:
            observatory.close()
        done = queue_outcome(report, problems)
        checked, wrong = _checked(checking, library)
    text = f"{counted(asked)} of {count(len(policies.policies), 'policy', 'policies')}."
    document = {
        **done.document,
        "night": night.isoformat(),
        "due": [request_json(r) for r in asked],
        "library": checked,
    }
    return replace(
        done,
        document=document,
        text=f"{text}\n{done.text}\nLibrary: {count(checked['masters'], 'master')} checked.",
        problems=[*done.problems, *wrong],
    )


def _checked(ctx: JobContext, library: Library) -> tuple[dict[str, Any], list[Problem]]:
    """Check every master's file against its hash."""
    from calibstudio.services.library_care import FileState, verify

    found = verify(ctx, library)
    wrong = [v for v in found if v.state in (FileState.CHANGED, FileState.MISSING)]
    document = {
        "masters": len(found),
        "problems": [{"path": str(v.record.path), "state": v.state} for v in wrong],
    }
    hint = "Restore it from a copy, or build it again."
    return document, [Problem(v.sentence, hint) for v in wrong]
