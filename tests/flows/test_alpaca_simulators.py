"""Against an Alpaca server that nobody here wrote: sequences, its faults, and its setting Sun."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.devices.alpaca.address import DeviceType
from calibstudio.devices.alpaca.discovery import list_devices
from calibstudio.devices.alpaca.line import Patience
from calibstudio.devices.opened import OpenedObservatory
from calibstudio.devices.rig_choice import rig_at
from calibstudio.domain.capture import StepPhase
from calibstudio.domain.drafts import BiasDraft, DarkDraft, FlatDraft
from calibstudio.domain.equipment import CameraState, ExposureRequest, Site
from calibstudio.domain.errors import Cancelled, DeviceUnreachableError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import (
    CameraSettings,
    CapturePlan,
    LevelTarget,
    LevelUnit,
    LightSource,
    SearchLimits,
)
from calibstudio.domain.rig import Role
from calibstudio.domain.sun import sun_altitude_deg
from calibstudio.domain.twilight import Twilight
from tests.helpers.alpaca_simulators import NAMED, UNCOOLED, Simulators, shared_simulators
from tests.helpers.opening import open_rig_now, rig_of
from tests.helpers.sequences import Operator

BIAS_ADU = 300.0
LAW_DEX_PER_DEG = 0.320
"""Of its twilight: 0.3937 to the power of 0.7907 for each degree."""
DUSK_S = 20.0
"""How long its Sun is watched setting, in real time."""
TWILIGHT_ADU = 12_000.0
"""Level of flats of its dusk."""


@pytest.fixture
def simulators() -> Simulators:
    return shared_simulators()


def _open(
    simulators: Simulators, camera: int, patience: Patience | None = None
) -> OpenedObservatory:
    devices = [("camera", camera), ("filterwheel", 0), ("covercalibrator", 0), ("telescope", 0)]
    devices += [(kind, 0) for kind in ("rotator", "focuser", "dome", "safetymonitor")]
    return open_rig_now(rig_of("alpaca", simulators.server, devices), alpaca=patience)


@pytest.fixture
def observatory(simulators: Simulators) -> Iterator[OpenedObservatory]:
    opened = _open(simulators, UNCOOLED)
    yield opened
    opened.close()


def test_it_has_no_list_of_devices_and_is_found_by_asking(simulators: Simulators) -> None:
    found = list_devices(simulators.server)
    rig = rig_at("Simulators", (f"alpaca://{simulators.server}/{NAMED}",))

    assert [d.name for d in found if d.type is DeviceType.CAMERA] == [
        "Simulator Camera", "Named Gains", "Uncooled",
    ]  # fmt: skip
    assert {d.type for d in found} >= {DeviceType.FILTER_WHEEL, DeviceType.TELESCOPE}
    assert rig.camera is not None
    assert (rig.camera.number, rig.camera.name) == (NAMED, "Named Gains")
    assert {device.role for device in rig.devices} == set(Role)


def test_a_sequence_of_biases_and_darks_is_taken_through_it(
    observatory: OpenedObservatory, tmp_path: Path
) -> None:
    info = observatory.camera.info
    bias, dark = BiasDraft.for_camera(info), DarkDraft.for_camera(info)
    bias.count = dark.count = 4
    dark.exposures_s = (1.0,)
    plan = CapturePlan("Bias and dark", (*bias.plan(info).steps, *dark.plan(info).steps))

    report = Operator().run(observatory, plan, tmp_path / "frames")

    assert report.problems == () and not report.stopped
    assert {s.phase for s in report.steps} == {StepPhase.DONE}
    headers = [fits.getheader(path) for path in report.accepted]
    assert [h["IMAGETYP"] for h in headers] == ["Bias Frame"] * 4 + ["Dark Frame"] * 4
    assert [h["EXPTIME"] for h in headers] == [0.001] * 4 + [1.0] * 4
    assert {h["INSTRUME"] for h in headers} == {"Uncooled"}
    levels = [float(np.mean(fits.getdata(path))) for path in report.accepted]
    # Its dark current is 0.2 e-/s at -10 degrees and doubles every 6; noise is clipped at 0.
    assert max(levels[:4]) < min(levels[4:])
    assert len({fits.getdata(path).tobytes() for path in report.accepted}) == 8


def test_a_gain_that_the_driver_stores_off_by_one_is_told_as_it_is(
    simulators: Simulators,
) -> None:
    observatory = _open(simulators, NAMED)
    camera = observatory.camera
    try:
        assert camera.info.gain_range == (0, 9)
        assert camera.info.bayer == "GRBG"

        frame = camera.expose(ExposureRequest(FrameKind.BIAS, 0.0, gain=2), CancelToken())
    finally:
        observatory.close()

    assert frame.request.gain == 2
    assert frame.gain == 3


def test_an_aborted_exposure_that_goes_on_inside_is_not_taken_for_the_next(
    observatory: OpenedObservatory,
) -> None:
    camera = observatory.camera
    token = CancelToken()
    threading.Timer(0.3, token.cancel).start()
    with pytest.raises(Cancelled):
        camera.expose(ExposureRequest(FrameKind.DARK, 1.5), token)

    frame = camera.expose(ExposureRequest(FrameKind.BIAS, 0.0), CancelToken())

    assert frame.exposure_s == pytest.approx(0.001)
    assert frame.data.mean() < BIAS_ADU + 5.0
    time.sleep(1.5)  # what goes on inside ends
    frame = camera.expose(ExposureRequest(FrameKind.BIAS, 0.0), CancelToken())
    assert frame.data.mean() < BIAS_ADU + 5.0


def test_killed_in_mid_exposure_it_is_lost_and_started_again_it_goes_on(
    simulators: Simulators,
) -> None:
    observatory = _open(simulators, UNCOOLED, Patience(lost_s=2.0))
    camera = observatory.camera
    killer = threading.Timer(0.5, simulators.kill)
    killer.start()
    try:
        begun = time.monotonic()
        with pytest.raises(DeviceUnreachableError):
            camera.expose(ExposureRequest(FrameKind.DARK, 120.0), CancelToken())
        assert time.monotonic() - begun < 15.0
    finally:
        killer.join()
        simulators.start()

    assert camera.status().state is CameraState.IDLE
    frame = camera.expose(ExposureRequest(FrameKind.BIAS, 0.0), CancelToken())
    assert frame.data.shape == camera.info.shape
    observatory.close()


def test_its_twilight_falls_as_the_sun_sets(
    simulators: Simulators, observatory: OpenedObservatory
) -> None:
    """A slice of a real dusk, in real time: `DUSK_S` seconds of this computer's clock."""
    site = _where_the_sun_is_at(-8.0)
    path = "/api/v1/telescope/0"
    simulators.put(f"{path}/sitelatitude", SiteLatitude=site.latitude_deg)
    simulators.put(f"{path}/sitelongitude", SiteLongitude=site.longitude_deg)
    simulators.sunlight(True)
    request = ExposureRequest(FrameKind.FLAT, 0.4)
    suns, levels = [], []
    try:
        ends = time.monotonic() + DUSK_S
        while time.monotonic() < ends:
            frame = observatory.camera.expose(request, CancelToken())
            suns.append(sun_altitude_deg(frame.started_at, site))
            levels.append(float(np.mean(frame.data)) - BIAS_ADU)
            time.sleep(1.0)
    finally:
        simulators.sunlight(False)

    slope, _ = np.polyfit(suns, np.log10(levels), 1)
    assert len(levels) > 5
    # Each mean is known to 1e-4 (77 000 pixels of some 10 000 electrons), 4e-5 dex; the moment
    # to 0.1 s, 1.5e-4 dex. Over a fall of some 0.03 dex that is a few per cent.
    assert slope == pytest.approx(LAW_DEX_PER_DEG, rel=0.05)


