"""A running sequence on one screen: strip, steps, last frame over level plot, frames."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.capture import Answer, CaptureStatus, FrameResult, QuestionKind
from calibstudio.domain.equipment import Clock, Frame
from calibstudio.domain.kinds import kind_title
from calibstudio.domain.quality import Finding, Verdict
from calibstudio.domain.wording import exposure, number, quantity, utc_clock
from calibstudio.gui.capture.frames_list import FramesList
from calibstudio.gui.capture.run_state import CaptureRun
from calibstudio.gui.capture.sequence_panel import SequencePanel
from calibstudio.gui.capture.summary import SummaryStrip
from calibstudio.gui.context import GuiContext
from calibstudio.gui.picture.chips import PictureChips
from calibstudio.gui.picture.newest import NewestWorker
from calibstudio.gui.picture.plots import SeriesData, SeriesPlot
from calibstudio.gui.picture.view import PictureView
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import Legend, ground
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.verdict import VerdictCard, kind_of
from calibstudio.imaging.display import Pyramid, build_pyramid


class RunningView(QWidget):
    """What a sequence does, and what the operator may do about it.

    Signals
    -------
    left()
        The operator goes back to the home of Capture.
    """

    left = Signal()

    def __init__(self, context: GuiContext, run: CaptureRun, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context, self._run = context, run
        theme = self._theme = context.theme
        self.strip = SummaryStrip(theme)
        self.sequence = SequencePanel(theme)
        self.frames = FramesList(theme)
        self.picture = PictureView(theme)
        self.chips = PictureChips(theme, self.picture)
        self.plot = SeriesPlot(theme, name="Level of each frame", has_second=False)
        self.question = VerdictCard(theme)
        self._title = label("", "heading")
        self._about = ElidedLabel("", "small", tone="text2")
        self._maker = NewestWorker("capture-picture", self)
        self._asked: int | None = None
        self._stop_sheet: Sheet | None = None
        self.back = Button(theme, "Back to Capture", size=ButtonSize.SMALL)
        self._build()
        self._connect()

    def _build(self) -> None:
        splitter = Splitter("capture-running", sizes=(452, 968, 424))
        splitter.addWidget(self.sequence)
        splitter.addWidget(self._make_centre())
        splitter.addWidget(self.frames)
        splitter.setStretchFactor(1, 1)
        self.sequence.setMinimumWidth(340)
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
        row.addWidget(self.back)
        self.back.hide()
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
        for text, color in (
            ("kept", "series1"),
            ("kept with a warning", "warn"),
            ("not kept", "bad"),
        ):
            row.addWidget(Legend(self._theme, text, color, "dot"))
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
        self.strip.pause_wanted.connect(run.toggle_pause)
        self.strip.stop_wanted.connect(self.ask_to_stop)
        self.strip.skip_wanted.connect(lambda: run.control.skip_wait())
        self.frames.accept_wanted.connect(lambda index: run.control.accept(index))
        self.frames.reject_wanted.connect(lambda index: run.control.reject(index))
        self.back.clicked.connect(self.left)
        self._maker.done.connect(self._on_picture)

    def begin(self, title: str) -> None:
        """A sequence starts: forget the last one."""
        self.picture.set_picture(None)
        self.chips.show_verdict("", "")
        self.chips.show_empty("capture", "The first frame comes soon.")
        self._title.setText(title)
        self._about.setText("")
        self._holder.hide()
        self._asked = None
        self.back.hide()
        self.plot.set_series(SeriesData(np.empty(0), np.empty(0)), label="Level [ADU]")

    @property
    def _clock(self) -> Clock:
        return self._context.equipment.observatory.clock

    # The sequence

    @Slot(object)
    def _on_status(self, status: CaptureStatus) -> None:
        self.strip.show_status(status, self._clock)
        self.sequence.show_status(status)
        self.frames.show_status(status)
        self._show_question(status)
        self._show_levels(status)
        shown = next((f for f in reversed(status.frames)), None)
        if shown is not None:
            self._show_about(shown)

    def _show_about(self, frame: FrameResult) -> None:
        name = "Test frame" if frame.is_search and not frame.accepted else f"Frame {frame.number}"
        parts = [kind_title(frame.kind), frame.filter or "", exposure(frame.exposure_s)]
        parts.append(utc_clock(frame.taken_at))
        self._title.setText(name)
        self._about.setText(" · ".join(p for p in parts if p))
        level = "" if frame.level_adu is None else quantity(frame.level_adu, "ADU")
        self.chips.show_verdict(kind_of(frame.verdict), frame.reason or f"{level}, nothing wrong.")

    def _show_levels(self, status: CaptureStatus) -> None:
        state = status.step
        if state is None:
            return
        frames = [
            f
            for f in status.frames
            if f.step_id == state.step.id and f.level_adu is not None and (f.accepted or f.number)
        ]
        if not frames:
            return
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
            limits_text="" if band is None else f"{number(band[0])} to {number(band[1])} ADU",
            least_span=4.0,
        )

    def _show_question(self, status: CaptureStatus) -> None:
        question = status.question
        if question is None:
            self._holder.hide()
            self._asked = None
            return
        if self._asked == question.id:
            return
        self._asked = question.id
        verdict = Verdict.BAD if question.kind is QuestionKind.FAILURE else Verdict.WARN
        finding = Finding(verdict, "the sequence waits for you", question.text, "", question.hint)
        actions = [
            (words, lambda a=answer: self._answer(a)) for answer, words in question.answers.items()
        ]
        self.question.show_finding(finding, actions[:2])
        self._holder.show()

    def _answer(self, answer: Answer) -> None:
        self._run.answer(answer)
        self._holder.hide()

    @Slot(object)
    def _on_frame(self, frame: Frame) -> None:
        self._maker.ask(lambda: build_pyramid(frame.data))

    @Slot(object)
    def _on_picture(self, pyramid: Pyramid) -> None:
        self.chips.hide_empty()
        self.picture.set_picture(pyramid)
        self.chips.show_counts(pyramid)

    @Slot(object)
    def _on_ended(self, report: object) -> None:
        self._holder.hide()
        self.back.show()
        if self._stop_sheet is not None:
            self._stop_sheet.close()
            self._stop_sheet = None

    # Stopping

    @Slot()
    def ask_to_stop(self) -> None:
        """Ask before the sequence is ended: after this frame, or at once."""
        status = self._run.status
        if status is None or not self._run.is_running:
            return
        if status.stopping:
            self._run.control.go_on()
            return
        good = number(status.good)
        sheet = Sheet(self._theme, "Stop after this frame?", self)
        said = f"{good} good frames stay. Resume goes on at {number(status.good + 1)}."
        sheet.body.addWidget(label(said, "secondary", wrap=True))
        sheet.add_button("Go on", sheet.reject)

        def stop(now: bool) -> None:
            sheet.accept()
            if now:
                self._run.stop_now()
            else:
                self._run.stop_after_frame()

        sheet.add_button("Stop at once", lambda: stop(True))
        sheet.add_button("Stop after this frame", lambda: stop(False), ButtonKind.DANGER)
        sheet.finished.connect(lambda _code: setattr(self, "_stop_sheet", None))
        self._stop_sheet = sheet
        sheet.open()

    def set_compact(self, compact: bool) -> None:
        """Less room: the facts under the steps go."""
        self.sequence.set_compact(compact)

    def close_down(self) -> None:
        """Stop making pictures."""
        self._maker.close()
        self.picture.close_down()
