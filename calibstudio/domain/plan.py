"""What is to be captured: steps in order, each completely described, stored and read as JSON.

A plan is made by a wizard's draft (`calibstudio.domain.drafts`), by a file of `calibstudio run`,
or from the lights; `calibstudio.services.capture.run_sequence` carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from calibstudio.domain.equipment import CameraInfo, ExposureRequest, Region
from calibstudio.domain.errors import UsageError
from calibstudio.domain.kinds import FrameKind, kind_title
from calibstudio.domain.twilight import Twilight
from calibstudio.domain.wording import exposure, number, quantity

PLAN_VERSION = 1
"""Raised when the meaning of a stored plan changes."""

CHANGE_FILTER_S = 5.0
MOVE_COVER_S = 10.0
LAMP_SETTLE_S = 3.0
KEEP_FRAME_S = 0.3
"""Seconds to judge and write one frame; only for estimates."""
HEADER_BYTES = 8640
EXPECTED_TEST_FRAMES = 3
"""What a search takes as a rule; 5 at most for 95 % of starts (RULES 6)."""
DEFAULT_READOUT_PIXELS_PER_S = 20e6


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """How the camera is set for a step. ``None`` means the camera's default.

    ``set_temp_c`` None: the cooler stays as it is.
    """

    gain: int | None = None
    offset: int | None = None
    binning: int = 1
    region: Region | None = None
    readout_mode: str | None = None
    set_temp_c: float | None = None

    def request(self, kind: FrameKind, exposure_s: float) -> ExposureRequest:
        """Return the complete request for one exposure with these settings."""
        return ExposureRequest(
            kind=kind,
            exposure_s=exposure_s,
            gain=self.gain,
            offset=self.offset,
            binning=self.binning,
            region=self.region,
            readout_mode=self.readout_mode,
        )

    def frame_shape(self, info: CameraInfo) -> tuple[int, int]:
        """Return (rows, columns) of a frame as delivered."""
        rows, columns = info.shape
        if self.region is not None:
            rows, columns = self.region.height, self.region.width
        return rows // self.binning, columns // self.binning


class LevelUnit(StrEnum):
    """In what a wanted level is given."""

    ADU = "adu"
    """Raw level, bias included."""
    PERCENT = "percent"
    """Of the saturation level."""
    ELECTRONS = "electrons"
    """Above the bias."""


@dataclass(frozen=True, slots=True)
class LevelTarget:
    """The level that a flat is to have, and how far from it is still good (RULES 6)."""

    value: float = 50.0
    unit: LevelUnit = LevelUnit.PERCENT
    tolerance: float = 0.10
    """Accepted distance as a fraction of the raw target level."""

    def adu(
        self, *, saturation_adu: float, bias_adu: float, e_per_adu: float | None = None
    ) -> float:
        """Return the raw level wanted, in ADU, bias included.

        Raises
        ------
        UsageError
            If electrons are wanted and nobody knows what an ADU is worth.
        """
        if self.unit is LevelUnit.ADU:
            return self.value
        if self.unit is LevelUnit.PERCENT:
            return self.value / 100.0 * saturation_adu
        if not e_per_adu:
            raise UsageError(
                "The target is in electrons, but this camera does not say what an ADU is worth.",
                hint="Give the target in ADU or percent, or measure the gain first.",
            )
        return bias_adu + self.value / e_per_adu

    def band_adu(self, target_adu: float) -> tuple[float, float]:
        """Return the lowest and highest accepted raw level, in ADU, around `adu`."""
        return target_adu * (1.0 - self.tolerance), target_adu * (1.0 + self.tolerance)

    def words(self) -> str:
        """Say it: ``32 000 ADU ± 10 %``."""
        unit = {LevelUnit.ADU: "ADU", LevelUnit.PERCENT: "%", LevelUnit.ELECTRONS: "e⁻"}
        spread = quantity(self.tolerance * 100, "%", 0 if self.tolerance >= 0.01 else 1)
        return f"{quantity(self.value, unit[self.unit])} ± {spread}"


class Search(StrEnum):
    """What may be changed to reach the level."""

    NOTHING = "nothing"
    """The exposure is given, or comes from another step."""
    EXPOSURE = "exposure"
    BRIGHTNESS = "brightness"


class LightSource(StrEnum):
    """Where the light of a flat comes from."""

    NONE = "none"
    PANEL = "panel"
    """A panel that the program switches and dims."""
    LAMP = "lamp"
    """A steady light that the operator switches: dome screen, tablet, lit wall."""
    SKY = "sky"
    """The twilight sky; the exposure follows it from frame to frame."""


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """Between which values a search may go. ``None``: the camera's or the panel's own."""

    shortest_s: float | None = None
    """The rig's safe minimum: shutter vanes, rolling pattern, lamp flicker."""
    longest_s: float | None = None
    dimmest: int | None = None
    brightest: int | None = None
    max_frames: int = 12
    """Test frames before the search gives up."""

    def exposures(self, info: CameraInfo) -> tuple[float, float]:
        """Return the shortest and longest exposure that camera and rig allow, in seconds."""
        shortest = max(info.exposure_min_s, info.flat_min_s or 0.0, self.shortest_s or 0.0)
        longest = min(info.exposure_max_s, self.longest_s or info.exposure_max_s)
        return shortest, max(shortest, longest)


