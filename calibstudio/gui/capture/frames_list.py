"""The right side of a running sequence: every frame with its verdict, newest first."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.capture import CaptureStatus, FrameResult
from calibstudio.domain.quality import Finding, Verdict
from calibstudio.domain.wording import number, quantity
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.table import Column, RecordTableModel, TableView
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.verdict import VerdictCard, kind_of


def is_test(frame: FrameResult) -> bool:
    """Whether a frame only served the search of an exposure; one that was accepted is a flat."""
    return frame.is_search and not frame.accepted


def _number(frame: FrameResult) -> str:
    return "" if is_test(frame) else str(frame.number)


def _tag(frame: FrameResult) -> tuple[str, str]:
    return ("info", "Test") if is_test(frame) else (kind_of(frame.verdict), frame.verdict.value)


def _reason(frame: FrameResult) -> str:
    """Return why it has its verdict; of a test, which its tag says it is, what it found."""
    if not is_test(frame):
        return frame.reason
    found = frame.reason.removeprefix("Test frame, ")
    return found[:1].upper() + found[1:]


COLUMNS: tuple[Column[FrameResult], ...] = (
    Column("#", _number, align="right", width=52),
    Column("Verdict", lambda f: f.verdict, tag=_tag, tooltip=lambda f: f.reason, width=92),
    Column(
        "Level [ADU]",
        lambda f: f.level_adu,
        lambda v: "" if v is None else number(v),
        align="right",
        width=100,
    ),
    Column("Reason", _reason, tooltip=lambda f: f.reason, width=60),
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
        self._model: RecordTableModel[FrameResult] = RecordTableModel(
            COLUMNS, key=lambda frame: frame.index
        )
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

    def show_status(self, status: CaptureStatus, step_id: str | None) -> None:
        """Show the frames of a step, or all."""
        frames = [f for f in status.frames if step_id is None or f.step_id == step_id]
        if tuple(reversed(frames)) != self._model.records:
            self._model.set_records(tuple(reversed(frames)))
        kept = [f for f in frames if f.accepted]
        warned = sum(f.verdict is Verdict.WARN for f in kept)
        replaced = sum(not f.accepted and not f.is_search for f in frames)
        parts = [f"{number(len(kept) - warned)} clean", f"{number(warned)} warned"]
        self._note.setText(" · ".join([*parts, f"{number(replaced)} replaced"]))
        if not self.table.selected:
            self._show_card(next((f for f in reversed(frames) if _needs_words(f)), None))

    @Slot(object)
    def _on_selection(self, frames: tuple[FrameResult, ...]) -> None:
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
