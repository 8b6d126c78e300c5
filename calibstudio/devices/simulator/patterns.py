"""What is fixed in a sensor, pixel by pixel: bias pattern, response, dark current, hot pixels.

Everything follows from the seed. Small vectors are made once; properties of single pixels are a
hash of their place (`random_tables`), so that a 61 megapixel sensor needs no memory for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calibstudio.devices.simulator import random_tables as tables
from calibstudio.devices.simulator.sensor import SensorTruth

_STATIC, _COLUMNS, _ROWS, _HOT = 11, 12, 13, 14
_PARETO = 1.1


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


def telegraph_below(truth: SensorTruth) -> np.uint64:
    """The 16-bit number below which a pixel's hash gives it telegraph noise."""
    return np.uint64(round(truth.telegraph_fraction * 65536))
