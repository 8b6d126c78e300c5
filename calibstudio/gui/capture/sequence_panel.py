"""The left side of a running sequence: its steps, how far each is, and facts of the current one."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QRect, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QHBoxLayout, QStyleOptionViewItem, QVBoxLayout, QWidget

from calibstudio.domain.capture import ActivityKind, CaptureStatus, StepPhase, StepState
from calibstudio.domain.kinds import kind_title
from calibstudio.domain.plan import LightSource
from calibstudio.domain.wording import (
    NARROW,
    TIMES,
    count,
    exposure,
    number,
    quantity,
    temperature,
)
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import KeyValueGrid, ground, scrolled
from calibstudio.gui.widgets.table import (
    RECORD_ROLE,
    AnyIndex,
    Column,
    RecordTableModel,
    RowDelegate,
    TableView,
)
from calibstudio.gui.widgets.text import ElidedLabel, label, set_tone
from calibstudio.gui.widgets.verdict import VerdictTag

PHASES = {
    StepPhase.WAITING: ("waiting", "Waiting"),
    StepPhase.SEARCHING: ("running", "Searching"),
    StepPhase.RUNNING: ("running", "Running"),
    StepPhase.DONE: ("good", "Done"),
    StepPhase.FAILED: ("bad", "Failed"),
    StepPhase.SKIPPED: ("info", "Left out"),
}
_EXPLAINED = (StepPhase.SKIPPED, StepPhase.FAILED, StepPhase.DONE)
"""Phases whose sentence is said in full under the facts."""
MOST_NOTES = 4
_GOOD = 3
"""Column with the bar."""


def _exposure_text(state: StepState) -> str:
    if state.exposure_s is None:
        return "—" if state.phase.is_over else "searched"
    is_guess = not state.exposure_is_found and state.step.exposure_s is None
    said = exposure(state.exposure_s)
    return f"≈{NARROW}{said}" if is_guess else said


def _exposure_tip(state: StepState) -> str:
    if state.exposure_s is None and not state.phase.is_over:
        return "Nothing was found before with these settings: it is searched."
    if state.exposure_is_found or state.step.exposure_s is not None:
        return ""
    return "Expected, from what was found before."


def _what(state: StepState) -> str:
    """What tells a step apart: its filter, else its temperature or binning."""
    step = state.step
    if step.filter:
        return step.filter
    if step.settings.binning > 1:
        return f"{step.settings.binning} {TIMES} {step.settings.binning}"
    return ""


@dataclass(frozen=True, slots=True)
class StepRow:
    """One line of the table: a step, and what the sequence does with it now."""

    state: StepState
    tag: tuple[str, str]
    """Kind of status and its word."""


COLUMNS: tuple[Column[StepRow], ...] = (
    Column("Step", lambda r: kind_title(r.state.step.kind), width=76, strong=True),
    Column("Filter", lambda r: _what(r.state), width=54, tooltip=lambda r: r.state.step.title),
    Column(
        "Exposure",
        lambda r: _exposure_text(r.state),
        align="right",
        width=92,
        tooltip=lambda r: _exposure_tip(r.state),
    ),
    Column("Good", lambda r: f"{r.state.good}/{r.state.wanted}", width=88),
    Column(
        "State",
        lambda r: r.tag[1],
        tag=lambda r: r.tag,
        tooltip=lambda r: f"{r.state.text} {r.state.hint}".strip(),
        width=92,
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
        state: StepState = index.data(RECORD_ROLE).state
        rect: QRect = option.rect
        box = QRect(rect.right() - 38, rect.center().y() - 2, 30, 5)
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
    """Steps over facts.

    Signals
    -------
    step_chosen(str)
        The operator looks at a step (its id).
    """

    step_chosen = Signal(str)

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._model: RecordTableModel[StepRow] = RecordTableModel(
            COLUMNS, key=lambda row: row.state.step.id
        )
        self.table = TableView(theme, self._model, name="Steps of the sequence", row_height=34)
        self.table.setSortingEnabled(False)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setItemDelegate(_GoodBar(theme, self.table))
        self.masters = MastersRow(theme)
        self._note = ElidedLabel("", "small", tone="text3")
        self._facts = KeyValueGrid()
        self.said = label("", "secondary", wrap=True)
        self.notes = label("", "note", wrap=True)
        self._foot = ground("panel", border="top")
        self._build()
        self.table.clicked.connect(self._on_clicked)
        self.table.activated.connect(self._on_clicked)
        theme.changed.connect(self._fit)

    def _build(self) -> None:
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
        inner.setSpacing(10)
        inner.addWidget(self._facts)
        inner.addWidget(self.said)
        inner.addWidget(self.notes)
        inner.addStretch(1)
        foot_row = QHBoxLayout(self._foot)
        foot_row.setContentsMargins(16, 10, 16, 10)
        foot_row.addWidget(label("After a crash or power cut this sequence goes on here.", "note"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(self.table, 2)
        column.addWidget(self.masters)
        column.addWidget(scrolled(facts), 1)
        column.addWidget(self._foot)

    def set_compact(self, compact: bool) -> None:
        """Less room: the sentence at the foot goes."""
        self._foot.setVisible(not compact)

    def show_status(self, status: CaptureStatus, step_id: str | None) -> None:
        """Show how far each step is, and the facts of the one that is looked at."""
        rows = rows_of(status)
        if rows != self._model.records:
            self._model.set_records(rows)
            self._fit()
        state = next((s for s in status.steps if s.step.id == step_id), None)
        if state is not None:
            self.table.select_key(state.step.id)
            self._facts.set_rows(sequence_facts(status, state))
            said = f"{state.text} {state.hint}".strip() if state.phase in _EXPLAINED else ""
            self.said.setText(said)
            self.said.setVisible(bool(said))
            set_tone(self.said, "bad" if state.phase is StepPhase.FAILED else "")
        self.notes.setText("\n".join(status.notes[-MOST_NOTES:]))
        self.notes.setVisible(bool(status.notes))
        good = f"{number(status.good)} of {count(status.wanted, 'good frame')}"
        self._note.setText(good if len(status.steps) > 1 else "")
        self.masters.setVisible(status.plan.build_masters)

    @Slot()
    def _fit(self) -> None:
        """Be as high as the steps; what is left belongs to the facts."""
        height = self.table.verticalHeader().defaultSectionSize()
        rows = max(self._model.rowCount(), 1)
        self.table.setMaximumHeight(self._theme.sizes.table_header + rows * height + 2)
        self.table.setMinimumHeight(self._theme.sizes.table_header + min(rows, 4) * height + 2)

    @Slot(QModelIndex)
    def _on_clicked(self, index: QModelIndex) -> None:
        self.step_chosen.emit(self._model.record(index.row()).state.step.id)


class MastersRow(QWidget):
    """The last line of the steps: masters are built in the background.

    Signals
    -------
    masters_wanted()
        The operator wants to see what was built.
    """

    masters_wanted = Signal()

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("border", "bottom")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.tag = VerdictTag(theme, "waiting")
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 7, 12, 7)
        row.setSpacing(12)
        self._said = ElidedLabel("", "small")
        self.show_masters = Button(theme, "Show in Library", ButtonKind.LINK, size=ButtonSize.SMALL)
        self.show_masters.clicked.connect(lambda _checked=False: self.masters_wanted.emit())
        row.addWidget(self._said, 1)
        row.addWidget(self.show_masters)
        row.addWidget(self.tag)
        self.show_state("waiting", "Waiting")

    def show_state(self, kind: str, word: str, *, built: bool = False) -> None:
        """Show how far they are; when some are built there is a way to them."""
        self.tag.set_status(kind, word)
        self.show_masters.setVisible(built)
        self._said.setText("Masters" if built else "Build and judge the masters, in the background")


def rows_of(status: CaptureStatus) -> tuple[StepRow, ...]:
    """Return the lines: no step runs while the sequence is paused, asks, or is over."""
    halted = None
    if status.finished:
        halted = PHASES[StepPhase.WAITING]
    elif status.question is not None:
        halted = ("warn", "Asking")
    elif status.paused:
        halted = ("waiting", "Paused")
    active = (StepPhase.RUNNING, StepPhase.SEARCHING)
    rows = [
        StepRow(s, halted if halted and s.phase in active else PHASES[s.phase])
        for s in status.steps
    ]
    waited = status.step
    cools = status.activity.kind is ActivityKind.COOLING and not halted
    if cools and waited is not None and waited.phase is StepPhase.WAITING:
        rows[status.steps.index(waited)] = StepRow(waited, ("running", "Cooling"))
    return tuple(rows)


def sequence_facts(status: CaptureStatus, state: StepState) -> list[tuple[str, str]]:
    """Return what is known about a step, as names and values."""
    facts: list[tuple[str, str]] = []
    if state.step.target is not None:
        facts.append(("Target level", state.step.target.words()))
    if state.band_adu is not None:
        low, high = state.band_adu
        facts.append(("Accepted", f"{number(low)}–{quantity(high, 'ADU')}"))
    if status.bias_adu is not None:
        facts.append(("Bias level", quantity(status.bias_adu, "ADU", 1)))
    if state.brightness is not None and state.step.light is LightSource.PANEL:
        facts.append(("Panel brightness", f"{number(state.brightness)}, read back"))
    if state.test_frames and state.exposure_s is not None and state.exposure_is_found:
        tests = f"{state.test_frames} test frame{'s' * (state.test_frames != 1)}"
        facts.append(("Exposure found in", f"{tests}, {exposure(state.exposure_s)}"))
    if status.sensor_c is not None:
        facts.append(("Sensor", temperature(status.sensor_c)))
    if state.phase is StepPhase.FAILED or state.phase is StepPhase.SKIPPED:
        taken = f"{number(state.good)} of {count(state.wanted, 'frame')}"
        facts.append((PHASES[state.phase][1], taken))
    settings = state.step.settings
    said = [
        f"{w} {v}"
        for w, v in (("gain", settings.gain), ("offset", settings.offset))
        if v is not None
    ]
    if settings.binning > 1:
        said.append(f"binning {settings.binning} {TIMES} {settings.binning}")
    if said:
        facts.append(("Settings", ", ".join(said)))
    light = "light on" if state.step.kind.needs_light else "light off"
    facts.append(("Light flag in header", f"{state.step.kind}, {light}"))
    return facts
