"""Dark signal of one exposure used for another: the algebra, and the tests of whether it is legal.

The bias is never scaled. What is taken out of a frame of exposure t is

    bias + k (dark - bias)          k = t / t_dark, from a dark that holds its bias
    bias + t rate                   from a dark that is a rate, its bias already out

or k is the factor that leaves the least noise (optimised). Whether dark signal grows with the
exposure at all is told by darks of several exposures: its exponent p in signal ~ t^p is 1 for
thermal signal; glow of an amplifier that is on during the read-out gives less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.pixels import PlaneRows
from calibstudio.domain.planes import MemoryRoom, Pieces, Room, bands
from calibstudio.imaging.order import percentiles_of
from calibstudio.imaging.quality_levels import Image
from calibstudio.imaging.quality_shape import bin_levels

MOST_OFF = 0.1
"""How far the exponent may be from 1 (the field's limit)."""
SURE_SIGMAS = 3.0
"""An exponent is off when it is so many of its sigmas beyond the limit, or known to 0.05."""


@dataclass(frozen=True, slots=True, eq=False)
class ScaledDark:
    """What is taken out of a frame, row by row when it is asked for: no third image in memory."""

    bias: PlaneRows
    dark: PlaneRows
    factor: float
    """Of the dark signal: exposures of the dark, or seconds for a rate."""
    has_bias: bool
    """Whether the dark holds its bias."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(ny, nx)."""
        return self.bias.shape

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        """Return some rows, ADU."""
        bias, dark = self.bias[rows], self.dark[rows]
        signal = dark - bias if self.has_bias else dark
        return np.asarray(bias + np.float32(self.factor) * signal, np.float32)

    def uncertainty(
        self, bias: NDArray[np.float32] | None, dark: NDArray[np.float32] | None
    ) -> NDArray[np.float32] | None:
        """Return its UNC from that of its parts; a part without counts as exact.

        sigma^2 = k^2 sigma_dark^2 + (1 - k)^2 sigma_bias^2, and k^2 sigma_rate^2 + sigma_bias^2
        for a rate (which counts the bias in the rate as another one, at most 10 % too much).
        """
        parts = []
        if dark is not None:
            parts.append(np.float32(abs(self.factor)) * dark)
        if bias is not None:
            part = abs(1.0 - self.factor) if self.has_bias else 1.0
            parts.append(np.float32(part) * bias)
        if not parts:
            return None
        total: NDArray[np.float32] = np.hypot(*parts) if len(parts) == 2 else parts[0]
        return total


@dataclass(frozen=True, slots=True)
class DarkLevel:
    """Dark signal of one exposure, above the bias."""

    exposure_s: float
    signal_adu: float
    """Of the middle of the picture."""
    glow_adu: float
    """Brightest part above the middle, hot pixels left out."""
    sigma_adu: float
    """Uncertainty of the glow."""


def dark_level(signal: Image | Pieces, exposure_s: float) -> DarkLevel:
    """Measure an image of dark signal (bias out, ADU).

    Notes
    -----
    In 32 x 32 bins clipped at 5 sigma (`bin_levels`). The glow is the mean of the brightest
    hundredth of the bins above their median, less what noise alone would give: the mean of the
    faintest hundredth below it. Its uncertainty is the scatter of neighbouring bins over the root
    of their number, twice for the choice of the brightest, at most the scatter itself.
    """
    bins = bin_levels(signal)
    known = np.sort(bins[np.isfinite(bins)])
    if known.size < 16:
        nothing = float("nan")
        return DarkLevel(exposure_s, nothing, nothing, nothing)
    few = max(1, known.size // 100)
    middle = float(np.median(known))
    above = float(np.mean(known[-few:])) - middle
    below = middle - float(np.mean(known[:few]))
    beside = np.diff(bins, axis=1)
    sigma = 1.4826 * float(np.nanmedian(np.abs(beside))) / np.sqrt(2.0) if beside.size else 0.0
    sigma *= min(1.0, 2.0 / few**0.5)
    return DarkLevel(exposure_s, middle, above - max(0.0, below), max(sigma, 1e-6))


@dataclass(frozen=True, slots=True)
class Exponent:
    """How a part of the dark signal grows with the exposure."""

    what: str
    """``dark signal`` or ``glow``."""
    p: float
    sigma: float

    @property
    def is_off(self) -> bool:
        """Whether it does not scale, for sure."""
        beyond = abs(self.p - 1.0) - MOST_OFF
        return beyond > 0 and (self.sigma <= 0.05 or beyond > SURE_SIGMAS * self.sigma)


def growth_exponents(levels: Sequence[DarkLevel]) -> tuple[Exponent, ...]:
    """Fit signal ~ t^p to darks of several exposures; empty where nothing stands out of the noise.

    Parameters
    ----------
    levels
        Of darks with different exposures, their bias out.

    Notes
    -----
    A straight line through log signal against log exposure, weighted by (signal / sigma)^2. Only
    exposures whose signal is above 5 sigma count; at least two that differ by a factor of 1.5.
    """
    found = []
    for what, values in (
        ("dark signal", [(v.exposure_s, v.signal_adu, v.sigma_adu / 4.0) for v in levels]),
        ("glow", [(v.exposure_s, v.glow_adu, v.sigma_adu) for v in levels]),
    ):
        used = [(t, s, e) for t, s, e in values if t > 0 and np.isfinite(s) and s > 5.0 * e]
        times = [t for t, _, _ in used]
        if len(used) < 2 or max(times) < 1.5 * min(times):
            continue
        x = np.log([t for t, _, _ in used])
        y = np.log([s for _, s, _ in used])
        weight = np.array([(s / e) ** 2 for _, s, e in used])
        middle = float(np.average(x, weights=weight))
        spread = float(np.sum(weight * (x - middle) ** 2))
        p = float(np.sum(weight * (x - middle) * (y - np.average(y, weights=weight)))) / spread
        found.append(Exponent(what, p, float(spread**-0.5)))
    return tuple(found)


def optimal_factor(
    light: Image, dark: Image, *, threshold_sigmas: float = 5.0, step: int = 1
) -> tuple[float, int]:
    """Return the factor k that leaves the least noise in light - k dark, and on how many pixels.

    Parameters
    ----------
    light
        Bias out, ADU, shape (ny, nx).
    dark
        Dark signal, bias out, same shape.
    threshold_sigmas
        Only pixels that stand out of the dark by so many sigmas count (PixInsight's
        optimisation threshold): where there is no dark signal there is nothing to learn.
    step
        Pixels to the neighbours of the same colour: 2 for a colour sensor.

    Returns
    -------
    tuple
        (k, pixels). k is NaN with fewer than 30 pixels.

    Notes
    -----
    PixInsight's and Siril's dark optimisation search k for the least noise of the difference
    (golden section). With the mean absolute deviation for the noise, which stars and cosmic rays
    do not move, the search has an exact end: sum |l - k d| is least at the weighted median of
    l / d with weights |d|. l and d are what is left of light and dark after the median of the
    four neighbours of the same colour is taken away, so that vignetting and sky do not count.
    """
    d = _beside(dark, step)
    sigma = 1.4826 * float(np.nanmedian(np.abs(d)))
    wanted = np.isfinite(d) & (d > threshold_sigmas * max(sigma, 1e-9))
    light_left = _beside(light, step)[wanted]
    weight = d[wanted]
    known = np.isfinite(light_left)
    light_left, weight = light_left[known], weight[known]
    if weight.size < 30:
        return float("nan"), int(weight.size)
    ratio = light_left / weight
    order = np.argsort(ratio, kind="stable")
    total = np.cumsum(weight[order])
    place = int(np.searchsorted(total, 0.5 * total[-1]))
    return float(ratio[order[place]]), int(weight.size)


def _beside(image: Image, step: int) -> NDArray[np.float64]:
    """Return each pixel less the median of its four neighbours; the edge is left out."""
    values = np.asarray(image, np.float64)
    ny, nx = values.shape
    if ny <= 2 * step or nx <= 2 * step:
        return np.zeros((0, 0))
    inner = values[step : ny - step, step : nx - step]
    around: NDArray[Any] = np.stack(
        [
            values[: ny - 2 * step, step : nx - step],
            values[2 * step :, step : nx - step],
            values[step : ny - step, : nx - 2 * step],
            values[step : ny - step, 2 * step :],
        ]
    )
    around.sort(axis=0)
    return np.asarray(inner - 0.5 * (around[1] + around[2]))


@dataclass(frozen=True, slots=True, eq=False)
class RateSet:
    """Rates from darks of one exposure, combined."""

    image: NDArray[np.float32]
    """ADU/s."""
    unc: NDArray[np.float32]
    cnt: NDArray[np.uint16]
    exposure_s: float


def together(
    sets: Sequence[RateSet], room: Room | None = None
) -> tuple[RateSet, tuple[float, ...]]:
    """Combine rates of several exposures into one, and return it with the share of each.

    The result is kept in ``room``, in memory where there is none.

    Notes
    -----
    Each set has the weight of its typical UNC, 1 / <UNC^2>: long darks tell more than short
    ones. One weight for the whole set, so that a pixel's own noise does not move its value. A
    pixel without a value in a set takes the others alone. CNT adds up; UNC^2 is the sum of
    (w UNC)^2, over the sum of the weights squared. Where a set kept one value (its UNC is NaN)
    the typical UNC of the set stands for it.
    """
    typical = [_typical(one.unc) for one in sets]
    weights = [1.0 / t**2 if t > 0 else float("nan") for t in typical]
    if not np.isfinite(weights).all():
        # Without uncertainties (single frames) by the exposure: photon noise of the dark signal.
        weights = [one.exposure_s * _median(one.cnt) for one in sets]
    shape = sets[0].image.shape
    room = room or MemoryRoom()
    image, unc = room.plane(shape, np.float32), room.plane(shape, np.float32)
    cnt = room.plane(shape, np.uint16)
    for rows in bands(*(plane for one in sets for plane in (one.image, one.unc, one.cnt))):
        parts = [RateSet(s.image[rows], s.unc[rows], s.cnt[rows], s.exposure_s) for s in sets]
        joined = _joined(parts, weights, typical)
        image.write(rows.start, joined[0])
        unc.write(rows.start, joined[1])
        cnt.write(rows.start, joined[2])
    longest = max(one.exposure_s for one in sets)
    shares = tuple(w / sum(weights) for w in weights)
    return RateSet(image.array, unc.array, cnt.array, longest), shares


def _typical(unc: NDArray[np.float32]) -> float:
    """Return the root mean square of UNC without outliers; summed row by row, in one order."""
    middle = _median(unc)
    total, count = 0.0, 0
    for rows in bands(unc):
        for row in unc[rows]:
            known = row[np.isfinite(row)].astype(np.float64)
            kept = known[known <= 5.0 * middle]
            total += float(np.sum(kept**2))
            count += kept.size
    return (total / count) ** 0.5 if count else float("nan")


def _median(plane: NDArray[Any]) -> float:
    return percentiles_of(lambda: (plane[rows] for rows in bands(plane)), [50.0])[0]


def _joined(
    sets: Sequence[RateSet], weights: Sequence[float], typical: Sequence[float]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint16]]:
    shape = sets[0].image.shape
    total, value = np.zeros(shape), np.zeros(shape)
    square_sum = np.zeros(shape)
    count = np.zeros(shape, np.uint16)
    for one, weight, usual in zip(sets, weights, typical, strict=True):
        here = np.isfinite(one.image)
        own = np.where(np.isfinite(one.unc), one.unc, usual)
        total += np.where(here, weight, 0.0)
        value += np.where(here, weight * one.image, 0.0)
        square_sum += np.where(here, (weight * own) ** 2, 0.0)
        count += np.where(here, one.cnt, 0).astype(np.uint16)
    with np.errstate(invalid="ignore", divide="ignore"):
        image = (value / total).astype(np.float32)
        unc = (np.sqrt(square_sum) / total).astype(np.float32)
    unc[count < 2] = np.nan
    return image, unc, count
