"""One running sequence: its job on the camera's thread, its newest status, the operator's hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from calibstudio.domain.capture import Answer, CaptureReport, CaptureStatus, SequenceControl
from calibstudio.domain.equipment import Frame
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.plan import CapturePlan
from calibstudio.gui.building import report_in_background
from calibstudio.gui.context import GuiContext
from calibstudio.gui.jobs.runner import Job
from calibstudio.services.latest import Latest

if TYPE_CHECKING:
    from calibstudio.domain.requests import Request
    from calibstudio.services.capture_state import Resumed
    from calibstudio.services.masters import MastersReport
    from calibstudio.services.request_run import QueueReport
    from calibstudio.services.run_job import RunJob, RunSettings

LOOK_EVERY_MS = 60
"""The newest status and frame are shown so often; what came between is not missed."""


class CaptureRun(QObject):
    """Starts sequences, tells what they do, and builds their masters when they are done.

    Signals
    -------
    changed(CaptureStatus)
        The newest status of the sequence.
    frame_arrived(Frame)
        A frame to look at; frames that came too fast are skipped.
    ended(CaptureReport | None)
        The sequence is over; None when it failed or was cancelled.
    masters_begun()
        Masters are being built in the background.
    masters_built(object)
        The report of the masters service.
    masters_over()
        Building is over, whatever came of it.
    request_begun(Request, int, int)
        The next of the queue begins: which it is, and of how many, counted from 1.
    queue_ended(QueueReport | None)
        The queue is carried out, or was stopped; None when it failed or was cancelled.
    """

    changed = Signal(object)
    frame_arrived = Signal(object)
    ended = Signal(object)
    masters_begun = Signal()
    masters_built = Signal(object)
    masters_over = Signal()
    request_begun = Signal(object, int, int)
    queue_ended = Signal(object)

    def __init__(self, context: GuiContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._preview: Latest[Frame] = Latest()
        self._newest: Latest[CaptureStatus] = Latest()
        self._begun: Latest[tuple[Request, int, int]] = Latest()
        self._job: Job | None = None
        self._running: RunJob | None = None
        self.is_ending = False
        """Stopped at once: devices are being made safe."""
        self.is_queue = False
        """Whether what runs, or ran last, is a request of the queue."""
        self.control = SequenceControl()
        self.status: CaptureStatus | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_EVERY_MS)
        self._timer.timeout.connect(self._on_look)

    @property
    def is_running(self) -> bool:
        """Whether a sequence is under way."""
        return self._job is not None

    def start(
        self, plan: CapturePlan, resumed: Resumed | None = None, job: RunJob | None = None
    ) -> None:
        """Carry out a plan. One sequence at a time: the camera has one thread.

        ``job``: of a file, whose folders, library, recipe and answers count. None: the settings'.
        """
        if self._job is not None:
            return
        from calibstudio.services.run_job import capture

        context = self._context
        running = self._running = job or self._job_of(resumed)
        self.control = control = SequenceControl(answers=running.config.answers)
        self.status = None
        self.is_ending = self.is_queue = False
        trained_folder = context.data_folder
        newest = self._newest = Latest()

        def work(ctx: JobContext) -> CaptureReport:
            observatory = context.equipment.observatory
            return capture(
                ctx, running, observatory, plan, control, newest.put, trained_folder,
                self._preview,
            )  # fmt: skip

        self._job = context.camera_jobs.submit(plan.title, work)
        self._job.succeeded.connect(self._on_report)
        self._job.failed.connect(self._on_failed)
        self._job.cancelled.connect(self._on_cancelled)
        self._timer.start()

    def start_queue(self) -> None:
        """Carry out every request that waits, the most urgent first."""
        if self._job is not None:
            return
        context, settings = self._context, settings_of_run(self._context)
        self._running, self.status, self.is_ending = None, None, False
        self.is_queue = True
        newest = self._newest = Latest()
        begun = self._begun = Latest()

        def operator() -> tuple[SequenceControl, Callable[[CaptureStatus], None]]:
            # In the camera's thread: each request has a hand of its own.
            self.control = SequenceControl()
            return self.control, newest.put

        def work(ctx: JobContext) -> QueueReport:
            from calibstudio.services.request_run import run_queue

            return run_queue(
                ctx, context.open_library(), context.equipment.observatory, settings, operator,
                context.data_folder, on_begin=lambda *which: begun.put(which),
                preview=self._preview, with_masters=False,
            )  # fmt: skip

        job = self._job = context.camera_jobs.submit("Requests", work)
        job.succeeded.connect(lambda report: self._on_queue_report(report, settings))
        job.failed.connect(self._on_queue_failed)
        job.cancelled.connect(self._on_queue_cancelled)
        self._timer.start()

    def _on_queue_report(self, report: QueueReport, settings: RunSettings) -> None:
        self._finish()
        self.queue_ended.emit(report)
        if not report.files:
            return
        site = self._context.settings.current.site
        stop_at_broken = self._context.settings.current.stop_at_broken
        rigs = self._context.connection.rigs

        def work(ctx: JobContext) -> MastersReport:
            from calibstudio.services.request_run import build_of_queue
            from calibstudio.services.rig_limits import limits_here

            return build_of_queue(
                ctx,
                settings,
                report.files,
                site=site,
                stop_at_broken=stop_at_broken,
                rigs=limits_here(rigs),
            )

        job = report_in_background(
            self._context, "Masters of the requests", work, self.masters_built.emit
        )
        job.finished.connect(self.masters_over)
        self.masters_begun.emit()

    @Slot(object)
    def _on_queue_failed(self, error: Exception) -> None:
        self._finish()
        self._context.problems.report(error)
        self.queue_ended.emit(None)

    @Slot()
    def _on_queue_cancelled(self) -> None:
        self._finish()
        said = "The queue was stopped. What was being taken waits again; complete frames are kept."
        self._context.toasts.say(said, "info")
        self.queue_ended.emit(None)

    def _job_of(self, resumed: Resumed | None) -> RunJob:
        """Return what a plan of the window, or a sequence that goes on, is carried out with."""
        from calibstudio.domain.run_config import RunConfig
        from calibstudio.services.run_job import RunJob, job_of_sequence

        settings = settings_of_run(self._context)
        if resumed is None:
            return RunJob(RunConfig(name=""), "", settings)
        try:
            return job_of_sequence(resumed, settings)
        except CalibStudioError as error:
            # What was kept of its file makes no sense any more: the frames are taken all the same.
            self._context.problems.report(error)
            known = replace(settings, frames_folder=resumed.root)
            return RunJob(RunConfig(name=resumed.path.name), "", known, resumed)

    # The operator's hand

    def toggle_pause(self) -> None:
        """Pause before the next frame, or go on."""
        if self.control.paused:
            self.control.resume()
        else:
            self.control.pause()
        self._tell()

    def stop_after_frame(self) -> None:
        """End when the frame now being taken is kept."""
        self.control.stop_after_frame()
        self._tell()

    def go_on(self) -> None:
        """Take back `stop_after_frame`, while there is time."""
        self.control.go_on()
        self._tell()

    def _tell(self) -> None:
        """Show at once what was asked for: the next status may be an exposure away."""
        if self.status is not None and not self.status.finished:
            self.status = replace(self.status, stopping=self.control.stopping)
            self.changed.emit(self.status)

    def stop_now(self) -> None:
        """End at once; the frame being taken is thrown away, complete ones stay."""
        if self._job is not None:
            self.is_ending = True
            self._job.cancel()
            self._tell()

    def review(self, index: int, *, keep: bool) -> None:
        """Keep a frame after all, or leave it out; also when the sequence is over."""
        if self.is_running:
            if keep:
                self.control.accept(index)
            else:
                self.control.reject(index)
            return
        status = self.status
        if status is None or status.journal is None:
            return
        journal = status.journal

        def work(ctx: JobContext) -> Resumed:
            from calibstudio.services.capture_review import review_frame

            return review_frame(journal, index, keep=keep)

        job = self._context.background.submit("Review", work, quiet=True)
        job.succeeded.connect(self._on_reviewed)
        job.failed.connect(self._context.problems.report)

    @Slot(object)
    def _on_reviewed(self, reviewed: Resumed) -> None:
        """Show the sequence as it is now, unless another one runs already."""
        status = self.status
        if self.is_running or status is None or status.journal != reviewed.path:
            return
        # What the steps found out about their levels is not in the journal.
        known = {state.step.id: state for state in status.steps}
        steps = tuple(
            replace(
                known[s.step.id], phase=s.phase, good=s.good, tried=s.tried, warned=s.warned,
                replaced=s.replaced, text=s.text,
            )
            for s in reviewed.steps
        )  # fmt: skip
        self.status = replace(status, steps=steps, frames=reviewed.frames)
        self.changed.emit(self.status)

    def answer(self, answer: Answer) -> None:
        """Answer the question that is asked now."""
        if self.status is not None and self.status.question is not None:
            self.control.answer(self.status.question, answer)

    # What comes back

    @Slot()
    def _on_look(self) -> None:
        begun = self._begun.take()
        if begun is not None:
            self.request_begun.emit(*begun)
        status = self._newest.take()
        if status is not None:
            # A status that was on its way does not know yet what was asked for meanwhile.
            stopping = self.control.stopping and not status.finished
            self.status = replace(status, stopping=stopping)
            self.changed.emit(self.status)
        frame = self._preview.take()
        if frame is not None:
            self.frame_arrived.emit(frame)

    @Slot(object)
    def _on_report(self, report: CaptureReport) -> None:
        self._finish()
        for sentence, hint in report.problems:
            self._context.toasts.say(sentence, "warn", hint=hint)
        self.ended.emit(report)
        if self._running is not None and self.builds_masters(report):
            self.build_masters(report, self._running)

    def builds_masters(self, report: CaptureReport | None) -> bool:
        """Whether masters are built of the sequence that ended with this report."""
        if report is None or self._running is None or report.stopped:
            return False
        wanted = report.plan.build_masters and self._running.config.masters
        return wanted and bool(report.accepted)

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        self._finish()
        self._context.problems.report(error)
        self.ended.emit(None)

    @Slot()
    def _on_cancelled(self) -> None:
        self._finish()
        self._context.toasts.say("The sequence was stopped. Complete frames are kept.", "info")
        self.ended.emit(None)

    def _finish(self) -> None:
        self._job = None
        self._timer.stop()
        self._on_look()

    # Masters

    def build_masters(self, report: CaptureReport, run: RunJob) -> None:
        """Build, judge and file the masters that the frames allow, in the background."""
        context, files = self._context, report.accepted
        observatory, journal = context.equipment.observatory, report.journal
        settings, rigs = context.settings.current, context.connection.rigs

        def work(ctx: JobContext) -> MastersReport:
            from calibstudio.services.rig_limits import limits_here
            from calibstudio.services.run_job import build, note_masters

            made, _ = build(
                ctx,
                run,
                files,
                site=settings.site,
                memory_bytes=settings.stack_memory_bytes,
                stop_at_broken=settings.stop_at_broken,
                rigs=limits_here(rigs),
            )
            if journal is not None:
                # A sequence that goes on later knows that these are there.
                note_masters(journal, run.settings.frames_folder, observatory.clock.now())
            return made

        title = f"Masters of {report.plan.title}"
        job = report_in_background(context, title, work, self.masters_built.emit)
        job.finished.connect(self.masters_over)
        self.masters_begun.emit()


def settings_of_run(context: GuiContext) -> RunSettings:
    """Return what the settings of the window say for a sequence."""
    from calibstudio.services.run_job import RunSettings

    settings = context.settings.current
    rig = context.rig_name
    return RunSettings(rig, settings.frames_folder, context.library)
