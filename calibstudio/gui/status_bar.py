"""The status bar: equipment, jobs, disk, Sun and time. Each field opens its details."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from PySide6.QtCore import QRect, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QFontMetrics,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QAbstractButton, QFrame, QHBoxLayout, QSizePolicy, QWidget

from calibstudio.domain.equipment import CameraState, CoverState
from calibstudio.domain.faults import FULL_DISK, FaultDesk, is_out_of_order, kind_of
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.wording import NARROW, count, duration, file_size, number, quantity
from calibstudio.gui.context import GuiContext
from calibstudio.gui.equipment_state import CoolingState, EquipmentSnapshot
from calibstudio.gui.faults import FaultsPopover
from calibstudio.gui.icons import STATUS_ICONS, paint_icon
from calibstudio.gui.jobs.board import JobBoard
from calibstudio.gui.jobs.panel import JobsPopover
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import KEY_REASONS, Button
from calibstudio.gui.widgets.panels import KeyValueGrid
from calibstudio.gui.widgets.popover import Popover
from calibstudio.gui.widgets.text import plain
from calibstudio.gui.widgets.verdict import status_color

HEIGHT, COMPACT_HEIGHT = 34, 32
LITTLE_DISK = 5e9
DISK_EVERY_MS = 10_000


@dataclass(frozen=True, slots=True)
class FieldText:
    """What a field shows: shape or icon, text before, heavy text, text after, bar."""

    icon: str = ""
    status: str = ""
    before: str = ""
    strong: str = ""
    after: str = ""
    fraction: float | None = None
    tip: str = ""
    tone: str = ""


class StatusField(QAbstractButton):
    """One field; its width grows with its text and never shrinks, so that nothing jumps."""

    def __init__(self, theme: ThemeState, name: str, *, right: bool = False) -> None:
        super().__init__()
        self._theme, self._name, self._right = theme, name, right
        self._said = FieldText()
        self._widest = 0
        self._ring = False
        self.last = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        theme.changed.connect(self._on_theme_changed)

    @property
    def said(self) -> FieldText:
        """What it shows."""
        return self._said

    def say(self, said: FieldText) -> None:
        """Show something else."""
        if said == self._said:
            return
        self._said = said
        words = " ".join(x for x in (said.before, said.strong, said.after) if x)
        self.setAccessibleName(f"{self._name}: {words}")
        self.setToolTip(plain(said.tip or words))
        if self._needed() > self._widest:
            self._widest = self._needed()
            self.updateGeometry()
        self.update()

    def _parts(self) -> list[tuple[str, int, str]]:
        """Texts with weight and colour token, left to right."""
        s = self._said
        parts = [
            (s.before, 400, "text2"),
            (s.strong, 500, s.tone or "text"),
            (s.after, 400, "text2"),
        ]
        return [p for p in parts if p[0]]

    def _needed(self) -> int:
        width = 24
        if self._said.icon or self._said.status:
            width += 24
        for text, weight, _ in self._parts():
            width += QFontMetrics(self._theme.font(13, weight)).horizontalAdvance(text) + 8
        if self._said.fraction is not None:
            width += 96 + 8 + 44
        return width - 8

    def sizeHint(self) -> QSize:
        return QSize(max(self._widest, 40), HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in KEY_REASONS
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._ring = False
        super().focusOutEvent(event)
        self.update()

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        t, said = self._theme.tokens, self._said
        painter = QPainter(self)
        height = self.height()
        if self.underMouse():
            painter.fillRect(self.rect(), QColor(t.ctl))
        edge = 0 if self._right else self.width() - 1
        if not (self.last and not self._right):
            painter.fillRect(QRect(edge, 0, 1, height), QColor(t.line))
        x = 12
        if said.icon or said.status:
            color = status_color(t, said.status) if said.status else t.text2
            shape = STATUS_ICONS[said.status] if said.status else said.icon
            paint_icon(painter, QRect(x, (height - 16) // 2, 16, 16), shape, color)
            x += 24
        for text, weight, color in self._parts():
            painter.setFont(self._theme.font(13, weight))
            painter.setPen(self._theme.color(color))
            width = painter.fontMetrics().horizontalAdvance(text)
            painter.drawText(
                QRect(x, 0, width + 2, height), int(Qt.AlignmentFlag.AlignVCenter), text
            )
            x += width + 8
        if said.fraction is not None:
            self._paint_bar(painter, x, said.fraction)
        if self._ring:
            painter.setPen(QPen(QColor(t.focus), 2))
            painter.drawRect(self.rect().adjusted(2, 2, -2, -2))

    def _paint_bar(self, painter: QPainter, x: int, fraction: float) -> None:
        t = self._theme.tokens
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        box = QRectF(x, (self.height() - 6) / 2, 96, 6)
        painter.setBrush(QColor(t.ctl_hover))
        painter.drawRoundedRect(box, 3, 3)
        painter.setClipRect(QRectF(x, 0, 96 * fraction, self.height()))
        painter.setBrush(QColor(t.bar))
        painter.drawRoundedRect(box, 3, 3)
        painter.setClipping(False)
        painter.setPen(QColor(t.text2))
        painter.setFont(self._theme.font(13))
        words = QRect(x + 104, 0, 44, self.height())
        painter.drawText(
            words, int(Qt.AlignmentFlag.AlignVCenter), f"{fraction * 100:.0f}{NARROW}%"
        )

    @Slot()
    def _on_theme_changed(self) -> None:
        self._widest = self._needed()
        self.updateGeometry()
        self.update()


def camera_text(s: EquipmentSnapshot) -> FieldText:
    """Say the camera: its name, and its state when that is not as it should be."""
    if s.camera is None and not s.problems:
        return FieldText(status="waiting", strong=s.camera_name, tip="Connecting")
    if s.camera_lost:
        tip = "\n".join(s.problems)
        return FieldText(status="bad", strong=s.camera_name, after="not answering", tip=tip)
    assert s.camera is not None
    if s.camera.state is CameraState.ERROR:
        return FieldText(status="bad", strong=s.camera_name, after="error")
    return FieldText(
        status="warn" if s.problems else "good",
        strong=s.camera_name,
        tip="\n".join((f"{s.camera_name}: {s.camera.state.value}", *s.problems)),
    )


def temperature_text(s: EquipmentSnapshot) -> FieldText:
    """Say the sensor's temperature and the cooler's power."""
    camera = s.camera
    if camera is None and not s.problems:
        return FieldText(icon="cooler", tip="Not read yet")
    if camera is None or camera.sensor_c is None:
        return FieldText(icon="cooler", strong="unknown", tip="Sensor temperature: not known")
    power = camera.cooler_power_pct
    if s.cooling is CoolingState.NONE:
        after = "no cooler"
    elif s.cooling is CoolingState.OFF:
        after = "cooler off"
    else:
        after = "cooler" if power is None else f"cooler {power:.0f}{NARROW}%"
    tone = "bad" if s.cooling is CoolingState.UNREACHABLE else ""
    parts = [f"Sensor {quantity(camera.sensor_c, '°C', 1)}"]
    if camera.set_c is not None:
        parts.append(f"set {quantity(camera.set_c, '°C', 1)}")
    parts.append(s.cooling.value)
    return FieldText(
        icon="cooler",
        strong=quantity(camera.sensor_c, "°C", 1),
        after=after,
        tip=", ".join(parts),
        tone=tone,
    )


def filter_text(s: EquipmentSnapshot) -> FieldText:
    """Say the filter in the beam."""
    if s.filter_moving:
        return FieldText(icon="wheel", after="turning", tip="Filter wheel is turning")
    if not s.has_wheel:
        return FieldText(icon="wheel", after="no wheel", tip="There is no filter wheel")
    if s.camera is None and not s.problems:
        return FieldText(icon="wheel", tip="Not read yet")
    name = s.filter_name or "unknown"
    return FieldText(icon="wheel", strong=name, tip=f"Filter {name}")


def cover_text(s: EquipmentSnapshot) -> FieldText:
    """Say the cover and the lamp."""
    cover = s.cover
    if cover is CoverState.NONE or (cover is None and not s.has_panel):
        said = "No cover"
    elif cover is None or cover is CoverState.UNKNOWN:
        said = "Cover unknown"
    else:
        said = f"Cover {cover.value}"
    lamp = s.lamp_brightness
    if lamp:
        said += ", panel on"
    tip = said if not lamp else f"{said}, brightness {lamp}"
    return FieldText(icon="cover", after=said, tip=tip)


def faults_text(desk: FaultDesk | None) -> FieldText | None:
    """Say what is out of order on request; None when nothing is, or nothing can be."""
    active = list(desk.active()) if desk is not None else []
    if desk is None or not active:
        return None
    titles = [kind_of(word, desk.kinds).title for word in active]
    said = titles[0] if len(titles) == 1 else count(len(titles), "fault")
    return FieldText(status="warn", strong=said, tone="warn", tip="\n".join(titles))


class StatusBar(QFrame):
    """The bar along the foot of the window.

    Signals
    -------
    equipment_wanted()
        The operator wants to connect or edit rigs.
    """

    equipment_wanted = Signal()

    def __init__(self, context: GuiContext, board: JobBoard, window: QWidget) -> None:
        super().__init__(window)
        self._context = context
        self._board = board
        self._window = window
        self._free: int | None = None
        self._compact = False
        self.setProperty("ground", "panel")
        self.setProperty("border", "top")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(HEIGHT)
        self.setAccessibleName("Status")
        self._build()
        self._popovers: dict[StatusField, Popover] = {}
        self.jobs_popover = JobsPopover(context.theme, board, window)
        self.faults_popover = FaultsPopover(context.theme, window)
        self._connect()
        self._on_status(context.equipment.snapshot)
        self._on_jobs()

    def _build(self) -> None:
        theme = self._context.theme
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        row.setSpacing(0)
        self.camera = StatusField(theme, "Camera")
        self.temperature = StatusField(theme, "Sensor temperature")
        self.filter = StatusField(theme, "Filter")
        self.cover = StatusField(theme, "Cover and panel")
        self.faults = StatusField(theme, "Faults")
        self.jobs = StatusField(theme, "Jobs")
        self.jobs.last = True
        self.disk = StatusField(theme, "Free disk", right=True)
        self.sun = StatusField(theme, "Sun", right=True)
        self.utc = StatusField(theme, "UTC", right=True)
        self.local = StatusField(theme, "Local time", right=True)
        for field in (
            self.camera, self.temperature, self.filter, self.cover, self.faults, self.jobs,
        ):  # fmt: skip
            row.addWidget(field)
        self.faults.hide()
        row.addStretch(1)
        for field in (self.disk, self.sun, self.utc, self.local):
            row.addWidget(field)

    def _connect(self) -> None:
        self._context.equipment.status_changed.connect(self._on_status)
        self._board.changed.connect(self._on_jobs)
        self.jobs.clicked.connect(self.toggle_jobs)
        self.faults.clicked.connect(self.open_faults)
        self.faults_popover.changed.connect(self._on_faults)
        for field in self._details():
            field.clicked.connect(self._on_details)
        self._disk_timer = QTimer(self)
        self._disk_timer.setInterval(DISK_EVERY_MS)
        self._disk_timer.timeout.connect(self._on_disk_due)

    def start(self) -> None:
        """Begin to look at the disk; called once the window is up."""
        self._disk_timer.start()
        self._on_disk_due()

    def set_compact(self, compact: bool) -> None:
        """In a small window cover and local time are in tooltips only."""
        self._compact = compact
        self.setFixedHeight(COMPACT_HEIGHT if compact else HEIGHT)
        self.cover.setVisible(not compact)
        self.local.setVisible(not compact)
        self._on_status(self._context.equipment.snapshot)

    @Slot()
    def toggle_jobs(self) -> None:
        """Open or close the jobs popover."""
        self.jobs_popover.toggle_at(self.jobs)

    @Slot()
    def open_faults(self) -> None:
        """Open or close what can be put out of order at a simulated observatory."""
        desk = self._context.equipment.observatory.faults
        if desk is None:
            return
        if (camera := self._popovers.get(self.camera)) is not None:
            camera.close_popover()
        self.faults_popover.use(desk)
        self.faults_popover.toggle_at(self.faults if self.faults.isVisible() else self.camera)

    @Slot()
    def _on_faults(self) -> None:
        """Say what is out of order now; nothing when nothing is."""
        said = faults_text(self._context.equipment.observatory.faults)
        self.faults.setVisible(said is not None)
        if said is not None:
            self.faults.say(said)

    @Slot(object)
    def _on_status(self, s: EquipmentSnapshot) -> None:
        self._on_faults()
        self.camera.say(camera_text(s))
        self.temperature.say(temperature_text(s))
        self.cover.say(cover_text(s))
        filter_ = filter_text(s)
        if self._compact:
            filter_ = FieldText(
                icon=filter_.icon,
                strong=filter_.strong,
                after=filter_.after,
                tip=f"{filter_.tip}\n{self.cover.said.tip}",
            )
        self.filter.say(filter_)
        zone, zone_name = self._zone()
        local = s.utc.astimezone(zone)
        local_tip = f"Local time {local:%H:%M:%S}, {zone_name}"
        self.utc.say(
            FieldText(
                before="UTC",
                strong=f"{s.utc.astimezone(UTC):%H:%M:%S}",
                tip=f"{s.utc:%Y-%m-%d} UTC\n{local_tip}",
            )
        )
        self.local.say(FieldText(before="Local", strong=f"{local:%H:%M:%S}", tip=local_tip))
        altitude = s.sun_altitude_deg
        if altitude is None:
            said = FieldText(
                icon="sun", before="Sun", strong="unknown", tip="The site is not known"
            )
        else:
            sign = "+" if altitude >= 0 else ""
            text = f"{sign}{number(altitude, 1)}°"
            said = FieldText(
                icon="sun", before="Sun", strong=text, tip=f"Altitude of the Sun {text}"
            )
        self.sun.say(said)
        for field, popover in self._popovers.items():
            if popover.isVisible():
                self._fill(field, popover)

    def _zone(self) -> tuple[tzinfo | None, str]:
        site = self._context.equipment.observatory.site
        if site is not None and site.timezone:
            try:
                return ZoneInfo(site.timezone), site.timezone
            except (ZoneInfoNotFoundError, ValueError):
                pass
        return None, "this computer's time zone"

    @Slot()
    def _on_jobs(self) -> None:
        entries = self._board.entries
        running, waiting, over = self._board.counts()
        tip = "Jobs in the background (Ctrl+J)"
        if not running and not waiting:
            failed = any(e.state.value == "failed" for e in entries)
            words = f"{count(over, 'job')} done" if over else "No jobs running"
            status = "bad" if failed else ""
            self.jobs.say(FieldText(icon="jobs", status=status, after=words, tip=tip))
            return
        first = next((e for e in entries if not e.is_over), None)
        fraction = first.fraction if first is not None else 0.0
        if running == 1 and not waiting and first is not None:
            words = first.title
        elif waiting:
            words = f"{running} running, {waiting} waiting"
        else:
            words = f"{running} jobs running"
        left = "" if first is None or first.seconds_to_go is None else duration(first.seconds_to_go)
        tip = f"{words}, {left} to go (Ctrl+J)" if left else f"{words} (Ctrl+J)"
        self.jobs.say(FieldText(icon="jobs", after=words, fraction=fraction, tip=tip))

    @Slot()
    def _on_disk_due(self) -> None:
        folder = self._context.settings.current.frames_folder
        if is_out_of_order(self._context.equipment.observatory.faults, FULL_DISK):
            self._on_disk(0)
            return
        job = self._context.background.submit(
            "Free disk", lambda ctx: free_bytes(ctx, folder), quiet=True
        )
        job.succeeded.connect(self._on_disk)

    @Slot(object)
    def _on_disk(self, free: int | None) -> None:
        self._free = free
        folder = self._context.settings.current.frames_folder
        if free is None:
            self.disk.say(FieldText(icon="disk", after="disk unknown", tip=f"{folder}"))
            return
        little = free < LITTLE_DISK
        words = f"{file_size(free)} free"
        tip = f"{words} for frames in {folder}"
        if little:
            self.disk.say(FieldText(status="warn", strong=words, tone="warn", tip=tip))
        else:
            self.disk.say(FieldText(icon="disk", after=words, tip=tip))

    def _details(self) -> dict[StatusField, str]:
        return {
            self.camera: "Camera",
            self.temperature: "Cooler",
            self.filter: "Filter wheel",
            self.cover: "Cover and panel",
            self.disk: "Disk",
            self.sun: "Sun and sky",
            self.utc: "Time",
            self.local: "Time",
        }

    @Slot()
    def _on_details(self) -> None:
        field = self.sender()
        if not isinstance(field, StatusField):
            return
        popover = self._popovers.get(field)
        if popover is None:
            popover = Popover(self._context.theme, self._details()[field], self._window, width=340)
            popover.body.addWidget(KeyValueGrid())
            if field is self.camera:
                popover.body.addWidget(self._equipment_button())
                popover.body.addWidget(self._faults_button())
            self._popovers[field] = popover
        self._fill(field, popover)
        popover.toggle_at(field)

    def _equipment_button(self) -> Button:
        button = Button(
            self._context.theme, "Rigs and devices", icon="plug", tip="Connect, edit, disconnect"
        )
        button.setObjectName("equipment")
        button.clicked.connect(lambda _checked=False: self._open_equipment())
        return button

    def _open_equipment(self) -> None:
        if (camera := self._popovers.get(self.camera)) is not None:
            camera.close_popover()
        self.equipment_wanted.emit()

    def _faults_button(self) -> Button:
        button = Button(
            self._context.theme, "Faults", icon="bug", tip="Put something out of order on purpose"
        )
        button.setObjectName("faults")
        button.clicked.connect(self.open_faults)
        return button

    def _fill(self, field: StatusField, popover: Popover) -> None:
        faults = popover.findChild(Button, "faults")
        if faults is not None:
            faults.setVisible(self._context.equipment.observatory.faults is not None)
        grid = popover.findChild(KeyValueGrid)
        if grid is not None:
            grid.set_rows(self._rows(field))
            if popover.isVisible():
                popover.place()

    def _rows(self, field: StatusField) -> list[tuple[str, str]]:
        """Facts behind a field."""
        from calibstudio.gui.status_details import details_of

        names = {
            self.camera: "camera",
            self.temperature: "cooler",
            self.filter: "wheel",
            self.cover: "panel",
            self.disk: "disk",
            self.sun: "sky",
            self.utc: "time",
            self.local: "time",
        }
        zone, zone_name = self._zone()
        folder = self._context.settings.current.frames_folder
        equipment = self._context.equipment
        if names[field] == "disk":
            free = "unknown" if self._free is None else file_size(self._free)
            return [("Free", free), ("Frames go to", str(folder))]
        return details_of(
            names[field], equipment.observatory, equipment.snapshot, zone=zone, zone_name=zone_name
        )


def free_bytes(ctx: JobContext, folder: Path) -> int | None:
    """Return the free bytes where frames are written; the folder may not exist yet."""
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None
