"""A night at the simulated observatory held against its truth, number by number.

Each function looks at what lies on the disk and in the library, and at nothing that the program
said about itself while it worked. Tolerances are five standard errors of what is compared.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from calibstudio.devices.simulator.observatory import SimulatedObservatory
from calibstudio.devices.simulator.optics import FILTERS, dust
from calibstudio.devices.simulator.panel import SimulatedPanel, panel_law
from calibstudio.devices.simulator.sky import sky_e_per_s
from calibstudio.devices.simulator.truth_maps import TruthMaps
from calibstudio.devices.simulator.world import panel_full_e_per_s
from calibstudio.domain.master import MasterRecord

GAIN, OFFSET, SET_C = 100, 50, -10.0
SIGMAS = 5.0


@dataclass(frozen=True)
class Raw:
    """A frame on the disk."""

    path: Path
    header: fits.Header
    data: NDArray[np.float64]

    @property
    def seconds(self) -> float:
        return float(self.header["EXPTIME"])

    @property
    def level(self) -> float:
        """Median of the middle, where levels are searched."""
        ny, nx = self.data.shape
        return float(np.median(self.data[ny // 4 : -ny // 4, nx // 4 : -nx // 4]))

    @property
    def middle(self) -> datetime:
        start = datetime.fromisoformat(f"{self.header['DATE-OBS']}+00:00")
        return start + timedelta(seconds=0.5 * self.seconds)


def read_raw(path: Path) -> Raw:
    """Read a frame, with its checksums, as strictly as can be."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, checksum=True) as hdus:
            hdus.verify("exception")
            return Raw(path, hdus[0].header.copy(), hdus[0].data.astype(float))


