"""The dark wizard: exposures × temperatures × binnings, with the time and disk of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.drafts import DarkDraft
from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.outlook import Cell, CostMatrix, MatrixRow, added_noise, cost_matrix
from calibstudio.domain.plan import CapturePlan
from calibstudio.domain.wording import (
    count,
    duration,
    exposure,
    file_size,
    number,
    quantity,
    temperature,
)
from calibstudio.gui.capture.bias_wizard import SettingsPage
from calibstudio.gui.capture.check_page import CheckPage
from calibstudio.gui.capture.framed_table import FramedTable
from calibstudio.gui.capture.page import Page
from calibstudio.gui.capture.wizard import Wizard
from calibstudio.gui.capture.words import (
    binning_words,
    list_text,
    numbers_in,
    settings_words,
)
from calibstudio.gui.context import GuiContext
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonSize
from calibstudio.gui.widgets.fields import Labelled, NumberField, TextField
from calibstudio.gui.widgets.panels import Card
from calibstudio.gui.widgets.table import Column, RecordTableModel, TableView
from calibstudio.gui.widgets.text import label
from calibstudio.services.answers import AnswerStore

MOST_HEADS = 4
"""More combinations than these are scrolled sideways."""
EXAMPLE = "for example 60 120 300"


class DarkPage(Page):
    """Which exposures, at which temperatures and binnings, and how many of each."""

    def __init__(self, context: GuiContext, draft: DarkDraft, info: CameraInfo) -> None:
        super().__init__(
            "Exposures and number",
            "Which darks?",
            "A dark keeps its bias and serves frames of its own exposure, temperature and binning: "
            "take those of your lights. Several values are separated by spaces.",
        )
        self._draft, self._info = draft, info
        self.theme = context.theme
        what, where = self._make_what(context.theme, draft), self._make_where(context.theme, draft)
        self.add_columns(what, where, stack_when_compact=False)
        self.say_below()
        self.matrix = MatrixTable(context.theme)
        self.body.addWidget(self.matrix)
        self._say()

    def _make_what(self, theme: ThemeState, draft: DarkDraft) -> Card:
        self.exposures = TextField(theme, name="Exposures in seconds")
        self.exposures.setText(list_text(draft.exposures_s))
        self.number = NumberField(
            theme, name="Good frames of each", minimum=1, maximum=500, value=draft.count, large=True
        )
        self.bias = QCheckBox("Bias frames first")
        self.bias.setChecked(draft.with_bias)
        self.ost = Button(
            theme,
            "Science list (OST)",
            size=ButtonSize.SMALL,
            tip="Half, once, twice and four times the science exposure, and the flats' exposure",
        )
        card = Card("Darks")
        card.add_to_heading(self.ost)
        self._exposures = Labelled("Exposures [s]", self.exposures, note=EXAMPLE)
        self._number = Labelled("Good frames of each", self.number)
        card.body.addWidget(self._exposures)
        card.body.addWidget(self._number)
        card.body.addWidget(self.bias)
        card.body.addStretch(1)
        self.exposures.textEdited.connect(self._on_edited)
        self.number.edited.connect(self._on_edited)
        self.bias.clicked.connect(self._on_edited)
        self.ost.clicked.connect(self._on_ost)
        return card

    def _make_where(self, theme: ThemeState, draft: DarkDraft) -> Card:
        info = self._info
        card = Card("Temperatures and binnings")
        self.temperatures = TextField(theme, name="Temperatures in °C")
        temps = draft.set_temps_c or (
            () if draft.settings.set_temp_c is None else (draft.settings.set_temp_c,)
        )
        self.temperatures.setText(list_text(sorted(temps, reverse=True)))
        self._temperatures = Labelled("Sensor temperatures [°C]", self.temperatures)
        if info.can_cool:
            card.body.addWidget(self._temperatures)
            self.temperatures.textEdited.connect(self._on_edited)
        else:
            said = "This camera is not cooled: take darks on the night of the lights."
            card.body.addWidget(label(said, "secondary", wrap=True))
        self.binnings: dict[int, QCheckBox] = {}
        chosen = draft.binnings or (draft.settings.binning,)
        row = QHBoxLayout()
        row.setSpacing(20)
        for binning in info.binnings:
            box = QCheckBox(binning_words(binning))
            box.setChecked(binning in chosen)
            box.clicked.connect(self._on_edited)
            self.binnings[binning] = box
            row.addWidget(box)
        row.addStretch(1)
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addWidget(label("Binnings", "label"))
        column.addLayout(row)
        card.body.addLayout(column)
        card.body.addStretch(1)
        return card

    @Slot()
    def _on_edited(self) -> None:
        draft = self._draft
        draft.exposures_s = numbers_in(self.exposures.text())
        draft.count = round(self.number.value())
        draft.with_bias = self.bias.isChecked()
        draft.bias_count = draft.count
        draft.notes = ()
        temps: tuple[float, ...] = ()
        if self._info.can_cool:
            temps = numbers_in(self.temperatures.text(), signed=True)
        draft.set_temps_c = temps
        draft.binnings = tuple(b for b, box in self.binnings.items() if box.isChecked())
        draft.settings = replace(
            draft.settings,
            set_temp_c=max(temps) if temps else None,
            binning=draft.binnings[0] if draft.binnings else 1,
        )
        self._say()
        self.edited.emit()

    def _say(self) -> None:
        """Say under each field how it is understood."""
        draft, info = self._draft, self._info
        said = ", ".join(exposure(s) for s in draft.exposures_s)
        self._exposures.set_note(said or EXAMPLE)
        noise = quantity(100 * added_noise(draft.count), "%", 1)
        self._number.set_note(f"the master adds {noise} to the noise of a light")
        temps = ", ".join(temperature(c) for c in sorted(draft.set_temps_c, reverse=True))
        if not temps and draft.settings.set_temp_c is not None:
            temps = temperature(draft.settings.set_temp_c)
        span = ""
        if info.set_temp_range_c is not None:
            low, high = info.set_temp_range_c
            span = f"; the camera takes {number(low)} to {number(high)}\u202f°C"
        self._temperatures.set_note(f"{temps or 'empty: the cooler stays as it is'}{span}")

    @Slot()
    def _on_ost(self) -> None:
        """The list of the OST workflow, around the longest exposure that is typed."""
        science = max(self._draft.exposures_s, default=5.0)
        made = DarkDraft.ost(self._info, science_s=science, longest_s=max(60.0, 4 * science))
        self.exposures.setText(list_text(made.exposures_s))
        self.bias.setChecked(True)
        self._on_edited()
        self._draft.notes = made.notes
        self.edited.emit()

    def answer(self) -> str:
        draft = self._draft
        parts = [count(len(draft.exposures_s), "exposure")]
        if len(draft.set_temps_c) > 1:
            parts.append(count(len(draft.set_temps_c), "temperature"))
        if len(draft.binnings) > 1:
            parts.append(count(len(draft.binnings), "binning"))
        return f"{', '.join(parts)}, {count(draft.count, 'frame')} each"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the matrix as it is shown."""

    name: str
    frames: int
    cells: tuple[Cell, ...]
    total: Cell
    is_sum: bool = False


