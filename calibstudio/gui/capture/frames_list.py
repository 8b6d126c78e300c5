"""The right side of a running sequence: every frame with its verdict, newest first."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.capture import Activity, ActivityKind, CaptureStatus, FrameResult, StepPhase
from calibstudio.domain.equipment import Clock
from calibstudio.domain.quality import Finding, Verdict
from calibstudio.domain.wording import duration, number, quantity
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.table import Column, RecordTableModel, TableView
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.verdict import VerdictCard, kind_of


def is_test(frame: FrameResult) -> bool:
    """Whether a frame only served the search of an exposure; one that was accepted is a flat."""
    return frame.is_search and not frame.accepted


TICK_MS = 200
COMING = -1
"""Key of the row of the frame that is being taken."""


@dataclass(frozen=True, slots=True)
class Coming:
    """The frame that is being taken: no frame yet, but the row that it will have."""

    number: int
    """Of its step; 0 while an exposure is searched."""
    word: str
    """Exposing, or what is done with it after that."""
    left: str = ""
    """How long it still takes, in words."""


Row = FrameResult | Coming


def coming_of(status: CaptureStatus, step_id: str | None) -> Coming | None:
    """Return the frame that is being taken, where its step is the one that is looked at."""
    state, activity = status.step, status.activity
    if state is None or status.finished or status.question is not None:
        return None
    if step_id not in (None, state.step.id):
        return None
    words = {ActivityKind.EXPOSING: "Exposing", ActivityKind.JUDGING: "Judging"}
    word = words.get(activity.kind)
    if word is None or status.paused:
        return None
    taken = [f.number for f in status.frames if f.step_id == state.step.id]
    searches = state.phase is StepPhase.SEARCHING
    return Coming(0 if searches else max(taken, default=0) + 1, word)


def seconds_left(activity: Activity, clock: Clock) -> str:
    """Return how long an activity still takes, in words; nothing where that is not known."""
    if activity.kind is not ActivityKind.EXPOSING or not activity.seconds:
        return ""
    gone = (clock.now() - activity.started_at).total_seconds()
    return f"{duration(max(activity.seconds - gone, 0.0))} left"


def _number(row: Row) -> str:
    if isinstance(row, Coming):
        return str(row.number) if row.number else ""
    return "" if is_test(row) else str(row.number)


def _tag(row: Row) -> tuple[str, str]:
    if isinstance(row, Coming):
        return "running", row.word
    return ("info", "Test") if is_test(row) else (kind_of(row.verdict), row.verdict.value)


def _tip(row: Row) -> str:
    return "" if isinstance(row, Coming) else row.reason


def _reason(frame: Row) -> str:
    """Return why it has its verdict; of a test, which its tag says it is, what it found."""
    if isinstance(frame, Coming):
        return frame.left
    if not is_test(frame):
        return frame.reason
    found = frame.reason.removeprefix("Test frame, ")
    return found[:1].upper() + found[1:]


COLUMNS: tuple[Column[Row], ...] = (
    Column("#", _number, align="right", width=44),
    Column("Verdict", _tag, tag=_tag, tooltip=_tip, width=92),
    Column(
        "Level [ADU]",
        lambda f: None if isinstance(f, Coming) else f.level_adu,
        lambda v: "" if v is None else number(v),
        align="right",
        width=92,
    ),
    Column("Reason", _reason, tooltip=_tip, width=60),
)


def _needs_words(frame: FrameResult) -> bool:
    """Whether it was not good; a test frame that was off its level did what it was for."""
    return frame.verdict is not Verdict.GOOD and not is_test(frame)


class FramesList(QWidget):
    """The table, and the card of the newest frame that was not good.

    Signals
    -------
    frame_chosen(FrameResult | None)
        The operator looks at a frame, or at none in particular.
    accept_wanted(int), reject_wanted(int)
        The operator says otherwise about a frame (its index in the sequence).
    """

    frame_chosen = Signal(object)
    accept_wanted = Signal(int)
    reject_wanted = Signal(int)

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model: RecordTableModel[Row] = RecordTableModel(
            COLUMNS, key=lambda row: COMING if isinstance(row, Coming) else row.index
        )
        self._activity: tuple[Activity, Clock] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self.table = TableView(theme, self._model, name="Frames of the sequence, newest first")
        self.table.setSortingEnabled(False)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.card = VerdictCard(theme)
        self._on_card: FrameResult | None = None
        self._note = ElidedLabel("", "small", tone="text3")
        head = ground("panel", border="bottom")
        head.setFixedHeight(44)
        row = QHBoxLayout(head)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(12)
        self._title = label("Frames, newest first", "heading")
        row.addWidget(self._title)
        row.addWidget(self._note, 1)
        holder = QWidget()
        inner = QVBoxLayout(holder)
        inner.setContentsMargins(12, 12, 12, 12)
        inner.addWidget(self.card)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(self.table, 1)
        column.addWidget(holder)
        self.table.selection_changed.connect(self._on_selection)
        self.card.hide()

    def set_compact(self, compact: bool) -> None:
        """Less room: a shorter title."""
        self._title.setText("Frames" if compact else "Frames, newest first")

    def show_status(self, status: CaptureStatus, step_id: str | None, clock: Clock) -> None:
        """Show the frames of a step, or all; above them the one that is being taken."""
        frames = [f for f in status.frames if step_id is None or f.step_id == step_id]
        coming = coming_of(status, step_id)
        self._activity = None if coming is None else (status.activity, clock)
        if coming is not None:
            coming = replace(coming, left=seconds_left(status.activity, clock))
        rows: tuple[Row, ...] = tuple(reversed(frames))
        shown = tuple(r for r in self._model.records if not isinstance(r, Coming))
        if rows != shown or (coming is None) != (len(shown) == len(self._model.records)):
            self._model.set_records(rows if coming is None else (coming, *rows))
        elif coming is not None:
            self._model.update_records((coming,))
        if (coming is not None) != self._timer.isActive():
            self._timer.start() if coming is not None else self._timer.stop()
        kept = [f for f in frames if f.accepted]
        warned = sum(f.verdict is Verdict.WARN for f in kept)
        replaced = sum(not f.accepted and not f.is_search for f in frames)
        parts = [f"{number(len(kept) - warned)} clean", f"{number(warned)} warned"]
        self._note.setText(" · ".join([*parts, f"{number(replaced)} replaced"]))
        if not self.table.selected:
            self._show_card(next((f for f in reversed(frames) if _needs_words(f)), None))

    @Slot()
    def _tick(self) -> None:
        """Count down: start and length are known, nothing is asked."""
        row = self._model.records[0] if self._model.rowCount() else None
        if self._activity is not None and isinstance(row, Coming):
            left = seconds_left(*self._activity)
            if left != row.left:
                self._model.update_records((replace(row, left=left),))

    @Slot(object)
    def _on_selection(self, rows: tuple[Row, ...]) -> None:
        frames = tuple(r for r in rows if not isinstance(r, Coming))
        self.frame_chosen.emit(frames[0] if frames else None)
        if frames:
            self._show_card(frames[0], always=True)

    def _show_card(self, frame: FrameResult | None, *, always: bool = False) -> None:
        if frame is None or is_test(frame) or (frame.verdict is Verdict.GOOD and not always):
            self._on_card = None
            self.card.hide()
            return
        if frame == self._on_card:
            return  # its buttons stay where the mouse is
        self._on_card = frame
        finding = frame.assessment.worst_finding
        name = f"frame {_number(frame)}"
        if frame.replaced_by is not None:
            name += " replaced"
        elif frame.kept_aside:
            name += " kept aside"
        if finding is None:
            level = "" if frame.level_adu is None else f"Level {quantity(frame.level_adu, 'ADU')}."
            finding = Finding(frame.verdict, name, frame.reason or level)
        else:
            finding = Finding(finding.verdict, name, finding.what, finding.cause, finding.cure)
        actions = []
        if frame.path is not None and not frame.accepted and not frame.is_search:
            actions = [("Keep it after all", lambda: self.accept_wanted.emit(frame.index))]
        elif frame.path is not None and frame.accepted:
            actions = [("Leave it out after all", lambda: self.reject_wanted.emit(frame.index))]
        self.card.show_finding(finding, actions)
        self.card.show()
