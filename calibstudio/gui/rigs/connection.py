"""Connecting rigs, and what became of each device: one object for everything that shows it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from calibstudio.domain.equipment import Observatory
from calibstudio.domain.errors import CalibStudioError, UsageError, WriteProblemError
from calibstudio.domain.jobs import CancelToken, JobContext
from calibstudio.domain.rig import (
    DeviceOutcome,
    DeviceRef,
    Listed,
    NoCameraError,
    Rig,
    Role,
    outcomes_of,
    without_missing,
)
from calibstudio.domain.run_config import Simulation
from calibstudio.domain.wording import quantity
from calibstudio.gui.equipment_state import EquipmentSnapshot, EquipmentState
from calibstudio.gui.jobs.runner import Job, JobRunner
from calibstudio.gui.problems import ProblemReporter
from calibstudio.gui.settings_state import SettingsState
from calibstudio.gui.toasts import Toasts

if TYPE_CHECKING:
    from calibstudio.services.rigs import Rigs

log = logging.getLogger(__name__)

BUSY = "The camera is working. Stop that first, then choose again."


@dataclass(frozen=True, slots=True)
class Doors:
    """The ways to equipment, made where the drivers are known. All are slow: only in jobs."""

    open_rig: Callable[[str, CancelToken], Observatory]
    """Opens equipment by name; the empty name is the simulated observatory."""
    open_again: Callable[[Observatory, Role, CancelToken], Observatory]
    """Connects the devices of a role again; what comes back replaces what was given."""
    discover: Callable[[str, CancelToken], tuple[Listed, ...]]
    """Lists devices at an address, or everywhere when it is empty."""
    open_simulated: Callable[[str, Simulation, CancelToken], Observatory]
    """Opens a simulated observatory of its own, with its own clock."""


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One device as it is shown."""

    title: str
    role: str
    kind: str
    """good, bad, running or info: the shape and colour of its state."""
    word: str
    text: str = ""
    """Why it is so, and what to do."""
    ref: DeviceRef | None = None
    mend: str = ""
    """What the button says that mends it; empty for none."""


