"""A running sequence on one screen: strip, steps, last frame over level plot, frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.capture import (
    ActivityKind,
    Answer,
    CaptureReport,
    CaptureStatus,
    FrameResult,
)
from calibstudio.domain.equipment import Clock, Frame
from calibstudio.domain.kinds import kind_title
from calibstudio.domain.outlook import saturation_adu
from calibstudio.domain.quality import Verdict
from calibstudio.domain.wording import count, exposure, number, quantity, utc_clock
from calibstudio.gui.capture.frames_list import FramesList, is_test
from calibstudio.gui.capture.question_bar import QuestionBar
from calibstudio.gui.capture.run_state import CaptureRun
from calibstudio.gui.capture.sequence_panel import SequencePanel
from calibstudio.gui.capture.summary import SummaryStrip
from calibstudio.gui.context import GuiContext
from calibstudio.gui.picture.chips import PictureChips
from calibstudio.gui.picture.newest import NewestWorker
from calibstudio.gui.picture.plot_base import Mark
from calibstudio.gui.picture.plots import SeriesData, SeriesPlot
from calibstudio.gui.picture.view import PictureView
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.widgets.buttons import ButtonKind
from calibstudio.gui.widgets.panels import Legend, ground
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.verdict import kind_of
from calibstudio.gui.widgets.workspace import FramesOf
from calibstudio.imaging.display import Pyramid, build_pyramid
from calibstudio.imaging.display_stretch import Curve

if TYPE_CHECKING:
    from calibstudio.services.masters import MastersReport


WIDE, COMPACT = (452, 968, 424), (416, 556, 330)


def good_words(frame: FrameResult, target_adu: float | None) -> str:
    """Say of a good frame how good it is: ``32 098 ADU, 0.3 % from target. S/N 89 per pixel.``"""
    if frame.level_adu is None:
        return "Nothing wrong."
    said = quantity(frame.level_adu, "ADU")
    if target_adu:
        off = 100 * abs(frame.level_adu - target_adu) / target_adu
        said += f", {quantity(off, '%', 1)} from target"
    snr = frame.assessment.value("snr")
    if snr is not None and frame.kind.needs_light:
        said += f". S/N {number(snr)} per pixel"
    return f"{said}. Nothing wrong."


def kept_words(status: CaptureStatus, *, is_queue: bool = False) -> str:
    """Say what stays when it is stopped: ``18 good frames stay; Resume goes on at 19.``

    ``is_queue``: it is a request of the queue, which is gone on with by running the queue.
    """
    stay = "stays" if status.good == 1 else "stay"
    kept = count(status.good, "good frame")
    if is_queue:
        return (
            f"{kept} of this request {stay}. It waits in the queue, with those after it, and goes "
            f"on at {number(status.good + 1)} when the queue is run again."
        )
    return f"{kept} {stay}; Resume goes on at {number(status.good + 1)}."


class RunningView(QWidget):
    """What a sequence does, and what the operator may do about it.

    Signals
    -------
    left()
        The operator goes back to the home of Capture.
    resume_wanted()
        The sequence that is shown is to go on.
    frames_wanted(FramesOf)
        Its frames are to be looked at.
    masters_wanted()
        Its masters are to be looked at.
    """

    left = Signal()
    resume_wanted = Signal()
    frames_wanted = Signal(object)
    masters_wanted = Signal()

    def __init__(self, context: GuiContext, run: CaptureRun, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context, self._run = context, run
        theme = self._theme = context.theme
        self.strip = SummaryStrip(theme)
        self.sequence = SequencePanel(theme)
        self.frames = FramesList(theme)
        self.picture = PictureView(theme)
        self.chips = PictureChips(theme, self.picture)
        self.curve = SegmentedControl(
            theme,
            [(Curve.AUTO, "Auto"), (Curve.LINEAR, "Linear")],
            name="Stretch",
            value=Curve.AUTO,
        )
        self.plot = SeriesPlot(theme, name="Level of each frame", has_second=False)
        self.question = QuestionBar(theme, self._answer)
        self._title = label("", "heading")
        self._about = ElidedLabel("", "small", tone="text2")
        self._maker = NewestWorker("capture-picture", self)
        self._looked_at: str | None = None
        self._stop_sheet: Sheet | None = None
        self._build()
        self._connect()

    def _build(self) -> None:
        splitter = self._splitter = Splitter("capture-running", sizes=WIDE)
        splitter.addWidget(self.sequence)
        splitter.addWidget(self._make_centre())
        splitter.addWidget(self.frames)
        splitter.setStretchFactor(1, 1)
        self.sequence.setMinimumWidth(416)
        self.frames.setMinimumWidth(316)
        holder = self._holder = QWidget()
        inner = QVBoxLayout(holder)
        inner.setContentsMargins(16, 12, 16, 12)
        inner.addWidget(self.question)
        holder.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.strip)
        column.addWidget(holder)
        column.addWidget(splitter, 1)

    def _make_centre(self) -> QWidget:
        head = ground("panel", border="bottom")
        head.setFixedHeight(44)
        row = QHBoxLayout(head)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(8)
        row.addWidget(self._title)
        row.addWidget(self._about, 1)
        row.addWidget(label("Stretch", "label"))
        row.addWidget(self.curve)
        top = QWidget()
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(self.picture, 1)
        centre = Splitter("capture-centre", Qt.Orientation.Vertical, sizes=(600, 300))
        centre.addWidget(top)
        centre.addWidget(self._make_plot())
        centre.setStretchFactor(0, 2)
        centre.setStretchFactor(1, 1)
        return centre

    def _make_plot(self) -> QWidget:
        head = ground("panel", border="bottom")
        head.setFixedHeight(40)
        row = QHBoxLayout(head)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(16)
        row.addWidget(label("Level of each frame", "heading"))
        row.addStretch(1)
        for text, color, mark in (
            ("kept", "series1", "dot"),
            ("with a warning", "warn", "triangle"),
            ("replaced", "bad", "cross"),
        ):
            row.addWidget(Legend(self._theme, text, color, mark))
        widget = QWidget()
        column = QVBoxLayout(widget)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(self.plot, 1)
        return widget

    def _connect(self) -> None:
        run = self._run
        run.changed.connect(self._on_status)
        run.frame_arrived.connect(self._on_frame)
        run.ended.connect(self._on_ended)
        run.queue_ended.connect(lambda _report: self._on_ended(None))
        run.masters_begun.connect(lambda: self.sequence.masters.show_state("running", "Running"))
        run.masters_built.connect(self._on_masters)
        run.masters_over.connect(self._on_masters_over)
        self.sequence.masters.masters_wanted.connect(self.masters_wanted)
        strip = self.strip
        strip.pause_wanted.connect(run.toggle_pause)
        strip.stop_wanted.connect(self.ask_to_stop)
        strip.skip_wanted.connect(lambda: run.control.skip_wait())
        strip.resume_wanted.connect(self.resume_wanted)
        strip.back_wanted.connect(self.left)
        strip.frames_wanted.connect(self._on_frames_wanted)
        self.sequence.step_chosen.connect(self._on_step_chosen)
        self.frames.accept_wanted.connect(lambda index: run.review(index, keep=True))
        self.frames.reject_wanted.connect(lambda index: run.review(index, keep=False))
        self._maker.done.connect(self._on_picture)
        self.curve.chosen.connect(lambda curve: self.picture.set_curve(Curve(str(curve))))

    def begin(self, title: str) -> None:
        """A sequence starts: forget the last one."""
        self.picture.set_picture(None)
        self.chips.show_counts(None)
        self.chips.show_verdict("", "")
        self.chips.show_empty("capture", "The first frame comes soon.")
        self._title.setText(title)
        self._about.setText("")
        self._holder.hide()
        self.question.forget()
        self._looked_at = None
        self.strip.begin(title)
        self.sequence.masters.show_state("waiting", "Waiting")
        self.plot.set_series(SeriesData(np.empty(0), np.empty(0)), label="Level [ADU]")

    @property
    def _clock(self) -> Clock:
        return self._context.equipment.observatory.clock

    # The sequence

    @Slot(object)
    def _on_status(self, status: CaptureStatus) -> None:
        run = self._run
        self.strip.show_status(
            status, self._clock, pausing=run.control.paused, ending=run.is_ending
        )
        self._show_steps(status)
        self._show_question(status)
        if status.frames:
            self._show_about(status, status.frames[-1])

    def _show_steps(self, status: CaptureStatus) -> None:
        shown = self._step_shown(status)
        self.sequence.show_status(status, shown)
        self.frames.show_status(status, shown, self._clock)
        self._show_levels(status, shown)

    def _step_shown(self, status: CaptureStatus) -> str | None:
        """The step that is looked at: the one chosen, else the one that runs, else the last."""
        if self._looked_at is not None:
            return self._looked_at
        if status.finished and status.frames:
            return status.frames[-1].step_id
        return None if status.step is None else status.step.step.id

    @Slot(str)
    def _on_step_chosen(self, step_id: str) -> None:
        """Look at a step; choosing the one that runs follows the sequence again."""
        status = self._run.status
        if status is None:
            return
        follows = status.step is not None and status.step.step.id == step_id
        self._looked_at = None if follows and not status.finished else step_id
        self._show_steps(status)

    def _show_about(self, status: CaptureStatus, frame: FrameResult) -> None:
        name = "Test frame" if is_test(frame) else f"Frame {frame.number}"
        parts = [kind_title(frame.kind), frame.filter or "", exposure(frame.exposure_s)]
        parts.append(utc_clock(frame.taken_at))
        self._title.setText(name)
        self._about.setText(" · ".join(p for p in parts if p))
        step = next((s for s in status.steps if s.step.id == frame.step_id), None)
        target = None if step is None else step.target_adu
        said = frame.reason or good_words(frame, target)
        if is_test(frame):
            self.chips.show_verdict("info", said, "Test")
        else:
            self.chips.show_verdict(kind_of(frame.verdict), said)

    def _show_levels(self, status: CaptureStatus, step_id: str | None) -> None:
        state = next((s for s in status.steps if s.step.id == step_id), None)
        if state is None:
            return
        frames = [
            f
            for f in status.frames
            if f.step_id == step_id and f.level_adu is not None and (f.accepted or f.number)
        ]
        kinds = [
            "bad" if not f.accepted else "warn" if f.verdict is Verdict.WARN else "good"
            for f in frames
        ]
        band = state.band_adu
        self.plot.set_series(
            SeriesData(
                np.array([f.number for f in frames], dtype=np.float64),
                np.array([f.level_adu for f in frames], dtype=np.float64),
                kinds,
            ),
            label="Level [ADU]",
            limits=band,
            limits_text=""
            if band is None
            else f"limits {number(band[0])}–{quantity(band[1], 'ADU')}",
            least_span=4.0,
        )
        target = [] if state.target_adu is None else [Mark(state.target_adu, "target", "text3")]
        self.plot.set_h_marks(target)

    def _show_question(self, status: CaptureStatus) -> None:
        question = status.question
        if status.finished or self._run.is_ending:
            question = None
        elif question is None and status.activity.kind is ActivityKind.RECONNECTING:
            self.question.say("warn", status.activity.text, "Complete frames are kept.")
            self._holder.show()
            return
        if question is None:
            self._holder.hide()
            self.question.forget()
            return
        self.question.ask(question, folder=status.folder)
        self._holder.show()

    def _answer(self, answer: Answer) -> None:
        self._run.answer(answer)
        self._holder.hide()

    def do_primary(self) -> None:
        """Do what the filled button says: answer, pause, resume or go back."""
        if self._holder.isVisible():
            self.question.answer_first()
            return
        for button in (self.strip.resume, self.strip.back, self.strip.pause):
            if button.isVisible() and button.isEnabled():
                button.click()
                return

    @Slot(object)
    def _on_frame(self, frame: Frame) -> None:
        info = self._context.equipment.observatory.camera.info
        status = self._run.status
        bias = status.bias_adu if status is not None else None
        limit = saturation_adu(info, bias or 0.0, frame.conversion)
        self._maker.ask(lambda: build_pyramid(frame.data, saturation=limit))

    @Slot(object)
    def _on_picture(self, pyramid: Pyramid) -> None:
        self.chips.hide_empty()
        self.picture.set_picture(pyramid)
        self.chips.show_counts(pyramid)

    @Slot(object)
    def _on_ended(self, report: CaptureReport | None) -> None:
        self._holder.hide()
        built = report is not None and report.accepted and not report.stopped
        if not built:
            self.sequence.masters.show_state("info", "Not built")
        if self._stop_sheet is not None:
            self._stop_sheet.close()
            self._stop_sheet = None

    @Slot(object)
    def _on_masters(self, report: MastersReport) -> None:
        verdicts = [built.record.verdict for built in report.masters]
        if not verdicts:
            self.sequence.masters.show_state("bad", "None built")
            return
        worst = max(verdicts, key=lambda v: v.severity)
        self.sequence.masters.show_state(
            kind_of(worst), f"{number(len(verdicts))} built", built=True
        )

    @Slot()
    def _on_masters_over(self) -> None:
        # A report has said it already; without one it was stopped or failed.
        if self.sequence.masters.tag.accessibleName() == "Running":
            self.sequence.masters.show_state("bad", "Not built")

    @Slot()
    def _on_frames_wanted(self) -> None:
        status = self._run.status
        if status is None or status.folder is None:
            return
        looked_at = self._step_shown(status)
        kept = [f for f in status.frames if f.accepted and f.path is not None]
        kept.sort(key=lambda f: f.step_id != looked_at)
        frames = tuple(f.path for f in kept if f.path is not None)
        self.frames_wanted.emit(FramesOf(status.folder, frames))

    # Stopping

    @Slot()
    def ask_to_stop(self) -> None:
        """Ask before the sequence is ended: after this frame, or at once."""
        status = self._run.status
        if status is None or not self._run.is_running:
            return
        if status.stopping:
            self._run.go_on()
            return
        sheet = Sheet(self._theme, "Stop after this frame?", self)
        said = label("", "secondary", wrap=True)
        sheet.body.addWidget(said)

        def say(status: CaptureStatus) -> None:
            said.setText(kept_words(status, is_queue=self._run.is_queue))

        say(status)
        self._run.changed.connect(say)
        sheet.add_button("Go on", sheet.reject)

        def stop(now: bool) -> None:
            sheet.accept()
            if now:
                self._run.stop_now()
            else:
                self._run.stop_after_frame()

        sheet.add_button("Stop at once", lambda: stop(True))
        sheet.add_button("Stop after this frame", lambda: stop(False), ButtonKind.DANGER)
        sheet.finished.connect(lambda _code: self._run.changed.disconnect(say))
        sheet.finished.connect(lambda _code: setattr(self, "_stop_sheet", None))
        self._stop_sheet = sheet
        sheet.open()

    def set_compact(self, compact: bool) -> None:
        """Less room: narrower sides, and less in the strip."""
        self._splitter.suggest(COMPACT if compact else WIDE)
        self.sequence.set_compact(compact)
        self.strip.set_compact(compact)
        self.frames.set_compact(compact)

    def close_down(self) -> None:
        """Stop making pictures."""
        self._maker.close()
        self.picture.close_down()
