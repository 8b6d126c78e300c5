"""The status bar: equipment, jobs, disk, Sun and time. Each field opens its details."""

from __future__ import annotations

import shutil
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from calibstudio.domain.faults import FULL_DISK, is_out_of_order
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.wording import count, duration, file_size, number
from calibstudio.gui.context import GuiContext
from calibstudio.gui.equipment_state import EquipmentSnapshot
from calibstudio.gui.faults import FaultsPopover
from calibstudio.gui.jobs.board import JobBoard
from calibstudio.gui.jobs.panel import JobsPopover
from calibstudio.gui.status_field import HEIGHT, FieldText, StatusField
from calibstudio.gui.status_texts import (
    camera_text,
    cover_text,
    faults_text,
    filter_text,
    temperature_text,
)
from calibstudio.gui.widgets.buttons import Button
from calibstudio.gui.widgets.panels import KeyValueGrid
from calibstudio.gui.widgets.popover import Popover

COMPACT_HEIGHT = 32
LITTLE_DISK = 5e9
DISK_EVERY_MS = 10_000


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
