"""The facts behind each field of the status bar, as pairs of name and value."""

from __future__ import annotations

from datetime import UTC, tzinfo
from math import isinf

from calibstudio.domain.equipment import Observatory
from calibstudio.domain.wording import (
    EN_DASH,
    duration,
    exposure,
    number,
    quantity,
    size,
    utc_clock,
)
from calibstudio.gui.equipment_state import EquipmentSnapshot

Rows = list[tuple[str, str]]


def details_of(
    what: str,
    observatory: Observatory,
    snapshot: EquipmentSnapshot,
    *,
    zone: tzinfo | None,
    zone_name: str,
) -> Rows:
    """Return the facts about camera, cooler, wheel, panel, sky or time."""
    if what == "camera":
        return _camera(observatory, snapshot)
    if what == "cooler":
        return _cooler(observatory, snapshot)
    if what == "wheel":
        return _wheel(observatory, snapshot)
    if what == "panel":
        return _panel(observatory, snapshot)
    if what == "sky":
        return _sky(observatory, snapshot)
    local = snapshot.utc.astimezone(zone)
    clock = observatory.clock
    rows = [
        ("UTC", f"{snapshot.utc.astimezone(UTC):%Y-%m-%d %H:%M:%S}"),
        ("Local", f"{local:%Y-%m-%d %H:%M:%S}"),
        ("Time zone", zone_name),
    ]
    if clock.speed != 1:
        times = f"{number(clock.speed)} times as fast"
        rows.append(("Simulated clock", "as fast as it can" if isinf(clock.speed) else times))
    return rows


def _camera(observatory: Observatory, s: EquipmentSnapshot) -> Rows:
    info = observatory.camera.info
    state = "not answering" if s.camera is None else s.camera.state.value
    rows = [
        ("Name", info.name),
        ("State", state),
        ("Sensor", size(info.shape)),
        ("Colour", info.bayer or "mono"),
        ("Exposure", f"{exposure(info.exposure_min_s)} {EN_DASH} {exposure(info.exposure_max_s)}"),
    ]
    if info.pixel_size_um is not None:
        rows.insert(3, ("Pixel size", quantity(info.pixel_size_um, "µm", 2)))
    if info.serial:
        rows.insert(1, ("Serial number", info.serial))
    if info.driver:
        rows.append(("Driver", info.driver))
    rows.append(("Telescope", observatory.optics.telescope))
    return rows


def _cooler(observatory: Observatory, s: EquipmentSnapshot) -> Rows:
    camera = s.camera
    if camera is None:
        return [("State", "not answering")]
    rows = [("State", s.cooling.value)]
    if s.cooling_since is not None:
        seconds = (camera.at - s.cooling_since).total_seconds()
        rows.append(("Since", f"{utc_clock(s.cooling_since)}, {duration(seconds)}"))
    for name, value in (("Sensor", camera.sensor_c), ("Set point", camera.set_c)):
        rows.append((name, "unknown" if value is None else quantity(value, "°C", 1)))
    power = camera.cooler_power_pct
    rows.append(("Power", "unknown" if power is None else quantity(power, "%")))
    return rows


def _wheel(observatory: Observatory, s: EquipmentSnapshot) -> Rows:
    wheel = observatory.wheel
    if wheel is None:
        return [("Filter wheel", "none connected")]
    now = "turning" if s.filter_moving else s.filter_name or "unknown"
    rows = [("Wheel", wheel.name), ("In the beam", now)]
    return [*rows, *((f"Slot {i}", name) for i, name in enumerate(wheel.filters, start=1))]


def _panel(observatory: Observatory, s: EquipmentSnapshot) -> Rows:
    panel = observatory.panel
    if panel is None:
        return [("Cover and panel", "none connected")]
    info = panel.info
    cover = "unknown" if s.cover is None else s.cover.value
    lamp = s.lamp_brightness
    rows = [("Name", info.name), ("Cover", cover if info.has_cover else "none")]
    if info.has_lamp:
        said = "unknown" if lamp is None else f"{number(lamp)} of {number(info.max_brightness)}"
        rows.append(("Lamp", "off" if lamp == 0 else said))
    return rows


def _sky(observatory: Observatory, s: EquipmentSnapshot) -> Rows:
    site = observatory.site
    if site is None:
        return [("Site", "not known; type it in the settings")]
    sun = s.sun_altitude_deg
    rows = [("Sun", "unknown" if sun is None else f"{number(sun, 1)}° altitude")]
    if sun is not None:
        rows.append(("Sky", _sky_word(sun)))
    rows += [
        ("Site", site.name),
        ("Latitude", f"{number(site.latitude_deg, 4)}°"),
        ("Longitude", f"{number(site.longitude_deg, 4)}°"),
    ]
    if s.mount is not None:
        where = f"{number(s.mount.altitude_deg, 1)}°, {number(s.mount.azimuth_deg, 1)}°"
        rows.append(("Telescope at altitude, azimuth", where))
    return [*rows, *_around(observatory, s)]


def _around(observatory: Observatory, s: EquipmentSnapshot) -> Rows:
    """Rotator, focuser, dome and safety monitor, where they are connected."""
    rows: Rows = []
    if observatory.rotator is not None:
        said = "unknown" if s.rotator_deg is None else f"{number(s.rotator_deg, 1)}°"
        rows.append(("Rotator", said))
    if observatory.focuser is not None:
        focus = "unknown or moving" if s.focus_position is None else number(s.focus_position)
        rows.append(("Focuser", focus))
    if observatory.dome is not None:
        rows.append(("Dome", "unknown" if s.dome is None else str(s.dome.shutter)))
    if observatory.safety is not None:
        safe = {True: "safe", False: "not safe", None: "does not answer"}[s.is_safe]
        rows.append(("Safety monitor", safe))
    return rows


def _sky_word(sun_altitude_deg: float) -> str:
    """Name the light of the sky: day, and the three twilights at −6°, −12° and −18°."""
    for limit, word in (
        (-0.83, "day"),
        (-6, "civil twilight"),
        (-12, "nautical twilight"),
        (-18, "astronomical twilight"),
    ):
        if sun_altitude_deg > limit:
            return word
    return "night"
