"""Where strays would nearly belong."""

from __future__ import annotations

from typing import Any

import pytest

from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.offers import Offer, offers
from calibstudio.domain.regroup import corrected
from calibstudio.domain.wording import MINUS, NARROW
from tests.helpers.headers import make_header, make_headers


def one(*headers: Any) -> Offer:
    (offer,) = offers(group_frames(headers))
    return offer


def test_a_stray_is_offered_where_it_is_nearest_with_what_differs() -> None:
    offer = one(
        *make_headers(5, "a"),
        *make_headers(5, "b", set_temp_c=-20.0, sensor_temp_c=-20.0),
        make_header("stray.fits", set_temp_c=-12.0, sensor_temp_c=-12.0),
    )

    assert [p.name for p in offer.frames] == ["stray.fits"]
    assert [(d.word, d.here, d.there) for d in offer.differences] == [("set_temp_c", -12.0, -10.0)]
    assert offer.text == (
        f"1 dark would fit Dark · 300{NARROW}s · {MINUS}10{NARROW}°C but for "
        f"{MINUS}12{NARROW}°C instead of {MINUS}10{NARROW}°C."
    )
    assert offer.values == {}


def test_a_group_that_does_not_say_its_offset_is_offered_the_answer() -> None:
    headers = [*make_headers(5, "a"), *make_headers(12, "b", offset=None)]
    offer = one(*headers)

    assert len(offer.frames) == 12
    assert offer.values == {"offset": 30.0}
    assert offer.text == (
        "12 darks do not say their offset. "
        f"Dark · 300{NARROW}s · {MINUS}10{NARROW}°C has offset 30."
    )
    after = corrected(group_frames(headers), offer.frames, offer.values)
    assert [len(g.frames) for g in after.groups] == [17]


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": (2, 2)},
        {"binning": (2, 2)},
        {"camera": "QHY268M"},
        {"gain": 0.0},
        {"exposure_s": 60.0},
        {"set_temp_c": 0.0, "sensor_temp_c": 0.0},
        {"exposure_s": 310.0, "set_temp_c": -12.0, "sensor_temp_c": -15.0},
    ],
)
def test_frames_that_cannot_belong_are_not_offered(changes: dict[str, Any]) -> None:
    grouping = group_frames([*make_headers(5, "a"), make_header("b.fits", **changes)])

    assert offers(grouping) == ()


def test_two_large_groups_are_no_strays() -> None:
    grouping = group_frames(
        [*make_headers(9, "a"), *make_headers(5, "b", set_temp_c=-12.0, sensor_temp_c=-12.0)]
    )

    assert offers(grouping) == ()


def test_frames_named_otherwise_are_offered_their_other_kind() -> None:
    offer = one(*make_headers(3, kind="light", path_kind="flat"))

    assert offer.target_id == ""
    assert offer.values == {"kind": "flat"}
    assert offer.text.endswith("are called flat by their names.")
