"""A mount of ours as an Alpaca telescope (ITelescopeV4): points, slews and tracks."""

from __future__ import annotations

from datetime import UTC
from math import pi
from typing import Any, Protocol, runtime_checkable

from calibstudio.devices.alpaca_server.background import Background
from calibstudio.devices.alpaca_server.device import Device, read_where_possible
from calibstudio.devices.alpaca_server.errors import (
    INVALID_OPERATION,
    INVALID_VALUE,
    VALUE_NOT_SET,
    AlpacaError,
    not_implemented,
)
from calibstudio.devices.alpaca_server.members import get, put, real, truth, whole
from calibstudio.domain.equipment import Clock, Mount, Optics, Site
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.sun import equatorial_deg, horizontal_deg, sidereal_deg

_GERMAN, _TOPOCENTRIC, _SIDEREAL = 2, 1, 0


@runtime_checkable
class Tracking(Protocol):
    """A mount whose tracking can be switched."""

    def set_tracking(self, on: bool) -> None:
        """Follow the stars, or stand still."""
        ...


class TelescopeDevice(Device):
    """Slews in a thread of its own. A slew leaves the tracking as it was."""

    kind = "Telescope"
    interface_version = 4
    absent = tuple(
        f"{verb} {name}"
        for verb, names in (
            (
                "get",
                "guideratedeclination guideraterightascension ispulseguiding sideofpier "
                "slewsettletime destinationsideofpier",
            ),
            (
                "put",
                "declinationrate doesrefraction findhome guideratedeclination "
                "guideraterightascension moveaxis park pulseguide rightascensionrate setpark "
                "sideofpier siteelevation sitelatitude sitelongitude slewsettletime synctoaltaz "
                "synctocoordinates synctotarget unpark utcdate",
            ),
        )
        for name in names.split()
    )

    def __init__(
        self, mount: Mount, site: Site, optics: Optics, clock: Clock, identity: str
    ) -> None:
        super().__init__(mount.name, identity, clock)
        self._mount, self._site, self._optics = mount, site, optics
        self._work = Background(f"{mount.name}: slew")
        self._target_ra_h: float | None = None
        self._target_dec_deg: float | None = None

    def close(self) -> None:
        """Stop slewing."""
        self._work.cancel()

    def forget(self) -> None:
        """Forget targets and what went wrong before."""
        self._work.error = None
        self._target_ra_h = self._target_dec_deg = None

    def state(self) -> dict[str, Any]:
        """The operational properties of ITelescopeV4."""
        return read_where_possible(
            {
                "Altitude": self.altitude,
                "AtHome": self.at_home,
                "AtPark": self.at_park,
                "Azimuth": self.azimuth,
                "Declination": self.declination,
                "RightAscension": self.right_ascension,
                "SiderealTime": self.sidereal_time,
                "Slewing": self.slewing,
                "Tracking": self.tracking,
                "UTCDate": self.utc_date,
            }
        )

    @get("alignmentmode")
    def alignment_mode(self) -> int:
        """German equatorial."""
        return _GERMAN

    @get("equatorialsystem")
    def equatorial_system(self) -> int:
        """Coordinates are those of the date, as seen from the site."""
        return _TOPOCENTRIC

    @get("altitude")
    def altitude(self) -> float:
        """Degrees above the horizon."""
        return self._mount.status().altitude_deg

    @get("azimuth")
    def azimuth(self) -> float:
        """Degrees from north through east."""
        return self._mount.status().azimuth_deg

    @get("rightascension")
    def right_ascension(self) -> float:
        """Hours."""
        return self._equatorial()[0] / 15.0

    @get("declination")
    def declination(self) -> float:
        """Degrees."""
        return self._equatorial()[1]

    @get("siderealtime")
    def sidereal_time(self) -> float:
        """Local sidereal time in hours."""
        return sidereal_deg(self.clock.now(), self._site.longitude_deg) / 15.0

    @get("utcdate")
    def utc_date(self) -> str:
        """Time at the observatory."""
        now = self.clock.now().astimezone(UTC)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @get("sitelatitude")
    def site_latitude(self) -> float:
        """Degrees, north positive."""
        return self._site.latitude_deg

    @get("sitelongitude")
    def site_longitude(self) -> float:
        """Degrees, east positive."""
        return self._site.longitude_deg

    @get("siteelevation")
    def site_elevation(self) -> float:
        """Metres above the sea."""
        return self._site.elevation_m

    @get("aperturediameter")
    def aperture_diameter(self) -> float:
        """Metres."""
        return self._metres("aperturediameter", self._optics.aperture_mm)

    @get("aperturearea")
    def aperture_area(self) -> float:
        """Square metres, without an obstruction."""
        return 0.25 * pi * self._metres("aperturearea", self._optics.aperture_mm) ** 2

    @get("focallength")
    def focal_length(self) -> float:
        """Metres."""
        return self._metres("focallength", self._optics.focal_length_mm)

    @get("athome")
    def at_home(self) -> bool:
        """It has no home."""
        return False

    @get("atpark")
    def at_park(self) -> bool:
        """Whether it is parked."""
        return self._mount.status().parked

    @get("slewing")
    def slewing(self) -> bool:
        """Whether it is on its way. A slew that failed is said here."""
        if self._work.is_running:
            return True
        if self._work.error is not None:
            raise self._work.error
        return False

    @get("tracking")
    def tracking(self) -> bool:
        """Whether it follows the stars."""
        return self._mount.status().tracking

    @put("tracking", Tracking=truth)
    def set_tracking(self, Tracking: bool) -> None:
        """Follow the stars, or stand still."""
        self._tracker("tracking").set_tracking(Tracking)

    @get("trackingrate")
    def tracking_rate(self) -> int:
        """Sidereal."""
        return _SIDEREAL

    @put("trackingrate", TrackingRate=whole)
    def set_tracking_rate(self, TrackingRate: int) -> None:
        """Only the sidereal rate can be chosen."""
        if TrackingRate != _SIDEREAL:
            raise AlpacaError(INVALID_VALUE, f"{self.name} has only the sidereal rate, 0.")

    @get("trackingrates")
    def tracking_rates(self) -> list[int]:
        """The rates on offer."""
        return [_SIDEREAL]

    @get("declinationrate")
    def declination_rate(self) -> float:
        """No own rate."""
        return 0.0

    @get("rightascensionrate")
    def right_ascension_rate(self) -> float:
        """No own rate."""
        return 0.0

    @get("doesrefraction")
    def does_refraction(self) -> bool:
        """Refraction is not applied."""
        return False

    @get("axisrates", Axis=whole)
    def axis_rates(self, Axis: int) -> list[dict[str, float]]:
        """Its axes cannot be moved by hand."""
        self._check_axis(Axis)
        return []

    @get("canmoveaxis", Axis=whole)
    def can_move_axis(self, Axis: int) -> bool:
        """Its axes cannot be moved by hand."""
        self._check_axis(Axis)
        return False

    @get("cansettracking")
    def can_set_tracking(self) -> bool:
        """Whether the tracking can be switched."""
        return isinstance(self._mount, Tracking)

    @get("canslew")
    def can_slew(self) -> bool:
        """It can be sent to equatorial coordinates."""
        return True

    @get("canslewasync")
    def can_slew_async(self) -> bool:
        """And that without waiting."""
        return True

    @get("canslewaltaz")
    def can_slew_altaz(self) -> bool:
        """It can be sent to horizontal coordinates."""
        return True

    @get("canslewaltazasync")
    def can_slew_altaz_async(self) -> bool:
        """And that without waiting."""
        return True

    @get("canfindhome")
    def can_find_home(self) -> bool:
        """No."""
        return False

    @get("canpark")
    def can_park(self) -> bool:
        """No."""
        return False

    @get("canunpark")
    def can_unpark(self) -> bool:
        """No."""
        return False

    @get("cansetpark")
    def can_set_park(self) -> bool:
        """No."""
        return False

    @get("canpulseguide")
    def can_pulse_guide(self) -> bool:
        """No."""
        return False

    @get("cansetdeclinationrate")
    def can_set_declination_rate(self) -> bool:
        """No."""
        return False

    @get("cansetrightascensionrate")
    def can_set_right_ascension_rate(self) -> bool:
        """No."""
        return False

    @get("cansetguiderates")
    def can_set_guide_rates(self) -> bool:
        """No."""
        return False

    @get("cansetpierside")
    def can_set_pier_side(self) -> bool:
        """No."""
        return False

    @get("cansync")
    def can_sync(self) -> bool:
        """No: it always knows where it looks."""
        return False

    @get("cansyncaltaz")
    def can_sync_altaz(self) -> bool:
        """No: it always knows where it looks."""
        return False

    @get("targetrightascension")
    def target_right_ascension(self) -> float:
        """Hours."""
        return _was_set("TargetRightAscension", self._target_ra_h)

    @put("targetrightascension", TargetRightAscension=real)
    def set_target_right_ascension(self, TargetRightAscension: float) -> None:
        """Set the target."""
        self._target_ra_h = _checked("right ascension", TargetRightAscension, 0.0, 24.0)

    @get("targetdeclination")
    def target_declination(self) -> float:
        """Degrees."""
        return _was_set("TargetDeclination", self._target_dec_deg)

    @put("targetdeclination", TargetDeclination=real)
    def set_target_declination(self, TargetDeclination: float) -> None:
        """Set the target."""
        self._target_dec_deg = _checked("declination", TargetDeclination, -90.0, 90.0)

    @put("slewtoaltazasync", Azimuth=real, Altitude=real)
    def slew_to_altaz_async(self, Azimuth: float, Altitude: float) -> None:
        """Begin to slew."""
        azimuth = _checked("azimuth", Azimuth, 0.0, 360.0)
        altitude = _checked("altitude", Altitude, -90.0, 90.0)
        self._begin(altitude, azimuth)

    @put("slewtoaltaz", Azimuth=real, Altitude=real)
    def slew_to_altaz(self, Azimuth: float, Altitude: float) -> None:
        """Slew, and answer when it is there."""
        self.slew_to_altaz_async(Azimuth, Altitude)
        self._work.wait()

    @put("slewtocoordinatesasync", RightAscension=real, Declination=real)
    def slew_to_coordinates_async(self, RightAscension: float, Declination: float) -> None:
        """Begin to slew."""
        self.set_target_right_ascension(RightAscension)
        self.set_target_declination(Declination)
        self.slew_to_target_async()

    @put("slewtocoordinates", RightAscension=real, Declination=real)
    def slew_to_coordinates(self, RightAscension: float, Declination: float) -> None:
        """Slew, and answer when it is there."""
        self.slew_to_coordinates_async(RightAscension, Declination)
        self._work.wait()

    @put("slewtotargetasync")
    def slew_to_target_async(self) -> None:
        """Begin to slew to the target."""
        ra_deg = 15.0 * self.target_right_ascension()
        where = horizontal_deg(ra_deg, self.target_declination(), self.clock.now(), self._site)
        if not self.tracking():
            raise AlpacaError(INVALID_OPERATION, f"{self.name} does not track: switch it on first.")
        if where[0] <= 0.0:
            raise AlpacaError(INVALID_VALUE, "The target is below the horizon.")
        self._begin(*where)

    @put("slewtotarget")
    def slew_to_target(self) -> None:
        """Slew to the target, and answer when it is there."""
        self.slew_to_target_async()
        self._work.wait()

    @put("abortslew")
    def abort_slew(self) -> None:
        """Stop. A mount that stands is left alone."""
        self._work.cancel()

    def _begin(self, altitude_deg: float, azimuth_deg: float) -> None:
        was_tracking = self.tracking()

        def slew(cancel: CancelToken) -> None:
            self._mount.slew(altitude_deg, azimuth_deg, cancel)
            if not was_tracking and isinstance(self._mount, Tracking):
                self._mount.set_tracking(False)

        self._work.start(slew)

    def _equatorial(self) -> tuple[float, float]:
        where = self._mount.status()
        sidereal = sidereal_deg(self.clock.now(), self._site.longitude_deg)
        return equatorial_deg(where.altitude_deg, where.azimuth_deg, sidereal, self._site)

    def _tracker(self, member: str) -> Tracking:
        if not isinstance(self._mount, Tracking):
            raise not_implemented(member)
        return self._mount

    def _check_axis(self, axis: int) -> None:
        if axis not in (0, 1, 2):
            raise AlpacaError(INVALID_VALUE, "The axes are 0, 1 and 2.")

    def _metres(self, member: str, millimetres: float | None) -> float:
        if millimetres is None:
            raise not_implemented(member)
        return millimetres / 1000.0


def _checked(what: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise AlpacaError(INVALID_VALUE, f"The {what} goes from {low:g} to {high:g}.")
    return value


def _was_set(member: str, value: float | None) -> float:
    if value is None:
        raise AlpacaError(VALUE_NOT_SET, f"{member} has not been set.")
    return value
