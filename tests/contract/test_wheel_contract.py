"""What every filter wheel must do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from calibstudio.domain.equipment import FilterWheel, Observatory
from calibstudio.domain.errors import Cancelled, DeviceBusyError, UnsupportedRequestError
from calibstudio.domain.jobs import CancelToken
from tests.contract.makers import with_device

MAKERS = with_device("wheel")
MOVING = with_device("wheel", moving=True)


@pytest.fixture(params=MAKERS.values(), ids=MAKERS.keys())
def observatory(request: pytest.FixtureRequest) -> Iterator[Observatory]:
    made: Observatory = request.param()
    yield made
    made.close()


@pytest.fixture
def wheel(observatory: Observatory) -> FilterWheel:
    assert observatory.wheel is not None
    return observatory.wheel


def test_its_filters_have_names_and_it_stands_at_one_of_them(wheel: FilterWheel) -> None:
    assert wheel.name
    assert len(wheel.filters) > 1
    assert all(name.strip() for name in wheel.filters)
    assert wheel.position() in range(len(wheel.filters))


def test_it_is_there_when_move_returns(wheel: FilterWheel) -> None:
    for slot in (1, 2, 0):
        wheel.move(slot, CancelToken())
        assert wheel.position() == slot


def test_moving_to_where_it_is_takes_no_time(wheel: FilterWheel) -> None:
    wheel.move(1, CancelToken())
    begun = time.monotonic()

    wheel.move(1, CancelToken())

    assert time.monotonic() - begun < 0.5
    assert wheel.position() == 1


@pytest.mark.parametrize("slot", [-1, 99])
def test_a_slot_it_does_not_have_is_refused(wheel: FilterWheel, slot: int) -> None:
    before = wheel.position()

    with pytest.raises(UnsupportedRequestError, match="slot") as problem:
        wheel.move(slot, CancelToken())

    assert problem.value.hint
    assert wheel.position() == before


@pytest.mark.parametrize("observatory", MOVING.values(), ids=MOVING.keys(), indirect=True)
def test_while_it_moves_it_has_no_position_and_takes_no_other_order(wheel: FilterWheel) -> None:
    wheel.move(0, CancelToken())
    mover = threading.Thread(target=wheel.move, args=(2, CancelToken()))

    mover.start()
    time.sleep(0.05)
    on_the_way = wheel.position()
    with pytest.raises(DeviceBusyError):
        wheel.move(1, CancelToken())
    mover.join(30.0)

    assert on_the_way is None
    assert wheel.position() == 2


@pytest.mark.parametrize("observatory", MOVING.values(), ids=MOVING.keys(), indirect=True)
def test_a_cancelled_move_ends_soon_and_the_wheel_goes_on_working(wheel: FilterWheel) -> None:
    wheel.move(0, CancelToken())
    token = CancelToken()
    threading.Timer(0.05, token.cancel).start()
    begun = time.monotonic()

    with pytest.raises(Cancelled):
        wheel.move(3, token)

    assert time.monotonic() - begun < 1.5
    wheel.move(1, CancelToken())
    assert wheel.position() == 1
