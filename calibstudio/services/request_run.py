"""Carrying out the queue: each request a sequence, the masters of all at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from calibstudio.domain.capture import CaptureReport, CaptureStatus, SequenceControl, StepPhase
from calibstudio.domain.draft_checks import refusal
from calibstudio.domain.equipment import Frame, Observatory
from calibstudio.domain.errors import CalibStudioError, Cancelled, UsageError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.plan import CapturePlan
from calibstudio.domain.requests import Request, RequestState
from calibstudio.domain.run_config import RunConfig
from calibstudio.domain.run_plan import plan_of
from calibstudio.domain.wording import count
from calibstudio.services.capture_state import Resumed, resume_plan
from calibstudio.services.latest import Latest
from calibstudio.services.library import Library
from calibstudio.services.masters import MastersReport
from calibstudio.services.requests import carrying_out, move, requests_of
from calibstudio.services.rig_limits import RigLimits
from calibstudio.services.run_config_write import config_text
from calibstudio.services.run_job import RunJob, RunSettings, build, capture
from calibstudio.services.sky_order import in_measured_order
from calibstudio.services.trained import TrainedStore

log = logging.getLogger(__name__)


@dataclass(slots=True)
class QueueReport:
    """What became of a queue."""

    requests: list[Request] = field(default_factory=list)
    captured: list[CaptureReport] = field(default_factory=list)
    masters: MastersReport | None = None
    stopped: bool = False
    """The operator, or a question that nobody answered, stopped it."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Good frames of all, in the order they were taken."""
        return tuple(path for one in self.captured for path in one.accepted)


def run_queue(
    ctx: JobContext,
    library: Library,
    observatory: Observatory,
    settings: RunSettings,
    operator: Callable[[], tuple[SequenceControl, Callable[[CaptureStatus], None]]],
    trained_folder: Path,
    *,
    on_begin: Callable[[Request, int, int], object] = lambda request, number, of: None,
    preview: Latest[Frame] | None = None,
    with_masters: bool = True,
    rigs: RigLimits | None = None,
) -> QueueReport:
    """Take every queued request, the most urgent first, then build the masters of all frames.

    A request that fails is marked and the next is taken; one that is stopped, or was cut off, waits
    again and goes on where it was.

    Parameters
    ----------
    operator
        Gives a fresh control for each sequence, and who sees its status.
    on_begin
        Is told each request as it begins, which it is, and of how many, counted from 1.
    with_masters
        False: the caller builds them, from `QueueReport.files`.
    rigs
        As of `build_masters`.

    Raises
    ------
    UsageError
        Another program carries out this queue.
    Cancelled
        What was being taken is queued again; its frames are kept.
    """
    report = QueueReport()
    with carrying_out(library):
        capturing, building = ctx.split(6, 1)
        total = len(_queued(library))
        while (waiting := _queued(library)) and not report.stopped:
            first = waiting[0]
            request = move(
                library, first, first.state, RequestState.RUNNING, sequence=first.sequence
            )
            if request is None:
                continue  # somebody cancelled it
            done_before = len(report.requests)
            total = max(total, done_before + len(waiting))
            on_begin(request, done_before + 1, total)
            part = _part(capturing, done_before, total)
            control, see = operator()
            done = _taken(part, library, observatory, settings, request, control, see,
                          trained_folder, report, preview)  # fmt: skip
            report.requests.append(done)
        if report.files and with_masters:
            report.masters = build_of_queue(building, settings, report.files, rigs=rigs)
    return report


def _queued(library: Library) -> list[Request]:
    return [r for r in requests_of(library, open_only=True) if r.state is RequestState.QUEUED]


def _part(ctx: JobContext, index: int, total: int) -> JobContext:
    """Return the part of a progress that one request of several takes."""
    return ctx.split(index, 1, max(0, total - index - 1))[1]


