"""Our driver against the simulated observatory's own server: the same pixels as in process."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from calibstudio.devices.alpaca.discovery import Target, find_servers, list_devices
from calibstudio.devices.alpaca_server.discovery import DiscoveryResponder
from calibstudio.devices.alpaca_server.server import AlpacaServer
from calibstudio.devices.opened import OpenedObservatory
from calibstudio.devices.simulator.observatory import SimulatedObservatory, simulated_observatory
from calibstudio.devices.simulator.serving import extras_of
from calibstudio.domain.equipment import CoverState, ExposureRequest, Region
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from tests.helpers.opening import open_at

START = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)


def _twin() -> SimulatedObservatory:
    return simulated_observatory("tiny", seed=5, speed=20.0, start=START)


@pytest.fixture
def served() -> Iterator[tuple[AlpacaServer, SimulatedObservatory]]:
    twin = _twin()
    with AlpacaServer(twin, port=0, discovery_port=None, extras=extras_of(twin)) as server:
        yield server, twin
    twin.close()


@pytest.fixture
def remote(served: tuple[AlpacaServer, SimulatedObservatory]) -> Iterator[OpenedObservatory]:
    server, _ = served
    observatory = open_at(f"alpaca://127.0.0.1:{server.port}")
    yield observatory
    observatory.close()


REQUESTS = {
    "bias": ExposureRequest(FrameKind.BIAS, 0.0),
    "dark": ExposureRequest(FrameKind.DARK, 5.0, gain=100, offset=30),
    "binned region": ExposureRequest(
        FrameKind.DARK, 1.0, gain=200, binning=2, region=Region(64, 32, 256, 128)
    ),
    "other mode": ExposureRequest(FrameKind.BIAS, 0.0, readout_mode=None, offset=80),
}


def test_the_same_pixels_arrive_over_http_as_in_process(remote: OpenedObservatory) -> None:
    here = _twin()

    for request in REQUESTS.values():
        over_http = remote.camera.expose(request, CancelToken())
        in_process = here.camera.expose(request, CancelToken())

        assert np.array_equal(over_http.data, in_process.data), request
        assert over_http.exposure_s == pytest.approx(in_process.exposure_s, abs=1e-6)
        assert (over_http.gain, over_http.offset) == (in_process.gain, in_process.offset)
        assert over_http.readout_mode == in_process.readout_mode
        assert over_http.conversion is not None and in_process.conversion is not None
        assert over_http.conversion.e_per_adu == pytest.approx(in_process.conversion.e_per_adu)
    here.close()


def test_its_facts_arrive_as_they_are(remote: OpenedObservatory) -> None:
    here = _twin().camera.info

    there = remote.camera.info

    for fact in (
        "name", "shape", "max_adu", "bit_depth", "gain_range", "gain_default", "offset_range",
        "offset_default", "binnings", "readout_modes", "exposure_min_s", "can_cool", "can_abort",
        "has_shutter", "bayer", "pixel_size_um",
    ):  # fmt: skip
        assert getattr(there, fact) == getattr(here, fact), fact


def test_every_device_of_the_observatory_works_over_http(remote: OpenedObservatory) -> None:
    assert remote.missing == ()
    assert remote.wheel is not None and remote.panel is not None and remote.mount is not None
    assert remote.site is not None

    remote.wheel.move(2, CancelToken())
    remote.panel.move_cover(open_it=True, cancel=CancelToken())
    remote.panel.set_brightness(700, CancelToken())
    remote.mount.slew(70.0, 120.0, CancelToken())

    assert remote.wheel.position() == 2
    assert remote.panel.status().cover is CoverState.OPEN
    assert remote.panel.status().brightness == 700
    assert remote.mount.status().altitude_deg == pytest.approx(70.0, abs=0.3)
    assert remote.site.latitude_deg == pytest.approx(48.1)
    assert remote.optics.focal_length_mm == pytest.approx(150.0)


def test_closing_switches_the_lamp_of_the_served_panel_off(
    served: tuple[AlpacaServer, SimulatedObservatory], remote: OpenedObservatory
) -> None:
    _, twin = served
    assert remote.panel is not None and twin.panel is not None
    remote.panel.set_brightness(100, CancelToken())

    remote.close()

    assert twin.panel.status().brightness == 0


def test_it_is_found_and_listed(served: tuple[AlpacaServer, SimulatedObservatory]) -> None:
    server, _ = served
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    responder = DiscoveryResponder("127.0.0.1", server.port, port=port)
    responder.start()

    try:
        found = find_servers([Target("127.0.0.1", port)], wait_s=0.5)
    finally:
        responder.close()

    assert [str(s) for s in found] == [f"127.0.0.1:{server.port}"]
    devices = list_devices(found[0])
    assert [(str(d.type), d.number) for d in devices[:4]] == [
        ("camera", 0), ("filterwheel", 0), ("covercalibrator", 0), ("telescope", 0),
    ]  # fmt: skip
    assert all(d.unique_id and d.name for d in devices)
