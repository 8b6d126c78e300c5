"""Masters: every metric against what went into them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from calibstudio.domain.quality import Verdict
from calibstudio.imaging.quality import (
    DarkPoint,
    MasterContext,
    compare_masters,
    dark_proportion,
    judge_dark_proportion,
    measure_master,
)
from calibstudio.imaging.quality_defects import dust_shadows
from tests.helpers.simple_camera import SimpleCamera, ramp, vignette

GOOD, WARN, BAD = Verdict.GOOD, Verdict.WARN, Verdict.BAD


@dataclass
class Stacked:
    image: NDArray[np.float32]
    unc: NDArray[np.float32]
    cnt: NDArray[np.int16]


def stack(frames: list[NDArray[np.generic]], scale: float = 1.0) -> Stacked:
    cube = np.stack(frames).astype(np.float64)
    n = len(frames)
    return Stacked(
        (cube.mean(axis=0) / scale).astype(np.float32),
        (cube.std(axis=0, ddof=1) / math.sqrt(n) / scale).astype(np.float32),
        np.full(cube.shape[1:], n, np.int16),
    )


def judged(kind: str, made: Stacked, context: MasterContext, **more: object):
    return measure_master(kind, made.image, made.unc, made.cnt, context, **more)  # type: ignore[arg-type]


def test_a_sound_master_bias_is_good_and_its_noise_is_that_of_its_inputs():
    camera = SimpleCamera(1)
    made = stack(camera.biases(20))

    found = judged(
        "bias", made, MasterContext(n_frames=20, n_wanted=20, egain_e_per_adu=1.4, read_noise_e=9.0)
    )

    assert found.verdict is GOOD, found.findings
    assert found.value("level") == pytest.approx(1000, abs=0.3)
    # The median of standard deviations of 20 is 1.8 % low; their root mean square is not.
    expected = 9 / 1.4 / math.sqrt(20)
    assert found.value("unc_median") == pytest.approx(0.982 * expected, rel=0.01)
    assert found.value("uncertainty_excess") == pytest.approx(1.0, abs=0.01)
    assert found.value("noise") == pytest.approx(math.hypot(expected, 2.0), rel=0.02)
    assert found.value("frames_of_wanted") == 100
    assert found.value("low_count") == 0


def test_few_frames_are_a_warning_and_not_an_error():
    made = stack(SimpleCamera(2).biases(5))

    found = judged("bias", made, MasterContext(n_frames=5, n_wanted=20))

    assert found.value("frames_of_wanted") == 25
    assert found.verdict is WARN
    finding = found.worst_finding
    assert finding is not None
    assert finding.what == ("Made of 5 frames; 20 are wanted, at least 10 for GOOD.")
    assert finding.cure.startswith("Take 5 more with the same settings (15 to have all 20)")


def test_pixels_with_few_kept_values_are_counted():
    made = stack(SimpleCamera(3).biases(10))
    made.cnt[:20] = 3
    made.image[0, :50] = np.nan

    found = judged("bias", made, MasterContext(n_frames=10))

    assert found.value("low_count") == pytest.approx(100 * 20 / 384)
    assert found.metric("low_count").verdict is WARN  # type: ignore[union-attr]
    assert found.value("not_finite") == pytest.approx(100 * 50 / made.image.size)


@pytest.mark.parametrize("with_bias_image", [True, False])
def test_a_master_dark_says_its_dark_current_when_the_bias_is_known(with_bias_image):
    camera = SimpleCamera(4)
    bias = stack(camera.biases(10)).image
    made = stack([camera.expose(60.0) for _ in range(10)])
    known = MasterContext(
        n_frames=10,
        exposure_s=300.0,
        egain_e_per_adu=1.4,
        bias_level_adu=None if with_bias_image else 1000.0,
    )

    found = judged("dark", made, known, bias=bias if with_bias_image else None)

    # Medians of a difference with 4 ADU of noise on 172 032 pixels: 0.01 of 43 ADU; the level
    # of the central tiles against a number carries the pattern, 0.05 ADU.
    assert found.value("dark_current") == pytest.approx(0.2, rel=0.005)


def test_a_dark_without_a_bias_says_what_it_needs():
    made = stack([SimpleCamera(5).expose(60.0) for _ in range(4)])

    found = judged("dark", made, MasterContext(n_frames=4, exposure_s=300.0, egain_e_per_adu=1.4))

    assert found.metric("dark_current").why == (  # type: ignore[union-attr]
        "Dark current not measured: needs a master bias of the same settings."
    )


def test_a_dark_as_a_rate_is_measured_as_a_rate():
    camera = SimpleCamera(6)
    hot = np.zeros(camera.shape)
    hot.ravel()[::1000] = 200.0
    made = stack([camera.expose(60.0, extra_adu=hot) - 1000.0 for _ in range(8)], scale=300.0)

    found = judged(
        "dark",
        made,
        MasterContext(
            n_frames=8, unit="adu/s", exposure_s=300.0, egain_e_per_adu=1.4, bias_subtracted=True
        ),
    )

    assert found.value("dark_current") == pytest.approx(0.2, rel=0.005)
    assert found.metric("level").unit == "ADU/s"  # type: ignore[union-attr]
    # 200 ADU in 300 s are 0.93 e-/s: above 0.5, all of them.
    assert found.value("hot_pixel_count") == hot.astype(bool).sum()


def test_hot_and_cold_pixels_of_a_dark_are_counted():
    camera = SimpleCamera(7)
    extra = np.zeros(camera.shape)
    extra.ravel()[::2000] = 300.0
    extra.ravel()[1::4000] = -300.0
    made = stack([camera.expose(extra_adu=extra) for _ in range(10)])

    found = judged("dark", made, MasterContext(n_frames=10, exposure_s=60.0, egain_e_per_adu=1.4))

    assert found.value("hot_pixel_count") == (extra > 0).sum()
    assert found.value("cold_pixels") == pytest.approx(100 * (extra < 0).mean())


def test_glow_of_a_master_dark_is_named():
    camera = SimpleCamera(8)
    y, x = np.mgrid[0:384, 0:448]
    made = stack([camera.expose(extra_adu=500 * np.exp(-np.hypot(y, x) / 40)) for _ in range(6)])

    found = judged("dark", made, MasterContext(n_frames=6, exposure_s=60.0))

    (named,) = [f for f in found.findings if f.title in ("amp glow", "light leak")]
    assert named.title == "amp glow"
    assert found.metric("gradient").verdict is None  # type: ignore[union-attr]


def test_light_that_falls_across_a_master_dark_is_named_once():
    camera = SimpleCamera(8)
    made = stack([camera.expose(extra_adu=ramp((384, 448), x=120.0)) for _ in range(6)])

    found = judged("dark", made, MasterContext(n_frames=6, exposure_s=60.0))

    (named,) = [f for f in found.findings if f.title in ("amp glow", "light leak")]
    assert named.title == "light leak"
    assert found.metric("glow").verdict is None  # type: ignore[union-attr]


def test_a_sound_master_flat_is_good_and_its_sn_is_that_of_its_light():
    camera = SimpleCamera(9, pattern_adu=0.0, shape=(512, 512))
    light = 40_000.0 * vignette(camera.shape, 0.3)
    frames = [camera.expose(light) - 1000.0 for _ in range(20)]
    scale = 40_000.0 * 0.975 / 1.4
    made = stack(frames, scale=scale)

    found = judged(
        "flat",
        made,
        MasterContext(
            n_frames=20,
            n_wanted=20,
            unit="",
            egain_e_per_adu=1.4,
            read_noise_e=9.0,
            max_adu=65_535,
            bias_level_adu=1000.0,
            bias_subtracted=True,
            input_levels_adu=(1000 + scale,) * 20,
        ),
    )

    assert found.verdict is GOOD, found.findings
    s = 40_000 * 0.975
    # Level and UNC are those of the middle half; light varies there by 7 %, noise by half of it.
    assert found.value("master_snr") == pytest.approx(
        s / math.hypot(math.sqrt(s), 9) * math.sqrt(20), rel=0.02
    )
    assert found.value("uncertainty_excess") == pytest.approx(1.0, abs=0.02)
    assert found.value("vignetting") == pytest.approx(30 * 0.95**2, abs=0.5)
    assert found.value("level_of_range") == pytest.approx(100 * scale / 64_535, rel=1e-6)
    assert found.value("dust") == 0
    assert found.value("bright_spots") == 0
    assert found.value("dead_pixels") == 0


def test_a_noisy_master_flat_is_told_how_to_get_better():
    camera = SimpleCamera(10)
    made = stack([camera.expose(5_000.0) - 1000.0 for _ in range(4)], scale=5000 / 1.4)

    found = judged(
        "flat", made, MasterContext(n_frames=4, unit="", bias_subtracted=True, egain_e_per_adu=1.4)
    )

    assert found.metric("master_snr").verdict is BAD  # type: ignore[union-attr]
    # 4 flats of 5000 e- and read noise 9: 5000 / 71.3 * 2 = 140; 0.33 % takes 19 of them.
    assert found.value("master_snr") == pytest.approx(140, rel=0.01)
    assert found.worst_finding.cure == (  # type: ignore[union-attr]
        "15 more flats: noise 0.33\u202f% instead of 0.71\u202f%."
    )


@pytest.mark.parametrize(("frames", "more"), [(4, 15), (9, 10)])
def test_a_flat_of_few_frames_that_is_noisy_gets_one_advice(frames: int, more: int):
    # S/N 300 takes 19 of these flats, GOOD by number takes 10: 19 serve both.
    camera = SimpleCamera(10)
    made = stack([camera.expose(5_000.0) - 1000.0 for _ in range(frames)], scale=5000 / 1.4)
    context = MasterContext(
        n_frames=frames, n_wanted=20, unit="", bias_subtracted=True, egain_e_per_adu=1.4
    )

    cures = {f.metric: f.cure for f in judged("flat", made, context).findings}

    assert cures["master_snr"].startswith(f"{more} more flats: noise 0.33")
    assert cures["frames_of_wanted"].startswith(f"Take {more} more with the same settings") or (
        frames >= 10
    )


def test_a_flat_that_needs_frames_by_number_only_says_the_same_number_for_its_noise():
    camera = SimpleCamera(10)
    made = stack([camera.expose(30_000.0) - 1000.0 for _ in range(3)], scale=30_000 / 1.4)
    context = MasterContext(
        n_frames=3, n_wanted=20, unit="", bias_subtracted=True, egain_e_per_adu=1.4
    )

    cures = {f.metric: f.cure for f in judged("flat", made, context).findings}

    if "master_snr" in cures:
        assert cures["master_snr"].startswith("7 more flats:")
    assert cures["frames_of_wanted"].startswith("Take 7 more with the same settings (17 to have")


def shadow(shape: tuple[int, int], y: float, x: float, radius: float, depth: float):
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    away = np.hypot(rows - y, columns - x)
    return 1.0 - depth * (away < radius)


def test_dust_shadows_are_found_where_they_are():
    shape = (800, 1000)
    rng = np.random.default_rng(11)
    light = (
        vignette(shape, 0.4)
        * shadow(shape, 300, 700, 20, 0.013)
        * shadow(shape, 600, 200, 12, 0.03)
    )
    master = (light + rng.normal(0, 0.002, shape)).astype(np.float32)

    spots = dust_shadows(master, 0.002)

    assert len(spots) == 2
    deepest, other = spots
    assert math.hypot(deepest.y - 600, deepest.x - 200) < 14
    assert deepest.depth_pct == pytest.approx(3.0, abs=0.4)
    assert math.hypot(other.y - 300, other.x - 700) < 22
    assert other.depth_pct == pytest.approx(1.3, abs=0.3)
    assert other.width == pytest.approx(40, abs=9)


def test_noise_and_vignetting_are_no_dust():
    shape = (800, 1000)
    rng = np.random.default_rng(12)
    master = vignette(shape, 0.7) * (1 + ramp(shape, x=0.1)) + rng.normal(0, 0.004, shape)

    assert dust_shadows(master.astype(np.float32), 0.004) == []
    assert dust_shadows(master.astype(np.float32), 0.004, bright=True) == []


def test_moved_dust_is_found_against_the_master_before():
    shape = (512, 600)
    rng = np.random.default_rng(13)

    def flat(y: float, x: float) -> NDArray[np.float32]:
        light = vignette(shape, 0.3) * shadow(shape, y, x, 15, 0.02)
        return (light + rng.normal(0, 0.002, shape)).astype(np.float32)

    before, same, moved = flat(200, 300), flat(200, 300), flat(350, 150)

    unchanged = compare_masters("flat", same, None, 1.3 * before, None)
    changed = compare_masters("flat", moved, None, before, None)

    assert unchanged.verdict is GOOD
    assert unchanged.value("new_dust") == 0
    assert changed.value("new_dust") == 1
    assert changed.worst_finding.title == "new dust shadows"  # type: ignore[union-attr]
    assert "x 1" in changed.worst_finding.what  # type: ignore[union-attr]


def test_a_master_bias_like_the_one_before_is_good_and_another_is_not():
    camera = SimpleCamera(14)
    first, second = stack(camera.biases(10)), stack(camera.biases(10))
    other = stack(SimpleCamera(15, pattern_adu=15.0).biases(10))

    same = compare_masters("bias", second.image, second.unc, first.image, first.unc)
    different = compare_masters("bias", other.image, other.unc, first.image, first.unc)

    assert same.verdict is GOOD
    assert same.value("changed_pixels") < 0.2
    assert different.verdict is BAD


def test_new_hot_pixels_are_a_share_of_all():
    rng = np.random.default_rng(16)
    old = rng.normal(100, 2, (400, 400)).astype(np.float32)
    old[:, 50] += 0
    old.ravel()[::1000] = 9000
    new = rng.normal(100, 2, (400, 400)).astype(np.float32)
    new.ravel()[::500] = 9000

    found = compare_masters("dark", new, None, old, None)

    assert found.value("new_hot_pixels") == pytest.approx(50, abs=1)


def test_darks_in_proportion_to_time_may_be_scaled_and_others_not():
    straight = [DarkPoint(10.0, 50.0), DarkPoint(60.0, 300.0), DarkPoint(300.0, 1500.0)]
    curved = [DarkPoint(3.0, 140.4), DarkPoint(10.0, 719.4)]

    assert dark_proportion(straight) == pytest.approx(1.0)
    assert judge_dark_proportion(straight).verdict is GOOD
    assert dark_proportion(curved) == pytest.approx(71.94 / 46.8, rel=1e-3)
    found = judge_dark_proportion(curved)
    assert found.verdict is BAD
    assert "Do not scale" in found.worst_finding.cure  # type: ignore[union-attr]
    assert "10\u202fs to 3\u202fs" in found.worst_finding.what  # type: ignore[union-attr]


def test_a_warmer_long_dark_is_compared_at_one_temperature():
    points = [DarkPoint(10.0, 50.0, -10.0), DarkPoint(60.0, 600.0, -4.0)]

    assert dark_proportion(points) == pytest.approx(1.0)


def test_one_exposure_has_no_proportion_and_says_why():
    found = judge_dark_proportion([DarkPoint(10.0, 50.0), DarkPoint(10.0, 51.0)])

    assert found.value("dark_proportion") is None
    assert "needs two exposures" in found.metrics[0].why


def test_planes_of_another_shape_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="shape"):
        measure_master("bias", np.zeros((9, 9)), np.zeros((9, 8)), None, MasterContext(n_frames=2))
    with pytest.raises(ValueError, match="shape"):
        compare_masters("bias", np.zeros((9, 9)), None, np.zeros((9, 8)), None)
