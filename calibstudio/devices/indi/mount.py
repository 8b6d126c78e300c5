"""An INDI telescope mount."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from math import cos, radians

from calibstudio.devices.indi.device import IndiDevice, RefusedError
from calibstudio.devices.indi.link import Link
from calibstudio.domain.equipment import MountStatus, Optics, Site
from calibstudio.domain.errors import (
    Cancelled,
    DeviceBusyError,
    DeviceError,
    DeviceUnreachableError,
    UnsupportedRequestError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.sun import equatorial_deg, horizontal_deg, sidereal_deg
from calibstudio.domain.wording import duration, number

log = logging.getLogger(__name__)

NEEDS = ("EQUATORIAL_EOD_COORD",)
LOWEST_DEG = 10.0
"""Below, the dome or a wall is nearer than the sky."""
LONGEST_SLEW_S = 300.0
CLOSE_DEG = 0.5
"""A slew that ends farther from where it was sent has failed."""
_STARS = "EQUATORIAL_EOD_COORD"
_SKY = "HORIZONTAL_COORD"


class IndiMount:
    """A telescope behind an INDI server; see `Mount` for what its methods promise.

    It is never unparked or moved but by `slew`, and tracks after it. Altitude and azimuth are the
    mount's own where it says them; else they follow from right ascension and declination of date,
    this computer's time and the site.
    """

    def __init__(self, device: IndiDevice, site: Site | None) -> None:
        self._device = device
        self._site = site
        self._slewing = threading.Lock()

    @classmethod
    def open(
        cls, link: Link, name: str, cancel: CancelToken | None = None, *, site: Site | None = None
    ) -> IndiMount:
        """Connect a mount. ``site`` as the rig knows it; None: as the mount says.

        Raises
        ------
        DeviceError
            It cannot be connected, or does not say where it looks.
        """
        device = IndiDevice(link, name, NEEDS)
        device.connect(cancel)
        known = site or _site(device)
        if known is None and device.find(_SKY) is None:
            device.close()
            raise DeviceError(
                f"{name} does not know where it stands, so where it looks is not known.",
                hint="Set the site in its driver, then connect again.",
            )
        return cls(device, known)

    @property
    def name(self) -> str:
        """What the driver calls it."""
        return self._device.name

    @property
    def site(self) -> Site | None:
        """Where it stands."""
        return self._site

    @property
    def optics(self) -> Optics:
        """The telescope, as far as the mount knows it."""
        found = self._device.find("TELESCOPE_INFO")
        focal, aperture = (
            None if found is None else found.number(f"TELESCOPE_{what}") or None
            for what in ("FOCAL_LENGTH", "APERTURE")
        )
        return Optics(self.name, focal_length_mm=focal, aperture_mm=aperture)

    def status(self) -> MountStatus:
        """Return where it said last that it looks."""
        self._device.look()
        altitude, azimuth = self._direction()
        tracking = self._device.find("TELESCOPE_TRACK_STATE")
        return MountStatus(
            altitude_deg=max(-90.0, min(90.0, altitude)),
            azimuth_deg=azimuth % 360.0,
            tracking=tracking is None or tracking.is_on("TRACK_ON"),
            parked=self._is_parked(),
        )

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
            if self._is_parked():
                raise UnsupportedRequestError(
                    f"{self.name} is parked.", hint="Unpark it in its own program, then retry."
                )
            self._slew(altitude_deg, azimuth_deg % 360.0, cancel)
        finally:
            self._slewing.release()

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        self._device.close()

    def _slew(self, altitude_deg: float, azimuth_deg: float, cancel: CancelToken) -> None:
        device = self._device
        ra_deg, dec_deg = self._among_stars(altitude_deg, azimuth_deg)
        try:
            if device.find("ON_COORD_SET") is not None:
                device.choose("ON_COORD_SET", "TRACK", cancel)
            since = device.order(_STARS, {"RA": f"{ra_deg / 15.0:.8f}", "DEC": f"{dec_deg:.8f}"})
            device.settled(_STARS, since, lambda _: True, cancel, seconds=LONGEST_SLEW_S)
        except Cancelled:
            self._stop()
            raise
        except RefusedError as error:
            raise UnsupportedRequestError(
                str(error), hint="Choose another direction, or look at the limits of the mount."
            ) from error
        except DeviceUnreachableError:
            raise
        except DeviceError as error:
            self._stop()
            raise DeviceError(
                f"{self.name} was still slewing after {duration(LONGEST_SLEW_S)}; it was stopped.",
                hint="Look at the mount before it is moved again.",
            ) from error
        self._check_arrived(ra_deg, dec_deg)
        self._track(cancel)

    def _check_arrived(self, ra_deg: float, dec_deg: float) -> None:
        found = self._device.need(_STARS)
        ra_h, dec = found.number("RA"), found.number("DEC")
        off_deg = 180.0
        if ra_h is not None and dec is not None:
            aside = (ra_h * 15.0 - ra_deg + 180.0) % 360.0 - 180.0
            off_deg = max(abs(dec - dec_deg), abs(aside) * cos(radians(dec_deg)))
        if off_deg > CLOSE_DEG:
            raise DeviceError(
                f"{self.name} has stopped on the way.",
                hint="Another program may have stopped it. Look at the mount, then retry.",
            )

    def _track(self, cancel: CancelToken) -> None:
        found = self._device.find("TELESCOPE_TRACK_STATE")
        if found is None or found.is_on("TRACK_ON"):
            return
        try:
            self._device.choose("TELESCOPE_TRACK_STATE", "TRACK_ON", cancel)
        except RefusedError as error:
            log.warning("%s does not track: %s", self.name, error)

    def _stop(self) -> None:
        try:
            self._device.order("TELESCOPE_ABORT_MOTION", {"ABORT": "On"})
            self._device.link.wait(
                lambda: (p := self._device.find(_STARS)) is None or p.state != "Busy",
                self._device.patience.abort_s,
            )
        except DeviceError as error:
            log.warning("%s was not stopped: %s", self.name, error)

    # Where ------------------------------------------------------------------------------------

    def _direction(self) -> tuple[float, float]:
        own = self._device.find(_SKY)
        if own is not None:
            altitude, azimuth = own.number("ALT"), own.number("AZ")
            if altitude is not None and azimuth is not None:
                return altitude, azimuth
        found = self._device.need(_STARS)
        ra_h, dec_deg = found.number("RA"), found.number("DEC")
        if ra_h is None or dec_deg is None:
            raise DeviceError(f"{self.name} does not say where it looks.", hint="Restart it.")
        return horizontal_deg(ra_h * 15.0, dec_deg, datetime.now(UTC), self._known_site())

    def _among_stars(self, altitude_deg: float, azimuth_deg: float) -> tuple[float, float]:
        site = self._known_site()
        sidereal = sidereal_deg(datetime.now(UTC), site.longitude_deg)
        return equatorial_deg(altitude_deg, azimuth_deg, sidereal, site)

    def _known_site(self) -> Site:
        if self._site is None:
            self._site = _site(self._device)
        if self._site is None:
            raise UnsupportedRequestError(
                f"{self.name} does not know where it stands.", hint="Set the site in its driver."
            )
        return self._site

    def _is_parked(self) -> bool:
        found = self._device.find("TELESCOPE_PARK")
        return found is not None and found.is_on("PARK")


def _site(device: IndiDevice) -> Site | None:
    """Where the mount was told that it stands; nobody observes at 0°, 0°."""
    found = device.find("GEOGRAPHIC_COORD")
    if found is None:
        return None
    latitude, longitude = found.number("LAT"), found.number("LONG")
    if latitude is None or longitude is None or (latitude == 0.0 and longitude == 0.0):
        return None
    if not -90.0 <= latitude <= 90.0 or not -360.0 <= longitude <= 360.0:
        return None
    east = (longitude + 180.0) % 360.0 - 180.0
    elevation = found.number("ELEV") or 0.0
    return Site(device.name, latitude, east, max(-500.0, min(9000.0, elevation)))
