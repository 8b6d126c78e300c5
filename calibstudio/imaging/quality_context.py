"""What is known about a frame, a set or a master before its pixels are measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from calibstudio.domain.kinds import FrameKind

DARK_LIKE = (FrameKind.DARK, FrameKind.DARK_FLAT)
COVERED = (FrameKind.BIAS, FrameKind.DARK, FrameKind.DARK_FLAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameContext:
    """Everything about a frame that is not in its pixels. ``None``: unknown."""

    kind: str
    """The JSON word without ``master ``."""
    max_adu: float | None = None
    """Largest value the converter gives; the type's own for 16-bit frames when unknown."""
    bayer: str | None = None
    """2x2 pattern of the stored rows."""
    exposure_s: float | None = None
    sensor_temp_c: float | None = None
    set_temp_c: float | None = None
    held_temp_c: float | None = None
    """What the frames are judged by where the set point was not waited for: the temperature
    that the sensor had when the first of them was taken, or that their group has."""
    cooled: bool | None = None
    """None: cooled when it has a set temperature."""
    egain_e_per_adu: float | None = None
    read_noise_e: float | None = None
    bias_level_adu: float | None = None
    full_well_e: float | None = None
    saturation_adu: float | None = None
    """What a header or a rig says saturates."""
    seen_adu: float | None = None
    """Largest value of other frames of the same camera: its converter reaches at least that."""
    target_adu: float | None = None
    """Raw level that was asked for (flats)."""
    tolerance: float = 0.10
    """Part of the target that a level may be away from it."""

    def saturation_limit_adu(self) -> float | None:
        """Return S of RULES 6: the least of the known limits, raw ADU; None when none is known."""
        limits = [self.max_adu, self.saturation_adu]
        if (
            self.full_well_e is not None
            and self.egain_e_per_adu
            and self.bias_level_adu is not None
        ):
            limits.append(self.bias_level_adu + self.full_well_e / self.egain_e_per_adu)
        known = [limit for limit in limits if limit is not None and limit > 0]
        return min(known, default=None)

    @property
    def read_noise_adu(self) -> float | None:
        """Read noise in ADU where both read noise and conversion are known."""
        if self.read_noise_e is None or not self.egain_e_per_adu:
            return None
        return self.read_noise_e / self.egain_e_per_adu


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterContext:
    """Everything about a master that is not in its planes. ``None``: unknown."""

    n_frames: int | None
    """Frames that were combined; None for a master of another program that does not say."""
    n_wanted: int | None = None
    """Frames that the recipe asks for."""
    unit: str = "adu"
    """``adu``, ``adu/s``, or empty for a normalised flat."""
    bayer: str | None = None
    exposure_s: float | None = None
    sensor_temp_c: float | None = None
    set_temp_c: float | None = None
    egain_e_per_adu: float | None = None
    read_noise_e: float | None = None
    max_adu: float | None = None
    bias_level_adu: float | None = None
    """Level of the bias of this camera and setting, raw ADU."""
    bias_subtracted: bool = False
    """Whether the bias (or a dark with it) was taken out."""
    input_levels_adu: tuple[float, ...] = field(default=())
    """Raw level of each frame used; of flats without their pedestal when `inputs_have_bias` is
    false."""
    inputs_have_bias: bool = True
    input_noise_adu: float | None = None
    """Noise of one input frame, where it was measured."""
    rejected_fraction: float | None = None
