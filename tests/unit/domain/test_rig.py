"""Rigs as values: which device is which, and what a rig may be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calibstudio.devices.discovery import FoundDevice
from calibstudio.domain.rig import DeviceRef, Rig, Role, find_again

CAMERA = DeviceRef("alpaca", "camera", "ASI2600", "10.0.0.2", 11111, 0, "id-a")
WHEEL = DeviceRef("indi", "filterwheel", "EFW", "10.0.0.3", 7624)


def listed(ref: DeviceRef, **changed: object) -> FoundDevice:
    now = replace(ref, **changed)  # type: ignore[arg-type]
    return FoundDevice(
        now.protocol, now.host, now.port, now.type, now.number, now.name, now.unique_id
    )


def test_the_identity_decides_where_host_port_and_number_changed() -> None:
    here = listed(CAMERA, host="10.0.0.77", port=32323, number=1)
    other = listed(CAMERA, unique_id="id-b")

    found = find_again(CAMERA, [other, here])

    assert found == replace(CAMERA, host="10.0.0.77", port=32323, number=1)


def test_another_identity_under_the_same_name_is_another_camera() -> None:
    assert find_again(CAMERA, [listed(CAMERA, unique_id="id-b")]) is None


def test_without_identity_name_and_type_decide() -> None:
    moved = listed(WHEEL, host="10.0.0.9")
    assert find_again(WHEEL, [moved]) == replace(WHEEL, host="10.0.0.9")
    assert find_again(WHEEL, [listed(WHEEL, type="camera")]) is None
    assert find_again(WHEEL, [listed(WHEEL, name="EFW mini")]) is None
    assert find_again(WHEEL, [listed(WHEEL, protocol="alpaca")]) is None


def test_of_equal_ones_the_one_at_the_old_place_is_taken_or_none() -> None:
    a, b = listed(WHEEL, number=0), listed(WHEEL, number=1)
    assert find_again(replace(WHEEL, number=1), [a, b]) == replace(WHEEL, number=1)
    assert find_again(replace(WHEEL, number=2), [a, b]) is None


def test_an_identity_is_learned_when_the_server_begins_to_say_one() -> None:
    found = find_again(WHEEL, [listed(WHEEL, unique_id="new")])
    assert found is not None and found.unique_id == "new"
    kept = find_again(CAMERA, [listed(CAMERA, unique_id="")])
    assert kept is not None and kept.unique_id == "id-a"


def test_a_chosen_device_takes_the_place_of_the_one_of_its_role() -> None:
    panels = [DeviceRef("alpaca", "covercalibrator", name) for name in ("one", "two", "three")]
    rig = Rig("r", (CAMERA, WHEEL))

    other = rig.with_device(replace(CAMERA, name="ASI533", unique_id="id-c"))
    with_panels = rig.with_device(panels[0]).with_device(panels[1]).with_device(panels[2])

    assert [d.name for d in other.of_role(Role.CAMERA)] == ["ASI533"]
    assert [d.name for d in with_panels.of_role(Role.PANEL)] == ["one", "three"]
    assert with_panels.without(WHEEL).of_role(Role.WHEEL) == ()


@pytest.mark.parametrize("name", ["", " x", "a\nb", "alpaca://x", "-x", "x" * 81])
def test_names_that_would_be_something_else_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Rig(name)


def test_what_cannot_be_one_rig_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 1"):
        Rig("r", (CAMERA, replace(CAMERA, number=1)))
    with pytest.raises(ValueError, match="more than 1"):
        Rig("r", (CAMERA, DeviceRef("alpaca", "dome", "x"), DeviceRef("alpaca", "dome", "y")))
    with pytest.raises(ValueError, match="simulated"):
        Rig("r", (DeviceRef("simulated", "camera", "tiny"), WHEEL))
    with pytest.raises(ValueError, match="focuser"):
        Rig("r", (CAMERA,), focus={"L": 99_999_999})
    with pytest.raises(ValueError, match="type 'video'"):
        DeviceRef("alpaca", "video", "x")
