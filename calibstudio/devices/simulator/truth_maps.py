"""Maps of the truth, for those who want to check what was measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.devices.simulator import optics, patterns
from calibstudio.devices.simulator import random_tables as tables
from calibstudio.devices.simulator.sensor import SensorTruth
from calibstudio.domain.equipment import Region

_STRIP_PIXELS = 4_000_000


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
        columns = patterns.column_pattern(t, mode)[r.x : r.x + r.width]
        rows = patterns.row_pattern(t, mode)[r.y : r.y + r.height]
        return np.asarray(level + scale * (pixels + columns + rows[:, None]), dtype=np.float32)

    def response(self) -> NDArray[np.float32]:
        """Return the relative response of each pixel (PRNU), colour and optics left out."""
        return self._looked_up(patterns.response_table(self.truth), shift=0)

    def dark_e_per_s(self, sensor_c: float, *, glow: bool = True) -> NDArray[np.float32]:
        """Return the mean dark current in e-/s; a blinking hot pixel is awake half the time."""
        t, r = self.truth, self.region
        dark = self._looked_up(
            patterns.bulk_dark_table(t) * t.dark_median_e_per_s(sensor_c), shift=8
        )
        hot = patterns.hot_pixels(t)
        excess = hot.excess_e_per_s(sensor_c, t.dark_ref_c) * np.where(hot.blinking, 0.55, 1.0)
        inside = (
            (hot.y >= r.y) & (hot.y < r.y + r.height) & (hot.x >= r.x) & (hot.x < r.x + r.width)
        )
        dark[hot.y[inside] - r.y, hot.x[inside] - r.x] += excess[inside]
        return dark + self.glow_e_per_s() if glow else dark

    def glow_e_per_s(self) -> NDArray[np.float32]:
        """Return the glow of the read-out electronics in e-/s."""
        r = self.region
        x, y = patterns.glow_profiles(self.truth)
        glow = y[r.y : r.y + r.height, None] * x[r.x : r.x + r.width]
        return np.asarray(glow, dtype=np.float32)

    def telegraph_e(self) -> NDArray[np.float32]:
        """Return the amplitude of the telegraph noise in electrons; 0 where there is none."""
        t = self.truth
        amplitude = self._looked_up(t.telegraph_mean_e * tables.exponential_table(), shift=40)
        below = patterns.telegraph_below(t)
        chosen = self._hashed(lambda own: ((own >> np.uint64(24)) & np.uint64(0xFFFF)) < below)
        return np.asarray(np.where(chosen, amplitude, 0.0), dtype=np.float32)

    def optics(self, filter_name: str = "", *, with_dust: bool = True) -> NDArray[np.float32]:
        """Return vignetting and dust behind a filter, 1 at the optical centre. Raises `KeyError`.

        The empty name stands for a camera without filters.
        """
        chosen = {f.name: f for f in (*optics.FILTERS, optics.NO_FILTER)}[filter_name]
        return optics.optics_map(self.truth, chosen, self.region, with_dust=with_dust)

    def flat(self, filter_name: str = "", *, with_panel: bool = False) -> NDArray[np.float32]:
        """Return what a flat divides by: optics, pixel response and colour. Raises `KeyError`.

        ``with_panel`` adds the panel's own unevenness, which a real flat cannot tell apart.
        """
        r = self.region
        out = self.optics(filter_name) * self.response()
        if with_panel:
            out *= optics.panel_field(self.truth, r)
        colours = optics.response_of_colours(self.truth)
        rows, columns = np.arange(r.y, r.y + r.height) % 2, np.arange(r.x, r.x + r.width) % 2
        return np.asarray(out * colours[np.ix_(rows, columns)], dtype=np.float32)

    def hot_pixels(self) -> patterns.HotPixels:
        """Return the list of hot pixels of the whole sensor."""
        return patterns.hot_pixels(self.truth)

    def _looked_up(self, table: NDArray[np.float64], *, shift: int) -> NDArray[np.float32]:
        values = table.astype(np.float32)
        return self._hashed(lambda own: values[(own >> np.uint64(shift)) & np.uint64(0xFF)])

    def _hashed(self, of: Callable[[NDArray[np.uint64]], Any]) -> NDArray[np.float32]:
        r = self.region
        out = np.empty((r.height, r.width), dtype=np.float32)
        rows = max(1, _STRIP_PIXELS // r.width)
        columns = np.arange(r.x + 1, r.x + r.width + 1, dtype=np.uint64)
        key = patterns.static_key(self.truth)
        for top in range(0, r.height, rows):
            y = np.arange(r.y + top, r.y + min(top + rows, r.height), dtype=np.uint64)
            counters = y[:, None] * np.uint64(self.truth.shape[1]) + columns
            out[top : top + len(y)] = of(tables.hashed(key, counters))
        return out
