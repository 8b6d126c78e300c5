"""The rig editor: which devices, which optics, which site, under which name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.equipment import Optics
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.rig import (
    ROLES,
    SIMULATED,
    DeviceRef,
    Listed,
    Rig,
    Role,
    focus_of_words,
    focus_words,
)
from calibstudio.domain.rig_knows import RigKnows
from calibstudio.domain.wording import count
from calibstudio.gui.jobs.runner import Job
from calibstudio.gui.rigs.connection import RigConnection, checked_address
from calibstudio.gui.rigs.known_fields import KnownFields, LearnedRows
from calibstudio.gui.rigs.site_fields import SiteFields
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind
from calibstudio.gui.widgets.fields import ComboField, Labelled, NumberField, TextField
from calibstudio.gui.widgets.panels import scrolled
from calibstudio.gui.widgets.progress import BusyLine
from calibstudio.gui.widgets.text import label, set_tone

SLOTS = (
    ("camera", Role.CAMERA, "Camera"),
    ("wheel", Role.WHEEL, "Filter wheel"),
    ("panel", Role.PANEL, "Flat panel, or cover"),
    ("second", Role.PANEL, "Second panel, when cover and lamp are two devices"),
    ("mount", Role.MOUNT, "Telescope mount"),
    ("rotator", Role.ROTATOR, "Rotator"),
    ("focuser", Role.FOCUSER, "Focuser"),
    ("dome", Role.DOME, "Dome or roof"),
    ("safety", Role.SAFETY, "Safety monitor"),
)
FOCUS_EXAMPLE = "L=10250, Ha=10400"
NOTHING = (
    "Nothing answered. Servers in other networks, and INDI servers of other computers, are found "
    "by their address."
)
HOW = (
    "Alpaca devices announce themselves. ASCOM drivers of Windows (COM) do once ASCOM Remote runs "
    "on that computer. INDI servers do not: type their address."
)


ABOUT = (
    "What neither driver nor header says. Name, serial number and size are filled in when the "
    "camera is connected: frames are known by them, and judged by the limits of their rig."
)


class RigEditor(Sheet):
    """Makes or changes one rig. ``on_saved`` gets its name, and whether to connect it."""

    def __init__(
        self,
        theme: ThemeState,
        connection: RigConnection,
        parent: QWidget,
        *,
        rig: Rig | None = None,
        on_saved: Callable[[str, bool], object] = lambda name, connect: None,
    ) -> None:
        super().__init__(theme, "New rig" if rig is None else "Rig", parent, width=760)
        self._connection, self._rig, self._on_saved = connection, rig, on_saved
        self._found: list[DeviceRef] = list(rig.devices) if rig is not None else []
        self._job: Job | None = None
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 12, 0)
        column.setSpacing(12)
        self.name = TextField(
            theme,
            name="Name of the rig",
            text="" if rig is None else rig.name,
            placeholder="Newton 200 with the ASI2600",
        )
        self._name = Labelled("Name", self.name)
        column.addWidget(self._name)
        self._add_finding(column)
        self._add_devices(column)
        self._add_optics(column)
        column.addWidget(label("Site", "subheading"))
        column.addWidget(label("Without a name, where the mount says that it stands.", "caption"))
        self.site = SiteFields(theme, None if rig is None else rig.site)
        column.addWidget(self.site)
        self._add_known(column)
        self.learned: LearnedRows | None = None
        if rig is not None and rig.learned:
            self._add_learned(column, rig)
        column.addStretch(1)
        self.body.addWidget(scrolled(inner), 1)
        self.setMinimumHeight(600)
        self.said = label("", "caption", tone="bad", wrap=True)
        self.said.hide()
        self.body.addWidget(self.said)
        self.add_button("Cancel", self.reject)
        self.add_button("Save", lambda: self.save(connect=False))
        self.add_button("Save and connect", lambda: self.save(connect=True), ButtonKind.PRIMARY)
        self.finished.connect(self._stop_looking)

    # Layout

    def _add_finding(self, column: QVBoxLayout) -> None:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.find_button = Button(self.theme, "Find equipment", icon="refresh")
        self.find_button.clicked.connect(lambda _checked=False: self.look(""))
        self.address = TextField(
            self.theme, name="Address of a server", placeholder="192.168.1.20:11111"
        )
        self.address.returnPressed.connect(self._on_address)
        self.ask = Button(self.theme, "Ask this address")
        self.ask.clicked.connect(lambda _checked=False: self._on_address())
        row.addWidget(self.find_button)
        row.addWidget(self.address, 1)
        row.addWidget(self.ask)
        column.addWidget(label("Devices", "subheading"))
        column.addLayout(row)
        self.busy = BusyLine(self.theme)
        column.addWidget(self.busy)
        self.note = label(HOW, "caption", wrap=True)
        column.addWidget(self.note)

    def _add_devices(self, column: QVBoxLayout) -> None:
        grid = QGridLayout()
        grid.setSpacing(12)
        self.slots: dict[str, ComboField] = {}
        panels = () if self._rig is None else self._rig.of_role(Role.PANEL)
        for i, (slot, role, words) in enumerate(SLOTS):
            combo = self.slots[slot] = ComboField(self.theme, name=words)
            has = () if self._rig is None else self._rig.of_role(role)
            if role is Role.PANEL:
                has = panels[:1] if slot == "panel" else panels[1:2]
            self._fill(slot, role, next(iter(has), None))
            grid.addWidget(Labelled(words, combo), i // 2, i % 2)
        column.addLayout(grid)
        focus = {} if self._rig is None else self._rig.focus
        self.focus = TextField(
            self.theme, name="Focus of filters", text=focus_words(focus), placeholder=FOCUS_EXAMPLE
        )
        noted = Labelled("Focus of filters", self.focus)
        noted.set_note("Where the focuser is sent for flats of a filter; empty: it is not moved.")
        column.addWidget(noted)

    def _add_optics(self, column: QVBoxLayout) -> None:
        o = (self._rig.optics if self._rig is not None else None) or Optics(telescope="")
        self.telescope = TextField(
            self.theme, name="Telescope", text=o.telescope, placeholder="Newton 200/1000"
        )
        self.focal = self._millimetres("Focal length", o.focal_length_mm)
        self.aperture = self._millimetres("Aperture", o.aperture_mm)
        column.addWidget(label("Optics", "subheading"))
        column.addWidget(label("Zero: not known; the mount may say it.", "caption"))
        grid = QGridLayout()
        grid.setSpacing(12)
        grid.addWidget(Labelled("Telescope", self.telescope), 0, 0)
        grid.addWidget(Labelled("Focal length", self.focal), 0, 1)
        grid.addWidget(Labelled("Aperture", self.aperture), 0, 2)
        grid.setColumnStretch(0, 2)
        column.addLayout(grid)

    def _add_known(self, column: QVBoxLayout) -> None:
        column.addWidget(label("About the camera", "subheading"))
        column.addWidget(label(ABOUT, "caption", wrap=True))
        self.known = KnownFields(self.theme, self._rig.knows if self._rig else RigKnows())
        column.addWidget(self.known)

    def _add_learned(self, column: QVBoxLayout, rig: Rig) -> None:
        column.addWidget(label("Learned", "subheading"))
        column.addWidget(
            label(
                "Measured by its own flats; counts more than what the driver says, from the next "
                "connection on.",
                "caption",
                wrap=True,
            )
        )
        self.learned = LearnedRows(self.theme, rig)
        column.addWidget(self.learned)

    def _millimetres(self, name: str, value: float | None) -> NumberField:
        return NumberField(
            self.theme,
            name=name,
            unit="mm",
            value=value or 0.0,
            maximum=100_000,
            decimals=1,
            trim=True,
        )

    def _fill(self, slot: str, role: Role, value: DeviceRef | None) -> None:
        first = "Choose a camera" if role is Role.CAMERA else "None"
        options: list[tuple[object, str]] = [(None, first)]
        options += [(ref, _words(ref)) for ref in self._found if ref.role is role]
        self.slots[slot].set_options(options, value)

    # Finding

    def _on_address(self) -> None:
        try:
            address = checked_address(self.address.text())
        except CalibStudioError as error:
            self._say_found(f"{error} {error.hint}", "bad")
            return
        self.look(address)

    def look(self, address: str) -> None:
        """Look for devices at an address, or everywhere."""
        if self._job is not None:
            return
        job = self._job = self._connection.discover(address)
        job.succeeded.connect(self._on_found)
        job.failed.connect(self._on_not_found)
        job.finished.connect(self._on_looked)
        self.find_button.setEnabled(False)
        self.ask.setEnabled(False)
        self.busy.show_busy()
        self._say_found("Looking for equipment…" if not address else f"Asking {address}…")

    @Slot(object)
    def _on_found(self, devices: tuple[Listed, ...]) -> None:
        usable = [DeviceRef.of(d) for d in devices if d.type.lower() in ROLES]
        kept = [ref for ref in self._found if not any(_same(ref, new) for new in usable)]
        chosen = {slot: combo.value for slot, combo in self.slots.items()}
        self._found = [*kept, *usable]
        for slot, role, _ in SLOTS:
            value = chosen[slot]
            if isinstance(value, DeviceRef):
                value = next((ref for ref in usable if _same(value, ref)), value)
            elif self._rig is None and slot != "second":
                value = next((ref for ref in usable if ref.role is role), None)
            self._fill(slot, role, value if isinstance(value, DeviceRef) else None)
        if not usable:
            self._say_found(NOTHING, "warn")
            return
        others = len(devices) - len(usable)
        more = f" {count(others, 'other device')} cannot be used for calibration." if others else ""
        self._say_found(f"{count(len(usable), 'device')} found.{more}", "good")

    @Slot(object)
    def _on_not_found(self, error: Exception) -> None:
        hint = error.hint if isinstance(error, CalibStudioError) else ""
        self._say_found(f"{error} {hint}".strip(), "bad")

    @Slot()
    def _on_looked(self) -> None:
        self._job = None
        self.find_button.setEnabled(True)
        self.ask.setEnabled(True)
        self.busy.done()

    def _stop_looking(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _say_found(self, text: str, tone: str = "") -> None:
        self.note.setText(text)
        set_tone(self.note, tone)

    # Saving

    def rig(self) -> Rig:
        """Return the rig as it is typed.

        Raises
        ------
        ValueError
            It has no name, or no camera.
        """
        devices = [c.value for c in self.slots.values() if isinstance(c.value, DeviceRef)]
        if self.slots["camera"].value is None:
            raise ValueError("Choose a camera: a rig needs one.")
        if len(set(devices)) != len(devices):
            raise ValueError("The same panel is chosen twice.")
        knows = self.known.knows(other_camera=self._is_other_camera())
        if knows is None:
            raise ValueError("A value about the camera cannot be that; the field says why.")
        optics = Optics(
            self.telescope.text().strip(), self.focal.value() or None, self.aperture.value() or None
        )
        forgotten = set() if self.learned is None else self.learned.forgotten
        # What was learned since the editor was opened stays.
        rigs, before = self._connection.rigs, self._rig
        base = (before and (rigs.find(before.name) or before)) or Rig(self.name.text().strip())
        return replace(
            base,
            name=self.name.text().strip(),
            devices=tuple(devices),
            optics=None if optics == Optics(telescope="") else optics,
            site=self.site.site(),
            knows=knows,
            learned=tuple(one for one in base.learned if one not in forgotten),
            focus={k: v for k, v in focus_of_words(self.focus.text()).items() if v is not None},
        )

    def _is_other_camera(self) -> bool:
        """Whether another camera is chosen than the rig had."""
        before, now = self._rig and self._rig.camera, self.slots["camera"].value
        return bool(before and isinstance(now, DeviceRef) and not _same(before, now))

    def save(self, *, connect: bool) -> bool:
        """Write the rig and close; False, with the reason beside it, when that cannot be."""
        rigs = self._connection.rigs
        name = self.name.text().strip()
        self.name.set_bad(False)
        self._name.set_note("")
        try:
            if self._rig is None or name.casefold() != self._rig.name.casefold():
                rigs.check_free(name)
        except CalibStudioError as error:
            self.name.set_bad(True)
            self._name.set_note(f"{error} {error.hint}".strip(), "bad")
            self.name.setFocus()
            return False
        if not self.site.check():
            return False
        try:
            rig = self.rig()
            if self._rig is not None and name != self._rig.name:
                rigs.rename(self._rig.name, name)
            rigs.save(rig)
        except (ValueError, CalibStudioError) as error:
            hint = error.hint if isinstance(error, CalibStudioError) else ""
            self.said.setText(f"{error} {hint}".strip())
            self.said.show()
            return False
        self.accept()
        self._on_saved(name, connect)
        return True


def _same(one: DeviceRef, other: DeviceRef) -> bool:
    if one.unique_id and other.unique_id:
        return one.unique_id == other.unique_id
    return (one.protocol, one.type, one.name, one.server, one.number) == (
        other.protocol,
        other.type,
        other.name,
        other.server,
        other.number,
    )


def _words(ref: DeviceRef) -> str:
    if ref.protocol == SIMULATED:
        return f"{ref.name}, simulated"
    protocol = "Alpaca" if ref.protocol == "alpaca" else ref.protocol.upper()
    return f"{ref.title}, {protocol} {ref.server}"
