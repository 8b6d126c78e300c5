"""When: every way in which headers say it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from calibstudio.domain.equipment import Site
from calibstudio.domain.header import FrameHeader
from calibstudio.store.header_time import julian_moment, parse_moment
from calibstudio.store.headers import read_header
from tests.helpers.frames import card, write_frame

BERLIN = Site("home", 52.5, 13.4, timezone="Europe/Berlin")


def frame(folder: Path, *cards: str, site: Site | None = None) -> FrameHeader:
    return read_header(write_frame(folder / "x.fits", list(cards)), site=site)


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("2026-04-17T22:10:05", datetime(2026, 4, 17, 22, 10, 5, tzinfo=UTC)),
        ("2026-04-17T22:10:05.25", datetime(2026, 4, 17, 22, 10, 5, 250000, tzinfo=UTC)),
        ("2019-04-29T20:25:29.8219583", datetime(2019, 4, 29, 20, 25, 29, 821958, tzinfo=UTC)),
        ("2025-10-22T01:26:01.637202Z", datetime(2025, 10, 22, 1, 26, 1, 637202, tzinfo=UTC)),
        ("2026-04-17T22:10:05+02:00", datetime(2026, 4, 17, 20, 10, 5, tzinfo=UTC)),
        ("2026-04-17T22:10:05-0530", datetime(2026, 4, 18, 3, 40, 5, tzinfo=UTC)),
        ("2026-04-17T22:10:05 UTC", datetime(2026, 4, 17, 22, 10, 5, tzinfo=UTC)),
        ("2026-04-17 22:10:05", datetime(2026, 4, 17, 22, 10, 5, tzinfo=UTC)),
        ("2026-04-17T22:10", datetime(2026, 4, 17, 22, 10, tzinfo=UTC)),
        ("2016-12-31T23:59:60", datetime(2017, 1, 1, 0, 0, 0, tzinfo=UTC)),
        ("2026-04-17T22:10:05,5", datetime(2026, 4, 17, 22, 10, 5, 500000, tzinfo=UTC)),
    ],
)
def test_a_moment_is_utc_whatever_its_zone(words: str, moment: datetime) -> None:
    assert parse_moment(words) == (moment, True)


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("2013-07-13", datetime(2013, 7, 13, tzinfo=UTC)),
        ("23/08/18", datetime(2018, 8, 23, tzinfo=UTC)),
        ("27/05/84", datetime(1984, 5, 27, tzinfo=UTC)),
        ("01/04/1999", datetime(1999, 4, 1, tzinfo=UTC)),
    ],
)
def test_a_date_alone_has_no_time(words: str, day: datetime) -> None:
    assert parse_moment(words) == (day, False)


@pytest.mark.parametrize(
    "words",
    ["", "nn/nn/nn", "2026-13-01T00:00:00", "2026-02-30", "yesterday", "0001-01-01T00:00:00"],
)
def test_what_is_no_date_is_none(words: str) -> None:
    assert parse_moment(words) is None


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (2458304.0854513887, datetime(2018, 7, 4, 14, 3, 3, tzinfo=UTC)),
        (58738.651154, datetime(2019, 9, 12, 15, 37, 39, 706000, tzinfo=UTC)),
        (5.0, None),
        ("x", None),
    ],
)
def test_julian_dates_are_moments(value: float | str, moment: datetime | None) -> None:
    found = julian_moment(value)

    if moment is None:
        assert found is None
    else:
        assert found is not None
        assert abs((found - moment).total_seconds()) < 0.01


@pytest.mark.parametrize(
    ("cards", "keyword"),
    [
        ((card("DATE-OBS", "2026-04-17"), card("TIME-OBS", "22:10:05.0")), "DATE-OBS"),
        ((card("DATE-OBS", "17/04/26"), card("UT", "22:10:05")), "DATE-OBS"),
        ((card("DATE-OBS", "2026-04-17"), card("UTSTART", "22:10:05")), "DATE-OBS"),
        ((card("DATE-BEG", "2026-04-17T22:10:05"),), "DATE-BEG"),
        ((card("MJD-OBS", 61147.923668981),), "MJD-OBS"),
        ((card("JD", 2461148.423668981),), "JD"),
        ((card("DATE-OBS", ""), card("JD", 2461148.423668981)), "JD"),
        ((card("DATE-OBS", "2026-04-17"), card("MJD-OBS", 61147.923668981)), "MJD-OBS"),
        ((card("DATE-AVG", "2026-04-17T22:12:35"), card("EXPTIME", 300)), "DATE-AVG"),
        ((card("DATE-END", "2026-04-17T22:15:05"), card("EXPTIME", 300)), "DATE-END"),
        ((card("DATE-LOC", "2026-04-18T00:10:05"),), "DATE-LOC"),
        ((card("DATE", "2026-04-17"), card("TIME-OBS", "22:10:05")), "DATE"),
    ],
)
def test_the_start_is_found_in_every_form(
    tmp_path: Path, cards: tuple[str, ...], keyword: str
) -> None:
    header = frame(tmp_path, *cards, site=BERLIN)

    assert header.observed_utc is not None
    wanted = datetime(2026, 4, 17, 22, 10, 5, tzinfo=UTC)
    assert abs((header.observed_utc - wanted).total_seconds()) < 0.01
    assert header.origin["observed_utc"] == f"{keyword} card"
    assert header.night == date(2026, 4, 17)


def test_local_time_without_a_zone_is_not_taken_for_utc(tmp_path: Path) -> None:
    header = frame(tmp_path, card("DATE-LOC", "2026-04-18T00:10:05"))

    assert header.observed_utc is None
    assert header.night is None
    assert header.notes == (
        "Only local time is written (DATE-LOC), and the site's time zone is not known.",
    )


def test_a_date_without_a_time_is_said(tmp_path: Path) -> None:
    header = frame(tmp_path, card("DATE-OBS", "2026-04-17"))

    assert header.observed_utc == datetime(2026, 4, 17, 12, tzinfo=UTC)
    assert "the hour is not known" in header.notes[0]


def test_the_date_a_file_was_written_is_no_observation(tmp_path: Path) -> None:
    assert frame(tmp_path, card("DATE", "2026-04-17T22:10:05")).observed_utc is None


def test_local_time_in_date_obs_is_seen_by_the_julian_date(tmp_path: Path) -> None:
    header = frame(tmp_path, card("DATE-OBS", "2026-04-18T00:10:05"), card("JD", 2461148.423668981))

    assert header.notes == (
        "DATE-OBS says 2026-04-18T00:10:05 UTC, JD says 2026-04-17T22:10:05 UTC. DATE-OBS is used.",
    )


def test_a_julian_date_of_the_end_of_the_exposure_is_no_disagreement(tmp_path: Path) -> None:
    header = frame(
        tmp_path,
        card("DATE-OBS", "2018-09-17T21:04:46"),
        card("EXPTIME", 240.0),
        card("JD", 2458379.38114583),
    )

    assert header.notes == ()


@pytest.mark.parametrize(
    ("cards", "site", "clock", "night", "basis"),
    [
        ((), BERLIN, "22:10:05", 17, "time zone Europe/Berlin"),
        ((), BERLIN, "10:30:00", 17, "time zone Europe/Berlin"),
        ((), Site("a", 0.0, -155.6), "22:10:05", 16, "longitude \u2212155.6°"),
        ((), Site("a", 0.0, -155.6), "22:30:00", 17, "longitude \u2212155.6°"),
        ((card("SITELONG", "-105 49 13"),), None, "22:10:05", 17, "longitude \u2212105.8°"),
        ((card("SITELONG", "149 03 52"),), None, "22:10:05", 17, "longitude 149.1°"),
        ((card("LONG-OBS", 13.4),), None, "09:00:00", 16, "longitude 13.4°"),
    ],
)
def test_the_night_says_what_decided_it(
    tmp_path: Path, cards: tuple[str, ...], site: Site | None, clock: str, night: int, basis: str
) -> None:
    header = frame(tmp_path, card("DATE-OBS", f"2026-04-17T{clock}"), *cards, site=site)

    assert header.night == date(2026, 4, night)
    assert header.origin["night"] == f"DATE-OBS card, {basis}"


def test_without_any_site_this_computer_decides_and_says_so(tmp_path: Path) -> None:
    header = frame(tmp_path, card("DATE-OBS", "2026-04-17T22:10:05"))

    assert header.night is not None
    assert header.origin["night"] == "DATE-OBS card, this computer's time zone"


@pytest.mark.parametrize(
    ("name", "night"),
    [
        ("2025-06-01/dark/23_14_05_0001.fits", date(2025, 6, 1)),
        ("2025-06-01/dark/23_14_05/dark_0001.fits", date(2025, 6, 1)),
        ("2025-06-02/dark/01_20_05.fits", date(2025, 6, 1)),
        ("2025-06-02/dark/01_20_05Z.fits", date(2025, 6, 1)),
        ("2025-06-02/dark/99_20_05.fits", date(2025, 6, 2)),
        ("2025-06-02/dark/dark_01_20_05.fits", date(2025, 6, 2)),
        ("01_20_05/2025-06-02/dark/dark.fits", date(2025, 6, 2)),
    ],
)
def test_the_date_of_a_folder_and_the_time_of_a_name_are_one_moment(
    tmp_path: Path, name: str, night: date
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    write_frame(path, [card("INSTRUME", "Cam")])

    assert read_header(path, site=BERLIN).night == night