def test_flats_of_a_dusk_that_sets_in_real_time_have_their_level(
    simulators: Simulators, observatory: OpenedObservatory, tmp_path: Path
) -> None:
    """A slice of some 20 s; the place is chosen so that the Sun stands right for it now."""
    site = _where_the_sun_is_at(-8.0)
    path = "/api/v1/telescope/0"
    simulators.put(f"{path}/sitelatitude", SiteLatitude=site.latitude_deg)
    simulators.put(f"{path}/sitelongitude", SiteLongitude=site.longitude_deg)
    simulators.sunlight(True)
    simulators.put("/api/v1/dome/0/openshutter")  # the sequence waits until it is open
    wheel = observatory.wheel
    assert wheel is not None
    draft = FlatDraft(
        settings=CameraSettings(),
        filters=(wheel.filters[0],),
        count=3,
        light=LightSource.SKY,
        twilight=Twilight.DUSK,
        target=LevelTarget(TWILIGHT_ADU, LevelUnit.ADU, 0.1),
        limits=SearchLimits(0.02, 10.0),
        with_dark_flats=False,
    )
    operator = Operator()
    try:
        # The telescope stays: what is tried is the light, and its motor would take its time.
        there = replace(observatory, site=site, mount=None)
        report = operator.run(there, draft.plan(observatory.camera.info), tmp_path)
    finally:
        simulators.sunlight(False)
        simulators.put("/api/v1/dome/0/closeshutter")

    assert report.problems == () and operator.questions == []
    assert [s.phase for s in report.steps] == [StepPhase.DONE]
    assert len(report.accepted) == 3
    for frame in report.frames:
        if frame.accepted:
            assert frame.level_adu == pytest.approx(TWILIGHT_ADU, rel=0.1)
    headers = [fits.getheader(p) for p in report.accepted]
    assert {h["FILTER"] for h in headers} == {wheel.filters[0]}
    assert {h["IMAGETYP"] for h in headers} == {"Flat Field"}


def _where_the_sun_is_at(altitude_deg: float) -> Site:
    """Return a place on the equator where the Sun sets and is this high now."""
    now = datetime.now(UTC)
    site = Site("Dusk", 0.0, 0.0)
    places = [replace(site, longitude_deg=0.25 * i - 180.0) for i in range(1440)]
    later = now.replace(microsecond=0)
    heights = [sun_altitude_deg(now, place) for place in places]
    setting = [
        sun_altitude_deg(later, replace(place, longitude_deg=place.longitude_deg + 1.0)) < height
        for place, height in zip(places, heights, strict=True)
    ]
    chosen = min(
        (abs(height - altitude_deg), place.longitude_deg)
        for height, place, sets in zip(heights, places, setting, strict=True)
        if sets
    )
    return replace(site, longitude_deg=chosen[1])
