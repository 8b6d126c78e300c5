"""`calibstudio run`: capture and build without a screen, from one file; and go on after a stop."""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstudio.cli.frame import Outcome, Problem, say_problem
from calibstudio.cli.terminal import TerminalOperator
from calibstudio.domain.errors import Cancelled, DeviceError, UsageError
from calibstudio.domain.jobs import CancelToken, JobContext
from calibstudio.domain.paths import whole_path
from calibstudio.domain.wording import count, duration, file_size, number

if TYPE_CHECKING:
    from calibstudio.domain.capture import CaptureReport
    from calibstudio.domain.equipment import CameraStatus, Observatory
    from calibstudio.domain.plan import CapturePlan
    from calibstudio.services.masters import MastersReport
    from calibstudio.services.run_job import RunJob

PARTS = ("darks", "flats", "masters", "all")
EXIT_INTERRUPTED = 130
SAFE_WITHIN_S = 5.0
"""After an interrupt the program is out in so many seconds, whatever a driver does."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    parser.add_argument("file", nargs="?", type=Path, metavar="CONFIG.yaml", help="what to capture")
    parser.add_argument("--config", type=Path, metavar="CONFIG.yaml", help="the same")
    parser.add_argument("--step", choices=PARTS, default=None, help="only this part (default: all)")
    parser.add_argument(
        "--no-confirm",
        action="store_true",
        help="ask nothing: the telescope is covered, open and lit as needed, and what fails is "
        "left out",
    )
    parser.add_argument(
        "--skip-cooling", action="store_true", help="set no temperature, whatever the file says"
    )
    parser.add_argument("--skip-warmup", action="store_true", help="leave the cooler on at the end")
    parser.add_argument(
        "--debug",
        action="store_const",
        const="debug",
        dest="log_level",
        help="the same as --log-level debug",
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const="",
        default=None,
        metavar="SEQUENCE",
        help="go on with a sequence: its file, or the newest that has something left",
    )
    parser.add_argument("--rig", default="", metavar="NAME", help="a rig, or an address")
    parser.add_argument(
        "--frames", type=Path, metavar="DIR", help="folder of the frames (default: the file's)"
    )
    parser.add_argument("--library", metavar="URL", help="folder or database of the masters")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the master files")


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Capture, judge, build; bad frames that were replaced are no problem, what is missing is.

    Raises
    ------
    UsageError, FileProblemError, DeviceError, WriteProblemError
        It cannot begin.
    Cancelled
        Stopped; everything complete is kept, the sequence can go on.
    """
    from calibstudio.domain.run_config import Part

    job = _job(args)
    operator = TerminalOperator(job.config.answers, no_confirm=args.no_confirm)
    if job.settings.part is Part.MASTERS:
        return _finished(ctx, job, operator, None, None, "")
    capturing, building = ctx.split(6, 1)
    with out_in_time(ctx.token):
        observatory = _open(job, ctx.token)
        try:
            report = _captured(capturing, job, observatory, operator, ask=not args.no_confirm)
            now = observatory.clock.now()
        finally:
            observatory.close()
        return _finished(building, job, operator, report, now, observatory.camera.info.name)


def _job(args: argparse.Namespace) -> RunJob:
    """Put file, options and settings together."""
    from calibstudio.domain.run_config import Part, RunConfig
    from calibstudio.services.run_config import read_run_config
    from calibstudio.services.run_job import (
        RunJob,
        RunSettings,
        job_of_sequence,
        sequence_to_resume,
    )
    from calibstudio.services.settings import SettingsStore, settings_path

    file, resume = args.config or args.file, args.resume
    if resume and file is None and resume.lower().endswith((".yaml", ".yml")):
        file, resume = Path(resume), ""  # `run --resume CONFIG.yaml`
    if args.config and args.file:
        raise UsageError("Two configurations were given.", hint="Give one.")
    if file is None and resume is None and args.step != "masters":
        raise UsageError("No configuration was given.", hint="Give CONFIG.yaml, or --resume.")
    config, text = RunConfig(name="the command line"), ""
    if file is not None:
        if not file.is_file():
            raise UsageError(f"There is no file {file}.", hint="Name a configuration that exists.")
        config, text = read_run_config(file)
    kept = SettingsStore(settings_path()).read().settings
    library = args.library or config.library or os.environ.get("CALIBSTUDIO_LIBRARY", "")
    settings = RunSettings(
        rig=args.rig or config.rig,
        frames_folder=whole_path(args.frames or config.frames_folder or kept.frames_folder),
        library=str(library or kept.library),
        out=whole_path(args.out) if args.out else config.out,
        part=Part(args.step or "all"),
        cool=not args.skip_cooling,
        warm_up=not args.skip_warmup,
    )
    if resume is None:
        return RunJob(config, text, settings, notes=list(config.notes))
    return job_of_sequence(sequence_to_resume(settings.frames_folder, resume), settings)


