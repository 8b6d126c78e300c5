"""What Live says about a frame: statistics, histogram of the region, noise zones, verdict.

Work for a background thread; knows nothing of the screen.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from calibstudio.domain.equipment import CameraInfo, CoverState, Frame, PanelStatus, Region
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Assessment
from calibstudio.imaging.display_numbers import (
    Histogram,
    RegionStatistics,
    channel_histograms,
    clip_region,
    region_histogram,
    region_statistics,
)
from calibstudio.imaging.quality import FrameContext, NoiseZones, measure_frame, noise_zones

BIAS_LONGEST_S = 1.0
"""A covered frame up to so long tells the bias level; dark current is below an ADU in it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What must be the same for two frames to share a bias level."""

    camera: str
    gain: int | None
    offset: int | None
    readout_mode: str | None
    binning: int


class BiasMemory:
    """Bias levels by camera settings, learned from short covered frames. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._levels: dict[Settings, float] = {}

    def learn(self, settings: Settings, level_adu: float) -> None:
        """Remember a level; a newer one replaces it."""
        with self._lock:
            self._levels[settings] = level_adu

    def level_adu(self, settings: Settings) -> float | None:
        """Return the level for these settings, or None when no covered frame was seen."""
        with self._lock:
            return self._levels.get(settings)


@dataclass(frozen=True, slots=True, eq=False)
class RegionNumbers:
    """Histogram and statistics of a part of a frame."""

    region: Region | None
    """None: all of the frame."""
    histograms: Mapping[str, Histogram]
    """Under the empty name, or ``R``, ``G``, ``B`` of a colour sensor."""
    statistics: RegionStatistics | None


@dataclass(frozen=True, slots=True, eq=False)
class LiveNumbers:
    """Everything that is said about one frame."""

    frame: Frame
    number: int
    whole: RegionNumbers
    part: RegionNumbers
    assessment: Assessment
    bias_adu: float | None
    zones: NoiseZones | None
    saturation_adu: float

    @property
    def e_per_adu(self) -> float | None:
        """What an ADU is worth, where the camera says it."""
        return self.frame.conversion.e_per_adu if self.frame.conversion is not None else None


def settings_of(frame: Frame, info: CameraInfo) -> Settings:
    """Return what decides the bias level of a frame."""
    return Settings(info.name, frame.gain, frame.offset, frame.readout_mode, frame.request.binning)


def is_dark(panel: PanelStatus | None) -> bool:
    """Whether no light reaches the sensor, as far as a device says."""
    return panel is not None and panel.cover is CoverState.CLOSED and panel.brightness == 0


def live_kind(panel: PanelStatus | None, exposure_s: float, info: CameraInfo) -> FrameKind:
    """Return what a frame taken now is, by cover, lamp and exposure.

    Covered and unlit it is a bias at the camera's shortest exposure and a dark otherwise; covered
    and lit it is a flat; anything else is a light.
    """
    if is_dark(panel):
        return FrameKind.BIAS if exposure_s <= info.exposure_min_s else FrameKind.DARK
    if panel is not None and panel.cover is CoverState.CLOSED and panel.brightness > 0:
        return FrameKind.FLAT
    return FrameKind.LIGHT


def bayer_of(frame: Frame, info: CameraInfo) -> str | None:
    """Return the colour pattern of a frame's own first rows; None for mono and for binned frames.

    A region that starts at an odd row or column begins with another colour.
    """
    if info.bayer is None or frame.request.binning != 1:
        return None
    region = frame.request.region
    x, y = (region.x % 2, region.y % 2) if region is not None else (0, 0)
    rows = (info.bayer[:2], info.bayer[2:])
    top, bottom = rows[y], rows[1 - y]
    return (top[::-1] + bottom[::-1]) if x else top + bottom


def saturation_adu(frame: Frame, info: CameraInfo, bias_adu: float | None) -> float:
    """Return the level at which pixels count as saturated (RULES 6)."""
    limits = [float(info.max_adu)]
    if info.saturation_adu is not None:
        limits.append(info.saturation_adu)
    conversion = frame.conversion
    if conversion is not None and conversion.full_well_e and bias_adu is not None:
        limits.append(bias_adu + conversion.full_well_e / conversion.e_per_adu)
    return min(limits)


def measure_region(
    frame: Frame, info: CameraInfo, region: Region | None, *, saturation: float
) -> RegionNumbers:
    """Count and measure a part of a frame, by colour where it has colours."""
    part = None if region is None else clip_region(region, frame.data.shape)
    everything = region_histogram(frame.data, part)
    bayer = bayer_of(frame, info)
    histograms = {"": everything} if bayer is None else channel_histograms(frame.data, bayer, part)
    found = region_statistics(frame.data, part, saturation=saturation, histogram=everything)
    return RegionNumbers(part, MappingProxyType(histograms), found)


def measure_live(
    frame: Frame,
    number: int,
    info: CameraInfo,
    *,
    region: Region | None,
    panel: PanelStatus | None,
    biases: BiasMemory,
) -> LiveNumbers:
    """Say everything about a frame.

    Parameters
    ----------
    region
        The part that the operator looks at; None for all of it.
    panel
        Cover and lamp during the exposure; a short covered frame teaches ``biases``.
    """
    settings = settings_of(frame, info)
    limit = saturation_adu(frame, info, biases.level_adu(settings))
    whole = measure_region(frame, info, None, saturation=limit)
    if whole.statistics is not None and is_dark(panel) and frame.exposure_s <= BIAS_LONGEST_S:
        biases.learn(settings, whole.statistics.median)
    bias = biases.level_adu(settings)
    part = whole if region is None else measure_region(frame, info, region, saturation=limit)
    conversion = frame.conversion
    context = FrameContext(
        kind=str(frame.request.kind),
        max_adu=info.max_adu,
        saturation_adu=info.saturation_adu,
        bayer=bayer_of(frame, info),
        exposure_s=frame.exposure_s,
        sensor_temp_c=frame.sensor_c,
        set_temp_c=frame.set_c,
        cooled=info.can_cool,
        egain_e_per_adu=conversion.e_per_adu if conversion else None,
        read_noise_e=conversion.read_noise_e if conversion else None,
        full_well_e=conversion.full_well_e if conversion else None,
        bias_level_adu=bias,
    )
    return LiveNumbers(
        frame=frame,
        number=number,
        whole=whole,
        part=part,
        assessment=measure_frame(frame.data, context),
        bias_adu=bias,
        zones=noise_zones(bias, context.egain_e_per_adu, context.read_noise_e),
        saturation_adu=saturation_adu(frame, info, bias),
    )