def _taken(
    ctx: JobContext,
    library: Library,
    observatory: Observatory,
    settings: RunSettings,
    request: Request,
    control: SequenceControl,
    see: Callable[[CaptureStatus], None],
    trained_folder: Path,
    report: QueueReport,
    preview: Latest[Frame] | None,
) -> Request:
    """Take one request; return it as it is afterwards."""
    running = RequestState.RUNNING
    begun = [request.sequence]

    def seen(status: CaptureStatus) -> None:
        # From its first moment the request knows its journal: it goes on there when it is cut off.
        if status.journal is not None and str(status.journal) != begun[0]:
            begun[0] = str(status.journal)
            move(library, request, running, running, sequence=begun[0])
        see(status)

    try:
        plan, resumed = _plan_of(library, observatory, request, trained_folder)
        if resumed is not None and not resumed.can_go_on:
            return _taken_before(library, request, resumed, report)
        config: RunConfig = request.wish.config(f"request {request.id}")
        job = RunJob(config, config_text(plan), settings, resumed)
        found = capture(ctx, job, observatory, plan, control, seen, trained_folder, preview)
    except Cancelled:
        move(library, request, running, RequestState.QUEUED, "It was interrupted.", begun[0])
        raise
    except CalibStudioError as error:
        reason = f"{error} {error.hint}".strip()
        return move(library, request, running, RequestState.ERROR, reason) or request
    report.captured.append(found)
    sequence = begun[0] if found.journal is None else str(found.journal)
    if found.stopped:
        report.stopped = True
        back = move(library, request, running, RequestState.QUEUED, "It was stopped.", sequence)
        return back or request
    good = count(sum(s.good for s in found.steps), "good frame")
    wrong = [s.text for s in found.steps if s.good < s.wanted and s.phase is not StepPhase.SKIPPED]
    state = RequestState.ERROR if wrong else RequestState.DONE
    reason = f"{good}. {' '.join(wrong)}".strip()
    return move(library, request, running, state, reason, sequence) or request


def _taken_before(
    library: Library, request: Request, resumed: Resumed, report: QueueReport
) -> Request:
    """Note a request whose sequence came to its end elsewhere, or just before it was cut off."""
    if not resumed.has_masters:
        report.captured.append(
            CaptureReport(
                resumed.plan, resumed.steps, resumed.frames, resumed.path.parent,
                journal=resumed.path,
            )
        )  # fmt: skip
    reason = f"{count(resumed.good, 'good frame')}, taken before."
    before, after = RequestState.RUNNING, RequestState.DONE
    return move(library, request, before, after, reason, request.sequence) or request


def _plan_of(
    library: Library, observatory: Observatory, request: Request, trained_folder: Path
) -> tuple[CapturePlan, Resumed | None]:
    """Return the plan of a request, and its sequence where it was cut off or stopped before.

    Raises
    ------
    UsageError
        This equipment cannot take it.
    """
    config = request.wish.config(f"request {request.id}")
    trained = TrainedStore.for_rig(trained_folder, observatory.name)
    made = in_measured_order(plan_of(config, observatory).plan, trained)
    if said := refusal(made, observatory.camera.info):
        raise UsageError(said, hint="Ask for something that this camera can.")
    resumed = _cut_off(request)
    if resumed is not None:
        return resumed.plan, resumed
    # The cooler stays where it is for the next; the last warms the sensor up.
    warm_up = made.warm_up and not _queued(library)
    return replace(made, warm_up=warm_up, title=request.wish.title), None


def _cut_off(request: Request) -> Resumed | None:
    """Return the sequence that a request was stopped in, or that has all; None: it begins anew.

    Raises
    ------
    UsageError
        Another program runs it now.
    """
    if not request.sequence:
        return None
    try:
        resumed = resume_plan(Path(request.sequence))
    except CalibStudioError as error:
        log.warning("request %s begins anew: %s", request.id, error)
        return None
    if resumed.running:
        raise UsageError(
            f"The sequence {resumed.path.name} is running in another window or program.",
            hint="Go on with it there, or put the request back when it has ended.",
        )
    is_whole = resumed.finished and resumed.good >= resumed.wanted
    return resumed if resumed.can_go_on or is_whole else None


def build_of_queue(
    ctx: JobContext, settings: RunSettings, files: tuple[Path, ...], **options: Any
) -> MastersReport:
    """Build the masters of what a queue took; ``options`` as of `run_job.build`."""
    job = RunJob(RunConfig(name="requests"), "", settings)
    return build(ctx, job, files, **options)[0]