def _open(job: RunJob, token: CancelToken) -> Observatory:
    """Open the equipment; the one place where `run` does that."""
    from calibstudio.devices.opened import OpenedObservatory
    from calibstudio.devices.rigs import open_rig, rig_of_device
    from calibstudio.services.rigs import rigs_here

    name = job.settings.rig
    if not name and job.config.device is not None:
        name = rig_of_device(job.config.device, token)
    opened = open_rig(
        name,
        known=rigs_here(),
        simulation=job.config.simulation,
        run=job.times,
        cancel=token,
    )
    if isinstance(opened, OpenedObservatory):
        for outcome in opened.missing:
            say_problem(str(outcome.error), outcome.error.hint if outcome.error else "")
    return opened


def _captured(
    ctx: JobContext,
    job: RunJob,
    observatory: Observatory,
    operator: TerminalOperator,
    *,
    ask: bool,
) -> CaptureReport:
    from calibstudio.services.run_job import capture
    from calibstudio.services.settings import data_folder

    plan = _plan(ctx, job, observatory)
    for note in job.notes:
        say_problem(note)
    _warn_of_twilight(plan, observatory)
    if ask and not operator.confirm(_overview(plan, job, observatory), ctx.token):
        raise UsageError("Nothing was begun.", hint="Run it again when everything is ready.")
    try:
        return capture(ctx, job, observatory, plan, operator.control, operator.see, data_folder())
    except Cancelled:
        _say_how_to_go_on(job)
        raise


def _plan(ctx: JobContext, job: RunJob, observatory: Observatory) -> CapturePlan:
    from dataclasses import replace

    from calibstudio.domain.draft_checks import refusal
    from calibstudio.domain.run_plan import plan_of
    from calibstudio.services.run_job import with_known_flats
    from calibstudio.services.settings import data_folder
    from calibstudio.services.sky_order import in_measured_order
    from calibstudio.services.trained import TrainedStore

    if job.resumed is not None:
        return job.resumed.plan
    config = with_known_flats(JobContext(ctx.token), job, observatory.camera.info)
    made = plan_of(config, observatory, job.settings.part, cool=job.settings.cool)
    if said := refusal(made.plan, observatory.camera.info):
        raise UsageError(f"{job.config.name}: {said}", hint="Mend the file, or use another rig.")
    job.notes.extend(made.notes)
    trained = TrainedStore.for_rig(data_folder(), observatory.name)
    plan = in_measured_order(made.plan, trained)
    return replace(plan, warm_up=made.plan.warm_up and job.settings.warm_up)


def _overview(plan: CapturePlan, job: RunJob, observatory: Observatory) -> str:
    """Say what will be taken, before it is begun."""
    from calibstudio.domain.plan import estimate_plan
    from calibstudio.services.cooling_time import time_needed
    from calibstudio.services.run_job import cooling_rules

    info = observatory.camera.info
    cost = estimate_plan(plan, info)
    needed = time_needed(plan, cost, info, _status(observatory), cooling_rules(job.config.cooling))
    apart = f" ({needed.words()})" if needed.words() else ""
    lines = [f"{plan.title}, with {observatory.camera.info.name}"]
    lines += [f"  {number(step.count):>6} × {step.title}" for step in plan.steps]
    lines.append(
        f"{count(cost.frames, 'frame')}, about {duration(needed.seconds)}{apart}, "
        f"{file_size(cost.bytes)} in {job.settings.frames_folder}"
    )
    if job.resumed is not None:
        lines.append(f"{number(job.resumed.good)} of {number(job.resumed.wanted)} are there.")
    return "\n".join(lines)


def _status(observatory: Observatory) -> CameraStatus | None:
    """How the camera is; None where it does not answer: the sequence will say so."""
    try:
        return observatory.camera.status()
    except DeviceError:
        return None


