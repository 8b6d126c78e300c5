"""Start values of a flat sequence: what is known of each filter, and the sheet that changes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.wording import EN_DASH, NARROW, count, duration, exposure, number
from calibstudio.gui.capture.framed_table import FramedTable
from calibstudio.gui.capture.words import binning_words
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.fields import NumberField
from calibstudio.gui.widgets.table import Column, RecordTableModel, TableView
from calibstudio.gui.widgets.text import label
from calibstudio.services.start_values import Outlook, StartState, StartValue


def _state(row: StartValue) -> tuple[str, str]:
    if row.state is StartState.STALE:
        return "warn", f"{count(row.days or 0, 'day')} old"
    words = {
        StartState.TRAINED: ("good", "Trained"),
        StartState.TYPED: ("info", "Typed"),
        StartState.UNTRAINED: ("waiting", "Untrained"),
    }
    return words[row.state]


def _state_tip(row: StartValue) -> str:
    if row.state is StartState.UNTRAINED:
        return (
            "Nothing was found before with these settings and this light. "
            "The search takes a few more test frames."
        )
    if row.days is None:
        return ""
    return f"Found {count(row.days, 'day')} ago."


def _range(row: StartValue) -> str:
    if row.expected_s is None:
        return "—"
    low, high = (exposure(s).removesuffix(f"{NARROW}s") for s in row.expected_s)
    return f"{low}{EN_DASH}{high}{NARROW}s"


def _time(row: StartValue) -> str:
    said = duration(row.seconds)
    return f"≈{NARROW}{said}" if row.state is StartState.UNTRAINED else said


def _time_tip(row: StartValue) -> str:
    if row.state is StartState.UNTRAINED:
        return "A guess between the shortest and the longest exposure, until it is searched."
    return "Flats, test frames and dark flats; less where dark flats of another filter serve."


def _before(row: StartValue) -> str:
    return "" if row.before_s is None else exposure(row.before_s)


COLUMNS: tuple[Column[StartValue], ...] = (
    Column("Order", lambda r: r.order, str, align="right", width=60),
    Column("Filter", lambda r: r.filter or "none", width=84, strong=True),
    Column("Start exposure", lambda r: exposure(r.exposure_s), align="right", width=116),
    Column("Trained", lambda r: "" if r.at is None else f"{r.at:%Y-%m-%d}", width=100),
    Column("Then", _before, align="right", width=76),
    Column("Expected range", _range, align="right", width=122),
    Column("Good frames", lambda r: r.count, number, align="right", width=100),
    Column("Master S/N", lambda r: None if r.snr is None else number(r.snr), align="right",
           width=96),
    Column("Time with dark flats", _time, align="right", width=144, tooltip=_time_tip),
    Column("State", lambda r: _state(r)[1], tag=_state, tooltip=_state_tip, width=120),
)  # fmt: skip
_GIVE_WAY = (4, 3, 0, 6, 5)
"""Then, trained, order, good frames, expected range: the first to go where there is no room, for
they are said elsewhere or in a tooltip. The state never goes."""


class StartTable(FramedTable):
    """One row for each filter."""

    def __init__(self, theme: ThemeState) -> None:
        self._model: RecordTableModel[StartValue] = RecordTableModel(
            COLUMNS, key=lambda row: row.filter
        )
        table = TableView(theme, self._model, name="Start values", row_height=34)
        super().__init__(theme, "Start values", table, most_rows=5)
        self.edit = Button(theme, "Edit table", icon="edit", size=ButtonSize.SMALL)
        self.add_button(self.edit)

    @property
    def rows(self) -> tuple[StartValue, ...]:
        """What is shown."""
        return self._model.records

    def show_outlook(self, outlook: Outlook, draft: FlatDraft, *, is_read: bool) -> None:
        """Show what is known; ``is_read`` False: trained values are still being read."""
        self._model.set_records(outlook.rows)
        settings = draft.settings
        said_of = (("gain", settings.gain), ("offset", settings.offset))
        parts = [f"{w} {v}" for w, v in said_of if v is not None]
        parts.append(f"binning {binning_words(settings.binning)}")
        said = f"for {', '.join(parts)}"
        self.note.setText(said if is_read else "Reading the trained values…")
        self.fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        hidden: set[int] = set()
        for column in _GIVE_WAY:
            shown = (c.width for i, c in enumerate(COLUMNS) if i not in hidden)
            if sum(shown) <= self.width() - 2:
                break
            hidden.add(column)
        self.set_hidden(hidden)


class StartSheet(Sheet):
    """Asks where the search of each filter shall start."""

    def __init__(
        self,
        theme: ThemeState,
        parent: QWidget,
        rows: Sequence[StartValue],
        info: CameraInfo,
        on_typed: Callable[[Mapping[str, float]], object],
    ) -> None:
        super().__init__(theme, "Where shall the search start?", parent)
        self._rows, self._on_typed = rows, on_typed
        hint = "Values that stay as they are follow what was trained."
        self.body.addWidget(label(hint, "secondary", wrap=True))
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setColumnStretch(1, 1)
        self.fields: dict[str, NumberField] = {}
        for i, row in enumerate(rows):
            field = NumberField(
                theme,
                name=f"Start exposure {row.filter}".strip(),
                unit="s",
                value=row.exposure_s,
                minimum=info.exposure_min_s,
                maximum=info.exposure_max_s,
                decimals=3,
                trim=True,
            )
            self.fields[row.filter] = field
            grid.addWidget(label(row.filter or "Exposure", "medium"), i, 0)
            grid.addWidget(field, i, 1)
        self.body.addLayout(grid)
        self.add_button("Cancel", self.reject)
        self.add_button("Use trained values", self._use_trained)
        self.add_button("Start here", self._use_typed, ButtonKind.PRIMARY)

    def _use_trained(self) -> None:
        self.accept()
        self._on_typed({})

    def _use_typed(self) -> None:
        typed = {
            row.filter: self.fields[row.filter].value()
            for row in self._rows
            if row.state is StartState.TYPED
            or abs(self.fields[row.filter].value() - row.exposure_s) > 0.0006
        }
        self.accept()
        self._on_typed(typed)
