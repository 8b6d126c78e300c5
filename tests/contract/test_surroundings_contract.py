"""What every rotator, focuser, dome and safety monitor must do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from calibstudio.domain.equipment import Observatory
from calibstudio.domain.errors import Cancelled, DeviceBusyError, UnsupportedRequestError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.surroundings import Focuser, Shutter
from tests.contract.makers import with_device

MAKERS = with_device("rotator")
MOVING = with_device("focuser", moving=True)


@pytest.fixture(params=MAKERS.values(), ids=MAKERS.keys())
def observatory(request: pytest.FixtureRequest) -> Iterator[Observatory]:
    made: Observatory = request.param()
    yield made
    made.close()


@pytest.fixture
def focuser(observatory: Observatory) -> Focuser:
    assert observatory.focuser is not None
    return observatory.focuser


def test_each_has_a_name_and_says_what_it_is_for(observatory: Observatory) -> None:
    o = observatory
    assert o.rotator is not None and o.dome is not None and o.safety is not None

    assert o.rotator.name and 0.0 <= o.rotator.angle_deg() < 360.0
    assert o.dome.name and o.dome.status().shutter is Shutter.CLOSED
    assert 0.0 <= (o.dome.status().azimuth_deg or 0.0) < 360.0
    assert o.safety.name and o.safety.is_safe()


def test_a_focuser_is_there_when_move_returns(focuser: Focuser) -> None:
    before = focuser.position()
    assert focuser.name and before is not None
    low, high = focuser.range
    assert low <= before <= high

    for position in (before + 40, before + 40, before):
        focuser.move(position, CancelToken())
        assert focuser.position() == position


@pytest.mark.parametrize("away", [-1, 1])
def test_a_position_it_does_not_have_is_refused(focuser: Focuser, away: int) -> None:
    before, (low, high) = focuser.position(), focuser.range

    with pytest.raises(UnsupportedRequestError, match="cannot be sent to") as problem:
        focuser.move(low - 1 if away < 0 else high + 1, CancelToken())

    assert problem.value.hint
    assert focuser.position() == before


@pytest.mark.parametrize("observatory", MOVING.values(), ids=MOVING.keys(), indirect=True)
def test_while_it_moves_it_takes_no_other_order_and_can_be_stopped(focuser: Focuser) -> None:
    start = focuser.position()
    assert start is not None
    token, problems = CancelToken(), []

    def move() -> None:
        try:
            focuser.move(start + 20_000, token)
        except Cancelled as error:
            problems.append(error)

    mover = threading.Thread(target=move)
    mover.start()
    time.sleep(0.1)
    assert focuser.position() is None
    with pytest.raises(DeviceBusyError):
        focuser.move(start, CancelToken())
    token.cancel()
    mover.join(2.0)

    assert len(problems) == 1
    focuser.move(start, CancelToken())
    assert focuser.position() == start
