"""Fields for the camera settings of a plan: gain, offset, binning, read-out mode, temperature."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QWidget

from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.plan import CameraSettings
from calibstudio.domain.wording import EN_DASH, TIMES, number
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.fields import ComboField, Labelled, NumberField


class SettingsFields(QWidget):
    """Edits `CameraSettings`; what the camera does not have, or a page asks itself, is not shown.

    Signals
    -------
    edited(CameraSettings)
        The operator changed a value.
    """

    edited = Signal(object)

    def __init__(
        self,
        theme: ThemeState,
        info: CameraInfo,
        *,
        without_matrix: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        """``without_matrix`` leaves out binning and temperature: a page of its own asks them."""
        super().__init__(parent)
        self._value = CameraSettings()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(12)
        self._n = 0
        self.gain: NumberField | None = None
        self.offset: NumberField | None = None
        self.temperature: NumberField | None = None
        if info.gain_range is not None:
            low, high = info.gain_range
            self.gain = NumberField(theme, name="Gain", minimum=low, maximum=high)
            self._add("Gain", self.gain, f"{low}{EN_DASH}{high}, the camera's own unit")
        if info.offset_range is not None:
            low, high = info.offset_range
            self.offset = NumberField(theme, name="Offset", minimum=low, maximum=high)
            self._add("Offset", self.offset, f"{low}{EN_DASH}{high}")
        self.binning = ComboField(
            theme, [(b, f"{b} {TIMES} {b}") for b in info.binnings], name="Binning"
        )
        if not without_matrix:
            self._add("Binning", self.binning)
        self.mode = ComboField(
            theme,
            [(m, m) for m in info.readout_modes] or [(None, "Only one")],
            name="Read-out mode",
        )
        if len(info.readout_modes) > 1:
            self._add("Read-out mode", self.mode)
        self._has_matrix = not without_matrix
        self.cool = QCheckBox("Cool to a temperature")
        if info.can_cool and not without_matrix:
            low_c, high_c = info.set_temp_range_c or (-40.0, 30.0)
            self.temperature = NumberField(
                theme,
                name="Set temperature",
                unit="°C",
                minimum=low_c,
                maximum=high_c,
                decimals=1,
            )
            note = f"{number(low_c)} to {number(high_c)}\u202f°C"
            self._add("Sensor temperature", self.temperature, note)
            self._grid.addWidget(self.cool, self._n // 2, self._n % 2)
            self._n += 1
        self._connect()

    def _add(self, text: str, field: QWidget, note: str = "") -> None:
        self._grid.addWidget(Labelled(text, field, note=note), self._n // 2, self._n % 2)
        self._n += 1

    def _connect(self) -> None:
        for field in (self.gain, self.offset, self.temperature):
            if field is not None:
                field.edited.connect(self._on_edited)
        self.binning.chosen.connect(self._on_edited)
        self.mode.chosen.connect(self._on_edited)
        self.cool.clicked.connect(self._on_edited)

    def show_settings(self, settings: CameraSettings) -> None:
        """Show these settings."""
        self._value = settings
        if self.gain is not None and settings.gain is not None:
            self.gain.set_value(settings.gain)
        if self.offset is not None and settings.offset is not None:
            self.offset.set_value(settings.offset)
        self.binning.set_value(settings.binning)
        if settings.readout_mode is not None:
            self.mode.set_value(settings.readout_mode)
        self.cool.setChecked(settings.set_temp_c is not None)
        if self.temperature is not None:
            self.temperature.setEnabled(settings.set_temp_c is not None)
            if settings.set_temp_c is not None:
                self.temperature.set_value(settings.set_temp_c)

    @Slot()
    def _on_edited(self) -> None:
        value = self._value
        if self.gain is not None:
            value = replace(value, gain=round(self.gain.value()))
        if self.offset is not None:
            value = replace(value, offset=round(self.offset.value()))
        binning = self.binning.value
        mode = self.mode.value
        value = replace(value, readout_mode=mode if isinstance(mode, str) else None)
        if self._has_matrix:
            value = replace(value, binning=binning if isinstance(binning, int) else 1)
        if self.temperature is not None:
            on = self.cool.isChecked()
            self.temperature.setEnabled(on)
            value = replace(value, set_temp_c=self.temperature.value() if on else None)
        self._value = value
        self.edited.emit(value)