class RigConnection(QObject):
    """Connects, disconnects, mends; everything slow in the camera's thread.

    Signals
    -------
    changed()
        `rows`, `name` or `is_busy` are others now.
    refused(str)
        What was asked for cannot be now, with the reason.
    """

    changed = Signal()
    refused = Signal(str)

    def __init__(
        self,
        doors: Doors,
        *,
        jobs: JobRunner,
        background: JobRunner,
        equipment: EquipmentState,
        settings: SettingsState,
        problems: ProblemReporter,
        toasts: Toasts,
        rigs: Rigs,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._doors, self._jobs, self._equipment = doors, jobs, equipment
        self._background = background
        self._settings, self._problems, self._toasts = settings, problems, toasts
        self.rigs = rigs
        self._job: Job | None = None
        self._wanted = ""
        self._role: Role | None = None
        self._failed: tuple[DeviceOutcome, ...] = ()
        self._shown: tuple[DeviceRow, ...] = ()
        equipment.status_changed.connect(self._on_status)
        equipment.observatory_changed.connect(lambda _: self.changed.emit())

    @property
    def is_busy(self) -> bool:
        """Whether something is being connected."""
        return self._job is not None

    @property
    def name(self) -> str:
        """What is connected, or being connected, or could not be."""
        return self._wanted or self._equipment.observatory.name

    @property
    def failed(self) -> bool:
        """Whether the last attempt left nothing connected."""
        return bool(self._failed)

    def rows(self) -> tuple[DeviceRow, ...]:
        """Return every device with its state."""
        if self._job is not None and self._role is None:
            rig = self.rigs.find(self._wanted)
            refs = () if rig is None else rig.devices
            return tuple(
                DeviceRow(r.title, str(r.role), "running", "Connecting", ref=r) for r in refs
            )
        if self._failed:
            return tuple(self._failed_row(outcome) for outcome in self._failed)
        outcomes = outcomes_of(self._equipment.observatory)
        if not outcomes:
            return _plain_rows(self._equipment.observatory)
        snapshot = self._equipment.snapshot
        return tuple(self._row(outcome, snapshot) for outcome in outcomes)

    def _failed_row(self, outcome: DeviceOutcome) -> DeviceRow:
        role = "" if outcome.ref is None else str(outcome.ref.role)
        if outcome.error is None:
            text = "Answers; it is let go until the camera is connected."
            return DeviceRow(outcome.title, role, "info", "Waiting", text, outcome.ref)
        mend = "Try again" if outcome.found else "Find again"
        return DeviceRow(
            outcome.title, role, "bad", "Missing", _sentence(outcome.error), outcome.ref, mend
        )

    def _row(self, outcome: DeviceOutcome, snapshot: EquipmentSnapshot) -> DeviceRow:
        ref = outcome.ref
        role = "" if ref is None else str(ref.role)
        if self._job is not None and ref is not None and ref.role is self._role:
            return DeviceRow(outcome.title, role, "running", "Connecting", ref=ref)
        if outcome.error is not None:
            mend = "Try again" if outcome.found else "Find again"
            return DeviceRow(
                outcome.title, role, "bad", "Missing", _sentence(outcome.error), ref, mend
            )
        if ref is not None and _is_silent(ref.role, snapshot):
            said = next((p for p in snapshot.problems if outcome.title in p), "")
            return DeviceRow(outcome.title, role, "bad", "Not answering", said, ref, "Try again")
        place = "" if ref is None else f"{ref.protocol.upper()} at {ref.server}"
        place = place.replace("ALPACA", "Alpaca")
        return DeviceRow(outcome.title, role, "good", "Connected", place, ref)

    # Doing

    def connect_rig(self, name: str) -> bool:
        """Connect everything of a rig in the place of what is connected; False: not now."""
        if not self._is_free():
            return False
        former = self._equipment.observatory
        self._failed, self._wanted, self._role = (), name, None

        def work(ctx: JobContext) -> Observatory:
            # A device that is still connected would be let go by the former when it closes.
            if not former.is_simulated:
                former.close()
            return self._doors.open_rig(name, ctx.token)

        self._begin(f"Connecting {name}" if name else "Connecting", work, self._on_opened)
        return True

    def disconnect_rig(self) -> bool:
        """Make the devices safe and let go of them; the simulated observatory stands in."""
        if not self._is_free():
            return False
        former = self._equipment.observatory
        self._failed, self._wanted, self._role = (), "", None

        def work(ctx: JobContext) -> Observatory:
            former.close()
            return self._doors.open_rig("", ctx.token)

        self._begin("Disconnecting", work, self._on_opened)
        return True

    def mend(self, row: DeviceRow) -> bool:
        """Find and connect a device again; a camera, with its whole rig."""
        if not self._is_free():
            return False
        rig = self._equipment.observatory.rig
        if row.ref is None or rig is None or row.ref.role is Role.CAMERA or self._failed:
            return self.connect_rig(self._wanted or self._settings.current.rig)
        former, role = self._equipment.observatory, row.ref.role
        self._role = role
        self._begin(
            f"Connecting {row.title}",
            lambda ctx: self._doors.open_again(former, role, ctx.token),
            self._on_again,
        )
        return True

    def leave_out(self, row: DeviceRow) -> None:
        """Take a device out of its rig; it can be taken back."""
        now = self._equipment.observatory
        rig = self.rigs.find(self._wanted if now.rig is None else now.rig.name)
        if rig is None or row.ref is None:
            return
        try:
            self.rigs.save(rig.without(row.ref))
        except CalibStudioError as error:
            self._problems.report(error)
            return
        self._toasts.say(
            f"{row.title} is left out of {rig.name}.",
            action="Undo",
            on_action=partial(self._take_back, rig),
        )
        self._failed = tuple(o for o in self._failed if o.ref != row.ref)
        if now.rig is not None:
            self._equipment.replace(without_missing(now, row.ref))
        self.changed.emit()

    def open_simulated(self, name: str, simulation: Simulation, cancel: CancelToken) -> Observatory:
        """Open a simulated observatory beside what is connected. Slow: only in jobs."""
        return self._doors.open_simulated(name, simulation, cancel)

    def cancel(self) -> None:
        """Stop connecting."""
        if self._job is not None:
            self._job.cancel()

    def discover(self, address: str) -> Job:
        """Look for devices at an address, or everywhere; the job gives them as a tuple."""
        return self._background.submit(
            "Looking for equipment",
            lambda ctx: self._doors.discover(address, ctx.token),
            quiet=True,
        )

    # What came of it

    def _take_back(self, rig: Rig) -> None:
        try:
            self.rigs.save(rig)
        except CalibStudioError as error:
            self._problems.report(error)
            return
        self._toasts.say(f"{rig.name} is as it was. Connect it again to use the device.")

    def _is_free(self) -> bool:
        if any(not job.quiet for job in self._jobs.active):
            self.refused.emit(BUSY)
            return False
        return True

    def _begin(
        self,
        title: str,
        work: Callable[[JobContext], Observatory],
        on_done: Callable[[Observatory], None],
    ) -> None:
        job = self._job = self._jobs.submit(title, work)
        job.succeeded.connect(on_done)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._on_cancelled)
        self.changed.emit()

    def _on_opened(self, observatory: Observatory) -> None:
        name, former = self._wanted, self._equipment.observatory
        self._job, self._wanted = None, ""
        self._settings.change(rig=name)
        self._equipment.replace(observatory)
        if former.is_simulated:
            self._jobs.submit("Disconnecting", lambda ctx: former.close(), quiet=True)
        for outcome in outcomes_of(observatory):
            if outcome.error is not None:
                self._toasts.say(str(outcome.error), "warn", hint=outcome.error.hint)
        self.changed.emit()

    def _on_again(self, observatory: Observatory) -> None:
        self._job, self._role = None, None
        self._equipment.replace(observatory)
        rig = observatory.rig
        saved = None if rig is None else self.rigs.find(rig.name)
        if rig is not None and saved is not None and saved.devices != rig.devices:
            try:
                self.rigs.save(replace(saved, devices=rig.devices))
            except WriteProblemError as error:
                log.warning("where the devices were found is not kept: %s", error)
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        was_whole, self._role, self._job = self._role is None, None, None
        if isinstance(error, NoCameraError):
            self._failed = error.outcomes
        if was_whole:
            self._stand_in()
        self._problems.report(error)
        self.changed.emit()

    def _on_cancelled(self) -> None:
        was_whole, self._role, self._job = self._role is None, None, None
        if was_whole:
            self._wanted = ""
            self._stand_in()
        self.changed.emit()

    def _stand_in(self) -> None:
        """The former equipment was let go: the simulated observatory takes its place."""
        if self._equipment.observatory.is_simulated:
            return
        try:
            self._equipment.replace(self._doors.open_rig("", CancelToken()))
        except CalibStudioError as error:
            self._problems.report(error)

    @Slot(object)
    def _on_status(self, _snapshot: EquipmentSnapshot) -> None:
        rows = self.rows() if not self.is_busy else self._shown
        if rows != self._shown:
            self._shown = rows
            self.changed.emit()


