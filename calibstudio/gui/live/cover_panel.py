"""The cover and the panel's lamp."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QWidget

from calibstudio.domain.equipment import CoverState, PanelInfo
from calibstudio.domain.wording import EN_DASH, number
from calibstudio.gui.equipment_state import EquipmentSnapshot
from calibstudio.gui.live.parts import SidePart
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.fields import NumberField
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.switch import Switch
from calibstudio.gui.widgets.text import label

FIRST_PART = 0.25
"""Of the highest brightness, the first time the lamp is switched on."""


class CoverPanel(SidePart):
    """Shows cover and lamp and asks for others.

    Signals
    -------
    cover_asked(bool)
        Open it (True) or close it.
    brightness_asked(int)
        Set the lamp; 0 is off.
    """

    cover_asked = Signal(bool)
    brightness_asked = Signal(int)

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__("Cover and panel", line=False, parent=parent)
        self._theme = theme
        self._info: PanelInfo | None = None
        self._last = 0
        self._asked: CoverState | None = None
        self.cover = SegmentedControl(
            theme, ((True, "Open"), (False, "Closed")), name="Cover", tall=True
        )
        self.lamp = Switch(theme, "Panel lamp")
        self._lamp_text = label("Off", "small", tone="text2")
        self._range = label("", "note")
        self.brightness = NumberField(theme, name="Brightness")
        self.brightness.setFixedWidth(108)
        self.body.addWidget(self.cover)
        row = QHBoxLayout()
        row.setSpacing(8)
        caption = label("Panel lamp", "label")
        caption.setFixedWidth(92)
        row.addWidget(caption)
        row.addWidget(self.lamp)
        row.addWidget(self._lamp_text)
        row.addStretch(1)
        row.addWidget(self._range)
        row.addWidget(self.brightness)
        self._row = QWidget()
        self._row.setLayout(row)
        self._row.setMinimumHeight(theme.sizes.control)
        row.setContentsMargins(0, 0, 0, 0)
        self.body.addWidget(self._row)
        self.cover.chosen.connect(self._on_cover_chosen)
        self.lamp.clicked.connect(self._on_lamp_clicked)
        self.brightness.edited.connect(self._on_brightness_edited)

    def set_panel(self, info: PanelInfo | None) -> None:
        """Offer what this panel can; None: there is no panel."""
        self._info = info
        has_cover = info is not None and info.has_cover
        has_lamp = info is not None and info.has_lamp
        self.cover.setVisible(has_cover)
        self._row.setVisible(has_lamp)
        top = info.max_brightness if info is not None else 0
        self.brightness.setRange(1, max(1, top))
        self._last = round(top * FIRST_PART) or 1
        self._show_range()
        if info is None:
            self.set_note("none connected")
        elif not has_cover and not has_lamp:
            self.set_note("nothing to set")
        else:
            self.set_note("")

    def on_compact(self, compact: bool) -> None:
        self._show_range()

    def _show_range(self) -> None:
        top = self._info.max_brightness if self._info is not None else 0
        span = f"0{EN_DASH}{number(top)}"
        self._range.setText(span if self.is_compact else f"Brightness {span}")

    def show_snapshot(self, snapshot: EquipmentSnapshot) -> None:
        """Show where the cover is and how bright the lamp."""
        panel = snapshot.panel
        if panel is None:
            return
        moving = panel.cover is CoverState.MOVING
        if self._asked is not None and panel.cover is self._asked:
            self._asked = None
        shown = self._asked if self._asked is not None else panel.cover
        values = {CoverState.OPEN: True, CoverState.CLOSED: False}
        self.cover.set_value(values.get(shown))
        is_on = panel.brightness > 0
        self.lamp.setChecked(is_on)
        self._lamp_text.setText("On" if is_on else "Off")
        self.brightness.setVisible(is_on)
        self._range.setVisible(not is_on)
        if is_on:
            self._last = panel.brightness
            self.brightness.set_value(panel.brightness)
        if moving:
            self.set_note("moving…")
        elif panel.cover is CoverState.UNKNOWN:
            self.set_note("cover unknown", "warn")
        elif self.is_compact:
            self.set_note(f"{panel.cover.value}, lamp {'on' if is_on else 'off'}")
        else:
            self.set_note("")

    def forget_asked(self) -> None:
        """The cover did not move: show where it is."""
        self._asked = None

    @Slot(object)
    def _on_cover_chosen(self, open_it: object) -> None:
        self._asked = CoverState.OPEN if open_it else CoverState.CLOSED
        self.cover_asked.emit(bool(open_it))

    @Slot(bool)
    def _on_lamp_clicked(self, on: bool) -> None:
        self.brightness_asked.emit(self._last if on else 0)

    @Slot(float)
    def _on_brightness_edited(self, value: float) -> None:
        self.brightness_asked.emit(int(value))
