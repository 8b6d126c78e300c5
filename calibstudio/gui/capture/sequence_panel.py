"""The left side of a running sequence: its steps, how far each is, and facts of the current one."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QHBoxLayout, QStyleOptionViewItem, QVBoxLayout, QWidget

from calibstudio.domain.capture import CaptureStatus, StepPhase, StepState
from calibstudio.domain.kinds import kind_title
from calibstudio.domain.wording import TIMES, exposure, number, quantity, temperature
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.panels import KeyValueGrid, ground
from calibstudio.gui.widgets.table import (
    RECORD_ROLE,
    AnyIndex,
    Column,
    RecordTableModel,
    RowDelegate,
    TableView,
)
from calibstudio.gui.widgets.text import ElidedLabel, label

PHASES = {
    StepPhase.WAITING: ("waiting", "Waiting"),
    StepPhase.SEARCHING: ("running", "Searching"),
    StepPhase.RUNNING: ("running", "Running"),
    StepPhase.DONE: ("good", "Done"),
    StepPhase.FAILED: ("bad", "Failed"),
    StepPhase.SKIPPED: ("info", "Left out"),
}
_GOOD = 3
"""Column with the bar."""


def _exposure_text(state: StepState) -> str:
    if state.exposure_s is None:
        return "searched"
    is_guess = not state.exposure_is_found and state.step.exposure_s is None
    return f"{'≈' if is_guess else ''}{exposure(state.exposure_s)}"


COLUMNS: tuple[Column[StepState], ...] = (
    Column("Step", lambda s: kind_title(s.step.kind), width=84, strong=True),
    Column("Filter", lambda s: s.step.filter or "", width=62),
    Column("Exposure", _exposure_text, align="right", width=90),
    Column("Good", lambda s: f"{s.good}/{s.wanted}", width=104),
    Column(
        "State",
        lambda s: PHASES[s.phase][1],
        tag=lambda s: PHASES[s.phase],
        tooltip=lambda s: f"{s.text} {s.hint}".strip(),
        width=104,
    ),
)


class _GoodBar(RowDelegate):
    """Draws the bar beside the number of good frames."""

    def __init__(self, theme: ThemeState, view: TableView) -> None:
        super().__init__(theme, view)
        self._tokens = theme

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        super().paint(painter, option, index)
        if index.column() != _GOOD:
            return
        state: StepState = index.data(RECORD_ROLE)
        rect: QRect = option.rect
        box = QRect(rect.right() - 44, rect.center().y() - 2, 36, 5)
        t = self._tokens.tokens
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.ctl_hover))
        painter.drawRoundedRect(box, 2.5, 2.5)
        done = min(state.good / state.wanted, 1.0) if state.wanted else 1.0
        if done > 0:
            painter.setBrush(QColor(t.good if done >= 1 else t.bar))
            painter.drawRoundedRect(
                QRect(box.left(), box.top(), max(round(box.width() * done), 3), 5), 2.5, 2.5
            )
        painter.restore()


class SequencePanel(QWidget):
    """Steps over facts."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model: RecordTableModel[StepState] = RecordTableModel(
            COLUMNS, key=lambda state: state.step.id
        )
        self.table = TableView(theme, self._model, name="Steps of the sequence", row_height=34)
        self.table.setSortingEnabled(False)
        self.table.setItemDelegate(_GoodBar(theme, self.table))
        self._note = ElidedLabel("", "small", tone="text3")
        self._facts = KeyValueGrid()
        head = ground("panel", border="bottom")
        head.setFixedHeight(44)
        row = QHBoxLayout(head)
        row.setContentsMargins(16, 0, 16, 0)
        row.addWidget(label("Sequence", "heading"))
        row.addWidget(self._note, 1)
        self._note.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        facts = QWidget()
        inner = QVBoxLayout(facts)
        inner.setContentsMargins(16, 12, 16, 12)
        inner.addWidget(self._facts)
        foot = self._foot = ground("panel", border="top")
        foot_row = QHBoxLayout(foot)
        foot_row.setContentsMargins(16, 10, 16, 10)
        foot_row.addWidget(label("After a crash or power cut this sequence goes on here.", "note"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(self.table, 1)
        column.addWidget(facts)
        column.addWidget(foot)

    def set_compact(self, compact: bool) -> None:
        """Less room: the sentence at the foot goes."""
        self._foot.setVisible(not compact)

    def show_status(self, status: CaptureStatus) -> None:
        """Show how far each step is."""
        self._model.set_records(status.steps)
        step = status.step
        if step is not None:
            self.table.select_key(step.step.id)
            self._facts.set_rows(_facts(status, step))
        built = "masters are built at the end" if status.plan.build_masters else ""
        self._note.setText(built)


def _facts(status: CaptureStatus, state: StepState) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if state.step.target is not None:
        facts.append(("Target level", state.step.target.words()))
    if state.band_adu is not None:
        low, high = state.band_adu
        facts.append(("Accepted", f"{number(low)} to {quantity(high, 'ADU')}"))
    if status.bias_adu is not None:
        facts.append(("Bias level", quantity(status.bias_adu, "ADU", 1)))
    if state.brightness is not None:
        facts.append(("Panel brightness", f"{number(state.brightness)}, read back"))
    if state.test_frames and state.exposure_s is not None and state.exposure_is_found:
        tests = f"{state.test_frames} test frame{'s' * (state.test_frames != 1)}"
        facts.append(("Exposure found in", f"{tests}, {exposure(state.exposure_s)}"))
    if status.sensor_c is not None:
        facts.append(("Sensor", temperature(status.sensor_c)))
    settings = state.step.settings
    said = [f"{w} {v}" for w, v in (("gain", settings.gain), ("offset", settings.offset)) if v]
    if settings.binning > 1:
        said.append(f"binning {settings.binning} {TIMES} {settings.binning}")
    if said:
        facts.append(("Settings", ", ".join(said)))
    light = "open to light" if state.step.kind.needs_light else "dark"
    facts.append(("Light flag in header", f"{state.step.kind}, {light}"))
    return facts
