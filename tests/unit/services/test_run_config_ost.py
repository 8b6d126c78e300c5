"""OST's own file: its keys, its defaults, and what it says against itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import LevelUnit
from calibstudio.domain.recipe import LevelOf, Rejection
from calibstudio.domain.run_config import DeviceWish, RunConfig
from calibstudio.domain.run_plan import plan_of
from calibstudio.services.run_config import parse_run_config
from calibstudio.services.run_job import cooling_rules
from tests.helpers.bench import BenchPanel, bench_observatory

REAL = """\
telescope: {focal_length: 400, aperture: 80, type: refractor, focal_ratio: 5.0}
mount:
  driver_id: ASCOM.tenmicron_mount.Telescope
  slewing_detection: {enabled: true, check_interval: 1.0}
dark_capture:
  num_darks: 30
  flat_exposure_time: null
  science_exposure_time: 10.0
  min_exposure: 0.001
  max_exposure: 30.0
  exposure_factors: [0.5, 1.0, 2.0, 4.0]
  output_dir: "darks"
flat_capture:
  target_count_rate: 0.5
  count_tolerance: 0.1
  num_flats: 25
  min_exposure: 0.001
  max_exposure: 10.0
  exposure_step_factor: 1.5
  max_adjustment_attempts: 20
  output_dir: "flats"
master_frames:
  output_dir: "master_frames"
  rejection_method: "sigma_clip"
  sigma_threshold: 2.5
  normalization_method: "median"
  quality_control: true
  save_individual_masters: true
  create_master_bias: true
  create_master_darks: true
  create_master_flats: false
  enable_calibration: true
  auto_load_masters: true
  calibration_tolerance: 0.1
camera:
  camera_type: "ascom"
  sensor_width: 23.5
  sensor_height: 15.7
  pixel_size: 3.76
  type: "color"
  bit_depth: 16
  cooling:
    enable_cooling: true
    target_temperature: -5.0
    wait_for_cooling: true
    cooling_timeout: 1200
    stabilization_tolerance: 1.0
    warmup_rate: 2.0
    warmup_final_temp: 15.0
    warmup_at_end: true
    status_interval: 30
  ascom:
    ascom_driver: "ASCOM.ZWOASI.Camera"
    exposure_time: 5.0
    gain: 100.0
    offset: 50
    readout_mode: 0
    binning: 1
    filter_wheel_driver: null
  alpaca: {host: localhost, port: 11111, device_id: 0, gain: 100.0, binning: [1, 1]}
  opencv: {camera_index: 0, frame_rate: 30}
