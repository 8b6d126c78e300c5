"""A wizard's answers: plain values a page edits, what is wrong with them, and the plan they make.

Each draft has ``problems(info)`` (one sentence each; empty when it can start), ``advice(info)``
(what an expert would say; never blocks), ``estimate(info)`` and ``plan(info)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from calibstudio.domain.draft_checks import (
    count_problems,
    exposure_problems,
    looks_like_cmos,
    panel_problems,
    settings_problems,
    usual_settings,
)
from calibstudio.domain.equipment import CameraInfo, PanelInfo
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import (
    CameraSettings,
    CapturePlan,
    CaptureStep,
    Estimate,
    LevelTarget,
    LevelUnit,
    LightSource,
    Search,
    SearchLimits,
    estimate_plan,
)
from calibstudio.domain.twilight import Twilight, in_order_of_light
from calibstudio.domain.wording import EN_DASH, count, exposure, quantity

BIAS_COUNT = 50
DARK_COUNT = 20
FLAT_COUNT = 32
SAFE_FLAT_ELECTRONIC_S = 0.5
"""Below this, panels that flicker leave bands on a rolling shutter."""
SAFE_FLAT_SHUTTER_S = 2.0
"""Below this, the vanes of a mechanical shutter shade the frame by more than 1 %."""
LONGEST_FLAT_S = 30.0
LONGEST_SKY_S = 10.0
"""Longer exposures of the twilight sky are full of stars."""
SKY_FLAT_COUNT = 12
"""From seven on stars fall away in the combination; the light does not last for many more."""
OST_FACTORS = (0.5, 1.0, 2.0, 4.0)


@dataclass(slots=True)
class BiasDraft:
    """The bias wizard's answers."""

    settings: CameraSettings = field(default_factory=CameraSettings)
    count: int = BIAS_COUNT
    exposure_s: float = 0.0
    build_masters: bool = True

    @classmethod
    def for_camera(cls, info: CameraInfo) -> BiasDraft:
        """Return the answers an expert would give for this camera."""
        return cls(settings=usual_settings(info), exposure_s=info.exposure_min_s)

    def problems(self, info: CameraInfo) -> list[str]:
        """Why it cannot start, one sentence each."""
        return [
            *count_problems(self.count, "bias frame"),
            *exposure_problems(self.exposure_s, info),
            *settings_problems(self.settings, info),
        ]

    def advice(self, info: CameraInfo) -> list[str]:
        """What an expert would say."""
        found: list[str] = []
        if self.exposure_s > max(2 * info.exposure_min_s, 0.01):
            found.append(
                f"A bias is as short as the camera can: {exposure(info.exposure_min_s)}. "
                "Longer frames are darks."
            )
        if looks_like_cmos(info):
            found.append(
                "Many CMOS cameras behave differently at their shortest exposures. "
                "Dark flats serve flats better than a bias."
            )
        return found

    def plan(self, info: CameraInfo) -> CapturePlan:
        """Return the plan these answers make."""
        step = CaptureStep(
            "bias", FrameKind.BIAS, self.count, self.settings, exposure_s=self.exposure_s
        )
        return CapturePlan(f"Bias, {count(self.count, 'frame')}", (step,), self.build_masters)

    def estimate(self, info: CameraInfo) -> Estimate:
        """Return the frames, time and disk needed."""
        return estimate_plan(self.plan(info), info)


