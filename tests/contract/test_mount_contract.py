"""What every telescope mount must do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from calibstudio.domain.equipment import Mount, Observatory
from calibstudio.domain.errors import Cancelled, UnsupportedRequestError
from calibstudio.domain.jobs import CancelToken
from tests.contract.makers import with_device

MAKERS = with_device("mount")


@pytest.fixture(params=MAKERS.values(), ids=MAKERS.keys())
def observatory(request: pytest.FixtureRequest) -> Iterator[Observatory]:
    made: Observatory = request.param()
    yield made
    made.close()


@pytest.fixture
def mount(observatory: Observatory) -> Mount:
    assert observatory.mount is not None
    return observatory.mount


def test_it_says_where_it_looks(mount: Mount) -> None:
    status = mount.status()

    assert mount.name
    assert -90.0 <= status.altitude_deg <= 90.0
    assert 0.0 <= status.azimuth_deg < 360.0


def test_it_looks_where_it_was_sent(mount: Mount) -> None:
    mount.slew(70.0, 100.0, CancelToken())

    status = mount.status()
    assert status.altitude_deg == pytest.approx(70.0, abs=0.3)
    assert status.azimuth_deg == pytest.approx(100.0, abs=1.0)


def test_below_the_horizon_is_refused(mount: Mount) -> None:
    with pytest.raises(UnsupportedRequestError, match="altitude") as problem:
        mount.slew(-20.0, 100.0, CancelToken())

    assert problem.value.hint


def test_a_cancelled_slew_ends_soon_and_the_mount_goes_on_working(mount: Mount) -> None:
    mount.slew(70.0, 100.0, CancelToken())
    token = CancelToken()
    threading.Timer(0.05, token.cancel).start()
    begun = time.monotonic()

    with pytest.raises(Cancelled):
        mount.slew(20.0, 300.0, token)

    assert time.monotonic() - begun < 1.5
    mount.slew(69.0, 101.0, CancelToken())
    assert mount.status().altitude_deg == pytest.approx(69.0, abs=0.3)
