"""`calibstudio requests`: the queue of calibration requests."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstudio.cli.frame import Outcome, Problem, say_problem
from calibstudio.cli.headers import table
from calibstudio.cli.library_args import add_library_arguments, library_named
from calibstudio.cli.run import out_in_time
from calibstudio.cli.terminal import TerminalOperator
from calibstudio.domain.errors import UsageError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.paths import whole_path
from calibstudio.domain.wording import count, number

if TYPE_CHECKING:
    from calibstudio.domain.equipment import Observatory
    from calibstudio.domain.requests import Request, RequestWish
    from calibstudio.services.library import Library
    from calibstudio.services.request_run import QueueReport

ACTIONS = {
    "list": "what is asked for, and what became of it",
    "add": "ask for frames: requests add dark --frames 20 --exposure 300",
    "cancel": "take requests out of the queue, by number",
    "restore": "put requests that were cancelled or failed into the queue again, by number",
    "priority": "make requests that wait more or less urgent: requests priority 3 --priority 80",
    "run": "carry them out, the most urgent first, and build the masters",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    actions = "; ".join(f"{name}: {text}" for name, text in ACTIONS.items())
    parser.add_argument("action", choices=ACTIONS, help=actions)
    parser.add_argument("what", nargs="*", help="for add the kind; else the numbers of requests")
    add_library_arguments(parser)
    parser.add_argument("--frames", type=int, metavar="N", help="good frames (default: the usual)")
    parser.add_argument("--exposure", type=float, metavar="S", help="seconds")
    parser.add_argument("--filter", default="", metavar="NAME", help="of flats")
    parser.add_argument("--gain", type=int)
    parser.add_argument("--offset", type=int)
    parser.add_argument("--binning", type=int, default=1)
    parser.add_argument("--temperature", type=float, metavar="C", help="set temperature")
    parser.add_argument("--priority", type=int, default=50, help="0 to 100, the highest first")
    add_run_arguments(parser)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what carrying out needs."""
    parser.add_argument("--rig", default="", metavar="NAME", help="equipment to use")
    parser.add_argument(
        "--frames-folder", type=Path, metavar="DIR", help="where frames go (default: the settings')"
    )
    parser.add_argument(
        "--no-confirm", action="store_true", help="ask nothing: covered, open and lit are believed"
    )
    parser.add_argument("--simulate", metavar="SPEED", type=float, help=argparse.SUPPRESS)


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """List, ask, cancel, restore, or carry out.

    Raises
    ------
    UsageError, LibraryError, DeviceError, WriteProblemError
        It makes no sense, or cannot begin.
    Cancelled
    """
    from calibstudio.services.library import Library

    name = library_named(args)
    if args.action == "list":
        with Library.open(name, args.out, create=False) as library:
            return _listed(library)
    with Library.open(name, args.out) as library:
        if args.action == "run":
            return _carried_out(args, ctx, library, name)
        return _changed(args, library)


def _listed(library: Library) -> Outcome:
    from calibstudio.services.requests import requests_of

    found = requests_of(library)
    rows = [
        (str(r.id), r.state.value, str(r.priority), f"{number(r.wish.frames)} × {r.wish.title}",
         r.policy, r.reason)
        for r in found
    ]  # fmt: skip
    text = "\n".join(table(rows)) if rows else "No requests."
    return Outcome({"requests": [request_json(r) for r in found]}, text)


def _changed(args: argparse.Namespace, library: Library) -> Outcome:
    from calibstudio.services.requests import ask_for, cancel, give_back, set_priority

    if args.action == "add":
        changed = [ask_for(library, _wish(args), args.priority)]
        said = "is in the queue"
    else:
        act, said = {
            "cancel": (cancel, "is cancelled"),
            "restore": (give_back, "is queued again"),
            "priority": (
                lambda of, number: set_priority(of, number, args.priority),
                f"has the priority {args.priority}",
            ),
        }[args.action]
        if not args.what:
            raise UsageError("No request was named.", hint="Give its number.")
        changed = [act(library, _number(text)) for text in args.what]
    lines = [f"Request {r.id}, {r.wish.title} {said}." for r in changed]
    return Outcome({"requests": [request_json(r) for r in changed]}, "\n".join(lines))


def _number(text: str) -> int:
    if not text.isdigit():
        raise UsageError(f"{text} is no number of a request.", hint="See requests list.")
    return int(text)