class MatrixTable(QWidget):
    """Exposures down, temperatures and binnings across; its columns follow what is typed."""

    def __init__(self, theme: ThemeState) -> None:
        super().__init__()
        self._theme = theme
        self._heads: tuple[str, ...] | None = None
        self._model: RecordTableModel[Row] | None = None
        self._frame: FramedTable | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is shown."""
        return () if self._model is None else self._model.records

    def show_matrix(self, matrix: CostMatrix | None) -> None:
        """Show time and disk; None hides everything."""
        self.setVisible(matrix is not None)
        if matrix is None:
            return
        heads = tuple(_head(matrix, i) for i in range(len(matrix.columns)))
        if heads != self._heads or self._model is None or self._frame is None:
            self._make(heads)
        assert self._model is not None and self._frame is not None
        rows = [Row(_name(r), r.frames, r.cells, r.total) for r in matrix.rows]
        rows.append(Row("Total", matrix.frames, matrix.totals, matrix.total, True))
        self._model.set_records(rows)
        total = f"{duration(matrix.total.seconds)}, {file_size(matrix.total.bytes)}"
        self._frame.note.setText(f"{count(matrix.frames, 'frame')} · {total}; cooling not counted")

    def _make(self, heads: tuple[str, ...]) -> None:
        """Make the table anew: other temperatures or binnings are other columns."""
        if self._frame is not None:
            self._column.removeWidget(self._frame)
            self._frame.hide()
            self._frame.deleteLater()
        columns: list[Column[Row]] = [
            Column("Exposure", lambda r: r.name, width=92, strong=True),
            Column("Frames", lambda r: number(r.frames), align="right", width=64),
        ]
        # Many combinations: the time alone fits, and the disk is in the tooltip and the total.
        brief = len(heads) > 2
        columns += [
            Column(
                head,
                _cell_of(i, brief=brief),
                align="right",
                width=112 if brief else 172,
                tooltip=_cell_of(i, brief=False),
            )
            for i, head in enumerate(heads)
        ]
        if len(heads) > 1:
            columns.append(
                Column(
                    "All",
                    lambda r: duration(r.total.seconds) if brief else _cell(r.total),
                    align="right",
                    width=100 if brief else 160,
                    tooltip=lambda r: _cell(r.total),
                )
            )
        columns.append(Column("", lambda r: "", width=1))
        self._heads = heads
        self._model = RecordTableModel(columns, key=lambda r: r.name)
        table = TableView(self._theme, self._model, name="Time and disk", row_height=32)
        self._frame = FramedTable(self._theme, "Time and disk", table, most_rows=10)
        if len(heads) > MOST_HEADS:
            table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._column.addWidget(self._frame)


def _cell_of(index: int, *, brief: bool) -> Callable[[Row], str]:
    """Return what a column says of a row: time, and disk where there is room."""
    if brief:
        return lambda row: duration(row.cells[index].seconds)
    return lambda row: _cell(row.cells[index])


def _head(matrix: CostMatrix, index: int) -> str:
    settings = matrix.columns[index]
    parts = [] if settings.set_temp_c is None else [temperature(settings.set_temp_c)]
    return ", ".join([*parts, binning_words(settings.binning)])


def _name(row: MatrixRow) -> str:
    said = exposure(row.exposure_s)
    return said if row.kind != FrameKind.BIAS else f"Bias, {said}"


def _cell(cell: Cell) -> str:
    return f"{duration(cell.seconds)} · {file_size(cell.bytes)}"


class DarkWizard(Wizard):
    """Darks at several exposures, temperatures and binnings."""

    name = "dark"

    def __init__(
        self, context: GuiContext, answers: AnswerStore, parent: QWidget | None = None
    ) -> None:
        info = context.equipment.observatory.camera.info
        draft = DarkDraft.for_camera(info)
        draft = answers.recall(self.name, draft, lambda d: d.problems(info))
        super().__init__(context, "New darks", draft, parent)
        self.dark = draft
        self.what = DarkPage(context, draft, info)
        self.check = CheckPage(context.theme, draft)
        settings = SettingsPage(context, draft, info, without_matrix=True)
        self.set_pages([self.what, settings, self.check])

    def renew(self) -> None:
        possible = not self.problems()
        plan = self.dark.plan(self.info) if possible else None
        self.what.matrix.show_matrix(None if plan is None else cost_matrix(plan, self.info))

    def show_costs(self, plan: CapturePlan) -> None:
        self.check.show_plan(plan, self.info)

    def facts(self) -> list[tuple[str, str]]:
        dark = self.dark
        sets = len(dark.exposures_s) * len(dark.combinations())
        exposures = ", ".join(exposure(s) for s in dark.exposures_s)
        rows = [("Darks", f"{count(sets, 'set')} × {count(dark.count, 'good frame')}")]
        if dark.with_bias:
            rows.insert(0, ("Bias", count(dark.bias_count, "good frame")))
        rows.append(("Exposures", exposures or "none yet"))
        if len(dark.set_temps_c) > 1:
            low, high = min(dark.set_temps_c), max(dark.set_temps_c)
            rows.append(("Temperatures", f"{temperature(high)} to {temperature(low)}"))
        rows.append(("Settings", settings_words(dark.settings)))
        return rows

    def _start_words(self) -> str:
        n = len(self.dark.exposures_s) * len(self.dark.combinations())
        if not n:
            return "Start bias frames"
        return f"Start {count(n * self.dark.count, 'dark')}"
