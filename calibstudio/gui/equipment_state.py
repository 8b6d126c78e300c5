"""What the equipment does now, read once a second in a thread of its own.

Panels and the status bar listen to one signal with one immutable snapshot; nobody in the
interface asks a driver.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from calibstudio.domain.equipment import (
    CameraState,
    CameraStatus,
    CoverState,
    MountStatus,
    Observatory,
    PanelStatus,
)
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.rig import Role
from calibstudio.domain.sun import sun_altitude_deg
from calibstudio.domain.surroundings import DomeStatus
from calibstudio.services.cooling import CoolingRules, Reading, is_stable, is_unreachable

log = logging.getLogger(__name__)
D = TypeVar("D")
T = TypeVar("T")

FEWEST_READINGS = 4
"""A cooler is judged by at least so many readings."""


class CoolingState(StrEnum):
    """What the cooler is doing, judged from several readings."""

    NONE = "no cooler"
    OFF = "off"
    RAMPING = "cooling"
    WARMING = "warming up"
    SETTLED = "settled"
    UNREACHABLE = "cannot hold"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TemperatureReading:
    """One point of the cooler's history."""

    at: datetime
    sensor_c: float
    set_c: float | None
    power_pct: float | None


@dataclass(frozen=True, slots=True)
class EquipmentSnapshot:
    """Everything that was read at one moment. ``None``: not there, or it did not answer."""

    utc: datetime
    """Observatory time."""
    observatory: str = ""
    is_simulated: bool = False
    camera_name: str = ""
    camera: CameraStatus | None = None
    cooling: CoolingState = CoolingState.UNKNOWN
    cooling_since: datetime | None = None
    filter_name: str | None = None
    """None: no wheel, or it is turning (see `filter_moving`)."""
    filter_slot: int | None = None
    filter_moving: bool = False
    panel: PanelStatus | None = None
    mount: MountStatus | None = None
    rotator_deg: float | None = None
    focus_position: int | None = None
    dome: DomeStatus | None = None
    is_safe: bool | None = None
    sun_altitude_deg: float | None = None
    problems: tuple[str, ...] = ()
    """One sentence for each device that did not answer."""
    has_wheel: bool = False
    has_panel: bool = False
    """Whether there is one at all, answering or not."""
    silent: frozenset[Role] = frozenset()
    """What each of the `problems` is about."""

    @property
    def camera_lost(self) -> bool:
        """Whether the camera does not answer."""
        return self.camera is None or self.camera.state is CameraState.LOST

    @property
    def cover(self) -> CoverState | None:
        """Where the cover is; None when there is no panel or it does not answer."""
        return None if self.panel is None else self.panel.cover

    @property
    def lamp_brightness(self) -> int | None:
        """Brightness of the panel's lamp, 0 for off."""
        return None if self.panel is None else self.panel.brightness


class CoolingJudge:
    """Says whether the sensor has settled, from the readings so far, by the rules of the services.

    Times are observatory times, so a fast simulated clock is judged alike.
    """

    def __init__(self, rules: CoolingRules | None = None) -> None:
        self.state = CoolingState.UNKNOWN
        self.since: datetime | None = None
        self._rules = rules or CoolingRules()
        self._recent: deque[Reading] = deque()
        self._began: datetime | None = None
        self._set_c: float | None = None

    def add(self, status: CameraStatus, *, can_cool: bool) -> CoolingState:
        """Take one more reading and return the state that follows."""
        state = self._judge(status, can_cool=can_cool)
        if state is not self.state:
            self.state, self.since = state, status.at
        return state

    def _judge(self, status: CameraStatus, *, can_cool: bool) -> CoolingState:
        if not can_cool:
            return CoolingState.NONE
        if status.cooler_on is False:
            self._began = None
            return CoolingState.OFF
        if status.sensor_c is None or status.set_c is None:
            return CoolingState.UNKNOWN
        readings = self._kept(status, status.sensor_c, status.set_c)
        away_c = status.sensor_c - status.set_c
        if self.state is CoolingState.SETTLED and abs(away_c) <= 2 * self._rules.tolerance_c:
            # It stays settled until it has left the tolerance, not at every flicker of 0.1 °C.
            return CoolingState.SETTLED
        rules = self._rules_for(readings)
        if is_stable(readings, status.set_c, rules, rules.window_s):
            return CoolingState.SETTLED
        if is_unreachable(readings, status.set_c, rules):
            return CoolingState.UNREACHABLE
        return CoolingState.WARMING if away_c < -5.0 else CoolingState.RAMPING

    def _kept(self, status: CameraStatus, sensor_c: float, set_c: float) -> list[Reading]:
        """Add the reading to those of the same set point, and forget the old ones."""
        if self._began is None or set_c != self._set_c or status.at < self._began:
            self._recent.clear()
            self._began, self._set_c = status.at, set_c
        now = (status.at - self._began).total_seconds()
        self._recent.append(Reading(now, sensor_c, status.cooler_power_pct))
        keep = max(FEWEST_READINGS, 2)
        while len(self._recent) > keep and self._recent[1].at_s <= now - self._rules.unreachable_s:
            self._recent.popleft()
        return list(self._recent)

    def _rules_for(self, readings: list[Reading]) -> CoolingRules:
        """Return the rules with windows that hold enough readings, however far apart they are.

        A simulated clock that runs fast, or a camera that answers late, leaves a minute between
        two readings; a window of one minute would then never see a slope.
        """
        if len(readings) < FEWEST_READINGS:
            return self._rules
        span_s = readings[-1].at_s - readings[-FEWEST_READINGS].at_s
        return replace(
            self._rules,
            window_s=max(self._rules.window_s, span_s),
            unreachable_s=max(self._rules.unreachable_s, span_s),
        )


