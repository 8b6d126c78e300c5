"""Levels a sequence works with: the bias before flats, saturation, and what darkness adds.

Dark flats are taken for the fewest exposures that serve (RULES 5): a set serves another exposure
when the difference in time, times the dark rate with its glow, is below 0.05 % of the flat's level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.equipment import CameraInfo, Conversion, Frame
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.outlook import saturation_adu
from calibstudio.domain.plan import CameraSettings, CaptureStep, LevelTarget
from calibstudio.domain.recipe import Recipe, Tolerances
from calibstudio.domain.wording import quantity
from calibstudio.services.auto_exposure import Goal
from calibstudio.services.capture_frames import FrameTaker
from calibstudio.services.capture_run import SequenceRun, StepEnded
from calibstudio.services.capture_scene import Scene

TILES = 8
"""The frame is compared in 8 × 8 parts, so that glow in a corner counts."""
SHORT_ENOUGH = 0.2
"""A bias taken without a cover must stay below this part of saturation to be believed."""


@dataclass(frozen=True, slots=True)
class BiasLevel:
    """A short covered frame, measured: where light begins to count."""

    level_adu: float
    tiles_adu: NDArray[np.float64]
    """Mean of each of 8 × 8 parts."""
    noise_adu: float
    """Standard error of the mean of a part."""
    exposure_s: float
    saturation_adu: float
    conversion: Conversion | None


class Levels:
    """Measures the bias once for each camera setting and keeps it for the sequence."""

    def __init__(self, run: SequenceRun, scene: Scene, taker: FrameTaker) -> None:
        self._run, self._scene, self._taker = run, scene, taker
        self._bias: dict[CameraSettings, BiasLevel] = {}
        self._rate: dict[CameraSettings, float] = {}

    def bias(self, step: CaptureStep) -> BiasLevel:
        """Return the bias level for a step's settings; the first time a frame is taken for it.

        The sensor is covered for it where a device can do that. Where only the operator could,
        the lamp is off or the exposure is the camera's shortest, and the level must look like one.

        Raises
        ------
        StepEnded, SequenceStopped, Cancelled, DeviceError
        """
        if known := self._bias.get(step.settings):
            self._run.bias_adu = known.level_adu
            return known
        info = self._run.around.info
        if self._scene.can_darken_alone:
            self._scene.darken()
        else:
            self._scene.set_lamp(0)
        found = self._take_bias(step, info)
        if found.level_adu > SHORT_ENOUGH * found.saturation_adu:
            self._scene.darken()
            found = self._take_bias(step, info)
        if found.level_adu > SHORT_ENOUGH * found.saturation_adu:
            raise StepEnded(
                f"A covered frame of the shortest exposure has {quantity(found.level_adu, 'ADU')}.",
                hint="Light reaches the sensor, or the offset is far too high. Look at both.",
            )
        self._bias[step.settings] = found
        self._run.bias_adu = found.level_adu
        return found

    def goal(self, target: LevelTarget, bias: BiasLevel) -> Goal:
        """Return the wanted raw level for a target, in ADU."""
        conversion = bias.conversion
        target_adu = target.adu(
            saturation_adu=bias.saturation_adu,
            bias_adu=bias.level_adu,
            e_per_adu=conversion.e_per_adu if conversion else None,
        )
        return Goal(target_adu, bias.level_adu, bias.saturation_adu, target.tolerance)

    def known_bias_adu(self, settings: CameraSettings) -> float | None:
        """Return the bias level where it was measured in this sequence."""
        known = self._bias.get(settings)
        return None if known is None else known.level_adu

    def learn_bias(self, step: CaptureStep, frame: Frame) -> None:
        """Take a good bias frame of the sequence as the bias level, where none was measured."""
        if step.kind is FrameKind.BIAS and step.settings not in self._bias:
            self._bias[step.settings] = self._measured(frame)

    def learn_dark(self, step: CaptureStep, frame: Frame) -> None:
        """Learn the dark rate, glow included, from a good dark flat: an upper limit, ADU/s."""
        bias = self._bias.get(step.settings)
        seconds = frame.exposure_s - (bias.exposure_s if bias else 0.0)
        if bias is None or seconds <= 0.1 or frame.request.binning != step.settings.binning:
            return
        tiles, noise = tile_means(frame.data)
        rise = float(np.max(tiles - bias.tiles_adu))
        limit = max(0.0, rise) + 3.0 * float(np.hypot(noise, bias.noise_adu))
        rate = limit / seconds
        self._rate[step.settings] = min(rate, self._rate.get(step.settings, rate))

    def serves(
        self, step: CaptureStep, taken_s: float, wanted_s: float, signal_adu: float | None
    ) -> str | None:
        """Return why dark flats of one exposure serve another, as a sentence; None: they do not."""
        off = abs(taken_s - wanted_s)
        same = Tolerances()
        if off <= max(same.exposure_abs_s, same.exposure_rel * wanted_s):
            return "The same exposure was taken already."
        rate = self._rate.get(step.settings)
        if rate is None or signal_adu is None or signal_adu <= 0:
            return None
        left = off * rate
        if left > Recipe().flat_dark_budget * signal_adu:
            return None
        budget = quantity(Recipe().flat_dark_budget * signal_adu, "ADU", 1)
        return f"Differs by {quantity(left, 'ADU', 1)} of dark signal at most, limit {budget}."

    def _take_bias(self, step: CaptureStep, info: CameraInfo) -> BiasLevel:
        seconds = max(info.exposure_min_s, 0.0)
        covered = CaptureStep("bias-level", FrameKind.BIAS, 1, step.settings, exposure_s=seconds)
        frame = self._taker.expose(covered, seconds, "Measuring the bias level", 1)
        if self._run.around.preview is not None:
            self._run.around.preview.put(frame)
        return self._measured(frame)

    def _measured(self, frame: Frame) -> BiasLevel:
        level = self._taker.level(frame).value_adu
        tiles, noise = tile_means(frame.data)
        info = self._run.around.info
        return BiasLevel(
            level_adu=level,
            tiles_adu=tiles,
            noise_adu=noise,
            exposure_s=frame.exposure_s,
            saturation_adu=saturation_adu(info, level, frame.conversion),
            conversion=frame.conversion,
        )


def tile_means(data: NDArray[np.uint16]) -> tuple[NDArray[np.float64], float]:
    """Return the mean of 8 × 8 parts of a frame, and the standard error of one, in ADU.

    Raw values in, shape (ny, nx); rows and columns left over at the end are not looked at. The
    error is from the scatter of all pixels, so that it is too large rather than too small.
    """
    ny, nx = data.shape
    hy, hx = max(1, ny // TILES), max(1, nx // TILES)
    rows, columns = ny // hy, nx // hx
    cut = data[: rows * hy, : columns * hx].reshape(rows, hy, columns, hx)
    means = cut.mean(axis=(1, 3), dtype=np.float64)
    step_y, step_x = max(1, ny // 256), max(1, nx // 256)
    scatter = float(np.std(data[::step_y, ::step_x].astype(np.float64)))
    return means, scatter / float(np.sqrt(hy * hx))
