"""Quality against the simulated camera: its truth can be asked for, and its faults are found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from calibstudio.devices.simulator.faults import Faults
from calibstudio.devices.simulator.observatory import SimulatedObservatory, simulated_observatory
from calibstudio.domain.equipment import ExposureRequest, Frame
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Verdict
from calibstudio.imaging.quality import FrameContext, measure_frame, measure_set

NEVER = CancelToken()
GAIN = 100
Night = Callable[..., SimulatedObservatory]


@pytest.fixture
def night() -> Iterator[Night]:
    made: list[SimulatedObservatory] = []

    def build(**options: Any) -> SimulatedObservatory:
        start = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)
        made.append(simulated_observatory("tiny", speed=math.inf, start=start, **options))
        made[-1].camera.set_cooler(on=True, target_c=-10.0)
        made[-1].clock.sleep(1200.0, NEVER)
        return made[-1]

    yield build
    for observatory in made:
        observatory.close()


def take(at: SimulatedObservatory, kind: FrameKind, exposure_s: float, count: int) -> list[Frame]:
    request = ExposureRequest(kind, exposure_s, gain=GAIN)
    return [at.camera.expose(request, NEVER) for _ in range(count)]


def context(frame: Frame, **more: Any) -> FrameContext:
    assert frame.conversion is not None
    return FrameContext(
        kind=frame.request.kind,
        max_adu=65_535,
        exposure_s=frame.exposure_s,
        sensor_temp_c=frame.sensor_c,
        set_temp_c=frame.set_c,
        egain_e_per_adu=frame.conversion.e_per_adu,
        read_noise_e=frame.conversion.read_noise_e,
        full_well_e=frame.conversion.full_well_e,
        **more,
    )


def judged(frames: list[Frame], **more: Any):
    return measure_set(
        frames[0].request.kind, [f.data for f in frames], [context(f) for f in frames], **more
    )


def test_read_noise_is_the_simulated_one(night: Night) -> None:
    at = night()
    truth = at.camera.truth  # type: ignore[attr-defined]

    found = judged(take(at, FrameKind.BIAS, 0.0, 8))

    # Telegraph pixels are clipped as outliers in part: between Gaussian and total noise.
    read_noise = found.value("read_noise")
    gaussian = math.hypot(truth.read_noise_e(GAIN), truth.row_noise_e)
    assert read_noise is not None
    assert 0.995 * gaussian < read_noise < 1.005 * truth.total_read_noise_e(GAIN)
    assert read_noise == pytest.approx(gaussian, rel=0.02)
    assert found.verdict is Verdict.GOOD, found.findings


def test_gain_and_light_of_flats_are_the_simulated_ones(night: Night) -> None:
    at = night()
    truth = at.camera.truth  # type: ignore[attr-defined]
    biases = take(at, FrameKind.BIAS, 0.0, 4)
    assert at.panel is not None
    at.panel.set_brightness(60, NEVER)
    at.clock.sleep(1800.0, NEVER)
    flats = take(at, FrameKind.FLAT, 32.0, 6)

    found = judged(flats, biases=[f.data for f in biases])
    one = measure_frame(flats[0].data, context(flats[0], bias_level_adu=502.0))

    # 3 pairs of 64 tiles of 4096: sqrt(2 / 786432) = 0.16 %.
    assert found.value("egain") == pytest.approx(truth.e_per_adu(GAIN), rel=5 * 0.0016)
    assert found.value("noise_excess") == pytest.approx(1.0, abs=0.02)
    assert found.metric("gain_error").verdict is Verdict.GOOD  # type: ignore[union-attr]
    assert one.verdict is Verdict.GOOD, one.findings


def test_dark_current_and_glow_are_the_simulated_ones(night: Night) -> None:
    at = night()
    maps = at.camera.truth_maps()  # type: ignore[attr-defined]
    biases = take(at, FrameKind.BIAS, 0.0, 8)
    darks = take(at, FrameKind.DARK, 600.0, 8)

    found = judged(darks, biases=[f.data for f in biases])

    # The median tile: bulk and glow together; read noise 1.5 e- over 8 frames of 262 144 pixels.
    rate = maps.dark_e_per_s(-10.0)
    expected = float(np.median(rate[16:464, 0:640]))
    assert found.value("dark_current") == pytest.approx(expected, rel=0.12)
    bins = rate.reshape(32, 15, 32, 20).mean(axis=(1, 3))
    glow = np.percentile(bins, 99.9) - np.median(bins)
    # A bin of 225 pixels, 8 frames: 1.5 / sqrt(225 * 8) / 600 s and a few times that, of 0.035.
    assert found.value("glow_rate") == pytest.approx(glow, rel=0.1)
    assert found.verdict is not Verdict.BAD, found.findings


def test_a_light_leak_is_found_in_one_frame_and_named(night: Night) -> None:
    at = night(faults=Faults(light_leak_e_per_s=0.5))
    (dark,) = take(at, FrameKind.DARK, 60.0, 1)

    found = measure_frame(dark.data, context(dark))

    assert found.verdict is not Verdict.GOOD
    assert found.worst_finding.title == "light leak"  # type: ignore[union-attr]


def test_a_frame_that_was_sent_twice_is_found(night: Night) -> None:
    at = night()
    biases = take(at, FrameKind.BIAS, 0.0, 3)
    at.set_faults(Faults(repeat_frame=True))
    biases += take(at, FrameKind.BIAS, 0.0, 1)

    found = judged(biases)

    assert list(found.outliers) == [3]
    assert found.value("duplicates") == 1


def test_a_flickering_lamp_is_seen_in_the_levels(night: Night) -> None:
    at = night(faults=Faults(lamp_flicker=0.08))
    assert at.panel is not None
    at.panel.set_brightness(60, NEVER)
    at.clock.sleep(1800.0, NEVER)

    found = judged(take(at, FrameKind.FLAT, 16.0, 10))

    drift = found.metric("level_drift")
    assert drift is not None
    assert drift.value is not None
    assert drift.value > 10
    assert drift.verdict is not Verdict.GOOD


def test_a_cooler_that_does_not_hold_is_seen(night: Night) -> None:
    at = night()
    at.set_faults(Faults(stuck_cooler=True))
    at.camera.set_cooler(on=True, target_c=-20.0)
    (dark,) = take(at, FrameKind.DARK, 1.0, 1)

    found = measure_frame(dark.data, context(dark))

    assert found.value("temperature_error") == pytest.approx(10.0, abs=0.3)
    assert found.metric("temperature_error").verdict is Verdict.BAD  # type: ignore[union-attr]
