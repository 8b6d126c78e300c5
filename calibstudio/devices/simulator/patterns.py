"""What is fixed in a sensor, pixel by pixel: bias pattern, response, dark current, hot pixels.

Everything follows from the seed. Small vectors are made once; properties of single pixels are a
hash of their place (`random_tables`), so that a 61 megapixel sensor needs no memory for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.devices.simulator import random_tables as tables
from calibstudio.devices.simulator.sensor import SensorTruth
from calibstudio.domain.equipment import Region

_STATIC, _COLUMNS, _ROWS, _HOT = 11, 12, 13, 14
_PARETO = 1.1
_STRIP_PIXELS = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class HotPixels:
    """Pixels with much more dark current than their neighbours, sorted by row; each (n,)."""

    y: NDArray[np.int64]
    x: NDArray[np.int64]
    excess_ref: NDArray[np.float64]
    """Excess dark current at the reference temperature, e-/s."""
    doubling_c: NDArray[np.float64]
    blinking: NDArray[np.bool_]

    def excess_e_per_s(self, sensor_c: float, ref_c: float) -> NDArray[np.float64]:
        """Return the excess at a temperature, when awake."""
        return np.asarray(self.excess_ref * 2.0 ** ((sensor_c - ref_c) / self.doubling_c))


def static_key(truth: SensorTruth) -> int:
    """The key from which each pixel's own properties are hashed."""
    return tables.mixed(truth.seed, _STATIC)


@lru_cache(maxsize=8)
def hot_pixels(truth: SensorTruth) -> HotPixels:
    """Return the hot pixels of a sensor."""
    rng = np.random.default_rng([truth.seed, _HOT])
    count = round(truth.hot_fraction * truth.n_pixels)
    places = np.unique(rng.integers(0, truth.n_pixels, count))
    y, x = np.divmod(places, truth.shape[1])
    excess = truth.hot_least_ref * rng.random(places.size) ** (-1.0 / _PARETO)
    doubling = np.clip(rng.normal(truth.dark_doubling_c - 0.2, 0.3, places.size), 4.5, 7.5)
    blinking = rng.random(places.size) < truth.hot_blinking
    return HotPixels(y, x, np.minimum(excess, truth.hot_most_ref), doubling, blinking)


@lru_cache(maxsize=8)
def column_pattern(truth: SensorTruth, mode: int) -> NDArray[np.float64]:
    """Return the column pattern (columns,) of the bias in ADU, before `pattern_scale`."""
    rng = np.random.default_rng([truth.seed, _COLUMNS, mode])
    return np.asarray(rng.normal(0.0, truth.column_pattern_adu, truth.shape[1]))


@lru_cache(maxsize=8)
def row_pattern(truth: SensorTruth, mode: int) -> NDArray[np.float64]:
    """Return the row pattern and gradient (rows,) of the bias in ADU, before `pattern_scale`."""
    rng = np.random.default_rng([truth.seed, _ROWS, mode])
    rows = rng.normal(0.0, truth.row_pattern_adu, truth.shape[0])
    return np.asarray(rows + truth.bias_gradient_adu * np.linspace(-0.5, 0.5, truth.shape[0]))


def glow_profiles(truth: SensorTruth) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the glow as two profiles, (columns,) and (rows,) in e-/s, that multiply."""
    ny, nx = truth.shape
    x = np.exp(-(nx - 1 - np.arange(nx)) / (truth.glow_scale * nx))
    y = truth.glow_peak * np.exp(-(ny - 1 - np.arange(ny)) / (truth.glow_scale * ny))
    return x, y


def bulk_dark_table(truth: SensorTruth) -> NDArray[np.float64]:
    """Return the 256 values of the bulk's dark current, in units of its median."""
    return np.asarray(np.exp(truth.dark_spread * tables.normal_table()))


def response_table(truth: SensorTruth) -> NDArray[np.float64]:
    """Return the 256 values of the pixel response."""
    return np.asarray(1.0 + truth.prnu * tables.normal_table())


