"""Corrections over a header, and values as people type them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from calibstudio.domain.equipment import Site
from calibstudio.domain.errors import UsageError
from calibstudio.domain.header_edit import CORRECTED, correct, value_from_text, with_night
from tests.helpers.headers import make_header


def test_a_correction_wins_and_says_so() -> None:
    header = correct(make_header(gain=None), {"gain": 120.0, "exposure_s": 60.0})

    assert (header.gain, header.exposure_s) == (120.0, 60.0)
    assert header.origin["gain"] == header.origin["exposure_s"] == CORRECTED
    assert header.notes == ("Header says 300; corrected to 60.",)


def test_a_kind_can_be_corrected_to_a_master() -> None:
    header = correct(make_header(kind="light"), {"kind": "Master Flat"})

    assert (header.kind, header.is_master, header.kind_word) == ("flat", True, "master flat")


def test_a_corrected_time_gives_another_night_and_a_corrected_night_stays() -> None:
    site = Site("s", 50.0, 0.0)
    later = correct(make_header(), {"observed_utc": datetime(2026, 4, 20, 23, tzinfo=UTC)})
    fixed = correct(later, {"night": date(2026, 1, 1)})

    assert with_night(later, site).night == date(2026, 4, 20)
    assert with_night(fixed, site).night == date(2026, 1, 1)


def test_nothing_to_correct_is_the_same_header() -> None:
    header = make_header()

    assert correct(header, {}) is header


def test_an_unknown_word_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="colour is no header value"):
        correct(make_header(), {"colour": "red"})


@pytest.mark.parametrize(
    ("word", "text", "value"),
    [
        ("exposure_s", "300", 300.0),
        ("exposure_s", "0,5", 0.5),
        ("set_temp_c", "-10", -10.0),
        ("set_temp_c", "\u221210.5", -10.5),
        ("binning", "2x2", (2, 2)),
        ("binning", "2", (2, 2)),
        ("binning", "1x2", (1, 2)),
        ("shape", "1024x1280", (1024, 1280)),
        ("region", "0,0,100,50", (0, 0, 100, 50)),
        ("filter", " Ha ", "Ha"),
        ("kind", "Dark Flat", "dark flat"),
        ("night", "2026-04-17", date(2026, 4, 17)),
        ("observed_utc", "2026-04-17T22:10:00", datetime(2026, 4, 17, 22, 10, tzinfo=UTC)),
        ("observed_utc", "2026-04-17T22:10:00Z", datetime(2026, 4, 17, 22, 10, tzinfo=UTC)),
        ("observed_utc", "2026-04-17T22:10:00+02:00", datetime(2026, 4, 17, 20, 10, tzinfo=UTC)),
    ],
)
def test_typed_values_are_read(word: str, text: str, value: object) -> None:
    assert value_from_text(word, text) == value


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("exposure_s", "long"),
        ("exposure_s", "nan"),
        ("exposure_s", "inf"),
        ("binning", "big"),
        ("region", "1,2"),
        ("night", "tomorrow"),
        ("observed_utc", "now"),
        ("filter", "  "),
        ("colour", "red"),
    ],
)
def test_what_cannot_be_read_is_said_with_an_example(word: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        value_from_text(word, text)

    assert caught.value.hint
