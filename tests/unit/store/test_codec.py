"""What goes into text and JSON comes back equal."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibstudio.domain.quality import Assessment, Finding, Metric, Verdict
from calibstudio.store.codec import (
    assessment_from_json,
    assessment_to_json,
    exact_ascii,
    from_exact_ascii,
    from_microseconds,
    key_from_json,
    key_to_json,
    to_microseconds,
    utc_text,
    utc_time,
    value_from_json,
    value_to_json,
)

KEY = {
    "camera": "Zwölf 'ASI' Hα",
    "exposure_s": 0.1,
    "gain": 100.0,
    "binning": (2, 2),
    "region": (0, 8, 100, 50),
    "night": date(2025, 6, 1),
    "observed_utc": datetime(2025, 6, 1, 2, 3, 4, 567, tzinfo=UTC),
}


def test_a_key_comes_back_with_its_types() -> None:
    text = key_to_json(KEY)

    assert text.isascii()
    assert key_from_json(text) == KEY
    assert list(key_from_json(text)) == list(KEY)


def test_a_single_value_comes_back_and_unknown_stays_unknown() -> None:
    for word, value in KEY.items():
        assert value_from_json(word, value_to_json(value)) == value
    assert value_from_json("gain", value_to_json(None)) is None


@pytest.mark.parametrize("text", ["[1]", '{"gain": null}', "{"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        key_from_json(text)


def test_an_assessment_comes_back_equal() -> None:
    assessment = Assessment(
        (
            Metric("noise", "Noise", 12.5, "ADU", Verdict.WARN, "limit 10 ADU", 10.0, 20.0, 1),
            Metric("gain", "Gain", None, "e\u2212/ADU", None, "needs two flats"),
        ),
        (Finding(Verdict.WARN, "noise", "Noise 12.5\u202fADU", "cables", "turn it off", "noise"),),
    )

    assert assessment_from_json(assessment_to_json(assessment)) == assessment


@given(st.text())
def test_any_text_survives_as_ascii(text: str) -> None:
    written = exact_ascii(text)

    assert written.isascii()
    assert written.isprintable()
    assert from_exact_ascii(written) == text


def test_a_file_name_with_undecodable_bytes_survives() -> None:
    name = b"bias\xff\\x41.fits".decode("utf-8", "surrogateescape")

    assert from_exact_ascii(exact_ascii(name)) == name


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_survive_to_the_microsecond(moment: datetime) -> None:
    assert from_microseconds(to_microseconds(moment)) == moment
    assert utc_time(utc_text(moment)) == moment


def test_moments_of_another_zone_are_written_in_utc() -> None:
    moment = datetime(2025, 6, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))

    assert utc_text(moment) == "2025-05-31T23:00:00"
