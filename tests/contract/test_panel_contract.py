"""What every flat panel and motor cover must do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from calibstudio.domain.equipment import CoverState, FlatPanel, Observatory
from calibstudio.domain.errors import Cancelled, UnsupportedRequestError
from calibstudio.domain.jobs import CancelToken
from tests.contract.makers import with_device

MAKERS = with_device("panel")
COVERED = with_device("cover")
MOVING = with_device("cover", moving=True)


@pytest.fixture(params=MAKERS.values(), ids=MAKERS.keys())
def observatory(request: pytest.FixtureRequest) -> Iterator[Observatory]:
    made: Observatory = request.param()
    yield made
    made.close()


@pytest.fixture
def panel(observatory: Observatory) -> FlatPanel:
    assert observatory.panel is not None
    return observatory.panel


def test_its_facts_are_plausible(panel: FlatPanel) -> None:
    info = panel.info

    assert info.name
    assert info.has_cover or info.has_lamp
    assert info.has_lamp == (info.max_brightness > 0)
    assert info.has_cover == (panel.status().cover is not CoverState.NONE)


def test_the_lamp_is_read_back_when_it_has_settled(panel: FlatPanel) -> None:
    highest = panel.info.max_brightness

    for brightness in (highest, 1, highest // 2, 0):
        panel.set_brightness(brightness, CancelToken())
        assert panel.status().brightness == brightness


def test_a_brightness_it_does_not_have_is_refused(panel: FlatPanel) -> None:
    for brightness in (-1, panel.info.max_brightness + 1):
        with pytest.raises(UnsupportedRequestError) as problem:
            panel.set_brightness(brightness, CancelToken())
        assert problem.value.hint

    assert panel.status().brightness == 0


@pytest.mark.parametrize("observatory", COVERED.values(), ids=COVERED.keys(), indirect=True)
def test_the_cover_is_where_it_was_sent(panel: FlatPanel) -> None:
    panel.move_cover(open_it=True, cancel=CancelToken())
    opened = panel.status().cover
    panel.move_cover(open_it=False, cancel=CancelToken())

    assert opened is CoverState.OPEN
    assert panel.status().cover is CoverState.CLOSED


@pytest.mark.parametrize("observatory", COVERED.values(), ids=COVERED.keys(), indirect=True)
def test_a_cover_that_is_there_already_does_not_move(panel: FlatPanel) -> None:
    panel.move_cover(open_it=False, cancel=CancelToken())
    begun = time.monotonic()

    panel.move_cover(open_it=False, cancel=CancelToken())

    assert time.monotonic() - begun < 0.5


@pytest.mark.parametrize("observatory", COVERED.values(), ids=COVERED.keys(), indirect=True)
def test_moving_the_cover_leaves_the_lamp_alone(panel: FlatPanel) -> None:
    panel.set_brightness(5, CancelToken())

    panel.move_cover(open_it=True, cancel=CancelToken())

    assert panel.status().brightness == 5


@pytest.mark.parametrize("observatory", MOVING.values(), ids=MOVING.keys(), indirect=True)
def test_a_cancelled_cover_ends_soon_and_goes_on_working(panel: FlatPanel) -> None:
    panel.move_cover(open_it=False, cancel=CancelToken())
    token = CancelToken()
    threading.Timer(0.05, token.cancel).start()
    begun = time.monotonic()

    with pytest.raises(Cancelled):
        panel.move_cover(open_it=True, cancel=token)

    assert time.monotonic() - begun < 1.5
    assert panel.status().cover in (CoverState.OPEN, CoverState.CLOSED, CoverState.UNKNOWN)
    panel.move_cover(open_it=True, cancel=CancelToken())
    assert panel.status().cover is CoverState.OPEN


def test_closing_the_observatory_switches_the_lamp_off(observatory: Observatory) -> None:
    assert observatory.panel is not None
    observatory.panel.set_brightness(3, CancelToken())

    observatory.close()

    assert observatory.panel.status().brightness == 0
