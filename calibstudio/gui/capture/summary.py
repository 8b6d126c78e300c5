"""The strip over a running sequence: good frames, the whole bar, time to go, Pause and Stop."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.capture import ActivityKind, CaptureStatus, StepPhase, StepState
from calibstudio.domain.equipment import Clock
from calibstudio.domain.plan import Search
from calibstudio.domain.wording import (
    count,
    duration,
    exposure,
    file_size,
    number,
    quantity,
    utc_clock,
)
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.progress import ProgressBar
from calibstudio.gui.widgets.text import ElidedLabel, label, plain
from calibstudio.gui.widgets.verdict import StatusDot

TICK_MS = 200


def outcome(status: CaptureStatus) -> tuple[str, str]:
    """Return the kind and the word for a sequence that is over."""
    if any(not s.phase.is_over for s in status.steps):
        return "waiting", "Stopped"
    if any(s.phase is StepPhase.FAILED for s in status.steps):
        return "bad", "Finished, with steps that failed"
    return "good", "Finished"


def _was_searched(state: StepState) -> bool:
    """Whether its exposure is not in the step's own title."""
    step = state.step
    searched = step.search is Search.EXPOSURE or step.exposure_from is not None
    return searched and state.exposure_is_found


def can_resume(status: CaptureStatus) -> bool:
    """Whether a sequence that is over left something to take."""
    return any(s.phase not in (StepPhase.DONE, StepPhase.SKIPPED) for s in status.steps)