class Truth:
    """What is true of an observatory, and how frames and masters are held against it."""

    def __init__(self, there: SimulatedObservatory) -> None:
        assert there.world is not None
        self.there, self.world, self.sensor = there, there.world, there.world.truth
        self.maps = TruthMaps(self.sensor)
        self.e_per_adu = self.sensor.e_per_adu(GAIN)
        self.bias = self.maps.bias_adu(gain=GAIN, offset=OFFSET, sensor_c=SET_C).astype(float)
        self._flats: dict[tuple[str, bool], NDArray[np.float64]] = {}
        self.noise_adu = self.sensor.total_read_noise_e(GAIN) / self.e_per_adu
        self.row_noise_adu = self.sensor.row_noise_e / self.e_per_adu

    def flat(self, name: str, *, panel: bool = False) -> NDArray[np.float64]:
        """What a flat through this filter divides by; with the panel's own unevenness."""
        if (name, panel) not in self._flats:
            made = self.maps.flat(name, with_panel=panel).astype(float)
            self._flats[name, panel] = made
        return self._flats[name, panel]

    # Frames ---------------------------------------------------------------------------------------

    def check_header(self, raw: Raw) -> None:
        """Settings, temperatures, place, saturation and light of one frame."""
        h = raw.header
        assert (h["GAIN"], h["OFFSET"], h["XBINNING"], h["YBINNING"]) == (GAIN, OFFSET, 1, 1)
        assert h["INSTRUME"] == self.there.camera.info.name and h["CSSIMUL"] is True
        assert h["SET-TEMP"] == SET_C
        # The cooler's tolerance; it may not have left it while the shutter was open.
        assert abs(h["CCD-TEMP"] - SET_C) <= 0.3 and abs(h["CSTEMP0"] - SET_C) <= 0.3
        assert h["EGAIN"] == self.e_per_adu and h["SATURATE"] == self.sensor.saturation_adu(
            GAIN, OFFSET
        )
        assert (h["SITELAT"], h["SITELONG"]) == (
            self.world.site.latitude_deg, self.world.site.longitude_deg
        )  # fmt: skip
        assert h["FOCALLEN"] == self.world.optics.focal_length_mm
        assert raw.data.max() <= h["SATURATE"]

    def check_bias_frame(self, raw: Raw) -> None:
        assert raw.seconds == self.sensor.exposure_min_s
        n = raw.data.size
        error = sqrt(self.noise_adu**2 / n + self.row_noise_adu**2 / raw.data.shape[0])
        assert abs(raw.data.mean() - self.bias.mean()) <= SIGMAS * error + 0.05

    def check_noise(self, pair: Sequence[Raw]) -> None:
        """The scatter of a difference of two biases is the read noise, telegraph pixels counted."""
        one, two = pair
        difference = one.data - two.data
        # Exponential amplitudes have a heavy tail: the error is taken from the values themselves.
        squares = 0.5 * difference**2
        error = squares.std() / sqrt(difference.size)
        assert abs(squares.mean() - self.noise_adu**2) <= SIGMAS * error

    def check_panel_flat(self, raw: Raw, target_adu: float) -> None:
        """Inside the band, and as bright as the panel behind this filter makes it."""
        h = raw.header
        assert abs(raw.level - target_adu) <= 0.1 * target_adu
        chosen = next(f for f in FILTERS if f.name == h["FILTER"])
        rate_e = panel_full_e_per_s(self.sensor) * chosen.panel * panel_law(h["CSPANEL"])
        flat = self.flat(chosen.name, panel=True)
        lit = (raw.data - self.bias) * self.e_per_adu / flat
        ny, nx = lit.shape
        found = float(np.median(lit[ny // 4 : -ny // 4, nx // 4 : -nx // 4])) / raw.seconds
        # A lamp that has just been lit is up to WARM_UP brighter; the panel's law is exact.
        assert 0.995 <= found / rate_e <= (1.0 + SimulatedPanel.WARM_UP) * 1.005

    def check_sky_flat(self, raw: Raw, target_adu: float, limits_s: tuple[float, float]) -> None:
        """Inside the band, and as bright as the sky was at that moment."""
        h = raw.header
        assert limits_s[0] <= raw.seconds <= limits_s[1] and h["CSCOVER"] == "OPEN"
        assert abs(raw.level - target_adu) <= 0.1 * target_adu and h["CSPANEL"] == 0
        chosen = next(f for f in FILTERS if f.name == h["FILTER"])
        start = datetime.fromisoformat(f"{h['DATE-OBS']}+00:00")
        world = self.world
        rate_e = sky_e_per_s(
            start, raw.seconds, world.site, world.optics, self.sensor.pixel_size_um, chosen
        )
        lit = (raw.data - self.bias) * self.e_per_adu / self.flat(chosen.name)
        # Stars are above the sky, and the median does not mind them; the gradient cancels.
        assert float(np.median(lit)) / raw.seconds == _close(rate_e, 0.01)

    # Masters --------------------------------------------------------------------------------------

    def check_bias_master(self, path: Path, n: int) -> None:
        """Level, pattern and scatter of a mean of so many biases."""
        master, unc = _planes(path)
        left = master - self.bias
        per_pixel = self.noise_adu / sqrt(n)
        error = sqrt(
            per_pixel**2 / left.size + self.row_noise_adu**2 / (n * left.shape[0])
        )  # of the mean of all
        assert abs(left.mean()) <= SIGMAS * error + 0.05
        quiet = self.maps.telegraph_e() == 0
        expected = sqrt(
            (self.sensor.read_noise_e(GAIN) / self.e_per_adu) ** 2
            + self.row_noise_adu**2
            + 1.0 / 12.0
        ) / sqrt(n)
        # Rejection costs a little: 2 % at most for twenty values between 4 and 3 sigma.
        assert float(left[quiet].std()) == _close(expected, 0.02)
        assert float(np.sqrt(np.mean(unc[quiet] ** 2))) == _close(expected, 0.03)
        self._check_pattern(left)

    def _check_pattern(self, left: NDArray[np.float64]) -> None:
        """No column is off: their pattern of 1.5 ADU is in the master, to its noise."""
        columns = left.mean(axis=0)
        error = left.std() / sqrt(left.shape[0])
        assert float(np.abs(columns - columns.mean()).max()) <= (SIGMAS + 0.5) * error

    def check_dark_master(self, path: Path, seconds: float, n: int) -> None:
        """The dark current of the bulk, the glow of the corner, and the hot pixels."""
        master, _ = _planes(path)
        rate = self.maps.dark_e_per_s(SET_C).astype(float)
        signal = (master - self.bias) * self.e_per_adu
        wanted = rate * seconds
        hot = self.maps.hot_pixels()
        is_hot = np.zeros(master.shape, dtype=bool)
        is_hot[hot.y, hot.x] = True
        quiet = (self.maps.telegraph_e() == 0) & ~is_hot
        left = signal - wanted
        variance = self.sensor.read_noise_e(GAIN) ** 2 + wanted[quiet].mean() + 0.01
        error = sqrt(variance / n / quiet.sum())
        # The sensor is at its set point within 0.1 degrees: 1.2 % of the dark current, not of the
        # glow. Skewed Poisson values that are clipped lose up to 2 % of their sigma of one frame.
        bulk = self.sensor.dark_median_e_per_s(SET_C) * seconds
        allowed = SIGMAS * error + 0.012 * bulk + 0.02 * sqrt(variance / n) + 0.012
        assert abs(float(left[quiet].mean())) <= allowed, (seconds, left[quiet].mean(), allowed)
        self._check_glow(left, quiet, wanted, variance, n)
        self._check_hot(signal, hot, seconds, n)

    def _check_glow(self, left: Any, quiet: Any, wanted: Any, variance: float, n: int) -> None:
        corner = np.zeros_like(quiet)
        ny, nx = quiet.shape
        corner[-ny // 10 :, -nx // 10 :] = True
        chosen = quiet & corner
        glow = (
            self.maps.glow_e_per_s()[chosen].mean() / self.maps.dark_e_per_s(SET_C)[chosen].mean()
        )
        assert glow > 0.5  # it is the glow that is looked at
        error = sqrt((variance + wanted[chosen].mean()) / n / chosen.sum())
        assert abs(float(left[chosen].mean())) <= SIGMAS * error + 0.02 * wanted[chosen].mean()

    def _check_hot(self, signal: Any, hot: Any, seconds: float, n: int) -> None:
        """Each hot pixel that stands out has the signal that is true of it."""
        excess = hot.excess_e_per_s(SET_C, self.sensor.dark_ref_c)
        wanted = excess * seconds
        noise = self.sensor.total_read_noise_e(GAIN) / sqrt(n)
        awake = ~hot.blinking & (wanted < 0.8 * self.sensor.full_well_e(GAIN))
        awake &= wanted > 10.0 * noise
        found = signal[hot.y[awake], hot.x[awake]]
        true = (
            wanted[awake]
            + (self.maps.dark_e_per_s(SET_C)[hot.y[awake], hot.x[awake]] - excess[awake]) * seconds
        )
        sigma = np.sqrt((self.sensor.total_read_noise_e(GAIN) ** 2 + true) / n)
        off = np.abs(found - true) - 0.015 * true
        # One in a few hundred may have telegraph noise as well.
        assert np.count_nonzero(off > SIGMAS * sigma) <= 1
        assert np.count_nonzero(awake) >= (10 if seconds >= 30 else 0)

    def check_flat_master(self, path: Path, filter_name: str, *, panel: bool) -> None:
        """Vignetting, dust and response of every pixel: nothing is left but the noise it states."""
        master, unc = _planes(path)
        truth = self.flat(filter_name, panel=panel)
        ratio = master / truth
        if not panel:
            ratio /= _plane(ratio)  # the sky has a gradient of its own
        ratio /= float(np.median(ratio))
        usable = np.isfinite(unc) & (unc > 0)
        pulls = (ratio - 1.0)[usable] * truth[usable] / unc[usable]
        spread = 1.4826 * float(np.median(np.abs(pulls)))
        # Eight to ten values tell a scatter to 25 %: UNC of a pixel scatters, so pulls are wider.
        assert 0.9 <= spread <= 1.25, spread
        relative = float(np.sqrt(np.mean(unc[usable] ** 2)))
        assert 1.4826 * float(np.median(np.abs(ratio - 1.0))) == _close(relative, 0.1)
        self._check_vignetting(master, truth, relative)
        self._check_dust(master, filter_name, relative, panel=panel)

    def _check_vignetting(self, master: Any, truth: Any, noise: float) -> None:
        """Each corner against the middle."""
        ny, nx = master.shape
        dy, dx = ny // 12, nx // 12
        places = [np.s_[:dy, :dx], np.s_[:dy, -dx:], np.s_[-dy:, :dx], np.s_[-dy:, -dx:]]
        middle = np.s_[ny // 2 - dy : ny // 2 + dy, nx // 2 - dx : nx // 2 + dx]
        for corner in places:
            found = master[corner].mean() / master[middle].mean()
            true = truth[corner].mean() / truth[middle].mean()
            assert true < 0.95
            error = noise * sqrt(1.0 / (dy * dx) + 1.0 / (4 * dy * dx))
            assert abs(found - true) <= SIGMAS * error + 0.004, (found, true)

    def _check_dust(self, master: Any, name: str, noise: float, *, panel: bool) -> None:
        """The shadow of each speck of dust has its depth, in the ring that it is."""
        chosen = next(f for f in FILTERS if f.name == name)
        shadows = dust(self.sensor, chosen)
        dusty = self.maps.optics(name) / self.maps.optics(name, with_dust=False)
        clean = self.flat(name, panel=panel) / dusty
        seen = master / clean
        y, x = np.indices(master.shape)
        looked_at = 0
        for i in range(shadows.x.size):
            distance = np.hypot(x - shadows.x[i], y - shadows.y[i])
            ring = (distance < 0.9 * shadows.outer[i]) & (distance > 1.2 * shadows.inner[i])
            around = (distance > 1.5 * shadows.outer[i]) & (distance < 3.0 * shadows.outer[i])
            around &= dusty > 0.9999
            if ring.sum() < 20 or around.sum() < 40:
                continue
            looked_at += 1
            depth = 1.0 - seen[ring].mean() / seen[around].mean()
            true = 1.0 - dusty[ring].mean()
            error = noise * sqrt(1.0 / ring.sum() + 1.0 / around.sum())
            assert abs(depth - true) <= SIGMAS * error + 0.001, (name, i, depth, true)
        assert looked_at >= 8

    def check_gain(self, record: MasterRecord) -> None:
        """Gain and read noise that the program measured, against those of the sensor."""
        values = {m.name: m.value for m in record.assessment.metrics}
        assert values["egain"] == _close(self.e_per_adu, 5 * 0.003)
        gaussian = self.sensor.read_noise_e(GAIN)
        total = self.sensor.total_read_noise_e(GAIN)
        read_noise = values["read_noise"]
        assert read_noise is not None and gaussian * 0.985 <= read_noise <= total * 1.015

    def check_bad_pixels(self, path: Path, limit_e_per_s: float) -> None:
        """The map has every pixel above the limit, and no pixel that is good."""
        flagged = fits.getdata(path) != 0
        hot = self.maps.hot_pixels()
        rate = np.zeros(flagged.shape)
        rate[hot.y, hot.x] = hot.excess_e_per_s(SET_C, self.sensor.dark_ref_c)
        sure = rate > 1.03 * limit_e_per_s
        sure[hot.y[hot.blinking], hot.x[hot.blinking]] = False
        assert sure.any() and flagged[sure].all()
        assert not flagged[rate < 0.97 * limit_e_per_s].any()


def by_step(paths: Sequence[Path]) -> Mapping[str, list[Raw]]:
    """Return frames by the step they belong to, in the order they were taken."""
    found: dict[str, list[Raw]] = {}
    for raw in sorted(map(read_raw, paths), key=lambda r: r.header["DATE-OBS"]):
        found.setdefault(str(raw.header["CSSTEP"]), []).append(raw)
    return found


def _planes(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    with fits.open(path, checksum=True) as hdus:
        return hdus[0].data.astype(float), hdus["UNC"].data.astype(float)


def _plane(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit a plane, stars and all: they are gone from a master of the sky."""
    ny, nx = values.shape
    y, x = np.mgrid[-1 : 1 : ny * 1j, -1 : 1 : nx * 1j]
    terms = np.stack([np.ones_like(x), x, y], axis=-1).reshape(-1, 3)
    fit, *_ = np.linalg.lstsq(terms, values.ravel(), rcond=None)
    return np.asarray((terms @ fit).reshape(values.shape))


def _close(value: float, relative: float) -> Any:
    return pytest.approx(value, rel=relative)
