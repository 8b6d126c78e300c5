"""Converters of 12, 14 and 16 bits: steps, saturation, and the same electrons behind all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from calibstudio.devices.simulator.observatory import SimulatedObservatory
from calibstudio.devices.simulator.sensor import SensorTruth, modes_for, on_scale
from tests.unit.devices.shots import bias, flat, lamp

Build = Callable[..., SimulatedObservatory]


@pytest.mark.parametrize(("preset", "bits"), [("mono12", 12), ("bayer14", 14), ("small", 16)])
def test_frames_end_at_the_converter_s_maximum(build: Build, preset: str, bits: int) -> None:
    night = build(preset)
    lamp(night, 4096)

    bright = flat(night, 20.0)

    info = night.camera.info
    assert info.bit_depth == bits
    assert info.max_adu == 2**bits - 1 == bright.max()
    assert np.median(bright) == info.max_adu
    assert flat(night, 20.0, binning=2).max() == info.max_adu


@pytest.mark.parametrize("gain", [0, 100, 250])
def test_photon_transfer_recovers_gain_and_noise_of_12_bits(build: Build, gain: int) -> None:
    night = build("mono12", seed=5)
    truth = night.camera.truth
    lamp(night, 1024)
    exposure_s = 0.5 * truth.saturation_adu(gain, 50) * truth.e_per_adu(gain) / 5150.0

    flats = [flat(night, exposure_s, gain=gain) for _ in range(2)]
    lamp(night, 0)
    biases = [bias(night, gain=gain) for _ in range(2)]

    signal = sum(f.mean() for f in flats) - sum(b.mean() for b in biases)
    noise = (flats[0] - flats[1]).var() - (biases[0] - biases[1]).var()
    # The variance of a difference of n pixels scatters by sqrt(2 / n).
    assert signal / noise == pytest.approx(
        truth.e_per_adu(gain), rel=4.0 * np.sqrt(2.0 / truth.n_pixels)
    )
    read_noise = truth.e_per_adu(gain) * (biases[0] - biases[1]).std() / np.sqrt(2.0)
    # Below a third of a step of noise the quantisation is no longer that of a uniform error.
    tolerance = 0.02 if truth.read_noise_e(gain) > 0.5 * truth.e_per_adu(gain) else 0.25
    assert read_noise == pytest.approx(truth.total_read_noise_e(gain), rel=tolerance)


def test_a_sensor_is_the_same_in_electrons_on_every_scale() -> None:
    wide = SensorTruth(shape=(64, 64), modes=modes_for((64, 64)))
    narrow = on_scale(wide, 12)

    for gain in (0, 100, 300):
        assert narrow.e_per_adu(gain) == pytest.approx(16.0 * wide.e_per_adu(gain))
        assert narrow.full_well_e(gain) == wide.full_well_e(gain)
        assert narrow.read_noise_e(gain) == wide.read_noise_e(gain)
        assert narrow.total_read_noise_e(gain) > wide.total_read_noise_e(gain)
    assert narrow.bias_level_adu(50) == pytest.approx(wide.bias_level_adu(50) / 16.0)
    assert narrow.step_adu() == 1
    assert wide.step_adu("Fast, 14 bit") == 4
