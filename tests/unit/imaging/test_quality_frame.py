"""One frame, judged: every metric against a known truth, every verdict with its words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calibstudio.domain.quality import Verdict
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Limit
from calibstudio.imaging.quality import FrameContext, measure_frame
from tests.helpers.simple_camera import SimpleCamera, ramp, vignette

GOOD, WARN, BAD = Verdict.GOOD, Verdict.WARN, Verdict.BAD
SHAPE = (384, 448)


def context(kind: str, **known: object) -> FrameContext:
    settings: dict[str, object] = {"max_adu": 65535, "bias_level_adu": 1000.0} | known
    return FrameContext(kind=kind, **settings)  # type: ignore[arg-type]


def test_a_sound_bias_is_good_and_its_numbers_are_the_cameras():
    camera = SimpleCamera(1)

    found = measure_frame(camera.expose(), context("bias", egain_e_per_adu=1.4, read_noise_e=9.0))

    assert found.verdict is GOOD
    assert found.findings == ()
    assert found.value("level") == pytest.approx(1000, abs=0.5)
    assert found.value("mean") == pytest.approx(1000, abs=5 * 6.7 / math.sqrt(384 * 448))
    # Pattern and read noise together, on 42 tiles: 1.25 / sqrt(2 * 4096 * 42) = 0.2 %.
    assert found.value("noise") == pytest.approx(math.hypot(9 / 1.4, 2.0), rel=0.01)
    assert found.value("row_structure") < 1.5
    assert found.value("saturated") == 0
    assert found.value("zeros") == 0


def test_extremes_saturation_and_zeros_count_every_pixel():
    data = SimpleCamera(2).expose()
    data[17, 33] = 65_535
    data[18, 34:40] = 64_300
    data[300, 400] = 0

    found = measure_frame(data, context("bias"))

    assert found.value("minimum") == 0
    assert found.value("maximum") == 65_535
    assert found.value("saturated") == pytest.approx(100 * 7 / data.size)  # 98 % is 64 224
    assert found.value("zeros") == pytest.approx(100 * 1 / data.size)


def test_a_bias_cut_off_at_zero_is_told_to_raise_the_offset():
    camera = SimpleCamera(3, bias_adu=10.0)

    found = measure_frame(camera.expose(), context("bias"))

    # 10 ADU are 1.5 sigma: a Gaussian puts 7 % at zero and below.
    below = 50 * math.erfc((10 - 0.5) / math.hypot(9 / 1.4, 2.0) / math.sqrt(2))
    assert found.value("zeros") == pytest.approx(below, rel=0.05)
    finding = found.worst_finding
    assert finding is not None
    assert finding.verdict is BAD
    assert finding.metric == "zeros"
    assert "offset" in finding.cause
    assert "Raise the camera's offset" in finding.cure


def test_a_light_leak_is_named_with_value_limit_cause_and_cure():
    camera = SimpleCamera(4)
    noise = math.hypot(9 / 1.4, 2.0)

    found = measure_frame(
        camera.expose(extra_adu=ramp(SHAPE, x=23.5) + 19), context("dark", exposure_s=300.0)
    )

    gradient = found.metric("gradient")
    assert gradient is not None
    assert gradient.value == pytest.approx(23.5, abs=0.6)
    assert gradient.warn == pytest.approx(2 * noise, rel=0.02)
    finding = found.worst_finding
    assert finding is not None
    assert finding.title == "light leak"
    assert (
        finding.what
        == f"Gradient {gradient.value:.1f}\u202fADU, limit {gradient.warn:.1f}\u202fADU."
    )
    assert "light" in finding.cause
    assert finding.cure.startswith("Cover the draw tube")


def test_two_signs_of_light_together_are_bad():
    camera = SimpleCamera(5, shape=(600, 800))
    leak = ramp((600, 800), x=20.0) + 15
    leak[1::2, 0::2] -= 8.0
    leak[0::2, 1::2] -= 4.0

    found = measure_frame(
        camera.expose(extra_adu=leak), context("dark", exposure_s=60.0, bayer="RGGB")
    )

    assert {f.metric for f in found.findings} == {"gradient", "colour_difference"}
    assert found.verdict is BAD
    assert found.value("colour_difference") == pytest.approx(8.0, abs=0.3)


def test_hot_pixels_of_a_dark_are_counted_by_noise_and_by_rate():
    camera = SimpleCamera(6)
    extra = np.zeros(SHAPE)
    rng = np.random.default_rng(7)
    places = rng.choice(extra.size, 700, replace=False)
    extra.ravel()[places[:500]] = 100.0  # 1.4 e-/s
    extra.ravel()[places[500:]] = 45.0  # 0.63 e-/s, 6.7 sigma
    frame = camera.expose(extra_adu=extra)
    plain = context("dark", exposure_s=100.0, egain_e_per_adu=1.4)
    strict = DEFAULT_THRESHOLDS.from_dict({"hot_rate_e_per_s": 1.0})

    found, less = measure_frame(frame, plain), measure_frame(frame, plain, strict)

    # At 6.7 sigma in the mean, 5 sigma (33.6 ADU) is missed by about 4.5 % of 200.
    assert found.value("hot_pixel_count") == pytest.approx(691, abs=12)
    assert less.value("hot_pixel_count") == pytest.approx(500, abs=2)
    assert found.value("hot_pixels") == pytest.approx(100 * 691 / frame.size, rel=0.02)


def test_glow_is_not_counted_as_hot_pixels():
    glow = 300.0 * np.exp(-np.hypot(*np.meshgrid(np.arange(448) / 80, np.arange(384) / 80)))

    found = measure_frame(SimpleCamera(8).expose(extra_adu=glow), context("dark"))

    assert found.value("hot_pixel_count") < 200


def test_a_sound_flat_is_good_and_its_light_is_measured():
    camera = SimpleCamera(9, pattern_adu=0.5)
    light = 40_000.0 * vignette(SHAPE, 0.2)

    found = measure_frame(
        camera.expose(light),
        context("flat", egain_e_per_adu=1.4, read_noise_e=9.0, exposure_s=2.0),
    )

    assert found.verdict is GOOD, found.findings
    level = found.value("level")
    assert level is not None
    s = (level - 1000) * 1.4
    assert found.value("snr") == pytest.approx(s / math.sqrt(s + 81), rel=1e-6)
    assert found.value("level_of_range") == pytest.approx(100 * (level - 1000) / 64_535, rel=1e-6)
    assert found.value("vignetting") == pytest.approx(20 * 0.95**2, abs=0.3)
    assert found.value("gradient") < 0.2
    assert found.value("corner_darkest") == pytest.approx(100 - 20 * 0.95**2, abs=0.4)
    assert found.value("cold_pixels") == 0


def test_a_flat_without_known_gain_takes_its_sn_from_the_scatter():
    camera = SimpleCamera(10, pattern_adu=0.0)

    found = measure_frame(camera.expose(40_000.0), context("flat"))

    assert found.value("snr") == pytest.approx(40_000 / math.hypot(200, 9), rel=0.02)
    assert "not known" in found.metric("snr").why  # type: ignore[union-attr]


def test_cold_pixels_of_a_flat_are_counted():
    camera = SimpleCamera(11)
    light = np.full(SHAPE, 40_000.0)
    light[::64, ::64] *= 0.7  # 42 pixels
    light[5, 5:15] = 0.0

    found = measure_frame(camera.expose(light), context("flat"))

    assert found.value("cold_pixels") == pytest.approx(100 * 52 / light.size, rel=1e-6)


def test_a_flat_off_its_target_is_bad_and_says_level_and_limit():
    camera = SimpleCamera(12, pattern_adu=0.0)
    asked = context("flat", target_adu=32_000.0, tolerance=0.10)

    bright = measure_frame(camera.expose(35_412.0 * 1.4), asked)
    dark = measure_frame(camera.expose(20_000.0 * 1.4), asked)
    right = measure_frame(camera.expose(31_000.0 * 1.4), asked)

    assert bright.verdict is BAD
    assert bright.worst_finding.what == (  # type: ignore[union-attr]
        f"Level {bright.value('level'):,.0f}".replace(",", "\u202f")
        + "\u202fADU, limit 35\u202f200\u202fADU."
    )
    assert bright.worst_finding.title == "too bright"  # type: ignore[union-attr]
    assert dark.worst_finding.title == "too dark"  # type: ignore[union-attr]
    assert right.verdict is GOOD


@pytest.mark.parametrize(
    ("light_adu", "verdict"), [(2_000, BAD), (8_000, WARN), (30_000, GOOD), (50_000, WARN)]
)
def test_a_flat_without_target_is_judged_by_the_range_of_the_camera(light_adu, verdict):
    camera = SimpleCamera(13, pattern_adu=0.0)

    found = measure_frame(camera.expose(light_adu * 1.4), context("flat", egain_e_per_adu=1.4))

    assert found.metric("level_of_range").verdict is verdict  # type: ignore[union-attr]


def test_banding_of_a_flat_points_to_the_lamp():
    camera = SimpleCamera(14, shape=(800, 1000))
    bands = 1.0 + 0.004 * np.sin(np.arange(800) * 2 * np.pi / 9)[:, None]

    found = measure_frame(camera.expose(40_000.0 * bands), context("flat"))

    # 0.4 % of 28 571 ADU is 114 ADU peak, 81 rms; white noise of 1000 columns is 143 / 31.6.
    # Half a period away its neighbours predict the opposite: up to a third more stands out.
    assert 1.0 < found.value("row_structure") / (81 / (143 / math.sqrt(1000))) < 1.35
    assert found.verdict is BAD
    assert "flickers" in found.worst_finding.cause  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("sensor", "set_to", "verdict"), [(-10.0, -10.0, GOOD), (-8.9, -10.0, WARN), (-3.0, -10.0, BAD)]
)
def test_the_distance_from_the_set_temperature_is_judged(sensor, set_to, verdict):
    found = measure_frame(
        SimpleCamera(15).expose(), context("dark", sensor_temp_c=sensor, set_temp_c=set_to)
    )

    metric = found.metric("temperature_error")
    assert metric is not None
    assert metric.value == pytest.approx(sensor - set_to)
    assert metric.verdict is verdict


def test_what_is_not_known_is_not_measured_and_says_why():
    found = measure_frame(
        SimpleCamera(16).expose().astype(np.float32), FrameContext(kind="dark", cooled=False)
    )

    assert found.metric("temperature_error").why == (  # type: ignore[union-attr]
        "Sensor from its set point not measured: the camera has no cooler."
    )
    assert found.value("saturated") is None
    assert "largest value of the camera" in found.metric("saturated").why  # type: ignore[union-attr]


@pytest.mark.parametrize("top", [4095, 16383])
def test_a_converter_at_its_end_is_seen_without_being_told(top):
    data = SimpleCamera(17).expose()
    data[100:140] = top

    found = measure_frame(data, FrameContext(kind="flat"))

    assert found.value("saturated") == pytest.approx(100 * 40 / 384)
    assert f"{top} is assumed" in found.metric("saturated").why  # type: ignore[union-attr]


@pytest.mark.parametrize("top", [1023, 4095, 16383])
def test_a_largest_value_that_is_a_converters_end_by_chance_is_none(top):
    """Read noise reaches that code, and a few hot pixels beside it; nothing is piled up there."""
    noise = np.random.default_rng(top).normal(top - 18, 5.0, (400, 600))
    data = np.minimum(np.rint(noise), top - 1).astype(np.uint16)
    data[noise > top - 1.5] = top - 2
    data[7, 5:10] = top

    found = measure_frame(data, FrameContext(kind="dark"))

    assert found.value("maximum") == top
    assert found.value("saturated") == 0.0
    assert "65535 is assumed" in found.metric("saturated").why  # type: ignore[union-attr]
    assert found.verdict is not Verdict.BAD


def test_no_pile_is_believed_where_another_frame_of_the_camera_is_brighter():
    data = SimpleCamera(17).expose()
    data[100:140] = 4095

    found = measure_frame(data, FrameContext(kind="flat", seen_adu=4200.0))

    assert "65535 is assumed" in found.metric("saturated").why  # type: ignore[union-attr]


def test_full_well_saturates_before_the_converter_when_it_is_smaller():
    small = context("flat", full_well_e=28_000.0, egain_e_per_adu=1.4)

    assert small.saturation_limit_adu() == pytest.approx(21_000.0)
    found = measure_frame(SimpleCamera(18).expose(28_500.0), small)
    assert found.value("saturated") > 50


def test_the_rounding_of_a_twelve_bit_camera_is_not_its_noise():
    camera = SimpleCamera(19, pattern_adu=0.0, read_noise_e=14.0, step=16)

    found = measure_frame(camera.expose(), context("bias"))

    assert found.value("noise") == pytest.approx(10.0, rel=0.02)


def test_a_rig_may_have_limits_of_its_own():
    data = SimpleCamera(20).expose(extra_adu=ramp(SHAPE, x=8.0))
    strict = DEFAULT_THRESHOLDS.from_dict({"gradient_noise": {"warn_above": 0.5}})

    assert measure_frame(data, context("bias")).verdict is GOOD
    assert measure_frame(data, context("bias"), strict).verdict is WARN
    assert strict.gradient_noise == Limit(warn_above=0.5)


@pytest.mark.parametrize("kind", ["bias", "dark"])
def test_values_below_zero_of_a_processed_frame_are_no_clipping(kind):
    raw = SimpleCamera(60).expose().astype(np.float32)
    processed = raw - np.float32(1000.25)

    found = measure_frame(processed, context(kind, exposure_s=60.0))

    assert found.verdict is WARN
    (finding,) = found.findings
    assert finding.title == "processed already"
    assert finding.what.startswith("Processed already: the bias seems to be out.")
    assert "offset" not in finding.cure
    zeros = found.metric("zeros")
    assert zeros is not None
    assert zeros.value is None
    assert zeros.why.startswith("Pixels at zero not measured")


def test_a_picture_without_noise_has_no_gradient_to_judge():
    data = np.full(SHAPE, 32_818, np.uint16)
    data[:, SHAPE[1] // 2 :] = 32_918

    found = measure_frame(data, context("bias"))

    assert not [f for f in found.findings if f.metric == "gradient"]
    metric = found.metric("gradient")
    assert metric is not None
    assert metric.verdict is None
    assert "no noise" in metric.why


def test_a_raw_frame_is_not_told_of_the_master_it_is_not():
    camera = SimpleCamera(61)
    hot = np.random.default_rng(62).random(SHAPE) < 0.02

    found = measure_frame(camera.expose(extra_adu=3000.0 * hot), context("dark", exposure_s=60.0))

    finding = next(f for f in found.findings if f.metric == "hot_pixels")
    assert "this master" not in finding.cure
