"""getframes as an independent oracle: cameras that nobody here wrote, whose truth is known.

What our analysis measures on its frames must be its truth, and our own simulator must agree with
it in every statistic for like parameters. All frames have 0.3 megapixels or less.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from math import hypot, sqrt
from typing import Any

import getframes
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from calibstudio.devices.simulator.light import Light
from calibstudio.devices.simulator.observatory import simulated_observatory
from calibstudio.devices.simulator.optics import FILTERS
from calibstudio.devices.simulator.panel import MAX_BRIGHTNESS, panel_law
from calibstudio.devices.simulator.render import Renderer, Shot
from calibstudio.devices.simulator.sensor import SensorTruth, modes_for
from calibstudio.devices.simulator.truth_maps import TruthMaps
from calibstudio.devices.simulator.world import panel_full_e_per_s
from calibstudio.domain.equipment import ExposureRequest, Region
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from calibstudio.imaging.quality import FrameContext, measure_set, photon_transfer

NIGHT = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)
SHAPE = (480, 640)
PIXELS = SHAPE[0] * SHAPE[1]
TILES = 70
"""64 x 64 pixels each: what our measures look at, of a frame of this shape."""
Pixels = NDArray[np.uint16]


def oracle(**changes: Any) -> getframes.Camera:
    """Make a camera of getframes; a clean one unless told otherwise."""
    settings: dict[str, Any] = {
        "name": "oracle",
        "sensor_type": getframes.SensorType.CMOS,
        "resolution": SHAPE,
        "pixel_size_um": 3.76,
        "quantum_efficiency": 1.0,
        "full_well_e": 50_000.0,
        "bit_depth": 16,
        "gain_e_per_adu": 0.78,
        "bias_offset_adu": 500.0,
        "read_noise_e": 3.0,
        "dark_current_e_per_s": 0.05,
        "dark_current_ref_temp_c": 0.0,
        "dark_current_doubling_temp_c": 6.0,
    }
    return getframes.Camera(getframes.CameraConfig(**(settings | changes)))


def pixels(frame: getframes.Frame) -> Pixels:
    return np.asarray(frame.data).astype(np.uint16)


def biases(camera: getframes.Camera, count: int) -> list[Pixels]:
    return [pixels(camera.bias_frame(seed=1000 + i)) for i in range(count)]


def darks(camera: getframes.Camera, exposure_s: float, count: int, sensor_c: float) -> list[Pixels]:
    return [pixels(camera.dark_frame(exposure_s, sensor_c, seed=2000 + i)) for i in range(count)]


def flats(camera: getframes.Camera, electrons: float, count: int) -> list[Pixels]:
    return [pixels(camera.flat_frame(electrons, 1.0, 0.0, seed=3000 + i)) for i in range(count)]


# Our analysis on its frames ------------------------------------------------------------------


@pytest.mark.parametrize(("egain", "read_noise_e"), [(0.25, 1.5), (0.78, 3.0), (2.1, 11.0)])
def test_photon_transfer_recovers_gain_and_read_noise(egain: float, read_noise_e: float) -> None:
    camera = oracle(gain_e_per_adu=egain, read_noise_e=read_noise_e, prnu=0.006)

    found = photon_transfer(*flats(camera, 20_000.0 * egain, 2), *biases(camera, 2))

    # A variance of n values is good to sqrt(2 / n); a noise to half of that.
    error = sqrt(2.0 / (TILES * 4096))
    assert found.egain_e_per_adu == pytest.approx(egain, rel=5 * error)
    assert found.read_noise_e == pytest.approx(read_noise_e, rel=5 * 1.2 * error)


def test_a_set_of_biases_gives_the_read_noise() -> None:
    camera = oracle(read_noise_e=1.5, gain_e_per_adu=0.25)
    frames = biases(camera, 8)
    context = FrameContext(kind="bias", egain_e_per_adu=0.25)

    found = measure_set("bias", frames, [context] * 8)

    error = sqrt(2.0 / (TILES * 4096 * 4)) / 2.0
    assert found.value("read_noise") == pytest.approx(1.5, rel=6 * error)


def test_pixels_with_telegraph_noise_are_seen_as_a_tail() -> None:
    quiet, noisy = (
        oracle(
            resolution=(256, 320),
            read_noise_e=1.5,
            gain_e_per_adu=0.25,
            read_noise_rts_fraction=share,
            read_noise_rts_factor=8.0,
        )
        for share in (0.0, 0.03)
    )
    context = FrameContext(kind="bias", egain_e_per_adu=0.25)

    tails = [
        measure_set("bias", biases(camera, 16), [context] * 16).value("rtn_tail")
        for camera in (quiet, noisy)
    ]

    # Root mean square over median of the pixels' noise: sqrt(1 - f + f k^2) with f = 3 %, k = 8.
    assert tails[0] == pytest.approx(1.0, abs=0.02)
    assert tails[1] == pytest.approx(sqrt(0.97 + 0.03 * 64.0), rel=0.05)


def test_the_dark_current_and_its_doubling_are_recovered() -> None:
    camera = oracle(dark_current_e_per_s=0.5)
    bias_frames = biases(camera, 2)
    rates, from_noise = [], []

    for sensor_c in (6.0, 0.0, -6.0):
        frames = darks(camera, 120.0, 2, sensor_c)
        context = FrameContext(kind="dark", exposure_s=120.0, egain_e_per_adu=0.78)
        found = measure_set("dark", frames, [context] * 2, biases=bias_frames)
        rates.append(found.value("dark_current"))
        from_noise.append(found.value("dark_current_variance"))

    # The level is the median of tiles; means of 4096 pixels are good to 1 %, of all to 0.2 %.
    assert rates == pytest.approx([1.0, 0.5, 0.25], rel=0.015)
    # Variance: 120 e- of dark on 9 e- of read noise, 0.26 % of the sum for a pair of 70 tiles.
    assert from_noise == pytest.approx([1.0, 0.5, 0.25], rel=0.025)


def test_the_share_of_hot_pixels_is_recovered() -> None:
    camera = oracle(hot_pixel_fraction=0.002, hot_pixel_factor=400.0)
    frames = darks(camera, 60.0, 5, 0.0)
    context = FrameContext(kind="dark", exposure_s=60.0, egain_e_per_adu=0.78)

    found = measure_set("dark", frames, [context] * 5, biases=biases(camera, 2))

    seen = TILES * 4096
    assert found.value("hot_pixels") == pytest.approx(0.2, abs=100.0 * 5.0 * sqrt(0.002 / seen))
    assert found.value("hot_rate") == pytest.approx(0.05 * 399.0, rel=0.03)


def prnu_of(first: Pixels, second: Pixels, pedestal: float) -> float:
    """Return what two flats have in common beyond their shape: the response of the pixels."""
    a, b = (f.astype(np.float64) - pedestal for f in (first, second))
    a, b = a / a.mean() - 1.0, b / b.mean() - 1.0
    return float(sqrt(max(np.mean(a * b), 0.0)))


@pytest.mark.parametrize("prnu", [0.004, 0.006, 0.02])
def test_the_response_of_the_pixels_is_recovered(prnu: float) -> None:
    camera = oracle(prnu=prnu)

    found = prnu_of(*flats(camera, 30_000.0, 2), 500.0)

    # The covariance of n pairs scatters by (sigma_1 sigma_2 + ...) / sqrt(n): 1 % and less here.
    shot = 1.0 / 30_000.0
    error = sqrt((prnu**2 + shot) ** 2 + prnu**4) / sqrt(PIXELS) / (2.0 * prnu**2)
    assert found == pytest.approx(prnu, rel=5.0 * error)


# Our simulator and it ---------------------------------------------------------------------------


@lru_cache(maxsize=1)
def plain_truth() -> SensorTruth:
    """A sensor of ours without anything that getframes has in another form."""
    return SensorTruth(
        shape=SHAPE,
        modes=modes_for(SHAPE),
        seed=5,
        column_pattern_adu=0.0,
        row_pattern_adu=0.0,
        pixel_pattern_adu=0.0,
        bias_gradient_adu=0.0,
        row_noise_e=0.0,
        telegraph_fraction=0.0,
        hot_fraction=0.0,
        cosmics_per_cm2_min=0.0,
    )


def ours(truth: SensorTruth, number: int, exposure_s: float, gain: int, light: Light) -> Pixels:
    """Render one frame at -10 degrees C."""
    whole = Region(0, 0, SHAPE[1], SHAPE[0])
    shot = Shot(number, exposure_s, gain, 50, None, 1, whole, -10.0, light)
    return Renderer(truth).render(shot, CancelToken())


def theirs(truth: SensorTruth, gain: int) -> getframes.Camera:
    """A camera of getframes with the gain, noise and level of ours; light comes as a map."""
    return oracle(
        gain_e_per_adu=truth.e_per_adu(gain),
        read_noise_e=truth.read_noise_e(gain),
        bias_offset_adu=truth.bias_level_adu(50),
        full_well_e=truth.full_well_e(gain),
        dark_current_e_per_s=0.0,
    )


def same_distribution(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the probability of a difference as large as this by chance (Kolmogorov, Smirnov)."""
    return float(stats.ks_2samp(a.ravel()[::7], b.ravel()[::7]).pvalue)


