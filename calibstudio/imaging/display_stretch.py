"""From ADU to grey: black, white and a curve, as one look-up table.

A stretch is a value: the same table serves every level of a picture and every view of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

LUT_SIZE = 65536
"""Entries of a table. Between black and white no curve is steeper than one grey in many entries."""
MAD_TO_SIGMA = 1.4826
"""Standard deviation of a Gaussian in units of its median absolute deviation."""
TARGET_GREY = 0.18
"""Where the automatic stretch puts the median. PixInsight's target background is 0.25; ours is
darker, because the screen stands in the dark beside a telescope."""
LIT_BELOW_LINEAR = 0.20
"""How much darker than by a straight line a picture without a dark ground is shown."""
SHADOWS_SIGMA = 2.8
"""How far below the median the automatic stretch puts black (PixInsight's shadows clipping)."""
_HIGHLIGHT_PERCENTILE = 99.9
_SHADOW_PERCENTILE = 1.0
_MIN_WHITE_SIGMA = 5.0
_SAMPLE_SIZE = 120_000


class Curve(StrEnum):
    """How values between black and white become grey."""

    AUTO = "auto"
    LINEAR = "linear"
    LOG = "log"
    ASINH = "asinh"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Black and white in the picture's unit, and the curve between them."""

    curve: Curve
    black: float
    white: float
    midtones: float = 0.5
    """Input, as a fraction of black to white, that becomes half grey; for `Curve.AUTO`."""

    @property
    def span(self) -> float:
        """White minus black, never zero, so that a flat picture still has a grey."""
        span = self.white - self.black
        return span if span > 0 else max(1e-6, abs(self.black) * 1e-6)

    @property
    def steps_per_adu(self) -> float:
        """Table entries for one unit of the picture."""
        return (LUT_SIZE - 1) / self.span

    def lut(self) -> NDArray[np.uint8]:
        """Return the table: entry k is the grey of ``black + k / (LUT_SIZE - 1) * span``."""
        x = np.linspace(0.0, 1.0, LUT_SIZE)
        return np.rint(255.0 * curve_values(x, self.curve, self.midtones)).astype(np.uint8)

    def with_limits(self, black: float, white: float) -> Stretch:
        """Return this curve between other limits (white is kept above black)."""
        return replace(self, black=black, white=max(white, black))


def midtones_transfer(
    x: NDArray[np.float64] | float, midtones: float
) -> NDArray[np.float64] | float:
    """Bend 0 to 1 so that ``midtones`` becomes one half and the ends stay.

    Notes
    -----
    MTF(x; m) = (m - 1) x / ((2 m - 1) x - m), the midtones transfer function of PixInsight's
    HistogramTransformation and ScreenTransferFunction (reference documentation, section 2).
    """
    return (midtones - 1.0) * x / ((2.0 * midtones - 1.0) * x - midtones)


def curve_values(x: NDArray[np.float64], curve: Curve, midtones: float) -> NDArray[np.float64]:
    """Return 0 to 1 for ``x`` from 0 to 1.

    Notes
    -----
    Log is log(1 + 1000 x) / log(1001), SAOImage DS9's with its default exponent; asinh is
    asinh(10 x) / asinh(10), DS9's (Joye & Mandel 2003, ADASS XII).
    """
    if curve is Curve.LOG:
        return np.asarray(np.log1p(1000.0 * x) / np.log(1001.0))
    if curve is Curve.ASINH:
        return np.asarray(np.arcsinh(10.0 * x) / np.arcsinh(10.0))
    if curve is Curve.LINEAR or midtones == 0.5:
        return x
    return np.asarray(midtones_transfer(x, midtones))


@dataclass(frozen=True, slots=True)
class Levels:
    """What a stretch is chosen by: robust numbers of a picture, in its unit."""

    low: float
    """The lowest percent lies below."""
    median: float
    sigma: float
    """1.4826 times the median absolute deviation."""
    high: float
    """One pixel in a thousand lies above."""
    minimum: float
    maximum: float


def picture_levels(data: NDArray[np.uint16] | NDArray[np.float32]) -> Levels | None:
    """Measure `Levels` on about 120 000 pixels of a picture of shape (ny, nx).

    The step between the pixels is odd, so that a colour sensor gives all its colours.
    ``None`` when there is no finite pixel.
    """
    ny, nx = data.shape
    step = int(np.sqrt(ny * nx / _SAMPLE_SIZE)) | 1 if ny * nx > _SAMPLE_SIZE else 1
    sample = data[step // 2 :: step, step // 2 :: step].ravel()
    if sample.dtype.kind == "f":
        sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return None
    values = np.sort(sample)
    last = values.size - 1
    median = float(values[last // 2])
    deviations = np.abs(values.astype(np.float32) - np.float32(median))
    sigma = MAD_TO_SIGMA * float(np.median(deviations))
    return Levels(
        low=float(values[int(last * _SHADOW_PERCENTILE / 100)]),
        median=median,
        sigma=sigma,
        high=float(values[int(last * _HIGHLIGHT_PERCENTILE / 100)]),
        minimum=float(values[0]),
        maximum=float(values[-1]),
    )


def auto_limits(levels: Levels) -> tuple[float, float]:
    """Return black and white that keep the noise and almost all of the signal on the screen.

    Black is 2.8 sigma below the median, or lower where more than one pixel in a hundred lies
    below that (the corners of a flat). White leaves out one pixel in a thousand (stars, hot
    pixels), and is at least 5 sigma above the median (a bias frame). Where the values end sooner
    than noise would, at less than 3 sigma, sigma is the shape of a flat: white goes to that end.
    """
    sigma = levels.sigma
    black = min(levels.median - SHADOWS_SIGMA * sigma, levels.low)
    black = max(black, levels.minimum)
    above = levels.high - levels.median
    like_noise = min(max(above / sigma - 2.0, 0.0), 1.0) if sigma > 0 else 1.0
    least = like_noise * _MIN_WHITE_SIGMA * sigma
    white = levels.median + max(above, least)
    if white <= black:
        white = levels.maximum if levels.maximum > black else black + 1.0
    return black, white


def choose_stretch(levels: Levels, curve: Curve) -> Stretch:
    """Return the stretch of this curve for a picture with these levels.

    Notes
    -----
    `Curve.AUTO` is PixInsight's automatic screen stretch (Conejero, "STFAutoStretch" script,
    rev. 2011): the midtones balance is the one that puts the median at the target grey t, which
    is MTF(median; t), because MTF(x; MTF(x; t)) = t. Its white is not the end of the converter's
    range but `auto_limits`, so that the shape of a flat is seen as well as a faint sky. That
    stretch is made for a dark ground. Where the median is in the upper half between black and
    white there is none, the picture is lit (a flat, dusk): bending it down to the target grey
    would hide its bright half, so it stays near the straight line.
    """
    black, white = auto_limits(levels)
    stretch = Stretch(curve, black, white)
    if curve is not Curve.AUTO:
        return stretch
    x = (levels.median - black) / stretch.span
    if not 0.0 < x < 1.0:
        return stretch
    midtones = float(midtones_transfer(x, max(TARGET_GREY, x - LIT_BELOW_LINEAR)))
    return replace(stretch, midtones=min(max(midtones, 1e-4), 1.0 - 1e-4))