@dataclass(slots=True)
class DarkDraft:
    """The dark wizard's answers: exposures × temperatures × binnings, ``count`` frames of each."""

    settings: CameraSettings = field(default_factory=CameraSettings)
    exposures_s: tuple[float, ...] = ()
    set_temps_c: tuple[float, ...] = ()
    """Empty: the temperature of ``settings`` alone."""
    binnings: tuple[int, ...] = ()
    """Empty: the binning of ``settings`` alone."""
    count: int = DARK_COUNT
    with_bias: bool = False
    """Also take bias frames at the camera's shortest exposure, first."""
    bias_count: int = BIAS_COUNT
    build_masters: bool = True
    notes: tuple[str, ...] = ()
    """What was left out when the list was made, one sentence each."""

    @classmethod
    def for_camera(cls, info: CameraInfo) -> DarkDraft:
        """Return the answers an expert would give for this camera."""
        longest = min(300.0, info.exposure_max_s)
        return cls(settings=usual_settings(info), exposures_s=(longest,))

    @classmethod
    def ost(
        cls,
        info: CameraInfo,
        *,
        science_s: float = 5.0,
        flat_s: float | None = 1.0,
        factors: Sequence[float] = OST_FACTORS,
        shortest_s: float | None = None,
        longest_s: float = 60.0,
        frames: int = 40,
    ) -> DarkDraft:
        """Return the OST list: bias, the flat's exposure, and the science exposure times factors.

        A product outside the limits is left out and said in ``notes``, never in silence.
        """
        low = max(info.exposure_min_s, 0.0 if shortest_s is None else shortest_s)
        high = min(info.exposure_max_s, longest_s)
        wanted = [science_s * f for f in factors] + ([] if flat_s is None else [flat_s])
        notes = tuple(
            f"{exposure(s)} is left out: the list goes from {exposure(low)} to {exposure(high)}."
            for s in sorted(set(wanted))
            if not low <= s <= high
        )
        kept = tuple(sorted({s for s in wanted if low < s <= high}))
        return cls(
            settings=usual_settings(info),
            exposures_s=kept,
            count=frames,
            with_bias=True,
            bias_count=frames,
            notes=notes,
        )

    def combinations(self) -> list[CameraSettings]:
        """Return the camera settings of each temperature and binning, warmest first."""
        temps: Sequence[float | None] = (
            sorted(set(self.set_temps_c), reverse=True)
            if self.set_temps_c
            else [self.settings.set_temp_c]
        )
        binnings = sorted(set(self.binnings)) if self.binnings else [self.settings.binning]
        return [
            replace(self.settings, set_temp_c=temp, binning=binning)
            for temp in temps
            for binning in binnings
        ]

    def problems(self, info: CameraInfo) -> list[str]:
        """Why it cannot start, one sentence each."""
        found = count_problems(self.count, "dark")
        if self.with_bias:
            found += count_problems(self.bias_count, "bias frame")
        if not self.exposures_s and not self.with_bias:
            found.append("No exposure is given. Add at least one.")
        for seconds in self.exposures_s:
            found += exposure_problems(seconds, info)
        for settings in self.combinations():
            found += settings_problems(settings, info)
        return list(dict.fromkeys(found))

    def advice(self, info: CameraInfo) -> list[str]:
        """What an expert would say."""
        found = list(self.notes)
        if not info.can_cool and self.settings.set_temp_c is None:
            found.append(
                "This camera is not cooled: take darks on the same night as the lights, "
                "at the same temperature."
            )
        if self.count < 10:
            found.append(f"{count(self.count, 'dark')} leave much noise. 20 are usual.")
        return found

    def plan(self, info: CameraInfo) -> CapturePlan:
        """Return the plan these answers make: each temperature once, short exposures first."""
        steps: list[CaptureStep] = []
        several = len(self.combinations()) > 1
        for index, settings in enumerate(self.combinations(), start=1):
            tail = f"-{index}" if several else ""
            if self.with_bias:
                steps.append(
                    CaptureStep(
                        f"bias{tail}",
                        FrameKind.BIAS,
                        self.bias_count,
                        settings,
                        exposure_s=info.exposure_min_s,
                    )
                )
            steps += [
                CaptureStep(
                    f"dark-{seconds:g}s{tail}",
                    FrameKind.DARK,
                    self.count,
                    settings,
                    exposure_s=seconds,
                )
                for seconds in sorted(set(self.exposures_s))
            ]
        return CapturePlan(self._title(), tuple(steps), self.build_masters)

    def _title(self) -> str:
        exposures = sorted(set(self.exposures_s))
        if not exposures:
            return "Bias"
        text = exposure(exposures[0])
        if len(exposures) > 1:
            text = f"{count(len(exposures), 'exposure')}, {text}{EN_DASH}{exposure(exposures[-1])}"
        return f"Darks, {text}" if not self.with_bias else f"Bias and darks, {text}"

    def estimate(self, info: CameraInfo) -> Estimate:
        """Return the frames, time and disk needed."""
        return estimate_plan(self.plan(info), info)