class TruthMaps:
    """Maps of the truth, computed when asked for.

    Parameters
    ----------
    truth
        The sensor.
    region
        Part of the sensor; the full frame when left out. All maps are (rows, columns) of it,
        unbinned, float32.
    """

    def __init__(self, truth: SensorTruth, region: Region | None = None) -> None:
        self.truth = truth
        self.region = region or Region(0, 0, truth.shape[1], truth.shape[0])

    def bias_adu(
        self,
        *,
        gain: int | None = None,
        offset: int | None = None,
        readout_mode: str | None = None,
        sensor_c: float = -10.0,
    ) -> NDArray[np.float32]:
        """Return the mean of infinitely many biases, in ADU."""
        t, r = self.truth, self.region
        gain = t.gain_default if gain is None else gain
        mode, scale = t.mode_number(readout_mode), t.pattern_scale(gain, readout_mode)
        level = t.bias_level_adu(t.offset_default if offset is None else offset, sensor_c)
        table = t.pixel_pattern_adu * tables.normal_table()
        pixels = self._looked_up(table, shift=16)
        columns = column_pattern(t, mode)[r.x : r.x + r.width]
        rows = row_pattern(t, mode)[r.y : r.y + r.height]
        return np.asarray(level + scale * (pixels + columns + rows[:, None]), dtype=np.float32)

    def response(self) -> NDArray[np.float32]:
        """Return the relative response of each pixel (PRNU), colour and optics left out."""
        return self._looked_up(response_table(self.truth), shift=0)

    def dark_e_per_s(self, sensor_c: float, *, glow: bool = True) -> NDArray[np.float32]:
        """Return the mean dark current in e-/s; a blinking hot pixel is awake half the time."""
        t, r = self.truth, self.region
        dark = self._looked_up(bulk_dark_table(t) * t.dark_median_e_per_s(sensor_c), shift=8)
        hot = hot_pixels(t)
        excess = hot.excess_e_per_s(sensor_c, t.dark_ref_c) * np.where(hot.blinking, 0.55, 1.0)
        inside = (
            (hot.y >= r.y) & (hot.y < r.y + r.height) & (hot.x >= r.x) & (hot.x < r.x + r.width)
        )
        dark[hot.y[inside] - r.y, hot.x[inside] - r.x] += excess[inside]
        return dark + self.glow_e_per_s() if glow else dark

    def glow_e_per_s(self) -> NDArray[np.float32]:
        """Return the glow of the read-out electronics in e-/s."""
        r = self.region
        x, y = glow_profiles(self.truth)
        glow = y[r.y : r.y + r.height, None] * x[r.x : r.x + r.width]
        return np.asarray(glow, dtype=np.float32)

    def telegraph_e(self) -> NDArray[np.float32]:
        """Return the amplitude of the telegraph noise in electrons; 0 where there is none."""
        t = self.truth
        amplitude = self._looked_up(t.telegraph_mean_e * tables.exponential_table(), shift=40)
        below = telegraph_below(t)
        chosen = self._hashed(lambda own: ((own >> np.uint64(24)) & np.uint64(0xFFFF)) < below)
        return np.asarray(np.where(chosen, amplitude, 0.0), dtype=np.float32)

    def hot_pixels(self) -> HotPixels:
        """Return the list of hot pixels of the whole sensor."""
        return hot_pixels(self.truth)

    def _looked_up(self, table: NDArray[np.float64], *, shift: int) -> NDArray[np.float32]:
        values = table.astype(np.float32)
        return self._hashed(lambda own: values[(own >> np.uint64(shift)) & np.uint64(0xFF)])

    def _hashed(self, of: Callable[[NDArray[np.uint64]], Any]) -> NDArray[np.float32]:
        r = self.region
        out = np.empty((r.height, r.width), dtype=np.float32)
        rows = max(1, _STRIP_PIXELS // r.width)
        columns = np.arange(r.x + 1, r.x + r.width + 1, dtype=np.uint64)
        key = static_key(self.truth)
        for top in range(0, r.height, rows):
            y = np.arange(r.y + top, r.y + min(top + rows, r.height), dtype=np.uint64)
            counters = y[:, None] * np.uint64(self.truth.shape[1]) + columns
            out[top : top + len(y)] = of(tables.hashed(key, counters))
        return out


def telegraph_below(truth: SensorTruth) -> np.uint64:
    """The 16-bit number below which a pixel's hash gives it telegraph noise."""
    return np.uint64(round(truth.telegraph_fraction * 65536))
