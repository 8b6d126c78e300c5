"""Names made from words that people and drivers type."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibstudio.domain.errors import UsageError
from calibstudio.store.naming import (
    RAW_PATTERN,
    exposure_word,
    fill_pattern,
    free_name,
    safe_part,
    temperature_word,
    utc_word,
)

VALUES = {
    "night": "2026-04-17",
    "kind": "flat",
    "part": "Ha",
    "filter": "Ha",
    "exposure": "4.12",
    "gain": "100",
    "temp": "-10",
    "utc": "20260417T045208",
    "number": "003",
}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ha", "Ha"),
        ("O III", "O-III"),
        ("../../etc/passwd", "etc-passwd"),
        ("CON", "CON_"),
        ("nul.fits", "nul_.fits"),
        ("LPT1 ", "LPT1_"),
        ('a/b\\c:d*?"<>|', "a-b-c-d"),
        ("moon 🔭 name", "moon-name"),
        (" . ..", "unknown"),
        ("-rf", "rf"),
        ("a..b", "a.b"),
        ("\x00\x1b[31m", "31m"),
        ("Hα 3nm", "Hα-3nm"),
        ("滤镜1", "滤镜1"),
        ("", "unknown"),
    ],
)
def test_a_word_from_outside_becomes_a_harmless_part_of_a_name(text: str, name: str) -> None:
    assert safe_part(text) == name


@given(st.text(max_size=300))
def test_no_word_escapes_its_folder_or_breaks_a_file_system(text: str) -> None:
    part = safe_part(text)

    assert part
    assert len(part.encode("utf-8")) <= 81  # one more where a device name was marked
    assert part not in (".", "..")
    assert not set(part) & set('/\\:*?"<>|') and part.isprintable()
    assert part[0] not in "-. " and part[-1] not in ". "
    assert PurePosixPath(part).name == part


@given(st.dictionaries(st.sampled_from(list(VALUES)), st.none() | st.text(max_size=60)))
def test_the_raw_pattern_always_gives_a_relative_path_with_its_ending(
    changed: dict[str, str | None],
) -> None:
    path = fill_pattern(RAW_PATTERN, {**VALUES, **changed})

    assert not path.is_absolute()
    assert ".." not in path.parts
    assert path.suffix == ".fits"
    assert all(len(part.encode("utf-8")) <= 205 for part in path.parts)


def test_the_raw_pattern_is_the_one_of_the_product() -> None:
    path = fill_pattern(RAW_PATTERN, VALUES)

    assert path == Path("2026-04-17/flat/Ha/flat_Ha_4.12s_g100_-10C_20260417T045208_003.fits")


def test_an_unknown_value_takes_its_word_with_it() -> None:
    values = {**VALUES, "filter": None, "gain": None, "temp": None, "part": "4.12s"}

    path = fill_pattern(RAW_PATTERN, values)

    assert path == Path("2026-04-17/flat/4.12s/flat_4.12s_20260417T045208_003.fits")


def test_a_frame_of_which_nothing_is_known_is_kept_all_the_same() -> None:
    path = fill_pattern(RAW_PATTERN, dict.fromkeys(VALUES))

    assert path == Path("frame.fits")


@pytest.mark.parametrize("pattern", ["", "{night}/", "_"])
def test_a_pattern_without_a_file_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="no file name"):
        fill_pattern(pattern, VALUES)


def test_a_pattern_with_a_field_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="no field called moon"):
        fill_pattern("{moon}.fits", VALUES)


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    (tmp_path / "a.fits").touch()
    (tmp_path / "a-2.fits").touch()

    assert free_name(tmp_path / "a.fits") == tmp_path / "a-3.fits"
    assert free_name(tmp_path / "b.fits") == tmp_path / "b.fits"


@pytest.mark.parametrize(
    ("seconds", "word"),
    [(0, "0"), (3.2e-5, "0.000032"), (0.1 + 0.2, "0.3"), (4.12, "4.12"), (300, "300")],
)
def test_exposures_in_names_have_no_exponent_and_no_trailing_zeros(
    seconds: float, word: str
) -> None:
    assert exposure_word(seconds) == word


def test_temperatures_and_moments_have_one_short_form() -> None:
    assert [temperature_word(c) for c in (-10.0, -12.54, -0.04, 5.0)] == ["-10", "-12.5", "0", "5"]
    assert utc_word(datetime(2026, 4, 17, 4, 52, 8, 999, UTC)) == "20260417T045208"