@pytest.mark.parametrize("gain", [0, 100, 300])
def test_biases_are_distributed_alike(gain: int) -> None:
    truth = plain_truth()
    camera = theirs(truth, gain)

    a = np.stack([ours(truth, n, 0.001, gain, Light()) for n in (1, 2)])
    b = np.stack(biases(camera, 2))

    noise = truth.total_read_noise_e(gain) / truth.e_per_adu(gain)
    assert a.mean() == pytest.approx(b.mean(), abs=5.0 * noise / sqrt(PIXELS))
    assert a.std() == pytest.approx(b.std(), rel=5.0 / sqrt(2.0 * PIXELS))
    assert same_distribution(a, b) > 1e-3


@pytest.mark.parametrize(
    ("gain", "mean_e"),
    [(100, 0.3), (100, 11.0), (100, 4000.0), (300, 0.3), (300, 3.0), (300, 40.0), (300, 500.0)],
)
def test_electrons_are_distributed_alike_at_any_mean(gain: int, mean_e: float) -> None:
    truth = plain_truth()
    maps = TruthMaps(truth)
    per_s = maps.dark_e_per_s(-10.0)
    exposure_s = mean_e / float(np.median(per_s))
    camera = theirs(truth, gain)
    expected = np.minimum(per_s * exposure_s, 0.85 * truth.full_well_e(gain)).astype(np.float64)
    linear = per_s * exposure_s < 0.8 * min(truth.full_well_e(gain), 60_000 * truth.e_per_adu(gain))

    a = ours(truth, 3, exposure_s, gain, Light())[linear].astype(float)
    b = pixels(camera.flat_frame(expected, 1.0, 0.0, seed=7))[linear].astype(float)

    noise = (a - b).std() / sqrt(2.0)
    assert linear.mean() > 0.95
    assert a.mean() == pytest.approx(b.mean(), abs=5.0 * a.std() / sqrt(PIXELS) + 0.02)
    wanted = sqrt(expected[linear].mean() + truth.total_read_noise_e(gain) ** 2)
    assert noise * truth.e_per_adu(gain) == pytest.approx(wanted, rel=5.0 / sqrt(PIXELS))
    assert same_distribution(a, b) > 1e-3


