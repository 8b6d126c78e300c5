"""Numbers, units and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from calibstudio.domain import wording

NB = "\u202f"


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (9999, 0, "9999"),
        (36412, 0, f"36{NB}412"),
        (1234567.25, 2, f"1{NB}234{NB}567.25"),
        (-10, 1, "\u221210.0"),
        (-0.04, 1, "0.0"),
        (0, 0, "0"),
    ],
)
def test_numbers_have_a_real_minus_and_thin_thousands(value, decimals, text):
    assert wording.number(value, decimals) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1.23456, "1.235"), (32098.4, f"32{NB}098"), (0.000123, "0.000123"), (2.0, "2")],
)
def test_significant_keeps_four_digits_and_no_needless_zeros(value, text):
    assert wording.significant(value) == text


def test_significant_says_when_a_value_is_no_number():
    assert wording.significant(float("nan")) == "not a number"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.000032, f"32{NB}µs"),
        (0.001, f"1{NB}ms"),
        (0.2, f"0.2{NB}s"),
        (4.12, f"4.12{NB}s"),
        (300, f"300{NB}s"),
        (0, f"0{NB}s"),
    ],
)
def test_exposures_are_written_as_an_operator_says_them(seconds, text):
    assert wording.exposure(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.7, f"2.7{NB}s"),
        (41.2, f"41{NB}s"),
        (928, f"15{NB}min 28{NB}s"),
        (1320, f"22{NB}min"),
        (6720, f"1{NB}h 52{NB}min"),
        (-3, f"0.0{NB}s"),
    ],
)
def test_durations_get_coarser_as_they_get_longer(seconds, text):
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(900, f"900{NB}bytes"), (52_000_000, f"52{NB}MB"), (13.4e9, f"13.4{NB}GB")],
)
def test_file_sizes_are_decimal(size, text):
    assert wording.file_size(size) == text


def test_counts_agree_with_their_noun():
    assert wording.count(1, "frame") == "1 frame"
    assert wording.count(37, "frame") == "37 frames"
    assert wording.count(2, "bias", "biases") == "2 biases"


def test_a_time_of_day_says_utc_and_a_size_is_width_by_height():
    assert wording.utc_clock(datetime(2026, 4, 18, 5, 7, 45, tzinfo=UTC)) == "05:07:45 UTC"
    assert wording.size((4176, 6248)) == "6248 × 4176"


def test_how_much_of_a_file_is_there_is_said_in_one_way() -> None:
    assert wording.cut_off(9_000, 16_200) == "is cut off: 9\u202fkB of 16\u202fkB are there."
    assert wording.cut_off(52_000_000, 52_000_700) == (
        "is cut off: 52\u202f000\u202f000 of 52\u202f000\u202f700\u202fbytes are there."
    )
