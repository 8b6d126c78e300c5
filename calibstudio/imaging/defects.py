"""Bad pixels by the definitions of the field: hot from darks, cold and dead from flats, unstable
from the scatter of a set in time.

A pixel is compared with its neighbours of the same colour, so that glow, vignetting and dust
shadows are not counted: first with its bin of the image (`bin_levels`), then, when it stands
out, with the median of the 9 x 9 around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.defects import Defect, DefectList
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.pixels import RowSource
from calibstudio.domain.recipe import DefectSettings
from calibstudio.imaging.combine_share import available_threads
from calibstudio.imaging.quality_levels import Image, channels, known_percentile, thin
from calibstudio.imaging.quality_shape import bin_levels

AROUND = 4
"""Neighbours of the same colour to each side."""
_CHUNK = 20_000
_BAND_BYTES = 32 << 20
SAMPLE = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class DarkSignal:
    """A master dark as bad pixels are looked for in it."""

    signal: NDArray[np.float32]
    """ADU of one exposure, the bias out where there is one. Shape (ny, nx)."""
    exposure_s: float
    bias: NDArray[np.float32] | None = None
    """What was taken out."""
    egain_e_per_adu: float | None = None
    noise_adu: float | None = None
    """Of one frame; None: measured from the frames."""


@dataclass(frozen=True, slots=True, eq=False)
class Scatter:
    """How the pixels of a set scatter in time."""

    sigma: NDArray[np.float32]
    """Standard deviation of the frames at each pixel, ADU, the value furthest from the middle left
    out: a cosmic ray is no telegraph noise."""
    two_levels: NDArray[np.bool_]
    """Excess kurtosis below -1: the values lie at two levels."""
    hot_in: NDArray[np.uint16]
    """Frames in which the pixel is above its limit."""
    n_frames: int


def measure_scatter(
    ctx: JobContext,
    sources: Sequence[RowSource],
    dark: DarkSignal,
    edges: Edges,
) -> Scatter:
    """Read a set of frames band by band and measure each pixel in time.

    Parameters
    ----------
    sources
        Raw frames of one exposure, shape (ny, nx).
    dark
        Made of them: its pixels are the middle that deviations are taken from.
    edges
        How far above its surroundings a pixel of one frame is hot.

    Notes
    -----
    Each frame's own level in the band (the median of its deviations) is taken out first: a
    level that drifts moves all pixels alike.
    """
    ny, nx = dark.signal.shape
    n = len(sources)
    rows = max(1, _BAND_BYTES // (4 * n * nx))
    sigma = np.empty((ny, nx), np.float32)
    two = np.empty((ny, nx), np.bool_)
    hot_in = np.empty((ny, nx), np.uint16)

    def measure(y0: int) -> None:
        y1 = min(ny, y0 + rows)
        band = slice(y0, y1)
        middle = dark.signal[band] if dark.bias is None else dark.signal[band] + dark.bias[band]
        off = np.stack([source.read_rows(y0, y1) for source in sources]) - middle
        drift = np.nanmedian(off.reshape(n, -1)[:, :: max(1, off[0].size // 4096)], axis=1)
        off -= np.asarray(drift, np.float32)[:, None, None]
        hot_in[band] = np.count_nonzero(off + dark.signal[band] > edges.rows(y0, y1), axis=0)
        sigma[band], two[band] = _moments(off)

    # numpy lets go of the interpreter: bands side by side, no more of them than are worked on.
    starts = range(0, ny, rows)
    side_by_side = min(len(starts), available_threads())
    with ThreadPoolExecutor(side_by_side) as pool:
        for first in range(0, len(starts), side_by_side):
            ctx.progress(first / len(starts), "Looking for unstable pixels")
            list(pool.map(measure, starts[first : first + side_by_side]))
    ctx.progress(1.0)
    return Scatter(sigma, two, hot_in, n)


def _moments(off: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return standard deviation and whether kurtosis says two levels, without the furthest."""
    n = len(off) - 1
    off = np.nan_to_num(off, copy=False)
    furthest = np.argmax(np.abs(off), axis=0)[None]
    np.put_along_axis(off, furthest, 0.0, axis=0)
    mean = off.sum(axis=0) / np.float32(n)
    off -= mean
    np.put_along_axis(off, furthest, 0.0, axis=0)
    off *= off
    square = off.sum(axis=0)
    off *= off
    fourth = off.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        kurtosis = n * fourth / (square * square) - 3.0
    return np.sqrt(square / np.float32(max(1, n - 1))), kurtosis < -1.0


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """For every pixel the signal from which on it is hot: of its bin and colour."""

    bins: tuple[NDArray[np.float64], ...]
    shape: tuple[int, int]

    def rows(self, y0: int, y1: int) -> NDArray[np.float32]:
        """Return some rows, ADU of signal."""
        out = np.empty((y1 - y0, self.shape[1]), np.float32)
        step = 1 if len(self.bins) == 1 else 2
        for k, bins in enumerate(self.bins):
            first = (k // step - y0) % step
            ys = np.arange(y0 + first, y1, step) // step
            xs = np.arange(k % step, self.shape[1], step) // step
            place_y = _bin_of(ys, -(-(self.shape[0] - k // step) // step), len(bins))
            place_x = _bin_of(xs, -(-(self.shape[1] - k % step) // step), bins.shape[1])
            out[first::step, k % step :: step] = bins[np.ix_(place_y, place_x)]
        return out


def _bin_of(place: NDArray[np.int64], length: int, count: int) -> NDArray[np.int64]:
    """Return the bin that holds each pixel of a side that is cut into so many bins."""
    starts = np.arange(count + 1) * length // count
    return np.asarray(np.searchsorted(starts, place, side="right") - 1)


def hot_edges(dark: DarkSignal, bayer: str | None, settings: DefectSettings) -> Edges:
    """Return from which signal on a pixel is hot, and needs `DarkSignal.noise_adu`.

    Above its bin by ``sigmas`` noises of one frame, and by ``hot_e_per_s`` where the gain is
    known, else by ``hot_times_median`` times the median dark signal.
    """
    planes = channels(dark.signal, bayer)
    limit = settings.sigmas * (dark.noise_adu or 0.0)
    if dark.egain_e_per_adu:
        limit = max(limit, settings.hot_e_per_s * dark.exposure_s / dark.egain_e_per_adu)
    elif dark.bias is not None:
        median = float(known_percentile(thin(dark.signal, SAMPLE)))
        limit = max(limit, settings.hot_times_median * median)
    ny, nx = dark.signal.shape
    return Edges(tuple(bin_levels(p) + limit for p in planes.values()), (ny, nx))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Bad pixels of one detector."""

    flags: NDArray[np.uint8]
    pixels: DefectList


def find_defects(
    dark: DarkSignal | None,
    edges: Edges | None,
    scatter: Scatter | None,
    flat: Image | None,
    flat_bpm: Image | None,
    settings: DefectSettings,
    *,
    flat_noise: float = 0.0,
    bayer: str | None = None,
    detector: str = "",
) -> Found:
    """Find the bad pixels of a detector; what is None is not looked for.

    Parameters
    ----------
    flat, flat_bpm
        A master flat, about 1, and its mask.
    flat_noise
        Uncertainty of one of its pixels.

    Notes
    -----
    hot
        Above its edge in the master, above the median around it by the same, and in more than
        ``persistence`` of the frames where these are known (LSST: else it is a transient).
    cold, dead
        Less than ``cold_below``, ``dead_below`` of the median around it, and at least 5 sigma
        below it. A lone pixel without light in the flat is dead with the value 0.
    unstable
        Scatter above ``unstable_sigmas`` times that of the median pixel, or two levels and
        above three times. The photon noise of its own dark signal is taken into account.
    """
    shape = (dark.signal if dark is not None else np.asarray(flat)).shape
    flags = np.zeros(shape, np.uint8)
    values: dict[Defect, NDArray[np.float32]] = {}
    if scatter is not None and dark is not None:
        usual = _usual_scatter(scatter, dark, bayer)
        times = scatter.sigma / usual
        unstable = times > settings.unstable_sigmas
        unstable |= scatter.two_levels & (times > 3.0)
        flags[unstable] |= np.uint8(Defect.UNSTABLE)
        values[Defect.UNSTABLE] = times.astype(np.float32)
    if flat is not None:
        values |= _mark_cold(flags, flat, flat_bpm, settings, flat_noise, bayer)
    if dark is not None and edges is not None:
        values |= _mark_hot(flags, dark, edges, scatter, settings, bayer)
    unit = "e-/s" if dark is not None and dark.egain_e_per_adu else "adu/s"
    return Found(flags, _listed(flags, values, unit, detector))


def _mark_hot(
    flags: NDArray[np.uint8],
    dark: DarkSignal,
    edges: Edges,
    scatter: Scatter | None,
    settings: DefectSettings,
    bayer: str | None,
) -> dict[Defect, NDArray[np.float32]]:
    ny, _ = dark.signal.shape
    candidate = np.zeros(dark.signal.shape, np.bool_)
    for y0 in range(0, ny, 256):
        y1 = min(ny, y0 + 256)
        with np.errstate(invalid="ignore"):
            candidate[y0:y1] = dark.signal[y0:y1] > edges.rows(y0, y1)
    if scatter is not None:
        candidate &= scatter.hot_in > settings.persistence * scatter.n_frames
    y, x = np.nonzero(candidate)
    around = _median_around(dark.signal, y, x, 1 if bayer is None else 2)
    # As far above its own surroundings as the edge is above its bin.
    above = dark.signal[y, x] - around
    least = _limit_of(edges, dark, bayer)
    y, x = y[above > least], x[above > least]
    flags[y, x] |= np.uint8(Defect.HOT)
    per_second = (dark.egain_e_per_adu or 1.0) / (dark.exposure_s or 1.0)
    return {Defect.HOT: dark.signal * np.float32(per_second)}


def _limit_of(edges: Edges, dark: DarkSignal, bayer: str | None) -> float:
    """Return how far an edge is above its bin; the same everywhere."""
    first = next(iter(channels(dark.signal, bayer).values()))
    difference = edges.bins[0] - bin_levels(first)
    return float(np.nanmedian(difference)) if difference.size else 0.0


def _mark_cold(
    flags: NDArray[np.uint8],
    flat: Image,
    bpm: Image | None,
    settings: DefectSettings,
    noise: float,
    bayer: str | None,
) -> dict[Defect, NDArray[np.float32]]:
    """Mark pixels of little response, and lone ones without light."""
    response = np.array(flat, np.float32)
    if bpm is not None:
        # Set to 1 there: not known, and 0 where the neighbours have light.
        response[np.asarray(bpm) != 0] = np.nan
        unlit = (np.asarray(bpm) & int(Defect.NO_SIGNAL)) != 0
    else:
        unlit = np.zeros(response.shape, np.bool_)
    below = unlit.copy()
    for name, plane in channels(response, bayer).items():
        bins = bin_levels(plane)
        if bins.size:
            ny, nx = plane.shape
            level = Edges((bins,), (ny, nx)).rows(0, ny)
            with np.errstate(invalid="ignore"):
                channels(below, bayer)[name][...] |= plane < settings.cold_below * level
    y, x = np.nonzero(below)
    around = _median_around(response, y, x, 1 if bayer is None else 2)
    value = np.where(unlit[y, x], 0.0, response[y, x])
    known = np.isfinite(around) & (around > 0)
    y, x, value, around = y[known], x[known], value[known], around[known]
    ratio = value / around
    sure = ratio < 1.0 - 5.0 * noise / around
    dead, cold = sure & (ratio < settings.dead_below), sure & (ratio < settings.cold_below)
    flags[y[cold], x[cold]] |= np.uint8(Defect.COLD)
    flags[y[dead], x[dead]] |= np.uint8(Defect.DEAD)
    ratios = np.ones(response.shape, np.float32)
    ratios[y, x] = ratio
    return {Defect.COLD: ratios, Defect.DEAD: ratios}


def _usual_scatter(scatter: Scatter, dark: DarkSignal, bayer: str | None) -> NDArray[np.float32]:
    """Return the scatter that each pixel should have: the median one and its own photon noise."""
    usual = np.empty(scatter.sigma.shape, np.float32)
    for name, plane in channels(scatter.sigma, bayer).items():
        channels(usual, bayer)[name][...] = max(float(known_percentile(thin(plane, SAMPLE))), 1e-3)
    per_adu = 1.0 / dark.egain_e_per_adu if dark.egain_e_per_adu else _photon(scatter, dark, usual)
    if per_adu > 0:
        # Only signal that is sure: what an unstable pixel does to the bias is none.
        middle = np.float32(known_percentile(thin(dark.signal, SAMPLE)))
        extra = np.maximum(dark.signal - middle - 10.0 * usual, 0.0) * np.float32(per_adu)
        usual = np.sqrt(usual * usual + np.nan_to_num(extra))
    return usual


def _photon(scatter: Scatter, dark: DarkSignal, usual: NDArray[np.float32]) -> float:
    """Return variance for one ADU of signal, from the hot pixels themselves; 0 when too few."""
    far = dark.signal > 30.0 * usual
    if np.count_nonzero(far) < 30:
        return 0.0
    more = scatter.sigma[far] ** 2 - usual[far] ** 2
    return max(0.0, float(np.median(more / dark.signal[far])))


def _median_around(
    image: NDArray[np.float32], y: NDArray[np.int64], x: NDArray[np.int64], step: int
) -> NDArray[np.float32]:
    """Return the median of the neighbours of the same colour, without the pixel itself.

    NaN where less than three quarters of those in the image have a value.
    """
    ny, nx = image.shape
    shift = np.arange(-AROUND, AROUND + 1) * step
    dy, dx = (a.ravel() for a in np.meshgrid(shift, shift, indexing="ij"))
    centre = (dy == 0) & (dx == 0)
    dy, dx = dy[~centre], dx[~centre]
    out = np.empty(len(y), np.float32)
    for first in range(0, len(y), _CHUNK):
        part = slice(first, first + _CHUNK)
        v, u = y[part, None] + dy, x[part, None] + dx
        inside = (v >= 0) & (v < ny) & (u >= 0) & (u < nx)
        values = image[np.clip(v, 0, ny - 1), np.clip(u, 0, nx - 1)]
        values = np.where(inside, values, np.float32(np.nan))
        known = np.count_nonzero(np.isfinite(values), axis=1)
        empty = known < np.maximum(1, 0.75 * np.count_nonzero(inside, axis=1))
        values[empty] = 0.0
        out[part] = np.nanmedian(values, axis=1)
        out[part][empty] = np.nan
    return out


def _listed(
    flags: NDArray[np.uint8], values: dict[Defect, NDArray[np.float32]], unit: str, detector: str
) -> DefectList:
    y, x = np.nonzero(flags)
    bits = flags[y, x]
    value = np.full(len(y), np.nan, np.float32)
    # The last one that is written counts: the first of `WORDS`.
    for bit in (Defect.UNSTABLE, Defect.COLD, Defect.DEAD, Defect.HOT):
        if bit in values:
            has = (bits & np.uint8(bit)) != 0
            value[has] = values[bit][y[has], x[has]]
    return DefectList(x.astype(np.int32), y.astype(np.int32), bits, value, unit, detector)
