"""Bad pixels by the definitions of the field: hot from darks, cold and dead from flats, unstable
from the scatter of a set in time.

A pixel is compared with its neighbours of the same colour, so that glow, vignetting and dust
shadows are not counted: first with its bin of the image (`bin_levels`), then, when it stands
out, with the median of the 9 x 9 around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.defects import Defect, DefectList
from calibstudio.domain.jobs import JobContext, give_way
from calibstudio.domain.pixels import PlaneRows, RowSource
from calibstudio.domain.planes import MemoryRoom, Room, band_rows, bands, let_go
from calibstudio.domain.recipe import DefectSettings
from calibstudio.imaging.combine_share import available_threads
from calibstudio.imaging.quality_levels import channels, known_percentile, thin
from calibstudio.imaging.quality_shape import bin_levels

AROUND = 4
"""Neighbours of the same colour to each side."""
_CHUNK = 1_024
_BAND_BYTES = 32 << 20
"""Of all frames together, that are looked at at a time."""
_AT_ONCE = 2
"""Such bands side by side at most."""
SAMPLE = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class DarkSignal:
    """A master dark as bad pixels are looked for in it."""

    signal: NDArray[np.float32]
    """ADU of one exposure, the bias out where there is one. Shape (ny, nx)."""
    exposure_s: float
    bias: PlaneRows | None = None
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
    room: Room | None = None,
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
    room
        Where the result is kept; None: in memory.

    Notes
    -----
    Each frame's own level in the band (the median of its deviations) is taken out first: a
    level that drifts moves all pixels alike.
    """
    ny, nx = dark.signal.shape
    n = len(sources)
    rows = max(1, _BAND_BYTES // (4 * n * nx))
    room = room or MemoryRoom()
    sigma, two = room.plane((ny, nx), np.float32), room.plane((ny, nx), np.bool_)
    hot_in = room.plane((ny, nx), np.uint16)

    def measure(y0: int) -> None:
        y1 = min(ny, y0 + rows)
        middle = dark.signal[y0:y1]
        if dark.bias is not None:
            middle = middle + dark.bias[y0:y1]
        off = np.empty((n, y1 - y0, nx), np.float32)
        for one, source in zip(off, sources, strict=True):
            np.subtract(source.read_rows(y0, y1), middle, out=one)
        drift = np.nanmedian(off.reshape(n, -1)[:, :: max(1, off[0].size // 4096)], axis=1)
        off -= np.asarray(drift, np.float32)[:, None, None]
        for y in range(y0, y1, few):
            part = off[:, y - y0 : y - y0 + few]
            end = y + part.shape[1]
            above = part + dark.signal[y:end] > edges.rows(y, end)
            hot_in.write(y, np.count_nonzero(above, axis=0))
            for plane, band in zip((sigma, two), _moments(part), strict=True):
                plane.write(y, band)
        let_go(dark.signal)

    # numpy lets go of the interpreter: bands side by side, no more of them than are worked on.
    few = max(1, rows // 8)
    starts = range(0, ny, rows)
    side_by_side = min(len(starts), available_threads(), _AT_ONCE)
    with ThreadPoolExecutor(side_by_side) as pool:
        for first in range(0, len(starts), side_by_side):
            ctx.progress(first / len(starts), "Looking for unstable pixels")
            list(pool.map(measure, starts[first : first + side_by_side]))
    ctx.progress(1.0)
    return Scatter(sigma.array, two.array, hot_in.array, n)


def _moments(off: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return standard deviation and whether kurtosis says two levels, without the furthest."""
    n = len(off) - 1
    off = np.nan_to_num(off)
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
    flat: PlaneRows | None,
    flat_bpm: PlaneRows | None,
    settings: DefectSettings,
    *,
    flat_noise: float = 0.0,
    bayer: str | None = None,
    detector: str = "",
    room: Room | None = None,
) -> Found:
    """Find the bad pixels of a detector; what is None is not looked for.

    Parameters
    ----------
    flat, flat_bpm
        A master flat, about 1, and its mask.
    flat_noise
        Uncertainty of one of its pixels.
    room
        Where the mask, and what it takes to find it, is kept; None: in memory.

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
    room = room or MemoryRoom()
    seen: PlaneRows | None = dark.signal if dark is not None else flat
    if seen is None:
        raise ValueError("neither a dark nor a flat")
    ny, nx = seen.shape
    found: dict[Defect, _Places] = {}
    if scatter is not None and dark is not None:
        found[Defect.UNSTABLE] = _unstable(scatter, dark, settings, bayer)
    if flat is not None:
        found |= _cold(flat, flat_bpm, settings, flat_noise, bayer, room)
    if dark is not None and edges is not None:
        found[Defect.HOT] = _hot(dark, edges, scatter, settings, bayer)
    unit = "e-/s" if dark is not None and dark.egain_e_per_adu else "adu/s"
    pixels = _listed(found, nx, unit, detector)
    return Found(_mask(pixels, (ny, nx), room), pixels)


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Pixels with one defect, row by row."""

    y: NDArray[np.int64]
    x: NDArray[np.int64]
    value: NDArray[np.float32]

    @classmethod
    def of(cls, parts: Sequence[_Places]) -> _Places:
        """Join those of bands."""
        return cls(
            np.concatenate([part.y for part in parts]),
            np.concatenate([part.x for part in parts]),
            np.concatenate([part.value for part in parts]),
        )


def _kept(y0: int, where: NDArray[np.bool_], values: NDArray[np.float32]) -> _Places:
    """Return the pixels of a band that are marked."""
    y, x = np.nonzero(where)
    return _Places(y + y0, x, values[y, x].astype(np.float32))


def _unstable(
    scatter: Scatter, dark: DarkSignal, settings: DefectSettings, bayer: str | None
) -> _Places:
    usual = _UsualScatter.of(scatter, dark, bayer)
    parts = []
    for rows in bands(scatter.sigma, scatter.two_levels, dark.signal):
        times = scatter.sigma[rows] / usual.rows(dark.signal[rows])
        unstable = times > settings.unstable_sigmas
        unstable |= scatter.two_levels[rows] & (times > 3.0)
        parts.append(_kept(rows.start, unstable, times))
    return _Places.of(parts)


def _hot(
    dark: DarkSignal,
    edges: Edges,
    scatter: Scatter | None,
    settings: DefectSettings,
    bayer: str | None,
) -> _Places:
    parts = []
    hot_in = None if scatter is None else scatter.hot_in
    for rows in bands(dark.signal, hot_in):
        with np.errstate(invalid="ignore"):
            candidate = dark.signal[rows] > edges.rows(rows.start, rows.stop)
        if scatter is not None:
            candidate &= scatter.hot_in[rows] > settings.persistence * scatter.n_frames
        parts.append(_kept(rows.start, candidate, dark.signal[rows]))
    found = _Places.of(parts)
    around = _median_around(dark.signal, found.y, found.x, 1 if bayer is None else 2)
    # As far above its own surroundings as the edge is above its bin.
    above = found.value - around
    hot = above > _limit_of(edges, dark, bayer)
    per_second = (dark.egain_e_per_adu or 1.0) / (dark.exposure_s or 1.0)
    return _Places(found.y[hot], found.x[hot], found.value[hot] * np.float32(per_second))


def _limit_of(edges: Edges, dark: DarkSignal, bayer: str | None) -> float:
    """Return how far an edge is above its bin; the same everywhere."""
    first = next(iter(channels(dark.signal, bayer).values()))
    difference = edges.bins[0] - bin_levels(first)
    return float(np.nanmedian(difference)) if difference.size else 0.0


def _cold(
    flat: PlaneRows,
    bpm: PlaneRows | None,
    settings: DefectSettings,
    noise: float,
    bayer: str | None,
    room: Room,
) -> dict[Defect, _Places]:
    """Find pixels of little response, and lone ones without light."""
    ny, nx = flat.shape
    plane = room.plane((ny, nx), np.float32)
    for rows in _steps(ny, nx):
        band = np.array(flat[rows], np.float32)
        if bpm is not None:
            # Set to 1 there: not known, and 0 where the neighbours have light.
            band[np.asarray(bpm[rows]) != 0] = np.nan
        plane.write(rows.start, band)
    response = plane.array
    levels = Edges(tuple(bin_levels(p) for p in channels(response, bayer).values()), (ny, nx))
    let_go(response)
    parts = []
    for rows in bands(response):
        band = response[rows]
        unlit = np.zeros(band.shape, np.bool_)
        if bpm is not None:
            unlit = (np.asarray(bpm[rows]).astype(np.uint8) & int(Defect.NO_SIGNAL)) != 0
        below = unlit.copy()
        if all(bins.size for bins in levels.bins):
            with np.errstate(invalid="ignore"):
                below |= band < settings.cold_below * levels.rows(rows.start, rows.stop)
        parts.append(_kept(rows.start, below, np.where(unlit, np.float32(0), band)))
    found = _Places.of(parts)
    around = _median_around(response, found.y, found.x, 1 if bayer is None else 2)
    known = np.isfinite(around) & (around > 0)
    y, x, around = found.y[known], found.x[known], around[known]
    ratio = found.value[known] / around
    sure = ratio < 1.0 - 5.0 * noise / around
    dead, cold = sure & (ratio < settings.dead_below), sure & (ratio < settings.cold_below)
    return {
        Defect.COLD: _Places(y[cold], x[cold], ratio[cold]),
        Defect.DEAD: _Places(y[dead], x[dead], ratio[dead]),
    }


def _steps(ny: int, nx: int) -> Iterator[slice]:
    step = band_rows(nx)
    for y0 in range(0, ny, step):
        yield slice(y0, min(ny, y0 + step))


@dataclass(frozen=True, slots=True)
class _UsualScatter:
    """The scatter that each pixel should have: the median one and its own photon noise."""

    cell: NDArray[np.float32]
    """Median scatter, ADU: one, or those of the 2x2 cell of colours."""
    middle: np.float32
    """Of the dark signal."""
    per_adu: float = 0.0
    """Variance for one ADU of signal."""

    @classmethod
    def of(cls, scatter: Scatter, dark: DarkSignal, bayer: str | None) -> _UsualScatter:
        """Measure it."""
        planes = channels(scatter.sigma, bayer).values()
        medians = [max(float(known_percentile(thin(p, SAMPLE))), 1e-3) for p in planes]
        side = 1 if len(medians) == 1 else 2
        cell = np.array(medians, np.float32).reshape(side, side)
        middle = np.float32(known_percentile(thin(dark.signal, SAMPLE)))
        let_go(scatter.sigma, dark.signal)
        plain = cls(cell, middle)
        gain = dark.egain_e_per_adu
        return replace(plain, per_adu=1.0 / gain if gain else plain.photon(scatter, dark))

    def rows(self, signal: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return some rows, for the dark signal there; they begin with an even one."""
        ny, nx = signal.shape
        side = len(self.cell)
        usual = np.tile(self.cell, (-(-ny // side), -(-nx // side)))[:ny, :nx]
        if self.per_adu > 0:
            # Only signal that is sure: what an unstable pixel does to the bias is none.
            extra = np.maximum(signal - self.middle - 10.0 * usual, 0.0) * np.float32(self.per_adu)
            usual = np.sqrt(usual * usual + np.nan_to_num(extra))
        return usual

    def photon(self, scatter: Scatter, dark: DarkSignal) -> float:
        """Return variance for one ADU of signal, from the hot pixels themselves; 0: too few."""
        ratios = []
        for rows in bands(scatter.sigma, dark.signal):
            signal = dark.signal[rows]
            usual = self.rows(signal)
            far = signal > 30.0 * usual
            more = scatter.sigma[rows][far] ** 2 - usual[far] ** 2
            ratios.append(more / signal[far])
        known = np.concatenate(ratios)
        return max(0.0, float(np.median(known))) if known.size >= 30 else 0.0


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
        let_go(image)
        give_way()
    return out


def _listed(found: dict[Defect, _Places], nx: int, unit: str, detector: str) -> DefectList:
    """Return all bad pixels, row by row."""
    # The last one that is written counts: the first of `WORDS`.
    order = (Defect.UNSTABLE, Defect.COLD, Defect.DEAD, Defect.HOT)
    places = [(bit, found[bit]) for bit in order if bit in found]
    keys = [one.y * nx + one.x for _, one in places]
    every = np.unique(np.concatenate(keys)) if keys else np.empty(0, np.int64)
    bits = np.zeros(len(every), np.uint8)
    value = np.full(len(every), np.nan, np.float32)
    for (bit, one), key in zip(places, keys, strict=True):
        at = np.searchsorted(every, key)
        bits[at] |= np.uint8(bit)
        value[at] = one.value
    y, x = np.divmod(every, nx)
    return DefectList(x.astype(np.int32), y.astype(np.int32), bits, value, unit, detector)


def _mask(pixels: DefectList, shape: tuple[int, int], room: Room) -> NDArray[np.uint8]:
    """Return the image of the list."""
    plane = room.plane(shape, np.uint8)
    for rows in _steps(*shape):
        first, end = np.searchsorted(pixels.y, [rows.start, rows.stop])
        band = np.zeros((rows.stop - rows.start, shape[1]), np.uint8)
        band[pixels.y[first:end] - rows.start, pixels.x[first:end]] = pixels.flags[first:end]
        plane.write(rows.start, band)
    return plane.array
