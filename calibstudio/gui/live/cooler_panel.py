"""The cooler: set point, sensor, power, the last hour, and the way to warm up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.equipment import CameraInfo, CameraStatus
from calibstudio.domain.wording import NARROW, duration, number, temperature
from calibstudio.gui.equipment_state import CoolingState, EquipmentSnapshot, TemperatureReading
from calibstudio.gui.live.parts import SidePart
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.fields import Labelled, NumberField
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.progress import ProgressBar
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.verdict import VerdictTag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calibstudio.gui.picture.plots import TemperaturePlot

FIRST_SET_POINT_C = -10.0
PLOT_PX = 118
SHOWN = timedelta(hours=1)
RESERVE_PCT = 90.0
"""Power at which the head-room ends: the last tenth is a reserve."""

TAGS = {
    CoolingState.NONE: ("info", "No cooler"),
    CoolingState.OFF: ("waiting", "Off"),
    CoolingState.RAMPING: ("running", "Cooling"),
    CoolingState.SETTLED: ("good", "Settled"),
    CoolingState.UNREACHABLE: ("warn", "Cannot hold"),
    CoolingState.UNKNOWN: ("unknown", "Unknown"),
}


def head_room_c(history: Sequence[TemperatureReading], status: CameraStatus) -> float | None:
    """Estimate how much colder the sensor could be held tonight, with a tenth of power left.

    The air is taken to be as warm as the sensor was when the cooler used no power (the last time
    it is known); power grows in proportion to the difference. None when that is not known.
    """
    idle = [r.sensor_c for r in history if r.power_pct is not None and r.power_pct < 1.0]
    power, sensor_c = status.cooler_power_pct, status.sensor_c
    if not idle or power is None or sensor_c is None or power < 5.0:
        return None
    below = idle[-1] - sensor_c
    return below * (RESERVE_PCT / power - 1.0) if below > 3.0 else None


class CoolerPanel(SidePart):
    """Shows the cooler and asks for another set point.

    Signals
    -------
    set_point_chosen(float)
        Cool to this, °C.
    warm_up_asked()
        Warm up and switch off.
    """

    set_point_chosen = Signal(float)
    warm_up_asked = Signal()

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__("Cooler", parent=parent)
        self._theme = theme
        self._can_cool = True
        self._state = CoolingState.UNKNOWN
        self._plot: TemperaturePlot | None = None
        self.tag = VerdictTag(theme, "unknown", "Unknown")
        self.add_to_heading(self.tag)
        self.set_point = NumberField(
            theme, name="Set point", unit="°C", value=FIRST_SET_POINT_C, decimals=1,
            minimum=-60.0, maximum=40.0,
        )  # fmt: skip
        self.sensor = label("", "value")
        self.sensor.setAccessibleName("Sensor temperature")
        self.power = ProgressBar(theme, name="Cooler power")
        self._power_text = label("", "small", tone="text")
        self._foot = ElidedLabel("", "small", tone="text2")
        self.warm_up = Button(theme, "Warm up…", ButtonKind.LINK, size=ButtonSize.SMALL)
        self._build()
        self.set_point.edited.connect(self.set_point_chosen)
        self.warm_up.clicked.connect(self._on_link)

    def _build(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(Labelled("Set point", self.set_point), 1)
        sensor = QVBoxLayout()
        sensor.setSpacing(4)
        sensor.addWidget(label("Sensor", "label"))
        self.sensor.setFixedHeight(self._theme.sizes.control)
        sensor.addWidget(self.sensor)
        row.addLayout(sensor, 1)
        self.body.addLayout(row)
        power = QHBoxLayout()
        power.setSpacing(8)
        caption = label("Power", "label")
        caption.setFixedWidth(64)
        self._power_text.setFixedWidth(44)
        self._power_text.setAlignment(Qt.AlignmentFlag.AlignRight)
        power.addWidget(caption)
        power.addWidget(self.power, 1)
        power.addWidget(self._power_text)
        self.body.addLayout(power)
        # The plot comes later: its room is there from the beginning, so that nothing jumps.
        self._plot_place = ground("plot")
        self._plot_place.setFixedHeight(PLOT_PX)
        self._plot_row = QVBoxLayout(self._plot_place)
        self._plot_row.setContentsMargins(0, 0, 0, 0)
        self.body.addWidget(self._plot_place)
        foot = QHBoxLayout()
        foot.addWidget(self._foot, 1)
        foot.addWidget(self.warm_up)
        self.body.addLayout(foot)

    def set_plot(self, plot: TemperaturePlot) -> None:
        """Take the plot, once plots can be made."""
        self._plot = plot
        self._plot_row.addWidget(plot)

    def on_compact(self, compact: bool) -> None:
        self._plot_place.setVisible(not compact)

    def set_camera(self, info: CameraInfo) -> None:
        """Allow what this camera's cooler can."""
        self._can_cool = info.can_cool
        self.set_point.setEnabled(info.can_cool)
        if info.set_temp_range_c is not None:
            self.set_point.setRange(*info.set_temp_range_c)

    def show_snapshot(
        self, snapshot: EquipmentSnapshot, history: Sequence[TemperatureReading]
    ) -> None:
        """Show the newest reading."""
        self._state = snapshot.cooling
        self.tag.set_status(*TAGS[snapshot.cooling])
        camera = snapshot.camera
        sensor_c = camera.sensor_c if camera is not None else None
        self.sensor.setText(temperature(sensor_c) if sensor_c is not None else "unknown")
        power = camera.cooler_power_pct if camera is not None else None
        self.power.set_fraction((power or 0.0) / 100.0)
        self._power_text.setText(f"{number(power)}{NARROW}%" if power is not None else "–")
        if camera is not None and camera.set_c is not None:
            self.set_point.set_value(camera.set_c)
        self._show_foot(snapshot, history)
        if self._plot is not None and not self.is_compact and self._plot.isVisible():
            self._show_history(history, camera.set_c if camera is not None else None)

    def _show_foot(
        self, snapshot: EquipmentSnapshot, history: Sequence[TemperatureReading]
    ) -> None:
        is_on = snapshot.cooling not in (CoolingState.OFF, CoolingState.NONE, CoolingState.UNKNOWN)
        self.warm_up.setVisible(self._can_cool)
        target = temperature(self.set_point.value())
        self.warm_up.setText("Warm up…" if is_on else f"Cool to {target}")
        parts = []
        if is_on and snapshot.camera is not None:
            room = head_room_c(history, snapshot.camera)
            if room is not None and room >= 0.5:
                parts.append(f"Head-room {number(room)}{NARROW}°C")
        since = _since(snapshot.cooling_since, snapshot.utc)
        if snapshot.cooling is CoolingState.SETTLED and since:
            parts.append(f"stable for {since}")
        elif snapshot.cooling is CoolingState.UNREACHABLE:
            parts = ["Full power, and still too warm"]
        elif snapshot.cooling is CoolingState.OFF:
            parts = ["Cooler off"]
        elif snapshot.cooling is CoolingState.NONE:
            parts = ["This camera has no cooler"]
        # A small window has room for the more important one: whether it is stable.
        self._foot.setText(_capital(parts[-1] if self.is_compact and parts else " · ".join(parts)))
        self._foot.set_tip(_capital(" · ".join(parts)))

    def _show_history(self, history: Sequence[TemperatureReading], set_c: float | None) -> None:
        if not history or self._plot is None:
            return
        end = history[-1].at
        recent = [r for r in history if end - r.at <= SHOWN]
        recent = recent[:: max(1, len(recent) // 600)]
        seconds = np.array([r.at.timestamp() for r in recent])
        sensor = np.array([r.sensor_c for r in recent])
        self._plot.set_readings(seconds, sensor, set_c)

    @Slot()
    def _on_link(self) -> None:
        if self._state in (CoolingState.OFF, CoolingState.UNKNOWN):
            self.set_point_chosen.emit(self.set_point.value())
        else:
            self.warm_up_asked.emit()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _since(began: datetime | None, now: datetime) -> str:
    if began is None:
        return ""
    seconds = (now - began).total_seconds()
    # In steps of a minute: a number that changes each second draws the eye for nothing.
    return duration(seconds // 60 * 60) if seconds >= 60 else ""