def _warn_of_twilight(plan: CapturePlan, observatory: Observatory) -> None:
    """Say where the light of the sky is over, far away, or too short for what is asked."""
    from calibstudio.domain.plan import LightSource, estimate_plan
    from calibstudio.domain.quality import Verdict
    from calibstudio.services.cooling_time import time_needed
    from calibstudio.services.settings import data_folder
    from calibstudio.services.sky_outlook import sky_outlook
    from calibstudio.services.trained import TrainedStore

    if all(step.light is not LightSource.SKY for step in plan.steps):
        return
    info = observatory.camera.info
    trained = TrainedStore.for_rig(data_folder(), observatory.name)
    needed = time_needed(plan, estimate_plan(plan, info), info, _status(observatory))
    found = sky_outlook(observatory, plan, trained, cooling_s=needed.cooling_s)
    if found.verdict is Verdict.WARN:
        say_problem(found.fact, found.fix)


def _say_how_to_go_on(job: RunJob) -> None:
    from calibstudio.services.capture_state import find_sequences

    found = next((r for r in find_sequences(job.settings.frames_folder) if r.can_go_on), None)
    if found is not None:
        have = f"{number(found.good)} of {count(found.wanted, 'good frame')}"
        say_problem(f"{have} are kept.", f"Go on with: calibstudio run --resume {found.path}")


def _finished(
    ctx: JobContext,
    job: RunJob,
    operator: TerminalOperator,
    report: CaptureReport | None,
    now: Any,
    camera: str,
) -> Outcome:
    """Build the masters, and say everything."""
    from calibstudio.cli.masters import masters_document, masters_problems, masters_text
    from calibstudio.services.rig_limits import limits_here
    from calibstudio.services.run_job import build, note_masters

    document: dict[str, Any] = {"masters": [], "skipped": [], "not_stacked": []}
    texts: list[str] = []
    problems = list(operator.problems)
    stopped = report is not None and report.stopped
    if report is not None:
        texts.append(_capture_text(report))
        problems += [Problem(text, hint) for text, hint in report.problems]
    files = None if report is None else report.accepted
    if job.builds_masters and not stopped and files != ():
        built, recipe = build(ctx, job, files, rigs=limits_here())
        document = masters_document(built)
        texts.append(masters_text(built, recipe))
        problems += masters_problems(built)
        problems += _taught(job, camera, built)
        if report is not None and report.journal is not None:
            note_masters(report.journal, job.settings.frames_folder, now)
    if report is not None:
        document |= _captured_document(report)
    document["notes"] = [*job.notes, *(report.notes if report is not None else ())]
    return Outcome(document, "\n\n".join(texts), problems)


def _taught(job: RunJob, camera: str, built: MastersReport) -> list[Problem]:
    """Keep with the rig what these masters measured; return what went wrong."""
    from calibstudio.domain.errors import WriteProblemError
    from calibstudio.services.rig_learning import teach
    from calibstudio.services.rigs import rigs_here

    try:
        teach(rigs_here(), job.settings.rig, camera, [m.record for m in built.masters])
    except WriteProblemError as error:
        return [Problem.of(error)]
    return []


def _captured_document(report: CaptureReport) -> dict[str, Any]:
    return {
        "captured": [
            {
                "path": str(frame.path),
                "kind": str(frame.kind),
                "accepted": frame.accepted,
                "reason": frame.reason,
            }
            for frame in report.frames
            if frame.path is not None
        ],
        "steps": [
            {
                "id": state.step.id,
                "kind": str(state.step.kind),
                "state": str(state.phase),
                "good": state.good,
                "wanted": state.wanted,
                "replaced": state.replaced,
                "exposure_s": state.exposure_s,
                "filter": state.step.filter,
                "reason": state.text,
            }
            for state in report.steps
        ],
        "sequence": None if report.journal is None else str(report.journal),
        "finished": report.state_path is None,
    }


def _capture_text(report: CaptureReport) -> str:
    from calibstudio.domain.capture import StepPhase

    lines = []
    for state in report.steps:
        good = f"{number(state.good)} of {count(state.wanted, 'good frame')}"
        if state.phase is StepPhase.SKIPPED and not state.good:
            good = "left out"
        lines.append(f"{good:>24}  {state.step.title}  {state.text}".rstrip())
    replaced = sum(state.replaced for state in report.steps)
    if replaced:
        lines.append(f"{count(replaced, 'frame')} replaced; the bad ones are in rejected folders.")
    lines += report.notes
    return "\n".join(lines)


@contextmanager
def out_in_time(token: CancelToken) -> Iterator[None]:
    """End the process where a driver hangs after an interrupt; what is complete is on disk."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            if token.cancelled and not done.wait(SAFE_WITHIN_S - 0.4):
                os._exit(EXIT_INTERRUPTED)

    threading.Thread(target=watch, daemon=True, name="out in time").start()
    try:
        yield
    finally:
        done.set()
