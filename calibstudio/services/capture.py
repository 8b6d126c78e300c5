"""Running a capture plan from start to end, on the camera's thread, with or without a screen."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from calibstudio.domain.capture import (
    ActivityKind,
    CaptureReport,
    CaptureStatus,
    FrameNotes,
    FrameSink,
    SequenceControl,
    StepPhase,
    StepState,
)
from calibstudio.domain.equipment import Frame, Observatory
from calibstudio.domain.errors import CalibStudioError, UsageError
from calibstudio.domain.jobs import JobContext, heeding
from calibstudio.domain.plan import CapturePlan, CaptureStep, Search
from calibstudio.domain.thresholds import Thresholds
from calibstudio.domain.wording import number
from calibstudio.services.capture_check import preflight, raise_if_impossible
from calibstudio.services.capture_frames import FrameTaker, frame_on_disk
from calibstudio.services.capture_journal import Origin, StateLog
from calibstudio.services.capture_run import (
    SequenceRun,
    SequenceStopped,
    StepEnded,
    Surroundings,
)
from calibstudio.services.capture_scene import Scene
from calibstudio.services.capture_state import Resumed, resume_plan, settle
from calibstudio.services.capture_steps import StepRunner
from calibstudio.services.cooling import CoolingRules
from calibstudio.services.latest import Latest
from calibstudio.services.rig_limits import limits_of_rig
from calibstudio.services.trained import TrainedKey, TrainedStore

log = logging.getLogger(__name__)


def run_sequence(
    ctx: JobContext,
    observatory: Observatory,
    plan: CapturePlan,
    sink: FrameSink,
    control: SequenceControl,
    on_status: Callable[[CaptureStatus], None],
    *,
    thresholds: Thresholds | None = None,
    trained: TrainedStore | None = None,
    preview: Latest[Frame] | None = None,
    cooling: CoolingRules | None = None,
    resumed: Resumed | None = None,
    origin: Origin | None = None,
) -> CaptureReport:
    """Take the frames of a plan until each step has as many good ones as it wants.

    Runs in the camera's thread. Every frame is kept before it is shown, judged as it arrives, and
    taken again when it is bad; the bad one stays aside with its reason. A step that fails says why
    and the rest goes on. The lamp is off, and cover and filter are as they were, whatever happens.

    Parameters
    ----------
    ctx
        Its token ends everything within about a second; frames that are complete stay.
    thresholds
        Limits of quality; None: those of the rig, else the usual ones.
    control
        The operator's hand: pause, stop after this frame, answers, reviews.
    on_status
        Called in this thread with a new immutable state at each change.
    trained
        Where searches start, and what they teach.
    preview
        The newest frame, for looking.
    resumed
        A sequence read by `resume_plan`, to go on with; ``plan`` must be its plan, and the sink
        must write to its folder. It is read once more when its file is locked.
    origin
        What is written down about where a new sequence comes from; the camera is added.

    Returns
    -------
    CaptureReport
        Also after a stop that was asked for (``stopped``); its ``state_path`` resumes it.

    Raises
    ------
    Cancelled
        The job's token was set.
    UsageError, WriteProblemError, DeviceError
        The sequence cannot start at all; nothing moved.
    """
    if thresholds is None:
        thresholds = limits_of_rig(observatory.rig)
    around = Surroundings(
        ctx, observatory, sink, control, on_status, thresholds, trained, preview,
        cooling or CoolingRules(),
    )  # fmt: skip
    # The sequence hears its token between its own steps; a frame that was taken is judged and
    # written whole, whoever listens around it.
    with heeding(None):
        scene, run, resumed = _begun(around, plan, resumed, origin or Origin())
        return _carried_out(run, scene, resumed)


def _begun(
    around: Surroundings, plan: CapturePlan, resumed: Resumed | None, origin: Origin
) -> tuple[Scene, SequenceRun, Resumed | None]:
    """Check plan and equipment, remember how it stands, and open the journal."""
    journal = None
    if resumed is not None:
        _check_same(resumed, plan, around)
        journal = StateLog.again(resumed.path, resumed.root, resumed.id)
    try:
        if resumed is not None:
            settle(resumed.path)
            resumed = resume_plan(resumed.path)
        run = _prepared(around, plan, resumed)
        run.say(ActivityKind.STARTING, "Looking at the equipment")
        left = _left_to_take(plan, run.steps)
        if left.steps:
            raise_if_impossible(
                preflight(
                    around.observatory, left, around.sink.folder,
                    rules=around.cooling, trained=around.trained,
                )
            )  # fmt: skip
        scene = Scene(run)
        was_cut_off = resumed.before if resumed is not None else None
        before = scene.remember(was_cut_off, resumed.agreed_c if resumed is not None else None)
        journal = _open_log(run, resumed, journal, origin)
        journal.before(before)
    except BaseException:
        if journal is not None:
            journal.close()
        raise
    return scene, run, resumed


def _check_same(resumed: Resumed, plan: CapturePlan, around: Surroundings) -> None:
    """Refuse to go on with another plan, another camera, or into another folder."""
    if resumed.plan != plan:
        raise UsageError(
            "The sequence to go on with has another plan.", hint="Resume it with its own plan."
        )
    if around.sink.folder.resolve() != resumed.root:
        raise UsageError(
            f"The sequence writes to {resumed.root}, not to {around.sink.folder}.",
            hint="Resume it with its own folder.",
        )
    began, info = resumed.origin, around.info
    other_name = began.camera and began.camera != info.name
    other_serial = began.serial and info.serial and began.serial != info.serial
    if other_name or other_serial:
        serial = f" ({began.serial})" if other_serial else ""
        raise UsageError(
            f"The sequence was begun with {began.camera}{serial}; {info.name} is connected.",
            hint="Connect that camera, or start a new sequence.",
        )


def _carried_out(run: SequenceRun, scene: Scene, resumed: Resumed | None) -> CaptureReport:
    """Take what is left; put everything back whatever happens."""
    stopped, why = False, ""
    try:
        taker = FrameTaker(run, scene)
        runner = StepRunner(run, scene, taker)
        if resumed is not None:
            runner.remember(resumed.frames)
            _remember_last(taker, resumed, run)
        runner.run_all()
        if run.plan.warm_up:
            scene.cooler.warm_up()
    except SequenceStopped as stop:
        stopped, why = True, str(stop)
    except StepEnded as ended:  # warming up was left out after the camera was lost
        run.note(str(ended))
    finally:
        _close(run, scene)
    return _report(run, stopped=stopped, why=why)


def _remember_last(taker: FrameTaker, resumed: Resumed, run: SequenceRun) -> None:
    """Tell the pixels of the last frame on disk: a camera may deliver them once more."""
    last = next((f for f in reversed(resumed.frames) if f.path is not None), None)
    if last is None:
        return
    step = run.plan.step(last.step_id)
    frame = frame_on_disk(step, last, run.around.observatory.camera)
    if frame is not None:
        taker.remember_pixels(frame.data)


def _prepared(around: Surroundings, plan: CapturePlan, resumed: Resumed | None) -> SequenceRun:
    if resumed is None:
        return SequenceRun(
            around,
            plan,
            tuple(StepState(s, exposure_s=_expected_s(s, around.trained)) for s in plan.steps),
        )
    run = SequenceRun(around, plan, resumed.steps)
    run.frames = list(resumed.frames)
    run.notes = list(resumed.notes)
    run.earlier_tries = dict(resumed.tries)
    return run


def _expected_s(step: CaptureStep, trained: TrainedStore | None) -> float | None:
    """Return the exposure a step is given, or was found last time; None: nobody knows yet."""
    if step.exposure_s is not None or step.search is not Search.EXPOSURE or trained is None:
        return step.exposure_s
    value = trained.find(TrainedKey.of(step.settings, step.filter, step.brightness))
    return None if value is None else value.exposure_s


def _left_to_take(plan: CapturePlan, steps: list[StepState]) -> CapturePlan:
    """Return the plan of what is still wanted, for the pre-flight."""
    left = []
    ids = set()
    for state in steps:
        if state.phase.is_over or state.good >= state.wanted:
            continue
        step = replace(state.step, count=state.wanted - state.good)
        if step.exposure_from is not None and step.exposure_from not in ids:
            step = replace(step, exposure_from=None, exposure_s=state.exposure_s or 1.0)
        ids.add(step.id)
        left.append(step)
    return replace(plan, steps=tuple(left))


def _open_log(
    run: SequenceRun, resumed: Resumed | None, journal: StateLog | None, origin: Origin
) -> StateLog:
    """Begin, or go on, in the sequence's file; what was found out at the start is written down."""
    around = run.around
    now = around.now()
    if resumed is not None and journal is not None:
        run.folder, run.state_log = resumed.path.parent, journal
        journal.resumed(now)
        for frame in resumed.news:
            journal.frame(frame)
        return journal
    first = run.plan.steps[0]
    notes = FrameNotes(observatory=around.observatory, kind=first.kind, filter=first.filter)
    run.folder = around.sink.night_folder(notes, now)
    info = around.info
    known = replace(origin, camera=info.name, serial=info.serial or "")
    run.state_log = StateLog.begin(run.plan, run.folder, around.sink.folder, now, origin=known)
    return run.state_log


