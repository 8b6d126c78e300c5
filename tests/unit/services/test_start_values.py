"""Start values of flats: what was found before, how old it is, and what the master is worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.equipment import CameraInfo, Conversion
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.plan import (
    CameraSettings,
    LevelTarget,
    LevelUnit,
    LightSource,
    Search,
    SearchLimits,
)
from calibstudio.services.flats_taken import describe_flats
from calibstudio.services.start_values import StartState, outlook
from calibstudio.services.trained import TrainedKey, TrainedStore

NOW = datetime(2026, 4, 17, 4, 0, tzinfo=UTC)
INFO = CameraInfo("Test camera", (1000, 1500), 65535, exposure_min_s=0.001, readout_s=1.0)
SETTINGS = CameraSettings(100, 50)
DRAFT = FlatDraft(
    settings=SETTINGS,
    filters=("L", "Ha"),
    count=32,
    target=LevelTarget(32_000.0, LevelUnit.ADU),
    light=LightSource.PANEL,
    brightness=46,
    limits=SearchLimits(0.5, 30.0),
)
GAIN = Conversion(0.25, full_well_e=50_000.0)


@pytest.fixture
def trained(tmp_path: Path) -> TrainedStore:
    store = TrainedStore(tmp_path / "t.json")
    key = TrainedKey.of(SETTINGS, "L", 46)
    store.learn(key, 0.83, 31_500.0, NOW - timedelta(days=40), bias_adu=500.0)
    store.learn(key, 0.84, 31_500.0, NOW - timedelta(days=29), bias_adu=502.0)
    return store


def test_a_trained_filter_starts_where_the_level_was_found_scaled_to_the_target(
    trained: TrainedStore,
) -> None:
    found = outlook(DRAFT, INFO, trained, GAIN, NOW)
    row = found.rows[0]

    assert found.bias_adu == 502.0
    assert (row.state, row.days) == (StartState.TRAINED, 29)
    assert row.exposure_s == pytest.approx(0.84 * (32_000 - 502) / 31_500)
    assert row.before_s == pytest.approx(0.83 * (32_000 - 502) / 31_500)
    assert row.expected_s is not None
    low, high = row.expected_s
    assert low < row.exposure_s < high
    assert found.exposures_s() == {"flat-L": row.exposure_s}


def test_an_untrained_filter_says_so_and_starts_at_a_second(trained: TrainedStore) -> None:
    row = outlook(DRAFT, INFO, trained, GAIN, NOW).rows[1]

    assert (row.state, row.exposure_s, row.at) == (StartState.UNTRAINED, 1.0, None)
    assert outlook(DRAFT, INFO, trained, GAIN, NOW).untrained == ("Ha",)


def test_a_value_older_than_120_days_is_stale(trained: TrainedStore) -> None:
    later = NOW + timedelta(days=100)

    found = outlook(DRAFT, INFO, trained, GAIN, later)

    assert [r.filter for r in found.stale] == ["L"]
    assert found.rows[0].days == 129


def test_electrons_are_counted_above_the_bias_and_unknown_without_conversion(
    trained: TrainedStore,
) -> None:
    known = outlook(DRAFT, INFO, trained, GAIN, NOW)
    unknown = outlook(DRAFT, INFO, trained, None, NOW)

    assert known.electrons == pytest.approx((32_000 - 502) * 0.25)
    assert known.rows[0].snr == pytest.approx((32 * known.electrons) ** 0.5)
    assert unknown.electrons is None and unknown.rows[0].snr is None


def test_a_target_in_electrons_needs_a_conversion_for_its_adu(trained: TrainedStore) -> None:
    draft = replace(DRAFT, target=LevelTarget(8000.0, LevelUnit.ELECTRONS))

    assert outlook(draft, INFO, trained, None, NOW).target_adu is None
    assert outlook(draft, INFO, trained, GAIN, NOW).target_adu == pytest.approx(502 + 32_000)


def test_a_typed_exposure_counts_only_where_the_exposure_is_searched(
    trained: TrainedStore,
) -> None:
    typed = replace(DRAFT, start_exposures_s={"L": 2.0})

    assert outlook(typed, INFO, trained, GAIN, NOW).rows[0].exposure_s == 2.0
    replay = replace(typed, search=Search.NOTHING)
    assert outlook(replay, INFO, trained, GAIN, NOW).rows[0].state is StartState.TRAINED


def test_the_time_of_a_filter_is_its_flats_tests_and_dark_flats(trained: TrainedStore) -> None:
    with_darks = outlook(DRAFT, INFO, trained, GAIN, NOW).rows[0]
    without = outlook(replace(DRAFT, with_dark_flats=False), INFO, trained, GAIN, NOW).rows[0]

    each = with_darks.exposure_s + 1.0 + 0.3
    assert with_darks.seconds - without.seconds == pytest.approx(32 * each, rel=0.01)


# Flats on disk


def flat(**values: object) -> FrameHeader:
    usual: dict[str, object] = {
        "kind": "flat", "exposure_s": 0.73, "gain": 100.0, "offset": 50.0, "binning": (1, 1),
        "camera": "Test camera", "set_temp_c": -10.0,
    }  # fmt: skip
    return FrameHeader(path=Path("flat.fits"), **{**usual, **values})  # type: ignore[arg-type]


def test_flats_on_disk_say_their_exposures_once_each_and_their_settings() -> None:
    headers = [flat(), flat(exposure_s=0.731), flat(exposure_s=2.28), flat(kind="dark")]

    taken = describe_flats(headers, INFO)

    assert taken.frames == 3 and taken.notes == ()
    assert taken.exposures_s == pytest.approx((0.7305, 2.28))
    assert taken.settings == CameraSettings(100, 50, 1, None, None, -10.0)


def test_flats_that_differ_are_said_and_nothing_is_assumed() -> None:
    taken = describe_flats([flat(), flat(gain=0.0), flat(gain=0.0)], INFO)

    assert taken.settings.gain is None and taken.settings.offset == 50
    assert "differ in gain: 0 (2 flats), 100 (1 flat)" in taken.notes[0]


def test_masters_and_other_cameras_and_missing_exposures_are_said() -> None:
    headers = [flat(is_master=True), flat(camera="Other"), flat(exposure_s=None)]

    taken = describe_flats(headers, INFO)

    assert taken.frames == 2
    assert taken.notes == (
        "1 flat does not say its exposure.",
        "These flats are of Other; Test camera is connected.",
    )


def test_no_flats_is_said() -> None:
    assert describe_flats([], INFO).notes == ("There are no flats in this folder.",)