class SummaryStrip(QWidget):
    """What an operator reads from across the dome.

    Signals
    -------
    pause_wanted(), stop_wanted(), skip_wanted()
        A button was pressed.
    resume_wanted(), back_wanted(), frames_wanted()
        A button was pressed, of those that are there when the sequence is over.
    """

    pause_wanted = Signal()
    stop_wanted = Signal()
    skip_wanted = Signal()
    resume_wanted = Signal()
    back_wanted = Signal()
    frames_wanted = Signal()

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._status: CaptureStatus | None = None
        self._pausing = False
        self._ending = False
        self._compact = False
        self._clock: Clock | None = None
        self._dot = StatusDot(theme, size=18)
        self._doing = ElidedLabel("", "body", tone="text2")
        self._count = label("", "count")
        self._step = ElidedLabel("", "small", tone="text2")
        self._whole_text = label("", "medium")
        self._whole = ProgressBar(theme, name="Whole sequence", large=True)
        self._activity = ElidedLabel("", "small", tone="text2")
        self._activity_bar = ProgressBar(theme, name="What is being done")
        self._left = label("", "small", tone="text2")
        self._where = ElidedLabel("", "small", tone="text2")
        self._to_go = label("", "count")
        self._ends = label("", "small", tone="text2")
        self.pause = Button(
            theme, "Pause", ButtonKind.PRIMARY, icon="pause", key="P", size=ButtonSize.LARGE
        )
        self.stop = Button(theme, "Stop…", ButtonKind.DANGER, icon="stop", size=ButtonSize.LARGE)
        self.skip = Button(theme, "Do not wait", size=ButtonSize.SMALL)
        self.resume = Button(theme, "Resume", icon="play", size=ButtonSize.LARGE)
        self.frames = Button(theme, "Show in Frames", icon="frames", size=ButtonSize.LARGE)
        self.back = Button(theme, "Back to Capture", ButtonKind.PRIMARY, size=ButtonSize.LARGE)
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._build()
        self.pause.clicked.connect(self.pause_wanted)
        self.stop.clicked.connect(self.stop_wanted)
        self.skip.clicked.connect(self.skip_wanted)
        self.resume.clicked.connect(self.resume_wanted)
        self.back.clicked.connect(self.back_wanted)
        self.frames.clicked.connect(self.frames_wanted)

    def _build(self) -> None:
        frame = ground("bg", border="bottom")
        frame.setFixedHeight(112)
        row = self._row = QHBoxLayout(frame)
        row.setContentsMargins(24, 12, 24, 12)
        row.setSpacing(32)
        row.addLayout(self._make_left(), 4)
        row.addLayout(self._make_middle(), 7)
        row.addLayout(self._make_right())
        buttons = QHBoxLayout()
        buttons.setSpacing(12)
        for button in (self.pause, self.stop, self.frames, self.resume, self.back):
            buttons.addWidget(button)
        row.addLayout(buttons)
        self._show_buttons(None)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(frame)

    def _make_left(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(2)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self._dot)
        top.addWidget(self._doing, 1)
        column.addStretch(1)
        column.addLayout(top)
        column.addWidget(self._count)
        column.addWidget(self._step)
        column.addStretch(1)
        return column

    def _make_middle(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(8)
        top = QHBoxLayout()
        top.addWidget(label("Whole sequence", "small", tone="text2"))
        top.addStretch(1)
        top.addWidget(self._whole_text)
        bottom = QHBoxLayout()
        bottom.setSpacing(8)
        self._activity_bar.setFixedWidth(120)
        bottom.addWidget(self._activity, 2)
        bottom.addWidget(self._activity_bar)
        bottom.addWidget(self._left)
        bottom.addWidget(self.skip)
        bottom.addWidget(self._where, 2)
        self._where.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        column.addStretch(1)
        column.addLayout(top)
        column.addWidget(self._whole)
        column.addLayout(bottom)
        column.addStretch(1)
        return column

    def _make_right(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(2)
        column.addStretch(1)
        column.addWidget(label("Time to go", "small", tone="text2"))
        column.addWidget(self._to_go)
        column.addWidget(self._ends)
        column.addStretch(1)
        self._to_go.setMinimumWidth(170)
        return column

    def begin(self, title: str) -> None:
        """A sequence starts: nothing is known of it yet."""
        self._status = None
        self._ending = self._pausing = False
        self._dot.set_status("running", "Starting")
        self._doing.setText("Starting")
        self._count.setText("0 good frames")
        self._step.setText(title)
        for shown in (self._activity, self._left, self._where, self._ends, self._whole_text):
            shown.setText("")
        self._to_go.setText("—")
        self._whole.set_fraction(0.0, "running")
        self._activity_bar.hide()
        self.skip.hide()
        self._show_buttons(None)

    def show_status(
        self, status: CaptureStatus, clock: Clock, *, pausing: bool = False, ending: bool = False
    ) -> None:
        """Show the newest status; countdowns run by themselves between two.

        ``pausing``: a pause was asked for and comes after this frame; ``ending``: it is stopped at
        once, and devices are made safe.
        """
        self._status, self._clock = status, clock
        self._pausing, self._ending = pausing and not status.paused, ending
        self._show_step(status)
        is_done = status.finished and outcome(status)[0] == "good"
        self._whole.set_fraction(status.fraction, "good" if is_done else "running")
        percent = quantity(100 * status.fraction, "%")
        taken = f"{number(status.good)} of {count(status.wanted, 'frame')}"
        self._whole_text.setText(f"{taken} · {percent}")
        self._show_place(status)
        self._show_buttons(status)
        if status.finished:
            self._timer.stop()
        elif not self._timer.isActive():
            self._timer.start()
        self._tick()

    def _show_buttons(self, status: CaptureStatus | None) -> None:
        over = status is not None and status.finished
        left = over and status is not None and can_resume(status)
        for button in (self.pause, self.stop):
            button.setVisible(not over)
            button.setEnabled(status is not None and not self._ending)
        self.resume.setVisible(left)
        self.frames.setVisible(over and not left)
        self.back.setVisible(over)
        self.resume.set_kind(ButtonKind.PRIMARY if left else ButtonKind.NORMAL)
        self.back.set_kind(ButtonKind.NORMAL if left else ButtonKind.PRIMARY)
        if status is None:
            return
        asks = status.question is not None
        self.skip.setVisible(status.activity.can_skip and not status.paused)
        # One filled button a screen: while something is asked it is the answer.
        self.pause.set_kind(ButtonKind.NORMAL if asks else ButtonKind.PRIMARY)
        waits = status.paused or self._pausing
        self.pause.setText("Go on" if waits else "Pause")
        self.pause.set_icon("play" if waits else "pause")
        self.stop.setText("Do not stop" if status.stopping else "Stop…")
        if self._ending:
            self.stop.setText("Stopping…")

    def _over_words(self, status: CaptureStatus) -> None:
        kind, word = outcome(status)
        self._dot.set_status(kind, word)
        failed = sum(s.phase is StepPhase.FAILED for s in status.steps)
        self._doing.setText(word)
        left = status.wanted - status.good
        if left > 0 and can_resume(status):
            self._count.setText(f"{number(status.good)} of {number(status.wanted)} good")
        else:
            self._count.setText(f"{number(status.good)} good frames")
        said = status.plan.title
        if failed:
            said = f"{count(failed, 'step')} failed; Resume tries again."
        elif left > 0 and can_resume(status):
            kept = "All are kept. " if status.good else ""
            said = f"{kept}Resume goes on at {number(status.good + 1)}."
        self._step.setText(said)

    def _show_step(self, status: CaptureStatus) -> None:
        if status.finished:
            self._over_words(status)
            return
        state = status.step
        head, kind = self._head(status)
        self._dot.set_status(kind, head)
        if state is None:
            self._doing.setText(head if head != "Running" else status.activity.text)
            self._count.setText(f"{number(status.good)} good frames")
            self._step.setText(status.plan.title)
            return
        title = state.step.title
        shown = f"{title[:1].lower()}{title[1:]}"
        if _was_searched(state) and state.exposure_s is not None:
            shown += f", {exposure(state.exposure_s)}"
        self._doing.setText(f"{head}: {shown}")
        self._count.setText(f"{number(state.good)} of {number(state.wanted)} good frames")
        parts = [f"{number(state.replaced)} replaced"] if state.replaced else []
        parts.append(f"{number(max(state.wanted - state.good, 0))} to go in this step")
        if state.seconds_to_go is not None:
            parts[-1] += f", {duration(state.seconds_to_go)}"
        self._step.setText(" · ".join(parts))

    def _head(self, status: CaptureStatus) -> tuple[str, str]:
        """Return in a word what the sequence does, and its shape."""
        if self._ending:
            return "Stopping", "waiting"
        if status.question is not None:
            return "Waiting for you", "warn"
        if status.activity.kind is ActivityKind.RECONNECTING:
            return "Camera lost", "warn"
        if status.paused:
            return "Paused", "waiting"
        if status.stopping:
            return "Stopping after this frame", "waiting"
        if self._pausing:
            return "Pausing after this frame", "running"
        words = {
            ActivityKind.COOLING: "Cooling",
            ActivityKind.SEARCHING: "Searching",
            ActivityKind.STARTING: "Starting",
        }
        if status.step is not None and status.step.phase is StepPhase.SEARCHING:
            return "Searching", "running"
        return words.get(status.activity.kind, "Running"), "running"

    def _show_place(self, status: CaptureStatus) -> None:
        parts = []
        if status.folder is not None:
            tail = "/".join(status.folder.parts[-2:])
            parts.append(f"Saved to …/{tail}")
        if status.bytes_a_frame:
            parts.append(f"{file_size(status.bytes_a_frame)} a frame")
        self._where.setText(" · ".join(parts))
        self._where.set_tip(str(status.folder or ""))
        self._whole_text.setToolTip(plain(f"Saved to {status.folder}" if status.folder else ""))

    @Slot()
    def _tick(self) -> None:
        """Move the countdowns: start and length are known, nothing is asked."""
        status, clock = self._status, self._clock
        if status is None or clock is None:
            return
        now = clock.now()
        activity = status.activity
        said = activity.text
        if status.question is not None:
            said = "Waiting for your answer"
        elif activity.kind is ActivityKind.RECONNECTING:
            said = "Waiting for the camera"
        self._activity.setText(said)
        elapsed = (now - activity.started_at).total_seconds()
        if activity.seconds and not status.finished:
            left = max(activity.seconds - elapsed, 0.0)
            self._activity_bar.set_fraction(min(elapsed / activity.seconds, 1.0))
            self._left.setText(duration(left))
        else:
            self._left.setText("")
        self._activity_bar.setVisible(bool(activity.seconds) and not status.finished)
        self._show_end(status, now)

    def _show_end(self, status: CaptureStatus, now: datetime) -> None:
        if status.finished:
            self._to_go.setText("Done" if outcome(status)[0] == "good" else "—")
            self._ends.setText("")
        elif status.question is not None:
            seconds = status.seconds_to_go
            self._to_go.setText("—" if seconds is None else duration(seconds))
            self._ends.setText("after your answer")
        elif status.paused or status.ends_at is None:
            seconds = status.seconds_to_go
            self._to_go.setText("—" if seconds is None else duration(seconds))
            self._ends.setText("paused" if status.paused else "")
        else:
            self._to_go.setText(duration(max((status.ends_at - now).total_seconds(), 0.0)))
            self._ends.setText(f"ends {utc_clock(status.ends_at)}")

    def set_compact(self, compact: bool) -> None:
        """Less room: where frames are saved goes into the tooltip of the bar."""
        self._compact = compact
        self._row.setContentsMargins(16, 8, 16, 8)
        self._row.setSpacing(20 if compact else 32)
        self._where.setVisible(not compact)
        self._to_go.setMinimumWidth(140 if compact else 170)
        self._activity_bar.setFixedWidth(64 if compact else 120)
        self.pause.set_key("" if compact else "P")
