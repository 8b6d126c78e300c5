"""An Alpaca telescope mount."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from calibstudio.devices.alpaca import values
from calibstudio.devices.alpaca.device import AlpacaDevice
from calibstudio.devices.alpaca.failures import DriverError
from calibstudio.devices.alpaca.fresh import Fresh
from calibstudio.domain.equipment import MountStatus, Optics, Site
from calibstudio.domain.errors import (
    Cancelled,
    DeviceBusyError,
    DeviceError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.sun import equatorial_deg
from calibstudio.domain.wording import duration, number

log = logging.getLogger(__name__)

LOWEST_DEG = 10.0
"""Below, the dome or a wall is nearer than the sky."""
LONGEST_SLEW_S = 300.0
LONGEST_TELESCOPE_M = 50.0
"""A focal length above this is in millimetres, whatever the standard says."""
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class MountFacts:
    """What a mount can do, and what it knows about place and telescope."""

    can_slew_altaz: bool
    can_slew: bool
    can_set_tracking: bool
    site: Site | None
    optics: Optics


class AlpacaMount:
    """A telescope behind an Alpaca server; see `Mount` for what its methods promise.

    It is never unparked or moved but by `slew`, and tracks after it.
    """

    def __init__(self, device: AlpacaDevice, facts: MountFacts) -> None:
        self._device, self.facts = device, facts
        self._slewing = threading.Lock()
        self._status = Fresh(
            lambda: device.watched(self._read_status),
            lambda: device.name,
            recent_s=device.patience.recent_s,
        )

    @classmethod
    def open(cls, device: AlpacaDevice, cancel: CancelToken | None = None) -> AlpacaMount:
        """Connect a mount and learn what it can do.

        Raises
        ------
        DeviceError
            It cannot be connected, or does not say where it looks.
        """
        device.connect(cancel)
        device.read("altitude", values.decimal)
        facts = MountFacts(
            can_slew_altaz=bool(device.probe("canslewaltazasync", values.yes)),
            can_slew=bool(device.probe("canslewasync", values.yes)),
            can_set_tracking=bool(device.probe("cansettracking", values.yes)),
            site=_site(device),
            optics=_optics(device),
        )
        return cls(device, facts)

    @property
    def name(self) -> str:
        """What the driver calls it."""
        return self._device.name

    def status(self) -> MountStatus:
        """Read where it looks."""
        self._device.check_open()
        return self._status.get()

    def slew(self, altitude_deg: float, azimuth_deg: float, cancel: CancelToken) -> None:
        """Point there, track, and return when done. Cancelled, it stops where it is."""
        self._device.check_open()
        if not LOWEST_DEG <= altitude_deg <= 90.0:
            raise UnsupportedRequestError(
                f"{self.name} cannot point to an altitude of {number(altitude_deg)}°.",
                hint=f"Choose an altitude from {number(LOWEST_DEG)}° to 90°.",
            )
        cancel.check()
        if not self._slewing.acquire(blocking=False):
            raise DeviceBusyError(f"{self.name} is already slewing.")
        try:
            self._device.ensure_connected(cancel)
            if self._device.probe("atpark", values.yes):
                raise UnsupportedRequestError(
                    f"{self.name} is parked.", hint="Unpark it in its own program, then retry."
                )
            self._slew(altitude_deg, azimuth_deg % 360.0, cancel)
        finally:
            self._status.forget()
            self._slewing.release()

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        self._device.close()

    def _slew(self, altitude_deg: float, azimuth_deg: float, cancel: CancelToken) -> None:
        facts = self.facts
        if not facts.can_slew_altaz and not facts.can_slew:
            raise UnsupportedRequestError(
                f"{self.name} cannot be sent anywhere.", hint="Point it by hand."
            )
        try:
            if facts.can_slew_altaz:
                self._track(False, cancel)
                there = {"Azimuth": f"{azimuth_deg:.6f}", "Altitude": f"{altitude_deg:.6f}"}
                self._device.act("slewtoaltazasync", there, cancel)
            else:
                self._track(True, cancel)
                stars = self._equatorial(altitude_deg, azimuth_deg, cancel)
                self._device.act("slewtocoordinatesasync", stars, cancel)
            self._wait(cancel)
            self._track(True, cancel)
        except Cancelled:
            self._stop()
            raise
        except DriverError as error:
            hint = "Choose another direction, or look at the limits of the mount."
            raise self._device.unsupported(error, hint) from error

    def _wait(self, cancel: CancelToken) -> None:
        ends = time.monotonic() + LONGEST_SLEW_S
        while self._device.read("slewing", values.yes, cancel):
            if time.monotonic() > ends:
                self._stop()
                raise DeviceError(
                    f"{self.name} was still slewing after {duration(LONGEST_SLEW_S)}; it was "
                    "stopped.",
                    hint="Look at the mount before it is moved again.",
                )
            cancel.wait(_LOOK_S)

    def _equatorial(
        self, altitude_deg: float, azimuth_deg: float, cancel: CancelToken
    ) -> dict[str, str]:
        """Return where a direction is among the stars now, as the mount counts."""
        if self.facts.site is None:
            raise UnsupportedRequestError(
                f"{self.name} does not know where it stands.", hint="Set the site in its driver."
            )
        sidereal_h = self._device.read("siderealtime", values.decimal, cancel)
        ra, dec = equatorial_deg(altitude_deg, azimuth_deg, sidereal_h * 15.0, self.facts.site)
        return {"RightAscension": f"{ra / 15.0:.6f}", "Declination": f"{dec:.6f}"}

    def _track(self, on: bool, cancel: CancelToken) -> None:
        if self.facts.can_set_tracking and self._device.read("tracking", values.yes, cancel) != on:
            self._device.write("tracking", {"Tracking": str(on)}, cancel)

    def _stop(self) -> None:
        try:
            self._device.write("abortslew", {}, limit_s=self._device.patience.abort_s)
        except DeviceError as error:
            log.warning("%s was not stopped: %s", self.name, error)

    def _read_status(self) -> MountStatus:
        device = self._device
        altitude, azimuth = (
            device.read(member, values.decimal, watching=True) for member in ("altitude", "azimuth")
        )
        return MountStatus(
            altitude_deg=max(-90.0, min(90.0, altitude)),
            azimuth_deg=azimuth % 360.0,
            tracking=device.read("tracking", values.yes, watching=True),
            parked=self._parked(),
        )

    def _parked(self) -> bool:
        try:
            return self._device.read("atpark", values.yes, watching=True)
        except DriverError:
            return False


def _site(device: AlpacaDevice) -> Site | None:
    """Where the mount was told that it stands; nobody observes at 0°, 0°."""
    latitude, longitude = (
        device.probe(member, values.decimal) for member in ("sitelatitude", "sitelongitude")
    )
    if latitude is None or longitude is None or (latitude == 0.0 and longitude == 0.0):
        return None
    if not -90.0 <= latitude <= 90.0 or not -360.0 <= longitude <= 360.0:
        return None
    elevation = device.probe("siteelevation", values.decimal) or 0.0
    east = (longitude + 180.0) % 360.0 - 180.0
    return Site(device.name, latitude, east, max(-500.0, min(9000.0, elevation)))


def _optics(device: AlpacaDevice) -> Optics:
    focal, aperture = (_millimetres(device, m) for m in ("focallength", "aperturediameter"))
    return Optics(device.name, focal_length_mm=focal, aperture_mm=aperture)


def _millimetres(device: AlpacaDevice, member: str) -> float | None:
    """Return a length in millimetres; the standard says metres, some drivers mean millimetres."""
    found = device.probe(member, values.decimal)
    if found is None or found <= 0.0:
        return None
    return found if found > LONGEST_TELESCOPE_M else found * 1000.0