@dataclass(frozen=True, slots=True)
class CaptureStep:
    """So many good frames of one kind with one setting."""

    id: str
    """Unique in its plan, for example ``flat-Ha``."""
    kind: FrameKind
    count: int
    """Good frames wanted."""
    settings: CameraSettings = field(default_factory=CameraSettings)
    exposure_s: float | None = None
    """Fixed exposure; with a search, where it starts (None: trained value, else 1 s)."""
    exposure_from: str | None = None
    """Id of the step whose found exposure is used (dark flats)."""
    search: Search = Search.NOTHING
    filter: str | None = None
    """None: the wheel stays where it is (it does not matter, or there is none)."""
    light: LightSource = LightSource.NONE
    brightness: int | None = None
    """Panel brightness; with a brightness search, where it starts."""
    target: LevelTarget | None = None
    limits: SearchLimits = field(default_factory=SearchLimits)
    twilight: Twilight | None = None
    """With the sky as light: which end of the night. None: the Sun says it at the start."""

    @property
    def title(self) -> str:
        """How a list names it: ``Flat, filter Ha, 4.12 s``."""
        parts = [kind_title(self.kind)]
        if self.filter:
            parts.append(f"filter {self.filter}")
        if self.exposure_s is not None and self.search is not Search.EXPOSURE:
            parts.append(exposure(self.exposure_s))
        if self.settings.binning != 1:
            parts.append(f"binning {self.settings.binning}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan costs. Seconds and bytes are estimates; frames are counted."""

    frames: int
    """Good frames wanted, all steps together."""
    test_frames: int
    """Expected frames of searches; they are not kept."""
    seconds: float
    bytes: int
    waiting_s: float = 0.0
    """Of ``seconds``: waiting for the light of the twilight."""


@dataclass(frozen=True, slots=True)
class CapturePlan:
    """Steps in the order they are taken."""

    title: str
    steps: tuple[CaptureStep, ...]
    build_masters: bool = True
    """Whether masters are built in the background when the steps are done."""
    warm_up: bool = False
    """Whether the sensor is warmed up slowly, and the cooler switched off, at the end."""

    @property
    def frames_wanted(self) -> int:
        """Good frames wanted, all steps together."""
        return sum(step.count for step in self.steps)

    def step(self, step_id: str) -> CaptureStep:
        """Return the step of this id; KeyError when there is none."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    def problems(self) -> list[str]:
        """What makes this plan impossible to carry out on any camera, one sentence each."""
        seen: set[str] = set()
        found: list[str] = []
        if not self.steps:
            found.append("The plan has no steps.")
        for step in self.steps:
            found.extend(_step_problems(step, seen))
            seen.add(step.id)
        return found

    def as_document(self) -> dict[str, Any]:
        """Return what is written as JSON; `from_document` reads it back."""
        return {
            "version": PLAN_VERSION,
            "title": self.title,
            "build_masters": self.build_masters,
            "warm_up": self.warm_up,
            "steps": [step_document(step) for step in self.steps],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> CapturePlan:
        """Read a stored plan.

        Raises
        ------
        UsageError
            If it is not a plan, was written by a newer version, or a value makes no sense.
        """
        try:
            if int(document.get("version", PLAN_VERSION)) > PLAN_VERSION:
                raise UsageError(
                    "This capture plan was written by a newer CalibStudio.",
                    hint="Update CalibStudio, or make the plan again.",
                )
            steps = tuple(step_from_document(s) for s in document["steps"])
            plan = cls(
                str(document["title"]),
                steps,
                bool(document.get("build_masters", True)),
                bool(document.get("warm_up", False)),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"The capture plan cannot be read: {error!r}.", hint="Make the plan again."
            ) from error
        if problems := plan.problems():
            raise UsageError(problems[0], hint="Correct the plan, or make it again.")
        return plan


def readout_s(info: CameraInfo, settings: CameraSettings) -> float:
    """Return the expected seconds from the end of an exposure to the frame."""
    rows, columns = info.shape
    full = info.readout_s
    if full is None:
        full = rows * columns / DEFAULT_READOUT_PIXELS_PER_S
    ny, nx = settings.frame_shape(info)
    return max(0.05, full * ny * nx / (rows * columns))


def frame_bytes(info: CameraInfo, settings: CameraSettings) -> int:
    """Return the size of one raw file."""
    ny, nx = settings.frame_shape(info)
    return 2 * ny * nx + HEADER_BYTES


def expected_exposure_s(
    plan: CapturePlan, step: CaptureStep, info: CameraInfo, found: Mapping[str, float]
) -> float:
    """Return the exposure a step will have: found, given, or a guess inside its limits."""
    if step.id in found:
        return found[step.id]
    if step.exposure_from is not None:
        return expected_exposure_s(plan, plan.step(step.exposure_from), info, found)
    if step.exposure_s is not None:
        return step.exposure_s
    shortest, longest = step.limits.exposures(info)
    return float((max(shortest, 1e-3) * min(longest, 30.0)) ** 0.5)


def frame_seconds(info: CameraInfo, settings: CameraSettings, exposure_s: float) -> float:
    """Return the expected seconds from one frame to the next."""
    return exposure_s + readout_s(info, settings) + KEEP_FRAME_S


def estimate_plan(
    plan: CapturePlan, info: CameraInfo, *, exposures_s: Mapping[str, float] | None = None
) -> Estimate:
    """Return frames, time and disk that a plan needs; ``exposures_s`` by step id guess better.

    Cooling down is not counted: it depends on the weather, and the cooler says it while it runs.
    """
    found = exposures_s or {}
    seconds, size, tests = 0.0, 0, 0
    filter_now: str | None = None
    for step in plan.steps:
        each = frame_seconds(info, step.settings, expected_exposure_s(plan, step, info, found))
        searched = 0 if step.search is Search.NOTHING else EXPECTED_TEST_FRAMES
        tests += searched
        seconds += each * (step.count + searched)
        size += step.count * frame_bytes(info, step.settings)
        if step.filter is not None and step.filter != filter_now:
            seconds += CHANGE_FILTER_S
            filter_now = step.filter
        if step.light is LightSource.PANEL:
            seconds += LAMP_SETTLE_S
    if any(step.light is LightSource.PANEL for step in plan.steps):
        seconds += MOVE_COVER_S
    return Estimate(plan.frames_wanted, tests, seconds, size)


def _step_problems(step: CaptureStep, earlier: set[str]) -> list[str]:
    """What is wrong with a step, whatever the camera."""
    name = step.title
    found: list[str] = []
    if step.id in earlier:
        found.append(f"Two steps of the plan have the same id, {step.id}.")
    if step.count < 1:
        found.append(f"{name}: at least one frame is needed.")
    if step.exposure_from is not None and step.exposure_from not in earlier:
        found.append(f"{name}: its exposure comes from {step.exposure_from}, which is not before.")
    if (
        step.search is not Search.EXPOSURE
        and step.exposure_s is None
        and step.exposure_from is None
    ):
        found.append(f"{name}: no exposure is given.")
    if step.search is not Search.NOTHING and step.target is None:
        found.append(f"{name}: a level is searched, but no target is given.")
    if step.light is LightSource.SKY and step.search is not Search.EXPOSURE:
        found.append(f"{name}: flats of the sky need their exposure searched.")
    if step.exposure_s is not None and not 0 <= step.exposure_s < 1e6:
        found.append(f"{name}: {number(step.exposure_s, 3)} is no exposure time.")
    return found


def settings_document(settings: CameraSettings) -> dict[str, Any]:
    """Return camera settings for JSON, without what is not set."""
    region = settings.region
    values = {
        "gain": settings.gain,
        "offset": settings.offset,
        "binning": settings.binning,
        "region": None if region is None else [region.x, region.y, region.width, region.height],
        "readout_mode": settings.readout_mode,
        "set_temp_c": settings.set_temp_c,
    }
    return {key: value for key, value in values.items() if value is not None}


def settings_from_document(document: Mapping[str, Any]) -> CameraSettings:
    """Read camera settings written by `settings_document`."""
    region = document.get("region")
    return CameraSettings(
        gain=_optional(document, "gain", int),
        offset=_optional(document, "offset", int),
        binning=int(document.get("binning", 1)),
        region=None if region is None else Region(*(int(v) for v in _four(region))),
        readout_mode=_optional(document, "readout_mode", str),
        set_temp_c=_optional(document, "set_temp_c", float),
    )


def step_document(step: CaptureStep) -> dict[str, Any]:
    """Return one step for JSON, without what is not set."""
    values: dict[str, Any] = {
        "id": step.id,
        "kind": str(step.kind),
        "count": step.count,
        "settings": settings_document(step.settings),
        "exposure_s": step.exposure_s,
        "exposure_from": step.exposure_from,
        "search": str(step.search),
        "filter": step.filter,
        "light": str(step.light),
        "brightness": step.brightness,
        "twilight": None if step.twilight is None else str(step.twilight),
    }
    if step.target is not None:
        values["target"] = {
            "value": step.target.value,
            "unit": str(step.target.unit),
            "tolerance": step.target.tolerance,
        }
    limits = {
        "shortest_s": step.limits.shortest_s,
        "longest_s": step.limits.longest_s,
        "dimmest": step.limits.dimmest,
        "brightest": step.limits.brightest,
        "max_frames": step.limits.max_frames,
    }
    values["limits"] = {key: value for key, value in limits.items() if value is not None}
    return {key: value for key, value in values.items() if value is not None}


def step_from_document(document: Mapping[str, Any]) -> CaptureStep:
    """Read one step written by `step_document`."""
    target = document.get("target")
    limits = document.get("limits", {})
    return CaptureStep(
        id=str(document["id"]),
        kind=FrameKind(document["kind"]),
        count=int(document["count"]),
        settings=settings_from_document(document.get("settings", {})),
        exposure_s=_optional(document, "exposure_s", float),
        exposure_from=_optional(document, "exposure_from", str),
        search=Search(document.get("search", Search.NOTHING)),
        filter=_optional(document, "filter", str),
        light=LightSource(document.get("light", LightSource.NONE)),
        brightness=_optional(document, "brightness", int),
        target=None
        if target is None
        else LevelTarget(
            float(target["value"]), LevelUnit(target["unit"]), float(target.get("tolerance", 0.10))
        ),
        limits=SearchLimits(
            shortest_s=_optional(limits, "shortest_s", float),
            longest_s=_optional(limits, "longest_s", float),
            dimmest=_optional(limits, "dimmest", int),
            brightest=_optional(limits, "brightest", int),
            max_frames=int(limits.get("max_frames", 12)),
        ),
        twilight=_optional(document, "twilight", Twilight),
    )


def _optional(document: Mapping[str, Any], key: str, kind: type) -> Any:
    """Return a value of this type, or None where the key is absent."""
    value = document.get(key)
    return None if value is None else kind(value)


def _four(values: Sequence[Any]) -> Sequence[Any]:
    """Return the values of a region; ValueError when there are not four."""
    if len(values) != 4:
        raise ValueError("a region is x, y, width, height")
    return values