@dataclass(slots=True)
class FlatDraft:
    """The flat wizard's answers, for a panel or another steady light."""

    settings: CameraSettings = field(default_factory=CameraSettings)
    filters: tuple[str, ...] = ()
    """In the order they are taken; empty: no wheel, or the wheel stays where it is."""
    count: int = FLAT_COUNT
    target: LevelTarget = field(default_factory=LevelTarget)
    search: Search = Search.EXPOSURE
    light: LightSource = LightSource.PANEL
    limits: SearchLimits = field(default_factory=SearchLimits)
    brightness: int | None = None
    """Panel brightness; None: half of the panel's range."""
    start_exposures_s: Mapping[str, float] = field(default_factory=dict)
    """Where each filter's search starts (trained values); the fixed exposure without a search.
    The key is the filter, ``""`` without one."""
    twilight: Twilight = Twilight.DUSK
    """Which end of the night, with the sky as light."""
    exposure_s: float = 1.0
    """The exposure where ``start_exposures_s`` has none."""
    with_dark_flats: bool = True
    dark_flat_count: int | None = None
    """None: as many as flats."""
    build_masters: bool = True

    @classmethod
    def for_camera(
        cls, info: CameraInfo, filters: Sequence[str] = (), panel: PanelInfo | None = None
    ) -> FlatDraft:
        """Return the answers an expert would give for this camera, wheel and panel."""
        safe = SAFE_FLAT_SHUTTER_S if info.has_shutter else SAFE_FLAT_ELECTRONIC_S
        shortest = max(info.exposure_min_s, min(safe, info.exposure_max_s))
        longest = max(shortest, min(LONGEST_FLAT_S, info.exposure_max_s))
        has_lamp = panel is not None and panel.has_lamp
        return cls(
            settings=usual_settings(info),
            filters=tuple(filters),
            limits=SearchLimits(shortest_s=shortest, longest_s=longest),
            light=LightSource.PANEL if has_lamp else LightSource.LAMP,
            brightness=max(1, panel.max_brightness // 2) if panel and has_lamp else None,
            exposure_s=max(shortest, min(1.0, longest)),
        )

    @classmethod
    def for_sky(
        cls, info: CameraInfo, filters: Sequence[str] = (), twilight: Twilight = Twilight.DUSK
    ) -> FlatDraft:
        """Return the answers an expert would give for flats of the twilight sky."""
        usual = cls.for_camera(info, filters)
        shortest = usual.limits.shortest_s or info.exposure_min_s
        longest = max(shortest, min(LONGEST_SKY_S, info.exposure_max_s))
        return replace(
            usual,
            count=SKY_FLAT_COUNT,
            light=LightSource.SKY,
            twilight=twilight,
            limits=SearchLimits(shortest_s=shortest, longest_s=longest),
        )

    def problems(
        self,
        info: CameraInfo,
        *,
        wheel_filters: Sequence[str] | None = None,
        panel: PanelInfo | None = None,
    ) -> list[str]:
        """Why it cannot start, one sentence each; wheel and panel are checked where given."""
        found = [
            *count_problems(self.count, "flat"),
            *settings_problems(self.settings, info),
            *self._exposure_problems(info),
            *self._target_problems(info),
        ]
        if len(set(self.filters)) != len(self.filters):
            found.append("A filter is listed twice.")
        if wheel_filters is not None:
            found += [
                f"The wheel has no filter {name}."
                for name in self.filters
                if name not in wheel_filters
            ]
        if self.search is Search.BRIGHTNESS and self.light is not LightSource.PANEL:
            found.append("Only a panel can be dimmed. Search the exposure instead.")
        if self.search is Search.NOTHING and self.light is LightSource.SKY:
            found.append("The sky changes from frame to frame. Search the exposure.")
        if panel is not None and self.light is LightSource.PANEL:
            found += panel_problems(self.brightness, panel)
        return found

    def _exposure_problems(self, info: CameraInfo) -> list[str]:
        if self.search is not Search.EXPOSURE:
            wanted = [self._start_s(name) for name in self.filters or ("",)]
            return [text for s in dict.fromkeys(wanted) for text in exposure_problems(s, info)]
        low, high = self.limits.shortest_s, self.limits.longest_s
        if low is not None and high is not None and low > high:
            return ["The shortest exposure is above the longest."]
        found: list[str] = []
        for seconds in (low, high):
            if seconds is not None:
                found += exposure_problems(seconds, info)
        return found

    def _target_problems(self, info: CameraInfo) -> list[str]:
        value, unit = self.target.value, self.target.unit
        found: list[str] = []
        if value <= 0:
            found.append("The target level is above zero.")
        if unit is LevelUnit.PERCENT and value > 90:
            found.append("A target above 90 % of the range saturates. 50 % is right for most.")
        if unit is LevelUnit.ADU and value > 0.9 * info.max_adu:
            top = quantity(0.9 * info.max_adu, "ADU")
            found.append(f"A target above {top} saturates. Half of the range is right for most.")
        if not 0 < self.target.tolerance <= 0.5:
            found.append("The tolerance is from 1 to 50 %.")
        return found

    def advice(self, info: CameraInfo) -> list[str]:
        """What an expert would say."""
        found: list[str] = []
        if looks_like_cmos(info) and not self.with_dark_flats:
            found.append("This is a CMOS camera: dark flats correct its flats better than a bias.")
        low = self.limits.shortest_s
        if low is not None and not info.has_shutter and low < SAFE_FLAT_ELECTRONIC_S:
            found.append(
                f"Below {exposure(SAFE_FLAT_ELECTRONIC_S)}, a panel that flickers leaves bands "
                "on a sensor without shutter."
            )
        if low is not None and info.has_shutter and low < SAFE_FLAT_SHUTTER_S:
            found.append(
                f"Below {exposure(SAFE_FLAT_SHUTTER_S)}, the shutter's vanes shade the frame."
            )
        return found

    def plan(self, info: CameraInfo) -> CapturePlan:
        """Return the plan these answers make: all flats, then the dark flats at their exposures.

        Dark flats that another set serves as well are left out while it runs, when the exposures
        and the dark rate are known (RULES 5).
        """
        flats = [self._flat_step(name) for name in self.filters_in_order() or ("",)]
        darks: list[CaptureStep] = []
        if self.with_dark_flats:
            n = self.count if self.dark_flat_count is None else self.dark_flat_count
            darks = [
                CaptureStep(
                    flat.id.replace("flat", "darkflat", 1),
                    FrameKind.DARK_FLAT,
                    n,
                    self.settings,
                    exposure_from=flat.id,
                    filter=flat.filter,
                )
                for flat in flats
            ]
        return CapturePlan(self._title(), (*flats, *darks), self.build_masters)

    def filters_in_order(self) -> tuple[str, ...]:
        """Return the filters as they are taken: with the sky as light, as its light wants them."""
        if self.light is LightSource.SKY:
            return in_order_of_light(self.filters, self.twilight)
        return self.filters

    def _flat_step(self, name: str) -> CaptureStep:
        return CaptureStep(
            f"flat-{name}" if name else "flat",
            FrameKind.FLAT,
            self.count,
            self.settings,
            exposure_s=self._start_s(name)
            if self.search is not Search.EXPOSURE
            else self.start_exposures_s.get(name),
            search=self.search,
            filter=name or None,
            light=self.light,
            brightness=self.brightness if self.light is LightSource.PANEL else None,
            target=self.target,
            limits=self.limits,
            twilight=self.twilight if self.light is LightSource.SKY else None,
        )

    def _start_s(self, name: str) -> float:
        return self.start_exposures_s.get(name, self.exposure_s)

    def _title(self) -> str:
        source = "Panel flats" if self.light is LightSource.PANEL else "Flats"
        if self.light is LightSource.SKY:
            source = f"{self.twilight.capitalize()} flats"
        tail = " with dark flats" if self.with_dark_flats else ""
        filters = f", {count(len(self.filters), 'filter')}" if self.filters else ""
        return f"{source}{tail}{filters}"

    def estimate(
        self, info: CameraInfo, *, exposures_s: Mapping[str, float] | None = None
    ) -> Estimate:
        """Return frames, time and disk needed; ``exposures_s`` by step id are better guesses."""
        return estimate_plan(self.plan(info), info, exposures_s=exposures_s)