def _is_silent(role: Role, s: EquipmentSnapshot) -> bool:
    """Whether a connected device did not answer the last question."""
    return role in s.silent or (role is Role.CAMERA and bool(s.problems) and s.camera_lost)


def _plain_rows(observatory: Observatory) -> tuple[DeviceRow, ...]:
    """Devices of an observatory that is simulated, or was opened by an address."""
    o = observatory
    names = [(Role.CAMERA, o.camera.info.name)]
    names += [(Role.WHEEL, o.wheel.name)] if o.wheel is not None else []
    names += [(Role.PANEL, o.panel.info.name)] if o.panel is not None else []
    others = (
        (Role.MOUNT, o.mount), (Role.ROTATOR, o.rotator), (Role.FOCUSER, o.focuser),
        (Role.DOME, o.dome), (Role.SAFETY, o.safety),
    )  # fmt: skip
    names += [(role, device.name) for role, device in others if device is not None]
    kind, word = ("info", "Simulated") if o.is_simulated else ("good", "Connected")
    return tuple(DeviceRow(name, str(role), kind, word) for role, name in names)


def _sentence(error: CalibStudioError) -> str:
    return f"{error} {error.hint}".strip()


def cold_camera(equipment: EquipmentState) -> str:
    """Say that a real camera is cooled, before it is let go; empty when none is."""
    camera = equipment.snapshot.camera
    if equipment.observatory.is_simulated or camera is None or not camera.cooler_on:
        return ""
    at = "" if camera.sensor_c is None else f" at {quantity(camera.sensor_c, '°C', 1)}"
    return (
        f"{equipment.observatory.camera.info.name} is cooled{at}. Once it is disconnected, its "
        "driver decides whether it stays cold or warms up at once. Warm it up in Live first, to "
        "be gentle to it."
    )


def checked_address(text: str) -> str:
    """Return an address as typed, without spaces around it.

    Raises
    ------
    UsageError
        It is empty.
    """
    if not text.strip():
        raise UsageError("No address is given.", hint="Write host:port, as 192.168.1.20:11111.")
    return text.strip()