@dataclass(slots=True)
class _Poller:
    """Reads every device of one observatory; lives in the polling thread."""

    observatory: Observatory
    cooling: CoolingJudge = field(default_factory=CoolingJudge)

    def read(self) -> EquipmentSnapshot:
        o = self.observatory
        problems: dict[Role, str] = {}

        def asked(role: Role, device: D | None, question: Callable[[D], T]) -> T | None:
            try:
                return None if device is None else question(device)
            except CalibStudioError as error:
                problems[role] = str(error)
                return None

        camera = asked(Role.CAMERA, o.camera, lambda d: d.status())
        if camera is not None:
            self.cooling.add(camera, can_cool=o.camera.info.can_cool)
        slot = asked(Role.WHEEL, o.wheel, lambda d: d.position())
        names = o.wheel.filters if o.wheel is not None else ()
        utc = o.clock.now()
        return EquipmentSnapshot(
            utc=utc,
            observatory=o.name,
            is_simulated=o.is_simulated,
            camera_name=o.camera.info.name,
            camera=camera,
            cooling=self.cooling.state if camera is not None else CoolingState.UNKNOWN,
            cooling_since=self.cooling.since,
            filter_name=names[slot] if slot is not None and slot < len(names) else None,
            filter_slot=slot,
            filter_moving=o.wheel is not None and slot is None and Role.WHEEL not in problems,
            panel=asked(Role.PANEL, o.panel, lambda d: d.status()),
            mount=asked(Role.MOUNT, o.mount, lambda d: d.status()),
            rotator_deg=asked(Role.ROTATOR, o.rotator, lambda d: d.angle_deg()),
            focus_position=asked(Role.FOCUSER, o.focuser, lambda d: d.position()),
            dome=asked(Role.DOME, o.dome, lambda d: d.status()),
            is_safe=asked(Role.SAFETY, o.safety, lambda d: d.is_safe()),
            sun_altitude_deg=_sun_altitude(o, utc),
            problems=tuple(problems.values()),
            has_wheel=o.wheel is not None,
            has_panel=o.panel is not None,
            silent=frozenset(problems),
        )


def _unread(observatory: Observatory) -> EquipmentSnapshot:
    """What is known before the first reading."""
    utc = observatory.clock.now()
    return EquipmentSnapshot(
        utc=utc,
        observatory=observatory.name,
        is_simulated=observatory.is_simulated,
        camera_name=observatory.camera.info.name,
        sun_altitude_deg=_sun_altitude(observatory, utc),
        has_wheel=observatory.wheel is not None,
        has_panel=observatory.panel is not None,
    )


def _sun_altitude(observatory: Observatory, utc: datetime) -> float | None:
    if observatory.site is None:
        return None
    return float(sun_altitude_deg(utc, observatory.site))


class EquipmentState(QObject):
    """Holds the observatory and says once a second what it does.

    Signals
    -------
    status_changed(EquipmentSnapshot)
        Once a second while started, and once when it stops answering.
    observatory_changed(Observatory)
        Other equipment is connected now.
    """

    HISTORY = 7_200
    """Readings of the temperature that are kept: two hours of one a second."""

    status_changed = Signal(object)
    observatory_changed = Signal(object)
    _read = Signal(object, object)

    def __init__(
        self, observatory: Observatory, *, interval_s: float = 1.0, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._observatory = observatory
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._snapshot = _unread(observatory)
        self._history: deque[TemperatureReading] = deque(maxlen=self.HISTORY)
        self._read.connect(self._on_read)

    @property
    def observatory(self) -> Observatory:
        """The devices themselves. Only jobs of ``camera_jobs`` call them."""
        return self._observatory

    @property
    def snapshot(self) -> EquipmentSnapshot:
        """The newest reading."""
        return self._snapshot

    @property
    def temperature_history(self) -> tuple[TemperatureReading, ...]:
        """Readings of the sensor since it was connected, oldest first."""
        return tuple(self._history)

    def start(self) -> None:
        """Begin to read. Called once the window is up."""
        if self._thread is None:
            self._stop = threading.Event()
            self._thread = threading.Thread(
                target=self._poll,
                args=(self._observatory, self._stop),
                daemon=True,
                name="equipment status",
            )
            self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Stop reading, and wait for the reading under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def replace(self, observatory: Observatory) -> Observatory:
        """Use other equipment from now on; returns the former, which the caller closes."""
        running = self._thread is not None
        self.stop()
        former, self._observatory = self._observatory, observatory
        self._history.clear()
        self._snapshot = _unread(observatory)
        self.observatory_changed.emit(observatory)
        if running:
            self.start()
        return former

    def _poll(self, observatory: Observatory, stop: threading.Event) -> None:
        """Polling thread: read, hand over, wait."""
        poller = _Poller(observatory)
        said = ""
        while not stop.is_set():
            try:
                self._read.emit(observatory, poller.read())
            except RuntimeError:
                return  # the object on the Qt side is gone: the program ends
            except Exception as error:
                if repr(error) != said:  # once, not every second
                    said = repr(error)
                    log.exception("reading the equipment failed unexpectedly")
            stop.wait(self._interval_s)

    @Slot(object, object)
    def _on_read(self, observatory: Observatory, snapshot: EquipmentSnapshot) -> None:
        if observatory is not self._observatory:
            return
        self._snapshot = snapshot
        camera = snapshot.camera
        if camera is not None and camera.sensor_c is not None:
            self._history.append(
                TemperatureReading(
                    camera.at, camera.sensor_c, camera.set_c, camera.cooler_power_pct
                )
            )
        self.status_changed.emit(snapshot)
