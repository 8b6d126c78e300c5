"""The strip over a running sequence: good frames, the whole bar, time to go, Pause and Stop."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.capture import ActivityKind, CaptureStatus, StepPhase
from calibstudio.domain.equipment import Clock
from calibstudio.domain.wording import count, duration, file_size, number, utc_clock
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.progress import ProgressBar
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.verdict import StatusDot

TICK_MS = 200


class SummaryStrip(QWidget):
    """What an operator reads from across the dome.

    Signals
    -------
    pause_wanted(), stop_wanted(), skip_wanted()
        A button was pressed.
    """

    pause_wanted = Signal()
    stop_wanted = Signal()
    skip_wanted = Signal()

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._status: CaptureStatus | None = None
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
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._build()
        self.pause.clicked.connect(self.pause_wanted)
        self.stop.clicked.connect(self.stop_wanted)
        self.skip.clicked.connect(self.skip_wanted)

    def _build(self) -> None:
        frame = ground("bg", border="bottom")
        frame.setFixedHeight(112)
        row = QHBoxLayout(frame)
        row.setContentsMargins(24, 12, 24, 12)
        row.setSpacing(32)
        row.addLayout(self._make_left(), 3)
        row.addLayout(self._make_middle(), 6)
        row.addLayout(self._make_right())
        row.addWidget(self.pause)
        row.addWidget(self.stop)
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
        self._activity_bar.setFixedWidth(150)
        bottom.addWidget(self._activity)
        bottom.addWidget(self._activity_bar)
        bottom.addWidget(self._left)
        bottom.addWidget(self.skip)
        bottom.addWidget(self._where, 1)
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

    def show_status(self, status: CaptureStatus, clock: Clock) -> None:
        """Show the newest status; countdowns run by themselves between two."""
        self._status, self._clock = status, clock
        self._show_step(status)
        done, wanted = status.good, max(status.wanted, 1)
        self._whole.set_fraction(done / wanted, "good" if status.finished else "running")
        self._whole_text.setText(
            f"{number(done)} of {count(status.wanted, 'frame')} · {100 * done / wanted:.0f}\u202f%"
        )
        self._show_place(status)
        self.skip.setVisible(status.activity.can_skip)
        self.pause.setText("Go on" if status.paused else "Pause")
        self.pause.set_icon("play" if status.paused else "pause")
        self.pause.setEnabled(not status.finished)
        self.stop.setEnabled(not status.finished)
        self.stop.setText("Stopping…" if status.stopping else "Stop…")
        if status.finished:
            self._timer.stop()
        elif not self._timer.isActive():
            self._timer.start()
        self._tick()

    def _show_step(self, status: CaptureStatus) -> None:
        state = status.step
        kinds = {ActivityKind.PAUSED: "waiting", ActivityKind.ASKING: "warn"}
        kind = "good" if status.finished else kinds.get(status.activity.kind, "running")
        self._dot.set_status(kind, status.activity.text)
        if status.finished or state is None:
            failed = sum(s.phase is StepPhase.FAILED for s in status.steps)
            self._doing.setText("Finished" if status.finished else status.activity.text)
            self._count.setText(f"{number(status.good)} good frames")
            said = f"{count(failed, 'step')} failed" if failed else status.plan.title
            self._step.setText(said)
            return
        words = {ActivityKind.PAUSED: "Paused", ActivityKind.ASKING: "Waiting for you"}
        head = words.get(status.activity.kind, "Running")
        title = state.step.title
        self._doing.setText(f"{head}: {title[:1].lower()}{title[1:]}")
        self._count.setText(f"{number(state.good)} of {number(state.wanted)} good frames")
        parts = [f"{number(state.replaced)} replaced"] if state.replaced else []
        parts.append(f"{number(max(state.wanted - state.good, 0))} to go in this step")
        if state.seconds_to_go is not None:
            parts[-1] += f", {duration(state.seconds_to_go)}"
        self._step.setText(" · ".join(parts))

    def _show_place(self, status: CaptureStatus) -> None:
        parts = []
        if status.folder is not None:
            tail = "/".join(status.folder.parts[-2:])
            parts.append(f"Saved to …/{tail}")
        if status.bytes_a_frame:
            parts.append(f"{file_size(status.bytes_a_frame)} a frame")
        self._where.setText(" · ".join(parts))
        self._where.set_tip(str(status.folder or ""))

    @Slot()
    def _tick(self) -> None:
        """Move the countdowns: start and length are known, nothing is asked."""
        status, clock = self._status, self._clock
        if status is None or clock is None:
            return
        now = clock.now()
        activity = status.activity
        self._activity.setText(activity.text)
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
            self._to_go.setText("Done")
            self._ends.setText("")
        elif status.paused or status.ends_at is None:
            seconds = status.seconds_to_go
            self._to_go.setText("—" if seconds is None else duration(seconds))
            self._ends.setText("paused" if status.paused else "")
        else:
            self._to_go.setText(duration(max((status.ends_at - now).total_seconds(), 0.0)))
            self._ends.setText(f"ends {utc_clock(status.ends_at)}")
