"""Faults on request: what a learner may put out of order at the simulated observatory."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.faults import FaultDesk, FaultKind, FaultValue
from calibstudio.domain.wording import count
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button
from calibstudio.gui.widgets.fields import NumberField
from calibstudio.gui.widgets.popover import Popover
from calibstudio.gui.widgets.text import label

WIDTH = 520


class FaultRow(QWidget):
    """One fault: whether there is it, and its numbers.

    Signals
    -------
    chosen()
        The operator ticked it, or changed a number.
    """

    chosen = Signal()

    def __init__(self, theme: ThemeState, kind: FaultKind) -> None:
        super().__init__()
        self.kind = kind
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.tick = QCheckBox(kind.title)
        self.tick.setToolTip(kind.effect)
        self.tick.setAccessibleDescription(kind.effect)
        self.tick.clicked.connect(self.chosen)
        row.addWidget(self.tick, 1)
        self.numbers = [_field(theme, kind, value) for value in kind.values]
        for value, number in zip(kind.values, self.numbers, strict=True):
            number.edited.connect(self.chosen)
            if len(kind.values) > 1:
                row.addWidget(label(value.name, "small"))
            row.addWidget(number)

    @property
    def values(self) -> tuple[float, ...]:
        """The numbers that are shown."""
        return tuple(number.value() for number in self.numbers)

    def show_values(self, values: tuple[float, ...] | None) -> None:
        """Show what is; None: it is in order, and the numbers stay as they are."""
        self.tick.setChecked(values is not None)
        for number, value in zip(self.numbers, values or (), strict=False):
            number.set_value(value)


class FaultsPopover(Popover):
    """A tick for each thing that can be out of order; it counts at once.

    Signals
    -------
    changed()
        The operator made or mended something.
    """

    changed = Signal()

    def __init__(self, theme: ThemeState, window: QWidget) -> None:
        super().__init__(theme, "Faults of the simulated observatory", window, width=WIDTH)
        self._theme = theme
        self._desk: FaultDesk | None = None
        self.rows: dict[str, FaultRow] = {}
        self.body.addWidget(
            label("Put something out of order, and see what frames and program do.", "small")
        )
        self._list = QVBoxLayout()
        self._list.setSpacing(4)
        self.body.addLayout(self._list)
        foot = QHBoxLayout()
        self.mend = Button(theme, "Mend all", icon="check")
        self.mend.clicked.connect(self._on_mend)
        foot.addStretch(1)
        foot.addWidget(self.mend)
        self.body.addLayout(foot)

    def use(self, desk: FaultDesk) -> None:
        """Show the faults of an observatory, as they are now."""
        self._desk = desk
        for kind in desk.kinds:
            if kind.word not in self.rows:
                row = FaultRow(self._theme, kind)
                row.chosen.connect(self._on_chosen)
                self._list.addWidget(row)
                self.rows[kind.word] = row
        self._show()

    def _show(self) -> None:
        active = self._desk.active() if self._desk is not None else {}
        for word, row in self.rows.items():
            row.show_values(active.get(word))
        self.set_note(count(len(active), "fault") if active else "all in order")
        self.mend.setEnabled(bool(active))

    @Slot()
    def _on_chosen(self) -> None:
        row = self.sender()
        if self._desk is None or not isinstance(row, FaultRow):
            return
        if row.tick.isChecked():
            self._desk.make(row.kind.word, row.values)
        else:
            self._desk.mend(row.kind.word)
        self._show()
        self.changed.emit()

    @Slot()
    def _on_mend(self) -> None:
        if self._desk is not None:
            self._desk.mend_all()
            self._show()
            self.changed.emit()


def _field(theme: ThemeState, kind: FaultKind, value: FaultValue) -> NumberField:
    small = value.lowest < 1.0 and value.unit != ""
    field = NumberField(
        theme,
        name=f"{kind.title}, {value.name}",
        unit=value.unit,
        value=value.default,
        minimum=value.lowest,
        maximum=value.highest,
        decimals=3 if small else 0,
        trim=True,
    )
    field.setFixedWidth(108)
    field.setToolTip(f"{value.name[:1].upper()}{value.name[1:]}")
    return field
