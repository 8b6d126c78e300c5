"""Whether the twilight will be long enough for what is asked, said before anything moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from calibstudio.domain.equipment import Observatory
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.outlook import saturation_adu
from calibstudio.domain.plan import CapturePlan, CaptureStep, LightSource, frame_seconds
from calibstudio.domain.quality import Verdict
from calibstudio.domain.sun import sun_altitude_deg
from calibstudio.domain.twilight import PATIENCE_S, Twilight, twilight_of
from calibstudio.domain.twilight_outlook import FilterWindow, sky_windows
from calibstudio.domain.wording import duration, number
from calibstudio.services.sky_order import measured_e
from calibstudio.services.trained import TrainedStore

FIRST_FRAMES = 2
"""Test frames of a filter before its first flat."""


@dataclass(frozen=True, slots=True)
class SkyOutlook:
    """What the twilight has for a plan."""

    verdict: Verdict | None
    """None: only the first test frame tells."""
    fact: str
    fix: str = ""


def sky_outlook(
    observatory: Observatory,
    plan: CapturePlan,
    trained: TrainedStore | None = None,
    *,
    cooling_s: float = 0.0,
) -> SkyOutlook:
    """Say where the Sun is, and which filters it leaves without light.

    ``cooling_s``: seconds until the first frame can be taken. Asks the camera what an ADU is
    worth. Estimates are right to a few minutes, so nothing here forbids a start.
    """
    site = observatory.site
    if site is None:
        fix = "Give latitude and longitude of the telescope in the rig."
        return SkyOutlook(Verdict.BAD, "Without a site nobody knows where the Sun is.", fix)
    now = observatory.clock.now()
    altitude = sun_altitude_deg(now, site)
    way = "sinking" if twilight_of(now, site) is Twilight.DUSK else "rising"
    sun = f"At {number(altitude, 1)}°, {way}"
    flats = [s for s in plan.steps if s.light is LightSource.SKY]
    twilight = flats[0].twilight or twilight_of(now, site)
    windows = _windows(observatory, flats, twilight, trained)
    if windows is None:
        return SkyOutlook(None, f"{sun}; the first test frame tells.")
    first = windows[0].begins
    if all(_is_far(w, now) for w in windows):
        name = twilight.capitalize()
        if first is None:
            return SkyOutlook(Verdict.WARN, f"{sun}. There is no {twilight} light.", "Use a panel.")
        left = duration(60.0 * round((first - now) / timedelta(minutes=1)))
        fact = f"{sun}. {name} light comes in {left}: that long is not waited for."
        return SkyOutlook(Verdict.WARN, fact, _other_end(observatory, flats, twilight, trained))
    missed, short = _left_out(observatory, flats, windows, now, cooling_s)
    if not missed and not short:
        when = "" if first is None or first <= now else f"; light from {first:%H:%M} UTC"
        return SkyOutlook(None, f"{sun}{when}; the first test frame tells.")
    parts = [f"{twilight.capitalize()} is over for {', '.join(missed)}."] if missed else []
    parts += [f"The light is too short for all flats of {', '.join(short)}."] if short else []
    other = _other_end(observatory, flats, twilight, trained)
    return SkyOutlook(
        Verdict.WARN, f"{sun}. {' '.join(parts)}", f"Take fewer flats or filters. {other}"
    )


def _windows(
    observatory: Observatory,
    flats: Sequence[CaptureStep],
    twilight: Twilight,
    trained: TrainedStore | None,
) -> list[FilterWindow] | None:
    """Return when each step has its light; None where that cannot be foretold."""
    camera, site = observatory.camera, observatory.site
    info, pixel_um = camera.info, camera.info.pixel_size_um
    if site is None or pixel_um is None:
        return None
    windows: list[FilterWindow] = []
    for step in flats:
        settings, target = step.settings, step.target
        try:
            conversion = camera.conversion(settings.gain, settings.readout_mode)
        except CalibStudioError:
            return None
        if conversion is None or target is None:
            return None
        top = saturation_adu(info, 0.0, conversion)
        e_per_adu = conversion.e_per_adu
        signal_e = e_per_adu * target.adu(saturation_adu=top, bias_adu=0.0, e_per_adu=e_per_adu)
        try:
            windows += sky_windows(
                [step.filter or ""], twilight, now=observatory.clock.now(), site=site,
                optics=observatory.optics, pixel_um=pixel_um * settings.binning,
                signal_e=signal_e, limits_s=step.limits.exposures(info),
                measured_e=measured_e(trained, settings, e_per_adu),
            )  # fmt: skip
        except ValueError:
            return None
    return windows


def _is_far(window: FilterWindow, now: datetime) -> bool:
    """Whether its light is further away than a sequence waits."""
    return window.begins is None or window.begins - now > timedelta(seconds=PATIENCE_S)


def _left_out(
    observatory: Observatory,
    flats: Sequence[CaptureStep],
    windows: Sequence[FilterWindow],
    now: datetime,
    cooling_s: float,
) -> tuple[list[str], list[str]]:
    """Return the filters that get no light, and those that get too little, in turn."""
    info = observatory.camera.info
    missed: list[str] = []
    short: list[str] = []
    free = now + timedelta(seconds=cooling_s)
    for step, window in zip(flats, windows, strict=True):
        name = step.filter or "this filter"
        begins, ends = window.begins, window.ends
        if begins is None or ends is None or _is_far(window, now) or max(free, begins) >= ends:
            missed.append(name)
            continue
        start = max(free, begins)
        low, high = step.limits.exposures(info)
        each = frame_seconds(info, step.settings, (low * high) ** 0.5)
        needed = timedelta(seconds=each * (step.count + FIRST_FRAMES))
        if start + needed > ends:
            short.append(name)
        free = min(start + needed, ends)
    return missed, short


def _other_end(
    observatory: Observatory,
    flats: Sequence[CaptureStep],
    twilight: Twilight,
    trained: TrainedStore | None,
) -> str:
    """Say when there is light at the other end of the night."""
    other = twilight.other
    windows = _windows(observatory, flats, other, trained) or []
    begins = min((w.begins for w in windows if w.begins is not None), default=None)
    if begins is None:
        return "Or use a panel."
    return f"{other.capitalize()} has light from {begins:%H:%M} UTC."
