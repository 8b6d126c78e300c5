"""From light and time to the pixels of one frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import floor, hypot
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calibstudio.devices.simulator import patterns
from calibstudio.devices.simulator import random_tables as tables
from calibstudio.devices.simulator.light import Light, StarField
from calibstudio.devices.simulator.optics import dust, optical_centre, response_of_colours
from calibstudio.devices.simulator.sensor import SensorTruth, modes_for
from calibstudio.devices.simulator.starfield import (
    StarList,
    View,
    galaxies_in,
    picture_of,
    stars_in,
)
from calibstudio.domain.equipment import Region
from calibstudio.domain.jobs import CancelToken

if TYPE_CHECKING:
    from calibstudio.devices.simulator.kernels import Events, Geometry, Pixels, Smooth, Stars

_FRAME, _ROW_NOISE, _COSMICS, _BLINK, _PHASE = 41, 42, 43, 44, 45
_STRIP_ROWS = 64
_MUON_E = (300.0, 3000.0)


@dataclass(frozen=True, slots=True)
class Shot:
    """Everything that decides the pixels of one frame, besides the seed."""

    number: int
    """Of the exposure, from 1: the key of its noise."""
    exposure_s: float
    gain: int
    offset: int
    readout_mode: str | None
    binning: int
    region: Region
    sensor_c: float
    light: Light


class Renderer:
    """Renders frames of one sensor. Stateless but for small caches; use it from one thread."""

    def __init__(self, truth: SensorTruth) -> None:
        self._truth = truth

    def render(self, shot: Shot, cancel: CancelToken) -> NDArray[np.uint16]:
        """Return the pixels, shape (region height // binning, width // binning), read-only.

        Raises
        ------
        Cancelled
            Between two strips of rows, a few milliseconds after it was asked for.
        """
        from calibstudio.devices.simulator import kernels

        cancel.check()
        region, binning = shot.region, shot.binning
        pixels, events = self._pixels(shot), self._events(shot)
        rows = region.height // binning * binning
        out = np.empty((rows // binning, region.width // binning), dtype=np.uint16)
        most_adu = self._truth.converter_max_adu
        strip_rows = _STRIP_ROWS * binning
        light = np.empty((strip_rows, region.width), dtype=np.float32)
        raw = np.empty((strip_rows if binning > 1 else 0, region.width), dtype=np.uint16)
        painter = None if shot.light.is_dark else _Painter(self._truth, shot)
        for top in range(0, rows, strip_rows):
            cancel.check()
            n = min(strip_rows, rows - top)
            if painter is not None:
                painter.paint(light[:n], top)
            strip = raw[:n] if binning > 1 else out[top : top + n]
            kernels.expose_rows(strip, light[:n], painter is not None, top, pixels, events)
            if binning > 1:
                _bin_into(out[top // binning : (top + n) // binning], strip, binning, most_adu)
        out.flags.writeable = False
        return out

    def _pixels(self, shot: Shot) -> Pixels:
        from calibstudio.devices.simulator.kernels import Pixels

        t, r = self._truth, shot.region
        step = t.step_adu(shot.readout_mode)
        per_e = 1.0 / t.e_per_adu(shot.gain)
        pattern_scale = t.pattern_scale(shot.gain, shot.readout_mode)
        mode_number = t.mode_number(shot.readout_mode)
        column = pattern_scale * patterns.column_pattern(t, mode_number)
        rng = np.random.default_rng([t.seed, _ROW_NOISE, shot.number])
        row = pattern_scale * patterns.row_pattern(t, mode_number)
        row = row + per_e * t.row_noise_e * rng.standard_normal(t.shape[0])
        row = row + t.bias_level_adu(shot.offset, shot.sensor_c)
        glow_x, glow_y = patterns.glow_profiles(t)
        dark = patterns.bulk_dark_table(t) * t.dark_median_e_per_s(shot.sensor_c)
        full_well = t.full_well_e(shot.gain)
        columns, rows = slice(r.x, r.x + r.width), slice(r.y, r.y + r.height)
        return Pixels(
            static_key=np.uint64(patterns.static_key(t)),
            frame_key=np.uint64(tables.mixed(t.seed, _FRAME, shot.number)),
            sensor_width=t.shape[1],
            x0=r.x,
            y0=r.y,
            response=_f32(patterns.response_table(t)),
            dark=_f32(dark * shot.exposure_s),
            pattern=_f32(pattern_scale * t.pixel_pattern_adu * tables.normal_table()),
            telegraph=_f32(per_e * t.telegraph_mean_e * tables.exponential_table()),
            telegraph_below=patterns.telegraph_below(t),
            glow_x=_f32(glow_x[columns]),
            glow_y=_f32(glow_y[rows] * shot.exposure_s),
            column=_f32(column[columns]),
            row=_f32(row[rows]),
            qe=response_of_colours(t),
            full_well_e=full_well,
            knee_e=t.linear_to * full_well,
            adu_per_e=per_e,
            read_noise_adu=per_e * t.read_noise_e(shot.gain, shot.readout_mode),
            step_adu=float(step),
            top_adu=float(t.converter_max_adu // step * step),
        )

    def _events(self, shot: Shot) -> Events:
        """Hot pixels and cosmic rays of the region, in order."""
        from calibstudio.devices.simulator.kernels import Events

        t, r = self._truth, shot.region
        hot = patterns.hot_pixels(t)
        mean = hot.excess_e_per_s(shot.sensor_c, t.dark_ref_c) * shot.exposure_s
        rng = np.random.default_rng([t.seed, _BLINK, shot.number])
        asleep = hot.blinking & (rng.random(hot.x.size) < 0.5)
        mean = np.where(asleep, 0.1 * mean, mean)
        ray_y, ray_x, ray_e = _cosmic_rays(t, shot)
        y = np.concatenate((hot.y, ray_y)) - r.y
        x = np.concatenate((hot.x, ray_x)) - r.x
        mean = np.concatenate((mean, np.zeros(ray_e.size)))
        extra = np.concatenate((np.zeros(hot.x.size), ray_e))
        inside = (y >= 0) & (y < r.height) & (x >= 0) & (x < r.width)
        y, x, mean, extra = y[inside], x[inside], mean[inside], extra[inside]
        order = np.lexsort((x, y))
        first = np.searchsorted(y[order], np.arange(r.height + 1))
        return Events(first.astype(np.int64), x[order], mean[order], extra[order])


def _cosmic_rays(
    truth: SensorTruth, shot: Shot
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return rows, columns and electrons of the tracks in this frame.

    A muon leaves charge in proportion to its way through the sensor (Groom 2002): tracks of 1 to
    some 15 pixels, isotropic in the plane, spread over two pixels.
    """
    rng = np.random.default_rng([truth.seed, _COSMICS, shot.number])
    minutes = (shot.exposure_s + 0.5 * truth.mode(shot.readout_mode).readout_s) / 60.0
    count = int(rng.poisson(truth.cosmics_per_cm2_min * truth.area_cm2 * minutes))
    y0, x0 = rng.uniform(0, truth.shape[0], count), rng.uniform(0, truth.shape[1], count)
    length = np.minimum(1.0 + rng.exponential(3.0, count), 40.0)
    angle = rng.uniform(0.0, 2.0 * np.pi, count)
    charge = np.exp(rng.uniform(np.log(_MUON_E[0]), np.log(_MUON_E[1]), count))
    points = np.ceil(2.0 * length).astype(np.int64)
    which = np.repeat(np.arange(count), points)
    along = rng.random(which.size) * length[which]
    blur = rng.normal(0.0, 0.35, (2, which.size))
    y = np.floor(y0[which] + along * np.sin(angle[which]) + blur[0]).astype(np.int64)
    x = np.floor(x0[which] + along * np.cos(angle[which]) + blur[1]).astype(np.int64)
    return y, x, charge[which] / points[which]


class _Painter:
    """Paints the light of one frame, strip by strip."""

    def __init__(self, truth: SensorTruth, shot: Shot) -> None:
        from calibstudio.devices.simulator import kernels

        self._kernels = kernels
        self._truth, self._shot = truth, shot
        centre_x, centre_y, half = optical_centre(truth)
        self._geometry: Geometry = kernels.Geometry(
            shot.region.x, shot.region.y, centre_x, centre_y, half
        )
        shadows = dust(truth, shot.light.filter)
        self._dust = kernels.Dust(shadows.x, shadows.y, shadows.outer, shadows.inner, shadows.depth)
        self._smooth: Smooth = kernels.Smooth(
            shot.light.smooth_e,
            shot.light.gradient_x,
            shot.light.gradient_y,
            shot.light.curvature,
            _lamp_rows(truth, shot),
        )
        field = shot.light.stars
        self._night = None if field is None else _NightPainter(truth, field, self._geometry)

    def paint(self, light: NDArray[np.float32], top: int) -> None:
        """Set the rows of ``light``, which begins at row ``top`` of the region."""
        k, shot = self._kernels, self._shot
        k.fill_smooth(light, top, self._geometry, self._smooth)
        if self._night is not None:
            self._night.paint(light, top)
        f = shot.light.filter
        k.through_optics(light, top, self._geometry, f.fall_off, f.edge_loss, self._dust)
        if shot.light.leak_e > 0.0:
            light += shot.light.leak_e * _leak_profile(self._truth, shot.region)


@lru_cache(maxsize=2)
def _stars(seed: int, view: View, margin_px: float) -> StarList:
    """Remembered, because a tracking mount shows the same field in every frame."""
    return stars_in(seed, view, margin_px=margin_px)


@lru_cache(maxsize=2)
def _galaxies(
    seed: int, view: View, home_deg: tuple[float, float], cell_px: int
) -> NDArray[np.float64] | None:
    """Remembered for the same reason; None where there are none."""
    galaxies = galaxies_in(seed, view, home_deg)
    return picture_of(galaxies, view, cell_px) if galaxies else None


class _NightPainter:
    """Paints stars and galaxies, strip by strip."""

    def __init__(self, truth: SensorTruth, field: StarField, geometry: Geometry) -> None:
        from calibstudio.devices.simulator import kernels

        self._kernels, self._field, self._geometry = kernels, field, geometry
        view = View(field.ra_deg, field.dec_deg, field.pixel_arcsec, truth.shape)
        self._width_px = max(2.0, hypot(field.seeing_arcsec / field.pixel_arcsec, 1.2))
        self._stars = self._visible(truth.seed, view)
        self._cell_px = max(2, truth.shape[1] // 750)
        self._picture = _galaxies(truth.seed, view, field.home_deg, self._cell_px)

    def paint(self, light: NDArray[np.float32], top: int) -> None:
        """Add the night sky to the rows of ``light``, which begins at row ``top``."""
        k, f, g = self._kernels, self._field, self._geometry
        k.paint_stars(light, top, g, self._stars, self._width_px, f.drift_x_px, f.drift_y_px)
        if self._picture is not None:
            k.add_extended(light, top, g, self._picture, float(self._cell_px), f.zero_point_e)

    def _visible(self, seed: int, view: View) -> Stars:
        """Stars that show, with the radius beyond which their profile is below half an electron."""
        field = self._field
        drift = hypot(field.drift_x_px, field.drift_y_px)
        stars = _stars(seed, view, 60.0 + drift)
        electrons = field.zero_point_e * 10.0 ** (-0.4 * stars.mag)
        points = self._kernels.trail_steps(field.drift_x_px, field.drift_y_px)
        core2 = (0.5 * self._width_px) ** 2 / (2.0 ** (1.0 / 3.0) - 1.0)
        peak = electrons / points * 2.0 / (np.pi * core2)
        radius = np.sqrt(core2 * np.maximum(0.0, np.cbrt(peak / 0.5) - 1.0))
        shows = electrons > 3.0
        radius = np.clip(radius, 2.0, 60.0)
        return self._kernels.Stars(stars.x[shows], stars.y[shows], electrons[shows], radius[shows])


def _leak_profile(truth: SensorTruth, region: Region) -> NDArray[np.float32]:
    """Light past the cover enters at the first column and falls by e over half the width."""
    x = np.arange(region.x, region.x + region.width)
    return _f32(np.exp(-x / (0.5 * truth.shape[1])))


def _lamp_rows(truth: SensorTruth, shot: Shot) -> NDArray[np.float64]:
    """Return the light of each row of the region: bands of a switched lamp, rolling shutter.

    Each row begins one row time after the one above it and sums the same lamp, which is on for
    ``duty`` of each period; what a row gets beyond whole periods makes the bands.
    """
    r, light = shot.region, shot.light
    if light.flicker_hz <= 0.0 or light.flicker_duty >= 1.0 or shot.exposure_s <= 0.0:
        return np.ones(r.height)
    row_s = truth.mode(shot.readout_mode).readout_s / truth.shape[0]
    phase = tables.mixed(truth.seed, _PHASE, shot.number) / 2.0**64
    rows = np.arange(r.y, r.y + r.height, dtype=np.float64)
    start = phase + light.flicker_hz * row_s * rows
    end = start + light.flicker_hz * shot.exposure_s

    def on_until(periods: NDArray[np.floating]) -> NDArray[np.floating]:
        whole = np.floor(periods)
        return np.asarray(whole + np.minimum(1.0, (periods - whole) / light.flicker_duty))

    return np.asarray((on_until(end) - on_until(start)) / (end - start))


def _bin_into(out: NDArray[np.uint16], strip: NDArray[np.uint16], binning: int, most: int) -> None:
    """Add up squares of pixels, at most to the largest value that can be delivered."""
    rows, columns = out.shape
    cut = strip[: rows * binning, : columns * binning]
    blocks = cut.reshape(rows, binning, columns, binning)
    out[:] = np.minimum(blocks.sum(axis=(1, 3), dtype=np.uint32), most)


def _f32(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)


def quantised(exposure_s: float, truth: SensorTruth) -> float:
    """Return the exposure that the camera will really do."""
    steps = floor(exposure_s / truth.exposure_step_s + 0.5)
    return max(truth.exposure_min_s, round(steps * truth.exposure_step_s, 6))


def warm_up() -> None:
    """Compile all pixel loops now, so that the first frame does not wait for it.

    Takes some seconds once on a machine, and nothing worth mentioning after that: the result is
    kept on disk. Meant for a background job after start-up, and for installers.
    """
    truth = SensorTruth(shape=(32, 32), modes=modes_for((32, 32)))
    field = StarField(10.0, 45.0, (10.0, 45.0), 5.0, 0.0, 0.0, zero_point_e=1e7)
    shot = Shot(
        1, 1.0, 100, 50, None, 1, Region(0, 0, 32, 32), 0.0, Light(smooth_e=5.0, stars=field)
    )
    Renderer(truth).render(shot, CancelToken())