def _wish(args: argparse.Namespace) -> RequestWish:
    from calibstudio.domain.kinds import FrameKind
    from calibstudio.domain.needs import USUAL_FRAMES
    from calibstudio.domain.requests import RequestWish
    from calibstudio.domain.run_config import CameraWish

    kind = " ".join(args.what).replace("-", " ").lower()
    if kind not in USUAL_FRAMES:
        hint = f"Ask for one of: {', '.join(USUAL_FRAMES)}."
        raise UsageError(f"“{kind}” is no kind of calibration frame.", hint=hint)
    return RequestWish(
        FrameKind(kind),
        USUAL_FRAMES[kind] if args.frames is None else args.frames,
        args.exposure,
        args.filter,
        CameraWish(
            gain=args.gain,
            offset=args.offset,
            binning=args.binning,
            set_temp_c=args.temperature,
        ),
    )


def _carried_out(args: argparse.Namespace, ctx: JobContext, library: Library, name: str) -> Outcome:
    with out_in_time(ctx.token):
        observatory = opened(args, ctx)
        try:
            report, problems = carry_out(args, ctx, library, name, observatory)
        finally:
            observatory.close()
    return queue_outcome(report, problems)


def opened(args: argparse.Namespace, ctx: JobContext) -> Observatory:
    """Open the equipment that was named."""
    from calibstudio.devices.rigs import open_rig
    from calibstudio.domain.run_config import Simulation
    from calibstudio.services.rigs import rigs_here

    simulation = None if args.simulate is None else Simulation(speed=args.simulate)
    return open_rig(args.rig, known=rigs_here(), simulation=simulation, cancel=ctx.token)


def carry_out(
    args: argparse.Namespace,
    ctx: JobContext,
    library: Library,
    name: str,
    observatory: Observatory,
) -> tuple[QueueReport, list[Problem]]:
    """Take everything that is queued."""
    from calibstudio.services.request_run import run_queue
    from calibstudio.services.rig_limits import limits_here
    from calibstudio.services.run_job import RunSettings
    from calibstudio.services.settings import SettingsStore, data_folder, settings_path

    kept = SettingsStore(settings_path()).read().settings
    settings = RunSettings(
        rig=args.rig,
        frames_folder=whole_path(args.frames_folder or kept.frames_folder),
        library=name,
        out=whole_path(args.out) if args.out else None,
    )
    operators: list[TerminalOperator] = []

    def operator() -> Any:
        operators.append(TerminalOperator({}, no_confirm=args.no_confirm))
        return operators[-1].control, operators[-1].see

    def begin(request: Request, which: int, of: int) -> None:
        if not args.json:
            say_problem(f"Request {request.id}, {which} of {of}: {request.wish.title}.")

    report = run_queue(
        ctx, library, observatory, settings, operator, data_folder(), on_begin=begin,
        rigs=limits_here(),
    )  # fmt: skip
    return report, [problem for one in operators for problem in one.problems]


def queue_outcome(report: QueueReport, problems: list[Problem]) -> Outcome:
    """Say what became of the queue."""
    from calibstudio.cli.masters import masters_document, masters_problems, masters_text
    from calibstudio.store.recipes import load_recipe

    document: dict[str, Any] = {"masters": [], "skipped": [], "not_stacked": []}
    lines = [f"Request {r.id}, {r.wish.title}: {r.state.value}. {r.reason}".rstrip()
             for r in report.requests]  # fmt: skip
    if not report.requests:
        lines.append("Nothing was queued.")
    problems = [*problems]
    for one in report.captured:
        problems += [Problem(text, hint) for text, hint in one.problems]
    problems += [
        Problem(f"Request {r.id}, {r.wish.title}, failed: {r.reason}",
                f"calibstudio requests restore {r.id} asks for it again.")
        for r in report.requests
        if r.state.value == "error"
    ]  # fmt: skip
    if report.masters is not None:
        document |= masters_document(report.masters)
        lines += ["", masters_text(report.masters, load_recipe("default"))]
        problems += masters_problems(report.masters)
    document["requests"] = [request_json(r) for r in report.requests]
    document["captured"] = [
        {"path": str(f.path), "kind": str(f.kind), "accepted": f.accepted, "reason": f.reason}
        for one in report.captured
        for f in one.frames
        if f.path is not None
    ]
    return Outcome(document, "\n".join(lines), problems)


def request_json(request: Request) -> dict[str, Any]:
    """A request, as JSON carries it."""
    return {
        "id": request.id,
        **request.wish.as_document(),
        "priority": request.priority,
        "state": request.state,
        "reason": request.reason,
        "policy": request.policy,
        "item": request.item,
        "night": None if request.night is None else request.night.isoformat(),
        "created_utc": request.created_utc.isoformat(),
        "changed_utc": request.changed_utc.isoformat(),
        "sequence": request.sequence or None,
    }


def counted(requests: list[Request]) -> str:
    """Say how many requests there are."""
    return count(len(requests), "request")
