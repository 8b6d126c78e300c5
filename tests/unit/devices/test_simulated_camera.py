"""What the simulated camera does besides physics: time, faults, refusals, and a quick start."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibstudio.devices.simulator.faults import Faults
from calibstudio.devices.simulator.observatory import (
    PRESETS,
    SimulatedObservatory,
    simulated_observatory,
)
from calibstudio.domain.equipment import CameraState, ExposureRequest, Region
from calibstudio.domain.errors import Cancelled, DeviceUnreachableError, UsageError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from tests.unit.devices.shots import NEVER, bias, cooled, dark, flat, lamp, take

Build = Callable[..., SimulatedObservatory]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_opens_at_once_and_says_that_it_is_simulated(preset: str) -> None:
    begun = time.perf_counter()

    night = simulated_observatory(preset)

    assert time.perf_counter() - begun < 0.2
    assert night.is_simulated
    assert night.camera.info.is_simulated
    assert night.camera.info.name == PRESETS[preset].title
    assert night.camera.info.name.startswith("Simulated")
    assert night.camera.info.shape == PRESETS[preset].shape
    assert (night.wheel is None) == preset.startswith("bayer")
    night.close()


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="huge") as problem:
        simulated_observatory("huge")

    assert "mono24" in problem.value.hint


def test_the_program_can_start_without_the_compiler(checkout: Path) -> None:
    script = (
        "import sys; from calibstudio.devices.simulator.observatory import simulated_observatory;"
        "simulated_observatory().camera.status(); print([m for m in ('numba', 'astropy', 'scipy')"
        " if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=checkout, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_status_follows_an_exposure_from_another_thread(build: Build) -> None:
    night = build("small", speed=1.0)
    seen: list[CameraState] = []
    request = ExposureRequest(FrameKind.DARK, 0.3)
    worker = threading.Thread(target=night.camera.expose, args=(request, NEVER))
    bias(night)

    worker.start()
    while worker.is_alive():
        state = night.camera.status().state
        if not seen or seen[-1] is not state:
            seen.append(state)
        time.sleep(0.005)
    worker.join()
    seen.append(night.camera.status().state)

    order = [s for s in seen if s is not CameraState.IDLE]
    assert order == [CameraState.EXPOSING, CameraState.READING]
    assert seen[-1] is CameraState.IDLE


def test_rendering_hides_behind_the_exposure(build: Build) -> None:
    night = build("small", speed=1.0)
    bias(night)
    begun = time.perf_counter()

    dark(night, 0.5)

    took = time.perf_counter() - begun
    readout_s = night.camera.info.readout_s
    assert readout_s is not None
    assert 0.5 + readout_s <= took < 0.5 + readout_s + 0.25


def test_a_fast_clock_does_not_lose_time_to_rendering(build: Build) -> None:
    night = build("small", speed=1000.0)
    bias(night)
    begun = night.clock.now()

    frames = [take(night, FrameKind.DARK, 1.0) for _ in range(5)]

    # 5 x (1 s + 0.1 s of read-out), though each frame takes 20 or more real milliseconds.
    assert (frames[-1].started_at - begun).total_seconds() < 60.0


def test_a_region_is_read_out_sooner(build: Build) -> None:
    night = build("mono24")
    region = Region(0, 0, 600, 400)
    begun = night.clock.now()

    bias(night, region=region)

    assert (night.clock.now() - begun).total_seconds() < 0.15


@pytest.mark.parametrize(
    ("asked", "done"), [(0.0, 0.001), (0.0004, 0.001), (0.12341, 0.1234), (2.00006, 2.0001)]
)
def test_the_exposure_is_what_the_camera_did(build: Build, asked: float, done: float) -> None:
    frame = take(build(), FrameKind.DARK, asked)

    assert frame.exposure_s == pytest.approx(done, abs=1e-9)
    assert frame.request.exposure_s == asked


def test_a_lost_connection_ends_an_exposure_half_way_and_stays_lost(build: Build) -> None:
    night = build()
    bias(night)
    begun = night.clock.now()
    night.set_faults(Faults(disconnect=True))

    with pytest.raises(DeviceUnreachableError, match="stopped answering 30\u202fs into") as problem:
        dark(night, 60.0)

    assert problem.value.hint
    assert (night.clock.now() - begun).total_seconds() == pytest.approx(30.0, abs=1.0)
    with pytest.raises(DeviceUnreachableError):
        night.camera.status()
    with pytest.raises(DeviceUnreachableError):
        dark(night, 1.0)
    night.set_faults(Faults())
    assert night.camera.status().state is CameraState.IDLE
    bias(night)


def test_a_connection_can_be_lost_in_a_certain_exposure(build: Build) -> None:
    night = build(faults=Faults(disconnect_at_frame=3))

    bias(night)
    bias(night)

    with pytest.raises(DeviceUnreachableError):
        bias(night)
    assert night.camera.frames_begun == 3


def test_a_slow_readout_can_still_be_cancelled(build: Build) -> None:
    night = build(speed=1.0, faults=Faults(extra_readout_s=600.0))
    token = CancelToken()
    threading.Timer(0.3, token.cancel).start()
    begun = time.perf_counter()

    with pytest.raises(Cancelled):
        night.camera.expose(ExposureRequest(FrameKind.BIAS, 0.0), token)

    assert time.perf_counter() - begun < 0.5
    assert night.camera.status().state is CameraState.IDLE


def test_a_frame_of_the_wrong_shape_can_be_had(build: Build) -> None:
    frame = take(build(faults=Faults(wrong_shape=True)), FrameKind.BIAS, 0.0)

    assert frame.data.shape == (479, 640)
    assert not frame.data.flags.writeable


def test_a_stale_buffer_gives_the_same_pixels_twice(build: Build) -> None:
    night = build()
    first = bias(night)

    night.set_faults(Faults(repeat_frame=True))
    second = bias(night)
    night.set_faults(Faults())
    third = bias(night)

    assert (first == second).all()
    assert (second != third).any()


def test_light_that_changes_during_an_exposure_is_in_the_frame(build: Build) -> None:
    night = build()
    cooled(night, -10.0)
    assert night.panel is not None
    assert night.world is not None
    night.world.clock.set_speed(50.0)
    switch = threading.Timer(0.1, night.panel.set_brightness, [1, NEVER])

    switch.start()
    frame = dark(night, 20.0)
    switch.join()

    assert np.median(frame) > 510.0


def test_cooling_down_during_a_dark_changes_its_current(build: Build) -> None:
    cold, cooling = build(), build()
    for night in (cold, cooling):
        cooled(night, 5.0)
    cooling.camera.set_cooler(on=True, target_c=-20.0)

    steady, falling = dark(cold, 1200.0), dark(cooling, 1200.0)

    assert np.median(steady) > np.median(falling) + 15.0


def test_filters_change_the_light_as_their_glass_says(build: Build) -> None:
    night = build()
    assert night.wheel is not None
    lamp(night, 4096)
    levels = {}
    for slot, name in enumerate(night.wheel.filters):
        night.wheel.move(slot, NEVER)
        exposure_s = 0.1 if name == "L" else 0.3 if len(name) == 1 else 3.0
        levels[name] = (np.median(flat(night, exposure_s)) - 502.0) / exposure_s

    assert list(levels) == ["L", "R", "G", "B", "Ha", "OIII", "SII"]
    assert levels["Ha"] / levels["L"] == pytest.approx(0.030, rel=0.02)
    assert levels["G"] / levels["L"] == pytest.approx(0.36, rel=0.02)


def test_narrow_filters_need_some_ten_seconds_of_the_brightest_lamp(build: Build) -> None:
    night = build()
    assert night.wheel is not None
    lamp(night, 4096)
    night.wheel.move(4, NEVER)

    frame = flat(night, 11.0)

    assert np.median(frame) == pytest.approx(32_000, rel=0.1)


def test_closing_makes_the_observatory_safe(build: Build) -> None:
    night = build()
    lamp(night, 1000)

    night.close()
    night.close()

    assert night.panel is not None
    assert night.panel.status().brightness == 0
    with pytest.raises(DeviceUnreachableError, match="closed"):
        bias(night)
    with pytest.raises(DeviceUnreachableError):
        night.camera.status()


def test_the_truth_can_be_asked_at_the_camera(build: Build) -> None:
    truth = build(seed=8).camera.truth

    assert truth.seed == 8
    assert truth.e_per_adu(0) == pytest.approx(0.78)
    assert truth.e_per_adu(100) == pytest.approx(0.2467, abs=1e-4)
    assert truth.read_noise_e(99) > 2.8
    assert truth.read_noise_e(100) == pytest.approx(1.5)
    assert truth.read_noise_e(300, "Fast, 14 bit") == pytest.approx(1.6)
    assert truth.saturation_adu(0, 50) == pytest.approx(502 + 50_000 / 0.78)
    assert truth.saturation_adu(100, 50) == 65_535
    assert truth.saturation_adu(100, 50, "Fast, 14 bit") == 65_532
    assert truth.dark_median_e_per_s(6.0) == pytest.approx(2 * truth.dark_median_e_per_s(0.0))
    with pytest.raises(KeyError):
        truth.mode("turbo")
    assert replace(truth, seed=9) != truth


def test_a_camera_closed_in_mid_exposure_gives_no_frame(build: Build) -> None:
    night = build(speed=1.0)
    bias(night)
    threading.Timer(0.1, night.camera.close).start()

    with pytest.raises(DeviceUnreachableError, match="closed"):
        dark(night, 0.3)


def test_warming_up_compiles_all_that_a_night_needs(build: Build) -> None:
    from calibstudio.devices.simulator import kernels
    from calibstudio.devices.simulator.render import warm_up

    warm_up()
    compiled = {name: len(f.signatures) for name, f in vars(kernels).items() if _is_kernel(f)}
    night = build(cover_open=True)
    take(night, FrameKind.LIGHT, 5.0)
    take(night, FrameKind.LIGHT, 5.0, binning=2, region=Region(3, 3, 100, 100))
    night.panel and night.panel.move_cover(open_it=False, cancel=NEVER)
    lamp(night, 1000)
    flat(night, 1.0)
    bias(night)

    after = {name: len(f.signatures) for name, f in vars(kernels).items() if _is_kernel(f)}
    assert after == compiled


def _is_kernel(thing: object) -> bool:
    return hasattr(thing, "signatures")