def _close(run: SequenceRun, scene: Scene) -> None:
    """Put everything back and say that it is over; raises nothing."""
    run.say(ActivityKind.STOPPING, "Lamp off, cover and filter as they were")
    for problem in scene.restore():
        run.note(problem)
    is_done = all(s.phase.is_over and s.phase is not StepPhase.FAILED for s in run.steps)
    if run.state_log is not None:
        try:
            run.state_log.end(finished=is_done, at=run.around.now())
        except CalibStudioError as error:
            run.note(f"The end of the sequence was not noted: {error}")
    run.finished = True
    run.question = None
    good = sum(s.good for s in run.steps)
    run.say(ActivityKind.FINISHED, f"{number(good)} good frames kept")


def _report(run: SequenceRun, *, stopped: bool, why: str) -> CaptureReport:
    problems = [(why, "Resume goes on where it was.")] if why else []
    problems += [
        (f"{state.step.title}: {state.text}", state.hint)
        for state in run.steps
        if state.phase is StepPhase.FAILED
    ]
    is_done = all(s.phase in (StepPhase.DONE, StepPhase.SKIPPED) for s in run.steps)
    run.around.ctx.progress(1.0, "Sequence finished" if is_done else "Sequence ended")
    return CaptureReport(
        plan=run.plan,
        steps=tuple(run.steps),
        frames=tuple(run.frames),
        folder=run.folder,
        state_path=None if is_done or run.state_log is None else run.state_log.path,
        journal=None if run.state_log is None else run.state_log.path,
        stopped=stopped,
        problems=tuple(problems),
        notes=tuple(run.notes),
    )