def test_flats_of_the_whole_observatory_are_distributed_alike() -> None:
    """Panel, optics, dust and response as our truth has them; shot and read noise as theirs."""
    night = simulated_observatory("tiny", seed=9, speed=float("inf"), start=NIGHT)
    assert night.panel is not None
    night.panel.set_brightness(MAX_BRIGHTNESS // 4, CancelToken())
    night.clock.sleep(1800.0, CancelToken())
    truth = night.camera.truth
    gain, exposure_s = 0, 4.0
    request = ExposureRequest(FrameKind.FLAT, exposure_s, gain=gain)
    a = [night.camera.expose(request, CancelToken()).data.astype(float) for _ in range(4)]
    frame = night.camera.expose(request, CancelToken())
    assert frame.sensor_c is not None
    maps = TruthMaps(truth)
    lamp_e = panel_full_e_per_s(truth) * FILTERS[0].panel * panel_law(MAX_BRIGHTNESS // 4)
    electrons = maps.flat("L", with_panel=True).astype(np.float64) * lamp_e * exposure_s
    electrons += maps.dark_e_per_s(frame.sensor_c) * exposure_s
    camera = oracle(
        read_noise_e=hypot(truth.read_noise_e(gain), truth.row_noise_e),
        bias_offset_adu=0.0,
        dark_current_e_per_s=0.0,
    )
    level = maps.bias_adu(gain=gain, sensor_c=frame.sensor_c)

    b = [
        np.asarray(camera.flat_frame(electrons, 1.0, 0.0, seed=40 + i).data) + level
        for i in range(4)
    ]
    night.close()

    difference = np.mean(a, axis=0) - np.mean(b, axis=0)
    noise = np.sqrt(electrons + truth.total_read_noise_e(gain) ** 2) / truth.e_per_adu(gain)
    pulls = difference / (noise * sqrt(2.0 / 4.0))
    assert abs(difference.mean()) < 5.0 * noise.mean() * sqrt(0.5 / PIXELS) + 0.05
    # Telegraph pixels and rays stay out of the middle of the distribution.
    assert np.diff(np.percentile(pulls, [15.87, 84.13]))[0] / 2.0 == pytest.approx(1.0, rel=0.01)
    assert same_distribution((a[0] - a[1]) / noise, (b[0] - b[1]) / noise) > 1e-3