frame_processing: {enabled: true, auto_debayer: false, file_format: "FITS"}
overlay: {use_timestamps: true}
plate_solve: {auto_solve: false}
"""


def parsed(text: str) -> RunConfig:
    return parse_run_config(text, "ost.yaml", Path("/data"))


def observatory() -> object:
    return bench_observatory(
        panel=BenchPanel(), can_cool=True, set_temp_range_c=(-40.0, 30.0), readout_modes=("one",)
    )


def test_the_whole_file_is_accepted_as_it_is() -> None:
    config = parsed(REAL)
    made = plan_of(config, observatory())  # type: ignore[arg-type]

    steps = {s.id: s for s in made.plan.steps}
    assert [
        (s.kind, s.exposure_s, s.count) for s in made.plan.steps if s.kind is not FrameKind.FLAT
    ] == [
        (FrameKind.BIAS, 0.001, 30),
        (FrameKind.DARK, 5.0, 30),
        (FrameKind.DARK, 10.0, 30),
        (FrameKind.DARK, 20.0, 30),
        (FrameKind.DARK_FLAT, None, 25),
    ]
    flat = steps["flat"]
    assert flat.target is not None
    assert (flat.count, flat.target.value, flat.target.unit) == (25, 50.0, LevelUnit.PERCENT)
    assert flat.target.tolerance == pytest.approx(0.1)
    assert (flat.exposure_s, flat.limits.longest_s, flat.limits.max_frames) == (5.0, 10.0, 20)
    assert steps["bias"].settings.set_temp_c == -5.0
    assert (steps["bias"].settings.gain, steps["bias"].settings.readout_mode) == (100, "one")
    assert made.plan.warm_up and made.plan.build_masters


def test_darks_and_masters_go_where_ost_puts_them() -> None:
    config = parsed(REAL)

    assert config.frames_folder == Path.cwd()
    assert config.library == str(Path.cwd() / "master_frames")
    assert config.frame_names["bias"] == ("darks/exp_{exposure3}s/{kind}_{stamp}_{number}.fits")
    assert config.frame_names["flat"].startswith("flats/")
    assert config.master_kinds == (FrameKind.BIAS, FrameKind.DARK, FrameKind.DARK_FLAT)


def test_masters_are_clipped_as_the_file_says() -> None:
    config = parsed(REAL)

    assert config.own_recipe is not None
    dark = config.own_recipe.stack_for(FrameKind.DARK)
    assert (dark.reject, dark.low, dark.high, dark.iterations) == (Rejection.SIGMA, 2.5, 2.5, 1)
    assert config.own_recipe.flat.level is LevelOf.MEDIAN
    assert config.own_recipe.flat.region == 1.0
    assert config.own_recipe.name_for(FrameKind.DARK).startswith("master_{kind}_{exposure3}s")
    minmax = parsed("master_frames: {rejection_method: minmax}\n").own_recipe
    assert minmax is not None
    assert minmax.stack_for(FrameKind.BIAS).reject is Rejection.MINMAX


def test_cooling_is_as_the_file_says() -> None:
    rules = cooling_rules(parsed(REAL).cooling)

    assert (rules.tolerance_c, rules.timeout_s, rules.wait) == (1.0, 1200.0, True)
    assert (rules.warm_ramp_c_per_min, rules.warm_to_c) == (2.0, 15.0)
    off = parsed("dark_capture: {}\ncamera: {cooling: {enable_cooling: false}}\n")
    assert off.camera.set_temp_c is None and not off.cooling.warm_up


def test_defaults_are_those_of_ost() -> None:
    made = plan_of(parsed("dark_capture: {}\n"), observatory())  # type: ignore[arg-type]

    darks = [s for s in made.plan.steps if s.kind is FrameKind.DARK]
    assert [s.exposure_s for s in darks] == [2.5, 5.0, 10.0, 20.0]
    assert {s.count for s in made.plan.steps if s.kind is not FrameKind.DARK_FLAT} == {40}


def test_a_flat_exposure_that_is_given_is_in_the_list_and_needs_no_dark_flats() -> None:
    config = parsed("dark_capture: {flat_exposure_time: 1.5}\n")

    made = plan_of(config, observatory())  # type: ignore[arg-type]

    exposures = [s.exposure_s for s in made.plan.steps if s.kind is FrameKind.DARK]
    assert exposures == [1.5, 2.5, 5.0, 10.0, 20.0]
    assert FrameKind.DARK_FLAT not in {s.kind for s in made.plan.steps}


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        (
            "dark_capture: {}\ncamera: {camera_type: ascom, ascom: {ascom_driver: A.B.Camera}}\n",
            DeviceWish("alpaca", "A.B.Camera", line=2),
        ),
        (
            "dark_capture: {}\nvideo:\n  camera_type: alpaca\n  alpaca: {host: o, device_id: 3}\n",
            DeviceWish("alpaca", "", "o", 11111, 3, 4),
        ),
        ("dark_capture: {}\nvideo: {}\n", DeviceWish("opencv", line=2)),
        (
            "dark_capture: {}\ncamera:\n  camera_type: indi\n"
            "  indi: {host: pi, device_name: ZWO CCD}\n",
            DeviceWish("indi", "ZWO CCD", "pi", 7624, line=3),
        ),
    ],
)
def test_the_camera_of_the_file_is_found_by_its_name_or_address(
    text: str, wish: DeviceWish
) -> None:
    assert parsed(text).device == wish


def test_keys_without_effect_and_contradictions_are_said_by_name_and_line() -> None:
    notes = "\n".join(parsed(REAL).notes)

    for said in (
        "Line 11, dark_capture.exposure_factors: 4 × 10\u202fs is outside 0.001–30 s: left out.",
        "flat_capture.exposure_step_factor: the next exposure is computed",
        "master_frames.enable_calibration: is for lights",
        "master_frames.calibration_tolerance: is for lights",
        "camera.cooling.status_interval: the cooler is read every 3 s",
    ):
        assert said in notes
    more = parsed(
        "dark_capture: {flat_exposure_time: 90, extra: 1}\n"
        "master_frames: {normalization_method: max, quality_control: false}\n"
        "flat_capture: {output_dir: /somewhere}\n"
        "camera: {camera_type: alpaca}\n"
        "video: {camera_type: ascom}\n"
        "unheard_of: 1\n"
    ).notes
    text = "\n".join(more)
    for said in (
        "Line 1, dark_capture.flat_exposure_time: outside",
        "dark_capture.extra: is not known here",
        "Line 2, master_frames.normalization_method: max would follow",
        "master_frames.quality_control: every frame and master is judged",
        "flat_capture.output_dir: leads elsewhere",
        "Line 5, video: stands beside camera, which counts",
        "Line 6, unheard_of: is not known here",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dark_capture: {min_exposure: 9, max_exposure: 1}\n", "min_exposure: 9 s is above"),
        ("flat_capture: {target_count_rate: 0.9}\n", "reach saturation"),
        ("flat_capture: {num_flats: lots}\n", "line 1, flat_capture.num_flats: “lots”"),
        ("master_frames: {rejection_method: best}\n", "neither sigma_clip nor minmax"),
        ("master_frames: {normalization_method: sum}\n", "none of mean, median, max"),
        (
            "dark_capture: {}\ncamera: {camera_type: webcam}\n",
            "none of ascom, alpaca, indi, opencv",
        ),
        (
            "dark_capture: {}\ncamera: {camera_type: alpaca, alpaca: {binning: [1, 2]}}\n",
            "is not square",
        ),
        (
            "dark_capture: {}\ncamera: {cooling: {target_temperature: 5, warmup_final_temp: 0}}\n",
            "colder than the target",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_line_and_key(text: str, said: str) -> None:
    with pytest.raises(FileProblemError, match=said):
        parsed(text)
