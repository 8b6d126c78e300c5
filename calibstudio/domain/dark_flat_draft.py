"""The answers of the wizard for dark flats of flats that were taken before."""

from __future__ import annotations

from dataclasses import dataclass, field

from calibstudio.domain.draft_checks import (
    count_problems,
    exposure_problems,
    settings_problems,
    usual_settings,
)
from calibstudio.domain.drafts import FLAT_COUNT
from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import (
    CameraSettings,
    CapturePlan,
    CaptureStep,
    Estimate,
    estimate_plan,
)
from calibstudio.domain.wording import EN_DASH, count, exposure

MANY_EXPOSURES = 8


@dataclass(slots=True)
class DarkFlatDraft:
    """Dark flats at the exposures of flats that are on disk already, ``count`` of each."""

    settings: CameraSettings = field(default_factory=CameraSettings)
    exposures_s: tuple[float, ...] = ()
    count: int = FLAT_COUNT
    build_masters: bool = True
    notes: tuple[str, ...] = ()
    """What reading the flats found out of the ordinary, one sentence each."""

    @classmethod
    def for_camera(cls, info: CameraInfo) -> DarkFlatDraft:
        """Return the answers an expert would give for this camera."""
        return cls(settings=usual_settings(info))

    def problems(self, info: CameraInfo) -> list[str]:
        """Why it cannot start, one sentence each."""
        found = count_problems(self.count, "dark flat")
        if not self.exposures_s:
            found.append("No exposure is given. Type those of the flats, or read their folder.")
        for seconds in self.exposures_s:
            found += exposure_problems(seconds, info)
        found += settings_problems(self.settings, info)
        return list(dict.fromkeys(found))

    def advice(self, info: CameraInfo) -> list[str]:
        """What an expert would say."""
        found = list(self.notes)
        if len(self.exposures_s) > MANY_EXPOSURES:
            found.append(
                f"{count(len(self.exposures_s), 'exposure')} rarely need a set each: where the "
                "sensor is cold, the shortest and the longest serve those between."
            )
        return found

    def plan(self, info: CameraInfo) -> CapturePlan:
        """Return the plan these answers make, short exposures first."""
        exposures = sorted(set(self.exposures_s))
        steps = tuple(
            CaptureStep(
                f"darkflat-{seconds:g}s",
                FrameKind.DARK_FLAT,
                self.count,
                self.settings,
                exposure_s=seconds,
            )
            for seconds in exposures
        )
        return CapturePlan(f"Dark flats{_tail(exposures)}", steps, self.build_masters)

    def estimate(self, info: CameraInfo) -> Estimate:
        """Return the frames, time and disk needed."""
        return estimate_plan(self.plan(info), info)


def _tail(exposures_s: list[float]) -> str:
    if not exposures_s:
        return ""
    if len(exposures_s) == 1:
        return f", {exposure(exposures_s[0])}"
    span = f"{exposure(exposures_s[0])}{EN_DASH}{exposure(exposures_s[-1])}"
    return f", {count(len(exposures_s), 'exposure')}, {span}"
