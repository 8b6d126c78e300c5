"""Whether a camera, a cooler and a panel can do what is asked, in sentences; and an expert's start.

Used by the wizards' drafts and by the pre-flight.
"""

from __future__ import annotations

from calibstudio.domain.equipment import CameraInfo, PanelInfo, Region
from calibstudio.domain.plan import CameraSettings, CapturePlan, CaptureStep, Search
from calibstudio.domain.wording import EN_DASH, exposure, number, temperature

USUAL_SET_TEMP_C = -10.0


def looks_like_cmos(info: CameraInfo) -> bool:
    """Whether the camera is most likely CMOS: its gain can be set, and it has no shutter."""
    return info.gain_range is not None and not info.has_shutter


def usual_settings(info: CameraInfo) -> CameraSettings:
    """Return what an expert would start from: the camera's own gain and offset, −10 °C."""
    set_temp_c = None
    if info.can_cool:
        set_temp_c = USUAL_SET_TEMP_C
        if info.set_temp_range_c is not None:
            low, high = info.set_temp_range_c
            set_temp_c = min(max(set_temp_c, low), high)
    return CameraSettings(
        gain=info.gain_default,
        offset=info.offset_default,
        readout_mode=info.readout_modes[0] if info.readout_modes else None,
        set_temp_c=set_temp_c,
    )


def settings_problems(settings: CameraSettings, info: CameraInfo) -> list[str]:
    """What this camera cannot do of these settings, one sentence each."""
    found: list[str] = []
    found += _range_problem("Gain", settings.gain, info.gain_range, info.name)
    found += _range_problem("Offset", settings.offset, info.offset_range, info.name)
    if settings.binning not in info.binnings:
        allowed = ", ".join(str(b) for b in info.binnings)
        found.append(f"Binning {settings.binning} is not one of this camera's: {allowed}.")
    if settings.readout_mode is not None and settings.readout_mode not in info.readout_modes:
        known = f" It has: {'; '.join(info.readout_modes)}." if info.readout_modes else ""
        found.append(f"This camera has no read-out mode “{settings.readout_mode}”.{known}")
    if settings.region is not None and not _inside(settings.region, info.shape):
        found.append("The region reaches beyond the sensor. Make it smaller or move it.")
    if settings.set_temp_c is not None:
        found += _temperature_problems(settings.set_temp_c, info)
    return found


def exposure_problems(exposure_s: float, info: CameraInfo) -> list[str]:
    """Whether the camera can expose so long, in a sentence if not."""
    if exposure_s < info.exposure_min_s:
        shortest = exposure(info.exposure_min_s)
        return [f"{exposure(exposure_s)} is below this camera's shortest exposure of {shortest}."]
    if exposure_s > info.exposure_max_s:
        longest = exposure(info.exposure_max_s)
        return [f"{exposure(exposure_s)} is above this camera's longest exposure of {longest}."]
    return []


def count_problems(n: int, noun: str) -> list[str]:
    """Whether a number of frames makes sense."""
    if n < 1:
        return [f"At least 1 {noun} is needed."]
    if n > 10_000:
        return [f"{number(n)} {noun}s are more than a night holds. The most is {number(10_000)}."]
    return []


def _range_problem(
    word: str, value: int | None, limits: tuple[int, int] | None, camera: str
) -> list[str]:
    """Whether a setting is inside the camera's range; None is the camera's own default."""
    if value is None:
        return []
    if limits is None:
        return [f"{word} cannot be set on {camera}."]
    low, high = limits
    if not low <= value <= high:
        return [
            f"{word} {number(value)} is outside this camera's range {number(low)}{EN_DASH}"
            f"{number(high)}."
        ]
    return []


def _temperature_problems(set_temp_c: float, info: CameraInfo) -> list[str]:
    """Whether the camera can be asked for this temperature."""
    if not info.can_cool:
        return ["This camera has no cooler, so no temperature can be set."]
    if info.set_temp_range_c is not None:
        low, high = info.set_temp_range_c
        if not low <= set_temp_c <= high:
            return [
                f"{temperature(set_temp_c)} is outside the cooler's range, "
                f"{temperature(low)} to {temperature(high)}."
            ]
    return []


def panel_problems(brightness: int | None, panel: PanelInfo) -> list[str]:
    """Whether the panel can do what is asked."""
    if not panel.has_lamp:
        return [f"{panel.name} has no lamp. Choose another light."]
    if brightness is not None and not 1 <= brightness <= panel.max_brightness:
        return [f"Brightness is from 1 to {number(panel.max_brightness)} on {panel.name}."]
    return []


def _inside(region: Region, shape: tuple[int, int]) -> bool:
    """Whether a region lies on the sensor."""
    rows, columns = shape
    return (
        region.x >= 0
        and region.y >= 0
        and region.width > 0
        and region.height > 0
        and region.x + region.width <= columns
        and region.y + region.height <= rows
    )


def plan_problems(plan: CapturePlan, info: CameraInfo) -> list[str]:
    """Why a camera cannot carry a plan out, one sentence each, with the step."""
    found = [f"{step.title}: {text}" for step in plan.steps for text in _step_problems(step, info)]
    return list(dict.fromkeys(found))


def _step_problems(step: CaptureStep, info: CameraInfo) -> list[str]:
    problems = settings_problems(step.settings, info)
    if step.exposure_s is not None and step.search is Search.NOTHING:
        problems += exposure_problems(step.exposure_s, info)
    return problems


def refusal(plan: CapturePlan, info: CameraInfo) -> str:
    """Say in one paragraph all that a camera cannot do of a plan; empty where it can do all.

    What all steps ask is said once; else the steps that ask it are named.
    """
    asking: dict[str, list[str]] = {}
    for step in plan.steps:
        for text in _step_problems(step, info):
            asking.setdefault(text, []).append(step.title)
    if not asking:
        return ""
    said = [
        text if len(steps) == len(plan.steps) else f"{', '.join(dict.fromkeys(steps))}: {text}"
        for text, steps in asking.items()
    ]
    return f"{info.name} cannot do what is asked. {' '.join(said)}"
