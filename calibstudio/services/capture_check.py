"""What is looked at before a sequence starts: for the wizard's right column, and for the start.

Nothing moves and nothing is exposed. What can only be known later says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from calibstudio.domain.draft_checks import exposure_problems, settings_problems
from calibstudio.domain.equipment import CameraState, CameraStatus, CoverState, Observatory
from calibstudio.domain.errors import CalibStudioError, DeviceError, UsageError, WriteProblemError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import CapturePlan, LightSource, Search, estimate_plan
from calibstudio.domain.quality import Verdict
from calibstudio.domain.rig import Role, outcomes_of
from calibstudio.domain.surroundings import Focuser
from calibstudio.domain.wording import (
    TIMES,
    count,
    duration,
    file_size,
    number,
    quantity,
    temperature,
)
from calibstudio.services.capture_around import sky_obstacle
from calibstudio.services.cooling import CoolingRules, seconds_expected
from calibstudio.services.cooling_time import time_needed
from calibstudio.services.frames_disk import free_for
from calibstudio.services.sky_outlook import sky_outlook
from calibstudio.services.trained import TrainedStore

DISK_RESERVE_BYTES = 200_000_000
"""Left free for the masters' temporary files and the rest of the system."""


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the pre-flight."""

    name: str
    verdict: Verdict | None
    """``None``: is only known later."""
    fact: str
    """What was found, with numbers."""
    fix: str = ""
    """What to do, where it is not good."""
    action: str = ""
    """Key of the button that mends it: ``folder``, ``cool``, ``connect``; empty for none."""


def preflight(
    observatory: Observatory,
    plan: CapturePlan,
    folder: Path,
    *,
    rules: CoolingRules | None = None,
    trained: TrainedStore | None = None,
) -> list[Check]:
    """Look at everything a plan needs. Quick; asks devices for their state, moves nothing.

    Call it where the devices may be asked (a job, not the window). ``trained``: what the rig has
    learned; with it the light of the twilight is foretold better.
    """
    rules = rules or CoolingRules()
    checks = [_disk(observatory, plan, folder)]
    status, camera = _camera(observatory)
    checks.append(camera)
    checks.append(_cooler(observatory, plan, status, rules))
    checks.append(_settings(observatory, plan))
    if any(step.filter for step in plan.steps):
        checks.append(_wheel(observatory, plan))
    if any(step.kind is FrameKind.FLAT for step in plan.steps):
        checks += _around_flats(observatory, plan)
        if any(step.light is LightSource.SKY for step in plan.steps):
            checks.append(_sky(observatory, plan, status, rules, trained))
            checks += _open_sky(observatory)
        else:
            checks.append(_light(observatory, plan))
    if any(not step.kind.needs_light for step in plan.steps):
        checks += _dark(observatory, plan)
    return checks


def raise_if_impossible(checks: list[Check]) -> None:
    """Refuse to start where a check is BAD.

    Raises
    ------
    WriteProblemError
        There is not enough room on the disk.
    DeviceError
        A device does not answer.
    UsageError
        The plan asks for something that the equipment cannot do.
    """
    bad = [check for check in checks if check.verdict is Verdict.BAD]
    if not bad:
        return
    first = bad[0]
    kind: type[CalibStudioError] = UsageError
    if first.action == "folder":
        kind = WriteProblemError
    elif first.action == "connect":
        kind = DeviceError
    more = f" {count(len(bad) - 1, 'more problem')}." if len(bad) > 1 else ""
    raise kind(f"{first.name}: {first.fact}{more}", hint=first.fix)


def _disk(observatory: Observatory, plan: CapturePlan, folder: Path) -> Check:
    name = "Free disk"
    needed = estimate_plan(plan, observatory.camera.info).bytes
    free = free_for(observatory, folder)
    if free is None:
        return Check(name, None, f"{folder} cannot be asked.", "Look whether it is mounted.")
    if problem := _not_writable(folder):
        return Check(name, Verdict.BAD, problem, "Choose another folder.", "folder")
    fact = f"{file_size(free)} free, {file_size(needed)} needed."
    if free < needed:
        missing = file_size(needed - free)
        fix = f"Free {missing} or choose another folder."
        return Check(name, Verdict.BAD, fact, fix, "folder")
    if free < needed + DISK_RESERVE_BYTES:
        return Check(name, Verdict.WARN, fact, "Little is left for masters.", "folder")
    return Check(name, Verdict.GOOD, fact)


def _not_writable(folder: Path) -> str | None:
    """Say why nothing can be written to a folder; None when it can, or when that is not known."""
    import os

    existing = next((p for p in (folder, *folder.parents) if p.exists()), None)
    if existing is None:
        return f"{folder} does not exist."
    if not existing.is_dir():
        return f"{existing} is a file, not a folder."
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"{existing} may not be written to."
    return None


def _camera(observatory: Observatory) -> tuple[CameraStatus | None, Check]:
    camera = observatory.camera
    try:
        status = camera.status()
    except DeviceError as error:
        return None, Check("Camera", Verdict.BAD, str(error), error.hint, "connect")
    name = camera.info.name
    if status.state in (CameraState.EXPOSING, CameraState.READING):
        fix = "Stop the loop, or wait for the frame."
        return status, Check("Camera", Verdict.WARN, f"{name} is {status.state} now.", fix)
    if status.state in (CameraState.ERROR, CameraState.LOST):
        fix = "Reconnect the camera."
        return status, Check("Camera", Verdict.BAD, f"{name}: {status.state}.", fix, "connect")
    return status, Check("Camera", Verdict.GOOD, f"{name} answers.")


def _cooler(
    observatory: Observatory, plan: CapturePlan, status: CameraStatus | None, rules: CoolingRules
) -> Check:
    info = observatory.camera.info
    name = "Cooler settled"
    wanted = sorted(
        {s.settings.set_temp_c for s in plan.steps if s.settings.set_temp_c is not None}
    )
    if not wanted:
        if not info.can_cool:
            return Check(name, Verdict.GOOD, "This camera has no cooler.")
        return Check(name, Verdict.WARN, "No temperature is set.", "Set one for darks.", "cool")
    problems = [
        text
        for step in plan.steps
        for text in settings_problems(step.settings, info)
        if "cooler" in text
    ]
    if problems:
        return Check(name, Verdict.BAD, problems[0], "Choose another temperature.")
    if status is None or status.sensor_c is None:
        return Check(name, None, "The sensor temperature is not known.")
    first_c = next(s.settings.set_temp_c for s in plan.steps if s.settings.set_temp_c is not None)
    now = f"Sensor {temperature(status.sensor_c)}"
    if status.cooler_power_pct is not None:
        now += f", power {quantity(status.cooler_power_pct, '%')}"
    if abs(status.sensor_c - first_c) <= rules.tolerance_c and len(wanted) == 1:
        return Check(name, Verdict.GOOD, f"{now}.")
    wait = duration(seconds_expected(status, first_c, rules))
    fact = f"{now}; {temperature(first_c)} in about {wait}."
    if len(wanted) > 1:
        span = f"{temperature(wanted[-1])} to {temperature(wanted[0])}"
        fact = f"{now}; {count(len(wanted), 'temperature')}, {span}."
    return Check(name, None, fact, "Cooled down before the first frame.", "cool")


def _settings(observatory: Observatory, plan: CapturePlan) -> Check:
    info = observatory.camera.info
    name = "Gain and offset"
    found = list(plan.problems())
    for step in plan.steps:
        found += [t for t in settings_problems(step.settings, info) if "cooler" not in t]
        if step.exposure_s is not None:
            found += exposure_problems(step.exposure_s, info)
    if found:
        return Check(name, Verdict.BAD, found[0], "Change the plan.")
    settings = plan.steps[0].settings
    words = []
    if settings.gain is not None:
        words.append(f"gain {number(settings.gain)}")
    if settings.offset is not None:
        words.append(f"offset {number(settings.offset)}")
    words.append(f"binning {settings.binning} {TIMES} {settings.binning}")
    fact = ", ".join(words)
    return Check(name, Verdict.GOOD, f"{fact[:1].upper()}{fact[1:]}; read back with every frame.")


def _wheel(observatory: Observatory, plan: CapturePlan) -> Check:
    name = "Filter wheel"
    wheel = observatory.wheel
    wanted = list(dict.fromkeys(step.filter for step in plan.steps if step.filter))
    if wheel is None:
        if len(wanted) == 1:
            fact = f"No wheel is connected; {wanted[0]} is believed to be in the beam."
            return Check(name, Verdict.WARN, fact, "Look at the filter.")
        fix = "Connect it, or take one filter at a time."
        return Check(name, Verdict.BAD, "No wheel is connected.", fix, "connect")
    missing = [f for f in wanted if f not in wheel.filters]
    if missing:
        fact = f"The wheel has no filter {', '.join(missing)}."
        return Check(name, Verdict.BAD, fact, f"It has {', '.join(wheel.filters)}.")
    try:
        slot = wheel.position()
    except DeviceError as error:
        return Check(name, Verdict.BAD, str(error), error.hint, "connect")
    at = "turning" if slot is None else f"at {wheel.filters[slot]}"
    return Check(name, Verdict.GOOD, f"{wheel.name}, {at}, {count(len(wanted), 'filter')} known.")


def _light(observatory: Observatory, plan: CapturePlan) -> Check:
    name = "Panel answers"
    flats = [step for step in plan.steps if step.kind is FrameKind.FLAT]
    if all(step.light is not LightSource.PANEL for step in flats):
        if any(step.search is Search.BRIGHTNESS for step in flats):
            fix = "Search the exposure instead."
            return Check("Lamp", Verdict.BAD, "Only a panel can be dimmed.", fix)
        return Check("Lamp", None, "Light it before the start; the first test frame tells.")
    panel = observatory.panel
    if panel is None or not panel.info.has_lamp:
        fix = "Connect it, or choose another light."
        return Check(name, Verdict.BAD, "No panel is connected.", fix, "connect")
    most = panel.info.max_brightness
    wanted = [step.brightness for step in flats if step.brightness is not None]
    if any(not 1 <= b <= most for b in wanted):
        fix = f"Brightness is from 1 to {number(most)}."
        return Check(name, Verdict.BAD, "The brightness is outside the panel's range.", fix)
    try:
        status = panel.status()
    except DeviceError as error:
        return Check(name, Verdict.BAD, str(error), error.hint, "connect")
    lamp = "off" if status.brightness == 0 else f"at {number(status.brightness)}"
    return Check(name, Verdict.GOOD, f"{panel.info.name}, {lamp}, brightness 0–{number(most)}.")


def _sky(
    observatory: Observatory,
    plan: CapturePlan,
    status: CameraStatus | None,
    rules: CoolingRules,
    trained: TrainedStore | None,
) -> Check:
    """Where the Sun is, and whether its light is enough for what is asked."""
    cost = estimate_plan(plan, observatory.camera.info)
    cooling_s = time_needed(plan, cost, observatory.camera.info, status, rules).cooling_s
    found = sky_outlook(observatory, plan, trained, cooling_s=cooling_s)
    return Check("Sun", found.verdict, found.fact, found.fix)


def _around_flats(observatory: Observatory, plan: CapturePlan) -> list[Check]:
    """Rotator and focuser: flats fit lights of the same angle, and of about the same focus."""
    checks: list[Check] = []
    rotator, focuser, rig = observatory.rotator, observatory.focuser, observatory.rig
    if rotator is not None:
        try:
            fact = f"{rotator.name} at {number(rotator.angle_deg(), 1)}°; flats fit its lights."
            checks.append(Check("Rotator", Verdict.GOOD, fact))
        except DeviceError as error:
            checks.append(Check("Rotator", Verdict.BAD, str(error), error.hint, "connect"))
    focus = {} if rig is None else rig.focus
    wanted = {name: focus[name] for s in plan.steps if (name := s.filter or "") in focus}
    if focuser is not None:
        try:
            checks.append(_focuser(focuser, wanted))
        except DeviceError as error:
            checks.append(Check("Focuser", Verdict.BAD, str(error), error.hint, "connect"))
    elif wanted:
        fact = "No focuser is connected; the focus stays as it is for every filter."
        checks.append(Check("Focuser", Verdict.WARN, fact, "Connect it.", "connect"))
    missing = {o.ref.role: o for o in outcomes_of(observatory) if o.error is not None and o.ref}
    if Role.ROTATOR in missing:
        fact = f"{missing[Role.ROTATOR].title} is not connected; flats do not say their angle."
        checks.append(Check("Rotator", Verdict.WARN, fact, "Connect it.", "connect"))
    return checks


def _focuser(focuser: Focuser, wanted: Mapping[str, int]) -> Check:
    low, high = focuser.range
    out = [name for name, at in wanted.items() if not low <= at <= high]
    if out:
        fact = f"The focus of {out[0]}, {number(wanted[out[0]])}, is outside its range."
        fix = f"Positions go from {number(low)} to {number(high)}: change it in the rig."
        return Check("Focuser", Verdict.BAD, fact, fix)
    at = focuser.position()
    now = "moving" if at is None else f"at {number(at)}"
    then = f", goes to the focus of {count(len(wanted), 'filter')}" if wanted else ""
    return Check("Focuser", Verdict.GOOD, f"{focuser.name} {now}{then}.")


def _open_sky(observatory: Observatory) -> list[Check]:
    """Safety monitor and dome, for flats of the sky."""
    checks = []
    why = sky_obstacle(observatory)
    if why:
        fix = "The sequence waits covered until it is so; it does not open the dome."
        checks.append(Check("Open sky", Verdict.WARN, why, fix))
    else:
        said = [f"{d.name} says safe" for d in (observatory.safety,) if d is not None]
        said += [f"{d.name} is open" for d in (observatory.dome,) if d is not None]
        if said:
            checks.append(Check("Open sky", Verdict.GOOD, f"{'; '.join(said)}."))
    for outcome in outcomes_of(observatory):
        role = None if outcome.ref is None else outcome.ref.role
        if outcome.error is not None and role in (Role.SAFETY, Role.DOME):
            fact = f"{outcome.title} is not connected; nobody watches it."
            checks.append(Check("Open sky", Verdict.WARN, fact, "Connect it.", "connect"))
    return checks


def _dark(observatory: Observatory, plan: CapturePlan) -> list[Check]:
    panel = observatory.panel
    leak = Check("Light leak", None, "Measured in every covered frame.")
    if panel is not None and panel.info.has_cover:
        try:
            cover = panel.status().cover
        except DeviceError as error:
            return [Check("Cover closed", Verdict.BAD, str(error), error.hint, "connect"), leak]
        if cover is CoverState.CLOSED:
            return [Check("Cover closed", Verdict.GOOD, f"{panel.info.name} is closed."), leak]
        fact = f"{panel.info.name} is {cover}; it closes before the first covered frame."
        return [Check("Cover closed", None, fact), leak]
    if observatory.camera.info.has_shutter:
        return [Check("Cover closed", Verdict.GOOD, "The camera's shutter covers it."), leak]
    fact = "Asked before the first covered frame: this camera has no shutter."
    return [Check("Cover closed", None, fact), leak]
