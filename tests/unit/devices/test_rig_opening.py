"""Opening rigs over real sockets: found again elsewhere, partly there, not there at all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from calibstudio.devices import discovery
from calibstudio.devices import opened as opened_module
from calibstudio.devices.discovery import FINDERS, Finder, Found, FoundDevice, discover
from calibstudio.devices.rig_opening import locate, open_again, open_devices
from calibstudio.devices.rigs import open_rig
from calibstudio.domain.equipment import Optics, Site
from calibstudio.domain.errors import DeviceUnreachableError, UsageError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.rig import ROLES, DeviceRef, NoCameraError, Rig, Role
from calibstudio.domain.run_config import Simulation
from calibstudio.services.rigs import Rigs
from tests.helpers.fake_alpaca import FakeAlpaca, hang, refuses
from tests.helpers.indi_server import CAMERA, shared_indi, why_not


@pytest.fixture
def server() -> Iterator[FakeAlpaca]:
    made = FakeAlpaca()
    yield made
    made.close()


def rig_of(server: FakeAlpaca) -> Rig:
    found = discover(f"alpaca://{server.server}").devices
    return Rig("Mine", tuple(DeviceRef.of(d) for d in found if d.type in ROLES))


def network(*devices: FoundDevice) -> Mapping[str, Finder]:
    """Real requests at an address; the whole network is these devices."""

    def find(address: str, cancel: object) -> Found:
        return FINDERS["alpaca"](address, cancel) if address else Found(devices)  # type: ignore[arg-type]

    return {"alpaca": find}


def test_every_device_is_connected_under_the_name_of_the_rig(server: FakeAlpaca) -> None:
    optics, site = Optics("Newton", 1000.0, 200.0), Site("Hof", 50.0, 11.0)
    rig = replace(rig_of(server), optics=optics, site=site)

    opened = open_devices(rig, finders=network())

    assert (opened.name, opened.optics, opened.site) == ("Mine", optics, site)
    assert opened.wheel is not None and opened.panel is not None and opened.mount is not None
    assert opened.rig == rig and opened.missing == ()
    assert [o.ref for o in opened.outcomes] == list(rig.devices)
    opened.close()
    assert not server.devices["camera", 0].values["connected"]


def test_a_server_at_another_port_is_found_by_identity_and_remembered(
    server: FakeAlpaca, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_of(server)
    here = discover(f"alpaca://{server.server}").devices
    moved = replace(rig, devices=tuple(replace(d, port=9, number=5) for d in rig.devices))
    rigs = Rigs(tmp_path)
    rigs.save(moved, new=True)
    monkeypatch.setattr("calibstudio.devices.rig_opening.FINDERS", network(*here))

    open_rig("mine", known=rigs).close()

    found = rigs.get("Mine")
    assert found == replace(rig, knows=found.knows)
    assert found.knows.camera == "Fake Camera"


def test_what_is_missing_is_said_and_the_rest_is_used(server: FakeAlpaca) -> None:
    server.faults["filterwheel", "PUT connected"] = refuses(0x500, "no wheel on COM3")
    rig = rig_of(server)
    gone = replace(rig.devices[2], unique_id="elsewhere", name="Panel in a drawer")
    rig = rig.moved(rig.devices[2], gone)

    opened = open_devices(rig, finders=network())

    assert opened.wheel is None and opened.panel is None and opened.mount is not None
    said = {o.title: str(o.error) for o in opened.missing}
    assert set(said) == {"Fake Wheel", "Panel in a drawer"}
    assert "COM3" in said["Fake Wheel"]
    assert f"{server.server} does not have it now" in said["Panel in a drawer"]
    opened.close()


def test_without_its_camera_nothing_stays_connected(server: FakeAlpaca) -> None:
    server.faults["camera", "PUT connected"] = refuses(0x500, "no camera")

    with pytest.raises(NoCameraError, match="no camera") as caught:
        open_devices(rig_of(server), finders=network())

    assert [o.error is None for o in caught.value.outcomes] == [False, True, True, True]
    assert not server.devices["filterwheel", 0].values["connected"]


def test_a_device_that_comes_late_is_added_and_the_camera_stays(server: FakeAlpaca) -> None:
    server.faults["filterwheel", "PUT connected"] = refuses(0x500, "no wheel on COM3")
    opened = open_devices(rig_of(server), finders=network())
    server.faults.clear()

    again = open_again(opened, Role.WHEEL, finders=network())
    panel = open_again(again, Role.PANEL, finders=network())

    assert again.camera is opened.camera and again.wheel is not None and again.missing == ()
    assert panel.panel is not None and panel.panel is not opened.panel
    assert panel.panel.status().brightness == 0
    with pytest.raises(UsageError, match="not connected alone"):
        open_again(opened, Role.CAMERA)
    panel.close()
    assert not server.devices["filterwheel", 0].values["connected"]


def test_a_panel_that_hangs_does_not_keep_the_others_from_being_let_go(
    server: FakeAlpaca, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened_module, "CLOSE_LIMIT_S", 0.5)
    opened = open_devices(rig_of(server), finders=network())
    assert opened.panel is not None
    opened.panel.set_brightness(40, CancelToken())
    server.faults["covercalibrator", "*"] = hang
    begun = time.monotonic()

    opened.close()

    assert time.monotonic() - begun < 5.0
    assert not server.devices["camera", 0].values["connected"]
    assert not server.devices["filterwheel", 0].values["connected"]


def test_the_lamp_is_off_and_everything_is_let_go_when_a_rig_is_closed(server: FakeAlpaca) -> None:
    opened = open_devices(rig_of(server), finders=network())
    assert opened.panel is not None
    opened.panel.set_brightness(40, CancelToken())
    assert opened.panel.status().brightness == 40

    opened.close()

    off = [path for _, path in server.requests if path.endswith("calibratoroff")]
    assert off
    assert not any(d.values["connected"] for d in server.devices.values())


def test_a_silent_server_is_named_with_what_to_do(server: FakeAlpaca) -> None:
    rig = rig_of(server)
    server.die()

    (found, *_) = locate(rig.devices, finders=network())

    assert isinstance(found.error, DeviceUnreachableError)
    assert f"nobody answers at {server.server}" in str(found.error)
    assert "Switch it on" in found.error.hint
    server.come_back()


def test_one_of_the_same_name_is_not_taken_for_it(server: FakeAlpaca) -> None:
    camera = replace(rig_of(server).devices[0], unique_id="my own")

    (found,) = locate([camera], finders=network())

    assert found.now is None and "is another camera" in str(found.error)


def test_a_rig_can_be_a_simulated_observatory(tmp_path: Path) -> None:
    rigs = Rigs(tmp_path)
    site = Site("Hof", 50.0, 11.0)
    rigs.save(Rig("Trial", (DeviceRef("simulated", "camera", "tiny"),), site=site), new=True)

    opened = open_rig("Trial", known=rigs, simulation=Simulation(speed=8.0))

    assert (opened.name, opened.site, opened.is_simulated) == ("Trial", site, True)
    assert opened.clock.speed == 8.0 and opened.wheel is not None
    opened.close()


def test_real_equipment_is_not_simulated_and_a_rig_needs_a_camera(
    server: FakeAlpaca, tmp_path: Path
) -> None:
    rigs = Rigs(tmp_path)
    rigs.save(rig_of(server), new=True)
    rigs.save(Rig("Empty"), new=True)
    with pytest.raises(UsageError, match="cannot be simulated"):
        open_rig("Mine", known=rigs, simulation=Simulation())
    with pytest.raises(UsageError, match="has no camera"):
        open_rig("Empty", known=rigs)
    with pytest.raises(UsageError, match="no rig called Other"):
        open_rig("Other", known=rigs)
    with pytest.raises(UsageError, match="no address"):
        open_rig("http://x")
    assert discovery.FINDERS is FINDERS


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_devices_of_both_protocols_make_one_rig(server: FakeAlpaca) -> None:
    indi = shared_indi()
    listed = discover(f"indi://127.0.0.1:{indi.port}").devices
    camera = next(DeviceRef.of(d) for d in listed if d.name == CAMERA)
    wheel = rig_of(server).devices[1]

    opened = open_devices(Rig("Both", (camera, wheel)))

    try:
        assert opened.missing == ()
        assert opened.camera.info.name == CAMERA
        assert opened.wheel is not None and opened.wheel.name == wheel.name
        assert opened.wheel.filters
    finally:
        opened.close()
