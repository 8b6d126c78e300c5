"""Frames of one group together: read noise, drift, outliers, dark current, change of shape."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calibstudio.domain.errors import Cancelled, FileProblemError
from calibstudio.domain.jobs import CancelToken, JobContext
from calibstudio.domain.quality import Assessment, Verdict
from calibstudio.imaging.quality import (
    FrameContext,
    MasterContext,
    find_outliers,
    measure_frame,
    measure_master,
    measure_set,
)
from calibstudio.imaging.quality_outliers import robust_outliers
from tests.helpers.simple_camera import SimpleCamera, ramp, vignette

GOOD, WARN, BAD = Verdict.GOOD, Verdict.WARN, Verdict.BAD
SHAPE = (384, 448)


def contexts(kind: str, count: int, **known: object) -> list[FrameContext]:
    return [FrameContext(kind=kind, max_adu=65535, **known)] * count  # type: ignore[arg-type]


@pytest.mark.parametrize("bayer", [None, "RGGB"])
def test_a_frame_its_set_and_their_master_have_one_level(bayer: str | None):
    camera = SimpleCamera(21)
    light = 30_000.0 * vignette(SHAPE, 0.4)
    if bayer:
        light[0::2, 0::2] *= 0.5
        light[1::2, 1::2] *= 0.7
    frames = [camera.expose(light) for _ in range(4)]
    known = contexts("flat", 4, bayer=bayer)

    of_frames = [measure_frame(f, known[0]).value("level") for f in frames]
    of_set = measure_set("flat", frames, known).value("level")
    master = np.mean(frames, axis=0).astype(np.float32)
    of_master = measure_master(
        "flat", master, None, None, MasterContext(n_frames=4, bayer=bayer)
    ).value("level")

    assert of_set == np.median(of_frames)
    # Shot noise of 125 ADU: the median of one tile of 4096 pixels is good to 2.4 ADU.
    assert of_master == pytest.approx(of_set, abs=10.0)


def test_read_noise_of_a_bias_set_is_the_cameras_without_its_pattern():
    camera = SimpleCamera(1, pattern_adu=15.0)

    found = measure_set(
        "bias", camera.biases(10), contexts("bias", 10, egain_e_per_adu=1.4, read_noise_e=9.0)
    )

    # 5 pairs of 42 tiles of 4096: 1.25 / sqrt(2 * 4096 * 210) = 0.1 %.
    assert found.verdict is GOOD
    assert found.value("read_noise") == pytest.approx(9.0, rel=5 * 0.001)
    assert found.value("read_noise_adu") == pytest.approx(9.0 / 1.4, rel=5 * 0.001)
    assert found.value("read_noise_error") < 0.5
    # The factor for the median of 10 values is exact to 0.1 %.
    assert found.value("temporal_noise") == pytest.approx(9.0 / 1.4, rel=0.01)
    assert found.value("rtn_tail") == pytest.approx(1.0, abs=0.03)
    assert found.value("n_frames") == 10


@pytest.mark.parametrize("count", [3, 5, 20])
def test_temporal_noise_does_not_depend_on_the_number_of_frames(count):
    camera = SimpleCamera(2)

    found = measure_set("bias", camera.biases(count), contexts("bias", count))

    # The factor is exact; whole numbers of ADU make the median of three frames a little coarse.
    assert found.value("temporal_noise") == pytest.approx(9.0 / 1.4, rel=0.02)


def test_telegraph_pixels_are_counted_from_sixteen_frames_on():
    camera = SimpleCamera(3)
    rng = np.random.default_rng(4)
    unstable = rng.random(SHAPE) < 0.01
    frames = [
        camera.expose(extra_adu=np.where(unstable, rng.choice([-60.0, 60.0], SHAPE), 0.0))
        for _ in range(16)
    ]

    found = measure_set("bias", frames, contexts("bias", 16))

    # 60 ADU are 9.3 times the noise; all but a few of 1 % are above 5 times.
    assert found.value("unstable_pixels") == pytest.approx(1.0, rel=0.05)
    assert found.metric("unstable_pixels").verdict is WARN  # type: ignore[union-attr]
    expected = math.sqrt(1 + 0.01 * (60 * 1.4 / 9) ** 2)
    assert found.value("rtn_tail") == pytest.approx(expected, rel=0.03)


def test_what_a_small_set_cannot_say_is_said():
    camera = SimpleCamera(5)

    one = measure_set("bias", camera.biases(1), contexts("bias", 1))
    two = measure_set("bias", camera.biases(2), contexts("bias", 2))

    assert one.metric("read_noise_adu").why == (  # type: ignore[union-attr]
        "Read noise not measured: needs 2 bias frames, there is 1."
    )
    assert two.value("read_noise_adu") == pytest.approx(9 / 1.4, rel=0.01)
    assert "needs 3 frames, there are 2" in two.metric("temporal_noise").why  # type: ignore[union-attr]


def test_another_read_noise_than_the_known_one_is_bad():
    camera = SimpleCamera(6, read_noise_e=12.0)

    found = measure_set(
        "bias", camera.biases(4), contexts("bias", 4, egain_e_per_adu=1.4, read_noise_e=9.0)
    )

    assert found.value("read_noise_error") == pytest.approx(100 / 3, abs=0.5)
    assert found.verdict is BAD
    assert found.worst_finding.title == "read noise changed"  # type: ignore[union-attr]


def test_a_bias_that_drifts_is_found_with_its_slope():
    camera = SimpleCamera(7)
    frames = [camera.expose(extra_adu=0.5 * i) for i in range(11)]

    found = measure_set("bias", frames, contexts("bias", 11))

    assert found.value("bias_drift") == pytest.approx(5.0 / (9 / 1.4), rel=0.03)
    assert found.metric("bias_drift").verdict is WARN  # type: ignore[union-attr]
    assert found.value("level_spread") == pytest.approx(0.5 * math.sqrt(11), rel=0.03)


def test_a_bias_that_jumps_is_found():
    camera = SimpleCamera(8)
    frames = [camera.expose(extra_adu=8.0 * (i >= 3)) for i in range(6)]

    found = measure_set("bias", frames, contexts("bias", 6))

    assert found.value("level_jump") == pytest.approx(8.0 / (9 / 1.4), rel=0.03)
    assert found.metric("level_jump").verdict is BAD  # type: ignore[union-attr]


def test_the_spread_of_temperature_is_judged():
    camera = SimpleCamera(9)
    known = [FrameContext(kind="dark", sensor_temp_c=t) for t in (-10.0, -9.9, -8.6)]

    found = measure_set("dark", camera.biases(3), known)

    assert found.value("temperature_spread") == pytest.approx(1.4)
    assert found.metric("temperature_spread").verdict is WARN  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"extra_adu": 19.0}, "Mean"),
        ({"extra_adu": ramp(SHAPE, x=23.5)}, "Gradient"),
        ({"light_e": 400.0}, "Mean"),
    ],
)
def test_one_frame_with_light_is_left_out_with_its_reason(change, word):
    camera = SimpleCamera(10)
    frames = camera.biases(8)
    frames[5] = camera.expose(**change)

    found = measure_set(
        "dark", frames, contexts("dark", 8, exposure_s=60.0), names=[f"d{i}.fits" for i in range(8)]
    )

    assert list(found.outliers) == [5]
    assert found.outliers[5].startswith(word)
    assert "limit" in found.outliers[5]
    assert found.value("outliers") == 1
    assert any(f.what.startswith("d5.fits: ") for f in found.findings)
    # The others are measured without it.
    assert found.value("level") == pytest.approx(1000, abs=0.5)
    assert found.value("noise") == pytest.approx(9 / 1.4, rel=0.01)


def test_frames_that_differ_less_than_harms_belong():
    camera = SimpleCamera(11)
    frames = [camera.expose(extra_adu=0.3 * (i == 4)) for i in range(9)]  # 0.05 of the noise

    assert measure_set("bias", frames, contexts("bias", 9)).outliers == {}


def test_a_copy_is_found_and_its_original_kept():
    camera = SimpleCamera(12)
    frames = camera.biases(5)
    frames[3] = frames[1].copy()

    found = measure_set("bias", frames, contexts("bias", 5), names=list("abcde"))

    assert found.outliers == {3: "A copy of b: every pixel is the same."}
    assert found.value("duplicates") == 1
    assert found.verdict is BAD


def test_saturated_frames_are_no_copies_of_each_other():
    frames = [np.full(SHAPE, 65_535, np.uint16)] * 4

    assert measure_set("flat", frames, contexts("flat", 4)).outliers == {}


def test_wrong_sizes_and_broken_files_cost_only_themselves():
    camera = SimpleCamera(13)

    def broken() -> np.ndarray:
        raise FileProblemError("c.fits is cut off.")

    frames = [*camera.biases(4), SimpleCamera(14, shape=(100, 120)).expose(), broken]

    found = measure_set("bias", frames, contexts("bias", 6))

    assert found.outliers == {
        4: "120 × 100 pixels; the group has 448 × 384.",
        5: "c.fits is cut off.",
    }
    assert found.value("read_noise_adu") == pytest.approx(9 / 1.4, rel=0.01)


def test_dark_current_is_measured_from_the_level_and_from_the_noise():
    camera = SimpleCamera(15, shape=(576, 768))
    biases = camera.biases(6)
    darks = [camera.expose(60.0) for _ in range(6)]  # 0.2 e-/s in 300 s

    found = measure_set(
        "dark", darks, contexts("dark", 6, exposure_s=300.0, egain_e_per_adu=1.4), biases=biases
    )

    # Level: noise 12 e- on 442 368 pixels, six of each: 0.02 of 60, medians included. Noise:
    # variance 141 and 81 e-^2, each to 1.25 sqrt(2 / (3 * 442368)): 0.25 of 60.
    assert found.value("dark_current") == pytest.approx(0.2, rel=0.005)
    assert found.value("dark_current_variance") == pytest.approx(0.2, rel=0.02)
    assert found.value("dark_rate_adu") == pytest.approx(0.2 / 1.4, rel=0.005)


def test_a_camera_that_holds_its_black_level_is_found():
    camera = SimpleCamera(16)
    darks = [camera.expose(60.0, extra_adu=-60 / 1.4 - 5.0) for _ in range(4)]

    found = measure_set(
        "dark",
        darks,
        contexts("dark", 4, exposure_s=300.0, egain_e_per_adu=1.4),
        biases=camera.biases(4),
    )

    assert found.value("dark_current") < 0
    assert found.value("dark_current_variance") == pytest.approx(0.2, rel=0.03)
    assert any(f.title == "dark below bias" for f in found.findings)


def test_hot_pixels_of_a_set_are_hot_in_every_frame_and_have_a_rate():
    camera = SimpleCamera(17)
    rng = np.random.default_rng(18)
    hot = rng.random(SHAPE) < 0.01
    frames = []
    for _ in range(6):
        cosmic = rng.random(SHAPE) < 0.01
        frames.append(camera.expose(extra_adu=np.where(hot, 200.0, 0) + np.where(cosmic, 3000, 0)))

    found = measure_set("dark", frames, contexts("dark", 6, exposure_s=100.0, egain_e_per_adu=1.4))

    assert found.value("hot_pixels") == pytest.approx(100 * hot.mean(), rel=0.03)
    assert found.value("hot_rate") == pytest.approx(200 * 1.4 / 100, rel=0.02)


def test_glow_is_measured_above_the_rest_of_the_frame():
    camera = SimpleCamera(19, shape=(640, 640))
    y, x = np.mgrid[0:640, 0:640]
    glow = 300.0 * np.exp(-np.hypot(639 - y, 639 - x) / 60.0)
    frames = [camera.expose(extra_adu=glow) for _ in range(4)]

    found = measure_set(
        "dark",
        frames,
        contexts("dark", 4, exposure_s=100.0, egain_e_per_adu=1.4),
        biases=camera.biases(4),
    )

    bins = glow.reshape(32, 20, 32, 20).mean(axis=(1, 3))
    expected = np.percentile(bins, 99.9) - np.median(bins)
    assert found.value("glow") == pytest.approx(expected, rel=0.02)
    assert found.value("glow_rate") == pytest.approx(found.value("glow") * 0.014)
    assert found.metric("glow").verdict is WARN  # type: ignore[union-attr]


def test_flats_with_biases_give_gain_read_noise_and_the_masters_sn():
    camera = SimpleCamera(20, shape=(576, 768), pattern_adu=5.0)
    flats = [camera.expose(40_000.0) for _ in range(8)]

    found = measure_set(
        "flat",
        flats,
        contexts("flat", 8, egain_e_per_adu=1.4, read_noise_e=9.0, exposure_s=2.0),
        biases=camera.biases(6),
    )

    assert found.verdict is GOOD, found.findings
    assert found.value("egain") == pytest.approx(1.4, rel=0.005)
    assert found.value("read_noise") == pytest.approx(9.0, rel=0.01)
    assert found.value("gain_error") < 0.5
    assert found.value("noise_excess") == pytest.approx(1.0, abs=0.01)
    one = 40_000 / math.hypot(200.0, 9.0)
    assert found.value("snr") == pytest.approx(one, rel=0.005)
    assert found.value("master_snr") == pytest.approx(one * math.sqrt(8), rel=0.005)
    assert found.value("level_drift") < 0.1
    assert found.value("shape_drift") < 0.1


def test_a_written_gain_that_is_wrong_is_found():
    camera = SimpleCamera(21)
    flats = [camera.expose(30_000.0) for _ in range(4)]

    found = measure_set(
        "flat", flats, contexts("flat", 4, egain_e_per_adu=1.0), biases=camera.biases(4)
    )

    assert found.value("gain_error") == pytest.approx(40, abs=1)
    assert found.value("noise_excess") == pytest.approx(1 / 1.4, rel=0.02)
    assert found.metric("gain_error").verdict is BAD  # type: ignore[union-attr]


def test_light_that_moves_changes_the_shape():
    camera = SimpleCamera(22)
    tilts = [ramp(SHAPE, x=0.02 * i) for i in range(-3, 4)]
    flats = [camera.expose(30_000.0 * (1 + t)) for t in tilts]

    found = measure_set("flat", flats, contexts("flat", 7, bias_level_adu=1000.0))

    # The outermost frame is tilted by 6 % peak to valley: 6 / sqrt(12) percent rms.
    assert found.value("shape_drift") == pytest.approx(6 / math.sqrt(12), rel=0.05)
    assert found.metric("shape_drift").verdict is BAD  # type: ignore[union-attr]


def test_twilight_flats_may_differ_in_level_without_being_judged_for_it():
    camera = SimpleCamera(23)
    light = 30_000.0 * vignette(SHAPE, 0.3)
    flats = [camera.expose(light * f) for f in (0.93, 1.06, 0.98, 1.03, 0.95)]
    known = [
        FrameContext(kind="flat", exposure_s=t, bias_level_adu=1000.0)
        for t in (1.0, 1.4, 1.9, 2.6, 3.5)
    ]

    found = measure_set("flat", flats, known)

    assert found.outliers == {}
    assert found.metric("level_drift").verdict is None  # type: ignore[union-attr]
    assert found.value("level_drift") == pytest.approx(13, abs=1)


def test_a_set_that_is_stopped_stops():
    token = CancelToken()
    token.cancel()

    with pytest.raises(Cancelled):
        measure_set("bias", SimpleCamera(24).biases(2), contexts("bias", 2), ctx=JobContext(token))


def test_frames_are_read_one_at_a_time_and_once():
    camera = SimpleCamera(25)
    reads = []

    def source(number: int):
        def read():
            reads.append(number)
            return camera.expose()

        return read

    measure_set("bias", [source(i) for i in range(4)], contexts("bias", 4))

    assert reads == [0, 1, 2, 3]


def test_robust_outliers_need_four_values_and_have_a_floor():
    assert robust_outliers([1.0, 1.0, 99.0]) == []
    assert [o.index for o in robust_outliers([1.0, 1.1, 0.9, 1.05, 99.0])] == [4]
    assert robust_outliers([1.0, 1.0, 1.0, 1.2], least_sigma=0.1) == []
    assert [o.index for o in robust_outliers([5.0, 5.0, 5.0, 5.0, 5.1, float("nan")])] == [4]


def test_five_sigma_outliers_of_gaussian_values_are_rare():
    rng = np.random.default_rng(26)

    found = sum(len(robust_outliers(rng.normal(0, 1, 10))) for _ in range(400))

    # The MAD of 10 values scatters by 30 %: a few in a thousand remain.
    assert found <= 40


def test_an_outlier_is_said_with_value_limit_and_the_groups():
    said = find_outliers([500.0, 501.0, 499.0, 500.5, 519.0], what="Level", unit="ADU")

    assert list(said) == [4]
    assert said[4].startswith("Level 519\u202fADU, limit 5")
    assert said[4].endswith("the group has 500.5\u202fADU.")


def judged(kind: str, frames: list[np.ndarray]) -> list[Assessment]:
    return [measure_frame(f, FrameContext(kind=kind, max_adu=65535)) for f in frames]


def test_a_set_of_bad_frames_is_bad_and_gives_no_numbers():
    frames = [np.full(SHAPE, 65_535, np.uint16)] * 4

    found = measure_set("flat", frames, contexts("flat", 4), judged=judged("flat", frames))

    assert found.verdict is BAD
    (finding,) = [f for f in found.findings if f.metric == "bad_frames"]
    assert finding.what.startswith(
        "4 of 4 frames are BAD by themselves: frame 1, frame 2, frame 3 and others. Saturated"
    )
    assert found.metric("level").why == (  # type: ignore[union-attr]
        "Level not measured: every frame of the set is BAD by itself."
    )
    assert found.value("master_snr") is None


def test_one_bad_frame_is_left_out_and_the_rest_is_measured():
    camera = SimpleCamera(40)
    frames = camera.biases(5)
    frames[2] = np.full(SHAPE, 65_535, np.uint16)

    found = measure_set("bias", frames, contexts("bias", 5), judged=judged("bias", frames))

    assert list(found.outliers) == [2]
    assert found.outliers[2].startswith("BAD by itself.")
    assert found.verdict is WARN
    assert found.value("bad_frames") == 20
    assert found.value("level") == pytest.approx(1000, abs=0.5)
    assert found.metric("n_frames").why == "Measured on the 4 that are left."  # type: ignore[union-attr]


def test_a_set_whose_frames_are_all_warn_is_warn():
    camera = SimpleCamera(41)
    frames = [camera.expose(extra_adu=ramp(SHAPE, x=20.0)) for _ in range(4)]

    found = measure_set("bias", frames, contexts("bias", 4), judged=judged("bias", frames))

    assert found.verdict is WARN
    assert any(f.what.startswith("WARN for 4 of 4 frames left") for f in found.findings)


@pytest.mark.parametrize("size", [20.0, 200.0])
def test_light_that_changes_from_frame_to_frame_is_a_leak_and_no_glow(size):
    camera = SimpleCamera(50)
    strength = np.random.default_rng(51).uniform(0.9, 1.1, 8)
    slope = ramp(SHAPE, x=size) + size / 2
    frames = [camera.expose(extra_adu=s * slope) for s in strength]
    known = contexts("dark", 8, exposure_s=60.0)

    found = measure_set("dark", frames, known, judged=judged("dark", frames))

    assert found.verdict is BAD
    worst = found.worst_finding
    assert worst is not None
    assert worst.title == "light leak"
    assert "differs from frame to frame" in worst.what
    assert "light" in worst.cause
    assert "Cover" in worst.cure
    titles = {f.title for f in found.findings}
    assert not titles & {"amp glow", "level jump", "level drift", "bias jump", "bias drift"}
    # Whoever asks for the set alone hears the same.
    alone = measure_set("dark", frames, known)
    assert {f.title for f in alone.findings if f.verdict is BAD} == {"light leak"}


def test_glow_that_is_the_same_in_every_frame_is_no_leak():
    camera = SimpleCamera(52)
    slope = ramp(SHAPE, x=80.0) + 40.0
    frames = [camera.expose(extra_adu=slope) for _ in range(8)]

    found = measure_set("dark", frames, contexts("dark", 8, exposure_s=60.0))

    assert {f.title for f in found.findings} == {"amp glow"}
    # Its gradient is good to 0.2 ADU in each frame.
    assert found.value("gradient_change") < 0.5


def test_a_dark_that_jumps_is_no_bias_jump():
    camera = SimpleCamera(53)
    frames = [camera.expose(extra_adu=8.0 * (i >= 3)) for i in range(6)]

    found = measure_set("dark", frames, contexts("dark", 6, exposure_s=60.0))

    finding = next(f for f in found.findings if f.metric == "level_jump")
    assert finding.title == "level jump"
    assert "light" in finding.cause
